//! Small files of JSON: replaced as a whole, and never lost in silence.

use crate::session::private;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

/// What a file has; the default where there is none. One that cannot be read is kept as `NAME.bad`.
pub(crate) fn load<T: DeserializeOwned + Default>(path: &Path) -> T {
    let Ok(bytes) = std::fs::read(path) else {
        return T::default();
    };
    serde_json::from_slice(&bytes).unwrap_or_else(|error| {
        let bad = path.with_extension("bad");
        let kept = std::fs::rename(path, &bad);
        log::warn!(
            "{}: {error}: {}",
            path.display(),
            match kept {
                Ok(()) => format!("it is kept as {}", bad.display()),
                Err(error) => error.to_string(),
            }
        );
        T::default()
    })
}

/// Replaces a file: the old one is whole until the new one is.
pub(crate) fn save(path: &Path, content: &impl Serialize) -> Result<(), String> {
    let text = serde_json::to_string_pretty(content).map_err(|e| e.to_string())?;
    let new = path.with_extension("new");
    let written = private(OpenOptions::new().write(true).truncate(true).create(true))
        .open(&new)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_data()
        })
        .and_then(|()| std::fs::rename(&new, path));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.json");
        save(&path, &vec![1, 2]).unwrap();
        assert_eq!(load::<Vec<u32>>(&path), [1, 2]);
        std::fs::write(&path, "[1, 2").unwrap();
        assert!(load::<Vec<u32>>(&path).is_empty());
        assert_eq!(
            std::fs::read_to_string(folder.path().join("list.bad")).unwrap(),
            "[1, 2"
        );
    }
}
