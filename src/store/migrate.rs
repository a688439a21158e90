//! From an older schema to the newest, all steps in one exclusive transaction.
//!
//! A step is never edited after release; its place in the list is its version. A crash leaves
//! the old schema whole; a second process waits for the transaction and then finds nothing to do.

use super::{StoreError, ranges};
use rusqlite::{Connection, TransactionBehavior};
use std::sync::{Mutex, PoisonError};

/// `iwas` in ASCII: how file(1) and we know our own file.
const APPLICATION_ID: i32 = 0x6977_6173;

const STEPS: &[&str] = &[
    include_str!("schema/001_init.sql"),
    include_str!("schema/002_audit.sql"),
    include_str!("schema/003_peer_life.sql"),
    include_str!("schema/004_history.sql"),
    include_str!("schema/005_scale.sql"),
    include_str!("schema/006_clock.sql"),
    include_str!("schema/007_addresses.sql"),
    include_str!("schema/008_peer_settings.sql"),
];

/// The first version that knows [`ranges`] apart from the text of a peer.
const WITH_RANGES: usize = 7;

/// The schema version that this program writes.
pub const SCHEMA_VERSION: usize = STEPS.len();

/// What kind of file stands behind a connection.
pub(super) enum Found {
    Empty,
    Ours(usize),
}

/// Looks at the file's marks without changing it.
pub(super) fn inspect(conn: &Connection) -> Result<Found, StoreError> {
    let id: i32 = conn.query_row("PRAGMA application_id", [], |r| r.get(0))?;
    let version: i64 = conn.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
    if tables == 0 && version == 0 {
        return Ok(Found::Empty);
    }
    if id != APPLICATION_ID {
        return Err(StoreError::NotOurs);
    }
    let version = usize::try_from(version).map_err(|_| StoreError::NotOurs)?;
    if version > SCHEMA_VERSION {
        return Err(StoreError::Newer { found: version });
    }
    check_schema(conn, version)?;
    Ok(Found::Ours(version))
}

/// One statement of a schema: its kind, its name, its table and its text.
type Statement = (String, String, String, Option<String>);

fn statements(conn: &Connection) -> rusqlite::Result<Vec<Statement>> {
    let mut query =
        conn.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")?;
    let rows = query.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))?;
    rows.collect()
}

/// The names of all tables that are not SQLite's own.
pub(super) fn tables(conn: &Connection) -> Result<Vec<String>, StoreError> {
    let all = statements(conn)?.into_iter();
    let tables = all.filter(|(kind, name, ..)| kind == "table" && !name.starts_with("sqlite_"));
    Ok(tables.map(|(_, name, ..)| name).collect())
}

/// The schema of a version, as this program makes it; made once in a process.
fn made(version: usize) -> Result<Vec<Statement>, StoreError> {
    static MADE: Mutex<Vec<Option<Vec<Statement>>>> = Mutex::new(Vec::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.resize(STEPS.len() + 1, None);
    if let Some(statements) = &made[version] {
        return Ok(statements.clone());
    }
    let conn = Connection::open_in_memory()?;
    for step in &STEPS[..version] {
        conn.execute_batch(step)?;
    }
    let all = statements(&conn)?;
    made[version] = Some(all.clone());
    Ok(all)
}

/// The schema must be the one of its version, statement by statement: a trigger that somebody added
/// would act on every change.
fn check_schema(conn: &Connection, version: usize) -> Result<(), StoreError> {
    let (made, found) = (made(version)?, statements(conn)?);
    if made == found {
        return Ok(());
    }
    let not_in = |those: &[Statement], these: &[Statement]| -> Option<String> {
        let (kind, name, ..) = these.iter().find(|s| !those.contains(s))?;
        Some(format!("{kind} {name:?}"))
    };
    let what = match (not_in(&made, &found), not_in(&found, &made)) {
        (Some(foreign), _) => format!("its {foreign} is not as this program makes it"),
        (None, missing) => format!("its {} is missing", missing.unwrap_or_default()),
    };
    Err(StoreError::Damaged { what })
}

/// Brings the file to [`SCHEMA_VERSION`].
pub(super) fn migrate(conn: &mut Connection) -> Result<(), StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    let from = match inspect(&tx)? {
        Found::Empty => {
            tx.pragma_update(None, "application_id", APPLICATION_ID)?;
            0
        }
        Found::Ours(version) => version,
    };
    for step in &STEPS[from..] {
        tx.execute_batch(step)?;
    }
    if from < WITH_RANGES {
        ranges::fill(&tx)?;
    }
    tx.pragma_update(None, "user_version", i64::try_from(SCHEMA_VERSION).unwrap_or(i64::MAX))?;
    check_references(&tx)?;
    tx.commit()?;
    Ok(())
}

/// Finds a row that refers to nothing.
pub(super) fn check_references(conn: &Connection) -> Result<(), StoreError> {
    let mut check = conn.prepare("PRAGMA foreign_key_check")?;
    let mut rows = check.query([])?;
    match rows.next()? {
        None => Ok(()),
        Some(row) => {
            let table: String = row.get(0)?;
            Err(StoreError::Damaged { what: format!("a row of {table} refers to nothing") })
        }
    }
}
