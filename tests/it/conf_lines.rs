//! What the next boot would stumble over is told with its line by whatever reads the conf, and
//! nothing is written over it.

use crate::support::Hub;
use std::{fs, path::Path, process::Command};

const KEY: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";

/// A line, where it is put, and what is said of it.
const LINES: &[(&str, bool, &str)] = &[
    ("ListenPort = 99999", false, "the ListenPort \"99999\" is not a port number up to 65535"),
    ("MTU = big", false, "the MTU \"big\" is not a number from 68 to 65535"),
    ("Address = 10.0.0.1/33", false, "the Address \"10.0.0.1/33\" has a prefix length that is not 0 to 32"),
    ("FwMark = on", false, "the FwMark \"on\" is not off, a number or 0x and a hexadecimal number"),
    ("SaveConfig = yes", false, "the SaveConfig \"yes\" is neither true nor false"),
    ("Table = OFF", false, "the Table \"OFF\" must be written \"off\", in lower case"),
    ("Adress = 10.0.0.2/24", false, "a setting that neither wg nor wg-quick knows"),
    ("AllowedIPs = 10.0.0.2/32", false, "AllowedIPs is a setting of a [Peer], not of [Interface]"),
    ("DNS = 1.1.1.1", true, "DNS is a setting of [Interface], not of a [Peer]"),
    ("Endpoint = nonsense", true, "the Endpoint \"nonsense\" has no port"),
    ("Endpoint = a..b:5", true, "the Endpoint \"a..b:5\" is not a host name"),
    ("PresharedKey =", true, "the PresharedKey is empty"),
    ("PresharedKey = c2hvcnQ=", true, "the PresharedKey is not 32 bytes long"),
    (
        "PersistentKeepalive = abc",
        true,
        "the PersistentKeepalive \"abc\" is not off or a number of seconds up to 65535",
    ),
    ("AllowedIPs = 10.0.0.300", true, "the AllowedIPs \"10.0.0.300\" has a member that is no IP address"),
    ("AllowedIPs = 10.0.0.9/32,", true, "the AllowedIPs \"10.0.0.9/32,\" has an empty member"),
    ("AllowedIPs =", true, "the AllowedIPs is empty"),
];

/// The conf of a hub with one more line in `[Interface]` or below its last peer, and the line's number.
fn with(conf: &str, line: &str, in_peer: bool) -> (String, usize) {
    let text = if in_peer {
        format!("{conf}{line}\n")
    } else {
        conf.replacen("[Interface]\n", &format!("[Interface]\n{line}\n"), 1)
    };
    let number = text.lines().position(|l| l == line).expect("the line") + 1;
    (text, number)
}

#[test]
fn every_command_that_reads_the_conf_names_the_line_and_writes_nothing() {
    let hub = Hub::up();
    hub.add("cafe");
    let path = hub.path("etc/wireguard/wg0.conf");
    let whole = hub.conf();
    for &(line, in_peer, why) in LINES {
        let (text, number) = with(&whole, line, in_peer);
        fs::write(&path, &text).expect("conf");
        let expected = format!("iwas-wg: {}: line {number}: {why}", path.display());
        let commands: [&[&str]; 7] = [
            &["sync"],
            &["sync", "--check"],
            &["peer", "rotate", "cafe"],
            &["peer", "reset", "cafe"],
            &["location", "add", "new"],
            &["location", "remove", "cafe", "-y"],
            &["init", "--adopt", "--root", "/nonexistent", "-n", "--from"],
        ];
        for argv in commands {
            let from = path.display().to_string();
            let more: &[&str] = if argv[0] == "init" { &[&from] } else { &[] };
            let run = hub.run(&[argv, more].concat()).code(6);
            assert_eq!(run.error().0, expected, "{argv:?}");
        }
        let doctor = hub.run(&["doctor"]).code(5);
        assert!(doctor.stdout.contains(&format!("line {number}: {why}")), "{}", doctor.stdout);
        assert_eq!(hub.run(&["--json", "heartbeat"]).ok().json()["drift"], 1, "{line}");
        assert_eq!(hub.conf(), text, "{line}");
    }
    // A new interface without what the conf says of its peers would leave them dark.
    hub.device().interface = None;
    let run = hub.run(&["up"]).code(6);
    assert!(run.error().0.ends_with("the AllowedIPs is empty") && hub.device().interface.is_none());
    fs::write(&path, &whole).expect("conf");
    hub.run(&["up"]).ok();
    hub.run(&["sync", "--check"]).ok();
}

#[test]
fn what_may_be_a_key_is_never_repeated() {
    let hub = Hub::up();
    let path = hub.path("etc/wireguard/wg0.conf");
    let whole = hub.conf();
    for (line, in_peer) in [
        (format!("Endpoint = {KEY}"), false),
        (format!("ListenPort = {KEY}"), false),
        (format!("MTU = {}", &KEY[..30]), false),
        (format!("{KEY} = 1"), false),
        (format!("PrivateKey = {}", &KEY[..43]), false),
        (format!("[{KEY}]"), false),
        (format!("[Peer]\nPublicKey = {KEY}{KEY}"), true),
        (format!("[Peer]\nPublicKey = {KEY}\nPresharedKey = {}", &KEY[1..]), true),
        (format!("[Peer]\nPublicKey = {KEY}\nAllowedIPs = {}", &KEY[1..]), true),
    ] {
        fs::write(&path, if in_peer { whole.clone() + &line + "\n" } else { with(&whole, &line, false).0 })
            .expect("conf");
        let run = hub.run(&["sync"]).code(6);
        let doctor = hub.run(&["--json", "doctor"]).code(5);
        for text in [run.stderr, doctor.stdout] {
            assert!(!text.contains(&KEY[2..12]) && text.contains("line "), "{text}");
        }
    }
}

/// Runs a remedy as a person would.
fn shell(command: &str) {
    let status = Command::new("sh").arg("-c").arg(command).status().expect("sh");
    assert!(status.success(), "{command}");
}

#[test]
fn a_conf_that_another_editor_saved_in_its_own_encoding_is_mended_by_the_hint() {
    let hub = Hub::up();
    let path = hub.path("etc/wireguard/wg0.conf");
    let whole = hub.conf();
    let wide = |order: fn(u16) -> [u8; 2], mark: bool| -> Vec<u8> {
        let mark = if mark { "\u{feff}" } else { "" };
        format!("{mark}{whole}").encode_utf16().flat_map(order).collect()
    };
    for (bytes, why) in [
        (format!("\u{feff}{whole}").into_bytes(), "begins with a byte order mark, which wg does not read"),
        (wide(u16::to_le_bytes, true), "is UTF-16 text, which wg does not read"),
        (wide(u16::to_be_bytes, true), "is UTF-16 text, which wg does not read"),
        (wide(u16::to_le_bytes, false), "is UTF-16LE text, which wg does not read"),
        (wide(u16::to_be_bytes, false), "is UTF-16BE text, which wg does not read"),
    ] {
        fs::write(&path, &bytes).expect("conf");
        let from = path.display().to_string();
        let commands: [&[&str]; 2] =
            [&["sync"], &["init", "--adopt", "--root", "/nonexistent", "--from", &from]];
        for argv in commands {
            let run = hub.run(argv).code(6);
            assert_eq!(run.error().0, format!("iwas-wg: {from}: line 1: {why}"));
        }
        let run = hub.run(&["sync"]).code(6);
        shell(run.error().1.strip_prefix("hint: ").expect("a hint"));
        assert_eq!(hub.conf(), whole, "{why}");
        assert!(!Path::new(&format!("{from}.utf8")).exists());
        hub.run(&["sync", "--check"]).ok();
    }
}

#[test]
fn a_comment_in_latin_1_blocks_nothing_and_stays() {
    let hub = Hub::up();
    let path = hub.path("etc/wireguard/wg0.conf");
    let mut bytes = fs::read(&path).expect("conf");
    bytes.extend_from_slice(b"\n# Caf\xe9 M\xfcller\n");
    fs::write(&path, &bytes).expect("conf");
    hub.add("cafe");
    hub.run(&["sync", "--check"]).ok();
    assert!(!hub.run(&["doctor"]).stdout.contains("line "));
    assert!(fs::read(&path).expect("conf").starts_with(&bytes), "the comment is gone");
}
