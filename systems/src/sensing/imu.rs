//! The inertial measurement unit: angular velocity, and acceleration less gravity.

use super::write;
use crate::physics::{Bodies, Physics};
use becomingone_components::link::SimulationDisabled;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{
    Bias, Imu, Mount, Noise, Reading, Sensor, SensorStats, Truth, elapsed_s,
};
use becomingone_components::time::{Rate, SimTime};
use bevy_ecs::prelude::*;
use glam::Vec3;

/// An IMU's noise and its memory.
#[derive(Component, Clone, Debug)]
pub struct ImuModel {
    /// Of each gyroscope (rad/s).
    pub gyro: Noise,
    /// Of each accelerometer (m/s²).
    pub accelerometer: Noise,
    biases: [Bias; 6],
    /// Velocity of the sensor at its last reading (m/s, world axes), and when (ns).
    last: (Vec3, u64),
}

impl ImuModel {
    /// Draws the offsets that the run starts with.
    pub fn new(gyro: Noise, accelerometer: Noise, rng: &mut Rng) -> Self {
        let mut bias = |k| Bias::turn_on(if k < 3 { &gyro } else { &accelerometer }, rng);
        Self {
            biases: std::array::from_fn(&mut bias),
            gyro,
            accelerometer,
            // Scenes start at rest.
            last: (Vec3::ZERO, 0),
        }
    }
}

/// Samples the IMUs that are due.
///
/// The acceleration is the mean over the time since the last reading, in the sensor's present axes.
/// At the very start nothing touches anything yet: everything falls.
pub fn sample(
    physics: Res<Physics>,
    time: Res<SimTime>,
    bodies: Query<&Bodies>,
    mut imus: Query<
        (
            &Sensor,
            &Mount,
            &mut Rate,
            &mut ImuModel,
            &mut Rng,
            &mut Reading<Imu>,
            &mut Truth<Imu>,
            &mut SensorStats,
        ),
        Without<SimulationDisabled>,
    >,
) {
    for (sensor, mount, mut rate, mut model, mut rng, mut reading, mut truth, mut stats) in
        &mut imus
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
        let to_sensor = (link.rotation * mount.0.rotation).inverse();
        let place = link.rotation * mount.0.translation_m + link.translation;
        let velocity = body.velocity_at_point(place);
        let (last, at_ns) = model.last;
        let acceleration = if time.now_ns > at_ns {
            (velocity - last) / elapsed_s(at_ns, time.now_ns) as f32
        } else {
            physics.rapier.gravity
        };
        model.last = (velocity, time.now_ns);
        truth.0 = Imu {
            angular_velocity_rad_s: to_sensor * body.angvel(),
            specific_force_m_s2: to_sensor * (acceleration - physics.rapier.gravity),
        };

        let period_s = rate.period_s();
        let ImuModel {
            gyro,
            accelerometer,
            biases,
            ..
        } = &mut *model;
        write(&mut reading, &mut stats, time.now_ns, |imu| {
            for (axis, bias) in biases.iter_mut().enumerate() {
                let (noise, from, to) = if axis < 3 {
                    (
                        &*gyro,
                        truth.0.angular_velocity_rad_s[axis],
                        &mut imu.angular_velocity_rad_s[axis],
                    )
                } else {
                    (
                        &*accelerometer,
                        truth.0.specific_force_m_s2[axis - 3],
                        &mut imu.specific_force_m_s2[axis - 3],
                    )
                };
                *to = bias.apply(f64::from(from), period_s, noise, &mut rng) as f32;
            }
        });
    }
}
