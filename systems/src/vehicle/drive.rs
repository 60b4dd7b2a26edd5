//! Vehicle drive: a command becomes steering angles and forces, within the vehicle's limits.

use super::ray_cast::RayCastVehicle;
use crate::control::drive::DriveRate;
use crate::physics::{Bodies, Physics};
use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::fault::Faults;
use becomingone_components::link::ExternalActuator;
use becomingone_components::time::SimTime;
use becomingone_components::vehicle::{
    Ackermann, STANDARD_GRAVITY_M_S2, Vehicle, VehicleModel, VehicleState,
};
use bevy_ecs::prelude::*;
use glam::Vec3;

/// Gain from the speed error to the requested acceleration (1/s).
pub const SPEED_GAIN_1_S: f64 = 5.0;
/// Integral gain (1/s²): it compensates drag and slopes.
const INTEGRAL_GAIN_1_S2: f64 = 1.0;
/// Speed below which a vehicle with a zero command is held by its brakes (m/s).
const STANDING_M_S: f64 = 0.05;
/// Density of air at 15 °C and sea level (ISO 2533, kg/m³).
pub const AIR_KG_M3: f64 = 1.225;

/// Steers, and controls the speed by the forces of engine and brakes: proportional-integral, with the integral held
/// while a limit is reached.
pub fn actuate(
    physics: Res<Physics>,
    time: Res<SimTime>,
    mut vehicles: Query<
        (
            &ChildOf,
            &Vehicle,
            &ActuatorTarget<Ackermann>,
            &mut DriveRate,
            &mut VehicleState,
            &mut RayCastVehicle,
            Option<&Faults>,
        ),
        Without<ExternalActuator>,
    >,
    agents: Query<&Bodies>,
) {
    for (of, vehicle, command, mut rate, mut state, mut rays, faults) in &mut vehicles {
        if !rate.0.due(time.now_ns) {
            continue;
        }
        // A tick may be longer than the drive's own period.
        let period_s = rate.0.period_s().max(time.tick_s());
        let body = agents.get(of.parent()).ok();
        let Some(body) = body.and_then(|b| physics.rapier.bodies.get(*b.links.first()?)) else {
            continue;
        };
        let pose = body.position();
        let forward = pose.rotation * Vec3::X;
        let speed_m_s = f64::from(body.velocity_at_point(pose.translation).dot(forward));
        let next = follow(&vehicle.0, &command.0, *state, speed_m_s, period_s);
        *state = next;
        let dt_s = time.tick_s();
        let model = &vehicle.0;
        let driven = model.wheels.iter().filter(|w| w.driven).count().max(1);
        let braked = model.wheels.iter().filter(|w| w.braked).count().max(1);
        let wheels = model.wheels.iter().zip(rays.0.wheels_mut());
        for (k, (wheel, ray)) in wheels.enumerate() {
            ray.steering = model.wheel_angle_rad(wheel, next.steering_rad) as f32;
            ray.engine_force = 0.0;
            if wheel.driven {
                let share = faults.map_or(1.0, |f| f.torque(k));
                ray.engine_force = (next.drive_n / driven as f64 * share) as f32;
            }
            ray.brake = 0.0;
            if wheel.braked {
                // Rapier takes an impulse per step.
                ray.brake = (next.brake_n / braked as f64 * dt_s) as f32;
            }
        }
    }
}

/// State of the actuators one period later.
fn follow(
    model: &VehicleModel,
    command: &Ackermann,
    mut state: VehicleState,
    speed_m_s: f64,
    period_s: f64,
) -> VehicleState {
    if !(command.speed_m_s.is_finite() && command.steering_rad.is_finite()) {
        return state;
    }
    let most = model.steering.max_angle_rad;
    let step = model.steering.max_rate_rad_s * period_s;
    let wanted = command.steering_rad.clamp(-most, most);
    state.steering_rad += (wanted - state.steering_rad).clamp(-step, step);

    if command.speed_m_s == 0.0 && speed_m_s.abs() < STANDING_M_S {
        state.drive_n = 0.0;
        state.brake_n = model.brake_force_n;
        state.integral_m_s2 = 0.0;
        return state;
    }
    let error = command.speed_m_s - speed_m_s;
    let integral = state.integral_m_s2 + INTEGRAL_GAIN_1_S2 * error * period_s;
    let force = model.mass_kg * (SPEED_GAIN_1_S * error + integral);
    // The engine pushes in the commanded direction; the brakes act against it.
    let way = if command.speed_m_s == 0.0 {
        speed_m_s.signum()
    } else {
        command.speed_m_s.signum()
    };
    let engine = model.engine;
    let drive = engine
        .max_force_n
        .min(engine.max_power_w / speed_m_s.abs().max(1e-3));
    let push = (force * way).clamp(-model.brake_force_n, drive);
    state.drive_n = push.max(0.0) * way;
    state.brake_n = (-push).max(0.0);
    if push == force * way {
        state.integral_m_s2 = integral;
    }
    state
}

/// Drag of the air at this speed (N).
pub(crate) fn air_n(model: &VehicleModel, speed_m_s: f64) -> f64 {
    0.5 * AIR_KG_M3 * model.drag_area_m2 * speed_m_s * speed_m_s
}

/// Force against rolling (N).
pub(crate) fn rolling_n(model: &VehicleModel) -> f64 {
    model.rolling_resistance * model.mass_kg * STANDARD_GRAVITY_M_S2
}

#[cfg(test)]
mod tests {
    use super::*;
    use becomingone_components::vehicle::{Engine, Steering};

    fn model() -> VehicleModel {
        VehicleModel {
            name: String::new(),
            mass_kg: 1000.0,
            centre_of_mass_m: [0.0; 3],
            inertia_kg_m2: [1.0; 3],
            bodies: Vec::new(),
            wheels: Vec::new(),
            tyre_friction: 1.0,
            rolling_resistance: 0.0,
            drag_area_m2: 0.0,
            engine: Engine {
                max_force_n: 4000.0,
                max_power_w: 50_000.0,
            },
            brake_force_n: 9000.0,
            steering: Steering {
                max_angle_rad: 0.5,
                max_rate_rad_s: 0.4,
            },
        }
    }

    fn at(speed_m_s: f64, command_m_s: f64) -> VehicleState {
        let command = Ackermann {
            speed_m_s: command_m_s,
            steering_rad: 1.0,
        };
        follow(&model(), &command, VehicleState::default(), speed_m_s, 0.01)
    }

    #[test]
    fn every_limit_holds() {
        // Force at low speed, power at high speed, brakes the other way.
        assert_eq!(at(1.0, 30.0).drive_n, 4000.0);
        assert_eq!(at(25.0, 60.0).drive_n, 2000.0);
        assert_eq!(
            (at(20.0, 1.0).drive_n, at(20.0, 1.0).brake_n),
            (0.0, 9000.0)
        );
        assert_eq!(at(-2.0, -30.0).drive_n, -4000.0);
        assert_eq!(at(-20.0, -1.0).brake_n, 9000.0);
        // From forward to reverse, the brakes come first.
        assert_eq!(
            (at(3.0, -1.0).drive_n, at(3.0, -1.0).brake_n),
            (-4000.0, 0.0)
        );
        assert_eq!((at(0.0, 0.0).drive_n, at(0.0, 0.0).brake_n), (0.0, 9000.0));
        assert!((at(1.0, 30.0).steering_rad - 0.004).abs() < 1e-12);
        assert_eq!(at(1.0, 30.0).integral_m_s2, 0.0);
        assert!(at(f64::NAN, 1.0).steering_rad.is_finite());
    }
}
