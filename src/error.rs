//! What went wrong, as a user and a script need it: kind, message, hint, exit code.
//!
//! Every room's own error becomes one of these here, and nowhere else, so that the same failure
//! has the same words and the same exit code in every command.

use crate::{
    access::Denied,
    device::DeviceError,
    fsx::{FsError, LockError},
    model::Invalid,
    settings::SettingsError,
    store::StoreError,
    vault::VaultError,
    wgconf::{self, ConfError},
};
use std::{io, path::Path};

/// The kind of a failure; each has its exit code and its `error.code` in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Anything unforeseen.
    Failed,
    /// A flag, argument or value that cannot be right.
    Usage,
    /// No such location or peer.
    NotFound,
    /// It exists, is taken or used up.
    Conflict,
    /// Not as it should be, where that was the question.
    Differs,
    /// Settings or store cannot be used.
    BadState,
    /// Not permitted, or a key that cannot be opened.
    Denied,
    /// Another process is at work.
    Busy,
    /// The store is committed; interface or conf is not in line with it.
    Device,
    /// The reader of our output went away: no failure.
    ClosedPipe,
}

impl Kind {
    /// All that a process can end with, by exit code.
    pub const ALL: [Self; 10] = [
        Self::ClosedPipe,
        Self::Failed,
        Self::Usage,
        Self::NotFound,
        Self::Conflict,
        Self::Differs,
        Self::BadState,
        Self::Denied,
        Self::Busy,
        Self::Device,
    ];

    /// What the exit code tells a script.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::ClosedPipe => {
                "Done. Also: already so with --if-not-exists or --if-exists; the reader closed the pipe"
            }
            Self::Failed => "Anything unforeseen",
            Self::Usage => "A flag, argument or value that cannot be right",
            Self::NotFound => "No such location or peer",
            Self::Conflict => "It exists, is taken or used up",
            Self::Differs => "It differs; only where that was asked, with --check",
            Self::BadState => "Settings or store cannot be used",
            Self::Denied => "No permission, or a key that cannot be opened",
            Self::Busy => "Another iwas-wg was at work for longer than --lock-timeout",
            Self::Device => {
                "The store is committed, but interface or conf is not in line with it; \"iwas-wg sync\" mends it"
            }
        }
    }

    /// The process's exit code.
    pub const fn exit(self) -> u8 {
        match self {
            Self::ClosedPipe => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Conflict => 4,
            Self::Differs => 5,
            Self::BadState => 6,
            Self::Denied => 7,
            Self::Busy => 8,
            Self::Device => 9,
        }
    }

    /// The word in `error.code`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ClosedPipe => "closed-pipe",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::Differs => "differs",
            Self::BadState => "bad-state",
            Self::Denied => "denied",
            Self::Busy => "busy",
            Self::Device => "device",
        }
    }
}

/// A failure, ready to be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What kind of failure.
    pub kind: Kind,
    /// One line: the value and the reason.
    pub message: String,
    /// The remedy, where there is one.
    pub hint: Option<String>,
    /// What is wrong line by line, where a file was refused.
    pub faults: Vec<Fault>,
}

/// What is wrong with one line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: u64,
    /// The location it is about, as it was written.
    pub name: Option<String>,
    /// What kind of failure.
    pub kind: Kind,
    /// The value and the reason.
    pub message: String,
    /// The remedy, where there is one.
    pub hint: Option<String>,
}

impl Error {
    /// A failure without a remedy.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, faults: Vec::new() }
    }

    /// The same with its remedy.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same as another kind, where the command knows better than the room.
    #[must_use]
    pub fn as_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }
}

impl From<Invalid> for Error {
    fn from(e: Invalid) -> Self {
        Self::new(Kind::Usage, e.to_string()).hint(e.hint)
    }
}

impl From<SettingsError> for Error {
    fn from(e: SettingsError) -> Self {
        let kind = if e.usage { Kind::Usage } else { Kind::BadState };
        Self { kind, message: e.message, hint: e.hint, faults: Vec::new() }
    }
}

impl From<Denied> for Error {
    fn from(e: Denied) -> Self {
        Self::new(Kind::Denied, e.to_string())
            .hint("\"iwas-wg access whoami\" shows yours; an admin grants more in [access] of the settings")
    }
}

impl From<FsError> for Error {
    fn from(e: FsError) -> Self {
        if let Some(why) = e.untrusted() {
            return Self::new(Kind::BadState, e.to_string()).hint(why.remedy());
        }
        if e.source.kind() == io::ErrorKind::PermissionDenied {
            return Self::new(Kind::Denied, e.to_string()).hint("run it as root or with sudo");
        }
        let hint = match e.source.kind() {
            io::ErrorKind::NotFound => "make its directory first, or name another place",
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room there, then try again",
            io::ErrorKind::ReadOnlyFilesystem => "mount that file system for writing, then try again",
            io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory => "name a plain file",
            io::ErrorKind::AlreadyExists => "move it away, or name another",
            _ => "see whether its disk is full or broken",
        };
        Self::new(Kind::Failed, e.to_string()).hint(hint)
    }
}

impl From<LockError> for Error {
    fn from(e: LockError) -> Self {
        match e {
            LockError::File(e) => e.into(),
            LockError::Busy { .. } => {
                Self::new(Kind::Busy, e.to_string()).hint("try again, or wait longer with --lock-timeout")
            }
        }
    }
}

impl From<StoreError> for Error {
    fn from(e: StoreError) -> Self {
        let message = e.to_string();
        match e {
            StoreError::Missing { .. } => {
                Self::new(Kind::BadState, message).hint("run \"iwas-wg init\", or name the store with --root")
            }
            StoreError::NotOurs => {
                Self::new(Kind::BadState, message).hint("move it away, or name the right one with --database")
            }
            StoreError::Newer { .. } => Self::new(Kind::BadState, message).hint("upgrade iwas-wg"),
            StoreError::Older { .. } => Self::new(Kind::BadState, message)
                .hint("run \"iwas-wg sync\" once: it brings the store up to date"),
            StoreError::Damaged { .. } => {
                Self::new(Kind::BadState, message).hint("\"iwas-wg restore FILE\" puts a backup in its place")
            }
            StoreError::Busy => {
                Self::new(Kind::Busy, message).hint("try again when the other process is done")
            }
            StoreError::ReadOnly => Self::new(Kind::Denied, message)
                .hint("mount its file system for writing, or give the file back to its owner"),
            StoreError::Full => Self::new(Kind::Failed, message).hint("make room there, then try again"),
            StoreError::Denied => Self::new(Kind::Denied, message).hint("run it as root or with sudo"),
            StoreError::Taken { .. } => Self::new(Kind::Conflict, message).hint("choose another"),
            StoreError::Exhausted(_) => Self::new(Kind::Conflict, message)
                .hint("widen hub.network, shorten hub.reserved, or remove a location"),
            StoreError::Network { .. } => {
                Self::new(Kind::BadState, message).hint("put it on a local disk with --database")
            }
            StoreError::Fs(e) => e.into(),
            StoreError::Sqlite(_) => Self::new(Kind::Failed, format!("the store failed: {message}"))
                .hint("see whether its disk is full or broken"),
        }
    }
}

impl From<VaultError> for Error {
    fn from(e: VaultError) -> Self {
        let message = e.to_string();
        match e {
            VaultError::NoRecipients => {
                Self::new(Kind::BadState, message).hint("name one in keys.recipients, or use --key-mode once")
            }
            VaultError::BadRecipient { .. } => {
                Self::new(Kind::BadState, message).hint("correct keys.recipients in config.toml")
            }
            VaultError::NoIdentity { .. } => Self::new(Kind::Denied, message)
                .hint("put the age identity there, or name it in keys.identity"),
            VaultError::BadIdentity { .. } => {
                Self::new(Kind::Denied, message).hint("name another in keys.identity")
            }
            VaultError::Protected { .. } => {
                Self::new(Kind::Denied, message).hint("run it on a terminal, without --json and --no-input")
            }
            VaultError::WrongPassphrase { .. } => Self::new(Kind::Denied, message).hint("try again"),
            VaultError::WrongIdentity { .. } => {
                Self::new(Kind::Denied, message).hint("use the identity of one of its recipients")
            }
            VaultError::Damaged => Self::new(Kind::BadState, message).hint("restore the store from a backup"),
            VaultError::Seal(_) => Self::new(Kind::Failed, message),
            VaultError::Fs(e) => e.into(),
        }
    }
}

impl From<ConfError> for Error {
    fn from(e: ConfError) -> Self {
        Self::new(Kind::BadState, e.to_string()).hint("correct that line; nothing was changed")
    }
}

impl Error {
    /// What is wrong with the conf at this path, with the command that mends its encoding.
    pub fn of_conf(path: &Path, e: ConfError) -> Self {
        let fault = e.fault.clone();
        let error = Self::from(e);
        let file = path.display();
        let error = Self { message: format!("{file}: {}", error.message), ..error };
        match fault {
            wgconf::Fault::ByteOrderMark => error.hint(format!("sed -i '1s/^\\xef\\xbb\\xbf//' {file}")),
            wgconf::Fault::Utf16(encoding) => error.hint(format!(
                "umask 077; iconv -f {encoding} -t UTF-8 {file} > {file}.utf8 && cat {file}.utf8 > {file}; rm {file}.utf8"
            )),
            _ => error,
        }
    }
}

impl From<DeviceError> for Error {
    fn from(e: DeviceError) -> Self {
        let message = e.to_string();
        match e {
            DeviceError::Missing { .. } => {
                Self::new(Kind::Device, message).hint("run \"iwas-wg up\"")
            }
            DeviceError::Untrusted(e) => e.into(),
            DeviceError::NotWireguard { name } => Self::new(Kind::Conflict, message).hint(format!(
                "nothing was changed; name another in hub.interface, or remove it with \"ip link del {name}\""
            )),
            DeviceError::Foreign { name, .. } => Self::new(Kind::Conflict, message).hint(format!(
                "nothing was changed; name another in hub.interface, remove it with \"ip link del {name}\", or \
                 adopt it below a root of its own: \"wg showconf {name} > FILE\" and \"iwas-wg --root DIR init \
                 --adopt --interface {name} --from FILE\""
            )),
            DeviceError::Elsewhere { socket, .. } => Self::new(Kind::Device, message)
                .hint(format!("stop it, or choose another hub.interface; its socket is {}", socket.display())),
            DeviceError::Denied { .. } => {
                Self::new(Kind::Denied, message).hint("run it as root or with CAP_NET_ADMIN")
            }
            DeviceError::NoKernel => Self::new(Kind::Device, message).hint(
                "load the module with \"modprobe wireguard\", or set hub.backend = \"userspace\" and install wireguard-go",
            ),
            DeviceError::NoProgram { kernel_tried: true, .. } => Self::new(Kind::Device, message)
                .hint("load the kernel's with \"modprobe wireguard\", or install wireguard-go"),
            DeviceError::NoProgram { .. } => Self::new(Kind::Device, message)
                .hint("install wireguard-go, or name a program in WG_USERSPACE_IMPLEMENTATION"),
            DeviceError::NotStarted { .. } => Self::new(Kind::Device, message)
                .hint("start it by hand to see what it says, or load the kernel's with \"modprobe wireguard\""),
            DeviceError::PortTaken { port } => Self::new(Kind::Conflict, message).hint(format!(
                "find it with \"ss -ulpn 'sport = :{port}'\", or choose another hub.listen_port"
            )),
            DeviceError::System { .. } => Self::new(Kind::Device, message),
        }
    }
}
