//! Options of a source, as a scene states them.

use becomingone_systems::links::web::{HTTP, Server, Token};
use serde::Deserialize;
use std::time::Duration;

/// Options as written.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    url: Option<String>,
    timeout_s: Option<f64>,
    allow: Option<Vec<String>>,
    ca: Option<String>,
    token: Option<Token>,
    folder: Option<String>,
    rate_hz: Option<f64>,
    r#loop: Option<bool>,
    device: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    fps: Option<u32>,
}

/// Where pictures come from.
#[derive(Clone, PartialEq)]
pub(crate) enum Origin {
    /// MJPEG over HTTP.
    Stream {
        url: String,
        server: Box<Server>,
        /// Longest wait for a picture.
        timeout: Duration,
    },
    /// Files of a folder.
    Folder {
        folder: String,
        every: Duration,
        loops: bool,
    },
    /// A camera of this machine.
    Device {
        device: String,
        /// Width and height (pixels), as large as the camera gives them where none are stated.
        size: [Option<u32>; 2],
        fps: Option<u32>,
        timeout: Duration,
    },
}

impl Origin {
    /// Name of the resource.
    pub(crate) fn port(&self) -> &str {
        match self {
            Self::Stream { url, .. } => url,
            Self::Folder { folder, .. } => folder,
            Self::Device { device, .. } => device,
        }
    }
}

impl Config {
    /// Checks the options.
    ///
    /// # Errors
    ///
    /// Found and expected.
    pub(crate) fn origin(self) -> Result<Origin, String> {
        let within = |name: &str, value: Option<f64>, default: f64, [low, high]: [f64; 2]| {
            let value = value.unwrap_or(default);
            match (low..=high).contains(&value) {
                true => Ok(value),
                false => Err(format!("found `{name}: {value}`; expected {low} to {high}")),
            }
        };
        let timeout = || {
            let seconds = within("timeout_s", self.timeout_s, 5.0, [0.1, 3600.0]);
            seconds.map(Duration::from_secs_f64)
        };
        let unused = |key: &str, is_there: bool, of: &str| match is_there {
            true => Err(format!("found `{key}`; expected it beside `{of}` only")),
            false => Ok(()),
        };
        unused("allow", self.allow.is_some() && self.url.is_none(), "url")?;
        unused("ca", self.ca.is_some() && self.url.is_none(), "url")?;
        unused("token", self.token.is_some() && self.url.is_none(), "url")?;
        unused(
            "rate_hz",
            self.rate_hz.is_some() && self.folder.is_none(),
            "folder",
        )?;
        unused(
            "loop",
            self.r#loop.is_some() && self.folder.is_none(),
            "folder",
        )?;
        unused(
            "width",
            self.width.is_some() && self.device.is_none(),
            "device",
        )?;
        unused(
            "height",
            self.height.is_some() && self.device.is_none(),
            "device",
        )?;
        unused("fps", self.fps.is_some() && self.device.is_none(), "device")?;
        unused(
            "timeout_s",
            self.timeout_s.is_some() && self.folder.is_some(),
            "url` or `device",
        )?;
        let expected = "expected one of `url: \"http://127.0.0.1:8080/stream.mjpg\"`, `folder: \"pictures\"` and `device: \"/dev/video0\"`";
        match (self.url, self.folder, self.device) {
            (Some(url), None, None) => Ok(Origin::Stream {
                server: Box::new(Server::new(
                    &url,
                    HTTP,
                    &self.allow.unwrap_or_default(),
                    self.ca,
                    self.token,
                )?),
                timeout: timeout()?,
                url,
            }),
            (None, Some(folder), None) if !folder.is_empty() => {
                let rate_hz = within("rate_hz", self.rate_hz, 10.0, [0.001, 1000.0])?;
                Ok(Origin::Folder {
                    folder,
                    every: Duration::from_secs_f64(1.0 / rate_hz),
                    loops: self.r#loop.unwrap_or(false),
                })
            }
            (None, None, Some(device)) if !device.is_empty() => {
                for (name, value) in [
                    ("width", self.width),
                    ("height", self.height),
                    ("fps", self.fps),
                ] {
                    if value.is_some_and(|value| !(1..=16_384).contains(&value)) {
                        return Err(format!("found `{name}` out of range; expected 1 to 16384"));
                    }
                }
                Ok(Origin::Device {
                    device,
                    size: [self.width, self.height],
                    fps: self.fps,
                    timeout: timeout()?,
                })
            }
            (None, None, None) => Err(format!("found no place of pictures; {expected}")),
            _ => Err(format!(
                "found several places of pictures, or an empty one; {expected}"
            )),
        }
    }
}
