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
    let header = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let delimiter = if header.contains(&b';') && !header.contains(&b',') { b';' } else { b',' };
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
    while next(&mut record)? {
        take(row(&record, &columns));
    }
    Ok(())
}

/// For each column of the file its place among [`COLUMNS`].
fn columns(header: &ByteRecord) -> Result<Vec<usize>, Error> {
    let mut columns: Vec<usize> = Vec::with_capacity(header.len());
    for title in header {
        let title = String::from_utf8_lossy(title);
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

fn row(record: &ByteRecord, columns: &[usize]) -> Result<Raw, Fault> {
    let line = record.position().map_or(0, csv::Position::line);
    let bad = |message: String, hint: &str| fault(line, None, Error::new(Kind::Usage, message).hint(hint));
    if record.as_slice().len() > ROW_MAX {
        return Err(too_long(line));
    }
    if record.len() != columns.len() {
        let message = format!("the row has {} cells, the header {}", record.len(), columns.len());
        return Err(bad(message, "put a cell that has a comma into \"quotes\""));
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
