//! Recordings of the built binary: replay from the file alone is bit-identical, also after a SIGKILL or a full disk.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone::record::journal::{Item, Journal, JournalError};
use becomingone::record::{Opening, RecordPlugin, SCENE_ATTACHMENT};
use becomingone::{CoherenceEngine, scene};
use becomingone_tests::{Ran, binary, folder, root, run, say, signal, until};
use mcap::records::{Record, op};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Kernel without a body: ticks of negligible cost.
const KERNEL: &str =
    "(version: 1, duration_s: Some(30), agents: [(name: \"k\", coherence: Kernel(channels: [
    (name: \"clock\", signal: Tone(frequency_hz: 1.0)),
]))])";

fn record(here: &Path, args: &[&str], file: &str) -> Ran {
    let mut all = vec!["run"];
    all.extend(args);
    all.extend(["--record", file, "--rerun", "off"]);
    let ran = run(here, &all);
    assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.stderr);
    ran
}

fn verify(here: &Path, file: &str, threads: &str) -> Ran {
    let args = ["replay", file, "--verify", "--threads", threads];
    run(here, &args)
}

fn info(here: &Path, file: &str) -> Value {
    let ran = run(here, &["info", file, "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// Records a minute of a main job and verifies it by replay.
fn verify_a_minute(what: &str) {
    let here = folder(&[]);
    let ran = record(
        here.path(),
        &[what, "--duration", "60s", "--summary", "s.json"],
        "run.mcap",
    );
    assert!(ran.stdout.contains("recorded run.mcap"), "{}", ran.stdout);
    let value = info(here.path(), "run.mcap");
    let summary = std::fs::read_to_string(here.path().join("s.json")).unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    for key in ["scene", "scene_hash", "seed", "ticks", "state_hash"] {
        assert_eq!(value[key], summary[key], "{key}");
    }
    assert_eq!(value["closed"], true);
    assert_eq!(value["dropped"], 0);
    assert_eq!(value["duration_s"], 60.0);
    let topics = value["topics"].as_array().unwrap();
    let count = |name: &str| {
        let topic = topics.iter().find(|t| t["topic"] == name);
        topic.map_or(0, |t| t["count"].as_u64().unwrap())
    };
    assert_eq!(count("/journal/hash"), 60_000);
    for agent in summary["agents"].as_array().unwrap() {
        for sensor in agent["sensors"].as_array().unwrap() {
            let name = |n: &Value| n["name"].as_str().unwrap().to_owned();
            let topic = format!("/{}/{}", name(agent), name(sensor));
            assert_eq!(
                count(&topic),
                sensor["readings"].as_u64().unwrap(),
                "{topic}"
            );
            assert_eq!(count(&format!("{topic}/truth")), count(&topic));
        }
    }
    for threads in ["1", "2"] {
        let ran = verify(here.path(), "run.mcap", threads);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(
            ran.stdout.contains("verified: 60000 ticks"),
            "{}",
            ran.stdout
        );
        let state = summary["state_hash"].as_str().unwrap();
        assert!(ran.stdout.contains(state), "{}", ran.stdout);
    }
}

#[test]
fn robot_recording_of_a_minute_verifies() {
    verify_a_minute("robot");
}

#[test]
fn vehicle_recording_of_a_minute_verifies() {
    verify_a_minute("vehicle");
}

#[test]
fn recording_is_self_contained() {
    let here = folder(&[]);
    let assets = root().join("assets");
    for name in ["rover.urdf", "bollard.obj"] {
        std::fs::copy(assets.join(name), here.path().join(name)).unwrap();
    }
    let scene = "(version: 1, duration_s: Some(1), world: (obstacles: [
        Mesh(name: \"post\", file: \"bollard.obj\", position_m: (3, 0, 0)),
    ]), agents: [(name: \"r\", model: \"rover.urdf\", drive: Auto, sensors: [
        (name: \"lidar\", kind: Lidar(rays: 90, range_max_m: 8), rate_hz: 10, position_m: (0.06, 0, 0.26)),
    ])])";
    std::fs::write(here.path().join("s.ron"), scene).unwrap();
    record(here.path(), &["s.ron"], "run.mcap");
    let there = folder(&[]);
    std::fs::rename(here.path().join("run.mcap"), there.path().join("run.mcap")).unwrap();
    drop(here);
    let ran = verify(there.path(), "run.mcap", "1");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // A robot file without a scene.
    std::fs::copy(assets.join("arm.urdf"), there.path().join("arm.urdf")).unwrap();
    record(there.path(), &["arm.urdf", "--duration", "1s"], "arm.mcap");
    std::fs::remove_file(there.path().join("arm.urdf")).unwrap();
    let ran = verify(there.path(), "arm.mcap", "1");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

/// Offset and length of the compressed bytes of each chunk, and its time range (ns).
fn chunks(bytes: &[u8]) -> Vec<(usize, usize, u64, u64)> {
    let mut chunks = Vec::new();
    let mut at = mcap::MAGIC.len();
    while let Some(head) = bytes.get(at..at + 9) {
        let length = u64::from_le_bytes(head[1..9].try_into().unwrap()) as usize;
        let Some(body) = bytes.get(at + 9..at + 9 + length) else {
            break;
        };
        if head[0] == op::CHUNK {
            let Ok(Record::Chunk { header, data }) = mcap::parse_record(head[0], body) else {
                panic!("no chunk at {at}");
            };
            let begin = at + 9 + body.len() - data.len();
            chunks.push((
                begin,
                data.len(),
                header.message_start_time,
                header.message_end_time,
            ));
        }
        if head[0] == op::DATA_END {
            break;
        }
        at += 9 + length;
    }
    chunks
}

#[test]
fn corrupt_byte_is_reported_with_the_times_of_its_chunk() {
    let here = folder(&[]);
    record(here.path(), &["robot", "--duration", "5s"], "run.mcap");
    let bytes = std::fs::read(here.path().join("run.mcap")).unwrap();
    let chunks = chunks(&bytes);
    assert!(chunks.len() > 2, "{} chunks", chunks.len());
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    for _ in 0..12 {
        let (begin, length, from_ns, to_ns) = chunks[dice.below(chunks.len())];
        let mut wrong = bytes.clone();
        wrong[begin + dice.below(length)] ^= 1 << dice.below(8);
        std::fs::write(here.path().join("wrong.mcap"), wrong).unwrap();
        for args in [["replay", "wrong.mcap"], ["info", "wrong.mcap"]] {
            let ran = run(here.path(), &args);
            assert_eq!(ran.code, Some(2), "{}", ran.stderr);
            let s = |ns: u64| ns as f64 / 1e9;
            let range = format!("in the chunk from {:.3} s to {:.3} s", s(from_ns), s(to_ns));
            assert!(ran.stderr.contains(&range), "{range}: {}", ran.stderr);
        }
    }
    // A corrupt byte at any place never changes the content silently.
    for _ in 0..40 {
        let mut wrong = bytes.clone();
        let at = dice.below(bytes.len());
        wrong[at] ^= 1 << dice.below(8);
        let path = here.path().join("wrong.mcap");
        std::fs::write(&path, wrong).unwrap();
        let _ = all(&path);
    }
}

#[test]
fn recording_truncated_before_its_first_tick_does_not_verify() {
    let here = folder(&[("s.ron", KERNEL)]);
    record(here.path(), &["s.ron", "--duration", "1s"], "run.mcap");
    let bytes = std::fs::read(here.path().join("run.mcap")).unwrap();
    let (first, ..) = chunks(&bytes)[0];
    // The chunk record's header precedes the offset of `chunks`: cut within it, and before it.
    for end in [first, first - 100] {
        std::fs::write(here.path().join("cut.mcap"), &bytes[..end]).unwrap();
        for more in [&["--verify"][..], &["--verify", "--quiet"]] {
            let ran = run(here.path(), &[&["replay", "cut.mcap"][..], more].concat());
            assert_eq!(ran.code, Some(2), "{}", ran.stderr);
            assert!(!ran.stdout.contains("verified"), "{}", ran.stdout);
            let expected = "error: cut.mcap: found no tick; expected at least one to compare";
            assert!(ran.stderr.contains(expected), "{}", ran.stderr);
        }
        let ran = run(here.path(), &["replay", "cut.mcap"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stderr.contains("its end, 0 ticks"), "{}", ran.stderr);
    }
}

/// Xorshift (Marsaglia 2003), for reproducible places and times.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }
}

/// All items of a recording, or its error.
fn all(path: &Path) -> Result<(Journal, Vec<Item>), JournalError> {
    let mut journal = Journal::open(path)?;
    let mut items = Vec::new();
    while let Some(item) = journal.read()? {
        items.push(item);
    }
    Ok((journal, items))
}

#[test]
fn files_that_are_no_recordings_are_refused_by_name() {
    let here = folder(&[
        ("text.mcap", "no MCAP at all"),
        ("empty.mcap", ""),
        ("s.ron", KERNEL),
    ]);
    let foreign = here.path().join("foreign.mcap");
    let mut writer = mcap::Writer::new(std::fs::File::create(&foreign).unwrap()).unwrap();
    let channel = writer
        .add_channel(0, "/chat", "json", &BTreeMap::new())
        .unwrap();
    let header = mcap::records::MessageHeader {
        channel_id: channel,
        sequence: 0,
        log_time: 0,
        publish_time: 0,
    };
    writer.write_to_known_channel(&header, b"{}").unwrap();
    writer.finish().unwrap();
    drop(writer);
    std::fs::create_dir(here.path().join("folder.mcap")).unwrap();
    // A recording of an earlier version.
    record(here.path(), &["s.ron"], "older.mcap");
    let older = here.path().join("older.mcap");
    let mut bytes = std::fs::read(&older).unwrap();
    let entry = b"\x07\0\0\0journal\x01\0\0\0";
    let at = bytes.windows(entry.len()).position(|w| w == entry).unwrap();
    bytes[at + entry.len()] = b'1';
    std::fs::write(&older, bytes).unwrap();
    for (file, expected) in [
        (
            "foreign.mcap",
            "found another program's MCAP file; expected a recording from `becomingone run --record`: metadata `becomingone.run`",
        ),
        ("text.mcap", "found a file that is not MCAP"),
        ("empty.mcap", "found an empty file"),
        ("folder.mcap", "found a folder"),
        ("missing.mcap", "No such file"),
        (
            "older.mcap",
            "found a journal of version 1, from another version of the engine; expected version 2",
        ),
    ] {
        for verb in ["info", "replay"] {
            let ran = run(here.path(), &[verb, file]);
            assert_eq!(ran.code, Some(2), "{file}: {}", ran.stderr);
            assert!(
                ran.stderr.contains(expected) && ran.stderr.contains(file),
                "{}",
                ran.stderr
            );
        }
    }
}

#[test]
fn recording_does_not_overwrite_files_of_the_run() {
    let here = folder(&[("s.ron", KERNEL), ("p.ron", "(seed: 4)")]);
    let rover = here.path().join("rover.urdf");
    std::fs::copy(root().join("assets/rover.urdf"), &rover).unwrap();
    let scene = "(version: 1, agents: [(name: \"r\", model: \"rover.urdf\")])";
    std::fs::write(here.path().join("r.ron"), scene).unwrap();
    for args in [
        &["s.ron", "--record", "s.ron"][..],
        &["s.ron", "--record", "./s.ron"],
        &["s.ron", "--profile", "p.ron", "--record", "p.ron"],
        &["r.ron", "--record", "rover.urdf"],
        &["s.ron", "--record", "a", "--rerun", "save=a"],
        &["s.ron", "--record", "a", "--summary", "a"],
        &["s.ron", "--record", "no/such/folder.mcap"],
    ] {
        let mut all = vec!["run"];
        all.extend(args);
        let ran = run(here.path(), &all);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(
        std::fs::read_to_string(here.path().join("s.ron")).unwrap(),
        KERNEL
    );
    assert!(std::fs::metadata(rover).unwrap().len() > 1000);
    record(here.path(), &["s.ron", "--duration", "1s"], "a.mcap");
    let hard = |of: &str, to: &str| std::fs::hard_link(here.path().join(of), here.path().join(to));
    hard("a.mcap", "b.mcap").unwrap();
    hard("s.ron", "hard.ron").unwrap();
    let ran = run(here.path(), &["run", "s.ron", "--record", "hard.ron"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    for args in [
        ["--summary", "a.mcap"],
        ["--summary", "b.mcap"],
        ["--rerun", "save=a.mcap"],
    ] {
        let ran = run(here.path(), &["replay", "a.mcap", args[0], args[1]]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    }
    assert_eq!(info(here.path(), "a.mcap")["closed"], true);
}

/// Records 1 s, a reset, and 0.5 s of another seed.
fn two_runs(path: &Path) -> [String; 2] {
    let file = root().join("scenes/warehouse_robot.ron");
    let loaded = scene::load(&file, None).unwrap();
    let remembered = becomingone::assets::CapturingFiles::new(&becomingone::assets::Assets);
    let kinds = becomingone::Plugins::new().kinds();
    let loader = scene::SceneLoader::new(&kinds).files(&remembered);
    loader.load(&file).unwrap();
    let text = scene::held(&loaded.scene).into_bytes();
    let mut attachments = vec![(SCENE_ATTACHMENT.to_owned(), text)];
    attachments.extend(remembered.take());
    let opening = Opening {
        attachments,
        ..Opening::default()
    };
    let mut engine = CoherenceEngine::from_loaded(loaded);
    engine.add_plugin(RecordPlugin::new(path, opening).unwrap());
    let first = engine.run_for(Duration::from_secs(1)).unwrap().state_hash;
    engine.set_seed(9);
    engine.reset().unwrap();
    let second = engine
        .run_for(Duration::from_millis(500))
        .unwrap()
        .state_hash;
    let report = becomingone::record::finish(engine.world_mut(), Duration::from_secs(20)).unwrap();
    assert_eq!((report.ticks, report.dropped, report.lost), (1500, 0, None));
    [first, second]
}

#[test]
fn reset_during_a_run_is_replayed() {
    let here = folder(&[]);
    let hashes = two_runs(&here.path().join("run.mcap"));
    let value = info(here.path(), "run.mcap");
    assert_eq!(
        (value["runs"].as_u64(), value["ticks"].as_u64()),
        (Some(2), Some(1500))
    );
    assert_eq!(value["state_hash"], hashes[1].as_str());
    let ran = verify(here.path(), "run.mcap", "1");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("verified: 1500 ticks") && ran.stdout.contains(&hashes[1]));
    // Times in the file are monotonic.
    let (_, items) = all(&here.path().join("run.mcap")).unwrap();
    let mut last = 0;
    for item in items {
        let Item::Tick(tick) = item else { continue };
        let now = tick.messages.iter().map(|m| m.log_ns).max().unwrap_or(last);
        assert!(now >= last, "{now} after {last}");
        last = now.saturating_sub(1_000_000);
    }
}

/// Python with the package `mcap`; `None` with a notice if there is none.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("BECOMINGONE_PYTHON").map(PathBuf::from);
    if python.is_none() {
        say("skipped: PyPI mcap, as BECOMINGONE_PYTHON is not set");
    }
    python
}

const READ: &str = "
import json, sys
from mcap.exceptions import EndOfFile
from mcap.reader import NonSeekingReader, make_reader
path, whole = sys.argv[1], sys.argv[2] == 'whole'
counts, end, last = {}, 'closed', None
with open(path, 'rb') as f:
    reader = make_reader(f) if whole else NonSeekingReader(f, validate_crcs=True)
    try:
        for schema, channel, message in reader.iter_messages(log_time_order=False):
            counts[channel.topic] = counts.get(channel.topic, 0) + 1
            if channel.message_encoding == 'json':
                fields = json.loads(message.data)
                assert schema.encoding == 'jsonschema', channel.topic
                known = json.loads(schema.data)['properties']
                assert set(fields) <= set(known), (channel.topic, fields, known)
            else:
                assert schema.encoding == 'protobuf' and schema.name.startswith('foxglove.'), schema.name
            if channel.topic == '/journal/hash':
                last = json.loads(message.data)
    except EndOfFile:
        end = 'cut'
    files = [] if not whole else [a.name for a in reader.iter_attachments()]
    about = {} if not whole else {m.name: m.metadata for m in reader.iter_metadata()}
print(json.dumps(dict(counts=counts, end=end, last=last, files=files, about=about)))
";

fn read_with_python(python: &Path, file: &Path, how: &str) -> Value {
    let mut command = Command::new(python);
    command.args(["-c", READ]).arg(file).arg(how);
    let ran = becomingone_tests::finish(&mut command, Duration::from_secs(60));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn recordings_are_readable_by_the_python_mcap_library() {
    let Some(python) = python() else { return };
    let here = folder(&[]);
    record(here.path(), &["robot", "--duration", "5s"], "run.mcap");
    let ours = info(here.path(), "run.mcap");
    for how in ["whole", "sequential"] {
        let theirs = read_with_python(&python, &here.path().join("run.mcap"), how);
        assert_eq!(theirs["end"], "closed");
        for topic in ours["topics"].as_array().unwrap() {
            let name = topic["topic"].as_str().unwrap();
            assert_eq!(theirs["counts"][name], topic["count"], "{name}");
        }
        assert_eq!(theirs["last"]["hash"], ours["state_hash"]);
        if how == "whole" {
            assert_eq!(
                theirs["about"]["becomingone.run"]["scene"],
                "warehouse_robot"
            );
            let files = theirs["files"].as_array().unwrap();
            assert!(files.iter().any(|f| f == "scene.ron"), "{files:?}");
        }
    }
}

/// Runs and kills the program this long after the start of its recording.
fn killed(here: &Path, args: &[&str], file: &str, after: Duration) -> Duration {
    let path = here.join(file);
    let mut all = vec!["run"];
    all.extend(args);
    all.extend(["--record", file, "--rerun", "off", "--quiet"]);
    let mut child = Command::new(binary())
        .current_dir(here)
        .args(&all)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = |path: &Path| std::fs::metadata(path).is_ok_and(|m| m.len() > 0);
    until(Duration::from_secs(30), "a recording", || begun(&path));
    let since = Instant::now();
    std::thread::sleep(after);
    signal("KILL", child.id());
    let lived = since.elapsed();
    child.wait().unwrap();
    lived
}

/// A viewer that does not answer holds up the end of the run for a second.
#[test]
fn a_second_signal_ends_the_program_at_once_and_names_the_recording_that_it_leaves_open() {
    let here = folder(&[]);
    let viewer = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = viewer.local_addr().unwrap();
    let end = |signals: &[&str], parent: Option<u32>| {
        let parent = parent.map(|id| ("BECOMINGONE_PARENT", id.to_string()));
        let mut child = Command::new(binary())
            .current_dir(here.path())
            .envs(parent)
            .args(["run", "robot", "--real-time", "--duration", "60s"])
            .args(["--rerun", &format!("connect=rerun+http://{address}/proxy")])
            .args(["--record", "r.mcap"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The robot is printed after the handler of signals is installed.
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        printed.read_line(&mut String::new()).unwrap();
        std::thread::sleep(Duration::from_secs(1));
        let mut asked = Instant::now();
        for name in signals {
            std::thread::sleep(Duration::from_millis(100));
            assert!(child.try_wait().unwrap().is_none());
            signal(name, child.id());
            asked = Instant::now();
        }
        // What it prints fits into the pipes.
        let ran = child.wait_with_output().unwrap();
        let took = asked.elapsed();
        assert_eq!(ran.status.code(), Some(130));
        let (journal, items) = all(&here.path().join("r.mcap")).unwrap();
        assert!(items.len() > 100);
        let stderr = String::from_utf8(ran.stderr).unwrap();
        (took, journal.ending().cut, stderr)
    };
    let (_, is_cut, stderr) = end(&["TERM"], None);
    assert!(!is_cut && !stderr.contains("not closed"), "{stderr}");
    let (took, is_cut, stderr) = end(&["TERM", "TERM"], None);
    assert!(took < Duration::from_millis(500), "{took:?}");
    let named = "warning: the recording r.mcap is not closed: it may lack its last 0.4 s; `becomingone info r.mcap` shows what it has";
    assert!(is_cut && stderr.contains(named), "{stderr}");
    // A server of runs asks for their end, and by its own end once more: that closes the recording, too.
    let (_, is_cut, stderr) = end(&["TERM", "TERM"], Some(std::process::id()));
    assert!(!is_cut && !stderr.contains("not closed"), "{stderr}");
}

#[test]
fn sigkill_at_any_moment_loses_at_most_the_last_second() {
    let here = folder(&[("s.ron", KERNEL)]);
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    // Half of the runs keep real time, so that the wall clock gives the simulated time; half run at full speed.
    let moments: Vec<(usize, Duration)> = (0..50)
        .map(|k| (k, Duration::from_millis(dice.below(2200) as u64)))
        .collect();
    let lines: Vec<_> = std::thread::scope(|scope| {
        let batches: Vec<_> = moments.chunks(10).collect();
        let threads: Vec<_> = batches
            .into_iter()
            .map(|batch| {
                let here = here.path();
                scope.spawn(move || {
                    let one = |&(k, after): &(usize, Duration)| {
                        let file = format!("{k}.mcap");
                        let args: &[&str] = match k % 4 {
                            0 | 2 => &["s.ron", "--real-time"],
                            1 => &["s.ron", "--duration", "300000s"],
                            _ => &["robot", "--duration", "100000s"],
                        };
                        (k, killed(here, args, &file, after))
                    };
                    batch.iter().map(one).collect::<Vec<_>>()
                })
            })
            .collect();
        let done = threads.into_iter().flat_map(|t| t.join().unwrap());
        done.collect()
    });
    let mut opened = 0;
    for &(k, lived) in &lines {
        let file = format!("{k}.mcap");
        match all(&here.path().join(&file)) {
            Ok((journal, items)) => {
                opened += 1;
                assert!(journal.ending().cut, "{file}");
                assert!(journal.ending().closed.is_none(), "{file}");
                let end_ns = items.iter().rev().find_map(|item| match item {
                    Item::Tick(tick) => Some(tick.now_ns),
                    _ => None,
                });
                let end_s = end_ns.unwrap_or(0) as f64 / 1e9;
                if k % 2 == 0 {
                    assert!(
                        end_s > lived.as_secs_f64() - 1.0,
                        "{file}: killed after {lived:?}, ends at {end_s} s"
                    );
                }
            }
            Err(error) => panic!("{file}, killed after {lived:?}: {error}"),
        }
    }
    assert_eq!(opened, 50);
    let python = python();
    for k in [0, 1, 3] {
        let file = format!("{k}.mcap");
        let value = info(here.path(), &file);
        assert_eq!(value["closed"], false);
        if let Some(python) = &python {
            let theirs = read_with_python(python, &here.path().join(&file), "sequential");
            let ticks = theirs["counts"]["/journal/hash"].as_u64().unwrap_or(0);
            assert_eq!(value["ticks"].as_u64(), Some(ticks), "{file}");
        }
    }
    // The runs in real time only, to limit the duration.
    let paced = lines.iter().filter(|(k, _)| k % 2 == 0);
    let (longest, _) = paced.max_by_key(|(_, lived)| *lived).unwrap();
    let ran = verify(here.path(), &format!("{longest}.mcap"), "1");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("is truncated: replayed up to its end"),
        "{}",
        ran.stderr
    );
}

/// Disk of this size, unmounted on drop; `None` with a notice without the permission to mount.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new(size: &str) -> Option<Self> {
        let here = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(here.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(here));
        }
        say("skipped: a full disk, as mounting a tmpfs is not allowed here");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn full_disk_ends_the_recording_but_not_the_run() {
    let Some(disk) = SmallDisk::new("16m") else {
        return;
    };
    let here = disk.0.path();
    let args = ["run", "robot", "--duration", "90s", "--rerun", "off"];
    let ran = run(here, &[&args[..], &["--record", "run.mcap"]].concat());
    assert!(ran.stdout.contains("90000 ticks"), "{}", ran.stdout);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let logged = ran.stderr.matches("the run continues").count();
    assert_eq!(logged, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("No space left"), "{}", ran.stderr);
    let value = info(here, "run.mcap");
    assert_eq!(value["closed"], false);
    let ticks = value["ticks"].as_u64().unwrap();
    assert!((1..90_000).contains(&ticks), "{ticks}");
    let ran = verify(here, "run.mcap", "1");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    if let Some(python) = python() {
        let theirs = read_with_python(&python, &here.join("run.mcap"), "sequential");
        assert_eq!(theirs["counts"]["/journal/hash"].as_u64(), Some(ticks));
    }
}

/// Copies a recording with one message of a topic changed.
fn rewritten(from: &Path, to: &Path, topic: &str, change: impl Fn(&mut Value) -> bool) {
    let bytes = std::fs::read(from).unwrap();
    let mut writer = mcap::WriteOptions::new()
        .profile("becomingone")
        .create(std::fs::File::create(to).unwrap())
        .unwrap();
    let mut changed = false;
    for record in mcap::read::ChunkFlattener::new(&bytes).unwrap() {
        match record.unwrap() {
            Record::Metadata(metadata) => writer.write_metadata(&metadata).unwrap(),
            Record::Attachment { header, data, .. } => writer
                .attach(&mcap::Attachment {
                    log_time: header.log_time,
                    create_time: header.create_time,
                    name: header.name,
                    media_type: header.media_type,
                    data,
                })
                .unwrap(),
            // Messages hold all data of a tick.
            Record::DataEnd(_) => break,
            _ => {}
        }
    }
    for message in mcap::MessageStream::new(&bytes).unwrap() {
        let mut message = message.unwrap();
        if message.channel.topic == topic && !changed {
            let mut value: Value = serde_json::from_slice(&message.data).unwrap();
            changed = change(&mut value);
            if changed {
                message.data = serde_json::to_vec(&value).unwrap().into();
            }
        }
        writer.write(&message).unwrap();
    }
    writer.finish().unwrap();
    assert!(changed, "nothing to change in {topic}");
}

#[cfg(unix)]
#[test]
fn altered_input_frame_is_reported_with_its_tick_and_state_part() {
    use rexpect::reader::Options;
    let here = folder(&[]);
    let mut command = Command::new(binary());
    command.current_dir(here.path()).args([
        "run", "robot", "--teleop", "--record", "run.mcap", "--rerun", "off",
    ]);
    let options = Options::new()
        .timeout_ms(Some(20_000))
        .strip_ansi_escape_codes(true);
    let mut terminal = rexpect::session::spawn_with_options(command, options).unwrap();
    terminal.exp_string("h ? help").unwrap();
    for (key, shown) in [
        ("w", "rover ahead"),
        ("a", "rover ahead left"),
        ("x", "rover stop"),
    ] {
        terminal.send(key).unwrap();
        terminal.flush().unwrap();
        terminal.exp_string(shown).unwrap();
        std::thread::sleep(Duration::from_millis(200));
    }
    terminal.send("q").unwrap();
    terminal.flush().unwrap();
    terminal.exp_string("recorded run.mcap").unwrap();
    terminal.exp_eof().unwrap();
    let ran = verify(here.path(), "run.mcap", "2");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(info(here.path(), "run.mcap")["links"][0], "requests");

    let run_file = here.path().join("run.mcap");
    let (_, items) = all(&run_file).unwrap();
    let entered = items.iter().find_map(|item| match item {
        Item::Tick(tick) => (tick.frames.iter())
            .any(|f| format!("{:?}", f.payload).contains("forward: 0.5"))
            .then_some(tick.tick),
        _ => None,
    });
    let entered = entered.expect("a frame of stick input");
    rewritten(
        &run_file,
        &here.path().join("other.mcap"),
        "/journal/entered",
        |content| {
            let stick = &mut content["frame"]["payload"]["Request"]["what"]["Stick"];
            let pressed = stick["forward"] == 0.5;
            if pressed {
                stick["forward"] = 0.25.into();
            }
            pressed
        },
    );
    let ran = verify(here.path(), "other.mcap", "1");
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let named = format!("tick {entered} (");
    assert!(ran.stderr.contains(&named), "{named}: {}", ran.stderr);
    assert!(ran.stderr.contains("first, in `command`"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("/rover/drive/command"),
        "{}",
        ran.stderr
    );
    // Without --verify it is a warning, not a failure.
    let ran = run(here.path(), &["replay", "other.mcap", "--quiet"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("first, in `command`"), "{}", ran.stderr);
}

#[test]
fn altered_simulated_reading_does_not_affect_the_replay() {
    // Readings are simulated again: those in the file have no effect.
    let here = folder(&[]);
    record(here.path(), &["robot", "--duration", "1s"], "run.mcap");
    rewritten(
        &here.path().join("run.mcap"),
        &here.path().join("other.mcap"),
        "/rover/imu",
        |value| {
            value["value"]["specific_force_z"] = 1.into();
            true
        },
    );
    let ran = verify(here.path(), "other.mcap", "1");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // The hash has.
    rewritten(
        &here.path().join("run.mcap"),
        &here.path().join("other.mcap"),
        "/journal/hash",
        |value| {
            let third = value["tick"] == 3;
            if third {
                value["hash"] = "0123456789abcdef".into();
            }
            third
        },
    );
    let ran = verify(here.path(), "other.mcap", "1");
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("tick 3 (0.002000 s to 0.003000 s)"),
        "{}",
        ran.stderr
    );
}

#[test]
fn replay_has_the_output_of_a_run() {
    let here = folder(&[]);
    record(here.path(), &["robot", "--duration", "1s"], "run.mcap");
    let args = [
        "replay",
        "run.mcap",
        "--rerun",
        "save=run.rrd",
        "--summary",
        "s.json",
    ];
    let ran = run(here.path(), &args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("recorded run.rrd"), "{}", ran.stdout);
    assert!(
        std::fs::metadata(here.path().join("run.rrd"))
            .unwrap()
            .len()
            > 10_000
    );
}

/// Patrolling robot with an IMU and a kernel.
const IMU: &str = "(version: 1, agents: [(name: \"r\", model: \"rover.urdf\", drive: Auto, sensors: [
    (name: \"imu\", kind: Imu(gyro: (white_sd: 0.01), accelerometer: (white_sd: 0.05)), rate_hz: 100.0),
    (name: \"encoders\", kind: Encoders(), rate_hz: 100.0),
], controller: Patrol(waypoints_m: [(9, 1)], speed_m_s: 0.6))])";

/// Recorded readings of a sensor: tick, stamp and numbers.
fn readings_of(path: &Path, topic: &str) -> Vec<(u64, u64, Value)> {
    let (_, items) = all(path).unwrap();
    let ticks = items.into_iter().filter_map(|item| match item {
        Item::Tick(tick) => Some(tick),
        _ => None,
    });
    let messages = ticks.flat_map(|tick| tick.messages);
    messages
        .filter(|m| &*m.topic == topic)
        .map(|m| {
            let value: Value = serde_json::from_slice(&m.bytes).unwrap();
            let number = |key: &str| value[key].as_u64().unwrap();
            (number("tick"), number("source_ns"), value["value"].clone())
        })
        .collect()
}

#[test]
fn consumers_get_identical_readings_from_simulation_replay_and_driver() {
    use becomingone::systems::links::Sample;
    use becomingone::udp::protocol::encode_reading;
    let here = folder(&[("s.ron", IMU)]);
    let at = |file: &str| here.path().join(file);
    let duration = ["--duration", "2s"];
    record(
        here.path(),
        &[&["s.ron"][..], &duration].concat(),
        "sim.mcap",
    );
    let sim = readings_of(&at("sim.mcap"), "/r/imu");
    assert_eq!(sim.len(), 200);

    let from = "agents.r.sensors.imu.source=Replay(file: \"sim.mcap\")";
    let args = [&["s.ron", "--set", from][..], &duration].concat();
    record(here.path(), &args, "replay.mcap");
    // Same ticks, same stamps, same bits.
    assert_eq!(readings_of(&at("replay.mcap"), "/r/imu"), sim);

    let port = {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap().port()
    };
    let from = format!("agents.r.sensors.imu.source=Driver(\"udp\", (listen: {port}))");
    let numbers: Vec<Vec<f64>> = sim
        .iter()
        .map(|(_, _, value)| {
            let fields = ["angular_velocity", "specific_force"];
            let axes = ["x", "y", "z"];
            let names = fields
                .iter()
                .flat_map(|f| axes.iter().map(move |a| format!("{f}_{a}")));
            names.map(|name| value[&name].as_f64().unwrap()).collect()
        })
        .collect();
    let file = at("udp.mcap");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let begun = || std::fs::metadata(&file).is_ok_and(|m| m.len() > 0);
            until(Duration::from_secs(30), "a recording", begun);
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            for (k, numbers) in numbers.iter().enumerate() {
                let sample = Sample {
                    sequence: Some(k as u64),
                    session: None,
                    stamp_ns: Some(k as u64 * 10_000_000),
                    numbers: numbers.clone(),
                    ..Sample::default()
                };
                socket
                    .send_to(&encode_reading("r/imu", &sample), ("127.0.0.1", port))
                    .unwrap();
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let args = ["s.ron", "--set", &from, "--duration", "4s"];
        record(here.path(), &args, "udp.mcap");
    });
    let values = |all: Vec<(u64, u64, Value)>| all.into_iter().map(|s| s.2).collect::<Vec<_>>();
    assert_eq!(values(readings_of(&file, "/r/imu")), values(sim));

    // Both recordings replay without a driver and without other files.
    std::fs::remove_file(at("sim.mcap")).unwrap();
    for file in ["replay.mcap", "udp.mcap"] {
        let ran = verify(here.path(), file, "1");
        assert_eq!(ran.code, Some(0), "{file}: {}", ran.stderr);
    }

    // Alter one number of one datagram.
    rewritten(&file, &at("other.mcap"), "/journal/entered", |value| {
        // Skip the first frames, which hold states and counts of the link.
        let is_late = value["tick"].as_u64() > Some(500);
        match value.pointer_mut("/frame/payload/Reading/numbers/5") {
            Some(number) if is_late => *number = 9.5.into(),
            _ => return false,
        }
        true
    });
    let ran = verify(here.path(), "other.mcap", "1");
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("first, in `reading/imu`"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("/r/imu"), "{}", ran.stderr);
}

#[test]
fn info_lists_the_faults_of_a_recording() {
    let here = folder(&[("s.ron", IMU)]);
    let fault = "faults=[(sensor: \"r/imu/gyro\", kind: Freeze, at_s: 0.5, for_s: 0.25)]";
    record(
        here.path(),
        &["s.ron", "--set", fault, "--duration", "1s"],
        "run.mcap",
    );
    let value = info(here.path(), "run.mcap");
    let faults = value["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].as_str().unwrap().starts_with("0.5"), "{faults:?}");
    let ran = verify(here.path(), "run.mcap", "1");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn recording_contains_filter_estimates_and_governor_limits() {
    let here = folder(&[]);
    let slips = r#"faults=[(sensor: "rover/drive", kind: Slip(0.3), at_s: 40, for_s: 5)]"#;
    let kept = "agents.rover.governor=(fall_back_after_s: None)";
    let args = [
        "gnss_spoof",
        "--duration",
        "50s",
        "--set",
        slips,
        "--set",
        kept,
    ];
    record(here.path(), &args, "run.mcap");
    let path = here.path().join("run.mcap");
    let (_, items) = all(&path).unwrap();
    let messages = |topic: &str| -> Vec<Value> {
        let ticks = items.iter().filter_map(|item| match item {
            Item::Tick(tick) => Some(&tick.messages),
            _ => None,
        });
        let messages = ticks.flatten().filter(|m| &*m.topic == topic);
        messages
            .map(|m| serde_json::from_slice(&m.bytes).unwrap())
            .collect()
    };
    // Each kernel tick has an estimate with standard deviations and NIS.
    let estimates = messages("/rover/estimate");
    assert_eq!(estimates.len(), 50 * 50);
    let last = &estimates[estimates.len() - 1];
    assert!(last["position_sd_m"].as_f64().unwrap() > 0.0, "{last}");
    assert!(last["nis"].as_f64().unwrap() >= 0.0, "{last}");
    // Limit: at the start and on change.
    let limits: Vec<(u64, f64)> = messages("/rover/governor")
        .iter()
        .map(|value| {
            (
                value["source_ns"].as_u64().unwrap(),
                value["limit"].as_f64().unwrap(),
            )
        })
        .collect();
    assert_eq!(limits[0].1, 1.0);
    assert!(limits[0].0 < 10_000_000, "{limits:?}");
    let (slowed_ns, _) = limits.iter().find(|(_, limit)| *limit < 1.0).unwrap();
    let after = 40_000_000_000..43_000_000_000;
    assert!(after.contains(slowed_ns), "{limits:?}");
    assert!(limits.windows(2).all(|two| two[0].1 != two[1].1));
}
