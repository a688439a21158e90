//! `iwas-wg history`: what changed, and when.

use super::{
    Context, Outcome,
    context::require,
    filter::Filter,
    out::{Form, Out},
    past::{Past, Since, gather, table, write_page},
};
use crate::model::time::span;
use crate::{
    access::Permission,
    error::Error,
    model::{LocationName, State},
    output::{
        Column, Table,
        json::Envelope,
        past::{ChangeReport, History, OutageReport, bounds, csv, second},
    },
};
use std::path::PathBuf;

/// Show when sites went dark and came back
///
/// Every change of state with the time at which it happened, oldest first: for online the
/// handshake's own time, for offline the moment at which the last one had become too old. Of one
/// site also how available it was, as report has it of all.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg history
  iwas-wg history cafe-central --since 30d
  iwas-wg history --org acme --csv > changes.csv
  iwas-wg --json history cafe-central | jq .outages")]
pub struct Args {
    /// Only this location
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// How far back: a span such as 7d or 36h, or a date or time
    #[arg(long, value_name = "T", default_value = "7d")]
    since: Since,
    #[command(flatten)]
    filter: Filter,
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

/// A change as it is sorted: by time, then by name.
type Change = (i64, String, Option<State>, State, Option<i64>);

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let name = args.name.as_deref().map(str::parse::<LocationName>).transpose()?;
    let fits = args.filter.compile()?;
    let settings = ctx.enter("history", Permission::LocationRead)?;
    let form = Form::of(args.output, args.csv, ctx);
    args.out.begin(ctx)?;
    let store = Context::store_to_read(&settings)?;
    let window = args.since.window(ctx.now())?;
    let mut locations = match &name {
        Some(name) => vec![require(&store, &ctx.scope, name)?],
        None => store.locations(&ctx.scope)?,
    };
    args.filter.refuse_unknown_org(&locations)?;
    locations.retain(|l| fits(l));
    let (mut changes, mut outages) = (Vec::new(), Vec::new());
    let for_page = args.html.is_some() || form == Form::Html;
    let past = gather(&settings, &store, &locations, window, name.as_ref(), for_page, &mut |location,
                                                                                            steps,
                                                                                            (
        _,
        summary,
    )| {
        let name = location.name.as_str();
        for (i, step) in steps.iter().enumerate().filter(|(_, s)| s.at >= window.from) {
            let before = i.checked_sub(1).map(|before| steps[before].state);
            let lasted = steps.get(i + 1).map(|next| next.at - step.at);
            changes.push((step.at, name.to_owned(), before, step.state, lasted));
        }
        outages.extend(summary.outages.iter().map(|o| (name.to_owned(), *o)));
    })?;
    changes.sort_by(|a: &Change, b: &Change| (a.0, &a.1).cmp(&(b.0, &b.1)));
    outages.sort_by(|a, b| (&a.0, a.1.from).cmp(&(&b.0, b.1.from)));
    let (since, until) = bounds(window);
    // Before it was added, a site had nothing that could change.
    let known = locations.iter().map(|l| l.created_at.as_second()).min().unwrap_or(window.from);
    if form == Form::Table && args.html.is_none() {
        print(ctx, &past, &changes, name.is_some(), window.from.max(known))?;
        return Ok(Outcome::Done);
    }
    let changes: Vec<ChangeReport> = changes.into_iter().map(report).collect();
    if let Some(path) = &args.html {
        write_page(ctx, path, &past.page(Some(&changes)))?;
    }
    match form {
        Form::Json => {
            let outages = outages.iter().map(|(name, o)| OutageReport::new(name, o)).collect();
            ctx.ui.json(&Envelope::new(History { since, until, changes, outages, sites: past.sites }))?;
        }
        Form::Csv => {
            ctx.ui.data("at,name,from,to,lasted_seconds\n")?;
            for c in changes {
                let lasted = c.lasted_seconds.map(|s| s.to_string()).unwrap_or_default();
                ctx.ui.data(&csv([&c.at, &c.name, c.from.unwrap_or_default(), c.to, &lasted]))?;
            }
        }
        Form::Html => ctx.ui.data(&past.page(Some(&changes)))?,
        Form::Table => {}
    }
    Ok(Outcome::Done)
}

fn report((at, name, from, to, lasted_seconds): Change) -> ChangeReport {
    ChangeReport { name, from: from.map(State::as_str), to: to.as_str(), at: second(at), lasted_seconds }
}

fn print(
    ctx: &mut Context<'_>,
    past: &Past,
    changes: &[Change],
    is_one: bool,
    since: i64,
) -> Result<(), Error> {
    if is_one {
        ctx.ui.table(&table(past))?;
        ctx.ui.data("\n")?;
    }
    if changes.is_empty() {
        return ctx.ui.data(&format!("no change since {}\n", second(since)));
    }
    let mut table = Table::new(&[
        Column::text("WHEN", 0),
        Column::text("NAME", 0),
        Column::text("STATE", 0),
        Column::text("FOR", 1),
    ]);
    for (at, name, _, to, lasted) in changes {
        let lasted = lasted.map_or_else(|| "still".to_owned(), span);
        table.row(vec![second(*at), name.clone(), to.as_str().to_owned(), lasted]);
    }
    ctx.ui.table(&table)
}
