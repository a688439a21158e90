//! `--names`: what adopted peers shall be called.

use crate::{
    error::{Error, Kind},
    fsx,
    model::{LocationName, PublicKey},
};
use std::{collections::HashMap, path::Path};

/// Reads `PUBLIC-KEY,NAME` lines; a first line that is no key is a heading.
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
    let (mut names, mut seen) = (HashMap::new(), HashMap::new());
    for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let (key, name) = line.split_once(',').ok_or_else(|| wrong(n + 1, "has no comma"))?;
        let (key, name) = (key.trim().trim_matches('"'), name.trim().trim_matches('"'));
        let Ok(key) = key.parse::<PublicKey>() else {
            if n == 0 {
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
