//! Many locations in one go.

use super::Serialize;

/// `location import` and `peer provision --all`.
#[derive(Debug, Serialize)]
pub struct BatchReport {
    /// Whether anything is different now.
    pub changed: bool,
    /// What was done: `imported` or `provisioned`.
    pub action: &'static str,
    /// Whether this is only what would be done.
    pub dry_run: bool,
    /// Names of the new locations, sorted.
    pub created: Vec<String>,
    /// Names of those that were there and are different now, sorted.
    pub updated: Vec<String>,
    /// Names of those that were as wanted already, or were left out, sorted.
    pub unchanged: Vec<String>,
    /// Paths of the scripts that were written, sorted.
    pub scripts: Vec<String>,
}
