//! What the plugins' tests share: an engine on open links, seeded random inputs for parsers, a web server.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

mod links;
mod random;
mod web;

pub use links::{LIMIT, Rig, instrument, until};
pub use random::{Random, cases, fuzz, mutated};
pub use web::{Answer, Asked, Web};
