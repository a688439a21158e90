//! What is due for a peer by itself: the next key that has proved itself, or never did, and the
//! end of a location.

use super::{LivePeer, Location, PublicKey, expiry::has_expired};
use jiff::Timestamp;

/// Something that is done without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// The next key has shaken hands: it takes the place of the present one.
    Promote,
    /// The next key has not shaken hands in time: it is given up.
    GiveUp,
    /// The end has come: the peer is disabled.
    Expire,
}

impl Due {
    /// Whether the clock alone says that it is due. A handshake proves the others.
    pub const fn is_by_clock(self) -> bool {
        match self {
            Self::Promote => false,
            Self::GiveUp | Self::Expire => true,
        }
    }
}

/// What is due for a peer now. `peers` are those of the interface; none if it is not there.
pub fn due(l: &Location, peers: &[LivePeer], now: Timestamp, rotate_timeout: i64) -> Option<Due> {
    let present = l.public_key?;
    if l.enabled && has_expired(l, now) {
        return Some(Due::Expire);
    }
    let next = l.rotation.as_ref()?;
    if l.enabled && has_turned(peers, &present, &next.public_key) {
        return Some(Due::Promote);
    }
    let waited = now.as_second() - next.since.as_second();
    (waited >= rotate_timeout).then_some(Due::GiveUp)
}

/// Whether a router uses its next key: it has shaken hands with it, and not with the present one
/// since. A router that went back to its old key, whatever the reason, must not lose that.
pub fn has_turned(peers: &[LivePeer], present: &PublicKey, next: &PublicKey) -> bool {
    let last = |key: &PublicKey| peers.iter().find(|p| p.public_key == *key).and_then(|p| p.last_handshake);
    last(next).is_some_and(|new| last(present).is_none_or(|old| old <= new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{KeyMode, Rotation};

    fn at(s: i64) -> Timestamp {
        Timestamp::from_second(s).expect("second")
    }

    fn key(n: u8) -> PublicKey {
        PublicKey::from_bytes([n; 32])
    }

    fn peer(n: u8, handshake: Option<i64>) -> LivePeer {
        LivePeer { last_handshake: handshake.map(at), ..LivePeer::new(key(n)) }
    }

    fn rotating() -> Location {
        let mut l = Location::new("cafe".parse().expect("name"), KeyMode::Stored, at(0));
        l.public_key = Some(key(1));
        l.rotation = Some(Rotation {
            public_key: key(2),
            key_mode: KeyMode::Stored,
            preshared: false,
            since: at(1000),
        });
        l
    }

    #[test]
    fn a_next_key_takes_over_once_it_was_the_last_to_shake_hands() {
        let l = rotating();
        let due = |old, new, now| due(&l, &[peer(1, old), peer(2, new)], at(now), 600);
        assert_eq!(due(Some(990), None, 1010), None);
        assert_eq!(due(Some(990), Some(1005), 1010), Some(Due::Promote));
        assert_eq!(due(Some(1005), Some(1005), 1010), Some(Due::Promote));
        assert_eq!(due(None, Some(1005), 1010), Some(Due::Promote));
        assert_eq!(due(Some(1008), Some(1005), 1010), None, "the router went back to its old key");
    }

    #[test]
    fn a_next_key_is_given_up_in_time_unless_it_works() {
        let l = rotating();
        assert_eq!(due(&l, &[], at(1599), 600), None);
        assert_eq!(due(&l, &[], at(1600), 600), Some(Due::GiveUp));
        assert_eq!(due(&l, &[peer(2, Some(1500))], at(1600), 600), Some(Due::Promote));
        assert_eq!(due(&l, &[peer(1, Some(1550)), peer(2, Some(1500))], at(1600), 600), Some(Due::GiveUp));
    }

    #[test]
    fn the_end_of_a_location_comes_first_and_once() {
        let mut l = rotating();
        l.expires_at = Some(at(1500));
        let peers = [peer(2, Some(1490))];
        assert_eq!(due(&l, &peers, at(1499), 600), Some(Due::Promote));
        assert_eq!(due(&l, &peers, at(1500), 600), Some(Due::Expire));
        l.enabled = false;
        assert_eq!(due(&l, &peers, at(1500), 600), None, "a disabled peer is not rotated");
        assert_eq!(due(&l, &peers, at(1600), 600), Some(Due::GiveUp));
        l.public_key = None;
        assert_eq!(due(&l, &peers, at(1600), 600), None);
    }
}
