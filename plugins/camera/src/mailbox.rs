//! The newest picture of a stream, between the thread that receives and the one that decodes.

use crate::sinks::Raw;
use becomingone_systems::links::document::Refusal;
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// What waits.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    pub(crate) newest: Option<Raw>,
    /// Pictures that a newer one replaced.
    pub(crate) lost: u64,
    /// Parts that are no picture, the first of each kind with their number.
    pub(crate) refused: BTreeMap<&'static str, (Refusal, u64)>,
    /// Why the stream has ended.
    pub(crate) ended: Option<String>,
}

impl Parcel {
    fn is_empty(&self) -> bool {
        self.newest.is_none() && self.refused.is_empty() && self.ended.is_none()
    }
}

/// Hands pictures over; a newer one replaces one that waits.
#[derive(Default)]
pub(crate) struct Mailbox {
    parcel: Mutex<Parcel>,
    changed: Condvar,
}

impl Mailbox {
    fn change(&self, change: impl FnOnce(&mut Parcel)) {
        change(&mut self.parcel.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    pub(crate) fn put(&self, raw: Raw) {
        self.change(|parcel| {
            if parcel.newest.replace(raw).is_some() {
                parcel.lost += 1;
            }
        });
    }

    pub(crate) fn refuse(&self, refusal: Refusal) {
        self.change(|parcel| {
            let entry = parcel.refused.entry(refusal.kind);
            entry.or_insert_with(|| (refusal, 0)).1 += 1;
        });
    }

    pub(crate) fn end(&self, reason: String) {
        self.change(|parcel| parcel.ended = Some(reason));
    }

    /// Ends it where nobody has.
    pub(crate) fn end_if_open(&self, reason: &str) {
        self.change(|parcel| {
            parcel.ended.get_or_insert_with(|| reason.to_owned());
        });
    }

    /// Takes what waits; waits for it at most this long.
    pub(crate) fn take(&self, within: Duration) -> Parcel {
        let parcel = self.parcel.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(parcel, within, |parcel| parcel.is_empty());
        let mut parcel = waited.unwrap_or_else(PoisonError::into_inner).0;
        std::mem::take(&mut parcel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_picture_wins_and_the_others_are_counted() {
        let mailbox = Mailbox::default();
        assert!(mailbox.take(Duration::ZERO).is_empty());
        for arrival_ns in 0..5 {
            let (bytes, stamp_ns) = (vec![], None);
            mailbox.put(Raw {
                bytes,
                arrival_ns,
                stamp_ns,
            });
        }
        let parcel = mailbox.take(Duration::ZERO);
        assert_eq!((parcel.newest.unwrap().arrival_ns, parcel.lost), (4, 4));
        assert!(mailbox.take(Duration::ZERO).is_empty());
    }
}
