//! W = G\[W\] as an iteration, against closed forms: its fixed points, its rate, and its bound on the distance.

#![allow(
    clippy::disallowed_methods,
    reason = "a test compares with std, and its bounds are wider than last bits"
)]

use std::error::Error;

use becomingone_kernel::{ParameterWitness, StateWitness};

type Checked = Result<(), Box<dyn Error>>;

#[test]
fn a_constant_input_is_the_fixed_point_of_the_state() -> Checked {
    let (x, time_s, dt_s) = ([3.0, -7.0], 2.0, 0.05);
    let mut witness = StateWitness::<f64, 2>::new(time_s)?;
    let mut other = StateWitness::<f64, 2>::new(time_s)?;
    other.push(&[100.0, -40.0], 1.0);
    let apart = |a: &StateWitness<f64, 2>, b: &StateWitness<f64, 2>| {
        (a.state()[0] - b.state()[0]).hypot(a.state()[1] - b.state()[1])
    };
    let mut before = apart(&witness, &other);
    for k in 1..=400 {
        witness.push(&x, dt_s);
        other.push(&x, dt_s);
        let now = apart(&witness, &other);
        assert!(
            before < 1e-9 || (now / before - (-dt_s / time_s).exp()).abs() < 1e-6,
            "{k}"
        );
        before = now;
        let off = (witness.state()[0] - x[0]).hypot(witness.state()[1] - x[1]);
        let law = x[0].hypot(x[1]) * (-dt_s * f64::from(k) / time_s).exp();
        assert!((off - law).abs() < 1e-12, "{k}: {off} {law}");
    }
    let kept = witness.clone();
    witness.push(&x, 0.0);
    witness.push(&x, f64::NAN);
    witness.push(&[f64::NAN, f64::INFINITY], 1e-9);
    assert_eq!(kept.state(), witness.state());
    Ok(())
}

/// Rxx with eigenvalues 5, 2 and 0.5, rotated; Rxy.
fn moments(turn: f64) -> ([[f64; 3]; 3], [f64; 3]) {
    let (c, s) = (turn.cos(), turn.sin());
    let axes = [[c, s, 0.0], [-s * c, c * c, s], [s * s, -s * c, c]];
    let mut rxx = [[0.0; 3]; 3];
    for (axis, e) in axes.iter().zip([5.0, 2.0, 0.5]) {
        for i in 0..3 {
            for j in 0..3 {
                rxx[i][j] += e * axis[i] * axis[j];
            }
        }
    }
    (rxx, [1.0, -2.0, 0.7])
}

/// (Rxx + g I)^-1 Rxy by Cramer's rule.
fn ridge_directly(mut a: [[f64; 3]; 3], b: [f64; 3], ridge: f64) -> [f64; 3] {
    for (i, row) in a.iter_mut().enumerate() {
        row[i] += ridge;
    }
    let determinant = |m: &[[f64; 3]; 3]| {
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
            - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
            + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    };
    let whole = determinant(&a);
    [0, 1, 2].map(|column| {
        let mut with = a;
        for (row, b) in with.iter_mut().zip(b) {
            row[column] = b;
        }
        determinant(&with) / whole
    })
}

fn distance(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    let square: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    square.sqrt()
}

#[test]
fn parameters_contract_to_ridge_regression_within_the_distance_bound() -> Checked {
    let ridge = 0.3;
    let (rxx, rxy) = moments(0.7);
    let target = ridge_directly(rxx, rxy, ridge);
    let mut witness = ParameterWitness::<f64, 3>::new(ridge, 0.5, 5.0)?;
    let q = witness.factor();
    // kappa = 5.3/0.8.
    assert!((q - (5.3 / 0.8 - 1.0) / (5.3 / 0.8 + 1.0)).abs() < 1e-12);
    let mut first = 0.0;
    for n in 0..60_u32 {
        let before = distance(witness.weights(), &target);
        let residual = witness.push(&rxx, &rxy);
        let after = distance(witness.weights(), &target);
        if n == 0 {
            first = residual;
        }
        assert!(after <= q * before + 1e-14, "{n}");
        assert!(residual <= first * q.powi(n as i32) + 1e-14, "{n}");
        assert!(before <= residual / (1.0 - q) + 1e-14, "{n}");
        assert!(after <= witness.distance(residual) + 1e-14, "{n}");
    }
    assert!(distance(witness.weights(), &target) < 1e-5);
    Ok(())
}

#[test]
fn a_drifting_fixed_point_is_followed_within_its_bound() -> Checked {
    let ridge = 0.3;
    let mut witness = ParameterWitness::<f64, 3>::new(ridge, 0.5, 5.0)?;
    let q = witness.factor();
    let mut target = ridge_directly(moments(0.0).0, moments(0.0).1, ridge);
    let (mut drift, mut worst) = (0.0_f64, 0.0_f64);
    for n in 0..3000 {
        let (rxx, rxy) = moments(0.002 * f64::from(n));
        let next = ridge_directly(rxx, rxy, ridge);
        drift = drift.max(distance(&target, &next));
        target = next;
        witness.push(&rxx, &rxy);
        if n > 200 {
            worst = worst.max(distance(witness.weights(), &target));
        }
    }
    assert!(worst <= q * drift / (1.0 - q), "{worst} {drift}");
    assert!(
        worst > 0.01 * q * drift / (1.0 - q),
        "the bound is not tight: {worst}"
    );
    Ok(())
}
