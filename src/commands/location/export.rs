//! `iwas-wg location export`.

use crate::{
    access::Permission,
    commands::{
        Context, Outcome,
        filter::Filter,
        sheet::{self, Format},
    },
    error::Error,
};

/// Print the locations as "location import" takes them
///
/// Imported on another hub and exported there, the file is the same to the byte. It carries no private
/// key, and no public one whose private half the hub keeps: an import makes new ones for those.
/// Moving a whole hub is what "backup" and "restore" are for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg location export > fleet.csv
  iwas-wg location export --org acme --format json > acme.json")]
pub(super) struct Args {
    #[command(flatten)]
    filter: Filter,
    /// Form of the file; json with --json
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let fits = args.filter.compile()?;
    let settings = ctx.enter("location export", Permission::LocationRead)?;
    let mut all = Context::store_to_read(&settings)?.locations(&ctx.scope)?;
    args.filter.refuse_unknown_org(&all)?;
    all.retain(|l| fits(l));
    let default = if ctx.ui.is_json() { Format::Json } else { Format::Csv };
    ctx.ui.data(&sheet::write(&all, args.format.unwrap_or(default))?)?;
    Ok(Outcome::Done)
}
