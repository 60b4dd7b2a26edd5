//! Encodes readings, as senders do.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use becomingone_systems::links::Sample;
use serde::Serialize;

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
