//! `iwas-wg restore`: an older store in the place of the present one, which takes back nothing that
//! must stay.

use super::{
    Context, Outcome,
    agreement::{Answer, Proposal},
    backup::refuse_special,
};
use crate::{
    access::Permission,
    error::{Error, Kind},
    fsx::{self, Draft},
    model::{
        Location, LocationName, PublicKey, Scope,
        deed::ChainEnd,
        setback::{self, Setback},
        time::age,
    },
    output::json::{Envelope, time},
    settings::Settings,
    store::{Joint, Store, StoreError, TakenOver},
    vault::{VaultError, is_sealed},
    wgconf::Conf,
};
use jiff::Timestamp;
use serde::Serialize;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use zeroize::Zeroizing;

/// Put a backup in the place of the store
///
/// The backup is checked first, and the replaced store is kept beside the new one. The audit record
/// goes on from the end of the replaced store, and this restore is in it. Interface and conf stay
/// as they are until "iwas-wg sync".
///
/// Before the question it says how old the backup is and what differs. Keys that were revoked since
/// stay revoked, and addresses that were given since are given again only after all others. The
/// store of another hub, known by its key, is refused.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg restore /var/backups/iwas-wg.db --yes && iwas-wg sync --dry-run")]
pub struct Args {
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

pub(super) fn run(args: &Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let settings = ctx.enter("restore", Permission::HubAdmin)?;
    refuse_special(&settings, &args.file)?;
    let database = settings.places.database.clone();
    if let Some(dir) = database.parent() {
        fsx::create_dir(dir, 0o700)?;
    }
    let opened = unsealed(ctx, &settings, &args.file)?;
    // Where nobody can be asked, the error is all that is said.
    let mut is_told = !(args.yes || args.dry_run || ctx.can_ask());
    let proposal = Proposal {
        what: "the store",
        yes: args.yes || args.dry_run,
        plan: &mut |ctx| {
            let plan = Plan::new(&settings, &args.file, opened.as_deref())?;
            // Once, before the question.
            for line in plan.report.lines(ctx.now()).iter().filter(|_| !is_told) {
                ctx.ui.say(line);
            }
            is_told = true;
            Ok(plan)
        },
        question: &|plan| {
            plan.seen.is_some().then(|| format!("replace the store by {}?", args.file.display()))
        },
        is_same: &|a, b| a.seen == b.seen,
    };
    let (_lock, plan) = match proposal.ask(ctx, &settings)? {
        Answer::No(plan) => return tell(ctx, &plan.report, "the store stays"),
        Answer::Yes(lock, plan) => (lock, plan),
    };
    let Plan { next, draft, seen, mut report } = plan;
    if args.dry_run {
        let said = format!("{} can be restored", args.file.display());
        return tell(ctx, &report, &said);
    }
    let old = if seen.is_some() { open_replaced(&database)? } else { None };
    let taken = take_over(draft, old.as_ref(), ctx)?;
    let kept = if seen.is_some() { Some(set_aside(ctx, &database, old)?) } else { None };
    if database.try_exists().unwrap_or(true) {
        let patience = Duration::from_secs(ctx.global.lock_timeout.max(1));
        Store::replace_content(&database, next.path(), patience)?;
    } else {
        Store::create_from(&database, next.path())?;
    }
    taken.copies.send();
    if let Some(kept) = kept.as_ref().filter(|_| taken.joint == Joint::Apart) {
        let kept = kept.display();
        ctx.ui.warn(&format!(
            "the audit record is the backup's from now on; that of the replaced store is in {kept}"
        ));
    }
    if let Some(line) = setback::line("without peers, because their keys were revoked since", &taken.revoked)
    {
        ctx.ui.warn(&line);
    }
    let replaced =
        kept.as_ref().map_or_else(String::new, |kept| format!("; the replaced one is {}", kept.display()));
    let said = format!(
        "{} is the store now{replaced}; \"iwas-wg sync\" brings interface and conf in line",
        args.file.display()
    );
    report.done(kept.as_deref(), taken.revoked);
    tell(ctx, &report, &said)
}

/// What is to become the store, and what it replaces.
struct Plan {
    next: Draft,
    draft: Store,
    /// `None` where there is no store.
    seen: Option<Seen>,
    report: RestoreReport,
}

impl Plan {
    /// Makes a draft of the backup, and compares it with the store that is there. `opened` is the
    /// content of a backup that was sealed.
    fn new(settings: &Settings, file: &Path, opened: Option<&Vec<u8>>) -> Result<Self, Error> {
        let database = &settings.places.database;
        let sealed = opened.map(|bytes| drafted(database, bytes)).transpose()?;
        let source = sealed.as_ref().map_or(file, Draft::path);
        Store::examine(source).map_err(|e| about(file, e))?;
        let next = Draft::begin(database)?;
        let draft = Store::draft(source, next.path())?;
        let there = database.try_exists().unwrap_or(true);
        let seen = if there { Some(look(settings, file, &draft)?) } else { None };
        let setback = match &seen {
            Some(Seen::Whole { locations, .. }) => {
                Setback::between(locations, &draft.locations(&Scope::All)?)
            }
            _ => Setback::default(),
        };
        let report = RestoreReport::new(file, draft.last_used()?, setback);
        Ok(Self { next, draft, seen, report })
    }
}

/// The store that is to be replaced.
#[derive(PartialEq)]
enum Seen {
    Whole { locations: Vec<Location>, end: ChainEnd },
    Unusable,
}

/// Looks at the store that is to be replaced, and refuses the backup of another hub. Its schema may
/// be older: then it is looked at in a copy.
fn look(settings: &Settings, file: &Path, draft: &Store) -> Result<Seen, Error> {
    let database = &settings.places.database;
    let copy = Draft::begin(database)?;
    let present = match Store::open_to_read(database) {
        Err(StoreError::Older { .. }) => Store::draft(database, copy.path()),
        other => other,
    };
    let present = match present {
        Ok(store) => Some(store),
        Err(e @ StoreError::Busy) => return Err(e.into()),
        Err(_) => None,
    };
    let own = match present.as_ref().map(Store::hub).transpose() {
        Ok(Some(hub)) => Some(hub.public_key),
        // A damaged store says nothing; the conf may.
        _ => conf_key(settings),
    };
    let theirs = draft.hub()?.public_key;
    if let Some(own) = own.filter(|own| *own != theirs) {
        let message =
            format!("{} is the store of another hub (its key is {theirs}, this hub's {own})", file.display());
        let hint = format!(
            "if this machine is to become that hub, move {} away first and restore again",
            database.display()
        );
        return Err(Error::new(Kind::Conflict, message).hint(hint));
    }
    let whole = |store: Store| -> Result<Seen, StoreError> {
        Ok(Seen::Whole { locations: store.locations(&Scope::All)?, end: store.chain_end()? })
    };
    Ok(present.and_then(|store| whole(store).ok()).unwrap_or(Seen::Unusable))
}

/// Completes the draft, and closes it.
fn take_over(mut draft: Store, old: Option<&Store>, ctx: &Context<'_>) -> Result<TakenOver, Error> {
    Ok(draft.take_over(old, &ctx.deed(None))?)
}

/// The hub's key in the conf, if it can be read.
fn conf_key(settings: &Settings) -> Option<PublicKey> {
    let bytes = Zeroizing::new(fsx::read(&settings.conf).ok()??);
    Some(Conf::parse_owned(bytes).ok()?.private_key()?.public())
}

fn tell(ctx: &mut Context<'_>, report: &RestoreReport, said: &str) -> Result<Outcome, Error> {
    if ctx.ui.is_json() {
        ctx.ui.json(&Envelope::new(report))?;
    } else {
        ctx.ui.say(said);
    }
    Ok(Outcome::Done)
}

/// What `restore` did or would do.
#[derive(Debug, Serialize)]
struct RestoreReport {
    changed: bool,
    action: &'static str,
    file: String,
    replaced: Option<String>,
    /// When the backup was last used.
    last_used_at: Option<String>,
    added_since: Vec<String>,
    removed_since: Vec<String>,
    rekeyed_since: Vec<String>,
    /// The locations that lose their peers; known once it is done.
    revoked_since: Vec<String>,
    #[serde(skip)]
    last_used: Option<Timestamp>,
    #[serde(skip)]
    setback: Setback,
}

impl RestoreReport {
    fn new(file: &Path, last_used: Option<Timestamp>, setback: Setback) -> Self {
        let names = |all: &[LocationName]| all.iter().map(ToString::to_string).collect();
        Self {
            changed: false,
            action: "unchanged",
            file: file.display().to_string(),
            replaced: None,
            last_used_at: last_used.map(time),
            added_since: names(&setback.added),
            removed_since: names(&setback.removed),
            rekeyed_since: names(&setback.rekeyed),
            revoked_since: Vec::new(),
            last_used,
            setback,
        }
    }

    /// What is said before the question.
    fn lines(&self, now: Timestamp) -> Vec<String> {
        let age =
            self.last_used.map(|at| format!("{} is from {} ({} ago)", self.file, time(at), age(at, now)));
        age.into_iter().chain(self.setback.lines()).collect()
    }

    fn done(&mut self, kept: Option<&Path>, revoked: Vec<String>) {
        self.changed = true;
        self.action = "restored";
        self.replaced = kept.map(|p| p.display().to_string());
        self.revoked_since = revoked;
    }
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
