//! `iwas-wg sync`: conf and interface made equal to the store by the smallest change.

pub(super) mod address;

use super::{
    Context, Outcome,
    agreement::{Answer, Proposal},
    conf_plan::names_in_conf,
    context::{Locked, there},
    hub_address,
    projection::{self, Both, check_targets, steps},
    provisioning::parse_address,
    upkeep, wg_quick,
};
use crate::model::text::{count, plural};
use crate::{
    access::Permission,
    device::Device,
    error::{Error, Kind},
    fsx,
    model::{PublicKey, plan::Plan},
    output::json::{Envelope, HubChange},
    settings::Settings,
    store::{Hub, Store},
};
use std::collections::{BTreeSet, HashMap};

/// Make interface and conf equal to the store
///
/// Only what differs is changed: the sessions of all other peers live on. Peers that the store
/// never knew are reported and left alone, unless --prune removes them. What is due for a peer is
/// done first, as by a heartbeat: the end of a rotation, a move or a location.
///
/// Two that have one address, locations outside of the network, and an address in the settings that
/// the hub does not have are named, and left as they are. --move-hub gives the hub the address in
/// hub.address: it has both then, and routers reach it at either, until each has a script that was
/// rendered since and --release takes the former one away.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg sync
  iwas-wg sync --dry-run
  iwas-wg sync --check || echo drift
  iwas-wg sync --prune
  iwas-wg sync --move-hub --dry-run
  iwas-wg sync --release 10.0.0.9")]
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
    /// Give the hub the address in hub.address
    #[arg(long)]
    move_hub: bool,
    /// Take this former address of the hub away, for routers to have
    #[arg(long, value_name = "ADDRESS", conflicts_with = "move_hub")]
    release: Option<String>,
    /// Do not ask before pruning
    #[arg(short, long, requires = "prune")]
    yes: bool,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let release = args.release.as_deref().map(parse_address).transpose()?;
    let settings = ctx.enter("sync", Permission::HubAdmin)?;
    let dry_run = args.dry_run || args.check;
    there(&settings)?;
    let (_lock, agreed) = lock(args, ctx, &settings, dry_run)?;
    let mut store = Context::store(&settings)?;
    let mut hub = store.hub()?;
    if let Some(former) = release {
        address::check_release(&settings, &store, &hub, former)?;
    }
    let mut done = end_what_is_due(ctx, &settings, &mut store, dry_run)?;
    if args.move_hub {
        check_targets(ctx, &settings, &store, &hub)?;
        let (moved, step) = address::move_hub(ctx, &settings, &mut store, hub, dry_run)?;
        hub = moved;
        done.extend(step);
    }
    let mut both = projection::plan_both(ctx, &settings, &store, &hub)?;
    let foreign: BTreeSet<PublicKey> =
        both.plan.foreign.iter().chain(&both.conf.rewrite.foreign).copied().collect();
    let prune = agreed && !foreign.is_empty();
    if prune {
        both.plan.remove_peers.append(&mut both.plan.foreign);
        // Of an interface that is created they were going to be a part.
        both.plan.set_peers.retain(|p| !foreign.contains(&p.public_key));
        both.clashes.clear();
        both.conf = projection::plan_conf(&settings, &store, &hub, &foreign.iter().copied().collect())?;
    }
    if let Some(former) = release {
        done.push(format!("release {former}, a former address of the hub"));
        both.drop_address(former);
    }
    let drifted = both.conf.rewrite.changed || !both.plan.is_empty();
    let differs = drifted || !done.is_empty();
    let conflicts = conflicts(&settings, &store, &hub, &both)?;
    both.conf.warn(ctx, &settings);
    if !dry_run {
        carry_out(ctx, &settings, &store, &hub, &both)?;
        if let Some(former) = release {
            // Last, so that a call that did not get here can be repeated.
            let change = store.change()?;
            change.release_hub_address(former)?;
            change.commit(&ctx.deed(None))?;
        } else if drifted {
            store.record(&ctx.deed(None))?;
        }
    }
    let report = HubChange {
        changed: differs && !dry_run,
        action: if differs { "synced" } else { "unchanged" },
        dry_run,
        interface: settings.interface.to_string(),
        public_key: hub.public_key.to_string(),
        steps: done.into_iter().chain(steps(&settings, &both.plan, Some(&both.conf.rewrite))).collect(),
        foreign_peers: foreign.iter().map(ToString::to_string).collect(),
        conflicts,
    };
    tell(ctx, &settings, &report, &both.plan, prune)?;
    // What the conf has was told already.
    for conflict in report.conflicts.iter().take(report.conflicts.len() - both.conf.clashes.len()) {
        ctx.ui.warn(conflict);
    }
    if let Some((message, remedy)) = address::left_outside(ctx, &settings, &store, &hub)? {
        ctx.ui.warn(&format!("{message}; {remedy}"));
    }
    // What two have is for people to settle; sync has nothing to do there.
    let is_in_line = !differs && hub_address::pending(&settings, &hub).is_none();
    Ok(if args.check && !is_in_line { Outcome::Differs } else { Outcome::Done })
}

/// The lock, and whether the peers that the store does not know shall go.
fn lock(
    args: &Args,
    ctx: &mut Context<'_>,
    settings: &Settings,
    dry_run: bool,
) -> Result<(Locked, bool), Error> {
    let proposal = Proposal {
        what: "what the store does not know",
        yes: args.yes || dry_run || !args.prune,
        plan: &mut |ctx| if args.prune { foreign_peers(ctx, settings) } else { Ok(BTreeSet::new()) },
        question: &|foreign| {
            let (peers, are) = (count(foreign.len(), "peer"), plural(foreign.len(), "is", "are"));
            (!foreign.is_empty()).then(|| format!("remove {peers} that {are} not in the store?"))
        },
        is_same: &|a, b| a == b,
    };
    match proposal.ask(ctx, settings)? {
        Answer::Yes(lock, _) => Ok((lock, args.prune)),
        Answer::No(_) => Ok((ctx.lock(settings)?, false)),
    }
}

/// Writes the conf and changes the interface.
fn carry_out(
    ctx: &mut Context<'_>,
    settings: &Settings,
    store: &Store,
    hub: &Hub,
    both: &Both,
) -> Result<(), Error> {
    for dir in [&settings.conf, &settings.places.database].into_iter().filter_map(|f| f.parent()) {
        fsx::sweep(dir);
    }
    // A disk that takes no conf must not keep the interface from its peers, nor the other way round.
    // A conf that is right already is only remembered to be so.
    let saved = both.conf.save(settings, store, hub);
    let applied = if both.plan.is_empty() {
        Ok(())
    } else {
        wg_quick::bring_in_line(ctx, settings, store, hub, &both.plan)
    };
    saved.and(applied)
}

fn tell(
    ctx: &mut Context<'_>,
    settings: &Settings,
    report: &HubChange,
    plan: &Plan,
    prune: bool,
) -> Result<(), Error> {
    if ctx.ui.is_json() {
        return ctx.ui.json(&Envelope::new(report));
    }
    let would = if report.dry_run { "would " } else { "" };
    for step in &report.steps {
        ctx.ui.say(&format!("{would}{step}"));
    }
    if report.action == "unchanged" {
        ctx.ui.say("interface and conf are as the store wants them");
    }
    if !prune && !report.foreign_peers.is_empty() {
        let names = names_in_conf(settings);
        let names: HashMap<String, &String> = names.iter().map(|(key, n)| (key.to_string(), n)).collect();
        for key in &report.foreign_peers {
            let name = names.get(key).map_or_else(String::new, |name| format!(" ({name:?} in the conf)"));
            ctx.ui.warn(&format!("the peer {key}{name} is not in the store; it was left alone"));
        }
    }
    for address in &plan.foreign_addresses {
        ctx.ui.warn(&format!("the address {address} is not in the conf; it was left alone"));
    }
    Ok(())
}

/// The peers of interface and conf that the store does not know.
fn foreign_peers(ctx: &mut Context<'_>, settings: &Settings) -> Result<BTreeSet<PublicKey>, Error> {
    let store = Context::store(settings)?;
    let both = projection::plan_both(ctx, settings, &store, &store.hub()?)?;
    Ok(both.plan.foreign.into_iter().chain(both.conf.rewrite.foreign).collect())
}

/// What two have, or the settings say otherwise; what is in the conf comes last.
fn conflicts(settings: &Settings, store: &Store, hub: &Hub, both: &Both) -> Result<Vec<String>, Error> {
    let mut all = address::conflicts(settings, store, hub)?;
    all.extend(both.clashes.iter().map(|clash| format!("{}: {clash}", settings.interface)));
    all.extend(both.conf.clashes.iter().map(|clash| format!("{}: {clash}", settings.conf.display())));
    Ok(all)
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
