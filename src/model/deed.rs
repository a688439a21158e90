//! Who does something, and the record of what was done.

use jiff::Timestamp;

/// The person or program behind a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// User number; behind sudo or doas that of the person, not root's.
    pub uid: u32,
    /// User name, or the number as text where it has none.
    pub user: String,
    /// Names of the groups the user is in, sorted.
    pub groups: Vec<String>,
    /// How the call came to be root: `sudo` or `doas`; `None` if it was made directly.
    pub via: Option<&'static str>,
}

impl Caller {
    /// Root itself, as cron and units call.
    pub fn root() -> Self {
        Self { uid: 0, user: "root".to_owned(), groups: vec!["root".to_owned()], via: None }
    }

    /// Whether this is root without anybody behind it.
    pub fn is_root(&self) -> bool {
        self.uid == 0 && self.via.is_none()
    }
}

/// How a recorded call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was carried out.
    Done,
    /// It was refused for want of a permission.
    Denied,
}

impl Ending {
    /// The word in the store and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Denied => "denied",
        }
    }
}

/// A call that changed something or showed a key, or tried to. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// When, in whole seconds.
    pub at: Timestamp,
    /// Who.
    pub caller: Caller,
    /// The command in words: `location add`.
    pub action: &'static str,
    /// The location it was about, where it was about one.
    pub location: Option<String>,
    /// The organization of that location at the time.
    pub org: Option<String>,
    /// How it ended.
    pub ending: Ending,
}
