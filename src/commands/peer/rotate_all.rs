//! `iwas-wg peer rotate --all`: new keys for a fleet, in one transaction.

use super::rotate::{Args, address, first_step, rotation};
use crate::model::text::count;
use crate::script::file_name;
use crate::{
    commands::{
        Context, Outcome,
        projection::{check_targets, project_with},
        provisioning::{KeyRequest, check_recipients, prepare, rotate_script},
    },
    error::Error,
    fsx,
    model::{
        KeyMode, Location,
        plan::{Extras, Plan, WantedPeer},
        time::parse_span,
    },
    output::json::{Envelope, RotationReport},
    settings::Settings,
};

pub(super) fn run(args: &Args, ctx: &mut Context<'_>, settings: &Settings) -> Result<Outcome, Error> {
    let age = args.older_than.as_deref().map(|t| parse_span("age", t)).transpose()?.unwrap_or(0);
    let Some(dir) = &args.scripts_dir else {
        return Ok(Outcome::Done);
    };
    let _lock = ctx.lock(settings)?;
    let mut store = Context::store(settings)?;
    let (hub, now) = (store.hub()?, ctx.now());
    let mut all = store.locations(&ctx.scope)?;
    all.retain(|l| l.key_created_at.is_some_and(|t| now.as_second() - t.as_second() >= age));
    let busy = |l: &Location| !l.enabled || l.rotation.is_some() || l.moving.is_some();
    let skipped: Vec<String> = all.iter().filter(|l| busy(l)).map(|l| l.name.to_string()).collect();
    all.retain(|l| !busy(l));
    let request = |l: &Location| {
        KeyRequest { mode: l.key_mode, public_key: None, preshared: false }
            .with_preshared(args.preshared || l.preshared)
    };
    for l in all.iter().filter(|l| l.key_mode != KeyMode::Router) {
        check_recipients(settings, request(l))?;
    }
    check_targets(ctx, settings, &store, &hub)?;
    let names = |made_there: bool| -> Vec<String> {
        let some = all.iter().filter(|l| (l.key_mode == KeyMode::Router) == made_there);
        some.map(|l| l.name.to_string()).collect()
    };
    let mut result = RotationReport {
        changed: false,
        action: "rotating",
        dry_run: args.dry_run,
        rotating: names(false),
        asked: names(true),
        skipped,
        written: Vec::new(),
    };
    if args.dry_run {
        return told(ctx, &result, "would rotate");
    }

    // All keys and scripts first: a file may hold the only copy of a key. A script whose key was
    // never committed harms nobody: its router goes back to the old key by itself.
    ctx.on_behalf(dir, || fsx::create_dir(dir, 0o700))?;
    let progress = ctx.ui.progress("rotating", all.len() as u64);
    let mut prepared = Vec::new();
    for l in &all {
        let script = match prepare(ctx, settings, &store, request(l))? {
            None => first_step(settings, &hub, l)?,
            Some(made) => {
                let after = Location { updated_at: now, ..l.clone() };
                let next = rotation(ctx, &made);
                let script = rotate_script(settings, &hub, &after, address(l)?, &next, &made.keys)?;
                prepared.push((l, made));
                script
            }
        };
        let path = dir.join(file_name(l.name.as_str(), "rsc"));
        ctx.on_behalf(&path, || fsx::put(&path, script.as_bytes(), 0o600))?;
        result.written.push(path.display().to_string());
        progress.step();
    }
    drop(progress);
    if prepared.is_empty() {
        return told(ctx, &result, "rotating");
    }
    let (mut difference, mut fresh) = (Plan::default(), Extras::new());
    let change = store.change()?;
    for (l, made) in &prepared {
        change.begin_rotation(&l.name, &made.new_peer(), now)?;
        difference.set_peers.push(WantedPeer::pending(made.public_key, made.keys.preshared.is_some()));
        fresh.extend(made.extras());
        change.record(&ctx.deed(Some(l)))?;
    }
    change.commit_recorded()?;
    result.changed = true;
    let projected = project_with(ctx, settings, &store, &difference, fresh);
    let printed = told(ctx, &result, "rotating");
    projected.and(printed)
}

fn told(ctx: &mut Context<'_>, result: &RotationReport, verb: &str) -> Result<Outcome, Error> {
    if ctx.ui.is_json() {
        ctx.ui.json(&Envelope::new(result))?;
        return Ok(Outcome::Done);
    }
    ctx.ui.say(&format!("{verb} the keys of {}", count(result.rotating.len(), "peer")));
    if !result.asked.is_empty() {
        ctx.ui.say(&format!(
            "{} routers make their next key themselves, and their scripts print the command that brings it here",
            result.asked.len()
        ));
    }
    for name in &result.skipped {
        ctx.ui.warn(&format!("{name} is disabled, or being rotated or moved already; it was left alone"));
    }
    Ok(Outcome::Done)
}
