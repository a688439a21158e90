//! A stranger's hand: what colleagues do to the interface with `wg set` and to the conf with an
//! editor, at random between our own commands.
//!
//! The model holds the locations that the reports promised and the keys that the stranger put in.
//! Every line that the stranger writes into the conf carries his mark, so that after each command
//! it can be asked whether all of them are still there.

mod hand;

use crate::support::{Hub, Run};
use hand::{Theirs, our_blocks, theirs};
use iwas_wg::model::{LiveInterface, PublicKey};
use iwas_wg::wgconf::Conf;
use proptest::{collection::vec, prelude::*, sample::Index};
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
};

/// 13 addresses, so that some cases run out of them and use freed ones again.
const NETWORK: &str = "10.0.0.0/28";
const ADDRESSES: usize = 13;
const MARK: &str = "# stranger";

/// One of our commands.
#[derive(Debug, Clone)]
enum Ours {
    Add { site: u8, provision: bool },
    Provision(Index),
    Remove(Index),
    Set(Index),
    Reset(Index),
    Sync { prune: bool },
    Up,
    Down,
    Heartbeat,
}

#[derive(Debug, Clone)]
enum Step {
    /// The flag makes the interface refuse every change while the command runs.
    Ours(Ours, bool),
    Theirs(Theirs),
}

fn ours() -> impl Strategy<Value = Ours> {
    prop_oneof![
        8 => (0u8..20, prop::bool::weighted(0.8)).prop_map(|(site, provision)| Ours::Add { site, provision }),
        2 => any::<Index>().prop_map(Ours::Provision),
        4 => any::<Index>().prop_map(Ours::Remove),
        1 => any::<Index>().prop_map(Ours::Set),
        2 => any::<Index>().prop_map(Ours::Reset),
        3 => prop::bool::weighted(0.2).prop_map(|prune| Ours::Sync { prune }),
        1 => Just(Ours::Up),
        1 => Just(Ours::Down),
        2 => Just(Ours::Heartbeat),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (ours(), prop::bool::weighted(0.1)).prop_map(|(o, broken)| Step::Ours(o, broken)),
        2 => theirs().prop_map(Step::Theirs),
    ];
    vec(step, 1..40)
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Site {
    key: Option<String>,
    ip: Option<String>,
}

/// The hub, and what must be true of it.
struct World {
    hub: Hub,
    hub_key: PublicKey,
    sites: BTreeMap<String, Site>,
    /// Keys and addresses of locations that are gone.
    gone: Vec<(String, String)>,
    /// How many things the stranger has made; numbers them.
    made: Cell<u8>,
}

impl World {
    fn new() -> Self {
        let hub = Hub::with_network(NETWORK);
        hub.run(&["up"]).ok();
        let hub_key = hub.device().interface.as_ref().and_then(|i| i.public_key).expect("the hub's key");
        Self { hub, hub_key, sites: BTreeMap::new(), gone: Vec::new(), made: Cell::new(0) }
    }

    fn live(&self) -> Option<LiveInterface> {
        self.hub.device().interface.clone()
    }

    fn conf(&self) -> Option<String> {
        fs::read_to_string(self.hub.path("etc/wireguard/wg0.conf")).ok()
    }

    fn provisioned(&self) -> Vec<(&String, &str, &str)> {
        let all = self.sites.iter();
        all.filter_map(|(name, s)| Some((name, s.key.as_deref()?, s.ip.as_deref()?))).collect()
    }

    fn a_site(&self, index: Index) -> Option<String> {
        let names: Vec<&String> = self.sites.keys().collect();
        (!names.is_empty()).then(|| (*index.get(&names)).clone())
    }

    fn is_ours(&self, key: &str) -> bool {
        self.gone.iter().any(|(k, _)| k == key) || self.provisioned().iter().any(|(_, k, _)| *k == key)
    }

    /// The keys on the interface that the stranger made.
    fn foreign(&self) -> BTreeSet<String> {
        let peers = self.live().map(|l| l.peers).unwrap_or_default();
        peers.iter().map(|p| p.public_key.to_string()).filter(|k| !self.is_ours(k)).collect()
    }

    /// The keys in the conf that the stranger made.
    fn foreign_blocks(&self) -> BTreeSet<String> {
        let conf = Conf::parse(self.conf().unwrap_or_default().as_bytes()).expect("conf");
        conf.peers().iter().map(|p| p.public_key.to_string()).filter(|k| !self.is_ours(k)).collect()
    }

    /// The stranger's lines; after pruning only those that belong to no peer.
    fn marked(&self, without_peers: bool) -> Vec<String> {
        let text = self.conf().unwrap_or_default();
        let stays = |l: &&str| !without_peers || l.starts_with(MARK) || l.starts_with("PostUp");
        text.lines().filter(|l| l.contains(MARK)).filter(stays).map(str::to_owned).collect()
    }

    /// Runs one of our commands and compares what it did to the stranger's things.
    fn run(&mut self, ours: &Ours, broken: bool) {
        let was_up = self.live().is_some();
        let (foreign, pruned) = (self.foreign(), matches!(ours, Ours::Sync { prune: true }));
        let before = self.live();
        self.hub.device().broken = broken;
        let had_conf = self.conf().is_some();
        let marked = self.marked(false);
        let stay = self.marked(true);
        let reset = self.command(ours, broken, was_up);
        self.hub.device().broken = false;

        if had_conf {
            let after = self.marked(false);
            let pruned_lines_only = pruned && self.marked(true) == stay;
            assert!(after == marked || pruned_lines_only, "{ours:?}: {marked:#?}\nbecame {after:#?}");
        }
        let may_take_them = matches!(ours, Ours::Down) || (pruned && !broken);
        if !may_take_them {
            // A new interface is the one that wg-quick would make of the conf.
            let is_new = !was_up && self.live().is_some();
            let expected = if is_new { self.foreign_blocks() } else { foreign };
            assert_eq!(self.foreign(), expected, "{ours:?} touched a peer that is not ours");
        }
        // Whoever was there and still is has kept his session.
        let shook = |l: &Option<LiveInterface>| -> BTreeMap<_, _> {
            let peers = l.iter().flat_map(|l| &l.peers);
            peers.map(|p| (p.public_key.to_string(), p.last_handshake)).collect()
        };
        let after = shook(&self.live());
        for (key, at) in shook(&before) {
            if Some(&key) != reset.as_ref() && !matches!(ours, Ours::Down) {
                assert!(after.get(&key).is_none_or(|now| *now == at), "{ours:?} ended the session of {key}");
            }
        }
    }

    /// Runs a command, checks its exit code and notes what it promised. Returns the key of the
    /// peer that it reset.
    fn command(&mut self, ours: &Ours, broken: bool, was_up: bool) -> Option<String> {
        let projection = if broken || !was_up { 9 } else { 0 };
        match ours {
            Ours::Add { site, provision } => {
                let name = format!("site-{site}");
                let flags: &[&str] = if *provision { &[] } else { &["--no-provision"] };
                let run = self.hub.run(&[&["location", "add", &name], flags].concat());
                let full = *provision && self.provisioned().len() == ADDRESSES;
                if self.sites.contains_key(&name) || full {
                    let _ = run.code(4);
                } else {
                    let _ = run.code(if *provision { projection } else { 0 });
                    self.note(name);
                }
            }
            Ours::Provision(index) => {
                let name = self.a_site(*index)?;
                let run = self.hub.run(&["peer", "provision", &name]);
                if self.sites[&name].key.is_some() || self.provisioned().len() == ADDRESSES {
                    let _ = run.code(4);
                } else {
                    let _ = run.code(projection);
                    self.note(name);
                }
            }
            Ours::Remove(index) => {
                let name = self.a_site(*index)?;
                let site = self.sites.remove(&name)?;
                let has_peer = site.key.is_some();
                self.gone.extend(site.key.zip(site.ip));
                let _ = self.hub.run(&["location", "remove", &name, "-y"]).code(if has_peer {
                    projection
                } else {
                    0
                });
            }
            Ours::Set(index) => {
                let name = self.a_site(*index)?;
                let _ = self.hub.run(&["location", "set", &name, "--org", "acme"]).ok();
            }
            Ours::Reset(index) => {
                let name = self.a_site(*index)?;
                let key = self.sites[&name].key.clone();
                let code = if key.is_some() { projection } else { 3 };
                let _ = self.hub.run(&["peer", "reset", &name]).code(code);
                return key;
            }
            Ours::Sync { prune } => {
                let flags: &[&str] = if *prune { &["--prune", "--yes"] } else { &[] };
                self.may_be_denied(&[&["sync"], flags].concat(), broken);
            }
            Ours::Up => self.may_be_denied(&["up"], broken),
            Ours::Down => drop(self.hub.run(&["down"]).ok()),
            Ours::Heartbeat => drop(self.hub.run(&["heartbeat"]).code(if was_up { 0 } else { 9 })),
        }
        None
    }

    /// A command that changes the interface only where it differs.
    fn may_be_denied(&self, args: &[&str], broken: bool) {
        let run = self.hub.run(args);
        assert!(run.code == 0 || (broken && run.code == 7), "{args:?}: {run:#?}");
    }

    /// Takes over what the program says of a location, whose address must be nobody else's.
    fn note(&mut self, name: String) {
        let shown = self.hub.run(&["--json", "location", "show", &name]).ok().json();
        let text = |field: &str| shown["location"][field].as_str().map(str::to_owned);
        let site = Site { key: text("vpn_public_key"), ip: text("vpn_ip") };
        let taken = self.sites.iter().any(|(n, s)| *n != name && s.ip.is_some() && s.ip == site.ip);
        assert!(!taken, "{name} was given {:?}, which is taken: {:#?}", site.ip, self.sites);
        self.sites.insert(name, site);
    }

    /// All three places say the same, and it is what was promised.
    fn examine(&self) {
        let listed = self.hub.run(&["--json", "location", "list"]).ok().json();
        let text = |l: &serde_json::Value, field: &str| l[field].as_str().map(str::to_owned);
        let listed: BTreeMap<String, Site> = listed["locations"]
            .as_array()
            .expect("locations")
            .iter()
            .map(|l| {
                let site = Site { key: text(l, "vpn_public_key"), ip: text(l, "vpn_ip") };
                (text(l, "name").expect("a name"), site)
            })
            .collect();
        assert_eq!(listed, self.sites, "the store holds other locations than it reported");

        let live = self.live().expect("sync makes the interface");
        assert!(live.up && live.public_key == Some(self.hub_key) && live.listen_port == Some(51820));
        assert!(live.addresses.iter().any(|a| a.to_string() == "10.0.0.1/28"), "{:?}", live.addresses);
        let on_interface: BTreeMap<String, String> =
            self.hub.live().into_iter().filter(|(key, _)| self.is_ours(key)).collect();
        let wanted: BTreeMap<String, String> =
            self.provisioned().iter().map(|(_, key, ip)| ((*key).to_owned(), format!("{ip}/32"))).collect();
        assert_eq!(on_interface, wanted, "the interface is not as the store");

        let text = self.conf().expect("sync makes the conf");
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut in_conf: Vec<String> = our_blocks(&lines)
            .into_iter()
            .map(|(start, end)| {
                let own = lines[start..end].iter().filter(|l| !l.contains(MARK));
                own.fold(String::new(), |mut text, line| {
                    let _ = writeln!(text, "{line}");
                    text
                })
            })
            .collect();
        in_conf.sort();
        let block = |(name, key, ip): &(&String, &str, &str)| {
            format!("[Peer]\n# friendly_name = {name}\nPublicKey = {key}\nAllowedIPs = {ip}/32\n")
        };
        let mut wanted: Vec<String> = self.provisioned().iter().map(block).collect();
        wanted.sort();
        assert_eq!(in_conf, wanted, "the conf is not as the store:\n{text}");
        let _: Run = self.hub.run(&["sync", "--check"]).ok();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_stranger_does_sync_brings_all_three_in_line(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            match step {
                Step::Ours(ours, broken) => world.run(ours, *broken),
                Step::Theirs(theirs) => world.interfere(theirs),
            }
        }
        world.run(&Ours::Sync { prune: false }, false);
        world.examine();
        world.run(&Ours::Sync { prune: true }, false);
        world.examine();
        prop_assert_eq!(world.foreign(), BTreeSet::new());
        prop_assert_eq!(world.marked(false), world.marked(true));
    }
}
