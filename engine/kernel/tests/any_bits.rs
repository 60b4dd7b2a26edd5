//! Ten million samples of arbitrary bits: every output is finite or none, and within its bounds, and no NaN
//! stays in a state.
//!
//! A sample is one tick of four channels, whose values, time step and lag may each be any bit pattern: NaN of
//! either sign, infinity, the smallest numbers. Half of the ticks are `f32`, half `f64`. Spells of arbitrary
//! bits alternate with healthy ones, in which all outputs must recover.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

use becomingone_kernel::{
    Binned, Bins, Complex, DEFAULT_LAGS, PhaseVelocity, Pyramid, PyramidConfig, Real, Role,
    SelfModelConfig, Synchrony, SynchronyConfig, Trainer, Transducer, Verdict,
};

const TICKS: u32 = 5_000_000;

/// Ticks of one spell.
const SPELL: u32 = 2048;

const DT_S: f64 = 0.02;

trait AnyBits: Real {
    fn any(bits: u64) -> Self;
}

impl AnyBits for f32 {
    fn any(bits: u64) -> Self {
        Self::from_bits((bits >> 32) as u32)
    }
}

impl AnyBits for f64 {
    fn any(bits: u64) -> Self {
        Self::from_bits(bits)
    }
}

/// xorshift64*.
struct Bits(u64);

impl Bits {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Uniform in 0..n, approximately.
    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 32) % n
    }

    /// Uniform in -0.5..0.5.
    fn calm<R: Real>(&mut self) -> R {
        R::of((self.next() >> 40) as f64 / f64::from(1 << 24) - 0.5)
    }
}

/// Input of one spell.
#[derive(Clone, Copy, PartialEq)]
enum Weather {
    /// Uniform noise at a constant time step.
    Calm,
    /// One value in sixteen is arbitrary.
    Gusts,
    /// Every value is arbitrary, and one time step in eight.
    Storm,
}

fn unit<R: Real>(x: R) -> bool {
    x >= R::zero() && x <= R::of(1.0 + 1e-6)
}

fn inside<R: Real>(t: Complex<R>) -> bool {
    unit(R::modulus(t))
}

/// Whether a verdict is finite in every part, and each part within its range.
fn sound<R: Real, const N: usize>(verdict: &Verdict<R, N>) -> bool {
    let positive = |x: R| x >= R::zero() && x.is_finite();
    let mean = |t: R| unit(t.abs());
    let blame: R = verdict.blame.iter().fold(R::zero(), |sum, &b| sum + b);
    verdict.k1.is_none_or(unit)
        && positive(verdict.k2)
        && positive(verdict.k3)
        && positive(verdict.surprise)
        && unit(verdict.coherence)
        && verdict.t_emissary.is_none_or(mean)
        && verdict.t_master.is_none_or(mean)
        && verdict.delta.is_none_or(unit)
        && verdict.blame.iter().all(|&b| unit(b))
        && blame <= R::of(1.0 + 1e-5)
        && verdict.cause.is_none_or(|cause| cause < N)
}

/// Whether no part is NaN: NaN does not equal itself.
fn whole<T: PartialEq>(state: &T) -> bool {
    let itself = state;
    state == itself
}

#[test]
fn whole_detects_nan() {
    assert!(whole(&[1.0, f64::INFINITY]) && !whole(&[1.0, f64::NAN]));
}

#[test]
fn any_bits_of_f32_leave_outputs_in_bounds() {
    outlives_storms::<f32>(0x9e37_79b9_7f4a_7c15);
}

#[test]
fn any_bits_of_f64_leave_outputs_in_bounds() {
    outlives_storms::<f64>(0xd1b5_4a32_d192_ed03);
}

fn outlives_storms<R: AnyBits>(seed: u64) {
    let mut bits = Bits(seed);
    let dt = R::of(DT_S);
    let mut velocity = PhaseVelocity::<R, 4>::new(4).unwrap();
    let transducer = |role| Transducer::<R, 4, 3, 5>::new(role, 4, DEFAULT_LAGS).unwrap();
    let (mut emissary, mut master) = (transducer(Role::Emissary), transducer(Role::Master));
    // Without the phase velocity's check before it.
    let mut bare = transducer(Role::Emissary);
    let mut synchrony = Synchrony::new(SynchronyConfig::default()).unwrap();
    let mut pyramid = Pyramid::<R, 4, 4, 8>::new(PyramidConfig::new(4, dt)).unwrap();
    let mut binned = Pyramid::<R, 4, 4, 8>::new(PyramidConfig::new(4, dt)).unwrap();
    let mut bins = Bins::<R, 4>::new(4, 20_000_000, 40_000_000).unwrap();
    let mut t_ns = 0_u64;
    let mut model = Trainer::<R, 3, 1>::new(SelfModelConfig {
        outputs: 3,
        inputs: 1,
        warm_up_samples: 400,
        ..SelfModelConfig::default()
    })
    .unwrap();
    let mut learned_in = Weather::Calm;
    let mut weather = Weather::Calm;
    for k in 0..TICKS {
        if k % SPELL == 0 {
            // Every second spell is calm: there all outputs must recover.
            weather = if (k / SPELL).is_multiple_of(2) {
                Weather::Calm
            } else if bits.below(2) == 0 {
                Weather::Gusts
            } else {
                Weather::Storm
            };
            if bits.below(4) == 0 {
                model.rebaseline();
                learned_in = weather;
            }
        }
        let wild = |bits: &mut Bits| match weather {
            Weather::Calm => false,
            Weather::Gusts => bits.below(16) == 0,
            Weather::Storm => true,
        };
        let part = |bits: &mut Bits| {
            if wild(bits) {
                R::any(bits.next())
            } else {
                bits.calm()
            }
        };
        let phi = [(); 4].map(|()| {
            let present = weather == Weather::Calm || bits.below(8) > 0;
            present.then(|| Complex::new(part(&mut bits), part(&mut bits)))
        });
        let step = if weather == Weather::Storm && bits.below(8) == 0 {
            R::any(bits.next())
        } else {
            dt
        };

        let d = velocity.push(&phi, step);
        assert!(d.iter().flatten().all(|d| d.norm_sqr().is_finite()), "{k}");
        emissary.push(d, step);
        master.push(d, step);
        bare.push(&phi, step);
        for lag in 0..3 {
            for transducer in [&emissary, &master, &bare] {
                let resonance = transducer.resonance();
                assert!(resonance.t(lag).is_none_or(inside), "{k}");
                assert!(resonance.n_eff(lag).unwrap().is_finite(), "{k}");
            }
        }
        assert!(
            bare.reading().is_none_or(|reading| unit(reading.order)),
            "{k}"
        );
        let report = synchrony.update(emissary.reading(), master.reading());
        assert!(report.delta.is_none_or(unit), "{k}");
        assert!(report.t_sync.is_none_or(inside), "{k}");

        pyramid.push(&phi);
        let tau_s = if bits.below(2) == 0 {
            R::any(bits.next())
        } else {
            R::of(DT_S * 1.3 * (bits.below(800) as f64))
        };
        assert!(pyramid.t(tau_s).is_none_or(inside), "{k}");
        // Stamps advance by about a bin, at times backwards, and rarely by up to a day.
        t_ns += bits.below(60_000_000);
        let stamp = match (weather, bits.below(64)) {
            (Weather::Storm, 0) => bits.next() >> bits.below(64),
            (Weather::Storm, 1) => {
                t_ns += bits.below(86_400_000) * 1_000_000;
                t_ns
            }
            _ => t_ns,
        };
        // A stamp in the far future would put all later ones in the past.
        let stamp = stamp.min(t_ns);
        bins.push(stamp, &phi, |bin| match bin {
            Binned::Bin(cells) => {
                assert!(
                    cells
                        .iter()
                        .all(|cell| cell.value.norm_sqr().is_finite() && unit(cell.weight)),
                    "{k}"
                );
                binned.push_covered(cells);
            }
            Binned::Gap { bins } => binned.pass(bins),
        });
        assert!(binned.t(tau_s).is_none_or(inside), "{k}");

        let outputs = [phi[0], phi[1], phi[2]].map(|z| z.map(|z| z.re));
        let verdict = model.push(&outputs, &[phi[3].map(|z| z.im)], step);
        assert!(verdict.as_ref().is_none_or(sound), "{k}: {verdict:?}");

        if k % 512 == 0 {
            assert!(
                whole(&velocity) && whole(&emissary) && whole(&master) && whole(&bare),
                "{k}"
            );
            assert!(
                whole(&pyramid) && whole(&binned) && whole(&bins) && whole(&model),
                "{k}"
            );
        }
        if weather == Weather::Calm && k % SPELL == SPELL - 1 {
            assert!(report.delta.is_some() && report.t_sync.is_some(), "{k}");
            assert!(
                bare.reading().is_some() && pyramid.t(R::of(2.0 * DT_S)).is_some(),
                "{k}"
            );
            assert!(binned.t(R::of(2.0 * DT_S)).is_some(), "{k}");
            // A model trained on healthy samples has cleared its alarm; one trained in a storm may keep it.
            if learned_in == Weather::Calm {
                let verdict = verdict.unwrap();
                assert!(!verdict.dissipated, "{k}: {verdict:?}");
                assert!(verdict.k1.is_some() && verdict.delta.is_some(), "{k}");
            }
        }
    }
}
