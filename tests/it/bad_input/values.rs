//! Calls that are wrong in themselves, or that ask for what cannot be had.

use super::{Case, Found, case};

const LONG_NAME: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
const ZERO_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const OTHER_KEY: &str = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";

pub(super) fn all() -> Vec<Case> {
    [names(), addresses(), keys(), texts(), init(), not_there(), flags(), files()]
        .into_iter()
        .flatten()
        .collect()
}

/// `location add` with these arguments on the hub.
fn add(args: &[&'static str], code: i32, says: &'static str) -> Case {
    case(Found::Hub, &[&["location", "add"], args].concat(), code, says)
}

fn on_hub(argv: &[&'static str], code: i32, says: &'static str) -> Case {
    case(Found::Hub, argv, code, says)
}

fn names() -> Vec<Case> {
    vec![
        add(&[""], 2, "location name \"\" is empty"),
        add(&["Cafe"], 2, "location name \"Cafe\" contains the capital letter 'C'"),
        add(&[" cafe"], 2, "location name \" cafe\" contains a space"),
        add(&["cafe "], 2, "contains a space"),
        add(&["café"], 2, "contains the character 'é'"),
        add(&["../etc/passwd"], 2, "contains the character '/'"),
        add(&["a\nb"], 2, "contains the control character U+000A"),
        add(&["a\u{1b}[31mb"], 2, "contains the control character U+001B"),
        add(&[".hidden"], 2, "does not begin with a letter or digit"),
        add(&["--", "-cafe"], 2, "does not begin with a letter or digit"),
        add(&[LONG_NAME], 2, "has 64 characters, 63 at most"),
        on_hub(&["location", "show", "Cafe"], 2, "use 1 to 63 of a-z 0-9 . _ -"),
        on_hub(&["location", "remove", "Cafe", "--yes"], 2, "capital letter"),
        on_hub(&["location", "remove", "Cafe", "--if-exists", "--yes"], 2, "capital letter"),
        on_hub(&["location", "set", "Cafe", "--org", "x"], 2, "capital letter"),
        on_hub(&["peer", "provision", "Kiosk"], 2, "capital letter"),
        on_hub(&["peer", "reset", "Cafe"], 2, "capital letter"),
        on_hub(&["script", "render", "Cafe"], 2, "capital letter"),
        on_hub(&["status", "cafe", "Lone"], 2, "capital letter 'L'"),
        add(&["cafe"], 4, "location \"cafe\" already exists (10.0.0.2)"),
        add(&["cafe", "-n"], 4, "use --if-not-exists, or \"iwas-wg location set cafe\""),
        add(&["cafe", "--if-not-exists", "--org", "other"], 4, "but org is \"acme\""),
        add(&["cafe", "--if-not-exists", "--vpn-ip", "10.0.0.77"], 4, "but address is 10.0.0.2"),
        add(&["cafe", "--if-not-exists", "--key-mode", "once"], 4, "but key mode is stored"),
        add(&["cafe", "--if-not-exists", "--tag", "city=graz"], 4, "but tag city is \"vienna\""),
        add(&["cafe", "--if-not-exists", "--public-key", OTHER_KEY], 4, "but public key is {cafe_key}"),
    ]
}

fn addresses() -> Vec<Case> {
    let vpn_ip = |address, code, says| add(&["new", "--vpn-ip", address], code, says);
    vec![
        vpn_ip("", 2, "address \"\" is not an IPv4 address"),
        vpn_ip("10.0.0", 2, "is not an IPv4 address"),
        vpn_ip("10.0.0.300", 2, "is not an IPv4 address"),
        vpn_ip("10.0.0.07", 2, "is not an IPv4 address"),
        vpn_ip("10.0.0.7/32", 2, "write it without a prefix length, such as 10.0.0.7"),
        vpn_ip("10.0.0.7 ", 2, "is not an IPv4 address"),
        vpn_ip("fd00::7", 2, "is not an IPv4 address"),
        vpn_ip("vpn.example.com", 2, "is not an IPv4 address"),
        vpn_ip("192.168.1.1", 4, "address 192.168.1.1 is outside the VPN network 10.0.0.0/24"),
        vpn_ip("10.0.1.0", 4, "is outside the VPN network"),
        vpn_ip("10.0.0.0", 4, "address 10.0.0.0 is the network's own address"),
        vpn_ip("10.0.0.255", 4, "address 10.0.0.255 is the broadcast address"),
        vpn_ip("10.0.0.1", 4, "address 10.0.0.1 is the hub's own address"),
        vpn_ip("10.0.0.9", 4, "address 10.0.0.9 is reserved (10.0.0.9)"),
        vpn_ip("10.0.0.130", 4, "is reserved (10.0.0.128-10.0.0.143)"),
        vpn_ip("10.0.0.2", 4, "address 10.0.0.2 is held by \"cafe\""),
        add(&["new", "--no-provision", "--vpn-ip", "10.0.0.2"], 4, "is held by \"cafe\""),
        add(&["new", "-n", "--vpn-ip", "10.0.0.3"], 4, "is held by \"lone\""),
    ]
}

fn keys() -> Vec<Case> {
    let key = |key, code, says| add(&["new", "--public-key", key], code, says);
    vec![
        key("", 2, "is not 32 bytes long"),
        key("hello", 2, "public key \"hello\" is not base64"),
        key("AAAA", 2, "public key \"AAAA\" is not 32 bytes long"),
        key(ZERO_KEY, 2, "is all zero"),
        key("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo", 2, "is not base64"),
        key("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo= ", 2, "44 characters of base64"),
        key("{hub_key}", 4, "is the hub's own"),
        key("{cafe_key}", 4, "belongs to \"cafe\""),
        add(&["new", "-n", "--public-key", "{hub_key}"], 4, "is the hub's own"),
        add(&["new", "-n", "--public-key", "{cafe_key}"], 4, "belongs to \"cafe\""),
        add(&["new", "--key-mode", "sometimes"], 2, "use stored, once or router"),
        add(&["new", "--key-mode", "stored", "--public-key", OTHER_KEY], 2, "use --key-mode router"),
        add(&["new", "--no-provision", "--public-key", OTHER_KEY], 2, "cannot be used with"),
        on_hub(&["peer", "provision", "kiosk", "--public-key", "hello"], 2, "is not base64"),
        on_hub(&["peer", "provision", "kiosk", "--public-key", "{hub_key}"], 4, "is the hub's own"),
        on_hub(&["peer", "provision", "kiosk", "--public-key", "{cafe_key}"], 4, "belongs to \"cafe\""),
        on_hub(&["peer", "provision", "kiosk", "-n", "--public-key", "{hub_key}"], 4, "is the hub's own"),
        on_hub(&["peer", "provision", "kiosk", "--key-mode", "x"], 2, "is not a key mode"),
        on_hub(&["peer", "provision", "kiosk", "--key-mode", "router"], 2, "makes its own key"),
        on_hub(&["peer", "provision", "cafe"], 4, "has a peer already"),
        // JSON has a place for a key that is not here, a script has none.
        on_hub(&["script", "render", "lone"], 7, "was shown once and is not stored").text_only(),
    ]
}

fn texts() -> Vec<Case> {
    vec![
        add(&["new", "--org", ""], 2, "org \"\" is empty"),
        add(&["new", "--org", " acme"], 2, "begins or ends with a space"),
        add(&["new", "--org", "ac\u{1b}[31mme"], 2, "contains the control character U+001B"),
        add(&["new", "--org", "ac\u{202e}me"], 2, "contains the control character U+202E"),
        add(&["new", "--description", "x\u{7}"], 2, "contains the control character U+0007"),
        add(&["new", "--tag", "city"], 2, "tag \"city\" has no \"=\""),
        add(&["new", "--tag", "=vienna"], 2, "has no key"),
        add(&["new", "--tag", "ci ty=x"], 2, "has a key with other characters than A-Z a-z 0-9 . _ -"),
        add(&["new", "--tag", "city=\u{1b}"], 2, "tag value \"\\u{1b}\" contains the control character"),
        add(&["new", "--tag", "a=1", "--tag", "a=2"], 2, "tag \"a\" is given twice"),
        on_hub(&["location", "set", "cafe", "--tag", "city"], 2, "has no \"=\""),
        on_hub(
            &["location", "set", "cafe", "--tag", "a=1", "--untag", "a"],
            2,
            "use either --tag or --untag",
        ),
        on_hub(&["location", "set", "cafe", "--untag", "city=vienna"], 2, "city=vienna"),
        on_hub(&["location", "set", "cafe"], 2, "there is nothing to set"),
        on_hub(&["location", "set", "cafe", "--org", "x", "--no-org"], 2, "cannot be used with"),
        on_hub(&["location", "list", "--tag", "city"], 2, "has no \"=\""),
        on_hub(&["location", "list", "--state", "happy"], 2, "use online, offline, never"),
        on_hub(&["status", "--state", "happy"], 2, "state \"happy\" is not a state"),
        on_hub(&["script", "render", "cafe", "--kind", "explode"], 2, "explode"),
        on_hub(&["script", "render", "cafe", "--format", "yaml"], 2, "yaml"),
    ]
}

fn init() -> Vec<Case> {
    let init = |flag, value, says| case(Found::Nothing, &["init", flag, value], 2, says);
    vec![
        init("--network", "", "has no prefix length"),
        init("--network", "10.0.0.0", "has no prefix length"),
        init("--network", "10.0.0.1/24", "write the network itself: \"10.0.0.0/24\""),
        init("--network", "10.0.0.0/33", "is not an IPv4 network in CIDR notation"),
        init("--network", "10.0.0/24", "is not an IPv4 network in CIDR notation"),
        init("--network", "fd00::/64", "is not an IPv4 network in CIDR notation"),
        init("--network", "10.0.0.0/32", "has no room for a hub and a router"),
        init("--network", "0.0.0.0/0", "is larger than a /8"),
        init("--network", "224.0.0.0/8", "cannot carry a VPN"),
        init("--endpoint", "", "endpoint \"\" is empty"),
        init("--endpoint", "vpn example.com", "endpoint \"vpn example.com\""),
        init("--endpoint", "vpn\".example.com", "endpoint \"vpn\\\".example.com\""),
        init("--endpoint", "vpn.example.com:0", "has no port between 1 and 65535 after the colon"),
        init("--endpoint", "vpn.example.com:65536", "has no port between 1 and 65535 after the colon"),
        init("--endpoint", ":51820", "has no host"),
        init("--endpoint", "0.0.0.0", "is an address that no router can dial"),
        init("--endpoint", "[fd00::1", "lacks the closing bracket"),
        init("--listen-port", "0", "0 is not in 1..=65535"),
        init("--listen-port", "65536", "65536 is not in 1..=65535"),
        init("--listen-port", "wireguard", "invalid value 'wireguard'"),
        init("--listen-port", "", "--listen-port"),
        init("--interface", "wg 0", "is not the name of a network interface"),
        init("--interface", "../wg0", "is not the name of a network interface"),
        init("--interface", "wireguard-iwas-0", "use 1 to 15 letters, digits"),
        init("--backend", "magic", "use auto, kernel, userspace or none"),
        on_hub(&["init"], 4, "a hub is here already"),
        on_hub(&["init", "-n"], 4, "nothing was changed"),
        on_hub(&["init", "--interface", "wg1"], 4, "config.toml"),
    ]
}

fn not_there() -> Vec<Case> {
    vec![
        on_hub(&["location", "show", "caffe"], 3, "did you mean \"cafe\"?"),
        on_hub(&["location", "show", "zzz"], 3, "\"iwas-wg location list\" shows all"),
        on_hub(&["location", "set", "caffe", "--org", "x"], 3, "there is no location \"caffe\""),
        on_hub(&["location", "remove", "caffe", "--yes"], 3, "there is no location \"caffe\""),
        on_hub(&["peer", "provision", "caffe"], 3, "there is no location \"caffe\""),
        on_hub(&["peer", "reset", "caffe"], 3, "there is no location \"caffe\""),
        on_hub(&["script", "render", "caffe"], 3, "there is no location \"caffe\""),
        on_hub(&["status", "cafe", "caffe"], 3, "there is no location \"caffe\""),
        on_hub(&["peer", "reset", "kiosk"], 3, "run \"iwas-wg peer provision kiosk\""),
        on_hub(&["script", "render", "kiosk"], 3, "run \"iwas-wg peer provision kiosk\""),
    ]
}

fn flags() -> Vec<Case> {
    vec![
        on_hub(&[], 2, "a command is missing"),
        on_hub(&["location"], 2, "a command is missing"),
        on_hub(&["lcation", "list"], 2, "unrecognized subcommand 'lcation'"),
        on_hub(&["location", "ad", "x"], 2, "unrecognized subcommand 'ad'"),
        on_hub(&["location", "add"], 2, "<NAME>"),
        on_hub(&["location", "add", "new", "old"], 2, "unexpected argument 'old'"),
        on_hub(&["location", "add", "new", "--vpnip", "10.0.0.7"], 2, "'--vpn-ip'"),
        on_hub(&["location", "add", "new", "--vpn-ip"], 2, "--vpn-ip"),
        on_hub(&["location", "add", "new", "--org", "a", "--org", "b"], 2, "cannot be used multiple times"),
        on_hub(&["location", "add", "-x", "new"], 2, "unexpected argument '-x'"),
        on_hub(&["location", "remove", "cafe"], 2, "add --yes to confirm it beforehand"),
        on_hub(&["location", "remove", "cafe", "--no-input"], 2, "add --yes"),
        on_hub(&["status", "--frobnicate"], 2, "unexpected argument '--frobnicate'"),
        on_hub(&["status", "--color", "sometimes"], 2, "'sometimes'"),
        on_hub(&["status", "--lock-timeout", "soon"], 2, "'soon'"),
        on_hub(&["status", "--lock-timeout=-1"], 2, "'-1'"),
        on_hub(&["status", "--config"], 2, "--config"),
        on_hub(&["sync", "--yes"], 2, "--prune"),
        on_hub(&["completions", "tcsh"], 2, "'tcsh'"),
        on_hub(&["completions"], 2, "<SHELL>"),
        on_hub(&["location", "list", "--output", "yaml"], 2, "'yaml'"),
    ]
}

fn files() -> Vec<Case> {
    vec![
        on_hub(&["status", "--config", "{root}/no.toml"], 6, "there are no settings at"),
        on_hub(&["status", "--database", "{root}/no.db"], 6, "there is no store at"),
        on_hub(&["location", "add", "new", "--database", "{root}/no.db"], 6, "there is no store at"),
        on_hub(&["location", "add", "new", "--database", "{root}/notes.txt"], 6, "is not a store of iwas-wg"),
        on_hub(&["status", "--database", "{root}/other.db"], 6, "is not a store of iwas-wg"),
        on_hub(&["backup", "{root}/notes.txt"], 4, "exists and is no backup"),
        on_hub(&["backup", "{root}/other.db"], 4, "exists and is no backup"),
        on_hub(&["backup", "{root}/etc"], 4, "is a directory"),
        on_hub(&["backup", "{root}/var/lib/iwas-wg/iwas-wg.db"], 4, "is the store itself"),
        on_hub(
            &["backup", "{root}/new.db", "--recipient", "age1nonsense"],
            2,
            "give an age or ssh public key",
        ),
        on_hub(&["backup", "{root}/new.db", "--recipient", ""], 2, "recipient"),
        on_hub(&["restore", "{root}/none.db", "--yes"], 2, "there is no file"),
        on_hub(&["restore", "{root}/good.db"], 2, "add --yes to confirm it beforehand"),
        on_hub(&["restore", "{root}/notes.txt", "--yes"], 6, "is not a store of iwas-wg"),
        on_hub(&["restore", "{root}/other.db", "--yes"], 6, "is not a store of iwas-wg"),
        on_hub(&["restore", "{root}/var/lib/iwas-wg/iwas-wg.db", "--yes"], 4, "is the store itself"),
        on_hub(&["up"], 6, "hub.backend is \"none\""),
        on_hub(&["heartbeat"], 9, "hub.backend is \"none\""),
    ]
}
