//! Channels of an agent's witness (self-model): which numbers of its sensors it predicts, from which commands.
//!
//! Outputs are predicted and may be named as faulty: numbers of readings, as `imu/gyro_z`. Of a counter (an encoder) it is
//! the rate. Inputs help to predict and are never named: the commands of the agent's drive. Both are averaged over a
//! kernel tick, or missing, never held.
//!
//! Unless the scene chooses, the channels are
//!
//! | of | as |
//! |---|---|
//! | encoders | the speed of each wheel or joint: `encoders/0` |
//! | IMU | all six: `imu/gyro_x` .. `imu/accelerometer_z` |
//! | encoders, IMU | the number of readings, in percent of the rate: `imu/count` |
//! | lidar | the number of rays of each half that hit something, in percent: `lidar/hits_0`, `lidar/hits_1`; by a self-model of their own |
//! | GNSS | the speed over ground: `gnss/speed`. Position and north are not predictable from samples |
//! | drive, vehicle | speed, yaw rate or steering angle, and their product, which both give in a curve; of a vehicle also the force of engine less brakes |
//! | servos | the target of each |
//!
//! Lidar visibility depends on the agent's position, which is no evidence of a fault of its other sensors: it is
//! predicted from earlier scans, at the lidars' own rate, apart from all others. A blocked lidar is isolated itself,
//! and not a sensor that it misled.
//!
//! Each distance of a lidar, those of range sensors, fields of magnetometers and contacts depend on the surroundings:
//! they are used only where the scene names them.

use crate::coherence::MAX_CHANNELS;
use crate::feature::Feature;
use crate::scene::{SensorSpec, WitnessSpec};
use crate::sensor::SensorContext;
use crate::world::WorldSpec;

/// Maximum commands of one agent's self-model.
pub const MAX_INPUTS: usize = 12;
/// Minimum kernel ticks of the warm-up, unless the scene sets it: the regression needs that many samples at any rate.
pub const WARM_UP_TICKS: u32 = 400;
/// Shortest warm-up (s), unless the scene sets it.
pub const WARM_UP_S: f64 = 8.0;

/// Kernel ticks of a self-model's warm-up.
pub fn warm_up_ticks(spec: &WitnessSpec, rate_hz: f64) -> u32 {
    let ticks = |s: f64| (s * rate_hz).ceil().min(f64::from(u32::MAX)) as u32;
    match spec.warm_up_s {
        Some(warm_up_s) => ticks(warm_up_s),
        None => ticks(WARM_UP_S).max(WARM_UP_TICKS),
    }
}

/// A predicted channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// `imu/gyro_z`.
    pub name: String,
    /// Index of the sensor on its agent.
    pub sensor: usize,
    /// How it is computed.
    pub feature: Feature,
}

/// An invalid choice of channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelError {
    /// No such sensor.
    Sensor,
    /// The sensor of this index has no such part.
    Part(usize),
    /// The sensor of this index has no such number; its count.
    Number(usize, usize),
    /// More than [`MAX_CHANNELS`] with this one.
    TooMany,
    /// Duplicate.
    Again,
}

/// The outputs that a scene chooses, or the default ones, at most [`MAX_CHANNELS`]. `encoded` is the number of wheels or
/// joints with encoders.
///
/// # Errors
///
/// The index of the invalid choice, and the reason.
pub fn outputs(
    sensors: &[SensorSpec],
    encoded: usize,
    chosen: Option<&[String]>,
) -> Result<Vec<Output>, (usize, ChannelError)> {
    let world = WorldSpec::default();
    let context = |sensor: &SensorSpec| SensorContext {
        world: &world,
        rate_hz: sensor.rate_hz,
        driven: true,
        encoded: Some(encoded),
    };
    let mut all: Vec<Output> = Vec::new();
    let Some(chosen) = chosen else {
        for (index, sensor) in sensors.iter().enumerate() {
            let Some(kind) = sensor.kind.value() else {
                continue;
            };
            let channels = kind.default_channels(&context(sensor)).into_iter();
            all.extend(channels.map(|(part, feature)| Output {
                name: format!("{}/{part}", sensor.name),
                sensor: index,
                feature,
            }));
        }
        // Channels of lidars come last: they have a self-model of their own.
        all.sort_by_key(|output| matches!(output.feature, Feature::Hits(..)));
        all.truncate(MAX_CHANNELS);
        return Ok(all);
    };
    for (k, path) in chosen.iter().enumerate() {
        let (name, part) = match path.split_once('/') {
            Some((name, part)) => (name, Some(part)),
            None => (path.as_str(), None),
        };
        let index = sensors
            .iter()
            .position(|s| s.name == name)
            .ok_or((k, ChannelError::Sensor))?;
        let sensor = &sensors[index];
        for output in of(index, sensor, part, &context(sensor)).map_err(|no| (k, no))? {
            if all.iter().any(|o| o.name == output.name) {
                return Err((k, ChannelError::Again));
            }
            if all.len() == MAX_CHANNELS {
                return Err((k, ChannelError::TooMany));
            }
            all.push(output);
        }
    }
    Ok(all)
}

/// The outputs of a sensor, or of a part of it.
fn of(
    index: usize,
    sensor: &SensorSpec,
    part: Option<&str>,
    context: &SensorContext<'_>,
) -> Result<Vec<Output>, ChannelError> {
    let Some(kind) = sensor.kind.value() else {
        return Err(ChannelError::Sensor);
    };
    let output = |(part, feature): (String, Feature)| Output {
        name: format!("{}/{part}", sensor.name),
        sensor: index,
        feature,
    };
    // One more than the maximum, to detect too many.
    let room = MAX_CHANNELS + 1;
    let Some(part) = part else {
        return Ok(kind
            .channels(context)
            .into_iter()
            .take(room)
            .map(output)
            .collect());
    };
    if let Some(channel) = kind
        .channels(context)
        .into_iter()
        .find(|(name, _)| name == part)
    {
        return Ok(vec![output(channel)]);
    }
    let schema = kind.schema();
    let many = kind.numbers(context).unwrap_or_default();
    let numbers = schema.numbers(part).ok_or(ChannelError::Part(index))?;
    if numbers.end > many {
        return Err(ChannelError::Number(index, many));
    }
    let feature = if schema.counts {
        Feature::Rate
    } else {
        Feature::Value
    };
    Ok(numbers
        .take(room)
        .map(|n| output((schema.name(n), feature(n))))
        .collect())
}
