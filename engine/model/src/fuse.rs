//! Links that fixed joints hold together become one: stiffer, faster, and as the file means it.

use crate::draft::{Draft, DraftJoint, DraftLink, Warnings};
use crate::mass::Mass;
use crate::tree::{Tree, grow};
use crate::{ModelError, Place, repair, size};
use becomingone_components::body::{
    Frame, Geometry, Joint, JointKind, Link, Mimic, Pose, RobotModel, Written,
};

/// Links that are becoming one.
struct Part {
    name: String,
    place: Place,
    /// No link of the file has given it its name yet.
    hidden: bool,
    mass: Mass,
    colliders: Vec<Geometry>,
    visuals: Vec<Geometry>,
}

/// A draft, checked, repaired and fused.
///
/// Links come root first, then depth first in the order of the file's joints;
/// joint `i` carries link `i + 1`.
pub(crate) fn fuse(mut draft: Draft) -> Result<RobotModel, ModelError> {
    let tree = grow(&draft)?;
    let mut warnings = std::mem::take(&mut draft.warnings);
    // Where each link ended: its part, and its pose in that part.
    let mut homes = vec![(0, Pose::IDENTITY); draft.links.len()];
    let mut parts = Vec::<Part>::new();
    let mut moving = Vec::new();
    for &index in &tree.order {
        let link = &mut draft.links[index];
        homes[index] = match tree.up[index] {
            Some((joint, parent)) if draft.joints[joint].kind.is_none() => {
                let (part, pose) = homes[parent];
                (part, pose * draft.joints[joint].origin)
            }
            up => {
                moving.extend(up);
                parts.push(Part::new(link));
                (parts.len() - 1, Pose::IDENTITY)
            }
        };
        let (part, pose) = homes[index];
        parts[part].take(link, pose, &mut warnings);
    }
    let joints = joints(&draft, &tree, &moving, &homes, &mut warnings);
    // What weighs nothing as a whole, and says so, does not fall: PyBullet holds it.
    let root = &draft.links[tree.order[0]];
    if !draft.fixed_base && parts[0].mass.kg <= 0.0 && root.mass.is_some_and(|m| m.kg == 0.0) {
        draft.fixed_base = true;
        let text = format!(
            "the root link {:?} has a mass of zero: it is taken for a part of the world",
            root.name
        );
        warnings.push(&root.place, text);
    }
    let written = draft.written.unwrap_or(Written {
        links: draft.links.len(),
        moving_joints: moving.len(),
    });
    let places: Vec<_> = parts.iter().map(|part| part.place.clone()).collect();
    let mut model = RobotModel {
        name: draft.name,
        file: draft.file,
        links: parts
            .into_iter()
            .enumerate()
            .map(|(index, part)| part.finish(draft.fixed_base && index == 0, &mut warnings))
            .collect(),
        joints,
        frames: frames(&draft.links, &homes),
        fixed_base: draft.fixed_base,
        written,
        missing_meshes: draft.missing_meshes,
        warnings: Vec::new(),
    };
    check_finite(&model, &places, &draft.place)?;
    size::check(&model, &draft.place, &mut warnings);
    model.warnings = warnings.finish();
    Ok(model)
}

impl Part {
    fn new(link: &DraftLink) -> Self {
        Self {
            name: link.name.clone(),
            place: link.place.clone(),
            hidden: link.hidden,
            mass: Mass::ZERO,
            colliders: Vec::new(),
            visuals: Vec::new(),
        }
    }

    /// Adds a link at its pose in this part, and empties it.
    fn take(&mut self, link: &mut DraftLink, pose: Pose, warnings: &mut Warnings) {
        if self.hidden && !link.hidden {
            self.hidden = false;
            self.name.clone_from(&link.name);
        }
        if let Some(mass) = repair::link_mass(link, warnings) {
            self.mass = self.mass.plus(mass.moved(pose));
        }
        let at = |mut geometry: Geometry| {
            geometry.pose = pose * geometry.pose;
            geometry
        };
        self.colliders.extend(link.colliders.drain(..).map(at));
        self.visuals.extend(link.visuals.drain(..).map(at));
    }

    /// A part that is fixed to the world needs no mass.
    fn finish(self, fixed: bool, warnings: &mut Warnings) -> Link {
        let mass = if self.mass.kg > 0.0 || fixed {
            self.mass
        } else {
            repair::part_mass(
                &self.name,
                &self.place,
                &self.colliders,
                &self.visuals,
                warnings,
            )
        };
        Link {
            name: self.name,
            inertial: mass.to_inertial(),
            colliders: self.colliders,
            visuals: self.visuals,
        }
    }
}

/// The moving joints, between parts.
fn joints(
    draft: &Draft,
    tree: &Tree,
    moving: &[(usize, usize)],
    homes: &[(usize, Pose)],
    warnings: &mut Warnings,
) -> Vec<Joint> {
    // Where each of the file's joints went; fixed ones nowhere.
    let mut places = vec![None; draft.joints.len()];
    for (at, &(joint, _)) in moving.iter().enumerate() {
        places[joint] = Some(at);
    }
    let mut joints: Vec<_> = moving
        .iter()
        .enumerate()
        .filter_map(|(at, &(index, parent))| {
            let written = &draft.joints[index];
            let (parent, pose) = homes[parent];
            let leader = tree.mimics[index].and_then(|leader| places[leader]);
            Some(joint(written, written.kind?, parent, at + 1, pose, leader))
        })
        .collect();
    let starts = start_positions(&joints);
    for ((joint, start), &(index, _)) in joints.iter_mut().zip(starts).zip(moving) {
        let written = &draft.joints[index];
        let start = written.start.unwrap_or(start);
        joint.start = clamped(start, joint, &written.place, warnings);
    }
    joints
}

/// A joint between two parts, of which the parent's link has this pose in its part.
fn joint(
    written: &DraftJoint,
    kind: JointKind,
    parent: usize,
    child: usize,
    parent_pose: Pose,
    leader: Option<usize>,
) -> Joint {
    let mimic = written
        .mimic
        .as_ref()
        .zip(leader)
        .map(|(mimic, joint)| Mimic {
            joint,
            multiplier: mimic.multiplier,
            offset: mimic.offset,
        });
    Joint {
        name: written.name.clone(),
        kind,
        parent,
        child,
        origin: parent_pose * written.origin,
        axis: written.axis,
        limits: written.limits,
        damping: written.damping,
        friction: written.friction,
        armature: written.armature,
        stiffness: written.stiffness,
        spring_rest: written.spring_rest,
        mimic,
        start: 0.0,
    }
}

/// Where joints start before their own limits count: at zero within the leader's limits, and
/// where a mimic puts those that follow.
fn start_positions(joints: &[Joint]) -> Vec<f32> {
    joints
        .iter()
        .map(|joint| {
            // From the follower up to its leader, then back down.
            let mut chain = Vec::new();
            let mut at = joint;
            while let Some(mimic) = at.mimic {
                chain.push(mimic);
                at = &joints[mimic.joint];
            }
            let leader = 0.0_f32.max(at.limits.lower).min(at.limits.upper);
            let first = if chain.is_empty() { 0.0 } else { leader };
            let follow = |position, mimic: &Mimic| mimic.multiplier * position + mimic.offset;
            chain.iter().rev().fold(first, follow)
        })
        .collect()
}

/// A start position within the limits, with a warning where it had to move.
fn clamped(start: f32, joint: &Joint, place: &Place, warnings: &mut Warnings) -> f32 {
    let limits = joint.limits;
    let inside = start.max(limits.lower).min(limits.upper);
    if inside != start {
        let text = format!(
            "joint {:?} starts at {inside}, as {start} is outside its limits {} to {}",
            joint.name, limits.lower, limits.upper
        );
        warnings.push(place, text);
    }
    inside
}

fn frames(links: &[DraftLink], homes: &[(usize, Pose)]) -> Vec<Frame> {
    links
        .iter()
        .zip(homes)
        .filter(|(link, _)| !link.hidden)
        .map(|(link, &(part, pose))| Frame {
            name: link.name.clone(),
            link: part,
            pose,
        })
        .collect()
}

/// Sums and products of finite numbers may overflow; nothing after this has to ask.
fn check_finite(model: &RobotModel, places: &[Place], robot: &Place) -> Result<(), ModelError> {
    let refuse = |place: &Place, what: String| {
        ModelError::at(
            place,
            format!("{what} whose masses or lengths grow beyond what can be computed"),
            "expected numbers of a robot's size",
        )
    };
    for (index, (link, place)) in model.links.iter().zip(places).enumerate() {
        let held = model.fixed_base && index == 0;
        let shapes = link.colliders.iter().chain(&link.visuals);
        let inertial = &link.inertial;
        let fine = inertial.mass_kg.is_finite()
            && (inertial.mass_kg > 0.0 || held)
            && inertial.com_m.is_finite()
            && inertial.inertia_kg_m2.is_finite()
            && shapes.into_iter().all(|g| is_finite(g.pose));
        if !fine {
            return Err(refuse(place, format!("link {:?}", link.name)));
        }
    }
    let joints = model.joints.iter();
    let frames = model.frames.iter();
    let fine = joints
        .clone()
        .all(|j| is_finite(j.origin) && j.start.is_finite())
        && frames.clone().all(|f| is_finite(f.pose));
    if fine {
        Ok(())
    } else {
        Err(refuse(robot, "a robot".into()))
    }
}

fn is_finite(pose: Pose) -> bool {
    pose.translation_m.is_finite() && pose.rotation.is_finite()
}
