//! From text to lines and blocks, by the rules of wg(8): white space means nothing, `#` begins a
//! comment anywhere, section names and keys are read without regard to case.
//!
//! It must not know what the blocks are wanted for.

use super::{Conf, ConfError, Fault};
use crate::model::{PrivateKey, PublicKey};
use ipnet::IpNet;
use std::{net::IpAddr, ops::RangeInclusive};
use zeroize::Zeroizing;

/// One line: where it is in the text, ending included, and what it is.
pub(super) struct Line {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: Kind,
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Blank,
    Comment,
    /// `[Interface]` or `[Peer]`.
    Section,
    /// A setting of `[Interface]`.
    Interface(Setting),
    /// A setting of a `[Peer]`.
    Peer(Setting),
}

/// The keys that mean something here; all others are `Other` and kept as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    Address,
    AllowedIps,
    Endpoint,
    ListenPort,
    PersistentKeepalive,
    PresharedKey,
    PrivateKey,
    PublicKey,
    SaveConfig,
    Table,
    Other,
}

/// One `[Peer]` with the lines up to its last setting.
pub(super) struct Block {
    /// Line of `[Peer]`.
    pub(super) header: usize,
    /// Line of the last setting.
    pub(super) last: usize,
    /// Line of the public key.
    pub(super) key_line: usize,
    pub(super) public_key: PublicKey,
}

impl Block {
    /// The lines below `[Peer]` up to the last setting. What follows that, comments and blank
    /// lines, belongs to the next block.
    pub(super) fn body(&self) -> RangeInclusive<usize> {
        self.header + 1..=self.last
    }
}

/// A line before the section it stands in is known.
enum Shape<'a> {
    Blank,
    Comment,
    Interface,
    Peer,
    Setting(Setting, &'a str),
}

/// Where the reader is.
enum Section {
    None,
    Interface,
    /// A `[Peer]` at this line whose public key has not been read yet.
    NewPeer(usize),
    /// The last of the blocks.
    Peer,
}

impl Conf {
    /// Reads a conf. Settings it does not know are no errors; they are kept.
    ///
    /// # Errors
    /// [`ConfError`], with the line, for everything that wg(8) would stumble over in its structure,
    /// and for keys that are none.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfError> {
        Self::parse_owned(Zeroizing::new(bytes.to_vec()))
    }

    /// As [`Conf::parse`], without a copy of the bytes.
    ///
    /// # Errors
    /// As [`Conf::parse`].
    pub fn parse_owned(mut bytes: Zeroizing<Vec<u8>>) -> Result<Self, ConfError> {
        let text = match String::from_utf8(std::mem::take(&mut *bytes)) {
            Ok(text) => Zeroizing::new(text),
            Err(e) => {
                let bytes = Zeroizing::new(e.into_bytes());
                let e = std::str::from_utf8(&bytes).err();
                let valid = e.map_or(0, |e| e.valid_up_to());
                let line = 1 + bytes[..valid].split(|&b| b == b'\n').skip(1).count();
                return Err(ConfError { line, fault: Fault::NotUtf8 });
            }
        };
        let mut lines: Vec<Line> = Vec::new();
        let mut blocks: Vec<Block> = Vec::new();
        let mut section = Section::None;
        let mut interface_seen = false;
        let mut start = 0;
        while start < text.len() {
            let end = text[start..].find('\n').map_or(text.len(), |i| start + i + 1);
            let here = lines.len();
            let fail = |fault| Err(ConfError { line: here + 1, fault });
            let shape = match shape(&text[start..end]) {
                Ok(shape) => shape,
                Err(fault) => return fail(fault),
            };
            if let (Section::NewPeer(at), Shape::Interface | Shape::Peer) = (&section, &shape) {
                return Err(ConfError { line: at + 1, fault: Fault::NoPublicKey });
            }
            let kind = match shape {
                Shape::Blank => Kind::Blank,
                Shape::Comment => Kind::Comment,
                Shape::Interface if interface_seen => return fail(Fault::SecondInterface),
                Shape::Interface => {
                    interface_seen = true;
                    section = Section::Interface;
                    Kind::Section
                }
                Shape::Peer => {
                    section = Section::NewPeer(here);
                    Kind::Section
                }
                Shape::Setting(key, value) => match (&section, key) {
                    (Section::None, _) => return fail(Fault::OutsideSection),
                    (Section::Interface, _) => {
                        if key == Setting::PrivateKey
                            && let Err(why) = PrivateKey::from_base64(value)
                        {
                            return fail(Fault::PrivateKey(why));
                        }
                        Kind::Interface(key)
                    }
                    (Section::NewPeer(header), Setting::PublicKey) => {
                        let public_key = match value.parse::<PublicKey>() {
                            Ok(key) => key,
                            Err(e) => return fail(Fault::PublicKey(e.reason)),
                        };
                        blocks.push(Block { header: *header, last: here, key_line: here, public_key });
                        section = Section::Peer;
                        Kind::Peer(key)
                    }
                    (Section::Peer, Setting::PublicKey) => return fail(Fault::SecondPublicKey),
                    (Section::NewPeer(_) | Section::Peer, _) => Kind::Peer(key),
                },
            };
            if let (Section::Peer, Kind::Peer(_), Some(block)) = (&section, kind, blocks.last_mut()) {
                block.last = here;
            }
            lines.push(Line { start, end, kind });
            start = end;
        }
        if let Section::NewPeer(at) = section {
            return Err(ConfError { line: at + 1, fault: Fault::NoPublicKey });
        }
        Ok(Self { text, lines, blocks })
    }
}

/// What wg(8) takes for white space: that of C, not that of Unicode.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

/// The part of a line before its comment.
fn code(line: &str) -> &str {
    line.find('#').map_or(line, |i| &line[..i])
}

fn shape(line: &str) -> Result<Shape<'_>, Fault> {
    let code = code(line);
    let commented = code.len() < line.len();
    let code = code.trim_matches(is_space);
    if code.is_empty() {
        return Ok(if commented { Shape::Comment } else { Shape::Blank });
    }
    if code.starts_with('[') {
        return if same(code, "[Interface]") {
            Ok(Shape::Interface)
        } else if same(code, "[Peer]") {
            Ok(Shape::Peer)
        } else {
            Err(Fault::UnknownSection)
        };
    }
    match code.split_once('=') {
        None | Some(("", _)) => Err(Fault::NotKeyValue),
        Some((key, value)) => Ok(Shape::Setting(known(key), value.trim_matches(is_space))),
    }
}

fn known(key: &str) -> Setting {
    const KEYS: [(&str, Setting); 10] = [
        ("PublicKey", Setting::PublicKey),
        ("AllowedIPs", Setting::AllowedIps),
        ("PrivateKey", Setting::PrivateKey),
        ("ListenPort", Setting::ListenPort),
        ("Address", Setting::Address),
        ("SaveConfig", Setting::SaveConfig),
        ("Table", Setting::Table),
        ("PresharedKey", Setting::PresharedKey),
        ("Endpoint", Setting::Endpoint),
        ("PersistentKeepalive", Setting::PersistentKeepalive),
    ];
    let key = key.trim_matches(is_space);
    KEYS.into_iter().find(|(name, _)| same(key, name)).map_or(Setting::Other, |(_, key)| key)
}

/// Equal as wg(8) sees it, which drops white space inside a word as well.
fn same(given: &str, name: &str) -> bool {
    given.eq_ignore_ascii_case(name)
        || (given.len() > name.len()
            && given.contains(is_space)
            && given.replace(is_space, "").eq_ignore_ascii_case(name))
}

/// The value of a `KEY = VALUE` line, without its comment.
pub(super) fn value(line: &str) -> &str {
    code(line).split_once('=').map_or("", |(_, value)| value.trim_matches(is_space))
}

/// The line with another value: key, indentation, comment and ending stay.
pub(super) fn with_value(line: &str, new: &str) -> String {
    let code = code(line);
    let head = code.split_once('=').map_or(0, |(key, _)| key.len() + 1);
    let old = code[head..].trim_matches(is_space);
    if old.is_empty() {
        let rest = if code.len() < line.len() { &line[code.len()..] } else { ending(line) };
        let gap = if rest.starts_with('#') { " " } else { "" };
        return format!("{} {new}{gap}{rest}", &line[..head]);
    }
    let from = head + code[head..].find(old).unwrap_or(0);
    format!("{}{new}{}", &line[..from], &line[from + old.len()..])
}

/// `\r\n`, `\n`, or nothing for a last line without one.
pub(super) fn ending(line: &str) -> &str {
    match line.strip_suffix('\n') {
        Some(rest) if rest.ends_with('\r') => "\r\n",
        Some(_) => "\n",
        None => "",
    }
}

/// The networks of a comma-separated list; `None` for one that cannot be read.
pub(super) fn networks(list: &str) -> impl Iterator<Item = Option<IpNet>> {
    list.split(',')
        .map(|item| item.trim_matches(is_space))
        .filter(|item| !item.is_empty())
        .map(|item| item.parse().ok().or_else(|| item.parse::<IpAddr>().ok().map(IpNet::from)))
}

/// The name in the text of a `friendly_name = NAME` comment, without its `#`.
pub(super) fn friendly_name(comment: &str) -> Option<&str> {
    let (key, name) = comment.split_once('=')?;
    (key.trim_matches(is_space) == "friendly_name").then(|| name.trim_matches(is_space))
}
