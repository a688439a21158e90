//! The difference between what the store wants and what the interface has, as data.
//!
//! `up`, `sync` and their dry runs all show and apply the same [`Plan`], so what is printed is
//! what is done. Peers that already are as wanted are not part of it: their sessions survive.

use super::{
    LinkSettings, LiveInterface, LivePeer, PeerSettings, Preshared, PresharedKey, PublicKey, Route, Table,
    key::KEY_LEN,
};
use ipnet::IpNet;
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
    /// What else is said of it.
    pub settings: PeerSettings,
    /// Where the peer is dialled, if it is set anew.
    pub dial: Option<SocketAddr>,
    /// Whether a preshared key that is there has to go.
    pub clear_preshared: bool,
}

impl WantedPeer {
    /// A peer that speaks for itself only.
    pub fn new(public_key: PublicKey, vpn_ip: Ipv4Addr) -> Self {
        Self { vpn_ip: Some(vpn_ip), ..Self::pending(public_key, false) }
    }

    /// A next key, which may speak for nobody yet.
    pub fn pending(public_key: PublicKey, preshared: bool) -> Self {
        Self {
            public_key,
            vpn_ip: None,
            wider: Vec::new(),
            preshared,
            settings: PeerSettings::default(),
            dial: None,
            clear_preshared: false,
        }
    }

    /// As it is set where it is not there yet: the hub dials it if it knows where.
    #[must_use]
    pub fn anew(mut self) -> Self {
        self.dial = self.settings.address();
        self
    }

    /// Whether a peer on the interface is as this one is wanted.
    pub fn is_met_by(&self, live: &LivePeer) -> bool {
        self.has_exactly(&live.allowed_ips)
            && self.settings.are_met_by(live)
            // Of a peer from an older store it is known that it has a key, but not which.
            && (!self.preshared || live.preshared.is_some())
    }

    /// The change that makes a peer on the interface so. One that roams is left where it is.
    fn change_of(&self, live: &LivePeer) -> Self {
        let mut change = self.clone();
        change.clear_preshared = self.settings.preshared == Preshared::None && live.preshared.is_some();
        if self.settings.is_to_be_dialled(live) {
            change = change.anew();
        }
        change
    }

    /// What the interface is told of the peer besides its allowed IPs.
    pub fn said<'a>(&self, extras: Option<&'a PeerExtras>) -> Said<'a> {
        let nothing = &[0; KEY_LEN];
        let key = extras.and_then(|e| e.preshared_key.as_ref()).map(PresharedKey::expose_bytes);
        Said {
            preshared: if self.clear_preshared {
                Some(nothing)
            } else {
                key.filter(|_| self.settings.preshared != Preshared::None)
            },
            // Only a peer of an older store has it nowhere but in the conf.
            endpoint: self.dial.or_else(|| {
                let old = self.settings.preshared == Preshared::Unknown;
                extras.filter(|_| old).and_then(|e| e.endpoint.as_deref()?.parse().ok())
            }),
            keepalive: self.settings.keepalive.or(extras.and_then(|e| e.keepalive)),
        }
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
    /// Where the hub dials the peer: an address or a name, with a port.
    pub endpoint: Option<String>,
    /// Persistent keepalive in seconds, 0 for off.
    pub keepalive: Option<u16>,
}

impl PeerExtras {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.preshared_key.is_none() && self.endpoint.is_none() && self.keepalive.is_none()
    }
}

/// What the interface is told of a peer besides its allowed IPs; of the rest it keeps what it has.
#[derive(Default)]
pub struct Said<'a> {
    /// The preshared key; all zero takes away the one that is there.
    pub preshared: Option<&'a [u8; KEY_LEN]>,
    /// Where the hub dials the peer.
    pub endpoint: Option<SocketAddr>,
    /// Persistent keepalive in seconds; 0 is off.
    pub keepalive: Option<u16>,
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
    /// The link: addresses, MTU, firewall mark, and where routes go.
    pub link: LinkSettings,
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
    /// The firewall mark must be set to this.
    pub set_fwmark: Option<u32>,
    /// The MTU must be set to this. An interface that is created without it gets the one that
    /// wg-quick(8) would compute.
    pub set_mtu: Option<u32>,
    /// These addresses must be added.
    pub add_addresses: Vec<IpNet>,
    /// These addresses must go.
    pub remove_addresses: Vec<IpNet>,
    /// The link must be set up.
    pub bring_up: bool,
    /// Peers to add, or whose allowed IPs must become exactly these.
    pub set_peers: Vec<WantedPeer>,
    /// Peers to take off.
    pub remove_peers: Vec<PublicKey>,
    /// Routes to take away: they lead to what no peer may speak for any more.
    pub remove_routes: Vec<Route>,
    /// Routes to add, once peers and addresses are as wanted.
    pub add_routes: Vec<Route>,
    /// Peers on the interface that the store never knew; left alone.
    pub foreign: Vec<PublicKey>,
    /// Addresses on the interface that are not wanted; left alone.
    pub foreign_addresses: Vec<IpNet>,
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

    /// Whether the interface already is as wanted (foreign peers and addresses do not count).
    pub fn is_empty(&self) -> bool {
        !(self.create || self.set_key || self.bring_up)
            && self.set_port.is_none()
            && self.set_fwmark.is_none()
            && self.set_mtu.is_none()
            && self.add_addresses.is_empty()
            && self.remove_addresses.is_empty()
            && self.set_peers.is_empty()
            && self.remove_peers.is_empty()
            && self.remove_routes.is_empty()
            && self.add_routes.is_empty()
    }

    /// Adds the routes to what its peers may speak for, without a look at which there are.
    #[must_use]
    pub fn with_routes(mut self, link: &LinkSettings) -> Self {
        let needed = routes(link, &self.set_peers);
        self.add_routes.extend(needed);
        self
    }
}

/// The routes that these peers need, as wg-quick(8) adds them: the longest prefix first, each once.
pub fn routes(link: &LinkSettings, peers: &[WantedPeer]) -> Vec<Route> {
    if link.route_table().is_none() {
        return Vec::new();
    }
    let mut all: Vec<Route> =
        peers.iter().flat_map(WantedPeer::allowed_ips).filter_map(|net| link.route_to(&net)).collect();
    all.sort_by_key(|route| (std::cmp::Reverse(route.net.prefix_len()), *route));
    all.dedup();
    all
}

/// Compares the interface itself, without its peers and routes.
pub fn diff_interface(wanted: &Wanted, live: &LiveInterface) -> Plan {
    let link = &wanted.link;
    let differs = |wanted: Option<u32>, live: u32| wanted.filter(|w| *w != live);
    Plan {
        set_key: live.public_key != Some(wanted.public_key),
        set_port: (live.listen_port != Some(wanted.listen_port)).then_some(wanted.listen_port),
        set_fwmark: differs(link.fwmark, live.fwmark),
        set_mtu: differs(link.mtu, live.mtu),
        add_addresses: without(&link.addresses, &live.addresses),
        bring_up: !live.up,
        foreign_addresses: without(&live.addresses, &link.addresses)
            .into_iter()
            .filter(|net| !is_made_by_the_kernel(net))
            .collect(),
        ..Plan::default()
    }
}

/// A userspace interface gets an IPv6 link-local address that nobody asked for.
fn is_made_by_the_kernel(net: &IpNet) -> bool {
    matches!(net, IpNet::V6(net) if net.addr().is_unicast_link_local())
}

/// Those of the addresses that are not among the others.
fn without(addresses: &[IpNet], others: &[IpNet]) -> Vec<IpNet> {
    addresses.iter().filter(|a| !others.contains(a)).copied().collect()
}

/// Compares what is wanted with what is there; `None` means there is no interface.
/// Linear in the number of peers. The routes that an interface has are not part of what is seen of
/// it: [`missing_routes`] compares them.
pub fn diff(wanted: &Wanted, live: Option<&LiveInterface>) -> Plan {
    let Some(live) = live else {
        return Plan {
            create: true,
            set_key: true,
            set_port: Some(wanted.listen_port),
            set_fwmark: wanted.link.fwmark.filter(|mark| *mark != 0),
            set_mtu: wanted.link.mtu,
            add_addresses: wanted.link.addresses.clone(),
            bring_up: true,
            set_peers: wanted.peers.iter().cloned().map(WantedPeer::anew).collect(),
            ..Plan::default()
        }
        .with_routes(&wanted.link);
    };
    let mut plan = diff_interface(wanted, live);
    let present: HashMap<&PublicKey, &LivePeer> = live.peers.iter().map(|p| (&p.public_key, p)).collect();
    let mut wanted_keys = HashSet::with_capacity(wanted.peers.len());
    for peer in &wanted.peers {
        wanted_keys.insert(peer.public_key);
        match present.get(&peer.public_key) {
            Some(live) if peer.is_met_by(live) => {}
            Some(live) => plan.set_peers.push(peer.change_of(live)),
            None => plan.set_peers.push(peer.clone().anew()),
        }
    }
    for peer in &live.peers {
        if wanted.retired.contains(&peer.public_key) && !wanted_keys.contains(&peer.public_key) {
            plan.remove_peers.push(peer.public_key);
        } else if !wanted_keys.contains(&peer.public_key) {
            plan.foreign.push(peer.public_key);
        }
    }
    plan.remove_routes = routes_left_behind(&wanted.link, &plan, live);
    plan
}

/// The routes that lead nowhere once a plan is applied: to networks that its peers have now and no
/// peer has then.
pub fn routes_left_behind(link: &LinkSettings, plan: &Plan, live: &LiveInterface) -> Vec<Route> {
    if link.route_table().is_none() || plan.set_peers.is_empty() && plan.remove_peers.is_empty() {
        return Vec::new();
    }
    let set = plan.set_peers.iter().map(|p| p.public_key);
    let changed: HashSet<PublicKey> = set.chain(plan.remove_peers.iter().copied()).collect();
    let kept = live.peers.iter().filter(|p| !changed.contains(&p.public_key));
    let later: HashSet<IpNet> = kept
        .flat_map(|p| p.allowed_ips.iter().copied())
        .chain(plan.set_peers.iter().flat_map(WantedPeer::allowed_ips))
        .collect();
    let before = live.peers.iter().filter(|p| changed.contains(&p.public_key));
    let gone = before.flat_map(|p| &p.allowed_ips).filter(|net| !later.contains(net));
    gone.filter_map(|net| link.route_to(net)).collect()
}

/// Those of the routes that are not there. In the main table a wider one of the same interface will do.
pub fn missing_routes(link: &LinkSettings, needed: Vec<Route>, there: &[IpNet]) -> Vec<Route> {
    let exact: HashSet<&IpNet> = there.iter().collect();
    let wider: Vec<&IpNet> = match link.table {
        // The kernel has one for each address: few are wide, and most are hosts.
        Table::Auto => there.iter().filter(|net| net.prefix_len() < net.max_prefix_len()).collect(),
        _ => Vec::new(),
    };
    let is_there =
        |route: &Route| exact.contains(&route.net) || wider.iter().any(|net| net.contains(&route.net));
    needed.into_iter().filter(|route| !is_there(route)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> PublicKey {
        PublicKey::from_bytes([n; 32])
    }

    fn peer(n: u8) -> WantedPeer {
        WantedPeer::new(key(n), Ipv4Addr::new(10, 0, 0, n))
    }

    fn live_peer(n: u8, allowed: &[&str]) -> LivePeer {
        LivePeer {
            allowed_ips: allowed.iter().map(|a| a.parse().expect("net")).collect(),
            ..LivePeer::new(key(n))
        }
    }

    fn link(address: &str, table: Table) -> LinkSettings {
        let addresses = vec![address.parse().expect("net")];
        LinkSettings { addresses, mtu: None, fwmark: Some(0), table }
    }

    fn wanted(peers: &[u8], retired: &[u8]) -> Wanted {
        Wanted {
            public_key: key(200),
            listen_port: 51820,
            link: link("10.0.0.1/24", Table::Auto),
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
            fwmark: 0,
            mtu: 1420,
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
        assert!(!plan.set_key && !plan.bring_up && plan.set_port.is_none() && plan.add_addresses.is_empty());
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
