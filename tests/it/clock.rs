//! A clock that jumps ends nothing: not a location, not a rotation, not a day of history.

use crate::support::Hub;
use serde_json::Value;

const DAY: i64 = 86_400;

type Pairs = Vec<(String, String)>;

/// What must outlive a clock that jumps: the states of all sites, history, and what is on the
/// interface.
fn kept(hub: &Hub) -> (Vec<Value>, Pairs, Pairs) {
    let list = hub.run(&["--json", "location", "list"]).ok().json();
    let sites = list["locations"].as_array().expect("locations").iter().map(|l| {
        let mut site = l.clone();
        site.as_object_mut().expect("object").remove("key_age_seconds");
        site
    });
    let history = hub.run(&["--json", "history", "cafe", "--since", "2026-01-01"]).ok().json();
    let word = |change: &Value, key: &str| change[key].as_str().expect(key).to_owned();
    let changes = history["changes"].as_array().expect("changes").iter();
    let changes = changes.map(|c| (word(c, "at"), word(c, "to"))).collect();
    (sites.collect(), changes, hub.live())
}

/// A hub with 20 days of history, a location that ends in 30 days and a rotation under way.
fn hub_with_a_past() -> Hub {
    let hub = Hub::up();
    let key = hub.add("cafe");
    hub.run(&["location", "add", "fair", "--expires", "50d"]).ok();
    hub.add("bar");
    for day in 0..20 {
        // Up on even days.
        hub.shake(&key, if day % 2 == 0 { 10 } else { 1000 });
        hub.run(&["heartbeat"]).ok();
        hub.pass(DAY);
    }
    hub.shake(&key, 10);
    hub.run(&["heartbeat"]).ok();
    hub.run(&["peer", "rotate", "bar"]).ok();
    hub.pass(120);
    hub
}

#[test]
fn one_heartbeat_ten_years_ahead_changes_nothing_and_warns() {
    let hub = hub_with_a_past();
    let before = kept(&hub);
    hub.set_clock(3650 * DAY);
    let run = hub.run(&["heartbeat"]).ok();
    assert_eq!(
        run.stderr,
        "iwas-wg: warning: the clock jumped forwards by 3650 d 0 h: nothing ends, expires or is deleted by \
         it until a second heartbeat sees the same time; see \"timedatectl\"\n"
    );
    hub.set_clock(-3650 * DAY);
    hub.pass(120);
    assert_eq!(kept(&hub), before);
    let run = hub.run(&["heartbeat"]).ok();
    assert_eq!(run.stderr, "", "the clock is where it was before");
    let (_, history, live) = kept(&hub);
    assert_eq!((&history[..before.1.len()], live), (&before.1[..], before.2));
    hub.pass(120);
    hub.run(&["heartbeat"]).ok();
    let report = hub.run(&["--json", "report", "--since", "3min"]).ok().json();
    assert_eq!(report["sites"][1]["name"], "cafe", "{report}");
    assert_eq!(report["sites"][1]["unknown_seconds"], 0, "{report}");
}

#[test]
fn sync_ends_nothing_after_a_jump_either() {
    let hub = hub_with_a_past();
    let before = kept(&hub);
    hub.set_clock(3650 * DAY);
    let run = hub.run(&["sync"]).ok();
    assert!(run.stderr.contains("the clock jumped forwards by 3650 d 0 h"), "{}", run.stderr);
    hub.run(&["sync", "--check"]).ok();
    hub.set_clock(-3650 * DAY);
    assert_eq!(kept(&hub), before);
}

#[test]
fn a_second_heartbeat_that_sees_the_same_time_believes_it() {
    let hub = hub_with_a_past();
    hub.set_clock(60 * DAY);
    let run = hub.run(&["heartbeat"]).ok();
    assert!(run.stderr.contains("the clock jumped forwards by 60 d 0 h"), "{}", run.stderr);
    hub.pass(120);
    let run = hub.run(&["heartbeat"]).ok();
    assert!(run.stderr.contains("fair has expired and was disabled"), "{}", run.stderr);
    assert!(run.stderr.contains("the new key of bar never shook hands"), "{}", run.stderr);
    hub.pass(120);
    assert_eq!(hub.run(&["heartbeat"]).ok().stderr, "");
}

#[test]
fn a_clock_that_goes_back_is_doubted_and_then_believed() {
    let hub = hub_with_a_past();
    let before = kept(&hub);
    hub.set_clock(-5 * DAY);
    let run = hub.run(&["heartbeat"]).ok();
    assert!(run.stderr.contains("the clock jumped backwards by 5 d 0 h"), "{}", run.stderr);
    hub.pass(120);
    hub.run(&["heartbeat"]).ok();
    hub.set_clock(5 * DAY);
    hub.pass(120);
    hub.run(&["heartbeat"]).ok();
    hub.pass(120);
    hub.run(&["heartbeat"]).ok();
    let (_, history, live) = kept(&hub);
    let before = before.1;
    assert!(before.iter().all(|change| history.contains(change)), "{before:#?}\n{history:#?}");
    assert_eq!(live.len(), 4);
}

#[test]
fn a_site_that_comes_back_after_a_wrong_year_is_dated_now() {
    let hub = hub_with_a_past();
    let key = hub.run(&["--json", "location", "show", "cafe"]).ok().json();
    let key = key["location"]["vpn_public_key"].as_str().expect("key").to_owned();
    hub.set_clock(3650 * DAY);
    for _ in 0..3 {
        hub.run(&["heartbeat"]).ok();
        hub.pass(120);
    }
    hub.set_clock(-3650 * DAY);
    for _ in 0..2 {
        hub.run(&["heartbeat"]).ok();
        hub.pass(120);
    }
    hub.shake(&key, 5);
    let report = hub.run(&["--json", "heartbeat"]).ok().json();
    assert!(report["changes"][0]["at"].as_str().expect("at").starts_with("2026-"), "{report}");
    // The time without a heartbeat that the wrong year made is over.
    hub.pass(DAY);
    let report = hub.run(&["--json", "history", "cafe", "--since", "12h"]).ok().json();
    assert!(!report.to_string().contains("2036"), "{report}");
}

#[test]
fn the_first_heartbeat_of_all_is_judged_by_the_last_record() {
    let hub = Hub::up();
    hub.run(&["location", "add", "fair", "--expires", "30d"]).ok();
    hub.set_clock(3650 * DAY);
    let run = hub.run(&["heartbeat"]).ok();
    assert!(run.stderr.contains("the clock jumped forwards"), "{}", run.stderr);
    assert_eq!(hub.live().len(), 1);
}
