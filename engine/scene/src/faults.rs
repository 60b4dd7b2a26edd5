//! Whether a scene's faults have sensors and drives to be faults of.

use super::diagnostic::Diagnostics;
use becomingone_components::fault::{
    DRIVE, FaultKind, FaultSpec, FaultTargetError, Schema, Target, target,
};
use becomingone_components::scene::{AgentSpec, Scene, SensorKind, SensorSpec};
use becomingone_model::did_you_mean;

/// Numbers of a GNSS's places.
const PLACES: usize = 6;

/// Most numbers that a delay keeps.
const MANY_KEPT: f64 = 1e7;

/// What an agent's drive moves.
pub(super) struct DrivenParts {
    /// Whether each wheel is driven.
    pub wheels: Vec<bool>,
    /// How many joints have servos.
    pub joints: usize,
}

/// Checks every fault. `encoded` says how many wheels or joints an agent's encoders count, `powered` what its drive
/// moves; none where that is not known.
pub(super) fn check(
    scene: &Scene,
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
                            format!("a sensor, of which `{}` has none", agent.name)
                        } else {
                            let schemas: Vec<Schema> =
                                agent.sensors.iter().map(|s| Schema::of(&s.kind)).collect();
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
                        let schema = Schema::of(&sensor.kind);
                        if schema.is_row {
                            format!(
                                "the place of a number in the row that `{}` says, from 0",
                                sensor.name
                            )
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
                        "`{0}/{DRIVE}`, or the place of a wheel or joint that it moves, from 0: `{0}/{DRIVE}/0`",
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
        let row = match sensor.kind {
            SensorKind::Lidar { rays, .. } => Some(rays as usize),
            SensorKind::Encoders { .. } => encoded(target.agent),
            _ => None,
        };
        if let Some(row) = row
            && target.numbers.start >= row
        {
            let expected = format!("one of its {row}, from 0 to {}", row.saturating_sub(1));
            diagnostics.wrong(&path, found, &expected);
        }
        if let Some((found, expected)) = nonsense(fault, agent, sensor, &target) {
            diagnostics.wrong(&format!("{at}.kind"), found, &expected);
        }
        if let FaultKind::Delay(s) = fault.kind {
            let many = row.unwrap_or_else(|| Schema::of(&sensor.kind).fields.len());
            let kept = s * sensor.rate_hz * many as f64;
            if kept > MANY_KEPT {
                diagnostics.wrong(
                    &format!("{at}.kind"),
                    format_args!("{kept} numbers to keep for so long"),
                    "a shorter delay: at most 10 million numbers",
                );
            }
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
    let slips = match fault.kind {
        FaultKind::Slip(_) => true,
        FaultKind::Torque(_) => false,
        _ => {
            let expected = format!("`Slip(share)` or `Torque(share)`, or a sensor of `{name}`");
            diagnostics.wrong(&kind, "a fault of a sensor for a drive", &expected);
            return;
        }
    };
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

/// What a fault cannot mean on its sensor, and what is expected in its place.
fn nonsense(
    fault: &FaultSpec,
    agent: &AgentSpec,
    sensor: &SensorSpec,
    target: &Target,
) -> Option<(&'static str, String)> {
    let schema = Schema::of(&sensor.kind);
    let (of, name) = (&agent.name, &sensor.name);
    let whole = target.numbers.start == 0
        && (target.numbers.end == usize::MAX
            || !schema.is_row && target.numbers.end >= schema.fields.len());
    match (fault.kind, &sensor.kind) {
        (FaultKind::Scale(_), SensorKind::Gnss { .. }) if target.numbers.start < PLACES => Some((
            "a scaled place on the Earth, which has no zero to scale it from",
            format!("`Freeze`, or the part `{name}/velocity`"),
        )),
        (FaultKind::Slip(_) | FaultKind::Torque(_), _) => Some((
            "a fault of a drive for a sensor",
            format!("`{of}/{DRIVE}` or one of its wheels, `{of}/{DRIVE}/0`, as its `sensor`"),
        )),
        (FaultKind::Bias(_), SensorKind::Encoders { .. }) => Some((
            "a bias of a counter, of which only what it gains says something",
            "`Scale`, `Drift` or `Freeze`".to_owned(),
        )),
        (FaultKind::Bias(_) | FaultKind::Drift(_), SensorKind::Contact {})
            if target.numbers.start == 0 =>
        {
            Some((
                "a flag with something added",
                format!("`Freeze`, or the part `{name}/force`"),
            ))
        }
        (FaultKind::Bias(_) | FaultKind::Drift(_), _) if schema.unit(&target.numbers).is_none() => {
            let one = |name: &&str| {
                let numbers = schema.numbers(name);
                numbers.is_some_and(|n| schema.unit(&n).is_some())
            };
            let parts: Vec<&str> = schema.names().filter(one).collect();
            Some((
                "one number for several units",
                format!(
                    "a part of `{of}/{name}` with one unit: {}",
                    parts.join(", ")
                ),
            ))
        }
        (FaultKind::DropOut(_), _) if !whole => Some((
            "a part of a reading to be lost, which is lost whole",
            format!("the whole sensor, `{of}/{name}`"),
        )),
        (FaultKind::Block(_), kind) if !matches!(kind, SensorKind::Lidar { .. }) => Some((
            "a blocked sensor without rays",
            "a lidar as its `sensor`".to_owned(),
        )),
        _ => None,
    }
}
