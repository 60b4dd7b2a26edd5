//! [`Single`]: a trained self-model in `f32`, for fleets.
//!
//! ```text
//! y' = (y - origin) rounded to f32,   |y' - (y - origin)| <= 2^-24 |y - origin|
//!
//! y in f64 --> (-) --> f32 --> as `Trained` --> Verdict
//!               ^
//!               | each channel's first value, in f64
//! ```
//!
//! What thousands of self-models cost is memory that is touched: this is half of it. It is learned in `f64`, where sums
//! over many rows need it. Afterwards each number is worked with for one sample, and `f32` has digits enough, as long as
//! a channel's own level is taken off first: air pressure of 101325 Pa to 1 Pa has five digits that say nothing.

use crate::{Real, Trained, Verdict};

/// A [`Trained`] self-model that goes on in `f32`. Values are said in `f64`, as before.
///
/// Its numbers agree with those of the [`Trained`] one to some 1e-4; so an alarm may come or go a sample earlier or later.
///
/// ```
/// use becomingone_kernel::{SelfModel, SelfModelConfig, Single, Trained};
///
/// let mut model = SelfModel::<f64, 8, 0>::new(SelfModelConfig::default())?;
/// let pressure_pa = |k: u32| [Some(101_325.0 + 0.1 * f64::from(k * k % 7))];
/// for k in 1..=400 {
///     model.push(&pressure_pa(k), &[], 0.02);
/// }
/// let mut single = model.trained().map(|trained| Single::from(&trained));
/// let single = single.as_mut().ok_or("still learning")?;
/// for k in 401..=800 {
///     let exact = model.push(&pressure_pa(k), &[], 0.02);
///     let nearly = single.push(&pressure_pa(k), &[], 0.02);
///     if let (Some(exact), Some(nearly)) = (exact, nearly) {
///         assert!((exact.k2 - f64::from(nearly.k2)).abs() < 1e-3);
///     }
/// }
/// assert!(size_of::<Single<8, 0>>() < 6 * size_of::<Trained<f64, 8, 0>>() / 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[repr(C)]
pub struct Single<const N: usize, const U: usize> {
    /// First values of outputs and of inputs.
    origins: [f64; N],
    input_origins: [f64; U],
    model: Trained<f32, N, U>,
}

impl<const N: usize, const U: usize> From<&Trained<f64, N, U>> for Single<N, U> {
    fn from(trained: &Trained<f64, N, U>) -> Self {
        let (model, origins, input_origins) = trained.cast();
        Self {
            origins,
            input_origins,
            model,
        }
    }
}

impl<const N: usize, const U: usize> Single<N, U> {
    /// Takes one tick and says what it means: see [`SelfModel::push`](crate::SelfModel::push).
    pub fn push(
        &mut self,
        outputs: &[Option<f64>],
        inputs: &[Option<f64>],
        dt_s: f64,
    ) -> Option<Verdict<f32, N>> {
        let outputs = about(outputs, &self.origins);
        let inputs = about(inputs, &self.input_origins);
        self.model.push(&outputs, &inputs, f32::of(dt_s))
    }

    /// What goes on, about the channels' first values.
    pub fn model(&self) -> &Trained<f32, N, U> {
        &self.model
    }
}

#[inline]
fn about<const K: usize>(values: &[Option<f64>], origins: &[f64; K]) -> [Option<f32>; K] {
    let mut about = [None; K];
    for ((about, value), origin) in about.iter_mut().zip(values).zip(origins) {
        *about = value.map(|x| f32::of(x - origin));
    }
    about
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConfigError, SelfModel, SelfModelConfig};
    use rand_distr::{Distribution, StandardNormal};
    use rand_pcg::Pcg64;
    use rand_pcg::rand_core::SeedableRng;

    #[test]
    fn it_goes_on_as_in_f64() -> Result<(), ConfigError> {
        let mut rng = Pcg64::seed_from_u64(2);
        let mut model = SelfModel::<f64, 8, 2>::new(SelfModelConfig {
            outputs: 5,
            inputs: 1,
            ..SelfModelConfig::default()
        })?;
        let mut single = None;
        let (mut level, mut said, mut alarms) = (0.0, 0, 0);
        for k in 0..8000_u32 {
            let mut noise = || -> f64 { StandardNormal.sample(&mut rng) };
            level += -0.05 * level + 0.1 * noise();
            // Far from 0 in their units, one a near copy, one slow, one that does not move; some are missing, for long
            // at times, or broken; one is off at last.
            let away = k % 300 > 250 && k > 400;
            let off = if k > 6000 { 0.1 } else { 0.0 };
            let outputs = [
                (k % 17 != 5 && !away).then_some(101_325.0 + level),
                Some(3e-6 * (level + 0.003 * noise() + off)),
                (k % 3 == 0).then(|| -2e5 + level + noise()),
                Some(if k % 400 == 399 { f64::NAN } else { 7.0 }),
                Some(if k % 977 == 976 { 1e300 } else { noise() }),
            ];
            let inputs = [(k % 5 != 0).then(noise)];
            let dt_s = match k % 500 {
                400 => 1.0,
                401 => -1.0,
                _ => 0.02,
            };
            let exact = model.push(&outputs, &inputs, dt_s);
            let Some(nearly) = &mut single else {
                single = model.trained().map(|trained| Single::from(&trained));
                continue;
            };
            let nearly: Option<Verdict<f32, 8>> = nearly.push(&outputs, &inputs, dt_s);
            let (Some(exact), Some(nearly)) = (exact, nearly) else {
                continue;
            };
            said += 1;
            alarms += u32::from(exact.dissipated);
            let near = |a: f64, b: f32| (a - f64::from(b)).abs() <= 1e-3 * (1.0 + a.abs());
            assert!(
                near(exact.k1.unwrap_or(0.0), nearly.k1.unwrap_or(0.0)),
                "{k}"
            );
            assert!(near(exact.k2, nearly.k2), "{k}: {exact:?} {nearly:?}");
            assert!(near(exact.k3, nearly.k3), "{k}: {exact:?} {nearly:?}");
            assert!(near(exact.surprise, nearly.surprise), "{k}");
            if exact.surprise > 1.5 {
                assert_eq!(exact.cause, nearly.cause, "{k}: {exact:?} {nearly:?}");
            }
        }
        assert!(said > 7000 && alarms > 100, "{said} {alarms}");
        let counters = single.as_ref().map(|single| single.model().counters());
        assert_eq!(counters, Some(model.counters()));
        Ok(())
    }
}
