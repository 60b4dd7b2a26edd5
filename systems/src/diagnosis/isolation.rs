//! Fault isolation: which sensor, or the drive, is named as faulty. All rules are here.
//!
//! **Suspect of the readings' predictor** ([`suspect`]), the first that applies:
//!
//! | condition | named |
//! |---|---|
//! | a channel is stuck and has a share of the surprise | that channel |
//! | an acceleration transient is over, and the channel with the largest share is one that it moves | the wheel with the largest share |
//! | otherwise | the channel with the largest share |
//!
//! **Suspect of the filter's innovations** ([`FaultIsolation::after_transient`]): the number with the largest square; after a
//! transient the wheel with the largest instead of an acceleration.
//!
//! **Filter bank** ([`FaultIsolation::at_fault`]): four filters, each without one sensor (a dedicated observer scheme: Clark,
//! Instrument fault detection, IEEE Trans. AES-14(3), 1978). Those that stay consistent leave out the faulty sensor:
//!
//! | consistent without | named |
//! |---|---|
//! | wheels only; wheels and accelerometer | wheels |
//! | gyroscope only | gyroscope |
//! | accelerometer only | accelerometer; after a transient the wheels |
//! | GNSS only | GNSS |
//! | any other set, or none is much better than the worst | none |
//!
//! Of wheels and accelerometer, the wheels: where they slip or grip, the machine accelerates for a moment, and
//! afterwards either explains it. An accelerometer with a lasting fault keeps deviating from the rest; wheels that
//! slip by a constant share do not, until GNSS has measured the speed.
//!
//! Where one sensor is faulty, the estimate is taken over from the filter without it ([`FaultIsolation::takeover`]);
//! where the wheels deviate from the other sensors and those from each other, the machine skids
//! ([`FaultIsolation::is_skid`]).
//!
//! **Decision** ([`RULES`]) for agents with a filter, the first that applies:
//!
//! | rule | condition | named | by |
//! |---|---|---|---|
//! | stuck-at | a stuck channel of a sensor that the filter uses | that channel | the innovations' detectors |
//! | filter bank | the filter bank names one sensor | its number that is farthest off | all detectors that suspect a sensor that the filter uses |
//! | prediction | the filter bank names none, an innovation detector is in alarm, the readings' predictor suspects a sensor that the filter uses | the predictor's suspect | the innovations' detectors that suspect wheels or IMU |
//! | drive | no innovation detector is in alarm, all sensors agree, the readings' predictor is in alarm and suspects an acceleration | the wheel with the largest share | the readings' predictor |
//! | own | otherwise | | each detector keeps its own suspect |

use super::config::{DiagnosisConfig, IsolationConfig, gain};
use super::statistics::{Detection, INNOVATIONS, LEVEL, READINGS};
use super::transient::TransientDetector;
use becomingone_components::coherence::MAX_CHANNELS;
use becomingone_components::localisation::{
    ACCELEROMETER, GNSS, GROUPS, GYRO, SENSED, SENSED_MOTION, WHEELS,
};
use bevy_ecs::prelude::*;

/// Suspect of the readings' predictor: see the [table](self).
pub fn suspect(
    stuck: Option<usize>,
    largest_share: Option<usize>,
    is_transient: impl FnOnce(usize) -> bool,
    wheel: impl FnOnce() -> Option<usize>,
) -> Option<usize> {
    stuck.or_else(|| {
        let largest = largest_share?;
        let instead = if is_transient(largest) { wheel() } else { None };
        instead.or(Some(largest))
    })
}

/// Evidence at a kernel tick of an agent with a filter.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evidence {
    /// The stuck channel, if it is of a sensor that the filter uses.
    pub stuck: Option<usize>,
    /// The filter's number that the filter bank names.
    pub isolated: Option<usize>,
    /// The suspect of the readings' predictor, if it is of a sensor that the filter uses and the surprise is large enough.
    pub predicted: Option<usize>,
    /// Whether the readings' predictor is in alarm.
    pub readings_alarm: bool,
    /// Whether its suspect is an acceleration.
    pub is_acceleration: bool,
    /// Whether a detector of innovations is in alarm.
    pub innovations_alarm: bool,
    /// Whether all sensors agree, as far as the filter bank shows.
    pub sensors_agree: bool,
    /// The wheel with the largest share of the readings' surprise.
    pub wheel: Option<usize>,
}

/// A rule of the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A stuck sensor precedes all others: it deviates, and so do those that it misleads.
    StuckAt,
    /// Among the sensors that the filter uses, the filter bank isolates best.
    FilterBank,
    /// Two faults explain the innovations equally: the readings' predictor separates them by the expected value of
    /// each sensor. It predicts no positions.
    Prediction,
    /// The machine does not accelerate as commanded, and its sensors agree.
    Drive,
}

/// A condition: the channel that it names.
type Condition = fn(&Evidence) -> Option<usize>;

/// The rules in order: the first whose condition names a channel decides.
pub const RULES: [(Rule, Condition); 4] = [
    (Rule::StuckAt, |e| e.stuck),
    (Rule::FilterBank, |e| e.isolated.map(|k| MAX_CHANNELS + k)),
    (Rule::Prediction, |e| {
        e.predicted.filter(|_| e.innovations_alarm)
    }),
    (Rule::Drive, |e| {
        e.predicted?;
        let drive = !e.innovations_alarm && e.sensors_agree && e.readings_alarm;
        e.wheel.filter(|_| drive && e.is_acceleration)
    }),
];

/// The rule that applies, and the channel that it names.
pub fn decide(evidence: &Evidence) -> Option<(Rule, usize)> {
    let applies = |(rule, names): &(Rule, Condition)| Some((*rule, names(evidence)?));
    RULES.iter().find_map(applies)
}

impl Rule {
    /// Whether a detector, by its place in [`Witness::detections`](super::witness::Witness::detections), names the
    /// rule's channel instead of its own suspect. `uses`: whether the filter uses the sensor of a channel of the
    /// readings.
    pub fn overrules(
        self,
        detector: usize,
        suspect: Option<usize>,
        uses: impl Fn(usize) -> bool,
    ) -> bool {
        match self {
            Self::StuckAt => detector >= INNOVATIONS,
            Self::FilterBank => suspect.is_none_or(|k| k >= MAX_CHANNELS || uses(k)),
            Self::Prediction => {
                let motion = MAX_CHANNELS..MAX_CHANNELS + SENSED_MOTION;
                detector >= INNOVATIONS && suspect.is_some_and(|k| motion.contains(&k))
            }
            Self::Drive => detector == READINGS,
        }
    }

    /// Sets this channel as the cause of the detectors that the rule overrules.
    pub fn apply(
        self,
        channel: usize,
        detections: &mut [Option<Detection>],
        uses: impl Fn(usize) -> bool,
    ) {
        // The level names its own channel: a fault of motion does not move it.
        for (detector, detection) in detections.iter_mut().take(LEVEL).enumerate() {
            if let Some(detection) = detection
                && self.overrules(detector, detection.cause, &uses)
            {
                detection.cause = Some(channel);
            }
        }
    }
}

/// Innovations of an agent's filter at this kernel tick, and the result of its filter bank.
#[derive(Component, Clone, Debug, PartialEq)]
pub struct FaultIsolation {
    /// Whitened innovations, each given those before it: while filter and robot agree, independent numbers of
    /// deviation 1. None where there was no sample.
    pub white: [Option<f64>; SENSED],
    /// The normalised innovation squared (NIS): the sum of their squares, chi² of as many degrees of freedom as there
    /// are numbers.
    pub nis: f64,
    /// Excess of the filters without wheels, gyroscope, accelerometer, GNSS: NIS, no number counted for more than
    /// [`IsolationConfig::square_cap`], less its baseline, averaged over [`IsolationConfig::window_s`]. The least is
    /// that without the faulty sensor.
    pub excess_without: [f64; GROUPS.len()],
    /// Excess of the filter that uses all sensors.
    pub excess_with_all: f64,
    /// The square of each whitened innovation, none counted for more than [`IsolationConfig::square_cap`], averaged over
    /// [`IsolationConfig::window_s`] of its own samples.
    pub squares: [f64; SENSED],
    /// Transients of the accelerometer.
    pub transient: TransientDetector,
    /// Sum of all ticks' NIS and of their degrees of freedom: while filter and robot agree, the same.
    pub totals: [f64; 2],
    /// Sensors of this agent that the filter excludes, by their index, as bits.
    pub excluded: u32,
    /// The filter's numbers from those, as bits.
    pub masked: u32,
    /// Kernel ticks since the last position of GNSS.
    pub unplaced_ticks: u32,
    /// Constants.
    pub config: IsolationConfig,
    /// Gain of the averages.
    pub gain: f64,
    /// [`IsolationConfig::window_s`] in kernel ticks.
    window_ticks: f64,
}

impl FaultIsolation {
    /// Isolation before the first innovation, for this kernel rate.
    pub fn new(config: &DiagnosisConfig, rate_hz: f64) -> Self {
        let window_s = config.isolation.window_s;
        Self {
            white: [None; SENSED],
            nis: 0.0,
            excess_without: [0.0; GROUPS.len()],
            excess_with_all: 0.0,
            squares: [0.0; SENSED],
            transient: TransientDetector::new(&config.transient, rate_hz),
            totals: [0.0; 2],
            excluded: 0,
            masked: 0,
            unplaced_ticks: 0,
            config: config.isolation,
            gain: gain(window_s, rate_hz),
            window_ticks: window_s * rate_hz,
        }
    }

    /// Restarts without these numbers of the filter.
    pub fn restart(&mut self, masked: u32) {
        self.white = [None; SENSED];
        self.nis = 0.0;
        self.excess_without = [0.0; GROUPS.len()];
        self.excess_with_all = 0.0;
        self.squares = [0.0; SENSED];
        self.transient.forget();
        self.masked = masked;
        self.unplaced_ticks = 0;
    }

    /// Processes the innovations of a tick.
    pub fn update(&mut self) {
        for (square, w) in self.squares.iter_mut().zip(self.white) {
            if let Some(w) = w {
                *square += self.gain * ((w * w).min(self.config.square_cap) - *square);
            }
        }
        let (first, last) = GROUPS[ACCELEROMETER];
        let accelerations = self.white[first..=last].iter().flatten();
        let square = accelerations.map(|w| w * w).reduce(f64::max);
        // A missing sample counts as expected.
        self.transient.push(square.unwrap_or(1.0));
    }

    /// Whether GNSS gave a recent position.
    pub fn is_placed(&self) -> bool {
        f64::from(self.unplaced_ticks) < self.window_ticks
    }

    fn least_excess(&self) -> f64 {
        let all = self.excess_without.into_iter();
        all.fold(f64::INFINITY, f64::min)
    }

    /// Spread of the filters without one sensor each, in the unit of [`excess_without`](Self::excess_without): the
    /// evidence for isolation.
    pub fn spread(&self) -> f64 {
        let all = self.excess_without.into_iter();
        all.fold(f64::NEG_INFINITY, f64::max) - self.least_excess()
    }

    /// The faulty sensor, as a place in [`GROUPS`]: see the [table](self).
    pub fn at_fault(&self) -> Option<usize> {
        if self.spread() < self.config.clear {
            return None;
        }
        let equal = self.least_excess() + self.config.equal;
        let consistent_without = self.excess_without.map(|excess| excess <= equal);
        // Wheels, gyroscope, accelerometer, GNSS.
        match consistent_without {
            [true, false, _, false] => Some(WHEELS),
            [false, true, false, false] => Some(GYRO),
            [false, false, true, false] if self.transient.is_over() => Some(WHEELS),
            [false, false, true, false] => Some(ACCELEROMETER),
            [false, false, false, true] => Some(GNSS),
            _ => None,
        }
    }

    /// The number of the filter that is named, if one sensor's fault explains the innovations: of that sensor's
    /// numbers, the one with the largest deviation.
    ///
    /// None where all sensors agree about as well as they do without that one: a surprise of the readings' predictor then
    /// comes from the commands, not from a sensor.
    pub fn isolated(&self) -> Option<usize> {
        let (first, last) = GROUPS[self.at_fault()?];
        let explained = self.excess_with_all - self.least_excess() >= self.config.clear;
        explained.then(|| self.farthest_off(first, last))
    }

    /// The sensor without which the estimate continues, as a place in [`GROUPS`].
    ///
    /// Not GNSS: without it, the position is lost after a while. Nor while a sensor is excluded: a filter without two
    /// has no redundancy left.
    pub fn takeover(&self) -> Option<usize> {
        let certain = self.excluded == 0 && self.spread() > self.config.takeover;
        self.at_fault().filter(|&group| certain && group != GNSS)
    }

    /// Whether all sensors agree, as far as the filters show.
    pub fn is_calm(&self) -> bool {
        self.excess_with_all < self.config.clear
    }

    /// Whether the machine skids: the wheels deviate from the other sensors and those from each other, so that the
    /// rolling constraint does not hold and no sensor is faulty. `already`: whether it did at the tick before; it
    /// ends when the others agree.
    pub fn is_skid(&self, already: bool) -> bool {
        let least = if already {
            self.config.equal
        } else {
            self.config.skid
        };
        let [wheels, others @ ..] = self.excess_without;
        let equal = wheels + self.config.equal;
        wheels >= least && others.into_iter().all(|excess| excess > equal)
    }

    /// Of the numbers from one to another, the one with the largest recent deviation.
    fn farthest_off(&self, first: usize, last: usize) -> usize {
        let farther = |a: usize, b: usize| {
            if self.squares[b] > self.squares[a] {
                b
            } else {
                a
            }
        };
        (first..=last).fold(first, farther)
    }

    /// The suspect instead of this number: after a transient, a wheel instead of an acceleration.
    pub fn after_transient(&self, sensed: usize) -> usize {
        let (first, last) = GROUPS[ACCELEROMETER];
        let (left, right) = GROUPS[WHEELS];
        let wheel = self.farthest_off(left, right);
        let accelerates = (first..=last).contains(&sensed);
        if accelerates && self.transient.is_over() && self.squares[wheel] > 0.0 {
            wheel
        } else {
            sensed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bank(excess_without: [f64; 4]) -> FaultIsolation {
        let mut squares = [0.5; SENSED];
        (squares[1], squares[3], squares[6]) = (9.0, 4.0, 16.0);
        FaultIsolation {
            squares,
            excess_without,
            excess_with_all: 8.0,
            ..FaultIsolation::new(&DiagnosisConfig::default(), 50.0)
        }
    }

    /// An acceleration transient that is over.
    fn after_a_transient() -> TransientDetector {
        let config = DiagnosisConfig::default();
        let mut transient = TransientDetector::new(&config.transient, 50.0);
        for square in [400.0, 400.0].into_iter().chain([1.0; 10]) {
            transient.push(square);
        }
        assert!(transient.is_over());
        transient
    }

    fn detections(causes: [usize; 5]) -> [Option<Detection>; 5] {
        causes.map(|cause| {
            Some(Detection {
                surprise: 1.0,
                dissipated: true,
                cause: Some(cause),
            })
        })
    }

    /// Cause of each detector where this rule names channel 2. The filter uses the sensors of channels below 6.
    fn named(rule: Rule, own: [usize; 5]) -> [usize; 5] {
        let mut all = detections(own);
        rule.apply(2, &mut all, |k| k < 6);
        all.map(|d| d.unwrap().cause.unwrap())
    }

    const GPS: usize = MAX_CHANNELS + SENSED_MOTION;
    const LEFT: usize = MAX_CHANNELS;

    #[test]
    fn a_suspect_of_the_readings_is_the_stuck_channel_first() {
        assert_eq!(suspect(Some(3), Some(1), |_| true, || Some(7)), Some(3));
    }

    #[test]
    fn a_suspect_of_the_readings_is_a_wheel_after_a_transient() {
        assert_eq!(suspect(None, Some(1), |k| k == 1, || Some(7)), Some(7));
        // No wheel has a share.
        assert_eq!(suspect(None, Some(1), |k| k == 1, || None), Some(1));
    }

    #[test]
    fn a_suspect_of_the_readings_is_else_that_of_the_largest_share() {
        assert_eq!(suspect(None, Some(1), |_| false, || Some(7)), Some(1));
        assert_eq!(suspect(None, None, |_| true, || Some(7)), None);
    }

    #[test]
    fn rule_stuck_at_goes_before_all_others() {
        let evidence = Evidence {
            stuck: Some(4),
            isolated: Some(1),
            predicted: Some(5),
            innovations_alarm: true,
            ..Evidence::default()
        };
        assert_eq!(decide(&evidence), Some((Rule::StuckAt, 4)));
        // Detectors of readings have named it already, if it is theirs.
        let own = [0, 9, LEFT, GPS, GPS];
        assert_eq!(named(Rule::StuckAt, own), [0, 9, 2, 2, 2]);
    }

    #[test]
    fn rule_filter_bank_names_for_all_who_suspect_a_sensor_of_the_filter() {
        let evidence = Evidence {
            isolated: Some(1),
            predicted: Some(5),
            innovations_alarm: true,
            ..Evidence::default()
        };
        let expected = (Rule::FilterBank, MAX_CHANNELS + 1);
        assert_eq!(decide(&evidence), Some(expected));
        // The filter does not use lidars.
        let own = [0, 9, LEFT, GPS, GPS];
        assert_eq!(named(Rule::FilterBank, own), [2, 9, 2, 2, 2]);
    }

    #[test]
    fn rule_prediction_separates_motion_sensors_where_the_filter_bank_cannot() {
        let mut evidence = Evidence {
            predicted: Some(5),
            innovations_alarm: true,
            readings_alarm: true,
            is_acceleration: true,
            sensors_agree: true,
            wheel: Some(0),
            ..Evidence::default()
        };
        assert_eq!(decide(&evidence), Some((Rule::Prediction, 5)));
        let own = [0, 9, LEFT, GPS, LEFT];
        assert_eq!(named(Rule::Prediction, own), [0, 9, 2, GPS, 2]);
        evidence.predicted = None;
        assert_eq!(decide(&evidence), None);
    }

    #[test]
    fn rule_drive_needs_an_alarm_of_the_readings_and_sensors_that_agree() {
        let evidence = Evidence {
            predicted: Some(5),
            readings_alarm: true,
            is_acceleration: true,
            sensors_agree: true,
            wheel: Some(0),
            ..Evidence::default()
        };
        assert_eq!(decide(&evidence), Some((Rule::Drive, 0)));
        assert_eq!(named(Rule::Drive, [5, 9, LEFT, GPS, GPS])[..2], [2, 9]);
        let without: [fn(&mut Evidence); 5] = [
            |e| e.predicted = None,
            |e| e.readings_alarm = false,
            |e| e.is_acceleration = false,
            |e| e.sensors_agree = false,
            |e| e.wheel = None,
        ];
        for change in without {
            let mut evidence = evidence;
            change(&mut evidence);
            assert_eq!(decide(&evidence), None, "{evidence:?}");
        }
    }

    #[test]
    fn filter_bank_names_the_sensor_whose_fault_alone_explains_all() {
        for (excess_without, isolated) in [
            // Healthy.
            ([-0.2, 0.3, 0.1, -0.4], None),
            // The rest agrees without one of them.
            ([0.1, 2.0, 3.0, 2.5], Some(1)),
            ([4.0, 0.0, 3.0, 2.5], Some(2)),
            ([4.0, 3.0, 0.0, 2.5], Some(3)),
            ([4.0, 3.0, 2.5, 0.0], Some(6)),
            // Wheels or accelerometer: wheels.
            ([0.3, 3.0, 0.0, 3.0], Some(1)),
            // Wheels or gyroscope: ambiguous.
            ([0.0, 0.3, 3.0, 3.0], None),
            // All filters deviate alike: a fault of something that all of them use.
            ([8.0, 8.2, 8.4, 8.1], None),
        ] {
            let mut bank = bank(excess_without);
            assert_eq!(bank.isolated(), isolated, "{excess_without:?}");
            // All sensors together agree as well as without one of them.
            bank.excess_with_all = bank.least_excess() + 1.0;
            assert_eq!(bank.isolated(), None, "{excess_without:?}");
        }
    }

    #[test]
    fn filter_bank_names_wheels_instead_of_the_accelerometer_after_a_transient() {
        let accelerometer = [4.0, 3.0, 0.0, 2.5];
        assert_eq!(bank(accelerometer).at_fault(), Some(ACCELEROMETER));
        let mut bank = bank(accelerometer);
        bank.transient = after_a_transient();
        assert_eq!(bank.at_fault(), Some(WHEELS));
        // Of innovations likewise, and of accelerations only.
        let suspects = [2, 3, 4, 5].map(|k| bank.after_transient(k));
        assert_eq!(suspects, [2, 1, 1, 5]);
    }

    #[test]
    fn an_estimate_is_taken_over_from_the_filter_without_the_faulty_sensor() {
        assert_eq!(bank([0.0, 6.0, 6.0, 6.0]).takeover(), Some(WHEELS));
        assert_eq!(bank([6.0, 0.0, 6.0, 6.0]).takeover(), Some(GYRO));
        // Enough to isolate, but not to take over.
        assert_eq!(bank([4.0, 0.0, 4.0, 4.0]).at_fault(), Some(GYRO));
        assert_eq!(bank([4.0, 0.0, 4.0, 4.0]).takeover(), None);
        // Without GNSS, the position is lost.
        assert_eq!(bank([6.0, 6.0, 6.0, 0.0]).at_fault(), Some(GNSS));
        assert_eq!(bank([6.0, 6.0, 6.0, 0.0]).takeover(), None);
        let excludes_another = FaultIsolation {
            excluded: 1,
            ..bank([6.0, 0.0, 6.0, 6.0])
        };
        assert_eq!(excludes_another.takeover(), None);
    }

    #[test]
    fn a_skid_is_where_wheels_contradict_the_others_and_those_each_other() {
        assert!(bank([4.5, 6.0, 7.0, 8.0]).is_skid(false));
        // Without the wheels, all agree: a fault of the wheels.
        assert!(!bank([0.0, 6.0, 7.0, 8.0]).is_skid(false));
        // As consistent without another one.
        assert!(!bank([4.5, 5.0, 7.0, 8.0]).is_skid(false));
        // It ends later than it begins.
        assert!(!bank([1.0, 6.0, 7.0, 8.0]).is_skid(false));
        assert!(bank([1.0, 6.0, 7.0, 8.0]).is_skid(true));
        assert!(!bank([0.5, 6.0, 7.0, 8.0]).is_skid(true));
    }

    #[test]
    fn an_acceleration_is_a_transient_while_it_is_short() {
        let mut bank = bank([1.5, 3.0, 0.0, 3.0]);
        bank.squares = [0.0; SENSED];
        bank.excess_with_all = 4.0;
        let mut take = |forward: f64| {
            bank.white = [Some(1.0); SENSED];
            (bank.white[1], bank.white[3]) = (Some(-2.0), Some(forward));
            bank.update();
            (bank.isolated(), bank.after_transient(3))
        };
        for _ in 0..3 {
            assert_eq!(take(12.0), (Some(3), 3));
        }
        let after: Vec<_> = (0..10).map(|_| take(1.0)).collect();
        // Forward is as expected again: the wheel with the larger deviation.
        assert_eq!(after[9], (Some(1), 1));
        // Half a second of it is no transient.
        assert_eq!((0..25).map(|_| take(12.0)).last(), Some((Some(3), 3)));
        assert_eq!((0..10).map(|_| take(1.0)).last(), Some((Some(3), 3)));
    }

    #[test]
    fn a_restart_forgets_innovations_and_keeps_totals_and_exclusions() {
        let mut bank = bank([4.0, 0.0, 4.0, 4.0]);
        (bank.totals, bank.excluded, bank.unplaced_ticks) = ([3.0, 2.0], 4, 60);
        assert!(!bank.is_placed());
        bank.restart(0b100);
        let fresh = FaultIsolation {
            totals: [3.0, 2.0],
            excluded: 4,
            masked: 0b100,
            ..FaultIsolation::new(&DiagnosisConfig::default(), 50.0)
        };
        assert_eq!(bank, fresh);
        assert!(bank.is_placed());
    }
}
