//! What must not happen on a real hub: half an interface, somebody else's interface taken away, an
//! addition lost among others.

use crate::{
    bench::{Backend, ready, run},
    hub::{Hub, SOON},
    netns::Net,
    router::{Router, bare_interface},
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

#[track_caller]
fn error_of(stderr: &str) -> Value {
    let error: Value = serde_json::from_str(stderr).unwrap_or_else(|e| panic!("{e}: {stderr}"));
    error["error"].clone()
}

#[test]
fn a_heartbeat_without_the_interface_is_exit_9_and_changes_nothing() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    Router::of_new_location(&net, &hub, "cafe");
    hub.ok("heartbeat");
    hub.ok("down");
    // The age of a key goes on by itself.
    let status = || {
        let mut status = hub.json("status");
        status["locations"][0]["key_age_seconds"].take();
        status
    };
    let before = status();

    let failed = hub.run("--json heartbeat").code(9);
    assert_eq!(failed.stdout, "");
    let error = error_of(&failed.stderr);
    assert_eq!(error["code"], "device");
    assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("iwas-wg up")), "{error}");
    assert_eq!(status(), before);
}

#[test]
fn locations_added_at_once_all_reach_the_interface_and_the_conf() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let names: Vec<String> = (0..12).map(|n| format!("site-{n}")).collect();
    let add = |name: &String| -> Child {
        let mut command = hub.program(&format!("--lock-timeout 60 location add {name}"));
        command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().expect("start iwas-wg")
    };
    let running: Vec<Child> = names.iter().map(add).collect();
    // Cron and people do not wait until an import is through.
    for words in
        ["--lock-timeout 60 heartbeat", "status", "location list", "--lock-timeout 60 heartbeat", "status"]
    {
        let beside = hub.run(words).code(0);
        assert!(!beside.stderr.contains("locked") && !beside.stderr.contains("differs"), "{beside:#?}");
    }
    for mut child in running {
        assert!(child.wait().expect("wait").success());
    }

    let peers = hub.peer_list();
    let addresses: BTreeSet<&String> = peers.iter().map(|(_, allowed)| allowed).collect();
    assert_eq!((peers.len(), addresses.len()), (12, 12), "{peers:#?}");
    let conf = hub.conf();
    for name in &names {
        let location = hub.location(name);
        let key = location["vpn_public_key"].as_str().expect("a key").to_owned();
        let allowed = format!("{}/32", location["vpn_ip"].as_str().expect("an address"));
        assert!(peers.contains(&(key.clone(), allowed)), "{name} is not on the interface");
        assert!(conf.contains(&key), "{name} is not in the conf");
    }
}

#[test]
fn a_taken_udp_port_leaves_no_half_interface() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let mut hub = Hub::new(&net, backend);
    // Another interface in the hub's namespace has the port.
    let other = net.another_in_hub();
    bare_interface(&other, backend);
    let name = &other.interface;
    run(other.command("wg").args(["set", name, "listen-port", "51820"]));
    other.ip(&format!("link set {name} up"));
    // A program in userspace takes the port some time after it hears that the link is up; the kernel
    // does so at once.
    let deadline = Instant::now() + SOON;
    let is_bound = || run(other.command("cat").arg("/proc/net/udp")).contains(":CA6C ");
    while backend == Backend::Userspace && !is_bound() {
        assert!(Instant::now() < deadline, "the other interface never took the port");
        thread::sleep(Duration::from_millis(20));
    }

    let failed = hub.run("--json up").code(4);
    let error = error_of(&failed.stderr);
    assert_eq!(error["code"], "conflict");
    assert!(error["message"].as_str().is_some_and(|m| m.contains("51820")), "{error}");
    assert!(!hub.has_interface(), "a half interface was left");
    assert!(other.ip("-o link show").contains(&format!(": {name}: ")), "the other interface is gone");

    hub.vars.push(("IWAS_WG_LISTEN_PORT", "51821".to_owned()));
    hub.ok("up");
    assert!(hub.has_interface());
}

#[test]
fn an_interface_of_another_kind_is_never_touched() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::new(&net, backend);
    let name = hub.interface();
    hub.space.ip(&format!("link add {name} type veth peer name other"));
    hub.space.ip(&format!("address add 198.51.100.1/24 dev {name}"));
    let before = hub.space.ip(&format!("-o address show {name}"));

    for command in ["up", "down", "heartbeat", "sync"] {
        let failed = hub.run(&format!("--json {command}")).code(4);
        let error = error_of(&failed.stderr);
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains("not a WireGuard interface"), "{command}: {error}");
    }
    let added = hub.run("location add cafe").code(4);
    assert!(added.stderr.contains("not a WireGuard interface"), "{added:#?}");
    hub.run("location show cafe").code(3);
    assert_eq!(hub.space.ip(&format!("-o address show {name}")), before);
}

#[test]
fn a_location_added_while_the_interface_is_down_is_there_after_up() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::new(&net, backend);
    // The location is committed and its script printed all the same: nothing has to be done twice.
    let added = hub.run("location add cafe").code(9);
    assert!(added.stderr.contains("the store is committed"), "{added:#?}");
    hub.ok("up");
    let router = Router::new(&net, backend, &added.stdout);
    assert!(router.is_heard(), "{:#?}", hub.peers());
}

#[test]
fn drift_is_told_by_doctor_and_heartbeat_and_mended_by_sync() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let router = Router::of_new_location(&net, &hub, "cafe");
    hub.ok("location add lost");
    let (kept, lost) = (hub.key_of("cafe"), hub.key_of("lost"));
    let before = hub.peers();
    hub.ok("doctor");
    hub.ok("sync --check");
    assert_eq!(hub.run("heartbeat").code(0).stderr, "");

    run(hub.space.command("wg").args(["set", &hub.interface(), "peer", &lost, "remove"]));
    let told = hub.run("doctor").code(5);
    assert!(told.stdout.contains("iwas-wg sync"), "{told:#?}");
    let beat = hub.run("heartbeat").code(0);
    assert!(beat.stderr.contains("iwas-wg sync"), "{beat:#?}");
    hub.run("sync --check").code(5);

    hub.ok("sync");
    hub.ok("sync --check");
    hub.ok("doctor");
    let after = hub.peers();
    assert_eq!(after[&lost].allowed_ips, before[&lost].allowed_ips);
    assert_eq!(after[&kept].handshake, before[&kept].handshake, "the session was begun anew");
    assert!(router.is_heard());
}
