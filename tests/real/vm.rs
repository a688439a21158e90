//! The Linux kernel's own `WireGuard`, whatever kernel this machine runs: a small virtual machine
//! with the distribution's kernel, in which this very test binary runs once more.

use crate::{
    bench::{Backend, aloud, is_root, missing, run, skip},
    kernel::FLEET,
};
use std::{
    env,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

/// Emulation on a busy machine is slow; a hang is still found.
const TIMEOUT: Duration = Duration::from_secs(900);
const RESULT: &str = "iwas-vm: result of the tests: ";
const FINAL: &str = "iwas-vm: tests ended with exit code ";

#[test]
fn kernel_wireguard_in_the_virtual_machine() {
    if Backend::of_this_run() == Backend::Kernel {
        return aloud("this kernel has WireGuard: no machine in the machine");
    }
    if let Some(reason) = obstacle() {
        return skip(&reason);
    }
    let work = tempfile::tempdir().expect("temporary directory");
    let fleet = work.path().join("fleet");
    make_fleet(&fleet);
    build(work.path(), &fleet);
    let expected = tests_inside();
    let log = boot(work.path(), &fleet);
    let tail = log
        .iter()
        .skip(log.len().saturating_sub(120))
        .fold(String::new(), |t, line| t + "vm| " + line + "\n");
    assert_eq!(
        said(&log, FINAL),
        Some("0"),
        "the tests failed in the virtual machine; its log ends:\n{tail}"
    );
    assert_eq!(
        passed(&log),
        Some(expected),
        "not every test ran in the virtual machine; its log ends:\n{tail}"
    );
}

/// What the machine said after these words, whatever another program left before them on that line.
fn said<'a>(log: &'a [String], words: &str) -> Option<&'a str> {
    log.iter().rev().find_map(|line| line.split_once(words)).map(|(_, rest)| rest.trim_end())
}

/// How many tests passed, by their own count; nothing if one failed or the count never came.
fn passed(log: &[String]) -> Option<usize> {
    said(log, RESULT)?.strip_prefix("ok. ")?.split_once(" passed")?.0.parse().ok()
}

#[test]
fn the_count_survives_what_breaks_into_the_console() {
    let console = [
        "test a::b ... iwas-wg: warning: a word from standard errorok",
        "ok. 3 passed",
        "no newline hereiwas-vm: result of the tests: ok. 26 passed; 0 failed; 0 ignored",
        "iwas-vm: tests ended with exit code 0",
    ];
    let log = console.map(str::to_owned);
    assert_eq!((passed(&log), said(&log, FINAL)), (Some(26), Some("0")));
    assert_eq!(passed(&["iwas-vm: result of the tests: FAILED. 25 passed; 1 failed".to_owned()]), None);
    assert_eq!(passed(&log[..2]), None);
}

fn obstacle() -> Option<String> {
    if env::consts::ARCH != "x86_64" {
        return Some(format!("no virtual machine for {}", env::consts::ARCH));
    }
    if !is_root() {
        return Some("needs root to build the virtual machine's files".to_owned());
    }
    missing(&["apt-get", "busybox", "cpio", "depmod", "dpkg-deb", "ldd", "modprobe", "qemu-system-x86_64"])
        .or_else(|| missing(&["bash", "ip", "ping", "wg", "wg-quick"]))
}

/// The words that choose the tests which run in the machine, several at once: most of them wait.
/// What `conf::` asks of wg(8), wg-quick(8) and ip(8) is how they read a text: no kernel has a part in it.
const CHOICE: &[&str] = &[
    "--test-threads=4",
    "--include-ignored",
    "--skip",
    "conf::",
    "--skip",
    "userspace::",
    "--skip",
    "vm::",
    "--skip",
    "quickstart::",
    "--skip",
    "watch::the_table_lives",
    "--skip",
    "watch::a_panic",
    "--skip",
    "watch::a_terminal",
    "--skip",
    "browser::",
    "--skip",
    "monitoring::",
    "--skip",
    "manual::",
    "--skip",
    "shells::",
    "--skip",
    "examples::",
];

fn tests_inside() -> usize {
    let list = run(Command::new(this_binary()).arg("--list").args(CHOICE));
    list.lines().filter(|line| line.ends_with(": test")).count()
}

fn this_binary() -> PathBuf {
    env::current_exe().expect("the path of this test")
}

/// A hub with more locations than one netlink message holds peers, in its store and conf only.
fn make_fleet(root: &Path) {
    let program = |words: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iwas-wg"));
        run(command.env_clear().arg("--root").arg(root).args(words.split(' ')));
    };
    program("init --endpoint 192.0.2.1 --network 10.77.0.0/24 --backend none");
    for n in 0..160 {
        program(&format!("location add --key-mode once site-{n}"));
    }
}

/// Kernel and initramfs, with this test, the program under test, what they call, and the fleet.
fn build(out: &Path, fleet: &Path) {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("vm");
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/vm/build.sh"));
    command.arg(cache).arg(out).arg(fleet).arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/confs"));
    command.arg(this_binary()).arg(env!("CARGO_BIN_EXE_iwas-wg"));
    for program in ["bash", "ip", "ping", "wg", "wg-quick"] {
        let path = run(Command::new("sh").args(["-c", "command -v \"$0\"", program]));
        command.arg(path.trim());
    }
    run(&mut command);
}

/// Boots the machine, waits until it is off or the time is over, and returns its console.
fn boot(files: &Path, fleet: &Path) -> Vec<String> {
    // The kernel gives names with a value that it does not know to /init as variables, and what
    // follows `--` as arguments: what to run.
    let tests = this_binary().display().to_string();
    let kernel_line =
        format!("console=ttyS0 quiet panic=-1 {FLEET}={} -- {tests} {}", fleet.display(), CHOICE.join(" "));
    let mut command = Command::new("qemu-system-x86_64");
    // `tcg` works everywhere; `kvm` is not to be had on most machines that run tests.
    command.args(["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024"]);
    command.args(["-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot"]);
    command.arg("-kernel").arg(files.join("vmlinuz")).arg("-initrd").arg(files.join("initramfs"));
    command.arg("-append").arg(kernel_line);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut machine = Machine(command.spawn().expect("start qemu"));
    let (lines, console) = mpsc::channel();
    let output = machine.0.stdout.take().expect("its output");
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            if lines.send(text).is_err() {
                return;
            }
        }
    });

    let deadline = Instant::now() + TIMEOUT;
    let mut log = Vec::new();
    loop {
        match console.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                if line.starts_with("test ") || line.starts_with("iwas-vm: ") {
                    aloud(&line);
                }
                log.push(line);
            }
            Err(RecvTimeoutError::Timeout) => {
                log.push(format!("the machine was switched off after {} s", TIMEOUT.as_secs()));
                return log;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let mut complaint = String::new();
    let _ = machine.0.stderr.take().expect("its errors").read_to_string(&mut complaint);
    log.extend(complaint.lines().map(str::to_owned));
    log
}

/// The emulator, switched off when dropped.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
