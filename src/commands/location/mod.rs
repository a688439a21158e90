//! `iwas-wg location`: the sites, each with one router.

mod add;
mod edit;
mod export;
mod import;
mod list;
mod remove;
mod rename;
mod set;
mod show;

use super::{Context, Outcome};
use crate::{
    error::Error,
    model::{Location, Tags, location::parse_tag_word},
    output::json::{ChangeReport, Envelope, LocationReport},
};

/// Add, show, change and remove locations
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg location add cafe-central --org acme -o cafe-central.rsc
  iwas-wg location list --org acme
  iwas-wg location remove cafe-central")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Add(add::Args),
    List(list::Args),
    Show(show::Args),
    Set(set::Args),
    Edit(edit::Args),
    Remove(remove::Args),
    Import(import::Args),
    Export(export::Args),
    Rename(rename::Args),
}

pub(super) fn run(args: Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    match args.verb {
        Verb::Add(args) => add::run(&args, ctx),
        Verb::List(args) => list::run(&args, ctx),
        Verb::Show(args) => show::run(&args, ctx),
        Verb::Set(args) => set::run(&args, ctx),
        Verb::Edit(args) => edit::run(&args, ctx),
        Verb::Remove(args) => remove::run(&args, ctx),
        Verb::Import(args) => import::run(&args, ctx),
        Verb::Export(args) => export::run(&args, ctx),
        Verb::Rename(args) => rename::run(&args, ctx),
    }
}

/// All `--tag K=V` of a call; the same key twice cannot be right.
fn parse_tags(given: &[String]) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    for text in given {
        let (key, value) = parse_tag_word(text)?;
        if tags.insert(key.clone(), value).is_some() {
            return Err(Error::new(crate::error::Kind::Usage, format!("tag {key:?} is given twice"))
                .hint("give each key once"));
        }
    }
    Ok(tags)
}

/// Tells what a change did, in JSON as one object, else to people.
pub(super) fn report(
    ctx: &mut Context<'_>,
    action: &'static str,
    dry_run: bool,
    location: &Location,
    script: Option<&str>,
    said: &str,
) -> Result<(), Error> {
    let now = ctx.now();
    if ctx.ui.is_json() {
        return ctx.ui.json(&Envelope::new(ChangeReport {
            changed: action != "unchanged" && !dry_run,
            action,
            dry_run,
            location: Some(LocationReport::new(location, now)),
            script,
        }));
    }
    ctx.ui.say(said);
    match script {
        Some(script) => ctx.ui.data(script),
        None => Ok(()),
    }
}
