//! Driver kind `file`: lines that are appended to a file, or the state that it holds; commands into a file.

mod output;
mod snapshot;
mod tail;

use crate::lines::{Line, Lines};
use crate::protocol::{Decode, Decoder};
use crate::sensors::{Places, Sensors, take_line};
use becomingone_systems::links::pick::Pointer;
use becomingone_systems::links::{
    ConfigError, Context, Driver, DriverError, DriverKind, Endpoint, LinkEnd, Pick, SourceSite,
    read_config,
};
use output::Output;
use serde::Deserialize;
use snapshot::Snapshot;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use tail::{Piece, Presence, Tail};

/// Driver kind `file`: see the crate's documentation.
pub struct FileKind;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    path: String,
    #[serde(default)]
    follow: Option<bool>,
    #[serde(default)]
    replace: Option<bool>,
    #[serde(default)]
    decode: Option<Decode>,
    #[serde(default)]
    every_s: Option<f64>,
    #[serde(default)]
    pick: Option<Pick>,
    #[serde(default)]
    sequence: Option<Pointer>,
    #[serde(default)]
    stamp_s: Option<Pointer>,
}

impl Config {
    /// What sensors of one file have in common.
    fn input(&self) -> Result<(bool, Decode, Duration), String> {
        let every_s = self.every_s.unwrap_or(0.02);
        if !(0.001..=3600.0).contains(&every_s) {
            return Err(format!(
                "found `every_s: {every_s}`; expected 0.001 to 3600"
            ));
        }
        let is_csv = self.path.to_ascii_lowercase().ends_with(".csv");
        let decode = self.decode.clone().unwrap_or(match is_csv {
            true => Decode::Csv {
                columns: Vec::new(),
                separator: ',',
            },
            false => Decode::JsonLines,
        });
        decode.check()?;
        let every = Duration::from_secs_f64(every_s);
        Ok((self.follow.unwrap_or(true), decode, every))
    }

    fn places(self) -> Places {
        Places {
            pick: self.pick.unwrap_or_default(),
            sequence: self.sequence,
            stamp_s: self.stamp_s,
        }
    }
}

impl DriverKind for FileKind {
    fn name(&self) -> &'static str {
        "file"
    }

    fn about(&self) -> &'static str {
        "lines of JSON or CSV of a file that grows, or its state; commands into a file"
    }

    fn address_key(&self) -> &'static str {
        "path"
    }

    fn port(&self, config: &str, endpoint: Endpoint<'_>) -> Result<String, ConfigError> {
        let config: Config = read_config(config)?;
        let invalid = |text: &str| Err(ConfigError::Meaning(text.to_owned()));
        if config.path.is_empty() {
            return invalid("found an empty `path`; expected that of a file");
        }
        match endpoint {
            Endpoint::Sensor(_) if config.replace.is_some() => {
                invalid("found `replace` in a sensor; expected `follow: true` or `follow: false`")
            }
            Endpoint::Sensor(_) => {
                config.input().map_err(ConfigError::Meaning)?;
                Ok(config.path)
            }
            Endpoint::Actuator(name) => match config {
                Config {
                    path,
                    follow: None,
                    decode: None,
                    every_s: None,
                    pick: None,
                    sequence: None,
                    stamp_s: None,
                    ..
                } => Ok(format!("{name} to {path}")),
                _ => invalid("found keys of a sensor; expected only `path` and `replace: true`"),
            },
        }
    }

    fn check(&self, config: &str, site: &SourceSite) -> Result<(), ConfigError> {
        read_config::<Config>(config)?.places().check(site)
    }

    fn open(&self, port: &str, ends: Vec<(String, LinkEnd)>) -> Result<Box<dyn Driver>, String> {
        let mut sensors = Sensors::new(port, "lines");
        let mut input: Option<((bool, Decode, Duration), PathBuf)> = None;
        for (config, end) in ends {
            let config: Config = read_config(&config).map_err(|e| e.to_string())?;
            let path = match &end {
                LinkEnd::Actuator(end) => end.site().path(&config.path),
                LinkEnd::Sensor(end) => end.site().path(&config.path),
            };
            match end {
                LinkEnd::Actuator(end) => {
                    let replaces = config.replace == Some(true);
                    return Ok(Box::new(Output::new(end, path, replaces)));
                }
                LinkEnd::Sensor(end) => {
                    let own = (config.input()?, path);
                    if *input.get_or_insert_with(|| own.clone()) != own {
                        return Err(format!(
                            "found other values of `follow`, `decode`, `every_s` or another folder for {}; expected those of the other sensors of this file",
                            end.name()
                        ));
                    }
                    sensors.add(end, config.places())?;
                }
            }
        }
        let Some(((follows, decode, every), path)) = input else {
            return Err("found no sensor".to_owned());
        };
        Ok(Box::new(Input {
            port: port.to_owned(),
            every,
            decoder: Decoder::new(decode),
            reader: if follows {
                Reader::Tail(Tail::new(path, true), Lines::default())
            } else {
                Reader::Snapshot(Snapshot::new(path))
            },
            sensors,
            is_absent: None,
        }))
    }
}

enum Reader {
    Tail(Tail, Lines),
    Snapshot(Snapshot),
}

/// Reads a file.
struct Input {
    port: String,
    every: Duration,
    decoder: Decoder,
    reader: Reader,
    sensors: Sensors,
    /// Whether it was absent at the last look.
    is_absent: Option<bool>,
}

impl Input {
    #[expect(
        clippy::disallowed_methods,
        reason = "stamps of files are those of the wall clock"
    )]
    fn poll(&mut self, arrival_ns: u64) -> std::io::Result<Presence> {
        let (sensors, decoder) = (&mut self.sensors, &mut self.decoder);
        let mut was_truncated = false;
        let presence = match &mut self.reader {
            Reader::Snapshot(snapshot) => {
                let (content, is_there) = snapshot.poll(SystemTime::now())?;
                if let Some(text) = content {
                    sensors.take(decoder.state(text), text, arrival_ns);
                }
                Ok(match is_there {
                    true => Presence::Read,
                    false => Presence::Absent,
                })
            }
            Reader::Tail(tail, lines) => tail.poll(&mut |piece| match piece {
                Piece::Bytes(bytes) => {
                    lines.add(bytes, |line| take_line(sensors, &line, decoder, arrival_ns));
                }
                Piece::Header(line) => {
                    if decoder.wants_header() {
                        take_line(sensors, &Line::Text(line), decoder, arrival_ns);
                    }
                }
                Piece::Within => lines.skip(),
                Piece::Ended => {
                    if let Some(rest) = lines.finish() {
                        take_line(sensors, &Line::Text(&rest), decoder, arrival_ns);
                    }
                    decoder.restart();
                }
                Piece::Truncated => {
                    lines.finish();
                    decoder.restart();
                    was_truncated = true;
                }
            }),
        };
        // Files of the kernel have no size, and are truncated at each look: they are read once in a period.
        presence.map(|presence| match presence {
            Presence::More if was_truncated => Presence::Read,
            presence => presence,
        })
    }
}

impl Driver for Input {
    fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
        let Some(clock) = self.sensors.clock() else {
            return Ok(());
        };
        while !context.cancelled() {
            let presence = self.poll(clock.now_ns());
            let presence = presence.map_err(|error| DriverError(error.to_string()))?;
            let is_absent = presence == Presence::Absent;
            if is_absent {
                context.down();
            } else {
                context.up();
            }
            if self.is_absent.replace(is_absent) != Some(is_absent) && is_absent {
                log::warn!(
                    "{}: found no such file; waiting until it is created",
                    self.port
                );
            }
            if presence != Presence::More && context.wait(self.every) {
                break;
            }
        }
        self.sensors.report();
        Ok(())
    }
}
