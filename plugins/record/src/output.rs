//! Where messages go: a file, or clients.

use std::collections::BTreeMap;

/// Receives the messages of a run, in their order.
pub trait Output {
    /// Why a message is not taken.
    type Error: From<std::io::Error>;
    /// Whether channels of a run remain those of the next one.
    const KEEPS_CHANNELS: bool;

    /// A run starts, or is shown from here on.
    ///
    /// # Errors
    ///
    /// What it is written to fails.
    fn begin(&mut self, start: &RunStart) -> Result<(), Self::Error>;

    /// The messages since [`begin`](Self::begin) are what the run begins with; those of its ticks follow.
    fn begun(&mut self) {}

    /// Adds a channel; returns its number.
    ///
    /// # Errors
    ///
    /// What it is written to fails, or has no number left.
    fn channel(&mut self, channel: &Channel<'_>) -> Result<u16, Self::Error>;

    /// Takes a message of a channel.
    ///
    /// # Errors
    ///
    /// What it is written to fails.
    fn message(&mut self, channel: u16, stamp: Stamp, bytes: &[u8]) -> Result<(), Self::Error>;
}

/// Start of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunStart {
    /// Counts the runs from 1: each reset starts one.
    pub run: u64,
    /// Length of a tick (ns).
    pub tick_ns: u64,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Hash of the resolved scene.
    pub scene_hash: u64,
}

/// Channel of messages.
#[derive(Clone, Copy, Debug)]
pub struct Channel<'a> {
    /// `/rover/imu`.
    pub topic: &'a str,
    /// `json` or `protobuf`.
    pub encoding: &'a str,
    /// Schema of the messages.
    pub schema: Option<Schema<'a>>,
    /// Units of the numbers, kind of a sensor.
    pub metadata: &'a BTreeMap<String, String>,
}

/// Schema of messages.
#[derive(Clone, Copy, Debug)]
pub struct Schema<'a> {
    /// `foxglove.PoseInFrame`.
    pub name: &'a str,
    /// `jsonschema` or `protobuf`.
    pub encoding: &'a str,
    /// Its text, or its descriptors.
    pub data: &'a [u8],
}

/// Times of a message. They count from the start of the first run; a later run continues where the last one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Tick of its run.
    pub tick: u64,
    /// When it came into the run (ns).
    pub log_ns: u64,
    /// When it was measured (ns).
    pub publish_ns: u64,
}
