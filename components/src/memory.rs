//! What an agent remembers: events that mattered, each with the signature of what was happening then.

use crate::coherence::{LAGS, MAX_CHANNELS};
use crate::event::EventKind;
use crate::scene::BlendSpec;
use crate::stored::Kept;
use crate::time::NS_PER_S;
use becomingone_kernel::{AgeOctaves, BlendConfig, ConfigError, Held, Near, Signature, StoreError};
use bevy_ecs::prelude::*;
use std::f64::consts::LN_2;
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;

/// Most events that an agent remembers.
pub const MEMORIES: usize = 64;

/// Where the scene does not say, a memory loses half of its strength in this many of the Master's windows:
/// what happened is kept an order of magnitude longer than what it is heard against.
const HALF_LIFE_MASTER_WINDOWS: f64 = 10.0;
/// What is younger than this many of the Emissary's windows is present, and not what the present is like:
/// after three of them, e^-3 = 5 % of what the Emissary says is still from then.
const PRESENT_WINDOWS: f64 = 3.0;
/// Most memories of one octave of age that are kept for the next run; the first octave reaches to two of the Master's
/// windows. All places are taken at an age of 2^16 windows, which is 45 days of running at 60 s; a run's own events
/// have room beside those of the runs before.
const KEPT_IN_AN_OCTAVE: usize = 4;

/// What is happening, as agents remember it.
pub type AgentSignature = Signature<f64, MAX_CHANNELS, LAGS>;

/// An event that is remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// In which run it happened: 0 is the first, and the only one where no memory is restored.
    pub run: u64,
    /// How many events it stands for: more than 1 where those of earlier runs were merged.
    pub events: u64,
    /// When it happened (ns from its run's start).
    pub at_ns: u64,
    /// What happened.
    pub what: EventKind,
    /// What the kernel heard.
    pub signature: AgentSignature,
    /// Where the agent's root link truly was (m), for viewers; none without a body.
    pub position_m: Option<[f32; 3]>,
    /// When and what, for a reader: `00:12.3 touched crate_a`, of an earlier run `run 1, 00:12.3 touched crate_a`.
    pub label: Arc<str>,
}

/// What the present is like.
#[derive(Clone, Debug, PartialEq)]
pub struct Likeness {
    /// Which memory: the serial number of [`Held`].
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
    /// How memories are merged for the next run.
    octaves: AgeOctaves,
    /// Which run this is: 0 where no memory was restored.
    run: u64,
    /// How many memories were restored.
    restored: usize,
    /// Least similarity of what is named and recalled.
    similarity: f64,
    /// The weightiest event since the last kernel tick, with its stamp (ns).
    pub pending: Option<(u64, EventKind)>,
    /// What the present is like, as of the last look.
    pub likeness: Option<Likeness>,
    /// The serial number of the memory that was recalled last, and its strength then.
    pub recalled: Option<(u64, f64)>,
    /// Kernel ticks since the last look.
    pub unlooked: u32,
}

impl Blend {
    /// An empty memory, as a scene says, beside a Master with this window (s).
    ///
    /// # Errors
    ///
    /// A number out of its range; scenes are checked for that.
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

    /// Takes over the memories of earlier runs, as [`stored`](Self::stored) gave them, in run number `run`, which is at
    /// least 1. Those of this run so far are gone.
    ///
    /// # Errors
    ///
    /// Bytes that are no memories. Those of a [`StoredMemory`](crate::stored::StoredMemory) were checked.
    pub fn restore(&mut self, run: u64, bytes: &[u8]) -> Result<(), StoreError> {
        *self.memories = Kept::load(*self.memories.config(), bytes)?;
        self.memories.consolidate(&self.octaves, merge);
        self.run = run;
        self.restored = self.memories.count();
        Ok(())
    }

    /// The memories for the next run, as bytes, and how many there are: merged by age, so that their number is
    /// bounded however many runs there were.
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

    /// Which run this is: 0 for the first.
    pub fn run(&self) -> u64 {
        self.run
    }

    /// How many memories of earlier runs there were at the start.
    pub fn restored(&self) -> usize {
        self.restored
    }

    /// Notes an event. At most one is remembered at a kernel tick: the weightiest, of equals the latest.
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

    /// Time passes at this coherence, none where there is no value.
    pub fn advance(&mut self, dt_s: f64, coherence: Option<f64>) {
        self.memories.advance(dt_s, coherence);
    }

    /// Takes in an event, at full strength. What is like it, and of its kind, is recalled first and
    /// said: that the same happens again is what keeps a memory, not that somebody looks.
    pub fn take_in(&mut self, memory: Memory) -> Option<Likeness> {
        let kind = discriminant(&memory.what);
        let like = self.nearest(&memory.signature, Some(kind), u64::MAX);
        if let Some((slot, like)) = &like {
            self.recalled = self.memories.recall(*slot).map(|s| (like.serial, s));
        }
        self.memories.remember(memory, 1.0);
        like.map(|(_, like)| like)
    }

    /// Looks for what the present is like. Looking strengthens nothing.
    /// `emissary_window_s` is how long the present is.
    pub fn look(&mut self, now_ns: u64, signature: &AgentSignature, emissary_window_s: f64) {
        let present_ns = (PRESENT_WINDOWS * emissary_window_s * NS_PER_S as f64) as u64;
        let like = self.nearest(signature, None, now_ns.saturating_sub(present_ns));
        self.likeness = like.map(|(_, like)| like);
        self.unlooked = 0;
    }

    /// The memory nearest to a signature, where it is near enough: of this kind, and before this time.
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

    /// All that is remembered.
    pub fn memories(&self) -> impl Iterator<Item = Held<'_, f64, Memory>> {
        self.memories.iter()
    }

    /// The strongest memory, of equals the oldest.
    pub fn strongest(&self) -> Option<Held<'_, f64, Memory>> {
        self.memories.strongest()
    }

    /// How many events were taken in so far, those forgotten since included.
    pub fn taken_in(&self) -> u64 {
        self.memories.remembered()
    }

    /// How far everything has faded since the strengths were last brought up to date.
    pub fn faded(&self) -> f64 {
        self.memories.faded()
    }
}

/// Of two memories, the stronger is kept, and stands for the events of both.
fn merge(strong: &Memory, weak: &Memory) -> Memory {
    Memory {
        events: strong.events.saturating_add(weak.events),
        ..strong.clone()
    }
}

/// How much an event matters beside others of the same kernel tick; none where it is not remembered.
fn weight(what: &EventKind) -> Option<u8> {
    match what {
        // What is true and what the agent knows are two things: faults are for the judge.
        EventKind::EventRecalled { .. } | EventKind::FaultBegan(_) | EventKind::FaultEnded(_) => {
            None
        }
        EventKind::PhaseLocked
        | EventKind::PhaseLockLost
        | EventKind::CoherenceDiverged
        | EventKind::CoherenceAgrees => Some(1),
        EventKind::Collision(_) | EventKind::AlarmRaised { .. } => Some(3),
        _ => Some(2),
    }
}

/// `01:02.5` of a time, with hours where there are any.
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

    /// What a wheel that turns by this angle a kernel tick sounds like.
    fn wheel(angle: f64) -> AgentSignature {
        let mut pair =
            Pair::<f64, MAX_CHANNELS, LAGS, 5>::new(1, crate::coherence::DEFAULT_LAGS).unwrap();
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
        // A look names it, and leaves it.
        blend.look(601 * NS_PER_S, &fast, 1.0);
        let like = blend.likeness.clone().unwrap();
        assert_eq!(&*like.label, "00:01.0 touched crate_a");
        assert!(like.similarity > 0.999);
        assert!(strengths(&blend).iter().all(|s| (s - 0.5).abs() < 1e-12));
        // Another kind of event is no recall of it, however alike; the same kind is, whatever was touched.
        assert_eq!(
            blend.take_in(memory(601, EventKind::GoalReached(2), fast)),
            None
        );
        let other = EventKind::Collision("crate_b".to_owned());
        let like = blend.take_in(memory(602, other, fast)).unwrap();
        assert_eq!(&*like.label, "00:01.0 touched crate_a");
        assert_eq!(strengths(&blend), [0.75, 0.5, 1.0, 1.0]);
        // At full coherence it fades ten times slower: the default of 0.9.
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
        // And what is unlike is not named.
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
        // All are of earlier runs: the present is like them from the first moment on.
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
