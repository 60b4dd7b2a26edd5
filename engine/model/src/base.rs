//! Free base: a robot with a floating joint to the world is not fixed to it.

use becomingone_components::body::{Joint, JointKind, Link, Pose, RobotModel};
use glam::{Mat3, Quat, Vec3};

/// Makes the largest robot that floats in the world the root, if none that is fixed there has more links.
///
/// The shapes of the world become its [`RobotModel::surroundings`]. A world that carries more than robots that float
/// stays as [`RobotModel::static_link`].
/// The root's frame is aligned with the world while the robot has the pose of the file.
pub(crate) fn free_base(mut model: RobotModel) -> RobotModel {
    if !model.fixed_base {
        return model;
    }
    // Links of the subtree of each joint; children follow their parents.
    let mut sizes = vec![1; model.links.len()];
    for joint in model.joints.iter().rev() {
        sizes[joint.parent] += sizes[joint.child];
    }
    let below_world = || model.joints.iter().filter(|j| j.parent == 0);
    let floats = |kind: JointKind| kind == JointKind::Floating;
    let largest = |free: bool| {
        let joints = below_world().filter(|j| floats(j.kind) == free);
        // The first of equal ones.
        joints.rev().max_by_key(|j| sizes[j.child])
    };
    let Some(base) = largest(true) else {
        return model;
    };
    if largest(false).is_some_and(|fixed| sizes[fixed.child] > sizes[base.child]) {
        return model;
    }
    let (root, pose) = (base.child, base.origin);
    let name = base.name.clone();
    let keeps_world = below_world().any(|j| !floats(j.kind));
    align(&mut model, root, pose.rotation);
    // Poses of the world and of what it carries, in the new root's frame.
    let back = Pose::new(-pose.translation_m, Quat::IDENTITY);
    let shapes = std::mem::take(&mut model.links[0].colliders);
    model.surroundings.colliders.extend(shapes);
    for shape in &mut model.surroundings.colliders {
        shape.pose = back * shape.pose;
    }
    model.surroundings.root_height_m = pose.translation_m.z;
    let mut joints = Vec::with_capacity(model.joints.len());
    let mut order = vec![root];
    let mut is_in_base = vec![false; model.links.len()];
    is_in_base[root] = true;
    for joint in &model.joints {
        if is_in_base[joint.parent] {
            is_in_base[joint.child] = true;
            order.push(joint.child);
            joints.push(joint.clone());
        }
    }
    if keeps_world && let Some(joint) = model.joints.iter().find(|j| j.child == root) {
        order.push(0);
        joints.push(Joint {
            name: format!("{name}/world"),
            parent: root,
            child: 0,
            origin: back,
            ..joint.clone()
        });
    }
    let others = model.joints.iter().filter(|j| !is_in_base[j.child]);
    for joint in others {
        let mut joint = joint.clone();
        order.push(joint.child);
        if !keeps_world && joint.parent == 0 {
            joint.parent = root;
            joint.origin = back * joint.origin;
        }
        joints.push(joint);
    }
    renumber(model, &order, joints, keeps_world)
}

/// Turns the axes of a link's frame to those in which the link has this rotation.
fn align(model: &mut RobotModel, link: usize, rotation: Quat) {
    let turn = Pose::new(Vec3::ZERO, rotation);
    let Link {
        inertial,
        colliders,
        visuals,
        ..
    } = &mut model.links[link];
    let matrix = Mat3::from_quat(rotation);
    inertial.com_m = rotation * inertial.com_m;
    inertial.inertia_kg_m2 = matrix * inertial.inertia_kg_m2 * matrix.transpose();
    for geometry in colliders.iter_mut().chain(visuals) {
        geometry.pose = turn * geometry.pose;
    }
    for frame in model.frames.iter_mut().filter(|f| f.link == link) {
        frame.pose = turn * frame.pose;
    }
    for joint in model.joints.iter_mut().filter(|j| j.parent == link) {
        joint.origin = turn * joint.origin;
    }
}

/// Model with its links in another order, and the joints that carry them, the root's first.
fn renumber(
    mut model: RobotModel,
    order: &[usize],
    mut joints: Vec<Joint>,
    keeps_world: bool,
) -> RobotModel {
    let mut places = vec![None; model.links.len()];
    for (new, &old) in order.iter().enumerate() {
        places[old] = Some(new);
    }
    let place = |old: usize| places[old].unwrap_or(0);
    // Mimics refer to joints, which are known by the links that they carry.
    let carried: Vec<_> = model.joints.iter().map(|j| place(j.child)).collect();
    for joint in &mut joints {
        (joint.parent, joint.child) = (place(joint.parent), place(joint.child));
        if let Some(mimic) = &mut joint.mimic {
            mimic.joint = carried[mimic.joint].saturating_sub(1);
        }
    }
    model.excluded.retain_mut(|pair| {
        let is_kept = pair.iter().all(|&link| places[link].is_some());
        *pair = pair.map(place);
        is_kept
    });
    model.frames.retain(|f| places[f.link].is_some());
    for frame in &mut model.frames {
        frame.link = place(frame.link);
    }
    model.links = order.iter().map(|&old| model.links[old].clone()).collect();
    model.joints = joints;
    model.fixed_base = false;
    model.static_link = places[0].filter(|_| keeps_world);
    model
}
