//! `iwas-wg peer move`: the next address beside the present one, until the router answers there.

use super::{disabled, public_key, rotating};
use crate::commands::out::Out;
use crate::{
    access::Permission,
    commands::{
        Context, Outcome,
        context::{Locked, require},
        location::report,
        occupied::Occupied,
        projection::{check_targets, project},
        provisioning::{ScriptKeys, endpoint, install_script, parse_address},
        unsealing::Vault,
        upkeep::{self, Step},
    },
    error::{Error, Kind},
    model::{Location, LocationName, Move, plan::Plan},
    output::json::time,
    settings::{Backend, Settings},
    store::Store,
};
use std::{
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

const ASK_EVERY: Duration = Duration::from_millis(200);

/// Give a router another VPN address without an outage
///
/// Allows the peer its next address beside the present one and prints the install script, which
/// changes the address on the router; key and session stay. WireGuard does not tell from which
/// address a router speaks, so the hub asks: as soon as the router answers at the next address to
/// the first TCP port of router.management (ssh; a refusal is an answer), --wait or a heartbeat
/// takes the present one away. Where a firewall lets nothing be asked, --done says that the router
/// has moved. Either address works until then.
///
/// The script holds no private key. The router's sessions over its old address end when it runs.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Exit status:
  5 with --wait, if the router did not answer at its next address in time; both addresses work

Examples:
  iwas-wg peer move cafe-central --vpn-ip 10.0.0.40 --wait -o cafe-central.rsc
  iwas-wg peer move cafe-central --done
  iwas-wg peer move cafe-central --abort")]
pub(super) struct Args {
    /// The location
    #[arg(value_name = "NAME")]
    name: String,
    /// The next VPN address
    #[arg(long, value_name = "A", required_unless_present_any = ["done", "abort"])]
    vpn_ip: Option<String>,
    /// Wait for the router's answer at its next address, this many seconds (300)
    #[arg(long, value_name = "S", num_args = 0..=1, require_equals = true, default_missing_value = "300")]
    #[arg(conflicts_with_all = ["done", "abort"])]
    wait: Option<u64>,
    /// The router has moved: take the old address away
    #[arg(long, conflicts_with_all = ["vpn_ip", "abort"])]
    done: bool,
    /// The router stays: take the next address away
    #[arg(long, conflicts_with = "vpn_ip")]
    abort: bool,
    #[command(flatten)]
    out: Out,
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let name: LocationName = args.name.parse()?;
    let to = args.vpn_ip.as_deref().map(parse_address).transpose()?;
    let settings = ctx.enter("peer move", Permission::PeerWrite)?;
    if to.is_some() {
        ctx.narrow(Permission::RouterScript)?;
    }
    if args.wait.is_some() && settings.backend == Backend::None {
        return Err(Error::new(
            Kind::BadState,
            "hub.backend is \"none\": there is no interface to ask through",
        )
        .hint("leave out --wait, and say --done afterwards"));
    }
    args.out.begin(ctx)?;
    let lock = ctx.lock(&settings)?;
    let mut store = Context::store(&settings)?;
    let location = require(&store, &ctx.scope, &name)?;
    public_key(&location)?;
    let Some(to) = to else {
        return end(args, ctx, &settings, &mut store, &location);
    };
    if !begin(args, ctx, &settings, &mut store, &location, to, lock)? {
        return Ok(Outcome::Done);
    }
    drop(store);
    match args.wait {
        Some(seconds) => wait(ctx, &settings, &name, to, seconds),
        None => Ok(Outcome::Done),
    }
}

/// Allows the next address and prints the script; `false` if there is nothing to wait for.
fn begin(
    args: &Args,
    ctx: &mut Context<'_>,
    settings: &Settings,
    store: &mut Store,
    location: &Location,
    to: Ipv4Addr,
    lock: Locked,
) -> Result<bool, Error> {
    let name = &location.name;
    if !location.enabled {
        return Err(disabled(location));
    }
    if location.rotation.is_some() {
        return Err(rotating(location));
    }
    if location.vpn_ip == Some(to) && location.moving.is_none() {
        report(ctx, "unchanged", args.dry_run, location, None, &format!("{name} has {to} already"))?;
        return Ok(false);
    }
    if let Some(moving) = location.moving.as_ref().filter(|m| m.vpn_ip != to) {
        return Err(Error::new(
            Kind::Conflict,
            format!("{name} is being moved to {} since {}", moving.vpn_ip, time(moving.since)),
        )
        .hint(format!("end that first: \"iwas-wg peer move {name} --done\" or --abort")));
    }
    let hub = store.hub()?;
    endpoint(settings)?;
    Occupied::read(settings, store, &hub)?.choose(ctx, store, Some(to), Some(name))?;
    check_targets(ctx, settings, store, &hub)?;
    if args.dry_run {
        report(ctx, "moving", true, location, None, &format!("would move {name} to {to}"))?;
        return Ok(false);
    }
    // The router keeps its private key; without the preshared one its peer would be made anew.
    let keys = Vault::new(settings, store).keys(location, location.preshared)?;
    let keys = ScriptKeys { private: None, preshared: keys.preshared };
    let now = ctx.now();
    let is_new = location.moving.is_none();
    let mut after = location.clone();
    if is_new {
        after.moving = Some(Move { vpn_ip: to, since: now });
        after.updated_at = now;
    }
    let script = install_script(settings, &hub, &after, to, &keys)?;
    let mut projected = Ok(());
    if is_new {
        let change = store.change()?;
        change.begin_move(name, to, now)?;
        change.commit(&ctx.deed(Some(location)))?;
        let difference = Plan { set_peers: store.wanted_of(name)?, ..Plan::default() };
        projected = project(ctx, settings, store, &difference);
    }
    if keys.is_secret() {
        ctx.warn_if_public();
    }
    let said = format!("{name} may use {to} beside its present address until it answers there");
    let action = if is_new { "moving" } else { "unchanged" };
    drop(lock);
    let printed = report(ctx, action, false, &after, Some(&script), &said).and_then(|()| ctx.ui.flush());
    projected.and(printed)?;
    Ok(true)
}

/// `--done` and `--abort`.
fn end(
    args: &Args,
    ctx: &mut Context<'_>,
    settings: &Settings,
    store: &mut Store,
    location: &Location,
) -> Result<Outcome, Error> {
    let name = &location.name;
    let Some(moving) = &location.moving else {
        report(ctx, "unchanged", args.dry_run, location, None, &format!("{name} is not being moved"))?;
        return Ok(Outcome::Done);
    };
    check_targets(ctx, settings, store, &store.hub()?)?;
    let (action, verb) = if args.abort { ("aborted", "give up") } else { ("moved", "finish") };
    if args.dry_run {
        let said = format!("would {verb} the move of {name} to {}", moving.vpn_ip);
        report(ctx, action, true, location, None, &said)?;
        return Ok(Outcome::Done);
    }
    let mut difference = Plan::default();
    if args.abort {
        let change = store.change()?;
        change.abort_move(location, ctx.now())?;
        change.commit(&ctx.deed(Some(location)))?;
        difference.set_peers = store.wanted_of(name)?;
    } else {
        upkeep::commit(ctx, settings, store, location, Step::Move, &mut difference)?;
    }
    let projected = if location.enabled {
        project(ctx, settings, store, &difference)
    } else {
        project(ctx, settings, store, &Plan::default())
    };
    let after = require(store, &ctx.scope, name)?;
    let at = after.vpn_ip.map(|ip| ip.to_string()).unwrap_or_default();
    let printed = report(ctx, action, false, &after, None, &format!("{name} has the address {at}"));
    projected.and(printed).map(|()| Outcome::Done)
}

/// Waits for the router's answer at its next address, and then takes the old one away.
fn wait(
    ctx: &mut Context<'_>,
    settings: &Settings,
    name: &LocationName,
    to: Ipv4Addr,
    seconds: u64,
) -> Result<Outcome, Error> {
    let store = Context::store_to_read(settings)?;
    let Some(mut device) = ctx.device(settings, &store.hub()?) else {
        return Ok(Outcome::Done);
    };
    let moving = require(&store, &ctx.scope, name)?;
    drop(store);
    ctx.ui.say(&format!("waiting up to {seconds} s for an answer of {name} from {to}"));
    let begun = Instant::now();
    loop {
        if upkeep::answers(&mut device, settings, &moving) {
            break;
        }
        if begun.elapsed() >= Duration::from_secs(seconds) {
            ctx.ui.say(&format!(
                "no answer from {to} within {seconds} s; {name} may use both addresses, and a heartbeat goes on asking"
            ));
            return Ok(Outcome::Differs);
        }
        thread::sleep(ASK_EVERY);
    }
    let _lock = ctx.lock(settings)?;
    let mut store = Context::store(settings)?;
    let location = require(&store, &ctx.scope, name)?;
    if location.moving.as_ref().is_some_and(|m| m.vpn_ip == to) {
        let mut difference = Plan::default();
        upkeep::commit(ctx, settings, &mut store, &location, Step::Move, &mut difference)?;
        project(ctx, settings, &store, &difference)?;
    } else if location.vpn_ip != Some(to) {
        return Err(Error::new(Kind::Conflict, format!("the move of {name} was given up meanwhile"))
            .hint("move it again"));
    }
    ctx.ui.say(&format!("{name} answers at {to}; its old address is free"));
    Ok(Outcome::Done)
}
