//! Road vehicles: chassis, suspension, engine, brakes, steering, and their commands.
//!
//! The frame of a vehicle is x forward, y left, z up, with the origin of its file. All places are those of the
//! vehicle at rest on level ground. Tyres are modelled elsewhere.

use crate::body::{
    Frame, Geometry, Inertial, Joint, JointKind, JointLimits, Link, Pose, RobotModel, Shape,
    Surroundings, Written,
};
use crate::contact_mask::ContactMask;
use bevy_ecs::prelude::*;
use glam::{Mat3, Quat, Vec3};
use serde::{Deserialize, Serialize};
use std::f32::consts::FRAC_PI_2;
use std::sync::Arc;

/// Standard gravity (ISO 80000-3): what static loads are computed with (m/s²).
pub const STANDARD_GRAVITY_M_S2: f64 = 9.80665;

/// A vehicle as its file describes it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct VehicleModel {
    /// Its name.
    pub name: String,
    /// Total mass, ready to drive (kg).
    pub mass_kg: f64,
    /// Centre of mass (m).
    pub centre_of_mass_m: [f64; 3],
    /// Moments of inertia about the centre of mass, along x, y and z (kg m²).
    pub inertia_kg_m2: [f64; 3],
    /// Boxes for display and collision.
    pub bodies: Vec<BodyBox>,
    /// Its wheels, in the order in which encoders name them.
    pub wheels: Vec<VehicleWheel>,
    /// Coulomb friction coefficient of the tyres; contacts take the mean with that of the road.
    pub tyre_friction: f64,
    /// Rolling resistance, as a share of the weight.
    #[serde(default)]
    pub rolling_resistance: f64,
    /// Drag coefficient times frontal area (m²).
    #[serde(default)]
    pub drag_area_m2: f64,
    /// Engine.
    pub engine: Engine,
    /// Largest force of all brakes together, at the road (N).
    pub brake_force_n: f64,
    /// Steering.
    pub steering: Steering,
}

/// A box of a vehicle's body.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BodyBox {
    /// Its middle (m).
    pub position_m: [f64; 3],
    /// Along x, y, z (m).
    pub size_m: [f64; 3],
    /// Red, green, blue, 0 to 1.
    #[serde(default = "default_rgb")]
    pub rgb: [f32; 3],
    /// Whether it has collision, or is display only.
    #[serde(default = "yes")]
    pub touches: bool,
}

/// A wheel on its spring.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct VehicleWheel {
    /// Unique on its vehicle.
    pub name: String,
    /// Its middle, with the vehicle on level ground (m).
    pub position_m: [f64; 3],
    /// Radius under load (m).
    pub radius_m: f64,
    /// Width of the tyre (m).
    pub width_m: f64,
    /// Whether it steers.
    #[serde(default)]
    pub steered: bool,
    /// Whether the engine drives it.
    #[serde(default)]
    pub driven: bool,
    /// Whether it has a brake.
    #[serde(default = "yes")]
    pub braked: bool,
    /// Suspension.
    pub suspension: Suspension,
}

/// A spring and a damper, reduced to the wheel.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Suspension {
    /// From the upper mount to the wheel's middle, unloaded (m).
    pub rest_length_m: f64,
    /// Travel from there (m).
    pub travel_m: f64,
    /// Wheel rate (N/m).
    pub stiffness_n_m: f64,
    /// Damping in compression (N s/m).
    pub compression_damping_n_s_m: f64,
    /// Damping in rebound (N s/m).
    pub rebound_damping_n_s_m: f64,
    /// Largest force (N).
    pub max_force_n: f64,
}

/// An engine and its gears, reduced to the road.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Largest force of all driven wheels together (N).
    pub max_force_n: f64,
    /// Largest power at the road (W).
    pub max_power_w: f64,
}

/// A steering gear. Angles are those of the one wheel in the middle of the steered axle that stands for all
/// (bicycle model).
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Steering {
    /// Largest angle to either side (rad).
    pub max_angle_rad: f64,
    /// Largest rate (rad/s).
    pub max_rate_rad_s: f64,
}

fn default_rgb() -> [f32; 3] {
    [0.55, 0.55, 0.58]
}

fn yes() -> bool {
    true
}

fn mean(xs: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = xs.fold((0.0, 0u32), |(s, n), x| (s + x, n + 1));
    (count > 0).then(|| sum / f64::from(count))
}

impl VehicleModel {
    /// Position of the axle that does not steer: the middle of the fixed wheels, or of all where all steer (m).
    pub fn fixed_axle_x_m(&self) -> f64 {
        let fixed = self.wheels.iter().filter(|w| !w.steered);
        mean(fixed.map(|w| w.position_m[0]))
            .or_else(|| mean(self.wheels.iter().map(|w| w.position_m[0])))
            .unwrap_or_default()
    }

    /// Position of the steered axle: the middle of the wheels that steer, or the foremost where all do (m).
    pub fn steered_axle_x_m(&self) -> f64 {
        let steered = self.wheels.iter().filter(|w| w.steered);
        let x = mean(steered.map(|w| w.position_m[0])).unwrap_or_default();
        if x == self.fixed_axle_x_m() {
            let all = self.wheels.iter().map(|w| w.position_m[0]);
            return all.fold(x, f64::max);
        }
        x
    }

    /// From the fixed to the steered axle (m).
    pub fn wheelbase_m(&self) -> f64 {
        (self.steered_axle_x_m() - self.fixed_axle_x_m()).abs()
    }

    /// Curvature of the path of the fixed axle's middle at this steering angle, left positive (1/m).
    pub fn curvature_1_m(&self, steering_rad: f64) -> f64 {
        libm::tan(steering_rad) / self.wheelbase_m()
    }

    /// Angle of one wheel such that all roll about one point (Ackermann geometry: Rajamani, Vehicle Dynamics
    /// and Control, 2nd ed., 2.3), left positive (rad).
    pub fn wheel_angle_rad(&self, wheel: &VehicleWheel, steering_rad: f64) -> f64 {
        if !wheel.steered {
            return 0.0;
        }
        let curvature = self.curvature_1_m(steering_rad);
        let [x, y, _] = wheel.position_m;
        let ahead = x - self.fixed_axle_x_m();
        libm::atan2(curvature * ahead, 1.0 - curvature * y)
    }

    /// Load of each wheel on level ground (N): the forces of springs under a stiff body that balance its weight. None
    /// where the wheels span no area.
    pub fn static_loads_n(&self) -> Option<Vec<f64>> {
        // Deflection of wheel i is a + b x + c y about the centre of mass; forces and moments add up to the weight.
        let [cx, cy, _] = self.centre_of_mass_m;
        let rows: Vec<(f64, [f64; 3])> = self
            .wheels
            .iter()
            .map(|w| {
                let [x, y, _] = w.position_m;
                (w.suspension.stiffness_n_m, [1.0, x - cx, y - cy])
            })
            .collect();
        let mut a = [[0.0; 3]; 3];
        for (k, r) in &rows {
            for i in 0..3 {
                for j in 0..3 {
                    a[i][j] += k * r[i] * r[j];
                }
            }
        }
        let weight = self.mass_kg * STANDARD_GRAVITY_M_S2;
        let solution = solve(a, [weight, 0.0, 0.0])?;
        let load = |(k, r): &(f64, [f64; 3])| k * (0..3).map(|i| r[i] * solution[i]).sum::<f64>();
        Some(rows.iter().map(load).collect())
    }

    /// Body and wheels as links of a robot, for all code that shows or counts links. The body carries all mass; the
    /// wheels' joints are never simulated.
    pub fn as_robot(&self, file: &str) -> RobotModel {
        let v3 = |v: [f64; 3]| Vec3::new(v[0] as f32, v[1] as f32, v[2] as f32);
        let look = |body: &BodyBox| Geometry {
            pose: Pose::new(v3(body.position_m), Quat::IDENTITY),
            shape: Shape::Box {
                half_extents_m: v3(body.size_m) / 2.0,
            },
            rgba: [body.rgb[0], body.rgb[1], body.rgb[2], 1.0],
            contacts: ContactMask::default(),
        };
        let chassis = Link {
            name: CHASSIS.to_owned(),
            inertial: Inertial {
                mass_kg: self.mass_kg as f32,
                com_m: v3(self.centre_of_mass_m),
                inertia_kg_m2: Mat3::from_diagonal(v3(self.inertia_kg_m2)),
            },
            colliders: self.bodies.iter().filter(|b| b.touches).map(look).collect(),
            visuals: self.bodies.iter().map(look).collect(),
        };
        let wheels = self.wheels.iter().map(VehicleWheel::as_link);
        RobotModel {
            name: self.name.clone(),
            file: file.to_owned(),
            links: std::iter::once(chassis).chain(wheels).collect(),
            joints: (1..)
                .zip(&self.wheels)
                .map(|(child, wheel)| Joint {
                    name: wheel.name.clone(),
                    kind: JointKind::Continuous,
                    parent: 0,
                    child,
                    origin: Pose::new(v3(wheel.position_m), Quat::IDENTITY),
                    axis: Vec3::Y,
                    limits: JointLimits::NONE,
                    damping: 0.0,
                    friction: 0.0,
                    armature: 0.0,
                    stiffness: 0.0,
                    spring_rest: 0.0,
                    mimic: None,
                    start: 0.0,
                })
                .collect(),
            // Sensors are mounted on the body.
            frames: vec![Frame {
                name: CHASSIS.to_owned(),
                link: 0,
                pose: Pose::IDENTITY,
            }],
            fixed_base: false,
            static_link: None,
            surroundings: Surroundings::default(),
            excluded: Vec::new(),
            written: Written {
                links: 1 + self.wheels.len(),
                moving_joints: self.wheels.len(),
            },
            missing_meshes: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

/// Name of a vehicle's body among its links.
pub const CHASSIS: &str = "chassis";

impl VehicleWheel {
    /// A tyre with a hub; its spokes make rotation visible.
    fn as_link(&self) -> Link {
        let (radius_m, length_m) = (self.radius_m as f32, self.width_m as f32);
        let along_y = Pose::new(Vec3::ZERO, Quat::from_rotation_x(FRAC_PI_2));
        let tyre = Geometry {
            pose: along_y,
            shape: Shape::Cylinder { radius_m, length_m },
            rgba: [0.08, 0.08, 0.09, 1.0],
            contacts: ContactMask::default(),
        };
        let spoke = |angle| Geometry {
            pose: Pose::new(Vec3::ZERO, Quat::from_rotation_y(angle)),
            shape: Shape::Box {
                half_extents_m: Vec3::new(0.62 * radius_m, 0.52 * length_m, 0.12 * radius_m),
            },
            rgba: [0.75, 0.76, 0.78, 1.0],
            contacts: ContactMask::default(),
        };
        Link {
            name: self.name.clone(),
            inertial: Inertial {
                mass_kg: 0.0,
                com_m: Vec3::ZERO,
                inertia_kg_m2: Mat3::ZERO,
            },
            colliders: vec![tyre.clone()],
            visuals: vec![tyre, spoke(0.0), spoke(FRAC_PI_2)],
        }
    }
}

/// Three linear equations by elimination with pivots; none where they do not determine the unknowns.
fn solve(mut a: [[f64; 3]; 3], mut b: [f64; 3]) -> Option<[f64; 3]> {
    let scale = a.iter().flatten().fold(0.0f64, |m, x| m.max(x.abs()));
    for i in 0..3 {
        let pivot = (i..3).max_by(|&p, &q| a[p][i].abs().total_cmp(&a[q][i].abs()))?;
        a.swap(i, pivot);
        b.swap(i, pivot);
        if !a[i][i].is_finite() || a[i][i].abs() <= 1e-9 * scale {
            return None;
        }
        for r in i + 1..3 {
            let (f, row) = (a[r][i] / a[i][i], a[i]);
            for (x, y) in a[r].iter_mut().zip(row) {
                *x -= f * y;
            }
            b[r] -= f * b[i];
        }
    }
    let mut x = [0.0; 3];
    for i in (0..3).rev() {
        let known: f64 = (i + 1..3).map(|c| a[i][c] * x[c]).sum();
        x[i] = (b[i] - known) / a[i][i];
    }
    Some(x)
}

/// The description that a vehicle was built from; on its actuator.
#[derive(Component, Clone, Debug)]
pub struct Vehicle(pub Arc<VehicleModel>);

/// Command of a vehicle: speed, and the steering angle of the bicycle model (as `AckermannDrive` of ROS's
/// `ackermann_msgs`). Commands are held until the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ackermann {
    /// Speed of the fixed axle's middle, forward positive (m/s).
    pub speed_m_s: f64,
    /// Steering angle, left positive (rad).
    pub steering_rad: f64,
}

/// State of a vehicle's actuators: the command, after their own limits.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct VehicleState {
    /// Steering angle of the bicycle model (rad).
    pub steering_rad: f64,
    /// Force of all driven wheels at the road (N).
    pub drive_n: f64,
    /// Largest force of the brakes now (N).
    pub brake_n: f64,
    /// Integral of the speed's error, as an acceleration (m/s²).
    pub integral_m_s2: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wheel(name: &str, x: f64, y: f64, steered: bool) -> VehicleWheel {
        VehicleWheel {
            name: name.to_owned(),
            position_m: [x, y, 0.3],
            radius_m: 0.3,
            width_m: 0.2,
            steered,
            driven: !steered,
            braked: true,
            suspension: Suspension {
                rest_length_m: 0.4,
                travel_m: 0.3,
                stiffness_n_m: 20e3,
                compression_damping_n_s_m: 1500.0,
                rebound_damping_n_s_m: 1500.0,
                max_force_n: 2e4,
            },
        }
    }

    fn car() -> VehicleModel {
        VehicleModel {
            name: "car".to_owned(),
            mass_kg: 1000.0,
            centre_of_mass_m: [1.5, 0.0, 0.5],
            inertia_kg_m2: [300.0, 1300.0, 1500.0],
            bodies: Vec::new(),
            wheels: vec![
                wheel("fl", 2.5, 0.7, true),
                wheel("fr", 2.5, -0.7, true),
                wheel("rl", 0.0, 0.7, false),
                wheel("rr", 0.0, -0.7, false),
            ],
            tyre_friction: 1.0,
            rolling_resistance: 0.0,
            drag_area_m2: 0.0,
            engine: Engine {
                max_force_n: 4e3,
                max_power_w: 5e4,
            },
            brake_force_n: 1e4,
            steering: Steering {
                max_angle_rad: 0.6,
                max_rate_rad_s: 0.5,
            },
        }
    }

    #[test]
    fn loads_follow_the_lever() {
        let loads = car().static_loads_n().unwrap();
        let weight = 1000.0 * STANDARD_GRAVITY_M_S2;
        // 1.5 of 2.5 m forward: three fifths on the front axle, half of it a side.
        for (load, share) in loads.iter().zip([0.3, 0.3, 0.2, 0.2]) {
            assert!((load - share * weight).abs() < 1e-6 * weight, "{loads:?}");
        }
        let mut bike = car();
        bike.wheels.truncate(2);
        assert_eq!(bike.static_loads_n(), None);
    }

    #[test]
    fn wheels_roll_about_one_point() {
        let car = car();
        let steering = 0.4;
        let radius = 1.0 / car.curvature_1_m(steering);
        assert!((radius - 2.5 / libm::tan(steering)).abs() < 1e-12);
        for w in &car.wheels[..2] {
            // The axle of the wheel points at (0, radius).
            let angle = car.wheel_angle_rad(w, steering);
            let [x, y, _] = w.position_m;
            assert!((libm::tan(angle) * (radius - y) - x).abs() < 1e-9);
        }
        // The inner wheel steers more.
        let [left, right] = [0, 1].map(|k| car.wheel_angle_rad(&car.wheels[k], steering));
        assert!(left > steering && right < steering);
        assert_eq!(car.wheel_angle_rad(&car.wheels[2], steering), 0.0);
    }
}
