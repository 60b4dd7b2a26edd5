//! Progress of a run.

use crate::terminal;
use becomingone::CoherenceEngine;
use becomingone_components::control::Goals;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// A progress line: overwritten every second on a terminal, else printed every ten seconds.
pub(crate) struct Progress {
    overwrites: bool,
    last: Instant,
    ticks: u64,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            overwrites: std::io::stderr().is_terminal(),
            last: Instant::now(),
            ticks: 0,
        }
    }

    pub(crate) fn update(&mut self, engine: &CoherenceEngine) {
        // The wall clock is read once in 256 ticks.
        self.ticks += 1;
        if self.ticks % 256 != 1 {
            return;
        }
        let every = Duration::from_secs(if self.overwrites { 1 } else { 10 });
        if self.last.elapsed() < every {
            return;
        }
        self.last = Instant::now();
        let world = engine.world();
        let [reached, given_up] = world.try_query::<&Goals>().map_or([0; 2], |mut goals| {
            goals.iter(world).fold([0; 2], |[reached, given_up], g| {
                [reached + g.reached, given_up + g.given_up]
            })
        });
        let mut line = format!(
            "{:9.1} s simulated, {reached} goals reached",
            engine.time().now_s()
        );
        if given_up > 0 {
            line += &format!(", {given_up} given up");
        }
        if self.overwrites {
            terminal::overwrite_line(&line);
        } else {
            print_err!("{line}");
        }
    }

    pub(crate) fn end(self) {
        terminal::clear();
    }
}
