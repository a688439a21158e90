//! From the age of a handshake to the state of a site.

use super::LivePeer;
use jiff::Timestamp;

/// What one reading saw of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Last completed handshake, never later than the reading itself.
    pub last_handshake: Option<Timestamp>,
    /// `address:port` of its last packet.
    pub endpoint: Option<String>,
    /// Bytes received from the router.
    pub rx_bytes: u64,
    /// Bytes sent to the router.
    pub tx_bytes: u64,
    /// Whether the handshake was fresh when it was read.
    pub is_online: bool,
    /// Whether the interface was too young for a missing handshake to mean anything.
    pub is_unknown: bool,
}

/// The state of a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The last handshake is younger than the limit.
    Online,
    /// There was a handshake, but it is too old.
    Offline,
    /// No handshake was ever seen.
    Never,
    /// Taken off the interface by the operator.
    Disabled,
    /// No key yet.
    Unprovisioned,
    /// It was online when the interface was made again, and it has not had the time to come back.
    Unknown,
}

impl State {
    /// All states, in the order they are counted.
    pub const ALL: [Self; 6] =
        [Self::Online, Self::Offline, Self::Never, Self::Disabled, Self::Unprovisioned, Self::Unknown];

    /// The word used in JSON, tables and `--state`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Never => "never",
            Self::Disabled => "disabled",
            Self::Unprovisioned => "unprovisioned",
            Self::Unknown => "unknown",
        }
    }

    /// The state of a location from what is known of it.
    pub fn of(provisioned: bool, enabled: bool, reading: Option<&Reading>) -> Self {
        match reading {
            _ if !provisioned => Self::Unprovisioned,
            _ if !enabled => Self::Disabled,
            Some(r) if r.is_online => Self::Online,
            Some(r) if r.is_unknown => Self::Unknown,
            Some(r) if r.last_handshake.is_some() => Self::Offline,
            _ => Self::Never,
        }
    }
}

/// Locations by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Handshake fresh.
    pub online: u64,
    /// Handshake too old.
    pub offline: u64,
    /// Never a handshake.
    pub never: u64,
    /// Taken off by the operator.
    pub disabled: u64,
    /// Without a key.
    pub unprovisioned: u64,
    /// Not yet told apart after the interface was made again.
    pub unknown: u64,
}

impl Counts {
    /// How many are in this state.
    pub const fn of(&self, state: State) -> u64 {
        match state {
            State::Online => self.online,
            State::Offline => self.offline,
            State::Never => self.never,
            State::Disabled => self.disabled,
            State::Unprovisioned => self.unprovisioned,
            State::Unknown => self.unknown,
        }
    }

    /// Adds one location of this state.
    pub fn add(&mut self, state: State) {
        match state {
            State::Online => self.online += 1,
            State::Offline => self.offline += 1,
            State::Never => self.never += 1,
            State::Disabled => self.disabled += 1,
            State::Unprovisioned => self.unprovisioned += 1,
            State::Unknown => self.unknown += 1,
        }
    }
}

/// Whether a handshake at `last` counts as online at `now`: less than `offline_after` seconds ago.
pub fn is_fresh(last: Timestamp, now: Timestamp, offline_after: u32) -> bool {
    now.as_second() - last.as_second() < i64::from(offline_after)
}

/// What is now known of a peer: what the interface shows, over what was known before. The flag
/// says that the handshake lies in the future and was counted as now.
///
/// A peer that the interface has lost, or that has not shaken hands since the interface was made
/// again, keeps its last known handshake; it is just not online. While the interface is younger
/// than `offline_after`, that is no news of a peer that was online: it may not have had the time.
pub fn observe(
    last: Option<&Reading>,
    live: Option<&LivePeer>,
    now: Timestamp,
    offline_after: u32,
    interface_age: Option<u64>,
) -> (Reading, bool) {
    let known = last.and_then(|r| r.last_handshake);
    let shown = live.and_then(|p| p.last_handshake);
    let future = shown.is_some_and(|t| t.as_second() > now.as_second());
    let handshake = if future { Some(now) } else { shown };
    let is_young = interface_age.is_some_and(|age| age < u64::from(offline_after));
    let reading = Reading {
        is_online: handshake.is_some_and(|t| is_fresh(t, now, offline_after)),
        is_unknown: is_young && handshake.is_none() && last.is_some_and(|r| r.is_online || r.is_unknown),
        last_handshake: handshake.max(known.filter(|t| *t <= now)).or(known),
        endpoint: live
            .and_then(|p| p.endpoint)
            .map(|e| e.to_string())
            .or_else(|| last.and_then(|r| r.endpoint.clone())),
        rx_bytes: live.map_or_else(|| last.map_or(0, |r| r.rx_bytes), |p| p.rx_bytes),
        tx_bytes: live.map_or_else(|| last.map_or(0, |r| r.tx_bytes), |p| p.tx_bytes),
    };
    (reading, future)
}

/// When a change of state happened: at the handshake, or when the limit passed.
pub fn transition_time(reading: &Reading, now: Timestamp, offline_after: u32) -> Timestamp {
    match reading.last_handshake {
        Some(t) if reading.is_online => t,
        Some(t) => {
            Timestamp::from_second(t.as_second() + i64::from(offline_after)).map_or(now, |t| t.min(now))
        }
        None => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_second(s).expect("second")
    }

    #[test]
    fn the_limit_itself_is_offline() {
        assert!(is_fresh(at(1000), at(1179), 180));
        assert!(!is_fresh(at(1000), at(1180), 180));
        assert!(is_fresh(at(1000), at(1000), 180));
    }

    fn live(handshake: Option<i64>) -> LivePeer {
        LivePeer {
            last_handshake: handshake.map(at),
            rx_bytes: 5,
            tx_bytes: 6,
            ..LivePeer::new(crate::model::PublicKey::from_bytes([1; 32]))
        }
    }

    #[test]
    fn a_handshake_ahead_of_the_clock_counts_as_now() {
        let (r, future) = observe(None, Some(&live(Some(2000))), at(1000), 180, None);
        assert!(future && r.is_online);
        assert_eq!(r.last_handshake, Some(at(1000)));
    }

    #[test]
    fn a_peer_that_lost_its_session_keeps_its_last_handshake() {
        let (online, _) = observe(None, Some(&live(Some(990))), at(1000), 180, None);
        for seen in [None, Some(live(None))] {
            let (r, _) = observe(Some(&online), seen.as_ref(), at(1010), 180, Some(180));
            assert!(!r.is_online);
            assert_eq!(r.last_handshake, Some(at(990)));
            assert_eq!(State::of(true, true, Some(&r)), State::Offline);
            assert_eq!(transition_time(&r, at(1010), 180), at(1010));
            assert_eq!(transition_time(&r, at(9999), 180), at(1170));
        }
    }

    #[test]
    fn a_young_interface_knows_nothing_of_a_site_that_was_online() {
        let (online, _) = observe(None, Some(&live(Some(990))), at(1000), 180, None);
        let seen = |last: &Reading, handshake, age| {
            let (r, _) = observe(Some(last), Some(&live(handshake)), at(1200), 180, Some(age));
            (State::of(true, true, Some(&r)), r)
        };
        let (state, unknown) = seen(&online, None, 179);
        assert_eq!(state, State::Unknown);
        assert_eq!(seen(&unknown, None, 179).0, State::Unknown, "the second look is no wiser");
        assert_eq!(seen(&unknown, None, 180).0, State::Offline);
        assert_eq!(seen(&unknown, Some(1199), 10).0, State::Online);
        let offline = seen(&online, None, 180).1;
        assert_eq!(seen(&offline, None, 10).0, State::Offline, "a dark site stays dark");
    }

    #[test]
    fn the_operators_word_comes_before_the_handshake() {
        let fresh = Reading {
            last_handshake: Some(at(1)),
            endpoint: None,
            rx_bytes: 0,
            tx_bytes: 0,
            is_online: true,
            is_unknown: false,
        };
        let stale = Reading { is_online: false, ..fresh.clone() };
        let silent = Reading { last_handshake: None, ..stale.clone() };
        assert_eq!(State::of(true, true, Some(&fresh)), State::Online);
        assert_eq!(State::of(true, true, Some(&stale)), State::Offline);
        assert_eq!(State::of(true, true, Some(&silent)), State::Never);
        assert_eq!(State::of(true, true, None), State::Never);
        assert_eq!(State::of(true, false, Some(&fresh)), State::Disabled);
        assert_eq!(State::of(false, true, Some(&fresh)), State::Unprovisioned);
    }
}
