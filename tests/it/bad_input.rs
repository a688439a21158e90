//! Bad input, call by call, with the real binary: each ends with its exit code, one line that
//! names the reason, one hint that names the remedy, and a hub on which not one byte has changed.
//!
//! The tables are in `values` (what is wrong with the call) and `hubs` (what is wrong with the
//! hub); every row runs twice, for people and with `--json`.

mod hubs;
mod values;

use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

/// What a call finds.
#[derive(Clone, Copy)]
enum Found {
    /// An empty directory.
    Nothing,
    /// The hub of [`template`].
    Hub,
    /// That hub after this was done to it.
    Changed(fn(&Path)),
}

/// One call. In the arguments `{root}`, `{hub_key}` and `{cafe_key}` are filled in.
struct Case {
    found: Found,
    argv: Vec<&'static str>,
    vars: Vec<(&'static str, &'static str)>,
    code: i32,
    /// What the message or the hint must contain.
    says: &'static str,
    /// With `--json` it is no error.
    text_only: bool,
}

fn case(found: Found, argv: &[&'static str], code: i32, says: &'static str) -> Case {
    Case { found, argv: argv.to_vec(), vars: Vec::new(), code, says, text_only: false }
}

impl Case {
    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.vars.push((name, value));
        self
    }

    fn text_only(mut self) -> Self {
        self.text_only = true;
        self
    }
}

/// A hub without an interface: `cafe` with a stored key at 10.0.0.2, `lone` with a key shown once
/// at 10.0.0.3, `kiosk` without a peer, 10.0.0.9 reserved, a backup and two files that are none.
struct Template {
    dir: tempfile::TempDir,
    hub_key: String,
    cafe_key: String,
}

fn template() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let dir = tempfile::tempdir().expect("temporary directory");
        let root = dir.path();
        let ok = |args: &[&str]| -> Value {
            let mut argv = vec!["--json"];
            argv.extend(args);
            let output = run(root, &argv, &[]);
            assert!(output.status.success(), "{args:?}: {output:?}");
            serde_json::from_slice(&output.stdout).unwrap_or_default()
        };
        let hub = ok(&["init", "--endpoint", "vpn.example.com", "--backend", "none"]);
        edit(root, "# reserved  = [\"10.0.0.2-10.0.0.9\", ", "reserved  = [\"10.0.0.9\", ");
        let cafe = ok(&["location", "add", "cafe", "--org", "acme", "--tag", "city=vienna"]);
        ok(&["location", "add", "lone", "--key-mode", "once"]);
        ok(&["location", "add", "kiosk", "--no-provision"]);
        ok(&["backup", &root.join("good.db").to_string_lossy()]);
        fs::write(root.join("notes.txt"), "these are notes\n").expect("notes");
        let other = rusqlite::Connection::open(root.join("other.db")).expect("SQLite");
        other.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1);").expect("table");
        let key = |v: &Value| v.as_str().expect("key").to_owned();
        Template { hub_key: key(&hub["public_key"]), cafe_key: key(&cafe["location"]["vpn_public_key"]), dir }
    })
}

/// Changes the settings file by replacing one text.
fn edit(root: &Path, from: &str, to: &str) {
    let path = root.join("etc/iwas-wg/config.toml");
    let text = fs::read_to_string(&path).expect("settings");
    assert!(text.contains(from), "{from:?} is not in the settings");
    fs::write(path, text.replacen(from, to, 1)).expect("settings");
}

fn run(root: &Path, args: &[&str], vars: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iwas-wg"));
    command.env_clear().envs(vars.iter().copied()).current_dir(root);
    command.arg("--root").arg(root).args(args).stdin(Stdio::null()).output().expect("run")
}

/// Mode and content of everything below a directory, but for the lock and SQLite's journal.
type Tree = BTreeMap<PathBuf, (u32, Option<Vec<u8>>)>;

fn tree(root: &Path) -> Tree {
    let mut all = Tree::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).expect("directory") {
            let path = entry.expect("entry").path();
            if path.extension().is_some_and(|e| ["lock", "db-wal", "db-shm"].iter().any(|x| e == *x)) {
                continue;
            }
            let meta = path.symlink_metadata().expect("metadata");
            let content = meta.is_file().then(|| fs::read(&path).expect("file"));
            if meta.is_dir() {
                dirs.push(path.clone());
            }
            all.insert(path, (meta.permissions().mode(), content));
        }
    }
    all
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("directory") {
        let from = entry.expect("entry").path();
        let to = to.join(from.file_name().expect("name"));
        if from.is_dir() {
            fs::create_dir(&to).expect("directory");
            copy(&from, &to);
            let mode = from.metadata().expect("metadata").permissions();
            fs::set_permissions(&to, mode).expect("mode");
        } else {
            fs::copy(&from, &to).expect("copy");
        }
    }
}

/// What is wrong with the outcome of a case; empty if all is as it should be.
fn check(case: &Case) -> Vec<String> {
    let runs: &[bool] = if case.text_only { &[false] } else { &[false, true] };
    runs.iter().filter_map(|json| check_run(case, *json)).collect()
}

fn check_run(case: &Case, json: bool) -> Option<String> {
    let dir = tempfile::tempdir().expect("temporary directory");
    let root = dir.path();
    let template = template();
    if !matches!(case.found, Found::Nothing) {
        copy(template.dir.path(), root);
    }
    if let Found::Changed(change) = case.found {
        change(root);
    }
    let place = root.to_str().expect("UTF-8");
    let fill = |text: &&str| {
        text.replace("{root}", place)
            .replace("{hub_key}", &template.hub_key)
            .replace("{cafe_key}", &template.cafe_key)
    };
    let argv: Vec<String> = json.then_some(&"--json").into_iter().chain(&case.argv).map(fill).collect();
    let before = tree(root);
    let output = run(root, &argv.iter().map(String::as_str).collect::<Vec<_>>(), &case.vars);
    let after = tree(root);

    let said = String::from_utf8_lossy(&output.stderr);
    let mut wrong =
        if json { wrong_json(&said, case, &fill(&case.says)) } else { wrong_text(&said, &fill(&case.says)) };
    if output.status.code() != Some(case.code) {
        wrong.push(format!("exit {:?} instead of {}", output.status.code(), case.code));
    }
    if !output.stdout.is_empty() {
        wrong.push("something on standard output".to_owned());
    }
    let name = |path: &Path| path.strip_prefix(root).expect("below the root").display().to_string();
    let changed = before.iter().filter(|(path, was)| after.get(*path) != Some(was));
    wrong.extend(changed.map(|(path, _)| format!("{} was changed", name(path))));
    let made = after.keys().filter(|path| !before.contains_key(*path));
    wrong.extend(made.map(|path| format!("{} was made", name(path))));
    (!wrong.is_empty()).then(|| {
        let indent = |text: &str| text.trim_end().replace('\n', "\n    | ");
        format!("{argv:?}: {}\n    | {}", wrong.join("; "), indent(&said))
    })
}

fn wrong_text(said: &str, says: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let lines: Vec<&str> = said.lines().collect();
    match lines[..] {
        [error, hint] if error.starts_with("iwas-wg: ") && hint.starts_with("hint: ") => {}
        _ => wrong.push("not one line of error and one of hint".to_owned()),
    }
    if !said.contains(says) {
        wrong.push(format!("does not say {says:?}"));
    }
    if said.chars().any(|c| c.is_control() && c != '\n') {
        wrong.push("has control characters".to_owned());
    }
    wrong
}

fn wrong_json(said: &str, case: &Case, says: &str) -> Vec<String> {
    let report: Value = match serde_json::from_str(said) {
        Ok(report) => report,
        Err(e) => return vec![format!("not one JSON object: {e}")],
    };
    let mut wrong = Vec::new();
    let error = &report["error"];
    let code = match case.code {
        1 => "failed",
        2 => "usage",
        3 => "not-found",
        4 => "conflict",
        6 => "bad-state",
        7 => "denied",
        9 => "device",
        _ => "?",
    };
    if report["schema_version"] != 1 || error["code"] != code || error["exit"] != case.code {
        wrong.push(format!("schema_version, error.code or error.exit is not 1, {code}, {}", case.code));
    }
    let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
    if !format!("{}\n{}", text("message"), text("hint")).contains(says) {
        wrong.push(format!("does not say {says:?}"));
    }
    wrong
}

/// Runs the rows of a table and tells all that went wrong at once.
#[track_caller]
fn check_all(cases: &[Case], at_least: usize) {
    assert!(cases.len() >= at_least, "only {} rows", cases.len());
    let wrong: Vec<String> = cases.iter().flat_map(check).collect();
    assert!(wrong.is_empty(), "{} faults\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_wrong_call_is_refused_and_changes_nothing() {
    check_all(&values::all(), 140);
}

#[test]
fn a_wrong_hub_is_refused_and_changes_nothing() {
    check_all(&hubs::all(), 80);
}

#[test]
fn the_checker_finds_what_it_is_there_to_find() {
    let faults = |argv, code, says| check(&case(Found::Hub, argv, code, says));
    let add: &[&str] = &["location", "add", "Cafe"];
    assert_eq!(faults(add, 2, "capital letter"), [""; 0]);
    for (code, says, found) in [(4, "capital", "exit Some(2) instead of 4"), (2, "small", "does not say")] {
        let wrong = faults(add, code, says);
        assert_eq!(wrong.len(), 2, "once for people and once with --json");
        assert!(wrong.iter().all(|w| w.contains(found)), "{wrong:?}");
    }
    let printed = faults(&["location", "show", "cafe"], 0, "");
    assert!(printed[0].contains("something on standard output"), "{printed:?}");
    let changed = faults(&["location", "set", "cafe", "--no-org"], 0, "");
    assert!(changed[0].contains("iwas-wg.db was changed"), "{changed:?}");
    let made = faults(&["backup", "{root}/new.db"], 0, "");
    assert!(made[0].contains("new.db was made"), "{made:?}");
}
