//! Position servos against closed forms and `MuJoCo`: sag under load, step responses.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and checks against formulas"
)]

use becomingone::CoherenceEngine;
use becomingone::components::joints::{JointStates, Servos};
use becomingone_tests::{engine, get};
use std::time::Duration;

/// Standard gravity (ISO 80000-3), m/s².
const G: f64 = 9.80665;

/// Accuracy of a stated stiffness.
const ACCURACY: f64 = 0.05;

/// Links in series, each 0.3 m long along x with its centre in the middle.
#[derive(Clone, Copy, Debug)]
struct Chain {
    /// About y; else along z.
    turns: bool,
    links: usize,
    mass_kg: f64,
    /// About each link's own centre.
    inertia_kg_m2: f64,
    tick_ms: f64,
}

const LENGTH_M: f64 = 0.3;
const ARM_M: f64 = LENGTH_M / 2.0;

/// The lift of the bug: 2 kg on a slide, with a centre of mass beside it.
const LIFT: Chain = Chain {
    turns: false,
    links: 1,
    mass_kg: 2.0,
    inertia_kg_m2: 2e-3,
    tick_ms: 1.0,
};

impl Chain {
    fn urdf(&self) -> String {
        let (kind, axis) = match self.turns {
            true => ("revolute", "0 -1 0"),
            false => ("prismatic", "0 0 1"),
        };
        let i = self.inertia_kg_m2;
        let mut text = "<robot name=\"r\"><link name=\"base\"/>".to_owned();
        for k in 0..self.links {
            let parent = match k {
                0 => "base".to_owned(),
                _ => format!("l{}", k - 1),
            };
            // Slides are stacked at the same place.
            let x = if k == 0 || !self.turns { 0.0 } else { LENGTH_M };
            text += &format!(
                r#"<link name="l{k}"><inertial><origin xyz="{ARM_M} 0 0"/><mass value="{m}"/>
                <inertia ixx="{i}" iyy="{i}" izz="{i}" ixy="0" ixz="0" iyz="0"/></inertial></link>
                <joint name="j{k}" type="{kind}"><parent link="{parent}"/><child link="l{k}"/>
                <origin xyz="{x} 0 0"/><axis xyz="{axis}"/>
                <limit lower="-3" upper="3" effort="1e6" velocity="1e3"/></joint>"#,
                m = self.mass_kg,
            );
        }
        text + "</robot>"
    }

    fn engine(&self, gravity_m_s2: f64, agent: &str) -> CoherenceEngine {
        let scene = format!(
            "(version: 1, tick_ns: {}, world: (gravity_m_s2: (0, 0, -{gravity_m_s2}), ground: None), agents: [
                (name: \"r\", model: \"r.urdf\", fixed: true, {agent}, coherence: off)])",
            self.tick_ms * 1e6
        );
        engine(&[("r.ron", &scene), ("r.urdf", &self.urdf())])
    }

    /// Inertia or mass that the only joint carries.
    fn carried(&self) -> f64 {
        match self.turns {
            true => self.inertia_kg_m2 + self.mass_kg * ARM_M * ARM_M,
            false => self.mass_kg,
        }
    }

    /// Moments or forces of the weight about each joint, in the pose of these positions.
    fn loads(&self, positions: &[f64]) -> Vec<f64> {
        let weight = self.mass_kg * G;
        (0..self.links)
            .map(|joint| {
                if !self.turns {
                    return weight * (self.links - joint) as f64;
                }
                let (mut angle, mut x, mut sum) = (0.0, 0.0, 0.0);
                for (k, turned) in positions.iter().enumerate() {
                    angle += turned;
                    if k >= joint {
                        sum += weight * (x + ARM_M * angle.cos());
                        x += LENGTH_M * angle.cos();
                    }
                }
                sum
            })
            .collect()
    }

    /// Sag of each servo over that of its stated stiffness.
    fn sags(&self, gains: &str, seconds: f64) -> Vec<f64> {
        let mut engine = self.engine(G, &format!("drive: Joints({gains})"));
        engine.run_for(Duration::from_secs_f64(seconds)).unwrap();
        let positions = get::<JointStates>(&engine, "r").positions;
        let servos = get::<Servos>(&engine, "r/drive").0;
        let loads = self.loads(&positions);
        let each = positions.iter().zip(loads).zip(servos);
        each.map(|((position, load), servo)| -position * servo.stiffness / load)
            .collect()
    }

    /// Way of the only joint after a step of 0.1, over the step.
    fn step(&self, gains: &str, seconds: f64) -> Vec<f64> {
        let agent = format!(
            "drive: Joints({gains}), controller: Joints(ease_s: 0, motions: [(joint: \"j0\", position: 0.1)])"
        );
        let mut engine = self.engine(0.0, &agent);
        let ticks = (seconds * 1e3 / self.tick_ms).round() as usize;
        (0..ticks)
            .map(|_| {
                engine.step().unwrap();
                get::<JointStates>(&engine, "r").positions[0] / 0.1
            })
            .collect()
    }
}

#[track_caller]
fn holds(chain: Chain, gains: &str, seconds: f64) {
    let sags = chain.sags(gains, seconds);
    let within = sags.iter().all(|sag| (sag - 1.0).abs() < ACCURACY);
    assert!(within, "{chain:?} {gains}: {sags:.4?}");
}

#[test]
fn a_servo_sags_by_load_over_its_stated_stiffness() {
    for turns in [false, true] {
        for tick_ms in [1.0, 4.0] {
            for mass_kg in [0.5, 10.0] {
                for k in [500.0, 5e3, 5e4] {
                    let chain = Chain {
                        turns,
                        tick_ms,
                        mass_kg,
                        inertia_kg_m2: mass_kg * 0.3 * 0.3 / 12.0,
                        ..LIFT
                    };
                    // Critical damping, and twice as much.
                    let damping = 4.0 * (k * chain.carried()).sqrt();
                    holds(chain, &format!("stiffness: {k}"), 3.0);
                    holds(chain, &format!("stiffness: {k}, damping: {damping}"), 3.0);
                }
            }
        }
    }
}

#[test]
fn servos_in_series_sag_by_load_over_their_stated_stiffness() {
    for turns in [false, true] {
        for links in [3, 6] {
            for (tick_ms, gains) in [
                (1.0, "stiffness: 1000"),
                (1.0, "stiffness: 5000"),
                (1.0, "stiffness: 20000, damping: 200"),
                (4.0, "stiffness: 500"),
                (4.0, "stiffness: 2000, damping: 80"),
            ] {
                let chain = Chain {
                    turns,
                    links,
                    tick_ms,
                    mass_kg: 1.0,
                    inertia_kg_m2: 8e-3,
                };
                holds(chain, gains, 4.0);
            }
        }
    }
}

/// 2 kg beside their slide, on 20 kN/m: rapier's one iteration let it sink by 3.6 mm in place of 1.
#[test]
fn a_lift_beside_its_load_sags_by_its_stated_stiffness() {
    let lift = Chain {
        inertia_kg_m2: 5e-4,
        ..LIFT
    };
    holds(lift, "stiffness: 20000, damping: 500", 4.0);
    // One iteration: (1 + x) (1 + x + z) / (1 + 2 x + z), with x = h (h k + d) r² / I, z = h (h k + d) / m.
    let h = 1e-3 / 4.0;
    let d = h * (h * 20e3 + 500.0);
    let (x, z) = (d * ARM_M * ARM_M / 5e-4, d / 2.0);
    let sags = lift.sags("stiffness: 20000, damping: 500, solver_iterations: 1", 4.0);
    let law = (1.0 + x) * (1.0 + x + z) / (1.0 + 2.0 * x + z);
    assert!((sags[0] / law - 1.0).abs() < 0.01, "{sags:?}, {law}");
}

#[test]
fn servos_move_as_position_actuators_of_mujoco() {
    // MuJoCo 4.0.0, integrator RK4, step 20 us: <position kp kv> on three hinges, `ctrl` 0.3, -0.2, 0.4 rad from 0 at rest;
    // positions after 50, 100, 200, 400 ms and 2 s.
    let chain = Chain {
        turns: true,
        links: 3,
        mass_kg: 1.0,
        inertia_kg_m2: 8e-3,
        tick_ms: 1.0,
    };
    let ticks = [50, 100, 200, 400, 2000];
    for (gains, wanted) in [
        (
            "stiffness: 400, damping: 20",
            [
                [0.119_041, -0.162_052, 0.242_700],
                [0.226_974, -0.187_888, 0.342_112],
                [0.293_082, -0.194_605, 0.394_075],
                [0.263_900, -0.216_344, 0.395_944],
                [0.267_941, -0.214_328, 0.396_689],
            ],
        ),
        (
            "stiffness: 5000, damping: 100",
            [
                [0.293_064, -0.174_116, 0.370_000],
                [0.297_773, -0.198_580, 0.397_415],
                [0.297_469, -0.201_115, 0.399_727],
                [0.297_456, -0.201_137, 0.399_741],
                [0.297_456, -0.201_137, 0.399_741],
            ],
        ),
        (
            "stiffness: 200, damping: 4",
            [
                [0.123_146, -0.263_309, 0.347_398],
                [0.197_476, -0.246_649, 0.384_798],
                [0.314_773, -0.186_914, 0.405_418],
                [0.198_782, -0.248_009, 0.387_370],
                [0.236_881, -0.228_058, 0.393_456],
            ],
        ),
    ] {
        let agent = format!(
            "drive: Joints({gains}), controller: Joints(ease_s: 0, motions: [
                (joint: \"j0\", position: 0.3), (joint: \"j1\", position: -0.2), (joint: \"j2\", position: 0.4)])"
        );
        let mut engine = chain.engine(G, &agent);
        let mut done = 0;
        for (until, wanted) in ticks.into_iter().zip(wanted) {
            while done < until {
                engine.step().unwrap();
                done += 1;
            }
            let is = get::<JointStates>(&engine, "r").positions;
            let off = is
                .iter()
                .zip(wanted)
                .map(|(is, wanted)| (is - wanted).abs());
            let most = off.fold(0.0, f64::max);
            assert!(
                most < 2e-3,
                "{gains}, {until} ms: {is:?}, MuJoCo {wanted:?}"
            );
        }
    }
}

#[test]
fn the_damping_of_a_step_response_is_that_stated() {
    let own = 2.0 * 0.3 * 0.3 / 12.0;
    for turns in [false, true] {
        for tick_ms in [1.0, 4.0] {
            let chain = Chain {
                turns,
                tick_ms,
                inertia_kg_m2: own,
                ..LIFT
            };
            let inertia = chain.carried();
            // 5 Hz.
            let w = std::f64::consts::TAU * 5.0;
            let k = inertia * w * w;
            // Critical, as stated by default: 1 - (1 + w t) exp(-w t).
            let way = chain.step(&format!("stiffness: {k}"), 1.0);
            let most = way.iter().copied().fold(0.0, f64::max);
            assert!(most < 1.001, "{chain:?}: overshoot {most}");
            for zeta in [1.0f64, 0.3] {
                let d = 2.0 * zeta * inertia * w;
                let way = chain.step(&format!("stiffness: {k}, damping: {d}"), 1.0);
                for (tick, is) in way.iter().enumerate() {
                    let wt = w * (tick + 1) as f64 * tick_ms * 1e-3;
                    let wanted = if zeta == 1.0 {
                        1.0 - (1.0 + wt) * (-wt).exp()
                    } else {
                        let root = (1.0 - zeta * zeta).sqrt();
                        let (sin, cos) = (root * wt).sin_cos();
                        1.0 - (-zeta * wt).exp() * (cos + zeta / root * sin)
                    };
                    // A substep of the integrator is late by half of itself and more.
                    let late = 0.01 * tick_ms;
                    assert!(
                        (is - wanted).abs() < late,
                        "{chain:?} {zeta}, tick {tick}: {is}, expected {wanted}"
                    );
                }
            }
        }
    }
}
