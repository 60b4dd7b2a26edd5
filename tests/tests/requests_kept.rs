//! What `--serve` acknowledged is kept: whenever the process is killed, every request of it is on the disk, and a
//! replay says what was applied.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone_tests::run;
use becomingone_tests::served::{OPERATOR, Served};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// Moments at which the process is killed; more by this variable, in soak.
const KILLS: u64 = 12;
const KILLS_VARIABLE: &str = "BECOMINGONE_KILLS";

/// Keys of the requests of a file beside a recording.
fn kept(text: &str) -> BTreeSet<String> {
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let keys = lines.filter_map(|line| line["key"].as_str().map(str::to_owned));
    keys.collect()
}

#[test]
fn what_was_acknowledged_is_kept_whenever_the_process_is_killed() {
    let kills = std::env::var(KILLS_VARIABLE).ok();
    let kills = kills.map_or(KILLS, |kills| kills.parse().unwrap());
    let mut applied_in_all = 0;
    for kill in 0..kills {
        let mut served = Served::new(&["--record", "run.mcap", "--rate", "20"]);
        let lease = served.lease(&json!({"for_s": 60.0}));
        let child = served.child.id();
        // Around a request: after 0 to 700 ms, in steps that share no factor with the time of a request.
        let after = Duration::from_micros(kill * 700_000 / kills + 317 * kill);
        let killer = std::thread::spawn(move || {
            std::thread::sleep(after);
            becomingone_tests::signal("KILL", child);
        });
        let mut acknowledged = BTreeSet::new();
        for number in 0.. {
            let key = format!("{kill}-{number}");
            let headers = format!("{lease}Idempotency-Key: {key}\r\n");
            let distance = 0.01 * f64::from(number + 1);
            let what = json!({"kind": "move", "distance_m": distance, "for_s": 3.0});
            match served.request(OPERATOR, &headers, &what).0 {
                202 => acknowledged.insert(key),
                0 => break,
                status => panic!("{status}"),
            };
        }
        killer.join().unwrap();
        served.child.wait().unwrap();
        let folder = served.folder.path();
        let text = std::fs::read_to_string(folder.join("run.mcap.requests")).unwrap();
        let lost: Vec<_> = acknowledged.difference(&kept(&text)).cloned().collect();
        assert!(lost.is_empty(), "{lost:?}");
        // Killed before the first flush, it has no tick.
        if std::fs::metadata(folder.join("run.mcap")).unwrap().len() == 0 {
            continue;
        }
        let info = run(folder, &["info", "--json", "run.mcap"]);
        let info: Value =
            serde_json::from_str(&info.stdout).unwrap_or_else(|_| panic!("{}", info.stderr));
        if info["requests"].is_null() {
            assert!(acknowledged.is_empty());
            continue;
        }
        let count = |name: &str| info["requests"][name].as_u64().unwrap();
        let not_applied = info["requests"]["not_applied"].as_array().unwrap();
        assert_eq!(
            count("acknowledged"),
            count("applied") + count("refused") + not_applied.len() as u64
        );
        assert!(count("acknowledged") >= acknowledged.len() as u64);
        // What is not applied was to be applied after the end of the recording, or its answer was not there yet.
        let last = info["ticks"].as_u64().unwrap();
        for request in not_applied {
            assert!(
                request["tick"].as_u64().is_none_or(|tick| tick > last),
                "{request}, {last}"
            );
        }
        applied_in_all += count("applied");
        if info["ticks"].as_u64().unwrap() > 0 {
            let replayed = run(folder, &["replay", "--verify", "--rerun=off", "run.mcap"]);
            assert!(
                replayed.stdout.contains("all hashes equal"),
                "{}{}",
                replayed.stdout,
                replayed.stderr
            );
            assert!(
                replayed.stdout.contains("requests: "),
                "{}",
                replayed.stdout
            );
        }
    }
    assert!(applied_in_all > 0);
}
