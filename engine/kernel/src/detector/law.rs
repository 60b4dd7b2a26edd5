//! [`Law`]: what is learned from rows of a baseline.

use super::square::{Square, product};
use alloc::vec;
use alloc::vec::Vec;

/// Windows in rows: activity, shift.
const ACTIVITY: f64 = 10.0;
pub(super) const SHIFT: f64 = 20.0;
/// Most deviations of a scaled value, an activity, an innovation.
pub(super) const CLIP: f64 = 30.0;
/// A channel that was constant and is not where it was, in place of deviations.
const CHANGED: f64 = 10.0;
/// Rows of the short mean.
pub(super) const MEAN_OF: usize = 5;

/// Share of a new value in an exponential mean over so many rows.
pub(super) fn gain(rows: f64) -> f64 {
    1.0 - libm::exp(-1.0 / rows)
}

/// Laws of a healthy machine: scales, predictor, whitenings.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Law {
    /// Numbers of channels and of inputs.
    pub(super) n: usize,
    pub(super) m: usize,
    /// Of channels, then of inputs.
    pub(super) mean: Vec<f64>,
    pub(super) sd: Vec<f64>,
    pub(super) moving: Vec<bool>,
    /// Coefficients of each channel's level on the inputs; 0 where inputs do not explain it out of sample.
    pub(super) on_inputs: Vec<f64>,
    pub(super) of_level: Square,
    /// Coefficients of each channel's level on those of the others.
    pub(super) on_others: Square,
    pub(super) activity_mean: Vec<f64>,
    pub(super) activity_sd: Vec<f64>,
    pub(super) of_activity: Square,
    /// Bounds of levels and inputs as regressors.
    pub(super) lowest: Vec<f64>,
    pub(super) highest: Vec<f64>,
    /// Coefficients of each channel's increment on the [regressors](Self::regressors) less their means. Those on others are 0
    /// where a channel is predicted from itself, those on inputs where they do not help.
    pub(super) predictor: Vec<f64>,
    pub(super) alone: Vec<bool>,
    pub(super) regressor_mean: Vec<f64>,
    pub(super) increment_mean: Vec<f64>,
    pub(super) innovation_sd: Vec<f64>,
    pub(super) of_innovation: Square,
    pub(super) shift_sd: Vec<f64>,
    pub(super) of_shift: Square,
}

impl Law {
    pub(super) fn new(n: usize, m: usize) -> Self {
        Self {
            n,
            m,
            mean: vec![0.0; n + m],
            sd: vec![1.0; n + m],
            moving: vec![true; n + m],
            on_inputs: vec![0.0; n * m],
            of_level: Square::zero(n),
            on_others: Square::zero(n),
            activity_mean: vec![0.0; n],
            activity_sd: vec![1.0; n],
            of_activity: Square::zero(n),
            lowest: vec![0.0; n + m],
            highest: vec![0.0; n + m],
            predictor: vec![0.0; n * 2 * (n + m)],
            alone: vec![true; n],
            regressor_mean: vec![0.0; 2 * (n + m)],
            increment_mean: vec![0.0; n],
            innovation_sd: vec![1.0; n],
            of_innovation: Square::zero(n),
            shift_sd: vec![1.0; n],
            of_shift: Square::zero(n),
        }
    }

    /// Number of regressors: the last levels of all channels, these less their means over five rows, the inputs of the row,
    /// and these less their means.
    pub(super) fn regressors(&self) -> usize {
        2 * (self.n + self.m)
    }

    /// A value of a channel, or of an input after the channels, in deviations.
    pub(super) fn scale(&self, channel: usize, x: f64) -> f64 {
        let (mean, off) = (self.mean[channel], x - self.mean[channel]);
        if self.moving[channel] {
            (off / self.sd[channel]).clamp(-CLIP, CLIP)
        } else if off.abs() > 1e-9 * mean.abs() {
            CHANGED.copysign(off)
        } else {
            0.0
        }
    }

    /// Levels less what the inputs explain of them; `z` has channels, then inputs.
    pub(super) fn levels(&self, z: &[f64], to: &mut [f64]) {
        let (levels, inputs) = z.split_at(self.n);
        to.copy_from_slice(levels);
        for (j, to) in to.iter_mut().enumerate() {
            *to -= self.by_inputs(j, inputs);
        }
    }

    fn by_inputs(&self, channel: usize, inputs: &[f64]) -> f64 {
        let of = &self.on_inputs[channel * self.m..(channel + 1) * self.m];
        let held = inputs.iter().enumerate().map(|(i, v)| {
            let i = self.n + i;
            v.max(self.lowest[i]).min(self.highest[i])
        });
        of.iter().zip(held).map(|(b, v)| b * v).sum()
    }

    /// What a channel should be beside the inputs and the levels of the others, in deviations.
    pub(super) fn expected(&self, channel: usize, levels: &[f64], inputs: &[f64]) -> f64 {
        let of_others = self.on_others[channel].iter().zip(levels).enumerate();
        let beside: f64 = of_others
            .map(|(i, (b, z))| b * z.max(self.lowest[i]).min(self.highest[i]))
            .sum();
        beside + self.by_inputs(channel, inputs)
    }

    /// Innovations of a row, in deviations of its channels: the errors of the predictions. `regressors` loses its means. The
    /// levels of others are clamped, a channel's own is not.
    pub(super) fn innovations(&self, regressors: &mut [f64], z: &[f64], to: &mut [f64]) {
        let (n, m) = (self.n, self.m);
        let wide = self.regressors();
        to.copy_from_slice(&regressors[..n]);
        for (i, x) in regressors.iter_mut().enumerate() {
            let bounded = match i {
                _ if i < n => Some(i),
                _ if (2 * n..2 * n + m).contains(&i) => Some(i - n),
                _ => None,
            };
            if let Some(i) = bounded {
                *x = x.max(self.lowest[i]).min(self.highest[i]);
            }
            *x -= self.regressor_mean[i];
        }
        for j in 0..n {
            let b = &self.predictor[wide * j..wide * (j + 1)];
            let last = to[j];
            let own = last - self.regressor_mean[j];
            let mut predicted = self.increment_mean[j] + b[j] * (own - regressors[j]);
            if self.alone[j] {
                predicted += b[j] * regressors[j] + b[n + j] * regressors[n + j];
                predicted += product(&b[2 * n..], &regressors[2 * n..]);
            } else {
                predicted += product(b, regressors);
            }
            to[j] = z[j] - last - predicted;
        }
    }

    /// An activity in deviations from the usual one.
    pub(super) fn activity(&self, channel: usize, activity: f64) -> f64 {
        let off = activity - self.activity_mean[channel];
        (off / self.activity_sd[channel]).clamp(-CLIP, CLIP)
    }

    /// Whether all lengths fit and all numbers are finite.
    #[cfg(feature = "serde")]
    pub(super) fn is_whole(&self) -> bool {
        let (n, m) = (self.n, self.m);
        let squares = [
            &self.of_level,
            &self.on_others,
            &self.of_activity,
            &self.of_innovation,
            &self.of_shift,
        ];
        let vectors = [
            (&self.mean, n + m),
            (&self.sd, n + m),
            (&self.on_inputs, n * m),
            (&self.activity_mean, n),
            (&self.activity_sd, n),
            (&self.lowest, n + m),
            (&self.highest, n + m),
            (&self.predictor, n * 2 * (n + m)),
            (&self.regressor_mean, 2 * (n + m)),
            (&self.increment_mean, n),
            (&self.innovation_sd, n),
            (&self.shift_sd, n),
        ];
        let deviations = [
            &self.sd,
            &self.activity_sd,
            &self.innovation_sd,
            &self.shift_sd,
        ];
        n > 0
            && squares.iter().all(|square| square.is_whole(n))
            && vectors
                .iter()
                .all(|(v, len)| v.len() == *len && v.iter().all(|x| x.is_finite()))
            && deviations.iter().all(|sds| sds.iter().all(|sd| *sd > 0.0))
            && self.moving.len() == n + m
            && self.alone.len() == n
    }
}

/// Exponential means of a channel and of its square over 10 rows or so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Activity {
    mean: f64,
    square: f64,
    gain: f64,
}

impl Activity {
    /// At rest at a level, as active as usual.
    pub(super) fn new(z: f64, usual: f64) -> Self {
        Self {
            mean: z,
            square: z * z + usual * usual,
            gain: gain(ACTIVITY),
        }
    }

    /// The deviation over its last rows.
    pub(super) fn push(&mut self, z: f64) -> f64 {
        self.mean += self.gain * (z - self.mean);
        self.square += self.gain * (z * z - self.square);
        libm::sqrt((self.square - self.mean * self.mean).max(0.0))
    }
}
