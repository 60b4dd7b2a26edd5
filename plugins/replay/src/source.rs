//! Logs of messages: the trait that each format implements, and the leaves of a message.

use crate::error::TableError;
use std::fmt::{Debug, Display, Write as _};

/// Longest list whose items become channels: longer ones are images or scans.
pub(crate) const MAX_LIST: usize = 32;

/// Value of a message field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Leaf {
    Number(f64),
    Missing,
    Text,
    /// List of more than [`MAX_LIST`] items, which is not read.
    LongList,
}

impl Leaf {
    /// A finite number, or a missing value.
    pub(crate) fn number(x: f64) -> Self {
        if x.is_finite() {
            Self::Number(x)
        } else {
            Self::Missing
        }
    }
}

/// Message of a source; its leaves were visited before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamped {
    /// Index of its topic, for [`MessageSource::topic`].
    pub(crate) topic: usize,
    /// Log time (ns), since 1970 or, from its own origin, such as the start of a flight controller.
    pub(crate) time_ns: u64,
    /// Why the message is not valid in its encoding; `None` if it is. Leaves before the error may have been visited.
    pub(crate) broken: Option<String>,
}

/// What a source could not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Topics that cannot be read, each with the reason.
    pub(crate) unread: Vec<String>,
    /// Sentences about the file, such as "the file ends within a record".
    pub(crate) notes: Vec<String>,
}

/// Visitor of the leaves of a message: path `topic/field/sub/0` without a leading slash, and value.
pub(crate) type Each<'a> = &'a mut dyn FnMut(&str, Leaf);

/// Log of messages, read as a stream. A file is opened twice: to find its columns, and to read them.
pub(crate) trait MessageSource: Debug + Send {
    /// Reads the next message and visits its leaves; `None` at the end. Messages of topics that cannot be read are
    /// passed over.
    ///
    /// # Errors
    ///
    /// A [`TableError`] if the file cannot be read. A file that ends early is a note, not an error.
    fn next(&mut self, each: Each<'_>) -> Result<Option<Stamped>, TableError>;

    /// Name of a topic.
    fn topic(&self, index: usize) -> &str;

    /// Does not visit the leaves of a topic any more; its messages may still be returned, or passed over.
    fn ignore(&mut self, topic: &str);

    /// Whether messages are in order of log time, by an index of the file; otherwise the caller sorts.
    fn is_ordered(&self) -> bool {
        false
    }

    /// What could not be read so far; complete at the end.
    fn report(&self) -> Report;
}

/// Opens a file as a source.
pub(crate) type OpenSource = fn(&std::path::Path) -> Result<Box<dyn MessageSource>, TableError>;

/// Calls `then` with `/part` appended to the path.
pub(crate) fn below(path: &mut String, part: &dyn Display, then: impl FnOnce(&mut String)) {
    let length = path.len();
    // Writing to a string cannot fail.
    let _ = write!(path, "/{part}");
    then(path);
    path.truncate(length);
}
