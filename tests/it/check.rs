//! `check`, the monitoring plugin.

use crate::support::Hub;
use serde_json::json;

/// Three sites: one heard now, one 200 s ago, one never.
fn hub() -> Hub {
    let hub = Hub::up();
    let (a, b) = (hub.add("a"), hub.add("b"));
    hub.add("c");
    hub.shake(&a, 20);
    hub.shake(&b, 200);
    hub.run(&["heartbeat"]).ok();
    hub
}

#[track_caller]
fn says(hub: &Hub, args: &[&str], code: u8, begins: &str) {
    let run = hub.run(&[&["check"], args].concat());
    assert_eq!((run.code, run.stderr.as_str()), (code, ""), "{run:?}");
    assert_eq!(run.stdout.lines().count(), 1, "{run:?}");
    assert!(run.stdout.starts_with(begins), "{}", run.stdout);
}

#[test]
fn an_offline_site_is_critical_unless_limits_say_otherwise() {
    let hub = hub();
    says(
        &hub,
        &[],
        2,
        "IWAS-WG CRITICAL: 1 of 2 sites is offline (b) | online=1;;;0;3 offline=1;;1;0;3 never=1;;;0; unknown=0;;;0; handshake_age=200s;;;0; heartbeat_age=0s;600;1800;0; pool=3;228;253;0;253 drift=0;1;;0; expiring=0;;;0;",
    );
    says(&hub, &["a"], 0, "IWAS-WG OK: 1 online, 0 offline, 0 never seen, 0 unknown | ");
    says(&hub, &["c"], 0, "IWAS-WG OK: 0 online");
    says(&hub, &["-w", "300", "-c", "900"], 0, "IWAS-WG OK: ");
    says(
        &hub,
        &["-w", "100", "-c", "900"],
        1,
        "IWAS-WG WARNING: 1 site was not heard for 1 min 40 s or longer (b) | ",
    );
    says(
        &hub,
        &["-w", "10", "-c", "3m"],
        2,
        "IWAS-WG CRITICAL: 1 site was not heard for 3 min 0 s or longer (b) | ",
    );
    says(
        &hub,
        &["--offline-warning", "1", "--offline-critical", "2"],
        1,
        "IWAS-WG WARNING: 1 of 2 sites is offline (b) | ",
    );
    says(&hub, &["--offline-warning", "50%"], 1, "IWAS-WG WARNING: ");
    says(&hub, &["--offline-critical", "50%"], 2, "IWAS-WG CRITICAL: ");
    says(&hub, &["--offline-warning", "2"], 0, "IWAS-WG OK: ");
}

#[test]
fn a_dead_cron_drift_a_full_pool_and_a_near_end_are_seen() {
    let hub = hub();
    hub.now.set(hub.now.get() + 601);
    says(&hub, &["c"], 1, "IWAS-WG WARNING: no heartbeat for 10 min 1 s | ");
    hub.now.set(hub.now.get() + 1800);
    says(&hub, &["c"], 2, "IWAS-WG CRITICAL: no heartbeat for 40 min 1 s | ");
    hub.run(&["heartbeat"]).ok();
    says(&hub, &["c"], 0, "IWAS-WG OK: ");
    says(
        &hub,
        &["c", "--pool-warning", "3"],
        1,
        "IWAS-WG WARNING: 3 of 253 addresses of the pool are used | ",
    );
    hub.run(&["location", "set", "c", "--expires", "3d"]).ok();
    says(&hub, &["c"], 1, "IWAS-WG WARNING: 1 expire within 7 d 0 h (c) | ");
    says(&hub, &["c", "--expiring", "1d"], 0, "IWAS-WG OK: ");
    hub.device().interface.as_mut().expect("interface").peers.clear();
    says(
        &hub,
        &["c", "--expiring", "1d"],
        1,
        "IWAS-WG WARNING: interface or conf differs from the store in 3 places",
    );
    says(&hub, &["c", "--drift-critical", "2"], 2, "IWAS-WG CRITICAL: interface or conf differs");
    hub.run(&["down"]).ok();
    says(&hub, &["c", "--expiring", "1d"], 2, "IWAS-WG CRITICAL: there is no interface wg0 | ");
}

#[test]
fn a_hub_without_heartbeat_is_given_the_time_for_the_first() {
    let hub = Hub::up();
    hub.add("a");
    says(&hub, &[], 0, "IWAS-WG OK: 0 online, 0 offline, 1 never seen, 0 unknown | ");
    hub.now.set(hub.now.get() + 900);
    says(&hub, &[], 1, "IWAS-WG WARNING: no heartbeat yet, 15 min 0 s after init | ");
}

#[test]
fn a_restart_alarms_nobody_and_a_reader_without_rights_gets_the_heartbeat() {
    let hub = Hub::up();
    let a = hub.add("a");
    hub.shake(&a, 20);
    hub.run(&["heartbeat"]).ok();
    hub.run(&["down"]).ok();
    hub.run(&["up"]).ok();
    says(&hub, &[], 0, "IWAS-WG OK: 0 online, 0 offline, 0 never seen, 1 unknown | ");
    hub.device().unreadable = true;
    says(&hub, &[], 0, "IWAS-WG OK: 1 online, 0 offline, 0 never seen, 0 unknown | ");
}

#[test]
fn every_failure_of_its_own_is_unknown() {
    let hub = hub();
    for args in [
        &["--bogus"][..],
        &["-w", "soon"],
        &["-w"],
        &["--offline-warning", "0"],
        &["nobody"],
        &["Bad Name"],
        &["--state", "asleep"],
        &["--lock-timeout", "x"],
    ] {
        says(&hub, args, 3, "IWAS-WG UNKNOWN: ");
    }
    says(
        &hub,
        &["nobody"],
        3,
        "IWAS-WG UNKNOWN: there is no location \"nobody\" (\"iwas-wg location list\" shows all)\n",
    );
    let run = hub.run(&["--json", "check", "nobody"]).code(3);
    assert_eq!(run.stdout, "");
    let report: serde_json::Value = serde_json::from_str(&run.stderr).expect("one object");
    assert_eq!((&report["error"]["exit"], &report["error"]["code"]), (&json!(3), &json!("not-found")));
    hub.edit_settings("backend     =", "bakcend     =");
    says(&hub, &[], 3, "IWAS-WG UNKNOWN: ");
    let none = Hub::empty();
    says(&none, &[], 3, "IWAS-WG UNKNOWN: there are no settings at ");
    // Others keep their codes.
    assert_eq!(none.run(&["status", "--bogus"]).code, 2);
}

#[test]
fn a_wrong_word_before_check_is_unknown_too() {
    let hub = hub();
    for args in [
        &["--bogus", "check"][..],
        &["--lock-timeout", "x", "check"],
        &["--color", "pink", "check", "-w", "5"],
    ] {
        let run = hub.run(args).code(3);
        assert!(run.stdout.starts_with("IWAS-WG UNKNOWN: ") && run.stderr.is_empty(), "{run:?}");
    }
    for args in [&["--bogus", "access", "check", "anna", "net:hub:admin"][..], &["--bogus", "status"]] {
        hub.run(args).code(2);
    }
}

#[test]
fn an_org_or_tag_that_nobody_has_is_not_in_order() {
    let hub = hub();
    for (args, asked) in [
        (&["--org", "acne"][..], "--org acne"),
        (&["--org", "acne", "--tag", "city=wien"], "--org acne --tag city=wien"),
    ] {
        says(&hub, args, 3, &format!("IWAS-WG UNKNOWN: no location fits {asked} ("));
    }
    // Nobody in a state is an answer.
    says(&hub, &["--state", "disabled"], 0, "IWAS-WG OK: ");
    hub.run(&["location", "set", "a", "--org", "acne"]).ok();
    says(&hub, &["--org", "acne"], 0, "IWAS-WG OK: 1 online");
    says(&hub, &["--org", "acne", "--state", "offline"], 0, "IWAS-WG OK: ");
}

#[test]
fn json_has_the_same_answer() {
    let hub = hub();
    let run = hub.run(&["--json", "check"]).code(2);
    let report = run.json();
    assert_eq!((&report["status"], &report["exit"]), (&json!("CRITICAL"), &json!(2)));
    assert_eq!(report["message"], "1 of 2 sites is offline (b)");
    assert_eq!(
        report["numbers"][1],
        json!({"label": "offline", "value": 1, "unit": "", "warning": null, "critical": 1, "max": 3})
    );
}

#[test]
fn a_warning_above_its_critical_limit_is_unknown() {
    let hub = Hub::up();
    hub.run(&["heartbeat"]).ok();
    for (args, said) in [
        (&["-w", "900", "-c", "300"][..], "--warning 900 s is above --critical 300 s"),
        (&["--heartbeat-warning", "1h"], "--heartbeat-warning 3600 s is above --heartbeat-critical 1800 s"),
        (&["--offline-warning", "5%", "--offline-critical", "1%"], "--offline-warning 5% is above"),
        (&["--pool-warning", "60%", "--pool-critical", "50%"], "--pool-warning 60% is above --pool-critical"),
        (&["--drift-warning", "5", "--drift-critical", "2"], "--drift-warning 5 is above --drift-critical 2"),
    ] {
        let run = hub.run(&[&["check"], args].concat()).code(3);
        assert!(run.stdout.contains("UNKNOWN") && run.stdout.contains(said), "{}", run.stdout);
    }
    hub.run(&["check", "-w", "300", "-c", "300", "--pool-critical", "50%"]).code(0);
}
