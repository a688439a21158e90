//! The record of deeds.

use super::{Change, Store, StoreError};
use crate::model::Deed;
use rusqlite::Connection;

impl Store {
    /// Records a call that changes nothing in the store itself, such as showing a key.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be written.
    pub fn record(&mut self, deed: &Deed) -> Result<(), StoreError> {
        let change = self.change()?;
        change.commit(deed)
    }
}

impl Change<'_> {
    /// Records one more deed of this change: a call about many locations has one for each.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be written.
    pub fn record(&self, deed: &Deed) -> Result<(), StoreError> {
        insert(&self.tx, deed)
    }

    /// Makes the change durable together with the record of it.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be written; nothing is changed then.
    pub fn commit(self, deed: &Deed) -> Result<(), StoreError> {
        insert(&self.tx, deed)?;
        Ok(self.tx.commit()?)
    }
}

fn insert(conn: &Connection, deed: &Deed) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO audit (at, uid, user, via, action, location, org, ending)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute((
        deed.at.as_second(),
        deed.caller.uid,
        &deed.caller.user,
        deed.caller.via,
        deed.action,
        &deed.location,
        &deed.org,
        deed.ending.as_str(),
    ))?;
    Ok(())
}
