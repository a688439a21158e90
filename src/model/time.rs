//! Spans of time and moments: the one reader of what people write, and the one printer.
//!
//! A span is a number and a unit, or several (`30d`, `1h30m`, `2w`). A month counts 30 days and a
//! year 365, except from a moment on, where the calendar decides. Times without a zone are in UTC.

use super::Invalid;
use jiff::{Span, SpanRelativeTo, Timestamp, Unit, Zoned, civil::DateTime, tz::TimeZone};

/// The longest span that is taken, in seconds: 100 years.
pub const SPAN_MAX: i64 = 100 * 365 * 86_400;

/// Which side of the present a moment must be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Before now; a span counts back.
    Past,
    /// After now; a span counts ahead.
    Future,
}

/// Seconds of a span such as `30d` or `1h30m`.
///
/// # Errors
/// [`Invalid`] for anything else, for zero, and for more than 100 years.
pub fn parse_span(what: &'static str, text: &str) -> Result<i64, Invalid> {
    let refuse = |reason: &str| Invalid::new(what, text, reason, "write a span such as 30d, 2w or 1h30m");
    let span = read_span(text).ok_or_else(|| refuse("is not a span of time"))?;
    let days = i64::from(span.get_years()) * 365 + i64::from(span.get_months()) * 30;
    let rest = span.years(0).months(0).total((Unit::Second, SpanRelativeTo::days_are_24_hours()));
    #[expect(clippy::cast_possible_truncation, reason = "a span of jiff has less than 2^53 seconds")]
    let seconds =
        rest.map(|rest| rest as i64 + days * 86_400).map_err(|_| refuse("is not a span of time"))?;
    match seconds {
        0 => Err(refuse("is no time at all")),
        ..0 => Err(refuse("is not a span of time")),
        _ if seconds > SPAN_MAX => Err(refuse("is more than 100 years")),
        _ => Ok(seconds),
    }
}

/// Seconds, written as a number of them or as a span.
///
/// # Errors
/// As [`parse_span`].
pub fn parse_seconds(what: &'static str, text: &str) -> Result<i64, Invalid> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let written = if is_number { format!("{text}s") } else { text.to_owned() };
    let hint = "write seconds, or a span such as 5m or 7d";
    parse_span(what, &written).map_err(|e| Invalid::new(what, text, e.reason, hint))
}

/// A moment on one side of `now`: a span from now on or back (`30d`), a date, which is its first
/// second, or a time. Its seconds are whole, as the store keeps them.
///
/// # Errors
/// [`Invalid`] for anything else, and for a moment on the other side.
pub fn parse_moment(
    what: &'static str,
    text: &str,
    now: Timestamp,
    side: Side,
) -> Result<Timestamp, Invalid> {
    let (example, wrong_side) = match side {
        Side::Past => ("2026-11-01", "is not in the past"),
        Side::Future => ("2027-01-31", "is not in the future"),
    };
    let refuse = |reason: &str| {
        let hint = format!(
            "write a span such as 7d or 1h30m, a date such as {example}, or a time such as {example}T18:00:00Z"
        );
        Invalid::new(what, text, reason, hint)
    };
    let moment = match read_span(text) {
        Some(span) => {
            let utc = now.to_zoned(TimeZone::UTC);
            // What is past may be written as a length or as a way back.
            let moved = if side == Side::Past { utc.checked_sub(span.abs()) } else { utc.checked_add(span) };
            moved.map_err(|_| refuse("is too far away"))?.timestamp()
        }
        None => read_time(text).ok_or_else(|| refuse("is neither a span nor a date"))?,
    };
    let moment = Timestamp::from_second(moment.as_second()).unwrap_or(moment);
    let is_right = if side == Side::Past { moment < now } else { moment > now };
    if !is_right {
        return Err(refuse(wrong_side));
    }
    if moment.as_second().abs_diff(now.as_second()) > SPAN_MAX.unsigned_abs() {
        return Err(refuse("is more than 100 years away"));
    }
    Ok(moment)
}

fn read_span(text: &str) -> Option<Span> {
    text.parse().ok()
}

fn read_time(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    if text.contains('[') {
        return text.parse::<Zoned>().ok().map(|zoned| zoned.timestamp());
    }
    let local: DateTime = text.parse().ok()?;
    local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// Seconds in their two largest units: `1 h 21 min`.
pub fn span(seconds: i64) -> String {
    let s = seconds.max(0);
    let (large, small) = match s {
        0..60 => ((s, "s"), (0, "")),
        60..3600 => ((s / 60, "min"), (s % 60, "s")),
        3600..86_400 => ((s / 3600, "h"), (s % 3600 / 60, "min")),
        _ => ((s / 86_400, "d"), (s % 86_400 / 3600, "h")),
    };
    let one = |(n, unit): (i64, &str)| format!("{n} {unit}");
    if s < 60 { one(large) } else { format!("{} {}", one(large), one(small)) }
}

/// The time since a moment: `1 h 21 min`.
pub fn age(then: Timestamp, now: Timestamp) -> String {
    span(now.as_second() - then.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-23T10:00:00Z";

    fn moment(text: &str, side: Side) -> Result<String, String> {
        let now = NOW.parse().expect("now");
        parse_moment("time", text, now, side).map(|t| t.to_string()).map_err(|e| e.to_string())
    }

    #[test]
    fn a_span_is_numbers_with_units() {
        for (text, seconds) in [
            ("90s", 90),
            ("5m", 300),
            ("24h", 86_400),
            ("30d", 2_592_000),
            ("2w", 1_209_600),
            ("1h30m", 5400),
            ("1h 30m", 5400),
            ("90 minutes", 5400),
            ("1.5h", 5400),
            ("PT1H30M", 5400),
            ("1mo", 30 * 86_400),
            ("1y", 365 * 86_400),
            ("1y2mo3d", (365 + 60 + 3) * 86_400),
        ] {
            assert_eq!(parse_span("span", text), Ok(seconds), "{text}");
            assert_eq!(parse_seconds("span", text), Ok(seconds), "{text}");
        }
        for bad in
            ["", "d", "30", "-1d", "1d ago", "0h", "99999999999999999999d", "40000d", "é", "1q", "0.5s"]
        {
            assert!(parse_span("span", bad).is_err(), "{bad:?} was accepted");
        }
        assert_eq!(parse_seconds("span", "300"), Ok(300));
        for bad in ["", "0", "-5", "soon", "-5m", "99999999999999999999"] {
            assert!(parse_seconds("span", bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn every_form_is_taken_on_both_sides_of_now() {
        for (text, past, future) in [
            ("7d", "2026-11-16T10:00:00Z", "2026-11-30T10:00:00Z"),
            ("36h", "2026-11-21T22:00:00Z", "2026-11-24T22:00:00Z"),
            ("2w", "2026-11-09T10:00:00Z", "2026-12-07T10:00:00Z"),
            ("1h30m", "2026-11-23T08:30:00Z", "2026-11-23T11:30:00Z"),
            ("1mo", "2026-10-23T10:00:00Z", "2026-12-23T10:00:00Z"),
            ("90s", "2026-11-23T09:58:30Z", "2026-11-23T10:01:30Z"),
        ] {
            assert_eq!(moment(text, Side::Past).as_deref(), Ok(past), "{text}");
            assert_eq!(moment(text, Side::Future).as_deref(), Ok(future), "{text}");
        }
        for (year, side) in [(2026, Side::Past), (2027, Side::Future)] {
            for (text, at) in [
                ("-01-31", "-01-31T00:00:00Z"),
                ("-01-31T18:00:00+01:00", "-01-31T17:00:00Z"),
                ("-01-31T18:00:00.75Z", "-01-31T18:00:00Z"),
                ("-01-31T18:00", "-01-31T18:00:00Z"),
                ("-01-31 18:00:00", "-01-31T18:00:00Z"),
                ("-01-31T18:00[Europe/Vienna]", "-01-31T17:00:00Z"),
            ] {
                let wanted = Ok(format!("{year}{at}"));
                assert_eq!(moment(&format!("{year}{text}"), side), wanted, "{text}");
            }
        }
        assert_eq!(moment("-7d", Side::Past), moment("7d", Side::Past));
        assert_eq!(moment("7d ago", Side::Past), moment("7d", Side::Past));
    }

    #[test]
    fn what_is_no_moment_is_refused_with_the_reason() {
        for (text, side, message) in [
            ("soon", Side::Past, "time \"soon\" is neither a span nor a date"),
            ("7", Side::Past, "time \"7\" is neither a span nor a date"),
            ("0d", Side::Past, "time \"0d\" is not in the past"),
            ("2027-01-01", Side::Past, "time \"2027-01-01\" is not in the past"),
            ("999999y", Side::Past, "time \"999999y\" is neither a span nor a date"),
            ("15000y", Side::Future, "time \"15000y\" is too far away"),
            ("40000d", Side::Future, "time \"40000d\" is more than 100 years away"),
            ("30", Side::Future, "time \"30\" is neither a span nor a date"),
            ("-1d", Side::Future, "time \"-1d\" is not in the future"),
            (NOW, Side::Future, "time \"2026-11-23T10:00:00Z\" is not in the future"),
            ("2027-02-30", Side::Future, "time \"2027-02-30\" is neither a span nor a date"),
            ("éééééd", Side::Future, "time \"éééééd\" is neither a span nor a date"),
            ("", Side::Future, "time \"\" is neither a span nor a date"),
        ] {
            assert_eq!(moment(text, side), Err(message.to_owned()), "{text}");
        }
    }

    #[test]
    fn ages_have_their_two_largest_units() {
        let at = |s| Timestamp::from_second(s).expect("second");
        for (seconds, text) in
            [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3660, "1 h 1 min"), (90_000, "1 d 1 h")]
        {
            assert_eq!(age(at(1000), at(1000 + seconds)), text);
        }
        assert_eq!(age(at(1000), at(900)), "0 s");
    }
}
