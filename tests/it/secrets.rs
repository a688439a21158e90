//! No private key anywhere but where it belongs.

use crate::support::{Hub, person, tree};
use iwas_wg::model::{PresharedKey, PrivateKey};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

/// Fails to compile if a type has a trait.
macro_rules! lacks {
    ($type:ty: $($what:path),+) => {$({
        trait Either<Which> {
            fn here() {}
        }
        struct Has;
        impl<T: ?Sized> Either<()> for T {}
        impl<T: ?Sized + $what> Either<Has> for T {}
        // With both in force the compiler could not choose.
        <$type as Either<_>>::here();
    })+};
}

#[test]
fn key_types_cannot_be_printed_copied_or_serialized() {
    lacks!(PrivateKey: std::fmt::Debug, std::fmt::Display, serde::Serialize, Clone, Copy);
    lacks!(PresharedKey: std::fmt::Debug, std::fmt::Display, serde::Serialize, Clone, Copy);
}

/// A key in all the ways that it could be written.
fn spellings(key: &str) -> Vec<Vec<u8>> {
    let raw = *PrivateKey::from_base64(key).unwrap_or_else(|e| panic!("{e}")).expose_bytes();
    let hex = raw.iter().fold(String::new(), |hex, b| hex + &format!("{b:02x}"));
    let upper = hex.to_uppercase();
    let list = format!("{raw:?}");
    vec![key.as_bytes().to_vec(), raw.to_vec(), hex.into_bytes(), upper.into_bytes(), list.into_bytes()]
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|w| w == needle)
}

/// The private keys of a hub and of one router, as they must never be found.
fn keys(hub: &Hub) -> (String, String) {
    let conf = hub.conf();
    let of_hub = conf.lines().find_map(|l| l.strip_prefix("PrivateKey = ")).expect("hub key").to_owned();
    let report = hub.run(&["script", "render", "cafe", "--format", "json"]).ok().json();
    (of_hub, report["private_key"].as_str().expect("key").to_owned())
}

#[test]
fn no_output_but_the_script_holds_a_key() {
    let hub = Hub::up();
    hub.add("cafe");
    let (of_hub, of_router) = keys(&hub);
    let identity = std::fs::read_to_string(hub.path("etc/iwas-wg/identity.txt")).expect("identity");
    let secret = identity.lines().find(|l| l.starts_with("AGE-SECRET-KEY")).expect("secret").to_owned();
    let config = hub.path("etc/iwas-wg/config.toml");
    let settings = fs::read_to_string(&config).expect("settings");
    fs::write(config, settings + "[access]\ngrants = []\n").expect("settings");
    for args in [
        &["-vvv", "status"][..],
        &["--json", "status"],
        &["-vvv", "location", "list"],
        &["--json", "location", "list"],
        &["--json", "location", "show", "cafe"],
        &["location", "show", "cafe"],
        &["-vvv", "up"],
        &["-vvv", "heartbeat"],
        &["--json", "heartbeat"],
        &["-vvv", "sync"],
        &["--json", "sync"],
        &["--json", "location", "set", "cafe", "--org", "x"],
        &["--json", "location", "add", "cafe", "--if-not-exists"],
        &["location", "add", "cafe"],
        &["script", "render", "cafe", "--kind", "nonsense"],
        &["--json", "location", "remove", "cafe", "-y"],
        &["--json", "init"],
        &["--json", "down"],
        &["-vvv", "doctor"],
        &["--json", "doctor"],
        &["--json", "audit", "list"],
        &["-vvv", "audit", "verify"],
        &["-vvv", "secrets", "verify"],
        &["--json", "secrets", "reseal"],
        &["--json", "access", "whoami"],
        &["--json", "script", "render", "cafe", "--kind", "check"],
    ] {
        // Once as root, and once refused.
        for who in ["root", "nobody"] {
            *hub.caller.borrow_mut() = person(who).unwrap_or_else(iwas_wg::model::Caller::root);
            let run = hub.run(args);
            for key in [&of_hub, &of_router] {
                for spelling in spellings(key) {
                    assert!(!holds(run.stdout.as_bytes(), &spelling), "{args:?} shows a key");
                    assert!(!holds(run.stderr.as_bytes(), &spelling), "{args:?} tells a key");
                }
            }
            assert!(!run.stdout.contains(&secret) && !run.stderr.contains(&secret), "{args:?}: the identity");
        }
    }
}

#[test]
fn what_the_program_starts_gets_no_key_and_nothing_of_the_environment() {
    let hub = Hub::with_network("10.0.0.0/24");
    hub.edit_settings("\"wg0\"", "\"iwtest-secret\"");
    hub.edit_settings("\"auto\"", "\"userspace\"");
    let log = hub.path("seen");
    let helper = hub.path("helper");
    // It says all that it was given, and then that it cannot.
    let text = format!(
        "#!/bin/sh\nexec > {}\ncat /proc/$$/cmdline /proc/$$/environ\nls -l /proc/$$/fd\nulimit -c\nexit 1\n",
        log.display()
    );
    fs::write(&helper, text).expect("helper");
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).expect("chmod");
    let output = Command::new(env!("CARGO_BIN_EXE_iwas-wg"))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("WG_USERSPACE_IMPLEMENTATION", &helper)
        .env("IWAS_WG_ROOT", hub.root())
        .env("OF_THE_CALLER", "a-value")
        .args(["-vvv", "up"])
        .stdin(Stdio::null())
        .output()
        .expect("run");
    assert!(!output.status.success(), "{output:?}");
    let seen = fs::read(&log).unwrap_or_else(|e| panic!("the helper did not run: {e}: {output:?}"));
    assert!(
        holds(&seen, b"iwtest-secret") && !holds(&seen, b"a-value"),
        "{}",
        String::from_utf8_lossy(&seen)
    );
    assert!(!holds(&seen, b"iwas-wg.db"), "it got a descriptor: {}", String::from_utf8_lossy(&seen));
    assert!(seen.ends_with(b"\n0\n"), "it may write a core: {}", String::from_utf8_lossy(&seen));
    let conf = fs::read_to_string(hub.path("etc/wireguard/iwtest-secret.conf"));
    let conf = conf.unwrap_or_else(|_| hub.conf());
    let key = conf.lines().find_map(|l| l.strip_prefix("PrivateKey = ")).expect("hub key");
    for spelling in spellings(key) {
        for said in [&seen, &output.stdout, &output.stderr] {
            assert!(!holds(said, &spelling), "the hub's key was told");
        }
    }
}

#[test]
fn a_process_with_keys_leaves_no_core() {
    let hub = Hub::with_network("10.0.0.0/24");
    let lock = iwas_wg::fsx::Lock::acquire(
        &hub.path("var/lib/iwas-wg/iwas-wg.lock"),
        std::time::Duration::ZERO,
        "test",
        &mut |_| {},
    )
    .unwrap_or_else(|e| panic!("{e}"));
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -c unlimited 2>/dev/null; exec \"$0\" --lock-timeout 60 sync"]);
    let mut child = command
        .arg(env!("CARGO_BIN_EXE_iwas-wg"))
        .env("IWAS_WG_ROOT", hub.root())
        .stderr(Stdio::piped())
        .spawn()
        .expect("spawn");
    let mut first = [0; 1];
    // It says that it waits: from here on it is well under way.
    std::io::Read::read_exact(child.stderr.as_mut().expect("stderr"), &mut first).expect("waits");
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).expect("limits");
    let core = limits.lines().find(|l| l.starts_with("Max core file size")).expect("core").to_owned();
    let words: Vec<&str> = core.split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{core}");
    let status = Command::new("kill").args(["-ABRT", &child.id().to_string()]).status().expect("kill");
    assert!(status.success());
    let ended = child.wait().expect("wait");
    assert!(!std::os::unix::process::ExitStatusExt::core_dumped(&ended), "{ended:?}");
    drop(lock);
}

#[test]
fn no_record_and_no_temporary_file_holds_a_key() {
    let hub = Hub::up();
    hub.add("cafe");
    let (of_hub, of_router) = keys(&hub);
    let dir = hub.path("out");
    hub.run(&["script", "render", "--all", "--scripts-dir", dir.to_str().expect("path")]).ok();
    fs::remove_dir_all(&dir).expect("remove");
    let backup = hub.path("copy.db");
    hub.run(&["backup", backup.to_str().expect("path")]).ok();
    hub.run(&["secrets", "reseal"]).ok();
    hub.run(&["sync"]).ok();
    for (path, bytes) in tree(hub.root()) {
        let name = path.file_name().expect("name").to_string_lossy().into_owned();
        assert!(!name.starts_with(".iwas-wg."), "{name} stayed behind");
        if name == "wg0.conf" {
            continue;
        }
        for key in [&of_hub, &of_router] {
            for spelling in spellings(key) {
                assert!(!holds(&bytes, &spelling), "{} holds a key", path.display());
            }
        }
    }
}

#[test]
fn no_file_but_the_conf_holds_a_key_in_clear() {
    let hub = Hub::up();
    hub.add("cafe");
    let (of_hub, of_router) = keys(&hub);
    let raw = |text: &str| {
        *iwas_wg::model::PrivateKey::from_base64(text).unwrap_or_else(|e| panic!("{e}")).expose_bytes()
    };
    let mut files = tree(hub.root());
    for beside in ["-wal", "-shm"] {
        let path = hub.path(&format!("var/lib/iwas-wg/iwas-wg.db{beside}"));
        if let Ok(bytes) = std::fs::read(&path) {
            files.insert(path, bytes);
        }
    }
    assert!(files.len() >= 4, "the files of the hub were not found");
    for (path, bytes) in files {
        let is_conf = path.ends_with("wg0.conf");
        assert_eq!(holds(&bytes, of_hub.as_bytes()), is_conf, "{}", path.display());
        assert!(!holds(&bytes, of_router.as_bytes()), "{}", path.display());
        assert!(!holds(&bytes, &raw(&of_hub)) && !holds(&bytes, &raw(&of_router)), "{}", path.display());
    }
}
