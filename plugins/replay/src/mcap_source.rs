//! [`McapSource`]: messages of an MCAP file, by the schemas in it.

use crate::encoding::Encoding;
use crate::error::TableError;
use crate::messages::Messages;
use crate::source::{Each, MessageSource, Report, Stamped, Topics};
use std::path::Path;

/// Messages of an MCAP file.
#[derive(Debug)]
pub(crate) struct McapSource {
    messages: Messages,
    topics: Topics,
}

impl McapSource {
    pub(crate) fn open(file: &Path) -> Result<Self, TableError> {
        Ok(Self {
            messages: Messages::open_by_time(file)?,
            topics: Topics::default(),
        })
    }
}

impl MessageSource for McapSource {
    fn next(&mut self, each: Each<'_>) -> Result<Option<Stamped>, TableError> {
        let Self { messages, topics } = self;
        loop {
            let message = messages.next(|_, channel, header, bytes| {
                if !channel.is_readable() {
                    return None;
                }
                let visited = if topics.is_ignored(&channel.topic) {
                    Ok(())
                } else {
                    let topic = &channel.topic;
                    channel.encoding.visit(topic, bytes, &mut |path, leaf| {
                        if let Some(name) = name(path, channel.ours) {
                            each(name.as_ref(), leaf);
                        }
                    })
                };
                Some(Stamped {
                    topic: topics.index_of(&channel.topic),
                    time_ns: header.log_time,
                    broken: visited.err(),
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
        self.topics.name(index)
    }

    fn ignore(&mut self, topic: &str) {
        self.topics.ignore(topic);
        self.messages.skip_topics(self.topics.ignored());
    }

    fn floor_ns(&self) -> u64 {
        self.messages.floor_ns()
    }

    fn report(&self) -> Report {
        let unread = self.messages.channels().filter(|c| c.is_topic());
        let unread = unread.filter_map(|c| match &c.encoding {
            Encoding::Other(encoding) => Some(format!("`{}` ({encoding})", c.topic)),
            _ => None,
        });
        let mut notes = Vec::new();
        if self.messages.truncated {
            notes.push(
                "the file ends within a record, as after its writer was killed or a copy that is not complete: what is before is read"
                    .to_owned(),
            );
        }
        if self.messages.without_channel > 0 {
            notes.push(format!(
                "{} messages have a channel that is not in the file, and were dropped",
                self.messages.without_channel
            ));
        }
        Report {
            unread: unread.collect(),
            notes,
        }
    }
}

/// Name of a channel. In our own recordings, readings are below `value`, beside counts and stamps.
fn name(path: &str, ours: bool) -> Option<std::borrow::Cow<'_, str>> {
    if !ours {
        return Some(path.into());
    }
    let (topic, field) = path.split_once("/value/")?;
    Some(format!("{topic}/{field}").into())
}
