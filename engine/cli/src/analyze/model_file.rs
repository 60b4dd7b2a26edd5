//! [`ModelFile`]: what a detector has learned, as JSON.

use super::arguments::Analyze;
use super::healthy_file::HealthyFile;
use crate::failure::Failure;
use crate::files::write_json;
use becomingone_kernel::{Detector, Model};
use becomingone_replay::Table;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

const FORMAT: &str = "becomingone detector";
const VERSION: u32 = 1;
/// A model of 64 channels has 1 MB.
const MAX_BYTES: u64 = 16_000_000;

/// A model with what it needs to judge another table.
#[derive(Serialize, Deserialize)]
pub(super) struct ModelFile {
    format: String,
    version: u32,
    /// Files that it has learned from.
    pub(super) learned_from: Vec<String>,
    /// Names of the channels, in order.
    pub(super) channels: Vec<String>,
    /// Length of the bins that are judged, if rows are not.
    pub(super) bin_ns: Option<u64>,
    model: Model,
}

/// What comes first in the file: to refuse others by name.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

impl ModelFile {
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let failed = |found: String| {
            Failure::BadInput(format!(
                "--load {}: found {found}; expected a file of --save",
                file.display()
            ))
        };
        let mut text = String::new();
        File::open(file)
            .and_then(|from| from.take(MAX_BYTES + 1).read_to_string(&mut text))
            .map_err(|e| Failure::BadInput(format!("--load {}: {e}", file.display())))?;
        if text.len() as u64 > MAX_BYTES {
            return Err(failed(format!("more than {} MB", MAX_BYTES / 1_000_000)));
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let no_model = |e: serde_json::Error| failed(format!("no model ({e})"));
        let head: Head = serde_json::from_str(text).map_err(no_model)?;
        if head.format != FORMAT {
            return Err(failed(format!("the format `{}`", head.format)));
        }
        if head.version != VERSION {
            return Err(failed(format!(
                "version {}, where this program reads version {VERSION}",
                head.version
            )));
        }
        let model: Self = serde_json::from_str(text).map_err(no_model)?;
        let mut names: Vec<&String> = model.channels.iter().collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(failed(format!("the channel `{}` twice", twice[0])));
        }
        if model.bin_ns == Some(0) {
            return Err(failed("bins of 0 ns".to_owned()));
        }
        Ok(model)
    }

    pub(super) fn detector<const N: usize>(self, file: &Path) -> Result<Detector<N>, Failure> {
        let failed = |found: String| {
            Failure::BadInput(format!(
                "--load {}: found {found}; expected a file of --save",
                file.display()
            ))
        };
        let names = self.channels.len();
        if self.model.channels() != names {
            return Err(failed(format!(
                "{names} names for {} channels",
                self.model.channels()
            )));
        }
        Detector::with_model(self.model).map_err(|e| failed(e.to_string()))
    }
}

impl Analyze {
    /// Writes what the detector has learned, for `--load`.
    pub(super) fn save<const N: usize>(
        &self,
        detector: &Detector<N>,
        table: &Table,
    ) -> Result<(), Failure> {
        let (Some(file), Some(model)) = (&self.save, detector.model()) else {
            return Ok(());
        };
        let mut learned_from: Vec<String> =
            self.healthy.iter().map(HealthyFile::to_string).collect();
        if learned_from.is_empty() {
            learned_from.push(format!("{}:0-{}", self.file.display(), self.baseline - 1));
        }
        let saved = ModelFile {
            format: FORMAT.to_owned(),
            version: VERSION,
            learned_from,
            channels: table.channels().to_vec(),
            bin_ns: self.bin_ns(table),
            model: model.clone(),
        };
        write_json(&saved, file)?;
        self.print(&format!("model: {}", file.display()));
        Ok(())
    }
}
