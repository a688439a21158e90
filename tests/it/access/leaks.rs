//! What others have does not exist: not in errors, counts, suggestions or conflicts.

use super::{become_, grant, hub};
use crate::support::Hub;

#[test]
fn a_conflict_does_not_say_with_whom() {
    let hub = hub();
    let foreign = hub.run(&["--json", "location", "show", "foreign"]).ok().json()["location"].clone();
    let (ip, key) =
        (foreign["vpn_ip"].as_str().expect("ip"), foreign["vpn_public_key"].as_str().expect("key"));
    become_(&hub, "org-admin");
    for (args, said) in [
        (&["location", "add", "foreign"][..], "location name \"foreign\" is taken".to_owned()),
        (&["location", "add", "foreign", "--if-not-exists"], "location name \"foreign\" is taken".to_owned()),
        (&["location", "add", "x", "--vpn-ip", ip], format!("address {ip} is taken")),
        (&["location", "add", "x", "--public-key", key], format!("public key {key} is taken")),
    ] {
        let e = hub.run(args).code(4);
        assert_eq!(e.error().0, format!("iwas-wg: {said}"));
    }
    // With whom it is told where it is one's own.
    let own = hub.run(&["--json", "location", "show", "own"]).ok().json();
    let ip = own["location"]["vpn_ip"].as_str().expect("ip");
    let e = hub.run(&["location", "add", "x", "--vpn-ip", ip]).code(4);
    assert_eq!(e.error().0, format!("iwas-wg: address {ip} is held by \"own\""));
}

#[test]
fn a_name_that_is_not_there_and_one_that_is_anothers_look_the_same() {
    let hub = hub();
    become_(&hub, "viewer");
    let none = hub.run(&["location", "show", "foreigm"]).code(3);
    let foreign = hub.run(&["location", "show", "foreign"]).code(3);
    assert_eq!(none.stderr.replace("foreigm", "foreign"), foreign.stderr);
    assert!(!none.stderr.contains("did you mean"), "{}", none.stderr);
    become_(&hub, "org-admin");
    hub.run(&["location", "remove", "foreign", "--yes", "--if-exists"]).ok();
    become_(&hub, "root");
    hub.run(&["location", "show", "foreign"]).ok();
}

#[test]
fn counts_are_of_what_one_sees() {
    let hub = hub();
    become_(&hub, "viewer");
    let status = hub.run(&["--json", "status"]).ok().json();
    assert_eq!(status["counts"]["never"], 1, "{status}");
    assert_eq!(status["locations"].as_array().expect("list").len(), 1);
    let doctor = hub.run(&["doctor"]);
    assert!(!doctor.stdout.contains("addresses") && !doctor.stdout.contains("peers"), "{}", doctor.stdout);
    become_(&hub, "org-admin");
    let scripts = hub.run(&["script", "render", "--all", "--stdout"]).ok().stdout;
    assert!(scripts.contains("iwas-wg:own") && !scripts.contains("foreign"), "{scripts}");
}

#[test]
fn a_full_pool_is_told_without_how_many_the_others_have() {
    let hub = Hub::with_network("10.0.0.0/30");
    hub.run(&["up"]).ok();
    hub.add("foreign");
    grant(&hub, super::GRANTS);
    become_(&hub, "org-admin");
    let e = hub.run(&["location", "add", "x"]).code(4);
    assert_eq!(e.error().0, "iwas-wg: no free address left in 10.0.0.0/30");
}

#[test]
fn an_org_s_auditor_sees_the_deeds_on_its_own_locations_only() {
    let hub = hub();
    become_(&hub, "location-manager");
    hub.run(&["location", "show", "foreign"]).code(3);
    become_(&hub, "org-admin");
    let all = hub.run(&["--json", "audit", "list"]).ok().json();
    let all = all["records"].as_array().expect("records").clone();
    assert!(!all.is_empty() && all.iter().all(|r| r["org"] == "acme"), "{all:?}");
}
