//! A failure says what mends it, whatever failed.

use crate::support::Hub;
use std::fs;

#[test]
fn a_failed_projection_says_what_sync_will_do() {
    let hub = Hub::up();
    hub.add("first");
    hub.run(&["down"]).ok();
    let run = hub.run(&["location", "add", "cafe"]).code(9);
    let hint = run.stderr.lines().last().expect("hint");
    assert_eq!(hint, "hint: \"iwas-wg sync\" will create wg0, and 5 more", "{}", run.stderr);
    let run = hub.run(&["--json", "location", "remove", "cafe", "--yes"]).code(9);
    let error: serde_json::Value = serde_json::from_str(&run.stderr).expect("one object");
    assert_eq!(error["error"]["hint"], "\"iwas-wg sync\" will create wg0, and 4 more");
    hub.run(&["sync"]).ok();
    hub.run(&["sync", "--check"]).ok();

    // What the system refuses, `sync` waits for.
    hub.device().broken = true;
    let run = hub.run(&["location", "add", "shop"]).code(9);
    assert!(run.stderr.contains("\"iwas-wg sync\""), "{}", run.stderr);
}

#[test]
fn a_file_that_cannot_be_written_has_a_remedy() {
    let hub = Hub::up();
    let nowhere = hub.path("nowhere/copy.db").display().to_string();
    let run = hub.run(&["backup", &nowhere]).code(1);
    assert_eq!(run.error().1, "hint: make its directory first, or name another place");
    let run = hub.run(&["heartbeat", "--metrics-file", &nowhere]).code(1);
    assert_eq!(run.error().1, "hint: make its directory first, or name another place");
    let run = hub.run(&["heartbeat", "--metrics-file", "/dev/null"]).code(1);
    assert_eq!(run.error().1, "hint: name a plain file");
}

#[test]
fn a_directory_in_the_place_of_the_store_is_no_broken_disk() {
    let hub = Hub::up();
    let store = hub.path("var/lib/iwas-wg/iwas-wg.db");
    fs::remove_file(&store).expect("remove");
    fs::create_dir(&store).expect("directory");
    for args in [&["status"][..], &["location", "add", "cafe"]] {
        let run = hub.run(args).code(6);
        assert!(run.error().0.ends_with("iwas-wg.db: the file is not a store of iwas-wg"), "{}", run.stderr);
    }
}

#[test]
fn a_backup_that_cannot_be_restored_is_named_with_the_reason() {
    let hub = Hub::up();
    let file = hub.path("copy");
    let name = file.display().to_string();
    let identity = fs::read_to_string(hub.path("etc/iwas-wg/identity.txt")).expect("identity");
    let recipient = identity.lines().find_map(|l| l.strip_prefix("# public key: ")).expect("recipient");
    hub.run(&["backup", &name, "--recipient", recipient]).ok();
    let bytes = fs::read(&file).expect("backup");
    fs::write(&file, &bytes[..bytes.len() / 2]).expect("half of it");
    let run = hub.run(&["restore", &name, "--yes"]).code(6);
    let hint = "hint: name a file that \"iwas-wg backup\" wrote";
    assert_eq!(run.error(), (format!("iwas-wg: {name}: the sealed copy is damaged").as_str(), hint));
}

#[test]
fn sync_mends_what_it_can_where_the_conf_cannot_be_written() {
    let hub = Hub::up();
    let key = hub.add("cafe");
    hub.device().interface.as_mut().expect("interface").peers.clear();
    // A directory in which nobody can make a file.
    let dir = hub.path("etc/wireguard");
    fs::remove_dir_all(&dir).expect("remove");
    std::os::unix::fs::symlink("/proc", &dir).expect("link");
    let run = hub.run(&["sync"]).code(9);
    assert!(run.error().0.contains("cannot write ") && run.error().1.starts_with("hint: "), "{}", run.stderr);
    assert_eq!(hub.live(), [(key, "10.0.0.2/32".to_owned())], "the interface was left as it was");
    fs::remove_file(&dir).expect("remove");
    hub.run(&["sync"]).ok();
    hub.run(&["sync", "--check"]).ok();
}
