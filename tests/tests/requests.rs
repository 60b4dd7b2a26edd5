//! Requests from outside: stops latch, refusals have a reason, and a run with requests is repeated bit for bit.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and may take std's hypot"
)]

use becomingone::components::actuator::ActuatorTarget;
use becomingone::components::event::EventKind;
use becomingone::components::governor::GovernorSpec;
use becomingone::components::joints::{JointStates, JointTargets};
use becomingone::components::link::{Config, Entered, Payload, Source};
use becomingone::components::request::{Request, RequestKind, Stopped};
use becomingone::components::scene::{AgentSpec, SensorSpec};
use becomingone::prelude::*;
use becomingone::record::{Opening, RecordPlugin, SCENE_ATTACHMENT, finish};
use becomingone::scene;
use becomingone::systems::control::teleop::{Stick, StickInput, TeleopPlugin};
use becomingone::systems::links::{Outgoing, SourceSite};
use becomingone_tests::seen::{Seen, replayed, watched};
use becomingone_tests::{folder, run};
use std::f64::consts::PI;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn engine(agent: Agent) -> CoherenceEngine {
    watched(CoherenceEngine::from(
        Scene::builder().agent(agent).build().unwrap(),
    ))
}

fn rover() -> Agent {
    Agent::robot("rover.urdf")
        .name("rover")
        .drive(Drive::Auto)
        .sensor("encoders", Encoders::default(), 100.0)
}

fn patrol() -> Agent {
    rover().controller(Patrol::new([[20.0, 0.0], [0.0, 0.0]], 0.5))
}

fn twist(linear_m_s: f64) -> RequestKind {
    RequestKind::Twist {
        linear_m_s,
        angular_rad_s: 0.0,
    }
}

fn push(engine: &CoherenceEngine, sender: &str, what: RequestKind) -> bool {
    engine.request_queue().push(Request {
        sender: sender.to_owned(),
        agent: "rover".to_owned(),
        what,
        expires_ns: engine.time().now_ns + 500_000_000,
    })
}

fn target<T: Copy + Send + Sync + 'static>(engine: &CoherenceEngine, agent: &str) -> T {
    let entity = engine.agent(agent).unwrap().entity;
    let driven = engine.world().get::<DrivenBy>(entity).unwrap().0;
    engine.world().get::<ActuatorTarget<T>>(driven).unwrap().0
}

fn commanded(engine: &CoherenceEngine) -> Twist2 {
    target(engine, "rover")
}

/// Texts of the events of requests.
fn texts(engine: &CoherenceEngine) -> Vec<String> {
    let is_of_requests = |kind: &EventKind| {
        matches!(
            kind,
            EventKind::Stopped(_)
                | EventKind::StopCleared(_)
                | EventKind::RequestRefused { .. }
                | EventKind::RequestDone { .. }
                | EventKind::RequestDropped { .. }
        )
    };
    let events = engine.world().resource::<Seen>().events.iter();
    events
        .filter(|event| is_of_requests(&event.kind))
        .map(|event| format!("{}: {}", event.agent, event.kind))
        .collect()
}

#[test]
fn a_stop_holds_against_controller_stick_and_requests_until_it_is_cleared() {
    let input = StickInput::default();
    let mut engine = engine(patrol());
    engine.add_plugin(TeleopPlugin {
        agent: "rover".to_owned(),
        input: input.clone(),
    });
    engine.run_for(Duration::from_secs(1)).unwrap();
    input.hold(Stick {
        forward: 1.0,
        left: 0.0,
    });
    engine.run_for(Duration::from_secs(1)).unwrap();
    assert!(commanded(&engine).linear_m_s > 0.5);
    engine.stop_queue().push("rover", "page").unwrap();
    for k in 0..3000 {
        push(&engine, "script", twist(0.8));
        engine.step().unwrap();
        assert_eq!(commanded(&engine), Twist2::default(), "{k}");
    }
    let rover = engine.agent("rover").unwrap();
    assert!(rover.request.is_none());
    assert!(rover.twist.unwrap().linear_m_s.length() < 0.01);
    assert_eq!(
        engine.summary().agents[0].stopped_by.as_deref(),
        Some("page")
    );
    // The stick is at rest again, and would otherwise drive on.
    input.hold(Stick::default());
    engine.clear_stop("rover").unwrap();
    engine.run_for(Duration::from_millis(10)).unwrap();
    assert!(engine.agent("rover").unwrap().stopped.is_none());
    let texts = texts(&engine);
    let count = |text: &str| texts.iter().filter(|t| *t == text).count();
    assert_eq!(count("rover: stopped by page"), 1, "{texts:#?}");
    assert_eq!(count("rover: stop cleared by library"), 1);
    let why = "refused: found a stop of page; expected a `ClearStop` first";
    // Streams of commands have an event each second.
    for sender in ["script", "stick"] {
        let refused = count(&format!("rover: request of {sender} {why}"));
        assert!((3..=4).contains(&refused), "{sender}: {refused}");
    }
    assert_eq!(
        engine.summary().state_hash,
        replayed(self::engine(patrol()), &engine)
    );
}

#[test]
fn the_controller_resumes_after_a_stop() {
    for agent in [patrol(), patrol().governor(GovernorSpec::default())] {
        let mut engine = engine(agent);
        engine.run_for(Duration::from_secs(2)).unwrap();
        engine.stop_agent("rover").unwrap();
        engine.run_for(Duration::from_secs(2)).unwrap();
        engine.clear_stop("rover").unwrap();
        engine.run_for(Duration::from_secs(2)).unwrap();
        assert!(commanded(&engine).linear_m_s > 0.3);
        assert!(engine.agent("rover").unwrap().twist.unwrap().linear_m_s.x > 0.3);
    }
}

#[test]
fn a_request_before_the_stop_does_not_resume_after_it() {
    // The governor keeps the last command before its limit.
    for agent in [rover(), rover().governor(GovernorSpec::default())] {
        let mut engine = engine(agent);
        engine.start().unwrap();
        engine.command("rover", twist(0.6)).unwrap();
        engine.run_for(Duration::from_millis(200)).unwrap();
        assert_eq!(commanded(&engine).linear_m_s, 0.6);
        engine.stop_agent("rover").unwrap();
        engine.step().unwrap();
        engine.clear_stop("rover").unwrap();
        for _ in 0..500 {
            engine.step().unwrap();
            assert_eq!(commanded(&engine), Twist2::default());
        }
    }
}

#[test]
fn a_stop_acts_in_the_next_tick_however_many_requests_wait() {
    let mut engine = engine(rover());
    engine.start().unwrap();
    push(&engine, "script", twist(1.0));
    engine.step().unwrap();
    assert_eq!(commanded(&engine).linear_m_s, 1.0);
    while push(&engine, "script", twist(1.0)) {}
    // Also through the queue of requests, which is full.
    assert!(push(&engine, "person", RequestKind::Stop));
    for _ in 0..10_000 {
        engine.stop_queue().push("rover", "another").unwrap();
    }
    engine.step().unwrap();
    assert_eq!(commanded(&engine), Twist2::default());
    let stopped = engine.agent("rover").unwrap().stopped.cloned();
    let expected = Stopped {
        sender: "person".to_owned(),
        since_ns: 1_000_000,
        last_ns: 1_000_000,
    };
    assert_eq!(stopped, Some(expected));
    let entered = &engine.world().resource::<Entered>().0;
    assert_eq!(entered.len(), 1025);
    let first = &entered[0];
    assert!(matches!(&first.payload, Payload::Request(r) if r.what == RequestKind::Stop));
    assert!(entered.iter().map(|f| f.sequence).is_sorted());
}

#[test]
fn a_stop_wins_against_its_clearing_in_the_same_tick() {
    let mut engine = engine(rover());
    engine.stop_agent("rover").unwrap();
    engine.step().unwrap();
    // The stop arrives after the clearing.
    engine.clear_stop("rover").unwrap();
    engine.stop_agent("rover").unwrap();
    engine.step().unwrap();
    assert!(engine.agent("rover").unwrap().stopped.is_some());
    assert_eq!(
        texts(&engine)[1..],
        [
            "rover: request of library refused: found a stop in the same tick; expected a `ClearStop` after it"
        ]
    );
    engine.clear_stop("rover").unwrap();
    engine.step().unwrap();
    assert!(engine.agent("rover").unwrap().stopped.is_none());
    let error = engine.clear_stop("rover").unwrap_err().to_string();
    assert_eq!(error, "`rover`: found no stop to clear");
}

#[test]
fn a_stop_names_unknown_agents_and_works_before_the_start() {
    let mut engine = engine(rover());
    let error = engine.stop_agent("rovr").unwrap_err().to_string();
    assert_eq!(
        error,
        "found no agent `rovr`; expected one of `rover`; did you mean `rover`?"
    );
    engine.stop_agent("rover").unwrap();
    engine.step().unwrap();
    assert!(engine.agent("rover").unwrap().stopped.is_some());
}

#[test]
fn requests_of_one_tick_are_applied_in_the_order_of_their_arrival() {
    for [first, second] in [["a", "b"], ["b", "a"]] {
        let mut engine = engine(rover());
        engine.start().unwrap();
        push(&engine, first, twist(0.1));
        push(&engine, second, twist(0.2));
        engine.step().unwrap();
        let request = engine.agent("rover").unwrap().request.unwrap();
        assert_eq!(request.sender, second);
        assert_eq!(commanded(&engine).linear_m_s, 0.2);
        assert_eq!(
            engine.summary().state_hash,
            replayed(self::engine(rover()), &engine)
        );
    }
}

#[test]
fn a_reset_keeps_a_stop_and_no_cleared_one() {
    let run = |stop: bool| {
        let mut engine = engine(patrol());
        if stop {
            engine.stop_agent("rover").unwrap();
        }
        engine.run_for(Duration::from_millis(500)).unwrap();
        engine.summary().state_hash
    };
    let [free, stopped] = [run(false), run(true)];
    let mut engine = engine(patrol());
    engine.run_for(Duration::from_secs(1)).unwrap();
    engine.stop_agent("rover").unwrap();
    engine.run_for(Duration::from_millis(100)).unwrap();
    engine.world_mut().resource_mut::<Seen>().frames.clear();
    engine.reset().unwrap();
    engine.step().unwrap();
    assert_eq!(commanded(&engine), Twist2::default());
    engine.run_for(Duration::from_millis(499)).unwrap();
    // As if it had been stopped before its start, and the stop is in the journal.
    assert_eq!(engine.summary().state_hash, stopped);
    assert_eq!(
        engine.summary().state_hash,
        replayed(self::engine(patrol()), &engine)
    );
    engine.clear_stop("rover").unwrap();
    engine.step().unwrap();
    engine.reset().unwrap();
    engine.run_for(Duration::from_millis(500)).unwrap();
    assert_eq!(engine.summary().state_hash, free);
}

#[test]
fn requests_that_an_agent_cannot_follow_are_refused_with_an_event() {
    let mut engine = engine(rover());
    engine.start().unwrap();
    let wrong = [
        twist(f64::NAN),
        twist(f64::INFINITY),
        RequestKind::Ackermann {
            speed_m_s: 1.0,
            steering_rad: 0.0,
        },
        RequestKind::Joints {
            positions: vec![1.0],
            velocities: vec![0.0],
        },
        RequestKind::ClearStop,
    ];
    for (k, what) in wrong.iter().enumerate() {
        assert!(engine.command("rover", what.clone()).is_err());
        push(&engine, &k.to_string(), what.clone());
    }
    let queue = engine.request_queue();
    let late = Request {
        sender: "late".to_owned(),
        agent: "rover".to_owned(),
        what: twist(1.0),
        expires_ns: 0,
    };
    queue.push(Request {
        agent: "rovr\u{1b}[2J".to_owned(),
        sender: "x".repeat(10_000),
        expires_ns: 1,
        ..late.clone()
    });
    queue.push(late);
    engine.step().unwrap();
    assert!(engine.agent("rover").unwrap().request.is_none());
    assert_eq!(commanded(&engine), Twist2::default());
    let finite = "found a number that is not finite; expected finite numbers";
    let expected = [
        format!("rover: request of 0 refused: {finite}"),
        format!("rover: request of 1 refused: {finite}"),
        "rover: request of 2 refused: found driven wheels (twist); expected a vehicle (speed and steering)".to_owned(),
        "rover: request of 3 refused: found driven wheels (twist); expected servos (joints)".to_owned(),
        "rover: request of 4 refused: found no stop to clear".to_owned(),
        format!("rovr\u{fffd}[2J: request of {} refused: found no such agent", "x".repeat(64)),
        "rover: request of late refused: found an expiry before its arrival; expected one after it".to_owned(),
    ];
    assert_eq!(texts(&engine), expected);
}

#[test]
fn a_stopped_car_brakes_and_keeps_its_wheels_turned() {
    let mut engine =
        watched(CoherenceEngine::from_scene("built-in/scenes/vehicle_track.ron").unwrap());
    engine.run_for(Duration::from_secs(6)).unwrap();
    let before: Ackermann = target(&engine, "car");
    assert!(before.speed_m_s > 3.0, "{before:?}");
    engine.stop_agent("car").unwrap();
    for _ in 0..6000 {
        engine.step().unwrap();
        let held: Ackermann = target(&engine, "car");
        assert_eq!(
            (held.speed_m_s, held.steering_rad),
            (0.0, before.steering_rad)
        );
    }
    let car = engine.agent("car").unwrap();
    assert!(car.twist.unwrap().linear_m_s.length() < 0.05);
}

#[test]
fn a_stopped_arm_stays_where_it_is_and_not_at_its_target() {
    let arm = Agent::robot("arm.urdf").name("arm").drive(Drive::Joints {
        stiffness: None,
        damping: None,
    });
    let mut engine = engine(arm);
    engine.run_for(Duration::from_millis(500)).unwrap();
    let entity = engine.agent("arm").unwrap().entity;
    let driven = engine.world().get::<DrivenBy>(entity).unwrap().0;
    let joints =
        |engine: &CoherenceEngine| engine.world().get::<JointStates>(entity).unwrap().clone();
    let targets = engine.world().get::<ActuatorTarget<JointTargets>>(driven);
    let JointTargets {
        mut positions,
        velocities,
    } = targets.unwrap().0.clone();
    let start = joints(&engine).positions;
    positions[0] += 1.5;
    let what = RequestKind::Joints {
        positions,
        velocities,
    };
    engine.command("arm", what).unwrap();
    engine.run_for(Duration::from_millis(300)).unwrap();
    let before = joints(&engine);
    let moved = |now: &JointStates, from: &[f64]| {
        let pairs = now.positions.iter().zip(from);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    assert!(moved(&before, &start) > 0.1, "it moves");
    engine.stop_agent("arm").unwrap();
    engine.run_for(Duration::from_secs(2)).unwrap();
    let after = joints(&engine);
    let way = moved(&after, &before.positions);
    assert!(way < 0.15, "{way} rad");
    assert!(after.velocities.iter().all(|v| v.abs() < 0.02));
}

/// A driver that leaves its commands to the test.
#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Vec<ActuatorEnd>>>);

struct Idle;

impl Driver for Idle {
    fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
        context.up();
        while !context.cancelled() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl DriverKind for Taken {
    fn name(&self) -> &'static str {
        "taken"
    }

    fn about(&self) -> &'static str {
        "commands for a test"
    }

    fn port(&self, _: &str, _: Endpoint<'_>) -> Result<String, ConfigError> {
        Ok("test".to_owned())
    }

    fn check(&self, _: &str, _: &SourceSite) -> Result<(), ConfigError> {
        Ok(())
    }

    fn open(&self, _: &str, ends: Vec<(String, LinkEnd)>) -> Result<Box<dyn Driver>, String> {
        let mut taken = self.0.lock().unwrap();
        taken.extend(ends.into_iter().filter_map(|(_, end)| match end {
            LinkEnd::Actuator(end) => Some(end),
            LinkEnd::Sensor(_) => None,
        }));
        Ok(Box::new(Idle))
    }
}

#[test]
fn hardware_gets_the_safe_command_in_the_tick_of_the_stop() {
    let taken = Taken::default();
    let kind = taken.clone();
    let agent = AgentSpec {
        drive_source: Source::Driver("taken".to_owned(), Config("()".to_owned())),
        ..AgentSpec::from(rover())
    };
    let loaded = Scene::builder().agent(agent).build().unwrap().into_loaded();
    let mut engine = CoherenceEngine::builder()
        .add_plugin(move |app: &mut App| {
            app.register_driver(kind.clone());
        })
        .loaded(loaded);
    engine.set_armed(true);
    engine.start().unwrap();
    let end = taken.0.lock().unwrap()[0].clone();
    let next = || end.next(Duration::ZERO);
    engine.command("rover", twist(0.7)).unwrap();
    let mut last: Option<Outgoing> = None;
    // A command is sent every 10 ms: this tick has none.
    for _ in 0..25 {
        engine.step().unwrap();
        last = next().or(last);
    }
    let before = last.unwrap();
    assert_eq!((before.now_ns, before.safe), (20_000_000, false));
    assert_eq!(before.numbers, [0.7, 0.0]);
    engine.stop_agent("rover").unwrap();
    engine.step().unwrap();
    let stop = next().unwrap();
    assert_eq!((stop.now_ns, stop.safe), (25_000_000, true));
    assert_eq!(stop.numbers, [0.0, 0.0]);
    for _ in 0..2000 {
        let _ = engine.command("rover", twist(0.7));
        engine.step().unwrap();
        if let Some(command) = next() {
            assert_eq!(
                (command.safe, &command.numbers[..]),
                (true, &[0.0, 0.0][..])
            );
        }
    }
}

#[test]
fn a_recording_with_stops_and_a_reset_verifies() {
    let here = folder(&[]);
    let file = here.path().join("run.mcap");
    let loaded = Scene::builder()
        .agent(patrol())
        .duration_s(2.0)
        .build()
        .unwrap()
        .into_loaded();
    let kinds = Plugins::new().kinds();
    let capturing = becomingone::assets::CapturingFiles::new(&becomingone::assets::Assets);
    let loaded = scene::SceneLoader::new(&kinds)
        .files(&capturing)
        .build(loaded.scene)
        .unwrap();
    let mut attachments = vec![(
        SCENE_ATTACHMENT.to_owned(),
        scene::held(&loaded.scene).into_bytes(),
    )];
    attachments.extend(capturing.take());
    let opening = Opening {
        attachments,
        ..Opening::default()
    };
    let mut engine = CoherenceEngine::from_loaded(loaded);
    engine.add_plugin(RecordPlugin::new(&file, opening).unwrap());
    for _ in 0..2 {
        engine.run_for(Duration::from_millis(300)).unwrap();
        engine.command("rover", twist(-0.2)).unwrap();
        engine.run_for(Duration::from_millis(100)).unwrap();
        engine.stop_agent("rover").unwrap();
        engine.run_for(Duration::from_millis(100)).unwrap();
        engine.clear_stop("rover").unwrap();
        engine.run_for(Duration::from_millis(100)).unwrap();
        engine.stop_agent("rover").unwrap();
        engine.run_for(Duration::from_millis(100)).unwrap();
        engine.reset().unwrap();
        engine.run_for(Duration::from_millis(50)).unwrap();
        engine.clear_stop("rover").unwrap();
    }
    finish(engine.world_mut(), Duration::from_secs(20)).unwrap();
    let ran = run(here.path(), &["replay", "run.mcap", "--verify"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("verified"), "{}", ran.stdout);
}

#[test]
fn a_place_is_apart_from_obstacles_and_an_empty_list_leaves_the_scene_as_it_was() {
    let builder = || {
        Scene::builder()
            .cuboid("dock", [5.0, 0.0, 0.0], [1.0, 1.0, 1.0])
            .agent(rover())
    };
    let without = builder().build().unwrap().into_loaded().scene;
    assert!(!scene::to_ron(&without).contains("places"));
    let built = builder().place("dock", [2.0, 1.0], 1.57).build().unwrap();
    let with = built.into_loaded().scene;
    assert_ne!(scene::resolved(&without).hash, scene::resolved(&with).hash);
    // Written and read again, it is the same.
    let here = folder(&[("s.ron", &scene::to_ron(&with))]);
    let mut engine = CoherenceEngine::from_scene(here.path().join("s.ron")).unwrap();
    assert_eq!(engine.place("dock").unwrap().position_m, [2.0, 1.0]);
    assert_eq!(engine.place("dock").unwrap().yaw_rad, 1.57);
    engine.step().unwrap();
    let error = engine.go_to("rover", "docks").unwrap_err().to_string();
    assert_eq!(
        error,
        "found no place `docks`; expected one of `dock`; did you mean `dock`?"
    );
    let twice = Scene::builder()
        .place("a", [0.0; 2], 0.0)
        .place("a", [0.0, f64::NAN], 0.0)
        .agent(rover());
    let error = twice.build().map(drop).unwrap_err().to_string();
    assert!(error.contains("world.places[1].name"), "{error}");
    assert!(error.contains("world.places[1].position_m[1]"), "{error}");
}

fn place(engine: &CoherenceEngine) -> [f64; 2] {
    let pose = engine.agent("rover").unwrap().pose.unwrap();
    [
        f64::from(pose.translation_m.x),
        f64::from(pose.translation_m.y),
    ]
}

fn away(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

#[test]
fn a_place_is_driven_to_before_the_waypoints_and_the_patrol_resumes() {
    let mut engine = engine(patrol());
    engine.run_for(Duration::from_secs(2)).unwrap();
    engine.can_go_to("rover").unwrap();
    let goal = [1.0, 2.5];
    engine.go_to("rover", goal).unwrap();
    let mut left = Vec::new();
    let mut there = None;
    while there.is_none() && engine.time().now_s() < 30.0 {
        engine.step().unwrap();
        match engine.agent("rover").unwrap().go_to {
            Some(progress) => left.extend(progress.distance_m),
            None => there = Some(place(&engine)),
        }
    }
    assert!(away(there.unwrap(), goal) < 0.45, "{there:?}");
    assert!(left[0] > 2.0 && left[left.len() - 1] < 0.6, "{left:?}");
    let done = "rover: request of library done: go to (1, 2.5)";
    assert_eq!(texts(&engine), [done]);
    assert_eq!(engine.summary().agents[0].goals_reached, 0);
    // On to its first waypoint at (20, 0).
    engine.run_for(Duration::from_secs(50)).unwrap();
    assert_eq!(engine.summary().agents[0].goals_reached, 1);
    assert_eq!(
        engine.summary().state_hash,
        replayed(self::engine(patrol()), &engine)
    );
}

#[test]
fn a_drive_to_a_place_ends_by_stop_by_another_request_and_at_its_expiry() {
    let mut engine = engine(patrol());
    engine.run_for(Duration::from_secs(1)).unwrap();
    engine.go_to("rover", [0.0, 5.0]).unwrap();
    engine.run_for(Duration::from_millis(500)).unwrap();
    engine.go_to("rover", [0.0, -5.0]).unwrap();
    engine.run_for(Duration::from_millis(500)).unwrap();
    engine.stop_agent("rover").unwrap();
    engine.step().unwrap();
    let error = engine.can_go_to("rover").unwrap_err().to_string();
    assert_eq!(
        error,
        "`rover`: found a stop of library; expected a `ClearStop` first"
    );
    engine.clear_stop("rover").unwrap();
    engine.step().unwrap();
    assert!(engine.agent("rover").unwrap().go_to.is_none());
    let go_to = RequestKind::GoTo { x_m: 0.0, y_m: 5.0 };
    // It expires after half a second.
    push(&engine, "page", go_to);
    engine.run_for(Duration::from_secs(1)).unwrap();
    let rover = engine.agent("rover").unwrap();
    assert!(rover.go_to.is_none() && rover.request.is_none());
    let expected = [
        "rover: request of library dropped: go to (0, 5): replaced by a request of library",
        "rover: stopped by library",
        "rover: request of library dropped: go to (0, -5): stopped by library",
        "rover: stop cleared by library",
        "rover: request of page dropped: go to (0, 5): expired",
    ];
    assert_eq!(texts(&engine), expected);
    assert_eq!(
        engine.summary().state_hash,
        replayed(self::engine(patrol()), &engine)
    );
}

#[test]
fn a_place_that_cannot_be_reached_is_given_up() {
    let lidar = SensorSpec {
        position_m: [0.06, 0.0, 0.26],
        ..SensorSpec::new("lidar", Lidar::default(), 10.0)
    };
    let controller = Patrol {
        give_up_s: 5.0,
        ..Patrol::new([[20.0, 0.0]], 0.5)
    };
    let scene = Scene::builder()
        .cuboid("wall", [2.0, 2.0, 0.0], [1.0, 1.0, 1.0])
        .agent(rover().mounted(lidar).controller(controller));
    let mut engine = watched(CoherenceEngine::from(scene.build().unwrap()));
    engine.start().unwrap();
    engine.go_to("rover", [2.0, 2.0]).unwrap();
    engine.run_for(Duration::from_secs(40)).unwrap();
    let texts = texts(&engine);
    assert_eq!(texts.len(), 1, "{texts:?}");
    let expected = "rover: request of library dropped: go to (2, 2): no progress for 5 s, ";
    assert!(texts[0].starts_with(expected), "{texts:?}");
}

#[test]
fn agents_without_a_planner_drive_to_no_place() {
    let mut engine = engine(rover());
    engine.step().unwrap();
    let error = engine.can_go_to("rover").unwrap_err().to_string();
    let why = "found no controller that drives to places; expected one such as `Patrol`";
    assert_eq!(error, format!("`rover`: {why}"));
    assert!(engine.go_to("rover", [1.0, 1.0]).is_err());
    let [x_m, y_m] = [1.0, 1.0];
    push(&engine, "page", RequestKind::GoTo { x_m, y_m });
    engine.step().unwrap();
    assert_eq!(
        texts(&engine),
        [format!("rover: request of page refused: {why}")]
    );
}

/// True heading of the rover (rad).
fn heading(engine: &CoherenceEngine) -> f64 {
    let pose = engine.agent("rover").unwrap().pose.unwrap();
    let forward = pose.rotation * glam::Vec3::X;
    f64::from(forward.y).atan2(f64::from(forward.x))
}

#[test]
fn moves_and_turns_end_within_2_cm_and_2_degrees_of_the_true_pose() {
    // The noise of the shipped robot's encoders.
    let noise = Noise {
        white_sd: 1e-4,
        resolution: 8.2e-5,
        ..Noise::default()
    };
    let agent = || {
        Agent::robot("rover.urdf")
            .name("rover")
            .drive(Drive::Auto)
            .sensor("encoders", Encoders { noise }, 100.0)
    };
    let mut engine = engine(agent());
    engine.run_for(Duration::from_millis(500)).unwrap();
    let mut count = 0;
    for (distance_m, angle_rad) in [(1.5, 1.57), (-0.4, -3.0), (3.0, 0.2), (0.05, 7.0)] {
        let (from, yaw) = (place(&engine), heading(&engine));
        for what in [
            RequestKind::Move { distance_m },
            RequestKind::Turn { angle_rad },
        ] {
            engine.command("rover", what.clone()).unwrap();
            count += 1;
            let until = engine.time().now_s() + 40.0;
            while texts(&engine).len() < count {
                assert!(engine.time().now_s() < until, "{what} does not end");
                engine.step().unwrap();
            }
            engine.run_for(Duration::from_millis(300)).unwrap();
            assert_eq!(
                texts(&engine)[count - 1],
                format!("rover: request of library done: {what}")
            );
            assert!(engine.agent("rover").unwrap().moving.is_none());
            assert_eq!(commanded(&engine), Twist2::default());
        }
        let (sin, cos) = yaw.sin_cos();
        let goal = [from[0] + distance_m * cos, from[1] + distance_m * sin];
        let off_m = away(place(&engine), goal);
        let turned = heading(&engine) - yaw - angle_rad;
        let off_rad = (turned + PI).rem_euclid(2.0 * PI) - PI;
        assert!(off_m < 0.02, "{distance_m} m: {off_m} m");
        assert!(
            off_rad.abs() < 2_f64.to_radians(),
            "{angle_rad} rad: {off_rad} rad"
        );
    }
    assert_eq!(
        engine.summary().state_hash,
        replayed(self::engine(agent()), &engine)
    );
}

#[test]
fn moves_need_encoders_wheels_and_finite_numbers() {
    let blind = Agent::robot("rover.urdf").name("rover").drive(Drive::Auto);
    let mut engine = engine(blind);
    engine.step().unwrap();
    let mut refusal = |what: RequestKind| engine.command("rover", what).unwrap_err().to_string();
    for (what, expected) in [
        (RequestKind::Move { distance_m: 1.0 }, "wheel encoders"),
        (RequestKind::Turn { angle_rad: 1.0 }, "wheel encoders"),
        (
            RequestKind::Move {
                distance_m: f64::NAN,
            },
            "not finite",
        ),
        (
            RequestKind::Turn {
                angle_rad: f64::INFINITY,
            },
            "not finite",
        ),
        (RequestKind::Move { distance_m: 1e9 }, "within 1000"),
    ] {
        let error = refusal(what.clone());
        assert!(error.contains(expected), "{what}: {error}");
    }
    let mut engine = CoherenceEngine::from_scene("built-in/scenes/vehicle_track.ron").unwrap();
    engine.step().unwrap();
    let error = engine.command("car", RequestKind::Move { distance_m: 1.0 });
    assert_eq!(
        error.unwrap_err().to_string(),
        "`car`: found a vehicle (speed and steering); expected driven wheels (twist)"
    );
}

#[test]
fn a_stop_and_an_expiry_end_a_move() {
    let mut engine = engine(rover());
    engine.start().unwrap();
    let distance_m = 0.8;
    engine
        .command("rover", RequestKind::Move { distance_m })
        .unwrap();
    engine.run_for(Duration::from_secs(1)).unwrap();
    engine.stop_agent("rover").unwrap();
    engine.step().unwrap();
    assert_eq!(commanded(&engine), Twist2::default());
    assert!(engine.agent("rover").unwrap().moving.is_none());
    engine.clear_stop("rover").unwrap();
    engine.run_for(Duration::from_secs(1)).unwrap();
    assert_eq!(commanded(&engine), Twist2::default());
    // It expires after half a second.
    push(&engine, "page", RequestKind::Move { distance_m: 50.0 });
    engine.run_for(Duration::from_secs(1)).unwrap();
    assert_eq!(commanded(&engine), Twist2::default());
    let texts = texts(&engine);
    assert_eq!(
        texts[1],
        "rover: request of library dropped: move by 0.8 m: stopped by library"
    );
    let expired = "rover: request of page dropped: move by 50 m: expired, ";
    assert!(texts[3].starts_with(expired), "{texts:?}");
}
