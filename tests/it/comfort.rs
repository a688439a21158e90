//! Columns of one's choice, all keys in one go, and editing in an editor.

use crate::support::Hub;
use serde_json::json;
use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    process::{Command, Output, Stdio},
};

#[test]
fn a_listing_has_the_columns_that_were_asked_for() {
    let hub = Hub::up();
    let key = hub.add("cafe");
    let list = hub.run(&["location", "list", "--columns", "public-key,name"]).ok().stdout;
    let cells = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<_> = list.lines().map(cells).collect();
    assert_eq!(lines, [["PUBLIC-KEY", "NAME"], [key.as_str(), "cafe"]]);
    let plain = hub.run(&["location", "list"]).ok().stdout;
    assert!(!plain.contains("PUBLIC-KEY"), "{plain}");
    let status = hub.run(&["status", "--columns", "state,name"]).ok().stdout;
    assert_eq!(status.lines().skip(1).map(cells).collect::<Vec<_>>(), [["STATE", "NAME"], ["never", "cafe"]]);
    let peers = hub.run(&["peer", "list", "--columns", "allowed-ips,public-key"]).ok().stdout;
    assert_eq!(peers.lines().nth(1).map(cells), Some(vec!["10.0.0.2/32".to_owned(), key]));
    let report = hub.run(&["report", "--columns", "outages,name"]).ok().stdout;
    assert_eq!(report.lines().last().map(cells), Some(vec!["0".to_owned(), "cafe".to_owned()]));
    let audit = hub.run(&["audit", "list", "--columns", "action,location"]).ok().stdout;
    assert_eq!(audit.lines().last().map(cells), Some(vec!["location".into(), "add".into(), "cafe".into()]));
    let tables = ["location list", "status", "peer list", "report", "audit list"];
    for command in tables.map(|words| words.split(' ').collect::<Vec<_>>()) {
        let run = hub.run(&[&command[..], &["--columns", "adress"]].concat()).code(2);
        let (message, hint) = run.error();
        assert_eq!(message, "iwas-wg: column \"adress\" is not one of the table");
        let known = hint == "hint: did you mean \"address\"?" || hint.starts_with("hint: use some of n");
        assert!(known, "{command:?}: {hint}");
    }
}

#[test]
fn all_waiting_locations_get_their_keys_at_once() {
    let hub = Hub::up();
    hub.add("there");
    for name in ["a", "b"] {
        hub.run(&["location", "add", name, "--no-provision"]).ok();
    }
    hub.run(&["location", "add", "c", "--no-provision", "--vpn-ip", "10.0.0.3"]).ok();
    hub.run(&["location", "add", "own", "--key-mode", "router"]).ok();
    let dir = hub.path("scripts");
    let args = ["peer", "provision", "--all", "--scripts-dir", dir.to_str().expect("path")];
    let dry = hub.run(&[&args[..], &["-n"]].concat()).ok();
    assert!(dry.stderr.contains("would provision a at 10.0.0.5 (key mode stored)"), "{dry:?}");
    assert!(!dir.exists());
    let applied = hub.device().applied.len();
    let report = hub.run(&[&["--json"], &args[..]].concat()).ok().json();
    assert_eq!(
        (&report["action"], &report["updated"], &report["unchanged"]),
        (&json!("provisioned"), &json!(["a", "b", "c"]), &json!(["own"]))
    );
    assert_eq!(hub.device().applied.len(), applied + 1, "the interface was changed more than once");
    let held: Vec<_> = ["a", "b", "c"]
        .iter()
        .map(|n| hub.run(&["--json", "location", "show", n]).ok().json()["location"]["vpn_ip"].clone())
        .collect();
    assert_eq!(held, ["10.0.0.5", "10.0.0.6", "10.0.0.3"]);
    assert_eq!(fs::metadata(dir.join("a.rsc")).expect("script").permissions().mode() & 0o777, 0o600);
    assert_eq!(hub.run(&[&["--json"], &args[..]].concat()).ok().json()["changed"], false);
    hub.run(&["location", "add", "d", "--no-provision", "--key-mode", "once"]).ok();
    let run = hub.run(&["peer", "provision", "--all"]).code(2);
    assert_eq!(run.error().0, "iwas-wg: the key of \"d\" is of the mode \"once\"");
    hub.run(&["peer", "provision", "a", "--all"]).code(2);
}

#[test]
fn an_organization_that_nobody_is_of_may_be_another() {
    let hub = Hub::up();
    hub.run(&["location", "add", "cafe", "--org", "acme"]).ok();
    hub.run(&["location", "add", "shop", "--org", "umbrella"]).ok();
    for (noun, words) in [
        ("locations", &["location", "list"][..]),
        ("peers", &["peer", "list"]),
        ("", &["status"]),
        ("", &["report"]),
        ("", &["history"]),
        ("", &["location", "export"]),
        ("", &["inventory", "--list"]),
    ] {
        let run = |org: &str| hub.run(&[words, &["--org", org, "--state", "online"]].concat());
        let refused = run("acmee").code(3);
        let message = "iwas-wg: no location belongs to the organization \"acmee\"";
        assert_eq!(refused.error(), (message, "hint: did you mean --org \"acme\"?"), "{words:?}");
        let refused = run("zzz").code(3);
        let hint = "hint: \"iwas-wg location list --columns name,org\" shows the organizations";
        assert_eq!(refused.error().1, hint, "{words:?}");
        if !noun.is_empty() {
            assert_eq!(run("acme").ok().stderr, format!("no {noun}\n"), "the organization is right");
        }
    }
    let run = hub.run(&["check", "--org", "acmee"]).code(3);
    assert!(run.stdout.contains("UNKNOWN"), "{}", run.stdout);
    let status = hub.run(&["status", "--org", "acme"]).ok().stdout;
    let counts = "0 online, 0 offline, 2 never seen, 0 disabled, 0 unprovisioned";
    assert!(
        status.contains(&format!("1 never seen, 0 disabled, 0 unprovisioned (live; in all: {counts})")),
        "{status}"
    );
}

#[test]
fn several_tags_in_one_word_are_taken_for_a_mistake() {
    let hub = Hub::up();
    for args in [&["location", "add", "cafe"][..], &["location", "list"], &["status"]] {
        let run = hub.run(&[args, &["--tag", "city=vienna,floor=2"]].concat()).code(2);
        let message = "iwas-wg: tag \"city=vienna,floor=2\" is several tags in one";
        assert_eq!(run.error(), (message, "hint: give each its own: --tag city=vienna --tag floor=2"));
    }
    hub.run(&["location", "add", "cafe", "--tag", "cities=vienna,graz"]).ok();
}

#[test]
fn a_user_beside_roots_hub_is_not_led_to_a_second_one() {
    let hub = Hub::up();
    let home = hub.path("home").display().to_string();
    let user = |args: &[&str]| {
        hub.run_bare(args, |env| {
            env.is_root = false;
            env.vars = [("HOME".to_owned(), home.clone())].into();
        })
    };
    let config = hub.path("etc/iwas-wg/config.toml");
    for args in [
        &["status"][..],
        &["location", "list"],
        &["location", "add", "cafe"],
        &["doctor"],
        &["sync"],
        &["restore", "/x"],
        &["init"],
        &["init", "--adopt"],
    ] {
        let run = user(args).code(7);
        let message = format!("iwas-wg: the hub here is root's ({})", config.display());
        let hint = "hint: use sudo, or name a hub of your own with --root";
        assert_eq!(run.error(), (message.as_str(), hint), "{args:?}");
    }
    assert!(!hub.path("home").exists());
    // Who names a hub of their own, or has one, means that one.
    let own = hub.path("own").display().to_string();
    user(&["--root", &own, "init", "--backend", "none"]).ok();
    user(&["--root", &own, "status"]).ok();
    fs::remove_file(config).expect("remove");
    user(&["init", "--backend", "none"]).ok();
    user(&["status"]).ok();
}

/// Runs `location edit cafe` on a terminal of its own, with this script as the editor.
fn edit(hub: &Hub, script: &str, typed: &str) -> Output {
    const ON_A_TERMINAL: &str =
        "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let editor = hub.path("editor");
    fs::write(&editor, format!("#!/bin/sh\n{script}\n")).expect("editor");
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o700)).expect("mode");
    let mut child = Command::new("python3")
        .args(["-c", ON_A_TERMINAL, env!("CARGO_BIN_EXE_iwas-wg"), "--root"])
        .arg(hub.root())
        .args(["location", "edit", "cafe"])
        .env("EDITOR", &editor)
        .env_remove("VISUAL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3");
    child.stdin.take().expect("input").write_all(typed.as_bytes()).expect("type");
    child.wait_with_output().expect("wait")
}

#[test]
fn a_location_is_edited_in_an_editor() {
    let hub = Hub::up();
    hub.run(&["location", "add", "cafe", "--org", "acme", "--tag", "city=vienna"]).ok();
    let shown = |hub: &Hub| hub.run(&["--json", "location", "show", "cafe"]).ok().json()["location"].clone();
    let before = shown(&hub);

    let run = edit(&hub, "grep -q '^org = \"acme\"$' \"$1\"", "");
    assert!(run.status.success(), "{run:?}");
    assert_eq!(shown(&hub), before, "an editor that changed nothing changed something");
    // A wrong value is told, and what was there stays.
    let run = edit(&hub, "sed -i 's/acme/ acme/' \"$1\"", "n\n");
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert_eq!(run.status.code(), Some(2), "{said}");
    assert!(said.contains("org \" acme\" begins or ends with a space"), "{said}");
    assert_eq!(shown(&hub), before);
    let run = edit(&hub, "exit 3", "");
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    assert_eq!(shown(&hub), before);

    let run = edit(&hub, "sed -i -e 's/acme/umbrella/' -e 's/vienna/graz/' \"$1\"", "");
    assert!(run.status.success(), "{run:?}");
    let after = shown(&hub);
    assert_eq!((&after["org"], &after["tags"]), (&json!("umbrella"), &json!({"city": "graz"})));
    assert_eq!(after["vpn_public_key"], before["vpn_public_key"]);
}

#[test]
fn nobody_edits_without_a_terminal_or_over_another_ones_change() {
    let hub = Hub::up();
    hub.run(&["location", "add", "cafe", "--org", "acme"]).ok();
    let run = hub.run(&["location", "edit", "cafe"]).code(2);
    assert_eq!(
        run.error(),
        ("iwas-wg: there is no terminal to edit on", "hint: use \"iwas-wg location set cafe\"")
    );
    let meanwhile = format!(
        "sed -i s/acme/umbrella/ \"$1\"; '{}' --root '{}' location set cafe --tag a=b",
        env!("CARGO_BIN_EXE_iwas-wg"),
        hub.root().display()
    );
    let run = edit(&hub, &meanwhile, "");
    assert_eq!(run.status.code(), Some(4), "{run:?}");
    let l = hub.run(&["--json", "location", "show", "cafe"]).ok().json()["location"].clone();
    assert_eq!((&l["org"], &l["tags"]), (&json!("acme"), &json!({"a": "b"})));
}
