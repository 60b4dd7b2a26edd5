//! What a driver is, and which kinds there are.
//!
//! A driver is two files: `protocol.rs`, which reads and writes bytes and nothing else, and `driver.rs`, which waits
//! for them on a thread of its own. It knows no entity and no tick: it gets the ends of its links, and fills or
//! empties them.

use super::act::ActuatorEnd;
use super::queue::SensorEnd;
use super::thread::Context;
use serde::de::DeserializeOwned;

/// A kind of driver, under whose name scenes ask for it: `source: Driver("udp", (..))`.
pub trait DriverKind: Send + Sync + 'static {
    /// Name in scenes: `udp`.
    fn name(&self) -> &'static str;

    /// What it is, in a line, for `becomingone list drivers`.
    fn about(&self) -> &'static str;

    /// Reads the configuration of one source, and says what it wants to hold alone: a port, a device, a broker.
    /// Sources of the same port share a driver, and its thread.
    ///
    /// # Errors
    ///
    /// What is wrong with the configuration.
    fn port(&self, config: &str, whose: Endpoint<'_>) -> Result<String, ConfigError>;

    /// A driver for all sources of a port, with their configurations. What it must have to begin at all, it takes
    /// here; what may come and go, in [`Driver::serve`].
    ///
    /// # Errors
    ///
    /// What is not to be had: `127.0.0.1:5005: address already in use`.
    fn open(&self, port: &str, ends: Vec<(String, LinkEnd)>) -> Result<Box<dyn Driver>, String>;
}

/// Who asks for a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint<'a> {
    /// A sensor, by its stable name.
    Sensor(&'a str),
    /// An actuator, by its stable name.
    Actuator(&'a str),
}

/// The driver's end of a link.
pub enum LinkEnd {
    /// Readings come in.
    Sensor(SensorEnd),
    /// Commands go out.
    Actuator(ActuatorEnd),
}

/// A driver at work.
pub trait Driver: Send + 'static {
    /// Reaches the other side, says [`Context::up`], and serves until [`Context::cancelled`], which it asks for ten
    /// times a second or more often. After an error it is called again, when the back-off has passed.
    ///
    /// # Errors
    ///
    /// Why it cannot go on.
    fn serve(&mut self, context: &Context) -> Result<(), DriverError>;
}

/// Why a driver stops; it is started again after a pause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DriverError(pub String);

/// What is wrong with a configuration.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConfigError {
    /// Its text, or the type of a value in it.
    #[error("{0}")]
    Text(#[from] ron::error::SpannedError),
    /// What it means: what was found, what was expected.
    #[error("{0}")]
    Meaning(String),
}

/// Reads a configuration as scenes are read: optional values stand plainly.
///
/// # Errors
///
/// [`ConfigError::Text`].
pub fn read_config<T: DeserializeOwned>(config: &str) -> Result<T, ConfigError> {
    let options =
        ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
    Ok(options.from_str(config)?)
}
