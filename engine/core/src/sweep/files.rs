//! Files of a plan: all that its scenes read, so that runs need no other.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use becomingone_components::path_text::{to_path, to_text};
use becomingone_model::Files;
use becomingone_scene::assets::{Assets, BUILT_IN, MemoryFiles};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

/// Files that the scenes of a plan were loaded from, by [`MemoryFiles::name`]. Built-in files are those of the program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanFiles {
    /// Working folder where the plan was made: relative paths begin there.
    folder: String,
    held: BTreeMap<String, Held>,
    /// Paths of built-in files that were read.
    built_in: BTreeSet<String>,
    /// Files that were found and not read, as recordings: runs read them from the disk.
    on_disk: BTreeSet<String>,
    /// Folders of variables of the environment, as `ROS_PACKAGE_PATH`.
    search_paths: BTreeMap<String, Vec<String>>,
}

/// Most bytes of a file that is held as it is; meshes are larger.
const MOST_PLAIN: usize = 64 << 10;

/// Content of a file.
#[derive(Clone, Debug, PartialEq)]
enum Held {
    Plain(Vec<u8>),
    /// Compressed (RFC 1951).
    Packed(Vec<u8>),
}

impl Held {
    fn of(bytes: &[u8]) -> Self {
        let pack = || {
            let mut packer = DeflateEncoder::new(Vec::new(), Compression::default());
            packer.write_all(bytes)?;
            packer.finish()
        };
        match bytes.len() > MOST_PLAIN {
            // Memory does not refuse a write.
            true => pack().map_or_else(|_| Self::Plain(bytes.to_vec()), Self::Packed),
            false => Self::Plain(bytes.to_vec()),
        }
    }

    fn bytes(&self) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain(bytes) => Ok(bytes.clone()),
            Self::Packed(packed) => {
                let mut bytes = Vec::new();
                DeflateDecoder::new(packed.as_slice()).read_to_end(&mut bytes)?;
                Ok(bytes)
            }
        }
    }
}

/// Content in JSON: text as it is.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Content {
    Text(String),
    Base64(String),
    /// Compressed, in base 64.
    Deflate(String),
}

impl Serialize for Held {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let content = match self {
            Self::Packed(packed) => Content::Deflate(BASE64_STANDARD.encode(packed)),
            Self::Plain(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Content::Text(text.to_owned()),
                Err(_) => Content::Base64(BASE64_STANDARD.encode(bytes)),
            },
        };
        content.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Held {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let decode = |text: String| {
            BASE64_STANDARD
                .decode(text)
                .map_err(serde::de::Error::custom)
        };
        match Content::deserialize(from)? {
            Content::Text(text) => Ok(Self::Plain(text.into_bytes())),
            Content::Base64(text) => decode(text).map(Self::Plain),
            Content::Deflate(text) => decode(text).map(Self::Packed),
        }
    }
}

impl PlanFiles {
    fn full(&self, path: &Path) -> PathBuf {
        match path.starts_with(BUILT_IN) {
            true => path.to_path_buf(),
            false => to_path(&self.folder).join(path),
        }
    }

    fn name(&self, path: &Path) -> String {
        MemoryFiles::name(&self.full(path))
    }

    /// Names of its files, each with a hash of its content.
    pub(super) fn hashes(&self) -> impl Iterator<Item = (&str, u64)> {
        let held = self.held.iter();
        // One that cannot be unpacked has the hash of no file.
        held.map(|(name, held)| {
            (
                name.as_str(),
                held.bytes().map_or(0, |bytes| xxh3_64(&bytes)),
            )
        })
    }

    /// Its files by their names, the built-in ones among them, as recordings hold them.
    pub fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let held = self.held.iter();
        let held = held.filter_map(|(name, held)| Some((name.clone(), held.bytes().ok()?)));
        let built_in = self.built_in.iter().filter_map(|path| {
            let path = to_path(path);
            Some((MemoryFiles::name(&path), Assets.read(&path).ok()?))
        });
        held.chain(built_in).collect()
    }
}

impl Files for PlanFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let name = self.name(path);
        if let Some(held) = self.held.get(&name) {
            return held.bytes();
        }
        if path.starts_with(BUILT_IN) || self.on_disk.contains(&name) {
            return Assets.read(&self.full(path));
        }
        let text = "the plan of the sweep does not hold this file";
        Err(io::Error::new(io::ErrorKind::NotFound, text))
    }

    fn is_file(&self, path: &Path) -> bool {
        if path.starts_with(BUILT_IN) {
            return Assets.is_file(path);
        }
        let name = self.name(path);
        self.held.contains_key(&name) || self.on_disk.contains(&name)
    }

    fn search_path(&self, variable: &str) -> Vec<PathBuf> {
        let folders = self.search_paths.get(variable).into_iter().flatten();
        folders.map(|folder| to_path(folder)).collect()
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        self.full(path)
    }
}

/// Takes the files that scenes read from the disk.
#[derive(Debug)]
pub(super) struct Capture(RefCell<PlanFiles>);

impl Capture {
    /// Of this working folder.
    pub(super) fn new(folder: &Path) -> Self {
        Self(RefCell::new(PlanFiles {
            folder: to_text(folder),
            ..PlanFiles::default()
        }))
    }

    pub(super) fn take(self) -> PlanFiles {
        let mut files = self.0.into_inner();
        files.on_disk.retain(|name| !files.held.contains_key(name));
        files
    }

    fn keep(&self, path: &Path, bytes: Vec<u8>) -> Vec<u8> {
        let mut files = self.0.borrow_mut();
        if path.starts_with(BUILT_IN) {
            files.built_in.insert(to_text(path));
        } else {
            let name = files.name(path);
            files.held.insert(name, Held::of(&bytes));
        }
        bytes
    }
}

impl Files for Capture {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Ok(self.keep(path, Assets.read(path)?))
    }

    fn read_at_most(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        Ok(self.keep(path, Assets.read_at_most(path, most)?))
    }

    fn is_file(&self, path: &Path) -> bool {
        let is_file = Assets.is_file(path);
        if is_file && !path.starts_with(BUILT_IN) {
            let mut files = self.0.borrow_mut();
            let name = files.name(path);
            files.on_disk.insert(name);
        }
        is_file
    }

    fn search_path(&self, variable: &str) -> Vec<PathBuf> {
        let folders = Assets.search_path(variable);
        let texts = folders.iter().map(|f| to_text(f)).collect();
        let mut files = self.0.borrow_mut();
        files.search_paths.insert(variable.to_owned(), texts);
        folders
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        Assets.absolute(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_and_all_bytes_return() {
        let here = tempfile::tempdir().unwrap();
        let (text, mesh) = (here.path().join("a.ron"), here.path().join("b.stl"));
        std::fs::write(&text, "(é)").unwrap();
        std::fs::write(&mesh, [0, 255, 128]).unwrap();
        let large = here.path().join("c.dae");
        let many: Vec<u8> = (0..200_000u32).map(|k| (k % 97) as u8).collect();
        std::fs::write(&large, &many).unwrap();
        let capture = Capture::new(here.path());
        assert!(capture.is_file(&text));
        capture.read(&text).unwrap();
        capture.read(&mesh).unwrap();
        capture.read(&large).unwrap();
        let files = capture.take();
        let json = serde_json::to_string(&files).unwrap();
        assert!(json.contains("(é)") && json.contains("AP+A"), "{json}");
        assert!(json.len() < 10_000, "{}", json.len());
        drop(here);
        let back: PlanFiles = serde_json::from_str(&json).unwrap();
        assert_eq!(back, files);
        assert_eq!(back.read(&mesh).unwrap(), [0, 255, 128]);
        assert_eq!(back.read(&large).unwrap(), many);
        assert_eq!(back.contents().len(), 3);
        // From the folder where the plan was made.
        assert_eq!(back.read(Path::new("a.ron")).unwrap(), "(é)".as_bytes());
        assert!(!back.is_file(Path::new("/etc/passwd")));
        assert!(back.read(Path::new("/etc/passwd")).is_err());
    }
}
