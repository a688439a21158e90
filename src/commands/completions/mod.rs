//! `iwas-wg completions`: the loaders, and the answers to a shell that completes a line.
//!
//! A shell asks by running the program with `IWAS_WG_COMPLETE`. The answer is made from the
//! definition of the command line, so it cannot go stale, and from the store of the hub that the
//! line itself names. It takes no lock, never migrates, and is empty whatever goes wrong: nobody
//! wants an error message in the middle of a line.

mod candidates;
mod words;

use super::{Context, Global, Outcome};
use crate::{
    env::Env,
    error::Error,
    output::{Style, Ui},
};
use clap::{Args as _, FromArgMatches as _, ValueEnum as _};
use clap_complete::env::EnvCompleter as _;
use std::{ffi::OsString, path::Path};
use words::Line;

/// Print the completion loader of a shell
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  source <(iwas-wg completions bash)
  iwas-wg completions fish > ~/.config/fish/completions/iwas-wg.fish")]
pub struct Args {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    ctx.ui.data(match args.shell {
        Shell::Bash => include_str!("../../../completions/iwas-wg.bash"),
        Shell::Zsh => include_str!("../../../completions/_iwas-wg"),
        Shell::Fish => include_str!("../../../completions/iwas-wg.fish"),
    })?;
    Ok(Outcome::Done)
}

/// The variable in which a shell asks; its value is the shell's name.
const ASKS: &str = "IWAS_WG_COMPLETE";

/// Answers a shell that asks; returns the exit code, or `None` if none asked.
///
/// With words behind `--` the answer is the candidates for the last of them, else what the shell
/// must run to ask at all.
pub fn answer(args: &[OsString], env: &mut Env, definition: fn() -> clap::Command) -> Option<u8> {
    let asked = env.vars.get(ASKS).filter(|v| !v.is_empty())?;
    let Ok(shell) = Shell::from_str(asked, false) else {
        return Some(1);
    };
    let words = args.iter().skip_while(|a| *a != "--").skip(1).map(|w| w.to_string_lossy().into_owned());
    let words: Vec<String> = words.collect();
    let line = Line::read(shell, &words, &env.vars);
    let ui = Ui::new(env, Style::default());
    let mut ctx = Context::new(env, ui, global(line.as_ref()), definition);
    let text = match &line {
        _ if words.is_empty() => registration(shell),
        None => String::new(),
        Some(line) => candidates(line, &mut ctx),
    };
    // A shell that is gone needs no answer.
    let _ = ctx.ui.data(&text).and_then(|()| ctx.ui.flush());
    Some(0)
}

/// What the shell runs once, so that it asks from then on.
fn registration(shell: Shell) -> String {
    let (name, mut text) = ("iwas-wg", Vec::new());
    let written = match shell {
        Shell::Bash => return include_str!("register.bash").to_owned(),
        Shell::Zsh => clap_complete::env::Zsh.write_registration(ASKS, name, name, name, &mut text),
        Shell::Fish => clap_complete::env::Fish.write_registration(ASKS, name, name, name, &mut text),
    };
    written.map(|()| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
}

/// The global flags that say which hub the line is about.
fn global(line: Option<&Line>) -> Global {
    let flags = ["--root", "--config", "--database"];
    let given = line.into_iter().flat_map(|l| flags.map(|f| l.value_of(f).map(|v| format!("{f}={v}"))));
    let words = std::iter::once("iwas-wg".to_owned()).chain(given.flatten());
    let parsed = Global::augment_args(clap::Command::new("iwas-wg")).get_matches_from(words);
    Global::from_arg_matches(&parsed).unwrap_or_else(|e| unreachable!("{e}"))
}

/// The candidates for the line's last word as its shell reads them.
fn candidates(line: &Line, ctx: &mut Context<'_>) -> String {
    let known = candidates::Known::read(ctx);
    let mut command = known.attach((ctx.definition)(), "");
    let words = line.words.iter().map(OsString::from).collect();
    let found =
        clap_complete::engine::complete(&mut command, words, line.words.len() - 1, Some(Path::new(".")));
    let mut found = found.unwrap_or_default();
    // Flags are offered to who begins one, or where nothing else fits.
    let is_flag = |c: &clap_complete::CompletionCandidate| c.get_value().as_encoded_bytes().starts_with(b"-");
    if !line.last().starts_with('-') && !found.iter().all(is_flag) {
        found.retain(|c| !is_flag(c));
    }
    let found = found.iter().map(|c| {
        let help = c.get_help().map(|h| h.to_string().lines().next().unwrap_or_default().to_owned());
        (c.get_value().to_string_lossy().into_owned(), help.filter(|h| !h.is_empty()))
    });
    line.write(&found.collect::<Vec<_>>())
}
