//! `iwas-wg down`: the interface away, everything else as it is.

use super::{Context, Outcome};
use crate::{
    access::Permission,
    device::Device,
    error::Error,
    output::json::{Envelope, HubChange},
};

/// Remove the interface; store and conf stay as they are
///
/// An interface with another key than this hub's is another's and stays (exit 4).
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg down
  iwas-wg down && iwas-wg up")]
pub struct Args {
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let settings = ctx.enter("down", Permission::HubAdmin)?;
    let _lock = ctx.lock(&settings)?;
    let mut store = Context::store(&settings)?;
    let hub = store.hub()?;
    let mut there = false;
    if let Some(mut device) = ctx.device(&settings, &hub) {
        there = if args.dry_run { device.read()?.is_some() } else { device.delete()? };
    }
    if there && !args.dry_run {
        store.record(&ctx.deed(None))?;
    }
    let name = &settings.interface;
    let steps = if there { vec![format!("remove {name}")] } else { Vec::new() };
    if ctx.ui.is_json() {
        ctx.ui.json(&Envelope::new(HubChange {
            changed: there && !args.dry_run,
            action: if there { "down" } else { "unchanged" },
            dry_run: args.dry_run,
            interface: name.to_string(),
            public_key: hub.public_key.to_string(),
            steps,
            foreign_peers: Vec::new(),
        }))?;
    } else {
        ctx.ui.say(&match (there, args.dry_run) {
            (false, _) => format!("{name} is down already"),
            (true, true) => format!("would remove {name}"),
            (true, false) => format!("{name} is down"),
        });
    }
    Ok(Outcome::Done)
}
