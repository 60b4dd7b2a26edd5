//! Cost of a tick of a trained self-model, of 4, 8 and 16 channels, and of one in warm-up.
//!
//! Run it: `cargo bench -p becomingone-kernel --bench self_model`.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark fails by panicking"
)]

use becomingone_kernel::{Real, SelfModelConfig, Trainer};
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

/// White noise: the work does not depend on the input.
fn samples<R: Real, const N: usize>() -> Vec<[Option<R>; N]> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some(R::of(f64::from(state >> 8) / f64::from(1 << 24) - 0.5))
    };
    (0..1024).map(|_| [(); N].map(|()| next())).collect()
}

fn learning<R: Real, const N: usize>(warm_up_samples: u32) -> Trainer<R, N, 0> {
    Trainer::new(SelfModelConfig {
        outputs: N,
        warm_up_samples,
        ..SelfModelConfig::default()
    })
    .unwrap()
}

fn push<R: Real, const N: usize, const U: usize, const C: usize>(
    bencher: Bencher<'_, '_>,
    mut model: Trainer<R, N, U>,
    samples: &[[Option<R>; C]],
) {
    let mut k = 0;
    bencher.bench_local(|| {
        k = (k + 1) % samples.len();
        model.push(black_box(&samples[k]), &[], R::of(0.02))
    });
}

fn trained<R: Real, const N: usize>() -> Trainer<R, N, 0> {
    let mut model = learning(512);
    for sample in &samples::<R, N>()[..512] {
        model.push(sample, &[], R::of(0.02));
    }
    assert!(model.model().is_trained());
    model
}

#[divan::bench(types = [f32, f64], consts = [4, 8, 16])]
fn tick<R: Real, const N: usize>(bencher: Bencher<'_, '_>) {
    push(bencher, trained::<R, N>(), &samples::<R, N>());
}

/// Every second sample of half of the channels is missing, and imputed.
#[divan::bench(types = [f32, f64], consts = [8, 16])]
fn tick_with_missing<R: Real, const N: usize>(bencher: Bencher<'_, '_>) {
    let mut samples = samples::<R, N>();
    for sample in samples.iter_mut().step_by(2) {
        sample[..N / 2].fill(None);
    }
    push(bencher, trained::<R, N>(), &samples);
}

/// 8 outputs in the type that scenes use.
#[divan::bench(types = [f32, f64])]
fn tick_of_warm_up_8_of_16_and_12<R: Real>(bencher: Bencher<'_, '_>) {
    let model = Trainer::<R, 16, 12>::new(SelfModelConfig {
        outputs: 8,
        warm_up_samples: u32::MAX,
        ..SelfModelConfig::default()
    })
    .unwrap();
    push(bencher, model, &samples::<R, 8>());
}

#[divan::bench(types = [f32, f64], consts = [8, 16])]
fn tick_of_warm_up<R: Real, const N: usize>(bencher: Bencher<'_, '_>) {
    push(bencher, learning::<R, N>(u32::MAX), &samples::<R, N>());
}
