//! The alarm: a reference that follows the calm, and what is above it.

use super::quantile::quantile;

/// Added to F before its logarithm; most of the logarithm.
const SOFT_FLOOR: f64 = 0.03;
const MOST: f64 = 2.0;
/// Rows of the slow score.
const SLOW: f64 = 40.0;
/// Rows over which the reference learns, the score below which it does, and the most that it learns: F = 1.
const REFERENCE: f64 = 400.0;
const GATE: f64 = 0.4;
const HIGHEST: f64 = 0.0;
/// Least onset of the slow score above the reference, and what a fast one is above it at least.
const LEAST_ONSET: f64 = 0.65;
const FAST: f64 = 0.45;
/// Share of the baseline's rows that are its calm.
const CALM: f64 = 0.1;
/// Rows above the onset before an alarm, and below its end before it is over.
const DWELL: u32 = 3;
const RELEASE: u32 = 5;
/// An alarm ends this far above the reference, or at this share of its plateau above it, whichever is higher.
const OFF: f64 = 0.5;
const KEEP: f64 = 0.6;
/// Rows of the plateau, and the share of what is left that is accepted when an alarm is over.
const PLATEAU: f64 = 100.0;
const ACCEPTED: f64 = 0.5;

/// Logarithm of F, the mean of the statistics over their thresholds.
pub(super) fn log_severity(severity: f64) -> f64 {
    libm::log(severity + SOFT_FLOOR).min(MOST)
}

/// Mean of a logarithm and of its mean over 40 rows; the window fills.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Slow {
    sum: f64,
    weight: f64,
}

impl Slow {
    pub(super) fn push(&mut self, l: f64) -> f64 {
        let a = super::fit::gain(SLOW);
        self.sum += a * (l - self.sum);
        self.weight += a * (1.0 - self.weight);
        0.5 * l + 0.5 * self.sum / self.weight
    }
}

/// State of a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// As in the baseline.
    #[default]
    Healthy,
    /// An alarm.
    Fault,
    /// An alarm is over, and the machine is not yet as before: half of what has changed is accepted, and a new rise is
    /// an alarm again.
    Changed,
    /// No alarm, but values that the baseline does not reach, rows at another rate, or no channel that is judged: neither a
    /// fault nor health.
    Outside,
}

/// The alarm, its reference, and its onset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct AlarmState {
    reference: f64,
    /// The least that the reference learns: the baseline's own calm.
    lowest: f64,
    pub(super) onset: f64,
    /// Onset of a row alone.
    fast: f64,
    is_on: bool,
    count: u32,
    mean: f64,
    top: f64,
    /// Above this, the machine has changed since an alarm.
    after: Option<f64>,
}

impl AlarmState {
    /// No alarm, whatever comes.
    fn unbounded(reference: f64) -> Self {
        Self {
            reference,
            lowest: f64::NEG_INFINITY,
            onset: f64::INFINITY,
            fast: f64::INFINITY,
            is_on: false,
            count: 0,
            mean: 0.0,
            top: 0.0,
            after: None,
        }
    }

    /// Learns the onset from the rows of a baseline, each as the logarithm of F and its slow mean: with it, the baseline has
    /// no alarm.
    pub(super) fn learn(reference: f64, rows: &[(f64, f64)]) -> Self {
        let mut state = Self::unbounded(reference);
        let (mut onset, mut fast) = (LEAST_ONSET, 0.0);
        for (l, slow) in rows {
            let (y, _) = state.push(*l, *slow);
            onset = f64::max(onset, y);
            fast = f64::max(fast, l - state.reference);
        }
        let calm = quantile(rows.iter().map(|row| row.1).collect(), CALM);
        Self {
            lowest: calm.min(reference),
            onset,
            fast: fast.max(onset + FAST),
            ..Self::unbounded(reference)
        }
    }

    /// Takes the logarithm of F and its slow mean; returns the latter above the reference, and the state.
    pub(super) fn push(&mut self, l: f64, slow: f64) -> (f64, Health) {
        if self.is_on {
            self.mean += (l - self.mean) / PLATEAU;
            self.top = self.top.max(self.mean);
            let end = self.reference + OFF.max(KEEP * (self.top - self.reference));
            self.count = if l < end { self.count + 1 } else { 0 };
            if self.count >= RELEASE {
                (self.is_on, self.count) = (false, 0);
                self.after = Some(self.reference + self.onset);
                if l > self.reference {
                    self.reference += ACCEPTED * (l - self.reference);
                }
            }
        } else {
            let above = slow - self.reference > self.onset || l - self.reference > self.fast;
            self.count = if above { self.count + 1 } else { 0 };
            if self.count >= DWELL {
                (self.is_on, self.count) = (true, 0);
                (self.mean, self.top, self.after) = (l, l, None);
            }
        }
        let mut y = slow - self.reference;
        if !self.is_on && y < GATE {
            let (old, new) = (self.reference, self.reference + y / REFERENCE);
            self.reference = if y > 0.0 {
                new.min(old.max(HIGHEST))
            } else {
                new.max(old.min(self.lowest))
            };
            y = slow - self.reference;
        }
        if self.after.is_some_and(|after| slow <= after) {
            self.after = None;
        }
        let health = match (self.is_on, self.after) {
            (true, _) => Health::Fault,
            (false, Some(_)) => Health::Changed,
            (false, None) => Health::Healthy,
        };
        (y, health)
    }
}
