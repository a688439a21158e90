//! `[access]`: roles, grants, and where a copy of the record goes.

use super::{
    SettingsError,
    file::{File, suggest},
};
use crate::model::{Grant, Grantee, Invalid, Org, Permission, Rules, check_distinct, permission::BUILT_IN};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::PathBuf,
    str::FromStr,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

type Roles = BTreeMap<String, BTreeSet<Permission>>;

/// Reads the section; without one, nothing is closed.
pub(super) fn rules(file: &File<'_>) -> Result<Rules, SettingsError> {
    let Some(section) = file.section("access") else {
        return Ok(Rules::default());
    };
    known(file, "access", section, &["roles", "grants", "syslog"])?;
    let roles = roles(file, section)?;
    let grants = match section.get("grants") {
        None => Vec::new(),
        Some(v) => {
            let list = v.get_ref().as_array().ok_or_else(|| {
                file.mistyped(v, "access.grants", "a list of tables", "write [[access.grants]]")
            })?;
            list.iter().map(|v| grant(file, v, &roles)).collect::<Result<_, _>>()?
        }
    };
    let syslog = file.text("access", "syslog")?.filter(|v| !v.text.is_empty());
    let syslog = syslog
        .map(|v| {
            let path = PathBuf::from(&v.text);
            let wrong = || v.refused("is not an absolute path", "write it such as \"/dev/log\"");
            if path.is_absolute() { Ok(path) } else { Err(wrong()) }
        })
        .transpose()?;
    // A list of grants that became empty must not open the door for everybody.
    let closed = section.get("grants").is_some() || section.get("roles").is_some();
    Ok(Rules { closed, grants, syslog })
}

fn roles(file: &File<'_>, section: &DeTable<'_>) -> Result<Roles, SettingsError> {
    let built_in = BUILT_IN.iter().map(|(name, all)| ((*name).to_owned(), all.iter().copied().collect()));
    let mut roles: Roles = built_in.collect();
    let Some(v) = section.get("roles") else {
        return Ok(roles);
    };
    let table = v.get_ref().as_table().ok_or_else(|| {
        file.mistyped(v, "access.roles", "a section", "write [access.roles] and NAME = [\"PERMISSION\"]")
    })?;
    for (name, v) in table {
        let role = name.get_ref().to_string();
        if BUILT_IN.iter().any(|(built_in, _)| *built_in == role) {
            let what = format!("the role {role:?} is built in");
            return Err(refused(file, &name.span(), &what, "give yours another name"));
        }
        check_distinct("role", &role).map_err(|e| refused(file, &name.span(), &e.to_string(), &e.hint))?;
        let key = format!("access.roles.{role}");
        let hint = "write [\"net:location:read\", \"…\"]";
        let list =
            v.get_ref().as_array().ok_or_else(|| file.mistyped(v, &key, "a list of permissions", hint))?;
        let permissions = list.iter().map(|item| {
            let text = item.get_ref().as_str();
            let text = text.ok_or_else(|| file.mistyped(item, &key, "a list of permissions", hint))?;
            Permission::from_str(text).map_err(|_| {
                let what = format!("unknown permission {text:?}");
                refused(file, &item.span(), &what, &suggest(text, &Permission::ALL.map(Permission::as_str)))
            })
        });
        let permissions = permissions.collect::<Result<_, _>>()?;
        roles.insert(role, permissions);
    }
    Ok(roles)
}

fn grant(file: &File<'_>, v: &Spanned<DeValue<'_>>, roles: &Roles) -> Result<Grant, SettingsError> {
    let hint = "write [[access.grants]] with user or group, and role";
    let table =
        v.get_ref().as_table().ok_or_else(|| file.mistyped(v, "access.grants", "a list of tables", hint))?;
    known(file, "access.grants", table, &["user", "group", "role", "org"])?;
    let text = |key: &str| -> Result<Option<(String, Range<usize>)>, SettingsError> {
        let Some(v) = table.get(key) else {
            return Ok(None);
        };
        let name = format!("access.grants.{key}");
        let text = v.get_ref().as_str();
        let text = text.ok_or_else(|| file.mistyped(v, &name, "a string", "write it in quotes"))?;
        if text.is_empty() {
            return Err(refused(file, &v.span(), &format!("{name} is empty"), "name somebody, or remove it"));
        }
        Ok(Some((text.to_owned(), v.span())))
    };
    let to = match (text("user")?, text("group")?) {
        (Some((user, _)), None) => Grantee::User(user),
        (None, Some((group, _))) => Grantee::Group(group),
        (None, None) => return Err(refused(file, &v.span(), "a grant for nobody", "name its user or group")),
        (Some(_), Some((_, span))) => {
            return Err(refused(file, &span, "a grant for a user and a group", "write two grants"));
        }
    };
    let Some((role, span)) = text("role")? else {
        return Err(refused(
            file,
            &v.span(),
            "a grant without a role",
            "give it one, such as role = \"viewer\"",
        ));
    };
    let Some(permissions) = roles.get(&role).cloned() else {
        let names: Vec<&str> = roles.keys().map(String::as_str).collect();
        return Err(refused(file, &span, &format!("unknown role {role:?}"), &suggest(&role, &names)));
    };
    let org = match text("org")? {
        None => None,
        Some((org, span)) => {
            Some(org.parse::<Org>().map_err(|e: Invalid| refused(file, &span, &e.to_string(), &e.hint))?)
        }
    };
    Ok(Grant { to, role, permissions, org })
}

fn known(file: &File<'_>, name: &str, table: &DeTable<'_>, keys: &[&str]) -> Result<(), SettingsError> {
    for key in table.keys() {
        let k = key.get_ref().as_ref();
        if !keys.contains(&k) {
            let what = format!("unknown setting \"{name}.{k}\"");
            return Err(refused(file, &key.span(), &what, &suggest(k, keys)));
        }
    }
    Ok(())
}

fn refused(file: &File<'_>, span: &Range<usize>, what: &str, hint: &str) -> SettingsError {
    let message = format!("{}: {what}", file.origin(span));
    SettingsError { message, hint: Some(hint.to_owned()), usage: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn load(text: &str) -> Result<Rules, SettingsError> {
        let vars = BTreeMap::new();
        rules(&File::parse(Path::new("config.toml"), text.as_bytes(), &vars)?)
    }

    #[test]
    fn grants_are_read_and_what_is_wrong_with_them_is_told_with_line_and_remedy() {
        let s = load(
            "[access.roles]\nnight = [\"net:location:read\", \"net:peer:write\"]\n\
             [[access.grants]]\nuser = \"anna\"\nrole = \"org-admin\"\norg = \"acme\"\n\
             [[access.grants]]\ngroup = \"noc\"\nrole = \"night\"\n",
        )
        .expect("grants");
        assert!(s.closed);
        assert_eq!(s.grants.len(), 2);
        assert_eq!(s.grants[0].org.as_ref().map(crate::model::Org::as_str), Some("acme"));
        assert_eq!(s.grants[1].permissions.len(), 2);
        assert!(!load("[access]\n").expect("empty").closed, "an empty section promises nothing");
        assert!(load("[access]\ngrants = []\n").expect("no grants").closed);
        for (text, message, hint) in [
            ("[access]\ngrant = 1\n", "unknown setting \"access.grant\"", "did you mean \"grants\"?"),
            (
                "[access.roles]\nx = [\"net:location:raed\"]\n",
                "unknown permission \"net:location:raed\"",
                "did you mean \"net:location:read\"?",
            ),
            ("[access.roles]\nviewer = []\n", "the role \"viewer\" is built in", "give yours another name"),
            (
                "[[access.grants]]\nusr = \"anna\"\n",
                "unknown setting \"access.grants.usr\"",
                "did you mean \"user\"?",
            ),
            (
                "access.grants = [{ user = \"a\",\n role = \"admn\" }]\n",
                "unknown role \"admn\"",
                "did you mean \"admin\"?",
            ),
            ("access.grants = [\n{ role = \"viewer\" }]\n", "a grant for nobody", "name its user or group"),
            (
                "access.grants = [\n{ user = \"a\" }]\n",
                "a grant without a role",
                "give it one, such as role = \"viewer\"",
            ),
            (
                "access.grants = [{ user = \"a\",\n group = \"a\", role = \"viewer\" }]\n",
                "a grant for a user and a group",
                "write two grants",
            ),
            (
                "access.grants = [{ user = \"a\", role = \"viewer\",\n org = \" x\" }]\n",
                "org \" x\" begins or ends with a space",
                "give the name without surrounding spaces",
            ),
        ] {
            let e = load(text).expect_err(text);
            assert_eq!(e.message, format!("config.toml line 2: {message}"));
            assert_eq!(e.hint.as_deref(), Some(hint), "{text}");
        }
    }
}
