//! `iwas-wg location show`.

use crate::model::time::age;
use crate::{
    access::Permission,
    commands::{Context, Outcome, context::require},
    error::Error,
    model::{Description, LocationName, Org},
    output::json::{Envelope, LocationReport, LocationShow, state_of, time},
};

/// Show one location, as of the last heartbeat
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg location show cafe-central
  iwas-wg --json location show cafe-central | jq -r .location.vpn_ip")]
pub(super) struct Args {
    /// The location
    #[arg(value_name = "NAME")]
    name: String,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let name: LocationName = args.name.parse()?;
    let settings = ctx.enter("location show", Permission::LocationRead)?;
    let l = require(&Context::store_to_read(&settings)?, &ctx.scope, &name)?;
    let now = ctx.now();
    if ctx.ui.is_json() {
        let location = LocationReport::new(&l, now);
        ctx.ui.json(&Envelope::new(LocationShow { location }))?;
        return Ok(Outcome::Done);
    }
    let none = || "-".to_owned();
    let reading = l.reading.as_ref();
    let mut lines = vec![
        ("name", l.name.to_string()),
        ("org", l.org.as_ref().map_or_else(none, |o| Org::as_str(o).to_owned())),
        (
            "description",
            l.description.as_ref().map_or_else(none, |d| Description::as_str(d).replace('\n', " ")),
        ),
        ("vpn address", l.vpn_ip.map_or_else(none, |a| a.to_string())),
        ("public key", l.public_key.map_or_else(none, |k| k.to_string())),
        ("key mode", l.key_mode.to_string()),
        ("state", state_of(&l).as_str().to_owned()),
        ("last handshake", reading.and_then(|r| r.last_handshake).map_or_else(none, time)),
        ("endpoint", reading.and_then(|r| r.endpoint.clone()).unwrap_or_else(none)),
        ("received", reading.map_or_else(none, |r| format!("{} bytes", r.rx_bytes))),
        ("sent", reading.map_or_else(none, |r| format!("{} bytes", r.tx_bytes))),
        ("created", time(l.created_at)),
        ("updated", time(l.updated_at)),
    ];
    if let Some(made) = l.key_created_at {
        lines.push(("key made", format!("{} ({} ago)", time(made), age(made, now))));
    }
    if l.preshared {
        lines.push(("preshared key", "yes".to_owned()));
    }
    if let Some(end) = l.expires_at {
        lines.push(("expires", time(end)));
    }
    if let Some(next) = &l.rotation {
        lines.push(("rotating since", time(next.since)));
        lines.push(("next key", next.public_key.to_string()));
    }
    if let Some(next) = &l.moving {
        lines.push(("moving since", time(next.since)));
        lines.push(("next address", next.vpn_ip.to_string()));
    }
    lines.extend(l.tags.iter().map(|(k, v)| ("tag", format!("{k}={v}"))));
    for (label, value) in lines {
        ctx.ui.data(&format!("{label:<15} {value}\n"))?;
    }
    Ok(Outcome::Done)
}
