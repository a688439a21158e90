//! Every command for every role, on a location of the own org and on one of another: as the table
//! beside this file says.

use super::{become_, hub};
use crate::support::Hub;
use std::{
    collections::BTreeSet,
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// A row of the table: a command and its two outcomes for each role.
struct Row {
    command: String,
    cells: Vec<(String, [String; 2])>,
}

fn table() -> Vec<Row> {
    let text = include_str!("matrix.txt");
    let head = text.lines().rfind(|l| l.starts_with("# command")).expect("head");
    let roles: Vec<&str> = head.split('|').skip(1).map(str::trim).collect();
    let rows = text.lines().filter(|l| !l.starts_with('#'));
    rows.map(|line| {
        let mut parts = line.split('|').map(str::trim);
        let command = parts.next().expect("command").to_owned();
        let cells: Vec<_> = parts
            .zip(&roles)
            .map(|(cell, role)| {
                let mut words = cell.split_whitespace().map(str::to_owned);
                let mut word =
                    || words.next().unwrap_or_else(|| panic!("{command}: {role} has no two words"));
                ((*role).to_owned(), [word(), word()])
            })
            .collect();
        assert_eq!(cells.len(), roles.len(), "{command}: cells are missing");
        Row { command, cells }
    })
    .collect()
}

/// The commands that do something, as words.
fn leaves(command: &clap::Command, words: &str) -> Vec<String> {
    let below: Vec<&clap::Command> = command.get_subcommands().collect();
    if below.is_empty() {
        return vec![words.to_owned()];
    }
    let deeper = |c: &&clap::Command| leaves(c, format!("{words} {}", c.get_name()).trim());
    below.iter().flat_map(deeper).collect()
}

#[test]
fn every_command_has_a_row_in_the_table() {
    let rows = table();
    let known =
        |leaf: &str| rows.iter().any(|r| r.command == leaf || r.command.starts_with(&format!("{leaf} ")));
    let all: BTreeSet<String> = leaves(&iwas_wg::cli::command(), "").into_iter().collect();
    let missing: Vec<&String> = all.iter().filter(|leaf| !known(leaf)).collect();
    assert!(missing.is_empty(), "say in tests/it/access/matrix.txt who may do this: {missing:?}");
    for row in &rows {
        let is_there =
            all.iter().any(|leaf| row.command == *leaf || row.command.starts_with(&format!("{leaf} ")));
        assert!(is_there, "there is no command {:?}", row.command);
    }
}

/// The last record's number, user and outcome.
fn last_record(hub: &Hub) -> (i64, String, String) {
    become_(hub, "root");
    let all = hub.run(&["--json", "audit", "list"]).ok().json();
    let last = all["records"].as_array().expect("records").last().expect("record").clone();
    let text = |key: &str| last[key].as_str().expect(key).to_owned();
    (last["seq"].as_i64().expect("seq"), text("user"), text("outcome"))
}

fn run_cells(row: &Row) -> usize {
    let mut count = 0;
    for (role, outcomes) in &row.cells {
        let hub = hub();
        hub.run(&["location", "add", "own-plan", "--org", "acme", "--no-provision"]).ok();
        hub.run(&["location", "add", "foreign-plan", "--org", "umbrella", "--no-provision"]).ok();
        let file = hub.path("backup.db").to_str().expect("path").to_owned();
        hub.run(&["backup", &file]).ok();
        // What a person who sees "acme" only may never learn of the others.
        let foreign = hub.run(&["--json", "location", "show", "foreign"]).ok().json();
        let secret: Vec<String> = ["vpn_ip", "vpn_public_key"]
            .iter()
            .map(|key| foreign["location"][*key].as_str().expect(key).to_owned())
            .chain(["vienna", "orphan", "10.0.0.4"].map(str::to_owned))
            .collect();
        for (which, expected) in ["own", "foreign"].iter().zip(outcomes) {
            let org = if *which == "own" { "acme" } else { "umbrella" };
            let dir = hub.path("man").to_str().expect("path").to_owned();
            let open = hub.path("open");
            std::fs::create_dir_all(&open).expect("directory");
            std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).expect("mode");
            let sheet = hub.path("sheet.csv").to_str().expect("path").to_owned();
            std::fs::write(&sheet, format!("name,org\nfresh,{org}\n")).expect("sheet");
            let words: Vec<String> = row
                .command
                .split(' ')
                .map(|word| match word {
                    "NAME" => (*which).to_owned(),
                    "PLAN" => format!("{which}-plan"),
                    "ORG" => org.to_owned(),
                    "FILE" => file.clone(),
                    "DIR" => dir.clone(),
                    "SHEET" => sheet.clone(),
                    "OPEN" => open.join("scripts").to_str().expect("path").to_owned(),
                    word => word.to_owned(),
                })
                .collect();
            let before = last_record(&hub).0;
            become_(&hub, role);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let run = hub.run(&words);
            let outcome = match run.code {
                0 | 5 => "ok",
                3 => "hidden",
                4 => "taken",
                7 => "denied",
                _ => "?",
            };
            assert_eq!(outcome, expected, "{role}, {which}: {words:?}: {run:#?}");
            if !["root", "admin"].contains(&role.as_str()) {
                for secret in &secret {
                    let said = run.stdout.contains(secret.as_str()) || run.stderr.contains(secret.as_str());
                    assert!(!said, "{role} learns {secret} by {words:?}: {run:#?}");
                }
                if !words.contains(&"foreign") {
                    assert!(!run.stdout.contains("foreign"), "{role} by {words:?}: {run:#?}");
                }
            }
            if ["denied", "hidden"].contains(&outcome) {
                let (seq, user, ending) = last_record(&hub);
                assert_eq!(
                    (seq, user.as_str(), ending.as_str()),
                    (before + 1, role.as_str(), "denied"),
                    "{words:?}"
                );
            }
            count += 1;
        }
        become_(&hub, "root");
        hub.run(&["audit", "verify"]).ok();
    }
    count
}

#[test]
fn every_command_does_for_every_role_what_the_table_says() {
    let rows = table();
    let (next, cells) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    cells.fetch_add(run_cells(row), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(cells.into_inner(), rows.len() * 6 * 2);
}
