//! The way of a packet to the router itself: the raw table, then chain input, with jumps, address
//! lists and connection tracking.

use super::{
    router::{HUB_IP, Router, Row},
    value::{self, Value},
};
use std::{collections::BTreeMap, net::Ipv4Addr};

/// A packet to the router itself.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    pub(crate) interface: String,
    pub(crate) source: Ipv4Addr,
    pub(crate) protocol: &'static str,
    /// 0 where the protocol has no ports.
    pub(crate) port: u16,
    /// Whether it belongs to a connection that the router knows, if it tracks any.
    pub(crate) answer: bool,
}

impl Packet {
    /// The hub answers an echo.
    pub(crate) fn answer(interface: &str) -> Self {
        let source = HUB_IP.parse().expect("address");
        Self { interface: interface.into(), source, protocol: "icmp", port: 0, answer: true }
    }
}

enum Verdict {
    Accept,
    Drop,
    /// The chain ended or returned.
    Back,
}

impl Router {
    /// Whether a new connection to the router itself is let in; `port` 0 is ICMP.
    pub(crate) fn admits(&self, interface: &str, source: Ipv4Addr, port: u16) -> bool {
        let protocol = if port == 0 { "icmp" } else { "tcp" };
        self.clone().receives(&Packet { interface: interface.into(), source, protocol, port, answer: false })
    }

    /// Whether the router takes a packet; rules that note addresses do so.
    pub(crate) fn receives(&mut self, packet: &Packet) -> bool {
        !matches!(self.walk("ip firewall raw", "prerouting", packet), Verdict::Drop)
            && !matches!(self.walk("ip firewall filter", "input", packet), Verdict::Drop)
    }

    /// Whether connections are tracked: `auto` begins with the first rule.
    pub(crate) fn tracks_connections(&self) -> bool {
        ["ip firewall filter", "ip firewall nat", "ip firewall mangle"]
            .iter()
            .any(|menu| self.rows_of(menu).any(|r| !r.is("disabled") && !r.is("dynamic")))
    }

    fn walk(&mut self, table: &'static str, chain: &str, packet: &Packet) -> Verdict {
        let rules: Vec<Row> =
            self.rows_of(table).filter(|r| r.get("chain") == Value::str(chain)).cloned().collect();
        for rule in rules {
            if rule.is("disabled") || !self.applies(&rule, packet) {
                continue;
            }
            match rule.get("action").to_string().as_str() {
                "accept" => return Verdict::Accept,
                "drop" | "reject" | "tarpit" => return Verdict::Drop,
                "return" => return Verdict::Back,
                "jump" => match self.walk(table, &rule.get("jump-target").to_string(), packet) {
                    Verdict::Back => {}
                    verdict => return verdict,
                },
                "add-src-to-address-list" => {
                    let listed = BTreeMap::from([
                        ("list".to_owned(), rule.get("address-list")),
                        ("address".to_owned(), Value::Ip(packet.source)),
                    ]);
                    self.add("ip firewall address-list", listed).expect("an address list");
                }
                _ => {}
            }
        }
        Verdict::Back
    }

    fn applies(&self, rule: &Row, packet: &Packet) -> bool {
        let row_with = |menu: &str, a: (&str, &str), b: (&str, &str)| {
            self.rows_of(menu).any(|r| r.get(a.0).to_string() == a.1 && r.get(b.0).to_string() == b.1)
        };
        let source = packet.source.to_string();
        let in_list =
            |l: &str| row_with("interface list member", ("list", l), ("interface", &packet.interface));
        let listed = |l: &str| row_with("ip firewall address-list", ("list", l), ("address", &source));
        let from = |a: &str| match value::prefix(a) {
            Some((network, length)) => value::inside(packet.source, network, length),
            None => a == source,
        };
        let state = match (self.tracks_connections(), packet.answer) {
            (false, _) => "none",
            (true, true) => "established",
            (true, false) => "new",
        };
        let port = packet.port.to_string();
        rule.values.iter().all(|(name, wanted)| {
            let wanted = wanted.to_string();
            let (negated, wanted) = match wanted.strip_prefix('!') {
                Some(rest) => (true, rest),
                None => (false, wanted.as_str()),
            };
            let hit = match name.as_str() {
                "in-interface" => wanted == packet.interface,
                "in-interface-list" => in_list(wanted),
                "src-address" => from(wanted),
                "src-address-list" => listed(wanted),
                "protocol" => wanted == packet.protocol,
                "dst-port" => wanted.split(',').any(|p| p == port),
                "connection-state" => wanted.split(',').any(|s| s == state),
                // Only given for the loopback and for what is forwarded.
                "dst-address" | "dst-address-list" | "out-interface" => false,
                _ => return true,
            };
            hit != negated
        })
    }
}
