//! `wg0.conf` as the commands leave it.

use crate::support::Hub;
use std::{fs, os::unix::fs::PermissionsExt};

#[test]
fn every_foreign_line_survives_adds_and_removes() {
    let hub = Hub::up();
    let path = hub.path("etc/wireguard/wg0.conf");
    let foreign = "\r\n# the boss's laptop, do not touch\r\n[Peer]\r\nPublicKey = hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo= # his\r\n\
                   AllowedIPs = 10.0.0.200/32\r\n\r\n\r\n";
    let before = hub.conf() + "PostUp = iptables -A FORWARD -i %i -j DROP\n" + foreign;
    fs::write(&path, &before).expect("conf");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("mode");
    for name in ["a", "b", "c"] {
        hub.add(name);
    }
    assert!(hub.conf().starts_with(&before), "{}", hub.conf());
    for name in ["b", "a", "c"] {
        hub.run(&["location", "remove", name, "-y"]).ok();
    }
    assert_eq!(hub.conf().trim_end(), before.trim_end());
    let mode = fs::metadata(&path).expect("conf").permissions().mode() & 0o777;
    assert_eq!(mode, 0o640, "the conf's mode changed");
    assert!(hub.live().is_empty());
}

#[test]
fn the_interface_section_is_kept_in_line_with_the_settings() {
    let hub = Hub::up();
    hub.add("cafe");
    let path = hub.path("etc/wireguard/wg0.conf");
    let whole = hub.conf();
    let key = whole.lines().find_map(|l| l.strip_prefix("PrivateKey = ")).expect("key").to_owned();
    for wrong in [
        whole.replace("ListenPort = 51820", "ListenPort = 7"),
        whole.replace(&format!("PrivateKey = {key}\n"), ""),
        whole.replace("Address = 10.0.0.1/24\n", ""),
        String::new(),
    ] {
        fs::write(&path, &wrong).expect("conf");
        hub.run(&["sync", "--check"]).code(5);
        assert_eq!(hub.run(&["--json", "heartbeat"]).ok().json()["drift"], 1);
        hub.run(&["doctor"]).code(5);
        hub.run(&["sync"]).ok();
        for line in
            [format!("PrivateKey = {key}"), "Address = 10.0.0.1/24".into(), "ListenPort = 51820".into()]
        {
            assert!(hub.conf().lines().any(|l| l == line), "no {line} after sync of {wrong:?}");
        }
        assert!(hub.conf().contains("# friendly_name = cafe\n"));
        hub.run(&["sync", "--check"]).ok();
    }
    hub.edit_settings("\nlisten_port = 51820\n", "\nlisten_port = 4500\n");
    hub.run(&["sync"]).ok();
    assert!(hub.conf().contains("ListenPort = 4500\n"));
    fs::remove_file(&path).expect("remove");
    hub.run(&["up"]).ok();
    assert!(hub.conf().contains("# friendly_name = cafe\n"), "up left the hub without its conf");
}

#[test]
fn an_address_that_a_foreign_peer_holds_is_nobody_elses() {
    let hub = Hub::up();
    let foreign = |key: &str, allowed: &str| format!("\n[Peer]\nPublicKey = {key}\nAllowedIPs = {allowed}\n");
    let text = hub.conf()
        + &foreign("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=", "10.0.0.2/32, 192.168.9.0/24")
        + &foreign("xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=", "10.0.0.4/30");
    fs::write(hub.path("etc/wireguard/wg0.conf"), text).expect("conf");
    assert_eq!(hub.add_for_address("a"), "10.0.0.3");
    assert_eq!(hub.add_for_address("b"), "10.0.0.8");
    for address in ["10.0.0.2", "10.0.0.5"] {
        let run = hub.run(&["location", "add", "c", "--vpn-ip", address]).code(4);
        let (error, _) = run.error();
        assert!(
            error.contains("is held by a peer of ") && error.ends_with("that is not in the store"),
            "{error}"
        );
        assert_eq!(hub.run(&["location", "add", "c", "-n", "--vpn-ip", address]).code, 4);
    }
}
