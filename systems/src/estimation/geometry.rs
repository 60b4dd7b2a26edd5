//! Rolling geometry of a machine, for its localisation filter.

use super::filter::Steered;
use becomingone_components::drive::Drive;
use becomingone_components::vehicle::{STANDARD_GRAVITY_M_S2, VehicleModel, VehicleWheel};
use glam::{Quat, Vec3};

/// Wheels of a machine.
pub(super) struct WheelGeometry {
    pub(super) track_width_m: f64,
    /// Middle of the wheels that roll as those of a differential drive, in the root frame (m).
    pub(super) centre_m: Vec3,
    pub(super) forward_yaw_rad: f64,
    /// Of each wheel: its index among the encoders' angles, whether it is on the left, its radius (m).
    pub(super) wheels: Vec<(usize, bool, f64)>,
    /// Largest acceleration (m/s²) and yaw acceleration (rad/s²).
    pub(super) agility: [f64; 2],
    /// None for robots, which are modelled as rigid.
    pub(super) compliance: Option<Compliance>,
}

/// Compliance of a vehicle's body and tyres.
pub(super) struct Compliance {
    pub(super) steered: Option<Steered>,
    /// How many of each side's wheels have encoders.
    pub(super) of_side: f64,
    /// Share of the acceleration forward and sideways that gravity adds as the body pitches and rolls, if all of a force at
    /// the road goes through the springs.
    pub(super) tilt_coupling: [f64; 2],
}

fn on_left(wheel: &VehicleWheel) -> bool {
    wheel.position_m[1] > 0.0
}

impl Compliance {
    fn of(vehicle: &VehicleModel) -> Self {
        let steered = || vehicle.wheels.iter().filter(|w| w.steered);
        let turn = steered().count() as f64;
        let all = vehicle.wheels.len() as f64;
        let apart: f64 = steered().map(|w| w.position_m[1].abs()).sum();
        // Steered wheels are used only where both sides have as many.
        let on = |steered: bool, left: bool| {
            let is = |w: &&VehicleWheel| w.steered == steered && on_left(w) == left;
            vehicle.wheels.iter().filter(is).count()
        };
        let alike = [false, true].map(|steered| on(steered, true) == on(steered, false));
        let counted = alike == [true; 2] && 0.0 < turn && turn < all;
        // A force F at the road tilts a stiff body by F h / K, K the moment of the springs per radian.
        let [x, y, z] = vehicle.centre_of_mass_m;
        let road = |m: f64, w: &VehicleWheel| m.min(w.position_m[2] - w.radius_m);
        let height_m = z - vehicle.wheels.iter().fold(f64::INFINITY, road);
        let stiffness = |axis: usize, centre: f64| -> f64 {
            let of =
                |w: &VehicleWheel| w.suspension.stiffness_n_m * square(w.position_m[axis] - centre);
            vehicle.wheels.iter().map(of).sum()
        };
        let moment = STANDARD_GRAVITY_M_S2 * vehicle.mass_kg * height_m;
        Self {
            steered: counted.then(|| Steered {
                share: turn / all,
                ahead_m: vehicle.steered_axle_x_m() - vehicle.fixed_axle_x_m(),
                track_width_m: 2.0 * apart / turn,
            }),
            of_side: (if counted { all } else { all - turn } / 2.0).max(1.0),
            tilt_coupling: [moment / stiffness(0, x), moment / stiffness(1, y)],
        }
    }
}

impl WheelGeometry {
    pub(super) fn of_drive(drive: &Drive) -> Self {
        let wheels = drive.wheels.iter().enumerate();
        Self {
            track_width_m: drive.track_width_m,
            centre_m: drive.centre(),
            forward_yaw_rad: drive.forward_yaw_rad,
            wheels: wheels.map(|(k, w)| (k, w.left, w.radius_m)).collect(),
            agility: [
                drive.max_acceleration_m_s2,
                drive.max_acceleration_m_s2 / (drive.track_width_m / 2.0),
            ],
            compliance: None,
        }
    }

    pub(super) fn of_vehicle(vehicle: &VehicleModel) -> Self {
        let compliance = Compliance::of(vehicle);
        let all = vehicle.wheels.iter().enumerate();
        let counted = || {
            let is = |(_, w): &(usize, &VehicleWheel)| !w.steered || compliance.steered.is_some();
            all.clone().filter(is)
        };
        // One radius for the mean of the angles of a side.
        let over: f64 = counted().map(|(_, w)| 1.0 / w.radius_m).sum();
        let radius_m = counted().count() as f64 / over;
        let wheels = counted().map(|(k, w)| (k, on_left(w), radius_m)).collect();
        let side = |left: bool| {
            let of_side = vehicle
                .wheels
                .iter()
                .filter(|w| !w.steered && on_left(w) == left);
            let (sum, count) = of_side.fold((0.0, 0.0), |(s, n), w| (s + w.position_m[1], n + 1.0));
            sum / f64::max(count, 1.0)
        };
        Self {
            track_width_m: side(true) - side(false),
            centre_m: Vec3::X * vehicle.fixed_axle_x_m() as f32,
            forward_yaw_rad: 0.0,
            wheels,
            // Of a road car: pedals change its acceleration by this within a second, the steering wheel its yaw rate.
            agility: [1.0, 1.5],
            compliance: Some(compliance),
        }
    }

    /// A place in the root frame, forward and left of the middle of the wheels (m).
    pub(super) fn lever_m(&self, at_m: Vec3) -> [f64; 2] {
        let r = Quat::from_rotation_z(-self.forward_yaw_rad as f32) * (at_m - self.centre_m);
        [f64::from(r.x), f64::from(r.y)]
    }
}

fn square(x: f64) -> f64 {
    x * x
}
