//! What the heartbeats saw.

use super::{Change, Store, StoreError, locations::second};
use crate::model::{Counts, PublicKey, Reading, Record, State};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row};

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
    /// What it noted beside that.
    pub record: Option<Record>,
}

/// The number of a state in the store.
pub(super) const fn code(state: State) -> i64 {
    match state {
        State::Online => 0,
        State::Offline => 1,
        State::Never => 2,
        State::Disabled => 3,
        State::Unprovisioned => 4,
        State::Unknown => 5,
    }
}

/// The state of a number in the store.
pub(super) fn state(column: usize, number: i64) -> rusqlite::Result<State> {
    State::ALL
        .into_iter()
        .find(|s| code(*s) == number)
        .ok_or(rusqlite::Error::IntegralValueOutOfRange(column, number))
}

/// Whether the state in this column says that nothing was known.
pub(super) fn is_unknown(r: &Row<'_>, column: usize) -> rusqlite::Result<bool> {
    Ok(r.get::<_, Option<i64>>(column)? == Some(code(State::Unknown)))
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

    /// The locations that a heartbeat does not look at: disabled and unprovisioned ones.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn idle_counts(&self) -> Result<Counts, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT (SELECT count(*) FROM peer WHERE enabled = 0),
                    (SELECT count(*) FROM location) - (SELECT count(*) FROM peer)",
        )?;
        let count = |r: &Row<'_>, i| Ok::<_, rusqlite::Error>(r.get::<_, i64>(i)?.unsigned_abs());
        Ok(query.query_row([], |r| {
            Ok(Counts { disabled: count(r, 0)?, unprovisioned: count(r, 1)?, ..Counts::default() })
        })?)
    }
}

impl Change<'_> {
    /// All enabled peers with their last reading, sorted by name.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn watched(&self) -> Result<Vec<Watched>, StoreError> {
        let mut query = self.prepare_cached(
            "SELECT l.id, l.name, p.public_key, r.last_handshake, r.endpoint, r.rx_bytes, r.tx_bytes, r.is_online,
                    r.state, r.since, r.announced, r.pending, r.rx_total, r.tx_total
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
                    is_unknown: is_unknown(r, 8)?,
                }),
            };
            Ok(Watched {
                id: r.get(0)?,
                name: r.get(1)?,
                public_key: PublicKey::from_bytes(r.get(2)?),
                last,
                record: record(r)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Writes one reading and what is noted beside it.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn write_reading(&self, id: i64, reading: &Reading, record: &Record) -> Result<(), StoreError> {
        self.prepare_cached(
            "INSERT INTO reading (location_id, last_handshake, endpoint, rx_bytes, tx_bytes, is_online,
                                  state, since, announced, pending, rx_total, tx_total)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (location_id) DO UPDATE SET last_handshake = excluded.last_handshake,
                 endpoint = excluded.endpoint, rx_bytes = excluded.rx_bytes,
                 tx_bytes = excluded.tx_bytes, is_online = excluded.is_online,
                 state = excluded.state, since = excluded.since, announced = excluded.announced,
                 pending = excluded.pending, rx_total = excluded.rx_total, tx_total = excluded.tx_total",
        )?
        .execute((
            id,
            reading.last_handshake.map(Timestamp::as_second),
            &reading.endpoint,
            signed(reading.rx_bytes),
            signed(reading.tx_bytes),
            reading.is_online,
            code(record.state),
            record.since.as_second(),
            code(record.announced),
            record.pending,
            signed(record.rx_total),
            signed(record.tx_total),
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

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// What stands beside the reading; `None` where none was written since there is a history.
fn record(r: &Row<'_>) -> rusqlite::Result<Option<Record>> {
    let Some(at) = r.get::<_, Option<i64>>(9)? else {
        return Ok(None);
    };
    Ok(Some(Record {
        state: state(8, r.get(8)?)?,
        since: second(9, at)?,
        announced: state(10, r.get(10)?)?,
        pending: r.get(11)?,
        rx_total: r.get::<_, i64>(12)?.unsigned_abs(),
        tx_total: r.get::<_, i64>(13)?.unsigned_abs(),
    }))
}
