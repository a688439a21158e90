//! `iwas-wg status`: the fleet at this moment.

use super::{
    Context, Outcome,
    columns::Columns,
    context::require,
    filter::Filter,
    heartbeat::{future_warning, is_gap},
};
use crate::model::{text::size, time::age};
use crate::{
    access::Permission,
    device::{Device, DeviceError},
    error::Error,
    model::{
        Counts, LiveInterface, LivePeer, Location, LocationName, PublicKey, State, expiry::expires_soon,
        health::observe, location::join_tags,
    },
    output::{
        Column, Table,
        json::{CountsReport, Envelope, HubReport, LocationReport, StatusReport, state_of, time},
    },
    settings::Settings,
    store::Hub,
};
use jiff::Timestamp;
use std::collections::HashMap;

/// Show which sites are online
///
/// Reads the interface where it may, else shows the last heartbeat and says how old it is.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg status
  iwas-wg status --org acme --state offline
  iwas-wg status --columns name,state,handshake
  iwas-wg --json status | jq .counts")]
pub struct Args {
    /// Only these locations
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    columns: Columns,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let names = args.names.iter().map(|n| n.parse()).collect::<Result<Vec<LocationName>, _>>()?;
    let fits = args.filter.compile()?;
    let settings = ctx.enter("status", Permission::LocationRead)?;
    let store = Context::store_to_read(&settings)?;
    let (hub, heartbeat_at, now) = (store.hub()?, store.heartbeat_at()?, ctx.now());
    let scope = ctx.scope.clone();
    let read = || -> Result<Vec<Location>, Error> {
        if names.is_empty() {
            return Ok(store.locations(&scope)?);
        }
        let mut some = names.iter().map(|n| require(&store, &scope, n)).collect::<Result<Vec<_>, _>>()?;
        some.sort_by(|a, b| a.name.cmp(&b.name));
        some.dedup_by(|a, b| a.name == b.name);
        Ok(some)
    };
    let mut all = Ok(Vec::new());
    let live = read_live(ctx, &settings, &hub, &mut || all = read()).unwrap_or_else(|e| {
        not_read(ctx, &e);
        None
    });
    let mut all = all?;
    if let Some(live) = &live {
        let ahead = overlay(&mut all, live, now, settings.offline_after);
        if ahead > 0 {
            ctx.ui.warn(&future_warning(ahead));
        }
    }
    args.filter.refuse_unknown_org(&all)?;
    let fleet = count(&all);
    all.retain(|l| fits(l));
    let counts = count(&all);
    let up = live.as_ref().is_some_and(|l| l.up);
    if ctx.ui.is_json() {
        let port = live.as_ref().and_then(|l| l.listen_port).unwrap_or(settings.listen_port);
        ctx.ui.json(&Envelope::new(StatusReport {
            hub: HubReport {
                interface: settings.interface.to_string(),
                public_key: hub.public_key.to_string(),
                listen_port: port,
                up,
            },
            source: if live.is_some() { "live" } else { "heartbeat" },
            heartbeat_at: heartbeat_at.map(time),
            counts: CountsReport::from(counts),
            fleet_counts: args.names.is_empty().then(|| CountsReport::from(fleet)),
            locations: all.iter().map(|l| LocationReport::new(l, now)).collect(),
        }))?;
        return Ok(Outcome::Done);
    }
    // Before the first line: a wrong column is a failure, which writes nothing.
    let shown = args.columns.of(table(&all, now))?;
    let source = match (&live, heartbeat_at) {
        (Some(_), _) => "live".to_owned(),
        (None, Some(at)) => format!("as of the heartbeat {} ago", age(at, now)),
        (None, None) => "no heartbeat yet".to_owned(),
    };
    let source = if fleet == counts { source } else { format!("{source}; in all: {}", states(fleet)) };
    let state = if up { "up" } else { "not up" };
    ctx.ui.data(&format!("{} is {state}: {} ({source})\n", settings.interface, states(counts)))?;
    if !all.is_empty() {
        ctx.ui.table(&shown)?;
    }
    for note in all.iter().flat_map(|l| notes(l, now)) {
        ctx.ui.say(&note);
    }
    // Whoever sees the fleet live would not miss the record that nobody writes any more.
    if let Some(at) = heartbeat_at.filter(|t| live.is_some() && is_gap(*t, now, settings.offline_after)) {
        ctx.ui.say(&format!("no heartbeat for {}: look at its cron or timer", age(at, now)));
    }
    if let Some(name) = lately_dark(&all, now) {
        ctx.ui.say(&format!(
            "{name} went dark lately: if its router lost its clock, \"iwas-wg peer reset {name}\" lets it in again"
        ));
    }
    Ok(Outcome::Done)
}

/// How many are in each state, in words.
fn states(counts: Counts) -> String {
    // Only for minutes after a restart of the hub is there anything of it to say.
    let unknown = if counts.unknown > 0 { format!(", {} unknown", counts.unknown) } else { String::new() };
    format!(
        "{} online, {} offline, {} never seen, {} disabled, {} unprovisioned{unknown}",
        counts.online, counts.offline, counts.never, counts.disabled, counts.unprovisioned
    )
}

/// How many locations are in each state.
pub(super) fn count(all: &[Location]) -> Counts {
    let mut counts = Counts::default();
    for l in all {
        counts.add(state_of(l));
    }
    counts
}

/// What is under way or ahead for a location.
fn notes(l: &Location, now: Timestamp) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(next) = &l.rotation {
        notes.push(format!("{}: rotating since {}", l.name, time(next.since)));
    }
    if let Some(next) = &l.moving {
        notes.push(format!("{}: moving to {} since {}", l.name, next.vpn_ip, time(next.since)));
    }
    if let Some(end) = l.expires_at.filter(|_| expires_soon(l, now)) {
        let left = if end > now { format!("in {}", age(now, end)) } else { "with the next heartbeat".into() };
        notes.push(format!("{}: expires {left} ({})", l.name, time(end)));
    }
    notes
}

/// The site that went dark last, within a day: after a power cut a router without a battery comes
/// back in 1970, and the hub takes its handshakes for replays.
fn lately_dark(all: &[Location], now: Timestamp) -> Option<&LocationName> {
    let dark = all.iter().filter(|l| state_of(l) == State::Offline);
    let with_time = dark.filter_map(|l| Some((l.reading.as_ref()?.last_handshake?, &l.name)));
    let (at, name) = with_time.max()?;
    (now.as_second() - at.as_second() < 86_400).then_some(name)
}

/// The interface. Does something else in the meantime, in any case.
///
/// # Errors
/// Why it was not read: then the last heartbeat must do.
pub(super) fn read_live(
    ctx: &Context<'_>,
    settings: &Settings,
    hub: &Hub,
    meanwhile: &mut dyn FnMut(),
) -> Result<Option<LiveInterface>, DeviceError> {
    let Some(mut device) = ctx.device(settings, hub) else {
        meanwhile();
        return Ok(None);
    };
    device.read_while(meanwhile)
}

/// Says why the interface was not read: with `-v`, but always if it is another's.
pub(super) fn not_read(ctx: &mut Context<'_>, e: &DeviceError) {
    if e.is_foreign() {
        ctx.ui.warn(&format!("{e}; what is shown is from the last heartbeat"));
    } else {
        ctx.ui.detail(&format!("the interface was not read: {e}"));
    }
}

/// Puts what the interface shows over what the last heartbeat saw; returns how many handshakes
/// lie ahead of the clock.
pub(super) fn overlay(all: &mut [Location], live: &LiveInterface, now: Timestamp, offline_after: u32) -> u64 {
    let seen: HashMap<&PublicKey, &LivePeer> = live.peers.iter().map(|p| (&p.public_key, p)).collect();
    let mut ahead = 0;
    for l in all {
        if let Some(key) = l.public_key.filter(|_| l.enabled) {
            let (reading, future) =
                observe(l.reading.as_ref(), seen.get(&key).copied(), now, offline_after, live.age_seconds);
            l.reading = Some(reading);
            ahead += u64::from(future);
        }
    }
    ahead
}

fn table(all: &[Location], now: Timestamp) -> Table {
    let mut table = Table::new(&[
        Column::text("NAME", 0),
        Column::text("ORG", 3),
        Column::text("ADDRESS", 1),
        Column::text("STATE", 0),
        Column::text("HANDSHAKE", 2),
        Column::text("ENDPOINT", 4),
        Column::number("RECEIVED", 5),
        Column::number("SENT", 6),
        Column::extra("TAGS"),
        Column::extra("PUBLIC-KEY"),
    ]);
    for l in all {
        let reading = l.reading.as_ref();
        let handshake = reading.and_then(|r| r.last_handshake);
        table.row(vec![
            l.name.to_string(),
            l.org.as_ref().map(|o| o.as_str().to_owned()).unwrap_or_default(),
            l.vpn_ip.map(|a| a.to_string()).unwrap_or_default(),
            state_of(l).as_str().to_owned(),
            handshake.map_or_else(|| "-".to_owned(), |t| format!("{} ago", age(t, now))),
            reading.and_then(|r| r.endpoint.clone()).unwrap_or_default(),
            reading.map(|r| size(r.rx_bytes)).unwrap_or_default(),
            reading.map(|r| size(r.tx_bytes)).unwrap_or_default(),
            join_tags(&l.tags, ","),
            l.public_key.map(|k| k.to_string()).unwrap_or_default(),
        ]);
    }
    table
}
