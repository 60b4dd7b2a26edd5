//! Wheel encoders: how far each driven wheel has turned.

use super::write;
use crate::physics::motion::WheelAngles;
use becomingone_components::control::DrivenBy;
use becomingone_components::link::SimulationDisabled;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{Bias, Encoders, Noise, Reading, Sensor, SensorStats, Truth};
use becomingone_components::time::{Rate, SimTime};
use bevy_ecs::prelude::*;

/// The encoders' noise, an offset a wheel.
#[derive(Component, Clone, Debug)]
pub struct EncodersModel {
    /// Of each angle (rad).
    pub noise: Noise,
    biases: Vec<Bias>,
}

impl EncodersModel {
    /// Draws the offsets that the run starts with.
    pub fn new(noise: Noise, wheels: usize, rng: &mut Rng) -> Self {
        Self {
            biases: (0..wheels).map(|_| Bias::turn_on(&noise, rng)).collect(),
            noise,
        }
    }
}

/// Samples the encoders that are due.
pub fn sample(
    time: Res<SimTime>,
    driven: Query<&DrivenBy>,
    wheels: Query<&WheelAngles>,
    mut encoders: Query<
        (
            &Sensor,
            &mut Rate,
            &mut EncodersModel,
            &mut Rng,
            &mut Reading<Encoders>,
            &mut Truth<Encoders>,
            &mut SensorStats,
        ),
        Without<SimulationDisabled>,
    >,
) {
    for (sensor, mut rate, mut model, mut rng, mut reading, mut truth, mut stats) in &mut encoders {
        if !rate.due(time.now_ns) {
            continue;
        }
        let Some(angles) = driven
            .get(sensor.agent)
            .ok()
            .and_then(|d| wheels.get(d.0).ok())
        else {
            continue;
        };
        truth.0.angles_rad.clone_from(&angles.0);
        let period_s = rate.period_s();
        let EncodersModel { noise, biases } = &mut *model;
        write(&mut reading, &mut stats, time.now_ns, |said| {
            said.angles_rad.clear();
            said.angles_rad.extend(
                biases
                    .iter_mut()
                    .zip(&truth.0.angles_rad)
                    .map(|(bias, &angle)| bias.apply(angle, period_s, noise, &mut rng)),
            );
        });
    }
}
