//! From the age of a handshake to the state of a site.

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
}

impl State {
    /// All states, in the order they are counted.
    pub const ALL: [Self; 5] =
        [Self::Online, Self::Offline, Self::Never, Self::Disabled, Self::Unprovisioned];

    /// The word used in JSON, tables and `--state`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Never => "never",
            Self::Disabled => "disabled",
            Self::Unprovisioned => "unprovisioned",
        }
    }

    /// The state of a location from what is known of it.
    pub fn of(provisioned: bool, enabled: bool, reading: Option<&Reading>) -> Self {
        match reading {
            _ if !provisioned => Self::Unprovisioned,
            _ if !enabled => Self::Disabled,
            Some(r) if r.is_online => Self::Online,
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
}

impl Counts {
    /// Adds one location of this state.
    pub fn add(&mut self, state: State) {
        match state {
            State::Online => self.online += 1,
            State::Offline => self.offline += 1,
            State::Never => self.never += 1,
            State::Disabled => self.disabled += 1,
            State::Unprovisioned => self.unprovisioned += 1,
        }
    }
}

/// Whether a handshake at `last` counts as online at `now`: less than `offline_after` seconds ago.
pub fn is_fresh(last: Timestamp, now: Timestamp, offline_after: u32) -> bool {
    now.as_second() - last.as_second() < i64::from(offline_after)
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

    #[test]
    fn the_operators_word_comes_before_the_handshake() {
        let fresh = Reading {
            last_handshake: Some(at(1)),
            endpoint: None,
            rx_bytes: 0,
            tx_bytes: 0,
            is_online: true,
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
