//! `iwas-wg peer disable` and `enable`.

use super::{expired, public_key};
use crate::{
    access::Permission,
    commands::{
        Context, Outcome,
        context::require,
        location::report,
        projection::{check_targets, open_preshared, project, project_with},
        upkeep::known_to_conf,
    },
    error::{Error, Kind},
    model::{
        Location, LocationName,
        expiry::has_expired,
        plan::{Extras, PeerExtras, Plan, WantedPeer},
    },
    settings::Settings,
    store::Store,
};

/// Take a peer off the interface and out of the conf; its key and address stay its own
///
/// Its router is no longer heard, and the state of the location is disabled.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg peer disable cafe-central")]
pub(super) struct DisableArgs {
    /// The location
    #[arg(value_name = "NAME")]
    name: String,
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// Put a disabled peer on again, with the key and address it had
///
/// A location that has expired needs another end first: iwas-wg location set NAME --expires T.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg peer enable cafe-central")]
pub(super) struct EnableArgs {
    /// The location
    #[arg(value_name = "NAME")]
    name: String,
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn disable(args: &DisableArgs, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let name: LocationName = args.name.parse()?;
    let settings = ctx.enter("peer disable", Permission::PeerWrite)?;
    let _lock = ctx.lock(&settings)?;
    let mut store = Context::store(&settings)?;
    let mut location = require(&store, &ctx.scope, &name)?;
    public_key(&location)?;
    if !location.enabled {
        report(ctx, "unchanged", args.dry_run, &location, None, &format!("{name} is disabled already"))?;
        return Ok(Outcome::Done);
    }
    check_targets(ctx, &settings, &store, &store.hub()?)?;
    let (sealed, known) = known_to_conf(&settings, &location)?;
    if args.dry_run {
        report(ctx, "disabled", true, &location, None, &format!("would disable {name}"))?;
        return Ok(Outcome::Done);
    }
    let kept = store.wanted_peer(&name)?.map(|peer| peer.settings).unwrap_or_default();
    let before = location.clone();
    location.enabled = false;
    location.updated_at = ctx.now();
    location.preshared |= sealed.is_some();
    let change = store.change()?;
    if let Some(sealed) = &sealed {
        change.keep_preshared(&name, &sealed.sealed, sealed.digest)?;
    }
    change.set_enabled(&before, false, location.updated_at)?;
    change.commit(&ctx.deed(Some(&location)))?;
    let difference = Plan { remove_peers: before.peer_keys().collect(), ..Plan::default() };
    let projected = project(ctx, &settings, &store, &difference);
    let lost = |there: bool, is_kept: bool| there && !is_kept;
    if lost(known.endpoint.is_some(), kept.endpoint.is_some())
        || lost(known.keepalive.is_some_and(|s| s > 0), kept.keepalive.is_some())
    {
        ctx.ui.warn(&format!(
            "the conf said where the hub dials {name} and how often; \"peer enable\" does not bring that back"
        ));
    }
    let printed = report(ctx, "disabled", false, &location, None, &format!("disabled {name}"));
    projected.and(printed).map(|()| Outcome::Done)
}

pub(super) fn enable(args: &EnableArgs, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let name: LocationName = args.name.parse()?;
    let settings = ctx.enter("peer enable", Permission::PeerWrite)?;
    let _lock = ctx.lock(&settings)?;
    let mut store = Context::store(&settings)?;
    let mut location = require(&store, &ctx.scope, &name)?;
    public_key(&location)?;
    if has_expired(&location, ctx.now()) {
        return Err(expired(&location));
    }
    if location.enabled {
        report(ctx, "unchanged", args.dry_run, &location, None, &format!("{name} is enabled already"))?;
        return Ok(Outcome::Done);
    }
    check_targets(ctx, &settings, &store, &store.hub()?)?;
    let fresh = preshared_keys(&settings, &store, &location)?;
    if args.dry_run {
        report(ctx, "enabled", true, &location, None, &format!("would enable {name}"))?;
        return Ok(Outcome::Done);
    }
    location.enabled = true;
    location.updated_at = ctx.now();
    if let Some(reading) = &mut location.reading {
        reading.is_online = false;
    }
    let change = store.change()?;
    change.set_enabled(&location, true, location.updated_at)?;
    change.commit(&ctx.deed(Some(&location)))?;
    let set_peers = store.wanted_of(&name)?.into_iter().map(WantedPeer::anew).collect();
    let difference = Plan { set_peers, ..Plan::default() };
    let projected = project_with(ctx, &settings, &store, &difference, fresh);
    let printed = report(ctx, "enabled", false, &location, None, &format!("enabled {name}"));
    projected.and(printed).map(|()| Outcome::Done)
}

/// The preshared keys of a peer that the conf does not hold while it is disabled.
fn preshared_keys(settings: &Settings, store: &Store, l: &Location) -> Result<Extras, Error> {
    let present = l.public_key.filter(|_| l.preshared);
    let next = l.rotation.as_ref().filter(|r| r.preshared).map(|r| r.public_key);
    let mut opener = None;
    let mut all = Extras::new();
    for key in present.into_iter().chain(next) {
        let secret = open_preshared(settings, store, &mut opener, &key).map_err(|e| {
            let message = format!("the preshared key of {:?} is needed: {}", l.name.as_str(), e.message);
            Error { kind: if e.kind == Kind::Failed { Kind::Denied } else { e.kind }, message, ..e }
        })?;
        all.insert(key, PeerExtras { preshared_key: Some(secret), ..PeerExtras::default() });
    }
    Ok(all)
}
