//! Loads scenes by path or name.

use crate::failure::Failure;
use becomingone::Plugins;
pub(crate) use becomingone::scene::Found;
use becomingone::scene::{Overlays, SceneLoader};
use becomingone_components::scene::LoadedScene;
use becomingone_model::{Files, MissingAllowed};
use clap::Args;
use std::path::Path;

/// How robot descriptions are loaded.
#[derive(Args, Debug)]
pub(crate) struct ModelArgs {
    /// Load robots without the colliders whose meshes are not found, even if a link loses all of them.
    #[arg(long)]
    allow_missing: bool,
}

impl ModelArgs {
    #[cfg(feature = "parquet")]
    pub(crate) fn allow_missing(&self) -> bool {
        self.allow_missing
    }

    pub(crate) fn files<'a>(&self, from: &'a dyn Files) -> MissingAllowed<'a> {
        MissingAllowed(from, self.allow_missing)
    }
}

/// Finds a scene or description by path or name.
pub(crate) fn find(what: &Path) -> Result<Found, Failure> {
    becomingone::scene::find(what).map_err(|error| Failure::BadInput(error.to_string()))
}

/// Loads a scene by path or name, or puts a robot on a plane.
pub(crate) fn load(
    what: &Path,
    model: Option<&Path>,
    overlays: &Overlays,
    files: &dyn Files,
    plugins: &Plugins,
) -> Result<LoadedScene, Failure> {
    let kinds = plugins.kinds();
    let loader = SceneLoader::new(&kinds).files(files).model(model);
    let loaded = loader.overlays(overlays).named(what);
    loaded.map_err(|error| Failure::BadInput(error.to_string()))
}
