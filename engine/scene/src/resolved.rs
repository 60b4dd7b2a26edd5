//! A scene in full as one text: what is printed, kept in the recording, and hashed.

use super::read::options;
use crate::assets::{BUILT_IN, MemoryFiles};
use becomingone_components::link::Source;
use becomingone_components::scene::{ObstacleSpec, ResolvedScene, SceneSpec};
use ron::ser::PrettyConfig;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// Every text of a scene that names a file.
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
    // Plain data has a spelling; an empty text is none, and its hash tells.
    options()
        .to_string_pretty(scene, pretty)
        .map_or_else(|error| format!("// {error}\n"), |text| text + "\n")
}

/// A loaded scene as RON with nothing left to defaults. Files are named by paths that hold in any
/// folder of this machine: read again, from wherever it was saved, it gives an equal scene.
pub fn to_ron(scene: &SceneSpec) -> String {
    let mut scene = scene.clone();
    for file in files(&mut scene) {
        if Path::new(file).starts_with(BUILT_IN) {
            continue;
        }
        if let Ok(path) = std::path::absolute(&*file) {
            *file = path.display().to_string();
        }
    }
    render(&scene)
}

/// A loaded scene as RON whose files are named as [`MemoryFiles`] has them: it is built again from these on any machine.
pub fn held(scene: &SceneSpec) -> String {
    let mut scene = scene.clone();
    for file in files(&mut scene) {
        *file = MemoryFiles::name(Path::new(&*file));
    }
    render(&scene)
}

/// The text of a loaded scene and its hash.
///
/// The hash is XXH3 (64 bits) of the same text with each file's name alone, without its folder: so
/// it is the same on every machine. What is in these files is no part of it.
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
