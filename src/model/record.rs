//! From one reading to the next: what changed, when, and whether anybody is to be told.

use super::{Reading, State, clock, health::transition_time};
use jiff::Timestamp;

/// What is kept of a peer beside its last reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The state of the newest transition.
    pub state: State,
    /// When that was.
    pub since: Timestamp,
    /// The state that people were told last.
    pub announced: State,
    /// For how many heartbeats it has been otherwise.
    pub pending: u32,
    /// Bytes received, over all lives of the interface.
    pub rx_total: u64,
    /// Bytes sent, likewise.
    pub tx_total: u64,
}

/// The heartbeat that reads.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Its time.
    pub now: Timestamp,
    /// The time of the one before; `None` if this is the first.
    pub before: Option<Timestamp>,
    /// How long a handshake counts, in seconds.
    pub offline_after: u32,
    /// Age of the interface in seconds, where it is known.
    pub interface_age: Option<u64>,
    /// How many heartbeats must see a change before it is announced.
    pub confirm: u32,
}

/// A change that people are to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// What they were told before.
    pub from: State,
    /// What it is now.
    pub to: State,
    /// Since when.
    pub at: Timestamp,
}

/// The record after a reading, whether it begins a transition, and what is to be announced.
///
/// `last` are record and reading of the heartbeat before, if it saw the peer.
pub fn advance(
    last: Option<(&Record, &Reading)>,
    reading: &Reading,
    moment: &Moment,
) -> (Record, bool, Option<Announced>) {
    let state = State::of(true, true, Some(reading));
    let mut record = match last {
        None => Record {
            state,
            since: change_time(None, state, reading, moment),
            announced: State::Never,
            pending: 0,
            rx_total: reading.rx_bytes,
            tx_total: reading.tx_bytes,
        },
        Some((record, before)) => Record {
            rx_total: record.rx_total.saturating_add(moved(before.rx_bytes, reading.rx_bytes)),
            tx_total: record.tx_total.saturating_add(moved(before.tx_bytes, reading.tx_bytes)),
            ..*record
        },
    };
    let is_transition = last.is_none_or(|(record, _)| record.state != state);
    if is_transition {
        record.since = change_time(last.map(|(r, _)| r), state, reading, moment);
        record.state = state;
    }
    // Not knowing is no news: whoever was told before is told when it is known again.
    if state == State::Unknown {
        return (record, is_transition, None);
    }
    if state == record.announced {
        record.pending = 0;
        return (record, is_transition, None);
    }
    record.pending += 1;
    if record.pending < moment.confirm {
        return (record, is_transition, None);
    }
    let announced = Announced { from: record.announced, to: state, at: record.since };
    record.announced = state;
    record.pending = 0;
    (record, is_transition, Some(announced))
}

/// When a change happened, never before the one that it follows.
fn change_time(last: Option<&Record>, state: State, reading: &Reading, moment: &Moment) -> Timestamp {
    let Moment { now, before, offline_after, interface_age, .. } = *moment;
    let at = match (last.map(|r| r.state), state) {
        // Nothing is known since the last time that somebody looked.
        (_, State::Unknown) => before.unwrap_or(now),
        // It had its time on the new interface and did not come.
        (Some(State::Unknown), State::Offline) => {
            let late = interface_age.map_or(0, |age| age.saturating_sub(u64::from(offline_after)));
            let second = now.as_second().saturating_sub(i64::try_from(late).unwrap_or(0));
            Timestamp::from_second(second).unwrap_or(now)
        }
        _ => transition_time(reading, now, offline_after),
    };
    let at = at.min(now);
    // One that is far ahead is of a clock that was wrong: nothing can wait for it.
    let since = last.map(|r| r.since).filter(|t| t.as_second() - now.as_second() <= clock::TOLERANCE);
    since.map_or(at, |since| at.max(since))
}

/// What a counter has grown by; one that is smaller than it was began anew.
fn moved(before: u64, now: u64) -> u64 {
    if now >= before { now - before } else { now }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_second(s).expect("second")
    }

    fn seen(handshake: i64, now: i64, rx: u64) -> Reading {
        Reading {
            last_handshake: Some(at(handshake)),
            endpoint: None,
            rx_bytes: rx,
            tx_bytes: 0,
            is_online: now - handshake < 180,
            is_unknown: false,
        }
    }

    fn moment(now: i64, confirm: u32) -> Moment {
        Moment {
            now: at(now),
            before: Some(at(now - 120)),
            offline_after: 180,
            interface_age: Some(1_000_000),
            confirm,
        }
    }

    #[test]
    fn a_change_is_dated_by_the_handshake_or_the_limit() {
        let up = seen(990, 1000, 5);
        let (record, changed, told) = advance(None, &up, &moment(1000, 1));
        assert!(changed);
        assert_eq!((record.state, record.since), (State::Online, at(990)));
        assert_eq!(told, Some(Announced { from: State::Never, to: State::Online, at: at(990) }));
        let (record, changed, told) = advance(Some((&record, &up)), &up, &moment(1120, 1));
        assert!(!changed && told.is_none());
        let down = seen(990, 1240, 5);
        let (record, _, told) = advance(Some((&record, &up)), &down, &moment(1240, 1));
        assert_eq!((record.state, record.since), (State::Offline, at(1170)));
        assert_eq!(told.map(|t| t.to), Some(State::Offline));
    }

    #[test]
    fn a_change_is_told_once_it_has_been_seen_often_enough() {
        let (up, down) = (seen(990, 1000, 0), seen(0, 1000, 0));
        let (mut record, _, told) = advance(None, &up, &moment(1000, 3));
        assert!(told.is_none());
        let mut heard = Vec::new();
        // Up twice more, then a dip of one, a dip of two, and a real one.
        let readings = [&up, &up, &down, &up, &down, &down, &up, &down, &down, &down, &down];
        for (i, reading) in readings.into_iter().enumerate() {
            let now = 1120 + 120 * i64::try_from(i).expect("index");
            let (next, _, told) = advance(Some((&record, &up)), reading, &moment(now, 3));
            heard.extend(told.map(|t| (i, t.to)));
            record = next;
        }
        assert_eq!(heard, [(1, State::Online), (9, State::Offline)]);
    }

    #[test]
    fn not_knowing_is_told_to_nobody() {
        let up = seen(990, 1000, 0);
        let (record, ..) = advance(None, &up, &moment(1000, 1));
        let unknown = Reading { is_online: false, is_unknown: true, ..up.clone() };
        let young = |now, age| Moment { interface_age: Some(age), before: Some(at(1000)), ..moment(now, 1) };
        let (record, changed, told) = advance(Some((&record, &up)), &unknown, &young(5000, 30));
        assert!(changed && told.is_none());
        assert_eq!((record.state, record.since, record.announced), (State::Unknown, at(1000), State::Online));
        // Back again: nothing to tell. Not back: offline since its time on the new interface was up.
        let back = seen(5060, 5120, 0);
        let (known, _, told) = advance(Some((&record, &unknown)), &back, &young(5120, 150));
        assert_eq!((known.since, told), (at(5060), None));
        let dark = seen(990, 5240, 0);
        let (known, _, told) = advance(Some((&record, &unknown)), &dark, &young(5240, 270));
        assert_eq!((known.state, known.since), (State::Offline, at(5150)));
        assert_eq!(told.map(|t| (t.from, t.to)), Some((State::Online, State::Offline)));
    }

    #[test]
    fn bytes_are_counted_over_a_counter_that_begins_anew() {
        let mut record = advance(None, &seen(990, 1000, 100), &moment(1000, 1)).0;
        let mut before = seen(990, 1000, 100);
        for rx in [150, 150, 30, 40] {
            let reading = seen(990, 1000, rx);
            record = advance(Some((&record, &before)), &reading, &moment(1000, 1)).0;
            before = reading;
        }
        assert_eq!(record.rx_total, 100 + 50 + 30 + 10);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_turn_the_order_around() {
        let up = seen(990, 1000, 0);
        let (record, ..) = advance(None, &up, &moment(1000, 1));
        let down = seen(100, 900, 0);
        let (record, ..) = advance(Some((&record, &up)), &down, &moment(900, 1));
        assert_eq!((record.state, record.since), (State::Offline, at(990)));
    }
}
