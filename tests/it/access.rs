//! Who may do what: grants, their reach, what others may not learn, and the rights of a person
//! behind root.

mod audit;
mod leaks;
mod matrix;

use crate::support::{Hub, person};
use iwas_wg::{fsx, model::Caller};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
};

/// A grant for each of the people of the tests, all but the admin for the org "acme".
const GRANTS: &str = r#"
[access.roles]
script-only = ["net:router:script"]

[[access.grants]]
user = "admin"
role = "admin"

[[access.grants]]
group = "org-admins"
role = "org-admin"
org = "acme"

[[access.grants]]
user = "location-manager"
role = "location-manager"
org = "acme"

[[access.grants]]
user = "viewer"
role = "viewer"
org = "acme"
"#;

/// A hub with a location of the org that the people are granted, one of another, and one of none.
fn hub() -> Hub {
    let hub = Hub::up();
    hub.run(&["location", "add", "own", "--org", "acme"]).ok();
    hub.run(&["location", "add", "foreign", "--org", "umbrella", "--tag", "city=vienna"]).ok();
    hub.run(&["location", "add", "orphan"]).ok();
    grant(&hub, GRANTS);
    hub
}

fn grant(hub: &Hub, text: &str) {
    let path = hub.path("etc/iwas-wg/config.toml");
    let settings = fs::read_to_string(&path).expect("settings");
    fs::write(path, settings + text).expect("settings");
}

fn become_(hub: &Hub, name: &str) {
    *hub.caller.borrow_mut() = if name == "root" { Caller::root() } else { person(name).expect("person") };
}

#[expect(clippy::print_stderr, reason = "a test that cannot run says so")]
fn is_root() -> bool {
    let root = fs::metadata("/proc/self").expect("proc").uid() == 0;
    if !root {
        assert!(std::env::var_os("IWAS_WG_REQUIRE_REAL").is_none(), "must run as root");
        eprintln!("skipped: needs root");
    }
    root
}

#[test]
fn without_grants_whoever_may_run_it_may_do_everything() {
    let hub = Hub::up();
    become_(&hub, "nobody");
    hub.run(&["location", "add", "cafe"]).ok();
    hub.run(&["sync"]).ok();
    let who = hub.run(&["--json", "access", "whoami"]).ok().json();
    assert_eq!((who["user"].as_str(), who["via"].as_str()), (Some("nobody"), Some("sudo")));
    assert!(who["permissions"].as_array().expect("list").iter().all(|p| p["granted"] == true), "{who}");
    grant(&hub, "[access]\ngrants = []\n");
    let e = hub.run(&["location", "list"]).code(7);
    let said = "iwas-wg: user \"nobody\" lacks the permission net:location:read";
    assert_eq!(e.error().0, said);
    become_(&hub, "root");
    hub.run(&["location", "list"]).ok();
}

#[test]
fn a_decision_is_explained_to_those_it_is_about_and_to_admins() {
    let hub = hub();
    become_(&hub, "org-admin");
    let who = hub.run(&["access", "whoami"]).ok().stdout;
    assert!(who.starts_with("org-admin (uid 64001, through sudo), in the groups org-admins\n"), "{who}");
    assert!(
        who.contains(
            "net:router:script  acme           role \"org-admin\" of group \"org-admins\" for org \"acme\"\n"
        ),
        "{who}"
    );
    let own = hub.run(&["access", "check", "org-admin", "net:location:write", "--org", "acme"]).ok();
    assert_eq!(
        own.stdout,
        "yes: org-admin has net:location:write on locations of \"acme\": \
         role \"org-admin\" of group \"org-admins\" for org \"acme\"\n"
    );
    hub.run(&["access", "check", "org-admin", "net:location:write", "--org", "umbrella"]).code(7);
    hub.run(&["access", "check", "viewer", "net:location:read"]).code(7);
    become_(&hub, "root");
    let no = hub.run(&["--json", "access", "check", "viewer", "net:router:script"]).code(7);
    let no = no.json();
    assert_eq!((no["allowed"].as_bool(), no["granted"].as_bool()), (Some(false), Some(false)));
    assert_eq!(
        no["because"],
        "no role of this user has it (role \"viewer\" of user \"viewer\" for org \"acme\")"
    );
    let e = hub.run(&["access", "check", "zoe", "net:hub:admin"]).code(3);
    assert_eq!(e.error().0, "iwas-wg: this machine has no user \"zoe\"");
    let e = hub.run(&["access", "check", "viewer", "net:hub"]).code(2);
    assert_eq!(e.error().0, "iwas-wg: permission \"net:hub\" is not a permission");
}

#[test]
fn a_new_location_belongs_to_the_org_of_who_adds_it() {
    let hub = hub();
    become_(&hub, "org-admin");
    let added = hub.run(&["--json", "location", "add", "kiosk"]).ok().json();
    assert_eq!(added["location"]["org"], "acme");
    let e = hub.run(&["location", "add", "tower", "--org", "umbrella"]).code(7);
    let said = "iwas-wg: user \"org-admin\" lacks the permission net:location:write for org \"umbrella\"";
    assert_eq!(e.error().0, said);
    hub.run(&["location", "set", "kiosk", "--org", "umbrella"]).code(7);
    hub.run(&["location", "set", "kiosk", "--no-org"]).code(7);
    hub.run(&["location", "set", "kiosk", "--org", "acme", "--tag", "a=b"]).ok();
    grant(&hub, "[[access.grants]]\nuser = \"org-admin\"\nrole = \"org-admin\"\norg = \"ring\"\n");
    let e = hub.run(&["location", "add", "tower"]).code(2);
    assert_eq!(e.error().0, "iwas-wg: there are several orgs that it could belong to");
    hub.run(&["location", "add", "tower", "--org", "ring"]).ok();
}

#[test]
fn who_may_not_see_keys_makes_them_for_others() {
    let hub = hub();
    become_(&hub, "location-manager");
    let run = hub.run(&["location", "add", "kiosk"]).ok();
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("; its script is for somebody with net:router:script"), "{}", run.stderr);
    let json = hub.run(&["--json", "location", "add", "tower"]).ok().json();
    assert!(json["script"].is_null(), "{json}");
    hub.run(&["location", "add", "later", "--no-provision"]).ok();
    assert_eq!(hub.run(&["peer", "provision", "later"]).ok().stdout, "");
    // A key that is shown once and to nobody would be lost.
    hub.run(&["location", "add", "once", "--key-mode", "once"]).code(7);
    hub.run(&["script", "render", "kiosk"]).code(7);
    hub.run(&["script", "render", "kiosk", "--kind", "check"]).code(7);
    become_(&hub, "org-admin");
    let script = hub.run(&["script", "render", "kiosk"]).ok().stdout;
    assert!(script.contains("private-key"), "{script}");
}

#[test]
fn what_may_be_seen_but_not_used_is_denied_and_what_may_not_be_seen_is_not_there() {
    let hub = hub();
    grant(&hub, "[[access.grants]]\nuser = \"location-manager\"\nrole = \"viewer\"\norg = \"umbrella\"\n");
    become_(&hub, "location-manager");
    hub.run(&["location", "show", "foreign"]).ok();
    let e = hub.run(&["location", "set", "foreign", "--tag", "a=b"]).code(7);
    let said = "iwas-wg: location \"foreign\" belongs to org \"umbrella\", where this is not yours to do";
    assert_eq!(e.error().0, said);
    hub.run(&["location", "set", "orphan", "--tag", "a=b"]).code(3);
}

#[test]
fn where_the_hub_is_is_not_for_a_restricted_person_to_say() {
    let mut hub = hub();
    let other = hub.path("other.toml");
    fs::write(&other, "").expect("settings");
    let other = other.to_str().expect("path").to_owned();
    hub.vars.insert("IWAS_WG_CONFIG".into(), other.clone());
    hub.vars.insert("IWAS_WG_DATABASE".into(), "/nonexistent".into());
    become_(&hub, "viewer");
    hub.run(&["location", "show", "own"]).ok();
    hub.run(&["location", "show", "foreign"]).code(3);
    hub.vars.clear();
    for flag in ["--config", "--database"] {
        let e = hub.run(&[flag, &other, "location", "list"]).code(7);
        assert_eq!(e.error().0, format!("iwas-wg: {flag} is not for user \"viewer\""));
        hub.run(&[flag, &other, "access", "whoami"]).code(7);
    }
    become_(&hub, "admin");
    hub.run(&["--config", &other, "location", "list"]).ok();
    // Who can write the rules would grant themselves everything.
    if is_root() {
        let config = hub.path("etc/iwas-wg/config.toml");
        fs::set_permissions(&config, fs::Permissions::from_mode(0o664)).expect("chmod");
        become_(&hub, "viewer");
        let e = hub.run(&["location", "list"]).code(6);
        let said = format!(
            "iwas-wg: {} decides who may do what, and others than root can change it",
            config.display()
        );
        assert_eq!(e.error().0, said);
    }
}

#[test]
fn files_that_a_restricted_person_names_are_used_with_their_own_rights() {
    if !is_root() {
        return;
    }
    let hub = hub();
    // The person can get to the directory, and not at what root has there.
    for dir in [hub.root().to_owned(), hub.path("theirs")] {
        fs::create_dir_all(&dir).expect("dir");
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o711)).expect("chmod");
    }
    let theirs = hub.path("theirs");
    let uid = person("org-admin").expect("person").uid;
    std::os::unix::fs::chown(&theirs, Some(uid), Some(uid)).expect("chown");
    let secret = hub.path("secret.rsc");
    fsx::create(&secret, b":put root-secret\n", 0o600).expect("create");
    let link = theirs.join("link.rsc");
    std::os::unix::fs::symlink(&secret, &link).expect("link");
    become_(&hub, "org-admin");
    for path in [&secret, &link] {
        let run = hub.run(&["script", "render", "own", "--template", path.to_str().expect("path")]).code(7);
        assert!(!run.stderr.contains("root-secret"), "{run:?}");
        assert_eq!(run.error().1, "hint: it is read and written with your own rights");
    }
    let dir = |path: &std::path::Path| path.to_str().expect("path").to_owned();
    hub.run(&["script", "render", "own", "--scripts-dir", &dir(&hub.path("etc/iwas-wg"))]).code(7);
    hub.run(&["script", "render", "own", "--scripts-dir", &dir(&hub.path("new"))]).code(7);
    assert!(!hub.path("new").exists());
    // A link in the person's own directory leads to root's file: the link is replaced, and the file
    // stays as it is.
    std::os::unix::fs::symlink(&secret, theirs.join("own.rsc")).expect("link");
    hub.run(&["script", "render", "own", "--scripts-dir", &dir(&theirs)]).ok();
    assert_eq!(fs::read(&secret).expect("read"), b":put root-secret\n");
    let script = theirs.join("own.rsc").symlink_metadata().expect("script");
    assert!(script.is_file());
    assert_eq!((script.uid(), script.permissions().mode() & 0o777), (uid, 0o600));
    // Whatever was lent is given back.
    become_(&hub, "root");
    hub.run(&["script", "render", "own", "--template", secret.to_str().expect("path")]).ok();
}

#[test]
fn what_the_person_may_not_read_root_does_not_read_for_them() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("dir");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("chmod");
    let secret = dir.path().join("secret");
    fsx::create(&secret, b"secret", 0o600).expect("create");
    let daemon = Caller { uid: 1, user: "daemon".into(), gids: vec![1], ..Caller::root() };
    for caller in [&daemon, &Caller::unknown("?", None)] {
        let read = fsx::with_rights_of(caller, &secret, || fsx::read(&secret)).expect("rights");
        assert!(read.is_err(), "root read it for {}", caller.user);
        assert!(fsx::read(&secret).expect("read").is_some(), "root has lost its own rights");
    }
    let own = dir.path().join("own");
    fsx::with_rights_of(&daemon, &own, || fsx::create(&own, b"x", 0o600)).expect("rights").expect("create");
    assert_eq!((own.metadata().expect("own").uid(), own.metadata().expect("own").gid()), (1, 1));
}
