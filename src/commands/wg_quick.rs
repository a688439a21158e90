//! Handing the interface to wg-quick(8), where `hub.bring_up` says so, and naming what else only
//! wg-quick(8) would do.

use super::{Context, conf_plan::ConfPlan, projection};
use crate::{
    env::program,
    error::{Error, Kind},
    fsx,
    model::plan::Plan,
    settings::{BringUp, Settings},
    store::{Hub, Store},
};
use std::time::Duration;

/// wg-quick(8) starts ip(8) for each route, and hooks may wait for something.
const PATIENCE: Duration = Duration::from_secs(1800);

/// What wg-quick(8) is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Up,
    Down,
}

impl Verb {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// Whether an interface that a plan creates is made by wg-quick(8).
pub(super) fn makes(settings: &Settings, plan: &Plan) -> bool {
    plan.create && settings.bring_up == BringUp::WgQuick
}

/// The step that a handing over is, in words.
pub(super) fn step(settings: &Settings, verb: Verb) -> String {
    format!("run \"wg-quick {} {}\"", verb.as_str(), settings.conf.display())
}

/// Makes the interface as planned; one that is created, by whom the settings say. What wg-quick(8)
/// leaves to do is done afterwards.
///
/// # Errors
/// Those of wg-quick(8) and of the device.
pub(super) fn bring_in_line(
    ctx: &mut Context<'_>,
    settings: &Settings,
    store: &Store,
    hub: &Hub,
    plan: &Plan,
) -> Result<(), Error> {
    if !makes(settings, plan) {
        return projection::apply(ctx, settings, hub, plan, &projection::extras(settings)?);
    }
    run(ctx, settings, Verb::Up)?;
    let rest = projection::plan_both(ctx, settings, store, hub)?.plan;
    if rest.create {
        let message = format!("wg-quick ended well, but there is no interface {}", settings.interface);
        return Err(Error::new(Kind::Device, message).hint("look at PreUp and PostUp in the conf"));
    }
    if rest.is_empty() {
        return Ok(());
    }
    projection::apply(ctx, settings, hub, &rest, &projection::extras(settings)?)
}

/// Runs wg-quick(8) on the conf: as root alone, since it runs what the conf says, and with nothing
/// of the caller's environment but where programs are.
///
/// # Errors
/// [`Kind::Denied`] for others than root, [`Kind::BadState`] if it cannot be run on this conf,
/// [`Kind::Device`] if it fails.
pub(super) fn run(ctx: &Context<'_>, settings: &Settings, verb: Verb) -> Result<(), Error> {
    if !ctx.env.is_root {
        let message = "hub.bring_up is \"wg-quick\", and only root can run wg-quick";
        return Err(Error::new(Kind::Denied, message).hint("run it as root or with sudo"));
    }
    let conf = settings.conf.display().to_string();
    if settings.conf.file_name().and_then(|n| n.to_str()) != Some(&format!("{}.conf", settings.interface)) {
        let message = format!(
            "wg-quick takes the interface's name from its conf, and {conf} is not {}.conf",
            settings.interface
        );
        return Err(Error::new(Kind::BadState, message).hint("rename the file and set hub.conf"));
    }
    if !settings.conf.exists() {
        let message = format!("there is no {conf} for wg-quick");
        return Err(Error::new(Kind::BadState, message).hint("run \"iwas-wg sync\", which writes it"));
    }
    let (path, vars) = ctx.env.devices.wg_quick().ok_or_else(|| {
        Error::new(Kind::BadState, "hub.bring_up is \"wg-quick\", and there is no wg-quick in PATH")
            .hint("install wireguard-tools, or set hub.bring_up to \"self\"")
    })?;
    // Both run as root.
    fsx::trusted(&path)?;
    fsx::trusted(&settings.conf)?;
    let words = [path.display().to_string(), verb.as_str().to_owned(), conf];
    program::run(&words, &vars, Vec::new(), PATIENCE).map_err(|e| {
        let message = format!("wg-quick {} {e}", verb.as_str());
        Error::new(Kind::Device, message).hint(format!("run \"{}\" to see all it says", words.join(" ")))
    })
}

impl ConfPlan {
    /// What of the conf nobody does while this program brings the interface up; nothing where
    /// wg-quick(8) does it.
    pub(super) fn passed_over(&self, settings: &Settings) -> Option<String> {
        passed_over(&self.only_wg_quick, settings.bring_up, &settings.conf.display().to_string())
    }
}

/// The same of any conf.
pub(super) fn passed_over(only_wg_quick: &[String], bring_up: BringUp, conf: &str) -> Option<String> {
    if only_wg_quick.is_empty() || bring_up == BringUp::WgQuick {
        return None;
    }
    let what = only_wg_quick.join(", ");
    Some(format!("{conf} has {what}: only wg-quick does that, and \"iwas-wg up\" and \"down\" pass over it"))
}

/// What ends that.
pub(super) const REMEDY: &str = "set hub.bring_up to \"wg-quick\", or take it out of the conf";
