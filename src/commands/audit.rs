//! `iwas-wg audit`: the record of who did what.

use super::{Context, Outcome, columns::Columns};
use crate::model::text::{count, plural};
use crate::{
    access::Permission,
    error::{Error, Kind},
    model::{
        LocationName,
        time::{Side, parse_moment},
    },
    output::{
        Column, Table,
        json::{AuditList, AuditVerdict, DeedReport, Envelope, time},
    },
    store::Query,
};

/// Read and check the record of who did what
///
/// Every call that changed something or showed a key is on record, and every one that was refused.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg audit list --since 24h
  iwas-wg audit verify")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    List(ListArgs),
    Verify(VerifyArgs),
}

/// List what was done and by whom, oldest first
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg audit list --since 7d
  iwas-wg audit list --user anna --location cafe-central
  iwas-wg --json audit list | jq '.records[] | select(.outcome == \"denied\")'")]
struct ListArgs {
    /// How far back: a span such as 7d or 1h30m, or a date or time
    #[arg(long, value_name = "T")]
    since: Option<String>,
    /// By this user
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// About this location
    #[arg(long, value_name = "NAME")]
    location: Option<String>,
    #[command(flatten)]
    columns: Columns,
}

/// Check that no record was edited, removed or reordered
///
/// Exit 0 if the chain of records holds, 6 with the first record at which it does not. Root can
/// make a whole new chain: note the last line now and then elsewhere, or send a copy of each
/// record to syslog ([access] syslog), and give the noted end with --end.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  iwas-wg audit verify
  iwas-wg audit verify --end \"$(cat audit.end)\"")]
struct VerifyArgs {
    /// An end that was noted before: the chain must still go through it
    #[arg(long, value_name = "N:HASH")]
    end: Option<String>,
}

pub(super) fn run(args: Args, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    match args.verb {
        Verb::List(args) => list(&args, ctx),
        Verb::Verify(args) => verify(&args, ctx),
    }
}

fn list(args: &ListArgs, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let since =
        args.since.as_deref().map(|text| parse_moment("time", text, ctx.now(), Side::Past)).transpose()?;
    let location: Option<LocationName> = args.location.as_deref().map(str::parse).transpose()?;
    let settings = ctx.enter("audit list", Permission::AuditRead)?;
    let location = location.as_ref().map(LocationName::as_str);
    let query = Query { since, user: args.user.as_deref(), location };
    let records = Context::store_to_read(&settings)?.records(&query, &ctx.scope)?;
    if ctx.ui.is_json() {
        let records = records.into_iter().map(DeedReport::from).collect();
        ctx.ui.json(&Envelope::new(AuditList { records }))?;
        return Ok(Outcome::Done);
    }
    let mut table = Table::new(&[
        Column::number("N", 4),
        Column::text("AT", 0),
        Column::text("USER", 0),
        Column::text("VIA", 3),
        Column::text("ACTION", 0),
        Column::text("LOCATION", 1),
        Column::text("ORG", 2),
        Column::text("OUTCOME", 0),
    ]);
    let is_empty = records.is_empty();
    for r in records {
        table.row(vec![
            r.seq.to_string(),
            time(r.at),
            r.user,
            r.via.unwrap_or_default(),
            r.action,
            r.location.unwrap_or_default(),
            r.org.unwrap_or_default(),
            r.ending,
        ]);
    }
    let table = args.columns.of(table)?;
    if is_empty {
        ctx.ui.say("no records");
    } else {
        ctx.ui.table(&table)?;
    }
    Ok(Outcome::Done)
}

fn verify(args: &VerifyArgs, ctx: &mut Context<'_>) -> Result<Outcome, Error> {
    let noted = args.end.as_deref().map(noted_end).transpose()?;
    let settings = ctx.enter("audit verify", Permission::AuditRead)?;
    // A chain has no part that is one org's.
    if !ctx.scope.is_all() {
        ctx.require(Permission::AuditRead, None)?;
    }
    let store = Context::store_to_read(&settings)?;
    let end = store.chain_end()?;
    let mut broken = store.verify_chain()?.map(|b| (b.seq, b.what));
    if let (None, Some((seq, hash))) = (broken, noted)
        && store.hash_of_record(seq)?.as_deref() != Some(hash)
    {
        broken = Some((seq, "is not the one that was noted"));
    }
    if ctx.ui.is_json() && broken.is_none() {
        let end = end.into();
        ctx.ui.json(&Envelope::new(AuditVerdict { intact: true, end }))?;
        return Ok(Outcome::Done);
    }
    if let Some((seq, what)) = broken {
        return Err(Error::new(Kind::BadState, format!("record {seq} {what}")).hint(
            "what is before it can be trusted, what is behind it cannot; look into backups and syslog",
        ));
    }
    let n = usize::try_from(end.seq).unwrap_or(usize::MAX);
    ctx.ui.data(&format!(
        "{} {} written; the end is {}:{}\n",
        count(n, "record"),
        plural(n, "is as it was", "are as they were"),
        end.seq,
        end.hash
    ))?;
    Ok(Outcome::Done)
}

fn noted_end(text: &str) -> Result<(i64, &str), Error> {
    let wrong = || {
        Error::new(Kind::Usage, format!("end {text:?} is not N:HASH"))
            .hint("give it as \"iwas-wg audit verify\" printed it")
    };
    let (seq, hash) = text.split_once(':').ok_or_else(wrong)?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    match seq.parse() {
        Ok(seq) if seq > 0 && is_hash => Ok((seq, hash)),
        _ => Err(wrong()),
    }
}
