//! GNSS receiver: position and velocity of its antenna.

use crate::physics::{Bodies, Physics};
use becomingone_components::check::Checks;
use becomingone_components::feature::Feature;
use becomingone_components::geodesy::{Geodetic, TangentPlane};
use becomingone_components::kind::Kind;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{Bias, GnssFix, Noise, SensorAt, SensorContext, SensorKind};
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};

/// Position and velocity of an antenna, by satellites. `world: (origin: ..)` sets the place of the scene.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Gnss {
    /// Noise of east and north, each (m). Half of all fixes are within 1.18 deviations (the CEP of data sheets).
    #[serde(default)]
    pub horizontal: Noise,
    /// Noise of up (m).
    #[serde(default)]
    pub vertical: Noise,
    /// Noise of each velocity (m/s).
    #[serde(default)]
    pub velocity: Noise,
}

/// Noise of a receiver, and the plane of its metres.
#[derive(Clone, Debug)]
pub struct GnssModel {
    plane: TangentPlane,
    /// Noise of each number: east, north, up (m), and their velocities (m/s).
    noises: [Noise; 6],
    biases: [Bias; 6],
}

impl GnssModel {
    /// WGS84 position of a world position (m).
    pub(crate) fn place(&self, position_m: [f64; 3]) -> Geodetic {
        self.plane.geodetic(position_m)
    }
}

impl Kind for Gnss {
    const NAME: &'static str = "Gnss";
    const ABOUT: &'static str = "place and velocity of an antenna, by satellites";
}

impl SensorKind for Gnss {
    type Measurement = GnssFix;
    type Model = GnssModel;
    type Param = (
        Res<'static, Physics>,
        Query<'static, 'static, &'static Bodies>,
    );

    fn check(&self, context: &SensorContext<'_>, checks: &mut Checks<'_>) {
        if context.world.origin.is_none() {
            let expected = "`origin: (latitude_deg: 47.3769, longitude_deg: 8.5417, height_m: 408)`, say, in `world`";
            checks.wrong(
                "",
                "a GNSS in a world without a place on the Earth",
                expected,
            );
        }
        self.horizontal.check("horizontal", checks);
        self.vertical.check("vertical", checks);
        self.velocity.check("velocity", checks);
    }

    fn noises(&mut self) -> Vec<&mut Noise> {
        vec![&mut self.horizontal, &mut self.vertical, &mut self.velocity]
    }

    fn model(&self, context: &SensorContext<'_>, rng: &mut Rng) -> GnssModel {
        let (horizontal, vertical, velocity) = (self.horizontal, self.vertical, self.velocity);
        let noises = [
            horizontal, horizontal, vertical, velocity, velocity, velocity,
        ];
        GnssModel {
            // Scenes are checked for an origin.
            plane: TangentPlane::new(context.world.origin.unwrap_or_default()),
            biases: noises.map(|noise| Bias::turn_on(&noise, rng)),
            noises,
        }
    }

    /// The antenna is at the sensor's mount, so that a turning robot moves it.
    fn truth(
        model: &mut GnssModel,
        at: &SensorAt,
        (physics, bodies): &(Res<'_, Physics>, Query<'_, '_, &Bodies>),
        truth: &mut GnssFix,
    ) -> bool {
        let Some(body) = physics.body(bodies, at) else {
            return false;
        };
        let link = body.position();
        let antenna = link.rotation * at.mount.translation_m + link.translation;
        let position_m = antenna.to_array().map(f64::from);
        *truth = GnssFix {
            place: model.plane.geodetic(position_m),
            position_m,
            velocity_m_s: body.velocity_at_point(antenna),
        };
        true
    }

    /// The noise is in metres; the WGS84 position is that of the noisy metres.
    fn measure(
        GnssModel {
            plane,
            noises,
            biases,
        }: &mut GnssModel,
        at: &SensorAt,
        truth: &GnssFix,
        rng: &mut Rng,
        reading: &mut GnssFix,
    ) {
        let mut number = |k: usize, x| biases[k].apply(x, at.period_s, &noises[k], rng);
        reading.position_m = std::array::from_fn(|k| number(k, truth.position_m[k]));
        reading.place = plane.geodetic(reading.position_m);
        for axis in 0..3 {
            let x = f64::from(truth.velocity_m_s[axis]);
            reading.velocity_m_s[axis] = number(3 + axis, x) as f32;
        }
    }

    /// Speed over ground. Position and north cannot be predicted from samples.
    fn channels(&self, _: &SensorContext<'_>) -> Vec<(String, Feature)> {
        vec![("speed".to_owned(), Feature::Length(GnssFix::VELOCITY))]
    }
}
