//! A hub: the program under test with a root of its own, inside the hub's namespace.

use crate::{
    bench::{Backend, run},
    netns::{HUB_ADDRESS, Net, Space},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The VPN address of every hub.
pub(crate) const HUB_VPN_IP: &str = "10.77.0.1";
const NETWORK: &str = "10.77.0.0/24";

/// How long a handshake may take, a busy machine and an emulated one included.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// A router notices after 15 s that the hub has forgotten its session, and begins a new one.
pub(crate) const AFTER_RESTART: Duration = Duration::from_secs(60);

/// A hub and the program on it.
pub(crate) struct Hub {
    root: PathBuf,
    _temporary: Option<tempfile::TempDir>,
    pub(crate) space: Space,
    pub(crate) backend: Backend,
    /// Variables that every run of the program gets.
    pub(crate) vars: Vec<(&'static str, String)>,
}

/// What one run of the program did.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A peer as `wg show` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) endpoint: String,
    pub(crate) allowed_ips: String,
    pub(crate) handshake: u64,
    pub(crate) rx_bytes: u64,
    pub(crate) tx_bytes: u64,
}

impl Run {
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:#?}"))
    }
}

impl Hub {
    /// After `init`, with no interface yet.
    #[track_caller]
    pub(crate) fn new(net: &Net, backend: Backend) -> Self {
        let temporary = tempfile::tempdir().expect("temporary directory");
        let root = temporary.path().to_owned();
        let hub = Self { _temporary: Some(temporary), ..Self::at(net, backend, &root) };
        let (endpoint, network, interface) = (HUB_ADDRESS, NETWORK, hub.interface());
        let backend = backend.as_str();
        hub.ok(&format!(
            "init --endpoint {endpoint} --network {network} --interface {interface} --backend {backend}"
        ));
        hub
    }

    /// What is at this root already.
    pub(crate) fn at(net: &Net, backend: Backend, root: &Path) -> Self {
        Self { root: root.to_owned(), _temporary: None, space: net.hub(), backend, vars: Vec::new() }
    }

    /// After `init` and `up`.
    #[track_caller]
    pub(crate) fn up(net: &Net, backend: Backend) -> Self {
        let hub = Self::new(net, backend);
        hub.ok("up");
        hub
    }

    /// The name of the interface.
    pub(crate) fn interface(&self) -> String {
        self.space.interface.clone()
    }

    /// Where the program keeps all its files.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The path of the conf.
    pub(crate) fn conf_path(&self) -> PathBuf {
        self.root.join(format!("etc/wireguard/{}.conf", self.interface()))
    }

    /// The text of the conf.
    pub(crate) fn conf(&self) -> String {
        fs::read_to_string(self.conf_path()).expect("read the conf")
    }

    /// The program with its root, inside the namespace, not yet started.
    pub(crate) fn program(&self, words: &str) -> Command {
        // The variables are set inside: with another PATH, `ip` itself would not be found.
        let mut command = self.space.command("/usr/bin/env");
        command.args(self.vars.iter().map(|(name, value)| format!("{name}={value}")));
        command.arg(env!("CARGO_BIN_EXE_iwas-wg")).arg("--root").arg(&self.root);
        command.args(words.split(' ')).stdin(Stdio::null());
        command
    }

    /// The program under strace(1), with these words for that.
    pub(crate) fn traced(&self, strace: &[&str], words: &str) -> Command {
        let mut command = self.space.command("strace");
        command.args(["-f", "-qq"]).args(strace).arg(env!("CARGO_BIN_EXE_iwas-wg"));
        command.arg("--root").arg(&self.root).args(words.split(' ')).stdin(Stdio::null());
        command
    }

    /// Runs the program with these words.
    pub(crate) fn run(&self, words: &str) -> Run {
        let output = self.program(words).output().expect("start iwas-wg");
        Run {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
        }
    }

    /// Runs the program, which must succeed, and returns its standard output.
    #[track_caller]
    pub(crate) fn ok(&self, words: &str) -> String {
        self.run(words).code(0).stdout
    }

    /// Runs the program with `--json`; it must succeed.
    #[track_caller]
    pub(crate) fn json(&self, words: &str) -> Value {
        self.run(&format!("--json {words}")).code(0).json()
    }

    /// `location show` as JSON, without its wrapping.
    #[track_caller]
    pub(crate) fn location(&self, name: &str) -> Value {
        self.json(&format!("location show {name}"))["location"].clone()
    }

    /// One location of `status`.
    #[track_caller]
    pub(crate) fn status_of(&self, name: &str) -> Value {
        let status = self.json("status");
        let all = status["locations"].as_array().expect("locations");
        all.iter().find(|l| l["name"] == name).unwrap_or_else(|| panic!("no {name} in {status}")).clone()
    }

    /// The public key of a location.
    #[track_caller]
    pub(crate) fn key_of(&self, name: &str) -> String {
        self.location(name)["vpn_public_key"].as_str().expect("a public key").to_owned()
    }

    /// What is on the interface, by public key: read with wg(8), not with the program under test.
    #[track_caller]
    pub(crate) fn peers(&self) -> BTreeMap<String, Peer> {
        let dump = run(self.space.command("wg").args(["show", &self.interface(), "dump"]));
        let peer = |line: &str| {
            let f: Vec<&str> = line.split('\t').collect();
            let number = |s: &str| s.parse().expect("a number");
            let (endpoint, allowed_ips) = (f[2].to_owned(), f[3].to_owned());
            let (handshake, rx_bytes, tx_bytes) = (number(f[4]), number(f[5]), number(f[6]));
            (f[0].to_owned(), Peer { endpoint, allowed_ips, handshake, rx_bytes, tx_bytes })
        };
        dump.lines().skip(1).map(peer).collect()
    }

    /// Public keys and allowed IPs only: what must be the same after a restart.
    #[track_caller]
    pub(crate) fn peer_list(&self) -> Vec<(String, String)> {
        self.peers().into_iter().map(|(key, peer)| (key, peer.allowed_ips)).collect()
    }

    /// Whether the namespace has the interface.
    pub(crate) fn has_interface(&self) -> bool {
        let links = self.space.ip("-o link show");
        links.contains(&format!(": {}: ", self.interface()))
    }

    /// Waits until `wg show` has a handshake of this peer, and returns its time.
    #[track_caller]
    pub(crate) fn wait_for_handshake(&self, key: &str) -> u64 {
        let deadline = Instant::now() + SOON;
        loop {
            match self.peers().get(key).map(|p| p.handshake) {
                Some(at) if at > 0 => return at,
                _ => assert!(Instant::now() < deadline, "no handshake of {key}: {:#?}", self.peers()),
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}
