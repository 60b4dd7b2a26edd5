//! Library API: plugin errors, custom controllers, run handles.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone::ecs as bevy_ecs; // the path that its derives write
use becomingone::prelude::*;
use becomingone::systems::control::ControlSystems;
use becomingone::systems::tick::ScheduleError;
use becomingone_tests::{engine, get, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const ROVER: &str = "(version: 1, agents: [(
    name: \"rover\", model: \"rover.urdf\", drive: Auto,
    sensors: [(name: \"encoders\", kind: Encoders(), rate_hz: 100)],
)])";

/// Kernel with a tick that is not a round number.
const ODD: &str =
    "(version: 1, tick_ns: 3333333, agents: [(name: \"k\", coherence: Kernel(channels: [
    (name: \"clock\", signal: Tone(frequency_hz: 1.0)),
]))])";

const SECOND: Duration = Duration::from_secs(1);

fn rover() -> CoherenceEngine {
    engine(&[("rover.ron", ROVER)])
}

fn full_ahead(mut commands: Query<&mut ActuatorTarget<Twist2>>) {
    for mut command in &mut commands {
        command.0.linear_m_s = 0.5;
    }
}

fn hard_left(mut commands: Query<&mut ActuatorTarget<Twist2>>) {
    for mut command in &mut commands {
        command.0.angular_rad_s = 1.0;
    }
}

#[test]
fn ambiguous_systems_are_an_error_that_names_both() {
    let mut engine = rover();
    engine.add_plugin(|app: &mut App| {
        let mine = (full_ahead, hard_left)
            .in_set(TickSystems::Decide)
            .after(ControlSystems);
        app.add_systems(Tick, mine);
    });
    let error = engine.start().unwrap_err();
    let EngineError::Schedule(ScheduleError::Ambiguous { .. }) = &error else {
        panic!("{error}");
    };
    let text = error.to_string();
    for word in [
        "full_ahead",
        "hard_left",
        ".before(",
        ".after(",
        "ActuatorTarget",
    ] {
        assert!(text.contains(word), "no {word} in {text}");
    }
}

#[test]
fn system_ambiguous_with_one_of_the_engine_is_an_error_that_names_both() {
    let mut engine = rover();
    engine.add_plugin(|app: &mut App| {
        app.add_systems(Tick, full_ahead.in_set(TickSystems::Decide));
    });
    let text = engine.run_for(SECOND).unwrap_err().to_string();
    for word in [
        "full_ahead",
        "`circle`",
        ".before(",
        ".after(ControlSystems)",
    ] {
        assert!(text.contains(word), "no {word} in {text}");
    }
}

#[test]
fn cyclic_system_order_is_an_error() {
    let mut engine = rover();
    engine.add_plugin(|app: &mut App| {
        app.add_systems(
            Tick,
            full_ahead
                .before(TickSystems::Decide)
                .after(TickSystems::Act),
        );
    });
    let error = engine.start().unwrap_err();
    assert!(
        matches!(error, EngineError::Schedule(ScheduleError::Order(_))),
        "{error}"
    );
    assert!(error.to_string().contains("full_ahead"), "{error}");
}

fn unlucky(time: Res<SimTime>) {
    assert!(time.tick < 10, "the eleventh tick is one too many");
}

fn cable_was_cut(time: Res<SimTime>) -> Result {
    if time.tick == 10 {
        return Err("no answer on port 7".into());
    }
    Ok(())
}

#[derive(Resource)]
struct Absent;

fn needs_absent_resource(_absent: Res<Absent>) {}

fn fails(plugin: impl Plugin, tick: u64, words: &[&str]) {
    let mut engine = rover();
    engine.add_plugin(plugin);
    let error = engine.run_for(SECOND).unwrap_err();
    let EngineError::System { tick: at, cause } = &error else {
        panic!("{error}");
    };
    // The clock advances if the tick continues after the failure.
    assert!((tick..=tick + 1).contains(at), "{error}");
    for word in words {
        assert!(cause.contains(word), "no {word} in {cause}");
    }
    assert!(!error.is_bad_input());
    // Other engines are unaffected.
    rover().step().unwrap();
}

#[test]
fn a_system_that_panics_is_an_error_that_names_it() {
    let plugin = |app: &mut App| {
        app.add_systems(Tick, unlucky.in_set(TickSystems::Publish));
    };
    fails(plugin, 10, &["unlucky", "panicked"]);
}

#[test]
fn a_system_that_returns_an_error_is_an_error_that_names_it() {
    let plugin = |app: &mut App| {
        app.add_systems(Tick, cable_was_cut.in_set(Last(TickSystems::Ingest)));
    };
    fails(plugin, 10, &["cable_was_cut", "no answer on port 7"]);
}

#[test]
fn missing_resource_of_a_system_is_an_error_that_names_both() {
    let plugin = |app: &mut App| {
        app.add_systems(Tick, needs_absent_resource.in_set(TickSystems::Decide));
    };
    fails(plugin, 0, &["needs_absent_resource", "Absent"]);
}

#[test]
fn custom_controller_drives_the_rover() {
    let mut engine = rover();
    engine.add_plugin(|app: &mut App| {
        app.add_systems(
            Tick,
            full_ahead.in_set(TickSystems::Decide).after(ControlSystems),
        );
    });
    let summary = engine.run_for(4 * SECOND).unwrap();
    let drive: becomingone::components::drive::Drive = get(&engine, "rover/drive");
    // Acceleration of the drive, then 0.5 m/s.
    let expected = 0.5 * 4.0 - 0.5 * 0.5 / drive.max_acceleration_m_s2 / 2.0;
    let [x, y, _] = summary.agents[0].position;
    assert!(
        (x - expected).abs() < 0.02 * expected,
        "{x} against {expected}"
    );
    assert!(y.abs() < 0.02, "{y}");
}

#[test]
fn a_step_is_exactly_one_tick() {
    let mut engine = engine(&[("odd.ron", ODD)]);
    for k in 1..=100 {
        engine.step().unwrap();
        let time = engine.time();
        assert_eq!((time.tick, time.now_ns), (k, k * 3_333_333));
    }
}

#[test]
fn a_run_for_a_time_ends_at_the_first_tick_that_reaches_it() {
    let mut engine = engine(&[("odd.ron", ODD)]);
    assert_eq!(
        engine
            .run_for(10 * Duration::from_nanos(3_333_333))
            .unwrap()
            .ticks,
        10
    );
    assert_eq!(engine.run_for(Duration::from_nanos(1)).unwrap().ticks, 11);
    assert_eq!(engine.run_for(Duration::ZERO).unwrap().ticks, 11);
}

#[test]
fn the_bare_kernel_locks_to_its_clock() {
    let mut engine = CoherenceEngine::new();
    engine.set_pace(Pace::Fast);
    let kernel = engine.run_for(5 * SECOND).unwrap().agents[0].kernel.clone();
    assert!(
        kernel.order > 0.99 && kernel.collapsed && kernel.aligned,
        "{kernel:?}"
    );
    // 1 Hz sampled at 50 Hz: the first lag, one kernel tick, is a phase of 7.2 degrees (sign by convention).
    let [re, im] = kernel.t_emissary;
    let turn = (std::f64::consts::TAU / 50.0).to_degrees();
    assert!(
        ((im.abs() / re).atan().to_degrees() - turn).abs() < 0.1,
        "{re} {im}"
    );
}

#[test]
fn the_bare_kernel_runs_in_real_time_until_it_is_stopped() {
    let mut engine = CoherenceEngine::new();
    let handle = engine.stop_handle();
    let ticks = Arc::new(AtomicU64::new(0));
    let seen = ticks.clone();
    let other = thread::spawn(move || {
        until(30 * SECOND, "500 ticks", || {
            seen.load(Ordering::Acquire) >= 500
        });
        handle.stop();
    });
    let begun = Instant::now();
    let summary = engine
        .run_watched(|e| ticks.store(e.time().tick, Ordering::Release))
        .unwrap();
    let wall = begun.elapsed();
    other.join().unwrap();
    assert!(summary.ticks >= 500);
    // Simulated time is never ahead of wall time.
    assert!(
        wall >= Duration::from_millis(summary.ticks - 1),
        "{} ticks in {wall:?}",
        summary.ticks
    );
    assert!(wall < 10 * SECOND, "{wall:?}");
}

#[test]
fn a_run_stopped_before_its_start_executes_no_tick() {
    let mut engine = rover();
    engine.stop_handle().stop();
    assert_eq!(engine.run().unwrap().ticks, 0);
}

#[test]
fn a_handle_pauses_steps_resets_resumes_and_stops_from_another_thread() {
    for pace in [Pace::Fast, Pace::RealTime] {
        let mut engine = rover();
        engine.set_pace(pace);
        let handle = engine.stop_handle();
        let now = Arc::new(AtomicU64::new(0));
        let done = Arc::new(AtomicU64::new(0));
        let (tick, count) = (now.clone(), done.clone());
        handle.pause();
        let other = thread::spawn(move || {
            let wait_for = |ticks: u64, total: u64| {
                until(20 * SECOND, "the requested ticks", || {
                    assert!(count.load(Ordering::Acquire) <= total, "a tick too many");
                    count.load(Ordering::Acquire) == total && tick.load(Ordering::Acquire) == ticks
                });
            };
            handle.step(5);
            wait_for(5, 5);
            handle.step(3);
            wait_for(8, 8);
            // The scene restarts and stays paused.
            handle.reset();
            handle.step(1);
            wait_for(1, 9);
            handle.resume();
            until(20 * SECOND, "further ticks", || {
                tick.load(Ordering::Acquire) > 200
            });
            handle.pause();
            // Paused again after exactly the requested step.
            let stands = || {
                let before = count.load(Ordering::Acquire);
                handle.step(1);
                let begun = Instant::now();
                while count.load(Ordering::Acquire) == before && begun.elapsed() < 20 * SECOND {
                    thread::yield_now();
                }
                count.load(Ordering::Acquire) == before + 1
            };
            until(20 * SECOND, "a paused run", stands);
            // Stops a paused run.
            handle.stop();
        });
        let summary = engine
            .run_watched(|e| {
                now.store(e.time().tick, Ordering::Release);
                done.fetch_add(1, Ordering::AcqRel);
            })
            .unwrap();
        other.join().unwrap();
        assert!(summary.ticks > 200);
        assert_eq!(done.load(Ordering::Acquire), summary.ticks + 8);
    }
}

#[test]
fn a_run_ends_at_the_scenes_duration_or_when_its_goals_are_reached() {
    let short = ROVER.replacen("version: 1", "version: 1, duration_s: 0.25", 1);
    assert_eq!(engine(&[("short.ron", &short)]).run().unwrap().ticks, 250);
    let near =
        "controller: Patrol(waypoints_m: [(0.5, 0)], speed_m_s: 0.5, tolerance_m: 0.1),\n)])";
    let summary = engine(&[("near.ron", &ROVER.replace(")])", near))])
        .run()
        .unwrap();
    assert_eq!(summary.agents[0].goals_reached, 1);
    let reached_m = summary.agents[0].position[0];
    assert!((reached_m - 0.4).abs() < 0.05, "{reached_m}");
}
