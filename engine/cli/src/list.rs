//! `becomingone list`.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::load::load;
use becomingone::Plugins;
use becomingone::scene::Overlays;
use becomingone::systems::links::{ExternalInput, Journal};
use becomingone::systems::tick::scheduled;
use becomingone::{EngineBuilder, assets, sources};
use becomingone_components::link::Frame;
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

/// Arguments of `list`.
#[derive(Args)]
pub(crate) struct List {
    #[command(subcommand)]
    what: Listed,
}

/// Subject of a list: a variant here, and its function below.
#[derive(Subcommand)]
enum Listed {
    /// Built-in scenes.
    Scenes,
    /// Built-in robot descriptions.
    Models,
    /// Kinds of sensors.
    Sensors,
    /// Kinds of controllers.
    Controllers,
    /// Kinds of faults.
    Faults,
    /// Kinds of driver that a source may name.
    Drivers,
    /// Serial ports of this machine, with their USB ids.
    Ports,
    /// Sound devices of this machine.
    Audio,
    /// Devices of Bluetooth Low Energy in range: it scans for 5 s.
    Bluetooth,
    /// Systems of a tick in the order in which they run, each with its set.
    Systems {
        /// A scene file (.ron), a robot (URDF or MJCF) or vehicle (.yaml) description, or the name of a built-in
        /// scene; else the bare kernel.
        scene: Option<PathBuf>,
    },
}

impl List {
    pub(crate) fn run(self, plugins: &Plugins) -> Result<Exit, Failure> {
        match self.what {
            Listed::Scenes => files(assets::scenes()),
            Listed::Models => files(assets::models()),
            Listed::Drivers => drivers(plugins),
            Listed::Sensors => kinds(
                plugins
                    .kinds()
                    .sensors
                    .iter()
                    .map(|(n, e)| (n, e.entry.about)),
            ),
            Listed::Controllers => kinds(
                plugins
                    .kinds()
                    .controllers
                    .iter()
                    .map(|(n, e)| (n, e.about)),
            ),
            Listed::Faults => kinds(plugins.kinds().faults.iter().map(|(n, e)| (n, e.about))),
            Listed::Ports => devices(plugins, "serial", "no serial port is plugged in")?,
            Listed::Audio => devices(plugins, "audio", "no sound device is there")?,
            Listed::Bluetooth => devices(plugins, "bluetooth", "no device advertises in range")?,
            Listed::Systems { scene } => systems(scene.as_deref(), plugins)?,
        }
        Ok(Exit::SUCCESS)
    }
}

fn files(all: Vec<(String, String)>) {
    for (name, about) in all {
        print_out!("{name:24} {about}");
    }
}

fn kinds<'a>(all: impl Iterator<Item = (&'a &'static str, &'static str)>) {
    for (name, about) in all {
        print_out!("{name:24} {about}");
    }
}

fn drivers(plugins: &Plugins) {
    let kinds = plugins.kinds();
    for (name, kind) in &kinds.drivers {
        print_out!("{name:24} {}", kind.about());
    }
    for (name, feature) in sources::DRIVER_FEATURES {
        if !kinds.drivers.contains_key(name) {
            print_out!("{name:24} not built in: needs the Cargo feature `{feature}`");
        }
    }
}

fn devices(plugins: &Plugins, driver: &str, none: &str) -> Result<(), Failure> {
    let kinds = plugins.kinds();
    let Some(kind) = kinds.drivers.get(driver) else {
        return Err(Failure::BadInput(format!(
            "found no driver `{driver}` in this program; expected a build with the Cargo feature `{driver}`: `becomingone doctor` says what it needs"
        )));
    };
    let devices = kind.devices().map_err(Failure::Run)?;
    if devices.is_empty() {
        print_out!("none: {none}");
    }
    for device in devices {
        print_out!("{device}");
    }
    Ok(())
}

fn systems(scene: Option<&Path>, plugins: &Plugins) -> Result<(), Failure> {
    let mut engine = match scene {
        None => EngineBuilder::with(plugins.clone()).kernel(),
        Some(scene) => {
            let overlays = Overlays::default();
            let loaded = load(scene, None, &overlays, &assets::Assets, plugins)?;
            EngineBuilder::with(plugins.clone()).loaded(loaded)
        }
    };
    // A run from a journal opens no device.
    engine
        .world_mut()
        .insert_resource(ExternalInput::Journal(Box::new(Empty)));
    engine.start()?;
    for system in scheduled(engine.world()) {
        print_out!(
            "{:12} {}",
            system.set.as_deref().unwrap_or("-"),
            system.name
        );
    }
    Ok(())
}

/// A journal without frames.
struct Empty;

impl Journal for Empty {
    fn frames(&mut self, _tick: u64, _into: &mut Vec<Frame>) {}
}
