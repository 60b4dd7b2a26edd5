//! Schema of a measurement.

use super::measurement::{Measurement, Part};
use std::ops::Range;

/// Names, units and parts of the numbers of a sensor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    /// Names of its numbers, in order; of a row of equal ones, the one name.
    pub fields: Vec<String>,
    /// Their units.
    pub units: Vec<String>,
    /// Names for several of them together.
    pub parts: &'static [Part],
    /// Whether it has any number of equal numbers.
    pub is_row: bool,
    /// Whether its numbers are counters.
    pub counts: bool,
    /// Whether it depends on the agent's surroundings.
    pub surroundings: bool,
    /// Whether a number of it may be missing (NaN).
    pub has_gaps: bool,
    /// Whether its numbers stay where they are, whatever the machine does.
    pub stationary: bool,
    /// Media type of the bytes beside its numbers.
    pub encoding: Option<&'static str>,
}

impl Schema {
    /// Schema of a measurement type.
    pub fn of<T: Measurement>() -> Self {
        Self {
            fields: T::FIELDS.iter().map(|f| f.name.to_owned()).collect(),
            units: T::FIELDS.iter().map(|f| f.unit.to_owned()).collect(),
            parts: T::PARTS,
            is_row: T::IS_ROW,
            counts: T::COUNTS,
            surroundings: T::SURROUNDINGS,
            has_gaps: T::GAPS,
            stationary: T::STATIONARY,
            encoding: T::ENCODING,
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

    /// Common unit of these numbers. Degrees of a position are ignored beside its metres, which follow them.
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

    /// Numbers of a part.
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

    /// All names of parts, indices excluded.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let fields = self.fields.iter().filter(|_| !self.is_row);
        let parts = self.parts.iter().map(|p| p.name);
        parts.chain(fields.map(String::as_str))
    }
}

/// Index in a row, from 0, in one spelling: no sign, no leading zero.
pub fn place(part: &str) -> Option<Range<usize>> {
    let index: usize = part.parse().ok()?;
    (index.to_string() == part && index < usize::MAX).then(|| index..index + 1)
}
