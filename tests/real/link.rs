//! The interface that `up` makes of a conf, beside the one that wg-quick(8) makes of it.

use crate::{
    bench::{Backend, ready, run},
    hub::Hub,
    netns::Net,
};
use std::{fmt::Write as _, fs, path::Path};

const PEERS: [&str; 3] = [
    "AllowedIPs = 10.77.0.2/32, 192.168.7.0/24, fd77::2/128\nPersistentKeepalive = 25",
    "AllowedIPs = 10.77.0.3/32, 192.168.8.0/24, 192.168.8.128/25, fd99::/64\nEndpoint = 198.18.1.2:4500",
    // Of no location: it has no address of the VPN network.
    "AllowedIPs = 172.31.0.0/16",
];

/// A hub whose conf another tool wrote, with this `[Interface]`.
struct Found {
    hub: Hub,
    _root: tempfile::TempDir,
}

impl Found {
    fn new(net: &Net, backend: Backend, interface: &str) -> Self {
        let root = tempfile::tempdir().expect("temporary directory");
        let hub = Hub::at(net, backend, root.path());
        let key = || run(hub.space.command("wg").arg("genkey")).trim().to_owned();
        let mut text = format!("[Interface]\nPrivateKey = {}\n{interface}\n", key());
        for peer in PEERS {
            let public = run(hub.space.command("sh").args(["-c", &format!("echo {} | wg pubkey", key())]));
            write!(text, "\n[Peer]\nPublicKey = {}\n{peer}\n", public.trim()).expect("a string");
        }
        fs::create_dir_all(hub.conf_path().parent().expect("a directory")).expect("make it");
        fs::write(hub.conf_path(), text).expect("write the conf");
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(hub.conf_path(), private).expect("mode");
        Self { hub, _root: root }
    }

    fn wg_quick(&self, verb: &str) {
        run(self.hub.space.command("wg-quick").arg(verb).arg(self.hub.conf_path()));
    }

    fn adopt(&self) {
        let (interface, backend) = (self.hub.interface(), self.hub.backend.as_str());
        self.hub.ok(&format!(
            "init --adopt --endpoint 192.0.2.1 --network 10.77.0.0/24 --interface {interface} --backend {backend}"
        ));
    }

    /// All that can be seen of the interface, in an order of its own.
    fn shape(&self) -> String {
        let (space, name) = (&self.hub.space, self.hub.interface());
        let ip = |words: &str| space.ip(words);
        let addresses = ip(&format!("-br address show dev {name}"));
        // A userspace interface gets an address that nobody asked for.
        let mut all: Vec<String> =
            addresses.split_whitespace().filter(|a| !a.starts_with("fe80")).map(str::to_owned).collect();
        for family in ["-4", "-6"] {
            let routes = ip(&format!("{family} route show table all dev {name}"));
            let routes = routes.lines().filter(|l| !l.contains("fe80") && !l.contains("multicast"));
            all.extend(
                routes.map(|l| format!("{family} {}", l.split_whitespace().collect::<Vec<_>>().join(" "))),
            );
            all.push(ip(&format!("{family} rule show")));
        }
        let link = ip(&format!("link show dev {name}"));
        let mtu = link.split_whitespace().skip_while(|w| *w != "mtu").nth(1);
        all.push(format!("mtu {}", mtu.expect("an MTU")));
        let dump = run(space.command("wg").args(["show", &name, "dump"]));
        let allowed_in_order = |line: &str| {
            let mut fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
            if fields.len() > 4 {
                let mut nets: Vec<&str> = line.split('\t').nth(3).unwrap_or_default().split(',').collect();
                nets.sort_unstable();
                fields[3] = nets.join(",");
                // Whether one of them has sent anything yet is a matter of time.
                fields.drain(4..7);
            }
            fields.join(" ")
        };
        all.extend(dump.lines().map(allowed_in_order));
        all.sort();
        all.join("\n")
    }
}

fn route_mtu(net: &Net) {
    // As behind PPPoE: what is computed must not be what happens to be usual.
    net.add_router();
    net.hub().ip("link set to1 mtu 1492");
    net.hub().ip("route add default via 198.18.1.2");
}

/// Made by wg-quick, by us, and after a reboot by wg-quick again.
#[track_caller]
fn is_the_same(net: &Net, backend: Backend, interface: &str, expected: &[&str]) {
    let found = Found::new(net, backend, interface);
    found.wg_quick("up");
    let theirs = found.shape();
    for part in expected {
        assert!(theirs.contains(part), "{part:?} is not in\n{theirs}");
    }
    found.adopt();
    assert_eq!(found.hub.json("up")["changed"], false, "an adopted interface was changed");
    found.hub.ok("sync");
    assert_eq!(found.shape(), theirs, "sync changed it");
    found.hub.ok("down");
    found.hub.ok("up");
    assert_eq!(found.shape(), theirs, "{interface}");
    found.hub.ok("sync --check");
    let doctor = found.hub.run("doctor").stdout;
    assert!(!doctor.contains("fault"), "{doctor}");
    found.hub.ok("down");
    let name = found.hub.interface();
    let left = found.hub.space.ip("route show table all");
    assert!(!left.contains(&name), "down left routes: {left}");
    // The conf is ours by now.
    found.wg_quick("up");
    assert_eq!(found.shape(), theirs, "another interface after a reboot");
    found.wg_quick("down");
}

#[test]
fn up_makes_the_interface_that_wg_quick_makes() {
    let Some(backend) = ready() else { return };
    for (interface, expected) in [
        (
            "Address = 10.77.0.1/24, 10.78.0.1/16\nAddress = fd77::1/64\nListenPort = 51999\nMTU = 1380\nFwMark = 0xca6c",
            &["mtu 1380", "0xca6c", "-4 192.168.7.0/24", "-6 fd99::/64", "-4 172.31.0.0/16", "fd77::1/64"][..],
        ),
        (
            "Address = 10.77.0.1/32\nListenPort = 51999",
            &["mtu 1412", "-4 10.77.0.2 ", "-4 192.168.8.128/25"][..],
        ),
        ("Address = 10.77.0.1/24\nListenPort = 51999\nTable = off\nFwMark = off", &["mtu 1412"][..]),
        ("Address = 10.77.0.1/24\nListenPort = 51999\nTable = 4711", &["-4 10.77.0.2 table 4711"][..]),
    ] {
        let net = Net::new();
        route_mtu(&net);
        is_the_same(&net, backend, interface, expected);
    }
}

#[test]
fn routes_follow_what_a_peer_may_speak_for() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let found = Found::new(&net, backend, "Address = 10.77.0.1/24\nListenPort = 51999");
    found.adopt();
    found.hub.ok("up");
    let (hub, name) = (&found.hub, found.hub.interface());
    let routes = || hub.space.ip(&format!("-4 route show dev {name}"));
    assert!(routes().contains("192.168.7.0/24"), "{}", routes());
    hub.space.ip(&format!("route delete 192.168.7.0/24 dev {name}"));
    let run = hub.run("sync --check").code(5);
    assert!(run.stderr.contains("add the route to 192.168.7.0/24"), "{run:?}");
    hub.ok("sync");
    assert!(routes().contains("192.168.7.0/24"), "{}", routes());
    hub.ok("location set peer-10.77.0.2 --allowed-ips vpn-ip-only");
    assert!(!routes().contains("192.168.7.0/24") && routes().contains("192.168.8.0/24"), "{}", routes());
    hub.ok("location remove peer-10.77.0.3 -y");
    assert!(!routes().contains("192.168.8"), "{}", routes());
    hub.ok("sync --check");
}

#[test]
fn drift_of_the_link_is_seen_and_mended() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let interface = "Address = 10.77.0.1/24, fd77::1/64\nListenPort = 51999\nMTU = 1380\nFwMark = 51";
    let found = Found::new(&net, backend, interface);
    found.adopt();
    found.hub.ok("up");
    found.hub.ok("sync");
    let (hub, name) = (&found.hub, found.hub.interface());
    let before = found.shape();
    for (hand, words) in [
        (format!("ip link set {name} mtu 1300"), "set the MTU of"),
        (format!("wg set {name} fwmark 52"), "set the firewall mark of"),
        (format!("wg set {name} listen-port 51998"), "listen on UDP port 51999"),
        (format!("ip address delete fd77::1/64 dev {name}"), "add the address fd77::1/64"),
    ] {
        let mut words_of_hand = hand.split(' ');
        run(hub.space.command(words_of_hand.next().expect("a program")).args(words_of_hand));
        let run = hub.run("sync --check").code(5);
        assert!(run.stderr.contains(words), "{hand}: {run:?}");
        hub.ok("sync");
        assert_eq!(found.shape(), before, "{hand}");
    }
}

#[test]
fn wg_quick_brings_up_and_down_with_its_hooks_where_the_settings_say_so() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let mark = tempfile::tempdir().expect("temporary directory");
    let at = |word: &str| mark.path().join(word).display().to_string();
    let interface = format!(
        "Address = 10.77.0.1/24\nListenPort = 51999\nPostUp = touch {}\nPostDown = touch {}",
        at("up"),
        at("down")
    );
    let found = Found::new(&net, backend, &interface);
    found.adopt();
    let hub = &found.hub;
    let run = hub.run("up --hand-over").code(0);
    assert!(run.stderr.is_empty() && !Path::new(&at("up")).exists(), "{run:?}");
    let run = hub.run("up").code(0);
    assert!(run.stderr.contains("has PostUp, PostDown: only wg-quick does that"), "{run:?}");
    hub.ok("down");
    let config = hub.root().join("etc/iwas-wg/config.toml");
    let text = fs::read_to_string(&config).expect("settings");
    fs::write(&config, text.replace("[hub]\n", "[hub]\nbring_up = \"wg-quick\"\n")).expect("settings");
    let run = hub.run("up --hand-over").code(0);
    assert!(!run.stderr.contains("PostUp"), "{run:?}");
    assert!(Path::new(&at("up")).exists() && !Path::new(&at("down")).exists());
    hub.ok("sync --check");
    hub.ok("location add new");
    hub.ok("down");
    assert!(Path::new(&at("down")).exists());
    hub.ok("up");
    hub.ok("sync --check");
    hub.ok("down");
}

#[test]
fn a_key_that_a_hook_brings_stays_out_of_the_conf() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("key");
    let hook =
        format!("Address = 10.77.0.1/24\nListenPort = 0\nPostUp = wg set %i private-key {}", file.display());
    let found = Found::new(&net, backend, &hook);
    let text = found.hub.conf();
    let (key, rest): (Vec<&str>, Vec<&str>) = text.lines().partition(|l| l.starts_with("PrivateKey"));
    fs::write(&file, format!("{}\n", key[0].split_once(" = ").expect("a key").1)).expect("write the key");
    fs::write(found.hub.conf_path(), rest.join("\n") + "\n").expect("write the conf");
    let refused = found.hub.run(&format!(
        "init --adopt --interface {} --backend {}",
        found.hub.interface(),
        backend.as_str()
    ));
    assert!(refused.code(6).stderr.contains("has no PrivateKey: a hook brings it"));
    found.wg_quick("up");
    let theirs = found.shape();
    found.adopt();
    found.hub.ok("sync");
    assert_eq!(found.shape(), theirs, "the port or the key changed");
    found.hub.ok("down");
    found.hub.ok("up");
    assert_eq!(found.shape(), theirs);
    let conf = found.hub.conf();
    assert!(!conf.contains("PrivateKey") && conf.contains("PostUp = wg set %i private-key"), "{conf}");
    found.hub.ok("down");
    found.wg_quick("up");
    assert_eq!(found.shape(), theirs, "another interface after a reboot");
    found.wg_quick("down");
}
