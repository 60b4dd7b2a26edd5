//! Where the meshes are that a description names.

use crate::Files;
use std::path::{Path, PathBuf};

/// Places that a message names at most.
const NAMED: usize = 6;

/// The file that a mesh's name means, or the places where it was looked for.
///
/// `package://` and `model://` look into each folder above the description: one that has the
/// package's name, one that holds it, and, as packages are often unpacked under other names,
/// the rest of the path anywhere above. Relative names look beside the description first.
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

/// Where a file may be, the likeliest first.
fn candidates(name: &str, folders: &[&Path]) -> Vec<PathBuf> {
    let package = ["package://", "model://"]
        .iter()
        .find_map(|scheme| name.strip_prefix(scheme));
    let Some(inside) = package else {
        // `file:///a` is absolute, `file://a` is how some write a relative path.
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

/// The first places that were tried, for a message.
pub(crate) fn list(tried: &[PathBuf]) -> String {
    let mut text = tried
        .iter()
        .take(NAMED)
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(", ");
    if tried.len() > NAMED {
        text.push_str(&format!(" and {} more places", tried.len() - NAMED));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    struct Held(&'static [&'static str]);

    impl Files for Held {
        fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
            Err(io::ErrorKind::NotFound.into())
        }
        fn is_file(&self, path: &Path) -> bool {
            self.0.iter().any(|held| Path::new(held) == path)
        }
    }

    fn found(name: &str, held: &'static [&'static str]) -> Option<PathBuf> {
        resolve(name, Path::new("ws/bot_pkg/urdf/bot.urdf"), &Held(held)).ok()
    }

    #[test]
    fn packages_are_found_above_the_description() {
        for (name, held) in [
            // The folder of that name above.
            ("package://bot_pkg/meshes/a.stl", "ws/bot_pkg/meshes/a.stl"),
            // A neighbour of a folder above.
            ("package://arm/meshes/a.stl", "ws/arm/meshes/a.stl"),
            ("model://arm/meshes/a.stl", "arm/meshes/a.stl"),
            // The package was unpacked under another name.
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
    fn tried_places_are_listed_briefly() {
        let tried = resolve("package://x/y.stl", Path::new("a/b/c/d.urdf"), &Held(&[]));
        let text = list(&tried.unwrap_err());
        assert!(text.contains("a/b/c/x/y.stl"), "{text}");
        assert!(text.ends_with("and 2 more places"), "{text}");
    }
}
