//! What things are in BecomingONE: components, resources and messages, as plain data.
//!
//! In the order in which a run meets them:
//!
//! - [`scene`]: the scene file, as types.
//! - [`body`]: robot descriptions, poses and true motion.
//! - [`geodesy`]: places on the Earth, and the plane that a scene lies in.
//! - [`time`]: simulated time, rates, and who is due.
//! - [`seed`]: one generator an entity.
//! - [`sensor`]: measurements, readings, truth, noise.
//! - [`fault`]: what is made to be wrong with a sensor.
//! - [`actuator`] and [`drive`]: commands, wheels, odometry.
//! - [`vehicle`] and [`track`]: cars on springs, and where they drive.
//! - [`control`]: goals, the slow plan and the fast reaction.
//! - [`localisation`]: what a localisation filter measures and estimates.
//! - [`fleet`]: robots that pull at each other's phases.
//! - [`coherence`]: channels, Emissary, Master and their synchrony.
//! - [`witness`]: the channels that a self-model predicts, and from which commands.
//! - [`governor`]: the safety supervisor: speed limit, latched stop.
//! - [`joints`]: joints, their servos and their motions.
//! - [`link`]: the door to the outside: sources, frames, the state of links.
//! - [`event`]: what happened.
//! - [`memory`]: what is remembered of it.
//! - [`stored`]: memory that survives runs.
//!
//! Nothing here runs: systems are in `becomingone-systems`.

pub mod actuator;
pub mod body;
pub mod check;
pub mod coherence;
pub mod control;
pub mod drive;
pub mod event;
pub mod fault;
pub mod feature;
pub mod fleet;
pub mod geodesy;
pub mod governor;
pub mod joints;
pub mod kind;

pub mod link;
pub mod localisation;
pub mod memory;
pub mod nearest;
pub mod request;
pub mod scene;
pub mod seed;
pub mod sensor;
pub mod stored;
pub mod time;
pub mod track;
pub mod vehicle;
pub mod witness;
pub mod world;
