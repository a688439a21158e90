//! Every setting there is: what the file is checked against, and what the manual says of it.

/// A table of the file.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// Its name in brackets.
    pub name: &'static str,
    /// What it is about, as running text.
    pub about: &'static str,
    /// Its keys, in the order of the manual.
    pub keys: &'static [Key],
}

/// A key of a section.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// The environment variable that comes before the file, if there is one.
    pub variable: Option<&'static str>,
    /// The value it has when it is not given, in TOML.
    pub default: &'static str,
    /// What it means, as running text.
    pub about: &'static str,
}

/// A file that the program keeps.
#[derive(Debug, Clone, Copy)]
pub struct KeptFile {
    /// Its path as root and without `--root`.
    pub path: &'static str,
    /// Its mode when it is made.
    pub mode: &'static str,
    /// What it holds.
    pub what: &'static str,
}

/// The files of a hub.
pub const FILES: &[KeptFile] = &[
    KeptFile { path: "/etc/iwas-wg/config.toml", mode: "0644", what: "The settings: see iwas-wg.toml(5)" },
    KeptFile {
        path: "/etc/iwas-wg/identity.txt",
        mode: "0600",
        what: "The age identity of this hub. Without it the hub seals keys but cannot open them",
    },
    KeptFile {
        path: "/var/lib/iwas-wg/iwas-wg.db",
        mode: "0600",
        what: "The store, in SQLite. Never copy it while it is in use: \"iwas-wg backup\" does that. Beside it \
               lies the lock file",
    },
    KeptFile {
        path: "/etc/wireguard/wg0.conf",
        mode: "0600",
        what: "The interface with all its peers for wg-quick(8). The name follows hub.interface",
    },
];

const fn key(
    name: &'static str,
    variable: Option<&'static str>,
    default: &'static str,
    about: &'static str,
) -> Key {
    Key { name, variable, default, about }
}

/// All sections and their keys.
pub const KNOWN: &[Section] = &[
    Section {
        name: "hub",
        about: "The Linux machine that all routers dial.",
        keys: &[
            key("interface", Some("IWAS_WG_INTERFACE"), r#""wg0""#, "Name of the WireGuard interface."),
            key(
                "endpoint",
                Some("IWAS_WG_ENDPOINT"),
                r#""""#,
                "Name or address that the routers dial; as host:port where the port is not listen_port, as behind \
                 a port forwarding. While it is empty no location can be provisioned.",
            ),
            key(
                "listen_port",
                Some("IWAS_WG_LISTEN_PORT"),
                "51820",
                "UDP port of the interface, 1 to 65535.",
            ),
            key(
                "network",
                Some("IWAS_WG_NETWORK"),
                r#""10.0.0.0/24""#,
                "The IPv4 network of the VPN in CIDR notation, whose addresses the routers get. Another network \
                 moves neither the hub nor a router: locations that are outside of it are named by \"iwas-wg \
                 sync\" and \"iwas-wg doctor\", and get no script until \"iwas-wg peer move\" gave them an address \
                 inside.",
            ),
            key(
                "address",
                None,
                "[]",
                "The hub's own address, such as [\"10.0.0.1/24\"], which \"iwas-wg init\" writes. The store remembers the one that the hub has; \
                 another one here takes effect with \"iwas-wg sync --move-hub\". The hub then has both: the former \
                 one stays on the interface, in the conf and out of reach of routers until \"iwas-wg sync --release \
                 ADDRESS\" lets it go. Inside the network its prefix length is the network's. Without this setting \
                 a new hub takes the first host address.",
            ),
            key(
                "reserved",
                None,
                "[]",
                "Addresses, ranges and blocks that are never handed out: [\"10.0.0.9\", \"10.0.0.2-10.0.0.6\", \
                 \"10.0.0.128/28\"].",
            ),
            key(
                "conf",
                Some("IWAS_WG_CONF"),
                r#""/etc/wireguard/wg0.conf""#,
                "The file for wg-quick(8). Without it, the name follows the interface.",
            ),
            key(
                "backend",
                Some("IWAS_WG_BACKEND"),
                r#""auto""#,
                "Who carries the interface: \"kernel\", \"userspace\" (wireguard-go or the program in \
                 WG_USERSPACE_IMPLEMENTATION), \"auto\" (the kernel where it can, else userspace), or \"none\": no \
                 interface at all, store, conf and scripts only.",
            ),
            key(
                "bring_up",
                None,
                r#""self""#,
                "Who makes the interface and takes it away. \"self\": iwas-wg, which honours Address, MTU, FwMark, \
                 ListenPort and Table of the conf and makes the routes that wg-quick(8) would make, but a default \
                 route. \"wg-quick\": \"iwas-wg up\" and \"down\" run wg-quick(8) on the conf, hooks and DNS \
                 included, and make the rest equal to the store; hub.backend has no say in it then.",
            ),
        ],
    },
    Section {
        name: "router",
        about: "What a rendered script puts on the router. A change reaches a router with its next script.\n\n\
                [[router.for]] has the same keys for the locations that it names by tag = \"KEY=VALUE\", by org = \
                \"NAME\", or by both. Where several match, the later ones come over the earlier.",
        keys: &[
            key(
                "interface",
                None,
                r#""wireguard-iwas""#,
                "Name of the WireGuard interface on the router, 1 to 15 letters, digits or . _ -.",
            ),
            key(
                "listen_port",
                None,
                "51820",
                "UDP port on the router; 0 leaves it to the router, which then never meets a port that is taken. \"iwas-wg init\" \
                 writes 0 for a new hub.",
            ),
            key("keepalive", None, "25", "Seconds between keepalives; 0 turns them off."),
            key(
                "allowed_address",
                None,
                r#"["0.0.0.0/0"]"#,
                "Networks that the router accepts from the hub, with reach \"any\".",
            ),
            key("mtu", None, "1420", "MTU of the interface, 576 to 65535."),
            key(
                "management",
                None,
                r#"["icmp", "ssh", "winbox", "api", "api-ssl"]"#,
                "Services of the router that its firewall lets the hub use: icmp, ssh, winbox, api, api-ssl, www, \
                 www-ssl and snmp, on the ports that they have on that router. The rules stand before the first \
                 static rule of chain input, and before those of the raw table that could drop the hub; a router \
                 without static drops or jumps gets none. [] leaves the firewall alone.",
            ),
            key(
                "routes",
                None,
                "[]",
                "Networks behind the hub that the router reaches through the tunnel; never a default route.",
            ),
            key(
                "reach",
                None,
                r#""any""#,
                "How far the tunnel reaches from the router: \"any\" (what allowed_address says), \"network\" (the \
                 VPN and routes) or \"hub\" (the hub alone).",
            ),
            key(
                "watchdog",
                None,
                r#""auto""#,
                "Whether the router revives a dark tunnel by itself: true, false, or \"auto\", where the endpoint is a \
                 name, which RouterOS does not resolve again by itself. A script of its netwatch, which device-mode \
                 \"home\" allows, asks after 1, 2, 4 and up to 30 minutes without the hub: while the endpoint, 1.1.1.1 \
                 or 9.9.9.9 answers a ping, it follows the name to its new address or takes another UDP port. It \
                 writes nothing otherwise.",
            ),
        ],
    },
    Section {
        name: "keys",
        about: "Where the routers' private keys live.",
        keys: &[
            key(
                "mode",
                Some("IWAS_WG_KEY_MODE"),
                r#""stored""#,
                "For new locations: \"stored\" (in the store, sealed with age), \"once\" (shown once in the script, \
                 never stored) or \"router\" (made on the router, which tells its public key).",
            ),
            key(
                "recipients",
                None,
                "[]",
                "Who can open stored keys: age recipients, or public SSH keys. \"iwas-wg init\" adds the hub's own. \
                 Who is added later opens what is sealed from then on.",
            ),
            key(
                "identity",
                Some("IWAS_WG_IDENTITY"),
                r#""/etc/iwas-wg/identity.txt""#,
                "The age identity that opens stored keys. It may be kept elsewhere: then the hub onboards \
                 locations, but does not show their scripts again.",
            ),
            key(
                "preshared",
                None,
                "false",
                "Whether every new key comes with a preshared key, as a margin against quantum computers.",
            ),
            key(
                "rotate_timeout",
                None,
                r#""24h""#,
                "How long the next key of \"iwas-wg peer rotate\" may wait for its first handshake.",
            ),
        ],
    },
    Section {
        name: "heartbeat",
        about: "How it is known who is there.",
        keys: &[
            key(
                "offline_after",
                Some("IWAS_WG_OFFLINE_AFTER"),
                "180",
                "A site is online while its last handshake is younger than this many seconds, 1 to 86400. A \
                 healthy peer reaches 125: below that, sites flap.",
            ),
            key(
                "metrics_file",
                Some("IWAS_WG_METRICS_FILE"),
                r#""""#,
                "A file for the textfile collector of Prometheus's node exporter, written by each heartbeat; none \
                 while empty.",
            ),
            key(
                "confirm",
                None,
                "1",
                "How many heartbeats in a row must see a change before it is announced, 1 to 1000.",
            ),
            key("keep_history", None, "400", "Days that the history of the sites is kept, 1 to 36500."),
            key(
                "on_change",
                None,
                "[]",
                "A program and its arguments, run after each heartbeat that saw a change: never through a shell. \
                 The changes come as JSON on its standard input, counts in its environment; it is run again at the \
                 next heartbeat until it succeeds.",
            ),
            key(
                "on_change_timeout",
                None,
                "30",
                "Time that this program may take: seconds or a span, up to an hour.",
            ),
        ],
    },
    Section {
        name: "access",
        about: "Who may do what. As soon as the section has a grant or a role, only root itself and those who are \
                granted something can use the hub, through sudo(8) or doas(1). \"iwas-wg access whoami\" says what \
                that is.\n\n\
                [[access.grants]] gives to one user or group a role, for all locations or for those of one org. \
                Built-in roles are admin, org-admin, location-manager and viewer. [access.roles] makes further \
                ones, each a list of permissions: net:location:read, net:location:write, net:peer:write, \
                net:router:script, net:hub:admin, net:audit:read.",
        keys: &[key(
            "syslog",
            None,
            r#""""#,
            "A socket, such as /dev/log, that gets a copy of every record of the audit; none while empty.",
        )],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Places, Settings};
    use std::{collections::BTreeMap, fmt::Write, path::Path};

    fn load(text: &str) -> String {
        let dir = tempfile::tempdir().expect("dir");
        let config = dir.path().join("config.toml");
        std::fs::write(&config, text).expect("write");
        let vars = BTreeMap::new();
        let mut places = Places::new(None, Some(&config), None, &vars, true);
        let mut settings = Settings::load(places.clone(), &vars).expect(text);
        places.config = Path::new("config.toml").to_owned();
        settings.places = places;
        format!("{settings:#?}")
    }

    #[test]
    fn the_documented_defaults_are_the_defaults() {
        let mut text = String::new();
        for section in KNOWN {
            writeln!(text, "[{}]", section.name).expect("write");
            for key in section.keys {
                writeln!(text, "{} = {}", key.name, key.default).expect("write");
            }
        }
        assert!(text.lines().count() > 20, "{text}");
        assert_eq!(load(&text), load(""));
    }
}
