//! A conf that is known need not be read; these tests doubt that.

use crate::support::Hub;
use std::{fs, thread::sleep, time::Duration};

/// A hub whose conf is known, with as many bytes of a stranger's comments in it.
fn known(comments: usize) -> Hub {
    let hub = Hub::up();
    let conf = hub.path("etc/wireguard/wg0.conf");
    let line = format!("# {}\n", "x".repeat(97));
    fs::write(&conf, line.repeat(comments / 100) + &hub.conf()).expect("conf");
    // Only a file that has been left alone for a moment is known again.
    sleep(Duration::from_millis(60));
    hub.run(&["sync"]).ok();
    hub
}

fn rows(hub: &Hub, sql: &str) -> i64 {
    let store = rusqlite::Connection::open(hub.path("var/lib/iwas-wg/iwas-wg.db")).expect("store");
    store.query_row(sql, [], |r| r.get(0)).expect("row")
}

/// Whether the next change may go behind the conf as it is.
fn is_known(hub: &Hub) -> bool {
    rows(hub, "SELECT count(*) FROM conf_seen WHERE behind = 0") == 1
}

fn files(hub: &Hub) -> usize {
    fs::read_dir(hub.path("etc/wireguard")).expect("directory").count()
}

#[test]
fn what_is_appended_is_what_rewriting_would_write() {
    for comments in [0, 1_300_000] {
        let hub = known(comments);
        for name in ["alpha", "beta", "gamma", "delta"] {
            assert!(is_known(&hub), "before {name}");
            hub.add(name);
        }
        let appended = hub.conf();
        assert_eq!(appended.matches("\n[Peer]\n").count(), 4);
        // A large one is kept twice, a small one is not.
        assert_eq!(files(&hub), if comments > 0 { 2 } else { 1 });
        assert_eq!(hub.run(&["sync", "--check"]).code, 0);
        // The same from nothing but the store.
        let mut bare: String = appended.split("\n[Peer]\n").next().expect("head").to_owned();
        bare.push('\n');
        fs::write(hub.path("etc/wireguard/wg0.conf"), &bare).expect("conf");
        hub.run(&["sync"]).ok();
        let blocks = |text: &str| {
            let mut all: Vec<String> =
                text.split("\n[Peer]\n").skip(1).map(|b| b.trim().to_owned()).collect();
            all.sort();
            all
        };
        assert_eq!(blocks(&hub.conf()), blocks(&appended));
        assert_eq!(files(&hub), 1, "a spare stayed that is not the beginning of the conf");
    }
}

#[test]
fn a_strangers_peer_keeps_its_lines_and_its_address() {
    let hub = known(0);
    hub.add("alpha");
    assert!(is_known(&hub));
    let theirs = "\n[Peer]\n# ours by hand\nPublicKey = AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\nAllowedIPs = 10.0.0.3/32\n";
    let conf = hub.conf() + theirs;
    fs::write(hub.path("etc/wireguard/wg0.conf"), &conf).expect("conf");
    assert_eq!(hub.add_for_address("beta"), "10.0.0.4", "the stranger's address was given away");
    assert!(hub.conf().contains(theirs));
    // By now it is known with the stranger in it.
    assert!(is_known(&hub));
    assert_eq!(hub.add_for_address("gamma"), "10.0.0.5");
    let taken = hub.run(&["location", "add", "delta", "--vpn-ip", "10.0.0.3"]);
    assert!(taken.code(4).stderr.contains("not in the store"));
    // The stranger becomes a location: its block is there already and must not come twice.
    let key = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    hub.run(&["location", "add", "theirs", "--public-key", key, "--vpn-ip", "10.0.0.9"]).ok();
    assert_eq!(hub.conf().matches(key).count(), 1);
    assert_eq!(hub.run(&["sync", "--check"]).code, 0);
}

#[test]
fn a_change_that_never_reached_the_conf_is_not_forgotten() {
    let hub = known(0);
    hub.add("alpha");
    let conf = hub.conf();
    hub.add("beta");
    // As after a crash between the commit and the conf: the file of before lies there again.
    fs::write(hub.path("etc/wireguard/wg0.conf"), &conf).expect("conf");
    hub.add("gamma");
    assert_eq!(hub.conf().matches("\n[Peer]\n").count(), 3);
    assert_eq!(hub.run(&["sync", "--check"]).code, 0);
}

#[test]
fn a_conf_with_something_to_warn_of_is_always_read() {
    let hub = known(0);
    let conf = hub.conf().replace("[Interface]\n", "[Interface]\nSaveConfig = true\n");
    fs::write(hub.path("etc/wireguard/wg0.conf"), conf).expect("conf");
    for name in ["alpha", "beta"] {
        let run = hub.run(&["location", "add", name]).ok();
        assert!(run.stderr.contains("SaveConfig"), "{run:?}");
    }
    assert_eq!(rows(&hub, "SELECT count(*) FROM conf_seen"), 0);
}

#[test]
fn other_settings_are_another_conf() {
    let hub = known(0);
    hub.add("alpha");
    hub.edit_settings("listen_port = 51820", "listen_port = 51999");
    hub.add("beta");
    assert!(hub.conf().contains("ListenPort = 51999"), "{}", hub.conf());
}

#[test]
fn showing_a_key_does_not_make_the_conf_unknown() {
    let hub = known(0);
    hub.add("alpha");
    hub.run(&["script", "render", "alpha"]).ok();
    assert!(is_known(&hub));
    hub.run(&["location", "remove", "alpha", "--yes"]).ok();
    assert!(is_known(&hub), "it was rewritten and is known again");
    hub.run(&["heartbeat"]).ok();
    assert!(is_known(&hub));
}
