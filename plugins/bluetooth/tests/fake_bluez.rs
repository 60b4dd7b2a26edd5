//! The driver against a Bluetooth service that a peer program plays: `peers/fake_bluez.py`.
#![cfg(all(target_os = "linux", feature = "device"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test fails by panicking, bounds its waits by the wall clock, and prints why it is skipped"
)]

mod rig;

use becomingone_bluetooth::BluetoothKind;
use becomingone_components::link::{LinkState, Queue};
use becomingone_rig::LIMIT;
use becomingone_systems::links::{
    Content, DriverKind, Endpoint, LinkObserver, Observed, PROBE, Probe,
};
use rig::{Bluez, on_a_bus, open, warnings};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const HEART: &str = r#"{"180d": {"2a37": "notify"}}"#;
const PULSE: (&str, &[&str], &str) = (
    "pulse",
    &["bpm", "energy", "rr"],
    "characteristic: HeartRate",
);
const ALL: Queue = Queue::Lossless(50_000);

fn equal(found: &[Vec<f64>], expected: &[[f64; 3]]) {
    let same = |a: &Vec<f64>, b: &[f64; 3]| {
        let each = a.iter().zip(b);
        a.len() == 3
            && each
                .into_iter()
                .all(|(x, y)| x == y || x.is_nan() && y.is_nan())
    };
    let all = found.iter().zip(expected).all(|(a, b)| same(a, b));
    assert!(all && found.len() == expected.len(), "{found:?}");
}

#[test]
fn a_device_is_found_notifies_is_lost_and_found_again() {
    on_a_bus("a_device_is_found_notifies_is_lost_and_found_again", || {
        let mut peer = Bluez::start(HEART);
        let mut rig = open(&[PULSE], ALL);
        peer.wait("scan");
        peer.wait("connected");
        peer.wait("subscribed 2a37");
        rig.until_state("pulse", LinkState::Up);
        // Measurements of Nordic Semiconductor's tests (Android-BLE-Common-Library), and those of this specification.
        peer.tell("value 2a37 00-55 1e-55-32-00-21-00 1f-01-01-32-01-01-00-02-01-ff-ff");
        let nan = f64::NAN;
        let mut expected = vec![
            [85.0, nan, nan],
            [85.0, 50.0, 33.0 / 1024.0],
            [257.0, 306.0, 65535.0 / 1024.0],
        ];
        rig.until_readings("pulse", 3);
        equal(&rig.rows("pulse"), &expected);
        for (loss, bpm) in [("disconnect", 0x60), ("vanish", 0x61), ("disconnect", 0x62)] {
            let begun = Instant::now();
            peer.tell(loss);
            rig.until("the device is lost", |rig| {
                rig.link("pulse").state != LinkState::Up
            });
            eprintln!(
                "measured: {loss}, noticed after {:.2} s",
                begun.elapsed().as_secs_f64()
            );
            peer.tell("appear");
            let begun = Instant::now();
            peer.wait("subscribed 2a37");
            rig.until_state("pulse", LinkState::Up);
            eprintln!(
                "measured: found again after {:.2} s",
                begun.elapsed().as_secs_f64()
            );
            peer.tell(&format!("value 2a37 00-{bpm:x}"));
            expected.push([f64::from(bpm), nan, nan]);
            rig.until_readings("pulse", expected.len());
            equal(&rig.rows("pulse"), &expected);
        }
        let link = rig.link("pulse");
        assert_eq!(
            (link.received, link.counts.dropped, link.counts.garbage),
            (6, 0, 0)
        );
        let took = rig.end();
        peer.wait("disconnected");
        assert!(took < Duration::from_secs(1), "{took:?}");
    });
}

#[test]
fn the_service_that_dies_and_comes_back_is_used_again() {
    on_a_bus("the_service_that_dies_and_comes_back_is_used_again", || {
        let mut rig = open(&[PULSE], ALL);
        // It is not there yet.
        rig.until_state("pulse", LinkState::Down);
        assert_eq!(warnings("found no Bluetooth service").len(), 1);
        for round in 1..=2 {
            let mut peer = Bluez::start(HEART);
            peer.wait("subscribed 2a37");
            rig.until_state("pulse", LinkState::Up);
            peer.tell("value 2a37 00-50");
            rig.until_readings("pulse", round);
            let begun = Instant::now();
            drop(peer);
            rig.until("the service is gone", |rig| {
                rig.link("pulse").state == LinkState::Down
            });
            eprintln!(
                "measured: a dead service, noticed after {:.2} s",
                begun.elapsed().as_secs_f64()
            );
        }
        assert_eq!(rig.rows("pulse").len(), 2);
    });
}

#[test]
fn a_characteristic_that_the_device_lacks_is_reported_with_those_it_has() {
    on_a_bus(
        "a_characteristic_that_the_device_lacks_is_reported_with_those_it_has",
        || {
            let _peer = Bluez::start(r#"{"180f": {"2a19": "read 5f"}}"#);
            let mut rig = open(&[PULSE], ALL);
            rig.until_state("pulse", LinkState::Down);
            let all = warnings("box/pulse: found no heart rate (00002a37-");
            assert_eq!(all.len(), 1, "{:?}", warnings(""));
            assert!(all[0].contains("this one has 00002a19-"), "{all:?}");
            // Back-off goes on, and the message is not repeated.
            rig.until("it tries again", |rig| {
                rig.link("pulse").state == LinkState::Connecting
            });
            rig.until_state("pulse", LinkState::Down);
            assert_eq!(warnings("found no heart rate").len(), 1);
        },
    );
}

#[test]
fn malformed_values_are_counted_and_the_others_are_read() {
    on_a_bus(
        "malformed_values_are_counted_and_the_others_are_read",
        || {
            let mut peer = Bluez::start(HEART);
            let mut rig = open(&[PULSE], ALL);
            rig.until_state("pulse", LinkState::Up);
            // No heart rate; half of one of 16 bits; no energy; half an interval.
            peer.tell("value 2a37 00-50 00 01-55 08-55-01 10-55-00-01-02 00-51");
            rig.until_readings("pulse", 2);
            equal(
                &rig.rows("pulse"),
                &[[80.0, f64::NAN, f64::NAN], [81.0, f64::NAN, f64::NAN]],
            );
            rig.until("counts", |rig| rig.link("pulse").counts.garbage == 4);
            assert_eq!(warnings("found 1 bytes; expected at least 2").len(), 1);
            assert_eq!(rig.link("pulse").state, LinkState::Up);
        },
    );
}

#[test]
fn sources_of_a_device_share_its_connection() {
    on_a_bus("sources_of_a_device_share_its_connection", || {
        // GSS: 98 %; 22.50 degC; 45.67 % (notified alone); 101325.0 Pa.
        let services = r#"{"180f": {"2a19": "read 62"}, "180d": {"2a37": "notify"},
            "181a": {"2a6e": "read notify ca08", "2a6f": "read notify ffff", "2a6d": "read 02760f00"},
            "fff0": {"fff1": "notify"}}"#;
        let mut peer = Bluez::start(services);
        let raw = "characteristic: Raw(service: \"fff0\", characteristic: \"0xFFF1\", endian: Big, fields: [
            (name: \"sequence\", type: U8), (name: \"x\", type: I16, scale: 0.5)])";
        let sensors: [(&str, &[&str], &str); 5] = [
            PULSE,
            (
                "battery",
                &["level"],
                "characteristic: Battery, every_s: 0.05",
            ),
            (
                "air",
                &["t", "humidity"],
                "characteristic: EnvironmentalSensing, pick: {\"t\": \"/temperature\", \"humidity\": \"/humidity\"}",
            ),
            (
                "all",
                &["temperature", "humidity", "pressure"],
                "characteristic: EnvironmentalSensing",
            ),
            ("raw", &["x"], raw),
        ];
        let mut rig = open(&sensors, ALL);
        for id in ["2a37", "2a6e", "2a6f", "fff1"] {
            peer.wait(&format!("subscribed {id}"));
        }
        rig.until_readings("battery", 3);
        assert!(rig.rows("battery").iter().all(|row| row == &[98.0]));
        rig.until_readings("all", 1);
        equal(&rig.rows("all")[..1], &[[22.5, f64::NAN, 101_325.0]]);
        peer.tell("value 2a6f d7-11");
        rig.until_readings("air", 2);
        let air = rig.rows("air");
        assert!(air[0][0] == 22.5 && air[0][1].is_nan(), "{air:?}");
        assert!(air[1][0].is_nan() && air[1][1] == 45.67, "{air:?}");
        // -3 and 260, in halves; one is lost between them, one has another length.
        peer.tell("value fff1 01-ff-fd 03-01-04 04-00");
        rig.until_readings("raw", 2);
        assert_eq!(rig.rows("raw"), [[-1.5], [130.0]]);
        rig.until("counts", |rig| rig.link("raw").counts.garbage == 1);
        assert_eq!(rig.link("raw").counts.gaps, 1);
    });
}

#[test]
fn a_flood_is_bounded_by_the_queue_and_every_value_is_counted() {
    on_a_bus(
        "a_flood_is_bounded_by_the_queue_and_every_value_is_counted",
        || {
            const SENT: u64 = 20_000;
            let mut peer = Bluez::start(HEART);
            let mut rig = open(&[PULSE], Queue::DropOldest(8));
            rig.until_state("pulse", LinkState::Up);
            let begun = Instant::now();
            // No tick reads while it comes.
            peer.tell(&format!("flood 2a37 {SENT}"));
            rig.until("all", |rig| {
                let link = rig.link("pulse");
                link.received + link.counts.dropped >= SENT
            });
            let link = rig.link("pulse");
            assert_eq!(link.received + link.counts.dropped, SENT);
            assert!(link.counts.dropped > 0);
            assert_eq!(
                rig.rows("pulse").last().unwrap()[0],
                f64::from((SENT - 1) as u8)
            );
            eprintln!(
                "measured: {SENT} values in {:.1} s",
                begun.elapsed().as_secs_f64()
            );
        },
    );
}

#[test]
fn a_run_ends_in_time_whatever_the_device_and_the_service_do() {
    on_a_bus(
        "a_run_ends_in_time_whatever_the_device_and_the_service_do",
        || {
            let limit = Duration::from_secs(2);
            // A device that does not let itself be connected to.
            let mut peer = Bluez::start(HEART);
            peer.tell("mute");
            let mut rig = open(&[PULSE], ALL);
            peer.wait("scan");
            rig.until_state("pulse", LinkState::Connecting);
            let took = rig.end();
            assert!(took < limit, "{took:?}");
            // One that does not answer any more.
            drop(peer);
            let mut peer = Bluez::start(HEART);
            let mut rig = open(&[PULSE], ALL);
            rig.until_state("pulse", LinkState::Up);
            peer.tell("mute");
            let took = rig.end();
            assert!(took < limit, "{took:?}");
            // A service that is stopped.
            drop(peer);
            let peer = Bluez::start(HEART);
            let mut rig = open(&[PULSE], ALL);
            rig.until_state("pulse", LinkState::Up);
            peer.freeze();
            rig.until_state("pulse", LinkState::Down);
            let took = rig.end();
            assert!(took < limit, "{took:?}");
            // A device that is not there, while it is scanned for.
            drop(peer);
            let mut peer = Bluez::start(HEART);
            peer.tell("vanish");
            let rig = open(&[PULSE], ALL);
            peer.wait("scan");
            let took = rig.end();
            assert!(took < limit, "{took:?}");
            assert!(warnings("abandoned").is_empty(), "{:?}", warnings(""));
        },
    );
}

/// Documents that a probe was shown.
#[derive(Default)]
struct Shown(Mutex<Vec<Value>>);

impl LinkObserver for Shown {
    fn see(&self, _: u64, seen: Observed<'_>) {
        if let Observed::Message {
            content: Content::Document(value),
            ..
        } = seen
        {
            self.0.lock().unwrap().push(value.clone());
        }
    }
}

#[test]
fn a_probe_shows_all_numbers_that_a_device_has() {
    on_a_bus("a_probe_shows_all_numbers_that_a_device_has", || {
        // 21.00 degC and 99999.9 Pa, and no humidity.
        let _peer = Bluez::start(r#"{"181a": {"2a6e": "read 3408", "2a6d": "read 3f420f00"}}"#);
        let kind: Arc<dyn DriverKind> = Arc::new(BluetoothKind);
        let config = "(device: Name(\"Pul\"), characteristic: EnvironmentalSensing)";
        let port = kind.port(config, Endpoint::Sensor(PROBE)).unwrap();
        let shown = Arc::new(Shown::default());
        let _probe = Probe::open(&kind, &port, config, None, shown.clone()).unwrap();
        let begun = Instant::now();
        while shown.0.lock().unwrap().is_empty() {
            assert!(begun.elapsed() < LIMIT, "{:?}", warnings(""));
        }
        assert_eq!(
            shown.0.lock().unwrap()[0],
            json!({"temperature": 21.0, "pressure": 99_999.9})
        );
    });
}

#[test]
fn devices_in_range_are_listed_with_address_name_and_strength() {
    on_a_bus(
        "devices_in_range_are_listed_with_address_name_and_strength",
        || {
            let scan = Duration::from_millis(500);
            let error = becomingone_bluetooth::devices(scan).unwrap_err();
            assert!(error.contains("expected bluetoothd"), "{error}");
            let peer = Bluez::start(HEART);
            let all = becomingone_bluetooth::devices(scan).unwrap();
            assert_eq!(all, ["AA:BB:CC:DD:EE:FF  -61 dBm       Pulse 7"]);
            peer.freeze();
            let begun = Instant::now();
            let error = becomingone_bluetooth::devices(scan).unwrap_err();
            assert!(error.contains("no answer within 3 s"), "{error}");
            assert!(begun.elapsed() < Duration::from_secs(10));
        },
    );
}
