//! `iwas-wg check`: the answer that a monitoring system asks for.

mod limits;

use super::{
    Context, Outcome,
    context::require,
    filter::Filter,
    heartbeat::{Skipped, drift},
    status::{count, overlay},
};
use crate::model::text;
use crate::model::time::span;
use crate::{
    access::Permission,
    device::{Device, DeviceError},
    error::{Error, Kind},
    fsx,
    model::{Counts, LiveInterface, Location, LocationName, State},
    output::{
        Answer, CheckAnswer, Level, Number,
        json::{Envelope, state_of},
    },
    settings::Settings,
    store::Store,
};
use jiff::Timestamp;
use limits::{Limit, Seconds};

/// How many names a line has.
const NAMED: usize = 5;

/// Answer a monitoring system: is everything in order?
///
/// A monitoring plugin: one line with numbers, and the exit code 0 OK, 1 WARNING, 2 CRITICAL or
/// 3 UNKNOWN, also for every failure of its own. Without -w, -c and limits for offline sites, any
/// offline site is critical. Sites that were never seen, are disabled, or are unknown for a while
/// after the hub's own restart, alarm nobody. A limit for sites is a number, or a share such as 5%
/// of the sites that were ever seen. An organization or tag that no location has is UNKNOWN. Reads
/// the interface where it may, else the last heartbeat.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg check
  iwas-wg check -w 300 -c 900
  iwas-wg check --offline-warning 1 --offline-critical 5%
  iwas-wg check cafe-central")]
pub struct Args {
    /// Only these locations
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    /// Warn if a site's last handshake is this old: seconds, or a span such as 5m
    #[arg(short, long, value_name = "S")]
    warning: Option<Seconds>,
    /// The same, critical
    #[arg(short, long, value_name = "S")]
    critical: Option<Seconds>,
    /// Warn if so many sites are offline: a number or a share
    #[arg(long, value_name = "N|P%")]
    offline_warning: Option<Limit>,
    /// The same, critical
    #[arg(long, value_name = "N|P%")]
    offline_critical: Option<Limit>,
    /// Warn if the last heartbeat is this old
    #[arg(long, value_name = "S", default_value = "600")]
    heartbeat_warning: Seconds,
    /// The same, critical
    #[arg(long, value_name = "S", default_value = "1800")]
    heartbeat_critical: Seconds,
    /// Warn if so much of the pool is used: a share, or a number of addresses
    #[arg(long, value_name = "N|P%", default_value = "90%")]
    pool_warning: Limit,
    /// The same, critical
    #[arg(long, value_name = "N|P%", default_value = "100%")]
    pool_critical: Limit,
    /// Warn if interface and conf differ from the store in so many places
    #[arg(long, value_name = "N", default_value = "1")]
    drift_warning: Limit,
    /// The same, critical
    #[arg(long, value_name = "N")]
    drift_critical: Option<Limit>,
    /// Warn if a location expires within this time
    #[arg(long, value_name = "S", default_value = "7d")]
    expiring: Seconds,
}

impl Args {
    /// A warning above its critical limit would never be told. A default one gives way.
    fn refuse_crossed_limits(&self) -> Result<(), Error> {
        let heartbeat = Some(self.heartbeat_warning).filter(|s| s.0 != HEARTBEAT_WARNING);
        let lengths = [
            ("--warning", self.warning, "--critical", self.critical),
            ("--heartbeat-warning", heartbeat, "--heartbeat-critical", Some(self.heartbeat_critical)),
        ];
        for (warning, low, critical, high) in lengths {
            if let (Some(low), Some(high)) = (low, high)
                && low.0 > high.0
            {
                return Err(crossed(warning, &format!("{} s", low.0), critical, &format!("{} s", high.0)));
            }
        }
        let pool = Some(self.pool_warning).filter(|p| *p != POOL_WARNING);
        let limits = [
            ("--offline-warning", self.offline_warning, "--offline-critical", self.offline_critical),
            ("--pool-warning", pool, "--pool-critical", Some(self.pool_critical)),
            ("--drift-warning", Some(self.drift_warning), "--drift-critical", self.drift_critical),
        ];
        for (warning, low, critical, high) in limits {
            if let (Some(low), Some(high)) = (low, high)
                && low.is_above(high)
            {
                return Err(crossed(warning, &low.to_string(), critical, &high.to_string()));
            }
        }
        Ok(())
    }
}

fn crossed(warning: &str, low: &str, critical: &str, high: &str) -> Error {
    Error::new(Kind::Usage, format!("{warning} {low} is above {critical} {high}"))
        .hint("the warning comes first: give it the lower limit")
}

/// The defaults of the limits that have one, as they are in the help.
const HEARTBEAT_WARNING: u64 = 600;
const POOL_WARNING: Limit = Limit::Share(90.0);

/// What was found, worst first in the end, and the numbers of it.
#[derive(Default)]
struct Findings {
    said: Vec<(Level, String)>,
    numbers: Vec<Number>,
}

impl Findings {
    fn number(
        &mut self,
        label: &'static str,
        value: impl Into<Option<u64>>,
        unit: &'static str,
    ) -> &mut Number {
        self.numbers.push(Number {
            label,
            value: value.into(),
            unit,
            warning: None,
            critical: None,
            max: None,
        });
        let last = self.numbers.len() - 1;
        &mut self.numbers[last]
    }

    /// Says something if a limit is reached.
    fn judge(&mut self, warning: bool, critical: bool, text: impl FnOnce() -> String) {
        match (warning, critical) {
            (_, true) => self.said.push((Level::Critical, text())),
            (true, false) => self.said.push((Level::Warning, text())),
            _ => {}
        }
    }
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let names = args.names.iter().map(|n| n.parse()).collect::<Result<Vec<LocationName>, _>>()?;
    args.refuse_crossed_limits()?;
    let fits = args.filter.compile()?;
    let settings = ctx.enter("check", Permission::LocationRead)?;
    let store = Context::store_to_read(&settings)?;
    let now = ctx.now();
    let mut all = if names.is_empty() {
        store.locations(&ctx.scope)?
    } else {
        names.iter().map(|n| require(&store, &ctx.scope, n)).collect::<Result<Vec<_>, _>>()?
    };
    let Some(mut device) = ctx.device(&settings, &store.hub()?) else {
        return Err(Error::new(Kind::BadState, "hub.backend is \"none\": there is no interface to check")
            .hint("set hub.backend to auto, kernel or userspace"));
    };
    let mut found = Findings::default();
    let live = match device.read() {
        Ok(Some(live)) => Some(live),
        Ok(None) => {
            found.said.push((Level::Critical, format!("there is no interface {}", settings.interface)));
            None
        }
        // What is another's says nothing of this hub.
        Err(e) if e.is_foreign() => return Err(e.into()),
        // Whoever may not read it relies on the heartbeat, whose age is looked at below.
        Err(DeviceError::Denied { .. }) => None,
        Err(e) => {
            found.said.push((Level::Critical, e.to_string()));
            None
        }
    };
    if let Some(live) = &live {
        if !live.up {
            found.said.push((Level::Critical, format!("{} is not up", settings.interface)));
        }
        overlay(&mut all, live, now, settings.offline_after);
    }
    all.retain(|l| fits(l));
    // A misspelt organization would be in order for ever.
    if let (true, Some(whose)) = (all.is_empty(), args.filter.whose()) {
        return Err(Error::new(Kind::NotFound, format!("no location fits {whose}"))
            .hint("\"iwas-wg location list\" shows all"));
    }
    let counts = sites(args, &mut found, &all, now);
    heartbeat(args, &mut found, &settings, &store, now)?;
    hub(args, &mut found, &settings, &store, &mut device, live.as_ref())?;
    expiring(args, &mut found, &all, now);
    answer(ctx, found, counts)
}

/// Ages and numbers of sites.
fn sites(args: &Args, found: &mut Findings, all: &[Location], now: Timestamp) -> Counts {
    let counts = count(all);
    // Never seen, disabled and unknown ones are no alarm, and no part of a share.
    let mut seen: Vec<(u64, &Location)> = all
        .iter()
        .filter(|l| matches!(state_of(l), State::Online | State::Offline))
        .filter_map(|l| Some((age(l.reading.as_ref()?.last_handshake?, now), l)))
        .collect();
    seen.sort_by(|a, b| (b.0, &a.1.name).cmp(&(a.0, &b.1.name)));
    let older = |limit: Option<Seconds>| -> Vec<&Location> {
        let old = seen.iter().filter(|(age, _)| limit.is_some_and(|l| *age >= l.0));
        old.map(|(_, l)| *l).collect()
    };
    let (warning, critical) = (older(args.warning), older(args.critical));
    let worst = if critical.is_empty() { (&warning, args.warning) } else { (&critical, args.critical) };
    found.judge(!warning.is_empty(), !critical.is_empty(), || {
        let limit = worst.1.map_or(0, |l| i64::try_from(l.0).unwrap_or(i64::MAX));
        format!("{} not heard for {} or longer{}", sites_are(worst.0.len()), span(limit), named(worst.0))
    });
    let offline: Vec<&Location> =
        seen.iter().map(|(_, l)| *l).filter(|l| state_of(l) == State::Offline).collect();
    let known = counts.online + counts.offline;
    let asked_otherwise = args.warning.is_some() || args.critical.is_some() || args.offline_warning.is_some();
    let by_default = (!asked_otherwise && args.offline_critical.is_none()).then_some(Limit::Count(1));
    let critical = args.offline_critical.or(by_default);
    let reached = |limit: Option<Limit>| limit.is_some_and(|l| l.is_reached(counts.offline, known));
    found.judge(reached(args.offline_warning), reached(critical), || {
        format!("{} of {known} {} offline{}", counts.offline, is_are(offline.len()), named(&offline))
    });
    found.number("online", counts.online, "").max = Some(all.len() as u64);
    let n = found.number("offline", counts.offline, "");
    n.warning = args.offline_warning.map(|l| l.of(known));
    n.critical = critical.map(|l| l.of(known));
    n.max = Some(all.len() as u64);
    found.number("never", counts.never, "");
    found.number("unknown", counts.unknown, "");
    let n = found.number("handshake_age", seen.first().map(|(age, _)| *age), "s");
    n.warning = args.warning.map(|l| l.0);
    n.critical = args.critical.map(|l| l.0);
    counts
}

/// The age of the last heartbeat; where there was none, that of the hub.
fn heartbeat(
    args: &Args,
    found: &mut Findings,
    settings: &Settings,
    store: &Store,
    now: Timestamp,
) -> Result<(), Error> {
    let last = store.heartbeat_at()?;
    let since = last.or(store.created_at()?).map_or(0, |t| age(t, now));
    found.judge(since >= args.heartbeat_warning.0, since >= args.heartbeat_critical.0, || {
        let age = span(i64::try_from(since).unwrap_or(i64::MAX));
        match last {
            Some(_) => format!("no heartbeat for {age}"),
            None => format!("no heartbeat yet, {age} after init"),
        }
    });
    let skipped = Skipped::many(&settings.places);
    found.judge(skipped.is_some(), false, || skipped.map(|s| s.words()).unwrap_or_default());
    let n = found.number("heartbeat_age", last.map(|_| since), "s");
    n.warning = Some(args.heartbeat_warning.0);
    n.critical = Some(args.heartbeat_critical.0);
    Ok(())
}

/// The pool, and whether interface and conf are as the store wants them.
fn hub(
    args: &Args,
    found: &mut Findings,
    settings: &Settings,
    store: &Store,
    device: &mut dyn Device,
    live: Option<&LiveInterface>,
) -> Result<(), Error> {
    let (held, _) = store.held_addresses(&settings.pool)?;
    let (capacity, _) = settings.pool.capacity();
    let reached = |limit: Limit| limit.is_reached(held, capacity);
    found.judge(reached(args.pool_warning), reached(args.pool_critical), || {
        format!("{held} of {capacity} addresses of the pool are used")
    });
    let n = found.number("pool", held, "");
    n.warning = Some(args.pool_warning.of(capacity));
    n.critical = Some(args.pool_critical.of(capacity));
    n.max = Some(capacity);
    // Whoever may not read the conf cannot tell.
    let Some(live) = live.filter(|_| fsx::read(&settings.conf).is_ok()) else {
        return Ok(());
    };
    let places = drift(settings, store, device, live)?;
    let reached = |limit: Limit| limit.is_reached(places, 0);
    found.judge(reached(args.drift_warning), args.drift_critical.is_some_and(reached), || {
        format!("interface or conf differs from the store in {places} places (\"iwas-wg sync\" mends it)")
    });
    let n = found.number("drift", places, "");
    n.warning = Some(args.drift_warning.of(0));
    n.critical = args.drift_critical.map(|l| l.of(0));
    Ok(())
}

/// Locations whose end is near.
fn expiring(args: &Args, found: &mut Findings, all: &[Location], now: Timestamp) {
    let soon: Vec<&Location> = all
        .iter()
        .filter(|l| l.enabled && l.expires_at.is_some_and(|at| age(now, at) <= args.expiring.0))
        .collect();
    found.judge(!soon.is_empty(), false, || {
        let within = span(i64::try_from(args.expiring.0).unwrap_or(i64::MAX));
        format!("{} expire within {within}{}", soon.len(), named(&soon))
    });
    found.number("expiring", soon.len() as u64, "");
}

fn answer(ctx: &mut Context<'_>, mut found: Findings, counts: Counts) -> Result<Outcome, Error> {
    found.said.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
    let level = found.said.first().map_or(Level::Ok, |(level, _)| *level);
    let mut parts: Vec<String> = found.said.into_iter().map(|(_, text)| text).collect();
    if parts.is_empty() {
        let Counts { online, offline, never, unknown, .. } = counts;
        parts.push(format!("{online} online, {offline} offline, {never} never seen, {unknown} unknown"));
    }
    let answer = Answer { level, text: parts.join("; "), numbers: found.numbers };
    if ctx.ui.is_json() {
        ctx.ui.json(&Envelope::new(CheckAnswer {
            status: level.as_str(),
            exit: level as u8,
            message: &answer.text,
            numbers: &answer.numbers,
        }))?;
    } else {
        ctx.ui.data(&answer.line())?;
    }
    Ok(Outcome::Plugin(level))
}

/// Seconds from one moment to a later one; none if it is not later.
fn age(then: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.as_second() - then.as_second()).unwrap_or(0)
}

fn sites_are(n: usize) -> String {
    format!("{} {}", text::count(n, "site"), text::plural(n, "was", "were"))
}

fn is_are(n: usize) -> &'static str {
    text::plural(n, "sites is", "sites are")
}

fn named(all: &[&Location]) -> String {
    let names: Vec<&str> = all.iter().take(NAMED).map(|l| l.name.as_str()).collect();
    let more = if all.len() > NAMED { format!(" and {} more", all.len() - NAMED) } else { String::new() };
    format!(" ({}{more})", names.join(", "))
}
