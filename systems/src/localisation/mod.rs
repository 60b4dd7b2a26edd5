//! Where an agent is by all that it senses of itself: a filter over wheels, IMU and GNSS, at each kernel tick.
//!
//! - [`filter`]: the equations.
//!
//! It takes the machine to move on a plane: on a ramp, gravity is an acceleration to it. Of each kind of sensor it
//! listens to the agent's first, if that sits on the root link.

pub mod filter;

use crate::coherence;
use crate::coherence::witness::HearSystems;
use crate::control::heading;
use crate::hash::{Bits, HashState, RegisterState};
use crate::tick::{Tick, TickSystems};
use becomingone_components::body::TruePose;
use becomingone_components::coherence::KernelTick;
use becomingone_components::control::DrivenBy;
use becomingone_components::drive::{Drive, Twist2};
use becomingone_components::localisation::{
    EQUAL, Estimate, FilterSpec, GNSS, GROUPS, ISOLATION_TICKS, Innovated, MOST_SQUARE, SENSED,
    Sensed, WHEELS,
};
use becomingone_components::scene::{SensorKind, SensorSpec};
use becomingone_components::sensor::{Mount, Noise, Sensor, elapsed_s};
use becomingone_components::time::SimTime;
use becomingone_components::vehicle::{STANDARD_GRAVITY_M_S2, Vehicle, VehicleModel, VehicleWheel};
use becomingone_components::witness::{Feeds, Taker, Tap};
use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;
use filter::{Filter, Known, STATES, Steered};
use glam::{Quat, Vec3};

/// Runs the filters of agents that have one.
pub struct LocalisationPlugin;

impl Plugin for LocalisationPlugin {
    fn build(&self, app: &mut App) {
        app.register_state::<Estimate>("estimate").add_systems(
            Tick,
            locate
                .in_set(TickSystems::Encode)
                .after(coherence::count)
                .after(HearSystems)
                .ambiguous_with(coherence::encode)
                .ambiguous_with(coherence::witness::hear_commands),
        );
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
pub struct Localiser {
    filter: Filter,
    /// The same without wheels, gyroscope, accelerometer, GNSS, each: whichever stays consistent tells whose fault it is
    /// (a dedicated observer scheme: Clark, Instrument fault detection, IEEE Trans. AES-14(3), 1978).
    without: Box<[Filter; GROUPS.len()]>,
    /// What each of these is inconsistent by as a rule: where the scene's noises are not quite those that there are.
    usual: [f64; GROUPS.len()],
    /// The same of the filter that hears all.
    usual_of_all: f64,
    /// Kernel ticks so far, as far as they count for that.
    ticks: u32,
    /// The sensor at fault, if any, and how far it contradicts the others since, as [`Innovated::left_without`] has it.
    at_fault: (Option<usize>, f64),
    sensors: Vec<Entity>,
    /// Index on the agent of the sensor that each number comes from; none where there is no such sensor.
    from: [Option<usize>; SENSED],
    /// What a mean of a sensor's numbers is multiplied by: a wheel's radius.
    gains: [f64; SENSED],
    /// Whether it seems to skid.
    skids: bool,
    /// Sensors that are left out, as [`Innovated::excluded`] has it.
    left_out: u32,
    /// Whether the ways of the left and right wheels are counted: since the first count came.
    counted: [bool; 2],
}

impl Localiser {
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
    fn leave_out(&mut self, innovated: &mut Innovated) {
        let from = &self.from;
        let unheard = |&k: &usize| from[k].is_some_and(|s| innovated.excluded >> s & 1 == 1);
        let left = |group: &usize| innovated.left_without[*group];
        let best = (0..GNSS)
            .filter(|&group| unheard(&GROUPS[group].0))
            .filter(|group| left(group) + EQUAL < innovated.left_with_all)
            .min_by(|a, b| left(a).total_cmp(&left(b)));
        let numbers = (0..SENSED).filter(unheard).fold(0, |all, k| all | 1 << k);
        if let Some(group) = best {
            self.filter.clone_from(&self.without[group]);
        }
        self.without.fill(self.filter.clone());
        *innovated = Innovated {
            so_far: innovated.so_far,
            excluded: innovated.excluded,
            unheard: numbers,
            ..Innovated::default()
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
struct Rolling {
    track_width_m: f64,
    /// Middle of the wheels that roll as those of a differential drive, in the root frame (m).
    centre_m: Vec3,
    forward_yaw_rad: f64,
    /// Of each wheel: its index among the encoders' angles, whether it is on the left, its radius (m).
    wheels: Vec<(usize, bool, f64)>,
    /// Largest acceleration (m/s²) and yaw acceleration (rad/s²).
    agility: [f64; 2],
    /// What robots are taken to have nothing of.
    gives: Option<Gives>,
}

/// How a vehicle's body and tyres give.
struct Gives {
    steered: Option<Steered>,
    /// How many of each side's wheels are counted.
    of_side: f64,
    /// Share of the acceleration forward and sideways that gravity adds as the body nods and leans, if all of a force at
    /// the road goes through the springs.
    leaning: [f64; 2],
}

fn on_left(wheel: &VehicleWheel) -> bool {
    wheel.position_m[1] > 0.0
}

impl Gives {
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
            leaning: [moment / stiffness(0, x), moment / stiffness(1, y)],
        }
    }
}

impl Rolling {
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
            gives: None,
        }
    }

    fn of_vehicle(vehicle: &VehicleModel) -> Self {
        let gives = Gives::of(vehicle);
        let all = vehicle.wheels.iter().enumerate();
        let counted = || {
            let is = |(_, w): &(usize, &VehicleWheel)| !w.steered || gives.steered.is_some();
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
            gives: Some(gives),
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
const USUAL_TICKS: u32 = 1000;
/// How far the filters must be apart to take over the state of one. In 900 healthy seconds of `gnss_spoof`, the most was
/// 2.6.
const BEYOND_DOUBT: f64 = 5.0;
/// How often in a second an acceleration changes from nothing to its limit, in the mean of squares.
const JOLTS_HZ: f64 = 1.0;
/// Share of the largest yaw acceleration that is used, in the mean of squares.
const TURNING: f64 = 0.3;
/// Variance that the wheels' scale gains in a second: a deviation of 1 % in three hours.
const SCALE_WALK_1_S: f64 = 1e-8;
/// How long a vehicle's yaw acceleration lasts: the time that a steering wheel is turned on (s).
const TURNS_ON_S: f64 = 0.2;
/// Share of a force forward that goes through the springs, and its deviation: suspensions against dive take up some.
const NODDING: [f64; 2] = [1.0, 0.3];
/// The same of a force sideways, which may act anywhere from the road to the centre of mass: the roll centre is in no file.
const LEANING: [f64; 2] = [0.5, 0.3];
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
    let rolling = driven_by.and_then(|d| {
        let drive = world.get::<Drive>(d).map(Rolling::of_drive);
        drive.or_else(|| world.get::<Vehicle>(d).map(|v| Rolling::of_vehicle(&v.0)))
    });
    let (Some(rolling), Some(&TruePose(root))) = (rolling, world.get::<TruePose>(agent)) else {
        return;
    };
    let period_s = 1.0 / rate_hz;
    let blank = Filter::new(unknown(&rolling, filter, period_s), 0.0, 0.0, 0.0);
    let mut localiser = Localiser {
        without: Box::new(std::array::from_fn(|_| blank.clone())),
        filter: blank,
        usual: [0.0; GROUPS.len()],
        usual_of_all: 0.0,
        ticks: 0,
        at_fault: (None, BEYOND_DOUBT),
        sensors: Vec::new(),
        from: [None; SENSED],
        gains: [1.0; SENSED],
        skids: false,
        left_out: 0,
        counted: [false; 2],
    };
    let mut known = unknown(&rolling, filter, period_s);
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
        let mut feed = |sensed: Sensed, tap, variance: f64, known: &mut Known| {
            let k = sensed as usize;
            localiser.from[k] = Some(index);
            known.variance[k] = variance;
            feeds.push((k, tap));
        };
        match &spec.kind {
            SensorKind::Encoders { noise } if no_wheels => {
                let over_s = period_s.max(1.0 / spec.rate_hz);
                for &(wheel, left, radius_m) in &rolling.wheels {
                    let sensed = if left { Sensed::Left } else { Sensed::Right };
                    let angle = scatter(noise) * square(radius_m);
                    let variance = match &rolling.gives {
                        Some(gives) => angle / gives.of_side,
                        // Two angles make a rate.
                        None => 2.0 * angle / square(over_s) + square(filter.wheel_sd_m_s),
                    };
                    if rolling.gives.is_some() {
                        let way = filter::LEFT_WAY + sensed as usize;
                        known.start[way] = variance;
                        known.walk[way] = square(filter.wheel_sd_m_s) * period_s;
                    }
                    feed(sensed, Tap::Rate(wheel), variance, &mut known);
                    gains[sensed as usize] = radius_m;
                }
            }
            SensorKind::Imu {
                gyro,
                accelerometer,
            } if no_imu => {
                let mean_of = (spec.rate_hz * period_s).max(1.0);
                let forward = Quat::from_rotation_z(rolling.forward_yaw_rad as f32);
                let axis = |axis: Vec3| {
                    let d = mount.rotation.inverse() * (forward * axis);
                    d.to_array().map(f64::from)
                };
                let gyro_variance = scatter(gyro) / mean_of + square(filter.gyro_sd_rad_s);
                feed(
                    Sensed::Gyro,
                    Tap::Along(0, axis(Vec3::Z)),
                    gyro_variance,
                    &mut known,
                );
                let variance = scatter(accelerometer) / mean_of;
                feed(
                    Sensed::Forward,
                    Tap::Along(3, axis(Vec3::X)),
                    variance + square(filter.forward_sd_m_s2),
                    &mut known,
                );
                feed(
                    Sensed::Sideways,
                    Tap::Along(3, axis(Vec3::Y)),
                    variance + square(filter.sideways_sd_m_s2),
                    &mut known,
                );
                known.imu_m = rolling.lever_m(mount.translation_m);
                off(&mut known, filter::GYRO_BIAS, gyro);
                off(&mut known, filter::ACCELEROMETER_BIAS, accelerometer);
                off(&mut known, filter::SIDEWAYS_BIAS, accelerometer);
            }
            SensorKind::Gnss {
                horizontal,
                velocity,
                ..
            } if no_gnss => {
                let place = scatter(horizontal) + square(PLACE_SD_M);
                let speed = scatter(velocity) + square(VELOCITY_SD_M_S);
                feed(Sensed::East, Tap::Value(3), place, &mut known);
                feed(Sensed::North, Tap::Value(4), place, &mut known);
                feed(Sensed::VelocityEast, Tap::Value(6), speed, &mut known);
                feed(Sensed::VelocityNorth, Tap::Value(7), speed, &mut known);
                known.antenna_m = rolling.lever_m(mount.translation_m);
                off(&mut known, filter::EAST_OFFSET, horizontal);
                off(&mut known, filter::NORTH_OFFSET, horizontal);
            }
            _ => continue,
        }
        localiser.gains = gains;
        localiser.sensors.push(entity);
        let mut sensor = world.entity_mut(entity);
        let mut all = sensor.entry::<Feeds>().or_insert_with(|| Feeds::new(agent));
        for (channel, tap) in feeds {
            all.get_mut().push(Taker::Filter, channel, tap);
        }
    }
    let at = root.point(rolling.centre_m);
    let yaw_rad = heading(root.rotation, rolling.forward_yaw_rad);
    let (x_m, y_m) = (f64::from(at.x), f64::from(at.y));
    localiser.filter = Filter::new(known, x_m, y_m, yaw_rad);
    localiser.without.fill(localiser.filter.clone());
    let estimate = Estimate {
        x_m,
        y_m,
        yaw_rad,
        ..Estimate::default()
    };
    world
        .entity_mut(agent)
        .insert((localiser, estimate, Innovated::default()));
}

/// A filter that knows the machine, and no sensor yet. It ticks at this period.
fn unknown(rolling: &Rolling, spec: &FilterSpec, period_s: f64) -> Known {
    let [acceleration, yaw_acceleration] = rolling.agility;
    let (mut walk, mut start) = ([0.0; STATES], [0.0; STATES]);
    walk[filter::ACCELERATION] = JOLTS_HZ * square(acceleration);
    // Yaw acceleration is no state: in a tick it changes the yaw rate by itself times the tick.
    walk[filter::YAW_RATE] = square(TURNING * yaw_acceleration) * period_s;
    walk[filter::WHEEL_SCALE] = SCALE_WALK_1_S;
    walk[filter::TRACK_SCALE] = SCALE_WALK_1_S;
    start[filter::WHEEL_SCALE] = square(spec.wheel_scale_sd);
    start[filter::TRACK_SCALE] = square(spec.track_scale_sd);
    let (mut leaning, mut turns_on, mut late_s) = ([0.0; 2], 0.0, 0.0);
    if let Some(gives) = &rolling.gives {
        let [nod, lean] = gives.leaning;
        leaning = [NODDING[0] * nod, LEANING[0] * lean];
        start[filter::NOD] = square(NODDING[1] * nod);
        start[filter::LEAN] = square(LEANING[1] * lean);
        start[filter::SLIP] = square(SLIP_SD_RAD_S2_M);
        turns_on = libm::exp(-period_s / TURNS_ON_S);
        late_s = period_s / 2.0;
        walk[filter::YAW_RATE] *= 1.0 - turns_on * turns_on;
    }
    Known {
        track_width_m: rolling.track_width_m,
        counts: rolling.gives.is_some(),
        steered: rolling.gives.as_ref().and_then(|g| g.steered),
        leaning,
        turns_on,
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
fn off(known: &mut Known, state: usize, noise: &Noise) {
    known.start[state] = square(noise.turn_on_bias_sd) + square(noise.correlated_sd);
    known.walk[state] = square(noise.drift_sd);
    if noise.correlated_sd > 0.0 {
        known.walk[state] += 2.0 * square(noise.correlated_sd) / noise.correlation_time_s;
    }
}

/// At each kernel tick, filters are told what came.
pub fn locate(
    time: Res<SimTime>,
    mut agents: Query<(&KernelTick, &mut Localiser, &mut Estimate, &mut Innovated)>,
    sensors: Query<&Feeds>,
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
            let own = feeds.all.iter().zip(&feeds.came);
            for (feed, came) in own.filter(|(_, came)| came.taker == Taker::Filter) {
                if let Some(mean) = came.mean {
                    let (sum, count) = &mut sums[came.channel];
                    *sum += match feed.last {
                        // Where the wheel is by now.
                        Some((angle, at_ns)) if localiser.filter.counts() => {
                            angle + mean * elapsed_s(at_ns, time.now_ns)
                        }
                        _ => mean,
                    };
                    *count += 1;
                }
            }
        }
        let mut came = [None; SENSED];
        for (k, came) in came.iter_mut().enumerate() {
            let (sum, count) = sums[k];
            *came = (count > 0).then(|| sum / f64::from(count) * localiser.gains[k]);
        }
        let counts = |side: usize| came[side].filter(|_| localiser.filter.counts());
        let ways = [counts(0), counts(1)];
        for (side, (counted, way)) in localiser.counted.iter_mut().zip(ways).enumerate() {
            // The first count, which may come long after the start.
            if let Some(rolled_m) = way.filter(|_| !*counted) {
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
        let mut sensed = came;
        for (k, sensed) in sensed.iter_mut().enumerate() {
            *sensed = sensed.filter(|_| innovated.unheard >> k & 1 == 0);
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
        let at_fault = blamed
            .filter(|&g| g != GNSS && innovated.excluded == 0 && innovated.spread() > BEYOND_DOUBT);
        localiser.ticks = localiser.ticks.saturating_add(1);
        let settling = match blamed {
            Some(_) if localiser.ticks > USUAL_TICKS => 0.0,
            _ => 1.0 / f64::from(localiser.ticks.min(USUAL_TICKS)),
        };
        if localiser.at_fault.0 != at_fault {
            localiser.at_fault = (at_fault, BEYOND_DOUBT);
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
                let all = said.excess(MOST_SQUARE);
                *excess += gain * (all - *excess);
                let more = all - localiser.usual_of_all;
                localiser.usual_of_all += settling * more;
                innovated.left_with_all += gain * (more - innovated.left_with_all);
                innovated.hear();
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
                let usual = &mut localiser.usual[k];
                let more = said.excess(MOST_SQUARE) - *usual;
                *usual += settling * more;
                let mean = &mut innovated.left_without[k];
                *mean += gain * (more - *mean);
            }
        }
        // Whoever goes on from the filter without wheels counts from its last tick on: a counter that has lost some of its way
        // for good agrees again as soon as it counts.
        for (side, way) in ways.into_iter().enumerate() {
            if let Some(rolled_m) = way {
                localiser.without[WHEELS].count_from_here(side, rolled_m);
            }
        }
        // The sensor has agreed with the others for a while: so do all filters.
        if at_fault.is_some() && innovated.excluded == 0 && *excess < EQUAL {
            localiser.without.fill(filter.clone());
            innovated.left_without = [0.0; GROUPS.len()];
        }
        innovated.so_far[0] += innovated.nis;
        innovated.so_far[1] += innovated.white.iter().flatten().count() as f64;
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
