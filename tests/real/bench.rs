//! Whether real `WireGuard` can run here, and which; a test that cannot run says so aloud.

use std::{
    env, fs,
    io::{self, Write},
    process::Command,
};

/// Who carries the interfaces of this run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Backend {
    /// wireguard-go.
    Userspace,
    /// The kernel; so it is inside the virtual machine.
    Kernel,
}

impl Backend {
    /// The backend that `IWAS_WG_REAL_BACKEND` names, userspace without it.
    pub(crate) fn of_this_run() -> Self {
        match env::var("IWAS_WG_REAL_BACKEND").as_deref() {
            Ok("kernel") => Self::Kernel,
            Ok("userspace") | Err(_) => Self::Userspace,
            Ok(other) => panic!("IWAS_WG_REAL_BACKEND: {other:?} is neither kernel nor userspace"),
        }
    }

    /// As `--backend` spells it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Userspace => "userspace",
            Self::Kernel => "kernel",
        }
    }
}

/// The backend to test on, or nothing after saying why there is none.
pub(crate) fn ready() -> Option<Backend> {
    let backend = Backend::of_this_run();
    match obstacle(backend) {
        None => Some(backend),
        Some(reason) => {
            skip(&reason);
            None
        }
    }
}

fn obstacle(backend: Backend) -> Option<String> {
    if !is_root() {
        return Some("needs root for network namespaces".to_owned());
    }
    let mut programs = vec!["busybox", "ip", "ping", "wg", "wg-quick"];
    if backend == Backend::Userspace {
        programs.push("wireguard-go");
        if let Err(e) = fs::File::options().read(true).write(true).open("/dev/net/tun") {
            return Some(format!("needs /dev/net/tun: {e}"));
        }
    }
    missing(&programs)
}

/// The first of these programs that is not there.
pub(crate) fn missing(programs: &[&str]) -> Option<String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let absent = |program: &&&str| !env::split_paths(&path).any(|dir| dir.join(program).is_file());
    programs.iter().find(absent).map(|program| format!("needs {program}"))
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("read /proc/self/status");
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:")).expect("Uid: line");
    uids.split_whitespace().nth(1) == Some("0")
}

/// Says that the running test did nothing, and fails it where it had to run.
pub(crate) fn skip(reason: &str) {
    assert!(env::var_os("IWAS_WG_REQUIRE_REAL").is_none_or(|v| v != "1"), "this test had to run: {reason}");
    aloud(&format!("skipped: {reason}"));
}

/// Says something on the real standard error: the harness hides what goes through `eprintln`.
pub(crate) fn aloud(message: &str) {
    let test = std::thread::current().name().unwrap_or("test").to_owned();
    // Nobody may be reading; the result of the test does not hang on it.
    let _ = writeln!(io::stderr(), "{test}: {message}");
}

/// Runs a command to its end and returns what it wrote to standard output.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("output is UTF-8")
}
