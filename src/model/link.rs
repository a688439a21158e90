//! What `[Interface]` says of the link itself, as wg-quick(8) understands it: addresses, MTU,
//! firewall mark and routing table; and which routes follow from that.
//!
//! It must not know the conf's syntax or how the kernel is told.

use ipnet::IpNet;
use std::{fmt, str::FromStr};

/// The routing table that every machine has.
pub const MAIN_TABLE: u32 = 254;

/// Where the routes to the allowed IPs go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Table {
    /// To the main table, as far as no route of the interface leads there already.
    #[default]
    Auto,
    /// Nowhere: there are none.
    Off,
    /// All of them to this table.
    Id(u32),
}

/// What the link shall be like.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkSettings {
    /// All addresses, in the order in which they are given.
    pub addresses: Vec<IpNet>,
    /// `None`: computed when the link is made, and not compared afterwards.
    pub mtu: Option<u32>,
    /// 0 is no mark; `None`: another program sets it, and it is not compared.
    pub fwmark: Option<u32>,
    /// Where routes go.
    pub table: Table,
}

/// A route through the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Route {
    /// The destination, without host bits.
    pub net: IpNet,
    /// The routing table.
    pub table: u32,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.table {
            MAIN_TABLE => write!(f, "{}", self.net),
            table => write!(f, "{} in table {table}", self.net),
        }
    }
}

impl LinkSettings {
    /// The routing table that has the routes; `None` if there are none to make.
    pub fn route_table(&self) -> Option<u32> {
        match self.table {
            Table::Auto => Some(MAIN_TABLE),
            Table::Off => None,
            Table::Id(table) => Some(table),
        }
    }

    /// The route that this allowed IP needs, if it needs one.
    ///
    /// With [`Table::Auto`], wg-quick(8) does more than a route for a default route: it also sets a
    /// firewall mark, policy rules and a packet filter. That is not done here.
    pub fn route_to(&self, allowed: &IpNet) -> Option<Route> {
        let table = self.route_table()?;
        let net = allowed.trunc();
        let is_there = self.table == Table::Auto && (net.prefix_len() == 0 || self.connects(&net));
        (!is_there).then_some(Route { net, table })
    }

    /// Whether a network of the interface's own addresses contains this one.
    fn connects(&self, net: &IpNet) -> bool {
        self.addresses.iter().any(|address| address.trunc().contains(net))
    }

    /// Whether this allowed IP makes wg-quick(8) take over the default route, which nothing here does.
    pub fn is_default_route(&self, allowed: &IpNet) -> bool {
        self.table == Table::Auto && allowed.prefix_len() == 0
    }
}

/// One line, for a memory of it.
impl fmt::Display for LinkSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |n: Option<u32>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let addresses: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        let table = match self.table {
            Table::Auto => "auto".to_owned(),
            Table::Off => "off".to_owned(),
            Table::Id(table) => table.to_string(),
        };
        write!(f, "{} {} {table} {}", number(self.mtu), number(self.fwmark), addresses.join(","))
    }
}

impl FromStr for LinkSettings {
    type Err = ();

    fn from_str(s: &str) -> Result<Self, ()> {
        let mut words = s.split(' ');
        let mut word = || words.next().ok_or(());
        let number = |word: &str| match word {
            "-" => Ok(None),
            n => n.parse().map(Some).map_err(|_| ()),
        };
        let (mtu, fwmark) = (number(word()?)?, number(word()?)?);
        let table = match word()? {
            "auto" => Table::Auto,
            "off" => Table::Off,
            n => Table::Id(n.parse().map_err(|_| ())?),
        };
        let addresses = word()?.split(',').filter(|a| !a.is_empty());
        let addresses = addresses.map(|a| a.parse().map_err(|_| ())).collect::<Result<_, _>>()?;
        Ok(Self { addresses, mtu, fwmark, table })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(s: &str) -> IpNet {
        s.parse().expect("net")
    }

    fn link(addresses: &[&str], table: Table) -> LinkSettings {
        LinkSettings {
            addresses: addresses.iter().map(|a| net(a)).collect(),
            table,
            ..LinkSettings::default()
        }
    }

    #[test]
    fn routes_go_where_no_address_leads_already() {
        let auto = link(&["10.0.0.1/24", "fd00::1/64"], Table::Auto);
        let route = |link: &LinkSettings, s: &str| link.route_to(&net(s)).map(|r| r.to_string());
        for covered in ["10.0.0.7/32", "10.0.0.0/25", "10.0.0.0/24", "fd00::7/128", "0.0.0.0/0", "::/0"] {
            assert_eq!(route(&auto, covered), None, "{covered}");
        }
        for (allowed, expected) in
            [("10.0.0.0/23", "10.0.0.0/23"), ("192.168.7.9/24", "192.168.7.0/24"), ("fd01::/64", "fd01::/64")]
        {
            assert_eq!(route(&auto, allowed).as_deref(), Some(expected));
        }
        // A single address leads to no peer.
        assert_eq!(
            route(&link(&["10.0.0.1/32"], Table::Auto), "10.0.0.7/32").as_deref(),
            Some("10.0.0.7/32")
        );
        let own = link(&["10.0.0.1/24"], Table::Id(77));
        assert_eq!(route(&own, "10.0.0.7/32").as_deref(), Some("10.0.0.7/32 in table 77"));
        assert_eq!(route(&own, "0.0.0.0/0").as_deref(), Some("0.0.0.0/0 in table 77"));
        assert_eq!(route(&link(&[], Table::Off), "192.168.7.0/24"), None);
    }

    #[test]
    fn a_memory_of_it_is_read_back_as_it_was() {
        let whole = LinkSettings {
            mtu: Some(1380),
            fwmark: Some(0),
            ..link(&["10.0.0.1/24", "fd00::1/64"], Table::Id(7))
        };
        for one in [LinkSettings::default(), link(&["10.0.0.1/32"], Table::Off), whole] {
            assert_eq!(one.to_string().parse(), Ok(one));
        }
        for bad in ["", "- - auto", "x - auto ", "- - auto 10.0.0.1/99"] {
            assert_eq!(bad.parse::<LinkSettings>(), Err(()), "{bad:?}");
        }
    }
}
