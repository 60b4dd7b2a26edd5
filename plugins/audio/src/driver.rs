//! Microphone driver: samples of a sound card become readings.

use crate::analyzer::Analyzer;
use crate::device::{Device, Failure, Way};
use becomingone_components::sensor::{Measurement as _, Sound};
use becomingone_systems::links::{
    ConfigError, Content, Context, Driver, DriverError, DriverKind, Endpoint, LinkEnd, Observed,
    Sample, SensorEnd, SourceSite, read_config,
};
use cpal::traits::{DeviceTrait as _, StreamTrait as _};
use cpal::{FromSample, SampleFormat, SizedSample};
use serde::Deserialize;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Longest wait for samples before the driver looks again.
const POLL: Duration = Duration::from_millis(5);
/// Samples between callback and driver, as a time (s).
const RING_S: f64 = 0.5;
/// Time without a sample after which a device counts as gone: some vanish without an error.
const SILENT: Duration = Duration::from_secs(2);
/// Shortest time between two readings (s).
const FASTEST_S: f64 = 0.002;

/// Driver kind `audio`, see the crate's documentation.
pub struct AudioKind;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    device: Device,
    channel: u16,
    every_s: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            device: Device::Default,
            channel: 0,
            every_s: 0.02,
        }
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    Sound::FIELDS.iter().map(|field| field.name)
}

impl DriverKind for AudioKind {
    fn name(&self) -> &'static str {
        "audio"
    }

    fn about(&self) -> &'static str {
        "microphones: level, octave bands, strongest tone"
    }

    fn devices(&self) -> Result<Vec<String>, String> {
        Ok(crate::device::devices())
    }

    fn port(&self, config: &str, endpoint: Endpoint<'_>) -> Result<String, ConfigError> {
        let config: Config = read_config(config)?;
        if let Endpoint::Actuator(_) = endpoint {
            let text = "found `audio` as the source of a drive; expected it in a sensor: a speaker takes no commands";
            return Err(ConfigError::Meaning(text.to_owned()));
        }
        if !(FASTEST_S..=10.0).contains(&config.every_s) {
            let found = config.every_s;
            let text = format!("found `every_s: {found}`; expected seconds from {FASTEST_S} to 10");
            return Err(ConfigError::Meaning(text));
        }
        Ok(match config.device {
            Device::Default => "the default microphone".to_owned(),
            Device::Name(name) => format!("microphone {name}"),
        })
    }

    fn check(&self, _: &str, site: &SourceSite) -> Result<(), ConfigError> {
        match site
            .fields
            .iter()
            .find(|field| !names().any(|name| name == *field))
        {
            Some(unknown) => Err(ConfigError::Meaning(format!(
                "found the number `{unknown}`, which sound does not have; expected some of `{}`",
                names().collect::<Vec<_>>().join("`, `")
            ))),
            None => Ok(()),
        }
    }

    fn open(&self, port: &str, ends: Vec<(String, LinkEnd)>) -> Result<Box<dyn Driver>, String> {
        let mut sinks: Vec<Sink> = Vec::new();
        let mut device = Device::Default;
        for (config, end) in ends {
            let config: Config = read_config(&config).map_err(|e| e.to_string())?;
            let LinkEnd::Sensor(end) = end else {
                return Err(format!("found a drive at {port}; expected a sensor"));
            };
            let place = |field: &String| names().position(|name| name == field);
            let places: Option<Vec<usize>> = end.fields().iter().map(place).collect();
            let places = places
                .ok_or_else(|| format!("{}: a number that sound does not have", end.name()))?;
            device = config.device.clone();
            sinks.push(Sink {
                config,
                places,
                end,
            });
        }
        Ok(Box::new(Microphone { device, sinks }))
    }
}

/// A sensor, and the numbers of a sound that it takes.
struct Sink {
    config: Config,
    places: Vec<usize>,
    end: SensorEnd,
}

struct Microphone {
    device: Device,
    sinks: Vec<Sink>,
}

/// Samples that the ring had no place for.
type Lost = Arc<AtomicU64>;

/// Starts a stream whose frames go into a ring; it ends when it is dropped.
fn listen<T>(
    device: &cpal::Device,
    config: cpal::StreamConfig,
    mut ring: rtrb::Producer<f32>,
    lost: Lost,
    failure: Arc<Failure>,
) -> Result<cpal::Stream, cpal::Error>
where
    T: SizedSample,
    f32: FromSample<T>,
{
    device.build_input_stream(
        config,
        // Neither allocates nor locks.
        move |samples: &[T], _: &cpal::InputCallbackInfo| {
            for &sample in samples {
                if ring.push(f32::from_sample_(sample)).is_err() {
                    lost.fetch_add(1, Ordering::Relaxed);
                }
            }
        },
        move |error| failure.set(&error),
        Some(Duration::from_secs(2)),
    )
}

impl Driver for Microphone {
    fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
        let failed = |error: cpal::Error| DriverError(error.to_string());
        let device = self.device.find(Way::In).map_err(DriverError)?;
        let supported = device.default_input_config().map_err(failed)?;
        let config = supported.config();
        let channels = config.channels;
        let last = self.sinks.iter().map(|sink| sink.config.channel).max();
        if last >= Some(channels) {
            return Err(DriverError(format!(
                "found a device of {channels} channels; expected `channel` below that"
            )));
        }
        let rate_hz = f64::from(config.sample_rate);
        let size = (rate_hz * RING_S) as usize * usize::from(channels);
        let (producer, mut ring) = rtrb::RingBuffer::new(size);
        let (lost, failure) = (Lost::default(), Arc::<Failure>::default());
        let listen = match supported.sample_format() {
            SampleFormat::F32 => listen::<f32>,
            SampleFormat::I16 => listen::<i16>,
            SampleFormat::I32 => listen::<i32>,
            SampleFormat::U16 => listen::<u16>,
            SampleFormat::U8 => listen::<u8>,
            other => {
                return Err(DriverError(format!(
                    "found a device with samples as {other}; expected f32, i16, i32, u16 or u8"
                )));
            }
        };
        let stream =
            listen(&device, config, producer, lost.clone(), failure.clone()).map_err(failed)?;
        stream.play().map_err(failed)?;
        let mut ears: Vec<Ear<'_>> = self
            .sinks
            .iter()
            .map(|sink| Ear::new(sink, rate_hz))
            .collect();
        let (mut channel, mut quiet, mut is_up) = (0, Duration::ZERO, false);
        while !context.wait(POLL) {
            if let Some(text) = failure.get() {
                return Err(DriverError(text));
            }
            let now_ns = self.sinks.first().map_or(0, |sink| sink.end.now_ns());
            let mut heard = false;
            while let Ok(sample) = ring.pop() {
                heard = true;
                for ear in &mut ears {
                    ear.take(channel, sample, now_ns);
                }
                channel = (channel + 1) % channels;
            }
            let lost = lost.swap(0, Ordering::Relaxed) / u64::from(channels);
            ears.iter_mut().for_each(|ear| ear.frames += lost);
            if heard && !is_up {
                context.up();
                is_up = true;
            }
            quiet = if heard { Duration::ZERO } else { quiet + POLL };
            if quiet > SILENT {
                return Err(DriverError(format!(
                    "no samples for {} s",
                    SILENT.as_secs()
                )));
            }
        }
        Ok(())
    }
}

/// Analysis for one sensor.
struct Ear<'a> {
    sink: &'a Sink,
    analyzer: Analyzer,
    rate_hz: f64,
    /// Frames so far, lost ones included.
    frames: u64,
    /// Readings so far, lost ones included.
    readings: u64,
}

impl<'a> Ear<'a> {
    fn new(sink: &'a Sink, rate_hz: f64) -> Self {
        Self {
            sink,
            analyzer: Analyzer::new(rate_hz),
            rate_hz,
            frames: 0,
            readings: 0,
        }
    }

    /// Takes a sample of a channel, and gives a reading where one is due.
    fn take(&mut self, channel: u16, sample: f32, now_ns: u64) {
        if channel != self.sink.config.channel {
            return;
        }
        self.analyzer.push(sample);
        self.frames += 1;
        let due = (self.frames as f64 / (self.rate_hz * self.sink.config.every_s)) as u64;
        if due <= self.readings {
            return;
        }
        let Some(sound) = self.analyzer.sound() else {
            self.readings = due;
            return;
        };
        let mut all = Vec::with_capacity(Sound::FIELDS.len());
        sound.visit(&mut |x| all.push(x));
        let end = &self.sink.end;
        if end.is_observed() {
            let named: Vec<(Cow<'static, str>, f64)> = names()
                .map(Cow::Borrowed)
                .zip(all.iter().copied())
                .collect();
            let message = Observed::Message {
                name: "sound",
                select: "",
                content: Content::Named(&named),
            };
            end.observe(now_ns, message);
        }
        end.push(
            now_ns,
            Sample {
                sequence: Some(due),
                session: None,
                stamp_ns: Some((self.frames as f64 / self.rate_hz * 1e9) as u64),
                numbers: self.sink.places.iter().map(|&k| all[k]).collect(),
                bytes: Vec::new(),
            },
        );
        self.readings = due;
    }
}
