//! Memory file: event memories across runs.

use becomingone_systems::coherence::stored_memory::{MemoryError, StoredMemory};
use becomingone_systems::output_file::{self, Replacement};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf, is_separator};

/// Largest accepted file (bytes): the memories of a million agents take less.
const MAX_BYTES: u64 = 1 << 36;

/// Error of a memory file. An existing file is left unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryFileError {
    /// The file cannot be read or written.
    #[error("{}: {cause}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Error of the operating system.
        cause: io::Error,
    },
    /// The content is not a memory, of another version, truncated or corrupt.
    #[error("{}: {cause}; give another name for a new memory", .file.display())]
    Content {
        /// The file.
        file: PathBuf,
        /// Offset, and cause.
        cause: MemoryError,
    },
}

/// Memory file of earlier runs, replaced by the next run.
///
/// ```
/// use becomingone::{CoherenceEngine, MemoryFile};
/// # let folder = std::env::temp_dir().join(format!("becomingone-memory-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let path = folder.join("arm.memory");
///
/// for run in 0..2 {
///     let file = MemoryFile::open(&path)?;
///     assert_eq!(file.memory().runs(), run);
///     let mut engine = CoherenceEngine::from_scene("built-in/scenes/arm_wave.ron")?;
///     engine.set_memory(file.memory().clone());
///     engine.step()?;
///     file.replace(&engine.memory())?;
/// }
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct MemoryFile {
    path: PathBuf,
    memory: StoredMemory,
    /// Content of the file; `None` if it did not exist.
    bytes: Option<Vec<u8>>,
}

impl MemoryFile {
    /// Reads a memory file; if it does not exist, the memory is empty. Checks that a file can be written there, so that
    /// no memory is lost at the end of the run.
    ///
    /// # Errors
    ///
    /// [`MemoryFileError`] with the place of the error.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, MemoryFileError> {
        let mut path = path.into();
        let failed = |path: &Path, cause| MemoryFileError::File {
            file: path.to_owned(),
            cause,
        };
        let named = path.clone();
        // A trailing separator names a folder, and is lost where names are compared.
        let text = path.as_os_str().as_encoded_bytes();
        if text.last().is_some_and(|&b| is_separator(char::from(b))) {
            return Err(failed(&named, not_a_file()));
        }
        // Keep a symbolic link: its target is replaced, or made.
        path = output_file::followed(&path);
        let bytes = read(&path).map_err(|cause| failed(&named, cause))?;
        let memory = match &bytes {
            None => StoredMemory::default(),
            Some(bytes) => StoredMemory::from_bytes(bytes).map_err(|cause| {
                let file = named.clone();
                MemoryFileError::Content { file, cause }
            })?,
        };
        Replacement::check(&path).map_err(|cause| failed(&named, cause))?;
        Ok(Self {
            path,
            memory,
            bytes,
        })
    }

    /// The memory in the file.
    pub fn memory(&self) -> &StoredMemory {
        &self.memory
    }

    /// Replaces the file as a whole: other readers, and an interrupted write, leave the old file or the new one. Of
    /// several runs at once, the last to end remains. Returns whether another run had replaced the file since it was
    /// read; the memories of that run are then lost.
    ///
    /// # Errors
    ///
    /// [`MemoryFileError::File`].
    pub fn replace(&self, memory: &StoredMemory) -> Result<bool, MemoryFileError> {
        // Runs that end at once compare and replace one after the other. A folder that cannot be locked is not.
        let folder = self.path.parent().filter(|f| *f != Path::new(""));
        let lock = File::open(folder.unwrap_or(Path::new("."))).ok();
        if let Some(lock) = &lock {
            drop(lock.lock());
        }
        let changed = read(&self.path).is_ok_and(|now| now.is_some() && now != self.bytes);
        let replaced = output_file::replace(&self.path, &memory.to_bytes());
        replaced.map_err(|cause| MemoryFileError::File {
            file: self.path.clone(),
            cause,
        })?;
        Ok(changed)
    }
}

fn not_a_file() -> io::Error {
    io::Error::other("found a folder or device; expected a memory file, or the name of a new one")
}

/// Content of a file; `None` if it does not exist.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        Ok(found) if !found.is_file() => {
            return Err(not_a_file());
        }
        Ok(found) if found.len() > MAX_BYTES => {
            return Err(io::Error::other(format!(
                "found {} bytes; expected a memory file of at most {MAX_BYTES}",
                found.len()
            )));
        }
        Ok(_) => {}
    }
    fs::read(path).map(Some)
}
