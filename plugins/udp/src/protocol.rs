//! Wire format: decodes and encodes datagrams.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use becomingone_systems::links::{Outgoing, Sample};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Largest datagram (bytes): 65 535 less the headers (RFC 768 over IPv4).
pub const MAX_DATAGRAM_BYTES: usize = 65_507;

#[derive(Deserialize)]
struct Reading<'a> {
    #[serde(borrow)]
    sensor: Cow<'a, str>,
    sequence: Option<u64>,
    stamp_ns: Option<u64>,
    session: Option<u64>,
    values: Vec<Option<f64>>,
    bytes: Option<Cow<'a, str>>,
}

/// Decodes a reading: name of the sensor, and sample; `None` if the datagram is not a reading.
pub fn decode_reading(bytes: &[u8]) -> Option<(Cow<'_, str>, Sample)> {
    let reading: Reading<'_> = serde_json::from_slice(bytes).ok()?;
    let sample = Sample {
        sequence: reading.sequence,
        session: reading.session,
        stamp_ns: reading.stamp_ns,
        numbers: reading
            .values
            .iter()
            .map(|x| x.unwrap_or(f64::NAN))
            .collect(),
        bytes: match reading.bytes {
            Some(text) => BASE64_STANDARD.decode(&*text).ok()?,
            None => Vec::new(),
        },
    };
    Some((reading.sensor, sample))
}

/// Encodes a reading, as a sender does.
pub fn encode_reading(sensor: &str, sample: &Sample) -> Vec<u8> {
    #[derive(Serialize)]
    struct Reading<'a> {
        sensor: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        sequence: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        stamp_ns: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        session: Option<u64>,
        values: Vec<Option<f64>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        bytes: Option<String>,
    }
    let numbers = sample.numbers.iter();
    // Serialising plain data cannot fail.
    serde_json::to_vec(&Reading {
        sensor,
        sequence: sample.sequence,
        stamp_ns: sample.stamp_ns,
        session: sample.session,
        values: numbers.map(|x| x.is_finite().then_some(*x)).collect(),
        bytes: (!sample.bytes.is_empty()).then(|| BASE64_STANDARD.encode(&sample.bytes)),
    })
    .unwrap_or_default()
}

/// Encodes a command.
pub fn encode_command(actuator: &str, command: &Outgoing) -> Vec<u8> {
    #[derive(Serialize)]
    struct Command<'a> {
        actuator: &'a str,
        sequence: u64,
        now_ns: u64,
        kind: &'a str,
        safe: bool,
        values: &'a [f64],
    }
    // Serialising plain data cannot fail.
    serde_json::to_vec(&Command {
        actuator,
        sequence: command.sequence,
        now_ns: command.now_ns,
        kind: command.kind,
        safe: command.safe,
        values: &command.numbers,
    })
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reading_is_decoded() {
        let text = br#" {"sequence": 3, "sensor": "a\/b", "values": [1, -2.5e3, null], "more": {"x": [1]}} "#;
        let (sensor, sample) = decode_reading(text).unwrap();
        assert_eq!(sensor, "a/b");
        assert_eq!((sample.sequence, sample.stamp_ns), (Some(3), None));
        assert_eq!(sample.numbers[..2], [1.0, -2500.0]);
        assert!(sample.numbers[2].is_nan());
    }

    #[test]
    fn invalid_datagrams_are_none() {
        for text in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"sensor": "a"}"#,
            r#"{"sensor": 1, "values": []}"#,
            r#"{"sensor": "a", "values": [1e999]}"#,
            r#"{"sensor": "a", "values": [NaN]}"#,
            r#"{"sensor": "a", "values": ["1"]}"#,
            r#"{"sensor": "a", "sequence": -1, "values": [1]}"#,
            r#"{"sensor": "a", "values": [1]} {"sensor": "a", "values": [1]}"#,
            "{\"sensor\": \"\u{0}",
            &"[".repeat(60_000),
        ] {
            assert!(decode_reading(text.as_bytes()).is_none(), "{text}");
        }
        assert!(decode_reading(b"\xff\xfe{}").is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_rejected(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode_reading(&bytes);
        }

        #[test]
        fn reading_with_a_changed_byte_is_decoded_or_rejected(at in 0..90usize, to in any::<u8>()) {
            let mut bytes = encode_reading("rover/imu", &Sample {
                sequence: Some(1),
                stamp_ns: Some(2),
                numbers: vec![0.1, -3e-7],
                ..Sample::default()
            });
            let at = at % bytes.len();
            bytes[at] = to;
            let _ = decode_reading(&bytes);
        }

        /// Numbers are bit-identical after encoding and decoding.
        #[test]
        fn decoding_inverts_encoding(
            sensor in ".{0,20}",
            sequence in any::<u64>(),
            stamp_ns in any::<Option<u64>>(),
            session in any::<Option<u64>>(),
            numbers in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL, 0..20),
        ) {
            let sample = Sample { sequence: Some(sequence), session, stamp_ns, numbers, ..Sample::default() };
            let bytes = encode_reading(&sensor, &sample);
            let (read, again) = decode_reading(&bytes).unwrap();
            prop_assert_eq!(read, sensor.as_str());
            let bits = |s: &Sample| s.numbers.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&again), bits(&sample));
            prop_assert_eq!((again.sequence, again.stamp_ns, again.session), (sample.sequence, stamp_ns, session));
        }
    }
}
