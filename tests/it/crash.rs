//! Killed or interrupted at every system call, and with a disk that fails at every write: afterwards `sync`
//! alone brings store and conf in line, each command was carried out whole or not at all, no address
//! is given twice, and no key that was shown or reported stored is lost.
//!
//! strace(1) counts the calls of one undisturbed run, then the same run is repeated once for each
//! call, killed at its entry or told that it failed.

mod calls;

use crate::support::Hub;
use calls::{DISK, PURE};
use iwas_wg::fsx::Mark;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_iwas-wg");

/// Whether every system call is an instant, the pure ones too: `tests/run.sh --full`.
fn is_full() -> bool {
    std::env::var_os("IWAS_WG_FULL").is_some()
}

/// Whether strace can be had; loud if not, and a failure where it should be there.
fn strace_is_there() -> bool {
    let works = Command::new("strace")
        .args(["-qq", "-o", "/dev/null", "-e", "inject=fsync:error=EIO:when=1", "true"])
        .status()
        .is_ok_and(|s| s.success());
    if !works {
        let required = std::env::var("IWAS_WG_REQUIRE_REAL").is_ok();
        assert!(!required, "strace is missing or may not trace: install it");
        std::io::Write::write_all(&mut std::io::stderr(), b"skipped: needs strace\n").expect("stderr");
    }
    works
}

/// A hub with three locations and a backup, to be copied for each instant.
fn template() -> Hub {
    let hub = Hub::with_network("10.0.0.0/24");
    hub.edit_settings("backend     = \"auto\"", "backend = \"none\"");
    for name in ["alpha", "beta", "gamma", "zeta"] {
        hub.add(name);
    }
    hub.run(&["backup", hub.path("backup").to_str().expect("path")]).ok();
    // Something for `sync` to do, and something in the backup that the store has no more.
    hub.run(&["location", "remove", "zeta", "-y"]).ok();
    let conf = hub.conf().replace("10.0.0.3/32", "10.0.0.77/32");
    fs::write(hub.path("etc/wireguard/wg0.conf"), conf).expect("conf");
    let fleet = "name,key_mode\nimported-1,once\nimported-2,stored\nimported-3,once\n";
    fs::write(hub.path("fleet.csv"), fleet).expect("fleet");
    hub
}

/// A hub in line whose conf is known, with so many bytes of comments in it that it is kept twice or
/// is not.
fn known(comments: usize) -> Hub {
    let hub = Hub::with_network("10.0.0.0/24");
    hub.edit_settings("backend     = \"auto\"", "backend = \"none\"");
    let conf = hub.path("etc/wireguard/wg0.conf");
    fs::write(&conf, "# and nothing else\n".repeat(comments / 19) + &hub.conf()).expect("conf");
    for name in ["alpha", "beta", "gamma"] {
        hub.add(name);
    }
    hub
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp");
    assert!(status.success(), "cp failed");
    // A copied conf is another file, and would have to be read: here it is to be known.
    let conf = to.join("etc/wireguard/wg0.conf");
    let mark = |path: &Path| Mark::of(path).map(|m| m.to_string());
    let store = rusqlite::Connection::open(to.join("var/lib/iwas-wg/iwas-wg.db")).expect("store");
    let spare = mark(&conf.with_file_name(".wg0.conf.iwas-wg"));
    store.execute("UPDATE conf_seen SET mark = ?1, spare = ?2", (mark(&conf), spare)).expect("store");
}

/// What is meant to lie in the hub's own directory begins with `ROOT/`.
fn placed(root: &Path, args: &[&str]) -> Vec<String> {
    args.iter().map(|a| a.replace("ROOT/", &format!("{}/", root.display()))).collect()
}

fn iwas_wg(root: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_clear().arg("--root").arg(root).args(placed(root, args)).stdin(Stdio::null());
    command
}

fn traced(root: &Path, strace: &[&str], args: &[&str]) -> Output {
    let mut command = Command::new("strace");
    // Only the calls in question stop the program: all others run at full speed.
    command.args(["-f", "-qq", "--seccomp-bpf"]).args(strace).arg(PROGRAM);
    command.arg("--root").arg(root).args(placed(root, args));
    command.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null()).output().expect("strace")
}

/// How often each system call is made by an undisturbed run.
fn calls(template: &Path, args: &[&str]) -> BTreeMap<String, usize> {
    let dir = tempfile::tempdir().expect("directory");
    let (root, log) = (dir.path().join("root"), dir.path().join("log"));
    copy(template, &root);
    let output = traced(&root, &["-o", log.to_str().expect("path")], args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut counts = BTreeMap::new();
    for line in fs::read_to_string(log).expect("log").lines() {
        // With -f a line begins with the process's number.
        let call = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').split('(').next();
        if let Some(name) = call.filter(|n| n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')) {
            *counts.entry(name.to_owned()).or_insert(0) += 1;
        }
    }
    // The first call starts the program: killed there, nothing of it ever ran.
    counts.remove("execve");
    assert!(
        counts.contains_key("fsync") || counts.contains_key("fdatasync"),
        "{args:?} made nothing durable"
    );
    counts.retain(|call, _| is_full() || !PURE.contains(&call.as_str()));
    counts
}

/// All that a command may change of a location, but for keys that are made anew each time.
fn digest(locations: &serde_json::Value) -> Vec<String> {
    let all = locations["locations"].as_array().expect("locations").iter();
    all.map(|l| format!("{} {} {} {}", l["name"], l["vpn_ip"], l["org"], l["tags"])).collect()
}

/// The fleet before a command and after it.
type Outcomes = [Vec<String>; 2];

fn outcomes(template: &Path, args: &[&str]) -> Outcomes {
    let dir = tempfile::tempdir().expect("directory");
    let root = dir.path().join("root");
    copy(template, &root);
    let list = || {
        let output = iwas_wg(&root, &["--json", "location", "list"]).output().expect("run");
        digest(&serde_json::from_slice(&output.stdout).expect("list"))
    };
    let before = list();
    assert!(iwas_wg(&root, args).output().expect("run").status.success(), "{args:?} failed undisturbed");
    [before, list()]
}

/// How a run that was told of a fault may end: not in a panic, and not in silence.
fn examine_ending(disturbed: &Output, now: &Vec<String>, [before, after]: &Outcomes) -> Result<(), String> {
    let Some(code) = disturbed.status.code() else {
        return Ok(());
    };
    if code == 0 {
        let whole = serde_json::from_slice::<serde_json::Value>(&disturbed.stdout).is_ok();
        return if whole && now == after { Ok(()) } else { Err("success was told of nothing".into()) };
    }
    let stderr = String::from_utf8_lossy(&disturbed.stderr);
    let told = stderr.lines().last().and_then(|l| serde_json::from_str::<serde_json::Value>(l).ok());
    // Where the fault hit standard error itself, only the exit code is left.
    if told.is_some_and(|e| e["error"]["exit"] != code) || !(1..=9).contains(&code) {
        return Err(format!("exit {code}, and said: {stderr}"));
    }
    if code == 9 && before != after && now == before {
        return Err("exit 9 without a commit".into());
    }
    Ok(())
}

/// What must hold after any disturbance.
fn examine(root: &Path, disturbed: &Output, outcomes: &Outcomes) -> Result<(), String> {
    let said = |o: &Output| String::from_utf8_lossy(&o.stderr).into_owned();
    let run = |args: &[&str]| iwas_wg(root, args).output().expect("run");
    let sync = run(&["sync"]);
    if !sync.status.success() {
        return Err(format!("sync failed: {}", said(&sync)));
    }
    if run(&["sync", "--check"]).status.code() != Some(0) {
        return Err("drift is left after sync".into());
    }
    for verify in [["audit", "verify"], ["secrets", "verify"]] {
        let run = run(&verify);
        if !run.status.success() {
            return Err(format!("{verify:?}: {}", said(&run)));
        }
    }
    let list = run(&["--json", "location", "list"]);
    let list: serde_json::Value = serde_json::from_slice(&list.stdout).map_err(|e| e.to_string())?;
    let now = digest(&list);
    if !outcomes.contains(&now) {
        return Err(format!("half of it was done: {now:?}"));
    }
    examine_ending(disturbed, &now, outcomes)?;
    let locations = list["locations"].as_array().ok_or("no list")?;
    let conf = fs::read_to_string(root.join("etc/wireguard/wg0.conf")).map_err(|e| e.to_string())?;
    let mut addresses = BTreeSet::new();
    let mut blocks = 0;
    for l in locations {
        let ip = l["vpn_ip"].as_str().ok_or("no address")?;
        let next = l["moving_to"].as_str();
        for ip in next.into_iter().chain([ip]) {
            if !addresses.insert(ip.to_owned()) {
                return Err(format!("{ip} was given twice"));
            }
        }
        let (Some(key), true) = (l["vpn_public_key"].as_str(), l["enabled"] == true) else {
            continue;
        };
        let more = next.map(|ip| format!(", {ip}/32")).unwrap_or_default();
        let preshared = conf.lines().skip_while(|l| !l.ends_with(key)).nth(1);
        let preshared = preshared.filter(|l| l.starts_with("PresharedKey")).map(|l| format!("{l}\n"));
        let preshared = preshared.unwrap_or_default();
        if !conf.contains(&format!("PublicKey = {key}\n{preshared}AllowedIPs = {ip}/32{more}\n")) {
            return Err(format!("{} is not in the conf", l["name"]));
        }
        blocks += 1 + usize::from(!l["rotating_since"].is_null());
    }
    if conf.lines().filter(|l| *l == "[Peer]").count() != blocks {
        return Err("the conf has another number of peers".into());
    }
    // A report that reached its reader was about something that is durable.
    if let Ok(report) = serde_json::from_slice::<serde_json::Value>(&disturbed.stdout) {
        let (action, l) = (report["action"].as_str().unwrap_or_default(), &report["location"]);
        let there =
            locations.iter().any(|x| x["name"] == l["name"] && x["vpn_public_key"] == l["vpn_public_key"]);
        let kept = report["replaced"].as_str();
        if report["changed"] == true && kept.is_some_and(|kept| !Path::new(kept).exists()) {
            return Err("the replaced store was reported kept and is not there".into());
        }
        let rotating = locations.iter().any(|x| x["name"] == l["name"] && !x["rotating_since"].is_null());
        if action == "rotating" && report["changed"] == true && !rotating {
            return Err("a next key was shown and is lost".into());
        }
        if report["changed"] == true && there != (action != "removed") && !l.is_null() {
            return Err(format!("{action} was reported and is not so"));
        }
    }
    imported(root, locations, disturbed)?;
    // A stored key can be shown again, whoever has seen it or not.
    if locations.iter().any(|l| l["name"] == "epsilon" && l["key_mode"] == "stored") {
        let script = run(&["script", "render", "epsilon", "--format", "json"]);
        let script: serde_json::Value =
            serde_json::from_slice(&script.stdout).map_err(|e| format!("{e}: {}", said(&script)))?;
        let key = script["private_key"].as_str().ok_or("a stored key is lost")?;
        let shown = String::from_utf8_lossy(&disturbed.stdout);
        if shown.ends_with("}\n") && !shown.contains(key) {
            return Err("another key was stored than shown".into());
        }
    }
    for entry in ["etc/wireguard", "var/lib/iwas-wg"] {
        for file in fs::read_dir(root.join(entry)).map_err(|e| e.to_string())? {
            let name = file.map_err(|e| e.to_string())?.file_name();
            if name.to_string_lossy().starts_with(".iwas-wg.") {
                return Err(format!("{} stayed behind", name.display()));
            }
        }
    }
    // The next location works, and takes nobody's address.
    let next = run(&["--json", "location", "add", "omega"]);
    let next: serde_json::Value =
        serde_json::from_slice(&next.stdout).map_err(|e| format!("{e}: {}", said(&next)))?;
    let ip = next["location"]["vpn_ip"].as_str().ok_or("no address")?;
    if addresses.contains(ip) { Err(format!("{ip} was given twice")) } else { Ok(()) }
}

/// An import is all there or not at all, and no key that is in a script alone is lost.
fn imported(root: &Path, locations: &[serde_json::Value], disturbed: &Output) -> Result<(), String> {
    let new: Vec<_> =
        locations.iter().filter(|l| l["name"].as_str().is_some_and(|n| n.starts_with("imported-"))).collect();
    if !new.is_empty() && new.len() != 3 {
        return Err(format!("{} of 3 locations were imported", new.len()));
    }
    for l in &new {
        let name = l["name"].as_str().ok_or("no name")?;
        let script = fs::read_to_string(root.join(format!("scripts/{name}.rsc")))
            .map_err(|e| format!("{name} is there, and its script is not: {e}"))?;
        let key = script.split("iwKey \"").nth(1).and_then(|s| s.split('"').next());
        let key = key.ok_or("no key in the script")?;
        let key = iwas_wg::model::PrivateKey::from_base64(key).map_err(str::to_owned)?;
        if l["vpn_public_key"] != key.public().to_string() {
            return Err(format!("the script of {name} has another key"));
        }
    }
    let scripts = fs::read_dir(root.join("scripts")).into_iter().flatten().flatten();
    let left: Vec<_> = scripts.map(|f| f.file_name()).filter(|_| new.is_empty()).collect();
    // Who is killed cannot clear up; who is told of a failure or interrupted can.
    let interrupted = disturbed.status.signal() == Some(2);
    let failed = disturbed.status.code().is_some_and(|c| (1..128).contains(&c));
    if (failed || interrupted) && !left.is_empty() {
        return Err(format!("the import failed, and {left:?} stayed"));
    }
    Ok(())
}

/// Repeats a command with each of the disturbances on two threads; returns how many there were.
fn disturb(template: &Path, args: &[&str], disturbances: &[String]) -> usize {
    let outcomes = outcomes(template, args);
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(inject) = disturbances.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let dir = tempfile::tempdir().expect("directory");
                    let root: PathBuf = dir.path().join("root");
                    copy(template, &root);
                    let call = inject.split(['=', ':']).nth(1).expect("a call");
                    let only = format!("trace={call}");
                    let output = traced(&root, &["-o", "/dev/null", "-e", &only, "-e", inject], args);
                    if let Err(why) = examine(&root, &output, &outcomes) {
                        failures.lock().expect("lock").push(format!("{args:?} with {inject}: {why}"));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("lock");
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), disturbances.len(), failures.join("\n"));
    disturbances.len()
}

fn commands(hub: &Hub) -> Vec<Vec<String>> {
    let backup = hub.path("backup").display().to_string();
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    vec![
        words("--json location add epsilon"),
        words("--json location add epsilon --key-mode once"),
        words("--json location remove beta --yes"),
        words("--json location set alpha --org acme --tag a=b"),
        words("--json sync"),
        words("--json location import ROOT/fleet.csv --scripts-dir ROOT/scripts"),
        words("--json secrets reseal"),
        [words("--json restore"), vec![backup], words("--yes")].concat(),
    ]
}

/// A hub with a peer in every stage of its life.
fn lives() -> Hub {
    let hub = Hub::with_network("10.0.0.0/24");
    hub.edit_settings("backend     = \"auto\"", "backend = \"none\"");
    for name in ["alpha", "moving", "off", "rotating"] {
        hub.add(name);
    }
    hub.run(&["location", "add", "secret", "--preshared"]).ok();
    hub.run(&["peer", "rotate", "rotating", "--preshared"]).ok();
    hub.run(&["peer", "move", "moving", "--vpn-ip", "10.0.0.50"]).ok();
    hub.run(&["peer", "disable", "off"]).ok();
    hub
}

#[test]
fn a_kill_at_any_moment_of_a_peers_life_loses_nothing() {
    if !strace_is_there() {
        return;
    }
    let hub = lives();
    let killed: usize = [
        "--json peer rotate alpha",
        "--json peer rotate secret --key-mode once",
        "--json peer rotate rotating --abort",
        "--json peer disable rotating",
        "--json peer enable off",
        "--json peer revoke secret --yes",
        "--json peer move alpha --vpn-ip 10.0.0.60",
        "--json peer move moving --done",
        "--json location rename alpha omicron",
    ]
    .iter()
    .map(|command| kill_everywhere(&hub, &command.split(' ').collect::<Vec<_>>()))
    .sum();
    tell(&format!("killed at {killed} instants of a peer's life, nothing lost"));
}

fn kill_everywhere(hub: &Hub, args: &[&str]) -> usize {
    send_everywhere(hub, args, "KILL")
}

fn send_everywhere(hub: &Hub, args: &[&str], signal: &str) -> usize {
    let instants: Vec<String> = calls(hub.root(), args)
        .into_iter()
        .flat_map(|(call, n)| (1..=n).map(move |i| format!("inject={call}:signal={signal}:when={i}")))
        .collect();
    assert!(instants.len() > 30, "{args:?}: only {} instants were found", instants.len());
    disturb(hub.root(), args, &instants)
}

#[test]
fn a_kill_at_any_system_call_loses_nothing() {
    if !strace_is_there() {
        return;
    }
    let hub = template();
    let mut killed = 0;
    for command in commands(&hub) {
        let args: Vec<&str> = command.iter().map(String::as_str).collect();
        killed += kill_everywhere(&hub, &args);
    }
    tell(&format!("killed at {killed} instants, nothing lost"));
}

#[test]
fn a_kill_while_a_known_conf_grows_loses_nothing() {
    if !strace_is_there() {
        return;
    }
    let args = ["--json", "location", "add", "epsilon"];
    let mut disturbed = 0;
    for comments in [0, 1_200_000] {
        let hub = known(comments);
        let calls = calls(hub.root(), &args);
        assert_eq!(calls.get("renameat2"), Some(&1), "the conf was written whole: {calls:?}");
        let kills = calls
            .iter()
            .flat_map(|(call, n)| (1..=*n).map(move |i| format!("inject={call}:signal=KILL:when={i}")));
        let faults = calls
            .iter()
            .filter(|(call, _)| DISK.contains(&call.as_str()))
            .flat_map(|(call, n)| (1..=*n).map(move |i| format!("inject={call}:error=EIO:when={i}")));
        disturbed += disturb(hub.root(), &args, &kills.chain(faults).collect::<Vec<_>>());
    }
    tell(&format!("disturbed {disturbed} times while the conf grew, nothing lost"));
}

#[test]
fn a_control_c_at_any_system_call_of_an_import_leaves_nothing_behind() {
    if !strace_is_there() {
        return;
    }
    let hub = template();
    let (file, dir) = ("ROOT/fleet.csv", "ROOT/scripts");
    let interrupted =
        send_everywhere(&hub, &["--json", "location", "import", file, "--scripts-dir", dir], "INT");
    tell(&format!("interrupted at {interrupted} instants, nothing left behind"));
}

#[test]
fn a_disk_that_fails_at_any_write_loses_nothing() {
    if !strace_is_there() {
        return;
    }
    let hub = template();
    let mut injected = 0;
    for command in commands(&hub) {
        let args: Vec<&str> = command.iter().map(String::as_str).collect();
        let faults: Vec<String> = calls(hub.root(), &args)
            .into_iter()
            .filter(|(call, _)| DISK.contains(&call.as_str()))
            .flat_map(|(call, n)| {
                (1..=n).flat_map(move |i| {
                    let call = call.clone();
                    ["ENOSPC", "EIO"].map(|error| format!("inject={call}:error={error}:when={i}"))
                })
            })
            .collect();
        assert!(faults.len() > 20, "{args:?}: only {} faults were found", faults.len());
        injected += disturb(hub.root(), &args, &faults);
    }
    tell(&format!("{injected} faults injected, nothing lost"));
}

/// Figures for whoever reads the log.
fn tell(text: &str) {
    std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes()).expect("stderr");
}
