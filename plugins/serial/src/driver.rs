//! Serial driver: its sources, and the threads of a port.

use crate::address::{self, Address};
use crate::command::Encoder;
use crate::config::{Config, Spec};
use crate::deframer::Deframer;
use crate::drive::Drive;
use crate::open_port::OpenPort;
use crate::protocol::framed::Layout;
use crate::receiver::Receiver;
use crate::report::Report;
use crate::settings::Settings;
use crate::sink::Sink;
use becomingone_systems::links::{
    ConfigError, Context, Driver, DriverError, DriverKind, Endpoint, LinkEnd, read_config,
};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Driver kind `serial`, see the crate's documentation.
pub struct SerialKind;

impl DriverKind for SerialKind {
    fn name(&self) -> &'static str {
        "serial"
    }

    fn about(&self) -> &'static str {
        "serial ports and TCP: NMEA, UBX, MAVLink, lines, binary frames"
    }

    fn address_key(&self) -> &'static str {
        "port"
    }

    fn devices(&self) -> Result<Vec<String>, String> {
        Ok(address::present().iter().map(address::describe).collect())
    }

    fn port(&self, config: &str, endpoint: Endpoint<'_>) -> Result<String, ConfigError> {
        let config: Config = read_config(config)?;
        let port = config.port.to_string();
        checked(&config, endpoint).map_err(ConfigError::Meaning)?;
        Ok(port)
    }

    fn open(&self, port: &str, ends: Vec<(String, LinkEnd)>) -> Result<Box<dyn Driver>, String> {
        let mut first: Option<Config> = None;
        let mut input: Option<Spec> = None;
        let mut layouts: Vec<Layout> = Vec::new();
        let mut sinks = Vec::new();
        let mut drives = Vec::new();
        for (config, end) in ends {
            let config: Config = read_config(&config).map_err(|e| e.to_string())?;
            let first = first.get_or_insert_with(|| config.clone());
            if first.settings() != config.settings() {
                return Err(format!(
                    "found two settings for {port}: {} and {} baud, or another parity, stop bits or flow control; expected the same",
                    first.settings().baud,
                    config.settings().baud
                ));
            }
            match end {
                LinkEnd::Sensor(end) => {
                    let spec = input.get_or_insert_with(|| config.protocol.clone());
                    if !spec.shares_with(&config.protocol) {
                        return Err(format!(
                            "found two protocols for the sensors of {port}, {} and {}; expected the same, with the same begin, check and order of bytes of its frames",
                            spec.name(),
                            config.protocol.name()
                        ));
                    }
                    let layout = config.protocol.framed().map_or(0, |(_, layout)| {
                        let known = layouts.iter().position(|l| l == layout);
                        known.unwrap_or_else(|| {
                            layouts.push(layout.clone());
                            layouts.len() - 1
                        })
                    });
                    sinks.push(Sink::new(&config, layout, end)?);
                }
                LinkEnd::Actuator(end) => drives.push(Drive {
                    encoder: Encoder::new(&config)?,
                    end,
                    last: None,
                }),
            }
        }
        let first = first.ok_or("found no source for the port")?;
        let spec = input.as_ref().unwrap_or(&first.protocol);
        if sinks.is_empty() {
            layouts.extend(spec.framed().map(|(_, layout)| layout.clone()));
        }
        Ok(Box::new(SerialDriver {
            settings: first.settings(),
            address: first.port,
            receiver: Receiver {
                stream: Deframer::new(spec.protocol(layouts)?),
                report: Report::new(port, spec.name(), first.baud),
                sinks,
            },
            drives,
        }))
    }
}

/// Checks the options of one source.
fn checked(config: &Config, endpoint: Endpoint<'_>) -> Result<(), String> {
    let is_serial = config.port.is_serial();
    match config.baud {
        None | Some(0) if is_serial => {
            return Err(
                "found no `baud`; expected that of the device, such as `baud: 9600`".to_owned(),
            );
        }
        Some(_) if !is_serial => {
            return Err("found `baud` of an address of the network; expected none".to_owned());
        }
        _ => {}
    }
    config.protocol.check()?;
    match endpoint {
        Endpoint::Sensor(_) if config.track_m.is_some() => {
            Err("found `track_m` in a sensor; expected it in `drive_source`".to_owned())
        }
        Endpoint::Sensor(_) => Ok(()),
        Endpoint::Actuator(_) if config.pick.is_some() || config.message.is_some() => {
            Err("found `pick` or `message` in a drive; expected them in a sensor".to_owned())
        }
        Endpoint::Actuator(_) => Encoder::new(config).map(|_| ()),
    }
}

/// Driver of one port.
struct SerialDriver {
    address: Address,
    settings: Settings,
    receiver: Receiver,
    drives: Vec<Drive>,
}

impl Driver for SerialDriver {
    fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
        let OpenPort { mut reader, writer } =
            self.address.open(self.settings).map_err(DriverError)?;
        context.up();
        let writer = Mutex::new(writer);
        let failed = AtomicBool::new(false);
        let (receiver, drives) = (&mut self.receiver, &mut self.drives);
        let served = std::thread::scope(|scope| {
            let senders: Vec<_> = drives
                .iter_mut()
                .map(|drive| scope.spawn(|| drive.serve(&writer, context, &failed)))
                .collect();
            let received = receiver.serve(&mut *reader, context, &failed);
            failed.store(true, Ordering::Release);
            let sent = senders.into_iter().map(|sender| {
                sender
                    .join()
                    .unwrap_or_else(|_| Err(DriverError("the sender ended by an error".to_owned())))
            });
            // The error of a sender is the cause, where there is one: the reader then ended by the flag.
            sent.collect::<Result<Vec<()>, _>>().and(received)
        });
        receiver.interrupted();
        served
    }
}

impl Drop for SerialDriver {
    fn drop(&mut self) {
        let counters = self.receiver.stream.counters();
        self.receiver.report.at_end(counters);
    }
}
