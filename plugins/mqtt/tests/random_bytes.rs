//! Random and mutated payloads into each layout: no panic, and a document or an error. `BECOMINGONE_FUZZ_CASES` of each
//! (100 000 by default); a panic names the case.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_mqtt::protocol::Decode;
use becomingone_rig::{fuzz, mutated};
use becomingone_systems::links::{Pick, Picker, SourceSite, read_config};

/// Good payloads: an object with the numbers x and y, and a list.
const SEEDS: [&[u8]; 4] = [
    b"{\"x\": 1.5, \"y\": [-2, null, NaN]}",
    b"\xa2\x61x\xf9\x3e\x00\x61y\x83\x21\xf6\xf9\x7e\x00",
    b"\x82\xa1x\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00\xa1y\x93\xfe\xc0\xca\x7f\xc0\x00\x00",
    b"+012.5e1",
];
/// Begins of long lists, maps, texts, tags and extensions.
const LIKELY: &[u8] =
    b"{}[]\",:\x9f\xbf\xff\x9b\xbb\x5b\x7b\xdb\xc1\xdd\xdf\xdb\xc6\xc9\xc7\x1b\xfb\xd9\x00";

#[test]
fn any_payload_is_a_reading_or_an_error() {
    let site = SourceSite {
        fields: vec!["x".to_owned()],
        ..SourceSite::default()
    };
    let pick: Pick = read_config("\"/x\"").unwrap();
    let picker = Picker::new(&pick, &site).unwrap();
    let mut read = [0u64; 4];
    let decodes = [Decode::Json, Decode::Cbor, Decode::MessagePack, Decode::Raw];
    let cases = fuzz(
        "payloads",
        |random| mutated(random, 1, &SEEDS, LIKELY),
        |payload, _| {
            for (decode, read) in decodes.iter().zip(&mut read) {
                match decode.document(payload) {
                    Ok(None) => assert!(payload.is_empty()),
                    Ok(Some((document, _))) => {
                        *read += 1;
                        if let Ok(sample) = picker.sample(&document) {
                            assert!(sample.numbers.iter().all(|x| x.is_finite() || x.is_nan()));
                        }
                    }
                    Err(refusal) => assert!(refusal.reason.len() < 2000, "{decode:?}: {refusal:?}"),
                }
            }
        },
    );
    // The seeds themselves are read.
    assert!(read.iter().all(|&read| read > cases / 100), "{read:?}");
}
