//! `iwas-wg backup`.

use super::{Context, Outcome};
use crate::{
    access::Permission,
    error::{Error, Kind},
    fsx::{self, Draft},
    output::json::{BackupReport, Envelope},
    settings::Settings,
    store::Store,
    vault::{Recipients, is_sealed},
};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Copy the store to a file while it is in use
///
/// The copy is of one moment, checked before it gets its name, and 0600. It holds no private key
/// in clear; back up the identity as well, elsewhere: it opens the sealed ones. A file that is no
/// backup is never overwritten.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg backup /var/backups/iwas-wg.db
  iwas-wg backup /var/backups/iwas-wg.db.age --recipient \"$(cat ~/.ssh/id_ed25519.pub)\"")]
pub struct Args {
    /// File to write
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Seal the copy with age to this recipient (can be repeated)
    #[arg(long = "recipient", value_name = "R")]
    recipients: Vec<String>,
}

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let recipients = Recipients::parse(&args.recipients)
        .map_err(|e| Error::from(e).as_kind(Kind::Usage).hint("give an age or ssh public key"))?;
    let settings = ctx.enter("backup", Permission::HubAdmin)?;
    let mut store = Context::store_to_read(&settings)?;
    refuse_special(&settings, &args.file)?;
    refuse_foreign(&args.file)?;
    let draft = Draft::begin(&args.file)?;
    store.copy_to(draft.path())?;
    if args.recipients.is_empty() {
        draft.finish()?;
    } else {
        let plain = fsx::read(draft.path())?.map(Zeroizing::new).unwrap_or_default();
        fsx::put(&args.file, &recipients.seal_bytes(&plain)?, 0o600)?;
    }
    // A store on a full or read-only disk is what a backup is wanted of most.
    if let Err(e) = store.record(&ctx.deed(None)) {
        ctx.ui.warn(&format!("the copy is whole, but the audit record does not have it: {e}"));
    }
    report(ctx, "backed-up", &args.file, None, &format!("the store is copied to {}", args.file.display()))
}

/// Refuses the store itself, with what SQLite and the lock keep beside it, and whatever is no plain
/// file: a backup under such a name would take the store or a device away.
pub(super) fn refuse_special(settings: &Settings, file: &Path) -> Result<(), Error> {
    let database = &settings.places.database;
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", database.display()));
    let own = [database.clone(), beside("-wal"), beside("-shm"), settings.places.lock()];
    let refuse = |what: &str| {
        Err(Error::new(Kind::Conflict, format!("{} {what}", file.display())).hint("choose another name"))
    };
    if own.iter().any(|path| path == file || fsx::is_same(path, file)) {
        return refuse("is the store itself");
    }
    match file.metadata() {
        Ok(meta) if meta.is_dir() => refuse("is a directory"),
        Ok(meta) if !meta.is_file() => refuse("is no plain file"),
        _ => Ok(()),
    }
}

/// Only nothing, or an earlier backup, may be replaced.
fn refuse_foreign(file: &Path) -> Result<(), Error> {
    match fsx::read(file)? {
        Some(bytes) if !bytes.is_empty() && !is_sealed(&bytes) && Store::examine(file).is_err() => {
            Err(Error::new(Kind::Conflict, format!("{} exists and is no backup", file.display()))
                .hint("choose another name"))
        }
        _ => Ok(()),
    }
}

fn report(
    ctx: &mut Context<'_>,
    action: &'static str,
    file: &Path,
    kept: Option<&Path>,
    said: &str,
) -> Result<Outcome, Error> {
    if ctx.ui.is_json() {
        ctx.ui.json(&Envelope::new(BackupReport {
            changed: action != "unchanged",
            action,
            file: file.display().to_string(),
            replaced: kept.map(|p| p.display().to_string()),
        }))?;
    } else {
        ctx.ui.say(said);
    }
    Ok(Outcome::Done)
}
