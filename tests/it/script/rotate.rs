//! `rotate`: a new key without losing the router.

use super::{Spoke, TAG, hub, installed, key, routers};
use iwas_wg::script::Kind::{Install, Rotate};

#[test]
fn the_new_key_is_taken_when_the_hub_answers_it() {
    for forgets in [true, false] {
        for mut router in routers() {
            router.forgets = forgets;
            let mut spoke = Spoke::new();
            spoke.run_well(Install, &mut router);
            router.wait(30);
            router.hub = hub(&[7, 8]);
            spoke.private_key = Some(8);
            let outcome = spoke.run_well(Rotate, &mut router);
            assert_eq!(outcome.last(), "iwas-wg: OK, handshake with the new key");
            assert_eq!(installed(&router).private_key, key(8).expose().as_str());
            let again = spoke.run_well(Rotate, &mut router);
            assert_eq!((again.writes, again.last()), (0, "iwas-wg: OK, the new key was in use already"));
            // The hub has moved on; so has the router.
            router.hub = hub(&[8]);
            assert_eq!(spoke.run_well(Install, &mut router).writes, 0);
        }
    }
}

#[test]
fn a_router_without_keepalive_calls_the_hub_by_itself() {
    for forgets in [true, false] {
        let [_, mut router] = routers();
        router.forgets = forgets;
        let mut spoke = Spoke::new();
        spoke.options.keepalive = 0;
        spoke.run_well(Install, &mut router);
        router.hub = hub(&[7, 8, 9]);
        spoke.private_key = Some(8);
        spoke.run_well(Rotate, &mut router);
        router.wait(300);
        spoke.private_key = Some(9);
        spoke.run_well(Install, &mut router);
    }
}

#[test]
fn the_old_key_comes_back_when_the_new_one_has_no_answer() {
    for forgets in [true, false] {
        let [_, mut router] = routers();
        router.forgets = forgets;
        let mut spoke = Spoke::new();
        spoke.run_well(Install, &mut router);
        let (before, start) = (router.export(), router.clone());
        spoke.private_key = Some(8);
        let outcome = spoke.run(Rotate, &mut router);
        assert!(outcome.error.is_none(), "{outcome:#?}");
        assert!(outcome.last().starts_with("iwas-wg: NOT ROTATED, NO HANDSHAKE"), "{}", outcome.last());
        assert_eq!(router.export(), before, "everything is as it was");
        assert!(router.seconds_since(&start) <= 70);
        router.wait(30);
        assert!(router.is_up(), "and in contact");
    }
}

#[test]
fn a_fault_in_the_middle_brings_the_old_key_back() {
    for broken_at in 0..3 {
        let [_, mut router] = routers();
        let mut spoke = Spoke::new();
        spoke.run_well(Install, &mut router);
        let before = router.export();
        router.hub = hub(&[7, 8]);
        router.fail_write = Some(broken_at);
        spoke.private_key = Some(8);
        let outcome = spoke.run(Rotate, &mut router);
        assert!(outcome.last().starts_with("iwas-wg: NOT ROTATED"), "{outcome:#?}");
        assert_eq!(router.export(), before, "broken at write {broken_at}");
        spoke.run_well(Rotate, &mut router);
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

#[test]
fn a_router_that_makes_its_own_key_makes_the_next_one_beside_it() {
    let [_, mut router] = routers();
    let mut spoke = Spoke::new().with_router_key();
    spoke.run(Install, &mut router);
    let old = installed(&router);
    spoke.location.public_key = Some(old.public_key.parse().expect("key"));
    router.hub.knows = vec![old.public_key.clone()];
    spoke.run_well(Install, &mut router);

    // First run: the next key is made, the tunnel stays as it is. Running it twice makes no second.
    let first = spoke.run_well(Rotate, &mut router);
    let again = spoke.run_well(Rotate, &mut router);
    assert_eq!(first.last(), again.last());
    assert_eq!(again.writes, 0);
    assert_eq!(router.wireguard(TAG), Some(old.clone()));
    let next = router.column("interface wireguard", "public-key").remove(1);
    assert!(
        first.last().contains(&format!("iwas-wg peer rotate cafe --public-key {next} ")),
        "{}",
        first.last()
    );

    // An install between the two runs does not mind it.
    assert_eq!(spoke.run_well(Install, &mut router).writes, 0);

    // The hub knows the next key as well; second run: it is taken over.
    spoke.location.public_key = Some(next.parse().expect("key"));
    router.hub.knows.push(next.clone());
    let second = spoke.run_well(Rotate, &mut router);
    assert_eq!(second.last(), "iwas-wg: OK, handshake with the new key");
    assert_eq!(installed(&router).public_key, next);
    assert_eq!(router.column("interface wireguard", "name"), ["wireguard-iwas"]);
}
