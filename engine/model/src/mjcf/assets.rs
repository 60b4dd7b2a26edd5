//! `<asset>`: meshes, height fields and materials.

use super::defaults::Classes;
use super::element::{Element, Values};
use super::height_fields::{self, Field};
use super::settings::Settings;
use crate::ModelError;
use crate::draft::Warnings;
use crate::mass::Mass;
use crate::mesh::finish;
use crate::mesh_cache::MeshCache;
use crate::mesh_mass::MeshInertia;
use crate::number::quoted;
use crate::triangles::Triangles;
use becomingone_components::body::{Mesh, Pose};
use becomingone_components::height_field::HeightField;
use glam::{Quat, Vec3};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Mesh asset, or why there is none.
pub(crate) enum Asset {
    Mesh {
        mesh: Arc<Mesh>,
        /// Mass at the density of water; `None` without volume.
        mass: Option<Mass>,
    },
    HeightField(Arc<HeightField>),
    /// Missing, and why; already reported.
    Ignored(String),
    /// Invalid: an error if a geom with contacts uses it.
    Invalid(ModelError),
}

/// Assets that geoms refer to by name.
pub(crate) struct Assets {
    pub(crate) meshes: HashMap<String, Asset>,
    pub(crate) height_fields: HashMap<String, Asset>,
    pub(crate) materials: HashMap<String, [f32; 4]>,
}

/// Colours by material name.
pub(super) fn materials(
    sections: &[Element],
    classes: &Classes,
) -> Result<HashMap<String, [f32; 4]>, ModelError> {
    let mut materials = HashMap::new();
    for material in sections.iter().flat_map(|asset| asset.all("material")) {
        let v = classes.values(material, Classes::MAIN)?;
        if let Some(name) = v.text("name") {
            materials.insert(name.to_owned(), v.rgba("rgba")?.unwrap_or([1.0; 4]));
        }
    }
    Ok(materials)
}

/// Meshes, or height fields, by name. A missing file is a warning; the error of an invalid one is kept for the
/// geoms that use it.
pub(super) fn shapes(
    sections: &[Element],
    kind: &str,
    settings: &Settings,
    classes: &Classes,
    mesh_cache: &mut MeshCache,
    warnings: &mut Warnings,
) -> Result<HashMap<String, Asset>, ModelError> {
    let mut shapes = HashMap::new();
    for element in sections.iter().flat_map(|asset| asset.all(kind)) {
        let v = classes.values(element, Classes::MAIN)?;
        let file = v.text("file").map(|f| f.replace('\\', "/"));
        let stem = file.as_deref().map(|f| Path::new(f).file_stem());
        let stem = stem.flatten().map(|s| s.to_string_lossy().into_owned());
        let Some(name) = element.values().text("name").map(str::to_owned).or(stem) else {
            let found = format!("<{kind}> without a name");
            return Err(v.refuse("name", found, "expected name=\"...\""));
        };
        let read = match kind {
            "mesh" => mesh(&v, file, settings, mesh_cache, warnings),
            _ => match height_fields::read(&v, settings, mesh_cache, warnings)? {
                Field::Read(field) => Ok(Asset::HeightField(field)),
                Field::Missing(why) => Ok(Asset::Ignored(why)),
                Field::Invalid(error) => Ok(Asset::Invalid(error)),
            },
        };
        mesh_cache.report(&v.place("file"), warnings);
        let asset = read?;
        if shapes.insert(name.clone(), asset).is_some() {
            let found = format!("a second {kind} named {name:?}");
            return Err(v.refuse("name", found, "expected unique names"));
        }
    }
    Ok(shapes)
}

fn mesh(
    v: &Values,
    file: Option<String>,
    settings: &Settings,
    mesh_cache: &mut MeshCache,
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
    // A mesh with a reference pose is scaled after the transform.
    let scale = if moved { Vec3::ONE } else { last_scale };
    let mesh = match file {
        Some(file) => match mesh_cache.mesh(&settings.mesh_path(&file), scale) {
            Ok(mesh) => mesh,
            Err(cause) if cause.missing => {
                let text = format!("mesh ignored: {}; {}", cause.found, cause.expected);
                warnings.push(&v.place("file"), text);
                return Ok(Asset::Ignored(cause.lost()));
            }
            Err(cause) => {
                let error = ModelError::at(&v.place("file"), cause.found, cause.expected);
                return Ok(Asset::Invalid(error));
            }
        },
        None if v.text("builtin").is_some_and(|name| name != "none") => {
            let name = quoted(v.text("builtin").unwrap_or_default());
            let found = format!("a mesh with builtin = {name}, which is not supported");
            let expected = "expected a file, or vertices";
            let error = v.refuse("builtin", found, expected);
            let hint = "save the mesh to a file, or use a primitive shape";
            return Ok(Asset::Invalid(error.hint(hint)));
        }
        None if v.has("vertex") => Arc::new(inline(v, scale)?),
        None => {
            let text = "a mesh with neither file nor vertex is not supported and is ignored";
            warnings.push(&v.element.place, text);
            return Ok(Asset::Ignored(text.to_owned()));
        }
    };
    if !moved {
        return weighed(v, mesh);
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
    weighed(v, Arc::new(moved))
}

/// Mesh with its mass by the attribute `inertia`.
fn weighed(v: &Values, mesh: Arc<Mesh>) -> Result<Asset, ModelError> {
    let name = v.text("inertia").unwrap_or("legacy");
    let Some(rule) = MeshInertia::named(name) else {
        let expected = format!("expected one of {}", MeshInertia::NAMES.join(", "));
        let found = format!("inertia = {}", quoted(name));
        let error = v.refuse("inertia", found, expected);
        return Err(error.nearest(name, MeshInertia::NAMES));
    };
    match rule.mass(&mesh.vertices_m, &mesh.triangles) {
        Ok(mass) => Ok(Asset::Mesh { mesh, mass }),
        Err(found) => Err(v.refuse(
            "inertia",
            format!(
                "inertia=\"exact\" of mesh {:?}, which has {found}",
                mesh.name
            ),
            "expected triangles that all face outwards, or inertia=\"legacy\"",
        )),
    }
}

/// Mesh whose vertices are given in the MJCF file.
fn inline(v: &Values, scale: Vec3) -> Result<Mesh, ModelError> {
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
            "expected the vertices of a body, three numbers each",
        )
    })
}
