//! The conf as it should be: what stands in it, what the store wants, and what of the difference
//! somebody should look at.

use super::{Context, hub_address::hub_address, known_conf, occupied::Managed, projection::hub_key};
use crate::{
    error::{Error, Kind},
    fsx::{self, Mark},
    model::{
        Clash, LinkSettings, PresharedKey, PublicKey, clashes, held_inside,
        plan::{Extras, WantedPeer},
    },
    settings::Settings,
    store::{Hub, Store},
    vault::Opener,
    wgconf::{
        self, Conf, ConfPeer, ConfPeerWanted, Duplicate, InterfaceWanted, Overwriting, Rewrite, Secrets,
    },
};
use ipnet::Ipv4Net;
use std::{
    collections::{HashMap, HashSet},
    net::Ipv4Addr,
};
use zeroize::Zeroizing;

/// What the store says of all peers.
pub(super) struct Desired {
    /// The enabled ones, sorted by name.
    pub(super) peers: Vec<ConfPeerWanted>,
    /// Keys that must be nowhere.
    pub(super) retired: HashSet<PublicKey>,
}

impl Desired {
    /// Reads it.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) fn read(store: &Store) -> Result<Self, Error> {
        let peers = store.wanted_peers()?.into_iter().map(|(name, peer)| ConfPeerWanted { name, peer });
        Ok(Self { peers: peers.collect(), retired: store.retired_keys()? })
    }
}

/// The conf as it should be, and what of it somebody should look at.
pub(super) struct ConfPlan {
    /// The file's new content.
    pub(super) rewrite: Rewrite,
    /// What makes wg-quick(8) overwrite the file.
    pub(super) overwriting: Option<Overwriting>,
    /// What it says of the link.
    pub(super) link: LinkSettings,
    /// Whether wg-quick(8) makes a route that is needed.
    pub(super) needs_routes: bool,
    /// What only wg-quick(8) can do.
    pub(super) only_wg_quick: Vec<String>,
    /// The peers of the file that the store does not know, as wg(8) sets them.
    pub(super) foreign_peers: Vec<WantedPeer>,
    /// Keys that two peers of the file have.
    pub(super) duplicates: Vec<Duplicate>,
    /// What the foreign peers hold of the VPN network, and those that are commented out.
    pub(super) claimed: Vec<Ipv4Net>,
    /// The addresses of `[Interface]`.
    pub(super) addresses: Vec<Ipv4Addr>,
    /// What foreign peers have that is a location's.
    pub(super) clashes: Vec<Clash>,
    /// Whether the file ends in a plain line, so that more can simply go behind it.
    pub(super) plain: bool,
    /// The file that was read, if it is known again.
    mark: Option<Mark>,
}

impl ConfPlan {
    /// Writes the file if it differs, and remembers that it is as wanted now.
    ///
    /// # Errors
    /// [`Kind::Denied`] without permission, else [`Kind::Device`]: the store is not to blame.
    pub(super) fn save(&self, settings: &Settings, store: &Store, hub: &Hub) -> Result<(), Error> {
        if !self.rewrite.changed {
            known_conf::note(settings, store, hub, self, self.mark);
            return Ok(());
        }
        let dir = settings.conf.parent().map_or(Ok(()), |dir| fsx::create_dir(dir, 0o700));
        let saved = dir.and_then(|()| fsx::replace_marked(&settings.conf, &self.rewrite.text, 0o600));
        let (_, mark) = saved.map_err(of_the_conf)?;
        // It is not the beginning of this one any more, and may hold what had to go.
        fsx::drop_spare(&settings.conf);
        known_conf::note(settings, store, hub, self, mark);
        Ok(())
    }

    /// Takes an address out of the file's `[Interface]`.
    pub(super) fn drop_address(&mut self, address: Ipv4Addr) {
        if let Some(text) = wgconf::without_address(&self.rewrite.text, address) {
            (self.rewrite.text, self.rewrite.changed) = (text, true);
            self.addresses.retain(|own| *own != address);
        }
    }

    /// Warns of what other hands have put into the file.
    pub(super) fn warn(&self, ctx: &mut Context<'_>, settings: &Settings) {
        // What the conf holds besides is nobody's part of the fleet.
        if !ctx.scope.is_all() {
            return;
        }
        let conf = settings.conf.display();
        if let Some(what) = self.overwriting {
            ctx.ui.warn(&format!("{conf} has {what}: wg-quick will overwrite it; remove that line"));
        }
        for duplicate in &self.duplicates {
            ctx.ui.warn(&format!("{conf}: {}", twice(duplicate)));
        }
        for clash in &self.clashes {
            ctx.ui.warn(&format!("{conf}: {clash}"));
        }
    }
}

/// What is said of a key that two peers have.
pub(super) fn twice(d: &Duplicate) -> String {
    format!("the peer {} is there twice, in line {} and in line {}", d.public_key, d.lines.0, d.lines.1)
}

/// What becomes of a failure to write the conf.
pub(super) fn of_the_conf(e: fsx::FsError) -> Error {
    match Error::from(e) {
        e if e.kind == Kind::Failed => e.as_kind(Kind::Device),
        e => e,
    }
}

/// The conf with a right `[Interface]`.
struct Current {
    conf: Conf,
    /// What had to be corrected, in words.
    corrections: Vec<String>,
    /// Whether it differs from the file, or there is none.
    differs: bool,
    mark: Option<Mark>,
}

/// The conf as it is, but with a right `[Interface]`.
fn current_conf(settings: &Settings, hub: &Hub) -> Result<Current, Error> {
    let there = fsx::read_marked(&settings.conf)?;
    let is_new = there.is_none();
    let (bytes, mark) = match there {
        Some((bytes, mark)) => (Zeroizing::new(bytes), mark),
        None => {
            (Conf::new_hub(&hub_key(settings, hub)?, hub_address(settings, hub), settings.listen_port), None)
        }
    };
    let conf = Conf::parse_owned(bytes).map_err(|e| Error::of_conf(&settings.conf, e))?;
    refuse_foreign(settings, hub, &conf)?;
    if let Some(line) = conf.line_of(&hub.public_key) {
        let path = settings.conf.display();
        let message = format!("{path}: line {line}: the hub's own key {} is among the peers", hub.public_key);
        return Err(Error::new(Kind::Conflict, message)
            .hint("remove that peer: a router with the hub's key is never heard; nothing was changed"));
    }
    // The next boot with the standard tools must bring up this hub and no other.
    let wanted = InterfaceWanted {
        public_key: hub.public_key,
        address: hub_address(settings, hub),
        listen_port: settings.listen_port,
    };
    let key = if conf.has_wrong_key(&wanted) { Some(hub_key(settings, hub)?) } else { None };
    match conf.with_interface(&wanted, key.as_ref()) {
        None => Ok(Current { conf, corrections: Vec::new(), differs: is_new, mark }),
        Some(text) => {
            let corrections = conf.corrections(&wanted);
            let conf = Conf::parse_owned(text).map_err(|e| Error::of_conf(&settings.conf, e))?;
            Ok(Current { conf, corrections, differs: true, mark: None })
        }
    }
}

/// What the conf says of the link, as it is or is going to be.
///
/// # Errors
/// Those of the conf.
pub(super) fn link(
    settings: &Settings,
    store: &Store,
    hub: &Hub,
    behind: u64,
) -> Result<LinkSettings, Error> {
    match known_conf::known(settings, store, hub, behind) {
        Some(seen) => Ok(seen.link),
        None => Ok(current_conf(settings, hub)?.conf.link()),
    }
}

/// A conf with another private key is another hub's, and may be the only place where that key is.
fn refuse_foreign(settings: &Settings, hub: &Hub, conf: &Conf) -> Result<(), Error> {
    let Some(key) = conf.private_key().map(|key| key.public()).filter(|key| *key != hub.public_key) else {
        return Ok(());
    };
    let path = settings.conf.display();
    let message = format!(
        "{path} is another hub's: its PrivateKey has the public key {key}, the hub's public key is {}",
        hub.public_key
    );
    Err(Error::new(Kind::Conflict, message).hint(
        "nothing was changed; move it away and run \"iwas-wg sync\", which makes a new one, or name another file \
         in hub.conf",
    ))
}

/// What of the VPN network the conf's unknown peers hold, and the addresses of its `[Interface]`.
pub(super) fn held_in_conf(
    settings: &Settings,
    store: &Store,
    hub: &Hub,
) -> Result<(Vec<Ipv4Net>, Vec<Ipv4Addr>), Error> {
    if let Some(seen) = known_conf::known(settings, store, hub, 0) {
        return Ok((seen.claimed, seen.addresses));
    }
    let conf = current_conf(settings, hub)?.conf;
    let managed = Managed::read(store)?;
    let network = settings.pool.network();
    let peers = conf.allowed_of(|_| true);
    let held = peers.iter().flat_map(|(key, allowed)| managed.unknown(network, key, allowed));
    Ok((held.chain(disabled(&conf, network)).collect(), conf.own_addresses()))
}

/// What the peers hold that are commented out: one that was taken out so may be put back.
fn disabled(conf: &Conf, network: Ipv4Net) -> Vec<Ipv4Net> {
    let all = conf.commented_out().into_iter().flat_map(|c| held_inside(network, &c.networks));
    all.filter(|net| *net != network).collect()
}

/// What the conf calls its peers; nothing of one that cannot be read.
pub(super) fn names_in_conf(settings: &Settings) -> HashMap<PublicKey, String> {
    let bytes = fsx::read(&settings.conf).ok().flatten().map(Zeroizing::new);
    let conf = bytes.and_then(|bytes| Conf::parse_owned(bytes).ok());
    let peers = conf.map(|conf| conf.peers()).unwrap_or_default();
    let named = |p: ConfPeer| Some((p.public_key, p.name?));
    peers.into_iter().filter_map(named).collect()
}

/// Before a commit: whether conf and interface can be changed after it. What is wrong with them was
/// so before the call, so the call is refused and the store stays as it is.
pub(super) fn check_targets(
    ctx: &Context<'_>,
    settings: &Settings,
    store: &Store,
    hub: &Hub,
) -> Result<(), Error> {
    ctx.check_interface(settings, hub)?;
    if known_conf::known(settings, store, hub, 0).is_some() {
        return Ok(());
    }
    current_conf(settings, hub).map(|_| ())
}

/// Reads the conf and plans its new content; a missing one is made anew. Besides the keys that
/// the store has retired, those in `pruned` leave it.
pub(super) fn plan_conf(
    settings: &Settings,
    store: &Store,
    hub: &Hub,
    pruned: &HashSet<PublicKey>,
) -> Result<ConfPlan, Error> {
    let mut desired = Desired::read(store)?;
    desired.retired.extend(pruned);
    plan_conf_of(settings, store, hub, &desired, &Extras::new())
}

/// The same from what was read of the store, with preshared keys that were just made.
///
/// # Errors
/// Those of the conf.
pub(super) fn plan_conf_of(
    settings: &Settings,
    store: &Store,
    hub: &Hub,
    desired: &Desired,
    fresh: &Extras,
) -> Result<ConfPlan, Error> {
    let wanted = &desired.peers;
    let Current { conf, corrections, differs, mark } = current_conf(settings, hub)?;
    let secrets = if wanted.iter().any(|w| w.peer.preshared) {
        missing_secrets(settings, store, &conf, wanted, fresh)?
    } else {
        Secrets::new()
    };
    let mut rewrite = conf.rewrite_with(wanted, &desired.retired, &secrets);
    rewrite.changed |= differs;
    rewrite.corrections = corrections;
    let foreign: HashSet<PublicKey> = rewrite.foreign.iter().copied().collect();
    let network = settings.pool.network();
    let others = if foreign.is_empty() { Vec::new() } else { conf.allowed_of(|key| foreign.contains(key)) };
    let held = others.iter().flat_map(|(_, allowed)| held_inside(network, allowed));
    let claimed = held.chain(disabled(&conf, network)).collect();
    Ok(ConfPlan {
        overwriting: conf.overwriting(),
        link: conf.link(),
        needs_routes: conf.needs_routes(),
        only_wg_quick: conf.only_wg_quick(),
        foreign_peers: foreign_peers(&conf, &foreign),
        claimed,
        clashes: clashes(network, wanted.iter().map(|w| (&w.name, &w.peer)), &others),
        addresses: conf.own_addresses(),
        duplicates: conf.duplicates(),
        plain: conf.is_plain(),
        mark,
        rewrite,
    })
}

/// These peers with their allowed IPs: they are on the interface that wg-quick(8) makes of the conf.
fn foreign_peers(conf: &Conf, foreign: &HashSet<PublicKey>) -> Vec<WantedPeer> {
    if foreign.is_empty() {
        return Vec::new();
    }
    let peers = conf.peers().into_iter().filter(|p| foreign.contains(&p.public_key));
    peers.map(|p| WantedPeer { wider: p.allowed_ips, ..WantedPeer::pending(p.public_key, false) }).collect()
}

/// Preshared keys that the conf does not hold yet: those just made, else the store's sealed copies.
fn missing_secrets(
    settings: &Settings,
    store: &Store,
    conf: &Conf,
    wanted: &[ConfPeerWanted],
    fresh: &Extras,
) -> Result<Secrets, Error> {
    let there = conf.extras();
    let mut opener = None;
    let mut secrets = Secrets::new();
    for w in wanted.iter().filter(|w| w.peer.preshared) {
        let key = w.peer.public_key;
        let in_conf = there.get(&key).and_then(|e| e.preshared_key.as_ref());
        if in_conf.is_some_and(|there| w.peer.settings.preshared.is(there.digest())) {
            continue;
        }
        let secret = match fresh.get(&key).and_then(|e| e.preshared_key.as_ref()) {
            Some(made) => made.expose(),
            None => open_preshared(settings, store, &mut opener, &key)
                .map_err(|e| {
                    let why = format!(
                        "the preshared key of {:?} is not in the conf: {}",
                        w.name.as_str(),
                        e.message
                    );
                    Error { message: why, ..e }
                })?
                .expose(),
        };
        secrets.insert(key, secret);
    }
    Ok(secrets)
}

/// Opens the store's sealed copy of a preshared key; the identity is read once for many.
pub(super) fn open_preshared(
    settings: &Settings,
    store: &Store,
    opener: &mut Option<Opener>,
    key: &PublicKey,
) -> Result<PresharedKey, Error> {
    let sealed = store.sealed_keys(key)?.preshared.ok_or_else(|| {
        Error::new(Kind::BadState, format!("the store has no preshared key for the peer {key}"))
            .hint("restore the store from a backup")
    })?;
    let opener = match opener {
        Some(opener) => opener,
        None => opener.insert(Opener::from_file(&settings.identity)?),
    };
    Ok(opener.open_preshared(&sealed)?)
}

/// Whether the conf differs from the store: 1 if it does or cannot be read, else 0. For holders of
/// the lock: one that does not is remembered.
pub(super) fn conf_drift(settings: &Settings, store: &Store, hub: &Hub) -> u64 {
    if known_conf::known(settings, store, hub, 0).is_some() {
        return 0;
    }
    match plan_conf(settings, store, hub, &HashSet::new()) {
        Ok(plan) if !plan.rewrite.changed => {
            known_conf::note(settings, store, hub, &plan, plan.mark);
            0
        }
        _ => 1,
    }
}
