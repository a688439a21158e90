//! `iwas-wg watch`: the fleet as it changes.

mod fleet;
mod view;

use super::{Context, Outcome};
use crate::{
    access::Permission,
    env::signals::Stop,
    error::{Error, Kind},
    model::State,
    output::{
        Key, Screen,
        changes::WatchEvent,
        json::{CountsReport, Envelope, time},
    },
    settings::Settings,
};
use anyhow::Context as _;
use fleet::{Change, Fleet};
use std::{
    str::FromStr,
    thread,
    time::{Duration, Instant},
};
use view::View;

/// How often it is looked whether somebody wants an end.
const ATTENTION: Duration = Duration::from_millis(200);

/// Watch sites go dark and come back
///
/// On a terminal a table that lives: n s o h r t sort by name, state, organization, handshake,
/// bytes received and sent (once more turns it around), / filters by what is typed then, arrows and
/// page keys move, q quits. What has just changed stands out. Into a pipe one line for each change;
/// with --json one object a line, the first with the counts at the start. Reads the interface where
/// it may, else the last heartbeat.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg watch
  iwas-wg watch | tee changes.log
  iwas-wg --json watch | jq -r 'select(.to == \"offline\") | .name'")]
pub struct Args {
    /// Seconds between two readings
    #[arg(long, value_name = "S", default_value = "2")]
    interval: Interval,
    /// End after so many readings
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

/// 0.1 seconds to an hour.
#[derive(Debug, Clone, Copy)]
struct Interval(Duration);

impl FromStr for Interval {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let seconds = s.parse::<f64>().ok().filter(|s| (0.1..=3600.0).contains(s));
        seconds
            .map(|s| Self(Duration::from_secs_f64(s)))
            .ok_or_else(|| "write seconds from 0.1 to 3600".to_owned())
    }
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let settings = ctx.enter("watch", Permission::LocationRead)?;
    let mut fleet = Fleet::open(&settings, ctx)?;
    let stop = ctx.env.stop.clone();
    stop.listen().context("cannot listen to signals").map_err(super::context::unforeseen)?;
    let dumb = ctx.env.vars.get("TERM").is_some_and(|t| t == "dumb");
    if ctx.env.terminal.stdout && !dumb && !ctx.ui.is_json() {
        let screen = ctx.ui.screen()?;
        live(args, ctx, &settings, &mut fleet, &stop, screen)?;
    } else {
        lines(args, ctx, &settings, &mut fleet, &stop)?;
    }
    Ok(Outcome::Done)
}

/// One line for each change.
fn lines(
    args: &Args,
    ctx: &mut Context<'_>,
    settings: &Settings,
    fleet: &mut Fleet,
    stop: &Stop,
) -> Result<(), Error> {
    if ctx.ui.is_json() {
        ctx.ui.json(&Envelope::new(WatchEvent::Start {
            at: time(ctx.now()),
            source: fleet.source(),
            counts: CountsReport::from(fleet.counts()),
        }))?;
        ctx.ui.flush()?;
    }
    let mut readings = 1;
    let mut next = Instant::now() + args.interval.0;
    while args.count.is_none_or(|n| readings < n) {
        while Instant::now() < next {
            if stop.is_asked() {
                return Ok(());
            }
            thread::sleep(ATTENTION.min(next.saturating_duration_since(Instant::now())));
        }
        next = (next + args.interval.0).max(Instant::now());
        readings += 1;
        for change in fleet.read(settings, ctx)? {
            tell(ctx, &change)?;
        }
        ctx.ui.flush()?;
    }
    Ok(())
}

fn tell(ctx: &mut Context<'_>, change: &Change) -> Result<(), Error> {
    let at = time(change.at);
    let (from, to) = (change.from.map(State::as_str), change.to.map(State::as_str));
    if ctx.ui.is_json() {
        let (name, org) = (change.name.as_str(), change.org.as_deref());
        return ctx.ui.json(&Envelope::new(WatchEvent::Change { at, name, org, from, to }));
    }
    let (from, to) = (from.unwrap_or("new"), to.unwrap_or("gone"));
    ctx.ui.data(&format!("{at}  {}  {from} -> {to}\n", change.name))
}

/// The table that lives.
fn live(
    args: &Args,
    ctx: &mut Context<'_>,
    settings: &Settings,
    fleet: &mut Fleet,
    stop: &Stop,
    mut screen: Screen,
) -> Result<(), Error> {
    let failed = |e: std::io::Error| {
        Error::new(Kind::Failed, format!("cannot write to the terminal: {}", crate::fsx::reason(&e)))
    };
    let mut view = View::default();
    let mut readings = 1;
    let mut next = Instant::now() + args.interval.0;
    loop {
        screen.show(view.lines(fleet, settings, ctx.now(), screen.size())).map_err(failed)?;
        loop {
            if stop.is_asked() {
                return Ok(());
            }
            let left = next.saturating_duration_since(Instant::now());
            match screen.key(ATTENTION.min(left)).map_err(failed)? {
                Some(Key::Stop) => return Ok(()),
                Some(Key::Char('q')) if !view.is_typing() => return Ok(()),
                Some(key) => {
                    view.take(key, screen.size().1);
                    break;
                }
                None if left.is_zero() => {
                    if args.count.is_some_and(|n| readings >= n) {
                        return Ok(());
                    }
                    readings += 1;
                    next = (next + args.interval.0).max(Instant::now());
                    fleet.read(settings, ctx)?;
                    break;
                }
                None => {}
            }
        }
    }
}
