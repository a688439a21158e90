//! `backup` and `restore`.

use crate::support::{Hub, tree};
use std::{fs, os::unix::fs::PermissionsExt};

#[test]
fn a_backup_is_whole_and_secret_and_brings_everything_back() {
    let hub = Hub::up();
    hub.add("cafe");
    let file = hub.path("store.backup");
    let name = file.to_str().expect("path");
    hub.run(&["backup", name]).ok();
    assert_eq!(fs::metadata(&file).expect("backup").permissions().mode() & 0o777, 0o600);
    let before = hub.run(&["--json", "location", "list"]).ok().stdout;
    hub.add("later");
    hub.run(&["location", "remove", "cafe", "-y"]).ok();

    let report = hub.run(&["--json", "restore", name, "-y"]).ok().json();
    assert_eq!(report["changed"], true);
    assert_eq!(hub.run(&["--json", "location", "list"]).ok().stdout, before);
    let kept = report["replaced"].as_str().expect("the replaced store").to_owned();
    assert_eq!(fs::metadata(&kept).expect("kept").permissions().mode() & 0o777, 0o600);
    hub.run(&["sync"]).ok();
    assert!(
        hub.live().iter().any(|(_, ip)| ip == "10.0.0.2/32"),
        "the restored peer is not on the interface"
    );
    // And back again.
    hub.run(&["restore", &kept, "-y"]).ok();
    assert_eq!(hub.run(&["location", "list", "-o", "name"]).ok().stdout, "later\n");
}

#[test]
fn a_sealed_backup_needs_the_identity() {
    let hub = Hub::up();
    hub.add("cafe");
    let identity = fs::read_to_string(hub.path("etc/iwas-wg/identity.txt")).expect("identity");
    let recipient = identity.lines().find_map(|l| l.strip_prefix("# public key: ")).expect("recipient");
    let file = hub.path("store.age");
    let name = file.to_str().expect("path");
    hub.run(&["backup", name, "--recipient", recipient]).ok();
    assert!(fs::read(&file).expect("backup").starts_with(b"age-encryption.org/v1"));
    hub.run(&["location", "remove", "cafe", "-y"]).ok();
    hub.run(&["restore", name, "-y"]).ok();
    assert_eq!(hub.run(&["location", "list", "-o", "name"]).ok().stdout, "cafe\n");
    fs::remove_file(hub.path("etc/iwas-wg/identity.txt")).expect("remove");
    hub.run(&["restore", name, "-y"]).code(7);
}

#[test]
fn what_is_no_backup_is_neither_overwritten_nor_restored() {
    let hub = Hub::up();
    hub.add("cafe");
    let file = hub.path("letter.txt");
    fs::write(&file, "dear hub").expect("file");
    let name = file.to_str().expect("path");
    let before = tree(hub.root());
    let run = hub.run(&["backup", name]).code(4);
    assert_eq!(run.error().0, format!("iwas-wg: {name} exists and is no backup"));
    let run = hub.run(&["restore", name, "-y"]).code(6);
    assert_eq!(run.error().0, format!("iwas-wg: {name}: the file is not a store of iwas-wg"));
    hub.run(&["restore", "/nonexistent", "-y"]).code(2);
    hub.run(&["backup", "/nonexistent/x"]).code(1);
    assert_eq!(tree(hub.root()), before);
}

#[test]
fn a_damaged_backup_is_refused_and_a_damaged_store_replaced() {
    let hub = Hub::up();
    for i in 0..40 {
        hub.add(&format!("site-{i}"));
    }
    let good = hub.path("good");
    hub.run(&["backup", good.to_str().expect("path")]).ok();
    let mut bytes = fs::read(&good).expect("backup");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0x5a);
    let bad = hub.path("bad");
    fs::write(&bad, &bytes).expect("file");
    let run = hub.run(&["restore", bad.to_str().expect("path"), "-y"]).code(6);
    assert!(run.error().0.contains("the store is damaged: "), "{}", run.stderr);
    assert_eq!(hub.run(&["location", "list", "-o", "name"]).ok().stdout.lines().count(), 40);

    fs::write(hub.path("var/lib/iwas-wg/iwas-wg.db"), "not a store at all, alas").expect("store");
    hub.run(&["location", "list"]).code(6);
    hub.run(&["restore", good.to_str().expect("path"), "-y"]).ok();
    assert_eq!(hub.run(&["location", "list", "-o", "name"]).ok().stdout.lines().count(), 40);
}

#[test]
fn a_restore_can_be_tried_first() {
    let hub = Hub::up();
    let file = hub.path("b");
    hub.run(&["backup", file.to_str().expect("path")]).ok();
    hub.add("cafe");
    let before = tree(hub.root());
    hub.run(&["restore", file.to_str().expect("path"), "-n"]).ok();
    assert_eq!(tree(hub.root()), before);
}

fn actions(hub: &Hub) -> Vec<String> {
    let list = hub.run(&["--json", "audit", "list"]).ok().json();
    let records = list["records"].as_array().expect("records").iter();
    records.map(|r| r["action"].as_str().expect("action").to_owned()).collect()
}

#[test]
fn the_audit_record_goes_on_from_the_end_of_the_replaced_store() {
    let hub = Hub::up();
    let file = hub.path("b");
    let name = file.to_str().expect("path");
    hub.add("cafe");
    hub.run(&["backup", name]).ok();
    hub.run(&["location", "remove", "cafe", "-y"]).ok();
    let before = actions(&hub);
    let end = hub.run(&["--json", "audit", "verify"]).ok().json();
    let end = format!("{}:{}", end["end"]["records"], end["end"]["hash"].as_str().expect("hash"));

    hub.run(&["restore", name, "-y"]).ok();
    hub.run(&["audit", "verify", "--end", &end]).ok();
    let after = actions(&hub);
    assert_eq!(after[..before.len()], before, "records were lost");
    assert_eq!(after[before.len()..], ["restore"]);
    // Twice, and from the store that was set aside, which has fewer records.
    let kept = hub.run(&["--json", "restore", name, "-y"]).ok().json();
    hub.run(&["restore", kept["replaced"].as_str().expect("kept"), "-y"]).ok();
    hub.run(&["audit", "verify", "--end", &end]).ok();
    assert_eq!(actions(&hub)[before.len()..], ["restore", "restore", "restore"]);
}

#[test]
fn a_restore_does_not_mend_a_broken_audit_record() {
    let hub = Hub::up();
    let file = hub.path("b");
    hub.run(&["backup", file.to_str().expect("path")]).ok();
    let store = hub.path("var/lib/iwas-wg/iwas-wg.db");
    let conn = rusqlite::Connection::open(store).expect("store");
    conn.execute("UPDATE audit SET user = 'nobody' WHERE seq = 1", []).expect("update");
    drop(conn);
    hub.run(&["restore", file.to_str().expect("path"), "-y"]).ok();
    let run = hub.run(&["audit", "verify"]).code(6);
    assert_eq!(run.error().0, "iwas-wg: record 1 is not as it was written, or not at its place");
}

#[test]
fn a_hub_that_takes_over_from_another_one_has_the_record_of_the_backup() {
    let old = Hub::up();
    old.add("cafe");
    let file = old.path("b");
    let name = file.to_str().expect("path");
    old.run(&["backup", name]).ok();
    let records = actions(&old);
    let records = &records[..records.len() - 1];

    // An empty place, and a place where another hub has begun a record of its own.
    let new = Hub::empty();
    new.random.set(7);
    new.now.set(new.now.get() + 60);
    new.run(&["init", "--endpoint", "vpn.example.com"]).ok();
    let run = new.run(&["restore", name, "-y"]).ok();
    assert!(run.stderr.contains("the audit record is the backup's from now on"), "{}", run.stderr);
    assert_eq!(actions(&new), [records, &["restore".to_owned()]].concat());
    new.run(&["audit", "verify"]).ok();
    fs::remove_file(new.path("var/lib/iwas-wg/iwas-wg.db")).expect("remove");
    let run = new.run(&["restore", name, "-y"]).ok();
    assert!(!run.stderr.contains("warning"), "{}", run.stderr);
    assert_eq!(actions(&new), [records, &["restore".to_owned()]].concat());
}
