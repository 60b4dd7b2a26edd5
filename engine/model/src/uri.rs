//! Resolves mesh URIs to files.

use crate::Files;
use percent_encoding::percent_decode_str;
use std::path::{Path, PathBuf};

/// Most paths listed in a message.
const MAX_LISTED: usize = 6;

/// Environment variables with folders of packages and models, in the order in which they are searched.
const SEARCHED: [&str; 5] = [
    "ROS_PACKAGE_PATH",
    "AMENT_PREFIX_PATH",
    "GAZEBO_MODEL_PATH",
    "GZ_SIM_RESOURCE_PATH",
    "IGN_GAZEBO_RESOURCE_PATH",
];

/// Where `MuJoCo` looks for the meshes of a description: in this folder, relative to the description;
/// by the file name alone if paths are stripped.
#[derive(Clone, Debug)]
pub(crate) struct MeshFolder {
    pub(crate) folder: String,
    pub(crate) strip_path: bool,
}

/// Why a URI has no file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unresolved {
    /// None of these is a file; whether packages were searched.
    Tried(Vec<PathBuf>, bool),
    /// The scheme is not read.
    Scheme(String),
}

impl Unresolved {
    /// What was expected, for a message.
    pub(crate) fn expected(&self, files: &dyn Files) -> String {
        match self {
            Self::Tried(tried, false) => format!("expected one of the files {}", list(tried)),
            Self::Tried(tried, true) => {
                let set = SEARCHED.iter().filter(|v| !files.search_path(v).is_empty());
                let set: Vec<_> = set.copied().collect();
                let searched = match set.as_slice() {
                    [] => format!("none of {} is set", SEARCHED.join(", ")),
                    set => format!("the folders of {} were searched too", set.join(", ")),
                };
                format!("expected one of the files {} ({searched})", list(tried))
            }
            Self::Scheme(scheme) if scheme.starts_with("http") => {
                "expected a local file: meshes are not downloaded; save it beside the description and name that file".to_owned()
            }
            Self::Scheme(scheme) => {
                format!("expected package://, model:// or file://, not {scheme}:")
            }
        }
    }
}

/// File of a mesh URI.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) path: PathBuf,
    /// By what rule, if that is a guess; the same for all files of a package.
    pub(crate) guess: Option<String>,
}

/// Resolves a mesh URI to a file, in all forms that ROS and Gazebo read.
///
/// `package://` and `model://` are searched in each folder above the description: as a folder of
/// the package's name, as its parent; then in the folders of the environment variables of ROS and
/// Gazebo; and, since packages are often unpacked under other names, above the description by the
/// rest of the path, which is a guess. Relative names are searched beside the description first; above it is a guess. Escapes such as
/// `%20` are tried after the name as it stands.
pub(crate) fn resolve(
    name: &str,
    description: &Path,
    folder: Option<&MeshFolder>,
    files: &dyn Files,
) -> Result<Resolved, Unresolved> {
    let plain = name.trim().replace('\\', "/");
    let decoded = percent_decode_str(&plain).decode_utf8().ok();
    let decoded = decoded.filter(|decoded| **decoded != *plain);
    let description = files.absolute(description);
    let folders: Vec<_> = description.ancestors().skip(1).collect();
    let mut tried = Vec::new();
    let mut guesses = Vec::new();
    let mut is_package = false;
    for name in [Some(plain.as_str()), decoded.as_deref()]
        .into_iter()
        .flatten()
    {
        let uri = Uri::of(name).map_err(Unresolved::Scheme)?;
        is_package = matches!(uri, Uri::Package { .. });
        if let (Some(folder), Some(beside)) = (folder, folders.first()) {
            tried.push(uri.by_mujoco(&beside.join(&folder.folder), folder.strip_path));
        }
        tried.extend(uri.candidates(&folders, files));
        guesses.push((uri, tried.len()));
        tried.extend(uri.guesses(&folders));
    }
    let Some(at) = tried.iter().position(|path| files.is_file(path)) else {
        return Err(Unresolved::Tried(tried, is_package));
    };
    let rank = guesses
        .iter()
        .rev()
        .find(|(_, from)| (*from..).contains(&at));
    let guess = rank.and_then(|&(uri, from)| {
        let guesses = uri.guesses(&folders).count();
        (at < from + guesses).then(|| uri.guessed(&tried[at..from + guesses], files))
    });
    let path = tried.swap_remove(at);
    Ok(Resolved { path, guess })
}

/// Parts of a mesh URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Uri<'a> {
    /// File of a package or model.
    Package { package: &'a str, rest: &'a str },
    /// Path of a file.
    Path(&'a str),
}

impl<'a> Uri<'a> {
    /// Parses a URI; the error is the scheme that is not read.
    fn of(name: &'a str) -> Result<Self, String> {
        let Some((scheme, inside)) = name.split_once(':') else {
            return Ok(Self::Path(name));
        };
        let is_scheme = scheme.len() > 1 && scheme.chars().all(|c| c.is_ascii_alphanumeric());
        match scheme.to_ascii_lowercase().as_str() {
            "package" | "model" => {
                let inside = inside.trim_start_matches('/');
                let (package, rest) = inside.split_once('/').unwrap_or((inside, ""));
                Ok(Self::Package { package, rest })
            }
            // `file:///a` is absolute; some files write a relative path as `file://a`.
            "file" => {
                let path = inside.strip_prefix("//").unwrap_or(inside);
                let path = path.strip_prefix("localhost/").map_or(path, |_| &path[9..]);
                // From `file://$(find package)/a`.
                match path.split_once(':') {
                    Some(("package" | "model", _)) => Self::of(path),
                    _ => Ok(Self::Path(path)),
                }
            }
            // A colon may be part of a file's name, and of a drive.
            _ if !is_scheme || !inside.starts_with("//") => Ok(Self::Path(name)),
            _ => Err(scheme.to_ascii_lowercase()),
        }
    }

    /// Path by `MuJoCo`'s rule.
    fn by_mujoco(self, folder: &Path, strip_path: bool) -> PathBuf {
        match self {
            _ if strip_path => folder.join(self.file_name()),
            Self::Package { package, rest } => folder.join(package).join(rest),
            Self::Path(path) => folder.join(path),
        }
    }

    fn file_name(self) -> &'a str {
        let (Self::Package { rest: path, .. } | Self::Path(path)) = self;
        path.rsplit('/').next().unwrap_or(path)
    }

    /// Candidate paths, most likely first.
    fn candidates(self, folders: &[&Path], files: &dyn Files) -> Vec<PathBuf> {
        let searched = || SEARCHED.iter().flat_map(|v| files.search_path(v));
        let mut candidates = Vec::new();
        match self {
            Self::Path(path) if Path::new(path).is_absolute() => {
                candidates.push(PathBuf::from(path));
            }
            Self::Path(path) => {
                candidates.extend(folders.first().map(|folder| folder.join(path)));
                candidates.extend(searched().map(|folder| folder.join(path)));
            }
            Self::Package { package, rest } => {
                let mut within = |folder: &Path| {
                    if folder.file_name().is_some_and(|name| name == package) {
                        candidates.push(folder.join(rest));
                    }
                    candidates.push(folder.join(package).join(rest));
                };
                folders.iter().for_each(|folder| within(folder));
                for folder in searched() {
                    within(&folder);
                    // An installed prefix of ROS 2.
                    within(&folder.join("share"));
                }
            }
        }
        candidates
    }

    /// Paths above the description at which no other reader looks.
    fn guesses(self, folders: &[&Path]) -> impl Iterator<Item = PathBuf> {
        let (path, skipped) = match self {
            Self::Package { rest, .. } => (rest, 0),
            Self::Path(path) if Path::new(path).is_absolute() => (path, folders.len()),
            Self::Path(path) => (path, 1),
        };
        folders
            .iter()
            .skip(skipped)
            .map(move |folder| folder.join(path))
    }

    /// Text of a warning about a guess: the first of these files is used.
    fn guessed(self, found: &[PathBuf], files: &dyn Files) -> String {
        let quoted = |path: &PathBuf| format!("{:?}", path.display().to_string());
        let (what, rest) = match self {
            Self::Package { package, rest } => (format!("package {package:?} was not found"), rest),
            Self::Path(path) => ("its files are not beside the description".to_owned(), path),
        };
        // The folder stands for all files in it.
        let folder = |path: &PathBuf| {
            let parts = Path::new(rest).components().count();
            path.ancestors().nth(parts).unwrap_or(path).to_path_buf()
        };
        let used = found
            .first()
            .map(|path| quoted(&folder(path)))
            .unwrap_or_default();
        let others = found.iter().skip(1).filter(|path| files.is_file(path));
        let others: Vec<_> = others.map(|path| quoted(&folder(path))).collect();
        let also = match others.as_slice() {
            [] => String::new(),
            others => format!("; such files are in {} too", others.join(", ")),
        };
        format!("{what}: used the folder {used}, by the rest of the path{also}")
    }
}

/// Formats the first of the paths that were tried.
fn list(tried: &[PathBuf]) -> String {
    let mut text = tried
        .iter()
        .take(MAX_LISTED)
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(", ");
    if tried.len() > MAX_LISTED {
        text.push_str(&format!(" and {} more", tried.len() - MAX_LISTED));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    struct MemoryFiles(&'static [&'static str]);

    impl Files for MemoryFiles {
        fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
            Err(io::ErrorKind::NotFound.into())
        }
        fn is_file(&self, path: &Path) -> bool {
            self.0.iter().any(|file| Path::new(file) == path)
        }
        fn search_path(&self, variable: &str) -> Vec<PathBuf> {
            match variable {
                "ROS_PACKAGE_PATH" => vec!["/opt/ws/src".into()],
                "AMENT_PREFIX_PATH" => vec!["/opt/ros".into()],
                _ => Vec::new(),
            }
        }
    }

    fn found(name: &str, files: &'static [&'static str]) -> Option<PathBuf> {
        resolve(
            name,
            Path::new("ws/bot_pkg/urdf/bot.urdf"),
            None,
            &MemoryFiles(files),
        )
        .ok()
        .map(|found| found.path)
    }

    #[test]
    fn packages_are_found_above_the_description() {
        for (name, held) in [
            // Folder of the package's name above the description.
            ("package://bot_pkg/meshes/a.stl", "ws/bot_pkg/meshes/a.stl"),
            // Sibling of a folder above the description.
            ("package://arm/meshes/a.stl", "ws/arm/meshes/a.stl"),
            ("model://arm/meshes/a.stl", "arm/meshes/a.stl"),
            // Package unpacked under another name.
            ("package://other/meshes/a.stl", "ws/bot_pkg/meshes/a.stl"),
            ("meshes/a.stl", "ws/bot_pkg/urdf/meshes/a.stl"),
            ("../meshes/a.stl", "ws/bot_pkg/urdf/../meshes/a.stl"),
            ("file://meshes/a.stl", "ws/bot_pkg/urdf/meshes/a.stl"),
            ("file:///abs/a.stl", "/abs/a.stl"),
            ("/abs/a.stl", "/abs/a.stl"),
            ("meshes\\a.stl", "ws/bot_pkg/urdf/meshes/a.stl"),
            ("file:/abs/a.stl", "/abs/a.stl"),
            ("file:a.stl", "ws/bot_pkg/urdf/a.stl"),
            ("file://localhost/abs/a.stl", "/abs/a.stl"),
            ("FILE:///abs/my%20arm.stl", "/abs/my arm.stl"),
            ("package://bot_pkg/a%23b.stl", "ws/bot_pkg/a%23b.stl"),
            (
                "file://package://bot_pkg/meshes/a.stl",
                "ws/bot_pkg/meshes/a.stl",
            ),
            ("model:arm/meshes/a.stl", "arm/meshes/a.stl"),
            ("package:///arm/meshes/a.stl", "ws/arm/meshes/a.stl"),
            ("package://far/meshes/a.stl", "/opt/ws/src/far/meshes/a.stl"),
            (
                "package://far/meshes/a.stl",
                "/opt/ros/share/far/meshes/a.stl",
            ),
            ("model://far/a.dae", "/opt/ws/src/far/a.dae"),
            ("package://src/a.dae", "/opt/ws/src/a.dae"),
            (" a:b.stl ", "ws/bot_pkg/urdf/a:b.stl"),
        ] {
            let held: &'static [&'static str] = Box::leak(Box::new([held]));
            assert_eq!(found(name, held), Some(PathBuf::from(held[0])), "{name}");
        }
    }

    #[test]
    fn the_named_package_wins() {
        let held = &["ws/bot_pkg/meshes/a.stl", "ws/arm/meshes/a.stl"];
        assert_eq!(
            found("package://arm/meshes/a.stl", held),
            Some(PathBuf::from("ws/arm/meshes/a.stl"))
        );
    }

    #[test]
    fn mujocos_folder_is_searched_first() {
        let held = &[
            "ws/bot_pkg/assets/a.stl",
            "ws/bot_pkg/assets/p/q/a.stl",
            "ws/bot_pkg/urdf/a.stl",
        ];
        for (strip_path, name, right) in [
            (true, "package://p/q/a.stl", held[0]),
            (false, "package://p/q/a.stl", held[1]),
            (false, "p/q/a.stl", held[1]),
            (true, "a.stl", held[0]),
        ] {
            let folder = MeshFolder {
                folder: "../assets".to_owned(),
                strip_path,
            };
            let description = Path::new("ws/bot_pkg/urdf/bot.urdf");
            let found = resolve(name, description, Some(&folder), &Plain(MemoryFiles(held)));
            assert_eq!(
                found.unwrap().path,
                PathBuf::from(right.replace("assets", "urdf/../assets"))
            );
        }
    }

    #[test]
    fn guesses_are_told() {
        let guess = |name: &str, held: &'static [&'static str]| {
            let description = Path::new("ws/bot_pkg/urdf/bot.urdf");
            resolve(name, description, None, &MemoryFiles(held))
                .unwrap()
                .guess
        };
        for (name, held) in [
            ("package://bot_pkg/m/a.stl", "ws/bot_pkg/m/a.stl"),
            ("package://far/m/a.stl", "/opt/ros/share/far/m/a.stl"),
            ("m/a.stl", "ws/bot_pkg/urdf/m/a.stl"),
            ("/abs/a.stl", "/abs/a.stl"),
        ] {
            let held: &'static [&'static str] = Box::leak(Box::new([held]));
            assert_eq!(guess(name, held), None, "{name}");
        }
        let other = guess(
            "package://other/m/a.stl",
            &["ws/bot_pkg/m/a.stl", "ws/m/a.stl"],
        );
        assert_eq!(
            other.unwrap(),
            "package \"other\" was not found: used the folder \"ws/bot_pkg\", by the rest of the path; such files are \
             in \"ws\" too"
        );
        let above = guess("m/a.stl", &["ws/m/a.stl"]).unwrap();
        assert!(
            above.contains("not beside the description: used the folder \"ws\""),
            "{above}"
        );
        let escaped = guess("package://other/my%20arm.stl", &["ws/my arm.stl"]).unwrap();
        assert!(
            escaped.contains("package \"other\" was not found: used the folder \"ws\""),
            "{escaped}"
        );
    }

    /// Files whose names may have `..`.
    struct Plain(MemoryFiles);

    impl Files for Plain {
        fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
            self.0.read(path)
        }
        fn is_file(&self, path: &Path) -> bool {
            let plain = path.display().to_string().replace("urdf/../", "");
            self.0.is_file(Path::new(&plain))
        }
    }

    #[test]
    fn what_was_searched_is_told() {
        let tried = |name: &str| {
            let files = MemoryFiles(&[]);
            let error = resolve(name, Path::new("a/b/c/d.urdf"), None, &files);
            error.unwrap_err().expected(&files)
        };
        let text = tried("package://x/y.stl");
        assert!(text.contains("a/b/c/x/y.stl"), "{text}");
        assert!(
            text.ends_with(
                "and 6 more (the folders of ROS_PACKAGE_PATH, AMENT_PREFIX_PATH were searched too)"
            ),
            "{text}"
        );
        assert!(tried("https://x/y.stl").contains("meshes are not downloaded"));
        assert!(tried("fuel://x/y.stl").contains("not fuel:"));
    }
}
