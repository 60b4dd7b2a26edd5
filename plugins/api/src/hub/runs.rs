//! All runs of a server.

use super::child::{Child, State};
use crate::problem::Problem;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most runs that have ended and are kept in the list.
const MAX_ENDED: usize = 64;
/// Time in which a run has to close its recording and end.
const END_WITHIN: Duration = Duration::from_secs(5);

/// The runs, by name.
pub(crate) struct Runs {
    all: Mutex<BTreeMap<String, Arc<Child>>>,
    most: usize,
    /// Of files that runs are started with; removed at the end.
    folder: PathBuf,
}

impl Runs {
    pub(super) fn new(folder: PathBuf, most: usize) -> Result<Self, String> {
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        Ok(Self {
            all: Mutex::default(),
            most,
            folder,
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Child>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// All runs, in the order of their names.
    pub(super) fn list(&self) -> Vec<Arc<Child>> {
        self.lock().values().cloned().collect()
    }

    /// A run by its name.
    pub(super) fn get(&self, name: &str) -> Result<Arc<Child>, Problem> {
        let all = self.lock();
        all.get(name).cloned().ok_or_else(|| {
            let known: Vec<_> = all.keys().map(|name| format!("`{name}`")).collect();
            Problem::not_found(match known.is_empty() {
                true => "found no run; expected one that is started: POST /v1/runs".to_owned(),
                false => format!(
                    "found no run of this name; expected one of {}",
                    known.join(", ")
                ),
            })
        })
    }

    /// The only run that has not ended.
    pub(super) fn only(&self) -> Result<Arc<Child>, Problem> {
        let all = self.list();
        let mut alive = all
            .into_iter()
            .filter(|child| !matches!(child.state(), State::Ended(_)));
        match (alive.next(), alive.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(Problem::not_found(
                "found no run; expected one that is started: POST /v1/runs",
            )),
            (Some(a), Some(b)) => {
                let names = [a, b].into_iter().chain(alive);
                let names: Vec<_> = names.map(|child| format!("`{}`", child.run)).collect();
                Err(Problem::conflict(format!(
                    "found {} runs; expected the name of one: /v1/runs/{{run}}/.., {}",
                    names.len(),
                    names.join(", ")
                )))
            }
        }
    }

    /// Starts a run. `recording` makes the name of its recording from its own, `command` its command, which ends in `last`.
    pub(super) fn start(
        &self,
        scene: &str,
        recording: impl FnOnce(&str) -> Option<String>,
        command: impl FnOnce(Option<&str>) -> Command,
        last: &[String],
    ) -> Result<Arc<Child>, Problem> {
        let mut all = self.lock();
        let has_ended = |child: &Arc<Child>| matches!(child.state(), State::Ended(_));
        let alive = all.values().filter(|child| !has_ended(child)).count();
        if alive >= self.most {
            return Err(Problem::conflict(format!(
                "found {alive} runs; expected at most {}: end one first",
                self.most
            )));
        }
        let ended = all.values().filter(|child| has_ended(child));
        let ended: Vec<_> = ended.map(|child| child.run.clone()).collect();
        for run in ended.iter().take(ended.len().saturating_sub(MAX_ENDED)) {
            all.remove(run);
        }
        let stem = Path::new(scene).file_stem().and_then(|s| s.to_str());
        let stem = stem.unwrap_or("run");
        let names = (1..).map(|k| match k {
            1 => stem.to_owned(),
            k => format!("{stem}-{k}"),
        });
        let name = names.into_iter().find(|name| !all.contains_key(name));
        let name = name.unwrap_or_else(|| stem.to_owned());
        let recording = recording(&name);
        let command = command(recording.as_deref());
        let child = Child::start(
            name.clone(),
            scene.to_owned(),
            recording,
            command,
            last,
            &self.folder,
        );
        let child = child.map_err(Problem::unavailable)?;
        all.insert(name, child.clone());
        Ok(child)
    }

    /// Forgets a run that has ended.
    pub(super) fn forget(&self, name: &str) {
        self.lock().remove(name);
    }

    /// Ends all runs: their recordings are closed.
    pub(crate) async fn close(&self) {
        let all = self.list();
        all.iter().for_each(|child| child.terminate());
        for child in &all {
            if !child.ended(END_WITHIN).await {
                log::error!("api: the run {} did not end; it is killed", child.run);
                child.kill();
                child.ended(END_WITHIN).await;
            }
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
