//! Loads a robot description; the root element decides the format, not the file name.

use crate::fuse::fuse;
use crate::prefixes::{Declared, declare};
use crate::stand_in::stand_in;
use crate::text::decode;
use crate::tolerant::tolerant;
use crate::xml::{SourceText, check_attributes, parse};
use crate::{Files, ModelError, mjcf, urdf};
use becomingone_components::body::RobotModel;
use std::path::Path;

/// Root elements of the supported formats.
const ROOTS: [&str; 2] = ["robot", "mujoco"];

/// Loads a robot description: reads, checks and repairs it, and fuses links at fixed joints.
///
/// # Errors
/// The file cannot be read, or an error of [`parse_robot`].
pub fn load_robot(path: &Path, files: &dyn Files) -> Result<RobotModel, ModelError> {
    let bytes = files
        .read(path)
        .map_err(|e| ModelError::of_file(path, e.to_string(), "expected a robot description"))?;
    if let Some((found, expected)) = stand_in(&bytes).filter(|_| !bytes.trim_ascii().is_empty()) {
        return Err(ModelError::of_file(path, found, expected));
    }
    let decoded = decode(&bytes, path)?;
    let mut model = parse_robot(&decoded.text, path, files)?;
    if let Some((place, text)) = decoded.warning {
        model.warnings.insert(0, format!("{place}: {text}"));
    }
    Ok(model)
}

/// Parses a robot description; meshes are searched beside and above `file`.
///
/// # Errors
/// The text is not a robot description, the links do not form a tree, a name, number or size is
/// invalid, or the mesh of a collider is invalid. The error has the place.
pub fn parse_robot(text: &str, file: &Path, files: &dyn Files) -> Result<RobotModel, ModelError> {
    let text = tolerant(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut source = SourceText::new(&text, file);
    check_attributes(&text, &source)?;
    let parsed = parse(&text, &source);
    let declared = parsed.is_err().then(|| declare(&text)).flatten();
    let document = match &declared {
        Some(declared) => {
            source = source.with_insertion(declared.inserted);
            parse(&declared.text, &source)?
        }
        None => parsed?,
    };
    let root = document.root_element();
    let name = root.tag_name().name();
    let kind = match name {
        "robot" => {
            let mut draft = urdf::read(root, &source, file, files)?;
            if let Some(Declared { prefixes, .. }) = &declared {
                let text = format!(
                    "undeclared prefixes: {}; what has them is ignored",
                    prefixes.join(", ")
                );
                draft.warnings.push(&source.place(root.range().start), text);
            }
            return fuse(draft);
        }
        "mujoco" | "mujocoinclude" => return fuse(mjcf::read(root, &source, file, files)?),
        "sdf" | "gazebo" | "model" => " (this is SDF, Gazebo's format)",
        "COLLADA" => " (this is a mesh)",
        _ => "",
    };
    let found = format!("the root element <{name}>{kind}");
    let place = source.place(root.range().start);
    let error = ModelError::at(&place, found, "expected <robot> (URDF) or <mujoco> (MJCF)");
    Err(match name {
        "sdf" => error.hint("use the URDF that it was made of, or convert it"),
        _ => error.nearest(name, ROOTS),
    })
}
