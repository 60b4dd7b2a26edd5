//! Self-models of a self-model's statistics and of another agent: [`Reflection`], [`Mutual`].
//!
//! ```text
//! observe        x --> witness --> K1 K2 K3                    SelfModel
//! integrate      the same with an adaptive offset              SelfModelConfig::offset_rate
//! reflect        K1 K2 K3 --> witness --> K1 K2 K3 --> ..      Reflection, to a depth
//! witness other  x of one, predicted from x of another         either side of Mutual
//! mutual         both ways at once                             Mutual
//! ```
//!
//! A reflection at depth d predicts y of the one below:
//!
//! ```text
//! y_d = ( (T_E + T_M)/2, ln K2, ln K3 ) of depth d - 1          W = G[ G[ .. G[x] ] ], d times
//! C   = min( C(second from first), C(first from second) )       coherence of a pair
//! ```
//!
//! A reflection models the healthy variation of the statistics. It detects a change in them
//! that stays below every threshold: the first alarm monitors the plant, the second the quality
//! of the prediction.
//!
//! Two agents can each behave as before and yet no longer follow each other. Only a prediction of
//! one from the other detects that. (Related: Granger 1969.)

use crate::{ConfigError, Real, SelfModel, SelfModelConfig, Thresholds, Trainer, Verdict};

/// Ticks after its first value until the windows of a surprise are full: two of the longest.
const SETTLING: u32 = 60;

/// A chain of self-models to `DEPTH`: K1, K2, K3 of each are the channels of the next.
///
/// ```
/// use becomingone_kernel::{Reflection, SelfModelConfig, Trainer};
///
/// let config = SelfModelConfig::default();
/// let mut model = Trainer::<f64, 1, 0>::new(config)?;
/// let mut reflection = Reflection::<f64, 1>::new(config)?;
/// # let mut noise = 1_u32;
/// # let mut scatter = || {
/// #     let mut sum = 0.0;
/// #     for _ in 0..12 {
/// #         noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
/// #         sum += f64::from(noise >> 8) / f64::from(1 << 24) - 0.5;
/// #     }
/// #     sum
/// # };
/// for k in 0..1000 {
///     let verdict = model.push(&[Some(scatter())], &[], 0.02);
///     let [second] = reflection.push(verdict.as_ref(), 0.02);
///     // Its warm-up begins when the first is trained and its surprise has settled.
///     assert_eq!(second.is_some(), k >= 400 + 60 + 400);
/// }
/// # Ok::<(), becomingone_kernel::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Reflection<R, const DEPTH: usize> {
    witnesses: [Trainer<R, 3, 0>; DEPTH],
    /// Number of verdicts received at each depth.
    shown: [u32; DEPTH],
}

impl<R: Real, const DEPTH: usize> Reflection<R, DEPTH> {
    /// A chain before its first verdict. Outputs and inputs of the configuration are not read: K1, K2 and K3
    /// are the outputs. Without thresholds, those of the null law are used, since the law of a surprise is
    /// known.
    ///
    /// # Errors
    ///
    /// As [`Trainer::new`].
    pub fn new(config: SelfModelConfig<R>) -> Result<Self, ConfigError> {
        let config = SelfModelConfig {
            outputs: 3,
            inputs: 0,
            thresholds: config.thresholds.or(Some(Thresholds::null(3))),
            ..config
        };
        let witness = Trainer::new(config)?;
        Ok(Self {
            witnesses: core::array::from_fn(|_| witness.clone()),
            shown: [0; DEPTH],
        })
    }

    /// Processes the verdict of a tick and returns those of each depth, the lowest first; K1, K2, K3 are
    /// channels 0, 1, 2.
    ///
    /// K1 enters as (`T_E` + `T_M`)/2, K2 and K3 as logarithms, whose scatter does not depend on size.
    pub fn push<const N: usize>(
        &mut self,
        verdict: Option<&Verdict<R, N>>,
        dt_s: R,
    ) -> [Option<Verdict<R, 3>>; DEPTH] {
        let mut all_verdicts = [None; DEPTH];
        let mut below = verdict.map(channels);
        for ((witness, shown), of_depth) in self
            .witnesses
            .iter_mut()
            .zip(&mut self.shown)
            .zip(&mut all_verdicts)
        {
            let Some(outputs) = below else {
                *shown = 0;
                break;
            };
            if *shown < SETTLING {
                *shown += 1;
                break;
            }
            *of_depth = witness.push(&outputs, &[], dt_s);
            below = of_depth.as_ref().map(channels);
        }
        all_verdicts
    }

    /// The self-model at a depth; that at 0 processes the pushed verdicts.
    pub fn witness(&self, depth: usize) -> Option<&SelfModel<R, 3, 0>> {
        self.witnesses.get(depth).map(Trainer::model)
    }
}

/// A verdict as channels.
fn channels<R: Real, const N: usize>(verdict: &Verdict<R, N>) -> [Option<R>; 3] {
    let two = R::one() + R::one();
    let t = verdict.t_emissary.zip(verdict.t_master);
    let logarithm = |k: R| {
        Some(k)
            .filter(|&k| k > R::zero())
            .map(|k| R::of(libm::log(k.into())))
    };
    [
        t.map(|(emissary, master)| (emissary + master) / two),
        logarithm(verdict.k2),
        logarithm(verdict.k3),
    ]
}

/// Verdicts of both agents on each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MutualVerdict<R, const A: usize, const B: usize> {
    /// On the second agent, by the self-model of the first.
    pub of_second: Option<Verdict<R, B>>,
    /// On the first agent, by the self-model of the second.
    pub of_first: Option<Verdict<R, A>>,
    /// The lesser coherence of both, 0 to 1: the coherence of a pair is that of its less predictable agent.
    pub coherence: Option<R>,
}

/// Two agents, of up to `A` and `B` channels, each of which predicts the other from the other's
/// past and its own present.
///
/// ```
/// use becomingone_kernel::{Mutual, SelfModelConfig};
///
/// # let mut noise = 1_u32;
/// # let mut scatter = || {
/// #     noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
/// #     f64::from(noise >> 8) / f64::from(1 << 24) - 0.5
/// # };
/// let mut diverged = false;
/// let mut pair = Mutual::<f64, 1, 1>::new(SelfModelConfig::default())?;
/// for k in 0..900 {
///     // The second follows the first until sample 800; its own statistics stay the same.
///     let first = scatter();
///     let second = if k < 800 { first } else { scatter() } + 0.1 * scatter();
///     let verdicts = pair.push(&[Some(first)], &[Some(second)], 0.1);
///     if let Some(coherence) = verdicts.coherence {
///         assert!(coherence > 0.5 || k >= 800);
///     }
///     diverged |= verdicts.of_second.is_some_and(|verdict| verdict.dissipated);
/// }
/// assert!(diverged);
/// # Ok::<(), becomingone_kernel::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Mutual<R, const A: usize, const B: usize> {
    of_second: Trainer<R, B, A>,
    of_first: Trainer<R, A, B>,
}

impl<R: Real, const A: usize, const B: usize> Mutual<R, A, B> {
    /// A pair before its first sample. Outputs and inputs of the configuration are not read: all `A` and `B`
    /// channels are active.
    ///
    /// # Errors
    ///
    /// As [`Trainer::new`].
    pub fn new(config: SelfModelConfig<R>) -> Result<Self, ConfigError> {
        let of = |outputs, inputs| SelfModelConfig {
            outputs,
            inputs,
            ..config
        };
        Ok(Self {
            of_second: Trainer::new(of(B, A))?,
            of_first: Trainer::new(of(A, B))?,
        })
    }

    /// Processes one tick of both: see [`Trainer::push`].
    pub fn push(
        &mut self,
        first: &[Option<R>],
        second: &[Option<R>],
        dt_s: R,
    ) -> MutualVerdict<R, A, B> {
        let of_second = self.of_second.push(second, first, dt_s);
        let of_first = self.of_first.push(first, second, dt_s);
        let both = of_first.as_ref().zip(of_second.as_ref());
        MutualVerdict {
            coherence: both.map(|(a, b)| a.coherence.min(b.coherence)),
            of_second,
            of_first,
        }
    }

    /// The self-model of the second agent, with the first as input: by itself, the mode *witness other*.
    pub fn of_second(&self) -> &SelfModel<R, B, A> {
        self.of_second.model()
    }

    /// The self-model of the first agent, with the second as input.
    pub fn of_first(&self) -> &SelfModel<R, A, B> {
        self.of_first.model()
    }
}
