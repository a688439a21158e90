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
