//! Range finder: the distance to the nearest object in a cone.

use super::rays;
use crate::physics::{Bodies, Physics};
use becomingone_components::check::Checks;
use becomingone_components::kind::Kind;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{Bias, Distance, Noise, SensorAt, SensorContext, SensorKind};
use bevy_ecs::prelude::*;
use glam::Vec3;
use serde::{Deserialize, Serialize};

/// Rings about the axis of a cone; the k-th has 8 k rays.
const RINGS: u32 = 3;

/// Distance to the nearest object in a cone (m), as sonars, infrared and time-of-flight sensors measure it.
/// The cone is 49 rays: objects between them are missed.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename = "Range", try_from = "RangeFields")]
pub struct RangeFinder {
    /// Angle of the cone about the sensor's x, from edge to edge (rad); 0 for one ray.
    pub fov_rad: f64,
    /// Nearest distance that is measured (m).
    pub range_min_m: f64,
    /// Farthest (m).
    pub range_max_m: f64,
    /// Noise of the distance (m).
    pub noise: Noise,
}

/// Data sheets of range finders.
#[derive(Clone, Copy, Debug, Deserialize)]
enum RangePreset {
    /// Ultrasonic HC-SR04 (Elecfreaks): 2 cm to 4 m, 15°, steps of 3 mm.
    HcSr04,
    /// Time of flight, ST `VL53L1X` (DS12385): 4 cm to 4 m, 27°, ranging error ±20 mm in the dark.
    Vl53l1x,
}

impl RangePreset {
    fn values(self) -> RangeFinder {
        let (fov_deg, [range_min_m, range_max_m]) = match self {
            Self::HcSr04 => (15.0f64, [0.02, 4.0]),
            Self::Vl53l1x => (27.0, [0.04, 4.0]),
        };
        let (white_sd, resolution) = match self {
            Self::HcSr04 => (0.0, 0.003),
            Self::Vl53l1x => (0.02, 0.001),
        };
        RangeFinder {
            fov_rad: fov_deg.to_radians(),
            range_min_m,
            range_max_m,
            noise: Noise {
                white_sd,
                resolution,
                ..Noise::default()
            },
        }
    }
}

/// As a scene has it.
#[derive(Default, Deserialize)]
#[serde(rename = "Range", deny_unknown_fields, default)]
struct RangeFields {
    preset: Option<RangePreset>,
    fov_rad: Option<f64>,
    range_min_m: Option<f64>,
    range_max_m: Option<f64>,
    noise: Option<Noise>,
}

impl TryFrom<RangeFields> for RangeFinder {
    type Error = &'static str;

    fn try_from(fields: RangeFields) -> Result<Self, Self::Error> {
        let default = match (fields.preset, fields.range_max_m) {
            (Some(preset), _) => preset.values(),
            (None, Some(_)) => Self::default(),
            (None, None) => return Err("missing field `range_max_m`, or `preset: HcSr04`"),
        };
        Ok(Self {
            fov_rad: fields.fov_rad.unwrap_or(default.fov_rad),
            range_min_m: fields.range_min_m.unwrap_or(default.range_min_m),
            range_max_m: fields.range_max_m.unwrap_or(default.range_max_m),
            noise: fields.noise.unwrap_or(default.noise),
        })
    }
}

/// One ray, up to 4 m, without noise.
impl Default for RangeFinder {
    fn default() -> Self {
        Self {
            fov_rad: 0.0,
            range_min_m: 0.0,
            range_max_m: 4.0,
            noise: Noise::default(),
        }
    }
}

/// Rays and noise of a range finder.
#[derive(Clone, Debug)]
pub struct RangeModel {
    /// Unit directions in the sensor's frame.
    directions: Vec<Vec3>,
    noise: Noise,
    bias: Bias,
}

/// The axis of a cone about x, and rings up to its edge: 49 rays; only the axis where it has no width.
fn cone(fov_rad: f64) -> Vec<Vec3> {
    let mut directions = vec![Vec3::X];
    let rings = if fov_rad > 0.0 { RINGS } else { 0 };
    for ring in 1..=rings {
        let off_axis = fov_rad / 2.0 * f64::from(ring) / f64::from(RINGS);
        let (sin, cos) = libm::sincos(off_axis);
        for k in 0..8 * ring {
            let about = std::f64::consts::TAU * f64::from(k) / f64::from(8 * ring);
            let (up, left) = libm::sincos(about);
            directions.push(Vec3::new(
                cos as f32,
                (sin * left) as f32,
                (sin * up) as f32,
            ));
        }
    }
    directions
}

impl Kind for RangeFinder {
    const NAME: &'static str = "Range";
    const ABOUT: &'static str =
        "distance to the nearest object in a cone (m); presets: HcSr04, Vl53l1x";
}

impl SensorKind for RangeFinder {
    type Measurement = Distance;
    type Model = RangeModel;
    type Param = rays::World;

    // Rays need the result of a physics step; there is none before the first.
    const FIRST_TICK: u64 = 1;

    fn check(&self, _: &SensorContext<'_>, checks: &mut Checks<'_>) {
        let expected = "radians from 0 (one ray) to half a turn";
        checks.within("fov_rad", self.fov_rad, 0.0, std::f64::consts::PI, expected);
        checks.ranges(self.range_min_m, self.range_max_m);
        self.noise.check("noise", checks);
    }

    fn blank(&self, _: &SensorContext<'_>) -> Distance {
        Distance {
            range_m: self.range_max_m as f32,
            range_min_m: self.range_min_m as f32,
            range_max_m: self.range_max_m as f32,
            fov_rad: self.fov_rad as f32,
        }
    }

    fn noises(&mut self) -> Vec<&mut Noise> {
        vec![&mut self.noise]
    }

    fn model(&self, _: &SensorContext<'_>, rng: &mut Rng) -> RangeModel {
        RangeModel {
            directions: cone(self.fov_rad),
            bias: Bias::turn_on(&self.noise, rng),
            noise: self.noise,
        }
    }

    fn truth(
        model: &mut RangeModel,
        at: &SensorAt,
        (physics, bodies): &(Res<'_, Physics>, Query<'_, '_, &Bodies>),
        truth: &mut Distance,
    ) -> bool {
        let range_max_m = truth.range_max_m;
        let mut nearest_m = range_max_m;
        let cast = rays::cast(physics, bodies, at, &model.directions, range_max_m, |m| {
            nearest_m = nearest_m.min(m);
        });
        if cast {
            truth.range_m = nearest_m;
        }
        cast
    }

    fn measure(
        RangeModel { noise, bias, .. }: &mut RangeModel,
        at: &SensorAt,
        truth: &Distance,
        rng: &mut Rng,
        reading: &mut Distance,
    ) {
        bias.walk(at.period_s, noise, rng);
        *reading = *truth;
        if truth.range_m < truth.range_max_m {
            let noisy = bias.read(f64::from(truth.range_m), noise, rng) as f32;
            reading.range_m = noisy.clamp(truth.range_min_m, truth.range_max_m);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cone_reaches_its_edge_and_no_farther() {
        assert_eq!(cone(0.0), [Vec3::X]);
        let rays = cone(0.5);
        assert_eq!(rays.len(), 49);
        let off_axis = |d: &Vec3| libm::acosf(d.x.min(1.0));
        let widest = rays.iter().map(off_axis).fold(0.0, f32::max);
        assert!((widest - 0.25).abs() < 1e-4, "{widest}");
        assert!(rays.iter().all(|d| (d.length() - 1.0).abs() < 1e-6));
        // As much to one side as to the other.
        let sum: Vec3 = rays.iter().sum();
        assert!(sum.y.abs() < 1e-5 && sum.z.abs() < 1e-5, "{sum}");
    }
}
