//! `iwas-wg peer rotate`: the next key beside the present one, until it has proved itself.

use super::{disabled, public_key, rotate_all, rotating};
use crate::commands::out::Out;
use crate::{
    access::Permission,
    commands::{
        Context, Outcome,
        context::{Locked, require},
        heartbeat::no_reading,
        location::report,
        projection::{check_targets, project, project_with},
        provisioning::{
            KeyRequest, Prepared, ScriptKeys, check_recipients, prepare, refuse_taken_key, require_reader,
            rotate_script, site,
        },
        unsealing::Vault,
        upkeep::{self, Step},
    },
    device::Device,
    error::{Error, Kind},
    model::{
        KeyMode, Location, LocationName, PublicKey, Rotation,
        plan::{Plan, WantedPeer},
        upkeep::{Due, has_turned},
    },
    output::json::time,
    script::{Kind as ScriptKind, render},
    settings::{Backend, Settings},
    store::{Hub, Store},
};
use std::{
    net::Ipv4Addr,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};
use zeroize::Zeroizing;

/// How often the interface is looked at while a handshake is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Give a router a new key without an outage
///
/// Makes the next key, puts it on the interface beside the present one, without allowed IPs, and
/// prints the script that has the router change to it. As soon as a handshake with the new key is
/// seen, by --wait, a heartbeat or sync, the address moves to it and the old key goes, in one
/// message to the interface. Until then the router's traffic waits: use --wait, which looks ten
/// times a second, or the next heartbeat ends it.
///
/// A router that cannot reach the hub with the new key goes back to the old one by itself, and one
/// that never ran the script goes on as before: after keys.rotate_timeout (24h) a heartbeat gives
/// the new key up. Run again meanwhile, the command prints the same script once more.
///
/// A router that makes its own keys needs two scripts: the first, printed without --public-key,
/// has it make the next key and prints the command for the hub, which prints the second.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Exit status:
  5 with --wait, if there was no handshake with the new key in time; the old key still works

Examples:
  iwas-wg peer rotate cafe-central --wait -o cafe-central.rsc
  iwas-wg peer rotate cafe-central --abort
  iwas-wg peer rotate tower-3 --public-key hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo= -o tower-3.rsc
  iwas-wg peer rotate --all --older-than 90d --scripts-dir rotate")]
pub(super) struct Args {
    /// The location
    #[arg(value_name = "NAME")]
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    name: Option<String>,
    /// Every enabled peer that is not being rotated or moved already
    #[arg(long, requires = "scripts_dir")]
    pub(super) all: bool,
    /// With --all: only keys of at least this age, such as 90d
    #[arg(long, value_name = "AGE", requires = "all")]
    pub(super) older_than: Option<String>,
    /// With --all: write NAME.rsc files into this directory
    #[arg(long, value_name = "DIR", requires = "all")]
    pub(super) scripts_dir: Option<PathBuf>,
    /// Where the new private key lives: stored, once or router; as the present one by default
    #[arg(long, value_name = "M", conflicts_with = "all")]
    key_mode: Option<String>,
    /// The next public key of a router that makes its own
    #[arg(long, value_name = "K", conflicts_with = "all")]
    public_key: Option<String>,
    /// Give the pair a preshared key, even where it had none and keys.preshared does not
    #[arg(long)]
    pub(super) preshared: bool,
    /// Wait for the handshake with the new key, this many seconds (300); exit 5 without one
    #[arg(long, value_name = "S", num_args = 0..=1, require_equals = true, default_missing_value = "300")]
    #[arg(conflicts_with_all = ["all", "abort"])]
    wait: Option<u64>,
    /// Give the next key up; the present one was never gone
    #[arg(long, conflicts_with_all = ["all", "key_mode", "public_key", "preshared"])]
    abort: bool,
    #[command(flatten)]
    out: Out,
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let name: Option<LocationName> = args.name.as_deref().map(str::parse).transpose()?;
    let settings = ctx.enter("peer rotate", Permission::PeerWrite)?;
    if !args.abort {
        ctx.narrow(Permission::RouterScript)?;
    }
    let Some(name) = name else {
        return rotate_all::run(args, ctx, &settings);
    };
    args.out.begin(ctx)?;
    KeyRequest::from_flags(args.key_mode.as_deref(), args.public_key.as_deref(), settings.key_mode)?;
    if args.wait.is_some() && settings.backend == Backend::None {
        return Err(Error::new(Kind::BadState, "hub.backend is \"none\": there is no interface to wait on")
            .hint("leave out --wait"));
    }
    let lock = ctx.lock(&settings)?;
    let mut store = Context::store(&settings)?;
    let location = require(&store, &ctx.scope, &name)?;
    let present = public_key(&location)?;
    if args.wait.is_some() {
        ctx.check_interface(&settings, &store.hub()?)?;
    }
    if args.abort {
        return abort(args, ctx, &settings, &mut store, &location);
    }
    if !location.enabled {
        return Err(disabled(&location));
    }
    if let Some(moving) = &location.moving {
        return Err(Error::new(
            Kind::Conflict,
            format!("the peer of {:?} is being moved to {}", name.as_str(), moving.vpn_ip),
        )
        .hint(format!("end that first: \"iwas-wg peer move {name} --done\" or --abort")));
    }
    let next = match location.rotation.clone() {
        Some(next) => {
            // The identity may ask for its passphrase.
            drop(lock);
            again(args, ctx, &settings, &store, &location, next)?
        }
        None => match begin(args, ctx, &settings, &mut store, &location, lock)? {
            Some(next) => next,
            None => return Ok(Outcome::Done),
        },
    };
    drop(store);
    match args.wait {
        Some(seconds) if !args.dry_run => wait(ctx, &settings, &name, &present, &next.public_key, seconds),
        _ => Ok(Outcome::Done),
    }
}

/// The address of a location that has a peer.
pub(super) fn address(l: &Location) -> Result<Ipv4Addr, Error> {
    l.vpn_ip.ok_or_else(|| Error::new(Kind::BadState, format!("{} has a peer and no address", l.name)))
}

/// The script that has a router make its next key itself.
pub(super) fn first_step(settings: &Settings, hub: &Hub, l: &Location) -> Result<Zeroizing<String>, Error> {
    Ok(render(&site(settings, hub, l, address(l)?, &ScriptKeys::default())?, ScriptKind::Rotate))
}

/// The next key of a prepared pair.
pub(super) fn rotation(ctx: &Context<'_>, prepared: &Prepared) -> Rotation {
    Rotation {
        public_key: prepared.public_key,
        key_mode: prepared.new_peer().key_mode,
        preshared: prepared.keys.preshared.is_some(),
        since: ctx.now(),
    }
}

/// Begins a rotation and prints its script; `None` if there is no next key to wait for yet.
fn begin(
    args: &Args,
    ctx: &mut Context<'_>,
    settings: &Settings,
    store: &mut Store,
    location: &Location,
    lock: Locked,
) -> Result<Option<Rotation>, Error> {
    let name = &location.name;
    let request =
        KeyRequest::from_flags(args.key_mode.as_deref(), args.public_key.as_deref(), location.key_mode)?
            .with_preshared(args.preshared || location.preshared);
    let hub = store.hub()?;
    if request.mode == KeyMode::Router && request.public_key.is_none() {
        let script = first_step(settings, &hub, location)?;
        let said =
            format!("the router of {name} makes its next key and prints the command that brings it here");
        report(ctx, "unchanged", args.dry_run, location, Some(&script), &said)?;
        return Ok(None);
    }
    refuse_taken_key(store, &ctx.scope, request)?;
    check_recipients(settings, request)?;
    require_reader(ctx, request)?;
    check_targets(ctx, settings, store, &hub)?;
    if args.dry_run {
        let said = format!("would rotate the key of {name} (key mode {})", request.mode);
        report(ctx, "rotating", true, location, None, &said)?;
        return Ok(None);
    }
    let Some(prepared) = prepare(ctx, settings, store, request)? else {
        return Ok(None);
    };
    let next = rotation(ctx, &prepared);
    let after = Location { rotation: Some(next.clone()), updated_at: next.since, ..location.clone() };
    let script = rotate_script(settings, &hub, &after, address(&after)?, &next, &prepared.keys)?;
    let change = store.change()?;
    change.begin_rotation(name, &prepared.new_peer(), next.since)?;
    change.commit(&ctx.deed(Some(location)))?;

    let pending = WantedPeer::pending(next.public_key, next.preshared);
    let difference = Plan { set_peers: vec![pending], ..Plan::default() };
    let projected = project_with(ctx, settings, store, &difference, prepared.extras());
    if prepared.keys.is_secret() {
        ctx.warn_if_public();
    }
    let said = format!("{name} has a next key; it takes over once its router has shaken hands with it");
    drop(lock);
    let printed = report(ctx, "rotating", false, &after, Some(&script), &said)
        .and_then(|()| ctx.ui.flush())
        .map_err(|e| lost_key(e, name, next.key_mode));
    projected.and(printed)?;
    Ok(Some(next))
}

/// What is said if the only copy of the next key could not be written.
fn lost_key(e: Error, name: &LocationName, mode: KeyMode) -> Error {
    if mode != KeyMode::Once || e.kind == Kind::ClosedPipe {
        return e;
    }
    Error::new(e.kind, format!("{}; the next key of {name} is lost, the present one still works", e.message))
        .hint(format!("\"iwas-wg peer rotate {name} --abort\" and rotate again"))
}

/// Prints the script of a rotation that is under way once more.
fn again(
    args: &Args,
    ctx: &mut Context<'_>,
    settings: &Settings,
    store: &Store,
    location: &Location,
    next: Rotation,
) -> Result<Rotation, Error> {
    let given = args.public_key.as_deref().map(str::parse::<PublicKey>).transpose()?;
    let mode = args.key_mode.as_deref().map(str::parse::<KeyMode>).transpose()?;
    let another = given.is_some_and(|key| key != next.public_key) || mode.is_some_and(|m| m != next.key_mode);
    if another || (args.preshared && !next.preshared) {
        return Err(rotating(location));
    }
    let vault = Vault::new(settings, store);
    if next.key_mode == KeyMode::Stored {
        vault.check_identity(ctx)?;
    }
    let keys = vault.next_keys(location, &next).map_err(|e| Error {
        // There is a next key already, and nobody can print it again.
        kind: if next.key_mode == KeyMode::Once { Kind::Conflict } else { e.kind },
        ..e
    })?;
    let script = rotate_script(settings, &store.hub()?, location, address(location)?, &next, &keys)?;
    if keys.is_secret() {
        ctx.record(settings, &[location])?;
        ctx.warn_if_public();
    }
    let said = format!("{} is being rotated since {}", location.name, time(next.since));
    report(ctx, "unchanged", args.dry_run, location, Some(&script), &said)?;
    ctx.ui.flush()?;
    Ok(next)
}

fn abort(
    args: &Args,
    ctx: &mut Context<'_>,
    settings: &Settings,
    store: &mut Store,
    location: &Location,
) -> Result<Outcome, Error> {
    let name = &location.name;
    let (Some(next), Some(present)) = (&location.rotation, location.public_key) else {
        report(ctx, "unchanged", args.dry_run, location, None, &format!("{name} is not being rotated"))?;
        return Ok(Outcome::Done);
    };
    let hub = store.hub()?;
    check_targets(ctx, settings, store, &hub)?;
    // Once the router has turned to its next key, the present one would bring it back no more.
    let live = match ctx.device(settings, &hub) {
        Some(mut device) if location.enabled => device.read()?,
        _ => None,
    };
    if live.is_some_and(|l| has_turned(&l.peers, &present, &next.public_key)) {
        return Err(Error::new(Kind::Conflict, format!("the router of {name} uses its next key already"))
            .hint("\"iwas-wg sync\" finishes the rotation"));
    }
    if args.dry_run {
        let said = format!("would give up the next key of {name}");
        report(ctx, "aborted", true, location, None, &said)?;
        return Ok(Outcome::Done);
    }
    let mut difference = Plan::default();
    upkeep::commit(ctx, settings, store, location, Step::Peer(Due::GiveUp), &mut difference)?;
    let projected = project(ctx, settings, store, &difference);
    let after = require(store, &ctx.scope, name)?;
    let said = format!("gave up the next key of {name}; the present one stays");
    let printed = report(ctx, "aborted", false, &after, None, &said);
    projected.and(printed).map(|()| Outcome::Done)
}

/// Waits until the router has turned to its next key, and then moves the address at once.
fn wait(
    ctx: &mut Context<'_>,
    settings: &Settings,
    name: &LocationName,
    present: &PublicKey,
    next: &PublicKey,
    seconds: u64,
) -> Result<Outcome, Error> {
    let hub = Context::store_to_read(settings)?.hub()?;
    let Some(mut device) = ctx.device(settings, &hub) else {
        return Ok(Outcome::Done);
    };
    ctx.ui.say(&format!("waiting up to {seconds} s for the handshake with the new key of {name}"));
    let begun = Instant::now();
    loop {
        let looked = Instant::now();
        let live = device.read().map_err(no_reading)?;
        if live.is_some_and(|l| has_turned(&l.peers, present, next)) {
            return finish(ctx, settings, name, next);
        }
        if begun.elapsed() >= Duration::from_secs(seconds) {
            ctx.ui.say(&format!(
                "no handshake with the new key of {name} within {seconds} s; the old key still works, and a heartbeat goes on looking"
            ));
            return Ok(Outcome::Differs);
        }
        // Not busier with a large interface than with a small one.
        thread::sleep(LOOK_EVERY.max(looked.elapsed()));
    }
}

/// Moves the address to the next key, unless a heartbeat did so a moment ago.
fn finish(
    ctx: &mut Context<'_>,
    settings: &Settings,
    name: &LocationName,
    next: &PublicKey,
) -> Result<Outcome, Error> {
    let _lock = ctx.lock(settings)?;
    let mut store = Context::store(settings)?;
    let location = require(&store, &ctx.scope, name)?;
    let said = format!("{name} uses its new key {next}");
    if location.public_key == Some(*next) {
        ctx.ui.say(&said);
        return Ok(Outcome::Done);
    }
    if location.rotation.as_ref().is_none_or(|r| r.public_key != *next) {
        return Err(Error::new(Kind::Conflict, format!("the next key of {name} was given up meanwhile"))
            .hint("rotate again"));
    }
    let mut difference = Plan::default();
    upkeep::commit(ctx, settings, &mut store, &location, Step::Peer(Due::Promote), &mut difference)?;
    project(ctx, settings, &store, &difference)?;
    ctx.ui.say(&said);
    Ok(Outcome::Done)
}
