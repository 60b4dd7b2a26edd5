//! `becomingone check`.

use crate::confine::ConfineArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::introduce::print_warnings;
use crate::load::{ModelArgs, load};
use crate::overlays::OverlayArgs;
use becomingone::Plugins;
use becomingone::scene::Overlays;
use becomingone::{CoherenceEngine, assets, scene};
use clap::Args;
use std::path::PathBuf;

/// Arguments of `check`.
#[derive(Args)]
pub(crate) struct Check {
    /// Print the resolved scene as RON: overlays applied, defaults filled in, absolute paths.
    #[arg(long)]
    resolved: bool,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    confine: ConfineArgs,
    #[command(flatten)]
    overlays: OverlayArgs,
    /// Scene files (.ron), robot (URDF or MJCF) or vehicle (.yaml) descriptions, or names of built-in scenes.
    #[arg(required = true)]
    scenes: Vec<PathBuf>,
}

impl Check {
    pub(crate) fn run(self, plugins: &Plugins) -> Result<Exit, Failure> {
        if self.resolved && self.scenes.len() > 1 {
            return Err(Failure::BadInput(format!(
                "found {} files with --resolved; expected one, as one scene is printed",
                self.scenes.len()
            )));
        }
        let mut wrong = 0;
        let overlays = Overlays::from(&self.overlays);
        let kinds = plugins.kinds();
        for file in &self.scenes {
            let confined = self.confine.files(&assets::Assets, file)?;
            let files = self.model.files(&confined);
            let read = load(file, None, &overlays, &files, plugins).and_then(|loaded| {
                self.confine.check(&loaded)?;
                let checked = CoherenceEngine::check_sources(&kinds, &loaded);
                checked.map_err(|e| Failure::BadInput(e.to_string()))?;
                Ok(loaded)
            });
            match read {
                Ok(loaded) if self.resolved => {
                    print_warnings(&loaded);
                    print_out!("{}", scene::to_ron(&loaded.scene).trim_end());
                }
                Ok(loaded) => {
                    print_warnings(&loaded);
                    print_out!(
                        "{}: ok, {} agent{}",
                        file.display(),
                        loaded.scene.agents.len(),
                        if loaded.scene.agents.len() == 1 {
                            ""
                        } else {
                            "s"
                        }
                    );
                }
                Err(Failure::BadInput(text) | Failure::Run(text) | Failure::Stopped(text)) => {
                    print_err!("error: {text}");
                    wrong += 1;
                }
            }
        }
        Ok(Exit::from(if wrong == 0 { 0 } else { 2 }))
    }
}
