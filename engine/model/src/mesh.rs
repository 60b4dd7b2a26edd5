//! Triangle meshes: reads, scales and checks a mesh file.

use crate::stand_in::stand_in;
use crate::triangles::Triangles;
use crate::{Files, ModelError, dae, msh, obj, stl};
use becomingone_components::body::Mesh;
use glam::Vec3;
use std::collections::HashMap;
use std::path::Path;

/// Reads a mesh file by its extension: `.stl` (text and binary), `.dae`, `.obj` or `.msh`.
///
/// Vertices are multiplied by `scale`; a scale that mirrors also reverses the triangles, so that they
/// still face outwards. Equal vertices are merged. In COLLADA the unit of length is applied and the
/// up-axis is not, as ROS tools do; materials and textures are ignored.
///
/// # Errors
/// The file cannot be read, is truncated or invalid, has no triangle, or has a vertex that is not
/// finite after scaling.
pub fn load_mesh(path: &Path, scale: Vec3, files: &dyn Files) -> Result<Mesh, ModelError> {
    let bytes = files
        .read(path)
        .map_err(|e| ModelError::of_file(path, e.to_string(), "expected a mesh file"))?;
    if let Some((found, expected)) = stand_in(&bytes) {
        return Err(ModelError::of_file(path, found, expected));
    }
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    let found = match extension.to_ascii_lowercase().as_str() {
        "stl" => stl::read(bytes, path)?,
        "obj" => obj::read(&bytes, path)?,
        "dae" => dae::read(&bytes, path)?,
        "msh" => msh::read(&bytes, path)?,
        _ => {
            return Err(ModelError::of_file(
                path,
                format!("a mesh with the extension {extension:?}"),
                "expected .stl, .dae, .obj or .msh",
            ));
        }
    };
    finish(found, scale, path)
}

/// Scales and checks a mesh, and merges equal vertices.
pub(crate) fn finish(found: Triangles, scale: Vec3, path: &Path) -> Result<Mesh, ModelError> {
    if !scale.is_finite() || scale.x * scale.y * scale.z == 0.0 {
        return Err(ModelError::of_file(
            path,
            format!("a mesh scale of {} {} {}", scale.x, scale.y, scale.z),
            "expected finite factors other than zero",
        ));
    }
    if found.triangles.is_empty() {
        let expected = "expected at least one triangle";
        return Err(ModelError::of_file(
            path,
            "a mesh without triangles",
            expected,
        ));
    }
    let mirrored = scale.x * scale.y * scale.z < 0.0;
    let mut mesh = Mesh {
        name: path.display().to_string(),
        vertices_m: Vec::new(),
        triangles: Vec::with_capacity(found.triangles.len()),
    };
    let mut known = HashMap::new();
    for triangle in found.triangles {
        let [a, b, c] = triangle;
        let mut corners = if mirrored { [a, c, b] } else { [a, b, c] };
        for corner in &mut corners {
            let vertex = vertex(&found.vertices, *corner, scale, path)?;
            *corner = *known.entry(vertex.map(f32::to_bits)).or_insert_with(|| {
                mesh.vertices_m.push(vertex);
                // No more than the file's vertices, which `u32` indexes.
                mesh.vertices_m.len() as u32 - 1
            });
        }
        mesh.triangles.push(corners);
    }
    Ok(mesh)
}

/// Scaled vertex (m).
fn vertex(
    vertices: &[[f32; 3]],
    index: u32,
    scale: Vec3,
    path: &Path,
) -> Result<[f32; 3], ModelError> {
    let Some(&vertex) = vertices.get(index as usize) else {
        return Err(ModelError::of_file(
            path,
            format!("a triangle with vertex {index}"),
            format!("expected indices below {}", vertices.len()),
        ));
    };
    // Adding zero turns -0 into 0, so that equal vertices have equal bits.
    let scaled = Vec3::from_array(vertex) * scale + Vec3::ZERO;
    if !scaled.is_finite() {
        return Err(ModelError::of_file(
            path,
            format!("vertex {index} at {vertex:?}"),
            "expected finite numbers",
        ));
    }
    Ok(scaled.to_array())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Disk;

    const FAR: Vec3 = Vec3::new(2.0, 3.0, 4.0);

    fn load(name: &str, text: &str, scale: Vec3) -> Result<Mesh, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        load_mesh(&path, scale, &Disk).map_err(|e| e.to_string())
    }

    #[test]
    fn equal_vertices_are_merged_and_scaled() {
        let text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv -0 0 0\nv 7 7 7\nf 1 2 3\nf 4 3 2\n";
        let mesh = load("a.OBJ", text, FAR).unwrap();
        assert_eq!(
            mesh.vertices_m,
            [[0.0; 3], [2.0, 0.0, 0.0], [0.0, 3.0, 0.0]]
        );
        assert_eq!(mesh.triangles, [[0, 1, 2], [0, 2, 1]]);
        assert!(mesh.name.ends_with("a.OBJ"));
    }

    #[test]
    fn a_mirrored_mesh_still_faces_outwards() {
        let text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n";
        let mesh = load("a.obj", text, Vec3::new(-1.0, 1.0, 1.0)).unwrap();
        let [a, b, c] = mesh.triangles[0].map(|i| Vec3::from_array(mesh.vertices_m[i as usize]));
        assert!((b - a).cross(c - a).z > 0.0);
    }

    #[test]
    fn invalid_meshes_are_rejected() {
        let good = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n";
        for (name, text, scale, words) in [
            ("a.obj", good, Vec3::new(0.0, 1.0, 1.0), "scale of 0 1 1"),
            ("a.obj", good, Vec3::NAN, "scale of NaN"),
            ("a.obj", good, Vec3::splat(f32::INFINITY), "scale of inf"),
            ("a.obj", "v 0 0 0\n", Vec3::ONE, "without triangles"),
            ("a.obj", "", Vec3::ONE, "an empty file"),
            ("a.obj", "v nan 0 0\nf 1 1 1", Vec3::ONE, "expected finite"),
            ("a.obj", "v 0 1e99 0\nf 1 1 1", Vec3::ONE, "expected finite"),
            (
                "a.obj",
                "v 0 1e30 0\nf 1 1 1",
                Vec3::splat(1e30),
                "expected finite",
            ),
            (
                "a.glb",
                good,
                Vec3::ONE,
                "expected .stl, .dae, .obj or .msh",
            ),
        ] {
            let error = load(name, text, scale).unwrap_err();
            assert!(error.contains(name) && error.contains(words), "{error}");
        }
        let error = load_mesh(Path::new("no/such.stl"), Vec3::ONE, &Disk).unwrap_err();
        assert!(error.to_string().contains("no/such.stl"), "{error}");
    }
}
