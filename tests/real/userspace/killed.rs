//! Killed between any two calls that reach the disk or the interface, with a real interface as the
//! third place: afterwards `sync` alone makes store, interface and conf equal.

use crate::{
    bench::{aloud, missing, ready, run, skip},
    hub::{HUB_VPN_IP, Hub},
    netns::Net,
    router::Router,
};
use std::{collections::BTreeMap, fs, path::Path, time::Duration};

/// Calls that change something outside the process, or ask the interface.
const CALLS: &str = "socket,connect,sendto,recvfrom,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,\
                     unlink,unlinkat,ftruncate,flock";

#[test]
fn a_kill_at_any_call_leaves_what_sync_brings_in_line() {
    let Some(backend) = ready() else { return };
    if let Some(reason) = missing(&["strace"]) {
        return skip(&reason);
    }
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let log = tempfile::NamedTempFile::new().expect("temporary file");
    for name in ["alpha", "gamma"] {
        hub.ok(&format!("location add {name}"));
    }
    let mut killed = 0;
    for words in ["location add epsilon", "location remove beta --yes", "sync"] {
        prepare(&hub);
        for (call, count) in calls(&hub, log.path(), words) {
            for n in 1..=count {
                prepare(&hub);
                let inject = format!("inject={call}:signal=KILL:when={n}");
                // Where more is known of the conf than in the first run, the call may never come.
                let output = hub.traced(&["-o", "/dev/null", "-e", &inject], words).output();
                killed += usize::from(!output.expect("start strace").status.success());
                hub.ok("sync");
                hub.ok("sync --check");
                assert_equal(&hub, &format!("{words} with {inject}"));
            }
        }
    }
    assert!(killed > 100, "only {killed} instants were found");
    aloud(&format!("killed at {killed} instants beside a real interface, nothing lost"));
}

/// The moment that counts most: the next key has shaken hands, and the hub is killed on its way to
/// giving it the address. The router is heard afterwards, whatever it takes `sync` to do.
#[test]
fn a_kill_while_the_address_moves_to_a_next_key_loses_no_router() {
    let Some(backend) = ready() else { return };
    if let Some(reason) = missing(&["strace"]) {
        return skip(&reason);
    }
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let mut router = Router::of_new_location(&net, &hub, "cafe");
    let log = tempfile::NamedTempFile::new().expect("temporary file");
    turn(&hub, &mut router);
    let mut killed = 0;
    let undisturbed = calls(&hub, log.path(), "heartbeat");
    assert!(router.is_heard());
    for (call, count) in undisturbed {
        for n in 1..=count {
            turn(&hub, &mut router);
            let inject = format!("inject={call}:signal=KILL:when={n}");
            // Where less is left to do than in the first run, the call may never come.
            let _ = hub.traced(&["-o", "/dev/null", "-e", &inject], "heartbeat").output();
            hub.ok("sync");
            hub.ok("sync --check");
            assert!(hub.location("cafe")["rotating_since"].is_null(), "heartbeat with {inject}");
            assert_equal(&hub, &format!("heartbeat with {inject}"));
            assert!(router.is_heard(), "not heard after heartbeat with {inject}: {:#?}", hub.peers());
            killed += 1;
        }
    }
    assert!(killed > 50, "only {killed} instants were found");
    aloud(&format!("killed at {killed} instants while the address moved to a next key, no router lost"));
}

/// Begins a rotation and has the router use its next key.
fn turn(hub: &Hub, router: &mut Router) {
    let old = hub.key_of("cafe");
    hub.ok("peer rotate cafe");
    let rotate = hub.ok("script render cafe --kind rotate");
    let key = rotate.lines().find_map(|l| l.trim().strip_prefix(":local iwKey ")).expect("the next key");
    key.trim_matches('"').clone_into(&mut router.settings.private_key);
    let file = hub.root().join("next.key");
    fs::write(&file, &router.settings.private_key).expect("key");
    let mut wg = router.space.command("wg");
    run(wg.args(["set", &router.space.interface, "private-key"]).arg(&file));
    router.space.reaches(HUB_VPN_IP, Duration::ZERO);
    let next = hub.peers().into_keys().find(|k| *k != old).expect("a next key");
    hub.wait_for_handshake(&next);
}

/// A location that can be removed, a name that is free, and a stranger's hand for `sync`.
fn prepare(hub: &Hub) {
    hub.ok("location remove epsilon --if-exists --yes");
    hub.ok("location add beta --if-not-exists");
    let key = hub.key_of("alpha");
    let interface = hub.interface();
    let mut wg = hub.space.command("wg");
    let done = wg.args(["set", &interface, "peer", &key, "remove"]).status().expect("start wg");
    assert!(done.success(), "wg set");
}

/// How often an undisturbed run makes each of the calls: in the thread that makes it most often, since
/// each thread's are counted for itself when one of them is to be hit.
fn calls(hub: &Hub, log: &Path, words: &str) -> BTreeMap<String, usize> {
    let trace = format!("trace={CALLS}");
    let output = hub.traced(&["-o", &log.display().to_string(), "-e", &trace], words).output();
    assert!(output.expect("start strace").status.success(), "{words} failed");
    let mut counts = BTreeMap::new();
    for line in fs::read_to_string(log).expect("the log").lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let call = rest.trim_start().split('(').next();
        if let Some(name) = call.filter(|n| CALLS.split(',').any(|c| c == *n)) {
            *counts.entry((name.to_owned(), thread.to_owned())).or_insert(0) += 1;
        }
    }
    counts.into_iter().fold(BTreeMap::new(), |mut most, ((name, _), n)| {
        most.entry(name).and_modify(|m: &mut usize| *m = n.max(*m)).or_insert(n);
        most
    })
}

/// Store, interface and conf hold the same peers with the same addresses.
fn assert_equal(hub: &Hub, when: &str) {
    let list = hub.json("location list");
    let stored: Vec<(String, String)> = list["locations"]
        .as_array()
        .expect("locations")
        .iter()
        .map(|l| (text(&l["vpn_public_key"]), format!("{}/32", text(&l["vpn_ip"]))))
        .collect();
    let conf = hub.conf();
    for (key, allowed) in &stored {
        assert!(conf.contains(&format!("PublicKey = {key}\nAllowedIPs = {allowed}\n")), "conf after {when}");
    }
    assert_eq!(conf.lines().filter(|l| *l == "[Peer]").count(), stored.len(), "conf after {when}");
    let mut stored = stored;
    stored.sort();
    assert_eq!(hub.peer_list(), stored, "interface after {when}");
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().expect("a string").to_owned()
}
