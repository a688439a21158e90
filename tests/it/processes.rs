//! What only real processes show: locks between them, closed pipes, full disks, kills.

use crate::support::Hub;
use std::{
    collections::BTreeSet,
    fs::File,
    io::Read,
    process::{Command, Output, Stdio},
};

fn program(hub: &Hub, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iwas-wg"));
    command.env_clear().arg("--root").arg(hub.root()).args(args).stdin(Stdio::null());
    command
}

fn run(hub: &Hub, args: &[&str]) -> Output {
    program(hub, args).output().expect("run")
}

/// A hub without an interface, for processes that cannot share a fake one.
fn hub() -> Hub {
    let hub = Hub::with_network("10.0.0.0/24");
    hub.edit_settings("backend     = \"auto\"", "backend = \"none\"");
    hub
}

#[test]
fn fifty_adds_at_once_are_fifty_locations_with_fifty_addresses() {
    let hub = hub();
    let children: Vec<_> = (0..50)
        .map(|i| {
            let name = format!("site-{i:02}");
            let mut command = program(&hub, &["--lock-timeout", "120", "-q", "location", "add", &name]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("spawn")
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().expect("wait");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.starts_with(b"#"), "a script is missing");
    }
    let list = hub.run(&["--json", "location", "list"]).ok().json();
    let all = list["locations"].as_array().expect("list").clone();
    let addresses: BTreeSet<&str> = all.iter().map(|l| l["vpn_ip"].as_str().expect("address")).collect();
    assert_eq!((all.len(), addresses.len()), (50, 50));
    assert_eq!(hub.conf().lines().filter(|l| *l == "[Peer]").count(), 50, "the conf lost a peer");
    hub.run(&["sync", "--check"]).ok();
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let hub = hub();
    for i in 0..3 {
        hub.add(&format!("site-{i}"));
    }
    let mut child = program(&hub, &["location", "add", "last"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("spawn");
    drop(child.stdout.take());
    let status = child.wait().expect("wait");
    let mut said = String::new();
    child.stderr.take().expect("stderr").read_to_string(&mut said).expect("read");
    assert_eq!(status.code(), Some(0), "{said}");
    assert_eq!(said, "added last at 10.0.0.5\n");
    hub.run(&["location", "show", "last"]).ok();
}

#[test]
fn a_full_disk_behind_standard_output_is_a_failure() {
    let hub = hub();
    hub.add("cafe");
    for args in [&["location", "list"][..], &["script", "render", "cafe"], &["--json", "status"], &["--help"]]
    {
        let full = File::options().write(true).open("/dev/full").expect("/dev/full");
        let output = program(&hub, args).stdout(full).output().expect("run");
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        let message = "cannot write to standard output: no space left on device";
        assert!(said.contains(message), "{args:?}: {said}");
    }
}

#[test]
fn a_waiter_says_for_whom_and_gives_up_in_time() {
    let hub = hub();
    hub.add("cafe");
    let lock = File::open(hub.path("var/lib/iwas-wg/iwas-wg.lock")).expect("lock file");
    lock.lock().expect("lock");
    let output = run(&hub, &["--lock-timeout", "1", "location", "add", "bar"]);
    assert_eq!(output.status.code(), Some(8));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("iwas-wg: waiting for another iwas-wg (pid "), "{said}");
    assert!(lines[1].starts_with("iwas-wg: another iwas-wg is at work (pid "), "{said}");
    // Readers wait for nobody.
    assert!(run(&hub, &["--lock-timeout", "0", "location", "list"]).status.success());
    assert!(run(&hub, &["--lock-timeout", "0", "status"]).status.success());
    lock.unlock().expect("unlock");
    assert!(run(&hub, &["location", "add", "bar"]).status.success());
}

#[test]
fn no_colour_and_no_escape_into_a_pipe() {
    let hub = hub();
    hub.add("cafe");
    for args in [&["status"][..], &["location", "list"], &["--help"], &["location", "add", "--help"]] {
        let output = program(&hub, args).env("TERM", "xterm-256color").output().expect("run");
        assert!(!output.stdout.contains(&0x1b), "{args:?}");
    }
}

#[test]
fn a_key_that_could_not_be_shown_is_said_to_be_lost() {
    let hub = hub();
    let full = File::options().write(true).open("/dev/full").expect("/dev/full");
    let args = ["location", "add", "tower", "--key-mode", "once"];
    let output = program(&hub, &args).stdout(full).output().expect("run");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("tower is there, but its key is lost"), "{said}");
    assert!(said.contains("hint: \"iwas-wg location remove tower\" and add it again"), "{said}");
}

/// A small disk of its own, or nothing after saying aloud why there is none.
fn small_disk(dir: &std::path::Path) -> Option<impl Drop> {
    struct Mounted(std::path::PathBuf);
    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0).status();
        }
    }
    let mut mount = Command::new("mount");
    let done = mount.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(dir).stderr(Stdio::null()).status();
    if done.is_ok_and(|s| s.success()) {
        return Some(Mounted(dir.to_owned()));
    }
    assert!(std::env::var_os("IWAS_WG_REQUIRE_REAL").is_none(), "cannot mount a tmpfs");
    std::io::Write::write_all(&mut std::io::stderr(), b"skipped: needs root to mount a tmpfs\n")
        .expect("stderr");
    None
}

#[test]
fn a_full_or_read_only_disk_hides_nothing_and_loses_nothing() {
    let hub = hub();
    let dir = tempfile::tempdir().expect("directory");
    let Some(mounted) = small_disk(dir.path()) else {
        return;
    };
    hub.add("cafe");
    let copied = Command::new("cp").arg("-a").arg(hub.root().join(".")).arg(dir.path()).status();
    assert!(copied.expect("cp").success());
    let on_disk = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iwas-wg"));
        let output = command.env_clear().arg("--root").arg(dir.path()).args(args).output().expect("run");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let remount = |how: &str| {
        let done = Command::new("mount").args(["-o", how]).arg(dir.path()).status();
        assert!(done.expect("mount").success());
    };
    let names = ["location", "list", "-o", "name"];
    remount("remount,ro");
    assert_eq!(on_disk(&names), (Some(0), "cafe\n".into()), "a read-only disk hides the fleet");
    assert_eq!(on_disk(&["status"]).0, Some(0));
    assert_ne!(on_disk(&["location", "add", "bar"]).0, Some(0));
    remount("remount,rw");
    // Fill it to the last byte.
    let _ = std::fs::write(dir.path().join("fill"), vec![0_u8; 8 << 20]);
    assert_eq!(on_disk(&names), (Some(0), "cafe\n".into()), "a full disk hides the fleet");
    let (code, script) = on_disk(&["location", "add", "bar"]);
    assert_ne!(code, Some(0));
    assert_eq!(script, "", "a script for a location that is not there");
    std::fs::remove_file(dir.path().join("fill")).expect("remove");
    assert_eq!(on_disk(&["location", "add", "bar"]).0, Some(0));
    assert_eq!(on_disk(&["sync", "--check"]).0, Some(0));
    drop(mounted);
}
