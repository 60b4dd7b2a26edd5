//! Pose of an agent by its controller's pose source.

use crate::angles::heading;
use becomingone_components::body::TruePose;
use becomingone_components::control::Localisation;
use becomingone_components::drive::{Drive, Odometry};
use becomingone_components::localisation::Estimate;

/// Pose of an agent by its controller's pose source: the middle of its wheels in the world (m), and its heading
/// (rad).
pub(crate) fn located(
    by: Localisation,
    truth: &TruePose,
    odometry: &Odometry,
    estimate: Option<&Estimate>,
    drive: &Drive,
) -> ([f64; 2], f64) {
    match by {
        Localisation::Odometry => ([odometry.x_m, odometry.y_m], odometry.yaw_rad),
        Localisation::Filter => {
            // Scenes are checked for a filter.
            let e = estimate.copied().unwrap_or_default();
            ([e.x_m, e.y_m], e.yaw_rad)
        }
        Localisation::Truth => {
            let p = truth.0.point(drive.centre());
            (
                [f64::from(p.x), f64::from(p.y)],
                heading(truth.0.rotation, drive.forward_yaw_rad),
            )
        }
    }
}
