//! Fifty circling robots, compared with Kuramoto's model: synchronised above its critical coupling, incoherent below.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and compares with std"
)]

use becomingone::CoherenceEngine;
use becomingone::components::body::TruePose;
use becomingone::components::fleet::{FLEET, FleetOrder, Orbit};
use becomingone_tests::{engine, folder, get, root, run, summary};
use std::f64::consts::{PI, TAU};
use std::time::Duration;

/// Frequency distribution of the scene: mean and half width (rad/s), and number of robots.
const MEAN_RAD_S: f64 = TAU * 0.08;
const HALF_RAD_S: f64 = TAU * 0.02;
const ROBOTS: u32 = 50;

/// Frequency i: quantile at (i + 1/2)/n of the distribution.
fn omega_rad_s(i: u32) -> f64 {
    let from_middle = (f64::from(i) + 0.5) / f64::from(ROBOTS) - 0.5;
    MEAN_RAD_S + 2.0 * HALF_RAD_S * from_middle
}

/// Solves r = f(r) above `K_c` by iteration from 1: f is increasing, so this finds the largest solution.
fn fixed_point(f: impl Fn(f64) -> f64) -> f64 {
    (0..1000).fold(1.0, |r, _| f(r))
}

#[test]
fn above_critical_coupling_the_fleet_locks_at_the_theoretical_order() {
    let s = summary(&[
        "kuramoto_fleet",
        "--set",
        "fleet.from_s=0",
        "--set",
        "duration_s=60",
    ]);
    let fleet = &s["fleet"];
    let number = |key: &str| fleet[key].as_f64().unwrap_or_else(|| panic!("no {key}"));
    assert_eq!(fleet["robots"], ROBOTS);
    assert_eq!(fleet["coupling_rad_s"], 0.24);
    let critical = 4.0 * HALF_RAD_S / PI;
    assert!((number("critical_rad_s") - critical).abs() < 1e-12);
    // Each robot locks at sin(theta - psi) = omega/(K r), so r is the mean cosine over the distribution.
    let law = fixed_point(|r| {
        let a = HALF_RAD_S / (0.24 * r);
        f64::midpoint((1.0 - a * a).sqrt(), a.asin() / a)
    });
    assert!((number("r_theory") - law).abs() < 1e-9, "{fleet} {law}");
    assert!((number("r") - law).abs() < 1e-3, "{fleet} {law}");
    // The sum over fifty frequencies agrees to three digits.
    let fifty = fixed_point(|r| {
        let cosine = |i| {
            let sine = (omega_rad_s(i) - MEAN_RAD_S) / (0.24 * r);
            (1.0 - sine * sine).sqrt()
        };
        (0..ROBOTS).map(cosine).sum::<f64>() / f64::from(ROBOTS)
    });
    assert!((fifty - law).abs() < 1e-3, "{fifty} {law}");
    assert!((number("r") - fifty).abs() < 1e-3, "{fleet} {fifty}");
}

/// Scene with this coupling from this time on.
fn coupled(coupling_rad_s: f64, from_s: f64) -> CoherenceEngine {
    let scene = std::fs::read_to_string(root().join("scenes/kuramoto_fleet.ron")).unwrap();
    let was = "coupling_rad_s: 0.24, from_s: 40";
    assert_eq!(scene.matches(was).count(), 1);
    let is = format!("coupling_rad_s: {coupling_rad_s}, from_s: {from_s}");
    engine(&[("fleet.ron", &scene.replace(was, &is))])
}

/// Phase of each robot on its circle (rad).
fn phases(engine: &CoherenceEngine) -> Vec<f64> {
    let phase = |i| {
        let name = format!("robot_{i:02}");
        let (orbit, pose): (Orbit, TruePose) = (get(engine, &name), get(engine, &name));
        let [x, y] = orbit.centre_m;
        (f64::from(pose.0.translation_m.y) - y).atan2(f64::from(pose.0.translation_m.x) - x)
    };
    (1..=ROBOTS).map(phase).collect()
}

fn order(phases: &[f64]) -> f64 {
    let (re, im) = phases
        .iter()
        .fold((0.0, 0.0), |(re, im), p| (re + p.cos(), im + p.sin()));
    f64::hypot(re, im) / phases.len() as f64
}

/// Kuramoto's pairwise equation `theta_i' = omega_i + (K/N) sum_j sin(theta_j - theta_i)`, integrated by fourth-order
/// Runge-Kutta.
fn ideal(phases: &mut [f64], coupling_rad_s: f64, dt_s: f64) {
    let rates = |at: &[f64]| -> Vec<f64> {
        let pull = |a: &f64| at.iter().map(|b| (b - a).sin()).sum::<f64>() / at.len() as f64;
        at.iter()
            .zip(0..)
            .map(|(a, i)| omega_rad_s(i) + coupling_rad_s * pull(a))
            .collect()
    };
    let ahead = |by: &[f64], dt_s: f64| -> Vec<f64> {
        phases.iter().zip(by).map(|(p, r)| p + r * dt_s).collect()
    };
    let a = rates(phases);
    let b = rates(&ahead(&a, dt_s / 2.0));
    let c = rates(&ahead(&b, dt_s / 2.0));
    let d = rates(&ahead(&c, dt_s));
    for (i, p) in phases.iter_mut().enumerate() {
        *p += (a[i] + 2.0 * b[i] + 2.0 * c[i] + d[i]) / 6.0 * dt_s;
    }
}

#[test]
fn below_critical_coupling_the_fleet_drifts_like_ideal_oscillators() {
    const COUPLING_RAD_S: f64 = 0.08;
    let mut engine = coupled(COUPLING_RAD_S, 0.0);
    // Wait until all robots move.
    engine.run_for(Duration::from_secs(3)).unwrap();
    let mut model = phases(&engine);
    let (mut largest, mut worst): (f64, f64) = (0.0, 0.0);
    for _ in 0..90 {
        engine.run_for(Duration::from_millis(500)).unwrap();
        for _ in 0..10 {
            ideal(&mut model, COUPLING_RAD_S, 0.05);
        }
        let found: FleetOrder = get(&engine, FLEET);
        assert_eq!(found.r_theory, 0.0);
        largest = largest.max(found.r);
        worst = worst.max((found.r - order(&model)).abs());
    }
    // Finite size: for random phases E r^2 = 1/(N (1 - K/K_c)) = 0.04, so r fluctuates around 0.2 and exceeds 0.5 with a
    // probability of 1/500 (Rayleigh: e^(-0.25/0.04)). When locked, a uniform distribution has at least pi/4.
    assert!(largest < 0.5, "{largest}");
    assert!(worst < 0.01, "r is off by {worst}");
}

#[test]
fn recorded_run_is_replayed() {
    let here = folder(&[]);
    // Uncoupled for a second, coupled for two.
    let args = [
        "run",
        "kuramoto_fleet",
        "--set",
        "fleet.from_s=1",
        "--set",
        "duration_s=3",
        "--record",
        "run.mcap",
        "--rerun",
        "off",
        "--quiet",
    ];
    let ran = run(here.path(), &args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for threads in ["1", "2"] {
        let args = ["replay", "run.mcap", "--verify", "--threads", threads];
        let ran = run(here.path(), &args);
        assert_eq!(ran.code, Some(0), "{threads}: {}", ran.stderr);
    }
}

#[test]
fn reset_fleet_repeats_a_fresh_run() {
    let mut engine = coupled(0.24, 1.0);
    let mut runs = [(); 2].map(|()| {
        let ran = engine.run_for(Duration::from_secs(3)).unwrap();
        engine.reset().unwrap();
        (ran.state_hash, ran.fleet)
    });
    let fresh = coupled(0.24, 1.0).run_for(Duration::from_secs(3)).unwrap();
    assert!(runs[0].1.is_some_and(|f| f.coupling_rad_s == 0.24));
    for ran in &mut runs {
        assert_eq!(*ran, (fresh.state_hash.clone(), fresh.fleet));
    }
}
