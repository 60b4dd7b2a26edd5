//! Instruments: rows of any numbers, received by a link.

use becomingone_components::check::Checks;
use becomingone_components::check::MAX_ENTRIES;
use becomingone_components::kind::Kind;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{
    Column, Columns, Schema, SensorAt, SensorContext, SensorKind, ValueRow,
};
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Any numbers of an instrument, without simulation. It needs no body.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Values {
    /// Names and units, in the order of the numbers.
    pub fields: Vec<Column>,
}

impl Kind for Values {
    const NAME: &'static str = "Values";
    const ABOUT: &'static str = "any numbers of an instrument, by a link";
}

impl SensorKind for Values {
    type Measurement = ValueRow;
    type Model = ();
    type Param = ();

    const SIMULATED: bool = false;

    fn check(&self, _: &SensorContext<'_>, checks: &mut Checks<'_>) {
        if self.fields.is_empty() {
            let expected = "at least one: (name: \"current\", unit: \"A\")";
            checks.wrong("fields", "none", expected);
        }
        checks.count("fields", self.fields.len());
        let mut names = HashSet::new();
        for (k, field) in self.fields.iter().enumerate().take(MAX_ENTRIES) {
            if field.name.trim().is_empty() || !names.insert(&field.name) {
                let found = format!("`{}`", field.name.escape_debug());
                let at = format!("fields[{k}].name");
                checks.wrong(&at, found, "a name that is not taken");
            }
        }
    }

    fn schema(&self) -> Schema {
        Schema {
            encoding: None,
            fields: self.fields.iter().map(|f| f.name.clone()).collect(),
            units: self.fields.iter().map(|f| f.unit.clone()).collect(),
            ..Schema::of::<ValueRow>()
        }
    }

    fn blank(&self, _: &SensorContext<'_>) -> ValueRow {
        ValueRow {
            numbers: vec![f64::NAN; self.fields.len()],
        }
    }

    fn model(&self, _: &SensorContext<'_>, _: &mut Rng) {}

    fn truth((): &mut (), _: &SensorAt, (): &(), _: &mut ValueRow) -> bool {
        false
    }

    fn insert(&self, sensor: &mut EntityWorldMut<'_>) {
        sensor.insert(Columns(self.fields.as_slice().into()));
    }
}
