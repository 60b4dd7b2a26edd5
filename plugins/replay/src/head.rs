//! [`Head`]: first records of a table, by which its columns are classified.

use crate::cell::Cell;
use crate::digits::NumberStyle;
use crate::time_format::TimeFormat;

/// First records of a table.
#[derive(Debug, Default)]
pub(crate) struct Head {
    /// Unique names of the columns.
    pub(crate) names: Vec<String>,
    pub(crate) rows: Vec<HeadRow>,
    /// Word for the place of a row: `line` in text, `row` elsewhere.
    pub(crate) place: &'static str,
    /// Index and format of a column that is known to be the time, as a typed time stamp is. The texts of its cells are
    /// in this format.
    pub(crate) time: Option<(usize, TimeFormat)>,
    /// Row of units: its line, and a unit for each column.
    pub(crate) units: Option<(u64, Vec<String>)>,
    /// How the numbers of each column are written in text; as programs do where none is stated.
    pub(crate) styles: Vec<NumberStyle>,
    /// Notes about what was detected, for the user.
    pub(crate) notes: Vec<String>,
}

impl Head {
    /// Numbers of a column.
    pub(crate) fn numbers(&self, index: usize) -> Vec<f64> {
        let cells = self.rows.iter().map(|row| row.cell(index));
        let numbers = cells.filter_map(|cell| match cell {
            Cell::Number(x) => Some(x),
            _ => None,
        });
        numbers.collect()
    }

    /// How the numbers of a column are written.
    pub(crate) fn style(&self, index: usize) -> NumberStyle {
        self.styles.get(index).copied().unwrap_or_default()
    }
}

/// Record of a [`Head`].
#[derive(Debug)]
pub(crate) struct HeadRow {
    /// Line or number of the row.
    pub(crate) at: u64,
    pub(crate) cells: Vec<HeadCell>,
}

/// Cell of a [`HeadRow`].
#[derive(Debug)]
pub(crate) struct HeadCell {
    pub(crate) cell: Cell,
    /// As written; of a typed number, the shortest decimal that is read back exactly.
    pub(crate) text: String,
}

impl HeadRow {
    /// Content of a cell; a cell that the row does not have is missing.
    pub(crate) fn cell(&self, index: usize) -> Cell {
        self.cells.get(index).map_or(Cell::Missing, |c| c.cell)
    }

    /// Text of a cell, if the row has it.
    pub(crate) fn text(&self, index: usize) -> Option<&str> {
        self.cells.get(index).map(|c| c.text.as_str())
    }
}
