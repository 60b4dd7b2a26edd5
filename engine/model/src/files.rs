//! File access for robot descriptions and meshes.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Largest description that is read (bytes); the largest of 394 known ones has 1.6 MB.
const DESCRIPTION_BYTES: u64 = 64 << 20;
/// Largest mesh that is read (bytes): about five million triangles of binary STL.
const MESH_BYTES: u64 = 256 << 20;

/// File source: the disk, or files embedded in the binary.
pub trait Files {
    /// Reads the whole file.
    ///
    /// # Errors
    /// The file does not exist, is a folder or a device, or is too large.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Reads the whole file, of at most `most` bytes.
    ///
    /// # Errors
    /// As [`read`](Self::read), or the file is larger.
    fn read_at_most(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let bytes = self.read(path)?;
        if bytes.len() as u64 > most {
            return Err(larger(bytes.len() as u64, most));
        }
        Ok(bytes)
    }

    /// Whether the file exists.
    fn is_file(&self, path: &Path) -> bool;

    /// Folders of an environment variable that lists packages or models, such as `ROS_PACKAGE_PATH`; none by default.
    fn search_path(&self, _variable: &str) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Whether a link may lose all its colliders because their files are missing; an error otherwise.
    fn allows_missing(&self) -> bool {
        false
    }

    /// Absolute path: its parent folders are searched for meshes.
    fn absolute(&self, path: &Path) -> PathBuf {
        path.to_path_buf()
    }
}

/// Files of another source, and whether robots are loaded without the colliders that are missing there.
#[derive(Clone, Copy)]
pub struct MissingAllowed<'a>(pub &'a dyn Files, pub bool);

impl Files for MissingAllowed<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.read(path)
    }

    fn read_at_most(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        self.0.read_at_most(path, most)
    }

    fn is_file(&self, path: &Path) -> bool {
        self.0.is_file(path)
    }

    fn search_path(&self, variable: &str) -> Vec<PathBuf> {
        self.0.search_path(variable)
    }

    fn allows_missing(&self) -> bool {
        self.1 || self.0.allows_missing()
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        self.0.absolute(path)
    }
}

/// Files on disk: descriptions up to 64 MB, meshes (by extension) up to 256 MB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let limit = if is_mesh(path) {
            MESH_BYTES
        } else {
            DESCRIPTION_BYTES
        };
        read_at_most(path, limit)
    }

    fn is_file(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn search_path(&self, variable: &str) -> Vec<PathBuf> {
        let Some(folders) = env::var_os(variable) else {
            return Vec::new();
        };
        let folders = env::split_paths(&folders);
        folders.filter(|f| !f.as_os_str().is_empty()).collect()
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
    }
}

/// Error of a file above its size limit.
pub fn larger(bytes: u64, most: u64) -> io::Error {
    let text = format!("found {bytes} bytes; expected at most {most}");
    io::Error::new(io::ErrorKind::FileTooLarge, text)
}

/// Whether the extension is that of a mesh format.
fn is_mesh(path: &Path) -> bool {
    path.extension()
        .and_then(|e| e.to_str())
        .is_some_and(|e| ["stl", "dae", "obj", "msh"].contains(&e.to_ascii_lowercase().as_str()))
}

/// Reads a regular file of at most `limit` bytes; the size is checked before reading.
fn read_at_most(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let meta = fs::metadata(path)?;
    if meta.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::IsADirectory,
            "found a folder, not a file",
        ));
    }
    if !meta.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "found a device or pipe, not a regular file",
        ));
    }
    if meta.len() > limit {
        return Err(larger(meta.len(), limit));
    }
    let mut bytes = Vec::new();
    // The file may grow after its size was checked.
    let read = File::open(path)?.take(limit + 1).read_to_end(&mut bytes)? as u64;
    if read > limit {
        return Err(larger(read, limit));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = Disk.read(folder.path()).unwrap_err();
        assert!(error.to_string().contains("folder"), "{error}");
    }

    #[test]
    fn device_is_refused() {
        #[cfg(unix)]
        {
            let error = Disk.read(Path::new("/dev/zero")).unwrap_err();
            assert!(error.to_string().contains("regular"), "{error}");
        }
    }

    #[test]
    fn size_is_checked_before_reading() {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes, ok) in [
            ("a.urdf", DESCRIPTION_BYTES + 1, false),
            ("b.stl", DESCRIPTION_BYTES + 1, true),
            ("c.STL", MESH_BYTES + 1, false),
        ] {
            let path = folder.path().join(name);
            // Sparse file: it has the size without the bytes.
            File::create(&path).unwrap().set_len(bytes).unwrap();
            assert_eq!(Disk.read(&path).is_ok(), ok, "{name}");
        }
    }
}
