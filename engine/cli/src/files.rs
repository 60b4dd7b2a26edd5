//! Files that a run reads and writes.

use crate::failure::Failure;
use becomingone_systems::output_file::{Replacement, replace};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Whether two paths lead to one file, also through links. Neither is opened: opening a pipe has side effects.
pub(crate) fn is_same_file(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    if let (Ok(a), Ok(b)) = (a.metadata(), b.metadata()) {
        use std::os::unix::fs::MetadataExt as _;
        return (a.dev(), a.ino()) == (b.dev(), b.ino());
    }
    real(a) == real(b)
}

/// The real path of a file, also of one that does not exist yet: through the links of its folder, and its own.
fn real(path: &Path) -> PathBuf {
    /// Most links that are followed: they may form a circle.
    const MAX_LINKS: usize = 40;
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    let mut path = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        let Ok(target) = path.read_link() else { break };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder.canonicalize(),
        _ => Path::new(".").canonicalize(),
    };
    match (folder, path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

/// Refuses an output that would overwrite a file in use.
pub(crate) fn keep_apart<'a>(
    flag: &str,
    file: &Path,
    used: impl IntoIterator<Item = &'a Path>,
) -> Result<(), Failure> {
    match used.into_iter().find(|other| is_same_file(file, other)) {
        None => Ok(()),
        Some(other) => Err(Failure::BadInput(format!(
            "{flag} {}: found {}, which the run uses itself; expected a file of its own",
            file.display(),
            other.display()
        ))),
    }
}

/// Fails before the run if the summary could not be written after it.
pub(crate) fn writable(file: &Path) -> Result<(), Failure> {
    Replacement::check(file)
        .map_err(|e| Failure::BadInput(format!("--summary {}: {e}", file.display())))
}

pub(crate) fn write_json(value: &impl Serialize, file: &Path) -> Result<(), Failure> {
    serde_json::to_string_pretty(value)
        .map_err(std::io::Error::other)
        .and_then(|json| replace(file, (json + "\n").as_bytes()))
        .map_err(|e| Failure::Run(format!("{}: {e}", file.display())))
}
