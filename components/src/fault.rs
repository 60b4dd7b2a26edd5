//! Faults of sensors and drives: kind, parameters, time.
//!
//! A sensor fault corrupts the simulated reading; ground truth is untouched. A drive fault changes the simulated
//! motion itself.

use crate::check::Checks;
use crate::kind::{AnyKind, Indent, Kind, Named};
use crate::seed::Rng;
use crate::sensor::Schema;
use crate::time::NS_PER_S;
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A fault, as a scene states it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// Target: `agent/sensor`, `agent/sensor/part`, or `agent/part` where only one sensor of the agent has such a
    /// part. Parts are names of its numbers (`rover/imu/gyro_z`), of several together (`rover/imu/gyro`), or indices
    /// in a row of equal ones (`rover/encoders/0`). `agent/drive` is the agent's drive, `agent/drive/0` its first
    /// wheel or joint.
    pub sensor: String,
    /// Kind.
    pub kind: Named<dyn AnyFault>,
    /// Begin (s).
    #[serde(default)]
    pub at_s: f64,
    /// Duration (s); none: to the end of the run.
    #[serde(default)]
    pub for_s: Option<f64>,
}

/// A kind of fault: its scene fields, its targets, and its effect on readings.
///
/// `app.register_fault::<Hum>()` registers it: `faults: [(sensor: "rover/imu", kind: Hum(..), at_s: 20)]`. A fault of
/// a sensor implements [`inject`](Self::inject) or [`loses`](Self::loses), a fault of a drive
/// [`torque_share`](Self::torque_share) or [`rolled_share`](Self::rolled_share). Faults of sensors leave ground truth
/// untouched; faults of drives change it.
pub trait FaultKind: Kind {
    /// State from reading to reading.
    type State: Clone + Default + PartialEq + fmt::Debug + Send + Sync;

    /// Whether it is a fault of a drive; of a sensor otherwise.
    const OF_DRIVE: bool = false;

    /// Reports values that are out of range.
    fn check(&self, checks: &mut Checks<'_>) {
        let _ = checks;
    }

    /// Reason why it does not apply to its target: found, expected.
    fn refuse(&self, target: &FaultTarget<'_>) -> Option<(String, String)> {
        let _ = target;
        None
    }

    /// Effect, as in an event: `scaled by 1.5`.
    fn describe(&self) -> String;

    /// Corrupts one reading of simulated numbers. Called for every reading, also while it is inactive.
    fn inject(&self, state: &mut Self::State, now: &FaultNow, numbers: &mut [f64]) {
        let _ = (state, now, numbers);
    }

    /// Whether a reading is lost, while it is active.
    fn loses(&self, rng: &mut Rng) -> bool {
        let _ = rng;
        false
    }

    /// Remaining share of a drive motor's torque, while it is active.
    fn torque_share(&self) -> f64 {
        1.0
    }

    /// Share of a wheel's rotation that becomes motion over the ground, while it is active.
    fn rolled_share(&self) -> f64 {
        1.0
    }
}

/// Context of one reading that a fault corrupts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaultNow {
    /// Stamp of the reading (ns).
    pub now_ns: u64,
    /// Whether the fault is active.
    pub active: bool,
    /// Begin of the fault (ns).
    pub from_ns: u64,
    /// End of the fault (ns); never reached where it does not end.
    pub until_ns: u64,
    /// Readings a second.
    pub rate_hz: f64,
    /// Whether the numbers are counters: only increments are measured.
    pub counts: bool,
    /// Smallest and largest value of each number; the largest stands for no target.
    pub limits: Option<[f64; 2]>,
}

impl FaultNow {
    /// Maps each number within its limits; a number that stands for no target is unchanged.
    pub fn map(&self, numbers: &mut [f64], corrupted: impl Fn(f64) -> f64) {
        for x in numbers {
            *x = match self.limits {
                Some([_, nothing]) if *x >= nothing => *x,
                Some([low, high]) => corrupted(*x).clamp(low, high),
                None => corrupted(*x),
            };
        }
    }
}

/// Target of a fault.
#[derive(Clone, Debug)]
pub struct FaultTarget<'a> {
    /// Name of the agent.
    pub agent: &'a str,
    /// Name of the sensor; none of a drive.
    pub sensor: Option<&'a str>,
    /// Its kind of measurement, [`Measurement::KIND`](crate::sensor::Measurement::KIND).
    pub measures: &'static str,
    /// Names and units of its numbers.
    pub schema: &'a Schema,
    /// Length of a reading, if known.
    pub row: Option<usize>,
    /// Readings a second.
    pub rate_hz: f64,
    /// Whether its numbers are distances along rays, with limits.
    pub rays: bool,
    /// Selected numbers.
    pub numbers: Range<usize>,
}

impl FaultTarget<'_> {
    /// Whether it is the whole reading.
    pub fn is_whole(&self) -> bool {
        let all = !self.schema.is_row && self.numbers.end >= self.schema.fields.len();
        self.numbers.start == 0 && (self.numbers.end == usize::MAX || all)
    }
}

/// A kind of fault with its type erased, as scenes hold it.
pub trait AnyFault: AnyKind {
    /// [`FaultKind::OF_DRIVE`].
    fn is_of_drive(&self) -> bool;
    /// [`FaultKind::check`].
    fn check(&self, checks: &mut Checks<'_>);
    /// [`FaultKind::refuse`].
    fn refuse(&self, target: &FaultTarget<'_>) -> Option<(String, String)>;
    /// [`FaultKind::describe`].
    fn describe(&self) -> String;
    /// Creates an injector, with its state.
    fn start(&self) -> Box<dyn Injector>;
}

/// An instance of a fault: its kind and its state.
pub trait Injector: fmt::Debug + Send + Sync {
    /// [`FaultKind::inject`].
    fn inject(&mut self, now: &FaultNow, numbers: &mut [f64]);
    /// [`FaultKind::loses`].
    fn loses(&self, rng: &mut Rng) -> bool;
    /// [`FaultKind::torque_share`].
    fn torque_share(&self) -> f64;
    /// [`FaultKind::rolled_share`].
    fn rolled_share(&self) -> f64;
}

#[derive(Debug)]
struct AtWork<K: FaultKind> {
    kind: K,
    state: K::State,
}

impl<K: FaultKind> Injector for AtWork<K> {
    fn inject(&mut self, now: &FaultNow, numbers: &mut [f64]) {
        self.kind.inject(&mut self.state, now, numbers);
    }

    fn loses(&self, rng: &mut Rng) -> bool {
        self.kind.loses(rng)
    }

    fn torque_share(&self) -> f64 {
        self.kind.torque_share()
    }

    fn rolled_share(&self) -> f64 {
        self.kind.rolled_share()
    }
}

impl<K: FaultKind> AnyFault for K {
    fn is_of_drive(&self) -> bool {
        K::OF_DRIVE
    }

    fn check(&self, checks: &mut Checks<'_>) {
        FaultKind::check(self, checks);
    }

    fn refuse(&self, target: &FaultTarget<'_>) -> Option<(String, String)> {
        FaultKind::refuse(self, target)
    }

    fn describe(&self) -> String {
        FaultKind::describe(self)
    }

    fn start(&self) -> Box<dyn Injector> {
        Box::new(AtWork {
            kind: self.clone(),
            state: K::State::default(),
        })
    }
}

impl Indent for dyn AnyFault {
    const LEVELS: usize = 3;
}

impl<K: FaultKind> From<K> for Named<dyn AnyFault> {
    fn from(kind: K) -> Self {
        Self::of(Arc::new(kind))
    }
}

/// A fault of a sensor or a drive, and its state.
#[derive(Debug)]
pub struct Fault {
    /// Instance.
    pub injector: Box<dyn Injector>,
    /// Effect, as in an event.
    pub description: String,
    /// The sensor on its agent and the part, as `imu/gyro_z`.
    pub name: String,
    /// Selected numbers of a reading; those beyond its length are ignored.
    pub numbers: Range<usize>,
    /// Readings a second.
    pub rate_hz: f64,
    /// Begin (ns from the run's start).
    pub from_ns: u64,
    /// End (ns); never reached where it does not end.
    pub until_ns: u64,
    /// Whether it is active now.
    pub active: bool,
    /// Whether a request began it; the scene otherwise.
    pub is_requested: bool,
    /// Random numbers for lost readings.
    pub rng: Rng,
}

/// Converts a scene's seconds to nanoseconds.
fn ns(s: f64) -> u64 {
    (s * NS_PER_S as f64).round() as u64
}

impl Fault {
    /// Creates a fault that has not begun, of these numbers of a sensor with this rate, with its own generator. None
    /// where its kind was not read.
    pub fn new(
        spec: &FaultSpec,
        name: String,
        numbers: Range<usize>,
        rate_hz: f64,
        rng: Rng,
    ) -> Option<Self> {
        let kind = spec.kind.value()?;
        Some(Self {
            injector: kind.start(),
            description: kind.describe(),
            name,
            numbers,
            rate_hz,
            from_ns: ns(spec.at_s),
            until_ns: spec
                .for_s
                .map_or(u64::MAX, |for_s| ns(spec.at_s).saturating_add(ns(for_s))),
            active: false,
            is_requested: false,
            rng,
        })
    }

    /// Whether a reading is lost.
    pub fn loses(&mut self) -> bool {
        self.active && self.injector.loses(&mut self.rng)
    }

    /// Corrupts one reading of simulated numbers.
    pub fn inject(
        &mut self,
        now_ns: u64,
        counts: bool,
        limits: Option<[f64; 2]>,
        numbers: &mut [f64],
    ) {
        let end = self.numbers.end.min(numbers.len());
        let Some(numbers) = numbers
            .get_mut(self.numbers.start..end)
            .filter(|n| !n.is_empty())
        else {
            return;
        };
        let now = FaultNow {
            now_ns,
            active: self.active,
            from_ns: self.from_ns,
            until_ns: self.until_ns,
            rate_hz: self.rate_hz,
            counts,
            limits,
        };
        self.injector.inject(&now, numbers);
    }
}

/// All faults of a sensor or a drive, in the order of the scene.
#[derive(Component, Debug, Default)]
pub struct Faults {
    /// Faults.
    pub all: Vec<Fault>,
    /// Numbers of the current reading.
    pub numbers: Vec<f64>,
}

impl Faults {
    /// Remaining share of a drive motor's torque now.
    pub fn torque(&self, motor: usize) -> f64 {
        self.share(motor, |fault| fault.torque_share())
    }

    /// Share of a wheel's rotation that becomes motion over the ground now.
    pub fn rolled(&self, wheel: usize) -> f64 {
        self.share(wheel, |fault| fault.rolled_share())
    }

    fn share(&self, number: usize, of: impl Fn(&dyn Injector) -> f64) -> f64 {
        let active = self.all.iter().filter(|f| f.active);
        active
            .filter(|f| f.numbers.contains(&number))
            .map(|f| of(&*f.injector))
            .product()
    }
}

/// Name of every agent's drive.
pub const DRIVE: &str = "drive";
