//! What the heartbeats saw.

use super::{Change, Store, StoreError, locations::second};
use crate::model::{PublicKey, Reading};
use jiff::Timestamp;
use rusqlite::OptionalExtension;

/// A peer as the heartbeat needs it: row, name and what was seen last.
#[derive(Debug)]
pub struct Watched {
    /// Row number of its location, to write the next reading with.
    pub id: i64,
    /// Its location's name.
    pub name: String,
    /// Its public key.
    pub public_key: PublicKey,
    /// What the last heartbeat saw.
    pub last: Option<Reading>,
}

impl Store {
    /// When the last heartbeat was.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn heartbeat_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let at: Option<i64> = self.conn.query_row("SELECT at FROM heartbeat", [], |r| r.get(0)).optional()?;
        Ok(at.map(|t| second(0, t)).transpose()?)
    }
}

impl Change<'_> {
    /// All enabled peers with their last reading, sorted by name.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn watched(&self) -> Result<Vec<Watched>, StoreError> {
        let mut query = self.prepare_cached(
            "SELECT l.id, l.name, p.public_key, r.last_handshake, r.endpoint, r.rx_bytes, r.tx_bytes, r.is_online
               FROM peer p JOIN location l ON l.id = p.location_id LEFT JOIN reading r ON r.location_id = l.id
              WHERE p.enabled = 1 ORDER BY l.name",
        )?;
        let rows = query.query_map([], |r| {
            let last = match r.get::<_, Option<bool>>(7)? {
                None => None,
                Some(is_online) => Some(Reading {
                    last_handshake: r.get::<_, Option<i64>>(3)?.map(|t| second(3, t)).transpose()?,
                    endpoint: r.get(4)?,
                    rx_bytes: r.get::<_, i64>(5)?.unsigned_abs(),
                    tx_bytes: r.get::<_, i64>(6)?.unsigned_abs(),
                    is_online,
                }),
            };
            Ok(Watched { id: r.get(0)?, name: r.get(1)?, public_key: PublicKey::from_bytes(r.get(2)?), last })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Writes one reading.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn write_reading(&self, id: i64, reading: &Reading) -> Result<(), StoreError> {
        self.prepare_cached(
            "INSERT INTO reading (location_id, last_handshake, endpoint, rx_bytes, tx_bytes, is_online)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (location_id) DO UPDATE SET last_handshake = excluded.last_handshake,
                 endpoint = excluded.endpoint, rx_bytes = excluded.rx_bytes,
                 tx_bytes = excluded.tx_bytes, is_online = excluded.is_online",
        )?
        .execute((
            id,
            reading.last_handshake.map(Timestamp::as_second),
            &reading.endpoint,
            i64::try_from(reading.rx_bytes).unwrap_or(i64::MAX),
            i64::try_from(reading.tx_bytes).unwrap_or(i64::MAX),
            reading.is_online,
        ))?;
        Ok(())
    }

    /// Notes that a heartbeat was at `now`.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn write_heartbeat(&self, now: Timestamp) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO heartbeat (one, at) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET at = excluded.at",
            [now.as_second()],
        )?;
        Ok(())
    }
}
