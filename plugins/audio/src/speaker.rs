//! Speaker: alert tones, and coherence made audible.

use crate::device::{Device, Failure, Way};
use becomingone_components::coherence::Coherence;
use becomingone_systems::tick::{Tick, TickSystems};
use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;
use cpal::traits::{DeviceTrait as _, StreamTrait as _};
use cpal::{FromSample, SampleFormat, SizedSample};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Pitch of no coherence; that of full coherence is an octave higher (Hz).
const LOW_HZ: f32 = 220.0;
/// Amplitude of coherence, and of an alert.
const QUIET: f32 = 0.05;
const LOUD: f32 = 0.3;
/// The two pitches of an alert (Hz), and the time of each (s).
const ALERT_HZ: [f32; 2] = [880.0, 660.0];
const ALERT_S: f64 = 0.25;
/// Time in which amplitude and pitch follow by 63 % (s): steps would crack.
const GLIDE_S: f32 = 0.01;
/// Pause before a device is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// A tone on a speaker, which a thread of its own keeps playing; it ends with the last copy.
#[derive(Resource, Clone)]
pub struct Speaker(Arc<Voice>);

struct Voice {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// Bits of the frequency (Hz) and of the amplitude, as `f32`.
    tone: AtomicU64,
    is_over: AtomicBool,
}

impl Speaker {
    /// Opens the default device. One that is not there is tried again twice a second; the first failure is logged.
    ///
    /// # Errors
    ///
    /// The operating system has no thread for it.
    pub fn new() -> std::io::Result<Self> {
        Self::on(Device::Default)
    }

    /// Opens the device whose name begins so, as `becomingone list audio` prints it.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn named(name: &str) -> std::io::Result<Self> {
        Self::on(Device::Name(name.to_owned()))
    }

    fn on(device: Device) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let its = shared.clone();
        let thread = std::thread::Builder::new()
            .name("speaker".to_owned())
            .spawn(move || play(&device, &its))?;
        Ok(Self(Arc::new(Voice {
            shared,
            thread: Some(thread),
        })))
    }

    /// Sounds a tone of this frequency (Hz) and amplitude, from 0 for silence to 1 for full scale.
    pub fn tone(&self, frequency_hz: f32, amplitude: f32) {
        let bits = u64::from(frequency_hz.to_bits()) << 32
            | u64::from(amplitude.clamp(0.0, 1.0).to_bits());
        self.0.shared.tone.store(bits, Ordering::Relaxed);
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic was reported by its hook.
            let _ = thread.join();
        }
    }
}

/// Plays until it is over, on a device that may come and go.
fn play(device: &Device, shared: &Arc<Shared>) {
    let mut logged = String::new();
    while !shared.is_over.load(Ordering::Acquire) {
        let failure = Arc::<Failure>::default();
        let text = match open(device, shared, &failure) {
            Ok(_stream) => loop {
                if shared.is_over.load(Ordering::Acquire) {
                    return;
                }
                if let Some(text) = failure.get() {
                    break text;
                }
                std::thread::park_timeout(Duration::from_millis(50));
            },
            Err(text) => text,
        };
        if text != logged {
            log::warn!("speaker: {text}; trying again");
            logged = text;
        }
        std::thread::park_timeout(PAUSE);
    }
}

fn open(
    device: &Device,
    shared: &Arc<Shared>,
    failure: &Arc<Failure>,
) -> Result<cpal::Stream, String> {
    let device = device.find(Way::Out)?;
    let failed = |error: cpal::Error| error.to_string();
    let supported = device.default_output_config().map_err(failed)?;
    let sound = match supported.sample_format() {
        SampleFormat::F32 => sound::<f32>,
        SampleFormat::I16 => sound::<i16>,
        SampleFormat::I32 => sound::<i32>,
        SampleFormat::U16 => sound::<u16>,
        SampleFormat::U8 => sound::<u8>,
        other => {
            return Err(format!(
                "found a device with samples as {other}; expected f32, i16, i32, u16 or u8"
            ));
        }
    };
    let stream =
        sound(&device, supported.config(), shared.clone(), failure.clone()).map_err(failed)?;
    stream.play().map_err(failed)?;
    Ok(stream)
}

fn sound<T: SizedSample + FromSample<f32>>(
    device: &cpal::Device,
    config: cpal::StreamConfig,
    shared: Arc<Shared>,
    failure: Arc<Failure>,
) -> Result<cpal::Stream, cpal::Error> {
    let step_s = 1.0 / config.sample_rate as f32;
    let channels = usize::from(config.channels);
    let (mut turns, mut pitch, mut amplitude) = (0.0f32, LOW_HZ, 0.0f32);
    device.build_output_stream(
        config,
        // Neither allocates nor locks.
        move |samples: &mut [T], _: &cpal::OutputCallbackInfo| {
            let bits = shared.tone.load(Ordering::Relaxed);
            let wanted_hz = f32::from_bits((bits >> 32) as u32);
            let wanted = f32::from_bits(bits as u32);
            for frame in samples.chunks_mut(channels) {
                amplitude += (wanted - amplitude) * step_s / GLIDE_S;
                pitch += (wanted_hz - pitch) * step_s / GLIDE_S;
                turns = (turns + pitch * step_s).fract();
                let sample = amplitude * libm::sinf(std::f32::consts::TAU * turns);
                frame.fill(T::from_sample_(sample));
            }
        },
        move |error| failure.set(&error),
        Some(Duration::from_secs(2)),
    )
}

/// Makes the coherence of a run audible: the lowest of its agents sounds as a quiet tone from 220 Hz to 440 Hz, and
/// while one of them is dissipated (has an alarm), two loud tones alternate.
pub struct SpeakerPlugin(
    /// Where it sounds.
    pub Speaker,
);

impl Plugin for SpeakerPlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(self.0.clone())
            .add_systems(Tick, voice.in_set(TickSystems::Publish));
    }
}

/// What coherence and surprise sound like at a time of the run.
fn tone_of(coherence: Option<f64>, is_dissipated: bool, now_s: f64) -> (f32, f32) {
    if is_dissipated {
        let second = (now_s / ALERT_S) as u64 % 2;
        return (ALERT_HZ[second as usize], LOUD);
    }
    coherence.map_or((LOW_HZ, 0.0), |coherence| {
        (LOW_HZ * libm::exp2f(coherence as f32), QUIET)
    })
}

fn voice(
    time: Res<becomingone_components::time::SimTime>,
    speaker: Res<Speaker>,
    agents: Query<&Coherence>,
) {
    let least = agents
        .iter()
        .filter_map(|a| a.coherence)
        .min_by(f64::total_cmp);
    let is_dissipated = agents.iter().any(|a| a.dissipated == Some(true));
    let (pitch, amplitude) = tone_of(least, is_dissipated, time.now_ns as f64 * 1e-9);
    speaker.tone(pitch, amplitude);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coherence_raises_the_pitch_and_an_alert_alternates() {
        assert_eq!(tone_of(None, false, 0.0), (LOW_HZ, 0.0));
        assert_eq!(tone_of(Some(1.0), false, 0.0), (440.0, QUIET));
        assert_eq!(tone_of(Some(1.0), true, 0.1), (880.0, LOUD));
        assert_eq!(tone_of(Some(1.0), true, 0.3), (660.0, LOUD));
    }
}
