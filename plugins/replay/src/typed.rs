//! Tables whose cells have types: Arrow, Feather, Parquet, NumPy and JSON lines, as records.
//!
//! Each is a [`source::TypedSource`]; a column of time stamps is known by its type, not guessed.

mod arrow;
mod ipc;
mod json_lines;
mod npy;
mod npz;
#[cfg(feature = "parquet")]
mod parquet;
mod source;
mod value;

use crate::classify::classify;
use crate::error::TableError;
use crate::head::{Head, HeadCell, HeadRow};
use crate::records::Records;
use crate::schema::{Row, Schema, Wanted};
use source::{Typed, TypedSource};
use std::path::Path;

/// Opens a file as a table: its first records tell the kinds of its columns.
fn open<S: TypedSource>(
    file: &Path,
    wanted: &Wanted,
) -> Result<(Schema, Records<Typed<S>>), TableError> {
    let (mut columns, mut source) = S::open(file)?;
    let mut rows = Vec::new();
    while rows.len() < wanted.look_rows && source.advance(file)? {
        let cell = |k: usize| HeadCell {
            cell: source.value(k).cell(),
            text: source.value(k).text().into_owned(),
        };
        rows.push(HeadRow {
            at: source.number(),
            cells: (0..source.width()).map(cell).collect(),
        });
    }
    if rows.is_empty() {
        let why = source.at_end().join("; ");
        let found = if why.is_empty() {
            "no row".to_owned()
        } else {
            format!("no row: {why}")
        };
        return Err(TableError::invalid(file, found, "columns with rows"));
    }
    let time = columns.time(wanted);
    let head = Head {
        names: columns.names,
        rows,
        place: S::PLACE,
        time,
        units: None,
        styles: Vec::new(),
        notes: columns.notes,
    };
    let (schema, classes) = classify(file, head, wanted)?;
    let (_, source) = S::open(file)?;
    Ok((schema, Records::new(Typed(source), classes)))
}

/// Typed tables, by format.
#[derive(Debug)]
pub(crate) enum TypedRows {
    Ipc(Records<Typed<ipc::IpcSource>>),
    #[cfg(feature = "parquet")]
    Parquet(Records<Typed<parquet::ParquetSource>>),
    Npy(Records<Typed<npy::NpySource>>),
    Npz(Records<Typed<npz::NpzSource>>),
    JsonLines(Records<Typed<json_lines::JsonLinesSource>>),
}

macro_rules! each {
    ($self:expr, $rows:ident => $do:expr) => {
        match $self {
            TypedRows::Ipc($rows) => $do,
            #[cfg(feature = "parquet")]
            TypedRows::Parquet($rows) => $do,
            TypedRows::Npy($rows) => $do,
            TypedRows::Npz($rows) => $do,
            TypedRows::JsonLines($rows) => $do,
        }
    };
}

impl TypedRows {
    pub(crate) fn read(&mut self, schema: &mut Schema, row: &mut Row) -> Result<bool, TableError> {
        each!(self, rows => rows.read(schema, row))
    }

    pub(crate) fn keep_first(&mut self, most: usize) {
        each!(self, rows => rows.keep_first(most));
    }
}

/// Format of a typed table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    ArrowFile,
    ArrowStream,
    Parquet,
    Npy,
    Npz,
    JsonLines,
}

impl Format {
    /// Format by the first bytes of a file, and its name where they do not tell.
    pub(crate) fn of(head: &[u8], file: &Path) -> Option<Self> {
        let extension = file
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default();
        let is = |names: &[&str]| names.iter().any(|n| extension.eq_ignore_ascii_case(n));
        Some(if head.starts_with(b"ARROW1\0\0") {
            Self::ArrowFile
        } else if ipc::is_stream(head) {
            Self::ArrowStream
        } else if head.starts_with(b"PAR1") || head.starts_with(b"PARE") {
            Self::Parquet
        } else if head.starts_with(b"\x93NUMPY") {
            Self::Npy
        } else if npz::is_npz(head) || head.starts_with(b"PK") && is(&["npz"]) {
            Self::Npz
        } else if json_lines::is_json(head) {
            Self::JsonLines
        } else {
            return None;
        })
    }

    /// Name, with an article.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ArrowFile => "an Arrow (Feather) file",
            Self::ArrowStream => "an Arrow stream",
            Self::Parquet => "a Parquet file",
            Self::Npy => "a NumPy array",
            Self::Npz => "a NumPy archive",
            Self::JsonLines => "JSON",
        }
    }

    pub(crate) fn open(
        self,
        file: &Path,
        wanted: &Wanted,
    ) -> Result<(Schema, TypedRows), TableError> {
        Ok(match self {
            Self::ArrowFile | Self::ArrowStream => {
                let (schema, rows) = open(file, wanted)?;
                (schema, TypedRows::Ipc(rows))
            }
            #[cfg(feature = "parquet")]
            Self::Parquet => {
                let (schema, rows) = open(file, wanted)?;
                (schema, TypedRows::Parquet(rows))
            }
            #[cfg(not(feature = "parquet"))]
            Self::Parquet => {
                return Err(TableError::invalid(
                    file,
                    "a Parquet file, which this build does not read",
                    "a build with the Cargo feature `parquet`, or an Arrow file: pandas' `to_feather` makes one",
                ));
            }
            Self::Npy => {
                let (schema, rows) = open(file, wanted)?;
                (schema, TypedRows::Npy(rows))
            }
            Self::Npz => {
                let (schema, rows) = open(file, wanted)?;
                (schema, TypedRows::Npz(rows))
            }
            Self::JsonLines => {
                let (schema, rows) = open(file, wanted)?;
                (schema, TypedRows::JsonLines(rows))
            }
        })
    }
}
