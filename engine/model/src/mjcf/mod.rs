//! MJCF (`MuJoCo`) reader: the elements of a file and its includes to a draft of the robot.
//!
//! Modules in the order of processing:
//!
//! - `include`: merges included files into one tree of `element`s.
//! - `schema`: names and decimal commas.
//! - `attach`: attaches parts of other models, each with its own settings and classes.
//! - `replicate`: expands `<replicate>`.
//! - `settings`: `<compiler>`, units and conventions of the file.
//! - `defaults`: `<default>` classes of attributes.
//! - `assets` and `height_fields`: meshes, height fields and materials.
//! - `primitive` and `geom`: shapes and their masses.
//! - `bodies`: links and joints.
//! - `contact`: what touches what; `contact_parameters`: what has no effect.
//! - `actuators`: effort limits; `equality`: mimics; `keyframe`: the start pose.
//!
//! Unsupported elements cause a warning (`unsupported`).

mod actuators;
mod assets;
mod attach;
mod bodies;
mod contact;
mod contact_parameters;
mod defaults;
pub(crate) mod element;
mod equality;
mod geom;
mod height_fields;
mod include;
mod keyframe;
mod primitive;
mod replicate;
pub(crate) mod schema;
pub(crate) mod settings;
pub(crate) mod unsupported;

use crate::draft::{Draft, DraftLink, Warnings};
use crate::mesh_cache::MeshCache;
use crate::xml::SourceText;
use crate::{Files, ModelError};
use assets::{Assets, materials, shapes};
use attach::Scope;
use becomingone_components::body::{Pose, Written};
use bodies::{Bodies, plain_joint};
use glam::{Quat, Vec3};
use include::Includer;
use roxmltree::Node;
use std::path::Path;

/// Reads the root element `<mujoco>`.
pub(crate) fn read(
    root: Node,
    source: &SourceText,
    file: &Path,
    files: &dyn Files,
) -> Result<Draft, ModelError> {
    let mut includer = Includer::new(file, files);
    let mut root = includer.tree(root, source)?;
    let mut scopes = Vec::new();
    let mut warnings = Warnings::default();
    attach::expand(&mut root, file, &mut includer, &mut scopes, &mut warnings)?;
    warnings.append(includer.warnings);
    // Those of attached models do not count.
    let no_contacts = scopes[0].settings.no_contacts;
    for scope in &mut scopes {
        scope.settings.no_contacts = no_contacts;
    }
    replicate::expand(&mut root, &scopes)?;
    let mut mesh_cache = MeshCache::new(file, files);
    let mut assets = Vec::new();
    for Scope {
        settings,
        classes,
        file,
        assets: sections,
    } in &scopes
    {
        mesh_cache.beside(file);
        let mut read = |kind: &str| {
            shapes(
                sections,
                kind,
                settings,
                classes,
                &mut mesh_cache,
                &mut warnings,
            )
        };
        assets.push(Assets {
            meshes: read("mesh")?,
            height_fields: read("hfield")?,
            materials: materials(sections, classes)?,
        });
    }
    let mut bodies = Bodies::new(&root, &scopes, &assets, warnings);
    bodies.read(&root)?;
    actuators::read(&root, &scopes, &mut bodies)?;
    equality::read(&root, &scopes, &mut bodies)?;
    keyframe::read(&root, &mut bodies)?;
    let excluded = contact::excluded(&root, &mut bodies)?;
    contact::touch_scene(&mut bodies, &root.place);
    bodies.ignored.warn(&mut bodies.warnings);
    bodies.place_surroundings();
    let Bodies {
        mut links,
        mut joints,
        mut warnings,
        counts,
        fixed_base,
        surroundings,
        lost_surroundings,
        upright,
        ..
    } = bodies;
    if counts.0 == 0 {
        warnings.push(&root.place, "a model without bodies");
    }
    if let Some(total) = scopes[0].settings.total_mass {
        scale_total_mass(&mut links, total);
    }
    if upright.angle_between(Quat::IDENTITY) > 1e-6 {
        // The root frame is aligned with the world when the robot is in the pose of the file.
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
            lost: Vec::new(),
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
        surroundings,
        excluded,
        lost_surroundings,
        allows_missing: files.allows_missing(),
        written: Some(Written {
            links: counts.0,
            moving_joints: counts.1,
        }),
        missing_meshes: mesh_cache.missing,
        warnings,
    })
}

/// Scales all masses to this total (kg).
pub(crate) fn scale_total_mass(links: &mut [DraftLink], total: f64) {
    let sum: f64 = links.iter().filter_map(|l| l.mass).map(|m| m.kg).sum();
    for mass in links.iter_mut().filter_map(|l| l.mass.as_mut()) {
        if sum > 0.0 && mass.kg > 0.0 {
            *mass = mass.scaled_to(mass.kg * total / sum);
        }
    }
}
