//! The first command of the README: it ends with a router online and leaves nothing behind, however
//! it ends.

use crate::bench::{ready, run};
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

/// The demonstration with a directory of its own for temporary files.
fn start(temporary: &Path) -> (Child, BufReader<ChildStdout>) {
    // A shell that was started with Control-C ignored, as in the background, can never heed it.
    let mut command = Command::new("env");
    command
        .args(["--default-signal=INT,TERM", concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart.sh")]);
    command.env("TMPDIR", temporary).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("start quickstart.sh");
    let output = BufReader::new(child.stdout.take().expect("its output"));
    (child, output)
}

/// Names of namespaces, control sockets and temporary files that belong to this process number.
fn left_behind(process: u32, temporary: &Path) -> Vec<String> {
    let spaces = run(Command::new("ip").args(["netns", "list"]));
    let mut left: Vec<String> = spaces.lines().map(str::to_owned).collect();
    for dir in [Path::new("/var/run/wireguard"), temporary] {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            left.push(entry.path().display().to_string());
        }
    }
    let own = temporary.display().to_string();
    left.retain(|name| {
        // The demonstration puts its process number into every name.
        name.starts_with(&own) || (name.contains("iw") && name.contains(&process.to_string()))
    });
    left
}

#[test]
fn the_quickstart_brings_a_router_online_and_leaves_nothing() {
    let Some(_) = ready() else { return };
    let temporary = tempfile::tempdir().expect("temporary directory");
    let (mut child, mut output) = start(temporary.path());
    let mut said = String::new();
    output.read_to_string(&mut said).expect("read its output");
    assert!(child.wait().expect("wait").success(), "{said}");
    let row = said.lines().find(|line| line.starts_with("cafe-central ")).unwrap_or_else(|| panic!("{said}"));
    assert!(row.contains(" online "), "{said}");
    assert_eq!(left_behind(child.id(), temporary.path()), Vec::<String>::new());
}

#[test]
fn an_interrupted_quickstart_leaves_nothing() {
    let Some(_) = ready() else { return };
    for (signal, code, moment) in [("-INT", 130, "A location"), ("-TERM", 143, "Waiting for")] {
        let temporary = tempfile::tempdir().expect("temporary directory");
        let (mut child, output) = start(temporary.path());
        let mut seen = Vec::new();
        for line in output.lines() {
            let line = line.expect("a line");
            let now = line.contains(moment);
            seen.push(line);
            if now {
                let there = left_behind(child.id(), temporary.path());
                assert!(there.len() >= 4, "too little is there to be removed: {there:?}");
                run(Command::new("kill").args([signal, &child.id().to_string()]));
            }
        }
        assert_eq!(child.wait().expect("wait").code(), Some(code), "{signal}: {seen:#?}");
        assert_eq!(left_behind(child.id(), temporary.path()), Vec::<String>::new(), "{signal}");
        assert!(!seen.iter().any(|line| line.contains("is online")), "it went on after {signal}: {seen:#?}");
    }
}
