//! The range sensor: the distance to the nearest thing in a cone.

use super::{rays, write};
use crate::physics::{Bodies, Physics};
use becomingone_components::link::SimulationDisabled;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{
    Bias, Mount, Noise, Range, Reading, Sensor, SensorStats, Truth,
};
use becomingone_components::time::{Rate, SimTime};
use bevy_ecs::prelude::*;
use glam::Vec3;

/// Rings about the axis of a cone; the k-th has 8 k rays.
const RINGS: u32 = 3;

/// A range sensor's rays and noise.
#[derive(Component, Clone, Debug)]
pub struct RangeModel {
    /// Unit directions in the sensor's frame.
    directions: Vec<Vec3>,
    noise: Noise,
    bias: Bias,
}

impl RangeModel {
    /// Spreads the rays over the cone, and draws the errors that the run starts with.
    pub fn new(fov_rad: f64, noise: Noise, rng: &mut Rng) -> Self {
        Self {
            directions: cone(fov_rad),
            bias: Bias::turn_on(&noise, rng),
            noise,
        }
    }
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

/// Casts the rays of the range sensors that are due.
pub fn sample(
    physics: Res<Physics>,
    time: Res<SimTime>,
    bodies: Query<&Bodies>,
    mut sensors: Query<
        (
            &Sensor,
            &Mount,
            &mut Rate,
            &mut RangeModel,
            &mut Rng,
            &mut Reading<Range>,
            &mut Truth<Range>,
            &mut SensorStats,
        ),
        Without<SimulationDisabled>,
    >,
) {
    // Rays see what the last step left; before the first one there is nothing to see.
    if time.tick == 0 {
        return;
    }
    for (sensor, mount, mut rate, mut model, mut rng, mut reading, mut truth, mut stats) in
        &mut sensors
    {
        if !rate.due(time.now_ns) {
            continue;
        }
        let Ok(agent) = bodies.get(sensor.agent) else {
            continue;
        };
        let range_max_m = truth.0.range_max_m;
        let mut nearest_m = range_max_m;
        let directions = &model.directions;
        if !rays::cast(
            &physics,
            agent,
            sensor,
            mount,
            directions,
            range_max_m,
            |m| {
                nearest_m = nearest_m.min(m);
            },
        ) {
            continue;
        }
        truth.0.range_m = nearest_m;

        let period_s = rate.period_s();
        let RangeModel { noise, bias, .. } = &mut *model;
        bias.walk(period_s, noise, &mut rng);
        write(&mut reading, &mut stats, time.now_ns, |said| {
            *said = truth.0;
            if nearest_m < range_max_m {
                let noisy = bias.read(f64::from(nearest_m), noise, &mut rng) as f32;
                said.range_m = noisy.clamp(said.range_min_m, range_max_m);
            }
        });
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
