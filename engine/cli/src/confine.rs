//! Scenes of others: `--confine`.

use crate::failure::Failure;
use becomingone::sources;
use becomingone_components::scene::LoadedScene;
use becomingone_model::Files;
use clap::Args;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub(crate) struct ConfineArgs {
    /// For a scene of somebody else: read models and meshes below this folder alone, and refuse sensors and drives that are
    /// not simulated, as they may run programs, read files and fetch addresses.
    #[arg(long, value_name = "FOLDER")]
    confine: Option<PathBuf>,
}

impl ConfineArgs {
    /// Files that the scene, which is here, may read.
    pub(crate) fn files<'a>(
        &self,
        inner: &'a dyn Files,
        scene: &Path,
    ) -> Result<Confined<'a>, Failure> {
        let real = |path: &Path| {
            let real = path.canonicalize();
            real.map_err(|e| Failure::BadInput(format!("--confine: {}: {e}", path.display())))
        };
        let folder = self.confine.as_deref().map(real).transpose()?;
        Ok(Confined {
            inner,
            folder,
            scene: scene.canonicalize().ok(),
        })
    }

    /// Refuses what a scene of somebody else may not have.
    pub(crate) fn check(&self, loaded: &LoadedScene) -> Result<(), Failure> {
        match self.confine {
            None => Ok(()),
            Some(_) => sources::simulated(loaded).map_err(|e| Failure::BadInput(e.to_string())),
        }
    }
}

/// Files below a folder, the scene itself, and built-in files; all where there is no folder.
pub(crate) struct Confined<'a> {
    inner: &'a dyn Files,
    folder: Option<PathBuf>,
    scene: Option<PathBuf>,
}

impl Confined<'_> {
    fn allows(&self, path: &Path) -> bool {
        let Some(folder) = &self.folder else {
            return true;
        };
        // What is not on the disk is built in, or nowhere.
        path.canonicalize().map_or(true, |real| {
            real.starts_with(folder) || self.scene.as_ref() == Some(&real)
        })
    }

    fn check(&self, path: &Path) -> io::Result<()> {
        match self.allows(path) {
            true => Ok(()),
            false => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "found a file elsewhere; expected one below the folder of --confine, or a built-in one",
            )),
        }
    }
}

impl Files for Confined<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.check(path)?;
        self.inner.read(path)
    }

    fn read_at_most(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        self.check(path)?;
        self.inner.read_at_most(path, most)
    }

    fn is_file(&self, path: &Path) -> bool {
        self.allows(path) && self.inner.is_file(path)
    }

    fn search_path(&self, variable: &str) -> Vec<PathBuf> {
        match self.folder {
            Some(_) => Vec::new(),
            None => self.inner.search_path(variable),
        }
    }

    fn allows_missing(&self) -> bool {
        self.inner.allows_missing()
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        self.inner.absolute(path)
    }
}
