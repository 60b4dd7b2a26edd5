//! Geometry as Rerun archetypes. All of it is static: logged once.

use becomingone_components::body::{Geometry, Mesh, Pose, Shape};
use glam::Vec3;
use re_sdk::{EntityPath, RecordingStream, RecordingStreamResult};
use re_sdk_types::archetypes::{
    Boxes3D, Capsules3D, Cylinders3D, Ellipsoids3D, InstancePoses3D, Mesh3D,
};
use re_sdk_types::components::{Color, FillMode, RotationQuat, Translation3D};
use re_sdk_types::datatypes::Quaternion;
use std::collections::HashMap;

/// Cosine of the largest angle between faces that are shaded smoothly (40 degrees).
const SMOOTH_COS: f32 = 0.766;

/// Converts a colour: red, green, blue, alpha, each 0 to 1.
pub(crate) fn colour(rgba: [f32; 4]) -> Color {
    let [r, g, b, a] = rgba.map(|c| (c.clamp(0.0, 1.0) * 255.0).round() as u8);
    Color::from_unmultiplied_rgba(r, g, b, a)
}

/// Converts the rotation of a pose.
pub(crate) fn quaternion(pose: Pose) -> RotationQuat {
    RotationQuat(Quaternion::from_xyzw(pose.rotation.to_array()))
}

/// Converts a translation (m).
pub(crate) fn translation(at_m: Vec3) -> Translation3D {
    Translation3D::from(at_m.to_array())
}

/// Logs a geometry as static data.
pub(crate) fn show(
    to: &RecordingStream,
    path: EntityPath,
    geometry: &Geometry,
) -> RecordingStreamResult<()> {
    let Geometry {
        pose, shape, rgba, ..
    } = geometry;
    let (at, turn, colour) = (
        translation(pose.translation_m),
        quaternion(*pose),
        colour(*rgba),
    );
    match shape {
        Shape::Box { half_extents_m } => to.log_static(
            path,
            &Boxes3D::from_half_sizes([half_extents_m.to_array()])
                .with_centers([at])
                .with_quaternions([turn])
                .with_colors([colour])
                .with_fill_mode(FillMode::Solid),
        ),
        Shape::Cylinder { radius_m, length_m } => to.log_static(
            path,
            &Cylinders3D::from_lengths_and_radii([*length_m], [*radius_m])
                .with_centers([at])
                .with_quaternions([turn])
                .with_colors([colour])
                .with_fill_mode(FillMode::Solid),
        ),
        Shape::Capsule { radius_m, length_m } => {
            // Rerun's capsule starts at its origin, ours is centred on it.
            let end = pose.point(Vec3::NEG_Z * *length_m / 2.0);
            to.log_static(
                path,
                &Capsules3D::from_lengths_and_radii([*length_m], [*radius_m])
                    .with_translations([translation(end)])
                    .with_quaternions([turn])
                    .with_colors([colour])
                    .with_fill_mode(FillMode::Solid),
            )
        }
        Shape::Sphere { radius_m } => to.log_static(
            path,
            &Ellipsoids3D::from_half_sizes([[*radius_m; 3]])
                .with_centers([at])
                .with_colors([colour])
                .with_fill_mode(FillMode::Solid),
        ),
        Shape::HeightField(field) => {
            let geometry = Geometry {
                pose: *pose,
                shape: Shape::Mesh(std::sync::Arc::new(becomingone_components::body::Mesh::of(
                    field,
                ))),
                rgba: *rgba,
                contacts: becomingone_components::contact_mask::ContactMask::default(),
            };
            show(to, path, &geometry)
        }
        Shape::Mesh(mesh) => {
            let Shaded {
                vertices_m,
                normals,
                triangles,
            } = shade(mesh);
            if triangles.is_empty() {
                return Ok(());
            }
            let placed = InstancePoses3D::new()
                .with_translations([at])
                .with_quaternions([turn]);
            to.log_static(path.clone(), &placed)?;
            to.log_static(
                path,
                &Mesh3D::new(vertices_m)
                    .with_vertex_normals(normals)
                    .with_triangle_indices(triangles)
                    .with_albedo_factor(colour.0),
            )
        }
    }
}

/// Mesh with vertex normals.
struct Shaded {
    vertices_m: Vec<[f32; 3]>,
    normals: Vec<[f32; 3]>,
    triangles: Vec<[u32; 3]>,
}

/// Gives each corner the mean normal of the faces that meet smoothly in it, and merges equal corners into a vertex.
fn shade(mesh: &Mesh) -> Shaded {
    // Mesh files repeat vertices for each triangle: merge those at equal positions.
    let mut places: HashMap<[u32; 3], u32> = HashMap::new();
    let place_of: Vec<u32> = mesh
        .vertices_m
        .iter()
        .map(|v| {
            let new = places.len() as u32;
            // Adding zero makes -0 and 0 equal bits.
            *places.entry(v.map(|x| (x + 0.0).to_bits())).or_insert(new)
        })
        .collect();
    let corner = |index: u32| mesh.vertices_m.get(index as usize).copied().map(Vec3::from);
    // Length: twice the area.
    let faces: Vec<([u32; 3], Vec3)> = mesh
        .triangles
        .iter()
        .filter_map(|&[a, b, c]| {
            let (p, q, r) = (corner(a)?, corner(b)?, corner(c)?);
            let area = (q - p).cross(r - p);
            (area.is_finite() && area != Vec3::ZERO).then_some(([a, b, c], area))
        })
        .collect();
    let mut meeting: Vec<Vec<u32>> = vec![Vec::new(); places.len()];
    for (k, (indices, _)) in faces.iter().enumerate() {
        for &index in indices {
            meeting[place_of[index as usize] as usize].push(k as u32);
        }
    }
    let mut shaded = Shaded {
        vertices_m: Vec::new(),
        normals: Vec::new(),
        triangles: Vec::with_capacity(faces.len()),
    };
    let mut corners: HashMap<(u32, [u32; 3]), u32> = HashMap::new();
    for (indices, area) in &faces {
        let own = area.normalize_or_zero();
        shaded.triangles.push(indices.map(|index| {
            let place = place_of[index as usize];
            let normal = meeting[place as usize]
                .iter()
                .map(|&k| faces[k as usize].1)
                .filter(|other| other.normalize_or_zero().dot(own) > SMOOTH_COS)
                .sum::<Vec3>()
                .normalize_or(own)
                .to_array();
            let new = shaded.vertices_m.len() as u32;
            *corners
                .entry((place, normal.map(f32::to_bits)))
                .or_insert_with(|| {
                    shaded.vertices_m.push(mesh.vertices_m[index as usize]);
                    shaded.normals.push(normal);
                    new
                })
        }));
    }
    shaded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Grid of squares on the surface `z(x, y)`.
    fn surface(n: u32, z: impl Fn(f32, f32) -> f32) -> Mesh {
        let mut vertices_m = Vec::new();
        let mut triangles = Vec::new();
        for i in 0..n {
            for j in 0..n {
                // Squares share no vertices, as in STL.
                let corner = |i: u32, j: u32| {
                    let (x, y) = (i as f32 / n as f32, j as f32 / n as f32);
                    [x, y, z(x, y)]
                };
                let k = vertices_m.len() as u32;
                vertices_m.extend([
                    corner(i, j),
                    corner(i + 1, j),
                    corner(i + 1, j + 1),
                    corner(i, j + 1),
                ]);
                triangles.extend([[k, k + 1, k + 2], [k, k + 2, k + 3]]);
            }
        }
        Mesh {
            name: String::new(),
            vertices_m,
            triangles,
        }
    }

    #[test]
    fn flat_grid_merges_its_vertices_and_has_vertical_normals() {
        let shaded = shade(&surface(4, |_, _| 0.0));
        assert_eq!(shaded.vertices_m.len(), 25);
        assert!(shaded.normals.iter().all(|&n| n == [0.0, 0.0, 1.0]));
        assert_eq!(shaded.triangles.len(), 32);
    }

    #[test]
    fn curved_surface_is_smooth_and_a_ridge_stays_sharp() {
        let bowl = shade(&surface(32, |x, y| 0.3 * (x * x + y * y)));
        for (v, n) in bowl.vertices_m.iter().zip(&bowl.normals) {
            let expected = Vec3::new(-0.6 * v[0], -0.6 * v[1], 1.0).normalize();
            // Tolerance: at the rim the mean normal is one-sided, off by half a square.
            assert!(expected.dot(Vec3::from(*n)) > 0.999, "{v:?} {n:?}");
        }
        let roof = shade(&surface(
            2,
            |x, _| if x < 0.6 && x > 0.4 { 0.5 } else { 0.0 },
        ));
        assert!(
            roof.normals.iter().all(|n| n[0].abs() > 0.5),
            "{:?}",
            roof.normals
        );
    }
}
