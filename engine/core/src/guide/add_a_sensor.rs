//! Add a sensor in one file.
//!
//! *How do I add a sensor to the engine without changing the engine?* You write one file with the sensor, and one
//! line that registers it. The program that you build has the whole command line of `becomingone`, with your sensor
//! like any other. This page adds an altimeter, which takes about five minutes; then, shorter, [its
//! diagnosis](#diagnosis-of-the-sensor), [a controller](#a-controller), [a fault](#a-fault) and [a
//! driver](#a-driver).
//!
//! # The crate
//!
//! A crate of your own, anywhere outside of the engine's folder:
//!
//! ```text
//! cargo new my_robot
//! cd my_robot
//! ```
//!
//! `Cargo.toml`; write the path of your clone of the engine in place of `../becomingone`:
//!
//! ```toml
//! [package]
//! name = "my_robot"
//! version = "0.1.0"
//! edition = "2024"
//!
//! [dependencies]
//! becomingone = { path = "../becomingone/engine/core" }      # the library
//! becomingone-cli = { path = "../becomingone/engine/cli" }   # its command line
//! serde = { version = "1", features = ["derive"] }           # scenes are read with it
//! libm = "0.2"                                               # for `sin`, `exp`, ..: the same bits on every machine
//! ```
//!
//! # The sensor
//!
//! `src/altimeter.rs` is the complete sensor:
//!
//! ```
//! # mod altimeter {
//! //! `Altimeter`: height of the sensor above the ground.
//!
//! use becomingone::prelude::*;
//! use serde::{Deserialize, Serialize};
//!
//! /// Scene: `kind: Altimeter(noise: (white_sd: 0.04))`.
//! #[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
//! #[serde(deny_unknown_fields, default)]
//! pub struct Altimeter {
//!     /// Noise of the altitude (m).
//!     pub noise: Noise,
//! }
//!
//! /// Height above the ground (m).
//! #[derive(Clone, Copy, Debug, Default, PartialEq)]
//! pub struct Altitude(pub f64);
//!
//! impl Measurement for Altitude {
//!     const KIND: &'static str = "altimeter";
//!     const FIELDS: &'static [Field] = &[field("altitude", "m")];
//!
//!     fn visit(&self, each: &mut dyn FnMut(f64)) {
//!         each(self.0);
//!     }
//!
//!     fn fill(&mut self, numbers: &[f64]) -> bool {
//!         let &[altitude] = numbers else {
//!             return false;
//!         };
//!         self.0 = altitude;
//!         true
//!     }
//! }
//!
//! impl Kind for Altimeter {
//!     const NAME: &'static str = "Altimeter";
//!     const ABOUT: &'static str = "height above the ground (m)";
//! }
//!
//! impl SensorKind for Altimeter {
//!     type Measurement = Altitude;
//!     type Model = (Noise, Bias);
//!     type Param = (Res<'static, Physics>, Query<'static, 'static, &'static Bodies>);
//!
//!     fn check(&self, _: &SensorContext<'_>, checks: &mut Checks<'_>) {
//!         self.noise.check("noise", checks);
//!     }
//!
//!     fn model(&self, _: &SensorContext<'_>, rng: &mut Rng) -> (Noise, Bias) {
//!         (self.noise, Bias::turn_on(&self.noise, rng))
//!     }
//!
//!     /// Where the sensor is mounted on its link, and where the link is.
//!     fn truth(
//!         _: &mut (Noise, Bias),
//!         at: &SensorAt,
//!         (physics, bodies): &(Res<'_, Physics>, Query<'_, '_, &Bodies>),
//!         truth: &mut Altitude,
//!     ) -> bool {
//!         let Some(body) = physics.body(bodies, at) else {
//!             return false;
//!         };
//!         let link = body.position();
//!         let place = link.rotation * at.mount.translation_m + link.translation;
//!         truth.0 = f64::from(place.z);
//!         true
//!     }
//!
//!     fn measure(
//!         (noise, bias): &mut (Noise, Bias),
//!         at: &SensorAt,
//!         truth: &Altitude,
//!         rng: &mut Rng,
//!         reading: &mut Altitude,
//!     ) {
//!         reading.0 = bias.apply(truth.0, at.period_s, noise, rng);
//!     }
//! }
//! # }
//! # use becomingone::prelude::*;
//! # use altimeter::Altimeter;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("becomingone-sensor-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! # let file = folder.join("rover.ron");
//! # std::fs::write(&file, r#"
//! # (
//! #     version: 1,
//! #     duration_s: 40,
//! #     agents: [(
//! #         name: "rover",
//! #         model: "rover.urdf",
//! #         drive: Auto,
//! #         sensors: [
//! #             (name: "encoders", kind: Encoders(), rate_hz: 100),
//! #             (name: "altimeter", kind: Altimeter(noise: (white_sd: 0.04)), rate_hz: 100),
//! #         ],
//! #         controller: Patrol(waypoints_m: [(3, 0), (3, 3), (0, 3), (0, 0)], laps: None, speed_m_s: 0.5),
//! #     )],
//! #     faults: [(sensor: "rover/altimeter", kind: Bias(0.4), at_s: 25)],
//! # )
//! # "#)?;
//! # let register = |app: &mut App| {
//! #     app.register_sensor::<Altimeter>();
//! # };
//! # let mut engine = CoherenceEngine::builder().add_plugin(register).scene(&file)?;
//! # let summary = engine.run()?;
//! # let wrong = std::fs::read_to_string(&file)?.replace("white_sd: 0.04", "white_sd: -1");
//! # std::fs::write(&file, wrong)?;
//! # let error = CoherenceEngine::builder().add_plugin(register).scene(&file).err().unwrap().to_string();
//! # let expected = "agents[0].sensors[1].kind.noise.white_sd: found -1; expected a number from 0 to 1e9";
//! # assert!(error.contains(expected), "{error}");
//! # std::fs::remove_dir_all(&folder)?;
//! # let kernel = &summary.agents[0].kernel;
//! # assert_eq!(kernel.cause.as_deref(), Some("altimeter/altitude"));
//! # let alarms = &kernel.witness.as_ref().unwrap().alarms;
//! # assert!(alarms.len() == 1 && (25.0..25.5).contains(&alarms[0].from_s), "{alarms:?}");
//! # let read = engine.reading::<Altimeter>("rover/altimeter")?.latest().unwrap().value.0;
//! # let true_m = engine.truth::<Altimeter>("rover/altimeter")?.0;
//! # assert!((read - true_m - 0.4).abs() < 0.2);
//! # Ok(())
//! # }
//! ```
//!
//! # The program
//!
//! `src/main.rs`, with the line that registers it:
//!
//! ```ignore
//! mod altimeter;
//!
//! use becomingone::prelude::*;
//! use becomingone_cli::Cli;
//! use std::process::ExitCode;
//!
//! struct MySensors;
//!
//! impl Plugin for MySensors {
//!     fn build(&self, app: &mut App) {
//!         app.register_sensor::<altimeter::Altimeter>();
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     Cli::new().add_plugin(MySensors).main()
//! }
//! ```
//!
//! `build` is called once for each engine that the program makes, also to check a scene: it registers, and opens no
//! files and no devices. Without the command line,
//! [`CoherenceEngine::builder().add_plugin(MySensors).scene("rover.ron")`](crate::CoherenceEngine::builder) makes an
//! engine with the sensor.
//!
//! # A scene with it
//!
//! `rover.ron`, beside `Cargo.toml`. The altimeter reads 40 cm too much from 25 s on:
//!
//! ```text
//! (
//!     version: 1,
//!     duration_s: 40,
//!     agents: [(
//!         name: "rover",
//!         model: "rover.urdf",        // built in; or a path from the scene's folder
//!         drive: Auto,
//!         sensors: [
//!             (name: "encoders", kind: Encoders(), rate_hz: 100),
//!             (name: "altimeter", kind: Altimeter(noise: (white_sd: 0.04)), rate_hz: 100),
//!         ],
//!         controller: Patrol(waypoints_m: [(3, 0), (3, 3), (0, 3), (0, 0)], laps: None, speed_m_s: 0.5),
//!     )],
//!     faults: [(sensor: "rover/altimeter", kind: Bias(0.4), at_s: 25)],
//! )
//! ```
//!
//! # Run it
//!
//! The first build takes minutes, because it includes the engine; later ones take seconds.
//!
//! ```text
//! cargo run --release -- list sensors              # the altimeter is in the list
//! cargo run --release -- check --resolved rover.ron   # the scene with every default filled in
//! cargo run --release -- run rover.ron
//! ```
//!
//! The last command prints the [summary](crate::Summary). The kernel's row shows the detection: one alarm, with
//! `altimeter/altitude` as its isolated channel (`cause`); `--summary run.json` has every alarm with its time and
//! cause. The row `rover/altimeter` has the number of readings. Without a viewer, the run also leaves `rover.rrd`;
//! `--rerun off` writes none. The sensor's file contains no code for faults or detection. Errors in the scene are
//! reported before the run. With `Altimeter(noise: (white_sd: -1))`:
//!
//! ```text
//! error: rover.ron:10:67: agents[0].sensors[1].kind.noise.white_sd: found -1; expected a number from 0 to 1e9
//! ```
//!
//! In a scene, `link: ".."`, `position_m: (0, 0, 0.3)` and `rotation: (x, y, z, w)` mount the sensor (`at.mount` in the
//! code); the default is the origin of the root link. A recording is replayed by the program that has the sensor:
//!
//! ```text
//! cargo run --release -- run rover.ron --record run.mcap
//! cargo run --release -- replay run.mcap --verify
//! ```
//!
//! In a program of yours, values are read by name:
//!
//! ```ignore
//! engine.run_for(Duration::from_secs(1))?;
//! let read = engine.reading::<Altimeter>("rover/altimeter")?.latest().map(|r| r.value.0);
//! let true_m = engine.truth::<Altimeter>("rover/altimeter")?.0;
//! ```
//!
//! # Diagnosis of the sensor
//!
//! The self-model (Witness) learns from the first 8 s of a run how the numbers depend on each other and on the commands
//! of the drive, and detects deviations after that. What it learns must be typical of the whole run, and a fault must
//! begin later. A scene chooses channels, by names relative to the agent, and a longer warm-up:
//!
//! ```text
//! coherence: Kernel(witness: (channels: ["encoders", "altimeter/altitude"], warm_up_s: 30)),
//! ```
//!
//! The altitude here is constant but for noise, so the default suffices. A value that depends on the place or on what
//! is around, such as a temperature near a stove, a distance, a magnetic field, correlates with the motion by
//! accident during a short warm-up: as a default channel it causes false alarms, which may isolate *other* sensors.
//! Declare it in the measurement, `const SURROUNDINGS: bool = true;`; it is then a channel only if a scene names it,
//! with a warm-up that includes the whole route at least once.
//!
//! A value that stays where it is, whatever the machine does, is `STATIONARY`, as
//! [`AirTemperature`](crate::prelude::AirTemperature) is. The predictor would follow a slow one, and an offset of it would
//! be an alarm for a moment. With a threshold of its level, which `calibrate` writes as `witness: (level: ..)`, the alarm
//! lasts as long as the offset.
//!
//! # What follows from the registration
//!
//! | part of the engine | what it takes from the file |
//! |---|---|
//! | scene reader | `Altimeter(..)` in `kind:`, by serde; wrong names and values with line, column and nearest name |
//! | range checks | [`SensorKind::check`](crate::prelude::SensorKind::check), with the path of the value in the scene |
//! | simulation | `truth`, then `measure`, at the scene's `rate_hz`; a generator of random numbers of its own |
//! | faults | every kind of fault, on the whole reading or on one number: `rover/altimeter/altitude`; bytes are not changed, only lost with a reading |
//! | diagnosis | its numbers are channels of the [Witness](crate::guide::glossary), if the scene does not choose |
//! | journal | `--record run.mcap`: a topic for the sensor, with names and units of its numbers |
//! | viewer | `--rerun`: a curve for each number, and its ground truth |
//! | links | `source: Driver("udp", (listen: "127.0.0.1:5005"))` instead of the simulation, with any driver |
//! | replay | `source: Replay(file: "log.csv")`, a table with a column for each name of `FIELDS` and one of stamps (numbers only: not for kinds with bytes); `replay run.mcap --verify` |
//! | state hash | the bits of each reading are part of `state_hash` |
//! | lists | `list sensors`, `check --resolved`, the counts in the summary |
//! | library | [`engine.reading::<Altimeter>("rover/altimeter")`](crate::CoherenceEngine::reading) and [`truth`](crate::CoherenceEngine::truth) |
//!
//! # What each item is for
//!
//! [`Kind`](crate::prelude::Kind) is common to sensors, controllers and faults. The struct has the fields of the scene.
//!
//! | item | |
//! |---|---|
//! | `#[serde(deny_unknown_fields)]` | a misspelt key in a scene is an error, not ignored |
//! | `#[serde(default)]` | a scene may leave out any field, which then is that of `Default`; derived, a number is 0: for another default write `impl Default`. Leave it out where a value must be given |
//! | `NAME` | name in scenes. It must be the name of the struct in serde; else `#[serde(rename = "..")]` on the struct |
//! | `ABOUT` | the line of `becomingone list` |
//!
//! [`Measurement`](crate::prelude::Measurement) is the type that readings have. Two kinds of sensor may share one.
//!
//! | item | | if left out |
//! |---|---|---|
//! | `KIND` | name of the measurement in recordings; unique | |
//! | `FIELDS` | name and unit of each number; SI units, `"1"` for none | |
//! | `visit`, `fill` | numbers out of the type and into it, in the order of `FIELDS`; `fill` refuses another count | |
//! | `PARTS` | names for several numbers together: `gyro` for three of them | each number by its field |
//! | `IS_ROW` | any number of equal numbers, such as the ranges of a scan | as many as `FIELDS` |
//! | `COUNTS` | counters, of which increments are measured | values |
//! | `GAPS` | `NaN` means that there is no value | `NaN` is refused and counted |
//! | `SURROUNDINGS` | the value depends on the place or the surroundings, not on the motion alone; see [above](#diagnosis-of-the-sensor) | a channel by default |
//! | `STATIONARY` | the value stays where it is, whatever the machine does: a temperature, a voltage; once `calibrate` has given a threshold `level`, an offset that stays is an alarm for as long as it lasts ([faults](super::faults)) | its innovations alone are judged |
//! | `limits` | smallest and largest value | unbounded |
//! | `ENCODING`, `bytes`, `set_bytes` | bytes beside the numbers, such as an image: recorded and, for `image/..`, shown; `still_camera.rs` in `own_kinds` | none |
//!
//! [`SensorKind`](crate::prelude::SensorKind) is the sensor.
//!
//! | item | | if left out |
//! |---|---|---|
//! | `Measurement` | what it measures | |
//! | `Model` | state of one simulated sensor: such as noise and lag; as `pub` as the sensor; `()` for none | |
//! | `Param` | what it reads of the world, as parameters of a read-only bevy system, with `'static`; `()` for nothing | |
//! | `check` | range checks of the struct's fields, with the functions of [`Checks`](crate::prelude::Checks), e.g. `checks.within("lag_s", self.lag_s, 0.0, 60.0, "seconds from 0 to 60")`; the last text follows *expected* in the message | everything is accepted |
//! | `model` | makes `Model` at the start and at each reset; draws constant errors | |
//! | `truth` | the value without errors; `false` where there is none now | |
//! | `measure` | the reading: truth and errors | the truth is read |
//! | `blank` | an empty measurement of the right size, for rows | `Default` |
//! | `SIMULATED` | `false` for an instrument that exists only as hardware | simulated |
//! | `FIRST_TICK` | 1 where there is nothing to sample before the first step of physics | 0 |
//! | `channels`, `default_channels` | which numbers diagnosis takes, and how | every number |
//!
//! `truth` and `measure` are called once for each reading, [`at.period_s`](crate::prelude::SensorAt) apart: a filter
//! or a lag in `Model` advances by that time. They have no `self`: `model` copies the fields that they need into
//! `Model`. An error of the sensor, a lag too, belongs into `measure`; a state that starts at the first truth is an
//! `Option`. They must give the same bits in each run: draw random numbers from `rng`, take the time from
//! `at.now_ns`, never from the machine's clock. (`sin`, `exp` and similar functions of std may differ in the last bit
//! between machines; those of the crate `libm` do not.)
//!
//! [`Noise`](crate::prelude::Noise) has the fields of `noise: (..)` in scenes, all 0 by default: `white_sd`,
//! `turn_on_bias_sd`, `drift_sd`, `correlated_sd` with `correlation_time_s`, `resolution`.
//! [`Bias`](crate::prelude::Bias) is its state (not the fault of that name): `turn_on` draws the constant
//! error, `apply(value, period_s, noise, rng)` adds all errors to a value.
//!
//! [`physics.body`](crate::prelude::Physics::body) is the body that carries the sensor, a `RigidBody` of
//! [rapier](https://docs.rs/rapier3d): `position()` is its pose in the world, `linvel()` and `angvel()` are its
//! velocities, as vectors of [`glam`]. [`Physics::rapier`](crate::prelude::Physics) is the whole of physics, with
//! rays. A sensor that needs nothing of the world has `type Param = ();`, and its `truth` gets `_: &()`.
//!
//! # A controller
//!
//! *How do I drive a robot with my own code, from a scene?* The struct is both the format in the scene and the
//! component of the agent; its system queries agents with that component. `app.register_controller::<Cruise>()`
//! registers both. In the scene: `controller: Cruise(speed_m_s: 0.4)`.
//!
//! ```
//! use becomingone::prelude::*;
//! use serde::{Deserialize, Serialize};
//!
//! /// Scene: `controller: Cruise(speed_m_s: 0.4)`.
//! #[derive(Component, Clone, Debug, PartialEq, Deserialize, Serialize)]
//! #[serde(deny_unknown_fields)]
//! struct Cruise {
//!     speed_m_s: f64,
//! }
//!
//! impl Kind for Cruise {
//!     const NAME: &'static str = "Cruise";
//!     const ABOUT: &'static str = "straight ahead at a constant speed";
//! }
//!
//! impl ControllerKind for Cruise {
//!     const DRIVES: &'static [DriveClass] = &[DriveClass::Wheels];
//!
//!     fn check(&self, _: &ControllerContext<'_>, checks: &mut Checks<'_>) {
//!         checks.positive("speed_m_s", self.speed_m_s);
//!     }
//!
//!     fn spawn(&self, agent: &mut EntityWorldMut<'_>, _: &AgentBody<'_>) {
//!         agent.insert(self.clone());
//!     }
//!
//!     fn systems() -> ScheduleConfigs<ScheduleSystem> {
//!         cruise.run_if(any_with_component::<Cruise>)
//!     }
//! }
//!
//! fn cruise(agents: Query<(&Cruise, &DrivenBy)>, mut drives: Query<&mut ActuatorTarget<Twist2>>) {
//!     for (cruise, driven) in &agents {
//!         if let Ok(mut target) = drives.get_mut(driven.0) {
//!             target.0 = Twist2 { linear_m_s: cruise.speed_m_s, angular_rad_s: 0.0 };
//!         }
//!     }
//! }
//! #
//! # let register = |app: &mut App| {
//! #     app.register_controller::<Cruise>();
//! # };
//! # let rover = Agent::robot("rover.urdf").name("rover").drive(Drive::Auto);
//! # let spec = Scene::builder().agent(rover.controller(Cruise { speed_m_s: 0.4 })).spec();
//! # let mut engine = CoherenceEngine::builder().add_plugin(register).spec(spec)?;
//! # engine.run_for(std::time::Duration::from_secs(5))?;
//! # let x = engine.agent("rover")?.pose.map_or(0.0, |pose| pose.translation_m.x);
//! # assert!((1.8..2.0).contains(&x), "{x}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | item of [`ControllerKind`](crate::prelude::ControllerKind) | | if left out |
//! |---|---|---|
//! | `DRIVES` | wheels (`Twist2`), a vehicle (`Ackermann`), joints (`JointTargets`): a scene with another drive is refused | |
//! | `spawn` | gives the agent its components, at the start and at each reset | |
//! | `systems` | run in [`ControlSystems`](crate::prelude::ControlSystems) of the set `Decide`; several in an order: `(a, b).chain()` | |
//! | `check`, `fit` | range checks; what has to fit the loaded model | nothing is refused |
//! | `localisation` | pose that it uses, if any | none |
//! | `repeat_without_end`, `forget_goals` | used by calibration | no effect |
//!
//! A [request](super::architecture#one-way-in) takes precedence over the controller, and the governor limits both: a
//! controller handles neither. Sensors are found as `Query<(&Sensor, &Reading<Scan>)>`, where
//! [`sensor.agent`](crate::prelude::Sensor) is the agent. `WallFollower` in `engine/core/examples/own_kinds` is a
//! complete one.
//!
//! # A fault
//!
//! *How do I make a sensor fail in a way that the engine does not have?* Register the fault with
//! `app.register_fault::<Hum>()`, and inject it in the scene: `faults: [(sensor: "rover/altimeter", kind:
//! Hum(amplitude: 0.6), at_s: 25)]`.
//!
//! ```
//! use becomingone::prelude::*;
//! use serde::{Deserialize, Serialize};
//!
//! /// Scene: `kind: Hum(amplitude: 0.6)`.
//! #[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
//! #[serde(deny_unknown_fields)]
//! struct Hum {
//!     amplitude: f64,
//! }
//!
//! impl Kind for Hum {
//!     const NAME: &'static str = "Hum";
//!     const ABOUT: &'static str = "a sine of 50 Hz on top of the reading";
//! }
//!
//! impl FaultKind for Hum {
//!     type State = ();
//!
//!     fn check(&self, checks: &mut Checks<'_>) {
//!         checks.positive("amplitude", self.amplitude);
//!     }
//!
//!     fn describe(&self) -> String {
//!         format!("humming with {}", self.amplitude)
//!     }
//!
//!     fn inject(&self, (): &mut (), now: &FaultNow, numbers: &mut [f64]) {
//!         if now.active {
//!             let turns = now.now_ns as f64 * 1e-9 * 50.0;
//!             let hum = self.amplitude * libm::sin(std::f64::consts::TAU * turns);
//!             now.map(numbers, |x| x + hum);
//!         }
//!     }
//! }
//! #
//! # let register = |app: &mut App| {
//! #     app.register_fault::<Hum>();
//! # };
//! # let rover = Agent::robot("rover.urdf").name("rover").sensor("imu", Imu::default(), 1000.0);
//! # let scene = Scene::builder().agent(rover).fault("rover/imu/accelerometer_z", Hum { amplitude: 3.0 }, 0.01);
//! # let mut engine = CoherenceEngine::builder().add_plugin(register).spec(scene.spec())?;
//! # let mut worst = 0.0_f32;
//! # for _ in 0..100 {
//! #     engine.step()?;
//! #     let read = engine.reading::<Imu>("rover/imu")?.latest().unwrap().value.specific_force_m_s2.z;
//! #     worst = worst.max((read - engine.truth::<Imu>("rover/imu")?.specific_force_m_s2.z).abs());
//! # }
//! # assert!((2.9..3.1).contains(&worst), "{worst}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | item of [`FaultKind`](crate::prelude::FaultKind) | | if left out |
//! |---|---|---|
//! | `State` | state between readings, with a `Default`; `()` for nothing | |
//! | `describe` | what it does, in the event that is logged when it begins | |
//! | `inject` | changes the numbers that it acts on; called for each reading, also while `now.active` is false | no change |
//! | `loses` | whether a reading is lost | none is |
//! | `OF_DRIVE`, `torque_share`, `rolled_share` | a fault of motors or wheels instead of a sensor | of a sensor |
//! | `check`, `refuse` | range checks; targets without effect | nothing is refused |
//!
//! The fault changes readings only. Their [ground truth](crate::CoherenceEngine::truth) is untouched, so that detection
//! can be measured.
//!
//! # A driver
//!
//! *How do I connect real hardware?* A driver fills the readings of any sensor, yours or the engine's, from a thread of
//! its own. A scene selects it by name: `source: Driver("ramp", (period_ms: 20))`. Nothing else in the scene changes.
//!
//! ```
//! use becomingone::prelude::*;
//! use serde::Deserialize;
//! use std::{thread, time::Duration};
//!
//! /// Registered as `app.register_driver(Ramp)`.
//! struct Ramp;
//!
//! #[derive(Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Config {
//!     period_ms: u64,
//! }
//!
//! impl DriverKind for Ramp {
//!     fn name(&self) -> &'static str {
//!         "ramp"
//!     }
//!
//!     fn about(&self) -> &'static str {
//!         "0, 1, 2, .. for each number of a sensor"
//!     }
//!
//!     /// Checks the configuration, and names what the source needs for itself: sensors with one name share a thread.
//!     fn port(&self, config: &str, endpoint: Endpoint<'_>) -> Result<String, ConfigError> {
//!         let _: Config = read_config(config)?;
//!         match endpoint {
//!             Endpoint::Sensor(name) => Ok(name.to_owned()),
//!             Endpoint::Actuator(_) => Err(ConfigError::Meaning("found a drive; expected a sensor".to_owned())),
//!         }
//!     }
//!
//!     /// Opens what must be there for a run to start, and takes the ends of the links.
//!     fn open(&self, _: &str, ends: Vec<(String, LinkEnd)>) -> Result<Box<dyn Driver>, String> {
//!         let Some((config, LinkEnd::Sensor(end))) = ends.into_iter().next() else {
//!             return Err("found no sensor".to_owned());
//!         };
//!         let config: Config = read_config(&config).map_err(|error| error.to_string())?;
//!         Ok(Box::new(Ramping { end, period: Duration::from_millis(config.period_ms) }))
//!     }
//! }
//!
//! struct Ramping {
//!     end: SensorEnd,
//!     period: Duration,
//! }
//!
//! impl Driver for Ramping {
//!     /// Connects, and serves until it is cancelled. After an error it is called again, with back-off.
//!     fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
//!         context.up();
//!         let mut x = 0.0;
//!         while !context.cancelled() {
//!             let now_ns = self.end.now_ns(); // the stamp: when it was captured, not when it was decoded
//!             let numbers = vec![x; self.end.numbers()];
//!             self.end.push(now_ns, Sample { numbers, ..Sample::default() });
//!             x += 1.0;
//!             thread::sleep(self.period);
//!         }
//!         Ok(())
//!     }
//! }
//! #
//! # use becomingone::components::{link, scene::SensorSpec};
//! # let register = |app: &mut App| {
//! #     app.register_driver(Ramp);
//! # };
//! # let source = link::Source::Driver("ramp".to_owned(), link::Config("(period_ms: 5)".to_owned()));
//! # let range = SensorSpec { source, ..SensorSpec::new("range", RangeFinder::default(), 100.0) };
//! # let spec = Scene::builder().agent(Agent::robot("rover.urdf").name("rover").mounted(range)).spec();
//! # let mut engine = CoherenceEngine::builder().add_plugin(register).spec(spec)?;
//! # engine.run_for(Duration::from_millis(300))?;
//! # assert!(engine.reading::<RangeFinder>("rover/range")?.latest().is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `serve` has to check [`cancelled`](crate::prelude::Context::cancelled) at least ten times a second; its reads have
//! time-outs. Sequence number, device stamp and restarts of the sender go into the [`Sample`](crate::prelude::Sample),
//! if the protocol has them; gaps, duplicates and late readings are counted from these. `line.rs` in
//! `engine/core/examples/own_kinds` reads a TCP server with time-outs and errors; the plugin `becomingone-udp`
//! separates the protocol from the thread, and also sends commands.
