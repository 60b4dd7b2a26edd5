//! Loads scenes by path or name.

use crate::failure::Failure;
use becomingone::Plugins;
pub(crate) use becomingone::scene::Found;
use becomingone::scene::{Overlays, SceneLoader};
use becomingone::sweep::PlannedScene;
use becomingone_components::path_text::to_text;
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

/// A scene or description of a plan, by path or name.
pub(crate) fn planned(what: &Path) -> Result<PlannedScene, Failure> {
    let found = find(what)?;
    Ok(PlannedScene {
        name: to_text(what),
        is_description: matches!(found, Found::Description),
        path: match found {
            Found::Scene(path) => to_text(&path),
            Found::Description => to_text(what),
        },
    })
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
