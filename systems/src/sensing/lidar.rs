//! The planar lidar: distances to whatever is not the robot itself.

use super::{rays, write};
use crate::physics::{Bodies, Physics};
use becomingone_components::link::SimulationDisabled;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{
    Bias, Mount, Noise, Reading, Scan, Sensor, SensorStats, Truth,
};
use becomingone_components::time::{Rate, SimTime};
use bevy_ecs::prelude::*;
use glam::Vec3;

/// A lidar's rays and noise.
#[derive(Component, Clone, Debug)]
pub struct LidarModel {
    /// Unit directions in the sensor's frame.
    directions: Vec<Vec3>,
    range_min_m: f32,
    /// Of each distance (m).
    noise: Noise,
    bias: Bias,
}

impl LidarModel {
    /// Spreads the rays over `fov_rad`, centred on x, and draws the offset that the run starts with.
    /// Also gives an empty scan of this lidar, for its readings to start from.
    pub fn new(
        rays: u32,
        fov_rad: f64,
        range_m: [f64; 2],
        noise: Noise,
        rng: &mut Rng,
    ) -> (Self, Scan) {
        // A full turn has no end ray: it would be its first one.
        let full = fov_rad >= std::f64::consts::TAU - 1e-9;
        let gaps = if full { rays } else { rays.saturating_sub(1) };
        let step = fov_rad / f64::from(gaps.max(1));
        let first = -fov_rad / 2.0;
        let directions = (0..rays)
            .map(|k| {
                let (sin, cos) = libm::sincos(first + f64::from(k) * step);
                Vec3::new(cos as f32, sin as f32, 0.0)
            })
            .collect();
        let scan = Scan {
            angle_min_rad: first as f32,
            angle_step_rad: step as f32,
            ranges_m: vec![range_m[1] as f32; rays as usize],
            range_max_m: range_m[1] as f32,
        };
        let model = Self {
            directions,
            range_min_m: range_m[0] as f32,
            bias: Bias::turn_on(&noise, rng),
            noise,
        };
        (model, scan)
    }
}

/// Casts the rays of the lidars that are due.
pub fn sample(
    physics: Res<Physics>,
    time: Res<SimTime>,
    bodies: Query<&Bodies>,
    mut lidars: Query<
        (
            &Sensor,
            &Mount,
            &mut Rate,
            &mut LidarModel,
            &mut Rng,
            &mut Reading<Scan>,
            &mut Truth<Scan>,
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
        &mut lidars
    {
        if !rate.due(time.now_ns) {
            continue;
        }
        let Ok(agent) = bodies.get(sensor.agent) else {
            continue;
        };
        let range_max_m = truth.0.range_max_m;
        let mut ranges = truth.0.ranges_m.iter_mut();
        let directions = &model.directions;
        if !rays::cast(
            &physics,
            agent,
            sensor,
            mount,
            directions,
            range_max_m,
            |m| {
                if let Some(range) = ranges.next() {
                    *range = m;
                }
            },
        ) {
            continue;
        }

        let period_s = rate.period_s();
        let LidarModel {
            range_min_m,
            noise,
            bias,
            ..
        } = &mut *model;
        // The offset is the instrument's: it walks once a turn, and is the same for all rays.
        bias.walk(period_s, noise, &mut rng);
        write(&mut reading, &mut stats, time.now_ns, |said| {
            said.angle_min_rad = truth.0.angle_min_rad;
            said.angle_step_rad = truth.0.angle_step_rad;
            said.range_max_m = range_max_m;
            said.ranges_m.clear();
            said.ranges_m.extend(truth.0.ranges_m.iter().map(|&range| {
                if range >= range_max_m {
                    return range_max_m;
                }
                let noisy = bias.read(f64::from(range), noise, &mut rng) as f32;
                noisy.clamp(*range_min_m, range_max_m)
            }));
        });
    }
}
