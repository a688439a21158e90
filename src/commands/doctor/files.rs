//! Who owns the hub's files, and what others may do with them.

use super::Findings;
use crate::{error::Error, fsx, settings::Settings};
use std::{collections::BTreeMap, path::Path};

/// Owner and mode of each file that commands believe, and of the program that a heartbeat starts.
pub(super) fn files(found: &mut Findings, settings: &Settings, vars: &BTreeMap<String, String>) {
    let database = &settings.places.database;
    for (check, path, is_secret) in [
        ("settings", settings.places.config.as_path(), false),
        ("store", database, true),
        ("store", &database.with_extension("db-wal"), true),
        ("identity", &settings.identity, true),
        ("conf", &settings.conf, true),
    ] {
        file(found, check, path, is_secret);
    }
    let path = vars.get("PATH").map_or("", String::as_str);
    if let Some(words) = &settings.on_change
        && let Err(e) = fsx::trusted_program(words, path)
    {
        let e = Error::from(e);
        let message = format!("heartbeat.on_change is not started: {}", e.message);
        found.error("on-change", Error { message, ..e }, "name another program");
    }
}

fn file(found: &mut Findings, check: &'static str, path: &Path, is_secret: bool) {
    match fsx::trusted(path) {
        // What is missing is the finding of another check.
        Ok(None) => {}
        Err(e) => found.error(check, e.into(), "see who may write there"),
        Ok(Some(_)) => {
            let Some((rights, others_read)) = fsx::rights(path) else {
                return;
            };
            let path = path.display();
            if is_secret && others_read {
                let message = format!("others can read {path} ({rights})");
                found.fault(check, message, &format!("chmod 600 {path}"));
            } else {
                found.ok(check, format!("{path}: {rights}"));
            }
        }
    }
}
