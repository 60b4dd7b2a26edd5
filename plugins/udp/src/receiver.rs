//! Receives the readings of all sensors of an address.

use crate::protocol::{self, MAX_DATAGRAM_BYTES, Note, Reading, Refusal};
use crate::sender_watch::SenderWatch;
use becomingone_components::nearest::did_you_mean;
use becomingone_systems::links::document::excerpt;
use becomingone_systems::links::{
    Complaints, Content, Context, Driver, DriverError, Observed, SensorEnd,
};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};

/// Sensor names that are listed in a message.
const MAX_LISTED: usize = 8;

/// Time of the run without a datagram of a sensor after which its address is logged (ns).
const WAIT_NS: u64 = 3_000_000_000;

struct Sensor {
    end: SensorEnd,
    senders: SenderWatch,
    /// No datagram has its name yet.
    is_waiting: bool,
}

impl Sensor {
    fn show(&mut self, now_ns: u64, shown: Observed<'_>) {
        self.end.observe(now_ns, shown);
        self.is_waiting &= self.end.numbers() > 0;
    }
}

pub(crate) struct Receiver {
    port: String,
    socket: UdpSocket,
    /// By their names in datagrams.
    sensors: HashMap<String, Sensor>,
    complaints: Complaints,
}

impl Receiver {
    pub(crate) fn new(port: &str, socket: UdpSocket, sensors: HashMap<String, SensorEnd>) -> Self {
        let sensors = sensors.into_iter().map(|(name, end)| {
            let senders = SenderWatch::default();
            let is_waiting = true;
            (
                name,
                Sensor {
                    end,
                    senders,
                    is_waiting,
                },
            )
        });
        Self {
            port: port.to_owned(),
            socket,
            sensors: sensors.collect(),
            complaints: Complaints::new(port, "datagrams"),
        }
    }

    /// Logs once which sensors still wait, and for what.
    fn report_waiting(&mut self) {
        for (name, sensor) in &mut self.sensors {
            if std::mem::take(&mut sensor.is_waiting) {
                log::warn!(
                    "{}: no datagram within 3 s at {}; expected readings with `\"sensor\": \"{}\"` sent to this address",
                    sensor.end.name(),
                    self.port,
                    name.escape_debug()
                );
            }
        }
    }

    fn receive(&mut self, datagram: &[u8], from: SocketAddr, now_ns: u64) {
        let (sensors, complaints) = (&mut self.sensors, &mut self.complaints);
        for sensor in sensors.values() {
            sensor.end.observe(now_ns, Observed::Packet(datagram));
        }
        protocol::decode(datagram, |read| {
            if let Ok(reading) = &read {
                let shown = Observed::Message {
                    name: &reading.sensor,
                    select: "sensor",
                    content: Content::Row(&reading.sample.numbers),
                };
                let ends = sensors.values_mut();
                ends.for_each(|sensor| sensor.show(now_ns, shown));
                // A probe of all senders has no numbers of its own.
                if sensors.values().all(|sensor| sensor.end.numbers() == 0) {
                    return;
                }
            }
            let known = read.and_then(|reading| match sensors.contains_key(&reading.sensor) {
                true => Ok(reading),
                false => Err(unknown(&reading.sensor, sensors)),
            });
            match known {
                Ok(reading) => {
                    if let Some(sensor) = sensors.get_mut(&reading.sensor) {
                        let text = || excerpt(datagram);
                        take(sensor, reading, from, now_ns, complaints, text);
                    }
                }
                Err(Refusal { kind, reason }) => {
                    complaints.add(format!("thrown away, {kind}"), || {
                        let text = excerpt(datagram);
                        format!("datagram from {from} thrown away: {reason}; it is `{text}`")
                    });
                    // The sensor is unknown, so it is counted for all sensors of the address.
                    sensors.values().for_each(|sensor| sensor.end.garbage());
                }
            }
        });
    }
}

fn take(
    sensor: &mut Sensor,
    Reading {
        sensor: name,
        sample,
        notes,
    }: Reading,
    from: SocketAddr,
    now_ns: u64,
    complaints: &mut Complaints,
    text: impl Fn() -> String,
) {
    sensor.is_waiting = false;
    for note in &notes {
        let kind = match note {
            Note::NotFinite => "with NaN or Infinity",
            Note::TextNumber(_) => "with numbers as text",
            Note::LeftOut(..) => "with an unusable key",
            Note::LikeKey(..) => "with an unknown key",
        };
        complaints.add(format!("{kind} for `{name}`"), || {
            format!("datagram for `{name}` from {from}: {note}")
        });
    }
    if let Some(message) = sensor.senders.receive(from, sample.stamp_ns, now_ns) {
        log::warn!("`{name}`: {message}");
    }
    if let Some(misfit) = sensor.end.misfit(&sample) {
        complaints.add(format!("thrown away, not fitting `{name}`"), || {
            let text = text();
            format!("datagram for `{name}` from {from} thrown away: {misfit}; it is `{text}`")
        });
    }
    sensor.end.push(now_ns, sample);
}

fn unknown(name: &str, sensors: &HashMap<String, Sensor>) -> Refusal {
    let mut known: Vec<&str> = sensors.keys().map(String::as_str).collect();
    known.sort_unstable();
    // A name without its agent is not similar to the whole one.
    let end = known
        .iter()
        .find(|full| full.rsplit('/').next() == Some(name));
    let near = match end {
        Some(full) => format!("; did you mean `{full}`?"),
        None => did_you_mean(name, known.iter().copied()),
    };
    let more = match known.len().saturating_sub(MAX_LISTED) {
        0 => String::new(),
        more => format!(" or {more} others"),
    };
    known.truncate(MAX_LISTED);
    let shown: String = name.chars().take(100).collect();
    Refusal {
        kind: "of an unknown sensor",
        reason: format!(
            "found the sensor name `{}`; expected `{}`{more}{near}",
            shown.escape_debug(),
            known.join("`, `")
        ),
    }
}

impl Driver for Receiver {
    fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
        context.up();
        let mut buffer = vec![0; MAX_DATAGRAM_BYTES];
        let Some(clock) = self.sensors.values().next().map(|s| s.end.clone()) else {
            return Ok(());
        };
        let mut has_reported = false;
        while !context.cancelled() {
            if !has_reported && clock.now_ns() >= WAIT_NS {
                has_reported = true;
                self.report_waiting();
            }
            let (length, from) = match self.socket.recv_from(&mut buffer) {
                Ok(received) => received,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {
                        continue;
                    }
                    _ => return Err(DriverError(error.to_string())),
                },
            };
            // Arrival time: before parsing, which takes time.
            self.receive(&buffer[..length], from, clock.now_ns());
        }
        self.complaints.report();
        Ok(())
    }
}
