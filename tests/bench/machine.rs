//! The small virtual machine with the Linux kernel's own `WireGuard`, as the tests build it.

use crate::{
    PROGRAM, inside,
    process::{missing, run},
};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

const FINAL: &str = "iwas-vm: tests ended with exit code ";

pub(crate) fn obstacle() -> Option<String> {
    if std::env::consts::ARCH != "x86_64" {
        return Some(format!("no virtual machine for {}", std::env::consts::ARCH));
    }
    let programs =
        ["apt-get", "busybox", "cpio", "depmod", "dpkg-deb", "ldd", "modprobe", "qemu-system-x86_64"];
    missing(&programs).or_else(|| missing(&["ip", "wg"]))
}

/// Boots it with the fleets inside, and hands on each line of its console until it is off.
pub(crate) fn boot(
    work: &Path,
    fleets: &[PathBuf],
    words: &[String],
    mut hear: impl FnMut(&str),
) -> Result<(), String> {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("vm");
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut build = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/vm/build.sh"));
    build.arg(cache).arg(work).args(fleets).arg(&this).arg(PROGRAM);
    for program in ["ip", "wg"] {
        build.arg(run(Command::new("sh").args(["-c", "command -v \"$0\"", program])).trim());
    }
    run(&mut build);

    // An interface that goes waits for all readers after each of its peers, which takes minutes with
    // many: here in a hurry, because nothing that is measured takes one away.
    let options = "console=ttyS0 quiet panic=-1 rcupdate.rcu_expedited=1";
    let kernel_line = format!("{options} -- {} {}", this.display(), words.join(" "));
    let mut command = Command::new("qemu-system-x86_64");
    command.args(["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", memory(words)]);
    command.args(["-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot"]);
    command.arg("-kernel").arg(work.join("vmlinuz")).arg("-initrd").arg(work.join("initramfs"));
    command.arg("-append").arg(kernel_line).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut machine = Machine(command.spawn().map_err(|e| format!("cannot start qemu: {e}"))?);
    let output = machine.0.stdout.take().ok_or("no console")?;
    let mut ended = String::from("the machine went off without a word");
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches('\r');
        match text.strip_prefix(FINAL) {
            Some("0") => ended.clear(),
            Some(code) => ended = format!("the measuring ended with exit code {code}"),
            None => hear(text),
        }
    }
    if ended.is_empty() { Ok(()) } else { Err(ended) }
}

/// Room for the fleet three times: in the files, in the kernel and in the programs.
fn memory(words: &[String]) -> &'static str {
    if inside::sizes(words).into_iter().max().unwrap_or(0) > 10_000 { "6144" } else { "1536" }
}

/// The emulator, switched off when dropped.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
