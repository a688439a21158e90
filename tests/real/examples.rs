//! The scripts in `examples/` do what their first lines say, on a real hub.

use crate::{
    bench::{missing, ready, run, skip},
    hub::{HUB_VPN_IP, Hub, Run},
    netns::Net,
    router::Router,
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

/// Runs an example in the hub's namespace with the program in PATH, as the shell of cron does.
fn example(hub: &Hub, script: &str, arguments: &[&str]) -> Run {
    let program = Path::new(env!("CARGO_BIN_EXE_iwas-wg"));
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", program.parent().expect("directory").display());
    let mut command = hub.space.command("/usr/bin/env");
    command.args(hub.vars.iter().map(|(name, value)| format!("{name}={value}")));
    command.arg(format!("PATH={path}")).arg(format!("IWAS_WG_ROOT={}", hub.root().display()));
    command.arg("sh").arg(Path::new(PROJECT).join("examples").join(script)).args(arguments);
    let output = command.stdin(Stdio::null()).output().expect("start env");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn names_in(directory: &Path) -> Vec<String> {
    let mut all: Vec<String> = fs::read_dir(directory)
        .expect("directory")
        .map(|e| e.expect("entry").file_name().to_string_lossy().into_owned())
        .collect();
    all.sort();
    all
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("metadata").permissions().mode() & 0o777
}

#[test]
fn shellcheck_has_nothing_to_say_about_any_script() {
    if let Some(reason) = missing(&["shellcheck", "dash"]) {
        return skip(&reason);
    }
    let mut scripts: Vec<PathBuf> = Vec::new();
    for directory in ["examples", "tests", "tests/package", "tests/real/manual", "packaging/debian"] {
        for entry in fs::read_dir(Path::new(PROJECT).join(directory)).expect("directory") {
            let path = entry.expect("entry").path();
            let begins = fs::read(&path).unwrap_or_default();
            if begins.starts_with(b"#!/bin/sh\n") {
                run(Command::new("dash").arg("-n").arg(&path));
            }
            if begins.starts_with(b"#!/bin/sh\n") || begins.starts_with(b"#!/usr/bin/env bash\n") {
                scripts.push(path);
            }
        }
    }
    assert!(scripts.len() > 10, "too few scripts were found: {scripts:?}");
    run(Command::new("shellcheck").args(&scripts));
}

#[test]
fn onboarding_from_a_file_leaves_a_script_for_each_site_and_can_be_repeated() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let (file, scripts) = (hub.root().join("sites.csv"), hub.root().join("scripts"));
    let words = [file.to_str().expect("path"), scripts.to_str().expect("path")];
    fs::write(&file, "name,org,city\r\ncafe,acme,Vienna\r\nshop,,\r\nBad Name,acme,Graz\r\nkiosk,acme,Graz")
        .expect("file");
    let first = example(&hub, "onboard.sh", &words).code(1);
    assert!(first.stderr.contains("location name \"Bad Name\""), "{}", first.stderr);
    assert!(first.stderr.ends_with("3 added, 0 there already, 1 failed\n"), "{}", first.stderr);
    assert_eq!(names_in(&scripts), ["cafe.rsc", "kiosk.rsc", "shop.rsc"]);
    assert_eq!((mode(&scripts), mode(&scripts.join("cafe.rsc"))), (0o700, 0o600));
    assert_eq!(hub.peers().len(), 3);
    let cafe = hub.location("cafe");
    assert_eq!((&cafe["org"], &cafe["tags"]["city"]), (&"acme".into(), &"Vienna".into()));

    let script = fs::read_to_string(scripts.join("cafe.rsc")).expect("script");
    fs::write(&file, "name,org,city\ncafe,acme,Vienna\ntower,,Linz\nshop,globex,\n").expect("file");
    let second = example(&hub, "onboard.sh", &words).code(1);
    assert!(second.stderr.contains("but org is none"), "{}", second.stderr);
    assert!(second.stderr.ends_with("1 added, 1 there already, 1 failed\n"), "{}", second.stderr);
    assert_eq!(names_in(&scripts), ["cafe.rsc", "kiosk.rsc", "shop.rsc", "tower.rsc"]);
    assert_eq!(fs::read_to_string(scripts.join("cafe.rsc")).expect("script"), script);
    let router = Router::new(&net, backend, &script);
    assert!(router.is_heard(), "the script of the example makes no peer");
}

#[test]
fn the_nightly_backup_keeps_the_newest_and_says_nothing() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let mut hub = Hub::up(&net, backend);
    hub.ok("location add cafe");
    let dir = hub.root().join("backups");
    let words = [dir.to_str().expect("path"), "2"];
    for _ in 0..3 {
        let night = example(&hub, "backup-nightly.sh", &words).code(0);
        assert_eq!((night.stdout.as_str(), night.stderr.as_str()), ("", ""));
        // The names have seconds.
        thread::sleep(Duration::from_millis(1100));
    }
    let copies = names_in(&dir);
    assert_eq!(copies.len(), 2, "{copies:?}");
    let newest = dir.join(&copies[1]);
    assert_eq!((mode(&dir), mode(&newest)), (0o700, 0o600));
    hub.ok("location remove cafe -y");
    hub.ok(&format!("restore {} -y", newest.display()));
    assert_eq!(hub.ok("location list -o name"), "cafe\n");

    let identity = fs::read_to_string(hub.root().join("etc/iwas-wg/identity.txt")).expect("identity");
    let recipient = identity.lines().find_map(|l| l.strip_prefix("# public key: ")).expect("recipient");
    hub.vars.push(("RECIPIENT", recipient.to_owned()));
    example(&hub, "backup-nightly.sh", &words).code(0);
    let sealed = names_in(&dir).pop().expect("a copy");
    assert!(fs::read(dir.join(&sealed)).expect("copy").starts_with(b"age-encryption.org/v1"), "{sealed}");
}

#[test]
fn the_alert_tells_of_a_dark_site_once_and_of_its_return() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let mut hub = Hub::up(&net, backend);
    let router = Router::of_new_location(&net, &hub, "cafe");
    hub.wait_for_handshake(&hub.key_of("cafe"));
    hub.ok("location add never");
    let state = hub.root().join("alert");
    let told = |hub: &Hub| example(hub, "alert-offline.sh", &[state.to_str().expect("path")]).code(0).stdout;
    assert_eq!(told(&hub), "");
    router.stop();
    thread::sleep(Duration::from_secs(2));
    hub.vars.push(("IWAS_WG_OFFLINE_AFTER", "1".to_owned()));
    // A command that fails: the news are not lost.
    let failed = example(&hub, "alert-offline.sh", &[state.to_str().expect("path"), "sh", "-c", "exit 7"]);
    failed.code(7);
    let news = told(&hub);
    assert!(news.starts_with("cafe (10.77.0.2) is dark since 20") && news.lines().count() == 1, "{news:?}");
    assert_eq!(told(&hub), "", "it was told twice");
    hub.vars.clear();
    assert_eq!(told(&hub), "cafe is no longer dark\n");
    fs::write(hub.root().join("etc/iwas-wg/config.toml"), "nonsense").expect("settings");
    let broken = example(&hub, "alert-offline.sh", &[state.to_str().expect("path")]).code(6);
    assert_eq!(broken.stdout, "", "a broken hub is not a site that came back");
}

#[test]
fn a_hub_moves_to_another_machine_and_its_router_finds_it() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let router = Router::of_new_location(&net, &hub, "cafe");
    hub.ok("location add shop");
    let (peers, conf) = (hub.peer_list(), hub.conf() + "\n# a line of the administrator\n");
    fs::write(hub.conf_path(), &conf).expect("conf");
    let place = tempfile::tempdir().expect("temporary directory");
    let parcel = place.path().join("hub.tar");
    let parcel = parcel.to_str().expect("path");
    example(&hub, "move-hub.sh", &["pack", parcel]).code(0);
    assert_eq!(mode(Path::new(parcel)), 0o600);
    hub.ok("down");

    // The other machine has the address now, and none of the files.
    let moved = Hub::at(&net, backend, &place.path().join("new"));
    example(&moved, "move-hub.sh", &["unpack", parcel]).code(0);
    assert_eq!((moved.peer_list(), moved.conf()), (peers, conf));
    moved.ok("sync --check");
    // The router dials anew once its packets stay without an answer.
    assert!(router.space.reaches(HUB_VPN_IP, Duration::from_secs(60)), "the router did not find the new hub");
    assert_eq!(moved.status_of("cafe")["state"], "online");
    let refused = example(&moved, "move-hub.sh", &["unpack", parcel]).code(4);
    assert_eq!(refused.stderr, "there is a hub on this machine already\n");
}
