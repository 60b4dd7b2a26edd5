//! When a watch fires: once an episode, in the tick in which its condition has held for its dwell.

use super::window::Window;

/// Standard deviations of the last 10 s that a change has at least, unless it is given.
const DEVIATIONS: f64 = 4.0;

/// To which side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Over the threshold.
    Up,
    /// Under it.
    Down,
}

impl Side {
    /// 1 or -1: what is over a threshold times this is over it, for both sides.
    fn sign(self) -> f64 {
        match self {
            Self::Up => 1.0,
            Self::Down => -1.0,
        }
    }
}

/// A condition of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rule {
    /// The value is on this side of a threshold. Where `edge` is set, it has to have been on the other one before.
    Level {
        side: Side,
        value: f64,
        hysteresis: f64,
        edge: bool,
    },
    /// The value changes sides. After that, the way back is one over the threshold by `hysteresis`.
    Cross { value: f64, hysteresis: f64 },
    /// The value differs from its mean of the last 10 s to this side, by `by`; without it by four standard deviations of
    /// these 10 s, and at least by `least`.
    Change {
        side: Side,
        by: Option<f64>,
        least: f64,
    },
}

/// What a condition found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fired {
    pub(super) side: Side,
    /// The threshold that was passed.
    pub(super) threshold: f64,
    /// Of a change: the mean that it is from.
    pub(super) mean: Option<f64>,
    /// The value.
    pub(super) x: f64,
}

/// A rule in its run.
#[derive(Clone, Debug)]
pub(super) struct Predicate {
    rule: Rule,
    dwell_ns: u64,
    /// Whether it may fire; none before the first value.
    armed: Option<bool>,
    /// When the condition began to hold (ns).
    since_ns: Option<u64>,
    /// Of a crossing: the side where the value is.
    side: Option<Side>,
    /// Of a change: the threshold and the mean when it began.
    begun: (f64, f64),
    /// Of a change: the last 10 s.
    window: Option<Box<Window>>,
}

impl Predicate {
    pub(super) fn new(rule: Rule, dwell_ns: u64) -> Self {
        let window = matches!(rule, Rule::Change { .. }).then(Box::default);
        Self {
            rule,
            dwell_ns,
            armed: None,
            since_ns: None,
            side: None,
            begun: (0.0, 0.0),
            window,
        }
    }

    /// As before the first tick.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.rule, self.dwell_ns);
    }

    /// Whether it may fire.
    pub(super) fn is_armed(&self) -> bool {
        match self.rule {
            Rule::Level { .. } => self.armed != Some(false),
            Rule::Cross { .. } => true,
            Rule::Change { .. } => {
                let is_full = |window: &Window| window.moments().is_some();
                self.armed != Some(false) && self.window.as_deref().is_some_and(is_full)
            }
        }
    }

    /// Takes the value of a tick. Without one, what held so far is broken.
    pub(super) fn step(&mut self, now_ns: u64, tick_ns: u64, x: Option<f64>) -> Option<Fired> {
        let Some(x) = x.filter(|x| x.is_finite()) else {
            self.since_ns = None;
            if let Some(window) = &mut self.window {
                **window = Window::default();
            }
            return None;
        };
        match self.rule {
            Rule::Level {
                side,
                value,
                hysteresis,
                edge,
            } => {
                let sign = side.sign();
                let holds = sign * x > sign * value;
                let armed = self.armed.get_or_insert(!edge || !holds);
                if !*armed {
                    *armed = sign * x <= sign * value - hysteresis;
                    return None;
                }
                self.held(now_ns, holds).then(|| {
                    self.armed = Some(false);
                    Fired {
                        side,
                        threshold: value,
                        mean: None,
                        x,
                    }
                })
            }
            Rule::Cross { value, hysteresis } => {
                let of = |x: f64| if x > value { Side::Up } else { Side::Down };
                let was = *self.side.get_or_insert(of(x));
                // The first crossing is one over the threshold itself.
                let margin = self.armed.map_or(0.0, |_| hysteresis);
                let (side, holds) = match was {
                    Side::Up => (Side::Down, x < value - margin),
                    Side::Down => (Side::Up, x > value + margin),
                };
                self.held(now_ns, holds).then(|| {
                    self.armed = Some(true);
                    self.side = Some(side);
                    Fired {
                        side,
                        threshold: value,
                        mean: None,
                        x,
                    }
                })
            }
            Rule::Change { side, by, least } => {
                let window = self.window.as_mut()?;
                let moments = window.moments();
                window.push(now_ns, tick_ns, x);
                let moments = moments?;
                let by = by.unwrap_or_else(|| (DEVIATIONS * moments.sd).max(least));
                let sign = side.sign();
                let armed = self.armed.get_or_insert(true);
                if !*armed {
                    *armed = sign * (x - moments.mean) <= by / 2.0;
                    return None;
                }
                // While it holds, the mean follows: what it began from counts.
                if self.since_ns.is_none() {
                    self.begun = (moments.mean + sign * by, moments.mean);
                }
                let (threshold, mean) = self.begun;
                self.held(now_ns, sign * x > sign * threshold).then(|| {
                    self.armed = Some(false);
                    Fired {
                        side,
                        threshold,
                        mean: Some(mean),
                        x,
                    }
                })
            }
        }
    }

    /// Whether the condition has held for the dwell with this tick; from there on it begins anew.
    fn held(&mut self, now_ns: u64, holds: bool) -> bool {
        if !holds {
            self.since_ns = None;
            return false;
        }
        let since_ns = *self.since_ns.get_or_insert(now_ns);
        let is_over = now_ns.saturating_sub(since_ns) >= self.dwell_ns;
        if is_over {
            self.since_ns = None;
        }
        is_over
    }
}
