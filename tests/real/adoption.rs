//! A hub that wg(8) made is adopted while a router talks through it.

use crate::{
    bench::{Backend, ready, run},
    hub::{HUB_VPN_IP, Hub},
    netns::Net,
    router::{Router, bare_interface, set_conf, strip},
    routeros::Settings,
};
use std::fs;

/// A hub that wg(8) made with a router that is heard through it.
struct Running {
    hub: Hub,
    router: Router,
    preshared_key: String,
    _root: tempfile::TempDir,
}

impl Running {
    fn new(net: &Net, backend: Backend) -> Self {
        // A hub of ours serves as the stranger's: its conf gets a preshared key and loses our traces.
        let before = Hub::up(net, backend);
        let script = before.ok("location add cafe");
        let shared = run(before.space.command("wg").arg("genpsk")).trim().to_owned();
        let with_key =
            |text: &str| text.replace("AllowedIPs", &format!("PresharedKey = {shared}\nAllowedIPs"));
        let foreign = with_key(&before.conf());
        let foreign = foreign.replace("[Peer]\n# friendly_name = cafe\n", "# Café\n[Peer]\n");
        before.ok("down");

        let root = tempfile::tempdir().expect("temporary directory");
        let hub = Hub::at(net, backend, root.path());
        fs::create_dir_all(hub.conf_path().parent().expect("a directory")).expect("make it");
        fs::write(hub.conf_path(), foreign).expect("write the conf");
        bare_interface(&hub.space, backend);
        set_conf(&hub.space, &strip(&hub));
        hub.space.ip(&format!("address add {HUB_VPN_IP}/24 dev {}", hub.interface()));
        hub.space.ip(&format!("link set {} up", hub.interface()));
        let mut settings = Settings::of_script(&script);
        settings.preshared_key = Some(shared.clone());
        let router = Router::with(net, backend, settings);
        assert!(router.is_heard(), "{:#?}", hub.peers());
        Self { hub, router, preshared_key: shared, _root: root }
    }

    /// Adopts it, and the session goes on as if nothing had been.
    fn adopt(&self, backend: Backend, from: &str) {
        let hub = &self.hub;
        let session = hub.peers();
        hub.ok(&format!(
            "init --adopt --endpoint 192.0.2.1 --interface {} --backend {}{from}",
            hub.interface(),
            backend.as_str()
        ));
        hub.ok("up");
        hub.ok("sync");
        let now = hub.peers();
        for (key, peer) in &session {
            assert_eq!(now[key].handshake, peer.handshake, "adoption dropped the session");
        }
    }

    /// A new interface has the preshared key as well, or the router would never be heard again.
    fn survives_a_new_interface(&self) {
        let hub = &self.hub;
        hub.ok("down");
        hub.ok("up");
        let keys = run(hub.space.command("wg").args(["show", hub.interface().as_str(), "preshared-keys"]));
        assert!(keys.contains(&self.preshared_key), "the preshared key is gone");
        self.router.stop();
        self.router.start();
        assert!(self.router.is_heard(), "{:#?}", hub.peers());
    }
}

#[test]
fn a_running_hub_is_adopted_without_a_dropped_session_and_keeps_its_preshared_keys() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let running = Running::new(&net, backend);
    running.adopt(backend, "");
    assert_eq!(running.hub.status_of("caf")["state"], "online");
    running.survives_a_new_interface();
}

#[test]
fn a_hub_without_a_conf_is_adopted_from_what_its_interface_shows() {
    let Some(backend) = ready() else { return };
    let net = Net::new();
    let running = Running::new(&net, backend);
    let hub = &running.hub;
    fs::remove_file(hub.conf_path()).expect("remove the conf");
    let shown = run(hub.space.command("wg").args(["showconf", hub.interface().as_str()]));
    let file = hub.root().join("shown");
    fs::write(&file, shown).expect("write what was shown");
    running.adopt(backend, &format!(" --from {}", file.display()));
    running.survives_a_new_interface();
}
