//! Driver kind `bluetooth`: its sources, and the thread of a device.

use crate::config::Config;
use becomingone_systems::links::{
    ConfigError, Driver, DriverKind, Endpoint, LinkEnd, SourceSite, read_config,
};

/// Driver kind `bluetooth`, see the crate's documentation.
pub struct BluetoothKind;

impl DriverKind for BluetoothKind {
    fn name(&self) -> &'static str {
        "bluetooth"
    }

    fn about(&self) -> &'static str {
        "Bluetooth Low Energy: heart rate, battery, environment, cycling, running, raw layouts"
    }

    #[cfg(feature = "device")]
    fn devices(&self) -> Result<Vec<String>, String> {
        crate::device::devices(crate::device::LIST_SCAN)
    }

    #[cfg(not(feature = "device"))]
    fn devices(&self) -> Result<Vec<String>, String> {
        Err(NOT_BUILT.to_owned())
    }

    fn port(&self, config: &str, endpoint: Endpoint<'_>) -> Result<String, ConfigError> {
        let config: Config = read_config(config)?;
        if let Endpoint::Actuator(_) = endpoint {
            let text = "found `bluetooth` as the source of a drive; expected it in a sensor: no characteristic takes commands";
            return Err(ConfigError::Meaning(text.to_owned()));
        }
        config.check().map_err(ConfigError::Meaning)?;
        Ok(match &config.adapter {
            None => config.device.to_string(),
            Some(adapter) => format!("{} on {adapter}", config.device),
        })
    }

    fn check(&self, config: &str, site: &SourceSite) -> Result<(), ConfigError> {
        let config: Config = read_config(config)?;
        let places = config.places(site).map_err(ConfigError::Meaning)?;
        places.check(site)
    }

    #[cfg(feature = "device")]
    fn open(&self, port: &str, ends: Vec<(String, LinkEnd)>) -> Result<Box<dyn Driver>, String> {
        crate::session::open(port, ends)
    }

    #[cfg(not(feature = "device"))]
    fn open(&self, port: &str, _: Vec<(String, LinkEnd)>) -> Result<Box<dyn Driver>, String> {
        Err(format!("{port}: {NOT_BUILT}"))
    }
}

#[cfg(not(feature = "device"))]
const NOT_BUILT: &str = "found the driver `bluetooth`, whose devices are not built in; expected a build with the Cargo feature `bluetooth`";
