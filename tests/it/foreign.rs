//! An interface that is another hub's is never changed, judged or removed, by no command.

use crate::support::{HUB_KEY, Hub, START, tree};
use iwas_wg::model::{LiveInterface, LivePeer, PublicKey};
use jiff::Timestamp;
use std::{collections::BTreeSet, fs};

const WIDE: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
const FOREIGN: &str = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=";

/// What a command does while the interface is another's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Does {
    /// Refuses with exit 4 and changes nothing at all.
    Refuses,
    /// Does its work, which has nothing to do with the interface; it ends with this code.
    Works(u8),
    /// Asks the interface what this hub must not ask: refuses, with the exit code of a plugin.
    Unknown,
}
use Does::{Refuses, Unknown, Works};

/// Each command with what it needs to do something, on the hub of [`hub`].
const COMMANDS: &[(&str, &[&str], Does)] = &[
    ("init", &[], Works(4)),
    ("up", &[], Refuses),
    ("up", &["--dry-run"], Refuses),
    ("down", &[], Refuses),
    ("down", &["--dry-run"], Refuses),
    ("sync", &[], Refuses),
    ("sync", &["--check"], Refuses),
    ("sync", &["--prune", "--yes"], Refuses),
    ("heartbeat", &[], Refuses),
    ("heartbeat", &["--metrics-file", "metrics.prom"], Refuses),
    ("location add", &["new"], Refuses),
    ("location add", &["new", "--dry-run"], Refuses),
    ("location add", &["new", "--public-key", FOREIGN], Refuses),
    ("location add", &["bare", "--no-provision"], Works(0)),
    ("location import", &["fleet.csv"], Refuses),
    ("location remove", &["cafe", "--yes"], Refuses),
    ("location rename", &["cafe", "bar"], Refuses),
    ("location set", &["wide", "--allowed-ips", "vpn-ip-only"], Refuses),
    ("location set", &["cafe", "--description", "by the river"], Works(0)),
    ("location edit", &["cafe"], Works(2)),
    ("location list", &[], Works(0)),
    ("location show", &["cafe"], Works(0)),
    ("location export", &[], Works(0)),
    ("peer provision", &["kiosk"], Refuses),
    ("peer provision", &["--all"], Refuses),
    ("peer rotate", &["cafe"], Refuses),
    ("peer rotate", &["turning", "--abort"], Refuses),
    ("peer rotate", &["turning", "--wait=0"], Refuses),
    ("peer rotate", &["--all", "--scripts-dir", "scripts"], Refuses),
    ("peer disable", &["cafe"], Refuses),
    ("peer enable", &["off"], Refuses),
    ("peer revoke", &["cafe", "--yes"], Refuses),
    ("peer move", &["cafe", "--vpn-ip", "10.0.0.77"], Refuses),
    ("peer move", &["moving", "--done"], Refuses),
    ("peer move", &["moving", "--abort"], Refuses),
    ("peer reset", &["cafe"], Refuses),
    ("peer list", &[], Works(0)),
    ("peer show", &["cafe"], Works(0)),
    ("script render", &["cafe"], Works(0)),
    ("status", &[], Works(0)),
    ("watch", &["--count", "1"], Works(0)),
    ("check", &[], Unknown),
    ("check", &["cafe"], Unknown),
    ("history", &[], Works(0)),
    ("report", &[], Works(0)),
    ("doctor", &[], Works(5)),
    ("inventory", &["--list"], Works(0)),
    ("access whoami", &[], Works(0)),
    ("access check", &["admin", "net:hub:admin"], Works(0)),
    ("audit list", &[], Works(0)),
    ("audit verify", &[], Works(0)),
    ("secrets reseal", &[], Works(0)),
    ("secrets verify", &[], Works(0)),
    ("backup", &["copy.db"], Works(0)),
    ("restore", &["earlier.db", "--yes"], Works(0)),
    ("config get", &["hub.interface"], Works(0)),
    ("config set", &["router.mtu", "1400"], Works(0)),
    ("config unset", &["router.mtu"], Works(0)),
    ("config path", &[], Works(0)),
    ("config check", &[], Works(0)),
    ("completions", &["bash"], Works(0)),
    ("generate man", &["man"], Works(0)),
    ("location remove", &["kiosk", "--yes"], Works(0)),
];

/// The words of every command that does something.
fn leaves(command: &clap::Command, path: &str, all: &mut BTreeSet<String>) {
    for sub in command.get_subcommands().filter(|c| c.get_name() != "help") {
        let words = format!("{path} {}", sub.get_name()).trim_start().to_owned();
        if sub.has_subcommands() {
            leaves(sub, &words, all);
        } else {
            all.insert(words);
        }
    }
}

#[test]
fn every_command_is_in_the_table() {
    let mut all = BTreeSet::new();
    leaves(&iwas_wg::cli::command(), "", &mut all);
    let table: BTreeSet<String> = COMMANDS.iter().map(|(words, ..)| (*words).to_owned()).collect();
    assert_eq!(all, table, "say in COMMANDS what a new command does on another's interface");
}

/// A hub that is up, with a location for each thing that can be done to one.
fn hub() -> Hub {
    let hub = Hub::empty();
    let conf = hub.path("etc/wireguard/wg0.conf");
    fs::create_dir_all(conf.parent().expect("directory")).expect("directory");
    let text = format!(
        "[Interface]\nPrivateKey = {HUB_KEY}\nAddress = 10.0.0.1/24\nListenPort = 51820\n\n\
         # wide\n[Peer]\nPublicKey = {WIDE}\nAllowedIPs = 10.0.0.9/32, 192.168.7.0/24\n"
    );
    fs::write(conf, text).expect("conf");
    hub.run(&["init", "--adopt", "--endpoint", "vpn.example.com"]).ok();
    hub.run(&["up"]).ok();
    for name in ["cafe", "off", "turning", "moving", "over"] {
        hub.add(name);
    }
    hub.run(&["location", "add", "kiosk", "--no-provision"]).ok();
    hub.run(&["peer", "disable", "off"]).ok();
    hub.run(&["peer", "rotate", "turning"]).ok();
    hub.run(&["peer", "move", "moving", "--vpn-ip", "10.0.0.88"]).ok();
    hub.run(&["heartbeat"]).ok();
    fs::write(hub.path("fleet.csv"), "name\nimported\n").expect("file");
    let earlier = hub.path("earlier.db").display().to_string();
    hub.run(&["backup", &earlier]).ok();
    // What a heartbeat and sync would end now.
    hub.run(&["location", "set", "over", "--expires", "1h"]).ok();
    hub.now.set(hub.now.get() + 7200);
    hub
}

/// Another hub's interface, on which one of our peers shakes hands.
fn others(hub: &Hub, key: Option<&str>) -> LiveInterface {
    let cafe = hub.run(&["--json", "location", "show", "cafe"]).ok().json();
    let keys = [cafe["location"]["vpn_public_key"].as_str().expect("key").to_owned(), WIDE.to_owned()];
    let peer = |key: &String| LivePeer {
        allowed_ips: vec!["10.0.0.2/32".parse().expect("net")],
        endpoint: "198.51.100.7:7".parse().ok(),
        last_handshake: Timestamp::from_second(hub.now.get() - 5).ok(),
        rx_bytes: 7,
        tx_bytes: 7,
        ..LivePeer::new(key.parse().expect("key"))
    };
    LiveInterface {
        userspace: false,
        up: true,
        public_key: key.map(|k| k.parse::<PublicKey>().expect("key")),
        listen_port: Some(51999),
        fwmark: 0,
        mtu: 1420,
        addresses: vec!["10.9.0.1/24".parse().expect("net")],
        age_seconds: Some(1000),
        peers: keys.iter().map(peer).collect(),
    }
}

/// Runs every command on one hub, those that may change the store last, and holds it to the table.
fn hold_to_the_table(make_foreign: impl Fn(&Hub), says: &[&str], hints: &[&str]) {
    let hub = hub();
    make_foreign(&hub);
    let interface = hub.device().interface.clone();
    hub.device().applied.clear();
    let (mut changing, mut all): (Vec<_>, Vec<_>) =
        COMMANDS.iter().copied().partition(|(_, _, does)| matches!(does, Works(_)));
    all.append(&mut changing);
    for (words, args, does) in all {
        let before = tree(hub.root());
        let own = ["fleet.csv", "earlier.db", "copy.db", "man", "scripts", "metrics.prom"];
        let args: Vec<String> = args
            .iter()
            .map(|a| if own.contains(a) { hub.path(a).display().to_string() } else { (*a).to_owned() })
            .collect();
        let call: Vec<&str> = words.split(' ').chain(args.iter().map(String::as_str)).collect();
        let run = hub.run(&call);
        let label = call.join(" ");
        let code = match does {
            Refuses => 4,
            Works(code) => code,
            Unknown => 3,
        };
        assert_eq!(run.code, code, "{label}: {run:#?}");
        if does == Refuses {
            let (error, hint) = run.error();
            for part in says {
                assert!(error.contains(part), "{label}: no {part:?} in {error}");
            }
            for part in hints {
                assert!(hint.starts_with("hint: ") && hint.contains(part), "{label}: no {part:?} in {hint}");
            }
        } else {
            // Nothing that the other hub's peers do is told as this hub's.
            let ours = ["198.51.100.7", "1 online", "\"state\":\"online\""];
            assert!(!ours.iter().any(|o| run.stdout.contains(o)), "{label} shows another's peers: {run:#?}");
        }
        if does == Unknown {
            assert!(run.stdout.contains("UNKNOWN"), "{label}: {run:#?}");
            assert!(says.iter().all(|part| run.stdout.contains(part)), "{label}: {run:#?}");
        }
        if !matches!(does, Works(_)) {
            assert!(tree(hub.root()) == before, "{label} changed a file");
        }
        assert_eq!(hub.device().interface, interface, "{label} changed the interface");
        assert!(hub.device().applied.is_empty(), "{label} changed the interface");
    }
}

#[test]
fn no_command_touches_or_judges_an_interface_with_another_key() {
    hold_to_the_table(
        |hub| {
            let live = others(hub, Some(FOREIGN));
            hub.device().interface = Some(live);
        },
        &["wg0 is not this hub's", FOREIGN, "51999", "2 peers"],
        &["hub.interface", "ip link del wg0", "--adopt"],
    );
}

#[test]
fn no_command_touches_or_judges_an_interface_without_a_key_that_is_in_use() {
    hold_to_the_table(
        |hub| {
            let live = others(hub, None);
            hub.device().interface = Some(live);
        },
        &["wg0 is not this hub's", "no key", "51999", "2 peers"],
        &["hub.interface", "ip link del wg0"],
    );
}

#[test]
fn no_command_touches_or_judges_an_interface_of_another_kind() {
    hold_to_the_table(
        |hub| hub.device().other_kind = true,
        &["wg0 is not a WireGuard interface"],
        &["hub.interface", "ip link del wg0"],
    );
}

#[test]
fn status_watch_and_doctor_say_that_the_interface_is_anothers() {
    let hub = hub();
    let live = others(&hub, Some(FOREIGN));
    hub.device().interface = Some(live);
    let status = hub.run(&["--json", "status"]).ok();
    assert_eq!((&status.json()["source"], &status.json()["hub"]["up"]), (&"heartbeat".into(), &false.into()));
    assert!(status.stderr.contains("the interface wg0 is not this hub's"), "{status:#?}");
    let watch = hub.run(&["--json", "watch", "--count", "1"]).ok();
    assert!(watch.stderr.contains("the interface wg0 is not this hub's"), "{watch:#?}");
    let doctor = hub.run(&["--json", "doctor"]).code(5).json();
    let checks = doctor["checks"].as_array().expect("checks");
    let of = |name: &str| checks.iter().filter(|c| c["check"] == name).collect::<Vec<_>>();
    assert_eq!((of("interface").len(), of("port").len()), (1, 0), "the foreign interface was judged");
    assert_eq!(of("interface")[0]["verdict"], "fault");
    assert!(of("interface")[0]["remedy"].as_str().is_some_and(|r| r.contains("ip link del wg0")));
}

#[test]
fn a_blank_interface_is_finished_by_up_and_by_sync() {
    for command in ["up", "sync"] {
        let hub = hub();
        hub.run(&["sync"]).ok();
        let blank = LiveInterface {
            up: false,
            listen_port: None,
            addresses: Vec::new(),
            peers: Vec::new(),
            ..others(&hub, None)
        };
        hub.device().interface = Some(blank);
        hub.run(&["sync", "--check"]).code(5);
        hub.run(&[command]).ok();
        hub.run(&["sync", "--check"]).ok();
    }
}

#[test]
fn without_an_interface_of_its_own_a_hub_does_not_look_at_any() {
    let mut hub = hub();
    let live = others(&hub, Some(FOREIGN));
    hub.device().interface = Some(live);
    hub.vars.insert("IWAS_WG_BACKEND".to_owned(), "none".to_owned());
    hub.run(&["location", "add", "new"]).ok();
    hub.run(&["location", "remove", "cafe", "--yes"]).ok();
    hub.run(&["sync"]).ok();
    hub.run(&["down"]).ok();
    assert!(hub.device().interface.is_some());
}

#[test]
fn init_refuses_a_name_that_is_taken_and_makes_nothing() {
    let taken = |hub: &Hub| {
        let maker = self::hub();
        let live = others(&maker, Some(FOREIGN));
        hub.device().interface = Some(live);
    };
    let hub = Hub::empty();
    taken(&hub);
    let before = tree(hub.root());
    for args in [&["init"][..], &["init", "--dry-run"], &["init", "--endpoint", "vpn.example.com"]] {
        let run = hub.run(args).code(4);
        let (error, hint) = run.error();
        for part in [FOREIGN, "51999", "2 peers"] {
            assert!(error.contains(part), "{error}");
        }
        for part in ["--adopt", "another --interface", "ip link del wg0"] {
            assert!(hint.contains(part), "{hint}");
        }
    }
    assert!(tree(hub.root()) == before);
    hub.run(&["init", "--backend", "none", "--endpoint", "vpn.example.com"]).ok();

    let hub = Hub::empty();
    hub.device().other_kind = true;
    assert!(hub.run(&["init"]).code(4).error().1.contains("another --interface"));
}

#[test]
fn two_hubs_of_one_interface_name_leave_each_others_alone() {
    let (first, second) = (Hub::with_network("10.0.0.0/24"), Hub::empty());
    second.random.set(7);
    second.run(&["init", "--network", "10.1.0.0/24", "--endpoint", "vpn.example.com"]).ok();
    first.run(&["up"]).ok();
    let live = first.device().interface.clone();
    second.device().interface.clone_from(&live);
    for args in [&["up"][..], &["sync"], &["down"], &["heartbeat"], &["location", "add", "cafe"]] {
        let run = second.run(args).code(4);
        assert!(run.error().0.contains("wg0 is not this hub's"), "{}", run.stderr);
    }
    assert_eq!(second.device().interface, live);
    // Once the other is gone, the name is free.
    second.device().interface = None;
    second.run(&["up"]).ok();
    assert_eq!(second.now.get(), START);
}

#[test]
fn a_conf_of_another_hub_is_left_as_it_is() {
    let hub = hub();
    let conf = hub.path("etc/wireguard/wg0.conf");
    let other = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
    let text = format!("[Interface]\nPrivateKey = {other}\nAddress = 10.9.0.1/24\nListenPort = 51999\n");
    fs::write(&conf, &text).expect("conf");
    let before = tree(hub.root());
    for args in [
        &["sync"][..],
        &["sync", "--dry-run"],
        &["location", "add", "new"],
        &["location", "rename", "cafe", "bar"],
        &["location", "remove", "cafe", "--yes"],
        &["peer", "disable", "cafe"],
        &["peer", "provision", "kiosk"],
    ] {
        let run = hub.run(args).code(4);
        let (error, hint) = run.error();
        assert!(error.contains("wg0.conf is another hub's") && !error.contains(other), "{args:?}: {error}");
        assert!(hint.contains("move it away"), "{args:?}: {hint}");
        assert!(tree(hub.root()) == before, "{args:?} changed a file");
    }
    let doctor = hub.run(&["doctor"]).code(5).stdout;
    assert!(doctor.contains("is another hub's"), "{doctor}");
    // The remedy.
    fs::rename(&conf, hub.path("theirs.conf")).expect("moved");
    hub.run(&["sync"]).ok();
    hub.run(&["sync", "--check"]).ok();
    assert!(hub.conf().starts_with("# The WireGuard interface of this hub"), "{}", hub.conf());
}
