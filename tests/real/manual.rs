//! The manual: its pages are clean, and every example in them works as it is written, on a real
//! interface.

use crate::{
    bench::{Backend, aloud, missing, ready, skip},
    netns::Net,
};
use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
};

/// Examples that run at once, each worker's on a hub of its own: most of the time they wait.
const WORKERS: usize = 3;
const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn mandoc_has_nothing_to_say_about_the_pages() {
    if let Some(reason) = missing(&["mandoc"]) {
        return skip(&reason);
    }
    let lint = |directory: &Path| {
        let pages = fs::read_dir(directory).expect("pages").map(|e| e.expect("entry").path());
        Command::new("mandoc").args(["-T", "lint"]).args(pages).output().expect("start mandoc")
    };
    let said = lint(&Path::new(PROJECT).join("man"));
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
    assert_eq!(String::from_utf8_lossy(&said.stdout), "");
    // A linter that likes everything would be none.
    let bad = tempfile::tempdir().expect("temporary directory");
    fs::write(bad.path().join("bad.8"), ".TH BAD 8\n.SH NAME\nbad\n.br\n\n.br\n").expect("page");
    assert!(!lint(bad.path()).stdout.is_empty(), "mandoc accepts anything");
}

/// Each example with the command that it is an example of. What is indented further or follows a
/// backslash belongs to the line before it.
fn examples(command: &clap::Command, path: &str, all: &mut Vec<(String, String)>) {
    let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let block = help.split("\n\n").find_map(|b| b.strip_prefix("Examples:\n")).unwrap_or_default();
    for line in block.lines() {
        let line = line.strip_prefix("  ").unwrap_or(line);
        match all.last_mut() {
            Some((of, example)) if of == path && (line.starts_with(' ') || example.ends_with('\\')) => {
                example.push('\n');
                example.push_str(line);
            }
            _ => all.push((path.to_owned(), line.to_owned())),
        }
    }
    for sub in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        examples(sub, &format!("{path} {}", sub.get_name()), all);
    }
}

fn try_out(net: &Net, backend: Backend, example: &str) -> Output {
    let hub = net.hub();
    // Not in /tmp, which an example has for itself.
    let work = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("temporary directory");
    hub.command("bash")
        .arg(Path::new(PROJECT).join("tests/real/manual/example.sh"))
        .args([env!("CARGO_BIN_EXE_iwas-wg"), example, backend.as_str(), &hub.interface])
        .current_dir(work.path())
        .stdin(Stdio::null())
        .output()
        .expect("start bash")
}

#[test]
fn every_example_of_the_manual_works_as_it_is_written() {
    let Some(backend) = ready() else { return };
    if let Some(reason) = missing(&["jq", "script", "ssh-keygen", "sudo", "useradd"]) {
        return skip(&reason);
    }
    let mut all = Vec::new();
    examples(&iwas_wg::cli::command(), "iwas-wg", &mut all);
    assert!(all.len() > 30, "only {} examples were found", all.len());
    let share = |number: usize| {
        let net = Net::new();
        let mut failed = String::new();
        for (command, example) in all.iter().skip(number).step_by(WORKERS) {
            let output = try_out(&net, backend, example);
            if !output.status.success() {
                let said = [output.stdout, output.stderr].concat();
                failed.extend([command, ": ", example, "\n", &String::from_utf8_lossy(&said), "\n"]);
            }
        }
        failed
    };
    let failed: String = thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|number| {
                scope.spawn({
                    let share = &share;
                    move || share(number)
                })
            })
            .collect();
        workers.into_iter().map(|w| w.join().expect("worker")).collect()
    });
    assert!(failed.is_empty(), "{failed}");
    aloud(&format!("{} examples ran", all.len()));
}
