//! What `[Interface]` says of the link, and what of it wg-quick(8) alone can do.

use super::{Conf, parse, values};
use crate::model::{LinkSettings, Table};
use ipnet::IpNet;
use parse::{Kind, Setting};
use std::borrow::Cow;

/// The tables that iproute2 knows by name on every machine.
const NAMED_TABLES: [(&str, u32); 3] = [("default", 253), ("main", 254), ("local", 255)];

impl Conf {
    /// The link as wg-quick(8) would make it of this conf. Of a value that cannot be read, what
    /// holds without it.
    pub fn link(&self) -> LinkSettings {
        let number = |key| self.interface(key).last().filter(|v| !v.is_empty());
        let table = self.table().unwrap_or(Table::Off);
        let fwmark = match number(Setting::FwMark) {
            Some(value) => values::mark(&value),
            // wg(8) sets none then; but a hook, or wg-quick with a default route, may.
            None if self.hooks().any(|(_, hook)| hook.contains("fwmark")) => None,
            None if table == Table::Auto && self.has_default_route() => None,
            None => Some(0),
        };
        LinkSettings {
            addresses: self.addresses(),
            mtu: number(Setting::Mtu).and_then(|v| v.parse().ok()),
            fwmark,
            table,
        }
    }

    /// The routing table; `None` for a name that only ip(8) can look up.
    fn table(&self) -> Option<Table> {
        match self.interface(Setting::Table).last().unwrap_or_default().as_str() {
            // wg-quick compares these with regard to case.
            "" | "auto" => Some(Table::Auto),
            "off" => Some(Table::Off),
            other => {
                let named = NAMED_TABLES.into_iter().find(|(name, _)| *name == other).map(|(_, id)| id);
                let hex = other.strip_prefix("0x").and_then(|hex| u32::from_str_radix(hex, 16).ok());
                named.or(hex).or_else(|| other.parse().ok()).map(Table::Id)
            }
        }
    }

    /// What of this conf is done by wg-quick(8) alone, in words, each once: hooks, DNS, the saving
    /// of the interface, a default route through a peer, and a routing table known by name only.
    pub fn only_wg_quick(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        let mut add = |what: &str| {
            if !all.iter().any(|w| w == what) {
                all.push(what.to_owned());
            }
        };
        for (name, hook) in self.hooks() {
            if !hook.is_empty() {
                add(name);
            }
        }
        if self.interface(Setting::Dns).any(|v| !v.is_empty()) {
            add("DNS");
        }
        if self.interface(Setting::SaveConfig).last().is_some_and(|v| v.eq_ignore_ascii_case("true")) {
            add("SaveConfig");
        }
        match self.table() {
            None => add("Table"),
            Some(Table::Auto) if self.has_default_route() => add("a default route"),
            Some(_) => {}
        }
        all
    }

    /// Whether a hook gives the interface its private key, so that the conf needs none.
    pub fn has_key_hook(&self) -> bool {
        let given = |hook: &str| hook.contains("private-key");
        self.interface(Setting::PrivateKey).next().is_none() && self.hooks().any(|(_, hook)| given(&hook))
    }

    /// The hooks that run: the key's name and the command.
    pub(super) fn hooks(&self) -> impl Iterator<Item = (&'static str, Cow<'_, str>)> {
        self.lines.iter().enumerate().filter_map(|(i, line)| match line.kind {
            Kind::Interface(hook) if hook.is_hook() => {
                Some((hook.name(), parse::decoded(parse::value(self.line(i)))))
            }
            _ => None,
        })
    }

    fn has_default_route(&self) -> bool {
        self.blocks.iter().flat_map(|b| self.allowed_ips(b)).any(|net| net.prefix_len() == 0)
    }

    /// Whether wg-quick(8) makes a route for an allowed IP that the addresses do not lead to
    /// already: without it, what is behind that peer could not be reached.
    pub fn needs_routes(&self) -> bool {
        let link = self.link();
        let allowed = self.blocks.iter().flat_map(|b| self.allowed_ips(b));
        let needs = |net: IpNet| link.is_default_route(&net) || link.route_to(&net).is_some();
        link.table != Table::Off && allowed.into_iter().any(needs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "[Peer]\nPublicKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\nAllowedIPs = ";

    fn conf(interface: &str, allowed: &str) -> Conf {
        let text = format!("[Interface]\n{interface}\n{PEER}{allowed}\n");
        Conf::parse(text.as_bytes()).expect("conf")
    }

    #[test]
    fn the_link_is_as_wg_quick_would_make_it() {
        let text = "Address = 10.0.0.1/24, fd00::1/64\nMTU=1380\naddress = 10.1.0.1 # more\nFwMark = 0xca6c\nTable = 77";
        let link = conf(text, "10.0.0.2").link();
        assert_eq!(link.to_string(), "1380 51820 77 10.0.0.1/24,fd00::1/64,10.1.0.1/32");
        let of = |interface: &str, allowed: &str| conf(interface, allowed).link().to_string();
        for (interface, allowed, expected) in [
            ("", "10.0.0.2/32", "- 0 auto "),
            ("Table = off\nFwMark = OFF", "0.0.0.0/0", "- 0 off "),
            ("Table = auto\nMTU =\nFwMark = 7", "0.0.0.0/0", "- 7 auto "),
            ("Table = main", "10.0.0.2/32", "- 0 254 "),
            // Who sets the mark then is not known, so it is not compared.
            ("", "10.0.0.2/32, 0.0.0.0/0", "- - auto "),
            ("PostUp = wg set %i fwmark 9", "10.0.0.2/32", "- - auto "),
        ] {
            assert_eq!(of(interface, allowed), expected, "{interface:?}");
        }
    }

    #[test]
    fn what_wg_quick_alone_does_is_named_once() {
        let all = "PostUp = a\nPostUp = b\npredown = c\nDNS = 10.0.0.1\nSaveConfig = true\nTable = vpn";
        assert_eq!(
            conf(all, "10.0.0.2").only_wg_quick(),
            ["PostUp", "PreDown", "DNS", "SaveConfig", "Table"]
        );
        assert_eq!(conf("", "::/0").only_wg_quick(), ["a default route"]);
        for none in ["Table = off\nSaveConfig = false", "Table = 5", "MTU = 1400\nPostUp =\n# PostUp = x"] {
            assert_eq!(conf(none, "10.0.0.2").only_wg_quick(), [""; 0], "{none:?}");
        }
    }

    #[test]
    fn a_private_key_may_come_from_a_hook() {
        assert!(conf("PostUp = wg set %i private-key /etc/wireguard/key", "10.0.0.2").has_key_hook());
        assert!(!conf("PostUp = iptables -A FORWARD -i %i -j ACCEPT", "10.0.0.2").has_key_hook());
    }

    #[test]
    fn routes_are_needed_where_no_address_leads() {
        for (interface, allowed, needed) in [
            ("Address = 10.0.0.1/24", "10.0.0.2/32", false),
            ("Address = 10.0.0.1/24", "10.0.0.2/32, 192.168.7.0/24", true),
            ("Address = 10.0.0.1/24", "10.0.0.2/32, fd00::2/128", true),
            ("Address = 10.0.0.1/24, fd00::1/64", "10.0.0.2/32, fd00::2/128", false),
            ("Address = 10.0.0.1/32", "10.0.0.2/32", true),
            ("Address = 10.0.0.1/24\nTable = off", "192.168.7.0/24", false),
        ] {
            assert_eq!(conf(interface, allowed).needs_routes(), needed, "{interface:?} {allowed:?}");
        }
    }
}
