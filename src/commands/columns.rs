//! `--columns`: which columns of a table are shown, and in which order.

use crate::model::text::closest;
use crate::{
    error::{Error, Kind},
    output::Table,
};

/// The columns of a listing.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Columns {
    /// Only these columns, in this order; a wrong name lists all
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    columns: Vec<String>,
}

impl Columns {
    /// The table with the columns asked for, or as it is.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a column that there is not.
    pub(super) fn of(&self, table: Table) -> Result<Table, Error> {
        if self.columns.is_empty() {
            return Ok(table);
        }
        let titles = table.titles();
        table.with_columns(&self.columns).map_err(|unknown| {
            let e = Error::new(Kind::Usage, format!("column {unknown:?} is not one of the table"));
            match closest(unknown, titles.iter().map(String::as_str)) {
                Some(title) => e.hint(format!("did you mean {title:?}?")),
                None => e.hint(format!("use some of {}", titles.join(","))),
            }
        })
    }
}
