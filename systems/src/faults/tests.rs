//! Each kind of fault, on numbers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use becomingone_components::fault::{AnyFault, FaultSpec};
use becomingone_components::kind::Named;
use becomingone_components::seed::{Rng, RunSeed};
use becomingone_components::time::NS_PER_S;
use std::ops::Range;

fn fault(kind: impl Into<Named<dyn AnyFault>>, numbers: Range<usize>) -> Fault {
    let spec = FaultSpec {
        sensor: String::new(),
        kind: kind.into(),
        at_s: 1.0,
        for_s: Some(2.0),
    };
    let rng = Rng::for_name(RunSeed(1), "a/b/faults/0");
    Fault::new(&spec, "a/b".to_owned(), numbers, 10.0, rng).unwrap()
}

#[test]
fn a_frozen_number_repeats_its_first_value_until_the_fault_ends() {
    let mut f = fault(Freeze, 1..2);
    assert_eq!((f.from_ns, f.until_ns), (1_000_000_000, 3_000_000_000));
    let mut found = Vec::new();
    for k in 0..6 {
        f.active = (2..4).contains(&k);
        let mut numbers = [f64::from(k), 10.0 * f64::from(k)];
        f.inject(0, false, None, &mut numbers);
        assert_eq!(numbers[0], f64::from(k));
        found.push(numbers[1]);
    }
    assert_eq!(found, [0.0, 10.0, 20.0, 20.0, 40.0, 50.0]);
}

#[test]
fn a_scaled_counter_gains_more_and_keeps_it() {
    let count = |kind: Named<dyn AnyFault>| {
        let mut f = fault(kind, 0..usize::MAX);
        let mut found = Vec::new();
        for k in 0..6 {
            f.active = (2..4).contains(&k);
            let mut numbers = [f64::from(k) * 100.0];
            f.inject(0, true, None, &mut numbers);
            found.push(numbers[0]);
        }
        found
    };
    let scaled = count(Scale(1.5).into());
    assert_eq!(scaled, [0.0, 100.0, 250.0, 400.0, 500.0, 600.0]);
    let frozen = count(Freeze.into());
    assert_eq!(frozen, [0.0, 100.0, 100.0, 100.0, 200.0, 300.0]);
}

/// Readings of a signal that grows by 1 in each 0.1 s, with the fault active from 1 s to 3 s.
fn readings(kind: impl Into<Named<dyn AnyFault>>, counts: bool) -> Vec<f64> {
    let mut f = fault(kind, 0..usize::MAX);
    let numbers = (0..41u64).map(|k| {
        let now_ns = k * NS_PER_S / 10;
        f.active = (f.from_ns..f.until_ns).contains(&now_ns);
        let mut numbers = [k as f64];
        if counts {
            f.inject(now_ns, true, None, &mut numbers);
        } else {
            f.inject(now_ns, false, None, &mut numbers);
        }
        numbers[0]
    });
    numbers.collect()
}

#[test]
fn a_bias_is_there_and_gone_and_a_drift_grows_from_its_beginning() {
    let bias = readings(Bias(0.5), false);
    let drift = readings(Drift(2.0), false);
    let counter = readings(Drift(2.0), true);
    for k in 0..41 {
        let (x, on) = (k as f64, (10..30).contains(&k));
        let since_s = (x - 10.0) / 10.0;
        assert_eq!(bias[k], x + if on { 0.5 } else { 0.0 });
        let grown = if on { 2.0 * since_s } else { 0.0 };
        assert!((drift[k] - x - grown).abs() < 1e-12, "{k}");
        // A counter keeps what it has gained in the two seconds.
        let gained = 2.0 * since_s.clamp(0.0, 2.0);
        assert!((counter[k] - x - gained).abs() < 1e-12, "{k}");
    }
}

#[test]
fn a_delay_repeats_earlier_readings_or_the_first_one() {
    for counts in [false, true] {
        for (delay_s, late_by) in [(0.3, 3), (0.25, 3), (0.01, 1)] {
            let late = readings(Delay(delay_s), counts);
            for (k, &x) in late.iter().enumerate() {
                let on = (10..30).contains(&k);
                assert_eq!(x, (k - if on { late_by } else { 0 }) as f64);
            }
        }
        // Longer than the time since the start: the first value.
        let late = readings(Delay(1.5), counts);
        assert_eq!(late[10..15], [0.0; 5]);
        assert_eq!(late[14..18], [0.0, 0.0, 1.0, 2.0]);
    }
}

#[test]
fn a_drop_out_loses_its_share_of_readings_while_it_lasts() {
    let mut f = fault(DropOut(0.3), 0..usize::MAX);
    assert!((0..100).all(|_| !f.loses()));
    f.active = true;
    let n = 10_000;
    let lost = (0..n).filter(|_| f.loses()).count() as f64 / f64::from(n);
    // Five standard errors of a share.
    assert!((lost - 0.3).abs() < 5.0 * (0.3 * 0.7 / f64::from(n)).sqrt());
    let always = |share| {
        let mut f = fault(DropOut(share), 0..usize::MAX);
        f.active = true;
        f
    };
    let mut f = always(1.0);
    assert!((0..100).all(|_| f.loses()));
    let mut f = always(0.0);
    assert!((0..100).all(|_| !f.loses()));
}

#[test]
fn rays_without_a_target_keep_that_and_distances_stay_within_limits() {
    let inject = |kind: Named<dyn AnyFault>| {
        let mut f = fault(kind, 0..usize::MAX);
        f.active = true;
        let mut ranges = [0.4, 3.0, 9.5, 10.0];
        f.inject(2 * NS_PER_S, false, Some([0.2, 10.0]), &mut ranges);
        ranges
    };
    assert_eq!(inject(Bias(-1.0).into()), [0.2, 2.0, 8.5, 10.0]);
    assert_eq!(inject(Drift(1.0).into()), [1.4, 4.0, 10.0, 10.0]);
    assert_eq!(inject(Scale(0.5).into()), [0.2, 1.5, 4.75, 10.0]);
    assert_eq!(inject(Block(0.5).into()), [10.0, 10.0, 9.5, 10.0]);
    assert_eq!(inject(Block(0.0).into()), [0.4, 3.0, 9.5, 10.0]);
    assert_eq!(inject(Block(1.0).into()), [10.0; 4]);
}

#[test]
fn numbers_beyond_the_reading_are_ignored() {
    let mut f = fault(Scale(2.0), 3..usize::MAX);
    f.active = true;
    f.inject(0, false, None, &mut [1.0, 2.0]);
    let mut four = [1.0, 1.0, 1.0, 1.0];
    f.inject(0, false, None, &mut four);
    assert_eq!(four, [1.0, 1.0, 1.0, 2.0]);
}
