//! `iwas-wg peer provision --all`: keys for every location that has none, in one go.

use super::{
    Context, Outcome,
    batch::{self, Batch, Entry, Summary},
    occupied::Occupied,
    provisioning::{KeyRequest, check_recipients, endpoint},
};
use crate::model::text::{count, plural};
use crate::{
    error::{Error, Kind},
    model::{KeyMode, expiry::has_expired},
};
use std::path::Path;

/// Provisions all locations in reach that have no peer. Those whose router makes its own key are
/// left as they are, since nobody here has it, and those that have expired.
pub(super) fn run(
    ctx: &mut Context<'_>,
    key_mode: Option<&str>,
    preshared: bool,
    scripts_dir: Option<&Path>,
    dry_run: bool,
) -> Result<Outcome, Error> {
    let asked: Option<KeyMode> = key_mode.map(str::parse).transpose()?;
    let settings = batch::enter(ctx, "peer provision", &[], scripts_dir)?;
    let _lock = ctx.lock(&settings)?;
    let mut store = Context::store(&settings)?;
    let hub = store.hub()?;
    ctx.check_interface(&settings, &hub)?;
    endpoint(&settings)?;
    let occupied = Occupied::read_all(ctx, &settings, &store, &hub)?;
    let waiting = store.locations(&ctx.scope)?.into_iter().filter(|l| l.public_key.is_none());
    let (mut entries, mut looked_at) = (Vec::new(), None);
    for before in waiting {
        let mode = asked.unwrap_or(before.key_mode);
        let makes_one = mode != KeyMode::Router && !has_expired(&before, ctx.now());
        let request = KeyRequest { mode, public_key: None, preshared };
        let key = makes_one.then_some(request);
        let mut after = before.clone();
        if let Some(request) = key {
            if mode == KeyMode::Once && scripts_dir.is_none() {
                let message = format!("the key of {:?} is of the mode \"once\"", before.name.as_str());
                return Err(Error::new(Kind::Usage, message)
                    .hint("it is in the script alone: give a --scripts-dir for it"));
            }
            // The recipients are parsed for that: not again for each of thousands.
            if looked_at.replace(mode) != Some(mode) {
                check_recipients(&settings, request)?;
            }
            (after.key_mode, after.updated_at) = (mode, ctx.now());
        }
        entries.push(Entry { before: Some(before), after, key });
    }
    let batch = Batch::plan(&store, occupied.pool().clone(), entries)?;
    let summary = Summary { action: "provisioned", dry_run, entries: batch.entries() };
    let mut report = batch::sort(&summary, Vec::new());
    let (new, left) = (count(report.updated.len(), "location"), report.unchanged.len());
    let others = if left == 0 {
        String::new()
    } else {
        format!(
            "; {left} {}",
            plural(
                left,
                "waits for its router's key, or has expired",
                "wait for their router's key, or have expired"
            )
        )
    };
    if dry_run {
        for (e, ip) in batch.entries().iter().filter_map(|e| Some((e, e.key.and(e.after.vpn_ip)?))) {
            ctx.ui.say(&format!("would provision {} at {ip} (key mode {})", e.after.name, e.after.key_mode));
        }
        batch::tell(ctx, report, &format!("would provision {new}{others}"))?;
        return Ok(Outcome::Done);
    }
    let written = batch.carry_out(ctx, &settings, &mut store, &hub, scripts_dir)?;
    let scripts = scripts_dir.map_or_else(String::new, |d| {
        format!("; wrote {} to {}", count(written.scripts.len(), "script"), d.display())
    });
    report.scripts = written.scripts;
    let printed = batch::tell(ctx, report, &format!("provisioned {new}{others}{scripts}"));
    written.projected.and(printed).map(|()| Outcome::Done)
}
