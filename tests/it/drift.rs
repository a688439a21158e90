//! No attribute of a peer or of the interface can change without being seen, on the interface or in
//! the conf, and what is seen is corrected for the peer that it concerns and for no other.

use crate::support::{HUB_KEY, Hub};
use iwas_wg::model::{LivePeer, PresharedDigest, PresharedKey, PrivateKey, PublicKey};
use jiff::Timestamp;
use proptest::{collection::vec, prelude::*, sample::select};
use std::fs;
use zeroize::Zeroizing;

const ADOPTED: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";

/// A preshared key in base64.
fn preshared(n: u8) -> String {
    PresharedKey::from_random(Zeroizing::new([n; 32])).expose().to_string()
}

fn digest(n: u8) -> Option<PresharedDigest> {
    PresharedDigest::of(&[n; 32])
}

/// A hub with an adopted peer that has everything, and two that were made here: one with a preshared
/// key and one without.
fn hub() -> Hub {
    let hub = Hub::empty();
    fs::create_dir_all(hub.path("etc/wireguard")).expect("directory");
    let text = format!(
        "[Interface]\nPrivateKey = {HUB_KEY}\nAddress = 10.0.0.1/24\nListenPort = 51820\nTable = off\n\n\
         # adopted\n[Peer]\nPublicKey = {ADOPTED}\nPresharedKey = {}\nAllowedIPs = 10.0.0.9/32, 192.168.7.0/24\n\
         Endpoint = 203.0.113.1:7\nPersistentKeepalive = 25\n",
        preshared(5)
    );
    fs::write(hub.path("etc/wireguard/wg0.conf"), text).expect("conf");
    hub.run(&["init", "--adopt", "--endpoint", "vpn.example.com"]).ok();
    hub.run(&["sync"]).ok();
    hub.run(&["location", "add", "shared", "--preshared"]).ok();
    hub.run(&["location", "add", "plain"]).ok();
    hub.run(&["heartbeat"]).ok();
    hub.run(&["sync", "--check"]).ok();
    hub
}

fn key_of(hub: &Hub, name: &str) -> PublicKey {
    let shown = hub.run(&["--json", "location", "show", name]).ok().json();
    shown["location"]["vpn_public_key"].as_str().expect("key").parse().expect("key")
}

/// Changes one peer on the interface.
fn on_peer(hub: &Hub, name: &str, change: impl FnOnce(&mut LivePeer)) {
    let key = key_of(hub, name);
    let mut state = hub.device();
    let peers = &mut state.interface.as_mut().expect("interface").peers;
    change(peers.iter_mut().find(|p| p.public_key == key).expect("peer"));
}

/// Changes the block of one peer in the conf: each of its settings is one line.
fn in_block(hub: &Hub, name: &str, setting: &str, value: Option<&str>) {
    let text = hub.conf();
    let key = format!("PublicKey = {}", key_of(hub, name));
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = lines.iter().position(|l| *l == key).expect("block");
    let end = lines[at..].iter().position(|l| l.starts_with('[')).map_or(lines.len(), |n| at + n);
    let there = (at..end).find(|&i| lines[i].starts_with(setting));
    match (there, value) {
        (Some(i), Some(value)) => lines[i] = format!("{setting} = {value}"),
        (Some(i), None) => drop(lines.remove(i)),
        (None, Some(value)) => lines.insert(at + 1, format!("{setting} = {value}")),
        (None, None) => panic!("{name} has no {setting}"),
    }
    fs::write(hub.path("etc/wireguard/wg0.conf"), lines.join("\n") + "\n").expect("conf");
}

/// One disturbance and the peer that it concerns.
type Disturbance = (&'static str, &'static str, fn(&Hub));

/// Each attribute in each way that it can be wrong.
const DISTURBANCES: &[Disturbance] = &[
    ("another preshared key", "shared", |h| on_peer(h, "shared", |p| p.preshared = digest(9))),
    ("no preshared key", "shared", |h| on_peer(h, "shared", |p| p.preshared = None)),
    ("a preshared key too many", "plain", |h| on_peer(h, "plain", |p| p.preshared = digest(9))),
    ("another adopted preshared key", "adopted", |h| on_peer(h, "adopted", |p| p.preshared = digest(9))),
    ("no adopted preshared key", "adopted", |h| on_peer(h, "adopted", |p| p.preshared = None)),
    ("no allowed IPs", "plain", |h| on_peer(h, "plain", |p| p.allowed_ips.clear())),
    ("an allowed IP too many", "shared", |h| {
        on_peer(h, "shared", |p| p.allowed_ips.push("10.5.0.0/16".parse().expect("net")));
    }),
    ("an adopted network less", "adopted", |h| on_peer(h, "adopted", |p| p.allowed_ips.truncate(1))),
    ("another keepalive", "adopted", |h| on_peer(h, "adopted", |p| p.keepalive = 7)),
    ("no keepalive", "adopted", |h| on_peer(h, "adopted", |p| p.keepalive = 0)),
    ("another endpoint", "adopted", |h| {
        on_peer(h, "adopted", |p| p.endpoint = "203.0.113.2:8".parse().ok());
    }),
    ("no endpoint", "adopted", |h| on_peer(h, "adopted", |p| p.endpoint = None)),
    ("another preshared key in the conf", "shared", |h| {
        in_block(h, "shared", "PresharedKey", Some(&preshared(9)));
    }),
    ("no preshared key in the conf", "shared", |h| in_block(h, "shared", "PresharedKey", None)),
    ("a preshared key too many in the conf", "plain", |h| {
        in_block(h, "plain", "PresharedKey", Some(&preshared(9)));
    }),
    ("another adopted preshared key in the conf", "adopted", |h| {
        in_block(h, "adopted", "PresharedKey", Some(&preshared(9)));
    }),
    ("no adopted preshared key in the conf", "adopted", |h| in_block(h, "adopted", "PresharedKey", None)),
    ("another allowed IP in the conf", "plain", |h| in_block(h, "plain", "AllowedIPs", Some("10.0.0.77/32"))),
    ("no allowed IPs in the conf", "plain", |h| in_block(h, "plain", "AllowedIPs", None)),
    ("another keepalive in the conf", "adopted", |h| {
        in_block(h, "adopted", "PersistentKeepalive", Some("26"));
    }),
    ("no keepalive in the conf", "adopted", |h| in_block(h, "adopted", "PersistentKeepalive", None)),
    ("another endpoint in the conf", "adopted", |h| {
        in_block(h, "adopted", "Endpoint", Some("other.example.com:7"));
    }),
    ("no endpoint in the conf", "adopted", |h| in_block(h, "adopted", "Endpoint", None)),
];

/// The attributes of a peer that say how it is, not how it shall be.
const MEASURED: &[&str] = &["last_handshake", "rx_bytes", "tx_bytes"];

#[test]
fn every_attribute_of_a_peer_is_compared_or_measured() {
    // A new field does not compile here until somebody says which it is.
    let LivePeer {
        public_key: _,
        allowed_ips: _,
        preshared: _,
        keepalive: _,
        endpoint: _,
        last_handshake: _,
        rx_bytes: _,
        tx_bytes: _,
    } = LivePeer::new(key(1));
    let compared = ["allowed IP", "preshared key", "keepalive", "endpoint"];
    for attribute in compared {
        let fitting = DISTURBANCES.iter().filter(|(what, ..)| what.contains(attribute));
        assert!(fitting.count() >= 4, "{attribute} is not disturbed on both sides");
    }
    // The public key is what peers are found by: another one is one peer less and a foreign one more.
    assert_eq!(compared.len() + MEASURED.len() + 1, 8);
}

fn key(n: u8) -> PublicKey {
    PrivateKey::from_random(Zeroizing::new([n; 32])).public()
}

/// Disturbs, looks at who sees it, and has it corrected.
fn disturb(hub: &Hub, some: &[Disturbance]) {
    let what: Vec<&str> = some.iter().map(|(what, ..)| *what).collect();
    for (_, _, change) in some {
        change(hub);
    }
    let before = hub.device().interface.clone().expect("interface");
    let check = hub.run(&["sync", "--check"]).code(5);
    assert!(hub.run(&["--json", "heartbeat"]).ok().json()["drift"].as_u64() > Some(0), "{what:?}");
    let doctor = hub.run(&["doctor"]).code(5).stdout;
    assert!(doctor.contains("differs from the store"), "{what:?}: {doctor}");
    for secret in [5, 9].map(preshared) {
        assert!(!(check.stderr.clone() + &doctor).contains(&secret), "{what:?}: a key was shown");
    }
    hub.device().applied.clear();
    hub.run(&["sync"]).ok();
    let concerned: Vec<PublicKey> = some.iter().map(|(_, name, _)| key_of(hub, name)).collect();
    for plan in &hub.device().applied {
        assert!(plan.remove_peers.is_empty() && !plan.set_key, "{what:?}: {plan:?}");
        assert!(plan.set_peers.iter().all(|p| concerned.contains(&p.public_key)), "{what:?}: {plan:?}");
    }
    let after = hub.device().interface.clone().expect("interface");
    for (was, is) in before.peers.iter().zip(&after.peers) {
        assert_eq!((was.public_key, was.last_handshake), (is.public_key, is.last_handshake), "{what:?}");
    }
    hub.run(&["sync", "--check"]).ok();
    assert_eq!(hub.run(&["--json", "heartbeat"]).ok().json()["drift"], 0, "{what:?}");
}

#[test]
fn each_difference_is_seen_and_corrected() {
    let hub = hub();
    let (interface, conf) = (hub.device().interface.clone(), hub.conf());
    for one in DISTURBANCES {
        disturb(&hub, &[*one]);
        let mut now = hub.device().interface.clone().expect("interface");
        let mut was = interface.clone().expect("interface");
        for live in [&mut now, &mut was] {
            live.peers.iter_mut().for_each(|p| p.allowed_ips.sort());
        }
        assert_eq!(now, was, "{}", one.0);
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&hub.conf()), sorted(&conf), "{}", one.0);
    }
}

#[test]
fn an_endpoint_that_roams_is_no_difference_and_is_left_alone() {
    let hub = hub();
    let at = Timestamp::from_second(hub.now.get() - 5).ok();
    let roam = |p: &mut LivePeer| {
        (p.endpoint, p.last_handshake) = ("198.51.100.99:1234".parse().ok(), at);
    };
    on_peer(&hub, "adopted", roam);
    hub.run(&["sync", "--check"]).ok();
    // Nor is it set back when something else of the peer is corrected.
    on_peer(&hub, "adopted", |p| p.preshared = None);
    hub.run(&["sync"]).ok();
    on_peer(&hub, "adopted", |p| {
        assert_eq!((p.preshared, p.endpoint), (digest(5), "198.51.100.99:1234".parse().ok()));
    });
}

#[test]
fn a_preshared_key_that_only_the_interface_has_is_adopted_and_written() {
    let hub = Hub::empty();
    fs::create_dir_all(hub.path("etc/wireguard")).expect("directory");
    let head = format!("[Interface]\nPrivateKey = {HUB_KEY}\nAddress = 10.0.0.1/24\nListenPort = 51820\n\n");
    let peer = format!("[Peer]\nPublicKey = {ADOPTED}\nAllowedIPs = 10.0.0.9/32\n");
    fs::write(hub.path("etc/wireguard/wg0.conf"), head + &peer).expect("conf");
    let maker = self::hub();
    let mut live = maker.device().interface.clone().expect("interface");
    live.peers.truncate(1);
    live.peers[0].allowed_ips.truncate(1);
    live.peers[0].preshared = digest(8);
    hub.device().interface = Some(live);
    hub.device().preshared_keys.insert(ADOPTED.parse().expect("key"), [8; 32]);
    hub.run(&["init", "--adopt", "--endpoint", "vpn.example.com"]).ok();
    hub.run(&["sync"]).ok();
    assert!(hub.device().applied.is_empty(), "the adoption changed the interface");
    assert!(hub.conf().contains(&format!("PresharedKey = {}\n", preshared(8))));
    hub.run(&["down"]).ok();
    hub.run(&["up"]).ok();
    assert_eq!(hub.device().interface.as_ref().expect("interface").peers[0].preshared, digest(8));
}

#[test]
fn a_peer_that_is_taken_over_keeps_what_its_router_knows() {
    // From the interface, from the conf, and from the conf while the interface is down.
    for (on_interface, in_conf) in [(true, false), (false, true), (true, true)] {
        let hub = Hub::up();
        let theirs = key(77);
        if in_conf {
            let block = format!(
                "\n[Peer]\nPublicKey = {theirs}\nPresharedKey = {}\nAllowedIPs = 10.0.0.50/32\n\
                 Endpoint = vpn.example.org:7\nPersistentKeepalive = 21\n",
                preshared(6)
            );
            fs::write(hub.path("etc/wireguard/wg0.conf"), hub.conf() + &block).expect("conf");
        }
        if on_interface {
            let mut state = hub.device();
            let allowed_ips = vec!["10.0.0.50/32".parse().expect("net")];
            let peer = LivePeer { preshared: digest(6), keepalive: 21, allowed_ips, ..LivePeer::new(theirs) };
            state.interface.as_mut().expect("interface").peers.push(peer);
            state.preshared_keys.insert(theirs, [6; 32]);
        }
        let theirs = theirs.to_string();
        let added = hub.run(&["location", "add", "their", "--public-key", &theirs, "--vpn-ip", "10.0.0.50"]);
        if added.code != 0 {
            let _ = hub.run(&["location", "add", "their", "--public-key", &theirs]).ok();
        }
        hub.run(&["sync", "--check"]).ok();
        on_peer(&hub, "their", |p| assert_eq!((p.preshared, p.keepalive), (digest(6), 21)));
        let conf = hub.conf();
        assert!(conf.contains(&format!("PresharedKey = {}\n", preshared(6))), "{conf}");
        assert!(conf.contains("PersistentKeepalive = 21\n"), "{conf}");
        // The sealed copy brings it back where neither has it any more.
        fs::remove_file(hub.path("etc/wireguard/wg0.conf")).expect("conf");
        hub.device().interface = None;
        hub.run(&["sync"]).ok();
        on_peer(&hub, "their", |p| assert_eq!((p.preshared, p.keepalive), (digest(6), 21)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_disturbed_at_once_is_seen_and_corrected(some in vec(select(DISTURBANCES.to_vec()), 1..6)) {
        let hub = hub();
        let mut some = some;
        // Of two that concern the same line the second would look for what the first took away.
        some.sort_by_key(|(what, ..)| *what);
        some.dedup_by_key(|(what, ..)| *what);
        let mut seen = std::collections::BTreeSet::new();
        some.retain(|(what, name, _)| {
            let attribute = ["allowed IP", "network", "preshared", "keepalive", "endpoint"]
                .into_iter()
                .find(|a| what.contains(a));
            seen.insert((attribute, *name, what.ends_with("in the conf")))
        });
        disturb(&hub, &some);
    }
}
