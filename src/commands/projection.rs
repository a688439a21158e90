//! Making conf and interface equal to the store, after the commit.
//!
//! A failure here never takes the commit back: it becomes exit 9, and `sync` mends it.

pub(super) use super::conf_plan::{check_targets, conf_drift, open_preshared, plan_conf};

use super::{
    Context,
    conf_plan::{ConfPlan, Desired, of_the_conf, plan_conf_of},
    hub_address::hub_address,
    known_conf,
};
use crate::{
    device::Device,
    error::{Error, Kind},
    fsx,
    model::{
        Clash, LinkSettings, LiveInterface, PrivateKey, PublicKey, Route, Table, clashes,
        plan::{self, Extras, Plan, Wanted, WantedPeer},
    },
    settings::Settings,
    store::{Hub, Store},
    vault::Opener,
    wgconf::{Conf, ConfPeerWanted, Rewrite},
};
use ipnet::IpNet;
use std::{collections::HashSet, net::Ipv4Addr};
use zeroize::Zeroizing;

/// The hub's private key: from the conf, else from the store with the identity.
pub(super) fn hub_key(settings: &Settings, hub: &Hub) -> Result<PrivateKey, Error> {
    if let Some(bytes) = fsx::read_trusted(&settings.conf)?.map(Zeroizing::new) {
        let conf = Conf::parse(&bytes).map_err(|e| Error::of_conf(&settings.conf, e))?;
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

/// What is wanted of the interface itself, without any peers. While the conf cannot be read, that
/// is not known of the link: then its address is all.
pub(super) fn wanted_interface(settings: &Settings, store: &Store, hub: &Hub) -> Wanted {
    let link = super::conf_plan::link(settings, store, hub, 0).unwrap_or_else(|_| LinkSettings {
        addresses: vec![IpNet::V4(hub_address(settings, hub))],
        table: Table::Off,
        ..LinkSettings::default()
    });
    interface_of(settings, hub, link)
}

fn interface_of(settings: &Settings, hub: &Hub, link: LinkSettings) -> Wanted {
    Wanted {
        public_key: hub.public_key,
        listen_port: settings.listen_port,
        link,
        peers: Vec::new(),
        retired: HashSet::new(),
    }
}

/// What the store wants of the interface.
pub(super) fn wanted(settings: &Settings, store: &Store, hub: &Hub) -> Result<Wanted, Error> {
    Ok(Wanted {
        peers: store.wanted_peers()?.into_iter().map(|(_, peer)| peer).collect(),
        retired: store.retired_keys()?,
        ..wanted_interface(settings, store, hub)
    })
}

/// What must change on an interface, its routes included.
///
/// # Errors
/// Those of the device.
pub(super) fn difference(
    device: &mut dyn Device,
    wanted: &Wanted,
    live: Option<&LiveInterface>,
) -> Result<Plan, Error> {
    let mut plan = plan::diff(wanted, live);
    if live.is_some() {
        plan.add_routes = missing_routes(device, &wanted.link, plan::routes(&wanted.link, &wanted.peers))?;
    }
    Ok(plan)
}

/// Those of the routes that are not there. They are read only if any are needed.
///
/// # Errors
/// Those of the device.
pub(super) fn missing_routes(
    device: &mut dyn Device,
    link: &LinkSettings,
    needed: Vec<Route>,
) -> Result<Vec<Route>, Error> {
    match link.route_table() {
        Some(table) if !needed.is_empty() => {
            let there = device.routes(table)?;
            Ok(plan::missing_routes(link, needed, &there))
        }
        _ => Ok(Vec::new()),
    }
}

/// What must change in conf and on the interface, and what was seen on the way.
pub(super) struct Both {
    pub(super) conf: ConfPlan,
    pub(super) plan: Plan,
    /// What unknown peers of the interface have that is a location's.
    pub(super) clashes: Vec<Clash>,
    /// The addresses of the interface.
    addresses: Vec<IpNet>,
}

impl Both {
    /// Takes an address away from the hub, in conf and on the interface.
    pub(super) fn drop_address(&mut self, address: Ipv4Addr) {
        self.conf.drop_address(address);
        let is_it = |net: &IpNet| net.addr() == address;
        self.plan.add_addresses.retain(|net| !is_it(net));
        self.plan.foreign_addresses.retain(|net| !is_it(net));
        self.plan.remove_addresses = self.addresses.iter().copied().filter(is_it).collect();
    }
}

/// What must change in conf and on the interface; the interface is read while the conf is.
///
/// # Errors
/// Those of both.
pub(super) fn plan_both(
    ctx: &Context<'_>,
    settings: &Settings,
    store: &Store,
    hub: &Hub,
) -> Result<Both, Error> {
    let mut planned = None;
    let mut plan = || {
        let desired = Desired::read(store);
        let both = desired.and_then(|d| Ok((plan_conf_of(settings, store, hub, &d, &Extras::new())?, d)));
        planned = Some(both);
    };
    let mut device = ctx.device(settings, hub);
    let live = if let Some(device) = &mut device {
        Some(device.read_while(&mut plan))
    } else {
        plan();
        None
    };
    let (conf, desired) =
        planned.transpose()?.ok_or_else(|| Error::new(Kind::Failed, "nothing was planned"))?;
    let (Some(device), Some(live)) = (&mut device, live.transpose()?) else {
        // The backend `none` has nothing to compare.
        return Ok(Both { conf, plan: Plan::default(), clashes: Vec::new(), addresses: Vec::new() });
    };
    let clashes = clashes_of(settings, &desired, live.as_ref());
    let mut wanted = Wanted {
        peers: desired.peers.into_iter().map(|w| w.peer).collect(),
        retired: desired.retired,
        ..interface_of(settings, hub, conf.link.clone())
    };
    if live.is_none() {
        // As after a boot with wg-quick(8): first those of others, so that no address of ours is theirs.
        wanted.peers.splice(0..0, conf.foreign_peers.iter().cloned());
    }
    let plan = difference(device, &wanted, live.as_ref())?;
    let addresses = live.map(|live| live.addresses).unwrap_or_default();
    Ok(Both { conf, plan, clashes, addresses })
}

/// What peers of the interface that the store does not know have that is a location's.
pub(super) fn clashes_of(settings: &Settings, desired: &Desired, live: Option<&LiveInterface>) -> Vec<Clash> {
    let known: HashSet<&PublicKey> =
        desired.peers.iter().map(|w| &w.peer.public_key).chain(&desired.retired).collect();
    let peers = live.iter().flat_map(|live| &live.peers).filter(|p| !known.contains(&p.public_key));
    let unmanaged: Vec<_> = peers.map(|p| (p.public_key, p.allowed_ips.clone())).collect();
    let wanted = desired.peers.iter().map(|w| (&w.name, &w.peer));
    clashes(settings.pool.network(), wanted, &unmanaged)
}

/// What the conf says of peers besides their allowed IPs; nothing if there is none.
///
/// # Errors
/// Those of the file: a peer that is set without its preshared key is dark.
pub(super) fn extras(settings: &Settings) -> Result<Extras, Error> {
    let Some(bytes) = fsx::read_trusted(&settings.conf)?.map(Zeroizing::new) else {
        return Ok(Extras::new());
    };
    Ok(Conf::parse_owned(bytes).map_err(|e| Error::of_conf(&settings.conf, e))?.extras())
}

/// Applies a plan to the interface and says which program carries it, if one was started.
pub(super) fn apply(
    ctx: &mut Context<'_>,
    settings: &Settings,
    hub: &Hub,
    plan: &Plan,
    extras: &Extras,
) -> Result<(), Error> {
    let Some(mut device) = ctx.device(settings, hub) else {
        return Ok(());
    };
    let has_secret = |p: &WantedPeer| {
        let there = extras.get(&p.public_key).and_then(|e| e.preshared_key.as_ref());
        there.is_some_and(|key| p.settings.preshared.is(key.digest()))
    };
    if let Some(bare) = plan.set_peers.iter().find(|p| p.preshared && !has_secret(p)) {
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
    let interface = reach(ctx, settings, store, &hub, difference, fresh);
    in_words(ctx, settings, store, &hub, conf.and(interface))
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
    let difference = Plan { set_peers: added.iter().map(|w| w.peer.clone()).collect(), ..Plan::default() };
    let mut interface = None;
    let appended = known_conf::append_while(settings, store, &hub, added, &fresh, |link| {
        let difference = difference.clone().with_routes(link);
        interface = Some(apply(ctx, settings, &hub, &difference, &fresh));
    });
    let conf = match appended {
        Ok(true) => Ok(()),
        Ok(false) => rewrite_conf(ctx, settings, store, &hub, &fresh),
        Err(e) => Err(of_the_conf(e)),
    };
    let interface = interface.unwrap_or_else(|| reach(ctx, settings, store, &hub, &difference, fresh));
    in_words(ctx, settings, store, &hub, conf.and(interface))
}

fn rewrite_conf(
    ctx: &mut Context<'_>,
    settings: &Settings,
    store: &Store,
    hub: &Hub,
    fresh: &Extras,
) -> Result<(), Error> {
    let plan = plan_conf_of(settings, store, hub, &Desired::read(store)?, fresh)?;
    plan.warn(ctx, settings);
    plan.save(settings, store, hub)
}

/// Makes the difference on the interface, once the conf has all preshared keys.
fn reach(
    ctx: &mut Context<'_>,
    settings: &Settings,
    store: &Store,
    hub: &Hub,
    difference: &Plan,
    fresh: Extras,
) -> Result<(), Error> {
    if difference.is_empty() {
        return Ok(());
    }
    // The conf is written by now, or is what could not be.
    let link = super::conf_plan::link(settings, store, hub, 0);
    let difference = match &link {
        Ok(link) => with_routes(ctx, settings, hub, link, difference.clone())?,
        Err(_) => difference.clone(),
    };
    let mut secrets = fresh;
    // Peers without have nothing in the conf that is of our making.
    if difference.set_peers.iter().any(|p| p.preshared && !secrets.contains_key(&p.public_key)) {
        secrets.extend(extras(settings)?);
    }
    apply(ctx, settings, hub, &difference, &secrets)
}

/// A difference of peers with what follows from it for the routes.
fn with_routes(
    ctx: &Context<'_>,
    settings: &Settings,
    hub: &Hub,
    link: &LinkSettings,
    difference: Plan,
) -> Result<Plan, Error> {
    if link.route_table().is_none() {
        return Ok(difference);
    }
    // What a peer had is on the interface alone by now.
    let live = ctx.device(settings, hub).map(|mut d| d.read()).transpose()?.flatten();
    let remove_routes =
        live.map(|live| plan::routes_left_behind(link, &difference, &live)).unwrap_or_default();
    Ok(Plan { remove_routes, ..difference.with_routes(link) })
}

/// What became of conf and interface, and what mends them.
fn in_words(
    ctx: &Context<'_>,
    settings: &Settings,
    store: &Store,
    hub: &Hub,
    projected: Result<(), Error>,
) -> Result<(), Error> {
    projected.map_err(|e| {
        let sync = match remaining(ctx, settings, store, hub) {
            Some(step) => format!("\"iwas-wg sync\" will {step}"),
            None => "\"iwas-wg sync\" brings them in line".to_owned(),
        };
        // What another command of ours would mend, `sync` mends as well.
        let remedy = match e.hint.filter(|hint| !hint.contains("iwas-wg")) {
            Some(hint) => format!("{hint}; then {sync}"),
            None => sync,
        };
        Error::new(
            Kind::Device,
            format!("the store is committed, but conf or interface is not in line: {}", e.message),
        )
        .hint(remedy)
    })
}

/// What `sync` has to do now, in a few words; nothing if that cannot be said.
fn remaining(ctx: &Context<'_>, settings: &Settings, store: &Store, hub: &Hub) -> Option<String> {
    let Both { conf, plan, .. } = plan_both(ctx, settings, store, hub).ok()?;
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
    if let Some(mark) = plan.set_fwmark {
        let mark = if mark == 0 { "off".to_owned() } else { format!("{mark:#x}") };
        steps.push(format!("set the firewall mark of {interface} to {mark}"));
    }
    steps.extend(plan.add_addresses.iter().map(|address| format!("add the address {address}")));
    if let Some(mtu) = plan.set_mtu {
        steps.push(format!("set the MTU of {interface} to {mtu}"));
    }
    steps.extend(plan.remove_addresses.iter().map(|address| format!("remove the address {address}")));
    if plan.bring_up {
        steps.push(format!("set {interface} up"));
    }
    steps.extend(plan.remove_peers.iter().map(|key| format!("remove the peer {key} from {interface}")));
    steps.extend(
        plan.set_peers
            .iter()
            .map(|p| format!("set the peer {} on {interface} to {}", p.public_key, joined(p.allowed_ips()))),
    );
    steps.extend(plan.remove_routes.iter().map(|route| format!("take the route to {route} away")));
    steps.extend(plan.add_routes.iter().map(|route| format!("add the route to {route}")));
    if let Some(conf) = conf.filter(|c| c.changed) {
        let path = settings.conf.display();
        steps.extend(conf.corrections.iter().map(|what| format!("{what} in {path}")));
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
