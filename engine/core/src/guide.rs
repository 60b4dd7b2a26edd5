//! Guides. Each opens with the question that it answers.
//!
//! - [`add_a_sensor`]: how do I add a sensor, a controller, a fault or a driver of my own? (one file each)
//! - [`attach`]: how do I get a device of mine into a scene, and write a driver for it?
//! - [`library`]: how do I build, run and read scenes from a program?
//! - [`architecture`]: where does a piece of code belong, and when does it run?
//! - [`glossary`]: what are Emissary, Master, Witness, BLEND called elsewhere?
//! - [`your_data`]: how do I get my own data in? (five minutes)
//! - [`which_files`]: which files open?
//! - [`tables`]: how are faults found in a table?
//! - [`numbers`]: what do the numbers in the summary and in the scores mean?
//! - [`faults`]: which sensor faults are detected, how fast, and how often is the right sensor isolated?
//! - [`memory`]: how do agents keep memories across runs, and compare rhythms of minutes to hours?
//! - [`cluster`]: how do I run a scene ten thousand times, here and on a cluster?
//! - [`time_scales`]: does it work at microseconds and at hours a tick?
//!
//! Below: [a scene line by line](#how-do-i-write-a-scene), [a controller](#how-do-i-add-a-controller),
//! [the tick](#what-happens-in-a-tick), [its cost](#what-does-a-tick-cost),
//! [robot descriptions](#which-robot-descriptions-can-be-loaded), [joints](#how-do-i-move-joints),
//! [drives](#how-are-driven-wheels-found).
//!
//! # How do I write a scene?
//!
//! A scene is one file in [RON](https://docs.rs/ron). Lengths are metres, angles radians, times seconds; x points
//! forward, y left, z up (REP 103). An unknown key is an error that names the nearest known one;
//! [`components::scene`](crate::components::scene) documents every key.
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
//!         model: "rover.urdf",        // beside the scene, or built-in
//!         drive: Auto,                // driven wheels are found in the model
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
//! # How do I vary a scene by its seed?
//!
//! `randomise` leaves numbers to the seed: masses, friction, noise, starts, one fault of some. The same seed draws the
//! same, in a run, a batch, a sweep and a replay; [`RandomiseSpec`](crate::components::randomise::RandomiseSpec) has all
//! keys.
//!
//! ```text
//! randomise: (
//!     mass: (0.8, 1.2),              // factor on the masses of each agent
//!     friction: (0.7, 1.0),          // on the ground's, and each obstacle's own
//!     noise: (0.5, 2.0),             // on that of each sensor
//!     position_m: 0.1,               // starts, along x and along y
//!     faults: [(sensor: "rover/imu", kind: Freeze(), at_s: 5)],
//!     fault_share: 0.5,              // every other run has one of them
//!     fault_spread_s: 10,            // up to this much later
//! ),
//! ```
//!
//! # How do I add a controller?
//!
//! A controller is a system that reads [`Reading`](crate::components::sensor::Reading)s and writes an
//! [`ActuatorTarget`](crate::components::actuator::ActuatorTarget), in the set
//! [`TickSystems::Decide`](crate::systems::tick::TickSystems). The example `my_controller` is complete:
//!
//! ```text
//! cargo run --release -p becomingone --example my_controller
//! ```
//!
//! Two systems that access the same data without a stated order are an error at the start of a run; the message names
//! both and the constraint to add. The order of systems never varies from run to run.
//!
//! # What happens in a tick?
//!
//! ```text
//! becomingone list systems             # every system, with its set, in the order in which they run
//! becomingone run SCENE --profile-ticks    # where the time of the ticks went
//! ```
//!
//! One schedule, [`Tick`](crate::systems::tick::Tick), runs once for each `tick_ns` of simulated time, in the order of
//! [`TickSystems`](crate::systems::tick::TickSystems). Time is whole nanoseconds. At the end of each tick all registered
//! state enters a chained hash. Two runs of the same scene and seed have the same `state_hash`: on one thread or
//! several, with or without a viewer, fresh or after a reset.
//!
//! # What does a tick cost?
//!
//! The engine's overhead over physics, measured on two shared cores (median of the rounds' ratios). The first column is
//! a bare rapier step with the same robots and the same 360 rays at 10 Hz; the second a whole tick with an IMU at 1 kHz,
//! encoders, controllers, kernel, self-model and state hash, without a viewer:
//!
//! ```text
//! $ cargo bench -p becomingone --bench tick
//! robots | bare µs | whole tick µs | ratio
//!      1 |    12.8 |          17.2 | 1.340
//!     64 |   625.8 |         674.7 | 1.079
//!    512 |  5911.5 |        6824.9 | 1.173
//! ```
//!
//! The same command measures memory, 0.3 to 0.5 MB for each robot with its sensors, kernel, self-model and event memory,
//! and two threads against one: 512 robots took 0.74 of the time, 64 robots 0.86, one robot 1.17; all with the
//! same state. `--threads` pays off from about ten robots on.
//!
//! Kernels alone, each with eight channels, order, self-model and isolation, in ticks that are all kernel ticks:
//!
//! ```text
//! $ cargo bench -p becomingone --bench kernels
//! agents | µs an agent | on 2 threads | without kernels | of real time at 100 Hz, 2 threads
//!     64 |        0.72 |         0.73 |            0.10 | 0.00
//!  10000 |        1.56 |         0.87 |            0.04 | 0.87
//! ```
//!
//! Ten thousand kernels hold 100 Hz: six runs measured 0.85 to 0.99 of real time. They cost more each than 64 do because
//! of memory: self-model and transducers alone are 5.7 kB, ten thousand of them do not stay in the cache, and much of the
//! time is spent waiting for it. Four measures reduce that: self-models reserve only the room that their channels need;
//! once trained they continue in `f32` ([`SelfModel`](crate::kernel::SelfModel): 3.3 kB of 7.1); they lie side by side in
//! the order in which agents are processed, and threads take 256 agents at a time; and each system prefetches the next
//! agent's memory before it works on the current one ([`prefetch`](crate::systems::threads::prefetch)), which took a
//! quarter off the tick. A structure of arrays over many agents would speed up arithmetic, which is less than half of the
//! time, and touch as much memory, so each agent stays in one piece.
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
//! # Which robot descriptions can be loaded?
//!
//! ```text
//! becomingone inspect FILE        # links, joints, masses, limits, and what was repaired or left out
//! ```
//!
//! | URDF | here |
//! |---|---|
//! | links, inertias, fixed joints | fixed joints fuse their links; missing, zero or impossible inertia is computed from the shape, with a warning |
//! | box, cylinder, sphere, meshes (STL, COLLADA, OBJ) | as they are; meshes collide by their convex hull, a driven wheel as a cylinder |
//! | `package://`, `file://`, relative and absolute paths | resolved from the description's folder upwards; a mesh that is not found is a warning, and listed by `inspect`; a link that loses all its colliders is an error, unless `--allow-missing` is given, or `allow_missing: true` at the agent |
//! | revolute, continuous, prismatic | position limits, effort, velocity, damping and Coulomb friction are applied; start positions are moved into the limits, with a warning |
//! | planar, floating | free, without limits or damping |
//! | mimic | a stiff servo pulls the follower along; it exerts no force on its leader |
//! | links of one robot | do not collide with each other |
//!
//! MJCF is read into the same model: includes, defaults, several joints on a body (with links of a share of its
//! mass between them), ball and free joints, armature, springs, `equality` between joints as mimics. Elements that are
//! not supported produce a warning; `becomingone inspect FILE` lists all of them. Height fields are simulated, from PNG
//! images, `MuJoCo`'s binary files or numbers: their surface, without the base below it. Shapes of `<worldbody>` without
//! joints stand about a free robot as obstacles.
//!
//! `cargo xtask soak` compares what is read with `MuJoCo` 4.0: the joints, their places and axes, masses and inertias of
//! all bodies, the accelerations that follow from them, and rest poses, for every URDF and MJCF file in these packages of
//! `PyPI`: `mujoco`, `pybullet`, `example-robot-data`, `gymnasium`, `robosuite-models`, `airo-models`, `dexmate-urdf`,
//! `dm-control`, `gym-aloha`, `gym-xarm`, `gymnasium-robotics`, `metaworld`, `mjlab`, `playground`, `robosuite`,
//! `robot-properties-fingers`.
//!
//! # How do I move joints?
//!
//! ```text
//! becomingone run arm_wave
//! ```
//!
//! `drive: Joints()` puts a position servo on every joint that turns or slides about one axis: `effort = stiffness
//! (target - position) + damping (target speed - speed)`, limited to the joint's effort, with a target that moves no
//! faster than the joint's velocity limit. Stiffness and damping default to values derived from the load of each joint.
//! `fixed: true` bolts the root to the world. Your controller writes
//! [`ActuatorTarget<JointTargets>`](crate::components::joints::JointTargets).
//!
//! Physics computes in 32 bits: positions are limited to 1 km from the origin, where the resolution is still finer
//! than the motion of a slow robot in one tick.
//!
//! # How are driven wheels found?
//!
//! `drive: Auto` takes continuous joints on the root that have level, parallel axes and wheels that
//! reach the ground; left and right follow from the wheels' names, else from REP 103. Wheels that touch the ground and
//! turn within limits about a vertical axis are steered: their axes meet in the centre of the arc (Ackermann), the
//! patrol plans arcs that they can follow, and reverses where there is none.
//!
//! # When is a goal reached, and when given up?
//!
//! A patrol judges by its own pose source (`localisation`), as a robot has to: a waypoint is reached within
//! `tolerance_m`, and given up after `give_up_s` without a new smallest distance to it. A goal given up is logged, is an
//! event, and is counted in the summary (`goals_given_up`); the patrol goes on to the next one, and the program ends with
//! exit code 1. Where the true position of a reached goal is farther from it than the tolerance and 5 cm, the event names
//! the estimate (`goal 3 reached by odometry; the true position is 0.86 m from it`), and `goals_off` counts it instead of
//! `goals_reached`. Hardware has no ground truth: there, the event names the estimate and the goal counts as reached.
//!
//! Loading a scene, as `becomingone check` does, warns of waypoints inside boxes, too near to them for the robot, and behind
//! walls on all sides, and of starts inside obstacles or below the ground. The robot is taken as the largest circle about
//! the middle of its wheels that lies within its outline; meshes are not judged.

pub mod add_a_sensor;
pub mod architecture;
pub mod attach;
pub mod cluster;
pub mod faults;
pub mod glossary;
pub mod library;
pub mod memory;
pub mod numbers;
pub mod tables;
pub mod time_scales;
pub mod which_files;
pub mod your_data;
