//! `doctor`: each fault is found, named, and has its remedy.

use crate::support::Hub;
use std::{fs, os::unix::fs::PermissionsExt};

/// Check, verdict and remedy of all that is not well, but for the machine's own clock and
/// forwarding.
fn complaints(hub: &Hub) -> Vec<(String, String, String)> {
    let report = hub.run(&["--json", "doctor"]).json();
    let all = report["checks"].as_array().expect("checks").clone();
    let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_owned();
    all.iter()
        .filter(|c| {
            c["verdict"] != "ok"
                && !["capability", "clock", "isolation", "port"]
                    .contains(&c["check"].as_str().expect("check"))
        })
        .map(|c| (text(&c["check"]), text(&c["verdict"]), text(&c["remedy"])))
        .collect()
}

#[track_caller]
fn complains(hub: &Hub, check: &str, verdict: &str, remedy: &str) {
    let all = complaints(hub);
    let found = all.iter().any(|(c, v, r)| c == check && v == verdict && r.contains(remedy));
    assert!(found, "no {verdict} of {check} with {remedy:?} in {all:?}");
    assert_eq!(hub.run(&["doctor"]).code, if all.iter().any(|(_, v, _)| v == "fault") { 5 } else { 0 });
}

fn healthy() -> Hub {
    let hub = Hub::up();
    hub.add("cafe");
    hub.run(&["heartbeat"]).ok();
    hub
}

#[test]
fn a_healthy_hub_has_no_complaints() {
    let hub = healthy();
    assert_eq!(complaints(&hub), []);
    let run = hub.run(&["doctor"]).ok();
    assert!(
        run.stdout.contains("ok       interface  wg0 is carried by the kernel and as the store wants it\n")
    );
    assert_eq!(hub.run(&["--json", "doctor"]).ok().json()["healthy"], true);
}

#[test]
fn every_fault_has_its_remedy() {
    let hub = healthy();
    hub.run(&["down"]).ok();
    complains(&hub, "interface", "fault", "iwas-wg up");
    hub.run(&["up"]).ok();

    hub.device().interface.as_mut().expect("interface").listen_port = Some(1);
    complains(&hub, "interface", "fault", "iwas-wg sync");
    hub.run(&["sync"]).ok();

    let conf = hub.path("etc/wireguard/wg0.conf");
    fs::set_permissions(&conf, fs::Permissions::from_mode(0o644)).expect("mode");
    complains(&hub, "conf", "fault", "chmod 600");
    fs::set_permissions(&conf, fs::Permissions::from_mode(0o600)).expect("mode");

    let whole = hub.conf();
    fs::write(&conf, whole.replace("Table = off", "SaveConfig = true")).expect("conf");
    complains(&hub, "conf", "fault", "SaveConfig");
    complains(&hub, "conf", "warning", "Table = off");
    fs::write(&conf, whole.replace("Table = off", "Table = off\nPreDown = wg-quick save %i")).expect("conf");
    complains(&hub, "conf", "fault", "remove that line");
    let warning = "has a hook that saves the interface: wg-quick will overwrite it; remove that line";
    assert!(hub.run(&["sync"]).ok().stderr.contains(warning));
    fs::write(&conf, whole.replace("10.0.0.2/32", "10.0.0.0/24")).expect("conf");
    complains(&hub, "conf", "fault", "iwas-wg sync");
    fs::write(&conf, &whole).expect("conf");

    hub.now.set(hub.now.get() + 3600);
    complains(&hub, "heartbeat", "fault", "cron");
    hub.run(&["heartbeat"]).ok();

    let identity = hub.path("etc/iwas-wg/identity.txt");
    let text = fs::read(&identity).expect("identity");
    fs::remove_file(&identity).expect("remove");
    complains(&hub, "identity", "warning", "put the identity back");
    let other = Hub::up();
    fs::copy(other.path("etc/iwas-wg/identity.txt"), &identity).expect("copy");
    complains(&hub, "identity", "fault", "keys.identity");
    fs::write(&identity, text).expect("identity");

    hub.edit_settings("endpoint    = \"vpn.example.com\"", "endpoint = \"\"");
    complains(&hub, "endpoint", "fault", "config.toml");
    hub.edit_settings("endpoint = \"\"", "endpoint = \"vpn.example.com\"");

    hub.edit_settings("10.0.0.0/24", "10.0.0.0/30");
    complains(&hub, "pool", "warning", "hub.network");
}

#[test]
fn dark_sites_are_pointed_to_the_reset() {
    let hub = Hub::up();
    let key = hub.add("cafe");
    hub.shake(&key, 10);
    hub.run(&["heartbeat"]).ok();
    assert_eq!(complaints(&hub), []);
    hub.now.set(hub.now.get() + 300);
    hub.run(&["heartbeat"]).ok();
    complains(&hub, "sites", "warning", "iwas-wg peer reset cafe");
}

#[test]
fn what_stops_every_other_command_is_a_finding_of_the_doctor() {
    let hub = healthy();
    let names = |hub: &Hub| -> Vec<String> {
        let report = hub.run(&["--json", "doctor"]).json();
        let all = report["checks"].as_array().expect("checks").clone();
        all.iter().map(|c| c["check"].as_str().expect("check").to_owned()).collect()
    };
    for check in ["backend", "capability", "clock", "conf", "identity", "interface", "store"] {
        assert!(names(&hub).contains(&check.to_owned()), "no line about {check}");
    }
    hub.device().uncarried = true;
    complains(&hub, "backend", "fault", "modprobe wireguard\", or install wireguard-go");
    hub.device().uncarried = false;

    let store = hub.path("var/lib/iwas-wg/iwas-wg.db");
    let whole = fs::read(&store).expect("store");
    let mut torn = whole.clone();
    torn[4096..].fill(0x55);
    fs::write(&store, torn).expect("store");
    complains(&hub, "store", "fault", "iwas-wg restore FILE");
    fs::write(&store, "no store").expect("store");
    complains(&hub, "store", "fault", "move it away");
    assert!(names(&hub).contains(&"backend".to_owned()), "the doctor gave up");
    fs::remove_file(&store).expect("store");
    complains(&hub, "store", "fault", "iwas-wg init");
    fs::write(&store, whole).expect("store");
    complains(&hub, "store", "fault", "chmod 600");
    fs::set_permissions(&store, fs::Permissions::from_mode(0o600)).expect("mode");
    assert_eq!(complaints(&hub), []);

    hub.edit_settings("[hub]", "[hbu]");
    complains(&hub, "settings", "fault", "did you mean \"hub\"?");
}
