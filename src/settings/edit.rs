//! One setting at a time, in the text of `config.toml`: comments, order and all other keys stay.

use super::{KNOWN, SettingsError, file::suggest};
use toml_edit::{DocumentMut, Item, Table, TomlError, Value};

/// The text of a settings file that is being changed.
#[derive(Debug, Clone)]
pub struct Edited(DocumentMut);

impl Edited {
    /// Reads the text.
    ///
    /// # Errors
    /// [`SettingsError`] if it is not TOML.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        text.parse().map(Self).map_err(|e: TomlError| {
            let what = e.message().lines().next().unwrap_or_default().to_owned();
            refused(format!("the settings are not TOML: {what}"), "correct the file")
        })
    }

    /// The value of a key as TOML, without quotes where it is a text.
    pub fn get(&self, key: &Dotted<'_>) -> Option<String> {
        let value = self.0.get(key.section)?.get(key.name)?.as_value()?;
        Some(match value {
            Value::String(text) => text.value().clone(),
            other => other.clone().decorated("", "").to_string(),
        })
    }

    /// Sets a key. The value is TOML where it is that, else a text.
    pub fn set(&mut self, key: &Dotted<'_>, value: Value) {
        let section = self.0.entry(key.section).or_insert_with(|| Item::Table(Table::new()));
        match section.get_mut(key.name).and_then(Item::as_value_mut) {
            // What stands behind the value, such as a comment, stays.
            Some(old) => {
                let decor = old.decor().clone();
                *old = value;
                *old.decor_mut() = decor;
            }
            None => section[key.name] = Item::Value(value),
        }
    }

    /// Takes a key away; whether it was there.
    pub fn unset(&mut self, key: &Dotted<'_>) -> bool {
        let section = self.0.get_mut(key.section).and_then(Item::as_table_like_mut);
        section.is_some_and(|section| section.remove(key.name).is_some())
    }

    /// The text as it is now.
    pub fn text(&self) -> String {
        self.0.to_string()
    }
}

/// A known key as `section.name`.
#[derive(Debug, Clone, Copy)]
pub struct Dotted<'a> {
    section: &'a str,
    name: &'a str,
    /// The value that it has when it is not given, in TOML.
    pub default: &'static str,
}

impl<'a> Dotted<'a> {
    /// Reads `section.name`.
    ///
    /// # Errors
    /// [`SettingsError`] for a key that there is not, with the one that may have been meant.
    pub fn parse(text: &'a str) -> Result<Self, SettingsError> {
        let all: Vec<String> =
            KNOWN.iter().flat_map(|s| s.keys.iter().map(|k| format!("{}.{}", s.name, k.name))).collect();
        let found = text.split_once('.').and_then(|(section, name)| {
            let known = KNOWN.iter().find(|s| s.name == section)?.keys.iter().find(|k| k.name == name)?;
            Some(Self { section, name, default: known.default })
        });
        found.ok_or_else(|| {
            let known: Vec<&str> = all.iter().map(String::as_str).collect();
            refused(format!("unknown setting {text:?}"), &suggest(text, &known))
        })
    }
}

/// The values that a word of the command line may mean: TOML first, then a text.
pub fn meanings(word: &str) -> Vec<Value> {
    let text = Value::from(word);
    match word.parse::<Value>() {
        Ok(value) => vec![value.decorated(" ", ""), text],
        Err(_) => vec![text],
    }
}

fn refused(message: String, hint: &str) -> SettingsError {
    SettingsError { message, hint: Some(hint.to_owned()), usage: true }
}
