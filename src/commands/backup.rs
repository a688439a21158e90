//! `iwas-wg backup` and `iwas-wg restore`.

use super::{
    Context, Outcome,
    agreement::{Answer, Proposal},
};
use crate::{
    access::Permission,
    error::{Error, Kind},
    fsx::{self, Draft},
    output::json::{BackupReport, Envelope},
    settings::Settings,
    store::{Joint, Store, StoreError},
    vault::{Recipients, VaultError, is_sealed},
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
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
pub struct BackupArgs {
    /// File to write
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Seal the copy with age to this recipient (can be repeated)
    #[arg(long = "recipient", value_name = "R")]
    recipients: Vec<String>,
}

pub(super) fn backup(args: &BackupArgs, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
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
    store.record(&ctx.deed(None))?;
    report(ctx, "backed-up", &args.file, None, &format!("the store is copied to {}", args.file.display()))
}

/// Refuses the store itself, with what SQLite and the lock keep beside it, and whatever is no plain
/// file: a backup under such a name would take the store or a device away.
fn refuse_special(settings: &Settings, file: &Path) -> Result<(), Error> {
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

/// Put a backup in the place of the store
///
/// The backup is checked first, and the replaced store is kept beside the new one. The audit record
/// goes on from the end of the replaced store, and this restore is in it. Interface and conf stay
/// as they are until "iwas-wg sync".
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg restore /var/backups/iwas-wg.db --yes && iwas-wg sync --dry-run")]
pub struct RestoreArgs {
    /// File that "iwas-wg backup" wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Check the backup, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) fn restore(args: &RestoreArgs, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let settings = ctx.enter("restore", Permission::HubAdmin)?;
    refuse_special(&settings, &args.file)?;
    let database = settings.places.database.clone();
    if let Some(dir) = database.parent() {
        fsx::create_dir(dir, 0o700)?;
    }
    let opened = unsealed(ctx, &settings, &args.file)?;
    let proposal = Proposal {
        what: "the store",
        yes: args.yes || args.dry_run,
        plan: &mut |_| {
            let draft = opened.as_ref().map(|bytes| drafted(&database, bytes)).transpose()?;
            let source = draft.as_ref().map_or(args.file.as_path(), Draft::path);
            Store::examine(source).map_err(|e| about(&args.file, e))?;
            Ok((draft, database.try_exists().unwrap_or(true)))
        },
        question: &|(_, there)| there.then(|| format!("replace the store by {}?", args.file.display())),
        is_same: &|(_, a), (_, b)| a == b,
    };
    let (_lock, draft, there) = match proposal.ask(ctx, &settings)? {
        Answer::No(_) => return report(ctx, "unchanged", &args.file, None, "the store stays"),
        Answer::Yes(lock, (draft, there)) => (lock, draft, there),
    };
    let source = draft.as_ref().map_or(args.file.as_path(), Draft::path);
    let timeout = Duration::from_secs(ctx.global.lock_timeout);
    if args.dry_run {
        return report(
            ctx,
            "unchanged",
            &args.file,
            None,
            &format!("{} can be restored", args.file.display()),
        );
    }
    let old = if there { open_replaced(&database)? } else { None };
    let next = Draft::begin(&database)?;
    let deed = ctx.deed(None);
    let (joint, copies) = Store::prepare_restored(source, next.path(), old.as_ref(), &deed)?;
    let kept = if there { Some(set_aside(ctx, &database, old)?) } else { None };
    if database.try_exists().unwrap_or(true) {
        Store::replace_content(&database, next.path(), timeout.max(Duration::from_secs(1)))?;
    } else {
        Store::create_from(&database, next.path())?;
    }
    copies.send();
    if let Some(kept) = kept.as_ref().filter(|_| joint == Joint::Apart) {
        let kept = kept.display();
        ctx.ui.warn(&format!(
            "the audit record is the backup's from now on; that of the replaced store is in {kept}"
        ));
    }
    let replaced =
        kept.as_ref().map_or_else(String::new, |kept| format!("; the replaced one is {}", kept.display()));
    let said = format!(
        "{} is the store now{replaced}; \"iwas-wg sync\" brings interface and conf in line",
        args.file.display()
    );
    report(ctx, "restored", &args.file, kept.as_deref(), &said)
}

/// The content of a backup that was sealed; `None` for a plain one.
fn unsealed(
    ctx: &Context<'_>,
    settings: &Settings,
    file: &Path,
) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let bytes = fsx::read(file)?.map(Zeroizing::new).ok_or_else(|| {
        Error::new(Kind::Usage, format!("there is no file {}", file.display())).hint(FROM_BACKUP)
    })?;
    if !is_sealed(&bytes) {
        return Ok(None);
    }
    let plain = ctx.opener(settings)?.open_bytes(&bytes).map_err(|e| match e {
        VaultError::Damaged => {
            Error::new(Kind::BadState, format!("{}: the sealed copy is damaged", file.display()))
                .hint(FROM_BACKUP)
        }
        other => other.into(),
    })?;
    Ok(Some(plain))
}

/// The content of a backup as a file beside the store.
fn drafted(database: &Path, content: &[u8]) -> Result<Draft, Error> {
    let draft = Draft::begin(database)?;
    fsx::replace(draft.path(), content, 0o600)?;
    Ok(draft)
}

/// The store that is about to be replaced, with its schema up to date; `None` if it cannot be used.
fn open_replaced(database: &Path) -> Result<Option<Store>, Error> {
    match Store::open(database) {
        Ok(store) => Ok(Some(store)),
        Err(StoreError::Busy) => Err(StoreError::Busy.into()),
        Err(_) => Ok(None),
    }
}

/// Keeps the store that is about to be replaced: a copy if it can be read, else the file itself.
fn set_aside(ctx: &Context<'_>, database: &Path, store: Option<Store>) -> Result<PathBuf, Error> {
    let stamp = ctx.now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut kept = database.with_extension(format!("db.replaced-{stamp}"));
    for n in 2.. {
        if !kept.exists() {
            break;
        }
        kept = database.with_extension(format!("db.replaced-{stamp}-{n}"));
    }
    if let Some(store) = store {
        let draft = Draft::begin(&kept)?;
        store.copy_to(draft.path())?;
        draft.finish()?;
        return Ok(kept);
    }
    fsx::rename(database, &kept)?;
    // A journal left behind would be taken for the new store's.
    for suffix in ["-wal", "-shm"] {
        let beside = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        if beside(database).exists() {
            fsx::rename(&beside(database), &beside(&kept))?;
        }
    }
    Ok(kept)
}

const FROM_BACKUP: &str = "name a file that \"iwas-wg backup\" wrote";

fn about(file: &Path, e: StoreError) -> Error {
    let is_newer = matches!(e, StoreError::Newer { .. });
    let error = Error::from(e);
    let error = Error { message: format!("{}: {}", file.display(), error.message), ..error };
    if is_newer { error } else { error.hint(FROM_BACKUP) }
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
