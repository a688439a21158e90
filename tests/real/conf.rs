//! What a conf may say: our verdict on each line beside that of wg(8), wg-quick(8) and ip(8).

use crate::{
    bench::ready,
    netns::{Net, Space},
    router::bare_interface,
};
use iwas_wg::wgconf::Conf;
use std::{fs, path::Path, process::Command};

const KEY: &str = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";
const PEER: &str = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";
const NO_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// Lines of `[Interface]`; `KEY` and `NO_KEY` stand for keys.
const INTERFACE: &[&str] = &[
    "ListenPort = 0",
    "ListenPort = 65535",
    "listen port = 5 1 8 2 0 # port",
    "LISTENPORT=00443",
    "ListenPort =",
    "ListenPort = abc",
    "ListenPort = -1",
    "ListenPort = 0x10",
    "ListenPort = 51820,51821",
    "FwMark = off",
    "FwMark = OFF",
    "FwMark = 0xca6c",
    "FwMark = 010",
    "FwMark = 4294967295",
    "FwMark = 0XCA",
    "FwMark = 0x",
    "FwMark = 4294967296",
    "FwMark = on",
    "FwMark =",
    "PrivateKey =",
    "PrivateKey = AAAA",
    "PrivateKey = KEYKEY",
    "Private Key=KEY",
    "SaveConfig = TRUE",
    "SaveConfig = false",
    "SaveConfig = yes",
    "SaveConfig =",
    "Save Config = true",
    "PostUp =",
    "PreDown = echo a=b # c",
    "postdown=x",
    "Post Up = x",
    "DNS =",
    "DNS = 1.1.1.1, example.com",
    "Address =",
    "MTU =",
    "Table =",
    "Table = off",
    "Unknown = 1",
    "Address 10.0.0.1/24",
    "= 1",
    "PublicKey = KEY",
    "Endpoint = 192.0.2.1:5",
    "AllowedIPs = 10.0.0.2/32",
    "; comment",
    "// comment",
    "# comment",
    "[Peers]",
    "[Peer",
    "[ Interface ]x",
    "\u{feff}MTU = 1420",
    "\u{a0}MTU = 1420",
];

/// Lines of a `[Peer]`.
const OF_A_PEER: &[&str] = &[
    "Endpoint = 192.0.2.1:51820",
    "Endpoint = 192.0.2.1 : 51820 # office",
    "Endpoint = [2001:db8::1]:51820",
    "Endpoint = 2001:db8::1:51820",
    "Endpoint = [192.0.2.1]:51820",
    "Endpoint = [fe80::1%lo]:51820",
    "Endpoint = localhost:51820",
    "Endpoint = 192.0.2.1:0",
    "Endpoint = 192.0.2.1:007",
    "Endpoint = nonsense",
    "Endpoint = 192.0.2.1",
    "Endpoint = 192.0.2.1:",
    "Endpoint = 192.0.2.1:x!",
    "Endpoint = 192.0.2.1:-5",
    "Endpoint = 192.0.2.1:0x5",
    "Endpoint = [2001:db8::1]",
    "Endpoint = [2001:db8::1:5",
    "Endpoint = [2001:db8::1]5",
    "Endpoint = [2001:db8::g]:5",
    "Endpoint = :5",
    "Endpoint = https://vpn.example.com:5",
    "Endpoint = user@vpn.example.com:5",
    "Endpoint = -vpn.example.com:5",
    "Endpoint = vpn..example.com:5",
    "Endpoint = vpn.example.com:5,5",
    "Endpoint =",
    "PresharedKey = KEY",
    "Preshared Key = KEY",
    "PresharedKey = NO_KEY",
    "PresharedKey =",
    "PresharedKey = AAAA",
    "PresharedKey = KEYKEY",
    "PresharedKey = (none)",
    "PersistentKeepalive = 0",
    "PersistentKeepalive = 65535",
    "PersistentKeepalive = 025",
    "PersistentKeepalive = Off",
    "persistentkeepalive=2 5",
    "PersistentKeepalive = 65536",
    "PersistentKeepalive = abc",
    "PersistentKeepalive = 25s",
    "PersistentKeepalive = 0x19",
    "PersistentKeepalive = -1",
    "PersistentKeepalive = 2.5",
    "PersistentKeepalive = on",
    "PersistentKeepalive =",
    "AllowedIPs = 10.0.0.2",
    "AllowedIPs = 10.0.0.2/24",
    "AllowedIPs = 10.0.0.2/032",
    "AllowedIPs = 0.0.0.0/0, ::/0",
    "allowed ips = 10.0.0.2 / 32 , fd00::2 # two",
    "AllowedIPs = ::ffff:10.0.0.2/128",
    "AllowedIPs =",
    "AllowedIPs = 10.0.0.2/32,",
    "AllowedIPs = , 10.0.0.2/32",
    "AllowedIPs = 10.0.0.2/32,, 10.0.0.3/32",
    "AllowedIPs = 10.0.0.2/33",
    "AllowedIPs = 10.0.0.2/",
    "AllowedIPs = 10.0.0.2/-1",
    "AllowedIPs = 10.0.0.2/24/24",
    "AllowedIPs = 10.0.0.2/255.255.255.255",
    "AllowedIPs = 10.0.0.02/32",
    "AllowedIPs = 10.0.0/24",
    "AllowedIPs = 10.0.0.256",
    "AllowedIPs = 10.0.0.2; 10.0.0.3",
    "AllowedIPs = 10.0.0.2-10.0.0.5",
    "AllowedIPs = fd00::2/129",
    "AllowedIPs = fd00::2::3",
    "AllowedIPs = host",
    "AllowedIPs: 10.0.0.2/32",
    "PrivateKey = KEY",
    "ListenPort = 5",
    "Address = 10.0.0.1/24",
    "MTU = 1420",
    "PostUp = x",
    "Unknown = 1",
    "friendly_name = x",
];

/// Lines that the tools take and we do not, because they do something else than the line says.
const STRICTER: &[(&str, &str)] = &[
    ("ListenPort = 99999", "the port wraps around to 34463"),
    ("ListenPort = domain", "which port that is depends on /etc/services"),
    ("ListenPort = +5", "no manual knows a sign"),
    ("PrivateKey = NO_KEY", "it is no key: the interface has none then"),
    ("MTU", "wg-quick takes the key for the value, and fails at the next boot"),
    ("[Interface]", "whatever is in the second is overlooked by people"),
    ("[Peer]\nPublicKey = NO_KEY", "no router can have this key"),
    ("[Peer]\nPublicKey = KEY\nPublicKey = KEY", "the first would be forgotten"),
    ("[Peer]\nPublicKey = KEY\nEndpoint = 192.0.2.1:99999", "the port wraps around"),
    ("[Peer]\nPublicKey = KEY\nEndpoint = 192.0.2.1:domain", "it depends on /etc/services"),
    ("[Peer]\nPublicKey = KEY\nEndpoint = 192.0.2:5", "it is read as 192.0.0.2"),
    // wg-quick strip does not look at these; they fail at the next boot.
    ("Address = nonsense", "ip(8) refuses it"),
    ("Address = 10.0.0.1/33", "ip(8) refuses it"),
    ("MTU = big", "ip(8) refuses it"),
    ("Table = Off", "ip(8) refuses it"),
];

/// Names that only a resolver can judge, which is not asked here.
const NAMES: &[&str] = &["Endpoint = vpn.example.invalid:51820", "Endpoint = site_7.example.invalid:1"];

struct Bench {
    space: Space,
    dir: tempfile::TempDir,
}

impl Bench {
    /// Whether wg-quick and wg take this conf.
    fn tools_take(&self, text: &str) -> bool {
        let file = self.dir.path().join("bench.conf");
        let strip = Self::strip(&file, text);
        strip.is_some_and(|stripped| {
            fs::write(&file, stripped).expect("write what is left");
            let mut wg = self.space.command("wg");
            wg.env("WG_ENDPOINT_RESOLUTION_RETRIES", "0");
            wg.args(["setconf", &self.space.interface]).arg(&file).output().expect("wg").status.success()
        })
    }

    fn strip(file: &Path, text: &str) -> Option<Vec<u8>> {
        fs::write(file, text).expect("write the conf");
        let output = Command::new("wg-quick").arg("strip").arg(file).output().expect("wg-quick");
        output.status.success().then_some(output.stdout)
    }

    fn ip_takes(&self, arguments: &str) -> bool {
        let mut ip = self.space.command("ip");
        ip.args(arguments.split(' ')).args(["dev", &self.space.interface]);
        ip.output().expect("ip").status.success()
    }
}

/// A conf with these lines in `[Interface]` or in its last `[Peer]`.
fn with(lines: &str, in_peer: bool) -> String {
    let lines =
        lines.replace("NO_KEY", NO_KEY).replace("KEYKEY", &KEY[..43]).replace("= KEY", &format!("= {PEER}"));
    let lines = lines.replace("=KEY", &format!("={PEER}"));
    let peer = if in_peer { format!("[Peer]\nPublicKey = {PEER}\n") } else { String::new() };
    format!("[Interface]\nPrivateKey = {KEY}\n{peer}{lines}\n")
}

#[test]
fn every_line_is_taken_or_refused_as_the_tools_do() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let bench = Bench { space: net.hub(), dir: tempfile::tempdir().expect("directory") };
    bare_interface(&bench.space, backend);
    let mut wrong = Vec::new();
    let cases = INTERFACE.iter().map(|l| (l, false)).chain(OF_A_PEER.iter().map(|l| (l, true)));
    let (mut taken, mut refused) = (0, 0);
    for (line, in_peer) in cases {
        let text = with(line, in_peer);
        let (theirs, ours) = (bench.tools_take(&text), Conf::parse(text.as_bytes()));
        if theirs {
            taken += 1;
        } else {
            refused += 1;
        }
        if theirs != ours.is_ok() {
            wrong.push(format!("{line:?}: taken by the tools: {theirs}; by us: {ours:?}"));
        }
        if let Err(e) = ours {
            let last = text.lines().count();
            assert_eq!(e.line, last, "{line:?}: {e}");
            assert!(!e.to_string().contains(&PEER[..10]) && !e.to_string().contains(&KEY[..10]), "{e}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(taken > 30 && refused > 60, "{taken} taken, {refused} refused");
    for (line, why) in STRICTER {
        let text = with(line, false);
        assert!(bench.tools_take(&text), "the tools refuse {line:?} as well; it is no exception");
        assert!(Conf::parse(text.as_bytes()).is_err(), "{line:?} is taken, though {why}");
    }
    for line in NAMES {
        assert!(Conf::parse(with(line, true).as_bytes()).is_ok(), "{line}");
    }
}

#[test]
fn addresses_and_mtu_are_those_that_ip_takes() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let bench = Bench { space: net.hub(), dir: tempfile::tempdir().expect("directory") };
    bare_interface(&bench.space, backend);
    let addresses =
        ["10.9.0.1/24", "10.9.1.1", "fd09::1/64", "10.9.0.1/33", "10.9.0.256/24", "fd09::g/64", "x"];
    for address in addresses {
        let ours = Conf::parse(with(&format!("Address = {address}"), false).as_bytes()).is_ok();
        assert_eq!(ours, bench.ip_takes(&format!("address add {address}")), "{address}");
    }
    for mtu in ["1420", "68", "65535", "20", "0", "abc", "-5", "99999999999"] {
        let ours = Conf::parse(with(&format!("MTU = {mtu}"), false).as_bytes()).is_ok();
        assert_eq!(ours, bench.ip_takes(&format!("link set mtu {mtu}")), "{mtu}");
    }
    // As wg-quick splits them.
    let many = Conf::parse(with("Address = 10.9.0.1/24 10.9.0.2/32,fd09::1/64,", false).as_bytes());
    assert_eq!(many.map(|c| c.addresses().len()), Ok(3));
}
