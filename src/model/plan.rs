//! The difference between what the store wants and what the interface has, as data.
//!
//! `up`, `sync` and their dry runs all show and apply the same [`Plan`], so what is printed is
//! what is done. Peers that already are as wanted are not part of it: their sessions survive.

use super::{LiveInterface, PresharedKey, PublicKey};
use ipnet::{IpNet, Ipv4Net};
use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// A peer that the store wants on the interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedPeer {
    /// The peer's public key.
    pub public_key: PublicKey,
    /// Its own address, allowed as a `/32`; `None` for a next key, which may shake hands and no more.
    pub vpn_ip: Option<Ipv4Addr>,
    /// What else it may speak for: empty but for peers that were adopted with more, and the next
    /// address of one that is being moved.
    pub wider: Vec<IpNet>,
    /// Whether it has a preshared key. The key itself is in the [`Extras`] of whoever sets the peer.
    pub preshared: bool,
}

impl WantedPeer {
    /// A peer that speaks for itself only.
    pub fn new(public_key: PublicKey, vpn_ip: Ipv4Addr) -> Self {
        Self { public_key, vpn_ip: Some(vpn_ip), wider: Vec::new(), preshared: false }
    }

    /// A next key, which may speak for nobody yet.
    pub fn pending(public_key: PublicKey, preshared: bool) -> Self {
        Self { public_key, vpn_ip: None, wider: Vec::new(), preshared }
    }

    /// All its allowed IPs, its own address first.
    pub fn allowed_ips(&self) -> impl Iterator<Item = IpNet> {
        let own = self.vpn_ip.map(|ip| IpNet::from(IpAddr::V4(ip)));
        own.into_iter().chain(self.wider.iter().copied())
    }

    /// Whether these are its allowed IPs, in whatever order.
    pub fn has_exactly(&self, allowed: &[IpNet]) -> bool {
        allowed.len() == usize::from(self.vpn_ip.is_some()) + self.wider.len()
            && self.allowed_ips().all(|net| allowed.contains(&net))
    }
}

/// What else is said of a peer besides its allowed IPs, by us a preshared key, by a hub that was
/// there before us more: it stands in the conf, and a peer that is set anew on the interface needs
/// it to be heard.
#[derive(Default)]
pub struct PeerExtras {
    /// Without it the peer's handshakes fail.
    pub preshared_key: Option<PresharedKey>,
    /// Where the hub dials the peer.
    pub endpoint: Option<SocketAddr>,
    /// Persistent keepalive in seconds.
    pub keepalive: Option<u16>,
}

impl PeerExtras {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.preshared_key.is_none() && self.endpoint.is_none() && self.keepalive.is_none()
    }
}

/// The peers of which something more is said.
pub type Extras = HashMap<PublicKey, PeerExtras>;

/// Everything that the store wants of the interface.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The hub's public key.
    pub public_key: PublicKey,
    /// UDP port to listen on.
    pub listen_port: u16,
    /// The hub's address with the network's prefix length.
    pub address: Ipv4Net,
    /// All enabled peers.
    pub peers: Vec<WantedPeer>,
    /// Keys that were once in the store and must not be on the interface any more.
    pub retired: HashSet<PublicKey>,
}

/// The smallest change that makes the interface as wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The interface does not exist.
    pub create: bool,
    /// The hub's private key must be set.
    pub set_key: bool,
    /// The port must be set to this.
    pub set_port: Option<u16>,
    /// This address must be added.
    pub add_address: Option<Ipv4Net>,
    /// The link must be set up.
    pub bring_up: bool,
    /// Peers to add, or whose allowed IPs must become exactly these.
    pub set_peers: Vec<WantedPeer>,
    /// Peers to take off.
    pub remove_peers: Vec<PublicKey>,
    /// Peers on the interface that the store never knew; left alone.
    pub foreign: Vec<PublicKey>,
}

impl Plan {
    /// The peers to take off before any is set: those that are set anew. All others go after, so
    /// that an allowed IP moves from one peer to the next and is never nobody's.
    pub fn remove_first(&self) -> impl Iterator<Item = &PublicKey> {
        self.removed(true)
    }

    /// The peers to take off once all are set.
    pub fn remove_last(&self) -> impl Iterator<Item = &PublicKey> {
        self.removed(false)
    }

    fn removed(&self, set_anew: bool) -> impl Iterator<Item = &PublicKey> {
        // Many are removed or many are set, hardly ever both.
        let set: HashSet<&PublicKey> = if self.remove_peers.is_empty() {
            HashSet::new()
        } else {
            self.set_peers.iter().map(|p| &p.public_key).collect()
        };
        self.remove_peers.iter().filter(move |key| set.contains(key) == set_anew)
    }

    /// Whether the interface already is as wanted (foreign peers do not count).
    pub fn is_empty(&self) -> bool {
        !(self.create || self.set_key || self.bring_up)
            && self.set_port.is_none()
            && self.add_address.is_none()
            && self.set_peers.is_empty()
            && self.remove_peers.is_empty()
    }
}

/// Compares the interface itself, without its peers.
pub fn diff_interface(wanted: &Wanted, live: &LiveInterface) -> Plan {
    Plan {
        set_key: live.public_key != Some(wanted.public_key),
        set_port: (live.listen_port != Some(wanted.listen_port)).then_some(wanted.listen_port),
        add_address: (!live.addresses.contains(&wanted.address)).then_some(wanted.address),
        bring_up: !live.up,
        ..Plan::default()
    }
}

/// Compares what is wanted with what is there; `None` means there is no interface.
/// Linear in the number of peers.
pub fn diff(wanted: &Wanted, live: Option<&LiveInterface>) -> Plan {
    let Some(live) = live else {
        return Plan {
            create: true,
            set_key: true,
            set_port: Some(wanted.listen_port),
            add_address: Some(wanted.address),
            bring_up: true,
            set_peers: wanted.peers.clone(),
            ..Plan::default()
        };
    };
    let mut plan = diff_interface(wanted, live);
    let present: HashMap<&PublicKey, &[IpNet]> =
        live.peers.iter().map(|p| (&p.public_key, p.allowed_ips.as_slice())).collect();
    let mut wanted_keys = HashSet::with_capacity(wanted.peers.len());
    for peer in &wanted.peers {
        wanted_keys.insert(peer.public_key);
        if !present.get(&peer.public_key).is_some_and(|allowed| peer.has_exactly(allowed)) {
            plan.set_peers.push(peer.clone());
        }
    }
    for peer in &live.peers {
        if wanted.retired.contains(&peer.public_key) && !wanted_keys.contains(&peer.public_key) {
            plan.remove_peers.push(peer.public_key);
        } else if !wanted_keys.contains(&peer.public_key) {
            plan.foreign.push(peer.public_key);
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LivePeer;

    fn key(n: u8) -> PublicKey {
        PublicKey::from_bytes([n; 32])
    }

    fn peer(n: u8) -> WantedPeer {
        WantedPeer::new(key(n), Ipv4Addr::new(10, 0, 0, n))
    }

    fn live_peer(n: u8, allowed: &[&str]) -> LivePeer {
        LivePeer {
            public_key: key(n),
            allowed_ips: allowed.iter().map(|a| a.parse().expect("net")).collect(),
            endpoint: None,
            last_handshake: None,
            rx_bytes: 0,
            tx_bytes: 0,
        }
    }

    fn wanted(peers: &[u8], retired: &[u8]) -> Wanted {
        Wanted {
            public_key: key(200),
            listen_port: 51820,
            address: "10.0.0.1/24".parse().expect("net"),
            peers: peers.iter().map(|n| peer(*n)).collect(),
            retired: retired.iter().map(|n| key(*n)).collect(),
        }
    }

    fn live(peers: Vec<LivePeer>) -> LiveInterface {
        LiveInterface {
            userspace: false,
            up: true,
            public_key: Some(key(200)),
            listen_port: Some(51820),
            addresses: vec!["10.0.0.1/24".parse().expect("net")],
            age_seconds: None,
            peers,
        }
    }

    #[test]
    fn what_is_as_wanted_is_left_alone() {
        let plan = diff(
            &wanted(&[2, 3], &[]),
            Some(&live(vec![live_peer(2, &["10.0.0.2/32"]), live_peer(3, &["10.0.0.3/32"])])),
        );
        assert!(plan.is_empty());
    }

    #[test]
    fn a_missing_interface_is_made_whole() {
        let plan = diff(&wanted(&[2], &[]), None);
        assert!(plan.create && plan.set_key && plan.bring_up);
        assert_eq!(plan.set_peers, [peer(2)]);
    }

    #[test]
    fn only_the_peers_that_differ_are_touched() {
        let there = vec![
            live_peer(2, &["10.0.0.2/32"]),
            live_peer(3, &[]),
            live_peer(4, &["10.0.0.4/32", "10.0.0.0/24"]),
            live_peer(8, &["10.0.0.8/32"]),
            live_peer(9, &["10.0.0.9/32"]),
        ];
        let plan = diff(&wanted(&[2, 3, 4, 5], &[8]), Some(&live(there)));
        assert_eq!(plan.set_peers, [peer(3), peer(4), peer(5)]);
        assert_eq!(plan.remove_peers, [key(8)]);
        assert_eq!(plan.foreign, [key(9)]);
        assert!(!plan.set_key && !plan.bring_up && plan.set_port.is_none() && plan.add_address.is_none());
    }

    #[test]
    fn an_adopted_peer_keeps_what_it_had_in_any_order() {
        let mut w = wanted(&[2], &[]);
        w.peers[0].wider = vec!["192.168.7.0/24".parse().expect("net")];
        let there = |allowed: &[&str]| diff(&w, Some(&live(vec![live_peer(2, allowed)])));
        assert!(there(&["192.168.7.0/24", "10.0.0.2/32"]).is_empty());
        assert_eq!(there(&["10.0.0.2/32"]).set_peers, w.peers);
        assert_eq!(there(&["10.0.0.2/32", "192.168.7.0/24", "0.0.0.0/0"]).set_peers, w.peers);
    }

    #[test]
    fn a_key_that_came_back_is_not_removed() {
        let plan = diff(&wanted(&[2], &[2]), Some(&live(vec![live_peer(2, &["10.0.0.2/32"])])));
        assert!(plan.is_empty());
    }
}
