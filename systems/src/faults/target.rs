//! Targets of faults, as `rover/imu/gyro_z`.

use becomingone_components::fault::DRIVE;
use becomingone_components::scene::{AgentSpec, SensorSpec};
use becomingone_components::sensor::{Schema, place};
use std::ops::Range;

/// Names and units of a sensor's numbers; empty where its kind was not read.
fn schema(sensor: &SensorSpec) -> Schema {
    sensor
        .kind
        .value()
        .map(|kind| kind.schema())
        .unwrap_or_default()
}

/// Target of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Index of the agent.
    pub agent: usize,
    /// Index of the sensor on its agent; none for its drive.
    pub sensor: Option<usize>,
    /// Which of its numbers, or of the drive's wheels or joints.
    pub numbers: Range<usize>,
    /// The sensor or drive on its agent and the part, as `imu/gyro_z`.
    pub name: String,
}

/// An invalid or ambiguous `sensor` of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultTargetError {
    /// No such agent.
    Agent,
    /// The agent of this index has neither such a sensor nor a sensor with such a part.
    Sensor(usize),
    /// The sensor of these indices has no such part.
    Part(usize, usize),
    /// The drive of the agent of this index has no such part.
    Wheel(usize),
    /// Several sensors of the agent have such a part: their names.
    Ambiguous(Vec<String>),
}

/// Resolves `agent/sensor`, `agent/sensor/part`, `agent/part`, `agent/drive` or `agent/drive/place`.
///
/// # Errors
///
/// See [`FaultTargetError`].
pub fn target(agents: &[AgentSpec], path: &str) -> Result<Target, FaultTargetError> {
    let mut words = path.splitn(3, '/');
    let named = words.next().unwrap_or_default();
    let agent = agents
        .iter()
        .position(|a| a.name == named)
        .ok_or(FaultTargetError::Agent)?;
    let second = words.next().ok_or(FaultTargetError::Sensor(agent))?;
    let part = words.next();
    if second == DRIVE {
        let (numbers, name) = match part {
            None => (0..usize::MAX, second.to_owned()),
            Some(part) => (
                place(part).ok_or(FaultTargetError::Wheel(agent))?,
                format!("{second}/{part}"),
            ),
        };
        return Ok(Target {
            agent,
            sensor: None,
            numbers,
            name,
        });
    }
    let sensors = &agents[agent].sensors;
    if let Some(sensor) = sensors.iter().position(|s| s.name == second) {
        let (numbers, name) = match part {
            None => (0..usize::MAX, second.to_owned()),
            Some(part) => {
                let schema = schema(&sensors[sensor]);
                let numbers = schema
                    .numbers(part)
                    .ok_or(FaultTargetError::Part(agent, sensor))?;
                (numbers, format!("{second}/{part}"))
            }
        };
        return Ok(Target {
            agent,
            sensor: Some(sensor),
            numbers,
            name,
        });
    }
    if part.is_some() {
        return Err(FaultTargetError::Sensor(agent));
    }
    // A number alone would be a part of any row.
    let with_part = |(k, s): (usize, &SensorSpec)| {
        let schema = schema(s);
        let known = schema.names().any(|n| n == second);
        let numbers = schema.numbers(second).filter(|_| known)?;
        Some((k, numbers))
    };
    let mut found: Vec<_> = sensors.iter().enumerate().filter_map(with_part).collect();
    match (found.pop(), found.as_slice()) {
        (None, _) => Err(FaultTargetError::Sensor(agent)),
        (Some((sensor, numbers)), []) => Ok(Target {
            agent,
            sensor: Some(sensor),
            numbers,
            name: format!("{}/{second}", sensors[sensor].name),
        }),
        (Some(last), others) => {
            let all = others.iter().chain([&last]);
            let names = all.map(|(k, _)| format!("{named}/{}/{second}", sensors[*k].name));
            Err(FaultTargetError::Ambiguous(names.collect()))
        }
    }
}
