//! What is true of the kernel's `WireGuard` only. These run inside the virtual machine.

use crate::{
    bench::{Backend, ready, run},
    hub::{HUB_VPN_IP, Hub},
    netns::Net,
    router::Router,
};
use std::{
    env,
    path::Path,
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Names the root of a hub with many locations.
pub(crate) const FLEET: &str = "IWAS_WG_REAL_FLEET";

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
    let root = env::var_os(FLEET).expect("the fleet that was made outside, where it is quicker");
    let mut hub = Hub::at(&net, backend, Path::new(&root));
    hub.vars = vec![("IWAS_WG_INTERFACE", hub.interface()), ("IWAS_WG_BACKEND", "kernel".to_owned())];
    let last = hub.json("location list")["locations"].as_array().expect("locations").len();
    // One message of the library holds 12 KiB, and a peer takes 80 bytes.
    assert!(last > 12 * 1024 / 80, "{last} locations fit into one message");
    hub.ok("up");
    assert_eq!(hub.peers().len(), last);
    let script = hub.ok("location add the-last");
    let router = Router::new(&net, backend, &script);
    assert!(router.is_heard());
    assert_eq!(hub.json("up")["changed"], false, "not all peers were read back");
    let beat = hub.json("heartbeat");
    assert_eq!((&beat["checked"], &beat["online"]), (&(last + 1).into(), &1.into()), "{beat}");
}

/// Moves the clock of the virtual machine, and back when dropped.
struct ClockSetBack(u64);

impl ClockSetBack {
    fn by_seconds(seconds: u64) -> Self {
        let inside = env::var_os("IWAS_WG_VIRTUAL_MACHINE").is_some_and(|v| v == "1");
        assert!(inside, "this test changes the machine's clock and belongs into the virtual machine");
        Self::add(-i64::try_from(seconds).expect("few seconds"));
        Self(seconds)
    }

    fn add(seconds: i64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let then = now.checked_add_signed(seconds).expect("after 1970");
        run(Command::new("date").arg("-s").arg(format!("@{then}")));
    }
}

impl Drop for ClockSetBack {
    fn drop(&mut self) {
        Self::add(i64::try_from(self.0).expect("few seconds"));
    }
}

#[test]
#[ignore = "runs inside the virtual machine"]
fn peer_reset_lets_a_router_in_whose_clock_went_backwards() {
    let Some(backend) = ready() else { return };
    let net = Net::alone();
    let hub = Hub::up(&net, backend);
    let router = Router::of_new_location(&net, &hub, "no-battery");
    let other = Router::of_new_location(&net, &hub, "other");
    let key = hub.key_of("other");
    let before = hub.peers();

    // Handshakes carry the sender's time, and the hub takes an older one than the last for a replay.
    let clock = ClockSetBack::by_seconds(3600);
    router.stop();
    router.start();
    assert!(!router.space.reaches(HUB_VPN_IP, Duration::from_secs(5)), "this is not what the reset is for");
    hub.ok("peer reset no-battery");
    assert!(router.is_heard(), "{:#?}", hub.peers());
    assert_eq!(hub.peers()[&key].handshake, before[&key].handshake, "another session was begun anew");
    assert!(other.is_heard());
    drop(clock);
}
