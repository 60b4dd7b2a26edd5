//! Checks that the targets of a scene's faults exist.

use super::diagnostic::Diagnostics;
use becomingone_components::fault::{DRIVE, FaultSpec, FaultTarget};
use becomingone_components::scene::{AgentSpec, SceneSpec};
use becomingone_components::sensor::{Schema, SensorContext};
use becomingone_model::did_you_mean;
use becomingone_systems::faults::{FaultTargetError, Target, target};

/// Parts that an agent's drive moves.
pub(super) struct DrivenParts {
    /// Whether each wheel is driven.
    pub wheels: Vec<bool>,
    /// Number of joints with servos.
    pub joints: usize,
}

/// Checks all faults. `encoded` returns the number of wheels or joints with encoders, `powered` the parts that the
/// drive moves; `None` if unknown.
pub(super) fn check(
    scene: &SceneSpec,
    encoded: impl Fn(usize) -> Option<usize>,
    powered: impl Fn(usize) -> Option<DrivenParts>,
    diagnostics: &mut Diagnostics<'_, '_>,
) {
    for (k, fault) in scene.faults.iter().enumerate() {
        let at = format!("faults[{k}]");
        let path = format!("{at}.sensor");
        let found = format!("`{}`", fault.sensor.escape_debug());
        let hint = |name: &str, names: &[&str]| did_you_mean(name, names.iter().copied());
        let target = match target(&scene.agents, &fault.sensor) {
            Ok(target) => target,
            Err(no) => {
                let mut words = fault.sensor.splitn(3, '/');
                let mut word = || words.next().unwrap_or_default();
                let expected = match no {
                    FaultTargetError::Agent => {
                        let names: Vec<&str> =
                            scene.agents.iter().map(|a| a.name.as_str()).collect();
                        format!(
                            "`agent/sensor`, `agent/sensor/part` or `agent/part` of an agent of this scene{}",
                            hint(word(), &names)
                        )
                    }
                    FaultTargetError::Sensor(agent) => {
                        word();
                        let agent = &scene.agents[agent];
                        let sensors: Vec<&str> =
                            agent.sensors.iter().map(|s| s.name.as_str()).collect();
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
                };
                diagnostics.wrong(&path, found, &expected);
                continue;
            }
        };
        let agent = &scene.agents[target.agent];
        let Some(sensor) = target.sensor.map(|k| &agent.sensors[k]) else {
            if let Some(powered) = powered(target.agent) {
                drive(fault, &at, agent, &powered, &target, diagnostics);
            }
            continue;
        };
        let (Some(kind), Some(named)) = (fault.kind.value(), sensor.kind.value()) else {
            continue;
        };
        let schema = named.schema();
        let context = SensorContext {
            world: &scene.world,
            rate_hz: sensor.rate_hz,
            driven: true,
            encoded: encoded(target.agent),
        };
        let row = named.numbers(&context).filter(|_| schema.is_row);
        if let Some(row) = row
            && target.numbers.start >= row
        {
            let expected = format!("one of its {row}, from 0 to {}", row.saturating_sub(1));
            diagnostics.wrong(&path, found, &expected);
        }
        let refused = if kind.is_of_drive() {
            let of = &agent.name;
            let expected =
                format!("`{of}/{DRIVE}` or one of its wheels, `{of}/{DRIVE}/0`, as its `sensor`");
            Some(("a fault of a drive for a sensor".to_owned(), expected))
        } else {
            kind.refuse(&FaultTarget {
                agent: &agent.name,
                sensor: Some(&sensor.name),
                measures: named.measures(),
                rays: schema.is_row && schema.surroundings,
                schema: &schema,
                row,
                rate_hz: sensor.rate_hz,
                numbers: target.numbers.clone(),
            })
        };
        if let Some((found, expected)) = refused {
            diagnostics.wrong(&format!("{at}.kind"), found, &expected);
        }
    }
}

/// Checks a fault of a drive.
fn drive(
    fault: &FaultSpec,
    at: &str,
    agent: &AgentSpec,
    powered: &DrivenParts,
    target: &Target,
    diagnostics: &mut Diagnostics<'_, '_>,
) {
    let (path, kind) = (format!("{at}.sensor"), format!("{at}.kind"));
    let found = format!("`{}`", fault.sensor.escape_debug());
    let many = powered.wheels.len().max(powered.joints);
    let first = target.numbers.start;
    let name = &agent.name;
    let Some(fault) = fault.kind.value() else {
        return;
    };
    if !fault.is_of_drive() {
        let expected = format!("`Slip(share)` or `Torque(share)`, or a sensor of `{name}`");
        diagnostics.wrong(&kind, "a fault of a sensor for a drive", &expected);
        return;
    }
    let slips = fault.start().rolled_share() != 1.0;
    if many == 0 {
        let expected = format!("an agent that is driven, which `{name}` is not");
        diagnostics.wrong(&path, found, &expected);
    } else if first >= many {
        let expected = format!("one of its {many}, from 0 to {}", many - 1);
        diagnostics.wrong(&path, found, &expected);
    } else if slips && powered.wheels.is_empty() {
        diagnostics.wrong(&kind, "a slip of joints", "`Torque(share)`, or wheels");
    } else if target.numbers.end != usize::MAX && powered.wheels.get(first) == Some(&false) {
        let driven = powered.wheels.iter().enumerate().filter(|(_, on)| **on);
        let driven: Vec<String> = driven.map(|(k, _)| k.to_string()).collect();
        let expected = format!("a wheel that is driven: {}", driven.join(", "));
        diagnostics.wrong(&path, found, &expected);
    }
}
