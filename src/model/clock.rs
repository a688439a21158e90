//! Whether the clock can be believed: two moments must lie as far apart on it as on the clock that
//! counts since the machine started.
//!
//! The second clock cannot be set, so it shows a clock that jumped. It says nothing about a time
//! before the machine started; only a plausible length can be asked of that time.

use jiff::Timestamp;

/// How far the two clocks may differ, in seconds: a time service may correct the clock.
pub(super) const TOLERANCE: i64 = 600;
/// How long a machine may be off without a question, in seconds: 31 days.
const LONGEST_OFF: i64 = 31 * 86_400;

/// How long the machine has been running, and which of its starts that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// The kernel's name for this start of the machine.
    pub id: String,
    /// Seconds since the start, sleep included.
    pub seconds: i64,
}

/// What both clocks said at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockReading {
    /// The clock.
    pub at: Timestamp,
    /// The time since the start; `None` where it is not known.
    pub boot: Option<Boot>,
}

impl ClockReading {
    /// Seconds by which the clock is ahead of what it should be, as seen from an earlier reading;
    /// negative if it is behind. `None` if it did not jump.
    pub fn jump_since(&self, earlier: &Self) -> Option<i64> {
        let elapsed = self.at.as_second().saturating_sub(earlier.at.as_second());
        let (least, most) = match (&self.boot, &earlier.boot) {
            (Some(now), Some(then)) if now.id == then.id => {
                let counted = now.seconds.saturating_sub(then.seconds);
                (counted, counted)
            }
            // Another start: at least the time since that start has passed.
            (Some(now), Some(_)) => (now.seconds, now.seconds.saturating_add(LONGEST_OFF)),
            _ => (0, LONGEST_OFF),
        };
        if elapsed < least.saturating_sub(TOLERANCE) {
            Some(elapsed.saturating_sub(least))
        } else if elapsed > most.saturating_add(TOLERANCE) {
            Some(elapsed.saturating_sub(most))
        } else {
            None
        }
    }
}

/// What is remembered of the clock from one heartbeat to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClockMemory {
    /// The last reading that was believed.
    pub trusted: Option<ClockReading>,
    /// A later one that was not.
    pub doubted: Option<ClockReading>,
}

impl ClockMemory {
    /// What to think of the clock now.
    pub fn judge(&self, now: &ClockReading) -> Verdict {
        match self.trusted.as_ref().and_then(|trusted| now.jump_since(trusted)) {
            None => Verdict::Steady,
            Some(_) if self.doubted.as_ref().is_some_and(|d| now.jump_since(d).is_none()) => {
                Verdict::Confirmed
            }
            Some(jump) => Verdict::Jumped(jump),
        }
    }
}

/// What to think of a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It did not jump since it was last believed.
    Steady,
    /// It jumped, but the heartbeat before saw the same jump: it is believed from now on.
    Confirmed,
    /// It jumped by so many seconds, and nothing may end by it.
    Jumped(i64),
}

impl Verdict {
    /// By how many seconds a clock jumped that cannot be believed.
    pub const fn jump(self) -> Option<i64> {
        match self {
            Self::Jumped(by) => Some(by),
            Self::Steady | Self::Confirmed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: i64 = 86_400;
    const T: i64 = 1_795_428_000;

    fn reading(at: i64, boot: Option<(&str, i64)>) -> ClockReading {
        ClockReading {
            at: Timestamp::from_second(at).expect("second"),
            boot: boot.map(|(id, seconds)| Boot { id: id.to_owned(), seconds }),
        }
    }

    #[test]
    fn a_clock_that_jumps_while_the_machine_runs_is_seen() {
        let before = reading(T, Some(("a", 1000)));
        let jump = |at, boot| reading(at, Some(("a", boot))).jump_since(&before);
        assert_eq!(jump(T + 120, 1120), None);
        assert_eq!(jump(T + 400 * DAY, 1000 + 400 * DAY), None, "no heartbeat for a year, and no jump");
        assert_eq!(jump(T + 3650 * DAY, 1120), Some(3650 * DAY - 120));
        assert_eq!(jump(T + 120 + 601, 1120), Some(601));
        assert_eq!(jump(T - 3600, 1120), Some(-3720));
        assert_eq!(jump(T, 1000 + DAY), Some(-DAY), "a clock that stood still");
    }

    #[test]
    fn a_restart_explains_a_pause_of_a_month_and_no_more() {
        let before = reading(T, Some(("a", 1_000_000)));
        let jump = |at, boot| reading(at, Some(("b", boot))).jump_since(&before);
        assert_eq!(jump(T + 30, 20), None);
        assert_eq!(jump(T + 20 * DAY, 60), None);
        assert_eq!(jump(T + 40 * DAY, 60), Some(9 * DAY - 60));
        assert_eq!(jump(T + 3600, 2 * DAY), Some(3600 - 2 * DAY), "less than the time since the start");
        assert_eq!(jump(0, 60), Some(-T - 60), "a clock without a battery");
    }

    #[test]
    fn without_the_second_clock_only_the_last_heartbeat_judges() {
        let before = reading(T, None);
        let jump = |at| reading(at, Some(("a", 5))).jump_since(&before);
        assert_eq!((jump(T + 30 * DAY), jump(T - 300)), (None, None));
        assert_eq!((jump(T + 32 * DAY), jump(T - 700)), (Some(DAY), Some(-700)));
    }

    #[test]
    fn a_jump_is_believed_when_the_next_heartbeat_sees_it_too() {
        let mut memory = ClockMemory::default();
        let now = |at, boot| reading(at, Some(("a", boot)));
        assert_eq!(memory.judge(&now(T + 9999 * DAY, 0)), Verdict::Steady, "nothing to compare with");
        memory.trusted = Some(now(T, 1000));
        assert!(memory.judge(&now(T + 3650 * DAY, 1120)).jump().is_some());
        memory.doubted = Some(now(T + 3650 * DAY, 1120));
        assert_eq!(memory.judge(&now(T + 3650 * DAY + 120, 1240)), Verdict::Confirmed);
        assert_eq!(memory.judge(&now(T + 240, 1240)), Verdict::Steady, "back to where it was");
        assert!(memory.judge(&now(T + 100 * DAY, 1240)).jump().is_some(), "somewhere else again");
    }

    proptest! {
        #[test]
        fn no_two_readings_of_any_value_overflow(
            a in -377_705_023_201_i64..253_402_207_200, b in -377_705_023_201_i64..253_402_207_200,
            s in any::<i64>(), t in any::<i64>(), same in any::<bool>(),
        ) {
            let ids = if same { ("a", "a") } else { ("a", "b") };
            let _ = reading(a, Some((ids.0, s))).jump_since(&reading(b, Some((ids.1, t))));
        }
    }
}
