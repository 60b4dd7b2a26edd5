//! Logs of messages: the trait that each format implements, and the leaves of a message.

use crate::error::TableError;
use std::collections::{HashMap, HashSet};
use std::fmt::{Debug, Display, Write as _};

/// Longest list whose items become channels: longer ones are images or scans.
pub(crate) const MAX_LIST: usize = 32;

/// Value of a message field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Leaf {
    /// A finite number.
    Number(f64),
    Missing,
    Infinite,
    Text,
    /// List of more than [`MAX_LIST`] items, which is not read.
    LongList,
}

impl Leaf {
    /// A number; a missing value if it is not one.
    pub(crate) fn number(x: f64) -> Self {
        if x.is_finite() {
            Self::Number(x)
        } else if x.is_nan() {
            Self::Missing
        } else {
            Self::Infinite
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

    /// Log time that no later message is before (ns), by an index of the file; 0 if not known. The caller sorts messages
    /// up to it.
    fn floor_ns(&self) -> u64 {
        0
    }

    /// What could not be read so far; complete at the end.
    fn report(&self) -> Report;
}

/// Topics of a source, by index, and those that are ignored.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    names: Vec<String>,
    index: HashMap<String, usize>,
    ignored: HashSet<String>,
}

impl Topics {
    /// Index of a topic, which is added if it is new.
    pub(crate) fn index_of(&mut self, topic: &str) -> usize {
        if let Some(&index) = self.index.get(topic) {
            return index;
        }
        self.names.push(topic.to_owned());
        self.index.insert(topic.to_owned(), self.names.len() - 1);
        self.names.len() - 1
    }

    pub(crate) fn name(&self, index: usize) -> &str {
        self.names.get(index).map_or("", String::as_str)
    }

    pub(crate) fn ignore(&mut self, topic: &str) {
        self.ignored.insert(topic.to_owned());
    }

    pub(crate) fn is_ignored(&self, topic: &str) -> bool {
        self.ignored.contains(topic)
    }

    pub(crate) fn ignored(&self) -> &HashSet<String> {
        &self.ignored
    }
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
