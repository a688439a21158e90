//! `script render` as a command: kinds, whole fleets, templates, warnings.

use crate::support::Hub;
use serde_json::json;
use std::{fs, os::unix::fs::PermissionsExt};

#[test]
fn kinds_that_need_no_key_are_rendered_without_the_identity() {
    let hub = Hub::up();
    hub.add("cafe");
    fs::remove_file(hub.path("etc/iwas-wg/identity.txt")).expect("remove");
    for kind in ["remove", "check"] {
        let script = hub.run(&["script", "render", "cafe", "--kind", kind]).ok().stdout;
        assert!(script.contains(&format!("\"{kind}\" script of location \"cafe\"")), "{script}");
        assert!(!script.contains("iwKey"), "{kind} has a place for a key");
    }
    for kind in ["install", "rotate"] {
        assert_eq!(hub.run(&["script", "render", "cafe", "--kind", kind]).code, 7);
    }
    assert_eq!(hub.run(&["script", "render", "cafe", "--kind", "repair"]).code, 2);
}

#[test]
fn a_fleet_is_written_secret_file_by_file() {
    let hub = Hub::up();
    for name in ["a", "b"] {
        hub.add(name);
    }
    hub.run(&["location", "add", "once", "--key-mode", "once"]).ok();
    hub.run(&["location", "add", "later", "--no-provision"]).ok();
    hub.run(&["location", "add", "site.auto"]).ok();
    let dir = hub.path("scripts");
    let name = dir.to_str().expect("path");
    let run = hub.run(&["script", "render", "--all", "--scripts-dir", name]).ok();
    assert!(run.stdout.is_empty() && run.stderr.starts_with("wrote 3 scripts to "), "{run:?}");
    assert!(run.stderr.contains("warning: once: its private key was shown once and is not stored"));
    let mode = |path: &str| fs::metadata(dir.join(path)).expect(path).permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("a.rsc"), mode("b.rsc")), (0o700, 0o600, 0o600));
    assert_eq!(fs::read_dir(&dir).expect("directory").count(), 3);
    assert!(dir.join("site.auto-iwas.rsc").exists(), "a router would run the file by itself");
    let single = hub.run(&["script", "render", "a"]).ok().stdout;
    assert_eq!(fs::read_to_string(dir.join("a.rsc")).expect("script"), single);
    let report = hub
        .run(&["--json", "script", "render", "--all", "--scripts-dir", name, "--kind", "check"])
        .ok()
        .json();
    assert_eq!((report["written"].as_array().map(Vec::len), &report["skipped"]), (Some(4), &json!([])));
    hub.run(&["location", "remove", "once", "-y"]).ok();
    let all = hub.run(&["script", "render", "--all", "--stdout"]).ok().stdout;
    assert!(all.contains(&single) && all.contains("location \"b\""), "not every script is there");
    let one = hub.path("one");
    hub.run(&["script", "render", "a", "--scripts-dir", one.to_str().expect("path")]).ok();
    assert_eq!(fs::read_dir(&one).expect("directory").count(), 1);
    assert_eq!(hub.run(&["script", "render", "later", "--scripts-dir", name]).code, 3);
    assert_eq!(hub.run(&["script", "render"]).code, 2);
    assert_eq!(hub.run(&["script", "render", "a", "--all", "--scripts-dir", name]).code, 2);
}

#[test]
fn a_template_is_appended_with_quoted_values() {
    let hub = Hub::up();
    hub.run(&["location", "add", "cafe", "--description", "Ring \"1\" $x", "--tag", "city=Wien"]).ok();
    let file = hub.path("extra.rsc");
    let name = file.to_str().expect("path");
    fs::write(&file, "/system identity set name={{name}}\n/system note set note={{description}}\n")
        .expect("template");
    let script = hub.run(&["script", "render", "cafe", "--template", name]).ok().stdout;
    let own: Vec<&str> = script.lines().rev().take(2).collect();
    assert_eq!(own[1], "/system identity set name=\"cafe\"");
    assert_eq!(own[0], "/system note set note=\"Ring \\\"1\\\" \\$x\"");
    fs::write(&file, "/x y={{nonsense}}\n").expect("template");
    let run = hub.run(&["script", "render", "cafe", "--template", name]).code(2);
    assert!(run.error().0.contains("nonsense"), "{}", run.stderr);
    assert_eq!(hub.run(&["script", "render", "cafe", "--template", "/nonexistent"]).code, 2);
}

#[test]
fn a_key_into_a_public_file_is_warned_of_once() {
    let mut hub = Hub::up();
    hub.add("cafe");
    hub.terminal.stdout_is_public = true;
    let warning =
        "iwas-wg: warning: others can read the file or terminal that this private key goes to; use umask 077";
    for args in [&["script", "render", "cafe"][..], &["location", "add", "bar"]] {
        let run = hub.run(args).ok();
        assert_eq!(run.stderr.matches(warning).count(), 1, "{}", run.stderr);
    }
    for args in [&["script", "render", "cafe", "--kind", "check"][..], &["location", "list"]] {
        assert!(!hub.run(args).ok().stderr.contains("warning"), "{args:?}");
    }
}

#[test]
fn a_whole_fleet_is_printed_with_one_warning_and_without_what_is_lost() {
    let mut hub = Hub::up();
    for name in ["a", "b"] {
        hub.add(name);
    }
    hub.run(&["location", "add", "once", "--key-mode", "once"]).ok();
    hub.run(&["location", "add", "tower", "--key-mode", "router"]).ok();
    hub.run(&["location", "add", "later", "--no-provision"]).ok();
    hub.terminal.stdout_is_public = true;
    let run = hub.run(&["script", "render", "--all", "--stdout"]).ok();
    for (name, count) in [("a", 1), ("b", 1), ("tower", 1), ("once", 0), ("later", 0)] {
        let head = format!("\"install\" script of location \"{name}\"");
        assert_eq!(run.stdout.matches(&head).count(), count, "{name}");
    }
    assert_eq!(run.stderr.matches("others can read").count(), 1, "{}", run.stderr);
    assert!(run.stderr.contains("warning: once: its private key was shown once and is not stored"));

    // One object, as everywhere; what the hub does not have is null.
    for args in
        [&["script", "render", "--all", "--format", "json"][..], &["--json", "script", "render", "--all"]]
    {
        let run = hub.run(args).ok();
        let scripts = run.json()["scripts"].as_array().expect("scripts").clone();
        let names: Vec<&str> = scripts.iter().filter_map(|s| s["name"].as_str()).collect();
        assert_eq!(names, ["a", "b", "once", "tower"]);
        let has_key: Vec<bool> = scripts.iter().map(|s| s["private_key"].is_string()).collect();
        assert_eq!(has_key, [true, true, false, false]);
        assert_eq!(run.stderr.matches("others can read").count(), 1, "{}", run.stderr);
    }
}

#[test]
fn a_router_that_is_to_make_its_own_key_gets_its_script_with_the_fleet() {
    let hub = Hub::up();
    let printed = hub.run(&["location", "add", "tower", "--key-mode", "router"]).ok().stdout;
    let dir = hub.path("scripts");
    hub.run(&["script", "render", "--all", "--scripts-dir", dir.to_str().expect("path")]).ok();
    assert_eq!(fs::read_to_string(dir.join("tower.rsc")).expect("script"), printed);
}

#[test]
fn wg_quick_has_one_kind_only() {
    let hub = Hub::up();
    hub.add("laptop");
    let run = hub.run(&["script", "render", "laptop", "--format", "wg-quick", "--kind", "remove"]).code(2);
    assert_eq!(
        run.error(),
        ("iwas-wg: there is no remove file for wg-quick", "hint: leave out --kind, or --format")
    );
}

#[test]
fn a_spoke_that_is_no_router_gets_a_wg_quick_file() {
    let hub = Hub::up();
    hub.add("laptop");
    let conf = hub.run(&["script", "render", "laptop", "--format", "wg-quick"]).ok().stdout;
    for line in ["[Interface]", "[Peer]", "Endpoint = vpn.example.com:51820", "PersistentKeepalive = 25"] {
        assert!(conf.lines().any(|l| l == line), "{line} is not in\n{conf}");
    }
}

#[test]
fn the_reach_of_a_router_is_the_same_in_json_and_script() {
    let hub = Hub::up();
    hub.add("cafe");
    for (reach, allowed, prefix) in
        [("any", "0.0.0.0/0", 24), ("network", "10.0.0.0/24", 24), ("hub", "10.0.0.1/32", 32)]
    {
        hub.edit_settings("[router]\n", &format!("[router]\nreach = \"{reach}\"\n"));
        let report = hub.run(&["script", "render", "cafe", "--format", "json"]).ok().json();
        assert_eq!(
            (&report["allowed_address"], &report["prefix_length"]),
            (&json!([allowed]), &json!(prefix))
        );
        let script = hub.run(&["script", "render", "cafe"]).ok().stdout;
        assert!(script.contains(&format!(":local iwAllow \"{allowed}\"\n")), "{reach}");
        assert!(script.contains(&format!(":local iwAddr \"10.0.0.2/{prefix}\"\n")), "{reach}");
        hub.edit_settings(&format!("reach = \"{reach}\"\n"), "");
    }
}
