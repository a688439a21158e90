//! The grammar: text to statements, with the syntax errors a router gives.
//!
//! Only what our scripts need is accepted, everything else is an error, so that a new construct is
//! noticed and modelled before it is used.

use super::{
    menus,
    value::{Op, Value},
};

#[derive(Debug, Clone)]
pub(super) enum Stmt {
    Block(Vec<Stmt>),
    Command(Command),
}

#[derive(Debug, Clone)]
pub(super) struct Command {
    pub(super) line: usize,
    /// `interface wireguard peers`; empty for `:commands`.
    pub(super) path: String,
    /// `add`, `find`, `:if`.
    pub(super) name: String,
    pub(super) args: Vec<Arg>,
}

#[derive(Debug, Clone)]
pub(super) enum Arg {
    Named(String, Expr),
    Positional(Expr),
    Where(Expr),
}

#[derive(Debug, Clone)]
pub(super) enum Expr {
    Literal(Value),
    /// A string with variables in it.
    Text(Vec<Expr>),
    Var(String),
    /// A property of the row that `where` looks at.
    Property(String),
    Command(Vec<Stmt>),
    Block(Vec<Stmt>),
    Not(Box<Expr>),
    Binary(Op, Box<Expr>, Box<Expr>),
}

#[derive(Debug, Clone)]
pub(super) struct SyntaxError {
    pub(super) line: usize,
    pub(super) text: String,
}

type Parsed<T> = Result<T, SyntaxError>;

struct Parser<'a> {
    bytes: &'a [u8],
    /// Where the line breaks are.
    breaks: Vec<usize>,
    at: usize,
    /// Open `(`: a line break there is an error.
    parens: usize,
    /// Menu of the command around a `[find …]`.
    path: String,
    /// Minor version of the router, which decides what parameters exist.
    minor: u32,
    /// What parses but does not do what it looks like.
    findings: Vec<String>,
}

const END_OF_WORD: &[u8] = b" \t\n;\"$[](){}=\\?'`~!<>,";

/// A file: what parses up to the first error, the error, and what a reviewer would not accept.
pub(super) struct File {
    pub(super) statements: Vec<Stmt>,
    pub(super) error: Option<SyntaxError>,
    pub(super) findings: Vec<String>,
}

/// Parses a file for a router of version 7.`minor`.
pub(super) fn parse(text: &str, minor: u32) -> File {
    let mut parser = Parser {
        bytes: text.as_bytes(),
        breaks: text.match_indices('\n').map(|(at, _)| at).collect(),
        at: 0,
        parens: 0,
        path: String::new(),
        minor,
        findings: Vec::new(),
    };
    let mut statements = Vec::new();
    let error = parser.statements(None, &mut statements).err();
    File { statements, error, findings: parser.findings }
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn line(&self) -> usize {
        1 + self.breaks.partition_point(|at| *at < self.at)
    }

    fn fail<T>(&self, text: impl Into<String>) -> Parsed<T> {
        Err(SyntaxError { line: self.line(), text: text.into() })
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.bytes[self.at..].starts_with(token.as_bytes());
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &str) -> Parsed<()> {
        if self.eat(token) { Ok(()) } else { self.fail(format!("expected {token:?}")) }
    }

    /// Spaces and joined lines.
    fn space(&mut self) {
        while self.eat(" ") || self.eat("\t") || self.eat("\\\n") {}
    }

    fn word(&mut self) -> Parsed<String> {
        let start = self.at;
        while let Some(b) = self.peek().filter(|b| !END_OF_WORD.contains(b)) {
            if !b.is_ascii() || b.is_ascii_control() {
                return self.fail("expected end of command");
            }
            self.at += 1;
        }
        if start == self.at {
            return self.fail("syntax error");
        }
        Ok(String::from_utf8_lossy(&self.bytes[start..self.at]).into_owned())
    }

    fn name(&mut self) -> Parsed<String> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_alphanumeric()) {
            self.at += 1;
        }
        let name = String::from_utf8_lossy(&self.bytes[start..self.at]).into_owned();
        if name.is_empty() { self.fail("bad variable name") } else { Ok(name) }
    }

    /// The statements up to a closing bracket.
    fn inner(&mut self, end: u8) -> Parsed<Vec<Stmt>> {
        let mut statements = Vec::new();
        self.statements(Some(end), &mut statements)?;
        Ok(statements)
    }

    fn statements(&mut self, end: Option<u8>, statements: &mut Vec<Stmt>) -> Parsed<()> {
        let parens = std::mem::take(&mut self.parens);
        loop {
            self.space();
            match self.peek() {
                Some(b) if Some(b) == end => {
                    self.at += 1;
                    self.parens = parens;
                    return Ok(());
                }
                None if end.is_none() => return Ok(()),
                None => return self.fail("expected closing brace"),
                Some(b'\n') if parens > 0 => return self.fail("expected closing parenthesis"),
                Some(b'\n' | b';') => self.at += 1,
                Some(b'#') => {
                    while self.peek().is_some_and(|b| b != b'\n') {
                        self.at += 1;
                    }
                }
                Some(_) => statements.push(self.statement()?),
            }
        }
    }

    fn statement(&mut self) -> Parsed<Stmt> {
        if self.eat("{") {
            return Ok(Stmt::Block(self.inner(b'}')?));
        }
        let line = self.line();
        let outer = self.path.clone();
        let command = if self.eat(":") { self.colon_command(line) } else { self.menu_command(line) }?;
        self.path = outer;
        self.space();
        match self.peek() {
            None | Some(b'\n' | b';' | b'}' | b']') => Ok(Stmt::Command(command)),
            Some(_) => self.fail("expected end of command"),
        }
    }

    fn colon_command(&mut self, line: usize) -> Parsed<Command> {
        let name = format!(":{}", self.word()?);
        let mut args = Vec::new();
        if matches!(name.as_str(), ":local" | ":global" | ":set" | ":foreach" | ":for") {
            self.space();
            let variable = self.name()?;
            if name != ":set" && menus::is_property(&variable) {
                self.findings.push(format!("line {line}: variable {variable} is named like a property"));
            }
            args.push(Arg::Positional(Expr::Literal(Value::Str(variable))));
        }
        self.args(&mut args)?;
        Ok(Command { line, path: String::new(), name, args })
    }

    fn menu_command(&mut self, line: usize) -> Parsed<Command> {
        let absolute = self.eat("/");
        let mut path = if absolute { String::new() } else { self.path.clone() };
        let mut name = self.word()?;
        loop {
            let next = if path.is_empty() { name.clone() } else { format!("{path} {name}") };
            if !menus::is_path(&next) {
                break;
            }
            path = next;
            self.space();
            name = self.word()?;
        }
        if self.peek() == Some(b'=') {
            return self.fail("expected command name");
        }
        self.path.clone_from(&path);
        let mut args = Vec::new();
        self.args(&mut args)?;
        let command = Command { line, path, name, args };
        menus::check_parameters(&command, self.minor).or_else(|text| self.fail(text))?;
        Ok(command)
    }

    fn args(&mut self, args: &mut Vec<Arg>) -> Parsed<()> {
        loop {
            self.space();
            match self.peek() {
                None | Some(b'\n' | b';' | b'}' | b']') => return Ok(()),
                Some(b'#') => return self.fail("expected end of command"),
                _ => {}
            }
            let start = self.at;
            if self.peek().is_some_and(|b| b.is_ascii_lowercase()) {
                let word = self.word()?;
                if word == "where" {
                    self.space();
                    args.push(Arg::Where(self.expression(true)?));
                    continue;
                }
                if self.eat("=") {
                    if self.peek() == Some(b'=') {
                        return self.fail("expected end of command");
                    }
                    args.push(Arg::Named(word, self.value()?));
                    self.end_of_value()?;
                    continue;
                }
                self.at = start;
            }
            args.push(Arg::Positional(self.value()?));
            self.end_of_value()?;
        }
    }

    /// A value ends where a space, a line or its bracket ends; `abc=` of an unquoted key does not.
    fn end_of_value(&mut self) -> Parsed<()> {
        match self.peek() {
            None | Some(b' ' | b'\t' | b'\n' | b';' | b']' | b'}' | b')') => Ok(()),
            Some(b'\\') if self.bytes.get(self.at + 1) == Some(&b'\n') => Ok(()),
            Some(_) => self.fail("expected end of command"),
        }
    }

    fn value(&mut self) -> Parsed<Expr> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'$') => {
                self.at += 1;
                Ok(Expr::Var(self.name()?))
            }
            Some(b'(') => {
                self.at += 1;
                self.parens += 1;
                let inner = self.expression(false)?;
                self.space();
                self.expect(")")?;
                self.parens -= 1;
                Ok(inner)
            }
            Some(b'[') => {
                self.at += 1;
                Ok(Expr::Command(self.inner(b']')?))
            }
            Some(b'{') => {
                self.at += 1;
                Ok(Expr::Block(self.inner(b'}')?))
            }
            Some(b'!') => {
                self.at += 1;
                Ok(Expr::Not(Box::new(self.value()?)))
            }
            _ => Ok(Expr::Literal(Value::of_word(&self.word()?))),
        }
    }

    fn string(&mut self) -> Parsed<Expr> {
        self.expect("\"")?;
        let mut parts = Vec::new();
        let mut text: Vec<u8> = Vec::new();
        let flush = |text: &mut Vec<u8>, parts: &mut Vec<Expr>| {
            if !text.is_empty() {
                let done = String::from_utf8_lossy(&std::mem::take(text)).into_owned();
                parts.push(Expr::Literal(Value::Str(done)));
            }
        };
        loop {
            let Some(b) = self.peek() else { return self.fail("expected closing quote") };
            self.at += 1;
            match b {
                b'"' => break,
                b'$' => {
                    flush(&mut text, &mut parts);
                    match self.peek() {
                        Some(b'(' | b'[') => parts.push(self.value()?),
                        _ => parts.push(Expr::Var(self.name()?)),
                    }
                }
                b'\\' => {
                    let Some(escaped) = self.peek() else { return self.fail("expected closing quote") };
                    self.at += 1;
                    match escaped {
                        b'\n' => self.space(),
                        b'"' | b'\\' | b'$' | b'?' => text.push(escaped),
                        b'_' => text.push(b' '),
                        b'n' => text.push(b'\n'),
                        b'r' => text.push(b'\r'),
                        b't' => text.push(b'\t'),
                        high => {
                            let hex = [Some(high), self.peek()].map(|d| match d {
                                Some(d @ b'0'..=b'9') => Some(d - b'0'),
                                Some(d @ b'A'..=b'F') => Some(d - b'A' + 10),
                                _ => None,
                            });
                            let [Some(high), Some(low)] = hex else { return self.fail("bad escape") };
                            self.at += 1;
                            text.push(high << 4 | low);
                        }
                    }
                }
                _ => text.push(b),
            }
        }
        flush(&mut text, &mut parts);
        Ok(match parts.as_slice() {
            [] => Expr::Literal(Value::str("")),
            [Expr::Literal(v)] => Expr::Literal(v.clone()),
            _ => Expr::Text(parts),
        })
    }

    /// Operators of one kind may follow each other; a mixture needs parentheses, since the real
    /// precedence is not documented. Comparisons bind closer than `and` and `or`.
    fn expression(&mut self, in_where: bool) -> Parsed<Expr> {
        let mut left = self.comparison(in_where)?;
        let mut first = None;
        while let Some(op) = self.operator(&[("and", Op::And), ("or", Op::Or)]) {
            if first.replace(op).is_some_and(|f| f != op) {
                return self.fail("mixture of operators without parentheses");
            }
            left = Expr::Binary(op, Box::new(left), Box::new(self.comparison(in_where)?));
        }
        Ok(left)
    }

    fn comparison(&mut self, in_where: bool) -> Parsed<Expr> {
        const COMPARE: &[(&str, Op)] = &[
            ("!=", Op::Differs),
            ("!~", Op::NotMatches),
            ("=", Op::Equal),
            ("~", Op::Matches),
            ("<<", Op::ShiftLeft),
            ("<", Op::Less),
            (">", Op::Greater),
            ("&", Op::BitAnd),
            (".", Op::Concat),
            ("+", Op::Plus),
            ("-", Op::Minus),
            ("in ", Op::In),
        ];
        let mut left = self.operand(in_where)?;
        let mut first = None;
        while let Some(op) = self.operator(COMPARE) {
            if first.replace(op).is_some_and(|f| f != op || !matches!(op, Op::Concat | Op::Plus)) {
                return self.fail("mixture of operators without parentheses");
            }
            let line = self.line();
            let right = self.operand(false)?;
            if let (true, Expr::Literal(Value::Prefix(a, n))) = (in_where, &right) {
                self.findings.push(format!("line {line}: {a}/{n} in where matches nothing, it needs quotes"));
            }
            left = Expr::Binary(op, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn operator(&mut self, choice: &[(&str, Op)]) -> Option<Op> {
        let start = self.at;
        self.space();
        let found = choice.iter().find(|(token, _)| self.eat(token)).map(|(_, op)| *op);
        if found.is_none() {
            self.at = start;
        }
        found
    }

    fn operand(&mut self, in_where: bool) -> Parsed<Expr> {
        self.space();
        match self.peek() {
            Some(b'!') if self.bytes.get(self.at + 1) != Some(&b'=') => {
                self.at += 1;
                Ok(Expr::Not(Box::new(self.operand(in_where)?)))
            }
            Some(b'(') if in_where => {
                self.at += 1;
                self.parens += 1;
                let inner = self.expression(true)?;
                self.space();
                self.expect(")")?;
                self.parens -= 1;
                Ok(inner)
            }
            Some(b) if in_where && b.is_ascii_lowercase() => Ok(Expr::Property(self.word()?)),
            Some(b'\n') => self.fail("expected closing parenthesis"),
            _ => self.value(),
        }
    }
}
