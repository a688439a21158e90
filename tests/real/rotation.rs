//! New keys and addresses on a real `WireGuard`, with routers that carry traffic all the while.

use crate::{
    bench::{aloud, ready, run},
    hub::{HUB_VPN_IP, Hub, SOON},
    netns::{Net, Space},
    router::Router,
    routeros::Settings,
};
use std::{
    fs,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

/// What `ping` wrote down: when each answer came, in seconds, and how many questions there were.
struct Answers {
    at: Vec<f64>,
    asked: usize,
}

impl Answers {
    /// The longest time between two answers, in seconds.
    fn longest_gap(&self) -> f64 {
        self.at.windows(2).map(|w| w[1] - w[0]).fold(0.0, f64::max)
    }
}

/// Asks an address twenty times a second, for so many seconds.
fn ping(space: &Space, address: &str, seconds: usize) -> Child {
    let mut command = space.command("ping");
    command.args(["-D", "-n", "-i", "0.05", "-W", "1", "-c", &(seconds * 20).to_string(), address]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("start ping")
}

fn answers(ping: Child) -> Answers {
    let text = String::from_utf8(ping.wait_with_output().expect("ping").stdout).expect("text");
    let time = |line: &str| line.strip_prefix('[')?.split_once(']')?.0.parse().ok();
    let at = text.lines().filter(|l| l.contains("bytes from")).filter_map(time).collect();
    let summary = text.lines().find(|l| l.contains(" packets transmitted")).expect("a summary");
    let asked = summary.split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
    Answers { at, asked }
}

/// A new location whose router is heard, and its install script.
fn site(net: &Net, hub: &Hub, name: &str) -> (Router, String) {
    let install = hub.ok(&format!("location add {name}"));
    let router = Router::new(net, hub.backend, &install);
    assert!(router.is_heard(), "{name} is not heard: {:#?}", hub.peers());
    (router, install)
}

/// The key on the interface beside the present one of a location.
#[track_caller]
fn next_key(hub: &Hub, known: &[&str]) -> String {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(key) = hub.peers().into_keys().find(|k| !known.contains(&k.as_str())) {
            return key;
        }
        assert!(Instant::now() < deadline, "there is no next key");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Does what the rotate script does to a running tunnel: the preshared key first, then the private
/// one, at once and without switching anything off.
#[track_caller]
fn take_keys(hub: &Hub, router: &Router, settings: &Settings) {
    let file = |name: &str, text: &str| {
        let path = hub.root().join(format!("{name}-{}", router.space.interface));
        fs::write(&path, text).expect("key file");
        path
    };
    let interface = &router.space.interface;
    let mut command = router.space.command("wg");
    command.args(["set", interface, "peer", &settings.hub_public_key, "preshared-key"]);
    match &settings.preshared_key {
        Some(key) => command.arg(file("preshared", key)),
        None => command.arg("/dev/null"),
    };
    run(&mut command);
    let mut command = router.space.command("wg");
    run(command.args(["set", interface, "private-key"]).arg(file("private", &settings.private_key)));
    // One packet makes the router call.
    router.space.reaches(HUB_VPN_IP, Duration::ZERO);
}

/// Rotates with `--wait` under traffic and returns the longest gap, in seconds.
fn rotate_under_traffic(net: &Net, hub: &Hub, name: &str, flags: &str) -> f64 {
    let (router, install) = site(net, hub, name);
    let old = hub.key_of(name);
    let all: Vec<String> = hub.peers().into_keys().collect();
    let known: Vec<&str> = all.iter().map(String::as_str).collect();
    let traffic = ping(&router.space, HUB_VPN_IP, 8);
    thread::sleep(Duration::from_secs(1));
    let mut waiting = hub.program(&format!("peer rotate {name}{flags} --wait=60"));
    let waiting = waiting.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("start iwas-wg");
    let new = next_key(hub, &known);
    let script = hub.ok(&format!("script render {name} --kind rotate"));
    let settings = Settings::of_rotation(&install, &script, &[old.clone(), new.clone()]);
    assert_eq!(settings.preshared_key.is_some(), flags.contains("preshared"));
    take_keys(hub, &router, &settings);
    let ended = waiting.wait_with_output().expect("iwas-wg");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(String::from_utf8_lossy(&ended.stdout), script, "the script is printed before the wait");
    let seen = answers(traffic);
    assert!(seen.at.len() > 20, "{} answers to {}", seen.at.len(), seen.asked);
    assert_eq!(hub.key_of(name), new);
    let peers = hub.peers();
    assert!(!peers.contains_key(&old), "{peers:#?}");
    assert_eq!(peers[&new].allowed_ips, format!("{}/32", router.vpn_ip()));
    assert!(router.is_heard(), "{peers:#?}");
    hub.ok("sync --check");
    seen.longest_gap()
}

#[test]
fn a_rotation_costs_a_moment_and_no_outage() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    for (name, flags) in [("plain", ""), ("preshared", " --preshared"), ("again", "")] {
        let gap = rotate_under_traffic(&net, &hub, name, flags);
        aloud(&format!(
            "{}: longest gap of the ping through rotate{flags} --wait: {gap:.3} s",
            backend.as_str()
        ));
        // Loaded machines are slow; a router that had to begin anew would take longer than this.
        assert!(gap < 15.0, "{gap} s without an answer");
    }
}

#[test]
fn the_address_moves_to_the_next_key_without_touching_another_session() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let (other, _) = site(&net, &hub, "other");
    let other_key = hub.key_of("other");
    hub.wait_for_handshake(&other_key);
    let before = hub.peers()[&other_key].clone();
    let traffic = ping(&other.space, HUB_VPN_IP, 12);
    rotate_under_traffic(&net, &hub, "cafe", "");
    let seen = answers(traffic);
    let after = hub.peers()[&other_key].clone();
    assert_eq!(after.handshake, before.handshake, "another session was begun anew");
    assert_eq!(seen.at.len(), seen.asked, "another session lost packets");
    assert!(after.rx_bytes > before.rx_bytes);
}

#[test]
fn a_router_that_never_runs_the_script_goes_on_as_before() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let (router, _) = site(&net, &hub, "cafe");
    let key = hub.key_of("cafe");
    hub.wait_for_handshake(&key);
    let before = hub.peers()[&key].handshake;
    assert_eq!(hub.run("peer rotate cafe --wait=1").code, Some(5));
    hub.ok("heartbeat");
    assert_eq!((hub.key_of("cafe"), hub.peers().len()), (key.clone(), 2));
    hub.ok("peer rotate cafe --abort");
    assert_eq!(hub.peers().len(), 1);
    // Given up by itself as well, in time.
    let config = hub.root().join("etc/iwas-wg/config.toml");
    let settings = fs::read_to_string(&config).expect("settings");
    fs::write(&config, settings.replace("[keys]\n", "[keys]\nrotate_timeout = 1\n")).expect("settings");
    hub.ok("peer rotate cafe");
    thread::sleep(Duration::from_secs(2));
    hub.ok("heartbeat");
    assert_eq!(hub.peer_list(), [(key.clone(), format!("{}/32", router.vpn_ip()))]);
    assert_eq!(hub.peers()[&key].handshake, before, "its session was begun anew");
    assert!(router.is_heard());
}

#[test]
fn a_router_that_dies_half_way_is_heard_with_whichever_key_it_wakes_up_with() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    for (name, wakes_with_new) in [("new", true), ("old", false)] {
        let (mut router, install) = site(&net, &hub, name);
        let old = hub.key_of(name);
        let all: Vec<String> = hub.peers().into_keys().collect();
        let known: Vec<&str> = all.iter().map(String::as_str).collect();
        let script = hub.ok(&format!("peer rotate {name}"));
        let new = next_key(&hub, &known);
        let settings = Settings::of_rotation(&install, &script, &[old.clone(), new.clone()]);
        // The power goes between the new key and its first packet.
        router.stop();
        if wakes_with_new {
            router.settings = settings;
        }
        hub.ok("heartbeat");
        assert_eq!(hub.key_of(name), old, "nothing was proved yet");
        // The hub is restarted as well; its conf has both keys.
        hub.ok("down");
        hub.ok("up");
        router.start();
        let expected = if wakes_with_new { &new } else { &old };
        router.space.reaches(HUB_VPN_IP, Duration::from_secs(1));
        hub.wait_for_handshake(expected);
        hub.ok("heartbeat");
        assert_eq!(&hub.key_of(name), expected);
        assert!(router.is_heard(), "{:#?}", hub.peers());
        if !wakes_with_new {
            hub.ok(&format!("peer rotate {name} --abort"));
        }
        hub.ok("sync --check");
    }
}

#[test]
fn a_router_that_went_back_to_its_old_key_keeps_it() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let (router, install) = site(&net, &hub, "cafe");
    let old = hub.key_of("cafe");
    let script = hub.ok("peer rotate cafe");
    let new = next_key(&hub, &[&old]);
    let settings = Settings::of_rotation(&install, &script, &[old.clone(), new.clone()]);
    take_keys(&hub, &router, &settings);
    let proved = hub.wait_for_handshake(&new);
    thread::sleep(Duration::from_secs(2));
    take_keys(&hub, &router, &router.settings);
    assert!(router.is_heard(), "{:#?}", hub.peers());
    assert!(hub.peers()[&old].handshake > proved);
    hub.ok("heartbeat");
    assert_eq!(hub.key_of("cafe"), old, "it was taken from a router that uses it");
    // Run once more, the script turns the router for good; a second run of it changes nothing.
    take_keys(&hub, &router, &settings);
    thread::sleep(Duration::from_secs(2));
    take_keys(&hub, &router, &settings);
    hub.wait_for_handshake(&new);
    let deadline = Instant::now() + SOON;
    while hub.key_of("cafe") != new {
        assert!(Instant::now() < deadline, "{:#?}", hub.peers());
        hub.ok("heartbeat");
        router.space.reaches(HUB_VPN_IP, Duration::ZERO);
    }
    assert!(router.is_heard());
}

#[test]
fn two_rotations_at_once_end_both() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let sites = [site(&net, &hub, "a"), site(&net, &hub, "b")];
    let old = [hub.key_of("a"), hub.key_of("b")];
    // Two for the same location among them: both wait for the same key.
    let waiting: Vec<Child> = ["a", "b", "a"]
        .iter()
        .map(|name| {
            let mut command = hub.program(&format!("--lock-timeout 20 peer rotate {name} --wait=60"));
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("start iwas-wg")
        })
        .collect();
    let deadline = Instant::now() + SOON;
    while hub.peers().len() < 4 {
        assert!(Instant::now() < deadline, "{:#?}", hub.peers());
        thread::sleep(Duration::from_millis(50));
    }
    for ((router, install), (name, old)) in sites.iter().zip(["a", "b"].iter().zip(&old)) {
        let script = hub.ok(&format!("--lock-timeout 20 script render {name} --kind rotate"));
        let new: Vec<String> = hub.peers().into_keys().filter(|k| script.contains(k.as_str())).collect();
        let settings = Settings::of_rotation(install, &script, &[old.clone(), new[0].clone()]);
        take_keys(&hub, router, &settings);
    }
    for child in waiting {
        let ended = child.wait_with_output().expect("iwas-wg");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    assert_eq!(hub.peers().len(), 2);
    for (router, _) in &sites {
        assert!(router.is_heard(), "{:#?}", hub.peers());
    }
    hub.ok("sync --check");
}

#[test]
fn a_move_keeps_the_session_and_ends_when_the_router_answers() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let (router, install) = site(&net, &hub, "cafe");
    let key = hub.key_of("cafe");
    hub.wait_for_handshake(&key);
    let before = hub.peers()[&key].handshake;
    let mut waiting = hub.program("peer move cafe --vpn-ip 10.77.0.99 --wait=60");
    let waiting = waiting.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("start iwas-wg");
    let deadline = Instant::now() + SOON;
    while hub.location("cafe")["moving_to"] != "10.77.0.99" {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(50));
    }
    assert!(hub.space.reaches(router.vpn_ip(), SOON), "the old address is gone already");
    let script = hub.ok("script render cafe");
    let moved = Settings::of_scripts(&[&install, &script]);
    assert_eq!((moved.address.as_str(), &moved.private_key), ("10.77.0.99/24", &router.settings.private_key));
    router.take_address(&moved.address);
    let ended = waiting.wait_with_output().expect("iwas-wg");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(hub.peer_list(), [(key.clone(), "10.77.0.99/32".to_owned())]);
    assert!(hub.space.reaches("10.77.0.99", SOON) && router.is_heard());
    assert_eq!(hub.peers()[&key].handshake, before, "its session was begun anew");
    hub.ok("sync --check");
}

#[test]
fn a_disabled_peer_is_not_heard_and_an_enabled_one_is_again() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let script = hub.ok("location add cafe --preshared");
    let router = Router::new(&net, hub.backend, &script);
    assert!(router.is_heard());
    let (other, _) = site(&net, &hub, "other");
    hub.ok("peer disable cafe");
    assert!(!router.space.reaches(HUB_VPN_IP, Duration::from_secs(2)), "still heard");
    hub.ok("peer enable cafe");
    router.stop();
    router.start();
    assert!(router.is_heard(), "{:#?}", hub.peers());
    // The conf alone, with the standard tools, brings up the same hub, a next key included.
    hub.ok("peer rotate other");
    let peers = hub.peer_list();
    hub.ok("down");
    crate::router::bare_interface(&hub.space, hub.backend);
    crate::router::set_conf(&hub.space, &crate::router::strip(&hub));
    assert_eq!(hub.peer_list(), peers);
    assert_eq!(peers.iter().filter(|(_, allowed)| allowed == "(none)").count(), 1);
    hub.ok("up");
    hub.ok("sync --check");
    for router in [&router, &other] {
        router.stop();
        router.start();
        assert!(router.is_heard(), "{:#?}", hub.peers());
    }
}
