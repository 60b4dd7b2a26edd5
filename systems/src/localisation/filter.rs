//! The filter: an extended Kalman filter of a wheeled machine on a plane, with the errors of its sensors among its states.
//!
//! ```text
//! x = [ X Y psi | v a omega | b_g b_a b_s | s d | o_e o_n ]
//!       pose      motion      IMU           wheels GNSS: how far its places are off
//!
//! X' = v cos psi    Y' = v sin psi    psi' = omega    v' = a      the others walk at random
//!
//! wheels     (1 + s) (v -+ (1 + d) omega W/2)                     left, right
//! gyroscope  omega + b_g
//! forward    a + b_a - omega² r_x - omega' r_y                    r: where the IMU sits
//! sideways   v omega + b_s - omega² r_y + omega' r_x
//! place      X + (R(psi) l)_x + o_e, ...                          l: where the antenna sits
//! velocity   v (cos psi, sin psi) + omega (R(psi) l turned by 90°)
//! ```
//!
//! Wheels and IMU tell means over a tick, so v, a and omega are means over the last one. Their change within a tick moves
//! the pose of the same tick, and with it they are correlated.
//!
//! Thrun, Burgard, Fox: Probabilistic Robotics, 2005, 3.3; Bar-Shalom, Li, Kirubarajan: Estimation with Applications to
//! Tracking and Navigation, 2001, 5.4 (innovations, NIS) and 11.7 (states for what sensors are off by).
//!
//! With S the covariance of the innovations nu, S = L L^T: w = L^-1 nu is white with deviation 1 while filter and
//! machine agree, and NIS = nu^T S^-1 nu = w^T w.

use becomingone_components::localisation::SENSED;
use nalgebra::{SMatrix, SVector};

/// States.
pub const STATES: usize = 13;

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

type State = SVector<f64, STATES>;
type Covariance = SMatrix<f64, STATES, STATES>;
type Rows = SMatrix<f64, SENSED, STATES>;

/// What is known beforehand: where sensors sit, how far they are off, how briskly the machine moves.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Distance of the left from the right wheels (m).
    pub track_width_m: f64,
    /// Where the IMU sits: forward and left of the middle of the driven wheels (m).
    pub imu_m: [f64; 2],
    /// Where the antenna sits (m).
    pub antenna_m: [f64; 2],
    /// Variance of each number that comes in, in the order of [`Sensed`](becomingone_components::localisation::Sensed).
    pub variance: [f64; SENSED],
    /// Variance that each state gains in a second.
    pub walk: [f64; STATES],
    /// Variance of each state at the start.
    pub start: [f64; STATES],
}

/// What one tick's numbers came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Innovation {
    /// Whitened, in order; none where nothing came.
    pub white: [Option<f64>; SENSED],
    /// The sum of their squares.
    pub nis: f64,
}

impl Innovation {
    /// The sum of squares less how many there are, none of them counted for more than `most`: 0 on average while filter and
    /// machine agree. A bump of one tick says little of whose fault lasts.
    pub fn excess(&self, most: f64) -> f64 {
        let squares = self.white.iter().flatten().map(|w| (w * w).min(most) - 1.0);
        squares.sum()
    }
}

/// The filter's estimate and how sure it is of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    known: Known,
    x: State,
    p: Covariance,
    /// Yaw acceleration over the last step (rad/s²).
    yaw_acceleration: f64,
}

impl Filter {
    /// At rest at a known pose.
    pub fn new(known: Known, x_m: f64, y_m: f64, yaw_rad: f64) -> Self {
        let mut x = State::zeros();
        (x[X], x[Y], x[YAW]) = (x_m, y_m, yaw_rad);
        Self {
            p: Covariance::from_diagonal(&State::from(known.start)),
            known,
            x,
            yaw_acceleration: 0.0,
        }
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

    /// What the gyroscope says at rest (rad/s).
    pub fn gyro_bias_rad_s(&self) -> f64 {
        self.x[GYRO_BIAS]
    }

    /// By which share the wheels say more than is covered.
    pub fn wheel_scale(&self) -> f64 {
        self.x[WHEEL_SCALE]
    }

    /// Deviation of the position along the larger half axis of its ellipse (m).
    pub fn position_sd_m(&self) -> f64 {
        let (a, b, c) = (self.p[(X, X)], self.p[(X, Y)], self.p[(Y, Y)]);
        let half = (a - c) / 2.0;
        let largest = (a + c) / 2.0 + (half * half + b * b).sqrt();
        largest.max(0.0).sqrt()
    }

    /// Deviation of the heading (rad).
    pub fn yaw_sd_rad(&self) -> f64 {
        self.p[(YAW, YAW)].max(0.0).sqrt()
    }

    /// Lets this long pass (s).
    pub fn predict(&mut self, dt_s: f64) {
        let x = &mut self.x;
        x[SPEED] += x[ACCELERATION] * dt_s;
        let way = x[SPEED] * dt_s;
        // Along the chord of the arc.
        let (sin, cos) = libm::sincos(x[YAW] + x[YAW_RATE] * dt_s / 2.0);
        x[X] += way * cos;
        x[Y] += way * sin;
        x[YAW] += x[YAW_RATE] * dt_s;
        let mut f = Covariance::identity();
        f[(X, YAW)] = -way * sin;
        f[(Y, YAW)] = way * cos;
        f[(X, YAW_RATE)] = -way * sin * dt_s / 2.0;
        f[(Y, YAW_RATE)] = way * cos * dt_s / 2.0;
        f[(X, SPEED)] = dt_s * cos;
        f[(Y, SPEED)] = dt_s * sin;
        f[(X, ACCELERATION)] = dt_s * dt_s * cos;
        f[(Y, ACCELERATION)] = dt_s * dt_s * sin;
        f[(YAW, YAW_RATE)] = dt_s;
        f[(SPEED, ACCELERATION)] = dt_s;
        self.p = f * self.p * f.transpose();
        let changes = self.changes(dt_s);
        let walk = &self.known.walk;
        for (k, walk) in walk.iter().enumerate() {
            match k {
                ACCELERATION => self.p += changes[0] * changes[0].transpose() * (walk * dt_s),
                YAW_RATE => self.p += changes[1] * changes[1].transpose() * (walk * dt_s),
                _ => self.p[(k, k)] += walk * dt_s,
            }
        }
    }

    /// How the state after this long (s) depends on what acceleration and yaw rate changed by meanwhile: the speed grows by
    /// the mean of both accelerations.
    fn changes(&self, dt_s: f64) -> [State; 2] {
        let x = &self.x;
        let way = x[SPEED] * dt_s;
        let (sin, cos) = libm::sincos(x[YAW] - x[YAW_RATE] * dt_s / 2.0);
        let (mut jolt, mut turn) = (State::zeros(), State::zeros());
        jolt[X] = dt_s * dt_s / 2.0 * cos;
        jolt[Y] = dt_s * dt_s / 2.0 * sin;
        jolt[SPEED] = dt_s / 2.0;
        jolt[ACCELERATION] = 1.0;
        turn[X] = -way * sin * dt_s / 2.0;
        turn[Y] = way * cos * dt_s / 2.0;
        turn[YAW] = dt_s;
        turn[YAW_RATE] = 1.0;
        [jolt, turn]
    }

    /// What each number should be now, and how it depends on the states.
    fn expected(&self) -> (SVector<f64, SENSED>, Rows) {
        let x = &self.x;
        let (v, w) = (x[SPEED], x[YAW_RATE]);
        let (sin, cos) = libm::sincos(x[YAW]);
        let half = self.known.track_width_m / 2.0;
        let (s, d) = (1.0 + x[WHEEL_SCALE], 1.0 + x[TRACK_SCALE]);
        let [rx, ry] = self.known.imu_m;
        let [lx, ly] = self.known.antenna_m;
        // The antenna from the middle of the wheels, in the world's axes.
        let (ax, ay) = (cos * lx - sin * ly, sin * lx + cos * ly);
        let (left, right) = (v - d * w * half, v + d * w * half);
        let h = SVector::from([
            s * left,
            s * right,
            w + x[GYRO_BIAS],
            x[ACCELERATION] + x[ACCELEROMETER_BIAS] - w * w * rx - self.yaw_acceleration * ry,
            v * w + x[SIDEWAYS_BIAS] - w * w * ry + self.yaw_acceleration * rx,
            x[X] + ax + x[EAST_OFFSET],
            x[Y] + ay + x[NORTH_OFFSET],
            v * cos - w * ay,
            v * sin + w * ax,
        ]);
        let mut j = Rows::zeros();
        for (row, side, rolled) in [(0, -1.0, left), (1, 1.0, right)] {
            j[(row, SPEED)] = s;
            j[(row, YAW_RATE)] = side * s * d * half;
            j[(row, WHEEL_SCALE)] = rolled;
            j[(row, TRACK_SCALE)] = side * s * w * half;
        }
        j[(2, YAW_RATE)] = 1.0;
        j[(2, GYRO_BIAS)] = 1.0;
        j[(3, ACCELERATION)] = 1.0;
        j[(3, ACCELEROMETER_BIAS)] = 1.0;
        j[(3, YAW_RATE)] = -2.0 * w * rx;
        j[(4, SPEED)] = w;
        j[(4, SIDEWAYS_BIAS)] = 1.0;
        j[(4, YAW_RATE)] = v - 2.0 * w * ry;
        j[(5, X)] = 1.0;
        j[(5, YAW)] = -ay;
        j[(5, EAST_OFFSET)] = 1.0;
        j[(6, Y)] = 1.0;
        j[(6, YAW)] = ax;
        j[(6, NORTH_OFFSET)] = 1.0;
        j[(7, SPEED)] = cos;
        j[(7, YAW_RATE)] = -ay;
        j[(7, YAW)] = -v * sin - w * ax;
        j[(8, SPEED)] = sin;
        j[(8, YAW_RATE)] = ax;
        j[(8, YAW)] = v * cos - w * ay;
        (h, j)
    }

    /// Takes what came at this instant, none where nothing did. None where the covariance is no longer one, which
    /// leaves the estimate as it is.
    pub fn update(&mut self, sensed: &[Option<f64>; SENSED], dt_s: f64) -> Option<Innovation> {
        let (h, mut j) = self.expected();
        let mut nu = SVector::<f64, SENSED>::zeros();
        let mut variance = self.known.variance;
        for (k, sensed) in sensed.iter().enumerate() {
            match sensed {
                Some(z) => nu[k] = z - h[k],
                // What did not come says nothing: a row of zeros and any variance.
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
        let before = self.x[YAW_RATE];
        let x = self.x + gains.transpose() * w;
        let p = self.p - gains.transpose() * gains;
        if !x.iter().chain(p.iter()).all(|x| x.is_finite()) {
            return None;
        }
        self.x = x;
        // Rounding must not pull the halves apart.
        self.p = (p + p.transpose()) / 2.0;
        self.yaw_acceleration = (self.x[YAW_RATE] - before) / dt_s;
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

    /// A robot of half a metre with every sensor, and none of them off by anything constant.
    fn known() -> Known {
        let mut walk = [0.0; STATES];
        (walk[ACCELERATION], walk[YAW_RATE]) = (0.5, 0.4);
        Known {
            track_width_m: 0.5,
            imu_m: [0.1, -0.05],
            antenna_m: [0.2, 0.1],
            variance: [1e-4, 1e-4, 1e-4, 1e-2, 1e-2, 1e-2, 1e-2, 4e-4, 4e-4],
            walk,
            start: [0.0; STATES],
        }
    }

    /// Numbers of a model that is the filter's own: random walks of acceleration and yaw rate, noise of the variances.
    fn simulate(known: &Known, seconds: usize, mut each: impl FnMut([f64; 3], [Option<f64>; 9])) {
        let mut truth = Filter::new(known.clone(), 0.0, 0.0, 0.0);
        let mut rng = Rng::for_name(RunSeed(7), "filter");
        let dt_s = 0.02;
        for k in 0..seconds * 50 {
            truth.predict(dt_s);
            let changes = truth.changes(dt_s);
            for state in 0..STATES {
                let by = (known.walk[state] * dt_s).sqrt() * rng.normal();
                match state {
                    ACCELERATION => truth.x += changes[0] * by,
                    YAW_RATE => truth.x += changes[1] * by,
                    _ => truth.x[state] += by,
                }
            }
            let (h, _) = truth.expected();
            let mut sensed = [None; SENSED];
            for (row, sensed) in sensed.iter_mut().enumerate() {
                // GNSS five times a second.
                if row < 5 || k % 10 == 0 {
                    *sensed = Some(h[row] + known.variance[row].sqrt() * rng.normal());
                }
            }
            each([truth.x[X], truth.x[Y], truth.x[YAW]], sensed);
        }
    }

    #[test]
    fn of_a_machine_that_is_as_the_filter_believes_the_nis_is_chi_squared_and_white() {
        // The yaw acceleration of the sideways force is the filter's own guess, and no state: without it.
        let known = Known {
            imu_m: [0.0; 2],
            ..known()
        };
        let mut filter = Filter::new(known.clone(), 0.0, 0.0, 0.0);
        let (mut nis, mut degrees, mut off) = (0.0, 0.0, 0.0f64);
        let (mut product, mut last) = (0.0, [0.0; 9]);
        simulate(&known, 200, |truth, sensed| {
            filter.predict(0.02);
            let said = filter.update(&sensed, 0.02).unwrap();
            nis += said.nis;
            degrees += said.white.iter().flatten().count() as f64;
            for (k, w) in said.white.iter().enumerate().take(5) {
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
        assert!(off < 0.3, "{off}");
    }

    #[test]
    fn what_sensors_are_off_by_is_found() {
        let mut known = known();
        known.start[GYRO_BIAS] = 0.02 * 0.02;
        known.start[WHEEL_SCALE] = 0.02 * 0.02;
        let mut filter = Filter::new(known.clone(), 0.0, 0.0, 0.0);
        simulate(&known, 60, |_, mut sensed| {
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
    fn derivatives_are_those_of_the_model() {
        let mut filter = Filter::new(known(), 1.0, -2.0, 0.7);
        for (k, x) in [0.8, 0.3, 0.6, 0.01, 0.05, 0.03, 0.02, 0.04, 0.5, -0.4]
            .into_iter()
            .enumerate()
        {
            filter.x[SPEED + k] = x;
        }
        let (h, j) = filter.expected();
        for state in 0..STATES {
            let step = 1e-6;
            let mut moved = filter.clone();
            moved.x[state] += step;
            let slope = (moved.expected().0 - h) / step;
            assert!((slope - j.column(state)).norm() < 1e-5, "{state}");
        }
    }

    #[test]
    fn without_numbers_it_only_grows_unsure() {
        let mut filter = Filter::new(known(), 0.0, 0.0, 0.0);
        let mut last = -1.0;
        for _ in 0..100 {
            filter.predict(0.02);
            let said = filter.update(&[None; SENSED], 0.02).unwrap();
            assert_eq!((said.nis, said.white), (0.0, [None; SENSED]));
            assert!(filter.position_sd_m() > last);
            last = filter.position_sd_m();
        }
        assert_eq!(filter.position_m(), [0.0; 2]);
    }
}
