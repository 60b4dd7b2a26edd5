//! The self-model (one-step linear predictor) of an agent, sized by its channels.

use super::statistics::Detection;
use becomingone_components::coherence::MAX_CHANNELS;
use becomingone_components::scene::ThresholdSpec;
use becomingone_components::witness::MAX_INPUTS;
use becomingone_kernel::{ConfigError, Real, SelfModel, SelfModelConfig, Trainer, Verdict};

pub use becomingone_kernel::Thresholds;

/// Detection statistics of one kernel tick; see [`Verdict`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// Residual autocorrelation, 0 to 1; none until its windows have samples enough.
    pub k1: Option<f64>,
    /// Mean shift of the residual, about 1 while healthy.
    pub k2: f64,
    /// Energy of the residual, about 1 while healthy.
    pub k3: f64,
    /// Mean of the three, each over its threshold.
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
    pub(crate) fn forget(&mut self) {
        if let Self::Trained(model) = self {
            model.forget();
        }
    }

    /// Part of an output in the energy: see [`SelfModel::energy`].
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
/// (`cargo bench -p becomingone --bench kernels`): small models compute in `f32` once trained, and lie side by side in the component,
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

/// A predictor of consecutive channels of a row, which ticks when one of them has a sample.
///
/// Among faster channels, samples at lags of 1, 2 and 4 ticks would be missing, and K1 would have no value.
#[derive(Clone, Debug)]
pub struct SubsetMonitor<const N: usize> {
    first: usize,
    count: usize,
    /// Cause of the row's first channel.
    cause_from: usize,
    /// Time since the last sample (s).
    since_s: f64,
    /// The self-model.
    pub model: Box<Model<f64, N, 0>>,
    /// Its verdict; none before it is trained.
    pub verdict: Option<Statistics>,
}

impl<const N: usize> SubsetMonitor<N> {
    /// A predictor of so many channels from this one on, before the first sample. `cause_from`: cause of the row's
    /// first channel.
    ///
    /// # Errors
    ///
    /// As [`Trainer::new`].
    pub fn new(
        (first, count): (usize, usize),
        cause_from: usize,
        spec: Option<ThresholdSpec>,
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

    /// Number of channels.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Clears the samples, and keeps the trained model.
    pub fn forget(&mut self) {
        self.model.forget();
        self.verdict = None;
    }

    /// Whether one of its own channels has a sample.
    pub fn has_sample(&self, row: &[Option<f64>; N]) -> bool {
        let own = &row[self.first..self.first + self.count];
        own.iter().any(Option::is_some)
    }

    /// Processes a kernel tick's row, if one of its own channels has a sample.
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

/// Samples in a warm-up of so many kernel ticks, if they come at this share of them.
pub fn samples_at_own_rate(warm_up_ticks: u32, share: f64) -> u32 {
    let times = f64::from(warm_up_ticks) * share.min(1.0);
    (times as u32).max(becomingone_kernel::MIN_WARM_UP)
}

/// Thresholds of a scene.
pub fn thresholds(spec: ThresholdSpec) -> Thresholds<f64> {
    Thresholds {
        k1: spec.k1,
        k2: spec.k2,
        k3: spec.k3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_self_model_says_nearly_the_same_in_either_room() {
        let config = SelfModelConfig {
            outputs: 7,
            inputs: 3,
            warm_up_samples: 200,
            ..SelfModelConfig::default()
        };
        let mut small = AgentModel::new(config).unwrap();
        let mut large = Model::<f64, MAX_CHANNELS, MAX_INPUTS>::new(config).unwrap();
        let mut rng = becomingone_components::seed::Rng::for_name(
            becomingone_components::seed::RunSeed(1),
            "rooms",
        );
        let mut alarms = 0;
        for k in 0..1000 {
            let inputs = [(); 3].map(|()| Some(rng.symmetric()));
            let mut outputs = [(); 7].map(|()| Some(rng.symmetric()));
            // Some are missing at times, and one deviates at the end.
            outputs[2] = outputs[2].filter(|_| k % 3 != 0);
            outputs[5] = outputs[5].map(|x| if k > 600 { x + 3.0 } else { x });
            let [a, b] = [
                small.push(&outputs, &inputs, 0.02),
                large.push(&outputs, &inputs, 0.02),
            ];
            let (Some(a), Some(b)) = (a, b) else {
                assert_eq!(a, b, "{k}");
                continue;
            };
            let off = (a.surprise - b.surprise).abs() / (1.0 + b.surprise);
            assert!(off < 1e-4, "{k}: {a:?} {b:?}");
            assert_eq!((a.dissipated, a.cause), (b.dissipated, b.cause), "{k}");
            alarms += u32::from(a.dissipated && a.cause == Some(5));
        }
        assert!(matches!(small, AgentModel::Small(Model::Trained(_))));
        assert!(alarms > 300, "{alarms}");
    }
}
