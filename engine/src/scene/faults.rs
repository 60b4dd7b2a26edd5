//! Whether a scene's faults have sensors to be faults of.

use super::mistake::Mistakes;
use becomingone_components::fault::{FaultKind, NoTarget, Schema, target};
use becomingone_components::scene::{Scene, SensorKind};
use becomingone_model::did_you_mean;

/// Numbers of a GNSS's places.
const PLACES: usize = 6;

/// Checks every fault. `encoded` says how many wheels or joints an agent's encoders count, none where that is not known.
pub(super) fn check(
    scene: &Scene,
    encoded: impl Fn(usize) -> Option<usize>,
    mistakes: &mut Mistakes<'_, '_>,
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
                    NoTarget::Agent => {
                        let names: Vec<&str> =
                            scene.agents.iter().map(|a| a.name.as_str()).collect();
                        format!(
                            "`agent/sensor`, `agent/sensor/part` or `agent/part` of an agent of this scene{}",
                            hint(word(), &names)
                        )
                    }
                    NoTarget::Sensor(agent) => {
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
                    NoTarget::Part(agent, sensor) => {
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
                    NoTarget::Ambiguous(names) => format!("one of {}", names.join(", ")),
                };
                mistakes.wrong(&path, found, &expected);
                continue;
            }
        };
        let sensor = &scene.agents[target.agent].sensors[target.sensor];
        let row = match sensor.kind {
            SensorKind::Lidar { rays, .. } => Some(rays as usize),
            SensorKind::Encoders { .. } => encoded(target.agent),
            _ => None,
        };
        if let Some(row) = row
            && target.numbers.start >= row
        {
            let expected = format!("one of its {row}, from 0 to {}", row.saturating_sub(1));
            mistakes.wrong(&path, found, &expected);
        }
        if matches!(sensor.kind, SensorKind::Gnss { .. })
            && matches!(fault.kind, FaultKind::Scale(_))
            && target.numbers.start < PLACES
        {
            mistakes.wrong(
                &format!("{at}.kind"),
                "a scaled place on the Earth, which has no zero to scale it from",
                &format!("`Freeze`, or the part `{}/velocity`", sensor.name),
            );
        }
    }
}
