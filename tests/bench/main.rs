//! How long the program takes beside what the standard tools need for the same work.
//!
//! ```text
//! cargo bench                                  1,000 routers, all that must work, under 2 minutes
//! cargo bench -- --full                        10 to 100,000 routers, most of an hour
//! cargo bench -- --peers 10000 --backend userspace --runs 9 --json figures.json
//! ```
//!
//! Everything is measured as a whole process, from its start to its end, in turn with the process
//! that it is compared with, so that a machine whose speed drifts spoils no ratio. Nothing is
//! asserted about time; a command that fails, or does the wrong thing, fails the benchmark.
//!
//! `fleet` makes the hubs, `inside` measures in a network namespace or in the small virtual machine
//! with the Linux kernel's own `WireGuard`, `machine` boots that, `rivals` knows other people's
//! tools, `process` holds the stop watch, `report` the table.

mod fleet;
mod inside;
mod machine;
mod process;
mod report;
mod rivals;
mod works;

use process::{missing, run};
use report::Row;
use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

/// The program that is measured.
const PROGRAM: &str = env!("CARGO_BIN_EXE_iwas-wg");

/// What was asked for.
pub(crate) struct Wish {
    sizes: Vec<usize>,
    userspace: bool,
    kernel: bool,
    runs: usize,
    json: Option<PathBuf>,
}

const FULL: [usize; 4] = [10, 1_000, 10_000, 100_000];

fn parse(args: &[String]) -> Result<Wish, String> {
    let mut wish = Wish { sizes: vec![1_000], userspace: true, kernel: true, runs: 5, json: None };
    let mut args = args.iter().filter(|a| *a != "--bench");
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--full" => wish.sizes = FULL.to_vec(),
            "--peers" => {
                let sizes = value()?.split(',').map(str::parse).collect::<Result<_, _>>();
                wish.sizes = sizes.map_err(|e| format!("--peers: {e}"))?;
            }
            "--runs" => wish.runs = value()?.parse().map_err(|e| format!("--runs: {e}"))?,
            "--json" => wish.json = Some(value()?.into()),
            "--backend" => {
                let name = value()?;
                (wish.userspace, wish.kernel) = (name != "kernel", name != "userspace");
            }
            other => return Err(format!("{other:?} is not known; see the head of tests/bench/main.rs")),
        }
    }
    wish.sizes.sort_unstable();
    Ok(wish)
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|a| a == inside::FLAG) {
        inside::main(&args[1..]);
        return ExitCode::SUCCESS;
    }
    // `cargo test --benches` starts this too, and wants no hour of measuring.
    if !args.iter().any(|a| a == "--bench") {
        say("a benchmark: run it with \"cargo bench\"");
        return ExitCode::SUCCESS;
    }
    let wish = match parse(&args) {
        Ok(wish) => wish,
        Err(e) => {
            say(&format!("benchmark: {e}"));
            return ExitCode::from(2);
        }
    };
    let required = std::env::var("IWAS_WG_REQUIRE_REAL").is_ok_and(|v| v == "1");
    let work = tempfile::tempdir().expect("temporary directory");
    let mut rows = Vec::new();
    let mut whole = true;
    for (wanted, backend) in [(wish.userspace, "userspace"), (wish.kernel, "kernel")] {
        if !wanted {
            continue;
        }
        if let Some(reason) = obstacle(backend) {
            say(&format!("skipped: the {backend} WireGuard: {reason}"));
            whole &= !required;
            continue;
        }
        let measured = fleet::make(work.path(), &wish.sizes, backend)
            .and_then(|fleets| measure(backend, work.path(), &fleets, wish.runs, &mut rows));
        if let Err(e) = measured {
            say(&format!("benchmark: {backend}: {e}"));
            whole = false;
        }
    }
    report::print(&rows);
    if let Some(path) = &wish.json {
        std::fs::write(path, report::json(&rows)).expect("write the figures");
    }
    if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Measures on one kind of `WireGuard`.
fn measure(
    backend: &str,
    work: &Path,
    fleets: &[PathBuf],
    runs: usize,
    rows: &mut Vec<Row>,
) -> Result<(), String> {
    let mut words = vec![inside::FLAG.to_owned(), backend.to_owned(), runs.to_string()];
    words.extend(fleets.iter().map(|f| f.display().to_string()));
    let mut note = |line: &str| match line.strip_prefix(report::MARK) {
        Some(row) => {
            rows.push(Row::parse(row));
            say(&rows[rows.len() - 1].line());
        }
        None => say(&format!("  {line}")),
    };
    if backend == "kernel" {
        return machine::boot(work, fleets, &words, note);
    }
    let space = Space::new();
    let mut command = space.command();
    command.args(words).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|e| format!("cannot start: {e}"))?;
    let output = child.stdout.take().ok_or("no output")?;
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        note(&line);
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("the measuring ended with {status}")) }
}

/// A network namespace, gone with all that runs in it when dropped.
struct Space(String);

impl Space {
    fn new() -> Self {
        let name = format!("iwbench-{}", std::process::id());
        run(Command::new("ip").args(["netns", "add", &name]));
        run(Command::new("ip").args(["-n", &name, "link", "set", "lo", "up"]));
        Self(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0]).arg(std::env::current_exe().expect("own path"));
        command
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let pids = Command::new("ip").args(["netns", "pids", &self.0]).output();
        let pids = pids.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
        for pid in pids.split_whitespace() {
            let _ = Command::new("kill").args(["-KILL", pid]).status();
        }
        let _ = Command::new("ip").args(["netns", "delete", &self.0]).status();
        inside::remove_sockets();
    }
}

fn obstacle(backend: &str) -> Option<String> {
    let root = run(Command::new("id").arg("-u"));
    if root.trim() != "0" {
        return Some("needs root".to_owned());
    }
    if backend == "kernel" {
        return machine::obstacle();
    }
    missing(&["ip", "wg", "wireguard-go", "sh"]).or_else(|| {
        let tun = std::fs::File::options().read(true).write(true).open("/dev/net/tun");
        tun.err().map(|e| format!("needs /dev/net/tun: {e}"))
    })
}

/// Tells people; the table is the result.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
