//! The conf as the standard tools read it: wg-quick(8) itself, not our idea of it.
//!
//! Needs `wireguard-tools`; where they are missing the test says so, and fails if
//! `IWAS_WG_REQUIRE_REAL` is 1.

use crate::support::Hub;
use std::{
    fs,
    io::{self, Write},
    path::Path,
    process::Command,
};

/// What `wg-quick strip` makes of a conf; `None` if there is no such program.
fn strip(conf: &Path) -> Option<String> {
    match Command::new("wg-quick").arg("strip").arg(conf).output() {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(String::from_utf8(output.stdout).expect("UTF-8"))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let required = std::env::var("IWAS_WG_REQUIRE_REAL").is_ok_and(|v| v == "1");
            assert!(!required, "wg-quick is missing; install wireguard-tools");
            // Past the test harness, which keeps to itself what passing tests print.
            let _ = writeln!(io::stderr(), "skipped: needs wg-quick (package wireguard-tools)");
            None
        }
        Err(e) => panic!("wg-quick: {e}"),
    }
}

/// The lines that wg(8) would be given, without comments and blank ones.
fn settings(stripped: &str) -> Vec<String> {
    let plain = |line: &str| line.split('#').next().unwrap_or_default().trim().to_owned();
    stripped.lines().map(plain).filter(|line| !line.is_empty()).collect()
}

#[test]
fn wg_quick_finds_the_key_the_port_and_every_peer() {
    let hub = Hub::up();
    let keys = [hub.add("cafe"), hub.add("bar")];
    let Some(stripped) = strip(&hub.path("etc/wireguard/wg0.conf")) else { return };
    let found = settings(&stripped);
    assert_eq!(found[0], "[Interface]");
    assert!(found[1].starts_with("PrivateKey = "));
    // Address and Table are wg-quick's own: had it not understood them, they would stand here.
    let rest: Vec<&str> = found[2..].iter().map(String::as_str).collect();
    let (first, second) = (format!("PublicKey = {}", keys[0]), format!("PublicKey = {}", keys[1]));
    let expected = [
        "ListenPort = 51820",
        "[Peer]",
        first.as_str(),
        "AllowedIPs = 10.0.0.2/32",
        "[Peer]",
        second.as_str(),
        "AllowedIPs = 10.0.0.3/32",
    ];
    assert_eq!(rest, expected);
}

#[test]
fn wg_quick_reads_a_conf_that_people_have_edited() {
    let hub = Hub::up();
    let path = hub.path("etc/wireguard/wg0.conf");
    let mine = "PostUp = iptables -A FORWARD -i %i -j ACCEPT; echo a=b # hook\r\nfwmark = 0x20\r\n\
                \r\n### begin laptop ###\r\n[peer]\r\n\tpublickey = hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo= # his\r\n\
                allowedips = 10.0.0.200, fd00::7/128\r\n### end laptop ###";
    fs::write(&path, hub.conf() + mine).expect("conf");
    let key = hub.add("cafe");
    let Some(stripped) = strip(&path) else { return };
    let found = settings(&stripped);
    assert!(!found.iter().any(|line| line.starts_with("PostUp")), "{found:?}");
    let ours = [format!("PublicKey = {key}"), "AllowedIPs = 10.0.0.2/32".to_owned()];
    assert_eq!(found[found.len() - 2..], ours);
    let his = found.iter().position(|line| line == "[peer]").expect("the laptop");
    assert_eq!(found[his + 2], "allowedips = 10.0.0.200, fd00::7/128");
}
