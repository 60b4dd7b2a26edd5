//! What can be run: built-in scenes, and those below a folder.

use crate::problem::Problem;
use becomingone::assets;
use becomingone::components::nearest::did_you_mean;
use becomingone_model::Files as _;
use serde::Serialize;
use std::path::{Path, PathBuf};
use utoipa::ToSchema;

/// Most scenes of the list.
const MOST: usize = 1000;
/// Deepest folder that is looked into.
const DEEPEST: usize = 8;

/// A scene that can be run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub(crate) struct SceneEntry {
    /// By this name it is run.
    pub(crate) scene: String,
    /// `built_in`, or `file` below the folder of the server.
    pub(crate) from: &'static str,
    /// First line of a built-in scene.
    pub(crate) about: Option<String>,
}

/// The scenes of a server.
pub(super) struct Scenes {
    /// Without links.
    folder: Option<PathBuf>,
}

impl Scenes {
    pub(super) fn new(folder: Option<PathBuf>) -> Result<Self, String> {
        let real = |folder: PathBuf| {
            let real = folder.canonicalize();
            let real = real.map_err(|e| format!("{}: {e}", folder.display()))?;
            match real.is_dir() {
                true => Ok(real),
                false => Err(format!("{}: expected a folder of scenes", folder.display())),
            }
        };
        Ok(Self {
            folder: folder.map(real).transpose()?,
        })
    }

    /// The folder that scenes from elsewhere may read from.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// All scenes, in the order of their names: files first.
    pub(super) fn list(&self) -> Vec<SceneEntry> {
        let mut all = Vec::new();
        if let Some(folder) = &self.folder {
            below(folder, folder, DEEPEST, &mut all);
        }
        all.sort();
        all.dedup();
        let built_in = assets::scenes().into_iter();
        all.extend(built_in.map(|(scene, about)| SceneEntry {
            scene,
            from: "built_in",
            about: Some(about),
        }));
        all
    }

    /// What the program is given for a scene of the list.
    pub(super) fn find(&self, name: &str) -> Result<PathBuf, Problem> {
        let all = self.list();
        // Short names of the main scenes.
        let is_short = matches!(name, "robot" | "vehicle");
        let found = all.iter().find(|entry| entry.scene == name);
        match (found, &self.folder) {
            (Some(SceneEntry { from: "file", .. }), Some(folder)) => Ok(folder.join(name)),
            (Some(_), _) => Ok(PathBuf::from(name)),
            (None, _) if is_short => Ok(PathBuf::from(name)),
            (None, _) => {
                let names = all.iter().map(|entry| entry.scene.as_str());
                let known: Vec<_> = names.clone().map(|name| format!("`{name}`")).collect();
                Err(Problem::not_found(format!(
                    "found no scene of this name; expected one of {}{}",
                    known.join(", "),
                    did_you_mean(name, names)
                )))
            }
        }
    }

    /// Text of a scene of the list.
    pub(super) fn text(&self, name: &str) -> Result<String, Problem> {
        let path = self.find(name)?;
        if path.is_absolute() {
            return std::fs::read_to_string(&path)
                .map_err(|e| Problem::unavailable(format!("{name}: {e}")));
        }
        let name = match name {
            "robot" => "warehouse_robot",
            "vehicle" => "vehicle_track",
            name => name,
        };
        let bytes = assets::Assets.read(&assets::scene_path(name));
        let bytes = bytes.map_err(|e| Problem::unavailable(format!("{name}: {e}")))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Adds the scenes below a folder. Links are not followed: what is below the folder is what its owner put there.
fn below(root: &Path, folder: &Path, depth: usize, to: &mut Vec<SceneEntry>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let path = entry.path();
        if kind.is_dir() && depth > 0 {
            below(root, &path, depth - 1, to);
        } else if kind.is_file()
            && path.extension().is_some_and(|e| e == "ron")
            && to.len() < MOST
            && let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str)
        {
            to.push(SceneEntry {
                scene: name.to_owned(),
                from: "file",
                about: None,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenes_are_those_of_the_folder_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("yard")).unwrap();
        std::fs::write(folder.path().join("yard/a.ron"), "(version: 1)").unwrap();
        std::fs::write(folder.path().join("secret.txt"), "x").unwrap();
        let scenes = Scenes::new(Some(folder.path().to_owned())).unwrap();
        let files: Vec<_> = scenes
            .list()
            .into_iter()
            .filter(|s| s.from == "file")
            .collect();
        assert_eq!(files.len(), 1);
        assert_eq!(scenes.text("yard/a.ron").unwrap(), "(version: 1)");
        assert!(scenes.find("robot").is_ok() && scenes.find("arm_wave").is_ok());
        for name in [
            "secret.txt",
            "../a.ron",
            "/etc/passwd",
            "",
            "yard/../yard/a.ron",
            "--help",
        ] {
            assert_eq!(scenes.find(name).unwrap_err().status, 404, "{name}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link.ron")).unwrap();
            assert_eq!(scenes.find("link.ron").unwrap_err().status, 404);
        }
    }
}
