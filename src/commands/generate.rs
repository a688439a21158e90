//! `iwas-wg generate man`: the pages of section 8, made from the same definitions as `--help`.

use super::{Context, Outcome, context::unforeseen};
use crate::{error::Error, fsx};
use anyhow::Context as _;
use std::path::{Path, PathBuf};

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
    let count = write_pages(&root, "iwas-wg", &dir)?;
    ctx.ui.say(&format!("wrote {count} pages to {}", dir.display()));
    Ok(Outcome::Done)
}

fn write_pages(command: &clap::Command, name: &str, dir: &Path) -> Result<usize, Error> {
    let page = command.clone().name(name.to_owned()).display_name(name.to_owned());
    let man = clap_mangen::Man::new(page)
        .title(name.to_uppercase())
        .section("8")
        .manual("iwas-wg")
        .source(format!("iwas-wg {}", env!("CARGO_PKG_VERSION")))
        // No date: the same program gives the same pages.
        .date("");
    let mut text = Vec::new();
    man.render(&mut text).with_context(|| format!("cannot render {name}")).map_err(unforeseen)?;
    fsx::replace(&dir.join(format!("{name}.8")), &text, 0o644)?;
    let mut count = 1;
    for sub in command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
        count += write_pages(sub, &format!("{name}-{}", sub.get_name()), dir)?;
    }
    Ok(count)
}
