//! `rotate`: a new key without losing the router.

use super::{Spoke, TAG, hub, installed, key, public, routers};
use crate::routeros::Router;
use iwas_wg::script::Kind::{Check, Install, Remove, Rotate};

const DONE: &str =
    "iwas-wg: OK, handshake with the new key; traffic flows as soon as the hub has moved the address to it";

/// What is not documented of routers, in every combination: whether a disabled peer forgets its last
/// handshake, and whether a new private key alone makes it call.
const HABITS: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

fn each_habit(mut look: impl FnMut(Router)) {
    for (forgets, lazy) in HABITS {
        for mut router in routers() {
            (router.forgets, router.lazy) = (forgets, lazy);
            look(router);
        }
    }
}

fn psk(n: u8) -> String {
    key(n).expose().to_string()
}

#[test]
fn the_new_key_is_taken_when_the_hub_answers_it() {
    each_habit(|mut router| {
        let mut spoke = Spoke::new();
        spoke.run_well(Install, &mut router);
        router.wait(30);
        router.hub = hub(&[7, 8]);
        spoke.private_key = Some(8);
        let outcome = spoke.run_well(Rotate, &mut router);
        assert_eq!(outcome.last(), DONE);
        assert_eq!(installed(&router).private_key, key(8).expose().as_str());
        let again = spoke.run_well(Rotate, &mut router);
        assert_eq!((again.writes, again.last()), (0, "iwas-wg: OK, the new key was in use already"));
        // The hub has moved on; so has the router.
        router.hub = hub(&[8]);
        assert_eq!(spoke.run_well(Install, &mut router).writes, 0);
    });
}

#[test]
fn a_router_that_calls_by_itself_is_never_cut_off() {
    let [_, mut router] = routers();
    let mut spoke = Spoke::new();
    spoke.run_well(Install, &mut router);
    router.wait(30);
    router.hub = hub(&[7, 8]);
    spoke.private_key = Some(8);
    let start = router.clone();
    // The key, and the entry that brings the old one back after a power cut. With the peer disabled
    // for a moment, that could end it all.
    assert_eq!(spoke.run_well(Rotate, &mut router).writes, 3);
    assert!(router.seconds_since(&start) <= 4, "{}", router.seconds_since(&start));
}

#[test]
fn a_handshake_of_the_old_key_is_not_taken_for_one_of_the_new() {
    // However long ago it was, and however the script's own seconds fall.
    for age in [0, 1, 2, 3, 60, 119, 121, 170] {
        for (forgets, lazy) in HABITS {
            let [_, mut router] = routers();
            (router.forgets, router.lazy) = (forgets, lazy);
            let mut spoke = Spoke::new();
            spoke.run_well(Install, &mut router);
            router.wait(age);
            let before = router.export();
            spoke.private_key = Some(8);
            let outcome = spoke.run(Rotate, &mut router);
            assert!(outcome.last().starts_with("iwas-wg: NOT ROTATED"), "{age}: {outcome:#?}");
            assert_eq!(router.export(), before, "{age}");
        }
    }
}

#[test]
fn a_router_without_keepalive_calls_the_hub_by_itself() {
    each_habit(|mut router| {
        let mut spoke = Spoke::new();
        spoke.options.keepalive = 0;
        spoke.run_well(Install, &mut router);
        router.hub = hub(&[7, 8, 9]);
        spoke.private_key = Some(8);
        spoke.run_well(Rotate, &mut router);
        router.wait(300);
        let again = spoke.run_well(Rotate, &mut router);
        assert_eq!((again.writes, again.last()), (0, "iwas-wg: OK, the new key was in use already"));
        router.wait(300);
        spoke.private_key = Some(9);
        spoke.run_well(Install, &mut router);
    });
}

#[test]
fn the_old_key_comes_back_when_the_new_one_has_no_answer() {
    each_habit(|mut router| {
        let mut spoke = Spoke::new();
        spoke.run_well(Install, &mut router);
        let (before, start) = (router.export(), router.clone());
        spoke.private_key = Some(8);
        let outcome = spoke.run(Rotate, &mut router);
        assert!(outcome.error.is_none(), "{outcome:#?}");
        assert!(outcome.last().starts_with("iwas-wg: NOT ROTATED, NO HANDSHAKE"), "{}", outcome.last());
        assert_eq!(router.export(), before, "everything is as it was");
        // A router whose old session goes on is not dark while it waits.
        let limit = if router.lazy { 165 } else { 75 };
        assert!(router.seconds_since(&start) <= limit, "{}", router.seconds_since(&start));
        router.wait(30);
        assert!(router.is_up(), "and in contact");
        // The hub has learned the key in the meantime: the same script again.
        router.hub = hub(&[7, 8]);
        spoke.run_well(Rotate, &mut router);
    });
}

#[test]
fn a_router_that_a_new_key_does_not_make_call_is_made_to() {
    let [_, mut router] = routers();
    let mut spoke = Spoke::new();
    spoke.run_well(Install, &mut router);
    (router.lazy, router.pings) = (true, false);
    router.hub = hub(&[7, 8]);
    spoke.private_key = Some(8);
    let outcome = spoke.run_well(Rotate, &mut router);
    assert_eq!(outcome.last(), DONE);
    assert_eq!(router.column("interface wireguard peers", "disabled"), ["false"]);
}

#[test]
fn a_key_in_place_that_the_hub_does_not_answer_is_no_ok() {
    let [_, mut router] = routers();
    let spoke = Spoke::new();
    spoke.run_well(Install, &mut router);
    router.hub = hub(&[]);
    router.wait(400);
    let outcome = spoke.run(Rotate, &mut router);
    assert!(outcome.last().contains("in place already, but NO HANDSHAKE"), "{outcome:#?}");
    assert_eq!(outcome.writes, 0);
}

#[test]
fn a_fault_in_the_middle_brings_the_old_keys_back() {
    // The preshared key before and after the rotation.
    for (old, new) in [(None, None), (None, Some(20)), (Some(21), None), (Some(21), Some(20))] {
        for broken_at in 0..5 {
            let [_, mut router] = routers();
            let mut spoke = Spoke::new();
            spoke.preshared_key = old.map(psk);
            spoke.run_well(Install, &mut router);
            let before = router.export();
            router.hub = hub(&[7, 8]);
            router.fail_write = Some(broken_at);
            spoke.private_key = Some(8);
            spoke.preshared_key = new.map(psk);
            let outcome = spoke.run(Rotate, &mut router);
            if outcome.last() == DONE {
                let said = outcome.output.iter().any(|l| l.contains("way back over a power cut"));
                assert!(router.fail_write.is_some() || said, "the fault was not noticed: {outcome:#?}");
                continue;
            }
            assert!(outcome.last().starts_with("iwas-wg: NOT ROTATED"), "{outcome:#?}");
            assert_eq!(router.export(), before, "{old:?} to {new:?}, broken at write {broken_at}");
            spoke.run_well(Rotate, &mut router);
        }
    }
}

#[test]
fn the_preshared_key_changes_with_the_key_or_not_at_all() {
    for (old, new) in [(None, Some(20)), (Some(21), None), (Some(21), Some(20))] {
        each_habit(|mut router| {
            let mut spoke = Spoke::new();
            spoke.preshared_key = old.map(psk);
            router.hub.preshared =
                vec![(public(7).to_string(), spoke.preshared_key.clone().unwrap_or_default())];
            spoke.run_well(Install, &mut router);
            let before = router.export();
            spoke.private_key = Some(8);
            spoke.preshared_key = new.map(psk);

            // The hub does not know it yet: both old keys come back, and with them the contact.
            let outcome = spoke.run(Rotate, &mut router);
            assert!(outcome.last().starts_with("iwas-wg: NOT ROTATED"), "{outcome:#?}");
            assert_eq!(router.export(), before, "{old:?} to {new:?}");
            router.wait(30);
            assert!(router.is_up(), "{old:?} to {new:?}");

            router.hub.knows.push(public(8).to_string());
            router
                .hub
                .preshared
                .push((public(8).to_string(), spoke.preshared_key.clone().unwrap_or_default()));
            spoke.run_well(Rotate, &mut router);
            let wg = installed(&router);
            assert_eq!((wg.public_key, wg.preshared_key), (public(8).to_string(), new.map(psk)));
            assert_eq!(spoke.run_well(Rotate, &mut router).writes, 0);
            // Nothing but the keys has changed.
            assert_eq!(spoke.run_well(Install, &mut router).writes, 0);
        });
    }
}

#[test]
fn a_router_without_our_tunnel_is_left_alone() {
    for mut router in routers() {
        router.given("interface wireguard", &[("name", "wireguard-iwas"), ("comment", "mine")]);
        let before = router.export();
        let outcome = Spoke::new().run(Rotate, &mut router);
        assert!(
            outcome.last().contains("run the install script instead. Nothing was changed"),
            "{outcome:#?}"
        );
        assert_eq!(router.export(), before);
    }
}

#[test]
fn an_account_that_may_not_read_keys_changes_none() {
    let [_, mut router] = routers();
    let mut spoke = Spoke::new();
    spoke.run_well(Install, &mut router);
    let before = router.export();
    spoke.private_key = Some(8);
    let outcome = router.import_without_sensitive(&spoke.render(Rotate));
    assert!(outcome.last().contains("may not read the present key"), "{outcome:#?}");
    assert_eq!(router.export(), before);
}

/// A router that made its own key and is in contact, with that key on the hub.
fn router_with_own_key() -> (Spoke, Router) {
    let [_, mut router] = routers();
    let mut spoke = Spoke::new().with_router_key();
    spoke.run(Install, &mut router);
    let own = installed(&router).public_key;
    spoke.location.public_key = Some(own.parse().expect("key"));
    router.hub.knows = vec![own];
    spoke.run_well(Install, &mut router);
    (spoke, router)
}

/// The first step: the key that the router made for the second.
fn first_step(spoke: &Spoke, router: &mut Router) -> String {
    let outcome = spoke.run_well(Rotate, router);
    let next = router.column("interface wireguard", "public-key").remove(1);
    let command = format!("iwas-wg peer rotate cafe --public-key {next} ");
    assert!(outcome.last().contains(&command), "{}", outcome.last());
    next
}

#[test]
fn a_router_that_makes_its_own_key_makes_the_next_one_beside_it() {
    let (mut spoke, mut router) = router_with_own_key();
    let old = installed(&router);
    let next = first_step(&spoke, &mut router);
    // The tunnel stays as it is, and running it twice makes no second key.
    assert_eq!(first_step(&spoke, &mut router), next);
    assert_eq!(router.wireguard(TAG), Some(old.clone()));
    assert_eq!(router.column("interface wireguard", "name"), ["wireguard-iwas", "wireguard-next"]);
    // Neither an install nor a look in between minds it.
    assert_eq!(spoke.run_well(Install, &mut router).writes, 0);
    assert_eq!(spoke.run_well(Check, &mut router).writes, 0);

    // The second step before the hub knows the key: the old one comes back, the next one stays.
    spoke.next_key = Some(next.parse().expect("key"));
    let before = router.export();
    assert!(spoke.run(Rotate, &mut router).last().starts_with("iwas-wg: NOT ROTATED"));
    assert_eq!(router.export(), before);

    router.hub.knows.push(next.clone());
    let second = spoke.run_well(Rotate, &mut router);
    assert_eq!(second.last(), DONE);
    assert!(!second.output.concat().contains(&installed(&router).private_key));
    assert_eq!(installed(&router).public_key, next);
    assert_eq!(router.column("interface wireguard", "name"), ["wireguard-iwas"]);

    // The second step again changes nothing, and starts no other rotation.
    let again = spoke.run_well(Rotate, &mut router);
    assert_eq!((again.writes, again.last()), (0, "iwas-wg: OK, the new key was in use already"));
    // The next rotation makes another key.
    spoke.location.public_key = spoke.next_key.take();
    assert_ne!(first_step(&spoke, &mut router), next);
}

#[test]
fn the_second_step_on_a_router_that_has_not_done_the_first_changes_nothing() {
    let (mut spoke, mut router) = router_with_own_key();
    spoke.next_key = Some(public(99));
    let before = router.export();
    let outcome = spoke.run(Rotate, &mut router);
    let said = format!("this router does not have the key {}", public(99));
    assert!(
        outcome.last().contains(&said) && outcome.last().ends_with("Nothing was changed"),
        "{outcome:#?}"
    );
    assert_eq!(router.export(), before);
}

#[test]
fn an_interface_that_the_next_key_was_made_on_does_not_stay_for_good() {
    let (mut spoke, mut router) = router_with_own_key();
    let next = first_step(&spoke, &mut router);
    router.hub.knows.push(next.clone());
    spoke.next_key = Some(next.parse().expect("key"));
    // The key is taken over, then the interface that it was made on cannot be removed.
    router.wait(30);
    router.fail_write = Some(2);
    assert_eq!(spoke.run_well(Rotate, &mut router).last(), DONE);
    assert_eq!(router.column("interface wireguard", "name").len(), 2);
    spoke.run_well(Rotate, &mut router);
    assert_eq!(router.column("interface wireguard", "name"), ["wireguard-iwas"]);
    spoke.run_well(Remove, &mut router);
    assert!(router.column("interface wireguard", "name").is_empty());
}

#[test]
fn a_renamed_location_keeps_the_next_key_of_its_router() {
    let (mut spoke, mut router) = router_with_own_key();
    let next = first_step(&spoke, &mut router);
    spoke.location.name = "bistro".parse().expect("name");
    spoke.run_well(Install, &mut router);
    router.hub.knows.push(next.clone());
    spoke.next_key = Some(next.parse().expect("key"));
    spoke.run_well(Rotate, &mut router);
    assert_eq!(router.wireguard("iwas-wg:bistro").expect("tunnel").public_key, next);
    spoke.run_well(Remove, &mut router);
    assert!(router.column("interface wireguard", "name").is_empty());
}
