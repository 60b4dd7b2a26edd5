//! Measurements, the readings that carry them, the truth beside them, and the noise between the two.

use crate::body::Pose;
use crate::geodesy::Geodetic;
use crate::seed::Rng;
use crate::time::NS_PER_S;
use bevy_ecs::prelude::*;
use glam::Vec3;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A number of a measurement: what it is called and its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name, unique within its measurement.
    pub name: &'static str,
    /// SI unit, `1` for none; `deg` of places on the Earth.
    pub unit: &'static str,
}

const fn field(name: &'static str, unit: &'static str) -> Field {
    Field { name, unit }
}

/// A name for several numbers of a measurement that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Name, unique among parts and fields.
    pub name: &'static str,
    /// Index of its first number.
    pub first: usize,
    /// How many.
    pub count: usize,
}

const fn part(name: &'static str, first: usize, count: usize) -> Part {
    Part { name, first, count }
}

/// What a sensor measures. A kind states its name and fields once; recorders, viewers and the hash need no other list.
pub trait Measurement: Clone + Default + Send + Sync + 'static {
    /// Name of the kind.
    const KIND: &'static str;
    /// Its numbers, in the order of [`Measurement::visit`]. A measurement of any length repeats them.
    const FIELDS: &'static [Field];

    /// Names for some of them together.
    const PARTS: &'static [Part] = &[];
    /// Whether its numbers count on: a fault of a counter is one of what it gains.
    const COUNTS: bool = false;

    /// The smallest and largest that each of its numbers can be, the largest where there is nothing to measure; none
    /// where a number says anything.
    fn limits(&self) -> Option<[f64; 2]> {
        None
    }

    /// Gives every number in order.
    fn visit(&self, each: &mut dyn FnMut(f64));

    /// Takes every number in order, as [`visit`](Self::visit) gives them; what is no number of it stays. Says whether
    /// they are as many as this measurement has.
    fn fill(&mut self, numbers: &[f64]) -> bool;

    /// Whether every number is finite.
    fn is_finite(&self) -> bool {
        let mut finite = true;
        self.visit(&mut |x| finite &= x.is_finite());
        finite
    }
}

/// Names and fields of every kind of measurement that the run knows.
#[derive(Resource, Clone, Debug, Default)]
pub struct Measurements(pub BTreeMap<&'static str, &'static [Field]>);

/// Angular velocity and specific force, in the sensor's own axes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Imu {
    /// rad/s.
    pub angular_velocity_rad_s: Vec3,
    /// Acceleration less gravity: at rest it points up with 9.81 m/s².
    pub specific_force_m_s2: Vec3,
}

impl Measurement for Imu {
    const KIND: &'static str = "imu";
    const FIELDS: &'static [Field] = &[
        field("angular_velocity_x", "rad/s"),
        field("angular_velocity_y", "rad/s"),
        field("angular_velocity_z", "rad/s"),
        field("specific_force_x", "m/s2"),
        field("specific_force_y", "m/s2"),
        field("specific_force_z", "m/s2"),
    ];
    const PARTS: &'static [Part] = &[
        part("gyro", 0, 3),
        part("gyro_x", 0, 1),
        part("gyro_y", 1, 1),
        part("gyro_z", 2, 1),
        part("accelerometer", 3, 3),
        part("accelerometer_x", 3, 1),
        part("accelerometer_y", 4, 1),
        part("accelerometer_z", 5, 1),
    ];

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        for v in [self.angular_velocity_rad_s, self.specific_force_m_s2] {
            each(f64::from(v.x));
            each(f64::from(v.y));
            each(f64::from(v.z));
        }
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let &[wx, wy, wz, fx, fy, fz] = numbers else {
            return false;
        };
        self.angular_velocity_rad_s = vec3([wx, wy, wz]);
        self.specific_force_m_s2 = vec3([fx, fy, fz]);
        true
    }
}

/// Angles of the driven wheels, in the order of the drive's wheels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoders {
    /// Turned since the start, forward positive, not wrapped (rad).
    pub angles_rad: Vec<f64>,
}

impl Measurement for Encoders {
    const KIND: &'static str = "encoders";
    const FIELDS: &'static [Field] = &[field("angle", "rad")];
    const COUNTS: bool = true;

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        self.angles_rad.iter().copied().for_each(each);
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let fits = numbers.len() == self.angles_rad.len();
        if fits {
            self.angles_rad.copy_from_slice(numbers);
        }
        fits
    }
}

/// One turn of a planar lidar. Ray k points at `angle_min_rad + k * angle_step_rad` about the sensor's z, 0 along its x.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scan {
    /// Direction of the first ray (rad).
    pub angle_min_rad: f32,
    /// From a ray to the next (rad).
    pub angle_step_rad: f32,
    /// Distances (m); the largest range where nothing was hit.
    pub ranges_m: Vec<f32>,
    /// Largest range (m).
    pub range_max_m: f32,
}

impl Measurement for Scan {
    const KIND: &'static str = "lidar";
    const FIELDS: &'static [Field] = &[field("range", "m")];

    fn limits(&self) -> Option<[f64; 2]> {
        Some([0.0, f64::from(self.range_max_m)])
    }

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        self.ranges_m.iter().map(|&r| f64::from(r)).for_each(each);
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let fits = numbers.len() == self.ranges_m.len();
        if fits {
            for (range, &x) in self.ranges_m.iter_mut().zip(numbers) {
                *range = x as f32;
            }
        }
        fits
    }
}

/// Whether anything but the ground is touched.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Contact {
    /// Touched now.
    pub touching: bool,
    /// Sum of the magnitudes of all contact forces (N).
    pub force_n: f32,
}

impl Measurement for Contact {
    const KIND: &'static str = "contact";
    const FIELDS: &'static [Field] = &[field("touching", "1"), field("force", "N")];

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        each(f64::from(u8::from(self.touching)));
        each(f64::from(self.force_n));
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let &[touching, force_n] = numbers else {
            return false;
        };
        *self = Self {
            touching: touching != 0.0,
            force_n: force_n as f32,
        };
        true
    }
}

/// One fix of a satellite receiver: the place of its antenna, twice, and how it moves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gnss {
    /// The place, in WGS84: for recorders and maps.
    pub place: Geodetic,
    /// The same place in the world's axes, east, north, up of the scene's origin (m): for controllers.
    pub position_m: [f64; 3],
    /// Velocity of the antenna, east, north, up (m/s).
    pub velocity_m_s: Vec3,
}

impl Gnss {
    /// Which of its numbers are the place in the world's axes.
    pub const METRES: std::ops::Range<usize> = 3..6;
}

impl Measurement for Gnss {
    const KIND: &'static str = "gnss";
    const FIELDS: &'static [Field] = &[
        field("latitude", "deg"),
        field("longitude", "deg"),
        field("height", "m"),
        field("east", "m"),
        field("north", "m"),
        field("up", "m"),
        field("velocity_east", "m/s"),
        field("velocity_north", "m/s"),
        field("velocity_up", "m/s"),
    ];
    const PARTS: &'static [Part] = &[part("position", 0, 6), part("velocity", 6, 3)];

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        let Geodetic {
            latitude_deg,
            longitude_deg,
            height_m,
        } = self.place;
        [latitude_deg, longitude_deg, height_m]
            .into_iter()
            .chain(self.position_m)
            .chain(self.velocity_m_s.to_array().map(f64::from))
            .for_each(each);
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let &[
            latitude_deg,
            longitude_deg,
            height_m,
            east,
            north,
            up,
            ve,
            vn,
            vu,
        ] = numbers
        else {
            return false;
        };
        *self = Self {
            place: Geodetic {
                latitude_deg,
                longitude_deg,
                height_m,
            },
            position_m: [east, north, up],
            velocity_m_s: vec3([ve, vn, vu]),
        };
        true
    }
}

/// The distance to the nearest thing in a cone about the sensor's x.
///
/// REP 117 writes infinities where a sensor hears nothing or is too near. Here nothing infinite passes: a reading of
/// `range_max_m` means that there was nothing, one of `range_min_m` that it is this near or nearer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Range {
    /// Distance (m).
    pub range_m: f32,
    /// Nearest that is measured (m).
    pub range_min_m: f32,
    /// Farthest (m).
    pub range_max_m: f32,
    /// Angle of the cone, from edge to edge (rad).
    pub fov_rad: f32,
}

impl Measurement for Range {
    const KIND: &'static str = "range";
    const FIELDS: &'static [Field] = &[field("range", "m")];

    fn limits(&self) -> Option<[f64; 2]> {
        Some([self.range_min_m, self.range_max_m].map(f64::from))
    }

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        each(f64::from(self.range_m));
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let &[range_m] = numbers else {
            return false;
        };
        self.range_m = range_m as f32;
        true
    }
}

/// What a magnetometer says, in the sensor's own axes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MagneticField {
    /// Flux density (T): the Earth's is 25 to 65 µT, and points down in the north.
    pub field_t: Vec3,
}

impl Measurement for MagneticField {
    const KIND: &'static str = "magnetometer";
    const FIELDS: &'static [Field] = &[
        field("field_x", "T"),
        field("field_y", "T"),
        field("field_z", "T"),
    ];
    const PARTS: &'static [Part] = &[part("field", 0, 3)];

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        self.field_t
            .to_array()
            .map(f64::from)
            .into_iter()
            .for_each(each);
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let &[x, y, z] = numbers else {
            return false;
        };
        self.field_t = vec3([x, y, z]);
        true
    }
}

/// Numbers of an instrument, whatever they are; [`Columns`] on the sensor says what each is called.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    /// In the order of the columns; `NaN` where a column had no value.
    pub numbers: Vec<f64>,
}

impl Measurement for Values {
    const KIND: &'static str = "values";
    const FIELDS: &'static [Field] = &[field("value", "1")];

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        self.numbers.iter().copied().for_each(each);
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let fits = numbers.len() == self.numbers.len();
        if fits {
            for (to, &x) in self.numbers.iter_mut().zip(numbers) {
                // One pattern of bits for all that is no value.
                *to = if x.is_nan() { f64::NAN } else { x };
            }
        }
        fits
    }

    /// A column without a value is no mistake, an infinite one is; and so is a row without any value.
    fn is_finite(&self) -> bool {
        self.numbers.iter().all(|x| !x.is_infinite()) && self.numbers.iter().any(|x| x.is_finite())
    }
}

/// What the numbers of a sensor of [`Values`] are.
#[derive(Component, Clone, Debug, Default, PartialEq)]
pub struct Columns(pub Arc<[Column]>);

/// One number of an instrument.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Column {
    /// Unique on its sensor.
    pub name: String,
    /// Its unit, `1` for none.
    pub unit: String,
}

fn vec3(v: [f64; 3]) -> Vec3 {
    Vec3::from_array(v.map(|x| x as f32))
}

/// A measurement with its stamps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stamped<T> {
    /// When it was measured (ns from the run's start).
    pub source_ns: u64,
    /// When it entered the run (ns).
    pub arrival_ns: u64,
    /// Counts the sensor's readings from 0.
    pub sequence: u64,
    /// What was measured.
    pub value: T,
}

/// What a sensor says: its latest reading, and all that came since the last tick.
/// It does not know where they come from. The values are reused, so that a steady tick allocates nothing.
#[derive(Component, Clone, Debug)]
pub struct Reading<T: Measurement> {
    ring: Vec<Stamped<T>>,
    /// Readings of this tick; they end at `last`.
    fresh: usize,
    last: usize,
    sequence: u64,
}

impl<T: Measurement> Reading<T> {
    /// Holds at most this many readings a tick; more push out the oldest. `blank` is a measurement of the right
    /// shape: what is written over it has as many numbers.
    pub fn with_capacity(batch: usize, blank: T) -> Self {
        let blank = Stamped {
            value: blank,
            ..Stamped::default()
        };
        Self {
            ring: vec![blank; batch.max(1) + 1],
            fresh: 0,
            last: 0,
            sequence: 0,
        }
    }

    /// The latest reading, none before the first.
    pub fn latest(&self) -> Option<&Stamped<T>> {
        (self.sequence > 0).then(|| &self.ring[self.last])
    }

    /// The readings since the last tick, oldest first.
    pub fn batch(&self) -> impl ExactSizeIterator<Item = &Stamped<T>> {
        let len = self.ring.len();
        (0..self.fresh).map(move |k| &self.ring[(self.last + len + 1 + k - self.fresh) % len])
    }

    /// Gives the same to change, and takes those out again that are not to be kept; without any, the latest is the one
    /// of before. Faults bend what simulated sensors say.
    pub fn retain(&mut self, mut keep: impl FnMut(&mut Stamped<T>) -> bool) {
        let len = self.ring.len();
        let at = |k: usize, fresh: usize| (self.last + len + 1 + k - fresh) % len;
        let mut kept = 0;
        for k in 0..self.fresh {
            let slot = at(k, self.fresh);
            if keep(&mut self.ring[slot]) {
                let to = at(kept, self.fresh);
                self.ring.swap(slot, to);
                kept += 1;
            }
        }
        let lost = self.fresh - kept;
        self.last = (self.last + len - lost) % len;
        self.sequence -= lost as u64;
        self.fresh = kept;
        // They are counted without gaps.
        for k in 0..kept {
            let slot = (self.last + len + 1 + k - kept) % len;
            self.ring[slot].sequence = self.sequence - (kept - k) as u64;
        }
    }

    /// Whether anything came since the last tick.
    pub fn is_fresh(&self) -> bool {
        self.fresh > 0
    }

    /// Starts a tick: nothing is fresh, the latest stays.
    pub fn begin_tick(&mut self) {
        self.fresh = 0;
    }

    /// Adds a reading of now. `fill` gets a value that was used before and writes the new one; it says whether to
    /// keep it.
    pub fn write(&mut self, now_ns: u64, fill: impl FnOnce(&mut T) -> bool) -> bool {
        self.enter(now_ns, now_ns, fill)
    }

    /// Adds a reading that was measured at one time (ns) and came at another (ns).
    pub fn enter(
        &mut self,
        source_ns: u64,
        arrival_ns: u64,
        fill: impl FnOnce(&mut T) -> bool,
    ) -> bool {
        let slot = (self.last + 1) % self.ring.len();
        let entry = &mut self.ring[slot];
        if !fill(&mut entry.value) {
            return false;
        }
        entry.source_ns = source_ns;
        entry.arrival_ns = arrival_ns;
        entry.sequence = self.sequence;
        self.sequence += 1;
        self.last = slot;
        self.fresh = (self.fresh + 1).min(self.ring.len() - 1);
        true
    }
}

/// The measurement without noise or fault, beside the reading of the same tick.
#[derive(Component, Clone, Debug, Default, PartialEq)]
pub struct Truth<T: Measurement>(pub T);

/// Marks a sensor; it is a child of the agent whose it is.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sensor {
    /// The agent.
    pub agent: Entity,
    /// Index of the link that carries it.
    pub link: usize,
}

/// Where a sensor sits on its link.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct Mount(pub Pose);

/// Counts of a sensor since the run's start.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SensorStats {
    /// Readings that entered.
    pub readings: u64,
    /// Readings lost on the way in.
    pub dropped: u64,
    /// Times that it fell silent for too long.
    pub stale: u64,
    /// Readings refused because a number was not finite.
    pub non_finite: u64,
}

/// How a sensor differs from the truth, for each of its numbers alike, in the unit of the number.
///
/// At rest, the Allan deviation over τ seconds (IEEE Std 952-1997, annex C) is the root of the sum of these squares:
///
/// | of | Allan deviation | slope |
/// |---|---|---|
/// | `white_sd` | `white_sd / sqrt(rate_hz τ)` | -1/2 |
/// | `drift_sd` | `drift_sd sqrt(τ / 3)` | +1/2 |
/// | `correlated_sd` | a hump of `0.62 correlated_sd` at `τ = 1.89 correlation_time_s` | +1/2, then -1/2 |
/// | `turn_on_bias_sd` | nothing | |
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Noise {
    /// Deviation of the white noise of one reading. A data sheet's density D gives `D * sqrt(rate_hz)`.
    pub white_sd: f64,
    /// Deviation of the constant offset that each run starts with.
    pub turn_on_bias_sd: f64,
    /// Deviation that the offset's random walk gains in one second.
    pub drift_sd: f64,
    /// Deviation of an error that comes and goes: a first-order Gauss-Markov process. A gyroscope's bias
    /// instability B is about `0.62 correlated_sd`; of a satellite receiver it is the larger part of its error.
    pub correlated_sd: f64,
    /// Time in which that error forgets itself down to 1/e (s).
    pub correlation_time_s: f64,
    /// Smallest step of the output; 0 for none.
    pub resolution: f64,
}

/// The state of one number's [`Noise`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bias {
    /// The offset of the run, and what it has drifted since.
    offset: f64,
    /// The error that comes and goes.
    correlated: f64,
}

impl Bias {
    /// Draws what a run starts with.
    pub fn turn_on(noise: &Noise, rng: &mut Rng) -> Self {
        Self {
            offset: draw(noise.turn_on_bias_sd, rng),
            // It has been coming and going since long before.
            correlated: draw(noise.correlated_sd, rng),
        }
    }

    /// Lets this long pass (s).
    pub fn walk(&mut self, period_s: f64, noise: &Noise, rng: &mut Rng) {
        self.offset += draw(noise.drift_sd * period_s.sqrt(), rng);
        if noise.correlated_sd > 0.0 {
            // Exact for any period: what is kept, and as much new as keeps the deviation.
            let periods = period_s / noise.correlation_time_s;
            let new = (-libm::expm1(-2.0 * periods)).sqrt();
            self.correlated =
                self.correlated * libm::exp(-periods) + draw(noise.correlated_sd * new, rng);
        }
    }

    /// What the sensor says where the truth is `x`.
    pub fn read(&self, x: f64, noise: &Noise, rng: &mut Rng) -> f64 {
        let y = x + self.offset + self.correlated + draw(noise.white_sd, rng);
        if noise.resolution > 0.0 {
            (y / noise.resolution).round() * noise.resolution
        } else {
            y
        }
    }

    /// What the sensor says where the truth is `x`, `period_s` after its last word.
    pub fn apply(&mut self, x: f64, period_s: f64, noise: &Noise, rng: &mut Rng) -> f64 {
        self.walk(period_s, noise, rng);
        self.read(x, noise, rng)
    }
}

/// A deviation of zero draws nothing.
fn draw(sd: f64, rng: &mut Rng) -> f64 {
    if sd > 0.0 { sd * rng.normal() } else { 0.0 }
}

/// Time between two stamps (s).
pub fn elapsed_s(from_ns: u64, to_ns: u64) -> f64 {
    to_ns.saturating_sub(from_ns) as f64 / NS_PER_S as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::RunSeed;

    #[test]
    fn a_batch_is_oldest_first_and_bounded() {
        let mut r = Reading::with_capacity(3, Contact::default());
        assert!(r.latest().is_none());
        for k in 0..5u64 {
            assert!(r.write(k, |c| {
                c.force_n = k as f32;
                true
            }));
        }
        let forces: Vec<f32> = r.batch().map(|s| s.value.force_n).collect();
        assert_eq!(forces, [2.0, 3.0, 4.0]);
        let mut forces = Vec::new();
        r.retain(|s| {
            forces.push(s.value.force_n);
            true
        });
        assert_eq!(forces, [2.0, 3.0, 4.0]);
        r.begin_tick();
        assert_eq!(r.batch().len(), 0);
        assert_eq!(r.latest().map(|s| s.sequence), Some(4));
        assert!(!r.write(5, |_| false));
        assert_eq!(r.latest().map(|s| s.value.force_n), Some(4.0));
    }

    #[test]
    fn a_reading_that_is_taken_out_has_never_been() {
        // Every choice of three readings, at every place of the ring.
        for lost in 0..8u32 {
            for before in 0..5u64 {
                let mut r = Reading::with_capacity(3, Contact::default());
                let write = |r: &mut Reading<Contact>, k: u64| {
                    r.write(k, |c| {
                        c.force_n = k as f32;
                        true
                    })
                };
                for k in 0..before {
                    write(&mut r, k);
                    r.begin_tick();
                }
                for k in before..before + 3 {
                    write(&mut r, k);
                }
                let kept: Vec<u64> = (0..3).filter(|k| lost >> k & 1 == 0).collect();
                let stays = |s: &mut Stamped<Contact>| lost >> (s.source_ns - before) & 1 == 0;
                r.retain(stays);
                let said: Vec<_> = r.batch().map(|s| (s.source_ns, s.sequence)).collect();
                let expected = kept.iter().enumerate();
                let expected: Vec<_> = expected
                    .map(|(n, k)| (before + k, before + n as u64))
                    .collect();
                assert_eq!(said, expected);
                let latest = kept.last().map(|k| before + k).or(before.checked_sub(1));
                assert_eq!(r.latest().map(|s| s.source_ns), latest);
                r.begin_tick();
                write(&mut r, 99);
                let said: Vec<_> = r.batch().map(|s| (s.source_ns, s.sequence)).collect();
                assert_eq!(said, [(99, before + kept.len() as u64)]);
            }
        }
    }

    #[test]
    fn noise_has_the_stated_deviation() {
        let noise = Noise {
            white_sd: 0.5,
            turn_on_bias_sd: 2.0,
            ..Noise::default()
        };
        let runs = 400;
        let (mut offsets, mut white) = (0.0, 0.0);
        for seed in 0..runs {
            let mut rng = Rng::for_name(RunSeed(seed), "a/b");
            let mut bias = Bias::turn_on(&noise, &mut rng);
            offsets += bias.offset * bias.offset;
            let mean = bias.offset;
            for _ in 0..100 {
                let e = bias.apply(0.0, 0.01, &noise, &mut rng) - mean;
                white += e * e;
            }
        }
        let n = runs as f64;
        // Five standard errors of a variance: 5 sqrt(2/n).
        assert!((offsets / n / 4.0 - 1.0).abs() < 5.0 * (2.0 / n).sqrt());
        assert!((white / (n * 100.0) / 0.25 - 1.0).abs() < 5.0 * (2.0 / (n * 100.0)).sqrt());
    }

    #[test]
    fn drift_grows_with_the_root_of_time() {
        let noise = Noise {
            drift_sd: 0.1,
            ..Noise::default()
        };
        let runs = 2000;
        let mut sum = 0.0;
        for seed in 0..runs {
            let mut rng = Rng::for_name(RunSeed(seed), "drift");
            let mut bias = Bias::default();
            for _ in 0..400 {
                bias.apply(0.0, 0.01, &noise, &mut rng);
            }
            sum += bias.offset * bias.offset;
        }
        // After 4 s the deviation is 0.1 sqrt(4).
        let n = runs as f64;
        assert!((sum / n / 0.04 - 1.0).abs() < 5.0 * (2.0 / n).sqrt());
    }

    #[test]
    fn a_correlated_error_keeps_its_deviation_and_forgets_itself() {
        let noise = Noise {
            correlated_sd: 2.0,
            correlation_time_s: 5.0,
            ..Noise::default()
        };
        // A step of a data sheet's rate, and one longer than the memory: the law is the same.
        for (period_s, steps) in [(0.1, 50), (5.0, 1), (60.0, 1)] {
            let runs = 4000;
            let (mut before, mut after, mut both) = (0.0, 0.0, 0.0);
            for seed in 0..runs {
                let mut rng = Rng::for_name(RunSeed(seed), "markov");
                let mut bias = Bias::turn_on(&noise, &mut rng);
                let first = bias.correlated;
                for _ in 0..steps {
                    bias.apply(0.0, period_s, &noise, &mut rng);
                }
                before += first * first;
                after += bias.correlated * bias.correlated;
                both += first * bias.correlated;
            }
            let n = runs as f64;
            let bound = 5.0 * (2.0 / n).sqrt();
            assert!((before / n / 4.0 - 1.0).abs() < bound);
            assert!((after / n / 4.0 - 1.0).abs() < bound);
            let expected = libm::exp(-period_s * f64::from(steps) / 5.0);
            assert!((both / n / 4.0 - expected).abs() < bound, "{period_s} s");
        }
    }

    #[test]
    fn resolution_rounds() {
        let noise = Noise {
            resolution: 0.25,
            ..Noise::default()
        };
        let mut rng = Rng::for_name(RunSeed(0), "q");
        assert_eq!(Bias::default().apply(0.36, 1.0, &noise, &mut rng), 0.25);
    }
}
