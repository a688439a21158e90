//! The store as a file: what is damaged is told, what was deleted is gone, and what was added to its
//! schema is refused.

use crate::support::Hub;
use rusqlite::Connection;
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

fn database(hub: &Hub) -> PathBuf {
    hub.path("var/lib/iwas-wg/iwas-wg.db")
}

fn change(hub: &Hub, sql: &str) {
    let conn = Connection::open(database(hub)).expect("store");
    conn.pragma_update(None, "ignore_check_constraints", true).expect("pragma");
    conn.pragma_update(None, "foreign_keys", false).expect("pragma");
    conn.execute_batch(sql).expect("change");
}

#[test]
fn a_value_that_cannot_be_is_told_with_table_row_and_column() {
    for (sql, place) in [
        ("UPDATE location SET name = 'lOc21'", "table location, row 1, column name"),
        ("UPDATE location SET org = 'a' || char(10)", "table location, row 1, column org"),
        ("UPDATE location SET key_mode = 'storee'", "table location, row 1, column key_mode"),
        ("UPDATE location SET created_at = 1 << 60", "table location, row 1, column created_at"),
        ("UPDATE location SET vpn_ip = -1", "table location, row 1, column vpn_ip"),
        (
            "UPDATE location SET description = CAST(x'ff' AS TEXT)",
            "table location, row 1, column description",
        ),
        ("UPDATE peer SET wider_allowed = '10.0.0.0/99'", "table peer, row 1, column wider_allowed"),
        ("UPDATE peer SET sealed_key = x'00'", "table peer, row 1, column sealed_key"),
        ("UPDATE peer SET enabled = 7", "table peer, row 1, column enabled"),
    ] {
        let hub = Hub::up();
        hub.add("cafe");
        change(&hub, sql);
        let expected = format!("the store is damaged: {place} has no value that it can have");
        let name = hub.path("b");
        // Told by whatever looks at the value, and in any case by what looks at all of them.
        let run = hub.run(&["backup", name.to_str().expect("path")]).code(6);
        let told = run.error();
        assert!(told.0.contains("the store is damaged: "), "{sql}: {}", run.stderr);
        assert_eq!(told.1, "hint: \"iwas-wg restore FILE\" puts a backup in its place");
        let run = hub.run(&["doctor"]).code(5);
        assert!(run.stdout.contains("the store is damaged: "), "{sql}: {}", run.stdout);
        let run = hub.run(&["location", "list"]);
        if run.code != 0 {
            assert_eq!(run.code, 6, "{sql}: {run:?}");
            assert!(run.error().0.ends_with(&expected), "{sql}: {}", run.stderr);
        }
        assert!(!run.stderr.contains("Invalid column") && !run.stderr.contains("disk"), "{}", run.stderr);
    }
}

#[test]
fn a_schema_with_something_added_or_missing_is_refused() {
    for (sql, what) in [
        (
            "CREATE TRIGGER t AFTER INSERT ON location BEGIN DELETE FROM tag; END",
            "its trigger \"t\" is not as this program makes it",
        ),
        ("CREATE VIEW v AS SELECT * FROM peer", "its view \"v\" is not as this program makes it"),
        ("DROP TRIGGER peer_key_is_not_revoked", "its trigger \"peer_key_is_not_revoked\" is missing"),
        ("ALTER TABLE tag ADD COLUMN more TEXT", "its table \"tag\" is not as this program makes it"),
    ] {
        let hub = Hub::up();
        hub.add("cafe");
        let name = hub.path("b");
        let name = name.to_str().expect("path");
        hub.run(&["backup", name]).ok();
        Connection::open(name).expect("backup").execute_batch(sql).expect("change");
        let run = hub.run(&["restore", name, "-y"]).code(6);
        assert_eq!(run.error().0, format!("iwas-wg: {name}: the store is damaged: {what}"));
        change(&hub, sql);
        let run = hub.run(&["location", "list"]).code(6);
        assert!(run.error().0.ends_with(&format!("the store is damaged: {what}")), "{}", run.stderr);
        hub.run(&["location", "add", "more"]).code(6);
    }
}

/// Every sealed value in these bytes, wherever it is in them, which this identity opens.
fn opened(files: &[PathBuf], identity: &age::x25519::Identity) -> usize {
    const HEADER: &[u8] = b"age-encryption.org/v1";
    let mut found = 0;
    for file in files {
        let bytes = fs::read(file).unwrap_or_default();
        for at in 0..bytes.len().saturating_sub(HEADER.len()) {
            if !bytes[at..].starts_with(HEADER) {
                continue;
            }
            // The header alone says whom the value is sealed to.
            let decryptor = age::Decryptor::new(&bytes[at..]);
            if decryptor.is_ok_and(|d| d.decrypt(std::iter::once(identity as &dyn age::Identity)).is_ok()) {
                found += 1;
            }
        }
    }
    found
}

fn files(hub: &Hub) -> Vec<PathBuf> {
    let dir = fs::read_dir(hub.path("var/lib/iwas-wg")).expect("directory");
    let mut all: Vec<PathBuf> = dir.map(|e| e.expect("entry").path()).collect();
    let backup = hub.path("raw.backup");
    let _ = fs::remove_file(&backup);
    hub.run(&["backup", backup.to_str().expect("path")]).ok();
    all.push(backup);
    all
}

#[test]
fn a_key_that_was_taken_away_is_nowhere_in_the_store_or_a_later_backup() {
    let hub = Hub::up();
    let former = age::x25519::Identity::generate();
    hub.edit_settings("recipients = [", &format!("recipients = [\"{}\", ", former.to_public()));
    for i in 0..60 {
        hub.run(&["location", "add", &format!("site-{i}"), "--description", &"x".repeat(i * 3)]).ok();
    }
    for i in (0..60).step_by(7) {
        hub.run(&["location", "remove", &format!("site-{i}"), "-y"]).ok();
        hub.run(&["location", "add", &format!("site-{i}")]).ok();
    }
    // One copy of each key in the store and one in the backup, and none of those that were removed.
    assert_eq!(opened(&files(&hub), &former), 2 * 60);
    hub.run(&["peer", "revoke", "site-1", "-y"]).ok();
    hub.run(&["peer", "rotate", "site-2"]).ok();
    hub.run(&["peer", "rotate", "site-2", "--abort"]).ok();
    assert_eq!(opened(&files(&hub), &former), 2 * 59);
    hub.edit_settings(&format!("\"{}\", ", former.to_public()), "");
    hub.run(&["secrets", "reseal"]).ok();
    assert_eq!(opened(&files(&hub), &former), 0);
    assert_eq!(fs::metadata(database(&hub)).expect("store").permissions().mode() & 0o777, 0o600);
}
