//! The contact sensor: whether its link touches anything but the ground, and how hard.

use super::write;
use crate::physics::{Bodies, Physics};
use becomingone_components::link::SimulationDisabled;
use becomingone_components::sensor::{Contact, Reading, Sensor, SensorStats, Truth};
use becomingone_components::time::{Rate, SimTime};
use bevy_ecs::prelude::*;

/// Marks a contact sensor.
#[derive(Component, Clone, Copy, Debug)]
pub struct ContactModel;

/// Samples the contact sensors that are due. They have no noise.
pub fn sample(
    physics: Res<Physics>,
    time: Res<SimTime>,
    bodies: Query<&Bodies>,
    mut contacts: Query<
        (
            &Sensor,
            &mut Rate,
            &mut Reading<Contact>,
            &mut Truth<Contact>,
            &mut SensorStats,
        ),
        (With<ContactModel>, Without<SimulationDisabled>),
    >,
) {
    let rapier = &physics.rapier;
    for (sensor, mut rate, mut reading, mut truth, mut stats) in &mut contacts {
        if !rate.due(time.now_ns) {
            continue;
        }
        let Some(body) = bodies
            .get(sensor.agent)
            .ok()
            .and_then(|b| rapier.bodies.get(*b.links.get(sensor.link)?))
        else {
            continue;
        };
        truth.0 = Contact::default();
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
                truth.0.touching = true;
                truth.0.force_n +=
                    pair.total_impulse_magnitude() / rapier.integration_parameters.dt;
            }
        }
        write(&mut reading, &mut stats, time.now_ns, |said| {
            *said = truth.0;
        });
    }
}
