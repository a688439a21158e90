//! What a shell is told that completes a line. How the shells use it is in `tests/real/shells.rs`.

use crate::support::{Hub, tree};
use iwas_wg::{fsx::Lock, model::Caller};
use std::{fs, path::Path, time::Duration};

/// A hub with one location, asked by fish.
fn asked() -> Hub {
    asked_with(&["cafe-central"])
}

/// The same with these locations.
fn asked_with(names: &[&str]) -> Hub {
    let mut hub = Hub::up();
    for name in names {
        hub.run(&["location", "add", name, "--org", "acme"]).ok();
    }
    hub.vars.insert("IWAS_WG_ROOT".into(), hub.root().display().to_string());
    hub.vars.insert("IWAS_WG_COMPLETE".into(), "fish".into());
    hub
}

/// The candidates for the last of these words. Standard error must be empty.
#[track_caller]
fn candidates(hub: &Hub, words: &[&str]) -> Vec<String> {
    let run = hub.run(&[&["--", "iwas-wg"], words].concat()).ok();
    assert_eq!(run.stderr, "");
    run.stdout.lines().map(str::to_owned).collect()
}

const SHOW: &[&str] = &["location", "show", "ca"];
const FOUND: &[&str] = &["cafe-central\t10.0.0.2"];

#[test]
fn names_are_found_while_another_holds_the_lock() {
    let hub = asked();
    let path = hub.path("var/lib/iwas-wg/iwas-wg.lock");
    let _lock = Lock::acquire(&path, Duration::ZERO, "test", &mut |_| {}).expect("lock");
    let before = tree(hub.root());
    assert_eq!(candidates(&hub, SHOW), FOUND);
    assert_eq!(tree(hub.root()), before);
}

#[test]
fn an_older_store_is_left_as_it_is() {
    let hub = asked();
    let path = hub.path("var/lib/iwas-wg/iwas-wg.db");
    let mut bytes = fs::read(&path).expect("store");
    // SQLite keeps `user_version`, our schema's number, in these four bytes.
    bytes[60..64].copy_from_slice(&1u32.to_be_bytes());
    fs::write(&path, &bytes).expect("store");
    assert_eq!(candidates(&hub, SHOW), [""; 0]);
    assert!(fs::read(&path).expect("store") == bytes, "the store was changed");
}

#[test]
fn whatever_is_wrong_nothing_is_said() {
    let mut hub = asked();
    assert_eq!(candidates(&hub, SHOW), FOUND);
    assert_eq!(candidates(&hub, &["nonsense", "nonsense", "ca"]), [""; 0]);
    hub.vars.insert("IWAS_WG_COMPLETE".into(), "tcsh".into());
    let run = hub.run(&["--", "iwas-wg", ""]).code(1);
    assert_eq!((run.stdout, run.stderr), (String::new(), String::new()));
    hub.vars.insert("IWAS_WG_COMPLETE".into(), "bash".into());
    // Without the variables of bash it is no line.
    assert_eq!(candidates(&hub, SHOW), [""; 0]);
    hub.vars.insert("IWAS_WG_COMPLETE".into(), "fish".into());
    fs::write(hub.path("etc/iwas-wg/config.toml"), "nonsense").expect("settings");
    assert_eq!(candidates(&hub, SHOW), [""; 0]);
    assert_eq!(candidates(&hub, &["location", "sh"]), ["show\tShow one location, as of the last heartbeat"]);
    fs::remove_dir_all(hub.path("etc")).expect("remove");
    assert_eq!(candidates(&hub, SHOW), [""; 0]);
}

#[test]
fn the_line_says_which_hub_is_meant() {
    let (here, there) = (asked(), asked_with(&["cafe-central", "castle"]));
    let root = there.root().to_str().expect("path");
    let database = there.path("var/lib/iwas-wg/iwas-wg.db").display().to_string();
    let both = ["cafe-central\t10.0.0.2", "castle\t10.0.0.3"];
    assert_eq!(candidates(&here, SHOW), FOUND);
    assert_eq!(candidates(&here, &[&["--root", root], SHOW].concat()), both);
    assert_eq!(candidates(&here, &[&[&*format!("--root={root}")], SHOW].concat()), both);
    assert_eq!(candidates(&here, &["location", "show", "--database", &database, "ca"]), both);
    let config = Path::new(root).join("nowhere.toml").display().to_string();
    assert_eq!(candidates(&here, &[&["--config", &config], SHOW].concat()), [""; 0]);
    // Behind "--" it would be a name.
    assert_eq!(candidates(&here, &["status", "--", "--root", root, "ca"]), FOUND);
}

#[test]
fn a_person_behind_root_sees_their_locations_and_no_files() {
    let hub = asked();
    let file = hub.path("secret-file").display().to_string();
    fs::write(&file, "").expect("file");
    let begun = &file[..file.len() - 4];
    assert_eq!(candidates(&hub, &["backup", begun]), [file.as_str()]);
    *hub.caller.borrow_mut() =
        Caller { uid: 1000, user: "anna".into(), gids: vec![1000], via: Some("sudo"), ..Caller::root() };
    // Nothing is closed: a root shell is one, however it was come by.
    assert_eq!(candidates(&hub, &["backup", begun]), [file.as_str()]);
    let settings = hub.path("etc/iwas-wg/config.toml");
    let open = fs::read_to_string(&settings).expect("settings");
    for (org, found) in [("acme", FOUND), ("globex", &[])] {
        let grant = format!("[[access.grants]]\nuser = \"anna\"\nrole = \"viewer\"\norg = \"{org}\"\n");
        fs::write(&settings, open.clone() + &grant).expect("settings");
        assert_eq!(candidates(&hub, SHOW), found, "{org}");
        assert_eq!(candidates(&hub, &["backup", begun]), [""; 0]);
    }
    fs::write(&settings, "nonsense").expect("settings");
    assert_eq!(candidates(&hub, &["backup", begun]), [""; 0]);
}

/// Every argument of every command whose name says that it takes something known.
fn known_arguments(command: &clap::Command, path: &str, all: &mut Vec<(String, String)>) {
    for arg in command.get_arguments() {
        let value = arg.get_value_names().and_then(|n| n.first()).map_or("", |n| n.as_str());
        let flag = arg.get_long().map(|l| format!("--{l}"));
        if flag.is_none() && ["NAME", "OLD"].contains(&value) && path != "location add" {
            all.push((path.to_owned(), String::new()));
        }
        let takes = arg.get_action().takes_values();
        if let Some(flag) = flag.filter(|f| takes && ["--org", "--state", "--key-mode"].contains(&f.as_str()))
        {
            all.push((path.to_owned(), flag));
        }
    }
    for sub in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        known_arguments(sub, format!("{path} {}", sub.get_name()).trim(), all);
    }
}

#[test]
fn every_command_completes_names_owners_and_states() {
    let hub = asked();
    let mut all = Vec::new();
    known_arguments(&iwas_wg::cli::command(), "", &mut all);
    assert!(all.len() > 10, "the arguments were not found: {all:?}");
    for (path, flag) in all {
        let mut words: Vec<&str> = path.split(' ').chain([flag.as_str(), ""]).collect();
        words.dedup_by(|a, b| a.is_empty() && b.is_empty());
        let wanted = match flag.as_str() {
            "--org" => "acme",
            "--state" => "offline",
            "--key-mode" => "once",
            _ => FOUND[0],
        };
        let found = candidates(&hub, &words);
        assert!(found.iter().any(|c| c == wanted), "{words:?} completes to {found:?}");
    }
}
