//! Processes: running one to its end, and the stop watch around it.

use std::{
    fs::File,
    io::Read,
    process::{Command, Stdio},
    time::Instant,
};
use wait4::Wait4;

/// One measured process.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) seconds: f64,
    /// Its largest resident memory.
    pub(crate) peak_mib: f64,
}

/// Runs a command whose output nobody reads, and measures it from start to end.
///
/// # Panics
/// If it fails: what does not work has no speed.
pub(crate) fn timed(command: &mut Command) -> Sample {
    let mut said = tempfile::tempfile().expect("temporary file");
    let errors: File = said.try_clone().expect("temporary file");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
    let began = Instant::now();
    let mut child = command.spawn().unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
    let end = child.wait4().expect("wait for the process");
    let seconds = began.elapsed().as_secs_f64();
    if !end.status.success() {
        let mut text = String::new();
        let _ = std::io::Seek::rewind(&mut said).and_then(|()| said.read_to_string(&mut text));
        panic!("{command:?}: {}\n{}", end.status, text.lines().take(5).collect::<Vec<_>>().join("\n"));
    }
    Sample { seconds, peak_mib: mib(end.rusage.maxrss) }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Measures things in turn, this often each: a machine that slows down slows all of them.
pub(crate) fn in_turn<const N: usize>(
    runs: usize,
    mut things: [&mut dyn FnMut() -> Sample; N],
) -> [Vec<Sample>; N] {
    let mut all = [(); N].map(|()| Vec::with_capacity(runs));
    for _ in 0..runs {
        for (samples, thing) in all.iter_mut().zip(&mut things) {
            samples.push(thing());
        }
    }
    all
}

/// How often a text occurs, read in small pieces: what this process ever held in memory, the system
/// counts as the peak of the processes that it starts, too.
pub(crate) fn occurrences(mut from: impl Read, text: &str) -> usize {
    let (mut piece, mut held, mut count) = (vec![0; 1 << 16], Vec::new(), 0);
    loop {
        let n = from.read(&mut piece).expect("read");
        if n == 0 {
            return count;
        }
        held.extend_from_slice(&piece[..n]);
        let ends = held.windows(text.len()).enumerate().filter(|(_, w)| *w == text.as_bytes());
        let (found, last) = ends.fold((0, 0), |(found, _), (at, _)| (found + 1, at + text.len()));
        count += found;
        // What may be the beginning of another one.
        held.drain(..last.max((held.len() + 1).saturating_sub(text.len())));
    }
}

/// Runs a command to its end and returns what it wrote to standard output.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

/// The first of these programs that is not there.
pub(crate) fn missing(programs: &[&str]) -> Option<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let absent = |program: &&&str| !std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    programs.iter().find(absent).map(|program| format!("needs {program}"))
}
