//! What a recording begins with.

use std::collections::BTreeMap;

/// Header content of a recording.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// Name of the file, for messages.
    pub name: String,
    /// Program and scene of the run, in addition to what the world provides (seed, `tick_ns`, scene hash).
    pub metadata: BTreeMap<String, String>,
    /// [`SCENE_ATTACHMENT`](crate::SCENE_ATTACHMENT) and the files that the scene references.
    pub attachments: Vec<(String, Vec<u8>)>,
}
