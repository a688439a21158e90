//! What the hub does for its peers without being asked: the next key that has shaken hands takes
//! over, one that never did is given up, a location whose end has come is disabled, an address
//! that answers is moved to.
//!
//! Called by `heartbeat` and `sync`, and by `peer rotate --wait` for one peer. Each step is a
//! transaction of its own with its own record; conf and interface follow once, at the end.

use super::{
    Context,
    projection::{extras, project},
};
use crate::model::time::span;
use crate::{
    device::Device,
    error::{Error, Kind},
    model::{
        LiveInterface, Location, LocationName, PresharedDigest,
        plan::{PeerExtras, Plan},
        upkeep::{Due, due},
    },
    settings::Settings,
    store::Store,
    vault::Recipients,
};
use std::{net::SocketAddr, time::Duration};

/// How long a router may take to answer at its next address.
const ANSWER_WITHIN: Duration = Duration::from_millis(700);
/// How many routers are asked for an answer in one go, so that a heartbeat stays short.
const ASKED_AT_ONCE: usize = 8;
/// The port that is asked where the hub may manage nothing by TCP: a closed one answers as well.
const SSH: u16 = 22;

/// One thing that is due, or was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A key or an end.
    Peer(Due),
    /// The next address has answered.
    Move,
}

impl Step {
    /// What is done, in words that follow "would".
    pub(super) fn words(self, name: &LocationName) -> String {
        match self {
            Self::Peer(Due::Promote) => {
                format!("finish the rotation of {name}: its new key has shaken hands")
            }
            Self::Peer(Due::GiveUp) => format!("give up the new key of {name}, which never shook hands"),
            Self::Peer(Due::Expire) => format!("disable {name}, which has expired"),
            Self::Move => format!("finish the move of {name}: it answers at its new address"),
        }
    }
}

/// What is said of a clock that jumped.
pub(super) fn jump_warning(jump: i64) -> String {
    let direction = if jump < 0 { "backwards" } else { "forwards" };
    format!(
        "the clock jumped {direction} by {}: nothing ends, expires or is deleted by it until a second \
         heartbeat sees the same time; see \"timedatectl\"",
        span(jump.saturating_abs())
    )
}

/// Everything that is due now, in the order of names. Nothing is that only the clock says while the
/// clock is in doubt.
///
/// # Errors
/// Those of the store.
pub(super) fn all_due(
    ctx: &Context<'_>,
    settings: &Settings,
    store: &Store,
    live: Option<&LiveInterface>,
) -> Result<Vec<(Location, Step)>, Error> {
    let now = ctx.now();
    let is_doubtful = ctx.judge_clock(store)?.jump().is_some();
    let peers = live.map_or(&[][..], |l| l.peers.as_slice());
    let mut device = if live.is_some() { ctx.device(settings, &store.hub()?) } else { None };
    let mut asked = 0;
    let mut all = Vec::new();
    for name in store.due(now)? {
        let Some(location) = store.location(&name)? else {
            continue;
        };
        let step = due(&location, peers, now, settings.rotate_timeout);
        if let Some(step) = step.filter(|s| !(is_doubtful && s.is_by_clock())) {
            all.push((location, Step::Peer(step)));
        } else if location.moving.is_some() && location.enabled && asked < ASKED_AT_ONCE {
            asked += 1;
            if device.as_mut().is_some_and(|d| answers(d, settings, &location)) {
                all.push((location, Step::Move));
            }
        }
    }
    Ok(all)
}

/// Whether the router of a location answers at its next address.
pub(super) fn answers(device: &mut dyn Device, settings: &Settings, l: &Location) -> bool {
    let Some(next) = &l.moving else {
        return false;
    };
    let port = settings.router_of(l).management.iter().find_map(|s| s.tcp_port()).unwrap_or(SSH);
    device.answers(SocketAddr::from((next.vpn_ip, port)), ANSWER_WITHIN)
}

/// A preshared key as the store keeps it.
pub(super) struct SealedPreshared {
    pub(super) sealed: Vec<u8>,
    pub(super) digest: Option<PresharedDigest>,
}

/// What only the conf knows of a peer, which loses its block there: its preshared key, sealed, and
/// whatever else it says. Nothing of a peer that was made here.
///
/// # Errors
/// Those of the vault if there is a key and nobody to seal it to.
pub(super) fn known_to_conf(
    settings: &Settings,
    l: &Location,
) -> Result<(Option<SealedPreshared>, PeerExtras), Error> {
    let Some(key) = l.public_key else {
        return Ok((None, PeerExtras::default()));
    };
    let known = extras(settings)?.remove(&key).unwrap_or_default();
    let sealed = match &known.preshared_key {
        Some(secret) if !l.preshared => {
            let sealed = Recipients::parse(&settings.recipients)?.seal_preshared(secret)?;
            Some(SealedPreshared { sealed, digest: secret.digest() })
        }
        _ => None,
    };
    Ok((sealed, known))
}

/// Commits one step and adds to the difference what it changes on the interface.
///
/// # Errors
/// Those of the store; nothing of the step is kept then.
pub(super) fn commit(
    ctx: &Context<'_>,
    settings: &Settings,
    store: &mut Store,
    location: &Location,
    step: Step,
    difference: &mut Plan,
) -> Result<(), Error> {
    let now = ctx.now();
    // An end is an end, also for a peer whose preshared key cannot be kept.
    let sealed = match step {
        Step::Peer(Due::Expire) => known_to_conf(settings, location).ok().and_then(|(sealed, _)| sealed),
        _ => None,
    };
    let change = store.change()?;
    if let Some(sealed) = sealed {
        change.keep_preshared(&location.name, &sealed.sealed, sealed.digest)?;
    }
    match step {
        Step::Peer(Due::Promote) => change.finish_rotation(location, now)?,
        Step::Peer(Due::GiveUp) => change.abort_rotation(location, now)?,
        Step::Peer(Due::Expire) => change.set_enabled(location, false, now)?,
        Step::Move => change.finish_move(location, now)?,
    }
    change.commit(&ctx.deed(Some(location)))?;
    match step {
        Step::Peer(Due::Promote) => difference.remove_peers.extend(location.public_key),
        Step::Peer(Due::GiveUp) => {
            difference.remove_peers.extend(location.rotation.as_ref().map(|r| r.public_key));
        }
        Step::Peer(Due::Expire) => difference.remove_peers.extend(location.peer_keys()),
        Step::Move => {}
    }
    if matches!(step, Step::Peer(Due::Promote) | Step::Move) {
        difference.set_peers.extend(store.wanted_of(&location.name)?);
    }
    Ok(())
}

/// Does everything that is due: commits each step, then brings conf and interface in line once.
/// Returns what was done; it stays done even if the projection fails.
///
/// # Errors
/// Those of the store, and [`Kind::Device`] of the projection.
pub(super) fn keep_up(
    ctx: &mut Context<'_>,
    settings: &Settings,
    store: &mut Store,
    live: Option<&LiveInterface>,
    done: &mut Vec<(Location, Step)>,
) -> Result<(), Error> {
    let mut difference = Plan::default();
    for (location, step) in all_due(ctx, settings, store, live)? {
        commit(ctx, settings, store, &location, step, &mut difference)?;
        done.push((location, step));
    }
    if done.is_empty() {
        return Ok(());
    }
    if live.is_none() {
        // There is no interface to change; the next `up` makes it as the store wants it.
        difference = Plan::default();
    }
    project(ctx, settings, store, &difference)
}

/// What a heartbeat does: all that is due, told in warnings where somebody should know, and the
/// interface as it is afterwards.
///
/// # Errors
/// Those of the store and of reading the interface. What could not be projected is only warned of:
/// it is drift, and the reading matters more.
pub(super) fn tend(
    ctx: &mut Context<'_>,
    settings: &Settings,
    store: &mut Store,
    device: &mut dyn Device,
    live: LiveInterface,
) -> Result<LiveInterface, Error> {
    let mut done = Vec::new();
    match keep_up(ctx, settings, store, Some(&live), &mut done) {
        Err(e) if e.kind == Kind::Device => ctx.ui.warn(&e.message),
        other => other?,
    }
    for (location, step) in &done {
        let name = &location.name;
        match step {
            Step::Peer(Due::Expire) => {
                ctx.ui.warn(&format!("{name} has expired and was disabled"));
            }
            Step::Peer(Due::GiveUp) => ctx.ui.warn(&format!(
                "the new key of {name} never shook hands and was given up; the old one stays"
            )),
            Step::Peer(Due::Promote) => ctx.ui.detail(&format!("{name} uses its new key")),
            Step::Move => ctx.ui.detail(&format!("{name} answers at its new address; the old one is free")),
        }
    }
    if done.is_empty() {
        return Ok(live);
    }
    Ok(device.read()?.unwrap_or(live))
}
