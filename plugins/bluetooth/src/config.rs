//! Configuration of a source in a scene.

use crate::characteristic::Characteristic;
use crate::protocol::Decoder;
use becomingone_components::nearest::did_you_mean;
use becomingone_systems::links::pick::Pointer;
use becomingone_systems::links::{Pick, Places, SourceSite};
use ron::value::RawValue;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

/// Circumference of a wheel of 622 mm with a tyre of 25 mm, a road bicycle's (m).
const WHEEL_M: f64 = 2.105;

/// Options of one source.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) device: Device,
    /// Name of the adapter, `hci0`, or its address; by default the first.
    #[serde(default)]
    pub(crate) adapter: Option<String>,
    pub(crate) characteristic: Characteristic,
    /// Places of a sensor's numbers.
    #[serde(default)]
    pick: Pick,
    /// Read so often, also where the device notifies (s).
    #[serde(default)]
    pub(crate) every_s: Option<f64>,
    /// Circumference of a wheel (m).
    #[serde(default)]
    wheel_m: Option<f64>,
}

/// A device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    /// By its address, `AA:BB:CC:DD:EE:FF`.
    Address([u8; 6]),
    /// The first whose name begins so.
    Name(String),
}

impl<'de> Deserialize<'de> for Device {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        enum Named {
            Name(String),
        }
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let found = raw.get_ron().trim();
        let expected = |_| {
            D::Error::custom(format!(
                "found the device {found}; expected an address such as \"AA:BB:CC:DD:EE:FF\", or Name(\"Polar\")"
            ))
        };
        if found.starts_with('"') {
            let text: String = raw.into_rust().map_err(expected)?;
            return address(&text)
                .map(Self::Address)
                .ok_or(())
                .map_err(|()| D::Error::custom(format!(
                    "found the device {found}; expected an address such as \"AA:BB:CC:DD:EE:FF\", or Name({found})"
                )));
        }
        let Named::Name(name) = raw.into_rust().map_err(expected)?;
        Ok(Self::Name(name))
    }
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address([a, b, c, d, e, g]) => {
                write!(f, "{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{g:02X}")
            }
            Self::Name(name) => write!(f, "`{name}`"),
        }
    }
}

fn address(text: &str) -> Option<[u8; 6]> {
    let mut bytes = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut bytes {
        let part = parts.next().filter(|part| part.len() == 2)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(bytes)
}

impl Config {
    /// Found and expected, where an option has no meaning.
    pub(crate) fn check(&self) -> Result<(), String> {
        if let Device::Name(name) = &self.device
            && name.is_empty()
        {
            return Err("found an empty name of a device; expected its begin".to_owned());
        }
        for (key, value, most) in [
            ("every_s", self.every_s, 86_400.0),
            ("wheel_m", self.wheel_m, 10.0),
        ] {
            if let Some(found) = value
                && !(0.02..=most).contains(&found)
            {
                return Err(format!("found `{key}: {found}`; expected 0.02 to {most}"));
            }
        }
        if self.wheel_m.is_some() && self.characteristic != Characteristic::CyclingSpeed {
            return Err("found `wheel_m`; expected it with `CyclingSpeed` only".to_owned());
        }
        match &self.characteristic {
            Characteristic::Raw { fields, .. } => fields.check(),
            _ => Ok(()),
        }
    }

    /// Time between two reads, of a characteristic that notifies or does not; none where it is not read.
    #[cfg(feature = "device")]
    pub(crate) fn every_s(&self, notifies: bool) -> Option<f64> {
        self.every_s.or((!notifies).then_some(1.0))
    }

    /// Keys of the documents that a sensor with these fields takes.
    fn wanted(&self, fields: &[String]) -> Vec<String> {
        let key = |pointer: &Pointer| {
            let text = pointer.to_string();
            let first = text.split('/').nth(1).unwrap_or_default();
            first.replace("~1", "/").replace("~0", "~")
        };
        match &self.pick {
            Pick::Names => fields.to_vec(),
            Pick::One(pointer) => vec![key(pointer)],
            Pick::Each(each) => each.values().map(key).collect(),
        }
    }

    /// Decoder of a sensor with these fields.
    pub(crate) fn decoder(&self, fields: &[String]) -> Decoder {
        let wanted = match fields {
            [] => Vec::new(),
            fields => self.wanted(fields),
        };
        let wheel_m = self.wheel_m.unwrap_or(WHEEL_M);
        Decoder::new(&self.characteristic, wheel_m, &wanted)
    }

    /// Places of a sensor's numbers in the documents.
    ///
    /// # Errors
    ///
    /// Numbers that they do not have.
    pub(crate) fn places(&self, site: &SourceSite) -> Result<Places, String> {
        let all = self.decoder(&[]);
        let names = all.names();
        if !site.fields.is_empty()
            && let Some(unknown) = self
                .wanted(&site.fields)
                .iter()
                .find(|key| !names.contains(&key.as_str()))
        {
            return Err(format!(
                "found the number `{unknown}`, which {} does not have; expected some of `{}`, or `pick` with these{}",
                self.characteristic.name(),
                names.join("`, `"),
                did_you_mean(unknown, names.iter().copied())
            ));
        }
        Ok(Places {
            pick: self.pick.clone(),
            ..all.order()
        })
    }
}
