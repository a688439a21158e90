//! Which address a location gets.

use crate::support::Hub;

#[test]
fn the_lowest_never_used_address_comes_first_and_freed_ones_last_oldest_first() {
    let hub = Hub::with_network("10.0.0.0/29");
    hub.run(&["up"]).ok();
    for (name, address) in [("a", "10.0.0.2"), ("b", "10.0.0.3"), ("c", "10.0.0.4")] {
        assert_eq!(hub.add_for_address(name), address);
    }
    for name in ["b", "a"] {
        hub.run(&["location", "remove", name, "-y"]).ok();
    }
    assert_eq!(hub.add_for_address("d"), "10.0.0.5");
    assert_eq!(hub.add_for_address("e"), "10.0.0.6");
    assert_eq!(hub.add_for_address("f"), "10.0.0.3", "the oldest freed address comes first");
    assert_eq!(hub.add_for_address("g"), "10.0.0.2");
    let run = hub.run(&["location", "add", "h"]).code(4);
    assert_eq!(
        run.error(),
        (
            "iwas-wg: no free address left in 10.0.0.0/29 (5 held by locations, 0 reserved, 1 the hub's)",
            "hint: widen hub.network, shorten hub.reserved, or remove a location"
        )
    );
    hub.run(&["location", "remove", "e", "-y"]).ok();
    assert_eq!(hub.add_for_address("h"), "10.0.0.6");
}

#[test]
fn small_and_large_pools_behave() {
    for (network, first, room) in [
        ("10.9.0.0/31", "10.9.0.1", Some(1)),
        ("10.9.0.0/30", "10.9.0.2", Some(1)),
        ("10.9.0.0/16", "10.9.0.2", None),
        ("10.0.0.0/8", "10.0.0.2", None),
    ] {
        let hub = Hub::with_network(network);
        hub.run(&["up"]).ok();
        assert_eq!(hub.add_for_address("first"), first, "{network}");
        match room {
            Some(1) => assert_eq!(hub.run(&["location", "add", "second"]).code, 4, "{network}"),
            _ => assert!(hub.run(&["location", "add", "second"]).code == 0, "{network}"),
        }
    }
}

#[test]
fn chosen_and_reserved_addresses_are_walked_around() {
    let hub = Hub::up();
    hub.edit_settings(
        "# reserved  = [\"10.0.0.2-10.0.0.9\", \"10.0.0.128/28\"]",
        "reserved = [\"10.0.0.1-10.0.0.6\"]",
    );
    hub.run(&["location", "add", "chosen", "--vpn-ip", "10.0.0.8"]).ok();
    assert_eq!(hub.add_for_address("a"), "10.0.0.7");
    assert_eq!(hub.add_for_address("b"), "10.0.0.9");
    for (address, reason) in [
        ("10.0.0.0", "is the network's own address"),
        ("10.0.0.1", "is the hub's own address"),
        ("10.0.0.255", "is the broadcast address"),
        ("10.0.0.3", "is reserved (10.0.0.1-10.0.0.6)"),
    ] {
        let run = hub.run(&["location", "add", "x", "--vpn-ip", address]).code(4);
        assert_eq!(run.error().0, format!("iwas-wg: address {address} {reason}"));
    }
}

#[test]
fn a_reservation_that_ends_gives_its_addresses_back() {
    let hub = Hub::up();
    hub.edit_settings(
        "# reserved  = [\"10.0.0.2-10.0.0.9\", \"10.0.0.128/28\"]",
        "reserved = [\"10.0.0.2-10.0.0.9\"]",
    );
    assert_eq!(hub.add_for_address("a"), "10.0.0.10");
    hub.edit_settings("reserved = [\"10.0.0.2-10.0.0.9\"]", "reserved = []");
    assert_eq!(hub.add_for_address("b"), "10.0.0.2");
}

#[test]
fn a_freed_address_can_be_chosen_and_is_then_not_handed_out_again() {
    let hub = Hub::with_network("10.0.0.0/29");
    hub.run(&["up"]).ok();
    hub.add("a");
    hub.run(&["location", "remove", "a", "-y"]).ok();
    hub.run(&["location", "add", "b", "--vpn-ip", "10.0.0.2"]).ok();
    for name in ["c", "d", "e", "f"] {
        assert_ne!(hub.add_for_address(name), "10.0.0.2");
    }
    assert_eq!(hub.run(&["location", "add", "g"]).code, 4);
}

#[test]
fn a_wider_network_goes_on_where_the_old_one_ended() {
    let hub = Hub::with_network("10.0.0.0/30");
    hub.run(&["up"]).ok();
    hub.add("a");
    assert_eq!(hub.run(&["location", "add", "b"]).code, 4);
    hub.edit_settings("10.0.0.0/30", "10.0.0.0/24");
    assert_eq!(hub.add_for_address("b"), "10.0.0.3");
}
