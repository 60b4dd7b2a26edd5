//! Built-in robots, vehicles, meshes and logs, embedded in the binary.

use include_dir::{Dir, include_dir};

/// All files of this folder.
pub static ASSETS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR");
