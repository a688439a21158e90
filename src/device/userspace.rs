//! `WireGuard` as a program: starting it, and changing it through its control socket.
//!
//! The changes are written here rather than by the library, which says an error on stdout and
//! loses its number. The request holds private keys, so it is wiped.

use super::DeviceError;
use crate::{
    fsx,
    model::{
        InterfaceName, PrivateKey, PublicKey,
        plan::{Extras, Plan},
    },
};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, BufRead, BufReader, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use zeroize::Zeroizing;

const SOCKET_DIR: &str = "/var/run/wireguard";
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the program may be silent: for 65,000 peers at once it needs some seconds.
const PATIENCE: Duration = Duration::from_secs(120);
const EADDRINUSE: i32 = 98;

/// Path of an interface's control socket.
pub(super) fn socket_path(name: &InterfaceName) -> PathBuf {
    Path::new(SOCKET_DIR).join(format!("{name}.sock"))
}

/// The control socket, on which a program that hangs is not waited for with the lock in hand for ever.
///
/// # Errors
/// The system's; what is read or written later fails as [`no_answer`] understands it.
pub(super) fn connect(name: &InterfaceName) -> io::Result<UnixStream> {
    connect_to(&socket_path(name), PATIENCE)
}

fn connect_to(socket: &Path, patience: Duration) -> io::Result<UnixStream> {
    let socket = UnixStream::connect(socket)?;
    socket.set_read_timeout(Some(patience))?;
    socket.set_write_timeout(Some(patience))?;
    Ok(socket)
}

/// Puts what the system says of a socket whose time has run out into words for people.
pub(super) fn no_answer(e: io::Error) -> io::Error {
    if e.kind() == io::ErrorKind::WouldBlock {
        io::Error::new(io::ErrorKind::TimedOut, "the program that carries it does not answer")
    } else {
        e
    }
}

/// Whether a program answers on the control socket.
pub(super) fn is_alive(name: &InterfaceName) -> bool {
    UnixStream::connect(socket_path(name)).is_ok()
}

/// Waits until the program is gone after its interface was deleted; bounded.
pub(super) fn wait_gone(name: &InterfaceName) {
    let deadline = Instant::now() + START_TIMEOUT;
    while is_alive(name) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    // A dead program's socket would stand in the way of the next one.
    if !is_alive(name) {
        let _ = std::fs::remove_file(socket_path(name));
    }
}

/// Starts the program that `WG_USERSPACE_IMPLEMENTATION` names, else `wireguard-go`, and waits
/// until it answers. Returns the program's name.
pub(super) fn start(
    name: &InterfaceName,
    vars: &BTreeMap<String, String>,
    kernel_tried: bool,
) -> Result<String, DeviceError> {
    let (program, file) = program(vars, kernel_tried)?;
    let path = vars.get("PATH").map_or("", String::as_str);
    let not_started = |why: String| DeviceError::NotStarted { program: program.clone(), why };
    let _ = std::fs::remove_file(socket_path(name));
    let mut command = Command::new(file);
    // The program puts itself into the background; it gets neither our streams nor our variables.
    command.arg(name.as_str()).env_clear().env("PATH", path);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().map_err(|e| not_started(super::system_reason(&e)))?;
    if !status.success() {
        return Err(not_started(format!("it ended with {status}; is /dev/net/tun there?")));
    }
    let deadline = Instant::now() + START_TIMEOUT;
    while !is_alive(name) {
        if Instant::now() >= deadline {
            return Err(not_started(format!("its socket {} never answered", socket_path(name).display())));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(program)
}

/// The program that would carry an interface: its name and its path.
pub(super) fn program(
    vars: &BTreeMap<String, String>,
    kernel_tried: bool,
) -> Result<(String, PathBuf), DeviceError> {
    let program = vars
        .get("WG_USERSPACE_IMPLEMENTATION")
        .filter(|p| !p.is_empty())
        .map_or("wireguard-go", String::as_str)
        .to_owned();
    match fsx::find_program(&program, vars.get("PATH").map_or("", String::as_str)) {
        Some(file) => {
            fsx::trusted(&file)?;
            Ok((program, file))
        }
        None => Err(DeviceError::NoProgram { program, kernel_tried }),
    }
}

/// Whether another program has this UDP port. The program that runs the interface takes its port when
/// it hears that the link is up, and tells nobody if it cannot.
fn is_taken(port: u16) -> bool {
    let any = [IpAddr::from(Ipv4Addr::UNSPECIFIED), IpAddr::from(Ipv6Addr::UNSPECIFIED)];
    any.iter()
        .any(|address| UdpSocket::bind((*address, port)).is_err_and(|e| e.kind() == io::ErrorKind::AddrInUse))
}

/// Sends key, port, firewall mark and peers of a plan as one request.
pub(super) fn configure(
    name: &InterfaceName,
    plan: &Plan,
    private_key: Option<&PrivateKey>,
    extras: &Extras,
) -> Result<(), DeviceError> {
    let action = "change";
    if let Some(port) = plan.set_port.filter(|port| *port != 0 && is_taken(*port)) {
        return Err(DeviceError::PortTaken { port });
    }
    // Room for everything at once: growing would leave unwiped copies of the key behind.
    let room = 256 + 512 * (plan.set_peers.len() + plan.remove_peers.len());
    let mut request = Zeroizing::new(String::with_capacity(room));
    request.push_str("set=1\n");
    if let (true, Some(key)) = (plan.set_key, private_key) {
        request.push_str("private_key=");
        hex(&mut request, key.expose_bytes());
        request.push('\n');
    }
    if let Some(port) = plan.set_port {
        let _ = writeln!(request, "listen_port={port}");
    }
    if let Some(mark) = plan.set_fwmark {
        let _ = writeln!(request, "fwmark={mark}");
    }
    remove(&mut request, plan.remove_first());
    for peer in &plan.set_peers {
        request.push_str("public_key=");
        hex(&mut request, peer.public_key.as_bytes());
        request.push_str("\nreplace_allowed_ips=true\n");
        for net in peer.allowed_ips() {
            let _ = writeln!(request, "allowed_ip={net}");
        }
        let said = peer.said(extras.get(&peer.public_key));
        if let Some(key) = said.preshared {
            request.push_str("preshared_key=");
            hex(&mut request, key);
            request.push('\n');
        }
        if let Some(endpoint) = said.endpoint {
            let _ = writeln!(request, "endpoint={endpoint}");
        }
        if let Some(seconds) = said.keepalive {
            let _ = writeln!(request, "persistent_keepalive_interval={seconds}");
        }
    }
    remove(&mut request, plan.remove_last());
    if request.as_str() == "set=1\n" {
        return Ok(());
    }
    request.push('\n');
    let errno = connect(name).and_then(|socket| exchange(socket, request.as_bytes()));
    let errno = errno.map_err(|e| super::failure(name, action, no_answer(e)))?;
    match (errno, plan.set_port) {
        (0, _) => Ok(()),
        (EADDRINUSE, Some(port)) => Err(DeviceError::PortTaken { port }),
        (n, _) => Err(super::failure(name, action, io::Error::from_raw_os_error(n.abs()))),
    }
}

fn remove<'a>(request: &mut String, keys: impl Iterator<Item = &'a PublicKey>) {
    for key in keys {
        request.push_str("public_key=");
        hex(request, key.as_bytes());
        request.push_str("\nremove=true\n");
    }
}

/// Sends a request and returns the number in `errno=`.
fn exchange(mut socket: UnixStream, request: &[u8]) -> io::Result<i32> {
    socket.write_all(request)?;
    let mut line = String::new();
    BufReader::new(socket).read_line(&mut line)?;
    let number = line.trim_end().strip_prefix("errno=").and_then(|n| n.parse::<i32>().ok());
    number
        .map(i32::abs)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the program gave no answer"))
}

fn hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_program_that_hangs_is_not_waited_for_for_ever() {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("wg0.sock");
        let _listener = UnixListener::bind(&path).expect("socket");
        let socket = connect_to(&path, Duration::from_millis(20)).expect("connect");
        let e = no_answer(exchange(socket, b"set=1\n\n").expect_err("an answer out of nowhere"));
        let e = super::super::failure(&"wg0".parse().expect("name"), "change", e);
        assert_eq!(
            e.to_string(),
            "cannot change the interface wg0: the program that carries it does not answer"
        );
    }
}
