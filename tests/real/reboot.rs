//! Hubs that other tools made, adopted, added to and rebooted with wg-quick(8) alone.

use crate::{
    bench::{Backend, ready, run},
    hub::Hub,
    netns::Net,
    router::wg_quick,
};
use std::{collections::BTreeMap, fs, path::Path};

/// What wg(8) shows of each peer that a reboot must not change: all but what the peer itself did.
fn peers(hub: &Hub) -> BTreeMap<String, String> {
    let dump = run(hub.space.command("wg").args(["show", hub.interface().as_str(), "dump"]));
    let peer = |line: &str| {
        let f: Vec<&str> = line.split('\t').collect();
        let mut allowed: Vec<&str> = f[3].split(',').collect();
        allowed.sort_unstable();
        (f[0].to_owned(), format!("{} {} {} {}", f[1], f[2], allowed.join(","), f[7]))
    };
    dump.lines().skip(1).map(peer).collect()
}

/// `[Interface]` of the interface: key, port, mark, MTU and addresses.
fn interface(hub: &Hub) -> String {
    let dump = run(hub.space.command("wg").args(["show", hub.interface().as_str(), "dump"]));
    let addresses = hub.space.ip(&format!("-brief address show dev {}", hub.interface()));
    let addresses: Vec<&str> =
        addresses.split_whitespace().skip(2).filter(|a| !a.starts_with("fe80")).collect();
    let link = hub.space.ip(&format!("link show dev {}", hub.interface()));
    let mtu = link.split_whitespace().skip_while(|w| *w != "mtu").nth(1).unwrap_or_default();
    format!("{} {addresses:?} {mtu}", dump.lines().next().unwrap_or_default())
}

/// Brings the style up as its tool left it, adopts it, adds a location and boots again.
fn survives(net: &Net, backend: Backend, style: &Path) {
    let root = tempfile::tempdir().expect("temporary directory");
    let hub = Hub::at(net, backend, root.path());
    fs::create_dir_all(hub.conf_path().parent().expect("a directory")).expect("make it");
    fs::copy(style, hub.conf_path()).expect("copy the conf");
    wg_quick(&hub.space, "up", &hub.conf_path());
    let (before, as_it_was) = (peers(&hub), interface(&hub));
    assert!(before.len() > 1, "{}", style.display());
    let lines = hub.conf();

    hub.ok(&format!(
        "init --adopt --endpoint 192.0.2.1 --interface {} --backend {}",
        hub.interface(),
        backend.as_str()
    ));
    assert_eq!(peers(&hub), before, "{}: adoption changed the interface", style.display());
    hub.ok("sync --check");
    let script = hub.ok("location add new-site");
    assert!(script.contains("new-site"));
    hub.ok("sync");
    let mut added = peers(&hub);
    let now = hub.conf();
    for line in lines.lines() {
        assert!(now.lines().any(|l| l == line), "{}: {line:?} is gone", style.display());
    }

    wg_quick(&hub.space, "down", &hub.conf_path());
    assert!(!hub.has_interface());
    wg_quick(&hub.space, "up", &hub.conf_path());
    assert_eq!(peers(&hub), added, "{}: after the boot", style.display());
    assert_eq!(interface(&hub), as_it_was, "{}", style.display());
    // SaveConfig throws all comments away, of which the adoption warned; sync writes the names again.
    if lines.contains("SaveConfig = true") {
        hub.ok("sync");
    }
    hub.ok("sync --check");
    added.retain(|key, _| before.contains_key(key));
    assert_eq!(added, before, "{}", style.display());
    wg_quick(&hub.space, "down", &hub.conf_path());
}

#[test]
fn the_hub_of_every_tool_is_adopted_added_to_and_comes_back_after_a_boot() {
    let Some(backend) = ready() else { return };
    let confs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/confs");
    let net = Net::new();
    let mut count = 0;
    for entry in fs::read_dir(confs).expect("the confs") {
        let style = entry.expect("a conf").path();
        let name = style.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        // dsnet has a file of its own, and these two name no network.
        if ["dsnet.json", "innernet.conf", "linuxserver.conf"].contains(&name) {
            continue;
        }
        survives(&net, backend, &style);
        count += 1;
    }
    assert_eq!(count, 13);
}
