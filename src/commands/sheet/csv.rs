//! CSV, RFC 4180, with commas, or with the semicolons of spreadsheets that write decimal commas.

use super::{
    COLUMNS, Cell, Fault, Location, ROW_MAX, Raw, exported_key, exported_peer, fault, refuse, tags_text,
    too_long,
};
use crate::model::text::{closest, from_cell, to_cell};
use crate::{
    commands::context::unforeseen,
    error::{Error, Kind},
    model::{Description, Org},
    output::json::time,
};
use anyhow::Context as _;
use csv::{ByteRecord, ReaderBuilder, Writer};

/// Hands over every row under the header.
pub(super) fn read(bytes: &[u8], take: &mut impl FnMut(Result<Raw, Fault>)) -> Result<(), Error> {
    let header = bytes.split(|b| matches!(b, b'\r' | b'\n')).next().unwrap_or_default();
    if header.to_ascii_lowercase().starts_with(b"sep=") {
        return Err(refuse("the first line is \"sep=\", which only spreadsheets read")
            .hint("remove that line; commas and semicolons are both known without it"));
    }
    let has = |separator: u8| header.contains(&separator);
    if has(b'\t') && !has(b',') && !has(b';') {
        return Err(refuse("the cells are separated by tabs")
            .hint("save the file with commas or semicolons between the cells"));
    }
    let delimiter = if has(b';') && !has(b',') { b';' } else { b',' };
    if let Some(line) = unclosed_quote(bytes, delimiter) {
        return Err(refuse(format!("line {line}: the quote that opens here is never closed"))
            .hint("close it; a quote within a cell in quotes is written twice"));
    }
    // Rows of another length are told with their line, beside all other faults.
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(bytes);
    let mut record = ByteRecord::new();
    let mut next = move |record: &mut ByteRecord| {
        reader.read_byte_record(record).context("cannot read the rows").map_err(unforeseen)
    };
    if !next(&mut record)? {
        return Err(refuse("the file is empty"));
    }
    let columns = columns(&record)?;
    let mut lines = Lines { bytes, at: 0, line: 1 };
    while next(&mut record)? {
        let begin = record.position().map_or(0, |p| usize::try_from(p.byte()).unwrap_or(usize::MAX));
        take(row(&record, &columns, lines.at(begin)));
    }
    Ok(())
}

/// Counts lines: the reader does not, where two characters end one.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of a row that begins here, or behind the ends of lines that are here. Never goes
    /// back.
    fn at(&mut self, begin: usize) -> u64 {
        let is_end = |b: &u8| matches!(b, b'\r' | b'\n');
        while let Some(b) = self.bytes.get(self.at).filter(|b| self.at < begin || is_end(b)) {
            let is_pair = *b == b'\r' && self.bytes.get(self.at + 1) == Some(&b'\n');
            self.line += u64::from(is_end(b) && !is_pair);
            self.at += 1;
        }
        self.line
    }
}

/// The line of a quote that opens a cell and is not closed to the end of the file.
fn unclosed_quote(bytes: &[u8], delimiter: u8) -> Option<u64> {
    let mut opened = None;
    let mut is_begin = true;
    for (i, b) in bytes.iter().enumerate() {
        match (opened, b) {
            // Two of them within a cell close it and open it again.
            (Some(_), b'"') => opened = None,
            (Some(_), _) => {}
            (None, b'"') if is_begin || i > 0 && bytes[i - 1] == b'"' => opened = Some(i),
            (None, _) => is_begin = *b == delimiter || matches!(b, b'\r' | b'\n'),
        }
        if *b == b'"' {
            is_begin = false;
        }
    }
    opened.map(|at| Lines { bytes, at: 0, line: 1 }.at(at))
}

/// For each column of the file its place among [`COLUMNS`].
fn columns(header: &ByteRecord) -> Result<Vec<usize>, Error> {
    let mut columns: Vec<usize> = Vec::with_capacity(header.len());
    for title in header {
        let title = String::from_utf8_lossy(title);
        if title.is_empty() {
            return Err(refuse("a column has no name")
                .hint("remove the separator at the end of the header, or name the column"));
        }
        let Some(place) = COLUMNS.iter().position(|c| *c == title) else {
            let e = refuse(format!("there is no column {title:?}"));
            return Err(match closest(&title, COLUMNS) {
                Some(column) => e.hint(format!("did you mean {column:?}?")),
                None => e,
            });
        };
        if columns.contains(&place) {
            return Err(refuse(format!("the column {title:?} is there twice")));
        }
        columns.push(place);
    }
    if !columns.contains(&0) {
        return Err(refuse("there is no column \"name\""));
    }
    Ok(columns)
}

fn row(record: &ByteRecord, columns: &[usize], line: u64) -> Result<Raw, Fault> {
    let bad = |message: String, hint: &str| fault(line, None, Error::new(Kind::Usage, message).hint(hint));
    if record.as_slice().len() > ROW_MAX {
        return Err(too_long(line));
    }
    if record.len() != columns.len() {
        let message = format!("the row has {} cells, the header {}", record.len(), columns.len());
        let hint = if record.len() < columns.len() {
            "add the cells that are missing; they may be empty"
        } else if record.iter().skip(columns.len()).all(<[u8]>::is_empty) {
            "remove the separators at the end of the row"
        } else {
            "put a cell that has a comma into \"quotes\""
        };
        return Err(bad(message, hint));
    }
    let mut cells: [Cell; COLUMNS.len()] = Default::default();
    for (bytes, place) in record.iter().zip(columns) {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| bad(format!("{} is not UTF-8 text", COLUMNS[*place]), "save the file as UTF-8"))?;
        cells[*place] = if text.is_empty() { Cell::Empty } else { Cell::Text(from_cell(text).to_owned()) };
    }
    Ok(Raw { line, cells })
}

pub(super) fn write(locations: &[Location]) -> Result<String, Error> {
    let mut writer = Writer::from_writer(Vec::new());
    let mut record = |cells: [&str; COLUMNS.len()]| {
        writer.write_record(cells.map(to_cell).iter().map(|cell| cell.as_bytes()))
    };
    let written = |r: Result<(), csv::Error>| r.context("cannot write the rows").map_err(unforeseen);
    written(record(COLUMNS))?;
    for l in locations {
        let (tags, key) = (tags_text(&l.tags)?, exported_key(l).unwrap_or_default());
        written(record([
            l.name.as_str(),
            l.org.as_ref().map_or("", Org::as_str),
            l.description.as_ref().map_or("", Description::as_str),
            &tags,
            &l.vpn_ip.map(|a| a.to_string()).unwrap_or_default(),
            &key,
            l.key_mode.as_str(),
            &l.expires_at.map(time).unwrap_or_default(),
            exported_peer(l),
        ]))?;
    }
    let bytes = writer.into_inner().context("cannot write the rows").map_err(unforeseen)?;
    String::from_utf8(bytes).context("cannot write the rows").map_err(unforeseen)
}
