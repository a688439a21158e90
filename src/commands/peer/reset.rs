//! `iwas-wg peer reset`.

use crate::{
    access::Permission,
    commands::{
        Context, Outcome,
        context::require,
        location::report,
        projection::{apply, extras},
    },
    error::{Error, Kind},
    model::{LocationName, plan::Plan},
};

/// Take a peer off the interface and on again
///
/// For the router whose clock went backwards: the hub takes its handshakes for replays until it
/// forgets the peer. Key, address and script stay as they are.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg peer reset cafe-central")]
pub(super) struct Args {
    /// The location
    #[arg(value_name = "NAME")]
    name: String,
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let name: LocationName = args.name.parse()?;
    let settings = ctx.enter("peer reset", Permission::PeerWrite)?;
    let _lock = ctx.lock(&settings)?;
    let mut store = Context::store(&settings)?;
    let location = require(&store, &ctx.scope, &name)?;
    super::public_key(&location)?;
    let Some(peer) = store.wanted_peer(&name)? else {
        return Err(super::disabled(&location));
    };
    let hub = store.hub()?;
    ctx.check_interface(&settings, &hub)?;
    if args.dry_run {
        report(ctx, "reset", true, &location, None, &format!("would reset the peer of {name}"))?;
        return Ok(Outcome::Done);
    }
    // Both in one message: there is no moment at which the address is nobody's for long.
    let plan = Plan { remove_peers: vec![peer.public_key], set_peers: vec![peer.anew()], ..Plan::default() };
    let extras = extras(&settings)?;
    apply(ctx, &settings, &hub, &plan, &extras).map_err(|e| e.as_kind(Kind::Device))?;
    store.record(&ctx.deed(Some(&location)))?;
    report(ctx, "reset", false, &location, None, &format!("the hub has forgotten the sessions of {name}"))?;
    Ok(Outcome::Done)
}
