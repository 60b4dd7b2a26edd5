//! How the engine is built.
//!
//! *Where does a piece of code belong, when does it run, and what may it use?* Read this page before you change the engine, or
//! before you write a plugin that does more than register a kind. For a new sensor, [one file](super::add_a_sensor)
//! is enough.
//!
//! # The layers
//!
//! The engine is a stack of crates. A crate uses crates below it only.
//!
//! | layer | crate, folder | contents | never contains |
//! |---|---|---|---|
//! | 6 | `becomingone-cli`, `engine/cli/`; `becomingone-api`, `plugins/api/` | the program: verbs, progress, tables; its server: REST, WebSocket, gRPC, MCP, a page, several runs | anything that a library user needs |
//! | 7 | `becomingone-python`, `plugins/python/` | the Python package, with the program in it | what Rust alone can say: it is in `python/becomingone/` |
//! | 5 | [`becomingone`](crate), `engine/core/` | the facade, builders, access by name, this guide | a terminal |
//! | 4 | [`becomingone-scene`](crate::scene), `engine/scene/` | RON and YAML to a checked, loaded scene | anything that runs in a tick |
//! | 4 | `becomingone-rerun`, `-record`, `-replay`, `-audio`, `-bluetooth`, `-bridge`, `-camera`, `-mqtt`, `-picture`, `-serial`, `-udp`, `plugins/` | viewer, pictures, journal, recordings, drivers: one crate each | what another plugin needs |
//! | 3 | [`becomingone-systems`](crate::systems), `systems/` | what happens in a tick; what several drivers share (`links`), with TLS and web requests as features | drivers of their own: their sockets, files and devices |
//! | 3 | `becomingone-model`, `engine/model/` | URDF, MJCF, vehicles, meshes to plain data | entities |
//! | 2 | [`becomingone-components`](crate::components), `components/` | data: components, messages, the specs of scenes, the traits of kinds | systems, I/O |
//! | 1 | [`becomingone-kernel`](crate::kernel), `engine/kernel/` | the equations, without std, allocation, clock and ECS | entities, threads, files |
//!
//! Two plugins never depend on each other: shared data is a component. `scenes/` and `assets/` are data, and `tests/`
//! runs the built program against files and peers.
//!
//! # One tick
//!
//! A tick is one run of the schedule [`Tick`](crate::prelude::Tick), and one length `tick_ns` of simulated time. Its sets run
//! one after the other, in the order of [`TickSystems::ALL`](crate::prelude::TickSystems::ALL). Every system of the engine is in one of them.
//!
//! | set | what happens |
//! |---|---|
//! | `Begin` | message buffers and batches of readings are begun; bevy's clocks are set |
//! | `Ingest` | external input since the last tick enters: readings of drivers and recordings, requests |
//! | `Sample` | simulated sensors that are due sample the world as the last tick left it |
//! | `Inject` | faults change the simulated readings, not the truth |
//! | `Encode` | features of the readings, and phases of the channels |
//! | `Estimate` | odometry; the localisation filter, which takes the features of `Encode` |
//! | `Witness` | the self-model predicts the sample; the residual is the innovation |
//! | `Resonate` | Emissary and Master take the phases: temporal coherence over a short and a long window |
//! | `Synchronize` | the two windows are compared: agreeing, diverged, phase-locked |
//! | `Diagnose` | detection statistics against thresholds, isolation of the faulty channel, alarm |
//! | `Blend` | events are stored, decay, and are reinforced when they recur |
//! | `Decide` | controllers write commands; requests from outside take precedence |
//! | `Govern` | the safety supervisor limits commands; stops latch: the safe command replaces all others |
//! | `Act` | commands go to simulated actuators or to hardware |
//! | `Step` | physics and the clock advance by exactly one tick |
//! | `Seal` | all registered state goes into the state hash |
//! | `Publish` | viewers and recorders read; they write nothing |
//!
//! [`First`](crate::prelude::First) and [`Last`](crate::prelude::Last) of each set are hooks: a system in
//! `First(TickSystems::Decide)` runs before all of `Decide`, without naming another system. Systems run on one thread,
//! in one order. Two that access the same data without an order between them are an error at the start that names both.
//!
//! `becomingone list systems SCENE` prints the schedule that was built, and
//! [`scheduled`](crate::systems::tick::scheduled) gives it to a program:
//!
//! ```
//! use becomingone::CoherenceEngine;
//! use becomingone::systems::tick::scheduled;
//!
//! let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
//! engine.start()?;
//! let systems = scheduled(engine.world());
//! let position = |name: &str| systems.iter().position(|system| system.name.ends_with(name));
//! assert!(position("encode") < position("update_filters")); // the filter takes features
//! assert!(position("govern") < position("physics::step"));
//! // Between sets, bevy applies deferred commands.
//! let mut outside = systems.iter().filter(|system| system.set.is_none());
//! assert!(outside.all(|system| system.name.ends_with("apply_deferred")));
//! # Ok::<(), becomingone::EngineError>(())
//! ```
//!
//! # Entities
//!
//! - An **agent** is a root entity with a name: a robot, a vehicle, an instrument, or a kernel without a body. It has
//!   the components of its kernel: [`Coherence`](crate::components::coherence::Coherence),
//!   [`Witness`](crate::systems::diagnosis::witness::Witness), [`Blend`](crate::systems::coherence::memory::Blend).
//! - Its **sensors** are child entities, with names such as `rover/imu`. A sensor has
//!   [`Reading<T>`](crate::prelude::Reading): the latest measurement, those of this tick, and their stamps. A simulated
//!   one also has the [`Truth<T>`](crate::prelude::Truth), against which noise, slip and faults are measured.
//! - Its **drive** is a child too, `rover/drive`, with an [`ActuatorTarget<T>`](crate::prelude::ActuatorTarget): a twist, speed and
//!   steering angle, or targets of joints.
//! - The source of readings is one component, [`Source`](crate::components::link::Source): `Sim`, `Off`, `Replay(..)`
//!   or `Driver(..)`. Replacing the simulated sensor by a real one is one line of the scene; consumers of the sensor do
//!   not depend on it.
//!
//! An entity that a plugin spawns with a [`Name`](crate::ecs::name::Name) is hashed, recorded and found by its name as the scene's are.
//!
//! # One way in
//!
//! The set `Ingest` is the only entry of external data. Each reading of a driver, each row of a recording and each
//! external command becomes a [`Frame`](crate::components::link::Frame); frames enter in the order of link and sequence
//! number. An external command is a [`Request`](crate::components::request::Request): sender, agent, command and
//! expiry. [`engine.command`](crate::CoherenceEngine::command), the stick of `--interactive`, `--mqtt` and
//! all interfaces of `--serve` create one. It takes precedence over the agent's controller until it expires, half a second by default.
//!
//! Requests of one tick are applied in a defined order: stops first, then the others in the order of their arrival, then
//! sticks. The last one that an agent accepts is in force; one that it cannot follow is refused with an event that
//! states the reason.
//!
//! | request | effect |
//! |---|---|
//! | `Stop` | latched stop: the actuators get their safe commands, from the next tick until `ClearStop` |
//! | `ClearStop` | the controller resumes; refused in the tick of a stop |
//! | `Twist`, `Ackermann`, `Joints`, `Stick` | a command, repeated by its sender before it expires |
//! | `GoTo` | drives to a position, of agents with a planner: [`Patrol`](crate::prelude::Patrol) |
//! | `Move`, `Turn` | a distance straight ahead, an angle on the spot, by wheel odometry: within 2 cm and 2 degrees |
//!
//! Stops have a [queue of their own](crate::systems::control::stop::StopQueue), which is never full, with at most one
//! waiting stop per agent. A stop takes precedence over controllers, sticks, requests and the governor; it drops the
//! request in force. A reset of the run keeps it: the stop enters again with the first tick. Joints of a simulated
//! robot stop where they are; those of hardware get their last targets with the safe flag.
//!
//! A driver runs on a thread of its own without access to entities. It stamps each sample at capture and pushes it to a
//! bounded queue; the tick never waits for it. Samples beyond the bound are dropped and counted.
//!
//! # One record
//!
//! A journal (`--record run.mcap`) holds the scene, the external input, and the state hash of the ticks. `becomingone
//! replay run.mcap --verify` runs the scene again with the journal in place of drivers and requests, and compares the
//! hashes: the same scene, seed and input give the same bits. A reset is a fresh run, bit for bit. The file is MCAP
//! with published schemas, which viewers open.
//!
//! # Rules
//!
//! - Time is whole nanoseconds from the run's start. No system reads the machine's clock.
//! - Random numbers come from a generator per entity, seeded by its name: adding a sensor does not change the noise of
//!   others.
//! - Functions such as `sin` come from [`libm`](https://docs.rs/libm) if their result is state: those of std differ
//!   between machines.
//! - I/O runs on threads of its own, behind bounded queues, and reconnects automatically.
//! - `NaN` and infinity are rejected and counted where readings enter.
//! - An error names place, what was found, what was expected, and the nearest name.
//! - A stop of the governor latches; only a reset clears it. A requested stop latches; only `ClearStop` clears it, and a
//!   reset keeps it.
//! - Physics is `f32`; time, places on the Earth, odometry and the kernel's sums are `f64`.
//! - SI units; x forward, y left, z up (REP 103); rotations as quaternions. Names carry the unit: `rate_hz`, `bias_rad_s`.
//! - The engine's own kinds are registered with the calls that a plugin uses. There is no other list of kinds.
