//! Decoders against published examples, and against random bytes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_bluetooth::gatt::{
    Cycling, HeartRate, Revolutions, Running, battery_level, humidity, pressure, temperature,
};
use becomingone_bluetooth::protocol::Decoder;
use becomingone_bluetooth::rate::Rate;
use becomingone_bluetooth::{BluetoothKind, Characteristic};
use becomingone_rig::{Random, cases};
use becomingone_systems::links::document::Refusal;
use becomingone_systems::links::{DriverKind as _, Endpoint, SourceSite, read_config};
use serde_json::{Map, Value, json};

fn kind<T: std::fmt::Debug>(result: Result<T, Refusal>) -> &'static str {
    result.unwrap_err().kind
}

/// Values of Nordic Semiconductor's Android-BLE-Common-Library 2.x, `HeartRateMeasurementDataCallbackTest`.
#[test]
fn heart_rates_are_those_of_nordics_tests() {
    let heart = |beats_per_min, contact, energy_kj, rr: &[u16]| {
        Ok(HeartRate {
            beats_per_min,
            contact,
            energy_kj,
            rr_s: rr.iter().map(|&n| f64::from(n) / 1024.0).collect(),
        })
    };
    assert_eq!(HeartRate::decode(&[0, 85]), heart(85, None, None, &[]));
    assert_eq!(
        HeartRate::decode(&[4, 0xFF]),
        heart(255, Some(false), None, &[])
    );
    assert_eq!(
        HeartRate::decode(&[0b11110, 85, 50, 0, 33, 0]),
        heart(85, Some(true), Some(50), &[33])
    );
    assert_eq!(
        HeartRate::decode(&[0b11111, 1, 1, 50, 1, 1, 0, 2, 1, 0xFF, 0xFF]),
        heart(257, Some(true), Some(306), &[1, 258, 65535])
    );
    // Its flags announce intervals, of which there are none here; an energy that is not there is a mistake.
    assert_eq!(
        HeartRate::decode(&[0b10111, 1, 1]),
        heart(257, Some(true), None, &[])
    );
    assert_eq!(kind(HeartRate::decode(&[0b1000, 85, 1])), "too short");
    assert_eq!(kind(HeartRate::decode(&[])), "too short");
}

/// Resolutions, limits and "value is not known" of the GATT Specification Supplement.
#[test]
fn environment_and_battery_keep_to_the_specification() {
    assert_eq!(battery_level(&[100]), Ok(100.0));
    assert_eq!(kind(battery_level(&[101])), "with a prohibited value");
    // -0.01 degC, 327.67 degC, absolute zero, and 0.01 degC below it.
    assert_eq!(temperature(&[0xFF, 0xFF]), Ok(-0.01));
    assert_eq!(temperature(&0x7FFFi16.to_le_bytes()), Ok(327.67));
    assert_eq!(temperature(&(-27315i16).to_le_bytes()), Ok(-273.15));
    assert_eq!(
        kind(temperature(&(-27316i16).to_le_bytes())),
        "with a prohibited value"
    );
    assert!(temperature(&[0x00, 0x80]).unwrap().is_nan());
    assert_eq!(humidity(&10_000u16.to_le_bytes()), Ok(100.0));
    assert_eq!(
        kind(humidity(&10_001u16.to_le_bytes())),
        "with a prohibited value"
    );
    assert!(humidity(&[0xFF, 0xFF]).unwrap().is_nan());
    // The standard atmosphere, 101325 Pa.
    assert_eq!(pressure(&1_013_250u32.to_le_bytes()), Ok(101_325.0));
    assert_eq!(kind(pressure(&[1, 2, 3])), "too short");
}

/// Values of Nordic's `RunningSpeedAndCadenceMeasurementDataCallbackTest`.
#[test]
fn running_is_that_of_nordics_tests() {
    let bytes = [0x07, 0x00, 0x03, 18, 86, 0, 0x01, 0x00, 0x00, 0xF0];
    let running = Running::decode(&bytes).unwrap();
    assert_eq!(
        running,
        Running {
            speed_m_s: 3.0,
            cadence_per_min: 18,
            stride_m: Some(0.86),
            distance_m: Some(f64::from(0xF000_0001u32) / 10.0),
            is_running: true,
        }
    );
    assert_eq!(kind(Running::decode(&bytes[..9])), "too short");
}

fn cycling(wheel_m: f64) -> Decoder {
    Decoder::new(&Characteristic::CyclingSpeed, wheel_m, &[])
}

fn wheel(count: u32, time: u16) -> Vec<u8> {
    [&[1][..], &count.to_le_bytes(), &time.to_le_bytes()].concat()
}

fn decode(decoder: &mut Decoder, bytes: &[u8], arrival_s: f64) -> Map<String, Value> {
    let arrival_ns = (arrival_s * 1e9) as u64;
    decoder.decode(0, bytes, arrival_ns).unwrap().unwrap()
}

/// Values of Nordic's `CyclingSpeedAndCadenceMeasurementDataCallbackTest`, with its wheel of 2.34 m.
#[test]
fn cycling_is_that_of_nordics_tests() {
    let crank = Revolutions {
        count: 345,
        time: 2000,
    };
    let both = [3, 0x39, 0x30, 0, 0, 0xE8, 0x03, 0x59, 0x01, 0xD0, 0x07];
    assert_eq!(
        Cycling::decode(&both),
        Ok(Cycling {
            wheel: Some(Revolutions {
                count: 12345,
                time: 1000
            }),
            crank: Some(crank),
        })
    );
    assert_eq!(
        Cycling::decode(&[2, 0x59, 0x01, 0xD0, 0x07]),
        Ok(Cycling {
            wheel: None,
            crank: Some(crank)
        })
    );
    assert_eq!(kind(Cycling::decode(&both[..9])), "too short");
    let mut decoder = cycling(2.34);
    let first = [3, 20, 0, 0, 0, 0, 0, 10, 0, 0, 0];
    let first = decode(&mut decoder, &first, 0.0);
    assert!(first["speed"].is_null() && first["cadence"].is_null());
    let second = [3, 30, 0, 0, 0, 0, 4, 11, 0, 0, 4];
    let second = decode(&mut decoder, &second, 1.0);
    assert!((second["speed"].as_f64().unwrap() - 23.4).abs() < 1e-12);
    assert_eq!(second["cadence"], json!(60.0));
    assert_eq!(second["wheel_revolutions"], json!(30.0));
}

/// A wheel at a steady rate: counts and times of events in closed form, whatever begins again in between.
#[test]
fn a_steady_rate_is_found_across_both_wraps_and_long_pauses() {
    // 1000 m of a wheel of 2 m at 8 m/s, 4 revolutions a second, of which a message is sent each `every_s`.
    for every_s in [0.25, 1.0, 90.0, 1000.0] {
        let mut decoder = cycling(2.0);
        for k in 0..200u32 {
            let at_s = f64::from(k) * every_s;
            let turned = (at_s * 4.0) as u64;
            let count = (u64::from(u32::MAX) - 5 + turned) as u32;
            let time = (65_000 + turned * 256) as u16;
            let numbers = decode(&mut decoder, &wheel(count, time), at_s + 0.1);
            let speed = numbers["speed"].as_f64();
            assert_eq!(speed, (k > 0).then_some(8.0), "{every_s} s, {k}");
            let all = numbers["wheel_revolutions"].as_f64().unwrap();
            assert_eq!(all, f64::from(u32::MAX) - 5.0 + turned as f64);
        }
    }
    let mut crank = Rate::of_bits(16);
    for k in 0..70_000u32 {
        let now = Revolutions {
            count: u32::from(k as u16),
            time: (k * 768) as u16,
        };
        let (all, rate_hz) = crank.update(now, u64::from(k) * 750_000_000);
        assert_eq!(all, f64::from(k));
        assert!(k == 0 || rate_hz == 1024.0 / 768.0);
    }
}

#[test]
fn a_wheel_without_events_slows_down_to_a_stop_and_one_that_turns_back_is_negative() {
    let mut decoder = cycling(2.0);
    decode(&mut decoder, &wheel(10, 0), 0.0);
    assert_eq!(
        decode(&mut decoder, &wheel(12, 1024), 1.0)["speed"],
        json!(4.0)
    );
    // Less than one revolution in so long: at most 2 m in 0.25 s, 2 s, 20 s.
    for (at_s, most) in [(1.25, 4.0), (3.0, 1.0), (21.0, 0.1), (65.0, 0.0)] {
        let still = decode(&mut decoder, &wheel(12, 1024), at_s);
        assert_eq!(still["speed"], json!(most), "{at_s}");
        assert_eq!(still["wheel_revolutions"], json!(12.0));
    }
    let back = decode(&mut decoder, &wheel(11, 1024 + 2048), 67.0);
    assert!((back["speed"].as_f64().unwrap() + 2.0 / 66.0).abs() < 1e-9);
    // New batteries: the clock begins at 0, then the counter.
    let anew = decode(&mut decoder, &wheel(0, 0), 70.0);
    assert!(
        anew["speed"].is_null() && anew["wheel_revolutions"] == 0.0,
        "{anew:?}"
    );
    decode(&mut decoder, &wheel(200, 2 * 4096), 80.0);
    let anew = decode(&mut decoder, &wheel(3, 2 * 4096 + 1024), 81.0);
    assert!(
        anew["speed"].is_null() && anew["wheel_revolutions"] == 3.0,
        "{anew:?}"
    );
}

fn configured(characteristic: &str) -> Characteristic {
    read_config(characteristic).unwrap()
}

#[test]
fn a_layout_of_the_scene_has_its_numbers_stamp_and_sequence() {
    let raw = configured(
        "Raw(service: \"fff0\", characteristic: \"0000fff1-0000-1000-8000-00805f9b34fb\", fields: [
            (name: \"sequence\", type: U16), (name: \"stamp_ms\", type: U32), (name: \"t\", type: I16, scale: 0.1), (type: U8, value: 7)])",
    );
    let mut decoder = Decoder::new(&raw, 1.0, &[]);
    let part = decoder.parts()[0];
    let full = |number: u16| format!("0000{number:04x}-0000-1000-8000-00805f9b34fb");
    assert_eq!(part.service.to_string(), full(0xFFF0));
    assert_eq!(part.characteristic.to_string(), full(0xFFF1));
    let order = decoder.order();
    assert_eq!(order.sequence.unwrap().to_string(), "/sequence");
    assert_eq!(order.stamp_s.unwrap().to_string(), "/stamp_s");
    let numbers = decode(&mut decoder, &[1, 0, 0xDC, 5, 0, 0, 0xFF, 0xFF, 7], 0.0);
    assert_eq!(numbers["t"], json!(-0.1));
    assert_eq!(numbers["sequence"], json!(1.0));
    assert_eq!(numbers["stamp_s"], json!(1.5));
    // Another constant: another layout. Another length: a mistake.
    assert_eq!(decoder.decode(0, &[1, 0, 0, 0, 0, 0, 0, 0, 8], 0), Ok(None));
    let error = decoder.decode(0, &[1], 0).unwrap_err();
    assert!(
        error.reason.contains("found 1 bytes; expected 9"),
        "{error:?}"
    );
}

#[test]
fn mistakes_of_a_scene_are_named_with_what_was_expected() {
    let sensor = Endpoint::Sensor("a/b");
    let port = |config: &str| {
        let error = BluetoothKind.port(config, sensor);
        error.map_err(|error| error.to_string())
    };
    let heart = "characteristic: HeartRate";
    assert_eq!(
        port(&format!("(device: \"aa:bb:cc:dd:ee:0f\", {heart})")).unwrap(),
        "AA:BB:CC:DD:EE:0F"
    );
    assert_eq!(
        port(&format!(
            "(device: Name(\"Polar\"), adapter: \"hci1\", {heart})"
        ))
        .unwrap(),
        "`Polar` on hci1"
    );
    for (config, expected) in [
        (format!("(device: \"Polar\", {heart})"), "Name(\"Polar\")"),
        (format!("(device: Nme(\"Polar\"), {heart})"), "expected an address"),
        (format!("(device: Name(\"\"), {heart})"), "an empty name"),
        ("(device: Name(\"a\"), characteristic: HeartRat)".to_owned(), "HeartRate"),
        (format!("(device: Name(\"a\"), {heart}, every_s: 0)"), "0.02 to 86400"),
        (format!("(device: Name(\"a\"), {heart}, every_s: inf)"), "0.02 to 86400"),
        (format!("(device: Name(\"a\"), {heart}, wheel_m: 2)"), "CyclingSpeed"),
        (
            "(device: Name(\"a\"), characteristic: Raw(service: \"18\", characteristic: \"2a37\", fields: []))".to_owned(),
            "such as \"180d\"",
        ),
        (
            "(device: Name(\"a\"), characteristic: Raw(service: \"180d\", characteristic: \"2a37\", fields: []))".to_owned(),
            "found `fields` of 0 bytes",
        ),
    ] {
        let error = port(&config).unwrap_err();
        assert!(error.contains(expected), "{config}: {error}");
    }
    let drive = format!("(device: Name(\"a\"), {heart})");
    assert!(
        BluetoothKind
            .port(&drive, Endpoint::Actuator("a/drive"))
            .is_err()
    );
    let site = SourceSite {
        fields: vec!["rr_interval".to_owned()],
        ..SourceSite::default()
    };
    let error = BluetoothKind.check(&drive, &site).unwrap_err().to_string();
    assert!(error.contains("did you mean `rr_intervals`?"), "{error}");
    let picked = format!("(device: Name(\"a\"), {heart}, pick: \"/bpm\")");
    assert!(BluetoothKind.check(&picked, &site).is_ok());
}

/// Without the feature, a scene is checked as with it, and only a run needs the devices.
#[cfg(not(feature = "device"))]
#[test]
fn a_run_without_devices_reports_that_they_are_not_built_in() {
    let error = BluetoothKind.open("Polar", Vec::new()).err().unwrap();
    assert!(error.contains("Cargo feature `bluetooth`"), "{error}");
    assert!(BluetoothKind.devices().is_err());
}

/// `BECOMINGONE_FUZZ_CASES` values of each characteristic (100 000 by default).
#[test]
fn any_bytes_are_finite_or_missing_numbers_or_a_refusal() {
    let cases = cases();
    for characteristic in [
        "HeartRate",
        "Battery",
        "EnvironmentalSensing",
        "CyclingSpeed",
        "RunningSpeed",
        "Raw(service: \"fff0\", characteristic: \"fff1\", fields: [(name: \"sequence\", type: U8), (name: \"x\", type: F32), (name: \"stamp_us\", type: F64)])",
    ] {
        let mut decoder = Decoder::new(&configured(characteristic), 2.1, &[]);
        let mut random = Random(0);
        let (mut arrival_ns, mut decoded) = (0u64, 0);
        for case in 0..cases {
            let length = random.next() % 24;
            let mut bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
            if case % 2 == 0 {
                bytes.truncate(13);
            }
            // Steady counters now and then, so that rates are reached.
            if case % 3 == 0 && bytes.len() > 5 {
                bytes[3..5].fill(0);
            }
            arrival_ns = arrival_ns.wrapping_add(random.next() >> (random.next() % 64));
            let part = case as usize % decoder.parts().len();
            let Ok(Some(numbers)) = decoder.decode(part, &bytes, arrival_ns) else {
                continue;
            };
            decoded += 1;
            let (document, _) = decoder.document(numbers);
            for name in decoder.names() {
                let value = &document[name];
                let is_number = value.is_null() || value.as_f64().is_some_and(f64::is_finite);
                assert!(
                    is_number || value.is_array(),
                    "{characteristic}, case {case}: {name} is {value}"
                );
            }
            if case % 1000 == 0 {
                decoder.restart();
            }
        }
        assert!(
            decoded > 1000.min(cases / 100),
            "{characteristic}: {decoded} of {cases}"
        );
    }
}
