//! What the heartbeats saw.

use super::{
    Change, Store, StoreError,
    locations::second,
    wanted::{self, Pending},
};
use crate::model::{Counts, Reading, Record, State, plan::WantedPeer};
use jiff::Timestamp;
use rusqlite::{CachedStatement, OptionalExtension, Row};
use std::fmt;

/// A peer as the heartbeat needs it: what was seen last, and what the interface shall hold.
#[derive(Debug)]
pub struct Watched {
    /// Row number of its location, to write the next reading with.
    pub id: i64,
    /// Its location's name.
    pub name: String,
    /// What the last heartbeat saw.
    pub last: Option<Reading>,
    /// What it noted beside that.
    pub record: Option<Record>,
    /// What shall be on the interface for its present key.
    pub wanted: WantedPeer,
    /// The same for its next key, if it is to get one.
    pub next: Option<WantedPeer>,
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

    /// All enabled peers with their last readings, in no order that means anything.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn watched(&self) -> Result<Vec<Watched>, StoreError> {
        // In the order of the rows: all tables are walked through once, beginning to end.
        let mut query = self.conn.prepare_cached(&format!(
            "{}, r.last_handshake, r.endpoint, r.rx_bytes, r.tx_bytes, r.is_online,
                    r.state, r.since, r.announced, r.pending, r.rx_total, r.tx_total
               {} LEFT JOIN reading r ON r.location_id = p.location_id
              WHERE p.enabled = 1 ORDER BY p.location_id",
            wanted::COLUMNS,
            wanted::TABLES
        ))?;
        let pending = Pending::read(&self.conn)?;
        let mut rows = query.query([])?;
        let mut all = Vec::new();
        while let Some(r) = rows.next()? {
            let last = match r.get::<_, Option<bool>>(13)? {
                None => None,
                Some(is_online) => Some(Reading {
                    last_handshake: r.get::<_, Option<i64>>(9)?.map(|t| second(9, t)).transpose()?,
                    endpoint: r.get(10)?,
                    rx_bytes: r.get::<_, i64>(11)?.unsigned_abs(),
                    tx_bytes: r.get::<_, i64>(12)?.unsigned_abs(),
                    is_online,
                    is_unknown: is_unknown(r, 14)?,
                }),
            };
            all.push(Watched {
                id: r.get(0)?,
                name: r.get(1)?,
                record: if last.is_some() { record(r)? } else { None },
                last,
                wanted: pending.peer(r)?,
                next: pending.next(r)?,
            });
        }
        Ok(all)
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
    /// What writes readings, one after the other.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be prepared.
    pub fn readings(&self) -> Result<Readings<'_>, StoreError> {
        Ok(Readings {
            insert: self.prepare_cached(
                "INSERT INTO reading (last_handshake, endpoint, rx_bytes, tx_bytes, is_online, state, since,
                                      announced, pending, rx_total, tx_total, location_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?,
            update: self.prepare_cached(
                "UPDATE reading SET last_handshake = ?1, endpoint = ?2, rx_bytes = ?3, tx_bytes = ?4,
                        is_online = ?5, state = ?6, since = ?7, announced = ?8, pending = ?9, rx_total = ?10,
                        tx_total = ?11
                  WHERE location_id = ?12",
            )?,
        })
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

/// Two statements, looked up once for many peers.
pub struct Readings<'a> {
    insert: CachedStatement<'a>,
    update: CachedStatement<'a>,
}

impl Readings<'_> {
    /// Writes one reading and what is noted beside it; `is_first` where the peer has none yet.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn write(
        &mut self,
        id: i64,
        is_first: bool,
        reading: &Reading,
        record: &Record,
    ) -> Result<(), StoreError> {
        let statement = if is_first { &mut self.insert } else { &mut self.update };
        statement.execute((
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
            id,
        ))?;
        Ok(())
    }
}

impl fmt::Debug for Readings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readings").finish_non_exhaustive()
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// What stands beside the reading; `None` where none was written since there is a history.
fn record(r: &Row<'_>) -> rusqlite::Result<Option<Record>> {
    let Some(at) = r.get::<_, Option<i64>>(15)? else {
        return Ok(None);
    };
    Ok(Some(Record {
        state: state(14, r.get(14)?)?,
        since: second(15, at)?,
        announced: state(16, r.get(16)?)?,
        pending: r.get(17)?,
        rx_total: r.get::<_, i64>(18)?.unsigned_abs(),
        tx_total: r.get::<_, i64>(19)?.unsigned_abs(),
    }))
}
