//! [`Resonance`]: `T_tau`, the normalised lagged autocorrelation of the phase velocity.
//!
//! For channels d in C^N, weights `w_n` with sum 1, window `T_w` and cycle frequency nu:
//!
//! ```text
//! <u, v>  = sum_n w_n conj(v_n) u_n
//! S(t)    = int_{-inf}^t e^{-(t-s)/T_w} <d(s), d(s-tau)> e^{i nu s} ds
//! P0, P1  = the same integral of |d(s)|^2 and of |d(s-tau)|^2, without the carrier
//! T_tau   = S / (sqrt(P0) sqrt(P1))
//! ```
//!
//! With nu = 0 this is the degree of temporal coherence g1(tau) of optics; with nu not 0, the
//! normalised cyclic autocorrelation (Gardner). Sample by sample, with `lam_k = e^{-dt_k/T_w}` and
//! `m_{n,k}` = 1 where channel n has a value at sample k, else 0:
//!
//! ```text
//! S_k   = lam_k S_{k-1} + (1-lam_k) rho_k sum_n w_n m_{n,k} m_{n,k-l} conj(d_{n,k-l}) d_{n,k}
//! P0, P1  likewise, the same pairs with the same weights
//! rho_k = rho_{k-1} e^{i nu dt_k}, renormalised
//! ```
//!
//! ```text
//! d      .  .  .  .  .  o  .  .  .  .  *  now
//! pair                  |<-- lag tau -->|        conj(d then) d now: an angle, the same one in a rhythm
//!
//! weight                         ...:|    e^{-age/T_w}: the sums remember about one window
//!                  ......::::::::::::|
//!        ::::::::::::::::::::::::::::|
//! rhythm   all pairs point one way, S is as long as it can be       |T| = 1
//! noise    they point anywhere, S is a walk of N_eff steps          |T|^2 = 1/(N_eff N) in the mean
//! ```
//!
//! As the three sums run over identical pairs with identical non-negative weights,
//! `|T_tau| <= 1` by Cauchy-Schwarz, for any input and any missing samples.

#![allow(
    clippy::needless_range_loop,
    reason = "several arrays go by one index of a window"
)]

use num_complex::Complex;

use crate::lanes::{Parts, dot, dot_conj};
use crate::{ConfigError, Real};

/// Effective samples below which T has no value: with fewer, even white noise looks coherent
/// (its mean `|T|^2` is `1/N_eff` for one channel).
pub const MIN_N_EFF: f64 = 8.0;

/// Configuration of a [`Resonance`].
///
/// `N` is the capacity in channels, `L` the number of lags.
#[derive(Clone, Debug, PartialEq)]
pub struct ResonanceConfig<R, const N: usize, const L: usize> {
    /// Active channels, 1 to `N`.
    pub channels: usize,
    /// The window `T_w` in seconds: a sample's weight fades by a factor e in this time.
    ///
    /// Longer means less scatter (`N_eff` is about `2 T_w/dt`) and a slower response. Below about 4 samples,
    /// `N_eff` never reaches [`MIN_N_EFF`] and T never has a value.
    pub window_s: R,
    /// Lags in samples, each less than the ring. Lag 0 is allowed: without a carrier its T is 1,
    /// with one it shows a power that cycles.
    pub lags: [usize; L],
    /// The cycle frequency nu in rad/s; 0 is ordinary coherence.
    ///
    /// Set to a shaft, gait or scan rate it finds power that cycles at that rate; set to
    /// -2 pi kappa tau it refocuses a chirp of kappa Hz/s.
    pub nu_rad_s: R,
    /// The weights `w_n` of the channels, finite and not negative; only their ratios matter.
    /// Those beyond the active channels are not read.
    pub weights: [R; N],
    /// The longest step in seconds that a lag may span; after a longer one the ring is cleared. Infinity allows
    /// any.
    pub max_gap_s: R,
}

impl<R: Real, const N: usize, const L: usize> ResonanceConfig<R, N, L> {
    /// Ordinary coherence (nu = 0) of equally weighted channels; gaps up to one window.
    pub fn new(channels: usize, window_s: R, lags: [usize; L]) -> Self {
        Self {
            channels,
            window_s,
            lags,
            nu_rad_s: R::zero(),
            weights: [R::one(); N],
            max_gap_s: window_s,
        }
    }

    /// Checks every field against a ring of `ring` samples; the weights come back with sum 1, and 0 beyond the active
    /// channels.
    fn validated(mut self, ring: usize) -> Result<Self, ConfigError> {
        let zero = R::zero();
        if self.channels == 0 || self.channels > N {
            return Err(ConfigError::Channels {
                channels: self.channels,
                capacity: N,
            });
        }
        if L == 0 {
            return Err(ConfigError::NoLags);
        }
        if let Some(&lag) = self.lags.iter().find(|&&lag| lag >= ring) {
            return Err(ConfigError::Lag { lag, ring });
        }
        let window_usable = self.window_s > zero && self.window_s.is_finite();
        if !window_usable {
            return Err(ConfigError::Window {
                window_s: self.window_s.into(),
            });
        }
        if !self.nu_rad_s.is_finite() {
            return Err(ConfigError::CycleFrequency {
                nu_rad_s: self.nu_rad_s.into(),
            });
        }
        let gap_usable = self.max_gap_s > zero;
        if !gap_usable {
            return Err(ConfigError::MaxGap {
                max_gap_s: self.max_gap_s.into(),
            });
        }
        let (active, rest) = self.weights.split_at_mut(self.channels);
        normalise(active)?;
        rest.fill(zero);
        Ok(self)
    }
}

/// Scales weights to sum 1.
pub(crate) fn normalise<R: Real>(weights: &mut [R]) -> Result<(), ConfigError> {
    let zero = R::zero();
    let mut sum = zero;
    for (channel, &weight) in weights.iter().enumerate() {
        let usable = weight >= zero && weight.is_finite();
        if !usable {
            return Err(ConfigError::Weight {
                channel,
                weight: weight.into(),
            });
        }
        sum += weight;
    }
    let sum_usable = sum > zero && sum.is_finite();
    if !sum_usable {
        return Err(ConfigError::WeightSum { sum: sum.into() });
    }
    for weight in weights {
        *weight /= sum;
    }
    Ok(())
}

/// Outcome of one [`Resonance::push`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushOutcome {
    /// Accepted.
    Taken,
    /// Accepted as the first sample after a gap: the ring was cleared before, the sums were kept.
    AfterGap,
    /// Dropped, because the time step was invalid. Only the counter changed.
    Dropped,
}

/// All channels at one sample, each number in a run of its own. A missing value is stored as zero with `present`
/// zero, so that it adds nothing to any sum and no loop over channels has a branch.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row<R, const N: usize> {
    value: Parts<R, N>,
    power: [R; N],
    present: [R; N],
    /// Whether every channel is present.
    whole: bool,
    /// `sum_n w_n |d_n|^2`.
    total: R,
}

impl<R: Real, const N: usize> Row<R, N> {
    const fn missing(zero: R) -> Self {
        let zeros = [zero; N];
        Self {
            value: Parts {
                re: zeros,
                im: zeros,
            },
            power: zeros,
            present: zeros,
            whole: false,
            total: zero,
        }
    }
}

/// The sums of one lag.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sums<R> {
    pub(crate) s: Complex<R>,
    pub(crate) p0: R,
    pub(crate) p1: R,
    /// Sum of the exponential weights of the samples that had a pair, and of their squares.
    pub(crate) weight: R,
    pub(crate) weight_sq: R,
}

impl<R: Real> Sums<R> {
    /// (sum w)^2 / sum w^2; 0 before the first pair and when all of them have decayed.
    pub(crate) fn n_eff(&self) -> R {
        if self.weight_sq < R::min_positive_value() {
            return R::zero();
        }
        self.weight * self.weight / self.weight_sq
    }

    /// Whether T has a value: `n_eff` is at least [`MIN_N_EFF`] (without a division), and there is power.
    #[inline]
    fn has_value(&self) -> bool {
        (self.weight_sq >= R::min_positive_value())
            & (self.weight * self.weight >= R::of(MIN_N_EFF) * self.weight_sq)
            & (self.p0 >= R::MIN_POWER)
            & (self.p1 >= R::MIN_POWER)
    }

    pub(crate) fn t(&self) -> Option<Complex<R>> {
        // Two roots, not the root of the product: that would overflow.
        let scale = self.p0.sqrt() * self.p1.sqrt();
        self.has_value().then(|| clamped(self.s.unscale(scale)))
    }
}

/// Removes rounding above 1, so that both |t| and |t|^2 are at most 1 as computed.
#[inline]
fn clamped<R: Real>(t: Complex<R>) -> Complex<R> {
    let one = R::one();
    let power = t.norm_sqr();
    // Below this, neither rounds to more than 1.
    if power <= one - R::of(2.0) * R::epsilon() {
        return t;
    }
    t.scale((one - R::of(4.0) * R::epsilon()) / power.sqrt())
}

/// Contribution of one sample at every lag: Re S and Im S, P0 and P1, and 1 where any channel has a pair.
pub(crate) struct Pairs<R, const L: usize> {
    s: [[R; 2]; L],
    p: [[R; 2]; L],
    paired: [R; L],
}

/// The last samples and their pairs, shared by windows over the same input.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lagged<R, const N: usize, const L: usize, const RING: usize> {
    config: ResonanceConfig<R, N, L>,
    /// The last time step and its rotation of the carrier, cached because most steps are equal.
    dt_s: R,
    turn: Complex<R>,
    rho: Complex<R>,
    ring: [Row<R, N>; RING],
    head: usize,
    non_finite: u64,
    dropped: u64,
    gaps: u64,
}

impl<R: Real, const N: usize, const L: usize, const RING: usize> Lagged<R, N, L, RING> {
    pub(crate) fn new(config: ResonanceConfig<R, N, L>) -> Result<Self, ConfigError> {
        Ok(Self::empty(config.validated(RING)?))
    }

    fn empty(config: ResonanceConfig<R, N, L>) -> Self {
        let (zero, one) = (R::zero(), R::one());
        Self {
            config,
            // No valid step equals 0 s.
            dt_s: zero,
            turn: Complex::new(one, zero),
            rho: Complex::new(one, zero),
            ring: [Row::missing(zero); RING],
            head: 0,
            non_finite: 0,
            dropped: 0,
            gaps: 0,
        }
    }

    /// Processes a sample: see [`Resonance::push`]. No pairs where it was dropped.
    #[inline]
    pub(crate) fn push(
        &mut self,
        d: &[Option<Complex<R>>],
        dt_s: R,
    ) -> (PushOutcome, Option<Pairs<R, L>>) {
        if !self.take_step(dt_s) {
            self.dropped += 1;
            return (PushOutcome::Dropped, None);
        }
        let outcome = if dt_s > self.config.max_gap_s {
            self.ring = [Row::missing(R::zero()); RING];
            self.gaps += 1;
            PushOutcome::AfterGap
        } else {
            PushOutcome::Taken
        };
        self.store(d);
        (outcome, Some(self.pairs()))
    }

    /// Rotates the carrier. False if `dt_s` is unusable.
    #[inline]
    fn take_step(&mut self, dt_s: R) -> bool {
        let nu = self.config.nu_rad_s;
        let usable = dt_s > R::zero() && dt_s.is_finite() && (nu * dt_s).is_finite();
        if !usable {
            return false;
        }
        if nu != R::zero() {
            if dt_s != self.dt_s {
                (self.dt_s, self.turn) = (dt_s, R::turn(nu * dt_s));
            }
            // From step to step, never e^{i nu t}: absolute time loses precision over a long run.
            let rho = self.rho * self.turn;
            self.rho = rho.unscale(rho.norm_sqr().sqrt());
        }
        true
    }

    /// Writes the sample into the ring.
    #[inline]
    fn store(&mut self, d: &[Option<Complex<R>>]) {
        self.head = if self.head + 1 < RING {
            self.head + 1
        } else {
            0
        };
        let channels = self.config.channels;
        let row = &mut self.ring[self.head];
        *row = Row::missing(R::zero());
        let mut count = 0;
        for (n, z) in d.iter().enumerate().take(channels.min(N)) {
            if let Some(z) = z {
                let power = z.norm_sqr();
                // False for NaN, too.
                if power <= R::MAX_POWER {
                    (row.value.re[n], row.value.im[n]) = (z.re, z.im);
                    (row.power[n], row.present[n]) = (power, R::one());
                    count += 1;
                } else {
                    self.non_finite += 1;
                }
            }
        }
        row.whole = count == channels;
        row.total = dot(&self.config.weights, &row.power, channels);
    }

    /// The pairs of the newest sample with those at every lag behind it.
    #[inline]
    fn pairs(&self) -> Pairs<R, L> {
        let channels = self.config.channels;
        let now = &self.ring[self.head];
        let weighted = |x: &[R; N]| {
            let mut weighted = self.config.weights;
            for (w, &x) in weighted.iter_mut().zip(x) {
                *w *= x;
            }
            weighted
        };
        let value = Parts {
            re: weighted(&now.value.re),
            im: weighted(&now.value.im),
        };
        let (zero, one) = (R::zero(), R::one());
        let mut pairs = Pairs {
            s: [[zero; 2]; L],
            p: [[zero; 2]; L],
            paired: [zero; L],
        };
        for (i, &lag) in self.config.lags.iter().enumerate() {
            // 0 <= lag < RING, checked by the constructor.
            let at = self.head + RING - lag;
            let old = &self.ring[if at < RING { at } else { at - RING }];
            pairs.s[i] = dot_conj(&value, &old.value, channels);
            // Where nothing is missing, the powers are those of the samples.
            if now.whole && old.whole {
                (pairs.p[i], pairs.paired[i]) = ([now.total, old.total], one);
            } else {
                let present = weighted(&now.present);
                let p0 = dot(&weighted(&now.power), &old.present, channels);
                let p1 = dot(&present, &old.power, channels);
                pairs.p[i] = [p0, p1];
                if dot(&present, &old.present, channels) > zero {
                    pairs.paired[i] = one;
                }
            }
            if self.config.nu_rad_s != zero {
                let [re, im] = pairs.s[i];
                let turned = Complex::new(re, im) * self.rho;
                pairs.s[i] = [turned.re, turned.im];
            }
        }
        pairs
    }

    pub(crate) fn config(&self) -> &ResonanceConfig<R, N, L> {
        &self.config
    }

    pub(crate) fn non_finite(&self) -> u64 {
        self.non_finite
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(crate) fn gaps(&self) -> u64 {
        self.gaps
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::empty(self.config.clone());
    }
}

/// `W` exponential windows over the same pairs: their sums at every lag, side by side.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Windows<R, const L: usize, const W: usize> {
    window_s: [R; W],
    /// The last time step, the weights of the past and of the new sample, and the squares of both: cached until
    /// the step changes.
    dt_s: R,
    lam: [R; W],
    gain: [R; W],
    lam_sq: [R; W],
    gain_sq: [R; W],
    /// Re S and Im S.
    s: [[[R; 2]; W]; L],
    /// P0 and P1.
    p: [[[R; 2]; W]; L],
    weight: [[R; W]; L],
    weight_sq: [[R; W]; L],
}

impl<R: Real, const L: usize, const W: usize> Windows<R, L, W> {
    pub(crate) fn new(window_s: [R; W]) -> Self {
        let (zero, one) = (R::zero(), R::one());
        Self {
            window_s,
            // No valid step equals 0 s.
            dt_s: zero,
            lam: [one; W],
            gain: [zero; W],
            lam_sq: [one; W],
            gain_sq: [zero; W],
            s: [[[zero; 2]; W]; L],
            p: [[[zero; 2]; W]; L],
            weight: [[zero; W]; L],
            weight_sq: [[zero; W]; L],
        }
    }

    /// Decays by `dt_s` and adds the pairs of one sample.
    #[inline]
    pub(crate) fn add(&mut self, pairs: &Pairs<R, L>, dt_s: R) {
        if dt_s != self.dt_s {
            self.dt_s = dt_s;
            for w in 0..W {
                let (lam, gain) = R::decay(dt_s / self.window_s[w]);
                (self.lam[w], self.gain[w]) = (lam, gain);
                (self.lam_sq[w], self.gain_sq[w]) = (lam * lam, gain * gain);
            }
        }
        for i in 0..L {
            for w in 0..W {
                let (lam, gain) = (self.lam[w], self.gain[w]);
                for k in 0..2 {
                    self.s[i][w][k] = lam * self.s[i][w][k] + gain * pairs.s[i][k];
                    self.p[i][w][k] = lam * self.p[i][w][k] + gain * pairs.p[i][k];
                }
                let paired = pairs.paired[i];
                self.weight[i][w] = lam * self.weight[i][w] + gain * paired;
                self.weight_sq[i][w] =
                    self.lam_sq[w] * self.weight_sq[i][w] + self.gain_sq[w] * paired;
            }
        }
    }

    /// One window's sums at the lag with this index.
    #[inline]
    pub(crate) fn at(&self, window: usize, lag_index: usize) -> Option<Sums<R>> {
        let &[re, im] = self.s.get(lag_index)?.get(window)?;
        let [p0, p1] = self.p[lag_index][window];
        Some(Sums {
            s: Complex::new(re, im),
            p0,
            p1,
            weight: self.weight[lag_index][window],
            weight_sq: self.weight_sq[lag_index][window],
        })
    }

    /// Every window's T at every lag; `None` of a window unless all lags have a value.
    #[inline]
    pub(crate) fn all_t(&self) -> [Option<[Complex<R>; L]>; W] {
        let mut all = [[Complex::new(R::zero(), R::zero()); L]; W];
        let mut enough = [true; W];
        for i in 0..L {
            // All roots, then all quotients: two windows fill one vector of each.
            let roots = self.p[i].map(|p| p.map(|p| p.sqrt()));
            for w in 0..W {
                let [re, im] = self.s[i][w];
                let scale = roots[w][0] * roots[w][1];
                all[w][i] = Complex::new(re / scale, im / scale);
            }
            for w in 0..W {
                let sums = self.at(w, i);
                enough[w] &= sums.is_some_and(|sums| sums.has_value());
            }
        }
        let mut of_windows = [None; W];
        for w in 0..W {
            of_windows[w] = enough[w].then(|| all[w].map(clamped));
        }
        of_windows
    }

    pub(crate) fn window_s(&self, window: usize) -> R {
        self.window_s[window]
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.window_s);
    }
}

/// The mean of |T|^2 over lags.
#[inline]
pub(crate) fn order<R: Real, const L: usize>(t: &[Complex<R>; L]) -> R {
    mean(t, |t| t.norm_sqr())
}

#[inline]
fn mean<R: Real, const L: usize>(t: &[Complex<R>; L], of: impl Fn(&Complex<R>) -> R) -> R {
    t.iter().fold(R::zero(), |sum, t| sum + of(t)) / R::of(L as f64)
}

/// `T_tau` over an exponential window, at `L` lags, of up to `N` channels.
///
/// `RING` is the number of samples kept, and must exceed the largest lag. The cost of a push is
/// proportional to (active channels) x `L`, without allocation.
///
/// The input may be any linear image of the channels: the phase velocity from
/// [`PhaseVelocity`](crate::PhaseVelocity) (its order measures a steady rhythm), or the raw levels. The sign
/// convention: a tone of f Hz has `T_tau = e^{i 2 pi f tau}`.
///
/// While channels are constant or missing, S, P0 and P1 decay alike and T keeps its last value until they are
/// too small to divide: without samples after some 40 windows in `f32` and 350 in `f64`, where the squared
/// weights become subnormal; with constant channels once the powers are under [`Real::MIN_POWER`].
///
/// ```
/// use becomingone_kernel::{Complex, Resonance, ResonanceConfig};
///
/// // Two channels that turn a quarter each sample, in opposite phase.
/// let config = ResonanceConfig::<f64, 2, 1>::new(2, 1.0, [1]);
/// let mut resonance = Resonance::<f64, 2, 1, 2>::new(config)?;
/// let mut d = Complex::new(1.0, 0.0);
/// for _ in 0..20 {
///     resonance.push(&[Some(d), Some(-d)], 0.02);
///     d *= Complex::i();
/// }
/// let t = resonance.t(0).unwrap_or_default();
/// assert!((t - Complex::i()).norm() < 1e-12);
/// # Ok::<(), becomingone_kernel::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Resonance<R, const N: usize, const L: usize, const RING: usize> {
    lagged: Lagged<R, N, L, RING>,
    windows: Windows<R, L, 1>,
}

impl<R: Real, const N: usize, const L: usize, const RING: usize> Resonance<R, N, L, RING> {
    /// A resonance before its first sample. The weights of the active channels are scaled to sum 1.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] naming the first field out of range; see [`ResonanceConfig`].
    pub fn new(config: ResonanceConfig<R, N, L>) -> Result<Self, ConfigError> {
        let lagged = Lagged::new(config)?;
        Ok(Self {
            windows: Windows::new([lagged.config().window_s]),
            lagged,
        })
    }

    /// Processes one sample of every channel.
    ///
    /// `d` holds one entry per channel: `None` is missing. Channels beyond its end are missing; entries beyond
    /// [`channels`](Self::channels) are not read. NaN, infinity, and |d|^2 above [`Real::MAX_POWER`] are
    /// counted and treated as missing. `dt_s` is the time since the last accepted push, in seconds.
    ///
    /// A `dt_s` that is zero, negative, infinite or NaN, or that rotates the carrier by an infinite angle,
    /// drops the push. A `dt_s` above `max_gap_s` clears the ring first: no pair spans the gap. The sums are
    /// kept, and decay by its length as by any other.
    pub fn push(&mut self, d: &[Option<Complex<R>>], dt_s: R) -> PushOutcome {
        let (outcome, pairs) = self.lagged.push(d, dt_s);
        if let Some(pairs) = pairs {
            self.windows.add(&pairs, dt_s);
        }
        outcome
    }

    /// T at the lag with this index: complex, |T| <= 1, dimensionless.
    ///
    /// `None` while [`n_eff`](Self::n_eff) is under [`MIN_N_EFF`], while a power is under
    /// [`Real::MIN_POWER`], and for an index of no lag.
    pub fn t(&self, lag_index: usize) -> Option<Complex<R>> {
        self.windows.at(0, lag_index)?.t()
    }

    /// T at every lag; `None` unless all have a value.
    pub fn all_t(&self) -> Option<[Complex<R>; L]> {
        self.windows.all_t()[0]
    }

    /// Order: the mean of |T|^2 over the lags, 0 to 1.
    ///
    /// 1 for every complex tone; for a real tone of f Hz, the mean of cos^2(2 pi f tau). The mean
    /// of the complex T would cancel: a tone has another phase at each lag. `None` unless every
    /// lag has a value.
    pub fn order(&self) -> Option<R> {
        self.all_t().as_ref().map(order)
    }

    /// The mean of Re T over the lags, -1 to 1: for innovations, which have no carrier. `None`
    /// unless every lag has a value.
    pub fn mean_re(&self) -> Option<R> {
        self.all_t().map(|t| mean(&t, |t| t.re))
    }

    /// Effective samples at the lag with this index: (sum w)^2 / sum w^2 over the exponential
    /// weights of the samples at which any channel of weight above 0 had a pair.
    ///
    /// Tends to (1+lam)/(1-lam), about `2 T_w/dt`. `None` for an index of no lag.
    pub fn n_eff(&self, lag_index: usize) -> Option<R> {
        self.windows.at(0, lag_index).map(|sums| sums.n_eff())
    }

    /// Active channels.
    pub fn channels(&self) -> usize {
        self.lagged.config().channels
    }

    /// The configuration, its weights scaled to sum 1 over the active channels, and 0 beyond.
    pub fn config(&self) -> &ResonanceConfig<R, N, L> {
        self.lagged.config()
    }

    /// Values that were present but NaN, infinite or too large to square.
    pub fn non_finite(&self) -> u64 {
        self.lagged.non_finite()
    }

    /// Pushes dropped because of their time step.
    pub fn dropped(&self) -> u64 {
        self.lagged.dropped()
    }

    /// Gaps longer than `max_gap_s`.
    pub fn gaps(&self) -> u64 {
        self.lagged.gaps()
    }

    /// Resets to the state after [`new`](Self::new): sums, ring, carrier and counters.
    pub fn reset(&mut self) {
        self.lagged.reset();
        self.windows.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type One = Resonance<f64, 1, 1, 4>;

    fn one(lag: usize) -> Result<One, ConfigError> {
        Resonance::new(ResonanceConfig::new(1, 1.0, [lag]))
    }

    /// The tone e^{i angle k} at sample k.
    fn tone(angle: f64, k: u32) -> Option<Complex<f64>> {
        Some(<f64 as Real>::turn(angle * f64::from(k)))
    }

    fn near(t: Option<Complex<f64>>, expected: Complex<f64>) -> bool {
        t.is_some_and(|t| (t - expected).norm() < 1e-12)
    }

    #[test]
    fn each_field_is_checked() {
        type Config = ResonanceConfig<f64, 2, 2>;
        let good = Config::new(2, 1.0, [0, 3]);
        let refused = |change: fn(&mut Config)| {
            let mut config = good.clone();
            change(&mut config);
            Resonance::<f64, 2, 2, 4>::new(config).err()
        };
        assert_eq!(refused(|_| ()), None);
        assert_eq!(refused(|c| c.max_gap_s = f64::INFINITY), None);
        assert_eq!(
            refused(|c| c.channels = 3),
            Some(ConfigError::Channels {
                channels: 3,
                capacity: 2
            })
        );
        assert!(matches!(
            refused(|c| c.channels = 0),
            Some(ConfigError::Channels { .. })
        ));
        assert_eq!(
            refused(|c| c.lags = [1, 4]),
            Some(ConfigError::Lag { lag: 4, ring: 4 })
        );
        for (name, bad) in [("zero", 0.0), ("negative", -1.0), ("NaN", f64::NAN)] {
            let mut config = good.clone();
            config.window_s = bad;
            let error = Resonance::<f64, 2, 2, 4>::new(config).err();
            assert!(
                matches!(error, Some(ConfigError::Window { .. })),
                "window {name}"
            );
            let mut config = good.clone();
            config.max_gap_s = bad;
            let error = Resonance::<f64, 2, 2, 4>::new(config).err();
            assert!(
                matches!(error, Some(ConfigError::MaxGap { .. })),
                "gap {name}"
            );
        }
        let window = refused(|c| c.window_s = f64::INFINITY);
        assert!(matches!(window, Some(ConfigError::Window { .. })));
        let nu = refused(|c| c.nu_rad_s = f64::NAN);
        assert!(matches!(nu, Some(ConfigError::CycleFrequency { .. })));
        assert_eq!(
            refused(|c| c.weights = [1.0, -1.0]),
            Some(ConfigError::Weight {
                channel: 1,
                weight: -1.0
            })
        );
        let weight = refused(|c| c.weights = [f64::NAN, 1.0]);
        assert!(matches!(
            weight,
            Some(ConfigError::Weight { channel: 0, .. })
        ));
        assert_eq!(
            refused(|c| c.weights = [0.0; 2]),
            Some(ConfigError::WeightSum { sum: 0.0 })
        );
        let sum = refused(|c| c.weights = [f64::MAX; 2]);
        assert!(matches!(sum, Some(ConfigError::WeightSum { .. })));
        let no_lags = Resonance::<f64, 2, 0, 4>::new(ResonanceConfig::new(1, 1.0, []));
        assert_eq!(no_lags.err(), Some(ConfigError::NoLags));
    }

    #[test]
    fn weights_beyond_the_active_channels_are_not_read() -> Result<(), ConfigError> {
        let mut config = ResonanceConfig::<f64, 3, 1>::new(2, 1.0, [1]);
        config.weights = [1.0, 3.0, f64::NAN];
        let resonance = Resonance::<f64, 3, 1, 2>::new(config)?;
        assert_eq!(resonance.config().weights[..2], [0.25, 0.75]);
        Ok(())
    }

    #[test]
    fn effective_samples_follow_the_geometric_series() -> Result<(), ConfigError> {
        let (dt, lag) = (0.05, 2);
        let lam: f64 = libm::exp(-dt);
        let mut resonance = one(lag)?;
        for push in 1..=200_u32 {
            resonance.push(&[tone(0.3, push)], dt);
            let pairs = push.saturating_sub(lag as u32) as i32;
            // sum w = 1 - lam^n; sum w^2 = (1 - lam)^2 (1 - lam^2n)/(1 - lam^2).
            let sum = 1.0 - lam.powi(pairs);
            let squares = (1.0 - lam) * (1.0 - lam.powi(2 * pairs)) / (1.0 + lam);
            let expected = if pairs == 0 { 0.0 } else { sum * sum / squares };
            let n_eff = resonance.n_eff(0).unwrap_or_default();
            assert!(
                (n_eff - expected).abs() < 1e-9,
                "{push}: {n_eff} {expected}"
            );
            assert_eq!(resonance.t(0).is_some(), expected >= MIN_N_EFF, "{push}");
        }
        assert_eq!(resonance.n_eff(1), None);
        assert_eq!(resonance.t(1), None);
        Ok(())
    }

    #[test]
    fn missing_samples_do_not_count_as_effective() -> Result<(), ConfigError> {
        let mut resonance = one(1)?;
        for k in 0..30 {
            resonance.push(&[tone(0.3, k)], 0.02);
        }
        let (n_eff, t) = (resonance.n_eff(0).unwrap_or_default(), resonance.t(0));
        for _ in 0..20 {
            resonance.push(&[None], 0.02);
        }
        assert!((resonance.n_eff(0).unwrap_or_default() / n_eff - 1.0).abs() < 1e-12);
        assert!(near(resonance.t(0), t.unwrap_or_default()));
        Ok(())
    }

    #[test]
    fn a_channel_without_pairs_does_not_contribute() -> Result<(), ConfigError> {
        // Channel 1 is present at every second sample only, so it has no pair at lag 1.
        let mut resonance = Resonance::<f64, 2, 1, 2>::new(ResonanceConfig::new(2, 1.0, [1]))?;
        for k in 0..40 {
            let noise = Some(Complex::new(f64::from(k * k % 7) * 100.0, 3.0));
            resonance.push(&[tone(0.3, k), if k % 2 == 0 { noise } else { None }], 0.02);
        }
        assert!(near(resonance.t(0), <f64 as Real>::turn(0.3)));
        Ok(())
    }

    #[test]
    fn a_channel_of_weight_zero_does_not_contribute() -> Result<(), ConfigError> {
        let mut config = ResonanceConfig::new(2, 1.0, [1]);
        config.weights = [2.0, 0.0];
        let mut resonance = Resonance::<f64, 2, 1, 2>::new(config)?;
        for k in 0..20 {
            resonance.push(&[None, tone(0.9, k)], 0.02);
        }
        assert_eq!(resonance.n_eff(0), Some(0.0));
        for k in 0..20 {
            resonance.push(&[tone(0.3, k), tone(0.9, k)], 0.02);
        }
        assert!(near(resonance.t(0), <f64 as Real>::turn(0.3)));
        Ok(())
    }

    #[test]
    fn t_weights_channels_by_weight_times_power() -> Result<(), ConfigError> {
        // T = sum w_n |d_n|^2 e^{i a_n} / sum w_n |d_n|^2 with w = (1/4, 3/4) and |d| = (2, 1).
        let mut config = ResonanceConfig::new(2, 1.0, [1]);
        config.weights = [1.0, 3.0];
        let mut resonance = Resonance::<f64, 2, 1, 2>::new(config)?;
        for k in 0..20 {
            resonance.push(&[tone(0.3, k).map(|d| d * 2.0), tone(-1.1, k)], 0.02);
        }
        let turn = <f64 as Real>::turn;
        assert!(near(
            resonance.t(0),
            (turn(0.3) * 4.0 + turn(-1.1) * 3.0) / 7.0
        ));
        Ok(())
    }

    #[test]
    fn an_unusable_step_changes_nothing_but_the_counter() -> Result<(), ConfigError> {
        let mut config = ResonanceConfig::new(1, 1.0, [1]);
        config.nu_rad_s = 2.0;
        let mut resonance = Resonance::<f64, 1, 1, 4>::new(config)?;
        for k in 0..20 {
            resonance.push(&[tone(0.3, k)], 0.02);
        }
        let mut before = resonance.clone();
        for bad in [
            0.0,
            -0.0,
            -0.02,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MAX,
        ] {
            assert_eq!(
                resonance.push(&[tone(1.0, 7)], bad),
                PushOutcome::Dropped,
                "{bad}"
            );
        }
        assert_eq!(resonance.dropped(), 7);
        before.lagged.dropped = 7;
        assert_eq!(resonance, before);
        Ok(())
    }

    #[test]
    fn a_gap_clears_the_ring_and_keeps_the_sums() -> Result<(), ConfigError> {
        let expected = <f64 as Real>::turn(0.3);
        for (max_gap_s, seen) in [(0.1, false), (f64::INFINITY, true)] {
            let mut config = ResonanceConfig::new(1, 1.0, [1]);
            config.max_gap_s = max_gap_s;
            let mut resonance = Resonance::<f64, 1, 1, 4>::new(config)?;
            for k in 0..20 {
                assert_eq!(resonance.push(&[tone(0.3, k)], 0.1), PushOutcome::Taken);
            }
            // After the gap the tone has another phase: a pair across it would show.
            let outcome = resonance.push(&[tone(0.3, 25)], 0.5);
            assert_eq!(
                outcome,
                if seen {
                    PushOutcome::Taken
                } else {
                    PushOutcome::AfterGap
                }
            );
            assert_eq!(resonance.gaps(), u64::from(!seen));
            assert_eq!(near(resonance.t(0), expected), !seen);
            resonance.push(&[tone(0.3, 26)], 0.1);
            assert_eq!(near(resonance.t(0), expected), !seen);
        }
        Ok(())
    }

    #[test]
    fn broken_values_are_missing_and_counted() -> Result<(), ConfigError> {
        let mut resonance = one(1)?;
        for k in 0..60 {
            let broken = [f64::NAN, f64::INFINITY, 1e151];
            let d = match broken.get(k as usize % 6) {
                Some(&x) => Some(Complex::new(0.0, x)),
                None => tone(0.3, k),
            };
            resonance.push(&[d], 0.02);
        }
        assert_eq!(resonance.non_finite(), 30);
        assert!(near(resonance.t(0), <f64 as Real>::turn(0.3)));
        Ok(())
    }

    #[test]
    fn t_has_no_value_without_power() -> Result<(), ConfigError> {
        let mut resonance = one(1)?;
        for _ in 0..100 {
            resonance.push(&[Some(Complex::new(0.0, 0.0))], 0.02);
        }
        assert_eq!(
            (resonance.t(0), resonance.order(), resonance.mean_re()),
            (None, None, None)
        );
        Ok(())
    }

    #[test]
    fn t_has_no_value_if_one_side_of_all_pairs_has_no_power() -> Result<(), ConfigError> {
        // With every third sample missing, one side of all pairs is zero and the other is not.
        for pair in [[1.0, 0.0], [0.0, 1.0], [1.0, 1e-101], [1e-101, 1.0]] {
            let mut resonance = one(1)?;
            for _ in 0..50 {
                for x in pair {
                    resonance.push(&[Some(Complex::new(x, 0.0))], 0.02);
                }
                resonance.push(&[None], 0.02);
            }
            assert!(resonance.n_eff(0) > Some(MIN_N_EFF));
            assert_eq!(resonance.t(0), None, "{pair:?}");
        }
        Ok(())
    }

    #[test]
    fn the_carrier_keeps_unit_modulus() -> Result<(), ConfigError> {
        let mut config = ResonanceConfig::new(1, 1.0, [1]);
        config.nu_rad_s = 37.0;
        let mut resonance = Resonance::<f32, 1, 1, 2>::new(config)?;
        for _ in 0..1_000_000 {
            resonance.push(&[None], 0.02);
        }
        assert!((resonance.lagged.rho.norm() - 1.0).abs() < 1e-6);
        Ok(())
    }

    #[test]
    fn reset_restores_the_initial_state() -> Result<(), ConfigError> {
        let mut resonance = one(1)?;
        let new = resonance.clone();
        for k in 0..20 {
            resonance.push(&[tone(0.3, k)], if k == 9 { -1.0 } else { 0.02 });
        }
        assert_ne!(resonance, new);
        resonance.reset();
        assert_eq!(resonance, new);
        Ok(())
    }

    #[test]
    fn clamped_is_at_most_one_as_computed() {
        for k in 0..10_000_u32 {
            let t = <f64 as Real>::turn(f64::from(k)) * (1.0 + f64::from(k % 13) * 1e-16);
            let t = clamped(t);
            assert!(t.norm() <= 1.0 && t.norm_sqr() <= 1.0 && t.norm() > 1.0 - 1e-14);
            let t = clamped(<f32 as Real>::turn(k as f32) * (1.0 + (k % 13) as f32 * 6e-8));
            assert!(t.norm() <= 1.0 && t.norm_sqr() <= 1.0 && t.norm() > 1.0 - 1e-5);
        }
    }
}
