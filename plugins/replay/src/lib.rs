//! Recordings as sources: columns of a CSV, topics of an MCAP file.
//!
//! In the order in which data passes:
//!
//! - `stamp`, `cell`: time and numbers as files write them.
//! - `text`: what rows are read from: lines are counted, and spaces joined that separate.
//! - `csv_rows`: rows of a CSV.
//! - `messages`: messages of an MCAP file; `mcap_rows`: rows of them.
//! - [`Table`]: named columns of numbers, row by row, whatever they come from.
//! - [`Readings`]: what a sensor said in one of our own recordings, bit for bit.
//!
//! Files are read as streams: memory does not grow with their length.

mod cell;
mod csv_rows;
mod error;
mod mcap_rows;
mod messages;
mod readings;
mod stamp;
mod table;
mod text;

pub use error::TableError;
pub use readings::{Readings, RecordedReading};
pub use table::{Column, Counts, Firsts, Kind, Row, Table, TimeColumn, Wanted};
