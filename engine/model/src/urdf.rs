//! URDF reader: elements to a draft of the robot.
//!
//! Tolerates common deviations whose meaning is clear, with a warning if they change the robot.
//! Elements of other programs (`<gazebo>`, `<transmission>`, ...) are ignored silently, unknown ones with a warning.

mod compiler;
mod names;

use crate::draft::{Draft, DraftJoint, DraftLink, DraftMimic, Warnings};
use crate::mass::Mass;
use crate::mesh_cache::MeshCache;
use crate::number::{quoted, shown};
use crate::uri::MeshFolder;
use crate::value::AttributeReader;
use crate::xml::{SourceText, elements, xacro};
use crate::{Files, ModelError};
use becomingone_components::body::{Geometry, JointKind, JointLimits, Pose, Shape, Surroundings};
use becomingone_components::contact_mask::ContactMask;
use compiler::Compiler;
use glam::{DMat3, DVec3, Vec3};
use names::SHAPES;
use roxmltree::Node;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Default colour.
const GREY: [f32; 4] = [0.7, 0.7, 0.7, 1.0];
/// Joint types.
const KINDS: [&str; 7] = [
    "revolute",
    "continuous",
    "prismatic",
    "fixed",
    "floating",
    "planar",
    // PyBullet's extension.
    "spherical",
];
/// Known versions of URDF.
const VERSIONS: [&str; 3] = ["1.0", "1.1", "1.2"];
/// Half extents of the box that replaces an infinite plane (m).
const PLANE_HALF_M: Vec3 = Vec3::new(25.0, 25.0, 0.05);

/// Reads the root element `<robot>`.
pub(crate) fn read(
    root: Node,
    source: &SourceText,
    file: &Path,
    files: &dyn Files,
) -> Result<Draft, ModelError> {
    reject_xacro(root, source)?;
    let front = UrdfReader {
        reader: AttributeReader {
            source,
            warnings: Warnings::default(),
        },
        materials: HashMap::new(),
        mesh_cache: MeshCache::new(file, files),
        version: Version::One,
        quaternion_warned: false,
        files,
        lost: Vec::new(),
    };
    front.robot(root, file)
}

/// Rejects xacro, which has to be expanded first.
fn reject_xacro(root: Node, source: &SourceText) -> Result<(), ModelError> {
    let of_xacro = |n: &Node| {
        n.tag_name()
            .namespace()
            .is_some_and(|ns| ns.contains("xacro"))
    };
    match root.descendants().find(of_xacro) {
        Some(node) => {
            let found = format!("<xacro:{}>", node.tag_name().name());
            Err(xacro(&source.place(node.range().start), &found))
        }
        None => Ok(()),
    }
}

/// Whether the root link is the world: it has that name, as in Gazebo and `MuJoCo`, or is empty, with
/// what is fixed to it, and all others float from it or move in its plane.
fn has_world_root(links: &[DraftLink], joints: &[DraftJoint]) -> bool {
    let children: HashSet<&str> = joints.iter().map(|j| &*j.child.name).collect();
    let Some(root) = links.iter().find(|l| !children.contains(&*l.name)) else {
        return false;
    };
    let links: HashMap<&str, &DraftLink> = links.iter().map(|l| (&*l.name, l)).collect();
    let mut below = HashMap::<&str, Vec<&DraftJoint>>::new();
    for joint in joints {
        below.entry(&joint.parent.name).or_default().push(joint);
    }
    let is_empty =
        |l: &DraftLink| l.mass.is_none() && l.colliders.is_empty() && l.visuals.is_empty();
    let (mut is_world, mut moves) = (true, false);
    let mut open = vec![&*root.name];
    while let Some(name) = open.pop() {
        is_world &= links.get(name).is_some_and(|l| is_empty(l));
        // Each is looked at once, even where the joints form a loop.
        for joint in below.remove(name).unwrap_or_default() {
            match joint.kind {
                None => open.push(&joint.child.name),
                Some(JointKind::Floating | JointKind::Planar) => moves = true,
                Some(_) => is_world = false,
            }
        }
    }
    (is_world && moves) || (root.name == "world" && joints.iter().any(|j| j.parent.name == "world"))
}

/// Use of a shape: contacts, or display only.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Collision,
    Visual,
}

impl Role {
    fn tag(self) -> &'static str {
        match self {
            Self::Collision => "collision",
            Self::Visual => "visual",
        }
    }
}

/// State of the reader.
struct UrdfReader<'a> {
    reader: AttributeReader<'a>,
    /// Colours by material name.
    materials: HashMap<String, [f32; 4]>,
    mesh_cache: MeshCache<'a>,
    version: Version,
    quaternion_warned: bool,
    files: &'a dyn Files,
    /// Colliders of the current link whose meshes were not found.
    lost: Vec<String>,
}

/// Version of URDF, as far as it matters here: quaternions came with 1.1, capsules with 1.2.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Later,
}

impl UrdfReader<'_> {
    fn robot(mut self, root: Node, file: &Path) -> Result<Draft, ModelError> {
        self.read_version(root)?;
        names::check(root, self.reader.source, &mut self.reader.warnings)?;
        let compiler = Compiler::of(root, self.reader.source, &mut self.reader.warnings)?;
        self.mesh_cache.folder = compiler.as_ref().map(|c| MeshFolder {
            folder: c.mesh_folder().to_owned(),
            strip_path: c.strip_path,
        });
        self.read_materials(root)?;
        let mut links = Vec::new();
        let mut joints = Vec::new();
        for node in elements(root) {
            match node.tag_name().name() {
                "link" => links.push(self.link(node)?),
                "joint" => joints.push(self.joint(node)?),
                _ => {}
            }
        }
        let name = match self.reader.text(root, "name")? {
            Some((name, _)) => name.into_owned(),
            None => file
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
        };
        if let Some(compiler) = compiler {
            compiler.apply(&mut links);
        }
        let fixed_base = has_world_root(&links, &joints);
        Ok(Draft {
            name,
            file: file.display().to_string(),
            place: self.reader.place(root),
            links,
            joints,
            fixed_base,
            surroundings: Surroundings::default(),
            excluded: Vec::new(),
            lost_surroundings: Vec::new(),
            allows_missing: self.files.allows_missing(),
            written: None,
            missing_meshes: self.mesh_cache.missing,
            warnings: self.reader.warnings,
        })
    }

    /// Reads the colours of all named materials; those of the robot take precedence over those in links.
    fn read_materials(&mut self, root: Node) -> Result<(), ModelError> {
        let inside = elements(root)
            .filter(|n| n.tag_name().name() == "link")
            .flat_map(|link| children(link, "visual"));
        let owners = std::iter::once(root).chain(inside);
        for material in owners.flat_map(|owner| children(owner, "material")) {
            let Some((name, _)) = self.reader.text(material, "name")? else {
                continue;
            };
            let name = name.into_owned();
            if let Some(rgba) = self.colour(material)? {
                self.materials.entry(name).or_insert(rgba);
            }
        }
        Ok(())
    }

    /// Colour given in the material itself.
    fn colour(&mut self, material: Node) -> Result<Option<[f32; 4]>, ModelError> {
        match child(material, "color") {
            Some(color) => self.reader.rgba(color, "rgba"),
            None => Ok(None),
        }
    }

    fn link(&mut self, node: Node) -> Result<DraftLink, ModelError> {
        Ok(DraftLink {
            name: self.reader.name(node, "name")?.name,
            place: self.reader.place(node),
            hidden: false,
            mass: self.mass(node)?,
            colliders: self.geometries(node, Role::Collision)?,
            visuals: self.geometries(node, Role::Visual)?,
            lost: std::mem::take(&mut self.lost),
        })
    }

    /// Mass given in the file, in the link's frame.
    fn mass(&mut self, link: Node) -> Result<Option<Mass>, ModelError> {
        let Some(inertial) = child(link, "inertial") else {
            return Ok(None);
        };
        let pose = self.origin(inertial)?;
        let Some(mass) = child(inertial, "mass") else {
            return Ok(None);
        };
        let kg = self.reader.required_number(mass, "value")?;
        if kg < 0.0 {
            return Err(ModelError::at(
                &self.reader.attribute_place(mass, "value"),
                format!("a mass of {} kg", shown(kg)),
                "expected zero or more",
            ));
        }
        let mut inertia = DMat3::ZERO;
        if let Some(node) = child(inertial, "inertia") {
            let mut moment = |name| Ok(self.reader.number(node, name)?.unwrap_or_default());
            let (xx, yy, zz) = (moment("ixx")?, moment("iyy")?, moment("izz")?);
            let (xy, xz, yz) = (moment("ixy")?, moment("ixz")?, moment("iyz")?);
            inertia = DMat3::from_cols(
                DVec3::new(xx, xy, xz),
                DVec3::new(xy, yy, yz),
                DVec3::new(xz, yz, zz),
            );
        }
        let com = DVec3::ZERO;
        Ok(Some(Mass { kg, com, inertia }.moved(pose)))
    }

    /// `<origin>` of an element; the identity if missing.
    fn origin(&mut self, node: Node) -> Result<Pose, ModelError> {
        let Some(origin) = child(node, "origin") else {
            return Ok(Pose::IDENTITY);
        };
        let xyz = self.reader.vector(origin, "xyz")?.unwrap_or_default();
        let rpy = self.reader.vector(origin, "rpy")?;
        let Some(q) = self.reader.quaternion(origin, "quat_xyzw")? else {
            let rpy = rpy.unwrap_or_default();
            return Ok(Pose::from_xyz_rpy(xyz.as_vec3(), rpy.as_vec3()));
        };
        let place = self.reader.attribute_place(origin, "quat_xyzw");
        if rpy.is_some() {
            let found = "an <origin> with both rpy and quat_xyzw";
            return Err(ModelError::at(&place, found, "expected one of them"));
        }
        if self.version == Version::One && !self.quaternion_warned {
            self.quaternion_warned = true;
            let text =
                "quat_xyzw is read, but other readers ignore it below version=\"1.1\" of <robot>";
            self.reader.warnings.push(&place, text);
        }
        Ok(Pose::new(xyz.as_vec3(), q.as_quat().normalize()))
    }

    /// Version of URDF that the file declares; 1.0 without one.
    fn read_version(&mut self, root: Node) -> Result<(), ModelError> {
        let Some((text, place)) = self.reader.text(root, "version")? else {
            return Ok(());
        };
        self.version = match text.trim() {
            "1" | "1.0" => Version::One,
            "1.1" | "1.2" => Version::Later,
            other => {
                let text = format!(
                    "version = {} of URDF is unknown; the file is read as version {}",
                    quoted(other),
                    VERSIONS[VERSIONS.len() - 1]
                );
                let near = crate::did_you_mean(other, VERSIONS);
                self.reader.warnings.push(&place, text + &near);
                Version::Later
            }
        };
        Ok(())
    }

    fn geometries(&mut self, link: Node, role: Role) -> Result<Vec<Geometry>, ModelError> {
        let mut geometries = Vec::new();
        for node in children(link, role.tag()) {
            let Some(shape) = self.shape(node, role)? else {
                continue;
            };
            // The box that replaces a plane lies below it.
            let is_plane = child(node, "geometry").is_some_and(|g| child(g, "plane").is_some());
            let down = if is_plane { -PLANE_HALF_M.z } else { 0.0 };
            let down = Pose::new(Vec3::Z * down, glam::Quat::IDENTITY);
            geometries.push(Geometry {
                pose: self.origin(node)? * down,
                shape,
                rgba: self.rgba(node)?,
                contacts: ContactMask::default(),
            });
        }
        Ok(geometries)
    }

    /// Colour of a visual: its own, or that of the named material.
    fn rgba(&mut self, node: Node) -> Result<[f32; 4], ModelError> {
        let Some(material) = child(node, "material") else {
            return Ok(GREY);
        };
        if let Some(rgba) = self.colour(material)? {
            return Ok(rgba);
        }
        let name = self.reader.text(material, "name")?;
        let named = name.and_then(|(name, _)| self.materials.get(&*name));
        Ok(named.copied().unwrap_or(GREY))
    }

    /// Shape of a `<collision>` or `<visual>`; `None` with a warning if there is none.
    fn shape(&mut self, node: Node, role: Role) -> Result<Option<Shape>, ModelError> {
        let geometry = child(node, "geometry");
        let mut inside = geometry.into_iter().flat_map(elements);
        let known = |n: &Node| SHAPES.contains(&n.tag_name().name());
        let Some(shape) = inside.clone().find(known).or_else(|| inside.next()) else {
            let place = self.reader.place(node);
            let text = format!("<{}> without a shape is ignored", role.tag());
            self.reader.warnings.push(&place, text);
            return Ok(None);
        };
        if role == Role::Visual && self.has_zero_size(shape)? {
            let text = "a visual of size zero is ignored";
            self.reader.warnings.push(&self.reader.place(shape), text);
            return Ok(None);
        }
        match shape.tag_name().name() {
            "box" => self.cuboid(shape).map(Some),
            "cylinder" => Ok(Some(Shape::Cylinder {
                radius_m: self.reader.length(shape, "radius")?,
                length_m: self.reader.length(shape, "length")?,
            })),
            "capsule" => Ok(Some(Shape::Capsule {
                radius_m: self.reader.length(shape, "radius")?,
                length_m: self.reader.length(shape, "length")?,
            })),
            "sphere" => Ok(Some(Shape::Sphere {
                radius_m: self.reader.length(shape, "radius")?,
            })),
            "plane" => Ok(Some(Shape::Box {
                half_extents_m: PLANE_HALF_M,
            })),
            "mesh" => self.mesh(shape, role),
            other => self.unknown_shape(shape, other, role),
        }
    }

    /// Whether a size is exactly zero, by which some files hide a visual.
    fn has_zero_size(&mut self, shape: Node) -> Result<bool, ModelError> {
        for name in ["radius", "length"] {
            if self.reader.number(shape, name)? == Some(0.0) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn unknown_shape(
        &mut self,
        node: Node,
        name: &str,
        role: Role,
    ) -> Result<Option<Shape>, ModelError> {
        let place = self.reader.place(node);
        if role == Role::Visual {
            let text = format!("the unknown shape <{name}> is ignored");
            self.reader.warnings.push(&place, text);
            return Ok(None);
        }
        let expected = format!("expected one of {}", SHAPES.join(", "));
        Err(ModelError::at(&place, format!("the shape <{name}>"), expected).nearest(name, SHAPES))
    }

    fn cuboid(&mut self, node: Node) -> Result<Shape, ModelError> {
        self.reader.required(node, "size")?;
        let size = self.reader.vector(node, "size")?.unwrap_or_default();
        let half_extents_m = size.as_vec3() * 0.5;
        if half_extents_m.min_element() > 0.0 {
            return Ok(Shape::Box { half_extents_m });
        }
        Err(ModelError::at(
            &self.reader.attribute_place(node, "size"),
            format!(
                "a box of {} x {} x {} m",
                shown(size.x),
                shown(size.y),
                shown(size.z)
            ),
            "expected three lengths above zero",
        ))
    }

    /// Reads a mesh. An invalid one is an error in a collider, and ignored in a visual.
    fn mesh(&mut self, node: Node, role: Role) -> Result<Option<Shape>, ModelError> {
        let named = self.reader.name(node, "filename")?;
        let scale = self
            .reader
            .vector(node, "scale")?
            .unwrap_or(DVec3::ONE)
            .as_vec3();
        let mesh = self.mesh_cache.mesh(&named.name, scale);
        self.mesh_cache
            .report(&named.place, &mut self.reader.warnings);
        match mesh {
            Ok(mesh) => Ok(Some(Shape::Mesh(mesh))),
            // A missing file is a warning, and listed in the model.
            Err(cause) if role == Role::Visual || cause.missing => {
                let text = format!(
                    "{} ignored: {}; {}",
                    role.tag(),
                    cause.found,
                    cause.expected
                );
                self.reader.warnings.push(&named.place, text);
                if role == Role::Collision {
                    self.lost.push(cause.lost());
                }
                Ok(None)
            }
            Err(cause) => Err(ModelError::at(&named.place, cause.found, cause.expected)),
        }
    }

    fn joint(&mut self, node: Node) -> Result<DraftJoint, ModelError> {
        let name = self.reader.name(node, "name")?.name;
        let kind = self.kind(node)?;
        let parent = self.end(node, &name, "parent")?;
        let child_link = self.end(node, &name, "child")?;
        let (damping, friction) = self.dynamics(node)?;
        Ok(DraftJoint {
            place: self.reader.place(node),
            kind,
            parent,
            child: child_link,
            origin: self.origin(node)?,
            axis: self.axis(node, kind)?,
            limits: self.limits(node, kind, &name)?,
            damping,
            friction,
            armature: 0.0,
            stiffness: 0.0,
            spring_rest: 0.0,
            start: None,
            mimic: match kind {
                Some(_) => self.mimic(node)?,
                None => None,
            },
            name,
        })
    }

    /// Type of a joint; `None` for a fixed one.
    fn kind(&mut self, node: Node) -> Result<Option<JointKind>, ModelError> {
        let (kind, place) = self.reader.required(node, "type")?;
        match &*kind {
            "revolute" => Ok(Some(JointKind::Revolute)),
            "continuous" => Ok(Some(JointKind::Continuous)),
            "prismatic" => Ok(Some(JointKind::Prismatic)),
            "fixed" => Ok(None),
            "floating" => Ok(Some(JointKind::Floating)),
            "planar" => Ok(Some(JointKind::Planar)),
            "spherical" => Ok(Some(JointKind::Spherical)),
            other => Err(ModelError::at(
                &place,
                format!("the joint type {}", quoted(other)),
                format!("expected one of {}", KINDS.join(", ")),
            )
            .nearest(other, KINDS)),
        }
    }

    /// Link at one end of a joint.
    fn end(
        &mut self,
        node: Node,
        joint: &str,
        role: &str,
    ) -> Result<crate::draft::NameRef, ModelError> {
        match child(node, role) {
            Some(end) => self.reader.name(end, "link"),
            None => Err(ModelError::at(
                &self.reader.place(node),
                format!("joint {joint:?} without <{role}>"),
                format!("expected <{role} link=\"...\"/>"),
            )
            .nearest(role, elements(node).map(|n| n.tag_name().name()))),
        }
    }

    /// Unit axis; x if missing.
    fn axis(&mut self, node: Node, kind: Option<JointKind>) -> Result<Vec3, ModelError> {
        let axis = match child(node, "axis") {
            Some(axis) => self.reader.vector(axis, "xyz")?.map(|xyz| (axis, xyz)),
            None => None,
        };
        let Some((node, axis)) = axis else {
            return Ok(Vec3::X);
        };
        match (axis.try_normalize(), kind) {
            (Some(axis), _) => Ok(axis.as_vec3()),
            (None, None | Some(JointKind::Floating)) => Ok(Vec3::X),
            (None, _) => Err(ModelError::at(
                &self.reader.attribute_place(node, "xyz"),
                "an axis of length zero",
                "expected a direction",
            )
            .hint("for example xyz=\"0 0 1\"")),
        }
    }

    fn limits(
        &mut self,
        node: Node,
        kind: Option<JointKind>,
        joint: &str,
    ) -> Result<JointLimits, ModelError> {
        let bounded = match kind {
            Some(JointKind::Revolute | JointKind::Prismatic) => true,
            Some(JointKind::Continuous) => false,
            Some(JointKind::Spherical | JointKind::Planar | JointKind::Floating) | None => {
                return Ok(JointLimits::NONE);
            }
        };
        let Some(limit) = child(node, "limit") else {
            if bounded {
                let place = self.reader.place(node);
                let text = format!("joint {joint:?} has no <limit>; it is unlimited");
                self.reader.warnings.push(&place, text);
            }
            return Ok(JointLimits::NONE);
        };
        let (effort, velocity) = self.dynamic_limits(limit, joint)?;
        let (lower, upper) = if bounded {
            self.range(limit, joint)?
        } else {
            (f32::NEG_INFINITY, f32::INFINITY)
        };
        Ok(JointLimits {
            lower,
            upper,
            effort,
            velocity,
        })
    }

    /// Position limits. One missing limit is zero, as URDF specifies; if both are missing there is no
    /// limit, as in `PyBullet`: a joint that cannot move would be a fixed one.
    fn range(&mut self, limit: Node, joint: &str) -> Result<(f32, f32), ModelError> {
        let lower = self.reader.bound(limit, "lower")?;
        let upper = self.reader.bound(limit, "upper")?;
        let place = self.reader.place(limit);
        if lower.is_none() && upper.is_none() {
            let text = format!("joint {joint:?} has neither lower nor upper; it is unlimited");
            self.reader.warnings.push(&place, text);
            return Ok((f32::NEG_INFINITY, f32::INFINITY));
        }
        let (lower, upper) = (lower.unwrap_or_default(), upper.unwrap_or_default());
        // PyBullet's notation of a joint without limits.
        if (lower, upper) == (1.0, -1.0) || (lower, upper) == (0.0, -1.0) {
            let text = format!(
                "joint {joint:?} has lower = {lower} above upper = {upper}; it is unlimited"
            );
            self.reader.warnings.push(&place, text);
            return Ok((f32::NEG_INFINITY, f32::INFINITY));
        }
        if lower > upper {
            return Err(ModelError::at(
                &place,
                format!("joint {joint:?} with lower = {lower} above upper = {upper}"),
                "expected lower <= upper",
            )
            .hint("remove both for a joint without limits"));
        }
        let (lower, upper) = (lower as f32, upper as f32);
        if lower == f32::INFINITY || upper == f32::NEG_INFINITY {
            let found = format!("joint {joint:?} with the range {lower} to {upper}");
            return Err(ModelError::at(
                &place,
                found,
                "expected a range within 3.4e38",
            ));
        }
        Ok((lower, upper))
    }

    /// Limits of effort and velocity. Zero or less is no limit: exporters write it for unknown values, and
    /// a joint without effort could not be driven.
    fn dynamic_limits(&mut self, limit: Node, joint: &str) -> Result<(f32, f32), ModelError> {
        let mut unbounded = Vec::new();
        let mut bound = |name| -> Result<f32, ModelError> {
            match self.reader.bound(limit, name)? {
                Some(most) if most as f32 > 0.0 => Ok(most as f32),
                Some(_) => {
                    unbounded.push(name);
                    Ok(f32::INFINITY)
                }
                None => Ok(f32::INFINITY),
            }
        };
        let limits = (bound("effort")?, bound("velocity")?);
        if !unbounded.is_empty() {
            let place = self.reader.place(limit);
            let text = format!(
                "joint {joint:?}: {} not above zero; no limit is applied",
                unbounded.join(" and ")
            );
            self.reader.warnings.push(&place, text);
        }
        Ok(limits)
    }

    /// Damping and friction from URDF's `<dynamics>` or `PyBullet`'s `<joint_properties>`.
    fn dynamics(&mut self, node: Node) -> Result<(f32, f32), ModelError> {
        let dynamics = child(node, "dynamics").or_else(|| child(node, "joint_properties"));
        match dynamics {
            Some(dynamics) => Ok((
                self.reader.not_negative(dynamics, "damping")?,
                self.reader.not_negative(dynamics, "friction")?,
            )),
            None => Ok((0.0, 0.0)),
        }
    }

    fn mimic(&mut self, node: Node) -> Result<Option<DraftMimic>, ModelError> {
        let Some(mimic) = child(node, "mimic") else {
            return Ok(None);
        };
        Ok(Some(DraftMimic {
            joint: self.reader.name(mimic, "joint")?,
            multiplier: self.reader.number(mimic, "multiplier")?.unwrap_or(1.0) as f32,
            offset: self.reader.number(mimic, "offset")?.unwrap_or_default() as f32,
        }))
    }
}

fn children<'n, 'i>(node: Node<'n, 'i>, name: &str) -> impl Iterator<Item = Node<'n, 'i>> {
    elements(node).filter(move |n| n.tag_name().name() == name)
}

fn child<'n, 'i>(node: Node<'n, 'i>, name: &str) -> Option<Node<'n, 'i>> {
    children(node, name).next()
}
