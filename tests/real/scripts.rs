//! What rendered scripts rely on, shown on a real `WireGuard`: how far each reach goes, and that a new
//! key proves itself before the hub gives it an address.

use crate::{
    bench::{ready, run},
    hub::{HUB_VPN_IP, Hub, SOON},
    netns::Net,
    router::Router,
};
use std::{
    fs,
    io::Write,
    process::Stdio,
    time::{Duration, Instant},
};

#[test]
fn a_router_reaches_as_far_as_its_settings_say() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let config = hub.root().join("etc/iwas-wg/config.toml");
    let settings = fs::read_to_string(&config).expect("settings");
    for (n, (reach, goes_further)) in
        [("any", true), ("network", true), ("hub", false)].into_iter().enumerate()
    {
        let with = settings.replace("[router]\n", &format!("[router]\nreach = \"{reach}\"\n"));
        fs::write(&config, with).expect("settings");
        let router = Router::of_new_location(&net, &hub, &format!("site-{n}"));
        assert!(hub.space.reaches(router.vpn_ip(), SOON), "{reach}: the hub does not reach the router");
        let shown = router.space.ip("route show");
        let inside = shown.lines().filter(|l| l.contains(&router.space.interface)).collect::<Vec<_>>();
        let whole = inside.iter().any(|l| l.starts_with("10.77.0.0/24"));
        assert_eq!(whole, goes_further, "{reach}: {shown}");
        assert!(whole || inside.iter().any(|l| l.starts_with(HUB_VPN_IP)), "{reach}: {shown}");
        assert!(!inside.iter().any(|l| l.starts_with("default")), "{reach}: {shown}");
    }
}

/// The order of a rotation: the hub has the new key without allowed IPs, the router takes it and sends
/// one packet. Neither peer is switched off.
#[test]
fn a_new_key_and_one_packet_are_a_handshake_before_the_hub_gives_it_an_address() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let hub = Hub::up(&net, backend);
    let router = Router::of_new_location(&net, &hub, "cafe");
    let old = hub.key_of("cafe");
    let private = run(router.space.command("wg").arg("genkey"));
    let mut public = router.space.command("wg");
    let mut public =
        public.arg("pubkey").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("start wg");
    public.stdin.take().expect("its input").write_all(private.as_bytes()).expect("write");
    let public = String::from_utf8(public.wait_with_output().expect("wg").stdout).expect("a key");
    let public = public.trim();
    run(hub.space.command("wg").args(["set", &hub.interface(), "peer", public]));

    let file = hub.root().join("new.key");
    fs::write(&file, &private).expect("key");
    let set = ["set", router.space.interface.as_str(), "private-key"];
    run(router.space.command("wg").args(set).arg(&file));
    let began = Instant::now();
    // It is not answered: packets of the new key come from an address that is not yet its own.
    assert!(!router.space.reaches(HUB_VPN_IP, Duration::ZERO));
    hub.wait_for_handshake(public);
    assert!(began.elapsed() < SOON);
    assert_eq!(hub.peers()[&old].allowed_ips, format!("{}/32", router.vpn_ip()));

    let moved = format!("{}/32", router.vpn_ip());
    run(hub.space.command("wg").args(["set", &hub.interface(), "peer", public, "allowed-ips", &moved]));
    assert!(router.is_heard(), "{:#?}", hub.peers());
}
