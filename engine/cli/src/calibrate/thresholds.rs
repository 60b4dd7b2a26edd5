//! Thresholds from the statistics of healthy runs.

use becomingone::trials::WitnessSample;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Consecutive kernel ticks over the thresholds before an alarm, as in the self-models.
const DWELL: usize = 3;

/// K1, K2 and K3 are scaled by their quantiles at this exceedance rate of healthy kernel ticks.
const SHAPE_QUANTILE: f64 = 1e-3;

/// Least threshold.
const LEAST: f64 = 1e-6;

/// Maximum number of runs from which the tail is estimated; at most a quarter of all runs, and at least three.
const MAX_TAIL: usize = 10;

/// Detection statistics of healthy runs, one list for each agent in each run.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct HealthySamples {
    runs: Vec<String>,
    readings: Vec<Vec<[f64; 3]>>,
    lidar: Vec<Vec<[f64; 3]>>,
    motion: Vec<Vec<[f64; 3]>>,
    gnss: Vec<Vec<[f64; 3]>>,
    nis: Vec<Vec<f64>>,
    level: Vec<Vec<f64>>,
}

/// Threshold of a detector.
pub(super) struct Threshold {
    /// Its key in the scene.
    pub(super) key: &'static str,
    pub(super) text: String,
    /// The run that set it, and how firmly.
    pub(super) evidence: String,
}

/// Thresholds, and a line for each run that exceeds them.
pub(super) struct Thresholds {
    pub(super) each: Vec<Threshold>,
    pub(super) alarms: Vec<String>,
}

/// A detector's threshold at scale 1, `None` for 1 itself, and the scale that each run needs.
struct Scales {
    key: &'static str,
    form: Option<[f64; 3]>,
    runs: Vec<f64>,
}

impl HealthySamples {
    /// Those of one run of an agent, which has no name yet.
    pub(super) fn of(samples: &[WitnessSample]) -> Self {
        let mut one = Self::default();
        one.push(String::new(), samples);
        one
    }

    /// Adds an agent's run, named as `run`.
    pub(super) fn append(&mut self, run: String, mut more: Self) {
        self.runs.push(run);
        self.readings.append(&mut more.readings);
        self.lidar.append(&mut more.lidar);
        self.motion.append(&mut more.motion);
        self.gnss.append(&mut more.gnss);
        self.nis.append(&mut more.nis);
        self.level.append(&mut more.level);
    }

    fn push(&mut self, run: String, samples: &[WitnessSample]) {
        self.runs.push(run);
        self.readings
            .push(samples.iter().map(|l| l.readings).collect());
        self.lidar
            .push(samples.iter().filter_map(|l| l.surroundings).collect());
        self.motion
            .push(samples.iter().filter_map(|l| l.innovations).collect());
        self.gnss
            .push(samples.iter().filter_map(|l| l.places).collect());
        self.nis
            .push(samples.iter().filter_map(|l| l.nis).collect());
        self.level
            .push(samples.iter().filter_map(|l| l.level).collect());
    }

    /// Number of detectors, at least one.
    pub(super) fn threshold_count(&self) -> usize {
        let models = [&self.readings, &self.lidar, &self.motion, &self.gnss];
        let models = models.into_iter().filter(|runs| has_samples(runs)).count();
        let numbers = [&self.nis, &self.level];
        let numbers = numbers.into_iter().filter(|runs| has_samples(runs)).count();
        (models + numbers).max(1)
    }

    /// Thresholds that all runs but `alarms` stay below.
    pub(super) fn thresholds(&self, alarms: usize) -> Thresholds {
        let scales = self.scales();
        let needed: Vec<&[f64]> = scales.iter().map(|s| &s.runs[..]).collect();
        let over = runs_over(&needed, alarms);
        let each: Vec<(Threshold, f64)> = scales
            .iter()
            .map(|of| {
                let kept = (0..of.runs.len()).filter(|run| !over.contains(run));
                let mut kept: Vec<(f64, &str)> = kept
                    .map(|run| (of.runs[run], self.runs[run].as_str()))
                    .collect();
                kept.sort_by(|a, b| b.0.total_cmp(&a.0));
                let most = kept.first().map_or(0.0, |(most, _)| *most);
                let text = match of.form {
                    None => round_up(most),
                    Some([k1, k2, k3]) => format!(
                        "(k1: {}, k2: {}, k3: {})",
                        round_up(most * k1),
                        round_up(most * k2),
                        round_up(most * k3)
                    ),
                };
                let threshold = Threshold {
                    key: of.key,
                    text,
                    evidence: evidence(&kept),
                };
                (threshold, most)
            })
            .collect();
        let alarms = over.iter().filter_map(|&run| {
            let over = scales.iter().zip(&each).filter_map(|(of, (_, most))| {
                let times = of.runs[run] / most.max(LEAST);
                (times > 1.0).then(|| format!("{} by a factor of {times:.2}", of.key))
            });
            let over: Vec<String> = over.collect();
            let exceeds = || format!("{} exceeds {}", self.runs[run], over.join(", "));
            (!over.is_empty()).then(exceeds)
        });
        Thresholds {
            alarms: alarms.collect(),
            each: each.into_iter().map(|(threshold, _)| threshold).collect(),
        }
    }

    fn scales(&self) -> Vec<Scales> {
        let models = [
            ("thresholds", &self.readings),
            ("lidar", &self.lidar),
            ("innovations_motion", &self.motion),
            ("innovations_gnss", &self.gnss),
        ];
        let models = models.into_iter().filter(|(_, runs)| has_samples(runs));
        let mut scales: Vec<Scales> = models
            .map(|(key, runs)| {
                let (form, runs) = of_model(runs);
                let form = Some(form);
                Scales { key, form, runs }
            })
            .collect();
        let numbers = [("nis", &self.nis), ("level", &self.level)];
        let numbers = numbers.into_iter().filter(|(_, runs)| has_samples(runs));
        scales.extend(numbers.map(|(key, runs)| {
            Scales {
                key,
                form: None,
                runs: runs
                    .iter()
                    .map(|run| largest_lasting(run.iter().copied()))
                    .collect(),
            }
        }));
        scales
    }
}

/// The runs that may exceed the thresholds: one after the other, the run without which the thresholds' product is smallest.
/// `needed` has, for each detector, the threshold that each run needs.
fn runs_over(needed: &[&[f64]], count: usize) -> Vec<usize> {
    let mut over = Vec::new();
    for _ in 0..count {
        // Only a run that sets a threshold lowers any: it, and the factor in logarithms.
        let mut gains: BTreeMap<usize, f64> = BTreeMap::new();
        for runs in needed {
            let mut order: Vec<usize> = (0..runs.len()).filter(|r| !over.contains(r)).collect();
            order.sort_by(|&a, &b| runs[b].total_cmp(&runs[a]));
            if let [first, next, ..] = order[..] {
                let gain = (runs[first].max(LEAST) / runs[next].max(LEAST)).ln();
                *gains.entry(first).or_default() += gain;
            }
        }
        let most = gains.into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
        over.extend(most.map(|(run, _)| run));
    }
    over
}

/// The run that set a threshold, and how firmly, from the scales that the runs need, the largest first.
fn evidence(sorted: &[(f64, &str)]) -> String {
    let Some((most, run)) = sorted.first() else {
        return String::new();
    };
    let next: Vec<String> = sorted[1..]
        .iter()
        .take(2)
        .map(|(value, _)| format!("{:.0} %", 100.0 * value / most))
        .collect();
    let next = match next.is_empty() {
        true => String::new(),
        false => format!(", the next reached {} of it", next.join(" and ")),
    };
    let values: Vec<f64> = sorted.iter().map(|(value, _)| *value).collect();
    let more = match growth_when_doubled(&values) {
        Some(more) => format!(
            "twice the hours would raise it by {:.0} %",
            100.0 * (more - 1.0)
        ),
        None => "too few runs to estimate the effect of more hours".to_owned(),
    };
    format!("{run} set it{next}; {more}.")
}

/// Whether any run has samples.
fn has_samples<T>(runs: &[Vec<T>]) -> bool {
    runs.iter().any(|run| !run.is_empty())
}

/// Factor by which the maximum over the runs grows when their number doubles: 2^xi, with Hill's estimate of the
/// tail (A Simple General Approach to Inference About the Tail of a Distribution, Annals of Statistics 3(5), 1975).
/// Near 1 for a light tail. `None` for too few runs.
fn growth_when_doubled(sorted: &[f64]) -> Option<f64> {
    let count = (sorted.len() / 4).min(MAX_TAIL);
    let least = *sorted.get(count)?;
    if count < 3 || least <= 0.0 {
        return None;
    }
    let logs = sorted[..count].iter().map(|value| (value / least).ln());
    Some((logs.sum::<f64>() / count as f64).exp2())
}

/// The form of the thresholds of K1, K2 and K3; and the scale at which surprise, their mean over them, is 1 at the largest
/// value that lasted for [`DWELL`] consecutive ticks of each run.
fn of_model(runs: &[Vec<[f64; 3]>]) -> ([f64; 3], Vec<f64>) {
    let form: [f64; 3] = std::array::from_fn(|k| {
        let mut all: Vec<f64> = runs.iter().flatten().map(|sample| sample[k]).collect();
        all.sort_by(f64::total_cmp);
        let at = ((all.len() as f64) * (1.0 - SHAPE_QUANTILE)) as usize;
        all.get(at.min(all.len().saturating_sub(1)))
            .copied()
            .unwrap_or(0.0)
            .max(LEAST)
    });
    let [k1, k2, k3] = form;
    let at_one = becomingone_kernel::Thresholds { k1, k2, k3 };
    let surprise = |&[k1, k2, k3]: &[f64; 3]| at_one.surprise(k1, k2, k3);
    let each = runs
        .iter()
        .map(|run| largest_lasting(run.iter().map(surprise)))
        .collect();
    (form, each)
}

/// Largest value that lasted for [`DWELL`] ticks.
fn largest_lasting(values: impl Iterator<Item = f64>) -> f64 {
    let mut last = [0.0f64; DWELL];
    let mut most = 0.0f64;
    for (k, value) in values.enumerate() {
        last[k % DWELL] = value;
        most = most.max(last.iter().copied().fold(f64::INFINITY, f64::min));
    }
    most
}

/// Three digits, rounded up: a threshold must exceed what was observed.
fn round_up(x: f64) -> String {
    let x = x.max(LEAST);
    let step = 10f64.powi(x.log10().floor() as i32 - 2);
    let digits = (2 - x.log10().floor() as i32).max(0) as usize;
    format!("{:.digits$}", (x / step).ceil() * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_exceed_what_lasted() {
        assert_eq!(
            largest_lasting([1.0, 9.0, 9.0, 2.0, 5.0, 6.0, 7.0, 1.0].into_iter()),
            5.0
        );
        assert_eq!(largest_lasting([1.0, 9.0].into_iter()), 0.0);
        for (x, text) in [
            (0.12341, "0.124"),
            (12.0, "12.0"),
            (8.613, "8.62"),
            (1234.0, "1240"),
        ] {
            assert_eq!(round_up(x), text);
        }
    }

    #[test]
    fn what_does_not_last_sets_no_threshold() {
        // A peak of a single tick, and one that lasts: only the second counts. (1 + 4 + 7)/3 = 4 times the usual.
        let mut run = vec![[0.1, 1.0, 1.0]; 4000];
        run[500] = [0.1, 50.0, 1.0];
        run[900..903].fill([0.1, 4.0, 7.0]);
        let (form, each) = of_model(&[run, vec![[0.1, 1.0, 1.0]; 10]]);
        assert_eq!(form, [0.1, 1.0, 1.0]);
        assert!(
            (each[0] - 4.0).abs() < 1e-12 && (each[1] - 1.0).abs() < 1e-12,
            "{each:?}"
        );
    }

    #[test]
    fn the_tail_of_pareto_grows_by_its_exponent() {
        // Quantiles of P(X > x) = x^-a: the largest of twice as many is 2^(1/a) as large.
        let sorted = |a: f64| -> Vec<f64> {
            let tail = |k: i32| (400.0 / (f64::from(k) + 0.5)).powf(1.0 / a);
            (0..400).map(tail).collect()
        };
        for a in [1.0, 2.0, 8.0] {
            let found = growth_when_doubled(&sorted(a)).unwrap();
            let expected = 2f64.powf(1.0 / a);
            assert!((found / expected - 1.0).abs() < 0.1, "{a}: {found}");
        }
        assert_eq!(growth_when_doubled(&[3.0, 2.0, 1.0]), None);
    }

    #[test]
    fn the_run_that_widens_all_thresholds_most_is_left_out() {
        // Run 1 sets two thresholds, twice and three times the next; run 4 one, five times the next: less than six.
        let needed = [
            &[1.0, 2.0, 1.0, 1.0, 0.5][..],
            &[1.0, 3.0, 0.9, 1.0, 0.5],
            &[1.0, 1.0, 0.8, 1.0, 5.0],
        ];
        assert!(runs_over(&needed, 0).is_empty());
        assert_eq!(runs_over(&needed, 1), [1]);
        assert_eq!(runs_over(&needed, 2), [1, 4]);
    }

    #[test]
    fn thresholds_are_above_all_runs_but_those_allowed() {
        let of = |k3: f64, nis: f64| {
            let sample = WitnessSample {
                now_ns: 0,
                readings: [0.1, 1.0, k3],
                surroundings: None,
                innovations: None,
                places: None,
                nis: Some(nis),
                level: None,
                detections: [None; 7],
            };
            vec![sample; DWELL]
        };
        let mut samples = HealthySamples::default();
        for (seed, (k3, nis)) in [(1.0, 1.0), (1.0, 20.0), (1.0, 2.0)]
            .into_iter()
            .enumerate()
        {
            samples.push(format!("seed {seed}"), &of(k3, nis));
        }
        let texts = |found: &Thresholds| -> Vec<String> {
            found.each.iter().map(|t| t.text.clone()).collect()
        };
        let all = samples.thresholds(0);
        assert_eq!(texts(&all), ["(k1: 0.100, k2: 1.00, k3: 1.00)", "20.0"]);
        assert!(all.alarms.is_empty());
        assert!(
            all.each[1]
                .evidence
                .starts_with("seed 1 set it, the next reached 10 %")
        );
        let but_one = samples.thresholds(1);
        assert_eq!(texts(&but_one), ["(k1: 0.100, k2: 1.00, k3: 1.00)", "2.00"]);
        assert_eq!(but_one.alarms, ["seed 1 exceeds nis by a factor of 10.00"]);
        assert!(but_one.each[1].evidence.starts_with("seed 2 set it"));
    }

    #[test]
    fn several_detectors_together_keep_the_bound() {
        // Detectors whose maximum in a run is exponential: the probability that a further run exceeds one of the thresholds
        // is known. The bound holds in 95 % of calibrations without alarms, and in more with them or where the detectors
        // are fewer.
        use super::super::bound::most_alarms;
        use becomingone_components::seed::{Rng, RunSeed};
        let mut rng = Rng::for_name(RunSeed(3), "calibrate");
        let (runs, calibrations) = (200, 2000);
        let mut held = |thresholds: usize, detectors: usize, alarms: usize| {
            let mut held = 0;
            for _ in 0..calibrations {
                let needed: Vec<Vec<f64>> = (0..thresholds)
                    .map(|_| (0..runs).map(|_| -(1.0 - rng.share()).ln()).collect())
                    .collect();
                let needed: Vec<&[f64]> = needed.iter().map(Vec::as_slice).collect();
                let over = runs_over(&needed, alarms);
                let mut quiet = 1.0;
                for needed in &needed {
                    let kept = (0..runs).filter(|run| !over.contains(run));
                    quiet *= 1.0 - (-kept.map(|run| needed[run]).fold(0.0, f64::max)).exp();
                }
                held += u32::from(runs as f64 * (1.0 - quiet) < most_alarms(detectors, alarms));
            }
            f64::from(held) / f64::from(calibrations)
        };
        let exact = held(4, 4, 0);
        assert!((exact - 0.95).abs() < 0.02, "{exact}");
        assert!(held(2, 4, 0) > exact);
        let one = held(1, 1, 2);
        assert!((one - 0.95).abs() < 0.02, "{one}");
        for alarms in 1..4 {
            let with = held(4, 4, alarms);
            assert!(with > 0.95, "{alarms}: {with}");
        }
    }
}
