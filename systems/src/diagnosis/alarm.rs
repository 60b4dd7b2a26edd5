//! Alarms: periods in which the readings of an agent deviated from their prediction, each with its isolated channel.

use super::statistics::Detection;
use becomingone_components::coherence::MAX_CHANNELS;
use becomingone_components::localisation::SENSED;

/// Maximum alarms kept for the summary; all are counted.
pub const MAX_ALARMS: usize = 64;

/// Channels that may be named: the self-model's, then the filter's numbers.
pub const MAX_CAUSES: usize = MAX_CHANNELS + SENSED;

/// An alarm of an agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// When it was raised (ns).
    pub from_ns: u64,
    /// When it was cleared (ns); none while it lasts.
    pub until_ns: Option<u64>,
    /// Kernel ticks for which each channel was named.
    pub blame: [f64; MAX_CAUSES],
}

impl Alarm {
    /// The channel that was named most of the time.
    pub fn cause(&self) -> usize {
        let most = |best: usize, k: usize| {
            if self.blame[k] > self.blame[best] {
                k
            } else {
                best
            }
        };
        (1..MAX_CAUSES).fold(0, most)
    }
}

/// Alarms of an agent since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alarms {
    /// The first [`MAX_ALARMS`].
    pub first: Vec<Alarm>,
    /// Number of alarms.
    pub count: u64,
}

impl Alarms {
    /// Processes the detection of a kernel tick. `was`: whether there was an alarm at the tick before.
    pub fn update(&mut self, detection: &Detection, was: bool, now_ns: u64) {
        if detection.dissipated && !was {
            self.count += 1;
            if self.first.len() < MAX_ALARMS {
                self.first.push(Alarm {
                    from_ns: now_ns,
                    until_ns: None,
                    blame: [0.0; MAX_CAUSES],
                });
            }
        }
        let open = self.first.last_mut().filter(|a| a.until_ns.is_none());
        if let Some(alarm) = open {
            if detection.dissipated {
                let named = detection.cause.and_then(|c| alarm.blame.get_mut(c));
                if let Some(ticks) = named {
                    *ticks += 1.0;
                }
            } else {
                alarm.until_ns = Some(now_ns);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_named_after_the_channel_that_was_suspected_most_of_the_time() {
        let mut alarms = Alarms::default();
        let mut was = false;
        for (now_ns, cause) in [3, 4, 4, 99, 4].into_iter().enumerate() {
            let found = Detection {
                surprise: 2.0,
                dissipated: true,
                cause: Some(cause),
            };
            alarms.update(&found, was, now_ns as u64);
            was = true;
        }
        let over = Detection::default();
        alarms.update(&over, true, 5);
        alarms.update(&over, false, 6);
        assert_eq!(alarms.count, 1);
        let alarm = &alarms.first[0];
        assert_eq!((alarm.from_ns, alarm.until_ns), (0, Some(5)));
        assert_eq!(alarm.cause(), 4);
    }
}
