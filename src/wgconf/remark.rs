//! What one comment says, once the ways of tools are taken off it.

use super::{
    parse::{is_space, same},
    values,
};
use ipnet::IpNet;

/// What a comment is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remark {
    /// Nothing that a person wrote: decoration, dates, identifiers, keys.
    Nothing,
    /// `#[Peer]`.
    DisabledPeer,
    /// A setting that was commented out.
    DisabledSetting,
    /// The name, labelled as such, and what else stands with it.
    Named(String, Vec<String>),
    /// The name in a tool's marker.
    Marked(String),
    /// Labelled as something else that people say.
    Said(String),
    /// Just text.
    Plain(String),
}

/// Which end of a block a marker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Begin,
    End,
}

/// A comment that may be the begin or end marker of a peer.
pub(super) struct Marker {
    pub(super) side: Side,
    /// The name in lower case, by which the two belong together.
    pub(super) name: String,
    /// The name as it is written.
    pub(super) written: String,
    /// Whether it is one by its form alone, without its counterpart.
    pub(super) plain: bool,
}

/// Labels of a name.
const NAME: &[&str] = &[
    "name",
    "friendly name",
    "client",
    "client name",
    "peer",
    "peer name",
    "user",
    "username",
    "user name",
    "device",
    "device name",
    "host",
    "hostname",
    "host name",
    "display name",
    "peer display name",
    "label",
    "site",
    "location",
    "alias",
    "title",
];

/// Labels of other things that a person says.
const SAID: &[&str] = &[
    "email",
    "e mail",
    "mail",
    "peer email",
    "telegram",
    "description",
    "peer description",
    "desc",
    "comment",
    "comments",
    "note",
    "notes",
    "remark",
    "owner",
    "contact",
];

/// Labels of what a tool notes for itself.
const NOTED: &[&str] = &[
    "id",
    "uuid",
    "created",
    "created at",
    "created on",
    "updated",
    "updated at",
    "update at",
    "updated on",
    "modified",
    "last modified",
    "enabled",
    "public key",
    "private key",
    "preshared key",
    "allowed ips",
];

/// The settings of a peer, which may be commented out.
const SETTINGS: &[&str] = &[
    "PublicKey",
    "PrivateKey",
    "PresharedKey",
    "AllowedIPs",
    "Endpoint",
    "PersistentKeepalive",
    "Address",
    "DNS",
    "MTU",
    "ListenPort",
];

/// Headings that name nobody.
const HEADINGS: &[&str] = &[
    "peer",
    "peers",
    "client",
    "clients",
    "user",
    "users",
    "server",
    "interface",
    "wireguard",
    "begin",
    "end",
    "start",
];

/// Words in brackets by which tools take out a line.
const OFF: &[&str] = &["disabled", "off", "inactive", "removed", "deleted", "revoked"];

const DECORATION: &[char] = &['#', '-', '=', '*', '~', '+', '|', '_'];

/// The text without `#` and the lines that people draw around headings.
fn undecorated(comment: &str) -> &str {
    let trim = |t: &'_ str| -> usize {
        t.len() - t.trim_start_matches(|c| is_space(c) || DECORATION.contains(&c)).len()
    };
    let left = trim(comment);
    let drawn = comment[..left].chars().filter(|c| DECORATION.contains(c)).count() > 1;
    let text = comment[left..].trim_end_matches(is_space);
    let bare = text.trim_end_matches(|c| DECORATION.contains(&c));
    let text = if drawn || text.len() - bare.len() > 2 { bare } else { text };
    text.trim_end_matches(is_space)
}

/// What a comment says without `#`, and without the word in brackets by which a tool takes out
/// what follows.
fn bare(comment: &str) -> &str {
    let bare = |t: &'_ str| -> usize { t.len() - t.trim_start_matches(|c| c == '#' || is_space(c)).len() };
    let text = &comment[bare(comment)..];
    let tag = text.strip_prefix('[').and_then(|t| t.split_once(']'));
    match tag.filter(|(word, _)| OFF.iter().any(|o| word.eq_ignore_ascii_case(o))) {
        Some((_, rest)) => &rest[bare(rest)..],
        None => text,
    }
}

/// What a comment says, its `#` included or not.
pub(super) fn read(comment: &str) -> Remark {
    let hashes = comment.chars().take_while(|c| *c == '#' || is_space(*c)).filter(|c| *c == '#').count();
    let bare = bare(comment).trim_end_matches(|c| c == '#' || is_space(c));
    if holds_key(bare) {
        return if is_setting(bare) { Remark::DisabledSetting } else { Remark::Nothing };
    }
    if bare.to_ascii_lowercase().contains("[peer]") {
        return Remark::DisabledPeer;
    }
    if is_setting(bare) {
        return Remark::DisabledSetting;
    }
    let text = visible(undecorated(bare));
    let text = text.strip_prefix("WGP-").unwrap_or(&text).trim_matches(is_space);
    if !text.contains(char::is_alphanumeric) || HEADINGS.iter().any(|h| text.eq_ignore_ascii_case(h)) {
        return Remark::Nothing;
    }
    if let Some(remark) = dated(text).or_else(|| labelled(text)) {
        return remark;
    }
    match prefixed(text, hashes) {
        Some(name) => Remark::Marked(name.to_owned()),
        None => Remark::Plain(text.to_owned()),
    }
}

/// `NAME / E-MAIL / Updated: … / Created: …`
fn dated(text: &str) -> Option<Remark> {
    let is_date = |part: &str| part.starts_with("Updated:") || part.starts_with("Created:");
    let parts: Vec<&str> = text.split(" / ").map(|p| p.trim_matches(is_space)).collect();
    if !parts.iter().any(|p| is_date(p)) {
        return None;
    }
    let mut said = parts.into_iter().filter(|p| !is_date(p) && !p.is_empty()).map(str::to_owned);
    Some(said.next().map_or(Remark::Nothing, |name| Remark::Named(name, said.collect())))
}

/// `LABEL: TEXT` or `LABEL = TEXT`.
fn labelled(text: &str) -> Option<Remark> {
    let at = text.find([':', '='])?;
    let words = text[..at].to_lowercase().replace(['_', '-'], " ");
    let (label, said) = (words.trim_matches(is_space), text[at + 1..].trim_matches(is_space));
    if label == "friendly json" {
        return Some(
            json_name(said).map_or(Remark::Nothing, |name| Remark::Named(name.to_owned(), Vec::new())),
        );
    }
    if NAME.contains(&label) {
        let name = without_id(said, label == "client");
        return Some(if name.is_empty() {
            Remark::Nothing
        } else {
            Remark::Named(name.to_owned(), Vec::new())
        });
    }
    if SAID.contains(&label) {
        return Some(if said.is_empty() { Remark::Nothing } else { Remark::Said(said.to_owned()) });
    }
    NOTED.contains(&label).then_some(Remark::Nothing)
}

/// The value of `"name"` in a JSON object on one line.
fn json_name(json: &str) -> Option<&str> {
    let (_, rest) = json.split_once("\"name\"")?;
    let rest = rest.trim_start_matches(is_space).strip_prefix(':')?.trim_start_matches(is_space);
    rest.strip_prefix('"')?.split('"').next().filter(|n| !n.is_empty())
}

/// A name without the identifier that a tool puts behind it in parentheses.
fn without_id(name: &str, numbered: bool) -> &str {
    let Some((before, id)) = name.strip_suffix(')').and_then(|n| n.rsplit_once('(')) else {
        return name;
    };
    let is_uuid = id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let is_number = numbered && !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    if is_uuid || is_number { before.trim_matches(is_space) } else { name }
}

/// `Client NAME` below three `#`, or `peer_NAME`, `client NAME` where the rest is one word.
fn prefixed(text: &str, hashes: usize) -> Option<&str> {
    let at = text.find([' ', '\t', '_'])?;
    let (word, rest) = (&text[..at], text[at + 1..].trim_matches(is_space));
    let is_kind = ["client", "peer", "user", "device"].iter().any(|k| word.eq_ignore_ascii_case(k));
    let underscore = text.as_bytes()[at] == b'_';
    if !is_kind || rest.is_empty() || (underscore && !word.eq_ignore_ascii_case("peer")) {
        return None;
    }
    let numbered = rest.bytes().all(|b| b.is_ascii_digit());
    let one_word = !rest.contains(is_space) && !numbered;
    let of_a_tool = hashes >= 3 && word == "Client";
    (one_word || of_a_tool).then_some(rest)
}

/// Whether a comment may be the begin or end marker of a peer.
pub(super) fn marker(comment: &str) -> Option<Marker> {
    let text = visible(undecorated(self::bare(comment)));
    if holds_key(&text) {
        return None;
    }
    let make = |side, name: &str, plain| {
        let name = name.trim_matches(|c| is_space(c) || matches!(c, ':' | '"' | '\''));
        let named = name.contains(char::is_alphanumeric);
        let (name, written) = (name.to_lowercase(), name.to_owned());
        named.then_some(Marker { side, name, written, plain })
    };
    if let Some(tag) = text.strip_prefix('<').and_then(|t| t.strip_suffix('>')) {
        return match tag.strip_prefix('/') {
            Some(name) => make(Side::End, name, true),
            None => make(Side::Begin, tag, true),
        };
    }
    let head = text.find([' ', '\t', ':']).map_or((text.as_str(), ""), |i| text.split_at(i));
    for (word, side, plain) in [
        ("begin", Side::Begin, true),
        ("end", Side::End, true),
        ("start", Side::Begin, false),
        ("stop", Side::End, false),
    ] {
        let first = head.0.to_ascii_lowercase();
        if let Some(kind) = first.strip_prefix(word)
            && ["", "_peer", "-peer", "_client", "-client", "peer", "client"].contains(&kind)
        {
            let name = head.1.trim_matches(|c| is_space(c) || c == ':');
            let name = ["peer ", "client ", "of "].iter().fold(name, |n, p| n.strip_prefix(p).unwrap_or(n));
            return make(side, name, plain);
        }
    }
    let (name, last) = text.rsplit_once([' ', '\t'])?;
    match last.to_ascii_lowercase().as_str() {
        "start" | "begin" => make(Side::Begin, name, false),
        "end" | "stop" => make(Side::End, name, false),
        _ => None,
    }
}

/// Text for one line: what a terminal would not show as it stands is a space.
fn visible(text: &str) -> String {
    let plain: String =
        text.chars().map(|c| if crate::model::text::steers_a_terminal(c) { ' ' } else { c }).collect();
    plain.trim_matches(is_space).to_owned()
}

fn is_setting(text: &str) -> bool {
    text.split_once('=')
        .is_some_and(|(key, _)| SETTINGS.iter().any(|s| same(key.trim_matches(is_space).as_bytes(), s)))
}

/// The networks of an `AllowedIPs` that was commented out.
pub(super) fn disabled_networks(comment: &str) -> Vec<IpNet> {
    const KEY: &str = "allowedips";
    let lower = comment.to_ascii_lowercase().replace("allowed ips", KEY);
    let Some(at) = lower.find(KEY) else {
        return Vec::new();
    };
    let rest = lower[at + KEY.len()..].trim_start_matches(is_space);
    let Some(list) = rest.strip_prefix(['=', ':']) else {
        return Vec::new();
    };
    let is_part = |c: &char| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '/');
    let members = list.split(',').map(|m| m.trim_start_matches(is_space));
    let members = members.map(|m| m.chars().take_while(is_part).collect::<String>());
    members.filter_map(|m| values::network(&m).ok()).map(|net| net.trunc()).collect()
}

/// Whether 32 bytes are written somewhere in a text, in base64 or in hexadecimal digits.
fn holds_key(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_base64 = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_');
    // The last of 43 letters has four bits, so that it is one of these.
    let ends = |b: &u8| b"AEIMQUYcgkosw048".contains(b);
    let padded = |i: usize| i >= 43 && bytes[i - 43..i].iter().all(is_base64) && ends(&bytes[i - 1]);
    if (0..bytes.len()).any(|i| bytes[i] == b'=' && padded(i)) {
        return true;
    }
    let mut runs = bytes.split(|b| !is_base64(b));
    runs.any(|run| {
        let mixed = [u8::is_ascii_uppercase, u8::is_ascii_lowercase, u8::is_ascii_digit];
        let bare = run.len() == 43 && ends(&run[42]) && mixed.iter().all(|is| run.iter().any(is));
        bare || (run.len() == 64 && run.iter().all(u8::is_ascii_hexdigit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_says_what_a_person_wrote() {
        let named = |n: &str| Remark::Named(n.into(), vec![]);
        let marked = |n: &str| Remark::Marked(n.into());
        let plain = |n: &str| Remark::Plain(n.into());
        let key = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";
        for (text, remark) in [
            ("# Client: alice (0b9b1a1e-5c3e-4d0a-9b43-0c5e8f5d1a11)", named("alice")),
            ("# Client: Bob's phone (12)", named("Bob's phone")),
            ("# Client: Vienna (tower)", named("Vienna (tower)")),
            ("# Client:", Remark::Nothing),
            ("### Client carol", marked("carol")),
            ("### Client Carol Danvers", marked("Carol Danvers")),
            ("# peer_laptop", marked("laptop")),
            ("# Peer 5", plain("Peer 5")),
            ("# Client portal office", plain("Client portal office")),
            ("# Name:         Dave", named("Dave")),
            ("#Name=x", named("x")),
            ("# friendly_name = Free Text", named("Free Text")),
            ("# friendly_json = {\"name\": \"eve\", \"n\": 3}", named("eve")),
            ("# Email:        d@example.com", Remark::Said("d@example.com".into())),
            ("# Email:", Remark::Nothing),
            ("# ID:           cq1", Remark::Nothing),
            ("# Created at:   2023-01-01", Remark::Nothing),
            (
                "# frank / f@example.com / Updated: 2020-02-02 10:00 / Created: 2020-02-01",
                Remark::Named("frank".into(), vec!["f@example.com".into()]),
            ),
            ("# -WGP- Peer display name: Grace", named("Grace")),
            (&format!("# -WGP- Peer: {key} / Updated: x / Created: y"), Remark::Nothing),
            (&format!("# heidi {key}"), Remark::Nothing),
            (&format!("# psk={key}, heidi"), Remark::Nothing),
            (&format!("# heidi {}", &key[..43]), Remark::Nothing),
            (&format!("# heidi {}", "0a".repeat(32)), Remark::Nothing),
            (&format!("#PublicKey = {key}"), Remark::DisabledSetting),
            ("# Endpoint = 192.0.2.1:5", Remark::DisabledSetting),
            ("#[Peer]", Remark::DisabledPeer),
            ("#[disabled] [Peer] # x", Remark::DisabledPeer),
            ("#[disabled] AllowedIPs = 10.0.0.2/32", Remark::DisabledSetting),
            ("# [HQ] Judy", plain("[HQ] Judy")),
            ("## Site 7 (tower)", plain("Site 7 (tower)")),
            ("# --- Ivan ---", plain("Ivan")),
            ("# contract: 4711", plain("contract: 4711")),
            ("# C++", plain("C++")),
            ("# Peers", Remark::Nothing),
            ("#####", Remark::Nothing),
            ("# a\u{202e}b\u{7}", plain("a b")),
        ] {
            assert_eq!(read(text), remark, "{text}");
        }
    }

    #[test]
    fn addresses_are_found_in_whatever_style_a_peer_is_commented_out() {
        for text in
            ["#AllowedIPs = 10.8.0.9/32", "# allowed ips=10.8.0.9", "### - AllowedIPs: 10.8.0.9/32 (old)"]
        {
            assert_eq!(disabled_networks(text), ["10.8.0.9/32".parse().expect("net")], "{text}");
        }
        let two = disabled_networks("#AllowedIPs = 10.8.0.9/32, fd00::9/128, x");
        assert_eq!(two.len(), 2);
        assert!(disabled_networks("# AllowedIPs are given by Bob").is_empty());
    }
}
