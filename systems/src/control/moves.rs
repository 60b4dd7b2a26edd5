//! Requested moves: a distance straight ahead, or an angle on the spot, by wheel odometry.
//!
//! The speed is proportional to the rest near the end, and within half of the drive's limits before. A move is done once
//! its rest has been within 5 mm, or 0.008 rad, for 0.2 s. How far the true pose is off, is a matter of the odometry: less
//! than 2 cm and 2 degrees for the rover on a level floor, at its encoders' noise (`tests/tests/requests.rs`).

use super::accept::dropped;
use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::control::DrivenBy;
use becomingone_components::drive::{Drive, Odometry, Twist2};
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::governor::Governor;
use becomingone_components::request::{ActiveRequest, MoveProgress, RequestKind};
use becomingone_components::time::{NS_PER_S, SimTime};
use bevy_ecs::prelude::*;

/// Share of the drive's largest speed, yaw rate and acceleration that a move uses: the wheels keep their grip.
const SHARE: f64 = 0.5;
/// Gain from the rest to the speed (1/s): slower than the wheels and the encoders respond.
const GAIN_1_S: f64 = 2.0;
/// Gain from the error of the heading to the yaw rate (1/s).
const HEADING_GAIN_1_S: f64 = 2.0;
/// Least speed before the end (m/s and rad/s): friction holds slower wheels.
const LEAST: [f64; 2] = [0.02, 0.05];
/// Increase of the least speed while the wheels stand, as a share of it (1/s).
const PUSH_1_S: f64 = 2.0;
/// Change of the rest from which the wheels do not stand (m and rad).
const STIRRED: f64 = 0.002;
/// Tolerance (m and rad).
const NEAR: [f64; 2] = [0.005, 0.008];
/// Decrease of the rest that counts as progress (m and rad).
const PROGRESS: f64 = 0.01;
/// Time within the tolerance after which a move is done (ns).
const SETTLED_NS: u64 = NS_PER_S / 5;
/// Time without progress after which a move is given up (ns).
const GIVE_UP_NS: u64 = 5 * NS_PER_S;

/// Drives the moves that are in force.
pub(super) fn follow(
    time: Res<SimTime>,
    mut agents: Query<(
        Entity,
        &Name,
        &ActiveRequest,
        &mut MoveProgress,
        &Odometry,
        &DrivenBy,
        Option<&Governor>,
    )>,
    mut drives: Query<(&Drive, &mut ActuatorTarget<Twist2>)>,
    mut events: MessageWriter<AgentEvent>,
    mut commands: Commands,
) {
    let now_ns = time.now_ns;
    for (agent, name, request, mut progress, odometry, driven, governor) in &mut agents {
        let Ok((drive, mut target)) = drives.get_mut(driven.0) else {
            continue;
        };
        let now = [odometry.x_m, odometry.y_m, odometry.yaw_rad];
        let next = if now_ns >= request.expires_ns {
            Next::Dropped("expired")
        } else if governor.is_some_and(|g| g.stopped) {
            Next::Dropped("safety stop of its governor")
        } else {
            step(&request.what, &mut progress, now, drive, now_ns)
        };
        let end = match next {
            Next::Drive(twist) => {
                target.0 = twist;
                continue;
            }
            Next::Done => EventKind::RequestDone {
                sender: request.sender.clone(),
                what: request.what.to_string(),
            },
            Next::Dropped(why) => {
                let unit = match request.what {
                    RequestKind::Turn { .. } => "rad",
                    _ => "m",
                };
                let why = format!("{why}, {:.3} {unit} left", progress.left);
                dropped(name, request, why)
            }
        };
        // Until a controller commands the drive, it stands.
        target.0 = Twist2::default();
        events.write(AgentEvent {
            now_ns,
            agent: name.to_string(),
            kind: end,
        });
        let mut agent = commands.entity(agent);
        agent.remove::<(ActiveRequest, MoveProgress)>();
    }
}

/// Continuation of a move.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    Drive(Twist2),
    Done,
    Dropped(&'static str),
}

/// Takes the pose by odometry, x, y (m) and heading (rad), at this time.
fn step(
    what: &RequestKind,
    progress: &mut MoveProgress,
    now: [f64; 3],
    drive: &Drive,
    now_ns: u64,
) -> Next {
    let [x, y, yaw] = *progress.start.get_or_insert(now);
    let (sin, cos) = libm::sincos(yaw);
    let along = (now[0] - x) * cos + (now[1] - y) * sin;
    let turned = now[2] - yaw;
    let (left, unit) = match *what {
        RequestKind::Move { distance_m } => (distance_m - along, 0),
        RequestKind::Turn { angle_rad } => (angle_rad - turned, 1),
        // Other requests have no such progress.
        _ => return Next::Done,
    };
    progress.left = left;
    if left.abs() <= progress.least - PROGRESS {
        progress.least = left.abs();
        progress.since_ns = now_ns;
    }
    if (left - progress.still.0).abs() > STIRRED {
        progress.still = (left, now_ns);
    }
    if left.abs() <= NEAR[unit] {
        let since_ns = *progress.near_since_ns.get_or_insert(now_ns);
        return match now_ns - since_ns >= SETTLED_NS {
            true => Next::Done,
            false => Next::Drive(Twist2::default()),
        };
    }
    progress.near_since_ns = None;
    if now_ns.saturating_sub(progress.since_ns) >= GIVE_UP_NS {
        return Next::Dropped("no progress for 5 s");
    }
    let acceleration = SHARE * drive.max_acceleration_m_s2;
    let (most, braking) = match unit {
        0 => (drive.max_speed_m_s, acceleration),
        _ => (
            drive.max_yaw_rate_rad_s,
            acceleration / (drive.track_width_m / 2.0),
        ),
    };
    // From this speed, it can stop within the rest.
    let stoppable = (2.0 * braking * left.abs()).sqrt();
    let still_s = now_ns.saturating_sub(progress.still.1) as f64 / NS_PER_S as f64;
    let least = LEAST[unit] * (1.0 + PUSH_1_S * still_s);
    let speed = (GAIN_1_S * left.abs()).min(stoppable).max(least);
    let speed = speed.min(SHARE * most).copysign(left);
    Next::Drive(match unit {
        0 => Twist2 {
            linear_m_s: speed,
            angular_rad_s: (-HEADING_GAIN_1_S * turned).clamp(
                -SHARE * drive.max_yaw_rate_rad_s,
                SHARE * drive.max_yaw_rate_rad_s,
            ),
        },
        _ => Twist2 {
            linear_m_s: 0.0,
            angular_rad_s: speed,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRIVE: Drive = Drive {
        wheels: Vec::new(),
        track_width_m: 0.4,
        forward_yaw_rad: 0.0,
        centre_m: [0.0; 2],
        footprint_radius_m: 0.3,
        max_speed_m_s: 1.0,
        max_yaw_rate_rad_s: 2.0,
        max_acceleration_m_s2: 1.0,
        steering: None,
    };

    fn begun(left: f64) -> MoveProgress {
        MoveProgress {
            left,
            start: None,
            least: left.abs(),
            since_ns: 0,
            still: (left, 0),
            near_since_ns: None,
        }
    }

    /// Integrates the commands of a move exactly; returns the end of the move, the pose and the time (s).
    fn run(what: &RequestKind, left: f64, response: f64) -> (Next, [f64; 3], f64) {
        let (mut progress, mut pose) = (begun(left), [3.0, -2.0, 0.7]);
        for k in 0..200_000_u64 {
            match step(what, &mut progress, pose, &DRIVE, k * 1_000_000) {
                Next::Drive(twist) => {
                    let (sin, cos) = libm::sincos(pose[2]);
                    pose[0] += 1e-3 * response * twist.linear_m_s * cos;
                    pose[1] += 1e-3 * response * twist.linear_m_s * sin;
                    pose[2] += 1e-3 * response * twist.angular_rad_s;
                    assert!(twist.linear_m_s.abs() <= 0.5 && twist.angular_rad_s.abs() <= 1.0);
                }
                end => return (end, pose, k as f64 * 1e-3),
            }
        }
        panic!("no end: {progress:?}");
    }

    #[test]
    fn a_move_ends_at_its_distance_and_a_turn_at_its_angle() {
        for distance_m in [2.0, -0.3, 0.004] {
            let (end, pose, _) = run(&RequestKind::Move { distance_m }, distance_m, 1.0);
            let (sin, cos) = libm::sincos(0.7);
            let along = (pose[0] - 3.0) * cos + (pose[1] + 2.0) * sin;
            assert_eq!(end, Next::Done);
            assert!((along - distance_m).abs() <= NEAR[0], "{along}");
        }
        for angle_rad in [1.57, -7.0, 0.0] {
            let (end, pose, _) = run(&RequestKind::Turn { angle_rad }, angle_rad, 1.0);
            assert_eq!(end, Next::Done);
            assert!((pose[2] - 0.7 - angle_rad).abs() <= NEAR[1], "{pose:?}");
        }
    }

    #[test]
    fn a_move_without_progress_is_given_up() {
        let (end, _, at_s) = run(&RequestKind::Move { distance_m: 1.0 }, 1.0, 0.0);
        assert_eq!(end, Next::Dropped("no progress for 5 s"));
        assert!((at_s - 5.0).abs() < 0.01, "{at_s}");
        // Slow progress is progress.
        let (end, _, _) = run(&RequestKind::Move { distance_m: 1.0 }, 1.0, 0.2);
        assert_eq!(end, Next::Done);
    }
}
