//! What runs where the interfaces are: in a network namespace, or in the virtual machine.

use crate::{
    PROGRAM,
    process::run,
    works::{self, Scene},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The first word that makes this program measure instead of arranging.
pub(crate) const FLAG: &str = "--inside";
/// How the names of all interfaces begin: their control sockets lie in one directory for all.
const PREFIX: &str = "iwb";
const SOCKETS: &str = "/var/run/wireguard";

/// `BACKEND RUNS FLEET…`
pub(crate) fn main(words: &[String]) {
    let (backend, runs) = (&words[0], words[1].parse().expect("number of runs"));
    for (i, fleet) in words[2..].iter().enumerate() {
        let fleet = PathBuf::from(fleet);
        let peers = size(&fleet);
        let scene = Scene { backend: backend.clone(), peers, runs, fleet };
        if i == 0 {
            works::of_no_size(&scene);
        }
        works::of_a_size(&scene);
    }
}

fn size(fleet: &Path) -> usize {
    fleet.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse().ok()).expect("a size as its name")
}

/// The sizes among the words that this program is started with.
pub(crate) fn sizes(words: &[String]) -> Vec<usize> {
    words[3..].iter().map(|w| size(Path::new(w))).collect()
}

/// A hub: its files and the name of its interface.
pub(crate) struct Hub {
    pub(crate) root: PathBuf,
    pub(crate) interface: Interface,
}

impl Hub {
    pub(crate) fn new(root: PathBuf, backend: &str, number: usize) -> Self {
        Self { root, interface: Interface::new(backend, number) }
    }

    /// The program with these words.
    pub(crate) fn program(&self, words: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
            .env("IWAS_WG_INTERFACE", &self.interface.name)
            .env("IWAS_WG_BACKEND", &self.interface.backend);
        command.arg("--root").arg(&self.root).args(words.split(' ')).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, words: &str) -> String {
        run(&mut self.program(words))
    }

    pub(crate) fn json(&self, words: &str) -> serde_json::Value {
        serde_json::from_str(&self.run(&format!("--json {words}"))).expect("JSON")
    }

    pub(crate) fn conf(&self) -> PathBuf {
        self.root.join("etc/wireguard/wg0.conf")
    }
}

/// A `WireGuard` interface that may exist; gone when dropped.
pub(crate) struct Interface {
    pub(crate) name: String,
    backend: String,
}

impl Interface {
    pub(crate) fn new(backend: &str, number: usize) -> Self {
        Self { name: format!("{PREFIX}{}x{number}", std::process::id()), backend: backend.to_owned() }
    }

    /// Makes it, bare.
    pub(crate) fn create(&self) {
        if self.backend == "kernel" {
            run(Command::new("ip").args(["link", "add", &self.name, "type", "wireguard"]));
            return;
        }
        let mut command = Command::new("wireguard-go");
        // It stays in the background: it must not hold the pipe that the figures go through.
        command.arg(&self.name).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().expect("start wireguard-go").success(), "wireguard-go did not start");
        wait(|| self.socket().exists());
    }

    pub(crate) fn delete(&self) {
        let _ = Command::new("ip").args(["link", "delete", &self.name]).stderr(Stdio::null()).status();
        if self.backend != "kernel" {
            wait(|| !self.socket().exists());
        }
    }

    /// wg(8) with these words, the interface in the place of `IF`.
    pub(crate) fn wg(&self, words: &str) -> Command {
        let mut command = Command::new("wg");
        command.args(words.split(' ').map(|w| if w == "IF" { &self.name } else { w }));
        command
    }

    /// How many peers it has.
    pub(crate) fn peers(&self) -> usize {
        run(&mut self.wg("show IF peers")).lines().count()
    }

    fn socket(&self) -> PathBuf {
        Path::new(SOCKETS).join(format!("{}.sock", self.name))
    }
}

impl Drop for Interface {
    fn drop(&mut self) {
        self.delete();
    }
}

fn wait(until: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !until() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(2));
    }
}

/// What a measuring that was killed left of its control sockets.
pub(crate) fn remove_sockets() {
    for entry in fs::read_dir(SOCKETS).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let process = name.strip_prefix(PREFIX).and_then(|n| n.split_once('x')).map(|(process, _)| process);
        if process.is_some_and(|p| !Path::new("/proc").join(p).exists()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
