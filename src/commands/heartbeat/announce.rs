//! Telling `heartbeat.on_change` what changed, until it has taken it once.

use super::super::Context;
use crate::model::text::{count, plural};
use crate::{
    env::program,
    error::Error,
    model::{Counts, State},
    output::{
        changes::{AnnouncementReport, AnnouncementsReport},
        json::{CountsReport, Envelope, time},
    },
    settings::Settings,
    store::{Announcement, Store},
};
use anyhow::Context as _;
use jiff::Timestamp;
use std::{collections::BTreeMap, time::Duration};

/// Hands all changes that nobody took yet to the program, and takes them off the queue if it
/// succeeds. A failure is a warning: the next heartbeat tries again.
pub(super) fn announce(
    ctx: &mut Context<'_>,
    settings: &Settings,
    store: &mut Store,
    counts: Counts,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(words) = &settings.on_change else {
        return Ok(());
    };
    let all = store.announcements()?;
    if all.is_empty() {
        return Ok(());
    }
    let report = Envelope::new(AnnouncementsReport {
        heartbeat_at: time(now),
        counts: CountsReport::from(counts),
        changes: all.iter().map(report).collect(),
    });
    let input = serde_json::to_vec(&report)
        .context("cannot write the changes as JSON")
        .map_err(super::super::context::unforeseen)?;
    let limit = Duration::from_secs(settings.on_change_timeout.into());
    match program::run(words, &variables(&ctx.env.vars, &all, counts), input, limit) {
        Ok(()) => {
            let change = store.change()?;
            change.drop_announcements(&all)?;
            change.commit_readings()?;
        }
        Err(e) => ctx.ui.warn(&format!(
            "heartbeat.on_change: {} {e}; the next heartbeat tells it {} {} again",
            words.first().map_or("", String::as_str),
            plural(all.len(), "this", "these"),
            count(all.len(), "change")
        )),
    }
    Ok(())
}

fn report(a: &Announcement) -> AnnouncementReport<'_> {
    AnnouncementReport {
        // The same however often it is told, and another for every other change.
        id: format!("{}:{}:{}", a.name, a.to.as_str(), a.at.as_second()),
        name: &a.name,
        org: a.org.as_deref(),
        from: a.from.as_str(),
        to: a.to.as_str(),
        at: time(a.at),
    }
}

/// The variables of this process and the counts: enough for a subject line without reading JSON.
fn variables(
    own: &BTreeMap<String, String>,
    all: &[Announcement],
    counts: Counts,
) -> BTreeMap<String, String> {
    let went = |to| all.iter().filter(|a| a.to == to).count() as u64;
    let mut vars = own.clone();
    vars.extend(
        [
            ("IWAS_WG_ONLINE", counts.online),
            ("IWAS_WG_OFFLINE", counts.offline),
            ("IWAS_WG_NEVER", counts.never),
            ("IWAS_WG_UNKNOWN", counts.unknown),
            ("IWAS_WG_CHANGES", all.len() as u64),
            ("IWAS_WG_WENT_ONLINE", went(State::Online)),
            ("IWAS_WG_WENT_OFFLINE", went(State::Offline)),
        ]
        .map(|(name, n)| (name.to_owned(), n.to_string())),
    );
    vars
}
