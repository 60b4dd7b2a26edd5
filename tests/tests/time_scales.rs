//! One scene at any time scale, by the built binary: the kernel says the same, to the last bit at powers of two.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and compares with std"
)]

use becomingone_tests::{folder, root, run, summary};
use serde_json::Value;
use std::f64::consts::TAU;

const AGENTS: [&str; 4] = ["tone", "chirp", "noise", "both"];

fn at(scale: &str) -> Value {
    summary(&["time_scales", "--set", &format!("time_scale={scale}")])
}

/// What an agent's kernel says of its signals: its order, and both parts of both T.
fn said(summary: &Value, agent: &str) -> [f64; 5] {
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

/// Whether it holds, and on both windows.
fn held(summary: &Value, agent: &str) -> [bool; 2] {
    let agents = summary["agents"].as_array().unwrap();
    let kernel = &agents.iter().find(|a| a["name"] == agent).unwrap()["kernel"];
    ["aligned", "collapsed"].map(|key| kernel[key].as_bool().unwrap())
}

#[test]
fn a_microsecond_and_an_hour_say_what_a_second_says() {
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
            let (a, b) = (said(&second, agent), said(&scaled, agent));
            for (a, b) in a.iter().zip(b) {
                assert!((a - b).abs() < 1e-12, "{agent} at {scale}: {b}, not {a}");
            }
            assert_eq!(held(&second, agent), held(&scaled, agent), "{agent}");
        }
        // A tenth of a turn each tick, whatever a tick is.
        let turn = TAU * 0.1;
        let law = [1.0, turn.cos(), turn.sin(), turn.cos(), turn.sin()];
        for (x, law) in said(&scaled, "tone").iter().zip(law) {
            assert!((x - law).abs() < 1e-12, "{scale}: {x}, not {law}");
        }
    }
}

#[test]
fn a_power_of_two_leaves_every_bit() {
    let second = at("1");
    for scale in [2f64.powi(-9), 2.0, 2f64.powi(12)] {
        let scaled = at(&scale.to_string());
        assert_eq!(scaled["sim_s"], 2000.0 * scale);
        for agent in AGENTS {
            assert_eq!(
                said(&second, agent).map(f64::to_bits),
                said(&scaled, agent).map(f64::to_bits),
                "{agent} at {scale}"
            );
        }
    }
}

#[test]
fn a_scale_that_is_none_is_refused_with_its_place() {
    let scene = std::fs::read_to_string(root().join("scenes/time_scales.ron")).unwrap();
    let was = "time_scale: 1,";
    assert_eq!(scene.matches(was).count(), 1);
    let at = scene.find(was).unwrap();
    let line = scene[..at].matches('\n').count() + 1;
    let column = at - scene[..at].rfind('\n').unwrap() + "time_scale: ".len();
    let body = scene.replace(
        "name: \"tone\",",
        "name: \"tone\", model: \"rover.urdf\", drive: Auto,",
    );
    for (scene, is, says) in [
        (&scene, "0", "found 0; expected a positive number"),
        (&scene, "-1", "found -1; expected a positive number"),
        (&scene, "NaN", "found NaN; expected a positive number"),
        (&scene, "inf", "found inf; expected a positive number"),
        // A tick of the scene is 1e9 ns: less than one, and one and a half.
        (
            &scene,
            "1e-10",
            "a tick is 0.1 ns; expected a tick of whole",
        ),
        (
            &scene,
            "1.5e-9",
            "a tick is 1.5 ns; expected a tick of whole",
        ),
        (&body, "2", "found 2, in a scene with bodies"),
    ] {
        let text = scene.replace(was, &format!("time_scale: {is},"));
        let here = folder(&[("scaled.ron", &text)]);
        for args in [
            ["check", "scaled.ron"].as_slice(),
            &["run", "scaled.ron", "--rerun", "off", "--quiet"],
        ] {
            let ran = run(here.path(), args);
            assert_eq!(ran.code, Some(2), "{is}: {}", ran.stderr);
            let place = format!("scaled.ron:{line}:{column}: ");
            assert!(
                ran.stderr.contains(&place) && ran.stderr.contains(says),
                "{is}: no {place}..{says}: {}",
                ran.stderr
            );
        }
    }
}

#[test]
fn a_tick_beyond_a_day_is_refused() {
    // A hundred thousand seconds.
    let ran = run(
        folder(&[]).path(),
        &["check", "time_scales", "--set", "time_scale=1e5"],
    );
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("tick_ns: found 100000000000000;"),
        "{}",
        ran.stderr
    );
}
