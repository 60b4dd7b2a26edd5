//! Unchecked robot, common to all file formats: names are not resolved, fixed joints not fused,
//! masses not checked.

use crate::Place;
use crate::mass::Mass;
use becomingone_components::body::{Geometry, JointKind, JointLimits, Pose, Surroundings, Written};
use glam::Vec3;

/// Way out of an error about missing files.
pub(crate) const ALLOW_MISSING: &str =
    "--allow-missing (in a scene `allow_missing: true` at the agent) loads it without them";

/// Unchecked robot.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) name: String,
    /// Path as the user gave it.
    pub(crate) file: String,
    /// Place of the root element.
    pub(crate) place: Place,
    /// In file order.
    pub(crate) links: Vec<DraftLink>,
    /// In file order.
    pub(crate) joints: Vec<DraftJoint>,
    /// Whether the root link is fixed to the world.
    pub(crate) fixed_base: bool,
    /// Static shapes beside a free robot.
    pub(crate) surroundings: Surroundings,
    /// Pairs of links that do not touch each other.
    pub(crate) excluded: Vec<[NameRef; 2]>,
    /// Static shapes whose files were not found.
    pub(crate) lost_surroundings: Vec<String>,
    /// Whether links may lose all their colliders.
    pub(crate) allows_missing: bool,
    /// Links and joints of the file, if they differ in number from `links` and `joints`.
    pub(crate) written: Option<Written>,
    /// Names of meshes without a file.
    pub(crate) missing_meshes: Vec<String>,
    pub(crate) warnings: Warnings,
}

/// Unchecked link.
#[derive(Debug)]
pub(crate) struct DraftLink {
    pub(crate) name: String,
    pub(crate) place: Place,
    /// Auxiliary link that is not in the file: it has no frame, and takes the name of a link fixed to it.
    pub(crate) hidden: bool,
    /// Mass given in the file, if any.
    pub(crate) mass: Option<Mass>,
    pub(crate) colliders: Vec<Geometry>,
    pub(crate) visuals: Vec<Geometry>,
    /// Colliders whose files were not found: where, and what was searched.
    pub(crate) lost: Vec<String>,
}

/// Unchecked joint; links and the mimicked joint are referred to by name.
#[derive(Debug)]
pub(crate) struct DraftJoint {
    pub(crate) name: String,
    pub(crate) place: Place,
    /// `None` for a fixed joint.
    pub(crate) kind: Option<JointKind>,
    pub(crate) parent: NameRef,
    pub(crate) child: NameRef,
    pub(crate) origin: Pose,
    /// Unit vector.
    pub(crate) axis: Vec3,
    pub(crate) limits: JointLimits,
    pub(crate) damping: f32,
    pub(crate) friction: f32,
    pub(crate) armature: f32,
    pub(crate) stiffness: f32,
    pub(crate) spring_rest: f32,
    /// Start position before clamping to the limits; `None`: zero, or derived from the mimicked joint.
    pub(crate) start: Option<f32>,
    pub(crate) mimic: Option<DraftMimic>,
}

/// Mimic of another joint.
#[derive(Debug)]
pub(crate) struct DraftMimic {
    pub(crate) joint: NameRef,
    pub(crate) multiplier: f32,
    pub(crate) offset: f32,
}

/// Reference by name, with its place in the file.
#[derive(Clone, Debug)]
pub(crate) struct NameRef {
    pub(crate) name: String,
    pub(crate) place: Place,
}

/// Most warnings that are kept; the rest is counted, as a file may cause millions.
const MAX_WARNINGS: usize = 200;

/// Warnings about repaired, ignored or missing parts of a file.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    kept: Vec<String>,
    omitted: usize,
}

impl Warnings {
    /// Adds a warning at a place.
    pub(crate) fn push(&mut self, place: &Place, text: impl std::fmt::Display) {
        if self.kept.len() < MAX_WARNINGS {
            self.kept.push(format!("{place}: {text}"));
        } else {
            self.omitted += 1;
        }
    }

    /// Adds all warnings of another reader.
    pub(crate) fn append(&mut self, other: Self) {
        self.omitted += other.omitted;
        for text in other.kept {
            if self.kept.len() < MAX_WARNINGS {
                self.kept.push(text);
            } else {
                self.omitted += 1;
            }
        }
    }

    /// Returns the kept warnings, and the number of the others as a last one.
    pub(crate) fn finish(mut self) -> Vec<String> {
        if self.omitted > 0 {
            self.kept
                .push(format!("{} more warnings are not shown", self.omitted));
        }
        self.kept
    }
}
