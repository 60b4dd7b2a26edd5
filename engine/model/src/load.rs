//! A robot's file to a model, whatever its format: that is told by the root element, and not by
//! the name of the file.

use crate::fuse::fuse;
use crate::xml::{Source, declared_first, decode, parse};
use crate::{Files, ModelError, mjcf, urdf};
use becomingone_components::body::RobotModel;
use std::path::Path;

/// Root elements of the formats that are read.
const ROOTS: [&str; 2] = ["robot", "mujoco"];

/// Loads a robot's file: read, checked, repaired, links at fixed joints fused.
///
/// # Errors
/// When the file cannot be read, or as [`parse_robot`] says.
pub fn load_robot(path: &Path, files: &dyn Files) -> Result<RobotModel, ModelError> {
    let bytes = files
        .read(path)
        .map_err(|e| ModelError::of_file(path, e.to_string(), "expected a robot description"))?;
    parse_robot(decode(&bytes, path)?, path, files)
}

/// Loads text as if it stood in `file`, beside and above which meshes are searched.
///
/// # Errors
/// When the text is no robot description, the links are not a tree, a name, number or size cannot
/// be, or the mesh of a collider is not found or broken. The error names the place.
pub fn parse_robot(text: &str, file: &Path, files: &dyn Files) -> Result<RobotModel, ModelError> {
    let text = declared_first(text.strip_prefix('\u{feff}').unwrap_or(text));
    let source = Source::new(&text, file);
    let document = parse(&text, &source)?;
    let root = document.root_element();
    let name = root.tag_name().name();
    let kind = match name {
        "robot" => return fuse(urdf::read(root, &source, file, files)?),
        "mujoco" | "mujocoinclude" => return fuse(mjcf::read(root, &source, file, files)?),
        "sdf" | "gazebo" | "model" => " (this is SDF, Gazebo's format)",
        "COLLADA" => " (this is a mesh)",
        _ => "",
    };
    let found = format!("the root element <{name}>{kind}");
    let place = source.place(root.range().start);
    Err(
        ModelError::at(&place, found, "expected <robot> (URDF) or <mujoco> (MJCF)")
            .nearest(name, ROOTS),
    )
}
