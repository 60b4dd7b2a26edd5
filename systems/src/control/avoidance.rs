//! Obstacle avoidance on the last scan: the fast controller, the Emissary of the pair.
//!
//! The plan's arc is taken if it is free; else the free arc nearest to it (the admissible velocities of the dynamic
//! window approach: Fox, Burgard, Thrun, IEEE Robotics & Automation Magazine 4(1), 1997). Speed is limited so that
//! the agent can stop within the free length: `v = sqrt(2 a d)`.

use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::body::{LinkPoses, Pose};
use becomingone_components::control::{
    ControllerInputs, DrivenBy, PatrolController, Plan, Reaction,
};
use becomingone_components::drive::{Drive, Twist2};
use becomingone_components::sensor::{Mount, Reading, Scan, Sensor};
use bevy_ecs::prelude::*;
use glam::Vec3;
use std::f64::consts::{PI, TAU};

/// Length along which arcs are checked (m).
const HORIZON_M: f64 = 3.0;
/// Arcs on each side of straight ahead.
const ARCS: i32 = 12;
/// Sharpest arc (1/m).
const CURVATURE_MAX: f64 = 1.6;
/// Headings on each side that are searched for a way out, and the length that must be free along them (m).
const HEADINGS: i32 = 12;
const WAY_OUT_M: f64 = 1.0;
/// Displacement of a point by lidar noise (m).
const NOISE_M: f64 = 0.05;
/// Share of the drive's acceleration that is available for stopping.
const RESERVE: f64 = 0.6;
/// Free length below which an arc is useless (m).
const TOO_SHORT_M: f64 = 0.25;

/// Points of the last scan that could be hit, in the agent's axes, x forward (m).
#[derive(Component, Clone, Debug, Default)]
pub struct NearPoints(Vec<[f64; 2]>);

/// Turns plans into commands.
pub fn react(
    mut agents: Query<(
        &PatrolController,
        Ref<Plan>,
        &DrivenBy,
        &ControllerInputs,
        &LinkPoses,
        &mut NearPoints,
        &mut Reaction,
    )>,
    lidars: Query<(&Reading<Scan>, &Sensor, &Mount)>,
    mut drives: Query<(&Drive, &mut ActuatorTarget<Twist2>)>,
) {
    for (patrol, plan, driven, ears, links, mut near, mut reaction) in &mut agents {
        let Ok((drive, mut command)) = drives.get_mut(driven.0) else {
            continue;
        };
        let keep_m = drive.footprint_radius_m + patrol.clearance_m;
        let mut news = plan.is_changed();
        if let Some(Ok((reading, sensor, mount))) = ears.lidar.map(|e| lidars.get(e))
            && reading.is_fresh()
            && let Some(scan) = reading.latest()
        {
            // A lidar may sit on a link that moves.
            let on_root = links.0[0].inverse() * links.0[sensor.link] * mount.0;
            near.gather(&scan.value, on_root, drive, HORIZON_M + keep_m);
            news = true;
        }
        // Without a new plan or scan, the reaction stays.
        if !news {
            continue;
        }
        let room = Room {
            near: &near.0,
            footprint_m: drive.footprint_radius_m,
            keep_m,
        };
        let next = allowed(&plan, &room, drive, &reaction);
        if *reaction != next {
            *reaction = next;
        }
        // Written also when it is unchanged: the controller has not timed out.
        command.0 = next.twist;
    }
}

impl NearPoints {
    fn gather(&mut self, scan: &Scan, on_root: Pose, drive: &Drive, reach_m: f64) {
        self.0.clear();
        let (sin, cos) = libm::sincos(-drive.forward_yaw_rad);
        for (k, &range) in scan.ranges_m.iter().enumerate() {
            if f64::from(range) > reach_m || range >= scan.range_max_m {
                continue;
            }
            let (s, c) = libm::sincosf(scan.angle_min_rad + k as f32 * scan.angle_step_rad);
            let p = on_root.point(Vec3::new(range * c, range * s, 0.0)) - drive.centre();
            let (x, y) = (f64::from(p.x), f64::from(p.y));
            self.0.push([cos * x - sin * y, sin * x + cos * y]);
        }
    }
}

/// Obstacle points, and the wanted and the least distance from them.
struct Room<'a> {
    near: &'a [[f64; 2]],
    /// Radius that encloses the agent (m).
    footprint_m: f64,
    /// The same with the wanted clearance (m).
    keep_m: f64,
}

/// The plan's twist where it is free, else that of the best free arc, else a turn on the spot;
/// a car, which cannot do that, backs up.
fn allowed(plan: &Plan, room: &Room, drive: &Drive, last: &Reaction) -> Reaction {
    let wanted = plan.twist;
    if wanted.linear_m_s <= 0.0 {
        // A turn on the spot sweeps no new area.
        return Reaction {
            twist: wanted,
            free_m: 0.0,
            avoiding: false,
        };
    }
    let planned = wanted.angular_rad_s / wanted.linear_m_s;
    let planned_free = room.free_length(planned);
    // Not beyond the target of the plan.
    let needed = plan
        .target_m
        .map_or(HORIZON_M, |[x, y]| libm::hypot(x, y))
        .min(HORIZON_M);
    if planned_free >= needed {
        return along(planned, planned_free, wanted.linear_m_s, drive, false);
    }
    let most = CURVATURE_MAX.min(drive.max_curvature_1_m());
    // A turn on the spot continues until there is a good way out; noise would otherwise make it oscillate.
    let turning = last.avoiding && last.twist.linear_m_s <= 0.0;
    let enough = if turning { WAY_OUT_M } else { TOO_SHORT_M };
    let mut best: Option<(f64, f64, f64)> = None;
    for k in -ARCS..=ARCS {
        let curvature = most * f64::from(k) / f64::from(ARCS);
        let free = room.free_length(curvature);
        if free < enough {
            continue;
        }
        let score = free / HORIZON_M - 0.35 * (curvature - planned).abs() / most;
        if best.is_none_or(|(most, ..)| score > most) {
            best = Some((score, curvature, free));
        }
    }
    match best {
        Some((_, curvature, free)) => along(curvature, free, wanted.linear_m_s, drive, true),
        None if drive.steering.is_some() => back_up(plan, room, drive, most),
        None => Reaction {
            twist: Twist2 {
                linear_m_s: 0.0,
                angular_rad_s: (0.6 * drive.max_yaw_rate_rad_s).copysign(room.way_out(plan, last)),
            },
            free_m: 0.0,
            avoiding: true,
        },
    }
}

/// Reverses along the freest arc, with the rear away from the target of the plan.
fn back_up(plan: &Plan, room: &Room, drive: &Drive, most: f64) -> Reaction {
    let aside = plan.target_m.map_or(0.0, |[_, y]| y);
    let mut best = (f64::MIN, 0.0, 0.0);
    for curvature in [0.0, most, -most] {
        let free = room.free_length_to(Way::Back, curvature);
        // In reverse, an arc to the right turns the agent to the left.
        let helps = curvature * aside < 0.0;
        let score = free.min(2.0 * WAY_OUT_M) + if helps { 0.5 } else { 0.0 };
        if score > best.0 {
            best = (score, curvature, free);
        }
    }
    let (_, curvature, free) = best;
    let speed_m_s = 0.5 * plan.twist.linear_m_s;
    let mut back = along(
        curvature,
        (free - TOO_SHORT_M).max(0.0),
        speed_m_s,
        drive,
        true,
    );
    back.twist = Twist2 {
        linear_m_s: -back.twist.linear_m_s,
        angular_rad_s: -back.twist.angular_rad_s,
    };
    back
}

fn along(curvature: f64, free_m: f64, speed_m_s: f64, drive: &Drive, avoiding: bool) -> Reaction {
    // Part of the free length is used up before the wheels respond.
    let stoppable = (2.0 * drive.max_acceleration_m_s2 * RESERVE * free_m).sqrt();
    let turnable = drive.max_yaw_rate_rad_s / curvature.abs().max(1e-9);
    let linear_m_s = speed_m_s.min(stoppable).min(turnable);
    Reaction {
        twist: Twist2 {
            linear_m_s,
            angular_rad_s: linear_m_s * curvature,
        },
        free_m,
        avoiding,
    }
}

/// Direction of travel along an arc.
#[derive(Clone, Copy)]
enum Way {
    Ahead,
    Back,
}

impl Room<'_> {
    /// Length that the agent can roll ahead along an arc before a point is too near (m), up to the horizon.
    fn free_length(&self, curvature: f64) -> f64 {
        self.free_length_to(Way::Ahead, curvature)
    }

    fn free_length_to(&self, way: Way, curvature: f64) -> f64 {
        let mut free = HORIZON_M;
        for &[x, y] in self.near {
            // Reverse is forward, mirrored across the wheels' axle.
            let x = match way {
                Way::Ahead => x,
                Way::Back => -x,
            };
            let keep = self.keep_from(x, y);
            let hit = if curvature.abs() < 1e-3 {
                straight_hit(x, y, keep)
            } else {
                // Mirroring turns right turns into left ones: the centre is at (0, r).
                arc_hit(x, y * curvature.signum(), 1.0 / curvature.abs(), keep)
            };
            free = free.min(hit);
        }
        free
    }

    /// Least distance of this point (m). A point inside the clearance does not block every arc: its limit is the
    /// footprint, or its present distance.
    fn keep_from(&self, x: f64, y: f64) -> f64 {
        let now = libm::hypot(x, y);
        if now > self.keep_m + NOISE_M {
            self.keep_m
        } else {
            self.footprint_m.min(now - 0.02).max(0.01)
        }
    }

    /// Side to turn to where nothing is free ahead: towards the nearest heading that is free for a good metre,
    /// measured from the target of the plan; a turn in progress continues.
    fn way_out(&self, plan: &Plan, last: &Reaction) -> f64 {
        if last.avoiding && last.twist.linear_m_s == 0.0 {
            return last.twist.angular_rad_s;
        }
        let bearing = plan.target_m.map_or(0.0, |[x, y]| libm::atan2(y, x));
        let mut best = (f64::INFINITY, bearing);
        for k in -HEADINGS..=HEADINGS {
            let heading = PI * f64::from(k) / f64::from(HEADINGS);
            let (sin, cos) = libm::sincos(-heading);
            let blocked = self.near.iter().any(|&[x, y]| {
                let (ahead, aside) = (cos * x - sin * y, sin * x + cos * y);
                straight_hit(ahead, aside, self.keep_from(x, y)) < WAY_OUT_M
            });
            let detour = (heading - bearing).abs() + 0.5 * heading.abs();
            if !blocked && detour < best.0 {
                best = (detour, heading);
            }
        }
        best.1
    }
}

fn straight_hit(x: f64, y: f64, keep_m: f64) -> f64 {
    if y.abs() >= keep_m || x <= 0.0 {
        return f64::INFINITY;
    }
    (x - (keep_m * keep_m - y * y).sqrt()).max(0.0)
}

/// First arc length at which the disc's centre, on a circle of radius r about (0, r), is `keep_m` from the point.
fn arc_hit(x: f64, y: f64, r: f64, keep_m: f64) -> f64 {
    let (dx, dy) = (x, y - r);
    let d = libm::hypot(dx, dy);
    let cos = (r * r + d * d - keep_m * keep_m) / (2.0 * r * d.max(1e-9));
    if cos >= 1.0 {
        return f64::INFINITY;
    }
    // Angle of the point about the centre, from the present position of the disc, in the direction of travel.
    let mut at = libm::atan2(dx, -dy);
    let touch = libm::acos(cos.max(-1.0));
    if at < 0.0 {
        at += TAU;
    }
    let angle = if at >= touch {
        at - touch
    } else {
        at - touch + TAU
    };
    angle * r
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free_length(curvature: f64, p: [f64; 2], keep_m: f64) -> f64 {
        let room = Room {
            near: &[p],
            footprint_m: keep_m,
            keep_m,
        };
        room.free_length(curvature)
    }

    #[test]
    fn straight_ahead_stops_at_the_disc() {
        assert!((free_length(0.0, [2.0, 0.0], 0.5) - 1.5).abs() < 1e-12);
        assert_eq!(free_length(0.0, [2.0, 0.6], 0.5), HORIZON_M);
        assert_eq!(free_length(0.0, [-1.0, 0.0], 0.5), HORIZON_M);
    }

    #[test]
    fn arcs_agree_with_a_walk_along_them() {
        for curvature in [-1.2, -0.4, 0.3, 0.9] {
            for p in [[1.0, 0.2], [0.8, -0.9], [1.5, 1.0], [0.2, 1.2], [-1.0, 1.0]] {
                let r = 1.0 / curvature;
                let walked = (0..30_000).map(|k| f64::from(k) * 1e-4).find(|s| {
                    let (sin, cos) = libm::sincos(s * curvature);
                    let centre = [r * sin, r * (1.0 - cos)];
                    libm::hypot(centre[0] - p[0], centre[1] - p[1]) <= 0.4
                });
                let found = free_length(curvature, p, 0.4);
                let expected = walked.unwrap_or(HORIZON_M);
                assert!(
                    (found - expected).abs() < 1e-3,
                    "{curvature} {p:?}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn inside_the_clearance_there_is_a_way_on() {
        let room = Room {
            near: &[[0.3, 0.55]],
            footprint_m: 0.5,
            keep_m: 0.7,
        };
        assert_eq!(room.free_length(0.0), HORIZON_M);
        assert!(room.free_length(1.0) < HORIZON_M);
    }
}
