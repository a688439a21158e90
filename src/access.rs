//! Who may do what: permissions, and the part of the fleet a permission reaches.
//!
//! This room decides and nothing else: it reads no file and prints nothing. A command names the
//! permission it needs when it begins and gets back the [`Scope`] it may work in.
//!
//! Root itself may do everything. So may everybody else while the settings have no grants: then
//! sudoers and the files' own permissions decide who gets this far. With grants only these count.

pub use crate::model::Permission;

use crate::model::{Caller, Grant, Grantee, Org, Rules, Scope, deed::Decision};
use std::collections::BTreeSet;

/// A permission that the caller does not have.
#[derive(Debug, thiserror::Error)]
#[error("user {user:?} lacks the permission {}{}", .permission.as_str(), on(.org.as_deref()))]
pub struct Denied {
    /// Who asked.
    pub user: String,
    /// What was asked for.
    pub permission: Permission,
    /// On which organization's locations, where it was about one.
    pub org: Option<String>,
}

fn on(org: Option<&str>) -> String {
    org.map(|o| format!(" for org {o:?}")).unwrap_or_default()
}

/// What of the fleet the caller may use this permission on.
///
/// # Errors
/// [`Denied`] if it is none.
pub fn scope(rules: &Rules, caller: &Caller, permission: Permission) -> Result<Scope, Denied> {
    decide(rules, caller, permission).scope.ok_or_else(|| Denied {
        user: caller.user.clone(),
        permission,
        org: None,
    })
}

/// Whether the caller has a permission on locations of this owner.
///
/// # Errors
/// [`Denied`] naming the owner.
pub fn require(
    rules: &Rules,
    caller: &Caller,
    permission: Permission,
    org: Option<&Org>,
) -> Result<(), Denied> {
    let reach = scope(rules, caller, permission)?;
    if reach.covers(org) {
        return Ok(());
    }
    let org = org.map(|o| o.as_str().to_owned());
    Err(Denied { user: caller.user.clone(), permission, org })
}

/// Decides about one permission and says why.
pub fn decide(rules: &Rules, caller: &Caller, permission: Permission) -> Decision {
    let decision = |scope, because: String| Decision { permission, scope, because };
    if caller.is_root() {
        return decision(Some(Scope::All), "root may do everything".to_owned());
    }
    if !rules.closed {
        let because = "the settings have no grants: whoever may run this may do everything";
        return decision(Some(Scope::All), because.to_owned());
    }
    let fitting: Vec<&Grant> = rules.grants.iter().filter(|g| fits(g, caller)).collect();
    let giving: Vec<&Grant> =
        fitting.iter().copied().filter(|g| g.permissions.contains(&permission)).collect();
    if let Some(grant) = giving.iter().find(|g| g.org.is_none()) {
        return decision(Some(Scope::All), said(grant));
    }
    let orgs: BTreeSet<String> =
        giving.iter().filter_map(|g| g.org.as_ref()).map(|o| o.as_str().to_owned()).collect();
    let sources = |grants: &[&Grant]| grants.iter().map(|g| said(g)).collect::<Vec<_>>().join(", ");
    match permission {
        _ if fitting.is_empty() => decision(None, "no grant is for this user or its groups".to_owned()),
        _ if giving.is_empty() => {
            decision(None, format!("no role of this user has it ({})", sources(&fitting)))
        }
        // The hub is everybody's: nobody owns a part of it.
        Permission::HubAdmin => decision(
            None,
            format!("it is about the whole hub, and is granted for an org only ({})", sources(&giving)),
        ),
        _ => decision(Some(Scope::Orgs(orgs)), sources(&giving)),
    }
}

fn fits(grant: &Grant, caller: &Caller) -> bool {
    match &grant.to {
        Grantee::User(name) => *name == caller.user,
        Grantee::Group(name) => caller.groups.iter().any(|g| g == name),
    }
}

fn said(grant: &Grant) -> String {
    let to = match &grant.to {
        Grantee::User(name) => format!("user {name:?}"),
        Grantee::Group(name) => format!("group {name:?}"),
    };
    format!("role {:?} of {to}{}", grant.role, on(grant.org.as_ref().map(Org::as_str)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::permission::BUILT_IN;

    fn grant(to: Grantee, role: &str, org: Option<&str>) -> Grant {
        let (_, permissions) = BUILT_IN.iter().find(|(name, _)| *name == role).expect("role");
        let org = org.map(|o| o.parse().expect("org"));
        Grant { to, role: role.to_owned(), permissions: permissions.iter().copied().collect(), org }
    }

    fn rules(grants: Vec<Grant>) -> Rules {
        Rules { closed: true, grants, syslog: None }
    }

    fn person(user: &str, groups: &[&str]) -> Caller {
        let groups = groups.iter().map(|g| (*g).to_owned()).collect();
        Caller { uid: 4711, user: user.to_owned(), groups, gids: vec![4711], via: Some("sudo") }
    }

    #[test]
    fn grants_of_user_and_groups_add_up_and_one_for_all_wins() {
        let rules = rules(vec![
            grant(Grantee::User("anna".into()), "org-admin", Some("acme")),
            grant(Grantee::Group("night".into()), "viewer", None),
            grant(Grantee::Group("ring".into()), "org-admin", Some("ring")),
        ]);
        let anna = person("anna", &["night", "ring"]);
        assert_eq!(scope(&rules, &anna, Permission::LocationRead).expect("read"), Scope::All);
        let both = BTreeSet::from(["acme".to_owned(), "ring".to_owned()]);
        assert_eq!(scope(&rules, &anna, Permission::RouterScript).expect("script"), Scope::Orgs(both));
        assert!(scope(&rules, &anna, Permission::HubAdmin).is_err());
        assert!(scope(&rules, &person("bob", &["users"]), Permission::LocationRead).is_err());
    }

    #[test]
    fn a_group_of_a_users_name_is_not_that_user() {
        let rules = rules(vec![grant(Grantee::User("anna".into()), "admin", None)]);
        assert!(scope(&rules, &person("bob", &["anna"]), Permission::LocationRead).is_err());
        let rules = self::rules(vec![grant(Grantee::Group("anna".into()), "admin", None)]);
        assert!(scope(&rules, &person("anna", &["users"]), Permission::LocationRead).is_err());
    }

    #[test]
    fn the_hub_is_nobodys_part() {
        let rules = rules(vec![grant(Grantee::User("anna".into()), "admin", Some("acme"))]);
        let denied = decide(&rules, &person("anna", &[]), Permission::HubAdmin);
        assert_eq!(denied.scope, None);
        assert!(denied.because.contains("whole hub"), "{}", denied.because);
    }

    #[test]
    fn without_grants_everybody_may_and_an_empty_list_of_grants_shuts_the_door() {
        let anna = person("anna", &[]);
        assert!(scope(&Rules::default(), &anna, Permission::HubAdmin).is_ok());
        for permission in Permission::ALL {
            assert!(scope(&rules(Vec::new()), &anna, permission).is_err());
            assert!(scope(&rules(Vec::new()), &Caller::root(), permission).is_ok());
        }
    }
}
