//! Columns and cells of a sweep's table.

use serde::{Deserialize, Serialize};

/// Type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    /// Whole numbers from 0 on, 64 bits.
    Count,
    /// Numbers, 64 bits.
    Number,
    /// True or false.
    Flag,
    /// Text.
    Text,
}

/// A column of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name: `rover.kernel.surprise`.
    pub name: String,
    /// Type of its cells.
    pub kind: ColumnKind,
}

impl Column {
    pub(crate) fn new(name: impl Into<String>, kind: ColumnKind) -> Self {
        Self {
            name: name.into(),
            kind,
        }
    }
}

/// A cell; `None` where the run has no such value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Of a column of [`ColumnKind::Count`].
    Count(Option<u64>),
    /// Of a column of [`ColumnKind::Number`].
    Number(Option<f64>),
    /// Of a column of [`ColumnKind::Flag`].
    Flag(Option<bool>),
    /// Of a column of [`ColumnKind::Text`].
    Text(Option<String>),
}

impl Cell {
    /// Type of its column.
    pub fn kind(&self) -> ColumnKind {
        match self {
            Self::Count(_) => ColumnKind::Count,
            Self::Number(_) => ColumnKind::Number,
            Self::Flag(_) => ColumnKind::Flag,
            Self::Text(_) => ColumnKind::Text,
        }
    }

    /// The empty cell of a column.
    pub fn empty(kind: ColumnKind) -> Self {
        match kind {
            ColumnKind::Count => Self::Count(None),
            ColumnKind::Number => Self::Number(None),
            ColumnKind::Flag => Self::Flag(None),
            ColumnKind::Text => Self::Text(None),
        }
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(Some(text.into()))
    }

    /// A value as it was written, in a column of this type.
    pub(crate) fn written(text: &str, kind: ColumnKind) -> Self {
        match kind {
            ColumnKind::Count => Self::Count(text.parse().ok()),
            ColumnKind::Number => Self::Number(text.parse().ok()),
            ColumnKind::Flag => Self::Flag(text.parse().ok()),
            // A text that looks like a number, or has commas, is written in quotes.
            ColumnKind::Text => Self::Text(Some(
                serde_json::from_str(text).unwrap_or_else(|_| text.to_owned()),
            )),
        }
    }
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Index of the run in its plan.
    pub run: u64,
    /// One for each of the plan's columns, in their order.
    pub cells: Vec<Cell>,
    /// Why the run failed; the cell of the column `error` has the same text.
    pub error: Option<String>,
}
