//! Requests that an agent cannot follow, and why.

use super::parameters;
use crate::faults::request::check_request;
use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::check::MAX_COORDINATE_M;
use becomingone_components::control::{ControllerInputs, DrivenBy, GoToPlanner};
use becomingone_components::drive::{Drive, Twist2};
use becomingone_components::governor::Governor;
use becomingone_components::joints::JointTargets;
use becomingone_components::request::{RequestKind, Stopped};
use becomingone_components::time::SimTime;
use becomingone_components::vehicle::{Ackermann, Vehicle};
use bevy_ecs::prelude::*;

/// Reason why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No agent has the name.
    #[error("found no such agent")]
    UnknownAgent,
    /// A number is NaN or infinite.
    #[error("found a number that is not finite; expected finite numbers")]
    NotFinite,
    /// It arrived after its expiry.
    #[error("found an expiry before its arrival; expected one after it")]
    Expired,
    /// A latched stop.
    #[error("found a stop of {by}; expected a `ClearStop` first")]
    Stopped {
        /// Sender of the stop.
        by: String,
    },
    /// No stop to clear.
    #[error("found no stop to clear")]
    NotStopped,
    /// A stop precedes all other requests of its tick, so that none of them clears it.
    #[error("found a stop in the same tick; expected a `ClearStop` after it")]
    StopInSameTick,
    /// The drive of the agent does not follow such a command.
    #[error("found {found}; expected {expected}")]
    OtherDrive {
        /// Its drive.
        found: &'static str,
        /// Drive of such a command.
        expected: &'static str,
    },
    /// A number is beyond its limits.
    #[error("found {found}; expected {expected}")]
    OutOfRange {
        /// The number.
        found: String,
        /// Its limits.
        expected: &'static str,
    },
    /// A parameter or a fault does not fit.
    #[error("{what}: found {found}; expected {expected}")]
    Wrong {
        /// `parameter`, or a field of the fault.
        what: &'static str,
        /// What was found.
        found: String,
        /// What fits.
        expected: String,
    },
    /// The controller has no planner.
    #[error("found no controller that drives to places; expected one such as `Patrol`")]
    NoPlanner,
    /// A steered drive turns only while it rolls.
    #[error("found steered wheels; expected a drive that turns on the spot")]
    Steered,
    /// No odometry to measure a move by.
    #[error(
        "found no wheel encoders to measure a move by; expected a sensor of the kind `Encoders`"
    )]
    NoEncoders,
    /// The latched stop of the governor.
    #[error("found a safety stop of its governor, which only a reset ends")]
    SafetyStop,
    /// Positions and speeds are not one of each servo.
    #[error(
        "found {positions} positions and {velocities} speeds of joints; expected {servos} of each"
    )]
    OtherJoints {
        /// Positions.
        positions: usize,
        /// Speeds.
        velocities: usize,
        /// Servos of the agent.
        servos: usize,
    },
}

/// Drives that follow requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    None,
    Wheels,
    Vehicle,
    Joints,
    Other,
}

impl Class {
    fn of(world: &World, agent: Entity) -> Self {
        let Some(&DrivenBy(drive)) = world.get(agent) else {
            return Self::None;
        };
        let Ok(drive) = world.get_entity(drive) else {
            return Self::None;
        };
        if drive.contains::<Drive>() && drive.contains::<ActuatorTarget<Twist2>>() {
            Self::Wheels
        } else if drive.contains::<Vehicle>() && drive.contains::<ActuatorTarget<Ackermann>>() {
            Self::Vehicle
        } else if drive.contains::<ActuatorTarget<JointTargets>>() {
            Self::Joints
        } else {
            Self::Other
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::None => "no drive",
            Self::Wheels => "driven wheels (twist)",
            Self::Vehicle => "a vehicle (speed and steering)",
            Self::Joints => "servos (joints)",
            Self::Other => "a drive of another kind",
        }
    }

    fn expect(self, expected: &[Self]) -> Result<(), Refusal> {
        match expected {
            _ if expected.contains(&self) => Ok(()),
            [one] => Err(Refusal::OtherDrive {
                found: self.name(),
                expected: one.name(),
            }),
            _ => Err(Refusal::OtherDrive {
                found: self.name(),
                expected: "driven wheels or a vehicle",
            }),
        }
    }
}

/// Largest angle of a turn (rad).
const MAX_ANGLE_RAD: f64 = 1e3;

fn within(x: f64, most: f64, expected: &'static str) -> Result<(), Refusal> {
    match x.abs() <= most {
        true => Ok(()),
        false => Err(Refusal::OutOfRange {
            found: x.to_string(),
            expected,
        }),
    }
}

/// Moves are measured by odometry.
fn measures(world: &World, agent: Entity) -> Result<(), Refusal> {
    let inputs = world.get::<ControllerInputs>(agent);
    match inputs.is_some_and(|inputs| inputs.encoders.is_some()) {
        true => Ok(()),
        false => Err(Refusal::NoEncoders),
    }
}

fn moves_freely(world: &World, agent: Entity) -> Result<(), Refusal> {
    match world.get::<Governor>(agent).is_some_and(|g| g.stopped) {
        true => Err(Refusal::SafetyStop),
        false => Ok(()),
    }
}

/// Whether an agent can follow a request at this time. The agent may refuse it nevertheless when it enters the next tick:
/// after a stop, for example.
///
/// # Errors
///
/// The reason.
pub fn check(world: &World, agent: Entity, what: &RequestKind) -> Result<(), Refusal> {
    if !what.is_finite() {
        return Err(Refusal::NotFinite);
    }
    match what {
        RequestKind::Set { parameter, value } => {
            return match parameters::changed(world, agent, parameter, *value) {
                Ok(_) => Ok(()),
                Err((found, expected)) => Err(Refusal::Wrong {
                    what: "parameter",
                    found,
                    expected,
                }),
            };
        }
        RequestKind::Fault {
            target,
            kind,
            for_s,
        } => {
            let agent = world.get::<Name>(agent).map_or("", Name::as_str);
            return check_request(world, agent, target, kind, *for_s).map_err(|wrong| {
                Refusal::Wrong {
                    // As they are called in a request.
                    what: match wrong.field {
                        "sensor" => "target",
                        "kind" => "fault",
                        other => other,
                    },
                    found: wrong.found,
                    expected: wrong.expected,
                }
            });
        }
        RequestKind::EndFaults => return Ok(()),
        _ => {}
    }
    let stopped = world.get::<Stopped>(agent);
    match (what, stopped) {
        (RequestKind::Stop, _) => return Ok(()),
        (RequestKind::ClearStop, None) => return Err(Refusal::NotStopped),
        (RequestKind::ClearStop, Some(stopped)) => {
            return match stopped.last_ns == world.resource::<SimTime>().now_ns {
                true => Err(Refusal::StopInSameTick),
                false => Ok(()),
            };
        }
        (_, Some(stopped)) => {
            return Err(Refusal::Stopped {
                by: stopped.sender.clone(),
            });
        }
        (_, None) => {}
    }
    let drive = Class::of(world, agent);
    match what {
        // They are looked at above.
        RequestKind::Stop
        | RequestKind::ClearStop
        | RequestKind::Set { .. }
        | RequestKind::Fault { .. }
        | RequestKind::EndFaults => Ok(()),
        RequestKind::Twist { .. } => drive.expect(&[Class::Wheels]),
        RequestKind::Ackermann { .. } => drive.expect(&[Class::Vehicle]),
        RequestKind::Stick { .. } => drive.expect(&[Class::Wheels, Class::Vehicle]),
        RequestKind::GoTo { x_m, y_m } => {
            // An instrument has neither.
            if world.get::<GoToPlanner>(agent).is_none() {
                return Err(Refusal::NoPlanner);
            }
            let limit = "metres within 1000";
            within(*x_m, MAX_COORDINATE_M, limit)?;
            within(*y_m, MAX_COORDINATE_M, limit)?;
            moves_freely(world, agent)
        }
        RequestKind::Move { distance_m } => {
            drive.expect(&[Class::Wheels])?;
            within(*distance_m, MAX_COORDINATE_M, "metres within 1000")?;
            measures(world, agent)?;
            moves_freely(world, agent)
        }
        RequestKind::Turn { angle_rad } => {
            drive.expect(&[Class::Wheels])?;
            within(*angle_rad, MAX_ANGLE_RAD, "radians within 1000")?;
            let drive = world
                .get::<DrivenBy>(agent)
                .and_then(|driven| world.get::<Drive>(driven.0));
            if drive.is_some_and(|drive| drive.steering.is_some()) {
                return Err(Refusal::Steered);
            }
            measures(world, agent)?;
            moves_freely(world, agent)
        }
        RequestKind::Joints {
            positions,
            velocities,
        } => {
            drive.expect(&[Class::Joints])?;
            let target = world
                .get::<DrivenBy>(agent)
                .and_then(|driven| world.get::<ActuatorTarget<JointTargets>>(driven.0));
            let servos = target.map_or(0, |target| target.0.positions.len());
            match (positions.len(), velocities.len()) == (servos, servos) {
                true => Ok(()),
                false => Err(Refusal::OtherJoints {
                    positions: positions.len(),
                    velocities: velocities.len(),
                    servos,
                }),
            }
        }
    }
}
