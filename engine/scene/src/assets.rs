//! Built-in scenes and assets, embedded in the binary so that it works from any folder.

use becomingone_assets::ASSETS;
use becomingone_components::path_text::to_text;
use becomingone_model::{Disk, Files, larger};
use becomingone_scenes::SCENES;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};

/// Prefix of paths of embedded files: `built-in/assets/rover.urdf`.
pub const BUILT_IN: &str = "built-in";

/// Files on the disk, and those embedded in the binary.
#[derive(Clone, Copy, Debug)]
pub struct Assets;

impl Files for Assets {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match embedded(path) {
            Some(bytes) => Ok(bytes.to_vec()),
            None => Disk.read(path),
        }
    }

    fn read_at_most(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        // The size is checked before reading.
        if let Ok(meta) = std::fs::metadata(path)
            && meta.is_file()
            && meta.len() > most
        {
            return Err(larger(meta.len(), most));
        }
        let bytes = self.read(path)?;
        if bytes.len() as u64 > most {
            return Err(larger(bytes.len() as u64, most));
        }
        Ok(bytes)
    }

    fn is_file(&self, path: &Path) -> bool {
        embedded(path).is_some() || Disk.is_file(path)
    }

    fn search_path(&self, variable: &str) -> Vec<PathBuf> {
        Disk.search_path(variable)
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        if path.starts_with(BUILT_IN) {
            path.to_path_buf()
        } else {
            Disk.absolute(path)
        }
    }
}

/// Captures the files that a scene reads, so that it can be loaded again on another machine.
pub struct CapturingFiles<'a> {
    from: &'a dyn Files,
    read: RefCell<BTreeMap<String, Vec<u8>>>,
}

impl<'a> CapturingFiles<'a> {
    /// Creates a capture without files.
    pub fn new(from: &'a dyn Files) -> Self {
        Self {
            from,
            read: RefCell::default(),
        }
    }

    /// Returns the files read so far, by [`MemoryFiles::name`].
    pub fn take(self) -> BTreeMap<String, Vec<u8>> {
        self.read.into_inner()
    }

    fn keep(&self, path: &Path, bytes: Vec<u8>) -> Vec<u8> {
        let mut read = self.read.borrow_mut();
        read.insert(MemoryFiles::name(path), bytes.clone());
        bytes
    }
}

impl Files for CapturingFiles<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Ok(self.keep(path, self.from.read(path)?))
    }

    fn read_at_most(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        Ok(self.keep(path, self.from.read_at_most(path, most)?))
    }

    fn is_file(&self, path: &Path) -> bool {
        self.from.is_file(path)
    }

    fn search_path(&self, variable: &str) -> Vec<PathBuf> {
        self.from.search_path(variable)
    }

    fn allows_missing(&self) -> bool {
        self.from.allows_missing()
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        self.from.absolute(path)
    }
}

/// Files in memory: those that a scene was loaded from, with their folders, below [`MemoryFiles::FOLDER`].
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles(BTreeMap<String, Vec<u8>>);

impl MemoryFiles {
    /// Folder that replaces the file system root of the other machine.
    pub const FOLDER: &str = "files";

    /// Creates the files by their [`name`](Self::name).
    pub fn new(files: BTreeMap<String, Vec<u8>>) -> Self {
        Self(files)
    }

    /// Name of a file: `/home/me/rover.urdf` is `files/home/me/rover.urdf`.
    pub fn name(path: &Path) -> String {
        let known = path.starts_with(Self::FOLDER) || path.starts_with(BUILT_IN);
        let absolute = if known {
            path.to_path_buf()
        } else {
            std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
        };
        let mut parts: Vec<String> = Vec::new();
        for part in absolute.components() {
            match part {
                Component::ParentDir => drop(parts.pop()),
                Component::CurDir | Component::RootDir => {}
                // A drive letter becomes a folder.
                Component::Prefix(drive) => {
                    let drive = drive.as_os_str().to_string_lossy();
                    parts.push(drive.replace([':', '\\', '?', '.'], ""));
                }
                Component::Normal(part) => parts.push(to_text(Path::new(part))),
            }
        }
        if parts.first().is_none_or(|first| first != Self::FOLDER) {
            parts.insert(0, Self::FOLDER.to_owned());
        }
        parts.join("/")
    }

    fn find(&self, path: &Path) -> Option<&Vec<u8>> {
        // The files of a recording have no common folder.
        let plain = self.0.get(&to_text(path));
        plain.or_else(|| self.0.get(&Self::name(path)))
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let held = self.find(path).cloned();
        held.ok_or_else(|| {
            let text = "the recording does not hold this file";
            io::Error::new(io::ErrorKind::NotFound, text)
        })
    }

    fn is_file(&self, path: &Path) -> bool {
        self.find(path).is_some()
    }

    /// All folders of its files: those that the variables of the other machine named are among them.
    fn search_path(&self, variable: &str) -> Vec<PathBuf> {
        if variable != "ROS_PACKAGE_PATH" {
            return Vec::new();
        }
        let files = self
            .0
            .keys()
            .flat_map(|name| Path::new(name).ancestors().skip(1));
        let folders: BTreeSet<_> = files.map(Path::to_path_buf).collect();
        folders.into_iter().collect()
    }
}

/// Content of the embedded file with a path below [`BUILT_IN`].
fn embedded(path: &Path) -> Option<&'static [u8]> {
    let inside = path.strip_prefix(BUILT_IN).ok()?;
    // Resolves `a/../b` to `b`: mesh names are relative to the folder of their description.
    let mut plain = PathBuf::new();
    for part in inside.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    let (dir, rest) = match plain.strip_prefix("scenes") {
        Ok(rest) => (&SCENES, rest),
        Err(_) => (&ASSETS, plain.strip_prefix("assets").ok()?),
    };
    Some(dir.get_file(rest)?.contents())
}

/// Names of the built-in scenes, sorted, each with its first comment line.
pub fn scenes() -> Vec<(String, String)> {
    let mut scenes: Vec<_> = SCENES
        .files()
        .filter(|f| f.path().extension().is_some_and(|e| e == "ron"))
        .filter_map(|f| {
            let name = f.path().file_stem()?.to_string_lossy().into_owned();
            let first = f.contents_utf8()?.lines().next()?;
            Some((name, first.trim_start_matches('/').trim().to_owned()))
        })
        .collect();
    scenes.sort();
    scenes
}

/// Names of the built-in robot descriptions, sorted, each with the first line of its first comment.
pub fn models() -> Vec<(String, String)> {
    let mut models: Vec<_> = ASSETS
        .files()
        .filter(|f| {
            let end = f.path().extension();
            end.is_some_and(|e| e == "urdf" || e == "xml")
        })
        .filter_map(|f| {
            let name = f.path().file_stem()?.to_string_lossy().into_owned();
            let (_, comment) = f.contents_utf8()?.split_once("<!--")?;
            let (comment, _) = comment.split_once("-->")?;
            let first = comment.lines().map(str::trim).find(|l| !l.is_empty());
            Some((name, first.unwrap_or_default().to_owned()))
        })
        .collect();
    models.sort();
    models
}

/// Path of a built-in robot description, by its name without extension.
pub fn model_path(name: &str) -> Option<PathBuf> {
    ["urdf", "xml"].iter().find_map(|end| {
        let path = Path::new(BUILT_IN)
            .join("assets")
            .join(format!("{name}.{end}"));
        embedded(&path).map(|_| path)
    })
}

/// Paths of the built-in assets, sorted.
pub fn assets() -> Vec<String> {
    let mut names: Vec<_> = ASSETS
        .files()
        .map(|f| f.path())
        // The folder's own manifest and code are not assets.
        .filter(|path| path.extension().is_none_or(|e| e != "toml" && e != "rs"))
        .map(|path| path.display().to_string())
        .collect();
    names.sort();
    names
}

/// Path of a built-in scene.
pub fn scene_path(name: &str) -> PathBuf {
    Path::new(BUILT_IN)
        .join("scenes")
        .join(format!("{name}.ron"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_keep_their_folders_in_a_recording() {
        let name = |path: &str| MemoryFiles::name(Path::new(path));
        assert_eq!(name("/a/b/../c.stl"), "files/a/c.stl");
        assert_eq!(name("files/a/c.stl"), "files/a/c.stl");
        assert_eq!(name("files/a/b/../c.stl"), "files/a/c.stl");
        assert_eq!(
            name("built-in/assets/rover.urdf"),
            "files/built-in/assets/rover.urdf"
        );
        let remembered = CapturingFiles::new(&Assets);
        let rover = Path::new(BUILT_IN).join("assets").join("rover.urdf");
        let bytes = remembered.read(&rover).unwrap();
        let held = MemoryFiles::new(remembered.take());
        assert_eq!(held.read(&rover).unwrap(), bytes);
        let moved = Path::new("files/built-in/assets/../assets/rover.urdf");
        assert_eq!(held.read(moved).unwrap(), bytes);
        assert!(!held.is_file(Path::new("/etc/passwd")));
    }
}
