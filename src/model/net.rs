//! The pool of VPN addresses: which address may be handed out, and the walk that finds
//! the next one without looking at all of them.

use super::Invalid;
use ipnet::{IpNet, Ipv4Net};
use std::{fmt, net::Ipv4Addr, str::FromStr};

/// Addresses that are never handed out, `first ..= last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reserved {
    first: u32,
    last: u32,
}

impl FromStr for Reserved {
    type Err = Invalid;

    /// `10.0.0.5`, `10.0.0.5-10.0.0.9` or `10.0.0.32/28`.
    fn from_str(s: &str) -> Result<Self, Invalid> {
        let hint = "write an address, FIRST-LAST or a CIDR block, such as \"10.0.0.2-10.0.0.9\"";
        let refuse = |reason: &str| Invalid::new("reserved range", s, reason, hint);
        let address = |t: &str| t.trim().parse::<Ipv4Addr>().map(u32::from);
        let (first, last) = if let Some((a, b)) = s.split_once('-') {
            match (address(a), address(b)) {
                (Ok(a), Ok(b)) => (a, b),
                _ => return Err(refuse("is not a range of IPv4 addresses")),
            }
        } else if let Ok(net) = s.parse::<Ipv4Net>() {
            (u32::from(net.network()), u32::from(net.broadcast()))
        } else {
            let a = address(s).map_err(|_| refuse("is not an IPv4 address or range"))?;
            (a, a)
        };
        if first > last {
            return Err(refuse("ends before it begins"));
        }
        Ok(Self { first, last })
    }
}

impl fmt::Display for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (Ipv4Addr::from(self.first), Ipv4Addr::from(self.last));
        if first == last { write!(f, "{first}") } else { write!(f, "{first}-{last}") }
    }
}

impl From<Ipv4Net> for Reserved {
    fn from(net: Ipv4Net) -> Self {
        Self { first: u32::from(net.network()), last: u32::from(net.broadcast()) }
    }
}

/// Why an address of the operator's choice cannot be a router's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Not inside the network.
    Outside,
    /// The network's own address.
    Network,
    /// The broadcast address.
    Broadcast,
    /// The hub's address.
    Hub,
    /// Inside this reserved range.
    Reserved(Reserved),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside => f.write_str("is outside the VPN network"),
            Self::Network => f.write_str("is the network's own address"),
            Self::Broadcast => f.write_str("is the broadcast address"),
            Self::Hub => f.write_str("is the hub's own address"),
            Self::Reserved(r) => write!(f, "is reserved ({r})"),
        }
    }
}

/// The VPN network and what of it may be handed out to routers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    network: Ipv4Net,
    hub: u32,
    /// Sorted, without overlaps, so that a look-up is a binary search.
    reserved: Vec<Reserved>,
}

impl Pool {
    /// A pool of this network; the hub takes the first host address.
    ///
    /// # Errors
    /// [`Invalid`] for host bits, a prefix outside /8 to /31, or a network that no VPN can use.
    pub fn new(network: &str, reserved: &[Reserved]) -> Result<Self, Invalid> {
        let hint = "write a private IPv4 network between /8 and /31, such as \"10.0.0.0/24\"";
        let refuse = |reason: &str| Invalid::new("network", network, reason, hint);
        if !network.contains('/') {
            return Err(refuse("has no prefix length"));
        }
        let net: Ipv4Net = network.parse().map_err(|_| refuse("is not an IPv4 network in CIDR notation"))?;
        if net.trunc() != net {
            return Err(Invalid::new(
                "network",
                network,
                "has host bits set",
                format!("write the network itself: \"{}\"", net.trunc()),
            ));
        }
        if net.prefix_len() < 8 {
            return Err(refuse("is larger than a /8"));
        }
        if net.prefix_len() > 31 {
            return Err(refuse("has no room for a hub and a router"));
        }
        let a = net.network();
        if a.is_multicast() || a.is_loopback() || a.octets()[0] == 0 || a.octets()[0] >= 224 {
            return Err(refuse("cannot carry a VPN"));
        }
        let mut pool = Self { network: net, hub: 0, reserved: merged(reserved.to_vec()) };
        pool.hub = pool.bounds().0;
        Ok(pool)
    }

    /// The same pool with the hub at another address, which may be outside of the network.
    #[must_use]
    pub fn with_hub(self, address: Ipv4Addr) -> Self {
        Self { hub: u32::from(address), ..self }
    }

    /// Whether a host of the network can have this address.
    pub fn has_host(&self, address: Ipv4Addr) -> bool {
        let (first, last) = self.bounds();
        (first..=last).contains(&u32::from(address))
    }

    /// This address with the network's prefix length.
    pub fn with_prefix(&self, address: Ipv4Addr) -> Ipv4Net {
        Ipv4Net::new_assert(address, self.prefix_len())
    }

    /// The same pool with more addresses that are not handed out.
    #[must_use]
    pub fn without(self, more: &[Reserved]) -> Self {
        let mut all = self.reserved;
        all.extend_from_slice(more);
        Self { reserved: merged(all), ..self }
    }

    /// The network in CIDR notation.
    pub fn network(&self) -> Ipv4Net {
        self.network
    }

    /// Prefix length of the network, 8 to 31.
    pub fn prefix_len(&self) -> u8 {
        self.network.prefix_len()
    }

    /// The hub's address: the first host address unless another was given.
    pub fn hub(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.hub)
    }

    /// First and last host address, as numbers. A /31 has no network and broadcast address.
    fn bounds(&self) -> (u32, u32) {
        let (first, last) = (u32::from(self.network.network()), u32::from(self.network.broadcast()));
        if self.prefix_len() == 31 { (first, last) } else { (first + 1, last - 1) }
    }

    fn reservation(&self, address: u32) -> Option<Reserved> {
        let i = self.reserved.partition_point(|r| r.last < address);
        self.reserved.get(i).copied().filter(|r| r.first <= address)
    }

    /// Whether a router may have this address, were it free.
    ///
    /// # Errors
    /// The [`Refusal`] that says why not.
    pub fn admits(&self, address: Ipv4Addr) -> Result<(), Refusal> {
        let n = u32::from(address);
        if !self.network.contains(&address) {
            return Err(Refusal::Outside);
        }
        let (first, last) = self.bounds();
        if n < first {
            return Err(Refusal::Network);
        }
        if n > last {
            return Err(Refusal::Broadcast);
        }
        if n == self.hub {
            return Err(Refusal::Hub);
        }
        match self.reservation(n) {
            Some(r) => Err(Refusal::Reserved(r)),
            None => Ok(()),
        }
    }

    /// The lowest admissible address at or above `from` (or the pool's first), `None` past the end.
    /// Reserved ranges are jumped over whole, so the cost does not depend on their size.
    pub fn next_from(&self, from: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
        let (first, last) = self.bounds();
        let mut n = from.map_or(first, |a| u32::from(a).max(first));
        while n <= last {
            match self.reservation(n) {
                None if n == self.hub => n += 1,
                None => return Some(Ipv4Addr::from(n)),
                Some(r) => n = r.last.checked_add(1)?,
            }
        }
        None
    }

    /// How many addresses routers can have in all, and how many more are reserved (the hub's not
    /// counted among them).
    pub fn capacity(&self) -> (u64, u64) {
        let (first, last) = self.bounds();
        let is_inside = self.has_host(self.hub());
        let all = u64::from(last - first) + u64::from(!is_inside);
        let reserved: u64 = self
            .reserved
            .iter()
            .map(|r| (r.first.max(first), r.last.min(last)))
            .filter(|(from, to)| from <= to)
            .map(|(from, to)| u64::from(to - from) + 1 - u64::from((from..=to).contains(&self.hub)))
            .sum();
        (all - reserved, reserved)
    }

    /// The text that identifies this pool; another network or reservation gives another text.
    pub fn fingerprint(&self) -> String {
        let reserved: Vec<String> = self.reserved.iter().map(ToString::to_string).collect();
        format!("{} {} -{}", self.network, self.hub(), reserved.join(","))
    }
}

/// What of a peer's allowed IPs holds addresses of a network: each that is inside of it, or is it. A
/// wider one is a route, as to the internet: the addresses of the VPN inside of it are not meant.
pub fn held_inside(network: Ipv4Net, allowed: &[IpNet]) -> Vec<Ipv4Net> {
    let v4 = allowed.iter().filter_map(|net| if let IpNet::V4(net) = net { Some(*net) } else { None });
    v4.filter(|net| network.contains(net)).collect()
}

/// Sorted and without overlaps.
fn merged(mut ranges: Vec<Reserved>) -> Vec<Reserved> {
    ranges.sort();
    let mut merged: Vec<Reserved> = Vec::with_capacity(ranges.len());
    for r in ranges {
        match merged.last_mut() {
            Some(m) if r.first <= m.last.saturating_add(1) => m.last = m.last.max(r.last),
            _ => merged.push(r),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pool(network: &str, reserved: &[&str]) -> Pool {
        let reserved: Vec<Reserved> = reserved.iter().map(|r| r.parse().expect("reserved")).collect();
        Pool::new(network, &reserved).expect("network")
    }

    fn ip(s: &str) -> Ipv4Addr {
        s.parse().expect("address")
    }

    #[test]
    fn the_hub_takes_the_first_host_and_routers_the_rest() {
        let p = pool("10.0.0.0/30", &[]);
        assert_eq!(p.hub(), ip("10.0.0.1"));
        assert_eq!(p.next_from(None), Some(ip("10.0.0.2")));
        assert_eq!(p.next_from(Some(ip("10.0.0.3"))), None);
        assert_eq!(p.capacity(), (1, 0));
    }

    #[test]
    fn a_31_has_room_for_one_router() {
        let p = pool("10.0.0.0/31", &[]);
        assert_eq!(p.hub(), ip("10.0.0.0"));
        assert_eq!(p.next_from(None), Some(ip("10.0.0.1")));
        assert_eq!(p.capacity(), (1, 0));
        assert_eq!(p.admits(ip("10.0.0.1")), Ok(()));
        assert_eq!(p.admits(ip("10.0.0.0")), Err(Refusal::Hub));
    }

    #[test]
    fn reserved_ranges_are_jumped_over_whole() {
        let p = pool("10.0.0.0/8", &["10.0.0.1-10.200.0.0", "10.200.0.1"]);
        assert_eq!(p.next_from(None), Some(ip("10.200.0.2")));
        assert_eq!(
            p.admits(ip("10.100.0.0")).map_err(|r| r.to_string()),
            Err("is reserved (10.0.0.1-10.200.0.1)".into())
        );
        assert_eq!(pool("10.0.0.0/29", &["10.0.0.0/24"]).next_from(None), None);
        assert_eq!(pool("10.0.0.0/29", &["10.0.0.0/24"]).capacity(), (0, 5));
        assert_eq!(pool("10.0.0.0/24", &["0.0.0.0-255.255.255.255"]).next_from(None), None);
    }

    #[test]
    fn chosen_addresses_are_refused_with_the_reason() {
        let p = pool("10.0.0.0/24", &["10.0.0.9"]);
        for (address, refusal) in [
            ("10.0.1.1", Refusal::Outside),
            ("10.0.0.0", Refusal::Network),
            ("10.0.0.255", Refusal::Broadcast),
            ("10.0.0.1", Refusal::Hub),
        ] {
            assert_eq!(p.admits(ip(address)), Err(refusal), "{address}");
        }
        assert!(matches!(p.admits(ip("10.0.0.9")), Err(Refusal::Reserved(_))));
        assert_eq!(p.admits(ip("10.0.0.2")), Ok(()));
    }

    #[test]
    fn networks_that_cannot_be_right_are_refused() {
        for bad in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0.1/24",
            "10.0.0.0/32",
            "10.0.0.0/7",
            "0.0.0.0/0",
            "fd00::/64",
            "224.0.0.0/8",
            "127.0.0.0/8",
            "10.0.0/24",
            "10.0.0.0/-1",
            "10.0.0.0 /24",
        ] {
            assert!(Pool::new(bad, &[]).is_err(), "{bad:?} was accepted");
        }
        let e = Pool::new("10.0.0.1/24", &[]).expect_err("host bits");
        assert_eq!(e.hint, "write the network itself: \"10.0.0.0/24\"");
        for bad in ["", "x", "10.0.0.9-10.0.0.2", "10.0.0.1-", "10.0.0.1-x", "::1"] {
            assert!(bad.parse::<Reserved>().is_err(), "{bad:?} was accepted");
        }
    }

    proptest! {
        /// The walk visits exactly the admissible addresses, in order.
        #[test]
        fn the_walk_agrees_with_admits(prefix in 24u8..=31, hub in 0u32..256, ranges in prop::collection::vec((0u32..256, 0u32..64), 0..5)) {
            let reserved: Vec<Reserved> = ranges
                .iter()
                .map(|(a, n)| Reserved { first: 0x0a00_0000 + a, last: 0x0a00_0000 + a + n })
                .collect();
            let p = Pool::new(&format!("10.0.0.0/{prefix}"), &reserved).expect("pool");
            let p = p.with_hub(Ipv4Addr::from(0x0a00_0000 + hub));
            let expected: Vec<Ipv4Addr> = (0u32..512)
                .map(|i| Ipv4Addr::from(0x0a00_0000 + i))
                .filter(|a| p.admits(*a).is_ok())
                .collect();
            let mut walked = Vec::new();
            let mut at = p.next_from(None);
            while let Some(a) = at {
                walked.push(a);
                at = p.next_from(Some(Ipv4Addr::from(u32::from(a) + 1)));
            }
            prop_assert_eq!(p.capacity().0, walked.len() as u64);
            prop_assert_eq!(walked, expected);
        }
    }
}
