//! `<keyframe>`: start positions of joints.

use super::bodies::{Bodies, Slot};
use super::element::Element;
use crate::ModelError;
use becomingone_components::body::Pose;
use glam::{Quat, Vec3};

/// Start positions of joints: those of the key named `home`, else of the first key.
pub(super) fn read(root: &Element, bodies: &mut Bodies) -> Result<(), ModelError> {
    let keys: Vec<_> = root.all("keyframe").flat_map(|k| k.all("key")).collect();
    let home = keys
        .iter()
        .find(|k| k.values().text("name") == Some("home"));
    let Some(key) = home.or(keys.first()) else {
        return Ok(());
    };
    let v = key.values();
    let Some(qpos) = v.numbers("qpos")? else {
        return Ok(());
    };
    let width = |slot: &Slot| match slot {
        Slot::Base | Slot::Floating(_) => 7,
        Slot::Ball => 4,
        Slot::Scalar(..) => 1,
    };
    let wanted: usize = bodies.slots.iter().map(width).sum();
    if qpos.len() != wanted {
        let text = format!(
            "a keyframe with {} numbers in qpos is ignored: the joints have {wanted}",
            qpos.len()
        );
        bodies.warnings.push(&v.place("qpos"), text);
        return Ok(());
    }
    let mut rest = &*qpos;
    for slot in bodies.slots.clone() {
        let (own, after) = rest.split_at(width(&slot));
        rest = after;
        let turn = |w: &[f64]| {
            let q = Quat::from_xyzw(w[1] as f32, w[2] as f32, w[3] as f32, w[0] as f32);
            if q.length() > 1e-6 {
                q.normalize()
            } else {
                Quat::IDENTITY
            }
        };
        match slot {
            Slot::Base => {
                bodies.base_m = Vec3::new(own[0] as f32, own[1] as f32, own[2] as f32);
                bodies.upright = turn(&own[3..]);
            }
            Slot::Floating(joint) => {
                let at = Vec3::new(own[0] as f32, own[1] as f32, own[2] as f32);
                bodies.joints[joint].origin = Pose::new(at, turn(&own[3..]));
            }
            Slot::Ball => {
                if turn(own).angle_between(Quat::IDENTITY) > 1e-3 {
                    let text =
                        "ball joints start in their zero position; the keyframe's is ignored";
                    bodies.warnings.push(&v.place("qpos"), text);
                }
            }
            Slot::Scalar(joint, reference) => {
                bodies.joints[joint].start = Some((own[0] - reference) as f32);
            }
        }
    }
    Ok(())
}
