//! Faults of sensors: what is made to be wrong, with which numbers, and when.
//!
//! A fault stands between the simulated sensor and its reading. The truth beside the reading stays what it is.

use crate::scene::{AgentSpec, SensorKind};
use crate::sensor::{
    Contact, Encoders, Gnss, Imu, MagneticField, Measurement, Part, Range as Distance, Scan, Values,
};
use crate::time::NS_PER_S;
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A fault, as a scene says it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// Whose: `agent/sensor`, `agent/sensor/part`, or `agent/part` where only one sensor of the agent has such a part.
    /// Parts are names of its numbers (`rover/imu/gyro_z`), of several together (`rover/imu/gyro`), or places in a
    /// row of equal ones (`rover/encoders/0`).
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

/// What is wrong with a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum FaultKind {
    /// It goes on saying what it said at the fault's first reading. A counter (an encoder) that thaws counts on from
    /// where it stood.
    Freeze,
    /// It says this many times what it should: a counter counts so many times what it should, from where it stands.
    Scale(f64),
}

impl std::fmt::Display for FaultKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Freeze => f.write_str("frozen"),
            Self::Scale(factor) => write!(f, "scaled by {factor}"),
        }
    }
}

/// A fault of a sensor, and what it has come to.
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
}

impl Fault {
    /// A fault that has not begun, of these numbers.
    pub fn new(spec: &FaultSpec, name: String, numbers: Range<usize>) -> Self {
        let ns = |s: f64| (s * NS_PER_S as f64).round() as u64;
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
        }
    }

    /// Bends one reading of numbers that say how it is now.
    pub fn bend_state(&mut self, numbers: &mut [f64]) {
        let Some(numbers) = within(numbers, &self.numbers) else {
            return;
        };
        match self.kind {
            _ if !self.active => self.held.clear(),
            FaultKind::Scale(factor) => numbers.iter_mut().for_each(|x| *x *= factor),
            FaultKind::Freeze if self.held.len() == numbers.len() => {
                numbers.copy_from_slice(&self.held);
            }
            FaultKind::Freeze => {
                self.held.clear();
                self.held.extend_from_slice(numbers);
            }
        }
    }

    /// Bends one reading of numbers that count on: what they gain is scaled, and stays so when the fault is over.
    pub fn bend_counters(&mut self, numbers: &mut [f64]) {
        let Some(numbers) = within(numbers, &self.numbers) else {
            return;
        };
        if self.held.len() != numbers.len() {
            self.held.clear();
            self.held.extend_from_slice(numbers);
            self.offsets.clear();
            self.offsets.resize(numbers.len(), 0.0);
        }
        let off = match self.kind {
            _ if !self.active => 0.0,
            FaultKind::Freeze => -1.0,
            FaultKind::Scale(factor) => factor - 1.0,
        };
        for ((x, held), offset) in numbers
            .iter_mut()
            .zip(&mut self.held)
            .zip(&mut self.offsets)
        {
            *offset += off * (*x - *held);
            *held = *x;
            *x += *offset;
        }
    }
}

/// The numbers of a range that are there.
fn within<'a>(numbers: &'a mut [f64], range: &Range<usize>) -> Option<&'a mut [f64]> {
    let end = range.end.min(numbers.len());
    numbers.get_mut(range.start..end).filter(|n| !n.is_empty())
}

/// All faults of a sensor, in the order of the scene: the truth about what its readings are worth.
#[derive(Component, Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// Each.
    pub all: Vec<Fault>,
    /// The numbers of the reading that is being bent.
    pub numbers: Vec<f64>,
}

/// What a kind of sensor says: the schema of its measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// Names of its numbers, in order; of a row of equal ones, the one name.
    pub fields: Vec<String>,
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

    /// Which numbers a part is.
    pub fn numbers(&self, part: &str) -> Option<Range<usize>> {
        if let Some(named) = self.parts.iter().find(|p| p.name == part) {
            return Some(named.first..named.first + named.count);
        }
        if self.is_row {
            // One spelling each: no sign, no leading zero.
            let index: usize = part.parse().ok()?;
            return (index.to_string() == part && index < usize::MAX).then(|| index..index + 1);
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

/// What a fault's `sensor` means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Index of the agent.
    pub agent: usize,
    /// Index of the sensor on its agent.
    pub sensor: usize,
    /// Which of its numbers.
    pub numbers: Range<usize>,
    /// The sensor on its agent and the part, as `imu/gyro_z`.
    pub name: String,
}

/// Why a fault's `sensor` means nothing, or too much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoTarget {
    /// No such agent.
    Agent,
    /// The agent of this index has neither such a sensor nor a sensor with such a part.
    Sensor(usize),
    /// The sensor of these indices has no such part.
    Part(usize, usize),
    /// Several sensors of the agent have such a part: their names.
    Ambiguous(Vec<String>),
}

/// Finds what `agent/sensor`, `agent/sensor/part` or `agent/part` means.
///
/// # Errors
///
/// See [`NoTarget`].
pub fn target(agents: &[AgentSpec], path: &str) -> Result<Target, NoTarget> {
    let mut words = path.splitn(3, '/');
    let named = words.next().unwrap_or_default();
    let agent = agents
        .iter()
        .position(|a| a.name == named)
        .ok_or(NoTarget::Agent)?;
    let second = words.next().ok_or(NoTarget::Sensor(agent))?;
    let part = words.next();
    let sensors = &agents[agent].sensors;
    if let Some(sensor) = sensors.iter().position(|s| s.name == second) {
        let (numbers, name) = match part {
            None => (0..usize::MAX, second.to_owned()),
            Some(part) => {
                let schema = Schema::of(&sensors[sensor].kind);
                let numbers = schema.numbers(part).ok_or(NoTarget::Part(agent, sensor))?;
                (numbers, format!("{second}/{part}"))
            }
        };
        return Ok(Target {
            agent,
            sensor,
            numbers,
            name,
        });
    }
    if part.is_some() {
        return Err(NoTarget::Sensor(agent));
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
        (None, _) => Err(NoTarget::Sensor(agent)),
        (Some((sensor, numbers)), []) => Ok(Target {
            agent,
            sensor,
            numbers,
            name: format!("{}/{second}", sensors[sensor].name),
        }),
        (Some(last), others) => {
            let all = others.iter().chain([&last]);
            let names = all.map(|(k, _)| format!("{named}/{}/{second}", sensors[*k].name));
            Err(NoTarget::Ambiguous(names.collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: FaultKind, numbers: Range<usize>) -> Fault {
        let spec = FaultSpec {
            sensor: String::new(),
            kind,
            at_s: 1.0,
            for_s: Some(2.0),
        };
        Fault::new(&spec, "a/b".to_owned(), numbers)
    }

    #[test]
    fn what_is_frozen_repeats_its_first_word_and_thaws() {
        let mut f = fault(FaultKind::Freeze, 1..2);
        assert_eq!((f.from_ns, f.until_ns), (1_000_000_000, 3_000_000_000));
        let mut said = Vec::new();
        for k in 0..6 {
            f.active = (2..4).contains(&k);
            let mut numbers = [f64::from(k), 10.0 * f64::from(k)];
            f.bend_state(&mut numbers);
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
                f.bend_counters(&mut numbers);
                said.push(numbers[0]);
            }
            said
        };
        let scaled = count(FaultKind::Scale(1.5));
        assert_eq!(scaled, [0.0, 100.0, 250.0, 400.0, 500.0, 600.0]);
        let frozen = count(FaultKind::Freeze);
        assert_eq!(frozen, [0.0, 100.0, 100.0, 100.0, 200.0, 300.0]);
    }

    #[test]
    fn numbers_that_are_not_there_are_left_out() {
        let mut f = fault(FaultKind::Scale(2.0), 3..usize::MAX);
        f.active = true;
        f.bend_state(&mut [1.0, 2.0]);
        let mut four = [1.0, 1.0, 1.0, 1.0];
        f.bend_state(&mut four);
        assert_eq!(four, [1.0, 1.0, 1.0, 2.0]);
    }
}
