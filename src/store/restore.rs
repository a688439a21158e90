//! The way back to a copy of the store.
//!
//! Crash: what takes the place of the store is made whole in a draft beside it, and gets there in
//! one transaction, so other processes see the old or the new content and a crash leaves the old.

use super::{
    Copies, Joint, Store, StoreError, audit,
    backup::{check, copy_rows, transfer},
    connect, create_empty, migrate, open_file,
};
use crate::model::Deed;
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::{path::Path, time::Duration};

/// What a draft has taken over from the store whose place it takes.
#[derive(Debug)]
pub struct TakenOver {
    /// How the audit record goes on.
    pub joint: Joint,
    /// Copies of records, to be sent once the draft is the store.
    pub copies: Copies,
    /// The locations that lose their peers, because the keys were revoked since.
    pub revoked: Vec<String>,
}

impl Store {
    /// Checks that a file is a whole store that this program can use; returns its schema version.
    ///
    /// # Errors
    /// [`StoreError`] saying what it is instead.
    pub fn examine(path: &Path) -> Result<usize, StoreError> {
        let conn = open_file(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        match migrate::inspect(&conn)? {
            migrate::Found::Empty => Err(StoreError::NotOurs),
            migrate::Found::Ours(version) => check(&conn).map(|()| version),
        }
    }

    /// Copies the examined store `from` into the empty file `to`, and brings the schema of the copy
    /// up to date. It has no journal, so the file alone is the store.
    ///
    /// # Errors
    /// [`StoreError`] if reading or writing fails.
    pub fn draft(from: &Path, to: &Path) -> Result<Self, StoreError> {
        copy_rows(&open_file(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?, to)?;
        let mut conn = open_file(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        migrate::migrate(&mut conn)?;
        Ok(Self { conn })
    }

    /// When this store was last changed or read a handshake, as far as it says.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn last_used(&self) -> Result<Option<Timestamp>, StoreError> {
        let at: Option<i64> = self.conn.query_row(
            "SELECT max(at) FROM (SELECT at FROM heartbeat
                UNION ALL SELECT at FROM (SELECT at FROM audit ORDER BY seq DESC LIMIT 1))",
            [],
            |r| r.get(0),
        )?;
        Ok(at.map(|at| super::locations::second(0, at)).transpose()?)
    }

    /// Takes over into a draft what a restore must not take back, and ends its record with this
    /// deed: the audit record, revoked keys, addresses that were given since, and what is known of
    /// the clock. A rotation under way begins to wait anew: its router may use the next key by now.
    ///
    /// # Errors
    /// [`StoreError`] if reading or writing fails; the draft is as it was then.
    pub fn take_over(&mut self, replaced: Option<&Self>, deed: &Deed) -> Result<TakenOver, StoreError> {
        let tx = self.conn.transaction()?;
        let (mut joint, mut revoked) = (Joint::Apart, Vec::new());
        if let Some(Self { conn: replaced }) = replaced {
            joint = audit::join(&tx, replaced)?;
            revoked = keep_retired(&tx, replaced)?;
            keep_addresses(&tx, replaced)?;
            keep_clock(&tx, replaced)?;
        }
        tx.execute("UPDATE pending_key SET since = ?1", [deed.at.as_second()])?;
        let mut copies = Copies::default();
        audit::append(&tx, deed, &mut copies)?;
        tx.commit()?;
        self.conn.execute_batch("VACUUM")?;
        Ok(TakenOver { joint, copies, revoked })
    }

    /// Replaces the content of the store at `path` by that of the examined file `from`.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if another process keeps it for longer than `patience`; the old
    /// content is there then.
    pub fn replace_content(path: &Path, from: &Path, patience: Duration) -> Result<(), StoreError> {
        let source = open_file(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        transfer(&source, &mut conn, patience)?;
        drop(source);
        // The copy brought its journal mode along.
        conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        migrate::migrate(&mut conn)?;
        // The journal has pages of the replaced store.
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }

    /// Makes a new store at a place where there is none, from the examined file `from`.
    ///
    /// # Errors
    /// [`StoreError::Fs`] if the file cannot be written.
    pub fn create_from(path: &Path, from: &Path) -> Result<(), StoreError> {
        create_empty(path)?;
        Self::replace_content(path, from, Duration::from_secs(10))
    }
}

/// Takes over the keys that must not be on the interface. One that was revoked is taken off its
/// location; one that was only retired may be a peer's again, which is what a restore is for.
fn keep_retired(draft: &Connection, replaced: &Connection) -> Result<Vec<String>, StoreError> {
    const HOLDERS: &str = "SELECT l.name FROM location l WHERE l.id IN (
        SELECT location_id FROM peer WHERE public_key = ?1
        UNION ALL SELECT location_id FROM pending_key WHERE public_key = ?1)";
    let mut names = Vec::new();
    let mut holder = draft.prepare(HOLDERS)?;
    let mut retire = draft.prepare(
        "INSERT INTO retired_key (public_key, retired_at, revoked) VALUES (?1, ?2, ?3)
         ON CONFLICT (public_key) DO UPDATE SET revoked = max(revoked, excluded.revoked)",
    )?;
    let mut keys = replaced.prepare("SELECT public_key, retired_at, revoked FROM retired_key")?;
    let mut rows = keys.query([])?;
    while let Some(row) = rows.next()? {
        let (key, at, revoked): ([u8; 32], i64, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let name: Option<String> = holder.query_row([key], |r| r.get(0)).optional()?;
        if revoked && let Some(name) = &name {
            // With its peer goes the next key of that peer.
            draft.execute("DELETE FROM pending_key WHERE public_key = ?1", [key])?;
            draft.execute("DELETE FROM peer WHERE public_key = ?1", [key])?;
            names.push(name.clone());
        }
        if revoked || name.is_none() {
            retire.execute((key, at, revoked))?;
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// Puts the addresses that the draft does not know to be used at the end of its queue, those that
/// were freed first. Addresses of the hub stay held.
fn keep_addresses(draft: &Connection, replaced: &Connection) -> Result<(), StoreError> {
    let mut put = draft.prepare(
        "INSERT OR IGNORE INTO freed_address (vpn_ip) SELECT ?1
          WHERE NOT EXISTS (SELECT 1 FROM location WHERE vpn_ip = ?1)
            AND NOT EXISTS (SELECT 1 FROM pending_address WHERE vpn_ip = ?1)",
    )?;
    for addresses in [
        "SELECT vpn_ip FROM freed_address ORDER BY seq",
        "SELECT vpn_ip FROM location WHERE vpn_ip IS NOT NULL ORDER BY id",
        "SELECT vpn_ip FROM pending_address",
        "SELECT first FROM wider_range WHERE prefix = 32",
    ] {
        let mut query = replaced.prepare(addresses)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            put.execute([row.get::<_, i64>(0)?])?;
        }
    }
    let mut hold = draft.prepare(
        "INSERT OR IGNORE INTO hub_address (ip, prefix, former) SELECT ?1, ?2, 1
          WHERE NOT EXISTS (SELECT 1 FROM location WHERE vpn_ip = ?1)
            AND NOT EXISTS (SELECT 1 FROM pending_address WHERE vpn_ip = ?1)
            AND NOT EXISTS (SELECT 1 FROM wider_range WHERE prefix = 32 AND first = ?1)",
    )?;
    let mut query = replaced.prepare("SELECT ip, prefix FROM hub_address")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        hold.execute((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))?;
    }
    Ok(())
}

/// The clock is judged from what this machine saw last, not from the time of the backup.
fn keep_clock(draft: &Connection, replaced: &Connection) -> Result<(), StoreError> {
    type Row = (bool, i64, Option<String>, Option<i64>);
    draft.execute("DELETE FROM clock", [])?;
    let mut query = replaced.prepare("SELECT believed, at, boot_id, boot_at FROM clock")?;
    let rows = query.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))?;
    for row in rows {
        let row: Row = row?;
        draft.execute("INSERT INTO clock (believed, at, boot_id, boot_at) VALUES (?1, ?2, ?3, ?4)", row)?;
    }
    Ok(())
}
