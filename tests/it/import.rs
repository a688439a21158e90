//! `location import` and `location export`: a whole fleet from one file, or nothing of it.

use crate::support::{Hub, tree};
use proptest::prelude::*;
use serde_json::json;
use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path};

const ROUTER_KEY: &str = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";

fn write(hub: &Hub, name: &str, text: &str) -> String {
    let path = hub.path(name);
    fs::write(&path, text).expect("file");
    path.to_str().expect("path").to_owned()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("metadata").permissions().mode() & 0o777
}

#[test]
fn a_file_brings_all_its_locations_at_once() {
    let hub = Hub::up();
    let before = hub.add("before");
    let applied = hub.device().applied.len();
    let file = write(
        &hub,
        "fleet.csv",
        &format!(
            "name,org,description,tags,vpn_ip,public_key,key_mode\n\
             cafe,acme,\"Ring 1, \"\"links\"\"\",city=vienna;kind=cafe,,,\n\
             shop,,,\"{{\"\"note\"\":\"\"a;b\"\"}}\",10.0.0.3,,once\n\
             tower,acme,,,,{ROUTER_KEY},\n"
        ),
    );
    let dir = hub.path("scripts");
    let report = hub
        .run(&["--json", "location", "import", &file, "--scripts-dir", dir.to_str().expect("path")])
        .ok()
        .json();
    let paths: Vec<String> = ["cafe", "shop", "tower"]
        .iter()
        .map(|n| dir.join(format!("{n}.rsc")).display().to_string())
        .collect();
    assert_eq!(
        report,
        json!({"schema_version": 1, "changed": true, "action": "imported", "dry_run": false,
               "created": ["cafe", "shop", "tower"], "updated": [], "unchanged": [], "scripts": paths})
    );
    assert_eq!(hub.device().applied.len(), applied + 1, "the interface was changed more than once");
    let list = hub.run(&["--json", "location", "list"]).ok().json();
    let seen: Vec<_> = list["locations"].as_array().expect("list")[1..]
        .iter()
        .map(|l| json!([l["name"], l["org"], l["vpn_ip"], l["key_mode"], l["tags"], l["description"]]))
        .collect();
    assert_eq!(
        seen,
        [
            json!(["cafe", "acme", "10.0.0.4", "stored", {"city": "vienna", "kind": "cafe"}, "Ring 1, \"links\""]),
            json!(["shop", null, "10.0.0.3", "once", {"note": "a;b"}, null]),
            json!(["tower", "acme", "10.0.0.5", "router", {}, null]),
        ]
    );
    assert_eq!(mode(&dir), 0o700);
    for name in ["cafe", "shop", "tower"] {
        assert_eq!(mode(&dir.join(format!("{name}.rsc"))), 0o600);
    }
    // The script of a key that is kept is the one that can be printed again.
    let cafe = fs::read_to_string(dir.join("cafe.rsc")).expect("script");
    assert_eq!(hub.run(&["script", "render", "cafe"]).ok().stdout, cafe);
    let keys: Vec<String> = hub.live().into_iter().map(|(key, _)| key).collect();
    assert!(keys.len() == 4 && keys.contains(&before) && keys.contains(&ROUTER_KEY.to_owned()), "{keys:?}");
    hub.run(&["sync", "--check"]).ok();
    assert_eq!(fs::read_dir(&dir).expect("directory").count(), 3, "something was left beside the scripts");
}

#[test]
fn every_bad_row_is_told_with_its_line_and_nothing_is_done() {
    let hub = Hub::up();
    hub.add("there");
    let file = write(
        &hub,
        "bad.csv",
        "name,vpn_ip,key_mode,tags,public_key\n\
         good,,,,\n\
         Cafe,10.0.0.300,paper,city,nonsense\n\
         there,,,,\n\
         one,10.0.0.2,,,\n\
         two,10.9.0.1,,,\n\
         good,,,,\n\
         three,,once,,\n\
         short,\n",
    );
    let before = tree(hub.root());
    let run = hub.run(&["location", "import", &file]).code(2);
    assert_eq!(run.stdout, "");
    let told = run.stderr.replace(&file, "FILE");
    assert_eq!(
        told,
        "iwas-wg: 7 of 8 rows of FILE cannot be imported; nothing was changed\n\
         line 3: location name \"Cafe\" contains the capital letter 'C'; use 1 to 63 of a-z 0-9 . _ - and begin with a letter or digit\n\
         line 3: tag \"city\" has no \"=\"; write KEY=VALUE, such as city=vienna; the key is of A-Z a-z 0-9 . _ -\n\
         line 3: address \"10.0.0.300\" is not an IPv4 address; write it without a prefix length, such as 10.0.0.7\n\
         line 3: public key \"nonsense\" is not 32 bytes long; a public key is 44 characters of base64, as \"wg pubkey\" prints it\n\
         line 3: key mode \"paper\" is not a key mode; use stored, once or router\n\
         line 4: location \"there\" already exists (10.0.0.2); use --update to change what differs\n\
         line 5: address 10.0.0.2 is held by \"there\"; choose another, or leave it empty for the next free one\n\
         line 6: address 10.9.0.1 is outside the VPN network 10.0.0.0/24; choose another, or leave it empty for the next free one\n\
         line 7: name \"good\" is also in line 2; each row has its own\n\
         line 8: a key of the mode \"once\" is in the script alone; give a --scripts-dir for it\n\
         line 9: the row has 2 cells, the header 5; add the cells that are missing; they may be empty\n\
         hint: correct these rows and import the file again\n"
    );
    let run = hub.run(&["--json", "location", "import", &file]).code(2);
    let error: serde_json::Value = serde_json::from_str(&run.stderr).expect("one object");
    let rows = error["error"]["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 11);
    assert_eq!(
        rows[5],
        json!({"line": 4, "name": "there", "code": "conflict",
               "message": "location \"there\" already exists (10.0.0.2)",
               "hint": "use --update to change what differs"})
    );
    assert_eq!(tree(hub.root()), before, "a refused import changed something");
}

#[test]
fn a_file_of_conflicts_alone_is_a_conflict() {
    let hub = Hub::up();
    hub.add("there");
    let file = write(&hub, "fleet.csv", "name\nthere\n");
    assert_eq!(hub.run(&["location", "import", &file]).code, 4);
    let many: String = (0..300).map(|n| format!("n{n}")).collect::<Vec<_>>().join("\n");
    let file = write(&hub, "many.csv", &format!("name\n{many}\n"));
    let run = hub.run(&["location", "import", &file]).code(4);
    assert_eq!(
        run.error(),
        (
            "iwas-wg: 300 locations need an address of 10.0.0.0/24, and 252 are free",
            "hint: import fewer, remove locations, or choose a larger hub.network"
        )
    );
}

#[test]
fn a_file_that_is_no_table_is_refused_whole() {
    let hub = Hub::up();
    let columns = "name, org, description, tags, vpn_ip, public_key, key_mode, expires, peer";
    let general =
        format!("hint: give a CSV file with a header of some of {columns}, or JSON with these keys");
    for (text, message, hint) in [
        ("", "the file is empty", general.as_str()),
        ("name,orgs\n", "there is no column \"orgs\"", "hint: did you mean \"org\"?"),
        ("name,zzz\n", "there is no column \"zzz\"", &general),
        ("name,name\n", "the column \"name\" is there twice", &general),
        ("org\nacme\n", "there is no column \"name\"", &general),
        (
            "{\"locations\":3}",
            "the file is not JSON as an import takes it: invalid type: integer `3`, expected a sequence at line 1 column 14",
            &general,
        ),
        ("{\"schema_version\":2,\"locations\":[]}", "the file has schema_version 2, 1 is known", &general),
    ] {
        let file = write(&hub, "file", text);
        let run = hub.run(&["location", "import", &file]).code(2);
        assert_eq!(run.error(), (format!("iwas-wg: {message}").as_str(), hint), "{text:?}");
    }
    let run = hub.run(&["location", "import", "/nonexistent/fleet.csv"]).code(2);
    assert_eq!(run.error().0, "iwas-wg: file \"/nonexistent/fleet.csv\" does not exist");
    let file = write(&hub, "none.csv", "name\n");
    assert_eq!(hub.run(&["--json", "location", "import", &file]).ok().json()["changed"], false);
}

#[test]
fn json_rows_are_told_with_their_line_too() {
    let hub = Hub::up();
    let file = write(
        &hub,
        "fleet.json",
        "[\n  {\"name\": \"cafe\", \"tags\": {\"city\": \"vienna\"}},\n  {\"name\": \"Shop\"},\n\n  {\"name\": 5},\n  {\"name\": \"bar\", \"colour\": \"red\"}\n]\n",
    );
    let run = hub.run(&["location", "import", &file]).code(2);
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert!(lines[1].starts_with("line 3: location name \"Shop\" contains"), "{lines:#?}");
    assert!(lines[2].starts_with("line 5: the row cannot be read: invalid type: integer `5`"), "{lines:#?}");
    assert!(lines[3].starts_with("line 6: the row cannot be read: unknown field `colour`"), "{lines:#?}");
    assert_eq!(lines.len(), 5);
}

#[test]
fn files_of_spreadsheets_are_read() {
    let hub = Hub::up();
    let file = write(&hub, "fleet.csv", "\u{feff}name;org;tags\r\ncafe;acme;\"a=1;b=2\"\r\n");
    hub.run(&["location", "import", &file]).ok();
    let l = hub.run(&["--json", "location", "show", "cafe"]).ok().json()["location"].clone();
    assert_eq!((&l["org"], &l["tags"]), (&json!("acme"), &json!({"a": "1", "b": "2"})));
}

#[test]
fn update_changes_what_differs_and_nothing_else() {
    let hub = Hub::up();
    hub.run(&["location", "add", "cafe", "--org", "acme", "--tag", "a=b", "--description", "x"]).ok();
    hub.run(&["location", "add", "bar", "--org", "acme"]).ok();
    hub.run(&["location", "add", "wait", "--key-mode", "router"]).ok();
    let file = write(
        &hub,
        "fleet.csv",
        &format!("name,org,tags,public_key\ncafe,,a=c,\nbar,acme,,\nwait,,,{ROUTER_KEY}\nnew,,,\n"),
    );
    let dry = hub.run(&["location", "import", &file, "--update", "-n"]).ok();
    assert_eq!(
        dry.stderr,
        "would change cafe\nwould change wait at 10.0.0.4 (key mode router)\n\
         would add new at 10.0.0.5 (key mode stored)\n\
         would add 1 location, change 2, and leave 1 as they are\n"
    );
    let report = hub.run(&["--json", "location", "import", &file, "--update"]).ok().json();
    assert_eq!(
        (&report["created"], &report["updated"], &report["unchanged"]),
        (&json!(["new"]), &json!(["cafe", "wait"]), &json!(["bar"]))
    );
    let l = hub.run(&["--json", "location", "show", "cafe"]).ok().json()["location"].clone();
    // The file has no column for the description: it stays.
    assert_eq!((&l["org"], &l["tags"], &l["description"]), (&json!(null), &json!({"a": "c"}), &json!("x")));
    assert!(hub.live().contains(&(ROUTER_KEY.to_owned(), "10.0.0.4/32".into())));
    let again = hub.run(&["--json", "location", "import", &file, "--update"]).ok().json();
    assert_eq!(again["changed"], false);
    hub.run(&["sync", "--check"]).ok();
}

#[test]
fn update_leaves_keys_and_addresses_of_peers_alone() {
    let hub = Hub::up();
    let key = hub.add("cafe");
    hub.run(&["location", "add", "kiosk", "--no-provision"]).ok();
    let file = write(
        &hub,
        "fleet.json",
        &format!(
            "[{{\"name\":\"cafe\",\"vpn_ip\":\"10.0.0.9\",\"public_key\":\"{ROUTER_KEY}\"}},\n\
              {{\"name\":\"kiosk\",\"key_mode\":\"once\"}}]"
        ),
    );
    let run = hub.run(&["location", "import", &file, "--update"]).code(4);
    let lines: Vec<&str> = run.stderr.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            format!("line 1: location \"cafe\" has the public key {key}; \"iwas-wg peer rotate cafe\" changes it"),
            "line 1: location \"cafe\" has the address 10.0.0.2; \"iwas-wg peer move cafe\" changes it".into(),
            "line 2: location \"kiosk\" has the key mode \"stored\"; \"iwas-wg peer provision kiosk --key-mode once\" changes it".into(),
            "hint: correct these rows and import the file again".into(),
        ]
    );
}

#[test]
fn addresses_of_removed_locations_return_last_for_an_import_too() {
    let hub = Hub::with_network("10.0.0.0/29");
    hub.run(&["up"]).ok();
    for name in ["a", "b", "c"] {
        hub.add(name);
    }
    hub.run(&["location", "remove", "b", "-y"]).ok();
    hub.run(&["location", "remove", "a", "-y"]).ok();
    let file = write(&hub, "fleet.csv", "name,vpn_ip\nd,\ne,10.0.0.5\nf,\ng,\n");
    hub.run(&["location", "import", &file]).ok();
    let list = hub.run(&["--json", "location", "list"]).ok().json();
    let held: BTreeMap<&str, &str> = list["locations"]
        .as_array()
        .expect("list")
        .iter()
        .map(|l| (l["name"].as_str().expect("name"), l["vpn_ip"].as_str().expect("address")))
        .collect();
    let wanted =
        [("c", "10.0.0.4"), ("d", "10.0.0.6"), ("e", "10.0.0.5"), ("f", "10.0.0.3"), ("g", "10.0.0.2")];
    assert_eq!(held, BTreeMap::from(wanted));
}

#[test]
fn scripts_that_cannot_be_written_stop_the_import() {
    let hub = Hub::up();
    let file = write(&hub, "fleet.csv", "name,key_mode\ncafe,once\n");
    let place = write(&hub, "occupied", "a file");
    let run = hub.run(&["location", "import", &file, "--scripts-dir", &place]).code(1);
    assert!(run.error().0.starts_with("iwas-wg: cannot create the directory"), "{run:?}");
    assert!(hub.live().is_empty());
    assert_eq!(hub.run(&["location", "list", "-o", "name"]).ok().stdout, "");
}

#[test]
fn a_site_that_has_ended_is_exported_and_imported_as_such() {
    let hub = Hub::up();
    hub.run(&["location", "add", "builders", "--expires", "1d"]).ok();
    hub.now.set(hub.now.get() + 2 * 86_400);
    hub.run(&["heartbeat"]).ok();
    let out = hub.run(&["location", "export"]).ok().stdout;
    assert!(out.contains("2026-11-24T10:00:00Z,disabled"), "{out}");
    let file = write(&hub, "out.csv", &out);
    assert_eq!(hub.run(&["--json", "location", "import", &file, "--update"]).ok().json()["changed"], false);
    let other = Hub::up();
    other.now.set(hub.now.get());
    other.run(&["location", "import", &file]).ok();
    assert!(other.live().is_empty(), "a disabled peer is on the interface");
    assert_eq!(other.run(&["location", "export"]).ok().stdout, out);
    other.run(&["sync", "--check"]).ok();
    let file = write(&hub, "back.csv", &out.replace("builders", "others").replace("disabled", "enabled"));
    let run = hub.run(&["location", "import", &file]).code(2);
    assert!(run.stderr.contains("line 2: expiry \"2026-11-24T10:00:00Z\" is not in the future"), "{run:?}");
    let file = write(&hub, "on.csv", "name,peer\nbuilders,enabled\n");
    let run = hub.run(&["location", "import", &file, "--update"]).code(4);
    assert!(run.stderr.contains("\"iwas-wg peer enable builders\" changes it"), "{run:?}");
}

/// Text as people and their enemies write it.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ,;\"'=]{0,12}", "\\PC{0,8}"]
        .prop_map(|s| s.trim().to_owned())
        .prop_filter("visible", |s| s.parse::<iwas_wg::model::Description>().is_ok())
}

fn row() -> impl Strategy<Value = serde_json::Value> {
    let org = proptest::option::of(
        text().prop_filter("org", |s| s.parse::<iwas_wg::model::name::NewOrg>().is_ok()),
    );
    let description = proptest::option::of(prop_oneof![
        text().prop_filter("not empty", |s| !s.is_empty()),
        Just("two\nlines\tand a tab".to_owned()),
    ]);
    let tags = proptest::collection::btree_map("[A-Za-z0-9._-]{1,4}", text(), 0..4);
    let keys = prop_oneof![
        Just((json!("stored"), json!("enabled"))),
        Just((json!("once"), json!("enabled"))),
        Just((json!("router"), json!("none"))),
        Just((json!("stored"), json!("disabled"))),
        Just((json!("stored"), json!("none"))),
    ];
    let expires = proptest::option::of((1..90u32).prop_map(|days| format!("{days}d")));
    (org, description, tags, keys, expires).prop_map(|(org, description, tags, (mode, peer), expires)| {
        json!({"org": org, "description": description, "tags": tags, "key_mode": mode, "peer": peer,
               "expires": expires})
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_exported_imports_as_the_same(rows in proptest::collection::vec(row(), 0..6)) {
        let mut rows = rows;
        for (n, row) in rows.iter_mut().enumerate() {
            row["name"] = json!(format!("l{n}"));
        }
        let a = Hub::up();
        let scripts = a.path("scripts").display().to_string();
        let file = write(&a, "in.json", &json!({"locations": rows}).to_string());
        a.run(&["location", "import", &file, "--scripts-dir", &scripts]).ok();
        for format in ["csv", "json"] {
            let out = a.run(&["location", "export", "--format", format]).ok().stdout;
            let file = write(&a, "out", &out);
            let same = a.run(&["--json", "location", "import", &file, "--update"]).ok().json();
            prop_assert_eq!(&same["changed"], &json!(false));
            let b = Hub::up();
            // Another hub makes other keys.
            b.random.set(7);
            b.run(&["location", "import", &file]).ok();
            prop_assert_eq!(b.run(&["location", "export", "--format", format]).ok().stdout, out);
        }
    }
}

/// What an import says of a file, with its hint.
fn refused(text: &[u8]) -> String {
    let hub = Hub::up();
    let file = hub.path("fleet.csv");
    fs::write(&file, text).expect("file");
    let run = hub.run(&["location", "import", file.to_str().expect("path"), "-n"]).code(2);
    run.stderr.replace(file.to_str().expect("path"), "FILE")
}

#[test]
fn each_form_that_spreadsheets_write_and_no_import_takes_has_its_own_message() {
    let utf16: Vec<u8> = "\u{feff}name,org\r\na,b\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let bare: Vec<u8> = "name,org\na,b\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let utf16_told = "iwas-wg: the file is UTF-16 text\nhint: save it as UTF-8, such as \"CSV UTF-8\"\n";
    let one = "iwas-wg: 1 of 2 rows of FILE cannot be imported; nothing was changed\n";
    let end = "hint: correct these rows and import the file again\n";
    for (text, told) in [
        (utf16.as_slice(), utf16_told.to_owned()),
        (bare.as_slice(), utf16_told.to_owned()),
        (
            b"sep=;\r\nname;org\r\na;b\r\n",
            "iwas-wg: the first line is \"sep=\", which only spreadsheets read\n\
             hint: remove that line; commas and semicolons are both known without it\n"
                .to_owned(),
        ),
        (
            b"name\torg\na\tb\n",
            "iwas-wg: the cells are separated by tabs\n\
             hint: save the file with commas or semicolons between the cells\n"
                .to_owned(),
        ),
        (
            b"name,org\r\na,b\r\nc,\"d\r\ne,f\r\n",
            "iwas-wg: line 3: the quote that opens here is never closed\n\
             hint: close it; a quote within a cell in quotes is written twice\n"
                .to_owned(),
        ),
        (
            b"name,org,\na,b,\n",
            "iwas-wg: a column has no name\n\
             hint: remove the separator at the end of the header, or name the column\n"
                .to_owned(),
        ),
        (
            b"name,org\r\na,b\r\nc,d,,\r\n",
            format!(
                "{one}line 3: the row has 4 cells, the header 2; remove the separators at the end of the row\n{end}"
            ),
        ),
        (
            b"name,org\r\n\r\na,b\r\n\"c\"\r\n",
            format!(
                "{one}line 4: the row has 1 cells, the header 2; add the cells that are missing; they may be empty\n{end}"
            ),
        ),
    ] {
        assert_eq!(refused(text), told, "{:?}", String::from_utf8_lossy(text));
    }
}

#[test]
fn lines_are_counted_as_an_editor_does_whatever_ends_them() {
    for end in ["\n", "\r\n", "\r"] {
        let text =
            ["name,description", "a,\"two\nlines\"", "", "B,x", "c,\"a \"\"b\"\"\"", "D,y", ""].join(end);
        let told = refused(text.as_bytes());
        let lines: Vec<&str> =
            told.lines().filter_map(|l| l.strip_prefix("line ")?.split(':').next()).collect();
        assert_eq!(lines, ["5", "7"], "{end:?}: {told}");
    }
}
