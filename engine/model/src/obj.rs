//! Wavefront OBJ meshes: vertices and faces.
//!
//! `mesh-loader` rejects files in which only some faces have texture coordinates or normals, which are
//! common, so this is a reader of our own. Everything but vertices and faces is ignored, and so are
//! faces of two corners, which have no area.

use crate::number::{comma, quoted};
use crate::triangles::{Triangles, fan};
use crate::{ModelError, Place};
use std::borrow::Cow;
use std::path::Path;

/// Reads OBJ text; polygons are assumed to be convex.
pub(crate) fn read(bytes: &[u8], path: &Path) -> Result<Triangles, ModelError> {
    // Names and comments may have any encoding.
    let text = String::from_utf8_lossy(bytes);
    let file = path.display().to_string().into();
    let mut all = Triangles::default();
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let line = joined(line, &mut lines);
        let line = line.as_ref();
        let mut words = line.split_ascii_whitespace();
        let place = || Place {
            file: std::sync::Arc::clone(&file),
            line: number,
            column: 1,
        };
        let refuse = |expected: &str| ModelError::at(&place(), quoted(line.trim()), expected);
        match words.next() {
            Some("v") => {
                let vertex = vertex(words).ok_or_else(|| {
                    let error = refuse("expected v x y z");
                    match line.split_ascii_whitespace().find_map(comma) {
                        Some(hint) => error.hint(hint),
                        None => error,
                    }
                })?;
                all.vertices.push(vertex);
            }
            Some("f") => {
                let corners = words
                    .map(|word| corner(word, all.vertices.len()))
                    .collect::<Option<Vec<_>>>()
                    .ok_or_else(|| {
                        let known = all.vertices.len();
                        refuse(&format!(
                            "expected f and indices of the {known} vertices before it"
                        ))
                    })?;
                all.triangles.extend(fan(&corners));
            }
            _ => {}
        }
    }
    Ok(all)
}

/// A vertex or face with the lines that continue it, each after a backslash.
fn joined<'a>(line: &'a str, rest: &mut impl Iterator<Item = (&'a str, u32)>) -> Cow<'a, str> {
    let is_read = line.trim_start().starts_with(['v', 'f']);
    let Some(first) = line.strip_suffix('\\').filter(|_| is_read) else {
        return Cow::Borrowed(line);
    };
    let mut whole = first.to_owned();
    for (next, _) in rest {
        whole.push(' ');
        match next.strip_suffix('\\') {
            Some(part) => whole.push_str(part),
            None => {
                whole.push_str(next);
                break;
            }
        }
    }
    Cow::Owned(whole)
}

/// Position of a vertex; weights and colours after it are ignored.
fn vertex<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<[f32; 3]> {
    let mut number = || words.next()?.parse().ok();
    Some([number()?, number()?, number()?])
}

/// Vertex index of a corner `vertex/texture/normal`: counted from 1, or backwards from -1.
fn corner(word: &str, known: usize) -> Option<u32> {
    let written: i64 = word.split('/').next()?.parse().ok()?;
    let known = i64::try_from(known).ok()?;
    let index = if written < 0 {
        known + written
    } else {
        written - 1
    };
    u32::try_from(index).ok().filter(|_| index < known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Triangles, String> {
        super::read(text.as_bytes(), Path::new("a.obj")).map_err(|e| e.to_string())
    }

    const SQUARE: &str = "v 0 0 0 1 1 1\nv 1 0 0\nv 1 1 0\nv 0 1 0\n";

    #[test]
    fn polygons_become_fans_and_indices_may_be_negative() {
        for face in ["f 1 2 3 4", "f -4 -3 -2 -1", "f 1/7 2//5 3/1/2 4"] {
            let mesh = read(&format!("# a\n{SQUARE}vt 0 0\ng x\n{face}\r\n")).unwrap();
            assert_eq!(mesh.vertices.len(), 4);
            assert_eq!(mesh.triangles, [[0, 1, 2], [0, 2, 3]], "{face}");
        }
    }

    #[test]
    fn lines_continue_after_a_backslash() {
        let text = "# not \\\nv 0 0 0\nv 1 \\\n 0 \\\r\n0\nv 1 1 0\nv 0 1 0\nf 1 2\\\n 3 4";
        let mesh = read(text).unwrap();
        assert_eq!(mesh.vertices[1], [1.0, 0.0, 0.0]);
        assert_eq!(mesh.triangles, [[0, 1, 2], [0, 2, 3]]);
        let error = read("v 0 0 \\").unwrap_err();
        assert!(error.starts_with("a.obj:1:1: "), "{error}");
    }

    #[test]
    fn faces_with_and_without_texture_mix() {
        let mesh = read(&format!("{SQUARE}vt 0 0\nf 1/1 2/1 3/1\nf 1 3 4\n")).unwrap();
        assert_eq!(mesh.triangles.len(), 2);
    }

    #[test]
    fn faces_without_area_are_ignored() {
        let mesh = read(&format!("{SQUARE}f 1 2\nf 1 2 3\nf\n")).unwrap();
        assert_eq!(mesh.triangles.len(), 1);
    }

    #[test]
    fn invalid_lines_are_rejected_at_their_place() {
        for (line, words) in [
            ("f 1 2 5", "4 vertices before it"),
            ("f 1 2 0", "vertices before it"),
            ("f -5 1 2", "vertices before it"),
            ("f 9223372036854775807 1 2", "vertices before it"),
            ("f -9223372036854775808 1 2", "vertices before it"),
            ("f a 1 2", "vertices before it"),
            ("v 1 2", "expected v x y z"),
            ("v 1 2 z", "expected v x y z"),
            ("v 0,5 1 2", "write 0.5 if the comma is a decimal comma"),
        ] {
            let error = read(&format!("{SQUARE}{line}\n")).unwrap_err();
            assert!(error.starts_with("a.obj:5:1: "), "{error}");
            assert!(error.contains(words), "{error}");
        }
    }
}
