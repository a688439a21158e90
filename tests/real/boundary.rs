//! Real users behind real sudo with the sudoers file that is shipped: what they are granted, and
//! every way out of it tried for real.
//!
//! All of it happens in namespaces of its own: /etc, /home, /run and /var/lib are copies that go
//! with them, and so do the users, whatever becomes of the test.

mod stage;

use stage::{SECRET, stage};

#[test]
fn real_people_get_what_they_are_granted() {
    let Some(stage) = stage() else {
        return;
    };
    for (user, words, code) in [
        ("olga", "location list", 0),
        ("olga", "location show foreign", 0),
        ("olga", "sync", 0),
        ("olga", "audit verify", 0),
        ("olga", "secrets verify", 0),
        ("anna", "location show own", 0),
        ("anna", "location show foreign", 3),
        ("anna", "location add kiosk", 0),
        ("anna", "location add tower --org umbrella", 7),
        ("anna", "script render own", 0),
        ("anna", "script render foreign", 3),
        ("anna", "peer reset own", 0),
        ("anna", "location remove kiosk --yes", 0),
        ("anna", "location remove foreign --yes", 3),
        ("anna", "sync", 7),
        ("anna", "audit list", 0),
        ("anna", "audit verify", 7),
        ("bob", "status", 0),
        ("bob", "location show own", 0),
        ("bob", "location show foreign", 3),
        ("bob", "location set own --tag a=b", 7),
        ("bob", "script render own", 7),
        ("bob", "peer reset own", 7),
        ("zoe", "access whoami", 0),
        ("zoe", "location list", 7),
        // sudo's own refusal: not in the group.
        ("mallory", "location list", 1),
    ] {
        let run = stage.sudo(user, words);
        assert_eq!(run.code, Some(code), "{user}: {words}: {run:#?}");
        if user != "olga" {
            assert!(
                !run.text().contains("umbrella") || words.contains("umbrella"),
                "{user}: {words}: {run:#?}"
            );
        }
    }
    let who = stage.sudo("anna", "--json access whoami").json();
    assert_eq!((who["user"].as_str(), who["via"].as_str()), (Some("anna"), Some("sudo")));
    assert!(who["groups"].as_array().expect("groups").iter().any(|g| g == "acme-admins"), "{who}");
    let root = stage.root("--json access whoami").json();
    assert_eq!((root["user"].as_str(), root["via"].as_str()), (Some("root"), None));
    // Inside a shell that sudo gave, a process is root and still that person's.
    let inside = stage.shell(
        "root",
        "SUDO_UID=$(id -u bob) SUDO_USER=bob iwas-wg location list >/dev/null; iwas-wg access whoami",
    );
    assert!(inside.stdout.starts_with("root (uid 0)"), "{inside:#?}");
    let inside = stage.shell("root", "SUDO_UID=$(id -u bob) SUDO_USER=root iwas-wg access whoami");
    assert!(inside.stdout.starts_with("bob (uid ") && inside.stdout.contains("through sudo"), "{inside:#?}");
    stage.root("audit verify").code(0);
    let denied = stage.root("--json audit list --user mallory").json();
    assert_eq!(denied["records"].as_array().expect("records").len(), 0, "sudo let mallory through");
    let denied = stage.root("--json audit list --user bob").json();
    let refused = denied["records"].as_array().expect("records").iter().filter(|r| r["outcome"] == "denied");
    assert_eq!(refused.count(), 4, "{denied}");
}

/// A way out: what it is, who tries it, how, and the exit codes that mean that it failed.
type Escape = (&'static str, &'static str, &'static str, &'static [i32]);

/// Each is tried for real. `$S` is sudo as it is shipped; lax is let to set any variable.
const ESCAPES: &[Escape] = &[
    ("another root", "anna", "$S iwas-wg --root $HOME/mine location list", &[1]),
    ("another root where sudoers is lax", "lax", "$S iwas-wg --root $HOME/mine location list", &[7]),
    ("another root, with =", "anna", "$S iwas-wg --root=$HOME/mine status", &[1]),
    ("another root behind the verb", "anna", "$S iwas-wg location list --root $HOME/mine", &[1]),
    ("other settings", "anna", "$S iwas-wg --config $HOME/mine/etc/iwas-wg/config.toml location list", &[1]),
    (
        "other settings where sudoers is lax",
        "lax",
        "$S iwas-wg --config $HOME/mine/etc/iwas-wg/config.toml location list",
        &[7],
    ),
    (
        "another store",
        "anna",
        "$S iwas-wg --database $HOME/mine/var/lib/iwas-wg/iwas-wg.db location list",
        &[1],
    ),
    ("settings from a pipe", "anna", "echo | $S iwas-wg --config /dev/stdin location list", &[1]),
    (
        "whoami of other settings",
        "anna",
        "$S iwas-wg --config $HOME/mine/etc/iwas-wg/config.toml access whoami",
        &[1],
    ),
    ("a hub of their own in root's name", "anna", "$S iwas-wg init --root /etc/mine --backend none", &[1]),
    ("a second hub", "anna", "$S iwas-wg init --interface wg9", &[7]),
    ("adopting a file that root reads", "anna", "$S iwas-wg init --adopt --from /root/secret", &[7]),
    ("names from a file that root reads", "anna", "$S iwas-wg init --adopt --names /root/secret", &[7]),
    ("a variable through sudo", "anna", "$S IWAS_WG_ROOT=$HOME/mine iwas-wg location list", &[1]),
    (
        "a variable kept by sudo -E",
        "anna",
        "IWAS_WG_ROOT=$HOME/mine $S -E iwas-wg location show foreign",
        &[1, 3],
    ),
    (
        "a variable before sudo",
        "anna",
        "IWAS_WG_CONFIG=$HOME/mine/etc/iwas-wg/config.toml $S iwas-wg location show foreign",
        &[3],
    ),
    (
        "IWAS_WG_ROOT where sudoers is lax",
        "lax",
        "IWAS_WG_ROOT=$HOME/mine $S iwas-wg location show foreign",
        &[3],
    ),
    (
        "IWAS_WG_CONFIG where sudoers is lax",
        "lax",
        "IWAS_WG_CONFIG=$HOME/mine/etc/iwas-wg/config.toml $S iwas-wg location show foreign",
        &[3],
    ),
    (
        "IWAS_WG_DATABASE where sudoers is lax",
        "lax",
        "IWAS_WG_DATABASE=$HOME/mine/var/lib/iwas-wg/iwas-wg.db $S iwas-wg location show foreign",
        &[3],
    ),
    (
        "IWAS_WG_IDENTITY where sudoers is lax",
        "lax",
        "IWAS_WG_IDENTITY=/root/secret $S iwas-wg script render own -q >/dev/null",
        &[0],
    ),
    (
        "IWAS_WG_METRICS_FILE where sudoers is lax",
        "lax",
        "IWAS_WG_METRICS_FILE=/etc/cron.d/x $S iwas-wg heartbeat",
        &[7],
    ),
    (
        "IWAS_WG_CONF where sudoers is lax",
        "lax",
        "IWAS_WG_CONF=/etc/cron.d/x $S iwas-wg location set own --tag a=b",
        &[0],
    ),
    (
        "directories of their own where sudoers is lax",
        "lax",
        "XDG_CONFIG_HOME=$HOME/mine/etc XDG_STATE_HOME=$HOME/mine/var/lib $S iwas-wg location show foreign",
        &[3],
    ),
    ("SUDO_UID=0 without sudo", "anna", "SUDO_UID=0 SUDO_USER=root iwas-wg --root / location list", &[7]),
    ("SUDO_UID=0 given to sudo", "anna", "$S SUDO_UID=0 SUDO_USER=root iwas-wg location show foreign", &[1]),
    ("SUDO_UID=0 before sudo", "lax", "SUDO_UID=0 SUDO_USER=root $S iwas-wg location show foreign", &[3]),
    ("DOAS_USER through sudo", "lax", "DOAS_USER=root $S iwas-wg location list", &[7]),
    ("PKEXEC_UID through sudo", "lax", "PKEXEC_UID=0 $S iwas-wg location list", &[7]),
    ("USER and LOGNAME", "lax", "USER=olga LOGNAME=olga $S iwas-wg location show foreign", &[3]),
    ("root of a namespace of their own", "anna", "unshare -Ur iwas-wg location list", &[1, 6, 7]),
    ("as somebody else", "anna", "$S -u olga iwas-wg location list", &[1]),
    ("a program of their own", "anna", "$S $HOME/bin/iwas-wg location list", &[1]),
    (
        "a link to the program",
        "anna",
        "ln -sf /usr/local/bin/iwas-wg $HOME/tool && $S $HOME/tool location list",
        &[1],
    ),
    ("a shell", "anna", "$S sh -c 'cat /root/secret'", &[1]),
    ("sudoedit", "anna", "SUDO_EDITOR=true sudo -n -e /etc/iwas-wg/config.toml", &[1]),
    ("a pager", "lax", "PAGER=$HOME/bin/evil $S iwas-wg --help >/dev/null", &[0]),
    (
        "an editor",
        "lax",
        "EDITOR=$HOME/bin/evil VISUAL=$HOME/bin/evil $S iwas-wg location set own --tag a=c",
        &[0],
    ),
    ("a template that root reads", "anna", "$S iwas-wg script render own --template /root/secret", &[7]),
    (
        "a template behind a link",
        "anna",
        "ln -sf /root/secret $HOME/t.rsc && $S iwas-wg script render own --template $HOME/t.rsc",
        &[7],
    ),
    ("a template of the system", "anna", "$S iwas-wg script render own --template /etc/shadow", &[7]),
    (
        "a template that is a pipe",
        "anna",
        "mkfifo $HOME/fifo; $S iwas-wg script render own --template $HOME/fifo",
        &[1],
    ),
    (
        "a template in another's home",
        "anna",
        "$S iwas-wg script render own --template /home/olga/notes",
        &[6, 7],
    ),
    ("scripts into root's directory", "anna", "$S iwas-wg script render own --scripts-dir /etc/cron.d", &[7]),
    (
        "scripts into a new directory of root's",
        "anna",
        "$S iwas-wg script render own --scripts-dir /etc/new",
        &[7],
    ),
    (
        "scripts behind a link to a directory",
        "anna",
        "ln -sfn /etc $HOME/link && $S iwas-wg script render own --scripts-dir $HOME/link",
        &[7],
    ),
    (
        "scripts over a link to a file",
        "anna",
        "mkdir -p $HOME/out && ln -sf /etc/passwd $HOME/out/own.rsc && $S iwas-wg script render own --scripts-dir $HOME/out",
        &[0],
    ),
    (
        "all scripts over a link",
        "anna",
        "ln -sf /etc/passwd $HOME/out/own.rsc && $S iwas-wg script render --all --scripts-dir $HOME/out",
        &[0],
    ),
    ("a metrics file of root's", "anna", "$S iwas-wg heartbeat --metrics-file /etc/cron.d/x", &[7]),
    ("a backup over a file of root's", "anna", "$S iwas-wg backup /etc/cron.d/x", &[7]),
    ("a backup for themselves", "anna", "$S iwas-wg backup $HOME/all.db --recipient age1mine", &[2, 7]),
    (
        "a store of their own making",
        "anna",
        "$S iwas-wg restore $HOME/mine/var/lib/iwas-wg/iwas-wg.db --yes",
        &[7],
    ),
    ("pages into root's directory", "anna", "$S iwas-wg generate man /etc/cron.d", &[7]),
    ("pruning", "anna", "$S iwas-wg sync --prune --yes", &[7]),
    (
        "another helper",
        "olga-lax",
        "$S iwas-wg down && WG_USERSPACE_IMPLEMENTATION=$HOME/bin/evil $S iwas-wg up",
        &[0],
    ),
    ("another PATH", "olga-lax", "$S iwas-wg down && PATH=$HOME/bin:$PATH $S /srv/iwas-wg up", &[0]),
    (
        "a relative PATH",
        "olga-lax",
        "cd $HOME/bin && $S iwas-wg down && PATH=.:$PATH $S /srv/iwas-wg up",
        &[0],
    ),
    (
        "the names of others by completion",
        "lax",
        "IWAS_WG_COMPLETE=fish $S iwas-wg -- iwas-wg location show ''",
        &[0],
    ),
    ("the names of others by a hint", "anna", "$S iwas-wg location show foreig", &[3]),
    (
        "the names of others by a filter",
        "anna",
        "$S iwas-wg location list --org umbrella --tag city=graz",
        &[3],
    ),
    ("moving a location out of their org", "anna", "$S iwas-wg location set own --org umbrella-2", &[7]),
    ("a location of nobody", "anna", "$S iwas-wg location set own --no-org", &[7]),
    ("a name that steers a terminal", "anna", "$S iwas-wg location add \"$(printf 'a\\033[2Jb')\"", &[2]),
    (
        "a text that steers a terminal",
        "anna",
        "$S iwas-wg location set own --description \"$(printf 'a\\033]0;b\\007')\"",
        &[2],
    ),
    (
        "rules by a name with a line break",
        "anna",
        "$S iwas-wg location add x --org \"$(printf 'acme\\numbrella')\"",
        &[2],
    ),
    ("no room for files", "anna", "(ulimit -f 0; $S iwas-wg location set own --tag room=none)", &[1, 153]),
    ("closed streams", "anna", "$S iwas-wg location set own --tag closed=yes <&- >&- 2>&-", &[0, 1]),
    (
        "a core of a process with keys",
        "lax",
        "ulimit -c unlimited; $S iwas-wg script render own >/dev/null; ls $HOME/core* 2>/dev/null",
        &[2],
    ),
];

#[test]
fn no_way_out_leads_out() {
    let Some(stage) = stage() else {
        return;
    };
    let kept = "find /etc /root /usr/local/bin -type f -not -path '*/wireguard/*' -print0 | sort -z | xargs -0 sha256sum";
    let before = stage.shell("root", kept).stdout;
    assert!(before.lines().count() > 50, "{before}");
    let foreign = stage.root("--json location show foreign").json();
    let address = foreign["location"]["vpn_ip"].as_str().expect("address").to_owned();
    let mut failed = Vec::new();
    for (what, user, script, codes) in ESCAPES {
        let run = stage.shell(user, script);
        let mut note = |why: &str| failed.push(format!("{what} ({user}: {script}): {why}: {run:#?}"));
        if !run.code.is_some_and(|code| codes.contains(&code)) {
            note("ended otherwise");
        }
        for secret in [SECRET, "umbrella", address.as_str(), "vienna"] {
            if run.text().contains(secret) && !script.contains(secret) {
                note(secret);
            }
        }
        if !stage.shell("root", "ls /home/*/pwned /tmp/pwned 2>/dev/null").stdout.is_empty() {
            note("ran what the person gave it");
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let after = stage.shell("root", kept).stdout;
    let differences: Vec<&str> = after.lines().filter(|l| !before.contains(l)).collect();
    assert!(differences.is_empty() && after.lines().count() == before.lines().count(), "{differences:#?}");
    let theirs = stage.shell("root", "find /home -uid 0 -not -path '/home' -ls").stdout;
    assert_eq!(theirs, "", "root left files in a home");
    let own = stage.root("--json location show own").json();
    assert_eq!(own["location"]["org"], "acme");
    stage.root("audit verify").code(0);
    stage.root("sync --check").code(0);
}

#[test]
fn rules_that_others_can_change_are_no_rules() {
    let Some(stage) = stage() else {
        return;
    };
    for (how, back) in [
        ("chmod 664 /etc/iwas-wg/config.toml", "chmod 644 /etc/iwas-wg/config.toml"),
        ("chown bob /etc/iwas-wg/config.toml", "chown root /etc/iwas-wg/config.toml"),
        ("chmod 777 /etc/iwas-wg", "chmod 755 /etc/iwas-wg"),
        (
            "mv /etc/iwas-wg/config.toml /home/bob/c && ln -s /home/bob/c /etc/iwas-wg/config.toml",
            "rm /etc/iwas-wg/config.toml && mv /home/bob/c /etc/iwas-wg/config.toml",
        ),
        // Without grants as well.
        (
            "cd /etc/iwas-wg && cp config.toml kept && sed -i '/^.*access/,$d' config.toml && chmod 666 config.toml",
            "cd /etc/iwas-wg && mv kept config.toml && chmod 644 config.toml",
        ),
    ] {
        stage.shell("root", how).code(0);
        let run = stage.sudo("bob", "location list").code(6);
        assert!(run.stderr.contains("others than root can change it"), "{how}: {run:#?}");
        stage.shell("root", back).code(0);
        stage.sudo("bob", "location list").code(0);
    }
}

#[test]
fn without_settings_root_lends_its_rights_to_nobody() {
    let Some(stage) = stage() else {
        return;
    };
    let evil = r#"cat >> mine/etc/iwas-wg/config.toml <<'EOF'
[heartbeat]
on_change = ["/home/anna/bin/evil"]
EOF"#;
    stage.shell("root", "mkdir /srv/hub && mv /etc/iwas-wg /srv/hub/etc").code(0);
    stage.shell("lax", "sed -i '/^.heartbeat/,$d' mine/etc/iwas-wg/config.toml").code(0);
    stage.shell("lax", evil).code(0);
    for words in [
        "--root $HOME/mine heartbeat",
        "--root $HOME/mine report --html /etc/profile.d/x.sh",
        "--config $HOME/mine/etc/iwas-wg/config.toml --database /var/lib/iwas-wg/iwas-wg.db location list",
        "--config /srv/hub/etc/config.toml location list",
        "heartbeat",
        "report --html /etc/profile.d/x.sh",
        "generate man /etc/profile.d",
        "location list",
    ] {
        let run = stage.sudo("lax", words).code(7);
        assert!(!run.text().contains("umbrella"), "{words}: {run:#?}");
    }
    let made = stage.shell("root", "ls /etc/profile.d/x.sh /etc/profile.d/*.8 /home/*/pwned /tmp/pwned");
    assert_eq!(made.stdout, "", "{made:#?}");
    for flag in ["--root=/srv/hub", "--config /srv/hub/etc/config.toml", "--database /srv/x.db"] {
        let run = stage.sudo("anna", &format!("location list {flag}")).code(1);
        assert!(run.stderr.contains("not allowed"), "{run:#?}");
    }
}

#[test]
fn sudoers_is_read_by_visudo() {
    let Some(stage) = stage() else {
        return;
    };
    stage.shell("root", "visudo -c -f /etc/sudoers.d/iwas-wg").code(0);
    stage.shell("root", "visudo -c").code(0);
}
