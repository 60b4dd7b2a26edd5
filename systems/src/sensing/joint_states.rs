//! Joint states: position, speed and effort of named joints.

use super::power::Motors;
use crate::physics::joints::position;
use becomingone_components::body::{JointKind, RobotModel};
use becomingone_components::check::Checks;
use becomingone_components::kind::Kind;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{
    Bias, Column, Columns, Noise, Schema, SensorAt, SensorContext, SensorKind, ValueRow,
};
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

/// Most names in a message.
const LISTED: usize = 12;

/// Position, speed and motor effort of joints, as ROS's `sensor_msgs/JointState` has them.
///
/// Numbers: `NAME_position` (rad, turns are counted; m), `NAME_velocity` (rad/s, m/s) and `NAME_effort` (N m, N) of
/// each of `joints`, then of each of `slides`. The effort is that of the motor which moves or holds the joint; without
/// one it is that of its damping or friction.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, from = "JointStatesFields")]
pub struct JointStates {
    /// Names of joints that turn.
    pub joints: Vec<String>,
    /// Names of prismatic joints.
    pub slides: Vec<String>,
    /// Noise of each position (rad or m).
    pub position_noise: Noise,
    /// Noise of each speed (rad/s or m/s).
    pub velocity_noise: Noise,
    /// Noise of each effort (N m or N).
    pub effort_noise: Noise,
}

/// Data sheets of encoders.
#[derive(Clone, Copy, Debug, Deserialize)]
enum JointStatesPreset {
    /// ams AS5048A, data sheet 1-12: 14 bits a turn.
    As5048a,
}

/// As a scene has it.
#[derive(Default, Deserialize)]
#[serde(rename = "JointStates", deny_unknown_fields, default)]
struct JointStatesFields {
    preset: Option<JointStatesPreset>,
    joints: Vec<String>,
    slides: Vec<String>,
    position_noise: Option<Noise>,
    velocity_noise: Noise,
    effort_noise: Noise,
}

impl From<JointStatesFields> for JointStates {
    fn from(fields: JointStatesFields) -> Self {
        let position_noise = match fields.preset {
            Some(JointStatesPreset::As5048a) => Noise {
                resolution: TAU / 16_384.0,
                ..Noise::default()
            },
            None => Noise::default(),
        };
        Self {
            joints: fields.joints,
            slides: fields.slides,
            position_noise: fields.position_noise.unwrap_or(position_noise),
            velocity_noise: fields.velocity_noise,
            effort_noise: fields.effort_noise,
        }
    }
}

impl JointStates {
    /// Names and units of its numbers.
    fn columns(&self) -> Vec<Column> {
        let turning = self
            .joints
            .iter()
            .map(|name| (name, ["rad", "rad/s", "N m"]));
        let sliding = self.slides.iter().map(|name| (name, ["m", "m/s", "N"]));
        let column = |name: &String, part: &str, unit: &str| Column {
            name: format!("{name}_{part}"),
            unit: unit.to_owned(),
        };
        turning
            .chain(sliding)
            .flat_map(|(name, units)| {
                let parts = ["position", "velocity", "effort"].into_iter().zip(units);
                parts.map(move |(part, unit)| column(name, part, unit))
            })
            .collect()
    }

    fn names(&self) -> impl Iterator<Item = &String> {
        self.joints.iter().chain(&self.slides)
    }
}

/// The joints of a sensor of joint states.
#[derive(Clone, Debug)]
pub struct JointStatesModel {
    names: Vec<String>,
    /// Indices in the agent's model, and last positions; empty before the first sample.
    joints: Vec<(usize, f64)>,
    noises: [Noise; 3],
    /// One a number.
    biases: Vec<Bias>,
}

impl Kind for JointStates {
    const NAME: &'static str = "JointStates";
    const ABOUT: &'static str = "position, velocity and effort of named joints; preset: As5048a";
}

impl SensorKind for JointStates {
    type Measurement = ValueRow;
    type Model = JointStatesModel;
    type Param = Motors<'static, 'static>;

    // Motors have no effort before the first step.
    const FIRST_TICK: u64 = 1;

    fn check(&self, _: &SensorContext<'_>, checks: &mut Checks<'_>) {
        if self.names().next().is_none() {
            let expected = "names of joints that turn, or of prismatic ones in `slides`; `becomingone inspect` lists them";
            checks.wrong("joints", "none", expected);
        }
        checks.count("joints", self.joints.len());
        checks.count("slides", self.slides.len());
        let mut seen = std::collections::HashSet::new();
        for name in self.names().filter(|name| !seen.insert(*name)) {
            checks.wrong("", format!("joint `{name}` twice"), "each joint once");
        }
        self.position_noise.check("position_noise", checks);
        self.velocity_noise.check("velocity_noise", checks);
        self.effort_noise.check("effort_noise", checks);
    }

    fn check_model(&self, model: &RobotModel, _: usize, checks: &mut Checks<'_>) {
        for (list, names, slides) in [
            ("joints", &self.joints, false),
            ("slides", &self.slides, true),
        ] {
            for (k, name) in names.iter().enumerate() {
                let fits = |kind| match kind {
                    JointKind::Prismatic => slides,
                    JointKind::Revolute | JointKind::Continuous => !slides,
                    _ => false,
                };
                let found = model.joint(name).map(|index| model.joints[index].kind);
                if found.is_some_and(fits) {
                    continue;
                }
                let all = model.joints.iter().filter(|joint| fits(joint.kind));
                let all: Vec<&str> = all.map(|joint| joint.name.as_str()).take(LISTED).collect();
                let expected = format!(
                    "a joint of `{}` that {}: {}",
                    model.name,
                    if slides {
                        "is prismatic"
                    } else {
                        "turns about one axis"
                    },
                    if all.is_empty() {
                        "it has none".to_owned()
                    } else {
                        all.join(", ")
                    },
                );
                let found = match found {
                    Some(kind) => format!("`{name}`, which is {kind:?}").to_lowercase(),
                    None => format!("`{name}`"),
                };
                checks.wrong(&format!("{list}[{k}]"), found, &expected);
            }
        }
    }

    fn schema(&self) -> Schema {
        let columns = self.columns();
        Schema {
            fields: columns.iter().map(|c| c.name.clone()).collect(),
            units: columns.iter().map(|c| c.unit.clone()).collect(),
            ..Schema::of::<ValueRow>()
        }
    }

    fn blank(&self, _: &SensorContext<'_>) -> ValueRow {
        ValueRow {
            numbers: vec![f64::NAN; 3 * self.names().count()],
        }
    }

    fn noises(&mut self) -> Vec<&mut Noise> {
        vec![
            &mut self.position_noise,
            &mut self.velocity_noise,
            &mut self.effort_noise,
        ]
    }

    fn model(&self, _: &SensorContext<'_>, rng: &mut Rng) -> JointStatesModel {
        let noises = [self.position_noise, self.velocity_noise, self.effort_noise];
        let names: Vec<String> = self.names().cloned().collect();
        let biases = names.iter().flat_map(|_| noises);
        JointStatesModel {
            biases: biases.map(|noise| Bias::turn_on(&noise, rng)).collect(),
            joints: Vec::with_capacity(names.len()),
            names,
            noises,
        }
    }

    fn truth(
        sensor: &mut JointStatesModel,
        at: &SensorAt,
        motors: &Motors<'_, '_>,
        truth: &mut ValueRow,
    ) -> bool {
        let Some((model, links)) = motors.robot(at.agent) else {
            return false;
        };
        if sensor.joints.is_empty() {
            let indices = sensor.names.iter().filter_map(|name| model.0.joint(name));
            let start = |index: usize| (index, f64::from(model.0.joints[index].start));
            sensor.joints.extend(indices.map(start));
        }
        let numbers = truth.numbers.chunks_exact_mut(3);
        for ((index, before), numbers) in sensor.joints.iter_mut().zip(numbers) {
            let joint = &model.0.joints[*index];
            let (parent, child) = (links.0[joint.parent], links.0[joint.child]);
            let now = motors.joint(at.agent, *index);
            let (Some(position), Some(now)) = (position(joint, parent, child, *before), now) else {
                return false;
            };
            *before = position;
            numbers.copy_from_slice(&[position, now.velocity, now.effort]);
        }
        true
    }

    fn measure(
        sensor: &mut JointStatesModel,
        at: &SensorAt,
        truth: &ValueRow,
        rng: &mut Rng,
        reading: &mut ValueRow,
    ) {
        let numbers = reading.numbers.iter_mut().zip(&truth.numbers);
        for (k, ((to, &x), bias)) in numbers.zip(&mut sensor.biases).enumerate() {
            *to = bias.apply(x, at.period_s, &sensor.noises[k % 3], rng);
        }
    }

    fn insert(&self, sensor: &mut EntityWorldMut<'_>) {
        sensor.insert(Columns(self.columns().into()));
    }
}
