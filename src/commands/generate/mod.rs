//! `iwas-wg generate man`: the manual pages, made from what the program itself goes by.
//!
//! Section 8 comes from the definition of the command line, section 5 from the list of settings.
//! The pages are checked in; a test compares them with what is made here.

mod command;
mod limits;
mod page;
mod settings;

use super::{Context, Outcome};
use crate::{error::Error, fsx};
use std::path::PathBuf;

/// Write generated files
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Write the man pages
    Man {
        /// Directory to write them to
        dir: PathBuf,
    },
}

pub(super) fn run(args: Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let What::Man { dir } = args.what;
    ctx.enter_hub("generate man")?;
    fsx::create_dir(&dir, 0o755)?;
    let mut root = (ctx.definition)();
    root.build();
    let mut pages = vec![("iwas-wg.toml.5".to_owned(), settings::page())];
    command::pages(&root, &mut Vec::new(), &mut pages);
    for (name, text) in &pages {
        fsx::put(&dir.join(name), text.as_bytes(), 0o644)?;
    }
    ctx.ui.say(&format!("wrote {} pages to {}", pages.len(), dir.display()));
    Ok(Outcome::Done)
}
