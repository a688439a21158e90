//! `iwas-wg peer`: the `WireGuard` identity of a location's router.

mod list;
mod show;

use super::{
    Context, Outcome,
    context::require,
    location::report,
    projection::{apply, claimed, extras, project},
    provision_all,
    provisioning::{
        KeyRequest, SCRIPT_KEPT, check_recipients, choose_address, endpoint, install_script, lost_key,
        prepare, refuse_taken_key, shows_script,
    },
};
use crate::{
    access::Permission,
    error::{Error, Kind},
    model::{
        KeyMode, LocationName,
        plan::{Plan, WantedPeer},
    },
};
use std::path::PathBuf;

/// Give routers their keys, and look at them
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Provision(ProvisionArgs),
    List(list::Args),
    Show(show::Args),
    Reset(ResetArgs),
}

/// Make the keys of a location that has none, and print its router's script
///
/// Takes the location's address or the next free one, commits, programs the interface and writes
/// the conf. With --public-key the router keeps the private key it made.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg peer provision kiosk > kiosk.rsc
  iwas-wg peer provision kiosk --key-mode once > kiosk.rsc
  iwas-wg peer provision --all --scripts-dir scripts")]
struct ProvisionArgs {
    /// The location
    #[arg(value_name = "NAME", add = clap_complete::ArgValueCandidates::new(super::location_names))]
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    name: Option<String>,
    /// Every location that has no peer yet
    #[arg(long, conflicts_with = "public_key")]
    all: bool,
    /// With --all: write NAME.rsc files into this directory
    #[arg(long, value_name = "DIR", requires = "all")]
    scripts_dir: Option<PathBuf>,
    /// Where the private key lives: stored, once or router
    #[arg(long, value_name = "M")]
    key_mode: Option<String>,
    /// The router's own public key
    #[arg(long, value_name = "K")]
    public_key: Option<String>,
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// Take a peer off the interface and on again
///
/// For the router whose clock went backwards: the hub takes its handshakes for replays until it
/// forgets the peer. Key, address and script stay as they are.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg peer reset cafe-central")]
struct ResetArgs {
    /// The location
    #[arg(value_name = "NAME", add = clap_complete::ArgValueCandidates::new(super::location_names))]
    name: String,
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(args: Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    match args.verb {
        Verb::Provision(args) => provision(&args, ctx),
        Verb::List(args) => list::run(&args, ctx),
        Verb::Show(args) => show::run(&args, ctx),
        Verb::Reset(args) => reset(&args, ctx),
    }
}

fn reset(args: &ResetArgs, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let name: LocationName = args.name.parse()?;
    let settings = ctx.enter("peer reset", Permission::PeerWrite)?;
    let _lock = ctx.lock(&settings)?;
    let mut store = Context::store(&settings)?;
    let location = require(&store, &ctx.scope, &name)?;
    let Some(peer) = store.wanted_peer(&name)? else {
        if location.public_key.is_some() {
            return Err(Error::new(Kind::Conflict, format!("the peer of {:?} is disabled", name.as_str()))
                .hint("enable it first"));
        }
        return Err(Error::new(Kind::NotFound, format!("location {:?} has no peer yet", name.as_str()))
            .hint(format!("run \"iwas-wg peer provision {name}\"")));
    };
    if args.dry_run {
        report(ctx, "reset", true, &location, None, &format!("would reset the peer of {name}"))?;
        return Ok(Outcome::Done);
    }
    // Both in one message: there is no moment at which the address is nobody's for long.
    let plan = Plan { remove_peers: vec![peer.public_key], set_peers: vec![peer], ..Plan::default() };
    apply(ctx, &settings, &store.hub()?, &plan, &extras(&settings)).map_err(|e| e.as_kind(Kind::Device))?;
    store.record(&ctx.deed(Some(&location)))?;
    report(ctx, "reset", false, &location, None, &format!("the hub has forgotten the sessions of {name}"))?;
    Ok(Outcome::Done)
}

fn provision(args: &ProvisionArgs, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let Some(name) = &args.name else {
        return provision_all::run(ctx, args.key_mode.as_deref(), args.scripts_dir.as_deref(), args.dry_run);
    };
    let name: LocationName = name.parse()?;
    let settings = ctx.enter("peer provision", Permission::PeerWrite)?;
    // Bad values are told before it is looked whether there is such a location.
    let flags =
        |default| KeyRequest::from_flags(args.key_mode.as_deref(), args.public_key.as_deref(), default);
    flags(settings.key_mode)?;
    let _lock = ctx.lock(&settings)?;
    let mut store = Context::store(&settings)?;
    let mut location = require(&store, &ctx.scope, &name)?;
    let request = flags(location.key_mode)?;
    if let Some(key) = location.public_key {
        return Err(Error::new(
            Kind::Conflict,
            format!("location {:?} has a peer already ({key})", name.as_str()),
        )
        .hint(format!("\"iwas-wg script render {name}\" prints its script")));
    }
    if request.mode == KeyMode::Router && request.public_key.is_none() {
        return Err(Error::new(Kind::Usage, format!("the router of {:?} makes its own key", name.as_str()))
            .hint("run its script first; it prints the --public-key to give here"));
    }
    let hub = store.hub()?;
    let shows = shows_script(ctx, location.org.as_ref(), request)?;
    endpoint(&settings)?;
    refuse_taken_key(&store, &ctx.scope, request)?;
    let pool = settings.pool.clone().without(&claimed(&settings, &store, &hub)?);
    let vpn_ip = choose_address(&settings, &store, &ctx.scope, &pool, location.vpn_ip, Some(&name))?;
    check_recipients(&settings, request)?;
    let is_chosen = location.vpn_ip.is_some();
    location.vpn_ip = Some(vpn_ip);
    location.key_mode = request.mode;
    location.updated_at = ctx.now();
    if args.dry_run {
        let said = format!("would provision {name} at {vpn_ip} (key mode {})", request.mode);
        report(ctx, "provisioned", true, &location, None, &said)?;
        return Ok(Outcome::Done);
    }

    let Some(prepared) = prepare(ctx, &settings, &store, request)? else {
        return Ok(Outcome::Done);
    };
    location.public_key = Some(prepared.public_key);
    let script = install_script(&settings, &hub, &location, vpn_ip, prepared.private_key())?;

    let change = store.change()?;
    if !is_chosen && change.take_next_address(&pool)? != vpn_ip {
        return Err(Error::new(Kind::Busy, format!("address {vpn_ip} was taken at the same moment"))
            .hint("try again"));
    }
    change.insert_peer(&name, vpn_ip, &prepared.new_peer(), location.updated_at)?;
    change.commit(&ctx.deed(Some(&location)))?;

    let peer = WantedPeer::new(prepared.public_key, vpn_ip);
    let difference = Plan { set_peers: vec![peer], ..Plan::default() };
    let projected = project(ctx, &settings, &store, &difference);
    let said = format!("provisioned {name} at {vpn_ip}{}", if shows { "" } else { SCRIPT_KEPT });
    if shows && prepared.private_key().is_some() {
        ctx.warn_if_public();
    }
    let printed = report(ctx, "provisioned", false, &location, shows.then_some(script.as_str()), &said)
        .and_then(|()| ctx.ui.flush())
        .map_err(|e| lost_key(e, &location));
    projected.and(printed).map(|()| Outcome::Done)
}
