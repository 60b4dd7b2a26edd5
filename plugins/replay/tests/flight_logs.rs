//! Flight logs of PX4 and ArduPilot read as pyulog and pymavlink read them; damaged ones give what is whole.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[allow(unreachable_pub, reason = "shared by tests")]
mod mutate;
mod peers;

use becomingone_replay::{Row, Table, Wanted};
use std::path::Path;
use tempfile::TempDir;

/// Each message is a row of its own.
fn every_message() -> Wanted {
    Wanted {
        step_ns: Some(1),
        ..Wanted::default()
    }
}

#[test]
fn logs_have_the_numbers_of_pyulog_and_pymavlink() {
    let Some((folder, expected)) = peers::files("flight_logs.py") else {
        return;
    };
    for (name, columns) in expected.as_object().unwrap() {
        let wanted = Wanted {
            // All of them, counters and constants too.
            columns: columns.as_object().unwrap().keys().cloned().collect(),
            ..every_message()
        };
        let whole = peers::read(&folder.path().join(name), &wanted)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        for (column, values) in columns.as_object().unwrap() {
            let found: Vec<f64> = whole.columns[column].iter().flatten().copied().collect();
            let values: Vec<f64> = values
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v.as_f64().unwrap())
                .collect();
            assert_eq!(found.len(), values.len(), "{name}: {column}");
            for (k, (found, value)) in found.iter().zip(&values).enumerate() {
                assert_eq!(found, value, "{name}: {column}, message {k}");
            }
        }
        let notes = whole.table.notes().join("\n");
        let dropped = "the logger dropped messages 1 times, for 120 ms";
        assert_eq!(
            notes.contains(dropped),
            name == "made.ulg" || name == "peer.ulg",
            "{name}: {notes}"
        );
        assert!(!notes.contains("damaged"), "{name}: {notes}");
    }
    // The steps of the fastest topic.
    let table = Table::open(folder.path().join("made.ulg"), &Wanted::default()).unwrap();
    assert_eq!(table.time().unwrap().period_ns, Some(20_000_000));
    assert!(!table.time().unwrap().epoch);
}

/// Messages of a log, or the error.
fn count(file: &Path) -> Result<(u64, String), String> {
    let mut table = Table::open(file, &every_message()).map_err(|e| e.to_string())?;
    let mut row = Row::default();
    while table.read(&mut row).map_err(|e| e.to_string())? {}
    Ok((table.counts().rows, table.notes().join("\n")))
}

#[test]
fn logs_that_are_cut_off_or_damaged_give_what_is_whole_and_say_so() {
    let Some((folder, _)) = peers::files("flight_logs.py") else {
        return;
    };
    for name in ["made.ulg", "made.BIN", "peer.log"] {
        let bytes = std::fs::read(folder.path().join(name)).unwrap();
        let (whole, _) = count(&folder.path().join(name)).unwrap();
        let cut = folder.path().join(format!("cut_{name}"));
        let (mut last, mut unsaid) = (0, 0);
        for percent in 0..100 {
            std::fs::write(&cut, &bytes[..bytes.len() * percent / 100]).unwrap();
            match count(&cut) {
                Ok((rows, notes)) => {
                    assert!(
                        rows >= last && rows < whole,
                        "{name} at {percent} %: {rows} after {last}"
                    );
                    last = rows;
                    unsaid += usize::from(!notes.contains("cut off"));
                }
                Err(error) => {
                    assert_eq!(last, 0, "{name} at {percent} %: {error}");
                    assert!(error.contains(&format!("cut_{name}")), "{error}");
                }
            }
        }
        assert!(last > whole * 97 / 100, "{name}: {last} of {whole}");
        // Some cuts are between two messages.
        assert!(unsaid < 15, "{name}: {unsaid}");
        // Bytes lost, put in, and overwritten, in the middle: a few messages are lost, and it is said.
        if name == "peer.log" {
            continue;
        }
        let middle = bytes.len() / 2;
        let (before, after) = bytes.split_at(middle);
        for (damage, with) in [
            ("lost", [before, &after[1001..]].concat()),
            ("put in", [before, &[0xff; 700], after].concat()),
            ("zeroed", [before, &[0; 500], &after[500..]].concat()),
        ] {
            std::fs::write(&cut, with).unwrap();
            let (rows, notes) = count(&cut).unwrap();
            assert!(
                rows > whole * 9 / 10 && rows < whole,
                "{name}, {damage}: {rows} of {whole}"
            );
            assert!(notes.contains("skipped"), "{name}, {damage}: {notes}");
        }
    }
}

#[test]
fn memory_that_was_not_written_behind_a_log_is_no_damage() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("log.BIN");
    for (fill, expected) in [(0xff, 24), (0, 23)] {
        // The last message ends with a zero: with zeros behind it, it cannot be told from one that was cut off.
        let log = [dataflash(), vec![fill; 70_000]].concat();
        std::fs::write(&file, log).unwrap();
        let (rows, notes) = count(&file).unwrap();
        assert_eq!(rows, expected, "{notes}");
        assert!(notes.contains("memory that was not written"), "{notes}");
        assert_eq!(notes.contains("cut off"), expected == 23, "{notes}");
        assert!(!notes.contains("damaged"), "{notes}");
    }
    // A later part of a log has no formats.
    std::fs::write(&file, &dataflash()[89 + 89 + 89 + 44..]).unwrap();
    let error = count(&file).unwrap_err();
    assert!(
        error.contains("a DataFlash log of ArduPilot without"),
        "{error}"
    );
}

/// Reads mutations of a log: no input may cause a panic, a hang or more rows than bytes.
fn fuzz(name: &str, seed: Vec<u8>) {
    let folder = TempDir::new().unwrap();
    let whole = folder.path().join(name);
    std::fs::write(&whole, &seed).unwrap();
    assert!(count(&whole).unwrap().0 >= 12, "{name}");
    mutate::fuzz(name, &[seed], |file| {
        if let Ok((rows, _)) = count(file) {
            assert!(rows <= std::fs::metadata(file).unwrap().len());
        }
    });
}

#[test]
fn fuzz_ulog() {
    fuzz("log.ulg", ulog());
}

#[test]
fn fuzz_dataflash() {
    fuzz("log.BIN", dataflash());
}

#[test]
fn fuzz_dataflash_text() {
    fuzz("log.log", TEXT.as_bytes().to_vec());
}

/// A small ULog, by the specification of the format.
fn ulog() -> Vec<u8> {
    let mut log = b"ULog\x01\x12\x35\x01\0\0\0\0\0\0\0\0".to_vec();
    let mut write = |kind: u8, body: &[u8]| {
        log.extend((body.len() as u16).to_le_bytes());
        log.push(kind);
        log.extend(body);
    };
    write(b'B', &[0; 40]);
    write(b'F', b"inner:float a;uint8_t[2] b;uint8_t[2] _padding0;");
    write(
        b'F',
        b"topic:uint64_t timestamp;inner[2] i;double x;char[4] text;bool on;uint8_t[7] _padding0;",
    );
    write(b'A', b"\0\x05\0topic");
    write(b'A', b"\x01\x06\0topic");
    write(b'S', &[0x2f, 0x73, 0x13, 0x20, 0x25, 0x0c, 0xbb, 0x12]);
    for k in 0..24_u64 {
        let mut body = vec![5 + (k % 2) as u8, 0];
        body.extend((1000 * k).to_le_bytes());
        for inner in 0..2_u8 {
            body.extend((k as f32).to_le_bytes());
            body.extend([inner, k as u8, 0, 0]);
        }
        body.extend((k as f64 / 7.0).to_le_bytes());
        body.extend(b"abc\0\x01");
        write(b'D', &body);
        if k == 12 {
            write(b'O', &[5, 0]);
        }
    }
    log
}

/// A small DataFlash log.
fn dataflash() -> Vec<u8> {
    let mut log = Vec::new();
    let format = |kind: u8, bytes: u8, name: &[u8], format: &[u8], labels: &[u8]| {
        let mut body = vec![0xa3, 0x95, 0x80, kind, bytes];
        for (text, width) in [(name, 4), (format, 16), (labels, 64)] {
            body.extend(text);
            body.resize(body.len() + width - text.len(), 0);
        }
        body
    };
    log.extend(format(
        0x80,
        89,
        b"FMT",
        b"BBnNZ",
        b"Type,Length,Name,Format,Columns",
    ));
    log.extend(format(
        0x81,
        44,
        b"FMTU",
        b"QBNN",
        b"TimeUS,FmtType,UnitIds,MultIds",
    ));
    log.extend(format(0x82, 22, b"IMU", b"QBfcL", b"TimeUS,I,GyrX,C,Lat"));
    log.extend([0xa3, 0x95, 0x81]);
    log.extend([0; 8]);
    log.push(0x82);
    log.extend(b"s#\0\0\0\0\0\0\0\0\0\0\0\0\0\0----\0\0\0\0\0\0\0\0\0\0\0\0");
    for k in 0..24_u64 {
        log.extend([0xa3, 0x95, 0x82]);
        log.extend((1000 * k).to_le_bytes());
        log.push((k % 2) as u8);
        log.extend((k as f32 * 0.37 % 1.0).to_le_bytes());
        log.extend((k as i16 * 3).to_le_bytes());
        log.extend((k as i32 * k as i32).to_le_bytes());
    }
    log
}

/// A small log as text.
const TEXT: &str = "FMT, 128, 89, FMT, BBnNZ, Type,Length,Name,Format,Columns
FMT, 129, 19, IMU, Qff, TimeUS,GyrX,GyrY
FMT, 130, 23, BARO, Qf, TimeUS,Alt
FMT, 131, 75, MSG, QZ, TimeUS,Message
MSG, 0, ArduCopter V4.5, with a comma
IMU, 0, 0.00000, 1.00000
BARO, 500, 0.5
IMU, 20000, 0.11088, 0.98981
IMU, 40000, 0.22040, 0.95946
IMU, 60000, 0.32719, 0.90956
BARO, 60500, 0.25
IMU, 80000, 0.42996, 0.84113
IMU, 100000, 0.52742, 0.75556
IMU, 120000, 0.61837, 0.65460
IMU, 140000, 0.70170, 0.54030
BARO, 140500, 0.5
IMU, 160000, 0.77637, 0.41500
";

#[test]
fn rows_of_a_text_log_that_do_not_fit_their_format_are_counted() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("00000001.log");
    let text = TEXT
        .replace("IMU, 40000, 0.22040, 0.95946", "IMU, 40000, 0.22040")
        .replace("IMU, 60000, 0.32719", "IMU, 60000, 0.327x19")
        .replace("BARO, 60500, 0.25", "BATT, 60500, 12.1");
    std::fs::write(&file, text).unwrap();
    let whole = peers::read(&file, &every_message()).unwrap();
    let found: Vec<f64> = whole.columns["IMU/GyrX"]
        .iter()
        .flatten()
        .copied()
        .collect();
    assert_eq!(
        found,
        [0.0, 0.11088, 0.42996, 0.52742, 0.61837, 0.70170, 0.77637]
    );
    assert_eq!(whole.columns["BARO/Alt"].iter().flatten().count(), 2);
    assert_eq!(whole.table.counts().broken_messages, 1);
    assert_eq!(whole.table.counts().text_cells, 1);
    let notes = whole.table.notes().join("\n");
    assert!(
        notes.contains("1 lines are of no kind that a FMT describes, the first one is line 11"),
        "{notes}"
    );
}

#[test]
fn logs_in_milliseconds_and_with_numbered_kinds_are_read() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("old.log");
    let mut text = "FMT, 128, 89, FMT, BBnNZ, Type,Length,Name,Format,Columns\nFMT, 129, 19, IMU, Iff, TimeMS,GyrX,GyrY\nFMT, 130, 19, IMU2, Iff, TimeMS,GyrX,GyrY\nFMT, 131, 19, CMD, BB, CTot,CNum\n".to_owned();
    for k in 0..50 {
        text += &format!(
            "IMU, {}, {}, 1\nIMU2, {}, {}, 2\nCMD, 1, 2\n",
            20 * k,
            k * k,
            20 * k + 1,
            k * k + 7
        );
    }
    std::fs::write(&file, &text).unwrap();
    let whole = peers::read(&file, &Wanted::default()).unwrap();
    assert_eq!(whole.t_ns.len(), 50);
    assert!(
        whole
            .t_ns
            .windows(2)
            .all(|t| t[1].unwrap() - t[0].unwrap() == 20_000_000)
    );
    assert_eq!(whole.columns["IMU2/GyrX"][3], Some(16.0));
    let notes = whole.table.notes().join("\n");
    assert!(notes.contains("`CMD` (no TimeUS or TimeMS)"), "{notes}");
}
