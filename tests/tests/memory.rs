//! Memory that survives runs: events of one run are recognised by the next, by the library and the built binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and compares with std"
)]

use becomingone::components::event::{AgentEvent, EventKind};
use becomingone::ecs as bevy_ecs; // the path that its derives write
use becomingone::prelude::*;
use becomingone::record::journal::{Item, Journal};
use becomingone::record::{EVENTS, SCENE_ATTACHMENT};
use becomingone::systems::coherence::stored_memory::StoredMemory;
use becomingone::systems::control::ControlSystems;
use becomingone::{CoherenceEngine, Summary};
use becomingone_tests::{binary, engine, folder, run};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const WALL: &str = "(version: 1,
world: (obstacles: [Box(name: \"wall\", position_m: (2, 0, 0), size_m: (0.2, 4, 1))]),
agents: [(
    name: \"rover\", model: \"rover.urdf\", drive: Auto,
    sensors: [(name: \"encoders\", kind: Encoders(), rate_hz: 100)],
    coherence: Kernel(master_window_s: 2, blend: (half_life_s: 20), witness: (channels: [])),
)])";

/// Kernels, each locked to a tone.
const KERNELS: &str = "(version: 1, duration_s: Some(20), agents: [
    (name: \"tone\", coherence: Kernel(channels: [(name: \"a\", signal: Tone(frequency_hz: 5))])),
    (name: \"other\", coherence: Kernel(channels: [(name: \"b\", signal: Tone(frequency_hz: 2))])),
])";

#[derive(Resource, Default)]
struct Collected(Vec<AgentEvent>);

fn collect_events(mut collected: ResMut<Collected>, mut events: MessageReader<AgentEvent>) {
    collected.0.extend(events.read().cloned());
}

fn forwards(mut commands: Query<&mut ActuatorTarget<Twist2>>) {
    for mut command in &mut commands {
        command.0.linear_m_s = 0.4;
    }
}

/// Runs a drive against the wall: its events, summary and memory.
fn against_the_wall(memory: Option<&StoredMemory>) -> (Vec<AgentEvent>, Summary, StoredMemory) {
    let mut engine = engine(&[("wall.ron", WALL)]);
    engine.add_plugin(|app: &mut App| {
        app.init_resource::<Collected>().add_systems(
            Tick,
            (
                forwards.in_set(TickSystems::Decide).after(ControlSystems),
                collect_events.in_set(TickSystems::Publish),
            ),
        );
    });
    if let Some(memory) = memory {
        engine.set_memory(memory.clone());
    }
    let summary = engine.run_for(Duration::from_secs(8)).unwrap();
    let collected = std::mem::take(&mut engine.world_mut().resource_mut::<Collected>().0);
    (collected, summary, engine.memory())
}

/// Events recalled from the first run.
fn recalled(events: &[AgentEvent]) -> Vec<&str> {
    let labels = events.iter().filter_map(|event| match &event.kind {
        EventKind::EventRecalled { label, .. } => Some(&**label),
        _ => None,
    });
    labels
        .filter(|label| label.starts_with("run 1, "))
        .collect()
}

#[test]
fn the_wall_of_the_last_run_is_recalled() {
    let (first, summary, memory) = against_the_wall(None);
    assert!(recalled(&first).is_empty());
    assert_eq!((summary.memory, memory.runs()), (None, 1));
    let memory = StoredMemory::from_bytes(&memory.to_bytes()).unwrap();
    let (second, summary, _) = against_the_wall(Some(&memory));
    let labels = recalled(&second);
    assert!(
        labels.iter().any(|l| l.contains("touched wall")),
        "{second:?}"
    );
    let stats = summary.memory.unwrap();
    assert_eq!(stats.runs, 1);
    assert!(
        stats.restored >= 1 && stats.kept >= stats.restored,
        "{stats:?}"
    );
    // The same memory gives the same run.
    let (_, again, _) = against_the_wall(Some(&memory));
    assert_eq!(again.state_hash, summary.state_hash);
}

#[test]
fn a_first_run_starts_without_memory_and_a_reset_restores_the_initial_one() {
    let run = |memory: Option<StoredMemory>| {
        let mut engine = engine(&[("k.ron", KERNELS)]);
        if let Some(memory) = memory {
            engine.set_memory(memory);
        }
        let summary = engine.run().unwrap();
        (summary, engine)
    };
    let (alone, _) = run(None);
    let (first, engine) = run(Some(StoredMemory::default()));
    assert_eq!(alone.state_hash, first.state_hash);
    let (second, mut engine) = run(Some(engine.memory()));
    assert_ne!(second.state_hash, first.state_hash);
    let memory = engine.memory();
    engine.reset().unwrap();
    assert_eq!(engine.run().unwrap().state_hash, second.state_hash);
    assert_eq!(engine.memory(), memory);
}

#[test]
fn memories_of_agents_absent_from_a_scene_are_kept() {
    let mut both = engine(&[("k.ron", KERNELS)]);
    both.run().unwrap();
    let before = both.memory();
    let mut bare = CoherenceEngine::new();
    bare.set_memory(before.clone());
    bare.set_pace(becomingone::Pace::Fast);
    bare.run_for(Duration::from_secs(1)).unwrap();
    let after = bare.memory();
    assert_eq!(after.runs(), 2);
    for name in ["tone", "other"] {
        assert!(before.agent(name).is_some());
        assert_eq!(after.agent(name), before.agent(name));
    }
}

fn kernels(here: &Path, args: &[&str]) -> Value {
    let mut all = vec!["run", "k.ron", "--rerun", "off", "--summary", "s.json"];
    all.extend(args);
    let ran = run(here, &all);
    assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.stderr);
    serde_json::from_str(&fs::read_to_string(here.join("s.json")).unwrap()).unwrap()
}

#[test]
fn a_run_with_memory_is_replayed_without_its_memory_file() {
    let here = folder(&[("k.ron", KERNELS)]);
    let here = here.path();
    let alone = kernels(here, &[]);
    assert_eq!(alone.get("memory"), None);
    let first = kernels(here, &["--memory", "k.memory"]);
    assert_eq!(first["state_hash"], alone["state_hash"]);
    assert_eq!(first["memory"]["runs"], 0);
    assert_eq!(first["memory"]["restored"], 0);
    let second = kernels(here, &["--memory", "k.memory", "--record", "k.mcap"]);
    assert_ne!(second["state_hash"], first["state_hash"]);
    assert_eq!(second["memory"]["runs"], 1);
    assert_eq!(second["memory"]["restored"], first["memory"]["kept"]);
    // The tone of the first run is recognised.
    let mut journal = Journal::open(&here.join("k.mcap")).unwrap();
    assert!(journal.attachments().contains_key(SCENE_ATTACHMENT));
    let mut texts = Vec::new();
    while let Some(item) = journal.read().unwrap() {
        let Item::Tick(tick) = item else { continue };
        let events = tick.messages.iter().filter(|m| *m.topic == *EVENTS);
        texts.extend(events.map(|m| String::from_utf8_lossy(&m.bytes).into_owned()));
    }
    let recalls = |text: &&String| text.contains("\"Recalled\"") && text.contains("run 1, ");
    assert!(texts.iter().any(|text| recalls(&text)), "{texts:?}");

    for content in [Some("no memory"), None] {
        match content {
            Some(content) => fs::write(here.join("k.memory"), content).unwrap(),
            None => fs::remove_file(here.join("k.memory")).unwrap(),
        }
        let ran = run(here, &["replay", "k.mcap", "--verify"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stdout.contains("verified: "), "{}", ran.stdout);
    }
    assert!(!here.join("k.memory").exists());
}

#[test]
fn a_damaged_file_is_refused_with_its_place_and_kept() {
    let here = folder(&[("k.ron", KERNELS)]);
    let here = here.path();
    kernels(here, &["--memory", "k.memory"]);
    let whole = fs::read(here.join("k.memory")).unwrap();
    let size = whole.len();
    let changed = |at: usize, to: u8| {
        let mut bytes = whole.clone();
        bytes[at] = to;
        bytes
    };
    let cases = [
        (
            Vec::new(),
            "byte 0: found the end of the file; expected \"B1MEMORY\"".to_owned(),
        ),
        (
            b"(version: 1, agents: [])".to_vec(),
            "byte 0: found \"(version\"; expected \"B1MEMORY\"".to_owned(),
        ),
        (
            changed(8, 9),
            "byte 8: found version 9; expected version 1".to_owned(),
        ),
        (
            whole[..100].to_vec(),
            format!("byte 100: found the end of the file; expected {size} bytes"),
        ),
        (
            changed(size / 2, whole[size / 2] ^ 1),
            format!("byte {}: found ", size - 8),
        ),
        (
            [&whole[..], b"more"].concat(),
            format!(
                "byte 12: found a length of {size} bytes; expected the length of the file, {}",
                size + 4
            ),
        ),
    ];
    for (bytes, message) in cases {
        fs::write(here.join("bad.memory"), &bytes).unwrap();
        let args = ["run", "k.ron", "--rerun", "off", "--memory", "bad.memory"];
        let ran = run(here, &args);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains("bad.memory: "), "{}", ran.stderr);
        assert!(ran.stderr.contains(&message), "{message}: {}", ran.stderr);
        assert_eq!(fs::read(here.join("bad.memory")).unwrap(), bytes);
    }
    for (file, message) in [
        (".", "found a folder or device"),
        ("k.new/", "found a folder or device"),
        ("none/k.memory", "none/k.memory: "),
        ("k.ron", "found k.ron, which the run uses itself"),
    ] {
        let ran = run(here, &["run", "k.ron", "--rerun", "off", "--memory", file]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(message), "{message}: {}", ran.stderr);
    }
}

#[test]
fn concurrent_runs_leave_one_complete_file() {
    let here = folder(&[("k.ron", KERNELS)]);
    let spawn = |_| {
        Command::new(binary())
            .current_dir(here.path())
            .args([
                "run", "k.ron", "--rerun", "off", "--quiet", "--memory", "k.memory",
            ])
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let runs: Vec<_> = (0..6).map(spawn).collect();
    for mut run in runs {
        assert!(run.wait().unwrap().success());
    }
    let bytes = fs::read(here.path().join("k.memory")).unwrap();
    let runs = StoredMemory::from_bytes(&bytes).unwrap().runs();
    assert!((1..=6).contains(&runs), "{runs}");
    let mut names: Vec<_> = fs::read_dir(here.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["k.memory", "k.ron"]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_the_memory() {
    let here = folder(&[("k.ron", KERNELS)]);
    let mut child = Command::new(binary())
        .current_dir(here.path())
        .args([
            "run",
            "k.ron",
            "--rerun",
            "off",
            "--real-time",
            "--memory",
            "k.memory",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The restored memory is printed at the start of the run.
    let mut first = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut first).unwrap();
    becomingone_tests::signal("INT", child.id());
    std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let bytes = fs::read(here.path().join("k.memory")).unwrap();
    assert_eq!(StoredMemory::from_bytes(&bytes).unwrap().runs(), 1);
}

#[cfg(unix)]
#[test]
fn a_link_is_kept_permissions_stay_and_other_spellings_of_a_file_are_refused() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let here = folder(&[("k.ron", KERNELS)]);
    let here = here.path();
    // Its target does not exist yet.
    symlink("target.memory", here.join("link.memory")).unwrap();
    kernels(here, &["--memory", "link.memory"]);
    assert!(here.join("link.memory").is_symlink());
    let target = here.join("target.memory");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
    kernels(here, &["--memory", "link.memory"]);
    let mode = fs::metadata(&target).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for args in [
        ["--memory", "new.file", "--record", "./new.file"],
        ["--summary", "new.file", "--record", "./new.file"],
        ["--memory", "link.memory", "--record", "target.memory"],
    ] {
        let ran = run(
            here,
            &[&["run", "k.ron", "--rerun", "off"][..], &args].concat(),
        );
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("which the run uses itself"),
            "{}",
            ran.stderr
        );
        assert!(!here.join("new.file").exists(), "{args:?}");
    }
}
