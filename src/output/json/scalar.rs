//! Values that are written a hundred thousand times in one answer: without a string for each.

use crate::model::PublicKey;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use std::cell::Cell;

const DAY: i64 = 86_400;

thread_local! {
    /// The date that was written last, `2026-11-22`, and its day since 1970: most times of a fleet
    /// are of a few days, and only dates need a calendar.
    static DATE: Cell<(i64, [u8; 10])> = const { Cell::new((i64::MIN, [0; 10])) };
}

/// RFC 3339 in UTC, whole seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(pub(super) Timestamp);

impl Time {
    /// The text, if it is since 1970. A `Timestamp` ends before years have five digits.
    fn text(self) -> Option<[u8; 20]> {
        let second = self.0.as_second();
        if second < 0 {
            return None;
        }
        let (day, rest) = (second / DAY, second % DAY);
        let (last, mut date) = DATE.get();
        if last != day {
            let midnight = Timestamp::from_second(day * DAY).ok()?.to_string();
            date = *midnight.as_bytes().first_chunk()?;
            DATE.set((day, date));
        }
        let mut text = *b"0000-00-00T00:00:00Z";
        text[..10].copy_from_slice(&date);
        for (at, n) in [(11, rest / 3600), (14, rest / 60 % 60), (17, rest % 60)] {
            // Two digits, both below ten.
            text[at] += u8::try_from(n / 10).unwrap_or(0);
            text[at + 1] += u8::try_from(n % 10).unwrap_or(0);
        }
        Some(text)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.text().as_ref().and_then(|t| std::str::from_utf8(t).ok()) {
            Some(text) => to.serialize_str(text),
            None => to.serialize_str(&super::time(self.0)),
        }
    }
}

/// A public key in base64.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key(pub(super) PublicKey);

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.encoded().as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_calendar_has_them() {
        for second in [
            -62_135_596_800,
            -1,
            0,
            59,
            86_399,
            86_400,
            951_827_696,
            1_709_164_800,
            1_795_428_000,
            1_795_428_001,
            4_102_444_799,
            Timestamp::MAX.as_second(),
        ] {
            let t = Timestamp::from_second(second).expect("second");
            assert_eq!(serde_json::to_value(Time(t)).expect("JSON"), super::super::time(t), "{second}");
        }
    }
}
