//! [`Monitor`] used on its own: irregular stamps, missing or broken values, and any other content of a log. It
//! never panics, and counts unusable samples.

#![allow(
    clippy::disallowed_methods,
    reason = "a test compares with std, and its bounds are wider than last bits"
)]

use std::error::Error;

use becomingone_kernel::{ConfigError, Monitor, Verdict, WarmUpError};
use rand_distr::{Distribution, StandardNormal, StandardUniform};
use rand_pcg::Pcg64;
use rand_pcg::rand_core::SeedableRng;

type Checked = Result<(), Box<dyn Error>>;

struct Log {
    rng: Pcg64,
    t_s: f64,
    speed: f64,
}

impl Log {
    fn new(seed: u64) -> Self {
        Self {
            rng: Pcg64::seed_from_u64(seed),
            t_s: 1.7e9,
            speed: 0.0,
        }
    }

    fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.rng)
    }

    fn uniform(&mut self) -> f64 {
        StandardUniform.sample(&mut self.rng)
    }

    /// Three sensors of one quantity at a jittered stamp, one value in ten missing.
    fn next(&mut self) -> (f64, [f64; 3]) {
        self.t_s += 0.02 * (0.5 + self.uniform());
        self.speed = 0.9 * self.speed + 0.3 * self.normal();
        let mut values = [self.speed, -4.0 * self.speed, 100.0 + self.speed];
        for value in &mut values {
            *value += 0.2 * self.normal();
            if self.uniform() < 0.1 {
                *value = f64::NAN;
            }
        }
        (self.t_s, values)
    }
}

#[test]
fn five_lines_isolate_the_faulty_channel_in_an_irregular_log_with_gaps() -> Checked {
    let mut right = 0;
    for seed in 0..10 {
        let mut log = Log::new(seed);
        let mut monitor = Monitor::<3>::new(3)?;
        let (mut early, mut late, mut rightly) = (0, 0, 0);
        let mut first = None;
        for k in 0..3000 {
            let (t_s, mut values) = log.next();
            if k >= 2000 {
                // The third sensor drifts; its missing samples remain.
                values[2] += 2.0;
            }
            if let Some(verdict) = monitor
                .push(t_s, &values)
                .filter(|verdict| verdict.dissipated)
            {
                early += u32::from(k < 2000);
                first.get_or_insert((k, verdict.cause));
                late += u32::from(k >= 2000);
                rightly += u32::from(k >= 2000 && verdict.cause == Some(2));
            }
        }
        assert_eq!(early, 0, "{seed}");
        // Detected after some ten samples and isolated correctly; it stays so during the fault, except in one
        // log in ten, in which the others are isolated for their prediction from the third.
        let (k, cause) = first.ok_or("not found")?;
        assert!(k < 2015 && cause == Some(2), "{seed}: {k} {cause:?}");
        assert!(late > 980, "{seed}: {late}");
        right += u32::from(rightly * 2 > late);
        assert_eq!(monitor.model().counters().broken, 0);
    }
    assert!(right >= 9, "{right} of 10");
    Ok(())
}

#[test]
fn an_invalid_number_of_channels_is_refused_with_a_message() {
    let message = |refused: Option<ConfigError>| refused.map(|error| error.to_string());
    assert_eq!(
        message(Monitor::<4>::new(0).err()).as_deref(),
        Some("0 channels: must be 1 to 4")
    );
    assert_eq!(
        message(Monitor::<4>::new(5).err()).as_deref(),
        Some("5 channels: must be 1 to 4")
    );
    assert_eq!(
        message(Monitor::<0>::new(0).err()).as_deref(),
        Some("0 channels: must be 1 to 0")
    );
}

#[test]
fn invalid_stamps_are_counted_from_the_first_on() -> Checked {
    let mut monitor = Monitor::<3>::new(3)?;
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(monitor.push(bad, &[1.0; 3]), None);
    }
    assert_eq!(monitor.model().counters().dropped, 3);
    let mut log = Log::new(20);
    let mut last: Option<Verdict<f64, 3>> = None;
    for k in 0..600_u64 {
        let (t_s, values) = log.next();
        last = monitor.push(t_s, &values);
        assert_eq!(last.is_some(), k >= 400, "{k}");
        // Repeated, earlier, and NaN: dropped, and the last verdict stands.
        for bad in [t_s, t_s - 1e-3, f64::NAN, f64::INFINITY, -1e300] {
            assert_eq!(monitor.push(bad, &[1e6; 3]), last, "{k} {bad}");
        }
        assert_eq!(monitor.model().counters().dropped, 3 + 5 * (k + 1));
    }
    assert!(last.is_some_and(|verdict| !verdict.dissipated));
    Ok(())
}

#[test]
fn slices_of_any_length_and_values_of_any_size_are_accepted() -> Checked {
    let mut monitor = Monitor::<3>::new(3)?;
    let mut log = Log::new(21);
    for k in 0..900 {
        let (t_s, values) = log.next();
        let verdict = match k % 9 {
            _ if k < 500 => monitor.push(t_s, &values),
            0 => monitor.push(t_s, &[]),
            1 => monitor.push(t_s, &values[..1]),
            2 => monitor.push(t_s, &[values[0], values[1], values[2], 7.0, f64::NAN]),
            3 => monitor.push(t_s, &[f64::INFINITY, f64::NEG_INFINITY, 1e300]),
            _ => monitor.push(t_s, &values),
        };
        assert_eq!(verdict.is_some(), k >= 400);
        assert!(
            verdict.is_none_or(|v| !v.dissipated && v.k3.is_finite()),
            "{k}"
        );
    }
    // Three at a time; those that were NaN are missing, not broken.
    assert_eq!(monitor.model().counters().broken, 3 * 44);
    Ok(())
}

#[test]
fn a_pause_is_a_gap_and_no_surprise() -> Checked {
    let mut monitor = Monitor::<3>::new(3)?;
    let mut log = Log::new(22);
    for k in 0..1500 {
        let (t_s, values) = log.next();
        if k % 300 == 299 {
            log.t_s += 3600.0;
        }
        let verdict = monitor.push(t_s, &values);
        assert!(verdict.is_none_or(|verdict| !verdict.dissipated), "{k}");
    }
    assert_eq!(monitor.model().counters().gaps, 4);
    Ok(())
}

#[test]
fn constant_channels_are_reported_and_raise_an_alarm_once_they_move() -> Checked {
    let mut monitor = Monitor::<4>::new(4)?;
    let mut log = Log::new(23);
    for k in 0..1000 {
        let (t_s, [a, b, _]) = log.next();
        let stuck = if k < 900 { 5.0 } else { 105.0 };
        let verdict = monitor.push(t_s, &[a, b, stuck, f64::NAN]);
        if let Some(verdict) = verdict {
            assert!(verdict.blame[3] == 0.0);
            assert!(
                k >= 900 || (verdict.blame[2] == 0.0 && !verdict.dissipated),
                "{k}"
            );
            assert!(k < 910 || verdict.cause == Some(2), "{k}: {verdict:?}");
        }
    }
    assert_eq!(monitor.model().constant_channels().collect::<Vec<_>>(), [2]);
    assert_eq!(monitor.model().absent_channels().collect::<Vec<_>>(), [3]);
    // Constants alone are valid training data, too.
    let mut monitor = Monitor::<2>::new(2)?;
    for k in 0..500 {
        let verdict = monitor.push(f64::from(k), &[0.0, -3.0]);
        assert!(
            verdict.is_none_or(|v| v.surprise == 0.0 && v.coherence == 1.0),
            "{k}"
        );
    }
    assert_eq!(monitor.model().constant_channels().count(), 2);
    Ok(())
}

#[test]
fn a_log_that_ends_in_warm_up_has_no_verdict_and_an_empty_one_reports_the_error() -> Checked {
    let mut monitor = Monitor::<3>::new(3)?;
    let mut log = Log::new(24);
    for _ in 0..400 {
        let (t_s, values) = log.next();
        assert_eq!(monitor.push(t_s, &values), None);
    }
    // The first sample waits for the step of the second, so the 400th is the last of warm-up.
    assert!(monitor.model().is_trained() && monitor.model().verdict().is_none());
    let mut monitor = Monitor::<3>::new(3)?;
    for k in 0..399 {
        assert_eq!(monitor.push(f64::from(k), &[1.0; 3]), None);
    }
    assert!(!monitor.model().is_trained() && monitor.model().thresholds().is_none());
    let mut monitor = Monitor::<3>::new(3)?;
    for k in 0..500 {
        assert_eq!(monitor.push(f64::from(k), &[f64::NAN; 3]), None);
    }
    assert_eq!(monitor.warm_up_error(), Some(WarmUpError::Nothing));
    Ok(())
}

#[test]
fn a_new_baseline_accepts_a_clock_that_was_set_back() -> Checked {
    let mut monitor = Monitor::<3>::new(3)?;
    let mut log = Log::new(25);
    // One stamp in the far future, after which all others are in the past.
    monitor.push(1e18, &[0.0; 3]);
    for _ in 0..500 {
        let (t_s, values) = log.next();
        assert_eq!(monitor.push(t_s, &values), None);
    }
    assert_eq!(monitor.model().counters().dropped, 500);
    monitor.rebaseline();
    for k in 0..500 {
        let (t_s, values) = log.next();
        assert_eq!(monitor.push(t_s, &values).is_some(), k >= 400, "{k}");
    }
    assert_eq!(monitor.model().counters().rebaselines, 1);
    Ok(())
}
