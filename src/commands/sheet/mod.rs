//! Locations as a file lists them, for `location import` and `location export`: CSV with a header,
//! or JSON.
//!
//! Reading looks at every row and collects all that is wrong, since nobody wants to learn of
//! four hundred mistakes one after the other. What is written here reads back as the same rows.
#![expect(clippy::option_option, reason = "no column, an empty cell and a value are three things")]

mod csv;
mod json;

use super::{Context, context::unforeseen};
use crate::{
    error::{Error, Fault, Kind},
    fsx,
    model::{
        Description, Invalid, KeyMode, Location, LocationName, NewOrg, Org, PublicKey, Tags,
        expiry::parse_expiry,
        location::{check_tag_key, join_tags, parse_tag},
        text::size,
    },
};
use anyhow::Context as _;
use jiff::Timestamp;
use std::{collections::BTreeMap, fmt::Display, io::Read as _, net::Ipv4Addr, path::Path, str::FromStr};

/// The columns, and the keys of a JSON row, in the order in which they are written.
const COLUMNS: [&str; 9] =
    ["name", "org", "description", "tags", "vpn_ip", "public_key", "key_mode", "expires", "peer"];

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Comma-separated values with a header
    Csv,
    /// One JSON object
    Json,
}

/// Whether a location of the file has a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PeerWish {
    /// It has, or gets one.
    Enabled,
    /// It has, or gets one that is not on the interface.
    Disabled,
    /// It has none, and gets none.
    None,
}

impl PeerWish {
    const ALL: [Self; 3] = [Self::Enabled, Self::Disabled, Self::None];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::None => "none",
        }
    }
}

/// When a location of the file ends.
#[derive(Debug, Clone)]
pub(super) struct Expiry {
    pub at: Timestamp,
    /// What is wrong with it, unless it is so already: an export may be of yesterday.
    pub past: Option<Invalid>,
}

/// One row. The outer `None` is a column that the file does not have, and leaves things as they
/// are; the inner one is an empty cell, and means that there shall be nothing.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Where it begins in the file, from 1.
    pub line: u64,
    pub name: LocationName,
    pub org: Option<Option<Org>>,
    pub description: Option<Option<Description>>,
    pub tags: Option<Tags>,
    /// Empty is the next free one, or the one it has.
    pub vpn_ip: Option<Ipv4Addr>,
    /// Empty is a new one, or the one it has.
    pub public_key: Option<PublicKey>,
    /// Empty is the default of the settings, or the one it has.
    pub key_mode: Option<KeyMode>,
    pub expires: Option<Option<Expiry>>,
    /// Empty is a new one, or what there is.
    pub peer: Option<PeerWish>,
}

/// What a file holds: its good rows, and what is wrong with the others.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub rows: Vec<Row>,
    pub faults: Vec<Fault>,
    /// All rows, the bad ones too.
    pub count: usize,
}

/// A cell before anybody looked at what is in it.
/// Largest file, in bytes: some hundred thousand rows.
const FILE_MAX: u64 = 128 << 20;
/// Longest row, in bytes: all that a location can have is far less.
const ROW_MAX: usize = 256 << 10;

fn too_long(line: u64) -> Fault {
    let e = Error::new(Kind::Usage, format!("the row has more than {}", size(ROW_MAX as u64)))
        .hint("see whether a quote is missing");
    fault(line, None, e)
}

#[derive(Debug, Clone, Default)]
enum Cell {
    /// The file has no such column.
    #[default]
    Absent,
    Empty,
    Text(String),
}

/// A row before anybody looked at what is in it.
struct Raw {
    line: u64,
    cells: [Cell; COLUMNS.len()],
}

/// Reads the file that the caller names, `-` for standard input. The only place where it is opened.
///
/// # Errors
/// [`Kind::Usage`] if there is none, those of [`fsx::read`] if it cannot be read.
pub(super) fn open(ctx: &mut Context<'_>, file: &str) -> Result<Vec<u8>, Error> {
    let too_large = || {
        Error::new(Kind::Usage, format!("{file:?} has more than {}", size(FILE_MAX)))
            .hint("import it in parts")
    };
    if file == "-" {
        let mut bytes = Vec::new();
        let mut stdin = (&mut ctx.env.stdin).take(FILE_MAX + 1);
        stdin.read_to_end(&mut bytes).context("cannot read standard input").map_err(unforeseen)?;
        return if bytes.len() as u64 > FILE_MAX { Err(too_large()) } else { Ok(bytes) };
    }
    let path = Path::new(file);
    if ctx.on_behalf(path, || Ok::<_, Error>(path.metadata().is_ok_and(|m| m.len() > FILE_MAX)))? {
        return Err(too_large());
    }
    ctx.on_behalf(path, || fsx::read(path))?.ok_or_else(|| {
        Error::new(Kind::Usage, format!("file {file:?} does not exist"))
            .hint("name a CSV or JSON file, or - for standard input")
    })
}

/// Reads rows; JSON is known by its first bracket.
///
/// # Errors
/// [`Kind::Usage`] if the file as a whole is neither. Bad rows are faults of the sheet.
pub(super) fn read(bytes: &[u8], now: Timestamp) -> Result<Sheet, Error> {
    // Spreadsheets like to begin with a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // With a mark of its order, or known by the empty half of the first character.
    if matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, 1..=255, ..] | [1..=255, 0, ..]) {
        return Err(refuse("the file is UTF-16 text").hint("save it as UTF-8, such as \"CSV UTF-8\""));
    }
    if bytes.contains(&0) {
        return Err(refuse("the file has a NUL byte: it is not UTF-8 text"));
    }
    let first = bytes.iter().find(|b| !b.is_ascii_whitespace());
    let mut sheet = Sheet::default();
    let mut take = |raw: Result<Raw, Fault>| {
        sheet.count += 1;
        match raw {
            Ok(raw) => sheet.rows.extend(parse(raw, now, &mut sheet.faults)),
            Err(fault) => sheet.faults.push(fault),
        }
    };
    match first {
        Some(b'{' | b'[') => json::read(bytes, &mut take)?,
        _ => csv::read(bytes, &mut take)?,
    }
    Ok(sheet)
}

/// Writes locations as rows, in the order given.
///
/// # Errors
/// [`Kind::Failed`] if they have no such form, which no location is known to be.
pub(super) fn write(locations: &[Location], format: Format) -> Result<String, Error> {
    match format {
        Format::Csv => csv::write(locations),
        Format::Json => json::write(locations),
    }
}

/// The error of a file that has no rows to look at.
fn refuse(message: impl Into<String>) -> Error {
    Error::new(Kind::Usage, message).hint(format!(
        "give a CSV file with a header of some of {}, or JSON with these keys",
        COLUMNS.join(", ")
    ))
}

/// A fault of one line.
pub(super) fn fault(line: u64, name: Option<&str>, e: impl Into<Error>) -> Fault {
    let e = e.into();
    Fault { line, name: name.map(str::to_owned), kind: e.kind, message: e.message, hint: e.hint }
}

/// Parses every cell of a row, so that all that is wrong with it is told.
fn parse(raw: Raw, now: Timestamp, faults: &mut Vec<Fault>) -> Option<Row> {
    let Raw { line, cells } = raw;
    let [name, org, description, tags, vpn_ip, public_key, key_mode, expires, peer] = cells;
    let label = if let Cell::Text(name) = &name { Some(name.clone()) } else { None };
    let before = faults.len();
    let mut note = |e: Error| faults.push(fault(line, label.as_deref(), e));
    let row_name = match &name {
        Cell::Text(text) => value::<LocationName>(text, &mut note),
        Cell::Empty | Cell::Absent => {
            note(Error::new(Kind::Usage, "the row has no name").hint("name the location"));
            None
        }
    };
    let org = cell(&org, &mut note).map(|org| org.map(|NewOrg(org)| org));
    let description = cell(&description, &mut note);
    let tags = match tags {
        Cell::Absent => None,
        Cell::Empty => Some(Tags::new()),
        Cell::Text(text) => match parse_tags(&text) {
            Ok(tags) => Some(tags),
            Err(e) => {
                note(e);
                None
            }
        },
    };
    let vpn_ip = match vpn_ip {
        Cell::Text(text) => super::provisioning::parse_address(&text).map_err(&mut note).ok(),
        _ => None,
    };
    let public_key = cell(&public_key, &mut note).flatten();
    let key_mode = cell(&key_mode, &mut note).flatten();
    let expires = match expires {
        Cell::Absent => None,
        Cell::Empty => Some(None),
        Cell::Text(text) => Some(expiry(&text, now).map_err(|e| note(e.into())).ok()),
    };
    let peer = match peer {
        Cell::Text(text) => {
            let wish = PeerWish::ALL.into_iter().find(|w| w.as_str() == text);
            if wish.is_none() {
                note(
                    Error::new(Kind::Usage, format!("peer {text:?} is not a wish for a peer"))
                        .hint("use enabled, disabled or none, or leave it empty"),
                );
            }
            wish
        }
        _ => None,
    };
    if faults.len() > before {
        return None;
    }
    let name = row_name?;
    Some(Row { line, name, org, description, tags, vpn_ip, public_key, key_mode, expires, peer })
}

fn expiry(text: &str, now: Timestamp) -> Result<Expiry, Invalid> {
    parse_expiry(text, now).map(|at| Expiry { at, past: None }).or_else(|e| match text.parse() {
        Ok(at) => Ok(Expiry { at, past: Some(e) }),
        Err(_) => Err(e),
    })
}

fn value<T>(text: &str, note: &mut impl FnMut(Error)) -> Option<T>
where
    T: FromStr,
    Error: From<T::Err>,
{
    text.parse().map_err(|e| note(Error::from(e))).ok()
}

fn cell<T>(cell: &Cell, note: &mut impl FnMut(Error)) -> Option<Option<T>>
where
    T: FromStr,
    Error: From<T::Err>,
{
    match cell {
        Cell::Absent => None,
        Cell::Empty => Some(None),
        Cell::Text(text) => Some(value(text, note)),
    }
}

/// Tags of one cell: `k=v;k=v`, or a JSON object where a value has a `;` itself.
fn parse_tags(text: &str) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    let mut add = |key: String, value: String| match tags.insert(key.clone(), value) {
        None => Ok(()),
        Some(_) => {
            Err(Error::new(Kind::Usage, format!("tag {key:?} is given twice")).hint("give each key once"))
        }
    };
    if text.starts_with('{') {
        let object: BTreeMap<String, String> = serde_json::from_str(text).map_err(|e| {
            Error::new(Kind::Usage, format!("the tags are no JSON object of texts: {}", told(&e)))
                .hint("write {\"city\":\"vienna\"} or city=vienna;kind=cafe")
        })?;
        for (key, value) in object {
            check_tag_key(&key).map_err(|reason| {
                Error::new(Kind::Usage, format!("tag {key:?} {reason}"))
                    .hint("the key is of A-Z a-z 0-9 . _ -")
            })?;
            let (key, value) = parse_tag(&format!("{key}={value}"))?;
            add(key, value)?;
        }
        return Ok(tags);
    }
    for part in text.split(';') {
        let (key, value) = parse_tag(part)?;
        add(key, value)?;
    }
    Ok(tags)
}

/// The tags as one cell.
fn tags_text(tags: &Tags) -> Result<String, Error> {
    if tags.values().any(|v| v.contains(';')) {
        return serde_json::to_string(tags).context("cannot write tags").map_err(unforeseen);
    }
    Ok(join_tags(tags, ";"))
}

/// What serde says, without the place: it counts from the beginning of the cell or row.
fn told(e: &impl Display) -> String {
    let text = e.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

/// The public key as an export carries it. A key that the hub keeps sealed is not in the file, so
/// its public half would promise what an import cannot give.
fn exported_key(l: &Location) -> Option<String> {
    l.public_key.filter(|_| l.key_mode != KeyMode::Stored).map(|k| k.to_string())
}

fn exported_peer(l: &Location) -> &'static str {
    let wish = match l.public_key {
        None => PeerWish::None,
        Some(_) if l.enabled => PeerWish::Enabled,
        Some(_) => PeerWish::Disabled,
    };
    wish.as_str()
}
