//! The magnetometer: the Earth's magnetic field in the sensor's own axes.

use super::write;
use crate::physics::{Bodies, Physics};
use becomingone_components::link::SimulationDisabled;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{
    Bias, MagneticField, Mount, Noise, Reading, Sensor, SensorStats, Truth,
};
use becomingone_components::time::{Rate, SimTime};
use bevy_ecs::prelude::*;
use glam::{Mat3, Vec3};

/// The field around a magnetometer, the iron beside it, and its noise.
#[derive(Component, Clone, Debug)]
pub struct MagnetometerModel {
    /// The same everywhere, in the world's axes (T).
    field_t: Vec3,
    hard_iron_t: Vec3,
    soft_iron: Mat3,
    /// Of each axis (T).
    noise: Noise,
    biases: [Bias; 3],
}

impl MagnetometerModel {
    /// Draws the errors that the run starts with.
    pub fn new(
        field_t: Vec3,
        hard_iron_t: Vec3,
        soft_iron: Mat3,
        noise: Noise,
        rng: &mut Rng,
    ) -> Self {
        Self {
            field_t,
            hard_iron_t,
            soft_iron,
            biases: std::array::from_fn(|_| Bias::turn_on(&noise, rng)),
            noise,
        }
    }
}

/// Samples the magnetometers that are due. What iron on the robot does to the field is an error, not the truth.
pub fn sample(
    physics: Res<Physics>,
    time: Res<SimTime>,
    bodies: Query<&Bodies>,
    mut magnetometers: Query<
        (
            &Sensor,
            &Mount,
            &mut Rate,
            &mut MagnetometerModel,
            &mut Rng,
            &mut Reading<MagneticField>,
            &mut Truth<MagneticField>,
            &mut SensorStats,
        ),
        Without<SimulationDisabled>,
    >,
) {
    for (sensor, mount, mut rate, mut model, mut rng, mut reading, mut truth, mut stats) in
        &mut magnetometers
    {
        if !rate.due(time.now_ns) {
            continue;
        }
        let Some(body) = bodies
            .get(sensor.agent)
            .ok()
            .and_then(|b| physics.rapier.bodies.get(*b.links.get(sensor.link)?))
        else {
            continue;
        };
        let to_sensor = (body.position().rotation * mount.0.rotation).inverse();
        truth.0.field_t = to_sensor * model.field_t;
        let bent_t = model.soft_iron * truth.0.field_t + model.hard_iron_t;

        let period_s = rate.period_s();
        let MagnetometerModel { noise, biases, .. } = &mut *model;
        write(&mut reading, &mut stats, time.now_ns, |said| {
            for (axis, bias) in biases.iter_mut().enumerate() {
                let x = f64::from(bent_t[axis]);
                said.field_t[axis] = bias.apply(x, period_s, noise, &mut rng) as f32;
            }
        });
    }
}
