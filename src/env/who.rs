//! Who is behind the call: the process's own user, or the person that sudo, doas or pkexec names.
//!
//! Such a name counts only where the real user is root: anybody can set a variable, but only these
//! programs can have made a process of that person root and set it too.

use crate::model::Caller;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use std::{collections::BTreeMap, ffi::CString};

/// The caller of this process.
pub(super) fn caller(vars: &BTreeMap<String, String>) -> Caller {
    let uid = rustix::process::getuid();
    if uid.is_root() {
        return person(vars);
    }
    // The groups that the process has, which newgrp(1) and su(1) may have changed.
    let mut gids = vec![Gid::from_raw(rustix::process::getgid().as_raw())];
    let more = rustix::process::getgroups().unwrap_or_default();
    gids.extend(more.into_iter().map(|g| Gid::from_raw(g.as_raw())));
    with_groups(Uid::from_raw(uid.as_raw()), &gids, None)
}

/// A user by name, with the groups that a new login would have.
pub(super) fn find_user(name: &str) -> Option<Caller> {
    User::from_name(name).ok().flatten().map(|user| of(&user, None))
}

/// The person behind a process that is root. Who says it twice in different words, or names
/// nobody, is nobody: then no grant fits.
fn person(vars: &BTreeMap<String, String>) -> Caller {
    let said: Vec<(&str, &'static str)> =
        [("SUDO_UID", "sudo"), ("DOAS_USER", "doas"), ("PKEXEC_UID", "pkexec")]
            .into_iter()
            .filter_map(|(variable, via)| Some((vars.get(variable)?.as_str(), via)))
            .collect();
    match said[..] {
        [] => Caller::root(),
        [(name, via @ "doas")] => {
            let user = User::from_name(name).ok().flatten();
            user.map_or_else(|| Caller::unknown(name, Some(via)), |user| of(&user, Some(via)))
        }
        [(number, via)] => match number.parse() {
            Ok(uid) => by_uid(Uid::from_raw(uid), via),
            Err(_) => Caller::unknown(number, Some(via)),
        },
        [(name, via), ..] => Caller::unknown(name, Some(via)),
    }
}

fn by_uid(uid: Uid, via: &'static str) -> Caller {
    match User::from_uid(uid) {
        Ok(Some(user)) => of(&user, Some(via)),
        _ => Caller { uid: uid.as_raw(), ..Caller::unknown(&uid.to_string(), Some(via)) },
    }
}

fn of(user: &User, via: Option<&'static str>) -> Caller {
    let mut gids = vec![user.gid];
    let listed = CString::new(user.name.as_str()).ok().and_then(|n| getgrouplist(&n, user.gid).ok());
    gids.extend(listed.unwrap_or_default());
    with_groups(user.uid, &gids, via)
}

fn with_groups(uid: Uid, gids: &[Gid], via: Option<&'static str>) -> Caller {
    let user = User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |u| u.name);
    let mut groups: Vec<String> =
        gids.iter().filter_map(|g| Group::from_gid(*g).ok().flatten()).map(|g| g.name).collect();
    groups.sort();
    groups.dedup();
    Caller { uid: uid.as_raw(), user, groups, gids: gids.iter().map(|g| g.as_raw()).collect(), via }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(vars: &[(&str, &str)]) -> Caller {
        person(&vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn the_person_behind_root_is_the_one_that_sudo_names() {
        assert_eq!(said(&[]), Caller::root());
        let daemon = said(&[("SUDO_UID", "1"), ("SUDO_USER", "root")]);
        assert_eq!((daemon.uid, daemon.user.as_str(), daemon.via), (1, "daemon", Some("sudo")));
        assert!(daemon.groups.contains(&"daemon".to_owned()), "{daemon:?}");
        let daemon = said(&[("DOAS_USER", "daemon")]);
        assert_eq!((daemon.uid, daemon.user.as_str(), daemon.via), (1, "daemon", Some("doas")));
        assert!(said(&[("SUDO_UID", "0")]).is_root(), "root's own sudo");
    }

    #[test]
    fn nobody_becomes_root_by_a_variable_that_makes_no_sense() {
        for vars in [
            &[("SUDO_UID", "")][..],
            &[("SUDO_UID", "-1")],
            &[("SUDO_UID", "root")],
            &[("SUDO_UID", "4294967296")],
            &[("DOAS_USER", "no-such-user-here")],
            &[("SUDO_UID", "0"), ("DOAS_USER", "daemon")],
            &[("SUDO_UID", "0"), ("PKEXEC_UID", "1")],
        ] {
            let caller = said(vars);
            assert!(!caller.is_root() && caller.groups.is_empty(), "{vars:?}: {caller:?}");
        }
        let nameless = said(&[("SUDO_UID", "3999999999")]);
        assert_eq!((nameless.uid, nameless.user.as_str()), (3_999_999_999, "3999999999"));
    }
}
