//! What a router is after it has run a rendered script: the modelled router of the in-process
//! tests runs it as `/import` would, and the state that it ends in sets up a real interface.

#[path = "../it/routeros/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the in-process tests use all of it")]
mod model;

use std::fmt::Write as _;

/// The values that a script leaves behind, in the words of RouterOS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) private_key: String,
    pub(crate) listen_port: u16,
    pub(crate) mtu: u16,
    pub(crate) hub_public_key: String,
    pub(crate) preshared_key: Option<String>,
    pub(crate) endpoint: String,
    pub(crate) allowed_address: Vec<String>,
    pub(crate) keepalive: u16,
    /// With the prefix length.
    pub(crate) address: String,
    /// What the address leads to: the VPN network, or the hub alone behind a `/32`.
    pub(crate) network: String,
}

impl Settings {
    /// The end state of a router with the stock configuration that imports this script.
    #[track_caller]
    pub(crate) fn of_script(script: &str) -> Self {
        Self::and_last_line(script).0
    }

    /// The same, and the last line that the router's operator reads.
    #[track_caller]
    pub(crate) fn and_last_line(script: &str) -> (Self, String) {
        let mut router = model::Router::stock();
        let outcome = router.import(script);
        assert_eq!(outcome.error, None, "the router refused the script");
        (Self::of_router(&router), outcome.last().to_owned())
    }

    #[track_caller]
    fn of_router(router: &model::Router) -> Self {
        let tags = router.comments("interface wireguard");
        assert_eq!(tags.len(), 1, "not one tunnel but {tags:?}");
        let made = router.wireguard(&tags[0]).expect("a tunnel with a peer and an address");
        Self {
            private_key: made.private_key,
            listen_port: made.listen_port,
            mtu: made.mtu,
            hub_public_key: made.peer_public_key,
            preshared_key: made.preshared_key,
            endpoint: format!("{}:{}", made.endpoint_address, made.endpoint_port),
            allowed_address: made.allowed_address,
            keepalive: made.keepalive,
            address: made.address,
            network: made.network,
        }
    }

    /// The end state of such a router that imports these scripts one after the other.
    #[track_caller]
    pub(crate) fn of_scripts(scripts: &[&str]) -> Self {
        let mut router = model::Router::stock();
        for script in scripts {
            let outcome = router.import(script);
            assert_eq!(outcome.error, None, "the router refused the script");
        }
        Self::of_router(&router)
    }

    /// The end state of such a router that then imports a rotate script, with a hub behind it that
    /// answers both keys.
    #[track_caller]
    pub(crate) fn of_rotation(install: &str, rotate: &str, keys: &[String; 2]) -> Self {
        let mut router = model::Router::stock();
        let installed = router.import(install);
        assert_eq!(installed.error, None, "the router refused the install script");
        let now = Self::of_router(&router);
        let (host, port) = now.endpoint.rsplit_once(':').expect("an endpoint");
        router.hub.knows = keys.to_vec();
        router.hub.public_key.clone_from(&now.hub_public_key);
        host.clone_into(&mut router.hub.host);
        router.hub.port = port.parse().expect("a port");
        let outcome = router.import(rotate);
        assert_eq!(outcome.error, None, "the router refused the rotate script");
        assert!(outcome.last().contains("OK, handshake with the new key"), "{}", outcome.last());
        Self::of_router(&router)
    }

    /// As `wg setconf` takes it.
    pub(crate) fn for_wg(&self) -> String {
        let mut conf = format!("[Interface]\nPrivateKey = {}\n", self.private_key);
        if self.listen_port != 0 {
            let _ = writeln!(conf, "ListenPort = {}", self.listen_port);
        }
        let allowed = self.allowed_address.join(", ");
        let _ = write!(
            conf,
            "[Peer]\nPublicKey = {}\nEndpoint = {}\nAllowedIPs = {allowed}\nPersistentKeepalive = {}\n",
            self.hub_public_key, self.endpoint, self.keepalive
        );
        if let Some(key) = &self.preshared_key {
            let _ = writeln!(conf, "PresharedKey = {key}");
        }
        conf
    }
}
