//! Keys at rest: several recipients, hubs that seal and cannot open, sealing anew, protected
//! identities, and age's own tool on the other side.

use crate::support::Hub;
use iwas_wg::model::PrivateKey;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use zeroize::Zeroizing;

/// Whether these programs are there; a test that cannot run says so.
fn have(programs: &[&str]) -> bool {
    let is_there = |p: &&str| Path::new("/usr/bin").join(p).is_file();
    let missing: Vec<&&str> = programs.iter().filter(|p| !is_there(p)).collect();
    if missing.is_empty() {
        return true;
    }
    assert!(std::env::var_os("IWAS_WG_REQUIRE_REAL").is_none(), "missing: {missing:?}");
    std::io::stderr().write_all(format!("skipped: needs {missing:?}\n").as_bytes()).expect("stderr");
    false
}

/// Runs a program on some input and returns what it printed.
#[track_caller]
fn pipe(program: &str, args: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect(program);
    child.stdin.take().expect("stdin").write_all(input).expect("input");
    let output = child.wait_with_output().expect(program);
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into())
    }
}

/// A new identity of each kind: its file and its recipient.
fn identities(hub: &Hub) -> Vec<(PathBuf, String)> {
    let age = hub.path("other.txt");
    let made = pipe("age-keygen", &["-o", age.to_str().expect("path")], b"").map(|_| ());
    made.expect("age-keygen");
    let text = fs::read_to_string(&age).expect("identity");
    let recipient =
        text.lines().find_map(|l| l.strip_prefix("# public key: ")).expect("recipient").to_owned();
    let mut all = vec![(age, recipient)];
    for kind in ["ed25519", "rsa"] {
        let path = hub.path(kind);
        let file = path.to_str().expect("path");
        pipe("ssh-keygen", &["-q", "-t", kind, "-N", "", "-C", "", "-f", file], b"").expect("ssh-keygen");
        let public = fs::read_to_string(path.with_extension("pub")).expect("public key");
        all.push((path, public.trim().to_owned()));
    }
    all
}

/// Names more recipients in the settings.
fn recipients(hub: &Hub, more: &[&str]) {
    let more = more.iter().fold(String::new(), |all, r| all + &format!(", {r:?}"));
    let settings = fs::read_to_string(hub.path("etc/iwas-wg/config.toml")).expect("settings");
    let line = settings.lines().find(|l| l.starts_with("recipients = ")).expect("recipients");
    hub.edit_settings(line, &line.replace(']', &format!("{more}]")));
}

fn store(hub: &Hub) -> rusqlite::Connection {
    rusqlite::Connection::open(hub.path("var/lib/iwas-wg/iwas-wg.db")).expect("store")
}

fn sealed_key(hub: &Hub, name: &str) -> Vec<u8> {
    let sql = "SELECT sealed_key FROM peer JOIN location ON id = location_id WHERE name = ?1";
    store(hub).query_row(sql, [name], |r| r.get(0)).expect("sealed key")
}

/// The private key as the router's script has it.
#[track_caller]
fn key(hub: &Hub, name: &str) -> PrivateKey {
    let report = hub.run(&["script", "render", name, "--format", "json"]).ok().json();
    PrivateKey::from_base64(report["private_key"].as_str().expect("key")).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn age_opens_what_we_sealed_with_every_kind_of_identity_and_we_open_what_age_sealed() {
    if !have(&["age", "age-keygen", "ssh-keygen"]) {
        return;
    }
    let hub = Hub::up();
    let others = identities(&hub);
    recipients(&hub, &others.iter().map(|(_, r)| r.as_str()).collect::<Vec<_>>());
    hub.add("cafe");
    let (sealed, key) = (sealed_key(&hub, "cafe"), key(&hub, "cafe"));
    let own = hub.path("etc/iwas-wg/identity.txt");
    for path in others.iter().map(|(path, _)| path).chain([&own]) {
        let opened = pipe("age", &["-d", "-i", path.to_str().expect("path")], &sealed).expect("age");
        assert_eq!(opened, key.expose_bytes(), "{}", path.display());
    }
    // And back: each of them alone is a recipient, and its identity the hub's.
    for (path, recipient) in &others {
        let sealed = pipe("age", &["-r", recipient], key.expose_bytes()).expect("age");
        store(&hub).execute("UPDATE peer SET sealed_key = ?1", [sealed]).expect("update");
        hub.run(&["script", "render", "cafe"]).code(7);
        let settings = fs::read_to_string(hub.path("etc/iwas-wg/config.toml")).expect("settings");
        let line = settings.lines().find(|l| l.starts_with("identity ")).expect("identity").to_owned();
        let below = path.strip_prefix(hub.root()).expect("below the root");
        hub.edit_settings(&line, &format!("identity   = \"/{}\"", below.display()));
        assert_eq!(self::key(&hub, "cafe").expose_bytes(), key.expose_bytes());
        hub.run(&["sync"]).ok();
        hub.edit_settings(&format!("identity   = \"/{}\"", below.display()), &line);
    }
}

#[test]
fn a_hub_with_recipients_only_seals_and_never_opens() {
    let hub = Hub::up();
    fs::remove_file(hub.path("etc/iwas-wg/identity.txt")).expect("remove");
    let script = hub.run(&["location", "add", "cafe"]).ok().stdout;
    assert!(script.contains("iwas-wg:cafe"), "{script}");
    for args in [&["script", "render", "cafe"][..], &["secrets", "reseal"], &["secrets", "verify"]] {
        let run = hub.run(args).code(7);
        assert!(run.error().0.starts_with("iwas-wg: there is no identity at "), "{run:?}");
    }
}

#[test]
fn resealing_lets_the_new_in_and_the_removed_out() {
    if !have(&["age", "age-keygen", "ssh-keygen"]) {
        return;
    }
    let hub = Hub::up();
    for name in ["a", "b", "c"] {
        hub.add(name);
    }
    let others = identities(&hub);
    let (path, recipient) = &others[1];
    let opens = |name: &str| {
        pipe("age", &["-d", "-i", path.to_str().expect("path")], &sealed_key(&hub, name)).is_ok()
    };
    recipients(&hub, &[recipient]);
    assert!(!opens("a"), "nothing is sealed anew by itself");
    let before = sealed_key(&hub, "a");
    let plan = hub.run(&["secrets", "reseal", "-n"]).ok();
    // The hub's own key is one of them.
    assert_eq!(plan.stderr, "would seal 4 stored secrets to 2 recipients\n");
    assert_eq!(sealed_key(&hub, "a"), before);
    let done = hub.run(&["--json", "secrets", "reseal"]).ok().json();
    assert_eq!((done["changed"].as_bool(), done["secrets"].as_u64()), (Some(true), Some(4)));
    assert!(opens("a") && opens("b") && opens("c"));
    assert_eq!(hub.run(&["secrets", "verify"]).ok().stderr, "all 4 stored secrets open and are right\n");
    hub.edit_settings(&format!(", {recipient:?}"), "");
    hub.run(&["secrets", "reseal"]).ok();
    assert!(!opens("a") && !opens("b") && !opens("c"));
    // What was sealed before is not left behind in the file.
    drop(store(&hub));
    let file = fs::read(hub.path("var/lib/iwas-wg/iwas-wg.db")).expect("store");
    assert!(!file.windows(64).any(|w| w == &before[before.len() - 64..]), "the old sealing is still there");
    // The hub's own key came along: a lost conf is written again.
    fs::remove_file(hub.path("etc/wireguard/wg0.conf")).expect("remove");
    hub.run(&["sync"]).ok();
}

#[test]
fn a_damaged_or_exchanged_secret_is_found_and_named_and_nothing_is_resealed() {
    let hub = Hub::up();
    hub.add("a");
    hub.add("b");
    let (a, b) = (sealed_key(&hub, "a"), sealed_key(&hub, "b"));
    let put = |name: &str, bytes: &[u8]| {
        let sql =
            "UPDATE peer SET sealed_key = ?1 WHERE location_id = (SELECT id FROM location WHERE name = ?2)";
        store(&hub).execute(sql, rusqlite::params![bytes, name]).expect("update");
    };
    put("b", &a);
    let e = hub.run(&["secrets", "verify"]).code(6);
    let said = "iwas-wg: 1 of 3 stored secrets are not right: b: the sealed key is not the one of its peer";
    assert_eq!(e.error().0, said);
    let mut damaged = b.clone();
    *damaged.last_mut().expect("byte") ^= 1;
    put("b", &damaged);
    let e = hub.run(&["secrets", "verify"]).code(6);
    assert_eq!(e.error().0, "iwas-wg: 1 of 3 stored secrets are not right: b: the sealed key is damaged");
    let e = hub.run(&["secrets", "reseal"]).code(6);
    assert_eq!(e.error().0, "iwas-wg: b: the sealed key is damaged");
    assert_eq!((sealed_key(&hub, "a"), sealed_key(&hub, "b")), (a, damaged), "half of it was done");
}

/// Seals a file with a passphrase, as `age -p` does, with little work for it.
fn protect(path: &Path, passphrase: &str, armored: bool) {
    let plain = Zeroizing::new(fs::read(path).expect("identity"));
    let mut recipient = age::scrypt::Recipient::new(age::secrecy::SecretString::from(passphrase.to_owned()));
    recipient.set_work_factor(6);
    let format = if armored { age::armor::Format::AsciiArmor } else { age::armor::Format::Binary };
    let mut sealed = Vec::new();
    let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as _)).expect("encryptor");
    let armor = age::armor::ArmoredWriter::wrap_output(&mut sealed, format).expect("armor");
    let mut writer = encryptor.wrap_output(armor).expect("writer");
    writer.write_all(&plain).expect("write");
    writer.finish().and_then(age::armor::ArmoredWriter::finish).expect("finish");
    fs::write(path, sealed).expect("identity");
}

#[test]
fn a_protected_identity_asks_on_the_terminal_and_nowhere_else() {
    for armored in [false, true] {
        let mut hub = Hub::up();
        hub.add("cafe");
        let key = key(&hub, "cafe");
        let path = hub.path("etc/iwas-wg/identity.txt");
        protect(&path, "correct horse", armored);
        let nobody = format!(
            "iwas-wg: the identity {} is protected by a passphrase, and there is nobody to ask for it",
            path.display()
        );
        hub.ask_secret = |_| panic!("somebody was asked");
        assert_eq!(hub.run(&["script", "render", "cafe"]).code(7).error().0, nobody);
        hub.terminal.stdin = true;
        hub.terminal.stderr = true;
        assert_eq!(hub.run(&["--no-input", "script", "render", "cafe"]).code(7).error().0, nobody);
        hub.run(&["--json", "script", "render", "cafe"]).code(7);
        hub.ask_secret = |prompt| {
            assert!(prompt.starts_with("Passphrase of /") && prompt.ends_with("identity.txt: "), "{prompt}");
            Ok(Zeroizing::new("wrong".to_owned()))
        };
        let e = hub.run(&["script", "render", "cafe"]).code(7);
        assert_eq!(
            e.error().0,
            format!("iwas-wg: the passphrase does not open the identity {}", path.display())
        );
        hub.ask_secret = |_| Ok(Zeroizing::new("correct horse".to_owned()));
        let script = hub.run(&["script", "render", "cafe"]).ok().stdout;
        assert!(script.contains(key.expose().as_str()));
        hub.run(&["secrets", "reseal"]).ok();
        hub.run(&["secrets", "verify"]).ok();
    }
}

#[test]
fn a_protected_ssh_key_opens_with_its_passphrase() {
    if !have(&["ssh-keygen"]) {
        return;
    }
    for kind in ["ed25519", "rsa"] {
        let mut hub = Hub::up();
        let path = hub.path("id");
        let file = path.to_str().expect("path");
        let made = pipe(
            "ssh-keygen",
            &["-q", "-t", kind, "-a", "1", "-N", "correct horse", "-C", "", "-f", file],
            b"",
        );
        made.expect("ssh-keygen");
        let public = fs::read_to_string(path.with_extension("pub")).expect("public key");
        recipients(&hub, &[public.trim()]);
        hub.edit_settings("\"/etc/iwas-wg/identity.txt\"", "\"/id\"");
        hub.add("cafe");
        hub.run(&["script", "render", "cafe"]).code(7);
        hub.terminal.stdin = true;
        hub.terminal.stderr = true;
        hub.ask_secret = |_| Ok(Zeroizing::new("wrong".to_owned()));
        hub.run(&["script", "render", "cafe"]).code(7);
        hub.ask_secret = |_| Ok(Zeroizing::new("correct horse".to_owned()));
        hub.run(&["script", "render", "cafe"]).ok();
    }
}

#[test]
fn a_passphrase_typed_on_a_real_terminal_is_not_shown() {
    if !have(&["script"]) {
        return;
    }
    let hub = Hub::with_network("10.0.0.0/24");
    hub.edit_settings("backend     = \"auto\"", "backend = \"none\"");
    hub.add("cafe");
    protect(&hub.path("etc/iwas-wg/identity.txt"), "correct horse", false);
    let out = hub.path("out.rsc");
    let command = format!(
        "{} --root {} script render cafe > {}",
        env!("CARGO_BIN_EXE_iwas-wg"),
        hub.root().display(),
        out.display()
    );
    let mut child = Command::new("script")
        .args(["-q", "-e", "-E", "never", "-c", &command, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script");
    let mut seen = Vec::new();
    let mut stdout = child.stdout.take().expect("stdout");
    let mut byte = [0];
    while !seen.ends_with(b"identity.txt: ") {
        assert_eq!(
            std::io::Read::read(&mut stdout, &mut byte).expect("read"),
            1,
            "{}",
            String::from_utf8_lossy(&seen)
        );
        seen.push(byte[0]);
    }
    let mut stdin = child.stdin.take().expect("stdin");
    stdin.write_all(b"correct horse\n").expect("type");
    std::io::Read::read_to_end(&mut stdout, &mut seen).expect("read");
    drop(stdin);
    assert!(child.wait().expect("wait").success(), "{}", String::from_utf8_lossy(&seen));
    assert!(!String::from_utf8_lossy(&seen).contains("horse"), "{}", String::from_utf8_lossy(&seen));
    assert!(fs::read_to_string(out).expect("script").contains("private-key"));
}
