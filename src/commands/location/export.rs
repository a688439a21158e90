//! `iwas-wg location export`.

use crate::{
    access::Permission,
    commands::{
        Context, Outcome,
        filter::Filter,
        sheet::{self, Format},
    },
    error::Error,
    model::{Location, LocationName, setback::line},
};
use std::collections::HashSet;

/// Print the locations as "location import" takes them
///
/// Imported on another hub and exported there, the file is the same to the byte. It carries no private
/// key, and no public one whose private half the hub keeps: an import makes new ones for those.
/// Preshared keys and wider allowed IPs of adopted peers are not in it either; a warning names these.
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
    let store = Context::store_to_read(&settings)?;
    let mut all = store.locations(&ctx.scope)?;
    args.filter.refuse_unknown_org(&all)?;
    all.retain(|l| fits(l));
    let default = if ctx.ui.is_json() { Format::Json } else { Format::Csv };
    ctx.ui.data(&sheet::write(&all, args.format.unwrap_or(default))?)?;
    // The names of others are in no list that these are looked up in.
    let wider = store.wanted_peers()?.into_iter().filter(|(_, peer)| !peer.wider.is_empty());
    let wider: HashSet<LocationName> = wider.map(|(name, _)| name).collect();
    let named = |left_out: &dyn Fn(&Location) -> bool| -> Vec<&LocationName> {
        all.iter().filter(|l| left_out(l)).map(|l| &l.name).collect()
    };
    let lines = [
        line("preshared keys are not in the export", &named(&|l| l.preshared)),
        line(
            "wider allowed IPs are not in the export",
            &named(&|l| l.moving.is_none() && wider.contains(&l.name)),
        ),
    ];
    for line in lines.iter().flatten() {
        ctx.ui.warn(line);
    }
    Ok(Outcome::Done)
}
