//! `iwas-wg heartbeat`: one reading of all handshakes into the store.

use super::{Context, Outcome, projection, upkeep};
use crate::{
    access::Permission,
    error::{Error, Kind},
    fsx,
    model::{
        Counts, LiveInterface, LivePeer, PublicKey, State,
        health::{observe, transition_time},
        plan,
    },
    output::{
        Metrics,
        json::{Envelope, HeartbeatReport, Transition, time},
    },
    settings::Settings,
    store::Store,
};
use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
};

/// Read all handshakes once and note who is online
///
/// For cron or a timer, every 2 minutes; silent on success. A site is online while its last
/// handshake is younger than heartbeat.offline_after (180 seconds). If the interface cannot be
/// read, the exit code is 9 and nothing changes. Drift between interface, conf and store is told
/// in one line and not mended.
///
/// It also ends what is under way: a new key of "peer rotate" that has shaken hands takes over, one
/// that did not within keys.rotate_timeout is given up, a router of "peer move" that answers at its
/// next address has moved, and a location that has expired is disabled.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  */2 * * * * root iwas-wg heartbeat
  iwas-wg --json heartbeat")]
pub struct Args {
    /// Write a Prometheus textfile here, instead of heartbeat.metrics_file
    #[arg(long, value_name = "F")]
    metrics_file: Option<PathBuf>,
    /// Exit 0 if another iwas-wg is at work
    #[arg(long)]
    skip_if_busy: bool,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let settings = ctx.enter("heartbeat", Permission::HubAdmin)?;
    let _lock = match ctx.lock(&settings) {
        Err(e) if e.kind == Kind::Busy && args.skip_if_busy => return Ok(Outcome::Done),
        other => other?,
    };
    let mut store = Context::store(&settings)?;
    let Some(mut device) = ctx.device(&settings) else {
        return Err(Error::new(Kind::Device, "hub.backend is \"none\": there is no interface to read")
            .hint("set hub.backend to auto, kernel or userspace, or take the heartbeat out of cron"));
    };
    // Whatever the reason, cron and its reader need to know one thing: there was no reading.
    let live = device.read().map_err(|e| Error::from(e).as_kind(Kind::Device))?.ok_or_else(|| {
        Error::new(Kind::Device, format!("there is no interface {}", settings.interface))
            .hint("run \"iwas-wg up\"")
    })?;
    let live = upkeep::tend(ctx, &settings, &mut store, &mut *device, live)
        .map_err(|e| if e.kind == Kind::Failed { e.as_kind(Kind::Device) } else { e })?;
    let now = ctx.now();
    let drift = drift(&settings, &store, &live)?;
    let seen: HashMap<&PublicKey, &LivePeer> = live.peers.iter().map(|p| (&p.public_key, p)).collect();

    let metrics_file = args.metrics_file.as_ref().or(settings.metrics_file.as_ref());
    let mut metrics = metrics_file.map(|_| Metrics::new());
    let mut counts = Counts::default();
    let mut changes = Vec::new();
    let mut from_the_future = 0_u64;
    let change = store.change()?;
    for peer in change.watched()? {
        let live = seen.get(&peer.public_key).copied();
        let (reading, future) = observe(peer.last.as_ref(), live, now, settings.offline_after);
        from_the_future += u64::from(future);
        let before = State::of(true, true, peer.last.as_ref());
        let after = State::of(true, true, Some(&reading));
        counts.add(after);
        if let Some(metrics) = &mut metrics {
            metrics.peer(&peer.name, &reading);
        }
        if before != after {
            let at = transition_time(&reading, now, settings.offline_after);
            changes.push(Transition {
                name: peer.name,
                from: before.as_str(),
                to: after.as_str(),
                at: time(at),
            });
        }
        if peer.last.as_ref() != Some(&reading) {
            change.write_reading(peer.id, &reading)?;
        }
    }
    change.write_heartbeat(now)?;
    change.commit_readings()?;

    if let (Some(metrics), Some(path)) = (metrics, metrics_file) {
        fsx::replace(path, metrics.finish(counts, drift, now).as_bytes(), 0o644)?;
    }
    if drift > 0 {
        ctx.ui.warn(&format!(
            "{} or its conf differs from the store in {drift} places; \"iwas-wg sync\" mends it",
            settings.interface
        ));
    }
    if from_the_future > 0 {
        ctx.ui.warn(&future_warning(from_the_future));
    }
    for t in &changes {
        ctx.ui.detail(&format!("{}: {} -> {} at {}", t.name, t.from, t.to, t.at));
    }
    if ctx.ui.is_json() {
        let checked = counts.online + counts.offline + counts.never;
        let Counts { online, offline, never, .. } = counts;
        ctx.ui.json(&Envelope::new(HeartbeatReport { checked, online, offline, never, changes, drift }))?;
    }
    Ok(Outcome::Done)
}

/// In how many places interface and conf differ from the store; a conf that cannot be read is one.
fn drift(settings: &Settings, store: &Store, live: &LiveInterface) -> Result<u64, Error> {
    let hub = store.hub()?;
    let plan = plan::diff(&projection::wanted(settings, store, &hub)?, Some(live));
    let on_interface = projection::steps(settings, &plan, None).len() as u64;
    let in_conf = projection::plan_conf(settings, store, &hub, &HashSet::new())
        .map_or(1, |conf| u64::from(conf.rewrite.changed));
    Ok(on_interface + in_conf)
}

/// What is said once of handshakes that lie ahead of the clock.
pub(super) fn future_warning(peers: u64) -> String {
    format!("the last handshake of {peers} peers is in the future and counts as now: was the clock set back?")
}
