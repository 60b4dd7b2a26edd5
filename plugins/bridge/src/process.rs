//! Driver kind `process`: lines of a program's standard output, and commands to its standard input.

#![expect(
    clippy::disallowed_methods,
    reason = "an I/O thread bounds its waits by the wall clock"
)]

mod group;
mod streams;

use crate::lines::Lines;
use crate::protocol::{Decode, Decoder};
use crate::sensors::{Places, Sensors, take_line};
use becomingone_systems::links::pick::Pointer;
use becomingone_systems::links::{
    ActuatorEnd, ConfigError, Context, Driver, DriverError, DriverKind, Endpoint, LinkEnd, Pick,
    SourceSite, read_config,
};
use group::Group;
use serde::Deserialize;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};
use streams::{Output, Writer};

/// Longest wait before the driver checks whether it is cancelled.
const POLL_PERIOD: Duration = Duration::from_millis(50);
/// Longest time for the output of a program that has ended, of which processes that it started may make more.
const LAST_OUTPUT: Duration = Duration::from_millis(500);

/// Driver kind `process`: see the crate's documentation.
pub struct ProcessKind;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    argv: Vec<String>,
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

impl DriverKind for ProcessKind {
    fn name(&self) -> &'static str {
        "process"
    }

    fn about(&self) -> &'static str {
        "lines of JSON or CSV that a program prints; commands as lines to it"
    }

    fn address_key(&self) -> &'static str {
        "argv"
    }

    fn port(&self, config: &str, endpoint: Endpoint<'_>) -> Result<String, ConfigError> {
        let config: Config = read_config(config)?;
        let invalid = |text: &str| Err(ConfigError::Meaning(text.to_owned()));
        if config.argv.first().is_none_or(String::is_empty) {
            return invalid(
                "found no program in `argv`; expected it and its arguments: [\"./probe\", \"--fast\"]",
            );
        }
        if config.argv.iter().any(|argument| argument.contains('\0')) {
            return invalid("found a zero in `argv`; expected text");
        }
        if let Some(decode) = &config.decode {
            decode.check().map_err(ConfigError::Meaning)?;
        }
        let port = format!("{:?}", config.argv);
        match (endpoint, config) {
            (Endpoint::Sensor(_), _)
            | (
                Endpoint::Actuator(_),
                Config {
                    decode: None,
                    pick: None,
                    sequence: None,
                    stamp_s: None,
                    ..
                },
            ) => Ok(port),
            (Endpoint::Actuator(_), _) => invalid("found keys of a sensor; expected only `argv`"),
        }
    }

    fn check(&self, config: &str, site: &SourceSite) -> Result<(), ConfigError> {
        read_config::<Config>(config)?.places().check(site)
    }

    fn open(&self, port: &str, ends: Vec<(String, LinkEnd)>) -> Result<Box<dyn Driver>, String> {
        let mut sensors = Sensors::new(port, "lines");
        let mut actuator = None;
        let mut program: Option<Program> = None;
        let mut decode = None;
        for (config, end) in ends {
            let config: Config = read_config(&config).map_err(|e| e.to_string())?;
            let own = |site: &SourceSite| Program {
                argv: config.argv.clone(),
                folder: site.folder.clone(),
            };
            match end {
                LinkEnd::Actuator(end) => {
                    program.get_or_insert_with(|| own(end.site()));
                    if actuator.is_some() {
                        return Err("found two drives for one program; expected an `argv` of its own for each".to_owned());
                    }
                    actuator = Some(end);
                }
                LinkEnd::Sensor(end) => {
                    program.get_or_insert_with(|| own(end.site()));
                    let its = config.decode.clone().unwrap_or_default();
                    if *decode.get_or_insert_with(|| its.clone()) != its {
                        return Err(format!(
                            "found another `decode` for {}; expected that of the other sensors of this program",
                            end.name()
                        ));
                    }
                    sensors.add(end, config.places())?;
                }
            }
        }
        let program = program.ok_or("found no `argv`")?;
        program.find()?;
        Ok(Box::new(Process {
            port: port.to_owned(),
            program,
            decoder: Decoder::new(decode.unwrap_or_default()),
            sensors,
            actuator,
            logged: Arc::default(),
        }))
    }
}

/// A program and its arguments; no shell reads them.
struct Program {
    argv: Vec<String>,
    folder: PathBuf,
}

impl Program {
    /// The program's file, if its name is a path.
    fn path(&self) -> PathBuf {
        let name = &self.argv[0];
        if name.contains(std::path::MAIN_SEPARATOR) {
            let path = self.folder.join(name);
            std::path::absolute(&path).unwrap_or(path)
        } else {
            PathBuf::from(name)
        }
    }

    /// Checks that the program is there.
    fn find(&self) -> Result<(), String> {
        let path = self.path();
        let is_there = if self.argv[0].contains(std::path::MAIN_SEPARATOR) {
            path.is_file()
        } else {
            let folders = std::env::var_os("PATH").unwrap_or_default();
            cfg!(windows) || std::env::split_paths(&folders).any(|of| of.join(&path).is_file())
        };
        if is_there {
            return Ok(());
        }
        Err(format!(
            "found no program `{}`; expected a program of the `PATH`, or a path relative to the scene's file, as `./probe`",
            self.argv[0]
        ))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.path());
        command.args(&self.argv[1..]);
        if !self.folder.as_os_str().is_empty() {
            command.current_dir(&self.folder);
        }
        command
    }
}

struct Process {
    port: String,
    program: Program,
    decoder: Decoder,
    sensors: Sensors,
    actuator: Option<ActuatorEnd>,
    /// Lines of its standard error that were logged.
    logged: Arc<AtomicU32>,
}

impl Process {
    /// Waits for the first command of a drive alone: without `--arm` its program is not started.
    fn first_command(&self, context: &Context) -> Option<becomingone_systems::links::Outgoing> {
        let end = self.actuator.as_ref().filter(|_| self.sensors.is_empty())?;
        while !context.cancelled() {
            let command = end.next(POLL_PERIOD);
            if command.is_some() {
                return command;
            }
        }
        None
    }

    /// Reads its lines until it ends, hangs on a command, or the run is over.
    fn attend(
        &mut self,
        context: &Context,
        group: &mut Group,
        output: &Output,
        writer: Option<&Writer>,
    ) -> Result<(), DriverError> {
        let mut lines = Lines::default();
        let mut ended: Option<Instant> = None;
        while !context.cancelled() {
            match output.pieces.recv_timeout(POLL_PERIOD) {
                Ok((arrival_ns, piece)) => {
                    let (sensors, decoder) = (&mut self.sensors, &mut self.decoder);
                    lines.add(&piece, |line| {
                        take_line(sensors, &line, decoder, arrival_ns);
                    });
                }
                // What it started may still have its output open.
                Err(RecvTimeoutError::Timeout) if group.has_ended() => {
                    return Err(DriverError(group.status()));
                }
                Err(RecvTimeoutError::Timeout) => {}
                // It ends now, or has closed its output.
                Err(RecvTimeoutError::Disconnected) => {
                    if !group.has_ended() && context.wait(POLL_PERIOD) {
                        break;
                    }
                    if group.has_ended() {
                        return Err(DriverError(group.status()));
                    }
                    if !self.sensors.is_empty() {
                        return Err(DriverError("closed its standard output".to_owned()));
                    }
                }
            }
            // What it started may go on printing; what it printed itself comes first.
            if group.has_ended() && ended.get_or_insert_with(Instant::now).elapsed() > LAST_OUTPUT {
                return Err(DriverError(group.status()));
            }
            if writer.is_some_and(Writer::is_closed) && !group.has_ended() {
                return Err(DriverError("closed its standard input".to_owned()));
            }
            if writer.is_some_and(Writer::hangs) {
                return Err(DriverError("does not read its standard input".to_owned()));
            }
        }
        Ok(())
    }
}

impl Driver for Process {
    fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
        let first = self.first_command(context);
        if context.cancelled() && first.is_none() {
            return Ok(());
        }
        let mut command = self.program.command();
        command.stdout(if self.sensors.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        });
        command.stdin(if self.actuator.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        });
        command.stderr(Stdio::piped());
        let failed = |error: std::io::Error| DriverError(format!("cannot be started: {error}"));
        let mut group = Group::start(&mut command).map_err(failed)?;
        log::info!("{}: started as process {}", self.port, group.id());
        self.decoder.restart();
        self.sensors.begin_session();
        let clock = self.sensors.clock();
        let output = Output::read(&mut group, clock, &self.port, &self.logged).map_err(failed)?;
        let writer = match &self.actuator {
            Some(end) => Writer::start(&mut group, end.clone(), first).map_err(failed)?,
            None => None,
        };
        context.up();
        let served = self.attend(context, &mut group, &output, writer.as_ref());
        let reads = writer.is_some();
        if let Some(writer) = writer {
            writer.finish();
        }
        group.end(reads, |time| output.discard(time), &self.port);
        if served.is_ok() {
            self.sensors.report();
        }
        served
    }
}
