//! Random and mutated bytes into each parser: no panic, bounded memory, every byte counted, and the same result however
//! the bytes are split. `BECOMINGONE_FUZZ_CASES` inputs of each (100 000 by default); a panic names the case.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_rig::{Random, mutated};
use becomingone_serial::protocol::framed::LengthType;
use becomingone_serial::protocol::framed::{Check, Endian, FrameKind, Framed, Framing, Layout};
use becomingone_serial::protocol::lines::{Format, Lines};
use becomingone_serial::protocol::{Message, Protocol, Verdict, mavlink, nmea, ubx};
use becomingone_serial::{Counters, Deframer};

/// Good frames of the protocol, changed here and there.
fn input(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    mutated(
        random,
        4,
        seeds,
        b"$*,;\r\n\0\xB5\x62\xFD\xAA\x55=:{}[]\"1-.",
    )
}

fn outcome(
    deframer: &mut Deframer<impl Protocol>,
    bytes: &[u8],
    mut piece: impl FnMut() -> usize,
) -> (String, Counters) {
    let mut found = Vec::new();
    let mut each = |messages: &mut Vec<Message>, verdict: &Verdict| {
        found.push(format!("{verdict:?} {messages:?}"));
    };
    let mut rest = bytes;
    while !rest.is_empty() {
        let (now, behind) = rest.split_at(piece().clamp(1, rest.len()));
        deframer.feed(now, &mut each);
        rest = behind;
        assert!(deframer.waiting() <= 1 << 16);
    }
    deframer.idle(&mut each);
    deframer.interrupted(&mut each);
    (found.join("\n"), deframer.counters())
}

/// Inputs of one protocol; of many there is a message.
fn fuzz<P: Protocol>(name: &str, seeds: &[Vec<u8>], protocol: impl Fn() -> P) {
    let mut found = 0;
    let cases = becomingone_rig::fuzz(
        name,
        |random| input(random, seeds),
        |bytes, random| {
            let (whole, counters) = outcome(&mut Deframer::new(protocol()), bytes, || bytes.len());
            let pieces = || 1 + random.below(20);
            let (split, again) = outcome(&mut Deframer::new(protocol()), bytes, pieces);
            assert_eq!(whole, split);
            assert_eq!(counters, again);
            assert_eq!(counters.bytes, bytes.len() as u64);
            assert_eq!(
                counters.bytes,
                counters.frame_bytes + counters.garbage_bytes
            );
            found += u64::from(whole.contains("[Message"));
        },
    );
    assert!(
        found > cases / 10,
        "{name}: messages in {found} of {cases} cases"
    );
}

#[test]
fn nmea_survives_random_bytes() {
    // NMEA 0183 sentences as in gpsd's documentation, and a maker's own.
    let seeds = [
        "$GPGGA,123519,4807.038,N,01131.324,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n",
        "$GPRMC,225446,A,4916.45,N,12311.12,W,000.5,054.7,191194,020.3,E*68\r\n",
        "$GPVTG,054.7,T,034.4,M,005.5,N,010.2,K*48\r\n",
        "$GPGSA,A,3,04,05,,09,12,,,24,,,,,2.5,1.3,2.1*39\r\n",
        "$GPZDA,201530.00,04,07,2002,00,00*60\r\n",
        "$HEHDT,341.8,T*21\r\n",
        "$PUBX,00,1*2E\r\n",
    ];
    fuzz(
        "nmea",
        &seeds.map(|s| s.as_bytes().to_vec()),
        nmea::Nmea::default,
    );
}

/// A UBX message; the checksum is RFC 1145's, as in the interface description.
fn ubx_message(id: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xB5, 0x62, 1, id];
    bytes.extend_from_slice(&(payload.len() as u16).to_le_bytes());
    bytes.extend_from_slice(payload);
    let (mut a, mut b) = (0u8, 0u8);
    for byte in &bytes[2..] {
        a = a.wrapping_add(*byte);
        b = b.wrapping_add(a);
    }
    bytes.extend([a, b]);
    bytes
}

#[test]
fn ubx_survives_random_bytes() {
    let seeds = [
        ubx_message(0x07, &[3; 92]),
        ubx_message(0x35, &[1; 8 + 24]),
        ubx_message(0x35, &[1; 13]),
        ubx_message(0x07, &[3; 9]),
        ubx_message(0x99, &[0xB5, 0x62]),
        b"$GNGSA,A,1*00\r\n".to_vec(),
    ];
    fuzz("ubx", &seeds, ubx::Ubx::default);
}

#[test]
fn mavlink_survives_random_bytes() {
    let mut pilot = mavlink::Pilot::default();
    let seeds = [pilot.heartbeat(), pilot.twist(5_000_000, 0.5, -0.1)];
    fuzz("mavlink", &seeds, mavlink::Mavlink::default);
}

#[test]
fn lines_survive_random_bytes() {
    let csv = |columns: &[&str]| Format::Csv {
        columns: columns.iter().map(|&c| c.to_owned()).collect(),
        separator: ',',
    };
    for (name, format, seeds) in [
        (
            "csv",
            csv(&[]),
            ["x,y,z\n1,2,3\n", "\"a\",b\n,\n", "1,2\r\n"],
        ),
        (
            "named csv",
            csv(&["x", "y"]),
            ["1,2\n", "1e400,nan\n", "\"1\n2\",3\n"],
        ),
        (
            "json",
            Format::JsonLines,
            [
                "{\"x\": 1, \"stamp_ns\": 5, \"sequence\": 3}\n",
                "{\"x\": {\"y\": [1e999]}}\n",
                "[[[[[[\n",
            ],
        ),
        (
            "key=value",
            Format::KeyValue,
            ["a=1 b=2.5\n", "a:1,b:2;c=x\n", "==,=\n"],
        ),
    ] {
        let seeds = seeds.map(|s| s.as_bytes().to_vec());
        fuzz(name, &seeds, || Lines::new(format.clone()));
    }
}

#[test]
fn frames_survive_random_bytes() {
    let layout: Layout = ron::from_str(
        "[(value: Some(1), type: U8), (name: Some(\"sequence\"), type: U8), (name: Some(\"x\"), type: F32), (name: Some(\"y\"), type: I16, scale: 0.5)]",
    )
    .unwrap();
    let start = |length| FrameKind::Start {
        bytes: vec![0xAA, 0x55],
        length,
        check_from_start: true,
    };
    for (name, frame, check) in [
        ("cobs", FrameKind::Cobs, Some(Check::Crc16Modbus)),
        ("unchecked cobs", FrameKind::Cobs, None),
        (
            "length",
            start(Some(LengthType::U16)),
            Some(Check::Crc32IsoHdlc),
        ),
        ("start", start(None), Some(Check::Crc8Smbus)),
    ] {
        let framing = Framing {
            frame,
            check,
            endian: Endian::Big,
        };
        let seeds = [0.0, 1.0, -300.0].map(|x| {
            let fields = layout.encode(Endian::Big, |_| Some(x)).unwrap();
            framing.encode(&fields)
        });
        fuzz(name, &seeds, || {
            Framed::new(framing.clone(), vec![layout.clone()]).unwrap()
        });
    }
}
