//! Data types of BecomingONE: components, resources and messages.
//!
//! In the order of their use in a run:
//!
//! - [`scene`]: the scene file, as types.
//! - [`body`]: robot descriptions, poses and true motion; [`height_field`]: ground on a grid;
//!   [`contact_mask`]: which shapes touch.
//! - [`geodesy`]: WGS84 positions, and the tangent plane of a scene.
//! - [`time`]: simulated time, rates, due times.
//! - [`seed`]: one random generator per entity; [`randomise`]: what each seed draws anew.
//! - [`sensor`]: measurements, readings, truth, noise.
//! - [`fault`]: faults of sensors and drives.
//! - [`actuator`] and [`drive`]: commands, wheels, odometry.
//! - [`vehicle`] and [`track`]: cars on springs, and their tracks.
//! - [`control`]: goals, the slow plan and the fast reaction.
//! - [`localisation`]: measured numbers, setup and estimate of a localisation filter.
//! - [`fleet`]: robots coupled through their phases.
//! - [`coherence`]: channels, kernel ticks and result of a kernel.
//! - [`witness`]: outputs and inputs of a self-model.
//! - [`governor`]: the safety supervisor: speed limit, latched stop.
//! - [`joints`]: joints, their servos and their motions.
//! - [`link`]: external input: sources, frames, the state of links.
//! - [`event`]: events of agents.
//! - [`view`]: state of agents, as others see it from outside.
//! - [`path_text`]: paths of any bytes as text.
//!
//! Systems are in `becomingone-systems`.

pub mod actuator;
pub mod body;
pub mod check;
pub mod coherence;
pub mod contact_mask;
pub mod control;
pub mod drive;
pub mod event;
pub mod fault;
pub mod feature;
pub mod fleet;
pub mod geodesy;
pub mod governor;
pub mod height_field;
pub mod joints;
pub mod kind;

pub mod link;
pub mod localisation;
pub mod nearest;
pub mod path_text;
pub mod randomise;
pub mod request;
pub mod scene;
pub mod seed;
pub mod sensor;
pub mod time;
pub mod track;
pub mod vehicle;
pub mod view;
pub mod witness;
pub mod world;
