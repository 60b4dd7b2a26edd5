//! Checks that a fault's target exists, and that its kind applies to it.

use super::target::{FaultTargetError, Target, target};
use becomingone_components::fault::{DRIVE, FaultSpec, FaultTarget};
use becomingone_components::nearest::did_you_mean;
use becomingone_components::scene::{AgentSpec, LoadedAgent, SceneSpec};
use becomingone_components::sensor::{Schema, SensorContext};

/// A field of a fault that does not fit its scene.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongFault {
    /// `sensor` or `kind`.
    pub field: &'static str,
    /// What was found.
    pub found: String,
    /// What is expected.
    pub expected: String,
}

impl WrongFault {
    fn sensor(found: String, expected: String) -> Self {
        Self {
            field: "sensor",
            found,
            expected,
        }
    }

    fn kind(found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            field: "kind",
            found: found.into(),
            expected: expected.into(),
        }
    }
}

/// Checks the target of a fault of this scene, and whether its kind applies to it. `loaded` are the bodies of the agents.
///
/// # Errors
///
/// The first field that does not fit.
pub fn check(
    scene: &SceneSpec,
    loaded: &[LoadedAgent],
    fault: &FaultSpec,
) -> Result<(), WrongFault> {
    let found = format!("`{}`", fault.sensor.escape_debug());
    let target = target(&scene.agents, &fault.sensor)
        .map_err(|no| WrongFault::sensor(found.clone(), expected(scene, &fault.sensor, no)))?;
    let agent = &scene.agents[target.agent];
    let body = loaded.get(target.agent);
    let Some(sensor) = target.sensor.map(|k| &agent.sensors[k]) else {
        return drive(fault, agent, body, &target, found);
    };
    let (Some(kind), Some(named)) = (fault.kind.value(), sensor.kind.value()) else {
        return Ok(());
    };
    let schema = named.schema();
    let encoded =
        body.filter(|body| body.vehicle.is_some() || body.drive.is_some() || body.servos.is_some());
    let context = SensorContext {
        world: &scene.world,
        rate_hz: sensor.rate_hz,
        driven: true,
        encoded: encoded.map(LoadedAgent::encoded),
    };
    let row = named.numbers(&context).filter(|_| schema.is_row);
    if let Some(row) = row
        && target.numbers.start >= row
    {
        let expected = format!("one of its {row}, from 0 to {}", row.saturating_sub(1));
        return Err(WrongFault::sensor(found, expected));
    }
    if kind.is_of_drive() {
        let of = &agent.name;
        return Err(WrongFault::kind(
            "a fault of a drive for a sensor",
            format!("`{of}/{DRIVE}` or one of its wheels, `{of}/{DRIVE}/0`, as its `sensor`"),
        ));
    }
    let refused = kind.refuse(&FaultTarget {
        agent: &agent.name,
        sensor: Some(&sensor.name),
        measures: named.measures(),
        rays: schema.is_row && schema.surroundings,
        schema: &schema,
        row,
        rate_hz: sensor.rate_hz,
        numbers: target.numbers.clone(),
    });
    match refused {
        Some((found, expected)) => Err(WrongFault::kind(found, expected)),
        None => Ok(()),
    }
}

/// What is expected in place of a target that is not there.
fn expected(scene: &SceneSpec, path: &str, no: FaultTargetError) -> String {
    let mut words = path.splitn(3, '/');
    let mut word = || words.next().unwrap_or_default();
    let hint = |name: &str, names: &[&str]| did_you_mean(name, names.iter().copied());
    match no {
        FaultTargetError::Agent => {
            let names: Vec<&str> = scene.agents.iter().map(|a| a.name.as_str()).collect();
            format!(
                "`agent/sensor`, `agent/sensor/part` or `agent/part` of an agent of this scene{}",
                hint(word(), &names)
            )
        }
        FaultTargetError::Sensor(agent) => {
            word();
            let agent = &scene.agents[agent];
            let sensors: Vec<&str> = agent.sensors.iter().map(|s| s.name.as_str()).collect();
            if sensors.is_empty() {
                format!("a sensor, but `{}` has none", agent.name)
            } else {
                let kinds = agent.sensors.iter().filter_map(|s| s.kind.value());
                let schemas: Vec<Schema> = kinds.map(|kind| kind.schema()).collect();
                let mut names = sensors.clone();
                names.extend(schemas.iter().flat_map(Schema::names));
                format!(
                    "a sensor of `{}` ({}) or a part of one{}",
                    agent.name,
                    sensors.join(", "),
                    hint(word(), &names)
                )
            }
        }
        FaultTargetError::Part(agent, sensor) => {
            word();
            word();
            let sensor = &scene.agents[agent].sensors[sensor];
            let kind = sensor.kind.value();
            let schema = kind.map(|k| k.schema()).unwrap_or_default();
            if schema.is_row {
                format!("the index of a number in `{}`, from 0", sensor.name)
            } else {
                let names: Vec<&str> = schema.names().collect();
                format!(
                    "a part of `{}`: {}{}",
                    sensor.name,
                    names.join(", "),
                    hint(word(), &names)
                )
            }
        }
        FaultTargetError::Wheel(agent) => format!(
            "`{0}/{DRIVE}`, or the index of a wheel or joint that it moves, from 0: `{0}/{DRIVE}/0`",
            scene.agents[agent].name
        ),
        FaultTargetError::Ambiguous(names) => format!("one of {}", names.join(", ")),
    }
}

/// Checks a fault of a drive.
fn drive(
    fault: &FaultSpec,
    agent: &AgentSpec,
    body: Option<&LoadedAgent>,
    target: &Target,
    found: String,
) -> Result<(), WrongFault> {
    let Some(body) = body.filter(|body| body.model.is_some() || agent.model.is_none()) else {
        // An unreadable model is an error of its own.
        return Ok(());
    };
    // Whether each wheel is driven.
    let wheels: Vec<bool> = match (&body.vehicle, &body.drive) {
        (Some(vehicle), _) => vehicle.wheels.iter().map(|w| w.driven).collect(),
        (None, Some(drive)) => vec![true; drive.wheels.len()],
        (None, None) => Vec::new(),
    };
    let joints = body.servos.as_ref().map_or(0, |s| s.0.len());
    let many = wheels.len().max(joints);
    let first = target.numbers.start;
    let name = &agent.name;
    let Some(fault) = fault.kind.value() else {
        return Ok(());
    };
    if !fault.is_of_drive() {
        let expected = format!("`Slip(share)` or `Torque(share)`, or a sensor of `{name}`");
        return Err(WrongFault::kind(
            "a fault of a sensor for a drive",
            expected,
        ));
    }
    let slips = fault.start().rolled_share() != 1.0;
    if many == 0 {
        let expected = format!("an agent that is driven, which `{name}` is not");
        Err(WrongFault::sensor(found, expected))
    } else if first >= many {
        let expected = format!("one of its {many}, from 0 to {}", many - 1);
        Err(WrongFault::sensor(found, expected))
    } else if slips && wheels.is_empty() {
        Err(WrongFault::kind(
            "a slip of joints",
            "`Torque(share)`, or wheels",
        ))
    } else if target.numbers.end != usize::MAX && wheels.get(first) == Some(&false) {
        let driven = wheels.iter().enumerate().filter(|(_, on)| **on);
        let driven: Vec<String> = driven.map(|(k, _)| k.to_string()).collect();
        let expected = format!("a wheel that is driven: {}", driven.join(", "));
        Err(WrongFault::sensor(found, expected))
    } else {
        Ok(())
    }
}
