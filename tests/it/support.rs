//! A hub in a temporary directory and a program that runs inside the test.

use iwas_wg::{
    device::{FakeDevices, FakeState},
    env::{Clock, Env, Rng, Terminal},
    model::{Boot, Caller, LivePeer, PublicKey},
};
use jiff::Timestamp;
use serde_json::Value;
use std::{
    cell::{Cell, RefCell, RefMut},
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    rc::Rc,
};
use zeroize::Zeroizing;

/// The moment at which every test begins.
pub(crate) const START: i64 = 1_795_428_000;

/// The hub's private key in the confs of the tests.
pub(crate) const HUB_KEY: &str = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";

/// The public key of a peer that only its number tells from others.
pub(crate) fn public_key(n: u8) -> PublicKey {
    PublicKey::from_bytes([n; 32])
}

/// Such a peer as the interface has it.
pub(crate) fn live_peer(n: u8, allowed: &[&str]) -> LivePeer {
    LivePeer {
        allowed_ips: allowed.iter().map(|a| a.parse().expect("net")).collect(),
        rx_bytes: 7,
        tx_bytes: 8,
        ..LivePeer::new(public_key(n))
    }
}

/// A hub of its own.
pub(crate) struct Hub {
    dir: tempfile::TempDir,
    pub(crate) now: Rc<Cell<i64>>,
    /// By how many seconds the clock was set since the beginning.
    was_set: Rc<Cell<i64>>,
    pub(crate) vars: BTreeMap<String, String>,
    pub(crate) terminal: Terminal,
    devices: FakeDevices,
    pub(crate) random: Rc<Cell<u64>>,
    /// Who answers for a passphrase.
    pub(crate) ask_secret: fn(&str) -> io::Result<Zeroizing<String>>,
    /// Who calls.
    pub(crate) caller: RefCell<Caller>,
}

/// What one run did.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: u8,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Passes the run on if it ended with this code.
    #[track_caller]
    pub(crate) fn code(self, code: u8) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Passes the run on if it did what it should.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.code(0)
    }

    /// The two lines of a failure, which must be all that was said.
    #[track_caller]
    pub(crate) fn error(&self) -> (&str, &str) {
        assert_eq!(self.stdout, "", "a failure wrote to standard output");
        let lines: Vec<&str> = self.stderr.lines().collect();
        match lines[..] {
            [error] => (error, ""),
            [error, hint] => (error, hint),
            _ => panic!("not one line and a hint: {:?}", self.stderr),
        }
    }
}

/// The time, and by how much it was set since the machine started.
struct TestClock(Rc<Cell<i64>>, Rc<Cell<i64>>);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.get()).expect("time")
    }

    fn boot(&self) -> Option<Boot> {
        Some(Boot { id: "a".to_owned(), seconds: self.0.get() - self.1.get() - START + 1_000_000 })
    }
}

/// Distinct bytes for each call, the same in every run of the test.
struct TestRng(Rc<Cell<u64>>);

impl Rng for TestRng {
    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        for byte in bytes {
            let x =
                self.0.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            self.0.set(x);
            *byte = x.to_be_bytes()[0];
        }
        Ok(())
    }
}

struct Captured(Rc<RefCell<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Hub {
    /// A directory without a hub.
    pub(crate) fn empty() -> Self {
        Self {
            dir: tempfile::tempdir().expect("temporary directory"),
            now: Rc::new(Cell::new(START)),
            was_set: Rc::default(),
            vars: BTreeMap::new(),
            terminal: Terminal::default(),
            devices: FakeDevices::default(),
            random: Rc::new(Cell::new(42)),
            ask_secret: |_| Err(io::Error::other("nobody is there")),
            caller: RefCell::new(Caller::root()),
        }
    }

    /// A hub whose interface is up.
    pub(crate) fn up() -> Self {
        let hub = Self::with_network("10.0.0.0/24");
        hub.run(&["up"]).ok();
        hub
    }

    /// A hub of this network; the interface is not up yet.
    pub(crate) fn with_network(network: &str) -> Self {
        let hub = Self::empty();
        hub.run(&["init", "--endpoint", "vpn.example.com", "--network", network]).ok();
        hub
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub(crate) fn conf(&self) -> String {
        fs::read_to_string(self.path("etc/wireguard/wg0.conf")).expect("conf")
    }

    /// Changes the settings file by replacing one text.
    #[track_caller]
    pub(crate) fn edit_settings(&self, from: &str, to: &str) {
        let path = self.path("etc/iwas-wg/config.toml");
        let text = fs::read_to_string(&path).expect("settings");
        assert!(text.contains(from), "{from:?} is not in the settings");
        fs::write(path, text.replace(from, to)).expect("settings");
    }

    /// The fake interface.
    pub(crate) fn device(&self) -> RefMut<'_, FakeState> {
        self.devices.state.borrow_mut()
    }

    /// Public key and allowed IPs of each peer on the interface, sorted.
    pub(crate) fn live(&self) -> Vec<(String, String)> {
        let state = self.device();
        let live = state.interface.as_ref().expect("interface");
        let allowed =
            |p: &LivePeer| p.allowed_ips.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let mut all: Vec<_> = live.peers.iter().map(|p| (p.public_key.to_string(), allowed(p))).collect();
        all.sort();
        all
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, seconds: i64) {
        self.now.set(self.now.get() + seconds);
    }

    /// Sets the clock so many seconds ahead, or back.
    pub(crate) fn set_clock(&self, seconds: i64) {
        self.pass(seconds);
        self.was_set.set(self.was_set.get() + seconds);
    }

    /// Makes a peer shake hands `age` seconds ago (ahead of now where negative).
    #[track_caller]
    pub(crate) fn shake(&self, key: &str, age: i64) {
        let key: PublicKey = key.parse().expect("key");
        let at = Timestamp::from_second(self.now.get() - age).expect("time");
        let mut state = self.device();
        let peers = &mut state.interface.as_mut().expect("interface").peers;
        let peer = peers.iter_mut().find(|p| p.public_key == key).expect("peer");
        peer.last_handshake = Some(at);
        peer.endpoint = Some("203.0.113.9:51820".parse().expect("endpoint"));
        peer.rx_bytes = 1234;
        peer.tx_bytes = 5678;
    }

    /// Adds a location and returns its public key.
    #[track_caller]
    pub(crate) fn add(&self, name: &str) -> String {
        let report = self.run(&["--json", "location", "add", name]).ok().json();
        report["location"]["vpn_public_key"].as_str().expect("key").to_owned()
    }

    /// The address that adding this location gives it.
    #[track_caller]
    pub(crate) fn add_for_address(&self, name: &str) -> String {
        let report = self.run(&["--json", "location", "add", name]).ok().json();
        report["location"]["vpn_ip"].as_str().expect("address").to_owned()
    }

    #[must_use = "look at the exit code or the output"]
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        self.run_in(args, |_| ())
    }

    /// The same in an outside world that is another in some way.
    #[must_use = "look at the exit code or the output"]
    pub(crate) fn run_in(&self, args: &[&str], change: impl FnOnce(&mut Env)) -> Run {
        self.run_at(args, true, change)
    }

    /// A run on this machine that does not say which hub it means.
    #[must_use = "look at the exit code or the output"]
    pub(crate) fn run_elsewhere(&self, args: &[&str]) -> Run {
        self.run_at(args, false, |_| ())
    }

    /// The same in an outside world that is another in some way.
    #[must_use = "look at the exit code or the output"]
    pub(crate) fn run_bare(&self, args: &[&str], change: impl FnOnce(&mut Env)) -> Run {
        self.run_at(args, false, change)
    }

    fn run_at(&self, args: &[&str], at_home: bool, change: impl FnOnce(&mut Env)) -> Run {
        let (out, err) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(Vec::new())));
        let mut env = Env {
            vars: self.vars.clone(),
            stdin: Box::new(io::empty()),
            stdout: Box::new(Captured(Rc::clone(&out))),
            stderr: Box::new(Captured(Rc::clone(&err))),
            terminal: self.terminal,
            clock: Box::new(TestClock(Rc::clone(&self.now), Rc::clone(&self.was_set))),
            rng: Box::new(TestRng(Rc::clone(&self.random))),
            devices: Box::new(self.devices.clone()),
            is_root: true,
            caller: self.caller.borrow().clone(),
            hub_root: Some(self.root().to_owned()),
            find_user: person,
            ask_secret: self.ask_secret,
            stop: iwas_wg::env::signals::Stop::default(),
        };
        change(&mut env);
        let root = self.root().as_os_str().to_owned();
        let head = [OsString::from("iwas-wg"), "--root".into(), root];
        let head = head.into_iter().take(if at_home { 3 } else { 1 });
        let code = iwas_wg::run(head.chain(args.iter().map(OsString::from)), &mut env);
        drop(env);
        let text = |bytes: Rc<RefCell<Vec<u8>>>| String::from_utf8(bytes.take()).expect("UTF-8");
        Run { code, stdout: text(out), stderr: text(err) }
    }
}

/// A person of the tests, behind sudo, in a group of the same name with an s.
pub(crate) fn person(name: &str) -> Option<Caller> {
    let people = ["admin", "org-admin", "location-manager", "viewer", "nobody"];
    let n = people.iter().position(|p| *p == name)?;
    let uid = 64_000 + u32::try_from(n).ok()?;
    let groups = vec![format!("{name}s")];
    Some(Caller { uid, user: name.to_owned(), groups, gids: vec![uid], via: Some("sudo") })
}

/// Every file below a directory with its content, but for what SQLite and the lock keep beside
/// the store.
pub(crate) fn tree(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).expect("directory") {
            let path = entry.expect("entry").path();
            let name = path.to_string_lossy();
            if path.is_dir() {
                dirs.push(path);
            } else if !name.ends_with(".lock") && !name.ends_with("-wal") && !name.ends_with("-shm") {
                let bytes = fs::read(&path).expect("file");
                all.insert(path, bytes);
            }
        }
    }
    all
}
