//! Writes commands into a file: each as a line at its end, or the newest alone.

use super::tail::is_there;
use becomingone_systems::links::{ActuatorEnd, Context, Driver, DriverError, Outgoing};
use std::collections::hash_map::RandomState;
use std::fs::{self, OpenOptions};
use std::hash::BuildHasher as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest wait for a command before the driver checks whether it is cancelled.
const POLL_PERIOD: Duration = Duration::from_millis(50);

pub(crate) struct Output {
    end: ActuatorEnd,
    path: PathBuf,
    /// The file holds only the newest command.
    replaces: bool,
    /// The last line may be incomplete.
    is_cut: bool,
}

impl Output {
    pub(crate) fn new(end: ActuatorEnd, path: PathBuf, replaces: bool) -> Self {
        Self {
            end,
            path,
            replaces,
            is_cut: false,
        }
    }

    fn write(&mut self, command: &Outgoing) -> io::Result<()> {
        let mut line = command.to_json(self.end.name());
        line.push(b'\n');
        // A pipe without a reader would block.
        is_there(&self.path)?;
        if self.replaces {
            return replace(&self.path, &line);
        }
        if self.is_cut {
            line.insert(0, b'\n');
        }
        // Opened anew: the file may have been renamed.
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.path)?;
        self.is_cut = true;
        file.write_all(&line)?;
        self.is_cut = false;
        Ok(())
    }

    fn send(&mut self, command: Outgoing) -> Result<(), DriverError> {
        if let Err(error) = self.write(&command) {
            self.end.give_back(command);
            return Err(DriverError(error.to_string()));
        }
        self.end.sent(command.sequence);
        Ok(())
    }
}

/// Replaces the file as a whole: a reader finds the old content or the new one.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    // A hasher's random keys cannot be predicted.
    name.push(format!(".{:016x}.new", RandomState::new().hash_one(0u8)));
    let new = path.with_file_name(name);
    // One that is not there, and no link to elsewhere.
    let mut file = OpenOptions::new().write(true).create_new(true).open(&new)?;
    let written = file.write_all(content);
    drop(file);
    let replaced = written.and_then(|()| fs::rename(&new, path));
    replaced.inspect_err(|_| drop(fs::remove_file(&new)))
}

impl Driver for Output {
    fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
        context.up();
        while !context.cancelled() {
            if let Some(command) = self.end.next(POLL_PERIOD) {
                self.send(command)?;
            }
        }
        // The final command may have been queued meanwhile.
        match self.end.next(Duration::ZERO) {
            Some(command) => self.send(command),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_finds_the_old_content_or_the_new_one_and_never_a_part() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let content = |k: u8| vec![b'a' + k % 20; 100_000];
        replace(&path, &content(0)).unwrap();
        std::thread::scope(|scope| {
            let writer =
                scope.spawn(|| (0..200).for_each(|k| replace(&path, &content(k)).unwrap()));
            while !writer.is_finished() {
                let found = fs::read(&path).unwrap();
                assert!(found.len() == 100_000 && found.iter().all(|b| *b == found[0]));
            }
        });
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_someone_else_laid_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("state"), folder.path().join("other"));
        fs::write(&other, "kept").unwrap();
        let predicted = format!("state.{}.new", std::process::id());
        std::os::unix::fs::symlink(&other, folder.path().join(predicted)).unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"kept");
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }
}
