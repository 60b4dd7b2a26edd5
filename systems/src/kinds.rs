//! Registries of kinds: the sensors, controllers, faults and drivers that scenes can name.
//!
//! Each `register_*` call is all that a kind needs. The engine's own kinds are registered by their plugins with the
//! same calls.

use crate::control::register_systems;
use crate::links::DriverKind;
use crate::sensing::{self, Spawn};
use becomingone_components::control::{AnyController, ControllerKind};
use becomingone_components::fault::{AnyFault, FaultKind};
use becomingone_components::kind::{Kind, options};
use becomingone_components::sensor::{AnySensor, Measurement as _, SensorKind};
use bevy_app::App;
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
    /// The engine's own kinds.
    pub fn built_in() -> Self {
        Self::with(|_| ())
    }

    /// Records the type of a name; a second one is a conflict.
    pub(crate) fn claim(&mut self, what: &'static str, name: &'static str, of: TypeId) {
        let first = *self.types.entry((what, name)).or_insert(of);
        if first != of {
            self.conflicts.push(format!("{what} `{name}`"));
        }
    }

    /// The engine's own kinds, and those that plugins register.
    pub fn with(plugins: impl FnOnce(&mut App)) -> Self {
        let mut app = App::empty();
        app.add_plugins(crate::EnginePlugin);
        plugins(&mut app);
        app.world().get_resource().cloned().unwrap_or_default()
    }
}

/// A registered kind.
pub struct Entry<D: ?Sized> {
    /// Description in one line.
    pub about: &'static str,
    /// Reads its fields: RON in brackets, empty where all have defaults.
    pub read: fn(&str) -> Result<Arc<D>, SpannedError>,
}

impl<D: ?Sized> Clone for Entry<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: ?Sized> Copy for Entry<D> {}

/// A registered kind of sensor.
#[derive(Clone, Copy)]
pub struct SensorEntry {
    /// Description and reader.
    pub entry: Entry<dyn AnySensor>,
    /// Kind of its measurement.
    pub measures: &'static str,
    pub(crate) spawn: Spawn,
}

fn read<K: Kind>(fields: &str) -> Result<K, SpannedError> {
    let fields = if fields.is_empty() { "()" } else { fields };
    options().from_str(fields)
}

/// Registers kinds.
pub trait RegisterKinds {
    /// Registers a kind of sensor, and its measurement.
    fn register_sensor<K: SensorKind>(&mut self) -> &mut Self;
    /// Registers a kind of controller, and the systems that run it.
    fn register_controller<K: ControllerKind>(&mut self) -> &mut Self;
    /// Registers a kind of fault.
    fn register_fault<K: FaultKind>(&mut self) -> &mut Self;
    /// Registers a kind of driver, under its name.
    fn register_driver<K: DriverKind>(&mut self, kind: K) -> &mut Self;
}

fn kinds(app: &mut App) -> Mut<'_, Kinds> {
    app.init_resource::<Kinds>();
    app.world_mut().resource_mut::<Kinds>()
}

impl RegisterKinds for App {
    fn register_sensor<K: SensorKind>(&mut self) -> &mut Self {
        let entry = SensorEntry {
            entry: Entry {
                about: K::ABOUT,
                read: |fields| Ok(Arc::new(read::<K>(fields)?)),
            },
            measures: K::Measurement::KIND,
            spawn: sensing::spawn::<K>,
        };
        let mut kinds = kinds(self);
        kinds.claim("sensor", K::NAME, TypeId::of::<K>());
        kinds.claim(
            "measurement",
            K::Measurement::KIND,
            TypeId::of::<K::Measurement>(),
        );
        if kinds.sensors.insert(K::NAME, entry).is_none() {
            sensing::register::<K>(self);
        }
        self
    }

    fn register_controller<K: ControllerKind>(&mut self) -> &mut Self {
        let entry: Entry<dyn AnyController> = Entry {
            about: K::ABOUT,
            read: |fields| Ok(Arc::new(read::<K>(fields)?)),
        };
        let mut kinds = kinds(self);
        kinds.claim("controller", K::NAME, TypeId::of::<K>());
        let first = kinds.controllers.insert(K::NAME, entry).is_none();
        if first {
            register_systems(self, K::systems());
        }
        self
    }

    fn register_fault<K: FaultKind>(&mut self) -> &mut Self {
        let entry: Entry<dyn AnyFault> = Entry {
            about: K::ABOUT,
            read: |fields| Ok(Arc::new(read::<K>(fields)?)),
        };
        let mut kinds = kinds(self);
        kinds.claim("fault", K::NAME, TypeId::of::<K>());
        kinds.faults.insert(K::NAME, entry);
        self
    }

    fn register_driver<K: DriverKind>(&mut self, kind: K) -> &mut Self {
        let mut kinds = kinds(self);
        kinds.claim("driver", kind.name(), TypeId::of::<K>());
        kinds.drivers.insert(kind.name(), Arc::new(kind));
        self
    }
}
