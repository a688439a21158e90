//! From a conf and the peers that are wanted to the conf as it shall be.
//!
//! A block is ours when its public key is wanted or retired; nothing else decides it, least of all
//! a name. Linear in the size of the file. It must not know where the wanted peers come from.

use super::{Conf, ConfPeerWanted, Rewrite, Secrets, parse};
use crate::model::{Preshared, PublicKey};
use parse::{Block, Kind, Setting};
use std::collections::{HashMap, HashSet};
use zeroize::Zeroizing;

/// What becomes of a block.
enum Verdict<'a> {
    Keep,
    Correct(&'a ConfPeerWanted, Faults),
    Remove,
}

/// What is wrong with the block of a wanted peer.
struct Faults {
    name: bool,
    allowed_ips: bool,
    preshared: bool,
    keepalive: bool,
    endpoint: bool,
}

impl Faults {
    fn is_any(&self) -> bool {
        self.name || self.allowed_ips || self.preshared || self.keepalive || self.endpoint
    }
}

impl Conf {
    /// The conf with exactly the wanted peers, none of the retired, and everything else as it is.
    ///
    /// - A wanted peer that is right stays as it is, byte for byte, in whatever style it is
    ///   written. In a wrong one only the `# friendly_name` line and the allowed IPs change; the
    ///   key, indentation and comment of that line stay, further `AllowedIPs` lines go.
    /// - A wanted peer that is absent is appended, after a blank line.
    /// - A second block of a wanted key goes, because its allowed IPs would replace the first's.
    /// - A retired peer goes (unless it is wanted) with its settings, its name and the blank line
    ///   before it. People's comments stay, also those inside the block, and are kept from
    ///   becoming the heading of the next peer.
    /// - All other peers are foreign: they stay and are reported.
    ///
    /// Rewriting the result with the same arguments changes nothing.
    pub fn rewrite(&self, wanted: &[ConfPeerWanted], retired: &HashSet<PublicKey>) -> Rewrite {
        self.rewrite_with(wanted, retired, &Secrets::new())
    }

    /// As [`Conf::rewrite`]; a wanted peer that is among the secrets also gets its preshared key.
    pub fn rewrite_with(
        &self,
        wanted: &[ConfPeerWanted],
        retired: &HashSet<PublicKey>,
        secrets: &Secrets,
    ) -> Rewrite {
        let by_key: HashMap<PublicKey, usize> =
            wanted.iter().enumerate().rev().map(|(i, wanted)| (wanted.peer.public_key, i)).collect();
        let mut present = vec![false; wanted.len()];
        let (mut seen_foreign, mut foreign) = (HashSet::new(), Vec::new());
        let mut verdicts = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            verdicts.push(match by_key.get(&block.public_key) {
                Some(&i) if present[i] => Verdict::Remove,
                Some(&i) => {
                    present[i] = true;
                    match self.faults(block, &wanted[i], secrets) {
                        faults if faults.is_any() => Verdict::Correct(&wanted[i], faults),
                        _ => Verdict::Keep,
                    }
                }
                None if retired.contains(&block.public_key) => Verdict::Remove,
                None => {
                    if seen_foreign.insert(block.public_key) {
                        foreign.push(block.public_key);
                    }
                    Verdict::Keep
                }
            });
        }
        let absent: Vec<&ConfPeerWanted> = wanted
            .iter()
            .enumerate()
            .filter(|(i, peer)| !present[*i] && by_key.get(&peer.peer.public_key) == Some(i))
            .map(|(_, peer)| peer)
            .collect();
        let updated = verdicts.iter().filter(|v| matches!(v, Verdict::Correct(..))).count();
        let removed = verdicts.iter().filter(|v| matches!(v, Verdict::Remove)).count();
        Rewrite {
            text: self.write(&verdicts, &absent, secrets),
            changed: updated + removed + absent.len() > 0,
            corrections: Vec::new(),
            added: absent.len(),
            updated,
            removed,
            foreign,
        }
    }

    fn faults(&self, block: &Block, wanted: &ConfPeerWanted, secrets: &Secrets) -> Faults {
        let mut names = block.body().filter_map(|i| self.friendly_name(i));
        let (settings, there) = (&wanted.peer.settings, self.extras_of(block));
        // As WireGuard takes them: each once.
        let mut allowed: Vec<ipnet::IpNet> = self.allowed_ips(block).collect();
        allowed.sort_unstable();
        allowed.dedup();
        Faults {
            name: !(names.next() == Some(wanted.name.as_str()) && names.next().is_none()),
            allowed_ips: !wanted.peer.has_exactly(&allowed),
            preshared: match settings.preshared {
                Preshared::Unknown => {
                    secrets.contains_key(&block.public_key) && there.preshared_key.is_none()
                }
                known => !known.is(there.preshared_key.and_then(|key| key.digest())),
            },
            keepalive: settings.keepalive.is_some_and(|seconds| seconds != there.keepalive.unwrap_or(0)),
            endpoint: settings.endpoint.is_some() && settings.endpoint != there.endpoint,
        }
    }

    fn write(
        &self,
        verdicts: &[Verdict<'_>],
        absent: &[&ConfPeerWanted],
        secrets: &Secrets,
    ) -> Zeroizing<Vec<u8>> {
        let corrected = verdicts.iter().filter_map(|v| match v {
            Verdict::Correct(wanted, _) => Some(*wanted),
            _ => None,
        });
        let mut out = Writer::new(self, absent.iter().copied().chain(corrected), secrets);
        let mut next = 0;
        for (block, verdict) in self.blocks.iter().zip(verdicts) {
            match verdict {
                Verdict::Keep => continue,
                Verdict::Correct(wanted, faults) => {
                    out.copy(next..=block.header);
                    out.corrected(block, wanted, faults);
                }
                Verdict::Remove => {
                    let blank = block
                        .header
                        .checked_sub(1)
                        .filter(|&i| i >= next && self.lines[i].kind == Kind::Blank);
                    out.copy_until(next, blank.unwrap_or(block.header));
                    for i in block.body() {
                        if self.lines[i].kind == Kind::Comment && self.friendly_name(i).is_none() {
                            out.copy(i..=i);
                        }
                    }
                }
            }
            next = block.last + 1;
        }
        out.copy_until(next, self.lines.len());
        for peer in absent {
            out.append(peer);
        }
        out.text
    }
}

/// What is to be put behind a plain conf that has none of these peers: the same as rewriting it
/// would append.
pub fn appended(absent: &[ConfPeerWanted], secrets: &Secrets) -> Zeroizing<Vec<u8>> {
    let empty = Conf::default();
    let mut out = Writer::new(&empty, absent.iter(), secrets);
    for peer in absent {
        out.insert("");
        out.block(peer);
    }
    out.text
}

/// What stands in the place of a wrong value; empty for nothing at all, `None` for a line that is right.
/// A preshared key is written below the public one instead.
fn replaced(kind: Kind, wanted: &ConfPeerWanted, faults: &Faults) -> Option<String> {
    let settings = &wanted.peer.settings;
    match kind {
        Kind::Peer(Setting::PresharedKey) if faults.preshared => Some(String::new()),
        Kind::Peer(Setting::Endpoint) if faults.endpoint => {
            Some(settings.endpoint.clone().unwrap_or_default())
        }
        Kind::Peer(Setting::PersistentKeepalive) if faults.keepalive => {
            let on = settings.keepalive.filter(|seconds| *seconds > 0);
            Some(on.map(|seconds| seconds.to_string()).unwrap_or_default())
        }
        _ => None,
    }
}

/// The value of a peer's `AllowedIPs` line.
fn allowed_ips(wanted: &ConfPeerWanted) -> String {
    wanted.peer.allowed_ips().map(|net| net.to_string()).collect::<Vec<_>>().join(", ")
}

/// The most that one corrected or appended peer can add, in bytes.
const PEER_MAX: usize = 256;

/// The most that one allowed IP can take, in bytes.
const NET_MAX: usize = 48;

fn endpoint_len(p: &ConfPeerWanted) -> usize {
    p.peer.settings.endpoint.as_ref().map_or(0, String::len)
}

/// The text being written, and which line of the old one was copied last.
struct Writer<'a> {
    conf: &'a Conf,
    text: Zeroizing<Vec<u8>>,
    newline: &'static str,
    copied: Option<usize>,
    secrets: &'a Secrets,
}

impl<'a> Writer<'a> {
    fn new<'b>(
        conf: &'a Conf,
        peers: impl Iterator<Item = &'b ConfPeerWanted>,
        secrets: &'a Secrets,
    ) -> Self {
        let crlf = conf.has_crlf();
        // Sized at once: a buffer that grows leaves the private key behind where it was.
        let added: usize = peers.map(|p| PEER_MAX + p.peer.wider.len() * NET_MAX + endpoint_len(p)).sum();
        let size = conf.text.len() + added + conf.blocks.len() * 2;
        Self {
            conf,
            text: Zeroizing::new(Vec::with_capacity(size)),
            newline: if crlf { "\r\n" } else { "\n" },
            copied: None,
            secrets,
        }
    }

    fn copy_until(&mut self, from: usize, until: usize) {
        if from < until {
            self.copy(from..=until - 1);
        }
    }

    /// Copies lines as they are.
    fn copy(&mut self, lines: std::ops::RangeInclusive<usize>) {
        let (first, last) = (*lines.start(), *lines.end());
        // Where lines went between a comment and a section, the comment must not become its heading.
        let orphan = self.copied.filter(|&i| i + 1 != first && self.conf.lines[i].kind == Kind::Comment);
        if orphan.is_some() && self.conf.lines[first].kind == Kind::Section {
            self.write(self.newline);
        }
        let conf = self.conf;
        self.copy_bytes(&conf.text[conf.lines[first].start..conf.lines[last].end]);
        self.copied = Some(last);
    }

    /// Writes the lines below a `[Peer]` whose name or allowed IPs are not as wanted.
    fn corrected(&mut self, block: &Block, wanted: &ConfPeerWanted, faults: &Faults) {
        let conf = self.conf;
        let name = format!("# friendly_name = {}", wanted.name);
        let allowed = allowed_ips(wanted);
        let mut named = block.body().any(|i| conf.friendly_name(i).is_some());
        let has_allowed = block.body().any(|i| conf.lines[i].kind == Kind::Peer(Setting::AllowedIps));
        if !named {
            self.insert(&name);
        }
        let (mut limited, mut written) = (false, Vec::new());
        for i in block.body() {
            let line = conf.line(i);
            if faults.name && conf.friendly_name(i).is_some() {
                if named {
                    self.write(&name);
                    self.write(parse::ending(line));
                    named = false;
                }
            } else if faults.allowed_ips && conf.lines[i].kind == Kind::Peer(Setting::AllowedIps) {
                if !limited && !allowed.is_empty() {
                    self.copy_bytes(&parse::with_value(line, &allowed));
                    limited = true;
                }
            } else if let (Kind::Peer(setting), Some(value)) =
                (conf.lines[i].kind, replaced(conf.lines[i].kind, wanted, faults))
            {
                if !value.is_empty() && !written.contains(&setting) {
                    self.copy_bytes(&parse::with_value(line, &value));
                    written.push(setting);
                }
            } else {
                self.copy_bytes(line);
            }
            if i == block.key_line {
                if faults.preshared {
                    self.preshared(&block.public_key);
                }
                for (setting, key) in
                    [(Setting::Endpoint, "Endpoint"), (Setting::PersistentKeepalive, "PersistentKeepalive")]
                {
                    let value = replaced(Kind::Peer(setting), wanted, faults).filter(|v| !v.is_empty());
                    if let Some(value) =
                        value.filter(|_| !block.body().any(|i| conf.lines[i].kind == Kind::Peer(setting)))
                    {
                        self.insert(&format!("{key} = {value}"));
                    }
                }
            }
            if faults.allowed_ips && !has_allowed && !allowed.is_empty() && i == block.key_line {
                self.insert(&format!("AllowedIPs = {allowed}"));
            }
        }
        self.copied = Some(block.last);
    }

    fn append(&mut self, peer: &ConfPeerWanted) {
        if !self.text.is_empty() {
            self.insert("");
        }
        self.block(peer);
    }

    fn block(&mut self, peer: &ConfPeerWanted) {
        self.insert("[Peer]");
        self.insert(&format!("# friendly_name = {}", peer.name));
        self.insert(&format!("PublicKey = {}", peer.peer.public_key));
        self.preshared(&peer.peer.public_key);
        let settings = &peer.peer.settings;
        if let Some(endpoint) = &settings.endpoint {
            self.insert(&format!("Endpoint = {endpoint}"));
        }
        if let Some(seconds) = settings.keepalive.filter(|seconds| *seconds > 0) {
            self.insert(&format!("PersistentKeepalive = {seconds}"));
        }
        // None for a next key: it may shake hands and no more.
        let allowed = allowed_ips(peer);
        if !allowed.is_empty() {
            self.insert(&format!("AllowedIPs = {allowed}"));
        }
    }

    /// Writes the preshared key of a peer, if it is to get one.
    fn preshared(&mut self, key: &PublicKey) {
        let secrets = self.secrets;
        if let Some(secret) = secrets.get(key) {
            self.insert("PresharedKey = ");
            // Without a copy of the whole line, which would not be wiped.
            let end = self.text.len() - self.newline.len();
            self.text.truncate(end);
            self.write(secret);
            self.write(self.newline);
        }
    }

    /// Writes a line of our own, below a complete one.
    fn insert(&mut self, line: &str) {
        if self.text.last().is_some_and(|&b| b != b'\n') {
            self.write(self.newline);
        }
        self.write(line);
        self.write(self.newline);
    }

    fn write(&mut self, text: &str) {
        self.copy_bytes(text.as_bytes());
    }

    fn copy_bytes(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
    }
}
