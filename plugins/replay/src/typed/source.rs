//! Source of typed records ([`TypedSource`]), and its columns.

use super::value::Value;
use crate::cell::Cell;
use crate::error::TableError;
use crate::record_source::RecordSource;
use crate::schema::Wanted;
use crate::time_format::TimeFormat;
use std::borrow::Cow;
use std::fmt::Debug;
use std::path::Path;

/// Columns of a typed table.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// Unique names.
    pub(super) names: Vec<String>,
    /// Index and format of each column of time stamps; the first one is the time.
    pub(super) times: Vec<(usize, TimeFormat)>,
    /// Notes for the user.
    pub(super) notes: Vec<String>,
}

impl Columns {
    /// Makes the names unique: `a`, `a_2`.
    pub(super) fn make_unique(&mut self) {
        let mut seen = std::collections::HashSet::new();
        for k in 0..self.names.len() {
            let name = self.names[k].clone();
            let mut own = name.clone();
            let mut n = 2;
            while !seen.insert(own.clone()) {
                own = format!("{name}_{n}");
                n += 1;
            }
            if own != name {
                self.notes.push(format!(
                    "the name `{name}` is there twice: the second one is `{own}`"
                ));
                self.names[k] = own;
            }
        }
    }

    /// The time: the requested column, or the first one of time stamps.
    pub(super) fn time(&mut self, wanted: &Wanted) -> Option<(usize, TimeFormat)> {
        if let Some(name) = &wanted.time {
            let named = |(k, _): &&(usize, _)| &self.names[*k] == name;
            return self.times.iter().find(named).cloned();
        }
        let used = |k: usize| {
            let name = &self.names[k];
            !wanted.ignore.contains(name) && !wanted.columns.contains(name)
        };
        let times: Vec<_> = self.times.iter().filter(|t| used(t.0)).cloned().collect();
        if let [first, _, ..] = times.as_slice() {
            let name = |t: &(usize, TimeFormat)| format!("`{}`", self.names[t.0]);
            let names: Vec<String> = times.iter().map(name).collect();
            self.notes.push(format!(
                "time stamps in {}: `{}` is the time; --time selects another",
                names.join(", "),
                self.names[first.0]
            ));
        }
        times.first().cloned()
    }
}

/// Stream of typed records.
pub(super) trait TypedSource: Debug + Sized {
    /// Opens a file, and finds its columns.
    fn open(file: &Path) -> Result<(Columns, Self), TableError>;

    /// Reads the next record; false at the end.
    fn advance(&mut self, file: &Path) -> Result<bool, TableError>;

    /// Number of columns.
    fn width(&self) -> usize;

    /// Value of a column in the record.
    fn value(&self, index: usize) -> Value<'_>;

    /// Number of the record's row or line (from 1).
    fn number(&self) -> u64;

    /// What is to be said at the end of the file.
    fn at_end(&self) -> Vec<String>;

    /// Word for the place of a record.
    const PLACE: &'static str = "row";
}

/// A [`TypedSource`] as records.
#[derive(Debug)]
pub(crate) struct Typed<S>(pub(super) S);

impl<S: TypedSource> RecordSource for Typed<S> {
    fn next(&mut self, file: &Path) -> Result<bool, TableError> {
        self.0.advance(file)
    }

    fn len(&self) -> usize {
        self.0.width()
    }

    fn cell(&self, index: usize) -> Cell {
        self.0.value(index).cell()
    }

    fn text(&self, index: usize) -> Cow<'_, str> {
        self.0.value(index).text()
    }

    fn place(&self) -> String {
        format!("{} {}", S::PLACE, self.0.number())
    }

    fn notes(&self) -> Vec<String> {
        self.0.at_end()
    }
}
