//! Contents of a robot description, for `becomingone inspect`.

use becomingone_components::body::{Joint, JointKind, Pose, RobotModel};
use serde::Serialize;
use std::fmt;

/// Contents of a robot description: counts of the file, and the model made of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// The robot's own name.
    pub name: String,
    /// As the user gave it.
    pub file: String,
    /// Links or bodies of the file.
    pub links: usize,
    /// Joints of the file that are not fixed, including mimic and free joints.
    pub moving_joints: usize,
    /// Sum over all links, and static bodies beside a free robot (kg).
    pub mass_kg: f64,
    /// Collision shapes, static ones beside a free robot included.
    pub colliders: usize,
    /// Static collision shapes beside a free robot.
    pub static_colliders: usize,
    /// Joints with position limits.
    pub limits: usize,
    /// Meshes that were not found, as the file names them.
    pub missing_meshes: Vec<String>,
    /// Repairs, unsupported elements, missing files.
    pub warnings: Vec<String>,
    /// Whether the root is fixed to the world.
    pub fixed_base: bool,
    /// Rigid bodies, parents first: links connected by fixed joints are one.
    pub tree: Vec<Part>,
}

/// A rigid body, and the joint to its parent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// Its topmost link.
    pub link: String,
    /// The other links fixed to it.
    pub holds: Vec<String>,
    /// Kilograms.
    pub mass_kg: f64,
    /// Collision shapes.
    pub colliders: usize,
    /// Position of its frame at the start, in the root's frame (m).
    pub position_m: [f32; 3],
    /// Rotation of its frame at the start, in the root's frame: w, x, y, z.
    pub rotation: [f32; 4],
    /// Centre of mass in its frame (m).
    pub com_m: [f32; 3],
    /// Inertia about the centre of mass, in its frame: xx, yy, zz, xy, xz, yz (kg m²).
    pub inertia_kg_m2: [f32; 6],
    /// Index of the parent; `None` for the root.
    pub parent: Option<usize>,
    /// Joint to the parent; `None` for the root.
    pub joint: Option<PartJoint>,
}

/// Joint of a body to its parent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartJoint {
    /// Its name in the file.
    pub name: String,
    /// Its type; `static` for the shapes of the world.
    pub kind: &'static str,
    /// Its place at the start, in the root's frame (m).
    pub anchor_m: [f32; 3],
    /// Its unit axis at the start, in the root's frame.
    pub axis: [f32; 3],
    /// Start position (rad or m).
    pub start: f32,
    /// Rotor inertia (kg m² or kg).
    pub armature: f32,
    /// Stiffness of its spring (N m/rad or N/m).
    pub stiffness: f32,
    /// Rest position of its spring (rad or m).
    pub spring_rest: f32,
    /// Position limits (rad or m); null where there is none.
    pub range: [Option<f64>; 2],
    /// Effort limit (N m or N); null where there is none.
    pub effort: Option<f64>,
    /// Velocity limit (rad/s or m/s); null where there is none.
    pub velocity: Option<f64>,
    /// The joint that it mimics.
    pub follows: Option<String>,
}

impl Inspection {
    /// Inspects a loaded robot.
    pub fn of(model: &RobotModel) -> Self {
        let poses = model.start_poses();
        let part = |index: usize| {
            let link = &model.links[index];
            let pose = poses[index];
            let inertia = link.inertial.inertia_kg_m2;
            let [w, x, y, z] = [3, 0, 1, 2].map(|k: usize| pose.rotation.to_array()[k]);
            let joint = model.joints.iter().find(|j| j.child == index);
            let held = model.frames.iter().filter(|f| f.link == index);
            Part {
                link: link.name.clone(),
                holds: held
                    .map(|f| f.name.clone())
                    .filter(|name| *name != link.name)
                    .collect(),
                mass_kg: f64::from(link.inertial.mass_kg),
                colliders: link.colliders.len(),
                position_m: pose.translation_m.to_array(),
                rotation: [w, x, y, z],
                com_m: link.inertial.com_m.to_array(),
                inertia_kg_m2: [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
                    .map(|(row, column)| inertia.col(column)[row]),
                parent: joint.map(|j| j.parent),
                joint: joint
                    .map(|j| PartJoint::of(j, model, poses[j.parent]))
                    .map(|j| PartJoint {
                        kind: if model.static_link == Some(index) {
                            "static"
                        } else {
                            j.kind
                        },
                        ..j
                    }),
            }
        };
        let tree: Vec<_> = (0..model.links.len()).map(part).collect();
        let static_colliders = model.surroundings.colliders.len();
        let bounded = |j: &&Joint| j.limits.lower.is_finite() || j.limits.upper.is_finite();
        Self {
            name: model.name.clone(),
            file: model.file.clone(),
            links: model.written.links,
            moving_joints: model.written.moving_joints,
            mass_kg: tree.iter().map(|p| p.mass_kg).sum::<f64>()
                + f64::from(model.surroundings.mass_kg),
            colliders: tree.iter().map(|p| p.colliders).sum::<usize>() + static_colliders,
            static_colliders,
            limits: model.joints.iter().filter(bounded).count(),
            missing_meshes: model.missing_meshes.clone(),
            warnings: model.warnings.clone(),
            fixed_base: model.fixed_base,
            tree,
        }
    }
}

impl PartJoint {
    fn of(joint: &Joint, model: &RobotModel, parent: Pose) -> Self {
        let frame = parent * joint.origin;
        let finite = |x: f32| x.is_finite().then(|| f64::from(x));
        let limits = &joint.limits;
        Self {
            name: joint.name.clone(),
            kind: match joint.kind {
                JointKind::Revolute => "revolute",
                JointKind::Continuous => "continuous",
                JointKind::Prismatic => "prismatic",
                JointKind::Spherical => "spherical",
                JointKind::Planar => "planar",
                JointKind::Floating => "floating",
            },
            anchor_m: frame.translation_m.to_array(),
            axis: (frame.rotation * joint.axis).to_array(),
            start: joint.start,
            armature: joint.armature,
            stiffness: joint.stiffness,
            spring_rest: joint.spring_rest,
            range: [finite(limits.lower), finite(limits.upper)],
            effort: finite(limits.effort),
            velocity: finite(limits.velocity),
            follows: joint.mimic.map(|m| model.joints[m.joint].name.clone()),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(joint) = &self.joint {
            write!(f, "{} ({}", joint.name, joint.kind)?;
            if joint.range != [None; 2] {
                let [low, high] = joint
                    .range
                    .map(|x| x.map_or("-".to_owned(), |x| format!("{x:.4}")));
                write!(f, " {low} to {high}")?;
            }
            for (bound, what) in [(joint.effort, "effort"), (joint.velocity, "velocity")] {
                if let Some(bound) = bound {
                    write!(f, ", {what} {bound:.4}")?;
                }
            }
            if let Some(leader) = &joint.follows {
                write!(f, ", follows {leader}")?;
            }
            write!(f, ") ")?;
        }
        write!(f, "{}: {:.4} kg", self.link, self.mass_kg)?;
        match self.colliders {
            0 => {}
            1 => write!(f, ", 1 collider")?,
            n => write!(f, ", {n} colliders")?,
        }
        match self.holds.as_slice() {
            [] => Ok(()),
            // The first few: a gripper's base may hold dozens.
            [names @ .., last] if names.len() < 4 => {
                let names: String = names.iter().map(|n| format!("{n}, ")).collect();
                write!(f, "; holds {names}{last}")
            }
            names => write!(
                f,
                "; holds {} links: {}, ...",
                names.len(),
                names[..3].join(", ")
            ),
        }
    }
}

/// Deepest level that is drawn as a tree.
const DRAWN: usize = 40;

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({})", self.name, self.file)?;
        let mut below = vec![Vec::new(); self.tree.len()];
        for (index, part) in self.tree.iter().enumerate() {
            if let Some(parent) = part.parent {
                below[parent].push(index);
            }
        }
        // Index, and for each level above whether more siblings follow.
        let mut open = vec![(0, Vec::<bool>::new())];
        while let Some((index, lines)) = open.pop() {
            let Some(part) = self.tree.get(index) else {
                break;
            };
            let last = lines.len().saturating_sub(1);
            for (level, &more) in lines.iter().enumerate().take(DRAWN) {
                let line = match (level == last, more) {
                    (true, true) => "├─ ",
                    (true, false) => "└─ ",
                    (false, true) => "│  ",
                    (false, false) => "   ",
                };
                f.write_str(line)?;
            }
            if lines.len() > DRAWN {
                write!(f, "... level {} ", lines.len())?;
            }
            writeln!(f, "{part}")?;
            let children = &below[index];
            for (k, &child) in children.iter().enumerate().rev() {
                let mut lines = lines.clone();
                lines.push(k + 1 < children.len());
                open.push((child, lines));
            }
        }
        let base = if self.fixed_base {
            "fixed to the world"
        } else {
            "free"
        };
        write!(
            f,
            "{} links, {} moving joints ({} with limits), {:.4} kg, {} colliders, {} bodies, base {base}",
            self.links,
            self.moving_joints,
            self.limits,
            self.mass_kg,
            self.colliders,
            self.tree.len()
        )?;
        if self.static_colliders > 0 {
            write!(f, ", {} static colliders beside it", self.static_colliders)?;
        }
        for mesh in &self.missing_meshes {
            write!(f, "\nmissing mesh: {mesh}")?;
        }
        for warning in &self.warnings {
            write!(f, "\nwarning: {warning}")?;
        }
        Ok(())
    }
}
