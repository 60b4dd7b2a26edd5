//! Random and mutated payloads into each layout: no panic, and a document or an error. `BECOMINGONE_FUZZ_CASES` of each
//! (100 000 by default); a panic names the case.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_mqtt::protocol::Decode;
use becomingone_systems::links::{Pick, Picker, SourceSite, read_config};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A splitmix generator (Steele, Lea, Flood 2014), so that a case is its number.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

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

fn payload(random: &mut Random) -> Vec<u8> {
    let mut bytes = match random.below(4) {
        0 => (0..random.below(60)).map(|_| random.next() as u8).collect(),
        _ => SEEDS[random.below(SEEDS.len())].to_vec(),
    };
    for _ in 0..random.below(8) {
        let at = random.below(bytes.len() + 1);
        let byte = match random.below(2) {
            0 => LIKELY[random.below(LIKELY.len())],
            _ => random.next() as u8,
        };
        match random.below(4) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] = byte,
            2 => bytes
                .splice(at..at, std::iter::repeat_n(byte, 1 << random.below(12)))
                .for_each(drop),
            _ => bytes.insert(at, byte),
        }
    }
    bytes
}

#[test]
fn any_payload_is_a_reading_or_an_error() {
    let cases = std::env::var("BECOMINGONE_FUZZ_CASES");
    let cases = cases.map_or(100_000, |n| n.parse::<u64>().unwrap());
    let site = SourceSite {
        fields: vec!["x".to_owned()],
        ..SourceSite::default()
    };
    let pick: Pick = read_config("\"/x\"").unwrap();
    let picker = Picker::new(&pick, &site).unwrap();
    let mut read = [0u64; 4];
    for case in 0..cases {
        let payload = payload(&mut Random(case));
        let decodes = [Decode::Json, Decode::Cbor, Decode::MessagePack, Decode::Raw];
        for (decode, read) in decodes.into_iter().zip(&mut read) {
            let done = catch_unwind(AssertUnwindSafe(|| match decode.document(&payload) {
                Ok(None) => assert!(payload.is_empty()),
                Ok(Some((document, _))) => {
                    *read += 1;
                    if let Ok(sample) = picker.sample(&document) {
                        assert!(sample.numbers.iter().all(|x| x.is_finite() || x.is_nan()));
                    }
                }
                Err(refusal) => assert!(refusal.reason.len() < 2000, "{refusal:?}"),
            }));
            assert!(done.is_ok(), "case {case}, {decode:?}: {payload:?}");
        }
    }
    // The seeds themselves are read.
    assert!(read.iter().all(|&read| read > cases / 100), "{read:?}");
}
