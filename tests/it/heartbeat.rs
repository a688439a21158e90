//! `heartbeat`.

use crate::support::Hub;
use serde_json::json;

#[test]
fn younger_than_180_seconds_is_online_and_nothing_is_said() {
    let hub = Hub::up();
    let (fresh, edge, silent) = (hub.add("fresh"), hub.add("edge"), hub.add("silent"));
    hub.shake(&fresh, 179);
    hub.shake(&edge, 180);
    let run = hub.run(&["heartbeat"]).ok();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    let show = |name: &str| hub.run(&["--json", "location", "show", name]).ok().json()["location"].clone();
    let l = show("fresh");
    assert_eq!((&l["state"], &l["is_online"]), (&json!("online"), &json!(true)));
    assert_eq!(
        (&l["last_handshake"], &l["endpoint"]),
        (&json!("2026-11-23T09:57:01Z"), &json!("203.0.113.9:51820"))
    );
    assert_eq!((&l["rx_bytes"], &l["tx_bytes"]), (&json!(1234), &json!(5678)));
    assert_eq!(show("edge")["state"], "offline");
    assert_eq!(show("silent")["state"], "never");
    assert_ne!(silent, edge);
}

#[test]
fn json_counts_and_tells_the_changes_with_their_time() {
    let hub = Hub::up();
    let (a, _) = (hub.add("a"), hub.add("b"));
    hub.shake(&a, 10);
    let report = hub.run(&["--json", "heartbeat"]).ok().json();
    assert_eq!(
        report,
        json!({"schema_version": 1, "checked": 2, "online": 1, "offline": 0, "never": 1, "unknown": 0,
               "drift": 0, "changes": [{"name": "a", "from": "never", "to": "online", "at": "2026-11-23T09:59:50Z"}]})
    );
    assert_eq!(hub.run(&["--json", "heartbeat"]).ok().json()["changes"], json!([]));
    hub.now.set(hub.now.get() + 600);
    let report = hub.run(&["--json", "heartbeat"]).ok().json();
    assert_eq!(
        report["changes"],
        json!([{"name": "a", "from": "online", "to": "offline", "at": "2026-11-23T10:02:50Z"}]),
        "offline since the moment the limit passed"
    );
}

#[test]
fn an_unreadable_interface_changes_nothing() {
    let hub = Hub::up();
    let key = hub.add("cafe");
    hub.shake(&key, 10);
    hub.run(&["heartbeat"]).ok();
    hub.now.set(hub.now.get() + 600);
    let before = hub.run(&["--json", "location", "list"]).ok().stdout;
    hub.device().unreadable = true;
    let run = hub.run(&["heartbeat"]).code(9);
    assert_eq!(run.error().0, "iwas-wg: no permission to read the interface wg0");
    hub.device().unreadable = false;
    hub.run(&["down"]).ok();
    let run = hub.run(&["heartbeat"]).code(9);
    assert_eq!(run.error(), ("iwas-wg: there is no interface wg0", "hint: run \"iwas-wg up\""));
    assert_eq!(hub.run(&["--json", "location", "list"]).ok().stdout, before);
}

#[test]
fn a_handshake_in_the_future_counts_as_now_with_one_warning() {
    let hub = Hub::up();
    let (a, b) = (hub.add("a"), hub.add("b"));
    hub.shake(&a, -4000);
    hub.shake(&b, -4000);
    let run = hub.run(&["heartbeat"]).ok();
    assert_eq!(
        run.stderr,
        "iwas-wg: warning: the last handshake of 2 peers is in the future and counts as now: was the clock set back?\n"
    );
    let l = hub.run(&["--json", "location", "show", "a"]).ok().json()["location"].clone();
    assert_eq!((&l["state"], &l["last_handshake"]), (&json!("online"), &json!("2026-11-23T10:00:00Z")));
}

#[test]
fn a_new_interface_does_not_make_a_known_site_a_stranger() {
    let hub = Hub::up();
    let key = hub.add("cafe");
    hub.shake(&key, 10);
    hub.run(&["heartbeat"]).ok();
    hub.run(&["down"]).ok();
    hub.run(&["up"]).ok();
    hub.run(&["heartbeat"]).ok();
    let seen = || {
        let l = hub.run(&["--json", "location", "show", "cafe"]).ok().json()["location"].clone();
        (l["state"].clone(), l["last_handshake"].clone())
    };
    assert_eq!(seen(), (json!("unknown"), json!("2026-11-23T09:59:50Z")));
    hub.device().interface.as_mut().expect("interface").age_seconds = Some(180);
    hub.run(&["heartbeat"]).ok();
    assert_eq!(seen(), (json!("offline"), json!("2026-11-23T09:59:50Z")));
}

#[test]
fn a_busy_hub_can_be_skipped() {
    let hub = Hub::up();
    let lock = std::fs::File::open(hub.path("var/lib/iwas-wg/iwas-wg.lock")).expect("lock file");
    lock.lock().expect("lock");
    let run = hub.run(&["--lock-timeout", "0", "heartbeat"]).code(8);
    assert!(run.error().0.starts_with("iwas-wg: another iwas-wg is at work ("), "{}", run.stderr);
    hub.run(&["--lock-timeout", "0", "heartbeat", "--skip-if-busy"]).ok();
}

#[test]
fn offline_after_is_a_setting() {
    let hub = Hub::up();
    let key = hub.add("cafe");
    hub.edit_settings("offline_after = 180", "offline_after = 60");
    hub.shake(&key, 61);
    assert_eq!(hub.run(&["--json", "heartbeat"]).ok().json()["offline"], 1);
}

#[test]
fn the_metrics_file_is_whole_public_and_without_time_stamps() {
    use std::os::unix::fs::PermissionsExt;
    let hub = Hub::up();
    let (a, _) = (hub.add("a"), hub.add("b"));
    hub.shake(&a, 10);
    let path = hub.path("iwas.prom");
    hub.run(&["heartbeat", "--metrics-file", path.to_str().expect("path")]).ok();
    assert_eq!(std::fs::metadata(&path).expect("file").permissions().mode() & 0o777, 0o644);
    let text = std::fs::read_to_string(&path).expect("file");
    for line in [
        "iwas_wg_peer_up{location=\"a\"} 1",
        "iwas_wg_peer_up{location=\"b\"} 0",
        "iwas_wg_peer_last_handshake_timestamp_seconds{location=\"a\"} 1795427990",
        "iwas_wg_peer_receive_bytes_total{location=\"a\"} 1234",
        "iwas_wg_peers{state=\"never\"} 1",
        "iwas_wg_drift 0",
        "iwas_wg_heartbeat_timestamp_seconds 1795428000",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("handshake_timestamp_seconds{location=\"b\"}"), "a handshake that never was");
    let mut families = std::collections::BTreeSet::new();
    assert!(text.lines().filter(|l| l.starts_with("# TYPE")).all(|l| families.insert(l)), "a family twice");
    hub.edit_settings("metrics_file  = \"\"", "metrics_file = \"/from-settings.prom\"");
    hub.run(&["heartbeat"]).ok();
    assert!(hub.path("from-settings.prom").exists());
}

#[test]
fn drift_is_told_once_and_not_mended() {
    let hub = Hub::up();
    hub.add("a");
    hub.device().interface.as_mut().expect("interface").peers.clear();
    let run = hub.run(&["heartbeat"]).ok();
    assert_eq!(
        run.stderr,
        "iwas-wg: warning: wg0 or its conf differs from the store in 1 places; \"iwas-wg sync\" mends it\n"
    );
    std::fs::write(hub.path("etc/wireguard/wg0.conf"), "[Interface]\n").expect("conf");
    assert_eq!(hub.run(&["--json", "heartbeat"]).ok().json()["drift"], 2);
    assert!(hub.live().is_empty(), "the heartbeat repaired something");
    assert_eq!(hub.conf(), "[Interface]\n");
}
