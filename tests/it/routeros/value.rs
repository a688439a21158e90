//! Values of the router's language: their types, their text, and how they compare.
//!
//! Where the real behaviour is not known, the one that hurts us is modelled, so that a script that
//! passes here does not lean on luck: a property that a row lacks is nil, whatever is made of nil is
//! nil again (only a string that something is appended to stays one), and no comparison with it is
//! true or false.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Num(i64),
    Str(String),
    /// Seconds.
    Time(i64),
    Ip(Ipv4Addr),
    /// `192.0.2.1/24`, host bits kept.
    Prefix(Ipv4Addr, u8),
    /// A row of a menu.
    Id(u32),
    List(Vec<Value>),
}

impl Value {
    pub(super) fn str(s: impl Into<String>) -> Self {
        Self::Str(s.into())
    }

    /// The type that a bare word has by its look.
    pub(super) fn of_word(word: &str) -> Self {
        match word {
            "yes" | "true" => return Self::Bool(true),
            "no" | "false" => return Self::Bool(false),
            _ => {}
        }
        if let Ok(n) = word.parse() {
            return Self::Num(n);
        }
        if let Ok(a) = word.parse() {
            return Self::Ip(a);
        }
        if let Some((a, p)) = prefix(word) {
            return Self::Prefix(a, p);
        }
        time(word).map_or_else(|| Self::str(word), Self::Time)
    }

    /// What `:typeof` says.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "bool",
            Self::Num(_) => "num",
            Self::Str(_) => "str",
            Self::Time(_) => "time",
            Self::Ip(_) => "ip",
            Self::Prefix(..) => "ip-prefix",
            Self::Id(_) => "id",
            Self::List(_) => "array",
        }
    }

    /// A condition must be a truth value; nil is neither true nor false, anything else stops the
    /// script.
    pub(super) fn truth(&self) -> Result<Option<bool>, String> {
        match self {
            Self::Bool(b) => Ok(Some(*b)),
            Self::Nil => Ok(None),
            _ => Err("conditional not boolean".into()),
        }
    }

    pub(super) fn is_nil(&self) -> bool {
        *self == Self::Nil
    }

    pub(super) fn items(self) -> Vec<Value> {
        match self {
            Self::Nil => Vec::new(),
            Self::List(items) => items,
            one => vec![one],
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => Ok(()),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Num(n) => write!(f, "{n}"),
            Self::Str(s) => f.write_str(s),
            Self::Time(t) => write!(f, "{:02}:{:02}:{:02}", t / 3600, t / 60 % 60, t % 60),
            Self::Ip(a) => write!(f, "{a}"),
            Self::Prefix(a, p) => write!(f, "{a}/{p}"),
            Self::Id(n) => write!(f, "*{n:X}"),
            Self::List(items) => {
                let texts: Vec<String> = items.iter().map(ToString::to_string).collect();
                f.write_str(&texts.join(";"))
            }
        }
    }
}

/// `a.b.c.d/n`.
pub(super) fn prefix(s: &str) -> Option<(Ipv4Addr, u8)> {
    let (address, length) = s.split_once('/')?;
    Some((address.parse().ok()?, length.parse().ok().filter(|n| *n <= 32)?))
}

/// Whether an address is in a network.
pub(super) fn inside(address: Ipv4Addr, network: Ipv4Addr, length: u8) -> bool {
    let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
    u32::from(address) & mask == u32::from(network) & mask
}

/// `a.b.c.d/n` or the same of IPv6.
pub(super) fn is_any_prefix(s: &str) -> bool {
    s.split_once('/').is_some_and(|(a, n)| match (a.parse::<IpAddr>(), n.parse::<u8>()) {
        (Ok(IpAddr::V4(_)), Ok(n)) => n <= 32,
        (Ok(IpAddr::V6(_)), Ok(n)) => n <= 128,
        _ => false,
    })
}

/// `25s`, `2m`, `1m33s`, `00:00:25`.
pub(super) fn time(s: &str) -> Option<i64> {
    if let [h, m, s] = s.split(':').collect::<Vec<_>>()[..] {
        return Some(h.parse::<i64>().ok()? * 3600 + m.parse::<i64>().ok()? * 60 + s.parse::<i64>().ok()?);
    }
    let (mut total, mut number, mut any) = (0, String::new(), false);
    for c in s.chars() {
        let unit = match c {
            '0'..='9' => {
                number.push(c);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86400,
            _ => return None,
        };
        total += number.parse::<i64>().ok()? * unit;
        number.clear();
        any = true;
    }
    (any && number.is_empty()).then_some(total)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Or,
    And,
    Equal,
    Differs,
    Less,
    Greater,
    In,
    Matches,
    NotMatches,
    Concat,
    Plus,
    Minus,
    ShiftLeft,
    BitAnd,
}

/// An operator between two values; `and` and `or` are not short-circuit, which is the worse case.
pub(super) fn apply(op: Op, a: &Value, b: &Value) -> Result<Value, String> {
    use Value::{Bool, Ip, Num, Time};
    let mismatch = || format!("cannot apply {op:?} to {} and {}", a.type_name(), b.type_name());
    let both = |f: fn(bool, bool) -> bool| -> Result<Value, String> {
        Ok(a.truth()?.zip(b.truth()?).map_or(Value::Nil, |(x, y)| Bool(f(x, y))))
    };
    let compares = matches!(op, Op::Equal | Op::Differs | Op::Less | Op::Greater | Op::Matches | Op::In);
    Ok(match (op, a, b) {
        (Op::Or, _, _) => both(|x, y| x | y)?,
        (Op::And, _, _) => both(|x, y| x & y)?,
        _ if compares && (a.is_nil() || b.is_nil()) => Value::Nil,
        (Op::Concat, Value::Nil, Value::Nil) => Value::Nil,
        (Op::Equal, _, _) => Bool(a == b),
        (Op::Differs, _, _) => Bool(a != b),
        (Op::Less, Num(x), Num(y)) | (Op::Less, Time(x), Time(y)) => Bool(x < y),
        (Op::Greater, Num(x), Num(y)) | (Op::Greater, Time(x), Time(y)) => Bool(x > y),
        (Op::Matches, _, Value::Str(pattern)) => Bool(matches(&a.to_string(), pattern)?),
        (Op::In, Ip(x), Value::Prefix(network, length)) => Bool(inside(*x, *network, *length)),
        (Op::NotMatches, _, _) => return Err("cannot invert string".into()),
        (Op::Concat, _, _) => Value::str(format!("{a}{b}")),
        (Op::Plus, Num(x), Num(y)) => Num(x + y),
        (Op::Plus, Time(x), Time(y)) => Time(x + y),
        (Op::Minus, Num(x), Num(y)) => Num(x - y),
        (Op::Minus, Time(x), Time(y)) => Time(x - y),
        (Op::ShiftLeft, Ip(x), Num(y)) => {
            Ip(Ipv4Addr::from(u32::try_from((u64::from(u32::from(*x)) << y) & 0xffff_ffff).unwrap_or(0)))
        }
        (Op::BitAnd, Ip(x), Ip(y)) => Ip(Ipv4Addr::from(u32::from(*x) & u32::from(*y))),
        _ => return Err(mismatch()),
    })
}

/// The two kinds of pattern that we write: `^literal` and `literal`.
fn matches(text: &str, pattern: &str) -> Result<bool, String> {
    let (anchored, literal) = pattern.strip_prefix('^').map_or((false, pattern), |p| (true, p));
    if literal.contains(['.', '*', '+', '?', '(', '[', '\\', '|', '$', '^']) {
        return Err(format!("pattern not modelled: {pattern}"));
    }
    Ok(if anchored { text.starts_with(literal) } else { text.contains(literal) })
}
