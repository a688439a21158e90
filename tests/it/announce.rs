//! What a heartbeat tells `heartbeat.on_change`.

use crate::support::Hub;
use serde_json::{Value, json};
use std::fs;

/// A hub whose `on_change` is this shell script.
fn hub(script: &str) -> Hub {
    let hub = Hub::up();
    let program = hub.path("told.sh");
    fs::write(&program, script).expect("script");
    let (program, told) = (program.display(), hub.path("told"));
    let words =
        format!("metrics_file  = \"\"\non_change = [\"/bin/sh\", \"{program}\", \"{}\"]", told.display());
    hub.edit_settings("metrics_file  = \"\"", &words);
    hub
}

fn told(hub: &Hub) -> Value {
    serde_json::from_slice(&fs::read(hub.path("told")).expect("it was not run")).expect("JSON")
}

#[test]
fn all_changes_come_at_once_on_standard_input_with_counts_beside() {
    let hub = hub(
        "cat > \"$1\"; echo \"$IWAS_WG_WENT_ONLINE/$IWAS_WG_ONLINE of $IWAS_WG_CHANGES, $IWAS_WG_NEVER\" > \"$1.env\"",
    );
    let (a, _, c) = (hub.add("a"), hub.add("b"), hub.add("c"));
    hub.run(&["heartbeat"]).ok();
    assert!(!hub.path("told").exists(), "run without a change");
    hub.now.set(hub.now.get() + 120);
    hub.shake(&a, 10);
    hub.shake(&c, 20);
    let run = hub.run(&["heartbeat"]).ok();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    assert_eq!(
        told(&hub),
        json!({"schema_version": 1, "heartbeat_at": "2026-11-23T10:02:00Z",
               "counts": {"online": 2, "offline": 0, "never": 1, "disabled": 0, "unprovisioned": 0, "unknown": 0},
               "changes": [
                 {"id": "a:online:1795428110", "name": "a", "org": null, "from": "never", "to": "online", "at": "2026-11-23T10:01:50Z"},
                 {"id": "c:online:1795428100", "name": "c", "org": null, "from": "never", "to": "online", "at": "2026-11-23T10:01:40Z"}]})
    );
    assert_eq!(fs::read_to_string(hub.path("told.env")).expect("variables"), "2/2 of 2, 1\n");
    fs::remove_file(hub.path("told")).expect("told");
    hub.run(&["heartbeat"]).ok();
    assert!(!hub.path("told").exists(), "a change was told twice");
}

#[test]
fn what_was_not_taken_is_told_again_with_the_same_id_until_it_is() {
    let hub = hub(
        "cat > \"$1.try\"; test -e \"$1.ready\" || { echo 'no relay' >&2; exit 75; }; mv \"$1.try\" \"$1\"",
    );
    let key = hub.add("cafe");
    hub.shake(&key, 10);
    let run = hub.run(&["heartbeat"]).ok();
    assert_eq!(
        run.stderr,
        "iwas-wg: warning: heartbeat.on_change: /bin/sh failed (exit status: 75): no relay; the next heartbeat tells it this 1 change again\n"
    );
    hub.now.set(hub.now.get() + 600);
    assert!(hub.run(&["heartbeat"]).ok().stderr.contains("these 2 changes"));
    fs::write(hub.path("told.ready"), "").expect("file");
    assert_eq!(hub.run(&["heartbeat"]).ok().stderr, "", "nothing new, and still owed");
    let changes = told(&hub)["changes"].clone();
    let ids: Vec<&str> =
        changes.as_array().expect("list").iter().map(|c| c["id"].as_str().expect("id")).collect();
    assert_eq!(ids, ["cafe:online:1795427990", "cafe:offline:1795428170"]);
    fs::remove_file(hub.path("told")).expect("told");
    hub.run(&["heartbeat"]).ok();
    assert!(!hub.path("told").exists());
}

#[test]
fn a_program_that_is_missing_or_hangs_is_never_fatal() {
    let hub = hub("sleep 60");
    let key = hub.add("cafe");
    hub.shake(&key, 10);
    hub.edit_settings("on_change = [", "on_change_timeout = 1\non_change = [");
    let run = hub.run(&["--json", "heartbeat"]).ok();
    assert_eq!(run.json()["changes"][0]["to"], "online");
    assert!(run.stderr.contains("was not done after 1 s and was killed"), "{}", run.stderr);
    hub.edit_settings("\"/bin/sh\"", "\"/nonexistent\"");
    assert!(hub.run(&["heartbeat"]).ok().stderr.contains("/nonexistent cannot be started: no such file"));
    hub.edit_settings("\"/nonexistent\"", "\"\"");
    let run = hub.run(&["heartbeat"]).code(6);
    assert!(run.error().0.ends_with("heartbeat.on_change: \"\" is not a program"), "{}", run.stderr);
}

#[test]
fn flapping_is_told_once_it_lasts_but_kept_as_it_was() {
    let hub = hub("cat > \"$1\"");
    hub.edit_settings("on_change = [", "confirm = 3\non_change = [");
    let key = hub.add("cafe");
    let beat = |age: i64| {
        hub.now.set(hub.now.get() + 120);
        hub.shake(&key, age);
        hub.run(&["--json", "heartbeat"]).ok().json()["changes"].as_array().expect("list").len()
    };
    assert_eq!([beat(10), beat(10), beat(10)], [0, 0, 1]);
    assert_eq!([beat(300), beat(300), beat(5), beat(300), beat(300)], [0, 0, 0, 0, 0]);
    assert_eq!(beat(300), 1);
    assert_eq!(told(&hub)["changes"][0]["to"], "offline");
    let history = hub.run(&["--json", "history", "cafe"]).ok().json();
    assert_eq!(history["changes"].as_array().expect("list").len(), 4, "{history}");
}

#[test]
fn a_restart_of_the_hub_alarms_nobody() {
    let hub = hub("cat > \"$1\"");
    let (a, b) = (hub.add("a"), hub.add("b"));
    hub.shake(&a, 10);
    hub.shake(&b, 10);
    hub.run(&["heartbeat"]).ok();
    fs::remove_file(hub.path("told")).expect("told");
    hub.now.set(hub.now.get() + 120);
    hub.run(&["down"]).ok();
    hub.run(&["up"]).ok();
    let report = hub.run(&["--json", "heartbeat"]).ok().json();
    assert_eq!((&report["unknown"], &report["changes"]), (&json!(2), &json!([])));
    assert_eq!(hub.run(&["--json", "status"]).ok().json()["counts"]["unknown"], 2);
    assert!(hub.run(&["status"]).ok().stdout.contains(", 2 unknown (live)"));
    // One comes back, the other does not.
    hub.now.set(hub.now.get() + 120);
    hub.device().interface.as_mut().expect("interface").age_seconds = Some(240);
    hub.shake(&a, 100);
    let report = hub.run(&["--json", "heartbeat"]).ok().json();
    assert_eq!(
        report["changes"],
        json!([{"name": "b", "from": "online", "to": "offline", "at": "2026-11-23T10:03:00Z"}]),
        "offline since its time on the new interface was up"
    );
    assert_eq!(told(&hub)["changes"][0]["name"], "b");
}

#[test]
fn a_metrics_file_that_cannot_be_written_holds_no_alarm_back() {
    let hub = hub("cat > \"$1\"");
    let key = hub.add("cafe");
    hub.shake(&key, 10);
    let nowhere = hub.path("nowhere/iwas.prom");
    let run = hub.run(&["heartbeat", "--metrics-file", nowhere.to_str().expect("path")]).code(1);
    assert!(run.error().0.contains("nowhere/iwas.prom: no such file or directory"), "{}", run.stderr);
    assert_eq!(told(&hub)["changes"][0]["to"], "online");
}
