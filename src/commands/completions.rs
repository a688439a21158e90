//! `iwas-wg completions`: the one-line loaders, and the names they complete.

use super::{Context, Outcome, caller::settings_of};
use crate::{env::Env, error::Error, store::Store};
use clap_complete::CompletionCandidate;

/// Print the completion loader of a shell
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  source <(iwas-wg completions bash)
  iwas-wg completions fish > ~/.config/fish/completions/iwas-wg.fish")]
pub struct Args {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    ctx.ui.data(match args.shell {
        Shell::Bash => include_str!("../../completions/iwas-wg.bash"),
        Shell::Zsh => include_str!("../../completions/_iwas-wg"),
        Shell::Fish => include_str!("../../completions/iwas-wg.fish"),
    })?;
    Ok(Outcome::Done)
}

/// All location names with their address; nothing at all if anything is in the way.
pub fn location_names() -> Vec<CompletionCandidate> {
    let found = settings_of(&mut Env::real()).and_then(|(settings, scope)| {
        let store = Store::open_to_read(&settings.places.database).ok()?;
        store.locations(&scope).ok()
    });
    let candidate = |l: crate::model::Location| {
        CompletionCandidate::new(l.name.as_str()).help(l.vpn_ip.map(|a| a.to_string().into()))
    };
    found.unwrap_or_default().into_iter().map(candidate).collect()
}
