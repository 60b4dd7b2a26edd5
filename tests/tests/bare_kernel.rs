//! Kernels without a body, compared with closed forms: a tone, a chirp and noise, at any time scale.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and compares with std"
)]

use becomingone::CoherenceEngine;
use becomingone::components::coherence::Coherence;
use becomingone_tests::{engine, get, root, summary};
use std::f64::consts::{PI, TAU};

/// Kernel tick and duration of the scene.
const DT_S: f64 = 0.02;
const SAMPLES: u32 = 6000;
const WINDOWS_S: [f64; 2] = [1.0, 60.0];
const LAGS: [u32; 3] = [1, 2, 4];

fn bare_kernel() -> CoherenceEngine {
    let mut engine = CoherenceEngine::from_scene(root().join("scenes/bare_kernel.ron")).unwrap();
    assert_eq!(engine.run().unwrap().ticks, u64::from(SAMPLES));
    engine
}

/// T of the phase differences of a chirp, whose power at f is (2 sin(pi f dt))^2: the mean of e^{i 2 pi f tau} over the
/// window, weighted by the amplitudes of both factors.
fn chirp(start_hz: f64, rate_hz_s: f64, lag: u32, window_s: f64) -> [f64; 2] {
    // A difference is attributed to the midpoint of its two samples.
    let hz = |k: u32| start_hz + rate_hz_s * (f64::from(k) - 0.5) * DT_S;
    let amplitude = |k: u32| (PI * hz(k) * DT_S).sin();
    let (mut t, mut powers) = ([0.0; 2], [0.0; 2]);
    for k in lag + 1..SAMPLES {
        let weight = (-f64::from(SAMPLES - k) * DT_S / window_s).exp();
        let middle_hz = (hz(k) + hz(k - lag)) / 2.0;
        let angle = TAU * middle_hz * f64::from(lag) * DT_S;
        let both = weight * amplitude(k) * amplitude(k - lag);
        t[0] += both * angle.cos();
        t[1] += both * angle.sin();
        powers[0] += weight * amplitude(k).powi(2);
        powers[1] += weight * amplitude(k - lag).powi(2);
    }
    let scale = (powers[0] * powers[1]).sqrt();
    t.map(|x| x / scale)
}

fn assert_near(found: [f64; 2], law: [f64; 2], within: f64) {
    let off = (found[0] - law[0]).hypot(found[1] - law[1]);
    assert!(off < within, "{found:?} against {law:?}");
}

#[test]
fn tone_has_order_1_and_the_phase_of_its_frequency() {
    let coherence: Coherence = get(&bare_kernel(), "tone");
    let turn = TAU * 5.0 * DT_S;
    for t in [coherence.t_emissary, coherence.t_master] {
        assert_near(t, [turn.cos(), turn.sin()], 1e-9);
    }
    assert!((coherence.order - 1.0).abs() < 1e-9 && (coherence.order_master - 1.0).abs() < 1e-9);
    assert!(coherence.aligned && coherence.collapsed);
}

#[test]
fn chirp_is_coherent_in_the_short_window_only() {
    let coherence: Coherence = get(&bare_kernel(), "chirp");
    let laws = WINDOWS_S.map(|w| LAGS.map(|lag| chirp(8.0, 0.1, lag, w)));
    let orders = laws.map(|ts| ts.iter().map(|[re, im]| re * re + im * im).sum::<f64>() / 3.0);
    assert_near(coherence.t_emissary, laws[0][0], 1e-6);
    assert_near(coherence.t_master, laws[1][0], 1e-6);
    assert!(
        (coherence.order - orders[0]).abs() < 1e-6,
        "{coherence:?} {orders:?}"
    );
    assert!(
        (coherence.order_master - orders[1]).abs() < 1e-6,
        "{coherence:?} {orders:?}"
    );
    // |T| = 1/sqrt(1 + (2 pi kappa tau T_w)^2), for a window much shorter than the chirp.
    let spread = LAGS.map(|lag| (TAU * 0.1 * f64::from(lag) * DT_S * WINDOWS_S[0]).powi(2));
    let law = spread.iter().map(|s| 1.0 / (1.0 + s)).sum::<f64>() / 3.0;
    assert!((coherence.order - law).abs() < 1e-4, "{coherence:?} {law}");
    assert!(!coherence.aligned && coherence.collapsed);
}

#[test]
fn noise_has_the_order_of_independent_phases() {
    let coherence: Coherence = get(&bare_kernel(), "noise");
    // Consecutive differences share a phase with opposite signs: -1/2 at the first lag, then 0.
    // Bartlett: variances (1 - 3 r^2 + 4 r^4)/n = 0.5/n there, and 1.5/n at lags of two or more.
    let lam = WINDOWS_S.map(|w| (-DT_S / w).exp());
    let n = lam.map(|l| {
        let k = (SAMPLES - 2) as i32;
        (1.0 + l) / (1.0 - l) * (1.0 - l.powi(k)).powi(2) / (1.0 - l.powi(2 * k))
    });
    for (t, n) in [(coherence.t_emissary, n[0]), (coherence.t_master, n[1])] {
        assert_near(t, [-0.5, 0.0], 5.0 * (0.5 / n).sqrt());
    }
    for (order, n) in [(coherence.order, n[0]), (coherence.order_master, n[1])] {
        let law = (0.25 + (0.5 + 1.5 + 1.5) / n) / 3.0;
        // Standard deviation of |T_1|^2: 2 |T_1| sd; of the others: their means.
        let scatter = (0.5 / n + 2.0 * (1.5 / n).powi(2)).sqrt() / 3.0;
        assert!(
            (order - law).abs() < 5.0 * scatter,
            "{order} {law} {scatter}"
        );
    }
    assert!(!coherence.collapsed);
}

#[test]
fn summary_has_the_same_values() {
    let s = summary(&["bare_kernel"]);
    let orders: Vec<f64> = s["agents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["kernel"]["order"].as_f64().unwrap())
        .collect();
    assert!((orders[0] - 1.0).abs() < 1e-9, "{orders:?}");
    assert!(orders[1] > 0.99 && orders[2] < 0.3, "{orders:?}");
    assert_eq!(s["sim_s"], 120.0);
}

/// Scene with all times scaled.
fn scaled(tick_ns: u64) -> CoherenceEngine {
    let dt_s = tick_ns as f64 * 1e-9;
    let scale = dt_s / DT_S;
    let agent = |name: &str, signal: String| {
        format!(
            "(name: \"{name}\", coherence: Kernel(rate_hz: {}, emissary_window_s: {}, master_window_s: {},
                channels: [(name: \"voice\", signal: {signal})])),",
            1.0 / dt_s,
            1.0 * scale,
            60.0 * scale,
        )
    };
    let text = format!(
        "(version: 1, seed: 1, tick_ns: {tick_ns}, duration_s: {}, world: (ground: None), agents: [{}{}{}])",
        120.0 * scale,
        agent("tone", format!("Tone(frequency_hz: {})", 5.0 / scale)),
        agent(
            "chirp",
            format!(
                "Chirp(start_hz: {}, rate_hz_s: {:e})",
                8.0 / scale,
                0.1 / scale / scale
            )
        ),
        agent("noise", "Noise()".to_owned()),
    );
    let mut engine = engine(&[("scaled.ron", &text)]);
    engine.run().unwrap();
    engine
}

#[test]
fn kernel_output_is_the_same_at_a_microsecond_and_a_day() {
    let own = bare_kernel();
    for tick_ns in [1_000, 1_000_000, 86_400_000_000_000] {
        let other = scaled(tick_ns);
        for name in ["tone", "chirp", "noise"] {
            let (a, b): (Coherence, Coherence) = (get(&own, name), get(&other, name));
            assert_near(b.t_emissary, a.t_emissary, 1e-6);
            assert_near(b.t_master, a.t_master, 1e-6);
            assert_eq!((b.aligned, b.collapsed), (a.aligned, a.collapsed), "{name}");
        }
    }
}

#[test]
fn the_kernel_of_python_is_this_one() {
    let mut engine = CoherenceEngine::new();
    engine.set_pace(becomingone::Pace::Fast);
    let ran = engine.run_for(std::time::Duration::from_millis(300));
    // That of `becomingone.sdk.CoherenceEngine().run(duration=0.3)`, in plugins/python/tests/test_sdk.py.
    assert_eq!(ran.unwrap().state_hash, "5b1aa75165b23f6b");
}
