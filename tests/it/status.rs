//! `status`.

use crate::support::Hub;
use serde_json::json;

#[test]
fn status_reads_live_and_says_so() {
    let hub = Hub::up();
    let key = hub.add("cafe");
    hub.run(&["location", "add", "kiosk", "--no-provision"]).ok();
    hub.shake(&key, 42);
    let report = hub.run(&["--json", "status"]).ok().json();
    assert_eq!((&report["source"], &report["heartbeat_at"]), (&json!("live"), &json!(null)));
    assert_eq!(
        report["counts"],
        json!({"online": 1, "offline": 0, "never": 0, "disabled": 0, "unprovisioned": 1, "unknown": 0})
    );
    let h = &report["hub"];
    assert_eq!((&h["interface"], &h["listen_port"], &h["up"]), (&json!("wg0"), &json!(51820), &json!(true)));
    assert_eq!(report["locations"][0]["last_handshake"], "2026-11-23T09:59:18Z");
    let text = hub.run(&["status"]).ok().stdout;
    assert_eq!(
        text,
        "wg0 is up: 1 online, 0 offline, 0 never seen, 0 disabled, 1 unprovisioned (live)\n\
         NAME   ORG  ADDRESS   STATE          HANDSHAKE  ENDPOINT           RECEIVED     SENT\n\
         cafe        10.0.0.2  online         42 s ago   203.0.113.9:51820   1.2 KiB  5.5 KiB\n\
         kiosk                 unprovisioned  -\n"
    );
}

#[test]
fn without_the_interface_the_last_heartbeat_is_shown_with_its_age() {
    let hub = Hub::up();
    let key = hub.add("cafe");
    hub.shake(&key, 5);
    hub.run(&["heartbeat"]).ok();
    hub.device().unreadable = true;
    hub.now.set(hub.now.get() + 90);
    let report = hub.run(&["--json", "status"]).ok().json();
    assert_eq!(
        (&report["source"], &report["heartbeat_at"]),
        (&json!("heartbeat"), &json!("2026-11-23T10:00:00Z"))
    );
    assert_eq!((&report["hub"]["up"], &report["locations"][0]["state"]), (&json!(false), &json!("online")));
    let text = hub.run(&["status"]).ok().stdout;
    assert!(
        text.starts_with("wg0 is not up: 1 online, ") || text.contains("as of the heartbeat 1 min 30 s ago"),
        "{text}"
    );
}

#[test]
fn status_writes_nothing() {
    let hub = Hub::up();
    let key = hub.add("cafe");
    hub.shake(&key, 5);
    hub.run(&["status"]).ok();
    assert_eq!(
        hub.run(&["--json", "location", "show", "cafe"]).ok().json()["location"]["last_handshake"],
        json!(null)
    );
}

#[test]
fn filters_apply_to_what_is_seen_live() {
    let hub = Hub::up();
    let (a, _) = (hub.add("a"), hub.add("b"));
    hub.shake(&a, 5);
    let names = |args: &[&str]| -> Vec<String> {
        let report = hub.run(&[&["--json", "status"], args].concat()).ok().json();
        let all = report["locations"].as_array().expect("list").clone();
        all.iter().map(|l| l["name"].as_str().expect("name").to_owned()).collect()
    };
    assert_eq!(names(&["--state", "online"]), ["a"]);
    assert_eq!(names(&["--state", "never"]), ["b"]);
    assert_eq!(names(&["b", "a", "b"]), ["a", "b"]);
    assert_eq!(hub.run(&["status", "--state", "asleep"]).code, 2);
    assert_eq!(hub.run(&["status", "nobody"]).code, 3);
}

#[test]
fn a_narrow_terminal_gets_what_fits() {
    let mut hub = Hub::up();
    hub.add("cafe");
    hub.terminal.stdout = true;
    hub.terminal.width = Some(30);
    hub.vars.insert("NO_COLOR".into(), "1".into());
    let text = hub.run(&["status"]).ok().stdout;
    assert_eq!(text.lines().nth(1), Some("NAME  ADDRESS   STATE"));
    assert!(!text.contains('\u{1b}'));
    hub.vars.clear();
    hub.terminal.width = Some(100);
    assert!(hub.run(&["status"]).ok().stdout.contains("\u{1b}["), "no colour on a terminal");
    hub.vars.insert("TERM".into(), "dumb".into());
    assert!(!hub.run(&["status"]).ok().stdout.contains('\u{1b}'));
    assert!(hub.run(&["--color", "always", "status"]).ok().stdout.contains("\u{1b}["));
}

#[test]
fn a_site_that_went_dark_lately_is_pointed_to_the_reset() {
    let hub = Hub::up();
    let (a, b) = (hub.add("a"), hub.add("b"));
    hub.shake(&a, 500);
    hub.shake(&b, 300);
    let said = hub.run(&["status"]).ok().stderr;
    assert!(said.contains("b went dark lately") && said.contains("\"iwas-wg peer reset b\""), "{said}");
    hub.now.set(hub.now.get() + 86_400);
    assert_eq!(hub.run(&["status"]).ok().stderr, "");
}

#[test]
fn a_heartbeat_that_stopped_is_told_beside_what_is_live() {
    let hub = Hub::up();
    hub.add("a");
    hub.run(&["heartbeat"]).ok();
    hub.now.set(hub.now.get() + 600);
    assert_eq!(hub.run(&["status"]).ok().stderr, "");
    hub.now.set(hub.now.get() + 1);
    assert_eq!(hub.run(&["status"]).ok().stderr, "no heartbeat for 10 min 1 s: look at its cron or timer\n");
    let run = hub.run(&["--json", "status"]).ok();
    assert_eq!((&run.json()["heartbeat_at"], run.stderr.as_str()), (&"2026-11-23T10:00:00Z".into(), ""));
}
