//! `remove` and `check`.

use super::{Spoke, TAG, hub, routers};
use crate::routeros::Router;
use iwas_wg::model::router::Watchdog;
use iwas_wg::script::Kind::{Check, Install, Remove, Rotate};

/// A site with everything that a script can make.
fn everything() -> Spoke {
    let mut spoke = Spoke::new();
    spoke.options.watchdog = Watchdog::On;
    spoke.options.routes =
        vec!["192.168.50.0/24".parse().expect("net"), "fd00:50::/64".parse().expect("net")];
    spoke
}

#[test]
fn removal_gives_the_exact_prior_state_back() {
    for mut router in routers() {
        router.given("interface wireguard", &[("name", "wg-office"), ("comment", "iwas-wg:cafe-two")]);
        router.given(
            "interface wireguard peers",
            &[("interface", "wg-office"), ("allowed-address", "10.9.0.0/24")],
        );
        router.given("tool netwatch", &[("host", "192.0.2.1")]);
        let before = router.export();
        everything().run_well(Install, &mut router);
        let outcome = everything().run_well(Remove, &mut router);
        assert_eq!(outcome.last(), "iwas-wg: OK, removed");
        assert_eq!(router.export(), before);
        let again = everything().run_well(Remove, &mut router);
        assert_eq!((again.writes, again.last()), (0, "iwas-wg: OK, nothing of ours is on this router"));
        everything().run_well(Install, &mut router);
    }
}

#[test]
fn a_key_that_was_made_but_not_yet_taken_goes_as_well() {
    let [_, mut router] = routers();
    let before = router.export();
    let spoke = Spoke::new().with_router_key();
    spoke.run(Install, &mut router);
    spoke.run_well(Rotate, &mut router);
    spoke.run_well(Remove, &mut router);
    assert_eq!(router.export(), before);
}

#[test]
fn a_removal_that_broke_off_is_finished_by_the_next() {
    let [_, clean] = routers();
    for broken_at in 0..8 {
        let [_, mut router] = routers();
        everything().run_well(Install, &mut router);
        router.fail_write = Some(broken_at);
        everything().run(Remove, &mut router);
        router.fail_write = None;
        everything().run_well(Remove, &mut router);
        assert_eq!(router.export(), clean.export(), "broken at {broken_at}");
    }
}

#[test]
fn what_is_not_ours_is_refused_and_nothing_is_removed() {
    let on_ours: [(&str, &[(&str, &str)]); 6] = [
        ("interface wireguard peers", &[("interface", "wireguard-iwas"), ("allowed-address", "10.9.0.0/24")]),
        ("ip address", &[("interface", "wireguard-iwas"), ("address", "10.9.0.1/24")]),
        ("ip route", &[("gateway", "wireguard-iwas"), ("dst-address", "10.9.0.0/24")]),
        ("ip firewall filter", &[("chain", "forward"), ("in-interface", "wireguard-iwas")]),
        ("ip firewall nat", &[("chain", "srcnat"), ("out-interface", "wireguard-iwas")]),
        ("interface list member", &[("list", "LAN"), ("interface", "wireguard-iwas")]),
    ];
    for (menu, values) in on_ours {
        let [_, mut router] = routers();
        everything().run_well(Install, &mut router);
        router.given(menu, values);
        let before = router.export();
        let outcome = everything().run(Remove, &mut router);
        assert!(
            outcome.last().contains("is not ours; take it off first. Nothing was removed"),
            "{menu}: {outcome:#?}"
        );
        assert_eq!(router.export(), before, "{menu}");
    }
    let [_, mut router] = routers();
    router.given("interface wireguard", &[("name", "wireguard-iwas"), ("comment", "mine")]);
    let outcome = Spoke::new().run(Remove, &mut router);
    assert_eq!(
        outcome.last(),
        "iwas-wg: interface wireguard-iwas is not ours (comment: mine). Nothing was removed"
    );
}

#[test]
fn a_renamed_location_removes_what_its_former_name_made() {
    let [_, mut router] = routers();
    let before = router.export();
    everything().run_well(Install, &mut router);
    let mut spoke = everything();
    spoke.location.name = "bistro".parse().expect("name");
    spoke.run_well(Remove, &mut router);
    assert_eq!(router.export(), before);
}

#[test]
fn the_operators_additions_go_with_it() {
    let [_, mut router] = routers();
    let before = router.export();
    let spoke = Spoke::new();
    let additions = "/interface list member add list=LAN interface={{interface}} comment={{comment}}\n\
                     /ip firewall nat add chain=srcnat action=accept out-interface={{interface}} comment={{comment}}\n";
    let outcome = router.import(&format!("{}{}", spoke.render(Install), spoke.template(additions)));
    assert!(outcome.error.is_none(), "{outcome:#?}");
    assert!(router.comments("ip firewall nat").contains(&TAG.to_owned()));
    spoke.run_well(Remove, &mut router);
    assert_eq!(router.export(), before);
}

fn verdict(spoke: &Spoke, router: &mut Router) -> String {
    let outcome = spoke.run(Check, router);
    assert!(outcome.error.is_none(), "{outcome:#?}");
    assert_eq!(outcome.writes, 0, "check only looks");
    outcome.last().to_owned()
}

#[test]
fn check_says_ok_or_names_every_fault_and_changes_nothing() {
    let [_, mut router] = routers();
    let spoke = everything();
    assert_eq!(
        verdict(&spoke, &mut router),
        "iwas-wg: NO HANDSHAKE - none for more than 3 minutes: check outbound UDP to vpn.example.com port 51820, \
         the clock and the hub; no interface with the comment iwas-wg:cafe; no peer with the comment \
         iwas-wg:cafe; no address with the comment iwas-wg:cafe; the management rules are not as wanted before \
         the first static rule of chain input"
    );
    spoke.run_well(Install, &mut router);
    let text = spoke.run(Check, &mut router).output.join("\n");
    for line in [
        "version 7.16.2",
        "clock 2026-11-23",
        "ntp on, synchronized",
        "last handshake 00:00:0",
        "public key ",
        "firewall: rules of ours in chain input 2 (2 good), in raw 0 (0 good)",
        "result=ok warnings=0 handshake=00:00:0",
        " ping=3/3",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert_eq!(verdict(&spoke, &mut router), "iwas-wg: OK");
    let faults: [(&str, (&str, &str), &str); 5] = [
        ("interface wireguard", ("disabled", "yes"), "interface wireguard-iwas is disabled"),
        ("interface wireguard peers", ("disabled", "yes"), "the peer is disabled"),
        (
            "interface wireguard peers",
            ("endpoint-port", "443"),
            "the endpoint is not vpn.example.com port 51820",
        ),
        ("ip address", ("address", "10.0.0.8/24"), "the address is not 10.0.0.7/24"),
        (
            "ip firewall filter",
            ("disabled", "yes"),
            "the management rules are not as wanted before the first static rule of chain input",
        ),
    ];
    for (menu, set, fault) in faults {
        let mut broken = router.clone();
        broken.edit(menu, ("comment", TAG), set);
        let outcome = spoke.run(Check, &mut broken);
        let warning = format!("iwas-wg: WARNING {fault}");
        assert!(outcome.output.contains(&warning), "{fault}: {outcome:#?}");
        assert_ne!(outcome.last(), "iwas-wg: OK", "{fault}");
    }
    router.hub = hub(&[]);
    router.date = "1970-01-02".into();
    router.wait(400);
    let said = verdict(&spoke, &mut router);
    assert!(
        said.contains("NO HANDSHAKE - none for more than 3 minutes") && said.contains("the clock is in 1970"),
        "{said}"
    );
}
