//! Adoption from other files than the conf in its place: what peers need must not get lost on the way.

use crate::support::{HUB_KEY, Hub};
use serde_json::{Value, json};
use std::fs;

const PRESHARED: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";

fn key(n: u8) -> String {
    iwas_wg::model::PublicKey::from_bytes([n; 32]).to_string()
}

fn adopt(hub: &Hub, file: &str, text: &str, more: &[&str]) -> crate::support::Run {
    let path = hub.path(file);
    fs::create_dir_all(path.parent().expect("directory")).expect("directory");
    fs::write(&path, text).expect("file");
    let private: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&path, private).expect("mode");
    let path = path.display().to_string();
    let base = ["--json", "init", "--adopt", "--backend", "none", "--endpoint", "vpn.example.com", "--from"];
    hub.run(&[&base[..], &[&path], more].concat())
}

/// The conf holds all this, and `sync` is content with it after its first run.
#[track_caller]
fn keeps(hub: &Hub, interface: &str, lines: &[&str]) {
    let path = hub.path(&format!("etc/wireguard/{interface}.conf"));
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).expect("conf").permissions());
    assert_eq!(mode & 0o777, 0o600);
    hub.run(&["sync"]).ok();
    let conf = fs::read_to_string(&path).expect("conf");
    for line in lines {
        assert!(conf.contains(line), "{line:?} is not in\n{conf}");
    }
    hub.run(&["sync", "--check"]).ok();
}

fn showconf() -> String {
    format!(
        "[Interface]\nListenPort = 4500\nFwMark = 0x2a\nPrivateKey = {HUB_KEY}\n\n\
         [Peer]\nPublicKey = {}\nPresharedKey = {PRESHARED}\nAllowedIPs = 10.8.0.2/32\n\
         Endpoint = 203.0.113.9:1\nPersistentKeepalive = 25\n\n\
         [Peer]\nPublicKey = {}\nAllowedIPs = 10.8.0.3/32, 192.168.3.0/24\n",
        key(2),
        key(3)
    )
}

#[test]
fn showconf_keeps_preshared_keys_endpoints_and_keepalives() {
    let hub = Hub::empty();
    adopt(&hub, "showconf", &showconf(), &["--network", "10.8.0.0/24"]).ok();
    let preshared = format!("PresharedKey = {PRESHARED}\nAllowedIPs = 10.8.0.2/32\n");
    let rest = ["Endpoint = 203.0.113.9:1\nPersistentKeepalive = 25\n", "FwMark = 0x2a\n"];
    let more = ["Address = 10.8.0.1/24\n", "AllowedIPs = 10.8.0.3/32, 192.168.3.0/24\n"];
    keeps(&hub, "wg0", &[&[preshared.as_str()], &rest[..], &more[..]].concat());
}

fn dsnet() -> Value {
    json!({
        "ExternalHostname": "", "ExternalIP": "203.0.113.5", "ExternalIP6": "", "ListenPort": 4500,
        "Domain": "dsnet", "InterfaceName": "dsnet", "Network": "10.8.0.0/22", "Network6": "fd00:8::/64",
        "IP": "10.8.0.1", "IP6": "fd00:8::1", "DNS": "", "Networks": [], "ReportFile": "",
        "PrivateKey": HUB_KEY, "PostUp": "iptables -A INPUT -i dsnet -j ACCEPT", "PostDown": "",
        "Peers": [
            {"Hostname": "Bob Phone", "Owner": "bob", "Description": "his phone", "IP": "10.8.0.2",
             "IP6": "fd00:8::2", "PublicKey": key(2), "PresharedKey": PRESHARED, "Networks": []},
            {"Hostname": "tower", "Description": "", "IP": "10.8.0.7", "PublicKey": key(7),
             "Networks": ["192.168.7.0/24"]}
        ]
    })
}

#[test]
fn dsnet_keeps_its_interface_preshared_keys_and_both_address_families() {
    let hub = Hub::empty();
    let report = adopt(&hub, "dsnet.json", &dsnet().to_string(), &[]).ok().json();
    assert_eq!((&report["interface"], &report["adopted"]), (&json!("dsnet"), &json!(["bob-phone", "tower"])));
    assert_eq!(report["wider"], json!(["bob-phone", "tower"]));
    let preshared = format!("PresharedKey = {PRESHARED}\nAllowedIPs = 10.8.0.2/32, fd00:8::2/128\n");
    let lines = [
        "Address = 10.8.0.1/22\nAddress = fd00:8::1/64\nListenPort = 4500\n",
        "PostUp = iptables -A INPUT -i dsnet -j ACCEPT\n",
        "AllowedIPs = 10.8.0.7/32, 192.168.7.0/24\n",
        &preshared,
    ];
    keeps(&hub, "dsnet", &lines);
    assert_eq!(hub.run(&["--json", "status"]).ok().json()["hub"]["interface"], "dsnet");
}

#[test]
fn a_dsnet_file_that_is_wrong_is_refused_without_a_word_of_its_keys() {
    let hub = Hub::empty();
    let mut none = dsnet();
    none["Peers"] = Value::Null;
    let hub_without_peers = Hub::empty();
    assert_eq!(adopt(&hub_without_peers, "d", &none.to_string(), &[]).ok().json()["adopted"], json!([]));
    let mut twice = dsnet();
    twice["Peers"][1]["IP"] = json!("10.8.0.2");
    let mut no_key = dsnet();
    no_key["Peers"][0]["PresharedKey"] = json!("shortsecret");
    let mut no_peer = dsnet();
    no_peer["Peers"][0]["PublicKey"] = json!("nokey");
    for (file, code, why) in [
        (twice, 4, "both have 10.8.0.2"),
        (no_key, 6, "is not base64"),
        (no_peer, 6, "public key \"nokey\" is not base64"),
    ] {
        let run = adopt(&hub, "d", &file.to_string(), &[]).code(code);
        assert!(run.stderr.contains(&why.replace('"', "\\\"")), "{why}: {}", run.stderr);
        assert!(!run.stderr.contains("shortsecret") && !run.stderr.contains(HUB_KEY), "{}", run.stderr);
        assert!(!hub.path("etc").exists(), "files were left");
    }
}

#[test]
fn a_conf_in_its_place_names_the_interface() {
    let hub = Hub::empty();
    let text = showconf().replace("[Interface]\n", "[Interface]\nAddress = 10.8.0.1/24\n");
    let report = adopt(&hub, "etc/wireguard/hq.conf", &text, &[]).ok().json();
    assert_eq!(report["interface"], "hq");
    keeps(&hub, "hq", &[PRESHARED]);
    assert!(!hub.path("etc/wireguard/wg0.conf").exists(), "a second conf was made");
}

#[test]
fn a_conf_of_another_hub_is_not_overwritten_by_an_adoption_from_elsewhere() {
    let hub = Hub::empty();
    fs::create_dir_all(hub.path("etc/wireguard")).expect("directory");
    let conf = hub.path("etc/wireguard/wg0.conf");
    let attempt = |text: &str, why: &str| {
        fs::write(&conf, text).expect("conf");
        let run = adopt(&hub, "showconf", &showconf(), &["--network", "10.8.0.0/24"]).code(4);
        assert!(run.stderr.contains(why), "{}", run.stderr);
        assert_eq!(fs::read_to_string(&conf).expect("conf"), text);
        assert!(!hub.path("etc/iwas-wg").exists(), "files were left");
    };
    attempt(&format!("[Interface]\nPrivateKey = {PRESHARED}\n"), "is there already and is not the hub of");
    attempt(&format!("[Interface]\nPrivateKey = {HUB_KEY}\n"), "which has a preshared key in");
}

#[test]
fn host_bits_and_repetitions_in_allowed_ips_are_no_drift() {
    let hub = Hub::empty();
    let text = showconf().replace("192.168.3.0/24", "192.168.3.77/24, 192.168.3.0/24, 10.8.0.3");
    adopt(&hub, "showconf", &text, &["--network", "10.8.0.0/24"]).ok();
    keeps(&hub, "wg0", &["AllowedIPs = 10.8.0.3/32, 192.168.3.77/24, 192.168.3.0/24, 10.8.0.3\n"]);
    let twice = showconf().replace("10.8.0.3/32, 192.168.3.0/24", "10.8.0.3/32, 10.8.0.2/32");
    let other = Hub::empty();
    let run = adopt(&other, "showconf", &twice, &["--network", "10.8.0.0/24"]).code(4);
    assert!(run.stderr.contains("both have 10.8.0.2"), "{}", run.stderr);
}

#[test]
fn names_begin_with_a_byte_order_mark_or_are_told_to_be_of_no_use() {
    let hub = Hub::empty();
    let names = hub.path("names.csv");
    let path = names.display().to_string();
    let more = ["--network", "10.8.0.0/24", "--names", &path];
    fs::write(&names, format!("{},a\n{},b\n", key(2), key(2))).expect("names");
    let run = adopt(&hub, "showconf", &showconf(), &more).code(2);
    assert!(run.stderr.contains("line 2: names a public key again"), "{}", run.stderr);
    fs::remove_file(&names).expect("remove");
    let run = adopt(&hub, "showconf", &showconf(), &more).code(2);
    assert!(run.stderr.contains("names.csv with names"), "{}", run.stderr);
    fs::write(&names, format!("\u{feff}{},vienna\r\n{},graz\r\n", key(2), key(99))).expect("names");
    let run = adopt(&hub, "showconf", &showconf(), &more).ok();
    assert_eq!(run.json()["adopted"], json!(["peer-10.8.0.3", "vienna"]));
    let warning = format!("the name graz was not used: no peer has the public key {}", key(99));
    assert!(run.stderr.contains(&warning), "{}", run.stderr);
}
