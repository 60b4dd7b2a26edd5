//! Formats of logs of messages, by their first bytes.

use crate::bag_records;
use crate::bag_source::BagSource;
use crate::dataflash;
use crate::error::TableError;
use crate::folder_source::FolderSource;
use crate::mcap_source::McapSource;
use crate::source::{MessageSource, OpenSource};
use crate::ulog::{self, UlogSource};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Format of logs of messages.
pub(crate) struct Format {
    /// Name, with an article.
    pub(crate) name: &'static str,
    /// Whether a file has this format, by its first bytes (at least 64 KiB of them, if the file is that long).
    is: fn(&[u8], &Path) -> bool,
    pub(crate) open: OpenSource,
    /// What to do with a file in which nothing can be read.
    pub(crate) instead: &'static str,
}

const MESSAGES: &str = "topics in ROS 1, ROS 2 (CDR), JSON or protobuf with their schemas in the file; a CSV or JSON lines of the others: their own tools export them";
const ULOG: &str =
    "a log that the controller closed; `ulog2csv` of PyPI pyulog makes CSV files of what it finds";
const DATAFLASH: &str = "a log that the controller closed; `mavlogdump.py --format csv --types IMU` of PyPI pymavlink makes a CSV of what it finds";

/// Logs of messages: one entry for each format.
const FORMATS: &[Format] = &[
    Format {
        name: "an MCAP",
        is: |head, _| head.starts_with(mcap::MAGIC),
        open: |file| Ok(Box::new(McapSource::open(file)?)),
        instead: MESSAGES,
    },
    Format {
        name: "a ULog of PX4",
        is: |head, _| head.starts_with(ulog::MAGIC),
        open: |file| Ok(Box::new(UlogSource::open(file)?)),
        instead: ULOG,
    },
    Format {
        name: "a DataFlash log of ArduPilot",
        is: |head, _| head.starts_with(dataflash::binary::MAGIC),
        open: |file| Ok(Box::new(dataflash::binary::BinarySource::open(file)?)),
        instead: DATAFLASH,
    },
    Format {
        name: "a DataFlash log of ArduPilot as text",
        is: |head, _| dataflash::text::is_log(head),
        open: |file| Ok(Box::new(dataflash::text::TextSource::open(file)?)),
        instead: DATAFLASH,
    },
    Format {
        name: "a ROS 1 bag",
        is: |head, _| head.starts_with(bag_records::MAGIC),
        open: |file| Ok(Box::new(BagSource::open(file)?)),
        instead: MESSAGES,
    },
    Format {
        name: "a ROS 2 bag in SQLite",
        is: |head, _| head.starts_with(b"SQLite format 3\0"),
        open: open_db3,
        instead: MESSAGES,
    },
];

/// A folder with the files of a ROS 2 bag.
pub(crate) const FOLDER: Format = Format {
    name: "a folder",
    is: |_, file| file.is_dir(),
    open: |folder| Ok(Box::new(FolderSource::open(folder, open_messages)?)),
    instead: MESSAGES,
};

#[cfg(feature = "sqlite")]
fn open_db3(file: &Path) -> Result<Box<dyn MessageSource>, TableError> {
    Ok(Box::new(crate::db3_source::Db3Source::open(file)?))
}

#[cfg(not(feature = "sqlite"))]
fn open_db3(file: &Path) -> Result<Box<dyn MessageSource>, TableError> {
    Err(TableError::invalid(
        file,
        "a ROS 2 bag in SQLite",
        "a build with the Cargo feature `sqlite`, or MCAP: `ros2 bag convert`, or `mcap convert in.db3 out.mcap`",
    ))
}

/// Format of a log of messages.
pub(crate) fn of_messages(head: &[u8], file: &Path) -> Option<&'static Format> {
    FORMATS.iter().find(|format| (format.is)(head, file))
}

/// Opens a log of messages.
fn open_messages(file: &Path) -> Result<Box<dyn MessageSource>, TableError> {
    let failed = |cause| TableError::read(file, cause);
    let mut head = Vec::new();
    let from = File::open(file).map_err(failed)?;
    from.take(64 * 1024)
        .read_to_end(&mut head)
        .map_err(failed)?;
    match of_messages(&head, file) {
        Some(format) => (format.open)(file),
        None => Err(TableError::invalid(
            file,
            "no log of messages",
            "an MCAP, a ROS 1 bag, or a ROS 2 bag",
        )),
    }
}
