//! A location and its peer.

use super::{Description, Invalid, LocationName, Org, PublicKey, Reading, name::check_text};
use jiff::Timestamp;
use std::{collections::BTreeMap, fmt, net::Ipv4Addr, str::FromStr};

/// Tags of a location, sorted by key.
pub type Tags = BTreeMap<String, String>;

/// Where the private key of a location's router lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyMode {
    /// In the store, sealed with age.
    Stored,
    /// Nowhere on the hub: shown once in the script.
    Once,
    /// On the router only, which made it itself.
    Router,
}

impl KeyMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Stored, Self::Once, Self::Router];

    /// The word used in settings, JSON and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Once => "once",
            Self::Router => "router",
        }
    }
}

impl fmt::Display for KeyMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KeyMode {
    type Err = Invalid;

    fn from_str(s: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|m| m.as_str() == s)
            .ok_or_else(|| Invalid::new("key mode", s, "is not a key mode", "use stored, once or router"))
    }
}

/// The next key of a peer, which has not shaken hands yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The next public key.
    pub public_key: PublicKey,
    /// Where its private key lives.
    pub key_mode: KeyMode,
    /// Whether there is a preshared key with it.
    pub preshared: bool,
    /// When the hub began to know it.
    pub since: Timestamp,
}

/// The next address of a peer, which has not answered there yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The next address.
    pub vpn_ip: Ipv4Addr,
    /// When the hub began to allow it.
    pub since: Timestamp,
}

/// A site with one router, and that router's peer if it has been provisioned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Unique name.
    pub name: LocationName,
    /// Owner, if any.
    pub org: Option<Org>,
    /// Free text, if any.
    pub description: Option<Description>,
    /// Tags, sorted by key.
    pub tags: Tags,
    /// The router's VPN address; `None` until one is chosen.
    pub vpn_ip: Option<Ipv4Addr>,
    /// Where the private key lives, or will live once provisioned.
    pub key_mode: KeyMode,
    /// The peer's public key; `None` while unprovisioned.
    pub public_key: Option<PublicKey>,
    /// Whether the peer is allowed on the interface.
    pub enabled: bool,
    /// What the last heartbeat saw of the peer.
    pub reading: Option<Reading>,
    /// When the location was added.
    pub created_at: Timestamp,
    /// When it was last changed by a command (a heartbeat is no change).
    pub updated_at: Timestamp,
    /// When the peer is disabled by itself; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// When the peer's key was made, or given to the hub; `None` while unprovisioned.
    pub key_created_at: Option<Timestamp>,
    /// Whether the peer has a preshared key that the store keeps sealed.
    pub preshared: bool,
    /// The next key, while the peer is being rotated.
    pub rotation: Option<Rotation>,
    /// The next address, while the peer is being moved.
    pub moving: Option<Move>,
    /// The name that the objects on the router carry, if the location was renamed since.
    pub router_tag: Option<LocationName>,
}

impl Location {
    /// Whether two views of a location agree in all that people and the interface go by; readings,
    /// which each heartbeat writes, do not count.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let but_reading = |l: &Self| Self { reading: None, ..l.clone() };
        but_reading(self) == but_reading(other)
    }

    /// A location of which nothing but its name is said.
    pub fn new(name: LocationName, key_mode: KeyMode, now: Timestamp) -> Self {
        Self {
            name,
            org: None,
            description: None,
            tags: Tags::new(),
            vpn_ip: None,
            key_mode,
            public_key: None,
            enabled: true,
            reading: None,
            created_at: now,
            updated_at: now,
            expires_at: None,
            key_created_at: None,
            preshared: false,
            rotation: None,
            moving: None,
            router_tag: None,
        }
    }

    /// The keys of its peer, the next one included: all that interface and conf may hold of it.
    pub fn peer_keys(&self) -> impl Iterator<Item = PublicKey> {
        self.public_key.into_iter().chain(self.rotation.as_ref().map(|r| r.public_key))
    }

    /// The name that the objects on its router carry.
    pub fn router_tag(&self) -> &LocationName {
        self.router_tag.as_ref().unwrap_or(&self.name)
    }
}

/// Tags as text, each `key=value`, with this between them.
pub fn join_tags(tags: &Tags, between: &str) -> String {
    tags.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(between)
}

/// Reads one `KEY=VALUE`.
///
/// # Errors
/// [`Invalid`] without `=`, with a key outside `A-Z a-z 0-9 . _ -`, or a value with control
/// characters or over 255 characters.
pub fn parse_tag(s: &str) -> Result<(String, String), Invalid> {
    let refuse = |reason: &str| {
        Invalid::new(
            "tag",
            s,
            reason,
            "write KEY=VALUE, such as city=vienna; the key is of A-Z a-z 0-9 . _ -",
        )
    };
    let (key, value) = s.split_once('=').ok_or_else(|| refuse("has no \"=\""))?;
    check_tag_key(key).map_err(refuse)?;
    check_text("tag value", value, 0, 255, false)?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Reads one `KEY=VALUE` of a command line, where several in one word are taken for a mistake.
///
/// # Errors
/// Those of [`parse_tag`], and [`Invalid`] for `a=b,c=d`.
pub fn parse_tag_word(s: &str) -> Result<(String, String), Invalid> {
    let is_tag = |part: &str| part.split_once('=').is_some_and(|(key, _)| check_tag_key(key).is_ok());
    if s.split_once(',').is_some_and(|(first, rest)| is_tag(first) && rest.split(',').any(is_tag)) {
        let words = s.split(',').map(|part| format!("--tag {part}")).collect::<Vec<_>>().join(" ");
        return Err(Invalid::new("tag", s, "is several tags in one", format!("give each its own: {words}")));
    }
    parse_tag(s)
}

/// Checks the key of a tag.
///
/// # Errors
/// A fragment that says what is wrong with it.
pub fn check_tag_key(key: &str) -> Result<(), &'static str> {
    if key.is_empty() {
        return Err("has no key");
    }
    if key.len() > 63 {
        return Err("has a key of more than 63 characters");
    }
    if !key.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
        return Err("has a key with other characters than A-Z a-z 0-9 . _ -");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_key_and_value_at_the_first_equals_sign() {
        assert_eq!(parse_tag("city=vienna"), Ok(("city".into(), "vienna".into())));
        assert_eq!(parse_tag("note=a=b c"), Ok(("note".into(), "a=b c".into())));
        assert_eq!(parse_tag("empty="), Ok(("empty".into(), String::new())));
        for bad in ["", "city", "=vienna", "ci ty=x", "city=\u{1b}", "ü=x"] {
            assert!(parse_tag(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
