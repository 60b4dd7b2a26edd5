//! Serial driver: the threads of a port, and what they report.

#![expect(
    clippy::disallowed_methods,
    reason = "I/O threads bound their waits by the wall clock"
)]

use crate::address::{Address, OpenPort, POLL_PERIOD};
use crate::command::{Encoder, safe_after};
use crate::config::{Config, Settings, Spec};
use crate::deframer::{Counters, Deframer};
use crate::protocol::framed::Layout;
use crate::protocol::{Message, Protocol, Verdict};
use crate::sink::Sink;
use becomingone_systems::links::{
    ActuatorEnd, ConfigError, Context, Driver, DriverError, DriverKind, Endpoint, LinkEnd,
    Outgoing, read_config,
};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most bytes that are read at once.
const READ_BYTES: usize = 1 << 14;
/// Pause after which the rest of a frame does not come.
const IDLE: Duration = Duration::from_secs(2);
/// Time after which a port without use is reported.
const UNUSED: Duration = Duration::from_secs(3);
/// Time without a command after which the driver sends the safe one.
const NO_COMMAND: Duration = Duration::from_millis(500);
/// Kinds of messages that a report names.
const MAX_SEEN: usize = 16;

/// Driver kind `serial`, see the crate's documentation.
pub struct SerialKind;

impl DriverKind for SerialKind {
    fn name(&self) -> &'static str {
        "serial"
    }

    fn about(&self) -> &'static str {
        "serial ports and TCP: NMEA, UBX, MAVLink, lines, binary frames"
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
            name: port.to_owned(),
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

/// Checks what one source says.
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
    name: String,
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
            // The reader is told by a flag alone why it ended.
            sent.collect::<Result<Vec<()>, _>>().and(received)
        });
        receiver.interrupted();
        if context.cancelled() {
            receiver
                .report
                .at_end(&self.name, receiver.stream.counters());
        }
        served
    }
}

/// Sensors of a port.
struct Receiver {
    stream: Deframer<Box<dyn Protocol>>,
    sinks: Vec<Sink>,
    report: Report,
}

impl Receiver {
    fn serve(
        &mut self,
        reader: &mut (dyn Read + Send),
        context: &Context,
        failed: &AtomicBool,
    ) -> Result<(), DriverError> {
        let mut buffer = vec![0; READ_BYTES];
        let opened = Instant::now();
        let mut heard = opened;
        while !context.cancelled() && !failed.load(Ordering::Acquire) {
            let bytes = match reader.read(&mut buffer) {
                Ok(0) => {
                    return Err(DriverError(
                        "the other side closed the connection".to_owned(),
                    ));
                }
                Ok(read) => &buffer[..read],
                Err(error) if is_pause(&error) => &[],
                Err(error) => return Err(DriverError(lost(&error))),
            };
            if bytes.is_empty() {
                if heard.elapsed() >= IDLE && self.stream.waiting() > 0 {
                    self.use_bytes(None);
                }
            } else {
                heard = Instant::now();
                self.use_bytes(Some(bytes));
            }
            if opened.elapsed() >= UNUSED {
                self.report.unused(self.stream.counters(), &self.sinks);
            }
        }
        Ok(())
    }

    /// Bytes, or none after a pause.
    fn use_bytes(&mut self, bytes: Option<&[u8]>) {
        let Self {
            stream,
            sinks,
            report,
        } = self;
        // Arrival time: before decoding, which takes time.
        let now_ns = sinks.first().map_or(0, |sink| sink.end.now_ns());
        let mut each = |messages: &mut Vec<Message>, verdict: &Verdict| match verdict {
            Verdict::Valid => {
                for message in messages.iter() {
                    report.see(message);
                    sinks
                        .iter_mut()
                        .for_each(|sink| sink.offer(message, now_ns));
                }
            }
            verdict => {
                report.refused(verdict);
                // No sensor can be named, so it is counted for all of the port.
                sinks.iter().for_each(|sink| sink.end.garbage());
            }
        };
        match bytes {
            Some(bytes) => stream.feed(bytes, &mut each),
            None => stream.idle(&mut each),
        }
    }

    /// The port closed: half a frame is lost.
    fn interrupted(&mut self) {
        let sinks = &self.sinks;
        let mut each = |_: &mut Vec<Message>, _: &Verdict| {
            sinks.iter().for_each(|sink| sink.end.garbage());
        };
        self.stream.interrupted(&mut each);
    }
}

fn is_pause(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted
    )
}

fn lost(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::BrokenPipe | ErrorKind::NotFound => {
            "the device is gone: unplugged, or switched off".to_owned()
        }
        _ => error.to_string(),
    }
}

/// An actuator of a port.
struct Drive {
    end: ActuatorEnd,
    encoder: Encoder,
    /// The last command that was sent.
    last: Option<Outgoing>,
}

impl Drive {
    fn serve(
        &mut self,
        writer: &Mutex<Box<dyn Write + Send>>,
        context: &Context,
        failed: &AtomicBool,
    ) -> Result<(), DriverError> {
        let served = self.send_all(writer, context, failed);
        if served.is_err() {
            failed.store(true, Ordering::Release);
        }
        served
    }

    fn send_all(
        &mut self,
        writer: &Mutex<Box<dyn Write + Send>>,
        context: &Context,
        failed: &AtomicBool,
    ) -> Result<(), DriverError> {
        // The device may have been moved, or have started anew, while it was gone.
        self.send_safe(writer)?;
        let (mut sent, mut second) = (Instant::now(), Instant::now());
        while !context.cancelled() {
            if failed.load(Ordering::Acquire) {
                return Ok(());
            }
            if let Some(command) = self.end.next(POLL_PERIOD) {
                self.send(writer, command)?;
                sent = Instant::now();
            } else if sent.elapsed() >= NO_COMMAND && self.is_moving() {
                log::warn!(
                    "{}: no command for {} ms; the safe command is sent",
                    self.end.name(),
                    NO_COMMAND.as_millis()
                );
                self.send_safe(writer)?;
            }
            if self.last.is_some() && second.elapsed() >= Duration::from_secs(1) {
                second = Instant::now();
                if let Some(bytes) = self.encoder.each_second() {
                    write(writer, &bytes)?;
                }
            }
        }
        // The final command may have been queued meanwhile.
        if let Some(command) = self.end.next(Duration::ZERO) {
            self.send(writer, command)?;
        }
        if self.is_moving() {
            self.send_safe(writer)?;
        }
        Ok(())
    }

    fn is_moving(&self) -> bool {
        self.last.as_ref().is_some_and(|last| !last.safe)
    }

    /// Sends the safe command, if there was a command.
    fn send_safe(&mut self, writer: &Mutex<Box<dyn Write + Send>>) -> Result<(), DriverError> {
        match self.last.as_ref().map(safe_after) {
            Some(command) => self.send(writer, command),
            None => Ok(()),
        }
    }

    fn send(
        &mut self,
        writer: &Mutex<Box<dyn Write + Send>>,
        command: Outgoing,
    ) -> Result<(), DriverError> {
        let bytes = self.encoder.encode(&command).map_err(DriverError)?;
        write(writer, &bytes)?;
        self.end.sent(command.sequence);
        self.last = Some(command);
        Ok(())
    }
}

/// Writes one frame, which no other actuator of the port interrupts.
fn write(writer: &Mutex<Box<dyn Write + Send>>, bytes: &[u8]) -> Result<(), DriverError> {
    let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
    let written = writer.write_all(bytes);
    written.map_err(|error| DriverError(format!("a command was not sent: {}", lost(&error))))
}

/// What is said about a port, each once.
struct Report {
    port: String,
    protocol: &'static str,
    baud: Option<u32>,
    told_unused: bool,
    told_checksum: bool,
    told_unreadable: bool,
    /// Kinds of messages, and the names of their numbers.
    seen: BTreeMap<&'static str, Vec<String>>,
}

impl Report {
    fn new(port: &str, protocol: &'static str, baud: Option<u32>) -> Self {
        Self {
            port: port.to_owned(),
            protocol,
            baud,
            told_unused: false,
            told_checksum: false,
            told_unreadable: false,
            seen: BTreeMap::new(),
        }
    }

    fn see(&mut self, message: &Message) {
        if !self.seen.contains_key(message.name) && self.seen.len() < MAX_SEEN {
            self.seen.insert(message.name, message.names());
        }
    }

    fn refused(&mut self, verdict: &Verdict) {
        let port = &self.port;
        match verdict {
            Verdict::BadChecksum { .. } if !self.told_checksum => {
                self.told_checksum = true;
                log::warn!(
                    "{port}: found a frame with a wrong checksum; it is skipped, further ones are counted"
                );
            }
            Verdict::Unreadable(reason) if !self.told_unreadable => {
                self.told_unreadable = true;
                let reason: String = reason.chars().take(300).collect();
                log::warn!("{port}: {reason}; it is skipped, further ones are counted");
            }
            _ => {}
        }
    }

    /// Reports a port of which nothing is used.
    fn unused(&mut self, counters: Counters, sinks: &[Sink]) {
        if std::mem::replace(&mut self.told_unused, true) {
            return;
        }
        let (port, protocol) = (&self.port, self.protocol);
        let baud = self
            .baud
            .map_or_else(String::new, |baud| format!(" at {baud} baud"));
        let idle: Vec<&Sink> = sinks.iter().filter(|sink| sink.taken == 0).collect();
        let Some(sink) = idle.first() else {
            return;
        };
        if counters.bytes == 0 {
            log::warn!(
                "{port}: no byte arrived in 3 s{baud}; expected {protocol}: is the device switched on, and its TX connected to our RX?"
            );
        } else if counters.frames == 0 {
            log::warn!(
                "{port}: found {} bytes{baud} and no {protocol}; expected another baud rate or protocol",
                counters.bytes
            );
        } else {
            let seen = self.seen.iter();
            let seen: Vec<String> = seen
                .map(|(name, numbers)| format!("{name} ({})", numbers.join(", ")))
                .collect();
            log::warn!(
                "{}: found no message with `{}`; expected one of {port}, which has {}",
                sink.end.name(),
                sink.keys(),
                match seen.is_empty() {
                    true => "none that is known".to_owned(),
                    false => seen.join("; "),
                }
            );
        }
    }

    fn at_end(&self, name: &str, counters: Counters) {
        let is_clean = Counters {
            bytes: counters.bytes,
            frames: counters.frames,
            frame_bytes: counters.frame_bytes,
            ..Counters::default()
        } == counters;
        match is_clean {
            true => log::debug!("{name}: {counters}"),
            false => log::warn!("{name}: {counters}"),
        }
    }
}
