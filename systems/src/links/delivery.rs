//! Delivery of a frame to the reading of its sensor.

use becomingone_components::link::Frame;
use becomingone_components::sensor::{Columns, Field, Measurement, Reading, SensorStats};
use bevy_ecs::prelude::*;

/// Conversion of a frame's numbers to a reading of a sensor's kind.
#[derive(Component, Clone, Copy)]
pub(crate) struct Delivery {
    pub(super) deliver: fn(&mut EntityWorldMut<'_>, &Frame, &[f64], &[u8]),
    /// Length of a reading.
    pub(super) numbers: usize,
    /// Whether numbers may be missing.
    pub(super) with_gaps: bool,
    /// Whether a reading has bytes beside its numbers.
    pub(super) with_bytes: bool,
    fields: &'static [Field],
    is_row: bool,
}

impl Delivery {
    /// Conversion to readings like this one.
    pub(crate) fn like<T: Measurement>(blank: &T) -> Self {
        let mut numbers = 0;
        blank.visit(&mut |_| numbers += 1);
        Self {
            deliver: deliver::<T>,
            numbers,
            with_gaps: T::GAPS,
            with_bytes: T::ENCODING.is_some(),
            fields: T::FIELDS,
            is_row: T::IS_ROW,
        }
    }

    /// Names of the numbers: those of its columns, of its fields, or indices in a row.
    pub(super) fn names(&self, columns: Option<&Columns>) -> Vec<String> {
        match columns {
            Some(Columns(columns)) => columns.iter().map(|c| c.name.clone()).collect(),
            None if self.is_row => (0..self.numbers).map(|k| k.to_string()).collect(),
            None => self.fields.iter().map(|f| f.name.to_owned()).collect(),
        }
    }
}

fn deliver<T: Measurement>(
    sensor: &mut EntityWorldMut<'_>,
    frame: &Frame,
    numbers: &[f64],
    bytes: &[u8],
) {
    let Some(mut reading) = sensor.get_mut::<Reading<T>>() else {
        return;
    };
    let mut fits = true;
    let kept = reading.enter(frame.source_ns, frame.arrival_ns, |value| {
        fits = value.fill(numbers) && value.set_bytes(bytes);
        fits && value.is_finite()
    });
    let Some(mut stats) = sensor.get_mut::<SensorStats>() else {
        return;
    };
    match (kept, fits) {
        (true, _) => stats.readings += 1,
        (false, true) => stats.non_finite += 1,
        (false, false) => stats.dropped += 1,
    }
}
