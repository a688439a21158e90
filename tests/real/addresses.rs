//! What a peer holds that only the interface has is given to nobody, and asking costs little.

use crate::{
    bench::{ready, run},
    hub::Hub,
    netns::Net,
};

#[test]
fn an_address_that_wg_gave_to_a_peer_is_given_to_no_location() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let address = |name: &str| -> String {
        let shown = hub.json(&format!("location show {name}"));
        shown["location"]["vpn_ip"].as_str().expect("address").to_owned()
    };
    hub.ok("location add first");
    let first = address("first");
    let after = |n: u32| {
        let ip: std::net::Ipv4Addr = first.parse().expect("address");
        std::net::Ipv4Addr::from(u32::from(ip) + n).to_string()
    };
    let stranger = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
    let allowed = format!("{}/32", after(1));
    run(hub.space.command("wg").args(["set", &hub.interface(), "peer", stranger, "allowed-ips", &allowed]));
    let taken = hub.run(&format!("location add taken --vpn-ip {}", after(1))).code(4);
    assert!(taken.stderr.contains(&format!("is held by the peer {stranger}")), "{taken:#?}");
    hub.ok("location add second");
    assert_eq!(address("second"), after(2));
    let shown = run(hub.space.command("wg").args(["show", &hub.interface(), "allowed-ips"]));
    assert!(shown.contains(&format!("{stranger}\t{allowed}")), "the peer lost its address: {shown}");
}
