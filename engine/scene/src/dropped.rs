//! Default scene of a robot description without a scene: dropped on a plane, without a drive.

use super::check::plain_name;
use super::diagnostic::SceneError;
use super::vehicle;
use becomingone_components::path_text::to_text;
use becomingone_components::scene::{
    AgentSpec, LoadedAgent, LoadedScene, SceneSpec, SensorSpec, WorldSpec,
};
use becomingone_model::{Files, load_robot};
use becomingone_systems::sensing::Imu;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub(super) fn dropped(files: &dyn Files, path: &Path) -> Result<LoadedScene, SceneError> {
    let (model, vehicle) = if vehicle::is_vehicle(path) {
        let (vehicle, robot) = vehicle::load(files, path)?;
        (robot, Some(vehicle))
    } else {
        (Arc::new(load_robot(path, files)?), None)
    };
    // The name is also part of a file name.
    let name = plain_name(&model.name, "robot");
    let imu = SensorSpec::new("imu", Imu::default(), 100.0);
    let stays =
        model.fixed_base || model.static_link.is_some() || !model.surroundings.colliders.is_empty();
    let agent = AgentSpec {
        name: name.clone(),
        model: Some(to_text(path)),
        // High enough to see the fall, low enough for a soft landing; among surroundings where the file has it.
        position_m: [0.0, 0.0, if stays { 0.0 } else { 0.1 }],
        allow_missing: files.allows_missing(),
        sensors: vec![imu],
        ..AgentSpec::default()
    };
    let mut world = WorldSpec::default();
    let surroundings = &model.surroundings;
    let reaches_below = surroundings.start_height_m() > surroundings.root_height_m;
    if reaches_below && !surroundings.has_floor {
        // The file has ground of its own, below z = 0.
        world.ground = None;
    }
    let scene = SceneSpec {
        name,
        world,
        duration_s: Some(5.0),
        agents: vec![agent],
        ..SceneSpec::default()
    };
    Ok(LoadedScene {
        scene,
        agents: vec![LoadedAgent {
            model: Some(model),
            vehicle,
            ..LoadedAgent::default()
        }],
        meshes: Vec::new(),
        track: None,
        written: BTreeMap::new(),
    })
}
