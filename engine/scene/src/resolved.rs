//! Resolved scene as one text: printed, stored in the recording, and hashed.

use super::syntax::options;
use crate::assets::{BUILT_IN, MemoryFiles};
use becomingone_components::link::Source;
use becomingone_components::path_text::{to_path, to_text};
use becomingone_components::scene::{ObstacleSpec, ResolvedScene, SceneSpec};
use ron::ser::PrettyConfig;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// Every value of a scene that names a file.
fn files(scene: &mut SceneSpec) -> impl Iterator<Item = &mut String> {
    let named = scene.agents.iter_mut().flat_map(|agent| {
        let sensors = agent.sensors.iter_mut();
        let recordings = sensors.filter_map(|sensor| match &mut sensor.source {
            Source::Replay { file, .. } => Some(file),
            _ => None,
        });
        agent.model.iter_mut().chain(recordings)
    });
    let meshes = scene.world.obstacles.iter_mut();
    let meshes = meshes.filter_map(|obstacle| match obstacle {
        ObstacleSpec::Mesh { file, .. } => Some(file),
        _ => None,
    });
    named.chain(meshes)
}

fn render(scene: &SceneSpec) -> String {
    let pretty = PrettyConfig::new().new_line("\n");
    // Serialising plain data cannot fail.
    options()
        .to_string_pretty(scene, pretty)
        .map_or_else(|error| format!("// {error}\n"), |text| text + "\n")
}

/// Loaded scene as RON, with all defaults filled in. File paths are absolute: read from any folder of this machine, it
/// gives an equal scene.
pub fn to_ron(scene: &SceneSpec) -> String {
    let mut scene = scene.clone();
    for file in files(&mut scene) {
        if Path::new(file).starts_with(BUILT_IN) {
            continue;
        }
        if let Ok(path) = std::path::absolute(to_path(file)) {
            *file = to_text(&path);
        }
    }
    render(&scene)
}

/// Loaded scene as RON with the file names of [`MemoryFiles`], from which it can be loaded on any machine.
pub fn held(scene: &SceneSpec) -> String {
    let mut scene = scene.clone();
    for file in files(&mut scene) {
        *file = MemoryFiles::name(&to_path(file));
    }
    render(&scene)
}

/// Text of a loaded scene, and its hash.
///
/// The hash is XXH3 (64 bits) of the same text with file names without folders: it is equal on every machine. The
/// content of these files is not included.
pub fn resolved(scene: &SceneSpec) -> ResolvedScene {
    let text = to_ron(scene);
    let mut portable = scene.clone();
    for file in files(&mut portable) {
        if let Some(name) = Path::new(file).file_name() {
            *file = name.to_string_lossy().into_owned();
        }
    }
    let hash = xxh3_64(render(&portable).as_bytes());
    ResolvedScene { text, hash }
}
