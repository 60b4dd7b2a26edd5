//! Cost of a full push of one agent, against copying its state from memory, and against the concept's literal
//! formula.
//!
//! A full push: phase velocity, Emissary and Master of order, synchrony, and the trained self-model with K1,
//! K2, K3 and fault isolation. All channels are present.
//!
//! Run it: `cargo bench -p becomingone-kernel --bench push`. State bytes are printed first.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark fails by panicking, and prints"
)]

use becomingone_kernel::{
    Complex, DEFAULT_LAGS, Pair, PhaseVelocity, Real, SelfModel, SelfModelConfig, Synchrony,
    SynchronyConfig, SynchronyReport, Trainer, Verdict,
};
use divan::{Bencher, black_box};

const DT_S: f64 = 0.02;

/// One agent of up to `N` outputs and `U` inputs.
struct Agent<R, const N: usize, const U: usize> {
    outputs: usize,
    inputs: usize,
    velocity: PhaseVelocity<R, N>,
    pair: Pair<R, N, 3, 5>,
    synchrony: Synchrony<R>,
    model: SelfModel<R, N, U>,
}

impl<R: Real, const N: usize, const U: usize> Agent<R, N, U> {
    fn new(outputs: usize, inputs: usize) -> Self {
        let mut model = Trainer::new(SelfModelConfig {
            outputs,
            inputs,
            ..SelfModelConfig::default()
        })
        .unwrap();
        for x in samples::<R>(400) {
            model.push(&x[..outputs], &x[outputs..outputs + inputs], R::of(DT_S));
        }
        Self {
            outputs,
            inputs,
            velocity: PhaseVelocity::new(outputs).unwrap(),
            pair: Pair::new(outputs, DEFAULT_LAGS).unwrap(),
            synchrony: Synchrony::new(SynchronyConfig::default()).unwrap(),
            model: model.trained().unwrap(),
        }
    }

    fn order(&mut self, x: &[Option<R>; CHANNELS]) -> SynchronyReport<R> {
        let dt = R::of(DT_S);
        let phi: [_; N] = core::array::from_fn(|n| x[n].map(|x| Complex::new(x, R::zero())));
        let d = self.velocity.push(&phi[..self.outputs], dt);
        self.pair.push(d, dt);
        let [emissary, master] = self.pair.readings();
        self.synchrony.update(emissary, master)
    }

    fn push(&mut self, x: &[Option<R>; CHANNELS]) -> (SynchronyReport<R>, Option<Verdict<R, N>>) {
        let (outputs, inputs) = x.split_at(self.outputs);
        let report = self.order(x);
        let verdict = self
            .model
            .push(outputs, &inputs[..self.inputs], R::of(DT_S));
        (report, verdict)
    }
}

/// Maximum number of channels of an agent here, inputs with outputs.
const CHANNELS: usize = 28;

/// White noise: the work does not depend on the input.
fn samples<R: Real>(number: usize) -> Vec<[Option<R>; CHANNELS]> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some(R::of(f64::from(state >> 8) / f64::from(1 << 24) - 0.5))
    };
    (0..number)
        .map(|_| [(); CHANNELS].map(|()| next()))
        .collect()
}

fn main() {
    println!(
        "agent of N = 8: {} bytes in f32, {} in f64",
        size_of::<Agent<f32, 8, 0>>(),
        size_of::<Agent<f64, 8, 0>>()
    );
    divan::main();
}

fn pushes<R: Real, const N: usize, const U: usize>(
    bencher: Bencher<'_, '_>,
    outputs: usize,
    inputs: usize,
) {
    let mut agent = Agent::<R, N, U>::new(outputs, inputs);
    let samples = samples::<R>(1024);
    let mut k = 0;
    bencher.bench_local(|| {
        k = (k + 1) % samples.len();
        agent.push(black_box(&samples[k]))
    });
}

#[divan::bench(types = [f32, f64], consts = [4, 8, 16], sample_size = 2048)]
fn full<R: Real, const N: usize>(bencher: Bencher<'_, '_>) {
    pushes::<R, N, 0>(bencher, N, 0);
}

/// Order and synchrony alone.
#[divan::bench(types = [f32, f64], consts = [4, 8, 16], sample_size = 2048)]
fn order<R: Real, const N: usize>(bencher: Bencher<'_, '_>) {
    let mut agent = Agent::<R, N, 0>::new(N, 0);
    let samples = samples::<R>(1024);
    let mut k = 0;
    bencher.bench_local(|| {
        k = (k + 1) % samples.len();
        agent.order(black_box(&samples[k]))
    });
}

/// 8 outputs and 3 inputs, in a type of exactly this capacity.
#[divan::bench(types = [f32, f64], sample_size = 2048)]
fn full_8_and_3_of_8_and_3<R: Real>(bencher: Bencher<'_, '_>) {
    pushes::<R, 8, 3>(bencher, 8, 3);
}

/// The same in the type that scenes use.
#[divan::bench(types = [f32, f64], sample_size = 2048)]
fn full_8_and_3_of_16_and_12<R: Real>(bencher: Bencher<'_, '_>) {
    pushes::<R, 16, 12>(bencher, 8, 3);
}

/// A copy of the state from 64 MiB, more than a cache holds, as for the states of a fleet.
#[divan::bench(types = [f32, f64], sample_size = 2048)]
fn copy_of_the_state_from_memory<R: Real>(bencher: Bencher<'_, '_>) {
    copies(bencher, size_of::<Agent<R, 8, 0>>(), 64 << 20);
}

/// The same within the cache.
#[divan::bench(types = [f32, f64], sample_size = 2048)]
fn copy_of_the_state_in_cache<R: Real>(bencher: Bencher<'_, '_>) {
    let bytes = size_of::<Agent<R, 8, 0>>();
    copies(bencher, bytes, bytes);
}

fn copies(bencher: Bencher<'_, '_>, bytes: usize, of: usize) {
    let from = vec![1_u8; of];
    let mut to = vec![0_u8; bytes];
    let mut at = 0;
    bencher.bench_local(|| {
        to.copy_from_slice(black_box(&from[at..at + bytes]));
        at += bytes;
        if at + bytes > from.len() {
            at = 0;
        }
        black_box(&mut to);
    });
}

/// T of 8 channels at three lags, computed over the whole history at each sample, the concept's literal
/// formula.
#[divan::bench(args = [100, 1_000, 10_000])]
fn concept_over_history(bencher: Bencher<'_, '_>, history: usize) {
    let history: Vec<[Complex<f64>; 8]> = samples::<f64>(history)
        .iter()
        .map(|x| core::array::from_fn(|n| Complex::new(x[n].unwrap_or_default(), 0.0)))
        .collect();
    bencher.bench_local(|| whole_history(black_box(&history)));
}

fn whole_history(history: &[[Complex<f64>; 8]]) -> [Complex<f64>; 3] {
    DEFAULT_LAGS.map(|lag| {
        let mut s = Complex::new(0.0, 0.0);
        let (mut p0, mut p1) = (0.0, 0.0);
        for k in lag..history.len() {
            let age_s = (history.len() - 1 - k) as f64 * DT_S;
            let weight = libm::exp(-age_s);
            for (now, old) in history[k].iter().zip(&history[k - lag]) {
                s += (old.conj() * *now).scale(weight);
                p0 += weight * now.norm_sqr();
                p1 += weight * old.norm_sqr();
            }
        }
        s.unscale(p0.sqrt() * p1.sqrt())
    })
}
