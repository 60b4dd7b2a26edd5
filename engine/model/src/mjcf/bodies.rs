//! `<worldbody>`: bodies, joints and shapes to links and joints of a draft.
//!
//! A body with several joints becomes as many links: the intermediate ones get a share of its mass, as
//! a link without mass cannot be simulated.

mod joints;
mod surroundings;

pub(super) use joints::plain_joint;

use super::assets::Assets;
use super::attach::Scope;
use super::contact_parameters::Ignored;
use super::defaults::{ClassId, Classes};
use super::element::{Element, Values};
use super::geom::{self, Geom};
use super::settings::{Settings, ShapeMass};
use crate::draft::{DraftJoint, DraftLink, Warnings};
use crate::mass::Mass;
use crate::number::shown;
use crate::{ModelError, Place};
use becomingone_components::body::{Geometry, JointKind, Pose, Surroundings};
use becomingone_components::contact_mask::ContactMask;
use glam::{DMat3, DVec3, Quat, Vec3};
use joints::JointElement;
use std::collections::HashSet;

/// Share of a body's mass for each intermediate link between two of its joints: as little as the physics bears, which
/// is more between many joints, and of bodies lighter than this (kg).
const LINK_MASS_SHARE: f64 = 0.01;
const STEADY_MASS_SHARE: f64 = 0.1;
const LIGHT_KG: f64 = 0.5;
const FEW_JOINTS: usize = 3;
/// Least cosine between the normal of a floor and the vertical, and its largest distance (m) from the
/// scene's ground, which replaces it.
const HORIZONTAL: f32 = 0.9999;
const GROUND_TOLERANCE_M: f32 = 1e-3;
/// Elements of a body that are not supported.
const UNSUPPORTED: [&str; 3] = ["composite", "flexcomp", "plugin"];

/// Entry of a keyframe's `qpos`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slot {
    /// Seven numbers: pose of the robot's base.
    Base,
    /// Seven numbers: pose of a floating joint.
    Floating(usize),
    /// Four numbers: rotation of a ball joint.
    Ball,
    /// One number: position of a joint, relative to this reference.
    Scalar(usize, f64),
}

/// Element in a body, with the pose and class of the enclosing frames.
#[derive(Clone, Copy)]
struct Item<'e> {
    element: &'e Element,
    at: Pose,
    class: ClassId,
}

/// Parent of a body.
struct Parent<'p> {
    link: &'p str,
    /// Pose in the world, for files with global poses.
    world: Pose,
    /// Whether nothing moves it.
    fixed: bool,
}

/// Reader of `<worldbody>`, with what it has read so far.
pub(crate) struct Bodies<'a> {
    scopes: &'a [Scope],
    /// By scope.
    assets: &'a [Assets],
    pub(crate) warnings: Warnings,
    pub(crate) links: Vec<DraftLink>,
    pub(crate) joints: Vec<DraftJoint>,
    pub(crate) slots: Vec<Slot>,
    used_names: HashSet<String>,
    /// Number of `<body>` elements, and of joints that are not fixed.
    pub(crate) counts: (usize, usize),
    /// Whether the root link is the world.
    pub(crate) fixed_base: bool,
    /// Static shapes beside a free base.
    pub(crate) surroundings: Surroundings,
    /// Those of them whose files were not found.
    pub(crate) lost_surroundings: Vec<String>,
    /// Masks of the floors that the scene's ground replaces.
    pub(crate) floors: Vec<ContactMask>,
    /// Parameters of contacts without effect.
    pub(crate) ignored: Ignored,
    /// Position of a free base in the file (m), and its rotation.
    pub(crate) base_m: Vec3,
    pub(crate) upright: Quat,
}

impl<'a> Bodies<'a> {
    pub(crate) fn new(
        root: &Element,
        scopes: &'a [Scope],
        assets: &'a [Assets],
        warnings: Warnings,
    ) -> Self {
        let mut used_names = HashSet::from(["world".to_owned()]);
        root.each(&mut |e| {
            if matches!(&*e.name, "body" | "joint" | "freejoint") {
                used_names.extend(e.values().text("name").map(str::to_owned));
            }
        });
        Self {
            scopes,
            assets,
            warnings,
            links: Vec::new(),
            joints: Vec::new(),
            slots: Vec::new(),
            used_names,
            counts: (0, 0),
            fixed_base: false,
            surroundings: Surroundings::default(),
            lost_surroundings: Vec::new(),
            floors: Vec::new(),
            ignored: Ignored::default(),
            base_m: Vec3::ZERO,
            upright: Quat::IDENTITY,
        }
    }

    fn settings(&self, element: &Element) -> &'a Settings {
        &self.scopes[element.scope].settings
    }

    fn classes(&self, element: &Element) -> &'a Classes {
        &self.scopes[element.scope].classes
    }

    /// Whether `<replicate>` made joints of this one, whose names it extended.
    pub(crate) fn is_replicated(&self, joint: &str) -> bool {
        self.joints.iter().any(|j| j.name.starts_with(joint))
    }

    /// Reads all `<worldbody>` elements.
    pub(crate) fn read(&mut self, root: &Element) -> Result<(), ModelError> {
        let mut items = Vec::new();
        for section in root.all("worldbody") {
            let class = self
                .classes(section)
                .named(&section.values(), "childclass")?;
            let class = class.unwrap_or(Classes::MAIN);
            self.contents(section, Pose::IDENTITY, class, &mut items)?;
        }
        let mut shapes = Vec::new();
        let mut bodies = Vec::new();
        for item in items {
            match &*item.element.name {
                "body" => bodies.push(item),
                "geom" => shapes.extend(self.world_geom(&item)?),
                _ => self.skip(item.element),
            }
        }
        let mut free = Vec::new();
        for (index, item) in bodies.iter().enumerate() {
            if self.has_free_joint(item)? {
                free.push(index);
            }
        }
        let still: Vec<_> = (0..bodies.len()).filter(|k| !free.contains(k)).collect();
        let mut is_static = true;
        for &k in &still {
            is_static &= self.is_static(&bodies[k])?;
        }
        if let ([base], true) = (free.as_slice(), is_static) {
            for &k in &still {
                let before = shapes.len();
                self.static_body(&bodies[k], Pose::IDENTITY, &mut shapes)?;
                if !shapes[before..].iter().any(|geom| geom.has_contacts) {
                    let place = &bodies[k].element.place;
                    let text = "a body of the world without contacts is ignored";
                    self.warnings.push(place, text);
                }
            }
            let parent = Parent {
                link: "",
                world: Pose::IDENTITY,
                fixed: true,
            };
            self.body(&bodies[*base], &parent)?;
            self.surround(shapes);
            return Ok(());
        }
        self.fixed_base = true;
        let mut world = DraftLink {
            name: "world".to_owned(),
            place: root.place.clone(),
            hidden: false,
            mass: None,
            colliders: Vec::new(),
            visuals: Vec::new(),
            lost: Vec::new(),
        };
        // Shapes of a link do not touch the robot's others: those of the world do, so they are none of a link.
        let (obstacles, shown): (Vec<_>, Vec<_>) = shapes.into_iter().partition(|g| g.has_contacts);
        self.surround(obstacles);
        for geom in shown {
            add_shape(&mut world, geom, Pose::IDENTITY);
        }
        self.links.push(world);
        for item in &bodies {
            let parent = Parent {
                link: "world",
                world: Pose::IDENTITY,
                fixed: true,
            };
            self.body(item, &parent)?;
        }
        Ok(())
    }

    /// Shape of the world; `None` for a floor, which the scene's ground replaces.
    fn world_geom(&mut self, item: &Item) -> Result<Option<Geom>, ModelError> {
        let mut geom = self.geom(item, Pose::IDENTITY)?;
        if let Some(text) = &geom.warning {
            self.warnings.push(&item.element.place, text);
        }
        let top = geom.pose.point(Vec3::Z * 0.05).z;
        let level = (geom.pose.rotation * Vec3::Z).z > HORIZONTAL;
        geom.mass = None;
        let is_floor = geom.plane && level && top.abs() < GROUND_TOLERANCE_M;
        self.surroundings.has_floor |= is_floor;
        if is_floor && geom.has_contacts {
            self.floors.push(geom.contacts);
        }
        Ok((!is_floor).then_some(geom))
    }

    /// Elements in a body or frame, including those in nested frames.
    fn contents<'e>(
        &self,
        element: &'e Element,
        at: Pose,
        class: ClassId,
        items: &mut Vec<Item<'e>>,
    ) -> Result<(), ModelError> {
        for child in &element.children {
            if child.name != "frame" {
                items.push(Item {
                    element: child,
                    at,
                    class,
                });
                continue;
            }
            let v = child.values();
            let pose = match child.pose {
                Some(pose) => pose,
                None => self.settings(child).pose(&v)?,
            };
            let class = self
                .classes(child)
                .named(&v, "childclass")?
                .unwrap_or(class);
            self.contents(child, at * pose, class, items)?;
        }
        Ok(())
    }

    /// Elements of a body.
    fn inside<'e>(&self, item: &Item<'e>) -> Result<Vec<Item<'e>>, ModelError> {
        let class = self
            .classes(item.element)
            .named(&item.element.values(), "childclass")?;
        let class = class.unwrap_or(item.class);
        let mut items = Vec::new();
        self.contents(item.element, Pose::IDENTITY, class, &mut items)?;
        Ok(items)
    }

    fn has_free_joint(&self, item: &Item) -> Result<bool, ModelError> {
        for inner in self.inside(item)? {
            let v = self
                .classes(inner.element)
                .values(inner.element, inner.class)?;
            match &*inner.element.name {
                "freejoint" => return Ok(true),
                "joint" if v.text("type") == Some("free") => return Ok(true),
                _ => {}
            }
        }
        Ok(false)
    }

    /// Whether a body and its children have no joints.
    fn is_static(&self, item: &Item) -> Result<bool, ModelError> {
        for inner in self.inside(item)? {
            let fine = match &*inner.element.name {
                "joint" | "freejoint" => false,
                "body" => self.is_static(&inner)?,
                _ => true,
            };
            if !fine {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Warns about an unsupported element.
    fn skip(&mut self, element: &Element) {
        if UNSUPPORTED.contains(&&*element.name) {
            let text = format!("<{}> is not supported and is ignored", element.name);
            self.warnings.push(&element.place, text);
        }
    }

    /// Frame of an element's written pose, in the frame of its body.
    fn frame(&self, item: &Item, body_in_world: Pose) -> Pose {
        if self.settings(item.element).global {
            body_in_world.inverse()
        } else {
            item.at
        }
    }

    fn geom(&mut self, item: &Item, body_in_world: Pose) -> Result<Geom, ModelError> {
        let v = self
            .classes(item.element)
            .values(item.element, item.class)?;
        let mut geom = geom::read(
            &v,
            self.settings(item.element),
            &self.assets[item.element.scope],
        )?;
        if geom.has_contacts {
            self.ignored.count(&v)?;
        }
        let own = geom.pose;
        geom.pose = self.frame(item, body_in_world) * own;
        let moved = geom.pose * own.inverse();
        geom.mass = geom.mass.map(|mass| mass.moved(moved));
        Ok(geom)
    }

    /// Reads a body and its children.
    fn body(&mut self, item: &Item, parent: &Parent) -> Result<(), ModelError> {
        let element = item.element;
        let v = element.values();
        self.counts.0 += 1;
        let name = match v.text("name") {
            Some("world") => {
                return Err(v.refuse("name", "a body named \"world\"", "expected another name"));
            }
            Some(name) => name.to_owned(),
            None => self.unique_name("body"),
        };
        if v.number("gravcomp")?.unwrap_or_default() != 0.0 {
            self.warnings.push(
                &v.place("gravcomp"),
                "gravcomp is not supported: gravity acts on the body",
            );
        }
        // With global coordinates poses are in the world, and a body may have none.
        let settings = self.settings(element);
        let world = match settings.global {
            true if v.has("pos") => settings.pose(&v)?,
            true => parent.world,
            false => parent.world * item.at * settings.pose(&v)?,
        };
        let pose = parent.world.inverse() * world;
        let items = self.inside(item)?;
        let mut link = DraftLink {
            name: name.clone(),
            place: element.place.clone(),
            hidden: false,
            mass: None,
            colliders: Vec::new(),
            visuals: Vec::new(),
            lost: Vec::new(),
        };
        let (mut of_shapes, mut written) = (None::<Mass>, None);
        let (mut joints, mut bodies) = (Vec::new(), Vec::new());
        let (mut free, mut plane) = (None, None);
        for inner in &items {
            let v = self
                .classes(inner.element)
                .values(inner.element, inner.class)?;
            match &*inner.element.name {
                "geom" => {
                    let geom = self.geom(inner, world)?;
                    if let Some(text) = &geom.warning {
                        self.warnings.push(&inner.element.place, text);
                    }
                    if geom.plane {
                        plane = Some(&inner.element.place);
                    }
                    if let Some(mass) = geom.mass {
                        of_shapes = Some(of_shapes.map_or(mass, |sum| sum.plus(mass)));
                    }
                    add_shape(&mut link, geom, Pose::IDENTITY);
                }
                "inertial" => written = Some(self.inertial(inner, world)?),
                "freejoint" => free = Some(self.joint_name(&v, &name)),
                "joint" if v.text("type") == Some("free") => {
                    free = Some(self.joint_name(&v, &name));
                }
                "joint" => {
                    let named = self.joint_name(&v, &name);
                    let frame = self.frame(inner, world);
                    let warnings = &mut self.warnings;
                    joints.extend(joints::read(&v, named, frame, settings, warnings)?);
                }
                "body" => bodies.push(inner),
                _ => self.skip(inner.element),
            }
        }
        let mass = match settings.from_shapes {
            ShapeMass::Always => of_shapes.or(written),
            ShapeMass::IfMissing => written.or(of_shapes),
            ShapeMass::Never => written,
        };
        link.mass = settings.bounded(mass);
        let fixed = parent.fixed && free.is_none() && joints.is_empty();
        if let Some(place) = plane.filter(|_| !fixed) {
            return Err(ModelError::at(
                place,
                "a plane on a body that moves",
                "expected planes in <worldbody>, or on bodies without joints",
            ));
        }
        let below = Parent {
            link: &name,
            world,
            fixed,
        };
        match free {
            Some((joint, place)) => {
                if !joints.is_empty() || !matches!(parent.link, "" | "world") {
                    let found = "a free joint beside other joints, or below another body";
                    let expected = "expected it alone, in a body of <worldbody>";
                    return Err(ModelError::at(&place, found, expected));
                }
                self.counts.1 += 1;
                if parent.link.is_empty() {
                    self.upright = pose.rotation;
                    self.base_m = pose.translation_m;
                    self.slots.push(Slot::Base);
                } else {
                    self.slots.push(Slot::Floating(self.joints.len()));
                    let kind = Some(JointKind::Floating);
                    self.joints
                        .push(plain_joint(joint, place, kind, parent.link, &name, pose));
                }
                self.links.push(link);
            }
            None => self.chain(link, joints, parent.link, pose),
        }
        for inner in bodies {
            self.body(inner, &below)?;
        }
        Ok(())
    }

    /// Adds a body with its joints as a chain of links, the last of which is the body.
    fn chain(&mut self, mut link: DraftLink, joints: Vec<JointElement>, parent: &str, pose: Pose) {
        let place = link.place.clone();
        let count = joints.len();
        self.counts.1 += count;
        let is_light = link.mass.is_none_or(|mass| mass.kg < LIGHT_KG);
        let share = match count > FEW_JOINTS || is_light {
            true => STEADY_MASS_SHARE,
            false => LINK_MASS_SHARE,
        };
        if count > 1 {
            let text = format!(
                "body {:?} has {count} joints: {} intermediate links get {:.0} % of its mass each",
                link.name,
                count - 1,
                share * 100.0
            );
            self.warnings.push(&place, text);
        }
        let part = (share * (count.max(1) - 1) as f64).min(0.5);
        let link_share = link
            .mass
            .filter(|m| m.kg > 0.0)
            .map(|m| m.scaled_to(m.kg * part / (count.max(2) - 1) as f64));
        if part > 0.0 {
            link.mass = link
                .mass
                .filter(|m| m.kg > 0.0)
                .map(|m| m.scaled_to(m.kg * (1.0 - part)));
        }
        // Pose of the body's frame in the last link so far.
        let mut from = pose;
        let mut parent_name = parent.to_owned();
        for (k, joint) in joints.into_iter().enumerate() {
            let back = Pose::new(-joint.anchor, Quat::IDENTITY);
            let last = k + 1 == count;
            let child = if last && joint.anchor == Vec3::ZERO {
                link.name.clone()
            } else {
                let name = self.unique_name(&format!("{}/{}", link.name, joint.name));
                self.links.push(DraftLink {
                    name: name.clone(),
                    place: place.clone(),
                    hidden: true,
                    mass: link_share.filter(|_| !last).map(|m| m.moved(back)),
                    colliders: Vec::new(),
                    visuals: Vec::new(),
                    lost: Vec::new(),
                });
                name
            };
            let origin = from * Pose::new(joint.anchor, Quat::IDENTITY);
            from = back;
            if joint.kind == JointKind::Spherical {
                self.slots.push(Slot::Ball);
            } else {
                self.slots
                    .push(Slot::Scalar(self.joints.len(), joint.reference));
            }
            self.joints.push(DraftJoint {
                axis: joint.axis,
                limits: joint.limits,
                damping: joint.damping as f32,
                friction: joint.friction as f32,
                armature: joint.armature as f32,
                stiffness: joint.stiffness as f32,
                spring_rest: joint.spring_rest as f32,
                ..plain_joint(
                    joint.name,
                    joint.place,
                    Some(joint.kind),
                    &parent_name,
                    &child,
                    origin,
                )
            });
            parent_name = child;
        }
        if parent_name != link.name {
            let name = self.unique_name(&format!("{}/fixed", link.name));
            self.joints.push(plain_joint(
                name,
                place,
                None,
                &parent_name,
                &link.name,
                from,
            ));
        }
        self.links.push(link);
    }

    /// Name that is not in use.
    fn unique_name(&mut self, base: &str) -> String {
        let mut name = base.to_owned();
        let mut k = 1;
        while !self.used_names.insert(name.clone()) {
            k += 1;
            name = format!("{base} {k}");
        }
        name
    }

    fn joint_name(&mut self, v: &Values, body: &str) -> (String, Place) {
        let name = match v.element.values().text("name") {
            Some(name) => name.to_owned(),
            None => self.unique_name(&format!("{body}/joint")),
        };
        (name, v.element.place.clone())
    }

    /// Mass of a body from its `<inertial>`.
    fn inertial(&mut self, item: &Item, body_in_world: Pose) -> Result<Mass, ModelError> {
        let v = item.element.values();
        v.required("mass")?;
        let kg = v.number("mass")?.unwrap_or_default();
        if kg < 0.0 {
            let found = format!("a mass of {} kg", shown(kg));
            return Err(v.refuse("mass", found, "expected zero or more"));
        }
        let other = v.has("diaginertia").then_some("diaginertia");
        if let Some(other) = other.or(v.orientation()?).filter(|_| v.has("fullinertia")) {
            let found = format!("an <inertial> with fullinertia and {other}");
            return Err(v.refuse("fullinertia", found, "expected one of them"));
        }
        let inertia = match (v.exactly::<6>("fullinertia")?, v.vector("diaginertia")?) {
            (Some([xx, yy, zz, xy, xz, yz]), _) => DMat3::from_cols(
                DVec3::new(xx, xy, xz),
                DVec3::new(xy, yy, yz),
                DVec3::new(xz, yz, zz),
            ),
            (None, Some(diagonal)) => DMat3::from_diagonal(diagonal),
            (None, None) => DMat3::ZERO,
        };
        let com = DVec3::ZERO;
        let pose = self.frame(item, body_in_world) * self.settings(item.element).pose(&v)?;
        Ok(Mass { kg, com, inertia }.moved(pose))
    }
}

/// Adds a shape to the colliders and visuals of a link.
fn add_shape(link: &mut DraftLink, geom: Geom, at: Pose) {
    let Some(shape) = geom.shape else {
        link.lost.extend(geom.lost);
        return;
    };
    let geometry = Geometry {
        pose: at * geom.pose,
        shape,
        rgba: geom.rgba,
        contacts: geom.contacts,
    };
    if geom.has_contacts {
        link.colliders.push(geometry.clone());
    }
    if geom.visible {
        link.visuals.push(geometry);
    }
}
