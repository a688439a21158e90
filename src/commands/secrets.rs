//! `iwas-wg secrets`: what the store keeps sealed, after recipients come or go.

use super::{Context, Outcome};
use crate::{
    access::Permission,
    error::{Error, Kind},
    output::json::{Envelope, SecretsReport},
    store::Sealed,
    vault::{Opener, Recipients, VaultError},
};

/// Check and renew the sealing of stored keys
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg secrets verify
  iwas-wg secrets reseal --dry-run")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Reseal(ResealArgs),
    Verify(VerifyArgs),
}

/// Seal all stored keys to the recipients of the settings
///
/// For when keys.recipients has changed: whoever was added opens the old keys too from then on,
/// whoever was removed none of them any more. All or nothing: a crash leaves every key as it was.
/// The old sealings are in no page of the store afterwards, and in no later backup. What cannot be
/// taken back is a copy from before, such as an older backup: rotate the keys if that matters.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg secrets reseal --dry-run
  iwas-wg secrets reseal")]
struct ResealArgs {
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// Open every stored key and compare it with its public one
///
/// Exit 0 if all are right, 6 if one is damaged, 7 if the identity cannot open one.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg secrets verify")]
struct VerifyArgs {}

pub(super) fn run(args: Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    match args.verb {
        Verb::Reseal(args) => reseal(&args, ctx),
        Verb::Verify(VerifyArgs {}) => verify(ctx),
    }
}

fn reseal(args: &ResealArgs, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let settings = ctx.enter("secrets reseal", Permission::HubAdmin)?;
    let recipients = Recipients::parse(&settings.recipients)?;
    if recipients.is_empty() {
        return Err(VaultError::NoRecipients.into());
    }
    let opener = ctx.opener(&settings)?;
    let _lock = ctx.lock(&settings)?;
    let mut store = Context::store(&settings)?;
    let all = store.sealed()?;
    // Everything that can fail comes before the first write.
    let progress = ctx.ui.progress("sealing", all.len() as u64);
    let mut renewed = Vec::with_capacity(all.len());
    for sealed in all {
        let secret = opener.open_bytes(&sealed.bytes).map_err(|e| about(&sealed, e))?;
        let bytes = recipients.seal_bytes(&secret)?;
        renewed.push((sealed, bytes));
        progress.step();
    }
    drop(progress);
    let changes = !args.dry_run && !renewed.is_empty();
    if changes {
        let change = store.change()?;
        for (sealed, bytes) in &renewed {
            change.reseal(sealed, bytes)?;
        }
        change.commit(&ctx.deed(None))?;
    }
    let (n, to) = (renewed.len(), settings.recipients.len());
    if ctx.ui.is_json() {
        ctx.ui.json(&Envelope::new(SecretsReport {
            changed: changes,
            action: if renewed.is_empty() { "unchanged" } else { "resealed" },
            dry_run: args.dry_run,
            secrets: n,
            recipients: to,
        }))?;
    } else {
        let would = if args.dry_run { "would seal" } else { "sealed" };
        ctx.ui.say(&format!("{would} {n} stored secrets to {to} recipients"));
    }
    Ok(Outcome::Done)
}

fn verify(ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let settings = ctx.enter("secrets verify", Permission::HubAdmin)?;
    let all = Context::store_to_read(&settings)?.sealed()?;
    let opener = ctx.opener(&settings)?;
    let progress = ctx.ui.progress("opening", all.len() as u64);
    let mut failed = Vec::new();
    let mut worst: Option<Kind> = None;
    for sealed in &all {
        if let Err(e) = right(&opener, sealed) {
            let is_worse = worst.is_none() || e.kind == Kind::BadState;
            worst = if is_worse { Some(e.kind) } else { worst };
            failed.push(e.message);
        }
        progress.step();
    }
    drop(progress);
    let (n, bad) = (all.len(), failed.len());
    if let Some(kind) = worst {
        for message in failed.iter().skip(1) {
            ctx.ui.warn(message);
        }
        let first = failed.first().map(String::as_str).unwrap_or_default();
        let hint = if kind == Kind::BadState {
            "restore the store from a backup, or give those routers new keys"
        } else {
            "name the identity of one of their recipients in keys.identity"
        };
        return Err(
            Error::new(kind, format!("{bad} of {n} stored secrets are not right: {first}")).hint(hint)
        );
    }
    if ctx.ui.is_json() {
        ctx.ui.json(&Envelope::new(SecretsReport {
            changed: false,
            action: "verified",
            dry_run: false,
            secrets: n,
            recipients: settings.recipients.len(),
        }))?;
    } else {
        ctx.ui.say(&format!("all {n} stored secrets open and are right"));
    }
    Ok(Outcome::Done)
}

/// Whether a secret opens and is the one it should be.
fn right(opener: &Opener, sealed: &Sealed) -> Result<(), Error> {
    let Some(public_key) = sealed.public_key else {
        return opener.open_bytes(&sealed.bytes).map(|_| ()).map_err(|e| about(sealed, e));
    };
    let key = opener.open(&sealed.bytes).map_err(|e| about(sealed, e))?;
    if key.public() == public_key {
        return Ok(());
    }
    Err(Error::new(Kind::BadState, format!("{}: the sealed key is not the one of its peer", owner(sealed))))
}

fn owner(sealed: &Sealed) -> &str {
    sealed.location.as_deref().unwrap_or("the hub")
}

fn about(sealed: &Sealed, e: VaultError) -> Error {
    let error = Error::from(e);
    Error { message: format!("{}: {}", owner(sealed), error.message), ..error }
}
