//! Builds rapier's bodies with ray-cast wheels from vehicle descriptions.

use super::laps::{LAPS_RATE_HZ, LapsRate};
use super::ray_cast::RayCastVehicle;
use crate::angles::heading;
use crate::control::drive::DriveRate;
use crate::physics::build::{self, vec3};
use crate::physics::motion::WheelAngles;
use crate::physics::{Bodies, Physics};
use becomingone_components::actuator::{Actuator, ActuatorTarget};
use becomingone_components::body::{Pose, RobotModel};
use becomingone_components::control::DrivenBy;
use becomingone_components::drive::DRIVE_RATE_HZ;
use becomingone_components::drive::Odometry;
use becomingone_components::scene::{AgentSpec, FromScene};
use becomingone_components::time::Rate;
use becomingone_components::track::{Laps, Track};
use becomingone_components::vehicle::{Ackermann, Vehicle, VehicleModel, VehicleState};
use bevy_ecs::prelude::*;
use glam::{Quat, Vec3};
use rapier3d::control::{DynamicRayCastVehicleController, WheelTuning};
use rapier3d::prelude::RigidBodyActivation;
use std::sync::Arc;

/// Share of a wheel's side speed that rapier removes in each step, as if the wheel carried the whole mass.
const SIDE_SHARE: f64 = 0.2;

impl Physics {
    /// Builds a vehicle with its root at `root`; `robot` is its body as a link.
    ///
    /// Rapier's tyre holds its wheel to its direction up to friction times load; there is no slip angle. Along the
    /// wheel its limit is twice that, as in Bullet. A tenth of the side force's lever about the centre of mass
    /// counts, so bodies roll little.
    pub fn add_vehicle(
        &mut self,
        name: &str,
        agent: Entity,
        vehicle: &VehicleModel,
        robot: &RobotModel,
        root: Pose,
    ) -> (Bodies, RayCastVehicle) {
        // Only the body is one of rapier's; wheels are rays.
        let mut body = robot.clone();
        body.links.truncate(1);
        body.joints.clear();
        let bodies = self.add_robot(name, agent, &body, root, None, None);
        let chassis = bodies.links[0];
        if let Some(body) = self.rapier.bodies.get_mut(chassis) {
            // Wheels push it in every step: asleep it would accumulate these pushes.
            *body.activation_mut() = RigidBodyActivation::cannot_sleep();
        }
        let mut rays = DynamicRayCastVehicleController::new(chassis);
        rays.index_up_axis = 2;
        rays.index_forward_axis = 0;
        let loads = vehicle.static_loads_n().unwrap_or_default();
        let mass = vehicle.mass_kg;
        for (k, wheel) in vehicle.wheels.iter().enumerate() {
            let spring = &wheel.suspension;
            // In the position of its file, the wheel carries its share of the weight: the mount is higher by the
            // length of the spring under that load.
            let load = loads.get(k).copied().unwrap_or_default();
            let loaded_m = spring.rest_length_m - load / spring.stiffness_n_m;
            let [x, y, z] = wheel.position_m;
            let mount = Vec3::new(x as f32, y as f32, (z + loaded_m) as f32);
            rays.add_wheel(
                mount,
                Vec3::NEG_Z,
                // Rapier's rolling direction is normal x axle.
                Vec3::NEG_Y,
                spring.rest_length_m as f32,
                wheel.radius_m as f32,
                &WheelTuning {
                    // Rapier's values are per kilogram.
                    suspension_stiffness: (spring.stiffness_n_m / mass) as f32,
                    suspension_compression: (spring.compression_damping_n_s_m / mass) as f32,
                    suspension_damping: (spring.rebound_damping_n_s_m / mass) as f32,
                    max_suspension_travel: spring.travel_m as f32,
                    side_friction_stiffness: side_share(vehicle) as f32,
                    friction_slip: vehicle.tyre_friction as f32,
                    max_suspension_force: spring.max_force_n as f32,
                },
            );
        }
        (bodies, RayCastVehicle(rays))
    }
}

/// Factor on rapier's side impulses such that all wheels of a vehicle together remove no more than the whole of its
/// side speed, and of its yaw rate, in one step: more would make it oscillate.
fn side_share(vehicle: &VehicleModel) -> f64 {
    let [cx, cy, _] = vehicle.centre_of_mass_m;
    let wheels = vehicle.wheels.iter();
    let arms: f64 = wheels
        .map(|w| {
            let (x, y) = (w.position_m[0] - cx, w.position_m[1] - cy);
            x * x + y * y
        })
        .sum();
    let linear = SIDE_SHARE * vehicle.wheels.len() as f64;
    let angular = SIDE_SHARE * arms * vehicle.mass_kg / vehicle.inertia_kg_m2[2];
    (1.0 / linear.max(angular)).min(1.0)
}

/// Adds a vehicle's body to an agent, and its drive as an actuator of its own. It stands on its wheels.
pub(crate) fn spawn_vehicle(
    world: &mut World,
    agent: Entity,
    spec: &AgentSpec,
    robot: &Arc<RobotModel>,
    vehicle: &Arc<VehicleModel>,
    track: Option<&Track>,
) {
    let rotation = Quat::from_rotation_z(spec.yaw_rad as f32);
    let root = Pose::new(vec3(spec.position_m) - Vec3::Z * robot.lowest_m(), rotation);
    let (bodies, rays) = world
        .resource_mut::<Physics>()
        .add_vehicle(&spec.name, agent, vehicle, robot, root);
    let actuator = world
        .spawn((
            Name::new(format!("{}/drive", spec.name)),
            FromScene,
            Actuator,
            ChildOf(agent),
            Vehicle(vehicle.clone()),
            VehicleState::default(),
            DriveRate(Rate::new(DRIVE_RATE_HZ)),
            ActuatorTarget(Ackermann::default()),
            WheelAngles(vec![0.0; vehicle.wheels.len()]),
            rays,
        ))
        .id();
    let axle = root.point(Vec3::X * vehicle.fixed_axle_x_m() as f32);
    world.entity_mut(agent).insert((
        build::body(robot, bodies, root),
        DrivenBy(actuator),
        Odometry {
            x_m: f64::from(axle.x),
            y_m: f64::from(axle.y),
            yaw_rad: heading(root.rotation, 0.0),
            ..Odometry::default()
        },
    ));
    if let Some(track) = track {
        let [x, y, _] = spec.position_m;
        world.entity_mut(agent).insert((
            Laps {
                foot: track.locate([x, y]),
                ..Laps::default()
            },
            LapsRate(Rate::new(LAPS_RATE_HZ)),
        ));
    }
}
