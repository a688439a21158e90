//! `install` on a router that has something in the way: nothing may be changed.

use super::{Spoke, TAG, routers};
use crate::routeros::Router;
use iwas_wg::script::Kind::Install;

/// What the script must say, and what to put in its way.
type Case = (&'static str, Box<dyn Fn(&mut Router)>);

#[test]
fn what_is_in_the_way_stops_it_before_any_change() {
    let address = |a: &'static str, n: &'static str| {
        move |r: &mut Router| {
            r.given("ip address", &[("address", a), ("network", n), ("interface", "bridge")]);
        }
    };
    let cases: Vec<Case> = vec![
        (
            "is not ours (comment: mine)",
            Box::new(|r| {
                r.given("interface wireguard", &[("name", "wireguard-iwas"), ("comment", "mine")]);
            }),
        ),
        (
            "is not ours (comment: )",
            Box::new(|r| {
                r.given("interface", &[("name", "wireguard-iwas")]);
            }),
        ),
        (
            "is not ours (comment: iwas-wg:other)",
            Box::new(|r| {
                r.given("interface wireguard", &[("name", "wireguard-iwas"), ("comment", "iwas-wg:other")]);
            }),
        ),
        (
            "several WireGuard interfaces",
            Box::new(|r| {
                r.given("interface wireguard", &[("name", "a"), ("comment", TAG)]);
                r.given("interface wireguard", &[("name", "b"), ("comment", TAG)]);
            }),
        ),
        (
            "has our UDP port",
            Box::new(|r| {
                r.given("interface wireguard", &[("name", "wg-office"), ("listen-port", "51820")]);
            }),
        ),
        (
            "has a peer that is not ours",
            Box::new(|r| {
                r.given("interface wireguard", &[("name", "tunnel"), ("comment", TAG)]);
                r.given(
                    "interface wireguard peers",
                    &[("interface", "tunnel"), ("allowed-address", "10.9.0.0/24")],
                );
            }),
        ),
        ("address 10.0.0.7/24 is in use", Box::new(address("10.0.0.7/24", "10.0.0.0"))),
        ("overlaps the VPN network", Box::new(address("10.0.0.200/24", "10.0.0.0"))),
        ("overlaps the VPN network", Box::new(address("10.0.0.9/32", "10.0.0.9"))),
        ("overlaps the VPN network", Box::new(address("10.0.9.1/16", "10.0.0.0"))),
        ("overlaps the VPN network", Box::new(address("10.0.0.130/25", "10.0.0.128"))),
        (
            "a route to 192.168.50.0/24 that is not ours",
            Box::new(|r| {
                r.given("ip route", &[("dst-address", "192.168.50.0/24"), ("gateway", "203.0.113.1")]);
            }),
        ),
        (
            "a route to fd00:50::/64 that is not ours",
            Box::new(|r| {
                r.given("ipv6 route", &[("dst-address", "fd00:50::/64"), ("gateway", "ether1")]);
            }),
        ),
    ];
    let mut spoke = Spoke::new();
    spoke.options.routes =
        vec!["192.168.50.0/24".parse().expect("net"), "fd00:50::/64".parse().expect("net")];
    for (message, put_in_the_way) in cases {
        for mut router in routers() {
            put_in_the_way(&mut router);
            let before = router.export();
            let outcome = spoke.run(Install, &mut router);
            assert!(outcome.error.is_some(), "{message}: {outcome:#?}");
            assert!(outcome.last().contains(message), "{message}: {}", outcome.last());
            assert!(outcome.last().ends_with("Nothing was changed"), "{}", outcome.last());
            assert_eq!(outcome.writes, 0, "{message}");
            assert_eq!(router.export(), before, "{message}");
        }
    }
}

#[test]
fn neighbouring_networks_and_disabled_addresses_are_not_in_the_way() {
    for given in ["10.0.1.1/24", "10.1.0.1/16", "9.255.255.1/8", "192.168.0.1/16"] {
        let [mut router, _] = routers();
        router.given("ip address", &[("address", given), ("interface", "bridge")]);
        Spoke::new().run_well(Install, &mut router);
    }
    let [mut router, _] = routers();
    router.given("ip address", &[("address", "10.0.0.9/24"), ("interface", "bridge"), ("disabled", "yes")]);
    Spoke::new().run_well(Install, &mut router);
}
