//! `hub.backend`: who carries the interface.

use crate::model::Invalid;
use std::{fmt, str::FromStr};

/// Who carries the interface, as the settings say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// The kernel, else a program in userspace.
    Auto,
    /// The kernel only.
    Kernel,
    /// A program in userspace only.
    Userspace,
    /// No interface at all: store, conf and scripts only.
    None,
}

impl Backend {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Kernel, Self::Userspace, Self::None];

    /// The word used in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Kernel => "kernel",
            Self::Userspace => "userspace",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Backend {
    type Err = Invalid;

    fn from_str(s: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|b| b.as_str() == s).ok_or_else(|| Invalid {
            what: "backend",
            value: s.to_owned(),
            reason: "is not a backend".into(),
            hint: "use auto, kernel, userspace or none".into(),
        })
    }
}
