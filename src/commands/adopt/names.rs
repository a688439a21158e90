//! What adopted peers are called: by `--names`, or by what people wrote of them.

use crate::{
    error::{Error, Kind},
    fsx,
    model::{
        Description, LocationName, PublicKey,
        name::{DESCRIPTION_MAX, NAME_MAX},
        text::steers_a_terminal,
    },
};
use std::{collections::HashMap, path::Path};

/// Reads `PUBLIC-KEY,NAME` lines, with a comma, semicolon or tab; a first line that is no key is a
/// heading.
pub(super) fn read(path: &Path) -> Result<HashMap<PublicKey, LocationName>, Error> {
    let wrong = |line: usize, why: &str| {
        Error::new(Kind::Usage, format!("{} line {line}: {why}", path.display()))
            .hint("write PUBLIC-KEY,NAME on each line")
    };
    let text = fsx::read(path)?.ok_or_else(|| {
        Error::new(Kind::Usage, format!("there is no file {} with names", path.display()))
            .hint("name one with --names, or leave it out")
    })?;
    let text = String::from_utf8(text).map_err(|_| wrong(1, "is not UTF-8 text"))?;
    // Spreadsheets put this before the first line, which may be a key.
    let text = text.trim_start_matches('\u{feff}');
    let headings = 1 + usize::from(text.starts_with("sep="));
    let (mut names, mut seen) = (HashMap::new(), HashMap::new());
    for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let (key, name) = line.split_once([',', ';', '\t']).ok_or_else(|| wrong(n + 1, "has no comma"))?;
        // A spreadsheet may write the separators of columns that are empty.
        let name = name.trim_end_matches([',', ';', '\t', ' ', '\r']);
        let (key, name) = (key.trim().trim_matches('"'), name.trim().trim_matches('"'));
        let Ok(key) = key.parse::<PublicKey>() else {
            if n < headings {
                continue;
            }
            return Err(wrong(n + 1, "does not begin with a public key"));
        };
        let name: LocationName =
            name.parse().map_err(|e: crate::model::Invalid| wrong(n + 1, &e.to_string()))?;
        if let Some(before) = seen.insert(name.clone(), n + 1) {
            return Err(wrong(n + 1, &format!("gives the name of line {before} again")));
        }
        if names.insert(key, name).is_some() {
            return Err(wrong(n + 1, "names a public key again"));
        }
    }
    Ok(names)
}

/// What a comment says, in the letters of a name.
pub(super) fn fitted(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' | '.' | '_' => name.push(c),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    let name = name.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    name.chars().take(NAME_MAX).collect::<String>().trim_end_matches('-').to_owned()
}

/// What people wrote of a peer, as far as a description goes.
pub(super) fn description(note: &str) -> Option<Description> {
    let shown: String = note.chars().map(|c| if steers_a_terminal(c) { ' ' } else { c }).collect();
    if shown.chars().count() <= DESCRIPTION_MAX {
        return shown.parse().ok();
    }
    let cut: String = shown.chars().take(DESCRIPTION_MAX - 1).collect();
    format!("{cut}…").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_become_names() {
        for (text, name) in [
            ("Café Central", "caf-central"),
            ("site_07.vienna", "site_07.vienna"),
            ("  -- Bob's laptop --", "bob-s-laptop"),
            ("???", ""),
            (&"x".repeat(80), &"x".repeat(63)),
        ] {
            assert_eq!(fitted(text), name);
        }
    }

    #[test]
    fn a_long_note_is_cut_and_not_dropped() {
        let note = description(&"ä ".repeat(400)).expect("a description");
        assert_eq!(note.as_str().chars().count(), DESCRIPTION_MAX);
        assert!(note.as_str().ends_with("ä…") || note.as_str().ends_with(" …"));
        assert_eq!(description("a\u{7}b").expect("a description").as_str(), "a b");
    }
}
