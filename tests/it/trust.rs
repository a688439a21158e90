//! Files that commands believe: none of them may be changed by another user.

use crate::support::{Hub, person};
use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("chmod");
}

/// A hub whose heartbeat starts a program that leaves a mark, and has something to tell it.
fn alarmed() -> Hub {
    let hub = Hub::up();
    hub.add("cafe");
    let mark = hub.path("ran");
    let program = hub.path("notify");
    fs::write(&program, format!("#!/bin/sh\ntouch {}\n", mark.display())).expect("program");
    set(&program, 0o755);
    hub.edit_settings("[heartbeat]", &format!("[heartbeat]\non_change = [\"{}\"]\n", program.display()));
    hub
}

/// Lets the site of [`alarmed`] come online, and runs a heartbeat.
fn alarm(hub: &Hub) -> crate::support::Run {
    let key = hub.live()[0].0.clone();
    hub.shake(&key, 5);
    hub.run(&["heartbeat"])
}

#[test]
fn nothing_is_believed_or_run_from_files_that_others_can_change() {
    for (file, mode) in [
        ("etc/iwas-wg/config.toml", 0o666),
        ("etc/iwas-wg", 0o777),
        ("etc", 0o777),
        ("var/lib/iwas-wg/iwas-wg.db", 0o606),
        ("var/lib/iwas-wg", 0o703),
    ] {
        let hub = alarmed();
        set(&hub.path(file), mode);
        for words in [&["heartbeat"][..], &["status"], &["location", "add", "kiosk"], &["sync"]] {
            let run = hub.run(words).code(6);
            let (error, hint) = run.error();
            let path = hub.path(file);
            assert!(error.contains(&format!("can change {}", path.display())), "{error}");
            assert!(error.contains(&format!("mode {mode:04o}")), "{error}");
            assert_eq!(hint, format!("hint: chmod go-w {}", path.display()));
        }
        alarm(&hub).code(6);
        assert!(!hub.path("ran").exists(), "{file}: ran on_change");
        let report = hub.run(&["--json", "doctor"]).code(5).stdout;
        assert!(report.contains(&format!("mode {mode:04o}")), "{report}");
        // The remedy is obeyed, and all is well.
        let before = hub.path(file).metadata().expect("metadata").permissions().mode();
        set(&hub.path(file), before & !0o022);
        alarm(&hub).ok();
        assert!(hub.path("ran").exists(), "{file}: on_change was not run");
    }
}

#[test]
fn settings_behind_a_link_are_as_good_as_where_they_are() {
    let hub = alarmed();
    let (config, open) = (hub.path("etc/iwas-wg/config.toml"), hub.path("open"));
    fs::create_dir(&open).expect("directory");
    fs::rename(&config, open.join("c.toml")).expect("rename");
    symlink(open.join("c.toml"), &config).expect("link");
    hub.run(&["status"]).ok();
    set(&open, 0o777);
    let e = hub.run(&["status"]).code(6);
    assert!(e.error().0.contains(&format!("can change {}", open.display())), "{e:?}");
}

#[test]
fn a_program_that_others_can_change_is_not_started() {
    let hub = alarmed();
    set(&hub.path("notify"), 0o777);
    let run = alarm(&hub).ok();
    assert!(run.stderr.contains("is not started: cannot trust"), "{run:?}");
    assert!(!hub.path("ran").exists(), "it was run");
    let report = hub.run(&["doctor"]).code(5).stdout;
    assert!(report.contains("fault    on-change  heartbeat.on_change is not started"), "{report}");
}

#[test]
fn an_identity_that_others_can_change_opens_nothing_and_a_readable_one_is_a_fault() {
    let hub = Hub::up();
    hub.add("cafe");
    let identity = hub.path("etc/iwas-wg/identity.txt");
    set(&identity, 0o622);
    let e = hub.run(&["script", "render", "cafe"]).code(6);
    assert!(e.error().0.contains("others than"), "{e:?}");
    set(&identity, 0o644);
    hub.run(&["script", "render", "cafe"]).ok();
    let report = hub.run(&["doctor"]).code(5).stdout;
    let said = format!("fault    identity   others can read {}", identity.display());
    assert!(report.contains(&said), "{report}");
}

#[test]
fn a_template_that_others_can_change_is_no_template() {
    let hub = Hub::up();
    hub.add("cafe");
    let template = hub.path("more.rsc");
    fs::write(&template, ":put 1\n").expect("template");
    let render = || hub.run(&["script", "render", "cafe", "--template", template.to_str().expect("path")]);
    render().ok();
    set(&template, 0o666);
    render().code(6);
}

#[test]
fn a_hub_is_not_made_where_others_can_replace_it() {
    let hub = Hub::empty();
    fs::create_dir(hub.path("etc")).expect("directory");
    set(&hub.path("etc"), 0o777);
    let run = hub.run(&["init", "--endpoint", "vpn.example.com"]).code(6);
    assert!(run.error().0.contains("can change"), "{run:?}");
    assert_eq!(fs::read_dir(hub.path("etc")).expect("etc").count(), 0);
}

#[test]
fn a_person_behind_root_may_nothing_without_settings_but_make_them() {
    let mut hub = Hub::empty();
    let mine = Hub::up();
    *hub.caller.borrow_mut() = person("viewer").expect("person");
    hub.vars.insert("IWAS_WG_ROOT".into(), mine.root().display().to_string());
    let config = hub.path("etc/iwas-wg/config.toml");
    let out = hub.path("page.html");
    let out = out.to_str().expect("path");
    let said = format!(
        "iwas-wg: there are no settings at {} that say what user \"viewer\" may do as root",
        config.display()
    );
    for words in [
        &["heartbeat"][..],
        &["status"],
        &["report", "--html", out],
        &["generate", "man", out],
        &["backup", out],
        &["restore", out, "--yes"],
        &["access", "whoami"],
    ] {
        let run = hub.run(words).code(7);
        assert_eq!(run.error(), (said.as_str(), "hint: run \"iwas-wg init\" as root first"), "{words:?}");
    }
    assert!(!Path::new(out).exists());
    let mine_config = mine.path("etc/iwas-wg/config.toml");
    let (mine, mine_config) = (mine.root().to_str().expect("path"), mine_config.to_str().expect("path"));
    for (flag, value) in [("--root", mine), ("--config", mine_config), ("--database", mine_config)] {
        for words in [&["location", "list"][..], &["heartbeat"], &["init"]] {
            let words: Vec<&str> = [flag, value].into_iter().chain(words.iter().copied()).collect();
            let run = hub.run_elsewhere(&words).code(7);
            assert_eq!(run.error().0, format!("iwas-wg: {flag} is not for user \"viewer\""), "{words:?}");
        }
    }
    hub.run(&["init", "--endpoint", "vpn.example.com", "--backend", "none"]).ok();
    hub.run(&["location", "list"]).ok();
}
