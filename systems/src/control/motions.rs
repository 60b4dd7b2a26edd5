//! `Joints`: joints hold positions, or oscillate.

use super::servo;
use becomingone_components::check::{Checks, MAX_ENTRIES};
use becomingone_components::control::{AgentBody, ControllerContext, ControllerKind, DriveClass};
use becomingone_components::joints::{JointMotion, JointsController};
use becomingone_components::kind::Kind;
use becomingone_components::nearest::did_you_mean;
use bevy_ecs::prelude::*;
use bevy_ecs::schedule::ScheduleConfigs;
use bevy_ecs::system::ScheduleSystem;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Moves joints to positions, or along oscillations.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Joints {
    /// Joints without a motion hold their start position.
    pub motions: Vec<MotionSpec>,
    /// Duration of the transition from the start to the motions (s).
    #[serde(default = "default_ease_s")]
    pub ease_s: f64,
}

fn default_ease_s() -> f64 {
    1.0
}

/// The motion of one joint: `position + amplitude sin(2π frequency t + phase)`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MotionSpec {
    /// Name of the joint.
    pub joint: String,
    /// Middle of the motion (rad or m). None: the joint's start position.
    #[serde(default)]
    pub position: Option<f64>,
    /// Amplitude (rad or m).
    #[serde(default)]
    pub amplitude: f64,
    /// Frequency (Hz).
    #[serde(default)]
    pub frequency_hz: f64,
    /// Phase at the run's start (rad).
    #[serde(default)]
    pub phase_rad: f64,
}

impl Kind for Joints {
    const NAME: &'static str = "Joints";
    const ABOUT: &'static str = "motions of joints with servos";
}

impl ControllerKind for Joints {
    const DRIVES: &'static [DriveClass] = &[DriveClass::Joints];

    fn check(&self, _: &ControllerContext<'_>, checks: &mut Checks<'_>) {
        checks.not_negative("ease_s", self.ease_s);
        checks.count("motions", self.motions.len());
        let mut joints = HashSet::new();
        for (k, motion) in self.motions.iter().enumerate().take(MAX_ENTRIES) {
            let at = format!("motions[{k}]");
            if !joints.insert(&motion.joint) {
                let found = format!("`{}` a second time", motion.joint);
                checks.wrong(&format!("{at}.joint"), found, "each joint once");
            }
            if let Some(position) = motion.position {
                checks.angle(&format!("{at}.position"), position);
            }
            let amplitude = "radians or metres from 0 to 1000";
            checks.within(
                &format!("{at}.amplitude"),
                motion.amplitude,
                0.0,
                1e3,
                amplitude,
            );
            let frequency = format!("{at}.frequency_hz");
            checks.within(&frequency, motion.frequency_hz, 0.0, 1e3, "0 to 1000 Hz");
            checks.angle(&format!("{at}.phase_rad"), motion.phase_rad);
        }
    }

    fn fit(&mut self, body: &AgentBody<'_>, substituted: bool, checks: &mut Checks<'_>) {
        let (Some(model), Some(servos)) = (body.model, body.servos) else {
            return;
        };
        let servo_of = |name: &str| {
            let joint = model.joint(name)?;
            servos.0.iter().find(|s| s.joint == joint)
        };
        if substituted {
            self.motions.retain(|m| {
                let known = servo_of(&m.joint).is_some();
                if !known {
                    // The joints of another robot have other names.
                    log::warn!(
                        "`{}` has no servo on a joint `{}`: it is not moved",
                        model.name,
                        m.joint
                    );
                }
                known
            });
        }
        for (k, motion) in self.motions.iter().enumerate() {
            let at = format!("motions[{k}]");
            let Some(servo) = servo_of(&motion.joint) else {
                let joints = servos.0.iter().map(|s| &model.joints[s.joint]);
                let names: Vec<&str> = joints.map(|j| j.name.as_str()).collect();
                let expected = format!(
                    "a joint of `{}` with a servo: {}{}",
                    model.name,
                    names.join(", "),
                    did_you_mean(&motion.joint, names.iter().copied())
                );
                let found = format!("`{}`", motion.joint);
                checks.wrong(&format!("{at}.joint"), found, &expected);
                continue;
            };
            let start = f64::from(model.joints[servo.joint].start);
            let middle = motion.position.unwrap_or(start);
            let [lower, upper] = servo.range;
            if middle - motion.amplitude < lower || middle + motion.amplitude > upper {
                let found = format!("{middle} ± {}", motion.amplitude);
                let expected = format!(
                    "a motion within the limits of `{}`, {lower} to {upper}",
                    motion.joint
                );
                checks.wrong(&at, found, &expected);
            }
        }
    }

    fn spawn(&self, agent: &mut EntityWorldMut<'_>, body: &AgentBody<'_>) {
        let motions = self.motions.iter().filter_map(|m| motion(m, body));
        agent.insert(JointsController {
            motions: motions.collect(),
            ease_s: self.ease_s,
        });
    }

    fn systems() -> ScheduleConfigs<ScheduleSystem> {
        servo::move_joints.run_if(any_with_component::<JointsController>)
    }
}

/// Converts a scene's motion to one of its servo; the loader has checked that there is one.
fn motion(spec: &MotionSpec, body: &AgentBody<'_>) -> Option<JointMotion> {
    let model = body.model?;
    let joint = model.joint(&spec.joint)?;
    let start = f64::from(model.joints[joint].start);
    Some(JointMotion {
        servo: body.servos?.0.iter().position(|s| s.joint == joint)?,
        start,
        position: spec.position.unwrap_or(start),
        amplitude: spec.amplitude,
        frequency_hz: spec.frequency_hz,
        phase_rad: spec.phase_rad,
    })
}
