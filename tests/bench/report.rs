//! The figures: one line each while measuring, a table and JSON at the end.

use crate::process::Sample;
use serde::{Deserialize, Serialize};
use std::io::Write;

/// What begins a line that carries a figure from inside.
pub(crate) const MARK: &str = "iwas-bench: ";

/// One work beside what it is compared with.
#[derive(Serialize, Deserialize)]
pub(crate) struct Row {
    /// `userspace` or `kernel`.
    pub(crate) backend: String,
    /// Routers on the hub.
    pub(crate) peers: usize,
    pub(crate) work: String,
    pub(crate) against: String,
    /// Medians.
    pub(crate) seconds: f64,
    pub(crate) against_seconds: f64,
    /// Median of the ratios of the pairs.
    pub(crate) ratio: f64,
    /// What the ratio shall not exceed, where there is a promise for this size.
    pub(crate) target: Option<f64>,
    /// How often each was measured.
    pub(crate) runs: usize,
    /// Largest resident memory of any run.
    pub(crate) peak_mib: f64,
}

impl Row {
    /// From the samples of two things that were measured in turn.
    pub(crate) fn new(
        (backend, peers): (&str, usize),
        (work, samples): (&str, &[Sample]),
        (against, others): (&str, &[Sample]),
        target: Option<f64>,
    ) -> Self {
        let seconds = |all: &[Sample]| all.iter().map(|s| s.seconds).collect::<Vec<_>>();
        let pairs = samples.iter().zip(others).map(|(a, b)| a.seconds / b.seconds).collect();
        Self {
            backend: backend.to_owned(),
            peers,
            work: work.to_owned(),
            against: against.to_owned(),
            seconds: median(seconds(samples)),
            against_seconds: median(seconds(others)),
            ratio: median(pairs),
            target,
            runs: samples.len().min(others.len()),
            peak_mib: samples.iter().map(|s| s.peak_mib).fold(0.0, f64::max),
        }
    }

    /// Hands the figure from inside to whoever prints it.
    pub(crate) fn tell(&self) {
        let line = serde_json::to_string(self).expect("a row");
        let _ = writeln!(std::io::stdout(), "{MARK}{line}");
        let _ = std::io::stdout().flush();
    }

    pub(crate) fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
    }

    fn verdict(&self) -> &'static str {
        match self.target {
            None => "",
            Some(target) if self.ratio <= target => "met",
            Some(_) => "NOT MET",
        }
    }

    pub(crate) fn line(&self) -> String {
        format!(
            "{:<9} {:>7}  {:<24} {:>9.1} ms  {:<34} {:>9.1} ms  {:>8}  {:>8}  {:<7} {:>3} runs {:>6.0} MiB",
            self.backend,
            self.peers,
            self.work,
            self.seconds * 1e3,
            self.against,
            self.against_seconds * 1e3,
            ratio(self.ratio),
            self.target.map(|t| format!("<= {}", ratio(t))).unwrap_or_default(),
            self.verdict(),
            self.runs,
            self.peak_mib,
        )
    }
}

/// Three digits that mean something, also far below one.
fn ratio(r: f64) -> String {
    if r < 0.1 { format!("{r:.4}") } else { format!("{r:.2}") }
}

fn median(mut values: Vec<f64>) -> f64 {
    assert!(!values.is_empty(), "nothing was measured");
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

/// The table on standard output.
pub(crate) fn print(rows: &[Row]) {
    let mut text = format!("\n{}\n", machine());
    text += "Each line: the work, its median, what it is compared with, that one's median, the ratio.\n";
    text += "`kernel` is an emulated machine: only ratios of what runs for long count there.\n\n";
    for row in rows {
        text += &row.line();
        text.push('\n');
    }
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// The same for programs.
pub(crate) fn json(rows: &[Row]) -> String {
    let report = serde_json::json!({ "schema_version": 1, "machine": machine(), "rows": rows });
    format!("{report:#}\n")
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let profile = if cfg!(debug_assertions) { ", NOT optimised: no figures for anybody" } else { "" };
    format!("{cores} cores, Linux {}{profile}", kernel.trim())
}
