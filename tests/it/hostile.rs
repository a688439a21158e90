//! Text and files that are meant to harm: a message has a size, a cell is no formula, a page runs
//! nothing, and what is read is bounded.

use crate::support::Hub;
use std::{fs, io};

#[test]
fn a_message_has_a_size_whatever_it_is_about() {
    let hub = Hub::up();
    let long = "x".repeat(20_000);
    let sheet = hub.path("sheet.csv");
    let sheet_name = sheet.to_str().expect("path");
    let write = |text: String| fs::write(&sheet, text).expect("sheet");
    for words in [
        &["location", "add", &long][..],
        &["location", "add", "cafe", "--org", &long],
        &["location", "add", "cafe", "--description", &long],
        &["location", "add", "cafe", "--tag", &long],
        &["location", "add", "cafe", "--vpn-ip", &long],
        &["location", "add", "cafe", "--public-key", &long],
        &["location", "show", "cafe", &long],
        &["status", "--state", &long],
        &["script", "render", "cafe", "--kind", &long],
        &["access", "check", &long, "net:hub:admin"],
        &["backup", &long],
        &[&long],
    ] {
        for json in [false, true] {
            let words: Vec<&str> =
                json.then_some("--json").into_iter().chain(words.iter().copied()).collect();
            let run = hub.run(&words);
            assert_ne!(run.code, 0, "{:?}", &words[0]);
            for line in run.stderr.lines() {
                let size = line.chars().count();
                assert!(size < 1200, "{size} characters: {}", &line[..200]);
            }
        }
    }
    for text in [format!("name,{long}\n"), format!("name\n{long}\n"), format!("name,org\ncafe,{long}\n")] {
        write(text);
        let run = hub.run(&["location", "import", sheet_name]).code(2);
        assert!(run.stderr.lines().all(|l| l.chars().count() < 600), "{}", run.stderr.len());
    }
}

#[test]
fn what_is_imported_is_bounded() {
    let hub = Hub::up();
    let run = hub.run_in(&["location", "import", "-"], |env| env.stdin = Box::new(io::repeat(0))).code(2);
    assert_eq!(run.error().0, "iwas-wg: \"-\" has more than 128.0 MiB");
    let run =
        hub.run_in(&["location", "import", "-"], |env| env.stdin = Box::new(&b"name\n\0\0"[..])).code(2);
    assert_eq!(run.error().0, "iwas-wg: the file has a NUL byte: it is not UTF-8 text");
    let large = hub.path("large.csv");
    fs::File::create(&large).and_then(|f| f.set_len(1 << 40)).expect("sparse file");
    let large = large.to_str().expect("path");
    let run = hub.run(&["location", "import", large]).code(2);
    assert_eq!(
        run.error(),
        (format!("iwas-wg: {large:?} has more than 128.0 MiB").as_str(), "hint: import it in parts")
    );
    let cell = "y".repeat(300 << 10);
    for text in [format!("name,description\ncafe,{cell}\n"), format!("[{{\"name\":\"{cell}\"}}]")] {
        let run = hub
            .run_in(&["location", "import", "-"], |env| env.stdin = Box::new(io::Cursor::new(text)))
            .code(2);
        assert!(run.stderr.contains("the row has more than 256.0 KiB"), "{}", &run.stderr[..300]);
    }
    assert_eq!(hub.run(&["--json", "location", "list"]).ok().json()["locations"], serde_json::json!([]));
}

#[test]
fn no_cell_of_an_export_is_a_formula_and_an_import_gives_it_back() {
    let hub = Hub::up();
    let texts = ["=1+1", "+1", "-1", "@sum", "\t=1", "'=1", "''=1", "'plain", "=HYPERLINK(\"x\",\"y\")"];
    for (i, text) in texts.iter().enumerate() {
        let org = text.trim();
        let (org, text) = (format!("--org={org}"), format!("--description={text}"));
        hub.run(&["location", "add", &format!("s{i}"), &org, &text]).ok();
    }
    let csv = hub.run(&["location", "export"]).ok().stdout;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    for row in reader.records() {
        for cell in &row.expect("row") {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?} in {csv}");
        }
    }
    for words in [&["report", "--csv"][..], &["history", "--csv"]] {
        let csv = hub.run(words).ok().stdout;
        assert!(!csv.contains(",=") && !csv.contains(",+") && !csv.contains(",@"), "{csv}");
    }
    let other = Hub::up();
    other.run_in(&["location", "import", "-"], |env| env.stdin = Box::new(io::Cursor::new(csv.clone()))).ok();
    assert_eq!(other.run(&["location", "export"]).ok().stdout, csv, "another round gives another file");
    for (i, text) in texts.iter().enumerate() {
        let shown = other.run(&["--json", "location", "show", &format!("s{i}")]).ok().json();
        assert_eq!(shown["location"]["description"], *text);
        assert_eq!(shown["location"]["org"], text.trim());
    }
}

#[test]
fn a_page_runs_and_fetches_nothing() {
    let hub = Hub::up();
    hub.add("cafe");
    for words in [&["report"][..], &["history"]] {
        let page = hub.path("page.html");
        let words = [words, &["--html", page.to_str().expect("path")]].concat();
        hub.run(&words).ok();
        let page = fs::read_to_string(page).expect("page");
        assert!(
            page.contains("http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "),
            "{page}"
        );
    }
}

#[test]
fn a_description_loses_what_is_invisible() {
    let hub = Hub::up();
    hub.run(&["location", "add", "cafe", "--description", "a\u{ad}b\u{fe0f}\u{3164}c\u{e0041}\nd"]).ok();
    let shown = hub.run(&["--json", "location", "show", "cafe"]).ok().json();
    assert_eq!(shown["location"]["description"], "abc\nd");
}

#[test]
fn the_only_copy_of_a_key_is_not_made_for_a_closed_output() {
    let hub = Hub::up();
    hub.add("there");
    hub.run(&["location", "add", "later", "--no-provision"]).ok();
    for words in [
        &["location", "add", "cafe", "--key-mode", "once"][..],
        &["peer", "provision", "later", "--key-mode", "once"],
        &["peer", "rotate", "there", "--key-mode", "once"],
    ] {
        let before = hub.conf();
        let run = hub.run_in(words, |env| env.terminal.stdout_is_gone = true).code(1);
        let said = "iwas-wg: standard output is closed: the only copy of the key would be lost";
        assert_eq!(run.error(), (said, "hint: redirect it to a file"), "{words:?}");
        assert_eq!(hub.conf(), before);
    }
    hub.run(&["location", "show", "cafe"]).code(3);
    // A stored key can be printed again.
    hub.run_in(&["location", "add", "cafe"], |env| env.terminal.stdout_is_gone = true).ok();
}

#[test]
fn an_organization_or_role_that_looks_like_another_is_refused_wherever_it_is_given() {
    let hub = Hub::up();
    hub.run(&["location", "add", "cafe", "--org", "acme"]).ok();
    for org in ["ac\u{ad}me", "acme\u{2800}", "\u{430}cme", "\u{430}\u{441}\u{435}", "acme\u{e0041}"] {
        hub.run(&["location", "add", "evil", "--org", org]).code(2);
        hub.run(&["location", "set", "cafe", "--org", org]).code(2);
        let sheet = format!("name,org\nevil,{org}\n");
        hub.run_in(&["location", "import", "-"], |env| env.stdin = Box::new(io::Cursor::new(sheet))).code(2);
    }
    let e = hub.run(&["location", "add", "evil", "--org", "\u{430}cme"]).code(2);
    let hint = "hint: write it in one script, as those who read it type it";
    assert_eq!(e.error(), ("iwas-wg: org \"\u{430}cme\" mixes letters of several scripts", hint));
    for org in ["Käffchen & Söhne", "Яндекс", "東京タワー"] {
        hub.run(&["location", "set", "cafe", "--org", org]).ok();
    }
    hub.edit_settings("[heartbeat]", "[access.roles]\n\"vi\u{435}wer\" = [\"net:hub:admin\"]\n\n[heartbeat]");
    let e = hub.run(&["status"]).code(6);
    assert!(e.error().0.ends_with("mixes letters of several scripts"), "{e:?}");
}
