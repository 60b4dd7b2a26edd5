//! The file of a memory that survives runs.

use becomingone_components::stored::{MemoryError, StoredMemory};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process;

/// Most bytes that a file is read for: a million agents with all their memories have less.
const MAX_BYTES: u64 = 1 << 36;

/// A memory file that cannot be read or written. The file that was there is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryFileError {
    /// It cannot be read or written.
    #[error("{}: {cause}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// It holds no memory, or one of another version, or was cut or changed.
    #[error("{}: {cause}; give another name for a new memory", .file.display())]
    Content {
        /// The file.
        file: PathBuf,
        /// Where, and what is wrong.
        cause: MemoryError,
    },
}

/// A file with the memory of earlier runs, which the next one replaces.
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
    /// What was read; none where there was no file.
    bytes: Option<Vec<u8>>,
}

impl MemoryFile {
    /// Reads a file; where there is none, the memory is that of a first run. Whether a file can be written there is
    /// tried, so that a run does not end without its memory.
    ///
    /// # Errors
    ///
    /// [`MemoryFileError`] with the place of what is wrong.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, MemoryFileError> {
        let mut path = path.into();
        let failed = |path: &Path, cause| MemoryFileError::File {
            file: path.to_owned(),
            cause,
        };
        // A link stays: what it leads to is replaced.
        if let Ok(real) = path.canonicalize() {
            path = real;
        }
        let bytes = read(&path).map_err(|cause| failed(&path, cause))?;
        let memory = match &bytes {
            None => StoredMemory::default(),
            Some(bytes) => StoredMemory::from_bytes(bytes).map_err(|cause| {
                let file = path.clone();
                MemoryFileError::Content { file, cause }
            })?,
        };
        let (beside, trial) = beside(&path).map_err(|cause| failed(&path, cause))?;
        drop(trial);
        fs::remove_file(beside).map_err(|cause| failed(&path, cause))?;
        Ok(Self {
            path,
            memory,
            bytes,
        })
    }

    /// What was read.
    pub fn memory(&self) -> &StoredMemory {
        &self.memory
    }

    /// Replaces the file as a whole: who reads it meanwhile, and a program that ends halfway, find the old one or the
    /// new one. Of several runs at once, the last to end stays. Gives whether the file was another one than that which
    /// was read: another run has replaced it meanwhile, whose memories are then lost.
    ///
    /// # Errors
    ///
    /// [`MemoryFileError::File`].
    pub fn replace(&self, memory: &StoredMemory) -> Result<bool, MemoryFileError> {
        let changed = read(&self.path).is_ok_and(|now| now != self.bytes);
        let replaced = beside(&self.path).and_then(|(beside, mut file)| {
            let written = file
                .write_all(&memory.to_bytes())
                .and_then(|()| file.sync_all())
                .and_then(|()| fs::rename(&beside, &self.path));
            if written.is_err() {
                // The first error is the one that is told.
                drop(fs::remove_file(&beside));
            }
            written
        });
        replaced.map_err(|cause| MemoryFileError::File {
            file: self.path.clone(),
            cause,
        })?;
        Ok(changed)
    }
}

/// The bytes of a file; none where there is none.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        Ok(found) if !found.is_file() => {
            return Err(io::Error::other(
                "found no file; expected a memory file, or nothing",
            ));
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

/// A new file in the same folder, of a name that no other run has.
fn beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut tried = 0;
    loop {
        let beside = path.with_file_name(format!(".{name}.{}-{tried}.tmp", process::id()));
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&beside)
        {
            // Left by a program of the same number that was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tried < 1000 => {
                tried += 1
            }
            opened => return Ok((beside, opened?)),
        }
    }
}
