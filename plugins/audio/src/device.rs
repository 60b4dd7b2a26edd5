//! Sound cards, by cpal.

use cpal::traits::{DeviceTrait as _, HostTrait as _};
use serde::Deserialize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// A device of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum Device {
    /// The system's.
    #[default]
    Default,
    /// The one whose name begins so.
    Name(String),
}

/// Direction of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    In,
    Out,
}

fn name(device: &cpal::Device) -> String {
    device.description().map_or_else(
        |_| "a device without a name".to_owned(),
        |d| d.name().to_owned(),
    )
}

fn all(way: Way) -> Vec<cpal::Device> {
    let host = cpal::default_host();
    let Ok(devices) = host.devices() else {
        return Vec::new();
    };
    devices
        .filter(|device| match way {
            Way::In => device.supports_input(),
            Way::Out => device.supports_output(),
        })
        .collect()
}

impl Device {
    /// Finds the device.
    ///
    /// # Errors
    ///
    /// Found and expected.
    pub(crate) fn find(&self, way: Way) -> Result<cpal::Device, String> {
        let host = cpal::default_host();
        let found = match (self, way) {
            (Self::Default, Way::In) => host.default_input_device(),
            (Self::Default, Way::Out) => host.default_output_device(),
            (Self::Name(wanted), _) => all(way).into_iter().find(|d| name(d).starts_with(wanted)),
        };
        found.ok_or_else(|| {
            let wanted = match self {
                Self::Default => "default device".to_owned(),
                Self::Name(name) => format!("device `{name}`"),
            };
            let names: Vec<String> = all(way).iter().map(name).collect();
            let present = match names.as_slice() {
                [] => "none is there".to_owned(),
                names => format!("present: `{}`", names.join("`, `")),
            };
            let way = if way == Way::In { "input" } else { "output" };
            format!("found no {wanted} for {way}; {present}")
        })
    }
}

/// One line about each sound device of this machine.
pub fn devices() -> Vec<String> {
    let lines = |way, what| {
        let line = move |device: cpal::Device| format!("{what}  {}", name(&device));
        all(way).into_iter().map(line)
    };
    lines(Way::In, "input ")
        .chain(lines(Way::Out, "output"))
        .collect()
}

/// The first error of a stream that ends it.
#[derive(Default)]
pub(crate) struct Failure {
    is_there: AtomicBool,
    text: Mutex<String>,
}

impl Failure {
    /// Takes an error of a stream; those that leave it running are no failures.
    pub(crate) fn set(&self, error: &cpal::Error) {
        use cpal::ErrorKind::{DeviceChanged, RealtimeDenied, Xrun};
        if matches!(error.kind(), DeviceChanged | RealtimeDenied | Xrun) {
            return;
        }
        if let Ok(mut text) = self.text.lock() {
            *text = error.to_string();
        }
        self.is_there.store(true, Ordering::Release);
    }

    /// The error, if there is one.
    pub(crate) fn get(&self) -> Option<String> {
        let is_there = self.is_there.load(Ordering::Acquire);
        is_there.then(|| {
            self.text
                .lock()
                .map_or_else(|_| String::new(), |text| text.clone())
        })
    }
}
