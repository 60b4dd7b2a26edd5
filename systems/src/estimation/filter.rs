//! Extended Kalman filter of a wheeled machine on a plane, with the systematic errors of its sensors among its states.
//!
//! ```text
//! x = [ X Y psi | v a omega | b_g b_a b_s | s d | o_e o_n | omega_- | c_a c_s k | S_l S_r ]
//!       pose      motion      IMU           wheels GNSS       before    compliance  rolled
//!
//! (X' Y') = R(psi) (v u)    psi' = omega    v' = a    u = -k v² omega      the others walk at random
//!
//! wheels     (1 + s) (v -+ (1 + d) omega W/2), or S               left, right; S' is that speed
//! gyroscope  omega + b_g
//! forward    (1 + c_a) a + b_a - omega² r_x - omega' r_y          r: where the IMU sits
//! sideways   (1 + c_s) v omega + b_s - omega² r_y + omega' r_x
//! place      (X Y) + R(psi) l + (o_e o_n)                         l: where the antenna sits
//! velocity   R(psi) (v + a t, u) + omega (R(psi) l turned by 90°)
//! ```
//!
//! Wheels and IMU measure means over a tick, so v, a and omega are means over the last one. Their change within a
//! tick moves the pose of the same tick, and with it they are correlated. omega_- is the mean over the tick before,
//! which makes omega' = (omega - omega_-) / dt. An estimate of omega' from the last tick would feed back: the
//! correction of omega by the accelerometer at this tick would be expected of it at the next, `r_x / (v dt)` times as
//! large.
//!
//! The receiver measures its velocity at the end of a tick, t after the mean over it; t is 0 for robots, whose velocity
//! changes slowly. o are the offsets of the receiver's positions. The others are of vehicles, and 0 elsewhere: a body on
//! springs pitches by `c_a / g` for each m/s² of acceleration and rolls by `c_s / g` for each sideways, and gravity adds to the
//! measured acceleration; tyres are compliant sideways, so that the fixed axle moves at a side-slip angle in proportion to
//! its share of the side force: k is the mass on it over its cornering stiffness (Rajamani, Vehicle Dynamics and Control,
//! 2nd ed., 2.3). A steered wheel points to where it moves, and rolls along that, further out than the fixed ones.
//!
//! Thrun, Burgard, Fox: Probabilistic Robotics, 2005, 3.3; Bar-Shalom, Li, Kirubarajan: Estimation with Applications to
//! Tracking and Navigation, 2001, 5.4 (innovations, NIS) and 11.7 (states for systematic errors of sensors).
//!
//! With S the covariance of the innovations nu, S = L L^T: w = L^-1 nu is white with deviation 1 while filter and
//! machine agree, and NIS = nu^T S^-1 nu = w^T w.

use becomingone_components::localisation::SENSED;
use nalgebra::{SMatrix, SVector};
use std::ops::RangeInclusive;

/// States.
pub const STATES: usize = 19;

const X: usize = 0;
const Y: usize = 1;
const YAW: usize = 2;
const SPEED: usize = 3;
pub(crate) const ACCELERATION: usize = 4;
pub(crate) const YAW_RATE: usize = 5;
pub(crate) const GYRO_BIAS: usize = 6;
pub(crate) const ACCELEROMETER_BIAS: usize = 7;
pub(crate) const SIDEWAYS_BIAS: usize = 8;
pub(crate) const WHEEL_SCALE: usize = 9;
pub(crate) const TRACK_SCALE: usize = 10;
pub(crate) const EAST_OFFSET: usize = 11;
pub(crate) const NORTH_OFFSET: usize = 12;
const LAST_YAW_RATE: usize = 13;
pub(crate) const PITCH_COUPLING_STATE: usize = 14;
pub(crate) const ROLL_COUPLING_STATE: usize = 15;
pub(crate) const SLIP: usize = 16;
/// Of the left wheels; that of the right ones follows.
pub(crate) const LEFT_DISTANCE: usize = 17;

/// Systematic errors of motion sensors. Offsets of a receiver are excluded: those of a spoofed one have no limit.
const ERRORS: RangeInclusive<usize> = GYRO_BIAS..=TRACK_SCALE;
/// Limit of these, in deviations.
const PLAUSIBLE: f64 = 5.0;

/// States that the wheels' speeds depend on.
const ROLLING: [usize; 5] = [SPEED, YAW_RATE, WHEEL_SCALE, TRACK_SCALE, SLIP];

/// Variance of the position for each second of skidding (m²/s): 0.3 m/s to any side, for a second each.
const SKID_M2_S: f64 = 0.09;
/// The same of the heading (rad²/s): small, or the heading would be turned into the direction of the skid.
const SKID_RAD2_S: f64 = 1e-4;

type State = SVector<f64, STATES>;
type Covariance = SMatrix<f64, STATES, STATES>;
type Rows = SMatrix<f64, SENSED, STATES>;

/// Model of the machine and its sensors: mounting, errors, agility.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterModel {
    /// Distance of the left from the right wheels (m).
    pub track_width_m: f64,
    /// Whether the first two numbers are rolled distances (m), and not speeds (m/s). The distance of an encoder of coarse
    /// steps is exact to a step, its rate is not.
    pub counts_distance: bool,
    /// Steered wheels, where they have encoders too.
    pub steered: Option<Steered>,
    /// Share of the acceleration, forward and sideways, that gravity adds as a body pitches and rolls.
    pub tilt_coupling: [f64; 2],
    /// Share of the yaw rate's change over a tick that continues in the next one: of a yaw acceleration of
    /// correlation time T, e^(-dt/T); 0 where the yaw rate walks at random (Singer, Estimating Optimal Tracking
    /// Filter Performance for Manned Maneuvering Targets, IEEE Trans. AES-6(4), 1970).
    pub yaw_accel_kept: f64,
    /// Time of the receiver's velocities after that of the mean speed over a tick (s): half a tick, where a machine's
    /// acceleration over that time is not small beside their noise.
    pub late_s: f64,
    /// Position of the IMU: forward and left of the middle of the driven wheels (m).
    pub imu_m: [f64; 2],
    /// Position of the antenna (m).
    pub antenna_m: [f64; 2],
    /// Variance of each measured number, in the order of [`Sensed`](becomingone_components::localisation::Sensed).
    pub variance: [f64; SENSED],
    /// Process noise: variance that each state gains in a second.
    pub walk: [f64; STATES],
    /// Variance of each state at the start.
    pub start: [f64; STATES],
}

/// Steered wheels, of those with encoders.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steered {
    /// Their share of the wheels of a side with encoders.
    pub share: f64,
    /// Distance to the fixed ones (m).
    pub ahead_m: f64,
    /// Distance of the left from the right one (m).
    pub track_width_m: f64,
}

/// Innovations of a tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Innovation {
    /// Whitened, in order; none without a sample.
    pub white: [Option<f64>; SENSED],
    /// The sum of their squares.
    pub nis: f64,
}

impl Innovation {
    /// Sum of squares less their number, none of them counted for more than `most`: 0 on average while filter and
    /// machine agree. An outlier is little evidence of a lasting fault.
    pub fn excess(&self, most: f64) -> f64 {
        let squares = self.white.iter().flatten().map(|w| (w * w).min(most) - 1.0);
        squares.sum()
    }
}

/// The filter: state and covariance.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    model: FilterModel,
    x: State,
    p: Covariance,
    /// Time since the start (s).
    age_s: f64,
}

impl Filter {
    /// Creates a filter at rest at a known pose.
    pub fn new(model: FilterModel, x_m: f64, y_m: f64, yaw_rad: f64) -> Self {
        let mut x = State::zeros();
        (x[X], x[Y], x[YAW]) = (x_m, y_m, yaw_rad);
        [x[PITCH_COUPLING_STATE], x[ROLL_COUPLING_STATE]] = model.tilt_coupling;
        Self {
            p: Covariance::from_diagonal(&State::from(model.start)),
            model,
            x,
            age_s: 0.0,
        }
    }

    /// Whether wheels measure rolled distances, and not speeds.
    pub fn counts_distance(&self) -> bool {
        self.model.counts_distance
    }

    /// Restarts the distance count of a side's wheels, at this rolled distance (m).
    pub fn count_from_here(&mut self, side: usize, rolled_m: f64) {
        let rolled_distance = LEFT_DISTANCE + side;
        self.x[rolled_distance] = rolled_m;
        self.p.row_mut(rolled_distance).fill(0.0);
        self.p.column_mut(rolled_distance).fill(0.0);
        self.p[(rolled_distance, rolled_distance)] = self.model.start[rolled_distance];
    }

    /// World position (m).
    pub fn position_m(&self) -> [f64; 2] {
        [self.x[X], self.x[Y]]
    }

    /// Heading, not wrapped (rad).
    pub fn yaw_rad(&self) -> f64 {
        self.x[YAW]
    }

    /// Forward speed (m/s) and yaw rate (rad/s).
    pub fn motion(&self) -> (f64, f64) {
        (self.x[SPEED], self.x[YAW_RATE])
    }

    /// Gyroscope bias (rad/s).
    pub fn gyro_bias_rad_s(&self) -> f64 {
        self.x[GYRO_BIAS]
    }

    /// Wheel scale-factor error: encoder distance / true distance - 1.
    pub fn wheel_scale(&self) -> f64 {
        self.x[WHEEL_SCALE]
    }

    /// Standard deviation of the position along the larger half axis of its ellipse (m).
    pub fn position_sd_m(&self) -> f64 {
        let (a, b, c) = (self.p[(X, X)], self.p[(X, Y)], self.p[(Y, Y)]);
        let half = (a - c) / 2.0;
        let largest = (a + c) / 2.0 + (half * half + b * b).sqrt();
        largest.max(0.0).sqrt()
    }

    /// Standard deviation of the heading (rad).
    pub fn yaw_sd_rad(&self) -> f64 {
        self.p[(YAW, YAW)].max(0.0).sqrt()
    }

    /// Side-slip speed of the fixed axle to the left (m/s), and its derivatives by speed, yaw rate and [`SLIP`].
    fn side_speed(&self) -> (f64, [f64; 3]) {
        let (v, w, k) = (self.x[SPEED], self.x[YAW_RATE], self.x[SLIP]);
        (-k * v * v * w, [-2.0 * k * v * w, -k * v * v, -v * v * w])
    }

    /// Mean speed along the left and the right wheels (m/s), and its derivatives by the states of [`ROLLING`].
    fn geometry(&self) -> [(f64, [f64; ROLLING.len()]); 2] {
        let x = &self.x;
        let (v, w) = (x[SPEED], x[YAW_RATE]);
        let (s, d) = (1.0 + x[WHEEL_SCALE], 1.0 + x[TRACK_SCALE]);
        let (side, by) = self.side_speed();
        [-1.0, 1.0].map(|left| {
            let half = left * self.model.track_width_m / 2.0;
            let fixed = v + d * w * half;
            let mut mean = fixed;
            let mut to = [1.0, d * half, w * half, 0.0];
            if let Some(steered) = self.model.steered {
                let (half, ahead) = (left * steered.track_width_m / 2.0, steered.ahead_m);
                let (along, across) = (v + d * w * half, w * ahead + side);
                let speed = libm::hypot(along, across);
                // Backwards, it rolls backwards.
                let (a, c) = if speed > 0.0 {
                    (along.abs() / speed, across * along.signum() / speed)
                } else {
                    (1.0, 0.0)
                };
                let steers = [
                    a + c * by[0],
                    a * d * half + c * (ahead + by[1]),
                    a * w * half,
                    c * by[2],
                ];
                mean += steered.share * (along.signum() * speed - fixed);
                for (to, steers) in to.iter_mut().zip(steers) {
                    *to += steered.share * (steers - *to);
                }
            }
            let [speed, yaw_rate, track, slip] = to.map(|to| s * to);
            (s * mean, [speed, yaw_rate, mean, track, slip])
        })
    }

    /// Predicts the state after this time (s).
    pub fn predict(&mut self, dt_s: f64) {
        self.age_s += dt_s;
        let x = &mut self.x;
        let on = self.model.yaw_accel_kept;
        let turned = x[YAW_RATE] - x[LAST_YAW_RATE];
        x[LAST_YAW_RATE] = x[YAW_RATE];
        x[YAW_RATE] += on * turned;
        x[SPEED] += x[ACCELERATION] * dt_s;
        let (side, by) = self.side_speed();
        let x = &mut self.x;
        let (along, aside) = (x[SPEED] * dt_s, side * dt_s);
        // Along the chord of the arc.
        let (sin, cos) = libm::sincos(x[YAW] + x[YAW_RATE] * dt_s / 2.0);
        let (dx, dy) = (along * cos - aside * sin, along * sin + aside * cos);
        x[X] += dx;
        x[Y] += dy;
        x[YAW] += x[YAW_RATE] * dt_s;
        let mut f = Covariance::identity();
        // Derivatives of the distance.
        let [to_speed, to_yaw_rate, to_slip] = by.map(|d| [-d * dt_s * sin, d * dt_s * cos]);
        for (k, turned, along) in [(X, -dy, cos), (Y, dx, sin)] {
            let speed = dt_s * along + to_speed[k - X];
            f[(k, YAW)] = turned;
            f[(k, YAW_RATE)] = turned * dt_s / 2.0 + to_yaw_rate[k - X];
            f[(k, SPEED)] = speed;
            f[(k, ACCELERATION)] = dt_s * speed;
            f[(k, SLIP)] = to_slip[k - X];
        }
        f[(YAW, YAW_RATE)] = dt_s;
        f[(SPEED, ACCELERATION)] = dt_s;
        if self.model.counts_distance {
            for (k, (speed, to)) in self.geometry().into_iter().enumerate() {
                self.x[LEFT_DISTANCE + k] += speed * dt_s;
                for (state, to) in ROLLING.into_iter().zip(to) {
                    f[(LEFT_DISTANCE + k, state)] = to * dt_s;
                }
                f[(LEFT_DISTANCE + k, ACCELERATION)] = to[0] * dt_s * dt_s;
            }
        }
        // All derivatives are by the present yaw rate, which is made of the last two.
        let by_yaw_rate = f.column(YAW_RATE).into_owned();
        f.set_column(YAW_RATE, &(by_yaw_rate * (1.0 + on)));
        f.set_column(LAST_YAW_RATE, &(by_yaw_rate * -on));
        f[(LAST_YAW_RATE, YAW_RATE)] = 1.0;
        self.p = f * self.p * f.transpose();
        let changes = self.changes(dt_s);
        let walk = &self.model.walk;
        for (k, walk) in walk.iter().enumerate() {
            match k {
                ACCELERATION => self.p += changes[0] * changes[0].transpose() * (walk * dt_s),
                YAW_RATE => self.p += changes[1] * changes[1].transpose() * (walk * dt_s),
                _ => self.p[(k, k)] += walk * dt_s,
            }
        }
    }

    /// Inflates the pose covariance for `dt_s` while the rolling constraint does not hold; only position fixes then correct it.
    pub fn skid(&mut self, dt_s: f64) {
        self.p[(X, X)] += SKID_M2_S * dt_s;
        self.p[(Y, Y)] += SKID_M2_S * dt_s;
        self.p[(YAW, YAW)] += SKID_RAD2_S * dt_s;
    }

    /// Limits systematic errors of motion sensors to [`PLAUSIBLE`] deviations of their model: wheels that stand still while
    /// the machine moves would otherwise be explained by a scale of -1, without innovations. Estimates beyond are
    /// projected (Simon, Chia: Kalman Filtering with State Equality Constraints, IEEE Trans. AES-38(1), 2002).
    fn limit(&mut self) {
        for k in ERRORS {
            let variance = self.model.start[k] + self.model.walk[k] * self.age_s;
            let most = PLAUSIBLE * variance.sqrt();
            let over = self.x[k] - self.x[k].clamp(-most, most);
            if over != 0.0 && self.p[(k, k)] > 0.0 {
                self.x -= self.p.column(k) * (over / self.p[(k, k)]);
            }
        }
    }

    /// Derivatives of the state after this time (s) by the changes of acceleration and yaw rate meanwhile: the speed grows by
    /// the mean of both accelerations.
    fn changes(&self, dt_s: f64) -> [State; 2] {
        let x = &self.x;
        let distance = x[SPEED] * dt_s;
        let (sin, cos) = libm::sincos(x[YAW] - x[YAW_RATE] * dt_s / 2.0);
        let (mut accelerated, mut turned) = (State::zeros(), State::zeros());
        accelerated[X] = dt_s * dt_s / 2.0 * cos;
        accelerated[Y] = dt_s * dt_s / 2.0 * sin;
        accelerated[SPEED] = dt_s / 2.0;
        accelerated[ACCELERATION] = 1.0;
        turned[X] = -distance * sin * dt_s / 2.0;
        turned[Y] = distance * cos * dt_s / 2.0;
        turned[YAW] = dt_s;
        turned[YAW_RATE] = 1.0;
        if self.model.counts_distance {
            for (k, (_, to)) in self.geometry().into_iter().enumerate() {
                accelerated[LEFT_DISTANCE + k] = to[0] * dt_s * dt_s / 2.0;
                turned[LEFT_DISTANCE + k] = to[1] * dt_s;
            }
        }
        [accelerated, turned]
    }

    /// Expected value of each number now, this time (s) after the last tick, and its derivatives by the states.
    fn expected(&self, dt_s: f64) -> (SVector<f64, SENSED>, Rows) {
        let x = &self.x;
        let (v, w) = (x[SPEED], x[YAW_RATE]);
        let (sin, cos) = libm::sincos(x[YAW]);
        let (pitch, roll) = (1.0 + x[PITCH_COUPLING_STATE], 1.0 + x[ROLL_COUPLING_STATE]);
        let yaw_acceleration = (w - x[LAST_YAW_RATE]) / dt_s;
        let (side, by) = self.side_speed();
        let [rx, ry] = self.model.imu_m;
        let [lx, ly] = self.model.antenna_m;
        let (late_s, now) = (self.model.late_s, v + x[ACCELERATION] * self.model.late_s);
        // The antenna from the middle of the wheels, in the world's axes.
        let (ax, ay) = (cos * lx - sin * ly, sin * lx + cos * ly);
        let mut j = Rows::zeros();
        let mut rolled = [0.0; 2];
        for (k, (speed, to)) in self.geometry().into_iter().enumerate() {
            if self.model.counts_distance {
                rolled[k] = x[LEFT_DISTANCE + k];
                j[(k, LEFT_DISTANCE + k)] = 1.0;
            } else {
                rolled[k] = speed;
                for (state, to) in ROLLING.into_iter().zip(to) {
                    j[(k, state)] = to;
                }
            }
        }
        let h = SVector::from([
            rolled[0],
            rolled[1],
            w + x[GYRO_BIAS],
            pitch * x[ACCELERATION] + x[ACCELEROMETER_BIAS] - w * w * rx - yaw_acceleration * ry,
            roll * v * w + x[SIDEWAYS_BIAS] - w * w * ry + yaw_acceleration * rx,
            x[X] + ax + x[EAST_OFFSET],
            x[Y] + ay + x[NORTH_OFFSET],
            now * cos - side * sin - w * ay,
            now * sin + side * cos + w * ax,
        ]);
        j[(2, YAW_RATE)] = 1.0;
        j[(2, GYRO_BIAS)] = 1.0;
        j[(3, ACCELERATION)] = pitch;
        j[(3, PITCH_COUPLING_STATE)] = x[ACCELERATION];
        j[(3, ACCELEROMETER_BIAS)] = 1.0;
        j[(3, YAW_RATE)] = -2.0 * w * rx - ry / dt_s;
        j[(3, LAST_YAW_RATE)] = ry / dt_s;
        j[(4, SPEED)] = roll * w;
        j[(4, ROLL_COUPLING_STATE)] = v * w;
        j[(4, SIDEWAYS_BIAS)] = 1.0;
        j[(4, YAW_RATE)] = roll * v - 2.0 * w * ry + rx / dt_s;
        j[(4, LAST_YAW_RATE)] = -rx / dt_s;
        j[(5, X)] = 1.0;
        j[(5, YAW)] = -ay;
        j[(5, EAST_OFFSET)] = 1.0;
        j[(6, Y)] = 1.0;
        j[(6, YAW)] = ax;
        j[(6, NORTH_OFFSET)] = 1.0;
        j[(7, SPEED)] = cos - by[0] * sin;
        j[(7, YAW_RATE)] = -ay - by[1] * sin;
        j[(7, SLIP)] = -by[2] * sin;
        j[(7, ACCELERATION)] = late_s * cos;
        j[(7, YAW)] = -now * sin - side * cos - w * ax;
        j[(8, SPEED)] = sin + by[0] * cos;
        j[(8, YAW_RATE)] = ax + by[1] * cos;
        j[(8, SLIP)] = by[2] * cos;
        j[(8, ACCELERATION)] = late_s * sin;
        j[(8, YAW)] = now * cos - side * sin - w * ay;
        (h, j)
    }

    /// Processes the samples of this instant. None where the covariance is no longer positive definite, which leaves
    /// the estimate as it is.
    pub fn update(&mut self, sensed: &[Option<f64>; SENSED], dt_s: f64) -> Option<Innovation> {
        let (h, mut j) = self.expected(dt_s);
        let mut nu = SVector::<f64, SENSED>::zeros();
        let mut variance = self.model.variance;
        for (k, sensed) in sensed.iter().enumerate() {
            match sensed {
                Some(z) => nu[k] = z - h[k],
                // Without a sample: a row of zeros and any variance.
                None => {
                    j.row_mut(k).fill(0.0);
                    variance[k] = 1.0;
                }
            }
        }
        let jp = j * self.p;
        let mut s = jp * j.transpose();
        for (k, variance) in variance.iter().enumerate() {
            s[(k, k)] += variance;
        }
        let l = s.cholesky()?.unpack();
        let gains = l.solve_lower_triangular(&jp)?;
        let w = l.solve_lower_triangular(&nu)?;
        let x = self.x + gains.transpose() * w;
        let p = self.p - gains.transpose() * gains;
        if !x.iter().chain(p.iter()).all(|x| x.is_finite()) {
            return None;
        }
        self.x = x;
        // Rounding must not make it asymmetric.
        self.p = (p + p.transpose()) / 2.0;
        self.limit();
        let mut white = [None; SENSED];
        for (k, sensed) in sensed.iter().enumerate() {
            white[k] = sensed.map(|_| w[k]);
        }
        Some(Innovation {
            white,
            nis: w.norm_squared(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use becomingone_components::seed::{Rng, RunSeed};

    /// A robot of half a metre with every sensor, none of which has a systematic error.
    fn model() -> FilterModel {
        let mut walk = [0.0; STATES];
        (walk[ACCELERATION], walk[YAW_RATE]) = (0.5, 0.4);
        FilterModel {
            track_width_m: 0.5,
            counts_distance: false,
            steered: None,
            tilt_coupling: [0.0; 2],
            yaw_accel_kept: 0.0,
            late_s: 0.0,
            imu_m: [0.1, -0.05],
            antenna_m: [0.2, 0.1],
            variance: [1e-4, 1e-4, 1e-4, 1e-2, 1e-2, 1e-2, 1e-2, 4e-4, 4e-4],
            walk,
            start: [0.0; STATES],
        }
    }

    /// A car, at 12 m/s.
    fn car() -> (FilterModel, Filter) {
        let mut model = FilterModel {
            track_width_m: 1.4,
            counts_distance: true,
            steered: Some(Steered {
                share: 0.5,
                ahead_m: 2.4,
                track_width_m: 1.3,
            }),
            tilt_coupling: [0.05, 0.08],
            yaw_accel_kept: 0.9,
            late_s: 0.01,
            imu_m: [1.2, 0.1],
            antenna_m: [0.4, -0.2],
            ..model()
        };
        (model.walk[ACCELERATION], model.walk[YAW_RATE]) = (0.01, 1e-4);
        model.start[SPEED] = 25.0;
        model.start[PITCH_COUPLING_STATE] = 0.03 * 0.03;
        model.start[ROLL_COUPLING_STATE] = 0.05 * 0.05;
        model.start[SLIP] = 0.01 * 0.01;
        let mut truth = Filter::new(model.clone(), 0.0, 0.0, 0.0);
        truth.x[SPEED] = 12.0;
        truth.x[PITCH_COUPLING_STATE] += 0.02;
        truth.x[ROLL_COUPLING_STATE] -= 0.04;
        truth.x[SLIP] = 0.006;
        (model, truth)
    }

    /// Samples of a model that is the filter's own: random walks of acceleration and yaw rate, noise of the variances.
    fn simulate(
        mut truth: Filter,
        seconds: usize,
        mut each: impl FnMut([f64; 3], [Option<f64>; 9]),
    ) {
        let model = truth.model.clone();
        let mut rng = Rng::for_name(RunSeed(7), "filter");
        let dt_s = 0.02;
        for k in 0..seconds * 50 {
            truth.predict(dt_s);
            let changes = truth.changes(dt_s);
            for state in 0..STATES {
                let by = (model.walk[state] * dt_s).sqrt() * rng.normal();
                match state {
                    ACCELERATION => truth.x += changes[0] * by,
                    YAW_RATE => truth.x += changes[1] * by,
                    _ => truth.x[state] += by,
                }
            }
            let (h, _) = truth.expected(dt_s);
            let mut sensed = [None; SENSED];
            for (row, sensed) in sensed.iter_mut().enumerate() {
                // GNSS five times a second.
                if row < 5 || k % 10 == 0 {
                    *sensed = Some(h[row] + model.variance[row].sqrt() * rng.normal());
                }
            }
            each([truth.x[X], truth.x[Y], truth.x[YAW]], sensed);
        }
    }

    #[test]
    fn nis_of_a_machine_that_is_as_modelled_is_chi_squared_and_white() {
        let (of_car, moving) = car();
        for (model, truth, most_m) in [
            (model(), Filter::new(model(), 0.0, 0.0, 0.0), 0.3),
            (of_car, moving, 0.5),
        ] {
            let mut filter = Filter::new(model, 0.0, 0.0, 0.0);
            let (mut nis, mut degrees, mut off) = (0.0, 0.0, 0.0f64);
            let (mut product, mut last) = (0.0, [0.0; 9]);
            simulate(truth, 200, |truth, sensed| {
                filter.predict(0.02);
                let innovation = filter.update(&sensed, 0.02).unwrap();
                nis += innovation.nis;
                degrees += innovation.white.iter().flatten().count() as f64;
                for (k, w) in innovation.white.iter().enumerate().take(5) {
                    product += w.unwrap() * last[k];
                    last[k] = w.unwrap();
                }
                off = off.max(libm::hypot(filter.x[X] - truth[0], filter.x[Y] - truth[1]));
            });
            // The mean of chi² of 58 000 degrees over them: deviation sqrt(2/58 000).
            let mean = nis / degrees;
            assert!((mean - 1.0).abs() < 4.0 * (2.0 / degrees).sqrt(), "{mean}");
            // 50 000 products of independent numbers.
            assert!(product.abs() < 4.0 * 50_000f64.sqrt(), "{product}");
            assert!(off < most_m, "{off}");
        }
    }

    #[test]
    fn compliance_of_springs_and_tyres_is_estimated() {
        let (model, truth) = car();
        let given = [PITCH_COUPLING_STATE, ROLL_COUPLING_STATE, SLIP].map(|k| truth.x[k]);
        let mut filter = Filter::new(model, 0.0, 0.0, 0.0);
        simulate(truth, 120, |_, sensed| {
            filter.predict(0.02);
            filter.update(&sensed, 0.02).unwrap();
        });
        for (k, given) in [PITCH_COUPLING_STATE, ROLL_COUPLING_STATE, SLIP]
            .into_iter()
            .zip(given)
        {
            let (off, sd) = ((filter.x[k] - given).abs(), filter.p[(k, k)].sqrt());
            let before = filter.model.start[k].sqrt();
            assert!(off < 4.0 * sd && sd < before / 4.0, "{k}: {off} {sd}");
        }
    }

    #[test]
    fn systematic_errors_of_sensors_are_estimated() {
        let mut model = model();
        model.start[GYRO_BIAS] = 0.02 * 0.02;
        model.start[WHEEL_SCALE] = 0.02 * 0.02;
        let mut filter = Filter::new(model.clone(), 0.0, 0.0, 0.0);
        simulate(Filter::new(model, 0.0, 0.0, 0.0), 60, |_, mut sensed| {
            for k in [0, 1] {
                sensed[k] = sensed[k].map(|z| z * 1.03);
            }
            sensed[2] = sensed[2].map(|z| z - 0.03);
            filter.predict(0.02);
            filter.update(&sensed, 0.02).unwrap();
        });
        assert!(
            (filter.x[GYRO_BIAS] + 0.03).abs() < 2e-3,
            "{}",
            filter.x[GYRO_BIAS]
        );
        assert!(
            (filter.x[WHEEL_SCALE] - 0.03).abs() < 4e-3,
            "{}",
            filter.x[WHEEL_SCALE]
        );
    }

    #[test]
    fn a_faulty_sensor_is_not_explained_by_an_implausible_error() {
        let mut model = model();
        model.start[WHEEL_SCALE] = 0.01 * 0.01;
        model.walk[ACCELERATION] = 0.0;
        model.start[SPEED] = 1.0;
        let mut truth = Filter::new(model.clone(), 0.0, 0.0, 0.0);
        truth.x[SPEED] = 2.0;
        let mut filter = Filter::new(model, 0.0, 0.0, 0.0);
        let (mut k, mut nis) = (0, 0.0);
        simulate(truth, 60, |_, mut sensed| {
            k += 1;
            // Wheels that stand still from the first second on.
            if k > 50 {
                (sensed[0], sensed[1]) = (Some(0.0), Some(0.0));
            }
            filter.predict(0.02);
            nis = filter.update(&sensed, 0.02).unwrap().nis;
            assert!(filter.wheel_scale().abs() < 0.0501, "{k}");
        });
        // The innovations are still large.
        assert!(nis > 1000.0, "{nis}");
    }

    #[test]
    fn derivatives_are_those_of_the_model() {
        let (model, _) = car();
        let model = FilterModel {
            walk: [0.0; STATES],
            start: [1.0; STATES],
            ..model
        };
        for backwards in [1.0, -1.0] {
            let mut filter = Filter::new(model.clone(), 1.0, -2.0, 0.7);
            for (k, x) in [
                0.8 * backwards,
                0.3,
                0.6,
                0.01,
                0.05,
                0.03,
                0.02,
                0.04,
                0.5,
                -0.4,
                0.5,
                0.06,
                0.1,
                0.03,
            ]
            .into_iter()
            .enumerate()
            {
                filter.x[SPEED + k] = x;
            }
            let (h, j) = filter.expected(0.02);
            let mut later = filter.clone();
            later.predict(0.02);
            let mut f = Covariance::zeros();
            for state in 0..STATES {
                let step = 1e-6;
                let mut moved = filter.clone();
                moved.x[state] += step;
                let slope = (moved.expected(0.02).0 - h) / step;
                assert!((slope - j.column(state)).norm() < 1e-5, "{state}");
                moved.predict(0.02);
                f.set_column(state, &((moved.x - later.x) / step));
            }
            // The start's covariance is the unit matrix.
            let off = (f * f.transpose() - later.p).norm();
            assert!(off < 1e-5, "{off}");
        }
    }

    #[test]
    fn without_samples_only_the_covariance_grows() {
        let mut filter = Filter::new(model(), 0.0, 0.0, 0.0);
        let mut last = -1.0;
        for _ in 0..100 {
            filter.predict(0.02);
            let innovation = filter.update(&[None; SENSED], 0.02).unwrap();
            assert_eq!((innovation.nis, innovation.white), (0.0, [None; SENSED]));
            assert!(filter.position_sd_m() > last);
            last = filter.position_sd_m();
        }
        assert_eq!(filter.position_m(), [0.0; 2]);
    }
}
