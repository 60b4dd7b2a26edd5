//! MJCF, `MuJoCo`'s format: the elements of a file and of those that it includes, to a draft.
//!
//! In the order in which a file passes:
//!
//! - `include`: several files become one tree of `element`s.
//! - `replicate`: what is written once and meant often.
//! - `settings`: `<compiler>`, how numbers are meant.
//! - `defaults`: classes, what attributes are where an element does not say.
//! - `geom`: shapes, and what they weigh.
//! - `bodies`: links and joints.
//! - `actuators`: efforts, joints that follow others, and the pose of a keyframe.
//!
//! What is not supported is a warning, never silence.

mod actuators;
mod bodies;
mod defaults;
mod element;
mod geom;
mod include;
mod replicate;
mod settings;

use crate::draft::{Draft, DraftLink, Warnings};
use crate::mesh::{Triangles, finish};
use crate::shelf::Shelf;
use crate::xml::Source;
use crate::{Files, ModelError};
use becomingone_components::body::{Pose, Written};
use bodies::{Bodies, plain_joint};
use defaults::Classes;
use element::{Element, Values};
use geom::{Asset, Assets};
use glam::{Quat, Vec3};
use roxmltree::Node;
use settings::Settings;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Gravity of `MuJoCo`'s own default (m/s²), and how far a file's may be from it without a word.
const GRAVITY_M_S2: f64 = -9.81;
const GRAVITY_SLACK_M_S2: f64 = 0.02;

/// The draft of a file's root element `<mujoco>`.
pub(crate) fn read(
    root: Node,
    source: &Source,
    file: &Path,
    files: &dyn Files,
) -> Result<Draft, ModelError> {
    let mut root = include::read(root, source, file, files)?;
    let settings = Settings::of(&root)?;
    replicate::expand(&mut root, &settings)?;
    let classes = Classes::of(&root)?;
    let mut warnings = Warnings::default();
    left_out(&root, &mut warnings)?;
    let mut shelf = Shelf::new(file, files);
    let assets = Assets {
        meshes: meshes(&root, &settings, &classes, &mut shelf, &mut warnings)?,
        materials: materials(&root, &classes)?,
    };
    let mut bodies = Bodies::new(&root, &settings, &classes, &assets, warnings);
    bodies.read(&root)?;
    actuators::read(&root, &settings, &classes, &mut bodies)?;
    let Bodies {
        mut links,
        mut joints,
        mut warnings,
        counted,
        fixed_base,
        upright,
        ..
    } = bodies;
    if counted.0 == 0 {
        warnings.push(&root.place, "a model without bodies: nothing moves");
    }
    if let Some(total) = settings.total_mass {
        scale_to(&mut links, total);
    }
    if upright.angle_between(Quat::IDENTITY) > 1e-6 {
        // The root's axes are those of the world when the robot stands as it was drawn.
        let base = links[0].name.clone();
        let name = format!("{base}/upright");
        let pose = Pose::new(Vec3::ZERO, upright);
        let place = root.place.clone();
        joints.push(plain_joint(
            format!("{name}/fixed"),
            place.clone(),
            None,
            &name,
            &base,
            pose,
        ));
        links.push(DraftLink {
            name,
            place,
            hidden: true,
            mass: None,
            colliders: Vec::new(),
            visuals: Vec::new(),
        });
    }
    let name = root.values().text("model").map(str::to_owned);
    let stem = || {
        file.file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    Ok(Draft {
        name: name.unwrap_or_else(stem),
        file: file.display().to_string(),
        place: root.place.clone(),
        links,
        joints,
        fixed_base,
        written: Some(Written {
            links: counted.0,
            moving_joints: counted.1,
        }),
        missing_meshes: shelf.missing,
        warnings,
    })
}

/// Says which sections are left out.
fn left_out(root: &Element, warnings: &mut Warnings) -> Result<(), ModelError> {
    for section in &root.children {
        let what = match &*section.name {
            "tendon" if !section.children.is_empty() => "tendons are",
            "deformable" => "deformable bodies are",
            "extension" => "plugins are",
            _ => continue,
        };
        let text = format!("{what} not supported and were left out");
        warnings.push(&section.place, text);
    }
    for option in root.all("option") {
        let v = option.values();
        if let Some(g) = v.vector("gravity")? {
            let usual =
                g.x == 0.0 && g.y == 0.0 && (g.z - GRAVITY_M_S2).abs() <= GRAVITY_SLACK_M_S2;
            if !usual {
                let text = format!(
                    "gravity is the scene's, not {} {} {} as here",
                    g.x, g.y, g.z
                );
                warnings.push(&v.place("gravity"), text);
            }
        }
        for fluid in ["density", "viscosity"] {
            if v.number(fluid)?.unwrap_or_default() != 0.0 {
                let text = "forces of air and water are not supported and were left out";
                warnings.push(&v.place(fluid), text);
            }
        }
    }
    Ok(())
}

/// Colours of all materials.
fn materials(root: &Element, classes: &Classes) -> Result<HashMap<String, [f32; 4]>, ModelError> {
    let mut materials = HashMap::new();
    for material in root.all("asset").flat_map(|asset| asset.all("material")) {
        let v = classes.values(material, Classes::MAIN)?;
        if let Some(name) = v.text("name") {
            materials.insert(name.to_owned(), v.rgba("rgba")?.unwrap_or([1.0; 4]));
        }
    }
    Ok(materials)
}

/// All meshes by name. Missing ones are a warning; broken ones are kept for who names them.
fn meshes(
    root: &Element,
    settings: &Settings,
    classes: &Classes,
    shelf: &mut Shelf,
    warnings: &mut Warnings,
) -> Result<HashMap<String, Asset>, ModelError> {
    let mut meshes = HashMap::new();
    for element in root.all("asset").flat_map(|asset| asset.all("mesh")) {
        let v = classes.values(element, Classes::MAIN)?;
        let file = v.text("file").map(|f| f.replace('\\', "/"));
        let stem = file.as_deref().map(|f| Path::new(f).file_stem());
        let stem = stem.flatten().map(|s| s.to_string_lossy().into_owned());
        let Some(name) = element.values().text("name").map(str::to_owned).or(stem) else {
            return Err(v.refuse("name", "<mesh> without a name", "expected name=\"...\""));
        };
        let asset = mesh(&v, file, settings, shelf, warnings)?;
        if meshes.insert(name.clone(), asset).is_some() {
            let found = format!("a second mesh with the name {name:?}");
            return Err(v.refuse("name", found, "expected different names"));
        }
    }
    Ok(meshes)
}

fn mesh(
    v: &Values,
    file: Option<String>,
    settings: &Settings,
    shelf: &mut Shelf,
    warnings: &mut Warnings,
) -> Result<Asset, ModelError> {
    let from = v.vector("refpos")?.unwrap_or_default();
    let turn = v.exactly::<4>("refquat")?.unwrap_or([1.0, 0.0, 0.0, 0.0]);
    let turn = Quat::from_xyzw(
        turn[1] as f32,
        turn[2] as f32,
        turn[3] as f32,
        turn[0] as f32,
    );
    let moved = from != glam::DVec3::ZERO || turn != Quat::IDENTITY;
    let last_scale = v.vector("scale")?.map_or(Vec3::ONE, |s| s.as_vec3());
    // What is moved and turned is scaled after that.
    let scale = if moved { Vec3::ONE } else { last_scale };
    let mesh = match file {
        Some(file) => {
            let plain = Path::new(&file).file_name().filter(|_| settings.strip_path);
            let file = plain.map_or(file.clone(), |f| f.to_string_lossy().into_owned());
            let path = Path::new(&settings.mesh_folder).join(&file);
            match shelf.mesh(&path.to_string_lossy(), scale) {
                Ok(mesh) => mesh,
                Err(refusal) if refusal.missing => {
                    let text = format!("left out: {}; {}", refusal.found, refusal.expected);
                    warnings.push(&v.place("file"), text);
                    return Ok(Asset::Left);
                }
                Err(refusal) => {
                    let error = ModelError::at(&v.place("file"), refusal.found, refusal.expected);
                    return Ok(Asset::Broken(error));
                }
            }
        }
        None if v.has("vertex") => Arc::new(inline(v, scale)?),
        None => {
            let text = "a mesh with neither file nor vertex is not supported and was left out";
            warnings.push(&v.element.place, text);
            return Ok(Asset::Left);
        }
    };
    let shell = v.text("inertia") == Some("shell");
    if matches!(v.text("inertia"), Some("convex" | "exact")) {
        let text = "mesh inertia is counted as \"legacy\": exact for convex meshes only";
        warnings.push(&v.place("inertia"), text);
    }
    if !moved {
        return Ok(Asset::Mesh { mesh, shell });
    }
    let back = Pose::new(from.as_vec3(), turn.normalize()).inverse();
    let mut moved = (*mesh).clone();
    for vertex in &mut moved.vertices_m {
        *vertex = (back.point(Vec3::from(*vertex)) * last_scale).to_array();
    }
    if last_scale.x * last_scale.y * last_scale.z < 0.0 {
        for triangle in &mut moved.triangles {
            triangle.swap(1, 2);
        }
    }
    let mesh = Arc::new(moved);
    Ok(Asset::Mesh { mesh, shell })
}

/// A mesh whose corners stand in the file itself.
fn inline(v: &Values, scale: Vec3) -> Result<becomingone_components::body::Mesh, ModelError> {
    let numbers = v.numbers("vertex")?.unwrap_or_default();
    let vertices: Vec<_> = numbers
        .as_chunks::<3>()
        .0
        .iter()
        .map(|p| p.map(|x| x as f32))
        .collect();
    let faces = v.numbers("face")?.unwrap_or_default();
    let triangles = if faces.is_empty() {
        crate::hull::hull(&vertices)
    } else {
        faces
            .as_chunks::<3>()
            .0
            .iter()
            .map(|t| t.map(|i| i as u32))
            .collect()
    };
    let found = Triangles {
        vertices,
        triangles,
    };
    finish(found, scale, Path::new("vertex")).map_err(|error| {
        v.refuse(
            "vertex",
            error.to_string(),
            "expected the corners of a body, three numbers each",
        )
    })
}

/// Scales all masses so that they come to this sum.
fn scale_to(links: &mut [DraftLink], total: f64) {
    let sum: f64 = links.iter().filter_map(|l| l.mass).map(|m| m.kg).sum();
    for mass in links.iter_mut().filter_map(|l| l.mass.as_mut()) {
        if sum > 0.0 && mass.kg > 0.0 {
            *mass = mass.scaled_to(mass.kg * total / sum);
        }
    }
}
