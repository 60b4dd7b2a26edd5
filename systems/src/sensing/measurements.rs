//! Readings of all kinds of measurements, type-erased: for recorders, viewers and APIs.

use becomingone_components::sensor::{Measurement, Reading, Schema, Truth};
use bevy_ecs::prelude::*;
use std::collections::BTreeMap;

/// All registered kinds of measurements, by their names.
#[derive(Resource, Clone, Default)]
pub struct Measurements(pub BTreeMap<&'static str, MeasurementEntry>);

/// A registered kind of measurement.
#[derive(Clone)]
pub struct MeasurementEntry {
    /// Name of the kind.
    pub kind: &'static str,
    /// Names, units and parts; of instruments, [`Columns`](becomingone_components::sensor::Columns) has the names.
    pub schema: Schema,
    /// Whether an entity has readings of this kind.
    pub is_on: fn(&World, Entity) -> bool,
    /// Calls a function with each reading of this tick, oldest first.
    pub fresh: fn(&World, Entity, &mut dyn FnMut(&AnyReading<'_>)),
    /// Calls a function with the latest reading, if there is one.
    pub latest: fn(&World, Entity, &mut dyn FnMut(&AnyReading<'_>)),
    /// How many numbers each reading of a sensor has.
    pub numbers: fn(&World, Entity) -> usize,
    /// Calls a function with each number of the ground truth. Returns whether there is one.
    pub truth: fn(&World, Entity, &mut dyn FnMut(f64)) -> bool,
}

/// A type-erased reading.
pub struct AnyReading<'a> {
    /// When it was measured (ns from the run's start).
    pub source_ns: u64,
    /// When it entered the run (ns).
    pub arrival_ns: u64,
    /// Index of the reading on its sensor, from 0.
    pub sequence: u64,
    /// Bytes beside the numbers.
    pub bytes: &'a [u8],
    numbers: &'a dyn Fn(&mut dyn FnMut(f64)),
}

impl AnyReading<'_> {
    /// Calls a function with each number in order.
    pub fn visit(&self, each: &mut dyn FnMut(f64)) {
        (self.numbers)(each);
    }
}

pub(super) fn entry<T: Measurement>() -> MeasurementEntry {
    MeasurementEntry {
        kind: T::KIND,
        schema: Schema::of::<T>(),
        is_on: |world, entity| world.get::<Reading<T>>(entity).is_some(),
        fresh: |world, entity, each| {
            if let Some(reading) = world.get::<Reading<T>>(entity) {
                reading.batch().for_each(|stamped| give(stamped, each));
            }
        },
        latest: |world, entity, each| {
            if let Some(stamped) = world.get::<Reading<T>>(entity).and_then(Reading::latest) {
                give(stamped, each);
            }
        },
        numbers: |world, entity| {
            let mut numbers = 0;
            if let Some(reading) = world.get::<Reading<T>>(entity) {
                reading.shape().visit(&mut |_| numbers += 1);
            }
            numbers
        },
        truth: |world, entity, each| {
            let truth = world.get::<Truth<T>>(entity);
            truth.inspect(|truth| truth.0.visit(each)).is_some()
        },
    }
}

fn give<T: Measurement>(
    stamped: &becomingone_components::sensor::Stamped<T>,
    each: &mut dyn FnMut(&AnyReading<'_>),
) {
    each(&AnyReading {
        source_ns: stamped.source_ns,
        arrival_ns: stamped.arrival_ns,
        sequence: stamped.sequence,
        bytes: stamped.value.bytes(),
        numbers: &|each| stamped.value.visit(each),
    });
}
