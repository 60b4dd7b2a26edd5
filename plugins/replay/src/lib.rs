//! Readers of recordings: tables from CSV and MCAP files, and readings from our own recordings.
//!
//! Modules in the order of processing:
//!
//! - `cell`, `digits`, `time_format`: numbers and time stamps in text.
//! - `text`: text stream of a CSV file; counts lines, and merges spaces that separate cells.
//! - `head`: first records of a table in any format; `classify`: kinds of its columns; `records`: rows from a stream of
//!   records.
//! - `csv_rows`: records of a CSV file.
//! - `messages`: messages of an MCAP file; `mcap_rows`: rows made of them.
//! - [`Table`]: named columns of numbers, row by row, from either format; `schema`: its columns.
//! - [`Readings`]: readings of a sensor in one of our own recordings, bit-identical.
//!
//! Files are streamed: memory use does not depend on their length.

mod cell;
mod classify;
mod csv_rows;
mod digits;
mod error;
mod head;
mod input;
mod mcap_rows;
mod messages;
mod readings;
mod records;
mod schema;
mod table;
mod text;
mod time_format;

pub use error::TableError;
pub use readings::{Readings, RecordedReading};
pub use schema::{Column, Counts, Firsts, Kind, Row, TimeColumn, Wanted};
pub use table::Table;
