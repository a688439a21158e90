//! `iwas-wg up`: the interface as the store wants it.

use super::{
    Context, Outcome,
    projection::{self, steps},
};
use crate::model::text::count;
use crate::{
    access::Permission,
    error::{Error, Kind},
    output::json::{Envelope, HubChange},
    settings::Backend,
};
use std::collections::HashSet;

/// Create the interface with its key, port, address and all peers
///
/// Running it again changes only what differs: live sessions are not disturbed. An interface of
/// that name with another key is another hub's: no command changes, judges or removes it (exit 4). Where the kernel
/// has no WireGuard, wireguard-go (or the program in WG_USERSPACE_IMPLEMENTATION) carries it.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg up
  iwas-wg up --dry-run")]
pub struct Args {
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let settings = ctx.enter("up", Permission::HubAdmin)?;
    if settings.backend == Backend::None {
        return Err(Error::new(Kind::BadState, "hub.backend is \"none\": this hub has no interface")
            .hint("set hub.backend to auto, kernel or userspace"));
    }
    let _lock = ctx.lock(&settings)?;
    let mut store = Context::store(&settings)?;
    let hub = store.hub()?;
    let plan = projection::plan_interface(ctx, &settings, &store, &hub)?;
    // Without its conf the hub would not survive a reboot.
    if !args.dry_run && !settings.conf.exists() {
        projection::plan_conf(&settings, &store, &hub, &HashSet::new())?.save(&settings, &store, &hub)?;
    }
    if !args.dry_run && !plan.is_empty() {
        projection::apply(ctx, &settings, &hub, &plan, &projection::extras(&settings)?)?;
        store.record(&ctx.deed(None))?;
    }
    let report = HubChange {
        changed: !plan.is_empty() && !args.dry_run,
        action: if plan.is_empty() { "unchanged" } else { "up" },
        dry_run: args.dry_run,
        interface: settings.interface.to_string(),
        public_key: hub.public_key.to_string(),
        steps: steps(&settings, &plan, None),
        foreign_peers: plan.foreign.iter().map(ToString::to_string).collect(),
    };
    if ctx.ui.is_json() {
        ctx.ui.json(&Envelope::new(report))?;
    } else if plan.is_empty() {
        ctx.ui.say(&format!("{} is up already", settings.interface));
    } else if args.dry_run {
        for step in &report.steps {
            ctx.ui.say(&format!("would {step}"));
        }
    } else {
        for step in &report.steps {
            ctx.ui.detail(step);
        }
        let peers = count(plan.set_peers.len(), "peer");
        let what = if plan.create { "is up" } else { "is in line again" };
        ctx.ui.say(&format!(
            "{} {what} on UDP port {} ({peers} set)",
            settings.interface, settings.listen_port
        ));
    }
    Ok(Outcome::Done)
}
