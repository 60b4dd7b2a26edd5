//! What the drivers' tests share: an engine on open links, and seeded random inputs for their parsers.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

mod links;
mod random;

pub use links::{LIMIT, Rig, instrument, until};
pub use random::{Random, cases, fuzz, mutated};
