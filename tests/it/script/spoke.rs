//! What the tunnel does afterwards: reach, routes, watchdog, and quoting end to end.

use super::{HUB_IP, Spoke, installed, key, routers};
use iwas_wg::{model::router::Reach, script::Kind::Install};
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

#[test]
fn the_watchdog_frees_a_tunnel_from_a_stuck_port() {
    let [_, mut router] = routers();
    let mut spoke = Spoke::new();
    spoke.options.watchdog = true;
    spoke.run_well(Install, &mut router);
    router.wait(200);
    assert!(router.is_up());
    router.hub.stuck_ports = vec![51820, 51821];
    router.wait(400);
    assert!(!router.is_up());
    let outcomes = router.netwatch_goes_down();
    assert_eq!(outcomes.len(), 1);
    assert!(outcomes[0].error.is_none(), "{outcomes:#?}");
    assert!(router.is_up());
    let wg = installed(&router);
    assert_eq!(wg.listen_port, 51822);
    assert_eq!(router.column("interface wireguard peers", "disabled"), ["false"]);
    assert!(router.log.iter().any(|l| l.contains("the tunnel is dark")));
}

#[test]
fn the_watchdog_leaves_a_live_tunnel_alone_and_ends_with_it() {
    let [_, mut router] = routers();
    let mut spoke = Spoke::new();
    spoke.options.watchdog = true;
    spoke.run_well(Install, &mut router);
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
        let Ok(description) = text.parse() else { return Ok(()) };
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
