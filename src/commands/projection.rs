//! Making conf and interface equal to the store, after the commit.
//!
//! A failure here never takes the commit back: it becomes exit 9, and `sync` mends it.

use super::{Context, known_conf};
use crate::{
    error::{Error, Kind},
    fsx::{self, Mark},
    model::{
        PresharedKey, PrivateKey, PublicKey, Reserved,
        plan::{self, Extras, Plan, Wanted},
    },
    settings::Settings,
    store::{Hub, Store},
    vault::Opener,
    wgconf::{Conf, ConfPeerWanted, InterfaceWanted, Overwriting, Rewrite, Secrets},
};
use ipnet::{IpNet, Ipv4Net};
use std::collections::HashSet;
use zeroize::Zeroizing;

/// The hub's address with the prefix length of its network.
pub(super) fn hub_address(settings: &Settings) -> Ipv4Net {
    Ipv4Net::new_assert(settings.pool.hub(), settings.pool.prefix_len())
}

/// The hub's private key: from the conf, else from the store with the identity.
pub(super) fn hub_key(settings: &Settings, hub: &Hub) -> Result<PrivateKey, Error> {
    if let Some(bytes) = fsx::read(&settings.conf)?.map(Zeroizing::new) {
        let conf = Conf::parse(&bytes).map_err(|e| in_conf(settings, e.into()))?;
        if let Some(key) = conf.private_key().filter(|k| k.public() == hub.public_key) {
            return Ok(key);
        }
    }
    let lost = || {
        Error::new(
            Kind::BadState,
            format!("{} does not hold the hub's private key ({})", settings.conf.display(), hub.public_key),
        )
    };
    let Some(sealed) = &hub.sealed_key else {
        return Err(lost().hint("put it back from a backup: the store has no sealed copy"));
    };
    let opened = Opener::from_file(&settings.identity).and_then(|o| o.open(sealed));
    opened.map_err(|e| lost().hint(format!("put it back from a backup; the store's sealed copy: {e}")))
}

fn in_conf(settings: &Settings, e: Error) -> Error {
    Error { message: format!("{}: {}", settings.conf.display(), e.message), ..e }
}

/// The conf as it should be, and what of it somebody should look at.
pub(super) struct ConfPlan {
    /// The file's new content.
    pub(super) rewrite: Rewrite,
    /// What makes wg-quick(8) overwrite the file.
    pub(super) overwriting: Option<Overwriting>,
    /// wg-quick(8) adds no routes.
    pub(super) table_off: bool,
    /// Networks that the foreign peers hold.
    pub(super) claimed: Vec<Ipv4Net>,
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
        for key in &self.rewrite.claiming {
            ctx.ui
                .warn(&format!("{conf}: the peer {key} is not in the store and claims a location's address"));
        }
    }
}

/// What becomes of a failure to write the conf.
fn of_the_conf(e: fsx::FsError) -> Error {
    match Error::from(e) {
        e if e.kind == Kind::Failed => e.as_kind(Kind::Device),
        e => e,
    }
}

/// The conf as it is with a right `[Interface]`, whether it differs from the file, and the mark of
/// that.
fn current_conf(settings: &Settings, hub: &Hub) -> Result<(Conf, bool, Option<Mark>), Error> {
    let there = fsx::read_marked(&settings.conf)?;
    let is_new = there.is_none();
    let (bytes, mark) = match there {
        Some((bytes, mark)) => (Zeroizing::new(bytes), mark),
        None => (Conf::new_hub(&hub_key(settings, hub)?, hub_address(settings), settings.listen_port), None),
    };
    let conf = Conf::parse_owned(bytes).map_err(|e| in_conf(settings, e.into()))?;
    // The next boot with the standard tools must bring up this hub and no other.
    let wanted = InterfaceWanted {
        public_key: hub.public_key,
        address: hub_address(settings),
        listen_port: settings.listen_port,
    };
    let key = if conf.has_wrong_key(&wanted) { Some(hub_key(settings, hub)?) } else { None };
    match conf.with_interface(&wanted, key.as_ref()) {
        None => Ok((conf, is_new, mark)),
        Some(text) => Ok((Conf::parse_owned(text).map_err(|e| in_conf(settings, e.into()))?, true, None)),
    }
}

/// Addresses that peers of the conf hold which the store does not know: not to be handed out.
pub(super) fn claimed(settings: &Settings, store: &Store, hub: &Hub) -> Result<Vec<Reserved>, Error> {
    let network = settings.pool.network();
    let nets = if let Some(seen) = known_conf::known(settings, store, hub, 0) {
        seen.claimed
    } else {
        let (conf, ..) = current_conf(settings, hub)?;
        // One query for all instead of one for each peer of the conf.
        let known = store.peer_keys()?;
        conf.networks(|key| !known.contains(key))
    };
    let inside = |net: &Ipv4Net| network.contains(net) && net.prefix_len() > network.prefix_len();
    Ok(nets.into_iter().filter(inside).map(Reserved::from).collect())
}

/// Before a commit: whether the conf can be rewritten after it. What is wrong with it was so
/// before the call, so the call is refused and the store stays as it is.
pub(super) fn check_conf(settings: &Settings, store: &Store, hub: &Hub) -> Result<(), Error> {
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
    plan_conf_with(settings, store, hub, pruned, &Extras::new())
}

fn plan_conf_with(
    settings: &Settings,
    store: &Store,
    hub: &Hub,
    pruned: &HashSet<PublicKey>,
    fresh: &Extras,
) -> Result<ConfPlan, Error> {
    let wanted: Vec<ConfPeerWanted> =
        store.wanted_peers()?.into_iter().map(|(name, peer)| ConfPeerWanted { name, peer }).collect();
    let mut retired = store.retired_keys()?;
    retired.extend(pruned);
    let (conf, differs, mark) = current_conf(settings, hub)?;
    let secrets = if wanted.iter().any(|w| w.peer.preshared) {
        missing_secrets(settings, store, &conf, &wanted, fresh)?
    } else {
        Secrets::new()
    };
    let mut rewrite = conf.rewrite_with(&wanted, &retired, &secrets);
    rewrite.changed |= differs;
    let foreign: HashSet<PublicKey> = rewrite.foreign.iter().copied().collect();
    Ok(ConfPlan {
        overwriting: conf.overwriting(),
        table_off: conf.table_off(),
        claimed: if foreign.is_empty() { Vec::new() } else { conf.networks(|key| foreign.contains(key)) },
        plain: conf.is_plain(),
        mark,
        rewrite,
    })
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
        if there.get(&key).is_some_and(|e| e.preshared_key.is_some()) {
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

/// What is wanted of the interface itself, without any peers.
pub(super) fn wanted_interface(settings: &Settings, hub: &Hub) -> Wanted {
    Wanted {
        public_key: hub.public_key,
        listen_port: settings.listen_port,
        address: hub_address(settings),
        peers: Vec::new(),
        retired: HashSet::new(),
    }
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

/// What the store wants of the interface.
pub(super) fn wanted(settings: &Settings, store: &Store, hub: &Hub) -> Result<Wanted, Error> {
    Ok(Wanted {
        peers: store.wanted_peers()?.into_iter().map(|(_, peer)| peer).collect(),
        retired: store.retired_keys()?,
        ..wanted_interface(settings, hub)
    })
}

/// What must change on the interface; empty with the backend `none`.
pub(super) fn plan_interface(
    ctx: &Context<'_>,
    settings: &Settings,
    store: &Store,
    hub: &Hub,
) -> Result<Plan, Error> {
    let Some(mut device) = ctx.device(settings) else {
        return Ok(Plan::default());
    };
    let live = device.read()?;
    Ok(plan::diff(&wanted(settings, store, hub)?, live.as_ref()))
}

/// What the conf says of peers that were there before us; nothing if it cannot be read now.
pub(super) fn extras(settings: &Settings) -> Extras {
    let bytes = fsx::read(&settings.conf).ok().flatten().map(Zeroizing::new);
    bytes.and_then(|b| Conf::parse(&b).ok()).map(|conf| conf.extras()).unwrap_or_default()
}

/// Applies a plan to the interface and says which program carries it, if one was started.
pub(super) fn apply(
    ctx: &mut Context<'_>,
    settings: &Settings,
    hub: &Hub,
    plan: &Plan,
    extras: &Extras,
) -> Result<(), Error> {
    let Some(mut device) = ctx.device(settings) else {
        return Ok(());
    };
    let has_secret = |key| extras.get(key).is_some_and(|e| e.preshared_key.is_some());
    if let Some(bare) = plan.set_peers.iter().find(|p| p.preshared && !has_secret(&p.public_key)) {
        // Without it no handshake would succeed, and nothing would show that it is missing.
        return Err(Error::new(
            Kind::BadState,
            format!("{} lacks the preshared key of the peer {}", settings.conf.display(), bare.public_key),
        )
        .hint("run \"iwas-wg sync\", which takes it from the store"));
    }
    let key = if plan.set_key { Some(hub_key(settings, hub)?) } else { None };
    let applied = device.apply(plan, key.as_ref(), extras)?;
    if let Some(program) = applied.started {
        ctx.ui.say(&format!("this kernel has no WireGuard: {} is carried by {program}", settings.interface));
    }
    Ok(())
}

/// After a commit: writes the conf and makes one difference on the interface, without reading
/// either's peers back. Both are tried even if one fails.
///
/// # Errors
/// [`Kind::Device`] saying that the store is committed and what mends the rest.
pub(super) fn project(
    ctx: &mut Context<'_>,
    settings: &Settings,
    store: &Store,
    difference: &Plan,
) -> Result<(), Error> {
    project_with(ctx, settings, store, difference, Extras::new())
}

/// As [`project`], with preshared keys that were just made and stand nowhere in clear yet.
///
/// # Errors
/// Those of [`project`].
pub(super) fn project_with(
    ctx: &mut Context<'_>,
    settings: &Settings,
    store: &Store,
    difference: &Plan,
    fresh: Extras,
) -> Result<(), Error> {
    let hub = store.hub()?;
    let conf = rewrite_conf(ctx, settings, store, &hub, &fresh);
    finish(ctx, settings, store, &hub, conf, difference, fresh)
}

/// After a commit that added these peers and changed nothing else in conf and interface: as
/// [`project_with`], without reading the conf if that can be.
///
/// # Errors
/// Those of [`project`].
pub(super) fn project_added(
    ctx: &mut Context<'_>,
    settings: &Settings,
    store: &Store,
    added: &[ConfPeerWanted],
    fresh: Extras,
) -> Result<(), Error> {
    let hub = store.hub()?;
    let conf = match known_conf::append(settings, store, &hub, added, &fresh) {
        Ok(true) => Ok(()),
        Ok(false) => rewrite_conf(ctx, settings, store, &hub, &fresh),
        Err(e) => Err(of_the_conf(e)),
    };
    let difference = Plan { set_peers: added.iter().map(|w| w.peer.clone()).collect(), ..Plan::default() };
    finish(ctx, settings, store, &hub, conf, &difference, fresh)
}

fn rewrite_conf(
    ctx: &mut Context<'_>,
    settings: &Settings,
    store: &Store,
    hub: &Hub,
    fresh: &Extras,
) -> Result<(), Error> {
    let plan = plan_conf_with(settings, store, hub, &HashSet::new(), fresh)?;
    plan.warn(ctx, settings);
    plan.save(settings, store, hub)
}

/// The interface, and one word for what became of both.
fn finish(
    ctx: &mut Context<'_>,
    settings: &Settings,
    store: &Store,
    hub: &Hub,
    conf: Result<(), Error>,
    difference: &Plan,
    fresh: Extras,
) -> Result<(), Error> {
    let mut secrets = fresh;
    // The conf has them all by now. Peers without have nothing more in it that is of our making.
    if difference.set_peers.iter().any(|p| p.preshared && !secrets.contains_key(&p.public_key)) {
        secrets.extend(extras(settings));
    }
    let interface =
        if difference.is_empty() { Ok(()) } else { apply(ctx, settings, hub, difference, &secrets) };
    match conf.and(interface) {
        Ok(()) => Ok(()),
        Err(e) => {
            let sync = match remaining(ctx, settings, store, hub) {
                Some(step) => format!("\"iwas-wg sync\" will {step}"),
                None => "\"iwas-wg sync\" brings them in line".to_owned(),
            };
            // What another command of ours would mend, `sync` mends as well.
            let remedy = match e.hint.filter(|hint| !hint.contains("iwas-wg")) {
                Some(hint) => format!("{hint}; then {sync}"),
                None => sync,
            };
            Err(Error::new(
                Kind::Device,
                format!("the store is committed, but conf or interface is not in line: {}", e.message),
            )
            .hint(remedy))
        }
    }
}

/// What `sync` has to do now, in a few words; nothing if that cannot be said.
fn remaining(ctx: &Context<'_>, settings: &Settings, store: &Store, hub: &Hub) -> Option<String> {
    let plan = plan_interface(ctx, settings, store, hub).ok()?;
    let conf = plan_conf(settings, store, hub, &HashSet::new()).ok()?;
    summary(&steps(settings, &plan, Some(&conf.rewrite)))
}

/// The first step and how many follow; nothing if there is none.
pub(super) fn summary(steps: &[String]) -> Option<String> {
    match steps {
        [] => None,
        [one] => Some(one.clone()),
        [first, rest @ ..] => Some(format!("{first}, and {} more", rest.len())),
    }
}

fn joined(nets: impl Iterator<Item = IpNet>) -> String {
    let all = nets.map(|net| net.to_string()).collect::<Vec<_>>().join(", ");
    if all.is_empty() { "handshakes alone".to_owned() } else { all }
}

/// The steps of a plan in words, for people and for `--dry-run`.
pub(super) fn steps(settings: &Settings, plan: &Plan, conf: Option<&Rewrite>) -> Vec<String> {
    let interface = &settings.interface;
    let mut steps = Vec::new();
    if plan.create {
        steps.push(format!("create {interface}"));
    }
    if plan.set_key && !plan.create {
        steps.push(format!("set the private key of {interface}"));
    }
    if let Some(port) = plan.set_port {
        steps.push(format!("listen on UDP port {port}"));
    }
    if let Some(address) = plan.add_address {
        steps.push(format!("add the address {address}"));
    }
    if plan.bring_up {
        steps.push(format!("set {interface} up"));
    }
    steps.extend(plan.remove_peers.iter().map(|key| format!("remove the peer {key} from {interface}")));
    steps.extend(
        plan.set_peers
            .iter()
            .map(|p| format!("set the peer {} on {interface} to {}", p.public_key, joined(p.allowed_ips()))),
    );
    if let Some(conf) = conf.filter(|c| c.changed) {
        steps.push(format!(
            "write {}: {} added, {} corrected, {} removed",
            settings.conf.display(),
            conf.added,
            conf.updated,
            conf.removed
        ));
    }
    steps
}
