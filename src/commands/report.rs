//! `iwas-wg report`: how good each site has been.

use super::{
    Context, Outcome,
    columns::Columns,
    filter::Filter,
    out::{Form, Out},
    past::{Past, Since, gather, table, write_page},
};
use crate::model::text::count;
use crate::model::{text::size, time::span};
use crate::{
    access::Permission,
    error::Error,
    output::{
        json::Envelope,
        past::{Report, bounds, csv},
    },
};
use std::path::PathBuf;

/// Show how available each site has been
///
/// Availability is online time of the time in which the state was known: what passed without a
/// heartbeat, or while a hub that was just restarted could not tell, counts for nothing. An outage
/// is not ended by such a time. Bytes are counted in whole days (UTC), over restarts of the hub.
/// In the timeline a whole block is a time without outage, a lower one had some, × was offline
/// throughout, and of a dot nothing is known.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg report
  iwas-wg report --since 7d --org acme
  iwas-wg report --since 2026-10-01 --html october.html
  iwas-wg report --csv > availability.csv")]
pub struct Args {
    /// How far back: a span such as 7d or 36h, or a date or time
    #[arg(long, value_name = "T", default_value = "30d")]
    since: Since,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    columns: Columns,
    /// Print comma-separated values
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Form of the output
    #[arg(long, value_name = "FORMAT", conflicts_with_all = ["csv", "json"])]
    output: Option<Form>,
    #[command(flatten)]
    out: Out,
    /// Write one self-contained page for a browser here
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let fits = args.filter.compile()?;
    let settings = ctx.enter("report", Permission::LocationRead)?;
    let form = Form::of(args.output, args.csv, ctx);
    args.out.begin(ctx)?;
    let store = Context::store_to_read(&settings)?;
    let mut locations = store.locations(&ctx.scope)?;
    args.filter.refuse_unknown_org(&locations)?;
    locations.retain(|l| fits(l));
    let window = args.since.window(ctx.now())?;
    let past = gather(
        &settings,
        &store,
        &locations,
        window,
        None,
        args.html.is_some() || form == Form::Html,
        &mut |_, _, _| {},
    )?;
    if let Some(path) = &args.html {
        write_page(ctx, path, &past.page(None))?;
        if form == Form::Table {
            return Ok(Outcome::Done);
        }
    }
    let (since, until) = bounds(window);
    if ctx.ui.is_json() {
        let Past { fleet, sites, .. } = past;
        ctx.ui.json(&Envelope::new(Report { since, until, fleet, sites }))?;
    } else if form == Form::Html {
        ctx.ui.data(&past.page(None))?;
    } else if form == Form::Csv {
        print_csv(ctx, &past)?;
    } else {
        // Before the first line: a wrong column is a failure, which writes nothing.
        let shown = args.columns.of(table(&past))?;
        let fleet = &past.fleet;
        let available =
            fleet.availability_percent.map_or("nothing known".to_owned(), |p| format!("{p} % available"));
        ctx.ui.data(&format!(
            "{since} to {until}: {}, {available}, {}, {} offline, {} received, {} sent\n",
            count(fleet.sites, "site"),
            count(fleet.outages, "outage"),
            span(fleet.offline_seconds),
            size(fleet.rx_bytes),
            size(fleet.tx_bytes)
        ))?;
        if !past.sites.is_empty() {
            ctx.ui.table(&shown)?;
        }
    }
    Ok(Outcome::Done)
}

fn print_csv(ctx: &mut Context<'_>, past: &Past) -> Result<(), Error> {
    ctx.ui.data(
        "name,org,state,availability_percent,online_seconds,offline_seconds,unknown_seconds,outages,\
         longest_outage_seconds,last_outage_at,is_out,rx_bytes,tx_bytes\n",
    )?;
    for s in &past.sites {
        let number = |n: &dyn ToString| n.to_string();
        ctx.ui.data(&csv([
            s.name.as_str(),
            s.org.as_deref().unwrap_or_default(),
            s.state,
            &s.availability_percent.map(|p| p.to_string()).unwrap_or_default(),
            &number(&s.online_seconds),
            &number(&s.offline_seconds),
            &number(&s.unknown_seconds),
            &number(&s.outages),
            &s.longest_outage_seconds.map(|n| n.to_string()).unwrap_or_default(),
            s.last_outage_at.as_deref().unwrap_or_default(),
            &number(&s.is_out),
            &number(&s.rx_bytes),
            &number(&s.tx_bytes),
        ]))?;
    }
    Ok(())
}
