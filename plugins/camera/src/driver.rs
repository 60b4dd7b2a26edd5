//! Driver kind `camera`.

use crate::config::{Config, Origin};
#[cfg(all(target_os = "linux", feature = "v4l2"))]
use crate::device::Device;
use crate::folder::Folder;
use crate::sinks::{Sinks, names};
use crate::stream::Stream;
use becomingone_systems::links::{
    ConfigError, Driver, DriverKind, Endpoint, LinkEnd, SourceSite, read_config,
};

/// Driver kind `camera`: see the crate's documentation.
pub struct CameraKind;

fn origin(config: &str) -> Result<Origin, ConfigError> {
    let config: Config = read_config(config)?;
    config.origin().map_err(ConfigError::Meaning)
}

impl DriverKind for CameraKind {
    fn name(&self) -> &'static str {
        "camera"
    }

    fn about(&self) -> &'static str {
        "pictures: MJPEG over HTTP, a folder, a camera of this machine (feature `v4l2`)"
    }

    fn address_key(&self) -> &'static str {
        "url"
    }

    fn port(&self, config: &str, endpoint: Endpoint<'_>) -> Result<String, ConfigError> {
        let origin = origin(config)?;
        if let Endpoint::Actuator(_) = endpoint {
            let text = "found `camera` as the source of a drive; expected it in a sensor: a camera takes no commands";
            return Err(ConfigError::Meaning(text.to_owned()));
        }
        if matches!(origin, Origin::Device { .. })
            && !cfg!(all(target_os = "linux", feature = "v4l2"))
        {
            let text = "found `device`; expected `url` or `folder`, or a build for Linux with the Cargo feature `v4l2`";
            return Err(ConfigError::Meaning(text.to_owned()));
        }
        Ok(origin.port().to_owned())
    }

    fn check(&self, _: &str, site: &SourceSite) -> Result<(), ConfigError> {
        let unknown = site
            .fields
            .iter()
            .find(|field| !names().any(|name| name == *field));
        match unknown {
            Some(unknown) => Err(ConfigError::Meaning(format!(
                "found the number `{unknown}`, which pictures do not have; expected some of `{}`",
                names().collect::<Vec<_>>().join("`, `")
            ))),
            None => Ok(()),
        }
    }

    fn open(&self, port: &str, ends: Vec<(String, LinkEnd)>) -> Result<Box<dyn Driver>, String> {
        let mut sinks = Sinks::new(port);
        let mut shared = None;
        for (config, end) in ends {
            let origin = origin(&config).map_err(|e| e.to_string())?;
            let LinkEnd::Sensor(end) = end else {
                return Err(format!("found a drive at {port}; expected a sensor"));
            };
            let own = (origin, end.site().clone());
            if *shared.get_or_insert_with(|| own.clone()) != own {
                return Err(format!(
                    "found other options for {}; expected those of the other sensors of this camera",
                    end.name()
                ));
            }
            sinks.add(end)?;
        }
        let Some((origin, site)) = shared else {
            return Err("found no sensor".to_owned());
        };
        Ok(match origin {
            Origin::Stream {
                server, timeout, ..
            } => Box::new(Stream::new(*server, site, timeout, sinks)?),
            Origin::Folder { every, loops, .. } => {
                Box::new(Folder::new(site.path(port), every, loops, sinks))
            }
            #[cfg(all(target_os = "linux", feature = "v4l2"))]
            Origin::Device {
                device,
                size,
                fps,
                timeout,
            } => Box::new(Device::new(device, size, fps, timeout, sinks)),
            #[cfg(not(all(target_os = "linux", feature = "v4l2")))]
            Origin::Device { device, .. } => {
                return Err(format!(
                    "{device}: not built in: needs the Cargo feature `v4l2`"
                ));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(config: &str) -> Result<String, String> {
        let port = CameraKind.port(config, Endpoint::Sensor("a/eye"));
        port.map_err(|e| e.to_string())
    }

    #[test]
    fn options_are_checked_and_name_the_port() {
        let url = "http://127.0.0.1:8080/stream.mjpg";
        assert_eq!(
            port(&format!("(url: {url:?}, timeout_s: 2)")),
            Ok(url.to_owned())
        );
        let folder = port("(folder: \"pictures\", rate_hz: 5, loop: true)");
        assert_eq!(folder, Ok("pictures".to_owned()));
        for (config, word) in [
            ("()", "no place of pictures"),
            ("(url: \"http://a/\", folder: \"b\")", "several places"),
            ("(folder: \"\")", "an empty one"),
            ("(folder: \"a\", rate_hz: 0)", "expected 0.001 to 1000"),
            ("(folder: \"a\", rate_hz: inf)", "expected 0.001 to 1000"),
            ("(folder: \"a\", allow: [])", "beside `url`"),
            ("(folder: \"a\", timeout_s: 1)", "beside `url` or `device`"),
            ("(url: \"http://a/\", loop: true)", "beside `folder`"),
            ("(url: \"http://a/\", fps: 3)", "beside `device`"),
            ("(url: \"http://a/\", timeout_s: 0)", "expected 0.1 to 3600"),
            ("(url: \"ws://a/\")", "https://.."),
            ("(url: \"http://a/\", token: File(\"t\"))", "`token`"),
            ("(folder: \"a\", ca: \"b\")", "beside `url`"),
            ("(url: \"http://me:hunter2@a/\")", "password"),
            ("(uri: \"http://a/\")", "uri"),
        ] {
            let error = port(config).unwrap_err();
            assert!(error.contains(word), "{config}: {error}");
        }
        let drive = CameraKind.port("(folder: \"a\")", Endpoint::Actuator("a/drive"));
        assert!(drive.unwrap_err().to_string().contains("no commands"));
    }

    #[test]
    fn a_camera_of_this_machine_needs_its_feature() {
        let with = cfg!(all(target_os = "linux", feature = "v4l2"));
        let device = port("(device: \"/dev/video0\", width: 640, height: 480, fps: 30)");
        assert_eq!(device.is_ok(), with, "{device:?}");
        assert!(with || device.unwrap_err().contains("feature `v4l2`"));
    }
}
