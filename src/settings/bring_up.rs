//! `hub.bring_up`: who makes the interface and takes it away.

use crate::model::Invalid;
use std::{fmt, str::FromStr};

/// Who makes the interface and takes it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BringUp {
    /// This program, as the conf says: addresses, MTU, firewall mark, port and routes.
    #[default]
    Itself,
    /// wg-quick(8), with its hooks; then this program makes the rest equal to the store.
    WgQuick,
}

impl BringUp {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Itself, Self::WgQuick];

    /// The word used in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Itself => "self",
            Self::WgQuick => "wg-quick",
        }
    }
}

impl fmt::Display for BringUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for BringUp {
    type Err = Invalid;

    fn from_str(s: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|b| b.as_str() == s).ok_or_else(|| Invalid {
            what: "hub.bring_up",
            value: s.to_owned(),
            reason: "is not a way to bring the interface up".into(),
            hint: "use self or wg-quick".into(),
        })
    }
}
