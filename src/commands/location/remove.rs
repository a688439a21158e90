//! `iwas-wg location remove`.

use super::report;
use crate::{
    access::Permission,
    commands::{
        Context, Outcome,
        agreement::{Answer, Proposal},
        context::{require, there},
        projection::{check_targets, project},
    },
    error::{Error, Kind},
    model::{Location, LocationName, plan::Plan},
    output::json::{ChangeReport, Envelope},
};

/// Remove a location: its peer leaves the interface and the conf
///
/// Its address is handed out again only after every other free address.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg location remove cafe-central
  iwas-wg location remove cafe-central --if-exists --yes")]
pub(super) struct Args {
    /// The location
    #[arg(value_name = "NAME")]
    name: String,
    /// Exit 0 if there is none
    #[arg(long)]
    if_exists: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let name: LocationName = args.name.parse()?;
    let settings = ctx.enter("location remove", Permission::LocationWrite)?;
    there(&settings)?;
    let at = |l: &Location| l.vpn_ip.map_or_else(String::new, |ip| format!(" ({ip})"));
    let proposal = Proposal {
        what: name.as_str(),
        yes: args.yes || args.dry_run,
        plan: &mut |ctx| {
            let store = Context::store(&settings)?;
            let location = require(&store, &ctx.scope, &name)?;
            if location.public_key.is_some() {
                check_targets(ctx, &settings, &store, &store.hub()?)?;
            }
            Ok((store, location))
        },
        question: &|(_, l)| Some(format!("remove {name}{}? Its router loses the tunnel.", at(l))),
        is_same: &|(_, a), (_, b)| a.is_same_as(b),
    };
    let (lock, mut store, location) = match proposal.ask(ctx, &settings) {
        Err(e) if e.kind == Kind::NotFound && args.if_exists => {
            return nothing_there(ctx, &name, args.dry_run);
        }
        Err(e) => return Err(e),
        Ok(Answer::No((_, location))) => {
            report(ctx, "unchanged", false, &location, None, &format!("{name} stays"))?;
            return Ok(Outcome::Done);
        }
        Ok(Answer::Yes(lock, (store, location))) => (lock, store, location),
    };
    let at = at(&location);
    if args.dry_run {
        report(ctx, "removed", true, &location, None, &format!("would remove {name}{at}"))?;
        return Ok(Outcome::Done);
    }
    let now = ctx.now();
    let change = store.change()?;
    change.remove_location(&location, now)?;
    change.commit(&ctx.deed(Some(&location)))?;
    let mut difference = Plan::default();
    difference.remove_peers.extend(location.peer_keys());
    let projected =
        if location.public_key.is_some() { project(ctx, &settings, &store, &difference) } else { Ok(()) };
    drop(lock);
    let printed = report(ctx, "removed", false, &location, None, &format!("removed {name}{at}"));
    projected.and(printed).map(|()| Outcome::Done)
}

fn nothing_there(ctx: &mut Context<'_>, name: &LocationName, dry_run: bool) -> Result<Outcome, Error> {
    if ctx.ui.is_json() {
        let report =
            ChangeReport { changed: false, action: "unchanged", dry_run, location: None, script: None };
        ctx.ui.json(&Envelope::new(report))?;
    } else {
        ctx.ui.say(&format!("there is no location {:?}", name.as_str()));
    }
    Ok(Outcome::Done)
}
