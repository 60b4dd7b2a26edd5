//! Systems of a tick of BecomingONE, in order.
//!
//! - [`tick`]: the schedule and its sets.
//! - [`spawn`]: spawns the entities of a loaded scene, at each reset; `randomise`: what its seed draws before.
//! - [`index`]: entities by their names.
//! - [`links`]: external input, and commands to hardware.
//! - [`kinds`]: registration of the kinds that scenes can name.
//! - [`sensing`]: simulated sensors sample the world.
//! - [`faults`]: fault injection.
//! - [`estimation`]: odometry and localisation filters.
//! - [`coherence`]: readings become phases; Emissary, Master, synchrony; event memory.
//! - [`diagnosis`]: fault detection and isolation.
//! - [`control`]: the slow plan, the fast reaction, the drive, servos, teleoperation, the safety supervisor.
//! - [`vehicle`]: cars on springs, and the tracks that they lap.
//! - [`physics`]: rapier's world and its step.
//! - [`output_file`]: files that are written in place under a lock, or replaced as a whole.
//! - [`view`]: state of agents, as others see it from outside.
//! - [`hash`]: state hash, to compare runs.
//! - [`profile`]: time per system.

mod angles;
mod bits;
pub mod coherence;
pub mod control;
pub mod diagnosis;
mod engine;
pub mod estimation;
mod events;
pub mod faults;
pub mod hash;
pub mod index;
pub mod kinds;
pub mod links;
pub mod output_file;
pub mod physics;
pub mod profile;
mod randomise;
mod registry;
pub mod sensing;
pub mod spawn;
pub mod threads;
pub mod tick;
pub mod vehicle;
pub mod view;

pub use engine::EnginePlugin;
