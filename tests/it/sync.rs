//! `sync`: drift and its mending.

use crate::support::Hub;
use iwas_wg::model::{LivePeer, PublicKey};
use serde_json::json;

fn stranger() -> LivePeer {
    LivePeer {
        allowed_ips: vec!["10.0.0.99/32".parse().expect("net")],
        ..LivePeer::new(PublicKey::from_bytes([7; 32]))
    }
}

#[test]
fn drift_is_found_told_and_mended_by_the_smallest_change() {
    let hub = Hub::up();
    let (a, b) = (hub.add("a"), hub.add("b"));
    {
        let mut state = hub.device();
        let peers = &mut state.interface.as_mut().expect("interface").peers;
        let gone: PublicKey = a.parse().expect("key");
        peers.retain(|p| p.public_key != gone);
        peers.push(stranger());
        state.applied.clear();
    }
    let run = hub.run(&["--json", "sync", "--check"]).code(5);
    let report = run.json();
    assert_eq!(report["steps"], json!([format!("set the peer {a} on wg0 to 10.0.0.2/32")]));
    assert_eq!(report["foreign_peers"], json!([PublicKey::from_bytes([7; 32]).to_string()]));
    assert!(hub.device().applied.is_empty(), "--check changed the interface");
    assert_eq!(hub.run(&["--json", "sync"]).ok().json()["changed"], true);
    assert_eq!(hub.device().applied[0].set_peers.len(), 1, "a peer that was right was touched");
    assert_eq!(hub.live().len(), 3, "the stranger was not left alone");
    assert!(hub.live().iter().any(|(k, _)| *k == b));
    let run = hub.run(&["sync", "--check"]).ok();
    assert!(run.stderr.contains("is not in the store; it was left alone"), "{}", run.stderr);
}

#[test]
fn a_removal_that_never_reached_the_interface_is_caught_up() {
    let hub = Hub::up();
    let key = hub.add("cafe");
    hub.device().broken = true;
    hub.run(&["location", "remove", "cafe", "-y"]).code(9);
    hub.device().broken = false;
    assert_eq!(hub.live().len(), 1);
    hub.run(&["sync"]).ok();
    assert!(hub.live().is_empty(), "{key} is still on the interface");
}

#[test]
fn an_edited_conf_is_corrected_and_foreign_lines_stay() {
    let hub = Hub::up();
    hub.add("cafe");
    let path = hub.path("etc/wireguard/wg0.conf");
    let text = hub
        .conf()
        .replace("10.0.0.2/32", "0.0.0.0/0")
        .replace("Table = off", "Table = off\nPostUp = true # mine");
    std::fs::write(&path, text).expect("conf");
    hub.run(&["sync", "--check"]).code(5);
    hub.run(&["sync"]).ok();
    assert!(
        hub.conf().contains("AllowedIPs = 10.0.0.2/32\n") && hub.conf().contains("PostUp = true # mine\n")
    );
    hub.run(&["sync", "--check"]).ok();
}

#[test]
fn a_conf_that_cannot_be_parsed_is_not_overwritten() {
    let hub = Hub::up();
    hub.add("cafe");
    let path = hub.path("etc/wireguard/wg0.conf");
    std::fs::write(&path, "this is not a conf\n").expect("conf");
    let run = hub.run(&["sync"]).code(6);
    assert!(run.error().0.contains("wg0.conf: line 1"), "{}", run.stderr);
    assert_eq!(hub.conf(), "this is not a conf\n");
}

#[test]
fn prune_takes_strangers_off_after_a_yes() {
    let hub = Hub::up();
    hub.add("cafe");
    let foreign =
        "\n[Peer]\nPublicKey = hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\nAllowedIPs = 10.0.0.200/32\n";
    std::fs::write(hub.path("etc/wireguard/wg0.conf"), hub.conf() + foreign).expect("conf");
    hub.device().interface.as_mut().expect("interface").peers.push(stranger());
    hub.run(&["sync", "--prune"]).code(2);
    hub.run(&["sync", "--prune", "-n"]).ok();
    assert_eq!((hub.live().len(), hub.conf().contains("10.0.0.200")), (2, true));
    let report = hub.run(&["--json", "sync", "--prune", "--yes"]).ok().json();
    assert_eq!(report["foreign_peers"].as_array().map(Vec::len), Some(2), "{report}");
    assert_eq!((hub.live().len(), hub.conf().contains("10.0.0.200")), (1, false));
    hub.run(&["sync", "--check"]).ok();
}

#[test]
fn a_conf_that_wg_quick_would_overwrite_is_told() {
    let hub = Hub::up();
    hub.add("cafe");
    let text = hub.conf().replace("Table = off", "Table = off\nSaveConfig = true");
    std::fs::write(hub.path("etc/wireguard/wg0.conf"), text).expect("conf");
    let run = hub.run(&["sync"]).ok();
    assert!(run.stderr.contains("has SaveConfig = true: wg-quick will overwrite it; remove that line"));
}
