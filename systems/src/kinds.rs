//! Registration of kinds: the sensors, controllers, faults and drivers that scenes can name.
//!
//! Each `register_*` call is all that a kind needs. [`KindsPlugin`] registers the engine's own kinds with the same calls.

use crate::links::DriverKind;
use crate::{control, diagnosis, faults, sensing, vehicle};
use becomingone_components::control::{AnyController, ControllerKind};
use becomingone_components::fault::{AnyFault, FaultKind};
use becomingone_components::kind::{Kind, options};
use becomingone_components::sensor::{Measurement as _, SensorKind};
use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;
use ron::error::SpannedError;
use serde::de::DeserializeOwned;
use std::any::TypeId;
use std::sync::Arc;

pub use crate::registry::{Entry, Kinds, ReadKind, SensorEntry};

/// Registers the engine's own kinds.
pub struct KindsPlugin;

impl Plugin for KindsPlugin {
    fn build(&self, app: &mut App) {
        app.register_sensor::<sensing::Imu>()
            .register_sensor::<sensing::Encoders>()
            .register_sensor::<sensing::Lidar>()
            .register_sensor::<sensing::Contact>()
            .register_sensor::<sensing::Gnss>()
            .register_sensor::<sensing::RangeFinder>()
            .register_sensor::<sensing::Magnetometer>()
            .register_sensor::<sensing::Barometer>()
            .register_sensor::<sensing::Thermometer>()
            .register_sensor::<sensing::Battery>()
            .register_sensor::<sensing::JointStates>()
            .register_sensor::<sensing::ForceTorque>()
            .register_sensor::<sensing::Microphone>()
            .register_sensor::<sensing::Camera>()
            .register_sensor::<sensing::Values>()
            .register_controller::<control::patrol::Patrol>()
            .register_controller::<control::orbit::OrbitSpec>()
            .register_controller::<control::motions::Joints>()
            .register_controller::<vehicle::lap::TrackDriver>()
            .register_fault::<faults::Freeze>()
            .register_fault::<faults::Scale>()
            .register_fault::<faults::Bias>()
            .register_fault::<faults::Drift>()
            .register_fault::<faults::Delay>()
            .register_fault::<faults::DropOut>()
            .register_fault::<faults::Block>()
            .register_fault::<faults::Slip>()
            .register_fault::<faults::Torque>();
    }
}

/// Text of a kind without fields.
fn bracketed(fields: &str) -> &str {
    if fields.is_empty() { "()" } else { fields }
}

fn read<K: Kind + DeserializeOwned>(fields: &str) -> Result<K, SpannedError> {
    options().from_str(fields)
}

/// Registers kinds.
pub trait RegisterKinds {
    /// Registers a kind of sensor, and its measurement.
    fn register_sensor<K: SensorKind + DeserializeOwned>(&mut self) -> &mut Self;
    /// Registers a kind of sensor whose name is known only when the program runs: [`Kind::name`] of what `read` returns for
    /// the fields, RON in brackets. One type may have several names.
    fn register_sensor_as<K: SensorKind>(
        &mut self,
        name: &'static str,
        about: &'static str,
        read: impl Fn(&str) -> Result<K, SpannedError> + Send + Sync + 'static,
    ) -> &mut Self;
    /// Registers a kind of controller, and the systems that run it.
    fn register_controller<K: ControllerKind + DeserializeOwned>(&mut self) -> &mut Self;
    /// Registers a kind of controller whose name is known only when the program runs, as
    /// [`register_sensor_as`](Self::register_sensor_as); it has no systems of its own.
    fn register_controller_as<K: AnyController>(
        &mut self,
        name: &'static str,
        about: &'static str,
        read: impl Fn(&str) -> Result<K, SpannedError> + Send + Sync + 'static,
    ) -> &mut Self;
    /// Registers a kind of fault.
    fn register_fault<K: FaultKind + DeserializeOwned>(&mut self) -> &mut Self;
    /// Registers a kind of driver, under its name.
    fn register_driver<K: DriverKind>(&mut self, kind: K) -> &mut Self;
}

fn kinds(app: &mut App) -> Mut<'_, Kinds> {
    app.init_resource::<Kinds>();
    app.world_mut().resource_mut::<Kinds>()
}

impl RegisterKinds for App {
    fn register_sensor<K: SensorKind + DeserializeOwned>(&mut self) -> &mut Self {
        self.register_sensor_as::<K>(K::NAME, K::ABOUT, read::<K>)
    }

    fn register_sensor_as<K: SensorKind>(
        &mut self,
        name: &'static str,
        about: &'static str,
        read: impl Fn(&str) -> Result<K, SpannedError> + Send + Sync + 'static,
    ) -> &mut Self {
        let entry = SensorEntry {
            entry: Entry {
                about,
                read: Arc::new(move |fields| Ok(Arc::new(read(bracketed(fields))?))),
            },
            measures: K::Measurement::KIND,
            spawn: sensing::spawn::<K>,
        };
        let mut kinds = kinds(self);
        let is_new_kind = kinds.claim("sensor", name, TypeId::of::<K>());
        kinds.claim(
            "measurement",
            K::Measurement::KIND,
            TypeId::of::<K::Measurement>(),
        );
        kinds.sensors.insert(name, entry);
        if is_new_kind && sensing::register::<K>(self) {
            faults::register::<K::Measurement>(self);
            diagnosis::features::register::<K::Measurement>(self);
        }
        self
    }

    fn register_controller<K: ControllerKind + DeserializeOwned>(&mut self) -> &mut Self {
        let is_new = !kinds(self).controllers.contains_key(K::NAME);
        self.register_controller_as::<K>(K::NAME, K::ABOUT, read::<K>);
        if is_new {
            control::register_systems(self, K::systems());
        }
        self
    }

    fn register_controller_as<K: AnyController>(
        &mut self,
        name: &'static str,
        about: &'static str,
        read: impl Fn(&str) -> Result<K, SpannedError> + Send + Sync + 'static,
    ) -> &mut Self {
        let entry: Entry<dyn AnyController> = Entry {
            about,
            read: Arc::new(move |fields| Ok(Arc::new(read(bracketed(fields))?))),
        };
        let mut kinds = kinds(self);
        kinds.claim("controller", name, TypeId::of::<K>());
        kinds.controllers.insert(name, entry);
        self
    }

    fn register_fault<K: FaultKind + DeserializeOwned>(&mut self) -> &mut Self {
        let entry: Entry<dyn AnyFault> = Entry {
            about: K::ABOUT,
            read: Arc::new(|fields| Ok(Arc::new(read::<K>(bracketed(fields))?))),
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
