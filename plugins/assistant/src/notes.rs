//! Files of the assistant's folder, as `OpenClaw` and nanobot write them: `IDENTITY.md` (`- **Name:** Solaria`) says who it is,
//! `MEMORY.md` has what people said to remember, `memory/DATE.md` what happened.

use crate::session::private;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Most characters of a file that are read.
const MAX_CHARACTERS: usize = 20_000;

/// A folder with these files.
#[derive(Clone, Debug)]
pub(crate) struct Notes {
    folder: PathBuf,
}

impl Notes {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// A file's text; empty where there is none.
    pub(crate) fn text(&self, name: &str) -> String {
        let bytes = std::fs::read(self.folder.join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes)
            .chars()
            .take(MAX_CHARACTERS)
            .collect()
    }

    /// `- **Label:** value` of `IDENTITY.md`.
    pub(crate) fn identity(&self, label: &str) -> Option<String> {
        let text = self.text("IDENTITY.md");
        let value = text.lines().find_map(|line| {
            let line = line
                .trim()
                .trim_start_matches(['-', '*', ' '])
                .replace("**", "");
            let (name, value) = line.split_once(':')?;
            let value = value.trim().to_owned();
            (name.trim().eq_ignore_ascii_case(label) && !value.is_empty()).then_some(value)
        })?;
        // As it stands in a file that nobody has filled in.
        (!value.starts_with(['_', '(', '<'])).then_some(value)
    }

    /// Adds a note.
    pub(crate) fn remember(&self, text: &str) -> Result<(), String> {
        let one_line: Vec<_> = text.split_whitespace().collect();
        self.append("MEMORY.md", &format!("- {}\n", one_line.join(" ")))
    }

    /// Notes, oldest first.
    pub(crate) fn remembered(&self) -> Vec<String> {
        let text = self.text("MEMORY.md");
        let notes = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- "));
        notes.map(str::to_owned).collect()
    }

    /// Adds what happened, a line, to the file of the day.
    pub(crate) fn happened(&self, line: &str) -> Result<(), String> {
        let now = jiff::Zoned::now();
        let text = format!("- {} {line}\n", now.strftime("%H:%M:%S"));
        self.append(&format!("memory/{}.md", now.strftime("%Y-%m-%d")), &text)
    }

    fn append(&self, name: &str, text: &str) -> Result<(), String> {
        let path = self.folder.join(name);
        let folder = path.parent().unwrap_or(&self.folder);
        let written = std::fs::create_dir_all(folder)
            .and_then(|()| private(OpenOptions::new().create(true).append(true)).open(&path))
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_data()
            });
        written.map_err(|error| format!("{}: {error}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_others_are_read_and_notes_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let notes = Notes::new(folder.path());
        assert_eq!(notes.identity("name"), None);
        // As OpenClaw writes it.
        let text =
            "# IDENTITY.md\n\n- **Name:** Solaria\n- **Creature:** _(pick one)_\n- **Vibe:**\n";
        std::fs::write(folder.path().join("IDENTITY.md"), text).unwrap();
        assert_eq!(notes.identity("Name").as_deref(), Some("Solaria"));
        assert_eq!(notes.identity("Creature"), None);
        assert_eq!(notes.identity("Vibe"), None);
        std::fs::write(folder.path().join("MEMORY.md"), "# Memory\n\n- older\n").unwrap();
        notes.remember("crate_a is\n heavy").unwrap();
        assert_eq!(notes.remembered(), ["older", "crate_a is heavy"]);
        notes.happened("rover: goal 1 reached").unwrap();
        assert_eq!(
            std::fs::read_dir(folder.path().join("memory"))
                .unwrap()
                .count(),
            1
        );
    }
}
