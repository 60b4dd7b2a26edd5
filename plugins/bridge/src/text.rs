//! Driver kind `text`: lines that the program itself writes, as readings of its sensors.

use crate::protocol::{Decode, Decoder};
use crate::sensors::{Places, Sensors};
use becomingone_systems::links::pick::Pointer;
use becomingone_systems::links::{
    ConfigError, Context, Driver, DriverError, DriverKind, Endpoint, LinkEnd, Pick, SourceSite,
    read_config,
};
use bevy_ecs::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Lines that wait to be read.
const WAITING: usize = 1024;
/// Longest wait before the driver checks whether it is cancelled.
const POLL_PERIOD: Duration = Duration::from_millis(50);

/// Lines of one channel, kept over a reset of the engine.
type Lines = Arc<Mutex<Receiver<String>>>;

/// Channels of an engine, by name.
#[derive(Resource, Clone, Default)]
pub struct TextChannels(Arc<Mutex<BTreeMap<String, Lines>>>);

impl TextChannels {
    /// Opens a channel; lines that were written to one of this name before are no longer read.
    pub fn open(&self, name: &str, lines: Receiver<String>) {
        let mut channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        channels.insert(name.to_owned(), Arc::new(Mutex::new(lines)));
    }

    fn get(&self, name: &str) -> Option<Lines> {
        let channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        channels.get(name).cloned()
    }
}

/// Writes lines of a channel, from any thread.
#[derive(Clone, Debug)]
pub struct TextWriter(SyncSender<String>);

impl TextWriter {
    /// A channel that holds 1024 lines: its writer, and its lines for [`TextChannels::open`].
    pub fn channel() -> (Self, Receiver<String>) {
        let (sender, lines) = sync_channel(WAITING);
        (Self(sender), lines)
    }

    /// Writes a line, in JSON as in `Driver("file", ..)`. It does not wait.
    ///
    /// # Errors
    ///
    /// [`NotWritten`]; the line is lost.
    pub fn write(&self, line: impl Into<String>) -> Result<(), NotWritten> {
        self.0.try_send(line.into()).map_err(|error| match error {
            TrySendError::Full(_) => NotWritten::Full,
            TrySendError::Disconnected(_) => NotWritten::Over,
        })
    }
}

/// Why a line was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotWritten {
    /// 1024 lines wait: the engine has not started, or it is slower than the writer.
    Full,
    /// The engine is gone.
    Over,
}

impl fmt::Display for NotWritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(
                f,
                "found {WAITING} lines that wait; expected an engine that reads them"
            ),
            Self::Over => f.write_str("found no engine any more that reads this"),
        }
    }
}

impl std::error::Error for NotWritten {}

/// Driver kind `text`, over the channels of an engine.
pub struct TextKind(pub TextChannels);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    channel: String,
    #[serde(default)]
    decode: Option<Decode>,
    #[serde(default)]
    pick: Option<Pick>,
    #[serde(default)]
    sequence: Option<Pointer>,
    #[serde(default)]
    stamp_s: Option<Pointer>,
}

impl Config {
    fn places(self) -> Places {
        Places {
            pick: self.pick.unwrap_or_default(),
            sequence: self.sequence,
            stamp_s: self.stamp_s,
        }
    }
}

impl DriverKind for TextKind {
    fn name(&self) -> &'static str {
        "text"
    }

    fn about(&self) -> &'static str {
        "lines of JSON or CSV that the program itself writes"
    }

    fn address_key(&self) -> &'static str {
        "channel"
    }

    fn port(&self, config: &str, endpoint: Endpoint<'_>) -> Result<String, ConfigError> {
        let config: Config = read_config(config)?;
        let invalid = |text: String| Err(ConfigError::Meaning(text));
        if let Some(decode) = &config.decode {
            decode.check().map_err(ConfigError::Meaning)?;
        }
        if self.0.get(&config.channel).is_none() {
            return invalid(format!(
                "found no channel `{}`; expected one that the program has opened, by `TextInput`",
                config.channel
            ));
        }
        match endpoint {
            Endpoint::Sensor(_) => Ok(config.channel),
            Endpoint::Actuator(_) => {
                invalid("found a drive; expected a sensor: no commands are written here".to_owned())
            }
        }
    }

    fn check(&self, config: &str, site: &SourceSite) -> Result<(), ConfigError> {
        read_config::<Config>(config)?.places().check(site)
    }

    fn open(&self, port: &str, ends: Vec<(String, LinkEnd)>) -> Result<Box<dyn Driver>, String> {
        let mut sensors = Sensors::new(port, "lines");
        let mut decode = None;
        for (config, end) in ends {
            let config: Config = read_config(&config).map_err(|e| e.to_string())?;
            let LinkEnd::Sensor(end) = end else {
                return Err(format!("found a drive at {port}; expected a sensor"));
            };
            let its = config.decode.clone().unwrap_or_default();
            if *decode.get_or_insert_with(|| its.clone()) != its {
                return Err(format!(
                    "found another `decode` for {}; expected that of the other sensors of this channel",
                    end.name()
                ));
            }
            sensors.add(end, config.places())?;
        }
        let lines = self.0.get(port);
        Ok(Box::new(Text {
            lines: lines.ok_or_else(|| format!("found no channel `{port}`"))?,
            decoder: Decoder::new(decode.unwrap_or_default()),
            sensors,
        }))
    }
}

struct Text {
    lines: Lines,
    decoder: Decoder,
    sensors: Sensors,
}

impl Driver for Text {
    fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
        let Some(clock) = self.sensors.clock() else {
            return Ok(());
        };
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        context.up();
        while !context.cancelled() {
            match lines.recv_timeout(POLL_PERIOD) {
                Ok(line) => {
                    let arrival_ns = clock.now_ns();
                    let line = line.as_bytes();
                    self.sensors.take(self.decoder.line(line), line, arrival_ns);
                }
                Err(RecvTimeoutError::Timeout) => {}
                // Every writer is gone: nothing comes any more.
                Err(RecvTimeoutError::Disconnected) => {
                    context.wait(POLL_PERIOD);
                }
            }
        }
        self.sensors.report();
        Ok(())
    }
}
