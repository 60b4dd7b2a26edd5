//! Feature extraction: numbers of readings become the channels of an agent's self-model and filter.
//!
//! A channel is the mean of a feature over a kernel tick; without a sample it is missing, never held.

use crate::coherence::mark_kernel_ticks;
use crate::threads::{Workers, prefetch};
use crate::tick::{MeasurementSystems, Tick, TickSystems};
use becomingone_components::coherence::{Average, KernelTick};
use becomingone_components::feature::Feature;
use becomingone_components::sensor::{Measurement, Reading, elapsed_s};
use bevy_app::App;
use bevy_ecs::prelude::*;

/// Feature extraction of each kind of measurement. A sensor has one kind, so that their order does not matter.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FeatureSystems;

/// Adds the feature extraction of a kind of measurement.
pub(crate) fn register<T: Measurement>(app: &mut App) {
    app.configure_sets(
        Tick,
        FeatureSystems
            .in_set(TickSystems::Encode)
            .after(mark_kernel_ticks),
    )
    .add_systems(
        Tick,
        extract_features::<T>
            .in_set(FeatureSystems)
            .in_set(MeasurementSystems(T::KIND))
            .ambiguous_with(FeatureSystems),
    );
}

/// Consumer of the channels of a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumer {
    /// The agent's self-model.
    Witness,
    /// The agent's filter.
    Filter,
}

/// A channel of a sensor.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureChannel {
    /// Computation from a reading's numbers.
    pub feature: Feature,
    /// Samples since the last kernel tick.
    pub average: Average,
    /// The last number and its stamp (ns), of a [`Feature::Rate`]; none before the first.
    pub last: Option<(f64, u64)>,
}

/// Sample of a channel between the last two kernel ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeatureSample {
    /// Consumer.
    pub consumer: Consumer,
    /// Channel.
    pub channel: usize,
    /// The mean; none without a sample.
    pub mean: Option<f64>,
}

/// The channels of a sensor; on the sensor.
#[derive(Component, Clone, Debug, PartialEq)]
pub struct FeatureExtractor {
    /// Agent.
    pub agent: Entity,
    /// Channels.
    pub channels: Vec<FeatureChannel>,
    /// The sample of each.
    pub samples: Vec<FeatureSample>,
    /// The numbers of the present reading.
    pub numbers: Vec<f64>,
}

impl FeatureExtractor {
    /// An extractor without channels, for a sensor of this agent.
    pub fn new(agent: Entity) -> Self {
        Self {
            agent,
            channels: Vec::new(),
            samples: Vec::new(),
            numbers: Vec::new(),
        }
    }

    /// Adds a channel for this consumer.
    pub fn push(&mut self, consumer: Consumer, channel: usize, feature: Feature) {
        self.channels.push(FeatureChannel {
            feature,
            average: Average::default(),
            last: None,
        });
        self.samples.push(FeatureSample {
            consumer,
            channel,
            mean: None,
        });
    }

    /// Ends a kernel tick of the agent, `dt_s` after the last (s).
    pub fn end(&mut self, dt_s: f64) {
        for (channel, sample) in self.channels.iter_mut().zip(&mut self.samples) {
            sample.mean = match channel.feature {
                Feature::Count(percent) => {
                    Some(f64::from(channel.average.take_count()) * percent / dt_s)
                }
                _ => channel.average.take(),
            };
        }
    }

    /// Channels and samples of a consumer.
    pub fn samples(&self, consumer: Consumer) -> impl Iterator<Item = (usize, Option<f64>)> {
        let own = self.samples.iter().filter(move |s| s.consumer == consumer);
        own.map(|sample| (sample.channel, sample.mean))
    }

    /// Processes the reading in [`numbers`](Self::numbers).
    pub fn extract(&mut self, source_ns: u64) {
        for channel in &mut self.channels {
            let number = |place: usize| self.numbers.get(place).copied();
            match channel.feature {
                Feature::Value(place) => {
                    // Instruments give NaN where a column has no value.
                    if let Some(x) = number(place).filter(|x| x.is_finite()) {
                        channel.average.add(x);
                    }
                }
                Feature::Count(_) => channel.average.add(1.0),
                Feature::Hits(from, to, range_max) => {
                    let rays = self.numbers.get(from..to).unwrap_or_default();
                    if !rays.is_empty() {
                        let hits = rays.iter().filter(|&&r| r < range_max).count();
                        channel.average.add(100.0 * hits as f64 / rays.len() as f64);
                    }
                }
                Feature::Length(place) => {
                    if let (Some(x), Some(y)) = (number(place), number(place + 1)) {
                        channel.average.add(libm::hypot(x, y));
                    }
                }
                Feature::Along(place, direction) => {
                    let three = self.numbers.get(place..place + 3);
                    let part =
                        |three: &[f64]| three.iter().zip(direction).map(|(x, d)| x * d).sum();
                    if let Some(x) = three.map(part).filter(|x: &f64| x.is_finite()) {
                        channel.average.add(x);
                    }
                }
                Feature::Rate(place) => {
                    let Some(x) = number(place) else { continue };
                    if let Some((last, last_ns)) = channel.last
                        && source_ns > last_ns
                    {
                        let passed_s = elapsed_s(last_ns, source_ns);
                        channel.average.add((x - last) / passed_s);
                    }
                    channel.last = Some((x, source_ns));
                }
            }
        }
    }
}

/// Processes fresh readings. At each kernel tick, their features become samples.
pub fn extract_features<T: Measurement>(
    workers: Res<Workers>,
    ticks: Query<&KernelTick>,
    mut sensors: Query<(&Reading<T>, &mut FeatureExtractor)>,
) {
    let ask = |(_, extractor): &(_, Mut<FeatureExtractor>)| {
        prefetch(&extractor.channels);
        prefetch(&extractor.samples);
    };
    workers.for_each_prefetched(sensors.iter_mut(), ask, |(reading, mut extractor)| {
        let extractor = &mut *extractor;
        for sample in reading.batch() {
            extractor.numbers.clear();
            sample.value.visit(&mut |x| extractor.numbers.push(x));
            extractor.extract(sample.source_ns);
        }
        let tick = ticks.get(extractor.agent).ok();
        if let Some(dt_s) = tick.and_then(|tick| tick.dt_s) {
            extractor.end(dt_s);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_becomes_a_rate_and_a_missing_number_no_sample() {
        let mut extractor = FeatureExtractor::new(World::new().spawn_empty().id());
        for (channel, feature) in [Feature::Rate(0), Feature::Value(1), Feature::Length(2)]
            .into_iter()
            .enumerate()
        {
            extractor.push(Consumer::Witness, channel, feature);
        }
        let mut take = |ms: u64, numbers: &[f64]| {
            extractor.numbers = numbers.to_vec();
            extractor.extract(ms * 1_000_000);
        };
        take(0, &[5.0, f64::NAN, 3.0, 4.0]);
        take(10, &[5.1, 7.0, 3.0, 4.0]);
        take(20, &[5.4, f64::NAN, 3.0, 4.0]);
        extractor.end(0.03);
        let samples: Vec<_> = extractor.samples(Consumer::Witness).collect();
        assert!((samples[0].1.unwrap() - 20.0).abs() < 1e-9);
        assert_eq!(samples[1..], [(1, Some(7.0)), (2, Some(5.0))]);
        assert!(extractor.samples(Consumer::Filter).next().is_none());
        // Without a reading, nothing is held.
        extractor.end(0.03);
        let mut samples = extractor.samples(Consumer::Witness);
        assert!(samples.all(|(_, mean)| mean.is_none()));
    }
}
