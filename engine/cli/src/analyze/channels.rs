//! State of each channel: last value, stuck-at, unjudged values.

use super::baseline::TrainingValues;
use becomingone_kernel::{Detector, Expected};
use becomingone_replay::Row;

/// What a channel is, and what it should be.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measured {
    pub(super) value: Option<f64>,
    pub(super) expected: Option<Expected>,
}

/// State of all channels.
pub(super) struct ChannelStates {
    pub(super) channels: Vec<ChannelState>,
    pub(super) trained: bool,
    /// Ticks of the detector, and those of the current baseline.
    ticks: u64,
    learned: u32,
}

#[derive(Clone, Default)]
pub(super) struct ChannelState {
    /// Its values in the baseline.
    pub(super) learned: TrainingValues,
    /// The last value, and its row.
    pub(super) last_value: Option<(f64, u64)>,
    /// The row since which it has this value.
    pub(super) since: u64,
    /// Whether it ever changed.
    pub(super) moved: bool,
    /// Values after the baseline, and how many of them are not judged.
    pub(super) values: u64,
    pub(super) unjudged: u64,
}

impl ChannelStates {
    pub(super) fn new(channels: usize) -> Self {
        Self {
            channels: vec![ChannelState::default(); channels],
            trained: false,
            ticks: 0,
            learned: 0,
        }
    }

    /// Records a tick that was pushed to the detector and ended with this row.
    pub(super) fn record_tick<const N: usize>(
        &mut self,
        detector: &Detector<N>,
        values: &[Option<f64>],
        row: u64,
    ) {
        let ticks = std::mem::replace(&mut self.ticks, detector.counters().rows);
        if ticks == self.ticks {
            // The detector skipped it.
            return;
        }
        if detector.finding().is_none() {
            self.learned += 1;
            for (channel, value) in self.channels.iter_mut().zip(values) {
                if let Some(x) = value {
                    channel.learned.take(*x, row);
                }
            }
            let is_over = detector
                .warm_up()
                .is_some_and(|rows| self.learned as usize >= rows);
            if is_over && !detector.is_trained() {
                // Training failed: the next ticks are the baseline.
                self.learned = 0;
                for channel in &mut self.channels {
                    channel.learned = TrainingValues::default();
                }
            }
            return;
        }
        for (n, channel) in self.channels.iter_mut().enumerate() {
            if values.get(n).is_some_and(Option::is_some) {
                channel.values += 1;
                channel.unjudged += u64::from(!detector.judges(n));
            }
        }
    }

    /// The last value of a channel, with what it should be.
    pub(super) fn measured(&self, channel: usize, expected: Option<Expected>) -> Measured {
        Measured {
            value: self.channels[channel].last_value.map(|(x, _)| x),
            expected,
        }
    }

    pub(super) fn record_row(&mut self, row: &Row, trained: bool) {
        self.trained = trained;
        for (channel, x) in self.channels.iter_mut().zip(&row.values) {
            let Some(x) = *x else { continue };
            match &mut channel.last_value {
                Some((last, seen)) if *last == x => *seen = row.number,
                last => {
                    channel.moved = last.is_some();
                    *last = Some((x, row.number));
                    channel.since = row.number;
                }
            }
        }
    }
}
