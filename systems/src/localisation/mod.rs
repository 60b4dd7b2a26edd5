//! Where an agent is by all that it senses of itself: a filter over wheels, IMU and GNSS, at each kernel tick.
//!
//! - [`filter`]: the equations.
//!
//! It takes the machine to move on a plane: on a ramp, gravity is an acceleration to it. Of each kind of sensor it
//! listens to the agent's first, if that sits on the root link.

pub mod filter;

use crate::control::heading;
use crate::hash::{Bits, HashState, RegisterState};
use crate::sensing::{Encoders, Gnss, Imu};
use crate::tick::{Tick, TickSystems};
use becomingone_components::body::TruePose;
use becomingone_components::coherence::KernelTick;
use becomingone_components::control::DrivenBy;
use becomingone_components::drive::{Drive, Twist2};
use becomingone_components::feature::Feature;
use becomingone_components::localisation::{
    EQUAL, Estimate, FaultIsolation, FilterSpec, GNSS, GROUPS, ISOLATION_TICKS, SENSED, SQUARE_CAP,
    Sensed, WHEELS,
};
use becomingone_components::scene::SensorSpec;
use becomingone_components::sensor::{Mount, Noise, Sensor, elapsed_s};
use becomingone_components::time::SimTime;
use becomingone_components::vehicle::{STANDARD_GRAVITY_M_S2, Vehicle, VehicleModel, VehicleWheel};
use becomingone_components::witness::{Consumer, FeatureExtractor};
use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;
use filter::{Filter, FilterModel, STATES, Steered};
use glam::{Quat, Vec3};

/// Runs the filters of agents that have one.
pub struct LocalisationPlugin;

impl Plugin for LocalisationPlugin {
    fn build(&self, app: &mut App) {
        app.register_state::<Estimate>("estimate")
            .add_systems(Tick, update_filters.in_set(TickSystems::Estimate));
    }
}

impl HashState for Estimate {
    fn bits(&self, bits: &mut Bits) {
        for x in [
            self.x_m,
            self.y_m,
            self.yaw_rad,
            self.twist.linear_m_s,
            self.twist.angular_rad_s,
            self.position_sd_m,
            self.gyro_bias_rad_s,
            self.wheel_scale,
        ] {
            bits.f64(x);
        }
    }
}

/// The filter of an agent, and who feeds it.
#[derive(Component, Clone, Debug)]
pub struct EkfLocaliser {
    filter: Filter,
    /// The same without wheels, gyroscope, accelerometer, GNSS, each: whichever stays consistent tells whose fault it is
    /// (a dedicated observer scheme: Clark, Instrument fault detection, IEEE Trans. AES-14(3), 1978).
    without: Box<[Filter; GROUPS.len()]>,
    /// What each of these is inconsistent by as a rule: where the scene's noises are not quite those that there are.
    baseline: [f64; GROUPS.len()],
    /// The same of the filter that hears all.
    baseline_of_all: f64,
    /// Kernel ticks so far, as far as they count for that.
    ticks: u32,
    /// The sensor at fault, if any, and how far it contradicts the others since, as [`FaultIsolation::excess_without`] has it.
    at_fault: (Option<usize>, f64),
    sensors: Vec<Entity>,
    /// Index on the agent of the sensor that each number comes from; none where there is no such sensor.
    from: [Option<usize>; SENSED],
    /// What a mean of a sensor's numbers is multiplied by: a wheel's radius.
    gains: [f64; SENSED],
    /// Whether it seems to skid.
    skids: bool,
    /// Sensors that are left out, as [`FaultIsolation::excluded`] has it.
    left_out: u32,
    /// Whether the ways of the left and right wheels are counted: since the first count came.
    counted: [bool; 2],
}

impl EkfLocaliser {
    /// Index on the agent of the sensor that a number comes from.
    pub fn sensor_of(&self, sensed: usize) -> Option<usize> {
        self.from.get(sensed).copied().flatten()
    }

    /// Whether it listens to a sensor, by the index on its agent.
    pub fn listens_to(&self, sensor: usize) -> bool {
        self.from.contains(&Some(sensor))
    }

    /// A sensor is left out from now on: all filters go on from the one that explains it best without it, since the others
    /// were led astray, if they were. Not so with GNSS: without it nobody knows for long where the machine is.
    fn leave_out(&mut self, innovated: &mut FaultIsolation) {
        let from = &self.from;
        let masked = |&k: &usize| from[k].is_some_and(|s| innovated.excluded >> s & 1 == 1);
        let left = |group: &usize| innovated.excess_without[*group];
        let best = (0..GNSS)
            .filter(|&group| masked(&GROUPS[group].0))
            .filter(|group| left(group) + EQUAL < innovated.excess_with_all)
            .min_by(|a, b| left(a).total_cmp(&left(b)));
        let numbers = (0..SENSED).filter(masked).fold(0, |all, k| all | 1 << k);
        if let Some(group) = best {
            self.filter.clone_from(&self.without[group]);
        }
        self.without.fill(self.filter.clone());
        *innovated = FaultIsolation {
            totals: innovated.totals,
            excluded: innovated.excluded,
            masked: numbers,
            ..FaultIsolation::default()
        };
        self.left_out = innovated.excluded;
    }

    /// What its numbers are called after the sensors that they come from: `imu/gyro_z`.
    pub fn names(&self, sensors: &[SensorSpec]) -> Vec<String> {
        let parts = [
            "left",
            "right",
            "gyro_z",
            "accelerometer_x",
            "accelerometer_y",
            "east",
            "north",
            "velocity_east",
            "velocity_north",
        ];
        let named = |(from, part): (&Option<usize>, &str)| {
            let sensor = from.and_then(|k| sensors.get(k));
            sensor.map_or_else(String::new, |s| format!("{}/{part}", s.name))
        };
        self.from.iter().zip(parts).map(named).collect()
    }
}

/// How a machine rolls, as far as a filter has to know it.
struct WheelGeometry {
    track_width_m: f64,
    /// Middle of the wheels that roll as those of a differential drive, in the root frame (m).
    centre_m: Vec3,
    forward_yaw_rad: f64,
    /// Of each wheel: its index among the encoders' angles, whether it is on the left, its radius (m).
    wheels: Vec<(usize, bool, f64)>,
    /// Largest acceleration (m/s²) and yaw acceleration (rad/s²).
    agility: [f64; 2],
    /// What robots are taken to have nothing of.
    compliance: Option<Compliance>,
}

/// How a vehicle's body and tyres give.
struct Compliance {
    steered: Option<Steered>,
    /// How many of each side's wheels are counted.
    of_side: f64,
    /// Share of the acceleration forward and sideways that gravity adds as the body nods and leans, if all of a force at
    /// the road goes through the springs.
    tilt_coupling: [f64; 2],
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
        // Both sides alike, or those that do not steer are all that is counted.
        let on = |steered: bool, left: bool| {
            let is = |w: &&VehicleWheel| w.steered == steered && on_left(w) == left;
            vehicle.wheels.iter().filter(is).count()
        };
        let alike = [false, true].map(|steered| on(steered, true) == on(steered, false));
        let counted = alike == [true; 2] && 0.0 < turn && turn < all;
        // A force F at the road tilts a stiff body by F h / K, K the springs' moment for each radian.
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
    fn of_drive(drive: &Drive) -> Self {
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

    fn of_vehicle(vehicle: &VehicleModel) -> Self {
        let compliance = Compliance::of(vehicle);
        let all = vehicle.wheels.iter().enumerate();
        let counted = || {
            let is = |(_, w): &(usize, &VehicleWheel)| !w.steered || compliance.steered.is_some();
            all.clone().filter(is)
        };
        // The mean of a side's angles becomes a way.
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
    fn lever_m(&self, at_m: Vec3) -> [f64; 2] {
        let r = Quat::from_rotation_z(-self.forward_yaw_rad as f32) * (at_m - self.centre_m);
        [f64::from(r.x), f64::from(r.y)]
    }
}

/// Of receivers that scenes say are without noise: nothing is that sure.
const PLACE_SD_M: f64 = 0.001;
const VELOCITY_SD_M_S: f64 = 0.001;
/// Kernel ticks over which it is learned what is usual; that of which a fault could be the cause is not.
const BASELINE_TICKS: u32 = 1000;
/// How far the filters must be apart to take over the state of one. In 900 healthy seconds of `gnss_spoof`, the most was
/// 2.6.
const TAKEOVER_MARGIN: f64 = 5.0;
/// How often in a second an acceleration changes from nothing to its limit, in the mean of squares.
const JERK_PSD_HZ: f64 = 1.0;
/// Share of the largest yaw acceleration that is used, in the mean of squares.
const YAW_ACCEL_SHARE: f64 = 0.3;
/// Variance that the wheels' scale gains in a second: a deviation of 1 % in three hours.
const SCALE_WALK_1_S: f64 = 1e-8;
/// How long a vehicle's yaw acceleration lasts: the time that a steering wheel is turned on (s).
const YAW_ACCEL_TAU_S: f64 = 0.2;
/// Share of a force forward that goes through the springs, and its deviation: suspensions against dive take up some.
const PITCH_COUPLING: [f64; 2] = [1.0, 0.3];
/// The same of a force sideways, which may act anywhere from the road to the centre of mass: the roll centre is in no file.
const ROLL_COUPLING: [f64; 2] = [0.5, 0.3];
/// Deviation of the angle that the fixed axle moves at, for each m/s² sideways, from none (rad s²/m). It is 1/(C g) of tyres
/// whose cornering stiffness is C times their load: 0.005 of C = 21.9, as vehicle 1 of `CommonRoad` has it (its manual's table
/// of parameters; see `compact_car.yaml`). Those that are simulated give nothing.
const SLIP_SD_RAD_S2_M: f64 = 0.01;

/// Gives an agent its filter, where it is driven: the loader refuses one elsewhere.
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
        drive.or_else(|| {
            world
                .get::<Vehicle>(d)
                .map(|v| WheelGeometry::of_vehicle(&v.0))
        })
    });
    let (Some(geometry), Some(&TruePose(root))) = (geometry, world.get::<TruePose>(agent)) else {
        return;
    };
    let period_s = 1.0 / rate_hz;
    let blank = Filter::new(default_model(&geometry, filter, period_s), 0.0, 0.0, 0.0);
    let mut localiser = EkfLocaliser {
        without: Box::new(std::array::from_fn(|_| blank.clone())),
        filter: blank,
        baseline: [0.0; GROUPS.len()],
        baseline_of_all: 0.0,
        ticks: 0,
        at_fault: (None, TAKEOVER_MARGIN),
        sensors: Vec::new(),
        from: [None; SENSED],
        gains: [1.0; SENSED],
        skids: false,
        left_out: 0,
        counted: [false; 2],
    };
    let mut model = default_model(&geometry, filter, period_s);
    for (index, (spec, &entity)) in specs.iter().zip(sensors).enumerate() {
        let on_root = world.get::<Sensor>(entity).is_some_and(|s| s.link == 0);
        let Some(&Mount(mount)) = world.get::<Mount>(entity).filter(|_| on_root) else {
            continue;
        };
        let mut feeds = Vec::new();
        let mut gains = localiser.gains;
        let free = |sensed: Sensed| localiser.from[sensed as usize].is_none();
        let (no_wheels, no_imu, no_gnss) =
            (free(Sensed::Left), free(Sensed::Gyro), free(Sensed::East));
        let mut feed = |sensed: Sensed, tap, variance: f64, model: &mut FilterModel| {
            let k = sensed as usize;
            localiser.from[k] = Some(index);
            model.variance[k] = variance;
            feeds.push((k, tap));
        };
        match (
            spec.kind.get::<Encoders>(),
            spec.kind.get::<Imu>(),
            spec.kind.get::<Gnss>(),
        ) {
            (Some(Encoders { noise }), ..) if no_wheels => {
                let over_s = period_s.max(1.0 / spec.rate_hz);
                for &(wheel, left, radius_m) in &geometry.wheels {
                    let sensed = if left { Sensed::Left } else { Sensed::Right };
                    let angle = scatter(noise) * square(radius_m);
                    let variance = match &geometry.compliance {
                        Some(compliance) => angle / compliance.of_side,
                        // Two angles make a rate.
                        None => 2.0 * angle / square(over_s) + square(filter.wheel_sd_m_s),
                    };
                    if geometry.compliance.is_some() {
                        let rolled_distance = filter::LEFT_DISTANCE + sensed as usize;
                        model.start[rolled_distance] = variance;
                        model.walk[rolled_distance] = square(filter.wheel_sd_m_s) * period_s;
                    }
                    feed(sensed, Feature::Rate(wheel), variance, &mut model);
                    gains[sensed as usize] = radius_m;
                }
            }
            (
                _,
                Some(Imu {
                    gyro,
                    accelerometer,
                }),
                _,
            ) if no_imu => {
                let mean_of = (spec.rate_hz * period_s).max(1.0);
                let forward = Quat::from_rotation_z(geometry.forward_yaw_rad as f32);
                let axis = |axis: Vec3| {
                    let d = mount.rotation.inverse() * (forward * axis);
                    d.to_array().map(f64::from)
                };
                let gyro_variance = scatter(gyro) / mean_of + square(filter.gyro_sd_rad_s);
                feed(
                    Sensed::Gyro,
                    Feature::Along(0, axis(Vec3::Z)),
                    gyro_variance,
                    &mut model,
                );
                let variance = scatter(accelerometer) / mean_of;
                feed(
                    Sensed::Forward,
                    Feature::Along(3, axis(Vec3::X)),
                    variance + square(filter.forward_sd_m_s2),
                    &mut model,
                );
                feed(
                    Sensed::Sideways,
                    Feature::Along(3, axis(Vec3::Y)),
                    variance + square(filter.sideways_sd_m_s2),
                    &mut model,
                );
                model.imu_m = geometry.lever_m(mount.translation_m);
                off(&mut model, filter::GYRO_BIAS, gyro);
                off(&mut model, filter::ACCELEROMETER_BIAS, accelerometer);
                off(&mut model, filter::SIDEWAYS_BIAS, accelerometer);
            }
            (
                ..,
                Some(Gnss {
                    horizontal,
                    velocity,
                    ..
                }),
            ) if no_gnss => {
                let place = scatter(horizontal) + square(PLACE_SD_M);
                let speed = scatter(velocity) + square(VELOCITY_SD_M_S);
                feed(Sensed::East, Feature::Value(3), place, &mut model);
                feed(Sensed::North, Feature::Value(4), place, &mut model);
                feed(Sensed::VelocityEast, Feature::Value(6), speed, &mut model);
                feed(Sensed::VelocityNorth, Feature::Value(7), speed, &mut model);
                model.antenna_m = geometry.lever_m(mount.translation_m);
                off(&mut model, filter::EAST_OFFSET, horizontal);
                off(&mut model, filter::NORTH_OFFSET, horizontal);
            }
            _ => continue,
        }
        localiser.gains = gains;
        localiser.sensors.push(entity);
        let mut sensor = world.entity_mut(entity);
        let mut all = sensor
            .entry::<FeatureExtractor>()
            .or_insert_with(|| FeatureExtractor::new(agent));
        for (channel, tap) in feeds {
            all.get_mut().push(Consumer::Filter, channel, tap);
        }
    }
    let at = root.point(geometry.centre_m);
    let yaw_rad = heading(root.rotation, geometry.forward_yaw_rad);
    let (x_m, y_m) = (f64::from(at.x), f64::from(at.y));
    localiser.filter = Filter::new(model, x_m, y_m, yaw_rad);
    localiser.without.fill(localiser.filter.clone());
    let estimate = Estimate {
        x_m,
        y_m,
        yaw_rad,
        ..Estimate::default()
    };
    world
        .entity_mut(agent)
        .insert((localiser, estimate, FaultIsolation::default()));
}

/// A filter that knows the machine, and no sensor yet. It ticks at this period.
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
        let [nod, lean] = compliance.tilt_coupling;
        tilt_coupling = [PITCH_COUPLING[0] * nod, ROLL_COUPLING[0] * lean];
        start[filter::PITCH_COUPLING_STATE] = square(PITCH_COUPLING[1] * nod);
        start[filter::ROLL_COUPLING_STATE] = square(ROLL_COUPLING[1] * lean);
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

/// Variance of one reading about what the sensor is off by; that of rounding is a twelfth of the step's square.
fn scatter(noise: &Noise) -> f64 {
    square(noise.white_sd) + square(noise.resolution) / 12.0
}

/// What a sensor is off by is a state that starts anywhere and walks.
fn off(model: &mut FilterModel, state: usize, noise: &Noise) {
    model.start[state] = square(noise.turn_on_bias_sd) + square(noise.correlated_sd);
    model.walk[state] = square(noise.drift_sd);
    if noise.correlated_sd > 0.0 {
        model.walk[state] += 2.0 * square(noise.correlated_sd) / noise.correlation_time_s;
    }
}

/// At each kernel tick, filters are told what came.
pub fn update_filters(
    time: Res<SimTime>,
    mut agents: Query<(
        &KernelTick,
        &mut EkfLocaliser,
        &mut Estimate,
        &mut FaultIsolation,
    )>,
    sensors: Query<&FeatureExtractor>,
) {
    for (tick, mut localiser, mut estimate, mut innovated) in &mut agents {
        let Some(dt_s) = tick.dt_s else {
            continue;
        };
        let localiser = &mut *localiser;
        let mut sums = [(0.0, 0u32); SENSED];
        for &sensor in &localiser.sensors {
            let Ok(feeds) = sensors.get(sensor) else {
                continue;
            };
            let own = feeds.all.iter().zip(&feeds.samples);
            for (feed, samples) in own.filter(|(_, samples)| samples.taker == Consumer::Filter) {
                if let Some(mean) = samples.mean {
                    let (sum, count) = &mut sums[samples.channel];
                    *sum += match feed.last {
                        // Where the wheel is by now.
                        Some((angle, at_ns)) if localiser.filter.counts_distance() => {
                            angle + mean * elapsed_s(at_ns, time.now_ns)
                        }
                        _ => mean,
                    };
                    *count += 1;
                }
            }
        }
        let mut samples = [None; SENSED];
        for (k, samples) in samples.iter_mut().enumerate() {
            let (sum, count) = sums[k];
            *samples = (count > 0).then(|| sum / f64::from(count) * localiser.gains[k]);
        }
        let counts_distance =
            |side: usize| samples[side].filter(|_| localiser.filter.counts_distance());
        let rolled_distances = [counts_distance(0), counts_distance(1)];
        for (side, (counted, rolled_distance)) in localiser
            .counted
            .iter_mut()
            .zip(rolled_distances)
            .enumerate()
        {
            // The first count, which may come long after the start.
            if let Some(rolled_m) = rolled_distance.filter(|_| !*counted) {
                *counted = true;
                localiser.filter.count_from_here(side, rolled_m);
                for without in localiser.without.iter_mut() {
                    without.count_from_here(side, rolled_m);
                }
            }
        }
        if localiser.left_out != innovated.excluded {
            localiser.leave_out(&mut innovated);
        }
        let mut sensed = samples;
        for (k, sensed) in sensed.iter_mut().enumerate() {
            *sensed = sensed.filter(|_| innovated.masked >> k & 1 == 0);
        }
        innovated.unplaced_ticks = match sensed[Sensed::East as usize] {
            Some(_) => 0,
            None => innovated.unplaced_ticks.saturating_add(1),
        };
        let gain = -libm::expm1(-1.0 / ISOLATION_TICKS);
        let filter = &mut localiser.filter;
        // What a sensor at fault has led astray goes on from where the filter is that never heard it, and goes on comparing
        // that sensor with it. Not so with GNSS: without it nobody knows for long where the machine is.
        // Nor where one sensor is left out: a filter without two has nobody left to contradict it.
        let blamed = innovated.at_fault();
        let at_fault = blamed.filter(|&g| {
            g != GNSS && innovated.excluded == 0 && innovated.spread() > TAKEOVER_MARGIN
        });
        localiser.ticks = localiser.ticks.saturating_add(1);
        let settling = match blamed {
            Some(_) if localiser.ticks > BASELINE_TICKS => 0.0,
            _ => 1.0 / f64::from(localiser.ticks.min(BASELINE_TICKS)),
        };
        if localiser.at_fault.0 != at_fault {
            localiser.at_fault = (at_fault, TAKEOVER_MARGIN);
        }
        let excess = &mut localiser.at_fault.1;
        if let Some(group) = at_fault {
            filter.clone_from(&localiser.without[group]);
        }
        localiser.skids = innovated.is_skid(localiser.skids);
        let skids = localiser.skids;
        filter.predict(dt_s);
        if skids {
            filter.skid(dt_s);
        }
        match filter.update(&sensed, dt_s) {
            Some(said) => {
                (innovated.white, innovated.nis) = (said.white, said.nis);
                let all = said.excess(SQUARE_CAP);
                *excess += gain * (all - *excess);
                let more = all - localiser.baseline_of_all;
                localiser.baseline_of_all += settling * more;
                innovated.excess_with_all += gain * (more - innovated.excess_with_all);
                innovated.update();
            }
            None => (innovated.white, innovated.nis) = ([None; SENSED], 0.0),
        }
        for (k, (without, (first, last))) in localiser.without.iter_mut().zip(GROUPS).enumerate() {
            let mut others = sensed;
            others[first..=last].fill(None);
            without.predict(dt_s);
            if skids {
                without.skid(dt_s);
            }
            if let Some(said) = without.update(&others, dt_s) {
                let baseline = &mut localiser.baseline[k];
                let more = said.excess(SQUARE_CAP) - *baseline;
                *baseline += settling * more;
                let mean = &mut innovated.excess_without[k];
                *mean += gain * (more - *mean);
            }
        }
        // Whoever goes on from the filter without wheels counts from its last tick on: a counter that has lost some of its way
        // for good agrees again as soon as it counts.
        for (side, rolled_distance) in rolled_distances.into_iter().enumerate() {
            if let Some(rolled_m) = rolled_distance {
                localiser.without[WHEELS].count_from_here(side, rolled_m);
            }
        }
        // The sensor has agreed with the others for a while: so do all filters.
        if at_fault.is_some() && innovated.excluded == 0 && *excess < EQUAL {
            localiser.without.fill(filter.clone());
            innovated.excess_without = [0.0; GROUPS.len()];
        }
        innovated.totals[0] += innovated.nis;
        innovated.totals[1] += innovated.white.iter().flatten().count() as f64;
        let [x_m, y_m] = filter.position_m();
        let (linear_m_s, angular_rad_s) = filter.motion();
        *estimate = Estimate {
            x_m,
            y_m,
            yaw_rad: filter.yaw_rad(),
            twist: Twist2 {
                linear_m_s,
                angular_rad_s,
            },
            position_sd_m: filter.position_sd_m(),
            yaw_sd_rad: filter.yaw_sd_rad(),
            gyro_bias_rad_s: filter.gyro_bias_rad_s(),
            wheel_scale: filter.wheel_scale(),
            stamp_ns: time.now_ns,
        };
    }
}
