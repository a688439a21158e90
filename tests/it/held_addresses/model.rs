//! Whatever holds an address, and in whatever order: it is given to nobody else, and what nobody
//! holds is not refused.

use super::{key, live_peer, set};
use crate::support::{Hub, Run};
use ipnet::IpNet;
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{IpAddr, Ipv4Addr},
};

/// Hosts of 10.0.0.0/28.
const HOSTS: std::ops::RangeInclusive<u8> = 1..=14;

#[derive(Debug, Clone)]
enum Step {
    Add(Option<u8>),
    Import(u8),
    Provision,
    Remove(usize),
    Move(usize, u8),
    EndMove(usize, bool),
    LivePeer(u8, u8),
    ConfPeer(u8, u8),
    LiveAddress(u8),
    ConfAddress(u8),
    MoveHub(u8),
    Release(u8),
    Sync,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let host = HOSTS;
    let step = prop_oneof![
        4 => Just(Step::Add(None)),
        3 => host.clone().prop_map(|n| Step::Add(Some(n))),
        1 => host.clone().prop_map(Step::Import),
        1 => Just(Step::Provision),
        2 => any::<usize>().prop_map(Step::Remove),
        3 => (any::<usize>(), host.clone()).prop_map(|(i, n)| Step::Move(i, n)),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(i, done)| Step::EndMove(i, done)),
        1 => (host.clone(), 29u8..=32).prop_map(|(n, prefix)| Step::LivePeer(n, prefix)),
        1 => (host.clone(), 29u8..=32).prop_map(|(n, prefix)| Step::ConfPeer(n, prefix)),
        1 => host.clone().prop_map(Step::LiveAddress),
        1 => host.clone().prop_map(Step::ConfAddress),
        1 => host.clone().prop_map(Step::MoveHub),
        1 => host.prop_map(Step::Release),
        1 => Just(Step::Sync),
    ];
    prop::collection::vec(step, 1..16)
}

fn ip(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, n)
}

/// A hub, and who holds what of its network.
struct World {
    hub: Hub,
    /// Own and next addresses.
    sites: BTreeMap<String, (Ipv4Addr, Option<Ipv4Addr>)>,
    hub_address: Ipv4Addr,
    former: BTreeSet<Ipv4Addr>,
    in_conf: Vec<IpNet>,
    made: u8,
}

impl World {
    fn new() -> Self {
        let hub = Hub::with_network("10.0.0.0/28");
        hub.run(&["up"]).ok();
        Self {
            hub,
            sites: BTreeMap::new(),
            hub_address: ip(1),
            former: BTreeSet::new(),
            in_conf: Vec::new(),
            made: 0,
        }
    }

    /// Whether somebody else than that location holds an address.
    fn is_held(&self, address: Ipv4Addr, except: &str) -> bool {
        let by_site = |(name, (own, next)): (&String, &(Ipv4Addr, Option<Ipv4Addr>))| {
            name != except && (*own == address || *next == Some(address))
        };
        let live = self.hub.device().interface.clone().expect("interface");
        let foreign = (1..=self.made).map(key).collect::<Vec<_>>();
        let others = live.peers.iter().filter(|p| foreign.contains(&p.public_key));
        let mut nets = others.flat_map(|p| p.allowed_ips.clone()).chain(self.in_conf.iter().copied());
        self.sites.iter().any(by_site)
            || self.hub_address == address
            || self.former.contains(&address)
            || live.addresses.iter().any(|net| net.addr() == IpAddr::V4(address))
            || nets.any(|net| net.contains(&IpAddr::V4(address)))
    }

    fn a_site(&self, index: usize) -> Option<String> {
        self.sites.keys().nth(index.checked_rem(self.sites.len())?).cloned()
    }

    fn name(&mut self) -> String {
        self.made += 1;
        format!("site-{}", self.made)
    }

    /// What a command that gives an address did, against what it should have done.
    fn given(&mut self, run: &Run, name: &str, wanted: Option<Ipv4Addr>) {
        let free = match wanted {
            Some(address) => !self.is_held(address, name),
            None => HOSTS.map(ip).any(|address| !self.is_held(address, name)),
        };
        assert_eq!(run.code, if free { 0 } else { 4 }, "{name} {wanted:?}: {run:?}");
        if free {
            let shown = self.hub.run(&["--json", "location", "show", name]).ok().json();
            let address: Ipv4Addr =
                shown["location"]["vpn_ip"].as_str().expect("address").parse().expect("address");
            assert!(!self.is_held(address, name), "{name} was given {address}, which is held");
            self.sites.insert(name.to_owned(), (address, None));
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Add(wanted) => {
                let (name, wanted) = (self.name(), wanted.map(ip));
                let text = wanted.map(|address| address.to_string());
                let chosen: Vec<&str> = text.iter().flat_map(|a| ["--vpn-ip", a.as_str()]).collect();
                let run = self.hub.run(&[&["location", "add", &name], &chosen[..]].concat());
                self.given(&run, &name, wanted);
            }
            Step::Import(n) => {
                let name = self.name();
                let file = self.hub.path("one.csv");
                fs::write(&file, format!("name,vpn_ip\n{name},{}\n", ip(*n))).expect("file");
                let run = self.hub.run(&["location", "import", &file.display().to_string()]);
                self.given(&run, &name, Some(ip(*n)));
            }
            Step::Provision => {
                let name = self.name();
                self.hub.run(&["location", "add", &name, "--no-provision"]).ok();
                let run = self.hub.run(&["peer", "provision", &name]);
                self.given(&run, &name, None);
                if run.code != 0 {
                    self.hub.run(&["location", "remove", &name, "-y"]).ok();
                }
            }
            Step::Remove(index) => {
                if let Some(name) = self.a_site(*index) {
                    self.hub.run(&["location", "remove", &name, "-y"]).ok();
                    self.sites.remove(&name);
                }
            }
            Step::Move(index, n) => self.move_site(*index, ip(*n)),
            Step::EndMove(index, done) => self.end_move(*index, *done),
            _ => self.interfere(step),
        }
    }

    fn move_site(&mut self, index: usize, to: Ipv4Addr) {
        let Some(name) = self.a_site(index) else {
            return;
        };
        let (own, next) = self.sites[&name];
        if next.is_some() || own == to {
            return;
        }
        let run = self.hub.run(&["peer", "move", &name, "--vpn-ip", &to.to_string()]);
        assert_eq!(run.code, if self.is_held(to, &name) { 4 } else { 0 }, "{name} to {to}: {run:?}");
        if run.code == 0 {
            self.sites.insert(name, (own, Some(to)));
        }
    }

    fn end_move(&mut self, index: usize, done: bool) {
        let Some(name) = self.a_site(index) else {
            return;
        };
        let (own, Some(next)) = self.sites[&name] else {
            return;
        };
        self.hub.run(&["peer", "move", &name, if done { "--done" } else { "--abort" }]).ok();
        self.sites.insert(name, (if done { next } else { own }, None));
    }

    /// What administrators and strangers do.
    fn interfere(&mut self, step: &Step) {
        let conf = self.hub.path("etc/wireguard/wg0.conf");
        let net = |n: u8, prefix: u8| IpNet::new(ip(n).into(), prefix).expect("net").trunc();
        match step {
            Step::LivePeer(n, prefix) => {
                self.made += 1;
                let peer = live_peer(self.made, &[&net(*n, *prefix).to_string()]);
                self.hub.device().interface.as_mut().expect("interface").peers.push(peer);
            }
            Step::ConfPeer(n, prefix) => {
                self.made += 1;
                let net = net(*n, *prefix);
                let block = format!("\n[Peer]\nPublicKey = {}\nAllowedIPs = {net}\n", key(self.made));
                fs::write(&conf, self.hub.conf() + &block).expect("conf");
                self.in_conf.push(net);
            }
            Step::LiveAddress(n) => {
                let address = IpNet::new(ip(*n).into(), 28).expect("net");
                self.hub.device().interface.as_mut().expect("interface").addresses.push(address);
            }
            Step::ConfAddress(n) => {
                let text = self.hub.conf().replacen("Address = ", &format!("Address = {}/28, ", ip(*n)), 1);
                fs::write(&conf, text).expect("conf");
                self.in_conf.push(net(*n, 32));
            }
            Step::MoveHub(n) => {
                let to = ip(*n);
                set(&self.hub, &format!("[\"{}/28\"]", self.hub_address), &format!("[\"{to}/28\"]"));
                let run = self.hub.run(&["sync", "--move-hub"]);
                if run.code == 0 {
                    self.former.insert(self.hub_address);
                    self.former.remove(&to);
                    self.hub_address = to;
                } else {
                    assert!(run.code == 4 && self.is_held(to, ""), "to {to}: {run:?}");
                    set(&self.hub, &format!("[\"{to}/28\"]"), &format!("[\"{}/28\"]", self.hub_address));
                }
            }
            Step::Release(n) => {
                let run = self.hub.run(&["sync", "--release", &ip(*n).to_string()]);
                if self.former.remove(&ip(*n)) {
                    assert_eq!(run.code, 0, "{run:?}");
                    let gone = IpNet::from(IpAddr::V4(ip(*n)));
                    let addresses = self.hub.conf();
                    let addresses: Vec<&str> =
                        addresses.lines().filter(|l| l.starts_with("Address")).collect();
                    assert!(!addresses.concat().contains(&format!(" {}/", ip(*n))), "{addresses:?}");
                    // As an address it is gone; a peer of the conf may have it as well.
                    let peers = self.hub.conf().matches(&format!("AllowedIPs = {gone}\n")).count();
                    self.in_conf.retain(|net| *net != gone);
                    self.in_conf.extend(std::iter::repeat_n(gone, peers));
                } else {
                    assert!(matches!(run.code, 3 | 4), "{run:?}");
                }
            }
            _ => drop(self.hub.run(&["sync"]).ok()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_holds_an_address_it_is_given_to_nobody_else(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
        }
        let held: Vec<Ipv4Addr> = HOSTS.map(ip).filter(|address| world.is_held(*address, "")).collect();
        for address in held {
            let run = world.hub.run(&["location", "add", "late", "--vpn-ip", &address.to_string()]);
            prop_assert_eq!(run.code, 4, "{} was given: {:?}", address, run);
        }
    }
}
