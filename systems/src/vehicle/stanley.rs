//! The Stanley controller: steers the front axle's middle onto the centre line.
//!
//! `δ = θ - atan(k e / (k_s + v))` for a heading error θ and an offset e of the steered axle (Hoffmann, Tomlin,
//! Montemerlo, Thrun: Autonomous Automobile Trajectory Tracking for Off-Road Driving, ACC 2007). A wheel without slip
//! moves in its direction, so the offset decays in curves as on straights, at any speed. Pure pursuit, which patrols
//! use, cuts curves by its lookahead, which has to be long for a fast car and short in a bend.

use super::drive::SPEED_GAIN_1_S;
use super::profile::{SpeedLimits, SpeedProfile};
use crate::angles::{heading, wrap};
use crate::control::pursuit::PlanRate;
use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::body::TruePose;
use becomingone_components::control::{DrivenBy, Goals, Localisation, Plan};
use becomingone_components::drive::{Odometry, Twist2};
use becomingone_components::localisation::Estimate;
use becomingone_components::scene::LoadedScene;
use becomingone_components::time::{Rate, SimTime};
use becomingone_components::track::Track;
use becomingone_components::vehicle::{Ackermann, Vehicle, VehicleModel};
use bevy_ecs::prelude::*;

/// Commands a second.
pub const STANLEY_RATE_HZ: f64 = 50.0;
/// Decay rate of an offset (1/s).
const OFFSET_GAIN_1_S: f64 = 1.5;
/// Added to the speed, so that a slow car does not steer wildly (m/s).
const SOFT_M_S: f64 = 1.0;
/// Speed of a car off its track (m/s).
const LOST_M_S: f64 = 3.0;

/// Setup and state of a track controller.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct TrackController {
    /// Pose source.
    pub localisation: Localisation,
    /// Last station of the steered axle; none before the first.
    pub station: Option<usize>,
}

/// Components of an agent that laps a track.
pub(crate) fn driver(
    track: &Track,
    vehicle: &VehicleModel,
    limits: SpeedLimits,
    laps: Option<u32>,
    localisation: Localisation,
) -> impl Bundle {
    let line = track.stations.first().map_or([0.0; 2], |s| s.at_m);
    (
        SpeedProfile::plan(track, &limits, vehicle),
        // A lap is a goal; the lap counter marks it as reached.
        Goals::new(vec![line], laps, track.width_m / 2.0),
        TrackController {
            localisation,
            station: None,
        },
        PlanRate(Rate::new(STANLEY_RATE_HZ)),
        Plan::default(),
    )
}

/// Sets the steering and speed of the vehicles that are due.
pub fn steer(
    time: Res<SimTime>,
    loaded: Option<Res<LoadedScene>>,
    mut agents: Query<(
        &TruePose,
        &Odometry,
        Option<&Estimate>,
        &DrivenBy,
        &SpeedProfile,
        &Goals,
        &mut TrackController,
        &mut PlanRate,
        &mut Plan,
    )>,
    mut vehicles: Query<(&Vehicle, &mut ActuatorTarget<Ackermann>)>,
) {
    let Some(track) = loaded.as_deref().and_then(|l| l.track.as_deref()) else {
        return;
    };
    for (truth, odometry, estimate, driven, profile, goals, mut controller, mut rate, mut plan) in
        &mut agents
    {
        if !rate.0.due(time.now_ns) {
            continue;
        }
        let Ok((vehicle, mut command)) = vehicles.get_mut(driven.0) else {
            continue;
        };
        let model = &vehicle.0;
        let (fixed, yaw) = match controller.localisation {
            Localisation::Odometry => ([odometry.x_m, odometry.y_m], odometry.yaw_rad),
            Localisation::Filter => {
                // Scenes are checked for a filter.
                let e = estimate.copied().unwrap_or_default();
                ([e.x_m, e.y_m], e.yaw_rad)
            }
            Localisation::Truth => {
                let yaw = heading(truth.0.rotation, 0.0);
                let root = truth.0.translation_m;
                let root = [f64::from(root.x), f64::from(root.y)];
                (along(root, yaw, model.fixed_axle_x_m()), yaw)
            }
        };
        let ahead_m = model.steered_axle_x_m() - model.fixed_axle_x_m();
        let steered = along(fixed, yaw, ahead_m);
        let foot = match controller.station {
            Some(station) => track.locate_near(steered, station),
            None => track.locate(steered),
        };
        controller.station = Some(foot.station);
        let [tx, ty] = foot.place.tangent;
        let heading_error = wrap(libm::atan2(ty, tx) - yaw);
        // Planned speed at the time when the speed control has followed it.
        let planned = profile.at(track, foot.s_m);
        let soon = profile.at(track, foot.s_m + planned / SPEED_GAIN_1_S);
        let lost = foot.offset_m.abs() > track.width_m / 2.0;
        let speed_m_s = match (goals.done(), lost) {
            (true, _) => 0.0,
            (false, true) => soon.min(LOST_M_S),
            (false, false) => soon,
        };
        let pull = OFFSET_GAIN_1_S * foot.offset_m / (SOFT_M_S + planned);
        let most = model.steering.max_angle_rad;
        let steering_rad = (heading_error - libm::atan(pull)).clamp(-most, most);
        command.0 = Ackermann {
            speed_m_s,
            steering_rad,
        };
        let (dx, dy) = (foot.place.at_m[0] - fixed[0], foot.place.at_m[1] - fixed[1]);
        let (sin, cos) = libm::sincos(yaw);
        *plan = Plan {
            twist: Twist2 {
                linear_m_s: speed_m_s,
                angular_rad_s: speed_m_s * model.curvature_1_m(steering_rad),
            },
            target_m: (!goals.done()).then_some([cos * dx + sin * dy, cos * dy - sin * dx]),
        };
    }
}

/// The point this far ahead.
fn along(at: [f64; 2], yaw_rad: f64, ahead_m: f64) -> [f64; 2] {
    let (sin, cos) = libm::sincos(yaw_rad);
    [at[0] + cos * ahead_m, at[1] + sin * ahead_m]
}
