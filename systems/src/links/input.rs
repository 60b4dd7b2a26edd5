//! Sources of frames: live links, or a journal of a recorded run.

use becomingone_components::link::{Frame, Payload};
use bevy_ecs::prelude::*;

/// Source of frames. A run that is repeated from its journal starts no driver and reads no stick.
#[derive(Resource)]
pub enum ExternalInput {
    /// Live links.
    Live(Vec<Box<dyn InputLink>>),
    /// Recorded frames of [`Entered`](becomingone_components::link::Entered).
    Journal(Box<dyn Journal>),
}

impl Default for ExternalInput {
    fn default() -> Self {
        Self::Live(Vec::new())
    }
}

impl ExternalInput {
    /// Adds a link; no effect in a run from a journal.
    pub fn add(&mut self, inlet: impl InputLink) {
        if let Self::Live(inlets) = self {
            inlets.push(Box::new(inlet));
        }
    }
}

/// Brings links into the order in which they are drained: by name, then by rank, then as they were added.
pub(super) fn sort(links: &mut [Box<dyn InputLink>]) {
    links.sort_by(|a, b| a.link().cmp(b.link()).then(a.rank().cmp(&b.rank())));
}

/// A live link. It never blocks: its frames have arrived already.
pub trait InputLink: Send + Sync + 'static {
    /// Name of the link.
    fn link(&self) -> &str;
    /// Place among links of the same name, smallest first: stops precede other requests.
    fn rank(&self) -> u8 {
        1
    }
    /// Whether it may have frames at this time; queried each tick.
    fn is_waiting(&self, now_ns: u64) -> bool {
        let _ = now_ns;
        true
    }
    /// Passes all samples since the last tick to `give`, oldest first.
    fn drain(&mut self, now_ns: u64, give: &mut dyn FnMut(InputSample));
    /// Clears the link: the run restarts.
    fn reset(&mut self);
}

/// A frame of a live link, without link and number.
#[derive(Clone, Debug, PartialEq)]
pub struct InputSample {
    /// Source time, on the run's clock (ns).
    pub source_ns: u64,
    /// Arrival at this machine, on the run's clock (ns).
    pub arrival_ns: u64,
    /// Content.
    pub payload: Payload,
}

/// Frames of a recorded run.
pub trait Journal: Send + Sync + 'static {
    /// Adds the frames of this tick, in the order in which they were applied. Ticks are requested in order, from 0;
    /// after a reset from 0 again.
    fn frames(&mut self, tick: u64, into: &mut Vec<Frame>);
}

/// Frames with their ticks, in order.
impl Journal for Vec<(u64, Frame)> {
    fn frames(&mut self, tick: u64, into: &mut Vec<Frame>) {
        let first = self.partition_point(|(t, _)| *t < tick);
        let these = self[first..].iter().take_while(|(t, _)| *t == tick);
        into.extend(these.map(|(_, frame)| frame.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_gives_each_tick_its_frames_also_after_a_reset() {
        let frame = |sequence| Frame {
            link: 0,
            sequence,
            source_ns: 0,
            arrival_ns: 0,
            payload: Payload::Reading {
                numbers: vec![1.0],
                bytes: Vec::new(),
            },
        };
        let mut journal = vec![(0, frame(0)), (2, frame(1)), (2, frame(2)), (5, frame(3))];
        let mut of = |tick| {
            let mut frames = Vec::new();
            Journal::frames(&mut journal, tick, &mut frames);
            frames.iter().map(|f| f.sequence).collect::<Vec<_>>()
        };
        for _ in 0..2 {
            assert_eq!([of(0), of(1), of(2)], [vec![0], vec![], vec![1, 2]]);
            assert_eq!([of(5), of(6)], [vec![3], vec![]]);
        }
    }
}
