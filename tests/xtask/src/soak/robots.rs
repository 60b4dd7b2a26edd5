//! Robot descriptions below a folder.
//!
//! A file is a model when its root element is `<robot>` and holds a `<link>`, or when it is `<mujoco>`,
//! holds a `<worldbody>` or includes other files, and no other file includes it. Of numbered sets with
//! hundreds of alike models (`random_urdfs`) every tenth is taken.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// All models below a folder, sorted.
pub(super) fn models(folder: &Path) -> Vec<PathBuf> {
    let mut found = BTreeSet::new();
    let mut fragments = BTreeSet::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = folder.read_dir() else {
            continue;
        };
        for path in entries.flatten().map(|e| e.path()) {
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let end = path.extension().and_then(|e| e.to_str());
            if !matches!(end, Some("urdf" | "xml" | "mjcf")) || is_skipped(&path) {
                continue;
            }
            let Ok(bytes) = std::fs::read(&path) else {
                continue;
            };
            let text = String::from_utf8_lossy(&bytes);
            let includes = included(&text);
            let is = |tag: &str| text.contains(tag);
            if is("<robot") && is("<link") && !is("xacro:") {
                found.insert(path);
            } else if is("<mujoco")
                && !is("<mujocoinclude")
                && (is("<worldbody") || !includes.is_empty())
            {
                let beside = includes.iter().map(|f| folder.join(f));
                fragments.extend(beside);
                found.insert(path);
            }
        }
    }
    found
        .into_iter()
        .filter(|f| !fragments.contains(f))
        .collect()
}

/// Whether this is one of hundreds of alike models, and not the tenth.
fn is_skipped(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let Some((_, rest)) = text.split_once("random_urdfs/") else {
        return false;
    };
    !rest
        .split('/')
        .next()
        .is_some_and(|number| number.ends_with('0'))
}

/// Files that a text includes.
fn included(text: &str) -> Vec<String> {
    let after = text.split("<include").skip(1);
    let file = |rest: &str| {
        let (_, value) = rest.split_once("file=")?;
        let quote = value.chars().next()?;
        Some(value[1..].split(quote).next()?.to_owned())
    };
    after.filter_map(file).collect()
}
