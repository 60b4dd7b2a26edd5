//! Fuses links connected by fixed joints into one rigid link.

use crate::base::free_base;
use crate::draft::{ALLOW_MISSING, Draft, DraftJoint, DraftLink, NameRef, Warnings};
use crate::mass::Mass;
use crate::tree::{Tree, build_tree};
use crate::{ModelError, Place, repair, size};
use becomingone_components::body::{
    Frame, Geometry, Joint, JointKind, Link, Mimic, Pose, RobotModel, Shape, Written,
};
use glam::DMat3;

/// Rigid link made of one or more links of the file.
struct FusedLink {
    name: String,
    place: Place,
    /// True while it has no link of the file, only auxiliary ones.
    hidden: bool,
    mass: Mass,
    /// Inertia of links without mass (kg m²).
    massless: DMat3,
    colliders: Vec<Geometry>,
    visuals: Vec<Geometry>,
}

/// Checks, repairs and fuses a draft.
///
/// Links are in depth-first order from the root, in file order of the joints;
/// joint `i` carries link `i + 1`.
pub(crate) fn fuse(mut draft: Draft) -> Result<RobotModel, ModelError> {
    if !draft.allows_missing {
        check_lost(&draft)?;
    }
    let tree = build_tree(&draft)?;
    let mut warnings = std::mem::take(&mut draft.warnings);
    // For each link its fused link, and its pose in it.
    let mut placements = vec![(0, Pose::IDENTITY); draft.links.len()];
    let mut fused = Vec::<FusedLink>::new();
    let mut moving = Vec::new();
    for &index in &tree.order {
        let link = &mut draft.links[index];
        placements[index] = match tree.up[index] {
            Some((joint, parent)) if draft.joints[joint].kind.is_none() => {
                let (part, pose) = placements[parent];
                (part, pose * draft.joints[joint].origin)
            }
            up => {
                moving.extend(up);
                fused.push(FusedLink::new(link));
                (fused.len() - 1, Pose::IDENTITY)
            }
        };
        let (part, pose) = placements[index];
        fused[part].absorb(link, pose, &mut warnings);
    }
    let joints = joints(&draft, &tree, &moving, &placements, &mut warnings);
    // An explicit root mass of zero means a fixed base, as in PyBullet.
    let root = &draft.links[tree.order[0]];
    if !draft.fixed_base && fused[0].mass.kg <= 0.0 && root.mass.is_some_and(|m| m.kg == 0.0) {
        draft.fixed_base = true;
        let text = format!(
            "the root link {:?} has a mass of zero: it is fixed to the world",
            root.name
        );
        warnings.push(&root.place, text);
    }
    let written = draft.written.unwrap_or(Written {
        links: draft.links.len(),
        moving_joints: moving.len(),
    });
    let excluded = excluded(&draft, &placements, &joints, &mut warnings);
    let places: Vec<_> = fused.iter().map(|part| part.place.clone()).collect();
    let mut model = RobotModel {
        name: draft.name,
        file: draft.file,
        links: fused
            .into_iter()
            .enumerate()
            .map(|(index, part)| part.finish(draft.fixed_base && index == 0, &mut warnings))
            .collect(),
        joints,
        frames: frames(&draft.links, &placements),
        fixed_base: draft.fixed_base,
        static_link: None,
        surroundings: draft.surroundings,
        excluded,
        written,
        missing_meshes: draft.missing_meshes,
        warnings: Vec::new(),
    };
    check_finite(&model, &places, &draft.place)?;
    check_height_fields(&model, &places)?;
    size::check(&model, &draft.place, &mut warnings);
    model.warnings = warnings.finish();
    Ok(free_base(model))
}

impl FusedLink {
    fn new(link: &DraftLink) -> Self {
        Self {
            name: link.name.clone(),
            place: link.place.clone(),
            hidden: link.hidden,
            mass: Mass::ZERO,
            massless: DMat3::ZERO,
            colliders: Vec::new(),
            visuals: Vec::new(),
        }
    }

    /// Moves the mass and shapes of a link into this one, at the link's pose.
    fn absorb(&mut self, link: &mut DraftLink, pose: Pose, warnings: &mut Warnings) {
        if self.hidden && !link.hidden {
            self.hidden = false;
            self.name.clone_from(&link.name);
        }
        if let Some(mass) = repair::link_mass(link, warnings) {
            self.mass = self.mass.plus(mass.moved(pose));
        } else if let Some(massless) = link.mass.filter(repair::has_valid_inertia) {
            self.massless += massless.moved(pose).inertia;
        }
        let at = |mut geometry: Geometry| {
            geometry.pose = pose * geometry.pose;
            geometry
        };
        self.colliders.extend(link.colliders.drain(..).map(at));
        self.visuals.extend(link.visuals.drain(..).map(at));
    }

    /// Converts to a link of the model; one without mass gets a default mass, unless it is fixed to the world.
    fn finish(self, fixed: bool, warnings: &mut Warnings) -> Link {
        let mass = if self.mass.kg > 0.0 || fixed {
            if self.massless != DMat3::ZERO && !fixed {
                let text = format!(
                    "link {:?}: the inertia of links without mass that are fixed to it is added to its own",
                    self.name
                );
                warnings.push(&self.place, text);
            }
            Mass {
                inertia: self.mass.inertia + self.massless,
                ..self.mass
            }
        } else {
            repair::default_mass(
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

/// Converts the moving joints, whose links are now the fused ones.
fn joints(
    draft: &Draft,
    tree: &Tree,
    moving: &[(usize, usize)],
    placements: &[(usize, Pose)],
    warnings: &mut Warnings,
) -> Vec<Joint> {
    // New index of each joint of the file; fixed joints have none.
    let mut places = vec![None; draft.joints.len()];
    for (at, &(joint, _)) in moving.iter().enumerate() {
        places[joint] = Some(at);
    }
    let mut joints: Vec<_> = moving
        .iter()
        .enumerate()
        .filter_map(|(at, &(index, parent))| {
            let written = &draft.joints[index];
            let (parent, pose) = placements[parent];
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

/// Converts a joint; `parent_pose` is the pose of its parent in the fused parent link.
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

/// Start positions before clamping to a joint's own limits: zero, or derived by the mimic from the
/// leader, which starts at zero clamped to its limits.
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

/// Clamps a start position to the joint's limits, with a warning if it changes.
fn clamped(start: f32, joint: &Joint, place: &Place, warnings: &mut Warnings) -> f32 {
    let limits = joint.limits;
    let inside = start.max(limits.lower).min(limits.upper);
    if inside != start {
        let text = format!(
            "joint {:?} starts at {inside}: {start} is outside its limits {} to {}",
            joint.name, limits.lower, limits.upper
        );
        warnings.push(place, text);
    }
    inside
}

fn frames(links: &[DraftLink], placements: &[(usize, Pose)]) -> Vec<Frame> {
    links
        .iter()
        .zip(placements)
        .filter(|(link, _)| !link.hidden)
        .map(|(link, &(part, pose))| Frame {
            name: link.name.clone(),
            link: part,
            pose,
        })
        .collect()
}

/// Pairs of parts that do not touch, each of the file's pairs of links.
fn excluded(
    draft: &Draft,
    placements: &[(usize, Pose)],
    joints: &[Joint],
    warnings: &mut Warnings,
) -> Vec<[usize; 2]> {
    // Parts that joints hold together do not touch each other anyway.
    let mut trees = vec![0; joints.len() + 1];
    for joint in joints {
        trees[joint.child] = match joint.kind {
            JointKind::Floating => joint.child,
            _ => trees[joint.parent],
        };
    }
    let part_of = |name: &NameRef| {
        let link = draft.links.iter().position(|l| l.name == name.name)?;
        Some(placements[link].0)
    };
    let mut pairs = Vec::new();
    for [a, b] in &draft.excluded {
        let (Some(first), Some(second)) = (part_of(a), part_of(b)) else {
            continue;
        };
        if trees[first] == trees[second] {
            continue;
        }
        for (name, part) in [(a, first), (b, second)] {
            let links = draft.links.iter().zip(placements);
            let fused = links.filter(|(l, p)| p.0 == part && !l.hidden).count();
            if fused > 1 {
                let text = format!(
                    "the bodies fixed to {:?} are excluded from contact too",
                    name.name
                );
                warnings.push(&name.place, text);
            }
        }
        pairs.push([first, second]);
    }
    pairs
}

/// Rejects models with values that overflowed in sums and products; later code relies on it.
fn check_finite(model: &RobotModel, places: &[Place], robot: &Place) -> Result<(), ModelError> {
    let refuse = |place: &Place, what: String| {
        ModelError::at(
            place,
            format!("{what} whose mass, inertia or lengths overflow"),
            "expected values that a robot can have",
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

/// Rejects links that lost all their colliders: they would fall through the ground.
fn check_lost(draft: &Draft) -> Result<(), ModelError> {
    let refuse = |place: &Place, what: String, lost: &[String]| {
        const LISTED: usize = 3;
        let mut found = lost[..lost.len().min(LISTED)].join("; ");
        if lost.len() > LISTED {
            found.push_str(&format!("; and {} more", lost.len() - LISTED));
        }
        ModelError::at(
            place,
            format!("{what} loses all its colliders: {found}"),
            "expected the files",
        )
        .hint(ALLOW_MISSING)
    };
    for link in &draft.links {
        if link.colliders.is_empty() && !link.lost.is_empty() {
            return Err(refuse(
                &link.place,
                format!("link {:?}", link.name),
                &link.lost,
            ));
        }
    }
    let lost = &draft.lost_surroundings;
    if draft.surroundings.colliders.is_empty() && !lost.is_empty() {
        return Err(refuse(&draft.place, "the world".to_owned(), lost));
    }
    Ok(())
}

/// Rejects height fields on links that move.
fn check_height_fields(model: &RobotModel, places: &[Place]) -> Result<(), ModelError> {
    let moving = model
        .links
        .iter()
        .zip(places)
        .skip(usize::from(model.fixed_base));
    for (link, place) in moving {
        let mut shapes = link.colliders.iter().chain(&link.visuals);
        if shapes.any(|g| matches!(g.shape, Shape::HeightField(_))) {
            let found = format!("a height field on {:?}, which moves", link.name);
            let expected = "expected height fields in <worldbody>, or on bodies without joints";
            return Err(ModelError::at(place, found, expected));
        }
    }
    Ok(())
}

fn is_finite(pose: Pose) -> bool {
    pose.translation_m.is_finite() && pose.rotation.is_finite()
}
