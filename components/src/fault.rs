//! Faults of sensors and drives: what is made to be wrong, with which numbers, and when.
//!
//! A sensor's fault stands between what is simulated and its reading: the truth beside the reading stays what it is.
//! A drive's fault is the truth.

use crate::scene::{AgentSpec, SensorKind};
use crate::seed::Rng;
use crate::sensor::{
    Contact, Encoders, Gnss, Imu, MagneticField, Measurement, Part, Range as Distance, Scan,
    Values, elapsed_s,
};
use crate::time::NS_PER_S;
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::ops::Range;

/// A fault, as a scene says it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// Whose: `agent/sensor`, `agent/sensor/part`, or `agent/part` where only one sensor of the agent has such a part.
    /// Parts are names of its numbers (`rover/imu/gyro_z`), of several together (`rover/imu/gyro`), or places in a
    /// row of equal ones (`rover/encoders/0`). `agent/drive` is what drives the agent, `agent/drive/0` its first wheel
    /// or joint.
    pub sensor: String,
    /// What is wrong.
    pub kind: FaultKind,
    /// From when on (s).
    #[serde(default)]
    pub at_s: f64,
    /// For how long (s); none: to the end of the run.
    #[serde(default)]
    pub for_s: Option<f64>,
}

/// What is wrong with a sensor or a drive.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum FaultKind {
    /// It goes on saying what it said at the fault's first reading. A counter (an encoder) that thaws counts on from
    /// where it stood.
    Freeze,
    /// It says this many times what it should: a counter counts so many times what it should, from where it stands.
    Scale(f64),
    /// It says so much more than it should, in the number's own unit. Not of counters.
    Bias(f64),
    /// It says more and more than it should, by so much a second since the fault began, in the number's own unit. A
    /// counter keeps what it has gained by it.
    Drift(f64),
    /// It says what it said so long ago (s); while it has not been on for so long, the first that it ever said.
    Delay(f64),
    /// Each reading is lost with this probability, whole: it is simply not there.
    DropOut(f64),
    /// This share of a lidar's rays, from the first one on, sees nothing.
    Block(f64),
    /// Of a drive: its wheels roll over the ground by so much less than they turn, as a share of their turn.
    Slip(f64),
    /// Of a drive: its motors have this share of their torque, and of their gain.
    Torque(f64),
}

impl std::fmt::Display for FaultKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Freeze => f.write_str("frozen"),
            Self::Scale(factor) => write!(f, "scaled by {factor}"),
            Self::Bias(x) => write!(f, "off by {x}"),
            Self::Drift(x) => write!(f, "drifting by {x} a second"),
            Self::Delay(s) => write!(f, "delayed by {s} s"),
            Self::DropOut(share) => write!(f, "losing a share of {share}"),
            Self::Block(share) => write!(f, "blocked by a share of {share}"),
            Self::Slip(share) => write!(f, "slipping by a share of {share}"),
            Self::Torque(share) => write!(f, "with a share of {share} of its torque"),
        }
    }
}

/// A fault of a sensor or a drive, and what it has come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// The sensor on its agent and the part, as `imu/gyro_z`.
    pub name: String,
    /// Which of the reading's numbers; those that a reading does not have are left out.
    pub numbers: Range<usize>,
    /// From when on (ns from the run's start).
    pub from_ns: u64,
    /// Until when (ns); never reached where it does not end.
    pub until_ns: u64,
    /// Whether it bends what is read now.
    pub active: bool,
    /// The numbers that it holds, or those of a counter's last reading before any fault; empty before the first.
    pub held: Vec<f64>,
    /// By how much a counter is off.
    pub offsets: Vec<f64>,
    /// Stamp of the last reading that a drift has bent (ns).
    pub last_ns: u64,
    /// What a delay has yet to say.
    pub past: Past,
    /// Decides which readings are lost.
    pub rng: Rng,
}

/// What a sensor said lately, oldest first: as much of it as a delay reaches back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// Most readings that are kept.
    most: usize,
    stamps_ns: VecDeque<u64>,
    /// Of each reading as many.
    numbers: VecDeque<f64>,
}

impl Past {
    /// Takes in a reading of now; the oldest is then the latest one that is so old, or the first of all.
    fn push(&mut self, now_ns: u64, delay_ns: u64, numbers: &[f64]) {
        if self.stamps_ns.is_empty() {
            self.stamps_ns.reserve_exact(self.most + 1);
            self.numbers.reserve_exact((self.most + 1) * numbers.len());
        }
        self.stamps_ns.push_back(now_ns);
        self.numbers.extend(numbers);
        while let Some(second_ns) = self.stamps_ns.get(1)
            && (second_ns.saturating_add(delay_ns) <= now_ns || self.stamps_ns.len() > self.most)
        {
            self.stamps_ns.pop_front();
            self.numbers.drain(..numbers.len().min(self.numbers.len()));
        }
    }
}

/// Nanoseconds of seconds that a scene says.
fn ns(s: f64) -> u64 {
    (s * NS_PER_S as f64).round() as u64
}

impl Fault {
    /// A fault that has not begun, of these numbers of a sensor with this rate, with a generator of its own.
    pub fn new(
        spec: &FaultSpec,
        name: String,
        numbers: Range<usize>,
        rate_hz: f64,
        rng: Rng,
    ) -> Self {
        let most = match spec.kind {
            // The reading that is said, those since, and one for a period that ticks have rounded.
            FaultKind::Delay(s) => (s * rate_hz).ceil() as usize + 2,
            _ => 0,
        };
        Self {
            kind: spec.kind,
            name,
            numbers,
            from_ns: ns(spec.at_s),
            until_ns: spec
                .for_s
                .map_or(u64::MAX, |for_s| ns(spec.at_s).saturating_add(ns(for_s))),
            active: false,
            held: Vec::new(),
            offsets: Vec::new(),
            last_ns: 0,
            past: Past {
                most,
                ..Past::default()
            },
            rng,
        }
    }

    /// Whether a reading is lost.
    pub fn loses(&mut self) -> bool {
        match self.kind {
            FaultKind::DropOut(share) if self.active => self.rng.share() < share,
            _ => false,
        }
    }

    /// Bends one reading of now (ns) of numbers that say how it is. `limits` are the smallest and largest that each
    /// number can be, the largest where there is nothing to measure: that stays as it is.
    pub fn inject_state(&mut self, now_ns: u64, limits: Option<[f64; 2]>, numbers: &mut [f64]) {
        let Some(numbers) = within(numbers, &self.numbers) else {
            return;
        };
        if let FaultKind::Delay(s) = self.kind {
            self.delay(now_ns, s, numbers);
            return;
        }
        if !self.active {
            self.held.clear();
            return;
        }
        let mut each = |bent: &dyn Fn(f64) -> f64| {
            for x in &mut *numbers {
                *x = match limits {
                    Some([_, nothing]) if *x >= nothing => *x,
                    Some([low, high]) => bent(*x).clamp(low, high),
                    None => bent(*x),
                };
            }
        };
        match self.kind {
            FaultKind::Scale(factor) => each(&|x| x * factor),
            FaultKind::Bias(off) => each(&|x| x + off),
            FaultKind::Drift(a_second) => {
                let off = a_second * elapsed_s(self.from_ns, now_ns);
                each(&|x| x + off);
            }
            FaultKind::Block(share) => {
                let blind = (share * numbers.len() as f64).round() as usize;
                if let Some([_, nothing]) = limits {
                    numbers.iter_mut().take(blind).for_each(|x| *x = nothing);
                }
            }
            FaultKind::Freeze if self.held.len() == numbers.len() => {
                numbers.copy_from_slice(&self.held);
            }
            FaultKind::Freeze => {
                self.held.clear();
                self.held.extend_from_slice(numbers);
            }
            FaultKind::Delay(_)
            | FaultKind::DropOut(_)
            | FaultKind::Slip(_)
            | FaultKind::Torque(_) => {}
        }
    }

    /// Bends one reading of now (ns) of numbers that count on: what they gain is scaled, and stays so when the fault
    /// is over.
    pub fn inject_counters(&mut self, now_ns: u64, numbers: &mut [f64]) {
        let Some(numbers) = within(numbers, &self.numbers) else {
            return;
        };
        if let FaultKind::Delay(s) = self.kind {
            self.delay(now_ns, s, numbers);
            return;
        }
        if self.held.len() != numbers.len() {
            self.held.clear();
            self.held.extend_from_slice(numbers);
            self.offsets.clear();
            self.offsets.resize(numbers.len(), 0.0);
        }
        let (off, gained) = match self.kind {
            FaultKind::Drift(a_second) => {
                let from_ns = self.last_ns.max(self.from_ns);
                let until_ns = now_ns.min(self.until_ns);
                (0.0, a_second * elapsed_s(from_ns, until_ns))
            }
            FaultKind::Freeze if self.active => (-1.0, 0.0),
            FaultKind::Scale(factor) if self.active => (factor - 1.0, 0.0),
            _ => (0.0, 0.0),
        };
        self.last_ns = now_ns;
        for ((x, held), offset) in numbers
            .iter_mut()
            .zip(&mut self.held)
            .zip(&mut self.offsets)
        {
            *offset += off * (*x - *held) + gained;
            *held = *x;
            *x += *offset;
        }
    }

    /// Says what was said so long ago (s). What is said is kept before the fault too, so that there is a past.
    fn delay(&mut self, now_ns: u64, s: f64, numbers: &mut [f64]) {
        self.past.push(now_ns, ns(s), numbers);
        if self.active {
            for (x, &past) in numbers.iter_mut().zip(&self.past.numbers) {
                *x = past;
            }
        }
    }
}

/// The numbers of a range that are there.
fn within<'a>(numbers: &'a mut [f64], range: &Range<usize>) -> Option<&'a mut [f64]> {
    let end = range.end.min(numbers.len());
    numbers.get_mut(range.start..end).filter(|n| !n.is_empty())
}

/// All faults of a sensor or a drive, in the order of the scene: the truth about what it is worth.
#[derive(Component, Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// Each.
    pub all: Vec<Fault>,
    /// The numbers of the reading that is being bent.
    pub numbers: Vec<f64>,
}

impl Faults {
    /// Share of its torque that a drive's motor has now.
    pub fn torque(&self, motor: usize) -> f64 {
        self.share(motor, |kind| match kind {
            FaultKind::Torque(share) => share,
            _ => 1.0,
        })
    }

    /// Share of a drive's wheel's turn by which it rolls over the ground now.
    pub fn rolled(&self, wheel: usize) -> f64 {
        self.share(wheel, |kind| match kind {
            FaultKind::Slip(share) => 1.0 - share,
            _ => 1.0,
        })
    }

    fn share(&self, number: usize, of: impl Fn(FaultKind) -> f64) -> f64 {
        let active = self.all.iter().filter(|f| f.active);
        active
            .filter(|f| f.numbers.contains(&number))
            .map(|f| of(f.kind))
            .product()
    }
}

/// What a kind of sensor says: the schema of its measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// Names of its numbers, in order; of a row of equal ones, the one name.
    pub fields: Vec<String>,
    /// Their units.
    pub units: Vec<String>,
    /// Names for several of them together.
    pub parts: &'static [Part],
    /// Whether it has any number of equal numbers.
    pub is_row: bool,
}

impl Schema {
    /// Of the measurements of a kind of sensor.
    pub fn of(kind: &SensorKind) -> Self {
        fn of<T: Measurement>(is_row: bool) -> Schema {
            Schema {
                fields: T::FIELDS.iter().map(|f| f.name.to_owned()).collect(),
                units: T::FIELDS.iter().map(|f| f.unit.to_owned()).collect(),
                parts: T::PARTS,
                is_row,
            }
        }
        match kind {
            SensorKind::Imu { .. } => of::<Imu>(false),
            SensorKind::Encoders { .. } => of::<Encoders>(true),
            SensorKind::Lidar { .. } => of::<Scan>(true),
            SensorKind::Contact {} => of::<Contact>(false),
            SensorKind::Gnss { .. } => of::<Gnss>(false),
            SensorKind::Range { .. } => of::<Distance>(false),
            SensorKind::Magnetometer { .. } => of::<MagneticField>(false),
            SensorKind::Values { fields } => Schema {
                fields: fields.iter().map(|f| f.name.clone()).collect(),
                units: fields.iter().map(|f| f.unit.clone()).collect(),
                ..of::<Values>(false)
            },
        }
    }

    /// The shortest name of one number, as a part.
    pub fn name(&self, number: usize) -> String {
        if self.is_row {
            return number.to_string();
        }
        let alone = |p: &&Part| p.count == 1 && p.first == number;
        match self.parts.iter().find(alone) {
            Some(part) => part.name.to_owned(),
            None => self
                .fields
                .get(number)
                .cloned()
                .unwrap_or_else(|| number.to_string()),
        }
    }

    /// The one unit of these numbers. Degrees of a place do not count beside its metres, which they follow.
    pub fn unit(&self, numbers: &Range<usize>) -> Option<&str> {
        let units = self.units.iter().map(String::as_str).enumerate();
        let mut units: Vec<&str> = units
            .filter(|(k, _)| self.is_row || numbers.contains(k))
            .map(|(_, unit)| unit)
            .collect();
        if units.contains(&"m") {
            units.retain(|&unit| unit != "deg");
        }
        units.dedup();
        match units.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// Which numbers a part is.
    pub fn numbers(&self, part: &str) -> Option<Range<usize>> {
        if let Some(named) = self.parts.iter().find(|p| p.name == part) {
            return Some(named.first..named.first + named.count);
        }
        if self.is_row {
            return place(part);
        }
        let index = self.fields.iter().position(|f| f == part)?;
        Some(index..index + 1)
    }

    /// All names of parts that are words.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let fields = self.fields.iter().filter(|_| !self.is_row);
        let parts = self.parts.iter().map(|p| p.name);
        parts.chain(fields.map(String::as_str))
    }
}

/// A place in a row, from 0. One spelling each: no sign, no leading zero.
fn place(part: &str) -> Option<Range<usize>> {
    let index: usize = part.parse().ok()?;
    (index.to_string() == part && index < usize::MAX).then(|| index..index + 1)
}

/// What a fault's `sensor` means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Index of the agent.
    pub agent: usize,
    /// Index of the sensor on its agent; none for its drive.
    pub sensor: Option<usize>,
    /// Which of its numbers, or of the drive's wheels or joints.
    pub numbers: Range<usize>,
    /// The sensor or drive on its agent and the part, as `imu/gyro_z`.
    pub name: String,
}

/// Why a fault's `sensor` means nothing, or too much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultTargetError {
    /// No such agent.
    Agent,
    /// The agent of this index has neither such a sensor nor a sensor with such a part.
    Sensor(usize),
    /// The sensor of these indices has no such part.
    Part(usize, usize),
    /// The drive of the agent of this index has no such part.
    Wheel(usize),
    /// Several sensors of the agent have such a part: their names.
    Ambiguous(Vec<String>),
}

/// The drive of every agent.
pub const DRIVE: &str = "drive";

/// Finds what `agent/sensor`, `agent/sensor/part`, `agent/part`, `agent/drive` or `agent/drive/place` means.
///
/// # Errors
///
/// See [`FaultTargetError`].
pub fn target(agents: &[AgentSpec], path: &str) -> Result<Target, FaultTargetError> {
    let mut words = path.splitn(3, '/');
    let named = words.next().unwrap_or_default();
    let agent = agents
        .iter()
        .position(|a| a.name == named)
        .ok_or(FaultTargetError::Agent)?;
    let second = words.next().ok_or(FaultTargetError::Sensor(agent))?;
    let part = words.next();
    if second == DRIVE {
        let (numbers, name) = match part {
            None => (0..usize::MAX, second.to_owned()),
            Some(part) => (
                place(part).ok_or(FaultTargetError::Wheel(agent))?,
                format!("{second}/{part}"),
            ),
        };
        return Ok(Target {
            agent,
            sensor: None,
            numbers,
            name,
        });
    }
    let sensors = &agents[agent].sensors;
    if let Some(sensor) = sensors.iter().position(|s| s.name == second) {
        let (numbers, name) = match part {
            None => (0..usize::MAX, second.to_owned()),
            Some(part) => {
                let schema = Schema::of(&sensors[sensor].kind);
                let numbers = schema
                    .numbers(part)
                    .ok_or(FaultTargetError::Part(agent, sensor))?;
                (numbers, format!("{second}/{part}"))
            }
        };
        return Ok(Target {
            agent,
            sensor: Some(sensor),
            numbers,
            name,
        });
    }
    if part.is_some() {
        return Err(FaultTargetError::Sensor(agent));
    }
    // A number alone would be a part of any row.
    let with_part = |(k, s): (usize, &crate::scene::SensorSpec)| {
        let schema = Schema::of(&s.kind);
        let known = schema.names().any(|n| n == second);
        let numbers = schema.numbers(second).filter(|_| known)?;
        Some((k, numbers))
    };
    let mut found: Vec<_> = sensors.iter().enumerate().filter_map(with_part).collect();
    match (found.pop(), found.as_slice()) {
        (None, _) => Err(FaultTargetError::Sensor(agent)),
        (Some((sensor, numbers)), []) => Ok(Target {
            agent,
            sensor: Some(sensor),
            numbers,
            name: format!("{}/{second}", sensors[sensor].name),
        }),
        (Some(last), others) => {
            let all = others.iter().chain([&last]);
            let names = all.map(|(k, _)| format!("{named}/{}/{second}", sensors[*k].name));
            Err(FaultTargetError::Ambiguous(names.collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::RunSeed;

    fn fault(kind: FaultKind, numbers: Range<usize>) -> Fault {
        let spec = FaultSpec {
            sensor: String::new(),
            kind,
            at_s: 1.0,
            for_s: Some(2.0),
        };
        let rng = Rng::for_name(RunSeed(1), "a/b/faults/0");
        Fault::new(&spec, "a/b".to_owned(), numbers, 10.0, rng)
    }

    #[test]
    fn what_is_frozen_repeats_its_first_word_and_thaws() {
        let mut f = fault(FaultKind::Freeze, 1..2);
        assert_eq!((f.from_ns, f.until_ns), (1_000_000_000, 3_000_000_000));
        let mut said = Vec::new();
        for k in 0..6 {
            f.active = (2..4).contains(&k);
            let mut numbers = [f64::from(k), 10.0 * f64::from(k)];
            f.inject_state(0, None, &mut numbers);
            assert_eq!(numbers[0], f64::from(k));
            said.push(numbers[1]);
        }
        assert_eq!(said, [0.0, 10.0, 20.0, 20.0, 40.0, 50.0]);
    }

    #[test]
    fn a_scaled_counter_gains_more_and_keeps_it() {
        let count = |kind| {
            let mut f = fault(kind, 0..usize::MAX);
            let mut said = Vec::new();
            for k in 0..6 {
                f.active = (2..4).contains(&k);
                let mut numbers = [f64::from(k) * 100.0];
                f.inject_counters(0, &mut numbers);
                said.push(numbers[0]);
            }
            said
        };
        let scaled = count(FaultKind::Scale(1.5));
        assert_eq!(scaled, [0.0, 100.0, 250.0, 400.0, 500.0, 600.0]);
        let frozen = count(FaultKind::Freeze);
        assert_eq!(frozen, [0.0, 100.0, 100.0, 100.0, 200.0, 300.0]);
    }

    /// What is said of a number that is its time in tenths of a second, bent from 1 s until 3 s.
    fn said(kind: FaultKind, counts: bool) -> Vec<f64> {
        let mut f = fault(kind, 0..usize::MAX);
        let readings = (0..41u64).map(|k| {
            let now_ns = k * NS_PER_S / 10;
            f.active = (f.from_ns..f.until_ns).contains(&now_ns);
            let mut numbers = [k as f64];
            if counts {
                f.inject_counters(now_ns, &mut numbers);
            } else {
                f.inject_state(now_ns, None, &mut numbers);
            }
            numbers[0]
        });
        readings.collect()
    }

    #[test]
    fn a_bias_is_there_and_gone_and_a_drift_grows_from_its_beginning() {
        let bias = said(FaultKind::Bias(0.5), false);
        let drift = said(FaultKind::Drift(2.0), false);
        let counter = said(FaultKind::Drift(2.0), true);
        for k in 0..41 {
            let (x, on) = (k as f64, (10..30).contains(&k));
            let since_s = (x - 10.0) / 10.0;
            assert_eq!(bias[k], x + if on { 0.5 } else { 0.0 });
            let grown = if on { 2.0 * since_s } else { 0.0 };
            assert!((drift[k] - x - grown).abs() < 1e-12, "{k}");
            // A counter keeps what it has gained in the two seconds.
            let gained = 2.0 * since_s.clamp(0.0, 2.0);
            assert!((counter[k] - x - gained).abs() < 1e-12, "{k}");
        }
    }

    #[test]
    fn a_delay_says_what_was_said_then_and_the_first_word_before_there_is_a_then() {
        for counts in [false, true] {
            for (delay_s, readings) in [(0.3, 3), (0.25, 3), (0.01, 1)] {
                let late = said(FaultKind::Delay(delay_s), counts);
                for (k, &x) in late.iter().enumerate() {
                    let on = (10..30).contains(&k);
                    assert_eq!(x, (k - if on { readings } else { 0 }) as f64);
                }
            }
            // Longer than the run has been going: the first.
            let late = said(FaultKind::Delay(1.5), counts);
            assert_eq!(late[10..15], [0.0; 5]);
            assert_eq!(late[14..18], [0.0, 0.0, 1.0, 2.0]);
        }
        let mut f = fault(FaultKind::Delay(0.3), 0..usize::MAX);
        f.inject_state(0, None, &mut [0.0; 4]);
        let room = (f.past.stamps_ns.capacity(), f.past.numbers.capacity());
        for k in 1..1000 {
            f.inject_state(k * NS_PER_S / 10, None, &mut [0.0; 4]);
        }
        // It has what it needs from its first reading on.
        let now = (f.past.stamps_ns.capacity(), f.past.numbers.capacity());
        assert_eq!(now, room);
        assert!(f.past.stamps_ns.len() <= 5 && f.past.numbers.len() <= 20);
    }

    #[test]
    fn so_many_readings_are_lost_while_it_lasts() {
        let mut f = fault(FaultKind::DropOut(0.3), 0..usize::MAX);
        assert!((0..100).all(|_| !f.loses()));
        f.active = true;
        let n = 10_000;
        let lost = (0..n).filter(|_| f.loses()).count() as f64 / f64::from(n);
        // Five standard errors of a share.
        assert!((lost - 0.3).abs() < 5.0 * (0.3 * 0.7 / f64::from(n)).sqrt());
        f.kind = FaultKind::DropOut(1.0);
        assert!((0..100).all(|_| f.loses()));
        f.kind = FaultKind::DropOut(0.0);
        assert!((0..100).all(|_| !f.loses()));
    }

    #[test]
    fn what_saw_nothing_still_sees_nothing_and_no_distance_leaves_its_limits() {
        let bend = |kind| {
            let mut f = fault(kind, 0..usize::MAX);
            f.active = true;
            let mut ranges = [0.4, 3.0, 9.5, 10.0];
            f.inject_state(2 * NS_PER_S, Some([0.2, 10.0]), &mut ranges);
            ranges
        };
        assert_eq!(bend(FaultKind::Bias(-1.0)), [0.2, 2.0, 8.5, 10.0]);
        assert_eq!(bend(FaultKind::Drift(1.0)), [1.4, 4.0, 10.0, 10.0]);
        assert_eq!(bend(FaultKind::Scale(0.5)), [0.2, 1.5, 4.75, 10.0]);
        assert_eq!(bend(FaultKind::Block(0.5)), [10.0, 10.0, 9.5, 10.0]);
        assert_eq!(bend(FaultKind::Block(0.0)), [0.4, 3.0, 9.5, 10.0]);
        assert_eq!(bend(FaultKind::Block(1.0)), [10.0; 4]);
    }

    #[test]
    fn numbers_that_are_not_there_are_left_out() {
        let mut f = fault(FaultKind::Scale(2.0), 3..usize::MAX);
        f.active = true;
        f.inject_state(0, None, &mut [1.0, 2.0]);
        let mut four = [1.0, 1.0, 1.0, 1.0];
        f.inject_state(0, None, &mut four);
        assert_eq!(four, [1.0, 1.0, 1.0, 2.0]);
    }
}
