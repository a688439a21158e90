//! What is true of a userspace `WireGuard` only: it has to be found, it can die, and its control
//! socket is visible in every namespace.

mod killed;

use crate::{
    bench::{Backend, aloud, ready, run},
    hub::{AFTER_RESTART, HUB_VPN_IP, Hub},
    netns::{Net, Space},
    router::{Router, bare_interface},
};
use std::{fs, os::unix::fs::symlink, process::Command};

fn kernel_has_wireguard(space: &Space) -> bool {
    let mut command: Command = space.command("ip");
    let made = command.args(["link", "add", "probe", "type", "wireguard"]).output().expect("start ip");
    if made.status.success() {
        space.ip("link delete probe");
    }
    made.status.success()
}

/// A net whose kernel cannot help; nothing where it can, which no setting can take away from it.
fn net_without_kernel() -> Option<Net> {
    ready()?;
    let net = Net::new();
    if kernel_has_wireguard(&net.hub()) {
        aloud("skipped: this kernel has WireGuard, so nothing here is without it");
        return None;
    }
    Some(net)
}

#[test]
fn up_without_any_wireguard_names_both_remedies() {
    let Some(net) = net_without_kernel() else { return };
    let mut hub = Hub::new(&net, Backend::Userspace);
    let empty = tempfile::tempdir().expect("temporary directory");
    hub.vars.push(("PATH", empty.path().display().to_string()));
    hub.vars.push(("IWAS_WG_BACKEND", "auto".to_owned()));

    let failed = hub.run("up").code(9);
    assert!(failed.stderr.contains("modprobe wireguard"), "{failed:#?}");
    assert!(failed.stderr.contains("install wireguard-go"), "{failed:#?}");
    assert!(!hub.has_interface());
}

#[test]
fn auto_falls_back_to_the_program_and_says_so_once() {
    let Some(net) = net_without_kernel() else { return };
    let mut hub = Hub::new(&net, Backend::Userspace);
    hub.vars.push(("IWAS_WG_BACKEND", "auto".to_owned()));
    let first = hub.run("up").code(0);
    assert_eq!(first.stderr.matches("wireguard-go").count(), 1, "{first:#?}");
    let second = hub.run("up").code(0);
    assert!(!second.stderr.contains("wireguard-go"), "{second:#?}");
    Router::of_new_location(&net, &hub, "cafe");
}

#[test]
fn backend_kernel_without_kernel_is_exit_9() {
    let Some(net) = net_without_kernel() else { return };
    let mut hub = Hub::new(&net, Backend::Userspace);
    hub.vars.push(("IWAS_WG_BACKEND", "kernel".to_owned()));
    let failed = hub.run("up").code(9);
    assert!(failed.stderr.contains("this kernel has no WireGuard"), "{failed:#?}");
    assert!(!hub.has_interface());
}

#[test]
fn the_named_program_is_used_and_must_be_absolute_or_in_path() {
    let Some(_) = ready() else { return };
    let net = Net::new();
    let mut hub = Hub::new(&net, Backend::Userspace);
    let elsewhere = tempfile::tempdir().expect("temporary directory");
    let program = elsewhere.path().join("my-wireguard");
    let real = run(Command::new("sh").args(["-c", "command -v wireguard-go"]));
    symlink(real.trim(), &program).expect("link the program");

    hub.vars.push(("WG_USERSPACE_IMPLEMENTATION", "./my-wireguard".to_owned()));
    hub.run("up").code(9);
    hub.vars[0].1 = program.display().to_string();
    hub.ok("up");
    let process = hub.space.processes().first().expect("a process in the namespace").clone();
    let words = fs::read_to_string(format!("/proc/{process}/cmdline")).expect("its command line");
    assert!(words.contains("my-wireguard"), "{words:?}");
}

#[test]
fn up_recovers_from_a_killed_program() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let router = Router::of_new_location(&net, &hub, "cafe");
    let peers = hub.peer_list();
    let process = hub.space.processes().first().expect("a process in the namespace").clone();
    run(Command::new("kill").args(["-KILL", &process]));
    // Its interface goes with it, its socket stays behind.
    while hub.has_interface() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }

    hub.run("heartbeat").code(9);
    hub.ok("up");
    assert_eq!(hub.peer_list(), peers);
    assert!(router.space.reaches(HUB_VPN_IP, AFTER_RESTART), "{:#?}", hub.peers());
}

#[test]
fn an_interface_in_another_namespace_is_left_alone() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::new(&net, backend);
    let mut elsewhere = net.add_router();
    elsewhere.interface = hub.interface();
    bare_interface(&elsewhere, backend);

    let failed = hub.run("up").code(9);
    assert!(failed.stderr.contains("another network namespace"), "{failed:#?}");
    assert!(!hub.has_interface());
    assert!(!elsewhere.processes().is_empty(), "the other program was ended");
    hub.ok("down");
    assert!(!elsewhere.processes().is_empty(), "the other program was ended");
}
