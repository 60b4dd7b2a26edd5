//! Headings and angles.

use glam::{Quat, Vec3};

/// Wraps an angle to -π to π.
pub(crate) fn wrap(angle_rad: f64) -> f64 {
    let turns = (angle_rad / std::f64::consts::TAU).round();
    angle_rad - turns * std::f64::consts::TAU
}

/// Heading of a body's forward direction in the world (rad).
pub(crate) fn heading(rotation: Quat, forward_yaw_rad: f64) -> f64 {
    let forward = Vec3::new(
        libm::cosf(forward_yaw_rad as f32),
        libm::sinf(forward_yaw_rad as f32),
        0.0,
    );
    let f = rotation * forward;
    libm::atan2(f64::from(f.y), f64::from(f.x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::{PI, TAU};

    #[test]
    fn wrapping_keeps_the_direction() {
        for k in -20..20 {
            let a = 0.3 + f64::from(k) * TAU;
            assert!((wrap(a) - 0.3).abs() < 1e-12);
            assert!(wrap(f64::from(k)).abs() <= PI);
        }
    }

    #[test]
    fn heading_is_that_of_the_forward_direction() {
        let left = Quat::from_rotation_z(0.4);
        assert!((heading(left, 0.0) - 0.4).abs() < 1e-6);
        assert!((heading(left, 1.0) - 1.4).abs() < 1e-6);
    }
}
