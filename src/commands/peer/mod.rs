//! `iwas-wg peer`: the `WireGuard` identity of a location's router, from its first key to its last.

mod list;
mod provision;
mod relocate;
mod reset;
mod revoke;
mod rotate;
mod rotate_all;
mod show;
mod switch;

use super::{Context, Outcome, context::no_peer};
use crate::{
    error::{Error, Kind},
    model::{Location, PublicKey},
    output::json::time,
};

/// Give routers their keys, change and revoke them, and look at them
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg peer list
  iwas-wg peer rotate cafe-central --wait -o cafe-central.rsc
  iwas-wg peer revoke shop-12")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Provision(provision::Args),
    List(list::Args),
    Show(show::Args),
    Rotate(rotate::Args),
    Disable(switch::DisableArgs),
    Enable(switch::EnableArgs),
    Revoke(revoke::Args),
    Move(relocate::Args),
    Reset(reset::Args),
}

pub(super) fn run(args: Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    match args.verb {
        Verb::Provision(args) => provision::run(&args, ctx),
        Verb::List(args) => list::run(&args, ctx),
        Verb::Show(args) => show::run(&args, ctx),
        Verb::Rotate(args) => rotate::run(&args, ctx),
        Verb::Disable(args) => switch::disable(&args, ctx),
        Verb::Enable(args) => switch::enable(&args, ctx),
        Verb::Revoke(args) => revoke::run(&args, ctx),
        Verb::Move(args) => relocate::run(&args, ctx),
        Verb::Reset(args) => reset::run(&args, ctx),
    }
}

/// The key of a location's peer, or the error that says that it has none.
fn public_key(l: &Location) -> Result<PublicKey, Error> {
    l.public_key.ok_or_else(|| no_peer(l))
}

/// What is said where a peer must be enabled.
fn disabled(l: &Location) -> Error {
    Error::new(Kind::Conflict, format!("the peer of {:?} is disabled", l.name.as_str()))
        .hint(format!("run \"iwas-wg peer enable {}\" first", l.name))
}

/// What is said of a location whose end has come.
fn expired(l: &Location) -> Error {
    let end = l.expires_at.map(time).unwrap_or_default();
    Error::new(Kind::Conflict, format!("location {:?} expired at {end}", l.name.as_str())).hint(format!(
        "\"iwas-wg location set {} --expires T\" gives it another end, --no-expires none",
        l.name
    ))
}

/// What is said where a rotation must be over first.
fn rotating(l: &Location) -> Error {
    let since = l.rotation.as_ref().map(|r| time(r.since)).unwrap_or_default();
    Error::new(Kind::Conflict, format!("the peer of {:?} is being rotated since {since}", l.name.as_str()))
        .hint(format!(
            "wait for the new key's handshake, or give it up: \"iwas-wg peer rotate {} --abort\"",
            l.name
        ))
}
