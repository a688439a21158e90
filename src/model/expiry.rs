//! What the end of a location means.

use super::{
    Invalid, Location,
    time::{Side, parse_moment},
};
use jiff::Timestamp;

/// How long before its end a location is warned about, in seconds: 7 days.
pub const WARN_AHEAD: i64 = 7 * 86_400;

/// The moment at which a location ends, as people write it.
///
/// # Errors
/// Those of [`parse_moment`].
pub fn parse_expiry(text: &str, now: Timestamp) -> Result<Timestamp, Invalid> {
    parse_moment("expiry", text, now, Side::Future)
}

/// Whether a location's end has come.
pub fn has_expired(l: &Location, now: Timestamp) -> bool {
    l.expires_at.is_some_and(|end| end <= now)
}

/// Whether the peer of a location will be disabled within [`WARN_AHEAD`], or is about to be.
pub fn expires_soon(l: &Location, now: Timestamp) -> bool {
    let near = l.expires_at.is_some_and(|end| end.as_second() - now.as_second() <= WARN_AHEAD);
    near && l.enabled && l.public_key.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{KeyMode, PublicKey};

    fn at(s: i64) -> Timestamp {
        Timestamp::from_second(s).expect("second")
    }

    #[test]
    fn the_warning_comes_seven_days_ahead_and_only_for_what_can_be_taken_off() {
        let mut l = Location::new("cafe".parse().expect("name"), KeyMode::Stored, at(0));
        let end = 1_000_000;
        l.expires_at = Some(at(end));
        assert!(!expires_soon(&l, at(end)), "without a peer there is nothing to take off");
        l.public_key = Some(PublicKey::from_bytes([1; 32]));
        assert!(!expires_soon(&l, at(end - WARN_AHEAD - 1)));
        assert!(expires_soon(&l, at(end - WARN_AHEAD)));
        assert!(!has_expired(&l, at(end - 1)) && has_expired(&l, at(end)));
        l.enabled = false;
        assert!(!expires_soon(&l, at(end)));
    }
}
