//! Healthy variants of a scene, for calibration and scoring.

use becomingone_components::scene::SceneSpec;

/// Removes the scene's faults, except those present from the start: these belong to the machine.
pub(crate) fn keep_initial_faults(scene: &mut SceneSpec) {
    scene.faults.retain(|fault| fault.at_s == 0.0);
}

/// Repeats goals endlessly: a finished patrol would end the run.
pub(crate) fn repeat_goals(scene: &mut SceneSpec) {
    for agent in &mut scene.agents {
        if let Some(controller) = &mut agent.controller
            && let Some(endless) = controller.value().map(|c| c.without_end())
        {
            controller.set(endless);
        }
    }
}
