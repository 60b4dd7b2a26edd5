//! Adds the localisation filter of an agent: its measured numbers and their noise.

use super::filter::{self, FilterModel, STATES};
use super::geometry::WheelGeometry;
use super::localiser::EkfLocaliser;
use crate::angles::heading;
use crate::diagnosis::config::DiagnosisConfig;
use crate::diagnosis::features::{Consumer, FeatureExtractor};
use crate::diagnosis::isolation::FaultIsolation;
use crate::sensing::{Encoders, Gnss, Imu};
use becomingone_components::body::{Pose, TruePose};
use becomingone_components::control::DrivenBy;
use becomingone_components::drive::Drive;
use becomingone_components::feature::Feature;
use becomingone_components::localisation::{Estimate, FilterSpec, SENSED, Sensed};
use becomingone_components::scene::SensorSpec;
use becomingone_components::sensor::{Mount, Noise, Sensor};
use becomingone_components::vehicle::Vehicle;
use bevy_ecs::prelude::*;
use glam::{Quat, Vec3};

/// Least deviation of a GNSS position (m), of receivers that the scene gives no noise: no measurement is that exact.
const PLACE_SD_M: f64 = 0.001;
/// Of its velocity (m/s).
const VELOCITY_SD_M_S: f64 = 0.001;
/// Changes of the acceleration from zero to its limit per second, in the mean of squares.
const JERK_PSD_HZ: f64 = 1.0;
/// Share of the largest yaw acceleration that is used, in the mean of squares.
const YAW_ACCEL_SHARE: f64 = 0.3;
/// Variance that the wheels' scale gains in a second: a deviation of 1 % in three hours.
const SCALE_WALK_1_S: f64 = 1e-8;
/// Correlation time of a vehicle's yaw acceleration: the time for which a steering wheel is turned (s).
const YAW_ACCEL_TAU_S: f64 = 0.2;
/// Share of a force forward that goes through the springs, and its deviation: anti-dive suspensions take up some.
const PITCH_COUPLING: [f64; 2] = [1.0, 0.3];
/// The same of a force sideways, which may act anywhere from the road to the centre of mass: the roll centre is in no file.
const ROLL_COUPLING: [f64; 2] = [0.5, 0.3];
/// Deviation of the side-slip angle of the fixed axle for each m/s² sideways, from none (rad s²/m). It is 1/(C g) of tyres
/// whose cornering stiffness is C times their load: 0.005 of C = 21.9, as vehicle 1 of `CommonRoad` has it (its manual's table
/// of parameters; see `compact_car.yaml`). Simulated tyres have none.
const SLIP_SD_RAD_S2_M: f64 = 0.01;

/// Adds a filter to an agent, where it is driven: the loader refuses one elsewhere.
pub(crate) fn spawn(
    world: &mut World,
    agent: Entity,
    filter: &FilterSpec,
    specs: &[SensorSpec],
    sensors: &[Entity],
    rate_hz: f64,
) {
    let driven_by = world.get::<DrivenBy>(agent).map(|d| d.0);
    let geometry = driven_by.and_then(|d| {
        let drive = world.get::<Drive>(d).map(WheelGeometry::of_drive);
        let vehicle = || world.get::<Vehicle>(d).map(|v| v.0.as_ref());
        drive.or_else(|| vehicle().map(WheelGeometry::of_vehicle))
    });
    let (Some(geometry), Some(&TruePose(root))) = (geometry, world.get::<TruePose>(agent)) else {
        return;
    };
    let period_s = 1.0 / rate_hz;
    let mut setup = Setup {
        filter,
        geometry: &geometry,
        period_s,
        model: default_model(&geometry, filter, period_s),
        from: [None; SENSED],
        gains: [1.0; SENSED],
        features: Vec::new(),
    };
    let mut used = Vec::new();
    for (index, (spec, &entity)) in specs.iter().zip(sensors).enumerate() {
        let on_root = world.get::<Sensor>(entity).is_some_and(|s| s.link == 0);
        let Some(&Mount(mount)) = world.get::<Mount>(entity).filter(|_| on_root) else {
            continue;
        };
        if !setup.add(index, spec, mount) {
            continue;
        }
        used.push(entity);
        let mut sensor = world.entity_mut(entity);
        let mut extractor = sensor
            .entry::<FeatureExtractor>()
            .or_insert_with(|| FeatureExtractor::new(agent));
        for (channel, feature) in setup.features.drain(..) {
            extractor.get_mut().push(Consumer::Filter, channel, feature);
        }
    }
    let at = root.point(geometry.centre_m);
    let yaw_rad = heading(root.rotation, geometry.forward_yaw_rad);
    let (x_m, y_m) = (f64::from(at.x), f64::from(at.y));
    let config = world
        .get_resource::<DiagnosisConfig>()
        .copied()
        .unwrap_or_default();
    let filter = filter::Filter::new(setup.model, x_m, y_m, yaw_rad);
    let localiser = EkfLocaliser::new(
        filter,
        used,
        setup.from,
        setup.gains,
        &config.isolation,
        rate_hz,
    );
    let estimate = Estimate {
        x_m,
        y_m,
        yaw_rad,
        ..Estimate::default()
    };
    let isolation = FaultIsolation::new(&config, rate_hz);
    world
        .entity_mut(agent)
        .insert((localiser, estimate, isolation));
}

/// Parts of a filter.
struct Setup<'a> {
    filter: &'a FilterSpec,
    geometry: &'a WheelGeometry,
    period_s: f64,
    model: FilterModel,
    /// Index on the agent of the sensor that each number comes from.
    from: [Option<usize>; SENSED],
    /// Factor of the mean of each number.
    gains: [f64; SENSED],
    /// Channels of the sensor that was added last.
    features: Vec<(usize, Feature)>,
}

impl Setup<'_> {
    fn measures(&mut self, index: usize, sensed: Sensed, feature: Feature, variance: f64) {
        let k = sensed as usize;
        self.from[k] = Some(index);
        self.model.variance[k] = variance;
        self.features.push((k, feature));
    }

    /// Adds a sensor, if it is the first of its kind; returns whether it was.
    fn add(&mut self, index: usize, spec: &SensorSpec, mount: Pose) -> bool {
        let is_free = |sensed: Sensed| self.from[sensed as usize].is_none();
        if let Some(encoders) = spec.kind.get::<Encoders>() {
            if !is_free(Sensed::Left) {
                return false;
            }
            self.add_encoders(index, spec.rate_hz, &encoders.noise);
        } else if let Some(imu) = spec.kind.get::<Imu>() {
            if !is_free(Sensed::Gyro) {
                return false;
            }
            self.add_imu(index, spec.rate_hz, mount, &imu.gyro, &imu.accelerometer);
        } else if let Some(gnss) = spec.kind.get::<Gnss>() {
            if !is_free(Sensed::East) {
                return false;
            }
            self.add_gnss(index, mount, &gnss.horizontal, &gnss.velocity);
        } else {
            return false;
        }
        true
    }

    fn add_encoders(&mut self, index: usize, rate_hz: f64, noise: &Noise) {
        let geometry = self.geometry;
        let over_s = self.period_s.max(1.0 / rate_hz);
        for &(wheel, left, radius_m) in &geometry.wheels {
            let sensed = if left { Sensed::Left } else { Sensed::Right };
            let angle = scatter(noise) * square(radius_m);
            let walk = square(self.filter.wheel_sd_m_s);
            let variance = match &geometry.compliance {
                Some(compliance) => angle / compliance.of_side,
                // Two angles make a rate.
                None => 2.0 * angle / square(over_s) + walk,
            };
            if geometry.compliance.is_some() {
                let rolled_distance = filter::LEFT_DISTANCE + sensed as usize;
                self.model.start[rolled_distance] = variance;
                self.model.walk[rolled_distance] = walk * self.period_s;
            }
            self.measures(index, sensed, Feature::Rate(wheel), variance);
            self.gains[sensed as usize] = radius_m;
        }
    }

    fn add_imu(
        &mut self,
        index: usize,
        rate_hz: f64,
        mount: Pose,
        gyro: &Noise,
        accelerometer: &Noise,
    ) {
        let mean_of = (rate_hz * self.period_s).max(1.0);
        let forward = Quat::from_rotation_z(self.geometry.forward_yaw_rad as f32);
        let axis = |axis: Vec3| {
            let d = mount.rotation.inverse() * (forward * axis);
            d.to_array().map(f64::from)
        };
        let filter = self.filter;
        let yaw_rate = scatter(gyro) / mean_of + square(filter.gyro_sd_rad_s);
        let variance = scatter(accelerometer) / mean_of;
        let along = |place: usize, of: Vec3| Feature::Along(place, axis(of));
        for (sensed, feature, variance) in [
            (Sensed::Gyro, along(0, Vec3::Z), yaw_rate),
            (
                Sensed::Forward,
                along(3, Vec3::X),
                variance + square(filter.forward_sd_m_s2),
            ),
            (
                Sensed::Sideways,
                along(3, Vec3::Y),
                variance + square(filter.sideways_sd_m_s2),
            ),
        ] {
            self.measures(index, sensed, feature, variance);
        }
        self.model.imu_m = self.geometry.lever_m(mount.translation_m);
        add_error(&mut self.model, filter::GYRO_BIAS, gyro);
        add_error(&mut self.model, filter::ACCELEROMETER_BIAS, accelerometer);
        add_error(&mut self.model, filter::SIDEWAYS_BIAS, accelerometer);
    }

    fn add_gnss(&mut self, index: usize, mount: Pose, horizontal: &Noise, velocity: &Noise) {
        let place = scatter(horizontal) + square(PLACE_SD_M);
        let speed = scatter(velocity) + square(VELOCITY_SD_M_S);
        for (sensed, place, variance) in [
            (Sensed::East, 3, place),
            (Sensed::North, 4, place),
            (Sensed::VelocityEast, 6, speed),
            (Sensed::VelocityNorth, 7, speed),
        ] {
            self.measures(index, sensed, Feature::Value(place), variance);
        }
        self.model.antenna_m = self.geometry.lever_m(mount.translation_m);
        add_error(&mut self.model, filter::EAST_OFFSET, horizontal);
        add_error(&mut self.model, filter::NORTH_OFFSET, horizontal);
    }
}

/// Model of the machine, without a sensor yet. It ticks at this period.
fn default_model(geometry: &WheelGeometry, spec: &FilterSpec, period_s: f64) -> FilterModel {
    let [acceleration, yaw_acceleration] = geometry.agility;
    let (mut walk, mut start) = ([0.0; STATES], [0.0; STATES]);
    walk[filter::ACCELERATION] = JERK_PSD_HZ * square(acceleration);
    // Yaw acceleration is no state: in a tick it changes the yaw rate by itself times the tick.
    walk[filter::YAW_RATE] = square(YAW_ACCEL_SHARE * yaw_acceleration) * period_s;
    walk[filter::WHEEL_SCALE] = SCALE_WALK_1_S;
    walk[filter::TRACK_SCALE] = SCALE_WALK_1_S;
    start[filter::WHEEL_SCALE] = square(spec.wheel_scale_sd);
    start[filter::TRACK_SCALE] = square(spec.track_scale_sd);
    let (mut tilt_coupling, mut yaw_accel_kept, mut late_s) = ([0.0; 2], 0.0, 0.0);
    if let Some(compliance) = &geometry.compliance {
        let [pitch, roll] = compliance.tilt_coupling;
        tilt_coupling = [PITCH_COUPLING[0] * pitch, ROLL_COUPLING[0] * roll];
        start[filter::PITCH_COUPLING_STATE] = square(PITCH_COUPLING[1] * pitch);
        start[filter::ROLL_COUPLING_STATE] = square(ROLL_COUPLING[1] * roll);
        start[filter::SLIP] = square(SLIP_SD_RAD_S2_M);
        yaw_accel_kept = libm::exp(-period_s / YAW_ACCEL_TAU_S);
        late_s = period_s / 2.0;
        walk[filter::YAW_RATE] *= 1.0 - yaw_accel_kept * yaw_accel_kept;
    }
    FilterModel {
        track_width_m: geometry.track_width_m,
        counts_distance: geometry.compliance.is_some(),
        steered: geometry.compliance.as_ref().and_then(|g| g.steered),
        tilt_coupling,
        yaw_accel_kept,
        late_s,
        imu_m: [0.0; 2],
        antenna_m: [0.0; 2],
        variance: [1.0; SENSED],
        walk,
        start,
    }
}

fn square(x: f64) -> f64 {
    x * x
}

/// Variance of one reading beside its constant error; that of rounding is a twelfth of the step's square.
fn scatter(noise: &Noise) -> f64 {
    square(noise.white_sd) + square(noise.resolution) / 12.0
}

/// The constant error of a sensor is a state of unknown value that walks.
fn add_error(model: &mut FilterModel, state: usize, noise: &Noise) {
    model.start[state] = square(noise.turn_on_bias_sd) + square(noise.correlated_sd);
    model.walk[state] = square(noise.drift_sd);
    if noise.correlated_sd > 0.0 {
        model.walk[state] += 2.0 * square(noise.correlated_sd) / noise.correlation_time_s;
    }
}
