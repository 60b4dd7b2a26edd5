//! What a [`Detector`] learns from: stretches, inputs, a wanted rate of false alarms, a stored model.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_kernel::{Detector, Finding, Health, Learning, Model, Outside};
use rand_distr::{Distribution as _, StandardNormal};
use rand_pcg::Pcg64;

struct Noise(Pcg64);

impl Noise {
    fn new(seed: u64) -> Self {
        Self(Pcg64::new(u128::from(seed), 7))
    }

    fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }
}

/// A tank: its command jumps every 60 rows, `level` follows it with a time constant of 10 rows, `other` is a sensor of its own.
struct Tank {
    noise: Noise,
    row: u32,
    command: f64,
    level: f64,
    other: f64,
    /// Share of its command that the level goes to.
    aim: f64,
}

impl Tank {
    fn new(seed: u64) -> Self {
        Self {
            noise: Noise::new(seed),
            row: 0,
            command: 0.0,
            level: 0.0,
            other: 0.0,
            aim: 1.0,
        }
    }

    /// Command, level, other.
    fn row(&mut self) -> [f64; 3] {
        if self.row.is_multiple_of(60) {
            self.command = self.noise.normal().clamp(-2.0, 2.0);
        }
        self.row += 1;
        self.level += 0.1 * (self.aim * self.command - self.level);
        self.other = 0.8 * self.other + 0.6 * self.noise.normal();
        let seen = self.level + 0.02 * self.noise.normal();
        [self.command, seen, self.other]
    }
}

fn push<const N: usize>(detector: &mut Detector<N>, row: &[f64]) -> Option<Finding<N>> {
    let row: Vec<Option<f64>> = row.iter().map(|x| Some(*x)).collect();
    detector.push(&row, 1.0)
}

/// Has learned from 1200 rows of a tank, with its command as an input; or without that column.
fn tank_detector(with_command: bool) -> Detector<4> {
    let from = usize::from(!with_command);
    let inputs = if with_command { vec![0] } else { vec![] };
    let mut detector = Detector::new(3 - from, 1200).unwrap().with(Learning {
        inputs,
        ..Learning::default()
    });
    let mut tank = Tank::new(5);
    for _ in 0..1200 {
        push(&mut detector, &tank.row()[from..]);
    }
    assert!(detector.is_trained());
    detector
}

#[test]
fn inputs_help_to_predict_and_are_never_isolated() {
    // From row 600 on, the level is a third less than what the command asks for: from itself alone that is no fault.
    let found = |with_command: bool| {
        let from = usize::from(!with_command);
        let mut detector = tank_detector(with_command);
        let mut tank = Tank::new(6);
        let (mut false_rows, mut flagged, mut on_level, mut input_share) = (0, 0, 0, 0.0_f64);
        for k in 0..1800 {
            if k == 600 {
                tank.aim = 0.7;
            }
            let finding = push(&mut detector, &tank.row()[from..]).unwrap();
            input_share = input_share.max(finding.blame[0]);
            if k < 600 {
                false_rows += u32::from(finding.is_fault());
            } else if finding.is_fault() {
                flagged += 1;
                on_level += u32::from(finding.cause == Some(1));
            }
        }
        (false_rows, flagged, on_level, input_share)
    };
    let (_, blind, ..) = found(false);
    let (false_rows, flagged, on_level, input_share) = found(true);
    assert_eq!(false_rows, 0);
    assert!(
        flagged > 600 && flagged > 2 * blind,
        "{flagged} of 1200, {blind} without the command"
    );
    assert!(on_level * 10 > flagged * 9, "{on_level} of {flagged}");
    assert_eq!(input_share, 0.0);
}

#[test]
fn unknown_inputs_are_outside_and_raise_no_alarm() {
    for (value, why) in [(Some(12.0), Outside::Input(0)), (None, Outside::NoInput(0))] {
        let mut detector = tank_detector(true);
        let mut tank = Tank::new(6);
        for k in 0..500 {
            // What the tank does meanwhile is unknown: here it stays where it is.
            let mut row = tank.row().map(Some);
            if (100..220).contains(&k) {
                row[0] = value;
            }
            let finding = detector.push(&row, 1.0).unwrap();
            // A missing value is held for as long as in the baseline or five rows, then the tank may settle for as long.
            let late = if value.is_none() { 5 } else { 0 };
            let wanted = match k {
                _ if k < 100 + late => None,
                100..220 => Some(why),
                _ if k < 340 - late => Some(Outside::Settling),
                _ => None,
            };
            assert_eq!(finding.outside, wanted, "row {k}");
            assert!(!finding.is_fault(), "row {k}");
        }
    }
}

#[test]
fn spikes_of_an_input_neither_begin_nor_end_an_alarm() {
    let mut detector = tank_detector(true);
    let mut tank = Tank::new(6);
    let (mut begun, mut was_on, mut rows) = (0, false, 0);
    for k in 0..400 {
        let mut row = tank.row();
        // Not where it jumps itself.
        if k % 5 == 3 {
            row[0] = 100.0;
        }
        if (200..300).contains(&k) {
            row[2] += 12.0;
        }
        let is_on = push(&mut detector, &row).unwrap().is_fault();
        begun += u32::from(is_on && !was_on);
        rows += u32::from(is_on);
        was_on = is_on;
        assert!(k >= 200 || !is_on, "row {k}");
    }
    assert!(begun == 1 && rows > 90, "{begun} alarms, {rows} rows");
}

#[test]
fn gaps_of_the_baseline_are_no_steps_and_no_time() {
    let learned = |gap_s: f64| {
        let mut detector = Detector::<4>::new(2, 1000).unwrap();
        let mut tank = Tank::new(12);
        let mut healthy = 0;
        for k in 0..2000 {
            let dt_s = if k == 500 { gap_s } else { 1.0 };
            let row = tank.row();
            let row = [row[1], row[2]].map(Some);
            let finding = detector.push(&row, dt_s);
            healthy += u32::from(finding.is_some_and(|f| f.health != Health::Outside));
        }
        (detector.false_alarms().unwrap().hours, healthy)
    };
    let ((hours, healthy), (with_gap, as_healthy)) = (learned(1.0), learned(864_000.0));
    assert!((with_gap / hours - 1.0).abs() < 1e-3, "{with_gap} {hours}");
    assert!(as_healthy > healthy - 50, "{as_healthy} {healthy}");
}

#[test]
fn an_alarm_ends_at_a_gap() {
    let mut detector = tank_detector(false);
    let mut tank = Tank::new(6);
    for k in 0..300 {
        let row = tank.row();
        let off = if (100..200).contains(&k) { 9.0 } else { 0.0 };
        let dt_s = if k == 200 { 86_400.0 } else { 1.0 };
        let finding = detector
            .push(&[Some(row[1]), Some(row[2] + off)], dt_s)
            .unwrap();
        assert!(k != 199 || finding.is_fault());
        assert!(!(200..260).contains(&k) || !finding.is_fault(), "row {k}");
    }
}

#[test]
fn rows_at_a_tenth_of_the_rate_and_slower_are_outside() {
    for dt_s in [9.9, 10.5, 60.0] {
        let mut detector = tank_detector(false);
        let mut tank = Tank::new(6);
        for k in 0..200 {
            let row = tank.row();
            let finding = detector.push(&[Some(row[1]), Some(row[2])], dt_s).unwrap();
            let is_known = finding.health == Health::Healthy && k >= 10;
            assert!(!is_known, "a step of {dt_s}: row {k}");
        }
    }
}

#[test]
fn codes_of_errors_in_the_baseline_are_reported() {
    let mut detector = Detector::<4>::new(2, 1000).unwrap();
    let mut tank = Tank::new(13);
    for k in 0..1000 {
        let row = tank.row();
        let other = if (300..305).contains(&k) {
            -9999.0
        } else {
            row[2]
        };
        detector.push(&[Some(row[1]), Some(other)], 1.0);
    }
    let found = detector.outliers()[0];
    assert_eq!(
        (found.channel, found.count, found.row, found.value),
        (1, 5, 300, -9999.0)
    );
}

#[test]
fn two_stretches_that_contradict_each_other_are_reported() {
    let mut detector = Detector::<4>::learning(2).unwrap();
    for factor in [1.0, 1000.0] {
        detector.begin_stretch();
        let mut tank = Tank::new(14);
        for _ in 0..1000 {
            let row = tank.row();
            detector.push(&[Some(factor * row[1]), Some(factor * row[2])], 1.0);
        }
    }
    assert!(detector.learn());
    assert!(detector.unlike().is_some());
}

#[test]
fn a_short_stretch_does_not_judge_the_others() {
    let thresholds = |short: bool| {
        let mut detector = Detector::<4>::learning(2).unwrap();
        let mut tank = Tank::new(15);
        for k in 0..5140 {
            if short && (k == 5000 || k == 5070) {
                detector.begin_stretch();
            }
            let row = tank.row();
            detector.push(&[Some(row[1]), Some(row[2])], 1.0);
        }
        assert!(detector.learn());
        detector.thresholds().unwrap()
    };
    for (with, without) in thresholds(true).into_iter().zip(thresholds(false)) {
        assert!(with < 1.5 * without, "{with} {without}");
    }
}

/// Three levels that are far apart from stretch to stretch, and as healthy in each.
fn stretches(detector: &mut Detector<2>, begin: bool) {
    for (seed, level) in [(1, 0.0), (2, 30.0), (3, -20.0)] {
        if begin {
            detector.begin_stretch();
        }
        let mut noise = Noise::new(seed);
        let mut x = 0.0;
        for _ in 0..400 {
            x = 0.9 * x + 0.44 * noise.normal();
            push(detector, &[level + x, 0.5 * x + 0.1 * noise.normal()]);
        }
    }
}

#[test]
fn a_step_between_stretches_is_no_step_of_the_machine() {
    let learned = |begin: bool| {
        let mut detector = Detector::<2>::learning(2).unwrap();
        stretches(&mut detector, begin);
        assert!(detector.learn());
        detector
    };
    let (apart, joined) = (learned(true), learned(false));
    let innovation = |detector: &Detector<2>| detector.thresholds().unwrap()[2];
    // The largest energy of 400 Gaussian innovations over a window of 10 rows; a jump of 30 deviations adds up to 25/10 of it.
    assert!(innovation(&apart) < 4.0, "{}", innovation(&apart));
    assert!(innovation(&joined) > 1.2 * innovation(&apart));
    assert_eq!(apart.warm_up(), Some(1200));
    let hours = apart.false_alarms().unwrap().hours;
    assert!((hours - 1200.0 / 3600.0).abs() < 1e-12, "{hours}");
}

#[test]
fn what_is_expected_is_the_mean_beside_the_others() {
    // Two channels of correlation rho in units of their own.
    let rho = 0.8_f64;
    let mut noise = Noise::new(4);
    let mut pair = || {
        let (x, e) = (noise.normal(), noise.normal());
        let y = rho * x + f64::sqrt(1.0 - rho * rho) * e;
        (x, [10.0 + 3.0 * x, -5.0 + 0.2 * y])
    };
    let mut detector = Detector::<2>::new(2, 4000).unwrap();
    for _ in 0..4000 {
        push(&mut detector, &pair().1);
    }
    // With the ridge of 0.1: E[y | x] = rho/1.1 x, and its error 1 - 2 rho^2/1.1 + rho^2/1.21 of the variance.
    let (slope, sd) = (rho / 1.1, 1.0 - 2.0 * rho * rho / 1.1 + rho * rho / 1.21);
    let mut within = 0;
    for _ in 0..1000 {
        let (x, row) = pair();
        push(&mut detector, &row);
        let expected = detector.expected(1).unwrap();
        let wanted = -5.0 + 0.2 * slope * x;
        assert!(
            (expected.value - wanted).abs() < 0.03,
            "{expected:?} {wanted}"
        );
        assert!(
            (expected.band / (0.6 * sd.sqrt()) - 1.0).abs() < 0.06,
            "{expected:?}"
        );
        within += u32::from((row[1] - expected.value).abs() < expected.band);
    }
    // 99.73 % of a Gaussian.
    assert!(within >= 990, "{within}");
    assert_eq!(detector.expected(7), None);
}

#[test]
fn a_wanted_rate_lowers_the_onset_where_the_baseline_supports_it() {
    let learned = |rate: Option<f64>| {
        let mut detector = Detector::<4>::new(3, 14_400).unwrap().with(Learning {
            inputs: vec![0],
            false_alarms_per_hour: rate,
            ..Learning::default()
        });
        let mut tank = Tank::new(9);
        for _ in 0..14_400 {
            push(&mut detector, &tank.row());
        }
        // Rows from its first alarm on are flagged later by a higher onset.
        let mut first = None;
        for k in 0..4000 {
            let mut row = tank.row();
            row[2] += 0.001 * f64::from(k);
            let finding = push(&mut detector, &row).unwrap();
            if finding.is_fault() {
                first = first.or(Some(k));
            }
        }
        (detector.false_alarms().unwrap(), first.unwrap())
    };
    let (none, late) = learned(None);
    let (few, early) = learned(Some(1.0));
    let (unsupported, same) = learned(Some(0.5));
    // Four hours, chi^2(0.95; 2)/2 = 2.996 alarms: one an hour is four alarms, one in two hours cannot be told from none.
    assert!((none.hours - 4.0).abs() < 1e-9 && none.alarms == 0);
    assert!(none.supports(0.75) && !none.supports(0.74));
    assert!(
        (none.per_hour_most() - 0.749).abs() < 0.01,
        "{}",
        none.per_hour_most()
    );
    assert!(few.alarms <= 4 && early <= late, "{few:?} {early} {late}");
    assert_eq!((unsupported.alarms, same), (0, late));
}

#[test]
fn stored_model_finds_the_same_to_the_last_bit() {
    let mut learned = Detector::<2>::learning(2).unwrap();
    stretches(&mut learned, true);
    assert!(learned.learn());
    let text = serde_json::to_string(learned.model().unwrap()).unwrap();
    let model: Model = serde_json::from_str(&text).unwrap();
    let mut restored = Detector::<2>::with_model(model).unwrap();
    let mut noise = Noise::new(11);
    for k in 0..300 {
        let row = [noise.normal() + f64::from(k / 100), noise.normal()];
        assert_eq!(push(&mut learned, &row), push(&mut restored, &row));
    }
}

#[test]
fn models_that_nothing_can_have_learned_are_refused() {
    let detector = tank_detector(true);
    let whole = serde_json::to_value(detector.model().unwrap()).unwrap();
    let refused = |value: serde_json::Value| {
        let model: Result<Model, _> = serde_json::from_value(value);
        model.is_ok_and(|model| Detector::<4>::with_model(model).is_err())
    };
    let (mut tried, mut paths) = (0, vec![String::new()]);
    // Each list shortened and lengthened, each number of a length changed.
    while let Some(path) = paths.pop() {
        match whole.pointer(&path).unwrap() {
            serde_json::Value::Object(fields) => {
                paths.extend(fields.keys().map(|key| format!("{path}/{key}")));
            }
            serde_json::Value::Array(items) if !path.ends_with("thresholds") => {
                if path.ends_with("switches")
                    || path.ends_with("absent")
                    || path.ends_with("unlike")
                {
                    continue;
                }
                for longer in [false, true] {
                    let mut items = items.clone();
                    let Some(last) = items.pop() else { continue };
                    if longer {
                        items.extend([last.clone(), last]);
                    }
                    let mut broken = whole.clone();
                    *broken.pointer_mut(&path).unwrap() = items.into();
                    assert!(refused(broken), "{path}");
                    tried += 1;
                }
            }
            serde_json::Value::Number(number)
                if number.is_u64() && !path.contains("false_alarms") =>
            {
                if path.ends_with("/rows") {
                    continue;
                }
                let mut broken = whole.clone();
                *broken.pointer_mut(&path).unwrap() = (number.as_u64().unwrap() + 1).into();
                assert!(refused(broken), "{path}");
                tried += 1;
            }
            _ => {}
        }
    }
    assert!(tried > 40, "{tried}");
    assert!(Detector::<1>::with_model(serde_json::from_value(whole).unwrap()).is_err());
}
