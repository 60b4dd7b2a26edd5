//! Level, octave bands and the strongest tone of the last samples.

use becomingone_components::sensor::{OCTAVES_HZ, Sound};
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use std::f64::consts::{PI, TAU};
use std::sync::Arc;

/// Least time of an analysis (s): tones from 24 Hz on have two periods in it.
const WINDOW_S: f64 = 0.08;
/// Level of silence (dB): nothing is quieter, so that readings are finite.
const SILENCE_DB: f64 = -150.0;
/// Ratio of octaves of IEC 61260-1: 10^(3/10).
const OCTAVE: f64 = 1.995_262_314_968_879_5;

/// Analyses a stream of samples, of which -1 to 1 is full scale, by Fourier transforms of its last 85 ms at 48 kHz under
/// a Hann window.
///
/// ```
/// use becomingone_audio::Analyzer;
///
/// let mut analyzer = Analyzer::new(48_000.0);
/// let tone = |n: u32| 0.5 * (std::f32::consts::TAU * 440.0 * n as f32 / 48_000.0).sin();
/// (0..6000).for_each(|n| analyzer.push(tone(n)));
/// let sound = analyzer.sound().unwrap();
/// assert!((sound.frequency_hz - 440.0).abs() < 0.1);
/// assert!((sound.level_db + 6.02).abs() < 0.05);
/// ```
pub struct Analyzer {
    rate_hz: f64,
    /// The last samples; the oldest is at `next`.
    ring: Vec<f32>,
    next: usize,
    /// Samples so far.
    count: u64,
    window: Vec<f32>,
    /// Mean square of a sine of full scale, in the spectrum's unit.
    full_scale: f64,
    transform: Arc<dyn RealToComplex<f32>>,
    input: Vec<f32>,
    scratch: Vec<Complex<f32>>,
    spectrum: Vec<Complex<f32>>,
}

impl Analyzer {
    /// Analysis of samples at this rate (Hz).
    pub fn new(rate_hz: f64) -> Self {
        let n = ((rate_hz * WINDOW_S) as usize).next_power_of_two().max(256);
        // Periodic, so that it is symmetric about its middle, sample n / 2.
        let window: Vec<f32> = (0..n)
            .map(|k| (0.5 - 0.5 * libm::cos(TAU * k as f64 / n as f64)) as f32)
            .collect();
        let squares: f64 = window.iter().map(|w| f64::from(*w) * f64::from(*w)).sum();
        let transform = RealFftPlanner::new().plan_fft_forward(n);
        Self {
            rate_hz,
            ring: vec![0.0; n],
            next: 0,
            count: 0,
            // By Parseval, one side of the spectrum of a sine with mean square 1/2 sums up to n Σw² / 4.
            full_scale: n as f64 * squares / 4.0,
            window,
            input: transform.make_input_vec(),
            scratch: transform.make_scratch_vec(),
            spectrum: transform.make_output_vec(),
            transform,
        }
    }

    /// Takes the next sample.
    pub fn push(&mut self, sample: f32) {
        self.ring[self.next] = sample;
        self.next = (self.next + 1) % self.ring.len();
        self.count += 1;
    }

    /// Sound in the last samples; its phase is that after the last one. None before there are enough.
    pub fn sound(&mut self) -> Option<Sound> {
        let n = self.ring.len();
        if self.count < n as u64 {
            return None;
        }
        let (newer, older) = self.ring.split_at(self.next);
        let samples = older.iter().chain(newer);
        for ((to, sample), window) in self.input.iter_mut().zip(samples).zip(&self.window) {
            *to = sample * window;
        }
        let spectrum = &mut self.spectrum;
        self.transform
            .process_with_scratch(&mut self.input, spectrum, &mut self.scratch)
            .ok()?;
        let bin_hz = self.rate_hz / n as f64;
        let power = |k: usize| f64::from(spectrum[k].norm_sqr());
        let (mut all, mut bands) = (0.0, [0.0; OCTAVES_HZ.len()]);
        let (mut strongest, mut peak) = (0.0, 0);
        // Bins 0 and 1 have the offset of the sound card.
        for k in 2..spectrum.len() - 1 {
            let power = power(k);
            all += power;
            let octave = libm::log10(k as f64 * bin_hz / 1000.0) / libm::log10(OCTAVE);
            let band = libm::round(octave) + 4.0;
            if (0.0..bands.len() as f64).contains(&band) {
                bands[band as usize] += power;
            }
            if power > strongest {
                (strongest, peak) = (power, k);
            }
        }
        let db = |power: f64| (10.0 * libm::log10(power / self.full_scale)).max(SILENCE_DB);
        let (mut frequency_hz, mut phase_rad) = (0.0, 0.0);
        if peak > 0 {
            // Of a pure tone under a Hann window, the ratio of two neighbouring bins gives its place between them.
            let (below, above) = (power(peak - 1), power(peak + 1));
            let (side, neighbour) = if above > below {
                (1.0, above)
            } else {
                (-1.0, below)
            };
            let ratio = libm::sqrt(neighbour / strongest);
            let offset = side * ((2.0 * ratio - 1.0) / (ratio + 1.0)).clamp(0.0, 0.5);
            frequency_hz = (peak as f64 + offset) * bin_hz;
            let at_begin = f64::from(spectrum[peak].arg()) - PI * offset;
            let turns = at_begin / TAU + frequency_hz * n as f64 / self.rate_hz;
            phase_rad = TAU * (turns - libm::round(turns));
        }
        Some(Sound {
            level_db: db(all),
            frequency_hz,
            phase_rad,
            bands_db: bands.map(db),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = 48_000.0;

    fn heard(signal: impl Fn(f64) -> f64) -> Sound {
        let mut analyzer = Analyzer::new(RATE);
        for n in 0..10_000 {
            analyzer.push(signal(f64::from(n) / RATE) as f32);
        }
        analyzer.sound().unwrap()
    }

    fn tone(frequency_hz: f64, amplitude: f64) -> impl Fn(f64) -> f64 {
        move |t| amplitude * libm::cos(TAU * frequency_hz * t)
    }

    #[test]
    fn frequency_level_and_phase_of_a_tone_are_found_wherever_it_lies_between_bins() {
        for step in 0..200 {
            let frequency = 300.0 + 0.37 * f64::from(step);
            let sound = heard(tone(frequency, 0.1));
            assert!(
                (sound.frequency_hz - frequency).abs() < 0.1,
                "{frequency}: {sound:?}"
            );
            assert!((sound.level_db + 20.0).abs() < 0.01, "{sound:?}");
            let turns = frequency * 10_000.0 / RATE;
            let error = sound.phase_rad - TAU * (turns - libm::round(turns));
            let error = error - TAU * libm::round(error / TAU);
            assert!(error.abs() < 0.05, "{frequency}: {error} rad");
        }
    }

    #[test]
    fn a_tone_in_noise_is_found_within_one_hertz() {
        let mut state = 1u64;
        let mut noise = || {
            // Numerical Recipes' generator: any noise will do.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 40) as f64 / f64::from(1 << 24) - 0.5
        };
        let mut analyzer = Analyzer::new(RATE);
        for n in 0..10_000 {
            let sample = tone(440.0, 0.1)(f64::from(n) / RATE) + 0.1 * noise();
            analyzer.push(sample as f32);
        }
        let sound = analyzer.sound().unwrap();
        assert!((sound.frequency_hz - 440.0).abs() < 1.0, "{sound:?}");
    }

    #[test]
    fn each_band_has_the_tones_within_its_edges() {
        for (k, &middle) in OCTAVES_HZ.iter().enumerate() {
            let sound = heard(tone(middle, 1.0));
            for (other, level) in sound.bands_db.iter().enumerate() {
                // The window spreads a tone over three bins, which touch the next band in the lowest ones.
                let expected = if other == k {
                    level.abs() < 0.5
                } else {
                    *level < -15.0
                };
                assert!(expected, "{middle} Hz, band {other}: {sound:?}");
            }
        }
    }

    #[test]
    fn silence_and_an_offset_have_a_finite_level() {
        let silence = heard(|_| 0.0);
        assert_eq!([silence.level_db, silence.frequency_hz], [SILENCE_DB, 0.0]);
        assert!(heard(|_| 0.5).level_db < -80.0);
        let mut analyzer = Analyzer::new(RATE);
        analyzer.push(0.0);
        assert!(analyzer.sound().is_none(), "one sample is too few");
    }
}
