//! What wg(8) does to a peer behind our back is seen, and corrected without a session lost.

use crate::{
    bench::{Backend, ready, run},
    hub::Hub,
    netns::Net,
    router::Router,
};
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
};

/// What the control socket says of an interface and a peer: compared with what is wanted, or why not.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("private_key", "compared: it says whose the interface is"),
    ("listen_port", "compared"),
    ("fwmark", "compared"),
    ("public_key", "compared"),
    ("preshared_key", "compared"),
    ("allowed_ip", "compared"),
    ("persistent_keepalive_interval", "compared where it was adopted"),
    ("endpoint", "compared where it was adopted and the peer has not spoken"),
    ("protocol_version", "there is one"),
    ("last_handshake_time_sec", "measured"),
    ("last_handshake_time_nsec", "measured"),
    ("rx_bytes", "measured"),
    ("tx_bytes", "measured"),
    ("errno", "the end of the answer"),
];

#[test]
fn a_preshared_key_that_wg_sets_is_seen_and_corrected_and_no_session_ends() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let other = Router::of_new_location(&net, &hub, "other");
    let script = hub.ok("location add cafe --preshared");
    let cafe = Router::new(&net, backend, &script);
    assert!(cafe.is_heard() && other.is_heard(), "{:#?}", hub.peers());
    hub.ok("sync --check");
    let (key, other_key, name) = (hub.key_of("cafe"), hub.key_of("other"), hub.interface());
    let shown = || run(hub.space.command("wg").args(["show", &name, "preshared-keys"]));
    let wanted = shown();
    let session = hub.peers()[&other_key].handshake;

    let file = hub.root().join("preshared");
    let secret = run(hub.space.command("wg").arg("genpsk"));
    fs::write(&file, &secret).expect("file");
    let set = |peer: &str, file: &str| {
        run(hub.space.command("wg").args(["set", &name, "peer", peer, "preshared-key", file]));
    };
    let file = file.display().to_string();
    for (peer, from) in [(&key, file.as_str()), (&key, "/dev/null"), (&other_key, &file)] {
        set(peer, from);
        assert_ne!(shown(), wanted);
        let check = hub.run("sync --check").code(5);
        assert!(!check.stderr.contains(secret.trim()) && check.stderr.contains(peer.as_str()), "{check:#?}");
        assert_eq!(hub.json("heartbeat")["drift"], 1);
        hub.run("doctor").code(5);
        hub.ok("sync");
        let sorted = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<String>>();
        assert_eq!(sorted(&shown()), sorted(&wanted));
        hub.ok("sync --check");
    }
    assert!(hub.peers()[&other_key].handshake >= session, "a session ended");
    assert!(cafe.is_heard() && other.is_heard());
}

#[test]
fn every_attribute_that_the_control_socket_shows_is_compared_or_has_a_reason() {
    let Some(backend) = ready() else { return };
    if backend != Backend::Userspace {
        return;
    }
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let script = hub.ok("location add cafe --preshared");
    let router = Router::new(&net, backend, &script);
    assert!(router.is_heard());
    let name = hub.interface();
    run(hub.space.command("wg").args(["set", &name, "fwmark", "7"]));
    let mut socket = UnixStream::connect(format!("/var/run/wireguard/{name}.sock")).expect("socket");
    socket.write_all(b"get=1\n\n").expect("ask");
    let lines = BufReader::new(socket).lines().map(|l| l.expect("line")).take_while(|l| !l.is_empty());
    let shown: BTreeSet<String> = lines.filter_map(|l| Some(l.split_once('=')?.0.to_owned())).collect();
    let known: BTreeSet<String> = ATTRIBUTES.iter().map(|(key, _)| (*key).to_owned()).collect();
    let unknown: Vec<&String> = shown.difference(&known).collect();
    assert!(unknown.is_empty(), "say whether it is compared: {unknown:?}");
    assert!(shown.len() >= 10, "{shown:?}");
}
