//! `iwas-wg location list`.

use crate::{
    access::Permission,
    commands::{Context, Outcome, columns::Columns, filter::Filter},
    error::Error,
    model::{Description, Location, Org, location::join_tags},
    output::{
        Column, Table,
        json::{Envelope, LocationList, LocationReport, state_of, time},
    },
};

/// List the locations, as of the last heartbeat
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg location list
  iwas-wg location list --org acme --tag city=vienna
  iwas-wg location list --columns name,address,public-key
  for name in $(iwas-wg location list -o name); do echo $name; done")]
pub(super) struct Args {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    columns: Columns,
    /// Form of the output
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    output: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// A table
    Table,
    /// Names only, one a line
    Name,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let fits = args.filter.compile()?;
    let settings = ctx.enter("location list", Permission::LocationRead)?;
    let mut all = Context::store_to_read(&settings)?.locations(&ctx.scope)?;
    args.filter.refuse_unknown_org(&all)?;
    all.retain(|l| fits(l));
    if ctx.ui.is_json() {
        let now = ctx.now();
        let locations = all.iter().map(|l| LocationReport::new(l, now)).collect();
        ctx.ui.json(&Envelope::new(LocationList { locations }))?;
        return Ok(Outcome::Done);
    }
    if args.output == Form::Name {
        for l in &all {
            ctx.ui.data(&format!("{}\n", l.name))?;
        }
        return Ok(Outcome::Done);
    }
    let mut table = Table::new(&[
        Column::text("NAME", 0),
        Column::text("ORG", 2),
        Column::text("ADDRESS", 1),
        Column::text("STATE", 0),
        Column::text("KEY", 5),
        Column::text("TAGS", 3),
        Column::text("DESCRIPTION", 4),
        Column::extra("PUBLIC-KEY"),
        Column::extra("EXPIRES"),
        Column::extra("CREATED"),
        Column::extra("UPDATED"),
    ]);
    for l in &all {
        table.row(row(l));
    }
    let table = args.columns.of(table)?;
    if all.is_empty() {
        ctx.ui.say("no locations");
    } else {
        ctx.ui.table(&table)?;
    }
    Ok(Outcome::Done)
}

fn row(l: &Location) -> Vec<String> {
    vec![
        l.name.to_string(),
        l.org.as_ref().map_or("", Org::as_str).to_owned(),
        l.vpn_ip.map(|a| a.to_string()).unwrap_or_default(),
        state_of(l).as_str().to_owned(),
        l.key_mode.to_string(),
        join_tags(&l.tags, ","),
        l.description.as_ref().map_or("", Description::as_str).to_owned(),
        l.public_key.map(|k| k.to_string()).unwrap_or_default(),
        l.expires_at.map(time).unwrap_or_default(),
        time(l.created_at),
        time(l.updated_at),
    ]
}
