//! COLLADA meshes: the triangles of the scene, in metres.
//!
//! `mesh-loader` keeps only one instance of a geometry, and panics on indices out of range, so this is a
//! reader of our own. Supported: `<triangles>`, `<polylist>`, `<polygons>`, `<tristrips>` and `<trifans>`.
//! Ignored: skins, materials, and the up-axis, as ROS tools do.

use crate::number::{comma, quoted};
use crate::text::decode;
use crate::tolerant::tolerant;
use crate::triangles::{Triangles, fan};
use crate::xml::{SourceText, parse};
use crate::{ModelError, Place};
use glam::{DMat4, DQuat, DVec3};
use roxmltree::{Document, Node};
use std::cell::Cell;
use std::collections::HashMap;
use std::path::Path;
use std::str::FromStr;

/// Most numbers that are read, counted for each instance of a geometry: a limit on the time and
/// memory that a small file can cause.
const MAX_NUMBERS: usize = 100_000_000;
/// Most nodes of the scene, counted for each instance.
const MAX_VISITS: usize = 100_000;
/// Deepest nesting of nodes through `<instance_node>`.
const MAX_DEPTH: usize = 256;

/// Reads COLLADA text.
pub(crate) fn read(bytes: &[u8], path: &Path) -> Result<Triangles, ModelError> {
    // Names in a mesh have no meaning outside it, so a doubtful encoding is not worth a warning.
    let text = decode(bytes, path)?.text;
    let text = tolerant(&text);
    let source = SourceText::new(&text, path);
    let document = parse(&text, &source)?;
    let scene = Scene::new(&document, &source);
    let root = document.root_element();
    if root.tag_name().name() != "COLLADA" {
        let found = format!("the root element <{}>", root.tag_name().name());
        return Err(ModelError::at(
            &scene.place(root),
            found,
            "expected <COLLADA>",
        ));
    }
    let unit = scene.unit(root)?;
    let mut all = Triangles::default();
    scene.walk(root, DMat4::from_scale(DVec3::splat(unit)), &mut all)?;
    Ok(all)
}

/// COLLADA document with an index of its elements by id.
struct Scene<'a, 'i> {
    source: &'a SourceText<'a>,
    by_id: HashMap<&'a str, Node<'a, 'i>>,
    /// Numbers read so far.
    read: Cell<usize>,
}

impl<'a, 'i> Scene<'a, 'i> {
    fn new(document: &'a Document<'i>, source: &'a SourceText<'a>) -> Self {
        let elements = document.descendants().filter(Node::is_element);
        let by_id = elements
            .filter_map(|node| Some((node.attribute("id")?, node)))
            .collect();
        Self {
            source,
            by_id,
            read: Cell::new(0),
        }
    }

    fn place(&self, node: Node) -> Place {
        self.source.place(node.range().start)
    }

    /// Length of the file's unit (m).
    fn unit(&self, root: Node<'a, 'i>) -> Result<f64, ModelError> {
        let unit = child(root, "asset").and_then(|asset| child(asset, "unit"));
        let Some(unit) = unit.filter(|unit| unit.has_attribute("meter")) else {
            return Ok(1.0);
        };
        // Some exporters write a decimal comma.
        let text = unit
            .attribute("meter")
            .unwrap_or_default()
            .replace(',', ".");
        match text.trim().parse::<f64>() {
            Ok(metres) if metres > 0.0 && metres.is_finite() => Ok(metres),
            _ => Err(self.refuse(
                unit,
                format!("a unit of {text:?} metres"),
                "a length above 0",
            )),
        }
    }

    fn refuse(&self, node: Node, found: impl Into<String>, expected: &str) -> ModelError {
        ModelError::at(&self.place(node), found, format!("expected {expected}"))
    }

    /// Element that an attribute refers to by `#id`.
    fn target(&self, node: Node, attribute: &str) -> Result<Node<'a, 'i>, ModelError> {
        let url = node.attribute(attribute).unwrap_or_default();
        url.strip_prefix('#')
            .and_then(|id| self.by_id.get(id).copied())
            .ok_or_else(|| {
                let name = node.tag_name().name();
                let found = format!("<{name} {attribute}={url:?}>");
                self.refuse(node, found, "the id of an element of this file")
            })
    }

    /// Adds all geometries of the scene; without a scene, those of the library.
    fn walk(&self, root: Node<'a, 'i>, unit: DMat4, all: &mut Triangles) -> Result<(), ModelError> {
        let instance = child(root, "scene").and_then(|s| child(s, "instance_visual_scene"));
        let Some(instance) = instance else {
            for library in children(root, "library_geometries") {
                for geometry in children(library, "geometry") {
                    self.geometry(geometry, unit, all)?;
                }
            }
            return Ok(());
        };
        let mut open = vec![(self.target(instance, "url")?, unit, 0)];
        let mut visits = 0;
        while let Some((node, above, depth)) = open.pop() {
            visits += 1;
            if visits > MAX_VISITS || depth > MAX_DEPTH {
                let found = format!(
                    "more than {MAX_VISITS} nodes in the scene, or nested deeper than {MAX_DEPTH}"
                );
                return Err(self.refuse(node, found, "fewer, and no node inside itself"));
            }
            let here = above * self.transform(node)?;
            let mut below = Vec::new();
            for element in node.children().filter(Node::is_element) {
                match element.tag_name().name() {
                    "node" => below.push((element, here, depth + 1)),
                    "instance_node" => {
                        below.push((self.target(element, "url")?, here, depth + 1));
                    }
                    "instance_geometry" => {
                        self.geometry(self.target(element, "url")?, here, all)?;
                    }
                    _ => {}
                }
            }
            open.extend(below.into_iter().rev());
        }
        Ok(())
    }

    /// Product of a node's transforms, in file order.
    fn transform(&self, node: Node<'a, 'i>) -> Result<DMat4, ModelError> {
        let mut product = DMat4::IDENTITY;
        for element in node.children().filter(Node::is_element) {
            let kind = element.tag_name().name();
            if !["matrix", "translate", "rotate", "scale"].contains(&kind) {
                continue;
            }
            let numbers = self.numbers::<f64>(element)?;
            product *= match (kind, numbers.as_slice()) {
                ("matrix", n) if n.len() == 16 => {
                    let mut rows = [0.0; 16];
                    rows.copy_from_slice(n);
                    DMat4::from_cols_array(&rows).transpose()
                }
                ("translate", &[x, y, z]) => DMat4::from_translation(DVec3::new(x, y, z)),
                ("scale", &[x, y, z]) => DMat4::from_scale(DVec3::new(x, y, z)),
                ("rotate", &[x, y, z, degrees]) => {
                    let axis = DVec3::new(x, y, z).normalize_or_zero();
                    let turn = DQuat::from_scaled_axis(axis * degrees.to_radians());
                    DMat4::from_quat(turn)
                }
                _ => {
                    let found = format!("<{kind}> with {} numbers", numbers.len());
                    return Err(self.refuse(
                        element,
                        found,
                        "16 for matrix, 4 for rotate, 3 for translate and scale",
                    ));
                }
            };
        }
        Ok(product)
    }

    /// Numbers in the text of an element.
    fn numbers<T: FromStr>(&self, node: Node<'a, 'i>) -> Result<Vec<T>, ModelError> {
        let words = node.text().unwrap_or_default().split_ascii_whitespace();
        let numbers = words
            .map(|word| {
                word.parse().map_err(|_| {
                    let found = format!("{} in <{}>", quoted(word), node.tag_name().name());
                    let error = self.refuse(node, found, "numbers");
                    match comma(word) {
                        Some(hint) => error.hint(hint),
                        None => error,
                    }
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        self.read.set(self.read.get() + numbers.len());
        if self.read.get() > MAX_NUMBERS {
            let found = format!("more than {MAX_NUMBERS} numbers in all instances of the scene");
            return Err(self.refuse(node, found, "fewer"));
        }
        Ok(numbers)
    }

    /// Adds the triangles of a geometry.
    fn geometry(
        &self,
        geometry: Node<'a, 'i>,
        transform: DMat4,
        all: &mut Triangles,
    ) -> Result<(), ModelError> {
        for mesh in children(geometry, "mesh") {
            for element in mesh.children().filter(Node::is_element) {
                if let Some(kind) = Primitive::of(element.tag_name().name()) {
                    self.primitive(element, kind, transform, all)?;
                }
            }
        }
        Ok(())
    }

    fn primitive(
        &self,
        element: Node<'a, 'i>,
        kind: Primitive,
        transform: DMat4,
        all: &mut Triangles,
    ) -> Result<(), ModelError> {
        let inputs: Vec<_> = children(element, "input").collect();
        let offset = |input: &Node| -> usize {
            let text = input.attribute("offset").unwrap_or("0");
            text.trim().parse().unwrap_or(0)
        };
        let vertex = inputs
            .iter()
            .find(|i| i.attribute("semantic") == Some("VERTEX"));
        let Some(vertex) = vertex else {
            return Err(self.refuse(element, "triangles without vertices", "an <input> VERTEX"));
        };
        // Each corner has one index per offset.
        let stride = inputs
            .iter()
            .map(offset)
            .max()
            .unwrap_or(0)
            .saturating_add(1);
        let positions = self.positions(*vertex)?;
        let first = all.vertices.len();
        all.vertices.extend(
            positions
                .iter()
                .map(|&p| transform.transform_point3(p).as_vec3().to_array()),
        );
        let counts = match kind {
            Primitive::Polylist => child(element, "vcount")
                .map(|vcount| self.numbers::<usize>(vcount))
                .transpose()?
                .unwrap_or_default(),
            _ => Vec::new(),
        };
        for p in children(element, "p") {
            let indices = self.numbers::<u32>(p)?;
            if indices.len() % stride != 0 {
                let found = format!("{} indices", indices.len());
                return Err(self.refuse(
                    p,
                    found,
                    "a whole number of corners: the file is truncated",
                ));
            }
            let corners: Vec<_> = indices
                .iter()
                .skip(offset(vertex))
                .step_by(stride)
                .copied()
                .collect();
            if let Some(bad) = corners.iter().find(|&&c| c as usize >= positions.len()) {
                let found = format!("vertex {bad} of {}", positions.len());
                return Err(self.refuse(p, found, "indices of vertices in this file"));
            }
            let triangles = kind.triangles(&corners, &counts).ok_or_else(|| {
                let found = format!("{} corners", corners.len());
                self.refuse(
                    p,
                    found,
                    "as many as its polygons need: the file is truncated",
                )
            })?;
            // `MAX_NUMBERS` is far below the range of `u32`.
            let first = first as u32;
            all.triangles.extend(
                triangles
                    .into_iter()
                    .map(|t| t.map(|corner| corner + first)),
            );
        }
        Ok(())
    }

    /// Positions that an `<input>` of vertices refers to.
    fn positions(&self, vertex: Node<'a, 'i>) -> Result<Vec<DVec3>, ModelError> {
        let vertices = self.target(vertex, "source")?;
        let input =
            children(vertices, "input").find(|i| i.attribute("semantic") == Some("POSITION"));
        let Some(input) = input else {
            return Err(self.refuse(
                vertices,
                "vertices without positions",
                "an <input> POSITION",
            ));
        };
        let source = self.target(input, "source")?;
        let Some(array) = child(source, "float_array") else {
            return Err(self.refuse(source, "a source without numbers", "a <float_array>"));
        };
        let accessor = child(source, "technique_common").and_then(|t| child(t, "accessor"));
        let count = |name: &str| accessor?.attribute(name)?.trim().parse::<usize>().ok();
        let stride = count("stride").unwrap_or(3).max(3);
        let numbers = self.numbers::<f64>(array)?;
        let declared = array
            .attribute("count")
            .and_then(|c| c.trim().parse::<usize>().ok());
        if let Some(declared) = declared.filter(|&p| p > numbers.len()) {
            let found = format!("{} of {declared} numbers", numbers.len());
            return Err(self.refuse(array, found, "all of them: the file is truncated"));
        }
        let numbers = numbers.get(count("offset").unwrap_or(0)..).unwrap_or(&[]);
        Ok(numbers
            .chunks(stride)
            .filter(|chunk| chunk.len() >= 3)
            .map(DVec3::from_slice)
            .collect())
    }
}

/// Kind of primitive: how corners become triangles.
#[derive(Clone, Copy)]
enum Primitive {
    Triangles,
    Strip,
    /// Fan, or a convex polygon.
    Fan,
    /// Sequence of polygons, with their numbers of corners.
    Polylist,
}

impl Primitive {
    fn of(name: &str) -> Option<Self> {
        match name {
            "triangles" => Some(Self::Triangles),
            "tristrips" => Some(Self::Strip),
            "trifans" | "polygons" => Some(Self::Fan),
            "polylist" => Some(Self::Polylist),
            _ => None,
        }
    }

    /// Triangles of these corners; `None` if there are too few corners.
    fn triangles(self, corners: &[u32], counts: &[usize]) -> Option<Vec<[u32; 3]>> {
        match self {
            Self::Triangles => {
                let (triangles, rest) = corners.as_chunks::<3>();
                rest.is_empty().then(|| triangles.to_vec())
            }
            Self::Fan => Some(fan(corners)),
            Self::Strip => {
                let turned = |(i, w): (usize, &[u32])| match (i % 2, w) {
                    (0, &[a, b, c]) | (_, &[b, a, c]) => [a, b, c],
                    _ => [0; 3],
                };
                Some(corners.windows(3).enumerate().map(turned).collect())
            }
            Self::Polylist => {
                let mut rest = corners;
                let mut all = Vec::new();
                for &count in counts {
                    let (polygon, after) = rest.split_at_checked(count)?;
                    all.extend(fan(polygon));
                    rest = after;
                }
                Some(all)
            }
        }
    }
}

fn children<'a, 'i>(node: Node<'a, 'i>, name: &str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children()
        .filter(move |c| c.is_element() && c.tag_name().name() == name)
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    children(node, name).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// COLLADA file with one geometry `g` of four vertices.
    fn file(primitive: &str, scene: &str) -> String {
        format!(
            r##"<?xml version="1.0"?>
<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
<asset><unit meter="0,5"/><up_axis>Y_UP</up_axis></asset>
<library_geometries><geometry id="g"><mesh>
<source id="p"><float_array id="a" count="12">0 0 0 2 0 0 2 2 0 0 2 0</float_array>
<technique_common><accessor source="#a" count="4" stride="3"/></technique_common></source>
<vertices id="v"><input semantic="POSITION" source="#p"/></vertices>
{primitive}
</mesh></geometry></library_geometries>
{scene}
</COLLADA>"##
        )
    }

    const TRIANGLES: &str = r##"<triangles count="1">
<input semantic="VERTEX" source="#v" offset="1"/><input semantic="NORMAL" source="#n" offset="0"/>
<p>9 0 9 1 9 2</p></triangles>"##;

    fn read(text: &str) -> Result<Triangles, String> {
        super::read(text.as_bytes(), Path::new("a.dae")).map_err(|e| e.to_string())
    }

    #[test]
    fn every_instance_is_placed_and_the_unit_applied() {
        let scene = r##"<library_visual_scenes><visual_scene id="s">
<node><translate>0 0 4</translate><rotate>0 0 1 90</rotate><instance_geometry url="#g"/>
<node><scale>2 2 2</scale><instance_geometry url="#g"/></node></node>
<node><matrix>1 0 0 6 0 1 0 0 0 0 1 0 0 0 0 1</matrix><instance_node url="#n"/></node>
</visual_scene></library_visual_scenes>
<library_nodes><node id="n"><instance_geometry url="#g"/></node></library_nodes>
<scene><instance_visual_scene url="#s"/></scene>"##;
        let mesh = read(&file(TRIANGLES, scene)).unwrap();
        assert_eq!(mesh.triangles, [[0, 1, 2], [4, 5, 6], [8, 9, 10]]);
        // The vertex (2, 0, 0) of each instance, by hand.
        for (index, by_hand) in [
            (1, [0.0, 1.0, 2.0]),
            (5, [0.0, 2.0, 2.0]),
            (9, [4.0, 0.0, 0.0]),
        ] {
            for (a, b) in mesh.vertices[index].iter().zip(by_hand) {
                assert!((a - b).abs() < 1e-6, "{index}: {:?}", mesh.vertices[index]);
            }
        }
    }

    #[test]
    fn all_primitives_become_triangles() {
        let input = r##"<input semantic="VERTEX" source="#v" offset="0"/>"##;
        for (primitive, triangles) in [
            (
                "<polylist>I<vcount>4 3</vcount><p>0 1 2 3 0 2 1</p></polylist>",
                3,
            ),
            ("<polygons>I<p>0 1 2 3</p><p>0 1 2</p></polygons>", 3),
            ("<trifans>I<p>0 1 2 3</p></trifans>", 2),
            ("<tristrips>I<p>0 1 3 2</p></tristrips>", 2),
        ] {
            let mesh = read(&file(&primitive.replace('I', input), "")).unwrap();
            assert_eq!(mesh.triangles.len(), triangles, "{primitive}");
            // All faces look up, as the vertices go round against the clock.
            for &[a, b, c] in &mesh.triangles[..2] {
                let p = |i: u32| DVec3::from(mesh.vertices[i as usize].map(f64::from));
                let up = (p(b) - p(a)).cross(p(c) - p(a)).z;
                assert!(up > 0.0, "{primitive}");
            }
        }
    }

    #[test]
    fn invalid_files_are_rejected_at_their_place() {
        let good = file(TRIANGLES, "");
        assert!(read(&good).is_ok());
        for (from, to, words) in [
            ("9 0 9 1 9 2", "9 0 9 1 9 4", ":10:1: vertex 4 of 4"),
            ("9 0 9 1 9 2", "9 0 9 1 9", ":10:1: 5 indices"),
            ("9 0 9 1 9 2", "9 0 9 1", ":10:1: 2 corners"),
            ("9 0 9 1 9 2", "9 0 9 1 9 x", ":10:1: \"x\" in <p>"),
            ("9 0 9 1 9 2", "9 0 9 1 9 -1", ":10:1: \"-1\" in <p>"),
            ("0 2 0</float", "0</float", ":5:16: 10 of 12 numbers"),
            (
                "0 2 0</float",
                "0 2,5 0</float",
                "write 2.5 if the comma is a decimal comma",
            ),
            (
                "source=\"#v\"",
                "source=\"#w\"",
                ":9:1: <input source=\"#w\">",
            ),
            ("0,5", "0", ":3:8: a unit of"),
            ("VERTEX", "VERTICES", ":8:1: triangles without vertices"),
            ("<COLLADA", "<KOLLADA", ""),
        ] {
            let error = read(&good.replace(from, to)).unwrap_err();
            assert!(error.starts_with("a.dae:"), "{error}");
            assert!(error.contains(words), "{error}");
        }
        assert!(
            read(&good[..good.len() / 2])
                .unwrap_err()
                .contains("truncated")
        );
    }

    #[test]
    fn recursive_nodes_are_rejected() {
        let scene = r##"<library_visual_scenes><visual_scene id="s"><node id="n">
<instance_node url="#n"/><instance_node url="#n"/></node></visual_scene>
</library_visual_scenes><scene><instance_visual_scene url="#s"/></scene>"##;
        let error = read(&file(TRIANGLES, scene)).unwrap_err();
        assert!(
            error.contains("more than 100000 nodes in the scene"),
            "{error}"
        );
    }
}
