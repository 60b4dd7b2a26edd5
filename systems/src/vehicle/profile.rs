//! Planned speed along a track: a point mass with bounded acceleration.
//!
//! First the limit of the curvature, `v² κ = a_lat`; then a pass forward with the acceleration that is left, and one
//! backward with the deceleration that is left, both on the ellipse of the two accelerations (Heilmeier et al.,
//! Minimum curvature trajectory planning and control for an autonomous race car, Vehicle System Dynamics 58(10),
//! 2020, section 4).

use super::drive::{air_n, rolling_n};
use becomingone_components::track::Track;
use becomingone_components::vehicle::VehicleModel;
use bevy_ecs::prelude::*;

/// The planned speed at each station of the track (m/s).
#[derive(Component, Clone, Debug, PartialEq)]
pub struct SpeedProfile(pub Vec<f64>);

/// Limits of a plan.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct SpeedLimits {
    /// Speed (m/s).
    pub speed_m_s: f64,
    /// Lateral acceleration (m/s²).
    pub lateral_m_s2: f64,
    /// Acceleration forward (m/s²).
    pub acceleration_m_s2: f64,
    /// Deceleration (m/s²).
    pub deceleration_m_s2: f64,
}

impl SpeedProfile {
    /// Plans the fastest speeds within limits that the vehicle can follow. An open track ends at rest.
    pub fn plan(track: &Track, limits: &SpeedLimits, vehicle: &VehicleModel) -> Self {
        let mut speeds: Vec<f64> = track
            .stations
            .iter()
            .map(|s| {
                let inject = (limits.lateral_m_s2 / s.curvature_1_m.abs().max(1e-9)).sqrt();
                inject.min(limits.speed_m_s)
            })
            .collect();
        let n = speeds.len();
        // Acceleration left beside the curve.
        let left = |k: usize, v: f64| {
            let used = v * v * track.stations[k].curvature_1_m / limits.lateral_m_s2;
            (1.0 - used * used).max(0.0).sqrt()
        };
        if !track.closed {
            speeds[n - 1] = 0.0;
        }
        // A closed track is passed twice: limits at its end act on its begin.
        let steps = if track.closed { 2 * n } else { n - 1 };
        for i in 0..steps {
            let (k, next) = (i % n, (i + 1) % n);
            let v = speeds[k];
            let engine = vehicle.engine;
            let force = engine.max_force_n.min(engine.max_power_w / v.max(1e-3));
            let able = (force - air_n(vehicle, v) - rolling_n(vehicle)).max(0.0) / vehicle.mass_kg;
            let a = limits.acceleration_m_s2.min(able) * left(k, v);
            speeds[next] = speeds[next].min((v * v + 2.0 * a * track.step_m).sqrt());
        }
        for i in (0..steps).rev() {
            let (k, next) = (i % n, (i + 1) % n);
            let v = speeds[next];
            let able = vehicle.brake_force_n / vehicle.mass_kg;
            let a = limits.deceleration_m_s2.min(able) * left(next, v);
            speeds[k] = speeds[k].min((v * v + 2.0 * a * track.step_m).sqrt());
        }
        Self(speeds)
    }

    /// The planned speed at a length of the centre line (m/s).
    pub fn at(&self, track: &Track, s_m: f64) -> f64 {
        let steps = s_m / track.step_m;
        let whole = libm::floor(steps);
        let k = track.index(0, whole as isize);
        let next = track.index(k, 1);
        let share = steps - whole;
        self.0[k] * (1.0 - share) + self.0[next] * share
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use becomingone_components::track::TrackSpec;
    use becomingone_components::vehicle::{Engine, Steering};

    fn strong() -> VehicleModel {
        VehicleModel {
            name: String::new(),
            mass_kg: 1000.0,
            centre_of_mass_m: [0.0; 3],
            inertia_kg_m2: [1.0; 3],
            bodies: Vec::new(),
            wheels: Vec::new(),
            tyre_friction: 1.0,
            rolling_resistance: 0.0,
            drag_area_m2: 0.0,
            engine: Engine {
                max_force_n: 1e9,
                max_power_w: 1e9,
            },
            brake_force_n: 1e9,
            steering: Steering {
                max_angle_rad: 0.5,
                max_rate_rad_s: 0.4,
            },
        }
    }

    const LIMITS: SpeedLimits = SpeedLimits {
        speed_m_s: 20.0,
        lateral_m_s2: 4.0,
        acceleration_m_s2: 2.0,
        deceleration_m_s2: 3.0,
    };

    /// Two straights of 200 m and two half circles of 25 m.
    fn oval() -> Track {
        let mut centre_line_m = Vec::new();
        for k in 0..20 {
            centre_line_m.push([f64::from(k) * 10.0, 0.0]);
        }
        for k in 0..16 {
            let (sin, cos) = libm::sincos(f64::from(k) * std::f64::consts::PI / 16.0);
            centre_line_m.push([200.0 + 25.0 * sin, 25.0 - 25.0 * cos]);
        }
        for k in 0..20 {
            centre_line_m.push([200.0 - f64::from(k) * 10.0, 50.0]);
        }
        for k in 0..16 {
            let (sin, cos) = libm::sincos(f64::from(k) * std::f64::consts::PI / 16.0);
            centre_line_m.push([-25.0 * sin, 25.0 + 25.0 * cos]);
        }
        Track::new(&TrackSpec {
            centre_line_m,
            width_m: 8.0,
            closed: true,
        })
    }

    #[test]
    fn a_curve_is_passed_at_the_root_of_a_r() {
        let track = oval();
        let profile = SpeedProfile::plan(&track, &LIMITS, &strong());
        // In the middle of the bend, 10 m/s for 4 m/s² and 25 m.
        let inject = track.locate([225.0, 25.0]).s_m;
        assert!((profile.at(&track, inject) - 10.0).abs() < 0.05);
        // In the middle of the straight: the maximum.
        let straight = track.locate([100.0, 0.0]).s_m;
        assert!((profile.at(&track, straight) - 20.0).abs() < 1e-9);
        // Nothing is above its limits, from any station to the next.
        for k in 0..profile.0.len() {
            let (v, next) = (profile.0[k], profile.0[track.index(k, 1)]);
            let a = (next * next - v * v) / (2.0 * track.step_m);
            let lateral = v * v * track.stations[k].curvature_1_m;
            assert!(a < 2.0 + 1e-6 && a > -3.0 - 1e-6, "{k}: {a}");
            assert!(lateral.abs() < 4.0 + 1e-6, "{k}: {lateral}");
        }
    }

    #[test]
    fn braking_for_the_end_is_the_parabola() {
        let track = Track::new(&TrackSpec {
            centre_line_m: vec![[0.0, 0.0], [200.0, 0.0]],
            width_m: 6.0,
            closed: false,
        });
        let profile = SpeedProfile::plan(&track, &LIMITS, &strong());
        for s_m in [150.0, 180.0, 199.0f64] {
            let expected = (2.0 * 3.0 * (200.0 - s_m)).sqrt().min(20.0);
            assert!((profile.at(&track, s_m) - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn a_weak_engine_is_slower() {
        let mut weak = strong();
        weak.engine.max_power_w = 4000.0;
        weak.rolling_resistance = 0.02;
        let track = oval();
        let profile = SpeedProfile::plan(&track, &LIMITS, &weak);
        let fastest = profile.0.iter().copied().fold(0.0, f64::max);
        // Where all power goes into resistance: P = 0.02 m g v, 20.4 m/s; from 10 m/s it stays well below.
        assert!(fastest < 19.0, "{fastest}");
    }
}
