//! `becomingone calibrate`: thresholds of surprise from healthy runs of a scene, and what they are worth.

use super::{Failure, OverlayArgs, load};
use crate::assets;
use crate::scene::Overlays;
use crate::trials::{Look, Trial, most_expected, on_all_processors, run};
use becomingone_components::scene::{CoherenceSpec, LoadedScene, Scene};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

pub(super) const EXAMPLES: &str = "Examples:
  becomingone calibrate robot --false-alarms-per-hour 1
  becomingone calibrate my_scene.ron --runs 20 --out thresholds.ron
  becomingone run my_scene.ron --profile thresholds.ron

Every run of the scene has a seed of its own and is taken as healthy. Thresholds stand just over all that these runs
said, so that with 95 % there are fewer false alarms than 3 in the time of all of them.

Exit status: 0 done, 1 a run failed or the file could not be written, 2 bad input.";

/// First seed; far from those that people choose.
const FIRST_SEED: u64 = 1_000_000;
/// Kernel ticks running over the thresholds before the alarm, as the self-models have it.
const DWELL: usize = 3;
/// Thresholds share the form of what 1 in so many healthy kernel ticks exceeds.
const FORM: f64 = 1e-3;
/// Most of K1, which is bounded by 1.
const MOST_K1: f64 = 0.9;

/// Arguments of `calibrate`.
#[derive(Args)]
pub(super) struct Calibrate {
    /// A scene file (.ron), or the name of a built-in scene. Its faults are left out, but for those from the
    /// start on: they are how the machine is.
    scene: PathBuf,
    #[command(flatten)]
    overlays: OverlayArgs,
    /// False alarms an hour that are allowed: decides how many healthy hours are simulated, 3 over this.
    #[arg(long, value_name = "RATE", default_value_t = 1.0, value_parser = rate)]
    false_alarms_per_hour: f64,
    /// Do so many runs instead, and say which bound they support.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,
    /// Simulated time of a run; else the scene's, else until all goals are reached.
    #[arg(long, value_parser = super::duration)]
    duration: Option<Duration>,
    /// Where to write the thresholds: a profile, to be laid over the scene.
    #[arg(long, value_name = "FILE", default_value = "thresholds.ron")]
    out: PathBuf,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (1e-3..=1e3).contains(&rate) => Ok(rate),
        _ => Err("expected a number from 0.001 to 1000".to_owned()),
    }
}

/// Leaves out the scene's faults but those that are there from the start: these are how the machine is.
pub(super) fn from_the_start(scene: &mut Scene) {
    scene.faults.retain(|fault| fault.at_s == 0.0);
}

/// What a witness said in healthy runs, one list a run.
#[derive(Default)]
struct Said {
    readings: Vec<Vec<[f64; 3]>>,
    innovations: Vec<Vec<[f64; 3]>>,
    places: Vec<Vec<[f64; 3]>>,
    nis: Vec<Vec<f64>>,
}

impl Calibrate {
    pub(super) fn go(self) -> Result<ExitCode, Failure> {
        let overlays = Overlays::from(&self.overlays);
        let mut loaded = load(&self.scene, None, &overlays, &assets::Assets)?;
        from_the_start(&mut loaded.scene);
        if loaded.scene.duration_s.is_none()
            && self.duration.is_none()
            && !loaded.scene.agents.iter().any(|a| a.controller.is_some())
        {
            return Err(Failure::BadInput(format!(
                "{}: found a scene without an end; expected --duration",
                self.scene.display()
            )));
        }
        let agents: Vec<String> = loaded
            .scene
            .agents
            .iter()
            .filter(|a| !matches!(a.coherence, CoherenceSpec::Off))
            .map(|a| a.name.clone())
            .collect();
        let mut said = Vec::new();
        for agent in agents {
            if let Some(line) = self.agent(&loaded, &agent)? {
                said.push(line);
            }
        }
        if said.is_empty() {
            return Err(Failure::BadInput(format!(
                "{}: found no agent whose witness was trained when the run ended; expected longer runs, or sensors",
                self.scene.display()
            )));
        }
        let about: String = said
            .iter()
            .map(|(about, _)| format!("// {about}\n"))
            .collect();
        let agents: Vec<&str> = said.iter().map(|(_, agent)| agent.as_str()).collect();
        let text = format!("{about}(agents: [\n{}\n])\n", agents.join("\n"));
        std::fs::write(&self.out, &text)
            .map_err(|e| Failure::Run(format!("{}: {e}", self.out.display())))?;
        say!("{}", text.trim_end());
        say!("written to {}", self.out.display());
        Ok(ExitCode::SUCCESS)
    }

    /// Thresholds of one agent: a line about them, and their place in a profile. None where its witness learns nothing.
    fn agent(
        &self,
        loaded: &LoadedScene,
        agent: &str,
    ) -> Result<Option<(String, String)>, Failure> {
        let wanted_s = 3.0 / self.false_alarms_per_hour * 3600.0;
        let (mut healthy_s, mut runs) = (0.0, 0u32);
        let mut said = Said::default();
        loop {
            // Eight at a time: how long runs last is seen before too many are begun.
            let many = self.runs.map_or(8, |all| (all - runs).min(8));
            let trials: Vec<Trial> = (0..many)
                .map(|k| Trial {
                    seed: FIRST_SEED + u64::from(runs + k),
                    faults: Vec::new(),
                    duration: self.duration,
                })
                .collect();
            let done = on_all_processors(&trials, |trial| {
                let mut looks: Vec<Look> = Vec::new();
                let seconds = run(loaded, agent, trial, |_, look| looks.push(look))?;
                Ok::<_, crate::EngineError>((seconds, looks))
            })?;
            runs += many;
            for (seconds, looks) in done {
                healthy_s += seconds;
                said.readings
                    .push(looks.iter().map(|l| l.readings).collect());
                let innovations = looks.iter().filter_map(|l| l.innovations);
                said.innovations.push(innovations.collect());
                said.places
                    .push(looks.iter().filter_map(|l| l.places).collect());
                said.nis.push(looks.iter().filter_map(|l| l.nis).collect());
            }
            if healthy_s <= 0.0 {
                return Ok(None);
            }
            complain!("{agent}: {runs} runs, {healthy_s:.0} s after warm-up");
            match self.runs {
                Some(all) if runs >= all => break,
                None if healthy_s >= wanted_s => break,
                _ => {}
            }
        }
        let hours = healthy_s / 3600.0;
        let about = format!(
            "{agent}: {runs} healthy runs from seed {FIRST_SEED} on, {hours:.2} h after warm-up, all below; with 95 % fewer than {:.2} false alarms an hour each way.",
            most_expected(0) / hours
        );
        let mut parts = vec![format!("thresholds: {}", vote(&said.readings))];
        if said.innovations.iter().any(|run| !run.is_empty()) {
            parts.push(format!("innovations: {}", vote(&said.innovations)));
        }
        if said.places.iter().any(|run| !run.is_empty()) {
            parts.push(format!("places: {}", vote(&said.places)));
        }
        if said.nis.iter().any(|run| !run.is_empty()) {
            let runs = said.nis.iter().map(|run| lasting(run.iter().copied()));
            parts.push(format!("nis: {}", up(runs.fold(0.0, f64::max))));
        }
        let agent = format!(
            "    (name: {agent:?}, coherence: (witness: ({}))),",
            parts.join(", ")
        );
        Ok(Some((about, agent)))
    }
}

/// Thresholds of K1, K2 and K3 over which no two of them stood for [`DWELL`] ticks running, in any run.
fn vote(runs: &[Vec<[f64; 3]>]) -> String {
    let form: [f64; 3] = std::array::from_fn(|k| {
        let mut all: Vec<f64> = runs.iter().flatten().map(|said| said[k]).collect();
        all.sort_by(f64::total_cmp);
        let at = ((all.len() as f64) * (1.0 - FORM)) as usize;
        all.get(at.min(all.len().saturating_sub(1)))
            .copied()
            .unwrap_or(0.0)
            .max(1e-6)
    });
    let second = |said: &[f64; 3]| {
        let mut over: [f64; 3] = std::array::from_fn(|k| said[k] / form[k]);
        over.sort_by(f64::total_cmp);
        over[1]
    };
    let most = runs.iter().map(|run| lasting(run.iter().map(second)));
    let most = most.fold(0.0, f64::max);
    format!(
        "(k1: {}, k2: {}, k3: {})",
        up((most * form[0]).min(MOST_K1)),
        up(most * form[1]),
        up(most * form[2])
    )
}

/// The largest value that lasted for [`DWELL`] ticks.
fn lasting(values: impl Iterator<Item = f64>) -> f64 {
    let mut last = [0.0f64; DWELL];
    let mut most = 0.0f64;
    for (k, value) in values.enumerate() {
        last[k % DWELL] = value;
        most = most.max(last.iter().copied().fold(f64::INFINITY, f64::min));
    }
    most
}

/// Three digits, rounded up: a threshold stands over what was seen.
fn up(x: f64) -> String {
    let x = x.max(1e-6);
    let step = 10f64.powi(x.log10().floor() as i32 - 2);
    let digits = (2 - x.log10().floor() as i32).max(0) as usize;
    format!("{:.digits$}", (x / step).ceil() * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_stand_over_what_lasted() {
        assert_eq!(
            lasting([1.0, 9.0, 9.0, 2.0, 5.0, 6.0, 7.0, 1.0].into_iter()),
            5.0
        );
        assert_eq!(lasting([1.0, 9.0].into_iter()), 0.0);
        for (x, text) in [
            (0.12341, "0.124"),
            (12.0, "12.0"),
            (8.613, "8.62"),
            (1234.0, "1240"),
        ] {
            assert_eq!(up(x), text);
        }
    }

    #[test]
    fn two_of_three_must_stand_over_for_a_vote() {
        // One peak of a single number, one of two numbers that lasts: only the second counts.
        let mut run = vec![[0.1, 1.0, 1.0]; 2000];
        run[500] = [0.1, 50.0, 1.0];
        for said in &mut run[900..903] {
            *said = [0.1, 4.0, 3.0];
        }
        let text = vote(&[run]);
        assert_eq!(text, "(k1: 0.100, k2: 4.00, k3: 3.00)");
    }
}
