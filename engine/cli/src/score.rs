//! `becomingone score`: measures detection, delay and isolation of injected faults, and false alarms.

mod cases;
mod table;

use self::cases::{Case, cases};
use self::table::{DETECTORS, DetectorScore, Row, ScoreTable, median};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{keep_apart, write_json};
use crate::healthy::{keep_initial_faults, repeat_goals};
use crate::interrupt::Interrupt;
use crate::load::ModelArgs;
use crate::overlays::OverlayArgs;
use crate::parse::duration;
use crate::trials_at::{self, TrialArgs};
use becomingone::trials::{CancelToken, Trial, WitnessSample, run};
use becomingone::{EngineError, Plugins};
use becomingone_components::fault::FaultSpec;
use becomingone_components::scene::{AgentSpec, CoherenceSpec, LoadedScene};
use becomingone_components::seed::{Rng, RunSeed};
use becomingone_components::time::NS_PER_S;
use becomingone_components::witness::{WARM_UP_S, warm_up_ticks};
use becomingone_kernel::most_expected;
use becomingone_systems::diagnosis::statistics::Detection;
use becomingone_systems::diagnosis::witness::Witness;
use clap::Args;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const EXAMPLES: &str = "Examples:
  becomingone score gnss_spoof
  becomingone score robot --faults gyro --runs 5
  becomingone score my_scene.ron --profile thresholds.ron --json score.json

A fault begins 2 to 12 s after warm-up and has to be detected within 30 s. Faults that do not apply to the agent are
listed below the table. False alarms are counted in healthy runs. No seed is used by `calibrate`.

Exit status: 0 done, 1 a run failed or a file could not be written, 2 bad input, 130 Ctrl-C (nothing is written).";

/// First seeds of faulty and of healthy runs.
const FAULTY_SEED: u64 = 2_000_000;

const HEALTHY_SEED: u64 = 3_000_000;

/// Time after the alarm in which isolation is judged (ns).
const ISOLATION_NS: u64 = 2 * NS_PER_S;

/// Time in which a fault has to be detected (s).
const SEARCH_S: f64 = 30.0;

/// Stage of the healthy runs; that of the others is their fault.
const HEALTHY: &str = "healthy";

/// Duration of a healthy run, after warm-up (s).
const HEALTHY_RUN_S: f64 = 180.0;

/// Arguments of `score`.
#[derive(Args)]
pub(crate) struct Score {
    /// A scene file (.ron), or the name of a built-in scene. Its first agent with a self-model is scored. The scene's
    /// faults are removed, except those present from the start.
    scene: PathBuf,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    overlays: OverlayArgs,
    /// Faults to inject: `all`, or those whose name contains this, as `gyro`.
    #[arg(long, default_value = "all", value_name = "NAME")]
    faults: String,
    /// Runs per fault.
    #[arg(long, default_value_t = 20, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Minimum healthy time in which false alarms are counted.
    #[arg(long, default_value = "3000s", value_name = "DURATION", value_parser = duration)]
    healthy: Duration,
    /// Write the table as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    trials: TrialArgs,
}

/// Delay (s) of the first alarm of each detector after a fault, and the channel that it names most often.
type Found = [Option<(f64, String)>; DETECTORS.len()];

/// Healthy time (s), and alarms of each detector in it.
type Healthy = (f64, [usize; DETECTORS.len()]);

impl Score {
    pub(crate) fn run(self, plugins: &Plugins) -> Result<Exit, Failure> {
        let cancel = CancelToken::default();
        Interrupt::install()?.cancels(&cancel);
        if let Some(file) = &self.json {
            keep_apart("--json", file, [self.scene.as_path()])?;
        }
        let (scene, overlays, model) = (&self.scene, &self.overlays, &self.model);
        let mut trials = self
            .trials
            .begin(scene, overlays, model, self.arguments(), plugins)?;
        let loaded = &mut trials.loaded;
        let bad = |text: String| Failure::BadInput(format!("{}: {text}", self.scene.display()));
        let agent = loaded
            .scene
            .agents
            .iter()
            .find(|a| !matches!(a.coherence, CoherenceSpec::Off) && !a.sensors.is_empty())
            .cloned()
            .ok_or_else(|| bad("found no agent with sensors and a self-model".to_owned()))?;
        let wanted = self.faults.to_lowercase();
        let mut cases = cases(&agent);
        let names: Vec<&str> = cases.iter().map(|c| c.name).collect();
        if wanted != "all" && !names.iter().any(|n| n.to_lowercase().contains(&wanted)) {
            return Err(bad(format!(
                "--faults: found `{}`; expected `all`, or a part of: {}",
                self.faults,
                names.join(", ")
            )));
        }
        cases.retain(|c| wanted == "all" || c.name.to_lowercase().contains(&wanted));
        keep_initial_faults(&mut loaded.scene);
        repeat_goals(&mut loaded.scene);
        let loaded = &trials.loaded;
        let healthy_s = self.healthy.as_secs_f64();
        let healthy = |k| healthy(loaded, &agent, healthy_s, k, &cancel, plugins);
        let faulty =
            |case: &Case, of: &str, k| faulty(loaded, &agent, case, of, k, &cancel, plugins);
        if let Some((stage, k)) = trials.one() {
            if stage == HEALTHY {
                return trials_at::print(healthy(k), &cancel);
            }
            let mut cases = cases.iter();
            let case = cases.find(|case| case.name == stage);
            let case = case.and_then(|case| Some((case, case.of.as_deref()?)));
            let (case, of) = case.ok_or_else(|| bad(format!("found no fault `{stage}`")))?;
            return trials_at::print(faulty(case, of, k), &cancel);
        }
        let there = cases.iter().filter(|c| c.of.is_some()).count();
        let runs = there * self.runs as usize + healthy_runs(healthy_s);
        let stopped = || Failure::stopped(&cancel, &format!(" of {runs}"));
        let mut rows = Vec::new();
        let mut not_there = Vec::new();
        let each = self.runs as usize;
        for case in cases.iter().filter(|c| c.of.is_some()) {
            trials.ahead(case.name, 0..each)?;
        }
        trials.ahead(HEALTHY, 0..healthy_runs(healthy_s))?;
        for case in &cases {
            match &case.of {
                Some(of) => {
                    let found =
                        trials.each(case.name, 0..each, &cancel, |k| faulty(case, of, k))?;
                    rows.push(self.row(case, &found.ok_or_else(stopped)?));
                }
                None => not_there.push(case.name),
            }
            print_err!("{}: done", case.name);
        }
        let found = trials.each(HEALTHY, 0..healthy_runs(healthy_s), &cancel, healthy)?;
        let mut sum: Healthy = (0.0, [0; DETECTORS.len()]);
        for (seconds, alarms) in found.ok_or_else(stopped)? {
            sum.0 += seconds;
            for (all, alarms) in sum.1.iter_mut().zip(alarms) {
                *all += alarms;
            }
        }
        let (healthy_s, false_alarms) = sum;
        let table = ScoreTable {
            scene: loaded.scene.name.clone(),
            agent: agent.name.clone(),
            ways: DETECTORS,
            faults: rows,
            not_there,
            healthy_s,
            false_alarms,
            false_alarms_per_hour_most: false_alarms.map(|n| most_expected(n) * 3600.0 / healthy_s),
        };
        print_out!("{table}");
        if let Some(file) = &self.json {
            write_json(&table, file)?;
        }
        Ok(Exit::SUCCESS)
    }

    /// The arguments that decide about runs.
    fn arguments(&self) -> Vec<String> {
        let scene = self.scene.display().to_string();
        let healthy = format!("{}ns", self.healthy.as_nanos());
        ["score", &scene, "--healthy", &healthy]
            .map(str::to_owned)
            .into()
    }

    /// Row of a fault.
    fn row(&self, case: &Case, found: &[Found]) -> Row {
        Row {
            fault: case.name,
            runs: self.runs,
            ways: std::array::from_fn(|detector| {
                let mut delays_s = Vec::new();
                let (mut blamed, mut causes) = (0, BTreeMap::new());
                for (delay_s, cause) in found.iter().filter_map(|run| run[detector].as_ref()) {
                    delays_s.push(*delay_s);
                    blamed += u32::from(cause.starts_with(case.blame.as_str()));
                    *causes.entry(cause.clone()).or_default() += 1;
                }
                delays_s.sort_by(f64::total_cmp);
                DetectorScore {
                    found: delays_s.len() as u32,
                    blamed,
                    causes,
                    delay_s: median(&delays_s),
                }
            }),
        }
    }
}

/// The `k`-th run with a fault; `None` where it was cancelled.
fn faulty(
    loaded: &LoadedScene,
    agent: &AgentSpec,
    case: &Case,
    of: &str,
    k: usize,
    cancel: &CancelToken,
    plugins: &Plugins,
) -> Result<Option<Found>, EngineError> {
    let seed = FAULTY_SEED + k as u64;
    let mut rng = Rng::for_name(RunSeed(seed), "score");
    let at_s = warm_up_s(agent) + 7.0 + 5.0 * rng.symmetric();
    let trial = Trial {
        seed,
        faults: vec![FaultSpec {
            sensor: of.to_owned(),
            kind: case.kind.clone(),
            at_s,
            for_s: None,
        }],
        duration: Some(Duration::from_secs_f64(at_s + SEARCH_S)),
    };
    let at_ns = (at_s * NS_PER_S as f64) as u64;
    // First alarm of each detector, and how often it named each channel.
    let mut first: [Option<(u64, BTreeMap<String, u32>)>; DETECTORS.len()] = Default::default();
    let observe = |_: usize, witness: &Witness, sample: WitnessSample| {
        for (first, detection) in first.iter_mut().zip(by_detector(&sample)) {
            let Some(detection) = detection.filter(|f| f.dissipated) else {
                continue;
            };
            let (since_ns, blamed) = first.get_or_insert_with(|| (sample.now_ns, BTreeMap::new()));
            // The channel named most often in the first 2 s.
            if sample.now_ns - *since_ns <= ISOLATION_NS
                && let Some(name) = detection.cause.and_then(|c| witness.name(c))
            {
                *blamed.entry(name.to_owned()).or_default() += 1;
            }
        }
    };
    let seconds = run(loaded, plugins, &[&agent.name], &trial, cancel, observe)?;
    let after = |(ns, blamed): (u64, BTreeMap<String, u32>)| {
        let most = blamed.into_iter().max_by_key(|(_, ticks)| *ticks);
        let cause = most.map_or_else(String::new, |(name, _)| name);
        (ns >= at_ns).then(|| ((ns - at_ns) as f64 / NS_PER_S as f64, cause))
    };
    Ok(seconds.map(|_| first.map(|f| f.and_then(after))))
}

/// Detections of a tick: both self-models of readings and their level are one detector, and both of innovations.
fn by_detector(sample: &WitnessSample) -> [Option<Detection>; DETECTORS.len()] {
    let [readings, surroundings, motion, places, nis, level, all] = sample.detections;
    let key = |f: &Detection| (f.dissipated, f.surprise);
    let either = |a: Option<Detection>, b: Option<Detection>| match (a, b) {
        (Some(a), Some(b)) => Some(if key(&b) > key(&a) { b } else { a }),
        (a, b) => a.or(b),
    };
    let readings = either(either(readings, surroundings), level);
    [readings, either(motion, places), nis, all]
}

/// Duration of an agent's warm-up (s).
fn warm_up_s(agent: &AgentSpec) -> f64 {
    match &agent.coherence {
        CoherenceSpec::Kernel {
            rate_hz, witness, ..
        } => f64::from(warm_up_ticks(witness, *rate_hz)) / rate_hz,
        CoherenceSpec::Auto | CoherenceSpec::Off => WARM_UP_S,
    }
}

/// Number of runs for this much healthy time (s).
fn healthy_runs(healthy_s: f64) -> usize {
    (healthy_s / HEALTHY_RUN_S).ceil().max(1.0) as usize
}

/// The `k`-th healthy run of those that have this much time (s) together; `None` where it was cancelled.
fn healthy(
    loaded: &LoadedScene,
    agent: &AgentSpec,
    healthy_s: f64,
    k: usize,
    cancel: &CancelToken,
    plugins: &Plugins,
) -> Result<Option<Healthy>, EngineError> {
    // The observed time is one kernel tick shorter than the run.
    let each_s = (healthy_s / healthy_runs(healthy_s) as f64).max(1.0) + 1.0;
    let trial = Trial {
        seed: HEALTHY_SEED + k as u64,
        faults: Vec::new(),
        duration: Some(Duration::from_secs_f64(warm_up_s(agent) + each_s)),
    };
    let (mut alarms, mut was) = ([0usize; DETECTORS.len()], [false; DETECTORS.len()]);
    let observe = |_: usize, _: &Witness, sample: WitnessSample| {
        for (detector, detection) in by_detector(&sample).iter().enumerate() {
            let is = detection.is_some_and(|f| f.dissipated);
            alarms[detector] += usize::from(is && !was[detector]);
            was[detector] = is;
        }
    };
    let seconds = run(loaded, plugins, &[&agent.name], &trial, cancel, observe)?;
    Ok(seconds.map(|s| (s.iter().sum::<f64>(), alarms)))
}
