//! `iwas-wg script`: what the router is given.

use super::{
    Context, Outcome,
    context::require,
    provisioning::{endpoint, site},
};
use crate::{
    error::{Error, Kind},
    model::{KeyMode, Location, LocationName, PrivateKey},
    output::json::{Envelope, ScriptReport},
    script::{Kind as ScriptKind, render, render_wg_quick},
    settings::Settings,
    store::Store,
    vault::Opener,
};

/// Render what a router is configured with
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Render(RenderArgs),
}

/// Print the script of a location
///
/// The install script holds the router's private key. It needs the identity that opens stored
/// keys; a key that was shown once cannot be shown again.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg script render cafe-central > cafe-central.rsc
  iwas-wg script render cafe-central --format json
  iwas-wg script render laptop --format wg-quick > wg0.conf")]
struct RenderArgs {
    /// The location
    #[arg(value_name = "NAME", add = clap_complete::ArgValueCandidates::new(super::location_names))]
    name: String,
    /// What the script does
    #[arg(long, value_name = "KIND", default_value = "install")]
    kind: String,
    /// Language of the output
    #[arg(long, value_name = "FORMAT", default_value = "routeros")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A script for /import
    Routeros,
    /// A file for wg-quick(8)
    WgQuick,
    /// One JSON object
    Json,
}

pub(super) fn run(args: Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let Verb::Render(args) = args.verb;
    let name: LocationName = args.name.parse()?;
    let kind: ScriptKind = args.kind.parse()?;
    let settings = ctx.settings()?;
    let store = Context::store_to_read(&settings)?;
    let location = require(&store, &name)?;
    let json = args.format == Format::Json || ctx.ui.is_json();
    let vpn_ip = location
        .vpn_ip
        .filter(|_| location.public_key.is_some() || location.key_mode == KeyMode::Router)
        .ok_or_else(|| {
            Error::new(Kind::NotFound, format!("location {:?} has no peer yet", name.as_str()))
                .hint(format!("run \"iwas-wg peer provision {name}\""))
        })?;
    let needs_key = matches!(kind, ScriptKind::Install | ScriptKind::Rotate);
    let private_key = match location.key_mode {
        KeyMode::Router => None,
        _ if !needs_key => None,
        // JSON has a place for "not here"; a script without its key would be none.
        KeyMode::Once if json => None,
        KeyMode::Once => {
            return Err(Error::new(
                Kind::Denied,
                format!("the private key of {:?} was shown once and is not stored", name.as_str()),
            )
            .hint(format!("use the script that was printed then, or remove and add {name} again")));
        }
        KeyMode::Stored => Some(open_key(&settings, &store, &location)?),
    };
    let hub = store.hub()?;
    let site = site(&settings, &hub, &location, vpn_ip, private_key.as_ref())?;
    if json {
        let (endpoint_address, endpoint_port) = endpoint(&settings)?;
        let key = private_key.as_ref().map(PrivateKey::expose);
        let report = ScriptReport {
            name: name.as_str(),
            vpn_ip,
            prefix_length: settings.pool.prefix_len(),
            private_key: key.as_ref().map(|k| k.as_str()),
            server_public_key: hub.public_key.to_string(),
            endpoint_address,
            endpoint_port,
            allowed_address: settings.router.allowed_address.iter().map(ToString::to_string).collect(),
            persistent_keepalive_seconds: settings.router.keepalive,
        };
        ctx.ui.json(&Envelope::new(report))?;
    } else if args.format == Format::WgQuick {
        ctx.ui.data(&render_wg_quick(&site))?;
    } else {
        ctx.ui.data(&render(&site, kind))?;
    }
    Ok(Outcome::Done)
}

/// Opens the stored private key of a location's peer.
fn open_key(settings: &Settings, store: &Store, location: &Location) -> Result<PrivateKey, Error> {
    let sealed = store.sealed_key(&location.name)?.ok_or_else(|| {
        Error::new(Kind::BadState, format!("the store has no key of {:?}", location.name.as_str()))
            .hint("restore the store from a backup, or remove and add the location again")
    })?;
    let key = Opener::from_file(&settings.identity)?.open(&sealed)?;
    if Some(key.public()) != location.public_key {
        return Err(Error::new(
            Kind::BadState,
            format!("the sealed key of {:?} is not the one of its peer", location.name.as_str()),
        )
        .hint("restore the store from a backup, or remove and add the location again"));
    }
    Ok(key)
}
