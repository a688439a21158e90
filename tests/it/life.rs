//! The life of a peer: rotate, disable, enable, revoke, expire, move, rename, preshared keys.

use crate::support::{Hub, Run, START};
use serde_json::{Value, json};

const ROUTER_KEY: &str = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";

fn show(hub: &Hub, name: &str) -> Value {
    hub.run(&["--json", "location", "show", name]).ok().json()["location"].clone()
}

fn key_of(hub: &Hub, name: &str) -> String {
    show(hub, name)["vpn_public_key"].as_str().expect("key").to_owned()
}

/// The key on the interface that is not among these.
#[track_caller]
fn other_key(hub: &Hub, known: &[&str]) -> String {
    let live = hub.live();
    let mut others = live.into_iter().map(|(key, _)| key).filter(|k| !known.contains(&k.as_str()));
    let other = others.next().expect("another key");
    assert_eq!(others.next(), None);
    other
}

fn peers(mut expected: Vec<(&str, &str)>) -> Vec<(String, String)> {
    expected.sort_unstable();
    expected.into_iter().map(|(key, ips)| (key.to_owned(), ips.to_owned())).collect()
}

fn last(run: &Run) -> &str {
    run.stderr.lines().last().unwrap_or_default()
}

/// Interface and conf are as the store wants them.
#[track_caller]
fn in_line(hub: &Hub) {
    hub.run(&["sync", "--check"]).ok();
}

#[test]
fn rotate_keeps_both_keys_until_the_new_one_has_shaken_hands() {
    let hub = Hub::up();
    let (old, other) = (hub.add("cafe"), hub.add("other"));
    hub.shake(&old, 10);
    let run = hub.run(&["peer", "rotate", "cafe"]).ok();
    let new = other_key(&hub, &[&old, &other]);
    assert!(run.stdout.contains(&new) && !run.stdout.contains(&old), "{}", run.stdout);
    assert_eq!(hub.live(), peers(vec![(&old, "10.0.0.2/32"), (&new, ""), (&other, "10.0.0.3/32")]));
    let block = format!("\n[Peer]\n# friendly_name = cafe\nPublicKey = {new}\n");
    assert!(hub.conf().ends_with(&block), "{}", hub.conf());
    in_line(&hub);
    let l = show(&hub, "cafe");
    assert_eq!((&l["vpn_public_key"], &l["rotating_since"]), (&json!(old), &json!("2026-11-23T10:00:00Z")));
    assert!(hub.run(&["status"]).ok().stderr.contains("cafe: rotating since 2026-11-23T10:00:00Z\n"));
    assert!(
        hub.run(&["location", "show", "cafe"]).ok().stdout.contains("rotating since  2026-11-23T10:00:00Z\n")
    );

    // Nothing happens without a handshake, and the heartbeat sees no drift in the second key.
    let run = hub.run(&["heartbeat"]).ok();
    assert_eq!(
        (run.stderr.as_str(), show(&hub, "cafe")["vpn_public_key"].as_str()),
        ("", Some(old.as_str()))
    );

    hub.now.set(START + 120);
    hub.shake(&new, 5);
    let applied = hub.device().applied.len();
    assert_eq!(hub.run(&["heartbeat"]).ok().stderr, "");
    assert_eq!(hub.device().applied.len(), applied + 1, "the address moves in one message");
    assert_eq!(hub.live(), peers(vec![(&new, "10.0.0.2/32"), (&other, "10.0.0.3/32")]));
    assert!(!hub.conf().contains(&old));
    in_line(&hub);
    let l = show(&hub, "cafe");
    assert_eq!((&l["vpn_public_key"], &l["rotating_since"]), (&json!(new), &Value::Null));
    assert_eq!((&l["is_online"], &l["key_age_seconds"]), (&json!(true), &json!(120)));
    let script = hub.run(&["script", "render", "cafe"]).ok().stdout;
    assert!(script.contains(&new) && !script.contains(&old));
}

#[test]
fn a_second_rotate_prints_the_same_script_and_a_different_one_is_refused() {
    let hub = Hub::up();
    hub.add("cafe");
    let first = hub.run(&["peer", "rotate", "cafe"]).ok();
    let again = hub.run(&["--json", "peer", "rotate", "cafe"]).ok().json();
    assert_eq!((&again["changed"], &again["script"]), (&json!(false), &json!(first.stdout)));
    assert_eq!(hub.run(&["script", "render", "cafe", "--kind", "rotate"]).ok().stdout, first.stdout);
    let refused = "iwas-wg: the peer of \"cafe\" is being rotated since 2026-11-23T10:00:00Z";
    for flags in [["--key-mode", "once"], ["--public-key", ROUTER_KEY]] {
        let run = hub.run(&[&["peer", "rotate", "cafe"], &flags[..]].concat()).code(4);
        assert_eq!(run.error().0, refused);
    }
    hub.run(&["peer", "rotate", "cafe", "--abort"]).ok();
    hub.run(&["peer", "rotate", "cafe", "--key-mode", "once"]).ok();
    let run = hub.run(&["peer", "rotate", "cafe"]).code(4);
    assert_eq!(
        run.error(),
        (
            "iwas-wg: the next private key of \"cafe\" was shown once and is not stored",
            "hint: \"iwas-wg peer rotate cafe --abort\" gives it up; then make another"
        )
    );
}

#[test]
fn abort_leaves_the_old_key_and_never_takes_it_from_a_router_that_has_turned() {
    let hub = Hub::up();
    let old = hub.add("cafe");
    hub.run(&["peer", "rotate", "cafe"]).ok();
    let new = other_key(&hub, &[&old]);
    hub.shake(&old, 30);
    hub.shake(&new, 10);
    let run = hub.run(&["peer", "rotate", "cafe", "--abort"]).code(4);
    assert_eq!(
        run.error(),
        (
            "iwas-wg: the router of cafe uses its next key already",
            "hint: \"iwas-wg sync\" finishes the rotation"
        )
    );
    // It went back to the old key afterwards: that one is the router's.
    hub.shake(&old, 5);
    hub.run(&["heartbeat"]).ok();
    assert_eq!(key_of(&hub, "cafe"), old);
    hub.run(&["peer", "rotate", "cafe", "--abort"]).ok();
    assert_eq!(hub.live(), peers(vec![(&old, "10.0.0.2/32")]));
    assert!(!hub.conf().contains(&new));
    in_line(&hub);
    assert_eq!(last(&hub.run(&["peer", "rotate", "cafe", "--abort"]).ok()), "cafe is not being rotated");
}

#[test]
fn a_key_that_never_comes_is_given_up_in_time() {
    let hub = Hub::up();
    hub.edit_settings("# rotate_timeout = \"24h\"", "rotate_timeout = 600");
    let old = hub.add("cafe");
    hub.run(&["peer", "rotate", "cafe"]).ok();
    hub.now.set(START + 599);
    assert_eq!(hub.run(&["heartbeat"]).ok().stderr, "");
    hub.now.set(START + 600);
    let run = hub.run(&["heartbeat"]).ok();
    assert_eq!(
        run.stderr,
        "iwas-wg: warning: the new key of cafe never shook hands and was given up; the old one stays\n"
    );
    assert_eq!(hub.live(), peers(vec![(&old, "10.0.0.2/32")]));
    in_line(&hub);
}

#[test]
fn sync_finishes_what_a_crash_left_and_a_dry_run_only_says_so() {
    let hub = Hub::up();
    let old = hub.add("cafe");
    hub.run(&["peer", "rotate", "cafe"]).ok();
    let new = other_key(&hub, &[&old]);
    hub.shake(&new, 1);
    let run = hub.run(&["sync", "--check"]).code(5);
    assert!(
        run.stderr.contains("would finish the rotation of cafe: its new key has shaken hands"),
        "{run:?}"
    );
    assert_eq!(key_of(&hub, "cafe"), old);
    hub.run(&["sync"]).ok();
    assert_eq!((key_of(&hub, "cafe"), hub.live()), (new.clone(), peers(vec![(&new, "10.0.0.2/32")])));
    // A reboot in the middle of the next one: the conf alone has both.
    hub.run(&["peer", "rotate", "cafe"]).ok();
    let next = other_key(&hub, &[&new]);
    hub.run(&["down"]).ok();
    hub.run(&["up"]).ok();
    assert_eq!(hub.live(), peers(vec![(&new, "10.0.0.2/32"), (&next, "")]));
}

#[test]
fn wait_moves_the_address_at_once_or_says_that_nothing_came() {
    let hub = Hub::up();
    let old = hub.add("cafe");
    let run = hub.run(&["peer", "rotate", "cafe", "--wait=0"]).code(5);
    assert!(
        last(&run).starts_with("no handshake with the new key of cafe within 0 s; the old key still works")
    );
    let new = other_key(&hub, &[&old]);
    hub.shake(&new, 0);
    let run = hub.run(&["peer", "rotate", "cafe", "--wait"]).ok();
    assert_eq!(last(&run), format!("cafe uses its new key {new}"));
    assert_eq!(hub.live(), peers(vec![(&new, "10.0.0.2/32")]));
}

#[test]
fn a_router_that_makes_its_own_key_is_rotated_in_two_steps() {
    let hub = Hub::up();
    let next = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
    hub.run(&["location", "add", "tower", "--public-key", ROUTER_KEY]).ok();
    let first = hub.run(&["--json", "peer", "rotate", "tower"]).ok().json();
    assert_eq!((&first["changed"], &first["location"]["rotating_since"]), (&json!(false), &Value::Null));
    assert!(first["script"].as_str().is_some_and(|s| s.contains("peer rotate")), "{first}");
    let second = hub.run(&["peer", "rotate", "tower", "--public-key", next]).ok().stdout;
    assert!(second.contains(next), "{second}");
    assert_eq!(hub.live(), peers(vec![(ROUTER_KEY, "10.0.0.2/32"), (next, "")]));
    let run = hub.run(&["location", "add", "thief", "--public-key", next]).code(4);
    assert_eq!(run.error().0, format!("iwas-wg: public key {next} belongs to \"tower\""));
    hub.shake(next, 1);
    hub.run(&["heartbeat"]).ok();
    assert_eq!(hub.live(), peers(vec![(next, "10.0.0.2/32")]));
    assert_eq!(show(&hub, "tower")["key_mode"], "router");
}

#[test]
fn a_whole_fleet_is_rotated_by_age() {
    let hub = Hub::up();
    let (a, b) = (hub.add("a"), hub.add("b"));
    hub.run(&["location", "add", "r", "--public-key", ROUTER_KEY]).ok();
    hub.add("off");
    hub.run(&["peer", "disable", "off"]).ok();
    hub.now.set(START + 90 * 86_400);
    let young = hub.add("young");
    let dir = hub.path("scripts");
    let dir = dir.to_str().expect("path");
    let args = ["--json", "peer", "rotate", "--all", "--older-than", "90d", "--scripts-dir", dir];
    let dry = hub.run(&[&args[..], &["-n"]].concat()).ok().json();
    assert_eq!((&dry["changed"], &dry["rotating"]), (&json!(false), &json!(["a", "b"])));
    let applied = hub.device().applied.len();
    let report = hub.run(&args).ok().json();
    assert_eq!(
        (&report["rotating"], &report["asked"], &report["skipped"]),
        (&json!(["a", "b"]), &json!(["r"]), &json!(["off"]))
    );
    assert_eq!(report["written"].as_array().map(Vec::len), Some(3));
    assert_eq!(hub.device().applied.len(), applied + 1);
    let pending: Vec<_> = hub.live().into_iter().filter(|(_, ips)| ips.is_empty()).collect();
    assert_eq!(pending.len(), 2);
    let script = std::fs::read_to_string(hub.path("scripts/a.rsc")).expect("script");
    assert!(pending.iter().any(|(key, _)| script.contains(key)) && !script.contains(&a), "{script}");
    in_line(&hub);
    assert!(hub.live().iter().any(|(key, _)| *key == young) && hub.live().iter().any(|(key, _)| *key == b));
    assert_eq!(
        hub.run(&["peer", "rotate", "--all", "--older-than", "x", "--scripts-dir", dir]).code(2).code,
        2
    );
}

#[test]
fn disable_keeps_key_and_address_and_enable_brings_them_back() {
    let hub = Hub::up();
    let (key, other) = (hub.add("cafe"), hub.add("other"));
    hub.shake(&key, 5);
    hub.run(&["heartbeat"]).ok();
    let off = hub.run(&["--json", "peer", "disable", "cafe"]).ok().json();
    assert_eq!((&off["action"], &off["location"]["state"]), (&json!("disabled"), &json!("disabled")));
    assert_eq!((&off["location"]["is_online"], &off["location"]["enabled"]), (&json!(false), &json!(false)));
    assert_eq!(hub.live(), peers(vec![(&other, "10.0.0.3/32")]));
    assert!(!hub.conf().contains(&key));
    in_line(&hub);
    assert_eq!(hub.run(&["--json", "status"]).ok().json()["counts"]["disabled"], 1);
    assert_eq!(hub.run(&["--json", "peer", "disable", "cafe"]).ok().json()["changed"], false);
    for verb in [&["peer", "reset", "cafe"][..], &["peer", "rotate", "cafe"]] {
        let run = hub.run(verb).code(4);
        assert_eq!(
            run.error(),
            ("iwas-wg: the peer of \"cafe\" is disabled", "hint: run \"iwas-wg peer enable cafe\" first")
        );
    }
    let run = hub.run(&["location", "add", "thief", "--vpn-ip", "10.0.0.2"]).code(4);
    assert!(run.error().0.contains("is held by \"cafe\""), "{run:?}");
    let on = hub.run(&["--json", "peer", "enable", "cafe"]).ok().json();
    assert_eq!((&on["changed"], &on["location"]["vpn_public_key"]), (&json!(true), &json!(key)));
    assert_eq!(hub.live(), peers(vec![(&key, "10.0.0.2/32"), (&other, "10.0.0.3/32")]));
    in_line(&hub);
}

#[test]
fn a_rotation_survives_disable_and_enable() {
    let hub = Hub::up();
    let old = hub.add("cafe");
    hub.run(&["peer", "rotate", "cafe"]).ok();
    let new = other_key(&hub, &[&old]);
    hub.run(&["peer", "disable", "cafe"]).ok();
    assert!(hub.live().is_empty() && !hub.conf().contains("\n[Peer]"));
    hub.run(&["peer", "enable", "cafe"]).ok();
    assert_eq!(hub.live(), peers(vec![(&old, "10.0.0.2/32"), (&new, "")]));
    in_line(&hub);
    hub.run(&["location", "remove", "cafe", "-y"]).ok();
    assert!(hub.live().is_empty());
    in_line(&hub);
}

#[test]
fn a_revoked_key_never_comes_back() {
    let hub = Hub::up();
    hub.run(&["location", "add", "cafe", "--public-key", ROUTER_KEY]).ok();
    let run = hub.run(&["peer", "revoke", "cafe"]).code(2);
    assert_eq!(run.error().1, "hint: add --yes to confirm it beforehand");
    let report = hub.run(&["--json", "peer", "revoke", "cafe", "-y"]).ok().json();
    assert_eq!(
        (&report["action"], &report["location"]["state"]),
        (&json!("revoked"), &json!("unprovisioned"))
    );
    assert_eq!(report["location"]["vpn_ip"], "10.0.0.2", "the address stays the location's");
    assert!(hub.live().is_empty());
    in_line(&hub);
    let refused = format!("iwas-wg: public key {ROUTER_KEY} was revoked");
    let other = hub.add("other");
    for args in [
        &["peer", "provision", "cafe", "--public-key", ROUTER_KEY][..],
        &["location", "add", "new", "--public-key", ROUTER_KEY],
        &["peer", "rotate", "other", "--public-key", ROUTER_KEY],
    ] {
        assert_eq!(hub.run(args).code(4).error().0, refused, "{args:?}");
    }
    hub.run(&["location", "remove", "cafe", "-y"]).ok();
    assert_eq!(hub.run(&["location", "add", "cafe", "--public-key", ROUTER_KEY]).code(4).error().0, refused);
    assert_eq!(hub.live(), peers(vec![(&other, "10.0.0.3/32")]));
}

#[test]
fn what_has_expired_is_disabled_by_the_heartbeat_and_told_a_week_ahead() {
    let hub = Hub::up();
    let report = hub.run(&["--json", "location", "add", "builders", "--expires", "8d"]).ok().json();
    assert_eq!(report["location"]["expires_at"], "2026-12-01T10:00:00Z");
    assert!(!hub.run(&["status"]).ok().stderr.contains("expires"));
    hub.now.set(START + 86_400);
    let run = hub.run(&["status"]).ok();
    assert!(run.stderr.contains("builders: expires in 7 d 0 h (2026-12-01T10:00:00Z)\n"), "{run:?}");
    assert_eq!(hub.run(&["heartbeat"]).ok().stderr, "");
    hub.now.set(START + 8 * 86_400);
    assert_eq!(
        hub.run(&["heartbeat"]).ok().stderr,
        "iwas-wg: warning: builders has expired and was disabled\n"
    );
    assert_eq!((show(&hub, "builders")["state"].as_str(), hub.live().len()), (Some("disabled"), 0));
    assert!(!hub.conf().contains("\n[Peer]"));
    assert_eq!(hub.run(&["heartbeat"]).ok().stderr, "", "said once");
    let run = hub.run(&["peer", "enable", "builders"]).code(4);
    assert_eq!(run.error().0, "iwas-wg: location \"builders\" expired at 2026-12-01T10:00:00Z");
    hub.run(&["location", "set", "builders", "--no-expires"]).ok();
    hub.run(&["peer", "enable", "builders"]).ok();
    hub.run(&["heartbeat"]).ok();
    assert_eq!(hub.live().len(), 1);
    let run = hub.run(&["location", "set", "builders", "--expires", "2020-01-01"]).code(2);
    assert_eq!(run.error().0, "iwas-wg: expiry \"2020-01-01\" is not in the future");
}

#[test]
fn a_preshared_key_is_in_script_conf_and_interface_and_goes_with_its_key() {
    let hub = Hub::up();
    let report = hub.run(&["--json", "location", "add", "cafe", "--preshared"]).ok().json();
    let key = report["location"]["vpn_public_key"].as_str().expect("key").to_owned();
    assert_eq!(report["location"]["preshared"], true);
    let secret = |hub: &Hub, key: &str| -> String {
        let conf = hub.conf();
        let (_, block) = conf.split_once(&format!("PublicKey = {key}\n")).expect("the peer");
        let line =
            block.lines().take_while(|l| !l.is_empty()).find_map(|l| l.strip_prefix("PresharedKey = "));
        line.expect("a preshared key").to_owned()
    };
    let psk = secret(&hub, &key);
    assert!(report["script"].as_str().is_some_and(|s| s.contains(&psk)));
    assert_eq!(hub.device().with_extras.len(), 1);
    let json = hub.run(&["script", "render", "cafe", "--format", "json"]).ok().json();
    assert_eq!(json["preshared_key"], json!(psk));
    for args in [&["location", "show", "cafe"][..], &["status"], &["--json", "status"], &["sync", "-n"]] {
        let run = hub.run(args).ok();
        assert!(!run.stdout.contains(&psk) && !run.stderr.contains(&psk), "{args:?} shows it");
    }
    let store = std::fs::read(hub.path("var/lib/iwas-wg/iwas-wg.db")).expect("store");
    assert!(!store.windows(psk.len()).any(|w| w == psk.as_bytes()), "it stands in the store in clear");

    // The rotation brings another one, the first goes with its key.
    hub.run(&["peer", "rotate", "cafe"]).ok();
    let next = other_key(&hub, &[&key]);
    let psk2 = secret(&hub, &next);
    assert_ne!(psk, psk2);
    hub.shake(&next, 1);
    hub.run(&["heartbeat"]).ok();
    assert!(!hub.conf().contains(&psk) && secret(&hub, &next) == psk2);
    // A lost conf comes back from the sealed copies, and so does a disabled peer.
    hub.run(&["peer", "disable", "cafe"]).ok();
    assert!(!hub.conf().contains(&psk2));
    hub.run(&["peer", "enable", "cafe"]).ok();
    assert_eq!(secret(&hub, &next), psk2);
    std::fs::remove_file(hub.path("etc/wireguard/wg0.conf")).expect("conf");
    hub.run(&["sync"]).ok();
    assert_eq!(secret(&hub, &next), psk2);
    in_line(&hub);
    let identity = hub.path("etc/iwas-wg/identity.txt");
    std::fs::rename(&identity, hub.path("away")).expect("identity");
    // The conf has what the script of a peer needs; a conf without it needs the identity.
    hub.run(&["peer", "disable", "cafe"]).ok();
    let run = hub.run(&["peer", "enable", "cafe"]).code(7);
    assert!(
        run.error().0.contains("the preshared key of \"cafe\" is needed: there is no identity"),
        "{run:?}"
    );
    assert_eq!(show(&hub, "cafe")["enabled"], false);
}

#[test]
fn the_settings_can_ask_for_preshared_keys_and_once_mode_has_them_too() {
    let hub = Hub::up();
    hub.edit_settings("# preshared      = false", "preshared = true");
    hub.run(&["location", "add", "tower", "--key-mode", "once"]).ok();
    hub.run(&["location", "add", "lone", "--no-provision"]).ok();
    hub.run(&["peer", "provision", "lone", "--public-key", ROUTER_KEY]).ok();
    for name in ["tower", "lone"] {
        assert_eq!(show(&hub, name)["preshared"], true, "{name}");
    }
    assert_eq!(hub.conf().matches("PresharedKey = ").count(), 2);
    // A router that brings its own key is still given the preshared one, again and again.
    assert!(hub.run(&["script", "render", "lone"]).ok().stdout.contains("preshared-key"));
}

#[test]
fn a_move_allows_both_addresses_until_the_new_one_answers() {
    let hub = Hub::up();
    let (key, other) = (hub.add("cafe"), hub.add("other"));
    let script = hub.run(&["peer", "move", "cafe", "--vpn-ip", "10.0.0.40"]).ok().stdout;
    assert!(script.contains("10.0.0.40") && !script.contains("10.0.0.2/"), "{script}");
    assert!(!script.contains("private-key=$iwKey"), "the router keeps its key");
    assert_eq!(hub.live(), peers(vec![(&key, "10.0.0.2/32,10.0.0.40/32"), (&other, "10.0.0.3/32")]));
    in_line(&hub);
    let l = show(&hub, "cafe");
    assert_eq!((&l["vpn_ip"], &l["moving_to"]), (&json!("10.0.0.2"), &json!("10.0.0.40")));
    assert_eq!(hub.run(&["peer", "move", "cafe", "--vpn-ip", "10.0.0.40"]).ok().stdout, script);
    let run = hub.run(&["location", "add", "thief", "--vpn-ip", "10.0.0.40"]).code(4);
    assert!(run.error().0.contains("is held by \"cafe\""), "{run:?}");
    hub.run(&["peer", "move", "cafe", "--vpn-ip", "10.0.0.41"]).code(4);
    hub.run(&["peer", "rotate", "cafe"]).code(4);
    hub.run(&["heartbeat"]).ok();
    assert_eq!(show(&hub, "cafe")["vpn_ip"], "10.0.0.2", "nobody has answered there");
    hub.run(&["peer", "move", "cafe", "--vpn-ip", "10.0.0.40", "--wait=0"]).code(5);

    hub.device().answering.push("10.0.0.40".parse().expect("address"));
    hub.run(&["heartbeat"]).ok();
    assert_eq!(hub.live(), peers(vec![(&key, "10.0.0.40/32"), (&other, "10.0.0.3/32")]));
    in_line(&hub);
    let l = show(&hub, "cafe");
    assert_eq!((&l["vpn_ip"], &l["moving_to"]), (&json!("10.0.0.40"), &Value::Null));
    // The operator's word counts as well, and a move can be called off.
    hub.run(&["peer", "move", "other", "--vpn-ip", "10.0.0.50"]).ok();
    hub.run(&["peer", "move", "other", "--abort"]).ok();
    hub.run(&["peer", "move", "other", "--vpn-ip", "10.0.0.51"]).ok();
    hub.run(&["peer", "move", "other", "--done"]).ok();
    assert_eq!(hub.live(), peers(vec![(&key, "10.0.0.40/32"), (&other, "10.0.0.51/32")]));
    in_line(&hub);
}

#[test]
fn a_rename_touches_neither_the_interface_nor_the_router() {
    let hub = Hub::up();
    let key = hub.add("cafe");
    hub.add("pub");
    let script = hub.run(&["script", "render", "cafe"]).ok().stdout;
    let applied = hub.device().applied.len();
    hub.run(&["location", "rename", "cafe", "bistro"]).ok();
    assert_eq!(hub.device().applied.len(), applied);
    assert!(hub.conf().contains("# friendly_name = bistro\n") && !hub.conf().contains("cafe"));
    in_line(&hub);
    assert_eq!(key_of(&hub, "bistro"), key);
    hub.run(&["location", "show", "cafe"]).code(3);
    let renamed = hub.run(&["script", "render", "bistro"]).ok().stdout;
    let tag = |text: &str| text.lines().find(|l| l.contains(":local iwTag")).expect("tag").to_owned();
    assert_eq!(tag(&renamed), tag(&script));
    let run = hub.run(&["location", "rename", "bistro", "pub"]).code(4);
    assert_eq!(run.error().0, "iwas-wg: location \"pub\" already exists");
    // A new location may have the old name, and a way back is a way back.
    hub.add("cafe");
    hub.run(&["location", "remove", "cafe", "-y"]).ok();
    hub.run(&["location", "rename", "bistro", "cafe"]).ok();
    assert_eq!(tag(&hub.run(&["script", "render", "cafe"]).ok().stdout), tag(&script));
}

#[test]
fn monitoring_sees_the_age_of_keys_and_the_end_of_locations() {
    let hub = Hub::up();
    hub.run(&["location", "add", "builders", "--expires", "8d"]).ok();
    hub.run(&["peer", "rotate", "builders"]).ok();
    let file = hub.path("iwas.prom");
    hub.run(&["heartbeat", "--metrics-file", file.to_str().expect("path")]).ok();
    let text = std::fs::read_to_string(file).expect("metrics");
    for line in [
        format!("iwas_wg_peer_key_created_timestamp_seconds{{location=\"builders\"}} {START}"),
        "iwas_wg_peer_rotating{location=\"builders\"} 1".to_owned(),
        format!("iwas_wg_location_expires_timestamp_seconds{{location=\"builders\"}} {}", START + 8 * 86_400),
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
}
