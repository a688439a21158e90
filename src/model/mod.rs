//! The domain: pure values and functions.
//!
//! This room knows what a location, a key, a pool of addresses and a plan *are*.
//! It must not know files, clocks, randomness, SQL, netlink or the terminal, so
//! everything in it can be tested by calling it.

pub mod clash;
pub mod clock;
pub mod deed;
pub mod endpoint;
pub mod expiry;
pub mod health;
pub mod history;
pub mod interface;
pub mod key;
pub mod link;
pub mod location;
pub mod name;
pub mod net;
pub mod peering;
pub mod permission;
pub mod plan;
pub mod record;
pub mod router;
pub mod scope;
pub mod setback;
pub mod text;
pub mod time;
pub mod upkeep;

pub use clash::{Clash, clashes};
pub use clock::{Boot, ClockMemory, ClockReading, Verdict};
pub use deed::{Caller, Deed, Ending};
pub use endpoint::Endpoint;
pub use health::{Counts, Reading, State};
pub use interface::{InterfaceName, LiveInterface, LivePeer};
pub use key::{PresharedKey, PrivateKey, PublicKey};
pub use link::{LinkSettings, Route, Table};
pub use location::{KeyMode, Location, Move, Rotation, Tags};
pub use name::{Description, LocationName, NewOrg, Org, check_distinct};
pub use net::{Pool, Refusal, Reserved, held_inside};
pub use peering::{PeerSettings, Preshared, PresharedDigest};
pub use permission::{Grant, Grantee, Permission, Rules};
pub use record::Record;
pub use router::{RouterFor, RouterOptions, RouterOverrides};
pub use scope::Scope;

/// How much of a wrong value is shown, in characters.
const VALUE_SHOWN: usize = 100;

/// A value that cannot be right, whatever the state of the hub.
///
/// Printed as `WHAT "VALUE" REASON`; `hint` says what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {value:?} {reason}")]
pub struct Invalid {
    /// The kind of value, as the user knows it: `location name`, `network`, …
    pub what: &'static str,
    /// The value as given, or its beginning.
    pub value: String,
    /// Why it cannot be right, a lower-case fragment.
    pub reason: String,
    /// What would be right.
    pub hint: String,
}

impl Invalid {
    pub(crate) fn new(
        what: &'static str,
        value: impl Into<String>,
        reason: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let mut value = value.into();
        if let Some((end, _)) = value.char_indices().nth(VALUE_SHOWN) {
            value.truncate(end);
            value.push('…');
        }
        Self { what, value, reason: reason.into(), hint: hint.into() }
    }
}
