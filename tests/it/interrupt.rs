//! Ctrl-C while a whole fleet is being imported: all of it is there afterwards, or nothing. And the
//! bar that tells whether it is worth waiting.

use crate::support::Hub;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

const ROWS: usize = 2000;

/// A hub without an interface and a file for it.
fn hub() -> Hub {
    let hub = Hub::with_network("10.0.0.0/16");
    hub.edit_settings("backend     = \"auto\"", "backend = \"none\"");
    let rows = (0..ROWS).map(|n| format!("site-{n},once\n"));
    fs::write(hub.path("fleet.csv"), "name,key_mode\n".to_owned() + &rows.collect::<Vec<_>>().concat())
        .expect("file");
    hub
}

fn scripts(hub: &Hub) -> PathBuf {
    hub.path("scripts")
}

fn import(hub: &Hub) -> Child {
    import_by(Command::new(env!("CARGO_BIN_EXE_iwas-wg")).env_clear(), hub)
}

fn import_by(command: &mut Command, hub: &Hub) -> Child {
    command
        .arg("--root")
        .arg(hub.root())
        .args(["location", "import"])
        .arg(hub.path("fleet.csv"))
        .arg("--scripts-dir")
        .arg(scripts(hub))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("spawn")
}

fn interrupt(child: Child) -> Output {
    send(child, Signal::INT)
}

fn send(child: Child, signal: Signal) -> Output {
    // One that has ended already is not waited for yet, so its number is nobody else's.
    kill_process(Pid::from_child(&child), signal).expect("signal");
    child.wait_with_output().expect("wait")
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

/// Waits for something in the directory of the scripts; it must come.
fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn are_in_the_making(scripts: &Path) -> bool {
    names(scripts).first().is_some_and(|staging| names(&scripts.join(staging)).len() > 20)
}

/// How many of the rows are there, in the store and everywhere else alike.
#[track_caller]
fn imported(hub: &Hub, output: &Output) -> usize {
    let said = String::from_utf8_lossy(&output.stderr);
    let (list, export) =
        (hub.run(&["location", "list", "-o", "name"]).ok(), hub.run(&["location", "export"]).ok());
    let rows = list.stdout.lines().count();
    assert_eq!(export.stdout.lines().count(), rows + 1, "the export has something else: {said}");
    assert_eq!(hub.conf().lines().filter(|l| *l == "[Peer]").count(), rows, "the conf too: {said}");
    let files = names(&scripts(hub));
    assert_eq!(files.iter().filter(|f| f.starts_with("site-")).count(), rows, "the scripts too: {said}");
    assert_eq!(files.len(), rows, "something was left behind: {said}");
    for dir in ["etc/wireguard", "etc/iwas-wg", "var/lib/iwas-wg"] {
        let left: Vec<_> = names(&hub.path(dir)).into_iter().filter(|f| f.starts_with(".iwas-wg.")).collect();
        assert!(left.is_empty(), "{left:?} in {dir}: {said}");
    }
    hub.run(&["sync", "--check"]).ok();
    rows
}

#[test]
fn an_interrupted_import_leaves_no_row_no_script_and_no_key() {
    let hub = hub();
    let dir = scripts(&hub);
    let child = import(&hub);
    wait_until("scripts in the making", || are_in_the_making(&dir));
    let output = interrupt(child);
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "iwas-wg: interrupted; nothing was changed\nhint: run the same command again whenever you like\n"
    );
    // By the signal: a shell's loop ends with it.
    assert_eq!(output.status.signal(), Some(Signal::INT.as_raw()));
    assert_eq!(imported(&hub, &output), 0);
    assert!(!dir.exists(), "the directory was made for nothing and stayed");
}

#[test]
fn an_import_that_is_interrupted_too_late_is_finished() {
    let hub = hub();
    let child = import(&hub);
    wait_until("scripts at their places", || names(&scripts(&hub)).iter().any(|f| f.starts_with("site-")));
    let output = interrupt(child);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(imported(&hub, &output), ROWS);
}

#[test]
fn an_import_that_is_to_outlive_its_terminal_does() {
    let hub = hub();
    let child = import_by(Command::new("nohup").arg(env!("CARGO_BIN_EXE_iwas-wg")), &hub);
    wait_until("scripts in the making", || are_in_the_making(&scripts(&hub)));
    let output = send(child, Signal::HUP);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(imported(&hub, &output), ROWS);
}

#[test]
fn at_whatever_moment_an_import_is_interrupted_it_is_whole() {
    let undisturbed = hub();
    let began = Instant::now();
    let output = import(&undisturbed).wait_with_output().expect("wait");
    let took = began.elapsed();
    assert_eq!(imported(&undisturbed, &output), ROWS);
    let hub = hub();
    for fifth in 0..5 {
        let child = import(&hub);
        thread::sleep(took * fifth / 5);
        let output = interrupt(child);
        let rows = imported(&hub, &output);
        assert!(rows == 0 || rows == ROWS, "{rows} of {ROWS} rows, after {fifth}/5 of the time");
        assert_eq!(rows == ROWS, output.status.success(), "{output:?}");
        if rows == ROWS {
            break;
        }
    }
}

/// What the import says on a terminal of its own.
fn on_a_terminal(hub: &Hub, flags: &[&str]) -> String {
    const PTY: &str = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let output = Command::new("python3")
        .args(["-c", PTY, env!("CARGO_BIN_EXE_iwas-wg"), "--root"])
        .arg(hub.root())
        .args(["location", "import"])
        .arg(hub.path("fleet.csv"))
        .arg("--scripts-dir")
        .arg(scripts(hub))
        .args(flags)
        .env("TERM", "xterm-256color")
        .stdin(Stdio::null())
        .output()
        .expect("python3");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_terminal_shows_how_fast_an_import_is_and_how_long_it_will_take() {
    let said = on_a_terminal(&hub(), &[]);
    // Of the pictures in the middle, after some were made and before all were.
    let shown = |picture: &&str| {
        let words: Vec<&str> = picture.split_whitespace().collect();
        let [.., count, rate, eta, "left"] = words[..] else { return false };
        let made = count.strip_suffix("/2,000").and_then(|n| n.replace(',', "").parse::<usize>().ok());
        let number = |word: &str, unit| word.strip_suffix(unit).is_some_and(|n| n.parse::<u64>().is_ok());
        made.is_some_and(|n| 0 < n && n < ROWS) && number(rate, "/s") && rate != "0/s" && number(eta, "s")
    };
    assert!(said.split('\r').any(|p| shown(&p)), "{said:?}");
    let last = said.rsplit('\r').find(|l| !l.trim().is_empty()).unwrap_or_default();
    assert!(
        last.contains("added 2000 locations") && !last.contains("left\u{1b}"),
        "the bar stayed: {last:?}"
    );

    for flags in [&["--json"][..], &["--quiet"]] {
        let said = on_a_terminal(&hub(), flags);
        assert!(!said.contains("/2,000"), "{flags:?}: {said:?}");
    }
    let output = import(&hub()).wait_with_output().expect("wait");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.starts_with("added 2000 locations") && said.lines().count() == 1,
        "a bar in a pipe: {said:?}"
    );
}
