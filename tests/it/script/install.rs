//! `install`: bare and stock routers, again, after changes and faults.

use super::{HUB_IP, Spoke, TAG, hub, installed, key, public, routers};
use crate::routeros::Router;
use iwas_wg::model::router::Watchdog;
use iwas_wg::{
    model::router::{Reach, Service},
    script::Kind::Install,
};
use std::net::Ipv4Addr;

type Change = (&'static str, fn(&mut Spoke));
type Pair = (&'static str, &'static str);

const INTERFACE: &str = "wireguard-iwas";

#[test]
fn a_router_becomes_a_spoke_in_contact() {
    for mut router in routers() {
        let outcome = Spoke::new().run_well(Install, &mut router);
        assert_eq!(outcome.last(), "iwas-wg: OK");
        let wg = installed(&router);
        assert_eq!(wg.private_key, key(7).expose().as_str());
        assert_eq!(wg.peer_public_key, public(200).to_string());
        assert_eq!((wg.endpoint_address.as_str(), wg.endpoint_port), ("vpn.example.com", 51820));
        assert_eq!((wg.address.as_str(), wg.network.as_str()), ("10.0.0.7/24", "10.0.0.0"));
        assert_eq!((wg.listen_port, wg.mtu, wg.keepalive), (51820, 1420, 25));
        assert_eq!(wg.allowed_address, ["0.0.0.0/0"]);
        assert_eq!(router.interface_to(Ipv4Addr::new(10, 0, 0, 9)).as_deref(), Some(INTERFACE));
    }
}

#[test]
fn the_hub_can_manage_a_stock_router_and_nobody_else_can() {
    let [_, mut router] = routers();
    let ports = [0, 22, 8291, 8728, 8729];
    assert!(!router.admits(INTERFACE, HUB_IP, 22), "the stock firewall drops it");
    Spoke::new().run_well(Install, &mut router);
    for port in ports {
        assert!(router.admits(INTERFACE, HUB_IP, port), "{port}");
        assert!(port == 0 || !router.admits("ether1", HUB_IP, port), "{port} from the WAN");
        assert!(
            port == 0 || !router.admits(INTERFACE, Ipv4Addr::new(10, 0, 0, 9), port),
            "{port} from a neighbour"
        );
    }
    assert!(!router.admits(INTERFACE, HUB_IP, 80), "www was not asked for");
    assert_eq!(router.comments("ip firewall filter").iter().filter(|c| *c == TAG).count(), 2);
}

#[test]
fn a_second_run_changes_nothing_at_all() {
    let variants: [fn(&mut Spoke); 7] = [
        |_| {},
        |s| s.options.reach = Reach::Hub,
        |s| s.options.reach = Reach::Network,
        |s| s.options.listen_port = 0,
        |s| s.options.keepalive = 0,
        |s| s.options.management = vec![Service::Ssh],
        |s| {
            s.preshared_key = Some(key(9).expose().to_string());
            s.options.watchdog = Watchdog::On;
            s.options.routes =
                vec!["192.168.50.0/24".parse().expect("net"), "fd00::/64".parse().expect("net")];
            s.options.allowed_address = vec!["10.0.0.0/24".parse().expect("net")];
        },
    ];
    for (n, vary) in variants.into_iter().enumerate() {
        let mut spoke = Spoke::new();
        vary(&mut spoke);
        for mut router in routers() {
            spoke.run_well(Install, &mut router);
            let before = router.export();
            router.wait(90);
            let outcome = spoke.run_well(Install, &mut router);
            assert_eq!(outcome.writes, 0, "variant {n}: {:#?}", outcome.output);
            assert_eq!(outcome.last(), "iwas-wg: OK");
            assert!(outcome.output.contains(&"iwas-wg: nothing to change".to_owned()), "{outcome:#?}");
            assert_eq!(router.export(), before);
        }
    }
}

#[test]
fn each_setting_that_changed_on_the_hub_is_changed_and_nothing_is_doubled() {
    let changes: [Change; 14] = [
        ("address", |s| s.vpn_ip = Ipv4Addr::new(10, 0, 0, 42)),
        ("network", |s| s.network = "10.0.0.0/16"),
        ("reach", |s| s.options.reach = Reach::Hub),
        ("key", |s| s.private_key = Some(8)),
        ("preshared key", |s| s.preshared_key = Some(key(9).expose().to_string())),
        ("port", |s| s.options.listen_port = 4711),
        ("mtu", |s| s.options.mtu = 1380),
        ("keepalive", |s| s.options.keepalive = 0),
        ("allowed", |s| s.options.allowed_address = vec!["10.0.0.0/8".parse().expect("net")]),
        ("no management", |s| s.options.management.clear()),
        ("less management", |s| s.options.management = vec![Service::Winbox]),
        ("routes", |s| s.options.routes = vec!["192.168.50.0/24".parse().expect("net")]),
        ("interface", |s| s.options.interface = "wg-site".into()),
        ("watchdog", |s| s.options.watchdog = Watchdog::Off),
    ];
    for (what, change) in changes {
        for (n, mut router) in routers().into_iter().enumerate() {
            let (first, mut second) = (Spoke::new(), Spoke::new());
            change(&mut second);
            router.hub = hub(&[7, 8]);
            let mut fresh = router.clone();
            second.run_well(Install, &mut fresh);
            first.run_well(Install, &mut router);
            let there = second.run_well(Install, &mut router);
            // A router without a firewall needs no rules.
            assert!(there.writes > 0 || (n == 0 && what.contains("management")), "{what}");
            assert_eq!(router.wireguard(TAG), fresh.wireguard(TAG), "{what}");
            assert_eq!(router.export(), fresh.export(), "{what}");
            // And back again.
            let mut fresh = router.clone();
            first.run_well(Install, &mut fresh);
            assert_eq!(first.run_well(Install, &mut fresh).writes, 0, "{what}");
        }
    }
}

#[test]
fn a_run_that_broke_off_anywhere_is_mended_by_the_next() {
    let mut spoke = Spoke::new();
    spoke.options.watchdog = Watchdog::On;
    spoke.options.routes = vec!["192.168.50.0/24".parse().expect("net")];
    let [_, mut clean] = routers();
    let writes = spoke.run_well(Install, &mut clean).writes;
    assert!(writes > 6, "{writes}");
    for broken_at in 0..writes {
        let [_, mut router] = routers();
        router.fail_write = Some(broken_at);
        let outcome = spoke.run(Install, &mut router);
        assert!(outcome.writes <= broken_at || outcome.error.is_none(), "{outcome:#?}");
        spoke.run_well(Install, &mut router);
        assert_eq!(router.export(), clean.export(), "broken at write {broken_at}");
    }
}

#[test]
fn what_a_person_changed_by_hand_is_put_right() {
    let filter = "ip firewall filter";
    let edits: [(&str, Pair, Pair); 8] = [
        ("interface wireguard", ("comment", TAG), ("disabled", "yes")),
        ("interface wireguard", ("comment", TAG), ("name", "wg-renamed")),
        ("interface wireguard peers", ("comment", TAG), ("disabled", "yes")),
        ("interface wireguard peers", ("comment", TAG), ("endpoint-address", "203.0.113.250")),
        ("ip address", ("comment", TAG), ("disabled", "yes")),
        ("ip address", ("comment", TAG), ("interface", "bridge")),
        (filter, ("comment", TAG), ("disabled", "yes")),
        (filter, ("dst-port", "22,8291,8728,8729"), ("dst-port", "22")),
    ];
    for (menu, which, set) in edits {
        let [_, mut router] = routers();
        Spoke::new().run_well(Install, &mut router);
        let before = router.export();
        router.edit(menu, which, set);
        assert_ne!(router.export(), before);
        Spoke::new().run_well(Install, &mut router);
        assert_eq!(router.export(), before, "{menu} {set:?}");
    }
}

#[test]
fn a_rule_that_came_to_stand_behind_a_drop_is_moved() {
    let [mut router, _] = routers();
    Spoke::new().run_well(Install, &mut router);
    // A bare router had no rule to stand before; now the stock ones come to stand first.
    let mut late = Router::bare();
    late.hub = hub(&[7]);
    late.given("ip firewall filter", &[("chain", "input"), ("action", "drop")]);
    for port in ["icmp", "tcp"] {
        late.given(
            "ip firewall filter",
            &[("chain", "input"), ("action", "accept"), ("protocol", port), ("comment", TAG)],
        );
    }
    assert!(!late.admits(INTERFACE, HUB_IP, 22));
    Spoke::new().run_well(Install, &mut late);
    assert!(late.admits(INTERFACE, HUB_IP, 22));
    assert_eq!(late.comments("ip firewall filter").iter().filter(|c| *c == TAG).count(), 2);
}

#[test]
fn a_renamed_location_is_taken_over_when_the_key_is_the_same() {
    let [_, mut router] = routers();
    let mut old = Spoke::new();
    old.options.watchdog = Watchdog::On;
    old.options.routes = vec!["192.168.50.0/24".parse().expect("net")];
    old.run_well(Install, &mut router);
    let mut new = Spoke { location: Spoke::new().location, ..old };
    new.location.name = "bistro".parse().expect("name");
    let outcome = new.run_well(Install, &mut router);
    assert!(
        outcome.output.iter().any(|l| l.contains("taking over what was made for iwas-wg:cafe")),
        "{outcome:#?}"
    );
    assert!(!router.export().contains(TAG));
    assert!(router.wireguard("iwas-wg:bistro").is_some());
    assert_eq!(new.run_well(Install, &mut router).writes, 0);

    // Another key is another router's script: it must not take this one.
    let mut wrong = Spoke::new();
    wrong.private_key = Some(8);
    let outcome = wrong.run(Install, &mut router);
    assert!(outcome.last().contains("is not ours (comment: iwas-wg:bistro)"), "{outcome:#?}");
    assert_eq!(outcome.writes, 0);
}

#[test]
fn a_tunnel_made_by_an_older_script_without_tags_is_taken_over() {
    let seed = |router: &mut Router, n: u8| {
        let private = key(n).expose();
        router.given(
            "interface wireguard",
            &[("name", INTERFACE), ("listen-port", "51820"), ("private-key", private.as_str())],
        );
        router.given(
            "interface wireguard peers",
            &[
                ("interface", INTERFACE),
                ("allowed-address", "0.0.0.0/0"),
                ("endpoint-address", "vpn.example.com"),
                ("endpoint-port", "51820"),
                ("public-key", &public(200).to_string()),
            ],
        );
        router.given(
            "ip address",
            &[("address", "10.0.0.7/24"), ("network", "10.0.0.0"), ("interface", INTERFACE)],
        );
    };
    for (mut router, mut clean) in routers().into_iter().zip(routers()) {
        seed(&mut router, 7);
        let outcome = Spoke::new().run_well(Install, &mut router);
        assert!(outcome.output.iter().any(|l| l.contains("made by an older script")), "{outcome:#?}");
        Spoke::new().run_well(Install, &mut clean);
        assert_eq!(router.export(), clean.export(), "nothing else was touched");
        assert_eq!(Spoke::new().run_well(Install, &mut router).writes, 0);
    }
    // Another key, or more on it than we know of: somebody else's.
    let [_, mut router] = routers();
    seed(&mut router, 8);
    assert!(Spoke::new().run(Install, &mut router).last().contains("is not ours (comment: )"));
    let [_, mut router] = routers();
    seed(&mut router, 7);
    router
        .given("interface wireguard peers", &[("interface", INTERFACE), ("allowed-address", "10.9.0.0/24")]);
    let outcome = Spoke::new().run(Install, &mut router);
    assert!(outcome.last().contains("several peers") && outcome.writes == 0, "{outcome:#?}");
}

#[test]
fn without_an_answer_it_says_so_after_a_bounded_time() {
    let [_, mut router] = routers();
    router.hub.knows.clear();
    let start = router.clone();
    let outcome = Spoke::new().run(Install, &mut router);
    assert!(outcome.error.is_none());
    assert_eq!(
        outcome.last(),
        "iwas-wg: NO HANDSHAKE - none after 40s: check outbound UDP to vpn.example.com port 51820, the clock \
         and the hub"
    );
    assert!(router.seconds_since(&start) <= 60);
    assert_eq!(router.log.last().map(String::as_str), Some(outcome.last()));
}

#[test]
fn an_old_handshake_is_not_taken_for_an_answer_to_a_new_key() {
    for forgets in [true, false] {
        let [_, mut router] = routers();
        router.forgets = forgets;
        let mut spoke = Spoke::new();
        spoke.run_well(Install, &mut router);
        spoke.private_key = Some(8);
        let outcome = spoke.run(Install, &mut router);
        assert!(outcome.last().contains("NO HANDSHAKE"), "the hub does not know key 8: {outcome:#?}");
        router.hub = hub(&[8]);
        spoke.run_well(Install, &mut router);
    }
}

#[test]
fn warnings_never_stop_it() {
    let [_, mut router] = routers();
    router.date = "jan/02/1970".into();
    router.edit("system ntp client", ("enabled", "true"), ("enabled", "no"));
    router.edit("ip service", ("name", "ssh"), ("address", "192.168.88.0/24"));
    router.edit("ip service", ("name", "api"), ("disabled", "yes"));
    let outcome = Spoke::new().run_well(Install, &mut router);
    for warning in [
        "the clock is in 1970",
        "the NTP client is off",
        "service ssh accepts only 192.168.88.0/24, not the hub (10.0.0.1)",
        "service api is disabled",
    ] {
        assert!(
            outcome.output.iter().any(|l| l.starts_with("iwas-wg: WARNING") && l.contains(warning)),
            "{warning}"
        );
    }
    let [_, mut router] = routers();
    router.names.clear();
    let outcome = Spoke::new().run(Install, &mut router);
    assert!(outcome.output.iter().any(|l| l.contains("cannot resolve vpn.example.com")), "{outcome:#?}");
    assert!(outcome.last().contains("NO HANDSHAKE"));
}

#[test]
fn older_systems_are_told_to_upgrade_and_left_alone() {
    for (version, message) in
        [("6.49.18 (long-term)", "RouterOS 6 has no WireGuard"), ("7.0.5", "needs RouterOS 7.1")]
    {
        let [_, mut router] = routers();
        router.version = version.into();
        let outcome = Spoke::new().run(Install, &mut router);
        assert!(outcome.last().contains(message), "{outcome:#?}");
        assert_eq!(outcome.writes, 0);
    }
    let [_, mut router] = routers();
    router.version = "7.1 (stable)".into();
    Spoke::new().run_well(Install, &mut router);
}

#[test]
fn a_router_that_makes_its_own_key_prints_it_with_the_command_for_the_hub() {
    let [_, mut router] = routers();
    let mut spoke = Spoke::new().with_router_key();
    let outcome = spoke.run(Install, &mut router);
    assert!(outcome.error.is_none(), "{outcome:#?}");
    let wg = installed(&router);
    let command = format!("iwas-wg peer provision cafe --public-key {}", wg.public_key);
    assert!(outcome.last().ends_with(&command), "{}", outcome.last());
    assert!(!outcome.output.concat().contains(&wg.private_key));

    // The hub has been told: the same router comes into contact, with the same key.
    spoke.location.public_key = Some(wg.public_key.parse().expect("key"));
    router.hub.knows = vec![wg.public_key.clone()];
    spoke.run_well(Install, &mut router);
    assert_eq!(installed(&router).private_key, wg.private_key);

    // Another router in its place makes another key: it waits for nothing and says what to do.
    let [_, mut other] = routers();
    other.given("interface wireguard", &[("name", "wg-office")]);
    let outcome = spoke.run(Install, &mut other);
    assert!(
        outcome.last().contains("the hub knows another key; run there: iwas-wg peer rotate cafe"),
        "{outcome:#?}"
    );
}

#[test]
fn without_the_key_a_router_that_has_it_is_updated_and_another_is_refused() {
    let mut spoke = Spoke::new();
    let [_, mut router] = routers();
    spoke.run_well(Install, &mut router);
    spoke.private_key = None;
    spoke.location.key_mode = iwas_wg::model::KeyMode::Once;
    spoke.location.public_key = Some(public(7));
    spoke.options.mtu = 1400;
    spoke.run_well(Install, &mut router);
    assert_eq!(installed(&router).mtu, 1400);
    let [_, mut other] = routers();
    let outcome = spoke.run(Install, &mut other);
    assert!(outcome.last().contains("the hub does not keep the private key"), "{outcome:#?}");
    assert_eq!(outcome.writes, 0);
}
