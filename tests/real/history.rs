//! The record of real outages, and what a hub says of its routers right after its own restart.

use crate::{bench::ready, hub::Hub, netns::Net, router::Router};
use std::{fs, thread, time::Duration};

const OFFLINE_AFTER: u64 = 15;

fn hub(net: &Net, backend: crate::bench::Backend) -> Hub {
    let mut hub = Hub::up(net, backend);
    hub.vars.push(("IWAS_WG_OFFLINE_AFTER", OFFLINE_AFTER.to_string()));
    hub
}

/// The Unix second of a time in JSON.
fn second(v: &serde_json::Value) -> i64 {
    v.as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time").as_second()
}

#[test]
fn an_outage_is_recorded_from_the_limit_to_the_handshake() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = hub(&net, backend);
    let router = Router::of_new_location(&net, &hub, "cafe");
    assert!(router.is_heard());
    hub.ok("heartbeat");
    router.stop();
    let key = hub.key_of("cafe");
    let last = i64::try_from(hub.wait_for_handshake(&key)).expect("second");
    thread::sleep(Duration::from_secs(OFFLINE_AFTER + 3));
    hub.ok("heartbeat");
    router.start();
    assert!(router.is_heard());
    let back = i64::try_from(hub.wait_for_handshake(&key)).expect("second");
    hub.ok("heartbeat");
    let outages = hub.json("history cafe --since 1h")["outages"].clone();
    assert_eq!(outages.as_array().map(Vec::len), Some(1), "{}", hub.json("history cafe --since 1h"));
    assert!(outages[0]["until"].is_string(), "{}", hub.json("history cafe --since 1h"));
    let outage = &outages[0];
    let limit = last + i64::try_from(OFFLINE_AFTER).expect("seconds");
    assert_eq!((second(&outage["from"]), second(&outage["until"])), (limit, back), "{outages}");
    assert_eq!(outage["offline_seconds"], back - limit);
    let report = hub.json("report --since 1h");
    assert_eq!(report["sites"][0]["outages"], 1, "{report}");
    assert!(report["sites"][0]["rx_bytes"].as_u64() > Some(0), "{report}");
}

#[test]
fn a_hub_that_was_just_restarted_calls_nobody_offline_too_soon() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = hub(&net, backend);
    let told = hub.conf_path().with_file_name("told");
    let settings = hub.conf_path().ancestors().nth(2).expect("etc").join("iwas-wg/config.toml");
    let text = fs::read_to_string(&settings).expect("settings");
    let on_change =
        format!("on_change = [\"/bin/sh\", \"-c\", \"cat >> '{}'\"]\nmetrics_file", told.display());
    fs::write(&settings, text.replacen("metrics_file", &on_change, 1)).expect("settings");
    let (back, dark) =
        (Router::of_new_location(&net, &hub, "back"), Router::of_new_location(&net, &hub, "dark"));
    assert!(back.is_heard() && dark.is_heard());
    hub.ok("heartbeat");
    fs::remove_file(&told).expect("two sites came");
    dark.stop();
    back.stop();
    hub.ok("down");
    hub.ok("up");
    let beat = hub.json("heartbeat");
    assert_eq!((&beat["unknown"], &beat["offline"]), (&2.into(), &0.into()), "{beat}");
    assert_eq!(beat["changes"].as_array().map(Vec::len), Some(0), "{beat}");
    assert_eq!(hub.json("status")["counts"]["unknown"], 2);
    hub.run("check").code(0);
    thread::sleep(Duration::from_secs(OFFLINE_AFTER));
    back.start();
    assert!(back.is_heard());
    let beat = hub.json("heartbeat");
    assert_eq!((&beat["unknown"], &beat["offline"]), (&0.into(), &1.into()), "{beat}");
    let changes = beat["changes"].as_array().expect("changes");
    assert_eq!(changes.len(), 1, "{beat}");
    assert_eq!((&changes[0]["name"], &changes[0]["to"]), (&"dark".into(), &"offline".into()), "{beat}");
    let told = fs::read_to_string(&told).expect("nobody was told");
    assert!(told.contains("\"dark:offline:") && !told.contains("\"back\""), "{told}");
    hub.run("check").code(2);
}
