//! `iwas-wg up`: the interface as the store wants it.

use super::{
    Context, Outcome,
    projection::{self, Both, steps},
    wg_quick::{self, Verb},
};
use crate::model::text::count;
use crate::{
    access::Permission,
    error::{Error, Kind},
    output::json::{Envelope, HubChange},
    settings::{Backend, BringUp},
};

/// Create the interface with its key, port, address and all peers
///
/// Running it again changes only what differs: live sessions are not disturbed. An interface of
/// that name with another key is another hub's: no command changes, judges or removes it (exit 4). Where the kernel
/// has no WireGuard, wireguard-go (or the program in WG_USERSPACE_IMPLEMENTATION) carries it.
///
/// The interface is the one that wg-quick(8) would make of the conf: it has all of Address, MTU,
/// FwMark and ListenPort, and with Table the routes to what its peers may speak for and no address
/// of its own leads to. Without MTU it is computed as wg-quick does: the largest of the routes to
/// the peers' endpoints, else that of the default route, less 80. Peers of the conf that the store
/// does not know are set as well when the interface is created. PreUp, PostUp, PreDown, PostDown,
/// DNS, SaveConfig and a default route through a peer (AllowedIPs = 0.0.0.0/0 without Table = off)
/// are for wg-quick alone: a warning names those that the conf has, and hub.bring_up = "wg-quick"
/// hands the interface to wg-quick, as root.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg up
  iwas-wg up --dry-run")]
pub struct Args {
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Do nothing unless hub.bring_up is "wg-quick"
    #[arg(long)]
    hand_over: bool,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let settings = ctx.enter("up", Permission::HubAdmin)?;
    if settings.backend == Backend::None {
        return Err(Error::new(Kind::BadState, "hub.backend is \"none\": this hub has no interface")
            .hint("set hub.backend to auto, kernel or userspace"));
    }
    if args.hand_over && settings.bring_up != BringUp::WgQuick {
        return Ok(Outcome::Done);
    }
    let _lock = ctx.lock(&settings)?;
    let mut store = Context::store(&settings)?;
    let hub = store.hub()?;
    let Both { conf, plan, .. } = projection::plan_both(ctx, &settings, &store, &hub)?;
    if let Some(what) = conf.passed_over(&settings) {
        ctx.ui.warn(&format!("{what}; {}", wg_quick::REMEDY));
    }
    let handed = wg_quick::makes(&settings, &plan);
    // Without its conf the hub would not survive a reboot; wg-quick reads nothing else.
    if !args.dry_run && (handed || !settings.conf.exists()) {
        conf.save(&settings, &store, &hub)?;
    }
    if !args.dry_run && !plan.is_empty() {
        wg_quick::bring_in_line(ctx, &settings, &store, &hub, &plan)?;
        store.record(&ctx.deed(None))?;
    }
    let report = HubChange {
        changed: !plan.is_empty() && !args.dry_run,
        action: if plan.is_empty() { "unchanged" } else { "up" },
        dry_run: args.dry_run,
        interface: settings.interface.to_string(),
        public_key: hub.public_key.to_string(),
        steps: if handed { vec![wg_quick::step(&settings, Verb::Up)] } else { steps(&settings, &plan, None) },
        foreign_peers: plan.foreign.iter().map(ToString::to_string).collect(),
        conflicts: Vec::new(),
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
