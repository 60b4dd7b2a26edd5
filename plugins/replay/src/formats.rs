//! Formats of files by their first bytes: logs of messages, and binary formats that are not read.

use crate::dataflash;
use crate::mcap_source::McapSource;
use crate::source::OpenSource;
use crate::ulog::{self, UlogSource};
use std::path::Path;

/// Format of logs of messages.
pub(crate) struct Format {
    /// Name, with an article.
    pub(crate) name: &'static str,
    /// Whether a file has this format, by its first bytes (at least 64 KiB of them, if the file is that long).
    is: fn(&[u8], &Path) -> bool,
    pub(crate) open: OpenSource,
}

/// Logs of messages: one entry for each format.
const FORMATS: &[Format] = &[
    Format {
        name: "an MCAP",
        is: |head, _| head.starts_with(mcap::MAGIC),
        open: |file| Ok(Box::new(McapSource::open(file)?)),
    },
    Format {
        name: "a ULog of PX4",
        is: |head, _| head.starts_with(ulog::MAGIC),
        open: |file| Ok(Box::new(UlogSource::open(file)?)),
    },
    Format {
        name: "a DataFlash log of ArduPilot",
        is: |head, _| head.starts_with(dataflash::binary::MAGIC),
        open: |file| Ok(Box::new(dataflash::binary::BinarySource::open(file)?)),
    },
    Format {
        name: "a DataFlash log of ArduPilot as text",
        is: |head, _| dataflash::text::is_log(head),
        open: |file| Ok(Box::new(dataflash::text::TextSource::open(file)?)),
    },
];

/// Format of a log of messages.
pub(crate) fn of_messages(head: &[u8], file: &Path) -> Option<&'static Format> {
    FORMATS.iter().find(|format| (format.is)(head, file))
}

/// First bytes, name, and what to do.
type Known = (&'static [u8], &'static str, &'static str);

/// Binary formats and encodings that are not read.
const NOT_READ: &[Known] = &[
    (b"\x1f\x8b", "gzip", "an unpacked file: gunzip it first"),
    (
        b"\x28\xb5\x2f\xfd",
        "zstd",
        "an unpacked file: zstd -d it first",
    ),
    (
        b"PK\x03\x04",
        "a ZIP or Excel file",
        "a CSV: save it as one",
    ),
    (b"PAR1", "Parquet", "a CSV: export it as one"),
    (b"\x89HDF", "HDF5", "a CSV: export it as one"),
    (
        b"#ROSBAG",
        "a ROS 1 bag",
        "an MCAP: `mcap convert` makes one",
    ),
    (
        b"SQLite format 3",
        "SQLite (a ROS 2 bag?)",
        "an MCAP: `mcap convert` makes one",
    ),
    (
        b"\xff\xfe",
        "UTF-16",
        "UTF-8: iconv -f UTF-16 -t UTF-8 makes it",
    ),
    (
        b"\xfe\xff",
        "UTF-16",
        "UTF-8: iconv -f UTF-16 -t UTF-8 makes it",
    ),
];

/// Name of a binary format that is not read, and what to do.
pub(crate) fn not_read(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let known = NOT_READ.iter().find(|(begin, ..)| head.starts_with(begin));
    known.map(|(_, found, expected)| (*found, *expected))
}
