//! JSON: `{"locations":[…]}` as an export writes it, or the bare list.
#![expect(clippy::option_option, reason = "no column, an empty cell and a value are three things")]

use super::{
    Cell, Fault, Location, ROW_MAX, Raw, exported_key, exported_peer, fault, refuse, told, too_long,
};
use crate::{
    commands::context::unforeseen,
    error::{Error, Kind},
    model::{Description, Org, Tags},
    output::json::{SCHEMA_VERSION, time},
};
use anyhow::Context as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::net::Ipv4Addr;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object<'a> {
    schema_version: Option<u32>,
    #[serde(borrow)]
    locations: Vec<&'a RawValue>,
}

/// `Some(None)` is a key that is there with null.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct In {
    name: String,
    #[serde(default, deserialize_with = "there")]
    org: Option<Option<String>>,
    #[serde(default, deserialize_with = "there")]
    description: Option<Option<String>>,
    #[serde(default, deserialize_with = "there")]
    tags: Option<Option<Tags>>,
    vpn_ip: Option<String>,
    public_key: Option<String>,
    key_mode: Option<String>,
    #[serde(default, deserialize_with = "there")]
    expires: Option<Option<String>>,
    peer: Option<String>,
}

fn there<'de, T: Deserialize<'de>, D: Deserializer<'de>>(d: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(d).map(Some)
}

#[derive(Serialize)]
struct Out<'a> {
    name: &'a str,
    org: Option<&'a str>,
    description: Option<&'a str>,
    tags: &'a Tags,
    vpn_ip: Option<Ipv4Addr>,
    public_key: Option<String>,
    key_mode: &'static str,
    expires: Option<String>,
    peer: &'static str,
}

/// Hands over every row of the list.
pub(super) fn read(bytes: &[u8], take: &mut impl FnMut(Result<Raw, Fault>)) -> Result<(), Error> {
    let text = std::str::from_utf8(bytes).map_err(|_| refuse("the file is not UTF-8 text"))?;
    let no_json = |e: serde_json::Error| refuse(format!("the file is not JSON as an import takes it: {e}"));
    let rows = if text.trim_start().starts_with('[') {
        serde_json::from_str::<Vec<&RawValue>>(text).map_err(no_json)?
    } else {
        let object = serde_json::from_str::<Object<'_>>(text).map_err(no_json)?;
        if let Some(version) = object.schema_version.filter(|v| *v != SCHEMA_VERSION) {
            return Err(refuse(format!("the file has schema_version {version}, {SCHEMA_VERSION} is known")));
        }
        object.locations
    };
    // A row knows its text alone; where that lies in the file gives its line.
    let (mut line, mut at) = (1, 0);
    for row in rows {
        let begin = (row.get().as_ptr() as usize) - (text.as_ptr() as usize);
        line += text[at..begin].matches('\n').count() as u64;
        at = begin;
        take(raw(line, row.get()));
    }
    Ok(())
}

fn raw(line: u64, text: &str) -> Result<Raw, Fault> {
    if text.len() > ROW_MAX {
        return Err(too_long(line));
    }
    let row: In = serde_json::from_str(text).map_err(|e| {
        let e = Error::new(Kind::Usage, format!("the row cannot be read: {}", told(&e)))
            .hint("\"iwas-wg location export --format json\" shows the form");
        fault(line, None, e)
    })?;
    let plain = |text: Option<String>| text.map_or(Cell::Absent, Cell::Text);
    let full = |value: Option<Option<String>>| match value {
        None => Cell::Absent,
        Some(None) => Cell::Empty,
        Some(Some(text)) => Cell::Text(text),
    };
    let tags = match row.tags {
        None => Cell::Absent,
        Some(None) => Cell::Empty,
        Some(Some(tags)) => Cell::Text(serde_json::to_string(&tags).unwrap_or_default()),
    };
    let cells = [
        Cell::Text(row.name),
        full(row.org),
        full(row.description),
        tags,
        plain(row.vpn_ip),
        plain(row.public_key),
        plain(row.key_mode),
        full(row.expires),
        plain(row.peer),
    ];
    Ok(Raw { line, cells })
}

/// One object with a location a line, so that a fault's line says which, and diff shows one.
pub(super) fn write(locations: &[Location]) -> Result<String, Error> {
    let mut text = format!("{{\"schema_version\":{SCHEMA_VERSION},\"locations\":[");
    for (i, l) in locations.iter().enumerate() {
        text.push_str(if i == 0 { "\n" } else { ",\n" });
        let row = Out {
            name: l.name.as_str(),
            org: l.org.as_ref().map(Org::as_str),
            description: l.description.as_ref().map(Description::as_str),
            tags: &l.tags,
            vpn_ip: l.vpn_ip,
            public_key: exported_key(l),
            key_mode: l.key_mode.as_str(),
            expires: l.expires_at.map(time),
            peer: exported_peer(l),
        };
        text += &serde_json::to_string(&row).context("cannot write the rows").map_err(unforeseen)?;
    }
    text.push_str("\n]}\n");
    Ok(text)
}
