//! Results of detectors at a kernel tick, and their combination.

/// Result of one detector at a kernel tick.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Detection {
    /// Statistic over its threshold: above 1, the readings deviate from what was expected.
    pub surprise: f64,
    /// The alarm: surprise above 1, with dwell and hysteresis.
    pub dissipated: bool,
    /// The suspected channel, as [`Witness::name`](super::witness::Witness::name) has it.
    pub cause: Option<usize>,
}

/// Place in [`Witness::detections`](super::witness::Witness::detections) of the predictor of readings.
pub const READINGS: usize = 0;
/// Place of the predictor of lidar visibility.
pub const SURROUNDINGS: usize = 1;
/// Place of the first detector of the filter's innovations: the two others follow.
pub const INNOVATIONS: usize = 2;

/// Place of the detector of stationary channels' level, after these.
pub const LEVEL: usize = 5;

/// The detection with the largest surprise, of those in alarm if there are any; of equals the first.
pub fn strongest(all: &[Option<Detection>]) -> Option<Detection> {
    all.iter().flatten().copied().reduce(|a, b| {
        let key = |d: Detection| (d.dissipated, d.surprise);
        if key(b) > key(a) { b } else { a }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_goes_before_a_larger_surprise_without_one() {
        let of = |surprise, dissipated| {
            Some(Detection {
                surprise,
                dissipated,
                cause: None,
            })
        };
        assert_eq!(strongest(&[None, None]), None);
        assert_eq!(strongest(&[of(0.4, false), of(0.6, false)]), of(0.6, false));
        assert_eq!(strongest(&[of(3.0, false), of(0.9, true)]), of(0.9, true));
        assert_eq!(strongest(&[of(2.0, true), of(2.0, true)]), of(2.0, true));
    }
}
