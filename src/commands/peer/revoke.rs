//! `iwas-wg peer revoke`.

use super::public_key;
use crate::{
    access::Permission,
    commands::{
        Context, Outcome,
        context::require,
        location::report,
        projection::{check_targets, project},
    },
    error::Error,
    model::{LocationName, plan::Plan},
};

/// End a key for good: it leaves interface and conf, and is never a peer's again
///
/// For the router that was stolen. The location stays, unprovisioned, with its address;
/// "iwas-wg peer provision" gives it a new key. A key still to come of a rotation is revoked as well.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg peer revoke cafe-central
  iwas-wg peer revoke cafe-central --yes && iwas-wg peer provision cafe-central > cafe-central.rsc")]
pub(super) struct Args {
    /// The location
    #[arg(value_name = "NAME")]
    name: String,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let name: LocationName = args.name.parse()?;
    let settings = ctx.enter("peer revoke", Permission::PeerWrite)?;
    let _lock = ctx.lock(&settings)?;
    let mut store = Context::store(&settings)?;
    let before = require(&store, &ctx.scope, &name)?;
    let key = public_key(&before)?;
    check_targets(ctx, &settings, &store, &store.hub()?)?;
    if args.dry_run {
        report(ctx, "revoked", true, &before, None, &format!("would revoke the key {key} of {name}"))?;
        return Ok(Outcome::Done);
    }
    let question = format!("revoke the key {key} of {name} for good? Its router loses the tunnel.");
    if !ctx.confirm(&question, args.yes)? {
        report(ctx, "unchanged", false, &before, None, &format!("the key of {name} stays"))?;
        return Ok(Outcome::Done);
    }
    let now = ctx.now();
    let change = store.change()?;
    change.revoke(&before, now)?;
    change.commit(&ctx.deed(Some(&before)))?;
    let after = require(&store, &ctx.scope, &name)?;
    let difference = Plan { remove_peers: before.peer_keys().collect(), ..Plan::default() };
    let projected = project(ctx, &settings, &store, &difference);
    let printed = report(ctx, "revoked", false, &after, None, &format!("revoked the key {key} of {name}"));
    projected.and(printed).map(|()| Outcome::Done)
}
