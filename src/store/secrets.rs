//! Everything in the store that is sealed: to be sealed anew when the recipients change.
//!
//! A column whose name begins with `sealed_` holds a sealed secret, in whatever table it is, so
//! that no new one can be forgotten here.

use super::{Change, Store, StoreError};
use crate::model::PublicKey;
use rusqlite::Connection;

/// A sealed secret and where it stands.
#[derive(Debug)]
pub struct Sealed {
    table: String,
    column: String,
    row: i64,
    /// The location it belongs to; `None` for the hub itself.
    pub location: Option<String>,
    /// The public key of the private one inside; `None` if it is no private key.
    pub public_key: Option<PublicKey>,
    /// The sealed secret.
    pub bytes: Vec<u8>,
}

impl Store {
    /// All sealed secrets.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn sealed(&self) -> Result<Vec<Sealed>, StoreError> {
        let mut all = Vec::new();
        for (table, column) in columns(&self.conn)? {
            let has = |name: &str| -> Result<bool, StoreError> {
                let sql = "SELECT count(*) > 0 FROM pragma_table_info(?1) WHERE name = ?2";
                Ok(self.conn.query_row(sql, (&table, name), |r| r.get(0))?)
            };
            let name = if has("location_id")? {
                "(SELECT name FROM location WHERE id = t.location_id)"
            } else {
                "NULL"
            };
            let key = if column == "sealed_key" && has("public_key")? { "t.public_key" } else { "NULL" };
            let mut query = self.conn.prepare(&format!(
                "SELECT t.rowid, {name}, {key}, t.\"{column}\" FROM \"{table}\" t
                  WHERE t.\"{column}\" IS NOT NULL ORDER BY t.rowid"
            ))?;
            let rows = query.query_map([], |r| {
                Ok(Sealed {
                    table: table.clone(),
                    column: column.clone(),
                    row: r.get(0)?,
                    location: r.get(1)?,
                    public_key: r.get::<_, Option<[u8; 32]>>(2)?.map(PublicKey::from_bytes),
                    bytes: r.get(3)?,
                })
            })?;
            for row in rows {
                all.push(row?);
            }
        }
        Ok(all)
    }
}

impl Change<'_> {
    /// Puts another sealing of the same secret in the place of this one; what was there is
    /// overwritten in the file.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if it is not there any more as it was read.
    pub fn reseal(&self, sealed: &Sealed, bytes: &[u8]) -> Result<(), StoreError> {
        self.forgets.set(true);
        let Sealed { table, column, .. } = sealed;
        let changed = self
            .prepare_cached(&format!(
                "UPDATE \"{table}\" SET \"{column}\" = ?1 WHERE rowid = ?2 AND \"{column}\" = ?3"
            ))?
            .execute((bytes, sealed.row, &sealed.bytes))?;
        if changed == 1 { Ok(()) } else { Err(StoreError::Busy) }
    }
}

/// All tables and columns of sealed secrets; the names are the schema's own.
fn columns(conn: &Connection) -> Result<Vec<(String, String)>, StoreError> {
    let mut query = conn.prepare(
        "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
          WHERE t.type = 'table' AND c.name GLOB 'sealed_*' ORDER BY t.name, c.name",
    )?;
    let rows = query.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
