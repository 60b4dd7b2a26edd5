//! Metadata, scene and memory of a recording.

use crate::failure::Failure;
use becomingone::Plugins;
use becomingone::assets::MemoryFiles;
use becomingone::components::scene::LoadedScene;
use becomingone::record::journal::JournalError;
use becomingone::record::{Journal, SCENE_ATTACHMENT};
use becomingone::scene::SceneLoader;
use becomingone::systems::coherence::stored_memory::{MEMORY_ATTACHMENT, StoredMemory};
use std::path::Path;

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self::BadInput(error.to_string())
    }
}

pub(crate) fn metadata(journal: &Journal, key: &str) -> String {
    journal.metadata().get(key).cloned().unwrap_or_default()
}

/// The scene attached to the recording.
pub(crate) fn attached_scene(
    journal: &Journal,
    file: &Path,
    plugins: &Plugins,
) -> Result<LoadedScene, Failure> {
    let held = MemoryFiles::new(journal.attachments().clone());
    let path = Path::new(SCENE_ATTACHMENT);
    SceneLoader::new(&plugins.kinds())
        .load_held(&held, path)
        .map_err(|e| Failure::BadInput(format!("{}: its attached scene: {e}", file.display())))
}

/// The memory of earlier runs attached to the recording; none where the run had no `--memory`.
pub(crate) fn attached_memory(
    journal: &Journal,
    file: &Path,
) -> Result<Option<StoredMemory>, Failure> {
    let bytes = journal.attachments().get(MEMORY_ATTACHMENT);
    bytes
        .map(|bytes| StoredMemory::from_bytes(bytes))
        .transpose()
        .map_err(|e| Failure::BadInput(format!("{}: its attached memory: {e}", file.display())))
}
