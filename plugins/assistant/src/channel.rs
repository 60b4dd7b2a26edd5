//! A way by which people write.

use crate::mail::Incoming;
use becomingone_api::Refused;
use std::time::Duration;

/// Why something is not sent, or not received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Perhaps later.
    Later {
        /// How long the other side asks to wait.
        after: Option<Duration>,
        /// Whether it may have been sent, though nobody said so.
        may_be_sent: bool,
        why: String,
    },
    /// Not this message, whenever it is tried.
    Never(String),
}

impl Trouble {
    /// The same, with none of these texts in it.
    pub(crate) fn without(self, secrets: &[String]) -> Self {
        let hide = |why: String| {
            secrets
                .iter()
                .fold(why, |why, secret| why.replace(secret, "(secret)"))
        };
        match self {
            Self::Later {
                after,
                may_be_sent,
                why,
            } => Self::Later {
                after,
                may_be_sent,
                why: hide(why),
            },
            Self::Never(why) => Self::Never(hide(why)),
        }
    }
}

/// What a poll brings: messages, and up to where the channel is read with them.
pub(crate) type Polled = (Vec<Incoming>, Option<String>);

/// Headers of a request.
pub(crate) type Header<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A channel. Each has two threads: one that receives, one that sends.
pub(crate) trait Channel: Send + Sync {
    /// Sends a text; returns a receipt. `key` is the same when it is sent again.
    fn send(&self, chat: &str, text: &str, key: u64) -> Result<String, Trouble>;

    /// Whether a text that is sent again with its key is shown once.
    fn has_keys(&self) -> bool {
        false
    }

    /// Waits for messages after a cursor, for some seconds at most; none where the channel posts by itself.
    fn poll(&self, cursor: Option<&str>) -> Option<Result<Polled, Trouble>> {
        let _ = cursor;
        None
    }

    /// Whether a text can be sent to this chat at all.
    ///
    /// # Errors
    ///
    /// Found and expected.
    fn may_send_to(&self, chat: &str) -> Result<(), String> {
        let _ = chat;
        Ok(())
    }

    /// Whether other servers post to it.
    fn is_posted(&self) -> bool {
        false
    }

    /// The message that another server has posted; none where it is about something else.
    ///
    /// # Errors
    ///
    /// Why it is not taken.
    fn posted(&self, header: Header<'_>, body: &[u8]) -> Result<Option<Incoming>, Refused> {
        let _ = (header, body);
        Err(Refused::NoSuchChannel)
    }
}
