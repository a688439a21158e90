//! The house rules that a compiler does not know: which room may knock at which, which crate is
//! named where, how long a file may be.
//!
//! [`broken_rules`] works on any given texts, so that further tests can show that it finds what
//! it is there to find.

use std::{collections::BTreeSet, fs, path::Path};

/// A room, the rooms it may name, and the crates that it alone may name.
struct Room {
    name: &'static str,
    rooms: &'static [&'static str],
    crates: &'static [&'static str],
}

const fn room(name: &'static str, rooms: &'static [&'static str], crates: &'static [&'static str]) -> Room {
    Room { name, rooms, crates }
}

const ROOMS: &[Room] = &[
    room("model", &[], &["base64", "sha2", "strsim", "unicode_security", "x25519_dalek"]),
    room("fsx", &["model"], &["tempfile", "rustix"]),
    // The devices are a part of the outside world.
    room("env", &["model", "fsx", "device"], &["getrandom", "rustix", "nix", "rpassword", "signal_hook"]),
    room("store", &["model", "fsx"], &["rusqlite", "sha2"]),
    room(
        "device",
        &["model", "fsx"],
        &[
            "wireguard_control",
            "netlink_packet_core",
            "netlink_packet_route",
            "netlink_request",
            "netlink_sys",
            "nix",
            "rustix",
        ],
    ),
    room("wgconf", &["model"], &[]),
    room("script", &["model"], &[]),
    room("vault", &["model", "fsx"], &["age"]),
    room("settings", &["model", "fsx"], &["toml", "toml_edit", "serde"]),
    room("access", &["model", "fsx"], &["toml", "serde"]),
    room(
        "output",
        &["model", "error", "env"],
        &["comfy_table", "crossterm", "indicatif", "serde", "serde_json"],
    ),
    room(
        "error",
        &["model", "fsx", "store", "device", "wgconf", "script", "vault", "settings", "access"],
        &["clap"],
    ),
    room(
        "commands",
        &[
            "model", "fsx", "env", "store", "device", "wgconf", "script", "vault", "settings", "access",
            "output", "error",
        ],
        &["anyhow", "clap", "clap_complete", "csv", "roff", "serde", "serde_json", "shlex", "toml"],
    ),
    room("cli", &["commands", "settings", "output", "error", "env"], &["clap"]),
    room("main", &["cli", "env", "run"], &["anyhow"]),
];

/// Words of every room: values that the model is made of, and the derive of the error types.
const EVERYWHERE: &[&str] = &["ipnet", "jiff", "thiserror", "zeroize"];

const SHAPELESS: &[&str] = &["util", "utils", "helper", "helpers", "common", "manager", "misc"];
const UNFINISHED: &[&str] = &["todo!", "dbg!", "unimplemented!", "FIXME", "XXX"];
const LONGEST_FILE: usize = 500;
const LONGEST_MAIN: usize = 25;

/// A file below `src/`, by its path there.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The room it belongs to: the first part of its path.
    fn room(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// Tests may name what they like.
    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// How many `super::` lead out of the room.
    fn depth(&self) -> usize {
        let folders = self.path.matches('/').count();
        if self.path.ends_with("/mod.rs") { folders } else { folders + 1 }
    }
}

/// All broken rules, each as `FILE: what`.
fn broken_rules(sources: &[Source], manifest: &str) -> Vec<String> {
    let mut broken = Vec::new();
    let dependencies = dependencies(manifest);
    for name in &dependencies {
        let owned = ROOMS.iter().any(|r| r.crates.contains(&name.as_str()));
        if !owned && !EVERYWHERE.contains(&name.as_str()) {
            broken.push(format!("Cargo.toml: the crate {name} has no room"));
        }
    }
    if !manifest.lines().any(|l| l.trim() == "unsafe_code = \"forbid\"") {
        broken.push("Cargo.toml: unsafe code is not forbidden".to_owned());
    }
    for source in sources {
        let mut say = |what: String| broken.push(format!("{}: {what}", source.path));
        let lines = source.text.lines().count();
        if lines > LONGEST_FILE {
            say(format!("{lines} lines, {LONGEST_FILE} at most"));
        }
        if source.path == "main.rs" && lines > LONGEST_MAIN {
            say(format!("{lines} lines, {LONGEST_MAIN} at most"));
        }
        if !source.text.starts_with("//!") {
            say("does not begin with //!".to_owned());
        }
        for word in UNFINISHED.iter().filter(|w| source.text.contains(**w)) {
            say(format!("has {word}"));
        }
        for part in source.path.trim_end_matches(".rs").split('/').filter(|p| SHAPELESS.contains(p)) {
            say(format!("{part:?} says nothing about what is in it"));
        }
        if source.path == "lib.rs" || source.is_test() {
            continue;
        }
        let Some(room) = ROOMS.iter().find(|r| r.name == source.room()) else {
            say(format!("the room {} is not in the plan of the house", source.room()));
            continue;
        };
        let code = code_of(&source.text);
        for named in rooms_named(&code).iter().filter(|n| *n != room.name) {
            if !room.rooms.contains(&named.as_str()) {
                say(format!("{} must not name {named}", room.name));
            }
        }
        if supers(&code) >= source.depth() {
            say("leaves its room through super".to_owned());
        }
        for name in dependencies.iter().filter(|n| names_crate(&code, n)) {
            if !EVERYWHERE.contains(&name.as_str()) && !room.crates.contains(&name.as_str()) {
                say(format!("{} must not name the crate {name}", room.name));
            }
        }
    }
    broken
}

/// The names in `[dependencies]`, as code writes them.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    manifest
        .lines()
        .skip_while(|l| l.trim() != "[dependencies]")
        .skip(1)
        .take_while(|l| !l.starts_with('['))
        .filter(|l| !l.trim_start().starts_with('#'))
        .filter_map(|l| l.split_once('='))
        .map(|(name, _)| name.trim().replace('-', "_"))
        .collect()
}

/// The code without comments, texts and the tests at its end.
fn code_of(text: &str) -> String {
    let text = match text.find("#[cfg(test)]\nmod tests {") {
        Some(at) => &text[..at],
        None => text,
    };
    let bytes = text.as_bytes();
    let mut code = String::with_capacity(text.len());
    let mut i = 0;
    while i < bytes.len() {
        let rest = &text[i..];
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(fence) = raw_fence(rest).filter(|_| !code.ends_with(is_word)) {
            let end = format!("\"{}", "#".repeat(fence));
            let body = fence + 2;
            rest[body..].find(&end).map_or(rest.len(), |at| body + at + end.len())
        } else if rest.starts_with('"') {
            quoted(rest, b'"')
        } else if rest.starts_with("'\\") || rest.chars().nth(2) == Some('\'') && rest.starts_with('\'') {
            quoted(rest, b'\'')
        } else {
            0
        };
        if skipped == 0 {
            let c = rest.chars().next().expect("a character");
            code.push(c);
            i += c.len_utf8();
        } else {
            code.push(' ');
            i += skipped;
        }
    }
    code
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Length of the `/* … */` that begins here; they nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut i) = (0, 0);
    while i < text.len() {
        match text.as_bytes().get(i..i + 2) {
            Some(b"/*") => (depth, i) = (depth + 1, i + 2),
            Some(b"*/") if depth == 1 => return i + 2,
            Some(b"*/") => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
    }
    text.len()
}

/// The number of `#` of the raw text that begins here.
fn raw_fence(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('r')?;
    let fence = rest.bytes().take_while(|b| *b == b'#').count();
    rest[fence..].starts_with('"').then_some(fence)
}

/// Length of the quoted text that begins here.
fn quoted(text: &str, quote: u8) -> usize {
    let mut escaped = false;
    for (i, b) in text.bytes().enumerate().skip(1) {
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b if b == quote => return i + 1,
            _ => {}
        }
    }
    text.len()
}

/// The rooms named behind `crate::` or, in the binary, behind `iwas_wg::`.
fn rooms_named(code: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for root in ["crate::", "iwas_wg::"] {
        for (at, _) in code.match_indices(root) {
            if code[..at].ends_with(is_word) {
                continue;
            }
            let rest = code[at + root.len()..].trim_start();
            if let Some(group) = rest.strip_prefix('{') {
                all.extend(first_level(group));
            } else {
                all.insert(word(rest));
            }
        }
    }
    all
}

fn word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| is_word(*c)).collect()
}

/// The first word of each part of `a::b, c::{d, e}}…`.
fn first_level(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut all) = (0, 0, Vec::new());
    for (i, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                all.push(word(&group[start..i]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                all.push(word(&group[start..i]));
                start = i + 1;
            }
            _ => {}
        }
    }
    all.retain(|name| !name.is_empty());
    all
}

/// The longest chain of `super::`.
fn supers(code: &str) -> usize {
    let (mut rest, mut longest) = (code, 0);
    while let Some(at) = rest.find("super::") {
        rest = &rest[at..];
        let mut chain = 0;
        while let Some(after) = rest.strip_prefix("super::") {
            chain += 1;
            rest = after;
        }
        longest = longest.max(chain);
    }
    longest
}

/// Whether the code has `name::` or `use name` at the beginning of a path.
fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        let begins = match before.strip_suffix("::") {
            Some(path) => !path.ends_with(|c| is_word(c) || c == '>'),
            None => !before.ends_with(is_word),
        };
        let used = before.ends_with("use ") || before.ends_with("use ::");
        let is_path = after.starts_with("::") || used && !after.starts_with(is_word);
        begins && is_path
    })
}

fn read(dir: &Path, below: &str, all: &mut Vec<Source>) {
    for entry in fs::read_dir(dir).expect("directory") {
        let path = entry.expect("entry").path();
        let name = path.file_name().expect("name").to_string_lossy().into_owned();
        let name = format!("{below}{name}");
        if path.is_dir() {
            read(&path, &format!("{name}/"), all);
        } else if path.extension().is_some_and(|e| e == "rs") {
            all.push(Source { path: name, text: fs::read_to_string(&path).expect("text") });
        }
    }
}

fn house() -> (Vec<Source>, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    read(&root.join("src"), "", &mut sources);
    (sources, fs::read_to_string(root.join("Cargo.toml")).expect("manifest"))
}

#[test]
fn every_room_keeps_to_its_neighbours_and_its_crates() {
    let (sources, manifest) = house();
    assert!(sources.len() > 30, "only {} files were found", sources.len());
    let broken = broken_rules(&sources, &manifest);
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn test_files_are_not_longer_than_others() {
    let mut tests = Vec::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), "", &mut tests);
    let long: Vec<&str> = tests
        .iter()
        .filter(|t| t.text.lines().count() > LONGEST_FILE || !t.text.starts_with("//!"))
        .map(|t| t.path.as_str())
        .collect();
    assert!(long.is_empty(), "over {LONGEST_FILE} lines, or without //!: {long:?}");
}

/// What the checker says of one more file in the house.
fn said_of(path: &str, text: &str) -> Vec<String> {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    let source = Source { path: path.to_owned(), text: format!("//! A room.\n{text}") };
    broken_rules(&[source], &manifest.expect("manifest"))
}

#[test]
fn a_room_that_names_another_is_found_in_every_notation() {
    for text in [
        "use crate::store::Store;",
        "use crate::{model::Pool, store::{self, Store}};",
        "use crate::{\n    model::{\n        Pool,\n    },\n    store,\n};",
        "fn f() { crate::store::open(); }",
        "const C: char = '\"'; use crate::store; const D: &str = \"\\\"\";",
    ] {
        assert_eq!(said_of("wgconf/x.rs", text), ["wgconf/x.rs: wgconf must not name store"], "{text}");
    }
    assert_eq!(said_of("fsx.rs", "use super::store;"), ["fsx.rs: leaves its room through super"]);
    let deep = "fn f() { super::super::store::open() }";
    assert_eq!(said_of("wgconf/x.rs", deep), ["wgconf/x.rs: leaves its room through super"]);
    assert_eq!(said_of("model/mod.rs", "use crate::cli;"), ["model/mod.rs: model must not name cli"]);
    assert_eq!(said_of("attic.rs", ""), ["attic.rs: the room attic is not in the plan of the house"]);
}

#[test]
fn a_crate_outside_its_room_is_found() {
    for text in [
        "use rusqlite::Connection;",
        "use ::rusqlite as sql;",
        "#[derive(rusqlite::X)]",
        "fn f(c: &rusqlite::Row) {}",
    ] {
        let expected = ["wgconf/x.rs: wgconf must not name the crate rusqlite"];
        assert_eq!(said_of("wgconf/x.rs", text), expected, "{text}");
    }
    let manifest = "[lints.rust]\nunsafe_code = \"allow\"\n[dependencies]\nleft-pad = \"1\"\n";
    let expected = ["Cargo.toml: the crate left_pad has no room", "Cargo.toml: unsafe code is not forbidden"];
    assert_eq!(broken_rules(&[], manifest), expected);
}

#[test]
fn comments_texts_and_tests_may_name_anything() {
    for text in [
        "// crate::store, rusqlite::Row\n",
        "/* crate::store /* nested */ rusqlite::Row */",
        "const S: &str = \"crate::store rusqlite::Row\";",
        "const S: &str = r#\"crate::store \" rusqlite::Row\"#;",
        "use super::Conf; fn storage(page: u8) { self::usage::x(); crate::model::age::y() }",
        "#[cfg(test)]\nmod tests {\n use crate::store; use tempfile::X; use super::super::Y;\n}\n",
    ] {
        assert_eq!(said_of("wgconf/x.rs", text), [""; 0], "{text}");
    }
    assert_eq!(said_of("wgconf/tests.rs", "use crate::store; use tempfile::X;"), [""; 0]);
}

#[test]
fn long_bare_and_unfinished_files_are_found() {
    assert_eq!(said_of("vault.rs", &"\n".repeat(500)), ["vault.rs: 501 lines, 500 at most"]);
    assert_eq!(said_of("main.rs", &"\n".repeat(25)), ["main.rs: 26 lines, 25 at most"]);
    let manifest = "[lints.rust]\nunsafe_code = \"forbid\"\n";
    let bare = Source { path: "vault.rs".into(), text: "fn f() { todo!() }".into() };
    let expected = ["vault.rs: does not begin with //!", "vault.rs: has todo!"];
    assert_eq!(broken_rules(&[bare], manifest), expected);
    let expected = "store/util.rs: \"util\" says nothing about what is in it";
    assert_eq!(said_of("store/util.rs", ""), [expected]);
}
