//! Guides: a scene line by line, a controller of your own, what a tick is and costs, what is loaded.
//!
//! - [`your_data`]: attach your own data in five minutes.
//! - [`numbers`]: what the numbers mean.
//! - [`faults`]: which faults are found, how soon, and who is blamed.
//! - [`time_scales`]: any time scale, from a microsecond to an hour a tick.
//!
//! # A scene
//!
//! A scene is one file in [RON](https://docs.rs/ron). Lengths are metres, angles radians, times
//! seconds; x points forward, y left, z up (REP 103). Unknown keys are refused, with the nearest
//! known one named; [`components::scene`](crate::components::scene) documents every key.
//!
//! ```
//! # let folder = std::env::temp_dir().join(format!("becomingone-guide-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! # let file = folder.join("first.ron");
//! # std::fs::write(&file, r#"
//! (
//!     version: 1,
//!     duration_s: 5,
//!     world: (obstacles: [
//!         Box(name: "wall", position_m: (4, 0, 0), size_m: (0.2, 4, 1)),
//!     ]),
//!     agents: [(
//!         name: "rover",
//!         model: "rover.urdf",        // beside the scene, or built in
//!         drive: Auto,                // wheels are found in the model
//!         sensors: [
//!             (name: "encoders", kind: Encoders(noise: (resolution: 8.2e-5)), rate_hz: 100),
//!             (name: "lidar", kind: Lidar(rays: 360, range_max_m: 12), rate_hz: 10, position_m: (0.06, 0, 0.26)),
//!         ],
//!         controller: Patrol(waypoints_m: [(2, 0)], speed_m_s: 0.5),
//!     )],
//! )
//! # "#)?;
//! # let summary = becomingone::CoherenceEngine::from_scene(&file)?.run()?;
//! # assert_eq!(summary.agents[0].goals_reached, 1);
//! # assert_eq!(summary.agents[0].collisions, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A controller of your own
//!
//! A controller is a system that reads [`Reading`](crate::components::sensor::Reading)s and writes a
//! [`Command`](crate::components::actuator::ActuatorTarget), in the set
//! [`TickSystems::Decide`](crate::systems::tick::TickSystems). The example `my_controller` is a whole one:
//!
//! ```text
//! cargo run --release --example my_controller
//! ```
//!
//! Two systems that touch the same thing in no stated order are an error at the start of a run that
//! names both; nothing is left to chance.
//!
//! # The tick
//!
//! Everything happens in one schedule, [`Tick`](crate::systems::tick::Tick), once for each
//! `tick_ns` of simulated time, in the order of
//! [`TickSystems`](crate::systems::tick::TickSystems). Time is whole nanoseconds. At the end of each
//! tick all registered state goes into a chained hash; two runs of the same scene and seed have the
//! same `state_hash`, on one thread or several, watched or not, fresh or after a reset.
//!
//! `becomingone run SCENE --profile-ticks` prints where the time of the ticks goes.
//!
//! What the engine adds to physics, measured on two shared cores (median of the rounds' ratios; the
//! first column is a bare rapier step with the same robots and the same 360 rays at 10 Hz, the second
//! a whole tick with IMU at 1 kHz, encoders, controllers, kernel, witness and state hash, no viewer):
//!
//! ```text
//! $ cargo bench -p becomingone --bench tick
//! robots | bare µs | whole tick µs | ratio
//!      1 |    12.8 |          17.2 | 1.340
//!     64 |   625.8 |         674.7 | 1.079
//!    512 |  5911.5 |        6824.9 | 1.173
//! ```
//!
//! The same command measures memory, 0.3 to 0.5 MB for each robot with its sensors, kernel, witness and memories, and
//! two threads against one: 512 robots took 0.74 of the time, 64 robots 0.86, one robot 1.17; all with the
//! same state. `--threads` pays from some ten robots up.
//!
//! Kernels alone, each of eight channels with order, self-model and blame, in ticks that are all kernel ticks:
//!
//! ```text
//! $ cargo bench -p becomingone --bench kernels
//! agents | µs an agent | on 2 threads | without kernels | of real time at 100 Hz, 2 threads
//!     64 |        0.72 |         0.73 |            0.10 | 0.00
//!  10000 |        1.56 |         0.87 |            0.04 | 0.87
//! ```
//!
//! Ten thousand of them hold 100 Hz: six runs said 0.85 to 0.99. What makes the difference to few agents is memory. Self-model
//! and transducers alone are 5.7 kB, and those of ten thousand do not stay in the cache, so much of the time goes by with
//! waiting for them. Against that, self-models have the room that their channels need and go on in `f32` once they are trained
//! ([`SelfModel`](crate::kernel::SelfModel): 3.3 kB of 7.1); they lie side by side in the order in which agents are worked on; several
//! threads take 256 agents at a time; and each system asks for the next agent's memory before it works on this one's
//! ([`prefetch`](crate::systems::threads::prefetch)), which took a quarter off the tick. Fields of many agents side by side (structures
//! of arrays) would make arithmetic faster, which is less than half of the time, and touch as much memory: so each agent stays
//! in one piece.
//!
//! A recording (`--record`) costs the tick 4 to 7 %, as long as there is a core for the thread that writes it:
//!
//! ```text
//! $ cargo bench -p becomingone --bench record
//! scene               µs a tick   recorded   ratio (median of 12)   bytes a simulated second
//! warehouse_robot         20.83      21.77   1.047                      389262
//! vehicle_track           12.10      12.91   1.070                      278024
//! warehouse_fleet        232.73     240.59   1.037                     2137236
//! ```
//!
//! # Robot descriptions
//!
//! | of URDF | here |
//! |---|---|
//! | links, inertias, fixed joints | fixed joints fuse their links; missing, zero or impossible inertia is repaired from the shape, with a warning |
//! | box, cylinder, sphere, meshes (STL, COLLADA, OBJ) | as they are; meshes touch by their convex hull; a driven wheel touches as a cylinder |
//! | `package://`, `file://`, relative and absolute paths | resolved from the description's folder upwards; a mesh that is not found is a warning, and listed by `inspect` |
//! | revolute, continuous, prismatic | position limits, effort, velocity, damping and Coulomb friction are applied; start positions are moved into the limits, with a warning |
//! | planar, floating | free, without limits or damping |
//! | mimic | the follower is pulled along by a stiff servo; it does not push back on what it follows |
//! | parts of one robot | pass through each other |
//!
//! MJCF is read into the same model: includes, defaults, several joints on a body (with links of a share of its
//! mass between them), ball and free joints, armature, springs, `equality` between joints as mimics. What is not
//! taken over is said in a warning; `becomingone inspect FILE` lists all of them.
//!
//! # Joints that move
//!
//! `drive: Joints()` puts a position servo on every joint that turns or slides about one axis: `effort = stiffness
//! (target - position) + damping (target speed - speed)`, up to the joint's effort, its target no faster than the
//! joint's velocity. Stiffness and damping that are not given follow from what each joint carries. `fixed: true`
//! bolts the root to the world. The scene `arm_wave` shows it, and
//! [`ActuatorTarget<JointTargets>`](crate::components::joints::JointTargets) is what a controller of your own writes.
//!
//! Physics counts in 32 bits: positions are bounded to 1 km from the origin, where steps are still finer
//! than what a slow robot moves in a tick.
//!
//! A drive is found where continuous joints on the root have level, parallel axes and their wheels
//! reach the ground; left and right go by the wheels' names, else by REP 103. Wheels that touch the ground and
//! turn within limits about a standing axis are steered: their axes meet in the centre of the arc (Ackermann), the
//! patrol plans arcs that they can follow, and backs up where it finds none.

pub mod faults;
pub mod numbers;
pub mod time_scales;
pub mod your_data;
