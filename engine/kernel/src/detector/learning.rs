//! [`Learning`]: how a detector learns, and the false alarms of what it has learned.

use alloc::vec::Vec;

/// How a [`Detector`](super::Detector) learns.
#[derive(Clone, Debug, PartialEq)]
pub struct Learning {
    /// Channels that are inputs, such as commands and the weather: they help to predict the others, and are never isolated.
    /// While one is beyond its values in the baseline or missing, the machine is [`Health::Outside`](super::Health::Outside): no alarm begins, and
    /// after more than 5 rows of that an alarm is over. Then the machine is given as many rows to follow, 400 at most.
    pub inputs: Vec<usize>,
    /// Factor on the onset of alarms: 2 = at half of the usual rise of ln F. Positive.
    pub sensitivity: f64,
    /// Wanted false alarms in an hour: where the baseline [supports](FalseAlarms::supports) it, the onset is the least with so many in
    /// the baseline; else the one without any.
    pub false_alarms_per_hour: Option<f64>,
}

impl Default for Learning {
    fn default() -> Self {
        Self {
            inputs: Vec::new(),
            sensitivity: 1.0,
            false_alarms_per_hour: None,
        }
    }
}

/// Alarms in healthy rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FalseAlarms {
    /// Number of them.
    pub alarms: usize,
    /// Duration of the rows (h).
    pub hours: f64,
}

impl FalseAlarms {
    /// Upper 95 % bound of the rate (1/h) of a Poisson law.
    pub fn per_hour_most(&self) -> f64 {
        crate::most_expected(self.alarms) / self.hours
    }

    /// Whether a rate (1/h) can be told from none: three alarms are expected (rule of three).
    pub fn supports(&self, rate: f64) -> bool {
        rate * self.hours >= 3.0
    }
}
