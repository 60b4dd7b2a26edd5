//! Checks of a kernel: windows, channels, self-model, event memory.

use super::Check;
use becomingone_components::coherence::{MAX_CHANNELS, PYRAMID_LAGS};
use becomingone_components::scene::{
    BlendSpec, CoherenceSpec, MasterSpec, Signal, ThresholdSpec, WitnessSpec,
};
use becomingone_kernel::MIN_WARM_UP;
use std::collections::HashSet;

impl Check<'_, '_, '_> {
    fn blend(&mut self, path: &str, blend: &BlendSpec) {
        let BlendSpec {
            half_life_s,
            protection,
            recall,
            forget_below,
            similarity,
        } = *blend;
        if let Some(half_life_s) = half_life_s {
            self.positive(&format!("{path}.half_life_s"), half_life_s);
        }
        for (name, x) in [("protection", protection), ("forget_below", forget_below)] {
            let below = 1.0 - f64::EPSILON;
            self.within(
                &format!("{path}.{name}"),
                x,
                0.0,
                below,
                "a share from 0 to below 1",
            );
        }
        for (name, x) in [("recall", recall), ("similarity", similarity)] {
            self.within(
                &format!("{path}.{name}"),
                x,
                0.0,
                1.0,
                "a share from 0 to 1",
            );
        }
    }

    /// Checks the numbers of a self-model; its channels are checked once the wheels are counted.
    fn witness(&mut self, path: &str, witness: &WitnessSpec, rate_hz: f64) {
        if let Some(warm_up_s) = witness.warm_up_s {
            let at = format!("{path}.warm_up_s");
            self.within(&at, warm_up_s, 0.0, 1e9, "seconds up to 1e9");
            let ticks = warm_up_s * rate_hz;
            if rate_hz > 0.0 && warm_up_s >= 0.0 && ticks < f64::from(MIN_WARM_UP) {
                let expected = format!(
                    "at least {MIN_WARM_UP} kernel ticks to learn from, {} s",
                    f64::from(MIN_WARM_UP) / rate_hz
                );
                self.wrong(
                    &at,
                    format!("{warm_up_s} s, {ticks:.0} kernel ticks"),
                    &expected,
                );
            }
        }
        for (part, spec) in [
            ("lidar", witness.lidar),
            ("innovations_motion", witness.innovations_motion),
            ("innovations_gnss", witness.innovations_gnss),
        ] {
            let numbers = spec.map(|t| [("k1", t.k1), ("k2", t.k2), ("k3", t.k3)]);
            for (name, x) in numbers.into_iter().flatten() {
                self.positive(&format!("{path}.{part}.{name}"), x);
            }
        }
        for (part, threshold) in [("nis", witness.nis), ("level", witness.level)] {
            if let Some(threshold) = threshold {
                self.positive(&format!("{path}.{part}"), threshold);
            }
        }
        if let Some(ThresholdSpec { k1, k2, k3 }) = witness.thresholds {
            for (name, x) in [("k1", k1), ("k2", k2), ("k3", k3)] {
                self.positive(&format!("{path}.thresholds.{name}"), x);
            }
        }
    }

    fn master(&mut self, path: &str, master: MasterSpec, rate_hz: f64) {
        let MasterSpec::Pyramid { from_s, to_s } = master else {
            return;
        };
        let tick_s = 1.0 / rate_hz;
        let longest_s = PYRAMID_LAGS * tick_s;
        let from = format!("a kernel tick, {tick_s} s, to {longest_s} s");
        self.within(&format!("{path}.from_s"), from_s, tick_s, longest_s, &from);
        if !from_s.is_finite() {
            return;
        }
        let to = format!("from_s, {from_s} s, to {longest_s} s");
        self.within(&format!("{path}.to_s"), to_s, from_s, longest_s, &to);
    }

    pub(super) fn coherence(&mut self, path: &str, coherence: &CoherenceSpec, tick_ns: u64) {
        let CoherenceSpec::Kernel {
            rate_hz,
            emissary_window_s,
            master_window_s,
            master,
            channels,
            blend,
            witness,
        } = coherence
        else {
            return;
        };
        self.blend(&format!("{path}.blend"), blend);
        self.witness(&format!("{path}.witness"), witness, *rate_hz);
        self.rate(&format!("{path}.rate_hz"), *rate_hz, tick_ns);
        self.positive(&format!("{path}.emissary_window_s"), *emissary_window_s);
        self.positive(&format!("{path}.master_window_s"), *master_window_s);
        self.master(&format!("{path}.master"), *master, *rate_hz);
        if channels.len() > MAX_CHANNELS {
            let found = format!("{} channels", channels.len());
            let expected = format!("at most {MAX_CHANNELS}");
            self.wrong(&format!("{path}.channels"), found, &expected);
        }
        let mut names = HashSet::new();
        for (k, channel) in channels.iter().enumerate() {
            let at = format!("{path}.channels[{k}]");
            self.unique(&mut names, &format!("{at}.name"), &channel.name);
            match channel.signal {
                Signal::Tone { frequency_hz } => {
                    self.not_negative(&format!("{at}.signal.frequency_hz"), frequency_hz);
                }
                Signal::Chirp {
                    start_hz,
                    rate_hz_s,
                } => {
                    self.not_negative(&format!("{at}.signal.start_hz"), start_hz);
                    self.within(
                        &format!("{at}.signal.rate_hz_s"),
                        rate_hz_s,
                        -1e9,
                        1e9,
                        "hertz a second within 1e9",
                    );
                }
                Signal::Noise {} => {}
            }
        }
    }
}
