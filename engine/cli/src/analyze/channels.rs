//! State of each channel: last value, stuck-at, unjudged values.

use becomingone_kernel::Detector;
use becomingone_replay::Row;

/// State of all channels.
pub(super) struct ChannelStates {
    pub(super) channels: Vec<ChannelState>,
    pub(super) trained: bool,
    /// Ticks of the detector.
    ticks: u64,
    /// Row of each tick of the current baseline.
    rows: Vec<u64>,
    /// Files of the baseline, and the ticks at which each begins.
    files: Vec<(usize, String)>,
}

#[derive(Clone, Default)]
pub(super) struct ChannelState {
    /// Number of its values in the baseline.
    pub(super) learned: u32,
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
            rows: Vec::new(),
            files: Vec::new(),
        }
    }

    /// The next ticks of the baseline are those of a file.
    pub(super) fn begin_file(&mut self, name: String) {
        self.files.push((self.rows.len(), name));
    }

    /// Row of a tick of the baseline, and its file, if that is another one.
    pub(super) fn place(&self, tick: usize) -> String {
        let row = self.rows.get(tick).copied().unwrap_or(tick as u64);
        match self.files.iter().rev().find(|(start, _)| *start <= tick) {
            Some((_, file)) => format!("row {row} of {file}"),
            None => format!("row {row} of the baseline"),
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
            self.rows.push(row);
            for (channel, value) in self.channels.iter_mut().zip(values) {
                channel.learned += u32::from(value.is_some());
            }
            let is_over = detector
                .warm_up()
                .is_some_and(|rows| self.rows.len() >= rows);
            if is_over && !detector.is_trained() {
                // Training failed: the next ticks are the baseline.
                self.rows.clear();
                for channel in &mut self.channels {
                    channel.learned = 0;
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
