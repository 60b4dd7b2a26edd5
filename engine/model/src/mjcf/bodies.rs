//! `<worldbody>`: bodies, joints and shapes become links and joints of a draft.
//!
//! A body with several joints becomes as many links: those between take a share of its mass, as a
//! link without mass cannot be simulated.

use super::defaults::{ClassId, Classes};
use super::element::{Element, Values};
use super::geom::{self, Assets, Geom};
use super::settings::{FromShapes, Settings};
use crate::draft::{DraftJoint, DraftLink, Named, Warnings};
use crate::mass::Mass;
use crate::value::quoted;
use crate::{ModelError, Place};
use becomingone_components::body::{Geometry, JointKind, JointLimits, Pose};
use glam::{DMat3, DVec3, Quat, Vec3};
use std::collections::HashSet;

/// Part of a body's mass that each link between two of its joints takes.
const SHARE: f64 = 0.1;
/// A plane whose normal is nearer to the vertical than this is a floor (cosine), and at this height
/// (m) it is the scene's ground.
const LEVEL: f32 = 0.9999;
const GROUND_M: f32 = 1e-3;
/// Known and without effect here.
const SILENT: [&str; 6] = ["camera", "light", "site", "inertial", "joint", "freejoint"];
const BODY: &[&str] = &[
    "name",
    "childclass",
    "mocap",
    "pos",
    "quat",
    "axisangle",
    "xyaxes",
    "zaxis",
    "euler",
    "gravcomp",
    "user",
    "fuse",
    "sleep",
];
const JOINT: &[&str] = &[
    "name",
    "class",
    "type",
    "group",
    "pos",
    "axis",
    "springdamper",
    "limited",
    "actuatorfrclimited",
    "solreflimit",
    "solimplimit",
    "solreffriction",
    "solimpfriction",
    "stiffness",
    "range",
    "actuatorfrcrange",
    "actuatorgravcomp",
    "margin",
    "ref",
    "springref",
    "armature",
    "damping",
    "frictionloss",
    "user",
    "align",
];
const KINDS: [&str; 4] = ["free", "ball", "slide", "hinge"];

/// A place in a keyframe's `qpos`: what stands there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slot {
    /// Seven numbers: of the robot's own base.
    Base,
    /// Seven numbers: of a floating joint.
    Floating(usize),
    /// Four numbers.
    Ball,
    /// One number, from this reference on.
    Scalar(usize, f64),
}

/// An element in a body, with the frames around it.
#[derive(Clone, Copy)]
struct Item<'e> {
    element: &'e Element,
    at: Pose,
    class: ClassId,
}

/// What the bodies of a file hang on.
struct Parent<'p> {
    link: &'p str,
    /// In the world, as the file's old way of global poses needs it.
    world: Pose,
}

/// A joint as it is written.
struct Written {
    name: String,
    place: Place,
    kind: JointKind,
    /// In the body's frame.
    anchor: Vec3,
    axis: Vec3,
    limits: JointLimits,
    reference: f64,
    damping: f64,
    friction: f64,
    armature: f64,
    stiffness: f64,
    spring_rest: f64,
}

/// Everything below `<worldbody>`, as far as it was read.
pub(crate) struct Bodies<'a> {
    settings: &'a Settings,
    classes: &'a Classes,
    assets: &'a Assets,
    pub(crate) warnings: Warnings,
    pub(crate) links: Vec<DraftLink>,
    pub(crate) joints: Vec<DraftJoint>,
    pub(crate) slots: Vec<Slot>,
    taken: HashSet<String>,
    /// `<body>` elements and joints that are not fixed.
    pub(crate) counted: (usize, usize),
    /// Whether the root is the world.
    pub(crate) fixed_base: bool,
    /// How the base stands in the file, where it moves freely.
    pub(crate) upright: Quat,
}

impl<'a> Bodies<'a> {
    pub(crate) fn new(
        root: &Element,
        settings: &'a Settings,
        classes: &'a Classes,
        assets: &'a Assets,
        warnings: Warnings,
    ) -> Self {
        let mut taken = HashSet::from(["world".to_owned()]);
        root.each(&mut |e| {
            if matches!(&*e.name, "body" | "joint" | "freejoint") {
                taken.extend(e.values().text("name").map(str::to_owned));
            }
        });
        Self {
            settings,
            classes,
            assets,
            warnings,
            links: Vec::new(),
            joints: Vec::new(),
            slots: Vec::new(),
            taken,
            counted: (0, 0),
            fixed_base: false,
            upright: Quat::IDENTITY,
        }
    }

    /// Reads all `<worldbody>` elements.
    pub(crate) fn read(&mut self, root: &Element) -> Result<(), ModelError> {
        let mut items = Vec::new();
        for section in root.all("worldbody") {
            let class = self.classes.named(&section.values(), "childclass")?;
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
        let mut only_seen = shapes.iter().all(|g| !g.touches);
        for &k in &still {
            only_seen &= self.only_seen(&bodies[k])?;
        }
        if let ([base], true) = (free.as_slice(), only_seen) {
            for &k in &still {
                let place = &bodies[k].element.place;
                self.warnings.push(
                    place,
                    "a body of the world that nothing touches was left out",
                );
            }
            let parent = Parent {
                link: "",
                world: Pose::IDENTITY,
            };
            return self.body(&bodies[*base], &parent);
        }
        self.fixed_base = true;
        let mut world = DraftLink {
            name: "world".to_owned(),
            place: root.place.clone(),
            hidden: false,
            mass: None,
            colliders: Vec::new(),
            visuals: Vec::new(),
        };
        for geom in shapes {
            add_shape(&mut world, geom, Pose::IDENTITY);
        }
        self.links.push(world);
        for item in &bodies {
            let parent = Parent {
                link: "world",
                world: Pose::IDENTITY,
            };
            self.body(item, &parent)?;
        }
        Ok(())
    }

    /// A shape of the world; none where the scene has it already.
    fn world_geom(&mut self, item: &Item) -> Result<Option<Geom>, ModelError> {
        let mut geom = self.geom(item, Pose::IDENTITY)?;
        let top = geom.pose.point(Vec3::Z * 0.05).z;
        let level = (geom.pose.rotation * Vec3::Z).z > LEVEL;
        geom.mass = None;
        Ok((!(geom.plane && level && top.abs() < GROUND_M)).then_some(geom))
    }

    /// The elements in a body or frame, those in frames with them.
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
                None => self.settings.pose(&v)?,
            };
            let class = self.classes.named(&v, "childclass")?.unwrap_or(class);
            self.contents(child, at * pose, class, items)?;
        }
        Ok(())
    }

    /// What is in a body.
    fn inside<'e>(&self, item: &Item<'e>) -> Result<Vec<Item<'e>>, ModelError> {
        let class = self.classes.named(&item.element.values(), "childclass")?;
        let class = class.unwrap_or(item.class);
        let mut items = Vec::new();
        self.contents(item.element, Pose::IDENTITY, class, &mut items)?;
        Ok(items)
    }

    fn has_free_joint(&self, item: &Item) -> Result<bool, ModelError> {
        for inner in self.inside(item)? {
            let v = self.classes.values(inner.element, inner.class)?;
            match &*inner.element.name {
                "freejoint" => return Ok(true),
                "joint" if v.text("type") == Some("free") => return Ok(true),
                _ => {}
            }
        }
        Ok(false)
    }

    /// Whether a body and all in it neither move nor touch.
    fn only_seen(&mut self, item: &Item) -> Result<bool, ModelError> {
        for inner in self.inside(item)? {
            let fine = match &*inner.element.name {
                "joint" | "freejoint" => false,
                "geom" => !self.geom(&inner, Pose::IDENTITY)?.touches,
                "body" => self.only_seen(&inner)?,
                _ => true,
            };
            if !fine {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Says what is left out.
    fn skip(&mut self, element: &Element) {
        if !SILENT.contains(&&*element.name) {
            let text = format!("<{}> is not supported and was left out", element.name);
            self.warnings.push(&element.place, text);
        }
    }

    /// A pose that is written in an element, in the frame of its body.
    fn local(&self, written: Pose, item: &Item, body_in_world: Pose) -> Pose {
        if self.settings.global {
            body_in_world.inverse() * written
        } else {
            item.at * written
        }
    }

    fn geom(&mut self, item: &Item, body_in_world: Pose) -> Result<Geom, ModelError> {
        let v = self.classes.values(item.element, item.class)?;
        let mut geom = geom::read(&v, self.settings, self.assets)?;
        let own = geom.pose;
        geom.pose = self.local(own, item, body_in_world);
        let moved = geom.pose * own.inverse();
        geom.mass = geom.mass.map(|mass| mass.moved(moved));
        Ok(geom)
    }

    /// A body and all in it.
    fn body(&mut self, item: &Item, parent: &Parent) -> Result<(), ModelError> {
        let element = item.element;
        let v = element.values();
        v.warn_unknown(BODY, &mut self.warnings);
        self.counted.0 += 1;
        let name = match v.text("name") {
            Some("world") => {
                return Err(v.refuse("name", "a body named \"world\"", "expected another name"));
            }
            Some(name) => name.to_owned(),
            None => self.fresh("body"),
        };
        if v.number("gravcomp")?.unwrap_or_default() != 0.0 {
            self.warnings.push(
                &v.place("gravcomp"),
                "gravcomp is not supported: the body falls",
            );
        }
        // Written poses are in the world where the file says so, and a body may then have none.
        let world = match self.settings.global {
            true if v.has("pos") => self.settings.pose(&v)?,
            true => parent.world,
            false => parent.world * item.at * self.settings.pose(&v)?,
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
        };
        let (mut of_shapes, mut written) = (None::<Mass>, None);
        let (mut joints, mut bodies) = (Vec::new(), Vec::new());
        let mut free = None;
        for inner in &items {
            let v = self.classes.values(inner.element, inner.class)?;
            match &*inner.element.name {
                "geom" => {
                    v.warn_unknown(geom::KNOWN, &mut self.warnings);
                    let geom = self.geom(inner, world)?;
                    if let Some(text) = &geom.warning {
                        self.warnings.push(&inner.element.place, text);
                    }
                    if geom.plane {
                        return Err(ModelError::at(
                            &inner.element.place,
                            "a plane on a body",
                            "expected planes in <worldbody> only",
                        ));
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
                "joint" => joints.extend(self.joint(inner, &v, &name, world)?),
                "body" => bodies.push(inner),
                _ => self.skip(inner.element),
            }
        }
        let mass = match self.settings.from_shapes {
            FromShapes::Always => of_shapes.or(written),
            FromShapes::WhereNeeded => written.or(of_shapes),
            FromShapes::Never => written,
        };
        link.mass = self.bounded(mass);
        let below = Parent { link: &name, world };
        match free {
            Some((joint, place)) => {
                if !joints.is_empty() || !matches!(parent.link, "" | "world") {
                    let found = "a free joint beside other joints, or below another body";
                    let expected = "expected it alone, in a body of <worldbody>";
                    return Err(ModelError::at(&place, found, expected));
                }
                self.counted.1 += 1;
                if parent.link.is_empty() {
                    self.upright = pose.rotation;
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

    /// A body with its joints: one link after another, the last of them the body itself.
    fn chain(&mut self, mut link: DraftLink, joints: Vec<Written>, parent: &str, pose: Pose) {
        let place = link.place.clone();
        let count = joints.len();
        self.counted.1 += count;
        if count > 1 {
            let text = format!(
                "body {:?} has {count} joints: {} links between them take {:.0} % of its mass each",
                link.name,
                count - 1,
                SHARE * 100.0
            );
            self.warnings.push(&place, text);
        }
        let part = (SHARE * (count.max(1) - 1) as f64).min(0.5);
        let share = link
            .mass
            .filter(|m| m.kg > 0.0)
            .map(|m| m.scaled_to(m.kg * part / (count.max(2) - 1) as f64));
        if part > 0.0 {
            link.mass = link
                .mass
                .filter(|m| m.kg > 0.0)
                .map(|m| m.scaled_to(m.kg * (1.0 - part)));
        }
        // Where the next joint is written: the body's frame as the joints so far leave it.
        let mut from = pose;
        let mut above = parent.to_owned();
        for (k, joint) in joints.into_iter().enumerate() {
            let back = Pose::new(-joint.anchor, Quat::IDENTITY);
            let last = k + 1 == count;
            let child = if last && joint.anchor == Vec3::ZERO {
                link.name.clone()
            } else {
                let name = self.fresh(&format!("{}/{}", link.name, joint.name));
                self.links.push(DraftLink {
                    name: name.clone(),
                    place: place.clone(),
                    hidden: true,
                    mass: share.filter(|_| !last).map(|m| m.moved(back)),
                    colliders: Vec::new(),
                    visuals: Vec::new(),
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
                    &above,
                    &child,
                    origin,
                )
            });
            above = child;
        }
        if above != link.name {
            let name = self.fresh(&format!("{}/fixed", link.name));
            self.joints
                .push(plain_joint(name, place, None, &above, &link.name, from));
        }
        self.links.push(link);
    }

    /// A name that nothing has yet.
    fn fresh(&mut self, base: &str) -> String {
        let mut name = base.to_owned();
        let mut k = 1;
        while !self.taken.insert(name.clone()) {
            k += 1;
            name = format!("{base} {k}");
        }
        name
    }

    fn joint_name(&mut self, v: &Values, body: &str) -> (String, Place) {
        let name = match v.element.values().text("name") {
            Some(name) => name.to_owned(),
            None => self.fresh(&format!("{body}/joint")),
        };
        (name, v.element.place.clone())
    }

    /// A joint that is not free; none where it is written as fixed.
    fn joint(
        &mut self,
        item: &Item,
        v: &Values,
        body: &str,
        body_in_world: Pose,
    ) -> Result<Option<Written>, ModelError> {
        v.warn_unknown(JOINT, &mut self.warnings);
        let (name, place) = self.joint_name(v, body);
        let kind = match v.text("type") {
            Some("slide") => JointKind::Prismatic,
            Some("hinge") | None => JointKind::Revolute,
            Some("ball") => JointKind::Spherical,
            Some("fixed") => {
                let text = "a joint of type \"fixed\" is Bullet's, not MuJoCo's; the body is held";
                self.warnings.push(&place, text);
                return Ok(None);
            }
            Some(other) => {
                let found = format!("the joint type {}", quoted(other));
                let expected = format!("expected one of {}", KINDS.join(", "));
                return Err(v.refuse("type", found, expected).nearest(other, KINDS));
            }
        };
        let turns = kind != JointKind::Prismatic;
        let unit = |x: f64| if turns { self.settings.angle(x) } else { x };
        let written = Pose::new(
            v.vector("pos")?.unwrap_or_default().as_vec3(),
            Quat::IDENTITY,
        );
        let here = self.local(written, item, body_in_world);
        let axis = v.vector("axis")?.unwrap_or(DVec3::Z).try_normalize();
        let Some(axis) = axis else {
            let found = "an axis of length zero";
            return Err(v.refuse("axis", found, "expected a direction"));
        };
        let reference = unit(v.number("ref")?.unwrap_or_default());
        let mut limits = JointLimits::NONE;
        if let Some((lower, upper)) = self.range(v, kind, &name)? {
            limits.lower = (unit(lower) - reference) as f32;
            limits.upper = (unit(upper) - reference) as f32;
        }
        let clamped = v.switch("actuatorfrclimited")?;
        if let Some([low, high]) = v.exactly::<2>("actuatorfrcrange")?
            && clamped.unwrap_or(self.settings.autolimits)
        {
            limits.effort = low.abs().max(high.abs()) as f32;
        }
        if v.has("springdamper") {
            let text = "springdamper is not supported; stiffness and damping count";
            self.warnings.push(&v.place("springdamper"), text);
        }
        Ok(Some(Written {
            name,
            place,
            kind: match kind {
                JointKind::Revolute if limits.upper == f32::INFINITY => JointKind::Continuous,
                kind => kind,
            },
            anchor: here.translation_m,
            axis: (here.rotation * axis.as_vec3()).normalize(),
            limits,
            reference,
            damping: v.not_negative("damping")?,
            friction: v.not_negative("frictionloss")?,
            armature: v.not_negative("armature")?,
            stiffness: v.not_negative("stiffness")?,
            spring_rest: unit(v.number("springref")?.unwrap_or_default()) - reference,
        }))
    }

    /// A joint's bounds, in the file's units; none where it has none.
    fn range(
        &mut self,
        v: &Values,
        kind: JointKind,
        name: &str,
    ) -> Result<Option<(f64, f64)>, ModelError> {
        let range = v.exactly::<2>("range")?;
        let limited = match v.switch("limited")? {
            Some(limited) => limited,
            None => self.settings.autolimits && range.is_some(),
        };
        if !limited {
            return Ok(None);
        }
        match range {
            Some([lower, upper]) if kind == JointKind::Spherical => {
                Ok(Some((lower.max(0.0), upper)))
            }
            Some([lower, upper]) if lower > upper => Err(v.refuse(
                "range",
                format!("joint {name:?} with the range {lower} to {upper}"),
                "expected the smaller number first",
            )),
            Some([lower, upper]) if lower != 0.0 || upper != 0.0 => Ok(Some((lower, upper))),
            _ => {
                let text =
                    format!("joint {name:?} is limited, but has no range; it moves without bounds");
                self.warnings.push(&v.element.place, text);
                Ok(None)
            }
        }
    }

    /// A body's mass as its `<inertial>` has it.
    fn inertial(&mut self, item: &Item, body_in_world: Pose) -> Result<Mass, ModelError> {
        let v = item.element.values();
        v.required("mass")?;
        let kg = v.number("mass")?.unwrap_or_default();
        if kg < 0.0 {
            let found = format!("a mass of {kg} kg");
            return Err(v.refuse("mass", found, "expected zero or more"));
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
        let pose = self.local(self.settings.pose(&v)?, item, body_in_world);
        Ok(Mass { kg, com, inertia }.moved(pose))
    }

    /// A mass within the bounds that the compiler is told.
    fn bounded(&self, mass: Option<Mass>) -> Option<Mass> {
        let s = self.settings;
        if s.least_mass <= 0.0 && s.least_inertia <= 0.0 && !s.balance_inertia {
            return mass;
        }
        let mut mass = mass.unwrap_or(Mass::ZERO);
        mass.kg = mass.kg.max(s.least_mass);
        let (mut moments, axes) = mass.principal();
        moments = moments.max(DVec3::splat(s.least_inertia));
        // The largest stands first.
        if s.balance_inertia && moments.y + moments.z < moments.x {
            moments = DVec3::splat((moments.x + moments.y + moments.z) / 3.0);
        }
        let axes = DMat3::from_quat(axes);
        mass.inertia = axes * DMat3::from_diagonal(moments) * axes.transpose();
        (mass.kg > 0.0).then_some(mass)
    }
}

/// A shape on a link, as it touches and as it is seen.
fn add_shape(link: &mut DraftLink, geom: Geom, at: Pose) {
    let Some(shape) = geom.shape else { return };
    let geometry = Geometry {
        pose: at * geom.pose,
        shape,
        rgba: geom.rgba,
    };
    if geom.touches {
        link.colliders.push(geometry.clone());
    }
    if geom.seen {
        link.visuals.push(geometry);
    }
}

/// A joint that says nothing but where it is.
pub(crate) fn plain_joint(
    name: String,
    place: Place,
    kind: Option<JointKind>,
    parent: &str,
    child: &str,
    origin: Pose,
) -> DraftJoint {
    let named = |name: &str| Named {
        name: name.to_owned(),
        place: place.clone(),
    };
    DraftJoint {
        name,
        kind,
        parent: named(parent),
        child: named(child),
        place,
        origin,
        axis: Vec3::X,
        limits: JointLimits::NONE,
        damping: 0.0,
        friction: 0.0,
        armature: 0.0,
        stiffness: 0.0,
        spring_rest: 0.0,
        start: None,
        mimic: None,
    }
}
