//! The satellite receiver: where its antenna is, and how it moves.

use super::write;
use crate::physics::{Bodies, Physics};
use becomingone_components::geodesy::{Geodetic, TangentPlane};
use becomingone_components::link::SimulationDisabled;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{
    Bias, Gnss, Mount, Noise, Reading, Sensor, SensorStats, Truth,
};
use becomingone_components::time::{Rate, SimTime};
use bevy_ecs::prelude::*;

/// A receiver's noise, and the plane that its metres are in.
#[derive(Component, Clone, Debug)]
pub struct GnssModel {
    plane: TangentPlane,
    /// Of each number: east, north, up (m), and their velocities (m/s).
    noises: [Noise; 6],
    biases: [Bias; 6],
}

impl GnssModel {
    /// Draws the errors that the run starts with.
    pub fn new(
        plane: TangentPlane,
        horizontal: Noise,
        vertical: Noise,
        velocity: Noise,
        rng: &mut Rng,
    ) -> Self {
        let noises = [
            horizontal, horizontal, vertical, velocity, velocity, velocity,
        ];
        Self {
            plane,
            biases: noises.map(|noise| Bias::turn_on(&noise, rng)),
            noises,
        }
    }

    /// The place of a world position (m).
    pub(crate) fn place(&self, position_m: [f64; 3]) -> Geodetic {
        self.plane.geodetic(position_m)
    }
}

/// Samples the receivers that are due. The antenna is where the sensor sits, so a turning robot moves it.
///
/// The noise is one of metres; the place in WGS84 is that of the noisy metres.
pub fn sample(
    physics: Res<Physics>,
    time: Res<SimTime>,
    bodies: Query<&Bodies>,
    mut receivers: Query<
        (
            &Sensor,
            &Mount,
            &mut Rate,
            &mut GnssModel,
            &mut Rng,
            &mut Reading<Gnss>,
            &mut Truth<Gnss>,
            &mut SensorStats,
        ),
        Without<SimulationDisabled>,
    >,
) {
    for (sensor, mount, mut rate, mut model, mut rng, mut reading, mut truth, mut stats) in
        &mut receivers
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
        let link = body.position();
        let antenna = link.rotation * mount.0.translation_m + link.translation;
        let position_m = antenna.to_array().map(f64::from);
        truth.0 = Gnss {
            place: model.plane.geodetic(position_m),
            position_m,
            velocity_m_s: body.velocity_at_point(antenna),
        };

        let period_s = rate.period_s();
        let GnssModel {
            plane,
            noises,
            biases,
        } = &mut *model;
        let mut number = |k: usize, x| biases[k].apply(x, period_s, &noises[k], &mut rng);
        write(&mut reading, &mut stats, time.now_ns, |said| {
            said.position_m = std::array::from_fn(|k| number(k, position_m[k]));
            said.place = plane.geodetic(said.position_m);
            for axis in 0..3 {
                let x = f64::from(truth.0.velocity_m_s[axis]);
                said.velocity_m_s[axis] = number(3 + axis, x) as f32;
            }
        });
    }
}
