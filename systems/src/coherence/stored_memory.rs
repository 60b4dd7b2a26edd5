//! Event memory kept across runs, as bytes: the memories of each agent, by its name.
//!
//! ```text
//! "B1MEMORY"   version u32   length u64   runs u64   agents u32                  numbers are little-endian
//! each agent:  length u32, name (UTF-8)     length u32, memories as the kernel stores them ("BLND")
//! XXH3 (64 bits) of all that, u64
//! ```
//!
//! Only memories are kept: times are counted in runs and in simulated seconds of their runs, not in calendar time.

use super::memory::{AgentSignature, Kept, Memory, clock};
use becomingone_components::control::Localisation;
use becomingone_components::event::EventKind;
use becomingone_kernel::{BlendConfig, Stored};
use bevy_ecs::prelude::*;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_64;

/// Name of the attachment of a recording that holds the memory from which the recorded run started.
pub const MEMORY_ATTACHMENT: &str = "memory";

const MAGIC: &[u8; 8] = b"B1MEMORY";
const VERSION: u32 = 1;
const HEAD: usize = 8 + 4 + 8 + 8 + 4;
const CHECK: usize = 8;
/// Maximum agents in a file: a limit for forged files.
const MAX_AGENTS: usize = 1 << 20;

/// The event memories of agents, from the runs so far.
///
/// ```
/// use becomingone_systems::coherence::stored_memory::StoredMemory;
///
/// let memory = StoredMemory::default();
/// let bytes = memory.to_bytes();
/// assert_eq!(StoredMemory::from_bytes(&bytes), Ok(memory));
/// let error = StoredMemory::from_bytes(&bytes[..30]).unwrap_err();
/// assert_eq!((error.offset, error.found.as_str()), (30, "the end of the file"));
/// ```
#[derive(Resource, Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredMemory {
    runs: u64,
    agents: BTreeMap<String, Vec<u8>>,
}

/// Invalid bytes of a memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryError {
    /// Offset from the first byte.
    pub offset: usize,
    /// Found.
    pub found: String,
    /// Expected.
    pub expected: String,
}

impl std::fmt::Display for MemoryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            offset,
            found,
            expected,
        } = self;
        write!(f, "byte {offset}: found {found}; expected {expected}")
    }
}

impl std::error::Error for MemoryError {}

fn wrong(offset: usize, found: impl Into<String>, expected: impl Into<String>) -> MemoryError {
    MemoryError {
        offset,
        found: found.into(),
        expected: expected.into(),
    }
}

/// Reader of bytes, with its place in the file.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, size: usize, what: &str) -> Result<&'a [u8], MemoryError> {
        let end = self.at.saturating_add(size);
        let Some(taken) = self.bytes.get(self.at..end) else {
            let expected = format!("{what} of {size} bytes at byte {}", self.at);
            return Err(wrong(self.bytes.len(), "the end of the file", expected));
        };
        self.at = end;
        Ok(taken)
    }

    fn u32(&mut self, what: &str) -> Result<u32, MemoryError> {
        let taken = self.take(4, what)?;
        Ok(taken.try_into().map_or(0, u32::from_le_bytes))
    }

    fn u64(&mut self, what: &str) -> Result<u64, MemoryError> {
        let taken = self.take(8, what)?;
        Ok(taken.try_into().map_or(0, u64::from_le_bytes))
    }
}

impl StoredMemory {
    /// The memory after a run, from the memories of agents by their names: each as by
    /// [`Blend::stored`](super::memory::Blend::stored). Agents that the run did not have keep their memories.
    #[must_use]
    pub fn after_run(&self, agents: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let mut next = self.clone();
        next.runs += 1;
        next.agents.extend(agents);
        next
    }

    /// Reads a memory.
    ///
    /// # Errors
    ///
    /// The first place where the bytes differ from the format of [`to_bytes`](Self::to_bytes). A memory that is read
    /// can be restored.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MemoryError> {
        let mut cursor = Cursor { bytes, at: 0 };
        let magic = cursor.take(MAGIC.len(), "\"B1MEMORY\"")?;
        if magic != MAGIC {
            let found = format!("{:?}", String::from_utf8_lossy(magic));
            return Err(wrong(0, found, "\"B1MEMORY\", a memory file"));
        }
        let at = cursor.at;
        let version = cursor.u32("the version")?;
        if version != VERSION {
            let found = format!("version {version}");
            return Err(wrong(at, found, format!("version {VERSION}")));
        }
        let at = cursor.at;
        let length = cursor.u64("the length")?;
        let there = bytes.len() as u64;
        if there < length {
            let expected = format!("{length} bytes by the header: the file is truncated");
            return Err(wrong(bytes.len(), "the end of the file", expected));
        }
        let least = (HEAD + CHECK) as u64;
        if there > length || length < least {
            let found = format!("a length of {length} bytes");
            return Err(wrong(
                at,
                found,
                format!("the length of the file, {there} bytes"),
            ));
        }
        let end = bytes.len() - CHECK;
        let (body, check) = bytes.split_at(end);
        let here = xxh3_64(body);
        let check = check.try_into().map_or(0, u64::from_le_bytes);
        if here != check {
            let expected =
                format!("{here:016x}, the checksum of the bytes before: the file is corrupted");
            return Err(wrong(end, format!("{check:016x}"), expected));
        }
        let mut cursor = Cursor {
            bytes: body,
            ..cursor
        };
        let at = cursor.at;
        let runs = cursor.u64("the number of runs")?;
        if runs > u64::MAX / 2 {
            return Err(wrong(at, format!("{runs} runs"), "at most 2^63"));
        }
        let at = cursor.at;
        let count = cursor.u32("the number of agents")? as usize;
        if count > MAX_AGENTS {
            let found = format!("{count} agents");
            return Err(wrong(at, found, format!("at most {MAX_AGENTS}")));
        }
        let mut agents = BTreeMap::new();
        for _ in 0..count {
            let size = cursor.u32("the length of a name")? as usize;
            let at = cursor.at;
            let name = cursor.take(size, "a name")?;
            let Ok(name) = std::str::from_utf8(name) else {
                return Err(wrong(
                    at,
                    "a name that is not UTF-8",
                    "the name of an agent",
                ));
            };
            if agents.contains_key(name) {
                let found = format!("the name `{name}` again");
                return Err(wrong(at, found, "each agent once"));
            }
            let size = cursor.u32("the length of an agent's memories")? as usize;
            let at = cursor.at;
            let memories = cursor.take(size, "an agent's memories")?;
            if let Err(error) = Kept::load(ANY, memories) {
                let found = format!("memories of `{name}` that cannot be read ({error})");
                return Err(wrong(at, found, "memories as the kernel stores them"));
            }
            agents.insert(name.to_owned(), memories.to_vec());
        }
        if cursor.at < end {
            let found = format!("{} bytes more", end - cursor.at);
            return Err(wrong(
                cursor.at,
                found,
                format!("the end after {count} agents"),
            ));
        }
        Ok(Self { runs, agents })
    }

    /// The whole memory as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let agents = self.agents.iter();
        let sizes = agents.map(|(name, memories)| 8 + name.len() + memories.len());
        let length = HEAD + CHECK + sizes.sum::<usize>();
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((length as u64).to_le_bytes());
        bytes.extend(self.runs.to_le_bytes());
        bytes.extend((self.agents.len() as u32).to_le_bytes());
        for (name, memories) in &self.agents {
            for part in [name.as_bytes(), memories] {
                bytes.extend((part.len() as u32).to_le_bytes());
                bytes.extend_from_slice(part);
            }
        }
        let check = xxh3_64(&bytes);
        bytes.extend(check.to_le_bytes());
        bytes
    }

    /// Number of runs so far, those without memories left included.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// Memories of an agent, for [`Blend::restore`](super::memory::Blend::restore).
    pub fn agent(&self, name: &str) -> Option<&[u8]> {
        self.agents.get(name).map(Vec::as_slice)
    }

    /// Hash of the bytes; 0 before the first run, so that a first run has the same hash as one without memory.
    pub fn hash(&self) -> u64 {
        match self.runs {
            0 => 0,
            _ => xxh3_64(&self.to_bytes()),
        }
    }
}

/// A configuration for checks of bytes.
const ANY: BlendConfig<f64> = BlendConfig {
    fading_per_s: 0.0,
    protection: 0.0,
    recall: 0.0,
    forget_below: 0.0,
};

/// `run u64   events u64   at u64   position u8, 3 f32   event: kind u8, 2 u64, length u32, text   signature`
impl Stored for Memory {
    fn size(&self) -> usize {
        let (_, _, text) = parts(&self.what);
        3 * 8 + 13 + 1 + 16 + 4 + text.len() + self.signature.size()
    }

    fn write(&self, into: &mut [u8]) {
        let (kind, numbers, text) = parts(&self.what);
        let mut bytes = Vec::with_capacity(into.len());
        for x in [self.run, self.events, self.at_ns] {
            bytes.extend(x.to_le_bytes());
        }
        // A position that is not finite is stored as none, so that the bytes can be read.
        let position_m = self.position_m.filter(|p| p.iter().all(|x| x.is_finite()));
        bytes.push(u8::from(position_m.is_some()));
        for x in position_m.unwrap_or_default() {
            bytes.extend(x.to_le_bytes());
        }
        bytes.push(kind);
        for x in numbers {
            bytes.extend(x.to_le_bytes());
        }
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
        let before = bytes.len();
        bytes.resize(into.len(), 0);
        if let Some(rest) = bytes.get_mut(before..) {
            self.signature.write(rest);
        }
        into.copy_from_slice(&bytes);
    }

    fn read(from: &[u8]) -> Option<Self> {
        let mut cursor = Cursor { bytes: from, at: 0 };
        let [run, events, at_ns] = [
            cursor.u64("").ok()?,
            cursor.u64("").ok()?,
            cursor.u64("").ok()?,
        ];
        let placed = cursor.take(1, "").ok()?;
        let mut position_m = [0.0; 3];
        for x in &mut position_m {
            *x = f32::from_bits(cursor.u32("").ok()?);
        }
        let finite = position_m.iter().all(|x| x.is_finite());
        let position_m = match placed {
            [0] => None,
            [1] if finite => Some(position_m),
            _ => return None,
        };
        let &[kind] = cursor.take(1, "").ok()? else {
            return None;
        };
        let numbers = [cursor.u64("").ok()?, cursor.u64("").ok()?];
        let size = cursor.u32("").ok()? as usize;
        let text = std::str::from_utf8(cursor.take(size, "").ok()?).ok()?;
        let what = event(kind, numbers, text)?;
        let signature = AgentSignature::read(from.get(cursor.at..)?)?;
        // Labels are printed: a forged text must not control the terminal.
        let label = format!("run {}, {} {what}", run.saturating_add(1), clock(at_ns));
        Some(Self {
            run,
            events,
            at_ns,
            label: label.replace(char::is_control, "\u{fffd}").into(),
            what,
            signature,
            position_m,
        })
    }
}

/// An event as a number of its kind, two numbers and a text. Files hold these numbers: do not change them.
fn parts(what: &EventKind) -> (u8, [u64; 2], &str) {
    fn text(kind: u8, text: &str) -> (u8, [u64; 2], &str) {
        (kind, [0; 2], text)
    }
    let alone = |kind| text(kind, "");
    match what {
        EventKind::Collision(other) => text(0, other),
        EventKind::GoalReached(count) => (1, [*count, 0], ""),
        EventKind::AllGoalsReached => alone(2),
        EventKind::LapDone(lap, time_s) => (3, [*lap, time_s.to_bits()], ""),
        EventKind::OffTrack(offset_m) => (4, [offset_m.to_bits(), 0], ""),
        EventKind::BackOnTrack => alone(5),
        EventKind::PhaseLocked => alone(6),
        EventKind::PhaseLockLost => alone(7),
        EventKind::CoherenceDiverged => alone(8),
        EventKind::CoherenceAgrees => alone(9),
        EventKind::SensorTimedOut(sensor) => text(10, sensor),
        EventKind::SensorResumed(sensor) => text(11, sensor),
        EventKind::SafeCommandActive(why) => text(12, why),
        EventKind::ControllerCommandActive => alone(13),
        EventKind::AlarmRaised { cause } => text(14, cause),
        EventKind::AlarmCleared => alone(15),
        EventKind::SpeedLimited => alone(16),
        EventKind::SpeedLimitLifted => alone(17),
        EventKind::SensorExcluded(sensor) => text(18, sensor),
        EventKind::SafetyStop(cause) => text(19, cause),
        EventKind::FaultBegan(fault) => text(20, fault),
        EventKind::FaultEnded(fault) => text(21, fault),
        EventKind::EventRecalled { label, similarity } => (22, [similarity.to_bits(), 0], label),
        EventKind::GoalGivenUp { goal, distance_m } => (23, [*goal, distance_m.to_bits()], ""),
        EventKind::GoalReachedByEstimate {
            goal,
            by,
            true_distance_m,
        } => {
            let kind = match by {
                Localisation::Odometry => 24,
                Localisation::Filter => 25,
                Localisation::Truth => 26,
            };
            let distance_m = true_distance_m.unwrap_or(f64::NAN);
            (kind, [*goal, distance_m.to_bits()], "")
        }
        EventKind::Stopped(sender) => text(27, sender),
        EventKind::StopCleared(sender) => text(28, sender),
        // Not stored.
        EventKind::RequestDone { sender, .. }
        | EventKind::RequestDropped { sender, .. }
        | EventKind::RequestRefused { sender, .. } => text(u8::MAX, sender),
    }
}

/// The event of these parts; none for an unknown kind.
fn event(kind: u8, [a, b]: [u64; 2], text: &str) -> Option<EventKind> {
    let text = || text.to_owned();
    Some(match kind {
        0 => EventKind::Collision(text()),
        1 => EventKind::GoalReached(a),
        2 => EventKind::AllGoalsReached,
        3 => EventKind::LapDone(a, f64::from_bits(b)),
        4 => EventKind::OffTrack(f64::from_bits(a)),
        5 => EventKind::BackOnTrack,
        6 => EventKind::PhaseLocked,
        7 => EventKind::PhaseLockLost,
        8 => EventKind::CoherenceDiverged,
        9 => EventKind::CoherenceAgrees,
        10 => EventKind::SensorTimedOut(text()),
        11 => EventKind::SensorResumed(text()),
        12 => EventKind::SafeCommandActive(text()),
        13 => EventKind::ControllerCommandActive,
        14 => EventKind::AlarmRaised { cause: text() },
        15 => EventKind::AlarmCleared,
        16 => EventKind::SpeedLimited,
        17 => EventKind::SpeedLimitLifted,
        18 => EventKind::SensorExcluded(text()),
        19 => EventKind::SafetyStop(text()),
        20 => EventKind::FaultBegan(text()),
        21 => EventKind::FaultEnded(text()),
        22 => EventKind::EventRecalled {
            label: text().into(),
            similarity: f64::from_bits(a),
        },
        23 => EventKind::GoalGivenUp {
            goal: a,
            distance_m: f64::from_bits(b),
        },
        24..=26 => EventKind::GoalReachedByEstimate {
            goal: a,
            by: match kind {
                24 => Localisation::Odometry,
                25 => Localisation::Filter,
                _ => Localisation::Truth,
            },
            true_distance_m: Some(f64::from_bits(b)).filter(|m| !m.is_nan()),
        },
        27 => EventKind::Stopped(text()),
        28 => EventKind::StopCleared(text()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_kinds() -> Vec<EventKind> {
        let with = |kind| event(kind, [3.5_f64.to_bits(), 7.25_f64.to_bits()], "a/b");
        (0..=u8::MAX).map_while(with).collect()
    }

    fn memory(what: EventKind) -> Memory {
        Memory {
            run: 4,
            events: 2,
            at_ns: 12_300_000_000,
            label: format!("run 5, 00:12.3 {what}").into(),
            what,
            signature: AgentSignature::of_t(&[], None, None),
            position_m: Some([1.0, -2.5, 0.25]),
        }
    }

    #[test]
    fn every_kind_of_event_is_read_as_it_was_written() {
        let kinds = all_kinds();
        assert_eq!(kinds.len(), 29);
        for what in kinds {
            let memory = memory(what);
            let mut bytes = vec![0; memory.size()];
            memory.write(&mut bytes);
            assert_eq!(Memory::read(&bytes), Some(memory.clone()));
            for cut in 0..bytes.len() {
                assert_eq!(Memory::read(&bytes[..cut]), None, "{memory:?} {cut}");
            }
        }
    }

    #[test]
    fn any_changed_byte_and_any_cut_is_refused_at_a_byte_of_the_file() {
        let mut kept = Kept::new(ANY).unwrap();
        kept.remember(memory(EventKind::Collision("crate".to_owned())), 1.0);
        let mut blend = vec![0; kept.stored_size()];
        kept.save(&mut blend).unwrap();
        let whole = StoredMemory::default().after_run([("rover".to_owned(), blend)]);
        let bytes = whole.to_bytes();
        assert_eq!(StoredMemory::from_bytes(&bytes), Ok(whole));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x40;
            let error = StoredMemory::from_bytes(&changed).unwrap_err();
            assert!(error.offset <= bytes.len(), "{at}: {error}");
            let cut = StoredMemory::from_bytes(&bytes[..at]).unwrap_err();
            assert_eq!(
                (cut.offset, cut.found.as_str()),
                (at, "the end of the file")
            );
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(StoredMemory::from_bytes(&longer).unwrap_err().offset, 12);
    }
}
