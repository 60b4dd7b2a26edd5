//! Monitor of a filter's innovations: self-models of them, and their energy against chi².

use super::config::DiagnosisConfig;
use super::nis::Nis;
use super::predictor::{SubsetMonitor, samples_at_own_rate};
use super::statistics::Detection;
use becomingone_components::coherence::MAX_CHANNELS;
use becomingone_components::localisation::{SENSED, SENSED_MOTION};
use becomingone_components::scene::WitnessSpec;
use becomingone_components::witness::warm_up_ticks;
use becomingone_kernel::ConfigError;

/// Monitor of the innovations of an agent's filter.
///
/// Innovations of GNSS have a self-model of their own, which ticks at their rate.
#[derive(Clone, Debug)]
pub struct InnovationMonitor {
    /// Names of the filter's numbers, after the sensors that they come from.
    pub names: Vec<String>,
    /// Innovations of wheels and IMU.
    pub motion: SubsetMonitor<SENSED>,
    /// Innovations of GNSS.
    pub gnss: SubsetMonitor<SENSED>,
    /// Energy of all.
    pub nis: Nis,
}

impl InnovationMonitor {
    /// A monitor before the first innovation. `gnss_hz` is the rate of GNSS.
    ///
    /// # Errors
    ///
    /// A number of the scene out of range; scenes are checked for that.
    pub fn new(
        names: Vec<String>,
        config: &DiagnosisConfig,
        spec: &WitnessSpec,
        rate_hz: f64,
        gnss_hz: f64,
    ) -> Result<Self, ConfigError> {
        let ticks = warm_up_ticks(spec, rate_hz);
        let fixes = samples_at_own_rate(ticks, gnss_hz / rate_hz);
        let motion = (0, SENSED_MOTION);
        let gnss = (SENSED_MOTION, SENSED - SENSED_MOTION);
        Ok(Self {
            names,
            motion: SubsetMonitor::new(motion, MAX_CHANNELS, spec.innovations_motion, ticks)?,
            gnss: SubsetMonitor::new(gnss, MAX_CHANNELS, spec.innovations_gnss, fixes)?,
            nis: Nis::new(&config.nis, rate_hz, spec.nis),
        })
    }

    /// Clears the innovations, and keeps the trained models: from now on the filter excludes a faulty sensor.
    pub fn forget(&mut self) {
        self.motion.forget();
        self.gnss.forget();
        self.nis.forget();
    }

    /// Processes a tick's innovations; returns the detections of both self-models and of the energy. `learning`:
    /// progress of the warm-up, 0 to below 1, none after it.
    pub fn push(
        &mut self,
        white: &[Option<f64>; SENSED],
        dt_s: f64,
        learning: Option<f64>,
    ) -> [Option<Detection>; 3] {
        [
            self.motion.push(white, dt_s),
            self.gnss.push(white, dt_s),
            self.nis.push(white, learning),
        ]
    }
}
