//! `iwas-wg peer revoke`.

use super::public_key;
use crate::{
    access::Permission,
    commands::{
        Context, Outcome,
        agreement::{Answer, Proposal},
        context::{require, there},
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
  iwas-wg peer revoke cafe-central --yes && iwas-wg peer provision cafe-central -o cafe-central.rsc")]
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
    there(&settings)?;
    let proposal = Proposal {
        what: name.as_str(),
        yes: args.yes || args.dry_run,
        plan: &mut |ctx| {
            let store = Context::store(&settings)?;
            let location = require(&store, &ctx.scope, &name)?;
            let key = public_key(&location)?;
            check_targets(ctx, &settings, &store, &store.hub()?)?;
            Ok((store, location, key))
        },
        question: &|(_, _, key)| {
            Some(format!("revoke the key {key} of {name} for good? Its router loses the tunnel."))
        },
        is_same: &|(_, a, _), (_, b, _)| a.is_same_as(b),
    };
    let (_lock, mut store, before, key) = match proposal.ask(ctx, &settings)? {
        Answer::No((_, before, _)) => {
            report(ctx, "unchanged", false, &before, None, &format!("the key of {name} stays"))?;
            return Ok(Outcome::Done);
        }
        Answer::Yes(lock, (store, before, key)) => (lock, store, before, key),
    };
    if args.dry_run {
        report(ctx, "revoked", true, &before, None, &format!("would revoke the key {key} of {name}"))?;
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
