//! The link of a probe.

use super::watch::Rhythm;
use becomingone::components::link::{Clock, Counts, LinkState};

/// The link, as a run has it.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) state: LinkState,
    pub(super) clock: Clock,
    pub(super) counts: Counts,
    pub(super) readings: Rhythm,
}
