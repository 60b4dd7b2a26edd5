//! [`Stream`]: the four statistics, row by row.

use super::law::{Activity, CLIP, Law, MEAN_OF, SHIFT, gain};
use alloc::vec;
use alloc::vec::Vec;

/// Windows in rows of the means of level, activity, innovation, shift.
const WINDOWS: [f64; 4] = [10.0, 40.0, 10.0, 10.0];
/// Most that one channel adds at a row.
const CAPS: [f64; 4] = [25.0, 25.0, 25.0, 1e4];
/// Most deviations of a value in place of one that is missing.
const EXPECTED: f64 = 5.0;
/// Rows for which a missing value holds the last one, whatever the baseline has; after a longer absence, a channel begins
/// anew, and is known after as many rows.
const HELD: u32 = MEAN_OF as u32;

/// State of the statistics. Rows of four go by level, activity, innovation, shift.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    /// Each channel's part of each statistic, about 1 while healthy.
    parts: [Vec<f64>; 4],
    gains: [f64; 4],
    /// Exponential mean of the innovations.
    shift: Vec<f64>,
    shift_gain: f64,
    /// The last scaled rows, the newest first: channels, then inputs.
    ring: [Vec<f64>; MEAN_OF],
    moved: Vec<Activity>,
    /// The activity in deviations.
    activity: Vec<f64>,
    /// The last innovations, in deviations.
    innovation: Vec<f64>,
    /// Rows for which each channel has been missing, and for which it is excluded.
    age: Vec<u32>,
    refill: Vec<u32>,
    /// Whether it is back in this row.
    is_back: Vec<bool>,
    /// Whitened values of one statistic, and the whitened innovations.
    white: Vec<f64>,
    pub(super) innovations: Vec<f64>,
    z: Vec<f64>,
    regressors: Vec<f64>,
    /// Levels less what the inputs explain.
    level: Vec<f64>,
    scaled: Vec<f64>,
    begun: bool,
}

impl Stream {
    /// A healthy machine at rest, as active as usual.
    pub(super) fn new(n: usize, m: usize) -> Self {
        let zero = || vec![0.0; n];
        Self {
            parts: core::array::from_fn(|_| vec![1.0; n]),
            gains: WINDOWS.map(gain),
            shift: zero(),
            shift_gain: gain(SHIFT),
            ring: core::array::from_fn(|_| vec![0.0; n + m]),
            moved: vec![Activity::new(0.0, 0.0); n],
            activity: zero(),
            innovation: zero(),
            age: vec![0; n],
            refill: vec![0; n],
            is_back: vec![false; n],
            white: zero(),
            innovations: zero(),
            z: vec![0.0; n + m],
            regressors: vec![0.0; 2 * (n + m)],
            level: zero(),
            scaled: zero(),
            begun: false,
        }
    }

    /// Begins again at the next row: after a gap.
    pub(super) fn restart(&mut self) {
        self.begun = false;
    }

    /// Begins again at the next row, as healthy and as active as usual.
    pub(super) fn begin_anew(&mut self) {
        for parts in &mut self.parts {
            parts.fill(1.0);
        }
        self.activity.fill(0.0);
        self.restart();
    }

    /// Takes a row of channels and inputs; a missing value holds the last one. Where that is for more rows than `longest` says
    /// of its channel, the channel is not judged until it is back, and its first innovation, of several steps, is none.
    pub(super) fn push(&mut self, law: &Law, row: &[Option<f64>], longest: &[u32]) -> [f64; 4] {
        let n = law.n;
        for j in 0..n {
            let held = if self.begun { self.ring[0][j] } else { 0.0 };
            let came = row.get(j).copied().flatten();
            self.z[j] = came.map_or(held, |x| law.scale(j, x));
            let was_long = self.age[j] > longest[j].max(HELD);
            self.is_back[j] = came.is_some() && self.age[j] > longest[j];
            self.age[j] = if came.is_some() {
                0
            } else {
                self.age[j].saturating_add(1)
            };
            self.refill[j] = self.refill[j].saturating_sub(1);
            if came.is_some() && (was_long || !self.begun) {
                // At rest where it is now.
                let z = self.z[j];
                for past in &mut self.ring {
                    past[j] = z;
                }
                self.moved[j] = Activity::new(z, law.activity_mean[j]);
                self.refill[j] = if self.begun { HELD } else { 0 };
            } else if !self.begun {
                for past in &mut self.ring {
                    past[j] = 0.0;
                }
                self.moved[j] = Activity::new(0.0, law.activity_mean[j]);
            }
        }
        for i in n..n + law.m {
            let held = if self.begun { self.ring[0][i] } else { 0.0 };
            let came = row.get(i).copied().flatten();
            self.z[i] = came.map_or(held, |x| law.scale(i, x));
            if !self.begun {
                for past in &mut self.ring {
                    past[i] = self.z[i];
                }
            }
        }
        if !self.begun {
            self.shift.fill(0.0);
        }
        self.begun = true;
        self.fill_regressors(law);
        law.innovations(&mut self.regressors, &self.z, &mut self.innovation);
        law.levels(&self.z, &mut self.level);
        let a = self.shift_gain;
        for j in 0..n {
            if self.age[j] > longest[j].max(HELD) {
                // After a longer absence than any in the baseline, others are not predicted from the last value, but from
                // what it should be beside them.
                let expected = law.expected(j, &self.level, &self.z[n..]);
                self.z[j] = expected.clamp(-EXPECTED, EXPECTED);
            }
            let r = (self.innovation[j] / law.innovation_sd[j]).clamp(-CLIP, CLIP);
            let is_none = self.is_excluded(j, longest) || self.is_back[j];
            self.innovation[j] = if is_none { 0.0 } else { r };
            if !self.is_excluded(j, longest) {
                self.activity[j] = law.activity(j, self.moved[j].push(self.z[j]));
            }
            self.shift[j] += a * (self.innovation[j] - self.shift[j]);
        }
        self.ring.rotate_right(1);
        self.ring[0].copy_from_slice(&self.z);
        law.levels(&self.z, &mut self.level);
        for (s, cap) in CAPS.into_iter().enumerate() {
            let a = self.gains[s];
            let (whitening, values) = match s {
                0 => (&law.of_level, &self.level),
                1 => (&law.of_activity, &self.activity),
                2 => (&law.of_innovation, &self.innovation),
                _ => {
                    for j in 0..n {
                        self.scaled[j] = self.shift[j] / law.shift_sd[j];
                    }
                    (&law.of_shift, &self.scaled)
                }
            };
            whitening.apply(values, &mut self.white);
            if s == 2 {
                self.innovations.copy_from_slice(&self.white);
            }
            for j in 0..n {
                // Level and activity are those of the row, whatever was missing before it.
                let is_none = self.is_excluded(j, longest) || s >= 2 && self.is_back[j];
                if !is_none {
                    let u = self.white[j];
                    let part = &mut self.parts[s][j];
                    *part += a * ((u * u).min(cap) - *part);
                }
            }
        }
        self.statistics()
    }

    /// Last levels, these less their means over five rows, the inputs, and these less their means.
    fn fill_regressors(&mut self, law: &Law) {
        let (n, m) = (law.n, law.m);
        for j in 0..n {
            let sum: f64 = self.ring.iter().map(|past| past[j]).sum();
            let last = self.ring[0][j];
            self.regressors[j] = last;
            self.regressors[n + j] = last - sum / MEAN_OF as f64;
        }
        for i in 0..m {
            let now = self.z[n + i];
            let before = self.ring[..MEAN_OF - 1].iter().map(|past| past[n + i]);
            let mean = (now + before.sum::<f64>()) / MEAN_OF as f64;
            self.regressors[2 * n + i] = now;
            self.regressors[2 * n + m + i] = now - mean;
        }
    }

    /// What a channel should be beside the others in the last row, in deviations.
    pub(super) fn expected(&self, law: &Law, channel: usize) -> f64 {
        law.expected(channel, &self.level, &self.z[law.n..])
    }

    /// Whether a channel is not judged: missing for long, or just back.
    pub(super) fn is_excluded(&self, channel: usize, longest: &[u32]) -> bool {
        self.refill[channel] > 0 || self.age[channel] > longest[channel]
    }

    /// Means over the channels.
    pub(super) fn statistics(&self) -> [f64; 4] {
        let n = self.shift.len().max(1) as f64;
        core::array::from_fn(|s| self.parts[s].iter().sum::<f64>() / n)
    }

    /// A channel's part of the sum of the statistics over their thresholds.
    pub(super) fn part(&self, channel: usize, thresholds: &[f64; 4]) -> f64 {
        let parts = self.parts.iter().zip(thresholds);
        parts.map(|(part, q)| part[channel] / q).sum()
    }
}
