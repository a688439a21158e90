//! `inventory`: the fleet for Ansible, `/etc/hosts` and ssh.

use crate::support::Hub;
use serde_json::json;
use std::{fs, process::Command};

fn fleet() -> Hub {
    let hub = Hub::up();
    let key = hub.add("cafe");
    hub.run(&["location", "set", "cafe", "--org", "Acme & Sons", "--tag", "city=wien süd"]).ok();
    hub.run(&["location", "add", "shop", "--description", "{{ 1 }}", "--tag", "x={% y %}"]).ok();
    hub.run(&["location", "add", "kiosk", "--no-provision", "--vpn-ip", "10.0.0.9"]).ok();
    hub.shake(&key, 10);
    hub.run(&["heartbeat"]).ok();
    hub
}

#[test]
fn ansible_gets_hosts_in_groups() {
    let hub = fleet();
    let list = hub.run(&["inventory", "--list"]).ok().json();
    let mut groups: Vec<_> = list.as_object().expect("object").keys().map(String::as_str).collect();
    groups.sort_unstable();
    let expected = [
        "_meta",
        "all",
        "never",
        "offline",
        "online",
        "org_Acme___Sons",
        "tag_city_wien_s_d",
        "tag_x____y___",
    ];
    assert_eq!(groups, expected);
    assert_eq!(list["all"], json!({"hosts": ["cafe", "shop"]}));
    assert_eq!((&list["online"]["hosts"], &list["offline"]["hosts"]), (&json!(["cafe"]), &json!([])));
    let cafe = &list["_meta"]["hostvars"]["cafe"];
    assert_eq!((&cafe["ansible_host"], &cafe["iwas_wg_state"]), (&json!("10.0.0.2"), &json!("online")));
    assert_eq!(cafe["iwas_wg_org"], "Acme & Sons");
    assert!(cafe["ansible_user"].is_null());
    // Ansible runs what stands in braces, unless it is told not to.
    let shop = &list["_meta"]["hostvars"]["shop"];
    assert_eq!(shop["iwas_wg_description"], json!({"__ansible_unsafe": "{{ 1 }}"}));
    assert_eq!(shop["iwas_wg_tags"]["x"], json!({"__ansible_unsafe": "{% y %}"}));

    let host = hub.run(&["inventory", "--host", "cafe"]).ok().json();
    assert_eq!(&host, cafe, "--host and --list differ");
    let host = hub.run(&["inventory", "--host", "cafe", "--user", "admin"]).ok().json();
    assert_eq!(host["ansible_user"], "admin");
    hub.run(&["inventory", "--host", "caffe"]).code(3);
    let some = hub.run(&["inventory", "--list", "--state", "never"]).ok().json();
    assert_eq!(some["all"], json!({"hosts": ["shop"]}));
    hub.run(&["inventory"]).code(2);
}

#[test]
fn hosts_and_ssh_find_the_sites_by_name() {
    let hub = fleet();
    assert_eq!(hub.run(&["inventory", "--format", "hosts"]).ok().stdout, "10.0.0.2\tcafe\n10.0.0.3\tshop\n");
    let config = hub.run(&["inventory", "--format", "ssh-config", "--user", "admin"]).ok().stdout;
    let path = hub.path("ssh.conf");
    fs::write(&path, &config).expect("config");
    match Command::new("ssh").arg("-G").arg("-F").arg(&path).arg("cafe").output() {
        Ok(output) => {
            let seen = String::from_utf8(output.stdout).expect("UTF-8");
            for line in ["hostname 10.0.0.2", "user admin"] {
                assert!(seen.lines().any(|l| l == line), "ssh does not see {line:?}:\n{config}\n{seen}");
            }
        }
        Err(e) => {
            assert!(std::env::var_os("IWAS_WG_REQUIRE_REAL").is_none(), "ssh is missing: {e}");
            std::io::Write::write_all(&mut std::io::stderr(), b"skipped: needs ssh\n").expect("stderr");
        }
    }
    for bad in ["", "a b", "a\nHost *", "{{x}}"] {
        let run = hub.run(&["inventory", "--format", "ssh-config", "--user", bad]).code(2);
        assert_eq!(run.error().1, "hint: use letters, digits and . _ - @ +", "{bad:?}");
    }
}

/// Names by which one org could get at the hosts and groups of another.
const MEANINGFUL: &[&str] = &[
    "all",
    "ungrouped",
    "localhost",
    "online",
    "org_umbrella",
    "tag_a_b",
    "github.com",
    "10.0.0.1",
    "2130706433",
];

#[test]
fn no_name_of_a_location_means_anything_else_in_any_format() {
    let hub = Hub::up();
    hub.run(&["location", "add", "cafe", "--org", "umbrella", "--tag", "a=b"]).ok();
    for name in MEANINGFUL {
        hub.run(&["location", "add", name, "--org", "acme"]).ok();
    }
    let list = hub.run(&["inventory", "--list"]).ok().json();
    let groups = list.as_object().expect("object");
    let hosts = list["_meta"]["hostvars"].as_object().expect("hosts");
    assert_eq!(hosts.len(), MEANINGFUL.len() + 1);
    for host in hosts.keys() {
        assert!(!groups.contains_key(host), "{host} is a host and a group");
        assert!(host == "cafe" || host.starts_with("iwas-wg-"), "{host}");
        hub.run(&["inventory", "--host", host]).ok();
    }
    assert_eq!(list["org_umbrella"], json!({"hosts": ["cafe"]}));
    assert_eq!(list["tag_a_b"], json!({"hosts": ["cafe"]}));
    let text = hub.run(&["inventory", "--format", "hosts"]).ok().stdout;
    let names: Vec<&str> = text.lines().filter_map(|l| l.split('\t').nth(1)).collect();
    let config = hub.run(&["inventory", "--format", "ssh-config"]).ok().stdout;
    let blocks: Vec<&str> = config.lines().filter_map(|l| l.strip_prefix("Host ")).collect();
    for name in MEANINGFUL {
        assert!(!names.contains(name) && !blocks.contains(name), "{name}:\n{text}\n{config}");
        assert!(names.contains(&format!("iwas-wg-{name}").as_str()), "{name}: {text}");
        assert!(blocks.contains(&format!("iwas-wg-{name}").as_str()), "{name}: {config}");
        // They work here as ever.
        hub.run(&["location", "show", name]).ok();
    }
}

#[test]
fn two_orgs_never_share_a_group() {
    let hub = Hub::up();
    for (name, org) in [("one", "a_b"), ("two", "a b"), ("three", "a-b"), ("four", "c d")] {
        hub.run(&["location", "add", name, "--org", org]).ok();
    }
    let list = hub.run(&["inventory", "--list"]).ok().json();
    for (group, host) in
        [("org_a_b", "one"), ("org_a_20_b", "two"), ("org_a_2d_b", "three"), ("org_c_d", "four")]
    {
        assert_eq!(list[group], json!({"hosts": [host]}), "{list}");
    }
}
