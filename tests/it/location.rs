//! `location add`, `list`, `show`, `set` and `remove`.

use crate::support::{Hub, tree};
use serde_json::json;

#[test]
fn add_commits_programs_writes_and_prints_the_script_alone() {
    let hub = Hub::up();
    let run = hub.run(&["location", "add", "cafe-central", "--org", "acme", "--tag", "city=vienna"]).ok();
    assert_eq!(run.stderr, "added cafe-central at 10.0.0.2\n");
    assert!(run.stdout.starts_with('#'), "{}", run.stdout);
    let show = hub.run(&["--json", "location", "show", "cafe-central"]).ok().json();
    let key = show["location"]["vpn_public_key"].as_str().expect("key").to_owned();
    assert_eq!(
        show,
        json!({"schema_version": 1, "location": {
            "name": "cafe-central", "org": "acme", "description": null, "tags": {"city": "vienna"},
            "vpn_ip": "10.0.0.2", "vpn_public_key": key, "key_mode": "stored", "enabled": true,
            "is_online": false, "state": "never", "last_handshake": null, "endpoint": null,
            "rx_bytes": null, "tx_bytes": null,
            "created_at": "2026-11-23T10:00:00Z", "updated_at": "2026-11-23T10:00:00Z",
            "expires_at": null, "key_created_at": "2026-11-23T10:00:00Z", "key_age_seconds": 0,
            "preshared": false, "rotating_since": null, "moving_since": null, "moving_to": null}})
    );
    assert_eq!(hub.live(), [(key.clone(), "10.0.0.2/32".into())]);
    let block =
        format!("\n[Peer]\n# friendly_name = cafe-central\nPublicKey = {key}\nAllowedIPs = 10.0.0.2/32\n");
    assert!(hub.conf().ends_with(&block), "{}", hub.conf());
}

#[test]
fn add_reports_a_change_as_one_object() {
    let hub = Hub::up();
    let run = hub.run(&["location", "add", "cafe", "--json"]).ok();
    assert_eq!(run.stderr, "");
    let report = run.json();
    assert!(run.stdout.starts_with("{\"schema_version\":1,"), "{}", run.stdout);
    assert_eq!((&report["changed"], &report["action"]), (&json!(true), &json!("created")));
    assert!(report["script"].as_str().is_some_and(|s| s.contains("cafe")));
    assert_eq!(report["location"]["vpn_ip"], "10.0.0.2");
}

#[test]
fn add_refuses_a_taken_name_address_and_key() {
    let hub = Hub::up();
    let key = hub.add("berlin");
    let before = (tree(hub.root()), hub.live());
    for (args, error, hint) in [
        (
            vec!["berlin"],
            "iwas-wg: location \"berlin\" already exists (10.0.0.2)",
            "hint: use --if-not-exists, or \"iwas-wg location set berlin\"",
        ),
        (
            vec!["graz", "--vpn-ip", "10.0.0.2"],
            "iwas-wg: address 10.0.0.2 is held by \"berlin\"",
            "hint: choose another, or leave out --vpn-ip for the next free one",
        ),
        (
            vec!["graz", "--vpn-ip", "10.0.1.2"],
            "iwas-wg: address 10.0.1.2 is outside the VPN network 10.0.0.0/24",
            "hint: choose another, or leave out --vpn-ip for the next free one",
        ),
        (
            vec!["graz", "--public-key", &key],
            &format!("iwas-wg: public key {key} belongs to \"berlin\""),
            "hint: every router has a key of its own",
        ),
    ] {
        let run = hub.run(&[&["location", "add"], &args[..]].concat()).code(4);
        assert_eq!(run.error(), (error, hint));
    }
    assert_eq!((tree(hub.root()), hub.live()), before);
}

#[test]
fn if_not_exists_is_content_only_with_what_was_asked_for() {
    let hub = Hub::up();
    hub.run(&["location", "add", "cafe", "--org", "acme", "--tag", "a=1"]).ok();
    let again =
        |args: &[&str]| hub.run(&[&["--json", "location", "add", "cafe", "--if-not-exists"], args].concat());
    for args in
        [&[][..], &["--org", "acme"], &["--tag", "a=1"], &["--vpn-ip", "10.0.0.2"], &["--key-mode", "stored"]]
    {
        let report = again(args).ok().json();
        assert_eq!((&report["changed"], &report["action"]), (&json!(false), &json!("unchanged")), "{args:?}");
        assert_eq!(report["script"], json!(null), "a key was shown again");
    }
    for args in [
        ["--org", "other"],
        ["--tag", "a=2"],
        ["--tag", "b=1"],
        ["--vpn-ip", "10.0.0.9"],
        ["--key-mode", "once"],
    ] {
        let run = again(&args).code(4);
        assert!(run.stderr.contains("already exists (10.0.0.2), but "), "{args:?}: {}", run.stderr);
    }
}

#[test]
fn a_dry_run_says_what_would_be_and_changes_nothing() {
    let hub = Hub::up();
    hub.add("here");
    let before = (tree(hub.root()), hub.live());
    let run = hub.run(&["location", "add", "cafe", "-n"]).ok();
    assert_eq!(
        (run.stdout.as_str(), run.stderr.as_str()),
        ("", "would add cafe at 10.0.0.3 (key mode stored)\n")
    );
    let report = hub.run(&["--json", "location", "add", "cafe", "--dry-run"]).ok().json();
    assert_eq!((&report["changed"], &report["dry_run"]), (&json!(false), &json!(true)));
    assert_eq!((&report["location"]["vpn_ip"], &report["script"]), (&json!("10.0.0.3"), &json!(null)));
    hub.run(&["location", "set", "here", "--org", "x", "-n"]).ok();
    hub.run(&["location", "remove", "here", "-n"]).ok();
    assert_eq!((tree(hub.root()), hub.live()), before);
}

#[test]
fn remove_takes_the_peer_off_interface_and_conf() {
    let hub = Hub::up();
    let (gone, stays) = (hub.add("gone"), hub.add("stays"));
    let run = hub.run(&["location", "remove", "gone", "--yes"]).ok();
    assert_eq!(run.stderr, "removed gone (10.0.0.2)\n");
    assert_eq!(hub.live(), [(stays.clone(), "10.0.0.3/32".into())]);
    assert!(!hub.conf().contains(&gone) && hub.conf().contains(&stays));
    let (error, hint) =
        ("iwas-wg: there is no location \"gone\"", "hint: \"iwas-wg location list\" shows all");
    assert_eq!(hub.run(&["location", "remove", "gone", "-y"]).code(3).error(), (error, hint));
    let report = hub.run(&["--json", "location", "remove", "gone", "--if-exists", "-y"]).ok().json();
    assert_eq!((&report["changed"], &report["location"]), (&json!(false), &json!(null)));
}

#[test]
fn removing_asks_and_without_a_terminal_wants_a_yes() {
    let mut hub = Hub::up();
    hub.add("cafe");
    let run = hub.run(&["location", "remove", "cafe"]).code(2);
    assert_eq!(
        run.error(),
        (
            "iwas-wg: there is no terminal to ask for a confirmation on",
            "hint: add --yes to confirm it beforehand"
        )
    );
    // On a terminal where nobody types a "y", it stays.
    hub.terminal.stdin = true;
    hub.terminal.stderr = true;
    let run = hub.run(&["location", "remove", "cafe"]).ok();
    assert!(run.stderr.contains("[y/N]") && run.stderr.contains("cafe stays"), "{}", run.stderr);
    hub.run(&["location", "show", "cafe"]).ok();
}

#[test]
fn set_changes_what_is_said_and_not_the_peer() {
    let hub = Hub::up();
    hub.run(&["location", "add", "cafe", "--tag", "a=1", "--tag", "b=2"]).ok();
    let before = (hub.live(), hub.conf());
    hub.now.set(hub.now.get() + 60);
    let set = |args: &[&str]| hub.run(&[&["--json", "location", "set", "cafe"], args].concat());
    let report =
        set(&["--org", "acme", "--description", "Ring 1", "--tag", "b=3", "--untag", "a"]).ok().json();
    assert_eq!(report["changed"], true);
    let l = &report["location"];
    assert_eq!(
        (&l["org"], &l["description"], &l["tags"]),
        (&json!("acme"), &json!("Ring 1"), &json!({"b": "3"}))
    );
    assert_eq!(
        (&l["created_at"], &l["updated_at"]),
        (&json!("2026-11-23T10:00:00Z"), &json!("2026-11-23T10:01:00Z"))
    );
    assert_eq!(hub.run(&["--json", "location", "show", "cafe"]).ok().json()["location"], *l);
    assert_eq!(set(&["--org", "acme"]).ok().json()["changed"], false);
    let l = set(&["--no-org", "--no-description", "--untag", "b"]).ok().json()["location"].clone();
    assert_eq!((&l["org"], &l["description"], &l["tags"]), (&json!(null), &json!(null), &json!({})));
    assert_eq!((hub.live(), hub.conf()), before);
}

#[test]
fn lists_are_sorted_and_filtered() {
    let hub = Hub::up();
    assert_eq!(
        hub.run(&["--json", "location", "list"]).ok().json(),
        json!({"schema_version": 1, "locations": []})
    );
    hub.run(&["location", "add", "zoo", "--org", "acme", "--tag", "city=graz"]).ok();
    hub.run(&["location", "add", "bar", "--org", "acme", "--tag", "city=wien", "--tag", "floor=1"]).ok();
    hub.run(&["location", "add", "alm", "--no-provision"]).ok();
    let names = |args: &[&str]| -> Vec<String> {
        let list = hub.run(&[&["--json", "location", "list"], args].concat()).ok().json();
        let all = list["locations"].as_array().expect("list").clone();
        all.iter().map(|l| l["name"].as_str().expect("name").to_owned()).collect()
    };
    assert_eq!(names(&[]), ["alm", "bar", "zoo"]);
    assert_eq!(names(&["--org", "acme"]), ["bar", "zoo"]);
    assert_eq!(names(&["--org", "acme", "--tag", "city=wien"]), ["bar"]);
    assert_eq!(names(&["--state", "unprovisioned"]), ["alm"]);
    assert_eq!(names(&["--state", "online"]), Vec::<String>::new());
    assert_eq!(hub.run(&["location", "list", "-o", "name"]).ok().stdout, "alm\nbar\nzoo\n");
    let tags = &hub.run(&["--json", "location", "list"]).ok().json()["locations"][1]["tags"];
    assert_eq!(*tags, json!({"city": "wien", "floor": "1"}));
}

#[test]
fn a_misspelt_name_is_recognized() {
    let hub = Hub::up();
    hub.add("cafe-central");
    let run = hub.run(&["location", "show", "cafe-centrl"]).code(3);
    assert_eq!(
        run.error(),
        ("iwas-wg: there is no location \"cafe-centrl\"", "hint: did you mean \"cafe-central\"?")
    );
}

#[test]
fn a_failed_projection_is_exit_9_and_sync_mends_it() {
    let hub = Hub::up();
    hub.device().broken = true;
    let run = hub.run(&["location", "add", "cafe"]).code(9);
    assert!(run.stdout.starts_with('#'), "the script with the only key was not printed");
    assert!(run.stderr.contains("iwas-wg: the store is committed, but conf or interface is not in line: "));
    assert!(run.stderr.contains("\"iwas-wg sync\""), "{}", run.stderr);
    assert!(hub.live().is_empty());
    hub.device().broken = false;
    hub.run(&["sync", "--check"]).code(5);
    hub.run(&["sync"]).ok();
    assert_eq!(hub.live().len(), 1);
    hub.run(&["sync", "--check"]).ok();
}

#[test]
fn descriptions_may_have_lines_but_tables_stay_one_line_a_record() {
    let hub = Hub::up();
    hub.run(&["location", "add", "cafe", "--description", "two\nlines"]).ok();
    let list = hub.run(&["location", "list"]).ok().stdout;
    assert_eq!(list.lines().count(), 2, "{list}");
    assert!(list.contains("two lines"), "{list}");
}
