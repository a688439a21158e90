//! The shapes of `--json`: one object, `schema_version` first, every key always there.

mod access;
mod batch;
mod failure;
mod inventory;
mod scalar;

pub use access::{AuditEndReport, AuditList, AuditVerdict, Check, DeedReport, Right, SecretsReport, Whoami};
pub use batch::BatchReport;
pub use failure::{ErrorReport, WarningReport};
pub use inventory::{Inventory, Variables};

use crate::model::{Counts, Description, Location, Org, State};
use ipnet::IpNet;
use jiff::Timestamp;
use scalar::{Key, Time};
use serde::{Serialize, Serializer};
use std::{collections::BTreeMap, net::Ipv4Addr};

/// Version of all shapes in this file; adding keys does not change it.
pub const SCHEMA_VERSION: u32 = 1;

/// A result of one command under its envelope.
#[derive(Debug, Serialize)]
pub struct Envelope<T> {
    schema_version: u32,
    #[serde(flatten)]
    body: T,
}

impl<T> Envelope<T> {
    /// Puts `schema_version` before the body's keys.
    pub fn new(body: T) -> Self {
        Self { schema_version: SCHEMA_VERSION, body }
    }
}

/// A location at one moment. Its keys and values are made when it is written, so that a list of
/// many takes no room.
#[derive(Debug, Clone, Copy)]
pub struct LocationReport<'a> {
    location: &'a Location,
    now: Timestamp,
}

impl<'a> LocationReport<'a> {
    /// The report of a location at this moment.
    pub fn new(location: &'a Location, now: Timestamp) -> Self {
        Self { location, now }
    }
}

impl Serialize for LocationReport<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        LocationFields::new(self.location, self.now).serialize(to)
    }
}

#[derive(Serialize)]
struct LocationFields<'a> {
    name: &'a str,
    org: Option<&'a str>,
    description: Option<&'a str>,
    tags: &'a BTreeMap<String, String>,
    vpn_ip: Option<Ipv4Addr>,
    vpn_public_key: Option<Key>,
    key_mode: &'static str,
    enabled: bool,
    is_online: bool,
    state: &'static str,
    last_handshake: Option<Time>,
    endpoint: Option<&'a str>,
    rx_bytes: Option<u64>,
    tx_bytes: Option<u64>,
    created_at: Time,
    updated_at: Time,
    expires_at: Option<Time>,
    key_created_at: Option<Time>,
    key_age_seconds: Option<i64>,
    preshared: bool,
    rotating_since: Option<Time>,
    moving_since: Option<Time>,
    moving_to: Option<Ipv4Addr>,
}

impl<'a> LocationFields<'a> {
    fn new(l: &'a Location, now: Timestamp) -> Self {
        let state = state_of(l);
        let reading = l.reading.as_ref();
        Self {
            name: l.name.as_str(),
            org: l.org.as_ref().map(Org::as_str),
            description: l.description.as_ref().map(Description::as_str),
            tags: &l.tags,
            vpn_ip: l.vpn_ip,
            vpn_public_key: l.public_key.map(Key),
            key_mode: l.key_mode.as_str(),
            enabled: l.enabled,
            is_online: state == State::Online,
            state: state.as_str(),
            last_handshake: reading.and_then(|r| r.last_handshake).map(Time),
            endpoint: reading.and_then(|r| r.endpoint.as_deref()),
            rx_bytes: reading.map(|r| r.rx_bytes),
            tx_bytes: reading.map(|r| r.tx_bytes),
            created_at: Time(l.created_at),
            updated_at: Time(l.updated_at),
            expires_at: l.expires_at.map(Time),
            key_created_at: l.key_created_at.map(Time),
            key_age_seconds: l.key_created_at.map(|t| (now.as_second() - t.as_second()).max(0)),
            preshared: l.preshared,
            rotating_since: l.rotation.as_ref().map(|r| Time(r.since)),
            moving_since: l.moving.as_ref().map(|m| Time(m.since)),
            moving_to: l.moving.as_ref().map(|m| m.vpn_ip),
        }
    }
}

/// The state of a location as far as its reading tells.
pub fn state_of(l: &Location) -> State {
    State::of(l.public_key.is_some(), l.enabled, l.reading.as_ref())
}

/// RFC 3339 in UTC, whole seconds.
pub fn time(t: Timestamp) -> String {
    Timestamp::from_second(t.as_second()).unwrap_or(t).to_string()
}

/// `location list`.
#[derive(Debug, Serialize)]
pub struct LocationList<'a> {
    /// Sorted by name.
    pub locations: Vec<LocationReport<'a>>,
}

/// `location show`.
#[derive(Debug, Serialize)]
pub struct LocationShow<'a> {
    /// The location.
    pub location: LocationReport<'a>,
}

/// A peer: what of a location concerns its router's `WireGuard` identity.
#[derive(Debug, Serialize)]
pub struct PeerReport<'a> {
    name: &'a str,
    org: Option<&'a str>,
    vpn_ip: Option<Ipv4Addr>,
    vpn_public_key: Option<Key>,
    allowed_ips: Vec<String>,
    key_mode: &'static str,
    enabled: bool,
    is_online: bool,
    state: &'static str,
    last_handshake: Option<Time>,
    endpoint: Option<&'a str>,
    rx_bytes: Option<u64>,
    tx_bytes: Option<u64>,
    key_created_at: Option<Time>,
    key_age_seconds: Option<i64>,
    preshared: bool,
    rotating_since: Option<Time>,
}

impl<'a> PeerReport<'a> {
    /// The report of a location's peer and of what it may speak for now.
    pub fn new(l: &'a Location, allowed: &[IpNet], now: Timestamp) -> Self {
        let all = LocationFields::new(l, now);
        Self {
            name: all.name,
            org: all.org,
            vpn_ip: all.vpn_ip,
            vpn_public_key: all.vpn_public_key,
            allowed_ips: allowed.iter().map(ToString::to_string).collect(),
            key_mode: all.key_mode,
            enabled: all.enabled,
            is_online: all.is_online,
            state: all.state,
            last_handshake: all.last_handshake,
            endpoint: all.endpoint,
            rx_bytes: all.rx_bytes,
            tx_bytes: all.tx_bytes,
            key_created_at: all.key_created_at,
            key_age_seconds: all.key_age_seconds,
            preshared: all.preshared,
            rotating_since: all.rotating_since,
        }
    }
}

/// `peer list`.
#[derive(Debug, Serialize)]
pub struct PeerList<'a> {
    /// Sorted by name.
    pub peers: Vec<PeerReport<'a>>,
}

/// `peer show`.
#[derive(Debug, Serialize)]
pub struct PeerShow<'a> {
    /// The peer.
    pub peer: PeerReport<'a>,
}

/// What a changing command did, or with `--dry-run` would do.
#[derive(Debug, Serialize)]
pub struct ChangeReport<'a> {
    /// Whether anything is different now.
    pub changed: bool,
    /// What was done: `created`, `updated`, `removed`, `provisioned`, `unchanged`, and so on.
    pub action: &'static str,
    /// The location afterwards, or as it was if it was removed.
    pub location: Option<LocationReport<'a>>,
    /// The router's script, where one was rendered.
    pub script: Option<&'a str>,
    /// Whether this is only what would be done.
    pub dry_run: bool,
}

/// `peer rotate --all`.
#[derive(Debug, Serialize)]
pub struct RotationReport {
    /// Whether anything is different now.
    pub changed: bool,
    /// `rotating`.
    pub action: &'static str,
    /// Whether this is only what would be done.
    pub dry_run: bool,
    /// Locations that have a next key now.
    pub rotating: Vec<String>,
    /// Locations whose routers make their next key themselves once they have run their script.
    pub asked: Vec<String>,
    /// Locations that were left alone: disabled, or being rotated or moved already.
    pub skipped: Vec<String>,
    /// Paths of the scripts.
    pub written: Vec<String>,
}

/// The interface in `status`.
#[derive(Debug, Serialize)]
pub struct HubReport {
    /// Its name.
    pub interface: String,
    /// The hub's public key.
    pub public_key: String,
    /// UDP port.
    pub listen_port: u16,
    /// Whether the interface is there and up.
    pub up: bool,
}

/// Locations by state.
#[derive(Debug, Serialize)]
pub struct CountsReport {
    online: u64,
    offline: u64,
    never: u64,
    disabled: u64,
    unprovisioned: u64,
    unknown: u64,
}

impl From<Counts> for CountsReport {
    fn from(c: Counts) -> Self {
        Self {
            online: c.online,
            offline: c.offline,
            never: c.never,
            disabled: c.disabled,
            unprovisioned: c.unprovisioned,
            unknown: c.unknown,
        }
    }
}

/// `status`.
#[derive(Debug, Serialize)]
pub struct StatusReport<'a> {
    /// The interface.
    pub hub: HubReport,
    /// `live` or `heartbeat`.
    pub source: &'static str,
    /// When the last heartbeat was.
    pub heartbeat_at: Option<String>,
    /// The shown locations by state.
    pub counts: CountsReport,
    /// All locations that the caller may see by state; `null` where names were given.
    pub fleet_counts: Option<CountsReport>,
    /// Sorted by name.
    pub locations: Vec<LocationReport<'a>>,
}

/// `config`.
#[derive(Debug, Serialize)]
pub struct ConfigReport<'a> {
    /// Whether the file was changed.
    pub changed: bool,
    /// The key, where it is about one.
    pub key: Option<&'a str>,
    /// The value or path.
    pub value: Option<&'a str>,
}

/// One change that a heartbeat saw.
#[derive(Debug, Serialize)]
pub struct Transition {
    /// The location.
    pub name: String,
    /// State before.
    pub from: &'static str,
    /// State now.
    pub to: &'static str,
    /// When it happened: the handshake itself, or the moment the limit passed.
    pub at: String,
}

/// `heartbeat`.
#[derive(Debug, Serialize)]
pub struct HeartbeatReport {
    /// Peers looked at.
    pub checked: u64,
    /// Of these, online.
    pub online: u64,
    /// Of these, offline.
    pub offline: u64,
    /// Of these, never seen.
    pub never: u64,
    /// Of these, not yet told apart after the interface was made again.
    pub unknown: u64,
    /// What is different from the last heartbeat.
    pub changes: Vec<Transition>,
    /// In how many places interface and conf differ from the store.
    pub drift: u64,
}

/// `script render --format json`. The keys are what the command is for.
#[derive(Serialize)]
#[expect(missing_debug_implementations, reason = "it holds keys")]
pub struct ScriptReport<'a> {
    /// The location.
    pub name: &'a str,
    /// The router's VPN address.
    pub vpn_ip: Ipv4Addr,
    /// Prefix length of the VPN network.
    pub prefix_length: u8,
    /// `null` where the hub does not have it.
    pub private_key: Option<&'a str>,
    /// Only there where the peer has one: the other keys are a promise that programs may hold us to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preshared_key: Option<&'a str>,
    /// The hub's public key.
    pub server_public_key: String,
    /// Host name or address of the hub.
    pub endpoint_address: &'a str,
    /// UDP port of the hub.
    pub endpoint_port: u16,
    /// What the router accepts from the hub.
    pub allowed_address: Vec<String>,
    /// 0 is off.
    pub persistent_keepalive_seconds: u16,
}

impl ScriptReport<'_> {
    /// Whether it holds a private or preshared key.
    pub fn holds_secret(&self) -> bool {
        self.private_key.is_some() || self.preshared_key.is_some()
    }
}

/// `script render --all --format json`.
#[derive(Serialize)]
pub struct AllScriptsReport<'a> {
    /// Those of every location that has one.
    pub scripts: Vec<ScriptReport<'a>>,
}

/// `script render --scripts-dir`.
#[derive(Debug, Serialize)]
pub struct ScriptsReport {
    /// Paths of the scripts.
    pub written: Vec<String>,
    /// Locations whose key the hub does not have.
    pub skipped: Vec<String>,
}

/// `init`, `up`, `down` and `sync`.
#[derive(Debug, Serialize)]
pub struct HubChange {
    /// Whether anything is different now.
    pub changed: bool,
    /// What was done.
    pub action: &'static str,
    /// Whether this is only what would be done.
    pub dry_run: bool,
    /// The interface.
    pub interface: String,
    /// The hub's public key.
    pub public_key: String,
    /// Each step in words.
    pub steps: Vec<String>,
    /// Peers on the interface or in the conf that the store does not know.
    pub foreign_peers: Vec<String>,
    /// What two have, or the settings say otherwise, in words.
    pub conflicts: Vec<String>,
}

/// `init --adopt`.
#[derive(Debug, Serialize)]
pub struct AdoptReport {
    /// Whether anything was made.
    pub changed: bool,
    /// `adopted`.
    pub action: &'static str,
    /// Whether this is only what would be done.
    pub dry_run: bool,
    /// The interface.
    pub interface: String,
    /// The hub's public key.
    pub public_key: String,
    /// Names of the new locations, sorted.
    pub adopted: Vec<String>,
    /// Those among them that may speak for more than their own address.
    pub wider: Vec<String>,
    /// Keys of the peers that were left alone.
    pub left: Vec<String>,
}

/// One check of `doctor`.
#[derive(Debug, Serialize)]
pub struct CheckReport {
    /// What was looked at.
    pub check: &'static str,
    /// `ok`, `warning` or `fault`.
    pub verdict: &'static str,
    /// What was found.
    pub message: String,
    /// What mends it.
    pub remedy: Option<String>,
}

/// `doctor`.
#[derive(Debug, Serialize)]
pub struct DoctorReport {
    /// Whether there is no fault.
    pub healthy: bool,
    /// In the order they were made.
    pub checks: Vec<CheckReport>,
}

/// `backup` and `restore`.
#[derive(Debug, Serialize)]
pub struct BackupReport {
    /// Whether anything was written.
    pub changed: bool,
    /// What was done: `backed-up`.
    pub action: &'static str,
    /// The backup.
    pub file: String,
    /// Where the replaced store is kept.
    pub replaced: Option<String>,
}
