//! What became of a site: from its changes of state to availability, outages and a timeline.
//!
//! Times here are Unix seconds: a year of a large fleet is millions of them.

use super::State;

/// A change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// From when on.
    pub at: i64,
    /// The state.
    pub state: State,
}

/// A time in which nobody looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Its beginning: the last heartbeat before.
    pub from: i64,
    /// Its end: the first heartbeat after.
    pub until: i64,
}

/// The time that a report is about, its end not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its first second.
    pub from: i64,
    /// The second after its last.
    pub until: i64,
}

impl Window {
    /// Where the parts of equal length begin, up to rounding, that a timeline of `n` cells has,
    /// and where the last one ends.
    fn bounds(self, n: usize) -> Vec<i64> {
        let parts = i128::try_from(n.max(1)).unwrap_or(1);
        let span = i128::from(self.until - self.from);
        (0..=parts).map(|i| self.from + i64::try_from(span * i / parts).unwrap_or(0)).collect()
    }
}

/// A time in which the state was one and the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Its first second.
    pub from: i64,
    /// The second after its last.
    pub until: i64,
    /// The state.
    pub state: State,
}

/// A time in which a site was offline. Not knowing in between does not end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// When it began, or the beginning of the report.
    pub from: i64,
    /// When it ended; `None` while it goes on.
    pub until: Option<i64>,
    /// Seconds in which the site was known to be offline.
    pub seconds: i64,
}

/// What a report says of one site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Seconds known to be online.
    pub online: i64,
    /// Seconds known to be offline.
    pub offline: i64,
    /// Seconds in which nobody looked or could tell.
    pub unknown: i64,
    /// All outages in order.
    pub outages: Vec<Outage>,
}

impl Summary {
    /// Online time of known time in percent; `None` where nothing is known.
    pub fn availability(&self) -> Option<f64> {
        availability(self.online, self.offline)
    }

    /// The longest outage in seconds.
    pub fn longest(&self) -> Option<i64> {
        self.outages.iter().map(|o| o.seconds).max()
    }
}

/// Online time of known time in percent, cut after three digits so that 100 means no outage.
#[expect(clippy::cast_precision_loss, reason = "seconds of a fleet stay far below 2^53")]
pub fn availability(online: i64, offline: i64) -> Option<f64> {
    let known = online + offline;
    (known > 0).then(|| (online as f64 * 100_000.0 / known as f64).floor() / 1000.0)
}

/// The stretches of a site within a window. Where nobody looked, online and offline become
/// unknown. Nothing is said of the time before the first step.
pub fn stretches(steps: &[Step], gaps: &[Gap], window: Window) -> Vec<Stretch> {
    let mut all: Vec<Stretch> = Vec::with_capacity(steps.len());
    for (i, step) in steps.iter().enumerate() {
        let from = step.at.max(window.from);
        let until = steps.get(i + 1).map_or(window.until, |next| next.at).min(window.until);
        if from >= until {
            continue;
        }
        if !matches!(step.state, State::Online | State::Offline) {
            push(&mut all, from, until, step.state);
            continue;
        }
        let mut at = from;
        let first = gaps.partition_point(|g| g.until <= from);
        for gap in gaps[first..].iter().take_while(|g| g.from < until) {
            push(&mut all, at, gap.from.max(at), step.state);
            push(&mut all, gap.from.max(at), gap.until.min(until), State::Unknown);
            at = gap.until.min(until);
        }
        push(&mut all, at, until, step.state);
    }
    all
}

fn push(all: &mut Vec<Stretch>, from: i64, until: i64, state: State) {
    match all.last_mut() {
        _ if from >= until => {}
        Some(last) if last.state == state && last.until == from => last.until = until,
        _ => all.push(Stretch { from, until, state }),
    }
}

/// Adds up a site's stretches; its steps say what comes after the last of them.
pub fn summarize(stretches: &[Stretch], steps: &[Step], window: Window) -> Summary {
    let mut summary = Summary::default();
    let mut open = false;
    for s in stretches {
        let seconds = s.until - s.from;
        match s.state {
            State::Online => summary.online += seconds,
            State::Offline => summary.offline += seconds,
            State::Unknown => summary.unknown += seconds,
            State::Never | State::Disabled | State::Unprovisioned => {}
        }
        match (s.state, summary.outages.last_mut()) {
            (State::Offline, Some(outage)) if open => {
                outage.seconds += seconds;
                outage.until = Some(s.until);
            }
            (State::Offline, _) => {
                summary.outages.push(Outage { from: s.from, until: Some(s.until), seconds });
                open = true;
            }
            (State::Unknown, _) => {}
            _ => open = false,
        }
    }
    // Whoever was offline when last seen still is, as far as anybody knows.
    let end = steps.iter().rev().find(|s| s.at <= window.until).map(|s| s.state);
    if open
        && matches!(end, Some(State::Offline | State::Unknown))
        && stretches.last().is_some_and(|s| s.until == window.until)
        && let Some(outage) = summary.outages.last_mut()
    {
        outage.until = None;
    }
    summary
}

/// One cell of a timeline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cell {
    /// Seconds online in it.
    pub online: i64,
    /// Seconds offline in it.
    pub offline: i64,
}

impl Cell {
    /// Adds another site's cell of the same time.
    pub fn add(&mut self, other: Self) {
        self.online += other.online;
        self.offline += other.offline;
    }

    /// How much of the known time was online in eighths; `None` where nothing is known. All of
    /// it only if there was no outage, nothing only if there was nothing else.
    pub fn eighths(self) -> Option<usize> {
        let known = self.online + self.offline;
        match (self.online, self.offline) {
            (0, 0) => None,
            (0, _) => Some(0),
            (_, 0) => Some(8),
            (online, _) => Some(usize::try_from(online * 8 / known).unwrap_or(0).clamp(1, 7)),
        }
    }
}

/// A site's window in `n` cells.
pub fn timeline(stretches: &[Stretch], window: Window, n: usize) -> Vec<Cell> {
    let mut cells = vec![Cell::default(); n];
    let begin = window.bounds(n);
    let mut i = 0;
    for s in stretches.iter().filter(|s| matches!(s.state, State::Online | State::Offline)) {
        while i < n && begin[i + 1] <= s.from {
            i += 1;
        }
        let mut j = i;
        while j < n && begin[j] < s.until {
            let seconds = s.until.min(begin[j + 1]) - s.from.max(begin[j]);
            match s.state {
                State::Online => cells[j].online += seconds,
                _ => cells[j].offline += seconds,
            }
            j += 1;
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const W: Window = Window { from: 1000, until: 2000 };

    fn steps(all: &[(i64, State)]) -> Vec<Step> {
        all.iter().map(|(at, state)| Step { at: *at, state: *state }).collect()
    }

    #[test]
    fn the_state_at_the_beginning_comes_from_before() {
        let s = steps(&[(10, State::Online), (1200, State::Offline), (1300, State::Online)]);
        let sum = summarize(&stretches(&s, &[], W), &s, W);
        assert_eq!((sum.online, sum.offline, sum.unknown), (900, 100, 0));
        assert_eq!(sum.availability(), Some(90.0));
        assert_eq!(sum.outages, [Outage { from: 1200, until: Some(1300), seconds: 100 }]);
    }

    #[test]
    fn time_in_which_nobody_looked_counts_for_nothing() {
        let s = steps(&[(10, State::Online), (1250, State::Offline), (1900, State::Online)]);
        let gaps = [Gap { from: 1200, until: 1300 }, Gap { from: 1400, until: 1500 }];
        let all = stretches(&s, &gaps, W);
        let sum = summarize(&all, &s, W);
        assert_eq!((sum.online, sum.offline, sum.unknown), (300, 500, 200));
        assert_eq!(
            sum.outages,
            [Outage { from: 1300, until: Some(1900), seconds: 500 }],
            "one outage, not two"
        );
        let states: Vec<State> = all.iter().map(|s| s.state).collect();
        let (on, off, unknown) = (State::Online, State::Offline, State::Unknown);
        assert_eq!(states, [on, unknown, off, unknown, off, on]);
    }

    #[test]
    fn an_outage_goes_on_until_somebody_is_back() {
        let s = steps(&[(1100, State::Offline)]);
        let sum = summarize(&stretches(&s, &[], W), &s, W);
        assert_eq!(sum.outages, [Outage { from: 1100, until: None, seconds: 900 }]);
        assert_eq!(sum.availability(), Some(0.0));
        let s = steps(&[(1100, State::Offline), (2000, State::Online)]);
        let sum = summarize(&stretches(&s, &[], W), &s, W);
        assert_eq!(sum.outages[0].until, Some(2000), "back at this very second");
        let s = steps(&[(1100, State::Offline), (1500, State::Disabled)]);
        let sum = summarize(&stretches(&s, &[], W), &s, W);
        assert_eq!(sum.outages, [Outage { from: 1100, until: Some(1500), seconds: 400 }]);
        assert_eq!(summarize(&[], &[], W).availability(), None);
    }

    #[test]
    fn a_full_cell_had_no_outage_and_an_empty_one_nothing_else() {
        let cell = |online, offline| Cell { online, offline }.eighths();
        assert_eq!(cell(0, 0), None);
        assert_eq!((cell(86_399, 1), cell(1, 86_399)), (Some(7), Some(1)));
        assert_eq!((cell(10, 0), cell(0, 10), cell(5, 5)), (Some(8), Some(0), Some(4)));
    }

    #[test]
    fn no_outage_is_the_only_hundred_percent() {
        assert_eq!(availability(10_000_000, 1), Some(99.999));
        assert_eq!(availability(10_000_000, 0), Some(100.0));
    }

    fn any_state() -> impl Strategy<Value = State> {
        proptest::sample::select(State::ALL.to_vec())
    }

    proptest! {
        #[test]
        fn sums_and_cells_are_what_each_second_says(
            changes in proptest::collection::btree_map(900_i64..2100, any_state(), 0..20),
            gap in proptest::collection::btree_map(900_i64..2100, 1_i64..200, 0..3),
            n in 1_usize..40,
        ) {
            let steps: Vec<Step> = changes.iter().map(|(at, state)| Step { at: *at, state: *state }).collect();
            let mut gaps: Vec<Gap> = Vec::new();
            for (from, length) in gap {
                if gaps.last().is_none_or(|g| g.until <= from) {
                    gaps.push(Gap { from, until: from + length });
                }
            }
            let state_at = |t: i64| {
                let state = changes.range(..=t).next_back().map(|(_, s)| *s);
                let blind = gaps.iter().any(|g| (g.from..g.until).contains(&t));
                match state {
                    Some(State::Online | State::Offline) if blind => Some(State::Unknown),
                    other => other,
                }
            };
            let count = |state| i64::try_from((W.from..W.until).filter(|t| state_at(*t) == Some(state)).count());
            let all = stretches(&steps, &gaps, W);
            let sum = summarize(&all, &steps, W);
            prop_assert_eq!(sum.online, count(State::Online).expect("count"));
            prop_assert_eq!(sum.offline, count(State::Offline).expect("count"));
            prop_assert_eq!(sum.unknown, count(State::Unknown).expect("count"));
            prop_assert_eq!(sum.outages.iter().map(|o| o.seconds).sum::<i64>(), sum.offline);
            let cells = timeline(&all, W, n);
            prop_assert_eq!(cells.iter().map(|c| c.online).sum::<i64>(), sum.online);
            prop_assert_eq!(cells.iter().map(|c| c.offline).sum::<i64>(), sum.offline);
        }
    }
}
