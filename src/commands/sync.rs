//! `iwas-wg sync`: conf and interface made equal to the store by the smallest change.

use super::{
    Context, Outcome,
    projection::{self, steps},
};
use crate::{
    error::Error,
    output::json::{Envelope, HubChange},
};
use std::collections::BTreeSet;

/// Make interface and conf equal to the store
///
/// Only what differs is changed: the sessions of all other peers live on. Peers that the store
/// never knew are reported and left alone.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg sync
  iwas-wg sync --dry-run
  iwas-wg sync --check || echo drift")]
pub struct Args {
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// As --dry-run, with exit 5 if anything differs
    #[arg(long)]
    check: bool,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let settings = ctx.settings()?;
    let _lock = ctx.lock(&settings, "sync")?;
    let store = Context::store(&settings)?;
    let hub = store.hub()?;
    let conf = projection::plan_conf(&settings, &store, &hub)?;
    let plan = projection::plan_interface(ctx, &settings, &store, &hub)?;
    let differs = conf.rewrite.changed || !plan.is_empty();
    conf.warn(ctx, &settings);
    let dry_run = args.dry_run || args.check;
    if differs && !dry_run {
        conf.save(&settings)?;
        if !plan.is_empty() {
            projection::apply(ctx, &settings, &hub, &plan)?;
        }
    }
    let foreign: BTreeSet<_> = plan.foreign.iter().chain(&conf.rewrite.foreign).collect();
    let report = HubChange {
        changed: differs && !dry_run,
        action: if differs { "synced" } else { "unchanged" },
        dry_run,
        interface: settings.interface.to_string(),
        public_key: hub.public_key.to_string(),
        steps: steps(&settings, &plan, Some(&conf.rewrite)),
        foreign_peers: foreign.iter().map(ToString::to_string).collect(),
    };
    if ctx.ui.is_json() {
        ctx.ui.json(&Envelope::new(&report))?;
    } else {
        let would = if dry_run { "would " } else { "" };
        for step in &report.steps {
            ctx.ui.say(&format!("{would}{step}"));
        }
        if !differs {
            ctx.ui.say("interface and conf are as the store wants them");
        }
        for key in &report.foreign_peers {
            ctx.ui.warn(&format!("the peer {key} is not in the store; it was left alone"));
        }
    }
    Ok(if differs && args.check { Outcome::Differs } else { Outcome::Done })
}
