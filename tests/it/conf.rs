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
