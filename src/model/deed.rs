//! Who does something, and the record of what was done.

use super::Permission;
use jiff::Timestamp;
use std::path::PathBuf;

/// The number of a user that is none.
const NOBODY_KNOWN: u32 = u32::MAX;

/// The person or program behind a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// User number; behind sudo or doas that of the person, not root's.
    pub uid: u32,
    /// User name, or the number as text where it has none.
    pub user: String,
    /// Names of the groups the user is in, sorted.
    pub groups: Vec<String>,
    /// Their numbers, the user's own group first: for doing things with the user's rights.
    pub gids: Vec<u32>,
    /// How the call came to be root: `sudo`, `doas` or `pkexec`; `None` if it was made directly.
    pub via: Option<&'static str>,
}

impl Caller {
    /// Root itself, as cron and units call.
    pub fn root() -> Self {
        Self { uid: 0, user: "root".to_owned(), groups: vec!["root".to_owned()], gids: vec![0], via: None }
    }

    /// Somebody who cannot be told: no grant fits them.
    pub fn unknown(said: &str, via: Option<&'static str>) -> Self {
        let user = said.chars().filter(|c| !c.is_control()).take(64).collect();
        Self { uid: NOBODY_KNOWN, user, groups: Vec::new(), gids: vec![NOBODY_KNOWN - 1], via }
    }

    /// Whether this is root without anybody behind it; a root shell's own sudo counts as that.
    pub fn is_root(&self) -> bool {
        self.uid == 0
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
    /// Socket that a copy goes to once the record is durable.
    pub copy_to: Option<PathBuf>,
}

/// A record as it stands in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its place in the chain, from 1.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// User number of who did it.
    pub uid: u32,
    /// User name at the time.
    pub user: String,
    /// `sudo` or the like, if it came so.
    pub via: Option<String>,
    /// The command in words.
    pub action: String,
    /// The location.
    pub location: Option<String>,
    /// Its organization at the time.
    pub org: Option<String>,
    /// `done` or `denied`.
    pub ending: String,
}

/// Where a chain of records ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainEnd {
    /// How many records there are.
    pub seq: i64,
    /// Hash of the last one in hexadecimal digits; of a chain without records, zeros.
    pub hash: String,
}

/// A right within reach, or not, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The right.
    pub permission: Permission,
    /// On which part of the fleet; `None` if on nothing.
    pub scope: Option<super::Scope>,
    /// The reason in words.
    pub because: String,
}
