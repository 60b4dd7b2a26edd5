//! Robot descriptions (URDF, MJCF) and meshes: read, checked, repaired, as plain data.
//!
//! Modules in the order of processing:
//!
//! - [`Files`] and [`Disk`]: file access.
//! - `stand_in`: files that stand for others, as Git LFS pointers.
//! - `text`: encodings; `tolerant`: deviations from XML that other readers accept.
//! - `prefixes`: prefixes that are not declared.
//! - `xml`: XML parsing with line and column, within limits.
//! - `number`: numbers in text; `value`: attribute values: vectors and names.
//! - [`load_robot`]: detects the format.
//! - `urdf` and `mjcf`: convert elements to a `draft`; `uri` resolves mesh names to files.
//! - `unknown`: names that a format does not have.
//! - [`load_mesh`]: triangles of STL (`stl`), COLLADA (`dae`), OBJ (`obj`) and `MuJoCo`'s MSH (`msh`);
//!   `triangles` is what they have in common; `mesh_cache` reads each file once.
//! - `mesh_mass` and `shell`: masses of meshes and of thin shells.
//! - `draft`: unchecked robot, common to all formats.
//! - `tree`: kinematic tree, parents first.
//! - `repair`: inconsistent inertias and missing masses.
//! - `fuse`: fuses links at fixed joints; `base`: the root of a robot that floats in its world.
//! - `size`: plausibility of size, density and inertia.
//! - [`wheel_cylinder`]: enclosing cylinder of a wheel.
//! - [`find_drive`]: driven wheels, steering and limits; [`find_servos`]: joint servos.
//!
//! An invalid file is a [`ModelError`]: place; found; expected. What was repaired or ignored is
//! reported in [`RobotModel::warnings`](becomingone_components::body::RobotModel::warnings).

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod base;
mod dae;
mod draft;
mod drive;
mod error;
mod files;
mod fuse;
mod hull;
mod load;
mod mass;
mod mesh;
mod mesh_cache;
mod mesh_mass;
mod mjcf;
mod msh;
mod number;
mod obj;
mod prefixes;
mod repair;
mod servo;
mod shell;
mod size;
mod stand_in;
mod stl;
mod text;
mod tolerant;
mod tree;
mod triangles;
mod unknown;
mod urdf;
mod uri;
mod value;
mod wheel;
mod xml;

pub use becomingone_components::nearest::did_you_mean;
pub use drive::{DriveError, find_drive};
pub use error::{ModelError, Place};
pub use files::{Disk, Files, MissingAllowed, larger};
pub use load::{load_robot, parse_robot};
pub use mesh::load_mesh;
pub use servo::find_servos;
pub use wheel::wheel_cylinder;
