//! First difference between a run and its recording.

use becomingone::CoherenceEngine;
use becomingone::record::journal::RecordedTick;
use becomingone::record::{Difference, Shadow};
use becomingone::systems::hash::{StateHash, StateParts};

/// First difference between a run and its recording.
pub(super) struct Mismatch {
    run: u64,
    tick: u64,
    begin_s: f64,
    end_s: f64,
    part: Option<String>,
    others: Vec<String>,
    difference: Option<Difference>,
}

impl Mismatch {
    /// Difference before the first tick.
    pub(super) fn at_start(run: u64) -> Self {
        Self {
            run,
            tick: 0,
            begin_s: 0.0,
            end_s: 0.0,
            part: Some("scene, seed or tick".to_owned()),
            others: Vec::new(),
            difference: None,
        }
    }
}

pub(super) fn hash(engine: &CoherenceEngine) -> String {
    format!("{:016x}", engine.world().resource::<StateHash>().0)
}

/// Parts of the state in the order in which a tick computes them; unlisted ones rank before physics. The first
/// differing part is the likely cause of the others.
const CAUSES: [&str; 16] = [
    "link",
    "stick",
    "reading",
    "fault",
    "coherence",
    "witness",
    "blend",
    "odometry",
    "goals",
    "plan",
    "reaction",
    "command",
    "vehicle/command",
    "drive",
    "vehicle/state",
    "",
];

const EFFECTS: [&str; 3] = ["physics", "travel", "vehicle/laps"];

fn rank(part: &str) -> usize {
    if let Some(k) = EFFECTS.iter().position(|name| part == *name) {
        return CAUSES.len() + k;
    }
    CAUSES
        .iter()
        .position(|name| part == *name)
        .or_else(|| {
            CAUSES
                .iter()
                .position(|name| part.split('/').next() == Some(*name))
        })
        .unwrap_or(CAUSES.len() - 1)
}

pub(super) fn compare(
    engine: &CoherenceEngine,
    shadow: &Shadow,
    tick: &RecordedTick,
    run: u64,
) -> Mismatch {
    let here = &engine.world().resource::<StateParts>().0;
    let mut differing: Vec<&str> = here
        .iter()
        .filter(|(name, hash)| {
            let recorded = tick.parts.get(*name);
            recorded.is_none_or(|r| *r != becomingone::record::short(*hash))
        })
        .map(|(name, _)| *name)
        .collect();
    let missing = tick.parts.keys().map(String::as_str);
    differing.extend(missing.filter(|name| !here.iter().any(|(n, _)| n == name)));
    differing.sort_by_key(|part| rank(part));
    let mut differing = differing.into_iter().map(str::to_owned);
    let time = engine.time();
    Mismatch {
        run,
        tick: tick.tick,
        begin_s: time.now_ns.saturating_sub(time.tick_ns) as f64 / 1e9,
        end_s: time.now_s(),
        part: differing.next(),
        others: differing.collect(),
        difference: shadow.difference(&tick.messages),
    }
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.tick == 0 {
            return write!(
                f,
                "run {} differs from its recording before its first tick: scene, seed, tick length or memory differ",
                self.run
            );
        }
        write!(f, "tick {}", self.tick)?;
        if self.run > 1 {
            write!(f, " of run {}", self.run)?;
        }
        write!(f, " ({:.6} s to {:.6} s)", self.begin_s, self.end_s)?;
        match &self.part {
            Some(part) => write!(f, " differs from the recording first, in `{part}`")?,
            // All parts of this tick are equal: the chained hash differed before.
            None => write!(
                f,
                " has a different hash than the recording, with equal parts"
            )?,
        }
        if !self.others.is_empty() {
            write!(f, "; also in {}", self.others.join(", "))?;
        }
        if let Some(d) = &self.difference {
            let none = "nothing";
            write!(
                f,
                "\n  {}\n    recorded {}\n    replayed {}",
                d.topic,
                d.recorded.as_deref().unwrap_or(none),
                d.replayed.as_deref().unwrap_or(none)
            )?;
        }
        Ok(())
    }
}
