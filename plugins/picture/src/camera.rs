//! From where a picture is seen.

use crate::PictureError;
use glam::{Mat3, Vec3};
use std::f64::consts::FRAC_PI_2;

/// From where a picture is seen: from a distance, towards a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Camera {
    /// Name of the agent that it looks at; none: at the middle of all agents, or of the obstacles where there is none.
    pub agent: Option<String>,
    /// Distance from there (m), 0.05 to 2000; none: as far as the agents and their goals fit into the picture.
    pub distance_m: Option<f64>,
    /// Direction in which it looks, counter-clockwise from the world's x (rad), within 1000.
    pub yaw_rad: f64,
    /// How far down it looks, from 0, to the horizon, to π/2 and up to 1.6, straight down (rad). From straight above, the
    /// top of the picture is in the direction of the yaw.
    pub pitch_rad: f64,
}

/// Largest pitch (rad): π/2 in any rounding.
const MAX_PITCH_RAD: f64 = 1.6;

impl Default for Camera {
    /// From behind the left shoulder of an agent that looks along x, as far as everything fits.
    fn default() -> Self {
        Self {
            agent: None,
            distance_m: None,
            yaw_rad: -0.6,
            pitch_rad: 0.6,
        }
    }
}

/// Half of the vertical angle of view (tangent): 40 degrees in all.
pub(crate) const HALF_VIEW: f32 = 0.364;

impl Camera {
    /// Checks its numbers.
    pub(crate) fn check(&self) -> Result<(), PictureError> {
        let is_far = self.distance_m.is_none_or(|m| (0.05..=2000.0).contains(&m));
        if !is_far {
            return Err(PictureError::Camera(
                "expected a distance from 0.05 to 2000 m",
            ));
        }
        // NaN is in no range.
        if !(-1e3..=1e3).contains(&self.yaw_rad) {
            return Err(PictureError::Camera("expected a yaw within 1000 rad"));
        }
        if !(0.0..=MAX_PITCH_RAD).contains(&self.pitch_rad) {
            return Err(PictureError::Camera("expected a pitch from 0 to 1.6 rad"));
        }
        Ok(())
    }

    /// Axes in the world: to the right, down in the picture, into the picture.
    pub(crate) fn axes(&self) -> Mat3 {
        let (sin, cos) = libm::sincosf(self.yaw_rad as f32);
        let right = Vec3::new(sin, -cos, 0.0);
        let (down, level) = libm::sincosf(self.pitch_rad.min(FRAC_PI_2) as f32);
        let into = Vec3::new(cos * level, sin * level, -down);
        Mat3::from_cols(right, into.cross(right), into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_those_of_a_picture() {
        let ahead = Camera {
            yaw_rad: 0.0,
            pitch_rad: 0.0,
            ..Camera::default()
        };
        let axes = ahead.axes();
        assert!(axes.col(0).abs_diff_eq(-Vec3::Y, 1e-6));
        assert!(axes.col(1).abs_diff_eq(-Vec3::Z, 1e-6));
        assert!(axes.col(2).abs_diff_eq(Vec3::X, 1e-6));
        // A map: x upwards.
        let above = Camera {
            pitch_rad: FRAC_PI_2,
            ..ahead
        };
        assert!(above.axes().col(1).abs_diff_eq(-Vec3::X, 1e-6));
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for (distance_m, yaw_rad, pitch_rad) in [
            (Some(0.0), 0.0, 0.5),
            (Some(f64::NAN), 0.0, 0.5),
            (None, f64::INFINITY, 0.5),
            (None, 0.0, -0.1),
            (None, 0.0, f64::NAN),
        ] {
            let camera = Camera {
                agent: None,
                distance_m,
                yaw_rad,
                pitch_rad,
            };
            assert!(camera.check().is_err(), "{camera:?}");
        }
        assert!(Camera::default().check().is_ok());
    }
}
