//! What people call the peers of a conf: names and notes out of comments.
//!
//! Each tool marks its peers in a way of its own, and people write what they like: above `[Peer]`,
//! beside it, below it, behind a setting. What is a tool's (markers, labels, dates, identifiers) is
//! no name; what a person wrote is kept whole as the note. A comment that holds a key is neither.

use super::{
    Conf,
    parse::{self, Block, Kind, is_space},
    remark::{self, Marker, Remark, Side},
};
use std::collections::HashSet;

/// What people call a peer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Label {
    /// The name alone.
    pub(super) name: Option<String>,
    /// All that was written of it.
    pub(super) note: Option<String>,
}

/// The markers of a conf, by which one can be told from a sentence that begins with such a word.
pub(super) struct Markers {
    opened: HashSet<String>,
    closed: HashSet<String>,
}

impl Markers {
    pub(super) fn of(conf: &Conf) -> Self {
        let mut markers = Self { opened: HashSet::new(), closed: HashSet::new() };
        for i in (0..conf.lines.len()).filter(|&i| conf.lines[i].kind == Kind::Comment) {
            let text = parse::decoded(conf.line(i));
            if let Some(marker) = remark::marker(&text) {
                let side = if marker.side == Side::Begin { &mut markers.opened } else { &mut markers.closed };
                side.insert(marker.name);
            }
        }
        markers
    }

    /// Whether that is a marker of a tool; `beside` where it touches the block that it would end.
    fn is_marker(&self, marker: &Marker, beside: bool) -> bool {
        match marker.side {
            Side::Begin => marker.plain || self.closed.contains(&marker.name),
            Side::End => self.opened.contains(&marker.name) || (beside && marker.plain),
        }
    }
}

impl Conf {
    /// What people call the peer of this block; `previous` is the block before it.
    pub(super) fn label(&self, block: &Block, previous: Option<&Block>, markers: &Markers) -> Label {
        let mut found = Found::default();
        // Ours, and that of the exporters for Prometheus: nothing above it is more certain.
        found.names[0] = block.body().find_map(|i| self.friendly_name(i)).map(str::to_owned);
        found.names[0].take_if(|name| matches!(remark::read(name), Remark::Nothing));
        let first = self.first_above(block.header);
        let beside = previous.is_some_and(|p| p.last + 1 == first);
        let mut above = Vec::new();
        for i in first..block.header {
            let text = parse::decoded(self.line(i));
            match remark::marker(&text).filter(|m| markers.is_marker(m, beside)) {
                // What is above the end of another peer is that peer's.
                Some(Marker { side: Side::End, .. }) => above.clear(),
                Some(Marker { written, .. }) => above.push(Remark::Marked(written)),
                None => above.push(remark::read(&text)),
            }
        }
        if let Some(header) = above.iter().position(|r| *r == Remark::DisabledPeer) {
            // So is what is above a peer that is commented out, and its settings.
            let end = above.iter().rposition(|r| *r == Remark::DisabledSetting).unwrap_or(header);
            above.drain(..=end.max(header));
        }
        let comment = |i: usize| parse::comment(self.line(i)).map(parse::decoded);
        found.take(comment(block.header).map(|t| remark::read(&t)), false);
        found.take(above, true);
        for i in block.body() {
            found.take(comment(i).map(|t| remark::read(&t)), false);
        }
        if found.is_empty() {
            // A comment that touches this block and no other.
            let below =
                (block.last + 1..self.lines.len()).take_while(|&i| self.lines[i].kind == Kind::Comment);
            let below: Vec<usize> = below.collect();
            let next = self.lines.get(block.last + 1 + below.len());
            if next.is_none_or(|l| l.kind == Kind::Blank) {
                found.take(below.into_iter().filter_map(comment).map(|t| remark::read(&t)), false);
            }
        }
        found.label()
    }

    /// The first of the comments that touch a line from above.
    fn first_above(&self, line: usize) -> usize {
        (0..line).rev().take_while(|&i| self.lines[i].kind == Kind::Comment).last().unwrap_or(line)
    }

    /// The peers that are commented out, in whatever style: whoever took them out may put them back.
    pub fn commented_out(&self) -> Vec<super::CommentedOut> {
        let mut blocks = self.blocks.iter().peekable();
        let mut inside = false;
        let mut all = Vec::new();
        for i in 0..self.lines.len() {
            while blocks.next_if(|b| b.last < i).is_some() {}
            let live = blocks.peek().is_some_and(|b| b.body().contains(&i));
            if self.lines[i].kind != Kind::Comment {
                inside = false;
                continue;
            }
            let text = parse::decoded(self.line(i));
            inside |= text.contains('[') && remark::read(&text) == Remark::DisabledPeer;
            // Between the settings of a live peer it is an older value of that peer.
            let networks = if live && !inside { Vec::new() } else { remark::disabled_networks(&text) };
            if !networks.is_empty() {
                all.push(super::CommentedOut { line: i + 1, networks });
            }
        }
        all
    }
}

/// What was found so far, in the order of the file.
#[derive(Default)]
struct Found {
    /// Best first: labelled, marked, beside or above, anywhere else.
    names: [Option<String>; 4],
    notes: Vec<String>,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    /// Of plain comments above a peer the nearest names it, of all others the first.
    fn take(&mut self, remarks: impl IntoIterator<Item = Remark>, nearest: bool) {
        let mut plain: Option<String> = None;
        for remark in remarks {
            let (rank, names, texts) = match remark {
                Remark::Named(name, more) => (0, Some(name.clone()), [vec![name], more].concat()),
                Remark::Marked(name) => (1, Some(name.clone()), vec![name]),
                Remark::Plain(text) => {
                    if nearest || plain.is_none() {
                        plain = Some(text.clone());
                    }
                    (2, None, vec![text])
                }
                Remark::Said(text) => (2, None, vec![text]),
                Remark::Nothing | Remark::DisabledPeer | Remark::DisabledSetting => continue,
            };
            if let Some(name) = names {
                self.names[rank].get_or_insert(name);
            }
            for text in texts {
                let text = text.trim_matches(is_space).to_owned();
                if !text.is_empty() && !self.notes.contains(&text) {
                    self.notes.push(text);
                }
            }
        }
        if let Some(plain) = plain {
            self.names[2].get_or_insert(plain);
        }
    }

    fn label(self) -> Label {
        let note = self.notes.join("; ");
        Label { name: self.names.into_iter().flatten().next(), note: Some(note).filter(|n| !n.is_empty()) }
    }
}
