//! Every public type of the kernel under calls in any order with numbers of any size: no panic, every output
//! within its bounds, and no NaN stays in a state.
//!
//! `any_bits.rs` pushes arbitrary bits at a few long-lived instances, and the other files at one type each.
//! Here configurations are arbitrary too, numbers include edge cases (zeros, the smallest, the largest, just
//! below one), missing values come in runs, and instances are reset, saved, and queried for entries that they
//! do not have.

#![allow(
    clippy::disallowed_methods,
    reason = "a test compares with std, and its bounds are wider than last bits"
)]

use becomingone_kernel::{
    AgeOctaves, Alarm, Band, Binned, Bins, Blend, BlendConfig, Complex, ConfigError, Covered,
    Feeder, Kuramoto, Monitor, PhaseVelocity, Pyramid, PyramidConfig, Reading, Real, Resonance,
    ResonanceConfig, Role, SelfModelConfig, Signature, Standard, Synchrony, SynchronyConfig,
    Thresholds, Trainer, Transducer, Verdict, encode_angle, lorentzian_quantile, mean_field,
    turned, uniform_critical, uniform_order, uniform_quantile,
};
#[cfg(feature = "extras")]
use becomingone_kernel::{Mutual, ParameterWitness, Reflection, StateWitness};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

/// Proptest keeps a failing seed in `any_calls.regressions`, beside this file.
fn kept() -> ProptestConfig {
    let file = FileFailurePersistence::WithSource("regressions");
    ProptestConfig {
        failure_persistence: Some(Box::new(file)),
        ..ProptestConfig::default()
    }
}

/// Edge-case numbers, and healthy ones.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -2.0..2.0_f64,
        2 => prop::sample::select(vec![
            0.0, -0.0, 1.0, -1.0, 0.5, 1.0 + f64::EPSILON, 1e-300, -1e-300, 1e300, -1e300, 1e18, 1e-18, 1e38, 1e-38,
            5e-324, f64::MIN_POSITIVE, f64::MAX, f64::MIN, f64::NAN, f64::INFINITY, f64::NEG_INFINITY,
        ]),
        1 => any::<u64>().prop_map(f64::from_bits),
    ]
}

/// Time steps: mostly one value.
fn step() -> impl Strategy<Value = f64> {
    prop_oneof![5 => Just(0.02), 1 => number()]
}

fn maybe() -> impl Strategy<Value = Option<f64>> {
    prop::option::weighted(0.8, number())
}

fn z<R: Real>([re, im]: [f64; 2]) -> Complex<R> {
    Complex::new(R::of(re), R::of(im))
}

/// NaN does not equal itself.
fn whole<T: PartialEq>(state: &T) -> bool {
    let itself = state;
    state == itself
}

fn unit(x: f64) -> bool {
    (0.0..=1.0 + 1e-6).contains(&x)
}

fn sound<R: Real, const N: usize>(verdict: Option<&Verdict<R, N>>) -> bool {
    let wide = |x: R| -> f64 { x.into() };
    verdict.is_none_or(|v| {
        let blame: f64 = v.blame.iter().map(|&b| wide(b)).sum();
        v.k1.is_none_or(|k| unit(wide(k)))
            && wide(v.k2) >= 0.0
            && wide(v.k3) >= 0.0
            && wide(v.surprise) >= 0.0
            && unit(wide(v.coherence))
            && v.delta.is_none_or(|delta| unit(wide(delta)))
            && (blame == 0.0 || (blame - 1.0).abs() < 1e-4)
            && v.cause.is_none_or(|cause| cause < N)
    })
}

/// A configuration of a self-model, mostly within range, as others are refused.
fn self_model_config() -> impl Strategy<Value = SelfModelConfig<f64>> {
    let plain = |good: f64| prop_oneof![3 => Just(good), 1 => number()];
    (
        (
            0..5_usize,
            0..4_usize,
            prop_oneof![4 => Just(64_u32), 1 => 0..100_u32],
        ),
        prop::option::weighted(0.3, (number(), number(), number())),
        (plain(2.0), plain(0.8), plain(10.0), plain(1.0), plain(0.0)),
        prop::option::weighted(0.3, number()),
        (
            prop_oneof![3 => Just(3_u32), 1 => any::<u32>()],
            prop_oneof![3 => Just(5_u32), 1 => any::<u32>()],
        ),
    )
        .prop_map(
            |((outputs, inputs, warm_up_samples), thresholds, numbers, reach, ticks)| {
                let (threshold_factor, release, max_gap_steps, ridge, offset_rate) = numbers;
                SelfModelConfig {
                    outputs,
                    inputs,
                    warm_up_samples,
                    thresholds: thresholds.map(|(k1, k2, k3)| Thresholds { k1, k2, k3 }),
                    threshold_factor,
                    release,
                    dwell_ticks: ticks.0,
                    release_ticks: ticks.1,
                    max_gap_steps,
                    reach,
                    ridge,
                    offset_rate,
                }
            },
        )
}

/// The same in another float.
fn narrowed(c: &SelfModelConfig<f64>) -> SelfModelConfig<f32> {
    let of = <f32 as Real>::of;
    SelfModelConfig {
        outputs: c.outputs,
        inputs: c.inputs,
        warm_up_samples: c.warm_up_samples,
        thresholds: c.thresholds.map(|t| Thresholds {
            k1: of(t.k1),
            k2: of(t.k2),
            k3: of(t.k3),
        }),
        threshold_factor: of(c.threshold_factor),
        release: of(c.release),
        dwell_ticks: c.dwell_ticks,
        release_ticks: c.release_ticks,
        max_gap_steps: of(c.max_gap_steps),
        reach: c.reach.map(of),
        ridge: of(c.ridge),
        offset_rate: of(c.offset_rate),
    }
}

#[test]
fn regressions_found_by_random_calls() -> Result<(), ConfigError> {
    // Weights beyond the active channels were kept, NaN included, and a resonance did not equal itself.
    let mut config = ResonanceConfig::<f64, 3, 1>::new(2, 1.0, [1]);
    config.weights[2] = f64::NAN;
    assert!(whole(&Resonance::<f64, 3, 1, 2>::new(config)?));
    // A window of zero length, in which a gap of no block left NaN.
    for (window_lags, usable) in [(5e-324, false), (1e-300, true)] {
        let mut config = PyramidConfig::<f64, 1>::new(1, 0.01);
        config.window_lags = window_lags;
        let pyramid = Pyramid::<f64, 1, 4, 3>::new(config);
        let refused = pyramid.as_ref().err().copied();
        let law = ConfigError::WindowLags { window_lags };
        assert_eq!(refused, (!usable).then_some(law));
        if let Ok(mut pyramid) = pyramid {
            pyramid.pass(9);
            pyramid.pass(u64::MAX);
            assert!(whole(&pyramid));
        }
    }
    Ok(())
}

#[cfg(feature = "extras")]
#[test]
fn an_extreme_spectrum_gives_a_factor_of_one_or_an_error() -> Result<(), ConfigError> {
    // kappa = infinity gave q = NaN; q is 1 there to the last bit, and the distance has no bound.
    let flat = ParameterWitness::<f64, 1>::new(5e-324, 0.0, 1.0)?;
    assert_eq!((flat.factor(), flat.distance(1.0)), (1.0, f64::INFINITY));
    for beyond in [f64::MAX, 5e-324] {
        let refused = ParameterWitness::<f64, 1>::new(beyond, 0.0, beyond).err();
        assert!(
            matches!(refused, Some(ConfigError::SelfModel { .. })),
            "{beyond}"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(kept())]

    #[test]
    fn resonances_of_any_configuration(
        channels in 0..4_usize, lags in prop::array::uniform3(0..6_usize),
        fields in prop::array::uniform3(prop_oneof![2 => Just(1.0), 1 => number()]),
        weights in prop::array::uniform3(prop_oneof![3 => Just(1.0), 1 => number()]),
        calls in prop::collection::vec((prop::collection::vec(prop::option::weighted(0.8, [number(), number()]), 0..5), step(), 0..40_u8), 0..150),
    ) {
        let config = ResonanceConfig::<f64, 3, 3> {
            channels, window_s: fields[0], lags, nu_rad_s: fields[1], weights, max_gap_s: fields[2],
        };
        prop_assert!(Resonance::<f64, 3, 3, 0>::new(config.clone()).is_err());
        let Ok(mut resonance) = Resonance::<f64, 3, 3, 5>::new(config) else { return Ok(()) };
        let mut single = Resonance::<f32, 3, 3, 5>::new(ResonanceConfig::new(channels, 0.5, [0, 1, 4]))?;
        let mut velocity = PhaseVelocity::<f64, 3>::new(channels)?;
        let mut emissary = Transducer::<f64, 3, 3, 5>::new(Role::Emissary, channels, [1, 2, 4])?;
        let mut synchrony = Synchrony::new(SynchronyConfig::default())?;
        let mut before: Option<Signature<f64, 3, 3>> = None;
        for (phi, dt_s, kind) in calls {
            let phi: Vec<Option<Complex<f64>>> = phi.into_iter().map(|p| p.map(z)).collect();
            let narrow: Vec<Option<Complex<f32>>> =
                phi.iter().map(|p| p.map(|p| z([p.re, p.im]))).collect();
            let d = velocity.push(&phi, dt_s);
            prop_assert_eq!(d.len(), channels);
            emissary.push(d, dt_s);
            resonance.push(if kind % 2 == 0 { d } else { &phi }, dt_s);
            single.push(&narrow, <f32 as Real>::of(dt_s));
            match kind {
                38 => { resonance.reset(); emissary.reset(); synchrony.reset(); }
                39 => single.reset(),
                _ => {}
            }
            for lag in 0..4 {
                prop_assert!(resonance.t(lag).is_none_or(|t| t.norm_sqr() <= 1.0));
                prop_assert!(single.t(lag).is_none_or(|t| t.norm_sqr() <= 1.0));
                prop_assert_eq!(resonance.n_eff(lag).is_some(), lag < 3);
            }
            prop_assert!(resonance.order().is_none_or(unit));
            prop_assert!(resonance.mean_re().is_none_or(|t| (-1.0..=1.0).contains(&t)));
            let report = synchrony.update(emissary.reading(), emissary.reading());
            prop_assert!(report.delta.is_none_or(|delta| delta == 0.0));
            let signature = Signature::of(&phi, &emissary, &emissary);
            if let Some(before) = before {
                prop_assert!(unit(signature.distance(&before)));
            }
            before = Some(signature);
        }
        prop_assert!(whole(&resonance) && whole(&single) && whole(&velocity) && whole(&emissary));
    }

    #[test]
    fn synchronies_of_any_configuration(
        theta in number(), collapse in prop_oneof![Just(0.8), number()], release in prop_oneof![Just(0.9), number()], dwell_ticks in 0..4_u32,
        readings in prop::collection::vec(prop::array::uniform2(prop::option::of((number(), [number(), number()]))), 0..60),
    ) {
        let Ok(mut synchrony) = Synchrony::new(SynchronyConfig { theta, collapse, release, dwell_ticks }) else {
            return Ok(());
        };
        for pair in readings {
            let [e, m] = pair.map(|reading| reading.map(|(order, t)| Reading { order, t: z(t) }));
            let report = synchrony.update(e, m);
            prop_assert!(!(report.aligned && report.apart));
            prop_assert!(report.delta.is_none_or(|delta| delta >= 0.0 && delta.is_finite()));
            prop_assert!(report.t_sync.is_none_or(|t| !t.is_nan()));
            prop_assert_eq!(report.collapsed, synchrony.collapsed());
        }
    }

    #[test]
    fn pyramids_and_bands_of_any_configuration(
        channels in 0..4_usize, base in prop_oneof![2 => Just(0.01), 1 => number()], window_lags in prop_oneof![2 => Just(2.0), 1 => number()],
        window in prop_oneof![2 => Just(0.0), 1 => number()], weights in prop::array::uniform3(prop_oneof![3 => Just(1.0), 1 => number()]),
        haar: bool, band in [number(), number()],
        calls in prop::collection::vec((prop::collection::vec(([number(), number()], prop_oneof![Just(1.0), number()]), 0..5), number(), any::<u64>(), 0..60_u8), 0..150),
    ) {
        let config = PyramidConfig::<f64, 3> {
            channels, base_s: base, feeder: if haar { Feeder::Haar } else { Feeder::Levels },
            window_lags, window_s: window, weights,
        };
        let Ok(mut pyramid) = Pyramid::<f64, 3, 1, 40>::new(config.clone()) else { return Ok(()) };
        let mut flat = Pyramid::<f64, 3, 3, 1>::new(config)?;
        let band = Band::new(Role::Master, band[0].abs(), band[1].abs());
        for (cells, tau_s, many, kind) in calls {
            let cells: Vec<Covered<f64>> = cells.into_iter().map(|(value, weight)| Covered { value: z(value), weight }).collect();
            let phi: Vec<_> = cells.iter().map(|cell| Some(cell.value)).collect();
            match kind {
                0 => pyramid.reset(),
                1 => pyramid.pass(many),
                2 => pyramid.pass(many % 1000),
                3..30 => { pyramid.push_covered(&cells); flat.push_covered(&cells); }
                _ => { pyramid.push(&phi); flat.push(&phi); }
            }
            for pyramid_t in [pyramid.t(tau_s), pyramid.t(base * f64::from(kind)), pyramid.t_at(usize::from(kind), 1), pyramid.t_at(0, usize::from(kind)), flat.t(tau_s)] {
                prop_assert!(pyramid_t.is_none_or(|t| t.norm() <= 1.0 + 1e-9));
            }
            prop_assert!(pyramid.n_eff(usize::from(kind), 2).is_none_or(|n| n >= 0.0 && n.is_finite()));
            if let Ok(band) = band {
                prop_assert!(band.reading(&pyramid).is_none_or(|reading| unit(reading.order)));
            }
        }
        prop_assert!(whole(&pyramid) && whole(&flat));
    }

    #[test]
    fn bins_of_any_stamps(
        channels in 0..4_usize, bin_ns in prop_oneof![Just(1_u64), Just(1000), any::<u64>()], hold in 0..50_u64,
        calls in prop::collection::vec((prop::collection::vec(prop::option::weighted(0.7, [number(), number()]), 0..5), prop_oneof![8 => 0..5000_u64, 1 => any::<u64>(), 1 => Just(u64::MAX)], any::<bool>()), 0..60),
    ) {
        let Ok(mut bins) = Bins::<f64, 3>::new(channels, bin_ns, bin_ns.saturating_mul(hold)) else { return Ok(()) };
        let mut now = 0_u64;
        for (phi, step, onward) in calls {
            now = if onward { now.saturating_add(step) } else { step };
            let phi: Vec<Option<Complex<f64>>> = phi.into_iter().map(|p| p.map(z)).collect();
            let mut good = true;
            bins.push(now, &phi, |bin| good &= match bin {
                Binned::Bin(cells) => cells.len() == channels
                    && cells.iter().all(|cell| unit(cell.weight) && cell.value.norm_sqr().is_finite())
                    && cells.iter().any(|cell| cell.weight > 0.0),
                Binned::Gap { bins } => bins > 0,
            });
            prop_assert!(good);
        }
        prop_assert!(whole(&bins));
    }

    #[test]
    fn self_models_of_any_configuration(
        config in self_model_config(),
        calls in prop::collection::vec((prop::collection::vec(maybe(), 0..6), prop::collection::vec(maybe(), 0..4), step(), 0..200_u8), 0..400),
    ) {
        let Ok(mut trainer) = Trainer::<f64, 3, 2>::new(config) else { return Ok(()) };
        let mut single = Trainer::<f32, 3, 2>::new(narrowed(&config)).ok();
        let mut trained = None;
        for (outputs, inputs, dt_s, kind) in calls {
            let verdict = trainer.push(&outputs, &inputs, dt_s);
            prop_assert!(sound(verdict.as_ref()), "{verdict:?}");
            let narrow = |all: &[Option<f64>]| -> Vec<Option<f32>> { all.iter().map(|x| x.map(<f32 as Real>::of)).collect() };
            if let Some(single) = &mut single {
                let verdict = single.push(&narrow(&outputs), &narrow(&inputs), <f32 as Real>::of(dt_s));
                prop_assert!(sound(verdict.as_ref()), "{verdict:?}");
            }
            match kind {
                0 => trainer.rebaseline(),
                1 => trainer.reset(),
                2 => trained = trainer.trained::<f64>(),
                _ => {}
            }
            if let Some(trained) = &mut trained {
                prop_assert!(sound(trained.push(&outputs, &inputs, dt_s).as_ref()));
                prop_assert!(whole(trained));
            }
            prop_assert!(trainer.model().constant_channels().chain(trainer.model().absent_channels()).all(|n| n < 3));
        }
        prop_assert!(whole(&trainer) && whole(&single));
    }

    #[cfg(feature = "extras")]
    #[test]
    fn modes_of_any_configuration(
        config in self_model_config(),
        calls in prop::collection::vec((prop::collection::vec(maybe(), 0..4), prop::collection::vec(maybe(), 0..4), step()), 0..300),
    ) {
        let (mutual, reflection) = (Mutual::<f64, 2, 1>::new(config), Reflection::<f64, 2>::new(config));
        let (Ok(mut mutual), Ok(mut reflection)) = (mutual, reflection) else { return Ok(()) };
        let mut none = Reflection::<f64, 0>::new(config)?;
        for (first, second, dt_s) in calls {
            let of_both = mutual.push(&first, &second, dt_s);
            prop_assert!(sound(of_both.of_first.as_ref()) && sound(of_both.of_second.as_ref()));
            prop_assert!(of_both.coherence.is_none_or(unit));
            for deeper in reflection.push(of_both.of_first.as_ref(), dt_s) {
                prop_assert!(sound(deeper.as_ref()));
            }
            prop_assert_eq!(none.push(of_both.of_first.as_ref(), dt_s), []);
        }
        prop_assert!(whole(&mutual) && whole(&reflection));
    }

    #[test]
    fn monitors_of_any_log(
        channels in 0..5_usize,
        calls in prop::collection::vec((prop::collection::vec(number(), 0..6), prop_oneof![9 => 0.0..0.1_f64, 1 => number()], 0..300_u16), 0..700),
    ) {
        let Ok(mut monitor) = Monitor::<4>::new(channels) else {
            prop_assert_eq!(channels, 0);
            return Ok(());
        };
        let mut t_s = 0.0;
        for (values, step, kind) in calls {
            if kind == 0 {
                monitor.rebaseline();
            }
            t_s = if kind == 1 || !f64::is_finite(t_s + step) { step } else { t_s + step };
            prop_assert!(sound(monitor.push(t_s, &values).as_ref()));
        }
        prop_assert!(whole(&monitor));
    }

    #[test]
    fn alarms_and_thresholds_of_anything(
        release in number(), dwell: u32, back: u32, surprises in prop::collection::vec(number(), 0..40), channels: usize,
    ) {
        let mut alarm = Alarm::new(release, dwell, back);
        let mut before = false;
        for surprise in surprises {
            let now = alarm.update(surprise);
            // It never begins at a tick without surprise.
            prop_assert!(before || !now || surprise > 1.0 || dwell == 0);
            before = now;
        }
        let null = Thresholds::<f64>::null(channels);
        prop_assert!([null.k1, null.k2, null.k3].iter().all(|&k| k > 0.0 && k.is_finite()));
        let single = Thresholds::<f32>::null(channels);
        prop_assert!([single.k1, single.k2, single.k3].iter().all(|&k| k > 0.0 && k.is_finite()));
    }

    #[cfg(feature = "extras")]
    #[test]
    fn fixed_points_of_anything(
        time_s in prop_oneof![Just(1.0), number()], fields in [number(), number(), number()],
        calls in prop::collection::vec((prop::array::uniform2(number()), step(), prop::array::uniform4(number())), 0..60),
    ) {
        if let Ok(mut state) = StateWitness::<f64, 2>::new(time_s) {
            for (x, dt_s, _) in &calls {
                state.push(x, *dt_s);
                prop_assert!(state.state().iter().all(|s| s.is_finite()));
            }
        }
        let [ridge, least, most] = fields.map(f64::abs);
        if let Ok(mut parameters) = ParameterWitness::<f64, 2>::new(ridge, least, most) {
            prop_assert!(unit(parameters.factor()), "{}", parameters.factor());
            for (xy, _, [a, b, c, d]) in &calls {
                let residual = parameters.push(&[[*a, *b], [*c, *d]], xy);
                prop_assert!(parameters.weights().iter().all(|w| w.is_finite()));
                parameters.distance(residual);
            }
        }
    }

    #[test]
    fn memories_of_any_history(
        config in [prop_oneof![2 => Just(0.1), 1 => number()], prop_oneof![2 => Just(0.5), 1 => number()], prop_oneof![2 => Just(0.5), 1 => number()], prop_oneof![2 => Just(0.01), 1 => number()]],
        shortest in prop_oneof![Just(1.0), number()], items in 0..4_usize,
        calls in prop::collection::vec((0..8_u8, number(), number(), any::<usize>()), 0..200),
    ) {
        let [fading_per_s, protection, recall, forget_below] = config;
        let config = BlendConfig { fading_per_s, protection, recall, forget_below };
        prop_assert!(Blend::<f64, u64, 0>::new(config).is_err());
        let Ok(mut blend) = Blend::<f64, u64, 9>::new(config) else { return Ok(()) };
        let octaves = AgeOctaves::new(shortest, items);
        let mut bytes = [0; 1024];
        for (kind, a, b, slot) in calls {
            match kind {
                0 | 1 => blend.advance(a.abs(), Some(b)),
                2 => blend.advance(a, None),
                3 | 4 => { blend.remember(slot as u64, b); }
                5 => { blend.recall(slot % 11); }
                6 => if let Ok(octaves) = &octaves {
                    blend.consolidate(octaves, |one, other| one.wrapping_add(*other));
                    let mut each = std::collections::BTreeMap::new();
                    for held in blend.iter() {
                        *each.entry(octaves.octave_of(blend.age_s(held.slot).unwrap_or(-1.0))).or_insert(0) += 1;
                    }
                    prop_assert!(each.values().all(|&n| n <= items), "{each:?}");
                },
                _ => {
                    let saved = blend.save(&mut bytes)?;
                    let back = Blend::<f64, u64, 9>::load(config, saved)?;
                    prop_assert_eq!(&back, &blend);
                }
            }
            for held in blend.iter() {
                prop_assert!(held.strength > 0.0 && held.strength <= 1.0 && held.strength >= forget_below);
                prop_assert!(blend.age_s(held.slot).is_some_and(|age_s| age_s >= 0.0 && age_s.is_finite()));
            }
            prop_assert!(blend.faded() >= 0.0 && blend.faded() <= 1.0);
            let mut near = [Default::default(); 3];
            let found = blend.nearest(|item| if slot % 2 == 0 { b } else { *item as f64 }, &mut near);
            prop_assert!(found.windows(2).all(|pair| pair[0].distance <= pair[1].distance));
            prop_assert!(blend.nearest(|_| 0.0, &mut []).is_empty());
        }
        prop_assert!(whole(&blend));
        blend.reset();
        prop_assert_eq!(blend.count(), 0);
    }

    #[test]
    fn fleets_of_anything(
        couplings in [number(), number()], dt_s in step(),
        oscillators in prop::collection::vec(([number(), number()], number()), 0..6), extra in 0..3_usize,
    ) {
        let fleet = Kuramoto { coupling_rad_s: couplings[0], frame_rad_s: couplings[1] };
        let mut phases: Vec<Complex<f64>> = oscillators.iter().map(|(phase, _)| z(*phase)).collect();
        let mut omegas: Vec<f64> = oscillators.iter().map(|(_, omega)| *omega).collect();
        omegas.extend([1.0; 2].iter().take(extra));
        for _ in 0..4 {
            let field = fleet.step(&mut phases, &omegas, dt_s);
            prop_assert!(field.is_none_or(|field| field.norm() <= 1.0 + 1e-9));
        }
        prop_assert!(mean_field(&phases).is_none_or(|field| field.norm() <= 1.0 + 1e-9));
        for (phase, omega) in &oscillators {
            let moved = turned(z::<f64>(*phase), *omega, z(*phase), dt_s);
            prop_assert!(moved.is_none_or(|moved| (moved.norm() - 1.0).abs() < 1e-9), "{moved:?}");
        }
        prop_assert!(unit(uniform_order(couplings[0], couplings[1])));
        uniform_critical(couplings[0]);
        uniform_quantile(extra, oscillators.len(), couplings[0]);
        lorentzian_quantile(extra, oscillators.len(), couplings[1]);
    }

    #[test]
    fn scales_of_anything(mean in number(), sd in number(), x in number()) {
        if let Ok(scale) = Standard::new(mean, sd) {
            prop_assert!(scale.sd() > 0.0 && scale.mean().is_finite());
            // Encoders do not validate; the next stage does.
            let mut velocity = PhaseVelocity::<f64, 1>::new(1)?;
            let phi = [Some(scale.encode(x))];
            velocity.push(&phi, 0.02);
            let d = velocity.push(&[Some(scale.encode(mean))], 0.02);
            prop_assert!(d[0].is_none_or(|d| d.norm_sqr().is_finite()));
        }
        let turn = encode_angle(x);
        prop_assert!(turn.is_nan() || (turn.norm() - 1.0).abs() < 1e-12);
    }
}
