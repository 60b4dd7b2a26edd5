//! The page of the run: who is signed in there is the owner.

use crate::channel::{Channel, Trouble};
use crate::link::lock;
use crate::mail::Incoming;
use becomingone_api::Said;
use std::collections::VecDeque;
use std::sync::Mutex;

/// Messages that the page shows.
const SHOWN: usize = 500;

/// What was said on the page.
pub(crate) struct Page(Mutex<Kept>);

struct Kept {
    /// Number of the last message: an earlier start has had lower ones.
    last: u64,
    said: VecDeque<Said>,
}

impl Page {
    pub(crate) fn new() -> Self {
        let last = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
        Self(Mutex::new(Kept {
            last,
            said: VecDeque::new(),
        }))
    }

    fn add(&self, is_reply: bool, text: &str) -> u64 {
        let mut kept = lock(&self.0);
        kept.last += 1;
        let said = Said {
            number: kept.last,
            is_reply,
            text: text.to_owned(),
        };
        kept.said.push_back(said);
        if kept.said.len() > SHOWN {
            kept.said.pop_front();
        }
        kept.last
    }

    /// A sentence of the owner.
    pub(crate) fn own(&self, text: &str) -> Incoming {
        let number = self.add(false, text);
        Incoming {
            key: number.to_string(),
            chat: "page".to_owned(),
            person: "owner".to_owned(),
            name: "owner".to_owned(),
            text: text.to_owned(),
        }
    }

    pub(crate) fn said(&self, after: u64) -> Vec<Said> {
        let kept = lock(&self.0);
        let new = kept.said.iter().filter(|said| said.number > after);
        new.cloned().collect()
    }
}

impl Channel for Page {
    fn send(&self, _: &str, text: &str, _: u64) -> Result<String, Trouble> {
        Ok(self.add(true, text).to_string())
    }

    // What was shown by an earlier process is shown no longer.
    fn has_keys(&self) -> bool {
        true
    }
}
