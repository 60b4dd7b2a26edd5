//! Microphone: the tones of a scene at the sensor's place.

use crate::physics::{Bodies, Physics};
use becomingone_components::check::Checks;
use becomingone_components::kind::Kind;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{
    Bias, Noise, OCTAVES_HZ, SensorAt, SensorContext, SensorKind, Sound,
};
use bevy_ecs::prelude::*;
use glam::{DVec3, Vec3};
use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

/// Speed of sound at 15 °C (ISO 2533, m/s).
const SOUND_M_S: f64 = 340.294;
/// Level to which the sensitivities of data sheets refer (dB SPL): 1 Pa.
const REFERENCE_DB: f64 = 94.0;
/// Ratio of octaves of IEC 61260-1: 10^(3/10).
const OCTAVE: f64 = 1.995_262_314_968_879_5;
/// Nearest distance to a source: nearer, the level rises no more (m).
const NEAREST_M: f64 = 0.01;

/// Level, strongest tone and octave bands of sound (dB to full scale). Simulated, it receives the tones of the
/// scene, 6 dB less for each doubling of the distance, and its own noise; nothing shades or reflects them.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, from = "MicrophoneFields")]
pub struct Microphone {
    /// Sources of sound.
    pub tones: Vec<Tone>,
    /// Reading at 94 dB SPL (dB to full scale).
    pub sensitivity_db: f64,
    /// Level of its own noise, as sound (dB SPL).
    pub own_noise_db: f64,
    /// Noise of each level (dB).
    pub noise: Noise,
}

/// A source of one frequency.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tone {
    /// Frequency (Hz).
    pub frequency_hz: f64,
    /// Level at a distance of 1 m (dB SPL).
    pub level_db: f64,
    /// Place in the world (m).
    pub position_m: [f64; 3],
}

/// Data sheets of microphones.
#[derive(Clone, Copy, Debug, Deserialize)]
enum MicrophonePreset {
    /// TDK ICS-43434, DS-000069: -26 dB to full scale at 94 dB SPL, own noise 29 dB(A).
    Ics43434,
}

/// As a scene has it.
#[derive(Default, Deserialize)]
#[serde(rename = "Microphone", deny_unknown_fields, default)]
struct MicrophoneFields {
    preset: Option<MicrophonePreset>,
    tones: Vec<Tone>,
    sensitivity_db: Option<f64>,
    own_noise_db: Option<f64>,
    noise: Noise,
}

impl From<MicrophoneFields> for Microphone {
    fn from(fields: MicrophoneFields) -> Self {
        let [sensitivity_db, own_noise_db] = match fields.preset {
            Some(MicrophonePreset::Ics43434) => [-26.0, 29.0],
            // Full scale at 94 dB SPL, and 96 dB below it the noise of 16 bits.
            None => [0.0, -2.0],
        };
        Self {
            tones: fields.tones,
            sensitivity_db: fields.sensitivity_db.unwrap_or(sensitivity_db),
            own_noise_db: fields.own_noise_db.unwrap_or(own_noise_db),
            noise: fields.noise,
        }
    }
}

/// No sources; full scale at 94 dB SPL.
impl Default for Microphone {
    fn default() -> Self {
        MicrophoneFields::default().into()
    }
}

/// A microphone and the state of its noise.
#[derive(Clone, Debug)]
pub struct MicrophoneModel {
    microphone: Microphone,
    /// Of the level, then of the bands.
    biases: [Bias; 1 + OCTAVES_HZ.len()],
}

fn power(db: f64) -> f64 {
    libm::pow(10.0, db / 10.0)
}

fn db(power: f64) -> f64 {
    10.0 * libm::log10(power)
}

/// The octave band of a frequency, if it is in one.
fn band(frequency_hz: f64) -> Option<usize> {
    // The exact middles are 1000 Hz times powers of the ratio; 1000 Hz is the fifth.
    let octave = libm::round(libm::log10(frequency_hz / 1000.0) / libm::log10(OCTAVE)) + 4.0;
    (0.0..OCTAVES_HZ.len() as f64)
        .contains(&octave)
        .then_some(octave as usize)
}

impl Microphone {
    /// What it measures at a place and a time.
    fn hear(&self, place: DVec3, now_s: f64) -> Sound {
        let own = power(self.sensitivity_db + self.own_noise_db - REFERENCE_DB);
        // White noise: in proportion to the width of each band.
        let widths: f64 = OCTAVES_HZ.iter().sum();
        let mut bands = OCTAVES_HZ.map(|middle| own * middle / widths);
        let mut all = own;
        let (mut strongest, mut frequency_hz, mut phase_rad) = (0.0, 0.0, 0.0);
        for tone in &self.tones {
            let away_m = place.distance(DVec3::from(tone.position_m)).max(NEAREST_M);
            let at_ear_db = tone.level_db - 20.0 * libm::log10(away_m);
            let heard = power(at_ear_db - REFERENCE_DB + self.sensitivity_db);
            all += heard;
            if let Some(band) = band(tone.frequency_hz) {
                bands[band] += heard;
            }
            if heard > strongest {
                strongest = heard;
                frequency_hz = tone.frequency_hz;
                let turns = tone.frequency_hz * (now_s - away_m / SOUND_M_S);
                phase_rad = TAU * (turns - libm::round(turns));
            }
        }
        Sound {
            level_db: db(all),
            frequency_hz,
            phase_rad,
            bands_db: bands.map(db),
        }
    }
}

impl Kind for Microphone {
    const NAME: &'static str = "Microphone";
    const ABOUT: &'static str =
        "level, strongest tone and octave bands of sound (dB); preset: Ics43434";
}

impl SensorKind for Microphone {
    type Measurement = Sound;
    type Model = MicrophoneModel;
    type Param = (
        Res<'static, Physics>,
        Query<'static, 'static, &'static Bodies>,
    );

    fn check(&self, _: &SensorContext<'_>, checks: &mut Checks<'_>) {
        checks.count("tones", self.tones.len());
        for (k, tone) in self.tones.iter().enumerate() {
            let at = format!("tones[{k}]");
            let frequency = format!("{at}.frequency_hz");
            let expected = "hertz from 1 to 100000";
            checks.within(&frequency, tone.frequency_hz, 1.0, 1e5, expected);
            let expected = "decibels SPL at 1 m, from -20 to 194";
            checks.within(
                &format!("{at}.level_db"),
                tone.level_db,
                -20.0,
                194.0,
                expected,
            );
            checks.position(&format!("{at}.position_m"), &tone.position_m);
        }
        let expected = "decibels to full scale at 94 dB SPL, from -120 to 60";
        checks.within(
            "sensitivity_db",
            self.sensitivity_db,
            -120.0,
            60.0,
            expected,
        );
        let expected = "decibels SPL from -60 to 194";
        checks.within("own_noise_db", self.own_noise_db, -60.0, 194.0, expected);
        self.noise.check("noise", checks);
    }

    fn noises(&mut self) -> Vec<&mut Noise> {
        vec![&mut self.noise]
    }

    fn model(&self, _: &SensorContext<'_>, rng: &mut Rng) -> MicrophoneModel {
        MicrophoneModel {
            biases: std::array::from_fn(|_| Bias::turn_on(&self.noise, rng)),
            microphone: self.clone(),
        }
    }

    fn truth(
        model: &mut MicrophoneModel,
        at: &SensorAt,
        (physics, bodies): &(Res<'_, Physics>, Query<'_, '_, &Bodies>),
        truth: &mut Sound,
    ) -> bool {
        let Some(body) = physics.body(bodies, at) else {
            return false;
        };
        let link = body.position();
        let place: Vec3 = link.rotation * at.mount.translation_m + link.translation;
        *truth = model
            .microphone
            .hear(place.as_dvec3(), at.now_ns as f64 * 1e-9);
        true
    }

    fn measure(
        MicrophoneModel { microphone, biases }: &mut MicrophoneModel,
        at: &SensorAt,
        truth: &Sound,
        rng: &mut Rng,
        reading: &mut Sound,
    ) {
        *reading = *truth;
        let levels = std::iter::once(&mut reading.level_db).chain(&mut reading.bands_db);
        for (level, bias) in levels.zip(biases) {
            // Beyond full scale a microphone clips.
            *level = bias
                .apply(*level, at.period_s, &microphone.noise, rng)
                .min(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(frequency_hz: f64, x: f64) -> Tone {
        Tone {
            frequency_hz,
            level_db: 94.0,
            position_m: [x, 0.0, 0.0],
        }
    }

    #[test]
    fn bands_are_those_of_the_standard() {
        for (k, &middle) in OCTAVES_HZ.iter().enumerate() {
            assert_eq!(band(middle), Some(k));
        }
        // Edges of the band of 1 kHz, IEC 61260-1: 708 Hz and 1413 Hz.
        assert_eq!(band(707.0), Some(3));
        assert_eq!(band(709.0), Some(4));
        assert_eq!(band(1412.0), Some(4));
        assert_eq!(band(1414.0), Some(5));
        assert_eq!(band(20.0), None);
        assert_eq!(band(16_000.0), None);
    }

    #[test]
    fn levels_add_and_fall_with_the_distance() {
        let mut microphone = Microphone {
            tones: vec![tone(440.0, 2.0)],
            ..Microphone::default()
        };
        let one = microphone.hear(DVec3::ZERO, 0.0);
        // 94 dB at 1 m is full scale here; twice the distance, 6.02 dB less.
        assert!((one.level_db + 6.0206).abs() < 1e-3, "{one:?}");
        assert!((one.bands_db[3] + 6.0206).abs() < 1e-3, "{one:?}");
        assert_eq!(one.frequency_hz, 440.0);
        // Two equal levels are 3.01 dB more.
        microphone.tones.push(tone(1000.0, -2.0));
        let two = microphone.hear(DVec3::ZERO, 0.0);
        assert!(
            (two.level_db - one.level_db - 3.0103).abs() < 1e-3,
            "{two:?}"
        );
        // A quarter of a wave later, a quarter of a turn more.
        let later = microphone.hear(DVec3::ZERO, 0.25 / 440.0);
        let turned = (later.phase_rad - one.phase_rad).rem_euclid(TAU);
        assert!((turned - TAU / 4.0).abs() < 1e-9, "{turned}");
    }
}
