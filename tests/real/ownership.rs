//! Two hubs and one interface name: what the remedies of the refusal do is done for real.

use crate::{
    bench::{ready, run},
    hub::Hub,
    netns::Net,
    router::bare_interface,
};
use std::fs;

#[test]
fn the_interface_of_another_hub_is_left_alone_and_each_way_out_works() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let (first, second) = (Hub::new(&net, backend), Hub::new(&net, backend));
    let name = first.interface();
    first.ok("up");
    first.ok("location add cafe");
    first.ok("location add shop");
    let dump = || {
        let mut lines: Vec<String> =
            run(first.space.command("wg").args(["show", &name, "dump"])).lines().map(str::to_owned).collect();
        // The program has its peers in no order. The line of the interface stays the first.
        lines[1..].sort();
        lines
    };
    let before = dump();
    let key = before[0].split('\t').nth(1).expect("the hub's public key").to_owned();

    for words in ["up", "sync", "sync --check", "down", "heartbeat", "location add bar", "up --dry-run"] {
        let refused = second.run(words).code(4);
        for part in [key.as_str(), "UDP port 51820", "2 peers", &format!("ip link del {name}")] {
            assert!(refused.stderr.contains(part), "{words}: {refused:#?}");
        }
        assert_eq!(dump(), before, "{words} changed the interface");
    }
    assert!(second.run("check").code(3).stdout.contains("UNKNOWN"));
    assert_eq!(second.json("status")["source"], "heartbeat");
    second.run("location show bar").code(3);
    first.ok("sync --check");

    // `init` in a third root: refused, then with another name, then as an adoption.
    let third = tempfile::tempdir().expect("directory");
    let third = Hub::at(&net, backend, third.path());
    let init = format!("init --endpoint 192.0.2.1 --backend {}", backend.as_str());
    let refused = third.run(&format!("{init} --interface {name}")).code(4);
    assert!(refused.stderr.contains(&key) && refused.stderr.contains("--adopt"), "{refused:#?}");
    assert!(!third.root().join("etc").exists(), "a refused init left something behind");
    let file = third.root().join("showconf");
    fs::write(&file, run(first.space.command("wg").args(["showconf", &name]))).expect("file");
    third.ok(&format!("{init} --interface {name} --adopt --from {}", file.display()));
    third.ok("sync");
    assert_eq!(dump(), before, "the adoption changed the interface");
    assert_eq!(third.json("location list")["locations"].as_array().map(Vec::len), Some(2));

    let fourth = tempfile::tempdir().expect("directory");
    let mut fourth = Hub::at(&net, backend, fourth.path());
    fourth.space = net.another_in_hub();
    let other = fourth.interface();
    fourth.ok(&format!("{init} --interface {other} --listen-port 51999 --network 10.78.0.0/24"));
    fourth.ok("up");
    fourth.ok("down");

    // By hand it can be removed, and the name is the second hub's.
    first.space.ip(&format!("link del {name}"));
    second.ok("up");
    second.ok("sync --check");
    first.run("down").code(4);
    second.ok("down");
    assert!(!second.has_interface());
}

#[test]
fn an_interface_that_was_made_and_got_no_key_is_finished() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::new(&net, backend);
    for words in ["up", "sync"] {
        bare_interface(&hub.space, backend);
        hub.run("sync --check").code(5);
        hub.ok(words);
        hub.ok("sync --check");
        hub.ok("down");
    }
    // One that somebody is making use of already is theirs.
    bare_interface(&hub.space, backend);
    let name = hub.interface();
    run(hub.space.command("wg").args(["set", &name, "peer", "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="]));
    let refused = hub.run("up").code(4);
    assert!(refused.stderr.contains("no key") && refused.stderr.contains("1 peer"), "{refused:#?}");
    hub.run("down").code(4);
    assert!(hub.has_interface());
}
