//! The hub's own section: key, address and port as they should be.
//!
//! Only a value that is wrong is written; every other line of `[Interface]` stays as it is.

use super::{Conf, parse, values};
use crate::model::{PrivateKey, PublicKey, Table};
use ipnet::{IpNet, Ipv4Net};
use parse::{Kind, Setting};
use std::net::{IpAddr, Ipv4Addr};
use zeroize::Zeroizing;

/// What `[Interface]` shall say.
#[derive(Debug, Clone, Copy)]
pub struct InterfaceWanted {
    /// The public key of its private key.
    pub public_key: PublicKey,
    /// The hub's address, which must be among its addresses, with whatever prefix length; with this
    /// one where it is not.
    pub address: Ipv4Net,
    /// UDP port.
    pub listen_port: u16,
}

impl Conf {
    /// Whether the private key is another one, or none although no hook brings it.
    pub fn has_wrong_key(&self, wanted: &InterfaceWanted) -> bool {
        match self.private_key() {
            Some(key) => key.public() != wanted.public_key,
            None => !self.has_key_hook(),
        }
    }

    /// Whether the hub's address is not there. With another prefix length it is there: that is the
    /// operator's, and wg-quick(8) makes a route for each peer that it does not lead to; unless it
    /// was told to make none.
    fn has_wrong_address(&self, wanted: &InterfaceWanted) -> bool {
        let has_routes = self.link().table != Table::Off;
        let leads = |a: &IpNet| has_routes || a.prefix_len() <= wanted.address.prefix_len();
        !self.addresses().iter().any(|a| a.addr() == wanted.address.addr() && leads(a))
    }

    /// What of `[Interface]` has to be corrected, in words.
    pub fn corrections(&self, wanted: &InterfaceWanted) -> Vec<String> {
        let mut all = Vec::new();
        if self.has_wrong_key(wanted) {
            all.push("set PrivateKey to the hub's".to_owned());
        }
        if self.has_wrong_address(wanted) {
            all.push(format!("add {} to Address", wanted.address));
        }
        if self.listen_port() != Some(wanted.listen_port) {
            all.push(format!("set ListenPort to {}", wanted.listen_port));
        }
        all
    }

    /// The text with a right `[Interface]`; `None` if it is right already. The private key is
    /// needed where [`Conf::has_wrong_key`].
    pub fn with_interface(
        &self,
        wanted: &InterfaceWanted,
        private_key: Option<&PrivateKey>,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let wrong_address = self.has_wrong_address(wanted);
        let wrong_port = self.listen_port() != Some(wanted.listen_port);
        let new_key = private_key.filter(|_| self.has_wrong_key(wanted)).map(PrivateKey::expose);
        if !wrong_address && !wrong_port && new_key.is_none() {
            return None;
        }
        // Room for all, so that no copy of the key stays behind in a smaller buffer.
        let mut out = Zeroizing::new(Vec::with_capacity(self.text.len() + 1024));
        let Some(header) = self.header else {
            if let Some(key) = private_key {
                out.extend_from_slice(&Self::new_hub(key, wanted.address, wanted.listen_port));
                out.push(b'\n');
            }
            out.extend_from_slice(&self.text);
            return Some(out);
        };
        let last = |setting| self.lines.iter().rposition(|l| l.kind == Kind::Interface(setting));
        let first_address = self.lines.iter().position(|l| l.kind == Kind::Interface(Setting::Address));
        let address = |line: &[u8]| match &*parse::decoded(parse::value(line)) {
            "" => wanted.address.to_string(),
            others => format!("{}, {others}", wanted.address),
        };
        let (key_line, port_line) = (last(Setting::PrivateKey), last(Setting::ListenPort));
        for i in 0..self.lines.len() {
            let line = self.line(i);
            match &new_key {
                Some(key) if key_line == Some(i) => {
                    out.extend_from_slice(&parse::with_value(line, key));
                }
                _ if wrong_port && port_line == Some(i) => {
                    out.extend_from_slice(&parse::with_value(line, &wanted.listen_port.to_string()));
                }
                _ if wrong_address && first_address == Some(i) => {
                    out.extend_from_slice(&parse::with_value(line, &address(line)));
                }
                _ => out.extend_from_slice(line),
            }
            if i == header {
                let newline = if parse::ending(line) == "\r\n" { "\r\n" } else { "\n" };
                if parse::ending(line).is_empty() {
                    out.extend_from_slice(newline.as_bytes());
                }
                let mut insert = |text: &str| {
                    out.extend_from_slice(text.as_bytes());
                    out.extend_from_slice(newline.as_bytes());
                };
                if let (Some(key), None) = (&new_key, key_line) {
                    insert(Zeroizing::new(format!("PrivateKey = {}", key.as_str())).as_str());
                }
                if wrong_address && first_address.is_none() {
                    insert(&format!("Address = {}", wanted.address));
                }
                if wrong_port && port_line.is_none() {
                    insert(&format!("ListenPort = {}", wanted.listen_port));
                }
            }
        }
        Some(out)
    }
}

/// The text of a conf without one address of its interface; `None` if it is not there.
pub fn without_address(text: &[u8], address: Ipv4Addr) -> Option<Zeroizing<Vec<u8>>> {
    let conf = Conf::parse(text).ok()?;
    let is_it = |net: &IpNet| net.addr() == IpAddr::V4(address);
    if !conf.addresses().iter().any(is_it) {
        return None;
    }
    // Not longer than before, so that no copy of the key stays behind in a smaller buffer.
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    for i in 0..conf.lines.len() {
        let line = conf.line(i);
        let is_address = conf.lines[i].kind == Kind::Interface(Setting::Address);
        let value = values::text(if is_address { parse::value(line) } else { b"" });
        let members = value.split(',').map(str::trim).filter(|member| !member.is_empty());
        let (gone, kept): (Vec<&str>, Vec<&str>) = members.partition(|member| {
            values::addresses(member.as_bytes()).any(|net| net.is_ok_and(|net| is_it(&net)))
        });
        match (gone.is_empty(), kept.is_empty()) {
            (true, _) => out.extend_from_slice(line),
            (false, true) => {}
            (false, false) => out.extend_from_slice(&parse::with_value(line, &kept.join(", "))),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";
    const OTHER: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";

    fn key() -> PrivateKey {
        PrivateKey::from_base64(KEY).unwrap_or_else(|e| panic!("{e}"))
    }

    fn corrected(text: &str) -> Option<String> {
        let address = "10.0.0.1/24".parse().expect("net");
        let wanted = InterfaceWanted { public_key: key().public(), address, listen_port: 51820 };
        let conf = Conf::parse(text.as_bytes()).expect("conf");
        let out = conf.with_interface(&wanted, Some(&key()))?;
        let again = Conf::parse(&out).expect("still a conf");
        assert!(again.with_interface(&wanted, Some(&key())).is_none(), "not right after one correction");
        Some(String::from_utf8(out.to_vec()).expect("UTF-8"))
    }

    #[test]
    fn what_is_right_is_left_alone() {
        let right = format!(
            "[interface]\nlistenport=51820\nAddress = fd00::1/64, 10.0.0.1/24\nprivatekey = {KEY} # k\n"
        );
        assert_eq!(corrected(&right), None);
    }

    #[test]
    fn only_the_wrong_values_change() {
        let text = format!(
            "# top\r\n[Interface] # hub\r\nPrivateKey = {OTHER} # old\r\n  Address=10.9.0.1/24\r\nListenPort = 7\r\nPostUp = x\r\n\r\n[Peer]\r\nPublicKey = {OTHER}\r\n"
        );
        let expected = text
            .replacen(OTHER, KEY, 1)
            .replace("Address=10.9.0.1/24", "Address=10.0.0.1/24, 10.9.0.1/24")
            .replace("ListenPort = 7", "ListenPort = 51820");
        assert_eq!(corrected(&text), Some(expected));
    }

    #[test]
    fn an_address_goes_and_all_else_stays() {
        let head = format!("[Interface]\nPrivateKey = {KEY}\n");
        let one = "10.0.0.9".parse().expect("address");
        for (before, after) in [
            ("Address = 10.0.0.1/24, 10.0.0.9/24 # both\n", Some("Address = 10.0.0.1/24 # both\n")),
            ("Address = 10.0.0.1/24\nAddress=10.0.0.9\n", Some("Address = 10.0.0.1/24\n")),
            ("Address = 10.0.0.90/24\n", None),
        ] {
            let text = without_address(format!("{head}{before}").as_bytes(), one);
            let text = text.map(|t| String::from_utf8(t.to_vec()).expect("UTF-8"));
            assert_eq!(text, after.map(|after| format!("{head}{after}")), "{before}");
        }
    }

    #[test]
    fn what_is_missing_is_written() {
        let text = corrected("[Interface]").expect("corrected");
        assert_eq!(
            text,
            format!("[Interface]\nPrivateKey = {KEY}\nAddress = 10.0.0.1/24\nListenPort = 51820\n")
        );
        let text = corrected("# only this\n").expect("corrected");
        assert!(text.contains(&format!("PrivateKey = {KEY}")) && text.ends_with("\n# only this\n"), "{text}");
        assert!(corrected("").is_some());
    }
}
