//! `peer list` and `peer show`.

use crate::support::Hub;
use serde_json::json;

#[test]
fn peers_are_the_locations_that_have_keys() {
    let hub = Hub::up();
    assert_eq!(hub.run(&["peer", "list"]).ok().stderr, "no peers\n");
    assert_eq!(hub.run(&["--json", "peer", "list"]).ok().json(), json!({"schema_version": 1, "peers": []}));
    let shop = hub.add("shop");
    let run = ["--json", "location", "add", "cafe", "--org", "acme", "--key-mode", "once"];
    let cafe = hub.run(&run).ok().json()["location"]["vpn_public_key"].clone();
    hub.run(&["location", "add", "kiosk", "--no-provision"]).ok();
    hub.shake(&shop, 10);
    hub.run(&["heartbeat"]).ok();

    let list = hub.run(&["--json", "peer", "list"]).ok();
    assert!(list.stdout.starts_with("{\"schema_version\":1,\"peers\":[{\"name\":\"cafe\",\"org\":\"acme\","));
    let peers = list.json()["peers"].clone();
    assert_eq!(
        peers[0],
        json!({
            "name": "cafe", "org": "acme", "vpn_ip": "10.0.0.3", "vpn_public_key": cafe,
            "allowed_ips": ["10.0.0.3/32"], "key_mode": "once", "enabled": true, "is_online": false,
            "state": "never", "last_handshake": null, "endpoint": null, "rx_bytes": 0, "tx_bytes": 0,
            "key_created_at": "2026-11-23T10:00:00Z", "key_age_seconds": 0, "preshared": false,
            "rotating_since": null,
        })
    );
    assert_eq!((&peers[1]["name"], &peers[1]["state"]), (&json!("shop"), &json!("online")));
    assert_eq!(peers.as_array().expect("peers").len(), 2);
    assert_eq!(hub.run(&["--json", "peer", "show", "shop"]).ok().json()["peer"], peers[1]);

    assert_eq!(hub.run(&["peer", "list", "-o", "name"]).ok().stdout, "cafe\nshop\n");
    assert_eq!(hub.run(&["peer", "list", "-o", "name", "--state", "online"]).ok().stdout, "shop\n");
    assert_eq!(hub.run(&["peer", "list", "-o", "name", "--org", "acme"]).ok().stdout, "cafe\n");
    let table = hub.run(&["peer", "list"]).ok().stdout;
    assert!(table.lines().nth(2).is_some_and(|row| row.contains(&shop)), "{table}");
    let page = hub.run(&["peer", "show", "shop"]).ok().stdout;
    for line in [format!("public key      {shop}\n"), "allowed ips     10.0.0.2/32\n".to_owned()] {
        assert!(page.contains(&line), "{page}");
    }
}

#[test]
fn a_peer_that_is_not_there_is_not_found() {
    let hub = Hub::up();
    hub.run(&["location", "add", "kiosk", "--no-provision"]).ok();
    let run = hub.run(&["peer", "show", "kiosk"]).code(3);
    let hint = "hint: run \"iwas-wg peer provision kiosk\"";
    assert_eq!(run.error(), ("iwas-wg: location \"kiosk\" has no peer yet", hint));
    let run = hub.run(&["--json", "peer", "show", "kiosc"]).code(3);
    let error: serde_json::Value = serde_json::from_str(&run.stderr).expect("one object");
    assert_eq!(error["error"]["hint"], "did you mean \"kiosk\"?");
    hub.run(&["peer", "show", "Kiosk"]).code(2);
}
