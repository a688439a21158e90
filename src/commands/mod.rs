//! What the program can do: this folder mirrors `iwas-wg --help`, a file for each noun or verb.
//!
//! Each file holds its arguments, its help and one `run`. No SQL, no netlink, no printing: a
//! command joins the rooms and hands results to the `Ui`. Every change goes the same way: read,
//! plan, prepare all that can fail, commit, project onto conf and interface, print.

mod access;
mod adopt;
mod agreement;
mod audit;
mod backup;
mod batch;
mod caller;
mod check;
mod columns;
mod completions;
mod conf_plan;
mod config;
mod context;
mod doctor;
mod down;
mod filter;
mod generate;
mod heartbeat;
mod history;
mod hub_address;
mod init;
mod inventory;
mod known_conf;
mod location;
mod making;
mod occupied;
mod out;
mod past;
mod peer;
mod projection;
mod provision_all;
mod provisioning;
mod report;
mod restore;
mod script;
mod secrets;
mod sheet;
mod status;
mod sync;
mod unmanaged;
mod unsealing;
mod up;
mod upkeep;
mod watch;
mod wg_quick;

pub use completions::answer;
pub use context::{Context, Global};

use crate::{
    error::{Error, Kind},
    output::Level,
};

/// How a command that did not fail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is as asked.
    Done,
    /// It was asked whether something differs, and it does.
    Differs,
    /// It was asked whether somebody may do something, and they may not.
    Forbidden,
    /// What a monitoring plugin answered.
    Plugin(Level),
}

/// The verbs and nouns of the program; the help of each stands at its arguments.
#[derive(Debug, clap::Subcommand)]
#[expect(missing_docs, reason = "a doc comment here would replace the help of the arguments")]
pub enum Command {
    Init(init::Args),
    Up(up::Args),
    Down(down::Args),
    Location(location::Args),
    Peer(peer::Args),
    Script(script::Args),
    Status(status::Args),
    Heartbeat(heartbeat::Args),
    Watch(watch::Args),
    Check(check::Args),
    History(history::Args),
    Report(report::Args),
    Sync(sync::Args),
    Doctor(doctor::Args),
    Inventory(inventory::Args),
    Access(access::Args),
    Audit(audit::Args),
    Config(config::Args),
    Secrets(secrets::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    Completions(completions::Args),
    Generate(generate::Args),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// The one [`Error`] that the user is told.
    pub fn run(self, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
        let done = self.dispatch(ctx);
        // Where the damage is, takes a look at every value: not before something is wrong.
        done.map_err(|e| match e.kind {
            Kind::BadState => ctx.locate_damage(e),
            _ => e,
        })
    }

    fn dispatch(self, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
        match self {
            Self::Init(args) => init::run(&args, ctx),
            Self::Up(args) => up::run(&args, ctx),
            Self::Down(args) => down::run(&args, ctx),
            Self::Location(args) => location::run(args, ctx),
            Self::Peer(args) => peer::run(args, ctx),
            Self::Script(args) => script::run(args, ctx),
            Self::Status(args) => status::run(&args, ctx),
            Self::Heartbeat(args) => heartbeat::run(&args, ctx),
            Self::Watch(args) => watch::run(&args, ctx),
            Self::Check(args) => check::run(&args, ctx),
            Self::History(args) => history::run(&args, ctx),
            Self::Report(args) => report::run(&args, ctx),
            Self::Sync(args) => sync::run(&args, ctx),
            Self::Doctor(args) => doctor::run(&args, ctx),
            Self::Inventory(args) => inventory::run(&args, ctx),
            Self::Access(args) => access::run(args, ctx),
            Self::Audit(args) => audit::run(args, ctx),
            Self::Config(args) => config::run(args, ctx),
            Self::Secrets(args) => secrets::run(args, ctx),
            Self::Backup(args) => backup::run(&args, ctx),
            Self::Restore(args) => restore::run(&args, ctx),
            Self::Completions(args) => completions::run(&args, ctx),
            Self::Generate(args) => generate::run(args, ctx),
        }
    }
}
