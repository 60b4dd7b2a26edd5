//! Readers of recordings: tables from files of other programs, and readings from our own recordings.
//!
//! Modules in the order of processing:
//!
//! - `cell`, `digits`, `time_format`: numbers and time stamps in text.
//! - `text`: text stream of a CSV file; counts lines, and merges spaces that separate cells.
//! - `head`: first records of a table in any format; `classify`: kinds of its columns; `record_source` and
//!   `records`: rows from a stream of records.
//! - `csv_rows`: records of a CSV file.
//! - `formats`: formats by the first bytes of a file.
//! - `not_read`: formats that are not read, and what makes a table of them.
//! - `ulog`, `dataflash`: flight logs of PX4 and ArduPilot; `window`: the bytes of a binary one.
//! - `typed`: records of Arrow, Parquet, NumPy and JSON lines; `guard`: calls into libraries that panic on damaged files.
//! - `message_head`: first messages of each topic; `sorting`: bounded sort; `message_rows`: rows made of messages.
//! - `source`: the trait of logs of messages; `encoding`, `ros`: numbers in a message.
//! - `mcap_chunks`, `messages`, `mcap_source`: messages of an MCAP file; `bag_records`, `bag_chunks`, `bag_source`: of a
//!   ROS 1 bag; `db3_source`: of a ROS 2 bag in `SQLite`; `folder_source`: of the files of a ROS 2 bag.
//! - [`Table`]: named columns of numbers, row by row, from any format; `schema`: its columns.
//! - [`TopicRows`]: all messages of a topic in one of our own recordings.
//! - [`Readings`]: readings of a sensor in one of our own recordings, bit-identical.
//!
//! Files are streamed: memory use does not depend on their length.

mod bag_chunks;
mod bag_records;
mod bag_source;
mod cell;
mod classify;
mod csv_rows;
mod dataflash;
#[cfg(feature = "sqlite")]
mod db3_source;
mod digits;
mod encoding;
mod error;
mod folder_source;
mod formats;
mod guard;
mod head;
mod input;
mod mcap_chunks;
mod mcap_source;
mod message_head;
mod message_rows;
mod messages;
mod not_read;
mod readings;
mod record_source;
mod records;
mod ros;
mod schema;
mod sorting;
mod source;
mod table;
mod text;
mod time_format;
mod topic;
mod typed;
mod ulog;
mod window;

pub use error::TableError;
pub use readings::{Readings, RecordedReading};
pub use schema::{Column, Counts, Firsts, Kind, Row, TimeColumn, Wanted};
pub use table::Table;
pub use topic::TopicRows;
