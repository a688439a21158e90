//! What is true of the kernel's `WireGuard` only. These run inside the virtual machine.

use crate::{
    bench::{Backend, ready},
    hub::Hub,
    netns::Net,
    router::Router,
};

#[test]
#[ignore = "runs inside the virtual machine"]
fn auto_takes_the_kernel_and_starts_no_program() {
    let Some(backend) = ready() else { return };
    assert_eq!(backend, Backend::Kernel);
    let net = Net::new();
    let mut hub = Hub::new(&net, backend);
    hub.vars.push(("IWAS_WG_BACKEND", "auto".to_owned()));
    let said = hub.run("up").code(0);
    assert!(!said.stderr.contains("userspace") && !said.stderr.contains("wireguard-go"), "{said:#?}");
    let link = hub.space.ip(&format!("-d link show {}", hub.interface()));
    assert!(link.contains("wireguard"), "{link}");
    assert_eq!(hub.space.processes(), Vec::<String>::new());
    Router::of_new_location(&net, &hub, "cafe");
}

#[test]
#[ignore = "runs inside the virtual machine"]
fn more_peers_than_one_netlink_message_holds_all_arrive() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let mut hub = Hub::new(&net, backend);
    // Only the store at first, so that all of them reach the interface at once. One message holds
    // about 12 KiB, a peer takes about 80 bytes.
    hub.vars.push(("IWAS_WG_BACKEND", "none".to_owned()));
    let last = 160;
    for n in 0..last {
        hub.ok(&format!("location add --key-mode once site-{n}"));
    }
    hub.vars.clear();
    hub.ok("up");
    assert_eq!(hub.peers().len(), last);
    let script = hub.ok("location add the-last");
    let router = Router::new(&net, backend, &script);
    assert!(router.is_heard());
    assert_eq!(hub.json("up")["changed"], false, "not all peers were read back");
    let beat = hub.json("heartbeat");
    assert_eq!((&beat["checked"], &beat["online"]), (&(last + 1).into(), &1.into()), "{beat}");
}
