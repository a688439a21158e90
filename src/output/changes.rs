//! Changes of state as programs are told them: by `heartbeat.on_change` and by `watch --json`.

use super::json::CountsReport;
use serde::Serialize;

/// One change that `heartbeat.on_change` is told.
#[derive(Debug, Serialize)]
pub struct AnnouncementReport<'a> {
    /// The same each time that this change is told.
    pub id: String,
    /// The location.
    pub name: &'a str,
    /// Its owner.
    pub org: Option<&'a str>,
    /// State before.
    pub from: &'static str,
    /// State now.
    pub to: &'static str,
    /// When it happened.
    pub at: String,
}

/// What `heartbeat.on_change` gets on its standard input.
#[derive(Debug, Serialize)]
pub struct AnnouncementsReport<'a> {
    /// The time of the heartbeat.
    pub heartbeat_at: String,
    /// All locations by state.
    pub counts: CountsReport,
    /// Oldest first.
    pub changes: Vec<AnnouncementReport<'a>>,
}

/// A line of `watch --json`.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum WatchEvent<'a> {
    /// The first line.
    Start {
        /// The time of the first reading.
        at: String,
        /// `live` or `heartbeat`.
        source: &'static str,
        /// All locations by state.
        counts: CountsReport,
    },
    /// A change that was seen.
    Change {
        /// When it happened.
        at: String,
        /// The location.
        name: &'a str,
        /// Its owner.
        org: Option<&'a str>,
        /// The state before; `None` for a location that is new.
        from: Option<&'static str>,
        /// The state now; `None` for a location that is gone.
        to: Option<&'static str>,
    },
}
