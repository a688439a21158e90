//! What became of each site over time: transitions, times without a heartbeat, bytes by day, and
//! the changes that nobody has been told yet.

use super::{
    Change, Store, StoreError,
    locations::second,
    readings::{code, state},
};
use crate::model::{
    LocationName, State,
    history::{Gap, Step},
};
use jiff::Timestamp;
use rusqlite::OptionalExtension;

const DAY: i64 = 86_400;

/// One site's past, as far as it reaches into the asked time.
#[derive(Debug)]
pub struct Past<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its changes of state in order; the first may be from before.
    pub steps: &'a [Step],
    /// Bytes received from its router since the beginning of the first day.
    pub rx_bytes: u64,
    /// Bytes sent to it, likewise.
    pub tx_bytes: u64,
}

/// A change that `heartbeat.on_change` has not taken yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Its place in the queue.
    pub seq: i64,
    /// The location.
    pub name: String,
    /// Its owner at the time.
    pub org: Option<String>,
    /// The state that was announced before.
    pub from: State,
    /// The state now.
    pub to: State,
    /// Since when.
    pub at: Timestamp,
}

impl Store {
    /// Hands the past of each site since `from` to `visit`, sites that were never seen included;
    /// of one location only where it is named. Sorted by nothing that means anything.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn visit_past(
        &self,
        from: Timestamp,
        only: Option<&LocationName>,
        visit: &mut dyn FnMut(&Past<'_>),
    ) -> Result<(), StoreError> {
        // One moment for all that is read, and one lock.
        let moment = self.conn.unchecked_transaction()?;
        let mut query = moment.prepare_cached(
            // From the last change before the beginning on: it says what the state was then.
            "SELECT at, state FROM transition WHERE location_id = ?1
                AND at >= coalesce((SELECT max(at) FROM transition WHERE location_id = ?1 AND at <= ?2), ?2)
              ORDER BY at",
        )?;
        let mut steps = Vec::new();
        for (id, site) in self.sites(from, only.map(LocationName::as_str))? {
            steps.clear();
            let mut rows = query.query((id, from.as_second()))?;
            while let Some(row) = rows.next()? {
                steps.push(Step { at: row.get(0)?, state: state(1, row.get(1)?)? });
            }
            visit(&site.past(&steps));
        }
        Ok(())
    }

    fn sites(&self, from: Timestamp, only: Option<&str>) -> Result<Vec<(i64, Site)>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT l.id, l.name, coalesce(r.rx_total - coalesce(t.rx_total, 0), 0),
                    coalesce(r.tx_total - coalesce(t.tx_total, 0), 0)
               FROM location l LEFT JOIN reading r ON r.location_id = l.id
               LEFT JOIN traffic t ON t.location_id = l.id AND t.day = (SELECT max(day) FROM day WHERE day <= ?1)
              WHERE ?2 IS NULL OR l.name = ?2 ORDER BY l.id",
        )?;
        let rows = query.query_map((from.as_second().div_euclid(DAY), only), |r| {
            // A total that is smaller than it was belongs to a peer that was made anew.
            let bytes =
                |column| Ok::<_, rusqlite::Error>(u64::try_from(r.get::<_, i64>(column)?).unwrap_or(0));
            Ok((r.get(0)?, Site { name: r.get(1)?, rx_bytes: bytes(2)?, tx_bytes: bytes(3)? }))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Times without a heartbeat that reach beyond `from`, in order.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn gaps(&self, from: Timestamp) -> Result<Vec<Gap>, StoreError> {
        let mut query =
            self.conn.prepare_cached("SELECT began, ended FROM gap WHERE ended > ?1 ORDER BY began")?;
        let rows = query.query_map([from.as_second()], |r| Ok(Gap { from: r.get(0)?, until: r.get(1)? }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// When the hub was made.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn created_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let at: Option<i64> =
            self.conn.query_row("SELECT created_at FROM hub", [], |r| r.get(0)).optional()?;
        Ok(at.map(|t| second(0, t)).transpose()?)
    }

    /// A number that is another after somebody else has written.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn version(&self) -> Result<i64, StoreError> {
        Ok(self.conn.query_row("PRAGMA data_version", [], |r| r.get(0))?)
    }

    /// The changes that are still to be announced, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn announcements(&self) -> Result<Vec<Announcement>, StoreError> {
        let mut query =
            self.conn.prepare_cached("SELECT seq, name, org, was, now, at FROM announcement ORDER BY seq")?;
        let rows = query.query_map([], |r| {
            Ok(Announcement {
                seq: r.get(0)?,
                name: r.get(1)?,
                org: r.get(2)?,
                from: state(3, r.get(3)?)?,
                to: state(4, r.get(4)?)?,
                at: second(5, r.get(5)?)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

struct Site {
    name: String,
    rx_bytes: u64,
    tx_bytes: u64,
}

impl Site {
    fn past<'a>(&'a self, steps: &'a [Step]) -> Past<'a> {
        Past { name: &self.name, steps, rx_bytes: self.rx_bytes, tx_bytes: self.tx_bytes }
    }
}

impl Change<'_> {
    /// Notes that a location is in a state from `at` on.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn write_transition(&self, id: i64, at: Timestamp, to: State) -> Result<(), StoreError> {
        // What is seen later of the same second is what was the case at its end.
        self.prepare_cached(
            "INSERT OR REPLACE INTO transition (location_id, at, state) VALUES (?1, ?2, ?3)",
        )?
        .execute((id, at.as_second(), code(to)))?;
        Ok(())
    }

    /// Notes all peers that were disabled since the last heartbeat.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn note_disabled(&self, now: Timestamp) -> Result<(), StoreError> {
        const THOSE: &str = "state IS NOT NULL AND state <> ?2
              AND location_id IN (SELECT location_id FROM peer INDEXED BY peer_disabled WHERE enabled = 0)";
        let values = (now.as_second(), code(State::Disabled));
        self.prepare_cached(&format!(
            "INSERT OR REPLACE INTO transition (location_id, at, state)
             SELECT location_id, max(since, ?1), ?2 FROM reading WHERE {THOSE}"
        ))?
        .execute(values)?;
        self.prepare_cached(&format!(
            "UPDATE reading SET state = ?2, since = max(since, ?1), pending = 0 WHERE {THOSE}"
        ))?
        .execute(values)?;
        Ok(())
    }

    /// Notes a time in which nobody looked.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn write_gap(&self, began: Timestamp, ended: Timestamp) -> Result<(), StoreError> {
        self.prepare_cached("INSERT OR REPLACE INTO gap (began, ended) VALUES (?1, ?2)")?
            .execute([began.as_second(), ended.as_second()])?;
        Ok(())
    }

    /// Ends the times without a heartbeat at `now` that were noted to last longer: the clock went
    /// backwards since, and this is a heartbeat.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn end_gap(&self, now: Timestamp) -> Result<(), StoreError> {
        self.prepare_cached("UPDATE gap SET ended = ?1 WHERE began < ?1 AND ended > ?1")?
            .execute([now.as_second()])?;
        Ok(())
    }

    /// On the first heartbeat of a day: keeps the totals as they are, and drops what is older than
    /// `keep_days`, or nothing where that is `None`. Comes before the first reading is written.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn begin_day(&self, now: Timestamp, keep_days: Option<u32>) -> Result<(), StoreError> {
        let day = now.as_second().div_euclid(DAY);
        if self.prepare_cached("INSERT OR IGNORE INTO day (day) VALUES (?1)")?.execute([day])? == 0 {
            return Ok(());
        }
        self.prepare_cached(
            "INSERT INTO traffic (day, location_id, rx_total, tx_total)
             SELECT ?1, location_id, rx_total, tx_total FROM reading WHERE rx_total + tx_total > 0",
        )?
        .execute([day])?;
        let Some(keep_days) = keep_days else {
            return Ok(());
        };
        let oldest = day - i64::from(keep_days);
        self.prepare_cached("DELETE FROM traffic WHERE day < ?1")?.execute([oldest])?;
        self.prepare_cached("DELETE FROM day WHERE day < ?1")?.execute([oldest])?;
        self.prepare_cached("DELETE FROM gap WHERE ended < ?1")?.execute([oldest * DAY])?;
        self.prepare_cached("DELETE FROM announcement WHERE at < ?1")?.execute([oldest * DAY])?;
        // Of each site the last change before the limit stays: it is the state at the limit. One
        // location at a time, because the key begins with it.
        let mut ids = self.prepare_cached("SELECT id FROM location")?;
        let ids = ids.query_map([], |r| r.get(0))?.collect::<Result<Vec<i64>, _>>()?;
        let mut trim = self.prepare_cached(
            "DELETE FROM transition WHERE location_id = ?1
                AND at < (SELECT max(at) FROM transition WHERE location_id = ?1 AND at <= ?2)",
        )?;
        for id in ids {
            trim.execute([id, oldest * DAY])?;
        }
        Ok(())
    }

    /// Queues a change for `heartbeat.on_change`.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn write_announcement(
        &self,
        id: i64,
        from: State,
        to: State,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.prepare_cached(
            "INSERT INTO announcement (name, org, was, now, at)
             SELECT name, org, ?2, ?3, ?4 FROM location WHERE id = ?1",
        )?
        .execute((id, code(from), code(to), at.as_second()))?;
        Ok(())
    }

    /// Takes announcements off the queue: those given, and no others that came meanwhile.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn drop_announcements(&self, all: &[Announcement]) -> Result<(), StoreError> {
        let mut query =
            self.prepare_cached("DELETE FROM announcement WHERE seq = ?1 AND name = ?2 AND at = ?3")?;
        for a in all {
            query.execute((a.seq, &a.name, a.at.as_second()))?;
        }
        Ok(())
    }

    /// Empties the queue: nobody is to be told any more.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn drop_all_announcements(&self) -> Result<(), StoreError> {
        self.prepare_cached("DELETE FROM announcement")?.execute([])?;
        Ok(())
    }
}
