//! What the product is for, on real handshakes: a location goes in, an online router comes out, and
//! nothing that the hub does to one router disturbs another.

use crate::{
    bench::ready,
    hub::{AFTER_RESTART, HUB_VPN_IP, Hub, Peer, SOON},
    netns::{Net, wan_address},
    router::{Router, bare_interface, set_conf, strip, wg_quick},
    routeros::Settings,
};
use std::{
    fs,
    io::Write,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

#[test]
fn a_location_goes_in_and_an_online_router_comes_out() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let added = hub.run("location add cafe-central --org acme --tag city=vienna").code(0);
    assert_eq!(hub.status_of("cafe-central")["state"], "never");

    let router = Router::new(&net, backend, &added.stdout);
    assert!(router.is_heard(), "{:#?}", hub.peers());
    assert!(hub.space.reaches(router.vpn_ip(), SOON), "the hub does not reach the router");

    let quiet = hub.run("heartbeat").code(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    let status = hub.json("status");
    assert_eq!(status["source"], "live", "{status}");
    assert_eq!(status["hub"]["up"], true, "{status}");
    assert_eq!(status["counts"]["online"], 1, "{status}");
    assert!(status["heartbeat_at"].is_string(), "{status}");
    let location = &status["locations"][0];
    let peer = hub.peers().remove(location["vpn_public_key"].as_str().expect("a key")).expect("its peer");
    assert_eq!(location["state"], "online", "{status}");
    assert_eq!(location["is_online"], true, "{status}");
    assert_eq!(location["vpn_ip"], router.vpn_ip(), "{status}");
    assert_eq!(location["endpoint"], peer.endpoint, "{status}");
    assert!(peer.endpoint.starts_with(&wan_address(1, 2)), "{peer:?}");
    assert!(location["rx_bytes"].as_u64() > Some(0) && location["tx_bytes"].as_u64() > Some(0), "{status}");
    let at: jiff::Timestamp = location["last_handshake"].as_str().expect("a time").parse().expect("a time");
    assert_eq!(u64::try_from(at.as_second()).expect("after 1970"), peer.handshake, "{status}");
    assert_eq!(peer.allowed_ips, format!("{}/32", router.vpn_ip()));

    let table = hub.ok("status");
    let row = table.lines().find(|line| line.contains("cafe-central")).expect("a row");
    assert!(row.contains("online") && row.contains(router.vpn_ip()), "{table}");
    assert!(table.contains("live"), "{table}");
}

#[test]
fn the_script_rendered_again_makes_the_same_router() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let first = Router::of_new_location(&net, &hub, "cafe");
    let again = hub.ok("script render cafe");
    first.stop();
    let replacement = Router::new(&net, backend, &again);
    assert_eq!(first.settings, replacement.settings);
    assert!(replacement.is_heard(), "{:#?}", hub.peers());
}

#[test]
fn a_key_made_on_the_router_never_passes_the_hub() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let script = hub.ok("location add tower --key-mode router");
    let (settings, said) = Settings::and_last_line(&script);
    assert!(!script.contains(&settings.private_key), "the hub knew the key");
    // The router prints the very command that its operator types on the hub.
    let (_, command) = said.split_once("run there: iwas-wg ").expect("a command for the hub");
    hub.ok(command);
    let router = Router::with(&net, backend, settings);
    assert!(router.is_heard(), "{:#?}", hub.peers());
    assert_eq!(hub.status_of("tower")["state"], "online");
}

#[test]
fn the_hub_opens_a_connection_to_its_router() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let router = Router::of_new_location(&net, &hub, "cafe");
    // As an operator who opens the router's Winbox port from the hub.
    let mut listener = router.space.command("busybox");
    let listener = listener.args(["nc", "-l", "-p", "8291"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut listener = listener.spawn().expect("start the listener");
    listener.stdin.take().expect("its input").write_all(b"hello from the router\n").expect("write");
    let deadline = Instant::now() + SOON;
    let said = loop {
        let mut client = hub.space.command("busybox");
        let client = client.args(["nc", "-w", "5", router.vpn_ip(), "8291"]).stdin(Stdio::null());
        let said = client.output().expect("start the client").stdout;
        // The listener may not be there yet.
        if !said.is_empty() || Instant::now() >= deadline {
            break said;
        }
        thread::sleep(Duration::from_millis(100));
    };
    // The connection is over, or never was: either way the listener has done its work.
    let _ = listener.kill();
    listener.wait().expect("the listener");
    assert_eq!(String::from_utf8_lossy(&said), "hello from the router\n");
}

#[test]
fn the_wg_quick_format_makes_the_same_peer() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    hub.ok("location add laptop");
    let space = net.add_router();
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join(format!("{}.conf", space.interface));
    fs::write(&file, hub.ok("script render laptop --format wg-quick")).expect("write the file");
    wg_quick(&space, "up", &file);
    assert!(space.reaches(HUB_VPN_IP, SOON), "{:#?}", hub.peers());
    assert_eq!(hub.status_of("laptop")["state"], "online");
    // Its own way out is not bent into the tunnel.
    assert!(space.ip("route get 198.51.100.1").contains("dev wan"));
}

#[test]
fn a_router_that_takes_anothers_address_is_not_heard() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let honest = Router::of_new_location(&net, &hub, "honest");
    let thief = Router::of_new_location(&net, &hub, "thief");

    // With the honest router off, only the thief could be the one that is heard.
    honest.stop();
    thief.take_address(&honest.settings.address);
    let (key, before) = (hub.key_of("honest"), hub.peers());
    assert!(!thief.space.reaches(HUB_VPN_IP, Duration::from_secs(3)), "the hub heard the thief");
    // The hub may call the honest router meanwhile; it must not take in anything from it.
    let heard = |p: &Peer| (p.rx_bytes, p.handshake, p.endpoint.clone());
    assert_eq!(heard(&hub.peers()[&key]), heard(&before[&key]), "its packets were taken for the other's");

    honest.start();
    assert!(honest.is_heard(), "the honest router is no longer heard");
    assert!(hub.space.reaches(honest.vpn_ip(), SOON), "the hub no longer reaches the honest router");
    assert!(!thief.space.reaches(HUB_VPN_IP, Duration::from_secs(3)), "the hub heard the thief");
    thief.take_address(&format!("{}/24", hub.location("thief")["vpn_ip"].as_str().expect("an address")));
    assert!(thief.is_heard(), "with its own address it must be heard again");
}

#[test]
fn down_and_up_bring_every_router_back() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let one = Router::of_new_location(&net, &hub, "one");
    let two = Router::of_new_location(&net, &hub, "two");
    hub.ok("location add not-yet-there");
    let address = || {
        let shown = hub.space.ip(&format!("-4 -o address show {}", hub.interface()));
        shown.split_whitespace().nth(3).map(str::to_owned)
    };
    let peers = hub.peer_list();
    assert_eq!(address().as_deref(), Some("10.77.0.1/24"));
    assert_eq!(peers.len(), 3);

    hub.ok("down");
    assert!(!hub.has_interface());
    let status = hub.json("status");
    assert_eq!((&status["source"], &status["hub"]["up"]), (&"heartbeat".into(), &false.into()), "{status}");
    hub.ok("down");

    hub.ok("up");
    assert_eq!(hub.peer_list(), peers);
    assert_eq!(address().as_deref(), Some("10.77.0.1/24"));
    // Nobody touches the routers: they find the hub again by themselves.
    for router in [&one, &two] {
        assert!(router.space.reaches(HUB_VPN_IP, AFTER_RESTART), "{:#?}", hub.peers());
    }
    assert_eq!(hub.json("status")["counts"]["online"], 2);
}

#[test]
fn the_conf_alone_brings_every_router_back() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let router = Router::of_new_location(&net, &hub, "cafe");
    hub.ok("location add second --vpn-ip 10.77.0.99");
    let peers = hub.peer_list();

    hub.ok("down");
    bare_interface(&hub.space, backend);
    set_conf(&hub.space, &strip(&hub));
    assert_eq!(hub.peer_list(), peers);
    let name = hub.interface();
    let conf = hub.conf();
    let address =
        conf.lines().find_map(|line| line.strip_prefix("Address = ")).expect("an address in the conf");
    hub.space.ip(&format!("address add {address} dev {name}"));
    hub.space.ip(&format!("link set {name} up"));
    assert!(router.space.reaches(HUB_VPN_IP, AFTER_RESTART), "{:#?}", hub.peers());

    // The program takes over what it did not make, and finds nothing to do.
    assert_eq!(hub.json("up")["changed"], false);
    assert_eq!(hub.status_of("cafe")["state"], "online");
}

#[test]
fn wg_quick_alone_brings_every_router_back_after_a_reboot() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let router = Router::of_new_location(&net, &hub, "cafe");
    let peers = hub.peer_list();
    hub.ok("down");

    wg_quick(&hub.space, "up", &hub.conf_path());
    assert_eq!(hub.peer_list(), peers);
    assert!(router.space.reaches(HUB_VPN_IP, AFTER_RESTART), "{:#?}", hub.peers());
    assert_eq!(hub.json("up")["changed"], false, "what wg-quick made is as the store wants it");
    hub.ok("heartbeat");
    assert_eq!(hub.status_of("cafe")["state"], "online");
    hub.ok("location add while-wg-quick-runs");
    assert_eq!(hub.peers().len(), 2);
    wg_quick(&hub.space, "down", &hub.conf_path());
    assert!(!hub.has_interface());
}

#[test]
fn up_again_changes_nothing_and_keeps_the_session() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let router = Router::of_new_location(&net, &hub, "cafe");
    let key = hub.key_of("cafe");
    hub.wait_for_handshake(&key);
    let before = hub.peers().remove(&key).expect("the peer");

    for command in ["up", "sync"] {
        assert_eq!(hub.json(command)["changed"], false, "{command}");
    }
    assert!(router.is_heard());
    let after = hub.peers().remove(&key).expect("the peer");
    assert_eq!(after.handshake, before.handshake, "the session was begun anew");
    assert_eq!(after.endpoint, before.endpoint);
    assert!(after.rx_bytes > before.rx_bytes && after.tx_bytes > before.tx_bytes, "{before:?} {after:?}");
}

#[test]
fn up_mends_what_other_hands_changed_and_keeps_the_session() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let router = Router::of_new_location(&net, &hub, "cafe");
    hub.ok("location add lost");
    let (key, lost, peers) = (hub.key_of("cafe"), hub.key_of("lost"), hub.peer_list());
    let before = hub.peers().remove(&key).expect("the peer");

    let name = hub.interface();
    let set = |words: &str| {
        let status = hub.space.command("wg").args(["set", &name]).args(words.split(' ')).status();
        assert!(status.expect("start wg").success(), "{words}");
    };
    set(&format!("peer {lost} remove"));
    set(&format!("peer {key} allowed-ips 10.77.0.200/32"));
    hub.space.ip(&format!("address flush dev {name}"));
    hub.space.ip(&format!("link set {name} down"));

    assert_eq!(hub.json("up")["changed"], true);
    assert_eq!(hub.peer_list(), peers);
    assert!(router.space.reaches(HUB_VPN_IP, AFTER_RESTART), "{:#?}", hub.peers());
    let after = hub.peers().remove(&key).expect("the peer");
    assert!(after.rx_bytes > before.rx_bytes, "the peer was made anew: {before:?} {after:?}");
}

#[test]
fn other_locations_coming_and_going_leave_a_session_alone() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let router = Router::of_new_location(&net, &hub, "cafe");
    let key = hub.key_of("cafe");
    hub.wait_for_handshake(&key);
    let before = hub.peers().remove(&key).expect("the peer");

    hub.ok("location add pub");
    hub.ok("location add --no-provision bar");
    hub.ok("peer provision bar");
    assert_eq!(hub.peers().len(), 3);
    hub.ok("location set pub --description corner");
    hub.ok("location remove pub -y");
    assert_eq!(hub.peers().len(), 2);

    assert!(router.is_heard());
    let after = hub.peers().remove(&key).expect("the peer");
    assert_eq!(after.handshake, before.handshake, "the session was begun anew");
    assert!(after.rx_bytes > before.rx_bytes && after.tx_bytes > before.tx_bytes, "{before:?} {after:?}");
}

#[test]
fn a_removed_location_is_no_longer_heard() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let gone = Router::of_new_location(&net, &hub, "gone");
    let stays = Router::of_new_location(&net, &hub, "stays");
    let key = hub.key_of("gone");
    assert!(hub.conf().contains(&key));

    hub.ok("location remove gone -y");
    assert!(!hub.peers().contains_key(&key), "still on the interface");
    assert!(!hub.conf().contains(&key) && !hub.conf().contains("gone"), "still in the conf:\n{}", hub.conf());
    assert!(!gone.space.reaches(HUB_VPN_IP, Duration::from_secs(3)), "still heard");
    assert!(stays.is_heard());
    // Its address comes back last, so the next location is somebody else.
    hub.ok("location add next");
    assert_ne!(hub.location("next")["vpn_ip"], gone.vpn_ip());
}

#[test]
fn a_silent_router_goes_offline_and_comes_back() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let mut hub = Hub::up(&net, backend);
    let router = Router::of_new_location(&net, &hub, "cafe");
    let first = hub.json("heartbeat");
    assert_eq!((&first["online"], &first["changes"][0]["to"]), (&1.into(), &"online".into()), "{first}");

    router.stop();
    thread::sleep(Duration::from_secs(16));
    // Only while it is dark: a slow machine may need longer than this from a handshake to a heartbeat.
    hub.vars.push(("IWAS_WG_OFFLINE_AFTER", "15".to_owned()));
    let dark = hub.json("heartbeat");
    assert_eq!((&dark["online"], &dark["offline"]), (&0.into(), &1.into()), "{dark}");
    assert_eq!(dark["changes"][0]["from"], "online", "{dark}");
    assert_eq!(dark["changes"][0]["to"], "offline", "{dark}");
    assert_eq!(hub.status_of("cafe")["state"], "offline");
    hub.vars.clear();

    let seen = hub.wait_for_handshake(&hub.key_of("cafe"));
    router.start();
    assert!(router.is_heard());
    assert!(hub.wait_for_handshake(&hub.key_of("cafe")) > seen);
    let back = hub.json("heartbeat");
    assert_eq!(back["changes"][0]["to"], "online", "{back}");
    assert_eq!(hub.json("heartbeat")["changes"].as_array().map(Vec::len), Some(0));
}

#[test]
fn the_endpoint_follows_a_router_that_moves() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let router = Router::of_new_location(&net, &hub, "cafe");
    let home = hub.status_of("cafe")["endpoint"].as_str().expect("an endpoint").to_owned();
    assert!(home.starts_with(&format!("{}:", wan_address(1, 2))), "{home}");

    // As when the provider hands out another address.
    router.space.ip("address flush dev wan");
    router.space.ip(&format!("address add {}/24 dev wan", wan_address(1, 77)));
    router.space.ip(&format!("route add default via {}", wan_address(1, 1)));
    assert!(router.space.reaches(HUB_VPN_IP, AFTER_RESTART), "{:#?}", hub.peers());
    hub.ok("heartbeat");
    let moved = hub.status_of("cafe")["endpoint"].as_str().expect("an endpoint").to_owned();
    assert!(moved.starts_with(&format!("{}:", wan_address(1, 77))), "{moved}");
}
