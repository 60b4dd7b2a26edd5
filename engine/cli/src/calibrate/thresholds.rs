//! Thresholds from the statistics of healthy runs.

use becomingone::trials::WitnessSample;
use becomingone_kernel::Thresholds;

/// Consecutive kernel ticks over the thresholds before an alarm, as in the self-models.
const DWELL: usize = 3;

/// K1, K2 and K3 are scaled by their quantiles at this exceedance rate of healthy kernel ticks.
const SHAPE_QUANTILE: f64 = 1e-3;

/// Maximum number of runs from which the tail is estimated; at most a quarter of all runs, and at least three.
const MAX_TAIL: usize = 10;

/// Detection statistics of healthy runs, one list for each agent in each run.
#[derive(Default)]
pub(super) struct HealthySamples {
    seeds: Vec<u64>,
    readings: Vec<Vec<[f64; 3]>>,
    lidar: Vec<Vec<[f64; 3]>>,
    motion: Vec<Vec<[f64; 3]>>,
    gnss: Vec<Vec<[f64; 3]>>,
    nis: Vec<Vec<f64>>,
    level: Vec<Vec<f64>>,
}

/// A threshold: its key in the scene, its text, the maximum of each run.
pub(super) struct Threshold {
    pub(super) key: &'static str,
    pub(super) text: String,
    most: Vec<f64>,
}

impl HealthySamples {
    pub(super) fn push(&mut self, seed: u64, samples: &[WitnessSample]) {
        self.seeds.push(seed);
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

    /// The thresholds.
    pub(super) fn thresholds(&self) -> Vec<Threshold> {
        let mut thresholds = Vec::new();
        for (key, runs) in [
            ("thresholds", &self.readings),
            ("lidar", &self.lidar),
            ("innovations_motion", &self.motion),
            ("innovations_gnss", &self.gnss),
        ] {
            if has_samples(runs) {
                let (text, most) = of_model(runs);
                thresholds.push(Threshold { key, text, most });
            }
        }
        for (key, runs) in [("nis", &self.nis), ("level", &self.level)] {
            if has_samples(runs) {
                let runs = runs.iter().map(|run| largest_lasting(run.iter().copied()));
                let most: Vec<f64> = runs.collect();
                thresholds.push(Threshold {
                    key,
                    text: round_up(most.iter().copied().fold(0.0, f64::max)),
                    most,
                });
            }
        }
        thresholds
    }

    /// The run that determines a threshold, and how firmly.
    pub(super) fn evidence(&self, threshold: &Threshold) -> String {
        let mut order: Vec<(f64, u64)> = threshold
            .most
            .iter()
            .copied()
            .zip(self.seeds.clone())
            .collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        let Some(&(most, seed)) = order.first() else {
            return String::new();
        };
        let next: Vec<String> = order[1..]
            .iter()
            .take(2)
            .map(|(value, _)| format!("{:.0} %", 100.0 * value / most))
            .collect();
        let next = match next.is_empty() {
            true => String::new(),
            false => format!(", the next reached {} of it", next.join(" and ")),
        };
        let sorted: Vec<f64> = order.into_iter().map(|(value, _)| value).collect();
        let more = match growth_when_doubled(&sorted) {
            Some(more) => format!(
                "twice the hours would raise it by {:.0} %",
                100.0 * (more - 1.0)
            ),
            None => "too few runs to estimate the effect of more hours".to_owned(),
        };
        format!("seed {seed} set it{next}; {more}.")
    }
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

/// Thresholds of K1, K2 and K3 that surprise, their mean over them, exceeded in no run for [`DWELL`] consecutive ticks;
/// and the scale that each run alone would have needed.
fn of_model(runs: &[Vec<[f64; 3]>]) -> (String, Vec<f64>) {
    let form: [f64; 3] = std::array::from_fn(|k| {
        let mut all: Vec<f64> = runs.iter().flatten().map(|sample| sample[k]).collect();
        all.sort_by(f64::total_cmp);
        let at = ((all.len() as f64) * (1.0 - SHAPE_QUANTILE)) as usize;
        all.get(at.min(all.len().saturating_sub(1)))
            .copied()
            .unwrap_or(0.0)
            .max(1e-6)
    });
    let [k1, k2, k3] = form;
    let form = Thresholds { k1, k2, k3 };
    let surprise = |&[k1, k2, k3]: &[f64; 3]| form.surprise(k1, k2, k3);
    let each: Vec<f64> = runs
        .iter()
        .map(|run| largest_lasting(run.iter().map(surprise)))
        .collect();
    let most = each.iter().copied().fold(0.0, f64::max);
    let text = format!(
        "(k1: {}, k2: {}, k3: {})",
        round_up(most * form.k1),
        round_up(most * form.k2),
        round_up(most * form.k3)
    );
    (text, each)
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
    let x = x.max(1e-6);
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
        let (text, each) = of_model(&[run, vec![[0.1, 1.0, 1.0]; 10]]);
        assert_eq!(text, "(k1: 0.400, k2: 4.00, k3: 4.00)");
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
    fn several_detectors_together_keep_the_bound() {
        // Four detectors whose maximum in a run is exponential: the probability that a further run exceeds one of the four
        // thresholds is known. The bound holds in 95 % of calibrations, and in more with fewer detectors.
        use becomingone_components::seed::{Rng, RunSeed};
        use becomingone_kernel::most_expected;
        let mut rng = Rng::for_name(RunSeed(3), "calibrate");
        let (runs, calibrations) = (200, 2000);
        let mut held = |thresholds: usize| {
            let mut held = 0;
            for _ in 0..calibrations {
                let mut quiet = 1.0;
                for _ in 0..thresholds {
                    let all = (0..runs).map(|_| -(1.0 - rng.share()).ln());
                    quiet *= 1.0 - (-all.fold(0.0, f64::max)).exp();
                }
                let expected = f64::from(runs) * (1.0 - quiet);
                held += u32::from(expected < most_expected(3));
            }
            f64::from(held) / f64::from(calibrations)
        };
        let independent = held(4);
        assert!((independent - 0.95).abs() < 0.02, "{independent}");
        assert!(held(2) > independent);
    }
}
