//! Cost of a memory of 64 items: advancing time, a query of the nearest, a new item.
//!
//! Run it: `cargo bench -p becomingone-kernel --bench blend`.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark fails by panicking"
)]

use becomingone_kernel::{
    Blend, BlendConfig, DEFAULT_LAGS, Near, Role, Signature, Transducer, encode_angle,
};
use divan::{Bencher, black_box};

/// Capacity and types as agents use them.
type Sign = Signature<f64, 16, 3>;

const CAPACITY: usize = 64;

fn main() {
    divan::main();
}

/// The signature of wheels that turn at this angle a sample.
fn signature(angle: f64) -> Sign {
    let mut emissary = Transducer::<f64, 16, 3, 5>::new(Role::Emissary, 4, DEFAULT_LAGS).unwrap();
    let mut master = Transducer::<f64, 16, 3, 5>::new(Role::Master, 4, DEFAULT_LAGS).unwrap();
    let mut phi = [None; 4];
    for k in 0..100 {
        phi = [0.0, 1.0, 2.0, 3.0].map(|n| Some(encode_angle(angle * f64::from(k) + n)));
        emissary.push(&phi, 0.02);
        master.push(&phi, 0.02);
    }
    Sign::of(&phi, &emissary, &master)
}

fn full() -> Blend<f64, Sign, CAPACITY> {
    let config = BlendConfig {
        fading_per_s: 1e-3,
        protection: 0.9,
        recall: 0.5,
        forget_below: 0.05,
    };
    let mut blend = Blend::new(config).unwrap();
    for k in 0..CAPACITY {
        blend.remember(signature(k as f64 / 100.0), 1.0).unwrap();
        blend.advance(1.0, None);
    }
    blend
}

#[divan::bench]
fn advance(bencher: Bencher<'_, '_>) {
    let mut blend = full();
    bencher.bench_local(|| blend.advance(black_box(1e-9), black_box(Some(0.7))));
}

#[divan::bench]
fn nearest_of_64(bencher: Bencher<'_, '_>) {
    let (blend, now) = (full(), signature(0.2));
    let mut into = [Near::default(); 1];
    bencher.bench_local(|| {
        let near = blend.nearest(|s| s.distance(black_box(&now)), &mut into);
        near.first().map(|n| n.slot)
    });
}

#[divan::bench]
fn remember_among_64(bencher: Bencher<'_, '_>) {
    let (mut blend, now) = (full(), signature(0.2));
    bencher.bench_local(|| blend.remember(black_box(now), 1.0));
}
