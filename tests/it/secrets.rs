//! No private key anywhere but where it belongs.

use crate::support::{Hub, tree};

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
    ] {
        let run = hub.run(args);
        for secret in [&of_hub, &of_router, &secret] {
            assert!(!run.stdout.contains(secret.as_str()), "{args:?} shows a secret");
            assert!(!run.stderr.contains(secret.as_str()), "{args:?} tells a secret");
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
    let holds = |bytes: &[u8], needle: &[u8]| bytes.windows(needle.len()).any(|w| w == needle);
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
