//! `iwas-wg config`: one setting at a time, comments and order kept.

use super::{Context, Outcome};
use crate::{
    error::{Error, Kind},
    fsx,
    output::json::{ConfigReport, Envelope},
    settings::{Dotted, Edited, Settings, meanings},
};
use std::collections::BTreeMap;

/// Read and change the settings, one key at a time
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg config get hub.endpoint
  iwas-wg config set hub.endpoint vpn.example.com
  iwas-wg config set heartbeat.on_change '[\"/usr/local/bin/notify\", \"--short\"]'
  iwas-wg config check")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Print the value of a key, or its default
    #[command(after_long_help = "Examples:\n  iwas-wg config get hub.endpoint")]
    Get {
        /// Key such as hub.endpoint
        #[arg(value_name = "KEY")]
        key: String,
    },
    /// Set a key: a number, true, false, a list in brackets, or else a text
    #[command(after_long_help = "Examples:\n  iwas-wg config set hub.endpoint vpn.example.com")]
    Set {
        /// Key such as hub.endpoint
        #[arg(value_name = "KEY")]
        key: String,
        /// The value
        #[arg(value_name = "VALUE", allow_hyphen_values = true)]
        value: String,
    },
    /// Take a key away, so that its default holds
    #[command(after_long_help = "Examples:\n  iwas-wg config unset router.keepalive")]
    Unset {
        /// Key such as hub.endpoint
        #[arg(value_name = "KEY")]
        key: String,
    },
    /// Print where the settings are
    #[command(after_long_help = "Examples:\n  iwas-wg config path")]
    Path,
    /// Check the settings; exit 0 if they are right, 6 with the first mistake
    #[command(after_long_help = "Examples:\n  iwas-wg config check")]
    Check,
}

pub(super) fn run(args: Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    ctx.enter_hub(match args.verb {
        Verb::Get { .. } => "config get",
        Verb::Set { .. } => "config set",
        Verb::Unset { .. } => "config unset",
        Verb::Path => "config path",
        Verb::Check => "config check",
    })?;
    let path = ctx.places().config;
    let shown = path.display().to_string();
    match args.verb {
        Verb::Path => tell(ctx, false, None, Some(&shown)),
        Verb::Check => {
            ctx.settings()?;
            ctx.ui.say(&format!("{shown} is right"));
            if ctx.ui.is_json() { tell(ctx, false, None, None) } else { Ok(Outcome::Done) }
        }
        Verb::Get { key } => {
            let dotted = Dotted::parse(&key)?;
            let value = Edited::parse(&text(ctx)?)?.get(&dotted);
            let value = value.unwrap_or_else(|| dotted.default.trim_matches('"').to_owned());
            tell(ctx, false, Some(&key), Some(&value))
        }
        Verb::Set { key, value } => {
            let dotted = Dotted::parse(&key)?;
            let before = Edited::parse(&text(ctx)?)?;
            let mut first = None;
            for meaning in meanings(&value) {
                let mut after = before.clone();
                after.set(&dotted, meaning);
                match write(ctx, &before, &after) {
                    Ok(changed) => return tell(ctx, changed, Some(&key), Some(&value)),
                    Err(e) => first = first.or(Some(e)),
                }
            }
            Err(first.unwrap_or_else(|| Error::new(Kind::Usage, format!("{key} cannot be set"))))
        }
        Verb::Unset { key } => {
            let dotted = Dotted::parse(&key)?;
            let before = Edited::parse(&text(ctx)?)?;
            let mut after = before.clone();
            after.unset(&dotted);
            let changed = write(ctx, &before, &after)?;
            tell(ctx, changed, Some(&key), None)
        }
    }
}

/// The text of the settings file.
fn text(ctx: &Context<'_>) -> Result<String, Error> {
    let path = ctx.places().config;
    let missing = || {
        Error::new(Kind::BadState, format!("there are no settings at {}", path.display()))
            .hint("run \"iwas-wg init\", or name the file with --config or --root")
    };
    let bytes = fsx::read_trusted(&path)?.ok_or_else(missing)?;
    String::from_utf8(bytes).map_err(|_| {
        Error::new(Kind::BadState, format!("{} is not UTF-8 text", path.display())).hint("correct the file")
    })
}

/// Writes the settings if they are right; the file is replaced as a whole and keeps its mode.
fn write(ctx: &Context<'_>, before: &Edited, after: &Edited) -> Result<bool, Error> {
    let places = ctx.places();
    let text = after.text();
    let path = places.config.clone();
    // Not the environment: it may hide what is wrong with the file.
    Settings::from_bytes(places, text.as_bytes(), &BTreeMap::new())
        .map_err(|e| Error::from(e).as_kind(Kind::Usage))?;
    if text == before.text() {
        return Ok(false);
    }
    Ok(fsx::replace(&path, text.as_bytes(), 0o644)?)
}

fn tell(
    ctx: &mut Context<'_>,
    changed: bool,
    key: Option<&str>,
    value: Option<&str>,
) -> Result<Outcome, Error> {
    if ctx.ui.is_json() {
        ctx.ui.json(&Envelope::new(ConfigReport { changed, key, value }))?;
    } else if changed {
        ctx.ui.say(&format!("changed {}", key.unwrap_or_default()));
    } else if let Some(value) = value.filter(|_| matches!(ctx.action, "config get" | "config path")) {
        ctx.ui.data(&format!("{value}\n"))?;
    }
    Ok(Outcome::Done)
}
