//! Spans of time and moments as people write them, and what an end in sight means.

use super::{Invalid, Location};
use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// How long before its end a location is warned about, in seconds: 7 days.
pub const WARN_AHEAD: i64 = 7 * 86_400;

/// The longest span that is taken, in seconds: 100 years.
pub const SPAN_MAX: i64 = 100 * 365 * 86_400;

/// Seconds of a span: a whole number and `s`, `m` (minutes), `h`, `d` or `w`, such as `30d`.
///
/// # Errors
/// [`Invalid`] for anything else, for zero, and for more than 100 years.
pub fn parse_span(what: &'static str, text: &str) -> Result<i64, Invalid> {
    let refuse = |reason: &str| Invalid::new(what, text, reason, "write a number and s, m, h, d or w: 30d");
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let unit = match &text[digits..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return Err(refuse("is not a span of time")),
    };
    if digits == 0 {
        return Err(refuse("is not a span of time"));
    }
    match text[..digits].parse::<i64>().ok().and_then(|n| n.checked_mul(unit)) {
        Some(0) => Err(refuse("is no time at all")),
        Some(seconds) if seconds <= SPAN_MAX => Ok(seconds),
        _ => Err(refuse("is more than 100 years")),
    }
}

/// The moment at which something ends: a span from `now` on (`30d`), an RFC 3339 time
/// (`2027-01-31T18:00:00Z`), or a date alone, which ends with its first second in UTC.
///
/// # Errors
/// [`Invalid`] for anything else and for what is not after `now`.
pub fn parse_expiry(text: &str, now: Timestamp) -> Result<Timestamp, Invalid> {
    let hint = "write a span such as 30d, a date such as 2027-01-31, or a time such as 2027-01-31T18:00:00Z";
    let refuse = |reason: &str| Invalid::new("expiry", text, reason, hint);
    if text.ends_with(['s', 'm', 'h', 'd', 'w']) {
        let seconds = parse_span("expiry", text)?;
        return Timestamp::from_second(now.as_second().saturating_add(seconds))
            .map_err(|_| refuse("is too far away"));
    }
    let moment = if text.len() == "2027-01-31".len() {
        text.parse::<Date>().ok().and_then(|d| d.to_zoned(TimeZone::UTC).ok()).map(|z| z.timestamp())
    } else {
        text.parse::<Timestamp>().ok()
    };
    let moment = moment.ok_or_else(|| refuse("is neither a span of time nor a date"))?;
    // The store keeps whole seconds.
    let moment = Timestamp::from_second(moment.as_second()).unwrap_or(moment);
    if moment <= now {
        return Err(refuse("is not in the future"));
    }
    Ok(moment)
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
    fn spans_have_a_number_and_a_unit() {
        for (text, seconds) in
            [("90s", 90), ("5m", 300), ("24h", 86_400), ("30d", 2_592_000), ("2w", 1_209_600)]
        {
            assert_eq!(parse_span("span", text), Ok(seconds), "{text}");
        }
        for bad in
            ["", "d", "30", "-1d", "1.5h", "1 d", "30D", "1y", "0h", "99999999999999999999d", "40000d", "é"]
        {
            assert!(parse_span("span", bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn an_expiry_is_a_span_a_date_or_a_time_ahead() {
        let now = at(1_795_428_000);
        let end = |text: &str| parse_expiry(text, now).map(|t| t.to_string());
        assert_eq!(end("1d").as_deref(), Ok("2026-11-24T10:00:00Z"));
        assert_eq!(end("2027-01-31").as_deref(), Ok("2027-01-31T00:00:00Z"));
        assert_eq!(end("2027-01-31T18:00:00+01:00").as_deref(), Ok("2027-01-31T17:00:00Z"));
        assert_eq!(end("2027-01-31T18:00:00.75Z").as_deref(), Ok("2027-01-31T18:00:00Z"));
        for bad in
            ["", "tomorrow", "2027-02-30", "2027-01-31T18:00", "2026-11-23", "2026-11-23T10:00:00Z", "éééééd"]
        {
            assert!(parse_expiry(bad, now).is_err(), "{bad:?} was accepted");
        }
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
