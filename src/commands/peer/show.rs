//! `iwas-wg peer show`.

use super::{list::joined, public_key};
use crate::{
    access::Permission,
    commands::{Context, Outcome, context::require},
    error::Error,
    model::{LocationName, plan::WantedPeer},
    output::json::{Envelope, PeerReport, PeerShow, state_of, time},
};
use ipnet::IpNet;

/// Show the peer of one location, as of the last heartbeat
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg peer show cafe-central
  iwas-wg --json peer show cafe-central | jq -r .peer.vpn_public_key")]
pub(super) struct Args {
    /// The location
    #[arg(value_name = "NAME")]
    name: String,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let name: LocationName = args.name.parse()?;
    let settings = ctx.enter("peer show", Permission::LocationRead)?;
    let store = Context::store_to_read(&settings)?;
    let l = require(&store, &ctx.scope, &name)?;
    let public_key = public_key(&l)?;
    let peer = store.wanted_peer(&name)?;
    let allowed: Vec<IpNet> = peer.iter().flat_map(WantedPeer::allowed_ips).collect();
    let now = ctx.now();
    if ctx.ui.is_json() {
        ctx.ui.json(&Envelope::new(PeerShow { peer: PeerReport::new(&l, &allowed, now) }))?;
        return Ok(Outcome::Done);
    }
    let none = || "-".to_owned();
    let reading = l.reading.as_ref();
    let lines = [
        ("name", l.name.to_string()),
        ("public key", public_key.to_string()),
        ("vpn address", l.vpn_ip.map_or_else(none, |a| a.to_string())),
        ("allowed ips", Some(joined(&allowed)).filter(|nets| !nets.is_empty()).unwrap_or_else(none)),
        ("key mode", l.key_mode.to_string()),
        ("enabled", if l.enabled { "yes" } else { "no" }.to_owned()),
        ("state", state_of(&l).as_str().to_owned()),
        ("last handshake", reading.and_then(|r| r.last_handshake).map_or_else(none, time)),
        ("endpoint", reading.and_then(|r| r.endpoint.clone()).unwrap_or_else(none)),
        ("received", reading.map_or_else(none, |r| format!("{} bytes", r.rx_bytes))),
        ("sent", reading.map_or_else(none, |r| format!("{} bytes", r.tx_bytes))),
    ];
    for (label, value) in lines {
        ctx.ui.data(&format!("{label:<15} {value}\n"))?;
    }
    Ok(Outcome::Done)
}
