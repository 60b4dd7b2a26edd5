//! A whole self-model against its definition, implemented a second time in the plainest way: all samples kept,
//! every sum over all of them, every inverse by elimination, every exponential window a sum over the whole
//! past.
//!
//! It shares no code with the kernel, and none of its optimisations: no running moments, no Cholesky factors,
//! no whitening, no rings.

#![allow(
    clippy::disallowed_methods,
    clippy::needless_range_loop,
    reason = "a test compares with std, and writes sums as they are printed"
)]

use std::error::Error;

use becomingone_kernel::{SelfModelConfig, Thresholds, Trainer, Verdict};
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64;
use rand_pcg::rand_core::SeedableRng;

type Checked = Result<(), Box<dyn Error>>;
type Matrix = Vec<Vec<f64>>;
/// r, and none for a channel that is missing or not evaluated.
type Innovation = [Option<f64>; N];

const N: usize = 3;
const U: usize = 1;
/// Regressors: levels, their gains on their mean of five, inputs, and their gains.
const D: usize = 2 * (N + U);
const WARM_UP: usize = 240;

/// By Gauss and Jordan, with pivots.
fn inverse(a: &Matrix) -> Matrix {
    let size = a.len();
    let mut a: Matrix = a
        .iter()
        .enumerate()
        .map(|(i, row)| {
            let unit = (0..size).map(|j| f64::from(u8::from(i == j)));
            row.iter().copied().chain(unit).collect()
        })
        .collect();
    for i in 0..size {
        let best = (i..size).max_by(|&p, &q| a[p][i].abs().total_cmp(&a[q][i].abs()));
        a.swap(i, best.unwrap_or(i));
        let pivot = a[i][i];
        a[i].iter_mut().for_each(|x| *x /= pivot);
        for k in 0..size {
            if k != i {
                let by = a[k][i];
                for j in 0..2 * size {
                    a[k][j] -= by * a[i][j];
                }
            }
        }
    }
    a.into_iter().map(|row| row[size..].to_vec()).collect()
}

fn form(u: &[f64], m: &Matrix, v: &[f64]) -> f64 {
    let row = |n: usize| v.iter().zip(&m[n]).map(|(v, m)| v * m).sum::<f64>();
    (0..u.len()).map(|n| u[n] * row(n)).sum()
}

fn mean(x: impl Iterator<Item = f64> + Clone) -> f64 {
    x.clone().sum::<f64>() / x.count() as f64
}

/// Population covariance of two series.
fn covariance(a: &[f64], b: &[f64]) -> f64 {
    let (ma, mb) = (mean(a.iter().copied()), mean(b.iter().copied()));
    mean(a.iter().zip(b).map(|(a, b)| (a - ma) * (b - mb)))
}

/// `sum_i a (1-a)^{k-i} x_i`: the window of `window` samples up to k, of a series that was 0 before.
fn window(x: &[f64], k: usize, window: f64) -> f64 {
    let lam = (-1.0 / window).exp();
    let terms = (0..=k).map(|i| (1.0 - lam) * lam.powi((k - i) as i32) * x[i]);
    terms.sum()
}

/// Covariance of two windows of 20 samples that start empty: after k samples a mean of 1 has reached
/// `c_k = 1 - e^{-k/20}`, so the mean is the best fit to `c_k`, and rows are weighted by `c_k^2`.
fn filling(a: &[f64], b: &[f64]) -> f64 {
    let c: Vec<f64> = (1..=a.len())
        .map(|k| 1.0 - (-(k as f64) / 20.0).exp())
        .collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let count = dot(&c, &c);
    (dot(a, b) - dot(a, &c) * dot(b, &c) / count) / count
}

#[derive(Clone)]
struct Sample {
    x: [f64; N],
    u: f64,
}

/// z at sample k, from five on.
fn regressors(samples: &[Sample], k: usize) -> [f64; D] {
    let mut z = [0.0; D];
    for n in 0..N {
        z[n] = samples[k - 1].x[n];
        z[N + n] = z[n] - mean((k - 5..k).map(|i| samples[i].x[n]));
    }
    z[2 * N] = samples[k].u;
    z[2 * N + 1] = z[2 * N] - mean((k - 4..=k).map(|i| samples[i].u));
    z
}

/// B, b, sd, Omega and C^-1 as defined by the modules `witness` and `surprise`.
struct Learned {
    weights: [[f64; D]; N],
    offset: [f64; N],
    mean: [f64; N],
    sd: [f64; N],
    omega: Matrix,
    shift: Matrix,
}

fn learn(samples: &[Sample]) -> Learned {
    let rows: Vec<usize> = (5..samples.len()).collect();
    let count = rows.len() as f64;
    let z: Vec<[f64; D]> = rows.iter().map(|&k| regressors(samples, k)).collect();
    let column = |i: usize| -> Vec<f64> { z.iter().map(|z| z[i]).collect() };
    let of: Vec<f64> = (0..D)
        .map(|i| covariance(&column(i), &column(i)).sqrt())
        .collect();
    let sd = [0, 1, 2].map(|n| of[n]);
    let mut zz: Matrix = vec![vec![0.0; D]; D];
    for i in 0..D {
        for j in 0..D {
            zz[i][j] = covariance(&column(i), &column(j)) / of[i] / of[j];
        }
        // Ridge weight 1 against sums over rows.
        zz[i][i] += 1.0 / count;
    }
    let inverted = inverse(&zz);
    let (mut weights, mut offset) = ([[0.0; D]; N], [0.0; N]);
    for n in 0..N {
        let y: Vec<f64> = rows
            .iter()
            .map(|&k| samples[k].x[n] - samples[k - 1].x[n])
            .collect();
        let mut right: Vec<f64> = (0..D)
            .map(|i| covariance(&y, &column(i)) / sd[n] / of[i])
            .collect();
        right[n] -= 1.0 / count;
        for i in 0..D {
            let b: f64 = (0..D).map(|j| inverted[i][j] * right[j]).sum();
            weights[n][i] = b * sd[n] / of[i];
        }
        offset[n] = mean(y.iter().copied());
        for i in 0..D {
            offset[n] -= weights[n][i] * mean(column(i).into_iter());
        }
    }
    let learned = Learned {
        weights,
        offset,
        mean: [0, 1, 2].map(|n| mean(column(n).into_iter())),
        sd,
        omega: Vec::new(),
        shift: Vec::new(),
    };
    let r: Vec<Vec<f64>> = (0..N)
        .map(|n| {
            rows.iter()
                .map(|&k| learned.innovation(samples, k)[n])
                .collect()
        })
        .collect();
    let smooth: Vec<Vec<f64>> = (0..N)
        .map(|n| (0..rows.len()).map(|k| window(&r[n], k, 20.0)).collect())
        .collect();
    let a = 1.0 - (-1.0_f64 / 20.0).exp();
    let (mut noise, mut shift) = (vec![vec![0.0; N]; N], vec![vec![0.0; N]; N]);
    for n in 0..N {
        for m in 0..N {
            noise[n][m] = covariance(&r[n], &r[m]) + if n == m { 1e-6 } else { 0.0 };
            let measured = filling(&smooth[n], &smooth[m]);
            shift[n][m] = 0.3 * measured + 0.7 * noise[n][m] * a / (2.0 - a);
        }
    }
    Learned {
        omega: inverse(&noise),
        shift: inverse(&shift),
        ..learned
    }
}

impl Learned {
    /// r at sample k, in deviations.
    fn innovation(&self, samples: &[Sample], k: usize) -> [f64; N] {
        let z = regressors(samples, k);
        [0, 1, 2].map(|n| {
            let predicted: f64 = (0..D).map(|i| self.weights[n][i] * z[i]).sum();
            let added = samples[k].x[n] - samples[k - 1].x[n];
            (added - self.offset[n] - predicted) / self.sd[n]
        })
    }

    /// Missing part of r, imputed from the present one: `R_mo R_oo^-1 r_o`. None where no channel is present.
    fn imputed(&self, r: &Innovation) -> Option<[f64; N]> {
        let there: Vec<usize> = (0..N).filter(|&n| r[n].is_some()).collect();
        let seen: Vec<f64> = r.iter().flatten().copied().collect();
        if there.is_empty() {
            return None;
        }
        let noise = inverse(&self.omega);
        let part = |n: usize| -> Vec<f64> { there.iter().map(|&m| noise[n][m]).collect() };
        let own = inverse(&there.iter().map(|&n| part(n)).collect());
        Some([0, 1, 2].map(|n| r[n].unwrap_or_else(|| form(&part(n), &own, &seen))))
    }

    /// Mean over the lags of T under Omega at the end of the series, over a window; none below 8 effective samples.
    fn t(&self, r: &[Option<[f64; N]>], window: f64) -> Option<f64> {
        let (lam, mut sum) = ((-1.0 / window).exp(), 0.0);
        for lag in [1, 2, 4] {
            let (mut s, mut p0, mut p1, mut w1, mut w2) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for i in lag..r.len() {
                let (Some(now), Some(then)) = (r[i], r[i - lag]) else {
                    continue;
                };
                let w = lam.powi((r.len() - 1 - i) as i32);
                s += w * form(&now, &self.omega, &then);
                p0 += w * form(&now, &self.omega, &now);
                p1 += w * form(&then, &self.omega, &then);
                w1 += w;
                w2 += w * w;
            }
            if w1 * w1 < 8.0 * w2 || w2 == 0.0 {
                return None;
            }
            sum += s / (p0 * p1).sqrt() / 3.0;
        }
        Some(sum)
    }
}

/// The statistics by definition, at the end of a series of innovations.
struct Statistics {
    t: [Option<f64>; 2],
    k: [Option<f64>; 3],
    /// `e_n (C^-1 e)_n`, and `EW_10 r_n (Omega r)_n`.
    parts: [[f64; 2]; N],
    /// `EW_10 N_k`.
    freedom: f64,
}

fn statistics(learned: &Learned, r: &[Innovation]) -> Statistics {
    let whole: Vec<Option<[f64; N]>> = r.iter().map(|r| learned.imputed(r)).collect();
    let t = [10.0, 30.0].map(|window| learned.t(&whole, window));
    let k1 = t[0]
        .zip(t[1])
        .map(|(e, m)| ((e + m) / 2.0).max(0.0).powi(2));
    // Window of a series from its values so far; before them, it was `start`.
    let follow = |x: Vec<f64>, over: f64, start: f64| match x.len() {
        0 => start,
        count => start * (-(count as f64) / over).exp() + window(&x, count - 1, over),
    };
    let e = [0, 1, 2].map(|n| follow(r.iter().filter_map(|r| r[n]).collect(), 20.0, 0.0));
    let mut parts = [[0.0; 2]; N];
    for n in 0..N {
        let solved: f64 = (0..N).map(|m| learned.shift[n][m] * e[m]).sum();
        let energies = whole.iter().flatten();
        let energies =
            energies.map(|r| r[n] * (0..N).map(|m| learned.omega[n][m] * r[m]).sum::<f64>());
        parts[n] = [e[n] * solved, follow(energies.collect(), 10.0, 1.0)];
    }
    let counts = r.iter().map(|r| r.iter().flatten().count() as f64);
    let freedom = follow(
        counts.filter(|&count| count > 0.0).collect(),
        10.0,
        N as f64,
    );
    let of = |i: usize| parts.iter().map(|part| part[i]).sum::<f64>();
    Statistics {
        t,
        k: [k1, Some(of(0) / N as f64), Some(of(1) / freedom)],
        parts,
        freedom,
    }
}

/// Innovations from the end of warm-up on, with missing ones imputed as by the self-model.
///
/// A missing sample is replaced by its prediction, within five deviations of the mean. A channel that was away,
/// which none was in warm-up, is evaluated again once five samples of it are present to predict from.
fn innovations(
    learned: &Learned,
    samples: &[Sample],
    missing: impl Fn(usize, usize) -> bool,
) -> Vec<Innovation> {
    let mut filled: Vec<Sample> = samples[..WARM_UP].to_vec();
    let mut unsettled = [0; N];
    let mut all = Vec::new();
    for k in WARM_UP..samples.len() {
        filled.push(samples[k].clone());
        let r = learned.innovation(&filled, k);
        let mut judged = r.map(Some);
        for n in 0..N {
            if missing(k, n) {
                let predicted = filled[k].x[n] - r[n] * learned.sd[n];
                let (low, high) = (-5.0 * learned.sd[n], 5.0 * learned.sd[n]);
                filled[k].x[n] = learned.mean[n] + (predicted - learned.mean[n]).clamp(low, high);
                (judged[n], unsettled[n]) = (None, 5);
            } else if unsettled[n] > 0 {
                unsettled[n] -= 1;
                judged[n] = None;
            }
        }
        all.push(judged);
    }
    all
}

fn sample(rng: &mut Pcg64, state: &mut [f64; 2], k: usize) -> Sample {
    let mut normal = || -> f64 { StandardNormal.sample(&mut *rng) };
    let u = if (k / 25).is_multiple_of(2) {
        0.8
    } else {
        -0.5
    } + 0.3 * normal();
    state[0] += 0.3 * (u - state[0]) + 0.2 * normal();
    state[1] += 0.1 * (state[0] - state[1]) + 0.05 * normal();
    let mut x = [
        state[0] + 0.1 * normal(),
        20.0 + 4.0 * state[1] + 0.5 * normal(),
        0.01 * state[0] - 0.02 * state[1] + 0.002 * normal(),
    ];
    // A stuck sensor, then a biased one.
    if (WARM_UP + 60..WARM_UP + 110).contains(&k) {
        x[1] = 21.0;
    }
    if (WARM_UP + 200..WARM_UP + 230).contains(&k) {
        x[2] += 0.02;
    }
    Sample { x, u }
}

fn near(found: f64, law: f64) -> bool {
    (found - law).abs() <= 1e-8 * law.abs().max(1.0)
}

#[test]
fn a_self_model_agrees_with_its_definition() -> Checked {
    follows(|_, _| false)
}

#[test]
fn a_self_model_with_drop_outs_agrees_with_its_definition() -> Checked {
    // The second periodically, the third for a long time, and all of them for a moment.
    follows(|k, n| {
        let after = k.saturating_sub(WARM_UP);
        match n {
            _ if (150..153).contains(&after) => true,
            1 => (20..30).contains(&after) || after > 230 && after % 9 < 2,
            2 => (40..140).contains(&after),
            _ => after == 10,
        }
    })
}

fn follows(missing: impl Fn(usize, usize) -> bool) -> Checked {
    for seed in 0..6 {
        let mut rng = Pcg64::seed_from_u64(seed);
        let mut state = [0.0; 2];
        let all = WARM_UP + 320;
        let samples: Vec<Sample> = (0..all).map(|k| sample(&mut rng, &mut state, k)).collect();
        let config = SelfModelConfig {
            outputs: N,
            inputs: U,
            warm_up_samples: WARM_UP as u32,
            ..SelfModelConfig::default()
        };
        let mut trainer = Trainer::<f64, N, U>::new(config)?;
        let verdicts: Vec<Option<Verdict<f64, N>>> = samples
            .iter()
            .enumerate()
            .map(|(k, s)| {
                let x = [0, 1, 2].map(|n| (!missing(k, n)).then_some(s.x[n]));
                trainer.push(&x, &[Some(s.u)], 0.02)
            })
            .collect();
        assert!(verdicts[..WARM_UP].iter().all(Option::is_none));

        // The thresholds: a provisional witness of three quarters runs on the last.
        let three = WARM_UP - WARM_UP / 4;
        let provisional = learn(&samples[..three]);
        let r: Vec<_> = (three..WARM_UP)
            .map(|k| provisional.innovation(&samples, k).map(Some))
            .collect();
        let mut largest = [0.0_f64; 3];
        for k in 0..r.len() {
            for (largest, k) in largest.iter_mut().zip(statistics(&provisional, &r[..=k]).k) {
                *largest = largest.max(k.unwrap_or(0.0));
            }
        }
        let null = Thresholds::<f64>::null(N);
        let null = [null.k1, null.k2, null.k3];
        let mut thresholds = [0.0; 3];
        for i in 0..3 {
            let most = [0.5, 30.0 * null[1], 30.0 * null[2]][i];
            thresholds[i] = (2.0 * largest[i])
                .max([7.0, 7.0, 1.6][i] * null[i])
                .min(most);
        }
        let found = trainer.model().thresholds().ok_or("not trained")?;
        for (found, law) in [found.k1, found.k2, found.k3].into_iter().zip(thresholds) {
            assert!(near(found, law), "seed {seed}, threshold {found} {law}");
        }

        // The verdicts.
        let learned = learn(&samples[..WARM_UP]);
        let r = innovations(&learned, &samples, &missing);
        let (mut over, mut below, mut alarm, mut alarms) = (0, 0, false, 0);
        for k in 0..r.len() {
            let verdict = verdicts[WARM_UP + k].ok_or("no verdict")?;
            let defined = statistics(&learned, &r[..=k]);
            let measured = [verdict.k1, Some(verdict.k2), Some(verdict.k3)];
            let transducers = [verdict.t_emissary, verdict.t_master];
            for (found, law) in measured
                .into_iter()
                .chain(transducers)
                .zip(defined.k.into_iter().chain(defined.t))
            {
                assert_eq!(found.is_some(), law.is_some(), "seed {seed}, {k}");
                let (found, law) = (found.unwrap_or(0.0), law.unwrap_or(0.0));
                assert!(near(found, law), "seed {seed}, {k}: {found} {law}");
            }
            let ratios = [0, 1, 2].map(|i| defined.k[i].unwrap_or(0.0) / thresholds[i]);
            let surprise = ratios.iter().sum::<f64>() / 3.0;
            assert!(near(verdict.surprise, surprise), "seed {seed}, {k}");
            assert!(near(verdict.coherence, 1.0 / (1.0 + surprise)));
            // Three consecutive ticks over 1, five consecutive ticks below 0.8.
            over = if surprise > 1.0 { over + 1 } else { 0 };
            below = if surprise < 0.8 { below + 1 } else { 0 };
            if !alarm && over >= 3 {
                (alarm, below) = (true, 0);
            } else if alarm && below >= 5 {
                (alarm, over) = (false, 0);
            }
            assert_eq!(verdict.dissipated, alarm, "seed {seed}, {k}");
            alarms += u32::from(alarm);
            let shares = defined.parts.map(|[shift, energy]| {
                shift.max(0.0) / (N as f64 * thresholds[1])
                    + energy.max(0.0) / (defined.freedom * thresholds[2])
            });
            let whole: f64 = shares.iter().sum();
            for n in 0..N {
                assert!(
                    near(verdict.blame[n], shares[n] / whole),
                    "seed {seed}, {k}"
                );
            }
            let most = (0..N).max_by(|&a, &b| verdict.blame[a].total_cmp(&verdict.blame[b]));
            assert_eq!(verdict.cause, most, "seed {seed}, {k}");
        }
        assert!(alarms > 20, "seed {seed}: {alarms}");
    }
    Ok(())
}
