//! Generic netlink with the kernel: one socket, one look-up of the family, messages as bytes.
//!
//! A dump is parsed while it comes in and a long change goes out in as few messages as the kernel
//! takes, because with a hundred thousand peers everything that is done for each of them counts.
//!
//! A dump during which something changed is begun anew, since it may lack peers or have them twice.

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC};
use std::{io, ops::ControlFlow};
use zeroize::{Zeroize, Zeroizing};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLA_F_NESTED: u16 = 0x8000;
/// The flags of an attribute's type: nested, and in network byte order.
const NLA_FLAGS: u16 = 0xc000;

const GENL_ID_CTRL: u16 = 0x10;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

/// Length of the header of a message, and of that with the generic one behind it.
const HEADER: usize = 16;
const GENERIC_HEADER: usize = HEADER + 4;
/// The kernel gives no more than 32 KiB at once, and that only to who has room for it.
const RECEIVE: usize = 64 * 1024;
/// How often an interrupted dump is begun anew.
const ATTEMPTS: usize = 20;

/// One call to the kernel: sends what it is given and hears each message of the answer.
pub(super) struct Channel {
    socket: Socket,
    family: u16,
    sequence: u32,
    buffer: Zeroizing<Vec<u8>>,
}

impl Channel {
    /// Opens a socket for the family of this name.
    ///
    /// # Errors
    /// `NotFound` if the kernel does not know it.
    pub(super) fn open(family: &str) -> io::Result<Self> {
        let socket = Socket::new(NETLINK_GENERIC)?;
        socket.connect(&SocketAddr::new(0, 0))?;
        let buffer = Zeroizing::new(vec![0; RECEIVE]);
        let mut channel = Self { socket, family: GENL_ID_CTRL, sequence: 0, buffer };
        let mut request = Message::new(CTRL_CMD_GETFAMILY, 64);
        let mut name = family.as_bytes().to_vec();
        name.push(0);
        request.attribute(CTRL_ATTR_FAMILY_NAME, &name);
        let mut id = None;
        channel.exchange(&mut request, NLM_F_REQUEST | NLM_F_ACK, &mut |attributes| {
            id = id.or(attributes.find(CTRL_ATTR_FAMILY_ID).and_then(number::<2>).map(u16::from_ne_bytes));
            ControlFlow::Continue(())
        })?;
        channel.family = id.ok_or(io::ErrorKind::NotFound)?;
        Ok(channel)
    }

    /// Asks for a dump; `each` hears the attributes of each of its messages. `begin` is called
    /// before the first and again whenever the dump has to be begun anew.
    ///
    /// # Errors
    /// The kernel's, and `Interrupted` if something changes all the time.
    pub(super) fn dump<T>(
        &mut self,
        request: &mut Message,
        begin: impl Fn() -> T,
        mut each: impl FnMut(&mut T, Attributes<'_>),
    ) -> io::Result<T> {
        for _ in 0..ATTEMPTS {
            let mut found = begin();
            let whole = self.exchange(request, NLM_F_REQUEST | NLM_F_DUMP, &mut |a| {
                each(&mut found, a);
                ControlFlow::Continue(())
            })?;
            if whole {
                return Ok(found);
            }
        }
        Err(io::Error::new(io::ErrorKind::Interrupted, "it changes faster than it can be read"))
    }

    /// Asks for a dump and hears its first message alone. The channel is of no use afterwards.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn begin_dump<T>(
        mut self,
        request: &mut Message,
        mut found: T,
        each: impl Fn(&mut T, Attributes<'_>),
    ) -> io::Result<T> {
        self.exchange(request, NLM_F_REQUEST | NLM_F_DUMP, &mut |a| {
            each(&mut found, a);
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    /// Makes a change and waits until the kernel has made it.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn change(&mut self, request: &mut Message) -> io::Result<()> {
        self.exchange(request, NLM_F_REQUEST | NLM_F_ACK, &mut |_| ControlFlow::Continue(())).map(drop)
    }

    /// Sends a message and hears the answer to its end, or until `each` has heard enough; `false`
    /// if it was an interrupted dump.
    fn exchange(
        &mut self,
        request: &mut Message,
        flags: u16,
        each: &mut dyn FnMut(Attributes<'_>) -> ControlFlow<()>,
    ) -> io::Result<bool> {
        self.sequence += 1;
        request.finish(self.family, flags, self.sequence);
        let sent = self.socket.send(&request.bytes, 0)?;
        if sent != request.bytes.len() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let mut whole = true;
        loop {
            let received = match self.socket.recv(&mut self.buffer.as_mut_slice(), 0) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            let mut rest = self.buffer.get(..received).ok_or_else(malformed)?;
            while !rest.is_empty() {
                let (header, length) = Header::read(rest).ok_or_else(malformed)?;
                let body = &rest[HEADER..length];
                rest = rest.get(aligned(length)..).unwrap_or_default();
                if header.sequence != self.sequence {
                    continue;
                }
                whole &= header.flags & NLM_F_DUMP_INTR == 0;
                match header.kind {
                    NLMSG_ERROR => return acknowledged(body).map(|()| whole),
                    // Since 5.x the end of a dump carries the error that broke it off.
                    NLMSG_DONE => return acknowledged(body).map(|()| whole),
                    _ => {
                        let attributes = body.get(GENERIC_HEADER - HEADER..).unwrap_or_default();
                        if each(Attributes(attributes)).is_break() {
                            return Ok(true);
                        }
                    }
                }
            }
        }
    }
}

/// The number at the beginning of an acknowledgement: 0, or minus the error.
fn acknowledged(body: &[u8]) -> io::Result<()> {
    match body.first_chunk().map(|b| i32::from_ne_bytes(*b)) {
        None | Some(0) => Ok(()),
        Some(n) => Err(io::Error::from_raw_os_error(n.saturating_abs())),
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the kernel's answer makes no sense")
}

struct Header {
    kind: u16,
    flags: u16,
    sequence: u32,
}

impl Header {
    /// The header at the beginning of these bytes and the length of its message.
    fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let (length, rest) = bytes.split_first_chunk()?;
        let (kind, rest) = rest.split_first_chunk()?;
        let (flags, rest) = rest.split_first_chunk()?;
        let length = usize::try_from(u32::from_ne_bytes(*length)).ok()?;
        let header = Self {
            kind: u16::from_ne_bytes(*kind),
            flags: u16::from_ne_bytes(*flags),
            sequence: u32::from_ne_bytes(*rest.first_chunk()?),
        };
        (HEADER..=bytes.len()).contains(&length).then_some((header, length))
    }
}

const fn aligned(length: usize) -> usize {
    (length + 3) & !3
}

/// A run of attributes; each is its type, without the flags, and its value.
#[derive(Clone)]
pub(super) struct Attributes<'a>(pub(super) &'a [u8]);

impl<'a> Attributes<'a> {
    /// The value of the first of a type.
    pub(super) fn find(&self, kind: u16) -> Option<&'a [u8]> {
        self.clone().find_map(|(k, value)| (k == kind).then_some(value))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first_chunk()?;
        let kind = u16::from_ne_bytes(*rest.first_chunk()?) & !NLA_FLAGS;
        let length = usize::from(u16::from_ne_bytes(*length));
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    }
}

/// The bytes of a number, if it has this many.
pub(super) fn number<const N: usize>(value: &[u8]) -> Option<[u8; N]> {
    value.try_into().ok()
}

/// A message in the making. It may hold private keys: it never grows beyond the room it was made
/// with, and is wiped.
pub(super) struct Message {
    bytes: Zeroizing<Vec<u8>>,
    command: u8,
    room: usize,
}

impl Message {
    /// An empty one with room for this many bytes of attributes.
    pub(super) fn new(command: u8, room: usize) -> Self {
        let mut bytes = Zeroizing::new(Vec::with_capacity(GENERIC_HEADER + room));
        bytes.resize(GENERIC_HEADER, 0);
        Self { bytes, command, room: GENERIC_HEADER + room }
    }

    /// Empties it for the next use.
    pub(super) fn clear(&mut self) {
        self.bytes.zeroize();
        self.bytes.resize(GENERIC_HEADER, 0);
    }

    /// What was written so far.
    #[cfg(test)]
    pub(super) fn attributes(&self) -> Attributes<'_> {
        Attributes(&self.bytes[GENERIC_HEADER..])
    }

    /// How many bytes of attributes still fit.
    pub(super) fn left(&self) -> usize {
        self.room - self.bytes.len()
    }

    /// Writes an attribute.
    pub(super) fn attribute(&mut self, kind: u16, value: &[u8]) {
        let at = self.open(kind);
        self.bytes.extend_from_slice(value);
        self.close(at);
    }

    /// Begins an attribute that holds attributes; returns what [`Message::close`] needs.
    pub(super) fn nest(&mut self, kind: u16) -> usize {
        self.open(kind | NLA_F_NESTED)
    }

    fn open(&mut self, kind: u16) -> usize {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0, 0]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        at
    }

    /// Ends an attribute.
    pub(super) fn close(&mut self, at: usize) {
        // No message is larger than such a length can say.
        let length = u16::try_from(self.bytes.len() - at).unwrap_or(u16::MAX);
        self.bytes[at..at + 2].copy_from_slice(&length.to_ne_bytes());
        let end = aligned(self.bytes.len());
        self.bytes.resize(end, 0);
    }

    fn finish(&mut self, family: u16, flags: u16, sequence: u32) {
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.bytes[0..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes[4..6].copy_from_slice(&family.to_ne_bytes());
        self.bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        // Port 0 is the kernel's to fill in; the version of every family used here is 1.
        self.bytes[12..GENERIC_HEADER].copy_from_slice(&[0, 0, 0, 0, self.command, 1, 0, 0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut message = Message::new(1, 64);
        message.attribute(2, b"wg0\0");
        let nest = message.nest(8);
        message.attribute(1, &[7; 5]);
        message.attribute(3, &[]);
        message.close(nest);
        message.finish(29, 5, 1);
        let (header, length) = Header::read(&message.bytes).expect("header");
        assert_eq!((header.kind, header.flags, header.sequence, length), (29, 5, 1, message.bytes.len()));
        let all: Vec<_> = Attributes(&message.bytes[GENERIC_HEADER..]).collect();
        assert_eq!(all[0], (2, b"wg0\0".as_slice()));
        assert_eq!(all[1].0, 8, "the flag is not part of the type");
        let inner: Vec<_> = Attributes(all[1].1).collect();
        assert_eq!(inner, [(1, [7; 5].as_slice()), (3, [].as_slice())]);
        assert_eq!(message.left(), 64 - (message.bytes.len() - GENERIC_HEADER));
    }

    #[test]
    fn broken_answers_end_and_do_not_panic() {
        for bytes in [&[][..], &[1], &[3, 0, 1, 0], &[200, 0, 1, 0, 5], &[0, 0, 0, 0, 0, 0]] {
            assert_eq!(Attributes(bytes).count(), 0, "{bytes:?}");
        }
        assert!(Header::read(&[16, 0, 0, 0]).is_none());
        assert!(Header::read(&[17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_none());
        assert!(Header::read(&[3; 20]).is_none());
    }

    #[test]
    fn an_acknowledgement_is_success_or_the_systems_error() {
        assert!(acknowledged(&0_i32.to_ne_bytes()).is_ok());
        let e = acknowledged(&(-98_i32).to_ne_bytes()).expect_err("address in use");
        assert_eq!(e.raw_os_error(), Some(98));
    }
}
