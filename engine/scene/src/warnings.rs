//! Warnings of a scene without errors: odometry without encoders.

use super::diagnostic::Diagnostics;
use becomingone_components::control::{DriveClass, Localisation};
use becomingone_components::scene::{AgentSpec, SceneSpec};
use becomingone_components::sensor::{EncoderAngles, Measurement as _};

/// Logs all warnings, with their places.
pub(super) fn warn(scene: &SceneSpec, diagnostics: &Diagnostics<'_, '_>) {
    for (k, agent) in scene.agents.iter().enumerate() {
        if has_blind_odometry(agent) {
            diagnostics.warn(
                &format!("agents[{k}].controller"),
                format!(
                    "{}: found odometry without encoders: the controller takes the robot to stay at its start; expected a sensor of kind `Encoders`, or another `localisation`",
                    agent.name
                ),
            );
        }
    }
}

/// Whether a robot on wheels navigates by odometry, and has no encoders.
fn has_blind_odometry(agent: &AgentSpec) -> bool {
    let controller = agent.controller.as_ref().and_then(|c| c.value());
    let by_odometry = controller.is_some_and(|c| {
        c.drives() == [DriveClass::Wheels] && c.localisation() == Some(Localisation::Odometry)
    });
    let mut kinds = agent.sensors.iter().filter_map(|s| s.kind.value());
    by_odometry && !kinds.any(|kind| kind.measures() == EncoderAngles::KIND)
}
