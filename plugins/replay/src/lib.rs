//! Readers of recordings: tables from CSV and MCAP files, and readings from our own recordings.
//!
//! Modules in the order of processing:
//!
//! - `cell`, `time_format`: numbers and time stamps in text.
//! - `text`: text stream of a CSV file; counts lines, and merges spaces that separate cells.
//! - `head`: first records of a table in any format; `classify`: kinds of its columns; `records`: rows from a stream of
//!   records.
//! - `csv_rows`: records of a CSV file.
//! - `formats`: formats by the first bytes of a file.
//! - `not_read`: formats that are not read, and what makes a table of them.
//! - `source`: the trait of logs of messages; `messages`, `mcap_source`: those of an MCAP file.
//! - `ulog`, `dataflash`: flight logs of PX4 and ArduPilot; `window`: the bytes of a binary one.
//! - `typed`: records of Arrow, Parquet, NumPy and JSON lines.
//! - `message_head`: first messages of each topic; `sorting`: bounded sort; `message_rows`: rows made of messages.
//! - [`Table`]: named columns of numbers, row by row, from either format; `schema`: its columns.
//! - [`Readings`]: readings of a sensor in one of our own recordings, bit-identical.
//!
//! Files are streamed: memory use does not depend on their length.

mod cell;
mod classify;
mod csv_rows;
mod dataflash;
mod error;
mod formats;
mod head;
mod input;
mod mcap_source;
mod message_head;
mod message_rows;
mod messages;
mod not_read;
mod readings;
mod records;
mod schema;
mod sorting;
mod source;
mod table;
mod text;
mod time_format;
mod typed;
mod ulog;
mod window;

pub use error::TableError;
pub use readings::{Readings, RecordedReading};
pub use schema::{Column, Counts, Firsts, Kind, Row, TimeColumn, Wanted};
pub use table::Table;
