//! Several runs behind one gate: `becomingone serve`. Each run is a process of its own, which serves this one alone; a
//! run that fails takes no other with it.
//!
//! - `scenes`: what can be run. `child`: a process. `runs`: all of them. `program`: other commands of the program.
//! - `resources`: what is answered here. `download`: files. `proxy`: what a run answers.

mod child;
mod download;
mod program;
mod proxy;
mod resources;
mod runs;
mod scenes;

pub(crate) use resources::router;

use crate::gate::Gate;
use crate::idempotency::Replies;
use program::Program;
use runs::Runs;
use scenes::Scenes;
use std::path::PathBuf;
use std::sync::Arc;

/// What runs may do, and where their files are.
#[derive(Clone, Debug)]
pub struct HubOptions {
    /// The program with the commands `run`, `check`, `score` and `info`.
    pub program: PathBuf,
    /// Folder with scenes that may be run, beside the built-in ones.
    pub scenes: Option<PathBuf>,
    /// Folder of the recordings; it is made with the first one.
    pub recordings: PathBuf,
    /// Whether scenes that come over the network may have drivers and recordings as sources, and read any file.
    pub allow_sources: bool,
    /// Whether hardware is armed.
    pub arm: bool,
    /// Most address space of a run (bytes); none: as this process.
    pub memory_bytes: Option<u64>,
    /// Most processor time of a run (s); none: as this process.
    pub cpu_s: Option<u64>,
    /// Most runs at once.
    pub most_runs: usize,
}

/// What all requests have in common.
pub(crate) struct Hub {
    gate: Arc<Gate>,
    replies: Arc<Replies>,
    scenes: Scenes,
    pub(crate) runs: Runs,
    program: Program,
    proxy: proxy::Proxy,
    options: HubOptions,
    /// Whether connections are encrypted.
    is_secure: bool,
}

impl Hub {
    /// A hub whose own files are in this folder.
    pub(crate) fn new(
        options: HubOptions,
        gate: Arc<Gate>,
        is_secure: bool,
        folder: &std::path::Path,
    ) -> Result<Self, String> {
        sweep(folder);
        let folder = folder.join(format!("serve-{}", std::process::id()));
        let program = Program::new(options.program.clone());
        Ok(Self {
            gate,
            replies: Arc::default(),
            scenes: Scenes::new(options.scenes.clone())?,
            runs: Runs::new(folder, options.most_runs)?,
            program,
            proxy: proxy::Proxy::new(),
            options,
            is_secure,
        })
    }
}

/// Removes the folders of servers that were killed.
fn sweep(folder: &std::path::Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix("serve-"));
        let process = process.and_then(|process| process.parse().ok());
        if process.is_some_and(|process| !crate::place::is_there(process)) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
