//! The examples that go with monitoring: they name only what there is, and do what they say.

use crate::support::Hub;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(path)
}

/// All names of metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (at, _) in text.match_indices("iwas_wg_") {
        all.insert(text[at..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect());
    }
    all
}

/// The names that a heartbeat writes.
fn written() -> BTreeSet<String> {
    let hub = Hub::up();
    let key = hub.add("cafe");
    hub.shake(&key, 10);
    let path = hub.path("iwas.prom");
    hub.run(&["heartbeat", "--metrics-file", path.to_str().expect("path")]).ok();
    let text = fs::read_to_string(path).expect("metrics");
    text.lines().filter_map(|l| l.strip_prefix("# TYPE ")?.split(' ').next()).map(str::to_owned).collect()
}

/// The texts of a key anywhere below a value.
fn under(value: &Value, key: &str, all: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            all.extend(map.get(key).and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|v| under(v, key, all));
        }
        Value::Array(list) => list.iter().for_each(|v| under(v, key, all)),
        _ => {}
    }
}

#[test]
fn dashboard_and_alerts_ask_for_nothing_that_is_not_written() {
    let written = written();
    assert!(written.len() >= 10, "{written:?}");
    let text = fs::read_to_string(example("prometheus/dashboard.json")).expect("dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let (mut queries, mut variables) = (Vec::new(), Vec::new());
    under(&dashboard["panels"], "expr", &mut queries);
    under(&dashboard["templating"], "query", &mut variables);
    assert!(queries.len() >= 12 && variables.len() == 3, "{queries:?} {variables:?}");
    let asked =
        names(&queries.join(" ")).into_iter().chain(names(&variables.join(" "))).collect::<BTreeSet<_>>();
    assert!(asked.is_subset(&written), "{:?}", asked.difference(&written));
    // What a heartbeat writes is shown somewhere.
    assert_eq!(asked, written);
    let ids: BTreeSet<u64> =
        dashboard["panels"].as_array().expect("panels").iter().filter_map(|p| p["id"].as_u64()).collect();
    assert_eq!(ids.len(), dashboard["panels"].as_array().expect("panels").len());
    let rules = fs::read_to_string(example("prometheus/rules.yml")).expect("rules");
    let asked = names(&rules);
    assert!(asked.len() >= 6 && asked.is_subset(&written), "{asked:?}");
}

/// A heartbeat whose `on_change` is this example, with these programs of ours in its PATH.
fn told_by(script: &str, arguments: &[&str], programs: &[(&str, &str)]) -> String {
    let mut hub = Hub::up();
    let bin = hub.path("bin");
    fs::create_dir_all(&bin).expect("directory");
    for (name, text) in programs {
        let program = bin.join(name);
        fs::write(&program, format!("#!/bin/sh\n{text}\n")).expect("program");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("mode");
    }
    hub.vars.insert("PATH".into(), format!("{}:{}", bin.display(), std::env::var("PATH").expect("PATH")));
    hub.vars.insert("OUT".into(), hub.path("out").display().to_string());
    hub.vars.insert("SENDMAIL".into(), "sendmail-of-ours".into());
    let script = example(&format!("on_change/{script}"));
    let words: Vec<String> =
        [script.to_str().expect("path")].iter().chain(arguments).map(|w| format!("{w:?}")).collect();
    hub.edit_settings(
        "metrics_file  = \"\"",
        &format!("metrics_file  = \"\"\non_change = [{}]", words.join(", ")),
    );
    let report = hub.run(&["--json", "location", "add", "cafe", "--org", "acme"]).ok().json();
    hub.shake(report["location"]["vpn_public_key"].as_str().expect("key"), 10);
    let run = hub.run(&["heartbeat"]).ok();
    assert_eq!(run.stderr, "", "{}", script.display());
    fs::read_to_string(hub.path("out")).expect("nothing was told")
}

fn has_jq() -> bool {
    let jq = Command::new("jq").arg(".").stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
    let Ok(mut jq) = jq else {
        let required = std::env::var_os("IWAS_WG_REQUIRE_REAL").is_some_and(|v| v == "1");
        assert!(!required, "this test had to run: needs jq");
        let _ = writeln!(std::io::stderr(), "skipped: needs jq");
        return false;
    };
    drop(jq.stdin.take());
    jq.wait().expect("jq").success()
}

#[test]
fn a_mail_a_post_and_a_line_in_the_log_tell_the_change() {
    if !has_jq() {
        return;
    }
    let mail = told_by(
        "mail.sh",
        &["noc@example.com"],
        &[("sendmail-of-ours", "echo \"$@\" > \"$OUT\"; cat >> \"$OUT\"")],
    );
    assert_eq!(
        mail,
        "-i -- noc@example.com\nTo: noc@example.com\n\
         Subject: iwas-wg: 0 sites went dark, 1 came back (0 are offline)\nContent-Type: text/plain; charset=utf-8\n\n\
         2026-11-23T09:59:50Z  cafe  never -> online  (acme)\n"
    );
    let log = told_by("syslog.sh", &[], &[("logger", "echo \"$@\" >> \"$OUT\"")]);
    assert_eq!(
        log,
        "--tag iwas-wg --priority daemon.notice -- cafe never -> online at 2026-11-23T09:59:50Z (id cafe:online:1795427990)\n"
    );
    let dir = tempfile::tempdir().expect("directory");
    let url = dir.path().join("url");
    fs::write(&url, "https://hooks.example.com/secret\n").expect("address");
    let url = url.to_str().expect("path");
    // The address comes on standard input, where no list of processes shows it.
    let curl = [("curl", "printf '%s\\n' \"$@\" > \"$OUT\"; cat >> \"$OUT\"")];
    let slack = told_by("webhook.sh", &["slack", url], &curl);
    assert!(slack.ends_with("url = \"https://hooks.example.com/secret\"\n"), "{slack}");
    assert_eq!(slack.matches("secret").count(), 1, "{slack}");
    assert!(slack.contains("*0 dark, 1 back*\\n2026-11-23T09:59:50Z cafe: never → online"), "{slack}");
    let ntfy = told_by("webhook.sh", &["ntfy", url], &curl);
    assert!(
        ntfy.contains("Title: iwas-wg: 0 dark, 1 back") && ntfy.contains("cafe: never → online"),
        "{ntfy}"
    );
}

/// An example of `on_change` by itself: whether it succeeded, and what its programs were given.
fn run(script: &str, arguments: &[&str], programs: &[(&str, &str)], input: &str) -> (bool, String) {
    let dir = tempfile::tempdir().expect("directory");
    for (name, text) in programs {
        let program = dir.path().join(name);
        fs::write(&program, format!("#!/bin/sh\n{text}\n")).expect("program");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("mode");
    }
    let out = dir.path().join("out");
    let mut command = Command::new(example(&format!("on_change/{script}")));
    command.args(arguments).env("OUT", &out).env("SENDMAIL", "sendmail-of-ours");
    command.env("PATH", format!("{}:{}", dir.path().display(), std::env::var("PATH").expect("PATH")));
    for count in ["WENT_OFFLINE", "WENT_ONLINE", "OFFLINE"] {
        command.env(format!("IWAS_WG_{count}"), "7");
    }
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().expect("example");
    // One that fails before it has read all is not at fault here.
    let _ = child.stdin.take().expect("its input").write_all(input.as_bytes());
    let ended = child.wait().expect("its end");
    (ended.success(), fs::read_to_string(out).unwrap_or_default())
}

#[test]
fn an_example_whose_program_fails_says_so_and_is_run_again() {
    let changes = r#"{"changes":[{"id":"a:offline:1","name":"a","org":null,"from":"online","to":"offline","at":"2026-11-23T10:00:00Z"}]}"#;
    let url = tempfile::NamedTempFile::new().expect("file");
    fs::write(url.path(), "https://hooks.example.com/").expect("address");
    let url = url.path().to_str().expect("path");
    let ours = ["sendmail-of-ours", "logger", "curl"];
    for (script, arguments) in
        [("mail.sh", &["noc@example.com"][..]), ("syslog.sh", &[]), ("webhook.sh", &["ntfy", url])]
    {
        let all = ours.map(|name| (name, "echo told >> \"$OUT\"; cat > /dev/null"));
        if has_jq() {
            assert_eq!(run(script, arguments, &all, changes), (true, "told\n".into()), "{script}");
            let fails = ours.map(|name| (name, "cat > /dev/null; exit 1"));
            assert!(!run(script, arguments, &fails, changes).0, "{script}: nobody was told");
        }
        let without_jq = [&all[..], &[("jq", "exit 127")]].concat();
        assert_eq!(
            run(script, arguments, &without_jq, changes),
            (false, String::new()),
            "{script} without jq"
        );
    }
}

#[test]
fn a_post_has_room_for_a_fleet_that_goes_dark_at_once() {
    if !has_jq() {
        return;
    }
    let change = |n| {
        format!(
            r#"{{"id":"{n}","name":"site-{n:05}","org":null,"from":"online","to":"offline","at":"2026-11-23T10:00:00Z"}}"#
        )
    };
    let input = format!("{{\"changes\":[{}]}}", (0..10_000).map(change).collect::<Vec<_>>().join(","));
    let url = tempfile::NamedTempFile::new().expect("file");
    fs::write(url.path(), "https://hooks.example.com/").expect("address");
    let curl = [("curl", "printf '%s\\n' \"$@\" > \"$OUT\"; cat > /dev/null")];
    for kind in ["slack", "ntfy"] {
        let (told, text) = run("webhook.sh", &[kind, url.path().to_str().expect("path")], &curl, &input);
        assert!(told && text.contains("site-00029: online → offline"), "{kind}: {text}");
        assert!(text.contains("and 9970 more") && !text.contains("site-00030"), "{kind}: {text}");
        // The least that one of the two takes as a text.
        assert!(text.len() < 4096, "{kind}: {} bytes", text.len());
    }
}
