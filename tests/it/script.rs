//! The scripts, run on a modelled router.

mod conflicts;
mod cuts;
mod defects;
mod firewall;
mod install;
mod matrix;
mod remove;
mod rotate;
mod spoke;

use crate::routeros::{Hub, Outcome, Router, WireGuard};
use iwas_wg::{
    model::{KeyMode, Location, PrivateKey, PublicKey, RouterOptions},
    script::{self, Kind, Site},
};
use std::net::Ipv4Addr;
use zeroize::Zeroizing;

const TAG: &str = "iwas-wg:cafe";
const HUB_IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

fn key(n: u8) -> PrivateKey {
    PrivateKey::from_random(Zeroizing::new([n; 32]))
}

fn public(n: u8) -> PublicKey {
    key(n).public()
}

/// A site that a test can change before it renders.
struct Spoke {
    location: Location,
    vpn_ip: Ipv4Addr,
    network: &'static str,
    endpoint: &'static str,
    private_key: Option<u8>,
    next_key: Option<PublicKey>,
    preshared_key: Option<String>,
    options: RouterOptions,
}

impl Spoke {
    fn new() -> Self {
        let now = "2026-11-22T11:14:05Z".parse().expect("time");
        let location = Location::new("cafe".parse().expect("name"), KeyMode::Stored, now);
        Self {
            location,
            vpn_ip: Ipv4Addr::new(10, 0, 0, 7),
            network: "10.0.0.0/24",
            endpoint: "vpn.example.com",
            private_key: Some(7),
            next_key: None,
            preshared_key: None,
            options: RouterOptions::default(),
        }
    }

    /// Key mode `router`: the hub has no private key to give.
    fn with_router_key(mut self) -> Self {
        self.location.key_mode = KeyMode::Router;
        self.private_key = None;
        self
    }

    fn site<T>(&self, then: impl FnOnce(&Site<'_>) -> T) -> T {
        let private_key = self.private_key.map(key);
        then(&Site {
            location: &self.location,
            vpn_ip: self.vpn_ip,
            network: self.network.parse().expect("network"),
            hub_ip: HUB_IP,
            hub_public_key: public(200),
            endpoint_host: self.endpoint,
            endpoint_port: 51820,
            private_key: private_key.as_ref(),
            next_public_key: self.next_key,
            preshared_key: self.preshared_key.as_deref(),
            options: std::borrow::Cow::Borrowed(&self.options),
            version: "0.1.0",
        })
    }

    fn render(&self, kind: Kind) -> String {
        self.site(|site| script::render(site, kind).to_string())
    }

    fn template(&self, text: &str) -> String {
        self.site(|site| script::render_template(site, text)).expect("template").to_string()
    }

    /// Runs a script of this site.
    fn run(&self, kind: Kind, router: &mut Router) -> Outcome {
        let outcome = router.import(&self.render(kind));
        // Nothing may hang on how a router decides over nil.
        assert_eq!(outcome.undecided, Vec::<usize>::new(), "{kind}: {outcome:#?}");
        outcome
    }

    /// Runs it and expects that it ends well.
    fn run_well(&self, kind: Kind, router: &mut Router) -> Outcome {
        let outcome = self.run(kind, router);
        assert!(outcome.error.is_none() && outcome.last().starts_with("iwas-wg: OK"), "{outcome:#?}");
        outcome
    }
}

/// A hub that answers these keys.
fn hub(keys: &[u8]) -> Hub {
    Hub {
        knows: keys.iter().map(|n| public(*n).to_string()).collect(),
        public_key: public(200).to_string(),
        host: "vpn.example.com".into(),
        port: 51820,
        ..Hub::default()
    }
}

/// A bare and a stock router, both in reach of a hub that knows key 7.
fn routers() -> [Router; 2] {
    [Router::bare(), Router::stock()].map(|mut r| {
        r.hub = hub(&[7]);
        r
    })
}

/// The tunnel that the script made.
fn installed(router: &Router) -> WireGuard {
    router.wireguard(TAG).expect("one interface, one peer and one address of ours")
}
