//! `config.toml` as typed values that remember where they came from.

use super::{KNOWN, SettingsError};
use crate::model::router::Watchdog;
use crate::model::{
    Invalid,
    text::closest,
    time::{SPAN_MAX, parse_seconds, parse_span},
};
use std::{
    collections::BTreeMap,
    ops::{Range, RangeInclusive},
    path::Path,
    str::FromStr,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A value as text, with the place it came from.
pub(super) struct Value {
    pub(super) text: String,
    /// `FILE line N` or the variable's name.
    origin: String,
    /// `section.key` where the origin does not say it.
    key: Option<String>,
}

impl Value {
    fn usage(&self) -> bool {
        self.key.is_none()
    }

    pub(super) fn refused(&self, reason: &str, hint: &str) -> SettingsError {
        let key = self.key.as_ref().map(|k| format!("{k}: ")).unwrap_or_default();
        SettingsError {
            message: format!("{}: {key}{:?} {reason}", self.origin, self.text),
            hint: Some(hint.to_owned()),
            usage: self.usage(),
        }
    }

    pub(super) fn wrong(&self, e: &Invalid) -> SettingsError {
        SettingsError {
            message: format!("{}: {e}", self.origin),
            hint: Some(e.hint.clone()),
            usage: self.usage(),
        }
    }

    pub(super) fn parse<T: FromStr<Err = Invalid>>(&self) -> Result<T, SettingsError> {
        self.text.parse().map_err(|e| self.wrong(&e))
    }

    pub(super) fn parse_net(&self) -> Result<ipnet::IpNet, SettingsError> {
        self.text.parse().map_err(|_| {
            self.refused("is not a network in CIDR notation", "write it such as \"10.0.0.0/24\"")
        })
    }
}

/// The parsed file with the environment over it.
pub(super) struct File<'a> {
    path: &'a Path,
    text: &'a str,
    table: DeTable<'a>,
    vars: &'a BTreeMap<String, String>,
}

impl<'a> File<'a> {
    pub(super) fn parse(
        path: &'a Path,
        bytes: &'a [u8],
        vars: &'a BTreeMap<String, String>,
    ) -> Result<Self, SettingsError> {
        let error =
            |message: String| SettingsError { message, hint: Some("correct the file".into()), usage: false };
        let text =
            std::str::from_utf8(bytes).map_err(|_| error(format!("{} is not UTF-8 text", path.display())))?;
        let table = DeTable::parse(text).map_err(|e| {
            let line = e.span().map_or(1, |span| line_of(text, &span));
            let why = e.message().replace('\n', ", ");
            error(format!("{} line {line}: {why}", path.display()))
        })?;
        let file = Self { path, text, table: table.into_inner(), vars };
        file.refuse_unknown()?;
        Ok(file)
    }

    pub(super) fn origin(&self, span: &Range<usize>) -> String {
        format!("{} line {}", self.path.display(), line_of(self.text, span))
    }

    fn refuse_unknown(&self) -> Result<(), SettingsError> {
        let unknown =
            |span: &Range<usize>, what: String, given: &str, known: Vec<&'static str>| SettingsError {
                message: format!("{}: unknown {what}", self.origin(span)),
                hint: Some(suggest(given, &known)),
                usage: false,
            };
        for (section, value) in &self.table {
            let name = section.get_ref().as_ref();
            let Some(known) = KNOWN.iter().find(|s| s.name == name) else {
                let known = KNOWN.iter().map(|s| s.name).collect();
                let what = if value.get_ref().is_table() { "section" } else { "setting" };
                return Err(unknown(&section.span(), format!("{what} {name:?}"), name, known));
            };
            let keys = known.keys;
            let Some(table) = value.get_ref().as_table() else {
                return Err(SettingsError {
                    message: format!("{}: {name:?} must be a section", self.origin(&section.span())),
                    hint: Some(format!("write [{name}]")),
                    usage: false,
                });
            };
            if name == "access" {
                continue;
            }
            for key in table.keys() {
                let k = key.get_ref().as_ref();
                if !keys.iter().any(|known| known.name == k) && (name, k) != ("router", "for") {
                    let known = keys.iter().map(|k| k.name).collect();
                    return Err(unknown(&key.span(), format!("setting \"{name}.{k}\""), k, known));
                }
            }
        }
        Ok(())
    }

    fn find(&self, section: &str, key: &str) -> Option<&Spanned<DeValue<'a>>> {
        self.section_at(section)?.get_ref().as_table()?.get(key)
    }

    /// A section by its path: `router`, or `router.for.0`, the first of a list of tables.
    fn section_at(&self, path: &str) -> Option<&Spanned<DeValue<'a>>> {
        let mut steps = path.split('.');
        let mut at = self.table.get(steps.next()?)?;
        for step in steps {
            at = match (step.parse::<usize>(), at.get_ref()) {
                (Ok(n), DeValue::Array(list)) => list.get(n)?,
                (_, DeValue::Table(table)) => table.get(step)?,
                _ => return None,
            };
        }
        Some(at)
    }

    /// How many tables a list of them has.
    pub(super) fn tables(&self, path: &str) -> Result<usize, SettingsError> {
        let Some(v) = self.section_at(path) else {
            return Ok(0);
        };
        let hint = format!("write [[{path}]]");
        let wrong = |v| self.mistyped(v, path, "a list of tables", &hint);
        let list = v.get_ref().as_array().ok_or_else(|| wrong(v))?;
        match list.iter().find(|t| !t.get_ref().is_table()) {
            Some(other) => Err(wrong(other)),
            None => Ok(list.len()),
        }
    }

    /// Refuses what a section has beside these keys.
    pub(super) fn refuse_unknown_in(
        &self,
        path: &str,
        known: &[&str],
        suggest: fn(&str, &[&str]) -> String,
    ) -> Result<(), SettingsError> {
        let table = self.section_at(path).and_then(|v| v.get_ref().as_table());
        match table.into_iter().flat_map(|t| t.keys()).find(|k| !known.contains(&k.get_ref().as_ref())) {
            None => Ok(()),
            Some(key) => Err(SettingsError {
                message: format!(
                    "{}: unknown setting {:?}",
                    self.origin(&key.span()),
                    name(path, key.get_ref())
                ),
                hint: Some(suggest(key.get_ref(), known)),
                usage: false,
            }),
        }
    }

    /// An error about a section as a whole.
    pub(super) fn refused_section(&self, path: &str, reason: &str, hint: &str) -> SettingsError {
        let origin =
            self.section_at(path).map_or_else(|| self.path.display().to_string(), |v| self.origin(&v.span()));
        let shown = name(path, "");
        SettingsError {
            message: format!("{origin}: {} {reason}", shown.trim_end_matches('.')),
            hint: Some(hint.to_owned()),
            usage: false,
        }
    }

    /// `true`, `false` or `"auto"`.
    pub(super) fn watchdog(&self, section: &str, key: &str) -> Result<Option<Watchdog>, SettingsError> {
        let Some(v) = self.find(section, key) else {
            return Ok(None);
        };
        match v.get_ref() {
            DeValue::Boolean(flag) => Ok(Some(if *flag { Watchdog::On } else { Watchdog::Off })),
            DeValue::String(text) if text == "auto" => Ok(Some(Watchdog::Auto)),
            _ => {
                let key = name(section, key);
                Err(self.mistyped(v, &key, "true, false or \"auto\"", "write true, false or \"auto\""))
            }
        }
    }

    fn variable(&self, section: &str, key: &str) -> Option<Value> {
        let known = KNOWN.iter().find(|s| s.name == section)?;
        let name = known.keys.iter().find(|k| k.name == key)?.variable?;
        let text = self.vars.get(name).filter(|v| !v.is_empty())?;
        Some(Value { text: text.clone(), origin: name.to_owned(), key: None })
    }

    pub(super) fn mistyped(
        &self,
        v: &Spanned<DeValue<'_>>,
        key: &str,
        wanted: &str,
        hint: &str,
    ) -> SettingsError {
        let is = v.get_ref().type_str();
        let article = if is.starts_with(['a', 'i']) { "an" } else { "a" };
        SettingsError {
            message: format!("{}: {key} must be {wanted}, not {article} {is}", self.origin(&v.span())),
            hint: Some(hint.to_owned()),
            usage: false,
        }
    }

    /// A whole section, if the file has it.
    pub(super) fn section(&self, name: &str) -> Option<&DeTable<'a>> {
        self.table.get(name)?.get_ref().as_table()
    }

    pub(super) fn has(&self, section: &str, key: &str) -> bool {
        self.find(section, key).is_some()
    }

    /// A string, from the environment or the file.
    pub(super) fn text(&self, section: &str, key: &str) -> Result<Option<Value>, SettingsError> {
        if let Some(value) = self.variable(section, key) {
            return Ok(Some(value));
        }
        let Some(v) = self.find(section, key) else {
            return Ok(None);
        };
        let name = name(section, key);
        let text =
            v.get_ref().as_str().ok_or_else(|| self.mistyped(v, &name, "a string", "write it in quotes"))?;
        Ok(Some(Value { text: text.to_owned(), origin: self.origin(&v.span()), key: Some(name) }))
    }

    /// A string that becomes a value of the model.
    pub(super) fn parsed<T: FromStr<Err = Invalid>>(
        &self,
        section: &str,
        key: &str,
    ) -> Result<Option<T>, SettingsError> {
        self.text(section, key)?.map(|v| v.parse()).transpose()
    }

    /// A whole number within a range.
    pub(super) fn number<T: TryFrom<i64>>(
        &self,
        section: &str,
        key: &str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<T>, SettingsError> {
        let value = if let Some(value) = self.variable(section, key) {
            value
        } else {
            let Some(v) = self.find(section, key) else {
                return Ok(None);
            };
            let name = name(section, key);
            let number = v
                .get_ref()
                .as_integer()
                .ok_or_else(|| self.mistyped(v, &name, "a number", "write it without quotes"))?;
            Value { text: number.to_string(), origin: self.origin(&v.span()), key: Some(name) }
        };
        let number =
            value.text.parse::<i64>().ok().filter(|n| range.contains(n)).and_then(|n| T::try_from(n).ok());
        number.map(Some).ok_or_else(|| {
            let reason = format!("is not a number from {} to {}", range.start(), range.end());
            value.refused(&reason, "correct the value")
        })
    }

    /// A number of seconds within a range, or a span such as `"5m"`.
    pub(super) fn seconds(
        &self,
        section: &str,
        key: &str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<u32>, SettingsError> {
        let written = match self.variable(section, key) {
            Some(value) => Some(value.text),
            None => self.find(section, key).and_then(|v| v.get_ref().as_str().map(str::to_owned)),
        };
        let span = written.and_then(|text| parse_span("span", &text).ok()).filter(|s| range.contains(s));
        match span.and_then(|s| u32::try_from(s).ok()) {
            Some(seconds) => Ok(Some(seconds)),
            None => self.number(section, key, range),
        }
    }

    /// A span of time in seconds, written as such (`"24h"`) or as a number of them.
    pub(super) fn span(&self, section: &str, key: &str) -> Result<Option<i64>, SettingsError> {
        match self.find(section, key).map(Spanned::get_ref) {
            Some(DeValue::Integer(_)) => self.number(section, key, 1..=SPAN_MAX),
            _ => self
                .text(section, key)?
                .map(|v| parse_seconds("span", &v.text).map_err(|e| v.refused(&e.reason, &e.hint)))
                .transpose(),
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, section: &str, key: &str) -> Result<Option<bool>, SettingsError> {
        let Some(v) = self.find(section, key) else {
            return Ok(None);
        };
        let name = name(section, key);
        let wrong = || self.mistyped(v, &name, "true or false", "write true or false, without quotes");
        v.get_ref().as_bool().map(Some).ok_or_else(wrong)
    }

    /// A list of strings; empty if it is not there.
    pub(super) fn list(&self, section: &str, key: &str) -> Result<Vec<Value>, SettingsError> {
        let Some(v) = self.find(section, key) else {
            return Ok(Vec::new());
        };
        let name = name(section, key);
        let hint = "write [\"…\", \"…\"]";
        let array =
            v.get_ref().as_array().ok_or_else(|| self.mistyped(v, &name, "a list of strings", hint))?;
        array
            .iter()
            .map(|item| {
                let text = item
                    .get_ref()
                    .as_str()
                    .ok_or_else(|| self.mistyped(item, &name, "a list of strings", hint))?;
                Ok(Value {
                    text: text.to_owned(),
                    origin: self.origin(&item.span()),
                    key: Some(name.clone()),
                })
            })
            .collect()
    }

    /// A list of strings, or one string that stands for a list of one.
    pub(super) fn texts(&self, section: &str, key: &str) -> Result<Vec<Value>, SettingsError> {
        match self.find(section, key).map(Spanned::get_ref) {
            Some(DeValue::String(_)) => Ok(self.text(section, key)?.into_iter().collect()),
            _ => self.list(section, key),
        }
    }

    /// An error about a key as a whole.
    pub(super) fn refused_key(&self, section: &str, key: &str, reason: &str, hint: &str) -> SettingsError {
        let origin = self
            .find(section, key)
            .map_or_else(|| self.path.display().to_string(), |v| self.origin(&v.span()));
        SettingsError {
            message: format!("{origin}: {} {reason}", name(section, key)),
            hint: Some(hint.to_owned()),
            usage: false,
        }
    }

    /// An error about a default that clashes with the file.
    pub(super) fn wrong(&self, e: &Invalid) -> SettingsError {
        SettingsError {
            message: format!("{}: {e}", self.path.display()),
            hint: Some(e.hint.clone()),
            usage: false,
        }
    }
}

/// A key as people write it: a table of a list without its number.
fn name(section: &str, key: &str) -> String {
    let steps = section.split('.').filter(|s| s.parse::<usize>().is_err());
    steps.chain([key]).collect::<Vec<_>>().join(".")
}

fn line_of(text: &str, span: &Range<usize>) -> usize {
    1 + text.bytes().take(span.start).filter(|b| *b == b'\n').count()
}

pub(super) fn suggest(given: &str, known: &[&str]) -> String {
    match closest(given, known.iter().copied()) {
        Some(best) => format!("did you mean {best:?}?"),
        None => format!("known are: {}", known.join(", ")),
    }
}
