//! Which locations a caller may use: a value that every listing of the store is asked with.

use super::Org;
use std::collections::BTreeSet;

/// The part of the fleet that a caller reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All locations.
    All,
    /// The locations of these organizations.
    Orgs(BTreeSet<String>),
}

impl Scope {
    /// Whether a location of this owner is within reach.
    pub fn covers(&self, org: Option<&Org>) -> bool {
        match self {
            Self::All => true,
            Self::Orgs(orgs) => org.is_some_and(|o| orgs.contains(o.as_str())),
        }
    }

    /// What both reach: for a command that needs two permissions.
    #[must_use]
    pub fn within(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::All, scope) | (scope, Self::All) => scope.clone(),
            (Self::Orgs(a), Self::Orgs(b)) => Self::Orgs(a & b),
        }
    }

    /// Whether it is the whole fleet, and so the hub itself.
    pub fn is_all(&self) -> bool {
        *self == Self::All
    }

    /// The only organization within reach, if there is exactly one.
    pub fn only_org(&self) -> Option<&str> {
        match self {
            Self::Orgs(orgs) if orgs.len() == 1 => orgs.first().map(String::as_str),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_of_no_org_exists_only_for_those_who_see_all() {
        let acme: Org = "acme".parse().expect("org");
        let other: Org = "other".parse().expect("org");
        let some = Scope::Orgs(BTreeSet::from(["acme".to_owned()]));
        assert!(some.covers(Some(&acme)) && !some.covers(Some(&other)) && !some.covers(None));
        assert!(Scope::All.covers(None) && Scope::All.covers(Some(&other)));
        let both = some.within(&Scope::All).within(&Scope::Orgs(BTreeSet::from(["other".to_owned()])));
        assert!(!both.covers(Some(&acme)) && !both.covers(Some(&other)));
    }
}
