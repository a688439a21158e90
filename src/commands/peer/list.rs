//! `iwas-wg peer list`.

use crate::{
    access::Permission,
    commands::{Context, Outcome, columns::Columns, filter::Filter},
    error::Error,
    model::Location,
    output::{
        Column, Table,
        json::{Envelope, PeerList, PeerReport, state_of},
    },
    store::Store,
};
use ipnet::IpNet;
use std::collections::HashMap;

/// List the peers, as of the last heartbeat
///
/// A location without keys has no peer and is not in the list; a disabled peer may speak for
/// nothing.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg peer list
  iwas-wg peer list --state offline
  iwas-wg --json peer list | jq -r '.peers[].vpn_public_key'")]
pub(super) struct Args {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    columns: Columns,
    /// Form of the output
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    output: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// A table
    Table,
    /// Names only, one a line
    Name,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let fits = args.filter.compile()?;
    let settings = ctx.enter("peer list", Permission::LocationRead)?;
    let store = Context::store_to_read(&settings)?;
    let mut all = store.locations(&ctx.scope)?;
    args.filter.refuse_unknown_org(&all)?;
    all.retain(|l| l.public_key.is_some() && fits(l));
    let mut allowed = allowed_ips(&store)?;
    let mut allowed = |l: &Location| allowed.remove(l.name.as_str()).unwrap_or_default();
    if ctx.ui.is_json() {
        let now = ctx.now();
        let peers = all.iter().map(|l| PeerReport::new(l, &allowed(l), now)).collect();
        ctx.ui.json(&Envelope::new(PeerList { peers }))?;
        return Ok(Outcome::Done);
    }
    if args.output == Form::Name {
        for l in &all {
            ctx.ui.data(&format!("{}\n", l.name))?;
        }
        return Ok(Outcome::Done);
    }
    let mut table = Table::new(&[
        Column::text("NAME", 0),
        Column::text("ADDRESS", 1),
        Column::text("STATE", 0),
        Column::text("KEY", 3),
        Column::text("PUBLIC KEY", 2),
        Column::text("ALLOWED IPS", 4),
    ]);
    for l in &all {
        table.row(vec![
            l.name.to_string(),
            l.vpn_ip.map(|a| a.to_string()).unwrap_or_default(),
            state_of(l).as_str().to_owned(),
            l.key_mode.to_string(),
            l.public_key.map(|k| k.to_string()).unwrap_or_default(),
            joined(&allowed(l)),
        ]);
    }
    let table = args.columns.of(table)?;
    if all.is_empty() {
        ctx.ui.say("no peers");
    } else {
        ctx.ui.table(&table)?;
    }
    Ok(Outcome::Done)
}

/// What each enabled peer may speak for, by the name of its location.
fn allowed_ips(store: &Store) -> Result<HashMap<String, Vec<IpNet>>, Error> {
    // A next key, which speaks for nobody yet, is not told of here.
    let peers = store.wanted_peers()?.into_iter().filter(|(_, peer)| peer.vpn_ip.is_some());
    Ok(peers.map(|(name, peer)| (name.to_string(), peer.allowed_ips().collect())).collect())
}

/// Networks on one line.
pub(super) fn joined(nets: &[IpNet]) -> String {
    nets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
