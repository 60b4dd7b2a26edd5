//! A robot as a front-end reads it, whatever the format of its file: names not yet resolved,
//! fixed joints still in, masses not yet checked.

use crate::Place;
use crate::mass::Mass;
use becomingone_components::body::{Geometry, JointKind, JointLimits, Pose, Written};
use glam::Vec3;

/// A robot, unchecked.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) name: String,
    /// As the user gave it.
    pub(crate) file: String,
    /// Of the robot as a whole.
    pub(crate) place: Place,
    /// In the order of the file.
    pub(crate) links: Vec<DraftLink>,
    /// In the order of the file.
    pub(crate) joints: Vec<DraftJoint>,
    /// Whether the root link is part of the world.
    pub(crate) fixed_base: bool,
    /// What the file counts, where that is not the length of `links` and `joints`.
    pub(crate) written: Option<Written>,
    /// Meshes that were not found.
    pub(crate) missing_meshes: Vec<String>,
    pub(crate) warnings: Warnings,
}

/// A link, unchecked.
#[derive(Debug)]
pub(crate) struct DraftLink {
    pub(crate) name: String,
    pub(crate) place: Place,
    /// It stands for no link of the file: it has no frame, and what is fixed to it gives it its name.
    pub(crate) hidden: bool,
    /// As written; `None` where nothing was.
    pub(crate) mass: Option<Mass>,
    pub(crate) colliders: Vec<Geometry>,
    pub(crate) visuals: Vec<Geometry>,
}

/// A joint, its links and the joint it follows by name.
#[derive(Debug)]
pub(crate) struct DraftJoint {
    pub(crate) name: String,
    pub(crate) place: Place,
    /// `None` is a fixed joint.
    pub(crate) kind: Option<JointKind>,
    pub(crate) parent: Named,
    pub(crate) child: Named,
    pub(crate) origin: Pose,
    /// Of unit length.
    pub(crate) axis: Vec3,
    pub(crate) limits: JointLimits,
    pub(crate) damping: f32,
    pub(crate) friction: f32,
    pub(crate) armature: f32,
    pub(crate) stiffness: f32,
    pub(crate) spring_rest: f32,
    /// Before the limits count; `None` is zero, or where a mimic puts it.
    pub(crate) start: Option<f32>,
    pub(crate) mimic: Option<DraftMimic>,
}

/// A joint's wish to follow another.
#[derive(Debug)]
pub(crate) struct DraftMimic {
    pub(crate) joint: Named,
    pub(crate) multiplier: f32,
    pub(crate) offset: f32,
}

/// A name where the file mentions it.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) place: Place,
}

/// More warnings than this are counted, not kept: nobody reads them, and a file may have millions.
const KEPT: usize = 200;

/// What was repaired, ignored or not found.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    kept: Vec<String>,
    left_out: usize,
}

impl Warnings {
    /// Adds a sentence about a place.
    pub(crate) fn push(&mut self, place: &Place, text: impl std::fmt::Display) {
        if self.kept.len() < KEPT {
            self.kept.push(format!("{place}: {text}"));
        } else {
            self.left_out += 1;
        }
    }

    /// All that were kept, and how many were not.
    pub(crate) fn finish(mut self) -> Vec<String> {
        if self.left_out > 0 {
            self.kept
                .push(format!("{} more warnings were left out", self.left_out));
        }
        self.kept
    }
}
