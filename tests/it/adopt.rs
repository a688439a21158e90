//! `init --adopt`: a hub that already runs becomes ours, and nobody notices.

use crate::support::{HUB_KEY, Hub, live_peer, public_key as key};
use iwas_wg::model::{
    LiveInterface, LivePeer, PresharedKey, PrivateKey, Route, link::MAIN_TABLE, plan::Plan,
};
use serde_json::json;
use std::fs;

/// A route that wg-quick(8) made.
fn route(net: &str) -> Route {
    Route { net: net.parse().expect("net"), table: MAIN_TABLE }
}

/// A hand-written conf with what people put into one.
fn conf() -> String {
    format!(
        "# our VPN, ask Bob\n[Interface]\nPrivateKey = {HUB_KEY}\nAddress = 10.8.0.254/24, fd00::1/64\nListenPort = 4500\n\
         PostUp = iptables -A FORWARD -i %i -j ACCEPT\n\n# Café Central\n[Peer]\nPublicKey = {}\nAllowedIPs = 10.8.0.2/32\n\
         PersistentKeepalive = 25\n\n### Site 7 (tower)\n[Peer]\nPublicKey={}\nAllowedIPs=10.8.0.7/32,192.168.7.0/24\n\n\
         [Peer]\nPublicKey = {}\nAllowedIPs = 10.8.0.9/32\nEndpoint = 203.0.113.1:1\n\n\
         # the data centre\n[Peer]\nPublicKey = {}\nAllowedIPs = 172.16.0.0/12\n",
        key(2),
        key(7),
        key(9),
        key(50)
    )
}

/// A machine with that conf, and an interface that has one peer more.
fn running() -> Hub {
    let hub = Hub::empty();
    fs::create_dir_all(hub.path("etc/wireguard")).expect("directory");
    fs::write(hub.path("etc/wireguard/wg0.conf"), conf()).expect("conf");
    let private = PrivateKey::from_base64(HUB_KEY).unwrap_or_else(|e| panic!("{e}"));
    hub.device().routes = vec![route("192.168.7.0/24"), route("172.16.0.0/12")];
    hub.device().interface = Some(LiveInterface {
        userspace: false,
        up: true,
        public_key: Some(private.public()),
        listen_port: Some(4500),
        fwmark: 0,
        mtu: 1420,
        addresses: ["10.8.0.254/24", "fd00::1/64"].iter().map(|a| a.parse().expect("net")).collect(),
        age_seconds: Some(86_400),
        peers: vec![
            LivePeer { keepalive: 25, ..live_peer(2, &["10.8.0.2/32"]) },
            live_peer(7, &["192.168.7.0/24", "10.8.0.7/32"]),
            LivePeer { endpoint: "203.0.113.1:1".parse().ok(), ..live_peer(9, &["10.8.0.9/32"]) },
            live_peer(50, &["172.16.0.0/12"]),
            live_peer(33, &["10.8.0.33/32"]),
        ],
    });
    hub
}

#[test]
fn every_peer_becomes_a_location_and_the_interface_is_not_touched() {
    let hub = running();
    let before = hub.live();
    let report = hub.run(&["--json", "init", "--adopt", "--endpoint", "vpn.example.com"]).ok().json();
    assert_eq!(
        report["adopted"],
        json!(["caf-central", "peer-10.8.0.33", "peer-10.8.0.9", "site-7-tower"]),
        "{report}"
    );
    assert_eq!(
        (&report["wider"], &report["left"]),
        (&json!(["site-7-tower"]), &json!([key(50).to_string()]))
    );
    assert!(hub.device().applied.is_empty(), "the interface was touched");
    let l = hub.run(&["--json", "location", "show", "caf-central"]).ok().json()["location"].clone();
    assert_eq!((&l["vpn_ip"], &l["key_mode"]), (&json!("10.8.0.2"), &json!("router")));
    assert_eq!(
        (&l["vpn_public_key"], &l["description"]),
        (&json!(key(2).to_string()), &json!("Café Central"))
    );

    // The interface needs nothing; the conf only got names and the peer that was never written down.
    hub.run(&["sync", "--check"]).ok();
    assert_eq!(hub.run(&["--json", "up"]).ok().json()["changed"], false);
    hub.run(&["sync"]).ok();
    assert!(hub.device().applied.is_empty(), "sync disturbed a session");
    assert_eq!(hub.live(), before);
    for line in conf().lines() {
        assert!(hub.conf().lines().any(|l| l == line), "{line:?} is gone from\n{}", hub.conf());
    }
    assert!(hub.conf().contains("# friendly_name = peer-10.8.0.33\n"));
    hub.run(&["sync", "--check"]).ok();
}

#[test]
fn hub_address_port_and_pool_are_kept() {
    let hub = running();
    hub.run(&["init", "--adopt", "--endpoint", "vpn.example.com"]).ok();
    let report = hub.run(&["--json", "status"]).ok().json();
    assert_eq!((&report["hub"]["listen_port"], &report["counts"]["never"]), (&json!(4500), &json!(4)));
    // The hub is at .254, so .1 is the lowest free address, and .254 is nobody else's.
    assert_eq!(hub.add_for_address("new"), "10.8.0.1");
    let run = hub.run(&["location", "add", "x", "--vpn-ip", "10.8.0.254"]).code(4);
    assert_eq!(run.error().0, "iwas-wg: address 10.8.0.254 is the hub's own address");
    let script = hub.run(&["script", "render", "new", "--format", "json"]).ok().json();
    assert_eq!((&script["endpoint_port"], &script["prefix_length"]), (&json!(4500), &json!(24)));
    let conf = hub.path("etc/wireguard/wg0.conf");
    fs::set_permissions(&conf, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("mode");
    let run = hub.run(&["doctor"]).ok();
    let wider = "1 adopted peer may speak for more than its own address: site-7-tower";
    assert!(run.stdout.contains(wider), "{}", run.stdout);
}

#[test]
fn wider_allowed_ips_are_kept_until_the_operator_ends_them() {
    let hub = running();
    let run = hub.run(&["init", "--adopt"]).ok();
    let hint = "\"iwas-wg location set site-7-tower --allowed-ips vpn-ip-only\" ends that";
    assert!(run.stderr.contains(hint), "{}", run.stderr);
    hub.run(&["sync"]).ok();
    hub.run(&["down"]).ok();
    hub.run(&["up"]).ok();
    let allowed = |hub: &Hub| hub.live().into_iter().find(|(k, _)| *k == key(7).to_string()).expect("peer").1;
    assert_eq!(allowed(&hub), "10.8.0.7/32,192.168.7.0/24");
    let set = ["--json", "location", "set", "site-7-tower", "--allowed-ips", "vpn-ip-only"];
    assert_eq!(hub.run(&set).ok().json()["changed"], true);
    assert_eq!(allowed(&hub), "10.8.0.7/32");
    assert!(!hub.conf().contains("192.168.7.0/24"));
    assert_eq!(hub.run(&set).ok().json()["changed"], false);
    hub.run(&["sync", "--check"]).ok();
}

#[test]
fn names_can_be_given_in_a_file() {
    let hub = running();
    let file = hub.path("names.csv");
    fs::write(&file, format!("public_key,name\n{},vienna\n\"{}\",\"graz\"\n", key(2), key(9)))
        .expect("names");
    let name = file.to_str().expect("path");
    let report = hub.run(&["--json", "init", "--adopt", "--names", name, "-n"]).ok().json();
    assert_eq!(report["adopted"], json!(["graz", "peer-10.8.0.33", "site-7-tower", "vienna"]));
    assert!(!hub.path("var/lib/iwas-wg/iwas-wg.db").exists(), "a dry run made a store");
    for (text, why) in [
        (format!("{},a\n{},a\n", key(2), key(9)), "line 2: gives the name of line 1 again"),
        (format!("{}\n", key(2)), "line 1: has no comma"),
        (format!("{},A b\n", key(2)), "line 1: location name \"A b\" contains the capital letter 'A'"),
        (format!("{},a\nnonsense,b\n", key(2)), "line 2: does not begin with a public key"),
    ] {
        fs::write(&file, text).expect("names");
        let run = hub.run(&["init", "--adopt", "--names", name]).code(2);
        assert!(run.error().0.ends_with(why), "{}", run.stderr);
    }
    assert!(!hub.path("etc/iwas-wg").exists(), "a refused call left files");
}

#[test]
fn showconf_and_dsnet_are_read_too() {
    let hub = running();
    fs::remove_file(hub.path("etc/wireguard/wg0.conf")).expect("remove");
    // wg showconf knows neither address nor comments: the interface tells the first.
    let file = hub.path("showconf");
    let peers = format!("[Peer]\nPublicKey = {}\nAllowedIPs = 10.8.0.2/32\n", key(2));
    fs::write(&file, format!("[Interface]\nListenPort = 4500\nPrivateKey = {HUB_KEY}\n\n{peers}"))
        .expect("file");
    let report =
        hub.run(&["--json", "init", "--adopt", "--from", file.to_str().expect("path"), "-n"]).ok().json();
    assert_eq!(report["adopted"][0], "peer-10.8.0.2");

    let dsnet = json!({
        "ExternalHostname": "vpn.example.com", "ExternalIP": "203.0.113.5", "ListenPort": 4500,
        "InterfaceName": "wg0", "Network": "10.8.0.0/24", "IP": "10.8.0.254", "PrivateKey": HUB_KEY,
        "Peers": [
            {"Hostname": "Bob Phone", "Owner": "bob", "Description": "his phone", "IP": "10.8.0.2",
             "PublicKey": key(2).to_string(), "PresharedKey": HUB_KEY, "Networks": []},
            {"Hostname": "tower", "Description": "", "IP": "10.8.0.7", "PublicKey": key(7).to_string(),
             "Networks": ["192.168.7.0/24"]}
        ]
    });
    let file = hub.path("dsnetconfig.json");
    fs::write(&file, dsnet.to_string()).expect("file");
    let preshared = PresharedKey::from_base64(HUB_KEY).unwrap_or_else(|e| panic!("{e}"));
    hub.device().interface.as_mut().expect("interface").peers[0].preshared = preshared.digest();
    hub.device().preshared_keys.insert(key(2), *preshared.expose_bytes());
    let report = hub.run(&["--json", "init", "--adopt", "--from", file.to_str().expect("path")]).ok().json();
    assert_eq!(report["adopted"], json!(["bob-phone", "peer-10.8.0.33", "peer-10.8.0.9", "tower"]));
    assert_eq!(hub.run(&["--json", "up"]).ok().json()["changed"], false);
    assert!(hub.conf().contains("Address = 10.8.0.254/24\n"), "{}", hub.conf());
    hub.run(&["location", "add", "new"]).ok();
    assert!(!hub.run(&["--json", "status"]).ok().stdout.contains(HUB_KEY));
}

#[test]
fn what_cannot_be_adopted_is_left_as_it_is() {
    let hub = running();
    let path = hub.path("etc/wireguard/wg0.conf");
    let attempt = |text: &str, code: u8, why: &str| {
        fs::write(&path, text).expect("conf");
        let run = hub.run(&["init", "--adopt"]).code(code);
        assert!(run.error().0.contains(why), "{}", run.stderr);
        assert!(!hub.path("etc/iwas-wg").exists() && !hub.path("var").exists(), "files were left");
    };
    attempt("nonsense\n", 6, "wg0.conf: line 1");
    attempt("[Interface]\nAddress = 10.8.0.254/24\n", 6, "has no PrivateKey");
    let other =
        "[Interface]\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\nAddress = 10.8.0.254/24\n";
    attempt(other, 4, "has another private key than the running interface");
    let twice = format!("{}\n[Peer]\nPublicKey = {}\nAllowedIPs = 10.8.0.2/32\n", conf(), key(77));
    attempt(&twice, 4, "both have 10.8.0.2");
    fs::remove_file(&path).expect("remove");
    let run = hub.run(&["init", "--adopt"]).code(2);
    assert!(run.error().0.contains("there is no file"), "{}", run.stderr);
}

#[test]
fn a_conf_that_wg_quick_overwrites_is_told_at_the_door() {
    let hub = running();
    fs::write(hub.path("etc/wireguard/wg0.conf"), conf().replace("PostUp", "SaveConfig = true\nPostUp"))
        .expect("conf");
    let run = hub.run(&["init", "--adopt"]).ok();
    assert!(run.stderr.contains("has SaveConfig = true: wg-quick will overwrite it; remove that line"));
}

#[test]
fn a_hub_is_adopted_once() {
    let hub = running();
    hub.run(&["init", "--adopt"]).ok();
    let run = hub.run(&["init", "--adopt"]).code(4);
    assert!(run.error().0.contains("a hub is here already"), "{}", run.stderr);
}

#[test]
fn a_peer_set_anew_gets_what_the_conf_says_of_it() {
    let hub = running();
    hub.run(&["init", "--adopt"]).ok();
    hub.run(&["down"]).ok();
    hub.run(&["up"]).ok();
    // Keepalive of the first, endpoint of the third: without them these two would stay dark.
    assert_eq!(hub.device().with_extras, [key(2), key(9)]);
    hub.device().with_extras.clear();
    hub.run(&["peer", "reset", "caf-central"]).ok();
    assert_eq!(hub.device().with_extras, [key(2)]);
}

#[test]
fn allowed_ips_that_only_the_interface_knows_are_kept() {
    let hub = running();
    hub.device().interface.as_mut().expect("interface").peers[0] =
        LivePeer { keepalive: 25, ..live_peer(2, &["10.8.0.2/32", "10.50.0.0/16"]) };
    let report = hub.run(&["--json", "init", "--adopt"]).ok().json();
    assert_eq!(report["wider"], json!(["caf-central", "site-7-tower"]));
    hub.run(&["sync"]).ok();
    // What it may speak for was not reached until now.
    let applied = hub.device().applied.clone();
    assert_eq!(applied, [Plan { add_routes: vec![route("10.50.0.0/16")], ..applied[0].clone() }]);
    assert!(applied[0].set_peers.is_empty(), "sync disturbed a session");
    assert!(hub.conf().contains("AllowedIPs = 10.8.0.2/32, 10.50.0.0/16\n"), "{}", hub.conf());
}

/// The same machine with another `[Interface]`.
fn with_interface(lines: &str) -> Hub {
    let hub = running();
    let text = conf().replace("PostUp = iptables -A FORWARD -i %i -j ACCEPT", lines);
    fs::write(hub.path("etc/wireguard/wg0.conf"), text).expect("conf");
    hub
}

#[test]
fn what_only_wg_quick_does_is_named_by_adopt_up_down_and_doctor() {
    let hub = with_interface("PostUp = a\nPreDown = b\nDNS = 10.8.0.254");
    let conf = hub.path("etc/wireguard/wg0.conf");
    let named = format!("{} has PostUp, PreDown, DNS: only wg-quick does that", conf.display());
    for words in [&["init", "--adopt"][..], &["up"], &["down"], &["up"]] {
        let run = hub.run(words).ok();
        assert!(run.stderr.contains(&named), "{words:?}: {}", run.stderr);
    }
    assert!(hub.run(&["doctor"]).stdout.contains(&named));
    hub.edit_settings("[hub]\n", "[hub]\nbring_up = \"wg-quick\"\n");
    assert!(!hub.run(&["doctor"]).stdout.contains("only wg-quick does that"));
    assert_eq!(hub.run(&["up"]).ok().stderr, "wg0 is up already\n");
    let run = hub.run(&["down"]).code(6);
    assert_eq!(
        run.error(),
        (
            "iwas-wg: hub.bring_up is \"wg-quick\", and there is no wg-quick in PATH",
            "hint: install wireguard-tools, or set hub.bring_up to \"self\""
        )
    );
    assert!(hub.device().interface.is_some(), "it was taken away without its hooks");
    let run = hub.run_in(&["down"], |env| env.is_root = false).code(7);
    assert_eq!(run.error().0, "iwas-wg: hub.bring_up is \"wg-quick\", and only root can run wg-quick");
}

#[test]
fn the_port_is_that_of_the_interface_and_a_wrong_one_is_refused_with_its_line() {
    for port in ["", "ListenPort = 0\n"] {
        let hub = running();
        fs::write(hub.path("etc/wireguard/wg0.conf"), conf().replace("ListenPort = 4500\n", port))
            .expect("conf");
        let run = hub.run(&["init", "--adopt"]).ok();
        assert!(run.stderr.contains("set ListenPort to 4500 in "), "{}", run.stderr);
        assert_eq!(hub.run(&["--json", "status"]).ok().json()["hub"]["listen_port"], 4500);
        assert_eq!(hub.run(&["--json", "up"]).ok().json()["changed"], false);
        hub.run(&["sync", "--check"]).ok();
    }
    let hub = running();
    fs::write(hub.path("etc/wireguard/wg0.conf"), conf().replace("4500", "99999")).expect("conf");
    let run = hub.run(&["init", "--adopt"]).code(6);
    assert!(run.error().0.contains("wg0.conf: line 5: "), "{}", run.stderr);
}

#[test]
fn a_host_address_stays_as_it_is_unless_routers_would_not_be_reached() {
    let host = conf().replace("10.8.0.254/24", "10.8.0.254/32");
    let hub = running();
    hub.device().interface.as_mut().expect("interface").addresses[0] = "10.8.0.254/32".parse().expect("net");
    let hosts = ["10.8.0.2/32", "10.8.0.7/32", "10.8.0.9/32", "10.8.0.33/32"].map(route);
    hub.device().routes.extend(hosts);
    fs::write(hub.path("etc/wireguard/wg0.conf"), &host).expect("conf");
    hub.run(&["init", "--adopt", "--network", "10.8.0.0/24", "--endpoint", "vpn.example.com"]).ok();
    assert_eq!(hub.run(&["--json", "up"]).ok().json()["changed"], false);
    hub.run(&["sync"]).ok();
    assert!(hub.conf().contains("Address = 10.8.0.254/32, fd00::1/64\n"), "{}", hub.conf());
    // A new site has a route of its own from the beginning, and loses it with its end.
    let new = hub.add_for_address("new");
    let of_new = route(&format!("{new}/32"));
    assert!(hub.device().routes.contains(&of_new));
    hub.run(&["location", "remove", "new", "-y"]).ok();
    assert!(!hub.device().routes.contains(&of_new));

    fs::write(hub.path("etc/wireguard/wg0.conf"), host.replace("PostUp", "Table = off\nPostUp"))
        .expect("conf");
    let run = hub.run(&["sync", "-n"]).ok();
    assert!(run.stderr.contains("would add 10.8.0.254/24 to Address in "), "{}", run.stderr);
}

#[test]
fn another_interface_inside_the_network_is_noticed() {
    let hub = Hub::empty();
    let others = [("eth0", "192.0.2.1/24"), ("wg9", "10.0.0.1/24"), ("lan", "10.0.0.1/8")];
    hub.device().others = others.iter().map(|(n, a)| ((*n).to_owned(), a.parse().expect("net"))).collect();
    let run = hub.run(&["init", "--endpoint", "vpn.example.com"]).ok();
    let noticed = "10.0.0.0/24 overlaps with 10.0.0.1/24 of the interface wg9";
    assert_eq!(run.stderr.matches("overlaps").count(), 1, "{}", run.stderr);
    assert!(run.stderr.contains(noticed), "{}", run.stderr);
    hub.run(&["up"]).ok();
    assert!(hub.run(&["doctor"]).stdout.contains(noticed));
}

#[test]
fn a_second_hub_has_files_of_its_own_beside_the_first() {
    let hub = Hub::with_network("10.0.0.0/24");
    let config = hub.path("etc/iwas-wg/wg1/config.toml");
    let database = hub.path("var/lib/iwas-wg/wg1/iwas-wg.db");
    let second = ["--config", config.to_str().expect("path"), "--database", database.to_str().expect("path")];
    let words = |more: &[&'static str]| [&second[..], more].concat();
    hub.run(&words(&["init", "--interface", "wg1", "--network", "10.1.0.0/24", "--endpoint", "e.example"]))
        .ok();
    assert!(hub.path("etc/iwas-wg/wg1/identity.txt").exists() && hub.path("etc/wireguard/wg1.conf").exists());
    hub.run(&words(&["location", "add", "far", "--no-provision"])).ok();
    assert_eq!(hub.run(&["--json", "location", "list"]).ok().json()["locations"], json!([]));
}
