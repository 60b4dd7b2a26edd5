//! Cost of a tick of the pyramid: the mean over many, each tick by itself, and the worst of the schedule; 8
//! channels, 30 levels.
//!
//! Run it: `cargo bench -p becomingone-kernel --bench pyramid`. State bytes and the ratio of the
//! slowest kind of tick to the mean are printed first.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark fails by panicking, prints, and reads the clock"
)]

use std::time::Instant;

use becomingone_kernel::{Complex, Pyramid, PyramidConfig, Real, encode_angle};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

const LEVELS: usize = 30;

type Octaves<R> = Pyramid<R, 8, 8, LEVELS>;

fn main() {
    println!(
        "state of 30 levels, N = 8, m = 8: {} bytes in f32, {} in f64",
        size_of::<Octaves<f32>>(),
        size_of::<Octaves<f64>>()
    );
    println!(
        "state of 12 levels, N = 4, m = 4: {} bytes in f32",
        size_of::<Pyramid<f32, 4, 4, 12>>()
    );
    worst_over_mean();
    divan::main();
}

fn pyramid<R: Real>() -> Octaves<R> {
    Pyramid::new(PyramidConfig::new(8, R::of(1e-6))).unwrap()
}

fn sample<R: Real>(k: u32) -> [Option<Complex<R>>; 8] {
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
        .map(|n| Some(encode_angle(R::of(0.01 * f64::from(k % 4096) + n))))
}

/// The median time of a tick with `level` as its second level, over all levels, against the mean tick: medians,
/// because other programs run on the machine too, and a single tick is near the clock's step.
fn worst_over_mean() {
    const TICKS: usize = 1 << 18;
    let mut pyramid = pyramid::<f32>();
    let samples: Vec<_> = (0..4096).map(sample::<f32>).collect();
    let mut times: [Vec<u32>; LEVELS + 1] = Default::default();
    for k in 0..TICKS {
        let start = Instant::now();
        let level = pyramid.push(black_box(&samples[k % 4096]));
        let nanos = start.elapsed().as_nanos() as u32;
        times[level.unwrap_or(LEVELS)].push(nanos);
    }
    let mut medians: Vec<(usize, u32, usize)> = Vec::new();
    for (level, times) in times.iter_mut().enumerate() {
        times.sort_unstable();
        // Levels with fewer than 32 ticks have no meaningful median.
        if times.len() >= 32 {
            medians.push((level, times[times.len() / 2], times.len()));
        }
    }
    let sum: f64 = medians.iter().map(|m| f64::from(m.1) * m.2 as f64).sum();
    let mean = sum / medians.iter().map(|m| m.2 as f64).sum::<f64>();
    let worst = medians.iter().max_by_key(|m| m.1).unwrap();
    println!("mean tick {mean:.0} ns, with a reading of the clock");
    println!(
        "slowest kind of tick: with level {}, median {} ns, {:.2} x the mean",
        worst.0,
        worst.1,
        f64::from(worst.1) / mean
    );
}

#[divan::bench(types = [f32, f64])]
fn push_4096<R: Real>(bencher: Bencher<'_, '_>) {
    let mut pyramid = pyramid::<R>();
    let samples: Vec<_> = (0..4096).map(sample::<R>).collect();
    bencher.counter(ItemsCount::new(4096_u32)).bench_local(|| {
        for sample in &samples {
            black_box(pyramid.push(black_box(sample)));
        }
    });
}

#[divan::bench]
fn t_between_two_lags(bencher: Bencher<'_, '_>) {
    let mut pyramid = pyramid::<f32>();
    for k in 0..100_000 {
        pyramid.push(&sample(k));
    }
    bencher.bench_local(|| pyramid.t(black_box(1.234e-3)));
}

#[divan::bench]
fn pass_an_hour(bencher: Bencher<'_, '_>) {
    let mut pyramid = pyramid::<f32>();
    bencher.bench_local(|| pyramid.pass(black_box(3_600_000_000)));
}
