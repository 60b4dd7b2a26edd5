//! Recordings of a sweep's runs: `sweep --record`.

use crate::failure::Failure;
use crate::overlays::OverlayArgs;
use crate::record::{Origin, Recording};
use becomingone::CoherenceEngine;
use becomingone::sweep::{Plan, RunAt, RunHook};
use becomingone_components::scene::LoadedScene;
use std::path::{Path, PathBuf};

/// Records each run of a plan into its folder, or another one, as `run-000123.mcap`; nothing where there is no folder.
pub(super) struct Recordings<'a> {
    plan: &'a Plan,
    folder: Option<&'a Path>,
}

impl<'a> Recordings<'a> {
    pub(super) fn of(plan: &'a Plan, instead: Option<&'a Path>) -> Self {
        let folder = instead.or(plan.request.record.as_deref());
        Self { plan, folder }
    }
}

impl RunHook for Recordings<'_> {
    type Open = Option<(Recording, PathBuf)>;

    fn begin(&self, run: RunAt<'_>, engine: &mut CoherenceEngine) -> Result<Self::Open, String> {
        let Some(folder) = self.folder else {
            return Ok(None);
        };
        let file = folder.join(format!("run-{:06}.mcap", run.run));
        std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let loaded = engine.world().resource::<LoadedScene>();
        let request = &self.plan.request;
        let overlays = OverlayArgs {
            profile: request.profiles.clone(),
            config: request.configs.clone(),
            set: run.sets.to_vec(),
        };
        let origin = Origin {
            what: Path::new(&loaded.scene.name),
            model: request.model.as_deref(),
            overlays: &overlays,
            threads: 1,
            teleop_agent: None,
        };
        let opened = Recording::open(&file, &origin, loaded, self.plan.files.contents());
        match opened {
            Ok(recording) => Ok(Some((recording.begin(engine), file))),
            Err(Failure::BadInput(text) | Failure::Run(text) | Failure::Stopped(text)) => Err(text),
        }
    }

    fn end(&self, open: Self::Open, engine: &mut CoherenceEngine) -> Result<(), String> {
        let Some((recording, file)) = open else {
            return Ok(());
        };
        match recording.end(engine, false, true) {
            true => Ok(()),
            false => Err(format!("the recording {} is incomplete", file.display())),
        }
    }
}
