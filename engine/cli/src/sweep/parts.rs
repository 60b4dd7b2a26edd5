//! Folder of a sweep: its plan, and a part for each chunk that is done.

use super::table::failed;
use crate::failure::Failure;
use becomingone::sweep::Plan;
use becomingone_systems::output_file::replace;
use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Name of the plan in its folder.
const PLAN: &str = "plan.json";

/// The folder `OUT.parts`.
#[derive(Clone, Debug)]
pub(super) struct Parts(PathBuf);

impl Parts {
    /// Of this output.
    pub(super) fn of(out: &Path) -> Self {
        let mut name = out.as_os_str().to_owned();
        name.push(".parts");
        Self(PathBuf::from(name))
    }

    /// The folder of a plan.
    pub(super) fn beside(plan: &Path) -> Self {
        Self(plan.parent().unwrap_or(Path::new("")).to_owned())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0
    }

    pub(super) fn plan(&self) -> PathBuf {
        self.0.join(PLAN)
    }

    pub(super) fn part(&self, chunk: u64) -> PathBuf {
        self.0.join(format!("part-{chunk:06}.parquet"))
    }

    /// The plan that is there; `None` where there is none.
    pub(super) fn read(&self) -> Result<Option<Plan>, Failure> {
        let file = self.plan();
        match file.is_file() {
            true => read_plan(&file).map(Some),
            false => Ok(None),
        }
    }

    /// Writes a plan, unless there is one by now; returns the one that is there. Several processes may start a sweep at once.
    pub(super) fn keep(&self, plan: &Plan) -> Result<Plan, Failure> {
        let file = self.plan();
        let json = plan.to_json().map_err(Failure::bad_input)?;
        fs::create_dir_all(&self.0).map_err(|e| failed(&self.0, e))?;
        let own = self.0.join(format!(".{PLAN}.{}", std::process::id()));
        replace(&own, json.as_bytes()).map_err(|e| failed(&own, e))?;
        let linked = fs::hard_link(&own, &file);
        let kept = match linked {
            // Not every file system has links.
            Err(error) if error.kind() != ErrorKind::AlreadyExists => create(&file, &json),
            _ => Ok(()),
        };
        drop(fs::remove_file(&own));
        kept.map_err(|e| failed(&file, e))?;
        read_plan(&file)
    }

    /// Chunks without a part.
    pub(super) fn missing(&self, plan: &Plan) -> Vec<u64> {
        let chunks = 0..plan.chunks;
        chunks.filter(|&k| !self.part(k).is_file()).collect()
    }
}

/// Writes a file, unless it exists.
fn create(file: &Path, text: &str) -> io::Result<()> {
    match fs::File::create_new(file) {
        Ok(mut file) => file.write_all(text.as_bytes()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Reads a plan.
pub(super) fn read_plan(file: &Path) -> Result<Plan, Failure> {
    let bad = |cause: String| Failure::BadInput(format!("{}: {cause}", file.display()));
    let text = fs::read_to_string(file).map_err(|e| bad(e.to_string()))?;
    Plan::from_json(&text).map_err(|e| bad(e.to_string()))
}
