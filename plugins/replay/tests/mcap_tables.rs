//! MCAP files as tables, and readings of our own recordings.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_replay::{Kind, Readings, Row, Table, Wanted};
use foxglove::Encode as _;
use mcap::records::MessageHeader;
use mcap::{WriteOptions, Writer};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const MS: u64 = 1_000_000;

struct McapFile {
    folder: TempDir,
    to: Writer<BufWriter<File>>,
}

impl McapFile {
    fn new(profile: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = BufWriter::new(File::create(folder.path().join("run.mcap")).unwrap());
        let options = WriteOptions::new()
            .profile(profile)
            .chunk_size(Some(16 * 1024));
        let to = Writer::with_options(file, options).unwrap();
        Self { folder, to }
    }

    fn channel(&mut self, topic: &str, encoding: &str, kind: Option<&str>) -> u16 {
        let metadata: BTreeMap<String, String> = kind
            .map(|k| ("kind".to_owned(), k.to_owned()))
            .into_iter()
            .collect();
        self.to.add_channel(0, topic, encoding, &metadata).unwrap()
    }

    fn write(&mut self, channel_id: u16, ns: u64, bytes: &[u8]) {
        let header = MessageHeader {
            channel_id,
            sequence: 0,
            log_time: ns,
            publish_time: ns,
        };
        self.to.write_to_known_channel(&header, bytes).unwrap();
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("run.mcap")
    }

    fn end(mut self) -> (TempDir, PathBuf) {
        self.to.finish().unwrap();
        let path = self.path();
        (self.folder, path)
    }
}

fn rows(file: &Path, wanted: &Wanted) -> (Table, Vec<Row>) {
    let mut table = Table::open(file, wanted).unwrap_or_else(|e| panic!("{e}"));
    let mut rows = Vec::new();
    let mut row = Row::default();
    while table.read(&mut row).unwrap() {
        rows.push(row.clone());
    }
    (table, rows)
}

/// Two topics, at 100 and at 10 Hz, for two seconds.
fn two_topics() -> (TempDir, PathBuf) {
    let mut to = McapFile::new("");
    let imu = to.channel("/imu", "json", None);
    let pump = to.channel("/pump", "json", None);
    for k in 0..200_u64 {
        let ns = 1_583_748_873_000 * MS + k * 10 * MS;
        let text = format!(
            "{{\"seq\":{k},\"a\":{{\"x\":{},\"y\":null}},\"list\":[1,{}],\"on\":{},\"state\":\"run\"}}",
            k % 4,
            k % 3,
            k % 2 == 0
        );
        to.write(imu, ns, text.as_bytes());
        if k % 10 == 0 {
            to.write(pump, ns, format!("{{\"flow\":{}}}", k / 10 % 7).as_bytes());
        }
    }
    to.end()
}

#[test]
fn row_has_the_means_of_a_time_step() {
    let (_folder, file) = two_topics();
    let (table, rows) = rows(&file, &Wanted::default());
    assert_eq!(
        table.channels(),
        ["imu/a/x", "imu/list/0", "imu/list/1", "imu/on", "pump/flow"]
    );
    let kind = |name: &str| {
        table
            .columns()
            .iter()
            .find(|c| c.name == name)
            .unwrap()
            .kind
    };
    assert_eq!(kind("imu/seq"), Kind::Counter);
    assert_eq!(kind("imu/state"), Kind::Text);
    assert_eq!(kind("imu/a/y"), Kind::Empty);
    // 50 Hz: two messages of the fast topic a row, and one of the slow one in five rows.
    assert_eq!(rows.len(), 100);
    for (k, row) in rows.iter().enumerate() {
        assert_eq!(row.t_ns, Some(k as i64 * 20_000_000), "row {k}");
        assert_eq!(
            row.time,
            (1_583_748_873_000 * MS + k as u64 * 20 * MS).to_string()
        );
        let x = if k % 2 == 0 { 0.5 } else { 2.5 };
        assert_eq!(row.values[0], Some(x), "row {k}");
        assert_eq!(row.values[3], Some(0.5));
        let flow = (k % 5 == 0).then_some((k / 5 % 7) as f64);
        assert_eq!(row.values[4], flow, "row {k}");
    }
    assert!(table.time().unwrap().epoch);
    let wanted = Wanted {
        step_ns: Some(100 * MS),
        ignore: vec!["imu/on".to_owned()],
        ..Wanted::default()
    };
    let (table, rows) = self::rows(&file, &wanted);
    assert_eq!(rows.len(), 20);
    assert!(rows.iter().all(|r| r.values.iter().all(Option::is_some)));
    assert_eq!(table.channels().len(), 4);
}

#[test]
fn protobuf_is_read_by_the_schema_in_the_file() {
    let mut to = McapFile::new("");
    let schema = foxglove::messages::PoseInFrame::get_schema().unwrap();
    let schema = to
        .to
        .add_schema(&schema.name, &schema.encoding, &schema.data)
        .unwrap();
    let pose = to
        .to
        .add_channel(schema, "/pose", "protobuf", &BTreeMap::new())
        .unwrap();
    let other = to.channel("/camera", "cdr", None);
    for k in 0..50_u64 {
        let message = foxglove::messages::PoseInFrame {
            timestamp: None,
            frame_id: "world".to_owned(),
            pose: Some(foxglove::messages::Pose {
                position: Some(foxglove::messages::Vector3 {
                    x: (k % 5) as f64 * 0.1,
                    y: 0.0,
                    z: (k % 2) as f64,
                }),
                orientation: None,
            }),
        };
        let mut bytes = Vec::new();
        message.encode(&mut bytes).unwrap();
        to.write(pose, k * 100 * MS, &bytes);
        to.write(other, k * 100 * MS, b"\0\x01\0\0");
    }
    let (_folder, file) = to.end();
    let (table, rows) = rows(&file, &Wanted::default());
    assert_eq!(
        table.channels(),
        [
            "pose/pose/position/x",
            "pose/pose/position/y",
            "pose/pose/position/z"
        ]
    );
    assert_eq!(rows.len(), 50);
    assert_eq!(rows[3].values, [Some(3.0 * 0.1), Some(0.0), Some(1.0)]);
    assert!(
        table.notes()[0].contains("`/camera` (cdr without a schema)"),
        "{:?}",
        table.notes()
    );
}

#[test]
fn unsupported_topics_are_named_in_the_error() {
    let mut to = McapFile::new("");
    let imu = to.channel("/imu", "cdr", None);
    to.write(imu, 0, b"\0\x01\0\0");
    let (_folder, file) = to.end();
    let message = Table::open(&file, &Wanted::default())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains(
            "found an MCAP without a topic that can be read: `/imu` (cdr without a schema); expected topics in"
        ),
        "{message}"
    );

    let (_folder, file) = McapFile::new("").end();
    let message = Table::open(&file, &Wanted::default())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("found an MCAP without messages"),
        "{message}"
    );

    let (_folder, file) = two_topics();
    let wanted = Wanted {
        ignore: vec!["imu/a/z".to_owned()],
        ..Wanted::default()
    };
    let message = Table::open(&file, &wanted).unwrap_err().to_string();
    assert!(
        message.contains("no column `imu/a/z`") && message.contains("did you mean `imu/a/y`?"),
        "{message}"
    );
}

#[test]
fn truncated_file_is_read_to_its_end_and_a_corrupt_one_is_an_error() {
    let (_folder, file) = two_topics();
    let bytes = std::fs::read(&file).unwrap();
    let whole = rows(&file, &Wanted::default()).1.len();
    // The last cut is within the index that follows the data.
    let mut seen = 0;
    for cut in [bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&file, &bytes[..cut]).unwrap();
        let Ok(mut table) = Table::open(&file, &Wanted::default()) else {
            continue;
        };
        let mut row = Row::default();
        let mut count = 0;
        while table.read(&mut row).unwrap() {
            count += 1;
        }
        assert!(count <= whole);
        assert!(
            table.notes().iter().any(|n| n.contains("within a record")),
            "cut at {cut}"
        );
        seen += 1;
    }
    assert!(seen > 0);
    let mut flipped = bytes;
    let middle = flipped.len() / 4;
    flipped[middle] ^= 0x10;
    std::fs::write(&file, &flipped).unwrap();
    let failed = match Table::open(&file, &Wanted::default()) {
        Err(error) => error,
        Ok(mut table) => {
            let mut row = Row::default();
            loop {
                match table.read(&mut row) {
                    Ok(true) => {}
                    Ok(false) => panic!("a flipped bit was not seen"),
                    Err(error) => break error,
                }
            }
        }
    };
    let message = failed.to_string();
    assert!(
        message.contains("found an invalid record after the time"),
        "{message}"
    );
}

#[test]
fn messages_outside_of_chunks_are_sorted_by_log_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.mcap");
    let options = WriteOptions::new().use_chunks(false);
    let mut to = Writer::with_options(File::create(&path).unwrap(), options).unwrap();
    for topic in ["/b", "/a"] {
        let channel_id = to.add_channel(0, topic, "json", &BTreeMap::new()).unwrap();
        for k in 0..100_u64 {
            let header = MessageHeader {
                channel_id,
                sequence: 0,
                log_time: k * 20 * MS,
                publish_time: 0,
            };
            let text = format!("{{\"x\":{}}}", k % 7);
            to.write_to_known_channel(&header, text.as_bytes()).unwrap();
        }
    }
    to.finish().unwrap();
    let (table, rows) = rows(&path, &Wanted::default());
    assert_eq!(table.channels(), ["a/x", "b/x"]);
    assert_eq!(rows.len(), 100);
    for (k, row) in rows.iter().enumerate() {
        assert_eq!(row.values, [Some((k % 7) as f64); 2], "row {k}");
    }
    let notes = table.notes().join("; ");
    assert!(notes.contains("99 messages are not in order"), "{notes}");
}

#[test]
fn topic_that_begins_at_the_end_is_a_channel_and_a_long_list_is_named() {
    let mut to = McapFile::new("");
    let imu = to.channel("/imu", "json", None);
    let late = to.channel("/late", "json", None);
    for k in 0..250_000_u64 {
        let text = format!("{{\"x\":{},\"scan\":{:?}}}", k % 7, [1; 33]);
        to.write(imu, k * MS, text.as_bytes());
    }
    to.write(late, 250_000 * MS, b"{\"y\":3.5}");
    to.write(late, 250_020 * MS, b"{\"y\":");
    let (_folder, file) = to.end();
    let (table, rows) = rows(&file, &Wanted::default());
    assert_eq!(table.channels(), ["imu/x", "late/y"]);
    assert_eq!(rows.last().unwrap().values[1], Some(3.5));
    let notes = table.notes().join("; ");
    assert!(notes.contains("`imu/scan`"), "{notes}");
    let broken = "1 messages are not valid in their encoding, and were dropped (first: `/late`";
    assert!(notes.contains(broken), "{notes}");
}

#[test]
fn columns_of_a_topic_are_named_with_or_without_it() {
    let (_folder, file) = two_topics();
    for name in ["a/x", "imu/a/x", "/imu/a/x"] {
        let wanted = Wanted {
            topic: Some("/imu".to_owned()),
            columns: vec![name.to_owned()],
            step_ns: Some(1),
            ..Wanted::default()
        };
        let (table, rows) = rows(&file, &wanted);
        assert_eq!(table.channels(), ["imu/a/x"]);
        assert_eq!(rows.len(), 200);
        assert_eq!(rows[7].values, [Some(3.0)]);
    }
    let error = |topic: &str, column: &str| {
        let wanted = Wanted {
            topic: Some(topic.to_owned()),
            columns: vec![column.to_owned()],
            ..Wanted::default()
        };
        Table::open(&file, &wanted).unwrap_err().to_string()
    };
    let message = error("/imo", "x");
    assert!(
        message.contains("no topic `/imo`") && message.contains("`/imu`?"),
        "{message}"
    );
    let message = error("/pump", "flw");
    assert!(message.contains("did you mean `pump/flow`?"), "{message}");
    let csv = file.with_extension("csv");
    std::fs::write(&csv, "t,x\n0,1\n1,2\n").unwrap();
    let wanted = Wanted {
        topic: Some("/imu".to_owned()),
        ..Wanted::default()
    };
    let message = Table::open(&csv, &wanted).unwrap_err().to_string();
    assert!(message.contains("a file without topics"), "{message}");
}

/// Recording in the format of `plugins/record`.
fn journal(numbers: &[[f64; 2]]) -> (TempDir, PathBuf) {
    let mut to = McapFile::new("becomingone");
    let run = to.channel("/journal/run", "json", None);
    let imu = to.channel("/rover/imu", "json", Some("imu"));
    let truth = to.channel("/rover/imu/truth", "json", Some("imu"));
    let wheels = to.channel("/rover/encoders", "json", Some("encoders"));
    let kernel = to.channel("/rover/kernel", "json", None);
    let mut ns = 0;
    for n in 1..=2 {
        to.write(run, ns, format!("{{\"run\":{n}}}").as_bytes());
        for (k, [a, b]) in numbers.iter().enumerate() {
            let own = k as u64 * MS;
            let [a, b] = [a, b].map(|x| serde_json::to_string(x).unwrap());
            let stamps = format!("\"tick\":{k},\"source_ns\":{own},\"arrival_ns\":{own}");
            let text = format!("{{{stamps},\"sequence\":{k},\"value\":{{\"x\":{a},\"y\":{b}}}}}");
            to.write(imu, ns, text.as_bytes());
            let text = format!("{{{stamps},\"value\":{{\"x\":0.0,\"y\":0.0}}}}");
            to.write(truth, ns, text.as_bytes());
            let text =
                format!("{{{stamps},\"sequence\":{k},\"value\":{{\"angle\":[{a},null,{b}]}}}}");
            to.write(wheels, ns, text.as_bytes());
            to.write(kernel, ns, format!("{{{stamps},\"order\":0.5}}").as_bytes());
            ns += MS;
        }
    }
    to.end()
}

#[test]
fn own_recordings_are_read_bit_identically() {
    let numbers = [
        [0.1, -1e-300],
        [f64::MIN_POSITIVE, 1.0 / 3.0],
        [-0.0, 1.7976931348623157e308],
    ];
    let (_folder, file) = journal(&numbers);
    let mut readings = Readings::open(&file, "/rover/imu", &["x", "y"]).unwrap();
    for (k, expected) in numbers.iter().enumerate() {
        let reading = readings.read().unwrap().unwrap();
        assert_eq!(
            (reading.source_ns, reading.arrival_ns),
            (k as u64 * MS, k as u64 * MS)
        );
        let bits = |x: &[f64]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&reading.numbers), bits(expected), "reading {k}");
    }
    // Readings after a reset belong to another run.
    assert_eq!(readings.read().unwrap(), None);
    assert_eq!(readings.read().unwrap(), None);

    let mut wheels = Readings::open(&file, "/rover/encoders", &["angle"]).unwrap();
    let reading = wheels.read().unwrap().unwrap();
    assert_eq!(reading.numbers.len(), 3);
    assert!(reading.numbers[1].is_nan());

    let message = Readings::open(&file, "/rover/gyro", &["x"])
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("no readings of the topic `/rover/gyro`"),
        "{message}"
    );
    assert!(message.contains("/rover/encoders, /rover/imu"), "{message}");
    let message = Readings::open(&file, "/rover/imu", &["z"])
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("no `z`") && message.contains("its fields are x, y"),
        "{message}"
    );
}

#[test]
fn readings_of_own_recordings_are_channels_and_ground_truth_is_not() {
    let numbers: Vec<[f64; 2]> = (0..600)
        .map(|k| [f64::from(k * 7 % 11), f64::from(k % 3)])
        .collect();
    let (_folder, file) = journal(&numbers);
    let (table, rows) = rows(&file, &Wanted::default());
    assert_eq!(
        table.channels(),
        [
            "rover/encoders/angle/0",
            "rover/encoders/angle/2",
            "rover/imu/x",
            "rover/imu/y"
        ]
    );
    assert_eq!(rows.len(), 60);
}

proptest::proptest! {
    #[test]
    fn no_bytes_cause_a_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600), keep in 0usize..4000) {
        let (_folder, file) = two_topics();
        let mut whole = std::fs::read(&file).unwrap();
        let at = keep % whole.len();
        for (k, byte) in bytes.into_iter().enumerate() {
            if let Some(there) = whole.get_mut(at.max(8) + k) {
                *there = byte;
            }
        }
        std::fs::write(&file, &whole).unwrap();
        if let Ok(mut table) = Table::open(&file, &Wanted::default()) {
            let mut row = Row::default();
            while table.read(&mut row).unwrap_or(false) {}
        }
    }
}
