//! Requests on the disk before they are acknowledged: a file beside the recording, with one line of JSON for each request
//! and one for its outcome. A recording is on the disk within 0.4 s; what was promised to a client is there at once.

use crate::problem::Problem;
use becomingone::components::request::RequestKind;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use tokio::sync::oneshot;

/// Longest line that is read.
const MAX_LINE: usize = 1 << 20;

/// The file of the requests of a recording.
pub fn requests_file(recording: &Path) -> PathBuf {
    let mut name = recording.as_os_str().to_owned();
    name.push(".requests");
    name.into()
}

/// A request, as it was acknowledged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Number of the request, from 1.
    pub request: u64,
    /// Its idempotency key.
    #[serde(default)]
    pub key: Option<String>,
    /// Role of who asked.
    pub role: String,
    /// The agent.
    pub agent: String,
    /// What was asked for.
    pub what: RequestKind,
    /// For how long (s).
    pub for_s: f64,
    /// With this tick it is applied; none where that is not known: the process ended before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tick: Option<u64>,
    /// Why it was refused after all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// What became of a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) request: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tick: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<String>,
}

/// A line to write, and who waits until it is on the disk.
struct Line {
    text: Vec<u8>,
    written: Option<oneshot::Sender<Result<(), String>>>,
}

/// The file that is written.
#[derive(Debug)]
pub(crate) struct Ledger {
    lines: mpsc::Sender<Line>,
    next: AtomicU64,
    file: PathBuf,
}

impl Ledger {
    /// Creates the file, and the thread that writes it.
    pub(crate) fn create(file: &Path) -> std::io::Result<Self> {
        let mut to = File::create(file)?;
        let (lines, waiting) = mpsc::channel::<Line>();
        let thread = std::thread::Builder::new().name("requests".to_owned());
        thread.spawn(move || {
            while let Ok(first) = waiting.recv() {
                // All that wait are on the disk with one flush.
                let all: Vec<_> = [first].into_iter().chain(waiting.try_iter()).collect();
                let text: Vec<u8> = all.iter().flat_map(|line| line.text.clone()).collect();
                let mut done = to.write_all(&text);
                if all.iter().any(|line| line.written.is_some()) {
                    done = done.and_then(|()| to.sync_data());
                }
                let done = done.map_err(|e| e.to_string());
                for written in all.into_iter().filter_map(|line| line.written) {
                    // The client may be gone.
                    let _ = written.send(done.clone());
                }
            }
        })?;
        Ok(Self {
            lines,
            next: AtomicU64::new(1),
            file: file.to_owned(),
        })
    }

    /// Writes a request to the disk; returns its number.
    pub(crate) async fn write(&self, mut entry: Acknowledged) -> Result<u64, Problem> {
        let number = self.next.fetch_add(1, Ordering::AcqRel);
        entry.request = number;
        let (written, done) = oneshot::channel();
        self.send(&entry, Some(written));
        let done = done
            .await
            .unwrap_or_else(|_| Err("its thread has ended".to_owned()));
        done.map_err(|error| {
            Problem::unavailable(format!(
                "found a request that cannot be kept: {}: {error}; it is not applied",
                self.file.display()
            ))
        })?;
        Ok(number)
    }

    /// Writes what became of a request; nobody waits for it.
    pub(crate) fn outcome(&self, outcome: &Outcome) {
        self.send(outcome, None);
    }

    fn send(&self, line: &impl Serialize, written: Option<oneshot::Sender<Result<(), String>>>) {
        let mut text = serde_json::to_vec(line).unwrap_or_default();
        text.push(b'\n');
        // Without its thread, nothing says that it is written.
        let _ = self.lines.send(Line { text, written });
    }
}

/// The requests of a recording, in their order; none where it has none. What was cut off at the end is left out.
///
/// # Errors
///
/// The file cannot be read, or a line of it is none of a request.
pub fn acknowledged(recording: &Path) -> Result<Vec<Acknowledged>, String> {
    let file = requests_file(recording);
    let shown = file.display();
    let opened = match File::open(&file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{shown}: {error}")),
    };
    let mut all: Vec<Acknowledged> = Vec::new();
    let mut from = BufReader::new(opened);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        from.read_until(b'\n', &mut line)
            .map_err(|e| format!("{shown}: {e}"))?;
        if line.pop_if(|last| *last == b'\n').is_none() {
            break;
        }
        if line.len() > MAX_LINE {
            return Err(format!(
                "{shown}:{number}: expected a line of at most {MAX_LINE} bytes"
            ));
        }
        if let Ok(entry) = serde_json::from_slice(&line) {
            all.push(entry);
            continue;
        }
        let outcome: Outcome = serde_json::from_slice(&line)
            .map_err(|e| format!("{shown}:{number}: {e}; expected a request, or its outcome"))?;
        if let Some(entry) = all
            .iter_mut()
            .rfind(|entry| entry.request == outcome.request)
        {
            (entry.tick, entry.refused) = (outcome.tick, outcome.refused);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_on_the_disk_when_they_are_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let recording = folder.path().join("run.mcap");
        assert_eq!(acknowledged(&recording).unwrap(), []);
        let ledger = Ledger::create(&requests_file(&recording)).unwrap();
        let entry = Acknowledged {
            request: 0,
            key: Some("a".to_owned()),
            role: "operator".to_owned(),
            agent: "rover".to_owned(),
            what: RequestKind::Move { distance_m: 1.5 },
            for_s: 2.0,
            tick: None,
            refused: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        for number in 1..=3 {
            let written = runtime.block_on(ledger.write(entry.clone())).unwrap();
            assert_eq!(written, number);
            assert_eq!(acknowledged(&recording).unwrap().len() as u64, number);
        }
        ledger.outcome(&Outcome {
            request: 2,
            tick: Some(7),
            refused: None,
        });
        runtime.block_on(ledger.write(entry.clone())).unwrap();
        let all = acknowledged(&recording).unwrap();
        let ticks: Vec<_> = all.iter().map(|entry| entry.tick).collect();
        assert_eq!(ticks, [None, Some(7), None, None]);
        // Cut off in the middle of a line, and no line of a request.
        let file = requests_file(&recording);
        let text = std::fs::read(&file).unwrap();
        std::fs::write(&file, &text[..text.len() - 5]).unwrap();
        assert_eq!(acknowledged(&recording).unwrap().len(), 3);
        std::fs::write(&file, b"{}\n").unwrap();
        let error = acknowledged(&recording).unwrap_err();
        assert!(error.contains(".requests:1: "), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_request_that_cannot_be_kept_is_refused() {
        let ledger = Ledger::create(Path::new("/dev/full")).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let entry = Acknowledged {
            request: 0,
            key: None,
            role: String::new(),
            agent: String::new(),
            what: RequestKind::ClearStop,
            for_s: 1.0,
            tick: None,
            refused: None,
        };
        let problem = runtime.block_on(ledger.write(entry)).unwrap_err();
        assert_eq!(problem.status, 503, "{problem:?}");
    }
}
