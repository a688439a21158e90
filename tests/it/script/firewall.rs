//! What OK means: a packet of the hub goes through the firewalls that are met in the field.

use super::{HUB_IP, Spoke, TAG, hub, routers};
use crate::routeros::{Outcome, Packet, Router};
use iwas_wg::{
    model::router::Service,
    script::Kind::{Check, Install, Remove},
};

const INTERFACE: &str = "wireguard-iwas";
const FILTER: &str = "ip firewall filter";
const RAW: &str = "ip firewall raw";

fn router(rules: &[(&str, &[(&str, &str)])]) -> Router {
    let mut router = Router::bare();
    router.hub = hub(&[7]);
    router.given("interface list member", &[("list", "LAN"), ("interface", "bridge")]);
    router.given("interface list member", &[("list", "WAN"), ("interface", "ether1")]);
    for (menu, rule) in rules {
        router.given(menu, rule);
    }
    router
}

/// `MikroTik`'s "Building Advanced Firewall": raw drops what comes from no known list.
fn advanced() -> Router {
    router(&[
        (RAW, &[("chain", "prerouting"), ("action", "accept"), ("disabled", "yes")]),
        (RAW, &[("chain", "prerouting"), ("action", "drop"), ("src-address-list", "bad_ipv4")]),
        (RAW, &[("chain", "prerouting"), ("action", "jump"), ("jump-target", "icmp4"), ("protocol", "icmp")]),
        (RAW, &[("chain", "prerouting"), ("action", "accept"), ("in-interface-list", "LAN")]),
        (RAW, &[("chain", "prerouting"), ("action", "accept"), ("in-interface-list", "WAN")]),
        (RAW, &[("chain", "prerouting"), ("action", "drop")]),
        (RAW, &[("chain", "icmp4"), ("action", "drop"), ("protocol", "icmp")]),
        (FILTER, &[("chain", "input"), ("action", "accept"), ("connection-state", "established,related")]),
        (FILTER, &[("chain", "input"), ("action", "drop"), ("in-interface-list", "!LAN")]),
    ])
}

/// An export of the field: a jump to a chain that rejects, lists that count who opens Winbox, and a
/// static drop that is disabled and last.
fn brute_force() -> Router {
    let stage = |from: &'static str, to: &'static str| {
        [
            ("chain", "input"),
            ("action", "add-src-to-address-list"),
            ("protocol", "tcp"),
            ("dst-port", "8291,3022"),
            ("connection-state", "new"),
            ("src-address-list", from),
            ("address-list", to),
        ]
    };
    let mut router = router(&[
        (FILTER, &[("chain", "input"), ("action", "jump"), ("jump-target", "common")]),
        (FILTER, &[("chain", "common"), ("action", "reject"), ("src-address-list", "BLACK-LIST")]),
    ]);
    for (from, to) in [("stage3", "BLACK-LIST"), ("stage2", "stage3"), ("stage1", "stage2")] {
        router.given(FILTER, &stage(from, to));
    }
    router.given(
        FILTER,
        &stage("stage0", "stage1")
            .map(|(n, v)| if n == "src-address-list" { ("comment", "first") } else { (n, v) }),
    );
    router.given(FILTER, &[("chain", "input"), ("action", "reject"), ("disabled", "yes")]);
    router
}

fn result(outcome: &Outcome) -> &str {
    outcome.output.iter().rev().nth(1).expect("a line for programs")
}

#[test]
fn the_hub_gets_through_the_firewalls_of_the_field_and_nobody_else_does() {
    for (name, mut router) in [("advanced", advanced()), ("stock", routers()[1].clone())] {
        let before = router.export();
        assert!(!router.admits(INTERFACE, HUB_IP, 22), "{name}: nothing to prove");
        let outcome = Spoke::new().run_well(Install, &mut router);
        assert_eq!(outcome.last(), "iwas-wg: OK", "{name}");
        assert_eq!(result(&outcome), "iwas-wg: result=ok warnings=0 handshake=00:00:03 ping=3/3", "{name}");
        for port in [0, 22, 8291, 8728, 8729] {
            assert!(router.admits(INTERFACE, HUB_IP, port), "{name}: {port}");
            assert!(port == 0 || !router.admits("ether1", HUB_IP, port), "{name}: {port} from the WAN");
        }
        let neighbour = "10.0.0.9".parse().expect("address");
        assert!(!router.admits(INTERFACE, neighbour, 22), "{name}: from a neighbour");
        assert!(!router.admits(INTERFACE, HUB_IP, 80), "{name}: www was not asked for");
        assert_eq!(Spoke::new().run_well(Install, &mut router).writes, 0, "{name}");
        assert_eq!(Spoke::new().run_well(Check, &mut router).last(), "iwas-wg: OK", "{name}");
        Spoke::new().run_well(Remove, &mut router);
        assert_eq!(router.export(), before, "{name}");
    }
}

#[test]
fn the_hub_is_never_counted_by_a_list_that_bans_who_opens_winbox_often() {
    let winbox =
        Packet { interface: INTERFACE.into(), source: HUB_IP, protocol: "tcp", port: 8291, answer: false };
    // Before: the fifth connection is banned.
    let mut router = brute_force();
    let taken: Vec<bool> = (0..5).map(|_| router.receives(&winbox)).collect();
    assert_eq!(taken, [true, true, true, true, false]);
    // After: none is.
    let mut router = brute_force();
    let before = router.export();
    Spoke::new().run_well(Install, &mut router);
    assert!((0..20).all(|_| router.receives(&winbox)));
    assert!(router.column("ip firewall address-list", "list").is_empty());
    Spoke::new().run_well(Remove, &mut router);
    assert_eq!(router.export(), before);
}

#[test]
fn a_router_without_drops_gets_no_rule_and_tracks_no_connections_because_of_us() {
    let mut bare = Router::bare();
    bare.hub = hub(&[7]);
    for mut router in [
        bare,
        // A rule that is disabled drops nothing.
        router(&[(FILTER, &[("chain", "input"), ("action", "drop"), ("disabled", "yes")])]),
    ] {
        let tracked = router.tracks_connections();
        let outcome = Spoke::new().run_well(Install, &mut router);
        assert!(
            outcome.output.iter().any(|l| l.starts_with("iwas-wg: no firewall rule is needed")),
            "{outcome:#?}"
        );
        assert!(!router.comments(FILTER).contains(&TAG.to_owned()));
        assert_eq!(router.tracks_connections(), tracked);
        assert!(!tracked);
        // It changes with the firewall.
        router.given(FILTER, &[("chain", "input"), ("action", "drop"), ("in-interface-list", "!LAN")]);
        let check = Spoke::new().run(Check, &mut router);
        assert!(check.last().contains("HANDSHAKE BUT NO TRAFFIC - the hub (10.0.0.1) answers no ping: look at chain input of this router"), "{check:#?}");
        Spoke::new().run_well(Install, &mut router);
        assert!(router.admits(INTERFACE, HUB_IP, 22));
    }
}

#[test]
fn rules_are_kept_out_of_the_raw_table_where_no_rule_can_hit_the_tunnel() {
    for rule in [
        &[("chain", "prerouting"), ("action", "drop"), ("in-interface", "ether1")][..],
        &[("chain", "prerouting"), ("action", "drop"), ("disabled", "yes")],
        &[("chain", "output"), ("action", "drop"), ("src-address", "192.0.2.0/24")],
        &[("chain", "prerouting"), ("action", "notrack")],
    ] {
        let mut router = router(&[(RAW, rule)]);
        Spoke::new().run_well(Install, &mut router);
        assert!(!router.comments(RAW).contains(&TAG.to_owned()), "{rule:?}");
    }
    // Whether a rule for all but one interface hits the tunnel: it does.
    let mut router =
        router(&[(RAW, &[("chain", "prerouting"), ("action", "drop"), ("in-interface", "!ether1")])]);
    Spoke::new().run_well(Install, &mut router);
    assert!(router.admits(INTERFACE, HUB_IP, 22));
}

#[test]
fn a_handshake_without_traffic_is_no_ok_and_says_where_to_look() {
    // The hub itself is silent.
    let [_, mut router] = routers();
    router.hub.silent = true;
    let outcome = Spoke::new().run(Install, &mut router);
    assert_eq!(
        outcome.last(),
        "iwas-wg: HANDSHAKE BUT NO TRAFFIC - the hub (10.0.0.1) answers no ping: look at the firewall of the hub"
    );
    assert_eq!(result(&outcome), "iwas-wg: result=no-traffic warnings=0 handshake=00:00:03 ping=0/3");
    assert_eq!(router.log.last().map(String::as_str), Some(outcome.last()));
    // The raw table of a firewall that the settings leave alone.
    let mut router = advanced();
    let mut spoke = Spoke::new();
    spoke.options.management.clear();
    let outcome = spoke.run(Install, &mut router);
    assert_eq!(
        outcome.last(),
        "iwas-wg: HANDSHAKE BUT NO TRAFFIC - the hub (10.0.0.1) answers no ping: a rule of /ip firewall raw may \
         drop what comes through the tunnel"
    );
    assert_eq!(spoke.run(Check, &mut router).last(), outcome.last());
    assert!(!router.comments(RAW).contains(&TAG.to_owned()), "it was left alone");
}

#[test]
fn the_ports_are_those_of_the_router_itself() {
    let [_, mut router] = routers();
    router.edit("ip service", ("name", "ssh"), ("port", "2200"));
    let mut spoke = Spoke::new();
    spoke.options.management = vec![Service::Snmp, Service::WwwSsl, Service::Www, Service::Ssh];
    spoke.run_well(Install, &mut router);
    for (port, open) in [(2200, true), (80, true), (443, true), (22, false), (8291, false)] {
        assert_eq!(router.admits(INTERFACE, HUB_IP, port), open, "{port}");
    }
    let snmp =
        |port| Packet { interface: INTERFACE.into(), source: HUB_IP, protocol: "udp", port, answer: false };
    assert!(router.receives(&snmp(161)) && !router.receives(&snmp(53)));
    assert_eq!(spoke.run_well(Install, &mut router).writes, 0);
    // A port that changes later is followed by the next run.
    router.edit("ip service", ("name", "ssh"), ("port", "2201"));
    spoke.run_well(Install, &mut router);
    assert!(router.admits(INTERFACE, HUB_IP, 2201) && !router.admits(INTERFACE, HUB_IP, 2200));
}

#[test]
fn who_may_log_in_from_where_is_read_and_warned_of_only_where_it_shuts_the_hub_out() {
    let [_, mut router] = routers();
    router.edit("ip service", ("name", "ssh"), ("address", "192.168.88.0/24,10.0.0.0/24"));
    router.edit("user", ("name", "admin"), ("address", "10.0.0.1/32"));
    assert_eq!(Spoke::new().run_well(Install, &mut router).last(), "iwas-wg: OK");
    router.edit("ip service", ("name", "winbox"), ("address", "192.168.88.0/24"));
    router.edit("user", ("name", "admin"), ("address", "192.168.88.0/24,2001:db8::/32"));
    let warnings = [
        "iwas-wg: WARNING service winbox accepts only 192.168.88.0/24, not the hub (10.0.0.1)",
        "iwas-wg: WARNING user admin may log in only from 192.168.88.0/24;2001:db8::/32, not from the hub (10.0.0.1)",
    ];
    for kind in [Install, Check] {
        let outcome = Spoke::new().run_well(kind, &mut router);
        assert_eq!(outcome.last(), "iwas-wg: OK, 2 warnings");
        assert!(result(&outcome).starts_with("iwas-wg: result=ok warnings=2 "), "{outcome:#?}");
        for warning in warnings {
            assert!(outcome.output.contains(&warning.to_owned()), "{warning}: {outcome:#?}");
        }
    }
    router.edit("user", ("name", "admin"), ("disabled", "yes"));
    assert_eq!(Spoke::new().run_well(Check, &mut router).last(), "iwas-wg: OK, 1 warning");
}
