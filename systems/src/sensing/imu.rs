//! Inertial measurement unit: angular velocity, and acceleration less gravity.

use crate::physics::{Bodies, Physics};
use becomingone_components::check::Checks;
use becomingone_components::feature::Feature;
use becomingone_components::kind::Kind;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{
    Bias, ImuSample, Noise, SensorAt, SensorContext, SensorKind, elapsed_s,
};
use bevy_ecs::prelude::*;
use glam::Vec3;
use serde::{Deserialize, Serialize};

/// Three gyroscopes (rad/s) and three accelerometers (m/s²).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Imu {
    /// Noise of each gyroscope (rad/s).
    #[serde(default)]
    pub gyro: Noise,
    /// Noise of each accelerometer (m/s²).
    #[serde(default)]
    pub accelerometer: Noise,
}

/// Noise of an IMU, and its last velocity.
#[derive(Clone, Debug)]
pub struct ImuModel {
    gyro: Noise,
    accelerometer: Noise,
    biases: [Bias; 6],
    /// Velocity of the sensor at its last reading (m/s, world axes), and its time (ns).
    last: (Vec3, u64),
}

impl Kind for Imu {
    const NAME: &'static str = "Imu";
    const ABOUT: &'static str = "three gyroscopes (rad/s) and three accelerometers (m/s²)";
}

impl SensorKind for Imu {
    type Measurement = ImuSample;
    type Model = ImuModel;
    type Param = (
        Res<'static, Physics>,
        Query<'static, 'static, &'static Bodies>,
    );

    fn check(&self, _: &SensorContext<'_>, checks: &mut Checks<'_>) {
        self.gyro.check("gyro", checks);
        self.accelerometer.check("accelerometer", checks);
    }

    fn noises(&mut self) -> Vec<&mut Noise> {
        vec![&mut self.gyro, &mut self.accelerometer]
    }

    fn model(&self, _: &SensorContext<'_>, rng: &mut Rng) -> ImuModel {
        let mut bias = |k| {
            let noise = if k < 3 {
                &self.gyro
            } else {
                &self.accelerometer
            };
            Bias::turn_on(noise, rng)
        };
        ImuModel {
            biases: std::array::from_fn(&mut bias),
            gyro: self.gyro,
            accelerometer: self.accelerometer,
            // Scenes start at rest.
            last: (Vec3::ZERO, 0),
        }
    }

    /// The acceleration is the mean over the time since the last reading, in the sensor's present axes.
    /// At the very start there is no contact yet: everything falls.
    fn truth(
        model: &mut ImuModel,
        at: &SensorAt,
        (physics, bodies): &(Res<'_, Physics>, Query<'_, '_, &Bodies>),
        truth: &mut ImuSample,
    ) -> bool {
        let Some(body) = physics.body(bodies, at) else {
            return false;
        };
        let link = body.position();
        let to_sensor = (link.rotation * at.mount.rotation).inverse();
        let place = link.rotation * at.mount.translation_m + link.translation;
        let velocity = body.velocity_at_point(place);
        let (last, last_ns) = model.last;
        let gravity = physics.rapier.gravity;
        let acceleration = if at.now_ns > last_ns {
            (velocity - last) / elapsed_s(last_ns, at.now_ns) as f32
        } else {
            gravity
        };
        model.last = (velocity, at.now_ns);
        *truth = ImuSample {
            angular_velocity_rad_s: to_sensor * body.angvel(),
            specific_force_m_s2: to_sensor * (acceleration - gravity),
        };
        true
    }

    fn measure(
        model: &mut ImuModel,
        at: &SensorAt,
        truth: &ImuSample,
        rng: &mut Rng,
        reading: &mut ImuSample,
    ) {
        let ImuModel {
            gyro,
            accelerometer,
            biases,
            ..
        } = model;
        for (axis, bias) in biases.iter_mut().enumerate() {
            let (noise, from, to) = if axis < 3 {
                (
                    &*gyro,
                    truth.angular_velocity_rad_s[axis],
                    &mut reading.angular_velocity_rad_s[axis],
                )
            } else {
                (
                    &*accelerometer,
                    truth.specific_force_m_s2[axis - 3],
                    &mut reading.specific_force_m_s2[axis - 3],
                )
            };
            *to = bias.apply(f64::from(from), at.period_s, noise, rng) as f32;
        }
    }

    fn default_channels(&self, context: &SensorContext<'_>) -> Vec<(String, Feature)> {
        with_rate_of_readings(self.channels(context), context.rate_hz)
    }
}

/// Channels of a sensor, and the rate of its readings.
pub(super) fn with_rate_of_readings(
    mut channels: Vec<(String, Feature)>,
    rate_hz: f64,
) -> Vec<(String, Feature)> {
    channels.push(("count".to_owned(), Feature::Count(100.0 / rate_hz)));
    channels
}
