//! Magnetometer: the Earth's magnetic field in the sensor's own axes.

use crate::physics::{Bodies, Physics};
use becomingone_components::check::Checks;
use becomingone_components::kind::Kind;
use becomingone_components::scene::MAGNETIC_FIELD_T;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{
    Bias, MagneticField, Noise, SensorAt, SensorContext, SensorKind,
};
use bevy_ecs::prelude::*;
use glam::{Mat3, Vec3};
use serde::{Deserialize, Serialize};

/// Magnetic field in the sensor's axes (T), set by `world: (magnetic_field_t: ..)`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Magnetometer {
    /// Noise of each axis (T).
    #[serde(default)]
    pub noise: Noise,
    /// Hard iron: field of magnets that turn with the sensor, in its axes (T).
    #[serde(default)]
    pub hard_iron_t: [f64; 3],
    /// Soft iron: effect of iron that turns with the sensor, as rows of a matrix on the sensor's axes.
    #[serde(default = "no_iron")]
    pub soft_iron: [[f64; 3]; 3],
}

fn no_iron() -> [[f64; 3]; 3] {
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
}

/// Without noise and iron.
impl Default for Magnetometer {
    fn default() -> Self {
        Self {
            noise: Noise::default(),
            hard_iron_t: [0.0; 3],
            soft_iron: no_iron(),
        }
    }
}

/// Field, iron and noise of a magnetometer.
#[derive(Clone, Debug)]
pub struct MagnetometerModel {
    /// Uniform field, in the world's axes (T).
    field_t: Vec3,
    hard_iron_t: Vec3,
    soft_iron: Mat3,
    noise: Noise,
    biases: [Bias; 3],
}

impl Kind for Magnetometer {
    const NAME: &'static str = "Magnetometer";
    const ABOUT: &'static str = "magnetic field in the sensor's axes (T)";
}

impl SensorKind for Magnetometer {
    type Measurement = MagneticField;
    type Model = MagnetometerModel;
    type Param = (
        Res<'static, Physics>,
        Query<'static, 'static, &'static Bodies>,
    );

    fn check(&self, context: &SensorContext<'_>, checks: &mut Checks<'_>) {
        if context.world.origin.is_some() && context.world.magnetic_field_t.is_none() {
            let expected = "`magnetic_field_t: (1.29e-6, 21.53e-6, -43.23e-6)`, say, in `world`: tesla east, north \
                            and up, as the World Magnetic Model gives it";
            let found = "a magnetometer in a world with an origin and without a magnetic field";
            checks.wrong("", found, expected);
        }
        checks.flux_density("hard_iron_t", &self.hard_iron_t);
        for (k, row) in self.soft_iron.iter().enumerate() {
            for (l, &x) in row.iter().enumerate() {
                let at = format!("soft_iron[{k}][{l}]");
                checks.within(&at, x, -10.0, 10.0, "a factor within 10");
            }
        }
        self.noise.check("noise", checks);
    }

    fn noises(&mut self) -> Vec<&mut Noise> {
        vec![&mut self.noise]
    }

    fn model(&self, context: &SensorContext<'_>, rng: &mut Rng) -> MagnetometerModel {
        let vec3 = |v: [f64; 3]| Vec3::from_array(v.map(|x| x as f32));
        let rows = self.soft_iron.map(|row| row.map(|x| x as f32));
        MagnetometerModel {
            field_t: vec3(context.world.magnetic_field_t.unwrap_or(MAGNETIC_FIELD_T)),
            hard_iron_t: vec3(self.hard_iron_t),
            soft_iron: Mat3::from_cols_array_2d(&rows).transpose(),
            biases: std::array::from_fn(|_| Bias::turn_on(&self.noise, rng)),
            noise: self.noise,
        }
    }

    /// The effect of iron on the robot is an error, not the truth.
    fn truth(
        model: &mut MagnetometerModel,
        at: &SensorAt,
        (physics, bodies): &(Res<'_, Physics>, Query<'_, '_, &Bodies>),
        truth: &mut MagneticField,
    ) -> bool {
        let Some(body) = physics.body(bodies, at) else {
            return false;
        };
        let to_sensor = (body.position().rotation * at.mount.rotation).inverse();
        truth.field_t = to_sensor * model.field_t;
        true
    }

    fn measure(
        model: &mut MagnetometerModel,
        at: &SensorAt,
        truth: &MagneticField,
        rng: &mut Rng,
        reading: &mut MagneticField,
    ) {
        let distorted_t = model.soft_iron * truth.field_t + model.hard_iron_t;
        let MagnetometerModel { noise, biases, .. } = model;
        for (axis, bias) in biases.iter_mut().enumerate() {
            let x = f64::from(distorted_t[axis]);
            reading.field_t[axis] = bias.apply(x, at.period_s, noise, rng) as f32;
        }
    }
}
