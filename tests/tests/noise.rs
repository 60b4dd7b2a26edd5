//! Sensor noise over an hour at rest: mean, standard deviation and Allan deviation, compared with closed forms.
//!
//! The closed forms are those of IEEE Std 952-1997, annex C, and of El-Sheimy, Hou and Niu, IEEE Trans. Instrum.
//! Meas. 57(1), 2008; those of a sampled random walk and of rounding are exact sums.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and checks against formulas"
)]

use becomingone::components::sensor::Measurement;
use becomingone::ecs as bevy_ecs; // the path that its derives write
use becomingone::prelude::*;
use becomingone_tests::engine;
use std::collections::BTreeMap;
use std::time::Duration;

/// Sample rate, one reading per tick.
const RATE_HZ: f64 = 50.0;
const HOUR_S: f64 = 3600.0;

/// Rover at rest in front of a wall for an hour. Noise components of each sensor have distinguishable slopes.
const SCENE: &str = "(
  version: 1, seed: 11, tick_ns: 20000000,
  world: (
    origin: (latitude_deg: 47.3769, longitude_deg: 8.5417, height_m: 408),
    magnetic_field_t: (1.287e-6, 21.532e-6, -43.231e-6),
    obstacles: [Box(name: \"wall\", position_m: (4.5, 0, 0), size_m: (1, 8, 2))],
  ),
  agents: [(
    name: \"rover\", model: \"rover.urdf\", drive: Auto, coherence: Off,
    sensors: [
      (name: \"imu\", rate_hz: 50, kind: Imu(
        gyro: (white_sd: 0.01),
        accelerometer: (white_sd: 0.02, drift_sd: 0.002))),
      (name: \"gnss\", rate_hz: 50, kind: Gnss(
        horizontal: (white_sd: 0.3, correlated_sd: 1.5, correlation_time_s: 10),
        vertical: (drift_sd: 0.05),
        velocity: (white_sd: 0.05))),
      (name: \"range\", rate_hz: 50, position_m: (0.3, 0, 0.3), kind: Range(
        fov_rad: 0.3, range_max_m: 8, noise: (white_sd: 0.01, resolution: 0.001))),
      (name: \"compass\", rate_hz: 50, kind: Magnetometer(
        noise: (white_sd: 2e-7, correlated_sd: 1e-7, correlation_time_s: 20))),
      (name: \"encoders\", rate_hz: 50, kind: Encoders(
        noise: (white_sd: 0.004, resolution: 0.006))),
    ],
  )],
)";

/// Numbers of a sensor, one list for each field, and the final truth.
type Columns = (Vec<Vec<f64>>, Vec<f64>);

/// Numbers of all sensors.
#[derive(Resource, Default)]
struct Hour(BTreeMap<&'static str, Columns>);

fn keep<T: Measurement>(mut hour: ResMut<Hour>, sensors: Query<(&Reading<T>, &Truth<T>)>) {
    let (columns, truths) = hour.0.entry(T::KIND).or_default();
    for (reading, truth) in &sensors {
        for sample in reading.batch() {
            let mut k = 0;
            sample.value.visit(&mut |x| {
                if columns.len() <= k {
                    columns.push(Vec::with_capacity((HOUR_S * RATE_HZ) as usize));
                }
                columns[k].push(x);
                k += 1;
            });
        }
        truths.clear();
        truth.0.visit(&mut |x| truths.push(x));
    }
}

/// Errors of each sensor over an hour: readings minus truth.
fn errors_of_an_hour() -> BTreeMap<&'static str, Vec<Vec<f64>>> {
    let mut engine = engine(&[("rest.ron", SCENE)]);
    engine.add_plugin(|app: &mut App| {
        app.init_resource::<Hour>().add_systems(
            Tick,
            (
                keep::<ImuSample>,
                keep::<GnssFix>,
                keep::<Distance>,
                keep::<MagneticField>,
                keep::<EncoderAngles>,
            )
                .chain()
                .in_set(TickSystems::Publish),
        );
    });
    // Skip a second of settling.
    engine.run_for(Duration::from_secs(1)).unwrap();
    engine.world_mut().resource_mut::<Hour>().0.clear();
    engine.run_for(Duration::from_secs_f64(HOUR_S)).unwrap();
    let hour = std::mem::take(&mut engine.world_mut().resource_mut::<Hour>().0);
    let less_truth = |(columns, truths): Columns| {
        let pairs = columns.into_iter().zip(truths);
        pairs
            .map(|(xs, truth)| xs.into_iter().map(|x| x - truth).collect())
            .collect()
    };
    hour.into_iter().map(|(k, c)| (k, less_truth(c))).collect()
}

/// Overlapping Allan deviation of rate samples over `m` samples, from the second differences of their sum.
fn allan(xs: &[f64], m: usize) -> f64 {
    let mut sum = vec![0.0];
    sum.extend(xs.iter().scan(0.0, |s, x| {
        *s += x;
        Some(*s)
    }));
    allan_of_sum(&sum, m) / m as f64
}

/// Overlapping Allan deviation of angle samples, times the sample period.
fn allan_of_sum(sum: &[f64], m: usize) -> f64 {
    let (first, second, third) = (sum, &sum[m..], &sum[2 * m..]);
    let squares = first.iter().zip(second).zip(third).map(|((a, b), c)| {
        let d = c - 2.0 * b + a;
        d * d
    });
    (squares.sum::<f64>() / (2.0 * third.len() as f64)).sqrt()
}

/// Mean and standard deviation.
fn moments(xs: &[f64]) -> (f64, f64) {
    let n = xs.len() as f64;
    let mean = xs.iter().sum::<f64>() / n;
    let variance = xs.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

/// Cluster sizes (samples).
const CLUSTERS: [usize; 13] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];

/// Checks the Allan deviation at each cluster size, within five standard errors of the count of
/// independent clusters: `sd(σ) = σ / sqrt(2 n)` (IEEE Std 952-1997, equation C.17, conservative).
fn check_allan(what: &str, xs: &[&[f64]], expected: impl Fn(usize) -> f64) {
    for m in CLUSTERS {
        let variances = xs.iter().map(|x| allan(x, m).powi(2));
        let found = (variances.sum::<f64>() / xs.len() as f64).sqrt();
        let clusters: usize = xs.iter().map(|x| x.len() / m).sum();
        let bound = 5.0 / (2.0 * clusters as f64).sqrt();
        let ratio = found / expected(m);
        assert!(
            (ratio - 1.0).abs() < bound,
            "{what}: {found} over {m} samples, expected {} within {bound:.3}",
            expected(m)
        );
    }
}

/// Log-log slope of the Allan deviation between two cluster sizes.
fn slope(xs: &[f64], from: usize, to: usize) -> f64 {
    (allan(xs, to) / allan(xs, from)).ln() / (to as f64 / from as f64).ln()
}

fn white(sd: f64) -> impl Fn(usize) -> f64 {
    move |m| sd / (m as f64).sqrt()
}

/// Sampled random walk with `sd` per square root of a second: `K sqrt(τ/3)` for long τ.
fn walk(sd: f64) -> impl Fn(usize) -> f64 {
    move |m| {
        let m = m as f64;
        sd / RATE_HZ.sqrt() * ((2.0 * m * m + 1.0) / (6.0 * m)).sqrt()
    }
}

/// Sampled first-order Gauss-Markov process: variance of the sum of `m` samples minus its covariance with the next sum.
fn markov(sd: f64, memory_s: f64) -> impl Fn(usize) -> f64 {
    move |m| {
        let m = m as f64;
        let kept = (-1.0 / (memory_s * RATE_HZ)).exp();
        let (new, ends) = (1.0 - kept, 1.0 - kept.powf(m));
        let variance = m * (1.0 + kept) / new - 2.0 * kept * ends / (new * new);
        let covariance = kept * (ends / new) * (ends / new);
        sd * (variance - covariance).sqrt() / m
    }
}

/// Continuous first-order Gauss-Markov process (IEEE Std 952-1997, C.1.6, with `q_c² T_c = 2 sd²`).
fn markov_of_ieee(sd: f64, memory_s: f64, m: usize) -> f64 {
    let r = memory_s * RATE_HZ / m as f64;
    let inner = 3.0 - 4.0 * (-1.0 / r).exp() + (-2.0 / r).exp();
    sd * (2.0 * r * (1.0 - r / 2.0 * inner)).sqrt()
}

/// Checks mean and standard deviation, the mean within five of its standard errors.
fn check_moments(what: &str, xs: &[f64], sd: f64, mean_sd: f64, sd_bound: f64) {
    assert_eq!(xs.len(), (HOUR_S * RATE_HZ) as usize, "{what}");
    let (mean, found) = moments(xs);
    assert!(mean.abs() < 5.0 * mean_sd, "{what}: mean {mean}");
    assert!(
        (found / sd - 1.0).abs() < sd_bound,
        "{what}: deviation {found}, expected {sd}"
    );
}

#[test]
fn noise_of_an_hour_at_rest_matches_the_scene() {
    let errors = errors_of_an_hour();
    let n = HOUR_S * RATE_HZ;
    // Five standard errors of the standard deviation of independent numbers.
    let independent = 5.0 / (2.0 * n).sqrt();
    let of = |kind: &str, k: usize| errors[kind][k].as_slice();

    for axis in 0..3 {
        let gyro = of("imu", axis);
        check_moments("gyro", gyro, 0.01, 0.01 / n.sqrt(), independent);
        check_allan("gyro", &[gyro], white(0.01));
        assert!((slope(gyro, 1, 200) + 0.5).abs() < 0.02);

        let accelerometer = of("imu", 3 + axis);
        let (white, walk) = (white(0.02), walk(0.002));
        check_allan("accelerometer", &[accelerometer], |m| {
            white(m).hypot(walk(m))
        });
        // White noise and random walk cross at 2.4 s.
        assert!((slope(accelerometer, 1, 10) + 0.5).abs() < 0.05);
        assert!((slope(accelerometer, 500, 5000) - 0.5).abs() < 0.25);

        let velocity = of("gnss", 6 + axis);
        check_moments("velocity", velocity, 0.05, 0.05 / n.sqrt(), independent);
        check_allan("velocity", &[velocity], self::white(0.05));
    }

    let (east, north, up) = (of("gnss", 3), of("gnss", 4), of("gnss", 5));
    let sd = 0.3f64.hypot(1.5);
    for axis in [east, north] {
        // The mean of a Gauss-Markov process over T: 2 sd² T_c / T; of its variance: sqrt(2 T_c / T).
        let mean_sd = 1.5 * (2.0 * 10.0 / HOUR_S).sqrt();
        let memory = 5.0 * (2.0 * 10.0 / HOUR_S).sqrt() / 2.0;
        check_moments("east, north", axis, sd, mean_sd, memory);
    }
    let (noise, hump) = (white(0.3), markov(1.5, 10.0));
    check_allan("east, north", &[east, north], |m| noise(m).hypot(hump(m)));
    for m in CLUSTERS.into_iter().filter(|&m| m >= 50) {
        let ratio = hump(m) / markov_of_ieee(1.5, 10.0, m);
        assert!((ratio - 1.0).abs() < 0.001, "{m}: {ratio}");
    }
    // Maximum at 1.89 correlation times, of 0.62 standard deviations.
    let at =
        |s: f64| (allan(east, (s * RATE_HZ) as usize) + allan(north, (s * RATE_HZ) as usize)) / 2.0;
    let top = at(18.9);
    assert!((top / (0.618 * 1.5) - 1.0).abs() < 0.2, "{top}");
    assert!(at(2.0) < 0.75 * top && at(200.0) < 0.75 * top);
    check_allan("up", &[up], walk(0.05));
    // Geographic positions match the metric ones: a degree of latitude is 111.2 km here.
    let (latitude, height) = (of("gnss", 0), of("gnss", 2));
    for k in (0..latitude.len()).step_by(1000) {
        assert!(
            (latitude[k] * 111_181.0 / north[k] - 1.0).abs() < 1e-2,
            "{k}"
        );
        assert!((height[k] - up[k]).abs() < 1e-4, "{k}");
    }

    let range = of("range", 0);
    // Rounding adds a variance of step²/12.
    let sd = 0.01f64.hypot(0.001 / 12f64.sqrt());
    // The sum of truth and noise is rounded: no offset remains if the truth is not a multiple of the step.
    check_moments("range", range, sd, sd / n.sqrt(), independent);
    check_allan("range", &[range], white(sd));

    for axis in 0..3 {
        let compass = of("magnetometer", axis);
        let (noise, hump) = (white(2e-7), markov(1e-7, 20.0));
        check_allan("magnetometer", &[compass], |m| noise(m).hypot(hump(m)));
        let mean_sd = 1e-7 * (2.0 * 20.0 / HOUR_S).sqrt();
        check_moments("magnetometer", compass, 2e-7f64.hypot(1e-7), mean_sd, 0.08);
    }

    // For angles, white noise and rounding are phase noise: sqrt(3) sd / τ, slope -1.
    for angle in &errors["encoders"] {
        let sd = 0.004f64.hypot(0.006 / 12f64.sqrt());
        check_moments("encoders", angle, sd, sd / n.sqrt(), 2.0 * independent);
        for m in CLUSTERS {
            let found = allan_of_sum(angle, m);
            let bound = 5.0 / (2.0 * n / 2.0).sqrt() + 5.0 / (2.0 * n / m as f64).sqrt();
            assert!(
                (found / (3f64.sqrt() * sd) - 1.0).abs() < bound,
                "{m}: {found}"
            );
        }
    }
}

#[test]
fn allan_deviation_matches_nist() {
    // NIST Special Publication 1065 (2008), table 31: nine values of frequency and their overlapping deviations.
    let xs = [
        892.0, 809.0, 823.0, 798.0, 671.0, 644.0, 883.0, 903.0, 677.0,
    ];
    assert!((allan(&xs, 1) - 91.22945).abs() < 5e-6);
    assert!((allan(&xs, 2) - 85.95287).abs() < 5e-6);
}
