//! Network namespaces for one hub and its routers, and their complete removal.
//!
//! Every router has a link of its own to the hub, in a network of its own, and reaches the hub's
//! public address over it: as in the field, routers do not see each other except through the tunnel.
//! Control sockets of userspace interfaces lie in one directory for all namespaces, so every
//! interface of every test has a name of its own.

use crate::bench::run;
use std::{
    cell::RefCell,
    fs,
    path::Path,
    process::Command,
    sync::{
        Once, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The address that routers dial; from the block for documentation.
pub(crate) const HUB_ADDRESS: &str = "192.0.2.1";
const SOCKETS: &str = "/var/run/wireguard";

static NUMBER: AtomicU32 = AtomicU32::new(0);
static LEFTOVERS: Once = Once::new();
/// Held by every net; for itself alone by the one whose test changes the machine's clock.
static CLOCK: RwLock<()> = RwLock::new(());

/// A small internet: the hub's namespace and one for each router. Gone when dropped.
pub(crate) struct Net {
    id: String,
    spaces: RefCell<Vec<Space>>,
    _clock: Clock,
}

#[expect(dead_code, reason = "held, not read")]
enum Clock {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

/// One network namespace.
#[derive(Clone)]
pub(crate) struct Space {
    name: String,
    /// A name for one interface in here that no other namespace uses.
    pub(crate) interface: String,
}

impl Net {
    /// A net with a hub and no routers yet.
    pub(crate) fn new() -> Self {
        // A failed test poisons the lock, which guards no data.
        Self::with(Clock::Shared(CLOCK.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// The same, while no other test has a net.
    pub(crate) fn alone() -> Self {
        Self::with(Clock::Alone(CLOCK.write().unwrap_or_else(PoisonError::into_inner)))
    }

    fn with(clock: Clock) -> Self {
        LEFTOVERS.call_once(remove_leftovers);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}n{number}", std::process::id());
        let net = Self { id, spaces: RefCell::default(), _clock: clock };
        net.add_space();
        let hub = net.hub();
        hub.ip(&format!("address add {HUB_ADDRESS}/32 dev lo"));
        net
    }

    /// The hub's namespace.
    pub(crate) fn hub(&self) -> Space {
        self.spaces.borrow()[0].clone()
    }

    /// One more namespace, joined to the hub's by a link.
    pub(crate) fn add_router(&self) -> Space {
        let (hub, number) = (self.hub(), self.spaces.borrow().len());
        let space = self.add_space();
        hub.ip(&format!("link add to{number} type veth peer name wan netns {}", space.name));
        hub.ip(&format!("address add {}/24 dev to{number}", wan_address(number, 1)));
        hub.ip(&format!("link set to{number} up"));
        space.ip(&format!("address add {}/24 dev wan", wan_address(number, 2)));
        space.ip("link set wan up");
        space.ip(&format!("route add default via {}", wan_address(number, 1)));
        space
    }

    /// The hub's namespace with the name of one more interface.
    pub(crate) fn another_in_hub(&self) -> Space {
        let mut hub = self.hub();
        hub.interface.push('b');
        hub
    }

    fn add_space(&self) -> Space {
        let number = self.spaces.borrow().len();
        let space = Space {
            name: format!("iwreal-{}-{number}", self.id),
            interface: format!("iw{}x{number}", self.id),
        };
        run(Command::new("ip").args(["netns", "add", &space.name]));
        // Noted before anything else can fail, so that the drop finds it.
        self.spaces.borrow_mut().push(space.clone());
        space.ip("link set lo up");
        space
    }
}

/// An address in the network between the hub (host 1) and a router (host 2 and up).
pub(crate) fn wan_address(router: usize, host: u8) -> String {
    format!("198.18.{router}.{host}")
}

impl Drop for Net {
    fn drop(&mut self) {
        // The hub last: the routers' links end in it.
        for space in self.spaces.borrow().iter().rev() {
            remove_space(&space.name);
        }
        remove_sockets(&format!("iw{}x", self.id));
    }
}

impl Space {
    /// A program inside the namespace, with nothing of the environment but PATH.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs `ip` with these words inside the namespace.
    #[track_caller]
    pub(crate) fn ip(&self, words: &str) -> String {
        run(Command::new("ip").args(["-n", &self.name]).args(words.split(' ')))
    }

    /// Whether this address answers within the time; asks again and again until then.
    pub(crate) fn reaches(&self, address: &str, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        while !self.ping(address) {
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(Duration::from_millis(100));
        }
        true
    }

    fn ping(&self, address: &str) -> bool {
        let answer = self.command("ping").args(["-n", "-q", "-c", "1", "-W", "1", address]).output();
        answer.expect("start ping").status.success()
    }

    /// The processes inside the namespace.
    pub(crate) fn processes(&self) -> Vec<String> {
        processes(&self.name)
    }
}

fn processes(space: &str) -> Vec<String> {
    let output = Command::new("ip").args(["netns", "pids", space]).output().expect("start ip");
    String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect()
}

/// Ends what runs in the namespace, by process number, and removes it. Never fails: it also runs
/// while a failed test unwinds.
fn remove_space(space: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let running = processes(space);
        if running.is_empty() || Instant::now() >= deadline {
            break;
        }
        let _ = Command::new("kill").arg("-KILL").args(&running).output();
        thread::sleep(Duration::from_millis(20));
    }
    let _ = Command::new("ip").args(["netns", "delete", space]).output();
}

fn remove_sockets(prefix: &str) {
    for entry in fs::read_dir(SOCKETS).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Removes what an earlier run left that was killed before it could clean up. Its process number is
/// part of every name; where that process still is a test, the names are in use.
fn remove_leftovers() {
    let output = Command::new("ip").args(["netns", "list"]).output().expect("start ip");
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let name = line.split(' ').next().unwrap_or_default();
        let Some(id) = name.strip_prefix("iwreal-") else { continue };
        let Some((process, number)) = id.split_once('n') else { continue };
        if is_a_test(process) {
            continue;
        }
        remove_space(name);
        let net = number.split('-').next().unwrap_or_default();
        remove_sockets(&format!("iw{process}n{net}x"));
    }
}

fn is_a_test(process: &str) -> bool {
    // Cargo names the test binary `real-` and a hash.
    let comm = fs::read_to_string(Path::new("/proc").join(process).join("comm"));
    comm.is_ok_and(|name| name.starts_with("real-"))
}
