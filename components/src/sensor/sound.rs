//! Microphone measurement.

use super::measurement::{Field, Measurement, Part, field, part};

/// Middle frequencies of the octave bands of [`Sound`] (Hz): the nominal ones of IEC 61260-1:2014.
pub const OCTAVES_HZ: [f64; 8] = [63.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0];

/// Sound since the last reading, in decibels to the full scale of the microphone: a sine wave of full scale has 0 dB
/// (AES17), silence has a finite level.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sound {
    /// Level of all frequencies (dB).
    pub level_db: f64,
    /// Frequency of the strongest tone (Hz).
    pub frequency_hz: f64,
    /// Phase of the strongest tone at the stamp: of its cosine, from -π to π (rad).
    pub phase_rad: f64,
    /// Level of each octave band of [`OCTAVES_HZ`] (dB).
    pub bands_db: [f64; OCTAVES_HZ.len()],
}

impl Measurement for Sound {
    const KIND: &'static str = "microphone";
    const FIELDS: &'static [Field] = &[
        field("level", "dB"),
        field("frequency", "Hz"),
        field("phase", "rad"),
        field("band_63", "dB"),
        field("band_125", "dB"),
        field("band_250", "dB"),
        field("band_500", "dB"),
        field("band_1000", "dB"),
        field("band_2000", "dB"),
        field("band_4000", "dB"),
        field("band_8000", "dB"),
    ];
    const PARTS: &'static [Part] = &[part("bands", 3, OCTAVES_HZ.len())];
    const SURROUNDINGS: bool = true;

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        [self.level_db, self.frequency_hz, self.phase_rad]
            .into_iter()
            .chain(self.bands_db)
            .for_each(each);
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let Some((&[level_db, frequency_hz, phase_rad], bands)) = numbers.split_first_chunk()
        else {
            return false;
        };
        let Ok(bands_db) = bands.try_into() else {
            return false;
        };
        *self = Self {
            level_db,
            frequency_hz,
            phase_rad,
            bands_db,
        };
        true
    }
}
