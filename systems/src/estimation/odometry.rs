//! Dead reckoning from wheel encoders: the differential drive's forward kinematics, integrated along
//! the arc (Siegwart, Nourbakhsh, Scaramuzza: Introduction to Autonomous Mobile Robots, 2nd ed., 5.2.4).

use becomingone_components::control::{ControllerInputs, DrivenBy};
use becomingone_components::drive::{Drive, Odometry, Twist2};
use becomingone_components::sensor::{EncoderAngles, Reading, elapsed_s};
use bevy_ecs::prelude::*;

/// Advances each agent's odometry by its fresh encoder readings.
pub fn integrate(
    mut agents: Query<(&mut Odometry, &DrivenBy, &ControllerInputs)>,
    drives: Query<&Drive>,
    encoders: Query<&Reading<EncoderAngles>>,
) {
    for (mut odometry, driven, inputs) in &mut agents {
        let (Ok(drive), Some(Ok(reading))) = (
            drives.get(driven.0),
            inputs.encoders.map(|e| encoders.get(e)),
        ) else {
            continue;
        };
        for sample in reading.batch() {
            let now = sides_m(drive, &sample.value);
            advance(&mut odometry, now, drive.track_width_m, sample.source_ns);
        }
    }
}

/// Mean rolled distance of the wheels of each side (m).
fn sides_m(drive: &Drive, encoders: &EncoderAngles) -> [f64; 2] {
    let side = |left: bool| {
        let (mut sum, mut count) = (0.0, 0u32);
        for (wheel, angle) in drive.wheels.iter().zip(&encoders.angles_rad) {
            if wheel.left == left {
                sum += angle * wheel.radius_m;
                count += 1;
            }
        }
        sum / f64::from(count.max(1))
    };
    [side(true), side(false)]
}

/// Processes one reading: the rolled distances of the left and the right side make an arc since the last one.
pub(crate) fn advance(odometry: &mut Odometry, now: [f64; 2], track_width_m: f64, stamp_ns: u64) {
    if let Some(last) = odometry.last_m {
        let (left, right) = (now[0] - last[0], now[1] - last[1]);
        let distance = (left + right) / 2.0;
        let turn = (right - left) / track_width_m;
        // The chord of the arc points along its middle heading.
        let (sin, cos) = libm::sincos(odometry.yaw_rad + turn / 2.0);
        let chord = distance * sinc(turn / 2.0);
        odometry.x_m += chord * cos;
        odometry.y_m += chord * sin;
        odometry.yaw_rad += turn;
        let dt_s = elapsed_s(odometry.stamp_ns, stamp_ns);
        if dt_s > 0.0 {
            odometry.twist = Twist2 {
                linear_m_s: distance / dt_s,
                angular_rad_s: turn / dt_s,
            };
        }
    }
    odometry.last_m = Some(now);
    odometry.stamp_ns = stamp_ns;
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-8 {
        1.0
    } else {
        libm::sin(x) / x
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use becomingone_components::drive::Wheel;
    use std::f64::consts::PI;

    fn drive() -> Drive {
        let wheel = |joint, left| Wheel {
            joint,
            sign: 1.0,
            radius_m: 0.1,
            left,
            max_torque_n_m: 1.0,
        };
        Drive {
            wheels: vec![wheel(0, true), wheel(1, false)],
            track_width_m: 0.5,
            forward_yaw_rad: 0.0,
            centre_m: [0.0; 2],
            footprint_radius_m: 0.3,
            max_speed_m_s: 1.0,
            max_yaw_rate_rad_s: 1.0,
            max_acceleration_m_s2: 1.0,
            steering: None,
        }
    }

    #[test]
    fn half_a_circle_is_exact_in_one_step() {
        // Radius 1 m to the left: the left wheel runs 0.75 π, the right one 1.25 π.
        let mut o = Odometry::default();
        for (k, share) in [0.0, 1.0].into_iter().enumerate() {
            let angles_rad = vec![share * 0.75 * PI / 0.1, share * 1.25 * PI / 0.1];
            let now = sides_m(&drive(), &EncoderAngles { angles_rad });
            advance(&mut o, now, drive().track_width_m, k as u64);
        }
        assert!(o.x_m.abs() < 1e-12);
        assert!((o.y_m - 2.0).abs() < 1e-12);
        assert!((o.yaw_rad - PI).abs() < 1e-12);
    }
}
