//! Inputs and outputs of an engine, by name: sensors and drives outside, without a scene file.
//!
//! Each is a short name of one line of a scene: a sensor with its `source`, or a `drive_source`.
//!
//! | name | in a scene | Cargo feature |
//! |---|---|---|
//! | [`SensorInput`] | `(name: .., kind: .., rate_hz: .., source: ..)` | |
//! | [`MicrophoneInput`] | `kind: Microphone(), source: Driver("audio", (device: Default))` | `audio` |
//! | [`CameraInput`] | `kind: Camera(), source: Driver("camera", (url: ..))`, or `(folder: ..)` | `camera` |
//! | [`TextInput`] | none: lines that the program itself writes | `bridge` |
//! | `SpeakerOutput` | `run --speaker` | `audio` |
//! | [`SerialBridge`] | `source` and `drive_source: Driver("serial", (port: ..))` | `serial` |
//! | [`MqttBridge`] | `Driver("mqtt", (broker: ..))` | `mqtt` |
//! | [`BluetoothBridge`] | `Driver("bluetooth", (device: ..))` | `bluetooth` |
//! | [`HttpBridge`], [`WebSocketBridge`] | `Driver("http", (url: ..))`, `Driver("websocket", (url: ..))` | `bridge` |
//! | [`ApiInput`], [`ApiOutput`] | the same as [`HttpBridge`] | `bridge` |
//! | [`WebSocketInput`], [`WebSocketOutput`] | the same as [`WebSocketBridge`] | `bridge` |
//! | `DisplayOutput` | `run --rerun spawn`, `connect=`, `save=` | `rerun` |
//! | [`TextOutput`](crate::TextOutput) | none: lines of JSON with the state of each agent | |
//! | [`FileBridge`], [`ProcessBridge`] | `Driver("file", (path: ..))`, `Driver("process", (argv: ..))` | `bridge` |
//!
//! ```
//! use becomingone::inputs::{TextInput, WebSocketBridge, values};
//! use becomingone::prelude::*;
//!
//! let mut engine = CoherenceEngine::new();
//! let level = TextInput::new("tank", &[("level", "m")]);
//! let tank = level.writer();
//! let rover = WebSocketBridge::new("ws://127.0.0.1:9090/").with(r#"subscribe: ["/speed"]"#);
//! engine.add_input(level)?.add_input(rover.reads("speed", values(&[("v", "m/s")]), 20.0))?;
//! engine.start()?;
//! tank.write(r#"{"level": 1.5}"#)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::engine::{CoherenceEngine, EngineError};
use crate::pace::Pace;
use crate::sources;
#[cfg(feature = "bridge")]
use becomingone_bridge::{TextChannels, TextKind, TextWriter};
use becomingone_components::kind::Named;
use becomingone_components::link::{Config, Source};
use becomingone_components::scene::{LoadedScene, SceneSpec, SensorSpec};
use becomingone_components::sensor::{AnySensor, Column};
use becomingone_scene::{Diagnostic, SceneError};
#[cfg(feature = "bridge")]
use becomingone_systems::kinds::RegisterKinds as _;
use becomingone_systems::sensing::{Camera, Microphone, Values};
use bevy_app::App;

/// A kind of sensor.
type Kind = Named<dyn AnySensor>;

/// Something that an engine reads.
pub trait Input {
    /// The sensor, with its source.
    fn sensor(&self) -> SensorSpec;

    /// Registers what the source needs, once the sensor was accepted.
    fn connect(self, app: &mut App)
    where
        Self: Sized,
    {
        let _ = app;
    }
}

/// Something that an engine writes to.
pub trait Output {
    /// Connects it.
    ///
    /// # Errors
    ///
    /// [`EngineError::Scene`] if the scene has nothing to connect it to.
    fn connect(self, engine: &mut CoherenceEngine) -> Result<(), EngineError>;
}

/// A sensor as a scene states it.
///
/// ```
/// use becomingone::inputs::SensorInput;
/// use becomingone::prelude::*;
///
/// let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
/// engine.add_input(SensorInput::new("second_imu", Imu::default(), 100.0))?;
/// engine.step()?;
/// assert!(engine.world().try_query::<&Name>().is_some());
/// # Ok::<(), EngineError>(())
/// ```
pub type SensorInput = SensorSpec;

impl Input for SensorSpec {
    fn sensor(&self) -> SensorSpec {
        self.clone()
    }
}

/// A sensor `name` that a driver feeds.
fn driven(
    name: &str,
    kind: impl Into<Kind>,
    rate_hz: f64,
    driver: &str,
    options: &str,
) -> SensorSpec {
    SensorSpec {
        source: Source::Driver(driver.to_owned(), Config(format!("({options})"))),
        ..SensorSpec::new(name, kind, rate_hz)
    }
}

/// A microphone: level, strongest tone and octave bands, 50 times a second. It needs the feature `audio`.
///
/// ```
/// use becomingone::CoherenceEngine;
/// use becomingone::inputs::MicrophoneInput;
///
/// let mut engine = CoherenceEngine::new();
/// engine.add_input(MicrophoneInput::new())?;
/// # Ok::<(), becomingone::EngineError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MicrophoneInput {
    device: Option<String>,
}

impl MicrophoneInput {
    /// The default device.
    pub fn new() -> Self {
        Self::default()
    }

    /// The device whose name begins so, as `becomingone list audio` prints it.
    pub fn named(name: &str) -> Self {
        Self {
            device: Some(name.to_owned()),
        }
    }
}

impl Input for MicrophoneInput {
    fn sensor(&self) -> SensorSpec {
        let device = match &self.device {
            Some(name) => format!("device: Name({name:?})"),
            None => "device: Default".to_owned(),
        };
        driven("microphone", Microphone::default(), 50.0, "audio", &device)
    }
}

/// A camera: luminance, motion and the picture, 30 times a second. It needs the feature `camera`.
///
/// ```
/// use becomingone::CoherenceEngine;
/// use becomingone::inputs::CameraInput;
///
/// let mut engine = CoherenceEngine::new();
/// engine.add_input(CameraInput::stream("http://127.0.0.1:8080/stream.mjpg"))?;
/// # Ok::<(), becomingone::EngineError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CameraInput {
    options: String,
}

impl CameraInput {
    /// MJPEG of a web server.
    pub fn stream(url: &str) -> Self {
        Self {
            options: format!("url: {url:?}"),
        }
    }

    /// Pictures of a folder, 30 a second, from the first again after the last.
    pub fn folder(path: &str) -> Self {
        Self {
            options: format!("folder: {path:?}, rate_hz: 30, loop: true"),
        }
    }
}

impl Input for CameraInput {
    fn sensor(&self) -> SensorSpec {
        driven("camera", Camera::default(), 30.0, "camera", &self.options)
    }
}

/// Numbers that the program itself writes, as lines of JSON whose keys are their names. Each line is a reading; of more
/// than 64 between two ticks, the oldest are dropped and counted.
///
/// ```
/// use becomingone::CoherenceEngine;
/// use becomingone::inputs::TextInput;
///
/// let mut engine = CoherenceEngine::new();
/// let input = TextInput::new("tank", &[("level", "m")]);
/// let tank = input.writer();
/// engine.add_input(input)?;
/// tank.write(r#"{"level": 1.5}"#)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "bridge")]
#[derive(Debug)]
pub struct TextInput {
    name: String,
    values: Values,
    writer: TextWriter,
    lines: std::sync::mpsc::Receiver<String>,
}

#[cfg(feature = "bridge")]
impl TextInput {
    /// A sensor of this name, with names and units of its numbers.
    pub fn new(name: &str, fields: &[(&str, &str)]) -> Self {
        let (writer, lines) = TextWriter::channel();
        Self {
            name: name.to_owned(),
            values: values(fields),
            writer,
            lines,
        }
    }

    /// What writes its lines, from any thread.
    pub fn writer(&self) -> TextWriter {
        self.writer.clone()
    }
}

#[cfg(feature = "bridge")]
impl Input for TextInput {
    fn sensor(&self) -> SensorSpec {
        let options = format!("channel: {:?}", self.name);
        driven(&self.name, self.values.clone(), 100.0, "text", &options)
    }

    fn connect(self, app: &mut App) {
        if app.world().get_resource::<TextChannels>().is_none() {
            let channels = TextChannels::default();
            app.insert_resource(channels.clone())
                .register_driver(TextKind(channels));
        }
        let channels = app.world().resource::<TextChannels>();
        channels.open(&self.name, self.lines);
    }
}

/// Numbers with these names and units.
pub fn values(fields: &[(&str, &str)]) -> Values {
    let column = |&(name, unit): &(&str, &str)| Column {
        name: name.to_owned(),
        unit: unit.to_owned(),
    };
    Values {
        fields: fields.iter().map(column).collect(),
    }
}

/// A drive outside: commands go to a driver, once the engine is [armed](CoherenceEngine::set_armed).
#[derive(Clone, Debug)]
pub struct DriveOutput {
    agent: String,
    source: Source,
}

impl DriveOutput {
    fn new(agent: &str, driver: &str, options: &str) -> Self {
        let options = Config(format!("({options})"));
        Self {
            agent: agent.to_owned(),
            source: Source::Driver(driver.to_owned(), options),
        }
    }
}

impl Output for DriveOutput {
    fn connect(self, engine: &mut CoherenceEngine) -> Result<(), EngineError> {
        let Self { agent, source } = self;
        engine.change_scene(|scene| {
            let names: Vec<_> = scene
                .agents
                .iter()
                .map(|a| format!("`{}`", a.name))
                .collect();
            let found = scene.agents.iter_mut().find(|a| a.name == agent);
            let found = found.ok_or_else(|| {
                format!(
                    "found no agent `{agent}`; expected one of {}",
                    names.join(", ")
                )
            })?;
            found.drive_source = source;
            Ok(())
        })
    }
}

/// A loudspeaker: coherence as a quiet tone from 220 Hz to 440 Hz, and an alert while an agent has an alarm.
///
/// ```no_run
/// use becomingone::CoherenceEngine;
/// use becomingone::inputs::SpeakerOutput;
///
/// let mut engine = CoherenceEngine::new();
/// engine.add_output(SpeakerOutput::new())?;
/// engine.run()?;
/// # Ok::<(), becomingone::EngineError>(())
/// ```
#[cfg(feature = "audio")]
#[derive(Clone, Debug, Default)]
pub struct SpeakerOutput {
    device: Option<String>,
}

#[cfg(feature = "audio")]
impl SpeakerOutput {
    /// The default device.
    pub fn new() -> Self {
        Self::default()
    }

    /// The device whose name begins so, as `becomingone list audio` prints it.
    pub fn named(name: &str) -> Self {
        Self {
            device: Some(name.to_owned()),
        }
    }
}

#[cfg(feature = "audio")]
impl Output for SpeakerOutput {
    fn connect(self, engine: &mut CoherenceEngine) -> Result<(), EngineError> {
        use becomingone_audio::{Speaker, SpeakerPlugin};
        let opened = match &self.device {
            Some(name) => Speaker::named(name),
            None => Speaker::new(),
        };
        let speaker =
            opened.map_err(|error| wrong(format!("no thread for the speaker: {error}")))?;
        engine.add_plugin(SpeakerPlugin(speaker));
        Ok(())
    }
}

/// Defines the names of drivers that read and write.
macro_rules! bridges {
    ($($(#[$about:meta])* $name:ident: $driver:literal, $key:literal, $example:literal;)*) => {$(
        $(#[$about])*
        ///
        /// ```
        /// use becomingone::prelude::*;
        #[doc = concat!("use becomingone::inputs::{", stringify!($name), ", values};")]
        ///
        /// let mut engine = CoherenceEngine::new();
        #[doc = concat!("let bridge = ", stringify!($name), "::new(", $example, ");")]
        /// engine.add_input(bridge.reads("meter", values(&[("current", "A")]), 10.0))?;
        /// # Ok::<(), EngineError>(())
        /// ```
        #[derive(Clone, Debug)]
        pub struct $name(String);

        impl $name {
            #[doc = concat!("One with this `", $key, "`.")]
            pub fn new(address: &str) -> Self {
                Self(format!(concat!($key, ": {:?}"), address))
            }

            /// With more options of the driver, as a scene has them: `baud: 9600, protocol: Nmea`.
            #[must_use]
            pub fn with(&self, options: &str) -> Self {
                Self(format!("{}, {options}", self.0))
            }

            /// A sensor that it feeds.
            pub fn reads(&self, name: &str, kind: impl Into<Kind>, rate_hz: f64) -> SensorInput {
                driven(name, kind, rate_hz, $driver, &self.0)
            }

            /// The drive of an agent, which it takes commands for.
            pub fn drives(&self, agent: &str) -> DriveOutput {
                DriveOutput::new(agent, $driver, &self.0)
            }
        }
    )*};
}

bridges! {
    /// A serial port, by its path, its USB id or `tcp://host:port`.
    SerialBridge: "serial", "port", r#""/dev/ttyUSB0").with("baud: 115200, protocol: JsonLines""#;
    /// A broker of MQTT; the topic is an option.
    MqttBridge: "mqtt", "broker", "\"mqtt://localhost:1883\").with(r#\"topic: \"pump\"\"#";
    /// A device of Bluetooth Low Energy, by its address; it needs the feature `bluetooth`.
    BluetoothBridge: "bluetooth", "device", r#""AA:BB:CC:DD:EE:FF").with("characteristic: HeartRate""#;
    /// A web server, whose state is polled, and which commands are posted to.
    HttpBridge: "http", "url", r#""http://127.0.0.1:8080/state""#;
    /// A server of WebSocket messages.
    WebSocketBridge: "websocket", "url", r#""ws://127.0.0.1:9090/""#;
    /// A file, whose new lines are read, or which commands are written to.
    FileBridge: "file", "path", r#""tank.jsonl""#;
}

/// The concept's name of a web server whose state is read.
pub type ApiInput = HttpBridge;
/// The concept's name of a web server that commands are posted to.
pub type ApiOutput = HttpBridge;
/// The concept's name of a server whose messages are read.
pub type WebSocketInput = WebSocketBridge;
/// The concept's name of a server that commands are sent to.
pub type WebSocketOutput = WebSocketBridge;

/// A program, by its arguments: what it prints is read, commands are its input.
///
/// ```
/// use becomingone::CoherenceEngine;
/// use becomingone::inputs::{ProcessBridge, values};
///
/// let mut engine = CoherenceEngine::new();
/// let probe = ProcessBridge::new(&["./probe", "--fast"]);
/// engine.add_input(probe.reads("probe", values(&[("t", "degC")]), 20.0))?;
/// # Ok::<(), becomingone::EngineError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ProcessBridge(String);

impl ProcessBridge {
    /// The program and its arguments; no shell reads them.
    pub fn new(argv: &[&str]) -> Self {
        Self(format!("argv: {argv:?}"))
    }

    /// With more options of the driver, as a scene has them: `decode: Csv()`.
    #[must_use]
    pub fn with(&self, options: &str) -> Self {
        Self(format!("{}, {options}", self.0))
    }

    /// A sensor that it feeds.
    pub fn reads(&self, name: &str, kind: impl Into<Kind>, rate_hz: f64) -> SensorInput {
        driven(name, kind, rate_hz, "process", &self.0)
    }

    /// The drive of an agent, which it takes commands for.
    pub fn drives(&self, agent: &str) -> DriveOutput {
        DriveOutput::new(agent, "process", &self.0)
    }
}

/// An error of what is added.
pub(crate) fn wrong(message: String) -> EngineError {
    let place = None;
    SceneError::Diagnostics(vec![Diagnostic { place, message }]).into()
}

impl CoherenceEngine {
    /// Adds a sensor to the first agent, before the start. An engine with a driver runs in real time.
    ///
    /// ```
    /// use becomingone::inputs::{HttpBridge, values};
    /// use becomingone::prelude::*;
    ///
    /// let mut engine = CoherenceEngine::new();
    /// let lab = HttpBridge::new("http://127.0.0.1:8080/state").with(r#"pick: "/main/temp""#);
    /// engine.add_input(lab.reads("lab", values(&[("t", "degC")]), 1.0))?;
    /// // A sensor has a name of its own, and a rate.
    /// assert!(engine.add_input(lab.reads("lab", values(&[("t", "degC")]), 1.0)).is_err());
    /// assert!(engine.add_input(lab.reads("room", values(&[("t", "degC")]), 0.0)).is_err());
    /// # Ok::<(), EngineError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`EngineError::Scene`]: a value as a scene may not have it, or an engine that has started. What the driver refuses
    /// is an error of [`start`](Self::start).
    pub fn add_input(&mut self, input: impl Input) -> Result<&mut Self, EngineError> {
        let sensor = input.sensor();
        self.change_scene(|scene| {
            let agent = scene.agents.first_mut();
            let agent = agent.ok_or("found no agent; expected one that has the sensor")?;
            agent.sensors.push(sensor);
            Ok(())
        })?;
        input.connect(self.app_mut());
        Ok(self)
    }

    /// Adds an output, before the start.
    ///
    /// ```
    /// use becomingone::inputs::SerialBridge;
    /// use becomingone::prelude::*;
    ///
    /// let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
    /// let motors = SerialBridge::new("/dev/ttyACM0").with("baud: 115200, protocol: JsonLines");
    /// engine.add_output(motors.drives("rover"))?.set_armed(true);
    /// assert!(engine.add_output(motors.drives("rovr")).is_err());
    /// # Ok::<(), EngineError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`add_input`](Self::add_input).
    pub fn add_output(&mut self, output: impl Output) -> Result<&mut Self, EngineError> {
        output.connect(self)?;
        Ok(self)
    }

    /// Changes the scene and checks it; one that is refused stays as it was.
    fn change_scene(
        &mut self,
        change: impl FnOnce(&mut SceneSpec) -> Result<(), String>,
    ) -> Result<(), EngineError> {
        if self.is_ready() {
            return Err(wrong(
                "found an engine that has started; expected inputs and outputs before".to_owned(),
            ));
        }
        let mut scene = self.world().resource::<LoadedScene>().scene.clone();
        change(&mut scene).map_err(wrong)?;
        becomingone_scene::check(&scene)?;
        self.world_mut().resource_mut::<LoadedScene>().scene = scene;
        if sources::has_drivers(self.world().resource::<LoadedScene>()) {
            self.set_pace(Pace::RealTime);
        }
        Ok(())
    }
}
