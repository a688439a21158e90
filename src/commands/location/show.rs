//! `iwas-wg location show`.

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
    if ctx.ui.is_json() {
        ctx.ui.json(&Envelope::new(LocationShow { location: LocationReport::new(&l) }))?;
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
    lines.extend(l.tags.iter().map(|(k, v)| ("tag", format!("{k}={v}"))));
    for (label, value) in lines {
        ctx.ui.data(&format!("{label:<15} {value}\n"))?;
    }
    Ok(Outcome::Done)
}
