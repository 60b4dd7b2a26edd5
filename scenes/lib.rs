//! The built-in scenes, as files inside the binary.

use include_dir::{Dir, include_dir};

/// All files of this folder; scenes end in `.ron`.
pub static SCENES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR");
