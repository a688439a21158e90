//! `iwas-wg sync`: conf and interface made equal to the store by the smallest change.

use super::{
    Context, Outcome,
    agreement::{Answer, Proposal},
    conf_plan::names_in_conf,
    context::there,
    projection::{self, check_targets, steps},
    upkeep, wg_quick,
};
use crate::model::text::{count, plural};
use crate::{
    access::Permission,
    device::Device,
    error::{Error, Kind},
    fsx,
    model::PublicKey,
    output::json::{Envelope, HubChange},
    settings::Settings,
    store::Store,
};
use std::collections::BTreeSet;

/// Make interface and conf equal to the store
///
/// Only what differs is changed: the sessions of all other peers live on. Peers that the store
/// never knew are reported and left alone, unless --prune removes them. What is due for a peer is
/// done first, as by a heartbeat: the end of a rotation, a move or a location.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg sync
  iwas-wg sync --dry-run
  iwas-wg sync --check || echo drift
  iwas-wg sync --prune")]
pub struct Args {
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// As --dry-run, with exit 5 if anything differs
    #[arg(long)]
    check: bool,
    /// Also remove the peers that the store does not know
    #[arg(long)]
    prune: bool,
    /// Do not ask before pruning
    #[arg(short, long, requires = "prune")]
    yes: bool,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let settings = ctx.enter("sync", Permission::HubAdmin)?;
    let dry_run = args.dry_run || args.check;
    there(&settings)?;
    let proposal = Proposal {
        what: "what the store does not know",
        yes: args.yes || dry_run || !args.prune,
        plan: &mut |ctx| if args.prune { foreign_peers(ctx, &settings) } else { Ok(BTreeSet::new()) },
        question: &|foreign| {
            let (peers, are) = (count(foreign.len(), "peer"), plural(foreign.len(), "is", "are"));
            (!foreign.is_empty()).then(|| format!("remove {peers} that {are} not in the store?"))
        },
        is_same: &|a, b| a == b,
    };
    let (_lock, agreed) = match proposal.ask(ctx, &settings)? {
        Answer::Yes(lock, _) => (lock, args.prune),
        Answer::No(_) => (ctx.lock(&settings)?, false),
    };
    let mut store = Context::store(&settings)?;
    let hub = store.hub()?;
    let due = end_what_is_due(ctx, &settings, &mut store, dry_run)?;
    let (mut conf, mut plan) = projection::plan_both(ctx, &settings, &store, &hub)?;
    let foreign: BTreeSet<PublicKey> = plan.foreign.iter().chain(&conf.rewrite.foreign).copied().collect();
    let prune = agreed && !foreign.is_empty();
    if prune {
        plan.remove_peers.append(&mut plan.foreign);
        // Of an interface that is created they were going to be a part.
        plan.set_peers.retain(|p| !foreign.contains(&p.public_key));
        conf = projection::plan_conf(&settings, &store, &hub, &foreign.iter().copied().collect())?;
    }
    let drifted = conf.rewrite.changed || !plan.is_empty();
    let differs = drifted || !due.is_empty();
    conf.warn(ctx, &settings);
    if !dry_run {
        for dir in [&settings.conf, &settings.places.database].into_iter().filter_map(|f| f.parent()) {
            fsx::sweep(dir);
        }
    }
    if !dry_run {
        // A disk that takes no conf must not keep the interface from its peers, nor the other way round.
        // A conf that is right already is only remembered to be so.
        let saved = conf.save(&settings, &store, &hub);
        let applied = if plan.is_empty() {
            Ok(())
        } else {
            wg_quick::bring_in_line(ctx, &settings, &store, &hub, &plan)
        };
        saved.and(applied)?;
    }
    if drifted && !dry_run {
        store.record(&ctx.deed(None))?;
    }
    let report = HubChange {
        changed: differs && !dry_run,
        action: if differs { "synced" } else { "unchanged" },
        dry_run,
        interface: settings.interface.to_string(),
        public_key: hub.public_key.to_string(),
        steps: due.into_iter().chain(steps(&settings, &plan, Some(&conf.rewrite))).collect(),
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
        if !prune && !foreign.is_empty() {
            let names = names_in_conf(&settings);
            for key in &foreign {
                let name = names.get(key).map_or_else(String::new, |name| format!(" ({name:?} in the conf)"));
                ctx.ui.warn(&format!("the peer {key}{name} is not in the store; it was left alone"));
            }
        }
        for address in &plan.foreign_addresses {
            ctx.ui.warn(&format!("the address {address} is not in the conf; it was left alone"));
        }
    }
    Ok(if differs && args.check { Outcome::Differs } else { Outcome::Done })
}

/// The peers of interface and conf that the store does not know.
fn foreign_peers(ctx: &mut Context<'_>, settings: &Settings) -> Result<BTreeSet<PublicKey>, Error> {
    let store = Context::store(settings)?;
    let (conf, plan) = projection::plan_both(ctx, settings, &store, &store.hub()?)?;
    Ok(plan.foreign.into_iter().chain(conf.rewrite.foreign).collect())
}

/// Ends what is due for peers, as a heartbeat does, or with a dry run only says so.
fn end_what_is_due(
    ctx: &mut Context<'_>,
    settings: &Settings,
    store: &mut Store,
    dry_run: bool,
) -> Result<Vec<String>, Error> {
    // The rest of the call reads the interface; with a large one, once is enough.
    if store.due(ctx.now())?.is_empty() {
        return Ok(Vec::new());
    }
    // What the rest of the call refuses must not be found out after a commit.
    let hub = store.hub()?;
    check_targets(ctx, settings, store, &hub)?;
    if let Some(jump) = ctx.judge_clock(store)?.jump() {
        ctx.ui.warn(&upkeep::jump_warning(jump));
    }
    let live = match ctx.device(settings, &hub) {
        Some(mut device) => device.read()?,
        None => None,
    };
    let mut done = Vec::new();
    if dry_run {
        done = upkeep::all_due(ctx, settings, store, live.as_ref())?;
    } else {
        match upkeep::keep_up(ctx, settings, store, live.as_ref(), &mut done) {
            // What could not be projected is what the rest of this call is about.
            Err(e) if e.kind == Kind::Device => {}
            other => other?,
        }
    }
    Ok(done.iter().map(|(location, step)| step.words(&location.name)).collect())
}
