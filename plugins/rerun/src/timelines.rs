//! Timelines of a recording, and the time stamps of rows on them.

use re_sdk::log::TimeColumn;

/// Timeline: simulated time since the start of the run.
pub(crate) const SIM_TIME: &str = "sim_time";
/// Timeline: ticks since the start of the run.
pub(crate) const TICK: &str = "tick";

/// Time stamps of rows.
#[derive(Default)]
pub(crate) struct Stamps {
    ns: Vec<i64>,
    ticks: Vec<i64>,
}

impl Stamps {
    pub(crate) fn push(&mut self, ns: u64, tick_ns: u64) {
        self.ns.push(ns as i64);
        self.ticks.push((ns / tick_ns.max(1)) as i64);
    }

    pub(crate) fn take(&mut self) -> [TimeColumn; 2] {
        [
            TimeColumn::new_duration_nanos(SIM_TIME, self.ns.drain(..)),
            TimeColumn::new_sequence(TICK, self.ticks.drain(..)),
        ]
    }
}
