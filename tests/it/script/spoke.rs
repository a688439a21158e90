//! What the tunnel does afterwards: reach, routes, watchdog, and quoting end to end.

use super::{HUB_IP, Spoke, installed, key, routers};
use crate::routeros::Router;
use iwas_wg::model::router::Watchdog;
use iwas_wg::{
    model::router::Reach,
    script::Kind::{Check, Install},
};
use proptest::prelude::*;
use std::net::Ipv4Addr;

#[test]
fn reach_says_how_much_of_the_vpn_a_router_sees() {
    let neighbour = Ipv4Addr::new(10, 0, 0, 9);
    for (reach, address, network, allowed, sees_neighbour) in [
        (Reach::Any, "10.0.0.7/24", "10.0.0.0", "0.0.0.0/0", true),
        (Reach::Network, "10.0.0.7/24", "10.0.0.0", "10.0.0.0/24", true),
        (Reach::Hub, "10.0.0.7/32", "10.0.0.1", "10.0.0.1/32", false),
    ] {
        let [_, mut router] = routers();
        let mut spoke = Spoke::new();
        spoke.options.reach = reach;
        spoke.run_well(Install, &mut router);
        let wg = installed(&router);
        assert_eq!((wg.address.as_str(), wg.network.as_str()), (address, network));
        assert_eq!(wg.allowed_address, [allowed]);
        assert_eq!(router.interface_to(HUB_IP).as_deref(), Some("wireguard-iwas"), "{reach}");
        assert_eq!(router.interface_to(neighbour).is_some(), sees_neighbour, "{reach}");
    }
}

#[test]
fn a_hub_only_router_may_have_the_rest_of_the_network_elsewhere() {
    let [mut router, _] = routers();
    router.given(
        "ip address",
        &[("address", "10.0.0.130/25"), ("network", "10.0.0.128"), ("interface", "bridge")],
    );
    let mut spoke = Spoke::new();
    spoke.options.reach = Reach::Hub;
    spoke.run_well(Install, &mut router);
}

#[test]
fn routes_come_and_go_with_the_settings() {
    let [_, mut router] = routers();
    let mut spoke = Spoke::new();
    spoke.options.reach = Reach::Network;
    spoke.options.routes =
        ["192.168.50.0/24", "192.168.5.0/24", "fd00:50::/64"].map(|n| n.parse().expect("net")).into();
    spoke.run_well(Install, &mut router);
    let wg = installed(&router);
    assert_eq!(wg.routes, ["192.168.50.0/24", "192.168.5.0/24", "fd00:50::/64"]);
    assert_eq!(wg.allowed_address, ["10.0.0.0/24", "192.168.50.0/24", "192.168.5.0/24", "fd00:50::/64"]);
    spoke.options.routes.remove(0);
    spoke.run_well(Install, &mut router);
    assert_eq!(installed(&router).routes, ["192.168.5.0/24", "fd00:50::/64"]);
    spoke.options.routes.clear();
    spoke.run_well(Install, &mut router);
    assert!(installed(&router).routes.is_empty());
}

/// A router in contact for a while, whose watchdog is on.
fn watched(change: impl FnOnce(&mut Spoke)) -> (Spoke, Router) {
    let [_, mut router] = routers();
    let mut spoke = Spoke::new();
    spoke.options.watchdog = Watchdog::On;
    change(&mut spoke);
    router.hub.host = spoke.endpoint.into();
    spoke.run_well(Install, &mut router);
    router.wait(200);
    assert!(router.is_up());
    (spoke, router)
}

#[test]
fn the_watchdog_frees_a_tunnel_from_a_stuck_port_and_takes_no_port_of_another_interface() {
    let (_, mut router) = watched(|s| s.endpoint = "192.0.2.1");
    router.given("interface wireguard", &[("name", "wg-office"), ("listen-port", "51822")]);
    router.hub.stuck_ports = vec![51820, 51821];
    router.wait(400);
    assert!(!router.is_up());
    let outcomes = router.netwatch_goes_down();
    assert_eq!(outcomes.len(), 1);
    assert!(outcomes[0].error.is_none() && outcomes[0].undecided.is_empty(), "{outcomes:#?}");
    assert!(router.is_up());
    assert_eq!(installed(&router).listen_port, 51823);
    assert_eq!(outcomes[0].writes, 2, "51821 and 51823");
    assert_eq!(router.column("interface wireguard peers", "disabled"), ["false"]);
    assert!(router.log.iter().any(|l| l.contains("the tunnel is dark")));
}

#[test]
fn the_watchdog_follows_a_hub_that_has_moved() {
    let (spoke, mut router) = watched(|_| {});
    router.hub.address = "198.51.100.77".into();
    router.resolved = "198.51.100.77".into();
    router.wait(400);
    assert!(!router.is_up(), "a name is not resolved again by itself");
    let said = spoke.run(Check, &mut router);
    let warning =
        "iwas-wg: WARNING vpn.example.com is 198.51.100.77 now, but the peer still uses 198.51.100.9";
    assert!(said.output.contains(&warning.to_owned()) && said.last().contains("NO HANDSHAKE"), "{said:#?}");
    let outcomes = router.netwatch_goes_down();
    assert!(outcomes[0].error.is_none(), "{outcomes:#?}");
    assert!(router.is_up());
    let wg = installed(&router);
    assert_eq!((wg.endpoint_address.as_str(), wg.listen_port), ("vpn.example.com", 51820));
    assert_eq!(spoke.run_well(Check, &mut router).last(), "iwas-wg: OK");
}

#[test]
fn the_watchdog_backs_off_and_writes_little_while_the_hub_is_down() {
    let (_, mut router) = watched(|s| s.endpoint = "192.0.2.1");
    router.hub.knows.clear();
    router.wait(400);
    let start = router.clone();
    // Another run begins a day later, which ends this one.
    router.other_run_at = Some(start.seconds_now() + 86_400);
    let outcomes = router.netwatch_goes_down();
    assert!(outcomes[0].error.is_none(), "{outcomes:#?}");
    assert_eq!(outcomes[0].writes, 6);
    let asked = router.log.iter().filter(|l| l.contains("the tunnel is dark")).count();
    assert_eq!(asked, 6);
    assert!((86_400..90_000).contains(&router.seconds_since(&start)), "it ends as the younger run begins");
}

#[test]
fn the_watchdog_waits_while_the_router_has_no_internet_itself() {
    let (_, mut router) = watched(|_| {});
    router.hub.knows.clear();
    router.internet.clear();
    router.wait(400);
    let before = router.export();
    router.other_run_at = Some(router.seconds_now() + 7200);
    let outcomes = router.netwatch_goes_down();
    assert!(outcomes[0].error.is_none() && outcomes[0].writes == 0, "{outcomes:#?}");
    assert_eq!(router.export(), before);
}

#[test]
fn the_watchdog_is_on_by_default_where_the_endpoint_is_a_name() {
    for (endpoint, watchdog, on) in [
        ("vpn.example.com", Watchdog::Auto, true),
        ("192.0.2.1", Watchdog::Auto, false),
        ("2001:db8::1", Watchdog::Auto, false),
        ("vpn.example.com", Watchdog::Off, false),
        ("192.0.2.1", Watchdog::On, true),
    ] {
        let mut spoke = Spoke::new();
        (spoke.endpoint, spoke.options.watchdog) = (endpoint, watchdog);
        assert_eq!(spoke.render(Install).contains("iwas-wg: watchdog added"), on, "{endpoint} {watchdog:?}");
    }
}

#[test]
fn the_watchdog_leaves_a_live_tunnel_alone_and_ends_with_it() {
    let (_, mut router) = watched(|_| {});
    let before = router.export();
    let outcomes = router.netwatch_goes_down();
    assert!(outcomes[0].error.is_none() && outcomes[0].writes == 0, "{outcomes:#?}");
    assert_eq!(router.export(), before);
}

#[test]
fn a_preshared_key_can_be_taken_back() {
    let [_, mut router] = routers();
    let mut spoke = Spoke::new();
    spoke.preshared_key = Some(key(9).expose().to_string());
    spoke.run_well(Install, &mut router);
    assert!(installed(&router).preshared_key.is_some());
    spoke.preshared_key = None;
    spoke.run_well(Install, &mut router);
    assert_eq!(installed(&router).preshared_key, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// From a description to the router's own memory, through parser and quoting.
    #[test]
    fn the_router_holds_the_very_text(text in "[\\PC\n\t\"\\\\$?;{}\\[\\]]{0,200}") {
        let Ok(description) = text.parse::<iwas_wg::model::Description>() else { return Ok(()) };
        // What cannot be seen is not kept.
        let text = description.as_str().to_owned();
        let mut spoke = Spoke::new();
        spoke.location.description = Some(description);
        let [mut router, _] = routers();
        let outcome = router.import(&spoke.template("/system script add name=x source={{description}}\n:put {{description}}"));
        prop_assert!(outcome.error.is_none(), "{:?}", outcome);
        prop_assert_eq!(outcome.output.join("|"), text.clone());
        prop_assert_eq!(router.column("system script", "source"), [text]);
        // And it does not hurt where it only stands in a comment.
        spoke.run_well(Install, &mut router);
    }
}
