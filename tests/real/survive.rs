//! A session survives whatever the hub does to others: a stream of pings through the tunnel loses
//! nothing, and the handshake is not made again.

use crate::{
    bench::{Backend, aloud, ready, run},
    hub::{HUB_VPN_IP, Hub},
    netns::Net,
    router::Router,
};
use std::{
    process::{Child, Stdio},
    time::{Duration, Instant},
};

/// A session is renewed by itself after 120 s; the handshake must be compared before that.
const ENOUGH: Duration = Duration::from_secs(80);

/// Starts to ask the hub 50 times a second.
fn stream(router: &Router) -> Child {
    let mut command = router.space.command("ping");
    command.args(["-n", "-i", "0.02", "-W", "5", HUB_VPN_IP]).stdout(Stdio::piped());
    command.spawn().expect("start ping")
}

/// Ends the stream; returns how many answers came and which are missing among them. What was
/// asked last may still be on its way and counts as neither.
fn end(child: Child) -> (usize, Vec<usize>) {
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).expect("end ping");
    let output = child.wait_with_output().expect("wait for ping");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let number = |line: &str| line.split("icmp_seq=").nth(1)?.split(' ').next()?.parse().ok();
    let came: std::collections::BTreeSet<usize> =
        text.lines().filter(|l| l.contains("bytes from")).filter_map(number).collect();
    let last = came.last().copied().unwrap_or(0);
    (came.len(), (1..=last).filter(|n| !came.contains(n)).collect())
}

#[test]
fn a_ping_stream_loses_nothing_while_others_come_and_go() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let router = Router::of_new_location(&net, &hub, "cafe");
    let key = hub.key_of("cafe");
    for name in ["lost", "reset"] {
        hub.ok(&format!("location add {name}"));
    }
    let lost = hub.key_of("lost");
    let handshake = hub.wait_for_handshake(&key);
    let rounds = if backend == Backend::Userspace { 100 } else { 10 };

    let began = Instant::now();
    let pings = stream(&router);
    let mut done = 0;
    while done < rounds && began.elapsed() < ENOUGH {
        hub.ok(&format!("location add --key-mode once site-{done}"));
        hub.ok(&format!("location remove site-{done} -y"));
        done += 1;
    }
    run(hub.space.command("wg").args(["set", &hub.interface(), "peer", &lost, "remove"]));
    assert_eq!(hub.json("sync")["changed"], true);
    assert!(hub.peers().contains_key(&lost), "sync did not bring the peer back");
    hub.ok("peer reset reset");
    let after = hub.peers().remove(&key).expect("the peer");
    let took = began.elapsed();
    let (came, missing) = end(pings);

    aloud(&format!("{came} pings, {done} adds and removes in {} s, {} lost", took.as_secs(), missing.len()));
    assert!(done >= 5, "only {done} adds and removes in {} s", took.as_secs());
    // A fast machine is through in two seconds.
    assert!(came >= 20, "the stream was no stream: {came} answers");
    assert_eq!(missing, Vec::<usize>::new(), "lost of {came}");
    assert_eq!(after.handshake, handshake, "the session was begun anew");
}
