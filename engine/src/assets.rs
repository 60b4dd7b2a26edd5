//! Scenes and assets that travel inside the binary, so that it works from any folder.

use becomingone_model::{Disk, Files};
use include_dir::{Dir, include_dir};
use std::io;
use std::path::{Component, Path, PathBuf};

/// Paths below this name files inside the binary: `built-in/assets/rover.urdf`.
pub const BUILT_IN: &str = "built-in";

static SCENES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../scenes");
static ASSETS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../assets");

/// The disk, and what is inside the binary.
#[derive(Clone, Copy, Debug)]
pub struct Assets;

impl Assets {
    /// The whole file, if it has at most this many bytes.
    ///
    /// # Errors
    ///
    /// As [`Files::read`], and where the file is larger.
    pub fn read_at_most(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        if let Ok(meta) = std::fs::metadata(path)
            && meta.is_file()
            && meta.len() > most
        {
            let text = format!("found {} bytes; expected at most {most}", meta.len());
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        self.read(path)
    }
}

impl Files for Assets {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match embedded(path) {
            Some(bytes) => Ok(bytes.to_vec()),
            None => Disk.read(path),
        }
    }

    fn is_file(&self, path: &Path) -> bool {
        embedded(path).is_some() || Disk.is_file(path)
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        if path.starts_with(BUILT_IN) {
            path.to_path_buf()
        } else {
            Disk.absolute(path)
        }
    }
}

/// The bytes behind a path below [`BUILT_IN`].
fn embedded(path: &Path) -> Option<&'static [u8]> {
    let inside = path.strip_prefix(BUILT_IN).ok()?;
    // `a/../b` is `b`: meshes are named from their description's folder.
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

/// Names of the built-in scenes, sorted, with what the first comment line of each says.
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

/// Names of the built-in robot descriptions, sorted, with what the first comment of each says.
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

/// The path of a built-in robot description, by its name without the end.
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
        .map(|f| f.path().display().to_string())
        .collect();
    names.sort();
    names
}

/// The path of a built-in scene.
pub fn scene_path(name: &str) -> PathBuf {
    Path::new(BUILT_IN)
        .join("scenes")
        .join(format!("{name}.ron"))
}
