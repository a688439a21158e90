//! Ansible as Debian ships it, on `examples/ansible`: a hub in a namespace with a real interface
//! comes to be, gets its locations, and is left alone by every further run.

use crate::{
    bench::{Backend, aloud, missing, ready, run, skip},
    netns::{HUB_ADDRESS, Net, Space},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/ansible");
const PROGRAM: &str = env!("CARGO_BIN_EXE_iwas-wg");

/// A machine for playbooks: a namespace and a root of its own.
struct Machine {
    space: Space,
    dir: tempfile::TempDir,
    vars: Value,
}

/// What a playbook said at its end.
struct Play {
    changed: u32,
    output: String,
}

impl Machine {
    fn new(net: &Net, backend: &str) -> Self {
        let space = net.hub();
        let dir = tempfile::tempdir().expect("temporary directory");
        let vars = json!({
            "iwas_wg_root": dir.path().join("root"),
            "iwas_wg_binary": PROGRAM,
            "iwas_wg_endpoint": HUB_ADDRESS,
            "iwas_wg_network": "10.77.0.0/24",
            "iwas_wg_interface": space.interface,
            "iwas_wg_backend": backend,
        });
        fs::create_dir(dir.path().join("root")).expect("root");
        Self { space, dir, vars }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// A program of Ansible's inside the namespace, with its own files in our directory.
    fn ansible(&self, program: &str) -> Command {
        let mut command = self.space.command("/usr/bin/env");
        let dir = self.dir.path().display();
        command.args([
            format!("HOME={dir}"),
            format!("ANSIBLE_LOCAL_TEMP={dir}/local"),
            format!("ANSIBLE_REMOTE_TEMP={dir}/remote"),
            format!("IWAS_WG_ROOT={}", self.root().display()),
            format!("IWAS_WG={PROGRAM}"),
        ]);
        command.args(["LC_ALL=C.UTF-8", "ANSIBLE_NOCOLOR=1", "ANSIBLE_NOCOWS=1", program]);
        command
    }

    /// Runs a playbook on this machine; it must not fail.
    #[track_caller]
    fn play(&self, book: &str, more: &Value, flags: &[&str]) -> Play {
        let mut command = self.ansible("ansible-playbook");
        command.args([
            "-i",
            "localhost,",
            "-c",
            "local",
            "-e",
            "ansible_python_interpreter=/usr/bin/python3",
        ]);
        command.args(["-e", &self.vars.to_string(), "-e", &more.to_string()]).args(flags);
        let output = run(command.arg(format!("{EXAMPLES}/{book}")));
        let recap = output.trim_end().lines().last().unwrap_or_default();
        let words = || recap.split_whitespace();
        assert!(words().any(|w| w == "failed=0"), "{output}");
        let changed = words().find_map(|w| w.strip_prefix("changed=")).and_then(|n| n.parse().ok());
        Play { changed: changed.unwrap_or_else(|| panic!("no recap: {output}")), output }
    }

    fn iwas_wg(&self, words: &[&str]) -> Value {
        let text = run(self.space.command(PROGRAM).arg("--json").arg("--root").arg(self.root()).args(words));
        serde_json::from_str(&text).expect("JSON")
    }

    fn peers(&self) -> usize {
        run(self.space.command("wg").args(["show", &self.space.interface, "peers"])).lines().count()
    }
}

/// Whether this machine can run the test at all.
fn can_run() -> bool {
    if ready() != Some(Backend::Userspace) {
        return false;
    }
    match missing(&["ansible-playbook", "ansible-inventory"]) {
        None => true,
        Some(reason) => {
            skip(&reason);
            false
        }
    }
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).expect("directory").next().is_none()
}

#[test]
fn ansible_makes_a_hub_and_its_locations_once() {
    if !can_run() {
        return;
    }
    let net = Net::new();
    let machine = Machine::new(&net, "userspace");
    let (hub, none) = ("hub.yml", json!({}));

    let checked = machine.play(hub, &none, &["--check"]);
    assert!(checked.changed > 0 && is_empty(&machine.root()), "--check did it:\n{}", checked.output);
    assert!(machine.play(hub, &none, &[]).changed > checked.changed);
    assert!(machine.root().join("etc/systemd/system/iwas-wg-heartbeat.timer").is_file());
    assert_eq!(machine.play(hub, &none, &["--check"]).changed, 0);
    let again = machine.play(hub, &none, &[]);
    assert_eq!(again.changed, 0, "{}", again.output);

    let fleet = |city: &str| {
        json!({"iwas_wg_locations": [
            {"name": "cafe", "org": "acme", "tags": {"city": city}, "description": "Ring 1"},
            {"name": "shop"},
        ]})
    };
    let checked = machine.play("locations.yml", &fleet("vienna"), &["--check", "--diff"]);
    assert_eq!((checked.changed, machine.peers()), (2, 0), "{}", checked.output);
    assert!(
        checked.output.contains("+        \"name\": \"shop\""),
        "no difference shown:\n{}",
        checked.output
    );
    assert_eq!(machine.play("locations.yml", &fleet("vienna"), &[]).changed, 2);
    assert_eq!(machine.peers(), 2);
    assert_eq!(machine.play("locations.yml", &fleet("vienna"), &["--check"]).changed, 0);
    let again = machine.play("locations.yml", &fleet("vienna"), &[]);
    assert_eq!(again.changed, 0, "{}", again.output);

    let mut moved = fleet("graz");
    let shop = moved["iwas_wg_locations"].as_array_mut().and_then(Vec::pop);
    assert!(shop.is_some());
    moved["iwas_wg_absent"] = json!(["shop"]);
    assert_eq!(machine.play("locations.yml", &moved, &[]).changed, 3);
    assert_eq!(machine.play("locations.yml", &moved, &[]).changed, 0);
    let list = machine.iwas_wg(&["location", "list"]);
    assert_eq!(list["locations"].as_array().expect("list").len(), 1);
    assert_eq!(list["locations"][0]["tags"], json!({"city": "graz"}));
    assert_eq!(machine.peers(), 1);
    aloud("hub and locations: the second run has changed=0");
}

#[test]
fn ansible_takes_over_a_hub_and_reads_its_inventory() {
    if !can_run() {
        return;
    }
    let net = Net::new();
    let first = Machine::new(&net, "none");
    first.play("hub.yml", &json!({"iwas_wg_schedule": "cron"}), &[]);
    assert!(first.root().join("etc/cron.d/iwas-wg").is_file());
    let fleet = json!({"iwas_wg_locations": [
        {"name": "cafe", "org": "acme", "tags": {"city": "vienna"}},
        {"name": "kiosk", "peer": "none"},
    ]});
    first.play("locations.yml", &fleet, &[]);
    first.iwas_wg(&["location", "set", "cafe", "--description", "{{ 7 * 7 }}"]);

    let script = format!("{EXAMPLES}/inventory.sh");
    let list = run(first.ansible("ansible-inventory").args(["-i", &script, "--list"]));
    let list: Value = serde_json::from_str(&list).expect("JSON");
    for group in ["org_acme", "tag_city_vienna", "never"] {
        assert_eq!(list[group]["hosts"], json!(["cafe"]), "{group}: {list:#}");
    }
    assert_eq!(list["_meta"]["hostvars"]["cafe"]["ansible_host"], "10.77.0.2");
    assert!(list["_meta"]["hostvars"]["kiosk"].is_null(), "a site without a peer cannot be reached");
    // A description is what somebody typed: no template of it may run here.
    let mut debug = first.ansible("ansible");
    debug.args(["all", "-i", &script, "-c", "local", "-m", "debug", "-a", "msg={{ iwas_wg_description }}"]);
    let said = run(&mut debug);
    assert!(said.contains("\"msg\": \"{{ 7 * 7 }}\""), "{said}");
    run(first
        .ansible("ansible-playbook")
        .args(["-i", &script, "--syntax-check"])
        .arg(format!("{EXAMPLES}/routers.yml")));

    let second = Machine::new(&net, "none");
    let conf = format!("etc/wireguard/{}.conf", second.space.interface);
    fs::create_dir_all(second.root().join("etc/wireguard")).expect("directory");
    fs::copy(first.root().join(&conf), second.root().join(&conf)).expect("conf");
    let adopt = json!({"iwas_wg_adopt": true});
    assert!(second.play("hub.yml", &adopt, &[]).changed > 0);
    assert_eq!(second.play("hub.yml", &adopt, &[]).changed, 0);
    let list = second.iwas_wg(&["location", "list"]);
    assert_eq!(list["locations"][0]["vpn_ip"], "10.77.0.2", "{list:#}");
    aloud("adoption: the second run has changed=0");
}
