//! Driving by input: where a person holds the stick becomes the command, in place of the controller's.
//!
//! Whoever reads the person's input, on a thread of its own, keeps a [`StickInput`]; it enters by the door, as a link of its
//! own. Limits are the drive's, as for every command.

use crate::links::{ExternalInput, InputLink, InputSample};
use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::control::{DrivenBy, Stick};
use becomingone_components::drive::{Drive, Twist2};
use becomingone_components::link::{Payload, STICK_LINK};
use becomingone_components::vehicle::{Ackermann, Vehicle};
use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A person's input, shared with the thread that reads it: only where it is now counts.
#[derive(Clone, Default)]
pub struct StickInput(Arc<AtomicU64>);

impl StickInput {
    /// Holds the stick there; what is beyond its ends is at its ends.
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

    /// Where it is.
    pub fn stick(&self) -> Stick {
        let both = self.0.load(Ordering::Acquire);
        let number = |bits: u64| f64::from(f32::from_bits(bits as u32));
        Stick {
            forward: number(both >> 32),
            left: number(both),
        }
    }
}

/// Lets a person drive an agent from the start of the run: it rests until the stick moves.
pub struct TeleopPlugin {
    /// Name of the agent.
    pub agent: String,
    /// The stick, shared with the thread that reads it.
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
                said: None,
            });
    }
}

/// The link of the stick of one agent. Its first frame gives the agent its stick.
struct StickLink {
    agent: String,
    input: StickInput,
    said: Option<Stick>,
}

impl InputLink for StickLink {
    fn link(&self) -> &str {
        STICK_LINK
    }

    fn drain(&mut self, now_ns: u64, give: &mut dyn FnMut(InputSample)) {
        let stick = self.input.stick();
        if self.said != Some(stick) {
            self.said = Some(stick);
            give(InputSample {
                source_ns: now_ns,
                arrival_ns: now_ns,
                payload: Payload::Stick {
                    agent: self.agent.clone(),
                    forward: stick.forward,
                    left: stick.left,
                },
            });
        }
    }

    fn reset(&mut self) {
        self.said = None;
    }
}

/// The command of drives that follow a twist.
pub(crate) fn drive_wheels(
    agents: Query<(&Stick, &DrivenBy)>,
    mut drives: Query<(&Drive, &mut ActuatorTarget<Twist2>)>,
) {
    for (stick, driven) in &agents {
        if let Ok((drive, mut command)) = drives.get_mut(driven.0) {
            command.0 = twist(*stick, drive);
        }
    }
}

/// Speed of a car whose stick is all ahead (m/s): that of a town.
const CAR_M_S: f64 = 14.0;

/// The command of cars.
pub(super) fn drive_cars(
    agents: Query<(&Stick, &DrivenBy)>,
    mut cars: Query<(&Vehicle, &mut ActuatorTarget<Ackermann>)>,
) {
    for (stick, driven) in &agents {
        if let Ok((car, mut command)) = cars.get_mut(driven.0) {
            command.0 = Ackermann {
                speed_m_s: stick.forward * CAR_M_S,
                steering_rad: stick.left * car.0.steering.max_angle_rad,
            };
        }
    }
}

/// What the stick asks of a drive. One that steers turns its wheels, and so turns only while it rolls.
fn twist(stick: Stick, drive: &Drive) -> Twist2 {
    let linear_m_s = stick.forward * drive.max_speed_m_s;
    let angular_rad_s = match &drive.steering {
        None => stick.left * drive.max_yaw_rate_rad_s,
        Some(steering) => linear_m_s * stick.left * steering.max_curvature_1_m,
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
        let stick = |forward, left| Stick { forward, left };
        let said = |t: Twist2| (t.linear_m_s, t.angular_rad_s);
        assert_eq!(said(twist(stick(0.0, 0.5), &drive)), (0.0, 1.5));
        drive.steering = Some(Steering {
            wheels: Vec::new(),
            max_curvature_1_m: 0.5,
        });
        assert_eq!(said(twist(stick(0.0, 0.5), &drive)), (0.0, 0.0));
        // Wheels to the left: the nose goes left ahead, and right in reverse.
        assert_eq!(said(twist(stick(0.5, 1.0), &drive)), (1.0, 0.5));
        assert_eq!(said(twist(stick(-0.5, 1.0), &drive)), (-1.0, -0.5));
    }

    #[test]
    fn a_hand_is_held_within_its_ends() {
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
