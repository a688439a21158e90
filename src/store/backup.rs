//! Copies of the store while it is in use.
//!
//! Crash: a copy appears under its name only when it is whole and checked.

use super::{Store, StoreError, damage, migrate, open_file};
use rusqlite::{Connection, OpenFlags, backup};
use std::{
    path::Path,
    time::{Duration, Instant},
};

impl Store {
    /// Copies the store into an existing empty file, whose mode is kept, and checks the copy.
    ///
    /// # Errors
    /// [`StoreError`] if copying or checking fails.
    pub fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        copy_rows(&self.conn, path)?;
        check(&open_file(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?)
    }

    /// Checks the content of the store.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the first fault.
    pub fn check(&self) -> Result<(), StoreError> {
        check(&self.conn)
    }
}

/// Copies all rows into an existing empty file. Pages would bring along what was deleted from them.
pub(super) fn copy_rows(from: &Connection, to: &Path) -> Result<(), StoreError> {
    let to = to.to_str().ok_or(StoreError::Denied)?;
    from.execute("VACUUM INTO ?1", [to])?;
    Ok(())
}

/// Writes the whole file anew from its rows, so that no page keeps what was deleted from it, and
/// empties the journal.
pub(super) fn scrub(conn: &Connection) -> Result<(), StoreError> {
    conn.execute_batch("VACUUM")?;
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

/// Copies all pages in one step, so that the copy is of one moment.
pub(super) fn transfer(from: &Connection, to: &mut Connection, patience: Duration) -> Result<(), StoreError> {
    let deadline = Instant::now() + patience;
    let copy = backup::Backup::new(from, to)?;
    loop {
        match copy.step(-1)? {
            backup::StepResult::Done => return Ok(()),
            _ if Instant::now() >= deadline => return Err(StoreError::Busy),
            _ => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

pub(super) fn check(conn: &Connection) -> Result<(), StoreError> {
    let verdict: String = conn.query_row("PRAGMA integrity_check(1)", [], |r| r.get(0))?;
    if verdict != "ok" {
        return Err(StoreError::Damaged { what: verdict.replace('\n', ", ") });
    }
    migrate::check_references(conn)?;
    damage::check_values(conn)
}
