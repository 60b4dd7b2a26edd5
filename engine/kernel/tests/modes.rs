//! Self-models of statistics and of another agent, on noise of a known law; and the monitor, with the verdicts
//! of its self-model.

#![allow(
    clippy::disallowed_methods,
    reason = "a test compares with std, and its bounds are wider than last bits"
)]

use std::error::Error;

use becomingone_kernel::{
    Monitor, Mutual, Reflection, SelfModel, SelfModelConfig, Thresholds, Trainer, Verdict,
};
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
fn only_mutual_prediction_detects_that_two_agents_diverge() -> Checked {
    // Both are AR(1) of the same law throughout; from 2000 on, the second no longer follows the first.
    for seed in 0..5 {
        let mut noise = Noise::new(seed);
        let mut mutual = Mutual::<f64, 2, 1>::new(SelfModelConfig::default())?;
        let mut alone = Trainer::<f64, 1, 0>::new(SelfModelConfig::default())?;
        let (mut x, mut own) = ([0.0; 2], 0.0);
        let (mut found, mut after, mut by_itself) = (None, 0, 0);
        for k in 0..2400 {
            x = x.map(|x| 0.7 * x + noise.scalar());
            own = 0.7 * own + noise.scalar();
            // 0.8^2 + 0.6^2 = 1: the weighted sum of two AR(1) has the law of each.
            let led = if k < 2000 {
                0.8 * x[0] + 0.6 * x[1]
            } else {
                own
            };
            let second = led + 0.2 * noise.scalar();
            let output = mutual.push(&x.map(Some), &[Some(second)], DT_S);
            let lone = alone.push(&[Some(second)], &[], DT_S);
            let dissipated = output.of_second.is_some_and(|v| v.dissipated);
            if dissipated {
                found.get_or_insert(k);
            }
            after += u32::from(dissipated && k >= 2000);
            by_itself += u32::from(lone.is_some_and(|v| v.dissipated));
            assert_eq!(output.coherence.is_some(), k >= 400);
            let both = output.of_second.zip(output.of_first);
            let least = both.map(|(b, a)| b.coherence.min(a.coherence));
            assert_eq!(output.coherence, least);
        }
        assert_eq!(by_itself, 0, "{seed}");
        // No alarm before, one soon after, and for a good part of the time from there on.
        assert!(
            found.is_some_and(|k| (2000..2050).contains(&k)),
            "{seed}: {found:?}"
        );
        assert!(after > 100, "{seed}: {after}");
    }
    Ok(())
}

#[test]
fn a_reflection_detects_a_change_below_every_threshold() -> Checked {
    // Thresholds that nothing here reaches: noise that grows by a half makes K2 and K3 2.25 times as large.
    let high_thresholds = SelfModelConfig {
        thresholds: Some(Thresholds {
            k1: 0.99,
            k2: 40.0,
            k3: 40.0,
        }),
        ..SelfModelConfig::default()
    };
    for seed in 10..14 {
        let mut noise = Noise::new(seed);
        let mut model = Trainer::<f64, 4, 0>::new(SelfModelConfig {
            outputs: 4,
            ..high_thresholds
        })?;
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
            let detected = second.is_some_and(|v| v.dissipated);
            early += u32::from(detected && k < 5000);
            late += u32::from(detected && k >= 5000);
        }
        assert_eq!((first, early), (0, 0), "{seed}");
        assert!(late > 500, "{seed}: {late}");
    }
    Ok(())
}

/// A healthy sample of three channels with a common part.
fn three(noise: &mut Noise, state: &mut f64) -> [f64; 3] {
    *state = 0.8 * *state + 0.6 * noise.scalar();
    [*state, -2.0 * *state, 0.5 * *state].map(|x| x + 0.3 * noise.scalar())
}

#[test]
fn only_integrating_adapts_the_witness() -> Checked {
    for (offset_rate, stays) in [(0.0, true), (0.02, false)] {
        let mut noise = Noise::new(30);
        let mut state = 0.0;
        let mut model = Trainer::<f64, 3, 0>::new(SelfModelConfig {
            outputs: 3,
            offset_rate,
            ..SelfModelConfig::default()
        })?;
        for _ in 0..1000 {
            model.push(&three(&mut noise, &mut state).map(Some), &[], DT_S);
        }
        // A shift below every threshold, on one of two.
        let mut other = model.clone();
        for _ in 0..300 {
            let x = three(&mut noise, &mut state);
            model.push(&x.map(|x| Some(x + 0.15)), &[], DT_S);
            other.push(&x.map(Some), &[], DT_S);
        }
        // The shift has left all windows: 600 samples are 30 of the longest but Master's, which has 20.
        let mut apart = 0.0_f64;
        for k in 0..900 {
            let x = three(&mut noise, &mut state).map(Some);
            let both = [&mut model, &mut other].map(|m| m.push(&x, &[], DT_S));
            let (a, b) = both[0].zip(both[1]).ok_or("no verdict")?;
            if k >= 600 && stays {
                assert!((a.k2 - b.k2).abs() + (a.k3 - b.k3).abs() < 1e-8, "{k}");
                assert!((a.surprise - b.surprise).abs() < 1e-8, "{k}");
            }
            if k < 100 {
                apart = apart.max((a.k2 - b.k2).abs());
            }
        }
        assert!(apart > 0.1, "{apart}");
    }
    Ok(())
}

#[test]
fn integrating_follows_a_slow_change_at_the_offset_rate() -> Checked {
    // The level of white noise does not predict the next sample, so a shift by m leaves innovations of m, and
    // the offset adapts to these: m (1 - rate)^k is left. K2 has mean 1 + (2 - a)/a m_k^2 then, with m_k the
    // window's mean of that.
    let (rate, m, runs) = (0.004, 0.5, 300);
    let mut found = [0.0; 2];
    for seed in 0..runs {
        let mut noise = Noise::new(1000 + seed);
        let mut model = Trainer::<f64, 1, 0>::new(SelfModelConfig {
            warm_up_samples: 4000,
            // Thresholds so high that surprise stays low.
            thresholds: Some(Thresholds {
                k1: 0.99,
                k2: 1e3,
                k3: 1e3,
            }),
            offset_rate: rate,
            ..SelfModelConfig::default()
        })?;
        for k in 0..4400 {
            let x = noise.scalar() + if k >= 4000 { m } else { 0.0 };
            let verdict = model.push(&[Some(x)], &[], DT_S);
            for (found, at) in found.iter_mut().zip([4100, 4399]) {
                if k == at {
                    *found += verdict.ok_or("no verdict")?.k2 / runs as f64;
                }
            }
        }
    }
    let a = -(-1.0_f64 / 20.0).exp_m1();
    for (found, after) in found.into_iter().zip([101, 400]) {
        let left = |i: i32| m * (1.0 - rate).powi(i);
        let mean: f64 = (0..after)
            .map(|i| a * (1.0 - a).powi(after - 1 - i) * left(i))
            .sum();
        let law = 1.0 + (2.0 - a) / a * mean * mean;
        // K2 of one channel has variance 2 + 4 (law - 1).
        let error = ((2.0 + 4.0 * (law - 1.0)) / runs as f64).sqrt();
        assert!(
            (found - law).abs() < 4.0 * error + 0.1,
            "{after}: {found} {law}"
        );
    }
    Ok(())
}

#[test]
fn a_reflection_is_a_self_model_of_the_verdicts_below() -> Checked {
    const DEPTH: usize = 3;
    let config = SelfModelConfig {
        warm_up_samples: 100,
        ..SelfModelConfig::default()
    };
    let mut noise = Noise::new(31);
    let mut state = 0.0;
    let mut model = Trainer::<f64, 3, 0>::new(SelfModelConfig {
        outputs: 3,
        ..config
    })?;
    let mut reflection = Reflection::<f64, DEPTH>::new(config)?;
    let by_hand = SelfModelConfig {
        outputs: 3,
        thresholds: Some(Thresholds::null(3)),
        ..config
    };
    let mut chain = [(); DEPTH].map(|()| Trainer::<f64, 3, 0>::new(by_hand));
    let mut shown = [0; DEPTH];
    for k in 0..1200 {
        let verdict = model.push(&three(&mut noise, &mut state).map(Some), &[], DT_S);
        let output = reflection.push(verdict.as_ref(), DT_S);
        let mut below = verdict;
        for depth in 0..DEPTH {
            // The first sixty verdicts at each depth are skipped, while its windows fill.
            shown[depth] += usize::from(below.is_some());
            let seen = below.filter(|_| shown[depth] > 60);
            let channels = seen.map(|v: Verdict<f64, 3>| {
                let t = v.t_emissary.zip(v.t_master);
                [
                    t.map(|(e, m)| (e + m) / 2.0),
                    Some(v.k2.ln()),
                    Some(v.k3.ln()),
                ]
            });
            let witness = chain[depth].as_mut().map_err(|error| error.to_string())?;
            below = channels.and_then(|x| witness.push(&x, &[], DT_S));
            let near = match (below, output[depth]) {
                (Some(a), Some(b)) => {
                    let off =
                        (a.k2 - b.k2).abs() + (a.k3 - b.k3).abs() + (a.surprise - b.surprise).abs();
                    off < 1e-9 * (1.0 + a.k2 + a.k3)
                }
                (None, None) => true,
                _ => false,
            };
            assert!(near, "{k}, depth {depth}: {below:?} {:?}", output[depth]);
        }
    }
    assert!(
        reflection
            .witness(DEPTH - 1)
            .is_some_and(SelfModel::is_trained)
    );
    assert!(reflection.witness(DEPTH).is_none());
    Ok(())
}

#[test]
fn mutual_is_symmetric_and_equals_two_single_witnesses() -> Checked {
    let mut noise = Noise::new(32);
    let mut state = 0.0;
    let config = SelfModelConfig::default();
    let mut mutual = Mutual::<f64, 1, 2>::new(config)?;
    let mut swapped = Mutual::<f64, 2, 1>::new(config)?;
    // One witness by itself on the other's channels.
    let mut other = Trainer::<f64, 2, 1>::new(SelfModelConfig {
        outputs: 2,
        inputs: 1,
        ..config
    })?;
    let (mut causes, mut after) = ([0; 2], 0);
    for k in 0..1200 {
        let [a, b, mut c] = three(&mut noise, &mut state);
        if k >= 1000 {
            // One channel of the second freezes.
            c = 0.4;
        }
        let output = mutual.push(&[Some(a)], &[Some(b), Some(c)], DT_S);
        let mirror = swapped.push(&[Some(b), Some(c)], &[Some(a)], DT_S);
        assert_eq!(
            (output.of_second, output.of_first),
            (mirror.of_first, mirror.of_second),
            "{k}"
        );
        assert_eq!(output.coherence, mirror.coherence);
        assert_eq!(
            other.push(&[Some(b), Some(c)], &[Some(a)], DT_S),
            output.of_second,
            "{k}"
        );
        if let Some(verdict) = output.of_second.filter(|v| v.dissipated) {
            after += 1;
            if let Some(n) = verdict.cause {
                causes[n] += 1;
            }
        }
    }
    assert_eq!(mutual.of_second(), other.model());
    // Each witness isolates the faulty channel of the other agent.
    assert!(
        after > 30 && causes[1] * 10 > after * 9,
        "{after} {causes:?}"
    );
    Ok(())
}

#[test]
fn own_channels_as_inputs_improve_the_prediction_of_another_agent() -> Checked {
    // The second repeats the first with a delay of one tick: by itself it is white noise of variance 1.04; from
    // the first, all but 0.04 of that is predictable. A tenth of a deviation off is then half of the
    // unpredictable part.
    let mut noise = Noise::new(33);
    let mut watches = Trainer::<f64, 1, 1>::new(SelfModelConfig {
        inputs: 1,
        ..SelfModelConfig::default()
    })?;
    let mut alone = Trainer::<f64, 1, 0>::new(SelfModelConfig::default())?;
    let (mut before, mut k2, mut count) = (0.0, [0.0; 2], 0.0);
    for k in 0..2400 {
        let now = noise.scalar();
        let shift = if k >= 1400 { 0.4 } else { 0.0 };
        let second = before + 0.2 * noise.scalar() + shift;
        let output = [
            watches.push(&[Some(second)], &[Some(before)], DT_S),
            alone.push(&[Some(second)], &[], DT_S),
        ];
        if k >= 1500 {
            count += 1.0;
            for (k2, output) in k2.iter_mut().zip(output) {
                *k2 += output.ok_or("no verdict")?.k2;
            }
        }
        before = now;
    }
    // 1 + (2 - a)/a m^2, m = 0.4 over the deviation of the unpredicted part: 0.2 and 1.02.
    let a = -(-1.0_f64 / 20.0).exp_m1();
    for (k2, deviation) in k2.into_iter().zip([0.2_f64, 1.04_f64.sqrt()]) {
        let law = 1.0 + (2.0 - a) / a * (0.4 / deviation).powi(2);
        assert!(
            (k2 / count / law - 1.0).abs() < 0.25,
            "{}: {law}",
            k2 / count
        );
    }
    Ok(())
}

#[test]
fn a_monitor_gives_the_verdicts_of_its_self_model() -> Checked {
    let mut noise = Noise::new(20);
    let mut monitor = Monitor::<3>::new(2)?;
    let config = SelfModelConfig {
        outputs: 2,
        ..SelfModelConfig::default()
    };
    let mut model = Trainer::<f64, 3, 0>::new(config)?;
    // Stamps of a clock that did not start at zero, all of them exact.
    let mut t_s = 1e6;
    assert!(monitor.push(f64::NAN, &[1.0, 1.0]).is_none());
    for k in 0..600 {
        let x = [
            noise.scalar(),
            if k % 5 == 0 { f64::NAN } else { noise.scalar() },
        ];
        let output = monitor.push(t_s, &x);
        let law = model.push(
            &[Some(x[0]), Some(x[1]).filter(|x| !x.is_nan())],
            &[],
            0.03125,
        );
        assert_eq!(output, law, "{k}");
        assert_eq!(output.is_some(), k >= 400);
        // Before its time, or NaN: dropped, and the last verdict returned again.
        for bad in [t_s, t_s - 1.0, f64::NAN, f64::INFINITY] {
            let again = monitor.push(bad, &[50.0, 50.0]);
            assert_eq!(again, if k == 0 { None } else { output });
        }
        t_s += 0.03125;
    }
    assert_eq!(monitor.model().counters().dropped, 1 + 4 * 600);
    assert_eq!(monitor.model().counters().broken, 0);
    monitor.rebaseline();
    assert!(monitor.push(t_s, &[0.0, 0.0]).is_none());
    assert!(Monitor::<3>::new(4).is_err() && Monitor::<3>::new(0).is_err());
    Ok(())
}
