//! The plan of a sweep: what it runs, in which order, and the columns of its table.

use super::cells::{Cell, Column, ColumnKind};
use super::files::{Capture, PlanFiles};
use super::flatten::flatten;
use super::points::Values;
use super::seeds::Seeds;
use crate::engine::EngineError;
use crate::{EngineBuilder, Plugins, sources};
use becomingone_components::path_text::{to_path, to_text};
use becomingone_components::scene::LoadedScene;
use becomingone_model::{Files, MissingAllowed};
use becomingone_scene::assets::BUILT_IN;
use becomingone_scene::{Overlays, SceneError, SceneLoader};
use becomingone_systems::kinds::Kinds;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64;

/// Version of the format of plans.
const FORMAT: u32 = 1;

/// Version of this program: plans of another one are not continued, as its runs may have other results.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// Error of a plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A scene cannot be loaded with the first values, or not be started.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Something else that was asked for is wrong: what was found, what is expected.
    #[error("{0}")]
    Refused(String),
}

impl From<SceneError> for PlanError {
    fn from(error: SceneError) -> Self {
        Self::Engine(error.into())
    }
}

/// A scene of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedScene {
    /// Its name in the table.
    pub name: String,
    /// Path of the scene, or of a robot or vehicle description.
    pub path: String,
    /// Whether it is a description, which is put on a plane.
    pub is_description: bool,
}

/// What to run: each scene with each point of the values and each seed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Scenes, in their order.
    pub scenes: Vec<PlannedScene>,
    /// Seeds; `None`: the scene's own, once.
    pub seeds: Option<Seeds>,
    /// Values that vary.
    pub values: Values,
    /// Simulated time of each run; `None`: to the scene's end.
    pub duration: Option<Duration>,
    /// Profiles over the scenes.
    pub profiles: Vec<PathBuf>,
    /// Configurations over them.
    pub configs: Vec<PathBuf>,
    /// Single values over them, as `agents.rover.controller.speed_m_s=0.8`.
    pub sets: Vec<String>,
    /// Description that replaces every model.
    pub model: Option<PathBuf>,
    /// Whether robots are loaded without colliders whose meshes are missing.
    pub allow_missing: bool,
    /// Folder for recordings of all runs.
    pub record: Option<PathBuf>,
}

impl Request {
    /// Runs of one scene.
    pub fn of_scene(path: impl AsRef<Path>) -> Self {
        let path = to_text(path.as_ref());
        Self {
            scenes: vec![PlannedScene {
                name: path.clone(),
                path,
                is_description: false,
            }],
            ..Self::default()
        }
    }

    /// Number of runs.
    fn runs(&self) -> Option<u64> {
        let points = self.values.count()?;
        let seeds = self.seeds.as_ref().map_or(1, Seeds::count);
        (self.scenes.len() as u64)
            .checked_mul(points)?
            .checked_mul(seeds)
    }

    fn check(&self) -> Result<u64, String> {
        self.values.check()?;
        if self.scenes.is_empty() {
            return Err("found no scene; expected at least one".to_owned());
        }
        for (k, scene) in self.scenes.iter().enumerate() {
            let name = &scene.name;
            if self.scenes[..k].iter().any(|other| other.name == *name) {
                return Err(format!("found `{name}` twice; expected each scene once"));
            }
            let is_plain = self.profiles.is_empty()
                && self.configs.is_empty()
                && self.sets.is_empty()
                && self.values.paths().next().is_none();
            if scene.is_description && (!is_plain || self.model.is_some()) {
                return Err(format!(
                    "found overlays, values or a model for {name}; expected a scene: `becomingone check --resolved` prints one for this robot, to save and change"
                ));
            }
        }
        match self.runs() {
            Some(0) => Err("found no run: no seed; expected at least one".to_owned()),
            Some(runs) if i64::try_from(runs).is_ok() => Ok(runs),
            _ => Err("found more runs than 64 bits count; expected fewer".to_owned()),
        }
    }

    /// Makes paths independent of the working folder.
    fn make_absolute(&mut self, folder: &Path) {
        let full = |path: &mut PathBuf| {
            if !path.starts_with(BUILT_IN) {
                *path = folder.join(&path);
            }
        };
        self.profiles.iter_mut().for_each(full);
        self.configs.iter_mut().for_each(full);
        self.model.iter_mut().for_each(full);
        self.record.iter_mut().for_each(full);
        for scene in &mut self.scenes {
            let mut path = to_path(&scene.path);
            full(&mut path);
            scene.path = to_text(&path);
        }
    }

    /// Its single values, with those that vary.
    pub(super) fn sets_with(&self, values: &[String]) -> Vec<String> {
        let varied = self.values.paths().zip(values);
        let varied = varied.map(|(path, value)| format!("{path}={value}"));
        self.sets.iter().cloned().chain(varied).collect()
    }

    /// Loads a scene with these values.
    pub(super) fn load(
        &self,
        scene: &PlannedScene,
        values: &[String],
        files: &dyn Files,
        kinds: &Kinds,
    ) -> Result<LoadedScene, SceneError> {
        let files = MissingAllowed(files, self.allow_missing);
        let loader = SceneLoader::new(kinds).files(&files);
        let path = to_path(&scene.path);
        if scene.is_description {
            return loader.dropped(&path);
        }
        let overlays = Overlays {
            profiles: self.profiles.clone(),
            configs: self.configs.clone(),
            sets: self.sets_with(values),
        };
        let loader = loader.model(self.model.as_deref()).overlays(&overlays);
        loader.load(&path)
    }
}

/// The plan of a sweep: all that its runs need, as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of this format.
    format: u32,
    /// Version of the program that made it.
    program: String,
    /// Hash of what decides its rows, 16 hexadecimal digits: program, request, columns and files, not the size of chunks.
    pub hash: String,
    /// Number of runs. A run's index counts scenes, then points, then seeds: seeds vary first.
    pub runs: u64,
    /// Runs of a chunk; the last one may have fewer.
    pub chunk_runs: u64,
    /// Number of chunks.
    pub chunks: u64,
    /// What is run.
    pub request: Request,
    /// Columns of the table, of all its parts: run, scene, seed, the values that vary, ticks, `sim_s`, the hashes, error, the
    /// summary, `wall_s`.
    pub columns: Vec<Column>,
    /// Files that its scenes are loaded from.
    pub files: PlanFiles,
}

/// Names of the columns before the values that vary.
pub(super) const FIRST: [(&str, ColumnKind); 3] = [
    ("run", ColumnKind::Count),
    ("scene", ColumnKind::Text),
    ("seed", ColumnKind::Count),
];

/// Those between the values and the summary.
pub(super) const RESULT: [(&str, ColumnKind); 5] = [
    ("ticks", ColumnKind::Count),
    ("sim_s", ColumnKind::Number),
    ("scene_hash", ColumnKind::Text),
    ("state_hash", ColumnKind::Text),
    ("error", ColumnKind::Text),
];

/// Name of the last column.
pub(super) const WALL: &str = "wall_s";

impl Plan {
    /// Makes a plan, with one run a chunk: loads each scene with the first values, and with each other value of the grid that
    /// may name files or change the columns.
    ///
    /// # Errors
    ///
    /// Errors of the first values, and of what was asked for. Values that are wrong for some runs alone are no error.
    pub fn new(mut request: Request, plugins: &Plugins) -> Result<Self, PlanError> {
        let runs = request.check().map_err(PlanError::Refused)?;
        let folder = std::env::current_dir()
            .map_err(|e| PlanError::Refused(format!("the working folder: {e}")))?;
        request.make_absolute(&folder);
        let points = request.values.points().map_err(PlanError::Refused)?;
        let kinds = plugins.kinds();
        let capture = Capture::new(&folder);
        let mut columns: Vec<Column> = FIRST.map(|(name, kind)| Column::new(name, kind)).into();
        let varied = request.values.paths().zip(request.values.kinds());
        columns.extend(varied.map(|(path, kind)| Column::new(path, kind)));
        columns.extend(RESULT.map(|(name, kind)| Column::new(name, kind)));
        let fixed = columns.len();
        for scene in &request.scenes {
            for (k, values) in points.forms().iter().enumerate() {
                let loaded = request.load(scene, values, &capture, &kinds);
                let found = loaded
                    .map_err(PlanError::from)
                    .and_then(|loaded| columns_of(loaded, plugins));
                match found {
                    Ok(found) => merge(&mut columns, found),
                    Err(error) if k == 0 => return Err(error),
                    // It becomes the error of its runs.
                    Err(_) => {}
                }
            }
        }
        columns.push(Column::new(WALL, ColumnKind::Number));
        for (k, column) in columns.iter().enumerate().skip(fixed) {
            if let Some(first) = columns[..k].iter().find(|c| c.name == column.name) {
                return Err(PlanError::Refused(format!(
                    "found two columns `{}`; expected another name of the agent or the path",
                    first.name
                )));
            }
        }
        let mut plan = Self {
            format: FORMAT,
            program: PROGRAM.to_owned(),
            hash: String::new(),
            runs,
            chunk_runs: 1,
            chunks: runs,
            request,
            columns,
            files: capture.take(),
        };
        plan.hash = plan.hashed()?;
        Ok(plan)
    }

    /// Reads a plan.
    ///
    /// # Errors
    ///
    /// The text is no plan, was changed since it was made, or is of another version of the program.
    pub fn from_json(text: &str) -> Result<Self, PlanError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
            program: String,
        }
        let refused = |text: String| Err(PlanError::Refused(text));
        let no_plan = |e: serde_json::Error| {
            PlanError::Refused(format!("{e}; expected a plan of `becomingone sweep`"))
        };
        let head: Head = serde_json::from_str(text).map_err(no_plan)?;
        if (head.format, head.program.as_str()) != (FORMAT, PROGRAM) {
            return refused(format!(
                "found a plan of version {} (format {}); expected {PROGRAM} (format {FORMAT}), as this program is",
                head.program, head.format
            ));
        }
        let plan: Self = serde_json::from_str(text).map_err(no_plan)?;
        if plan.hash != plan.hashed()? {
            return refused(
                "found a plan that was changed after it was made; expected one as `becomingone sweep` wrote it"
                    .to_owned(),
            );
        }
        if plan.chunk_runs == 0 || plan.chunks != plan.runs.div_ceil(plan.chunk_runs) {
            return refused(format!(
                "found {} chunks of {} runs; expected as many as {} runs have",
                plan.chunks, plan.chunk_runs, plan.runs
            ));
        }
        Ok(plan)
    }

    /// Loads its first scene with the first values, from the files of the plan.
    ///
    /// # Errors
    ///
    /// The scene is wrong.
    pub fn scene(&self, plugins: &Plugins) -> Result<LoadedScene, PlanError> {
        let points = self.request.values.points().map_err(PlanError::Refused)?;
        let Some(scene) = self.request.scenes.first() else {
            return Err(PlanError::Refused(
                "found a plan without a scene".to_owned(),
            ));
        };
        let kinds = plugins.kinds();
        Ok(self
            .request
            .load(scene, &points.at(0), &self.files, &kinds)?)
    }

    /// The plan as JSON, with its line breaks.
    ///
    /// # Errors
    ///
    /// It cannot be written as JSON.
    pub fn to_json(&self) -> Result<String, PlanError> {
        let json = serde_json::to_string_pretty(self);
        json.map(|json| json + "\n")
            .map_err(|e| PlanError::Refused(format!("the plan: {e}")))
    }

    /// Hash of what decides its rows: not of the working folder, nor of the size of chunks.
    fn hashed(&self) -> Result<String, PlanError> {
        let files: Vec<(&str, u64)> = self.files.hashes().collect();
        let all = (
            self.format,
            &self.program,
            &self.request,
            &self.columns,
            files,
        );
        let json = serde_json::to_vec(&all);
        let json = json.map_err(|e| PlanError::Refused(format!("the plan: {e}")))?;
        Ok(format!("{:016x}", xxh3_64(&json)))
    }

    /// Sets the number of runs of a chunk, at least 1.
    #[must_use]
    pub fn chunked(mut self, runs: u64) -> Self {
        self.chunk_runs = runs.clamp(1, self.runs);
        self.chunks = self.runs.div_ceil(self.chunk_runs);
        self
    }

    /// Runs of a chunk; empty where there is none of this number.
    pub fn runs_of(&self, chunk: u64) -> Range<u64> {
        let at = |chunk: u64| chunk.saturating_mul(self.chunk_runs).min(self.runs);
        at(chunk)..at(chunk.saturating_add(1))
    }

    /// Number of seeds of each scene and point.
    pub(super) fn seeds(&self) -> u64 {
        self.request.seeds.as_ref().map_or(1, Seeds::count)
    }

    /// What another plan has otherwise, one line each; empty where they run the same.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = |name: &str, here: String, there: String| {
            if here != there {
                lines.push(format!("{name}: found {there}, not {here}"));
            }
        };
        let [a, b] = [&self.request, &other.request];
        let scenes = |r: &Request| list(r.scenes.iter().map(|s| s.path.clone()));
        line("scenes", scenes(a), scenes(b));
        let seeds = |r: &Request| match &r.seeds {
            None => "those of the scenes".to_owned(),
            Some(seeds) => seeds.to_string(),
        };
        line("seeds", seeds(a), seeds(b));
        line("values", values(&a.values), values(&b.values));
        let duration = |r: &Request| match r.duration {
            None => "to the scene's end".to_owned(),
            Some(duration) => format!("{duration:?}"),
        };
        line("--duration", duration(a), duration(b));
        let paths = |paths: &[PathBuf]| list(paths.iter().map(|p| p.display().to_string()));
        line("--profile", paths(&a.profiles), paths(&b.profiles));
        line("--config", paths(&a.configs), paths(&b.configs));
        line(
            "--set",
            list(a.sets.iter().cloned()),
            list(b.sets.iter().cloned()),
        );
        let one = |path: &Option<PathBuf>| paths(path.as_slice());
        line("--model", one(&a.model), one(&b.model));
        line("--record", one(&a.record), one(&b.record));
        let flag = |r: &Request| r.allow_missing.to_string();
        line("--allow-missing", flag(a), flag(b));
        let known: HashMap<&str, u64> = other.files.hashes().collect();
        for (name, hash) in self.files.hashes() {
            if known.get(name).is_some_and(|other| *other != hash) {
                lines.push(format!("{name}: was changed since"));
            }
        }
        if lines.is_empty() && self.hash != other.hash {
            lines.push("the columns or the files of the scenes".to_owned());
        }
        lines
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    match items.collect::<Vec<_>>().join(" ") {
        none if none.is_empty() => "none".to_owned(),
        list => list,
    }
}

fn values(values: &Values) -> String {
    let grid = values.grid.iter();
    let grid = grid.map(|axis| format!("{}={}", axis.path, axis.values.join(",")));
    let sample = values.sample.iter().flat_map(|sample| {
        let spans = sample.between.iter();
        let spans = spans.map(|s| format!("{}={:?}..{:?}", s.path, s.from, s.to));
        spans.chain([format!("({} {})", sample.points, sample.design)])
    });
    list(grid.chain(sample))
}

/// Columns of a scene's summary.
fn columns_of(loaded: LoadedScene, plugins: &Plugins) -> Result<Vec<Column>, PlanError> {
    if sources::has_drivers(&loaded) {
        return Err(PlanError::Refused(format!(
            "{}: found a driver; expected simulated or recorded sources, as the runs of a sweep do not wait for hardware",
            loaded.scene.name
        )));
    }
    let mut engine = EngineBuilder::with(plugins.clone()).loaded(loaded);
    engine.start()?;
    let cells: Vec<(Column, Cell)> = flatten(&engine.summary());
    Ok(cells.into_iter().map(|(column, _)| column).collect())
}

fn merge(columns: &mut Vec<Column>, found: Vec<Column>) {
    let known: std::collections::HashSet<String> = columns
        .iter()
        .skip(FIRST.len())
        .map(|c| c.name.clone())
        .collect();
    columns.extend(found.into_iter().filter(|c| !known.contains(&c.name)));
}
