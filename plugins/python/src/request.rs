//! Actions of learners as requests: rows of numbers.

use becomingone::components::request::RequestKind;

/// What a row of actions means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Speed (m/s), yaw rate (rad/s).
    Twist,
    /// Speed (m/s), angle of the steering (rad).
    Ackermann,
    /// Positions (rad or m) of all servos.
    Joints,
    /// Positions, then velocities of all servos.
    JointsAndVelocities,
}

impl Action {
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        match text {
            "twist" => Ok(Self::Twist),
            "ackermann" => Ok(Self::Ackermann),
            "joints" => Ok(Self::Joints),
            "joints_and_velocities" => Ok(Self::JointsAndVelocities),
            _ => Err(format!(
                "found the kind of actions {text:?}; expected \"twist\", \"ackermann\", \"joints\" or \"joints_and_velocities\""
            )),
        }
    }

    /// How many numbers a row has; none: any number.
    pub(crate) fn width(self) -> Option<usize> {
        match self {
            Self::Twist | Self::Ackermann => Some(2),
            Self::Joints | Self::JointsAndVelocities => None,
        }
    }

    /// The request of a row.
    pub(crate) fn request(self, row: &[f64]) -> RequestKind {
        let pair = || [0, 1].map(|k| row.get(k).copied().unwrap_or(f64::NAN));
        match self {
            Self::Twist => {
                let [linear_m_s, angular_rad_s] = pair();
                RequestKind::Twist {
                    linear_m_s,
                    angular_rad_s,
                }
            }
            Self::Ackermann => {
                let [speed_m_s, steering_rad] = pair();
                RequestKind::Ackermann {
                    speed_m_s,
                    steering_rad,
                }
            }
            Self::Joints => RequestKind::Joints {
                positions: row.to_vec(),
                velocities: vec![0.0; row.len()],
            },
            Self::JointsAndVelocities => {
                let (positions, velocities) = row.split_at(row.len() / 2);
                RequestKind::Joints {
                    positions: positions.to_vec(),
                    velocities: velocities.to_vec(),
                }
            }
        }
    }
}
