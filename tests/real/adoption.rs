//! A hub that wg(8) made is adopted while a router talks through it.

use crate::{
    bench::{ready, run},
    hub::{HUB_VPN_IP, Hub},
    netns::Net,
    router::{Router, bare_interface, set_conf, strip},
    routeros::Settings,
};
use std::fs;

#[test]
fn a_running_hub_is_adopted_without_a_dropped_session_and_keeps_its_preshared_keys() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    // A hub of ours serves as the stranger's: its conf gets a preshared key and loses our traces.
    let before = Hub::up(&net, backend);
    let script = before.ok("location add cafe");
    let shared = run(before.space.command("wg").arg("genpsk")).trim().to_owned();
    let with_key = |text: &str| text.replace("AllowedIPs", &format!("PresharedKey = {shared}\nAllowedIPs"));
    let foreign = with_key(&before.conf());
    let foreign = foreign.replace("[Peer]\n# friendly_name = cafe\n", "# Café\n[Peer]\n");
    before.ok("down");

    let root = tempfile::tempdir().expect("temporary directory");
    let hub = Hub::at(&net, backend, root.path());
    fs::create_dir_all(hub.conf_path().parent().expect("a directory")).expect("make it");
    fs::write(hub.conf_path(), foreign).expect("write the conf");
    bare_interface(&hub.space, backend);
    set_conf(&hub.space, &strip(&hub));
    hub.space.ip(&format!("address add {HUB_VPN_IP}/24 dev {}", hub.interface()));
    hub.space.ip(&format!("link set {} up", hub.interface()));
    let mut settings = Settings::of_script(&script);
    settings.preshared_key = Some(shared.clone());
    let router = Router::with(&net, backend, settings);
    assert!(router.is_heard(), "{:#?}", hub.peers());
    let session = hub.peers();

    let interface = hub.interface();
    hub.ok(&format!(
        "init --adopt --endpoint 192.0.2.1 --interface {interface} --backend {}",
        backend.as_str()
    ));
    hub.ok("up");
    hub.ok("sync");
    let now = hub.peers();
    for (key, peer) in &session {
        assert_eq!(now[key].handshake, peer.handshake, "adoption dropped the session");
    }
    assert_eq!(hub.status_of("caf")["state"], "online");

    // A new interface has the preshared key as well, or the router would never be heard again.
    hub.ok("down");
    hub.ok("up");
    let keys = run(hub.space.command("wg").args(["show", hub.interface().as_str(), "preshared-keys"]));
    assert!(keys.contains(&shared), "the preshared key is gone");
    router.stop();
    router.start();
    assert!(router.is_heard(), "{:#?}", hub.peers());
}
