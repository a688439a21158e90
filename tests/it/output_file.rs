//! `-o FILE`: what would go to standard output goes to a file, whole or not at all.

use crate::support::Hub;
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("file").permissions().mode() & 0o777
}

#[test]
fn every_script_goes_to_a_file_that_only_its_owner_reads() {
    let hub = Hub::up();
    hub.run(&["location", "add", "kiosk", "--no-provision"]).ok();
    for (n, args) in [
        &["location", "add", "cafe"][..],
        &["peer", "provision", "kiosk"],
        &["script", "render", "cafe"],
        &["script", "render", "cafe", "--format", "wg-quick"],
        &["script", "render", "cafe", "--format", "json"],
        &["script", "render", "--all"],
        &["peer", "rotate", "cafe"],
        &["peer", "rotate", "cafe"],
    ]
    .into_iter()
    .enumerate()
    {
        let file = hub.path(&format!("{n}.rsc"));
        let name = file.to_str().expect("path");
        // A file that everybody could read before.
        fs::write(&file, "old").expect("file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("mode");
        let run = hub.run(&[args, &["-o", name]].concat()).ok();
        assert_eq!(run.stdout, "", "{args:?}");
        assert!(!run.stderr.contains("warning"), "{args:?}: {}", run.stderr);
        assert_eq!(mode(&file), 0o600, "{args:?}");
        assert!(fs::read_to_string(&file).expect("file").len() > 100, "{args:?}");
    }
    let check = hub.path("check.rsc");
    hub.run(&["script", "render", "kiosk", "--kind", "check", "-o", check.to_str().expect("path")]).ok();
    assert_eq!(mode(&check), 0o644, "there is no key in it");
    for (form, beginning) in [("html", "<!DOCTYPE html>"), ("csv", ""), ("json", "{"), ("table", "")] {
        for command in ["report", "history"] {
            let file = hub.path(&format!("{command}.{form}"));
            let name = file.to_str().expect("path");
            hub.run(&[command, "--output", form, "-o", name]).ok();
            let text = fs::read_to_string(&file).expect("file");
            assert!(!text.is_empty() && text.starts_with(beginning), "{command} {form}: {text}");
            assert_eq!(hub.run(&[command, "--output", form]).ok().stdout, text);
        }
    }
}

#[test]
fn a_failure_leaves_the_file_as_it_was_and_a_wrong_file_changes_nothing() {
    let hub = Hub::up();
    let file = hub.path("cafe.rsc");
    let name = file.to_str().expect("path");
    hub.run(&["location", "add", "cafe", "-o", name]).ok();
    let before = fs::read(&file).expect("file");
    hub.run(&["location", "add", "cafe", "-o", name]).code(4);
    hub.run(&["location", "add", "new", "-n", "-o", name]).ok();
    hub.run(&["script", "render", "nobody", "-o", name]).code(3);
    hub.run(&["location", "add", "cafe", "--if-not-exists", "-o", name]).ok();
    assert_eq!(fs::read(&file).expect("file"), before);
    let nowhere = hub.path("nowhere/x.rsc");
    let sites = || hub.run(&["location", "list", "-o", "name"]).ok().stdout;
    for (wrong, hint) in [
        (nowhere.to_str().expect("path"), "hint: make its directory first, or name another place"),
        ("/dev/null", "hint: name a plain file"),
        (hub.root().to_str().expect("path"), "hint: name a plain file"),
    ] {
        let run = hub.run(&["location", "add", "shop", "-o", wrong]).code(1);
        assert_eq!(run.error().1, hint);
    }
    assert_eq!(sites(), "cafe\n");
    // What is committed has its script, even if the interface is not in line.
    hub.device().broken = true;
    let late = hub.path("late.rsc");
    hub.run(&["location", "add", "late", "-o", late.to_str().expect("path")]).code(9);
    assert!(fs::read_to_string(&late).expect("script").contains("private-key"));
}

#[test]
fn the_scripts_of_all_are_not_poured_out_by_accident() {
    let hub = Hub::up();
    hub.add("cafe");
    let run = hub.run(&["script", "render", "--all"]).code(2);
    assert_eq!(
        run.error(),
        (
            "iwas-wg: --all would print the private key of every router",
            "hint: write files with --scripts-dir DIR, or say --stdout"
        )
    );
    assert!(hub.run(&["script", "render", "--all", "--stdout"]).ok().stdout.contains("private-key"));
    let dir = hub.path("scripts");
    hub.run(&["script", "render", "--all", "--scripts-dir", dir.to_str().expect("path")]).ok();
}

#[test]
fn the_header_names_the_file_that_is_written() {
    let hub = Hub::up();
    let dir = hub.path("scripts");
    for name in ["auto", "site.auto", "cafe"] {
        hub.add(name);
    }
    for kind in ["install", "check", "remove"] {
        hub.run(&["script", "render", "--all", "--kind", kind, "--scripts-dir", dir.to_str().expect("path")])
            .ok();
    }
    let mut seen = Vec::new();
    for entry in fs::read_dir(&dir).expect("directory") {
        let path = entry.expect("entry").path();
        let name = path.file_name().expect("name").to_str().expect("text").to_owned();
        let text = fs::read_to_string(&path).expect("script");
        assert!(text.contains(&format!("import file-name=\"{name}\"\n")), "{name}: {text}");
        seen.push(name);
    }
    assert_eq!(seen.len(), 9, "{seen:?}");
}
