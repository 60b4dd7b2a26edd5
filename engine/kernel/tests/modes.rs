//! Witnesses of witnesses and of each other, on noise whose law is known; and the monitor, which
//! must say what its self-model says.

#![allow(
    clippy::disallowed_methods,
    reason = "a test compares with std, and its bounds are wider than last bits"
)]

use std::error::Error;

use becomingone_kernel::{Monitor, Mutual, Reflection, SelfModel, SelfModelConfig, Thresholds};
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64;
use rand_pcg::rand_core::SeedableRng;

type Checked = Result<(), Box<dyn Error>>;

const DT_S: f64 = 0.02;

struct Noise(Pcg64);

impl Noise {
    fn new(seed: u64) -> Self {
        Self(Pcg64::seed_from_u64(seed))
    }

    fn scalar(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }
}

#[test]
fn only_who_foresees_one_from_the_other_sees_that_they_part() -> Checked {
    // Both are AR(1) of the same law before and after; what ends at 2000 is that the second follows
    // the first.
    for seed in 0..5 {
        let mut noise = Noise::new(seed);
        let mut mutual = Mutual::<f64, 2, 1>::new(SelfModelConfig::default())?;
        let mut alone = SelfModel::<f64, 1, 0>::new(SelfModelConfig::default())?;
        let (mut x, mut own) = ([0.0; 2], 0.0);
        let (mut found, mut after, mut by_itself) = (None, 0, 0);
        for k in 0..2400 {
            x = x.map(|x| 0.7 * x + noise.scalar());
            own = 0.7 * own + noise.scalar();
            // 0.8^2 + 0.6^2 = 1: a mean of two AR(1) of the law of each.
            let led = if k < 2000 {
                0.8 * x[0] + 0.6 * x[1]
            } else {
                own
            };
            let second = led + 0.2 * noise.scalar();
            let said = mutual.push(&x.map(Some), &[Some(second)], DT_S);
            let lone = alone.push(&[Some(second)], &[], DT_S);
            let dissipated = said.of_second.is_some_and(|v| v.dissipated);
            if dissipated {
                found.get_or_insert(k);
            }
            after += u32::from(dissipated && k >= 2000);
            by_itself += u32::from(lone.is_some_and(|v| v.dissipated));
            assert_eq!(said.coherence.is_some(), k >= 400);
            let both = said.of_second.zip(said.of_first);
            let least = both.map(|(b, a)| b.coherence.min(a.coherence));
            assert_eq!(said.coherence, least);
        }
        assert_eq!(by_itself, 0, "{seed}");
        // Never before, soon after, and for a good part of the time from there on.
        assert!(
            found.is_some_and(|k| (2000..2050).contains(&k)),
            "{seed}: {found:?}"
        );
        assert!(after > 100, "{seed}: {after}");
    }
    Ok(())
}

#[test]
fn a_reflection_hears_what_is_below_every_threshold() -> Checked {
    // Thresholds that nothing here reaches: noise that grows by a half makes K2 and K3 2.25 times
    // what they were.
    let deaf = SelfModelConfig {
        thresholds: Some(Thresholds {
            k1: 0.99,
            k2: 40.0,
            k3: 40.0,
        }),
        ..SelfModelConfig::default()
    };
    for seed in 10..14 {
        let mut noise = Noise::new(seed);
        let mut model = SelfModel::<f64, 4, 0>::new(SelfModelConfig { outputs: 4, ..deaf })?;
        let config = SelfModelConfig {
            warm_up_samples: 1500,
            ..SelfModelConfig::default()
        };
        let mut reflection = Reflection::<f64, 2>::new(config)?;
        let (mut early, mut late, mut first) = (0, 0, 0);
        for k in 0..6000 {
            let sd = if k < 5000 { 1.0 } else { 1.5 };
            let x = [(); 4].map(|()| Some(sd * noise.scalar()));
            let verdict = model.push(&x, &[], DT_S);
            let [second, third] = reflection.push(verdict.as_ref(), DT_S);
            assert_eq!(second.is_some(), k >= 400 + 60 + 1500, "{k}");
            assert_eq!(third.is_some(), k >= 400 + 2 * (60 + 1500), "{k}");
            first += u32::from(verdict.is_some_and(|v| v.dissipated));
            let heard = second.is_some_and(|v| v.dissipated);
            early += u32::from(heard && k < 5000);
            late += u32::from(heard && k >= 5000);
        }
        assert_eq!((first, early), (0, 0), "{seed}");
        assert!(late > 500, "{seed}: {late}");
    }
    Ok(())
}

#[test]
fn a_monitor_says_what_its_self_model_says() -> Checked {
    let mut noise = Noise::new(20);
    let mut monitor = Monitor::<3>::new(2)?;
    let config = SelfModelConfig {
        outputs: 2,
        ..SelfModelConfig::default()
    };
    let mut model = SelfModel::<f64, 3, 0>::new(config)?;
    // Stamps of a clock that did not begin at zero, all of them exact.
    let mut t_s = 1e6;
    assert!(monitor.push(f64::NAN, &[1.0, 1.0]).is_none());
    for k in 0..600 {
        let x = [
            noise.scalar(),
            if k % 5 == 0 { f64::NAN } else { noise.scalar() },
        ];
        let said = monitor.push(t_s, &x);
        let law = model.push(
            &[Some(x[0]), Some(x[1]).filter(|x| !x.is_nan())],
            &[],
            0.03125,
        );
        assert_eq!(said, law, "{k}");
        assert_eq!(said.is_some(), k >= 400);
        // Before its time, or of no time: dropped, and the last verdict given again.
        for bad in [t_s, t_s - 1.0, f64::NAN, f64::INFINITY] {
            let again = monitor.push(bad, &[50.0, 50.0]);
            assert_eq!(again, if k == 0 { None } else { said });
        }
        t_s += 0.03125;
    }
    assert_eq!(monitor.model().counters().dropped, 4 * 600);
    assert_eq!(monitor.model().counters().broken, 0);
    monitor.rebaseline();
    assert!(monitor.push(t_s, &[0.0, 0.0]).is_none());
    assert!(Monitor::<3>::new(4).is_err() && Monitor::<3>::new(0).is_err());
    Ok(())
}
