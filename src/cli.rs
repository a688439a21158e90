//! The command line: global flags, parsing, dispatch, and the last word on every failure.

use crate::{
    commands::{self, Command, Context, Global, Outcome},
    env::Env,
    error::{Error, Kind},
    output::{Level, Style, Ui},
};
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, error::ErrorKind};
use std::ffi::OsString;

/// Onboard MikroTik routers to a WireGuard hub and know which site is dark
#[derive(Debug, Parser)]
#[command(name = "iwas-wg", version, propagate_version = true, arg_required_else_help = true)]
#[command(disable_help_subcommand = true, max_term_width = 100)]
#[command(after_long_help = "Exit status:
  0 done   1 failed   2 usage   3 not found   4 conflict   5 differs   6 bad state
  7 denied   8 busy   9 the store is committed, but interface or conf is not in line

Examples:
  iwas-wg init --endpoint vpn.example.com && iwas-wg up
  iwas-wg location add cafe-central -o cafe-central.rsc
  iwas-wg status")]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// The definition of the command line, for help, man pages and completions.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program and returns its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>, env: &mut Env) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    if let Some(code) = commands::answer(&args, env, command) {
        return code;
    }
    let mut definition = command();
    let parsed = definition.try_get_matches_from_mut(&args);
    // Hundreds of small pieces that the end of the process takes back at once.
    std::mem::forget(definition);
    let parsed = parsed.and_then(|m| Cli::from_arg_matches(&m).map(|cli| (cli, asked(&m))));
    let (cli, asked) = match parsed {
        Ok(parsed) => parsed,
        Err(e) => {
            let json = args.iter().any(|a| a == "--json");
            let mut ui = Ui::new(env, Style { json, ..Style::default() });
            return unparsed(&e, &args, &mut ui);
        }
    };
    let is_plugin = matches!(cli.command, Command::Check(_));
    let ui = Ui::new(env, cli.global.style());
    let mut ctx = Context::new(env, ui, cli.global, command);
    let result = cli.command.run(&mut ctx);
    // What the command printed before it failed is still owed to the reader.
    if result.is_err() {
        ctx.ui.discard();
    }
    let flushed = ctx.ui.flush();
    match result.and_then(|outcome| flushed.map(|()| outcome)) {
        Ok(outcome) => {
            ctx.ui.release_warnings();
            match outcome {
                Outcome::Done => 0,
                Outcome::Differs => Kind::Differs.exit(),
                Outcome::Forbidden => Kind::Denied.exit(),
                Outcome::Plugin(level) => level as u8,
            }
        }
        Err(e) => {
            let e = ctx.refused(&asked, e);
            if is_plugin {
                ctx.ui.plugin_error(&e);
                return Level::Unknown as u8;
            }
            ctx.ui.error(&e);
            e.kind.exit()
        }
    }
}

/// The locations that the command line names, for the record of a refusal.
fn asked(matches: &ArgMatches) -> Vec<String> {
    let mut leaf = matches;
    while let Some((_, below)) = leaf.subcommand() {
        leaf = below;
    }
    let of = |id| leaf.try_get_many::<String>(id).ok().flatten().into_iter().flatten().cloned();
    ["name", "names", "old", "host", "location"].into_iter().flat_map(of).collect()
}

/// Help and version go to standard output; anything else is one line, a hint and exit 2.
fn unparsed(e: &clap::Error, args: &[OsString], ui: &mut Ui) -> u8 {
    if matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return match ui.data(&e.render().to_string()).and_then(|()| ui.flush()) {
            Ok(()) => 0,
            Err(e) => {
                ui.error(&e);
                e.kind.exit()
            }
        };
    }
    // A monitoring system takes any other code for an answer.
    if is_check(args) {
        ui.plugin_error(&usage_error(e));
        return Level::Unknown as u8;
    }
    ui.error(&usage_error(e));
    Kind::Usage.exit()
}

/// Whether a command line that could not be read asked for `check`.
fn is_check(args: &[OsString]) -> bool {
    let command = command().ignore_errors(true);
    if let Ok(read) = command.clone().try_get_matches_from(args)
        && let Some(name) = read.subcommand_name()
    {
        return name == "check";
    }
    // What is wrong stands before the command: then it is the first word that is one.
    let mut words = args.iter().skip(1).filter_map(|a| a.to_str());
    words.find_map(|w| command.find_subcommand(w)).is_some_and(|c| c.get_name() == "check")
}

fn usage_error(e: &clap::Error) -> Error {
    let missing = [ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, ErrorKind::MissingSubcommand];
    if missing.contains(&e.kind()) {
        return Error::new(Kind::Usage, "a command is missing").hint("\"iwas-wg --help\" shows all commands");
    }
    let text = e.render().to_string();
    let mut paragraphs = text.trim().split("\n\n");
    let first = paragraphs.next().unwrap_or_default();
    let message = first.strip_prefix("error: ").unwrap_or(first);
    // "required arguments were not provided:" is followed by one argument a line.
    let message = message.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join(" ");
    let tip = text.lines().find_map(|l| l.trim().strip_prefix("tip: ")).map(str::to_owned);
    let usage = text.lines().find_map(|l| l.trim().strip_prefix("Usage: "));
    let hint = tip.or_else(|| usage.map(|u| format!("usage: {u}")));
    Error::new(Kind::Usage, message).hint(hint.unwrap_or_else(|| "see \"iwas-wg --help\"".to_owned()))
}
