//! Paths as text: scenes are text, names of files are bytes.
//!
//! Bytes of a path that are not UTF-8 are characters of a private-use area, U+EF80 to U+EFFF (the OPTU-8 of `MirBSD`), so
//! that the text names the same file. Other paths are unchanged.

use std::path::{Path, PathBuf};

/// Character of the byte 0, of which bytes from 0x80 on occur.
#[cfg(unix)]
const BASE: u32 = 0xEF00;

/// A path as text, without loss.
///
/// ```
/// # #[cfg(unix)] {
/// use becomingone_components::path_text::{to_path, to_text};
/// use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};
///
/// let latin_1 = Path::new(OsStr::from_bytes(b"\xe9t\xe9.urdf"));
/// assert_eq!(to_path(&to_text(latin_1)), latin_1);
/// assert_eq!(to_text(Path::new("été.urdf")), "été.urdf");
/// # }
/// ```
pub fn to_text(path: &Path) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;
        let mut text = String::new();
        for chunk in path.as_os_str().as_bytes().utf8_chunks() {
            text.push_str(chunk.valid());
            let bytes = chunk.invalid().iter();
            text.extend(bytes.filter_map(|&b| char::from_u32(BASE + u32::from(b))));
        }
        text
    }
    #[cfg(not(unix))]
    path.display().to_string()
}

/// The path of a text by [`to_text`].
pub fn to_path(text: &str) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt as _;
        let mut bytes = Vec::with_capacity(text.len());
        for c in text.chars() {
            match u32::from(c).checked_sub(BASE) {
                Some(byte @ 0x80..=0xFF) => bytes.push(byte as u8),
                _ => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        std::ffi::OsString::from_vec(bytes).into()
    }
    #[cfg(not(unix))]
    PathBuf::from(text)
}
