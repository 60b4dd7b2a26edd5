//! Mean and standard deviation of a value over the last 10 s of run time.

/// Bins of a window.
const BINS: usize = 100;
/// Shortest bin (ns): 10 s together.
const BIN_NS: u64 = 100_000_000;

/// Sums of the values of a bin.
#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    count: f64,
    sum: f64,
    squares: f64,
}

/// Mean and standard deviation of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moments {
    pub(super) mean: f64,
    pub(super) sd: f64,
}

/// The last 10 s of a value, and at least its last 100 ticks, in a hundred bins: whole bins alone count. It has moments
/// once it is full.
#[derive(Clone, Debug)]
pub(super) struct Window {
    bins: [Bin; BINS],
    /// Whole bins, at most [`BINS`].
    full: usize,
    /// Bin of the run that is being filled.
    at: Option<u64>,
    now: Bin,
    /// Of the whole bins.
    moments: Option<Moments>,
    /// Values count from here: sums of squares stay small.
    origin: f64,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            bins: [Bin::default(); BINS],
            full: 0,
            at: None,
            now: Bin::default(),
            moments: None,
            origin: 0.0,
        }
    }
}

impl Window {
    /// Adds the value of a tick of this length.
    pub(super) fn push(&mut self, now_ns: u64, tick_ns: u64, x: f64) {
        let at = now_ns / BIN_NS.max(tick_ns);
        match self.at {
            Some(last) if last != at => self.close(last),
            Some(_) => {}
            None => self.origin = x,
        }
        self.at = Some(at);
        let x = x - self.origin;
        self.now.count += 1.0;
        self.now.sum += x;
        self.now.squares += x * x;
    }

    fn close(&mut self, bin: u64) {
        self.bins[(bin % BINS as u64) as usize] = std::mem::take(&mut self.now);
        self.full = (self.full + 1).min(BINS);
        if self.full < BINS {
            return;
        }
        let all = self.bins.iter().fold(Bin::default(), |all, bin| Bin {
            count: all.count + bin.count,
            sum: all.sum + bin.sum,
            squares: all.squares + bin.squares,
        });
        let mean = all.sum / all.count;
        self.moments = Some(Moments {
            mean: self.origin + mean,
            sd: (all.squares / all.count - mean * mean).max(0.0).sqrt(),
        });
    }

    /// Of the window's whole bins; none before it is full.
    pub(super) fn moments(&self) -> Option<Moments> {
        self.moments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_last_ten_seconds() {
        let mut window = Window::default();
        let tick_ns = 20_000_000;
        for k in 0..1500_u64 {
            // 10 s of 5 +- 2, then of 1000.25 +- 0.5.
            let x = match (k < 750, k % 2) {
                (true, 0) => 3.0,
                (true, _) => 7.0,
                (false, 0) => 999.75,
                (false, _) => 1000.75,
            };
            if k <= 500 {
                assert_eq!(window.moments(), None, "{k}");
            }
            window.push(k * tick_ns, tick_ns, x);
            if k == 749 {
                let m = window.moments().unwrap();
                let near = |a: f64, b: f64| (a - b).abs() < 0.02;
                assert!(near(m.mean, 5.0) && near(m.sd, 2.0), "{m:?}");
            }
        }
        let m = window.moments().unwrap();
        assert!(
            (m.mean - 1000.25).abs() < 1e-9 && (m.sd - 0.5).abs() < 1e-6,
            "{m:?}"
        );
    }

    #[test]
    fn a_window_of_long_ticks_has_a_hundred_of_them() {
        let mut window = Window::default();
        let hour = 3_600_000_000_000;
        for k in 0..100 {
            window.push(k * hour, hour, 1.0);
            assert_eq!(window.moments(), None);
        }
        window.push(100 * hour, hour, 1.0);
        assert_eq!(window.moments(), Some(Moments { mean: 1.0, sd: 0.0 }));
    }
}
