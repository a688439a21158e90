//! What is seen on a `WireGuard` interface at one moment.

use super::{Invalid, PresharedDigest, PublicKey};
use ipnet::IpNet;
use jiff::Timestamp;
use std::{fmt, net::SocketAddr, str::FromStr};

/// Name of a network interface as the kernel and wg-quick(8) take it: 1 to 15 of
/// `a-z A-Z 0-9 _ = + . -`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceName(String);

impl InterfaceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InterfaceName {
    type Err = Invalid;

    fn from_str(s: &str) -> Result<Self, Invalid> {
        let fits = (1..=15).contains(&s.len())
            && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"_=+.-".contains(&b))
            // The kernel gives the last three a meaning of their own.
            && !matches!(s, "." | ".." | "lo" | "all" | "default");
        if fits {
            return Ok(Self(s.to_owned()));
        }
        Err(Invalid::new(
            "interface name",
            s,
            "is not the name of a network interface",
            "use 1 to 15 letters, digits or _ = + . - such as \"wg0\"",
        ))
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One peer as the interface shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePeer {
    /// The peer's public key.
    pub public_key: PublicKey,
    /// Source addresses accepted from it.
    pub allowed_ips: Vec<IpNet>,
    /// The digest of its preshared key, if it has one.
    pub preshared: Option<PresharedDigest>,
    /// Persistent keepalive in seconds; 0 is off.
    pub keepalive: u16,
    /// Where its last packet came from, or where it was said to be.
    pub endpoint: Option<SocketAddr>,
    /// When the last handshake was completed; `None` if there never was one.
    pub last_handshake: Option<Timestamp>,
    /// Bytes received from it.
    pub rx_bytes: u64,
    /// Bytes sent to it.
    pub tx_bytes: u64,
}

impl LivePeer {
    /// A peer of which nothing else is known.
    pub const fn new(public_key: PublicKey) -> Self {
        Self {
            public_key,
            allowed_ips: Vec::new(),
            preshared: None,
            keepalive: 0,
            endpoint: None,
            last_handshake: None,
            rx_bytes: 0,
            tx_bytes: 0,
        }
    }
}

/// The whole interface at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveInterface {
    /// Whether a program in userspace carries it instead of the kernel.
    pub userspace: bool,
    /// Whether the link is up.
    pub up: bool,
    /// The interface's own public key, if a private key is set.
    pub public_key: Option<PublicKey>,
    /// UDP port it listens on.
    pub listen_port: Option<u16>,
    /// Firewall mark of its own packets; 0 is none.
    pub fwmark: u32,
    /// MTU of the link, in bytes.
    pub mtu: u32,
    /// All its addresses with the prefix length of their network.
    pub addresses: Vec<IpNet>,
    /// For how many seconds it has been there, by the age of its oldest address; `None` where
    /// that cannot be told.
    pub age_seconds: Option<u64>,
    /// All peers, one entry a key.
    pub peers: Vec<LivePeer>,
}

impl LiveInterface {
    /// Whether the interface is that of the hub with this key. One without a key belongs to the
    /// hub if nothing was made of it yet: no handshake can succeed on it, and a crash between the
    /// steps of `up` leaves such a one.
    pub fn is_of(&self, hub: &PublicKey) -> bool {
        match &self.public_key {
            Some(key) => key == hub,
            None => self.peers.is_empty() && self.addresses.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_names_are_those_of_the_kernel() {
        for good in ["wg0", "wireguard-iwas0", "a"] {
            assert_eq!(good.parse::<InterfaceName>().expect(good).as_str(), good);
        }
        for bad in ["", "wg 0", "wg/0", "wireguard-iwas-0", "..", "wg0\n", "wg:0"] {
            assert!(bad.parse::<InterfaceName>().is_err(), "{bad:?} was accepted");
        }
    }
}
