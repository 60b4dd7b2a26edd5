//! Speed of a run.

use becomingone::Pace;

/// Limits of the rate, as those of `--rate`.
const RATE_LIMITS: [f64; 2] = [1e-3, 1e6];

/// Speed of a run: a factor of real time, or as fast as possible.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Speed {
    pub(super) factor: f64,
    pub(super) fast: bool,
}

impl Speed {
    pub(super) fn new(pace: Pace) -> Self {
        match pace {
            Pace::Fast => Self {
                factor: 1.0,
                fast: true,
            },
            Pace::RealTime => Self {
                factor: 1.0,
                fast: false,
            },
            Pace::Rate(factor) => Self {
                factor,
                fast: false,
            },
        }
    }

    pub(super) fn pace(self) -> Pace {
        if self.fast {
            Pace::Fast
        } else {
            Pace::Rate(self.factor)
        }
    }

    /// Multiplies the factor; from `fast`, returns to the factor before.
    pub(super) fn times(self, by: f64) -> Self {
        let factor = if self.fast {
            self.factor
        } else {
            (self.factor * by).clamp(RATE_LIMITS[0], RATE_LIMITS[1])
        };
        Self {
            factor,
            fast: false,
        }
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.fast {
            f.write_str("as fast as possible")
        } else {
            write!(f, "{} x real time", self.factor)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_double_and_halve_within_bounds() {
        let mut speed = Speed::new(Pace::RealTime);
        for _ in 0..40 {
            speed = speed.times(2.0);
        }
        assert_eq!(speed.pace(), Pace::Rate(1e6));
        assert_eq!(Speed::new(Pace::Rate(4.0)).times(0.5).factor, 2.0);
        let fast = Speed::new(Pace::Fast);
        assert_eq!(fast.times(0.5).pace(), Pace::Rate(1.0));
    }
}
