//! What is remembered of the clock from one heartbeat to the next.

use super::{Change, Store, StoreError, locations::second};
use crate::model::{Boot, ClockMemory, ClockReading};
use rusqlite::OptionalExtension;

impl Store {
    /// What is remembered of the clock. Before the first heartbeat, the last record of the audit
    /// says when the clock was last believed.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn clock(&self) -> Result<ClockMemory, StoreError> {
        let mut memory = ClockMemory::default();
        let mut query = self.conn.prepare_cached("SELECT believed, at, boot_id, boot_at FROM clock")?;
        let rows = query.query_map([], |r| {
            let boot = r.get::<_, Option<String>>(2)?.zip(r.get(3)?);
            let boot = boot.map(|(id, seconds)| Boot { id, seconds });
            Ok((r.get::<_, bool>(0)?, ClockReading { at: second(1, r.get(1)?)?, boot }))
        })?;
        for row in rows {
            let (believed, reading) = row?;
            *if believed { &mut memory.trusted } else { &mut memory.doubted } = Some(reading);
        }
        if memory.trusted.is_none() {
            let at: Option<i64> = self
                .conn
                .query_row(
                    "SELECT coalesce((SELECT at FROM heartbeat), (SELECT at FROM audit ORDER BY seq DESC LIMIT 1))",
                    [],
                    |r| r.get(0),
                )
                .optional()?
                .flatten();
            memory.trusted = at
                .map(|at| Ok::<_, StoreError>(ClockReading { at: second(0, at)?, boot: None }))
                .transpose()?;
        }
        Ok(memory)
    }
}

impl Change<'_> {
    /// Remembers what the clock says now, and whether it can be believed. A reading that is believed
    /// ends the doubt about an earlier one.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn note_clock(&self, reading: &ClockReading, believed: bool) -> Result<(), StoreError> {
        let boot = reading.boot.as_ref();
        self.prepare_cached(
            "INSERT OR REPLACE INTO clock (believed, at, boot_id, boot_at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((
            believed,
            reading.at.as_second(),
            boot.map(|b| &b.id),
            boot.map(|b| b.seconds),
        ))?;
        if believed {
            self.prepare_cached("DELETE FROM clock WHERE NOT believed")?.execute([])?;
        }
        Ok(())
    }
}
