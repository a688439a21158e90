//! The hub's conf, in the format of wg-quick(8): its text and what it says about peers.
//!
//! A conf is kept as the bytes it was read as, line by line. [`Conf::rewrite`] touches the blocks
//! of peers that the store knows, or once knew, and copies every other line as it stands:
//! comments, hooks, other people's peers, line endings.
//!
//! This room must not know files, the store or the interface. Its errors carry a line number and
//! never a value, since the value may be a private or preshared key.

mod interface;
mod labels;
mod link;
mod parse;
mod remark;
mod rewrite;
#[cfg(test)]
mod tests;
mod values;

pub use interface::{InterfaceWanted, without_address};
pub use rewrite::appended;

use crate::model::{
    LocationName, PresharedKey, PrivateKey, PublicKey,
    plan::{Extras, PeerExtras, WantedPeer},
};
use ipnet::{IpNet, Ipv4Net};
use parse::{Block, Kind, Line, Setting};
use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
    fmt,
    net::Ipv4Addr,
};
use zeroize::Zeroizing;

/// Why a text is no conf that can be rewritten safely.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct ConfError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What can be wrong with a line. A value is only told where it can be no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A byte order mark before the first line.
    #[error("begins with a byte order mark, which wg does not read")]
    ByteOrderMark,
    /// Two bytes for each character; the name is that of iconv(1).
    #[error("is {0} text, which wg does not read")]
    Utf16(&'static str),
    /// Bytes that are no text where only text has a meaning.
    #[error("not UTF-8 text")]
    NotUtf8,
    /// A NUL byte outside comments.
    #[error("has a NUL byte")]
    Nul,
    /// `KEY = VALUE` above the first section.
    #[error("a setting stands above the first [Interface] or [Peer]")]
    OutsideSection,
    /// A section that is neither `[Interface]` nor `[Peer]`.
    #[error("a section other than [Interface] and [Peer]")]
    UnknownSection,
    /// Neither comment nor section nor `KEY = VALUE`.
    #[error("neither a comment nor KEY = VALUE")]
    NotKeyValue,
    /// A key of no manual.
    #[error("a setting that neither wg nor wg-quick knows")]
    UnknownKey,
    /// A key of `[Peer]` in `[Interface]`.
    #[error("{0} is a setting of a [Peer], not of [Interface]")]
    NotInInterface(&'static str),
    /// A key of `[Interface]` in a `[Peer]`.
    #[error("{0} is a setting of [Interface], not of a [Peer]")]
    NotInPeer(&'static str),
    /// A key that wg-quick(8) would read, did it see the section.
    #[error("wg-quick does not read {0} here, because the line [Interface] has spaces inside its brackets")]
    SpacesInHeader(&'static str),
    /// A `[Peer]` that names no peer.
    #[error("this [Peer] has no PublicKey")]
    NoPublicKey,
    /// A `[Peer]` that names two peers, or one twice.
    #[error("a second PublicKey in the same [Peer]")]
    SecondPublicKey,
    /// A second `[Interface]`.
    #[error("a second [Interface]")]
    SecondInterface,
    /// A value that the tools refuse.
    #[error("the {key} {shown}{why}")]
    Value {
        /// The setting.
        key: &'static str,
        /// The value in quotes and a space, or nothing.
        shown: String,
        /// Why, as the end of a sentence.
        why: Cow<'static, str>,
    },
}

/// A conf as it was read. `Debug` shows its size only, because it holds the hub's private key.
#[derive(Default)]
pub struct Conf {
    text: Zeroizing<Vec<u8>>,
    lines: Vec<Line>,
    /// Line of `[Interface]`.
    header: Option<usize>,
    blocks: Vec<Block>,
}

/// What makes wg-quick(8) overwrite the conf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwriting {
    /// `SaveConfig = true`.
    SaveConfig,
    /// A `PreDown` or other hook that saves the interface.
    Hook,
}

impl fmt::Display for Overwriting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SaveConfig => "SaveConfig = true",
            Self::Hook => "a hook that saves the interface",
        })
    }
}

/// A peer as the conf has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfPeer {
    /// Its public key.
    pub public_key: PublicKey,
    /// All its allowed IPs that can be read, in the order of the file; an address without prefix
    /// length is a whole host, as for wg(8).
    pub allowed_ips: Vec<IpNet>,
    /// What people call it, without what the marks of a tool add.
    pub name: Option<String>,
    /// All that people wrote of it in comments.
    pub note: Option<String>,
    /// The line of its `[Peer]`, counted from 1.
    pub line: usize,
}

/// A line of a peer that is commented out, and the networks on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentedOut {
    /// The line, counted from 1.
    pub line: usize,
    /// What the peer would be allowed.
    pub networks: Vec<IpNet>,
}

/// A key that two `[Peer]` have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicate {
    /// The key of both.
    pub public_key: PublicKey,
    /// The lines of both `[Peer]`, counted from 1.
    pub lines: (usize, usize),
}

/// A peer that the conf shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfPeerWanted {
    /// The location, written as `# friendly_name = NAME`.
    pub name: LocationName,
    /// Its public key and allowed IPs.
    pub peer: WantedPeer,
}

/// Preshared keys in base64 that the conf shall hold and may not yet.
pub type Secrets = HashMap<PublicKey, Zeroizing<String>>;

/// The conf as it shall be. `Debug` leaves out the text, because it holds the private key.
pub struct Rewrite {
    /// The whole file.
    pub text: Zeroizing<Vec<u8>>,
    /// Whether it differs from what was read.
    pub changed: bool,
    /// What was corrected in `[Interface]`, in words.
    pub corrections: Vec<String>,
    /// Blocks appended.
    pub added: usize,
    /// Blocks whose name or allowed IPs were corrected.
    pub updated: usize,
    /// Blocks taken out: retired peers, and second blocks of wanted ones.
    pub removed: usize,
    /// Peers in the file that are neither wanted nor retired, each once, in the file's order.
    pub foreign: Vec<PublicKey>,
}

impl Conf {
    /// The hub's private key.
    pub fn private_key(&self) -> Option<PrivateKey> {
        // Parsing has checked it; as for wg(8), the last one counts.
        let text = Zeroizing::new(self.interface(Setting::PrivateKey).last()?);
        PrivateKey::from_base64(&text).ok()
    }

    /// The UDP port, if there is a line for it that holds one; 0 leaves it to the kernel and is none.
    pub fn listen_port(&self) -> Option<u16> {
        let port = self.interface(Setting::ListenPort).last().and_then(|value| values::port(&value).ok());
        port.filter(|port| *port != 0)
    }

    /// The interface's addresses that can be read; one without prefix length is a `/32` or `/128`.
    pub fn addresses(&self) -> Vec<IpNet> {
        self.values(Setting::Address).flat_map(values::addresses).flatten().collect()
    }

    /// Which line makes wg-quick(8) overwrite the file with what the interface has.
    pub fn overwriting(&self) -> Option<Overwriting> {
        if self.interface(Setting::SaveConfig).last().is_some_and(|v| v.eq_ignore_ascii_case("true")) {
            return Some(Overwriting::SaveConfig);
        }
        // A hook may do by hand what SaveConfig does.
        let saves = |v: &str| v.contains("wg-quick save") || v.contains("showconf") && v.contains(".conf");
        self.hooks().any(|(_, hook)| saves(&hook)).then_some(Overwriting::Hook)
    }

    /// All peers in the order of the file. One key may be there twice.
    pub fn peers(&self) -> Vec<ConfPeer> {
        let markers = labels::Markers::of(self);
        let mut previous = None;
        let mut peers = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            let label = self.label(block, previous.replace(block), &markers);
            peers.push(ConfPeer {
                public_key: block.public_key,
                allowed_ips: self.allowed_ips(block).collect(),
                name: label.name,
                note: label.note,
                line: block.header + 1,
            });
        }
        peers
    }

    /// The line of the first `[Peer]` with this key, counted from 1.
    pub fn line_of(&self, key: &PublicKey) -> Option<usize> {
        self.blocks.iter().find(|b| b.public_key == *key).map(|b| b.header + 1)
    }

    /// The keys that more than one `[Peer]` has, each time with the line of the first.
    pub fn duplicates(&self) -> Vec<Duplicate> {
        let mut first: HashMap<PublicKey, usize> = HashMap::with_capacity(self.blocks.len());
        let lines = self.blocks.iter().map(|b| (b.public_key, b.header + 1));
        lines
            .filter_map(|(public_key, line)| match first.entry(public_key) {
                Entry::Vacant(free) => {
                    free.insert(line);
                    None
                }
                Entry::Occupied(there) => Some(Duplicate { public_key, lines: (*there.get(), line) }),
            })
            .collect()
    }

    /// The allowed IPs of those peers, each key once with what all its blocks say.
    pub fn allowed_of(&self, those: impl Fn(&PublicKey) -> bool) -> Vec<(PublicKey, Vec<IpNet>)> {
        let mut all: Vec<(PublicKey, Vec<IpNet>)> = Vec::new();
        let mut places: HashMap<PublicKey, usize> = HashMap::new();
        for block in self.blocks.iter().filter(|block| those(&block.public_key)) {
            let place = *places.entry(block.public_key).or_insert(all.len());
            if place == all.len() {
                all.push((block.public_key, Vec::new()));
            }
            all[place].1.extend(self.allowed_ips(block));
        }
        all
    }

    /// The IPv4 addresses of the interface.
    pub fn own_addresses(&self) -> Vec<Ipv4Addr> {
        let all = self.addresses().into_iter();
        all.filter_map(|net| if let IpNet::V4(net) = net { Some(net.addr()) } else { None }).collect()
    }

    /// Whether more lines can simply be put behind the last.
    pub fn is_plain(&self) -> bool {
        self.text.ends_with(b"\n") && !self.text.ends_with(b"\r\n") && !self.has_crlf()
    }

    fn has_crlf(&self) -> bool {
        !self.lines.is_empty() && parse::ending(self.line(0)) == "\r\n"
    }

    /// What the conf says of peers besides their allowed IPs; only peers of which it says any.
    pub fn extras(&self) -> Extras {
        let mut all = Extras::new();
        for block in &self.blocks {
            let found = self.extras_of(block);
            if !found.is_empty() {
                all.insert(block.public_key, found);
            }
        }
        all
    }

    fn extras_of(&self, block: &Block) -> PeerExtras {
        let mut found = PeerExtras::default();
        for i in block.body() {
            let Kind::Peer(setting) = self.lines[i].kind else { continue };
            let value = parse::value(self.line(i));
            match setting {
                Setting::PresharedKey => {
                    let text = Zeroizing::new(values::text(value));
                    found.preshared_key = PresharedKey::from_base64(&text).ok();
                }
                Setting::Endpoint => found.endpoint = Some(values::endpoint_text(value)),
                Setting::PersistentKeepalive => found.keepalive = values::keepalive(&values::text(value)),
                _ => {}
            }
        }
        found
    }

    /// The values of one key of `[Interface]`, as they are written.
    fn values(&self, key: Setting) -> impl DoubleEndedIterator<Item = &[u8]> {
        (0..self.lines.len())
            .filter(move |&i| self.lines[i].kind == Kind::Interface(key))
            .map(|i| parse::value(self.line(i)))
    }

    /// The values of one key of `[Interface]`, without white space, as wg(8) reads them.
    fn interface(&self, key: Setting) -> impl Iterator<Item = String> {
        self.values(key).map(values::text)
    }

    /// A line with its ending.
    fn line(&self, index: usize) -> &[u8] {
        &self.text[self.lines[index].start..self.lines[index].end]
    }

    fn allowed_ips(&self, block: &Block) -> impl Iterator<Item = IpNet> {
        block
            .body()
            .filter(|&i| self.lines[i].kind == Kind::Peer(Setting::AllowedIps))
            // Parsing has judged them.
            .flat_map(|i| values::networks(&values::text(parse::value(self.line(i)))).unwrap_or_default())
            // As WireGuard takes them: host bits mean nothing.
            .map(|net| net.trunc())
    }

    /// The name in a `# friendly_name = NAME` line.
    fn friendly_name(&self, index: usize) -> Option<&str> {
        let is_comment = self.lines[index].kind == Kind::Comment;
        let text = parse::comment(self.line(index)).filter(|_| is_comment)?;
        parse::friendly_name(std::str::from_utf8(text).ok()?)
    }

    /// A fresh conf for a hub: no peers, and no routes made by wg-quick(8).
    pub fn new_hub(private_key: &PrivateKey, address: Ipv4Net, listen_port: u16) -> Zeroizing<Vec<u8>> {
        let key = private_key.expose();
        let tail = format!(
            "\nAddress = {address}\nListenPort = {listen_port}\n\
             # The prefix of Address already routes every peer; wg-quick would add one more route\n\
             # for each of them, which takes minutes with thousands of peers.\n\
             Table = off\n"
        );
        // Sized at once: a buffer that grows leaves the key behind where it was.
        let mut text = Zeroizing::new(Vec::with_capacity(HEAD.len() + key.len() + tail.len()));
        text.extend_from_slice(HEAD.as_bytes());
        text.extend_from_slice(key.as_bytes());
        text.extend_from_slice(tail.as_bytes());
        text
    }
}

const HEAD: &str = "\
# The WireGuard interface of this hub, for wg-quick(8).
# iwas-wg keeps the [Peer] blocks of its locations in here and leaves every other line alone.
[Interface]
PrivateKey = ";

impl fmt::Debug for Conf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text: _, lines, header: _, blocks } = self;
        f.debug_struct("Conf")
            .field("lines", &lines.len())
            .field("peers", &blocks.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Rewrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text: _, changed, corrections, added, updated, removed, foreign } = self;
        f.debug_struct("Rewrite")
            .field("changed", changed)
            .field("corrections", corrections)
            .field("added", added)
            .field("updated", updated)
            .field("removed", removed)
            .field("foreign", foreign)
            .finish_non_exhaustive()
    }
}
