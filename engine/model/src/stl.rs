//! STL meshes, text and binary.

use crate::number::{comma, quoted};
use crate::triangles::Triangles;
use crate::{ModelError, Place};
use std::path::Path;

/// Free text at the begin of a binary file (bytes).
const HEADER: usize = 80;
/// Offset of the first triangle (bytes).
const START: usize = HEADER + 4;
/// Size of a triangle (bytes).
const TRIANGLE: u64 = 50;

/// Reads STL. The size distinguishes binary from text, as many binary files begin with `solid` too.
pub(crate) fn read(mut bytes: Vec<u8>, path: &Path) -> Result<Triangles, ModelError> {
    let declared = declared_triangles(&bytes);
    let needed = declared.map(|n| START as u64 + TRIANGLE * n);
    let length = bytes.len() as u64;
    if needed != Some(length) && is_text(&bytes) {
        return text(bytes, path);
    }
    let (Some(declared), Some(needed)) = (declared, needed) else {
        let found = format!("an STL file of {length} bytes");
        let expected = "expected `solid ...` or at least 84 bytes of binary STL";
        return Err(ModelError::of_file(path, found, expected));
    };
    if length < needed {
        let present = (length - START as u64) / TRIANGLE;
        return Err(ModelError::of_file(
            path,
            format!("a truncated mesh: {present} of {declared} triangles"),
            format!("expected {needed} bytes of binary STL, not {length}"),
        ));
    }
    // Some exporters append text.
    bytes.truncate(needed as usize);
    // `mesh-loader` would take some binary headers for text.
    bytes[..HEADER].fill(0);
    mesh_loader::stl::from_slice(&bytes)
        .map(merge_scene)
        .map_err(|e| invalid_mesh(path, "STL", &e))
}

/// Number of triangles that a binary file declares.
fn declared_triangles(bytes: &[u8]) -> Option<u64> {
    let count = bytes.get(HEADER..START)?.try_into().ok()?;
    Some(u64::from(u32::from_le_bytes(count)))
}

/// Whether the file is text that begins with `solid`; binary files contain zero bytes.
fn is_text(bytes: &[u8]) -> bool {
    let begin = bytes.trim_ascii_start().get(..5);
    begin.is_some_and(|b| b.eq_ignore_ascii_case(b"solid")) && !bytes.contains(&0)
}

fn text(mut bytes: Vec<u8>, path: &Path) -> Result<Triangles, ModelError> {
    reject_commas(&bytes, path)?;
    // `mesh-loader` supports neither upper case nor non-ASCII names.
    for byte in &mut bytes {
        *byte = if byte.is_ascii() {
            byte.to_ascii_lowercase()
        } else {
            b'_'
        };
    }
    if !bytes.windows(8).any(|word| word == b"endsolid") {
        return Err(ModelError::of_file(
            path,
            "a truncated mesh: text STL without `endsolid`",
            "expected a complete STL file",
        ));
    }
    mesh_loader::stl::from_slice(&bytes)
        .map(merge_scene)
        .map_err(|e| invalid_mesh(path, "STL", &e))
}

/// Rejects decimal commas, which some exporters write.
fn reject_commas(bytes: &[u8], path: &Path) -> Result<(), ModelError> {
    for (line, number) in bytes.split(|&b| b == b'\n').zip(1..) {
        let words = str::from_utf8(line)
            .unwrap_or_default()
            .split_ascii_whitespace();
        let is_vertex = words
            .clone()
            .next()
            .is_some_and(|w| w.eq_ignore_ascii_case("vertex"));
        if let Some((word, hint)) = words
            .filter(|_| is_vertex)
            .find_map(|w| Some((w, comma(w)?)))
        {
            let place = Place {
                file: path.display().to_string().into(),
                line: number,
                column: 1,
            };
            let found = format!("{} in a vertex", quoted(word));
            return Err(ModelError::at(&place, found, "expected a number").hint(hint));
        }
    }
    Ok(())
}

/// Merges all meshes of a file. (`mesh_loader::Mesh::merge` assumes that the last triangle uses the
/// last vertex.)
fn merge_scene(scene: mesh_loader::Scene) -> Triangles {
    let mut all = Triangles::default();
    for mesh in scene.meshes {
        let first = u32::try_from(all.vertices.len()).unwrap_or(u32::MAX);
        all.vertices.extend(mesh.vertices);
        let moved = |triangle: [u32; 3]| triangle.map(|i| i.saturating_add(first));
        all.triangles.extend(mesh.faces.into_iter().map(moved));
    }
    all
}

/// Converts an error of `mesh-loader`.
fn invalid_mesh(path: &Path, kind: &str, error: &std::io::Error) -> ModelError {
    ModelError::of_file(
        path,
        format!("an invalid mesh ({error})"),
        format!("expected a complete {kind} file"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Triangles, String> {
        super::read(bytes.to_vec(), Path::new("a.stl")).map_err(|e| e.to_string())
    }

    /// Binary STL of `n` triangles.
    fn binary(header: &str, n: u32) -> Vec<u8> {
        let mut bytes = header.as_bytes().to_vec();
        bytes.resize(HEADER, b' ');
        bytes.extend(n.to_le_bytes());
        for i in 0..n {
            for number in [
                0.0, 0.0, 1.0, i as f32, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0_f32,
            ] {
                bytes.extend(number.to_le_bytes());
            }
            bytes.extend([0, 0]);
        }
        bytes
    }

    const TEXT: &str = "solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\n\
        vertex 0 1e0 0\nendloop\nendfacet\nendsolid a\n";

    #[test]
    fn binary_that_begins_with_solid_is_binary() {
        for header in ["", "solid", "solid a\nfacet normal 0 0 1\n", "solid a\n"] {
            let mesh = read(&binary(header, 2)).unwrap();
            assert_eq!(mesh.triangles.len(), 2, "{header}");
            assert_eq!(mesh.vertices[3], [1.0, 0.0, 0.0]);
        }
    }

    #[test]
    fn text_is_read() {
        for text in [
            TEXT.to_owned(),
            TEXT.to_uppercase(),
            TEXT.replace('\n', "\r\n"),
            TEXT.replace("solid a", "solid ä"),
        ] {
            let mesh = read(text.as_bytes()).unwrap();
            assert_eq!(
                mesh.vertices,
                [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
            );
        }
        let twice = format!("{TEXT}{TEXT}");
        assert_eq!(
            read(twice.as_bytes()).unwrap().triangles,
            [[0, 1, 2], [3, 4, 5]]
        );
    }

    #[test]
    fn bytes_after_the_triangles_are_ignored() {
        let mut bytes = binary("", 2);
        bytes.extend(b"made by hand");
        assert_eq!(read(&bytes).unwrap().triangles.len(), 2);
    }

    #[test]
    fn truncated_files_are_rejected() {
        let bytes = binary("solid", 3);
        // Also if whole triangles are missing.
        for length in [0, 5, 83, 84, 100, 134, 184, 233] {
            let error = read(&bytes[..length]).unwrap_err();
            assert!(error.starts_with("a.stl: "), "{error}");
        }
        assert!(
            read(&bytes[..134])
                .unwrap_err()
                .contains("1 of 3 triangles")
        );
        for length in 0..TEXT.len() - 12 {
            assert!(read(&TEXT.as_bytes()[..length]).is_err(), "{length}");
        }
        let error = read(&TEXT.as_bytes()[..60]).unwrap_err();
        assert!(error.contains("truncated"), "{error}");
    }

    proptest! {
        #[test]
        fn no_bytes_cause_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
            let _ = read(&[b"solid a\n", bytes.as_slice()].concat());
        }

        #[test]
        fn no_text_causes_a_panic(at in 0..TEXT.len(), with in "[ -~\n]{0,4}", n in 0_usize..9) {
            let end = (at + n).min(TEXT.len());
            let text = [&TEXT[..at], &with, &TEXT[end..]].concat();
            let _ = read(text.as_bytes());
        }
    }

    #[test]
    fn decimal_commas_are_named() {
        let text = "solid a\nfacet normal 0 0 1\nouter loop\n vertex 0,5 0 0\n vertex 1 0 0\n vertex 0 1 0\nendloop\nendfacet\nendsolid a\n";
        let error = read(text.as_bytes()).unwrap_err();
        assert!(
            error.starts_with("a.stl:4:1: \"0,5\" in a vertex"),
            "{error}"
        );
        assert!(
            error.contains("write 0.5 if the comma is a decimal comma"),
            "{error}"
        );
        assert!(read(text.replace("0,5", "0.5").as_bytes()).is_ok());
    }
}
