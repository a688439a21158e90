//! The fleet between two readings: what is on the interface now, and what has changed.

use super::super::{
    Context,
    status::{count, not_read, overlay, read_live},
};
use crate::{
    device::DeviceError,
    error::Error,
    model::{Counts, LiveInterface, Location, State, health::transition_time},
    output::json::state_of,
    settings::Settings,
    store::{Hub, Store},
};
use jiff::Timestamp;
use std::collections::HashMap;

/// For how many seconds a change stands out.
const NEW_FOR: i64 = 10;

/// A change between two readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) name: String,
    pub(super) org: Option<String>,
    pub(super) from: Option<State>,
    pub(super) to: Option<State>,
    pub(super) at: Timestamp,
}

/// What is known of the fleet.
pub(super) struct Fleet {
    store: Store,
    hub: Hub,
    /// Of the store, when the locations were read.
    version: i64,
    /// As the store has them, with the interface over it.
    pub(super) locations: Vec<Location>,
    /// The interface when it could last be read, and when that was.
    seen: Option<(LiveInterface, Timestamp)>,
    /// Whether the last reading could read it.
    is_live: bool,
    read_at: Timestamp,
    heartbeat_at: Option<Timestamp>,
    /// When what stands out changed.
    changed: HashMap<String, i64>,
}

impl Fleet {
    /// Opens the store and reads once.
    pub(super) fn open(settings: &Settings, ctx: &mut Context<'_>) -> Result<Self, Error> {
        let store = Context::store_to_read(settings)?;
        let mut fleet = Self {
            // Asked before the rows are read: what is written in between is read once more.
            version: store.version()?,
            locations: store.locations(&ctx.scope)?,
            seen: None,
            is_live: false,
            read_at: ctx.now(),
            heartbeat_at: store.heartbeat_at()?,
            changed: HashMap::new(),
            hub: store.hub()?,
            store,
        };
        if let Err(e) = fleet.look(settings, ctx) {
            not_read(ctx, &e);
        }
        Ok(fleet)
    }

    /// Reads again and says what is different.
    pub(super) fn read(&mut self, settings: &Settings, ctx: &mut Context<'_>) -> Result<Vec<Change>, Error> {
        let before: HashMap<String, (State, Option<String>)> =
            self.locations.iter().map(|l| (l.name.to_string(), (state_of(l), org(l)))).collect();
        // The rows only if somebody wrote: every heartbeat does, few others do.
        let version = self.store.version()?;
        if version != self.version {
            self.version = version;
            self.locations = self.store.locations(&ctx.scope)?;
            self.heartbeat_at = self.store.heartbeat_at()?;
        }
        // Why it cannot be read was said at the start, or shows in what is told of the source.
        let _ = self.look(settings, ctx);
        let changes = changes(before, &self.locations, self.read_at, settings.offline_after);
        let now = self.read_at.as_second();
        self.changed.retain(|_, at| now - *at < NEW_FOR);
        self.changed.extend(changes.iter().filter(|c| c.to.is_some()).map(|c| (c.name.clone(), now)));
        Ok(changes)
    }

    /// Puts what the interface shows over what is known. While it cannot be read, what it showed
    /// last stands until a heartbeat knows better: nobody comes back because the hub is gone.
    fn look(&mut self, settings: &Settings, ctx: &Context<'_>) -> Result<(), DeviceError> {
        self.read_at = ctx.now();
        let live = read_live(ctx, settings, &self.hub, &mut || {});
        let (live, read) = live.map_or_else(|e| (None, Err(e)), |live| (live, Ok(())));
        self.is_live = live.is_some();
        if let Some(live) = live {
            self.seen = Some((live, self.read_at));
        }
        if let Some((live, at)) =
            self.seen.as_ref().filter(|(_, at)| self.heartbeat_at.is_none_or(|h| h <= *at))
        {
            overlay(&mut self.locations, live, *at, settings.offline_after);
        }
        read
    }

    /// `live` or `heartbeat`.
    pub(super) fn source(&self) -> &'static str {
        if self.is_live { "live" } else { "heartbeat" }
    }

    /// Whether the interface is there and up.
    pub(super) fn is_up(&self) -> bool {
        self.is_live && self.seen.as_ref().is_some_and(|(live, _)| live.up)
    }

    /// When what is shown was read: now, or the last time that anybody could.
    pub(super) fn seen_at(&self) -> Option<Timestamp> {
        self.seen.as_ref().map(|(_, at)| *at).max(self.heartbeat_at)
    }

    /// Whether a location has changed just now.
    pub(super) fn is_new(&self, name: &str) -> bool {
        self.changed.contains_key(name)
    }

    pub(super) fn counts(&self) -> Counts {
        count(&self.locations)
    }
}

fn org(l: &Location) -> Option<String> {
    l.org.as_ref().map(|o| o.as_str().to_owned())
}

/// What is different, sorted by name; those that are gone last.
fn changes(
    mut before: HashMap<String, (State, Option<String>)>,
    locations: &[Location],
    now: Timestamp,
    offline_after: u32,
) -> Vec<Change> {
    let mut all = Vec::new();
    for l in locations {
        let to = state_of(l);
        let from = before.remove(l.name.as_str()).map(|(state, _)| state);
        if from == Some(to) {
            continue;
        }
        let at = match (&l.reading, to) {
            (Some(reading), State::Online | State::Offline) => transition_time(reading, now, offline_after),
            _ => now,
        };
        all.push(Change { name: l.name.to_string(), org: org(l), from, to: Some(to), at });
    }
    let mut gone: Vec<_> = before.into_iter().collect();
    gone.sort_by(|a, b| a.0.cmp(&b.0));
    all.extend(gone.into_iter().map(|(name, (state, org))| Change {
        name,
        org,
        from: Some(state),
        to: None,
        at: now,
    }));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{KeyMode, PublicKey, Reading};

    fn at(s: i64) -> Timestamp {
        Timestamp::from_second(s).expect("second")
    }

    fn location(name: &str, handshake: Option<i64>) -> Location {
        let mut l = Location::new(name.parse().expect("name"), KeyMode::Once, at(0));
        l.public_key = Some(PublicKey::from_bytes([1; 32]));
        l.reading = Some(Reading {
            last_handshake: handshake.map(at),
            endpoint: None,
            rx_bytes: 0,
            tx_bytes: 0,
            is_online: handshake.is_some_and(|t| 1000 - t < 180),
            is_unknown: false,
        });
        l
    }

    #[test]
    fn what_came_went_or_turned_is_told_once_with_its_time() {
        let before = [("gone", State::Online), ("dark", State::Online), ("same", State::Online)];
        let before = before.into_iter().map(|(n, s)| (n.to_owned(), (s, None))).collect();
        let now = [location("dark", Some(500)), location("new", None), location("same", Some(990))];
        let told: Vec<_> = changes(before, &now, at(1000), 180)
            .into_iter()
            .map(|c| (c.name, c.from, c.to, c.at.as_second()))
            .collect();
        assert_eq!(
            told,
            [
                ("dark".to_owned(), Some(State::Online), Some(State::Offline), 680),
                ("new".to_owned(), None, Some(State::Never), 1000),
                ("gone".to_owned(), Some(State::Online), None, 1000),
            ]
        );
    }
}
