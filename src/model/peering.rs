//! What is said of a peer besides its key and its allowed IPs, and how it is compared.
//!
//! A preshared key is compared by its digest: neither the store nor a reading of the interface
//! holds the key in clear for that.

use super::{LivePeer, PresharedKey};
use sha2::{Digest as _, Sha256};
use std::{fmt, net::SocketAddr};

/// The SHA-256 of a preshared key. The key is 32 random bytes, so the digest tells nothing of it.
#[derive(Clone, Copy, Eq)]
pub struct PresharedDigest([u8; 32]);

impl PresharedDigest {
    /// The digest as it was kept.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest of these bytes of a key; all zero is how `WireGuard` says that there is none.
    pub fn of(key: &[u8; 32]) -> Option<Self> {
        (*key != [0; 32]).then(|| Self(Sha256::digest(key).into()))
    }

    /// The bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for PresharedDigest {
    fn eq(&self, other: &Self) -> bool {
        // The time that it takes tells nothing of where they differ.
        self.0.iter().zip(&other.0).fold(0, |all, (a, b)| all | (a ^ b)) == 0
    }
}

impl fmt::Debug for PresharedDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresharedDigest")
    }
}

impl PresharedKey {
    /// What it is compared by; none for the key that means none.
    pub fn digest(&self) -> Option<PresharedDigest> {
        PresharedDigest::of(self.expose_bytes())
    }
}

/// Which preshared key a peer has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Preshared {
    /// It was not recorded: the peer comes from a store of an older version.
    #[default]
    Unknown,
    /// None, and none may be there.
    None,
    /// The one with this digest.
    Key(PresharedDigest),
}

impl Preshared {
    /// From the digest of the key that a peer has, if it has one.
    pub fn of(digest: Option<PresharedDigest>) -> Self {
        digest.map_or(Self::None, Self::Key)
    }

    /// Whether this is the key that is there.
    pub fn is(self, there: Option<PresharedDigest>) -> bool {
        match self {
            Self::Unknown => true,
            Self::None => there.is_none(),
            Self::Key(digest) => there == Some(digest),
        }
    }
}

/// What is said of a peer besides its key and its allowed IPs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerSettings {
    /// Its preshared key.
    pub preshared: Preshared,
    /// Persistent keepalive in seconds, 0 for off; `None` where it was neither set nor adopted.
    pub keepalive: Option<u16>,
    /// Where the hub dials it, as the conf says it: an address or a name, with a port.
    pub endpoint: Option<String>,
}

impl PeerSettings {
    /// The endpoint, where it is an address.
    pub fn address(&self) -> Option<SocketAddr> {
        self.endpoint.as_deref().and_then(|e| e.parse().ok())
    }

    /// Whether a peer on the interface is so. A peer that has shaken hands is where it spoke from
    /// last, which is no difference.
    pub fn are_met_by(&self, live: &LivePeer) -> bool {
        self.preshared.is(live.preshared)
            && self.keepalive.is_none_or(|seconds| seconds == live.keepalive)
            && !self.is_to_be_dialled(live)
    }

    /// Whether the endpoint has to be set: it is another, and not because the peer roams.
    pub fn is_to_be_dialled(&self, live: &LivePeer) -> bool {
        live.last_handshake.is_none() && self.address().is_some_and(|at| live.endpoint != Some(at))
    }
}
