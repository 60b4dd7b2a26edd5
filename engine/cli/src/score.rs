//! `becomingone score`: which faults a scene's witness finds, how soon, whom it blames, and how often it is wrong.

use super::calibrate::{from_the_start, without_end};
use super::{Failure, Interrupt, OverlayArgs, keep_apart, load};
use becomingone::assets;
use becomingone::scene::Overlays;
use becomingone::systems::faults::{Bias, Block, Delay, Drift, DropOut, Freeze, Slip, Torque};
use becomingone::systems::sensing::{Encoders, Gnss, Imu, Lidar};
use becomingone::trials::{CancelToken, Trial, WitnessSample, on_all_processors, run};
use becomingone_components::fault::{AnyFault, DRIVE, FaultSpec};
use becomingone_components::kind::{Kind as _, Named};

use becomingone_components::scene::{AgentSpec, CoherenceSpec, DriveSpec, LoadedScene};
use becomingone_components::seed::{Rng, RunSeed};
use becomingone_components::time::NS_PER_S;
use becomingone_components::witness::{Detection, WARM_UP_S, warm_up_ticks};
use becomingone_kernel::most_expected;
use clap::Args;
use comfy_table::{Table, presets};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

pub(super) const EXAMPLES: &str = "Examples:
  becomingone score gnss_spoof
  becomingone score robot --faults gyro --runs 5
  becomingone score my_scene.ron --profile thresholds.ron --json score.json

A fault begins 2 to 12 s after warm-up and is looked for during 30 s; those of what the agent does not have are named
below the table. Healthy runs count false alarms. No run shares
a seed with `calibrate`.

Exit status: 0 done, 1 a run failed or a file could not be written, 2 bad input, 130 Ctrl-C: nothing is written.";

/// First seed of faulty runs, and of healthy ones.
const FAULTY_SEED: u64 = 2_000_000;
const HEALTHY_SEED: u64 = 3_000_000;
/// Time from the alarm on that blame is judged by (ns).
const BLAME_NS: u64 = 2 * NS_PER_S;
/// Time in which a fault must be found (s).
const WITHIN_S: f64 = 30.0;
/// Healthy time of a run, after warm-up (s).
const HEALTHY_RUN_S: f64 = 180.0;

/// Ways to find faults, in the order of the table.
const WAYS: [&str; 4] = [
    "kernel on readings",
    "kernel on innovations",
    "NIS",
    "all together",
];

/// Arguments of `score`.
#[derive(Args)]
pub(super) struct Score {
    /// A scene file (.ron), or the name of a built-in scene. Its first agent with a witness is scored, without the
    /// scene's own faults, but for those from the start on.
    scene: PathBuf,
    #[command(flatten)]
    overlays: OverlayArgs,
    /// Which faults: `all`, or those with this in their name, as `gyro`.
    #[arg(long, default_value = "all", value_name = "NAME")]
    faults: String,
    /// Runs of each fault.
    #[arg(long, default_value_t = 20, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Healthy time that false alarms are counted in, at least.
    #[arg(long, default_value = "3000s", value_name = "DURATION", value_parser = super::duration)]
    healthy: Duration,
    /// Write the table as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A fault of the table.
struct Case {
    name: &'static str,
    /// Whose it is; none where the agent has no such thing.
    of: Option<String>,
    kind: Named<dyn AnyFault>,
    /// How the names of those to blame begin.
    blame: String,
}

/// The table of faults, as an agent can have them.
fn cases(agent: &AgentSpec) -> Vec<Case> {
    let named = |kind: &str| {
        let found = agent.sensors.iter().find(|s| s.kind.name() == kind);
        found.map(|s| s.name.as_str())
    };
    let encoders = named(Encoders::NAME);
    let imu = named(Imu::NAME);
    let gnss = named(Gnss::NAME);
    let lidar = named(Lidar::NAME);
    let wheels = encoders.filter(|_| !matches!(agent.drive, DriveSpec::Joints { .. }));
    let sensor =
        |name, sensor: Option<&str>, part: &str, kind: Named<dyn AnyFault>, seen: &str| Case {
            name,
            of: sensor.map(|s| format!("{}/{s}{part}", agent.name)),
            kind,
            blame: format!("{}{seen}", sensor.unwrap_or_default()),
        };
    // What is wrong with a drive is seen on the encoders.
    let drive = |name, sensor: Option<&str>, part: &str, kind: Named<dyn AnyFault>| Case {
        name,
        of: sensor.map(|_| format!("{}/{DRIVE}{part}", agent.name)),
        kind,
        blame: format!("{}/", sensor.unwrap_or_default()),
    };
    vec![
        drive("slip 4 %", wheels, "", Slip(0.04).into()),
        drive("slip 8 %", wheels, "", Slip(0.08).into()),
        sensor("gyro frozen", imu, "/gyro", Freeze.into(), "/gyro"),
        sensor(
            "gyro delayed 60 ms",
            imu,
            "/gyro",
            Delay(0.06).into(),
            "/gyro",
        ),
        sensor(
            "gyro delayed 120 ms",
            imu,
            "/gyro",
            Delay(0.12).into(),
            "/gyro",
        ),
        sensor("GNSS pulled 0.1 m/s", gnss, "/east", Drift(0.1).into(), "/"),
        sensor("encoders lose 50 %", encoders, "", DropOut(0.5).into(), "/"),
        sensor(
            "accelerometer off 0.5 m/s²",
            imu,
            "/accelerometer_x",
            Bias(0.5).into(),
            "/accelerometer",
        ),
        sensor("lidar half blocked", lidar, "", Block(0.5).into(), "/"),
        drive("motor at half torque", encoders, "/0", Torque(0.5).into()),
    ]
}

/// What one way made of the runs of one fault.
#[derive(Clone, Debug, Default, Serialize)]
struct Found {
    /// Runs in which it was found within 30 s, and not before it began.
    found: u32,
    /// Of these, runs in which the right channel was to blame most of the first 2 s.
    blamed: u32,
    /// Which channel was to blame in how many.
    causes: BTreeMap<String, u32>,
    /// Median delay of those found, and a 95 % interval of the median by order statistics (s).
    delay_s: Option<[f64; 3]>,
}

#[derive(Debug, Serialize)]
struct Row {
    fault: &'static str,
    runs: u32,
    /// In the order of `ways`.
    ways: [Found; WAYS.len()],
}

#[derive(Debug, Serialize)]
struct ScoreTable {
    scene: String,
    agent: String,
    ways: [&'static str; WAYS.len()],
    faults: Vec<Row>,
    /// Faults of what the agent does not have.
    not_there: Vec<&'static str>,
    /// Healthy time after warm-up (s).
    healthy_s: f64,
    false_alarms: [usize; WAYS.len()],
    /// With 95 % below, in an hour.
    false_alarms_per_hour_most: [f64; WAYS.len()],
}

impl Score {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let cancel = CancelToken::default();
        Interrupt::catch()?.stops_all(&cancel);
        if let Some(file) = &self.json {
            keep_apart("--json", file, [self.scene.as_path()])?;
        }
        let overlays = Overlays::from(&self.overlays);
        let mut loaded = load(&self.scene, None, &overlays, &assets::Assets)?;
        let bad = |text: String| Failure::BadInput(format!("{}: {text}", self.scene.display()));
        let agent = loaded
            .scene
            .agents
            .iter()
            .find(|a| !matches!(a.coherence, CoherenceSpec::Off) && !a.sensors.is_empty())
            .cloned()
            .ok_or_else(|| bad("found no agent with sensors and a witness".to_owned()))?;
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
        from_the_start(&mut loaded.scene);
        without_end(&mut loaded.scene);
        let there = cases.iter().filter(|c| c.of.is_some()).count();
        let healthy_s = self.healthy.as_secs_f64();
        let runs = there * self.runs as usize + healthy_runs(healthy_s);
        let stopped = || Failure::stopped(&cancel, &format!(" of {runs}"));
        let mut rows = Vec::new();
        let mut not_there = Vec::new();
        for case in &cases {
            match &case.of {
                Some(of) => {
                    let row = self.row(&loaded, &agent, case, of, &cancel)?;
                    rows.push(row.ok_or_else(stopped)?);
                }
                None => not_there.push(case.name),
            }
            complain!("{}: done", case.name);
        }
        let heard = healthy(&loaded, &agent, healthy_s, &cancel)?;
        let (healthy_s, false_alarms) = heard.ok_or_else(stopped)?;
        let table = ScoreTable {
            scene: loaded.scene.name.clone(),
            agent: agent.name.clone(),
            ways: WAYS,
            faults: rows,
            not_there,
            healthy_s,
            false_alarms,
            false_alarms_per_hour_most: false_alarms.map(|n| most_expected(n) * 3600.0 / healthy_s),
        };
        say!("{table}");
        if let Some(file) = &self.json {
            serde_json::to_string_pretty(&table)
                .map_err(std::io::Error::other)
                .and_then(|json| std::fs::write(file, json + "\n"))
                .map_err(|e| Failure::Run(format!("{}: {e}", file.display())))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What became of one fault; none where its runs were stopped.
    fn row(
        &self,
        loaded: &LoadedScene,
        agent: &AgentSpec,
        case: &Case,
        of: &str,
        cancel: &CancelToken,
    ) -> Result<Option<Row>, Failure> {
        let warm_up_s = warm_up_s(agent);
        let trials: Vec<(Trial, f64)> = (0..self.runs)
            .map(|k| {
                let seed = FAULTY_SEED + u64::from(k);
                let mut rng = Rng::for_name(RunSeed(seed), "score");
                let at_s = warm_up_s + 7.0 + 5.0 * rng.symmetric();
                let trial = Trial {
                    seed,
                    faults: vec![FaultSpec {
                        sensor: of.to_owned(),
                        kind: case.kind.clone(),
                        at_s,
                        for_s: None,
                    }],
                    duration: Some(Duration::from_secs_f64(at_s + WITHIN_S)),
                };
                (trial, at_s)
            })
            .collect();
        let said = on_all_processors(&trials, |(trial, at_s)| {
            let at_ns = (at_s * NS_PER_S as f64) as u64;
            // When each way was first in alarm, and whom it named how often.
            let mut first: [Option<(u64, BTreeMap<String, u32>)>; WAYS.len()] = Default::default();
            let seconds = run(loaded, &[&agent.name], trial, cancel, |_, witness, look| {
                for (first, finding) in first.iter_mut().zip(by_ways(&look)) {
                    let Some(finding) = finding.filter(|f| f.dissipated) else {
                        continue;
                    };
                    let (since_ns, blamed) =
                        first.get_or_insert_with(|| (look.now_ns, BTreeMap::new()));
                    // Whom it names most in the first 2 s.
                    if look.now_ns - *since_ns <= BLAME_NS
                        && let Some(name) = finding.cause.and_then(|c| witness.name(c))
                    {
                        *blamed.entry(name.to_owned()).or_default() += 1;
                    }
                }
            })?;
            let after = |(ns, blamed): (u64, BTreeMap<String, u32>)| {
                let most = blamed.into_iter().max_by_key(|(_, ticks)| *ticks);
                let cause = most.map_or_else(String::new, |(name, _)| name);
                (ns >= at_ns).then(|| ((ns - at_ns) as f64 / NS_PER_S as f64, cause))
            };
            let found = seconds.map(|_| first.map(|f| f.and_then(after)));
            Ok::<_, becomingone::EngineError>(found)
        })?;
        Ok(said.map(|said| Row {
            fault: case.name,
            runs: self.runs,
            ways: std::array::from_fn(|way| {
                let mut delays_s = Vec::new();
                let (mut blamed, mut causes) = (0, BTreeMap::new());
                for (delay_s, cause) in said.iter().filter_map(|run| run[way].as_ref()) {
                    delays_s.push(*delay_s);
                    blamed += u32::from(cause.starts_with(case.blame.as_str()));
                    *causes.entry(cause.clone()).or_default() += 1;
                }
                delays_s.sort_by(f64::total_cmp);
                Found {
                    found: delays_s.len() as u32,
                    blamed,
                    causes,
                    delay_s: median(&delays_s),
                }
            }),
        }))
    }
}

/// What each way found at a tick: both self-models of readings are one way, and both of innovations.
fn by_ways(look: &WitnessSample) -> [Option<Detection>; WAYS.len()] {
    let [readings, surroundings, motion, places, nis, all] = look.detections;
    let key = |f: &Detection| (f.dissipated, f.surprise);
    let either = |a: Option<Detection>, b: Option<Detection>| match (a, b) {
        (Some(a), Some(b)) => Some(if key(&b) > key(&a) { b } else { a }),
        (a, b) => a.or(b),
    };
    let readings = either(readings, surroundings);
    [readings, either(motion, places), nis, all]
}

/// Time that an agent's witness learns for (s).
fn warm_up_s(agent: &AgentSpec) -> f64 {
    match &agent.coherence {
        CoherenceSpec::Kernel {
            rate_hz, witness, ..
        } => f64::from(warm_up_ticks(witness, *rate_hz)) / rate_hz,
        CoherenceSpec::Auto | CoherenceSpec::Off => WARM_UP_S,
    }
}

/// Runs that so much healthy time (s) is shared out to.
fn healthy_runs(healthy_s: f64) -> usize {
    (healthy_s / HEALTHY_RUN_S).ceil().max(1.0) as usize
}

/// The time that alarms of healthy runs were counted in (s), and how many each way; none where they were stopped.
fn healthy(
    loaded: &LoadedScene,
    agent: &AgentSpec,
    healthy_s: f64,
    cancel: &CancelToken,
) -> Result<Option<(f64, [usize; WAYS.len()])>, Failure> {
    // From its first tick to its last, a run is looked at for a kernel tick less.
    let runs = healthy_runs(healthy_s) as u64;
    let each_s = (healthy_s / runs as f64).max(1.0) + 1.0;
    let trials: Vec<Trial> = (0..runs)
        .map(|k| Trial {
            seed: HEALTHY_SEED + k,
            faults: Vec::new(),
            duration: Some(Duration::from_secs_f64(warm_up_s(agent) + each_s)),
        })
        .collect();
    let said = on_all_processors(&trials, |trial| {
        let (mut alarms, mut was) = ([0usize; WAYS.len()], [false; WAYS.len()]);
        let seconds = run(loaded, &[&agent.name], trial, cancel, |_, _, look| {
            for (way, finding) in by_ways(&look).iter().enumerate() {
                let is = finding.is_some_and(|f| f.dissipated);
                alarms[way] += usize::from(is && !was[way]);
                was[way] = is;
            }
        })?;
        Ok::<_, becomingone::EngineError>(seconds.map(|s| (s.iter().sum::<f64>(), alarms)))
    })?;
    let Some(said) = said else { return Ok(None) };
    let mut sum = (0.0, [0; WAYS.len()]);
    for (seconds, alarms) in said {
        sum.0 += seconds;
        for (all, alarms) in sum.1.iter_mut().zip(alarms) {
            *all += alarms;
        }
    }
    Ok(Some(sum))
}

/// The median of sorted numbers, and a 95 % interval of it: the order statistics n/2 -+ 0.98 sqrt(n) (Conover,
/// Practical Nonparametric Statistics, 3rd ed., 3.2).
fn median(sorted: &[f64]) -> Option<[f64; 3]> {
    let n = sorted.len();
    let at = |rank: f64| sorted.get((rank.max(0.0) as usize).min(n.saturating_sub(1)));
    let half = n as f64 / 2.0;
    let reach = 0.98 * (n as f64).sqrt();
    let (lower, upper) = (sorted.get(n.saturating_sub(1) / 2)?, sorted.get(n / 2)?);
    Some([
        (lower + upper) / 2.0,
        *at((half - reach).floor())?,
        *at((half + reach).ceil())?,
    ])
}

impl std::fmt::Display for ScoreTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(
            std::iter::once("found of runs, blame right of found, median delay s [95 %]")
                .chain(self.ways),
        );
        for row in &self.faults {
            let mut cells = vec![row.fault.to_owned()];
            cells.extend(row.ways.iter().map(|way| match way.delay_s {
                Some([median, low, high]) => format!(
                    "{}/{}, {}/{}, {median:.2} [{low:.2}, {high:.2}]",
                    way.found, row.runs, way.blamed, way.found
                ),
                None => format!("0/{}", row.runs),
            }));
            table.add_row(cells);
        }
        let mut cells = vec![format!(
            "false alarms in {:.0} s (an hour, with 95 % below)",
            self.healthy_s
        )];
        cells.extend(
            self.false_alarms
                .iter()
                .zip(self.false_alarms_per_hour_most)
                .map(|(n, most)| format!("{n} ({most:.1})")),
        );
        table.add_row(cells);
        write!(f, "{}, {}\n{table}", self.scene, self.agent)?;
        if !self.not_there.is_empty() {
            write!(f, "\nnot on {}: {}", self.agent, self.not_there.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_lies_within_its_interval() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some([3.0; 3]));
        let twenty: Vec<f64> = (1..=20).map(f64::from).collect();
        // Conover: ranks 6 and 15 of 20 hold the median with 95 %.
        assert_eq!(median(&twenty), Some([10.5, 6.0, 16.0]));
    }
}
