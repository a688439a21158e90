//! Reading a userspace `WireGuard` through its control socket, line by line as it answers.

use super::{
    Secrets,
    kernel::{Extent, Seen},
    userspace::{connect, no_answer},
};
use crate::model::{InterfaceName, LivePeer, PresharedKey, PrivateKey, PublicKey};
use jiff::Timestamp;
use std::io::{self, BufRead, BufReader, Write};
use zeroize::{Zeroize, Zeroizing};

/// Reads an interface.
///
/// # Errors
/// The system's, or the number that the program gives.
pub(super) fn read(name: &InterfaceName, extent: Extent) -> io::Result<Seen> {
    ask(name, extent).map(|answer| answer.seen)
}

/// Reads the private key of an interface.
///
/// # Errors
/// As [`read`].
pub(super) fn private_key(name: &InterfaceName) -> io::Result<Option<PrivateKey>> {
    ask(name, Extent::Head).map(|answer| answer.private_key)
}

/// All that a program says of its interface.
#[derive(Default)]
struct Answer {
    seen: Seen,
    private_key: Option<PrivateKey>,
}

fn ask(name: &InterfaceName, extent: Extent) -> io::Result<Answer> {
    let mut socket = connect(name)?;
    let answer = socket
        .write_all(b"get=1\n\n")
        .and_then(|()| parse(BufReader::with_capacity(64 * 1024, socket), extent));
    answer.map_err(no_answer)
}

/// Reads the preshared keys of all peers that have one.
///
/// # Errors
/// As [`read`].
pub(super) fn preshared_keys(name: &InterfaceName) -> io::Result<Secrets> {
    let mut socket = connect(name)?;
    let answer = socket.write_all(b"get=1\n\n").map(|()| BufReader::with_capacity(64 * 1024, socket));
    answer.and_then(secrets).map_err(no_answer)
}

/// The preshared keys of an answer.
fn secrets(mut answer: impl BufRead) -> io::Result<Secrets> {
    let (mut all, mut peer) = (Secrets::new(), None);
    let mut line = Zeroizing::new(Vec::with_capacity(256));
    loop {
        line.clear();
        if answer.read_until(b'\n', &mut line)? == 0 {
            return Err(broken());
        }
        let text = std::str::from_utf8(&line).map_err(|_| broken())?.trim_end_matches('\n');
        match text.split_once('=') {
            None if text.is_empty() => return Ok(all),
            None => return Err(broken()),
            Some(("public_key", value)) => peer = hex(value).map(PublicKey::from_bytes),
            Some(("preshared_key", value)) => {
                let key = PresharedKey::from_random(Zeroizing::new(hex(value).ok_or_else(broken)?));
                all.extend(peer.zip(Some(key).filter(|key| key.digest().is_some())));
            }
            Some(_) => {}
        }
    }
}

/// Takes an answer in, up to the empty line at its end, or to its first peer.
fn parse(mut answer: impl BufRead, extent: Extent) -> io::Result<Answer> {
    let mut heard = Answer::default();
    // Reused for every line, and wiped: one of them is the private key.
    let mut line = Zeroizing::new(Vec::with_capacity(256));
    loop {
        line.clear();
        if answer.read_until(b'\n', &mut line)? == 0 {
            return Err(broken());
        }
        let Some(text) = line.strip_suffix(b"\n") else {
            return Err(broken());
        };
        if text.is_empty() {
            return Ok(heard);
        }
        let text = std::str::from_utf8(text).map_err(|_| broken())?;
        let (key, value) = text.split_once('=').ok_or_else(broken)?;
        hear(&mut heard, key, value)?;
        if key == "private_key" || key == "preshared_key" {
            line.zeroize();
        }
        if extent == Extent::Head && !heard.seen.peers.is_empty() {
            return Ok(heard);
        }
    }
}

fn hear(heard: &mut Answer, key: &str, value: &str) -> io::Result<()> {
    let seen = &mut heard.seen;
    match key {
        "private_key" => {
            let bytes = Zeroizing::new(hex(value).ok_or_else(broken)?);
            heard.private_key = PrivateKey::from_device(bytes);
            seen.public_key = heard.private_key.as_ref().map(PrivateKey::public);
        }
        "listen_port" => seen.listen_port = Some(value.parse().map_err(|_| broken())?),
        "fwmark" => seen.fwmark = value.parse().map_err(|_| broken())?,
        "errno" if value != "0" => {
            let number = value.parse::<i32>().map_err(|_| broken())?;
            return Err(io::Error::from_raw_os_error(number.saturating_abs()));
        }
        "public_key" => seen.peers.push(LivePeer::new(PublicKey::from_bytes(hex(value).ok_or_else(broken)?))),
        _ => {
            if let Some(peer) = seen.peers.last_mut() {
                return hear_peer(peer, key, value).ok_or_else(broken);
            }
        }
    }
    Ok(())
}

/// What is said of a peer; `None` for a value that makes no sense. Keys that are not known here
/// are no errors: programs add their own.
fn hear_peer(peer: &mut LivePeer, key: &str, value: &str) -> Option<()> {
    match key {
        "allowed_ip" => peer.allowed_ips.push(value.parse().ok()?),
        "preshared_key" => peer.preshared = PresharedKey::from_random(Zeroizing::new(hex(value)?)).digest(),
        "persistent_keepalive_interval" => peer.keepalive = value.parse().ok()?,
        "endpoint" => peer.endpoint = Some(value.parse().ok()?),
        "rx_bytes" => peer.rx_bytes = value.parse().ok()?,
        "tx_bytes" => peer.tx_bytes = value.parse().ok()?,
        "last_handshake_time_sec" => {
            let seconds: i64 = value.parse().ok()?;
            peer.last_handshake = if seconds == 0 { None } else { Timestamp::from_second(seconds).ok() };
        }
        _ => {}
    }
    Some(())
}

/// The 32 bytes of a key.
fn hex(text: &str) -> Option<[u8; 32]> {
    let digit = |c: u8| char::from(c).to_digit(16);
    let mut bytes = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?;
    }
    Some(bytes)
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the program's answer makes no sense")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";

    fn seen(answer: &str) -> io::Result<Seen> {
        parse(answer.as_bytes(), Extent::Whole).map(|answer| answer.seen)
    }

    #[test]
    fn an_answer_is_read_to_its_end_and_no_further() {
        let peer = "11".repeat(32);
        let text = format!(
            "private_key={KEY}\nlisten_port=51820\nfwmark=51820\npublic_key={peer}\npreshared_key={}\n\
             protocol_version=1\nendpoint=[2001:db8::1]:7\nlast_handshake_time_sec=1700000000\n\
             last_handshake_time_nsec=5\ntx_bytes=6\nrx_bytes=5\npersistent_keepalive_interval=25\n\
             allowed_ip=10.0.0.2/32\nallowed_ip=fd00::/64\npublic_key={}\nlast_handshake_time_sec=0\n\
             errno=0\n\nbehind",
            "0".repeat(64),
            "22".repeat(32)
        );
        let seen = seen(&text).expect("answer");
        assert_eq!(
            seen.public_key.map(|k| k.to_string()).as_deref(),
            Some("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=")
        );
        assert_eq!((seen.listen_port, seen.fwmark, seen.peers.len()), (Some(51820), 51820, 2));
        let p = &seen.peers[0];
        assert_eq!(*p.public_key.as_bytes(), [0x11; 32]);
        assert_eq!((p.rx_bytes, p.tx_bytes, p.allowed_ips.len()), (5, 6, 2));
        assert_eq!((p.preshared, p.keepalive), (None, 25));
        assert_eq!(p.endpoint, "[2001:db8::1]:7".parse().ok());
        assert_eq!(p.last_handshake.map(Timestamp::as_second), Some(1_700_000_000));
        assert_eq!((seen.peers[1].last_handshake, seen.peers[1].endpoint), (None, None));
    }

    #[test]
    fn a_look_at_the_head_ends_at_the_first_peer() {
        let text = format!("private_key={KEY}\nlisten_port=7\npublic_key={}\nnonsense", "11".repeat(32));
        let seen = parse(text.as_bytes(), Extent::Head).expect("head").seen;
        assert_eq!((seen.public_key.is_some(), seen.listen_port, seen.peers.len()), (true, Some(7), 1));
        let none = parse(&b"listen_port=7\nerrno=0\n\n"[..], Extent::Head).expect("no peers").seen;
        assert_eq!((none.public_key, none.peers.len()), (None, 0));
    }

    #[test]
    fn what_is_no_answer_is_an_error_and_never_half_an_interface() {
        for bad in ["", "errno=0", "public_key=11\n\n", "listen_port=x\nerrno=0\n\n", "nonsense\n\n"] {
            assert_eq!(seen(bad).expect_err(bad).kind(), io::ErrorKind::InvalidData, "{bad:?}");
        }
        assert_eq!(seen("errno=-1\n\n").expect_err("errno").raw_os_error(), Some(1));
        assert_eq!(
            seen(&format!("private_key={}\nerrno=0\n\n", "0".repeat(64))).expect("no key").public_key,
            None
        );
    }
}
