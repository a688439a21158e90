//! `iwas-wg down`: the interface away, everything else as it is.

use super::{
    Context, Outcome, projection,
    wg_quick::{self, Verb},
};
use crate::{
    access::Permission,
    device::Device,
    error::Error,
    output::json::{Envelope, HubChange},
    settings::{BringUp, Settings},
    store::{Hub, Store},
};
use std::collections::HashSet;

/// Remove the interface; store and conf stay as they are
///
/// Its addresses and routes go with it. An interface with another key than this hub's is another's
/// and stays (exit 4).
///
/// With hub.bring_up = "wg-quick", wg-quick(8) takes it down and runs PreDown and PostDown; otherwise
/// a warning names what of the conf is passed over.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg down
  iwas-wg down && iwas-wg up")]
pub struct Args {
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Do nothing unless hub.bring_up is "wg-quick"
    #[arg(long)]
    hand_over: bool,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let settings = ctx.enter("down", Permission::HubAdmin)?;
    if args.hand_over && settings.bring_up != BringUp::WgQuick {
        return Ok(Outcome::Done);
    }
    let _lock = ctx.lock(&settings)?;
    let mut store = Context::store(&settings)?;
    let hub = store.hub()?;
    let mut there = false;
    if let Some(mut device) = ctx.device(&settings, &hub) {
        there = device.read()?.is_some();
        if there && settings.bring_up == BringUp::Itself {
            name_what_is_passed_over(ctx, &settings, &store, &hub);
        }
        if there && !args.dry_run {
            if settings.bring_up == BringUp::WgQuick {
                wg_quick::run(ctx, &settings, Verb::Down)?;
            }
            // What wg-quick has taken away is no longer there, and that is well.
            device.delete()?;
        }
    }
    if there && !args.dry_run {
        store.record(&ctx.deed(None))?;
    }
    let name = &settings.interface;
    let steps = match (there, settings.bring_up) {
        (false, _) => Vec::new(),
        (true, BringUp::Itself) => vec![format!("remove {name}")],
        (true, BringUp::WgQuick) => vec![wg_quick::step(&settings, Verb::Down)],
    };
    if ctx.ui.is_json() {
        ctx.ui.json(&Envelope::new(HubChange {
            changed: there && !args.dry_run,
            action: if there { "down" } else { "unchanged" },
            dry_run: args.dry_run,
            interface: name.to_string(),
            public_key: hub.public_key.to_string(),
            steps,
            foreign_peers: Vec::new(),
            conflicts: Vec::new(),
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

/// A conf that cannot be read keeps nobody from taking the interface away.
fn name_what_is_passed_over(ctx: &mut Context<'_>, settings: &Settings, store: &Store, hub: &Hub) {
    let conf = projection::plan_conf(settings, store, hub, &HashSet::new());
    if let Some(what) = conf.ok().and_then(|conf| conf.passed_over(settings)) {
        ctx.ui.warn(&format!("{what}; {}", wg_quick::REMEDY));
    }
}
