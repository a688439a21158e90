//! Confs as the tools in the field write them, with made-up keys: each is adopted, gets one location
//! more, and keeps every line and peer that it had.

use crate::support::Hub;
use iwas_wg::wgconf::Conf;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::PathBuf};

/// The name of a fixture below `tests/confs`, and of each peer its name, address and description.
type Style = (&'static str, &'static [(&'static str, &'static str, Option<&'static str>)]);

const STYLES: &[Style] = &[
    ("algo.conf", &[("alice", "10.49.0.2", None), ("bob", "10.49.0.3", None)]),
    ("angristan.conf", &[("alice", "10.66.66.2", None), ("bob", "10.66.66.3", None)]),
    ("dsnet.json", &[("alice", "10.164.236.2", Some("Alice's laptop")), ("bob", "10.164.236.3", None)]),
    (
        "hand-lans.conf",
        &[
            ("vienna-2nd-floor", "10.20.0.2", Some("Vienna, 2nd floor")),
            ("graz", "10.20.0.3", Some("Graz")),
            ("salzburg", "10.20.0.5", Some("Salzburg; new router")),
        ],
    ),
    ("hand-saveconfig.conf", &[("peer-10.30.0.2", "10.30.0.2", None), ("peer-10.30.0.3", "10.30.0.3", None)]),
    ("innernet.conf", &[("peer-10.42.1.1", "10.42.1.1", None), ("peer-10.42.1.2", "10.42.1.2", None)]),
    ("linuxserver.conf", &[("laptop", "10.13.13.2", None), ("phone", "10.13.13.3", None)]),
    ("manager.conf", &[("alice", "10.0.0.3", None), ("bob", "10.0.0.4", None)]),
    ("nyr.conf", &[("alice", "10.7.0.2", None), ("bob", "10.7.0.3", None)]),
    ("pivpn.conf", &[("alice", "10.6.0.2", None), ("bob", "10.6.0.3", None)]),
    ("subspace.conf", &[("peer-10.99.97.2", "10.99.97.2", None), ("peer-10.99.97.3", "10.99.97.3", None)]),
    ("wg-easy-14.conf", &[("alice-phone", "10.8.0.2", Some("Alice Phone")), ("bob", "10.8.0.3", None)]),
    (
        "wg-easy-15.conf",
        &[("alice", "10.8.0.2", Some("Alice")), ("bob-s-tablet", "10.8.0.3", Some("Bob's tablet"))],
    ),
    (
        "wg-gen-web.conf",
        &[
            ("alice", "10.6.6.2", Some("alice; alice@example.com")),
            ("bob", "10.6.6.3", Some("bob; bob@example.com")),
        ],
    ),
    (
        "wg-portal.conf",
        &[
            ("alice-liddell", "10.11.12.2", Some("Alice Liddell; alice@example.com")),
            ("bob", "10.11.12.3", None),
        ],
    ),
    (
        "wireguard-ui.conf",
        &[
            ("alice-liddell", "10.252.1.1", Some("Alice Liddell; alice@example.com")),
            ("bob", "10.252.1.2", None),
        ],
    ),
];

fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/confs").join(name);
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Adopts this file without an interface, and the hub as it is then.
fn adopted(name: &str, bytes: &[u8]) -> (Hub, Value) {
    let hub = Hub::empty();
    let file = hub.path(if name.contains("dsnet") { "found.json" } else { "etc/wireguard/wg0.conf" });
    fs::create_dir_all(file.parent().expect("a directory")).expect("directory");
    fs::write(&file, bytes).expect("conf");
    let from = file.display().to_string();
    // Where the file says no network, as showconf never does, or only the hub's own address.
    let network = match name {
        "innernet.conf" => &["--network", "10.42.0.0/16"][..],
        "linuxserver.conf" => &["--network", "10.13.13.0/24"],
        _ => &[],
    };
    let base = [
        "--json",
        "init",
        "--adopt",
        "--backend",
        "none",
        "--endpoint",
        "vpn.example.com",
        "--interface",
        "wg0",
    ];
    let report = hub.run(&[&base[..], &["--from", &from], network].concat()).ok().json();
    (hub, report)
}

fn bytes_of(hub: &Hub) -> Vec<u8> {
    fs::read(hub.path("etc/wireguard/wg0.conf")).expect("conf")
}

/// Whether all lines of a file are in another one, in their order; `except` may be otherwise.
fn keeps_lines(before: &[u8], after: &[u8], except: impl Fn(&[u8]) -> bool) -> Result<(), String> {
    let mut rest = after.split(|b| *b == b'\n');
    for line in before.split(|b| *b == b'\n').filter(|l| !except(l)) {
        if !rest.any(|l| l == line) {
            let (line, after) = (String::from_utf8_lossy(line), String::from_utf8_lossy(after));
            return Err(format!("{line:?} is not in its place in\n{after}"));
        }
    }
    Ok(())
}

/// What wg(8) is told of each peer.
fn peers(bytes: &[u8]) -> BTreeMap<String, (Vec<String>, String)> {
    let conf = Conf::parse(bytes).expect("a conf");
    let extras = conf.extras();
    let more = |key: &iwas_wg::model::PublicKey| {
        extras.get(key).map_or(String::new(), |e| {
            let secret = e.preshared_key.as_ref().map(|k| k.expose().to_string());
            format!("{secret:?} {:?} {:?}", e.endpoint, e.keepalive)
        })
    };
    let all = conf.peers().into_iter();
    all.map(|p| {
        let allowed = p.allowed_ips.iter().map(ToString::to_string).collect();
        (p.public_key.to_string(), (allowed, more(&p.public_key)))
    })
    .collect()
}

#[test]
fn every_style_is_adopted_added_to_and_kept() {
    for (name, expected) in STYLES {
        let before = fixture(name);
        let (hub, report) = adopted(name, &before);
        let names: Vec<&str> = {
            let mut names: Vec<&str> = expected.iter().map(|e| e.0).collect();
            names.sort_unstable();
            names
        };
        assert_eq!((&report["adopted"], &report["left"]), (&json!(names), &json!([])), "{name}");
        for (location, address, description) in *expected {
            let l = hub.run(&["--json", "location", "show", location]).ok().json()["location"].clone();
            let expected = (json!(address), json!(description));
            assert_eq!((l["vpn_ip"].clone(), l["description"].clone()), expected, "{name}: {location}");
        }
        hub.run(&["sync", "--check"]).ok();
        let first = if *name == "dsnet.json" { bytes_of(&hub) } else { before };
        keeps_lines(&first, &bytes_of(&hub), |l| corrected(name, l))
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let old = peers(&first);
        hub.add("new-site");
        hub.run(&["sync", "--check"]).ok();
        hub.run(&["sync"]).ok();
        keeps_lines(&first, &bytes_of(&hub), |l| corrected(name, l))
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut now = peers(&bytes_of(&hub));
        assert_eq!(now.len(), old.len() + 1, "{name}");
        now.retain(|key, _| old.contains_key(key));
        assert_eq!(now, old, "{name}");
    }
}

/// A hub's address that names no network becomes one of the network's, which the adoption says.
fn corrected(name: &str, line: &[u8]) -> bool {
    name == "linuxserver.conf" && line == b"Address = 10.13.13.1"
}

#[test]
fn the_address_of_a_peer_that_is_commented_out_is_nobody_elses() {
    for (name, held) in [("hand-lans.conf", "10.20.0.4"), ("pivpn.conf", "10.6.0.4")] {
        let hub = Hub::empty();
        let file = hub.path("etc/wireguard/wg0.conf");
        fs::create_dir_all(file.parent().expect("a directory")).expect("directory");
        fs::write(&file, fixture(name)).expect("conf");
        let run = hub.run(&["init", "--adopt", "--backend", "none", "--endpoint", "vpn.example.com"]).ok();
        let warning =
            format!("has peers that are commented out: {held} stay theirs and are given to no location");
        assert_eq!(run.stderr.matches(&warning).count(), 1, "{}", run.stderr);
        assert!(run.stderr.matches("commented out").count() == 1, "{}", run.stderr);
        for n in 0..4 {
            assert_ne!(hub.add_for_address(&format!("n{n}")), held);
        }
        hub.run(&["location", "add", "x", "--vpn-ip", held]).code(4);
    }
}

#[test]
fn a_conf_of_windows_in_latin_1_is_adopted_byte_for_byte() {
    let text = String::from_utf8(fixture("hand-lans.conf")).expect("text");
    let text = text.replace("Vienna, 2nd floor", "Caf@ in Wien").replace('\n', "\r\n");
    let before: Vec<u8> = text.bytes().map(|b| if b == b'@' { 0xe9 } else { b }).collect();
    let (hub, report) = adopted("windows", &before);
    assert_eq!(report["adopted"], json!(["caf-in-wien", "graz", "salzburg"]));
    let l = hub.run(&["--json", "location", "show", "caf-in-wien"]).ok().json();
    assert_eq!(l["location"]["description"], "Café in Wien");
    hub.run(&["sync", "--check"]).ok();
    keeps_lines(&before, &bytes_of(&hub), |_| false).unwrap_or_else(|e| panic!("{e}"));
    assert!(bytes_of(&hub).windows(2).all(|w| w[1] != b'\n' || w[0] == b'\r'), "a line ends otherwise");
}

#[test]
fn a_comment_with_a_key_in_it_names_nobody() {
    let key = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
    let text = String::from_utf8(fixture("angristan.conf")).expect("text");
    for comment in [
        key.to_owned(),
        format!("private key: {key}"),
        format!("alice's key is {key}, keep it"),
        format!("friendly_name = {key}"),
        format!("Client: {} (1)", key.trim_end_matches('=')),
    ] {
        let text = text.replace("### Client alice", &format!("# {comment}"));
        let (hub, report) = adopted("key", text.as_bytes());
        assert_eq!(report["adopted"], json!(["bob", "peer-10.66.66.2"]), "{comment}");
        let all = hub.run(&["--json", "location", "list"]).ok().stdout;
        assert!(!all.contains("yAnz5TF") && !all.contains("yanz5tf"), "{all}");
        assert!(hub.conf().contains(&comment), "the comment is gone");
    }
}

#[test]
fn one_peer_twice_and_the_hub_among_its_peers_are_refused_with_their_lines() {
    let text = String::from_utf8(fixture("angristan.conf")).expect("text");
    let private = Conf::parse(text.as_bytes()).expect("conf").private_key().expect("key");
    let twice = |key: &str| format!("{text}\n[Peer]\nPublicKey = {key}\nAllowedIPs = 10.66.66.9/32\n");
    let alice = peers(text.as_bytes()).into_iter().find(|(_, p)| p.0[0] == "10.66.66.2/32").expect("alice").0;
    let line = text.lines().count() + 2;
    let hub_key = private.public().to_string();
    let path = |hub: &Hub| hub.path("etc/wireguard/wg0.conf").display().to_string();
    for (text, why) in [
        (twice(&alice), format!("the peer {alice} is there twice, in line 10 and in line {line}")),
        (twice(&hub_key), format!("line {line}: the hub's own key {hub_key} is among the peers")),
    ] {
        let hub = Hub::empty();
        fs::create_dir_all(hub.path("etc/wireguard")).expect("directory");
        fs::write(path(&hub), &text).expect("conf");
        let run = hub.run(&["init", "--adopt", "--backend", "none"]).code(4);
        assert_eq!(run.error().0, format!("iwas-wg: {}: {why}", path(&hub)));
        assert!(!hub.path("etc/iwas-wg").exists());
    }
    // The same by a hand that came later.
    let (hub, _) = adopted("angristan.conf", text.as_bytes());
    let whole = hub.conf();
    let line = whole.lines().count() + 2;
    fs::write(path(&hub), whole.clone() + &twice(&hub_key)[text.len()..]).expect("conf");
    let why = format!("line {line}: the hub's own key {hub_key} is among the peers");
    assert_eq!(hub.run(&["sync"]).code(4).error().0, format!("iwas-wg: {}: {why}", path(&hub)));
    assert!(hub.run(&["doctor"]).code(5).stdout.contains(&why));
    fs::write(path(&hub), whole.clone() + &twice(&alice)[text.len()..]).expect("conf");
    let why = format!("the peer {alice} is there twice, in line 10 and in line {line}");
    assert!(hub.run(&["doctor"]).code(5).stdout.contains(&why));
    assert!(hub.run(&["sync"]).ok().stderr.contains(&why));
    assert_eq!(hub.conf(), whole);
}

#[test]
fn names_come_with_semicolons_and_tabs_too() {
    let text = fixture("subspace.conf");
    let keys: Vec<String> = peers(&text).into_keys().collect();
    for (text, is_name) in [
        (format!("{};one\n{};two;;\n", keys[0], keys[1]), true),
        (format!("key\tname\r\n{}\tone\r\n{}\ttwo\r\n", keys[0], keys[1]), true),
        (format!("sep=;\r\nkey;name\r\n\"{}\";\"one\"\r\n{};two\r\n", keys[0], keys[1]), true),
        (format!("{} one\n", keys[0]), false),
    ] {
        let hub = Hub::empty();
        let (names, conf) = (hub.path("names.csv"), hub.path("found.conf"));
        fs::write(&names, &text).expect("names");
        fs::write(&conf, fixture("subspace.conf")).expect("conf");
        let (names, conf) = (names.display().to_string(), conf.display().to_string());
        let run = hub.run(&["--json", "init", "--adopt", "-n", "--from", &conf, "--names", &names]);
        if is_name {
            assert_eq!(run.ok().json()["adopted"], json!(["one", "two"]), "{text}");
        } else {
            assert!(run.code(2).stderr.contains("line 1: has no comma"));
        }
    }
}

/// A line of a comment, any bytes but those that end it.
fn comment() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::sample::select(vec![
            "# Café",
            "### begin x ###",
            "### end x ###",
            "# BEGIN_PEER x",
            "# END_PEER x",
            "### Client x",
            "# Client: x (1)",
            "# friendly_name = Old Name",
            "#[Peer]",
            "#AllowedIPs = 10.9.0.77/32",
            "#",
            "# x start",
            "# x end",
            "# Name: x",
            "# [Peer]",
            "",
        ])
        .prop_map(|s| s.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>().prop_filter("one line", |b| *b != b'\n'), 0..20).prop_map(|b| [
            b"# ".as_slice(),
            &b
        ]
        .concat()),
    ]
}

/// A peer with its comments and whatever settings.
fn peer(n: u8) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let key = iwas_wg::model::PublicKey::from_bytes([n + 1; 32]);
    let own = prop::sample::select(vec![
        format!("AllowedIPs = 10.9.0.{}/32", n + 2),
        format!("allowedips=10.9.0.{} # own", n + 2),
        format!("Allowed IPs = 10.9.0.{}/32, 10.9.0.{}/32, 172.16.{n}.7/24", n + 2, n + 2),
        format!("AllowedIPs = fd09::{n}, 10.9.0.{}/32\nAllowedIPs = 192.168.{n}.0/24", n + 2),
        format!("AllowedIPs = 10.44.{n}.0/24"),
    ]);
    let more = prop::sample::select(vec![
        "PersistentKeepalive = 25",
        "persistentkeepalive = off",
        "Endpoint = vpn.example.com:5 # x",
        "Endpoint = 2001:db8::1:5",
        "PresharedKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=",
    ]);
    let lines = (comment(), comment(), comment(), own, prop::option::of(more), any::<bool>(), any::<bool>());
    lines.prop_map(move |(above, inside, below, own, more, last, tight)| {
        let key = format!("PublicKey = {key}").into_bytes();
        let mut body = vec![inside, own.into_bytes()];
        body.extend(more.map(|m| m.as_bytes().to_vec()));
        body.insert(if last { body.len() } else { 0 }, key);
        let mut lines = vec![above, b"[Peer] # p".to_vec()];
        lines.append(&mut body);
        lines.push(below);
        if !tight {
            lines.push(Vec::new());
        }
        lines
    })
}

fn any_conf() -> impl Strategy<Value = Vec<u8>> {
    let interface = prop::collection::vec(
        prop::sample::select(vec![
            "ListenPort = 4500",
            "MTU = 1400",
            "FwMark = 0x2a",
            "PostUp = true; true",
            "DNS =",
            "Table = auto",
            "SaveConfig = false",
            "Address = fd09::1/64",
            "# hub",
            "",
        ]),
        0..6,
    );
    let address = prop::sample::select(vec!["10.9.0.1/24", "10.9.0.1/24, fd09::1/64", "10.9.0.254/24 # hub"]);
    let peers = (0..6u8).map(peer).collect::<Vec<_>>();
    (interface, address, peers, any::<bool>(), any::<bool>(), 0..7usize).prop_map(
        |(interface, address, peers, crlf, newline, count)| {
            let key = "PrivateKey = dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";
            let mut lines: Vec<Vec<u8>> = vec![b"[Interface]".to_vec(), key.as_bytes().to_vec()];
            lines.push(format!("Address = {address}").into_bytes());
            lines.extend(interface.into_iter().map(|l| l.as_bytes().to_vec()));
            lines.extend(peers.into_iter().take(count).flatten());
            let mut text = lines.join(if crlf { b"\r\n".as_slice() } else { b"\n" });
            if newline || crlf {
                text.push(b'\n');
            }
            text
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_adoption_takes_is_in_line_at_once_and_keeps_its_lines(before in any_conf()) {
        let hub = Hub::empty();
        fs::create_dir_all(hub.path("etc/wireguard")).expect("directory");
        fs::write(hub.path("etc/wireguard/wg0.conf"), &before).expect("conf");
        let run = hub.run(&["init", "--adopt", "--backend", "none", "--endpoint", "vpn.example.com"]).ok();
        let check = hub.run(&["sync", "--check"]);
        prop_assert_eq!(check.code, 0, "{:?}\n{:?}\n{}", check, run, String::from_utf8_lossy(&before));
        let named = |l: &[u8]| l.starts_with(b"# friendly_name") || l.is_empty() || l == b"\r";
        let trimmed = before.strip_suffix(b"\n").unwrap_or(&before);
        let kept = keeps_lines(trimmed, &bytes_of(&hub), named);
        prop_assert!(kept.is_ok(), "{:?}", kept);
        let (old, now) = (peers(&before), peers(&bytes_of(&hub)));
        prop_assert_eq!(old, now);
        hub.add("new-site");
        hub.run(&["sync", "--check"]).ok();
        let kept = keeps_lines(trimmed, &bytes_of(&hub), named);
        prop_assert!(kept.is_ok(), "{:?}", kept);
    }
}
