//! Resolves mesh URIs to files.

use crate::Files;
use std::path::{Path, PathBuf};

/// Most paths listed in a message.
const MAX_LISTED: usize = 6;

/// Resolves a mesh URI to a file; the error lists the paths that were tried.
///
/// `package://` and `model://` are searched in each folder above the description: as a folder of
/// the package's name, as its parent, and, since packages are often unpacked under other names,
/// by the rest of the path. Relative names are searched beside the description first.
pub(crate) fn resolve(
    name: &str,
    description: &Path,
    files: &dyn Files,
) -> Result<PathBuf, Vec<PathBuf>> {
    let name = name.replace('\\', "/");
    let description = files.absolute(description);
    let folders: Vec<_> = description.ancestors().skip(1).collect();
    let candidates = candidates(&name, &folders);
    match candidates.iter().find(|path| files.is_file(path)) {
        Some(found) => Ok(found.clone()),
        None => Err(candidates),
    }
}

/// Candidate paths, most likely first.
fn candidates(name: &str, folders: &[&Path]) -> Vec<PathBuf> {
    let package = ["package://", "model://"]
        .iter()
        .find_map(|scheme| name.strip_prefix(scheme));
    let Some(inside) = package else {
        // `file:///a` is absolute; some files write a relative path as `file://a`.
        let plain = name.strip_prefix("file://").unwrap_or(name);
        if Path::new(plain).is_absolute() {
            return vec![PathBuf::from(plain)];
        }
        return folders.iter().map(|folder| folder.join(plain)).collect();
    };
    let inside = inside.trim_start_matches('/');
    let (package, rest) = inside.split_once('/').unwrap_or((inside, ""));
    let mut candidates = Vec::new();
    for folder in folders {
        if folder.file_name().is_some_and(|name| name == package) {
            candidates.push(folder.join(rest));
        }
        candidates.push(folder.join(package).join(rest));
    }
    candidates.extend(folders.iter().map(|folder| folder.join(rest)));
    candidates
}

/// Formats the first of the paths that were tried.
pub(crate) fn list(tried: &[PathBuf]) -> String {
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
    }

    fn found(name: &str, files: &'static [&'static str]) -> Option<PathBuf> {
        resolve(
            name,
            Path::new("ws/bot_pkg/urdf/bot.urdf"),
            &MemoryFiles(files),
        )
        .ok()
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
    fn list_of_tried_paths_is_limited() {
        let tried = resolve(
            "package://x/y.stl",
            Path::new("a/b/c/d.urdf"),
            &MemoryFiles(&[]),
        );
        let text = list(&tried.unwrap_err());
        assert!(text.contains("a/b/c/x/y.stl"), "{text}");
        assert!(text.ends_with("and 2 more"), "{text}");
    }
}
