//! Random and mutated datagrams: no panic, and finite or missing numbers, or a short reason. `BECOMINGONE_FUZZ_CASES`
//! inputs (100 000 by default); a panic names the case.

#![allow(clippy::panic, reason = "a test fails by panicking")]

use becomingone_rig::{fuzz, mutated};
use becomingone_udp::protocol::decode;

#[test]
fn datagrams_survive_random_bytes() {
    let seeds = [
        "{\"sensor\": \"rover/imu\", \"sequence\": 17, \"stamp_ns\": 1700000000123456789, \"values\": [0, 0.1, null]}",
        "{\"sensor\": \"a\", \"Stamp_s\": 1.5, \"session\": \"3\", \"values\": [NaN, \"1e3\", -Infinity]}\n",
        "{\"sensor\": \"eye\", \"stamp_s\": 1e300, \"values\": [], \"bytes\": \"AAEC\"}",
        "\u{feff}{\"values\": [true, {\"x\": [1e999]}]} [[[[\0\0",
    ];
    let mut read = 0;
    let cases = fuzz(
        "datagrams",
        |random| mutated(random, 3, &seeds, b"{}[]\",:\\\r\n\0 -+.eE019ntNI"),
        |datagram, _| {
            let mut count = 0;
            decode(datagram, |decoded| {
                count += 1;
                match decoded {
                    Ok(reading) => {
                        read += 1;
                        let mut numbers = reading.sample.numbers.iter();
                        assert!(numbers.all(|x| x.is_finite() || x.is_nan()));
                        let held = reading.sensor.len() + reading.sample.bytes.len();
                        assert!(held + reading.sample.numbers.len() <= datagram.len());
                        assert!(reading.notes.iter().all(|n| n.to_string().len() < 2000));
                    }
                    Err(refusal) => assert!(refusal.reason.len() < 2000, "{refusal:?}"),
                }
            });
            assert!(count > 0, "neither a reading nor a refusal");
        },
    );
    assert!(read > cases / 10, "{read} readings in {cases} cases");
}
