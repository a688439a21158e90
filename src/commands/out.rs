//! `-o FILE`: results in a file of the caller instead of on standard output.

use super::Context;
use crate::{
    error::{Error, Kind},
    fsx,
};
use std::path::{Path, PathBuf};

/// Where the results go.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Out {
    /// Write to this file, 0600 if it holds a key; it is replaced only on success
    #[arg(short = 'o', long = "output-file", value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(super) file: Option<PathBuf>,
}

/// The form of what is shown, for a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    /// A table for people
    Table,
    /// One JSON object, as with --json
    Json,
    /// Comma-separated values
    Csv,
    /// One self-contained page for a browser
    Html,
}

impl Form {
    /// The form that the older flags mean, or the one that is named.
    pub(super) fn of(named: Option<Self>, csv: bool, ctx: &mut Context<'_>) -> Self {
        if named == Some(Self::Json) {
            ctx.ui.use_json();
        }
        match named {
            Some(form) => form,
            None if ctx.ui.is_json() => Self::Json,
            None if csv => Self::Csv,
            None => Self::Table,
        }
    }
}

impl Out {
    /// Sends all results of this call to the file, where one is given. Must come before anything
    /// is changed.
    ///
    /// # Errors
    /// [`Kind::Failed`] if the file cannot be written.
    pub(super) fn begin(&self, ctx: &mut Context<'_>) -> Result<(), Error> {
        let Some(path) = self.file.clone().filter(|p| p != Path::new("-")) else {
            return Ok(());
        };
        if path.as_os_str().is_empty() {
            return Err(Error::new(Kind::Usage, "the name of the output file is empty").hint("name a file"));
        }
        ctx.on_behalf(&path, || fsx::check_writable(&path))?;
        ctx.is_public_file = Some(std::rc::Rc::new(std::cell::Cell::new(true)));
        let is_public = ctx.is_public_file.clone().unwrap_or_default();
        let caller = ctx.fixed.is_some().then(|| ctx.env.caller.clone());
        ctx.ui.divert(Box::new(move |bytes| {
            let mode = if is_public.get() { 0o644 } else { 0o600 };
            let put = || fsx::put(&path, bytes, mode);
            match &caller {
                None => put()?,
                Some(caller) => fsx::with_rights_of(caller, &path, put)??,
            }
            Ok(())
        }));
        Ok(())
    }
}
