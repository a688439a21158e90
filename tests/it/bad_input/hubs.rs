//! Calls that are right, on hubs whose settings, store, conf or keys are not.

use super::{Case, Found, case, edit};
use std::{fs, os::unix::net::UnixListener, path::Path};

pub(super) fn all() -> Vec<Case> {
    [nothing(), settings(), variables(), stores(), confs(), identities()].into_iter().flatten().collect()
}

const LIST: &[&str] = &["location", "list"];
const ADD: &[&str] = &["location", "add", "new"];

fn nothing() -> Vec<Case> {
    let all: &[&[&'static str]] = &[
        LIST,
        ADD,
        &["status"],
        &["sync"],
        &["up"],
        &["down"],
        &["heartbeat"],
        &["peer", "provision", "cafe"],
        &["script", "render", "cafe"],
        &["backup", "{root}/copy.db"],
    ];
    all.iter().map(|argv| case(Found::Nothing, argv, 6, "run \"iwas-wg init\"")).collect()
}

/// The settings file with this line put in below `[hub]`.
macro_rules! hub_line {
    ($line:expr) => {
        Found::Changed(|root| edit(root, "[hub]\n", concat!("[hub]\n", $line, "\n")))
    };
}

/// The settings file with one text replaced.
macro_rules! edited {
    ($from:expr, $to:expr) => {
        Found::Changed(|root| edit(root, $from, $to))
    };
}

fn settings() -> Vec<Case> {
    let list = |found, says| case(found, LIST, 6, says);
    vec![
        list(hub_line!("endpiont = \"x\""), "config.toml line 4: unknown setting \"hub.endpiont\""),
        list(hub_line!("endpiont = \"x\""), "did you mean \"endpoint\"?"),
        list(hub_line!("zzz = 1"), "known are: interface, endpoint"),
        list(hub_line!("interface = \"wg1\""), "duplicate key"),
        list(hub_line!("interface"), "config.toml line 4: "),
        list(edited!("[hub]", "[hbu]"), "did you mean \"hub\"?"),
        list(edited!("[hub]", "[hub"), "config.toml line 3: "),
        list(edited!("listen_port = 51820", "listen_port = \"51820\""), "write it without quotes"),
        list(edited!("listen_port = 51820", "listen_port = 0"), "is not a number from 1 to 65535"),
        list(edited!("listen_port = 51820", "listen_port = 51820.5"), "must be a number, not a float"),
        list(edited!("network     = \"10.0.0.0/24\"", "network = 10"), "write it in quotes"),
        list(edited!("\"10.0.0.0/24\"", "\"10.0.0.1/24\""), "write the network itself: \"10.0.0.0/24\""),
        list(edited!("reserved  = [", "reserved  = [7, "), "must be a list of strings"),
        list(edited!("\"10.0.0.9\"", "\"10.0.0.9-10.0.0.2\""), "ends before it begins"),
        list(edited!("\"none\"", "\"magic\""), "use auto, kernel, userspace or none"),
        list(edited!("\"vpn.example.com\"", "\"vpn example\""), "endpoint \"vpn example\""),
        list(edited!("\"/etc/wireguard/wg0.conf\"", "\"wg0.conf\""), "is not an absolute path"),
        list(edited!("\"wg0\"", "\"wg 0\""), "is not the name of a network interface"),
        list(edited!("\"stored\"", "\"somewhere\""), "use stored, once or router"),
        list(edited!("offline_after = 180", "offline_after = -1"), "is not a number from 1 to 86400"),
        list(edited!("[heartbeat]", "[access]\nanna = 1\n[heartbeat]"), "unknown setting \"access.anna\""),
        list(edited!("[keys]", "keys = 1\n[keyz]"), "config.toml line"),
        list(
            Found::Changed(|root| fs::write(config(root), b"\xff\xfe").expect("write")),
            "is not UTF-8 text",
        ),
        list(
            Found::Changed(|root| fs::remove_file(config(root)).expect("remove")),
            "there are no settings at",
        ),
        case(edited!("\"vpn.example.com\"", "\"\""), ADD, 6, "hub.endpoint is not set in"),
        case(edited!("recipients = [", "recipients = [\"age1x\", "), ADD, 6, "age1x"),
        case(edited!("recipients = [", "recipients = [] #"), ADD, 6, "--key-mode once"),
    ]
}

fn config(root: &Path) -> std::path::PathBuf {
    root.join("etc/iwas-wg/config.toml")
}

fn variables() -> Vec<Case> {
    let list = |name, value, code, says| case(Found::Hub, LIST, code, says).with(name, value);
    vec![
        list("IWAS_WG_LISTEN_PORT", "0", 2, "IWAS_WG_LISTEN_PORT: \"0\" is not a number from 1 to 65535"),
        list("IWAS_WG_NETWORK", "10.0.0.1/24", 2, "IWAS_WG_NETWORK: network \"10.0.0.1/24\" has host bits"),
        list("IWAS_WG_BACKEND", "magic", 2, "IWAS_WG_BACKEND: backend \"magic\""),
        list("IWAS_WG_CONF", "wg0.conf", 2, "IWAS_WG_CONF: \"wg0.conf\" is not an absolute path"),
        list("IWAS_WG_CONFIG", "/nonexistent/x.toml", 6, "there are no settings at /nonexistent/x.toml"),
        list("IWAS_WG_DATABASE", "/nonexistent/x.db", 6, "there is no store at /nonexistent/x.db"),
    ]
}

fn database(root: &Path) -> std::path::PathBuf {
    root.join("var/lib/iwas-wg/iwas-wg.db")
}

fn overwrite(root: &Path, bytes: &[u8]) {
    fs::write(database(root), bytes).expect("write");
}

fn execute(root: &Path, sql: &str) {
    rusqlite::Connection::open(database(root)).expect("store").execute_batch(sql).expect("SQL");
}

fn stores() -> Vec<Case> {
    let text = Found::Changed(|root| overwrite(root, b"this is not a database, whatever its name says\n"));
    let empty = Found::Changed(|root| overwrite(root, b""));
    let other = Found::Changed(|root| {
        fs::copy(root.join("other.db"), database(root)).expect("copy");
    });
    let newer = Found::Changed(|root| execute(root, "PRAGMA user_version = 4711"));
    let negative = Found::Changed(|root| execute(root, "PRAGMA user_version = -1"));
    let damaged = Found::Changed(|root| {
        let mut bytes = fs::read(database(root)).expect("store");
        bytes.truncate(5000);
        bytes[200..].fill(0xa5);
        overwrite(root, &bytes);
    });
    let missing = Found::Changed(|root| fs::remove_file(database(root)).expect("remove"));
    let hubless = Found::Changed(|root| execute(root, "DELETE FROM hub"));
    let mut all = Vec::new();
    for argv in [LIST, ADD, &["sync"], &["status"], &["backup", "{root}/copy.db"]] {
        all.push(case(text, argv, 6, "the file is not a store of iwas-wg"));
        all.push(case(empty, argv, 6, "the file is not a store of iwas-wg"));
        all.push(case(other, argv, 6, "the file is not a store of iwas-wg"));
        all.push(case(newer, argv, 6, "the store has schema 4711, this program knows"));
        all.push(case(missing, argv, 6, "there is no store at"));
        all.push(case(damaged, argv, 6, "\"iwas-wg restore FILE\" puts a backup in its place"));
    }
    let socket = Found::Changed(|root| {
        UnixListener::bind(root.join("socket")).expect("socket");
    });
    all.push(case(socket, &["backup", "{root}/socket"], 4, "is no plain file"));
    all.push(case(socket, &["restore", "{root}/socket", "--yes"], 4, "is no plain file"));
    all.push(case(negative, LIST, 6, "is not a store of iwas-wg"));
    all.push(case(newer, LIST, 6, "upgrade iwas-wg"));
    all.push(case(hubless, ADD, 6, "the store is damaged: it has no hub"));
    let newer_backup = Found::Changed(|root| {
        let backup = rusqlite::Connection::open(root.join("good.db")).expect("backup");
        backup.execute_batch("PRAGMA user_version = 4711").expect("SQL");
    });
    all.push(case(newer_backup, &["restore", "{root}/good.db", "--yes"], 6, "the store has schema 4711"));
    all
}

fn conf(root: &Path) -> std::path::PathBuf {
    root.join("etc/wireguard/wg0.conf")
}

fn confs() -> Vec<Case> {
    let nonsense = Found::Changed(|root| fs::write(conf(root), "this is not a conf\n").expect("write"));
    let section = Found::Changed(|root| fs::write(conf(root), "[Interface]\n[Unit]\n").expect("write"));
    let bytes = Found::Changed(|root| fs::write(conf(root), b"[Interface]\n\xff\n").expect("write"));
    let two = Found::Changed(|root| {
        let text = fs::read_to_string(conf(root)).expect("conf");
        fs::write(conf(root), text.clone() + &text).expect("write");
    });
    let mut all = Vec::new();
    let provision: &[&str] = &["peer", "provision", "kiosk"];
    for argv in [&["sync"], ADD, provision, &["location", "remove", "cafe", "--yes"]] {
        all.push(case(nonsense, argv, 6, "wg0.conf: line 1: neither a comment nor KEY = VALUE"));
        all.push(case(section, argv, 6, "line 2: a section other than [Interface] and [Peer]"));
        all.push(case(bytes, argv, 6, "line 2: not UTF-8 text"));
        all.push(case(two, argv, 6, "a second [Interface]"));
    }
    all
}

fn identities() -> Vec<Case> {
    fn identity(root: &Path) -> std::path::PathBuf {
        root.join("etc/iwas-wg/identity.txt")
    }
    let render: &[&str] = &["script", "render", "cafe"];
    let missing = Found::Changed(|root| fs::remove_file(identity(root)).expect("remove"));
    let nonsense = Found::Changed(|root| fs::write(identity(root), "no identity\n").expect("write"));
    let empty = Found::Changed(|root| fs::write(identity(root), "").expect("write"));
    let no_conf = Found::Changed(|root| {
        fs::remove_file(identity(root)).expect("remove");
        fs::remove_file(conf(root)).expect("remove");
    });
    vec![
        case(missing, render, 7, "etc/iwas-wg/identity.txt"),
        case(nonsense, render, 7, "name another in keys.identity"),
        case(empty, render, 7, "etc/iwas-wg/identity.txt"),
        // The hub's own key is lost as well: there is nothing to write a conf with.
        case(no_conf, &["sync"], 6, "etc/iwas-wg/identity.txt"),
    ]
}
