//! The alarm: a reference that follows the calm, and what is above it.

use super::quantile::quantile;
use alloc::vec::Vec;

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
/// Least onset on request, and the steps in which it is sought.
const LEAST_ON_REQUEST: f64 = 0.3;
const ONSET_STEP: f64 = 0.05;
/// Most steps: the score is bounded.
const MOST_STEPS: u32 = 200;
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
struct Slow {
    sum: f64,
    weight: f64,
}

impl Slow {
    fn push(&mut self, l: f64) -> f64 {
        let a = super::law::gain(SLOW);
        self.sum += a * (l - self.sum);
        self.weight += a * (1.0 - self.weight);
        0.5 * l + 0.5 * self.sum / self.weight
    }

    /// As after many rows of this value.
    fn settle(&mut self, l: f64) -> f64 {
        self.sum = l * self.weight;
        l
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

/// Logarithms of F of the rows of a stretch.
pub(super) type Logs = Vec<f64>;

/// What an alarm is judged by.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Onset {
    /// Where the reference starts.
    pub(super) reference: f64,
    /// The least that the reference learns: the baseline's own calm.
    lowest: f64,
    /// Of the slow score above the reference.
    pub(super) slow: f64,
    /// Of a row alone.
    fast: f64,
}

impl Onset {
    /// With it, the stretches of a baseline have no alarm.
    pub(super) fn learn(reference: f64, stretches: &[Logs]) -> Self {
        // No alarm, whatever comes.
        let unbounded = Self {
            reference,
            lowest: f64::NEG_INFINITY,
            slow: f64::INFINITY,
            fast: f64::INFINITY,
        };
        let (mut slowest, mut fastest) = (LEAST_ONSET, 0.0);
        let mut calm = Vec::new();
        for rows in stretches {
            let mut state = AlarmState::new(unbounded);
            for l in rows {
                let (y, _) = state.push(*l);
                calm.push(y + state.reference);
                slowest = f64::max(slowest, y);
                fastest = f64::max(fastest, l - state.reference);
            }
        }
        Self {
            lowest: quantile(calm, CALM).min(reference),
            slow: slowest,
            fast: fastest.max(slowest + FAST),
            ..unbounded
        }
    }

    /// Number of alarms that begin in healthy stretches.
    pub(super) fn alarms(self, stretches: &[Logs]) -> usize {
        let of = |rows: &Logs| {
            let mut state = AlarmState::new(self);
            let (mut begun, mut was_on) = (0, false);
            for l in rows {
                state.push(*l);
                begun += usize::from(state.is_on && !was_on);
                was_on = state.is_on;
            }
            begun
        };
        stretches.iter().map(of).sum()
    }

    /// The least onset with which no more alarms begin in healthy stretches.
    pub(super) fn with_alarms(self, stretches: &[Logs], most: f64) -> Self {
        let at = |step: u32| {
            let slow = LEAST_ON_REQUEST + ONSET_STEP * f64::from(step);
            Self {
                slow,
                fast: slow + FAST,
                ..self
            }
        };
        let fits = |onset: &Self| onset.alarms(stretches) as f64 <= most;
        (0..MOST_STEPS).map(at).find(fits).unwrap_or(self)
    }

    /// Alarms begin earlier by this factor in the logarithm of F above its reference.
    pub(super) fn more_sensitive(self, factor: f64) -> Self {
        Self {
            slow: self.slow / factor,
            fast: self.fast / factor,
            ..self
        }
    }

    /// Whether all numbers are finite and onsets positive.
    #[cfg(feature = "serde")]
    pub(super) fn is_whole(self) -> bool {
        let within = |x: f64| (1e-3..1e3).contains(&x);
        self.reference.abs() < 1e3
            && self.lowest.abs() < 1e3
            && within(self.slow)
            && within(self.fast)
    }
}

/// The alarm and its reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct AlarmState {
    onset: Onset,
    slow: Slow,
    reference: f64,
    is_on: bool,
    count: u32,
    mean: f64,
    top: f64,
    /// Above this, the machine has changed since an alarm.
    after: Option<f64>,
}

impl AlarmState {
    pub(super) fn new(onset: Onset) -> Self {
        Self {
            onset,
            slow: Slow::default(),
            reference: onset.reference,
            is_on: false,
            count: 0,
            mean: 0.0,
            top: 0.0,
            after: None,
        }
    }

    /// Ends an alarm: what the machine is now is unknown.
    pub(super) fn end(&mut self) {
        (self.is_on, self.count, self.after) = (false, 0, None);
    }

    /// Forgets the rows before.
    pub(super) fn begin_anew(&mut self) {
        self.end();
        self.slow = Slow::default();
    }

    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Takes the logarithm of F where no alarm can begin; returns the slow score above the reference.
    pub(super) fn pass(&mut self, l: f64) -> f64 {
        self.slow.push(l) - self.reference
    }

    /// Takes the logarithm of F; returns the slow score above the reference, and the state.
    pub(super) fn push(&mut self, l: f64) -> (f64, Health) {
        let mut slow = self.slow.push(l);
        if self.is_on {
            self.mean += (l - self.mean) / PLATEAU;
            self.top = self.top.max(self.mean);
            let end = self.reference + OFF.max(KEEP * (self.top - self.reference));
            self.count = if l < end { self.count + 1 } else { 0 };
            if self.count >= RELEASE {
                (self.is_on, self.count) = (false, 0);
                self.after = Some(self.reference + self.onset.slow);
                // What is over is not remembered: it would begin the next alarm.
                slow = self.slow.settle(l);
                if l > self.reference {
                    self.reference += ACCEPTED * (l - self.reference);
                }
            }
        } else {
            let above =
                slow - self.reference > self.onset.slow || l - self.reference > self.onset.fast;
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
                new.max(old.min(self.onset.lowest))
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
