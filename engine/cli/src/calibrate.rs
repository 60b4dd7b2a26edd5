//! `becomingone calibrate`: alarm thresholds from healthy runs of a scene, with a bound on the false-alarm rate.
//!
//! An agent may have several detectors: readings, innovations of motion, of positions, NIS. Each has one free
//! parameter, the scale of its thresholds, set as low as leaves all of N healthy runs without an alarm, but for
//! the k runs of `--alarms`. [`most_alarms`] bounds the alarms in N further runs, for any dependence between the detectors
//! and any tails.

mod bound;
mod thresholds;

use self::bound::most_alarms;
use self::thresholds::{HealthySamples, Thresholds};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::keep_apart;
use crate::healthy::{keep_initial_faults, repeat_goals};
use crate::interrupt::Interrupt;
use crate::load::ModelArgs;
use crate::overlays::OverlayArgs;
use crate::parse::duration;
use crate::trials_at::{self, TrialArgs, Trials};
use becomingone::EngineError;
use becomingone::Plugins;
use becomingone::trials::{CancelToken, Trial, WitnessSample, run};
use becomingone_components::scene::{AgentSpec, CoherenceSpec, LoadedScene};
use becomingone_systems::diagnosis::witness::Witness;
use becomingone_systems::output_file::replace;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const EXAMPLES: &str = "Examples:
  becomingone calibrate robot --false-alarms-per-hour 1
  becomingone calibrate my_scene.ron --runs 20 --out thresholds.ron
  becomingone run my_scene.ron --profile thresholds.ron

Every run has its own seed and is assumed healthy. Thresholds are set just above the maximum over these runs. With 95 %
confidence there are then fewer than 3 false alarms in the time of all runs with one detector; with 2, 3, 4 detectors
fewer than 4.7, 6.3, 7.8 together. This number divided by the requested rate is the time that is simulated.

Where one run alone determines a threshold (`the next reached 10 % of it`), `--alarms 1` sets the thresholds above all
runs but one: the one without which their product is smallest. That costs time: fewer than 4.7, 7.2, 9.3, 11.3 false alarms
with 1 to 4 detectors. Choose the number in advance: trying several and keeping the best gives less confidence.

Robots that differ only in name, position and goals share their thresholds, and their time is added up.

Exit status: 0 done, 1 a run failed or the file could not be written, 2 bad input, 130 Ctrl-C (nothing is written).";

/// First seed; far from commonly chosen ones.
const FIRST_SEED: u64 = 1_000_000;

/// Most runs that a cluster begins before it is known that they are needed.
const MOST_AHEAD: u32 = 256;

/// Arguments of `calibrate`.
#[derive(Args)]
pub(crate) struct Calibrate {
    /// A scene file (.ron), or the name of a built-in scene. Its faults are removed, except those present from the
    /// start: they belong to the machine.
    scene: PathBuf,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    overlays: OverlayArgs,
    /// Allowed false alarms per hour, of all detectors together: determines how many healthy hours are
    /// simulated, 3 divided by this with one detector and no alarm.
    #[arg(long, value_name = "RATE", default_value_t = 1.0, value_parser = rate)]
    false_alarms_per_hour: f64,
    /// Healthy runs that may exceed the thresholds; each needs more healthy hours for the same rate.
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=100))]
    alarms: u32,
    /// Do this many runs instead, and print the bound that they support.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,
    /// Simulated time of a run, with goals repeated endlessly [default: the scene's, else until all goals are
    /// reached].
    #[arg(long, value_parser = duration)]
    duration: Option<Duration>,
    /// File for the thresholds: a profile for the scene.
    #[arg(long, value_name = "FILE", default_value = "thresholds.ron")]
    out: PathBuf,
    #[command(flatten)]
    trials: TrialArgs,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (1e-3..=1e3).contains(&rate) => Ok(rate),
        _ => Err("expected a number from 0.001 to 1000".to_owned()),
    }
}

/// Agents that are the same machine with the same self-model.
struct IdenticalAgents {
    names: Vec<String>,
    /// Time in which their self-models were observed (s).
    healthy_s: f64,
    samples: HealthySamples,
}

impl Calibrate {
    pub(crate) fn run(self, plugins: &Plugins) -> Result<Exit, Failure> {
        let cancel = CancelToken::default();
        Interrupt::install()?.cancels(&cancel);
        keep_apart("--out", &self.out, [self.scene.as_path()])?;
        let (scene, overlays, model) = (&self.scene, &self.overlays, &self.model);
        let mut trials = self
            .trials
            .begin(scene, overlays, model, self.arguments(), plugins)?;
        let loaded = &mut trials.loaded;
        keep_initial_faults(&mut loaded.scene);
        if self.duration.is_some() {
            repeat_goals(&mut loaded.scene);
        } else if loaded.scene.duration_s.is_none()
            && !loaded.scene.agents.iter().any(|a| a.controller.is_some())
        {
            return Err(Failure::BadInput(format!(
                "{}: found a scene without an end; expected --duration",
                self.scene.display()
            )));
        }
        let mut groups: Vec<IdenticalAgents> = Vec::new();
        let mut machines: Vec<AgentSpec> = Vec::new();
        for agent in &loaded.scene.agents {
            if matches!(agent.coherence, CoherenceSpec::Off) {
                continue;
            }
            let machine = machine(agent);
            let known = machines.iter().position(|m| *m == machine);
            let group = known.unwrap_or_else(|| {
                machines.push(machine);
                groups.push(IdenticalAgents {
                    names: Vec::new(),
                    healthy_s: 0.0,
                    samples: HealthySamples::default(),
                });
                groups.len() - 1
            });
            groups[group].names.push(agent.name.clone());
        }
        if let Some(runs) = self.runs.filter(|&runs| runs <= self.alarms) {
            return Err(Failure::BadInput(format!(
                "--alarms {}: found {runs} runs; expected more runs than alarms",
                self.alarms
            )));
        }
        let names: Vec<String> = groups.iter().flat_map(|g| g.names.clone()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let observe = |k| self.observe(&trials.loaded, &names, k, &cancel, plugins);
        if let Some((_, k)) = trials.one() {
            return trials_at::print(observe(k), &cancel);
        }
        let runs = self.simulate(&trials, observe, &mut groups, &cancel)?;
        groups.retain(|group| group.healthy_s > 0.0);
        if groups.is_empty() {
            return Err(Failure::BadInput(format!(
                "{}: found no agent whose self-model was trained when the run ended; expected longer runs, or sensors",
                self.scene.display()
            )));
        }
        let (mut about, mut agents) = (String::new(), String::new());
        for group in &groups {
            let thresholds = group.samples.thresholds(self.alarms as usize);
            about += &group.about(runs, &thresholds, self.alarms);
            let parts: Vec<String> = thresholds
                .each
                .iter()
                .map(|threshold| format!("{}: {}", threshold.key, threshold.text))
                .collect();
            for name in &group.names {
                agents += &format!(
                    "    (name: {name:?}, coherence: Kernel(witness: ({}))),\n",
                    parts.join(", ")
                );
            }
        }
        let text = format!("{about}(agents: [\n{agents}])\n");
        if let Err(error) = replace(&self.out, text.as_bytes()) {
            // The result of hours of simulation is printed at least.
            print_out!("{text}");
            return Err(Failure::Run(format!("{}: {error}", self.out.display())));
        }
        print_out!("{}", text.trim_end());
        print_out!("written to {}", self.out.display());
        Ok(Exit::SUCCESS)
    }

    /// The arguments that decide about runs.
    fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["calibrate".to_owned(), self.scene.display().to_string()];
        if let Some(duration) = self.duration {
            arguments.extend([
                "--duration".to_owned(),
                format!("{}ns", duration.as_nanos()),
            ]);
        }
        arguments
    }

    /// The `k`-th run: of each agent, its healthy time (s) and what its self-model says.
    fn observe(
        &self,
        loaded: &LoadedScene,
        names: &[&str],
        k: usize,
        cancel: &CancelToken,
        plugins: &Plugins,
    ) -> Result<Option<Vec<(f64, HealthySamples)>>, EngineError> {
        let trial = Trial {
            seed: FIRST_SEED + k as u64,
            faults: Vec::new(),
            duration: self.duration,
        };
        let mut samples: Vec<Vec<WitnessSample>> = vec![Vec::new(); names.len()];
        let sample = |k: usize, _: &Witness, sample| samples[k].push(sample);
        let seconds = run(loaded, plugins, names, &trial, cancel, sample)?;
        let each = seconds.map(|seconds| {
            let each = seconds.into_iter().zip(samples);
            let each = each.map(|(s, samples)| (s, HealthySamples::of(&samples)));
            each.collect()
        });
        Ok(each)
    }

    /// Runs the scene until there is enough healthy time of all groups; returns the number of runs.
    fn simulate(
        &self,
        trials: &Trials,
        observe: impl Fn(usize) -> Result<Option<Vec<(f64, HealthySamples)>>, EngineError> + Sync,
        groups: &mut [IdenticalAgents],
        cancel: &CancelToken,
    ) -> Result<u32, Failure> {
        let mut runs = 0u32;
        let mut of_all = self.runs.map_or(String::new(), |all| format!(" of {all}"));
        trials.ahead("run", 0..self.runs.unwrap_or_default() as usize)?;
        loop {
            // Eight at a time: their length determines how many more are needed.
            let many = self.runs.map_or(8, |all| (all - runs).min(8));
            let numbers = runs as usize..(runs + many) as usize;
            let done = trials.each("run", numbers, cancel, &observe)?;
            let Some(done) = done else {
                return Err(Failure::stopped(cancel, &of_all));
            };
            runs += many;
            for (run, seed) in done.into_iter().zip(FIRST_SEED + u64::from(runs - many)..) {
                let mut finished = run.into_iter();
                for group in groups.iter_mut() {
                    for name in &group.names {
                        let Some((seconds, samples)) = finished.next() else {
                            break;
                        };
                        let run = match group.names.len() {
                            1 => format!("seed {seed}"),
                            _ => format!("seed {seed} of {name}"),
                        };
                        group.healthy_s += seconds;
                        group.samples.append(run, samples);
                    }
                }
            }
            for group in groups.iter().filter(|g| g.healthy_s > 0.0) {
                let (names, s) = (group.label(), group.healthy_s);
                print_err!("{names}: {runs} runs, {s:.0} s after warm-up");
            }
            let wanted_s = |group: &IdenticalAgents| {
                let most = most_alarms(group.samples.threshold_count(), self.alarms as usize);
                3600.0 * most / self.false_alarms_per_hour
            };
            // Groups without any observed time would not gain any from more runs.
            let finished = groups.iter().filter(|g| g.healthy_s > 0.0);
            let wanted = finished.map(|group| wanted_s(group) / group.healthy_s);
            let wanted = f64::from(runs) * wanted.fold(0.0, f64::max);
            // A run of each group is below its thresholds.
            let wanted = wanted.max(f64::from(self.alarms) + 1.0);
            let all = self.runs.map_or(wanted, f64::from);
            if f64::from(runs) >= all {
                return Ok(runs);
            }
            if self.runs.is_none() {
                let about = (all / 8.0).ceil() * 8.0;
                of_all = format!(" of about {about:.0}");
                // What a cluster begins with: a later estimate may need fewer.
                let ahead = (about as u32).min(runs + MOST_AHEAD);
                trials.ahead("run", runs as usize..ahead as usize)?;
            }
        }
    }
}

/// An agent without its name, position and goals: equal for identical machines.
fn machine(agent: &AgentSpec) -> AgentSpec {
    let mut machine = agent.clone();
    machine.name.clear();
    machine.position_m = [0.0; 3];
    machine.yaw_rad = 0.0;
    if let Some(controller) = &mut machine.controller
        && let Some(without) = controller.value().map(|c| c.without_goals())
    {
        controller.set(without);
    }
    machine
}

impl IdenticalAgents {
    fn label(&self) -> String {
        match &self.names[..] {
            [one] => one.clone(),
            [first, others @ ..] => format!("{first} and {} identical", others.len()),
            [] => String::new(),
        }
    }

    /// Comment lines about the thresholds.
    fn about(&self, runs: u32, thresholds: &Thresholds, allowed: u32) -> String {
        let Thresholds { each, alarms } = thresholds;
        let hours = self.healthy_s / 3600.0;
        let most = most_alarms(each.len(), allowed as usize) / hours;
        let mut about = format!(
            "// {}: {runs} healthy runs from seed {FIRST_SEED} on, {hours:.2} h after warm-up, {}.\n\
             // {}: fewer than {most:.2} false alarms an hour with 95 % confidence.\n",
            self.label(),
            match alarms.len() {
                0 => "no alarm in any".to_owned(),
                1 => "an alarm in one".to_owned(),
                many => format!("an alarm in {many}"),
            },
            match each.len() {
                1 => "One detector".to_owned(),
                many => format!("{many} detectors, together"),
            }
        );
        for alarm in alarms {
            about += &format!("// alarm: {alarm}.\n");
        }
        for threshold in each {
            about += &format!("// {}: {}\n", threshold.key, threshold.evidence);
        }
        about
    }
}
