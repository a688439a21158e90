//! Streams, exit codes and the JSON envelope.

use crate::support::Hub;
use serde_json::json;

#[test]
fn failures_in_json_are_one_object_on_standard_error() {
    let hub = Hub::up();
    for (args, code, word) in [
        (&["--json", "bogus"][..], 2, "usage"),
        (&["--json", "location", "add", "Bad Name"], 2, "usage"),
        (&["--json", "location", "show", "nobody"], 3, "not-found"),
        (&["--json", "init"], 4, "conflict"),
    ] {
        let run = hub.run(args).code(code);
        assert_eq!(run.stdout, "", "{args:?}");
        let report: serde_json::Value = serde_json::from_str(&run.stderr).expect("one object");
        assert_eq!(report["schema_version"], 1);
        assert_eq!((&report["error"]["code"], &report["error"]["exit"]), (&json!(word), &json!(code)));
        assert!(report["error"]["message"].is_string() && report["error"].get("hint").is_some());
    }
}

#[test]
fn global_flags_stand_before_or_after_the_command() {
    let hub = Hub::up();
    assert_eq!(
        hub.run(&["--json", "location", "list"]).ok().stdout,
        hub.run(&["location", "list", "--json"]).ok().stdout
    );
}

#[test]
fn quiet_silences_what_is_said_and_not_the_result() {
    let hub = Hub::up();
    let run = hub.run(&["-q", "location", "add", "cafe"]).ok();
    assert_eq!(run.stderr, "");
    assert!(run.stdout.starts_with('#'));
    // Nor is a warning a result.
    hub.run(&["down"]).ok();
    let text = hub.conf().replace("Table = off", "SaveConfig = true");
    std::fs::write(hub.path("etc/wireguard/wg0.conf"), text).expect("conf");
    assert!(hub.run(&["sync", "-n"]).ok().stderr.contains("SaveConfig"));
    assert_eq!(hub.run(&["-q", "sync", "-n"]).ok().stderr, "");
    assert_eq!(hub.run(&["-q", "--json", "sync", "-n"]).ok().stderr, "");
    assert_eq!(hub.run(&["-q", "location", "add", "Bad"]).code(2).stderr.lines().count(), 2);
}

#[test]
fn help_is_a_result_and_a_missing_command_a_mistake() {
    let hub = Hub::empty();
    let run = hub.run(&["--help"]).ok();
    assert!(run.stdout.contains("Exit status:") && run.stderr.is_empty());
    assert!(hub.run(&["--version"]).ok().stdout.starts_with("iwas-wg "));
    let run = hub.run(&[]).code(2);
    assert_eq!(run.error(), ("iwas-wg: a command is missing", "hint: \"iwas-wg --help\" shows all commands"));
    assert!(hub.run(&["location", "add", "--help"]).ok().stdout.contains("Examples:"));
}

#[test]
fn without_a_hub_every_command_says_how_to_make_one() {
    let hub = Hub::empty();
    for args in [
        &["status"][..],
        &["up"],
        &["heartbeat"],
        &["location", "list"],
        &["location", "add", "x"],
        &["sync"],
    ] {
        let run = hub.run(args).code(6);
        let (error, hint) = run.error();
        assert!(error.starts_with("iwas-wg: there are no settings at "), "{args:?}: {error}");
        assert_eq!(hint, "hint: run \"iwas-wg init\", or name the file with --config or --root");
    }
}

#[test]
fn in_json_a_failure_is_the_only_object_and_a_warning_comes_alone() {
    let hub = Hub::up();
    let key = hub.add("cafe");
    hub.shake(&key, -4000);
    let run = hub.run(&["--json", "heartbeat"]).ok();
    let report: serde_json::Value = serde_json::from_str(&run.stderr).expect("one object");
    assert!(report["warning"]["message"].as_str().is_some_and(|m| m.contains("in the future")));
    // A conf that warns, and an interface that fails.
    let text = hub.conf().replace("Table = off", "SaveConfig = true");
    std::fs::write(hub.path("etc/wireguard/wg0.conf"), text).expect("conf");
    hub.device().broken = true;
    let run = hub.run(&["--json", "location", "add", "bar"]).code(9);
    let report: serde_json::Value = serde_json::from_str(&run.stderr).expect("one object");
    assert_eq!(report["error"]["exit"], 9);
}
