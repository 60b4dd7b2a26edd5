//! Mesh cache: each mesh of a robot description is read once.

use crate::draft::Warnings;
use crate::stand_in::stand_in;
use crate::uri::{self, MeshFolder, Resolved};
use crate::{Files, ModelError, Place, load_mesh};
use becomingone_components::body::Mesh;
use glam::Vec3;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Error of one mesh, to be reported at the place that names the mesh.
#[derive(Debug)]
pub(crate) struct MeshError {
    pub(crate) found: String,
    pub(crate) expected: String,
    /// True if the file does not exist, false if it is invalid.
    pub(crate) missing: bool,
}

impl MeshError {
    /// What a collider was lost by.
    pub(crate) fn lost(&self) -> String {
        format!(
            "{} ({})",
            self.found,
            self.expected.replacen("expected one of", "searched", 1)
        )
    }
}

/// Meshes read so far, by file and scale.
pub(crate) struct MeshCache<'a> {
    description: PathBuf,
    /// Searched before all others.
    pub(crate) folder: Option<MeshFolder>,
    files: &'a dyn Files,
    paths: HashMap<String, PathBuf>,
    /// How files were guessed that are not where the description says.
    guesses: BTreeSet<String>,
    /// Those of them that are not reported yet.
    unreported: Vec<String>,
    /// Mesh names without a file, each once.
    pub(crate) missing: Vec<String>,
    meshes: HashMap<(PathBuf, [u32; 3]), Arc<Mesh>>,
}

impl<'a> MeshCache<'a> {
    /// Empty cache; relative names are resolved against the path of the description.
    pub(crate) fn new(description: &Path, files: &'a dyn Files) -> Self {
        Self {
            description: description.to_path_buf(),
            folder: None,
            files,
            paths: HashMap::new(),
            guesses: BTreeSet::new(),
            unreported: Vec::new(),
            missing: Vec::new(),
            meshes: HashMap::new(),
        }
    }

    /// Resolves the names that follow against the path of another description.
    pub(crate) fn beside(&mut self, description: &Path) {
        if self.description != description {
            self.description = description.to_path_buf();
            self.paths.clear();
        }
    }

    /// Returns the mesh of this name and scale; reads its file at first use.
    pub(crate) fn mesh(&mut self, name: &str, scale: Vec3) -> Result<Arc<Mesh>, MeshError> {
        let path = self.path(name)?;
        let key = (path, scale.to_array().map(f32::to_bits));
        if let Some(mesh) = self.meshes.get(&key) {
            return Ok(Arc::clone(mesh));
        }
        let mut mesh = load_mesh(&key.0, scale, self.files).map_err(|e| mesh_error(name, &e))?;
        name.clone_into(&mut mesh.name);
        let mesh = Arc::new(mesh);
        self.meshes.insert(key, Arc::clone(&mesh));
        Ok(mesh)
    }

    /// Whether files may be missing.
    pub(crate) fn allows_missing(&self) -> bool {
        self.files.allows_missing()
    }

    /// Warns of files that were guessed, at the place that names the last of them.
    pub(crate) fn report(&mut self, place: &Place, warnings: &mut Warnings) {
        for guess in self.unreported.drain(..) {
            warnings.push(place, guess);
        }
    }

    /// Reads a file that is no mesh.
    pub(crate) fn bytes(&mut self, name: &str) -> Result<Vec<u8>, MeshError> {
        let path = self.path(name)?;
        let fail = |found: String, expected: String| MeshError {
            found: format!("file {:?}: {found}", path.display().to_string()),
            expected,
            missing: false,
        };
        let bytes = self.files.read(&path);
        let bytes = bytes.map_err(|e| {
            let expected = "expected a file that can be read";
            fail(e.to_string(), expected.to_owned())
        })?;
        match stand_in(&bytes) {
            None => Ok(bytes),
            Some((found, expected)) => Err(fail(found.to_owned(), expected.to_owned())),
        }
    }

    fn path(&mut self, name: &str) -> Result<PathBuf, MeshError> {
        if let Some(path) = self.paths.get(name) {
            return Ok(path.clone());
        }
        match uri::resolve(name, &self.description, self.folder.as_ref(), self.files) {
            Ok(Resolved { path, guess }) => {
                if let Some(guess) = guess.filter(|guess| !self.guesses.contains(guess)) {
                    self.guesses.insert(guess.clone());
                    self.unreported.push(guess);
                }
                self.paths.insert(name.to_owned(), path.clone());
                Ok(path)
            }
            Err(cause) => {
                if !self.missing.iter().any(|m| m == name) {
                    self.missing.push(name.to_owned());
                }
                Err(MeshError {
                    found: format!("mesh {name:?} was not found"),
                    expected: cause.expected(self.files),
                    missing: true,
                })
            }
        }
    }
}

/// Converts an error in a mesh file.
fn mesh_error(name: &str, error: &ModelError) -> MeshError {
    let (location, found, expected) = match error {
        ModelError::Located {
            place,
            found,
            expected,
            suggestion,
        } => {
            let hint = suggestion.as_ref().map(|text| format!("; {text}"));
            let expected = format!("{expected}{}", hint.unwrap_or_default());
            (place.to_string(), found, expected)
        }
        ModelError::File {
            file,
            found,
            expected,
        } => (file.clone(), found, expected.clone()),
    };
    MeshError {
        found: format!("mesh {name:?} ({location}): {found}"),
        expected,
        missing: false,
    }
}
