//! Registry of the kinds that scenes can name: sensors, controllers, faults, drivers.

use crate::links::DriverKind;
use becomingone_components::control::AnyController;
use becomingone_components::fault::AnyFault;
use becomingone_components::scene::SensorSpec;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{AnySensor, SensorContext};
use bevy_ecs::prelude::*;
use ron::error::SpannedError;
use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The kinds that scenes can name, by their names.
#[derive(Resource, Clone, Default)]
pub struct Kinds {
    /// Sensors.
    pub sensors: BTreeMap<&'static str, SensorEntry>,
    /// Controllers.
    pub controllers: BTreeMap<&'static str, Entry<dyn AnyController>>,
    /// Faults of sensors and drives.
    pub faults: BTreeMap<&'static str, Entry<dyn AnyFault>>,
    /// Drivers of links.
    pub drivers: BTreeMap<&'static str, Arc<dyn DriverKind>>,
    /// Names that two types were registered under: a run does not start with them.
    pub conflicts: Vec<String>,
    /// The type behind each name.
    types: BTreeMap<(&'static str, &'static str), TypeId>,
}

impl Kinds {
    /// Records the type of a name; a second one is a conflict. Returns whether the type is new.
    pub(crate) fn claim(&mut self, what: &'static str, name: &'static str, of: TypeId) -> bool {
        let mut types = self.types.iter();
        let is_new = !types.any(|((other, _), known)| *other == what && *known == of);
        let first = *self.types.entry((what, name)).or_insert(of);
        if first != of {
            self.conflicts.push(format!("{what} `{name}`"));
        }
        is_new
    }
}

/// A registered kind.
pub struct Entry<D: ?Sized> {
    /// Description in one line.
    pub about: &'static str,
    /// Reads its fields: RON in brackets, empty where all have defaults.
    pub read: ReadKind<D>,
}

/// Reads the fields of a kind.
pub type ReadKind<D> = Arc<dyn Fn(&str) -> Result<Arc<D>, SpannedError> + Send + Sync>;

impl<D: ?Sized> Clone for Entry<D> {
    fn clone(&self) -> Self {
        Self {
            about: self.about,
            read: self.read.clone(),
        }
    }
}

/// A registered kind of sensor.
#[derive(Clone)]
pub struct SensorEntry {
    /// Description and reader.
    pub entry: Entry<dyn AnySensor>,
    /// Kind of its measurement.
    pub measures: &'static str,
    pub(crate) spawn: Spawn,
}

/// Adds a sensor's reading, and its source.
pub(crate) type Spawn = fn(&mut World, Entity, &SensorSpec, &SensorContext<'_>, &mut Rng);
