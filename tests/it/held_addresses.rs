//! Every address that anybody holds is held: nothing gives it to a location.

mod model;

use crate::support::{HUB_KEY, Hub, live_peer, public_key as key};
use iwas_wg::model::{LiveInterface, PrivateKey};
use std::fs;

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
fn a_route_to_more_than_the_network_holds_nothing_and_the_network_itself_all() {
    let hub = adopted("10.9.0.1/24", &[(2, &["10.9.0.2/32", "10.0.0.0/8"])]);
    assert_eq!(hub.add_for_address("a"), "10.9.0.3");
    let hub = adopted("10.9.0.1/24", &[(2, &["10.9.0.2/32"]), (9, &["0.0.0.0/0"])]);
    assert_eq!(hub.add_for_address("a"), "10.9.0.3");
    let hub = adopted("10.9.0.1/24", &[(2, &["10.9.0.2/32"]), (9, &["10.9.0.0/24"])]);
    let run = hub.run(&["location", "add", "a"]).code(4);
    assert_eq!(
        run.error().0,
        "iwas-wg: no free address left in 10.9.0.0/24 (1 held by locations, 0 reserved, 252 by allowed IPs and otherwise, 1 the hub's)"
    );
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

/// What the settings say, with one text in the place of another.
fn set(hub: &Hub, from: &str, to: &str) {
    let config = hub.path("etc/iwas-wg/config.toml");
    let text = fs::read_to_string(&config).expect("settings");
    assert!(text.contains(from), "{text}");
    fs::write(&config, text.replace(from, to)).expect("settings");
}

fn addresses_of(hub: &Hub) -> Vec<String> {
    let live = hub.device().interface.clone().expect("interface");
    live.addresses.iter().map(ToString::to_string).collect()
}

#[test]
fn the_hub_moves_by_a_named_act_and_keeps_its_former_address_until_it_is_released() {
    let hub = Hub::up();
    assert_eq!(hub.add_for_address("a"), "10.0.0.2");
    set(&hub, "[\"10.0.0.1/24\"]", "[\"10.0.0.200/24\"]");
    // Without the act nothing moves, and neither address is given to a router.
    let run = hub.run(&["sync"]).ok();
    let pending = "hub.address is 10.0.0.200, and the hub has 10.0.0.1; \"iwas-wg sync --move-hub\" moves it";
    assert!(run.stderr.contains(pending), "{run:?}");
    hub.run(&["sync", "--check"]).code(5);
    assert_eq!(addresses_of(&hub), ["10.0.0.1/24"]);
    for taken in ["10.0.0.1", "10.0.0.200"] {
        hub.run(&["location", "add", "x", "--vpn-ip", taken]).code(4);
    }
    let run = hub.run(&["sync", "--move-hub", "--dry-run"]).ok();
    assert!(run.stderr.contains("would move the hub from 10.0.0.1 to 10.0.0.200"), "{run:?}");
    assert!(run.stderr.contains("would add the address 10.0.0.200/24"), "{run:?}");
    assert_eq!(addresses_of(&hub), ["10.0.0.1/24"]);

    hub.run(&["sync", "--move-hub"]).ok();
    assert_eq!(addresses_of(&hub), ["10.0.0.1/24", "10.0.0.200/24"]);
    assert!(hub.conf().contains("Address = 10.0.0.200/24, 10.0.0.1/24\n"), "{}", hub.conf());
    hub.run(&["sync", "--check"]).ok();
    hub.run(&["sync", "--move-hub", "--check"]).ok();
    let script = hub.run(&["script", "render", "a"]).ok().stdout;
    assert!(script.contains("10.0.0.200") && !script.contains("10.0.0.1 "), "{script}");

    // It is held until it is released, also where neither conf nor interface tells of it.
    set(&hub, "\"auto\"", "\"none\"");
    let text = hub.conf().replace("10.0.0.200/24, 10.0.0.1/24", "10.0.0.200/24");
    fs::write(hub.path("etc/wireguard/wg0.conf"), text).expect("conf");
    let run = hub.run(&["location", "add", "x", "--vpn-ip", "10.0.0.1"]).code(4);
    assert_eq!(
        run.error(),
        (
            "iwas-wg: address 10.0.0.1 is a former address of the hub",
            "hint: choose another; \"iwas-wg sync --release 10.0.0.1\" lets it go"
        )
    );
    set(&hub, "\"none\"", "\"auto\"");
    assert!(hub.run(&["doctor"]).stdout.contains("10.0.0.1 was the hub's address"));
    let run = hub.run(&["sync", "--release", "10.0.0.200"]).code(4);
    assert_eq!(run.error().0, "iwas-wg: 10.0.0.200 is the address that the hub has");
    let run = hub.run(&["sync", "--release", "10.0.0.7"]).code(3);
    assert_eq!(
        run.error(),
        ("iwas-wg: 10.0.0.7 is no former address of the hub", "hint: those are: 10.0.0.1")
    );
    hub.run(&["sync", "--release", "10.0.0.1", "--dry-run"]).ok();
    assert_eq!(addresses_of(&hub), ["10.0.0.1/24", "10.0.0.200/24"]);
    hub.run(&["sync", "--release", "10.0.0.1"]).ok();
    assert_eq!(addresses_of(&hub), ["10.0.0.200/24"]);
    hub.run(&["sync", "--check"]).ok();
    hub.run(&["location", "add", "x", "--vpn-ip", "10.0.0.1"]).ok();
}

#[test]
fn the_hub_moves_to_nobodys_address_and_not_out_of_its_network() {
    let hub = Hub::up();
    hub.add("a");
    set(&hub, "[\"10.0.0.1/24\"]", "[\"10.0.0.2\"]");
    let run = hub.run(&["sync", "--move-hub"]).code(4);
    assert_eq!(
        run.error(),
        (
            "iwas-wg: 10.0.0.2 cannot be the hub's address: \"a\" has it",
            "hint: write another one into hub.address"
        )
    );
    set(&hub, "[\"10.0.0.2\"]", "\"10.1.0.1/24\"");
    let run = hub.run(&["sync", "--move-hub"]).code(4);
    assert!(run.error().0.ends_with("it is outside the VPN network 10.0.0.0/24"), "{run:?}");
    assert_eq!(addresses_of(&hub), ["10.0.0.1/24"]);
}

#[test]
fn another_network_mixes_nothing_and_the_fleet_moves_step_by_step() {
    let hub = Hub::up();
    hub.add("a");
    hub.add("b");
    set(&hub, "\"10.0.0.0/24\"", "\"10.1.0.0/24\"");
    hub.run(&["sync"]).ok();
    assert_eq!(addresses_of(&hub), ["10.0.0.1/24"]);
    let run = hub.run(&["location", "add", "c"]).code(4);
    assert_eq!(
        run.error(),
        (
            "iwas-wg: the hub's address 10.0.0.1 is outside the VPN network 10.1.0.0/24",
            "hint: put hub.network back, or give the hub another hub.address and run \"iwas-wg sync --move-hub\""
        )
    );
    set(&hub, "[\"10.0.0.1/24\"]", "[\"10.1.0.1/24\"]");
    let run = hub.run(&["script", "render", "a"]).code(4);
    assert_eq!(run.error().1, "hint: \"iwas-wg sync --move-hub\" moves it to 10.1.0.1");
    let run = hub.run(&["sync", "--move-hub"]).ok();
    let outside = "2 locations have addresses outside the VPN network 10.1.0.0/24: a, b";
    assert!(run.stderr.contains(outside), "{run:?}");
    assert!(hub.run(&["doctor"]).code(5).stdout.contains(outside));
    let run = hub.run(&["script", "render", "a"]).code(4);
    assert_eq!(
        run.error(),
        (
            "iwas-wg: the address 10.0.0.2 of a is outside the VPN network 10.1.0.0/24",
            "hint: \"iwas-wg peer move a --vpn-ip ADDRESS\" gives it one inside; or put hub.network back"
        )
    );
    assert_eq!(hub.add_for_address("c"), "10.1.0.2");
    let script = hub.run(&["peer", "move", "a", "--vpn-ip", "10.1.0.9"]).ok().stdout;
    assert!(script.contains("10.1.0.9/24") && script.contains("10.1.0.1"), "{script}");
    hub.run(&["peer", "move", "a", "--done"]).ok();
    hub.run(&["location", "remove", "b", "-y"]).ok();
    hub.run(&["sync", "--release", "10.0.0.1"]).ok();
    assert_eq!(addresses_of(&hub), ["10.1.0.1/24"]);
    hub.run(&["sync", "--check"]).ok();
}

#[test]
fn a_hub_of_an_older_version_keeps_the_address_that_its_conf_has() {
    let hub = Hub::with_network("10.20.31.8/29");
    set(&hub, "\naddress     = [\"10.20.31.9/29\"]\n", "\n");
    let database = rusqlite::Connection::open(hub.path("var/lib/iwas-wg/iwas-wg.db")).expect("store");
    database.execute("DELETE FROM hub_address", []).expect("delete");
    drop(database);
    set(&hub, "\"10.20.31.8/29\"", "\"10.20.31.0/28\"");
    hub.run(&["up"]).ok();
    assert!(addresses_of(&hub).iter().all(|a| a.starts_with("10.20.31.9/")), "{:?}", addresses_of(&hub));
    hub.run(&["location", "add", "x", "--vpn-ip", "10.20.31.9"]).code(4);
    assert_eq!(hub.add_for_address("a"), "10.20.31.1");
}

#[test]
fn sync_names_who_has_what_is_anothers_and_is_quiet_afterwards() {
    let hub = Hub::up();
    hub.add("a");
    hub.add("b");
    let mut live = hub.device().interface.clone().expect("interface");
    // Somebody gives a's address to a peer of theirs, and a range around b's to another.
    live.peers[0].allowed_ips.clear();
    live.peers.push(live_peer(7, &["10.0.0.2/32"]));
    live.peers.push(live_peer(8, &["10.0.0.2/31"]));
    hub.device().interface = Some(live);
    let stolen = format!("wg0: the peer {} is not in the store and has 10.0.0.2/32, which is a's", key(7));
    let around =
        format!("wg0: the peer {} is not in the store and has 10.0.0.2/31, where a has 10.0.0.2/32", key(8));
    let report = hub.run(&["--json", "sync", "--check"]).code(5).json();
    assert_eq!(report["conflicts"], serde_json::json!([stolen, around]));
    let doctor = hub.run(&["doctor"]).code(5).stdout;
    assert!(doctor.contains(&stolen) && doctor.contains(&around), "{doctor}");
    let run = hub.run(&["sync"]).ok();
    assert!(run.stderr.contains(&stolen) && run.stderr.contains(&around), "{run:?}");
    let changes = hub.device().applied.len();
    let after = hub.live();
    // What was taken back stays; what only lies around is told, and left alone.
    let run = hub.run(&["sync"]).ok();
    assert!(!run.stderr.contains(&stolen) && run.stderr.contains(&around), "{run:?}");
    assert_eq!(hub.device().applied.len(), changes, "the second sync touched the interface");
    assert_eq!(hub.live(), after);
    let report = hub.run(&["--json", "sync", "--check"]).ok().json();
    assert_eq!(report["conflicts"], serde_json::json!([around]));
    hub.run(&["sync", "--prune", "--yes"]).ok();
    let report = hub.run(&["--json", "sync", "--check"]).ok().json();
    assert_eq!(report["conflicts"], serde_json::json!([]));
}

#[test]
fn adoption_takes_no_two_that_may_speak_for_each_other() {
    for (peers, reason) in [
        (vec![(2, vec!["10.9.0.2/32", "10.9.0.0/28"]), (3, vec!["10.9.0.3/32"])], "has 10.9.0.0/28, where"),
        (vec![(2, vec!["10.9.0.2/32", "10.9.0.1/32"])], "has the hub's address 10.9.0.1"),
        (vec![(2, vec!["10.9.0.2/32", "10.9.0.3/32"]), (3, vec!["10.9.0.3/32"])], "both have 10.9.0.3"),
    ] {
        let hub = Hub::empty();
        fs::create_dir_all(hub.path("etc/wireguard")).expect("directory");
        let mut conf = format!("[Interface]\nPrivateKey = {HUB_KEY}\nAddress = 10.9.0.1/24\n");
        for (n, allowed) in &peers {
            let block = format!("\n[Peer]\nPublicKey = {}\nAllowedIPs = {}\n", key(*n), allowed.join(", "));
            conf.push_str(&block);
        }
        fs::write(hub.path("etc/wireguard/wg0.conf"), conf).expect("conf");
        let run = hub.run(&["init", "--adopt"]).code(4);
        assert!(run.error().0.contains(reason), "{run:?}");
        assert!(!hub.path("etc/iwas-wg/config.toml").exists(), "something was made");
    }
}
