//! `init`, `up` and `down`.

use crate::support::{Hub, tree};
use std::{fs, os::unix::fs::PermissionsExt};

fn mode(hub: &Hub, path: &str) -> u32 {
    fs::metadata(hub.path(path)).expect(path).permissions().mode() & 0o777
}

#[test]
fn init_makes_every_file_with_its_mode() {
    let hub = Hub::with_network("10.0.0.0/24");
    for (path, expected) in [
        ("etc/iwas-wg/config.toml", 0o644),
        ("etc/iwas-wg/identity.txt", 0o600),
        ("var/lib/iwas-wg", 0o700),
        ("var/lib/iwas-wg/iwas-wg.db", 0o600),
        ("etc/wireguard/wg0.conf", 0o600),
    ] {
        assert_eq!(mode(&hub, path), expected, "{path}");
    }
    let conf = hub.conf();
    for line in ["[Interface]", "Address = 10.0.0.1/24", "ListenPort = 51820", "Table = off"] {
        assert!(conf.lines().any(|l| l == line), "{line} is not in\n{conf}");
    }
    let identity = fs::read_to_string(hub.path("etc/iwas-wg/identity.txt")).expect("identity");
    let recipient = identity.lines().find_map(|l| l.strip_prefix("# public key: ")).expect("recipient");
    let settings = fs::read_to_string(hub.path("etc/iwas-wg/config.toml")).expect("settings");
    assert!(settings.contains(&format!("recipients = [\"{recipient}\"]")), "{settings}");
}

#[test]
fn a_second_init_says_what_exists_and_changes_nothing() {
    let hub = Hub::with_network("10.0.0.0/24");
    let before = tree(hub.root());
    let run = hub.run(&["init", "--endpoint", "other.example.com"]).code(4);
    let (error, hint) = run.error();
    for file in ["config.toml", "iwas-wg.db", "identity.txt", "wg0.conf"] {
        assert!(error.contains(file), "{error}");
    }
    assert_eq!(
        hint,
        "hint: nothing was changed; use --root for another hub, --adopt for a conf that is in use, or move the files away"
    );
    assert_eq!(tree(hub.root()), before);
}

#[test]
fn init_leaves_a_conf_that_is_already_there_alone() {
    let hub = Hub::empty();
    fs::create_dir_all(hub.path("etc/wireguard")).expect("directory");
    fs::write(hub.path("etc/wireguard/wg0.conf"), "[Interface]\n").expect("conf");
    let before = tree(hub.root());
    let run = hub.run(&["init"]).code(4);
    assert!(run.error().0.ends_with("etc/wireguard/wg0.conf exists"), "{}", run.stderr);
    assert_eq!(tree(hub.root()), before);
}

#[test]
fn an_init_that_fails_half_way_leaves_nothing_behind() {
    let hub = Hub::empty();
    fs::create_dir_all(hub.path("var/lib")).expect("directory");
    // The store's directory cannot be made: there is a file in its place.
    fs::write(hub.path("var/lib/iwas-wg"), "in the way").expect("file");
    let before = tree(hub.root());
    assert_ne!(hub.run(&["init"]).code, 0);
    assert_eq!(tree(hub.root()), before);
}

#[test]
fn a_dry_run_of_init_makes_nothing() {
    let hub = Hub::empty();
    let run = hub.run(&["init", "-n", "--endpoint", "vpn.example.com"]).ok();
    assert!(run.stderr.starts_with("would create "), "{}", run.stderr);
    assert!(tree(hub.root()).is_empty());
}

#[test]
fn up_sets_everything_and_a_second_up_nothing() {
    let hub = Hub::up();
    let key = hub.add("cafe");
    hub.run(&["down"]).ok();
    assert!(hub.device().interface.is_none());
    hub.device().applied.clear();
    hub.run(&["up"]).ok();
    {
        let state = hub.device();
        let live = state.interface.as_ref().expect("interface");
        assert!(live.up);
        assert_eq!(live.listen_port, Some(51820));
        assert_eq!(live.addresses[0].to_string(), "10.0.0.1/24");
        assert_eq!(state.applied.len(), 1);
    }
    assert_eq!(hub.live(), [(key, "10.0.0.2/32".into())]);
    let report = hub.run(&["--json", "up"]).ok().json();
    assert_eq!((report["changed"].as_bool(), report["action"].as_str()), (Some(false), Some("unchanged")));
    assert_eq!(hub.device().applied.len(), 1, "a second up touched the interface");
}

#[test]
fn down_twice_is_no_failure() {
    let hub = Hub::up();
    assert_eq!(hub.run(&["--json", "down"]).ok().json()["changed"], true);
    assert_eq!(hub.run(&["--json", "down"]).ok().json()["changed"], false);
}

#[test]
fn up_without_an_interface_to_bring_up_is_told() {
    let hub = Hub::with_network("10.0.0.0/24");
    hub.edit_settings("backend     = \"auto\"", "backend = \"none\"");
    let run = hub.run(&["up"]).code(6);
    assert_eq!(run.error().0, "iwas-wg: hub.backend is \"none\": this hub has no interface");
}

#[test]
fn a_lost_conf_is_written_again_from_the_sealed_key() {
    let hub = Hub::up();
    hub.add("cafe");
    let before = hub.conf();
    fs::remove_file(hub.path("etc/wireguard/wg0.conf")).expect("remove");
    hub.run(&["sync"]).ok();
    assert_eq!(hub.conf(), before);
}
