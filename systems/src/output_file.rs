//! Output files: written in place under a lock, or replaced as a whole at the end.
//!
//! Recordings are written in place: whatever ends the run, the file is readable up to there. A lock, which ends with the
//! process, keeps other runs out. Everything else is written beside its file and renamed, so that two runs at once leave
//! the file of one of them, whole.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process;

/// Most symbolic links that are followed.
const MAX_LINKS: usize = 40;

/// Opens a recording to be written in place, empty, and locks it; the lock ends when the file is closed. Devices and pipes
/// have no lock, nor have file systems without locks.
///
/// # Errors
///
/// Those of opening the file; [`ErrorKind::ResourceBusy`] while another run writes it, see [`is_busy`].
pub fn create_locked(path: &Path) -> io::Result<File> {
    // Not truncated before it is locked: it may be another run's.
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(file);
    }
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        return Err(io::Error::new(
            ErrorKind::ResourceBusy,
            "it is being written by another run; expected another name, or that run to end first",
        ));
    }
    file.set_len(0)?;
    Ok(file)
}

/// Whether a file is being written by another run.
pub fn is_busy(error: &io::Error) -> bool {
    error.kind() == ErrorKind::ResourceBusy
}

/// The name with a number: `robot.rrd` is `robot-2.rrd`.
#[must_use]
pub fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// Fails if an open file is no longer the one of this name: it was deleted, renamed or replaced, or its folder was.
///
/// # Errors
///
/// The file is another one, or none.
pub fn still_there(path: &Path, file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let id = |m: &fs::Metadata| (m.dev(), m.ino());
        let open = file.metadata()?;
        let is_there = fs::metadata(path).is_ok_and(|now| id(&now) == id(&open));
        if open.is_file() && !is_there {
            return Err(io::Error::other(
                "it was deleted or replaced while it was written",
            ));
        }
    }
    #[cfg(not(unix))]
    let _ = (path, file);
    Ok(())
}

/// Path behind symbolic links, also where the last of them leads to no file yet.
#[must_use]
pub fn followed(path: &Path) -> PathBuf {
    let mut path = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        let Ok(target) = path.read_link() else { break };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    path
}

/// A file that replaces another one as a whole when it is finished; until then, the other one is unchanged. Permissions
/// and symbolic links are kept.
///
/// Devices and pipes are written directly, as are files in folders where no other file can be created.
///
/// ```
/// use becomingone_systems::output_file::Replacement;
/// use std::io::Write as _;
///
/// # let folder = std::env::temp_dir().join(format!("becomingone-replacement-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("scores.csv");
/// std::fs::write(&path, "old")?;
/// let mut new = Replacement::begin(&path)?;
/// new.write_all(b"new")?;
/// assert_eq!(std::fs::read(&path)?, b"old");
/// new.finish()?;
/// assert_eq!(std::fs::read(&path)?, b"new");
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Replacement {
    file: File,
    path: PathBuf,
    /// Path of `file`; none where it is the output itself, and after it was renamed.
    temporary: Option<PathBuf>,
}

impl Replacement {
    /// Creates the new file beside the old one.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn begin(path: &Path) -> io::Result<Self> {
        // A trailing separator names a folder, and is lost where names are taken apart.
        let text = path.as_os_str().as_encoded_bytes();
        let is_folder = text
            .last()
            .is_some_and(|&b| std::path::is_separator(char::from(b)));
        if is_folder || path.is_dir() {
            return Err(ErrorKind::IsADirectory.into());
        }
        let direct = |path: PathBuf, truncate| {
            let open = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(truncate)
                .open(&path);
            open.map(|file| Self {
                file,
                path,
                temporary: None,
            })
        };
        #[cfg(unix)]
        if let Some(file) = standard(path)? {
            return Ok(Self {
                file,
                path: path.to_owned(),
                temporary: None,
            });
        }
        if path.starts_with("/dev") || path.starts_with("/proc") {
            return direct(path.to_owned(), true);
        }
        let old = match fs::metadata(path) {
            Ok(old) if !old.is_file() => return direct(path.to_owned(), false),
            Ok(old) => {
                // The permissions of a file protect it, where its folder would not.
                OpenOptions::new().append(true).open(path)?;
                Some(old)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let path = match old {
            Some(_) => path.canonicalize()?,
            None => followed(path),
        };
        match beside(&path) {
            Ok((temporary, file)) => {
                if let Some(old) = &old {
                    // Where the file system has any, and the user may.
                    drop(file.set_permissions(old.permissions()));
                    #[cfg(unix)]
                    {
                        use std::os::unix::fs::{MetadataExt as _, fchown};
                        drop(fchown(&file, Some(old.uid()), Some(old.gid())));
                    }
                }
                Ok(Self {
                    file,
                    path,
                    temporary: Some(temporary),
                })
            }
            Err(error) if old.is_some() && is_closed(&error) => direct(path, true),
            Err(error) => Err(error),
        }
    }

    /// Whether a file could be replaced; changes nothing.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin).
    pub fn check(path: &Path) -> io::Result<()> {
        match fs::metadata(path) {
            // A pipe is opened once: its reader takes the first end for the last. A device may do something when opened.
            Ok(old) if !old.is_file() && !old.is_dir() => Ok(()),
            Ok(old) if old.is_file() && (path.starts_with("/dev") || path.starts_with("/proc")) => {
                Ok(())
            }
            // Written in place, and emptied, if its folder is closed.
            Ok(old) if old.is_file() => {
                let path = path.canonicalize()?;
                OpenOptions::new().append(true).open(&path)?;
                match beside(&path) {
                    Ok((temporary, _)) => fs::remove_file(temporary),
                    Err(error) if is_closed(&error) => Ok(()),
                    Err(error) => Err(error),
                }
            }
            _ => Self::begin(path).map(drop),
        }
    }

    /// The new file until it is finished; none where the output is written directly.
    pub fn temporary(&self) -> Option<&Path> {
        self.temporary.as_deref()
    }

    /// Puts the new file in place of the old one.
    ///
    /// # Errors
    ///
    /// The old file is then unchanged.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.flush()?;
        let Some(temporary) = self.temporary.clone() else {
            return Ok(());
        };
        self.file.sync_all()?;
        match fs::rename(&temporary, &self.path) {
            Ok(()) => {}
            // Neither a mount of its own, as in a container, can be renamed over, nor another user's file in /tmp.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ResourceBusy
                        | ErrorKind::CrossesDevices
                        | ErrorKind::PermissionDenied
                ) =>
            {
                fs::copy(&temporary, &self.path)?;
                fs::remove_file(&temporary)?;
            }
            Err(error) => return Err(error),
        }
        self.temporary = None;
        Ok(())
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // The first error was returned.
            drop(fs::remove_file(temporary));
        }
    }
}

/// Writes a file as a [`Replacement`].
///
/// # Errors
///
/// The old file is then unchanged.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = Replacement::begin(path)?;
    file.write_all(bytes)?;
    file.finish()
}

/// Standard output or error by its name: what is written shares its position in a file.
#[cfg(unix)]
fn standard(path: &Path) -> io::Result<Option<File>> {
    use std::os::fd::AsFd as _;
    let names = |n| [format!("/dev/fd/{n}"), format!("/proc/self/fd/{n}")];
    let is =
        |name: &str, n| path == Path::new(name) || names(n).iter().any(|n| path == Path::new(n));
    let owned = if is("/dev/stdout", 1) {
        io::stdout().as_fd().try_clone_to_owned()?
    } else if is("/dev/stderr", 2) {
        io::stderr().as_fd().try_clone_to_owned()?
    } else {
        return Ok(None);
    };
    Ok(Some(owned.into()))
}

/// Whether no file can be created in a folder.
fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
    )
}

/// Creates a new file in the same folder, with a unique name.
fn beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let mut tried = 0;
    loop {
        let name = path.file_name().unwrap_or_default();
        let mut own = std::ffi::OsString::from(".");
        // A long name stays within the limits of the file system.
        if name.len() <= 200 {
            own.push(name);
        }
        own.push(format!(".{}-{tried}.tmp", process::id()));
        let beside = path.with_file_name(own);
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&beside)
        {
            // Left by a killed program with the same process id, or of another output of this one.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && tried < 1000 => tried += 1,
            opened => return Ok((beside, opened?)),
        }
    }
}

#[cfg(test)]
mod tests;
