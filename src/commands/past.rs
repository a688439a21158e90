//! What `history` and `report` have in common: the time they are about, and each site's past in it.

use super::{Context, heartbeat::is_gap};
use crate::model::{
    text::size,
    time::{Side, parse_moment, span},
};
use crate::{
    error::Error,
    fsx,
    model::{
        Invalid, Location, LocationName, Org,
        history::{Gap, Step, Stretch, Summary, Window, availability, stretches, summarize, timeline},
    },
    output::{
        Column, Table,
        json::state_of,
        page,
        past::{ChangeReport, FleetReport, SiteReport, blocks, second},
    },
    settings::Settings,
    store::Store,
};
use jiff::Timestamp;
use std::{collections::HashMap, convert::Infallible, path::Path, str::FromStr};

/// Cells of a timeline in the terminal, and on a page.
const CELLS: usize = 30;
const CELLS_OF_PAGE: usize = 120;

/// `--since`, read once it is known what time it is.
#[derive(Debug, Clone)]
pub(super) struct Since(String);

impl FromStr for Since {
    type Err = Infallible;

    fn from_str(s: &str) -> Result<Self, Infallible> {
        Ok(Self(s.to_owned()))
    }
}

impl Since {
    /// From then until now.
    pub(super) fn window(&self, now: Timestamp) -> Result<Window, Invalid> {
        let since = parse_moment("time", &self.0, now, Side::Past)?;
        Ok(Window { from: since.as_second(), until: now.as_second() })
    }
}

/// All sites over one window.
pub(super) struct Past {
    pub(super) window: Window,
    pub(super) fleet: FleetReport,
    pub(super) sites: Vec<SiteReport>,
}

/// What is looked at of each site while its past is at hand: its steps, stretches and summary.
pub(super) type Look<'a> = &'a mut dyn FnMut(&Location, &[Step], (&[Stretch], &Summary));

/// Reads the past of these locations, sorted by name; of `only` where it is given.
pub(super) fn gather(
    settings: &Settings,
    store: &Store,
    locations: &[Location],
    window: Window,
    only: Option<&LocationName>,
    for_page: bool,
    look: Look<'_>,
) -> Result<Past, Error> {
    let from = Timestamp::from_second(window.from).unwrap_or(Timestamp::UNIX_EPOCH);
    let gaps = gaps(settings, store, from, window)?;
    let places: HashMap<&str, usize> =
        locations.iter().enumerate().map(|(i, l)| (l.name.as_str(), i)).collect();
    let cells = if for_page { CELLS_OF_PAGE } else { CELLS };
    let mut sites: Vec<Option<SiteReport>> = locations.iter().map(|_| None).collect();
    store.visit_past(from, only, &mut |past| {
        let Some(&i) = places.get(past.name) else { return };
        let stretches = stretches(past.steps, &gaps, window);
        let summary = summarize(&stretches, past.steps, window);
        look(&locations[i], past.steps, (&stretches, &summary));
        let last = summary.outages.last();
        sites[i] = Some(SiteReport {
            name: past.name.to_owned(),
            org: locations[i].org.as_ref().map(|o: &Org| o.as_str().to_owned()),
            state: state_of(&locations[i]).as_str(),
            availability_percent: summary.availability(),
            online_seconds: summary.online,
            offline_seconds: summary.offline,
            unknown_seconds: summary.unknown,
            outages: summary.outages.len(),
            longest_outage_seconds: summary.longest(),
            last_outage_at: last.map(|o| second(o.from)),
            is_out: last.is_some_and(|o| o.until.is_none()),
            rx_bytes: past.rx_bytes,
            tx_bytes: past.tx_bytes,
            cells: timeline(&stretches, window, cells),
        });
    })?;
    let sites: Vec<SiteReport> = sites.into_iter().flatten().collect();
    Ok(Past { window, fleet: add_up(&sites), sites })
}

/// Times in which nobody looked; that since the last heartbeat is one if it is long.
fn gaps(settings: &Settings, store: &Store, from: Timestamp, window: Window) -> Result<Vec<Gap>, Error> {
    let mut gaps = store.gaps(from)?;
    if let Some(last) = store.heartbeat_at()? {
        let now = Timestamp::from_second(window.until).unwrap_or(last);
        if is_gap(last, now, settings.offline_after) {
            gaps.push(Gap { from: last.as_second(), until: window.until });
        }
    }
    Ok(gaps)
}

fn add_up(sites: &[SiteReport]) -> FleetReport {
    let online = sites.iter().map(|s| s.online_seconds).sum();
    let offline = sites.iter().map(|s| s.offline_seconds).sum();
    FleetReport {
        sites: sites.len(),
        availability_percent: availability(online, offline),
        offline_seconds: offline,
        outages: sites.iter().map(|s| s.outages).sum(),
        rx_bytes: sites.iter().map(|s| s.rx_bytes).sum(),
        tx_bytes: sites.iter().map(|s| s.tx_bytes).sum(),
    }
}

/// One site a row.
pub(super) fn table(past: &Past) -> Table {
    let mut table = Table::new(&[
        Column::text("NAME", 0),
        Column::text("ORG", 7),
        Column::text("STATE", 5),
        Column::number("AVAILABLE", 0),
        Column::number("OUTAGES", 1),
        Column::number("OFFLINE", 2),
        Column::number("LONGEST", 4),
        Column::text("LAST", 6),
        Column::number("RECEIVED", 8),
        Column::number("SENT", 9),
        Column::text("TIMELINE", 3),
    ]);
    for s in &past.sites {
        table.row(vec![
            s.name.clone(),
            s.org.clone().unwrap_or_default(),
            s.state.to_owned(),
            s.availability_percent.map_or_else(|| "-".to_owned(), |p| format!("{p:.3} %")),
            s.outages.to_string(),
            span(s.offline_seconds),
            s.longest_outage_seconds.map_or_else(|| "-".to_owned(), span),
            s.last_outage_at.clone().unwrap_or_else(|| "-".to_owned()),
            size(s.rx_bytes),
            size(s.tx_bytes),
            blocks(&s.cells),
        ]);
    }
    table
}

impl Past {
    /// The page for a browser, with these changes below, if they were asked for.
    pub(super) fn page(&self, changes: Option<&[ChangeReport]>) -> String {
        page::page(self.window, &self.fleet, &self.sites, changes)
    }
}

/// Writes the page for a browser.
pub(super) fn write_page(ctx: &mut Context<'_>, path: &Path, text: &str) -> Result<(), Error> {
    // With the rights of who asked for it: the file may lie anywhere.
    ctx.on_behalf(path, || fsx::put(path, text.as_bytes(), 0o644))?;
    ctx.ui.say(&format!("wrote {}", path.display()));
    Ok(())
}
