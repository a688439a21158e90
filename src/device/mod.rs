//! The `WireGuard` interface: what is on it, and making it as a [`Plan`] says.
//!
//! Must not know the store, the conf or why a peer is wanted. All changes are differences; the
//! whole list of peers is never replaced, because that would drop every live session.
//!
//! Crash: a plan is applied in steps (create, key, peers, addresses, MTU, up, routes); after a crash between two
//! of them the next plan holds the rest. Second process: the kernel serializes single messages;
//! whole plans are kept apart by the lock that the caller holds.

mod fake;
mod kernel;
mod link;
mod netlink;
mod owned;
mod probe;
mod route;
mod sockaddr;
mod uapi;
mod userspace;
mod wireguard;

pub use fake::{FakeDevices, FakeState};
pub use owned::OwnedDevice;
pub use wireguard::SystemDevices;

use crate::{
    fsx,
    model::{
        InterfaceName, LiveInterface, PresharedKey, PrivateKey, PublicKey,
        plan::{Extras, Plan},
    },
};
use ipnet::IpNet;
use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// Who carries the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// The kernel if it can, else a program in userspace.
    Auto,
    /// The kernel.
    Kernel,
    /// A program in userspace.
    Userspace,
}

/// One `WireGuard` interface that may or may not exist.
pub trait Device {
    /// Reads the interface; `None` if there is none of that name.
    ///
    /// # Errors
    /// [`DeviceError`] if it is there but cannot be read.
    fn read(&mut self) -> Result<Option<LiveInterface>, DeviceError>;

    /// Reads the interface, and does something else in the meantime where that can be: with many
    /// peers both take long.
    ///
    /// # Errors
    /// As [`Device::read`].
    fn read_while(&mut self, meanwhile: &mut dyn FnMut()) -> Result<Option<LiveInterface>, DeviceError> {
        meanwhile();
        self.read()
    }

    /// Reads what tells whose the interface is. Of its peers there may be only some, but one at
    /// least if it has any: what this costs must not depend on how many they are.
    ///
    /// # Errors
    /// As [`Device::read`].
    fn peek(&mut self) -> Result<Option<LiveInterface>, DeviceError> {
        self.read()
    }

    /// Reads the preshared keys themselves. A reading holds their digests only, which is enough for
    /// all but taking a peer over.
    ///
    /// # Errors
    /// As [`Device::read`].
    fn preshared_keys(&mut self) -> Result<Secrets, DeviceError>;

    /// Does what the plan says. The private key is needed where the plan sets it; peers that are
    /// set get what `extras` has of them.
    ///
    /// # Errors
    /// [`DeviceError::Missing`] if the plan does not create the interface and there is none. An
    /// interface that this call created and could not finish is taken away again.
    fn apply(
        &mut self,
        plan: &Plan,
        private_key: Option<&PrivateKey>,
        extras: &Extras,
    ) -> Result<Applied, DeviceError>;

    /// Where the routes of this table that go through the interface lead to.
    ///
    /// # Errors
    /// [`DeviceError`] if they cannot be read.
    fn routes(&mut self, table: u32) -> Result<Vec<IpNet>, DeviceError>;

    /// The private key that the interface has; `None` without one, or without an interface.
    ///
    /// # Errors
    /// [`DeviceError`] if it is there but cannot be read.
    fn private_key(&mut self) -> Result<Option<PrivateKey>, DeviceError>;

    /// The addresses of all other interfaces of this machine, each with the interface's name.
    ///
    /// # Errors
    /// [`DeviceError`] if they cannot be read.
    fn others(&mut self) -> Result<Vec<(String, IpNet)>, DeviceError>;

    /// Takes the interface away, and with it its addresses and routes; `false` if there was none.
    ///
    /// # Errors
    /// [`DeviceError`] if it could not be taken away.
    fn delete(&mut self) -> Result<bool, DeviceError>;

    /// Whether something behind the interface answers at this address within the time. An answer
    /// is accepted from the one peer alone that may speak for the address.
    fn answers(&mut self, at: SocketAddr, wait: Duration) -> bool;

    /// Whether it is certain that no peer may speak for this address. What the answer costs must not
    /// depend on how many peers there are, so `false` may also mean that it cannot be told.
    fn is_nobodys(&mut self, _address: Ipv4Addr) -> bool {
        false
    }

    /// Who carries the interface or would: `the kernel`, or the path of a program.
    ///
    /// # Errors
    /// [`DeviceError::NoKernel`] or [`DeviceError::NoProgram`] if nobody can.
    fn carrier(&self) -> Result<String, DeviceError>;
}

/// Preshared keys by the public keys of their peers.
pub type Secrets = HashMap<PublicKey, PresharedKey>;

/// What an [`Device::apply`] did that people should hear of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// The userspace program that was started because the kernel has no `WireGuard`.
    pub started: Option<String>,
}

/// Opens interfaces by name.
pub trait Devices {
    /// The interface of this name.
    fn open(&self, name: &InterfaceName, carrier: Carrier) -> Box<dyn Device>;

    /// wg-quick(8) and the environment for it; `None` if it is nowhere in PATH.
    fn wg_quick(&self) -> Option<(PathBuf, BTreeMap<String, String>)>;

    /// From now on the environment has no say in which program is started.
    fn distrust_environment(&mut self) {}
}

/// Why the interface could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// There is no interface of that name.
    #[error("there is no interface {name}")]
    Missing {
        /// The interface.
        name: InterfaceName,
    },
    /// The name belongs to another kind of interface.
    #[error("the interface {name} is not a WireGuard interface")]
    NotWireguard {
        /// The interface.
        name: InterfaceName,
    },
    /// It has another key than the hub's, or none and is in use all the same.
    #[error("the interface {name} is not this hub's: {}", crate::device::whose(*.key, *.hub, *.port, *.peers))]
    Foreign {
        /// The interface.
        name: InterfaceName,
        /// The hub's public key.
        hub: PublicKey,
        /// The public key of the interface.
        key: Option<PublicKey>,
        /// Its UDP port.
        port: Option<u16>,
        /// How many peers it has.
        peers: usize,
    },
    /// A userspace `WireGuard` of that name runs, but its interface is not here.
    #[error(
        "a userspace WireGuard named {name} already runs, in another network namespace or without its interface"
    )]
    Elsewhere {
        /// The interface.
        name: InterfaceName,
        /// Its control socket.
        socket: std::path::PathBuf,
    },
    /// No permission.
    #[error("no permission to {action} the interface {name}")]
    Denied {
        /// The interface.
        name: InterfaceName,
        /// What was tried.
        action: &'static str,
    },
    /// The kernel has no `WireGuard` and that was asked for.
    #[error("this kernel has no WireGuard")]
    NoKernel,
    /// Neither the kernel nor a program can carry the interface.
    #[error("{}there is no userspace WireGuard ({program} is not in PATH)", if *.kernel_tried { "this kernel has no WireGuard and " } else { "" })]
    NoProgram {
        /// The program that was looked for.
        program: String,
        /// Whether the kernel was tried first.
        kernel_tried: bool,
    },
    /// The userspace program may have been changed by another user.
    #[error(transparent)]
    Untrusted(#[from] fsx::FsError),
    /// The userspace program did not come up.
    #[error("{program} did not start: {why}")]
    NotStarted {
        /// The program.
        program: String,
        /// What it said or did.
        why: String,
    },
    /// Another socket has the UDP port.
    #[error("UDP port {port} is taken by another program")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// Anything else that the system says.
    #[error("cannot {action} the interface {name}: {}", crate::device::system_reason(source))]
    System {
        /// The interface.
        name: InterfaceName,
        /// What was tried.
        action: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

impl DeviceError {
    /// Whether the interface is another's, which is no failure of this hub's own.
    pub const fn is_foreign(&self) -> bool {
        matches!(self, Self::Foreign { .. } | Self::NotWireguard { .. })
    }
}

/// What a foreign interface has, in words.
fn whose(key: Option<PublicKey>, hub: PublicKey, port: Option<u16>, peers: usize) -> String {
    let key = key.map_or_else(|| "no key".to_owned(), |key| format!("the public key {key}"));
    let port = port.map_or_else(|| "no UDP port".to_owned(), |port| format!("UDP port {port}"));
    let peers = if peers == 1 { "1 peer".to_owned() } else { format!("{peers} peers") };
    format!("it has {key}, {port} and {peers}, and the hub's public key is {hub}")
}

fn system_reason(e: &io::Error) -> String {
    let text = e.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

/// Turns an error of the system into ours.
fn failure(name: &InterfaceName, action: &'static str, e: io::Error) -> DeviceError {
    match e.kind() {
        io::ErrorKind::PermissionDenied => DeviceError::Denied { name: name.clone(), action },
        _ => DeviceError::System { name: name.clone(), action, source: e },
    }
}
