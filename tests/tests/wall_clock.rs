//! The wall clock is set back by an hour in mid-run: no reading is lost, and nothing waits.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone_tests::{binary, folder, say};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Libraries of libfaketime, as Debian and Fedora have them.
const LIBRARIES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
];

/// A program that counts, 100 times a second, by the true clock.
const COUNT: &str = "
import itertools, json, time
begun = time.clock_gettime(time.CLOCK_MONOTONIC)
for n in itertools.count():
    print(json.dumps({'n': n, 'x': n}), flush=True)
    time.sleep(max(0, begun + n / 100 - time.clock_gettime(time.CLOCK_MONOTONIC)))
";

const SCENE: &str = r#"(version: 1, duration_s: 4, world: (ground: None), agents: [(
    name: "box", coherence: off, sensors: [(
        name: "meter", kind: Values(fields: [(name: "x", unit: "1")]), rate_hz: 100,
        queue: Lossless(1000), silence: (after_s: 0.5, then: Fail),
        source: Driver("process", (argv: ["env", "-u", "LD_PRELOAD", "python3", "count.py"], sequence: "/n"))),
    ])])"#;

#[test]
fn a_wall_clock_that_is_set_back_by_an_hour_loses_no_reading_and_is_not_waited_for() {
    let Some(library) = LIBRARIES.into_iter().find(|l| Path::new(l).is_file()) else {
        say(
            "skipped: the wall clock set back, as libfaketime is missing: apt-get install faketime",
        );
        return;
    };
    let here = folder(&[("s.ron", SCENE), ("count.py", COUNT), ("clock", "+0")]);
    let at = |name: &str| here.path().join(name);
    let under_another_clock = |program: &Path| {
        let mut command = Command::new(program);
        command
            .env("LD_PRELOAD", library)
            .env("FAKETIME_TIMESTAMP_FILE", at("clock"))
            .env("FAKETIME_NO_CACHE", "1")
            // What Linux itself does: the monotonic clock goes on. The name of old versions, and of new ones.
            .env("DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command
    };
    let begun = Instant::now();
    let mut run = under_another_clock(binary())
        .args(["run", "s.ron", "--rerun", "off", "--quiet"])
        .args(["--record", "r.mcap", "--summary", "s.json"])
        .current_dir(&here)
        .spawn()
        .unwrap();
    sleep(Duration::from_secs(2));
    fs::write(at("clock"), "-1h").unwrap();
    let status = run.wait().unwrap();
    let took = begun.elapsed().as_secs_f64();
    assert_eq!(status.code(), Some(0));
    assert!((4.0..8.0).contains(&took), "{took} s");
    // The clock is an hour behind by now.
    let seconds = |mut date: Command| -> i64 {
        let printed = date.arg("+%s").output().unwrap().stdout;
        String::from_utf8(printed).unwrap().trim().parse().unwrap()
    };
    let date = Path::new("/usr/bin/date");
    let behind_s = seconds(Command::new(date)) - seconds(under_another_clock(date));
    assert!((3590..3610).contains(&behind_s), "{behind_s}");
    let text = fs::read_to_string(at("s.json")).unwrap();
    let summary: Value = serde_json::from_str(&text).unwrap();
    let sensor = &summary["agents"][0]["sensors"][0];
    let link = &sensor["link"];
    assert!(sensor["readings"].as_u64().unwrap() > 350, "{sensor}");
    assert_eq!(
        (&sensor["dropped"], &sensor["stale"]),
        (&0.into(), &0.into())
    );
    for lost in ["gaps", "reordered", "duplicates", "garbage", "restarts"] {
        assert_eq!(link[lost], 0, "{lost}: {link}");
    }
}
