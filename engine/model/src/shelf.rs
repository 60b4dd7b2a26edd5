//! The meshes of one description, each read once.

use crate::{Files, ModelError, load_mesh, uri};
use becomingone_components::body::Mesh;
use glam::Vec3;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a mesh is not there, for a message at the place where it is named.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) found: String,
    pub(crate) expected: String,
    /// There is no such file, rather than a bad one.
    pub(crate) missing: bool,
}

/// Meshes that were read, by file and scale.
pub(crate) struct Shelf<'a> {
    description: &'a Path,
    files: &'a dyn Files,
    paths: HashMap<String, PathBuf>,
    /// Names that no file was found for, each once.
    pub(crate) missing: Vec<String>,
    meshes: HashMap<(PathBuf, [u32; 3]), Arc<Mesh>>,
}

impl<'a> Shelf<'a> {
    /// An empty shelf beside a description.
    pub(crate) fn new(description: &'a Path, files: &'a dyn Files) -> Self {
        Self {
            description,
            files,
            paths: HashMap::new(),
            missing: Vec::new(),
            meshes: HashMap::new(),
        }
    }

    /// The mesh that a description names.
    pub(crate) fn mesh(&mut self, name: &str, scale: Vec3) -> Result<Arc<Mesh>, Refusal> {
        let path = self.path(name)?;
        let key = (path, scale.to_array().map(f32::to_bits));
        if let Some(mesh) = self.meshes.get(&key) {
            return Ok(Arc::clone(mesh));
        }
        let mut mesh = load_mesh(&key.0, scale, self.files).map_err(|e| refusal(name, &e))?;
        name.clone_into(&mut mesh.name);
        let mesh = Arc::new(mesh);
        self.meshes.insert(key, Arc::clone(&mesh));
        Ok(mesh)
    }

    fn path(&mut self, name: &str) -> Result<PathBuf, Refusal> {
        if let Some(path) = self.paths.get(name) {
            return Ok(path.clone());
        }
        match uri::resolve(name, self.description, self.files) {
            Ok(path) => {
                self.paths.insert(name.to_owned(), path.clone());
                Ok(path)
            }
            Err(tried) => {
                if !self.missing.iter().any(|m| m == name) {
                    self.missing.push(name.to_owned());
                }
                Err(Refusal {
                    found: format!("mesh {name:?} was not found"),
                    expected: format!("looked for it at {}", uri::list(&tried)),
                    missing: true,
                })
            }
        }
    }
}

/// What is wrong with a mesh's file.
fn refusal(name: &str, error: &ModelError) -> Refusal {
    let (where_, found, expected) = match error {
        ModelError::Written {
            place,
            found,
            expected,
            ..
        } => (place.to_string(), found, expected),
        ModelError::File {
            file,
            found,
            expected,
        } => (file.clone(), found, expected),
    };
    Refusal {
        found: format!("mesh {name:?} ({where_}): {found}"),
        expected: expected.clone(),
        missing: false,
    }
}
