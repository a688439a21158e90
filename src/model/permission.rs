//! Rights, the roles that bundle them, and the rules that give roles to people.

use super::{Invalid, Org};
use std::{collections::BTreeSet, path::PathBuf, str::FromStr};

/// A right that a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// See locations, states and history.
    LocationRead,
    /// Add, change and remove locations.
    LocationWrite,
    /// Provision, rotate, disable and reset peers.
    PeerWrite,
    /// See private and preshared keys, scripts included.
    RouterScript,
    /// The hub itself: init, up, down, sync, restore, settings, prune.
    HubAdmin,
    /// Read the record of deeds.
    AuditRead,
}

impl Permission {
    /// All of them, as roles list them.
    pub const ALL: [Self; 6] = [
        Self::LocationRead,
        Self::LocationWrite,
        Self::PeerWrite,
        Self::RouterScript,
        Self::HubAdmin,
        Self::AuditRead,
    ];

    /// The name in settings, messages and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LocationRead => "net:location:read",
            Self::LocationWrite => "net:location:write",
            Self::PeerWrite => "net:peer:write",
            Self::RouterScript => "net:router:script",
            Self::HubAdmin => "net:hub:admin",
            Self::AuditRead => "net:audit:read",
        }
    }
}

impl FromStr for Permission {
    type Err = Invalid;

    fn from_str(s: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|p| p.as_str() == s).ok_or_else(|| {
            let all = Self::ALL.map(Self::as_str).join(", ");
            Invalid::new("permission", s, "is not a permission", format!("use {all}"))
        })
    }
}

/// The roles that are there without being written down.
pub const BUILT_IN: [(&str, &[Permission]); 4] = [
    ("admin", &Permission::ALL),
    (
        "org-admin",
        &[
            Permission::LocationRead,
            Permission::LocationWrite,
            Permission::PeerWrite,
            Permission::RouterScript,
            Permission::AuditRead,
        ],
    ),
    ("location-manager", &[Permission::LocationRead, Permission::LocationWrite, Permission::PeerWrite]),
    ("viewer", &[Permission::LocationRead]),
];

/// Whom a grant is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grantee {
    /// One user, by name.
    User(String),
    /// Every member of a group, by name.
    Group(String),
}

/// A role given to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// To whom.
    pub to: Grantee,
    /// The role's name.
    pub role: String,
    /// What the role permits.
    pub permissions: BTreeSet<Permission>,
    /// On this organization's locations only; `None` for all, the hub included.
    pub org: Option<Org>,
}

/// `[access]` of the settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Whether only grants count. Without it everybody who gets as far as running the program may
    /// do everything, which is what the files' own permissions and sudoers decide.
    pub closed: bool,
    /// All grants, in the order of the file.
    pub grants: Vec<Grant>,
    /// Socket that a copy of every record goes to.
    pub syslog: Option<PathBuf>,
}
