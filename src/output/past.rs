//! What `history` and `report` say: JSON shapes, lines of CSV, a timeline of blocks.

use super::json::time;
use crate::model::{
    history::{Cell, Outage, Window},
    text::to_cell,
};
use jiff::Timestamp;
use serde::Serialize;

/// What a report says of one site.
#[derive(Debug, Clone, Serialize)]
pub struct SiteReport {
    /// The location.
    pub name: String,
    /// Its owner.
    pub org: Option<String>,
    /// Its state at the last heartbeat.
    pub state: &'static str,
    /// Online time of known time, cut after three digits; `None` where nothing is known.
    pub availability_percent: Option<f64>,
    /// Seconds known to be online.
    pub online_seconds: i64,
    /// Seconds known to be offline.
    pub offline_seconds: i64,
    /// Seconds in which nobody looked or could tell.
    pub unknown_seconds: i64,
    /// How many outages there were.
    pub outages: usize,
    /// The longest, in seconds.
    pub longest_outage_seconds: Option<i64>,
    /// When the last one began.
    pub last_outage_at: Option<String>,
    /// Whether it goes on.
    pub is_out: bool,
    /// Bytes received from the router, in whole days.
    pub rx_bytes: u64,
    /// Bytes sent to it, likewise.
    pub tx_bytes: u64,
    /// The window in equal parts.
    #[serde(skip)]
    pub cells: Vec<Cell>,
}

/// All sites together.
#[derive(Debug, Clone, Serialize)]
pub struct FleetReport {
    /// How many sites.
    pub sites: usize,
    /// Online time of known time of all of them.
    pub availability_percent: Option<f64>,
    /// Seconds offline of all of them together.
    pub offline_seconds: i64,
    /// Outages of all of them together.
    pub outages: usize,
    /// Bytes received from all routers.
    pub rx_bytes: u64,
    /// Bytes sent to them.
    pub tx_bytes: u64,
}

/// `report`.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The beginning of the time it is about.
    pub since: String,
    /// Its end.
    pub until: String,
    /// All sites together.
    pub fleet: FleetReport,
    /// Sorted by name.
    pub sites: Vec<SiteReport>,
}

/// One change in `history`.
#[derive(Debug, Serialize)]
pub struct ChangeReport {
    /// The location.
    pub name: String,
    /// The state before; `None` where nothing is known of it.
    pub from: Option<&'static str>,
    /// The state from then on.
    pub to: &'static str,
    /// When.
    pub at: String,
    /// For how long, up to the next change; `None` while it lasts.
    pub lasted_seconds: Option<i64>,
}

/// One outage in `history`.
#[derive(Debug, Serialize)]
pub struct OutageReport {
    /// The location.
    pub name: String,
    /// When it began, or the beginning of the asked time.
    pub from: String,
    /// When it ended; `None` while it goes on.
    pub until: Option<String>,
    /// Seconds known to be offline.
    pub offline_seconds: i64,
}

impl OutageReport {
    /// The report of an outage.
    pub fn new(name: &str, o: &Outage) -> Self {
        let (from, until) = (second(o.from), o.until.map(second));
        Self { name: name.to_owned(), from, until, offline_seconds: o.seconds }
    }
}

/// `history`.
#[derive(Debug, Serialize)]
pub struct History {
    /// The beginning of the time it is about.
    pub since: String,
    /// Its end.
    pub until: String,
    /// In the order in which they happened.
    pub changes: Vec<ChangeReport>,
    /// By site, then in order.
    pub outages: Vec<OutageReport>,
    /// Sorted by name.
    pub sites: Vec<SiteReport>,
}

/// A Unix second as JSON has it.
pub fn second(s: i64) -> String {
    Timestamp::from_second(s).map_or_else(|_| s.to_string(), time)
}

/// Beginning and end of a window as JSON has them.
pub fn bounds(window: Window) -> (String, String) {
    (second(window.from), second(window.until))
}

/// A timeline as text: the more of a cell was online, the higher its block. Only a whole block
/// had no outage; a dot is a time of which nothing is known.
pub fn blocks(cells: &[Cell]) -> String {
    const BLOCKS: [char; 9] = ['×', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    cells.iter().map(|c| c.eighths().map_or('·', |n| BLOCKS[n])).collect()
}

/// A line of comma-separated values as RFC 4180 wants it.
pub fn csv<'a>(fields: impl IntoIterator<Item = &'a str>) -> String {
    let field = |text: &str| {
        let text = to_cell(text);
        if text.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.into_owned()
        }
    };
    fields.into_iter().map(field).collect::<Vec<_>>().join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_of_a_second_shows_in_the_timeline() {
        let cell = |online, offline| Cell { online, offline };
        let cells = [cell(86_400, 0), cell(86_399, 1), cell(1, 1), cell(1, 86_399), cell(0, 5), cell(0, 0)];
        assert_eq!(blocks(&cells), "█▇▄▁×·");
    }

    #[test]
    fn commas_and_quotes_stay_in_their_field() {
        assert_eq!(csv(["a", "b, c", "say \"hi\"", ""]), "a,\"b, c\",\"say \"\"hi\"\"\",\n");
    }
}
