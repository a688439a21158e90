//! `iwas-wg heartbeat`: one reading of all handshakes into the store.

mod announce;
mod skipped;

pub(super) use skipped::Skipped;

use super::{Context, Outcome, projection, upkeep};
use crate::model::text::count;
use crate::{
    access::Permission,
    device::{Device, DeviceError},
    error::{Error, Kind},
    fsx,
    model::{
        ClockReading, Counts, LinkSettings, LiveInterface, LivePeer, PublicKey, Reading, Route, Scope, State,
        Verdict,
        health::observe,
        plan::{self, Wanted, WantedPeer},
        record::{Announced, Moment, advance},
    },
    output::{
        Fleet, Metrics,
        json::{Envelope, HeartbeatReport, Transition, time},
        key_metrics,
    },
    settings::Settings,
    store::{Store, Watched},
};
use jiff::Timestamp;
use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
};

/// Read all handshakes once and note who is online
///
/// For cron or a timer, every 2 minutes; silent on success. A site is online while its last
/// handshake is younger than heartbeat.offline_after (180 seconds). If the interface cannot be
/// read, the exit code is 9 and nothing changes; if it has another key than this hub, it is
/// another's, the exit code is 4 and nothing is read from it. Drift between interface, conf and store is told
/// in one line and not mended.
///
/// It also ends what is under way: a new key of "peer rotate" that has shaken hands takes over, one
/// that did not within keys.rotate_timeout is given up, a router of "peer move" that answers at its
/// next address has moved, and a location that has expired is disabled.
///
/// Changes of state are kept with the time at which they happened, for history and report, for
/// heartbeat.keep_history days. While the interface is younger than offline_after, a site that was
/// online and has not come back is unknown and no change is announced. heartbeat.on_change is a
/// program that is told all changes, as JSON on its standard input; if it fails, it is told them
/// again by the next heartbeat. With heartbeat.confirm, a change is announced only once so many
/// heartbeats in a row have seen it.
///
/// If the clock jumped since the last heartbeat, as the kernel's clock since the start of the
/// machine shows it, the heartbeat warns and writes nothing: no location expires, no new key is
/// given up and no history is deleted. A second heartbeat that sees the same time believes it.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  */2 * * * * root iwas-wg heartbeat
  iwas-wg --json heartbeat")]
pub struct Args {
    /// Write a Prometheus textfile here, instead of heartbeat.metrics_file
    #[arg(long, value_name = "F")]
    metrics_file: Option<PathBuf>,
    /// Exit 0 if another iwas-wg is at work, unless that is so for the third time in a row
    #[arg(long)]
    skip_if_busy: bool,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let settings = ctx.enter("heartbeat", Permission::HubAdmin)?;
    let metrics_file = args.metrics_file.as_ref().or(settings.metrics_file.as_ref());
    let lock = match ctx.lock(&settings) {
        Err(e) if e.kind == Kind::Busy && args.skip_if_busy => {
            skipped::count(ctx, &settings, metrics_file.map(PathBuf::as_path), &e)?;
            return Ok(Outcome::Done);
        }
        other => other?,
    };
    let mut store = Context::store(&settings)?;
    let hub = store.hub()?;
    let Some(mut device) = ctx.device(&settings, &hub) else {
        return Err(Error::new(Kind::Device, "hub.backend is \"none\": there is no interface to read")
            .hint("set hub.backend to auto, kernel or userspace, or take the heartbeat out of cron"));
    };
    let mut watched = Ok(Vec::new());
    let live = device.read_while(&mut || watched = store.watched());
    let live = live.map_err(no_reading)?.ok_or_else(|| {
        Error::new(Kind::Device, format!("there is no interface {}", settings.interface))
            .hint("run \"iwas-wg up\"")
    })?;
    let verdict = ctx.judge_clock(&store)?;
    let before = store.changes();
    let live = upkeep::tend(ctx, &settings, &mut store, &mut device, live)
        .map_err(|e| if e.kind == Kind::Failed { e.as_kind(Kind::Device) } else { e })?;
    if store.changes() != before {
        watched = store.watched();
    }
    let now = ctx.clock();
    let mut metrics = metrics_file.map(|_| Metrics::new());
    let own = projection::wanted_interface(&settings, &store, &hub);
    let pass = look(&settings, &mut store, watched?, &live, (&now, verdict), &mut metrics, &own.link)?;
    let now = now.at;
    let drift = drift_after(&settings, &store, &mut device, &live, &own, &pass)?;
    let (held, _) = store.held_addresses(&settings.pool)?;
    let pool = (held, settings.pool.capacity().0);
    let fleet = Fleet { counts: pass.counts, pool, drift, at: now };
    skipped::forget(&settings);
    // What is left changes nothing that the lock is for, and a program may take its time.
    drop(lock);

    let mut wrote = Ok(());
    if let (Some(metrics), Some(path)) = (metrics, metrics_file) {
        let text = metrics.finish(&fleet) + &key_metrics(&store.locations(&Scope::All)?);
        wrote = fsx::put(path, text.as_bytes(), 0o644);
    }
    if drift > 0 {
        ctx.ui.warn(&format!(
            "{} or its conf differs from the store in {drift} places; \"iwas-wg sync\" mends it",
            settings.interface
        ));
    }
    if let Some(jump) = verdict.jump() {
        ctx.ui.warn(&upkeep::jump_warning(jump));
    } else if pass.from_the_future > 0 {
        ctx.ui.warn(&future_warning(pass.from_the_future));
    }
    for t in &pass.changes {
        ctx.ui.detail(&format!("{}: {} -> {} at {}", t.name, t.from, t.to, t.at));
    }
    announce::announce(ctx, &settings, &mut store, pass.counts, now)?;
    // An alarm does not wait until somebody mends the place of the metrics.
    wrote?;
    if ctx.ui.is_json() {
        let Counts { online, offline, never, unknown, .. } = pass.counts;
        let checked = online + offline + never + unknown;
        let changes = pass.changes;
        ctx.ui.json(&Envelope::new(HeartbeatReport {
            checked,
            online,
            offline,
            never,
            unknown,
            changes,
            drift,
        }))?;
    }
    Ok(Outcome::Done)
}

/// Whatever the reason, cron and its reader need to know one thing: there was no reading. An
/// interface that is another's is not a failure of this one.
pub(super) fn no_reading(e: DeviceError) -> Error {
    let is_foreign = e.is_foreign();
    let e = Error::from(e);
    if is_foreign { e } else { e.as_kind(Kind::Device) }
}

/// What a heartbeat saw.
struct Pass {
    counts: Counts,
    changes: Vec<Transition>,
    from_the_future: u64,
    /// Whether the interface has all peers as wanted.
    in_line: bool,
    /// The routes that these need.
    routes: Vec<Route>,
    /// The keys on it that are no enabled peer's.
    others: Vec<PublicKey>,
}

impl Pass {
    /// Counts a peer as the last heartbeat saw it.
    fn keep(&mut self, peer: Watched, live: Option<&LivePeer>, measured: &mut Vec<(String, Reading)>) {
        self.counts.add(State::of(true, true, peer.last.as_ref()));
        let traffic = |count: fn(&LivePeer) -> u64| live.map_or(0, count);
        let reading = peer.last.unwrap_or(Reading {
            last_handshake: None,
            endpoint: None,
            rx_bytes: traffic(|l| l.rx_bytes),
            tx_bytes: traffic(|l| l.tx_bytes),
            is_online: false,
            is_unknown: false,
        });
        measured.push((peer.name, reading));
    }
}

/// Reads every peer and writes what is new, in one transaction. While the clock is in doubt only the
/// doubt is written: every age and date would be wrong.
fn look(
    settings: &Settings,
    store: &mut Store,
    watched: Vec<Watched>,
    live: &LiveInterface,
    (clock, verdict): (&ClockReading, Verdict),
    metrics: &mut Option<Metrics>,
    link: &LinkSettings,
) -> Result<Pass, Error> {
    let now = clock.at;
    let is_doubtful = verdict.jump().is_some();
    let mut seen: HashMap<&PublicKey, &LivePeer> = live.peers.iter().map(|p| (&p.public_key, p)).collect();
    let moment = Moment {
        now,
        before: store.heartbeat_at()?,
        offline_after: settings.offline_after,
        interface_age: live.age_seconds,
        confirm: settings.confirm,
    };
    let mut pass = Pass {
        counts: store.idle_counts()?,
        changes: Vec::new(),
        from_the_future: 0,
        in_line: true,
        routes: Vec::new(),
        others: Vec::new(),
    };
    let mut measured = Vec::new();
    let change = store.change()?;
    change.note_clock(clock, !is_doubtful)?;
    if !is_doubtful {
        // A day that begins with a jump deletes nothing: the next one will, if the clock was right.
        let keep = (verdict == Verdict::Steady).then_some(settings.keep_history);
        change.begin_day(now, keep)?;
        change.note_disabled(now)?;
        match moment.before {
            Some(before) if is_gap(before, now, settings.offline_after) => change.write_gap(before, now)?,
            Some(before) if now < before => change.end_gap(now)?,
            _ => {}
        }
    }
    let mut readings = change.readings()?;
    for peer in watched {
        // Each is wanted once: what is left in the end is nobody's.
        let live = seen.remove(&peer.wanted.public_key);
        let is_wanted = |w: &WantedPeer, live: Option<&LivePeer>| live.is_some_and(|live| w.is_met_by(live));
        pass.in_line &= is_wanted(&peer.wanted, live);
        pass.routes.extend(peer.wanted.allowed_ips().filter_map(|net| link.route_to(&net)));
        if let Some(next) = &peer.next {
            pass.in_line &= is_wanted(next, seen.remove(&next.public_key));
        }
        if is_doubtful {
            pass.keep(peer, live, &mut measured);
            continue;
        }
        let (reading, future) =
            observe(peer.last.as_ref(), live, now, settings.offline_after, moment.interface_age);
        pass.from_the_future += u64::from(future);
        let (record, is_transition, announced) =
            advance(peer.record.as_ref().zip(peer.last.as_ref()), &reading, &moment);
        pass.counts.add(record.state);
        if peer.last.as_ref() != Some(&reading) || peer.record != Some(record) {
            readings.write(peer.id, peer.last.is_none(), &reading, &record)?;
        }
        if is_transition {
            change.write_transition(peer.id, record.since, record.state)?;
        }
        if let Some(Announced { from, to, at }) = announced {
            if settings.on_change.is_some() {
                change.write_announcement(peer.id, from, to, at)?;
            }
            let (from, to, at) = (from.as_str(), to.as_str(), time(at));
            pass.changes.push(Transition { name: peer.name.clone(), from, to, at });
        }
        if metrics.is_some() {
            measured.push((peer.name, reading));
        }
    }
    drop(readings);
    if settings.on_change.is_none() {
        change.drop_all_announcements()?;
    }
    if !is_doubtful {
        change.write_heartbeat(now)?;
    }
    change.commit_readings()?;
    pass.others.extend(seen.into_keys().copied());
    pass.changes.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(metrics) = metrics {
        measured.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, reading) in &measured {
            metrics.peer(name, reading);
        }
    }
    Ok(pass)
}

/// Whether so much time passed between two heartbeats that nobody knows what happened meanwhile:
/// several were missed.
pub(super) fn is_gap(before: Timestamp, now: Timestamp, offline_after: u32) -> bool {
    const MISSED: i64 = 600;
    now.as_second() - before.as_second() > MISSED.max(2 * i64::from(offline_after))
}

/// In how many places interface and conf differ from the store, after the pass that has looked at
/// every peer: mostly in none, which is then known already.
fn drift_after(
    settings: &Settings,
    store: &Store,
    device: &mut dyn Device,
    live: &LiveInterface,
    own: &Wanted,
    pass: &Pass,
) -> Result<u64, Error> {
    let in_line = pass.in_line
        && plan::diff_interface(own, live).is_empty()
        && projection::missing_routes(device, &own.link, pass.routes.clone())?.is_empty()
        && !pass
            .others
            .iter()
            .map(|key| store.is_retired(key))
            .collect::<Result<Vec<_>, _>>()?
            .contains(&true);
    if !in_line {
        return drift(settings, store, device, live);
    }
    Ok(projection::conf_drift(settings, store, &store.hub()?))
}

/// In how many places interface and conf differ from the store; a conf that cannot be read is one.
pub(super) fn drift(
    settings: &Settings,
    store: &Store,
    device: &mut dyn Device,
    live: &LiveInterface,
) -> Result<u64, Error> {
    let hub = store.hub()?;
    let plan = projection::difference(device, &projection::wanted(settings, store, &hub)?, Some(live))?;
    let on_interface = projection::steps(settings, &plan, None).len() as u64;
    let in_conf = projection::plan_conf(settings, store, &hub, &HashSet::new())
        .map_or(1, |conf| u64::from(conf.rewrite.changed));
    Ok(on_interface + in_conf)
}

/// What is said once of handshakes that lie ahead of the clock.
pub(super) fn future_warning(peers: u64) -> String {
    let peers = count(usize::try_from(peers).unwrap_or(usize::MAX), "peer");
    format!("the last handshake of {peers} is in the future and counts as now: was the clock set back?")
}
