//! Where an agent takes itself to be: a filter's estimate, and what the filter did not expect.

use crate::drive::Twist2;
use crate::transient::TransientDetector;
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};

/// Numbers that a filter is told, at most: see [`Sensed`].
pub const SENSED: usize = 9;

/// Of these, those of wheels and IMU, which come first; the others are of GNSS.
pub const SENSED_MOTION: usize = 5;

/// Numbers of a filter that come from one sensor: wheels, gyroscope, accelerometer, GNSS. First and last.
pub const GROUPS: [(usize, usize); 4] = [(0, 1), (2, 2), (3, 4), (5, 8)];

/// Window over which faults are told apart (kernel ticks).
pub const ISOLATION_TICKS: f64 = 50.0;

/// Most that one whitened number counts for in telling faults apart: 5 deviations, squared.
pub const SQUARE_CAP: f64 = 25.0;

/// What a filter is told, in the order of [`FaultIsolation::white`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensed {
    /// Speed of the left wheels along the ground (m/s); of a vehicle, whose encoders are coarse, how far they have rolled (m).
    Left,
    /// The same of the right wheels.
    Right,
    /// Yaw rate (rad/s).
    Gyro,
    /// Specific force forward (m/s²).
    Forward,
    /// Specific force to the left (m/s²).
    Sideways,
    /// Place of the antenna, east (m).
    East,
    /// North (m).
    North,
    /// Its velocity, east (m/s).
    VelocityEast,
    /// North (m/s).
    VelocityNorth,
}

/// How a filter is set up. Noises of sensors are those of the scene; what is said here is how far the robot may be off
/// its description, and what no data sheet tells: floors uneven by millimetres, tyres that give, bodies that nod. The
/// summary's `filter.nis` is near 1 where that is right, below where the filter is surer than it says.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilterSpec {
    /// Deviation of the wheels' true radius from the model's, as a share of it.
    pub wheel_scale_sd: f64,
    /// Deviation of the true track width from the model's, as a share of it: wheels that slip sideways in turns make
    /// it larger.
    pub track_scale_sd: f64,
    /// Deviation of a wheel's speed beside its encoder's noise (m/s).
    pub wheel_sd_m_s: f64,
    /// Of the yaw rate beside the gyroscope's noise (rad/s).
    pub gyro_sd_rad_s: f64,
    /// Of the acceleration forward beside the accelerometer's noise (m/s²).
    pub forward_sd_m_s2: f64,
    /// Of that to the side (m/s²).
    pub sideways_sd_m_s2: f64,
}

impl Default for FilterSpec {
    fn default() -> Self {
        Self {
            wheel_scale_sd: 0.01,
            track_scale_sd: 0.02,
            wheel_sd_m_s: 0.004,
            gyro_sd_rad_s: 0.002,
            forward_sd_m_s2: 0.05,
            sideways_sd_m_s2: 0.05,
        }
    }
}

/// Where an agent is by its filter: the middle of its driven wheels, as [`Odometry`](crate::drive::Odometry) has it.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// World position (m).
    pub x_m: f64,
    /// World position (m).
    pub y_m: f64,
    /// Heading of the forward direction in the world, not wrapped (rad).
    pub yaw_rad: f64,
    /// Forward speed and yaw rate.
    pub twist: Twist2,
    /// Deviation of the position that the filter expects of itself: the larger half axis of its ellipse (m).
    pub position_sd_m: f64,
    /// Of the heading (rad).
    pub yaw_sd_rad: f64,
    /// What the gyroscope says at rest (rad/s).
    pub gyro_bias_rad_s: f64,
    /// By which share the wheels say more than is covered.
    pub wheel_scale: f64,
    /// When it was made (ns).
    pub stamp_ns: u64,
}

/// What the filter did not expect at this kernel tick.
#[derive(Component, Clone, Debug, Default, PartialEq)]
pub struct FaultIsolation {
    /// Whitened innovations, each given those before it: while filter and robot agree, independent numbers of
    /// deviation 1. None where nothing came.
    pub white: [Option<f64>; SENSED],
    /// The normalised innovation squared (NIS): the sum of their squares, chi² of as many degrees of freedom as there
    /// are numbers.
    pub nis: f64,
    /// How inconsistent the rest is without wheels, gyroscope, accelerometer, GNSS: of a filter that never heard that
    /// sensor, NIS, no number counted for more than [`SQUARE_CAP`], less what is usual, averaged over
    /// [`ISOLATION_TICKS`]. The least is that of the sensor whose fault explains all.
    pub excess_without: [f64; GROUPS.len()],
    /// How inconsistent all of them are together, in the same unit.
    pub excess_with_all: f64,
    /// The square of each whitened innovation, none counted for more than [`SQUARE_CAP`], averaged over
    /// [`ISOLATION_TICKS`] of its own.
    pub squares: [f64; SENSED],
    /// Whether the accelerometer told of a jolt.
    pub transient: TransientDetector,
    /// Sum of all ticks' NIS and of their degrees of freedom: while filter and robot agree, the same.
    pub totals: [f64; 2],
    /// Sensors of this agent that the filter does not listen to now, by their index, as bits.
    pub excluded: u32,
    /// Its numbers that come from those, as bits.
    pub masked: u32,
    /// Kernel ticks since the receiver told it a place.
    pub unplaced_ticks: u32,
}

impl FaultIsolation {
    /// The number that is to blame if one sensor's fault explains all that the filter did not expect: of that sensor's
    /// numbers, the one farthest off. None where nothing needs to be explained, or more than one sensor's fault would.
    ///
    /// Nothing needs to be explained where all sensors agree about as well as they do without that one: whoever is
    /// surprised then is so by what the drive was told, not by a sensor.
    ///
    /// Of wheels and accelerometer, the wheels: where they slip or grip, the machine is jolted, and after the jolt either
    /// explains it. An accelerometer whose fault lasts goes on contradicting the rest; wheels that slip by a constant
    /// share do not, until GNSS has told the speed.
    pub fn isolated(&self) -> Option<usize> {
        let (first, last) = GROUPS[self.at_fault()?];
        let least = self
            .excess_without
            .into_iter()
            .fold(f64::INFINITY, f64::min);
        (self.excess_with_all - least >= CLEAR).then(|| self.farthest_off(first, last))
    }

    /// All sensors agree, as far as can be told.
    pub fn is_calm(&self) -> bool {
        self.excess_with_all < CLEAR
    }

    /// The wheels contradict the others, and those each other: not the sensors are at fault, the machine moves otherwise than
    /// one on wheels does. `already` is whether it did at the tick before; it is over when the others agree.
    pub fn is_skid(&self, already: bool) -> bool {
        let least = if already { EQUAL } else { SKID };
        let [wheels, others @ ..] = self.excess_without;
        wheels >= least && others.into_iter().all(|left| left > wheels + EQUAL)
    }

    /// Of the numbers from one to another, the one that was farthest off lately.
    fn farthest_off(&self, first: usize, last: usize) -> usize {
        let farther = |a: usize, b: usize| {
            if self.squares[b] > self.squares[a] {
                b
            } else {
                a
            }
        };
        (first..=last).fold(first, farther)
    }

    /// Whom to blame instead of this number: after a jolt, for what the accelerometer said, a wheel.
    pub fn after_transient(&self, sensed: usize) -> usize {
        let (first, last) = GROUPS[ACCELEROMETER];
        let (left, right) = GROUPS[WHEELS];
        let wheel = self.farthest_off(left, right);
        let of_jolt = (first..=last).contains(&sensed) && self.transient.is_over();
        if of_jolt && self.squares[wheel] > 0.0 {
            wheel
        } else {
            sensed
        }
    }

    /// Takes what was not expected at a tick: how far each number is off, and whether the accelerometer tells of a jolt.
    pub fn update(&mut self) {
        let gain = -libm::expm1(-1.0 / ISOLATION_TICKS);
        for (square, w) in self.squares.iter_mut().zip(self.white) {
            if let Some(w) = w {
                *square += gain * ((w * w).min(SQUARE_CAP) - *square);
            }
        }
        let (first, last) = GROUPS[ACCELEROMETER];
        let accelerations = self.white[first..=last].iter().flatten();
        // One that does not come tells of nothing: as expected.
        let square = accelerations.map(|w| w * w).reduce(f64::max);
        self.transient.push(square.unwrap_or(1.0));
    }

    /// How far apart the filters are that each leave out a sensor: the evidence of whose fault it is, in
    /// [`excess_without`](Self::excess_without)'s unit.
    pub fn spread(&self) -> f64 {
        let all = self.excess_without.into_iter();
        let least = all.clone().fold(f64::INFINITY, f64::min);
        all.fold(f64::NEG_INFINITY, f64::max) - least
    }

    /// The sensor whose numbers [`isolated`](Self::isolated) tells, as a place in [`GROUPS`].
    pub fn at_fault(&self) -> Option<usize> {
        if self.spread() < CLEAR {
            return None;
        }
        let all = self.excess_without;
        let least = all.into_iter().fold(f64::INFINITY, f64::min);
        let explains = all.map(|left| left <= least + EQUAL);
        match explains {
            [true, false, _, false] => Some(WHEELS),
            [false, true, false, false] => Some(GYRO),
            [false, false, true, false] if self.transient.is_over() => Some(WHEELS),
            [false, false, true, false] => Some(ACCELEROMETER),
            [false, false, false, true] => Some(GNSS),
            _ => None,
        }
    }
}

/// The first of [`GROUPS`].
pub const WHEELS: usize = 0;
const GYRO: usize = 1;
const ACCELEROMETER: usize = 2;
/// The last of [`GROUPS`].
pub const GNSS: usize = 3;

/// Something needs to be explained: the worst of the filters did worse than the best by this much at every tick of the
/// window, or 75 units of NIS in all. Healthy, 4 ticks in 100 come to this (`gnss_spoof`).
const CLEAR: f64 = 1.5;

/// The best of the filters does not come to this while healthy: in 45 runs of `gnss_spoof`, `vehicle_track` and `slip_on_ice`
/// without ice, the most was 3.4.
const SKID: f64 = 4.0;

/// Less than this at every tick, 30 units of NIS in all, and two explain as much; more, and the likelihoods are as e^15
/// to 1.
pub const EQUAL: f64 = 0.6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sensor_is_to_blame_if_its_fault_alone_explains_all() {
        let mut squares = [0.5; SENSED];
        (squares[1], squares[3], squares[6]) = (9.0, 4.0, 16.0);
        for (excess_without, isolated) in [
            // Healthy.
            ([-0.2, 0.3, 0.1, -0.4], None),
            // The rest agrees without one of them.
            ([0.1, 2.0, 3.0, 2.5], Some(1)),
            ([4.0, 0.0, 3.0, 2.5], Some(2)),
            ([4.0, 3.0, 0.0, 2.5], Some(3)),
            ([4.0, 3.0, 2.5, 0.0], Some(6)),
            // A jolt: wheels or accelerometer.
            ([0.3, 3.0, 0.0, 3.0], Some(1)),
            // Wheels or gyroscope; no telling.
            ([0.0, 0.3, 3.0, 3.0], None),
            // All filters alike are surprised: something that all of them hold for true is wrong.
            ([8.0, 8.2, 8.4, 8.1], None),
        ] {
            let mut innovated = FaultIsolation {
                squares,
                excess_without,
                excess_with_all: 8.0,
                ..FaultIsolation::default()
            };
            assert_eq!(innovated.isolated(), isolated, "{excess_without:?}");
            // All together agree as well as they do without one of them.
            let least = excess_without.into_iter().fold(f64::INFINITY, f64::min);
            innovated.excess_with_all = least + 1.0;
            assert_eq!(innovated.isolated(), None, "{excess_without:?}");
        }
    }

    #[test]
    fn what_an_accelerometer_says_for_a_moment_is_a_jolt_of_the_wheels() {
        let mut innovated = FaultIsolation {
            excess_without: [1.5, 3.0, 0.0, 3.0],
            excess_with_all: 4.0,
            ..FaultIsolation::default()
        };
        let mut hear = |forward: f64| {
            innovated.white = [Some(1.0); SENSED];
            (innovated.white[1], innovated.white[3]) = (Some(-2.0), Some(forward));
            innovated.update();
            (innovated.isolated(), innovated.after_transient(3))
        };
        for _ in 0..3 {
            assert_eq!(hear(12.0), (Some(3), 3));
        }
        let after: Vec<_> = (0..10).map(|_| hear(1.0)).collect();
        // Forward goes on as ever: the wheel that is farther off.
        assert_eq!(after[9], (Some(1), 1));
        // No other number is blamed for a jolt.
        assert_eq!(innovated.after_transient(2), 2);
        let mut hear = |forward: f64| {
            innovated.white[3] = Some(forward);
            innovated.update();
            innovated.isolated()
        };
        // Half a second of it is no jolt.
        assert_eq!((0..25).map(|_| hear(12.0)).last(), Some(Some(3)));
        assert_eq!((0..10).map(|_| hear(1.0)).last(), Some(Some(3)));
    }
}
