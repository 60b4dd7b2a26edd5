//! Circular motion of robots, each at its own rate or at that of its fleet.
//!
//! The speed along the circle keeps the rate (`rate` times the distance from the middle, wherever the robot is), the
//! heading keeps the circle: along the tangent, and inward in proportion to the offset. A path error is thus no phase
//! error.

use super::located::located;
use crate::angles::wrap;
use crate::control::pursuit::{PLAN_RATE_HZ, PlanRate};
use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::body::TruePose;
use becomingone_components::check::{Checks, MAX_COORDINATE_M};
use becomingone_components::control::{
    AgentBody, ControllerContext, ControllerKind, DriveClass, DrivenBy, Localisation,
};
use becomingone_components::drive::{Drive, Odometry, Twist2};
use becomingone_components::fleet::{FLEET, Fleet, FleetOrder, Orbit};
use becomingone_components::kind::Kind;
use becomingone_components::localisation::Estimate;
use becomingone_components::scene::{AgentSpec, FromScene, SceneSpec};
use becomingone_components::time::{NS_PER_S, Rate, SimTime};
use becomingone_kernel::{Complex, mean_field};
use bevy_ecs::prelude::*;
use bevy_ecs::schedule::ScheduleConfigs;
use bevy_ecs::system::ScheduleSystem;
use serde::{Deserialize, Serialize};
use std::f64::consts::{FRAC_PI_2, TAU};

/// Drives round a circle, to the left. It does not avoid obstacles.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename = "Orbit")]
pub struct OrbitSpec {
    /// Middle of the circle in the world (m).
    pub centre_m: [f64; 2],
    /// Radius (m).
    pub radius_m: f64,
    /// Turns per second; none: the rate of the scene's `fleet`.
    #[serde(default)]
    pub rate_hz: Option<f64>,
    /// Pose source.
    #[serde(default)]
    pub localisation: Localisation,
}

impl Kind for OrbitSpec {
    const NAME: &'static str = "Orbit";
    const ABOUT: &'static str = "a circle at a rate of its own, or of the scene's fleet";
}

/// Whether the scene's fleet sets an agent's rate.
pub fn is_in_fleet(agent: &AgentSpec) -> bool {
    let orbit = agent.controller.as_ref().and_then(|c| c.get::<OrbitSpec>());
    orbit.is_some_and(|orbit| orbit.rate_hz.is_none())
}

impl ControllerKind for OrbitSpec {
    const DRIVES: &'static [DriveClass] = &[DriveClass::Wheels];

    fn check(&self, context: &ControllerContext<'_>, checks: &mut Checks<'_>) {
        checks.position("centre_m", &self.centre_m);
        let radius = "metres from 0.01 to 1000";
        checks.within("radius_m", self.radius_m, 1e-2, MAX_COORDINATE_M, radius);
        match self.rate_hz {
            Some(rate_hz) => {
                checks.within(
                    "rate_hz",
                    rate_hz,
                    -100.0,
                    100.0,
                    "rounds a second within 100",
                );
            }
            None if !context.fleet => {
                let expected =
                    "`rate_hz` here, or a `fleet: (law: .., coupling_rad_s: ..)` of the scene";
                checks.wrong("", "an orbit without a rate", expected);
            }
            None => {}
        }
    }

    fn localisation(&self) -> Option<Localisation> {
        Some(self.localisation)
    }

    fn numbers(&mut self) -> Vec<(&'static str, &mut f64)> {
        // A fleet sets the rate of those without one.
        let rate = self.rate_hz.as_mut().map(|rate| ("rate_hz", rate));
        let radius = ("radius_m", &mut self.radius_m);
        [radius].into_iter().chain(rate).collect()
    }

    fn tune(&self, agent: &mut EntityWorldMut<'_>, _: &AgentBody<'_>) {
        let Some(mut orbit) = agent.get_mut::<Orbit>() else {
            return;
        };
        orbit.radius_m = self.radius_m;
        if let Some(rate_hz) = self.rate_hz {
            orbit.omega_rad_s = TAU * rate_hz;
            orbit.rate_rad_s = orbit.omega_rad_s;
        }
    }

    fn spawn(&self, agent: &mut EntityWorldMut<'_>, _: &AgentBody<'_>) {
        // Without a rate of its own, the fleet sets it.
        let omega_rad_s = TAU * self.rate_hz.unwrap_or_default();
        agent.insert((
            Orbit {
                centre_m: self.centre_m,
                radius_m: self.radius_m,
                localisation: self.localisation,
                omega_rad_s,
                rate_rad_s: omega_rad_s,
            },
            PlanRate(Rate::new(PLAN_RATE_HZ)),
        ));
    }

    fn systems() -> ScheduleConfigs<ScheduleSystem> {
        (couple, circle).chain().run_if(any_with_component::<Orbit>)
    }
}

/// Distance over which a path error is corrected, in radii of the circle.
const RETURN_RADII: f64 = 0.5;
/// Gain of the heading (1/s). Skid-steered wheels slip in a turn, so the yaw rate is below the command.
const TURN_GAIN_1_S: f64 = 3.0;
/// Cosine of the heading's error below which the robot turns on the spot first.
const ALONG: f64 = 0.5;

/// Phase of a robot at this place on its circle; none in the exact middle.
fn phase(orbit: &Orbit, at: [f64; 2]) -> Option<Complex<f64>> {
    let from = Complex::new(at[0] - orbit.centre_m[0], at[1] - orbit.centre_m[1]);
    let distance_m = libm::hypot(from.re, from.im);
    (distance_m > 1e-6).then(|| from.unscale(distance_m))
}

/// Computes the mean field of each fleet, and the rates of its robots.
pub fn couple(
    time: Res<SimTime>,
    mut fleets: Query<(&Fleet, &mut PlanRate, &mut Phases, &mut FleetOrder)>,
    mut robots: Query<(
        &mut Orbit,
        &DrivenBy,
        &TruePose,
        &Odometry,
        Option<&Estimate>,
    )>,
    drives: Query<&Drive>,
) {
    for (fleet, mut rate, mut phases, mut order) in &mut fleets {
        if !rate.0.due(time.now_ns) {
            continue;
        }
        // A robot without a phase is not counted: the mean field excludes zeros.
        phases.0.fill(Complex::default());
        for (&robot, z) in fleet.robots.iter().zip(&mut phases.0) {
            let Ok((orbit, driven, truth, odometry, estimate)) = robots.get(robot) else {
                continue;
            };
            let Ok(drive) = drives.get(driven.0) else {
                continue;
            };
            let (at, _) = located(orbit.localisation, truth, odometry, estimate, drive);
            *z = phase(orbit, at).unwrap_or_default();
        }
        let coupling = fleet.coupling(time.now_ns);
        let field = mean_field(&phases.0).unwrap_or_default();
        for (&robot, &z) in fleet.robots.iter().zip(&phases.0) {
            if let Ok((mut orbit, ..)) = robots.get_mut(robot) {
                orbit.rate_rad_s = coupling.rate_rad_s(z, orbit.omega_rad_s, field);
            }
        }
        let coupling_rad_s = coupling.coupling_rad_s;
        *order = FleetOrder {
            field: [field.re, field.im],
            r: libm::hypot(field.re, field.im),
            r_theory: fleet.spec.law.order(coupling_rad_s),
            coupling_rad_s,
        };
    }
}

/// Drives robots round their circles.
pub fn circle(
    time: Res<SimTime>,
    mut robots: Query<(
        &Orbit,
        &mut PlanRate,
        &DrivenBy,
        &TruePose,
        &Odometry,
        Option<&Estimate>,
    )>,
    mut drives: Query<(&Drive, &mut ActuatorTarget<Twist2>)>,
) {
    for (orbit, mut rate, driven, truth, odometry, estimate) in &mut robots {
        if !rate.0.due(time.now_ns) {
            continue;
        }
        let Ok((drive, mut command)) = drives.get_mut(driven.0) else {
            continue;
        };
        let (at, yaw) = located(orbit.localisation, truth, odometry, estimate, drive);
        command.0 = around(orbit, at, yaw, drive.steering.is_some());
    }
}

/// Phases of a fleet's robots, kept to reuse memory.
#[derive(Component, Clone, Debug, Default)]
pub struct Phases(pub Vec<Complex<f64>>);

/// Twist that keeps rate and circle.
fn around(orbit: &Orbit, at: [f64; 2], yaw_rad: f64, steers: bool) -> Twist2 {
    let [x, y] = [at[0] - orbit.centre_m[0], at[1] - orbit.centre_m[1]];
    let distance_m = libm::hypot(x, y);
    let outside = (distance_m - orbit.radius_m) / (RETURN_RADII * orbit.radius_m);
    // In reverse, the robot moves inward with its front turned outward.
    let inward_rad = libm::atan(outside).copysign(outside * orbit.rate_rad_s);
    let tangent_rad = libm::atan2(y, x) + FRAC_PI_2;
    let wrong_rad = wrap(tangent_rad + inward_rad - yaw_rad);
    let along = libm::cos(wrap(tangent_rad - yaw_rad));
    let speed_m_s = orbit.rate_rad_s * distance_m;
    // Near the middle, the rate times the distance is too slow to reach the circle.
    let slow_m_s = orbit.rate_rad_s * orbit.radius_m * ALONG;
    let linear_m_s = if libm::cos(wrong_rad) < ALONG && !steers {
        0.0
    } else if along > ALONG && distance_m > orbit.radius_m * ALONG {
        speed_m_s / along
    } else {
        slow_m_s
    };
    Twist2 {
        linear_m_s,
        angular_rad_s: orbit.rate_rad_s + TURN_GAIN_1_S * wrong_rad,
    }
}

/// Couples the agents on an orbit without a rate of their own.
pub(crate) fn spawn_fleet(world: &mut World, scene: &SceneSpec, agents: &[Entity]) {
    let Some(spec) = scene.fleet else {
        return;
    };
    let orbits = scene.agents.iter().zip(agents);
    let robots: Vec<Entity> = orbits
        .filter(|(agent, _)| is_in_fleet(agent))
        .map(|(_, &entity)| entity)
        .collect();
    let n = robots.len();
    for (i, &robot) in robots.iter().enumerate() {
        if let Some(mut orbit) = world.get_mut::<Orbit>(robot) {
            orbit.omega_rad_s = spec.law.omega_rad_s(i, n);
            orbit.rate_rad_s = orbit.omega_rad_s;
        }
    }
    world.spawn((
        Name::new(FLEET),
        FromScene,
        Fleet {
            robots,
            spec,
            from_ns: (spec.from_s * NS_PER_S as f64).round() as u64,
        },
        FleetOrder::default(),
        Phases(vec![Complex::default(); n]),
        PlanRate(Rate::new(PLAN_RATE_HZ)),
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use becomingone_components::control::Localisation;

    /// Simulates a robot that follows its commands exactly, from here on, for so long; returns its angle on its
    /// circle, unwrapped, and its distance from the middle.
    fn driven(rate_rad_s: f64, mut at: [f64; 2], mut yaw: f64, seconds: f64) -> (f64, f64) {
        let orbit = Orbit {
            centre_m: [2.0, -1.0],
            radius_m: 1.5,
            localisation: Localisation::Truth,
            omega_rad_s: rate_rad_s,
            rate_rad_s,
        };
        let angle = |at: [f64; 2]| libm::atan2(at[1] + 1.0, at[0] - 2.0);
        let (dt_s, mut turned) = (0.001, 0.0);
        let mut twist = Twist2::default();
        for k in 0..(seconds / dt_s) as u32 {
            if k % 50 == 0 {
                twist = around(&orbit, at, yaw, false);
            }
            let before = angle(at);
            let (sin, cos) = libm::sincos(yaw);
            at[0] += twist.linear_m_s * cos * dt_s;
            at[1] += twist.linear_m_s * sin * dt_s;
            yaw += twist.angular_rad_s * dt_s;
            turned += wrap(angle(at) - before);
        }
        (turned, libm::hypot(at[0] - 2.0, at[1] + 1.0))
    }

    #[test]
    fn a_robot_on_its_circle_goes_round_at_its_rate() {
        for rate in [0.5, 0.1, -0.4] {
            let (turned, distance_m) = driven(rate, [3.5, -1.0], FRAC_PI_2, 100.0);
            assert!((turned / (100.0 * rate) - 1.0).abs() < 0.002, "{turned}");
            assert!((distance_m - 1.5).abs() < 0.02, "{distance_m}");
        }
    }

    #[test]
    fn from_anywhere_it_comes_to_its_circle() {
        for at in [[2.0, -1.0], [2.3, -1.2], [8.0, 3.0], [0.0, -1.0]] {
            for yaw in [0.0, 1.7, 3.1, -2.0] {
                let (_, distance_m) = driven(0.5, at, yaw, 60.0);
                assert!(
                    (distance_m - 1.5).abs() < 0.02,
                    "{at:?} {yaw}: {distance_m}"
                );
            }
        }
    }
}
