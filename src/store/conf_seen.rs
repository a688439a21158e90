//! What is known of the conf, so that it need not be read whole for every change.
//!
//! It is a memory and not a truth: it counts only while the very file still lies there, and each
//! committed change puts it one step behind. Whoever doubts it reads the conf.

use super::{Change, Store, StoreError};
use crate::{
    fsx::Mark,
    model::{LinkSettings, PublicKey},
};
use ipnet::Ipv4Net;
use rusqlite::OptionalExtension;
use std::{net::Ipv4Addr, str::FromStr};

/// The conf as it was when it was last found to be what the store wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfSeen {
    /// Which file it was.
    pub mark: Mark,
    /// What its `[Interface]` was compared with.
    pub purpose: String,
    /// What it says of the link.
    pub link: LinkSettings,
    /// Networks that peers hold which the store does not know.
    pub claimed: Vec<Ipv4Net>,
    /// Addresses of its `[Interface]`.
    pub addresses: Vec<Ipv4Addr>,
    /// The keys of these peers.
    pub foreign: Vec<PublicKey>,
    /// A file beside it that is its beginning, up to the last changes.
    pub spare: Option<Mark>,
}

fn joined<T: ToString>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn parsed<T: FromStr>(text: &str) -> Option<Vec<T>> {
    text.split(',').filter(|n| !n.is_empty()).map(|n| n.parse().ok()).collect()
}

impl Change<'_> {
    /// The conf that is known may not be what the store wants once this change is committed.
    pub(super) fn put_conf_behind(&self) -> Result<(), StoreError> {
        self.prepare_cached("UPDATE conf_seen SET behind = behind + 1")?.execute([])?;
        Ok(())
    }
}

impl Store {
    /// What is known of the conf, and how many changes were committed since. `None` if nothing is.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn conf_seen(&self) -> Result<Option<(ConfSeen, u64)>, StoreError> {
        type Raw = (String, String, i64, String, Vec<u8>, Option<String>, String);
        let mut query = self.conn.prepare_cached(
            "SELECT mark, purpose, behind, claimed, foreign_keys, spare, addresses FROM conf_seen",
        )?;
        let raw: Option<Raw> = query
            .query_row([], |r| {
                Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?, r.get(6)?))
            })
            .optional()?;
        // One that cannot be read is none: it was only a memory.
        Ok(raw.and_then(|(mark, purpose, behind, claimed, foreign, spare, addresses)| {
            let (keys, _) = foreign.as_chunks();
            // Two lines: both are about [Interface].
            let (purpose, link) = purpose.split_once('\n')?;
            let seen = ConfSeen {
                mark: mark.parse().ok()?,
                purpose: purpose.to_owned(),
                link: link.parse().ok()?,
                claimed: parsed(&claimed)?,
                addresses: parsed(&addresses)?,
                foreign: keys.iter().copied().map(PublicKey::from_bytes).collect(),
                spare: spare.and_then(|s| s.parse().ok()),
            };
            Some((seen, u64::try_from(behind).ok()?))
        }))
    }

    /// Notes what is known of the conf as of now.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn note_conf(&self, seen: &ConfSeen) -> Result<(), StoreError> {
        let foreign: Vec<u8> = seen.foreign.iter().flat_map(|k| *k.as_bytes()).collect();
        self.lightly(|conn| {
            conn.execute(
                "INSERT OR REPLACE INTO conf_seen
                     (one, mark, purpose, behind, claimed, foreign_keys, spare, addresses)
                 VALUES (1, ?1, ?2, 0, ?3, ?4, ?5, ?6)",
                (
                    seen.mark.to_string(),
                    format!("{}\n{}", seen.purpose, seen.link),
                    joined(&seen.claimed),
                    foreign,
                    seen.spare.as_ref().map(ToString::to_string),
                    joined(&seen.addresses),
                ),
            )
        })
    }

    /// Forgets what was known of the conf.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn forget_conf(&self) -> Result<(), StoreError> {
        // Most of the time there is nothing, and nothing to write then.
        if self.conf_seen()?.is_none() {
            return Ok(());
        }
        self.lightly(|conn| conn.execute("DELETE FROM conf_seen", []))
    }

    /// Writes what a power cut may take away again, without waiting for the disk.
    fn lightly(
        &self,
        write: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<usize>,
    ) -> Result<(), StoreError> {
        self.conn.pragma_update(None, "synchronous", "NORMAL")?;
        let written = write(&self.conn);
        self.conn.pragma_update(None, "synchronous", "FULL")?;
        Ok(written.map(drop)?)
    }
}
