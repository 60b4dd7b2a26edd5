//! Watches of runs, against what the same run shows tick by tick.

use super::{How, MAX_WATCHES, WatchAsked, WatchView, What};
use crate::token::Role;
use crate::view::{Board, EventView, ViewPlugin};
use becomingone::components::coherence::Coherence;
use becomingone::components::sensor::{ImuSample, Reading};
use becomingone::systems::diagnosis::witness::Witness;
use becomingone::systems::index::EntityIndex;
use becomingone::systems::view::place;
use becomingone::{CoherenceEngine, ecs};
use serde_json::{Value, json};

/// A rover that patrols a square.
fn scene(faults: &str) -> String {
    let rover = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/rover.urdf");
    format!(
        "(version: 1, duration_s: 600.0,
          agents: [(name: \"rover\", model: {rover:?}, drive: Auto,
            sensors: [
                (name: \"encoders\", kind: Encoders(noise: (white_sd: 1.0e-4)), rate_hz: 100.0),
                (name: \"imu\", kind: Imu(gyro: (white_sd: 0.0077), accelerometer: (white_sd: 0.054)), rate_hz: 100.0),
            ],
            controller: Patrol(waypoints_m: [(6, 0), (6, 6), (0, 6), (0, 0)], laps: 50, speed_m_s: 0.4))],
          faults: [{faults}])"
    )
}

/// A run that is watched, before its first tick.
fn run(faults: &str) -> (CoherenceEngine, Board) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.ron");
    std::fs::write(&file, scene(faults)).unwrap();
    let mut engine = CoherenceEngine::from_scene(file).unwrap_or_else(|e| panic!("{e}"));
    let board = Board::default();
    engine.add_plugin(ViewPlugin(board.clone()));
    engine.start().unwrap();
    (engine, board)
}

fn asked(mut body: Value) -> WatchAsked {
    if body["agent"].is_null() {
        body["agent"] = json!("rover");
    }
    serde_json::from_value(body).unwrap()
}

fn set(board: &Board, body: Value) -> WatchView {
    let set = board.watches.set(asked(body.clone()), Role::Viewer);
    set.unwrap_or_else(|problem| panic!("{body}: {}", problem.detail))
        .0
}

fn steps(engine: &mut CoherenceEngine, ticks: u64) {
    for _ in 0..ticks {
        engine.step().unwrap();
    }
}

fn events(board: &Board) -> Vec<EventView> {
    board.events().after(0, usize::MAX).0
}

/// Ticks in which a watch fired.
fn fired(board: &Board, watch: &WatchView) -> Vec<u64> {
    let own = |event: &EventView| event.watch.as_deref() == Some(&*watch.id);
    let all = events(board).into_iter().filter(own);
    all.map(|event| (event.time_s * 1e3).round() as u64)
        .collect()
}

fn rover(engine: &CoherenceEngine) -> ecs::entity::Entity {
    engine
        .world()
        .resource::<EntityIndex>()
        .entity("rover")
        .unwrap()
}

/// Ticks in which a level fires, by the values of all ticks.
fn expected(
    xs: &[Option<f64>],
    above: bool,
    edge: bool,
    value: f64,
    hysteresis: f64,
    dwell: usize,
) -> Vec<u64> {
    let sign = if above { 1.0 } else { -1.0 };
    let (mut found, mut held, mut armed) = (Vec::new(), 0, None);
    for (k, x) in xs.iter().enumerate() {
        let Some(x) = x else {
            held = 0;
            continue;
        };
        let over = sign * (x - value);
        let may = *armed.get_or_insert(!edge || over <= 0.0);
        if !may && over <= -hysteresis {
            armed = Some(true);
        }
        held = if may && over > 0.0 { held + 1 } else { 0 };
        if held > dwell {
            found.push(k as u64);
            (held, armed) = (0, Some(false));
        }
    }
    found
}

/// Two episodes of a bias.
const BIASES: &str = "(sensor: \"rover/imu/gyro_z\", kind: Bias(0.4), at_s: 11, for_s: 3), \
    (sensor: \"rover/imu/gyro_z\", kind: Bias(0.4), at_s: 25, for_s: 3)";

#[test]
fn levels_fire_in_the_ticks_of_the_values_once_an_episode() {
    let (mut engine, board) = run(BIASES);
    let of = |what: &str, how: &str, value: Value, dwell_s: f64| {
        let mut body = json!({"what": what, "how": how, "value": value, "dwell_s": dwell_s});
        if what == "channel" {
            body["channel"] = json!("imu/gyro_z");
        }
        set(&board, body)
    };
    let above = of("surprise", "above", json!(1.0), 0.0);
    let dwelt = of("surprise", "above", json!(1.0), 0.5);
    let rises = of("surprise", "rises", Value::Null, 0.0);
    let falls = of("surprise", "falls", Value::Null, 0.1);
    let below = of("coherence", "below", json!(0.5), 0.0);
    let crosses = of("surprise", "crosses", json!(1.0), 0.0);
    let channel = of("channel", "above", json!(20.0), 0.0);
    let slow = of("speed", "below", json!(0.2), 0.0);
    let (mut surprise, mut coherence, mut speed, mut energy) = (vec![], vec![], vec![], vec![]);
    for _ in 0..40_000 {
        engine.step().unwrap();
        let (world, rover) = (engine.world(), rover(&engine));
        let kernel = *world.get::<Coherence>(rover).unwrap();
        let witness = world.get::<Witness>(rover).unwrap();
        let gyro = witness.outputs.iter().position(|name| name == "imu/gyro_z");
        surprise.push(kernel.surprise);
        coherence.push(kernel.coherence);
        energy.push(witness.energy(gyro.unwrap()));
        speed.push(Some(place(world, rover).unwrap().1.linear_m_s.abs()));
    }
    assert_eq!(
        fired(&board, &above),
        expected(&surprise, true, false, 1.0, 0.1, 0)
    );
    assert_eq!(
        fired(&board, &dwelt),
        expected(&surprise, true, false, 1.0, 0.1, 500)
    );
    assert_eq!(
        fired(&board, &rises),
        expected(&surprise, true, true, 1.0, 0.1, 0)
    );
    assert_eq!(
        fired(&board, &falls),
        expected(&surprise, false, true, 1.0, 0.1, 100)
    );
    assert_eq!(
        fired(&board, &below),
        expected(&coherence, false, false, 0.5, 0.05, 0)
    );
    assert_eq!(
        fired(&board, &channel),
        expected(&energy, true, false, 20.0, 2.0, 0)
    );
    assert_eq!(
        fired(&board, &slow),
        expected(&speed, false, false, 0.2, 0.02, 0)
    );
    // Of the first fault, within half a second, and not a second time.
    for watch in [&above, &rises] {
        let ticks = fired(&board, watch);
        let of_fault = |tick: &&u64| (11_000..11_500).contains(*tick);
        assert_eq!(
            ticks.iter().filter(of_fault).count(),
            1,
            "{watch:?}: {ticks:?}"
        );
    }
    assert_eq!(fired(&board, &slow)[0], 0);
    // Two episodes: the energy of the channel is back between the faults.
    for from in [11_000, 25_000] {
        let of_fault = |tick: &u64| (from..from + 500).contains(tick);
        assert!(fired(&board, &channel).iter().any(of_fault), "{from}");
    }
    // A crossing is one to each side, in turn.
    let is_over = |tick: &u64| surprise[*tick as usize].unwrap() > 1.0;
    let ticks = fired(&board, &crosses);
    let over: Vec<_> = ticks.iter().map(is_over).collect();
    assert!(
        !over.is_empty()
            && over
                .chunks(2)
                .all(|pair| pair[0] && pair.get(1) != Some(&true)),
        "{over:?}"
    );
    assert_eq!(ticks[0], fired(&board, &rises)[0]);
    // As it is said, and counted.
    let first = events(&board)
        .into_iter()
        .find(|event| event.watch == Some(rises.id.clone()));
    let text = first.unwrap().text;
    let x = surprise[ticks[0] as usize].unwrap();
    assert_eq!(
        text,
        format!("watch w3: surprise of rover rose above 1 ({x:.2})")
    );
    let listed = board.watches.list();
    assert_eq!(listed[2].firings, fired(&board, &rises).len() as u64);
    assert_eq!(
        (listed[2].what, listed[2].how),
        (What::Surprise, How::Rises)
    );
    assert_eq!(listed[2].now, *surprise.last().unwrap());
}

#[test]
fn a_sensor_without_readings_is_silent_from_its_time_out_on() {
    let drops = "(sensor: \"rover/imu\", kind: DropOut(1.0), at_s: 2, for_s: 1), \
        (sensor: \"rover/imu\", kind: DropOut(1.0), at_s: 5)";
    let (mut engine, board) = run(drops);
    let imu = set(
        &board,
        json!({"what": "sensor", "sensor": "imu", "how": "silent"}),
    );
    let later = json!({"what": "sensor", "sensor": "imu", "how": "silent", "dwell_s": 0.25});
    let later = set(&board, later);
    let other = set(
        &board,
        json!({"what": "sensor", "sensor": "encoders", "how": "silent"}),
    );
    let mut lasts = Vec::new();
    for tick in 0..8000_u64 {
        engine.step().unwrap();
        let imu = engine
            .world()
            .resource::<EntityIndex>()
            .entity("rover/imu")
            .unwrap();
        let reading = engine.world().get::<Reading<ImuSample>>(imu).unwrap();
        let last = reading
            .latest()
            .map_or(0, |reading| reading.arrival_ns / 1_000_000);
        // The time-out of 100 Hz is 0.1 s.
        if tick - last > 100 && lasts.last() != Some(&last) {
            lasts.push(last);
        }
    }
    assert_eq!(lasts, [1990, 4990]);
    assert_eq!(fired(&board, &imu), [2091, 5091]);
    assert_eq!(fired(&board, &later), [2341, 5341]);
    assert!(fired(&board, &other).is_empty());
    let event = events(&board)
        .into_iter()
        .find(|event| event.watch.is_some())
        .unwrap();
    assert_eq!(
        event.text,
        "watch w1: imu of rover is silent (no reading for 0.101 s)"
    );
}

#[test]
fn events_fire_in_their_tick_each_behind_its_event() {
    let (mut engine, board) = run(BIASES);
    let mut of = Vec::new();
    for (kind, parts) in [
        ("alarm", &["alarm:"][..]),
        ("fault", &["fault begins"]),
        ("stop", &["stopped by", "safety stop"]),
        ("goal", &["goal ", "all goals", "done"]),
        ("collision", &["touched"]),
        ("stale", &["became stale"]),
        ("any", &[""]),
    ] {
        of.push((
            set(
                &board,
                json!({"what": "event", "event": kind, "how": "event"}),
            ),
            parts,
        ));
    }
    steps(&mut engine, 34_000);
    engine.stop_queue().push("rover", "test").unwrap();
    steps(&mut engine, 1000);
    let all = events(&board);
    let own: Vec<_> = all.iter().filter(|event| event.watch.is_none()).collect();
    for (watch, parts) in of {
        let ticks = own
            .iter()
            .filter(|event| parts.iter().any(|part| event.text.starts_with(part)));
        let ticks: Vec<_> = ticks
            .map(|event| (event.time_s * 1e3).round() as u64)
            .collect();
        assert_eq!(fired(&board, &watch), ticks, "{watch:?}");
        assert_eq!(
            ticks.is_empty(),
            matches!(parts[0], "touched" | "became stale"),
            "{watch:?}"
        );
    }
    let fault = all
        .iter()
        .position(|event| event.text.starts_with("fault begins"))
        .unwrap();
    let firing = &all[fault + 1];
    assert_eq!(firing.text, format!("watch w2: rover: {}", all[fault].text));
    assert_eq!(
        (firing.watch.as_deref(), firing.time_s),
        (Some("w2"), all[fault].time_s)
    );
}

#[test]
fn a_change_of_the_speed_is_one_from_its_mean() {
    let (mut engine, board) = run("");
    let falls = set(
        &board,
        json!({"what": "speed", "how": "falls", "key": "halt"}),
    );
    let rises = set(&board, json!({"what": "speed", "how": "rises"}));
    let dwelt = set(
        &board,
        json!({"what": "speed", "how": "falls", "dwell_s": 2}),
    );
    // On the first straight: it starts within the first second, and turns after 15 s.
    steps(&mut engine, 12_000);
    assert!(fired(&board, &falls).is_empty());
    engine.stop_queue().push("rover", "test").unwrap();
    steps(&mut engine, 30_000);
    let ticks = fired(&board, &falls);
    assert!(
        ticks.len() == 1 && (12_000..12_500).contains(&ticks[0]),
        "{ticks:?}"
    );
    assert_eq!(fired(&board, &dwelt), [ticks[0] + 2000]);
    assert!(fired(&board, &rises).is_empty());
    let event = events(&board)
        .into_iter()
        .find(|event| event.watch.is_some())
        .unwrap();
    assert_eq!(event.key.as_deref(), Some("halt"));
    let about = "watch w1: speed of rover fell below its mean of 10 s, ";
    assert!(event.text.starts_with(about), "{}", event.text);
}

#[test]
fn a_reset_begins_the_watches_anew() {
    let (mut engine, board) = run(BIASES);
    let watch = set(&board, json!({"what": "surprise", "how": "above"}));
    steps(&mut engine, 12_500);
    let first = fired(&board, &watch);
    assert!(!first.is_empty());
    // Within an episode: after the reset it may fire again.
    engine.reset().unwrap();
    assert_eq!(board.watches.list()[0].firings, 0);
    steps(&mut engine, 12_500);
    assert_eq!(fired(&board, &watch), [&*first, &*first].concat());
}

#[test]
fn a_watched_run_has_the_hash_of_an_unwatched_one() {
    let hash = |watches: bool| {
        let (mut engine, board) = run(BIASES);
        if watches {
            for k in 0..MAX_WATCHES {
                let what = ["surprise", "coherence", "speed"][k % 3];
                let value = k as f64 / 32.0;
                set(
                    &board,
                    json!({"what": what, "how": "crosses", "value": value}),
                );
            }
        }
        steps(&mut engine, 15_000);
        assert_eq!(
            events(&board).iter().any(|event| event.watch.is_some()),
            watches
        );
        engine.summary().state_hash
    };
    assert_eq!(hash(true), hash(false));
}

#[test]
fn what_is_not_there_is_refused_with_the_nearest_name() {
    let (_engine, board) = run("");
    for (body, expected) in [
        (
            json!({"agent": "rovr", "what": "surprise", "how": "above"}),
            "did you mean `rover`",
        ),
        (
            json!({"what": "channel", "channel": "imu/giro_z", "how": "rises"}),
            "did you mean `imu/gyro_z`",
        ),
        (
            json!({"what": "sensor", "sensor": "encoder", "how": "silent"}),
            "did you mean `encoders`",
        ),
        (
            json!({"what": "sensor", "sensor": "nose", "how": "silent"}),
            "expected one of `encoders`, `imu`",
        ),
    ] {
        let problem = board.watches.set(asked(body), Role::Owner).unwrap_err();
        assert_eq!(problem.status, 404);
        assert!(problem.detail.contains(expected), "{}", problem.detail);
    }
    assert!(board.watches.list().is_empty() && board.watches.any().is_none());
}

#[test]
fn a_key_is_one_watch_and_there_are_at_most_sixty_four() {
    let (mut engine, board) = run("");
    let body = |key: &str, value: f64| json!({"key": key, "what": "speed", "how": "above", "value": value});
    let first = set(&board, body("fast", 0.1));
    steps(&mut engine, 2000);
    assert_eq!(board.watches.list()[0].firings, 1);
    // The same again is left as it is; another one under the key begins anew.
    assert_eq!(set(&board, body("fast", 0.1)).firings, 1);
    let other = set(&board, body("fast", 0.2));
    assert_eq!((&other.id, other.firings), (&first.id, 0));
    for k in 1..MAX_WATCHES {
        set(&board, body(&k.to_string(), 0.1));
    }
    let full = board
        .watches
        .set(asked(body("more", 0.1)), Role::Owner)
        .unwrap_err();
    assert_eq!(full.status, 409);
    // One that is known is no more than before.
    set(&board, body("fast", 0.3));
    board.watches.end("w2", Role::Viewer).unwrap();
    assert_eq!(
        board.watches.end("w2", Role::Owner).unwrap_err().status,
        404
    );
    // Of an owner, a viewer changes nothing.
    let (own, is_new) = board
        .watches
        .set(asked(body("own", 0.1)), Role::Owner)
        .unwrap();
    assert!(is_new && own.id == "w65");
    assert_eq!(
        board.watches.end(&own.id, Role::Viewer).unwrap_err().status,
        403
    );
    let taken = board.watches.set(asked(body("own", 0.2)), Role::Viewer);
    assert_eq!(taken.unwrap_err().status, 403);
    for watch in board.watches.list() {
        board.watches.end(&watch.id, Role::Owner).unwrap();
    }
    assert!(board.watches.any().is_none());
}
