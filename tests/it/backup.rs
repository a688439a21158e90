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
    let before = tree(new.root());
    let run = new.run(&["restore", name, "-y"]).code(4);
    let key = |hub: &Hub| hub.run(&["--json", "status"]).ok().json()["hub"]["public_key"].clone();
    let (theirs, own) = (key(&old), key(&new));
    assert_eq!(
        run.error(),
        (
            &*format!(
                "iwas-wg: {name} is the store of another hub (its key is {}, this hub's {})",
                theirs.as_str().expect("key"),
                own.as_str().expect("key")
            ),
            &*format!(
                "hint: if this machine is to become that hub, move {} away first and restore again",
                new.path("var/lib/iwas-wg/iwas-wg.db").display()
            )
        )
    );
    assert_eq!(tree(new.root()), before);
    // Nor when the store is damaged and only the conf has the key.
    let store = new.path("var/lib/iwas-wg/iwas-wg.db");
    let whole = fs::read(&store).expect("store");
    fs::write(&store, "no store").expect("store");
    new.run(&["restore", name, "-y"]).code(4);
    fs::write(&store, whole).expect("store");
    fs::remove_file(new.path("var/lib/iwas-wg/iwas-wg.db")).expect("remove");
    let run = new.run(&["restore", name, "-y"]).ok();
    assert!(!run.stderr.contains("warning"), "{}", run.stderr);
    assert_eq!(actions(&new), [records, &["restore".to_owned()]].concat());
}

fn backup(hub: &Hub) -> String {
    let file = hub.path("the.backup");
    let name = file.to_str().expect("path").to_owned();
    hub.run(&["backup", &name]).ok();
    name
}

#[test]
fn a_restore_says_first_how_old_the_backup_is_and_what_differs() {
    let hub = Hub::up();
    for name in ["back", "moves", "rotates", "same"] {
        hub.add(name);
    }
    let name = backup(&hub);
    hub.pass(3 * 86_400);
    hub.run(&["location", "remove", "back", "-y"]).ok();
    hub.run(&["peer", "rotate", "rotates"]).ok();
    hub.run(&["peer", "move", "moves", "--vpn-ip", "10.0.0.99"]).ok();
    hub.add("late");
    let run = hub.run(&["restore", &name, "-n"]).ok();
    assert_eq!(
        run.stderr,
        format!(
            "{name} is from 2026-11-23T10:00:00Z (3 d 0 h ago)\n\
             added since, and gone after it: late\n\
             removed since, and back after it: back\n\
             with other keys since, and with the old ones after it: rotates\n\
             addresses given since, and not given again before all others: 10.0.0.6 (late), 10.0.0.99 (moves)\n\
             {name} can be restored\n"
        )
    );
    let report = hub.run(&["--json", "restore", &name, "-n"]).ok().json();
    assert_eq!(report["changed"], false);
    assert_eq!(report["last_used_at"], "2026-11-23T10:00:00Z");
    assert_eq!(report["added_since"], serde_json::json!(["late"]));
    assert_eq!(report["removed_since"], serde_json::json!(["back"]));
    assert_eq!(report["rekeyed_since"], serde_json::json!(["rotates"]));
    // What is an orphan then is told by the name that the conf has.
    hub.run(&["restore", &name, "-y"]).ok();
    let run = hub.run(&["sync"]).ok();
    assert!(
        run.stderr.contains(" (\"late\" in the conf) is not in the store; it was left alone"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_revoked_key_stays_revoked_over_a_restore() {
    let hub = Hub::up();
    let key = hub.add("stolen");
    let next = hub.run(&["--json", "peer", "rotate", "stolen"]).ok();
    assert_ne!(next.json()["location"]["vpn_public_key"], serde_json::Value::Null);
    let name = backup(&hub);
    hub.run(&["peer", "revoke", "stolen", "-y"]).ok();
    assert_eq!(hub.live(), []);
    let run = hub.run(&["restore", &name, "-y"]).ok();
    assert!(
        run.stderr.contains("without peers, because their keys were revoked since: stolen"),
        "{}",
        run.stderr
    );
    hub.run(&["sync"]).ok();
    assert_eq!(hub.live(), []);
    assert!(!hub.conf().contains(&key));
    let site = hub.run(&["--json", "location", "show", "stolen"]).ok().json();
    assert_eq!(site["location"]["state"], "unprovisioned");
    hub.run(&["location", "add", "again", "--public-key", &key]).code(4);
    // And over the next one, from the store that was set aside.
    let kept = hub.run(&["--json", "restore", &name, "-y"]).ok().json();
    assert_eq!(kept["revoked_since"], serde_json::json!(["stolen"]));
    hub.run(&["restore", kept["replaced"].as_str().expect("kept"), "-y"]).ok();
    hub.run(&["location", "add", "again", "--public-key", &key]).code(4);
}

#[test]
fn keys_that_came_and_went_after_the_backup_stay_off_the_interface() {
    let hub = Hub::up();
    let name = backup(&hub);
    let key = hub.add("brief");
    hub.run(&["location", "remove", "brief", "-y"]).ok();
    hub.run(&["restore", &name, "-y"]).ok();
    // Somebody brings an old conf back.
    let conf = hub.conf() + &format!("\n[Peer]\nPublicKey = {key}\nAllowedIPs = 10.0.0.2/32\n");
    fs::write(hub.path("etc/wireguard/wg0.conf"), conf).expect("conf");
    hub.run(&["sync"]).ok();
    assert!(!hub.conf().contains(&key), "{}", hub.conf());
}

#[test]
fn addresses_given_after_the_backup_come_last_after_a_restore() {
    let hub = Hub::up();
    let name = backup(&hub);
    assert_eq!(hub.add_for_address("late"), "10.0.0.2");
    hub.run(&["peer", "disable", "late"]).ok();
    assert_eq!(hub.add_for_address("gone"), "10.0.0.3");
    hub.run(&["location", "remove", "gone", "-y"]).ok();
    hub.run(&["restore", &name, "-y"]).ok();
    assert_eq!(hub.add_for_address("next"), "10.0.0.4");
}

#[test]
fn a_rotation_of_the_backup_waits_anew() {
    let hub = Hub::up();
    hub.add("cafe");
    hub.run(&["peer", "rotate", "cafe"]).ok();
    let name = backup(&hub);
    hub.pass(10 * 86_400);
    hub.run(&["restore", &name, "-y"]).ok();
    let run = hub.run(&["sync", "-n"]).ok();
    assert!(!run.stderr.contains("give up"), "{}", run.stderr);
}

/// An answer that comes after another process has changed the store.
struct Slow(std::rc::Rc<Hub>, &'static [u8]);

impl std::io::Read for Slow {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.1.len() == 4 {
            self.0.add("meanwhile");
        }
        let n = into.len().min(self.1.len());
        into[..n].copy_from_slice(&self.1[..n]);
        self.1 = &self.1[n..];
        Ok(n)
    }
}

#[test]
fn a_store_that_changes_while_a_person_decides_is_not_replaced() {
    let mut hub = Hub::up();
    let name = backup(&hub);
    hub.terminal.stdin = true;
    hub.terminal.stderr = true;
    let hub = std::rc::Rc::new(hub);
    let other = std::rc::Rc::clone(&hub);
    let run = hub.run_in(&["restore", &name], |env| env.stdin = Box::new(Slow(other, b"yes\n"))).code(4);
    assert!(run.stderr.contains("the store was changed while you were asked"), "{}", run.stderr);
    assert_eq!(hub.run(&["location", "list", "-o", "name"]).ok().stdout, "meanwhile\n");
}

#[test]
fn a_journal_without_its_store_is_not_the_next_stores() {
    let hub = Hub::up();
    hub.add("cafe");
    let name = backup(&hub);
    let store = hub.path("var/lib/iwas-wg/iwas-wg.db");
    let journal = hub.path("var/lib/iwas-wg/iwas-wg.db-wal");
    // A reader keeps the journal from being put into the file.
    let reader = rusqlite::Connection::open(&store).expect("store");
    reader.query_row("SELECT count(*) FROM location", [], |r| r.get::<_, i64>(0)).expect("read");
    hub.add("later");
    assert!(fs::metadata(&journal).expect("journal").len() > 0);
    fs::rename(&store, hub.path("moved")).expect("move");
    hub.run(&["restore", &name, "-y"]).ok();
    assert_eq!(hub.run(&["location", "list", "-o", "name"]).ok().stdout, "cafe\n");
    assert!(hub.path("var/lib/iwas-wg/iwas-wg.db-wal.stale").exists());
}
