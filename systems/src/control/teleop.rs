//! Teleoperation: the position of a stick becomes requests, which take precedence over the agent's controller.
//!
//! A thread that reads keys or a joystick updates a [`StickInput`]. Limits are the drive's, as for every command.

use crate::links::{ExternalInput, InputLink, InputSample};
use becomingone_components::drive::{Drive, Twist2};
use becomingone_components::link::Payload;
use becomingone_components::request::{REQUEST_LIFETIME_NS, REQUESTS, Request, RequestKind};
use becomingone_components::time::NS_PER_S;
use becomingone_components::vehicle::{Ackermann, Vehicle};
use bevy_app::{App, Plugin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Position of a stick.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stick {
    /// -1 to 1 of the drive's largest speed, forward positive.
    pub forward: f64,
    /// -1 to 1 of the drive's sharpest turn, left positive.
    pub left: f64,
}

/// A stick, shared with the thread that reads it: only its present position counts.
#[derive(Clone, Default)]
pub struct StickInput(Arc<AtomicU64>);

impl StickInput {
    /// Moves the stick, clamped to its ends.
    pub fn hold(&self, stick: Stick) {
        let bits = |x: f64| {
            let x = if x.is_finite() {
                x.clamp(-1.0, 1.0)
            } else {
                0.0
            };
            u64::from((x as f32).to_bits())
        };
        let both = bits(stick.forward) << 32 | bits(stick.left);
        self.0.store(both, Ordering::Release);
    }

    /// Position of the stick.
    pub fn stick(&self) -> Stick {
        let both = self.0.load(Ordering::Acquire);
        let number = |bits: u64| f64::from(f32::from_bits(bits as u32));
        Stick {
            forward: number(both >> 32),
            left: number(both),
        }
    }
}

/// Lets a stick drive an agent from the start of the run: nothing is sent until the stick moves.
pub struct TeleopPlugin {
    /// Name of the agent.
    pub agent: String,
    /// The stick.
    pub input: StickInput,
}

impl Plugin for TeleopPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<ExternalInput>();
        app.world_mut()
            .resource_mut::<ExternalInput>()
            .add(StickLink {
                agent: self.agent.clone(),
                input: self.input.clone(),
                sent: None,
            });
    }
}

/// Period at which an unmoved stick is sent again (ns), well below the lifetime of a request.
const REPEAT_NS: u64 = NS_PER_S / 5;

/// Link of a stick.
struct StickLink {
    agent: String,
    input: StickInput,
    /// Last position sent, and its time (ns).
    sent: Option<(Stick, u64)>,
}

impl StickLink {
    fn is_due(&self, now_ns: u64) -> bool {
        self.sent.is_none_or(|(stick, at_ns)| {
            stick != self.input.stick() || now_ns >= at_ns.saturating_add(REPEAT_NS)
        })
    }
}

impl InputLink for StickLink {
    fn link(&self) -> &str {
        REQUESTS
    }

    fn is_waiting(&self, now_ns: u64) -> bool {
        self.is_due(now_ns)
    }

    fn drain(&mut self, now_ns: u64, give: &mut dyn FnMut(InputSample)) {
        if !self.is_due(now_ns) {
            return;
        }
        let stick = self.input.stick();
        self.sent = Some((stick, now_ns));
        give(InputSample {
            source_ns: now_ns,
            arrival_ns: now_ns,
            payload: Payload::Request(Request {
                sender: "stick".to_owned(),
                agent: self.agent.clone(),
                what: RequestKind::Stick {
                    forward: stick.forward,
                    left: stick.left,
                },
                expires_ns: now_ns.saturating_add(REQUEST_LIFETIME_NS),
            }),
        });
    }

    fn reset(&mut self) {
        self.sent = None;
    }
}

/// Speed of a car at full stick (m/s): that of urban traffic.
const CAR_M_S: f64 = 14.0;

/// Command of a car at a position of the stick.
pub(super) fn car_command(forward: f64, left: f64, car: &Vehicle) -> Ackermann {
    Ackermann {
        speed_m_s: forward * CAR_M_S,
        steering_rad: left * car.0.steering.max_angle_rad,
    }
}

/// Twist of a drive at a position of the stick. A steered drive turns its wheels, and so turns only while it rolls.
pub(super) fn twist(forward: f64, left: f64, drive: &Drive) -> Twist2 {
    let linear_m_s = forward * drive.max_speed_m_s;
    let angular_rad_s = match &drive.steering {
        None => left * drive.max_yaw_rate_rad_s,
        Some(steering) => linear_m_s * left * steering.max_curvature_1_m,
    };
    Twist2 {
        linear_m_s,
        angular_rad_s,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use becomingone_components::drive::Steering;

    #[test]
    fn a_stick_turns_a_robot_on_the_spot_and_a_car_along_its_arcs() {
        let mut drive = Drive {
            wheels: Vec::new(),
            track_width_m: 0.4,
            forward_yaw_rad: 0.0,
            centre_m: [0.0; 2],
            footprint_radius_m: 0.4,
            max_speed_m_s: 2.0,
            max_yaw_rate_rad_s: 3.0,
            max_acceleration_m_s2: 1.0,
            steering: None,
        };
        let speeds = |t: Twist2| (t.linear_m_s, t.angular_rad_s);
        assert_eq!(speeds(twist(0.0, 0.5, &drive)), (0.0, 1.5));
        drive.steering = Some(Steering {
            wheels: Vec::new(),
            max_curvature_1_m: 0.5,
        });
        assert_eq!(speeds(twist(0.0, 0.5, &drive)), (0.0, 0.0));
        // Wheels to the left: the front moves left ahead, and right in reverse.
        assert_eq!(speeds(twist(0.5, 1.0, &drive)), (1.0, 0.5));
        assert_eq!(speeds(twist(-0.5, 1.0, &drive)), (-1.0, -0.5));
    }

    #[test]
    fn a_stick_is_held_within_its_ends() {
        let input = StickInput::default();
        assert_eq!(input.stick(), Stick::default());
        input.hold(Stick {
            forward: 0.5,
            left: -7.0,
        });
        assert_eq!((input.stick().forward, input.stick().left), (0.5, -1.0));
        input.hold(Stick {
            forward: f64::NAN,
            left: f64::INFINITY,
        });
        assert_eq!(input.stick(), Stick::default());
    }
}
