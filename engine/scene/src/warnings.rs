//! Warnings of a scene without errors: odometry without encoders, servos that are too stiff for the solver.

use super::diagnostic::Diagnostics;
use becomingone_components::control::{DriveClass, Localisation};
use becomingone_components::scene::{AgentSpec, LoadedScene, SceneSpec};
use becomingone_components::sensor::{EncoderAngles, Measurement as _};
use becomingone_systems::physics::iterations::too_stiff;

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

/// Logs a warning of each robot whose servos yield more than their stated gains.
pub(super) fn warn_of_servos(loaded: &LoadedScene, diagnostics: &Diagnostics<'_, '_>) {
    let tick_s = loaded.scene.tick_ns as f64 * 1e-9;
    for (k, (agent, body)) in loaded.scene.agents.iter().zip(&loaded.agents).enumerate() {
        let (Some(model), Some(servos)) = (&body.model, &body.servos) else {
            continue;
        };
        if let Some(demand) = too_stiff(&agent.drive, model, servos, tick_s) {
            diagnostics.warn(
                &format!("agents[{k}].drive"),
                format!(
                    "{}: found gains that the solver does not reach at this tick: the servo of `{}`, and maybe others, yields more than its stiffness says; expected a shorter `tick_ns`, a smaller `damping` or `stiffness`, or `solver_iterations` above 128",
                    agent.name, model.joints[demand.joint].name
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
