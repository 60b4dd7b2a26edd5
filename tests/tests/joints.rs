//! Joints, compared with closed forms, and with `MuJoCo` where there is none.
//!
//! Tolerances follow from the solver: it integrates in `f32` by semi-implicit Euler steps of 0.25 ms; springs, dampers,
//! servos and friction act implicitly.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and checks against formulas"
)]

use becomingone::CoherenceEngine;
use becomingone::components::body::{LinkPoses, Model, Pose, Travel, TruePose};
use becomingone::components::joints::{JointStates, Servos};
use becomingone::glam::{Quat, Vec3};
use becomingone::prelude::{EncoderAngles, Name, Reading};
use becomingone::systems::physics::{Bodies, Physics};
use becomingone_tests::{engine, get, peer_robot, root};
use std::f64::consts::{FRAC_PI_2, PI, TAU};
use std::time::Duration;

/// Standard gravity (ISO 80000-3), m/s².
const G: f64 = 9.80665;

/// Pendulum: distance of the rod's centre of mass below its joint (m), mass (kg), inertia across the rod about its centre
/// and about the joint (kg m²), and moment of its weight (N m).
const ARM_M: f64 = 0.5;
const MASS_KG: f64 = 1.0;
const OWN_KG_M2: f64 = 0.01;
const INERTIA_KG_M2: f64 = OWN_KG_M2 + MASS_KG * ARM_M * ARM_M;
const MOMENT_N_M: f64 = MASS_KG * G * ARM_M;

/// Duration of a tick, and of each of its four solver steps (s).
const TICK_S: f64 = 1e-3;
const STEP_S: f64 = TICK_S / 4.0;

/// Creep of a braked joint under a moment (rad/s). Rapier's motors use a link's inertia about its centre only and leave the
/// rest to the joint's other constraint rows; these run twice per step without a warm start, so this part of the
/// moment's impulse remains.
fn creep_rad_s(moment_n_m: f64) -> f64 {
    moment_n_m * STEP_S / (2.0 * OWN_KG_M2)
}

/// Link that hangs below its joint.
fn rod(name: &str) -> String {
    format!(
        r#"<link name="{name}"><inertial><origin xyz="0 0 -{ARM_M}"/><mass value="{MASS_KG}"/>
        <inertia ixx="{OWN_KG_M2}" iyy="{OWN_KG_M2}" izz="{OWN_KG_M2}" ixy="0" ixz="0" iyz="0"/></inertial></link>"#
    )
}

/// Joint about or along y, tilted about y, with further XML elements.
fn joint(name: &str, kind: &str, links: [&str; 2], xyz: &str, tilt_rad: f64, xml: &str) -> String {
    let [parent, child] = links;
    format!(
        r#"<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/>
        <origin xyz="{xyz}" rpy="0 {tilt_rad} 0"/><axis xyz="0 1 0"/>{xml}</joint>"#
    )
}

fn robot(parts: &[String]) -> String {
    format!(
        r#"<robot name="r"><link name="base"/>{}</robot>"#,
        parts.concat()
    )
}

/// One rod on a base, its joint's zero tilted away from vertical.
fn pendulum(kind: &str, tilt_rad: f64, xml: &str) -> String {
    let swing = joint("a", kind, ["base", "rod"], "0 0 0", tilt_rad, xml);
    robot(&[rod("rod"), swing])
}

/// Robot with a fixed base and without ground.
fn bolted(file: &str, text: &str, gravity_m_s2: f64, agent: &str) -> CoherenceEngine {
    let scene = format!(
        "(version: 1, world: (gravity_m_s2: (0, 0, -{gravity_m_s2}), ground: None), agents: [
            (name: \"r\", model: \"{file}\", fixed: true, {agent}),
        ])"
    );
    engine(&[("r.ron", &scene), (file, text)])
}

fn urdf(text: &str, gravity_m_s2: f64, agent: &str) -> CoherenceEngine {
    bolted("r.urdf", text, gravity_m_s2, agent)
}

/// Samples a value at each tick.
fn trace<T>(
    engine: &mut CoherenceEngine,
    seconds: f64,
    mut see: impl FnMut(&CoherenceEngine) -> T,
) -> Vec<T> {
    let ticks = (seconds / TICK_S).round() as usize;
    (0..ticks)
        .map(|_| {
            engine.step().unwrap();
            see(engine)
        })
        .collect()
}

/// Angle of a link about y from the vertical (rad).
fn angle(engine: &CoherenceEngine, link: usize) -> f64 {
    let down = get::<LinkPoses>(engine, "r").0[link].rotation * Vec3::NEG_Z;
    f64::atan2(f64::from(-down.x), f64::from(-down.z))
}

fn position(engine: &CoherenceEngine, joint: usize) -> f64 {
    get::<JointStates>(engine, "r").positions[joint]
}

fn positions(engine: &CoherenceEngine) -> Vec<f64> {
    get::<JointStates>(engine, "r").positions
}

fn velocity(engine: &CoherenceEngine, joint: usize) -> f64 {
    get::<JointStates>(engine, "r").velocities[joint]
}

/// Sets the angular velocity of a link about y (rad/s).
fn spin(engine: &mut CoherenceEngine, link: usize, rad_s: f32) {
    engine.start().unwrap();
    let world = engine.world_mut();
    let mut named = world.query::<(&Name, &Bodies)>();
    let handle = named.iter(world).next().unwrap().1.links[link];
    let mut physics = world.resource_mut::<Physics>();
    let body = physics.rapier.bodies.get_mut(handle).unwrap();
    // The joint's position does not move.
    let arm = body.rotation() * Vec3::NEG_Z * ARM_M as f32;
    let spin = Vec3::Y * rad_s;
    body.set_angvel(spin, true);
    body.set_linvel(spin.cross(arm), true);
}

/// Times at which a motion crosses a value upwards (s), linearly interpolated between ticks.
fn crossings(xs: &[f64], level: f64) -> Vec<f64> {
    let pairs = xs.windows(2).enumerate();
    pairs
        .filter(|(_, w)| w[0] < level && w[1] >= level)
        .map(|(k, w)| (k as f64 + 1.0 + (level - w[0]) / (w[1] - w[0])) * TICK_S)
        .collect()
}

/// Mean period over all complete swings (s).
fn period(xs: &[f64], level: f64) -> f64 {
    let at = crossings(xs, level);
    (at[at.len() - 1] - at[0]) / (at.len() - 1) as f64
}

/// Amplitudes of the swings of a motion that starts at a turning point, without the start.
fn peaks(xs: &[f64]) -> Vec<f64> {
    let swings = xs.chunk_by(|a, b| (*a < 0.0) == (*b < 0.0));
    let mut peaks: Vec<f64> = swings.map(|s| largest(s.iter().copied())).collect();
    // The last swing may be incomplete.
    peaks.pop();
    peaks.remove(0);
    peaks
}

fn largest(xs: impl IntoIterator<Item = f64>) -> f64 {
    xs.into_iter().map(f64::abs).fold(0.0, f64::max)
}

/// Checks the relative error of a number.
#[track_caller]
fn near(is: f64, wanted: f64, within: f64, what: &str) {
    let off = (is - wanted).abs() / wanted.abs();
    assert!(
        off <= within,
        "{what}: {is}, wanted {wanted} within {within}"
    );
}

#[track_caller]
fn below(is: f64, most: f64, what: &str) {
    assert!(is <= most, "{what}: {is}, at most {most}");
}

// --- Passive joints --------------------------------------------------------------------------

#[test]
fn pendulum_has_the_theoretical_period_and_conserves_energy() {
    let start = 0.1;
    let mut free = urdf(&pendulum("continuous", start, ""), G, "");
    let xs = trace(&mut free, 20.0, |e| angle(e, 1));
    let slow = 1.0 + start * start / 16.0;
    let wanted = TAU * (INERTIA_KG_M2 / MOMENT_N_M).sqrt() * slow;
    near(period(&xs, 0.0), wanted, 0.002, "period");
    // Energy is proportional to the square of the amplitude.
    let last = *peaks(&xs).last().unwrap();
    below(
        ((last / start).powi(2) - 1.0).abs(),
        0.02,
        "energy drift in 20 s",
    );
}

#[test]
fn viscous_damping_decays_exponentially() {
    let (start, c) = (0.1, 0.05);
    let damped = pendulum("continuous", start, &format!("<dynamics damping=\"{c}\"/>"));
    let xs = trace(&mut urdf(&damped, G, ""), 12.0, |e| angle(e, 1));
    let peaks = peaks(&xs);
    let half_period_s = PI * (INERTIA_KG_M2 / MOMENT_N_M).sqrt();
    let passed_s = half_period_s * (peaks.len() - 1) as f64;
    let rate = (peaks[0] / peaks[peaks.len() - 1]).ln() / passed_s;
    near(rate, c / (2.0 * INERTIA_KG_M2), 0.02, "decay");
}

#[test]
fn coulomb_friction_reduces_each_half_swing_equally_until_rest() {
    let (start, f) = (0.2, 0.05);
    let rubbed = pendulum(
        "continuous",
        start,
        &format!("<dynamics friction=\"{f}\"/>"),
    );
    let xs = trace(&mut urdf(&rubbed, G, ""), 14.0, |e| angle(e, 1));
    let peaks = peaks(&xs);
    let band = f / MOMENT_N_M;
    let falls: Vec<f64> = peaks.windows(2).take(6).map(|w| w[0] - w[1]).collect();
    for fall in &falls {
        near(*fall, 2.0 * band, 0.05, "fall of a half swing");
    }
    let rest = xs[xs.len() - 1];
    below(rest.abs(), band, "rest");
    // 9 half swings take 6.5 s.
    below((rest - xs[9_000]).abs(), 1e-4, "creep in 5 s at rest");
}

#[test]
fn friction_holds_loads_below_its_limit_only() {
    // Horizontal: the joint carries the full moment of the weight.
    let held = |f: f64| {
        let xml = format!("<dynamics friction=\"{f}\"/>");
        let mut arm = urdf(&pendulum("continuous", -FRAC_PI_2, &xml), G, "");
        trace(&mut arm, 1.0, |e| angle(e, 1) + FRAC_PI_2)
    };
    let sunk = held(MOMENT_N_M * 1.05);
    below(largest(sunk), 1.1 * creep_rad_s(MOMENT_N_M), "sinks in 1 s");
    // Initial acceleration from the remaining moment: alpha = (m g l - f) / I.
    let f = MOMENT_N_M * 0.5;
    let falls = held(f);
    let t = 0.15;
    let fell = (MOMENT_N_M - f) / INERTIA_KG_M2 * t * t / 2.0;
    near(falls[149], fell, 0.02, "falls");
}

#[test]
fn damping_and_friction_act_together() {
    let (start, c, f) = (0.2, 0.1, 0.03);
    let xml = format!("<dynamics damping=\"{c}\" friction=\"{f}\"/>");
    let both = pendulum("continuous", start, &xml);
    let xs = trace(&mut urdf(&both, G, ""), 4.0, |e| angle(e, 1));
    // Each half swing is damped about a point shifted by friction.
    let band = f / MOMENT_N_M;
    let zeta = c / (2.0 * (INERTIA_KG_M2 * MOMENT_N_M).sqrt());
    let kept = (-PI * zeta / (1.0 - zeta * zeta).sqrt()).exp();
    let mut wanted = start;
    for peak in peaks(&xs).iter().take(4) {
        wanted = kept * (wanted - band) - band;
        near(*peak, wanted, 0.02, "peak");
    }
}

#[test]
fn damping_and_friction_act_on_a_servo_too() {
    // A servo with a target of constant speed w lags by (c w + f) / k.
    let (k, c, f, speed) = (20.0, 4.0, 4.0, 2.0);
    let lag = |xml: &str| {
        // The target moves at the joint's velocity limit.
        let limit = limit(-20.0, 20.0, 100.0, speed);
        let text = pendulum("revolute", 0.0, &format!("{limit}{xml}"));
        let agent = format!(
            "drive: Joints(stiffness: {k}, damping: 2.0),
             controller: Joints(ease_s: 0, motions: [(joint: \"a\", position: 6)])"
        );
        let xs = trace(&mut urdf(&text, 0.0, &agent), 2.5, |e| position(e, 0));
        speed * 2.5 - xs[xs.len() - 1]
    };
    let damped = format!("<dynamics damping=\"{c}\"/>");
    near(lag(&damped), c * speed / k, 0.02, "damped");
    let both = format!("<dynamics damping=\"{c}\" friction=\"{f}\"/>");
    near(lag(&both), (c * speed + f) / k, 0.02, "both");
    // At rest, only friction keeps it from its target: by f / k.
    let rubbed = format!(
        "{}<dynamics friction=\"{f}\"/>",
        limit(-20.0, 20.0, 100.0, speed)
    );
    let agent = format!(
        "drive: Joints(stiffness: {k}, damping: 8.0),
         controller: Joints(ease_s: 2, motions: [(joint: \"a\", position: 1)])"
    );
    let mut stuck = urdf(&pendulum("revolute", 0.0, &rubbed), 0.0, &agent);
    let xs = trace(&mut stuck, 5.0, |e| position(e, 0));
    // At the friction limit it creeps, as all brakes do.
    let short = 1.0 - xs[xs.len() - 1];
    below(short, f / k, "rubbed");
    below(f / k - 3.0 * creep_rad_s(f), short, "rubbed");
}

#[test]
fn damping_and_friction_brake_driven_wheels() {
    // A wheel's servo gives (w_set - w) K up to its torque T, K = T / 0.5 rad/s: at a steady speed in
    // the air, T (w_set - w) / 0.5 = c w + f.
    let rover = std::fs::read_to_string(root().join("assets/rover.urdf")).unwrap();
    let speed = |dynamics: &str| {
        let mut text = String::new();
        for line in rover.lines() {
            let own = line.contains("<dynamics");
            if !own {
                text.push_str(line);
                text.push('\n');
            }
            if line.contains("wheel_joint\" type=\"continuous\"") {
                text.push_str(dynamics);
            }
        }
        let scene = "(version: 1, world: (gravity_m_s2: (0, 0, 0), ground: None), agents: [(
            name: \"r\", model: \"r.urdf\", fixed: true, drive: Auto,
            sensors: [(name: \"e\", kind: Encoders(), rate_hz: 1000)],
            controller: Patrol(waypoints_m: [(100, 0)], speed_m_s: 0.5, localisation: Truth),
        )])";
        let mut engine = engine(&[("r.ron", scene), ("r.urdf", &text)]);
        let turned = trace(&mut engine, 3.0, |e| {
            let reading = get::<Reading<EncoderAngles>>(e, "r/e");
            reading.latest().map_or(0.0, |s| s.value.angles_rad[0])
        });
        turned[2999] - turned[1999]
    };
    let drive = |engine: &CoherenceEngine| {
        get::<becomingone::components::drive::Drive>(engine, "r/drive").wheels[0].max_torque_n_m
    };
    let scene = "(version: 1, agents: [(name: \"r\", model: \"rover.urdf\", drive: Auto)])";
    let mut plain = engine(&[("r.ron", scene)]);
    plain.start().unwrap();
    let gain = drive(&plain) / 0.5;
    let set = speed("");
    let (c, f) = (0.1 * gain, 0.05 * gain);
    near(
        speed(&format!("<dynamics damping=\"{c}\"/>")),
        set * gain / (gain + c),
        0.01,
        "damped",
    );
    near(
        speed(&format!("<dynamics friction=\"{f}\"/>")),
        set - f / gain,
        0.01,
        "rubbed",
    );
}

#[test]
fn spring_has_its_frequency_and_rest_position() {
    let (k, rest) = (2.0, 0.4_f64);
    let mjcf = |damping: f64| {
        let degrees = rest.to_degrees();
        format!(
            r#"<mujoco><worldbody><body><joint name="a" type="hinge" axis="0 1 0" stiffness="{k}"
               springref="{degrees}" damping="{damping}"/>
               <inertial pos="0 0 -{ARM_M}" mass="{MASS_KG}" diaginertia="{OWN_KG_M2} {OWN_KG_M2} {OWN_KG_M2}"/>
               </body></worldbody></mujoco>"#
        )
    };
    let mut free = bolted("r.xml", &mjcf(0.0), 0.0, "");
    let xs = trace(&mut free, 10.0, |e| angle(e, 1));
    near(
        period(&xs, rest),
        TAU * (INERTIA_KG_M2 / k).sqrt(),
        0.002,
        "period",
    );
    near(
        xs.iter().copied().fold(0.0, f64::max),
        2.0 * rest,
        0.01,
        "reach",
    );
    let mut damped = bolted("r.xml", &mjcf(1.0), 0.0, "");
    let xs = trace(&mut damped, 6.0, |e| angle(e, 1));
    near(xs[xs.len() - 1], rest, 1e-3, "rest");
    // With its weight: k (rest - q) = m g l sin q.
    let mut hung = bolted("r.xml", &mjcf(1.0), G, "");
    let xs = trace(&mut hung, 6.0, |e| angle(e, 1));
    let q = xs[xs.len() - 1];
    near(MOMENT_N_M * q.sin(), k * (rest - q), 0.005, "balance");
}

#[test]
fn a_sliding_spring_has_its_frequency() {
    let (k, rest) = (50.0_f64, 0.1);
    let text = format!(
        r#"<mujoco><worldbody><body><joint name="a" type="slide" axis="0 1 0" stiffness="{k}" springref="{rest}"/>
           <inertial pos="0 0 0" mass="2" diaginertia="0.01 0.01 0.01"/></body></worldbody></mujoco>"#
    );
    let mut sled = bolted("r.xml", &text, 0.0, "");
    let xs = trace(&mut sled, 10.0, |e| {
        f64::from(get::<LinkPoses>(e, "r").0[1].translation_m.y)
    });
    near(period(&xs, rest), TAU * (2.0 / k).sqrt(), 0.002, "period");
}

#[test]
fn a_rotor_adds_its_inertia() {
    let armature = 0.26;
    let text = |armature: f64| {
        format!(
            r#"<mujoco><worldbody><body euler="0 6 0"><joint name="a" type="hinge" axis="0 1 0" armature="{armature}"/>
               <inertial pos="0 0 -{ARM_M}" mass="{MASS_KG}" diaginertia="{OWN_KG_M2} {OWN_KG_M2} {OWN_KG_M2}"/>
               </body></worldbody></mujoco>"#
        )
    };
    for a in [0.0, armature] {
        let xs = trace(&mut bolted("r.xml", &text(a), G, ""), 10.0, |e| angle(e, 1));
        let slow = 1.0 + 6.0_f64.to_radians().powi(2) / 16.0;
        let wanted = TAU * ((INERTIA_KG_M2 + a) / MOMENT_N_M).sqrt() * slow;
        near(period(&xs, 0.0), wanted, 0.002, "period");
    }
}

#[test]
fn a_sliding_rotor_adds_its_inertia() {
    // A servo of 10 N moves 2 kg plus a rotor of 3 kg: 2 m/s².
    let text = r#"<mujoco><worldbody><body><joint name="a" type="slide" axis="0 1 0" armature="3"
        actuatorfrcrange="-10 10"/>
        <inertial pos="0 0 0" mass="2" diaginertia="0.01 0.01 0.01"/></body></worldbody></mujoco>"#;
    let mut sled = bolted("r.xml", text, 0.0, PUSHED);
    let xs = trace(&mut sled, 0.5, |e| position(e, 0));
    near(xs[499], 2.0 * 0.5 * 0.5 / 2.0, 0.01, "way");
}

#[test]
fn double_pendulum_matches_mujoco() {
    // MuJoCo 4.0.0, integrator RK4, step 20 us: hinges about y, rods of 1 kg with their centres of mass at
    // 0.25 m and diaginertia 0.02 0.02 0.005, the second 0.5 m below the first; from 1.5 and -0.5 rad at rest.
    for (damping, wanted) in [
        (
            0.0,
            [
                [0.727_626, 0.565_936],
                [-0.063_197, -0.480_646],
                [-1.189_871, 0.073_836],
            ],
        ),
        (
            0.1,
            [
                [0.840_103, 0.240_085],
                [-0.096_786, -0.142_206],
                [-0.997_886, -0.161_888],
            ],
        ),
    ] {
        let text = format!(
            r#"<mujoco><compiler angle="radian"/><worldbody>
               <body><joint name="a" type="hinge" axis="0 1 0" damping="{damping}"/>
               <inertial pos="0 0 -0.25" mass="1" diaginertia="0.02 0.02 0.005"/>
               <body pos="0 0 -0.5"><joint name="b" type="hinge" axis="0 1 0" damping="{damping}"/>
               <inertial pos="0 0 -0.25" mass="1" diaginertia="0.02 0.02 0.005"/></body></body></worldbody>
               <keyframe><key qpos="1.5 -0.5"/></keyframe></mujoco>"#
        );
        let mut rods = bolted("r.xml", &text, G, "");
        let xs = trace(&mut rods, 0.75, |e| {
            let a = angle(e, 1);
            [a, angle(e, 2) - a]
        });
        for (k, wanted) in wanted.iter().enumerate() {
            let is = xs[250 * (k + 1) - 1];
            for (is, wanted) in is.iter().zip(wanted) {
                assert!((is - wanted).abs() < 0.01, "{is}, MuJoCo {wanted}");
            }
        }
    }
}

// --- Servos -------------------------------------------------------------------------------------

/// Servo so stiff that it saturates; target 2 rad or 2 m, set at once.
const PUSHED: &str = "drive: Joints(stiffness: 1e5, damping: 1e-3),
    controller: Joints(ease_s: 0, motions: [(joint: \"a\", position: 2)])";

fn limit(lower: f64, upper: f64, effort: f64, velocity: f64) -> String {
    format!(
        "<limit lower=\"{lower}\" upper=\"{upper}\" effort=\"{effort}\" velocity=\"{velocity}\"/>"
    )
}

#[test]
fn servo_sag_is_moment_over_stiffness() {
    let k = 60.0;
    for d in [0.5, 2.0, 8.0] {
        let text = pendulum("revolute", -FRAC_PI_2, &limit(-1.0, 1.0, 100.0, 10.0));
        let agent = format!("drive: Joints(stiffness: {k}, damping: {d})");
        let q = *trace(&mut urdf(&text, G, &agent), 8.0, |e| position(e, 0))
            .last()
            .unwrap();
        // As for brakes: servo damping acts on the link's inertia about its centre, for this rod a 26th of that about
        // its joint.
        near(q * k, MOMENT_N_M * q.cos(), 0.002 + 0.004 * d, "sag");
    }
    let text = pendulum("prismatic", 0.0, &limit(-1.0, 1.0, 100.0, 10.0))
        .replace("<axis xyz=\"0 1 0\"/>", "<axis xyz=\"0 0 1\"/>");
    let mut lift = urdf(&text, G, "drive: Joints(stiffness: 200, damping: 40)");
    let q = *trace(&mut lift, 4.0, |e| position(e, 0)).last().unwrap();
    near(q, -MASS_KG * G / 200.0, 0.002, "sag of a slide");
}

#[test]
fn servo_effort_is_limited() {
    let effort = 3.0;
    for (kind, inertia) in [("revolute", INERTIA_KG_M2), ("prismatic", MASS_KG)] {
        let text = pendulum(kind, 0.0, &limit(-3.0, 3.0, effort, 100.0));
        let xs = trace(&mut urdf(&text, 0.0, PUSHED), 0.3, |e| position(e, 0));
        near(xs[299], effort / inertia * 0.3 * 0.3 / 2.0, 0.01, kind);
    }
    // Horizontal, with an effort below the moment of the weight: it falls by the difference.
    let text = pendulum("revolute", -FRAC_PI_2, &limit(-3.0, 3.0, effort, 100.0));
    let up = PUSHED.replace("position: 2", "position: -2");
    let xs = trace(&mut urdf(&text, G, &up), 0.15, |e| position(e, 0));
    let fell = (MOMENT_N_M - effort) / INERTIA_KG_M2 * 0.15 * 0.15 / 2.0;
    near(xs[149], fell, 0.02, "falls");
    // With an effort above it, it lifts.
    let text = pendulum(
        "revolute",
        -FRAC_PI_2,
        &limit(-3.0, 3.0, 1.05 * MOMENT_N_M, 100.0),
    );
    let mut able = urdf(&text, G, "drive: Joints()");
    below(
        largest(trace(&mut able, 2.0, |e| position(e, 0))),
        0.05,
        "sag of one that can hold",
    );
}

#[test]
fn servo_approaches_a_far_target_at_its_velocity_limit() {
    for (kind, target, most) in [("revolute", 2.8, 1.2), ("prismatic", 1.0, 0.4)] {
        let text = pendulum(kind, 0.0, &limit(-3.0, 3.0, 200.0, most));
        let agent = format!(
            "drive: Joints(), controller: Joints(ease_s: 0, motions: [(joint: \"a\", position: {target})])"
        );
        let xs = trace(&mut urdf(&text, G, &agent), target / most + 1.0, |e| {
            (position(e, 0), velocity(e, 0))
        });
        // The limit acts after a tick, in which the servo accelerates by at most 2 w = 6 %.
        let mut over = 0.06 * most;
        if kind == "revolute" {
            over += creep_rad_s(MOMENT_N_M);
        }
        below(largest(xs.iter().map(|x| x.1)), most + over, kind);
        let arrived = xs.iter().position(|x| x.0 > 0.98 * target).unwrap() as f64 * TICK_S;
        near(arrived, target / most, 0.1, "time of the way");
        // Under its weight.
        below((xs[xs.len() - 1].0 - target).abs(), 0.02, "misses");
    }
}

#[test]
fn falling_arm_keeps_its_velocity_limit() {
    let most = 1.5;
    for (kind, axis) in [
        ("revolute", "0 1 0"),
        ("prismatic", "0 0 -1"),
        ("continuous", "0 1 0"),
    ] {
        let text = pendulum(
            kind,
            if kind == "prismatic" { 0.0 } else { -FRAC_PI_2 },
            &limit(-9.0, 9.0, 100.0, most),
        )
        .replace("<axis xyz=\"0 1 0\"/>", &format!("<axis xyz=\"{axis}\"/>"));
        let mut arm = urdf(&text, G, "");
        let vs = trace(&mut arm, 0.9, |e| velocity(e, 0));
        let creep = match kind {
            "prismatic" => 0.0,
            _ => creep_rad_s(MOMENT_N_M),
        };
        below(largest(vs.iter().copied()), 1.02 * most + creep, kind);
        let mean = vs[500..900].iter().sum::<f64>() / 400.0;
        near(mean, most, 0.05, "mean speed at its limit");
    }
}

#[test]
fn servo_tracks_a_sinusoid_like_a_second_order_system() {
    // I q'' = k (r - q) + d (r' - q'): the error's amplitude over that of r is I w² / |k - I w² + i d w|.
    let (k, d, amplitude, hz) = (12.0, 0.8, 0.5, 0.6);
    for (kind, inertia) in [("revolute", INERTIA_KG_M2), ("prismatic", MASS_KG)] {
        let text = pendulum(kind, 0.0, &limit(-3.0, 3.0, 1e3, 1e3));
        let agent = format!(
            "drive: Joints(stiffness: {k}, damping: {d}),
             controller: Joints(motions: [(joint: \"a\", amplitude: {amplitude}, frequency_hz: {hz})])"
        );
        let seconds = 20.0 / hz;
        let xs = trace(&mut urdf(&text, 0.0, &agent), seconds, |e| position(e, 0));
        let w = TAU * hz;
        let last = xs.len() - (2.0 / hz / TICK_S).round() as usize;
        let error = largest(
            (last..xs.len()).map(|t| xs[t] - amplitude * (w * (t + 1) as f64 * TICK_S).sin()),
        );
        let moved = inertia * w * w;
        let wanted = amplitude * moved / (k - moved).hypot(d * w);
        near(error, wanted, 0.02, kind);
    }
}

#[test]
fn servo_gains_are_those_of_the_scene() {
    let text = pendulum("revolute", 0.0, &limit(-2.0, 1.0, 7.0, 3.0));
    let mut arm = urdf(&text, G, "drive: Joints(stiffness: 11)");
    arm.start().unwrap();
    let servo = get::<Servos>(&arm, "r/drive").0[0];
    assert_eq!(
        (
            servo.joint,
            servo.stiffness,
            servo.max_effort,
            servo.max_velocity
        ),
        (0, 11.0, 7.0, 3.0)
    );
    near(
        servo.damping,
        2.0 * (11.0 * INERTIA_KG_M2).sqrt(),
        1e-4,
        "critical damping",
    );
    assert_eq!(servo.range, [-2.0, 1.0]);
}

#[test]
fn motions_start_without_a_jump() {
    let text = pendulum("revolute", 0.0, &limit(-3.0, 3.0, 1e3, 1e3));
    let mut arm = urdf(&text, 0.0, "drive: Joints(stiffness: 4000, damping: 60),
        controller: Joints(ease_s: 2, motions: [(joint: \"a\", position: 1, amplitude: 0.5, frequency_hz: 0.5, phase_rad: 1)])");
    let xs = trace(&mut arm, 5.0, |e| (position(e, 0), velocity(e, 0)));
    below(xs[20].0.abs(), 1e-3, "moved in the first 20 ms");
    // At most the sum of the speeds of a half cosine to the far end of the motion and of the motion.
    let most = 1.5 * PI / (2.0 * 2.0) + 0.5 * PI;
    below(largest(xs.iter().map(|x| x.1)), most, "speed");
    for t in [2500, 3000, 4000] {
        let wanted = 1.0 + 0.5 * (PI * (t + 1) as f64 * TICK_S + 1.0).sin();
        below((xs[t].0 - wanted).abs(), 0.01, "after the way in");
    }
}

// --- Turns ----------------------------------------------------------------------------------------

/// Servo on a rod without gravity, with a constant target.
fn commanded_rod(kind: &str, xml: &str, gains: &str, target: f64, ease_s: f64) -> CoherenceEngine {
    let agent = format!(
        "drive: Joints({gains}), sensors: [(name: \"e\", kind: Encoders(), rate_hz: 100)],
         controller: Joints(ease_s: {ease_s}, motions: [(joint: \"a\", position: {target})])"
    );
    urdf(&pendulum(kind, 0.0, xml), 0.0, &agent)
}

#[test]
fn servo_follows_targets_of_several_turns() {
    for (kind, xml, target) in [
        ("revolute", limit(-TAU, TAU, 50.0, 4.0), 5.0),
        ("revolute", limit(-TAU, TAU, 50.0, 4.0), -6.0),
        ("revolute", limit(-30.0, 30.0, 50.0, 20.0), -29.0),
        ("continuous", String::new(), 20.0),
        ("continuous", String::new(), -3.3),
        ("continuous", String::new(), 100.0),
        ("continuous", limit(0.0, 0.0, 50.0, 20.0), 20.0),
    ] {
        let mut arm = commanded_rod(kind, &xml, "", target, 2.0);
        let last_s = 3.0 + target.abs() / 20.0;
        let xs = trace(&mut arm, last_s + 1.0, |e| position(e, 0));
        for t in [(last_s / TICK_S) as usize, xs.len() - 1] {
            below((xs[t] - target).abs(), 0.01, &format!("{kind} to {target}"));
        }
        // No overshoot by a turn.
        let most = largest(xs.iter().copied());
        below(most, target.abs() + 0.3, "on the way");
        let reading = get::<Reading<EncoderAngles>>(&arm, "r/e");
        near(
            reading.latest().unwrap().value.angles_rad[0],
            target,
            0.01,
            "encoder",
        );
    }
}

#[test]
fn servo_more_than_half_a_turn_behind_takes_the_full_path() {
    // Weak servo, or a step of the target: the error exceeds half a turn.
    for (xml, from_to) in [
        (limit(-4.0, 2.0, 2.0, 1e3), [0.0, -3.9]),
        (limit(-20.0, 20.0, 2.0, 1e3), [0.0, 12.0]),
        (limit(-20.0, 20.0, 2.0, 1e3), [0.0, 4.5]),
        (limit(-20.0, 20.0, 2.0, 1e3), [0.0, -7.0]),
    ] {
        let mut arm = commanded_rod(
            "revolute",
            &xml,
            "stiffness: 5, damping: 3",
            from_to[1],
            0.0,
        );
        let xs = trace(&mut arm, 12.0, |e| position(e, 0));
        below(
            (xs[xs.len() - 1] - from_to[1]).abs(),
            0.02,
            &format!("to {}", from_to[1]),
        );
        let back = xs.iter().map(|x| x / from_to[1]).fold(0.0, f64::min);
        assert!(back > -0.01, "the wrong way by {back}");
    }
}

#[test]
fn servo_turned_by_force_returns_by_the_same_turns() {
    let mut arm = urdf(
        &pendulum("revolute", 0.0, &limit(-30.0, 30.0, 3.0, 1e3)),
        0.0,
        "drive: Joints(stiffness: 5, damping: 1.5)",
    );
    spin(&mut arm, 1, 20.0);
    let xs = trace(&mut arm, 12.0, |e| position(e, 0));
    assert!(
        largest(xs.iter().copied()) > TAU,
        "it was turned away more than once"
    );
    below(xs[xs.len() - 1].abs(), 0.02, "back");
}

#[test]
fn joint_of_two_turns_stops_at_its_limits() {
    for speed in [3.0, -15.0, 40.0] {
        let mut arm = urdf(
            &pendulum("revolute", 0.0, &limit(-TAU, TAU, 1e3, 1e3)),
            0.0,
            "",
        );
        spin(&mut arm, 1, speed);
        let xs = trace(&mut arm, 6.0, |e| position(e, 0));
        let past = largest(xs.iter().copied()) - TAU;
        // Detected after a tick, stopped within the next few.
        below(
            past,
            f64::from(speed.abs()) * 5.0 * TICK_S + 0.01,
            "past its range",
        );
        below(xs[xs.len() - 1].abs(), TAU + 1e-3, "comes back");
    }
}

#[test]
fn range_beyond_half_a_turn_is_respected() {
    // Rapier's angle wraps at half a turn; the range extends beyond.
    for (lower, upper, speed, end) in [
        (-4.0, 1.0, -6.0, -4.0),
        (-4.0, 1.0, 6.0, 1.0),
        (-0.02, 3.75, 4.0, 3.75),
    ] {
        let xml = format!(
            "{}<dynamics damping=\"0.01\"/>",
            limit(lower, upper, 1e3, 1e3)
        );
        let mut arm = urdf(&pendulum("revolute", 0.0, &xml), 0.0, "");
        spin(&mut arm, 1, speed);
        let xs = trace(&mut arm, 4.0, |e| position(e, 0));
        let reached = if end < 0.0 {
            xs.iter().copied().fold(0.0, f64::min)
        } else {
            xs.iter().copied().fold(0.0, f64::max)
        };
        near(reached, end, 0.02, "end of the range");
    }
}

// --- Limits ---------------------------------------------------------------------------------------

#[test]
fn limits_hold_against_weight_and_effort() {
    // Falls onto its limit at 0.3 rad and stays.
    let text = pendulum("revolute", -FRAC_PI_2, &limit(-0.3, 0.3, 10.0, 100.0));
    let xs = trace(&mut urdf(&text, G, ""), 3.0, |e| position(e, 0));
    below(largest(xs.iter().copied()), 0.3 + 0.01, "weight");
    near(xs[xs.len() - 1], 0.3, 0.01, "rest on the limit");
    // A prismatic joint falls onto its limit.
    let text = pendulum("prismatic", 0.0, &limit(-0.1, 0.2, 10.0, 100.0))
        .replace("<axis xyz=\"0 1 0\"/>", "<axis xyz=\"0 0 1\"/>");
    let xs = trace(&mut urdf(&text, G, ""), 3.0, |e| position(e, 0));
    below(largest(xs.iter().copied()), 0.1 + 0.005, "a slide's weight");
    // The second rod has a range of 0.2 rad; the servo of the first shakes it strongly.
    let text = robot(&[
        rod("upper"),
        rod("lower"),
        joint(
            "a",
            "revolute",
            ["base", "upper"],
            "0 0 0",
            0.0,
            &limit(-3.0, 3.0, 300.0, 30.0),
        ),
        joint(
            "b",
            "revolute",
            ["upper", "lower"],
            "0 0 -1",
            0.0,
            &limit(-0.2, 0.2, 0.001, 100.0),
        ),
    ]);
    let mut shaken = urdf(
        &text,
        G,
        "drive: Joints(stiffness: 2000, damping: 100),
        controller: Joints(motions: [(joint: \"a\", amplitude: 1, frequency_hz: 1)])",
    );
    let xs = trace(&mut shaken, 4.0, |e| position(e, 1));
    let reach = largest(xs.iter().copied());
    assert!(reach > 0.19, "{reach}: it was not shaken");
    below(reach, 0.2 + 0.01, "a push");
}

#[test]
fn start_outside_the_limits_is_clamped_with_a_warning() {
    let text = pendulum("revolute", 0.0, &limit(0.4, 1.0, 100.0, 10.0));
    let mut arm = urdf(&text, G, "drive: Joints()");
    arm.start().unwrap();
    let model = get::<Model>(&arm, "r").0;
    assert!(
        model.warnings.iter().any(|w| w.contains("\"a\" starts at 0.4") && w.contains("outside its limits 0.4 to 1")),
        "{:?}", model.warnings
    );
    let xs = trace(&mut arm, 2.0, |e| (position(e, 0), velocity(e, 0)));
    below((xs[0].0 - 0.4).abs(), 1e-3, "start");
    below(largest(xs.iter().map(|x| x.1)), 0.5, "kick");
}

// --- Mimics ---------------------------------------------------------------------------------------

#[test]
fn mimic_joints_follow_with_factor_and_offset_also_in_chains() {
    // The first follower precedes its leader in the file, the third follows a follower, the fourth is prismatic, the
    // fifth has a limit below its target.
    let mimic = |of: &str, factor: f64, offset: f64| {
        format!("<mimic joint=\"{of}\" multiplier=\"{factor}\" offset=\"{offset}\"/>")
    };
    let free = limit(-9.0, 9.0, 500.0, 100.0);
    let text = robot(&[
        rod("l1"),
        rod("l2"),
        rod("l3"),
        rod("l4"),
        rod("l5"),
        joint(
            "b",
            "revolute",
            ["base", "l2"],
            "0 1 0",
            0.0,
            &format!("{free}{}", mimic("a", -2.0, 0.3)),
        ),
        joint("a", "revolute", ["base", "l1"], "0 2 0", 0.0, &free),
        joint(
            "c",
            "revolute",
            ["base", "l3"],
            "0 3 0",
            0.0,
            &format!("{free}{}", mimic("b", 0.5, -0.1)),
        ),
        joint(
            "d",
            "prismatic",
            ["base", "l4"],
            "0 5 0",
            0.0,
            &format!("{free}{}", mimic("a", 0.25, 0.1)),
        ),
        joint(
            "e",
            "revolute",
            ["base", "l5"],
            "0 9 0",
            0.0,
            &format!("{}{}", limit(-0.2, 0.2, 500.0, 100.0), mimic("a", 1.0, 0.0)),
        ),
    ]);
    let mut arm = urdf(
        &text,
        G,
        "drive: Joints(stiffness: 400, damping: 20),
        controller: Joints(motions: [(joint: \"a\", amplitude: 0.8, frequency_hz: 0.8)])",
    );
    arm.start().unwrap();
    let model = get::<Model>(&arm, "r").0;
    let [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map(|j| model.joint(j).unwrap());
    assert_eq!(
        get::<Servos>(&arm, "r/drive").0.len(),
        1,
        "only the leader has a servo"
    );
    let xs = trace(&mut arm, 5.0, positions);
    let worst = |wanted: &dyn Fn(&Vec<f64>) -> f64, joint: usize| {
        largest(xs.iter().map(|x| x[joint] - wanted(x)))
    };
    let swing = largest(xs.iter().map(|x| x[a]));
    assert!(swing > 0.6, "{swing}");
    // A lag of one tick at 8 rad/s is 8 mrad; the leader's speed predicts most of it.
    below(worst(&|x| 0.3 - 2.0 * x[a], b), 0.005, "factor and offset");
    below(worst(&|x| 0.5 * x[b] - 0.1, c), 0.003, "chain");
    below(worst(&|x| 0.25 * x[a] + 0.1, d), 0.001, "slide");
    // Stopped from 4 rad/s and restarted within 5 ms.
    below(worst(&|x| x[a].clamp(-0.2, 0.2), e), 0.02, "limits");
    below(
        largest(xs.iter().map(|x| x[e])),
        0.2 + 0.01,
        "limit of the fifth",
    );
}

#[test]
fn mimic_joint_follows_several_turns() {
    let text = robot(&[
        rod("l1"),
        rod("l2"),
        joint("a", "continuous", ["base", "l1"], "0 1 0", 0.0, ""),
        joint(
            "b",
            "continuous",
            ["base", "l2"],
            "0 2 0",
            0.0,
            "<mimic joint=\"a\" multiplier=\"3\" offset=\"0.5\"/>",
        ),
    ]);
    let mut arm = urdf(
        &text,
        0.0,
        "drive: Joints(), controller: Joints(ease_s: 3, motions: [(joint: \"a\", position: 12)])",
    );
    let xs = trace(&mut arm, 4.0, positions);
    below(
        largest(xs.iter().map(|x| x[1] - 3.0 * x[0] - 0.5)),
        0.02,
        "follows",
    );
    near(xs[xs.len() - 1][1], 36.5, 1e-3, "arrives");
}

// --- Link poses -------------------------------------------------------------------------------------

/// Link poses by forward kinematics from the joint positions.
fn forward(engine: &CoherenceEngine) -> Vec<Pose> {
    let model = get::<Model>(engine, "r").0;
    let states = positions(engine);
    let mut poses = get::<LinkPoses>(engine, "r").0;
    for (joint, &q) in model.joints.iter().zip(&states) {
        poses[joint.child] = poses[joint.parent] * joint.origin * joint.motion(q as f32);
    }
    poses
}

/// Built-in scene with its only agent renamed to `r`.
fn own_scene(name: &str) -> CoherenceEngine {
    let text = std::fs::read_to_string(root().join("scenes").join(name)).unwrap();
    let agent = name.split('_').next().unwrap();
    let named = format!("name: \"{agent}\"");
    assert_eq!(text.matches(&named).count(), 1);
    engine(&[(name, &text.replace(&named, "name: \"r\""))])
}

#[test]
fn arm_tool_follows_the_path_of_its_motions() {
    let mut arm = own_scene("arm_wave.ron");
    arm.start().unwrap();
    let model = get::<Model>(&arm, "r").0;
    let tool = model.frame("tool").unwrap();
    // Motion of each joint in arm_wave.ron: centre, amplitude, frequency, phase.
    let motions = [
        ("shoulder_pan", [0.0, 0.6, 0.1, 0.0]),
        ("shoulder_lift", [-0.3, 0.1, 0.2, 0.0]),
        ("elbow", [0.9, 0.15, 0.2, 1.57]),
        ("wrist_lift", [-0.7, 0.45, 0.8, 0.0]),
        ("wrist_roll", [1.57, 1.2, 0.2, 0.0]),
        ("wrist_bend", [0.2, 0.3, 0.8, 1.57]),
        ("finger_left", [0.02, 0.018, 0.8, 0.0]),
        ("finger_right", [0.02, 0.018, 0.8, 0.0]),
    ];
    let (mut off, mut apart, mut worst, mut t) = (0.0_f64, 0.0_f64, 0.0_f64, 0.0);
    for _ in 0..10_000 {
        arm.step().unwrap();
        t += TICK_S;
        let links = get::<LinkPoses>(&arm, "r").0;
        // Joint states and link poses agree within the constraint error of the solver.
        for (link, expected) in links.iter().zip(forward(&arm)) {
            apart = apart.max(f64::from(
                link.translation_m.distance(expected.translation_m),
            ));
        }
        if t < 1.5 {
            continue;
        }
        let mut expected = vec![links[0]; links.len()];
        for (index, joint) in model.joints.iter().enumerate() {
            let [middle, amplitude, hz, phase] =
                motions.iter().find(|m| m.0 == joint.name).unwrap().1;
            let q = middle + amplitude * (TAU * hz * t + phase).sin();
            expected[joint.child] = expected[joint.parent] * joint.origin * joint.motion(q as f32);
            let error = (positions(&arm)[index] - q).abs();
            worst = worst.max(error);
        }
        let place = |poses: &[Pose]| (poses[tool.link] * tool.pose).translation_m;
        off = off.max(f64::from(place(&links).distance(place(&expected))));
    }
    below(apart, 1e-3, "joints come apart (m)");
    // A servo of 5 Hz sags by at most g / (l w²) for a load at distance l: 0.17 rad at 6 cm.
    below(worst, 0.2, "a joint's error (rad)");
    below(off, 0.05, "the tool's way from its path (m)");
    assert_eq!(get::<Travel>(&arm, "r").collisions, 0);
}

#[test]
fn servo_encoders_measure_joint_positions() {
    let mut arm = own_scene("arm_wave.ron");
    arm.run_for(Duration::from_millis(2500)).unwrap();
    let reading = get::<Reading<EncoderAngles>>(&arm, "r/joints");
    let reading = &reading.latest().unwrap().value.angles_rad;
    let servos = get::<Servos>(&arm, "r/drive").0;
    let states = get::<JointStates>(&arm, "r");
    assert_eq!(reading.len(), 7);
    for (reading, servo) in reading.iter().zip(&servos) {
        // Six standard deviations of noise, plus the motion in the 5 ms since the last reading.
        let moved = states.velocities[servo.joint].abs() * 5e-3;
        below(
            (reading - states.positions[servo.joint]).abs(),
            6e-4 + 1.1 * moved,
            "encoder",
        );
    }
}

#[test]
fn quadruped_bends_its_knees_with_fixed_feet() {
    let mut robot = own_scene("quadruped_stand.ron");
    robot.start().unwrap();
    let model = get::<Model>(&robot, "r").0;
    let feet: Vec<usize> = model
        .links
        .iter()
        .enumerate()
        .filter(|(_, l)| l.name.ends_with("shank"))
        .map(|(k, _)| k)
        .collect();
    assert_eq!(feet.len(), 4);
    let foot = |e: &CoherenceEngine, k: usize| {
        get::<LinkPoses>(e, "r").0[k].point(Vec3::new(0.0, 0.0, -0.19))
    };
    // Links of 0.21 m and 0.19 m, a foot of 0.02 m.
    let height = |thigh: f64, knee: f64| 0.21 * thigh.cos() + 0.19 * (thigh + knee).cos() + 0.02;
    let seen = trace(&mut robot, 10.0, |e| {
        let places: Vec<Vec3> = feet.iter().map(|&k| foot(e, k)).collect();
        (
            f64::from(get::<TruePose>(e, "r").0.translation_m.z),
            positions(e),
            places,
        )
    });
    let [thigh, knee] = ["front_left_thigh", "front_left_knee"].map(|j| model.joint(j).unwrap());
    let (mut by_joints, mut by_targets) = (0.0_f64, 0.0_f64);
    let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
    for (k, (z, q, _)) in seen.iter().enumerate().skip(2_500) {
        by_joints = by_joints.max((z - height(q[thigh], q[knee])).abs());
        let s = 0.15 * (TAU * 0.4 * (k + 1) as f64 * TICK_S).sin();
        by_targets = by_targets.max((z - height(0.75 + s, -1.5 - 2.0 * s)).abs());
        (low, high) = (low.min(*z), high.max(*z));
    }
    // The legs differ a little, as the trunk pitches.
    below(by_joints, 0.004, "height against the joints (m)");
    // 9 kg on four legs: the knee sags by up to 9 * 9.81 / 4 * 0.19 * sin(0.9) / 80 = 0.041 rad.
    below(by_targets, 0.02, "height against the motions (m)");
    assert!(high - low > 0.04, "it bends its knees");
    let cycle = 2_500;
    for foot in 0..4 {
        let first = seen[5_000].2[foot];
        let slipped = largest(
            seen[5_000..5_000 + cycle]
                .iter()
                .map(|s| f64::from(s.2[foot].truncate().distance(first.truncate()))),
        );
        // A round foot of 0.02 m rolls by its radius times the shank's rotation of 0.3 rad, and back.
        below(slipped, 0.006, "a foot rolls in a cycle (m)");
        let drift = seen[5_000 + cycle].2[foot] - first;
        below(
            f64::from(drift.truncate().length()),
            4e-3,
            "a foot slips in a cycle (m)",
        );
        let zs = || seen[2_500..].iter().map(|s| f64::from(s.2[foot].z) - 0.02);
        below(zs().fold(0.0, f64::max), 5e-4, "a foot lifts (m)");
        // Contact compliance: 2.25 kg on a shank of 0.15 kg.
        below(
            zs().map(|z| -z).fold(0.0, f64::max),
            0.003,
            "a foot sinks in (m)",
        );
    }
    assert_eq!(get::<Travel>(&robot, "r").collisions, 0);
}

#[test]
fn runs_with_joints_repeat_bit_for_bit() {
    let run = |name: &str, threads: usize, seed: u64| {
        let mut engine = own_scene(name);
        engine.set_threads(threads).set_seed(seed);
        let first = engine.run_for(Duration::from_secs(2)).unwrap().state_hash;
        engine.reset().unwrap();
        let again = engine.run_for(Duration::from_secs(2)).unwrap().state_hash;
        assert_eq!(first, again, "{name} after a reset");
        (first, get::<JointStates>(&engine, "r"))
    };
    for name in ["arm_wave.ron", "quadruped_stand.ron"] {
        let (one, states) = run(name, 1, 1);
        assert_eq!(one, run(name, 2, 1).0, "{name} on two threads");
        let (other, same) = run(name, 1, 2);
        assert_ne!(one, other, "{name}: noise of another seed");
        // The seed affects sensor noise only, which these servos do not use.
        assert_eq!(states, same, "{name}");
    }
}

#[test]
fn a_reset_brings_joints_and_servos_back_to_their_start() {
    let mut arm = commanded_rod("revolute", &limit(-TAU, TAU, 50.0, 4.0), "", 5.0, 0.0);
    trace(&mut arm, 2.0, |_| ());
    assert!(position(&arm, 0) > 4.9);
    arm.reset().unwrap();
    assert_eq!(
        get::<JointStates>(&arm, "r"),
        JointStates {
            positions: vec![0.0],
            velocities: vec![0.0]
        }
    );
    let xs = trace(&mut arm, 0.1, |e| position(e, 0));
    // From rest at 0 again, at most at its velocity limit.
    below(largest(xs), 0.4 * 1.02, "after a reset");
}

// --- Third-party robots -----------------------------------------------------------------------------

#[test]
fn panda_holds_its_start_and_its_fingers_move_together() {
    let Some(path) = peer_robot("pybullet_data/franka_panda/panda.urdf") else {
        return;
    };
    let scene = |controller: &str| {
        format!(
            "(version: 1, agents: [(name: \"r\", model: {path:?}, fixed: true, drive: Joints(), {controller})])"
        )
    };
    let mut still = engine(&[("r.ron", &scene(""))]);
    still.start().unwrap();
    let start = positions(&still);
    let xs = trace(&mut still, 2.0, positions);
    let away = |x: &Vec<f64>| largest(x.iter().zip(&start).map(|(x, s)| x - s));
    below(xs.iter().map(away).fold(0.0, f64::max), 0.1, "panda");
    // Its sixth joint goes beyond half a turn: 3.7 of 3.75 rad.
    let mut moved = engine(&[(
        "r.ron",
        &scene(
            "controller: Joints(ease_s: 2, motions: [
            (joint: \"panda_joint6\", position: 3.7),
            (joint: \"panda_finger_joint1\", position: 0.02, amplitude: 0.015, frequency_hz: 1)])",
        ),
    )]);
    moved.start().unwrap();
    let model = get::<Model>(&moved, "r").0;
    let [sixth, left, right] = ["panda_joint6", "panda_finger_joint1", "panda_finger_joint2"]
        .map(|j| model.joint(j).unwrap());
    let xs = trace(&mut moved, 4.0, positions);
    near(xs[3_999][sixth], 3.7, 0.01, "beyond half a turn");
    below(
        largest(xs.iter().map(|x| x[left] - x[right])),
        1e-3,
        "fingers",
    );
    assert!(largest(xs.iter().map(|x| x[left])) > 0.03, "fingers move");
}

#[test]
fn link_rotations_match_the_joint_positions() {
    // Perpendicular axes, offsets, a servo on each joint: positions from link poses by independent quaternion code.
    let text = robot(&[
        rod("l1"),
        rod("l2"),
        rod("l3"),
        joint(
            "a",
            "revolute",
            ["base", "l1"],
            "0.1 0 0.2",
            0.3,
            &limit(-3.0, 3.0, 500.0, 10.0),
        ),
        joint(
            "b",
            "revolute",
            ["l1", "l2"],
            "0 0.1 -0.5",
            0.0,
            &limit(-3.0, 3.0, 500.0, 10.0),
        )
        .replace("\"0 1 0\"", "\"1 0 0\""),
        joint(
            "c",
            "revolute",
            ["l2", "l3"],
            "0 0.1 -0.5",
            -0.2,
            &limit(-3.0, 3.0, 500.0, 10.0),
        )
        .replace("\"0 1 0\"", "\"0.6 0 0.8\""),
    ]);
    let mut arm = urdf(&text, G, "drive: Joints(), controller: Joints(motions: [
        (joint: \"a\", amplitude: 0.8, frequency_hz: 0.5), (joint: \"b\", amplitude: 1, frequency_hz: 0.7),
        (joint: \"c\", amplitude: 1.5, frequency_hz: 0.9)])");
    let off = trace(&mut arm, 3.0, |e| {
        let links = get::<LinkPoses>(e, "r").0;
        let axes = [Vec3::Y, Vec3::X, Vec3::new(0.6, 0.0, 0.8)];
        let tilts = [0.3, 0.0, -0.2].map(Quat::from_rotation_y);
        let q = positions(e);
        largest((0..3).map(|k| {
            let expected =
                links[k].rotation * tilts[k] * Quat::from_axis_angle(axes[k], q[k] as f32);
            f64::from(expected.angle_between(links[k + 1].rotation))
        }))
    });
    below(
        largest(off),
        2e-3,
        "between expected and true rotation (rad)",
    );
}
