//! Copies of the store while it is in use, and the way back.
//!
//! Crash: a copy appears under its name only when it is whole and checked. Going back happens in
//! one transaction of the store itself, so other processes see the old or the new content and a
//! crash leaves the old.

use super::{Copies, Joint, Store, StoreError, audit, connect, migrate};
use crate::{fsx, model::Deed};
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
        let mut copy = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        transfer(&self.conn, &mut copy, Duration::from_secs(60))?;
        // A copy is one file: no journal beside it.
        copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
        check(&copy)
    }

    /// Checks that a file is a whole store that this program can use; returns its schema version.
    ///
    /// # Errors
    /// [`StoreError`] saying what it is instead.
    pub fn examine(path: &Path) -> Result<usize, StoreError> {
        let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        match migrate::inspect(&conn)? {
            migrate::Found::Empty => Err(StoreError::NotOurs),
            migrate::Found::Ours(version) => check(&conn).map(|()| version),
        }
    }

    /// Makes the content of a store of the examined backup `from`, in the empty file `to`: its
    /// schema is up to date, and its record goes on from that of the replaced store and ends with
    /// this deed. The file takes the place of the store in one step, so a crash loses no record.
    ///
    /// # Errors
    /// [`StoreError`] if reading or writing fails.
    pub fn prepare_restored(
        from: &Path,
        to: &Path,
        replaced: Option<&Store>,
        deed: &Deed,
    ) -> Result<(Joint, Copies), StoreError> {
        let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut conn = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        transfer(&source, &mut conn, Duration::from_secs(60))?;
        conn.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
        migrate::migrate(&mut conn)?;
        let tx = conn.transaction()?;
        let joint = match replaced {
            Some(replaced) => audit::join(&tx, &replaced.conn)?,
            None => Joint::Apart,
        };
        let mut copies = Copies::default();
        audit::append(&tx, deed, &mut copies)?;
        tx.commit()?;
        Ok((joint, copies))
    }

    /// Replaces the content of the store at `path` by that of the examined file `from`.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if another process keeps it for longer than `patience`; the old
    /// content is there then.
    pub fn replace_content(path: &Path, from: &Path, patience: Duration) -> Result<(), StoreError> {
        let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        transfer(&source, &mut conn, patience)?;
        drop(source);
        // The copy brought its journal mode along.
        conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        migrate::migrate(&mut conn)
    }

    /// Checks the content of the store.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the first fault.
    pub fn check(&self) -> Result<(), StoreError> {
        check(&self.conn)
    }

    /// Makes a new store at a place where there is none, from the examined file `from`.
    ///
    /// # Errors
    /// [`StoreError::Fs`] if the file cannot be written.
    pub fn create_from(path: &Path, from: &Path) -> Result<(), StoreError> {
        fsx::create(path, b"", 0o600)?;
        Self::replace_content(path, from, Duration::from_secs(10))
    }
}

/// Copies all pages in one step, so that the copy is of one moment.
fn transfer(from: &Connection, to: &mut Connection, patience: Duration) -> Result<(), StoreError> {
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

fn check(conn: &Connection) -> Result<(), StoreError> {
    let verdict: String = conn.query_row("PRAGMA integrity_check(1)", [], |r| r.get(0))?;
    if verdict != "ok" {
        return Err(StoreError::Damaged { what: verdict.replace('\n', ", ") });
    }
    migrate::check_references(conn)
}
