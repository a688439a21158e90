//! The shapes of `access`, `audit` and `secrets`.

use super::time;
use crate::model::{
    Caller, Scope,
    deed::{ChainEnd, Decision, Recorded},
};
use serde::Serialize;

/// One right and why somebody has it or not.
#[derive(Debug, Serialize)]
pub struct Right {
    /// `net:location:read` and so on.
    pub permission: &'static str,
    /// Whether it is had at all.
    pub granted: bool,
    /// On the locations of these organizations; `null` for all, and where it is not granted.
    pub orgs: Option<Vec<String>>,
    /// The reason in words.
    pub because: String,
}

impl From<Decision> for Right {
    fn from(d: Decision) -> Self {
        let orgs = match &d.scope {
            Some(Scope::Orgs(orgs)) => Some(orgs.iter().cloned().collect()),
            Some(Scope::All) | None => None,
        };
        Self { permission: d.permission.as_str(), granted: d.scope.is_some(), orgs, because: d.because }
    }
}

/// `access whoami`.
#[derive(Debug, Serialize)]
pub struct Whoami<'a> {
    /// User name.
    pub user: &'a str,
    /// User number.
    pub uid: u32,
    /// Groups, sorted.
    pub groups: &'a [String],
    /// How the call came to be root.
    pub via: Option<&'a str>,
    /// All rights, in their usual order.
    pub permissions: Vec<Right>,
}

impl<'a> Whoami<'a> {
    /// Who somebody is and what they may do.
    pub fn new(caller: &'a Caller, decisions: Vec<Decision>) -> Self {
        Self {
            user: &caller.user,
            uid: caller.uid,
            groups: &caller.groups,
            via: caller.via,
            permissions: decisions.into_iter().map(Right::from).collect(),
        }
    }
}

/// `access check`.
#[derive(Debug, Serialize)]
pub struct Check<'a> {
    /// Who was asked about.
    pub user: &'a str,
    /// On whose locations; `null` where that was not the question.
    pub org: Option<&'a str>,
    /// The answer.
    pub allowed: bool,
    /// The right as a whole.
    #[serde(flatten)]
    pub right: Right,
}

/// One record.
#[derive(Debug, Serialize)]
pub struct DeedReport {
    seq: i64,
    at: String,
    uid: u32,
    user: String,
    via: Option<String>,
    action: String,
    location: Option<String>,
    org: Option<String>,
    outcome: String,
}

impl From<Recorded> for DeedReport {
    fn from(r: Recorded) -> Self {
        Self {
            seq: r.seq,
            at: time(r.at),
            uid: r.uid,
            user: r.user,
            via: r.via,
            action: r.action,
            location: r.location,
            org: r.org,
            outcome: r.ending,
        }
    }
}

/// `audit list`.
#[derive(Debug, Serialize)]
pub struct AuditList {
    /// Oldest first.
    pub records: Vec<DeedReport>,
}

/// Where the chain of records ends.
#[derive(Debug, Serialize)]
pub struct AuditEndReport {
    /// How many there are.
    pub records: i64,
    /// Hash of the last one.
    pub hash: String,
}

impl From<ChainEnd> for AuditEndReport {
    fn from(end: ChainEnd) -> Self {
        Self { records: end.seq, hash: end.hash }
    }
}

/// `audit verify`.
#[derive(Debug, Serialize)]
pub struct AuditVerdict {
    /// Whether the chain holds.
    pub intact: bool,
    /// Where the chain ends.
    pub end: AuditEndReport,
}

/// `secrets reseal` and `secrets verify`.
#[derive(Debug, Serialize)]
pub struct SecretsReport {
    /// Whether anything was written.
    pub changed: bool,
    /// `resealed`, `verified` or `unchanged`.
    pub action: &'static str,
    /// Whether this is only what would be done.
    pub dry_run: bool,
    /// How many secrets are stored.
    pub secrets: usize,
    /// How many recipients the settings name.
    pub recipients: usize,
}
