//! `config`: one key at a time, all else as it was.

use crate::support::Hub;
use std::{fs, os::unix::fs::PermissionsExt};

#[test]
fn a_key_is_set_and_everything_else_stays_as_it_was() {
    let hub = Hub::up();
    let path = hub.path("etc/iwas-wg/config.toml");
    let own =
        "\n# who may what\n[[access.grants]]\nuser = \"anna\" # on call\nrole = \"viewer\"\norg = \"acme\"\n";
    let text = fs::read_to_string(&path).expect("settings") + own;
    fs::write(&path, &text).expect("settings");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("mode");
    let get = |key: &str| hub.run(&["config", "get", key]).ok().stdout;

    hub.run(&["config", "set", "hub.endpoint", "hub.example.org"]).ok();
    assert_eq!(get("hub.endpoint"), "hub.example.org\n");
    let now = fs::read_to_string(&path).expect("settings");
    assert_eq!(now, text.replace("\"vpn.example.com\"", "\"hub.example.org\""));
    assert_eq!(fs::metadata(&path).expect("settings").permissions().mode() & 0o777, 0o640);
    for (key, value) in [
        ("hub.listen_port", "51821"),
        ("heartbeat.on_change", "[\"/bin/true\", \"-x\"]"),
        ("keys.rotate_timeout", "2w"),
        ("keys.preshared", "true"),
        ("router.keepalive", "0"),
    ] {
        let default = get(key);
        hub.run(&["config", "set", key, value]).ok();
        assert_eq!(get(key), format!("{value}\n"), "{key}");
        assert_eq!(hub.run(&["--json", "config", "set", key, value]).ok().json()["changed"], false);
        if key != "hub.listen_port" {
            hub.run(&["config", "unset", key]).ok();
            assert_eq!(get(key), default);
        }
    }
    assert!(fs::read_to_string(&path).expect("settings").ends_with(own), "the grants are gone");
    assert_eq!(hub.run(&["config", "path"]).ok().stdout, format!("{}\n", path.display()));
    hub.run(&["config", "check"]).ok();
    hub.run(&["status"]).ok();
}

#[test]
fn what_is_not_right_is_not_written() {
    let hub = Hub::up();
    let path = hub.path("etc/iwas-wg/config.toml");
    let before = fs::read(&path).expect("settings");
    for (args, message) in [
        (&["set", "hub.endpiont", "x"][..], "iwas-wg: unknown setting \"hub.endpiont\""),
        (&["get", "endpoint"], "iwas-wg: unknown setting \"endpoint\""),
        (&["set", "hub.listen_port", "70000"], "70000"),
        (&["set", "hub.listen_port", "many"], "must be a number"),
        (&["set", "hub.network", "10.0.0.0/40"], "10.0.0.0/40"),
        (&["set", "heartbeat.offline_after", "-1"], "-1"),
    ] {
        let run = hub.run(&[&["config"], args].concat()).code(2);
        assert!(run.error().0.contains(message), "{args:?}: {}", run.stderr);
        assert_eq!(fs::read(&path).expect("settings"), before);
    }
    let run = hub.run(&["config", "set", "hub.endpiont", "x"]).code(2);
    assert_eq!(run.error().1, "hint: did you mean \"hub.endpoint\"?");
    // A file that no other command takes is mended by the one that changes it.
    hub.edit_settings("listen_port = 51820", "listen_port = 99999");
    hub.run(&["config", "check"]).code(6);
    hub.run(&["config", "set", "hub.listen_port", "51820"]).ok();
    hub.run(&["config", "check"]).ok();
}
