//! Planar lidar: distances along rays in a plane.

use super::rays;
use crate::physics::{Bodies, Physics};
use becomingone_components::check::Checks;
use becomingone_components::feature::Feature;
use becomingone_components::kind::Kind;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{Bias, Noise, Scan, SensorAt, SensorContext, SensorKind};
use bevy_ecs::prelude::*;
use glam::Vec3;
use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

/// Distances in a plane (m).
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Lidar {
    /// Rays per turn.
    pub rays: u32,
    /// Angle that the rays cover, centred on the sensor's x (rad).
    #[serde(default = "full_turn")]
    pub fov_rad: f64,
    /// Nearest distance that is measured (m).
    #[serde(default)]
    pub range_min_m: f64,
    /// Farthest (m).
    pub range_max_m: f64,
    /// Noise of each distance (m).
    #[serde(default)]
    pub noise: Noise,
}

fn full_turn() -> f64 {
    TAU
}

/// 360 rays of a full turn, up to 10 m, without noise.
impl Default for Lidar {
    fn default() -> Self {
        Self {
            rays: 360,
            fov_rad: TAU,
            range_min_m: 0.0,
            range_max_m: 10.0,
            noise: Noise::default(),
        }
    }
}

impl Lidar {
    /// Direction of the first ray, and angle from a ray to the next (rad).
    fn angles(&self) -> (f64, f64) {
        // A full turn has no end ray, which would be its first one.
        let full = self.fov_rad >= TAU - 1e-9;
        let gaps = if full {
            self.rays
        } else {
            self.rays.saturating_sub(1)
        };
        (-self.fov_rad / 2.0, self.fov_rad / f64::from(gaps.max(1)))
    }
}

/// Rays and noise of a lidar.
#[derive(Clone, Debug)]
pub struct LidarModel {
    /// Unit directions in the sensor's frame.
    directions: Vec<Vec3>,
    range_min_m: f32,
    noise: Noise,
    bias: Bias,
}

impl Kind for Lidar {
    const NAME: &'static str = "Lidar";
    const ABOUT: &'static str = "distances along rays in a plane (m)";
}

impl SensorKind for Lidar {
    type Measurement = Scan;
    type Model = LidarModel;
    type Param = rays::World;

    // Rays need the result of a physics step; there is none before the first.
    const FIRST_TICK: u64 = 1;

    fn check(&self, _: &SensorContext<'_>, checks: &mut Checks<'_>) {
        let rays = f64::from(self.rays);
        checks.within("rays", rays, 1.0, 100_000.0, "1 to 100000 rays");
        let turn = TAU + 1e-3;
        checks.within(
            "fov_rad",
            self.fov_rad,
            1e-6,
            turn,
            "radians up to a full turn",
        );
        checks.ranges(self.range_min_m, self.range_max_m);
        self.noise.check("noise", checks);
    }

    fn numbers(&self, _: &SensorContext<'_>) -> Option<usize> {
        Some(self.rays as usize)
    }

    fn blank(&self, _: &SensorContext<'_>) -> Scan {
        let (first, step) = self.angles();
        Scan {
            angle_min_rad: first as f32,
            angle_step_rad: step as f32,
            ranges_m: vec![self.range_max_m as f32; self.rays as usize],
            range_max_m: self.range_max_m as f32,
        }
    }

    fn noises(&mut self) -> Vec<&mut Noise> {
        vec![&mut self.noise]
    }

    fn model(&self, _: &SensorContext<'_>, rng: &mut Rng) -> LidarModel {
        let (first, step) = self.angles();
        let directions = (0..self.rays).map(|k| {
            let (sin, cos) = libm::sincos(first + f64::from(k) * step);
            Vec3::new(cos as f32, sin as f32, 0.0)
        });
        LidarModel {
            directions: directions.collect(),
            range_min_m: self.range_min_m as f32,
            bias: Bias::turn_on(&self.noise, rng),
            noise: self.noise,
        }
    }

    fn truth(
        model: &mut LidarModel,
        at: &SensorAt,
        (physics, bodies): &(Res<'_, Physics>, Query<'_, '_, &Bodies>),
        truth: &mut Scan,
    ) -> bool {
        let range_max_m = truth.range_max_m;
        let mut ranges = truth.ranges_m.iter_mut();
        rays::cast(physics, bodies, at, &model.directions, range_max_m, |m| {
            if let Some(range) = ranges.next() {
                *range = m;
            }
        })
    }

    fn measure(
        model: &mut LidarModel,
        at: &SensorAt,
        truth: &Scan,
        rng: &mut Rng,
        reading: &mut Scan,
    ) {
        let LidarModel {
            range_min_m,
            noise,
            bias,
            ..
        } = model;
        // The offset is common to all rays: it walks once per turn.
        bias.walk(at.period_s, noise, rng);
        reading.angle_min_rad = truth.angle_min_rad;
        reading.angle_step_rad = truth.angle_step_rad;
        reading.range_max_m = truth.range_max_m;
        reading.ranges_m.clear();
        reading.ranges_m.extend(truth.ranges_m.iter().map(|&range| {
            if range >= truth.range_max_m {
                return truth.range_max_m;
            }
            let noisy = bias.read(f64::from(range), noise, rng) as f32;
            noisy.clamp(*range_min_m, truth.range_max_m)
        }));
    }

    /// Rays of each half with a target.
    fn default_channels(&self, _: &SensorContext<'_>) -> Vec<(String, Feature)> {
        // In the precision of the readings.
        let reach_m = f64::from(self.range_max_m as f32);
        let (half, rays) = (self.rays as usize / 2, self.rays as usize);
        vec![
            ("hits_0".to_owned(), Feature::Hits(0, half, reach_m)),
            ("hits_1".to_owned(), Feature::Hits(half, rays, reach_m)),
        ]
    }
}
