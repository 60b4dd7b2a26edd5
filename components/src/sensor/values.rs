//! Rows of an instrument.

use super::measurement::{Field, Measurement, field};
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Numbers of an instrument, whatever they are; [`Columns`] on the sensor says what each is called.
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
                // One pattern of bits for all that is no value.
                *to = if x.is_nan() { f64::NAN } else { x };
            }
        }
        fits
    }

    /// A column without a value is no mistake, an infinite one is; and so is a row without any value.
    fn is_finite(&self) -> bool {
        self.numbers.iter().all(|x| !x.is_infinite()) && self.numbers.iter().any(|x| x.is_finite())
    }
}

/// What the numbers of a sensor of [`ValueRow`] are.
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
