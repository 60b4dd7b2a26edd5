//! Contact sensor: contact of its link with anything but the ground, and its force.

use crate::physics::{Bodies, Physics};
use becomingone_components::kind::Kind;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{ContactForce, SensorAt, SensorContext, SensorKind};
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};

/// Contact with anything but the ground. It has no noise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {}

impl Kind for Contact {
    const NAME: &'static str = "Contact";
    const ABOUT: &'static str = "touch of anything but the ground, and its force (N)";
}

impl SensorKind for Contact {
    type Measurement = ContactForce;
    type Model = ();
    type Param = (
        Res<'static, Physics>,
        Query<'static, 'static, &'static Bodies>,
    );

    fn model(&self, _: &SensorContext<'_>, _: &mut Rng) {}

    fn truth(
        (): &mut (),
        at: &SensorAt,
        (physics, bodies): &(Res<'_, Physics>, Query<'_, '_, &Bodies>),
        truth: &mut ContactForce,
    ) -> bool {
        let rapier = &physics.rapier;
        let Some(body) = physics.body(bodies, at) else {
            return false;
        };
        *truth = ContactForce::default();
        for &collider in body.colliders() {
            for pair in rapier.narrow_phase.contact_pairs_with(collider) {
                let other = if pair.collider1 == collider {
                    pair.collider2
                } else {
                    pair.collider1
                };
                let ground = rapier.colliders.get(other).is_none_or(|c| {
                    physics
                        .owners
                        .get(c.user_data as usize)
                        .is_none_or(|owner| owner.drivable)
                });
                if ground || !pair.has_any_active_contact() {
                    continue;
                }
                truth.touching = true;
                truth.force_n += pair.total_impulse_magnitude() / rapier.integration_parameters.dt;
            }
        }
        true
    }
}
