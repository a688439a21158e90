//! The limits of `check`: lengths of time, numbers and shares.

use crate::model::time::parse_seconds;
use std::{fmt, str::FromStr};

/// A length of time: whole seconds, or a span such as `5m` or `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seconds(pub(super) u64);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let seconds = parse_seconds("length", s).map_err(|e| e.hint)?;
        Ok(Self(seconds.unsigned_abs()))
    }
}

/// How many are too many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Limit {
    /// This many.
    Count(u64),
    /// This share of all, in percent.
    Share(f64),
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let limit = match s.strip_suffix('%') {
            Some(share) => {
                share.parse().ok().filter(|p| (0.0..=100.0).contains(p) && *p > 0.0).map(Self::Share)
            }
            None => s.parse().ok().filter(|n| *n > 0).map(Self::Count),
        };
        limit.ok_or_else(|| "write a number from 1, or a share such as 5%".into())
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(n) => write!(f, "{n}"),
            Self::Share(p) => write!(f, "{p}%"),
        }
    }
}

impl Limit {
    /// Whether it is above another one of the same kind; a number and a share cannot be compared.
    pub(super) fn is_above(self, other: Self) -> bool {
        match (self, other) {
            (Self::Count(a), Self::Count(b)) => a > b,
            (Self::Share(a), Self::Share(b)) => a > b,
            _ => false,
        }
    }

    /// The number from which on it is reached, of this many in all.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a number of sites or addresses, which is small and positive"
    )]
    pub(super) fn of(self, all: u64) -> u64 {
        match self {
            Self::Count(n) => n,
            // One is the least that can be too many.
            Self::Share(p) => ((p * all as f64 / 100.0).ceil() as u64).max(1),
        }
    }

    /// Whether `n` of `all` are too many.
    pub(super) fn is_reached(self, n: u64, all: u64) -> bool {
        n >= self.of(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_reached_from_it_on_and_by_nobody_never() {
        let limit = |s: &str| s.parse::<Limit>().expect(s);
        assert_eq!((limit("5%").of(100), limit("5%").of(101), limit("5%").of(3)), (5, 6, 1));
        assert!(limit("5%").is_reached(5, 100) && !limit("5%").is_reached(4, 100));
        assert!(!limit("5%").is_reached(0, 0) && !limit("1").is_reached(0, 10));
        assert!(limit("100%").is_reached(254, 254) && !limit("100%").is_reached(253, 254));
        for bad in ["", "0", "-1", "0%", "101%", "%", "NaN%", "5 %", "many"] {
            assert!(bad.parse::<Limit>().is_err(), "{bad}");
        }
    }

    #[test]
    fn lengths_are_seconds_or_spans() {
        let seconds = |s: &str| s.parse::<Seconds>().map(|s| s.0);
        assert_eq!((seconds("90"), seconds("5m"), seconds("7d")), (Ok(90), Ok(300), Ok(604_800)));
        for bad in ["", "0", "-5", "soon", "-5m"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
