//! Runs of a plan, one by one.

use super::cells::{Cell, Row};
use super::flatten::flatten;
use super::plan::{FIRST, Plan, PlanError, RESULT, WALL};
use super::points::Points;
use crate::trials::CancelToken;
use crate::{CoherenceEngine, EngineBuilder, Plugins, Summary};
use becomingone_components::scene::LoadedScene;
use becomingone_systems::kinds::Kinds;
use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A run that is about to start.
#[derive(Clone, Copy, Debug)]
pub struct RunAt<'a> {
    /// Its index in the plan.
    pub run: u64,
    /// Its single values over the scene, those that vary last: `agents.rover.controller.speed_m_s=0.8`.
    pub sets: &'a [String],
}

/// Extends each run of a sweep, as by a recording.
pub trait RunHook: Sync {
    /// What it holds during a run.
    type Open;

    /// Called before an engine starts; its world has the [`LoadedScene`].
    ///
    /// # Errors
    ///
    /// The run is not started, and its row has this text.
    fn begin(&self, run: RunAt<'_>, engine: &mut CoherenceEngine) -> Result<Self::Open, String>;

    /// Called after the last tick.
    ///
    /// # Errors
    ///
    /// The run has failed, and its row has this text.
    fn end(&self, open: Self::Open, engine: &mut CoherenceEngine) -> Result<(), String>;
}

/// No extension.
impl RunHook for () {
    type Open = ();

    fn begin(&self, _: RunAt<'_>, _: &mut CoherenceEngine) -> Result<(), String> {
        Ok(())
    }

    fn end(&self, (): (), _: &mut CoherenceEngine) -> Result<(), String> {
        Ok(())
    }
}

/// Makes rows of a plan on one thread; a clone is for another thread.
#[derive(Clone)]
pub struct Runner<'a> {
    plan: &'a Plan,
    plugins: Plugins,
    kinds: Arc<Kinds>,
    points: Arc<Points>,
    /// Places of the columns.
    places: Arc<HashMap<&'a str, usize>>,
    /// The scene of the latest scene and point: its other seeds follow.
    latest: Option<((usize, u64), Result<LoadedScene, String>)>,
}

/// Place of a run in its plan.
struct Place {
    scene: usize,
    point: u64,
    seed: Option<u64>,
}

impl<'a> Runner<'a> {
    /// Runs of this plan, by engines with these plugins.
    ///
    /// # Errors
    ///
    /// The values of the plan are wrong.
    pub fn new(plan: &'a Plan, plugins: &Plugins) -> Result<Self, PlanError> {
        let points = plan.request.values.points().map_err(PlanError::Refused)?;
        let names = plan.columns.iter().enumerate();
        Ok(Self {
            plan,
            plugins: plugins.clone(),
            kinds: Arc::new(plugins.kinds()),
            points: Arc::new(points),
            places: Arc::new(names.map(|(k, c)| (c.name.as_str(), k)).collect()),
            latest: None,
        })
    }

    /// Runs one of the plan. A run that fails, or panics, has a row with its error. `None` where it was cancelled, or the
    /// plan has no such run.
    pub fn run<H: RunHook>(&mut self, run: u64, cancel: &CancelToken, hook: &H) -> Option<Row> {
        let place = self.place(run)?;
        let values = self.points.at(place.point);
        let mut cells: Vec<Cell> = self
            .plan
            .columns
            .iter()
            .map(|c| Cell::empty(c.kind))
            .collect();
        let scene = &self.plan.request.scenes[place.scene];
        cells[0] = Cell::Count(Some(run));
        cells[1] = Cell::text(&scene.name);
        cells[2] = Cell::Count(place.seed);
        let kinds = self.plan.request.values.kinds();
        for (k, (value, kind)) in values.iter().zip(kinds).enumerate() {
            cells[FIRST.len() + k] = Cell::written(value, kind);
        }
        let result = FIRST.len() + values.len();
        let done = catch_unwind(AssertUnwindSafe(|| {
            self.simulate(run, &place, &values, cancel, hook)
        }));
        let done = done.unwrap_or_else(|panic| Err(format!("panic: {}", text_of(&*panic))));
        let done = done.and_then(|summary| match summary {
            None => Ok(false),
            Some(summary) => self.fill(&mut cells, result, &summary).map(|()| true),
        });
        let error = match done {
            Ok(false) => return None,
            Ok(true) => None,
            Err(error) => Some(error),
        };
        // The last of the results.
        cells[result + RESULT.len() - 1] = Cell::Text(error.clone());
        Some(Row { run, cells, error })
    }

    fn place(&self, run: u64) -> Option<Place> {
        if run >= self.plan.runs {
            return None;
        }
        let seeds = self.plan.seeds();
        let points = self.plan.request.values.count()?;
        let at = run / seeds;
        Some(Place {
            scene: usize::try_from(at / points).ok()?,
            point: at % points,
            seed: self
                .plan
                .request
                .seeds
                .as_ref()
                .and_then(|s| s.at(run % seeds)),
        })
    }

    /// Summary of a run; `None` where it was cancelled.
    fn simulate<H: RunHook>(
        &mut self,
        run: u64,
        place: &Place,
        values: &[String],
        cancel: &CancelToken,
        hook: &H,
    ) -> Result<Option<Summary>, String> {
        let mut loaded = self.load(place, values)?;
        if let Some(seed) = place.seed {
            loaded.scene.seed = seed;
        }
        let mut engine = EngineBuilder::with(self.plugins.clone()).loaded(loaded);
        if let Some(duration) = self.plan.request.duration {
            engine.set_duration(duration);
        }
        let sets = self.plan.request.sets_with(values);
        let at = RunAt { run, sets: &sets };
        let open = hook.begin(at, &mut engine)?;
        let handle = engine.stop_handle();
        if cancel.is_stopped() {
            handle.stop();
        }
        let ran = engine.run_watched(|_| {
            if cancel.is_stopped() {
                handle.stop();
            }
        });
        let ended = hook.end(open, &mut engine);
        let summary = ran.map_err(|e| e.to_string())?;
        if cancel.is_stopped() {
            return Ok(None);
        }
        ended.map(|()| Some(summary))
    }

    /// The scene of a place.
    fn load(&mut self, place: &Place, values: &[String]) -> Result<LoadedScene, String> {
        let key = (place.scene, place.point);
        if let Some((latest, loaded)) = &self.latest
            && *latest == key
        {
            return loaded.clone();
        }
        let request = &self.plan.request;
        let scene = &request.scenes[place.scene];
        let loaded = request.load(scene, values, &self.plan.files, &self.kinds);
        let loaded = loaded.map_err(|e| e.to_string());
        // A point with one seed is not needed again.
        if self.plan.seeds() > 1 {
            self.latest = Some((key, loaded.clone()));
        }
        loaded
    }

    /// Cells of a summary; `result` is the first after the values.
    fn fill(&self, cells: &mut [Cell], result: usize, summary: &Summary) -> Result<(), String> {
        cells[2] = Cell::Count(Some(summary.seed));
        cells[result] = Cell::Count(Some(summary.ticks));
        cells[result + 1] = Cell::Number(Some(summary.sim_s));
        cells[result + 2] = Cell::text(&summary.scene_hash);
        cells[result + 3] = Cell::text(&summary.state_hash);
        if let Some(&wall) = self.places.get(WALL) {
            cells[wall] = Cell::Number(Some(summary.wall_s));
        }
        for (column, cell) in flatten(summary) {
            match self.places.get(column.name.as_str()) {
                Some(&k) => cells[k] = cell,
                None => {
                    return Err(format!(
                        "found `{}` in the summary, which the first values do not have; expected the columns of the plan",
                        column.name
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Text of a panic.
fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a text")
}

#[cfg(test)]
mod tests {
    use super::super::{Axis, Request, Seeds, Values};
    use super::*;
    use crate::systems::tick::{Tick, TickSystems};
    use bevy_app::App;
    use bevy_ecs::prelude::*;
    use std::time::Duration;

    fn request() -> Request {
        Request {
            seeds: Some(Seeds::List(vec![3, 5])),
            duration: Some(Duration::from_millis(20)),
            ..Request::of_scene("built-in/scenes/arm_wave.ron")
        }
    }

    fn text<'a>(plan: &Plan, row: &'a Row, name: &str) -> Option<&'a str> {
        let k = plan.columns.iter().position(|c| c.name == name).unwrap();
        match &row.cells[k] {
            Cell::Text(text) => text.as_deref(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_row_has_the_hash_of_the_same_run() {
        let plugins = Plugins::new();
        let plan = Plan::new(request(), &plugins).unwrap();
        let mut runner = Runner::new(&plan, &plugins).unwrap();
        let row = runner.run(1, &CancelToken::default(), &()).unwrap();
        let mut engine = CoherenceEngine::from_scene("built-in/scenes/arm_wave.ron").unwrap();
        engine.set_seed(5);
        let summary = engine.run_for(Duration::from_millis(20)).unwrap();
        assert_eq!(row.error, None);
        assert_eq!(
            text(&plan, &row, "state_hash"),
            Some(summary.state_hash.as_str())
        );
        assert_eq!(plan.columns.last().unwrap().name, "wall_s");
        assert_eq!(row.cells.len(), plan.columns.len());
        for (cell, column) in row.cells.iter().zip(&plan.columns) {
            assert_eq!(cell.kind(), column.kind, "{}", column.name);
        }
        assert!(runner.run(2, &CancelToken::default(), &()).is_none());
    }

    #[test]
    fn a_plan_returns_from_json_and_refuses_changes() {
        let plan = Plan::new(request(), &Plugins::new()).unwrap().chunked(2);
        let json = plan.to_json().unwrap();
        let back = Plan::from_json(&json).unwrap();
        assert_eq!(back, plan);
        assert!(plan.differences(&back).is_empty());
        assert_eq!(back.hash, back.clone().chunked(1).hash);
        let changed = json.replacen("\"allow_missing\": false", "\"allow_missing\": true", 1);
        let error = Plan::from_json(&changed).unwrap_err().to_string();
        assert!(error.contains("changed"), "{error}");
    }

    #[test]
    fn a_panic_is_a_row_and_other_runs_go_on() {
        let mut plugins = Plugins::new();
        plugins.add(|app: &mut App| {
            let panics = |loaded: Res<LoadedScene>| {
                assert_ne!(loaded.scene.seed, 3, "seed 3");
            };
            app.add_systems(Tick, panics.in_set(TickSystems::Publish));
        });
        let plan = Plan::new(request(), &plugins).unwrap();
        let mut runner = Runner::new(&plan, &plugins).unwrap();
        let row = runner.run(0, &CancelToken::default(), &()).unwrap();
        assert!(
            row.error.as_ref().is_some_and(|e| e.contains("panic")),
            "{row:?}"
        );
        assert_eq!(text(&plan, &row, "state_hash"), None);
        let row = runner.run(1, &CancelToken::default(), &()).unwrap();
        assert_eq!(row.error, None);
    }

    #[test]
    fn a_value_that_some_runs_refuse_is_their_error() {
        let duration = Axis {
            path: "duration_s".to_owned(),
            values: vec!["0.01".to_owned(), "-1".to_owned(), "0.02".to_owned()],
        };
        let request = Request {
            values: Values {
                grid: vec![duration],
                sample: None,
            },
            seeds: None,
            duration: None,
            ..request()
        };
        let plugins = Plugins::new();
        let plan = Plan::new(request, &plugins).unwrap();
        let mut runner = Runner::new(&plan, &plugins).unwrap();
        let rows: Vec<Row> = (0..3)
            .map(|k| runner.run(k, &CancelToken::default(), &()).unwrap())
            .collect();
        assert_eq!((&rows[0].error, &rows[2].error), (&None, &None));
        let error = rows[1].error.as_ref().unwrap();
        assert!(error.contains("--set 1 `duration_s=-1`"), "{error}");
    }
}
