//! Runs what the parser made.

use super::{
    menus,
    parse::{Arg, Command, Expr, Stmt},
    router::{Router, Row, public_key},
    value::{Op, Value, apply},
};
use std::collections::{BTreeMap, HashMap};

/// Why a script stopped; the line is that of the statement.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    pub(super) line: usize,
    pub(super) text: String,
}

type Ran<T> = Result<T, Stop>;

pub(super) struct Run<'r> {
    pub(super) router: &'r mut Router,
    pub(super) output: Vec<String>,
    /// Lines of the conditions that were nil.
    pub(super) undecided: Vec<usize>,
    /// Whether it runs beside the script that waits.
    background: bool,
    scopes: Vec<HashMap<String, Value>>,
    /// Row that `where` looks at.
    looking_at: Option<Row>,
    /// Statements so far; an endless loop is a defect.
    steps: usize,
    line: usize,
}

impl<'r> Run<'r> {
    pub(super) fn new(router: &'r mut Router) -> Self {
        Self {
            router,
            output: Vec::new(),
            undecided: Vec::new(),
            background: false,
            scopes: Vec::new(),
            looking_at: None,
            steps: 0,
            line: 0,
        }
    }

    /// Every line of a file is a scope of its own.
    pub(super) fn file(&mut self, statements: &[Stmt]) -> Ran<()> {
        for statement in statements {
            self.scopes = vec![HashMap::new()];
            self.statement(statement)?;
        }
        Ok(())
    }

    fn fail<T>(&self, text: impl Into<String>) -> Ran<T> {
        Err(Stop { line: self.line, text: text.into() })
    }

    fn or_fail<T>(&self, result: Result<T, String>) -> Ran<T> {
        result.or_else(|text| self.fail(text))
    }

    fn block(&mut self, statements: &[Stmt]) -> Ran<Value> {
        self.scopes.push(HashMap::new());
        let mut result = Ok(Value::Nil);
        for statement in statements {
            result = self.statement(statement);
            if result.is_err() {
                break;
            }
        }
        self.scopes.pop();
        result
    }

    fn statement(&mut self, statement: &Stmt) -> Ran<Value> {
        match statement {
            Stmt::Block(inner) => self.block(inner),
            Stmt::Command(command) => {
                self.line = command.line;
                self.steps += 1;
                if self.steps > 200_000 {
                    return self.fail("endless loop");
                }
                self.router.statements += 1;
                if command.path.is_empty() {
                    return self.global(command);
                }
                let before = self.router.writes;
                let result = self.in_menu(command);
                if self.router.writes != before
                    && let Some(mut film) = self.router.film.take()
                {
                    film.push(self.router.clone());
                    self.router.film = Some(film);
                }
                result
            }
        }
    }

    fn expr(&mut self, expr: &Expr) -> Ran<Value> {
        Ok(match expr {
            Expr::Literal(value) => value.clone(),
            // A lone variable is no concatenation: it may stay nil.
            Expr::Text(parts) if parts.len() == 1 => match self.expr(&parts[0])? {
                Value::Nil => Value::Nil,
                value => Value::Str(value.to_string()),
            },
            Expr::Text(parts) => {
                let mut text = String::new();
                for part in parts {
                    text.push_str(&self.expr(part)?.to_string());
                }
                Value::Str(text)
            }
            Expr::Var(name) => {
                // The trap of the language: in `where` a property comes before a variable.
                if let Some(row) = self.looking_at.clone()
                    && menus::menu(row.menu).is_some_and(|m| m.knows(name))
                {
                    return self.property(&row, name);
                }
                let global = self.router.globals.get(name);
                self.scopes.iter().rev().find_map(|s| s.get(name)).or(global).cloned().unwrap_or(Value::Nil)
            }
            Expr::Property(name) => match self.looking_at.clone() {
                Some(row) => self.property(&row, name)?,
                None => return self.fail(format!("{name} outside of where")),
            },
            Expr::Command(statements) | Expr::Block(statements) => {
                let row = self.looking_at.take();
                let value = self.block(statements);
                self.looking_at = row;
                value?
            }
            Expr::Not(inner) => {
                let truth = self.expr(inner)?.truth();
                self.or_fail(truth)?.map_or(Value::Nil, |truth| Value::Bool(!truth))
            }
            Expr::Binary(op, left, right) => {
                let (a, mut b) = (self.expr(left)?, self.expr(right)?);
                if matches!(**left, Expr::Property(_)) && matches!(op, Op::Equal | Op::Differs) {
                    b = as_in_where(&a, b);
                }
                let result = apply(*op, &a, &b);
                self.or_fail(result)?
            }
        })
    }

    fn property(&mut self, row: &Row, name: &str) -> Ran<Value> {
        let known = menus::menu(row.menu).is_some_and(|m| m.knows(name));
        if !known {
            return self.fail(format!("unknown property {name}"));
        }
        Ok(match (row.menu, name) {
            ("interface wireguard", "private-key") if !self.router.sensitive => Value::str("*****"),
            ("interface wireguard", "public-key") => Value::Str(public_key(row)),
            ("interface wireguard peers", "last-handshake") => match row.get("handshake-at") {
                Value::Time(t) => Value::Time(self.router.now - t),
                _ => Value::Nil,
            },
            ("interface wireguard peers", "current-endpoint-address") => row.get("resolved"),
            ("tool netwatch", "status") => Value::str(if self.router.is_up() { "up" } else { "down" }),
            ("system ntp client", "status") => Value::str("synchronized"),
            _ => row.get(name),
        })
    }

    fn named(command: &Command, name: &str) -> Option<Expr> {
        command.args.iter().find_map(|a| match a {
            Arg::Named(n, e) if n == name => Some(e.clone()),
            _ => None,
        })
    }

    fn positional(&mut self, command: &Command) -> Ran<Vec<Value>> {
        command
            .args
            .iter()
            .filter_map(|a| if let Arg::Positional(e) = a { Some(e) } else { None })
            .map(|e| self.expr(e))
            .collect()
    }

    fn body(&mut self, command: &Command, name: &str) -> Ran<()> {
        match Self::named(command, name) {
            Some(Expr::Block(statements)) => self.block(&statements).map(|_| ()),
            Some(_) => self.fail("expected a block"),
            None => Ok(()),
        }
    }

    fn assign(&mut self, name: &str, value: Value, new: bool) -> Ran<()> {
        if let Some(global) = self.router.globals.get_mut(name).filter(|_| !new) {
            *global = value;
            return Ok(());
        }
        let scope = if new {
            self.scopes.last_mut()
        } else {
            self.scopes.iter_mut().rev().find(|s| s.contains_key(name))
        };
        match scope {
            Some(scope) => {
                scope.insert(name.to_owned(), value);
                Ok(())
            }
            None => self.fail(format!("variable {name} is not declared")),
        }
    }

    /// Runs `do=` with a variable of its own.
    fn each(&mut self, command: &Command, variable: &str, values: Vec<Value>) -> Ran<()> {
        for value in values {
            self.scopes.push(HashMap::from([(variable.to_owned(), value)]));
            let result = self.body(command, "do");
            self.scopes.pop();
            result?;
        }
        Ok(())
    }

    fn global(&mut self, command: &Command) -> Ran<Value> {
        let variable = match command.args.first() {
            Some(Arg::Positional(Expr::Literal(Value::Str(name)))) => name.clone(),
            _ => String::new(),
        };
        match command.name.as_str() {
            ":if" => {
                // Of nil neither branch runs.
                if let Some(condition) = self.condition(command)? {
                    self.body(command, if condition { "do" } else { "else" })?;
                }
                return Ok(Value::Nil);
            }
            ":while" => {
                while self.condition(command)? == Some(true) {
                    self.body(command, "do")?;
                    self.steps += 1;
                    if self.steps > 200_000 {
                        return self.fail("endless loop");
                    }
                }
                return Ok(Value::Nil);
            }
            ":foreach" => {
                let Some(list) = Self::named(command, "in") else { return self.fail("missing in") };
                let values = self.expr(&list)?.items();
                self.each(command, &variable, values)?;
                return Ok(Value::Nil);
            }
            ":for" => {
                let mut ends = [0; 2];
                for (end, name) in ends.iter_mut().zip(["from", "to"]) {
                    match Self::named(command, name) {
                        Some(Expr::Literal(Value::Num(n))) => *end = n,
                        _ => return self.fail(format!("missing {name}")),
                    }
                }
                self.each(command, &variable, (ends[0]..=ends[1]).map(Value::Num).collect())?;
                return Ok(Value::Nil);
            }
            ":do" => {
                let Some(Arg::Positional(Expr::Block(body))) = command.args.first() else {
                    return self.fail("expected a block");
                };
                let depth = self.scopes.len();
                match (self.block(body), Self::named(command, "on-error")) {
                    (Err(_), Some(_)) => {
                        self.scopes.truncate(depth);
                        self.looking_at = None;
                        self.body(command, "on-error")?;
                    }
                    (result, _) => {
                        result?;
                    }
                }
                return Ok(Value::Nil);
            }
            _ => {}
        }
        let args = self.positional(command)?;
        let first = args.first().cloned().unwrap_or(Value::Nil);
        match command.name.as_str() {
            ":local" | ":set" => {
                let value = args.get(1).cloned().unwrap_or(Value::Nil);
                self.assign(&variable, value, command.name == ":local")?;
            }
            ":global" => {
                self.router.globals.entry(variable).or_insert(Value::Nil);
            }
            ":put" => self.output.push(first.to_string()),
            ":log" => self.router.log.push(args.get(1).cloned().unwrap_or(Value::Nil).to_string()),
            ":error" => return self.fail(first.to_string()),
            ":delay" => match first {
                Value::Time(t) => self.router.delay(t),
                _ => return self.fail("bad delay"),
            },
            ":len" | ":tostr" | ":tonum" | ":totime" | ":toip" | ":toarray" | ":find" if first.is_nil() => {}
            ":len" => {
                return Ok(Value::Num(match first {
                    Value::Str(s) => number(s.len()),
                    other => number(other.items().len()),
                }));
            }
            ":typeof" => return Ok(Value::str(first.type_name())),
            ":tostr" => return Ok(Value::Str(first.to_string())),
            ":tonum" => return Ok(first.to_string().parse().map_or(Value::Nil, Value::Num)),
            ":totime" => return Ok(super::value::time(&first.to_string()).map_or(Value::Nil, Value::Time)),
            ":toip" => return Ok(first.to_string().parse().map_or(Value::Nil, Value::Ip)),
            ":toarray" => {
                let text = first.to_string();
                let items = text.split(',').filter(|t| !t.is_empty());
                return Ok(Value::List(items.map(Value::of_word).collect()));
            }
            ":pick" => return self.pick(&first, &args),
            ":find" => {
                let (text, part) =
                    (first.to_string(), args.get(1).map(ToString::to_string).unwrap_or_default());
                return Ok(text.find(&part).map_or(Value::Nil, |at| Value::Num(number(at))));
            }
            // In the background: nothing is waited for, and nobody hears of a failure.
            ":execute" => {
                let minor = self.router.minor();
                let file = super::parse::parse(&first.to_string(), minor);
                if file.error.is_none() {
                    let mut beside = Run::new(self.router);
                    beside.background = true;
                    let _ = beside.file(&file.statements);
                }
            }
            "ping" => {
                let Some(count) = Self::named(command, "count") else { return self.fail("an endless ping") };
                let Value::Num(count) = self.expr(&count)? else { return self.fail("bad count") };
                let mut answers = 0;
                for _ in 0..count {
                    let answer = self.router.ping(&first.to_string());
                    answers += i64::from(self.or_fail(answer)?);
                    if !self.background {
                        self.router.delay(1);
                    }
                }
                return Ok(Value::Num(answers));
            }
            ":resolve" => {
                if !self.router.names.contains(&first.to_string()) {
                    return self.fail("failure: dns name does not exist");
                }
                return Ok(Value::of_word(&self.router.resolved));
            }
            name => return self.fail(format!("bad command name {name}")),
        }
        Ok(Value::Nil)
    }

    /// The condition of a command; `None` where it is nil, which is noted: no script of ours may
    /// come to that, whichever way a router decides then.
    fn condition(&mut self, command: &Command) -> Ran<Option<bool>> {
        let Some(Arg::Positional(condition)) = command.args.first() else { return self.fail("no condition") };
        let truth = self.expr(condition)?.truth();
        let truth = self.or_fail(truth)?;
        if truth.is_none() {
            self.undecided.push(command.line);
        }
        Ok(truth)
    }

    fn pick(&mut self, from: &Value, args: &[Value]) -> Ran<Value> {
        let bound = |n: usize| match args.get(n) {
            Some(Value::Num(at)) => usize::try_from(*at).ok(),
            _ => None,
        };
        let Some(start) = bound(1) else { return self.fail("bad start of :pick") };
        Ok(match from {
            Value::List(items) => items.get(start).cloned().unwrap_or(Value::Nil),
            Value::Str(s) => {
                let end = bound(2).unwrap_or(start + 1).min(s.len());
                s.get(start.min(end)..end).map_or(Value::Nil, Value::str)
            }
            _ => Value::Nil,
        })
    }

    fn in_menu(&mut self, command: &Command) -> Ran<Value> {
        let Some(menu) = menus::menu(&command.path) else {
            return self.fail(format!("bad command name {}", command.name));
        };
        let too_old = ["6.", "7.0"].iter().any(|v| self.router.version.starts_with(v));
        if too_old && menu.path.contains("wireguard") {
            return self.fail("bad command name wireguard");
        }
        match command.name.as_str() {
            "find" => self.find(command),
            "get" => {
                let mut args = self.positional(command)?;
                let Some(Value::Str(property)) = args.pop() else { return self.fail("no property") };
                let row = if menu.single {
                    self.single(menu.path)
                } else {
                    match args.pop().map(Value::items).unwrap_or_default().as_slice() {
                        [Value::Id(id)] => self.router.row(*id).cloned(),
                        _ => None,
                    }
                };
                match row {
                    Some(row) => self.property(&row, &property),
                    None => self.fail("no such item"),
                }
            }
            "add" => {
                let values = self.values(command)?;
                let added = self.router.add(menu.path, values);
                self.or_fail(added).map(Value::Id)
            }
            "set" | "remove" => {
                let targets = self.positional(command)?.into_iter().flat_map(Value::items);
                let values = self.values(command)?;
                for target in targets {
                    let Value::Id(id) = target else { return self.fail("no such item") };
                    let done = match command.name.as_str() {
                        "set" => self.router.set(id, values.clone()),
                        _ => self.router.remove(id),
                    };
                    self.or_fail(done)?;
                }
                Ok(Value::Nil)
            }
            name => self.fail(format!("bad command name {name}")),
        }
    }

    fn values(&mut self, command: &Command) -> Ran<BTreeMap<String, Value>> {
        let mut values = BTreeMap::new();
        for arg in &command.args {
            if let Arg::Named(name, expr) = arg {
                values.insert(name.clone(), self.expr(expr)?);
            }
        }
        Ok(values)
    }

    fn find(&mut self, command: &Command) -> Ran<Value> {
        let rows: Vec<Row> = self.router.rows_of(&command.path).cloned().collect();
        let mut found = Vec::new();
        for row in rows {
            let id = row.id;
            let mut hit = true;
            if let Some(Arg::Where(condition)) = command.args.first() {
                let outer = self.looking_at.replace(row);
                let result = self.expr(condition);
                self.looking_at = outer;
                let truth = result?.truth();
                hit = self.or_fail(truth)? == Some(true);
            }
            if hit {
                found.push(Value::Id(id));
            }
        }
        Ok(Value::List(found))
    }

    /// The one row of a menu without ids.
    fn single(&self, path: &'static str) -> Option<Row> {
        let value = |name: &str, text: &str| (name.to_owned(), Value::str(text));
        let values = match path {
            "system resource" => BTreeMap::from([
                value("version", &self.router.version),
                ("uptime".to_owned(), Value::Time(self.router.now)),
            ]),
            "system clock" => BTreeMap::from([value("date", &self.router.date), value("time", "11:14:05")]),
            _ => return self.router.rows_of(path).next().cloned(),
        };
        Some(Row { id: 0, menu: path, values })
    }
}

/// `where` compares text with what a property looks like, but a bare prefix never matches.
fn as_in_where(property: &Value, given: Value) -> Value {
    match (&given, property) {
        (Value::Str(text), Value::Nil) if text.is_empty() => Value::Nil,
        (Value::Str(text), _) if *text == property.to_string() => property.clone(),
        (Value::Prefix(..), _) => Value::Nil,
        _ => given,
    }
}

fn number(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
