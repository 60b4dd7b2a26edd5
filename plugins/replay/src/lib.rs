//! Readers of recordings: tables from CSV and MCAP files, and readings from our own recordings.
//!
//! Modules in the order of processing:
//!
//! - `cell`, `time_format`: numbers and time stamps in text.
//! - `text`: text stream of a CSV file; counts lines, and merges spaces that separate cells.
//! - `csv_rows`: rows of a CSV file.
//! - `formats`: formats by the first bytes of a file.
//! - `source`: the trait of logs of messages; `encoding`, `ros`: numbers in a message.
//! - `mcap_chunks`, `messages`, `mcap_source`: messages of an MCAP file; `bag_records`, `bag_chunks`, `bag_source`: of a
//!   ROS 1 bag; `db3_source`: of a ROS 2 bag in `SQLite`; `folder_source`: of the files of a ROS 2 bag.
//! - `head`: first messages of each topic; `sorting`: bounded sort; `message_rows`: rows made of messages.
//! - [`Table`]: named columns of numbers, row by row, from either format; `schema`: its columns.
//! - [`Readings`]: readings of a sensor in one of our own recordings, bit-identical.
//!
//! Files are streamed: memory use does not depend on their length.

mod bag_chunks;
mod bag_records;
mod bag_source;
mod cell;
mod csv_rows;
#[cfg(feature = "sqlite")]
mod db3_source;
mod encoding;
mod error;
mod folder_source;
mod formats;
mod head;
mod input;
mod mcap_chunks;
mod mcap_source;
mod message_rows;
mod messages;
mod readings;
mod ros;
mod schema;
mod sorting;
mod source;
mod table;
mod text;
mod time_format;

pub use error::TableError;
pub use readings::{Readings, RecordedReading};
pub use schema::{Column, Counts, Firsts, Kind, Row, TimeColumn, Wanted};
pub use table::Table;
