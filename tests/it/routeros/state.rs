//! What can be read off a modelled router after a script.

use super::{
    router::{Router, Row, public_key},
    value::{self, Value},
};
use std::{fmt::Write as _, net::Ipv4Addr};

/// The WireGuard of a router, as the real thing needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WireGuard {
    pub(crate) interface: String,
    pub(crate) private_key: String,
    pub(crate) public_key: String,
    pub(crate) listen_port: u16,
    pub(crate) mtu: u16,
    pub(crate) peer_public_key: String,
    pub(crate) preshared_key: Option<String>,
    pub(crate) endpoint_address: String,
    pub(crate) endpoint_port: u16,
    pub(crate) allowed_address: Vec<String>,
    /// Seconds, 0 when off.
    pub(crate) keepalive: u16,
    /// With the prefix length.
    pub(crate) address: String,
    pub(crate) network: String,
    /// Destinations routed into the tunnel besides the network of the address.
    pub(crate) routes: Vec<String>,
}

impl Router {
    /// The configuration as text, in order and without ids: equal texts are equal routers.
    pub(crate) fn export(&self) -> String {
        let mut out = String::new();
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        rows.sort_by_key(|r| r.menu);
        for row in rows {
            let _ = write!(out, "/{} add", row.menu);
            for (name, value) in row
                .values
                .iter()
                .filter(|(n, _)| !matches!(n.as_str(), "handshake-at" | "session" | "resolved"))
            {
                // A default that was set explicitly is no difference.
                let default = match name.as_str() {
                    "disabled" => *value == Value::Bool(false),
                    "persistent-keepalive" => *value == Value::Time(0),
                    _ => false,
                };
                if !default {
                    let _ = write!(out, " {name}={value:?}");
                }
            }
            out.push('\n');
        }
        out
    }

    /// Texts of a property in all rows of a menu.
    pub(crate) fn column(&self, menu: &str, property: &str) -> Vec<String> {
        let derived = menu == "interface wireguard" && property == "public-key";
        self.rows_of(menu)
            .map(|r| if derived { public_key(r) } else { r.get(property).to_string() })
            .collect()
    }

    /// Comments of all rows of a menu.
    pub(crate) fn comments(&self, menu: &str) -> Vec<String> {
        self.column(menu, "comment")
    }

    /// Changes the rows of a menu whose `name` property has this text, as a person at the console.
    pub(crate) fn edit(&mut self, menu: &str, (name, text): (&str, &str), set: (&str, &str)) {
        let ids: Vec<u32> =
            self.rows_of(menu).filter(|r| r.get(name).to_string() == text).map(|r| r.id).collect();
        assert!(!ids.is_empty(), "no {menu} with {name}={text}");
        for id in ids {
            self.set(id, [(set.0.to_owned(), Value::str(set.1))].into())
                .expect("a value that the router takes");
        }
    }

    /// The one WireGuard interface with this comment, its one peer and its one address.
    pub(crate) fn wireguard(&self, comment: &str) -> Option<WireGuard> {
        let only = |menu: &'static str| {
            let mut rows = self.rows_of(menu).filter(|r| r.get("comment") == Value::str(comment));
            rows.next().filter(|_| rows.next().is_none())
        };
        let interface = only("interface wireguard")?;
        let peer = only("interface wireguard peers")?;
        let address = only("ip address")?;
        let number = |row: &Row, name: &str| match row.get(name) {
            Value::Num(n) | Value::Time(n) => u16::try_from(n).unwrap_or(0),
            _ => 0,
        };
        let routes = self.rows_of("ip route").chain(self.rows_of("ipv6 route"));
        Some(WireGuard {
            interface: interface.get("name").to_string(),
            private_key: interface.get("private-key").to_string(),
            public_key: public_key(interface),
            listen_port: number(interface, "listen-port"),
            mtu: number(interface, "mtu"),
            peer_public_key: peer.get("public-key").to_string(),
            preshared_key: Some(peer.get("preshared-key").to_string()).filter(|k| !k.is_empty()),
            endpoint_address: peer.get("endpoint-address").to_string(),
            endpoint_port: number(peer, "endpoint-port"),
            allowed_address: peer.get("allowed-address").items().iter().map(ToString::to_string).collect(),
            keepalive: number(peer, "persistent-keepalive"),
            address: address.get("address").to_string(),
            network: address.get("network").to_string(),
            routes: routes
                .filter(|r| r.get("gateway") == interface.get("name"))
                .map(|r| r.get("dst-address").to_string())
                .collect(),
        })
    }

    /// Where packets to this address go by the router's own addresses: the longest prefix wins.
    pub(crate) fn interface_to(&self, destination: Ipv4Addr) -> Option<String> {
        let connected = self.rows_of("ip address").filter_map(|r| {
            let (address, length) = value::prefix(&r.get("address").to_string())?;
            // A /32 leads to its network, as on a point-to-point link.
            let network = if length == 32 { r.get("network").to_string().parse().ok()? } else { address };
            value::inside(destination, network, length).then(|| (length, r.get("interface").to_string()))
        });
        connected.max_by_key(|(length, _)| *length).map(|(_, interface)| interface)
    }
}
