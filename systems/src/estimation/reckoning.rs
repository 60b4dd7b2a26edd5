//! Dead reckoning of a vehicle: its fixed wheels roll as those of a differential drive.

use super::odometry::advance;
use becomingone_components::control::{ControllerInputs, DrivenBy};
use becomingone_components::drive::Odometry;
use becomingone_components::sensor::{EncoderAngles, Reading};
use becomingone_components::vehicle::{Vehicle, VehicleModel};
use bevy_ecs::prelude::*;

/// Advances each vehicle's odometry by its fresh encoder readings.
pub fn integrate(
    mut agents: Query<(&mut Odometry, &DrivenBy, &ControllerInputs)>,
    vehicles: Query<&Vehicle>,
    encoders: Query<&Reading<EncoderAngles>>,
) {
    for (mut odometry, driven, inputs) in &mut agents {
        let (Ok(vehicle), Some(Ok(reading))) = (
            vehicles.get(driven.0),
            inputs.encoders.map(|e| encoders.get(e)),
        ) else {
            continue;
        };
        for sample in reading.batch() {
            let Some((now, width_m)) = sides(&vehicle.0, &sample.value) else {
                continue;
            };
            advance(&mut odometry, now, width_m, sample.source_ns);
        }
    }
}

/// Mean rolled distance of the left and the right fixed wheels, and the distance between them (m); none where a side has no
/// such wheel.
fn sides(model: &VehicleModel, encoders: &EncoderAngles) -> Option<([f64; 2], f64)> {
    let side = |left: bool| {
        let (mut rolled, mut y, mut count) = (0.0, 0.0, 0u32);
        for (wheel, angle) in model.wheels.iter().zip(&encoders.angles_rad) {
            if !wheel.steered && (wheel.position_m[1] > 0.0) == left {
                rolled += angle * wheel.radius_m;
                y += wheel.position_m[1];
                count += 1;
            }
        }
        (count > 0).then(|| (rolled / f64::from(count), y / f64::from(count)))
    };
    let (left, right) = (side(true)?, side(false)?);
    Some(([left.0, right.0], left.1 - right.1))
}
