//! Allowed IPs that a peer outside of the store has and a location as well.
//!
//! `WireGuard` gives a network to the peer that was given it last, and a packet to the narrowest
//! network that fits. So two peers with one network take it from each other, and inside the VPN a
//! range takes what the router inside of it should get, or loses it to that router.

use super::{LocationName, PublicKey, held_inside, plan::WantedPeer};
use ipnet::{IpNet, Ipv4Net};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    net::Ipv4Addr,
};

/// Two that cannot both have what they have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// The peer that the store does not know.
    pub key: PublicKey,
    /// What it has.
    pub net: IpNet,
    /// The location.
    pub name: LocationName,
    /// What the location has of it.
    pub own: IpNet,
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, net, name, own } = self;
        if net == own {
            write!(f, "the peer {key} is not in the store and has {net}, which is {name}'s")
        } else {
            write!(f, "the peer {key} is not in the store and has {net}, where {name} has {own}")
        }
    }
}

/// The first clash of each of these peers with a location, in their order.
pub fn clashes<'a>(
    network: Ipv4Net,
    wanted: impl Iterator<Item = (&'a LocationName, &'a WantedPeer)> + Clone,
    unmanaged: &[(PublicKey, Vec<IpNet>)],
) -> Vec<Clash> {
    // Without anybody to clash with, nothing is sorted.
    if unmanaged.is_empty() {
        return Vec::new();
    }
    let mut exact: HashMap<IpNet, &LocationName> = HashMap::new();
    let mut hosts: BTreeMap<Ipv4Addr, &LocationName> = BTreeMap::new();
    let mut ranges: Vec<(Ipv4Net, &LocationName)> = Vec::new();
    for (name, peer) in wanted {
        hosts.extend(peer.vpn_ip.map(|ip| (ip, name)));
        exact.extend(peer.allowed_ips().map(|net| (net, name)));
        ranges.extend(peer.wider.iter().filter_map(|net| match net {
            IpNet::V4(net) if network.contains(net) => Some((*net, name)),
            _ => None,
        }));
    }
    let clash = |key: &PublicKey, allowed: &Vec<IpNet>| {
        let found =
            |net: IpNet, name: &LocationName, own: IpNet| Clash { key: *key, net, name: name.clone(), own };
        let same = allowed.iter().find_map(|net| exact.get(net).map(|name| found(*net, name, *net)));
        same.or_else(|| {
            held_inside(network, allowed).into_iter().find_map(|net| {
                let inside = hosts.range(net.network()..=net.broadcast()).next();
                let inside = inside.map(|(ip, name)| (*name, Ipv4Net::from(*ip)));
                let around =
                    || ranges.iter().find(|(range, _)| range.contains(&net)).map(|(r, name)| (*name, *r));
                let (name, own) = inside.or_else(around)?;
                Some(found(net.into(), name, own.into()))
            })
        })
    };
    unmanaged.iter().filter_map(|(key, allowed)| clash(key, allowed)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(s: &str) -> IpNet {
        s.parse().expect("net")
    }

    #[test]
    fn only_what_takes_something_from_somebody_is_a_clash() {
        let name = |s: &str| s.parse::<LocationName>().expect("name");
        let key = PublicKey::from_bytes([9; 32]);
        let one = WantedPeer::new(PublicKey::from_bytes([1; 32]), Ipv4Addr::new(10, 0, 0, 5));
        let two = WantedPeer {
            wider: vec![net("10.0.0.64/28"), net("192.168.7.0/24"), net("10.0.0.0/8")],
            ..WantedPeer::new(PublicKey::from_bytes([2; 32]), Ipv4Addr::new(10, 0, 0, 6))
        };
        let wanted = [(name("one"), one), (name("two"), two)];
        for (allowed, expected) in [
            (vec!["10.0.0.5/32"], Some(("10.0.0.5/32", "one", "10.0.0.5/32"))),
            (vec!["10.0.0.4/30"], Some(("10.0.0.4/30", "one", "10.0.0.5/32"))),
            (vec!["10.0.0.70/32"], Some(("10.0.0.70/32", "two", "10.0.0.64/28"))),
            (vec!["192.168.7.0/24"], Some(("192.168.7.0/24", "two", "192.168.7.0/24"))),
            (vec!["10.0.0.0/24"], Some(("10.0.0.0/24", "one", "10.0.0.5/32"))),
            (vec!["0.0.0.0/0"], None),
            (vec!["10.0.0.9/32", "0.0.0.0/0"], None),
            (vec!["192.168.0.0/16"], None),
            (vec!["10.0.0.9/32", "192.168.7.9/32", "fd00::/64"], None),
        ] {
            let unmanaged = [(key, allowed.iter().map(|a| net(a)).collect::<Vec<_>>())];
            let found =
                clashes("10.0.0.0/24".parse().expect("net"), wanted.iter().map(|(n, p)| (n, p)), &unmanaged);
            let expected =
                expected.map(|(has, who, own)| Clash { key, net: net(has), name: name(who), own: net(own) });
            assert_eq!(found.first(), expected.as_ref(), "{allowed:?}");
        }
    }
}
