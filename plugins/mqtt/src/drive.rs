//! An actuator of a connection: commands as messages, and the safe command where none comes.

#![expect(
    clippy::disallowed_methods,
    reason = "I/O threads bound their waits by the wall clock"
)]

use crate::connection::{Message, Publisher, Qos};
use becomingone_systems::links::{ActuatorEnd, Context, Outgoing};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest wait before a thread checks whether it is to end.
const POLL_PERIOD: Duration = Duration::from_millis(50);
/// Time without a command after which the driver sends the safe one.
const NO_COMMAND: Duration = Duration::from_millis(500);

/// Commands that are queued, oldest first, until they are sent.
#[derive(Default)]
pub(crate) struct Queued(Mutex<VecDeque<(ActuatorEnd, u64)>>);

impl Queued {
    /// The oldest is sent.
    pub(crate) fn sent(&self) {
        let oldest = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        if let Some((end, sequence)) = oldest {
            end.sent(sequence);
        }
    }

    /// The connection broke.
    pub(crate) fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// An actuator of a connection.
pub(crate) struct Drive {
    pub(crate) end: ActuatorEnd,
    pub(crate) topic: String,
    pub(crate) qos: Qos,
    /// The last command that was queued.
    pub(crate) last: Option<Outgoing>,
}

impl Drive {
    /// Queues commands until the run or the connection ends.
    pub(crate) fn serve(
        &mut self,
        publisher: &Publisher,
        queued: &Queued,
        context: &Context,
        is_lost: &AtomicBool,
    ) {
        // The robot may have been moved, or have started anew, while there was no connection.
        self.send_safe(publisher, queued);
        let mut at = Instant::now();
        while !context.cancelled() {
            if is_lost.load(Ordering::Acquire) {
                return;
            }
            if let Some(command) = self.end.next(POLL_PERIOD) {
                self.send(publisher, queued, command);
                at = Instant::now();
            } else if self.is_moving() && at.elapsed() >= NO_COMMAND {
                log::warn!(
                    "{}: no command for {} ms; the safe command is sent",
                    self.end.name(),
                    NO_COMMAND.as_millis()
                );
                self.send_safe(publisher, queued);
            }
        }
        // The final command may have been queued meanwhile.
        if let Some(command) = self.end.next(Duration::ZERO) {
            self.send(publisher, queued, command);
        }
        if self.is_moving() {
            self.send_safe(publisher, queued);
        }
    }

    fn is_moving(&self) -> bool {
        self.last.as_ref().is_some_and(|last| !last.safe)
    }

    /// Sends the safe command, if there was a command: standstill, joints where they are.
    fn send_safe(&mut self, publisher: &Publisher, queued: &Queued) {
        let (Some(last), Some(will)) = (&self.last, self.end.will()) else {
            return;
        };
        let safe = Outgoing {
            sequence: last.sequence,
            now_ns: last.now_ns,
            ..will.clone()
        };
        self.send(publisher, queued, safe);
    }

    fn send(&mut self, publisher: &Publisher, queued: &Queued, command: Outgoing) {
        let message = self.message(&command);
        let mut waiting = queued.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Where there is no room, the connection stalls, and the next command is newer.
        if publisher.publish(message) {
            waiting.push_back((self.end.clone(), command.sequence));
            drop(waiting);
            self.last = Some(command);
        }
    }

    fn message(&self, command: &Outgoing) -> Message {
        Message {
            topic: self.topic.clone(),
            payload: command.to_json(self.end.name()),
            qos: self.qos,
            retain: false,
        }
    }

    /// What the broker publishes where the connection breaks.
    pub(crate) fn will(&self) -> Option<Message> {
        self.end.will().map(|safe| self.message(safe))
    }
}
