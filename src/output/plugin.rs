//! The answer of a monitoring plugin: one line with a status, what is behind it, and numbers.

use crate::model::text::steers_a_terminal;
use serde::Serialize;
use std::fmt::Write as _;

/// How bad it is; the exit code is the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing to do.
    Ok = 0,
    /// Somebody should look.
    Warning = 1,
    /// Somebody must look.
    Critical = 2,
    /// It could not be found out.
    Unknown = 3,
}

impl Level {
    /// The word before the text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// A number for the graphs, with its limits where it has some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Number {
    /// Its name: `offline`, `heartbeat_age`.
    pub label: &'static str,
    /// The number; `None` where there is none now.
    pub value: Option<u64>,
    /// `s`, `%` or nothing.
    pub unit: &'static str,
    /// From here on it is a warning.
    pub warning: Option<u64>,
    /// From here on it is critical.
    pub critical: Option<u64>,
    /// The greatest that it can be.
    pub max: Option<u64>,
}

/// `check`.
#[derive(Debug, Serialize)]
pub struct CheckAnswer<'a> {
    /// `OK`, `WARNING` or `CRITICAL`.
    pub status: &'static str,
    /// The exit code.
    pub exit: u8,
    /// What is behind it.
    pub message: &'a str,
    /// The numbers with their limits.
    pub numbers: &'a [Number],
}

/// The whole answer.
#[derive(Debug)]
pub struct Answer {
    /// The worst of everything.
    pub level: Level,
    /// What is behind it, on one line.
    pub text: String,
    /// The numbers.
    pub numbers: Vec<Number>,
}

impl Answer {
    /// The line that monitoring systems read, with its end.
    pub fn line(&self) -> String {
        // A bar begins the numbers, whoever wrote it.
        let text: String =
            self.text.chars().map(|c| if c == '|' || steers_a_terminal(c) { ' ' } else { c }).collect();
        let mut line = format!("IWAS-WG {}: {text}", self.level.as_str());
        for (i, n) in self.numbers.iter().enumerate() {
            let show = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
            // Unknown to all of them is written U, without a unit.
            let value = n.value.map_or_else(|| "U".to_owned(), |v| format!("{v}{}", n.unit));
            let before = if i == 0 { " | " } else { " " };
            let _ = write!(
                line,
                "{before}{}={value};{};{};0;{}",
                n.label,
                show(n.warning),
                show(n.critical),
                show(n.max)
            );
        }
        line + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_as_monitoring_plugins_write_it() {
        let number = |label, value, unit, warning, critical, max| Number {
            label,
            value,
            unit,
            warning,
            critical,
            max,
        };
        let answer = Answer {
            level: Level::Warning,
            text: "1 of 3 sites is offline (a|b)\n".into(),
            numbers: vec![
                number("offline", Some(1), "", Some(1), None, Some(3)),
                number("heartbeat_age", Some(60), "s", Some(600), Some(1800), None),
                number("handshake_age", None, "s", None, None, None),
            ],
        };
        assert_eq!(
            answer.line(),
            "IWAS-WG WARNING: 1 of 3 sites is offline (a b)  | offline=1;1;;0;3 heartbeat_age=60s;600;1800;0; handshake_age=U;;;0;\n"
        );
    }
}
