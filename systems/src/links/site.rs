//! A source, as the scene states it.

use std::path::{Path, PathBuf};

/// Where a source stands, and the fields of its readings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceSite {
    /// Folder of the file that states the source; empty for the working directory.
    pub folder: PathBuf,
    /// Names of a reading's numbers, in their order; of a row of equal ones, the one name. Empty for an actuator.
    pub fields: Vec<String>,
    /// Whether a reading is a row of any number of equal numbers.
    pub is_row: bool,
}

impl SourceSite {
    /// A path of the configuration: relative ones are relative to the file that states it.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.join(Path::new(path))
    }
}
