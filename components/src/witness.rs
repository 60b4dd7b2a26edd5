//! The self-model on an agent: which numbers of its sensors it foresees, by which commands, and its verdict.
//!
//! Outputs are what it foresees and may blame: numbers of readings, as `imu/gyro_z`. Of a counter (an encoder) it is
//! the rate. Inputs help to foresee and are never blamed: what the agent's drive is told. Both are averaged over a
//! kernel tick, or missing, never held.
//!
//! Without a choice of the scene's, what is taken is
//!
//! | of | as |
//! |---|---|
//! | encoders | the speed of each wheel or joint: `encoders/0` |
//! | IMU | all six: `imu/gyro_x` .. `imu/accelerometer_z` |
//! | encoders, IMU | how many readings come, in percent of the rate: `imu/heard` |
//! | lidar | how many rays of each half meet something, in percent: `lidar/seen_0`, `lidar/seen_1`; by a self-model of their own |
//! | GNSS | the speed over ground: `gnss/speed`. Where it is, and where north is, is not foreseen from samples |
//! | drive, vehicle | speed, yaw rate or steering angle, and their product: what a curve asks of both; of a vehicle also the force of engine less brakes |
//! | servos | the target of each |
//!
//! What lidars see depends on where the agent is, which says nothing of its other senses: it is foreseen from what they
//! saw, at their own rate, and hints at nothing else. A lidar that is blocked is to blame then, and not whom it misled.
//!
//! To blame is the channel of the largest share; after a [`transient`](crate::transient) a wheel's, instead of the accelerometer's
//! that told of it. One that stands exactly still for 0.2 to 0.4 s at 50 Hz, as it never did in warm-up, is to blame before
//! all others: see [`StuckDetector`].
//!
//! Each distance of a lidar, those of range sensors, fields of magnetometers and touches depend on what stands around: they are
//! taken only where the scene names them.

use crate::coherence::{Average, MAX_CHANNELS};
use crate::feature::Feature;
use crate::localisation::{SENSED, SENSED_MOTION};
use crate::scene::{SensorSpec, WitnessSpec};
use crate::sensor::SensorContext;
use crate::transient::TransientDetector;
use crate::world::WorldSpec;
use becomingone_kernel::SelfModel;
use becomingone_kernel::{ConfigError, Real, SelfModelConfig, Trainer, Verdict};
use bevy_ecs::prelude::*;
use std::fmt;

pub use becomingone_kernel::Thresholds;

/// Most commands that one agent's self-model hears.
pub const MAX_INPUTS: usize = 12;
/// Fewest kernel ticks to learn from, where the scene does not say.
pub const WARM_UP_TICKS: u32 = 400;
/// Shortest time to learn from (s), where the scene does not say.
pub const WARM_UP_S: f64 = 8.0;
/// Most alarms that are kept for the summary; all are counted.
pub const MAX_ALARMS: usize = 64;

/// Channels that may be to blame: the self-model's, then the filter's numbers.
pub const MAX_CAUSES: usize = MAX_CHANNELS + SENSED;

/// Detection statistics of one kernel tick; see [`Verdict`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// Residual autocorrelation, 0 to 1; none until its windows have samples enough.
    pub k1: Option<f64>,
    /// Mean shift of the residual, about 1 while healthy.
    pub k2: f64,
    /// Energy of the residual, about 1 while healthy.
    pub k3: f64,
    /// Second largest of the three over their thresholds.
    pub surprise: f64,
    /// The alarm: surprise above 1, with dwell and hysteresis.
    pub dissipated: bool,
    /// The output with the largest share of the surprise.
    pub cause: Option<usize>,
}

impl<R: Real, const N: usize> From<&Verdict<R, N>> for Statistics {
    fn from(verdict: &Verdict<R, N>) -> Self {
        Self {
            k1: verdict.k1.map(Into::into),
            k2: verdict.k2.into(),
            k3: verdict.k3.into(),
            surprise: verdict.surprise.into(),
            dissipated: verdict.dissipated,
            cause: verdict.cause,
        }
    }
}

/// The output with the largest share of the surprise among those whose bits are set; of equals the first. None if none
/// of them has a share.
fn most_blamed<R: Real, const N: usize>(verdict: &Verdict<R, N>, among: u32) -> Option<usize> {
    let blame = &verdict.blame;
    let most = |best: usize, k: usize| if blame[k] > blame[best] { k } else { best };
    let own = |&k: &usize| among >> k & 1 == 1 && blame[k] > R::zero();
    (0..N).filter(own).reduce(most)
}

/// A self-model of at most `N` outputs and `U` inputs. It is trained in `f64`, then drops the sums of its warm-up and
/// computes in `R`.
#[derive(Clone, Debug)]
pub enum Model<R, const N: usize, const U: usize> {
    /// In its warm-up.
    WarmUp(Box<Trainer<f64, N, U>>),
    /// Trained: a seventh of the size in `f64`, half of that in `f32`.
    Trained(SelfModel<R, N, U, f64>),
}

impl<R: Real, const N: usize, const U: usize> Model<R, N, U> {
    /// A self-model before its first sample.
    ///
    /// # Errors
    ///
    /// As [`Trainer::new`].
    pub fn new(config: SelfModelConfig<f64>) -> Result<Self, ConfigError> {
        Ok(Self::WarmUp(Box::new(Trainer::new(config)?)))
    }

    /// Processes one tick: see [`Trainer::push`].
    pub fn push(
        &mut self,
        outputs: &[Option<f64>],
        inputs: &[Option<f64>],
        dt_s: f64,
    ) -> Option<Statistics> {
        match self {
            Self::Trained(model) => {
                let verdict = model.push(outputs, inputs, dt_s);
                verdict.as_ref().map(Statistics::from)
            }
            Self::WarmUp(trainer) => {
                let verdict = trainer.push(outputs, inputs, dt_s);
                if let Some(trained) = trainer.trained() {
                    *self = Self::Trained(trained);
                }
                verdict.as_ref().map(Statistics::from)
            }
        }
    }

    fn trained(&self) -> Option<&SelfModel<R, N, U, f64>> {
        match self {
            Self::Trained(model) => Some(model),
            Self::WarmUp(_) => None,
        }
    }

    /// The thresholds in use; none before it is trained.
    pub fn thresholds(&self) -> Option<Thresholds<f64>> {
        let Thresholds { k1, k2, k3 } = self.trained()?.thresholds()?;
        Some(Thresholds {
            k1: k1.into(),
            k2: k2.into(),
            k3: k3.into(),
        })
    }

    /// Clears the alarm and the statistics: see [`SelfModel::forget`].
    fn forget(&mut self) {
        if let Self::Trained(model) = self {
            model.forget();
        }
    }

    /// An output's part of the energy: see [`SelfModel::energy`].
    pub fn energy(&self, output: usize) -> f64 {
        self.trained().map_or(0.0, |t| t.energy(output).into())
    }

    /// The output with the largest share of the surprise among those whose bits are set; none before it is trained.
    pub fn most_blamed(&self, among: u32) -> Option<usize> {
        most_blamed(self.trained()?.verdict()?, among)
    }

    /// Whether an output was constant during warm-up; not before it is trained.
    pub fn is_constant(&self, output: usize) -> bool {
        self.trained()
            .is_some_and(|t| t.constant_channels().any(|n| n == output))
    }
}

/// An agent's self-model, of the size that its channels need. Memory traffic dominates the cost of ten thousand agents
/// (`cargo bench --bench kernels`): small models compute in `f32` once trained, and lie side by side in the component,
/// in the order in which they are updated.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is the one that many agents have"
)]
pub enum AgentModel {
    /// Up to 8 outputs and 4 inputs.
    Small(Model<f32, 8, 4>),
    /// Up to the limits of any agent.
    Large(Box<Model<f64, MAX_CHANNELS, MAX_INPUTS>>),
}

/// Evaluates an expression with the model of either size.
macro_rules! of_either {
    ($self:expr, $model:ident => $what:expr) => {
        match $self {
            Self::Small($model) => $what,
            Self::Large($model) => $what,
        }
    };
}

impl AgentModel {
    /// A self-model before its first sample.
    ///
    /// # Errors
    ///
    /// As [`Trainer::new`].
    pub fn new(config: SelfModelConfig<f64>) -> Result<Self, ConfigError> {
        if config.outputs <= 8 && config.inputs <= 4 {
            Model::new(config).map(Self::Small)
        } else {
            Model::new(config).map(|model| Self::Large(Box::new(model)))
        }
    }

    /// See [`Model::push`].
    pub fn push(
        &mut self,
        outputs: &[Option<f64>],
        inputs: &[Option<f64>],
        dt_s: f64,
    ) -> Option<Statistics> {
        of_either!(self, model => model.push(outputs, inputs, dt_s))
    }

    /// See [`Model::thresholds`].
    pub fn thresholds(&self) -> Option<Thresholds<f64>> {
        of_either!(self, model => model.thresholds())
    }

    /// See [`Model::energy`].
    pub fn energy(&self, output: usize) -> f64 {
        of_either!(self, model => model.energy(output))
    }

    /// See [`Model::most_blamed`].
    pub fn most_blamed(&self, among: u32) -> Option<usize> {
        of_either!(self, model => model.most_blamed(among))
    }

    /// See [`Model::is_constant`].
    pub fn is_constant(&self, output: usize) -> bool {
        of_either!(self, model => model.is_constant(output))
    }
}

/// A channel of a self-model that a sensor feeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// `imu/gyro_z`.
    pub name: String,
    /// Index of the sensor on its agent.
    pub sensor: usize,
    /// How it is made.
    pub tap: Feature,
}

/// A choice of channels that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelError {
    /// No such sensor.
    Sensor,
    /// The sensor of this index has no such part.
    Part(usize),
    /// The sensor of this index has no such number; how many there are.
    Number(usize, usize),
    /// More than [`MAX_CHANNELS`] with this one.
    TooMany,
    /// It is there already.
    Again,
}

/// The outputs that a scene chooses, or those that are taken without a choice, of which there are at most
/// [`MAX_CHANNELS`]. `encoded` is the number of wheels or joints that encoders count.
///
/// # Errors
///
/// The index of the choice that cannot be, and why.
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
            all.extend(channels.map(|(part, tap)| Output {
                name: format!("{}/{part}", sensor.name),
                sensor: index,
                tap,
            }));
        }
        // What lidars see comes last: it has a self-model of its own.
        all.sort_by_key(|output| matches!(output.tap, Feature::Seen(..)));
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
    let output = |(part, tap): (String, Feature)| Output {
        name: format!("{}/{part}", sensor.name),
        sensor: index,
        tap,
    };
    // One more than there is room for tells that there are too many.
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
    let tap = if schema.counts {
        Feature::Rate
    } else {
        Feature::Value
    };
    Ok(numbers
        .take(room)
        .map(|n| output((schema.name(n), tap(n))))
        .collect())
}

/// Who takes what a sensor feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumer {
    /// The agent's self-model.
    Witness,
    /// The agent's filter.
    Filter,
}

/// A channel as a sensor feeds it.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureChannel {
    /// How it is made of a reading's numbers.
    pub tap: Feature,
    /// What came since the last kernel tick.
    pub average: Average,
    /// The last number and its stamp (ns), of a [`Feature::Rate`]; none before the first.
    pub last: Option<(f64, u64)>,
}

/// What came for a channel between the last two kernel ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeatureSample {
    /// Whose channel.
    pub taker: Consumer,
    /// The channel.
    pub channel: usize,
    /// The mean; none where nothing came.
    pub mean: Option<f64>,
}

/// The channels that a sensor feeds; stands on the sensor.
#[derive(Component, Clone, Debug, PartialEq)]
pub struct FeatureExtractor {
    /// The agent whose channels they are.
    pub agent: Entity,
    /// Each.
    pub all: Vec<FeatureChannel>,
    /// What came of each.
    pub samples: Vec<FeatureSample>,
    /// The numbers of the reading that is being heard.
    pub numbers: Vec<f64>,
}

impl FeatureExtractor {
    /// Of a sensor of this agent that feeds nothing yet.
    pub fn new(agent: Entity) -> Self {
        Self {
            agent,
            all: Vec::new(),
            samples: Vec::new(),
            numbers: Vec::new(),
        }
    }

    /// Adds a channel of this taker.
    pub fn push(&mut self, taker: Consumer, channel: usize, tap: Feature) {
        self.all.push(FeatureChannel {
            tap,
            average: Average::default(),
            last: None,
        });
        self.samples.push(FeatureSample {
            taker,
            channel,
            mean: None,
        });
    }

    /// A kernel tick of the agent, `dt_s` after the last (s).
    pub fn end(&mut self, dt_s: f64) {
        for (feed, samples) in self.all.iter_mut().zip(&mut self.samples) {
            samples.mean = match feed.tap {
                Feature::Heard(percent) => {
                    Some(f64::from(feed.average.take_count()) * percent / dt_s)
                }
                _ => feed.average.take(),
            };
        }
    }

    /// What came for a taker's channels.
    pub fn samples(&self, taker: Consumer) -> impl Iterator<Item = (usize, Option<f64>)> {
        let own = self
            .samples
            .iter()
            .filter(move |samples| samples.taker == taker);
        own.map(|samples| (samples.channel, samples.mean))
    }

    /// Takes the reading whose numbers are in [`numbers`](Self::numbers).
    pub fn extract(&mut self, source_ns: u64) {
        for feed in &mut self.all {
            let number = |place: usize| self.numbers.get(place).copied();
            match feed.tap {
                Feature::Value(place) => {
                    // Instruments say NaN where a column had no value.
                    if let Some(x) = number(place).filter(|x| x.is_finite()) {
                        feed.average.add(x);
                    }
                }
                Feature::Heard(_) => feed.average.add(1.0),
                Feature::Seen(from, to, reach) => {
                    let rays = self.numbers.get(from..to).unwrap_or_default();
                    if !rays.is_empty() {
                        let met = rays.iter().filter(|&&r| r < reach).count();
                        feed.average.add(100.0 * met as f64 / rays.len() as f64);
                    }
                }
                Feature::Length(place) => {
                    if let (Some(x), Some(y)) = (number(place), number(place + 1)) {
                        feed.average.add(libm::hypot(x, y));
                    }
                }
                Feature::Along(place, direction) => {
                    let three = self.numbers.get(place..place + 3);
                    let part =
                        |three: &[f64]| three.iter().zip(direction).map(|(x, d)| x * d).sum();
                    if let Some(x) = three.map(part).filter(|x: &f64| x.is_finite()) {
                        feed.average.add(x);
                    }
                }
                Feature::Rate(place) => {
                    let Some(x) = number(place) else { continue };
                    if let Some((last, last_ns)) = feed.last
                        && source_ns > last_ns
                    {
                        let passed_s = crate::sensor::elapsed_s(last_ns, source_ns);
                        feed.average.add((x - last) / passed_s);
                    }
                    feed.last = Some((x, source_ns));
                }
            }
        }
    }
}

/// A time in which an agent's input was dissipated.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// When it began (ns).
    pub from_ns: u64,
    /// When it ended (ns); none while it lasts.
    pub until_ns: Option<u64>,
    /// Blame of each channel, summed over its kernel ticks.
    pub blame: [f64; MAX_CAUSES],
}

impl Alarm {
    /// The channel that was to blame most of the time.
    pub fn cause(&self) -> usize {
        let most = |best: usize, k: usize| {
            if self.blame[k] > self.blame[best] {
                k
            } else {
                best
            }
        };
        (1..MAX_CAUSES).fold(0, most)
    }
}

/// Whether surprise is found, by one of the ways to look for it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Detection {
    /// Above 1: not as foreseen.
    pub surprise: f64,
    /// The same, with dwell and hysteresis.
    pub dissipated: bool,
    /// The channel to blame, as [`Witness::name`] has it.
    pub cause: Option<usize>,
}

/// What watches the innovations of an agent's filter: self-models of them, and their energy against its law.
///
/// Innovations of GNSS have a self-model of their own, that ticks when they come: among faster channels, pairs at lags of
/// 1, 2 and 4 ticks would be missing, and K1 deaf.
#[derive(Clone, Debug)]
pub struct InnovationMonitor {
    /// Names of the filter's numbers, after the sensors that they come from.
    pub names: Vec<String>,
    /// Of wheels and IMU.
    pub motion: SubsetMonitor<SENSED>,
    /// Of GNSS.
    pub places: SubsetMonitor<SENSED>,
    /// The energy of all.
    pub nis: Nis,
}

/// A self-model of some of a row of channels, that ticks when one of them comes.
#[derive(Clone, Debug)]
pub struct SubsetMonitor<const N: usize> {
    first: usize,
    count: usize,
    /// Which cause the row's first channel is.
    cause_from: usize,
    /// Time since something came (s).
    since_s: f64,
    /// The self-model.
    pub model: Box<Model<f64, N, 0>>,
    /// Its verdict; none before it is trained.
    pub verdict: Option<Statistics>,
}

impl<const N: usize> SubsetMonitor<N> {
    fn new(
        (first, count): (usize, usize),
        cause_from: usize,
        spec: Option<crate::scene::ThresholdSpec>,
        warm_up_samples: u32,
    ) -> Result<Self, ConfigError> {
        let config = SelfModelConfig {
            outputs: count,
            warm_up_samples,
            thresholds: spec.map(thresholds),
            ..SelfModelConfig::default()
        };
        Ok(Self {
            first,
            count,
            cause_from,
            since_s: 0.0,
            model: Box::new(Model::new(config)?),
            verdict: None,
        })
    }

    fn forget(&mut self) {
        self.model.forget();
        self.verdict = None;
    }

    /// Whether one of its own came.
    pub fn has_sample(&self, row: &[Option<f64>; N]) -> bool {
        let own = &row[self.first..self.first + self.count];
        own.iter().any(Option::is_some)
    }

    /// Takes a kernel tick's row, if one of its own came, and says what it finds.
    pub fn push(&mut self, row: &[Option<f64>; N], dt_s: f64) -> Option<Detection> {
        self.since_s += dt_s;
        if self.has_sample(row) {
            let own = &row[self.first..self.first + self.count];
            self.verdict = self.model.push(own, &[], self.since_s);
            self.since_s = 0.0;
        }
        self.verdict.map(|v| Detection {
            surprise: v.surprise,
            dissipated: v.dissipated,
            cause: v.cause.map(|c| self.cause_from + self.first + c),
        })
    }
}

/// Windows over which a filter's innovations are averaged (kernel ticks).
const NIS_WINDOWS: [f64; 4] = [1.0, 5.0, 25.0, 100.0];
/// The standard normal quantile of p = 1e-5, one side.
const NIS_Z: f64 = 4.264_890_793_922_825;

/// The normalised innovation squared of a filter, averaged over four windows, each against what chi² of as many degrees
/// of freedom exceeds once in 1e5 samples (Bar-Shalom, Li, Kirubarajan: Estimation with Applications to Tracking and
/// Navigation, 2001, 5.4.2; quantiles by Wilson and Hilferty, 1931).
#[derive(Clone, Debug, PartialEq)]
pub struct Nis {
    /// Averages of NIS and of degrees of freedom, a window each.
    windows: [[f64; 2]; NIS_WINDOWS.len()],
    /// Averages of each number's square, for the blame.
    squares: [f64; SENSED],
    /// The largest ratio of a window now; 1 is its limit.
    pub ratio: f64,
    /// What the ratio has to stand over; none before it is known.
    pub threshold: Option<f64>,
    largest: f64,
    alarm: becomingone_kernel::Alarm<f64>,
}

impl Nis {
    fn new(threshold: Option<f64>) -> Self {
        Self {
            windows: [[1.0, 1.0]; NIS_WINDOWS.len()],
            squares: [0.0; SENSED],
            ratio: 0.0,
            threshold,
            largest: 0.0,
            alarm: becomingone_kernel::Alarm::new(0.8, 3, 5),
        }
    }

    fn forget(&mut self) {
        *self = Self {
            largest: self.largest,
            ..Self::new(self.threshold)
        };
    }

    /// Takes a tick's innovations. `learning` is how far the warm-up is, 0 to below 1, none after it.
    fn push(&mut self, white: &[Option<f64>; SENSED], learning: Option<f64>) -> Option<Detection> {
        let degrees = white.iter().flatten().count() as f64;
        let nis: f64 = white.iter().flatten().map(|w| w * w).sum();
        self.ratio = 0.0;
        for (sums, window) in self.windows.iter_mut().zip(NIS_WINDOWS) {
            let gain = -libm::expm1(-1.0 / window);
            sums[0] += gain * (nis - sums[0]);
            sums[1] += gain * (degrees - sums[1]);
            let nu = sums[1] * (2.0 - gain) / gain;
            if nu >= 1.0 {
                let s = 2.0 / 9.0 / nu;
                let root = 1.0 - s + NIS_Z * s.sqrt();
                self.ratio = self.ratio.max(sums[0] / sums[1] / (root * root * root));
            }
        }
        for (square, w) in self.squares.iter_mut().zip(white) {
            let gain = -libm::expm1(-1.0 / NIS_WINDOWS[1]);
            *square += gain * (w.map_or(*square, |w| w * w) - *square);
        }
        if let Some(done) = learning {
            // What it starts with has died away by half time.
            if done > 0.5 {
                self.largest = self.largest.max(self.ratio);
            }
            return None;
        }
        let threshold = *self
            .threshold
            .get_or_insert_with(|| (1.5 * self.largest).max(1.0));
        let surprise = self.ratio / threshold;
        let most = |best: usize, k: usize| {
            if self.squares[k] > self.squares[best] {
                k
            } else {
                best
            }
        };
        Some(Detection {
            surprise,
            dissipated: self.alarm.update(surprise),
            cause: Some(MAX_CHANNELS + (1..SENSED).fold(0, most)),
        })
    }
}

impl InnovationMonitor {
    /// One that has seen nothing. `places_hz` is the rate of GNSS.
    ///
    /// # Errors
    ///
    /// A number of the scene's out of its range; scenes are checked for that.
    pub fn new(
        names: Vec<String>,
        spec: &WitnessSpec,
        rate_hz: f64,
        places_hz: f64,
    ) -> Result<Self, ConfigError> {
        let ticks = warm_up_ticks(spec, rate_hz);
        let fixes = at_own_rate(ticks, places_hz / rate_hz);
        let motion = (0, SENSED_MOTION);
        let places = (SENSED_MOTION, SENSED - SENSED_MOTION);
        Ok(Self {
            names,
            motion: SubsetMonitor::new(motion, MAX_CHANNELS, spec.innovations, ticks)?,
            places: SubsetMonitor::new(places, MAX_CHANNELS, spec.places, fixes)?,
            nis: Nis::new(spec.nis),
        })
    }

    /// Forgets what surprised it: the filter is another one from now on, without a sensor that was broken.
    pub fn forget(&mut self) {
        self.motion.forget();
        self.places.forget();
        self.nis.forget();
    }

    /// Takes a tick's innovations and says what the self-models of them and their energy find. `learning` is how far
    /// the warm-up is, 0 to below 1, none after it.
    pub fn push(
        &mut self,
        white: &[Option<f64>; SENSED],
        dt_s: f64,
        learning: Option<f64>,
    ) -> [Option<Detection>; 3] {
        [
            self.motion.push(white, dt_s),
            self.places.push(white, dt_s),
            self.nis.push(white, learning),
        ]
    }
}

/// How often something comes in a warm-up of so many kernel ticks, if it comes at this share of them.
fn at_own_rate(warm_up_ticks: u32, share: f64) -> u32 {
    let times = f64::from(warm_up_ticks) * share.min(1.0);
    (times as u32).max(becomingone_kernel::MIN_WARM_UP)
}

fn thresholds(spec: crate::scene::ThresholdSpec) -> Thresholds<f64> {
    Thresholds {
        k1: spec.k1,
        k2: spec.k2,
        k3: spec.k3,
    }
}

/// Kernel ticks after which a number that was never so before is called still.
const STILL_TICKS: u8 = 10;
/// What rounding moves the mean of equal numbers by, as a share of it, and more.
const STILL: f64 = 1e-12;

/// Numbers that stand exactly still: what is measured scatters, and who says the same again and again says nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct StuckDetector {
    /// What came at the tick before; NaN where nothing did.
    last: [f64; MAX_CHANNELS],
    /// Channels that have not moved since [`STILL_TICKS`] began, as bits, and all along those before.
    since: [u32; 2],
    /// How many of these have passed.
    ticks: u8,
    /// Channels that stood still in warm-up, as machines at rest and what is counted do.
    at_rest: u32,
}

impl StuckDetector {
    fn new() -> Self {
        Self {
            last: [f64::NAN; MAX_CHANNELS],
            since: [0; 2],
            ticks: 0,
            at_rest: 0,
        }
    }

    /// Takes what came at a kernel tick.
    pub fn push(&mut self, samples: &[Option<f64>; MAX_CHANNELS], learning: bool) {
        for (k, (last, samples)) in self.last.iter_mut().zip(samples).enumerate() {
            let now = samples.unwrap_or(f64::NAN);
            // False where one of them is NaN.
            let stands = (now - *last).abs() <= STILL * now.abs();
            if !stands {
                self.since[0] &= !(1 << k);
            }
            *last = now;
        }
        self.ticks += 1;
        // Sooner than it is judged by, since a rest may begin at any tick.
        if learning && self.ticks == STILL_TICKS / 2 {
            self.at_rest |= self.since[0];
        }
        if self.ticks == STILL_TICKS {
            self.ticks = 0;
            self.since = [u32::MAX, self.since[0]];
        }
    }

    /// Channels that stand still as they never did in warm-up, as bits.
    pub fn stuck_channels(&self) -> u32 {
        self.since[0] & self.since[1] & !self.at_rest
    }
}

/// The witness of an agent: W = G\[W\].
#[derive(Component, Clone, Debug)]
pub struct Witness {
    /// Names of the outputs, in the order of the channels.
    pub outputs: Vec<String>,
    /// Names of the inputs.
    pub inputs: Vec<String>,
    /// Sensors that feed the outputs.
    pub sensors: Vec<Entity>,
    /// What commands say since the last kernel tick, each; products of them are made at the kernel tick.
    pub commands: Vec<Average>,
    /// What sensors said since the kernel tick before, a mean for each output.
    pub samples: [Option<f64>; MAX_CHANNELS],
    /// Outputs that are accelerations of the machine, as bits.
    pub accelerations: u32,
    /// Outputs that a jolt moves: these, and gyroscopes that tell of nodding, as bits.
    pub transient_channels: u32,
    /// Outputs that are speeds of its wheels, as bits; none where it does not go on wheels.
    pub wheels: u32,
    /// Whether accelerometers told of a jolt.
    pub transient: TransientDetector,
    /// Which outputs stand still.
    pub stuck: StuckDetector,
    /// The energy of each acceleration as it was, see [`AgentModel::energy`].
    energies: [f64; MAX_CHANNELS],
    /// Kernel ticks that it learns from.
    pub warm_up_ticks: u32,
    /// The self-model, of all outputs but those of `surroundings`.
    pub model: AgentModel,
    /// Its verdict on the last kernel tick; none before it is trained.
    pub verdict: Option<Statistics>,
    /// That of what lidars see: the last outputs.
    pub surroundings: Option<SubsetMonitor<MAX_CHANNELS>>,
    /// What watches the filter's innovations, where the agent has a filter.
    pub insight: Option<Box<InnovationMonitor>>,
    /// What was found at the last kernel tick: by the self-model of readings, by that of surroundings, by those of
    /// innovations of motion and of places, by the innovations' energy.
    pub detections: [Option<Detection>; 5],
    /// Times of alarm, the first [`MAX_ALARMS`].
    pub alarms: Vec<Alarm>,
    /// How many there were.
    pub alarmed: u64,
}

impl Witness {
    /// A witness of these outputs, with so many inputs, that has seen nothing. `commands` of the inputs are heard, the
    /// others made of them. Of the outputs, so many at the end are what lidars see, at this rate.
    ///
    /// # Errors
    ///
    /// A number of the scene's out of its range; scenes are checked for that.
    pub fn new(
        outputs: Vec<String>,
        inputs: Vec<String>,
        commands: usize,
        (seen, seen_hz): (usize, f64),
        spec: &WitnessSpec,
        rate_hz: f64,
    ) -> Result<Self, ConfigError> {
        // Where there is nothing else, that is what readings are.
        let seen = if seen < outputs.len() { seen } else { 0 };
        let heard = outputs.len() - seen;
        let ticks = warm_up_ticks(spec, rate_hz);
        let surroundings = (seen > 0).then(|| {
            let scans = at_own_rate(ticks, seen_hz / rate_hz);
            SubsetMonitor::new((heard, seen), 0, spec.surroundings, scans)
        });
        let config = SelfModelConfig {
            outputs: heard,
            inputs: inputs.len(),
            warm_up_samples: ticks,
            thresholds: spec.thresholds.map(thresholds),
            ..SelfModelConfig::default()
        };
        Ok(Self {
            accelerations: 0,
            transient_channels: 0,
            wheels: 0,
            transient: TransientDetector::default(),
            stuck: StuckDetector::new(),
            energies: [0.0; MAX_CHANNELS],
            warm_up_ticks: ticks,
            surroundings: surroundings.transpose()?,
            model: AgentModel::new(config)?,
            sensors: Vec::new(),
            commands: vec![Average::default(); commands],
            samples: [None; MAX_CHANNELS],
            outputs,
            inputs,
            verdict: None,
            insight: None,
            detections: [None; 5],
            alarms: Vec::new(),
            alarmed: 0,
        })
    }

    /// How many of the outputs the self-model foresees: all but those of surroundings.
    pub fn heard(&self) -> usize {
        let seen = self.surroundings.as_ref().map_or(0, |s| s.count);
        self.outputs.len() - seen
    }

    /// Takes what the self-model made of a kernel tick: whether accelerometers tell of a jolt.
    pub fn update_transient(&mut self) {
        if self.accelerations == 0 {
            return;
        }
        let mut most: Option<f64> = None;
        for k in (0..MAX_CHANNELS).filter(|k| self.accelerations >> k & 1 == 1) {
            let (was, is) = (self.energies[k], self.model.energy(k));
            self.energies[k] = is;
            // What this tick added to a mean that forgets, but for what an `f32` rounds.
            let added = was + (is - was) / ENERGY_GAIN - ROUNDED * was;
            most = Some(most.map_or(added, |most| most.max(added)));
        }
        if let Some(most) = most {
            self.transient.push(most);
        }
    }

    /// Whom to blame instead of this output: after a jolt, for what the jolt moved, a wheel.
    pub fn after_transient(&self, output: usize) -> usize {
        if self.transient_channels >> output & 1 == 1 && self.transient.is_over() {
            self.model.most_blamed(self.wheels).unwrap_or(output)
        } else {
            output
        }
    }

    /// The output that is to blame because it stands still: of those, the one with the largest share, if they have any.
    pub fn stuck_channels(&self) -> Option<usize> {
        match self.stuck.stuck_channels() {
            0 => None,
            stuck_channels => self.model.most_blamed(stuck_channels),
        }
    }

    /// What is found by all ways together: the one that stands highest over its threshold, of those in alarm if there
    /// are any. None before the witness is trained.
    pub fn detection(&self) -> Option<Detection> {
        let all = self.detections.iter().flatten();
        all.copied().reduce(|a, b| {
            let key = |f: Detection| (f.dissipated, f.surprise);
            if key(b) > key(a) { b } else { a }
        })
    }

    /// Name of a channel that may be to blame: one of the self-model's, or from [`MAX_CHANNELS`] on one of the filter's.
    pub fn name(&self, cause: usize) -> Option<&str> {
        let name = match cause.checked_sub(MAX_CHANNELS) {
            None => self.outputs.get(cause),
            Some(k) => self.insight.as_ref()?.names.get(k),
        };
        name.map(String::as_str)
    }

    /// Name of the channel that is to blame now; none while nothing is dissipated.
    pub fn cause(&self) -> Option<&str> {
        self.name(self.detection().filter(|f| f.dissipated)?.cause?)
    }
}

/// 1 - e^(-1/10): [`AgentModel::energy`] is a mean over ten samples.
const ENERGY_GAIN: f64 = 0.095_162_581_964_040_43;

/// Share of an energy that is rounded when it is told in `f32`: half a step at both ticks, over [`ENERGY_GAIN`].
const ROUNDED: f64 = f32::EPSILON as f64 / ENERGY_GAIN;

/// Kernel ticks that a self-model learns from.
pub fn warm_up_ticks(spec: &WitnessSpec, rate_hz: f64) -> u32 {
    let ticks = |s: f64| (s * rate_hz).ceil().min(f64::from(u32::MAX)) as u32;
    match spec.warm_up_s {
        Some(warm_up_s) => ticks(warm_up_s),
        None => ticks(WARM_UP_S).max(WARM_UP_TICKS),
    }
}

/// What a self-model hears, in a line.
impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.outputs.join(", "))?;
        if !self.inputs.is_empty() {
            write!(f, " by {}", self.inputs.join(", "))?;
        }
        Ok(())
    }
}
