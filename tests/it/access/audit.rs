//! The record of deeds: what is on it, and that nobody changes it unnoticed.

use super::{become_, hub};
use crate::support::Hub;
use serde_json::Value;
use std::os::unix::net::UnixDatagram;

fn records(hub: &Hub, args: &[&str]) -> Vec<Value> {
    let words: Vec<&str> = ["--json", "audit", "list"].iter().chain(args).copied().collect();
    hub.run(&words).ok().json()["records"].as_array().expect("records").clone()
}

fn words(records: &[Value]) -> Vec<String> {
    records
        .iter()
        .map(|r| {
            format!("{} {}", r["action"].as_str().expect("action"), r["location"].as_str().unwrap_or("-"))
        })
        .collect()
}

fn sql(hub: &Hub, text: &str) {
    let path = hub.path("var/lib/iwas-wg/iwas-wg.db");
    rusqlite::Connection::open(path).and_then(|c| c.execute_batch(text)).expect(text);
}

#[test]
fn what_changes_something_or_shows_a_key_is_on_record_and_nothing_else() {
    let hub = Hub::up();
    for args in [
        &["location", "add", "cafe", "--org", "acme"][..],
        &["location", "add", "cafe", "--if-not-exists"],
        &["location", "add", "dry", "-n"],
        &["location", "list"],
        &["location", "set", "cafe", "--tag", "a=b"],
        &["location", "set", "cafe", "--tag", "a=b"],
        &["script", "render", "cafe"],
        &["script", "render", "cafe", "--kind", "check"],
        &["peer", "reset", "cafe"],
        &["status"],
        &["sync"],
        &["heartbeat"],
        &["down"],
        &["down"],
        &["up"],
        &["secrets", "verify"],
        &["secrets", "reseal"],
        &["location", "remove", "cafe", "-y"],
    ] {
        hub.run(args).ok();
    }
    let all = records(&hub, &[]);
    let expected = [
        "init -",
        "up -",
        "location add cafe",
        "location set cafe",
        "script render cafe",
        "peer reset cafe",
        "down -",
        "up -",
        "secrets reseal -",
        "location remove cafe",
    ];
    assert_eq!(words(&all), expected);
    assert_eq!((all[2]["org"].as_str(), all[2]["user"].as_str()), (Some("acme"), Some("root")));
    assert!(all[2]["via"].is_null() && all[2]["outcome"] == "done" && all[2]["seq"] == 3);
}

#[test]
fn records_are_found_by_time_user_and_location() {
    let hub = hub();
    hub.now.set(hub.now.get() + 86_400);
    become_(&hub, "org-admin");
    hub.run(&["location", "set", "own", "--tag", "a=b"]).ok();
    hub.run(&["sync"]).code(7);
    become_(&hub, "root");
    assert_eq!(words(&records(&hub, &["--since", "1h"])), ["location set own", "sync -"]);
    assert_eq!(words(&records(&hub, &["--user", "org-admin", "--location", "own"])), ["location set own"]);
    let denied = &records(&hub, &["--user", "org-admin"])[1];
    assert_eq!((denied["outcome"].as_str(), denied["via"].as_str()), (Some("denied"), Some("sudo")));
    let table = hub.run(&["audit", "list", "--since", "1h"]).ok().stdout;
    assert!(table.contains("org-admin") && table.contains("denied"), "{table}");
}

#[test]
fn whatever_is_done_to_a_record_is_found_and_the_record_is_named() {
    for (tampering, at, what) in [
        ("UPDATE audit SET user = 'bob' WHERE seq = 3", 3, "is not as it was written, or not at its place"),
        ("UPDATE audit SET at = at + 1 WHERE seq = 4", 4, "is not as it was written, or not at its place"),
        ("UPDATE audit SET org = NULL WHERE seq = 3", 3, "is not as it was written, or not at its place"),
        ("UPDATE audit SET via = '' WHERE seq = 3", 3, "is not as it was written, or not at its place"),
        (
            "UPDATE audit SET hash = randomblob(32) WHERE seq = 5",
            5,
            "is not as it was written, or not at its place",
        ),
        ("DELETE FROM audit WHERE seq = 1", 1, "is missing"),
        ("DELETE FROM audit WHERE seq = 3", 3, "is missing"),
        ("DELETE FROM audit WHERE seq = 5", 5, "is missing"),
        ("DELETE FROM audit", 1, "is missing"),
        // Removed, and the rest moved up.
        (
            "DELETE FROM audit WHERE seq = 3; UPDATE audit SET seq = seq - 1 WHERE seq > 3; UPDATE audit_end SET seq = 4",
            3,
            "is not as it was written, or not at its place",
        ),
        // Two in each other's place.
        (
            "UPDATE audit SET seq = -3 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = -3",
            3,
            "is not as it was written, or not at its place",
        ),
        // The end cut off, and its number corrected.
        (
            "DELETE FROM audit WHERE seq = 5; UPDATE audit_end SET seq = 4",
            4,
            "is not the one that was written last",
        ),
        (
            "INSERT INTO audit SELECT 6, at, uid, user, via, action, location, org, ending, hash FROM audit WHERE seq = 5",
            6,
            "is not as it was written, or not at its place",
        ),
    ] {
        let hub = hub();
        hub.run(&["audit", "verify"]).ok();
        sql(&hub, tampering);
        let e = hub.run(&["audit", "verify"]).code(6);
        assert_eq!(e.error().0, format!("iwas-wg: record {at} {what}"), "{tampering}");
    }
}

#[test]
fn a_record_with_a_time_that_cannot_be_is_damage_and_is_named() {
    let hub = hub();
    sql(&hub, "UPDATE audit SET at = 9223372036854775807 WHERE seq = 2");
    let e = hub.run(&["audit", "verify"]).code(6);
    assert!(
        e.error()
            .0
            .ends_with("the store is damaged: table audit, row 2, column at has no value that it can have"),
        "{e:?}"
    );
}

#[test]
fn a_whole_new_chain_is_found_by_an_end_that_was_noted() {
    let hub = hub();
    let said = hub.run(&["audit", "verify"]).ok().stdout;
    assert!(said.starts_with("5 records are as they were written; the end is 5:"), "{said}");
    let end = said.trim().rsplit(' ').next().expect("end").to_owned();
    hub.run(&["location", "set", "own", "--tag", "a=b"]).ok();
    hub.run(&["audit", "verify", "--end", &end]).ok();
    sql(&hub, "DELETE FROM audit; UPDATE audit_end SET seq = 0, hash = zeroblob(32)");
    for i in 0..6 {
        hub.run(&["location", "set", "own", "--tag", &format!("n={i}")]).ok();
    }
    hub.run(&["audit", "verify"]).ok();
    let e = hub.run(&["audit", "verify", "--end", &end]).code(6);
    assert_eq!(e.error().0, "iwas-wg: record 5 is not the one that was noted");
    hub.run(&["audit", "verify", "--end", "5:xyz"]).code(2);
}

#[test]
fn a_restored_store_has_the_record_of_it() {
    let hub = hub();
    let file = hub.path("b.db").to_str().expect("path").to_owned();
    hub.run(&["backup", &file]).ok();
    hub.run(&["restore", &file, "--yes"]).ok();
    assert_eq!(words(&records(&hub, &[])).last().map(String::as_str), Some("restore -"));
    hub.run(&["audit", "verify"]).ok();
}

#[test]
fn a_copy_of_each_record_goes_to_syslog_and_its_absence_stops_nothing() {
    let hub = hub();
    let socket = hub.path("log");
    let section = format!("\n[access]\nsyslog = {:?}\n\n[access.roles]\n", socket.to_str().expect("path"));
    hub.edit_settings("\n[access.roles]\n", &section);
    hub.run(&["location", "set", "own", "--tag", "no=listener"]).ok();
    let log = UnixDatagram::bind(&socket).expect("bind");
    log.set_nonblocking(true).expect("nonblocking");
    let mut buffer = [0; 2048];
    let mut next = || log.recv(&mut buffer).map(|n| String::from_utf8_lossy(&buffer[..n]).into_owned());
    become_(&hub, "org-admin");
    hub.run(&["location", "set", "own", "--tag", "a=b"]).ok();
    let line = next().expect("line");
    assert!(line.starts_with("<86>iwas-wg["), "{line}");
    let text = "uid=64001 user=\"org-admin\" action=\"location set\" ending=done via=\"sudo\" location=\"own\" org=\"acme\" hash=";
    assert!(line.contains(text), "{line}");
    hub.run(&["location", "set", "own", "--tag", "a=b", "-n"]).ok();
    assert!(next().is_err(), "what was not done is on record");
    hub.run(&["sync"]).code(7);
    let line = next().expect("line");
    assert!(line.starts_with("<84>") && line.contains("ending=denied"), "{line}");
}
