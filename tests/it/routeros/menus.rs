//! The menus that our scripts use: parameters, the version they came with, and what they take.

use super::{
    parse::{Arg, Command, Expr},
    value::{self, Value},
};
use iwas_wg::model::PrivateKey as PrivateKeyText;

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Text,
    Bool,
    Port,
    Mtu,
    Time,
    PrivateKey,
    Key,
    PresharedKey,
    /// A name or an address.
    Host,
    Ip,
    Prefix,
    Prefix6,
    Prefixes,
    /// What a rule matches: an address or a network, or `!` and one.
    Match,
    /// The name of an interface that exists.
    Interface,
    Word(&'static [&'static str]),
}

pub(super) struct Menu {
    pub(super) path: &'static str,
    /// Name, minor version it came with, what it takes.
    pub(super) params: &'static [(&'static str, u32, Takes)],
    pub(super) required: &'static [&'static str],
    pub(super) readonly: &'static [&'static str],
    /// One row that is always there, read without an id.
    pub(super) single: bool,
}

use Takes::{
    Bool, Host, Interface, Ip, Key, Match, Mtu, Port, Prefix, Prefix6, Prefixes, PresharedKey, PrivateKey,
    Text, Time, Word,
};

const ACTIONS: Takes = Word(&[
    "accept",
    "drop",
    "reject",
    "tarpit",
    "jump",
    "log",
    "passthrough",
    "fasttrack-connection",
    "return",
    "add-src-to-address-list",
    "notrack",
]);
const FILTER: &[(&str, u32, Takes)] = &[
    ("chain", 1, Text),
    ("action", 1, ACTIONS),
    ("in-interface", 1, Interface),
    ("out-interface", 1, Interface),
    ("in-interface-list", 1, Text),
    ("src-address", 1, Match),
    ("dst-address", 1, Match),
    ("src-address-list", 1, Text),
    ("dst-address-list", 1, Text),
    ("address-list", 1, Text),
    ("jump-target", 1, Text),
    ("protocol", 1, Word(&["tcp", "udp", "icmp"])),
    ("dst-port", 1, Text),
    ("connection-state", 1, Text),
    ("comment", 1, Text),
    ("disabled", 1, Bool),
];

const MENUS: &[Menu] = &[
    Menu {
        path: "interface",
        params: &[("name", 1, Text), ("comment", 1, Text), ("disabled", 1, Bool)],
        required: &[],
        readonly: &["type", "running"],
        single: false,
    },
    Menu {
        path: "interface wireguard",
        params: &[
            ("name", 1, Text),
            ("private-key", 1, PrivateKey),
            ("listen-port", 1, Port),
            ("mtu", 1, Mtu),
            ("comment", 1, Text),
            ("disabled", 1, Bool),
            ("vrf", 21, Text),
        ],
        required: &[],
        readonly: &["public-key", "running"],
        single: false,
    },
    Menu {
        path: "interface wireguard peers",
        params: &[
            ("interface", 1, Interface),
            ("public-key", 1, Key),
            ("preshared-key", 1, PresharedKey),
            ("allowed-address", 1, Prefixes),
            ("endpoint-address", 1, Host),
            ("endpoint-port", 1, Port),
            ("persistent-keepalive", 1, Time),
            ("comment", 1, Text),
            ("disabled", 1, Bool),
            ("private-key", 12, PrivateKey),
            ("client-address", 12, Text),
            ("name", 15, Text),
            ("responder", 17, Bool),
        ],
        required: &["interface", "allowed-address"],
        readonly: &[
            "last-handshake",
            "current-endpoint-address",
            "current-endpoint-port",
            "rx",
            "tx",
            "dynamic",
        ],
        single: false,
    },
    Menu {
        path: "interface list member",
        params: &[
            ("list", 1, Text),
            ("interface", 1, Interface),
            ("comment", 1, Text),
            ("disabled", 1, Bool),
        ],
        required: &["list", "interface"],
        readonly: &["dynamic"],
        single: false,
    },
    Menu {
        path: "ip address",
        params: &[
            ("address", 1, Prefix),
            ("network", 1, Ip),
            ("interface", 1, Interface),
            ("comment", 1, Text),
            ("disabled", 1, Bool),
        ],
        required: &["address", "interface"],
        readonly: &["dynamic", "invalid"],
        single: false,
    },
    Menu {
        path: "ip route",
        params: &[
            ("dst-address", 1, Prefix),
            ("gateway", 1, Host),
            ("distance", 1, Text),
            ("comment", 1, Text),
            ("disabled", 1, Bool),
        ],
        required: &[],
        readonly: &["dynamic", "active"],
        single: false,
    },
    Menu {
        path: "ipv6 route",
        params: &[
            ("dst-address", 1, Prefix6),
            ("gateway", 1, Host),
            ("comment", 1, Text),
            ("disabled", 1, Bool),
        ],
        required: &[],
        readonly: &["dynamic", "active"],
        single: false,
    },
    Menu {
        path: "ip firewall filter",
        params: FILTER,
        required: &["chain"],
        readonly: &["dynamic"],
        single: false,
    },
    Menu {
        path: "ip firewall raw",
        params: FILTER,
        required: &["chain"],
        readonly: &["dynamic"],
        single: false,
    },
    Menu {
        path: "ip firewall nat",
        params: FILTER,
        required: &["chain"],
        readonly: &["dynamic"],
        single: false,
    },
    Menu {
        path: "ip firewall mangle",
        params: FILTER,
        required: &["chain"],
        readonly: &["dynamic"],
        single: false,
    },
    Menu {
        path: "ip firewall address-list",
        params: &[("list", 1, Text), ("address", 1, Host), ("comment", 1, Text)],
        required: &["list"],
        readonly: &["dynamic"],
        single: false,
    },
    Menu {
        path: "ip service",
        params: &[("name", 1, Text), ("port", 1, Port), ("address", 1, Prefixes), ("disabled", 1, Bool)],
        required: &[],
        readonly: &["dynamic"],
        single: false,
    },
    Menu {
        path: "user",
        params: &[("name", 1, Text), ("group", 1, Text), ("address", 1, Prefixes), ("disabled", 1, Bool)],
        required: &["name", "group"],
        readonly: &[],
        single: false,
    },
    Menu { path: "snmp", params: &[("enabled", 1, Bool)], required: &[], readonly: &[], single: true },
    Menu {
        path: "tool netwatch",
        params: &[
            ("host", 1, Host),
            ("interval", 1, Time),
            ("timeout", 1, Time),
            ("down-script", 1, Text),
            ("up-script", 1, Text),
            ("comment", 1, Text),
            ("disabled", 1, Bool),
            ("type", 4, Text),
            ("src-address", 11, Ip),
        ],
        required: &["host"],
        readonly: &["status"],
        single: false,
    },
    Menu {
        path: "system scheduler",
        params: &[("name", 1, Text), ("interval", 1, Time), ("on-event", 1, Text), ("comment", 1, Text)],
        required: &["name"],
        readonly: &[],
        single: false,
    },
    Menu {
        path: "system script",
        params: &[("name", 1, Text), ("source", 1, Text), ("comment", 1, Text)],
        required: &["name"],
        readonly: &[],
        single: false,
    },
    Menu {
        path: "system resource",
        params: &[],
        required: &[],
        readonly: &["version", "uptime"],
        single: true,
    },
    Menu { path: "system clock", params: &[], required: &[], readonly: &["date", "time"], single: true },
    Menu {
        path: "system ntp client",
        params: &[("enabled", 1, Bool), ("servers", 1, Text)],
        required: &[],
        readonly: &["status"],
        single: true,
    },
];

pub(super) fn menu(path: &str) -> Option<&'static Menu> {
    MENUS.iter().find(|m| m.path == path)
}

/// Whether these words lead to a menu.
pub(super) fn is_path(words: &str) -> bool {
    MENUS
        .iter()
        .any(|m| m.path == words || m.path.strip_prefix(words).is_some_and(|rest| rest.starts_with(' ')))
}

/// Whether any menu has a property of this name.
pub(super) fn is_property(name: &str) -> bool {
    MENUS.iter().any(|m| m.knows(name))
}

impl Menu {
    pub(super) fn takes(&self, name: &str) -> Option<Takes> {
        self.params.iter().find(|p| p.0 == name).map(|p| p.2)
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.takes(name).is_some() || self.readonly.contains(&name)
    }
}

/// What a router refuses while it parses: up to 7.22 an unknown parameter anywhere in the file
/// loses the whole file, and a word that no list has is refused as well.
pub(super) fn check_parameters(command: &Command, minor: u32) -> Result<(), String> {
    let Some(menu) = menu(&command.path) else { return Ok(()) };
    for arg in &command.args {
        let Arg::Named(name, given) = arg else { continue };
        if command.name == "add" && name == "place-before" {
            continue;
        }
        let writes = matches!(command.name.as_str(), "add" | "set");
        let known = menu.params.iter().find(|p| p.0 == name && p.1 <= minor).filter(|_| writes);
        if known.is_none() && minor <= 22 {
            return Err("expected end of command".into());
        }
        if let (Some((_, _, takes @ (Word(_) | Bool))), Expr::Literal(value)) = (known, given) {
            check(*takes, value)?;
        }
    }
    Ok(())
}

/// Takes a value for a parameter, in the form the menu keeps it.
pub(super) fn check(takes: Takes, given: &Value) -> Result<Value, String> {
    let text = given.to_string();
    let bad = || format!("invalid value {text:?}");
    let number = |range: std::ops::RangeInclusive<i64>| {
        text.parse().ok().filter(|n| range.contains(n)).map(Value::Num).ok_or_else(bad)
    };
    let key = |what: &str| match PrivateKeyText::from_base64(&text) {
        Ok(_) => Ok(Value::str(&text)),
        Err(_) => Err(format!("failure: invalid {what} key")),
    };
    match takes {
        Text | Interface => Ok(Value::Str(text)),
        Host if text.is_empty() || text.contains([' ', '[', ']', '"']) => Err(bad()),
        Host => Ok(text.parse().map_or_else(|_| Value::str(&text), Value::Ip)),
        Bool => match text.as_str() {
            "true" | "yes" => Ok(Value::Bool(true)),
            "false" | "no" => Ok(Value::Bool(false)),
            _ => Err(bad()),
        },
        Port => number(0..=65535),
        Mtu => number(68..=65535),
        Time => match given {
            Value::Time(t) => Ok(Value::Time(*t)),
            Value::Num(n) => Ok(Value::Time(*n)),
            _ => value::time(&text).map(Value::Time).ok_or_else(bad),
        },
        PrivateKey => key("private"),
        Key => key("public"),
        PresharedKey => key("preshared"),
        Ip => text.parse().map(Value::Ip).map_err(|_| bad()),
        Match => {
            let bare = text.strip_prefix('!').unwrap_or(&text);
            let right = bare.parse::<std::net::Ipv4Addr>().is_ok() || value::prefix(bare).is_some();
            right.then_some(Value::Str(text.clone())).ok_or_else(bad)
        }
        Prefix => value::prefix(&text).map(|(a, n)| Value::Prefix(a, n)).ok_or_else(bad),
        Prefix6 => {
            let right = text.contains(':') && value::is_any_prefix(&text);
            right.then_some(Value::Str(text.clone())).ok_or_else(bad)
        }
        Prefixes => {
            let items: Vec<&str> = text.split(',').collect();
            let right = items.iter().all(|i| value::is_any_prefix(i));
            right.then(|| Value::List(items.into_iter().map(Value::of_word).collect())).ok_or_else(bad)
        }
        Word(words) if words.contains(&text.as_str()) => Ok(Value::Str(text)),
        Word(_) => Err(format!("input does not match any value of list: {text}")),
    }
}
