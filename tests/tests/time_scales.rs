//! One scene at any time scale, by the built binary: the same kernel output, bit-identical at powers of two.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and compares with std"
)]

use becomingone_tests::summary;
use serde_json::Value;
use std::f64::consts::TAU;

const AGENTS: [&str; 4] = ["tone", "chirp", "noise", "both"];

fn at(scale: &str) -> Value {
    summary(&["time_scales", "--set", &format!("time_scale={scale}")])
}

/// Kernel output of an agent: order parameter, and real and imaginary parts of both T.
fn kernel_values(summary: &Value, agent: &str) -> [f64; 5] {
    let agents = summary["agents"].as_array().unwrap();
    let kernel = &agents.iter().find(|a| a["name"] == agent).unwrap()["kernel"];
    let number = |v: &Value| v.as_f64().unwrap();
    let [e, m] = ["t_emissary", "t_master"].map(|t| &kernel[t]);
    [
        number(&kernel["order"]),
        number(&e[0]),
        number(&e[1]),
        number(&m[0]),
        number(&m[1]),
    ]
}

/// Flags of an agent: `aligned` and `collapsed`.
fn kernel_flags(summary: &Value, agent: &str) -> [bool; 2] {
    let agents = summary["agents"].as_array().unwrap();
    let kernel = &agents.iter().find(|a| a["name"] == agent).unwrap()["kernel"];
    ["aligned", "collapsed"].map(|key| kernel[key].as_bool().unwrap())
}

#[test]
fn statistics_are_the_same_at_time_scales_from_1e_6_to_3600() {
    let second = at("1");
    for (scale, sim_s) in [
        ("1e-6", 2e-3),
        ("1e-3", 2.0),
        ("1", 2e3),
        ("60", 1.2e5),
        ("3600", 7.2e6),
    ] {
        let scaled = at(scale);
        assert_eq!(scaled["ticks"], 2000, "{scale}");
        let ran_s = scaled["sim_s"].as_f64().unwrap();
        assert!((ran_s / sim_s - 1.0).abs() < 1e-12, "{scale}: {ran_s} s");
        for agent in AGENTS {
            let (a, b) = (kernel_values(&second, agent), kernel_values(&scaled, agent));
            for (a, b) in a.iter().zip(b) {
                assert!((a - b).abs() < 1e-12, "{agent} at {scale}: {b}, not {a}");
            }
            assert_eq!(
                kernel_flags(&second, agent),
                kernel_flags(&scaled, agent),
                "{agent}"
            );
        }
        // A tenth of a turn per tick, at any tick length.
        let turn = TAU * 0.1;
        let law = [1.0, turn.cos(), turn.sin(), turn.cos(), turn.sin()];
        for (x, law) in kernel_values(&scaled, "tone").iter().zip(law) {
            assert!((x - law).abs() < 1e-12, "{scale}: {x}, not {law}");
        }
    }
}

#[test]
fn statistics_are_bit_identical_at_time_scales_that_are_powers_of_two() {
    let second = at("1");
    for scale in [2f64.powi(-9), 2.0, 2f64.powi(12)] {
        let scaled = at(&scale.to_string());
        assert_eq!(scaled["sim_s"], 2000.0 * scale);
        for agent in AGENTS {
            assert_eq!(
                kernel_values(&second, agent).map(f64::to_bits),
                kernel_values(&scaled, agent).map(f64::to_bits),
                "{agent} at {scale}"
            );
        }
    }
}
