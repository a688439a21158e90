//! `iwas-wg peer provision`.

use crate::commands::out::Out;
use crate::{
    access::Permission,
    commands::{
        Context, Outcome,
        context::require,
        location::report,
        occupied::Occupied,
        projection::project_added,
        provision_all,
        provisioning::{
            KeyRequest, SCRIPT_KEPT, check_recipients, endpoint, install_script, lost_key, prepare,
            refuse_taken_key, require_reader, shows_script,
        },
    },
    error::{Error, Kind},
    model::{
        KeyMode, LocationName,
        expiry::{has_expired, parse_expiry},
    },
    store::Edit,
    wgconf::ConfPeerWanted,
};
use std::path::PathBuf;

/// Make the keys of a location that has none, and print its router's script
///
/// Takes the location's address or the next free one, commits, programs the interface and writes
/// the conf. With --public-key the router keeps the private key it made.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg peer provision kiosk -o kiosk.rsc
  iwas-wg peer provision kiosk --key-mode once -o kiosk.rsc
  iwas-wg peer provision kiosk --expires 30d -o kiosk.rsc
  iwas-wg peer provision --all --scripts-dir scripts")]
pub(super) struct Args {
    /// The location
    #[arg(value_name = "NAME", required_unless_present = "all", conflicts_with = "all")]
    name: Option<String>,
    /// Every location that has no peer yet
    #[arg(long, conflicts_with_all = ["public_key", "expires"])]
    all: bool,
    /// With --all: write NAME.rsc files into this directory
    #[arg(long, value_name = "DIR", requires = "all")]
    scripts_dir: Option<PathBuf>,
    /// Where the private key lives: stored, once or router
    #[arg(long, value_name = "M")]
    key_mode: Option<String>,
    /// The router's own public key
    #[arg(long, value_name = "K")]
    public_key: Option<String>,
    /// Give the pair a preshared key as well, even where keys.preshared does not
    #[arg(long)]
    preshared: bool,
    /// Disable the peer by itself at that time: 30d, 2027-01-31 or 2027-01-31T18:00:00Z
    #[arg(long, value_name = "T")]
    expires: Option<String>,
    #[command(flatten)]
    out: Out,
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let Some(name) = &args.name else {
        let (mode, dir) = (args.key_mode.as_deref(), args.scripts_dir.as_deref());
        return provision_all::run(ctx, mode, args.preshared, dir, args.dry_run);
    };
    let name: LocationName = name.parse()?;
    let settings = ctx.enter("peer provision", Permission::PeerWrite)?;
    args.out.begin(ctx)?;
    // Bad values are told before it is looked whether there is such a location.
    let flags = |default| {
        KeyRequest::from_flags(args.key_mode.as_deref(), args.public_key.as_deref(), default)
            .map(|request| request.with_preshared(args.preshared))
    };
    let expires_at = args.expires.as_deref().map(|t| parse_expiry(t, ctx.now())).transpose()?;
    flags(settings.key_mode)?;
    let lock = ctx.lock(&settings)?;
    let mut store = Context::store(&settings)?;
    let mut location = require(&store, &ctx.scope, &name)?;
    let request = flags(location.key_mode)?;
    if let Some(key) = location.public_key {
        return Err(Error::new(
            Kind::Conflict,
            format!("location {:?} has a peer already ({key})", name.as_str()),
        )
        .hint(format!("\"iwas-wg script render {name}\" prints its script")));
    }
    if request.mode == KeyMode::Router && request.public_key.is_none() {
        return Err(Error::new(Kind::Usage, format!("the router of {:?} makes its own key", name.as_str()))
            .hint("run its script first; it prints the --public-key to give here"));
    }
    location.expires_at = expires_at.or(location.expires_at);
    if has_expired(&location, ctx.now()) {
        return Err(super::expired(&location));
    }
    let hub = store.hub()?;
    let shows = shows_script(ctx, location.org.as_ref(), request)?;
    ctx.check_interface(&settings, &hub)?;
    endpoint(&settings)?;
    refuse_taken_key(&store, &ctx.scope, request)?;
    let mut occupied = Occupied::read(&settings, &store, &hub)?;
    let vpn_ip = occupied.choose(ctx, &store, location.vpn_ip, Some(&name))?;
    check_recipients(&settings, request)?;
    require_reader(ctx, request)?;
    let is_chosen = location.vpn_ip.is_some();
    location.vpn_ip = Some(vpn_ip);
    location.key_mode = request.mode;
    location.updated_at = ctx.now();
    if args.dry_run {
        let said = format!("would provision {name} at {vpn_ip} (key mode {})", request.mode);
        report(ctx, "provisioned", true, &location, None, &said)?;
        return Ok(Outcome::Done);
    }

    let Some(prepared) = prepare(ctx, &settings, &store, request)? else {
        return Ok(Outcome::Done);
    };
    location.public_key = Some(prepared.public_key);
    location.key_created_at = Some(location.updated_at);
    location.preshared = prepared.keys.preshared.is_some();
    let script = install_script(&settings, &hub, &location, vpn_ip, &prepared.keys)?;

    let change = store.change()?;
    if !is_chosen && change.take_next_address(occupied.pool())? != vpn_ip {
        return Err(Error::new(Kind::Busy, format!("address {vpn_ip} was taken at the same moment"))
            .hint("try again"));
    }
    change.insert_peer(&name, vpn_ip, &prepared.new_peer(), location.updated_at)?;
    if expires_at.is_some() {
        let edit = Edit { expires_at: Some(expires_at), ..Edit::default() };
        change.edit_location(&name, &edit, location.updated_at)?;
    }
    change.commit(&ctx.deed(Some(&location)))?;

    let added = ConfPeerWanted { name: name.clone(), peer: prepared.wanted(vpn_ip) };
    let projected = project_added(ctx, &settings, &store, &[added], prepared.extras());
    let said = format!("provisioned {name} at {vpn_ip}{}", if shows { "" } else { SCRIPT_KEPT });
    if shows && prepared.keys.is_secret() {
        ctx.warn_if_public();
    }
    drop(lock);
    let printed = report(ctx, "provisioned", false, &location, shows.then_some(script.as_str()), &said)
        .and_then(|()| ctx.ui.flush())
        .map_err(|e| lost_key(e, &location));
    projected.and(printed).map(|()| Outcome::Done)
}
