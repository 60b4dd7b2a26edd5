//! The talk as a file: append-only lines of JSON, in the form of the sessions of `OpenClaw`.

use serde_json::{Value, json};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// A talk, and the one who writes it.
#[derive(Debug)]
pub(crate) struct Session {
    file: File,
    path: PathBuf,
    /// Identity of the last event.
    last: Option<String>,
    count: u64,
    /// Bytes that are written whole.
    length: u64,
}

/// The time of this machine, as files have it.
pub(crate) fn timestamp() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string()
}

/// Files that only this user reads: a talk may be private.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> String + '_ {
    move |error| format!("{}: {error}", path.display())
}

impl Session {
    /// Opens a talk, or begins it: nobody else writes it until it is dropped. A last line that was not written to its end is
    /// cut off.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let failed = at(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(&failed)?;
        }
        let mut file = private(OpenOptions::new().read(true).append(true).create(true))
            .open(path)
            .map_err(&failed)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => format!(
                "{}: found another assistant that writes it; expected a folder of its own",
                path.display()
            ),
            TryLockError::Error(error) => failed(error),
        })?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(&failed)?;
        // A last line without an end was not written whole. Other lines stay, also those that nobody understands.
        let kept = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        if kept < bytes.len() {
            log::warn!(
                "{}: {} bytes at its end are no whole line, and are cut off",
                path.display(),
                bytes.len() - kept
            );
            file.set_len(kept as u64).map_err(&failed)?;
        }
        let lines = bytes
            .get(..kept)
            .unwrap_or_default()
            .split(|byte| *byte == b'\n');
        let (mut last, mut count) = (None, 0);
        for line in lines.filter(|line| !line.is_empty()) {
            count += 1;
            if let Ok(event) = serde_json::from_slice::<Value>(line) {
                last = event["id"].as_str().map(str::to_owned).or(last);
            }
        }
        let mut session = Self {
            file,
            path: path.to_owned(),
            last,
            count,
            length: kept as u64,
        };
        if kept == 0 {
            session.begin()?;
        }
        Ok(session)
    }

    fn begin(&mut self) -> Result<(), String> {
        let folder = std::env::current_dir().unwrap_or_default();
        let head = json!({
            "type": "session", "version": 3, "id": self.id(), "timestamp": timestamp(), "cwd": folder.display().to_string(),
        });
        self.write(&head)
    }

    /// The talk begins anew; what was said before is kept.
    pub(crate) fn reset(&mut self) -> Result<(), String> {
        let event = json!({"type": "reset", "id": self.id(), "parentId": self.last, "timestamp": timestamp()});
        self.write(&event)
    }

    /// Keeps a message.
    pub(crate) fn message(
        &mut self,
        role: &str,
        text: &str,
        receipts: &[Value],
    ) -> Result<(), String> {
        let mut message = json!({"role": role, "content": [{"type": "text", "text": text}]});
        if !receipts.is_empty() {
            message["receipts"] = json!(receipts);
        }
        let event = json!({
            "type": "message", "id": self.id(), "parentId": self.last, "timestamp": timestamp(), "message": message,
        });
        self.write(&event)
    }

    fn id(&self) -> String {
        format!("{:08x}", self.count + 1)
    }

    /// Writes an event, and has it on the disk.
    fn write(&mut self, event: &Value) -> Result<(), String> {
        let line = format!("{event}\n");
        let written = self
            .file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What is there of it would be the beginning of the next line.
            let _ = self.file.set_len(self.length);
            return Err(at(&self.path)(error));
        }
        self.length += line.len() as u64;
        self.last = event["id"].as_str().map(str::to_owned);
        self.count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("talk.jsonl");
        let before = "\u{feff}{\"type\":\"session\",\"id\":\"a\"}\n\nno json\n{\"id\":\"b\"}\n";
        std::fs::write(&path, before).unwrap();
        Session::open(&path)
            .unwrap()
            .message("user", "hello", &[])
            .unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let added: Value = serde_json::from_str(text.strip_prefix(before).unwrap()).unwrap();
        assert_eq!(added["parentId"], "b");
    }

    #[test]
    fn a_talk_torn_at_every_byte_of_its_last_line_opens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("talk.jsonl");
        let mut session = Session::open(&path).unwrap();
        session
            .message("user", "what is wrong \u{fc} ?", &[])
            .unwrap();
        let whole = std::fs::metadata(&path).unwrap().len() as usize;
        session
            .message("assistant", "nothing", &[json!({"tool": "status"})])
            .unwrap();
        drop(session);
        let bytes = std::fs::read(&path).unwrap();
        for end in whole..bytes.len() {
            std::fs::write(&path, &bytes[..end]).unwrap();
            let mut session = Session::open(&path).unwrap();
            session.message("user", "again", &[]).unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            let events: Vec<Value> = text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            assert_eq!(events.len(), 3, "{end}");
            assert_eq!(events[2]["parentId"], events[1]["id"]);
            assert_eq!(events[2]["message"]["content"][0]["text"], "again");
        }
    }
}
