//! Every address that anybody holds is held: nothing gives it to a location.

use crate::support::Hub;
use iwas_wg::model::{LiveInterface, LivePeer, PrivateKey, PublicKey};
use std::fs;

const HUB_KEY: &str = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";

fn key(n: u8) -> PublicKey {
    PublicKey::from_bytes([n; 32])
}

fn live_peer(n: u8, allowed: &[&str]) -> LivePeer {
    LivePeer {
        public_key: key(n),
        allowed_ips: allowed.iter().map(|a| a.parse().expect("net")).collect(),
        endpoint: None,
        last_handshake: None,
        rx_bytes: 7,
        tx_bytes: 8,
    }
}

/// A hub that was adopted from this conf, whose interface runs with the same peers.
fn adopted(address: &str, peers: &[(u8, &[&str])]) -> Hub {
    let hub = Hub::empty();
    let block = |(n, allowed): &(u8, &[&str])| {
        format!("\n[Peer]\nPublicKey = {}\nAllowedIPs = {}\n", key(*n), allowed.join(", "))
    };
    let blocks = peers.iter().map(block).collect::<Vec<_>>().concat();
    fs::create_dir_all(hub.path("etc/wireguard")).expect("directory");
    let conf = format!(
        "[Interface]\nPrivateKey = {HUB_KEY}\nAddress = {address}\nListenPort = 51820\nTable = off\n{blocks}"
    );
    fs::write(hub.path("etc/wireguard/wg0.conf"), conf).expect("conf");
    let private = PrivateKey::from_base64(HUB_KEY).unwrap_or_else(|e| panic!("{e}"));
    hub.device().interface = Some(LiveInterface {
        userspace: false,
        up: true,
        public_key: Some(private.public()),
        listen_port: Some(51820),
        fwmark: 0,
        mtu: 1420,
        addresses: vec![address.parse().expect("net")],
        age_seconds: Some(86_400),
        peers: peers.iter().map(|(n, allowed)| live_peer(*n, allowed)).collect(),
    });
    hub.run(&["init", "--adopt", "--endpoint", "vpn.example.com"]).ok();
    hub
}

#[test]
fn a_second_address_of_an_adopted_peer_is_given_to_nobody() {
    let hub = adopted("10.9.0.1/24", &[(2, &["10.9.0.2/32", "10.9.0.3/32"])]);
    let before = hub.live();
    assert_eq!(hub.add_for_address("n1"), "10.9.0.4");
    for (key, allowed) in before {
        assert!(hub.live().contains(&(key, allowed)), "the old site lost an address: {:?}", hub.live());
    }
    let run = hub.run(&["location", "add", "n2", "--vpn-ip", "10.9.0.3"]).code(4);
    assert_eq!(
        run.error().0,
        "iwas-wg: address 10.9.0.3 is held by \"peer-10.9.0.2\", which may speak for 10.9.0.3/32"
    );
    let run = hub.run(&["peer", "move", "n1", "--vpn-ip", "10.9.0.3"]).code(4);
    assert!(run.error().0.contains("is held by \"peer-10.9.0.2\""), "{run:?}");
    hub.run(&["sync"]).ok();
    hub.run(&["sync", "--check"]).ok();
    // Its own second address is the site's to move to, and then it has it once.
    hub.run(&["peer", "move", "peer-10.9.0.2", "--vpn-ip", "10.9.0.3"]).ok();
    hub.run(&["peer", "move", "peer-10.9.0.2", "--done"]).ok();
    hub.run(&["sync", "--check"]).ok();
}

#[test]
fn ranges_are_jumped_over_and_come_back_when_they_end() {
    let hub = adopted("10.9.0.1/24", &[(2, &["10.9.0.2/32", "10.9.0.4/30"]), (9, &["10.9.0.128/25"])]);
    assert_eq!(hub.add_for_address("a"), "10.9.0.3");
    assert_eq!(hub.add_for_address("b"), "10.9.0.8", "10.9.0.4/30 was not jumped over");
    let run = hub.run(&["location", "add", "x", "--vpn-ip", "10.9.0.200"]).code(4);
    assert!(run.error().0.contains("held by a peer of"), "{run:?}");
    hub.run(&["location", "set", "peer-10.9.0.2", "--allowed-ips", "vpn-ip-only"]).ok();
    assert_eq!(hub.add_for_address("c"), "10.9.0.4");
}

#[test]
fn a_route_to_more_than_the_network_holds_nothing_unless_its_peer_has_no_address() {
    let hub = adopted("10.9.0.1/24", &[(2, &["10.9.0.2/32", "10.0.0.0/8"])]);
    assert_eq!(hub.add_for_address("a"), "10.9.0.3");
    let hub = adopted("10.9.0.1/24", &[(2, &["10.9.0.2/32"]), (9, &["0.0.0.0/0"])]);
    let run = hub.run(&["location", "add", "a"]).code(4);
    assert!(run.error().0.contains("no free address left in 10.9.0.0/24"), "{run:?}");
}

#[test]
fn a_peer_that_only_the_interface_has_holds_its_addresses() {
    let hub = Hub::up();
    let mut live = hub.device().interface.clone().expect("interface");
    live.peers.push(live_peer(7, &["10.0.0.2/32", "10.0.0.4/31"]));
    live.addresses.push("10.0.0.3/24".parse().expect("net"));
    hub.device().interface = Some(live);
    for (address, holder) in [
        ("10.0.0.2", "is held by the peer"),
        ("10.0.0.3", "is an address of the hub"),
        ("10.0.0.5", "is held by the peer"),
    ] {
        let run = hub.run(&["location", "add", "x", "--vpn-ip", address]).code(4);
        assert!(run.error().0.contains(holder), "{run:?}");
        fs::write(hub.path("one.csv"), format!("name,vpn_ip\nx,{address}\n")).expect("file");
        let file = hub.path("one.csv").display().to_string();
        let run = hub.run(&["location", "import", &file]).code(4);
        assert!(run.stderr.contains(holder), "{run:?}");
    }
    assert_eq!(hub.add_for_address("a"), "10.0.0.6");
    let run = hub.run(&["peer", "move", "a", "--vpn-ip", "10.0.0.4"]).code(4);
    assert!(run.error().0.contains("is held by the peer"), "{run:?}");
    hub.run(&["location", "add", "b", "--no-provision"]).ok();
    hub.run(&["location", "add", "c", "--no-provision"]).ok();
    hub.run(&["peer", "provision", "b"]).ok();
    hub.run(&["peer", "provision", "--all"]).ok();
    let shown = hub.run(&["location", "list"]).ok().stdout;
    assert!(shown.contains("10.0.0.7") && shown.contains("10.0.0.8"), "{shown}");
}

#[test]
fn every_address_of_the_interface_in_the_conf_is_held() {
    let hub = Hub::up();
    let text =
        hub.conf().replace("Address = 10.0.0.1/24", "Address = 10.0.0.1/24, 10.0.0.2/24\nAddress = 10.0.0.3");
    fs::write(hub.path("etc/wireguard/wg0.conf"), text).expect("conf");
    assert_eq!(hub.add_for_address("a"), "10.0.0.4");
    // Now the conf is known and not read again.
    let run = hub.run(&["location", "add", "x", "--vpn-ip", "10.0.0.3"]).code(4);
    assert_eq!(run.error().0, "iwas-wg: address 10.0.0.3 is an address of the hub");
    assert_eq!(hub.add_for_address("b"), "10.0.0.5");
}

#[test]
fn a_changed_network_leaves_the_hub_where_it_is() {
    let hub = Hub::with_network("10.20.31.8/29");
    hub.run(&["up"]).ok();
    assert_eq!(hub.add_for_address("a"), "10.20.31.10");
    let config = hub.path("etc/iwas-wg/config.toml");
    let text = fs::read_to_string(&config).expect("settings");
    assert!(text.contains("\naddress     = [\"10.20.31.9/29\"]\n"), "{text}");
    for pinned in [true, false] {
        let mut text = text.replace("\"10.20.31.8/29\"", "\"10.20.31.0/28\"");
        if !pinned {
            text = text.replace("\naddress     = [\"10.20.31.9/29\"]\n", "\n");
        }
        fs::write(&config, text).expect("settings");
        let run = hub.run(&["location", "add", "x", "--vpn-ip", "10.20.31.9"]).code(4);
        assert_eq!(run.error().0, "iwas-wg: address 10.20.31.9 is the hub's own address");
        let script = hub.run(&["script", "render", "a"]).ok().stdout;
        assert!(script.contains("10.20.31.9") && script.contains("10.20.31.10/28"), "{script}");
        assert!(!script.contains("10.20.31.1 ") && !script.contains("10.20.31.1\""), "{script}");
        hub.run(&["sync"]).ok();
        hub.run(&["sync", "--check"]).ok();
        let live = hub.device().interface.clone().expect("interface");
        assert!(live.addresses.iter().all(|a| a.addr().to_string() == "10.20.31.9"), "{:?}", live.addresses);
    }
    assert_eq!(hub.add_for_address("b"), "10.20.31.1", "the rest of the network is the routers'");
}
