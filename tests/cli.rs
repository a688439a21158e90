//! Golden sessions of the real binary: what a user reads, word for word.
//!
//! The sessions are in `tests/cmd`. After a wanted change of words run
//! `TRYCMD=overwrite cargo test --test cli` and read the difference.

use std::{collections::BTreeSet, fs, path::Path};

#[test]
fn sessions_go_as_they_are_written() {
    trycmd::TestCases::new()
        .env("HOME", "/nonexistent")
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .case("tests/cmd/*.trycmd")
        .run();
}

/// All that `--help` can be asked of: the program, its commands and their verbs.
fn commands(command: &clap::Command, path: &str, all: &mut BTreeSet<String>) {
    all.insert(format!("$ {path} --help"));
    for sub in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        commands(sub, &format!("{path} {}", sub.get_name()), all);
    }
}

#[test]
fn no_command_is_without_its_help_session() {
    let session = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd/help.trycmd");
    let text = fs::read_to_string(session).expect("session");
    let shown: BTreeSet<String> = text.lines().filter(|l| l.starts_with("$ ")).map(str::to_owned).collect();
    let mut wanted = BTreeSet::new();
    commands(&iwas_wg::cli::command(), "iwas-wg", &mut wanted);
    assert!(wanted.len() > 10, "the commands were not found");
    assert_eq!(shown, wanted, "add or remove it in tests/cmd/help.trycmd, then TRYCMD=overwrite");
}
