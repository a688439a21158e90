//! `iwas-wg location rename`.

use super::report;
use crate::{
    access::Permission,
    commands::{
        Context, Outcome,
        context::require,
        projection::{check_targets, project},
    },
    error::{Error, Kind},
    model::{LocationName, plan::Plan},
};

/// Give a location another name; its peer is not touched
///
/// Key, address and sessions stay as they are, and so does the router: what was put on it goes on
/// carrying the first name in its comments, and all scripts for it go on using that name there.
/// Only the name in the conf changes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg location rename cafe-central cafe-ring")]
pub(super) struct Args {
    /// The location
    #[arg(value_name = "OLD")]
    old: String,
    /// Its next name: 1 to 63 of a-z 0-9 . _ -
    #[arg(value_name = "NEW")]
    new: String,
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let old: LocationName = args.old.parse()?;
    let new: LocationName = args.new.parse()?;
    let settings = ctx.enter("location rename", Permission::LocationWrite)?;
    let _lock = ctx.lock(&settings)?;
    let mut store = Context::store(&settings)?;
    let before = require(&store, &ctx.scope, &old)?;
    if old == new {
        report(ctx, "unchanged", args.dry_run, &before, None, &format!("{old} is called so already"))?;
        return Ok(Outcome::Done);
    }
    if let Some(other) = store.location(&new)? {
        let message = if ctx.scope.covers(other.org.as_ref()) {
            format!("location {:?} already exists", new.as_str())
        } else {
            format!("location name {:?} is taken", new.as_str())
        };
        return Err(Error::new(Kind::Conflict, message).hint("choose another name"));
    }
    let has_peer = before.public_key.is_some();
    if has_peer {
        check_targets(ctx, &settings, &store, &store.hub()?)?;
    }
    if args.dry_run {
        report(ctx, "renamed", true, &before, None, &format!("would rename {old} to {new}"))?;
        return Ok(Outcome::Done);
    }
    let change = store.change()?;
    change.rename(&old, &new, ctx.now())?;
    change.commit(&ctx.deed(Some(&before)))?;
    let after = require(&store, &ctx.scope, &new)?;
    let projected = if has_peer { project(ctx, &settings, &store, &Plan::default()) } else { Ok(()) };
    let printed = report(ctx, "renamed", false, &after, None, &format!("renamed {old} to {new}"));
    projected.and(printed).map(|()| Outcome::Done)
}
