//! The localisation filter of an agent: an extended Kalman filter over wheels, IMU and GNSS, at each kernel tick.
//!
//! The motion is modelled on a plane: on a ramp, gravity is taken for an acceleration. Of each kind of sensor, the
//! agent's first is used, if it is mounted on the root link.

use super::filter::Filter;
use crate::diagnosis::config::{IsolationConfig, samples};
use crate::diagnosis::features::{Consumer, FeatureExtractor};
use crate::diagnosis::isolation::FaultIsolation;
use becomingone_components::coherence::KernelTick;
use becomingone_components::drive::Twist2;
use becomingone_components::localisation::{Estimate, GNSS, GROUPS, SENSED, Sensed, WHEELS};
use becomingone_components::scene::SensorSpec;
use becomingone_components::sensor::elapsed_s;
use becomingone_components::time::SimTime;
use bevy_ecs::prelude::*;

/// The localisation filter of an agent, and a bank of filters without one sensor each.
#[derive(Component, Clone, Debug)]
pub struct EkfLocaliser {
    filter: Filter,
    /// Filters without wheels, gyroscope, accelerometer, GNSS, each: see [`isolation`](crate::diagnosis::isolation).
    without: Box<[Filter; GROUPS.len()]>,
    /// Baseline excess of each of these, where the scene's noise differs from the true noise.
    baseline: [f64; GROUPS.len()],
    /// The same of the filter that uses all sensors.
    baseline_of_all: f64,
    /// Kernel ticks of the baseline so far.
    ticks: u32,
    /// Kernel ticks over which the baseline is learned.
    baseline_ticks: u32,
    /// The sensor without which the estimate continues, if any, and its deviation from the others since, in the unit
    /// of [`FaultIsolation::excess_without`].
    takeover: (Option<usize>, f64),
    sensors: Vec<Entity>,
    /// Index on the agent of the sensor that each number comes from; none where there is no such sensor.
    from: [Option<usize>; SENSED],
    /// Factor of the mean of each number: a wheel's radius.
    gains: [f64; SENSED],
    /// Whether the machine skids.
    skids: bool,
    /// Excluded sensors, as [`FaultIsolation::excluded`] has it.
    excluded: u32,
    /// Whether the distances of the left and right wheels are counted.
    counted: [bool; 2],
}

impl EkfLocaliser {
    /// A localiser with this filter. `from` and `gains` are of each of its numbers.
    pub(super) fn new(
        filter: Filter,
        sensors: Vec<Entity>,
        from: [Option<usize>; SENSED],
        gains: [f64; SENSED],
        config: &IsolationConfig,
        rate_hz: f64,
    ) -> Self {
        Self {
            without: Box::new(std::array::from_fn(|_| filter.clone())),
            filter,
            baseline: [0.0; GROUPS.len()],
            baseline_of_all: 0.0,
            ticks: 0,
            baseline_ticks: samples(config.baseline_s, rate_hz, 1),
            takeover: (None, config.takeover),
            sensors,
            from,
            gains,
            skids: false,
            excluded: 0,
            counted: [false; 2],
        }
    }

    /// Index on the agent of the sensor that a number comes from.
    pub fn sensor_of(&self, sensed: usize) -> Option<usize> {
        self.from.get(sensed).copied().flatten()
    }

    /// Whether it uses a sensor, by the index on its agent.
    pub fn uses(&self, sensor: usize) -> bool {
        self.from.contains(&Some(sensor))
    }

    /// Names of its numbers, after the sensors that they come from: `imu/gyro_z`.
    pub fn names(&self, sensors: &[SensorSpec]) -> Vec<String> {
        let parts = [
            "left",
            "right",
            "gyro_z",
            "accelerometer_x",
            "accelerometer_y",
            "east",
            "north",
            "velocity_east",
            "velocity_north",
        ];
        let named = |(from, part): (&Option<usize>, &str)| {
            let sensor = from.and_then(|k| sensors.get(k));
            sensor.map_or_else(String::new, |s| format!("{}/{part}", s.name))
        };
        self.from.iter().zip(parts).map(named).collect()
    }

    /// Excludes sensors from now on: all filters continue from the most consistent one without them, as the others
    /// may be off. Not so with GNSS: without it, the position is lost after a while.
    fn exclude(&mut self, isolation: &mut FaultIsolation) {
        let from = &self.from;
        let masked = |&k: &usize| from[k].is_some_and(|s| isolation.excluded >> s & 1 == 1);
        let excess = |group: &usize| isolation.excess_without[*group];
        let equal = isolation.config.equal;
        let best = (0..GNSS)
            .filter(|&group| masked(&GROUPS[group].0))
            .filter(|group| excess(group) + equal < isolation.excess_with_all)
            .min_by(|a, b| excess(a).total_cmp(&excess(b)));
        let numbers = (0..SENSED).filter(masked).fold(0, |all, k| all | 1 << k);
        if let Some(group) = best {
            self.filter.clone_from(&self.without[group]);
        }
        self.without.fill(self.filter.clone());
        isolation.restart(numbers);
        self.excluded = isolation.excluded;
    }

    /// Samples of the filter's numbers at this kernel tick.
    fn collect(&self, sensors: &Query<&FeatureExtractor>, now_ns: u64) -> [Option<f64>; SENSED] {
        let mut sums = [(0.0, 0u32); SENSED];
        for extractor in sensors.iter_many(&self.sensors).flatten() {
            let own = extractor.channels.iter().zip(&extractor.samples);
            for (channel, sample) in own.filter(|(_, s)| s.consumer == Consumer::Filter) {
                if let Some(mean) = sample.mean {
                    let (sum, count) = &mut sums[sample.channel];
                    *sum += match channel.last {
                        // Extrapolated to the present.
                        Some((angle, at_ns)) if self.filter.counts_distance() => {
                            angle + mean * elapsed_s(at_ns, now_ns)
                        }
                        _ => mean,
                    };
                    *count += 1;
                }
            }
        }
        std::array::from_fn(|k| {
            let (sum, count) = sums[k];
            (count > 0).then(|| sum / f64::from(count) * self.gains[k])
        })
    }

    /// Starts the distance count of a side's wheels at its first sample, which may come long after the start.
    fn begin_count(&mut self, rolled_m: [Option<f64>; 2]) {
        for (side, rolled_m) in rolled_m.into_iter().enumerate() {
            if let Some(rolled_m) = rolled_m.filter(|_| !self.counted[side]) {
                self.counted[side] = true;
                self.filter.count_from_here(side, rolled_m);
                for without in self.without.iter_mut() {
                    without.count_from_here(side, rolled_m);
                }
            }
        }
    }

    /// Processes the samples of a kernel tick, `dt_s` after the last (s).
    fn update(
        &mut self,
        samples: [Option<f64>; SENSED],
        isolation: &mut FaultIsolation,
        dt_s: f64,
    ) {
        let counts = self.filter.counts_distance();
        let rolled_m = [0, 1].map(|side: usize| samples[side].filter(|_| counts));
        self.begin_count(rolled_m);
        if self.excluded != isolation.excluded {
            self.exclude(isolation);
        }
        let mut sensed = samples;
        for (k, sensed) in sensed.iter_mut().enumerate() {
            *sensed = sensed.filter(|_| isolation.masked >> k & 1 == 0);
        }
        isolation.unplaced_ticks = match sensed[Sensed::East as usize] {
            Some(_) => 0,
            None => isolation.unplaced_ticks.saturating_add(1),
        };
        let (gain, cap) = (isolation.gain, isolation.config.square_cap);
        self.ticks = self.ticks.saturating_add(1);
        // While a fault could be the cause, the baseline is not learned.
        let settling = match isolation.at_fault() {
            Some(_) if self.ticks > self.baseline_ticks => 0.0,
            _ => 1.0 / f64::from(self.ticks.min(self.baseline_ticks)),
        };
        // The estimate continues from the filter that never used the faulty sensor, and from there on that sensor is
        // compared with it.
        let takeover = isolation.takeover();
        if self.takeover.0 != takeover {
            self.takeover = (takeover, isolation.config.takeover);
        }
        if let Some(group) = takeover {
            self.filter.clone_from(&self.without[group]);
        }
        self.skids = isolation.is_skid(self.skids);
        self.filter.predict(dt_s);
        if self.skids {
            self.filter.skid(dt_s);
        }
        match self.filter.update(&sensed, dt_s) {
            Some(innovation) => {
                (isolation.white, isolation.nis) = (innovation.white, innovation.nis);
                let all = innovation.excess(cap);
                let contradicts = &mut self.takeover.1;
                *contradicts += gain * (all - *contradicts);
                let more = all - self.baseline_of_all;
                self.baseline_of_all += settling * more;
                isolation.excess_with_all += gain * (more - isolation.excess_with_all);
                isolation.update();
            }
            None => (isolation.white, isolation.nis) = ([None; SENSED], 0.0),
        }
        for (k, (without, (first, last))) in self.without.iter_mut().zip(GROUPS).enumerate() {
            let mut others = sensed;
            others[first..=last].fill(None);
            without.predict(dt_s);
            if self.skids {
                without.skid(dt_s);
            }
            if let Some(innovation) = without.update(&others, dt_s) {
                let baseline = &mut self.baseline[k];
                let more = innovation.excess(cap) - *baseline;
                *baseline += settling * more;
                let mean = &mut isolation.excess_without[k];
                *mean += gain * (more - *mean);
            }
        }
        // The filter without wheels counts from the last tick on: an encoder that has lost some of its distance for good
        // agrees again as soon as it counts.
        for (side, rolled_m) in rolled_m.into_iter().enumerate() {
            if let Some(rolled_m) = rolled_m {
                self.without[WHEELS].count_from_here(side, rolled_m);
            }
        }
        // The sensor has agreed with the others for a while: so do all filters.
        let agrees = self.takeover.1 < isolation.config.equal;
        if takeover.is_some() && isolation.excluded == 0 && agrees {
            self.without.fill(self.filter.clone());
            isolation.excess_without = [0.0; GROUPS.len()];
        }
        isolation.totals[0] += isolation.nis;
        isolation.totals[1] += isolation.white.iter().flatten().count() as f64;
    }

    /// Current estimate.
    fn estimate(&self, stamp_ns: u64) -> Estimate {
        let filter = &self.filter;
        let [x_m, y_m] = filter.position_m();
        let (linear_m_s, angular_rad_s) = filter.motion();
        Estimate {
            x_m,
            y_m,
            yaw_rad: filter.yaw_rad(),
            twist: Twist2 {
                linear_m_s,
                angular_rad_s,
            },
            position_sd_m: filter.position_sd_m(),
            yaw_sd_rad: filter.yaw_sd_rad(),
            gyro_bias_rad_s: filter.gyro_bias_rad_s(),
            wheel_scale: filter.wheel_scale(),
            stamp_ns,
        }
    }
}

/// At each kernel tick, updates the filters by the samples since the last.
pub fn update_filters(
    time: Res<SimTime>,
    mut agents: Query<(
        &KernelTick,
        &mut EkfLocaliser,
        &mut Estimate,
        &mut FaultIsolation,
    )>,
    sensors: Query<&FeatureExtractor>,
) {
    for (tick, mut localiser, mut estimate, mut isolation) in &mut agents {
        let Some(dt_s) = tick.dt_s else {
            continue;
        };
        let samples = localiser.collect(&sensors, time.now_ns);
        localiser.update(samples, &mut isolation, dt_s);
        *estimate = localiser.estimate(time.now_ns);
    }
}
