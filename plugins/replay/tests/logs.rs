//! Logs of messages that peers wrote (`peer/make.py`): ROS 1 and ROS 2 bags, and MCAP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod mutate;

use becomingone_replay::{Row, Table, TableError, Wanted};
use std::path::{Path, PathBuf};

const START_NS: i64 = 1_700_000_000_000_000_000;
const STEP_NS: u64 = 10_000_000;
const COUNT: usize = 60;

fn peer(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/peer")
        .join(name)
}

/// Numbers of `make.py`: name and value in message `k`.
type Number = (&'static str, fn(f64) -> f64);

const BAGS: &[Number] = &[
    ("imu/linear_acceleration/x", |k| k / 4.0),
    ("imu/linear_acceleration/y", |k| -k),
    ("imu/linear_acceleration/z", |k| k * k),
    ("imu/angular_velocity/z", |_| 0.5),
    ("own/parts/0/a", |_| -1.0),
    ("own/parts/0/b", |k| k / 4.0),
    ("own/parts/1/b", |k| -k),
    ("own/on", |k| f64::from(k % 2.0 == 0.0)),
    ("own/pair/0", |k| k / 8.0),
    ("own/pair/1", |_| 1.5),
    ("own/counts/1", |k| -k),
    ("own/counts/2", |_| 7.0),
    ("own/v/z", |k| k * k),
    ("own/level", |k| k % 5.0),
    ("own/since", |k| k + 0.5),
    ("own/big", |k| k * 1_000_000_007.0),
];

const TWO: &[Number] = &[
    ("a/linear/x", |k| k / 4.0),
    ("a/linear/z", |k| k * k),
    ("b/linear/x", |k| k / 4.0),
    ("b/linear/y", |k| -k),
];

const ONE: &[Number] = &[("a/linear/x", |k| k / 4.0), ("a/linear/z", |k| k * k)];

const FILES: &[(&str, &[Number])] = &[
    ("plain.bag", BAGS),
    ("lz4.bag", BAGS),
    ("bz2.bag", BAGS),
    #[cfg(feature = "sqlite")]
    ("jazzy.db3", BAGS),
    #[cfg(feature = "sqlite")]
    ("humble.db3", BAGS),
    #[cfg(feature = "sqlite")]
    ("compressed.db3", BAGS),
    ("rosbags.mcap", BAGS),
    ("in_order.mcap", TWO),
    ("by_topic.mcap", TWO),
    ("ros1.mcap", ONE),
];

fn wanted(numbers: &[Number]) -> Wanted {
    Wanted {
        columns: numbers.iter().map(|n| n.0.to_owned()).collect(),
        step_ns: Some(STEP_NS),
        ..Wanted::default()
    }
}

fn read(file: &Path, wanted: &Wanted) -> Result<(Table, Vec<Row>), TableError> {
    let mut table = Table::open(file, wanted)?;
    let mut rows = Vec::new();
    let mut row = Row::default();
    while table.read(&mut row)? {
        rows.push(row.clone());
    }
    Ok((table, rows))
}

/// Checks each value of each row; the number of values.
fn check(name: &str, rows: &[Row], numbers: &[Number]) -> usize {
    let mut found = 0;
    for row in rows {
        let ns = row.stamp_ns.unwrap() - START_NS;
        let k = (ns / STEP_NS as i64) as f64;
        for ((number, right), value) in numbers.iter().zip(&row.values) {
            if let Some(x) = value {
                assert_eq!(*x, right(k), "{name}: {number} in message {k}");
                found += 1;
            }
        }
    }
    found
}

#[test]
fn numbers_are_those_that_the_peer_wrote() {
    for (name, numbers) in FILES {
        let (table, rows) = read(&peer(name), &wanted(numbers)).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(rows.len(), COUNT, "{name}");
        assert_eq!(check(name, &rows, numbers), COUNT * numbers.len(), "{name}");
        assert_eq!(table.counts().broken_messages, 0, "{name}");
        let columns: Vec<&str> = table.columns().iter().map(|c| c.name.as_str()).collect();
        assert!(!columns.iter().any(|c| c.contains("stamp")), "{columns:?}");
        if *numbers == BAGS {
            let notes = table.notes().join("\n");
            assert!(notes.contains("`own/scan`"), "{name}: {notes}");
        }
    }
}

#[test]
fn file_in_order_of_topics_is_read_in_order_of_time_and_says_so() {
    let (table, rows) = read(&peer("by_topic.mcap"), &wanted(TWO)).unwrap();
    assert_eq!(rows.len(), COUNT);
    assert!(rows.is_sorted_by_key(|row| row.stamp_ns));
    let (_, in_order) = read(&peer("in_order.mcap"), &wanted(TWO)).unwrap();
    assert_eq!(rows, in_order);
    let notes = table.notes().join("\n");
    assert!(notes.contains("not in order of log time"), "{notes}");
}

#[test]
fn what_is_whole_in_a_cut_file_is_read_and_the_rest_is_said() {
    let folder = tempfile::tempdir().unwrap();
    for (name, numbers) in FILES {
        let bytes = std::fs::read(peer(name)).unwrap();
        let file = folder.path().join(name);
        let mut most = 0;
        for percent in 1..100 {
            std::fs::write(&file, &bytes[..bytes.len() * percent / 100]).unwrap();
            let wanted = Wanted {
                step_ns: Some(STEP_NS),
                ..Wanted::default()
            };
            // Without any message: an error that names the file.
            let (table, rows) = match read(&file, &wanted) {
                Ok(read) => read,
                Err(error) => {
                    assert!(error.to_string().contains(name), "{error}");
                    // SQLite cannot tell what is beyond its end: a part of a bag is refused.
                    most = if name.ends_with("db3") { COUNT } else { most };
                    continue;
                }
            };
            let place = format!("{name} at {percent} %");
            assert!(!table.notes().is_empty(), "{place}: nothing was said");
            for row in &rows {
                let k = (row.stamp_ns.unwrap() - START_NS) / STEP_NS as i64;
                for (channel, value) in table.channels().iter().zip(&row.values) {
                    let right = numbers.iter().find(|n| n.0 == channel);
                    if let (Some((_, right)), Some(x)) = (right, value) {
                        assert_eq!(*x, right(k as f64), "{place}: {channel} in {k}");
                    }
                }
            }
            assert!(rows.len() >= most || rows.len() + 1 >= most, "{place}");
            most = most.max(rows.len());
        }
        assert!(most > COUNT / 2, "{name}: only {most} rows");
    }
}

#[test]
fn folder_of_a_ros2_bag_is_read_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let error = Table::open(folder.path(), &Wanted::default()).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("without files of a ROS 2 bag"),
        "{message}"
    );
    std::fs::copy(peer("in_order.mcap"), folder.path().join("bag_0.mcap")).unwrap();
    std::fs::copy(peer("ros1.mcap"), folder.path().join("bag_10.mcap")).unwrap();
    std::fs::write(
        folder.path().join("metadata.yaml"),
        "rosbag2_bagfile_information:\n  relative_file_paths:\n    - bag_0.mcap\n    - bag_10.mcap\n",
    )
    .unwrap();
    let (_, rows) = read(folder.path(), &wanted(TWO)).unwrap();
    assert_eq!(rows.len(), COUNT);
    std::fs::remove_file(folder.path().join("bag_10.mcap")).unwrap();
    let table = Table::open(folder.path(), &Wanted::default()).unwrap();
    let note = "`bag_10.mcap`, which metadata.yaml lists, is not in the folder";
    let notes = table.notes();
    assert!(notes.iter().any(|n| n.starts_with(note)), "{notes:?}");
    std::fs::write(folder.path().join("bag_1.db3.zstd"), b"x").unwrap();
    let message = Table::open(folder.path(), &Wanted::default())
        .unwrap_err()
        .to_string();
    assert!(message.contains("zstd -d"), "{message}");
}

/// Reads mutations of peers' files: no input may cause a panic, a hang or a large allocation.
fn fuzz(name: &str, seeds: &[&str]) {
    let seeds: Vec<Vec<u8>> = seeds
        .iter()
        .map(|s| std::fs::read(peer(s)).unwrap())
        .collect();
    mutate::fuzz(name, &seeds, |file| {
        let _ = read(file, &Wanted::default());
    });
}

#[test]
fn fuzz_mcap() {
    fuzz("mcap", &["by_topic.mcap", "ros1.mcap", "in_order.mcap"]);
}

#[test]
fn fuzz_bag() {
    fuzz("bag", &["lz4.bag", "bz2.bag", "plain.bag"]);
}

#[cfg(feature = "sqlite")]
#[test]
fn fuzz_db3() {
    fuzz("db3", &["jazzy.db3", "humble.db3", "compressed.db3"]);
}
