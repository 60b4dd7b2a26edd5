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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TICK_NS: u64 = 10_000_000;

    /// The ticks in which a rule fires, and the sides.
    fn fired(rule: Rule, dwell_ticks: u64, values: &[f64]) -> Vec<(usize, Side)> {
        let mut predicate = Predicate::new(rule, dwell_ticks * TICK_NS);
        let step = |(k, x): (usize, &f64)| {
            let fired = predicate.step(k as u64 * TICK_NS, TICK_NS, Some(*x))?;
            Some((k, fired.side))
        };
        values.iter().enumerate().filter_map(step).collect()
    }

    fn level(side: Side, edge: bool) -> Rule {
        Rule::Level {
            side,
            value: 1.0,
            hysteresis: 0.25,
            edge,
        }
    }

    #[test]
    fn a_level_fires_once_an_episode() {
        use Side::{Down, Up};
        let values = [1.5, 0.8, 2.0, 0.75, 1.0, 1.1, 1.2];
        // At once, where it is over; 0.8 is not back by the hysteresis; 1.0 is not over.
        assert_eq!(
            fired(level(Up, false), 0, &values),
            [(0, Up), (5, Up)],
            "above"
        );
        assert_eq!(fired(level(Up, true), 0, &values), [(5, Up)], "rises");
        assert_eq!(
            fired(level(Down, false), 0, &values),
            [(1, Down), (3, Down)],
            "below"
        );
        assert_eq!(
            fired(level(Down, true), 0, &[0.5, 1.2, 0.9, 1.25, 0.9]),
            [(4, Down)],
            "falls"
        );
    }

    #[test]
    fn a_dwell_is_broken_and_begins_again() {
        let values = [0.0, 2.0, 2.0, 2.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0];
        let found = fired(level(Side::Up, false), 3, &values);
        assert_eq!(found, [(8, Side::Up)]);
    }

    #[test]
    fn a_value_that_is_not_there_breaks_what_held() {
        let mut predicate = Predicate::new(level(Side::Up, false), 2 * TICK_NS);
        let xs = [
            Some(2.0),
            Some(2.0),
            None,
            Some(f64::NAN),
            Some(2.0),
            Some(2.0),
            Some(2.0),
        ];
        let mut step = |(k, x): (usize, &Option<f64>)| {
            let fired = predicate.step(k as u64 * TICK_NS, TICK_NS, *x);
            fired.map(|_| k)
        };
        let found: Vec<_> = xs.iter().enumerate().filter_map(&mut step).collect();
        assert_eq!(found, [6]);
    }

    #[test]
    fn a_crossing_fires_both_ways_and_noise_about_the_threshold_once() {
        use Side::{Down, Up};
        let rule = Rule::Cross {
            value: 1.0,
            hysteresis: 0.25,
        };
        let values = [0.9, 1.0, 1.1, 0.9, 1.1, 0.7, 1.1, 1.3, 1.3, 0.7];
        assert_eq!(
            fired(rule, 0, &values),
            [(2, Up), (5, Down), (7, Up), (9, Down)]
        );
    }

    #[test]
    fn a_change_is_one_from_the_mean_of_ten_seconds() {
        use Side::{Down, Up};
        let rule = |side, by| Rule::Change {
            side,
            by,
            least: 0.05,
        };
        // +-0.1 about 1, a step to 2, and back after 20 s.
        let noise = |k: usize| if k.is_multiple_of(2) { 0.1 } else { -0.1 };
        let step = |k: usize| f64::from(u8::from((1500..3500).contains(&k)));
        let values: Vec<_> = (0..5000).map(|k| 1.0 + noise(k) + step(k)).collect();
        // Four standard deviations are 0.4.
        assert_eq!(fired(rule(Up, None), 0, &values), [(1500, Up)]);
        assert_eq!(fired(rule(Down, None), 0, &values), [(3500, Down)]);
        assert_eq!(
            fired(rule(Up, Some(1.05)), 0, &values),
            [(1500, Up)],
            "by as much as it is given"
        );
        assert!(fired(rule(Up, Some(1.2)), 0, &values).is_empty());
        // The mean follows, and the change that began holds.
        assert_eq!(fired(rule(Up, None), 500, &values), [(2000, Up)]);
        // Before 10 s there is nothing to compare with.
        assert!(fired(rule(Up, None), 0, &values[1000..2000]).is_empty());
        // The least change, of a value that stood still.
        let still: Vec<_> = (0..1600)
            .map(|k| if k < 1200 { 0.0 } else { 0.04 })
            .collect();
        assert!(fired(rule(Up, None), 0, &still).is_empty());
    }

    proptest! {
        /// Between two firings of one side, the value was back by the hysteresis.
        #[test]
        fn an_episode_ends_by_the_hysteresis(
            values in prop::collection::vec(-2.0..2.0_f64, 1..200),
            hysteresis in 0.0..1.0_f64,
            dwell in 0..4_u64,
        ) {
            let rule = Rule::Level { side: Side::Up, value: 0.0, hysteresis, edge: false };
            let found = fired(rule, dwell, &values);
            for pair in found.windows(2) {
                let between = &values[pair[0].0 + 1..pair[1].0];
                prop_assert!(between.iter().any(|x| *x <= -hysteresis));
            }
            for (k, _) in found {
                let held = &values[k - dwell as usize..=k];
                prop_assert!(held.iter().all(|x| *x > 0.0));
            }
        }
    }
}
