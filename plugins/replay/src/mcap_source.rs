//! [`McapSource`]: messages of an MCAP file, by the schemas in it.

use crate::error::TableError;
use crate::messages::{Channel, Encoding, Messages};
use crate::source::{Each, MessageSource, Report, Stamped};
use std::collections::HashSet;
use std::path::Path;

/// Messages of an MCAP file.
#[derive(Debug)]
pub(crate) struct McapSource {
    messages: Messages,
    topics: Vec<String>,
    ignored: HashSet<String>,
}

impl McapSource {
    pub(crate) fn open(file: &Path) -> Result<Self, TableError> {
        Ok(Self {
            messages: Messages::open(file)?,
            topics: Vec::new(),
            ignored: HashSet::new(),
        })
    }
}

impl MessageSource for McapSource {
    fn next(&mut self, each: Each<'_>) -> Result<Option<Stamped>, TableError> {
        let Self {
            messages,
            topics,
            ignored,
        } = self;
        loop {
            let message = messages.next(|_, channel, header, bytes| {
                if !is_wanted(channel) {
                    return None;
                }
                let topic = index_of(topics, &channel.topic);
                let whole = ignored.contains(&channel.topic)
                    || channel.leaves(bytes, &mut |path, leaf| {
                        if let Some(name) = name(path, channel.ours) {
                            each(name.as_ref(), leaf);
                        }
                    });
                Some(Stamped {
                    topic,
                    time_ns: header.log_time,
                    broken: (!whole).then(|| "not valid in its encoding".to_owned()),
                })
            })?;
            match message {
                None => return Ok(None),
                Some(Some(stamped)) => return Ok(Some(stamped)),
                Some(None) => {}
            }
        }
    }

    fn topic(&self, index: usize) -> &str {
        self.topics.get(index).map_or("", String::as_str)
    }

    fn ignore(&mut self, topic: &str) {
        self.ignored.insert(topic.to_owned());
    }

    fn report(&self) -> Report {
        let unread = self.messages.channels().filter(|c| is_topic(c));
        let unread = unread.filter_map(|c| match &c.encoding {
            Encoding::Other(encoding) => Some(format!("`{}` ({encoding})", c.topic)),
            _ => None,
        });
        let truncated = self.messages.truncated;
        let truncated = truncated.then(|| {
            "the file ends within a record: the writer was killed, or the copy is not complete"
                .to_owned()
        });
        Report {
            unread: unread.collect(),
            notes: truncated.into_iter().collect(),
        }
    }
}

/// Index of a topic, which is added if it is new.
fn index_of(topics: &mut Vec<String>, topic: &str) -> usize {
    topics.iter().position(|t| t == topic).unwrap_or_else(|| {
        topics.push(topic.to_owned());
        topics.len() - 1
    })
}

/// Whether a topic has readings. Our own recordings have others, too: journal, ground truth, and kernel outputs.
fn is_topic(channel: &Channel) -> bool {
    !channel.ours || channel.metadata.contains_key("kind") && !channel.topic.ends_with("/truth")
}

fn is_wanted(channel: &Channel) -> bool {
    is_topic(channel) && !matches!(channel.encoding, Encoding::Other(_))
}

/// Name of a channel. In our own recordings, readings are below `value`, beside counts and stamps.
fn name(path: &str, ours: bool) -> Option<std::borrow::Cow<'_, str>> {
    if !ours {
        return Some(path.into());
    }
    let (topic, field) = path.split_once("/value/")?;
    Some(format!("{topic}/{field}").into())
}
