//! Whether every value in the store is one that this program writes, and where the first is that is
//! not. Values are never told, since they may be secret.

use super::{Store, StoreError, migrate};
use crate::model::{Description, KeyMode, LocationName, Org};
use ipnet::IpNet;
use jiff::Timestamp;
use rusqlite::{Connection, types::ValueRef};
use std::path::Path;

/// How a sealed value begins.
const AGE: &[u8] = b"age-encryption.org/v1";

/// A column as the schema declares it.
struct Column {
    name: String,
    declared: String,
    may_be_null: bool,
}

impl Store {
    /// Where the store at this path is damaged, if it is a store and has a value that cannot be read.
    pub fn damage_at(path: &Path) -> Option<StoreError> {
        let store = Self::open_to_read(path).ok()?;
        check_values(&store.conn).err().filter(|e| matches!(e, StoreError::Damaged { .. }))
    }
}

/// Checks every value of every table.
///
/// # Errors
/// [`StoreError::Damaged`] with table, row and column of the first that cannot be right.
pub(super) fn check_values(conn: &Connection) -> Result<(), StoreError> {
    for table in migrate::tables(conn)? {
        check_table(conn, &table)?;
    }
    Ok(())
}

fn check_table(conn: &Connection, table: &str) -> Result<(), StoreError> {
    let mut query = conn.prepare("SELECT name, type, \"notnull\" OR pk > 0 FROM pragma_table_info(?1)")?;
    let columns = query
        .query_map([table], |r| {
            Ok(Column { name: r.get(0)?, declared: r.get(1)?, may_be_null: !r.get::<_, bool>(2)? })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    // A table without row numbers has places.
    let has_rowid: bool =
        conn.query_row("SELECT NOT wr FROM pragma_table_list(?1)", [table], |r| r.get(0))?;
    let names: Vec<String> = columns.iter().map(|c| format!("\"{}\"", c.name)).collect();
    let row_number = if has_rowid { "rowid" } else { "NULL" };
    let mut rows = conn.prepare(&format!("SELECT {row_number}, {} FROM \"{table}\"", names.join(", ")))?;
    let mut rows = rows.query([])?;
    let mut place = 0;
    while let Some(row) = rows.next()? {
        place += 1;
        for (i, column) in columns.iter().enumerate() {
            if !is_right(column, row.get_ref(i + 1)?) {
                let row: Option<i64> = row.get(0)?;
                let (row, column) = (row.unwrap_or(place), &column.name);
                return Err(StoreError::Damaged {
                    what: format!("table {table}, row {row}, column {column} has no value that it can have"),
                });
            }
        }
    }
    Ok(())
}

/// Whether a column can have this value.
fn is_right(column: &Column, value: ValueRef<'_>) -> bool {
    let parses = |text: &str| match column.name.as_str() {
        "name" | "router_tag" => text.parse::<LocationName>().is_ok(),
        "org" => text.parse::<Org>().is_ok(),
        "description" => text.parse::<Description>().is_ok(),
        "key_mode" => text.parse::<KeyMode>().is_ok(),
        "net" => text.parse::<IpNet>().is_ok(),
        "wider_allowed" => text.split(',').all(|net| net.parse::<IpNet>().is_ok()),
        _ => true,
    };
    match value {
        ValueRef::Null => column.may_be_null,
        ValueRef::Integer(n) => column.declared == "INTEGER" && is_right_number(&column.name, n),
        ValueRef::Text(text) => column.declared == "TEXT" && std::str::from_utf8(text).is_ok_and(parses),
        ValueRef::Blob(bytes) => {
            let sealed = !column.name.starts_with("sealed_") || bytes.starts_with(AGE);
            column.declared == "BLOB" && sealed
        }
        ValueRef::Real(_) => false,
    }
}

fn is_right_number(column: &str, n: i64) -> bool {
    match column {
        "vpn_ip" | "ip" => u32::try_from(n).is_ok(),
        "enabled" | "is_online" | "revoked" | "believed" | "former" => matches!(n, 0 | 1),
        "state" | "announced" | "was" | "now" => (0..=5).contains(&n),
        "at" | "since" | "began" | "ended" | "last_handshake" => Timestamp::from_second(n).is_ok(),
        name if name.ends_with("_at") && name != "boot_at" => Timestamp::from_second(n).is_ok(),
        _ => true,
    }
}
