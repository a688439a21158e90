//! Everything the program takes from outside: variables, streams, terminal facts, time,
//! randomness and devices. A test builds its own; only [`Env::real`] asks the system.

pub mod program;
pub mod signals;
mod who;

use crate::{
    device::{Devices, SystemDevices},
    model::{Boot, Caller},
};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    io::{self, BufWriter, IsTerminal, Read, Write},
    os::fd::AsFd,
    path::PathBuf,
};
use zeroize::Zeroizing;

/// Where the time comes from.
pub trait Clock {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// How long the machine has been running, on a clock that cannot be set; `None` where there is
    /// no such clock.
    fn boot(&self) -> Option<Boot> {
        None
    }
}

/// Where randomness comes from.
pub trait Rng {
    /// Fills the buffer with bytes that nobody can guess.
    ///
    /// # Errors
    /// The system's, if it has no randomness to give.
    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()>;
}

/// Facts about the three streams.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal {
    /// Standard input is a terminal.
    pub stdin: bool,
    /// Standard output is a terminal.
    pub stdout: bool,
    /// Standard error is a terminal.
    pub stderr: bool,
    /// Standard output is a file or terminal that others may read.
    pub stdout_is_public: bool,
    /// Standard output was closed, or is the null device open for both ways, which is what the
    /// runtime puts in the place of a closed one.
    pub stdout_is_gone: bool,
    /// Width of the terminal behind standard output, in columns.
    pub width: Option<u16>,
}

/// The outside world of one run.
pub struct Env {
    /// Environment variables.
    pub vars: BTreeMap<String, String>,
    /// Standard input.
    pub stdin: Box<dyn Read>,
    /// Standard output, buffered: flushed once at the end or for each line of a stream.
    pub stdout: Box<dyn Write>,
    /// Standard error, unbuffered.
    pub stderr: Box<dyn Write>,
    /// What the streams are.
    pub terminal: Terminal,
    /// The time.
    pub clock: Box<dyn Clock>,
    /// Randomness.
    pub rng: Box<dyn Rng>,
    /// `WireGuard` interfaces.
    pub devices: Box<dyn Devices>,
    /// Whether the effective user is root.
    pub is_root: bool,
    /// Who is behind the call.
    pub caller: Caller,
    /// The directory below which this machine's own hub is; `None` for `/`.
    pub hub_root: Option<PathBuf>,
    /// Looks up a user by name, as the system knows them.
    pub find_user: fn(&str) -> Option<Caller>,
    /// Asks for a passphrase on the terminal, without showing it.
    pub ask_secret: fn(&str) -> io::Result<Zeroizing<String>>,
    /// The wish that this run may end, for commands that listen.
    pub stop: signals::Stop,
}

impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Env").field("terminal", &self.terminal).finish_non_exhaustive()
    }
}

impl Env {
    /// The world as it is.
    pub fn real() -> Self {
        // A variable that is not UTF-8 is none of ours.
        let vars: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .collect();
        keep_memory_private();
        let caller = who::caller(&vars);
        let is_root = rustix::process::geteuid().is_root();
        let stdout = io::stdout().is_terminal();
        let terminal = Terminal {
            stdin: io::stdin().is_terminal(),
            stdout,
            stderr: io::stderr().is_terminal(),
            stdout_is_public: is_public(io::stdout()),
            stdout_is_gone: is_gone(io::stdout()),
            width: stdout.then(|| width(&vars)).flatten(),
        };
        Self {
            devices: Box::new(SystemDevices::new(vars.clone())),
            vars,
            stdin: Box::new(io::stdin()),
            stdout: Box::new(BufWriter::new(io::stdout())),
            stderr: Box::new(io::stderr()),
            terminal,
            clock: Box::new(SystemClock),
            rng: Box::new(SystemRng),
            is_root,
            caller,
            hub_root: None,
            find_user: who::find_user,
            ask_secret: |prompt| rpassword::prompt_password(prompt).map(Zeroizing::new),
            stop: signals::Stop::default(),
        }
    }
}

/// No core file of this process or of what it starts, and no other process of the same user that
/// looks into its memory: it holds private keys.
fn keep_memory_private() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    // Neither can fail for lowering; where a kernel knows one of them not, the other holds.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// Whether others than the owner may read what stands behind a stream; pipes are nobody's.
fn is_public(stream: impl AsFd) -> bool {
    const READABLE_BY_OTHERS: u32 = 0o044;
    rustix::fs::fstat(stream).is_ok_and(|s| {
        let kind = rustix::fs::FileType::from_raw_mode(s.st_mode);
        let device = kind == rustix::fs::FileType::CharacterDevice && rustix::termios::isatty(io::stdout());
        (kind == rustix::fs::FileType::RegularFile || device) && s.st_mode & READABLE_BY_OTHERS != 0
    })
}

/// Whether a stream is the null device, opened for reading and writing.
fn is_gone(stream: impl AsFd) -> bool {
    let is_null = |s: rustix::fs::Stat| {
        rustix::fs::FileType::from_raw_mode(s.st_mode) == rustix::fs::FileType::CharacterDevice
            && rustix::fs::stat("/dev/null").is_ok_and(|null| null.st_rdev == s.st_rdev)
    };
    let both = rustix::fs::fcntl_getfl(&stream).is_ok_and(|f| f.contains(rustix::fs::OFlags::RDWR));
    both && rustix::fs::fstat(&stream).is_ok_and(is_null)
}

fn width(vars: &BTreeMap<String, String>) -> Option<u16> {
    let asked = vars.get("COLUMNS").and_then(|c| c.parse().ok()).filter(|c| *c > 0);
    asked.or_else(|| rustix::termios::tcgetwinsize(io::stdout()).ok().map(|s| s.ws_col).filter(|c| *c > 0))
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn boot(&self) -> Option<Boot> {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let seconds = rustix::time::clock_gettime(rustix::time::ClockId::Boottime).tv_sec;
        Some(Boot { id: id.trim().to_owned(), seconds })
    }
}

struct SystemRng;

impl Rng for SystemRng {
    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        getrandom::fill(bytes).map_err(io::Error::from)
    }
}
