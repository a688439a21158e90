//! Tables for people: one record is one line, whatever the width.

use crate::model::text::steers_a_terminal as steers;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table as Grid, presets::NOTHING};

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// Numbers stand at the right.
    pub right: bool,
    /// How early it goes when the terminal is narrow: the highest goes first, 0 stays.
    pub spare: u8,
    /// Shown only where it is asked for.
    pub extra: bool,
}

impl Column {
    /// A column of text.
    pub const fn text(title: &'static str, spare: u8) -> Self {
        Self { title, right: false, spare, extra: false }
    }

    /// A column of text that nobody sees who does not ask for it.
    pub const fn extra(title: &'static str) -> Self {
        Self { title, right: false, spare: 0, extra: true }
    }

    /// A column of numbers.
    pub const fn number(title: &'static str, spare: u8) -> Self {
        Self { title, right: true, spare, extra: false }
    }
}

/// Rows under headings.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// The same rows with these of the columns, in this order. Who asks for columns gets them all,
    /// however narrow the terminal is.
    ///
    /// # Errors
    /// The first title that there is not.
    pub fn with_columns<'a>(self, titles: &'a [String]) -> Result<Self, &'a str> {
        let place = |title: &'a String| {
            let is_it = |c: &Column| c.title.replace(' ', "-") == title.to_uppercase();
            self.columns.iter().position(is_it).ok_or(title.as_str())
        };
        let places = titles.iter().map(place).collect::<Result<Vec<_>, _>>()?;
        let chosen = |i: &usize| Column { spare: 0, extra: false, ..self.columns[*i] };
        let columns = places.iter().map(chosen).collect();
        let pick =
            |row: &Vec<String>| places.iter().map(|i| row.get(*i).cloned().unwrap_or_default()).collect();
        let rows = self.rows.iter().map(pick).collect();
        Ok(Self { columns, rows })
    }

    /// The titles that [`Table::with_columns`] takes: in small letters, a space as a hyphen.
    pub fn titles(&self) -> Vec<String> {
        self.columns.iter().map(|c| c.title.to_lowercase().replace(' ', "-")).collect()
    }

    /// Adds a row, a cell for each column; control characters are shown as spaces.
    pub fn row(&mut self, cells: Vec<String>) {
        let clean =
            |cell: String| -> String { cell.chars().map(|c| if steers(c) { ' ' } else { c }).collect() };
        self.rows.push(cells.into_iter().map(clean).collect());
    }

    pub(super) fn render(&self, width: Option<u16>, color: bool) -> String {
        let mut kept: Vec<usize> = (0..self.columns.len()).filter(|i| !self.columns[*i].extra).collect();
        loop {
            let grid = self.grid(&kept, color);
            let wide: usize = grid.column_max_content_widths().iter().map(|w| usize::from(*w) + 2).sum();
            let spare = kept.iter().copied().filter(|i| self.columns[*i].spare > 0);
            let first_to_go = spare.max_by_key(|i| self.columns[*i].spare);
            match (width, first_to_go) {
                (Some(width), Some(i)) if wide.saturating_sub(2) > usize::from(width) => {
                    kept.retain(|k| *k != i);
                }
                _ => {
                    let lines: Vec<String> = grid.lines().map(|l| l.trim_end().to_owned() + "\n").collect();
                    return lines.concat();
                }
            }
        }
    }

    fn grid(&self, kept: &[usize], color: bool) -> Grid {
        let mut grid = Grid::new();
        grid.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        grid.force_no_tty();
        grid.set_header(kept.iter().map(|i| Cell::new(self.columns[*i].title)));
        for row in &self.rows {
            grid.add_row(kept.iter().map(|i| {
                let text = row.get(*i).map_or("", String::as_str);
                match state_color(text) {
                    // Written here rather than by the library, which asks NO_COLOR again after
                    // --color has decided.
                    Some(code) if color && self.columns[*i].title == "STATE" => {
                        Cell::new(format!("\u{1b}[{code}m{text}\u{1b}[0m"))
                    }
                    _ => Cell::new(text),
                }
            }));
        }
        for (place, i) in kept.iter().enumerate() {
            if let Some(column) = grid.column_mut(place) {
                column.set_padding((0, 2));
                if self.columns[*i].right {
                    column.set_cell_alignment(CellAlignment::Right);
                }
            }
        }
        grid
    }
}

/// The terminal's code for the colour of a state.
fn state_color(state: &str) -> Option<u8> {
    match state {
        "online" => Some(32),
        "offline" => Some(31),
        "never" => Some(33),
        "disabled" | "unprovisioned" | "unknown" => Some(90),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut t = Table::new(&[
            Column::text("NAME", 0),
            Column::text("ORG", 2),
            Column::text("STATE", 0),
            Column::number("RX", 3),
        ]);
        t.row(vec!["cafe".into(), "acme\u{1b}[2J".into(), "online".into(), "12".into()]);
        t.row(vec!["shop-with-a-long-name".into(), String::new(), "never".into(), "3456".into()]);
        t
    }

    #[test]
    fn a_pipe_gets_every_column_and_one_line_a_record() {
        let text = table().render(None, false);
        assert_eq!(
            text,
            "NAME                   ORG       STATE     RX\n\
             cafe                   acme [2J  online    12\n\
             shop-with-a-long-name            never   3456\n"
        );
    }

    #[test]
    fn a_narrow_terminal_gets_the_columns_that_matter() {
        let text = table().render(Some(32), false);
        assert_eq!(text.lines().next(), Some("NAME                   STATE"));
        let text = table().render(Some(5), false);
        assert_eq!(text.lines().count(), 3, "a record was wrapped:\n{text}");
    }

    #[test]
    fn asked_columns_are_all_there_in_the_order_asked_for() {
        let asked = |titles: &[&str]| titles.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let order = asked(&["rx", "name", "org"]);
        let text = table().with_columns(&order).expect("columns").render(Some(5), false);
        assert_eq!(text.lines().next(), Some("  RX  NAME                   ORG"));
        let unknown = asked(&["name", "colour"]);
        assert_eq!(table().with_columns(&unknown).map(|_| ()), Err("colour"));
    }

    #[test]
    fn colour_is_only_there_where_it_was_decided() {
        assert!(!table().render(None, false).contains('\u{1b}'));
        let coloured = table().render(None, true);
        assert!(coloured.contains("\u{1b}[32monline\u{1b}[0m"), "{coloured:?}");
        let bare = coloured.replace("\u{1b}[32m", "").replace("\u{1b}[33m", "").replace("\u{1b}[0m", "");
        assert_eq!(bare, table().render(None, false), "colour moved the columns");
    }
}
