//! Jolts: what an accelerometer says for a moment that nobody expected, and then no more.
//!
//! Wheels that begin to slip or to grip change the speed at once: 4 % of 1 m/s in two kernel ticks. The accelerometer says
//! so, a gyroscope across the vertical that the body nods, and a moment later wheels and accelerometer agree again. An
//! accelerometer at fault goes on contradicting. So one that contradicted for some ticks and no longer does told of a jolt
//! that was there, and what holds the machine to the ground is to blame: its wheels.

use crate::localisation::SQUARE_CAP;

/// Whether an accelerometer tells of a jolt. It takes one number a kernel tick: the square of how far the accelerometer is
/// off what was expected of it, of its numbers the one farthest off, 1 in the mean while healthy.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TransientDetector {
    /// Mean of the squares over 3 ticks, none counted for more than [`SQUARE_CAP`].
    recent: f64,
    /// Mean of the squares over 50 ticks, none counted for more than [`LOUDEST`].
    mean: f64,
    /// Whether it contradicted at the last tick.
    loud: bool,
    /// Ticks in which it contradicted, each forgotten over 50 ticks.
    ticks: f64,
    /// Times that it began to, each forgotten over 50 ticks.
    times: f64,
}

/// 1 - e^(-1/3): whether the accelerometer contradicts now is known of three kernel ticks.
const RECENT: f64 = 0.283_468_689_426_210_7;
/// 1 - e^(-1/50): a jolt is remembered for fifty, about as long as the statistics remember it that raise the alarm.
const MEMORY: f64 = 0.019_801_326_693_244_7;
/// Below this, it does not contradict now as it does in a jolt: three deviations, squared.
const CALM: f64 = 9.0;
/// What it says now is at most this share of what it said in the mean: the rest was said for a moment. A small offset goes
/// on and on.
const SHARE: f64 = 1.0 / 3.0;
/// Thirty deviations, squared: a jolt is remembered for 4 s at 50 Hz, however loud it was.
const LOUDEST: f64 = 900.0;
/// A slip is a jolt, its end another. What goes on jolting, more often than every 16 ticks, is no slip.
const MOST_TIMES: f64 = 2.5;
/// Most ticks of a jolt: 0.2 s at 50 Hz. A slip of 8 % takes 4 to 6 (`warehouse_robot`).
const MOST_TICKS: f64 = 10.0;

impl TransientDetector {
    /// Takes the square of a kernel tick.
    pub fn push(&mut self, square: f64) {
        let was_calm = !self.loud && self.recent < CALM;
        self.recent += RECENT * (square.min(SQUARE_CAP) - self.recent);
        self.mean += MEMORY * (square.min(LOUDEST) - self.mean);
        self.ticks -= MEMORY * self.ticks;
        self.times -= MEMORY * self.times;
        self.loud = square >= SQUARE_CAP;
        if self.loud {
            self.ticks += 1.0;
            if was_calm {
                self.times += 1.0;
            }
        }
    }

    /// There was a jolt, and it is over.
    pub fn is_over(&self) -> bool {
        let calm = !self.loud && self.recent < CALM && self.recent < SHARE * self.mean;
        calm && self.ticks <= MOST_TICKS && self.times <= MOST_TIMES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a jolt is over after each of these squares.
    fn over(squares: impl IntoIterator<Item = f64>) -> Vec<bool> {
        let mut transient = TransientDetector::default();
        let push = |square| {
            transient.push(square);
            transient.is_over()
        };
        squares.into_iter().map(push).collect()
    }

    #[test]
    fn what_is_said_for_a_moment_is_a_jolt_and_what_lasts_is_none() {
        let calm = [1.0; 100];
        assert!(!over(calm).contains(&true));
        // Two ticks: soon over, and forgotten at last.
        let two = over([900.0, 400.0].into_iter().chain([1.0; 300]));
        assert_eq!(two[..3], [false; 3]);
        assert_eq!(two[10..100], [true; 90]);
        assert_eq!(two[200..], [false; 102]);
        // It goes on, loud or faint.
        assert!(!over([900.0; 300]).contains(&true));
        assert!(!over([4.0; 300]).contains(&true));
        // Half a second of it is more than a jolt.
        let long = over([900.0; 25].into_iter().chain(calm));
        assert!(!long[..50].contains(&true));
        // A loud tick is not over while it lasts, however loud the one before was; nor is that remembered for longer.
        let again = over(
            [1e8, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1e8]
                .into_iter()
                .chain([1.0; 300]),
        );
        assert!(again[6] && !again[7] && again[14]);
        assert!(!again[208..].contains(&true));
        // Spikes without end are a fault.
        for every in [6, 15] {
            let spikes = over((0..600).map(|k| if k % every == 0 { 900.0 } else { 1.0 }));
            assert!(!spikes[100..].contains(&true), "{every}");
        }
    }
}
