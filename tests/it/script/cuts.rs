//! The power goes after every single statement of every script: when it is back, the router is as
//! it was, as it shall be, or repairs itself; and the same script, sent again, ends well.

use super::{Spoke, TAG, hub, key, public, routers};
use crate::routeros::Router;
use iwas_wg::model::router::Watchdog;
use iwas_wg::script::Kind::{self, Install, Remove, Rotate};

/// Runs a script and lets the power go after each statement: of each state that survives one, the
/// start and whatever a statement changed, a router is started again and handed over, after what
/// netwatch did to it. Returns how many statements there were.
fn each_cut(text: &str, from: &Router, mut look: impl FnMut(usize, &mut Router)) -> usize {
    let mut router = from.clone();
    router.film = Some(vec![from.clone()]);
    let before = router.statements;
    let outcome = router.import(text);
    assert!(outcome.error.is_none(), "{outcome:#?}");
    for (cut, mut router) in router.film.take().expect("the film").into_iter().enumerate() {
        router.reboot();
        for outcome in router.netwatch_looks() {
            assert!(outcome.error.is_none(), "cut {cut}: {outcome:#?}");
        }
        router.wait(60);
        assert!(
            router.column("interface wireguard peers", "disabled").iter().all(|d| d == "false"),
            "cut {cut}: a disabled peer"
        );
        look(cut, &mut router);
    }
    router.statements - before
}

/// A router in contact, with everything that a script can make, and the scripts' site.
fn installed() -> (Spoke, Router) {
    let [_, mut router] = routers();
    let mut spoke = Spoke::new();
    spoke.options.watchdog = Watchdog::On;
    spoke.options.routes = vec!["192.168.50.0/24".parse().expect("net")];
    spoke.run_well(Install, &mut router);
    router.wait(30);
    (spoke, router)
}

#[test]
fn a_first_install_that_is_cut_off_is_finished_by_the_next() {
    let (spoke, clean) = installed();
    let [_, fresh] = routers();
    let statements = each_cut(&spoke.render(Install), &fresh, |cut, router| {
        spoke.run_well(Install, router);
        assert_eq!(router.export(), clean.export(), "cut {cut}");
    });
    assert!(statements > 300, "{statements}");
}

#[test]
fn an_install_over_a_living_session_that_is_cut_off_never_leaves_the_router_in_the_dark() {
    type Change = fn(&mut Spoke);
    let changes: [(&str, Change); 6] = [
        ("nothing", |_| {}),
        ("an endpoint that leads nowhere", |s| s.endpoint = "old.example.com"),
        ("a key that the hub does not know", |s| s.private_key = Some(8)),
        ("a preshared key that the hub does not have", |s| {
            s.preshared_key = Some(key(9).expose().to_string());
        }),
        ("all of it", |s| {
            s.endpoint = "old.example.com";
            s.private_key = Some(8);
            s.preshared_key = Some(key(9).expose().to_string());
        }),
        ("other management, routes, MTU and keepalive", |s| {
            s.options.routes.clear();
            s.options.management.pop();
            s.options.mtu = 1380;
            s.options.keepalive = 20;
        }),
    ];
    for (what, change) in changes {
        let (good, mut router) = installed();
        router.hub.preshared = vec![(public(7).to_string(), String::new())];
        router.names.push("old.example.com".into());
        let (mut other, _) = installed();
        change(&mut other);
        let mut repaired = 0;
        each_cut(&other.render(Install), &router, |cut, router| {
            assert!(router.is_up(), "{what}, cut {cut}: the site is dark");
            repaired += usize::from(router.log.iter().any(|l| l.contains("the old session is back")));
            good.run_well(Install, router);
        });
        assert_eq!(repaired > 0, what.starts_with('a'), "{what}: {repaired} repairs");
    }
}

#[test]
fn a_rotation_that_is_cut_off_leaves_a_router_with_one_key_or_the_other() {
    let psk = |n: Option<u8>| n.map(|n| key(n).expose().to_string());
    for (old, new) in [(None, None), (None, Some(20)), (Some(21), None), (Some(21), Some(20))] {
        for answered in [true, false] {
            let [_, mut router] = routers();
            let mut spoke = Spoke::new();
            spoke.preshared_key = psk(old);
            spoke.run_well(Install, &mut router);
            router.wait(30);
            router.hub = hub(if answered { &[7, 8] } else { &[7] });
            router.hub.preshared = vec![
                (public(7).to_string(), psk(old).unwrap_or_default()),
                (public(8).to_string(), psk(new).unwrap_or_default()),
            ];
            spoke.private_key = Some(8);
            spoke.preshared_key = psk(new);
            let statements = each_cut(&spoke.render(Rotate), &router, |cut, router| {
                // Without a preshared key the new key alone is no mixture, but the hub must know it.
                let mixture = old.is_some() || new.is_some();
                assert!(
                    router.is_up() || (!answered && !mixture),
                    "{old:?} to {new:?}, answered {answered}, cut {cut}: the site is dark"
                );
                if answered {
                    spoke.run_well(Rotate, router);
                }
            });
            assert!(statements > 60, "{statements}");
        }
    }
}

#[test]
fn a_removal_that_is_cut_off_can_be_sent_again_or_has_ended_the_contact_for_good() {
    let (spoke, router) = installed();
    let [_, clean] = routers();
    each_cut(&spoke.render(Remove), &router, |cut, router| {
        let gone = router.column("interface wireguard", "name").is_empty();
        assert!(router.is_up() || gone, "cut {cut}");
        let mut again = router.clone();
        spoke.run_well(Remove, &mut again);
        assert_eq!(again.export(), clean.export(), "cut {cut}");
        // Or it becomes a spoke again.
        spoke.run_well(Install, router);
        assert!(router.wireguard(TAG).is_some());
    });
}

#[test]
fn a_takeover_that_is_cut_off_is_finished_by_the_next() {
    let (old, router) = installed();
    let mut new = installed().0;
    new.location.name = "bistro".parse().expect("name");
    drop(old);
    each_cut(&new.render(Install), &router, |cut, router| {
        assert!(router.is_up(), "cut {cut}");
        new.run_well(Install, router);
        assert!(!router.export().contains(TAG), "cut {cut}");
        assert!(router.wireguard("iwas-wg:bistro").is_some());
    });
}

#[test]
fn a_check_that_is_cut_off_has_changed_nothing() {
    let (spoke, router) = installed();
    each_cut(&spoke.render(Kind::Check), &router, |_, after| assert_eq!(after.export(), router.export()));
}

#[test]
fn a_watchdog_that_is_cut_off_leaves_a_router_that_calls_the_hub() {
    let (spoke, mut router) = installed();
    router.hub.stuck_ports = vec![51820, 51821];
    router.wait(400);
    let inner = router.column("tool netwatch", "down-script").concat();
    let statements = each_cut(&inner, &router, |cut, after| {
        // Whatever was cut off, netwatch begins anew after the start and ends it.
        assert!(after.is_up(), "cut {cut}");
        let endpoint = after.column("interface wireguard peers", "endpoint-address");
        assert_eq!(endpoint, [spoke.endpoint], "cut {cut}");
    });
    assert!(statements > 20, "{statements}");
}
