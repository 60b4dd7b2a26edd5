//! Rows of an instrument.

use super::measurement::{Field, Measurement, field};
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Numbers of an instrument; [`Columns`] on the sensor names them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ValueRow {
    /// In the order of the columns; `NaN` where a column had no value.
    pub numbers: Vec<f64>,
}

impl Measurement for ValueRow {
    const KIND: &'static str = "values";
    const FIELDS: &'static [Field] = &[field("value", "1")];
    const GAPS: bool = true;

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        self.numbers.iter().copied().for_each(each);
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let fits = numbers.len() == self.numbers.len();
        if fits {
            for (to, &x) in self.numbers.iter_mut().zip(numbers) {
                // One pattern of bits for every NaN.
                *to = if x.is_nan() { f64::NAN } else { x };
            }
        }
        fits
    }

    /// Missing values are valid; infinite values, and rows without any value, are not.
    fn is_finite(&self) -> bool {
        self.numbers.iter().all(|x| !x.is_infinite()) && self.numbers.iter().any(|x| x.is_finite())
    }
}

/// Columns of a sensor of [`ValueRow`].
#[derive(Component, Clone, Debug, Default, PartialEq)]
pub struct Columns(pub Arc<[Column]>);

/// One number of an instrument.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Column {
    /// Unique on its sensor.
    pub name: String,
    /// Its unit, `1` for none.
    pub unit: String,
}
