//! Use the engine as a library.
//!
//! *How do I run scenes from my own program, read their state, and control them?* Most programs need only
//! [`becomingone::prelude`](crate::prelude). The examples of this page are complete; `cargo run --release -p
//! becomingone --example built_scene` is a larger one.
//!
//! ```toml
//! [dependencies]
//! becomingone = { path = "../becomingone/engine/core" }
//! ```
//!
//! With `default-features = false`, neither Rerun nor MCAP is built; the features `bridge`, `mqtt`, `record`,
//! `replay`, `rerun`, `serial` and `udp` enable them.
//!
//! # Build a scene in code
//!
//! [`Scene::builder`](crate::Scene::builder) builds the equivalent of a scene file, with the same checks.
//!
//! ```
//! use becomingone::prelude::*;
//!
//! let rover = Agent::robot("rover.urdf") // a path, or a built-in description
//!     .name("rover")
//!     .drive(Drive::Auto)
//!     .sensor("imu", Imu::default(), 1000.0)
//!     .sensor("encoders", Encoders::default(), 100.0) // odometry steers the patrol
//!     .sensor("lidar", Lidar::default(), 10.0)
//!     .controller(Patrol::new([[2.0, 0.0], [2.0, 1.0]], 0.5))
//!     .coherence(Coherence::Auto);
//! let scene = Scene::builder()
//!     .ground(0.9)
//!     .cuboid("wall", [5.0, 0.0, 0.0], [0.2, 4.0, 1.0])
//!     .agent(rover)
//!     .build()?;
//! let summary = CoherenceEngine::from(scene).run()?;
//! assert_eq!(summary.agents[0].goals_reached, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A value out of range is an error with its path: `agents[0].sensors[0].rate_hz`. A scene with kinds of a plugin is
//! built by [`CoherenceEngine::builder().add_plugin(..).spec(..)`](crate::EngineBuilder::spec).
//!
//! # Read and command by name
//!
//! Sensors are called `agent/sensor`. The type is that of the kind: a scene's `Imu(..)` is read as `Imu`.
//!
//! ```
//! use becomingone::prelude::*;
//! use std::time::Duration;
//!
//! let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
//! engine.step()?; // the scene's entities are there after `start` or `step`
//!
//! // The measurement with its stamps, and the ground truth.
//! let latest = engine.reading::<Imu>("rover/imu")?.latest();
//! let measured = latest.expect("it reads from the first tick on").value.angular_velocity_rad_s;
//! let truth = engine.truth::<Imu>("rover/imu")?.angular_velocity_rad_s;
//! assert!((measured - truth).length() < 0.2);
//!
//! // A request: valid for half a second, then the controller takes over again.
//! for _ in 0..10 {
//!     engine.command("rover", Twist2 { linear_m_s: 0.0, angular_rad_s: 0.5 })?;
//!     engine.run_for(Duration::from_millis(200))?;
//! }
//!
//! // An agent: pose, motion, odometry, estimate, coherence.
//! let rover = engine.agent("rover")?;
//! assert!(rover.odometry.is_some_and(|odometry| odometry.yaw_rad > 0.5));
//!
//! // An unknown name is an error that lists the valid ones.
//! let error = engine.reading::<Lidar>("rover/lidra").unwrap_err().to_string();
//! assert!(error.contains("did you mean `rover/lidar`?"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Send an agent to a place, and stop it
//!
//! A request that ends by itself has its result as an event. A stop latches until it is cleared, and can come from any
//! thread.
//!
//! ```
//! use becomingone::components::request::RequestKind;
//! use becomingone::prelude::*;
//! use std::time::Duration;
//!
//! let rover = Agent::robot("rover.urdf")
//!     .name("rover")
//!     .drive(Drive::Auto)
//!     .sensor("encoders", Encoders::default(), 100.0)
//!     .controller(Patrol::new([[9.0, 0.0]], 0.5));
//! let scene = Scene::builder().place("dock", [2.0, 1.0], 0.0).agent(rover).build()?;
//! let mut engine = CoherenceEngine::from(scene);
//! engine.start()?;
//! engine.go_to("rover", "dock")?; // before the waypoints of its patrol
//! engine.run_for(Duration::from_secs(2))?;
//! engine.command("rover", RequestKind::Turn { angle_rad: 1.57 })?; // replaces it
//! engine.run_for(Duration::from_secs(3))?;
//!
//! let stops = engine.stop_queue(); // for another thread
//! stops.push("rover", "emergency button")?;
//! engine.run_for(Duration::from_secs(1))?;
//! assert!(engine.go_to("rover", "dock").is_err());
//! engine.clear_stop("rover")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Numbers of a controller, and faults of simulated sensors and drives, are requests too: the run is repeated with them. A
//! reset forgets both.
//!
//! ```
//! use becomingone::components::request::RequestKind;
//! use becomingone::prelude::*;
//!
//! let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
//! engine.step()?;
//! engine.command("rover", RequestKind::Set {
//!     parameter: "controller.speed_m_s".to_owned(),
//!     value: 0.3,
//! })?;
//! engine.command("rover", RequestKind::Fault {
//!     target: "imu/gyro_z".to_owned(),
//!     kind: "Bias(0.1)".to_owned(), // as in a scene
//!     for_s: Some(10.0),
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Custom systems
//!
//! [`app_mut`](crate::CoherenceEngine::app_mut) is bevy's `App`. Systems go into the schedule
//! [`Tick`](crate::prelude::Tick), into one of its [sets](super::architecture#one-tick), or into the hooks `First` and
//! `Last` of one. `Res<Time>` has the tick's length and the time since the start, as in any bevy app, in simulated
//! time.
//!
//! ```
//! use becomingone::prelude::*;
//! use std::time::Duration;
//!
//! #[derive(Resource, Default)]
//! struct Airtime(Duration);
//!
//! /// How long a rover was off the ground.
//! fn measure(time: Res<Time>, rovers: Query<&TruePose>, mut airtime: ResMut<Airtime>) {
//!     if rovers.iter().any(|pose| pose.0.translation_m.z > 0.5) {
//!         airtime.0 += time.delta();
//!     }
//! }
//!
//! let rover = Agent::robot("rover.urdf").position_m([0.0, 0.0, 1.0]);
//! let mut engine = CoherenceEngine::from(Scene::builder().agent(rover).build()?);
//! engine
//!     .app_mut()
//!     .init_resource::<Airtime>()
//!     .add_systems(Tick, measure.in_set(First(TickSystems::Decide)));
//! engine.run_for(Duration::from_secs(1))?;
//! let airtime = engine.world().resource::<Airtime>().0;
//! assert!((200..450).contains(&airtime.as_millis()), "{airtime:?}"); // free fall of 0.5 m: 0.32 s
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Kinds, and anything else that has to be registered before a scene is read, come from a [plugin of the
//! builder](crate::CoherenceEngine::builder). State that a reset must clear is cleared by a system in the schedule
//! [`Reset`](crate::prelude::Reset).
//!
//! # Stop, pause, step
//!
//! [`run`](crate::CoherenceEngine::run) returns at the scene's end. A [`StopHandle`](crate::StopHandle) controls it
//! from any thread.
//!
//! ```
//! use becomingone::prelude::*;
//!
//! let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
//! let handle = engine.stop_handle();
//! let summary = engine.run_watched(|engine| {
//!     let pose = engine.agent("rover").ok().and_then(|rover| rover.pose);
//!     if pose.is_some_and(|pose| pose.translation_m.x > -10.0) {
//!         handle.stop();
//!     }
//! })?;
//! assert_eq!(summary.agents[0].goals_reached, 0);
//! # Ok::<(), EngineError>(())
//! ```
//!
//! # The detector alone
//!
//! Fault detection needs neither scene nor engine. [`Monitor`](crate::kernel::Monitor) takes stamped numbers, learns
//! from the first 400 samples, and then raises an alarm when samples deviate from the prediction, and isolates the
//! faulty channel. It does not allocate, and the crate `becomingone-kernel` needs no std. `cargo run --release -p
//! becomingone --example monitor` is the same with three thermometers.
//!
//! ```
//! use becomingone::kernel::Monitor;
//!
//! // Two flow meters on one pipe: the second one loses a third at 500 s.
//! let log = (0..600).map(|second| {
//!     let t = f64::from(second);
//!     let flow = 10.0 + (0.7 * t).sin() + (1.9 * t).sin() + (3.1 * t * t).sin();
//!     let second_share = if second < 500 { 1.0 } else { 0.67 };
//!     (t, [flow + 0.1 * (5.3 * t * t).sin(), second_share * flow + 0.1 * (2.3 * t * t).sin()])
//! });
//!
//! let mut monitor = Monitor::<2>::new(2)?;
//! let mut alarms = log.filter_map(|(t_s, values)| {
//!     let verdict = monitor.push(t_s, &values)?; // none during warm-up
//!     verdict.dissipated.then_some((t_s, verdict.cause))
//! });
//! let (t_s, cause) = alarms.next().expect("an alarm");
//! assert!((500.0..510.0).contains(&t_s), "{t_s} {cause:?}");
//! # Ok::<(), becomingone::kernel::ConfigError>(())
//! ```
