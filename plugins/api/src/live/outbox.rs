//! What waits to be sent to one client, and is bounded: a client that reads slowly loses the oldest messages, which are
//! counted; it slows nobody else.

use axum::body::Bytes;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Most bytes of messages that wait.
const MAX_BYTES: usize = 8 << 20;
/// Most answers and advertisements that wait; a client that asks for more and does not read them is closed.
const MAX_ANSWERS: usize = 1024;
/// Bytes that are taken at once.
const TAKEN_BYTES: usize = 256 << 10;

/// A message of a channel; clones share its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Time of all runs (ns).
    pub(crate) log_ns: u64,
    pub(crate) bytes: Bytes,
}

/// What is sent to a client.
#[derive(Debug)]
pub(crate) enum Item {
    /// An answer, or an advertisement.
    Text(String),
    /// A binary answer.
    Binary(Vec<u8>),
    /// A message, for the subscription of this number.
    Message(u32, Sent),
    /// The present time of all runs (ns).
    Time(u64),
    /// Asks whether the client is there.
    Ping,
    /// The connection ends, with this reason.
    Close(u16, &'static str),
}

#[derive(Default)]
struct Waiting {
    answers: VecDeque<Item>,
    messages: VecDeque<(u32, Sent)>,
    /// Of the messages.
    bytes: usize,
    lost: u64,
    now_ns: Option<u64>,
}

/// What waits for one client.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an answer; it is sent before all messages that wait.
    pub(crate) fn answer(&self, item: Item) {
        let mut waiting = self.lock();
        if waiting.answers.len() >= MAX_ANSWERS {
            waiting.answers.clear();
            let why =
                "found a client that asks and does not read; expected one that reads its answers";
            waiting.answers.push_back(Item::Close(1008, why));
        } else if !matches!(waiting.answers.back(), Some(Item::Close(..))) {
            waiting.answers.push_back(item);
        }
        drop(waiting);
        self.filled.notify_one();
    }

    /// Adds a message; it is sent after the next [`flush`](Self::flush).
    pub(crate) fn message(&self, subscription: u32, message: Sent) {
        let mut waiting = self.lock();
        waiting.bytes += message.bytes.len();
        waiting.messages.push_back((subscription, message));
        while waiting.bytes > MAX_BYTES
            && waiting.messages.len() > 1
            && let Some((_, oldest)) = waiting.messages.pop_front()
        {
            waiting.bytes -= oldest.bytes.len();
            waiting.lost += 1;
        }
    }

    /// Sends what was added; the run has this time (ns).
    pub(crate) fn flush(&self, now_ns: u64) {
        self.lock().now_ns = Some(now_ns);
        self.filled.notify_one();
    }

    /// Forgets all messages: their channels are no more.
    pub(crate) fn clear_messages(&self) {
        let mut waiting = self.lock();
        waiting.messages.clear();
        waiting.bytes = 0;
    }

    /// Waits until there is something to send.
    pub(crate) async fn wait(&self) {
        self.filled.notified().await;
    }

    /// Takes a part of what waits; nothing where nothing does.
    pub(crate) fn take(&self) -> Vec<Item> {
        let mut waiting = self.lock();
        let mut taken: Vec<Item> = waiting.answers.drain(..).collect();
        let mut bytes = 0;
        while bytes < TAKEN_BYTES
            && let Some((subscription, message)) = waiting.messages.pop_front()
        {
            bytes += message.bytes.len();
            taken.push(Item::Message(subscription, message));
        }
        waiting.bytes -= bytes;
        if waiting.messages.is_empty() {
            taken.extend(waiting.now_ns.take().map(Item::Time));
        }
        taken
    }

    /// Messages that were lost since the last call.
    pub(crate) fn take_lost(&self) -> u64 {
        std::mem::take(&mut self.lock().lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(log_ns: u64, bytes: usize) -> Sent {
        Sent {
            log_ns,
            bytes: vec![0; bytes].into(),
        }
    }

    #[test]
    fn the_oldest_messages_are_lost_and_counted() {
        let outbox = Outbox::default();
        for k in 0..20 {
            outbox.message(1, sent(k, 1 << 20));
        }
        assert_eq!((outbox.take_lost(), outbox.take_lost()), (12, 0));
        let mut left = Vec::new();
        loop {
            let taken = outbox.take();
            if taken.is_empty() {
                break;
            }
            left.extend(taken);
        }
        assert_eq!(left.len(), 8);
        assert!(matches!(left[0], Item::Message(1, Sent { log_ns: 12, .. })));
        assert_eq!(outbox.lock().bytes, 0);
        // One that is larger than all that may wait is sent.
        outbox.message(1, sent(20, MAX_BYTES + 1));
        outbox.message(1, sent(21, MAX_BYTES + 1));
        assert!(matches!(
            &outbox.take()[..],
            [Item::Message(1, Sent { log_ns: 21, .. })]
        ));
    }

    #[test]
    fn answers_come_first_and_the_time_last() {
        let outbox = Outbox::default();
        outbox.message(1, sent(5, 1));
        outbox.flush(5);
        outbox.answer(Item::Text("a".to_owned()));
        let taken = outbox.take();
        assert!(matches!(
            &taken[..],
            [Item::Text(_), Item::Message(..), Item::Time(5)]
        ));
    }

    #[test]
    fn who_asks_and_does_not_read_is_closed() {
        let outbox = Outbox::default();
        for _ in 0..3 * MAX_ANSWERS {
            outbox.answer(Item::Text(String::new()));
        }
        assert!(matches!(&outbox.take()[..], [Item::Close(1008, _)]));
    }
}
