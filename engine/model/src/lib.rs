//! Robot description files and meshes as plain data, repaired and checked.
//!
//! In the order in which a file passes:
//!
//! - [`Files`] and [`Disk`]: where bytes come from.
//! - `xml`: text to elements, with line and column, within bounds.
//! - `value`: attributes to numbers, vectors and names.
//! - [`load_robot`] tells the format.
//! - `urdf` and `mjcf`: elements to a draft of the robot; `uri` finds the meshes that it names.
//! - [`load_mesh`]: STL (`stl`), COLLADA (`dae`), OBJ (`obj`) and `MuJoCo`'s own (`msh`) to triangles; `shelf` reads each file once.
//! - `draft`: the robot as a front-end reads it, whatever the format of its file.
//! - `tree`: links and joints by name to a tree, parents first.
//! - `repair`: masses and inertias that cannot be.
//! - `fuse`: links that fixed joints hold together become one.
//! - `size`: robots that are too large or too small, light or heavy.
//! - [`wheel_cylinder`]: the cylinder that stands for a wheel.
//! - [`find_drive`]: which joints are driven wheels, and what they can do; [`find_servos`]: which have servos.
//!
//! Everything that is wrong with a file is one [`ModelError`]: where, what was found, what was
//! expected. What could be repaired is a sentence in
//! [`RobotModel::warnings`](becomingone_components::body::RobotModel::warnings).

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

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
mod mjcf;
mod msh;
mod obj;
mod repair;
mod servo;
mod shelf;
mod size;
mod stl;
mod tree;
mod urdf;
mod uri;
mod value;
mod wheel;
mod xml;

pub use drive::{DriveError, find_drive};
pub use error::{ModelError, Place, did_you_mean};
pub use files::{Disk, Files, larger};
pub use load::{load_robot, parse_robot};
pub use mesh::load_mesh;
pub use servo::find_servos;
pub use wheel::wheel_cylinder;
