"""Reference implementation of the detector of issue 15: numpy only, row by row, an oracle for the Rust code.

    detect(x, baseline) -> dict(score, surprise, coherence, flag, state, blame, share, ...)
    fit(x[:baseline]) -> Model;   Stream(model).step(row) -> (T, F, l, l2);   Alarm(model).step(l, l2) -> (y, flag, state)

Everything is learned from the baseline rows, everything after is causal. See SPEC.md for the equations.
"""
import numpy as np

# ---- constants: the same for every machine, chosen on half A of the files and on valve1 ------------------------------
W_ACT, W_L, W_A, W_I, W_SHIFT, W_E, W_SLOW = 10., 10., 40., 10., 20., 10., 40.   # windows, rows; EW gain a = 1 - exp(-1/W)
LAM_L, LAM_A, LAM_I, LAM_E = .1, .1, .1, .01      # ridge of the four whitenings, in units of variance 1
CAP, CAP_E = 25., 1e4                             # cap of one channel's squared whitened value (L, A, I; E)
CLIP = 30.                                        # clip of z, r and t, in deviations
CONST = 10.                                       # |z| of a channel that was constant in the baseline and is not where it was
CLAMP = 5.                                        # clamp of a level as a regressor of other channels, in deviations
RIDGE = 1.                                        # ridge of the predictor against sums over rows
MEAN_OF = 5                                       # rows of the short mean
SHARE_E = .3                                      # share of the measured covariance of the shift; the rest: white law
FLOOR = np.array([2., 2., 1.5, 6.])               # least thresholds of L, A, I, E (their healthy mean is about 1)
FOLDS = 5
F_EPS, F_MAX, REF_MIN = .03, 2., np.log(.5)       # l = ln(F + .03), cut at 2; least start of the reference
W_REF, GATE = 400., .4                            # learning of the reference: window in rows; only while y < GATE
REF_HIGH = 0.                                     # it learns no higher than the thresholds, F = 1
ON_MIN, FAST, CALM = .65, .45, .1                 # least onset of an alarm, in ln F above the reference; quantile for its depth
KEEP, OFF, W_PLATEAU, REARM = .6, .5, 100., .5    # end of an alarm, re-arming
DWELL, RELEASE = 3, 5                             # rows
gain = lambda w: 1 - np.exp(-1 / w)

# ---- fit -------------------------------------------------------------------------------------------------------------
def scored(a):
    """Channels that are scored: not switches (only 0 and 1 in the baseline), unless all are."""
    switch = ((a == 0) | (a == 1)).all(0)
    return ~switch if not switch.all() else np.ones(a.shape[1], bool)

def root(c, lam):
    """ZCA whitening W = (C + lam I)^-1/2, symmetric, its rows scaled so that each component has variance 1 under C."""
    w, v = np.linalg.eigh(c)
    m = (v / np.sqrt(np.maximum(w, 0) + lam)) @ v.T
    s = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", m, c, m), 1e-6))
    return m / s[:, None]

def cov(a): return np.atleast_2d(np.cov(a.T)) if a.shape[1] > 1 else np.array([[a.var(ddof=1)]])

class Fit:
    """Model of the rows `rows` of a baseline; its streams run over all of it, in order."""
    def __init__(self, x, rows):
        n = self.n = x.shape[1]
        self.mean, sd = x[rows].mean(0), x[rows].std(0)
        self.moving = sd > 1e-12 * abs(self.mean)                             # else constant
        self.sd = np.where(self.moving, sd, 1.)
        z = np.array([self.scale(row) for row in x])
        self.w_l = root(cov(z[rows]), LAM_L)
        # activity: deviation of each channel over its last 10 rows or so
        act = np.empty_like(z); m, v, a = z[0].copy(), z[0]**2, gain(W_ACT)
        for k in range(len(z)):
            m += a * (z[k] - m); v += a * (z[k]**2 - v); act[k] = np.sqrt(np.maximum(v - m * m, 0))
        warm = rows[rows >= 3 * W_ACT]                                  # the window has filled
        self.act_mean = act[warm].mean(0)
        s = act[warm].std(0); self.act_sd = np.where(s > 1e-3, s, np.where(self.moving, 1e-3, 1.))
        t = np.clip((act - self.act_mean) / self.act_sd, -CLIP, CLIP); self.w_a = root(cov(t[warm]), LAM_A)
        # predictor of the increment: from the channel itself, and from all
        last = np.vstack([z[:1], z[:-1]])
        mean5 = sum(np.vstack([np.repeat(z[:1], k, 0), z[:-k]]) for k in range(1, MEAN_OF + 1)) / MEAN_OF
        y, reg = z - last, np.hstack([last, last - mean5])
        self.reg_mean, s = reg[rows].mean(0), reg[rows].std(0); self.reg_sd = np.where(s > 1e-9, s, 1.); self.y_mean = y[rows].mean(0)
        p = (reg[rows] - self.reg_mean) / self.reg_sd; g, h = p.T @ p, p.T @ (y[rows] - self.y_mean)
        prior = np.zeros((2 * n, n)); prior[:n] = -np.diag(self.reg_sd[:n])  # without evidence a channel returns to its mean
        self.b_all = np.linalg.solve(g + RIDGE * np.eye(2 * n), h + RIDGE * prior)
        self.b_self = np.zeros((2 * n, n))
        for j in range(n):
            i = [j, n + j]; self.b_self[i, j] = np.linalg.solve(g[np.ix_(i, i)] + RIDGE * np.eye(2), h[i, j] + RIDGE * prior[i, j])
        self.low, self.high = np.minimum(last[rows].min(0), -CLAMP), np.maximum(last[rows].max(0), CLAMP)
        self.z, self.reg, self.rows = z, reg, rows

    def scale(self, row):
        z = (row - self.mean) / self.sd
        off = abs(row - self.mean) > 1e-9 * abs(self.mean)
        return np.where(self.moving, np.clip(z, -CLIP, CLIP), np.sign(z) * CONST * off)

    def innovation(self, b, last, gain_, z):
        """Of one row, or of all: what was not foreseen. Others' levels are clamped, its own is not."""
        held = np.clip(last, self.low, self.high)
        reg = (np.concatenate([held, gain_], -1) - self.reg_mean) / self.reg_sd
        return z - last - self.y_mean - reg @ b - (last - held) * (np.diag(b[:self.n]) / self.reg_sd[:self.n])

    def choose(self, use_all):
        """Sets the predictor of each channel, then the laws of the innovations."""
        n, rows = self.n, self.rows
        self.b = np.where(use_all, self.b_all, self.b_self)
        r = self.innovation(self.b, self.reg[:, :n], self.reg[:, n:], self.z)
        self.r_sd = np.maximum(r[rows].std(0), 1e-3); r = np.clip(r / self.r_sd, -CLIP, CLIP)
        self.w_i = root(cov(r[rows]), LAM_I)
        e = np.empty_like(r); s, a = np.zeros(n), gain(W_SHIFT)
        for k in range(len(r)): s = s + a * (r[k] - s); e[k] = s
        c = SHARE_E * cov(e[rows]) + (1 - SHARE_E) * a / (2 - a) * cov(r[rows])
        self.e_sd = np.maximum(np.sqrt(np.diag(c)), 1e-3); self.w_e = root(c / np.outer(self.e_sd, self.e_sd), LAM_E)
        return self

class Stream:
    """The four statistics, row by row, from healthy states on. `part[j, i]`: channel i's part of statistic j."""
    def __init__(self, fit):
        self.f, n = fit, fit.n
        self.part = np.ones((4, n)); self.shift = np.zeros(n); self.ring = None
        self.gains = np.array([gain(w) for w in (W_L, W_A, W_I, W_E)])[:, None]

    def step(self, row):
        f = self.f; z = f.scale(row)
        if self.ring is None:                                            # healthy: at rest here, as active as usual
            self.ring = np.repeat(z[None], MEAN_OF, 0); self.m = z.copy(); self.v = z**2 + f.act_mean**2
        last = self.ring[0]
        r = np.clip(f.innovation(f.b, last, last - self.ring.mean(0), z) / f.r_sd, -CLIP, CLIP)
        self.ring = np.vstack([z[None], self.ring[:-1]])
        a = gain(W_ACT); self.m = self.m + a * (z - self.m); self.v = self.v + a * (z**2 - self.v)
        t = np.clip((np.sqrt(np.maximum(self.v - self.m**2, 0)) - f.act_mean) / f.act_sd, -CLIP, CLIP)
        self.shift = self.shift + gain(W_SHIFT) * (r - self.shift)
        u = np.stack([f.w_l @ z, f.w_a @ t, f.w_i @ r, f.w_e @ (self.shift / f.e_sd)])
        now = np.minimum(u * u, np.array([CAP, CAP, CAP, CAP_E])[:, None])
        self.part = self.part + self.gains * (now - self.part)
        return self.part.mean(1)                                         # L, A, I, E: about 1 while healthy

def run(fit, x):
    s = Stream(fit); return np.array([s.step(row) for row in x])

class Slow:
    """l2 = (l + EW40(l))/2. The window fills: the mean of what there was."""
    def __init__(self): self.s = self.w = 0.
    def step(self, l):
        a = gain(W_SLOW); self.s += a * (l - self.s); self.w += a * (1 - self.w); return .5 * l + .5 * self.s / self.w

def log_f(stat, q): return np.minimum(np.log((stat / q).mean(-1) + F_EPS), F_MAX)

class Alarm:
    """Reference m, alarm, re-arming. state: 0 healthy, 1 fault, 2 changed, fault over."""
    def __init__(self, ref, on=np.inf, fast=np.inf, low=-np.inf):
        self.m, self.on, self.fast, self.low = ref, on, fast, min(low, ref); self.alarm = False; self.count = 0; self.after = None
    def step(self, l, slow):
        l2 = slow.step(l)
        if not self.alarm:
            self.count = self.count + 1 if (l2 - self.m > self.on or l - self.m > self.fast) else 0
            if self.count >= DWELL: self.alarm, self.count, self.mean, self.top, self.after = True, 0, l, l, None
        else:
            self.mean += (l - self.mean) / W_PLATEAU; self.top = max(self.top, self.mean)
            self.count = self.count + 1 if l < self.m + max(OFF, KEEP * (self.top - self.m)) else 0
            if self.count >= RELEASE:
                self.alarm, self.count, self.after = False, 0, self.m + self.on
                if l > self.m: self.m += REARM * (l - self.m)            # half of what is left is accepted
                slow.s = l * slow.w; l2 = l                              # what is over is not remembered
        self.l2 = l2
        y = l2 - self.m
        if not self.alarm and y < GATE:
            m = self.m + y / W_REF                                       # learns: not above F = 1, not below the baseline's own calm
            self.m = min(m, max(self.m, REF_HIGH)) if y > 0 else max(m, min(self.m, self.low)); y = l2 - self.m
        if self.after is not None and l2 <= self.after: self.after = None
        return y, self.alarm, 1 if self.alarm else 2 if self.after is not None else 0

class Model:
    """fit, thresholds q, start of the reference, onset: all from the baseline."""
    def __init__(self, a):
        b, n = a.shape; edge = np.linspace(0, b, FOLDS + 1).astype(int); fits, bad = [], np.zeros((2, n))
        for lo, hi in zip(edge[:-1], edge[1:]):                          # cross-fitting: each fifth is judged by the other four
            f = Fit(a, np.r_[0:lo, hi:b]); fits.append((f, lo, hi)); reg = f.reg[lo:hi]
            for k, w in enumerate((f.b_all, f.b_self)): bad[k] += (f.innovation(w, reg[:, :n], reg[:, n:], f.z[lo:hi])**2).sum(0)
        self.use_all = bad[0] < bad[1]
        held = [run(f.choose(self.use_all), a)[lo:hi] for f, lo, hi in fits]; self.held = held
        h = np.vstack(held)
        self.q = np.maximum(h.max(0), FLOOR)
        self.ref = max(np.median(log_f(h, self.q)), REF_MIN)
        self.fit = Fit(a, np.arange(b)).choose(self.use_all)
        # Onset: the machine's own baseline, as its final model sees it, never alarms. No cap.
        stat = run(self.fit, a); l = log_f(stat, self.q); s, al = Slow(), Alarm(self.ref); l2 = np.empty(b)
        y, d = np.empty(b), np.empty(b)
        for k in range(b): y[k] = al.step(l[k], s)[0]; l2[k] = al.l2; d[k] = l[k] - al.m
        self.on = max(ON_MIN, y.max()); self.fast = max(self.on + FAST, d.max()); self.low = min(self.ref, np.quantile(l2, CALM))
        self.unlike = [float(np.median(h, 0).mean()) for h in held]      # above 4: that fifth is unlike the others
        self.least, self.most = a.min(0), a.max(0)

def fill(x):
    """Missing values hold the last one; before the first one, they are the first."""
    x = np.array(x, float)
    for j in range(x.shape[1]):
        ok = np.isfinite(x[:, j]); i = np.where(ok, np.arange(len(x)), -1); np.maximum.accumulate(i, out=i)
        x[:, j] = 0. if not ok.any() else np.where(i >= 0, x[np.maximum(i, 0), j], x[np.argmax(ok), j])
    return x

def detect(x, baseline):
    x = fill(x); use = scored(x[:baseline]); names = np.flatnonzero(use); a = x[:, use]; model = Model(a[:baseline])
    stream, slow, alarm = Stream(model.fit), Slow(), Alarm(model.ref, model.on, model.fast, model.low)
    n = len(x); y, flag, state, blame = np.zeros(n), np.zeros(n, bool), np.zeros(n, int), np.full(n, -1)
    stat = np.empty((n, 4)); share = np.zeros((n, len(names)))
    span = model.most - model.least; least, most = model.least - .5 * span, model.most + .5 * span
    sw = x[:, ~use]; new_switch = ((sw < sw[:baseline].min(0)) | (sw > sw[:baseline].max(0))).any(1) if sw.shape[1] else np.zeros(n, bool)
    for k in range(n):
        stat[k] = stream.step(a[k]); l = float(log_f(stat[k], model.q))
        part = (stream.part / model.q[:, None]).sum(0); share[k] = part / part.sum()
        if k < baseline: slow.step(l)
        else:
            y[k], flag[k], state[k] = alarm.step(l, slow)
            if flag[k]: blame[k] = names[np.argmax(part)]
            elif state[k] == 0 and (new_switch[k] or (a[k] < least).any() or (a[k] > most).any()): state[k] = 3
    surprise = np.exp(y - model.on)
    return dict(score=y, surprise=surprise, coherence=1 / (1 + surprise), flag=flag, state=state, blame=blame, share=share, channels=names,
                statistics=stat, severity=(stat / model.q).mean(1), thresholds=model.q, model=model)
