//! Counts allocations of a million pushes of every type: none.
//!
//! Each thread counts its own calls, so that the test harness's own are excluded.

#![allow(
    unsafe_code,
    clippy::unwrap_used,
    reason = "an allocator is unsafe to implement, and a test may stop"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use becomingone_kernel::{
    Band, Binned, Bins, Blend, BlendConfig, Complex, DEFAULT_LAGS, Kuramoto, Monitor,
    PhaseVelocity, Pyramid, PyramidConfig, Role, SelfModelConfig, Synchrony, SynchronyConfig,
    Trainer, Transducer, encode_angle,
};

struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is forwarded unchanged to the system allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: guaranteed by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: guaranteed by the caller; `alloc` used the same allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_million_pushes_allocate_nothing() {
    let mut velocity = PhaseVelocity::<f64, 4>::new(4).unwrap();
    let transducer = |role| Transducer::<f64, 4, 3, 5>::new(role, 4, DEFAULT_LAGS).unwrap();
    let (mut emissary, mut master) = (transducer(Role::Emissary), transducer(Role::Master));
    let mut synchrony = Synchrony::new(SynchronyConfig::default()).unwrap();
    let mut pyramid = Pyramid::<f64, 4, 4, 12>::new(PyramidConfig::new(4, 0.02)).unwrap();
    let band = Band::new(Role::Emissary, 0.02, 1.0).unwrap();
    let mut bins = Bins::<f64, 4>::new(4, 20_000_000, 40_000_000).unwrap();
    let mut blend = Blend::<f64, u32, 16>::new(BlendConfig {
        fading_per_s: 0.1,
        protection: 0.9,
        recall: 0.5,
        forget_below: 0.01,
    })
    .unwrap();
    let fleet = Kuramoto {
        coupling_rad_s: 0.4,
        frame_rad_s: 1.0,
    };
    let mut phases = [0.0, 1.0, 2.0, 3.0].map(encode_angle::<f64>);
    let mut monitor = Monitor::<4>::new(4).unwrap();
    let mut trainer = Trainer::<f64, 8, 2>::new(SelfModelConfig {
        outputs: 4,
        inputs: 2,
        ..SelfModelConfig::default()
    })
    .unwrap();
    let mut noise = 1_u32;
    let mut scatter = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(noise >> 8) / f64::from(1 << 24) - 0.5
    };
    let before = CALLS.get();
    // The counter counts.
    std::hint::black_box(Box::new(before));
    assert_eq!(CALLS.get(), before + 1);
    let before = CALLS.get();
    for k in 0..1_000_000_u32 {
        let x = [(); 4].map(|()| scatter());
        let phi = x.map(|x| Some(encode_angle(x)));
        let d = velocity.push(&phi, 0.02);
        emissary.push(d, 0.02);
        master.push(d, 0.02);
        synchrony.update(emissary.reading(), master.reading());
        bins.push(u64::from(k) * 13_000_000, &phi, |bin| match bin {
            Binned::Bin(cells) => {
                pyramid.push_covered(cells);
            }
            Binned::Gap { bins } => pyramid.pass(bins),
        });
        band.reading(&pyramid);
        fleet.step(&mut phases, &[0.9, 1.0, 1.1, 1.2], 0.02);
        // Every seventh value of a channel is missing, and imputed.
        let mut outputs = x.map(Some);
        if k % 7 == 0 {
            outputs[1] = None;
        }
        let verdict = trainer.push(&outputs, &[Some(x[0]), None], 0.02);
        blend.advance(0.02, verdict.map(|verdict| verdict.coherence));
        if k % 10 == 0 {
            blend.remember(k, 0.5);
            blend.recall(3);
        }
        monitor.push(0.02 * f64::from(k), &x);
    }
    assert_eq!(CALLS.get() - before, 0);
    assert!(trainer.is_trained() && monitor.model().is_trained());
    assert!(
        phases
            .iter()
            .all(|z: &Complex<f64>| (z.norm() - 1.0).abs() < 1e-9)
    );
}

/// It keeps the rows that it learns from; after that, rows cost no memory.
#[cfg(feature = "alloc")]
#[test]
fn rows_after_the_baseline_of_a_detector_allocate_nothing() {
    let mut detector = becomingone_kernel::Detector::<8>::new(5, 400)
        .unwrap()
        .with(becomingone_kernel::Learning {
            inputs: vec![4],
            ..Default::default()
        });
    let mut noise = 1_u32;
    let mut scatter = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(noise >> 8) / f64::from(1 << 24) - 0.5
    };
    let mut before = 0;
    let mut states = [0; 4];
    for k in 0..100_000 {
        let mut row = [(); 5].map(|()| Some(scatter()));
        if k % 7 == 0 {
            row[1] = None;
        }
        // Faults, inputs beyond the baseline, gaps.
        if k % 1000 > 700 && k > 1000 {
            row[2] = Some(5.0);
        }
        if k % 3000 > 2900 {
            row[4] = Some(9.0);
        }
        let dt_s = if k % 5000 == 4999 { 100.0 } else { 0.1 };
        if let Some(finding) = detector.push(&row, dt_s) {
            states[finding.health as usize] += 1;
            std::hint::black_box(detector.expected(2));
        }
        if k == 400 {
            before = CALLS.get();
        }
    }
    assert_eq!(CALLS.get() - before, 0);
    assert!(states.iter().all(|count| *count > 100), "{states:?}");
}
