//! MSH, `MuJoCo`'s binary mesh format: counts, then vertices, normals, texture coordinates and faces
//! (`asset/mesh` of its XML reference).

use crate::ModelError;
use crate::hull::hull;
use crate::triangles::Triangles;
use std::path::Path;

/// Header: four counts (bytes).
const HEADER: usize = 16;

/// Reads MSH; a mesh without faces becomes the convex hull of its vertices.
pub(crate) fn read(bytes: &[u8], path: &Path) -> Result<Triangles, ModelError> {
    let word = |at: usize| {
        let word = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(i32::from_le_bytes(word))
    };
    let count = |k: usize| word(4 * k).and_then(|n| u64::try_from(n).ok());
    let counts = [count(0), count(1), count(2), count(3)];
    let [Some(vertices), Some(normals), Some(texture), Some(faces)] = counts else {
        let found = "an MSH file without the four counts of its header";
        return Err(ModelError::of_file(
            path,
            found,
            "expected a complete MSH file",
        ));
    };
    let needed = HEADER as u64 + 12 * (vertices + normals + faces) + 8 * texture;
    if bytes.len() as u64 != needed {
        let found = format!(
            "{} bytes for {vertices} vertices and {faces} faces",
            bytes.len()
        );
        let expected = format!("expected {needed} bytes of MSH");
        return Err(ModelError::of_file(path, found, expected));
    }
    let (vertices, faces) = (vertices as usize, faces as usize);
    let real = |at: usize| f32::from_bits(word(at).unwrap_or_default() as u32);
    let vertex = |k: usize| [0, 1, 2].map(|c| real(HEADER + 12 * k + 4 * c));
    let vertices: Vec<_> = (0..vertices).map(vertex).collect();
    let first = HEADER + 12 * (vertices.len() + normals as usize) + 8 * texture as usize;
    // A negative index becomes one that is out of range, which is rejected later.
    let face = |k: usize| [0, 1, 2].map(|c| word(first + 12 * k + 4 * c).unwrap_or(-1) as u32);
    let triangles = if faces == 0 {
        hull(&vertices)
    } else {
        (0..faces).map(face).collect()
    };
    Ok(Triangles {
        vertices,
        triangles,
    })
}
