//! `becomingone inspect`.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::load::ModelArgs;
use becomingone::assets;
use becomingone::inspect::Inspection;
use becomingone_model::load_robot;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `inspect`.
#[derive(Args)]
pub(crate) struct Inspect {
    /// A robot description (URDF or MJCF), or the name of a built-in model.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
}

impl Inspect {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let file = self.file.as_path();
        let built_in = file.to_str().and_then(assets::model_path);
        let path = built_in.filter(|_| !file.exists());
        let files = self.model.files(&assets::Assets);
        let model = load_robot(path.as_deref().unwrap_or(file), &files)
            .map_err(|e| Failure::BadInput(e.to_string()))?;
        let inspection = Inspection::of(&model);
        if self.json {
            let text = serde_json::to_string_pretty(&inspection);
            print_out!("{}", text.map_err(|e| Failure::Run(e.to_string()))?);
        } else {
            print_out!("{inspection}");
        }
        Ok(Exit::SUCCESS)
    }
}
