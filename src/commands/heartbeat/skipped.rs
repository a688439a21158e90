//! Heartbeats that another iwas-wg kept from reading: one is nothing, several in a row are told.
//!
//! They are counted in a file beside the store, which they cannot write.

use crate::{
    commands::Context,
    error::{Error, Kind},
    fsx,
    output::{Metrics, json::time},
    settings::{Places, Settings},
};
use jiff::Timestamp;
use std::path::{Path, PathBuf};

/// From how many in a row on they are told.
const MANY: u64 = 3;

/// How many heartbeats in a row were skipped, and when the first of them was.
#[derive(Debug, Clone, Copy)]
pub(in crate::commands) struct Skipped {
    pub(in crate::commands) count: u64,
    pub(in crate::commands) since: Timestamp,
}

impl Skipped {
    /// Those since the last reading; `None` while they are too few to be told.
    pub(in crate::commands) fn many(places: &Places) -> Option<Self> {
        Self::read(places).filter(|skipped| skipped.count >= MANY)
    }

    fn read(places: &Places) -> Option<Self> {
        let bytes = fsx::read_trusted(&file(places)).ok()??;
        let (count, since) = std::str::from_utf8(&bytes).ok()?.trim().split_once(' ')?;
        let since = Timestamp::from_second(since.parse().ok()?).ok()?;
        Some(Self { count: count.parse().ok()?, since })
    }

    /// In words for people.
    pub(in crate::commands) fn words(&self) -> String {
        format!("{} heartbeats in a row were skipped since {}", self.count, time(self.since))
    }
}

/// Counts one more, and fails if there were several in a row.
pub(super) fn count(
    ctx: &Context<'_>,
    settings: &Settings,
    metrics_file: Option<&Path>,
    busy: &Error,
) -> Result<(), Error> {
    let before = Skipped::read(&settings.places);
    let skipped = Skipped {
        count: before.map_or(1, |s| s.count.saturating_add(1)),
        since: before.map_or(ctx.now(), |s| s.since),
    };
    let note = format!("{} {}\n", skipped.count, skipped.since.as_second());
    fsx::replace(&file(&settings.places), note.as_bytes(), 0o600)?;
    if let Some(path) = metrics_file {
        // The rest of the file stays as the last reading wrote it.
        let text = fsx::read(path)?.and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some(text) = text.and_then(|text| Metrics::with_skipped(&text, skipped.count)) {
            fsx::put(path, text.as_bytes(), 0o644)?;
        }
    }
    if skipped.count < MANY {
        return Ok(());
    }
    let message = format!("{}: {}", skipped.words(), busy.message);
    Err(Error::new(Kind::Busy, message).hint("see what that process waits for, and end it"))
}

/// Forgets them: there was a reading.
pub(super) fn forget(settings: &Settings) {
    // Mostly there is none.
    let _ = std::fs::remove_file(file(&settings.places));
}

fn file(places: &Places) -> PathBuf {
    places.database.with_extension("skipped")
}
