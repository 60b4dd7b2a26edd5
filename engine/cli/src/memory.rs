//! Event memories across runs: `--memory`.

use crate::failure::Failure;
use becomingone::systems::coherence::stored_memory::MEMORY_ATTACHMENT;
use becomingone::{CoherenceEngine, MemoryFile};
use std::collections::BTreeMap;
use std::path::Path;

/// The file of `--memory`, if there is one.
pub(crate) struct Memory(Option<MemoryFile>);

impl Memory {
    /// Reads the file, and attaches its memory to the recording.
    pub(crate) fn open(
        file: Option<&Path>,
        attachments: &mut BTreeMap<String, Vec<u8>>,
    ) -> Result<Self, Failure> {
        let Some(file) = file else {
            return Ok(Self(None));
        };
        let file =
            MemoryFile::open(file).map_err(|e| Failure::BadInput(format!("--memory {e}")))?;
        attachments.insert(MEMORY_ATTACHMENT.to_owned(), file.memory().to_bytes());
        Ok(Self(Some(file)))
    }

    /// Restores the memory in an engine.
    pub(crate) fn begin(&self, engine: &mut CoherenceEngine) {
        if let Some(file) = &self.0 {
            engine.set_memory(file.memory().clone());
        }
    }

    /// Writes the memory at the end of the run.
    pub(crate) fn end(self, engine: &CoherenceEngine) -> Result<(), Failure> {
        let Some(file) = self.0 else {
            return Ok(());
        };
        let changed = file
            .replace(&engine.memory())
            .map_err(|e| Failure::Run(format!("--memory {e}")))?;
        if changed {
            print_err!(
                "warning: --memory: another run replaced the file during this one; the memories of that run are lost"
            );
        }
        Ok(())
    }
}
