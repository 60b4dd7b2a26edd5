//! Sensor, fault and controller kinds and requests from outside the engine, through the library.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone::components::request::{ActiveRequest, RequestKind};
use becomingone::prelude::*;
use becomingone::record::journal::{Item, Journal, Message};
use becomingone::record::{Opening, RecordPlugin, SCENE_ATTACHMENT, finish};
use becomingone::systems::hash::{Bits, HashState, RegisterState};
use becomingone::{EngineError, scene};
use becomingone_tests::{folder, run};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Height of the sensor's link, without noise.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Altimeter {
    offset_m: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Height(f64);

impl Measurement for Height {
    const KIND: &'static str = "altimeter";
    const FIELDS: &'static [Field] = &[field("height", "m")];

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        each(self.0);
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let &[height] = numbers else {
            return false;
        };
        self.0 = height;
        true
    }
}

impl Kind for Altimeter {
    const NAME: &'static str = "Altimeter";
    const ABOUT: &'static str = "height (m)";
}

impl SensorKind for Altimeter {
    type Measurement = Height;
    type Model = f64;
    type Param = (
        Res<'static, Physics>,
        Query<'static, 'static, &'static Bodies>,
    );

    fn check(&self, _: &SensorContext<'_>, checks: &mut Checks<'_>) {
        checks.within("offset_m", self.offset_m, -10.0, 10.0, "metres within 10");
    }

    fn model(&self, _: &SensorContext<'_>, _: &mut Rng) -> f64 {
        self.offset_m
    }

    fn truth(
        offset_m: &mut f64,
        at: &SensorAt,
        (physics, bodies): &(Res<'_, Physics>, Query<'_, '_, &Bodies>),
        truth: &mut Height,
    ) -> bool {
        let body = physics.body(bodies, at);
        if let Some(body) = body {
            truth.0 = f64::from(body.position().translation.z) + *offset_m;
        }
        body.is_some()
    }
}

struct Own;

impl Plugin for Own {
    fn build(&self, app: &mut App) {
        app.register_sensor::<Altimeter>();
    }
}

const SCENE: &str = "(
    version: 1,
    agents: [(
        name: \"rover\",
        model: \"rover.urdf\",
        sensors: [(name: \"height\", kind: Altimeter(offset_m: 2), rate_hz: 100)],
    )],
)";

fn rover() -> Agent {
    Agent::robot("rover.urdf").name("rover").drive(Drive::Auto)
}

#[test]
fn a_sensor_kind_of_another_crate_is_read_sampled_and_found_by_name() {
    let here = folder(&[("s.ron", SCENE)]);
    let mut engine = CoherenceEngine::builder()
        .add_plugin(Own)
        .scene(here.path().join("s.ron"))
        .unwrap();
    engine.run_for(Duration::from_millis(100)).unwrap();
    let height = engine.reading::<Altimeter>("rover/height").unwrap();
    let height = height.latest().unwrap().value.0;
    assert!((1.9..2.5).contains(&height), "{height}");
    assert_eq!(engine.truth::<Altimeter>("rover/height").unwrap().0, height);
    let wrong = engine.reading::<Imu>("rover/height").unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "`rover/height`: found a sensor of kind `altimeter`; expected `imu`"
    );
}

#[test]
fn an_unknown_kind_lists_the_registered_ones_and_a_wrong_field_its_place() {
    let here = folder(&[
        ("s.ron", SCENE),
        ("wrong.ron", &SCENE.replace("offset_m: 2", "ofset_m: 2")),
        ("far.ron", &SCENE.replace("offset_m: 2", "offset_m: 20")),
    ]);
    let message = |name: &str, plugin: bool| {
        let builder = CoherenceEngine::builder();
        let builder = if plugin {
            builder.add_plugin(Own)
        } else {
            builder
        };
        let scene = builder.scene(here.path().join(name));
        scene.map(drop).unwrap_err().to_string()
    };
    let unknown = message("s.ron", false);
    assert!(
        unknown.contains("s.ron:6:42: found unknown sensor kind `Altimeter`; expected one of `Barometer`, `Battery`"),
        "{unknown}"
    );
    let wrong = message("wrong.ron", true);
    assert!(
        wrong.contains("wrong.ron:6:52: found unknown key `ofset_m` in `Altimeter`; expected `offset_m`; did you mean `offset_m`?"),
        "{wrong}"
    );
    let far = message("far.ron", true);
    assert!(
        far.contains(
            "far.ron:6:62: agents[0].sensors[0].kind.offset_m: found 20; expected metres within 10"
        ),
        "{far}"
    );
}

#[test]
fn a_scene_in_code_with_an_unregistered_kind_does_not_start() {
    let scene = Scene::builder().agent(rover().sensor("height", Altimeter::default(), 100.0));
    let error = CoherenceEngine::from(scene.build().unwrap())
        .step()
        .unwrap_err();
    assert!(matches!(error, EngineError::Spawn(_)));
    assert!(
        error
            .to_string()
            .contains("`rover/height`: found the sensor kind `Altimeter`"),
        "{error}"
    );
    // Errors of a scene built in code name the path of the value.
    let wrong = Scene::builder()
        .agent(rover().sensor("imu", Imu::default(), 1e6))
        .build();
    let wrong = wrong.map(drop).unwrap_err().to_string();
    assert!(
        wrong.starts_with("agents[0].sensors[0].rate_hz: found 1000000"),
        "{wrong}"
    );
}

#[test]
fn two_types_under_one_name_do_not_start() {
    /// A second `Imu`.
    #[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
    #[serde(rename = "Imu")]
    struct Other {}

    impl Kind for Other {
        const NAME: &'static str = "Imu";
        const ABOUT: &'static str = "another IMU";
    }

    impl SensorKind for Other {
        type Measurement = Height;
        type Model = ();
        type Param = ();
        fn model(&self, _: &SensorContext<'_>, _: &mut Rng) {}
        fn truth((): &mut (), _: &SensorAt, (): &(), _: &mut Height) -> bool {
            false
        }
    }

    struct Twice;

    impl Plugin for Twice {
        fn build(&self, app: &mut App) {
            app.register_sensor::<Other>();
        }
    }

    let mut engine = CoherenceEngine::builder()
        .add_plugin(Twice)
        .scene("built-in/scenes/arm_wave.ron")
        .unwrap();
    let error = engine.step().unwrap_err().to_string();
    assert_eq!(
        error,
        "found two types registered as sensor `Imu`; expected one type for each name"
    );
}

/// State of a plugin's entity.
#[derive(Component)]
struct Counter(u64);

impl HashState for Counter {
    fn bits(&self, bits: &mut Bits) {
        bits.u64(self.0);
    }
}

/// Spawns a counter in the second tick, with this increment.
struct Counts(u64);

impl Plugin for Counts {
    fn build(&self, app: &mut App) {
        let by = self.0;
        app.register_state::<Counter>("counter").add_systems(
            Tick,
            (
                |time: Res<SimTime>, mut commands: Commands| {
                    if time.tick == 1 {
                        commands.spawn((Name::new("counter"), Counter(0)));
                    }
                },
                move |mut counters: Query<&mut Counter>| {
                    for mut counter in &mut counters {
                        counter.0 += by;
                    }
                },
            )
                .chain()
                .in_set(TickSystems::Sample),
        );
    }
}

#[test]
fn an_entity_spawned_by_a_plugin_during_a_run_is_indexed_and_hashed() {
    let hash = |by: u64, ticks: u64| {
        let scene = Scene::builder()
            .agent(Agent::bare("kernel"))
            .build()
            .unwrap();
        let mut engine = CoherenceEngine::from(scene);
        engine.add_plugin(Counts(by));
        for _ in 0..ticks {
            engine.step().unwrap();
        }
        let index = engine
            .world()
            .resource::<becomingone::systems::index::EntityIndex>();
        assert_eq!(index.entity("counter").is_some(), ticks > 2);
        engine.summary().state_hash
    };
    assert_eq!(hash(1, 2), hash(2, 2));
    assert_ne!(hash(1, 4), hash(2, 4));
    assert_eq!(hash(2, 4), hash(2, 4));
}

#[test]
fn an_actuator_that_a_plugin_spawns_in_mid_run_is_recorded_from_the_next_tick_on() {
    let here = tempfile::tempdir().unwrap();
    let file = here.path().join("run.mcap");
    let scene = Scene::builder().agent(Agent::bare("kernel")).build();
    let mut engine = CoherenceEngine::from(scene.unwrap());
    engine.add_plugin(|app: &mut App| {
        let spawn = |time: Res<SimTime>, mut commands: Commands| {
            if time.tick == 1 {
                let target = ActuatorTarget(Twist2 {
                    linear_m_s: 0.5,
                    angular_rad_s: 0.0,
                });
                commands.spawn((Name::new("late"), target));
            }
        };
        app.add_systems(Tick, spawn.in_set(TickSystems::Act));
    });
    engine.add_plugin(RecordPlugin::new(&file, Opening::default()).unwrap());
    for _ in 0..9 {
        engine.step().unwrap();
    }
    let report = finish(engine.world_mut(), Duration::from_secs(20)).unwrap();
    assert_eq!((report.ticks, report.lost), (9, None));
    let mut journal = Journal::open(&file).unwrap();
    let mut recorded = Vec::new();
    while let Some(item) = journal.read().unwrap() {
        if let Item::Tick(tick) = item {
            let command = |m: &Message| &*m.topic == "/late/command";
            recorded.push(tick.messages.iter().filter(|m| command(m)).count());
        }
    }
    // A command is recorded when it changes.
    assert_eq!(recorded, [0, 0, 1, 0, 0, 0, 0, 0, 0]);
}

fn speed(engine: &CoherenceEngine) -> f64 {
    let driven = engine
        .world()
        .get::<DrivenBy>(engine.agent("rover").unwrap().entity);
    let target = engine
        .world()
        .get::<ActuatorTarget<Twist2>>(driven.unwrap().0);
    target.unwrap().0.linear_m_s
}

#[test]
fn a_request_overrides_the_controller_until_it_expires() {
    let back = Twist2 {
        linear_m_s: -0.25,
        angular_rad_s: 0.0,
    };
    let run = |agent: Agent| {
        let mut engine = CoherenceEngine::from(Scene::builder().agent(agent).build().unwrap());
        engine.run_for(Duration::from_secs(1)).unwrap();
        let before = speed(&engine);
        engine.command("rover", back).unwrap();
        engine.run_for(Duration::from_millis(490)).unwrap();
        let during = speed(&engine);
        engine.run_for(Duration::from_millis(100)).unwrap();
        let entity = engine.agent("rover").unwrap().entity;
        assert!(engine.world().get::<ActiveRequest>(entity).is_none());
        (before, during, speed(&engine))
    };
    let (before, during, after) = run(rover().controller(Patrol::new([[20.0, 0.0]], 0.5)));
    assert!(before > 0.3, "{before}");
    assert_eq!(during, -0.25);
    assert!(after > 0.3, "{after}");
    // Without a controller, the safe command remains: the robot stands.
    let (before, during, after) = run(rover());
    assert_eq!((before, during, after), (0.0, -0.25, 0.0));
}

#[test]
fn requests_for_unknown_agents_or_wrong_drives_are_refused_by_name() {
    let mut engine = CoherenceEngine::from(Scene::builder().agent(rover()).build().unwrap());
    let twist = |linear_m_s| Twist2 {
        linear_m_s,
        angular_rad_s: 0.0,
    };
    let error = engine.command("rover", twist(0.1)).unwrap_err().to_string();
    assert_eq!(
        error,
        "found `rover` before the run was started; expected `start` or `step` first"
    );
    engine.step().unwrap();
    let error = engine.command("rovr", twist(0.1)).unwrap_err().to_string();
    assert_eq!(
        error,
        "found no agent `rovr`; expected one of `rover`; did you mean `rover`?"
    );
    let car = Ackermann::default();
    let error = engine.command("rover", car).unwrap_err().to_string();
    assert_eq!(
        error,
        "`rover`: found driven wheels (twist); expected a vehicle (speed and steering)"
    );
    let error = engine
        .command("rover", twist(f64::NAN))
        .unwrap_err()
        .to_string();
    assert!(error.contains("not finite"), "{error}");
    for _ in 0..1024 {
        engine.command("rover", twist(0.1)).unwrap();
    }
    assert!(engine.command("rover", twist(0.1)).is_err());
    engine.step().unwrap();
    engine
        .command(
            "rover",
            RequestKind::Stick {
                forward: 1.0,
                left: 0.0,
            },
        )
        .unwrap();
}

#[test]
fn requests_are_journaled_and_a_recording_is_replayed_with_them() {
    let here = folder(&[]);
    let file = here.path().join("run.mcap");
    let loaded = Scene::builder()
        .agent(rover())
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
    for k in 0..20 {
        engine.run_for(Duration::from_millis(100)).unwrap();
        let angular_rad_s = f64::from(k) / 20.0;
        engine
            .command(
                "rover",
                Twist2 {
                    linear_m_s: 0.4,
                    angular_rad_s,
                },
            )
            .unwrap();
    }
    finish(engine.world_mut(), Duration::from_secs(20)).unwrap();
    let ran = run(here.path(), &["replay", "run.mcap", "--verify"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("verified"), "{}", ran.stdout);
}
