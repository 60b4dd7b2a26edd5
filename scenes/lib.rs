//! Built-in scenes, embedded in the binary.

use include_dir::{Dir, include_dir};

/// All files of this folder; scenes have the extension `.ron`.
pub static SCENES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR");
