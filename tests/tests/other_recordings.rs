//! Recordings of other programs, in each format that is read, as the source of a sensor and as a table to analyse.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_tests::{folder, root, run, say};
use std::process::Command;

/// Files that pyulog, pymavlink, pandas, pyarrow and numpy write, and two columns of each.
const FILES: [(&str, [&str; 2]); 12] = [
    ("peer.ulg", ["sensor_accel/x", "sensor_accel_1/y"]),
    ("peer.BIN", ["IMU[0]/GyrX", "IMU[1]/GyrY"]),
    ("peer.log", ["IMU[0]/GyrX", "IMU[1]/GyrY"]),
    ("frame_snappy.parquet", ["x", "y"]),
    ("frame_lz4.feather", ["x", "y"]),
    ("types.arrows", ["half", "price"]),
    ("c.npy", ["column_1", "column_3"]),
    ("records.npy", ["v", "pos[2]"]),
    ("deflated.npz", ["x", "pos[0]"]),
    ("nested.ndjson", ["pose/x", "pose/q/1"]),
    ("frame.jsonl", ["x", "y"]),
    ("pretty.json", ["x", "x"]),
];

#[test]
fn recordings_of_other_programs_replay_and_are_analysed() {
    let Some(python) = std::env::var_os("BECOMINGONE_PYTHON") else {
        say("skipped: recordings of other programs, as BECOMINGONE_PYTHON is not set");
        return;
    };
    let folder = folder(&[]);
    for script in ["flight_logs.py", "typed_tables.py"] {
        let script = root().join("plugins/replay/tests/peers").join(script);
        let ran = Command::new(&python)
            .arg("-B")
            .arg(&script)
            .arg(folder.path())
            .output()
            .unwrap();
        assert!(
            ran.status.success(),
            "{}",
            String::from_utf8_lossy(&ran.stderr)
        );
    }
    for (file, [a, b]) in FILES {
        let columns = if a == b {
            format!("{a:?}")
        } else {
            format!("{a:?}, {b:?}")
        };
        let fields = if a == b {
            "(name: \"a\", unit: \"1\")"
        } else {
            "(name: \"a\", unit: \"1\"), (name: \"b\", unit: \"1\")"
        };
        let scene = format!(
            "(version: 1, duration_s: 1.0, world: (ground: None), agents: [(name: \"box\", coherence: off, sensors: [(
                name: \"log\", kind: Values(fields: [{fields}]), rate_hz: 50.0,
                source: Replay(file: {file:?}, columns: [{columns}]))])])"
        );
        std::fs::write(folder.path().join("scene.ron"), scene).unwrap();
        let ran = run(
            folder.path(),
            &[
                "run",
                "scene.ron",
                "--rerun",
                "off",
                "--summary",
                "summary.json",
            ],
        );
        assert_eq!(ran.code, Some(0), "{file}: {}", ran.stderr);
        let summary = std::fs::read(folder.path().join("summary.json")).unwrap();
        let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
        let readings = summary["agents"][0]["sensors"][0]["readings"]
            .as_u64()
            .unwrap();
        assert!(readings >= 49, "{file}: {readings} readings in 1 s");
        let ran = run(
            folder.path(),
            &[
                "analyze",
                file,
                "--baseline",
                "64",
                "--rate",
                "200",
                "--rerun",
                "off",
            ],
        );
        assert_eq!(ran.code, Some(0), "{file}: {}", ran.stderr);
        let channels = ran
            .stdout
            .lines()
            .find(|l| l.contains("channels: "))
            .unwrap_or_default();
        assert!(
            channels.contains(a) || file.ends_with(".json"),
            "{file}: {}",
            ran.stdout
        );
    }
    // A bag of ROS 2 is a folder.
    let bag = folder.path().join("bag");
    std::fs::create_dir(&bag).unwrap();
    let peer = root().join("plugins/replay/tests/peer/in_order.mcap");
    std::fs::copy(peer, bag.join("bag_0.mcap")).unwrap();
    let scene = "(version: 1, duration_s: 0.5, world: (ground: None), agents: [(name: \"box\", coherence: off, sensors: [(
        name: \"log\", kind: Values(fields: [(name: \"x\", unit: \"m/s\")]), rate_hz: 100.0,
        source: Replay(file: \"bag\", topic: \"/a\", field: \"linear/x\"))])])";
    std::fs::write(folder.path().join("scene.ron"), scene).unwrap();
    let ran = run(folder.path(), &["run", "scene.ron", "--rerun", "off"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // A column that is not there is named, with those that are.
    let scene = "(version: 1, duration_s: 1.0, world: (ground: None), agents: [(name: \"box\", coherence: off, sensors: [(
        name: \"log\", kind: Values(fields: [(name: \"a\", unit: \"1\")]), rate_hz: 50.0,
        source: Replay(file: \"peer.BIN\", columns: [\"IMU[0]/GyrZ\"]))])])";
    std::fs::write(folder.path().join("scene.ron"), scene).unwrap();
    let ran = run(folder.path(), &["run", "scene.ron", "--rerun", "off"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("IMU[0]/GyrX"), "{}", ran.stderr);
}
