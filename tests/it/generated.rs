//! Files that the program can make are equal to those that are checked in.

use crate::support::{Hub, tree};
use std::{fs, path::Path};

#[test]
fn the_man_pages_are_those_that_the_program_makes() {
    let hub = Hub::empty();
    let made = hub.path("man");
    hub.run(&["generate", "man", made.to_str().expect("path")]).ok();
    let by_name = |dir: &Path| -> Vec<(String, Vec<u8>)> {
        let name = |p: &Path| p.file_name().expect("name").to_string_lossy().into_owned();
        tree(dir).into_iter().map(|(path, bytes)| (name(&path), bytes)).collect()
    };
    let checked_in = by_name(&Path::new(env!("CARGO_MANIFEST_DIR")).join("man"));
    let made = by_name(&made);
    let stale: Vec<&str> =
        made.iter().filter(|page| !checked_in.contains(page)).map(|(name, _)| name.as_str()).collect();
    assert!(stale.is_empty(), "refresh with \"cargo run -- generate man man\": {stale:?}");
    assert_eq!(made.len(), checked_in.len(), "man/ has pages of commands that are gone");
}

#[test]
fn the_loaders_are_printed_as_they_are_checked_in() {
    let hub = Hub::empty();
    for (shell, file) in [("bash", "iwas-wg.bash"), ("zsh", "_iwas-wg"), ("fish", "iwas-wg.fish")] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions").join(file);
        assert_eq!(hub.run(&["completions", shell]).ok().stdout, fs::read_to_string(path).expect(file));
    }
}

#[test]
fn every_setting_and_its_variable_are_in_the_manual_and_in_the_first_settings_file() {
    let hub = Hub::with_network("10.0.0.0/24");
    let first = fs::read_to_string(hub.path("etc/iwas-wg/config.toml")).expect("settings");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/iwas-wg.toml.5");
    let page = fs::read_to_string(page).expect("page");
    let mut seen = 0;
    for section in iwas_wg::settings::KNOWN {
        assert!(page.contains(&format!(".SH [{}]\n", section.name)), "{} is not documented", section.name);
        for key in section.keys {
            let term = format!(".TP\n\\fB{}\\fR = ", key.name);
            assert!(page.contains(&term), "{}.{} is not documented", section.name, key.name);
            if let Some(variable) = key.variable {
                assert!(page.contains(&format!("\\fB{variable}\\fR\n")), "{variable} is not documented");
            }
            // A hub that was there before has its address written; what is not honoured is not offered.
            if !["address", "on_change"].contains(&key.name) {
                let line = |l: &str| l.trim_start_matches("# ").split(' ').next() == Some(key.name);
                assert!(first.lines().any(line), "init does not explain {}.{}", section.name, key.name);
            }
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen} settings were found");
}

#[test]
fn every_page_has_the_sections_that_a_reader_looks_for() {
    let man = Path::new(env!("CARGO_MANIFEST_DIR")).join("man");
    let wanted =
        ["NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"];
    let mut seen = 0;
    for (path, bytes) in tree(&man) {
        let page = String::from_utf8(bytes).expect("UTF-8");
        for section in wanted {
            let quoted = if section.contains(' ') { format!("\"{section}\"") } else { section.to_owned() };
            assert!(page.contains(&format!(".SH {quoted}\n")), "{} has no {section}", path.display());
        }
        seen += 1;
    }
    assert!(seen > 20, "only {seen} pages were found");
}
