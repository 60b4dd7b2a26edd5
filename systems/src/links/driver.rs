//! Drivers and their kinds.
//!
//! A driver is two files: `protocol.rs`, which reads and writes bytes and nothing else, and `driver.rs`, which waits
//! for them on a thread of its own. It has no access to entities and ticks: it fills or empties the driver sides of
//! its links.

use super::act::ActuatorEnd;
use super::context::Context;
use super::queue::SensorEnd;
use super::site::SourceSite;
use serde::de::DeserializeOwned;

/// A kind of driver, selected in scenes by its name: `source: Driver("udp", (..))`.
pub trait DriverKind: Send + Sync + 'static {
    /// Name in scenes: `udp`.
    fn name(&self) -> &'static str;

    /// Description in one line, for `becomingone list drivers`.
    fn about(&self) -> &'static str;

    /// Option that the address of `becomingone probe KIND:ADDRESS` is the value of.
    fn address_key(&self) -> &'static str {
        "device"
    }

    /// One line about each device of this machine that a source can name, its address first, for `becomingone list`.
    ///
    /// # Errors
    ///
    /// Why they cannot be listed.
    fn devices(&self) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    /// Reads the configuration of one source, and returns the resource that it needs exclusively: a port, a device, a
    /// broker. Sources of the same port share a driver, and its thread.
    ///
    /// # Errors
    ///
    /// Error of the configuration.
    fn port(&self, config: &str, whose: Endpoint<'_>) -> Result<String, ConfigError>;

    /// Checks a valid configuration against the sensor's fields, for `becomingone check` too: nothing is opened or started.
    ///
    /// # Errors
    ///
    /// A configuration that does not fit them.
    fn check(&self, config: &str, site: &SourceSite) -> Result<(), ConfigError> {
        let _ = (config, site);
        Ok(())
    }

    /// Creates a driver for all sources of a port, with their configurations. Resources without which it cannot start
    /// are acquired here; those that may come and go, in [`Driver::serve`].
    ///
    /// # Errors
    ///
    /// The resource that is not available: `127.0.0.1:5005: address already in use`.
    fn open(&self, port: &str, ends: Vec<(String, LinkEnd)>) -> Result<Box<dyn Driver>, String>;
}

/// User of a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint<'a> {
    /// A sensor, by its stable name.
    Sensor(&'a str),
    /// An actuator, by its stable name.
    Actuator(&'a str),
}

/// Driver side of a link.
pub enum LinkEnd {
    /// Incoming readings.
    Sensor(SensorEnd),
    /// Outgoing commands.
    Actuator(ActuatorEnd),
}

/// A running driver.
pub trait Driver: Send + 'static {
    /// Connects, calls [`Context::up`], and serves until [`Context::cancelled`], which it checks ten times a second
    /// or more often. After an error it is called again, when the back-off has passed.
    ///
    /// # Errors
    ///
    /// Reason of the failure.
    fn serve(&mut self, context: &Context) -> Result<(), DriverError>;
}

/// Failure of a driver; it is started again after a pause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DriverError(pub String);

/// An invalid configuration.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConfigError {
    /// Invalid text, or an invalid type of a value in it.
    #[error("{0}")]
    Text(#[from] ron::error::SpannedError),
    /// Invalid value: found, expected.
    #[error("{0}")]
    Meaning(String),
}

/// Reads a configuration as scenes are read: optional values are written without `Some`.
///
/// # Errors
///
/// [`ConfigError::Text`].
pub fn read_config<T: DeserializeOwned>(config: &str) -> Result<T, ConfigError> {
    let options =
        ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
    Ok(options.from_str(config)?)
}
