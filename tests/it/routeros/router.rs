//! The modelled router: rows in menus, a clock, and a hub that may or may not answer.

use super::{
    firewall::Packet,
    menus::{self, Takes},
    value::Value,
};
use iwas_wg::model::PrivateKey;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The VPN address of the hub.
pub(super) const HUB_IP: &str = "10.0.0.1";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: u32,
    pub(super) menu: &'static str,
    pub(super) values: BTreeMap<String, Value>,
}

impl Row {
    pub(super) fn get(&self, name: &str) -> Value {
        self.values.get(name).cloned().unwrap_or(match name {
            "disabled" | "dynamic" => Value::Bool(false),
            _ => Value::Nil,
        })
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.get(name) == Value::Bool(true)
    }
}

/// The far end of the tunnel, as the router meets it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hub {
    /// Public keys of routers that the hub answers.
    pub(crate) knows: Vec<String>,
    pub(crate) public_key: String,
    /// Host as the router dials it.
    pub(crate) host: String,
    pub(crate) port: i64,
    /// Preshared keys that it has for some of these, empty for none; the others may have any.
    pub(crate) preshared: Vec<(String, String)>,
    /// Ports of the router whose packets a stuck NAT entry swallows.
    pub(crate) stuck_ports: Vec<i64>,
    /// Its address where `host` is a name; not looked at while empty.
    pub(crate) address: String,
    /// Whether its firewall drops echoes.
    pub(crate) silent: bool,
}

impl Hub {
    fn accepts(&self, public_key: &str, preshared: &str) -> bool {
        let wanted = self.preshared.iter().find(|(k, _)| k == public_key);
        self.knows.iter().any(|k| k == public_key) && wanted.is_none_or(|(_, p)| p == preshared)
    }
}

/// A router, bare or with the stock configuration.
#[derive(Debug, Clone)]
pub(crate) struct Router {
    pub(super) rows: Vec<Row>,
    /// Seconds since it started.
    pub(super) now: i64,
    /// Successful changes so far.
    pub(crate) writes: usize,
    pub(super) next_id: u32,
    pub(crate) version: String,
    pub(crate) date: String,
    pub(crate) hub: Hub,
    /// Names that resolve.
    pub(crate) names: Vec<String>,
    /// Lines of the router's log.
    pub(crate) log: Vec<String>,
    /// Whether disabling a peer makes the router forget its last handshake: not documented.
    pub(crate) forgets: bool,
    /// Whether a new private key alone makes the router call anew: not documented.
    pub(crate) lazy: bool,
    /// Whether an echo goes out: an account may lack the policy for it.
    pub(crate) pings: bool,
    /// Whether the running script may read keys: netwatch may not.
    pub(super) sensitive: bool,
    /// When set, the n-th write from now fails: a fault in the middle.
    pub(crate) fail_write: Option<usize>,
    /// When set, the router after each statement that changed what survives a power cut.
    pub(crate) film: Option<Vec<Router>>,
    /// Statements that ran.
    pub(crate) statements: usize,
    /// What `preshared-key=` takes for "none": versions differ.
    pub(crate) unset_word: Option<&'static str>,
    /// Addresses of the internet that answer an echo.
    pub(crate) internet: Vec<String>,
    /// When another run of the same script begins, which leaves its own marks.
    pub(crate) other_run_at: Option<i64>,
    pub(super) globals: BTreeMap<String, Value>,
    /// What a name resolves to.
    pub(crate) resolved: String,
}

impl Router {
    /// Interfaces and services, no firewall, no address but the one of its WAN.
    pub(crate) fn bare() -> Self {
        let mut router = Self {
            rows: Vec::new(),
            now: 1_000_000,
            writes: 0,
            next_id: 1,
            version: "7.16.2 (stable)".into(),
            date: "2026-11-23".into(),
            hub: Hub::default(),
            names: vec!["vpn.example.com".into()],
            log: Vec::new(),
            forgets: false,
            lazy: false,
            pings: true,
            sensitive: true,
            fail_write: None,
            film: None,
            statements: 0,
            other_run_at: None,
            globals: BTreeMap::new(),
            unset_word: Some(""),
            internet: ["1.1.1.1", "9.9.9.9"].map(String::from).into(),
            resolved: "198.51.100.9".into(),
        };
        for port in ["ether1", "ether2", "bridge"] {
            router.given("interface", &[("name", port)]);
        }
        router.given(
            "ip address",
            &[("address", "203.0.113.77/24"), ("network", "203.0.113.0"), ("interface", "ether1")],
        );
        for (name, port) in [
            ("ssh", "22"),
            ("www", "80"),
            ("www-ssl", "443"),
            ("winbox", "8291"),
            ("api", "8728"),
            ("api-ssl", "8729"),
        ] {
            router.given("ip service", &[("name", name), ("port", port)]);
        }
        router.given("system ntp client", &[("enabled", "yes")]);
        router.given("snmp", &[("enabled", "yes")]);
        router.given("user", &[("name", "admin"), ("group", "full")]);
        router
    }

    /// The factory configuration of a home router: LAN on a bridge, everything else dropped.
    pub(crate) fn stock() -> Self {
        let mut router = Self::bare();
        let member = "interface list member";
        router.given(member, &[("list", "LAN"), ("interface", "bridge"), ("comment", "defconf")]);
        router.given(member, &[("list", "WAN"), ("interface", "ether1"), ("comment", "defconf")]);
        router.given(
            "ip address",
            &[
                ("address", "192.168.88.1/24"),
                ("network", "192.168.88.0"),
                ("interface", "bridge"),
                ("comment", "defconf"),
            ],
        );
        let filter = "ip firewall filter";
        let dummy = router.given(filter, &[("chain", "forward"), ("action", "passthrough")]);
        router.row_mut(dummy).values.insert("dynamic".into(), Value::Bool(true));
        router.given(
            filter,
            &[
                ("chain", "input"),
                ("action", "accept"),
                ("connection-state", "established,related,untracked"),
            ],
        );
        router.given(filter, &[("chain", "input"), ("action", "drop"), ("connection-state", "invalid")]);
        router.given(filter, &[("chain", "input"), ("action", "accept"), ("protocol", "icmp")]);
        router.given(filter, &[("chain", "input"), ("action", "accept"), ("dst-address", "127.0.0.1")]);
        router.given(
            filter,
            &[("chain", "input"), ("action", "drop"), ("in-interface-list", "!LAN"), ("comment", "defconf")],
        );
        router.given(
            filter,
            &[
                ("chain", "forward"),
                ("action", "fasttrack-connection"),
                ("connection-state", "established,related"),
            ],
        );
        router.given(filter, &[("chain", "forward"), ("action", "drop"), ("in-interface-list", "WAN")]);
        router
    }

    /// Adds a row that was there before the script, without counting it as a change.
    pub(crate) fn given(&mut self, menu: &str, values: &[(&str, &str)]) -> u32 {
        let values = values.iter().map(|(n, v)| ((*n).to_owned(), Value::str(*v))).collect();
        let id = self.add(menu, values).expect("a row that the router takes");
        self.writes = 0;
        id
    }

    pub(super) fn rows_of<'a>(&'a self, menu: &'a str) -> impl Iterator<Item = &'a Row> + 'a {
        // The menu of all interfaces shows those of every type.
        self.rows
            .iter()
            .filter(move |r| r.menu == menu || (menu == "interface" && r.menu == "interface wireguard"))
    }

    pub(super) fn row(&self, id: u32) -> Option<&Row> {
        self.rows.iter().find(|r| r.id == id)
    }

    pub(super) fn row_mut(&mut self, id: u32) -> &mut Row {
        self.rows.iter_mut().find(|r| r.id == id).expect("a row that exists")
    }

    fn write(&mut self) -> Result<(), String> {
        if let Some(left) = self.fail_write.as_mut() {
            if *left == 0 {
                self.fail_write = None;
                return Err("failure: out of memory".into());
            }
            *left -= 1;
        }
        self.writes += 1;
        Ok(())
    }

    pub(super) fn add(&mut self, path: &str, mut values: BTreeMap<String, Value>) -> Result<u32, String> {
        let menu = menus::menu(path).ok_or("no such command")?;
        let missing: Vec<&str> = menu.required.iter().copied().filter(|r| !values.contains_key(*r)).collect();
        if !missing.is_empty() {
            return Err(format!("missing value(s) of argument(s) {}", missing.join(" ")));
        }
        let before = values.remove("place-before");
        let values = self.checked(menu, values, None)?;
        let at = match before {
            None => self.rows.len(),
            Some(Value::Id(id)) => match self.rows.iter().position(|r| r.id == id && r.menu == path) {
                Some(at) if self.rows[at].is("dynamic") => return Err("failure: cannot move builtin".into()),
                Some(at) => at,
                None => return Err("no such item".into()),
            },
            Some(_) => return Err("no such item".into()),
        };
        self.write()?;
        let id = self.next_id;
        self.next_id += 1;
        let mut row = Row { id, menu: menu.path, values };
        let mut default = |name: &str, value: Value| {
            row.values.entry(name.to_owned()).or_insert(value);
        };
        if path == "interface wireguard" {
            let random = Zeroizing::new([u8::try_from(id).unwrap_or(77); 32]);
            default("private-key", Value::str(PrivateKey::from_random(random).expose().as_str()));
            default("mtu", Value::Num(1420));
            default("listen-port", Value::Num(13231 + i64::from(id)));
        } else if path == "interface wireguard peers" {
            default("endpoint-port", Value::Num(0));
        }
        self.rows.insert(at, row);
        self.resolve_endpoint(id);
        self.settle();
        Ok(id)
    }

    pub(super) fn set(&mut self, id: u32, values: BTreeMap<String, Value>) -> Result<(), String> {
        let Row { menu: path, values: old, .. } = self.row(id).ok_or("no such item")?.clone();
        let menu = menus::menu(path).ok_or("no such command")?;
        let values = self.checked(menu, values, Some(id))?;
        self.write()?;
        if let (Some(Value::Str(new)), Some(Value::Str(old))) = (values.get("name"), old.get("name")) {
            self.rename_references(old, new);
        }
        let now = self.now;
        for (name, value) in values {
            // A peer that is switched on, or whose key changes, calls anew.
            let silent = name == "comment" || name == "preshared-key" || (name == "private-key" && self.lazy);
            if path.starts_with("interface wireguard") && old.get(&name) != Some(&value) && !silent {
                self.end_sessions(id);
            }
            if name == "disabled" && value == Value::Bool(true) && self.forgets {
                self.row_mut(id).values.remove("handshake-at");
            }
            let anew =
                matches!(name.as_str(), "endpoint-address" | "disabled") && old.get(&name) != Some(&value);
            if value == Value::Nil {
                self.row_mut(id).values.remove(&name);
            } else {
                self.row_mut(id).values.insert(name, value);
            }
            if anew {
                self.resolve_endpoint(id);
            }
        }
        debug_assert!(now == self.now);
        self.settle();
        Ok(())
    }

    pub(super) fn remove(&mut self, id: u32) -> Result<(), String> {
        let row = self.row(id).ok_or("no such item")?.clone();
        if row.is("dynamic") {
            return Err("failure: cannot remove builtin".into());
        }
        self.write()?;
        self.rows.retain(|r| r.id != id);
        if let Value::Str(name) = row.get("name")
            && row.menu == "interface wireguard"
        {
            self.rename_references(&name, &format!("*{id:X}"));
        }
        Ok(())
    }

    /// References follow a renamed interface; to a removed one they dangle as `*13`.
    fn rename_references(&mut self, old: &str, new: &str) {
        for row in &mut self.rows {
            for name in ["interface", "gateway", "in-interface", "out-interface"] {
                if row.values.get(name) == Some(&Value::str(old)) {
                    row.values.insert(name.into(), Value::str(new));
                }
            }
        }
    }

    /// Values in the form the menu keeps, or why it refuses them.
    fn checked(
        &self,
        menu: &menus::Menu,
        values: BTreeMap<String, Value>,
        own: Option<u32>,
    ) -> Result<BTreeMap<String, Value>, String> {
        let mut out = BTreeMap::new();
        for (name, value) in values {
            let takes = menu.takes(&name).ok_or_else(|| format!("bad parameter {name}"))?;
            let value = match value.to_string() {
                word if takes == Takes::PresharedKey && self.unset_word == Some(&word) => Value::Nil,
                _ => menus::check(takes, &value)?,
            };
            let others = |path: &'static str| self.rows_of(path).filter(|r| Some(r.id) != own);
            let named = value.to_string();
            let named = named.strip_prefix('!').unwrap_or(&named);
            if takes == Takes::Interface && !others("interface").any(|r| r.get("name").to_string() == named) {
                return Err(format!("input does not match any value of interface: {value}"));
            }
            if menu.path.starts_with("interface")
                && name == "name"
                && others("interface").any(|r| r.get("name") == value)
            {
                return Err("failure: already have interface with such name".into());
            }
            if menu.path == "ip address"
                && name == "address"
                && others("ip address").any(|r| r.get("address") == value)
            {
                return Err("failure: already have such address".into());
            }
            out.insert(name, value);
        }
        Ok(out)
    }

    /// Time passes.
    pub(super) fn delay(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.now += 1;
            if self.other_run_at == Some(self.now) {
                self.globals.values_mut().for_each(|mark| *mark = Value::str("another"));
            }
            self.settle();
        }
    }

    /// Whether an echo is answered; to the hub, without keepalive only a packet makes a peer call.
    pub(super) fn ping(&mut self, address: &str) -> Result<bool, String> {
        if !self.pings {
            return Err("not enough permissions (9)".into());
        }
        if address != HUB_IP {
            return Ok(self.internet.iter().any(|a| a == address));
        }
        self.settle_peers(true);
        Ok(self.is_up() && !self.hub.silent && self.hears_the_hub())
    }

    /// A name is resolved when the endpoint is set, the peer is enabled or the router starts, and
    /// never again.
    fn resolve_endpoint(&mut self, id: u32) {
        let row = self.row(id).expect("a row that exists");
        let host = row.get("endpoint-address");
        let address = match &host {
            Value::Str(name) if self.names.contains(name) => Value::of_word(&self.resolved),
            Value::Ip(_) => host,
            _ => Value::Nil,
        };
        if row.menu == "interface wireguard peers" && address != Value::Nil {
            self.row_mut(id).values.insert("resolved".into(), address);
        }
    }

    /// Whether the answer of the hub to an echo passes the firewall of the tunnel's interface.
    fn hears_the_hub(&self) -> bool {
        let interfaces: Vec<String> =
            self.rows_of("interface wireguard peers").map(|p| p.get("interface").to_string()).collect();
        interfaces.iter().any(|i| self.clone().receives(&Packet::answer(i)))
    }

    /// The power comes back: what is configured stays, what runs or was learned is gone, and
    /// netwatch looks at its hosts five minutes later.
    pub(crate) fn reboot(&mut self) {
        self.globals.clear();
        for row in self.rows.iter_mut().filter(|r| r.menu == "interface wireguard peers") {
            row.values.remove("handshake-at");
            row.values.remove("session");
        }
        let peers: Vec<u32> = self.rows_of("interface wireguard peers").map(|p| p.id).collect();
        for peer in peers {
            self.resolve_endpoint(peer);
        }
        self.delay(300);
    }

    fn end_sessions(&mut self, id: u32) {
        let name = self.row(id).map_or(Value::Nil, |r| r.get("name"));
        for row in &mut self.rows {
            if row.id == id || (row.menu == "interface wireguard peers" && row.get("interface") == name) {
                row.values.insert("session".into(), Value::Bool(false));
            }
        }
    }

    fn settle(&mut self) {
        self.settle_peers(false);
    }

    /// Handshakes take a second, happen when the peer has something to send, and age after 120 s.
    fn settle_peers(&mut self, traffic: bool) {
        let now = self.now;
        let answered: Vec<u32> = self
            .rows_of("interface wireguard peers")
            .filter(|p| {
                let keepalive = matches!(p.get("persistent-keepalive"), Value::Time(t) if t > 0);
                let last = match p.get("handshake-at") {
                    Value::Time(t) => t,
                    _ => i64::MIN / 2,
                };
                let due = !p.is("session") || now - last >= 120;
                due && (keepalive || traffic) && self.is_answered(p)
            })
            .map(|p| p.id)
            .collect();
        for id in answered {
            let row = self.row_mut(id);
            row.values.insert("handshake-at".into(), Value::Time(now));
            row.values.insert("session".into(), Value::Bool(true));
        }
    }

    fn is_answered(&self, peer: &Row) -> bool {
        let host = peer.get("endpoint-address").to_string();
        let sent_to = peer.get("resolved").to_string();
        let arrives = (host == self.hub.host && self.hub.address.is_empty())
            || (!sent_to.is_empty() && sent_to == self.hub.address);
        let resolves = host.parse::<std::net::IpAddr>().is_ok() || self.names.contains(&host);
        self.rows_of("interface wireguard").filter(|i| i.get("name") == peer.get("interface")).any(|i| {
            !peer.is("disabled")
                && !i.is("disabled")
                && resolves
                && arrives
                && peer.get("endpoint-port") == Value::Num(self.hub.port)
                && peer.get("public-key").to_string() == self.hub.public_key
                && self.hub.accepts(&public_key(i), &peer.get("preshared-key").to_string())
                && !self.hub.stuck_ports.iter().any(|p| i.get("listen-port") == Value::Num(*p))
        })
    }

    /// Whether the hub's packets pass: what netwatch sees.
    pub(crate) fn is_up(&self) -> bool {
        self.rows_of("interface wireguard peers")
            .any(|p| p.is("session") && matches!(p.get("handshake-at"), Value::Time(t) if self.now - t < 180))
    }
}

/// The public key of an interface, which the router derives from the private one.
pub(super) fn public_key(interface: &Row) -> String {
    let private = interface.get("private-key").to_string();
    PrivateKey::from_base64(&private).map_or(String::new(), |k| k.public().to_string())
}
