//! [`FolderSource`]: a ROS 2 bag as a folder, of one or several files in order of time.

use crate::error::TableError;
use crate::source::{Each, MessageSource, OpenSource, Report, Stamped, Topics};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// Messages of the files of a bag, one after the other.
#[derive(Debug)]
pub(crate) struct FolderSource {
    left: VecDeque<PathBuf>,
    open: OpenSource,
    present: Option<Box<dyn MessageSource>>,
    topics: Topics,
    /// Reports of the files before.
    report: Report,
}

impl FolderSource {
    /// Opens a folder, whose files `open` opens.
    pub(crate) fn open(folder: &Path, open: OpenSource) -> Result<Self, TableError> {
        let (files, missing) = files(folder).map_err(|cause| TableError::read(folder, cause))?;
        if let Some(packed) = files.iter().find(|f| has_extension(f, &["zstd"])) {
            return Err(TableError::invalid(
                packed,
                "a compressed file of a ROS 2 bag",
                "an unpacked one: `zstd -d` unpacks each, and the folder is read",
            ));
        }
        if files.is_empty() {
            return Err(TableError::invalid(
                folder,
                "a folder without files of a ROS 2 bag",
                "a recording: a file, or a ROS 2 bag (`metadata.yaml` and files .db3 or .mcap)",
            ));
        }
        Ok(Self {
            left: files.into(),
            open,
            present: None,
            topics: Topics::default(),
            report: Report {
                notes: missing
                    .iter()
                    .map(|name| {
                        format!("`{name}`, which metadata.yaml lists, is not in the folder: its messages are missing")
                    })
                    .collect(),
                ..Report::default()
            },
        })
    }

    /// What could not be read, the present file included.
    fn whole_report(&self) -> Report {
        let mut report = self.report.clone();
        if let Some(present) = &self.present {
            let Report { unread, notes } = present.report();
            report.unread.extend(unread);
            report.notes.extend(notes);
        }
        report.unread.sort();
        report.unread.dedup();
        report
    }
}

fn has_extension(file: &Path, known: &[&str]) -> bool {
    let extension = file.extension().unwrap_or_default();
    known.iter().any(|k| extension.eq_ignore_ascii_case(k))
}

/// Files of a bag, in the order of its metadata, or by the number in their names; and names in the metadata without a
/// file.
fn files(folder: &Path) -> std::io::Result<(Vec<PathBuf>, Vec<String>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() && has_extension(&path, &["db3", "mcap", "zstd"]) {
            files.push(path);
        }
    }
    let metadata = std::fs::read_to_string(folder.join("metadata.yaml")).unwrap_or_default();
    let listed: Vec<&str> = metadata
        .lines()
        .skip_while(|line| !line.trim_start().starts_with("relative_file_paths:"))
        .skip(1)
        .map_while(|line| line.trim_start().strip_prefix("- "))
        .map(|name| name.trim().trim_matches(['"', '\'']))
        .collect();
    files.sort_by_key(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let place = listed.iter().position(|l| l.ends_with(name.as_ref()));
        let digits = file.file_stem().unwrap_or_default().to_string_lossy();
        let digits = digits
            .rsplit('_')
            .next()
            .and_then(|d| d.parse::<u64>().ok());
        (place.unwrap_or(usize::MAX), digits, name.into_owned())
    });
    let is_there = |name: &&str| files.iter().any(|file| file.ends_with(name));
    let missing = listed.iter().filter(|name| !is_there(name));
    let missing = missing.map(|name| (*name).to_owned()).collect();
    Ok((files, missing))
}

impl MessageSource for FolderSource {
    fn next(&mut self, each: Each<'_>) -> Result<Option<Stamped>, TableError> {
        loop {
            let present = match &mut self.present {
                Some(present) => present,
                None => {
                    let Some(file) = self.left.pop_front() else {
                        return Ok(None);
                    };
                    let mut source = (self.open)(&file)?;
                    for topic in self.topics.ignored() {
                        source.ignore(topic);
                    }
                    self.present.insert(source)
                }
            };
            match present.next(each)? {
                Some(message) => {
                    let topic = self.topics.index_of(present.topic(message.topic));
                    return Ok(Some(Stamped { topic, ..message }));
                }
                None => {
                    self.report = self.whole_report();
                    self.present = None;
                }
            }
        }
    }

    fn topic(&self, index: usize) -> &str {
        self.topics.name(index)
    }

    fn ignore(&mut self, topic: &str) {
        self.topics.ignore(topic);
        if let Some(present) = &mut self.present {
            present.ignore(topic);
        }
    }

    fn floor_ns(&self) -> u64 {
        self.present
            .as_ref()
            .map_or(0, |present| present.floor_ns())
    }

    fn report(&self) -> Report {
        self.whole_report()
    }
}
