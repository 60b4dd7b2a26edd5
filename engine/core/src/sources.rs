//! Resolves the sources of a scene to drivers and recordings that can be opened, and reports their errors.

use becomingone_components::link::{Queue, Source};
use becomingone_components::path_text::to_path;
use becomingone_components::scene::{LoadedScene, SensorSpec, SourceSpan};
use becomingone_model::did_you_mean;
use becomingone_scene::{Diagnostic, Place, SceneError, explain};
use becomingone_systems::kinds::Kinds;
use becomingone_systems::links::{ConfigError, Endpoint, Port, PortSource, Recording, SourceSite};
use bevy_app::App;
use std::path::Path;

/// Drivers of this project, each with its Cargo feature.
pub const DRIVER_FEATURES: [(&str, &str); 10] = [
    ("audio", "audio"),
    ("bluetooth", "bluetooth"),
    ("camera", "camera"),
    ("file", "bridge"),
    ("http", "bridge"),
    ("mqtt", "mqtt"),
    ("process", "bridge"),
    ("serial", "serial"),
    ("udp", "udp"),
    ("websocket", "bridge"),
];

/// Registers the built-in drivers.
pub(crate) fn register(app: &mut App) {
    #[cfg(feature = "audio")]
    app.add_plugins(becomingone_audio::AudioPlugin);
    #[cfg(feature = "bluetooth")]
    app.add_plugins(becomingone_bluetooth::BluetoothPlugin);
    #[cfg(feature = "bridge")]
    app.add_plugins(becomingone_bridge::BridgePlugin);
    #[cfg(feature = "camera")]
    app.add_plugins(becomingone_camera::CameraPlugin);
    #[cfg(feature = "mqtt")]
    app.add_plugins(becomingone_mqtt::MqttPlugin);
    #[cfg(feature = "serial")]
    app.add_plugins(becomingone_serial::SerialPlugin);
    #[cfg(feature = "udp")]
    app.add_plugins(becomingone_udp::UdpPlugin);
    #[cfg(not(any(
        feature = "audio",
        feature = "bluetooth",
        feature = "bridge",
        feature = "camera",
        feature = "mqtt",
        feature = "serial",
        feature = "udp"
    )))]
    let _ = app;
}

/// Whether the scene has drivers, which run in real time.
pub fn has_drivers(loaded: &LoadedScene) -> bool {
    sources(loaded).any(|(_, source, _)| matches!(source, Source::Driver(..)))
}

/// Refuses sources and drives that reach out of the simulation: they may run programs, read files and fetch addresses.
///
/// # Errors
///
/// All of them, with their places.
pub fn simulated(loaded: &LoadedScene) -> Result<(), SceneError> {
    let outside = sources(loaded).filter_map(|(name, source, _)| {
        let found = match source {
            Source::Sim | Source::Off => return None,
            Source::Driver(kind, _) => format!("the driver `{kind}`"),
            Source::Replay { .. } => "a recording".to_owned(),
        };
        let message =
            format!("found {found}; expected `Sim` or `Off`, as the scene comes from elsewhere");
        Some(at_source(&name, loaded.written.get(&name), message))
    });
    let outside: Vec<_> = outside.collect();
    match outside.is_empty() {
        true => Ok(()),
        false => Err(SceneError::Diagnostics(outside)),
    }
}

/// Stable name, source, and the sensor; `None` for a drive.
fn sources(loaded: &LoadedScene) -> impl Iterator<Item = (String, &Source, Option<&SensorSpec>)> {
    loaded.scene.agents.iter().flat_map(|agent| {
        let sensors = agent.sensors.iter();
        let sensors = sensors.map(|s| (format!("{}/{}", agent.name, s.name), &s.source, Some(s)));
        let drive = (format!("{}/drive", agent.name), &agent.drive_source, None);
        sensors.chain([drive])
    })
}

/// Drivers and recordings of a scene's sources.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) ports: Vec<Port>,
    pub(crate) recordings: Vec<(String, Box<dyn Recording>)>,
}

impl Plan {
    /// Finds the drivers and opens the recordings; no port is opened yet.
    ///
    /// # Errors
    ///
    /// All errors, with their places.
    pub(crate) fn of(loaded: &LoadedScene, kinds: &Kinds) -> Result<Self, SceneError> {
        let mut plan = Self::default();
        let mut diagnostics = Vec::new();
        for (name, source, sensor) in sources(loaded) {
            let written = loaded.written.get(&name);
            let wrong = match source {
                Source::Sim | Source::Off => continue,
                Source::Driver(kind, config) => {
                    let endpoint = match sensor {
                        Some(_) => Endpoint::Sensor(&name),
                        None => Endpoint::Actuator(&name),
                    };
                    let source = PortSource {
                        name: name.clone(),
                        queue: sensor.map_or_else(Queue::default, |s| s.queue),
                        config: config.0.clone(),
                        site: site(sensor, written),
                    };
                    plan.driver(kind, endpoint, source, kinds, written)
                }
                Source::Replay { .. } => sensor.map_or(Ok(()), |sensor| {
                    recorded::open(source, sensor, &name)
                        .map(|recording| plan.recordings.push((name.clone(), recording)))
                        .map_err(|message| at_source(&name, written, message))
                }),
            };
            diagnostics.extend(wrong.err());
        }
        if diagnostics.is_empty() {
            Ok(plan)
        } else {
            Err(SceneError::Diagnostics(diagnostics))
        }
    }

    fn driver(
        &mut self,
        kind: &str,
        endpoint: Endpoint<'_>,
        source: PortSource,
        kinds: &Kinds,
        written: Option<&SourceSpan>,
    ) -> Result<(), Diagnostic> {
        let (name, config) = (source.name.as_str(), source.config.as_str());
        let Some((&known, driver)) = kinds.drivers.get_key_value(kind) else {
            return Err(at_source(name, written, unknown(kind, kinds)));
        };
        let port = driver.port(config, endpoint);
        let port = port.and_then(|port| driver.check(config, &source.site).map(|()| port));
        let port = port.map_err(|error| match error {
            ConfigError::Meaning(text) => match written.and_then(|w| config_place(w, config, 0)) {
                Some(place) => Diagnostic {
                    place: Some(place),
                    message: format!("{name}: {text}"),
                },
                None => at_source(name, written, text),
            },
            ConfigError::Text(error) => {
                let at = offset(config, error.span.start.line, error.span.start.col);
                let text = explain(&error.code);
                match written.and_then(|w| config_place(w, config, at)) {
                    Some(place) => Diagnostic {
                        place: Some(place),
                        message: format!("{name}: {text}"),
                    },
                    None => at_source(name, written, text),
                }
            }
        })?;
        let same = |p: &&mut Port| p.name == known && p.port == port;
        match self.ports.iter_mut().find(same) {
            Some(shared) => shared.sources.push(source),
            None => self.ports.push(Port {
                name: known,
                kind: driver.clone(),
                port,
                sources: vec![source],
            }),
        }
        Ok(())
    }
}

/// Where a source stands: its file's folder, if there is one on the disk, and the fields of its sensor.
fn site(sensor: Option<&SensorSpec>, written: Option<&SourceSpan>) -> SourceSite {
    // Of the configuration, where it comes from a profile.
    let file = written.and_then(|w| match w.config.first() {
        Some((_, file, [line, _])) => (*line > 0).then_some(file),
        None => (w.source.1[0] > 0).then_some(&w.source.0),
    });
    let folder = file.and_then(|file| to_path(file).parent().map(Path::to_path_buf));
    let kind = sensor.and_then(|sensor| sensor.kind.value());
    let schema = kind.map(|kind| kind.schema()).unwrap_or_default();
    SourceSite {
        folder: folder.filter(|f| f.is_dir()).unwrap_or_default(),
        fields: schema.fields,
        is_row: schema.is_row,
    }
}

/// Error of a source as a whole.
pub(crate) fn at_source(
    name: &str,
    written: Option<&SourceSpan>,
    message: impl std::fmt::Display,
) -> Diagnostic {
    Diagnostic {
        place: written.map(|w| place(&w.source.0, w.source.1)),
        message: format!("{name}: {message}"),
    }
}

fn place(file: &str, [line, column]: [usize; 2]) -> Place {
    Place {
        file: file.to_owned(),
        line,
        column,
    }
}

fn unknown(kind: &str, kinds: &Kinds) -> String {
    if let Some((_, feature)) = DRIVER_FEATURES.iter().find(|(k, _)| *k == kind) {
        return format!(
            "found driver `{kind}`, which is not built in; expected a build with the Cargo feature `{feature}`"
        );
    }
    let known: Vec<&str> = kinds.drivers.keys().copied().collect();
    let listed: Vec<String> = known.iter().map(|k| format!("`{k}`")).collect();
    let expected = match listed.len() {
        0 => "none: this program was built without drivers".to_owned(),
        _ => format!("one of {}", listed.join(", ")),
    };
    format!(
        "found unknown driver `{kind}`; expected {expected}{}",
        did_you_mean(kind, known)
    )
}

/// Byte offset of a line and column, both from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum::<usize>();
    let rest = text.get(start..).unwrap_or_default();
    let within = rest.char_indices().nth(column.saturating_sub(1));
    start + within.map_or(rest.len(), |(k, _)| k)
}

/// Place in the source of a byte of a configuration.
fn config_place(written: &SourceSpan, config: &str, at: usize) -> Option<Place> {
    let piece = written.config.iter().rev().find(|(from, ..)| *from <= at);
    let (from, file, [line, column]) = piece?;
    let (mut line, mut column) = (*line, *column);
    for c in config.get(*from..at.min(config.len()))?.chars() {
        column += 1;
        if c == '\n' {
            (line, column) = (line + 1, 1);
        }
    }
    Some(place(file, [line, column]))
}

mod address;

pub use address::SourceAddress;

#[cfg(feature = "replay")]
mod stamps;

#[cfg(feature = "replay")]
mod recorded;

#[cfg(not(feature = "replay"))]
mod recorded {
    use super::{SensorSpec, Source};
    use becomingone_systems::links::Recording;

    pub(super) fn open(_: &Source, _: &SensorSpec, _: &str) -> Result<Box<dyn Recording>, String> {
        Err("found a recording; expected a build with the Cargo feature `replay`".to_owned())
    }
}
