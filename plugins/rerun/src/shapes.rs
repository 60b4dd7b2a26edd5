//! Geometry in Rerun's words. Everything here is static: it is told once.

use becomingone_components::body::{Geometry, Mesh, Pose, Shape};
use glam::Vec3;
use re_sdk::{EntityPath, RecordingStream, RecordingStreamResult};
use re_sdk_types::archetypes::{
    Boxes3D, Capsules3D, Cylinders3D, Ellipsoids3D, InstancePoses3D, Mesh3D,
};
use re_sdk_types::components::{Color, FillMode, RotationQuat, Translation3D};
use re_sdk_types::datatypes::Quaternion;
use std::collections::HashMap;

/// Faces that meet at less than this share a smooth edge: its cosine, of 40 degrees.
const SMOOTH_COS: f32 = 0.766;

/// Red, green, blue, alpha, each 0 to 1.
pub(crate) fn colour(rgba: [f32; 4]) -> Color {
    let [r, g, b, a] = rgba.map(|c| (c.clamp(0.0, 1.0) * 255.0).round() as u8);
    Color::from_unmultiplied_rgba(r, g, b, a)
}

/// A rotation in Rerun's words.
pub(crate) fn quaternion(pose: Pose) -> RotationQuat {
    RotationQuat(Quaternion::from_xyzw(pose.rotation.to_array()))
}

/// A translation in Rerun's words.
pub(crate) fn translation(at_m: Vec3) -> Translation3D {
    Translation3D::from(at_m.to_array())
}

/// Shows a geometry, once and for all times.
pub(crate) fn show(
    to: &RecordingStream,
    path: EntityPath,
    geometry: &Geometry,
) -> RecordingStreamResult<()> {
    let Geometry { pose, shape, rgba } = geometry;
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
            // Rerun's begins at its origin, ours is about it.
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

/// A mesh with normals, so that it is shaded.
struct Shaded {
    vertices_m: Vec<[f32; 3]>,
    normals: Vec<[f32; 3]>,
    triangles: Vec<[u32; 3]>,
}

/// Gives each corner the mean normal of the faces that smoothly meet in it, and each distinct corner one vertex.
fn shade(mesh: &Mesh) -> Shaded {
    // Files repeat a vertex for each triangle: what is at the same place is the same point.
    let mut places: HashMap<[u32; 3], u32> = HashMap::new();
    let place_of: Vec<u32> = mesh
        .vertices_m
        .iter()
        .map(|v| {
            let new = places.len() as u32;
            // Adding zero makes -0 and 0 the same place.
            *places.entry(v.map(|x| (x + 0.0).to_bits())).or_insert(new)
        })
        .collect();
    let corner = |index: u32| mesh.vertices_m.get(index as usize).copied().map(Vec3::from);
    // Twice the area, along the normal.
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

    /// A grid of points that is bent to a surface.
    fn bent(n: u32, z: impl Fn(f32, f32) -> f32) -> Mesh {
        let mut vertices_m = Vec::new();
        let mut triangles = Vec::new();
        for i in 0..n {
            for j in 0..n {
                // Each square has vertices of its own, as in STL.
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
    fn a_flat_sheet_shares_its_vertices_and_points_up() {
        let shaded = shade(&bent(4, |_, _| 0.0));
        assert_eq!(shaded.vertices_m.len(), 25);
        assert!(shaded.normals.iter().all(|&n| n == [0.0, 0.0, 1.0]));
        assert_eq!(shaded.triangles.len(), 32);
    }

    #[test]
    fn a_bowl_is_smooth_and_a_roof_keeps_its_ridge() {
        let bowl = shade(&bent(32, |x, y| 0.3 * (x * x + y * y)));
        for (v, n) in bowl.vertices_m.iter().zip(&bowl.normals) {
            let expected = Vec3::new(-0.6 * v[0], -0.6 * v[1], 1.0).normalize();
            // Half a square's width from a neighbour's centre: at the rim the mean is one-sided.
            assert!(expected.dot(Vec3::from(*n)) > 0.999, "{v:?} {n:?}");
        }
        let roof = shade(&bent(2, |x, _| if x < 0.6 && x > 0.4 { 0.5 } else { 0.0 }));
        assert!(
            roof.normals.iter().all(|n| n[0].abs() > 0.5),
            "{:?}",
            roof.normals
        );
    }
}
