//! Receives the readings of all sensors of an address.

use crate::complaints::Complaints;
use crate::protocol::{self, MAX_DATAGRAM_BYTES, Note, Reading, Refusal};
use crate::sender_watch::SenderWatch;
use becomingone_components::nearest::did_you_mean;
use becomingone_systems::links::{Context, Driver, DriverError, SensorEnd};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};

/// Sensor names that are listed in a message.
const MAX_LISTED: usize = 8;

struct Sensor {
    end: SensorEnd,
    senders: SenderWatch,
}

pub(crate) struct Receiver {
    socket: UdpSocket,
    /// By their names in datagrams.
    sensors: HashMap<String, Sensor>,
    complaints: Complaints,
}

impl Receiver {
    pub(crate) fn new(port: &str, socket: UdpSocket, sensors: HashMap<String, SensorEnd>) -> Self {
        let sensors = sensors.into_iter().map(|(name, end)| {
            let senders = SenderWatch::default();
            (name, Sensor { end, senders })
        });
        Self {
            socket,
            sensors: sensors.collect(),
            complaints: Complaints::new(port),
        }
    }

    fn receive(&mut self, datagram: &[u8], from: SocketAddr, now_ns: u64) {
        let (sensors, complaints) = (&mut self.sensors, &mut self.complaints);
        protocol::decode(datagram, |read| {
            let known = read.and_then(|reading| match sensors.contains_key(&reading.sensor) {
                true => Ok(reading),
                false => Err(unknown(&reading.sensor, sensors)),
            });
            match known {
                Ok(reading) => {
                    if let Some(sensor) = sensors.get_mut(&reading.sensor) {
                        take(sensor, reading, from, now_ns, complaints);
                    }
                }
                Err(Refusal { kind, reason }) => {
                    complaints.add(format!("thrown away, {kind}"), || {
                        format!("datagram from {from} thrown away: {reason}")
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
) {
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
            format!("datagram for `{name}` from {from} thrown away: {misfit}")
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
        while !context.cancelled() {
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
