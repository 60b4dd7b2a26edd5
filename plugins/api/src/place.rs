//! Where a run is found: a file in the runtime folder of this user, from its start to its end.

use crate::token::write_private;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Variable of the environment with the name of a run, by which it is found below `/v1/runs`.
pub const RUN_VARIABLE: &str = "BECOMINGONE_RUN";
/// Variable of the environment with the process without which this one is to end.
pub const PARENT_VARIABLE: &str = "BECOMINGONE_PARENT";

/// A run of this user, as it told where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Its address: `http://127.0.0.1:8420`.
    pub url: String,
    /// Its process.
    pub process: u32,
    /// Name of its scene; empty of a server of several runs.
    pub scene: String,
    /// File of its token; none where it has other ones.
    pub token_file: Option<PathBuf>,
}

/// Folder of this user for what lasts as long as a login: tokens, and where runs are found.
///
/// # Errors
///
/// What the system says, where it cannot be made.
pub fn folder() -> Result<PathBuf, String> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty());
    // Clients of the Model Context Protocol start their servers without this variable. The folder of a login is there.
    let of_login = PathBuf::from(format!("/run/user/{}", user()));
    let folder = match runtime {
        Some(runtime) => PathBuf::from(runtime).join("becomingone"),
        None if of_login.is_dir() => of_login.join("becomingone"),
        None => std::env::temp_dir().join(format!("becomingone-{}", user())),
    };
    make(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(folder)
}

/// A folder that only this user may read; one of somebody else is refused.
#[cfg(unix)]
fn make(folder: &Path) -> Result<(), String> {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    made.map_err(|e| e.to_string())?;
    let data = std::fs::symlink_metadata(folder).map_err(|e| e.to_string())?;
    if !data.is_dir() || data.mode() & 0o077 != 0 || data.uid() != user() {
        return Err(
            "found a folder that others may use; expected one of this user alone (chmod 700)"
                .to_owned(),
        );
    }
    Ok(())
}

#[cfg(not(unix))]
fn make(folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|e| e.to_string())
}

#[cfg(unix)]
fn user() -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    // Of a process of this user.
    std::fs::metadata("/proc/self").map_or(0, |data| data.uid())
}

#[cfg(not(unix))]
fn user() -> u32 {
    0
}

/// The file of a run; removed when it is dropped.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn write(
        folder: &Path,
        url: &str,
        scene: &str,
        token_file: Option<&Path>,
    ) -> Result<Self, String> {
        let found = Found {
            url: url.to_owned(),
            process: std::process::id(),
            scene: scene.to_owned(),
            token_file: token_file.map(Path::to_owned),
        };
        let text = serde_json::to_string(&found).map_err(|e| e.to_string())?;
        // A process may serve several runs.
        let port = url.rsplit(':').next().unwrap_or_default();
        let file = folder.join(format!("{}-{port}.json", found.process));
        // Of a process of the same number that was killed.
        let _ = std::fs::remove_file(&file);
        write_private(&file, &text).map_err(|e| format!("{}: {e}", file.display()))?;
        Ok(Self(file))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Runs of this user whose processes are there, in the order of their addresses. Files of those that were killed are
/// removed.
///
/// # Errors
///
/// As [`folder`].
pub fn found(folder: &Path) -> Result<Vec<Found>, String> {
    let files = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut all = Vec::new();
    for file in files.flatten().map(|file| file.path()) {
        if file.extension().is_none_or(|e| e != "json") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let Ok(run) = serde_json::from_str::<Found>(&text) else {
            continue;
        };
        match is_there(run.process) {
            true => all.push(run),
            false => {
                let _ = std::fs::remove_file(&file);
            }
        }
    }
    all.sort_by(|a, b| a.url.cmp(&b.url));
    Ok(all)
}

#[cfg(target_os = "linux")]
pub(crate) fn is_there(process: u32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn is_there(_: u32) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_found_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::write(folder.path(), "http://127.0.0.1:8420", "yard", None).unwrap();
        let runs = found(folder.path()).unwrap();
        assert_eq!(runs.len(), 1);
        assert_eq!(
            (&runs[0].scene[..], runs[0].process),
            ("yard", std::process::id())
        );
        drop(place);
        assert!(found(folder.path()).unwrap().is_empty());
        // Of a process that was killed, and of somebody else.
        let dead = Found {
            process: u32::MAX,
            ..runs[0].clone()
        };
        std::fs::write(
            folder.path().join("1.json"),
            serde_json::to_string(&dead).unwrap(),
        )
        .unwrap();
        std::fs::write(folder.path().join("2.json"), "{").unwrap();
        assert!(found(folder.path()).unwrap().is_empty());
        assert!(!folder.path().join("1.json").exists());
    }
}
