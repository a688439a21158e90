//! From text to lines and blocks, by the rules of wg(8) and wg-quick(8): white space means
//! nothing, `#` begins a comment anywhere, section names and keys are read without regard to case.
//!
//! The text is bytes: a comment or a hook may be in any encoding and is kept as it is. It must not
//! know what the blocks are wanted for.

use super::{Conf, ConfError, Fault, values};
use crate::model::PublicKey;
use std::{borrow::Cow, ops::RangeInclusive};
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

/// All keys that wg(8) and wg-quick(8) know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    Address,
    AllowedIps,
    Dns,
    Endpoint,
    FwMark,
    ListenPort,
    Mtu,
    PersistentKeepalive,
    PostDown,
    PostUp,
    PreDown,
    PresharedKey,
    PreUp,
    PrivateKey,
    PublicKey,
    SaveConfig,
    Table,
}

/// Who reads a key, and in which section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// wg-quick(8), in `[Interface]`.
    Quick,
    /// wg(8), in `[Interface]`.
    Interface,
    /// wg(8), in a `[Peer]`.
    Peer,
}

const KEYS: [(&str, Setting, Reader); 17] = [
    // The keys of a [Peer] are by far the most frequent.
    ("PublicKey", Setting::PublicKey, Reader::Peer),
    ("AllowedIPs", Setting::AllowedIps, Reader::Peer),
    ("PresharedKey", Setting::PresharedKey, Reader::Peer),
    ("PersistentKeepalive", Setting::PersistentKeepalive, Reader::Peer),
    ("Endpoint", Setting::Endpoint, Reader::Peer),
    ("PrivateKey", Setting::PrivateKey, Reader::Interface),
    ("ListenPort", Setting::ListenPort, Reader::Interface),
    ("FwMark", Setting::FwMark, Reader::Interface),
    ("Address", Setting::Address, Reader::Quick),
    ("DNS", Setting::Dns, Reader::Quick),
    ("MTU", Setting::Mtu, Reader::Quick),
    ("Table", Setting::Table, Reader::Quick),
    ("PreUp", Setting::PreUp, Reader::Quick),
    ("PostUp", Setting::PostUp, Reader::Quick),
    ("PreDown", Setting::PreDown, Reader::Quick),
    ("PostDown", Setting::PostDown, Reader::Quick),
    ("SaveConfig", Setting::SaveConfig, Reader::Quick),
];

impl Setting {
    /// Its name as the manuals write it.
    pub(super) fn name(self) -> &'static str {
        KEYS.into_iter().find(|(_, s, _)| *s == self).map_or("", |(name, ..)| name)
    }

    /// Commands that wg-quick(8) runs.
    pub(super) fn is_hook(self) -> bool {
        matches!(self, Self::PreUp | Self::PostUp | Self::PreDown | Self::PostDown)
    }
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
    /// Whether wg-quick(8) takes it for one as well.
    Interface(bool),
    Peer,
    Setting(&'a [u8], &'a [u8]),
}

/// Where the reader is.
enum Section {
    None,
    /// Whether it is one for wg-quick(8) as well.
    Interface(bool),
    /// A `[Peer]` at this line whose public key has not been read yet.
    NewPeer(usize),
    /// The last of the blocks.
    Peer,
}

impl Conf {
    /// Reads a conf.
    ///
    /// # Errors
    /// [`ConfError`], with the line, for everything that wg(8) or wg-quick(8) would refuse, and for
    /// what they take but would not do as it is written.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfError> {
        Self::parse_owned(Zeroizing::new(bytes.to_vec()))
    }

    /// As [`Conf::parse`], without a copy of the bytes.
    ///
    /// # Errors
    /// As [`Conf::parse`].
    pub fn parse_owned(text: Zeroizing<Vec<u8>>) -> Result<Self, ConfError> {
        if let Some(fault) = foreign_encoding(&text) {
            return Err(ConfError { line: 1, fault });
        }
        let mut conf = Self::default();
        let mut section = Section::None;
        let mut start = 0;
        for line in text.split_inclusive(|&b| b == b'\n') {
            let here = conf.lines.len();
            let fail = |fault| ConfError { line: here + 1, fault };
            let shape = shape(line).map_err(fail)?;
            if let (Section::NewPeer(at), Shape::Interface(_) | Shape::Peer) = (&section, &shape) {
                return Err(ConfError { line: at + 1, fault: Fault::NoPublicKey });
            }
            let kind = match shape {
                Shape::Blank => Kind::Blank,
                Shape::Comment => Kind::Comment,
                Shape::Interface(_) if conf.header.is_some() => return Err(fail(Fault::SecondInterface)),
                Shape::Interface(quick) => {
                    conf.header = Some(here);
                    section = Section::Interface(quick);
                    Kind::Section
                }
                Shape::Peer => {
                    section = Section::NewPeer(here);
                    Kind::Section
                }
                Shape::Setting(key, value) => {
                    let setting = known(key, &section).map_err(fail)?;
                    conf.setting(setting, value, &mut section, here).map_err(fail)?
                }
            };
            if let (Section::Peer, Kind::Peer(_), Some(block)) = (&section, kind, conf.blocks.last_mut()) {
                block.last = here;
            }
            conf.lines.push(Line { start, end: start + line.len(), kind });
            start += line.len();
        }
        if let Section::NewPeer(at) = section {
            return Err(ConfError { line: at + 1, fault: Fault::NoPublicKey });
        }
        conf.text = text;
        Ok(conf)
    }

    /// Takes a setting of the section at this line.
    fn setting(
        &mut self,
        setting: Setting,
        value: &[u8],
        section: &mut Section,
        here: usize,
    ) -> Result<Kind, Fault> {
        values::judge(setting, value)?;
        if matches!(section, Section::Interface(_)) {
            return Ok(Kind::Interface(setting));
        }
        if setting == Setting::PublicKey {
            let Section::NewPeer(header) = *section else {
                return Err(Fault::SecondPublicKey);
            };
            let public_key = values::public_key(value)?;
            self.blocks.push(Block { header, last: here, key_line: here, public_key });
            *section = Section::Peer;
        }
        Ok(Kind::Peer(setting))
    }
}

/// Editors of other systems save text in ways that wg(8) cannot read.
fn foreign_encoding(text: &[u8]) -> Option<Fault> {
    match text {
        [0xef, 0xbb, 0xbf, ..] => Some(Fault::ByteOrderMark),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(Fault::Utf16("UTF-16")),
        [b'[' | b'#' | b'\r' | b'\n', 0, ..] => Some(Fault::Utf16("UTF-16LE")),
        [0, b'[' | b'#' | b'\r' | b'\n', ..] => Some(Fault::Utf16("UTF-16BE")),
        _ => None,
    }
}

/// What wg(8) takes for white space: that of C, not that of Unicode.
pub(super) fn is_space(c: char) -> bool {
    u8::try_from(c).is_ok_and(is_space_byte)
}

pub(super) fn is_space_byte(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// Without white space at both ends.
pub(super) fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_space_byte(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_space_byte(*last)
    {
        text = rest;
    }
    text
}

/// Without any white space, as wg(8) reads it.
pub(super) fn compact(text: &[u8]) -> Cow<'_, [u8]> {
    if text.iter().any(|&b| is_space_byte(b)) {
        Cow::Owned(text.iter().copied().filter(|&b| !is_space_byte(b)).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The part of a line before its comment.
fn code(line: &[u8]) -> &[u8] {
    line.iter().position(|&b| b == b'#').map_or(line, |i| &line[..i])
}

/// What a line says behind its `#`, in whatever encoding.
pub(super) fn comment(line: &[u8]) -> Option<&[u8]> {
    line.get(code(line).len() + 1..)
}

/// Text of unknown encoding: UTF-8, else the Latin-1 of older editors.
pub(super) fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|&b| char::from(b)).collect()),
    }
}

/// `KEY = VALUE` without white space around either.
fn split(code: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = code.iter().position(|&b| b == b'=')?;
    Some((trim(&code[..at]), trim(&code[at + 1..])))
}

fn shape(line: &[u8]) -> Result<Shape<'_>, Fault> {
    let code = code(line);
    let commented = code.len() < line.len();
    let code = trim(code);
    if code.is_empty() {
        return Ok(if commented { Shape::Comment } else { Shape::Blank });
    }
    if code.contains(&0) {
        return Err(Fault::Nul);
    }
    if code.starts_with(b"[") {
        return if same(code, "[Interface]") {
            // wg-quick takes no white space inside.
            Ok(Shape::Interface(code.eq_ignore_ascii_case(b"[Interface]")))
        } else if same(code, "[Peer]") {
            Ok(Shape::Peer)
        } else {
            Err(Fault::UnknownSection)
        };
    }
    match split(code) {
        None | Some((b"", _)) if std::str::from_utf8(code).is_err() => Err(Fault::NotUtf8),
        None | Some((b"", _)) => Err(Fault::NotKeyValue),
        Some((key, value)) => Ok(Shape::Setting(key, value)),
    }
}

/// The setting of this name, if it is one of this section.
fn known(key: &[u8], section: &Section) -> Result<Setting, Fault> {
    if matches!(section, Section::None) {
        return Err(Fault::OutsideSection);
    }
    let Some((name, setting, reader)) = KEYS.into_iter().find(|(name, ..)| same(key, name)) else {
        return Err(Fault::UnknownKey);
    };
    match (section, reader) {
        (Section::Interface(_), Reader::Peer) => Err(Fault::NotInInterface(name)),
        (Section::NewPeer(_) | Section::Peer, Reader::Quick | Reader::Interface) => {
            Err(Fault::NotInPeer(name))
        }
        (Section::Interface(false), Reader::Quick) => Err(Fault::SpacesInHeader(name)),
        // wg drops white space inside a word, wg-quick does not.
        (_, Reader::Quick) if !key.eq_ignore_ascii_case(name.as_bytes()) => Err(Fault::UnknownKey),
        _ => Ok(setting),
    }
}

/// Equal as wg(8) sees it, which drops white space inside a word as well.
pub(super) fn same(given: &[u8], name: &str) -> bool {
    given.eq_ignore_ascii_case(name.as_bytes())
        || (given.len() > name.len() && compact(given).eq_ignore_ascii_case(name.as_bytes()))
}

/// The value of a `KEY = VALUE` line, without its comment.
pub(super) fn value(line: &[u8]) -> &[u8] {
    split(code(line)).map_or(b"", |(_, value)| value)
}

/// The line with another value: key, indentation, comment and ending stay.
pub(super) fn with_value(line: &[u8], new: &str) -> Zeroizing<Vec<u8>> {
    let code = code(line);
    let head = code.iter().position(|&b| b == b'=').map_or(0, |i| i + 1);
    let old = trim(&code[head..]);
    let mut out = Zeroizing::new(Vec::with_capacity(line.len() + new.len() + 2));
    if old.is_empty() {
        let rest = if code.len() < line.len() { &line[code.len()..] } else { ending(line).as_bytes() };
        let gap: &[u8] = if rest.starts_with(b"#") { b" " } else { b"" };
        for part in [&line[..head], b" ", new.as_bytes(), gap, rest] {
            out.extend_from_slice(part);
        }
        return out;
    }
    let from = head + code[head..].iter().position(|&b| !is_space_byte(b)).unwrap_or(0);
    for part in [&line[..from], new.as_bytes(), &line[from + old.len()..]] {
        out.extend_from_slice(part);
    }
    out
}

/// `\r\n`, `\n`, or nothing for a last line without one.
pub(super) fn ending(line: &[u8]) -> &'static str {
    match line {
        [.., b'\r', b'\n'] => "\r\n",
        [.., b'\n'] => "\n",
        _ => "",
    }
}

/// The name in the text of a `friendly_name = NAME` comment, without its `#`.
pub(super) fn friendly_name(comment: &str) -> Option<&str> {
    let (key, name) = comment.split_once('=')?;
    (key.trim_matches(is_space) == "friendly_name").then(|| name.trim_matches(is_space))
}
