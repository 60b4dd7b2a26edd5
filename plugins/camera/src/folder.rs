//! A folder of pictures.

#![expect(
    clippy::disallowed_methods,
    reason = "an I/O thread paces its readings by the wall clock, and files have stamps of it"
)]

use crate::multipart::MAX_PICTURE;
use crate::sinks::{Raw, Sinks};
use becomingone_systems::links::document::Refusal;
use becomingone_systems::links::{Context, Driver, DriverError, SensorEnd};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Most names that are kept at a time.
const MAX_NAMES: usize = 100_000;
/// Files in a row that are no picture from which on the link is down.
const MAX_REFUSED: u32 = 8;
/// Pause after a look into the folder in vain, in times of what it took, and the longest.
const LOOK_PAUSE: u32 = 10;
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Size and time of a file that could not be read: it may not be whole yet.
type State = (u64, Option<SystemTime>);

/// Reads the pictures of a folder at a rate.
pub(crate) struct Folder {
    path: PathBuf,
    every: Duration,
    loops: bool,
    sinks: Sinks,
    /// Names of the next pictures, in order.
    names: VecDeque<OsString>,
    /// Name of the last picture.
    last: Option<OsString>,
    /// The next picture, where it was read in vain.
    in_vain: Option<State>,
    /// Files in a row that were no picture; none before the first picture.
    refused: Option<u32>,
    /// The next look into the folder, where the last one found nothing new.
    next_look: Option<Instant>,
    /// Why it waits, as it was logged.
    logged: Option<String>,
}

impl Folder {
    pub(crate) fn new(path: PathBuf, every: Duration, loops: bool, sinks: Sinks) -> Self {
        Self {
            path,
            every,
            loops,
            sinks,
            names: VecDeque::new(),
            last: None,
            in_vain: None,
            refused: None,
            next_look: None,
            logged: None,
        }
    }

    /// Finds the pictures after the last one, or all of them in a loop.
    fn look(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        let mut names = names(&self.path, self.last.as_ref())?;
        if names.is_empty() && self.loops && self.last.take().is_some() {
            names = self::names(&self.path, None)?;
        }
        // A look into a huge folder takes long: one that found nothing is not repeated at once.
        let pause = (LOOK_PAUSE * begun.elapsed()).min(LONGEST_PAUSE);
        self.next_look = names.is_empty().then(|| Instant::now() + pause);
        self.names = names.into();
        Ok(())
    }

    /// Reads the next picture, if there is one.
    fn read(&mut self, clock: &SensorEnd) -> io::Result<()> {
        if self.names.is_empty() {
            if self.next_look.is_some_and(|at| Instant::now() < at) {
                return Ok(());
            }
            self.look()?;
        }
        let Some(name) = self.names.front() else {
            return Ok(());
        };
        let path = self.path.join(name);
        let arrival_ns = clock.now_ns();
        let (state, read) = match read(&path) {
            Ok(read) => read,
            // It was taken away meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.next();
                return Ok(());
            }
            Err(error) => (
                (0, None),
                Err(Refusal {
                    kind: "not readable",
                    reason: error.to_string(),
                }),
            ),
        };
        let done = read.and_then(|bytes| {
            self.sinks.take(Raw {
                bytes,
                arrival_ns,
                stamp_ns: None,
            })
        });
        if let Err(mut refusal) = done {
            // The last one may be written at this moment: it is refused once it does not change any more.
            if self.names.len() == 1 && self.in_vain != Some(state) {
                self.in_vain = Some(state);
                return Ok(());
            }
            refusal.reason = format!("{}: {}", path.display(), refusal.reason);
            self.sinks.refuse(&refusal);
            self.refused = self.refused.map(|count| count.saturating_add(1));
        } else {
            self.refused = Some(0);
        }
        self.next();
        Ok(())
    }

    fn next(&mut self) {
        self.in_vain = None;
        self.last = self.names.pop_front();
    }

    /// Reports the state of the link, and logs why it waits.
    fn tell(&mut self, context: &Context, read: io::Result<()>) {
        let reason = match read {
            Ok(()) if self.last.is_none() => Some("found no .jpg or .png file".to_owned()),
            Ok(()) if self.refused.is_none_or(|count| count >= MAX_REFUSED) => {
                Some("found no file that is a whole picture".to_owned())
            }
            Ok(()) => None,
            Err(error) => Some(error.to_string()),
        };
        match &reason {
            None => context.up(),
            Some(reason) => {
                context.down();
                if self.logged.as_ref() != Some(reason) {
                    log::warn!("{}: {reason}; waiting for one", self.path.display());
                }
            }
        }
        self.logged = reason;
    }
}

/// Names of the pictures after this one, in order.
fn names(folder: &Path, after: Option<&OsString>) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in folder.read_dir()? {
        let name = entry?.file_name();
        let kind = Path::new(&name).extension().map(|e| e.to_ascii_lowercase());
        let is_picture = kind.is_some_and(|e| e == "jpg" || e == "jpeg" || e == "png");
        if is_picture && after.is_none_or(|after| name > *after) {
            names.push(name);
        }
        if names.len() >= 2 * MAX_NAMES {
            keep_first(&mut names);
        }
    }
    keep_first(&mut names);
    Ok(names)
}

/// Keeps the first names in order; the others are found later.
fn keep_first(names: &mut Vec<OsString>) {
    names.sort_unstable();
    names.truncate(MAX_NAMES);
}

/// Reads a file that is small enough.
fn read(path: &Path) -> io::Result<(State, Result<Vec<u8>, Refusal>)> {
    let about = path.metadata()?;
    let state = (about.len(), about.modified().ok());
    if !about.is_file() || about.len() > MAX_PICTURE as u64 {
        let reason = format!(
            "found a file of {} bytes, or none; expected at most {MAX_PICTURE}",
            about.len()
        );
        let kind = "too large";
        return Ok((state, Err(Refusal { kind, reason })));
    }
    Ok((state, Ok(std::fs::read(path)?)))
}

impl Driver for Folder {
    fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
        let Some(clock) = self.sinks.clock() else {
            return Ok(());
        };
        let mut due = Instant::now();
        loop {
            let read = self.read(&clock);
            self.tell(context, read);
            // A slow picture delays the next, and none is made up for.
            due = (due + self.every).max(Instant::now());
            if context.wait(due.saturating_duration_since(Instant::now())) {
                break;
            }
        }
        self.sinks.report();
        Ok(())
    }
}
