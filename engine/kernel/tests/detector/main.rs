//! [`Detector`] beside its reference in numpy (`reference.py`), and what it finds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(clippy::print_stderr, reason = "a skipped test is reported")]

use becomingone_kernel::{Detector, Finding, Health};
use rand_distr::{Distribution as _, StandardNormal};
use rand_pcg::Pcg64;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

const BASELINE: u32 = 400;

/// Two hidden levels (AR(1) of .95 and .85) that four sensors see with gains, units and offsets of their own, and noise.
struct Plant {
    random: Pcg64,
    levels: [f64; 2],
}

impl Plant {
    fn new(seed: u64) -> Self {
        Self {
            random: Pcg64::new(u128::from(seed), 1),
            levels: [0.0; 2],
        }
    }

    fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.random)
    }

    fn row(&mut self) -> [f64; 4] {
        for (k, a) in [0.95, 0.85].into_iter().enumerate() {
            self.levels[k] = a * self.levels[k] + f64::sqrt(1.0 - a * a) * self.normal();
        }
        let [x, y] = self.levels;
        let seen = [x, 0.7 * x + 0.7 * y, y, 0.8 * x - 0.6 * y];
        let mut row = [0.0; 4];
        for (k, (gain, offset)) in [(0.7, 20.0), (9.0, 300.0), (0.08, 1.0), (5.0, -10.0)]
            .into_iter()
            .enumerate()
        {
            row[k] = offset + gain * (seen[k] + 0.15 * self.normal());
        }
        row
    }
}

/// Deviations of the sensors, near enough.
const SD: [f64; 4] = [0.7, 9.0, 0.08, 5.0];

fn push(detector: &mut Detector<8>, row: &[f64]) -> Option<Finding<8>> {
    let row: Vec<Option<f64>> = row.iter().map(|x| Some(*x)).collect();
    detector.push(&row, 0.1)
}

#[test]
fn statistics_score_state_and_blame_are_those_of_the_reference() {
    let Some(python) = std::env::var_os("BECOMINGONE_PYTHON") else {
        eprintln!("skipped: the reference of the detector, as BECOMINGONE_PYTHON is not set");
        return;
    };
    let mut plant = Plant::new(3);
    let rows: Vec<[f64; 5]> = (0..1400)
        .map(|k| {
            let [a, mut b, c, d] = plant.row();
            if (900..1100).contains(&k) {
                b += 2.0 * SD[1] * plant.normal();
            }
            [a, b, c, d, f64::from(k > 1250)]
        })
        .collect();
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> = row.iter().map(f64::to_string).collect();
        writeln!(text, "{}", cells.join(",")).unwrap();
    }
    let script = "
import sys, numpy
sys.path.insert(0, sys.argv[1])
import reference
d = reference.detect(numpy.loadtxt(sys.stdin, delimiter=','), int(sys.argv[2]))
blame = numpy.zeros((len(d['flag']), 5)); blame[:, d['channels']] = d['share']
numpy.savetxt(sys.stdout, numpy.c_[d['statistics'] / d['thresholds'], d['severity'], d['coherence'], d['state'], blame])
";
    let mut child = Command::new(python)
        .args(["-B", "-c", script])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/detector"))
        .arg(BASELINE.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success());
    let out = String::from_utf8(out.stdout).unwrap();
    let mut detector = Detector::<8>::new(5, BASELINE).unwrap();
    let (mut compared, mut states) = (0, [0; 4]);
    for (k, (row, expected)) in rows.iter().zip(out.lines()).enumerate() {
        let expected: Vec<f64> = expected.split(' ').map(|x| x.parse().unwrap()).collect();
        let Some(found) = push(&mut detector, row) else {
            continue;
        };
        let ratios = found
            .ratios
            .iter()
            .chain([&found.severity, &found.coherence]);
        let blame = &found.blame[..5];
        for (n, (found, expected)) in ratios
            .zip(&expected)
            .chain(blame.iter().zip(&expected[7..]))
            .enumerate()
        {
            assert!(
                (found - expected).abs() <= 1e-6 * expected.abs().max(1e-3),
                "row {k}, number {n}: {found}, not {expected}"
            );
        }
        let state = match found.health {
            Health::Healthy => 0,
            Health::Fault => 1,
            Health::Changed => 2,
            Health::Outside => 3,
        };
        assert!((f64::from(state) - expected[6]).abs() < 0.5, "row {k}");
        states[state as usize] += 1;
        compared += 1;
    }
    assert_eq!(compared, 1000);
    assert!(states.iter().all(|n| *n > 0), "{states:?}");
}

/// Share of the rows of a fault that are flagged, its delay, and the share of these that name sensor 1. The fault is a
/// function of the row so far, the last row, a random number, and the rows since it began.
fn faulty(fault: impl Fn([f64; 4], [f64; 4], f64, u32) -> [f64; 4]) -> (f64, Option<u32>, f64) {
    const SEEDS: u64 = 6;
    const ROWS: u32 = 800;
    let (mut flagged, mut right, mut delay) = (0, 0, Some(0));
    for seed in 0..SEEDS {
        let mut plant = Plant::new(100 + seed);
        let mut detector = Detector::new(4, BASELINE).unwrap();
        for _ in 0..2 * BASELINE {
            push(&mut detector, &plant.row());
        }
        let (mut last, mut first) = (plant.row(), None);
        for k in 0..ROWS {
            let random = plant.normal();
            let row = fault(plant.row(), last, random, k);
            last = row;
            let found = push(&mut detector, &row).unwrap();
            if found.is_fault() {
                flagged += 1;
                right += u32::from(found.cause == Some(1));
                first = first.or(Some(k));
            }
        }
        delay = delay.zip(first).map(|(all, first)| all + first);
    }
    let all = f64::from(ROWS) * SEEDS as f64;
    (
        f64::from(flagged) / all,
        delay.map(|d| d / SEEDS as u32),
        f64::from(right) / f64::from(flagged.max(1)),
    )
}

#[test]
fn faults_of_a_sensor_are_flagged_and_named() {
    let mut stuck = None;
    for (name, least, fault) in [
        (
            "noise of 2 sd",
            0.50,
            Box::new(|mut row: [f64; 4], _, random, _| {
                row[1] += 2.0 * SD[1] * random;
                row
            }) as Box<dyn Fn([f64; 4], [f64; 4], f64, u32) -> [f64; 4]>,
        ),
        (
            "noise of 3 sd",
            0.90,
            Box::new(|mut row, _, random, _| {
                row[1] += 3.0 * SD[1] * random;
                row
            }),
        ),
        (
            "noise of 5 sd",
            0.99,
            Box::new(|mut row, _, random, _| {
                row[1] += 5.0 * SD[1] * random;
                row
            }),
        ),
        (
            "stuck",
            0.60,
            Box::new(|mut row, last: [f64; 4], _, _| {
                row[1] = last[1];
                row
            }),
        ),
        (
            "dead-band of 1 sd",
            0.40,
            Box::new(|mut row, _, _, _| {
                let off: f64 = row[1] - 300.0;
                row[1] = 300.0 + (off.abs() - SD[1]).max(0.0).copysign(off);
                row
            }),
        ),
        (
            "a lost unit",
            0.99,
            Box::new(|mut row, _, _, _| {
                row[1] *= 1000.0;
                row
            }),
        ),
        (
            "offset of 1 sd",
            0.90,
            Box::new(|mut row, _, _, _| {
                row[1] += SD[1];
                row
            }),
        ),
    ] {
        let (flagged, delay, right) = faulty(fault);
        eprintln!("{name}: flagged {flagged:.3}, delay {delay:?} rows, named {right:.2}");
        assert!(flagged > least, "{name}: {flagged}");
        assert!(right > 0.6, "{name}: {right}");
        if name == "stuck" {
            stuck = delay;
        }
    }
    assert!(stuck.unwrap() < 60);
    // Two swapped sensors: both are wrong.
    let (flagged, delay, _) = faulty(|mut row, _, _, _| {
        row.swap(1, 2);
        row
    });
    assert!(flagged > 0.99 && delay.unwrap() < 5, "{flagged}");
}

#[test]
fn rows_at_another_rate_are_outside_and_no_fault() {
    let mut plant = Plant::new(9);
    let mut detector = Detector::<8>::new(4, BASELINE).unwrap();
    let mut outside = 0;
    for k in 0..1200 {
        let row = plant.row().map(Some);
        let found = detector.push(&row, if k < 800 { 0.1 } else { 0.05 });
        let Some(found) = found else { continue };
        assert!(!found.is_fault(), "row {k}");
        outside += u32::from(k >= 850 && found.health == Health::Outside);
    }
    assert_eq!(outside, 350);
}

#[test]
fn healthy_rows_raise_few_alarms() {
    let (mut alarms, mut rows) = (0, 0_u32);
    for seed in 0..40 {
        let mut plant = Plant::new(500 + seed);
        let mut detector = Detector::<8>::new(4, 1000).unwrap();
        let mut was = false;
        for _ in 0..3000 {
            let is = push(&mut detector, &plant.row()).is_some_and(|f| f.is_fault());
            alarms += u32::from(is && !was);
            was = is;
            rows += u32::from(detector.finding().is_some());
        }
    }
    eprintln!("{alarms} false alarms in {rows} rows");
    assert!(alarms <= 10, "{alarms}");
}

#[test]
fn missing_values_gaps_and_broken_numbers_are_no_faults() {
    let mut plant = Plant::new(11);
    let mut detector = Detector::<8>::new(4, BASELINE).unwrap();
    for k in 0..2400_u32 {
        let mut row = plant.row().map(Some);
        // One sensor comes every third row, another is missing for a while, a third is broken at times.
        row[3] = row[3].filter(|_| k.is_multiple_of(3));
        row[0] = row[0].filter(|_| !(1000..1300).contains(&k));
        if k.is_multiple_of(97) {
            row[2] = Some(f64::NAN);
        }
        let dt_s = if k == 1700 { 1000.0 } else { 0.1 };
        let found = detector.push(&row, dt_s);
        let Some(found) = found else { continue };
        assert!(found.coherence.is_finite() && found.severity.is_finite());
        assert!(!found.is_fault(), "row {k}: {found:?}");
        if (1010..1300).contains(&k) {
            assert!(!detector.judges(0) && detector.judges(1), "row {k}");
        }
    }
    let counters = detector.counters();
    assert_eq!(
        (counters.gaps, counters.broken, counters.dropped),
        (1, 25, 0)
    );
    assert_eq!(detector.push(&[], 0.0), detector.finding().copied());
    assert_eq!(detector.counters().dropped, 1);
}

#[test]
fn baseline_that_contradicts_itself_is_told() {
    let mut plant = Plant::new(13);
    let mut detector = Detector::<8>::new(4, BASELINE).unwrap();
    for k in 0..BASELINE {
        let mut row = plant.row();
        if k >= 320 {
            row[2] += 30.0 * SD[2];
        }
        push(&mut detector, &row);
    }
    let (rows, factor) = detector.unlike().unwrap();
    assert_eq!(rows, 320..400);
    assert!(factor > 10.0, "{factor}");
    // Nothing to learn from: the next rows are tried.
    let mut detector = Detector::<8>::new(1, 64).unwrap();
    for _ in 0..64 {
        assert_eq!(detector.push(&[None], 0.1), None);
    }
    assert!(!detector.is_trained());
    for k in 0..64_u32 {
        detector.push(&[Some(f64::from(k % 5))], 0.1);
    }
    assert!(detector.is_trained());
}
