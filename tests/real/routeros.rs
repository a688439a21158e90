//! Reads out of a rendered `RouterOS` script what a router would set from it.
//!
//! This is the one place that knows how scripts are written: the values come from the `add` and `set`
//! commands of the script, through its `:local` variables, never from the program in another format.

use std::{collections::BTreeMap, fmt::Write as _};

/// What a router needs to become the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// None where the router makes its own.
    pub(crate) private_key: Option<String>,
    pub(crate) listen_port: Option<String>,
    pub(crate) mtu: String,
    pub(crate) hub_public_key: String,
    pub(crate) endpoint_address: String,
    pub(crate) endpoint_port: String,
    pub(crate) allowed_address: String,
    pub(crate) keepalive: String,
    /// With the prefix length.
    pub(crate) address: String,
}

impl Settings {
    /// The settings that this script makes on a router that has none of them yet.
    #[track_caller]
    pub(crate) fn of_script(script: &str) -> Self {
        let script = Script::parse(script);
        let interface = script.made_in("/interface wireguard");
        let peer = script.made_in("/interface wireguard peers");
        let address = script.made_in("/ip address");
        let need = |values: &BTreeMap<String, String>, key: &str| match values.get(key) {
            Some(value) => value.clone(),
            None => panic!("the script sets no {key}: {values:?}"),
        };
        Self {
            private_key: interface.get("private-key").cloned(),
            listen_port: interface.get("listen-port").cloned(),
            mtu: need(&interface, "mtu"),
            hub_public_key: need(&peer, "public-key"),
            endpoint_address: need(&peer, "endpoint-address"),
            endpoint_port: need(&peer, "endpoint-port"),
            allowed_address: need(&peer, "allowed-address"),
            keepalive: need(&peer, "persistent-keepalive").trim_end_matches('s').to_owned(),
            address: need(&address, "address"),
        }
    }

    /// The same for `wg setconf`.
    pub(crate) fn for_wg(&self) -> String {
        let key = self.private_key.as_deref().expect("a private key");
        let mut text = format!("[Interface]\nPrivateKey = {key}\n");
        if let Some(port) = &self.listen_port {
            let _ = writeln!(text, "ListenPort = {port}");
        }
        let _ = write!(
            text,
            "[Peer]\nPublicKey = {}\nEndpoint = {}:{}\nAllowedIPs = {}\nPersistentKeepalive = {}\n",
            self.hub_public_key,
            self.endpoint_address,
            self.endpoint_port,
            self.allowed_address,
            self.keepalive
        );
        text
    }
}

/// A script with its long lines joined, and its variables.
struct Script {
    text: String,
    locals: BTreeMap<String, String>,
}

impl Script {
    fn parse(script: &str) -> Self {
        // A backslash at the end of a line joins it with the next one, whose indentation goes.
        let mut text = String::new();
        for line in script.lines() {
            let joined = text.ends_with('\\');
            if joined {
                text.pop();
            } else if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(if joined { line.trim_start() } else { line });
        }
        let mut script = Self { text, locals: BTreeMap::new() };
        let mut locals = BTreeMap::new();
        for (at, word) in script.text.match_indices(":local ") {
            let rest = &script.text[at + word.len()..];
            if let Some((name, rest)) = rest.split_once(' ')
                && let Some((value, _)) = script.value(rest)
            {
                locals.insert(name.to_owned(), value);
            }
        }
        script.locals = locals;
        script
    }

    /// What `add` and then `set` put into the object that the script makes in this menu. A value that
    /// is more than a constant or a variable is passed over.
    #[track_caller]
    fn made_in(&self, menu: &str) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        for verb in ["add", "set"] {
            let command = format!("{menu} {verb} ");
            for (at, _) in self.text.match_indices(&command) {
                for (key, value) in self.arguments(&self.text[at + command.len()..]) {
                    values.entry(key).or_insert(value);
                }
            }
        }
        assert!(!values.is_empty(), "the script adds nothing in {menu}");
        values
    }

    /// The `name=value` words up to the end of a command.
    fn arguments(&self, command: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut rest = command;
        loop {
            rest = rest.trim_start_matches(' ');
            let name = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).map(|end| &rest[..end]);
            match name.and_then(|name| Some((name, rest.strip_prefix(name)?.strip_prefix('=')?))) {
                Some((name, after)) if !name.is_empty() => match self.value(after) {
                    Some((value, left)) => {
                        found.push((name.to_owned(), value));
                        rest = left;
                    }
                    None => return found,
                },
                // What `set` is applied to comes before the first name.
                _ if found.is_empty() && rest.starts_with('$') => {
                    rest = rest.find(' ').map_or("", |end| &rest[end..]);
                }
                _ => return found,
            }
        }
    }

    /// A value at the start of this text, and what follows it; none where it is more than a constant
    /// or a variable.
    fn value<'t>(&self, text: &'t str) -> Option<(String, &'t str)> {
        if let Some(rest) = text.strip_prefix('"') {
            return quoted(rest);
        }
        let end = text.find([' ', ';', '\n', ']', '}', ')']).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        match word.strip_prefix('$') {
            Some(name) => Some((self.locals.get(name)?.clone(), rest)),
            None if word.is_empty() || word.starts_with(['[', '(', '{']) => None,
            None => Some((word.to_owned(), rest)),
        }
    }
}

/// The rest of a quoted string with its escapes undone.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes().enumerate();
    while let Some((at, byte)) = rest.next() {
        match byte {
            b'"' => return Some((String::from_utf8(bytes).ok()?, &text[at + 1..])),
            b'\\' => match rest.next()?.1 {
                b'n' => bytes.push(b'\n'),
                b'r' => bytes.push(b'\r'),
                b't' => bytes.push(b'\t'),
                b'_' => bytes.push(b' '),
                high if high.is_ascii_hexdigit() => {
                    let pair = [high, rest.next()?.1];
                    bytes.push(u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?);
                }
                other => bytes.push(other),
            },
            // A variable inside a string: not a constant.
            b'$' => return None,
            other => bytes.push(other),
        }
    }
    None
}

#[test]
fn the_reader_follows_variables_escapes_and_joined_lines() {
    let script = r#"
{
:local iwKey "a\2Bb=="
:do {
  /interface wireguard add name="wg" private-key=$iwKey mtu=1420 comment="a \"b\" \$c"
  /interface wireguard peers add interface="wg" public-key="k=" allowed-address="0.0.0.0/0" \
    endpoint-address="192.0.2.1"
  /interface wireguard peers set $iwPeer endpoint-port=51820 persistent-keepalive=25s
  /interface wireguard peers set [find where comment="x"] endpoint-port=1
  /interface wireguard peers set $iwPeer endpoint-address=$iwUnknown
  :if (1 = 1) do={ /ip address add address="10.0.0.7/24" interface="wg" }
}
}"#;
    let settings = Settings::of_script(script);
    assert_eq!(settings.private_key.as_deref(), Some("a+b=="));
    assert_eq!(settings.endpoint_address, "192.0.2.1");
    assert_eq!(settings.endpoint_port, "51820");
    assert_eq!(settings.keepalive, "25");
    assert_eq!(settings.address, "10.0.0.7/24");
    assert_eq!(settings.listen_port, None);
}
