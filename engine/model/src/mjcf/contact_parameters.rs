//! Parameters of contacts, which have no effect.

use super::element::Values;
use crate::draft::Warnings;
use crate::{ModelError, Place};
use std::collections::BTreeMap;

/// Parameters of contacts that are not supported, with `MuJoCo`'s default values.
const PARAMETERS: [(&str, &[f64]); 9] = [
    ("adhesion", &[0.0]),
    ("condim", &[3.0]),
    ("friction", &[1.0, 0.005, 0.0001]),
    ("gap", &[0.0]),
    ("margin", &[0.0]),
    ("priority", &[0.0]),
    ("solimp", &[0.9, 0.95, 0.001, 0.5, 2.0]),
    ("solmix", &[1.0]),
    ("solref", &[0.02, 1.0]),
];

/// Parameters without effect that differ from their defaults: of how many geoms, and where first.
#[derive(Default)]
pub(super) struct Ignored(BTreeMap<&'static str, (usize, Place)>);

impl Ignored {
    /// Counts the parameters of a geom.
    pub(super) fn count(&mut self, v: &Values) -> Result<(), ModelError> {
        for (name, default) in PARAMETERS {
            let Some(found) = v.numbers(name)? else {
                continue;
            };
            if found.iter().zip(default).any(|(a, b)| a != b) {
                let place = || (0, v.place(name));
                self.0.entry(name).or_insert_with(place).0 += 1;
            }
        }
        Ok(())
    }

    /// Warns once of all.
    pub(super) fn warn(&self, warnings: &mut Warnings) {
        let Some((_, first)) = self.0.values().next() else {
            return;
        };
        let geoms = |n: &usize| if *n == 1 { "geom" } else { "geoms" };
        let names = self.0.iter();
        let names = names.map(|(name, (n, _))| format!("{name} ({n} {})", geoms(n)));
        let names: Vec<_> = names.collect();
        let text = format!(
            "not supported and ignored: {}; contacts are rigid, with friction by the scene's ground",
            names.join(", ")
        );
        warnings.push(first, text);
    }
}
