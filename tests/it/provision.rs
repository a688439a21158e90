//! Keys: who has them, and `peer provision` and `script render`.

use crate::support::Hub;
use serde_json::json;
use std::fs;

const ROUTER_KEY: &str = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";

#[test]
fn a_location_can_wait_for_its_keys() {
    let hub = Hub::up();
    let run = hub.run(&["location", "add", "kiosk", "--no-provision"]).ok();
    assert_eq!(run.stdout, "");
    assert!(hub.live().is_empty());
    let l = hub.run(&["--json", "location", "show", "kiosk"]).ok().json()["location"].clone();
    assert_eq!(
        (&l["state"], &l["vpn_ip"], &l["vpn_public_key"]),
        (&json!("unprovisioned"), &json!(null), &json!(null))
    );
    let run = hub.run(&["script", "render", "kiosk"]).code(3);
    assert_eq!(
        run.error(),
        ("iwas-wg: location \"kiosk\" has no peer yet", "hint: run \"iwas-wg peer provision kiosk\"")
    );
    let run = hub.run(&["peer", "provision", "kiosk"]).ok();
    assert_eq!(run.stderr, "provisioned kiosk at 10.0.0.2\n");
    assert!(run.stdout.starts_with('#'));
    assert_eq!(hub.live().len(), 1);
    let run = hub.run(&["peer", "provision", "kiosk"]).code(4);
    assert!(run.error().0.starts_with("iwas-wg: location \"kiosk\" has a peer already ("), "{}", run.stderr);
}

#[test]
fn a_chosen_address_is_kept_for_an_unprovisioned_location() {
    let hub = Hub::up();
    hub.run(&["location", "add", "kiosk", "--no-provision", "--vpn-ip", "10.0.0.2"]).ok();
    assert_eq!(hub.add_for_address("other"), "10.0.0.3");
    assert_eq!(
        hub.run(&["--json", "peer", "provision", "kiosk"]).ok().json()["location"]["vpn_ip"],
        "10.0.0.2"
    );
}

#[test]
fn a_stored_key_is_rendered_again_and_needs_the_identity() {
    let hub = Hub::up();
    let first = hub.run(&["location", "add", "cafe"]).ok().stdout;
    assert_eq!(hub.run(&["script", "render", "cafe"]).ok().stdout, first);
    let identity = hub.path("etc/iwas-wg/identity.txt");
    fs::remove_file(&identity).expect("remove");
    let run = hub.run(&["script", "render", "cafe"]).code(7);
    assert_eq!(
        run.error(),
        (
            format!("iwas-wg: there is no identity at {}", identity.display()).as_str(),
            "hint: put the age identity there, or name it in keys.identity"
        )
    );
    // Without an identity the hub still seals.
    hub.run(&["location", "add", "sealed"]).ok();
}

#[test]
fn a_key_shown_once_is_never_shown_again() {
    let hub = Hub::up();
    let script = hub.run(&["location", "add", "tower", "--key-mode", "once"]).ok().stdout;
    assert!(script.starts_with('#'));
    let run = hub.run(&["script", "render", "tower"]).code(7);
    assert_eq!(run.error().0, "iwas-wg: the private key of \"tower\" was shown once and is not stored");
    let report = hub.run(&["script", "render", "tower", "--format", "json"]).ok().json();
    assert_eq!(report["private_key"], json!(null));
}

#[test]
fn script_json_has_what_a_program_needs() {
    let hub = Hub::up();
    let key = hub.add("cafe");
    let report = hub.run(&["script", "render", "cafe", "--format", "json"]).ok().json();
    let private = report["private_key"].as_str().expect("private key").to_owned();
    let hub_key = report["server_public_key"].as_str().expect("hub key").to_owned();
    assert_eq!(
        report,
        json!({"schema_version": 1, "name": "cafe", "vpn_ip": "10.0.0.2", "prefix_length": 24,
               "private_key": private, "server_public_key": hub_key, "endpoint_address": "vpn.example.com",
               "endpoint_port": 51820, "allowed_address": ["0.0.0.0/0"], "persistent_keepalive_seconds": 25})
    );
    let pair = iwas_wg::model::PrivateKey::from_base64(&private).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(pair.public().to_string(), key, "the script's key is not the peer's");
}

#[test]
fn a_router_can_bring_its_own_key() {
    let hub = Hub::up();
    let report = hub.run(&["--json", "location", "add", "cafe", "--public-key", ROUTER_KEY]).ok().json();
    assert_eq!(report["location"]["key_mode"], "router");
    assert_eq!(hub.live(), [(ROUTER_KEY.to_owned(), "10.0.0.2/32".into())]);
    let run = hub.run(&["location", "add", "bar", "--key-mode", "once", "--public-key", ROUTER_KEY]).code(2);
    assert_eq!(run.error().0, "iwas-wg: --public-key does not go with the key mode \"once\"");
    let own =
        hub.run(&["--json", "status"]).ok().json()["hub"]["public_key"].as_str().expect("key").to_owned();
    let run = hub.run(&["location", "add", "bar", "--public-key", &own]).code(4);
    assert_eq!(run.error().0, format!("iwas-wg: public key {own} is the hub's own"));
}

#[test]
fn a_router_that_makes_its_key_is_added_in_two_steps() {
    let hub = Hub::up();
    let run = hub.run(&["location", "add", "cafe", "--key-mode", "router"]).ok();
    assert!(run.stdout.starts_with('#'));
    assert!(hub.live().is_empty());
    assert_eq!(hub.run(&["peer", "provision", "cafe"]).code, 2);
    hub.run(&["peer", "provision", "cafe", "--public-key", ROUTER_KEY]).ok();
    assert_eq!(hub.live(), [(ROUTER_KEY.to_owned(), "10.0.0.2/32".into())]);
}

#[test]
fn the_key_of_a_removed_router_may_come_back() {
    let hub = Hub::up();
    hub.run(&["location", "add", "cafe", "--public-key", ROUTER_KEY]).ok();
    hub.run(&["location", "remove", "cafe", "-y"]).ok();
    hub.run(&["location", "add", "cafe2", "--public-key", ROUTER_KEY]).ok();
    hub.run(&["sync", "--check"]).ok();
    assert_eq!(hub.live(), [(ROUTER_KEY.to_owned(), "10.0.0.3/32".into())]);
}

#[test]
fn a_reset_peer_is_on_the_interface_without_its_sessions() {
    let hub = Hub::up();
    let key = hub.add("cafe");
    hub.shake(&key, 10);
    hub.run(&["peer", "reset", "cafe", "-n"]).ok();
    let handshake = |hub: &Hub| hub.device().interface.as_ref().expect("interface").peers[0].last_handshake;
    assert!(handshake(&hub).is_some());
    assert_eq!(hub.run(&["--json", "peer", "reset", "cafe"]).ok().json()["action"], "reset");
    assert_eq!(hub.live(), [(key, "10.0.0.2/32".into())]);
    assert!(handshake(&hub).is_none(), "the hub still remembers the old session");
    hub.run(&["sync", "--check"]).ok();
    hub.run(&["location", "add", "kiosk", "--no-provision"]).ok();
    hub.run(&["peer", "reset", "kiosk"]).code(3);
    hub.run(&["down"]).ok();
    hub.run(&["peer", "reset", "cafe"]).code(9);
}

#[test]
fn a_dry_run_promises_no_key_that_cannot_be_sealed() {
    let hub = Hub::up();
    let text = fs::read_to_string(hub.path("etc/iwas-wg/config.toml")).expect("settings");
    let recipients = text.lines().find(|l| l.starts_with("recipients")).expect("recipients").to_owned();
    hub.edit_settings(&recipients, "recipients = [\"age1nonsense\"]");
    for args in [&["location", "add", "cafe", "-n"][..], &["location", "add", "cafe"]] {
        let run = hub.run(args).code(6);
        assert_eq!(run.error().0, "iwas-wg: recipient \"age1nonsense\" is not an age or ssh public key");
    }
    hub.run(&["location", "add", "cafe", "--key-mode", "once"]).ok();
}
