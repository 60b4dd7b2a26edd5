//! Brokers that Mosquitto is none of: one that does not answer a subscription, and one that acknowledges no message.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone_components::link::{LinkState, Queue};
use becomingone_components::scene::SensorSpec;
use becomingone_components::sensor::ValueRow;
use becomingone_mqtt::MqttKind;
use becomingone_rig::{LIMIT, Rig, instrument};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// First bytes of packets (MQTT 3.1.1, 2.2.1).
const CONNECT: u8 = 0x10;
const PUBLISH: u8 = 0x30;
const SUBSCRIBE: u8 = 0x82;
const PINGREQ: u8 = 0xC0;
/// The flag of a message that was sent before, and its quality of service.
const DUP: u8 = 0x08;
const QOS_1: u8 = 0x02;

/// Warnings of this program.
struct Warnings(Mutex<Vec<String>>);
static WARNINGS: Warnings = Warnings(Mutex::new(Vec::new()));

impl log::Log for Warnings {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        self.0.lock().unwrap().push(record.args().to_string());
    }
    fn flush(&self) {}
}

/// The broker's end of a connection.
struct Peer {
    stream: TcpStream,
    is_v5: bool,
}

impl Peer {
    /// Accepts the next connection; a session that is kept goes on.
    fn accept(listener: &TcpListener, is_v5: bool, is_kept: bool) -> Self {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut peer = Self { stream, is_v5 };
        assert_eq!(peer.packet().unwrap().0, CONNECT);
        peer.send(0x20, &[u8::from(is_kept), 0], &[]);
        peer
    }

    /// The next packet that is no question whether the broker is there: these are answered. None at the end.
    fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            let mut one = || {
                let mut byte = [0];
                self.stream.read_exact(&mut byte).ok()?;
                Some(byte[0])
            };
            let first = one()?;
            let (mut length, mut shift) = (0, 0);
            loop {
                let byte = one()?;
                length |= usize::from(byte & 0x7F) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            let mut body = vec![0; length];
            self.stream.read_exact(&mut body).ok()?;
            match first {
                PINGREQ => self.stream.write_all(&[0xD0, 0]).unwrap(),
                _ => return Some((first, body)),
            }
        }
    }

    /// Sends a packet; MQTT 5 has a list of properties between both parts, here an empty one.
    fn send(&mut self, first: u8, head: &[u8], rest: &[u8]) {
        let properties: &[u8] = if self.is_v5 { &[0] } else { &[] };
        let body = [head, properties, rest].concat();
        let length = u8::try_from(body.len()).unwrap();
        let packet = [&[first, length][..], &body].concat();
        self.stream.write_all(&packet).unwrap();
    }
}

#[test]
fn a_subscription_that_is_not_answered_is_a_fault_after_5_s_and_is_tried_again() {
    log::set_logger(&WARNINGS).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    for (version, is_v5) in [(3, false), (5, true)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let config = format!(
            "(broker: \"mqtt://{}\", topic: \"t\", version: {version})",
            listener.local_addr().unwrap()
        );
        let broker = std::thread::spawn(move || {
            let mut peer = Peer::accept(&listener, is_v5, false);
            assert_eq!(peer.packet().unwrap().0, SUBSCRIBE);
            let asked = Instant::now();
            assert!(peer.packet().is_none());
            let given_up = asked.elapsed();
            let mut peer = Peer::accept(&listener, is_v5, false);
            let (first, body) = peer.packet().unwrap();
            assert_eq!(first, SUBSCRIBE);
            peer.send(0x90, &body[..2], &[0]);
            peer.send(PUBLISH, &[0, 1, b't'], b"{\"x\": 2.5}");
            (peer, given_up, asked.elapsed())
        });
        let sensor = instrument("s", &["x"], Queue::default());
        let mut rig = Rig::<ValueRow>::new(MqttKind, [(sensor, &config)], None, false);
        rig.until_state("s", LinkState::Down);
        rig.until_readings("s", 1);
        assert_eq!(rig.link("s").state, LinkState::Up);
        assert_eq!(rig.numbers("s"), [2.5]);
        let (_peer, given_up, again) = broker.join().unwrap();
        let range = Duration::from_secs(5)..Duration::from_secs(7);
        assert!(range.contains(&given_up), "{given_up:?}");
        assert!(again < Duration::from_secs(9), "{again:?}");
        let warnings = std::mem::take(&mut *WARNINGS.0.lock().unwrap());
        let reason = "no answer of the broker to the subscription within 5 s";
        let named = warnings.iter().filter(|text| text.contains(reason));
        assert_eq!(named.count(), 1, "{warnings:?}");
    }
}

/// A command is old when the connection is there again: none is sent a second time, so that there is none to mark as one.
#[test]
fn a_command_that_was_not_acknowledged_is_never_sent_again() {
    for (version, is_v5) in [(3, false), (5, true)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let config = format!(
            "(broker: \"mqtt://{}\", topic: \"d\", qos: 1, client: \"rig\", version: {version})",
            listener.local_addr().unwrap()
        );
        let (sent, messages) = channel();
        let broker = std::thread::spawn(move || {
            for connection in 0..3 {
                let mut peer = Peer::accept(&listener, is_v5, connection > 0);
                for _ in 0..20 {
                    let (first, body) = peer.packet().unwrap();
                    // Behind the topic, the number of the packet and the properties.
                    let payload = body[if is_v5 { 6 } else { 5 }..].to_vec();
                    sent.send((first, String::from_utf8(payload).unwrap()))
                        .unwrap();
                }
            }
        });
        let mut rig =
            Rig::<ValueRow>::new(MqttKind, None::<(SensorSpec, &str)>, Some(&config), true);
        let mut speed = 0.0;
        rig.until("three connections", |rig| {
            speed += 1e-3;
            rig.command(speed, 0.0);
            broker.is_finished()
        });
        broker.join().unwrap();
        let messages: Vec<(u8, String)> = messages.iter().collect();
        assert_eq!(messages.len(), 60);
        for (k, (first, payload)) in messages.iter().enumerate() {
            assert_eq!(first & !1, PUBLISH | QOS_1, "{payload}");
            assert_eq!(first & DUP, 0, "{payload}");
            let earlier = messages[..k].iter().find(|(_, other)| other == payload);
            assert_eq!(earlier, None);
        }
    }
}
