//! Event memory of an agent (BLEND): events, each with the coherence signature of its time.

use becomingone_components::coherence::{LAGS, MAX_CHANNELS};
use becomingone_components::event::EventKind;
use becomingone_components::scene::BlendSpec;
use becomingone_components::time::NS_PER_S;
use becomingone_kernel::{AgeOctaves, BlendConfig, ConfigError, Held, Near, Signature, StoreError};
use bevy_ecs::prelude::*;
use std::f64::consts::LN_2;
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;

/// Maximum events in an agent's memory.
pub const MEMORIES: usize = 64;

/// Default half-life of a memory, in windows of the Master: events are kept an order of magnitude longer than their
/// background.
const HALF_LIFE_MASTER_WINDOWS: f64 = 10.0;
/// Memories younger than this many windows of the Emissary belong to the present and are not compared with it: after
/// three windows, e^-3 = 5 % of the Emissary's value is still from then.
const PRESENT_WINDOWS: f64 = 3.0;
/// Maximum memories per octave of age that are kept for the next run; the first octave reaches to two of the Master's
/// windows. All places are taken at an age of 2^16 windows, which is 45 days of running at 60 s; the rest of the
/// capacity is for the events of a run.
const KEPT_IN_AN_OCTAVE: usize = 4;

/// Coherence signature of an agent.
pub type AgentSignature = Signature<f64, MAX_CHANNELS, LAGS>;

/// A stored event.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// Run of the event: 0 is the first, and the only one without restored memory.
    pub run: u64,
    /// Number of events that it stands for: more than 1 where those of earlier runs were merged.
    pub events: u64,
    /// Time of the event (ns from its run's start).
    pub at_ns: u64,
    /// Event.
    pub what: EventKind,
    /// Coherence signature.
    pub signature: AgentSignature,
    /// True position of the agent's root link (m), for viewers; none without a body.
    pub position_m: Option<[f32; 3]>,
    /// Time and event for display: `00:12.3 touched crate_a`, of an earlier run `run 1, 00:12.3 touched crate_a`.
    pub label: Arc<str>,
}

/// An agent's memories in the kernel.
pub(crate) type Kept = becomingone_kernel::Blend<f64, Memory, MEMORIES>;

/// The memory most similar to the present.
#[derive(Clone, Debug, PartialEq)]
pub struct Likeness {
    /// Serial number of the memory, as in [`Held`].
    pub serial: u64,
    /// Its label.
    pub label: Arc<str>,
    /// 1 minus the distance of the signatures, 0 to 1.
    pub similarity: f64,
}

/// The memory of an agent with a kernel.
#[derive(Component, Clone, Debug)]
pub struct Blend {
    memories: Box<Kept>,
    /// Merging of memories for the next run.
    octaves: AgeOctaves,
    /// Number of this run: 0 without restored memory.
    run: u64,
    /// Number of restored memories.
    restored: usize,
    /// Least similarity of a recall.
    similarity: f64,
    /// The event of largest weight since the last kernel tick, with its stamp (ns).
    pub pending: Option<(u64, EventKind)>,
    /// The memory most similar to the present, at the last comparison.
    pub likeness: Option<Likeness>,
    /// Serial number of the memory that was recalled last, and its strength then.
    pub recalled: Option<(u64, f64)>,
    /// Kernel ticks since the last comparison.
    pub unlooked: u32,
}

impl Blend {
    /// An empty memory with a scene's setup, beside a Master with this window (s).
    ///
    /// # Errors
    ///
    /// A number out of range; scenes are checked for that.
    pub fn new(spec: &BlendSpec, master_window_s: f64) -> Result<Self, ConfigError> {
        let half_life_s = spec
            .half_life_s
            .unwrap_or(HALF_LIFE_MASTER_WINDOWS * master_window_s);
        let config = BlendConfig {
            fading_per_s: LN_2 / half_life_s,
            protection: spec.protection,
            recall: spec.recall,
            forget_below: spec.forget_below,
        };
        Ok(Self {
            memories: Box::new(Kept::new(config)?),
            octaves: AgeOctaves::new(master_window_s, KEPT_IN_AN_OCTAVE)?,
            run: 0,
            restored: 0,
            similarity: spec.similarity,
            pending: None,
            likeness: None,
            recalled: None,
            unlooked: 0,
        })
    }

    /// Restores the memories of earlier runs, from [`stored`](Self::stored), in run number `run`, at least 1.
    /// Memories of this run are discarded.
    ///
    /// # Errors
    ///
    /// Invalid bytes. Those of a [`StoredMemory`](super::stored_memory::StoredMemory) were checked.
    pub fn restore(&mut self, run: u64, bytes: &[u8]) -> Result<(), StoreError> {
        *self.memories = Kept::load(*self.memories.config(), bytes)?;
        self.memories.consolidate(&self.octaves, merge);
        self.run = run;
        self.restored = self.memories.count();
        Ok(())
    }

    /// The memories for the next run, as bytes, and their number: merged by age, so that the number is bounded over
    /// any number of runs.
    ///
    /// # Errors
    ///
    /// A text beyond 4 GB.
    pub fn stored(&self) -> Result<(Vec<u8>, usize), StoreError> {
        let mut memories = self.memories.clone();
        memories.consolidate(&self.octaves, merge);
        let mut bytes = vec![0; memories.stored_size()];
        memories.save(&mut bytes)?;
        Ok((bytes, memories.count()))
    }

    /// Starts run number `run` without memories of earlier runs.
    pub fn begin_run(&mut self, run: u64) {
        self.run = run;
    }

    /// Number of this run: 0 for the first.
    pub fn run(&self) -> u64 {
        self.run
    }

    /// Number of memories of earlier runs at the start.
    pub fn restored(&self) -> usize {
        self.restored
    }

    /// Notes an event. At most one per kernel tick is stored: that of the largest weight, of equals the latest.
    pub fn note(&mut self, at_ns: u64, what: &EventKind) {
        let Some(weight) = weight(what) else {
            return;
        };
        if self
            .pending
            .as_ref()
            .and_then(|(_, w)| self::weight(w))
            .is_none_or(|held| weight >= held)
        {
            self.pending = Some((at_ns, what.clone()));
        }
    }

    /// Lets memories decay for `dt_s` at this coherence, none where there is no value.
    pub fn advance(&mut self, dt_s: f64, coherence: Option<f64>) {
        self.memories.advance(dt_s, coherence);
    }

    /// Stores an event at full strength. The most similar memory of the same kind is recalled first and returned:
    /// recurrence reinforces a memory, comparison does not.
    pub fn take_in(&mut self, memory: Memory) -> Option<Likeness> {
        let kind = discriminant(&memory.what);
        let like = self.nearest(&memory.signature, Some(kind), u64::MAX);
        if let Some((slot, like)) = &like {
            self.recalled = self.memories.recall(*slot).map(|s| (like.serial, s));
        }
        self.memories.remember(memory, 1.0);
        like.map(|(_, like)| like)
    }

    /// Finds the memory most similar to the present, without reinforcing it. `emissary_window_s` is the length of the
    /// present.
    pub fn look(&mut self, now_ns: u64, signature: &AgentSignature, emissary_window_s: f64) {
        let present_ns = (PRESENT_WINDOWS * emissary_window_s * NS_PER_S as f64) as u64;
        let like = self.nearest(signature, None, now_ns.saturating_sub(present_ns));
        self.likeness = like.map(|(_, like)| like);
        self.unlooked = 0;
    }

    /// The memory nearest to a signature within the least similarity: of this kind, and before this time.
    fn nearest(
        &self,
        signature: &AgentSignature,
        kind: Option<Discriminant<EventKind>>,
        before_ns: u64,
    ) -> Option<(usize, Likeness)> {
        let mut room = [Near::default()];
        let distance = |memory: &Memory| {
            let meant = kind.is_none_or(|kind| discriminant(&memory.what) == kind);
            let before = memory.run < self.run || memory.at_ns < before_ns;
            if meant && before {
                memory.signature.distance(signature)
            } else {
                f64::NAN
            }
        };
        let near = self.memories.nearest(distance, &mut room).first()?;
        let similarity = 1.0 - near.distance;
        let held = self.memories.get(near.slot)?;
        (similarity >= self.similarity).then(|| {
            let like = Likeness {
                serial: held.serial,
                label: held.item.label.clone(),
                similarity,
            };
            (near.slot, like)
        })
    }

    /// All memories.
    pub fn memories(&self) -> impl Iterator<Item = Held<'_, f64, Memory>> {
        self.memories.iter()
    }

    /// The strongest memory, of equals the oldest.
    pub fn strongest(&self) -> Option<Held<'_, f64, Memory>> {
        self.memories.strongest()
    }

    /// Number of events stored so far, those forgotten since included.
    pub fn taken_in(&self) -> u64 {
        self.memories.remembered()
    }

    /// Decay since the last update of the strengths.
    pub fn faded(&self) -> f64 {
        self.memories.faded()
    }
}

/// The stronger of two memories, standing for the events of both.
fn merge(strong: &Memory, weak: &Memory) -> Memory {
    Memory {
        events: strong.events.saturating_add(weak.events),
        ..strong.clone()
    }
}

/// Weight of an event beside others of the same kernel tick; none where it is not stored.
fn weight(what: &EventKind) -> Option<u8> {
    match what {
        // Injected faults are ground truth, for evaluation only.
        EventKind::EventRecalled { .. } | EventKind::FaultBegan(_) | EventKind::FaultEnded(_) => {
            None
        }
        // Anybody may send any number of these.
        EventKind::RequestDone { .. }
        | EventKind::RequestDropped { .. }
        | EventKind::RequestRefused { .. } => None,
        EventKind::PhaseLocked
        | EventKind::PhaseLockLost
        | EventKind::CoherenceDiverged
        | EventKind::CoherenceAgrees => Some(1),
        EventKind::Collision(_) | EventKind::AlarmRaised { .. } => Some(3),
        _ => Some(2),
    }
}

/// Formats a time as `01:02.5`, with hours where there are any.
pub fn clock(ns: u64) -> String {
    let tenths = ns / (NS_PER_S / 10);
    let (minutes, tenths) = (tenths / 600, tenths % 600);
    let seconds = format!("{:02}.{}", tenths / 10, tenths % 10);
    match minutes / 60 {
        0 => format!("{minutes:02}:{seconds}"),
        hours => format!("{hours}:{:02}:{seconds}", minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use becomingone_kernel::{Pair, encode_angle};

    /// Signature of a wheel that turns by this angle per kernel tick.
    fn wheel(angle: f64) -> AgentSignature {
        let mut pair = Pair::<f64, MAX_CHANNELS, LAGS, 5>::new(
            1,
            becomingone_components::coherence::DEFAULT_LAGS,
        )
        .unwrap();
        let mut phi = [None];
        for k in 0..200 {
            phi = [Some(encode_angle(angle * f64::from(k)))];
            pair.push(&phi, 0.02);
        }
        AgentSignature::of_pair(&phi, &pair)
    }

    fn memory(at_s: u64, what: EventKind, signature: AgentSignature) -> Memory {
        let at_ns = at_s * NS_PER_S;
        Memory {
            run: 0,
            events: 1,
            at_ns,
            label: format!("{} {what}", clock(at_ns)).into(),
            what,
            signature,
            position_m: None,
        }
    }

    #[test]
    fn the_same_again_is_recalled_and_the_look_alone_is_not() {
        let mut blend = Blend::new(&BlendSpec::default(), 60.0).unwrap();
        let (fast, slow) = (wheel(0.4), wheel(0.1));
        let crate_a = || EventKind::Collision("crate_a".to_owned());
        assert_eq!(blend.take_in(memory(1, crate_a(), fast)), None);
        assert_eq!(
            blend.take_in(memory(2, EventKind::GoalReached(1), slow)),
            None
        );
        blend.advance(600.0, None);
        let strengths = |b: &Blend| b.memories().map(|h| h.strength).collect::<Vec<_>>();
        assert!(strengths(&blend).iter().all(|s| (s - 0.5).abs() < 1e-12));
        // A comparison names the memory without reinforcing it.
        blend.look(601 * NS_PER_S, &fast, 1.0);
        let like = blend.likeness.clone().unwrap();
        assert_eq!(&*like.label, "00:01.0 touched crate_a");
        assert!(like.similarity > 0.999);
        assert!(strengths(&blend).iter().all(|s| (s - 0.5).abs() < 1e-12));
        // A similar event of another kind is no recall; one of the same kind is, whatever was touched.
        assert_eq!(
            blend.take_in(memory(601, EventKind::GoalReached(2), fast)),
            None
        );
        let other = EventKind::Collision("crate_b".to_owned());
        let like = blend.take_in(memory(602, other, fast)).unwrap();
        assert_eq!(&*like.label, "00:01.0 touched crate_a");
        assert_eq!(strengths(&blend), [0.75, 0.5, 1.0, 1.0]);
        // At full coherence it decays ten times slower: the default of 0.9.
        blend.advance(600.0, Some(1.0));
        assert!((strengths(&blend)[2] - libm::pow(0.5, 0.1)).abs() < 1e-12);
    }

    #[test]
    fn what_has_just_happened_is_present() {
        let mut blend = Blend::new(&BlendSpec::default(), 60.0).unwrap();
        let now = wheel(0.4);
        blend.take_in(memory(10, EventKind::AllGoalsReached, now));
        blend.look(12 * NS_PER_S, &now, 1.0);
        assert_eq!(blend.likeness, None);
        blend.look(14 * NS_PER_S, &now, 1.0);
        assert!(blend.likeness.is_some());
        // A dissimilar one is not named.
        blend.look(14 * NS_PER_S, &wheel(-0.4), 1.0);
        assert_eq!(blend.likeness, None);
    }

    #[test]
    fn memories_of_hundreds_of_runs_are_bounded_and_stand_for_all_events() {
        let spec = BlendSpec {
            half_life_s: Some(1e9),
            ..BlendSpec::default()
        };
        let new = || Blend::new(&spec, 60.0).unwrap();
        let mut bytes = new().stored().unwrap().0;
        let mut most = 0;
        for run in 1..=400 {
            let mut blend = new();
            blend.restore(run, &bytes).unwrap();
            for k in 0..5 {
                blend.advance(30.0, None);
                let what = EventKind::GoalReached(k);
                blend.take_in(Memory {
                    run,
                    ..memory(30 * k, what, wheel(0.2 + 0.1 * k as f64))
                });
            }
            let count;
            (bytes, count) = blend.stored().unwrap();
            let age_s = 150.0 * run as f64;
            assert!(count <= blend.octaves.bound(age_s), "{run}: {count}");
            most = most.max(bytes.len());
        }
        let mut last = new();
        last.restore(401, &bytes).unwrap();
        let events = last.memories().map(|held| held.item.events);
        assert_eq!(events.sum::<u64>(), 2000);
        // An item is some 500 bytes with its signature, and there are 4 in each of 10 octaves.
        assert!(most < 40 * 520, "{most}");
        // All are of earlier runs: they are compared with the present from the start.
        last.look(0, &wheel(0.4), 1.0);
        let like = last.likeness.unwrap();
        assert!(like.label.starts_with("run "), "{like:?}");
    }

    #[test]
    fn the_weightiest_event_of_a_kernel_tick_is_noted() {
        let mut blend = Blend::new(&BlendSpec::default(), 60.0).unwrap();
        let wall = EventKind::Collision("wall".to_owned());
        for (at_ns, what) in [
            (1, EventKind::PhaseLockLost),
            (2, wall.clone()),
            (3, EventKind::GoalReached(4)),
        ] {
            blend.note(at_ns, &what);
        }
        assert_eq!(blend.pending, Some((2, wall)));
    }

    #[test]
    fn times_are_read_as_on_a_clock() {
        for (s, text) in [
            (0.0, "00:00.0"),
            (12.34, "00:12.3"),
            (119.99, "01:59.9"),
            (45_296.0, "12:34:56.0"),
        ] {
            assert_eq!(clock((s * 1e9) as u64), text);
        }
    }
}
