//! Observation of a link: bytes as they arrive, and all that is decoded from them, whatever a sensor takes of it.
//!
//! Drivers show both with [`SensorEnd::observe`](super::SensorEnd::observe); `becomingone probe` is the observer. In a
//! run there is none.

use serde_json::Value;
use std::borrow::Cow;

/// Observer of a link.
pub trait LinkObserver: Send + Sync + 'static {
    /// Sees something that arrived at this time (ns); called on the driver's thread.
    fn see(&self, arrival_ns: u64, seen: Observed<'_>);
}

/// What a driver shows.
#[derive(Clone, Copy, Debug)]
pub enum Observed<'a> {
    /// Bytes of a stream, in pieces as they arrived.
    Stream(&'a [u8]),
    /// A whole line, datagram or answer.
    Packet(&'a [u8]),
    /// A decoded message.
    Message {
        /// Its kind or sender: `GGA`, `rover/imu`.
        name: &'a str,
        /// Option of the driver that selects the messages of this name; empty without one.
        select: &'static str,
        /// Its content.
        content: Content<'a>,
    },
}

/// Content of a message.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// Numbers by name; those without a value are NaN.
    Named(&'a [(Cow<'static, str>, f64)]),
    /// Numbers without names.
    Row(&'a [f64]),
    /// A JSON document.
    Document(&'a Value),
}
